/* defs-params.h - what a node's attributes and steering inputs come to, in numbers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One resolver per family serves shape inference, the reference and the launcher, so that all three
 * agree on defaults, on attributes that became inputs in later opsets and on automatic padding.
 * Resolvers need the types and shapes of the node's inputs and, of its host inputs, the constants.
 * They check everything: a struct that was filled in is safe to index and divide by.
 */
#pragma once

#include "graph.h"

G_BEGIN_DECLS

#define NN_MAX_SPATIAL 3

/* ---- axes */

/* A negative @axis counts from the end. FALSE with an error if it is not in -rank..rank-1. */
gboolean nn_resolve_axis(const NnNode *node, gint64 axis, int rank, int *resolved, GError **error);

/* A dense tensor cut at an axis: element k of lane (o, i) lies at (o * n + k) * inner + i. */
typedef struct {
    gint64 outer, n, inner;
} NnLanes;

/* The lanes along one axis of @rank/@dims, 0 <= axis < rank. */
NnLanes nn_lanes(int rank, const gint64 *dims, int axis);

/* ---- def_conv.c: Conv, ConvTranspose, ConvInteger, QLinearConv */

typedef struct {
    int n_spatial;       /* 1 to NN_MAX_SPATIAL; entries beyond are those of a 1-element axis */
    gboolean transposed; /* weights are [in_channels][out_channels / groups][kernel...] */
    gint64 batch;        /* dim 0 of the input */
    gint64 groups, in_channels, out_channels;
    gint64 in[NN_MAX_SPATIAL], out[NN_MAX_SPATIAL];
    gint64 kernel[NN_MAX_SPATIAL], stride[NN_MAX_SPATIAL], dilation[NN_MAX_SPATIAL];
    gint64 pad_begin[NN_MAX_SPATIAL], pad_end[NN_MAX_SPATIAL];
    gint64 output_padding[NN_MAX_SPATIAL]; /* transposed only */
} NnConvParams;

gboolean nn_conv_params(const NnNode *node, NnConvParams *params, GError **error);

/* ---- def_pool.c: MaxPool, AveragePool, LpPool and the Global forms */

typedef enum {
    NN_POOL_MAX,
    NN_POOL_AVERAGE,
    NN_POOL_LP,
} NnPoolType;

typedef struct {
    NnPoolType type;
    int n_spatial;
    gint64 batch, channels;
    gint64 in[NN_MAX_SPATIAL], out[NN_MAX_SPATIAL];
    gint64 kernel[NN_MAX_SPATIAL], stride[NN_MAX_SPATIAL], dilation[NN_MAX_SPATIAL];
    gint64 pad_begin[NN_MAX_SPATIAL], pad_end[NN_MAX_SPATIAL];
    gboolean count_include_pad; /* average: padding counts, what ceil_mode adds beyond does not */
    gboolean column_major;      /* MaxPool's storage_order, of output Indices */
    gint64 p;                   /* LpPool */
} NnPoolParams;

gboolean nn_pool_params(const NnNode *node, NnPoolParams *params, GError **error);

/* ---- def_move.c: Slice, Split, Pad, Transpose, Tile, DepthToSpace, SpaceToDepth */

/* Output index i of an axis is input index start + i * step. */
typedef struct {
    int rank;
    gint64 start[NN_MAX_RANK], step[NN_MAX_RANK], count[NN_MAX_RANK];
} NnSliceParams;

/* @output: which output, 0 for Slice. */
gboolean nn_slice_params(const NnNode *node, guint output, NnSliceParams *params, GError **error);

typedef enum {
    NN_PAD_CONSTANT,
    NN_PAD_REFLECT,
    NN_PAD_EDGE,
    NN_PAD_WRAP,
} NnPadMode;

typedef struct {
    int rank;
    NnPadMode mode;
    double value;
    gint64 before[NN_MAX_RANK], after[NN_MAX_RANK]; /* negative amounts crop */
} NnPadParams;

gboolean nn_pad_params(const NnNode *node, NnPadParams *params, GError **error);
/* The input index that output index @i of an axis of @n elements takes, -1: the constant value. */
gint64 nn_pad_source(const NnPadParams *params, int axis, gint64 n, gint64 i);

/* Output axis i is input axis perm[i]. */
gboolean nn_transpose_perm(const NnNode *node, int perm[NN_MAX_RANK], GError **error);

/* DepthToSpace and SpaceToDepth are one transposition of the input seen under more dims: output
 * axis i of the 6-D intermediate is axis perm[i] of the input reshaped to @dims. */
typedef struct {
    gint64 dims[6];
    int perm[6];
    gint64 out[4];
} NnShuffleParams;

gboolean nn_shuffle_params(const NnNode *node, NnShuffleParams *params, GError **error);

/* ---- def_resize.c: Resize, Upsample */

typedef enum {
    NN_RESIZE_NEAREST,
    NN_RESIZE_LINEAR,
    NN_RESIZE_CUBIC,
} NnResizeMode;

typedef enum {
    NN_COORDINATE_HALF_PIXEL,
    NN_COORDINATE_HALF_PIXEL_SYMMETRIC,
    NN_COORDINATE_PYTORCH_HALF_PIXEL,
    NN_COORDINATE_ALIGN_CORNERS,
    NN_COORDINATE_ASYMMETRIC,
    NN_COORDINATE_TF_HALF_PIXEL_FOR_NN,
    NN_COORDINATE_TF_CROP_AND_RESIZE,
} NnCoordinateMode;

