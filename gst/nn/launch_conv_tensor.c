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

gboolean nn_conv_tensor_fits_pooled(const ConvJob *job)
{
    return !job->pooled_too || is_aligned(job->pooled_too);
}

gboolean nn_conv_tensor_fits_device(const ConvJob *job, const char *name)
{
    const OclDevice *device = nn_recorder_device(job->recorder);
    return nn_conv_forced_tile(job, name) ||
           (device->device_class == OCL_CLASS_NVIDIA && device->compute_capability >= 80 &&
            !nn_recorder_leaves_out(job->recorder, name));
}

gboolean nn_conv_tensor_fits(gconstpointer data)
{
    return nn_conv_tensor_fits_device(data, "conv_tensor") && nn_conv_tensor_fits_sums(data);
}

static gsize count_weights(const ConvShape *shape)
{
    return (gsize)shape->k * (gsize)shape->kh * (gsize)shape->kw *
           (((gsize)shape->c + 7) & ~(gsize)7);
}

/* [K][R][S][C8] halves, the channels filled up with zeros, which are there. */
static void pack_weights(const ConvJob *job, guint16 *to)
{
    g_autofree float *values = NULL;
    const ConvJob rounded = nn_conv_rounded(job, &values);
    job = &rounded;
    const ConvShape *shape = &job->shape;
    const gint64 *stride = job->weights.strides;
    const gsize c8 = ((gsize)shape->c + 7) & ~(gsize)7;
    for (gint64 k = 0; k < shape->k; k++)
        for (gint64 r = 0; r < shape->kh; r++)
            for (gint64 s = 0; s < shape->kw; s++, to += c8)
                for (gint64 c = 0; c < shape->c; c++)
                    to[c] = nn_float_to_half(
                        job->weight_values[job->weights.offset + k * stride[1] + c * stride[2] +
                                           r * stride[3] + s * stride[4]]);
}

/* Of one convolution, or of phases one after the other; @at: where each begins, in halves. */
static NnView make_weights(const ConvJob *jobs, int n_jobs, gint32 *at)
{
    gsize n = 0;
    for (int i = 0; i < n_jobs; i++)
        n += count_weights(&jobs[i].shape);
    g_autofree guint16 *packed = g_new0(guint16, MAX(n, 1));
    n = 0;
    for (int i = 0; i < n_jobs; n += count_weights(&jobs[i++].shape)) {
        at[i] = (gint32)n;
        pack_weights(&jobs[i], packed + n);
    }
    return nn_recorder_constant(jobs->recorder, NN_FLOAT16, MAX(n, 1), packed);
}

/* [K] floats, zero without a bias. */
static NnView pack_bias(const ConvJob *job)
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
} Cut;

/* @depth: of the inner dimension, halves. */
static Cut choose_cut(const ConvJob *job, int depth)
{
    const NnMap y = nn_map_of(&job->y);
    Cut cut = { .pixels = (gsize)y.h * (gsize)y.w, .channels = (gsize)y.c };
    const gsize batch_pixels = cut.pixels * nn_recorder_max_samples(job->recorder);
    cut.tile =
        choose_tile(nn_conv_forced_tile(job, "conv_tensor"), batch_pixels, cut.channels, depth);
    const int steps = (depth + cut.tile->bk - 1) / cut.tile->bk;
    cut.splits = choose_splits(cut.tile, batch_pixels, cut.channels, steps);
    return cut;
}

static const char *residual_option(const ConvJob *job)
{
    static const char *const options[] = { "", " -DRESIDUAL=1", " -DRESIDUAL=2" };
    return options[nn_conv_residual(job)];
}

/* Of an output; of the phases' outputs on average. */
static double count_taps(const ConvGrid *grid, const ConvShape *shape)
{
    const ConvPhaseTaps *taps = grid->taps;
    return taps ? (taps->rows[0] + taps->rows[1]) * (taps->columns[0] + taps->columns[1]) / 4.0
                : shape->kh * shape->kw;
}

/* That moments are left of, for the normalisation behind; 0 for none. */
static gint64 count_parts(const ConvJob *job, const ConvGrid *grid)
{
    const gint64 n = grid->tiles * grid->parts;
    return job->norm && n <= nn_norm_most_parts(job->recorder, job->norm) ? n : 0;
}

