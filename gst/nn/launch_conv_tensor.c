/* launch_conv_tensor.c - convolutions on NVIDIA tensor cores: when they fit and how they launch.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"

#include <string.h>

/* Mirror of Filter in kernels/conv_tensor.cl. */
typedef struct {
    gint32 rows, columns;
    gint32 stride_y, stride_x, dilation_y, dilation_x, pad_y, pad_x;
    float alpha, beta;
} Filter;

/* A tile of the implicit GEMM, see kernels/conv_tensor.cl. */
typedef struct {
    int bm, bn, bk, wm, wn, stages;
} Tile;

/* From the widest to the narrowest; measured on an H200 (docs/performance.md). A warp tile of 64x64
 * keeps local memory from being the limit; narrow outputs waste less of a narrow tile. */
static const Tile tiles[] = {
    { 128, 128, 32, 64, 64, 3 },
    { 128, 64, 32, 64, 32, 4 },
    { 128, 32, 64, 64, 16, 2 },
    { 64, 64, 64, 32, 32, 3 },
};

/* Work-groups below which a small map is cut along the inner dimension, too: two on each of the
 * H200's 132 multiprocessors. */
#define ENOUGH_GROUPS 264

static gsize groups(const Tile *tile, gsize pixels, gsize channels)
{
    return ((pixels + tile->bm - 1) / tile->bm) * ((channels + tile->bn - 1) / tile->bn);
}

static const Tile *choose_tile(gsize pixels, gsize channels)
{
    if (channels <= 32)
        return &tiles[2];
    if (channels <= 64)
        return groups(&tiles[1], pixels, channels) < ENOUGH_GROUPS / 4 ? &tiles[3] : &tiles[1];
    return groups(&tiles[0], pixels, channels) < ENOUGH_GROUPS / 4 ? &tiles[3] : &tiles[0];
}

/* Parts to cut the inner dimension into, so that enough work-groups run; each keeps at least eight
 * steps, or starting up and adding the parts would cost more than they save. */
static int choose_splits(const Tile *tile, gsize pixels, gsize channels, int steps)
{
    int splits = 1;
    while (splits < 16 && groups(tile, pixels, channels) * splits < ENOUGH_GROUPS &&
           steps / (splits * 2) >= 8)
        splits *= 2;
    return splits;
}

/* Pixels on 16-byte boundaries with their channels side by side: what cp.async needs. */
static gboolean is_aligned(const NnView *view)
{
    NnMap map;
    return nn_view_map(view, &map) && view->type == NN_FLOAT16 && map.sc == 1 && map.sw % 8 == 0 &&
           map.sh % 8 == 0 && view->offset % 8 == 0;
}

gboolean nn_conv_tensor_fits(NnRecorder *recorder, const NnNode *node, const NnConvParams *params)
{
    const NnView *residual =
        node->residual >= 0 ? nn_recorder_input(recorder, node, node->residual) : NULL;
    return nn_recorder_fp16(recorder) && params->n_spatial == 2 && !params->transposed &&
           params->groups == 1 && params->out_channels % 8 == 0 && params->in_channels >= 3 &&
           nn_node_input(node, 1)->constant &&
           is_aligned(nn_recorder_input(recorder, node, 0)) &&
           is_aligned(nn_recorder_output(recorder, node, 0)) &&
           (!residual || is_aligned(residual));
}

/* [K][C][R][S] floats to [K][R][S][C8] halves, the channels filled up with zeros. */
static NnView pack_weights(NnRecorder *recorder, const NnNode *node, const NnConvParams *params)
{
    g_autoptr(NnArray) w = nn_array_cast(nn_node_input(node, 1)->constant, NN_FLOAT32);
    const float *from = w->data;
    const gsize c8 = ((gsize)params->in_channels + 7) & ~(gsize)7;
    const gsize taps = (gsize)(params->kernel[0] * params->kernel[1]);
    const gsize n = (gsize)params->out_channels * taps * c8;
    g_autofree guint16 *packed = g_new0(guint16, n);
    for (gint64 k = 0; k < params->out_channels; k++)
        for (gint64 c = 0; c < params->in_channels; c++)
            for (gsize t = 0; t < taps; t++)
                packed[((gsize)k * taps + t) * c8 + (gsize)c] = nn_float_to_half(*from++);
    return nn_recorder_constant(recorder, NN_FLOAT16, n, packed);
}

static NnView pack_bias(NnRecorder *recorder, const NnNode *node, const NnConvParams *params)
{
    g_autofree float *bias = g_new0(float, (gsize)params->out_channels);
    const NnValue *value = nn_node_input(node, 2);
    for (gint64 k = 0; value && k < params->out_channels; k++)
        bias[k] = (float)nn_array_get(value->constant, (gsize)k);
    return nn_recorder_constant(recorder, NN_FLOAT32, (gsize)params->out_channels, bias);
}

