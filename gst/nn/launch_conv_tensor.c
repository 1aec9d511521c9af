/* launch_conv_tensor.c - convolutions on NVIDIA tensor cores: when they fit and how they launch.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"

#include <string.h>

/* A tile of the implicit GEMM, see kernels/conv_tensor.cl. */
typedef struct {
    const char *name; /* tests force it by "conv_tensor:NAME" */
    int bm, bn, bk, wm, wn, stages;
} Tile;

/* A warp tile of 64x64 keeps local memory from being the limit of deep layers; narrow outputs waste
 * less of a narrow tile. */
enum {
    TILE_128X128,
    TILE_128X96,
    TILE_128X64,
    TILE_256X32,
    TILE_128X32,
    TILE_256X16,
    TILE_128X16,
    TILE_SMALL,
};
static const Tile tiles[] = {
    [TILE_128X128] = { "128x128", 128, 128, 32, 64, 64, 3 },
    [TILE_128X96] = { "128x96", 128, 96, 32, 64, 48, 3 },
    [TILE_128X64] = { "128x64", 128, 64, 32, 64, 32, 4 },
    [TILE_256X32] = { "256x32", 256, 32, 32, 64, 32, 2 },
    [TILE_128X32] = { "128x32", 128, 32, 32, 64, 16, 4 },
    [TILE_256X16] = { "256x16", 256, 16, 32, 64, 16, 2 },
    [TILE_128X16] = { "128x16", 128, 16, 32, 32, 16, 4 },
    [TILE_SMALL] = { "small", 64, 64, 64, 32, 32, 3 },
};

/* Work-groups below which a small map is cut along the inner dimension, too: as many as leave none
 * of the H200's 132 multiprocessors idle. */
#define ENOUGH_GROUPS 128
/* Halves of the inner dimension up to which starting up is most of a group's work. */
#define SHALLOW 128

static gsize groups(const Tile *tile, gsize pixels, gsize channels)
{
    return ((pixels + tile->bm - 1) / tile->bm) * ((channels + tile->bn - 1) / tile->bn);
}

/* For more than 32 channels; found by running every layer of MODNet, ISNet and GPEN-512 with every
 * tile on an H200 (docs/performance.md). */
static int wide_tile(gsize pixels, gsize channels, int depth)
{
    if (channels <= 64)
        return TILE_128X64;
    if (channels <= 96)
        return TILE_128X96;
    const gsize few = groups(&tiles[TILE_128X128], pixels, channels);
    const gsize more = groups(&tiles[TILE_128X64], pixels, channels);
    return depth <= SHALLOW || (few < ENOUGH_GROUPS && more >= ENOUGH_GROUPS) ? TILE_128X64
                                                                              : TILE_128X128;
}