void nn_conv_tensor_launch(const ConvJob *job, const ConvGrid *grid, const NnView *weights,
                           const char *options)
{
    const ConvShape *shape = &job->shape;
    const NnMap y = nn_map_of(&job->y);
    const NnView bias = pack_bias(job);
    const gint64 n_parts = count_parts(job, grid);
    g_autofree char *resized = nn_conv_resized_option(job), *normed = nn_conv_normed_option(job);
    g_autofree char *file = g_strconcat(grid->kernel, ".cl", NULL);
    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, file, grid->kernel,
        "-DFP16 -DSPLITS=%d %s%s%s%s%s%s%s%s" CONV_EPILOGUE_OPTION, grid->splits, options, resized,
        normed, residual_option(job), grid->taps ? " -DPHASES" : "",
        job->pooled_too ? " -DPOOLED" : "", n_parts > 0 ? " -DMOMENTS" : "",
        grid->emulated ? " -DEMULATE" : "", CONV_EPILOGUE(job));
    nn_launch_map(launch, &job->x);
    nn_conv_launch_resized(launch, job);
    nn_conv_launch_normed(launch, job);
    nn_launch_buffer(launch, weights);
    nn_launch_buffer(launch, &bias);
    if (job->has_residual)
        nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    if (job->pooled_too)
        nn_launch_map(launch, job->pooled_too);
    NnView moments;
    if (n_parts > 0) {
        const gint64 first = nn_node_int(job->norm, "first", 0);
        moments =
            nn_recorder_scratch(job->recorder, NN_FLOAT32, (gsize)(n_parts * 3 * (y.c - first)));
        nn_launch_strided(launch, &moments);
        nn_launch_int(launch, (gint32)first);
    }
    if (grid->splits > 1) {
        const gsize n_tiles = (gsize)(grid->tiles * grid->channel_tiles);
        const NnView partial =
            nn_recorder_parts(job->recorder, n_tiles * (gsize)grid->splits * (gsize)grid->sums);
        const NnView finished = nn_recorder_counters(job->recorder, n_tiles);
        nn_launch_buffer(launch, &partial);
        nn_launch_buffer(launch, &finished);
    }
    nn_launch_bytes(launch, shape, sizeof *shape);
    if (grid->taps)
        nn_launch_bytes(launch, grid->taps, sizeof *grid->taps);
    nn_conv_launch_epilogue(launch, job);
    for (guint i = 0; i < G_N_ELEMENTS(grid->before) && grid->before[i]; i++)
        nn_launch_activation(launch, grid->before[i]);

    const gsize global[3] = { (gsize)(grid->tiles * grid->threads),
                              (gsize)(grid->channel_tiles * grid->splits), 1 };
    const gsize local[3] = { (gsize)grid->threads, 1, 1 };
    nn_launch_size(launch, 3, global, local, 2);
    nn_launch_cost(launch, grid->flops > 0 ? grid->flops
                                           : 2.0 * (double)nn_view_count(&job->y) * shape->c *
                                                 count_taps(grid, shape));
    if (n_parts > 0)
        nn_recorder_elide(job->recorder, job->norm);
    if (n_parts > 0 && job->few) {
        nn_recorder_elide(job->recorder, job->few->node);
        nn_launch_norm_few(job->few, job->norm, &moments, n_parts);
    } else if (n_parts > 0 && nn_conv_takes_norm(job->recorder, job->norm, n_parts)) {
        nn_recorder_keep_moments(job->recorder, job->norm, &moments);
    } else if (n_parts > 0) {
        nn_launch_norm_by_moments(job->recorder, job->norm, &moments, n_parts);
    }
}

static int depth_of(const ConvShape *shape)
{
    return shape->kh * shape->kw * ((shape->c + 7) & ~7);
}