static Filter make_filter(const NnNode *node, const NnConvParams *params)
{
    return (Filter){ .rows = (gint32)params->kernel[0],
                     .columns = (gint32)params->kernel[1],
                     .stride_y = (gint32)params->stride[0],
                     .stride_x = (gint32)params->stride[1],
                     .dilation_y = (gint32)params->dilation[0],
                     .dilation_x = (gint32)params->dilation[1],
                     .pad_y = (gint32)params->pad_begin[0],
                     .pad_x = (gint32)params->pad_begin[1],
                     .alpha = node->activation.alpha,
                     .beta = node->activation.beta };
}

static void record_reduce(NnRecorder *recorder, const NnNode *node, const char *options,
                          const NnView *partial, const NnView *bias, const NnView *residual,
                          const NnView *out, const NnMap *map)
{
    NnLaunch *launch = nn_recorder_launch(recorder, node, "conv_tensor.cl", "conv_tensor_reduce",
                                          "%s", options);
    nn_launch_buffer(launch, partial);
    nn_launch_buffer(launch, bias);
    if (residual)
        nn_launch_map(launch, residual);
    nn_launch_map(launch, out);
    nn_launch_float(launch, node->activation.alpha);
    nn_launch_float(launch, node->activation.beta);
    const gsize global[3] = { (gsize)map->c / 8, (gsize)map->h * (gsize)map->w, 1 };
    nn_launch_size(launch, 3, global, NULL, 2);
}

gboolean nn_conv_tensor_record(NnRecorder *recorder, const NnNode *node,
                               const NnConvParams *params, GError **error)
{
    const NnView *in = nn_recorder_input(recorder, node, 0);
    const NnView *out = nn_recorder_output(recorder, node, 0);
    const NnView *residual =
        node->residual >= 0 ? nn_recorder_input(recorder, node, node->residual) : NULL;
    NnMap map;
    nn_view_map(out, &map);
    const gsize pixels = (gsize)map.h * (gsize)map.w, channels = (gsize)map.c;
    const Tile *tile = choose_tile(pixels, channels);
    const int steps = (int)(params->kernel[0] * params->kernel[1] *
                            ((params->in_channels + tile->bk - 1) / tile->bk));
    const int splits = choose_splits(tile, pixels, channels, steps);
    const gboolean emulate = nn_recorder_device(recorder)->device_class != OCL_CLASS_NVIDIA;

    g_autofree char *options = g_strdup_printf(
        "-DFP16 -DBM=%d -DBN=%d -DBK=%d -DWM=%d -DWN=%d -DSTAGES=%d -DSPLITS=%d -DACT=%d%s%s",
        tile->bm, tile->bn, tile->bk, tile->wm, tile->wn, tile->stages, splits,
        node->activation.type, residual ? " -DRESIDUAL" : "", emulate ? " -DEMULATE" : "");
    const NnView weights = pack_weights(recorder, node, params);
    const NnView bias = pack_bias(recorder, node, params);
    const NnView partial = splits > 1 ? nn_recorder_scratch(recorder, NN_FLOAT32,
                                                            pixels * channels * (gsize)splits)
                                      : (NnView){ 0 };
    const Filter filter = make_filter(node, params);

    NnLaunch *launch =
        nn_recorder_launch(recorder, node, "conv_tensor.cl", "conv_tensor", "%s", options);
    nn_launch_map(launch, in);
    nn_launch_buffer(launch, &weights);
    nn_launch_buffer(launch, &bias);
    if (residual)
        nn_launch_map(launch, residual);
    nn_launch_map(launch, out);
    if (splits > 1)
        nn_launch_buffer(launch, &partial);
    nn_launch_bytes(launch, &filter, sizeof filter);
    const gsize threads = (gsize)(tile->bm / tile->wm) * (gsize)(tile->bn / tile->wn) * 32;
    const gsize global[3] = { (pixels + tile->bm - 1) / tile->bm * threads,
                              (channels + tile->bn - 1) / tile->bn * (gsize)splits, 1 };
    const gsize local[3] = { threads, 1, 1 };
    nn_launch_size(launch, 3, global, local, 2);
    nn_launch_cost(launch, 2.0 * (double)(pixels * channels) * (double)params->in_channels *
                               (double)(params->kernel[0] * params->kernel[1]));
    if (splits > 1)
        record_reduce(recorder, node, options, &partial, &bias, residual, out, &map);
    return TRUE;
}
