/* launch_conv_held.c - narrow convolutions with stride 1 on Hopper's tensor cores, whose weights
 * stay in local memory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"

#include <stdlib.h>

#define NAME "conv_held"

/* Of kernels/conv_held.cl. */
#define TILE_H 8
#define TILE_W 16
#define WARPGROUP 128
#define MAX_WARPGROUPS 4
#define MAX_CHANNELS 64
#define LOCAL_MEMORY_B (227 * 1024)     /* that a work-group may have on Hopper */
#define ALL_LOCAL_MEMORY_B (228 * 1024) /* of a multiprocessor, */
#define HIDDEN_LOCAL_MEMORY_B 1024      /* of which each work-group takes this, too */
#define MAX_RESIDENT 2

static gint64 round_up(gint64 n, gint64 to)
{
    return (n + to - 1) / to * to;
}

/* How one convolution is cut up. */
typedef struct {
    int bn, chunks;
    int warpgroups, resident; /* of a work-group; work-groups on a multiprocessor */
    gint64 tiles;             /* of the map */
} Cut;

static gint64 local_memory_b(const ConvJob *job, const Cut *cut)
{
    const ConvShape *shape = &job->shape;
    const gint64 pixels = (gint64)(TILE_W + shape->kw - 1) * (TILE_H + shape->kh - 1);
    const gint64 row_b = cut->chunks * 16, store_b = TILE_H * TILE_W * (cut->bn + 8) * 2;
    return round_up((gint64)shape->kh * shape->kw * cut->bn * row_b, 1024) + 8 +
           cut->warpgroups * 2 * round_up(MAX(pixels * row_b, store_b), 1024) +
           nn_conv_normed_local_b(job, cut->warpgroups * WARPGROUP);
}

/* As many warpgroups as there is room for, or those that are forced. FALSE if there is none. */
static gboolean make_cut(const ConvJob *job, Cut *cut)
{
    const NnMap y = nn_map_of(&job->y);
    const char *forced = nn_conv_forced_tile(job, NAME);
    const int k = job->shape.k;
    *cut = (Cut){ .bn = k <= 16   ? 16
                        : k <= 32 ? 32
                                  : 64,
                  .chunks = job->shape.c <= 16   ? 2
                            : job->shape.c <= 32 ? 4
                                                 : 8,
                  .tiles = round_up(y.w, TILE_W) / TILE_W * round_up(y.h, TILE_H) / TILE_H };
    cut->warpgroups = forced && *forced ? atoi(forced) : MAX_WARPGROUPS;
    while (cut->warpgroups > 1 && local_memory_b(job, cut) > LOCAL_MEMORY_B)
        cut->warpgroups--;
    const gint64 size_b = local_memory_b(job, cut);
    cut->resident =
        (int)CLAMP(ALL_LOCAL_MEMORY_B / (size_b + HIDDEN_LOCAL_MEMORY_B), 1, MAX_RESIDENT);
    return size_b <= LOCAL_MEMORY_B;
}

/* Work-groups of a sample: such that those of a full batch fill the device some whole times over,
 * and those of one sample at least a quarter of it. */
static gint64 count_groups(const ConvJob *job, const Cut *cut)
{
    const gint64 samples = nn_recorder_max_samples(job->recorder);
    const gint64 units = nn_conv_wgmma_units(job, 1); /* so few that rounds are tested */
    const gint64 most = round_up(cut->tiles, cut->warpgroups) / cut->warpgroups;
    gint64 groups = 0;
    for (gint64 waves = 1; groups * 4 < units && groups < most; waves++)
        groups = MAX(units * cut->resident * waves / samples, 1);
    return MIN(groups, most);
}

gboolean nn_conv_held_fits(gconstpointer data)
{
    const ConvJob *job = data;
    const ConvShape *shape = &job->shape;
    Cut cut;
    return nn_conv_wgmma_fits_device(job, NAME) && nn_conv_wgmma_fits_sums(job) &&
           shape->stride_h == 1 && shape->stride_w == 1 && shape->dilation_h == 1 &&
           shape->dilation_w == 1 && shape->c <= MAX_CHANNELS && shape->k <= MAX_CHANNELS &&
           nn_conv_tensor_fits_pooled(job) && nn_conv_resized_fits(job) &&
           nn_conv_normed_fits(job) && make_cut(job, &cut);
}

/* Where every warpgroup has two tiles or more: the first of them is waited for. */
gboolean nn_conv_held_pays(gconstpointer data)
{
    const ConvJob *job = data;
    Cut cut;
    make_cut(job, &cut);
    return !nn_recorder_forced_variant(job->recorder) && job->shape.c >= 16 &&
           cut.tiles >= 2 * cut.warpgroups * count_groups(job, &cut);
}

/* [tap][output][channel], the 16-byte chunks of an output where the swizzle has them. */
static NnView pack_weights(const ConvJob *job, const Cut *cut)
{
    g_autofree float *values = NULL;
    const ConvJob rounded = nn_conv_rounded(job, &values);
    job = &rounded;
    const ConvShape *shape = &job->shape;
    const gint64 *stride = job->weights.strides;
    const gint64 channels = cut->chunks * 8;
    const gsize n = (gsize)(shape->kh * shape->kw * cut->bn * channels);
    g_autofree guint16 *packed = g_new0(guint16, n);
    for (gint64 k = 0; k < shape->k; k++) {
        const float *from = job->weight_values + job->weights.offset + k * stride[1];
        for (gint64 c = 0; c < shape->c; c++)
            for (gint64 r = 0; r < shape->kh; r++)
                for (gint64 s = 0; s < shape->kw; s++) {
                    guint16 *tap = packed + (r * shape->kw + s) * cut->bn * channels;
                    tap[k * channels + nn_conv_wgmma_swizzled(cut->chunks, k, c)] =
                        nn_float_to_half(from[c * stride[2] + r * stride[3] + s * stride[4]]);
                }
    }
    return nn_recorder_constant(job->recorder, NN_FLOAT16, n, packed);
}

gboolean nn_conv_held_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    Cut cut;
    make_cut(job, &cut);
    const NnView weights = pack_weights(job, &cut);
    const ConvGrid grid = { .kernel = NAME,
                            .emulated = nn_conv_wgmma_emulated(job),
                            .tiles = count_groups(job, &cut),
                            .channel_tiles = 1,
                            .splits = 1,
                            .threads = cut.warpgroups * WARPGROUP,
                            .parts = cut.warpgroups };
    g_autofree char *options =
        g_strdup_printf("-DWARPGROUPS=%d -DBN=%d -DROWS=%d -DCOLUMNS=%d -DCHUNKS=%d",
                        cut.warpgroups, cut.bn, job->shape.kh, job->shape.kw, cut.chunks);
    nn_conv_tensor_launch(job, &grid, &weights, options);
    return TRUE;
}