static void record(const ConvJob *job, const Cut *cut, const NnView *weights, gint64 n_tiles,
                   const ConvPhaseTaps *taps)
{
    const Tile *tile = cut->tile;
    const ConvGrid grid = { .kernel = "conv_tensor",
                            .emulated = nn_conv_tensor_emulated(job),
                            .taps = taps,
                            .tiles = n_tiles,
                            .channel_tiles = ((gint64)cut->channels + tile->bn - 1) / tile->bn,
                            .splits = cut->splits,
                            .sums = tile->bm * tile->bn,
                            .threads = tile->bm / tile->wm * (tile->bn / tile->wn) * 32,
                            .parts = 1 };
    g_autofree char *options =
        g_strdup_printf("-DBM=%d -DBN=%d -DBK=%d -DWM=%d -DWN=%d -DSTAGES=%d", tile->bm, tile->bn,
                        tile->bk, tile->wm, tile->wn, tile->stages);
    nn_conv_tensor_launch(job, &grid, weights, options);
}

gboolean nn_conv_tensor_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    const Cut cut = choose_cut(job, depth_of(&job->shape));
    gint32 at;
    const NnView weights = make_weights(job, 1, &at);
    record(job, &cut, &weights, ((gint64)cut.pixels + cut.tile->bm - 1) / cut.tile->bm, NULL);
    return TRUE;
}

/* ---------------------------------------------------------------- phases */

gboolean nn_conv_phases_fit(const ConvPhases *phases)
{
    const NnMap y = nn_map_of(&phases->whole->y);
    gsize n = 0;
    for (int i = 0; i < N_PHASES; i++) {
        if (!nn_conv_tensor_fits_sums(&phases->phases[i]))
            return FALSE;
        n += count_weights(&phases->phases[i].shape);
    }
    return y.h >= 2 && y.w >= 2 && n < G_MAXINT32 / 2; /* filled up to whole tiles, too */
}

ConvPhaseTaps nn_conv_phase_taps(const ConvPhases *phases)
{
    ConvPhaseTaps taps;
    for (int i = 0; i < 2; i++) {
        const ConvShape *row = &phases->phases[2 * i].shape, *column = &phases->phases[i].shape;
        taps.rows[i] = row->kh;
        taps.pad_y[i] = row->pad_h;
        taps.columns[i] = column->kw;
        taps.pad_x[i] = column->pad_w;
    }
    return taps;
}

gboolean nn_conv_tensor_phases_fits(gconstpointer data)
{
    const ConvPhases *phases = data;
    return nn_conv_tensor_fits_device(phases->whole, "conv_tensor_phases") &&
           !nn_recorder_leaves_out(phases->whole->recorder, "conv_tensor") &&
           nn_conv_phases_fit(phases);
}

/* Work up to which starting four launches is what takes the time where faster kernels would do
 * them, on Hopper: 1e12 multiply-adds take 4 ms or so. */
#define FEW_SUMS 1e9

gboolean nn_conv_tensor_phases_pays(gconstpointer data)
{
    const ConvPhases *phases = data;
    const ConvJob *whole = phases->whole;
    double sums = 0;
    for (int i = 0; i < N_PHASES; i++)
        sums += (double)nn_view_count(&phases->phases[i].y) * depth_of(&phases->phases[i].shape);
    return !nn_recorder_forced_variant(whole->recorder) &&
           (sums * nn_recorder_max_samples(whole->recorder) < FEW_SUMS ||
            !nn_conv_wgmma_fits_device(whole, "conv_wgmma"));
}

gboolean nn_conv_tensor_phases_record(gconstpointer data, GError **error)
{
    const ConvPhases *phases = data;
    ConvJob job = *phases->whole;
    job.shape = phases->phases[0].shape;
    int depth = 0;
    for (int i = 0; i < N_PHASES; i++)
        depth += depth_of(&phases->phases[i].shape);
    const Cut cut = choose_cut(&job, depth / N_PHASES);
    ConvPhaseTaps taps = nn_conv_phase_taps(phases);
    const NnView weights = make_weights(phases->phases, N_PHASES, taps.weights_at);
    const gint64 pixels = nn_view_count(&phases->phases[0].y) / (gint64)cut.channels;
    record(&job, &cut, &weights, N_PHASES * ((pixels + cut.tile->bm - 1) / cut.tile->bm), &taps);
    return TRUE;
}
