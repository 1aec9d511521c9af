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

/* Where the inner dimension is cut, by the rates of a multiprocessor's way to the L2 cache: to
 * leave a part and to count it, then for the last to read each, in bytes per us. */
#define PART_US 1.5
#define PART_BANDWIDTH 8e4
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
    gint64 block; /* of the inner dimension, see the kernel */
    int splits;
} Cut;

static gint64 count_steps(const ConvShape *shape)
{
    return round_up(shape->kh * shape->kw * round_up(shape->c, 8), BK) / BK;
}

static gint64 pixel_tiles(const Cut *cut)
{
    return round_up((gint64)cut->y.h * cut->y.w, cut->tile->bm) / cut->tile->bm;
}

static gint64 channel_tiles(const Cut *cut)
{
    return round_up(cut->y.c, cut->tile->bn) / cut->tile->bn;
}

double nn_conv_wgmma_expected_us(const ConvJob *job, const ConvPace *pace, gint64 groups,
                                 double steps, int splits, int sums)
{
    const gint64 samples = nn_recorder_max_samples(job->recorder);
    const gint64 units = nn_conv_wgmma_units(job, MULTIPROCESSORS);
    const gint64 turns = round_up(groups * samples * splits, units) / units;
    const gint64 waves = round_up(turns, pace->resident) / pace->resident;
    return turns * ceil(steps / splits) * (turns == 1 ? pace->alone_us : pace->shared_us) +
           waves * pace->edge_us +
           (splits > 1 ? PART_US + (splits + 1) * 4.0 * sums / PART_BANDWIDTH : 0);
}

static gboolean may_take(const Tile *tile, const char *forced)
{
    return !forced || !*forced || strcmp(tile->name, forced) == 0;
}

/* The tile, and the parts of the inner dimension, that should take the least time, @best_us, for
 * @job, whose phases @jobs are; without phases it is its own. */
