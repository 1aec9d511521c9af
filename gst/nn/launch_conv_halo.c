/* launch_conv_halo.c - convolutions with stride 1 on Hopper's tensor cores, from patches of the
 * map.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"

#include <string.h>

#define NAME "conv_halo"

/* Of kernels/conv_halo.cl. */
#define THREADS 256
#define TILE_W 16
#define MAX_CHUNKS 8
#define LOCAL_MEMORY_B (227 * 1024) /* that a work-group may have on Hopper */

typedef struct {
    const char *name;     /* tests and measurements force it by "conv_halo:NAME" */
    int rows, bn, stages; /* rows of pixels, channels, steps whose weights are on their way */
    ConvPace pace;
} Tile;

/* Times on an H200 for blocks of 64 channels, from layers of ISNet and GPEN-512 at batch 8
 * (docs/performance.md). */
static const Tile tiles[] = {
    { "8x256", 8, 256, 5, { 1, 0.68, 0.68, 4.3 } },
    { "8x128", 8, 128, 4, { 2, 0.50, 0.40, 1.9 } },
    { "8x128deep", 8, 128, 8, { 1, 0.40, 0.40, 3.5 } },
    { "16x64", 16, 64, 3, { 2, 0.45, 0.35, 4.0 } },
    { "8x64", 8, 64, 8, { 2, 0.30, 0.22, 3.0 } },
    { "16x32", 16, 32, 7, { 2, 0.25, 0.12, 3.0 } },
    { "8x32", 8, 32, 8, { 2, 0.20, 0.08, 3.0 } },
    { "16x16", 16, 16, 8, { 2, 0.20, 0.10, 3.0 } },
    { "8x16", 8, 16, 8, { 2, 0.20, 0.07, 3.0 } },
};

#define MAX_SPLITS 16
/* Bytes of weights up to which those of a single block are held in local memory. */
#define MAX_HELD_B (80 * 1024)

static gint64 round_up(gint64 n, gint64 to)
{
    return (n + to - 1) / to * to;
}

/* How one convolution is cut up. */
typedef struct {
    const Tile *tile;
    NnMap x, y;
    int chunks, blocks; /* of channels */
    int taps;
    gboolean hold;
    int splits;
} Cut;

static gint64 local_memory_b(const ConvJob *job, const Cut *cut)
{
    const gint64 pixels =
        (gint64)(TILE_W + job->shape.kw - 1) * (cut->tile->rows + job->shape.kh - 1);
    const gint64 row_b = cut->chunks * 16, count_b = 16; /* of finished parts */
    return count_b + (cut->hold ? cut->taps : cut->tile->stages) * (cut->tile->bn * row_b + 8) +
           (cut->blocks > 1 ? round_up(pixels * row_b, 1024) : 0) + pixels * row_b +
           nn_conv_normed_local_b(job, THREADS);
}

/* FALSE if @tile does not do for @job. */
static gboolean make_cut(const ConvJob *job, const Tile *tile, Cut *cut)
{
    const ConvShape *shape = &job->shape;
    *cut = (Cut){ .tile = tile,
                  .x = nn_map_of(&job->x),
                  .y = nn_map_of(&job->y),
                  .taps = shape->kh * shape->kw,
                  .splits = 1 };
    cut->chunks = shape->c <= 16 ? 2 : shape->c <= 32 ? 4 : MAX_CHUNKS;
    cut->blocks = (int)(round_up(shape->c, cut->chunks * 8) / (cut->chunks * 8));
    cut->hold = cut->blocks == 1 && cut->taps * cut->chunks * tile->bn * 16 <= MAX_HELD_B;
    return (cut->blocks == 1 || cut->taps >= 3) && local_memory_b(job, cut) <= LOCAL_MEMORY_B;
}

static gint64 map_tiles(const Cut *cut)
{
    return round_up(cut->y.w, TILE_W) / TILE_W * round_up(cut->y.h, cut->tile->rows) /
           cut->tile->rows;
}

static gint64 channel_tiles(const Cut *cut)
{
    return round_up(cut->y.c, cut->tile->bn) / cut->tile->bn;
}

static int tile_sums(const Cut *cut)
{
    return cut->tile->rows * TILE_W * cut->tile->bn;
}

/* Tiles half as wide as there are channels, or wider than needed, are only for those who ask. */
static gboolean may_take(const ConvJob *job, const Tile *tile)
{
    const char *forced = nn_conv_forced_tile(job, NAME);
    if (forced && *forced)
        return strcmp(tile->name, forced) == 0;
    return job->shape.k > 128 ? tile->bn >= 128
                              : tile->bn >= job->shape.k && tile->bn / 2 < MAX(job->shape.k, 9);
}

/* The tile, and the parts of the blocks, that should take the least time; G_MAXDOUBLE if none
 * does. */
