/* launch_conv_tiled.c - convolutions on GPUs without tensor cores, and in float32: tiles in local
 * memory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"
#include "launch_wide.h"

#include <math.h>
#include <string.h>

#define TILE_DEPTH 16 /* BK in conv_tiled.cl */

/* What a work-group computes, and what each of its work-items; and the multiply-adds of a compute
 * unit in a us, on an H200 in float32. */
typedef struct {
    const char *name;
    int pixels, outputs, item_pixels, item_outputs;
    double sums_per_us;
} Tile;

/* From large to small. The largest reads the least of local memory for its sums, 16 floats for 64
 * instead of 12 for 32, but takes registers that not every GPU has: it is only for measurements to
 * choose. */
static const Tile tiles[] = {
    { "128x128", 128, 128, 8, 8, 0 }, { "128x64", 128, 64, 8, 4, 1.3e5 },
    { "64x64", 64, 64, 8, 4, 1.2e5 }, { "128x32", 128, 32, 8, 4, 1.2e5 },
    { "64x32", 64, 32, 8, 4, 1.1e5 }, { "128x16", 128, 16, 8, 4, 1.1e5 },
};
#define NARROWEST 16 /* outputs of a tile */

#define STEP_US 1.0  /* that a step of BK takes a work-group by itself: it waits for memory */
#define RESIDENT 512 /* work-items of a compute unit */
/* The launch that adds up the parts of a cut inner dimension, and what both move, in bytes. */
#define SUM_US 6
#define SUM_BANDWIDTH 3e6
#define MAX_SPLITS 16
#define MIN_STEPS 8 /* of a part */

/* What forces as many splits as there can be. */
#define SPLIT "split"

/* How a convolution is cut up: into tiles, and the inner dimension into parts. */
typedef struct {
    const Tile *tile; /* NULL if there is none */
    int splits;
} Cut;

static guint group_of(const Tile *tile)
{
    return (guint)(tile->pixels / tile->item_pixels * (tile->outputs / tile->item_outputs));
}

static gint64 blocks_of(gint64 n, int each)
{
    return (n + each - 1) / each;
}

/* WIDE_X in the kernel: 2 where the last block of channels is not whole, but little is computed in
 * vain and each element serves few sums: on an H200, 35 to 32 and 99 to 64 channels took 18 and 2 %
 * longer with it than element by element. */
static int wide_x(const ConvJob *job)
{
    const gint64 c = job->shape.c;
    NnView blocks = job->x;
    blocks.dims[1] = blocks_of(c, NN_WIDE) * NN_WIDE;
    if (nn_view_is_wide(&job->x, 1))
        return 1;
    return nn_view_is_wide(&blocks, 1) && 4 * blocks.dims[1] <= 5 * c && job->shape.k <= NARROWEST
               ? 2
               : 0;
}

/* Of a filter's tap. */
static gint64 channels_of(const ConvJob *job)
{
    return wide_x(job) ? blocks_of(job->shape.c, NN_WIDE) * NN_WIDE : job->shape.c;
}

static gint64 steps_of(const ConvJob *job)
{
    return blocks_of((gint64)job->shape.kh * job->shape.kw * channels_of(job), TILE_DEPTH);
}

/* For a full batch. */
static double expected_us(const ConvJob *job, const Cut *cut)
{
    const Tile *tile = cut->tile;
    const gint64 units = MAX(nn_recorder_device(job->recorder)->compute_units, 1);
    const gint64 samples = nn_recorder_max_samples(job->recorder);
    const gint64 pixels = job->y.dims[2] * job->y.dims[3];
    const gint64 tiles_n = blocks_of(job->shape.k, tile->outputs);
    const gint64 groups = blocks_of(pixels, tile->pixels) * tiles_n * samples * cut->splits;
    const double per_unit = (double)blocks_of(groups, (int)units);
    const double turns = ceil(per_unit * group_of(tile) / RESIDENT);
    const double sums = (double)tile->pixels * tile->outputs * TILE_DEPTH;
    const double step_us = MAX(per_unit * sums / tile->sums_per_us, turns * STEP_US);
    const double moved_b =
        2.0 * 4 * (double)(cut->splits * samples * pixels * tiles_n) * tile->outputs;
    return (double)blocks_of(steps_of(job), cut->splits) * step_us +
           (cut->splits > 1 ? SUM_US + moved_b / SUM_BANDWIDTH : 0);
}

static gboolean may_split(const ConvJob *job, int splits)
{
    return splits == 1 || steps_of(job) >= (gint64)splits * MIN_STEPS;
}

/* What should take the least time of what the device can run. @split: in as many parts as there can
 * be. */
static Cut cut_by_rule(const ConvJob *job, gboolean split)
{
    Cut best = { 0 };
    double best_us = G_MAXDOUBLE;
    for (guint i = 0; i < G_N_ELEMENTS(tiles); i++) {
        Cut cut = { .tile = &tiles[i] };
        if (tiles[i].sums_per_us <= 0 || !nn_group_fits(job->recorder, group_of(&tiles[i])))
            continue;
        for (cut.splits = 1; cut.splits <= MAX_SPLITS && may_split(job, cut.splits);
             cut.splits *= 2) {
            const double us = split ? 1.0 / cut.splits : expected_us(job, &cut);
            if (us < best_us) {
                best = cut;
                best_us = us;
            }
        }
    }
    return best;
}

/* No tile if the one that is asked for does not exist or the device cannot run it. */
static Cut choose_cut(const ConvJob *job)
{
    const char *forced = nn_conv_forced_tile(job, "conv_tiled");
    const gboolean split = g_strcmp0(forced, SPLIT) == 0;
    if (!forced || !*forced || split)
        return cut_by_rule(job, split);
    for (guint i = 0; i < G_N_ELEMENTS(tiles); i++)
        if (strcmp(tiles[i].name, forced) == 0 && nn_group_fits(job->recorder, group_of(&tiles[i])))
            return (Cut){ &tiles[i], 1 };
    return (Cut){ 0 };
}

