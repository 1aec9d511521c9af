/* launch_conv_wgmma.c - convolutions on Hopper's tensor cores: when they fit and how they launch.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"

#include <math.h>
#include <string.h>

#define NAME "conv_wgmma"
#define HOPPER 90 /* compute capability */

/* Of kernels/conv_wgmma.cl and hopper.clh. */
#define BK 64
#define THREADS 256

/* A tile of the implicit GEMM: pixels, channels, tiles in local memory. */
typedef struct {
    const char *name; /* tests and measurements force it by "conv_wgmma:NAME" */
    int bm, bn, stages;
    ConvPace pace;
} Tile;

#define MULTIPROCESSORS 132 /* of an H200, which other devices plan for */

/* Times on an H200, from layers of ISNet and GPEN-512 at batch 8 (docs/performance.md). */
static const Tile tiles[] = {
    { "128x256", 128, 256, 4, { 1, 0.76, 0.76, 5.0 } },
    { "128x128", 128, 128, 3, { 2, 1.05, 0.54, 4.0 } },
    { "128x128deep", 128, 128, 6, { 1, 0.54, 0.54, 4.0 } },
    { "128x64", 128, 64, 4, { 2, 0.55, 0.35, 2.5 } },
    { "128x64deep", 128, 64, 8, { 1, 0.35, 0.35, 2.5 } },
};
#define LARGEST_TILE 0

/* Of the launch that adds the parts of a cut inner dimension: its start, and what it and they move
 * in bytes per us. */
#define REDUCE_US 3.5
#define REDUCE_BANDWIDTH 3e6
#define MAX_SPLITS 16
#define MIN_STEPS 4 /* of a part */

static gint64 round_up(gint64 n, gint64 to)
{
    return (n + to - 1) / to * to;
}

static gboolean is_hopper(const ConvJob *job)
{
    return nn_recorder_device(job->recorder)->compute_capability == HOPPER;
}

gboolean nn_conv_wgmma_emulated(const ConvJob *job)
{
    return !is_hopper(job) || nn_conv_tensor_emulated(job);
}

gint64 nn_conv_wgmma_units(const ConvJob *job, gint64 otherwise)
{
    return is_hopper(job) ? (gint64)nn_recorder_device(job->recorder)->compute_units : otherwise;
}

gint64 nn_conv_wgmma_swizzled(gint64 chunks, gint64 row, gint64 column)
{
    const gint64 chunk = column / 8 ^ (row * chunks * 16 / 128 & (chunks - 1));
    return chunk * 8 + column % 8;
}

/* How one convolution is cut up. */
typedef struct {
    const Tile *tile;
    NnMap x, y;
    gint64 block, steps; /* of the inner dimension, see the kernel */
    int splits;
} Cut;

static gint64 pixel_tiles(const Cut *cut)
{
    return round_up((gint64)cut->y.h * cut->y.w, cut->tile->bm) / cut->tile->bm;
}

static gint64 channel_tiles(const Cut *cut)
{
    return round_up(cut->y.c, cut->tile->bn) / cut->tile->bn;
}

double nn_conv_wgmma_expected_us(const ConvJob *job, const ConvPace *pace, gint64 groups,
                                 double steps, int splits)
{
    const NnMap y = nn_map_of(&job->y);
    const gint64 samples = nn_recorder_max_samples(job->recorder);
    const gint64 units = nn_conv_wgmma_units(job, MULTIPROCESSORS);
    const gint64 turns = round_up(groups * samples * splits, units) / units;
    const gint64 waves = round_up(turns, pace->resident) / pace->resident;
    const double moved_b = 2.0 * 4 * splits * samples * y.h * y.w * y.c;
    return turns * ceil(steps / splits) * (turns == 1 ? pace->alone_us : pace->shared_us) +
           waves * pace->edge_us + (splits > 1 ? REDUCE_US + moved_b / REDUCE_BANDWIDTH : 0);
}

static gboolean may_take(const Tile *tile, const char *forced)
{
    return !forced || !*forced || strcmp(tile->name, forced) == 0;
}

/* The tile, and the parts of the inner dimension, that should take the least time: @best_us. */
static Cut choose_cut(const ConvJob *job, double *best_us)
{
    Cut cut = { .x = nn_map_of(&job->x), .y = nn_map_of(&job->y) };
    const gint64 c8 = round_up(cut.x.c, 8);
    cut.block = c8 % BK == 0 ? BK : c8;
    cut.steps = round_up(job->shape.kh * job->shape.kw * c8, BK) / BK;
    Cut best = cut;
    *best_us = G_MAXDOUBLE;
    for (guint i = 0; i < G_N_ELEMENTS(tiles); i++) {
        cut.tile = &tiles[i];
        for (cut.splits = 1; cut.splits <= MAX_SPLITS; cut.splits *= 2) {
            const double us = nn_conv_wgmma_expected_us(job, &cut.tile->pace,
                                                        pixel_tiles(&cut) * channel_tiles(&cut),
                                                        (double)cut.steps, cut.splits);
            if (!may_take(cut.tile, nn_conv_forced_tile(job, NAME)) || us >= *best_us ||
                (cut.splits > 1 && cut.steps / cut.splits < MIN_STEPS))
                continue;
            best = cut;
            *best_us = us;
        }
    }
    return best;
}