typedef enum {
    NN_NEAREST_ROUND_PREFER_FLOOR,
    NN_NEAREST_ROUND_PREFER_CEIL,
    NN_NEAREST_FLOOR,
    NN_NEAREST_CEIL,
    NN_NEAREST_CEIL_IF_SMALLER, /* ceil where the axis shrinks, else floor: Resize 10 */
} NnNearestMode;

typedef struct {
    int rank;
    NnResizeMode mode;
    NnCoordinateMode coordinate;
    NnNearestMode nearest;
    gboolean antialias, exclude_outside;
    double cubic_a, extrapolation;
    gint64 in[NN_MAX_RANK], out[NN_MAX_RANK];
    double length[NN_MAX_RANK]; /* of the output axis before rounding: scale * in, or out */
    double scale[NN_MAX_RANK];  /* output per input; 1: axis is not resized */
    double roi_start[NN_MAX_RANK], roi_end[NN_MAX_RANK]; /* tf_crop_and_resize, of 0..1 */
} NnResizeParams;

gboolean nn_resize_params(const NnNode *node, NnResizeParams *params, GError **error);
/* Where output index @o of @axis lies on the input's axis. */
double nn_resize_coordinate(const NnResizeParams *params, int axis, gint64 o);
/* Most taps that an output element of @axis has; 1 for an axis that is not resized. */
gsize nn_resize_max_taps(const NnResizeParams *params, int axis);
/* The taps of output index @o: indices (within the axis) and weights, adding up to 1. Returns how
 * many, at most nn_resize_max_taps(); 0: outside, the extrapolation value (tf_crop_and_resize). */
gsize nn_resize_taps(const NnResizeParams *params, int axis, gint64 o, gint64 *index,
                     double *weight);

/* ---- def_reduce.c: Reduce* */

typedef struct {
    guint axes; /* bit i: axis i is reduced; 0: the identity but for the element's own function */
    gboolean keepdims;
} NnReduceParams;

gboolean nn_reduce_params(const NnNode *node, NnReduceParams *params, GError **error);

/* ---- def_softmax.c: Softmax, LogSoftmax, Hardmax */

/* Since opset 13 along one axis; before, over all axes from there on, as one. */
gboolean nn_softmax_lanes(const NnNode *node, NnLanes *lanes, GError **error);

/* ---- def_norm.c: normalisations over blocks of elements */

/* LayerNormalization: everything from axis on. The input is [outer][inner]. */
typedef struct {
    int axis;
    gint64 outer, inner;
    float epsilon;
} NnLayerNormParams;

gboolean nn_layer_norm_params(const NnNode *node, NnLayerNormParams *params, GError **error);

/* ---- def_matmul.c: MatMul, Gemm and their integer forms */

/* y[batch...][m][n] = a[batch...][m][k] * b[batch...][k][n] with numpy's rules: a 1-D operand gets
 * an axis of 1 that the result does not have; batch axes are broadcast. */
typedef struct {
    gint64 m, n, k;
    int n_batch; /* batch axes, after broadcasting */
    gint64 batch[NN_MAX_RANK];
    gint64 a_stride[NN_MAX_RANK], b_stride[NN_MAX_RANK]; /* elements, dense; 0: broadcast */
} NnMatmulParams;

/* @a, @b: indices of the node's inputs. */
gboolean nn_matmul_params(const NnNode *node, guint a, guint b, NnMatmulParams *params,
                          GError **error);

/* y = alpha * op(a) * op(b) + beta * c, c broadcast to [m][n]. */
typedef struct {
    gint64 m, n, k;
    gboolean trans_a, trans_b;
    float alpha, beta;
} NnGemmParams;

gboolean nn_gemm_params(const NnNode *node, NnGemmParams *params, GError **error);

/* Einsum: y[result labels] = the sum over the other labels of the operands' products. */
typedef struct {
    int n_labels, n_result; /* the result's, in its order, come first */
    gint64 dims[NN_MAX_RANK];
    int label[2][NN_MAX_RANK]; /* of every axis of each operand */
} NnEinsumParams;

gboolean nn_einsum_params(const NnNode *node, NnEinsumParams *params, GError **error);
/* Strides of an operand along all labels, made from those of its axes: a label that it has twice
 * walks its diagonal, one that it does not have stays where it is. @strides: (out) NN_MAX_RANK. */
void nn_einsum_strides(const NnEinsumParams *params, guint operand, int rank, const gint64 *dims,
                       const gint64 *axis_strides, gint64 *strides);

/* ---- def_gather.c: GridSample */

typedef enum {
    NN_SAMPLE_NEAREST,
    NN_SAMPLE_LINEAR,
    NN_SAMPLE_CUBIC,
} NnSampleMode;

typedef enum {
    NN_BEYOND_ZEROS,
    NN_BEYOND_BORDER,
    NN_BEYOND_REFLECTION,
} NnBeyond;

typedef struct {
    NnSampleMode mode;
    NnBeyond beyond;
    gboolean align_corners;
} NnSampleParams;

gboolean nn_sample_params(const NnNode *node, NnSampleParams *params, GError **error);

G_END_DECLS
