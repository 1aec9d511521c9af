/* launchers.h - the launcher of each kernel family; the rows of operators.c name them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "launch.h"

G_BEGIN_DECLS

#define NN_LAUNCHER(name) gboolean name(NnRecorder *recorder, const NnNode *node, GError **error)

NN_LAUNCHER(nn_launch_conv); /* Conv, ConvTranspose; weights constant or per sample */
NN_LAUNCHER(nn_launch_pool); /* MaxPool, AveragePool, LpPool and the Global forms */
NN_LAUNCHER(
    nn_launch_elementwise);    /* unary, binary and n-ary with broadcasting, Where, Cast, Clip */
NN_LAUNCHER(nn_launch_reduce); /* Reduce*, ArgMax, ArgMin, CumSum */
NN_LAUNCHER(nn_launch_inverse_norms);
NN_LAUNCHER(nn_launch_part_instance_norm);
NN_LAUNCHER(nn_launch_softmax); /* Softmax, LogSoftmax, Hardmax */
NN_LAUNCHER(nn_launch_matmul);  /* MatMul, Gemm */
NN_LAUNCHER(nn_launch_einsum);  /* Einsum */
NN_LAUNCHER(nn_launch_norm);    /* Batch-, Instance-, LayerNormalization, LRN, MVN */
NN_LAUNCHER(nn_launch_resize);  /* Resize, Upsample */
NN_LAUNCHER(nn_launch_move);    /* Transpose, Reshape, Slice, Concat, Split, Pad, Expand, Tile... */
NN_LAUNCHER(nn_launch_gather);  /* Gather*, Scatter*, OneHot */
NN_LAUNCHER(nn_launch_grid_sample); /* GridSample */
NN_LAUNCHER(nn_launch_top_k);       /* TopK */
NN_LAUNCHER(nn_launch_quant);       /* QuantizeLinear, QLinear*, ConvInteger, MatMulInteger... */

G_END_DECLS