/* The device's own class asks for it, or a test does, with or without a tile. */
static gboolean is_for_device(const ConvJob *job)
{
    return nn_conv_forced_tile(job, "conv_tiled") || nn_gpu_variant(job->recorder, "conv_tiled");
}

gboolean nn_conv_tiled_fits(gconstpointer data)
{
    const ConvJob *job = data;
    return is_for_device(job) && job->shape.groups == 1 && job->weight_values &&
           (!job->has_bias || job->bias_values) && nn_type_is_float(job->x.type) &&
           nn_type_is_float(job->y.type) && nn_type_is_float(job->residual.type) &&
           choose_cut(job).tile != NULL;
}

/* Fewer outputs leave half of the narrowest tile and more unused. */
gboolean nn_conv_tiled_pays(gconstpointer data)
{
    const ConvJob *job = data;
    return job->shape.k >= NARROWEST / 2;
}

static NnView pack_weights(const ConvJob *job, const Tile *tile)
{
    const ConvShape *shape = &job->shape;
    const gint64 *stride = job->weights.strides;
    const gint64 rows = steps_of(job) * TILE_DEPTH, unused = channels_of(job) - shape->c;
    const gint64 pitch = blocks_of(shape->k, tile->outputs) * tile->outputs;
    const gsize n = (gsize)MAX(rows * pitch, 1);
    g_autofree float *packed = g_new0(float, n);
    float *to = packed;
    for (gint64 r = 0; r < shape->kh; r++)
        for (gint64 s = 0; s < shape->kw; s++, to += unused * pitch)
            for (gint64 c = 0; c < shape->c; c++, to += pitch)
                for (gint64 k = 0; k < shape->k; k++)
                    to[k] = job->weight_values[job->weights.offset + k * stride[1] + c * stride[2] +
                                               r * stride[3] + s * stride[4]];
    return nn_recorder_constant(job->recorder, NN_FLOAT32, n, packed);
}

static NnView pack_bias(const ConvJob *job)
{
    const gsize n = (gsize)job->shape.k;
    g_autofree float *bias = g_new0(float, n);
    if (job->has_bias)
        memcpy(bias, job->bias_values, n * sizeof *bias);
    return nn_recorder_constant(job->recorder, NN_FLOAT32, n, bias);
}

/* Sums of one part each, [part][pixel][outputs rounded up to whole tiles]. */
static NnView make_parts(const ConvJob *job, const Cut *cut)
{
    const gint64 pixels = job->y.dims[2] * job->y.dims[3];
    const gint64 pitch = blocks_of(job->shape.k, cut->tile->outputs) * cut->tile->outputs;
    return nn_recorder_scratch(job->recorder, NN_FLOAT32, (gsize)(cut->splits * pixels * pitch));
}

/* Both kernels' arguments from the bias on. */
static void launch_rest(NnLaunch *launch, const ConvJob *job, const NnView *bias,
                        const NnView *parts)
{
    nn_launch_buffer(launch, bias);
    nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    nn_launch_bytes(launch, &job->shape, sizeof job->shape);
    nn_conv_launch_epilogue(launch, job);
    if (parts)
        nn_launch_strided(launch, parts);
}

gboolean nn_conv_tiled_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    const Cut cut = choose_cut(job);
    const Tile *tile = cut.tile;
    const NnView weights = pack_weights(job, tile), bias = pack_bias(job);
    const gboolean wide_y = nn_view_is_wide(&job->y, 1) && nn_view_is_wide(&job->residual, 1);
    const gint64 pixels = job->y.dims[2] * job->y.dims[3];
    g_autofree char *options = g_strdup_printf(
        "-DTX=%s -DTR=%s -DTY=%s -DBM=%d -DBN=%d -DTM=%d -DTN=%d -DSPLITS=%d -DWIDE_X=%d "
        "-DWIDE_Y=%d -DRESIDUAL=%d" CONV_EPILOGUE_OPTION,
        nn_kernel_type(job->x.type), nn_kernel_type(job->residual.type),
        nn_kernel_type(job->y.type), tile->pixels, tile->outputs, tile->item_pixels,
        tile->item_outputs, cut.splits, wide_x(job), wide_y, nn_conv_residual(job),
        CONV_EPILOGUE(job));
    NnView parts;
    if (cut.splits > 1)
        parts = make_parts(job, &cut);
    const NnView *given = cut.splits > 1 ? &parts : NULL;

    NnLaunch *launch =
        nn_recorder_launch(job->recorder, job->node, "conv_tiled.cl", "conv_tiled", "%s", options);
    nn_launch_map(launch, &job->x);
    nn_launch_buffer(launch, &weights);
    launch_rest(launch, job, &bias, given);
    nn_launch_cost(launch, 2.0 * (double)nn_view_count(&job->y) * job->shape.c * job->shape.kh *
                               job->shape.kw);
    const gsize group = group_of(tile);
    const gsize global[3] = { (gsize)blocks_of(pixels, tile->pixels) * group,
                              (gsize)(blocks_of(job->shape.k, tile->outputs) * cut.splits), 1 };
    const gsize local[3] = { group, 1, 1 };
    nn_launch_size(launch, 3, global, local, 2);
    if (!given)
        return TRUE;

    launch = nn_recorder_launch(job->recorder, job->node, "conv_tiled.cl", "conv_tiled_sum", "%s",
                                options);
    launch_rest(launch, job, &bias, given);
    nn_launch_items(launch, &job->y, blocks_of(job->shape.k, 4) * pixels, 1);
    return TRUE;
}
