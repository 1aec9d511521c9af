/* launch_conv_inverted.c - inverted residuals on tensor cores: 1x1, a filter per channel, 1x1 in
 * one launch.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"

#include <math.h>
#include <string.h>

#define NAME "conv_inverted"
#define HOPPER 90 /* compute capability */

/* Local memory that a work-group may have: any such device's, and Hopper's. */
#define LOCAL_MEMORY_B (48 * 1024)
#define HOPPER_LOCAL_MEMORY_B (227 * 1024)
#define MAX_STAGES 3
#define MAX_SPLITS 16
#define MAX_BN 192     /* output channels of a work-group, whose sums are in registers */
#define MAX_COLUMNS 16 /* of the patch that two outputs see, which are unrolled */

/* A rectangle of the output, see kernels/conv_inverted.cl. */
typedef struct {
    const char *name; /* tests force it by "conv_inverted:NAME", without splits */
    int h, w, warps;
    double alone; /* how much longer a work-group takes that has a multiprocessor for itself */
} Tile;

static const Tile tiles[] = {
    { "8x16", 8, 16, 8, 1 },
    { "8x8", 8, 8, 8, 1 },
    { "4x8", 4, 8, 4, 1.4 },
};

static gint64 round_up(gint64 n, gint64 to)
{
    return (n + to - 1) / to * to;
}

/* How three convolutions are cut up. */
typedef struct {
    const Tile *tile;
    int bn, chunk, stages, expand; /* BN, CHUNK, STAGES, EXPAND in the kernel */
    gint64 chunks, channel_tiles, map_tiles;
    gint64 patch_pixels; /* rounded up to 16 */
    int splits;
} Cut;

/* ---------------------------------------------------------------- what fits */

static gint64 floats_b(const ConvShape *filter, const Cut *cut)
{
    return (2 + (gint64)filter->kh * filter->kw) * cut->chunk * 4;
}

static gint64 weights_b(const ConvShape *filter, const Cut *cut)
{
    return (cut->expand > 0 ? (gint64)cut->chunk * (cut->expand + 8) * 2 : 0) +
           (gint64)cut->bn * (cut->chunk + 8) * 2 + floats_b(filter, cut);
}

#define COUNT_B 16 /* of finished parts */

static gint64 local_memory_b(const ConvShape *filter, const Cut *cut)
{
    const gint64 pixels = (gint64)cut->tile->h * cut->tile->w;
    const gint64 between_b = cut->patch_pixels * (cut->chunk + 8) * 2;
    const gint64 input_b = cut->expand > 0 ? cut->patch_pixels * (cut->expand + 8) * 2 : 0;
    const gint64 stage_b = weights_b(filter, cut) + (cut->expand > 0 ? 0 : between_b);
    return MAX(cut->stages * stage_b + input_b + (cut->expand > 0 ? between_b : 0) +
                   pixels * (cut->chunk + 8) * 2,
               pixels * (cut->bn + 8) * 2) +
           COUNT_B;
}

static gint64 most_local_b(const ConvJob *job)
{
    const guint capability = nn_recorder_device(job->recorder)->compute_capability;
    const gboolean emulated = capability == 0; /* and no other device planned for */
    return emulated || capability == HOPPER ? HOPPER_LOCAL_MEMORY_B : LOCAL_MEMORY_B;
}

