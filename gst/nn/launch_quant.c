/* launch_quant.c - QuantizeLinear, DequantizeLinear and products of 8-bit integers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_util.h"

#include <string.h>

/* ---------------------------------------------------------------- scale and zero point */

/* One zero of type @type. */
static NnView zero_view(NnRecorder *recorder, NnType type)
{
    static const guint64 zero = 0;
    return nn_recorder_constant(recorder, type, 1, &zero);
}

/* A scale or zero point for all of x or for each index of @axis, to broadcast to x. */
static NnView along_axis(const NnView *view, const NnView *x, int axis)
{
    NnView out = *view;
    gint64 count = nn_view_count(view), stride = view->rank > 0 ? view->strides[0] : 0;
    out.rank = x->rank;
    for (int i = 0; i < x->rank; i++) {
        const gboolean varies = i == axis && count > 1;
        out.dims[i] = varies ? count : 1;
        out.strides[i] = varies ? stride : 0;
    }
    return out;
}

/* QuantizeLinear, DequantizeLinear. */
static gboolean launch_linear(NnRecorder *recorder, const NnNode *node, const char *op,
                              GError **error)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const NnView *scale = nn_recorder_input(recorder, node, 1);
    const NnView *zero = nn_recorder_input(recorder, node, 2);
    int axis = 0;
    if (nn_view_count(scale) > 1 &&
        !nn_resolve_axis(node, nn_node_int(node, "axis", 1), x->rank, &axis, error))
        return FALSE;
    if (nn_node_int(node, "block_size", 0) != 0)
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "its scales are per block");

    const gboolean quantizes = strcmp(op, "Quantize") == 0;
    const NnView none = zero_view(recorder, quantizes ? y->type : x->type);
    const NnView scales = along_axis(scale, x, axis);
    const NnView zeros = along_axis(zero ? zero : &none, x, axis);
    const NnView *inputs[3] = { x, &scales, &zeros };
    return nn_record_elementwise(recorder, node, op, y, inputs, 3, FALSE, error);
}

static gboolean launch_dynamic(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const NnView low = nn_recorder_scratch(recorder, NN_FLOAT32, 1);
    const NnView high = nn_recorder_scratch(recorder, NN_FLOAT32, 1);
    const NnView scale = nn_recorder_scratch(recorder, NN_FLOAT32, 1);
    const NnView zero = nn_recorder_scratch(recorder, NN_UINT8, 1);
    const gint64 ones[NN_MAX_RANK] = { 1, 1, 1, 1, 1, 1, 1, 1 }, none[NN_MAX_RANK] = { 0 };
    const NnView lows = nn_view_strided(&low, x->rank, ones, none);
    const NnView highs = nn_view_strided(&high, x->rank, ones, none);
    if (!nn_record_reduction(recorder, node, "Min", &lows, x, ~0u, error) ||
        !nn_record_reduction(recorder, node, "Max", &highs, x, ~0u, error))
        return FALSE;

    const NnView *const found[4] = { &low, &high, &scale, &zero };
    NnLaunch *launch = nn_recorder_launch(recorder, node, "quant.cl", "find_scale", " ");
    for (guint i = 0; i < G_N_ELEMENTS(found); i++)
        nn_launch_strided(launch, found[i]);
    nn_launch_items(launch, y, 1, 1);

    const NnView scales = along_axis(&scale, x, -1), zeros = along_axis(&zero, x, -1);
    const NnView *inputs[3] = { x, &scales, &zeros };
    if (!nn_record_elementwise(recorder, node, "Quantize", y, inputs, 3, FALSE, error))
        return FALSE;
    for (guint i = 0; i < 2; i++) {
        const NnView *out = nn_recorder_output(recorder, node, 1 + i);
        const NnView single = nn_view_strided(found[2 + i], 0, NULL, NULL);
        if (out && !nn_record_copy(recorder, node, out, &single, error))
            return FALSE;
    }
    return TRUE;
}

/* ---------------------------------------------------------------- products */

/* Mirrors kernels/quant.cl. */
typedef struct {
    gint32 groups, c, k;
    gint32 kh, kw;
    gint32 stride_h, stride_w, dilation_h, dilation_w;
    gint32 pad_h, pad_w;
} ConvShape;

/* Places of a product's operands among the node's inputs; -1: it has none. */
typedef struct {
    int x, x_zero, w, w_zero;
    int x_scale, w_scale, y_scale, y_zero, bias;
} Operands;

static const Operands integer_operands = { 0, 2, 1, 3, -1, -1, -1, -1, -1 };
static const Operands scaled_operands = { 0, 2, 3, 5, 1, 4, 6, 7, 8 };