static Cut choose_cut(const ConvJob *job, const ConvJob *jobs, int n_jobs, double *best_us)
{
    Cut cut = { .x = nn_map_of(&job->x), .y = nn_map_of(&jobs->y) };
    const gint64 c8 = round_up(cut.x.c, 8);
    cut.block = c8 % BK == 0 ? BK : c8;
    double steps = 0;
    for (int i = 0; i < n_jobs; i++)
        steps += (double)count_steps(&jobs[i].shape) / n_jobs;
    Cut best = cut;
    *best_us = G_MAXDOUBLE;
    for (guint i = 0; i < G_N_ELEMENTS(tiles); i++) {
        cut.tile = &tiles[i];
        for (cut.splits = 1; cut.splits <= MAX_SPLITS; cut.splits *= 2) {
            const double us = nn_conv_wgmma_expected_us(
                job, &cut.tile->pace, n_jobs * pixel_tiles(&cut) * channel_tiles(&cut), steps,
                cut.splits, cut.tile->bm * cut.tile->bn);
            if (!may_take(cut.tile, nn_conv_forced_tile(job, NAME)) || us >= *best_us ||
                (cut.splits > 1 && steps / cut.splits < MIN_STEPS))
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
    if (nn_recorder_leaves_out(job->recorder, name))
        return FALSE;
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
    choose_cut(job, job, 1, &expected_us);
    return expected_us;
}

gboolean nn_conv_wgmma_pays(gconstpointer data)
{
    const ConvJob *job = data;
    return !nn_recorder_forced_variant(job->recorder) && job->shape.k >= 64;
}

static gsize count_weights(const ConvShape *shape, const Cut *cut)
{
    return (gsize)(round_up(shape->k, cut->tile->bn) * count_steps(shape) * BK);
}

/* [tile of BN outputs][step][output][BK], blocks of channels outermost in the inner dimension, the
 * 16-byte chunks of a row where the swizzle has them. */
static void pack_weights(const ConvJob *job, const Cut *cut, guint16 *packed)
{
    g_autofree float *values = NULL;
    const ConvJob rounded = nn_conv_rounded(job, &values);
    job = &rounded;
    const ConvShape *shape = &job->shape;
    const gint64 *stride = job->weights.strides;
    const gint64 bn = cut->tile->bn, steps = count_steps(shape);
    for (gint64 k = 0; k < shape->k; k++) {
        const float *from = job->weight_values + job->weights.offset + k * stride[1];
        guint16 *tile = packed + k / bn * bn * steps * BK + k % bn * BK;
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
}

/* Of one convolution, or of phases one after the other; @at: where each begins, in halves. */
static NnView make_weights(const ConvJob *jobs, int n_jobs, const Cut *cut, gint32 *at)
{
    gsize n = 0;
    for (int i = 0; i < n_jobs; i++)
        n += count_weights(&jobs[i].shape, cut);
    g_autofree guint16 *packed = g_new0(guint16, n);
    n = 0;
    for (int i = 0; i < n_jobs; n += count_weights(&jobs[i++].shape, cut)) {
        at[i] = (gint32)n;
        pack_weights(&jobs[i], cut, packed + n);
    }
    return nn_recorder_constant(jobs->recorder, NN_FLOAT16, n, packed);
}

static void record(const ConvJob *job, const Cut *cut, const NnView *weights, int n_jobs,
                   const ConvPhaseTaps *taps)
{
    const ConvGrid grid = { .kernel = NAME,
                            .emulated = nn_conv_wgmma_emulated(job),
                            .taps = taps,
                            .tiles = n_jobs * pixel_tiles(cut),
                            .channel_tiles = channel_tiles(cut),
                            .splits = cut->splits,
                            .sums = cut->tile->bm * cut->tile->bn,
                            .threads = THREADS,
                            .parts = 1 };
    g_autofree char *options = g_strdup_printf("-DBM=%d -DBN=%d -DSTAGES=%d", cut->tile->bm,
                                               cut->tile->bn, cut->tile->stages);
    nn_conv_tensor_launch(job, &grid, weights, options);
}

gboolean nn_conv_wgmma_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    double expected_us;
    gint32 at;
    const Cut cut = choose_cut(job, job, 1, &expected_us);
    const NnView weights = make_weights(job, 1, &cut, &at);
    record(job, &cut, &weights, 1, NULL);
    return TRUE;
}

/* ---------------------------------------------------------------- phases */

gboolean nn_conv_wgmma_phases_fits(gconstpointer data)
{
    const ConvPhases *phases = data;
    if (!nn_conv_wgmma_fits_device(phases->whole, "conv_wgmma_phases") ||
        nn_recorder_leaves_out(phases->whole->recorder, NAME) || !nn_conv_phases_fit(phases))
        return FALSE;
    for (int i = 0; i < N_PHASES; i++)
        if (!nn_conv_wgmma_fits_sums(&phases->phases[i]))
            return FALSE;
    return TRUE;
}

/* What the estimates are off by. */
#define INACCURACY 1.06

/* Where they should take no longer than their four launches one by one. That they find the input
 * in the L2 cache three times out of four is not counted. */
gboolean nn_conv_wgmma_phases_pays(gconstpointer data)
{
    const ConvPhases *phases = data;
    const ConvJob *whole = phases->whole;
    double us, one_by_one_us = (N_PHASES - 1) * NN_LAUNCH_US;
    choose_cut(whole, phases->phases, N_PHASES, &us);
    for (int i = 0; i < N_PHASES; i++)
        one_by_one_us +=
            MIN(nn_conv_halo_us(&phases->phases[i]), nn_conv_wgmma_us(&phases->phases[i]));
    return !nn_recorder_forced_variant(whole->recorder) && whole->shape.k >= 64 &&
           us <= INACCURACY * one_by_one_us;
}

gboolean nn_conv_wgmma_phases_record(gconstpointer data, GError **error)
{
    const ConvPhases *phases = data;
    double expected_us;
    ConvJob job = *phases->whole;
    job.shape = phases->phases[0].shape;
    const Cut cut = choose_cut(&job, phases->phases, N_PHASES, &expected_us);
    ConvPhaseTaps taps = nn_conv_phase_taps(phases);
    const NnView weights = make_weights(phases->phases, N_PHASES, &cut, taps.weights_at);
    record(&job, &cut, &weights, N_PHASES, &taps);
    return TRUE;
}