/* FALSE if @tile does not do. */
static gboolean make_cut(const ConvInverted *job, const Tile *tile, Cut *cut)
{
    const ConvShape *filter = &job->filter->shape;
    const NnMap y = nn_map_of(&job->project->y);
    const gint64 between = filter->groups, k = y.c;
    const int step = 16 * (tile->warps / (tile->h * tile->w / 16)); /* that a BN is a multiple of */
    *cut = (Cut){ .tile = tile,
                  .expand = job->expand ? (int)round_up(job->expand->shape.c, 16) : 0,
                  /* The largest that leaves nothing over, or little. */
                  .chunk = between % 64 == 0 || between % 48 != 0 ? 64 : 48,
                  .channel_tiles = (k + MAX_BN - 1) / MAX_BN,
                  .splits = 1 };
    cut->bn = (int)round_up((k + cut->channel_tiles - 1) / cut->channel_tiles, step);
    cut->channel_tiles = (k + cut->bn - 1) / cut->bn;
    if (between <= 32)
        cut->chunk = (int)round_up(between, 16);
    cut->chunks = (between + cut->chunk - 1) / cut->chunk;
    cut->map_tiles = round_up(y.h, tile->h) / tile->h * round_up(y.w, tile->w) / tile->w;
    cut->patch_pixels = round_up(((gint64)(tile->h - 1) * filter->stride_h + filter->kh) *
                                     ((tile->w - 1) * filter->stride_w + filter->kw),
                                 16);
    cut->stages = (int)MIN(cut->chunks, MAX_STAGES);
    while (cut->stages > 1 && local_memory_b(filter, cut) > most_local_b(job->project))
        cut->stages--;
    return (cut->stages > 1 || cut->chunks == 1) &&
           local_memory_b(filter, cut) <= most_local_b(job->project);
}

/* ---------------------------------------------------------------- what it takes */

/* Of an H200, by MODNet's blocks with each tile, at batch 1 and 8: what a launch takes beside, and
 * what a multiprocessor computes in a us of each of the three, as much in one work-group as in
 * several. It came within 11 % (standard deviation). */
#define UNITS 132
#define START_US 5.2
#define EXPANDED_PER_US 13800
#define FILTERED_PER_US 3330
#define SUMS_PER_US 4.15e5
#define SPLIT_US 10 /* parts: to store them and to add them */
/* Launches that memory bounds: start and end, bytes per us. */
#define ALONE_US 8.5
#define BANDWIDTH 2.4e6

static double expected_us(const ConvInverted *job, const Cut *cut)
{
    const NnMap y = nn_map_of(&job->project->y);
    const gint64 samples = nn_recorder_max_samples(job->project->recorder);
    const gint64 groups = samples * cut->map_tiles * cut->channel_tiles * cut->splits;
    const gint64 turns = (groups + UNITS - 1) / UNITS;
    const double pixels = cut->tile->h * cut->tile->w;
    const double chunk_us =
        cut->chunk * ((cut->expand > 0 ? cut->patch_pixels / (double)EXPANDED_PER_US : 0) +
                      pixels / FILTERED_PER_US + pixels * cut->bn / SUMS_PER_US);
    const gint64 chunks = (cut->chunks + cut->splits - 1) / cut->splits;
    const double moved_b = 2.0 * 4 * cut->splits * samples * y.h * y.w * y.c;
    return START_US + chunks * chunk_us * MAX(cut->tile->alone, turns) +
           (cut->splits > 1 ? SPLIT_US + moved_b / BANDWIDTH : 0);
}

/* A convolution by itself. */
static double alone_us(const ConvJob *job)
{
    const gint64 elements = nn_view_count(&job->x) + nn_view_count(&job->y);
    return ALONE_US + 2.0 * elements * nn_recorder_max_samples(job->recorder) / BANDWIDTH;
}

/* What forces as many splits as there can be. */
#define SPLIT "split"

/* The cut that should take the least time; G_MAXDOUBLE if none does. */
static double choose_cut(const ConvInverted *job, Cut *best)
{
    const char *forced = nn_conv_forced_tile(job->project, NAME);
    const gboolean split = g_strcmp0(forced, SPLIT) == 0, any = !forced || !*forced || split;
    double best_us = G_MAXDOUBLE;
    for (guint i = 0; i < G_N_ELEMENTS(tiles); i++) {
        Cut cut;
        if ((!any && strcmp(tiles[i].name, forced) != 0) || !make_cut(job, &tiles[i], &cut))
            continue;
        const gint64 most = any ? MIN(MAX_SPLITS, cut.chunks) : 1;
        for (cut.splits = split ? (int)most : 1; cut.splits <= most; cut.splits++) {
            const double us = expected_us(job, &cut);
            if (us < best_us) {
                *best = cut;
                best_us = us;
            }
        }
    }
    return best_us;
}