/* Input @i as a list of one stride, 0 where it holds one number; @fallback where there is none. */
static NnView list_view(NnRecorder *recorder, const NnNode *node, int i, const NnView *fallback)
{
    const NnView *view = i >= 0 ? nn_recorder_input(recorder, node, (guint)i) : NULL;
    const gint64 dim = view ? nn_view_count(view) : 1;
    const gint64 stride = dim > 1 ? view->strides[0] : 0;
    return nn_view_strided(view ? view : fallback, 1, &dim, &stride);
}

static gboolean has_input(const NnNode *node, int i)
{
    return i >= 0 && nn_node_input(node, (guint)i) != NULL;
}

static char *product_options(NnRecorder *recorder, const NnNode *node, const Operands *at)
{
    const NnView *scale =
        at->x_scale >= 0 ? nn_recorder_input(recorder, node, (guint)at->x_scale) : NULL;
    return g_strdup_printf("-DTX=%s -DTW=%s -DTY=%s -DTS=%s -DZX=%d -DZW=%d -DSCALED=%d -DBIAS=%d",
                           nn_kernel_type(nn_recorder_input(recorder, node, (guint)at->x)->type),
                           nn_kernel_type(nn_recorder_input(recorder, node, (guint)at->w)->type),
                           nn_kernel_type(nn_recorder_output(recorder, node, 0)->type),
                           nn_kernel_type(scale ? scale->type : NN_FLOAT32),
                           has_input(node, at->x_zero), has_input(node, at->w_zero),
                           at->x_scale >= 0, has_input(node, at->bias));
}

/* Zero points and SCALES, in the kernels' order; what is left out is never read. */
static void add_scales(NnLaunch *launch, NnRecorder *recorder, const NnNode *node,
                       const Operands *at)
{
    const int order[7] = { at->x_zero,  at->w_zero, at->x_scale, at->w_scale,
                           at->y_scale, at->y_zero, at->bias };
    const NnView *fallback = nn_recorder_input(recorder, node, 0);
    for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
        const NnView view = list_view(recorder, node, order[i], fallback);
        nn_launch_strided(launch, &view);
    }
}

static NnView view_2d(const NnView *view)
{
    if (view->rank != 3)
        return *view;
    const gint64 dims[4] = { view->dims[0], view->dims[1], 1, view->dims[2] };
    const gint64 strides[4] = { view->strides[0], view->strides[1], 0, view->strides[2] };
    return nn_view_strided(view, 4, dims, strides);
}

/* The weights seen as [group][output][input][row][column]. */
static NnView weight_view(const NnView *weights, const NnConvParams *params)
{
    const NnView view = view_2d(weights);
    const gint64 k = params->out_channels / params->groups;
    const gint64 dims[5] = { params->groups, k, view.dims[1], view.dims[2], view.dims[3] };
    const gint64 strides[5] = { k * view.strides[0], view.strides[0], view.strides[1],
                                view.strides[2], view.strides[3] };
    return nn_view_strided(&view, 5, dims, strides);
}

static ConvShape make_shape(const NnConvParams *params)
{
    const int i = params->n_spatial - 1; /* the last axis; the one before, if any, is 0 */
    const gboolean two = i == 1;
    return (ConvShape){
        .groups = (gint32)params->groups,
        .c = (gint32)(params->in_channels / params->groups),
        .k = (gint32)(params->out_channels / params->groups),
        .kh = two ? (gint32)params->kernel[0] : 1,
        .kw = (gint32)params->kernel[i],
        .stride_h = two ? (gint32)params->stride[0] : 1,
        .stride_w = (gint32)params->stride[i],
        .dilation_h = two ? (gint32)params->dilation[0] : 1,
        .dilation_w = (gint32)params->dilation[i],
        .pad_h = two ? (gint32)params->pad_begin[0] : 0,
        .pad_w = (gint32)params->pad_begin[i],
    };
}

/* One map of @x into one of @y. */
static void record_conv(NnRecorder *recorder, const NnNode *node, const Operands *at,
                        const NnConvParams *params, const NnView *x, const NnView *y)
{
    const NnView w = weight_view(nn_recorder_input(recorder, node, (guint)at->w), params);
    const ConvShape shape = make_shape(params);
    g_autofree char *options = product_options(recorder, node, at);
    NnLaunch *launch =
        nn_recorder_launch(recorder, node, "quant.cl", "conv_integer", "%s", options);
    nn_launch_map(launch, x);
    nn_launch_strided(launch, &w);
    add_scales(launch, recorder, node, at);
    nn_launch_map(launch, y);
    nn_launch_bytes(launch, &shape, sizeof shape);
    nn_launch_cost(launch, 2.0 * (double)nn_view_count(y) * shape.c * shape.kh * shape.kw);
    nn_launch_items(launch, y, nn_view_count(y), 1);
}

