/* launch_conv3d.c - Conv and ConvTranspose over three axes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"

/* Mirrors kernels/conv3d.cl. */
typedef struct {
    gint32 groups, c, k;
    gint32 in[3], taps[3], stride[3], dilation[3];
    gint32 pad[3];
} Shape;

static Shape make_shape(const NnConvParams *params)
{
    Shape shape = { .groups = (gint32)params->groups,
                    .c = (gint32)(params->in_channels / params->groups),
                    .k = (gint32)(params->out_channels / params->groups) };
    for (int i = 0; i < 3; i++) {
        shape.in[i] = (gint32)params->in[i];
        shape.taps[i] = (gint32)params->kernel[i];
        shape.stride[i] = (gint32)params->stride[i];
        shape.dilation[i] = (gint32)params->dilation[i];
        shape.pad[i] = (gint32)params->pad_begin[i];
    }
    return shape;
}

/* The weights seen as [group][output][input][d][h][w]. */
static NnView weight_view(const NnConvParams *params, const NnView *w)
{
    const gint64 k = params->out_channels / params->groups;
    const gint64 c = params->in_channels / params->groups;
    const gint64 *stride = w->strides;
    const gint64 dims[6] = { params->groups, k, c, w->dims[2], w->dims[3], w->dims[4] };
    const gint64 plain[6] = {
        k * stride[0], stride[0], stride[1], stride[2], stride[3], stride[4]
    };
    const gint64 transposed[6] = { c * stride[0], stride[1], stride[0],
                                   stride[2],     stride[3], stride[4] };
    return nn_view_strided(w, 6, dims, params->transposed ? transposed : plain);
}

gboolean nn_launch_conv_3d(NnRecorder *recorder, const NnNode *node, const NnConvParams *params)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const NnView w = weight_view(params, nn_recorder_input(recorder, node, 1));
    const gboolean has_residual = node->residual >= 0;
    const gboolean has_bias = nn_node_input(node, 2) && node->residual != 2;
    const NnView *bias = has_bias ? nn_recorder_input(recorder, node, 2) : &w;
    const NnView *residual =
        has_residual ? nn_recorder_input(recorder, node, (guint)node->residual) : y;
    const Shape shape = make_shape(params);

    NnLaunch *launch = nn_recorder_launch(
        recorder, node, "conv3d.cl", "conv_3d",
        "-DTX=%s -DTW=%s -DTB=%s -DTR=%s -DTY=%s -DBIAS=%d -DRESIDUAL=%d "
        "-DTRANSPOSED=%d" NN_ACT_OPTION,
        nn_kernel_type(x->type), nn_kernel_type(w.type), nn_kernel_type(bias->type),
        nn_kernel_type(residual->type), nn_kernel_type(y->type), has_bias, has_residual,
        params->transposed, node->activation.type);
    nn_launch_strided(launch, x);
    nn_launch_strided(launch, &w);
    nn_launch_strided(launch, bias);
    nn_launch_strided(launch, residual);
    nn_launch_strided(launch, y);
    nn_launch_extents(launch, y->rank, y->dims);
    nn_launch_int(launch, (gint32)nn_view_count(y));
    nn_launch_bytes(launch, &shape, sizeof shape);
    nn_launch_activation(launch, node);
    nn_launch_cost(launch, 2.0 * (double)nn_view_count(y) * shape.c * shape.taps[0] *
                               shape.taps[1] * shape.taps[2]);
    nn_launch_items(launch, y, nn_view_count(y), 1);
    return TRUE;
}