static gboolean is_pointwise(const ConvShape *shape)
{
    return shape->groups == 1 && shape->kh == 1 && shape->kw == 1 && shape->stride_h == 1 &&
           shape->stride_w == 1 && shape->pad_h == 0 && shape->pad_w == 0;
}

/* Rows and columns are those of what comes in: no padding at the other end. */
static gboolean keeps_size(const ConvJob *job)
{
    return job->y.dims[2] == job->x.dims[2] && job->y.dims[3] == job->x.dims[3];
}

static gboolean fits_filter(const ConvJob *job)
{
    const ConvShape *shape = &job->shape;
    return shape->c == 1 && shape->k == 1 && shape->groups % 8 == 0 && shape->kh > 0 &&
           shape->kw > 0 && shape->dilation_h == 1 && shape->dilation_w == 1 &&
           shape->stride_w + shape->kw <= MAX_COLUMNS && shape->kh <= MAX_COLUMNS &&
           job->weight_values && (!job->has_bias || job->bias_values) && !job->has_residual;
}

gboolean nn_conv_inverted_fits(const ConvInverted *job)
{
    const OclDevice *device = nn_recorder_device(job->project->recorder);
    const gboolean fits_device =
        nn_conv_forced_tile(job->project, NAME) ||
        (device->device_class == OCL_CLASS_NVIDIA && device->compute_capability >= 80 &&
         !nn_recorder_leaves_out(job->project->recorder, NAME));
    /* The sums of the last ask of the filters' output what they would ask of the input. */
    ConvJob whole = *job->project;
    whole.x = job->expand ? job->expand->x : job->filter->x;
    const ConvJob *first = job->expand;
    Cut cut;
    return fits_device && fits_filter(job->filter) && is_pointwise(&job->project->shape) &&
           keeps_size(job->project) && nn_conv_wgmma_fits_sums(&whole) &&
           (!first || (is_pointwise(&first->shape) && keeps_size(first) && !first->has_residual &&
                       first->weight_values && (!first->has_bias || first->bias_values))) &&
           choose_cut(job, &cut) < G_MAXDOUBLE;
}

gboolean nn_conv_inverted_pays(const ConvInverted *job)
{
    Cut cut;
    return choose_cut(job, &cut) < (job->expand ? alone_us(job->expand) : 0) +
                                       alone_us(job->filter) + alone_us(job->project);
}

/* ---------------------------------------------------------------- weights */

static float weight_at(const ConvJob *job, gint64 group, gint64 k, gint64 c, gint64 r, gint64 s)
{
    const gint64 *stride = job->weights.strides;
    return job->weight_values[job->weights.offset + group * stride[0] + k * stride[1] +
                              c * stride[2] + r * stride[3] + s * stride[4]];
}

/* Channels @from to @to of what lies between, for output channels from @n0 on, as the kernel's head
 * says. */
static void pack_chunk(const ConvInverted *job, const ConvJob *expand, const ConvJob *project,
                       const Cut *cut, gint64 n0, gint64 from, gint64 to, guint16 *packed)
{
    const ConvShape *filter = &job->filter->shape;
    const gint64 pitch = cut->chunk + 8, blocks = cut->chunk / 8;
    guint16 *at = packed;
    for (gint64 e = from; expand && e < to; e++)
        for (gint64 c = 0; c < expand->shape.c; c++)
            at[(e - from) * (cut->expand + 8) + c] =
                nn_float_to_half(weight_at(expand, 0, e, c, 0, 0));
    if (expand)
        at += cut->chunk * (cut->expand + 8);
    for (gint64 k = n0; k < MIN(n0 + cut->bn, project->shape.k); k++)
        for (gint64 e = from; e < to; e++)
            at[(k - n0) * pitch + e - from] = nn_float_to_half(weight_at(project, 0, k, e, 0, 0));
    at += cut->bn * pitch;

    float *floats = (float *)at;
    float *filter_bias = floats + cut->chunk, *filters = filter_bias + cut->chunk;
    for (gint64 e = from; e < to; e++) {
        if (expand && expand->has_bias)
            floats[e - from] = expand->bias_values[e];
        if (job->filter->has_bias)
            filter_bias[e - from] = job->filter->bias_values[e];
        for (gint64 r = 0; r < filter->kh; r++)
            for (gint64 s = 0; s < filter->kw; s++)
                filters[(((r * filter->kw + s) * 2 + (e - from) % 8 / 4) * blocks +
                         (e - from) / 8) *
                            4 +
                        e % 4] = weight_at(job->filter, e, 0, 0, r, s);
    }
}