static gboolean launch_conv(NnRecorder *recorder, const NnNode *node, const Operands *at,
                            GError **error)
{
    NnConvParams params;
    if (!nn_conv_params(node, &params, error))
        return FALSE;
    if (params.n_spatial > 2)
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED,
                             "only 1-D and 2-D convolutions of integers run on devices");
    const NnView x = view_2d(nn_recorder_input(recorder, node, (guint)at->x));
    const NnView y = view_2d(nn_recorder_output(recorder, node, 0));
    if (!nn_check_entries(node, error))
        return FALSE;
    for (gint64 i = 0; i < params.batch; i++) {
        const NnView map = nn_view_entry(&x, i), out = nn_view_entry(&y, i);
        record_conv(recorder, node, at, &params, &map, &out);
    }
    return TRUE;
}

/* @view as [batch axes...][row][column], its batch axes broadcast to the product's. */
static NnView matrix_view(const NnView *view, gboolean is_left, const NnMatmulParams *params)
{
    NnView matrix = *view;
    if (view->rank == 1) {
        const int at = is_left ? 1 : 0;
        matrix.rank = 2;
        matrix.dims[at] = view->dims[0];
        matrix.strides[at] = view->strides[0];
        matrix.dims[1 - at] = 1;
        matrix.strides[1 - at] = 0;
    }
    const int n_batch = MAX(params->n_batch, 1);
    gint64 dims[NN_MAX_RANK + 2] = { 1 };
    memcpy(dims, params->batch, params->n_batch * sizeof *dims);
    dims[n_batch] = matrix.dims[matrix.rank - 2];
    dims[n_batch + 1] = matrix.dims[matrix.rank - 1];
    return nn_view_broadcast(&matrix, n_batch + 2, dims);
}

static gboolean launch_matmul(NnRecorder *recorder, const NnNode *node, const Operands *at,
                              GError **error)
{
    NnMatmulParams params;
    if (!nn_matmul_params(node, (guint)at->x, (guint)at->w, &params, error))
        return FALSE;
    if (params.n_batch + 2 > NN_MAX_RANK)
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "it has %d batch axes",
                             params.n_batch);
    const int n_batch = MAX(params.n_batch, 1);
    gint64 dims[NN_MAX_RANK] = { 1 }, batches = 1;
    memcpy(dims, params.batch, params.n_batch * sizeof *dims);
    dims[n_batch] = params.m;
    dims[n_batch + 1] = params.n;
    for (int i = 0; i < n_batch; i++)
        batches *= dims[i];
    NnView y;
    if (!nn_view_reshape(nn_recorder_output(recorder, node, 0), n_batch + 2, dims, &y))
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "its output is not dense");
    const NnView a = matrix_view(nn_recorder_input(recorder, node, (guint)at->x), TRUE, &params);
    const NnView b = matrix_view(nn_recorder_input(recorder, node, (guint)at->w), FALSE, &params);

    g_autofree char *options = product_options(recorder, node, at);
    NnLaunch *launch = nn_recorder_launch(recorder, node, "quant.cl", "matmul_integer",
                                          "%s -DRANK=%d", options, n_batch);
    nn_launch_strided(launch, &a);
    nn_launch_strided(launch, &b);
    add_scales(launch, recorder, node, at);
    nn_launch_strided(launch, &y);
    nn_launch_extents(launch, n_batch, dims);
    nn_launch_int(launch, (gint32)params.m);
    nn_launch_int(launch, (gint32)params.n);
    nn_launch_int(launch, (gint32)params.k);
    nn_launch_cost(launch, 2.0 * (double)nn_view_count(&y) * (double)params.k);
    nn_launch_items(launch, &y, params.m * params.n, batches);
    return TRUE;
}

gboolean nn_launch_quant(NnRecorder *recorder, const NnNode *node, GError **error)
{
    if (nn_view_count(nn_recorder_output(recorder, node, 0)) == 0)
        return TRUE;
    if (strcmp(node->type, "QuantizeLinear") == 0)
        return launch_linear(recorder, node, "Quantize", error);
    if (strcmp(node->type, "DequantizeLinear") == 0)
        return launch_linear(recorder, node, "Dequantize", error);
    if (strcmp(node->type, "DynamicQuantizeLinear") == 0)
        return launch_dynamic(recorder, node, error);
    if (strcmp(node->type, "ConvInteger") == 0)
        return launch_conv(recorder, node, &integer_operands, error);
    if (strcmp(node->type, "QLinearConv") == 0)
        return launch_conv(recorder, node, &scaled_operands, error);
    if (strcmp(node->type, "MatMulInteger") == 0)
        return launch_matmul(recorder, node, &integer_operands, error);
    if (strcmp(node->type, "QLinearMatMul") == 0)
        return launch_matmul(recorder, node, &scaled_operands, error);
    return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "there is no kernel for it");
}