static double choose_cut(const ConvJob *job, Cut *best)
{
    double best_us = G_MAXDOUBLE;
    for (guint i = 0; i < G_N_ELEMENTS(tiles); i++) {
        Cut cut;
        if (!may_take(job, &tiles[i]) || !make_cut(job, &tiles[i], &cut))
            continue;
        const int most = MIN(MAX_SPLITS, cut.blocks);
        for (; cut.splits <= most; cut.splits *= 2) {
            const double us = nn_conv_wgmma_expected_us(
                job, &cut.tile->pace, map_tiles(&cut) * channel_tiles(&cut),
                (double)cut.blocks * cut.taps * cut.chunks / MAX_CHUNKS, cut.splits,
                tile_sums(&cut));
            if (us < best_us) {
                *best = cut;
                best_us = us;
            }
        }
    }
    return best_us;
}

gboolean nn_conv_halo_fits(gconstpointer data)
{
    const ConvJob *job = data;
    const ConvShape *shape = &job->shape;
    Cut cut;
    return nn_conv_wgmma_fits_device(job, NAME) && nn_conv_wgmma_fits_sums(job) &&
           shape->stride_h == 1 && shape->stride_w == 1 && shape->dilation_h == 1 &&
           shape->dilation_w == 1 && nn_conv_tensor_fits_pooled(job) && nn_conv_resized_fits(job) &&
           nn_conv_normed_fits(job) && choose_cut(job, &cut) < G_MAXDOUBLE;
}

double nn_conv_halo_us(const ConvJob *job)
{
    Cut cut;
    return nn_conv_halo_fits(job) && job->shape.c >= 16 ? choose_cut(job, &cut) : G_MAXDOUBLE;
}

gboolean nn_conv_halo_pays(gconstpointer data)
{
    const ConvJob *job = data;
    return !nn_recorder_forced_variant(job->recorder) &&
           nn_conv_halo_us(job) < nn_conv_wgmma_us(job) + (job->pooled_too ? NN_LAUNCH_US : 0) +
                                      (job->resized ? NN_LAUNCH_US : 0) +
                                      (job->normed ? NN_LAUNCH_US : 0);
}

/* [tile of BN outputs][block][tap][output][channel of the block], the 16-byte chunks of an output
 * where the swizzle has them. */
static NnView pack_weights(const ConvJob *job, const Cut *cut)
{
    g_autofree float *values = NULL;
    const ConvJob rounded = nn_conv_rounded(job, &values);
    job = &rounded;
    const ConvShape *shape = &job->shape;
    const gint64 *stride = job->weights.strides;
    const gint64 bn = cut->tile->bn, taps = shape->kh * shape->kw, per_block = cut->chunks * 8;
    const gint64 per_tile = cut->blocks * taps * per_block * bn;
    const gsize n = (gsize)(channel_tiles(cut) * per_tile);
    g_autofree guint16 *packed = g_new0(guint16, n);
    for (gint64 k = 0; k < shape->k; k++) {
        const float *from = job->weight_values + job->weights.offset + k * stride[1];
        guint16 *to = packed + k / bn * per_tile + k % bn * per_block;
        for (gint64 c = 0; c < shape->c; c++)
            for (gint64 r = 0; r < shape->kh; r++)
                for (gint64 s = 0; s < shape->kw; s++) {
                    const gint64 tap = c / per_block * taps + r * shape->kw + s;
                    const gint64 at = nn_conv_wgmma_swizzled(cut->chunks, k % bn, c % per_block);
                    to[tap * bn * per_block + at] =
                        nn_float_to_half(from[c * stride[2] + r * stride[3] + s * stride[4]]);
                }
    }
    return nn_recorder_constant(job->recorder, NN_FLOAT16, n, packed);
}

gboolean nn_conv_halo_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    Cut cut;
    choose_cut(job, &cut);
    const NnView weights = pack_weights(job, &cut);
    const ConvGrid grid = { .kernel = NAME,
                            .emulated = nn_conv_wgmma_emulated(job),
                            .tiles = map_tiles(&cut),
                            .channel_tiles = channel_tiles(&cut),
                            .splits = cut.splits,
                            .sums = tile_sums(&cut),
                            .threads = THREADS,
                            .parts = 1 };
    g_autofree char *options = g_strdup_printf(
        "-DTILE_H=%d -DBN=%d -DROWS=%d -DCOLUMNS=%d -DCHUNKS=%d -D%s=%d -DPATCHES=%d",
        cut.tile->rows, cut.tile->bn, job->shape.kh, job->shape.kw, cut.chunks,
        cut.hold ? "HOLD" : "STAGES", cut.hold ? 1 : cut.tile->stages, cut.blocks > 1 ? 2 : 1);
    nn_conv_tensor_launch(job, &grid, &weights, options);
    return TRUE;
}