static NnView pack_weights(const ConvInverted *job, const Cut *cut)
{
    g_autofree float *expand_values = NULL, *project_values = NULL;
    const ConvJob project = nn_conv_rounded(job->project, &project_values);
    ConvJob expand = { 0 };
    if (job->expand)
        expand = nn_conv_rounded(job->expand, &expand_values);
    const gint64 between = job->filter->shape.groups;
    const gsize per_chunk = (gsize)weights_b(&job->filter->shape, cut) / 2; /* halves */
    const gsize n = (gsize)(cut->channel_tiles * cut->chunks) * per_chunk;
    g_autofree guint16 *packed = g_new0(guint16, n);
    for (gint64 i = 0; i < cut->channel_tiles * cut->chunks; i++) {
        const gint64 from = i % cut->chunks * cut->chunk;
        pack_chunk(job, job->expand ? &expand : NULL, &project, cut, i / cut->chunks * cut->bn,
                   from, MIN(from + cut->chunk, between), packed + (gsize)i * per_chunk);
    }
    return nn_recorder_constant(job->project->recorder, NN_FLOAT16, n, packed);
}

/* ---------------------------------------------------------------- launch */

static double flops(const ConvJob *job)
{
    return 2.0 * (double)nn_view_count(&job->y) * job->shape.c * job->shape.kh * job->shape.kw;
}

void nn_conv_inverted_record(const ConvInverted *job)
{
    Cut cut;
    choose_cut(job, &cut);
    const ConvShape *filter = &job->filter->shape;
    const NnView weights = pack_weights(job, &cut);
    /* To the kernel the strides and pads are the filters', and the inner dimension what lies
     * between. */
    ConvJob whole = *job->project;
    whole.x = job->expand ? job->expand->x : job->filter->x;
    whole.shape = *filter;
    whole.shape.groups = 1;
    whole.shape.c = filter->groups;
    whole.shape.k = job->project->shape.k;

    const ConvGrid grid = {
        .kernel = NAME,
        .emulated = nn_conv_tensor_emulated(job->project),
        .tiles = cut.map_tiles,
        .channel_tiles = cut.channel_tiles,
        .splits = cut.splits,
        .sums = cut.tile->h * cut.tile->w * cut.bn,
        .threads = cut.tile->warps * 32,
        .parts = 1,
        .before = { job->expand ? job->expand->node : job->filter->node, job->filter->node },
        .flops = (job->expand ? flops(job->expand) : 0) + flops(job->filter) + flops(job->project),
    };
    g_autofree char *options = g_strdup_printf(
        "-DTILE_H=%d -DTILE_W=%d -DBN=%d -DWARPS=%d -DCHUNK=%d -DSTAGES=%d -DEXPAND=%d -DROWS=%d "
        "-DCOLUMNS=%d -DSTRIDE_Y=%d -DSTRIDE_X=%d -DEXPAND_ACT=%d -DFILTER_ACT=%d",
        cut.tile->h, cut.tile->w, cut.bn, cut.tile->warps, cut.chunk, cut.stages, cut.expand,
        filter->kh, filter->kw, filter->stride_h, filter->stride_w, grid.before[0]->activation.type,
        job->filter->node->activation.type);
    nn_conv_tensor_launch(&whole, &grid, &weights, options);
}