/* The way to these instructions leads past the compiler (ocl/ptx.c), so that a driver may close it:
 * the tile that asks for most is built before any is counted on. Warns once. */
static gboolean builds(const ConvJob *job)
{
    static gsize warned;
    const Tile *tile = &tiles[LARGEST_TILE];
    g_autofree char *options = g_strdup_printf("-DFP16 -DBM=%d -DBN=%d -DSTAGES=%d -DSPLITS=1",
                                               tile->bm, tile->bn, tile->stages);
    g_autoptr(GError) error = NULL;
    g_autoptr(OclKernel) kernel = ocl_kernel_new((OclDevice *)nn_recorder_device(job->recorder),
                                                 NAME ".cl", NAME, options, &error);
    if (!kernel && g_once_init_enter(&warned)) {
        g_warning("convolutions run without wgmma: %s", error->message);
        g_once_init_leave(&warned, 1);
    }
    return kernel != NULL;
}

gboolean nn_conv_wgmma_fits_device(const ConvJob *job, const char *name)
{
    if (!is_hopper(job))
        return nn_conv_forced_tile(job, name) != NULL;
    return nn_conv_wgmma_emulated(job) || builds(job);
}

gboolean nn_conv_wgmma_fits_sums(const ConvJob *job)
{
    const NnMap x = nn_map_of(&job->x);
    return nn_conv_tensor_fits_sums(job) && job->shape.kh > 0 && job->shape.kw > 0 &&
           (gint64)x.h * x.sh < G_MAXINT32;
}

gboolean nn_conv_wgmma_fits(gconstpointer data)
{
    return nn_conv_wgmma_fits_device(data, NAME) && nn_conv_wgmma_fits_sums(data);
}

double nn_conv_wgmma_us(const ConvJob *job)
{
    double expected_us;
    choose_cut(job, &expected_us);
    return expected_us;
}

gboolean nn_conv_wgmma_pays(gconstpointer data)
{
    const ConvJob *job = data;
    return !nn_recorder_forced_variant(job->recorder) && job->shape.k >= 64;
}

/* [tile of BN outputs][step][output][BK], blocks of channels outermost in the inner dimension, the
 * 16-byte chunks of a row where the swizzle has them. */
static NnView pack_weights(const ConvJob *job, const Cut *cut)
{
    const ConvShape *shape = &job->shape;
    const gint64 *stride = job->weights.strides;
    const gint64 bn = cut->tile->bn;
    const gsize n = (gsize)(round_up(shape->k, bn) * cut->steps * BK);
    g_autofree guint16 *packed = g_new0(guint16, n);
    for (gint64 k = 0; k < shape->k; k++) {
        const float *from = job->weight_values + job->weights.offset + k * stride[1];
        guint16 *tile = packed + k / bn * bn * cut->steps * BK + k % bn * BK;
        for (gint64 c = 0; c < shape->c; c++)
            for (gint64 r = 0; r < shape->kh; r++)
                for (gint64 s = 0; s < shape->kw; s++) {
                    const gint64 flat =
                        ((c / cut->block * shape->kh + r) * shape->kw + s) * cut->block +
                        c % cut->block;
                    const gint64 at = nn_conv_wgmma_swizzled(BK / 8, k % bn, flat % BK);
                    tile[flat / BK * bn * BK + at] =
                        nn_float_to_half(from[c * stride[2] + r * stride[3] + s * stride[4]]);
                }
    }
    return nn_recorder_constant(job->recorder, NN_FLOAT16, n, packed);
}

gboolean nn_conv_wgmma_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    double expected_us;
    const Cut cut = choose_cut(job, &expected_us);
    const NnView weights = pack_weights(job, &cut);
    const ConvGrid grid = { .kernel = NAME,
                            .emulated = nn_conv_wgmma_emulated(job),
                            .tiles = pixel_tiles(&cut),
                            .channel_tiles = channel_tiles(&cut),
                            .splits = cut.splits,
                            .threads = THREADS };
    g_autofree char *options = g_strdup_printf("-DBM=%d -DBN=%d -DSTAGES=%d", cut.tile->bm,
                                               cut.tile->bn, cut.tile->stages);
    nn_conv_tensor_launch(job, &grid, &weights, options);
    return TRUE;
}