static const Tile *choose_tile(const char *forced, gsize pixels, gsize channels, int depth)
{
    for (guint i = 0; forced && i < G_N_ELEMENTS(tiles); i++)
        if (strcmp(tiles[i].name, forced) == 0)
            return &tiles[i];
    if (channels <= 32) {
        const int tall = channels <= 16 ? TILE_256X16 : TILE_256X32;
        return &tiles[groups(&tiles[tall], pixels, channels) < ENOUGH_GROUPS ? tall + 1 : tall];
    }
    const Tile *wide = &tiles[wide_tile(pixels, channels, depth)];
    const gsize least = wide->bn == 96 ? ENOUGH_GROUPS / 16 : ENOUGH_GROUPS / 4;
    return groups(wide, pixels, channels) < least ? &tiles[TILE_SMALL] : wide;
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

gboolean nn_conv_tensor_emulated(const ConvJob *job)
{
    const OclDevice *device = nn_recorder_device(job->recorder);
    return device->device_class != OCL_CLASS_NVIDIA || device->type & CL_DEVICE_TYPE_CPU;
}

gboolean nn_conv_tensor_fits_sums(const ConvJob *job)
{
    return job->shape.groups == 1 && job->shape.k % 8 == 0 && job->weight_values &&
           (!job->has_bias || job->bias_values) && is_aligned(&job->x) && is_aligned(&job->y) &&
           is_aligned(&job->residual);
}

gboolean nn_conv_tensor_fits(gconstpointer data)
{
    const ConvJob *job = data;
    const OclDevice *device = nn_recorder_device(job->recorder);
    return (nn_conv_forced_tile(job, "conv_tensor") ||
            (device->device_class == OCL_CLASS_NVIDIA && device->compute_capability >= 80)) &&
           nn_conv_tensor_fits_sums(job);
}

/* [K][R][S][C8] halves, the channels filled up with zeros. */
static NnView pack_weights(const ConvJob *job)
{
    const ConvShape *shape = &job->shape;
    const gint64 *stride = job->weights.strides;
    const gsize c8 = ((gsize)shape->c + 7) & ~(gsize)7;
    const gsize n = (gsize)shape->k * (gsize)shape->kh * (gsize)shape->kw * c8;
    g_autofree guint16 *packed = g_new0(guint16, MAX(n, 1));
    guint16 *to = packed;
    for (gint64 k = 0; k < shape->k; k++)
        for (gint64 r = 0; r < shape->kh; r++)
            for (gint64 s = 0; s < shape->kw; s++, to += c8)
                for (gint64 c = 0; c < shape->c; c++)
                    to[c] = nn_float_to_half(
                        job->weight_values[job->weights.offset + k * stride[1] + c * stride[2] +
                                           r * stride[3] + s * stride[4]]);
    return nn_recorder_constant(job->recorder, NN_FLOAT16, MAX(n, 1), packed);
}

NnView nn_conv_tensor_bias(const ConvJob *job)
{
    g_autofree float *bias = g_new0(float, job->shape.k);
    if (job->has_bias)
        memcpy(bias, job->bias_values, sizeof *bias * (gsize)job->shape.k);
    return nn_recorder_constant(job->recorder, NN_FLOAT32, (gsize)job->shape.k, bias);
}

/* How one convolution is cut up. */
typedef struct {
    const Tile *tile;
    gsize pixels, channels;
    int splits;
    char *options;
} Cut;

static Cut choose_cut(const ConvJob *job)
{
    const ConvShape *shape = &job->shape;
    NnMap y;
    nn_view_map(&job->y, &y);
    Cut cut = { .pixels = (gsize)y.h * (gsize)y.w, .channels = (gsize)y.c };
    const int depth = shape->kh * shape->kw * ((shape->c + 7) & ~7);
    const gsize batch_pixels = cut.pixels * nn_recorder_max_samples(job->recorder);
    cut.tile =
        choose_tile(nn_conv_forced_tile(job, "conv_tensor"), batch_pixels, cut.channels, depth);
    const int steps = (depth + cut.tile->bk - 1) / cut.tile->bk;
    cut.splits = choose_splits(cut.tile, batch_pixels, cut.channels, steps);
    cut.options =
        g_strdup_printf("-DFP16 -DBM=%d -DBN=%d -DBK=%d -DWM=%d -DWN=%d -DSTAGES=%d "
                        "-DSPLITS=%d%s%s" CONV_EPILOGUE_OPTION,
                        cut.tile->bm, cut.tile->bn, cut.tile->bk, cut.tile->wm, cut.tile->wn,
                        cut.tile->stages, cut.splits, job->has_residual ? " -DRESIDUAL" : "",
                        nn_conv_tensor_emulated(job) ? " -DEMULATE" : "", CONV_EPILOGUE(job));
    return cut;
}

void nn_conv_tensor_reduce(const ConvJob *job, const NnView *partial, int splits)
{
    const NnMap y = nn_map_of(&job->y);
    const NnView bias = nn_conv_tensor_bias(job);
    NnLaunch *launch =
        nn_recorder_launch(job->recorder, job->node, "conv_reduce.cl", "conv_reduce",
                           "-DFP16 -DSPLITS=%d%s" CONV_EPILOGUE_OPTION, splits,
                           job->has_residual ? " -DRESIDUAL" : "", CONV_EPILOGUE(job));
    nn_launch_buffer(launch, partial);
    nn_launch_buffer(launch, &bias);
    if (job->has_residual)
        nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    nn_conv_launch_epilogue(launch, job);
    nn_launch_items(launch, &job->y, (gint64)y.c / 8 * y.h * y.w, 1);
}

gboolean nn_conv_tensor_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    const Cut cut = choose_cut(job);
    g_autofree char *options = cut.options;
    const Tile *tile = cut.tile;
    const NnView weights = pack_weights(job), bias = nn_conv_tensor_bias(job);

    NnLaunch *launch = nn_recorder_launch(job->recorder, job->node, "conv_tensor.cl", "conv_tensor",
                                          "%s", options);
    nn_launch_map(launch, &job->x);
    nn_launch_buffer(launch, &weights);
    nn_launch_buffer(launch, &bias);
    if (job->has_residual)
        nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    NnView partial;
    if (cut.splits > 1) {
        partial = nn_recorder_scratch(job->recorder, NN_FLOAT32,
                                      cut.pixels * cut.channels * (gsize)cut.splits);
        nn_launch_buffer(launch, &partial);
    }
    nn_launch_bytes(launch, &job->shape, sizeof job->shape);
    nn_conv_launch_epilogue(launch, job);

    const gsize threads = (gsize)(tile->bm / tile->wm) * (gsize)(tile->bn / tile->wn) * 32;
    const gsize m_tiles = (cut.pixels + (gsize)tile->bm - 1) / (gsize)tile->bm;
    const gsize n_tiles = (cut.channels + (gsize)tile->bn - 1) / (gsize)tile->bn;
    const gsize global[3] = { m_tiles * threads, n_tiles * (gsize)cut.splits, 1 };
    const gsize local[3] = { threads, 1, 1 };
    nn_launch_size(launch, 3, global, local, 2);
    nn_launch_cost(launch, 2.0 * (double)(cut.pixels * cut.channels) * job->shape.c *
                               job->shape.kh * job->shape.kw);
    if (cut.splits > 1)
        nn_conv_tensor_reduce(job, &partial, cut.splits);
    return TRUE;
}
