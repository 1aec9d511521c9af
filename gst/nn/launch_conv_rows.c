/* launch_conv_rows.c - convolutions on CPUs a band of rows at a time, one or two of them at once.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"

/* What a work-item's part of local memory may take: with what it reads and writes it should stay in
 * the second cache. */
#define MAX_LOCAL_B (192 << 10)

/* Windows larger than this are not unrolled. */
#define MAX_WINDOW 7

/* ---------------------------------------------------------------- tiles */

/* How products are held in registers: lanes, pixels, vectors of outputs. */
typedef struct {
    gint32 vw, pixels, vectors;
    gint32 blocks; /* of so many vectors that hold all outputs */
} Tile;

static gboolean on_cpu(const ConvJob *job)
{
    return nn_recorder_device(job->recorder)->device_class == OCL_CLASS_CPU;
}

/* The widest vector that @channels fill; 0 if none. */
static gint32 vector_width(const ConvJob *job, gint32 channels)
{
    for (gint32 vw = (gint32)nn_vector_width(job->recorder); vw >= 4; vw /= 2)
        if (vw <= channels)
            return vw;
    return 0;
}

/* P sums per vector of outputs: with the weights and the input they fill the 32 registers of
 * AVX-512, or 16 elsewhere. */
static gint32 pixels_of(const ConvJob *job, gint32 vectors)
{
    static const gint32 pixels[2][4] = { { 8, 6, 4, 3 }, { 12, 8, 8, 6 } };
    return pixels[nn_vector_width(job->recorder) == 16][vectors - 1];
}

/* One vector of outputs at a time loads each input for a single multiplication, so it has to save
 * a sixth of the vectors to pay. @width: the pixels of a row. */
static Tile make_tile(const ConvJob *job, gint32 vw, gint32 outputs, gint32 width)
{
    Tile tile = { .vw = vw };
    const gint32 all = (outputs + vw - 1) / vw;
    gint32 least = G_MAXINT32;
    for (gint32 vectors = 1; vectors <= 4; vectors++) {
        const gint32 blocks = (all + vectors - 1) / vectors;
        const gint32 cost = blocks * vectors * (vectors == 1 ? 7 : 6);
        if (cost >= least)
            continue;
        least = cost;
        tile.vectors = vectors;
        tile.blocks = blocks;
    }
    tile.pixels = MIN(pixels_of(job, tile.vectors), width);
    return tile;
}

/* Pixels of a window's sums that are held in registers. */
static gint32 window_pixels(const ConvJob *job)
{
    const gint32 width = nn_map_of(&job->y).w;
    return width >= 8 ? 8 : width >= 4 ? 4 : width >= 2 ? 2 : 1;
}

/* ---------------------------------------------------------------- weights */

/* The output that lane @lane of vector @vector holds, -1 if none. */
static gint64 channel_at(gint64 vector, gint64 lane, gint32 vw, gint64 channels)
{
    if (vector * vw >= channels || (channels < vw && lane >= channels))
        return -1;
    return MAX(MIN(vector * vw, channels - vw), 0) + lane;
}

/* [blocks][kh][kw][c][vectors * vw] of a convolution of one group. */
static NnView pack_products(const ConvJob *job, const Tile *tile)
{
    const ConvShape *shape = &job->shape;
    const gint64 *stride = job->weights.strides;
    const gint64 n = (gint64)tile->vectors * tile->vw;
    const gsize count = (gsize)tile->blocks * n * shape->kh * shape->kw * shape->c;
    g_autofree float *packed = g_new0(float, count);
    float *to = packed;
    for (gint64 block = 0; block < tile->blocks; block++)
        for (gint64 r = 0; r < shape->kh; r++)
            for (gint64 s = 0; s < shape->kw; s++)
                for (gint64 c = 0; c < shape->c; c++, to += n)
                    for (gint64 i = 0; i < n; i++) {
                        const gint64 vector = block * tile->vectors + i / tile->vw;
                        const gint64 k = channel_at(vector, i % tile->vw, tile->vw, shape->k);
                        if (k < 0)
                            continue;
                        to[i] = job->weight_values[job->weights.offset + k * stride[1] +
                                                   c * stride[2] + r * stride[3] + s * stride[4]];
                    }
    return nn_recorder_constant(job->recorder, NN_FLOAT32, count, packed);
}

/* [blocks][kh][kw][vectors * vw] of a convolution of each channel by itself. */
static NnView pack_windows(const ConvJob *job, const Tile *tile)
{
    const ConvShape *shape = &job->shape;
    const gint64 *stride = job->weights.strides;
    const gint64 n = (gint64)tile->vectors * tile->vw;
    const gsize count = (gsize)tile->blocks * n * shape->kh * shape->kw;
    g_autofree float *packed = g_new0(float, count);
    float *to = packed;
    for (gint64 block = 0; block < tile->blocks; block++)
        for (gint64 r = 0; r < shape->kh; r++)
            for (gint64 s = 0; s < shape->kw; s++, to += n)
                for (gint64 i = 0; i < n; i++) {
                    const gint64 vector = block * tile->vectors + i / tile->vw;
                    const gint64 c = channel_at(vector, i % tile->vw, tile->vw, shape->groups);
                    if (c < 0)
                        continue;
                    to[i] = job->weight_values[job->weights.offset + c * stride[0] + r * stride[3] +
                                               s * stride[4]];
                }
    return nn_recorder_constant(job->recorder, NN_FLOAT32, count, packed);
}

/* [blocks][vectors * vw] */
static NnView pack_bias(const ConvJob *job, const Tile *tile)
{
    const gint64 channels = (gint64)job->shape.groups * job->shape.k;
    const gsize count = (gsize)tile->blocks * tile->vectors * tile->vw;
    g_autofree float *packed = g_new0(float, count);
    for (gint64 i = 0; job->has_bias && i < (gint64)count; i++) {
        const gint64 k = channel_at(i / tile->vw, i % tile->vw, tile->vw, channels);
        packed[i] = k < 0 ? 0 : job->bias_values[k];
    }
    return nn_recorder_constant(job->recorder, NN_FLOAT32, count, packed);
}

/* ---------------------------------------------------------------- what fits */

static gboolean known_floats(const ConvJob *job)
{
    return on_cpu(job) && job->weight_values && (!job->has_bias || job->bias_values) &&
           job->x.type == job->y.type && job->residual.type == job->y.type &&
           job->shape.dilation_h == 1 && job->shape.dilation_w == 1 && job->shape.kh > 0 &&
           job->shape.kw > 0;
}

/* Vectors of its channels can be read, or written. */
static gboolean has_vectors(const ConvJob *job, const NnView *view)
{
    const NnMap map = nn_map_of(view);
    return map.sc == 1 && vector_width(job, map.c) > 0;
}

static gboolean writes_vectors(const ConvJob *job)
{
    return has_vectors(job, &job->y) && nn_map_of(&job->residual).sc == 1;
}

static gboolean is_pointwise(const ConvShape *shape)
{
    return shape->groups == 1 && shape->kh == 1 && shape->kw == 1 && shape->pad_h == 0 &&
           shape->pad_w == 0;
}

/* The last input that the last output reads lies within @extent. */
static gboolean ends_within(gint32 outputs, gint32 stride, gint32 extent)
{
    return (outputs - 1) * stride < extent;
}

static gboolean is_depthwise(const ConvShape *shape)
{
    return shape->c == 1 && shape->k == 1 && shape->kh <= MAX_WINDOW && shape->kw <= MAX_WINDOW &&
           shape->pad_h >= 0 && shape->pad_w >= 0;
}

gboolean nn_conv_pointwise_fits(gconstpointer data)
{
    const ConvJob *job = data;
    const NnMap x = nn_map_of(&job->x), y = nn_map_of(&job->y);
    return known_floats(job) && is_pointwise(&job->shape) && writes_vectors(job) &&
           (x.sc == 1 || x.c == 1) && ends_within(y.w, job->shape.stride_w, x.w) &&
           ends_within(y.h, job->shape.stride_h, x.h);
}

static gint32 staged_columns(const ConvJob *job)
{
    return (nn_map_of(&job->y).w - 1) * job->shape.stride_w + job->shape.kw;
}

static gsize staged_b(const ConvJob *job, gint32 rows)
{
    return sizeof(float) * (gsize)((rows - 1) * job->shape.stride_h + job->shape.kh) *
           (gsize)staged_columns(job) * (gsize)job->shape.c;
}

static gsize most_local_b(const ConvJob *job)
{
    return MIN(MAX_LOCAL_B, nn_recorder_device(job->recorder)->local_memory_b);
}

gboolean nn_conv_staged_fits(gconstpointer data)
{
    const ConvJob *job = data;
    return known_floats(job) && job->shape.groups == 1 && writes_vectors(job) &&
           staged_b(job, 1) <= most_local_b(job);
}

gboolean nn_conv_depthwise_rows_fits(gconstpointer data)
{
    const ConvJob *job = data;
    return known_floats(job) && is_depthwise(&job->shape) && has_vectors(job, &job->x) &&
           writes_vectors(job);
}

/* ---------------------------------------------------------------- sizes */

/* Rows of a band of a map of @height rows, of which there are @blocks kinds: at least four
 * work-items for each core, but no fewer rows than @least as long as there is one; and as many for
 * each core. */
static gint32 band_rows(const ConvJob *job, gint32 height, gint32 blocks, gint32 least)
{
    const gint32 cores = (gint32)nn_recorder_device(job->recorder)->compute_units;
    const gint32 fair = (height * blocks + 4 * cores - 1) / (4 * cores);
    const gint32 most = (height * blocks + cores - 1) / cores;
    const gint32 rows = CLAMP(MAX(fair, MIN(least, most)), 1, height);
    gint32 bands = (height + rows - 1) / rows;
    if (bands * blocks > cores)
        bands -= bands * blocks % cores / blocks;
    return (height + bands - 1) / bands;
}

static double flops(const ConvJob *job)
{
    return 2.0 * (double)nn_view_count(&job->y) * job->shape.c * job->shape.kh * job->shape.kw;
}

static char *product_options(const Tile *tile)
{
    return g_strdup_printf("-DVW=%d -DP=%d -DKB=%d", tile->vw, tile->pixels, tile->vectors);
}

static char *window_options(const ConvJob *job)
{
    return g_strdup_printf("-DKH=%d -DKW=%d -DSTRIDE_W=%d -DPD=%d", job->shape.kh, job->shape.kw,
                           job->shape.stride_w, window_pixels(job));
}

static char *epilogue_options(const ConvJob *job)
{
    return g_strdup_printf("-DRESIDUAL=%d%s" CONV_EPILOGUE_OPTION, nn_conv_residual(job),
                           job->y.type == NN_FLOAT16 ? " -DFP16" : "", CONV_EPILOGUE(job));
}

/* ---------------------------------------------------------------- one convolution */

/* All rows as one where they follow each other in memory. */
static void join_rows(NnView *views, guint n)
{
    for (guint i = 0; i < n; i++)
        if (views[i].rank != 4 || views[i].strides[2] != views[i].dims[3] * views[i].strides[3])
            return;
    for (guint i = 0; i < n; i++) {
        views[i].dims[3] *= views[i].dims[2];
        views[i].dims[2] = 1;
    }
}

static Tile pointwise_tile(const ConvJob *job, gint32 width)
{
    return make_tile(job, vector_width(job, job->shape.k), job->shape.k, width);
}

static gsize prescaled_b(const ConvJob *job, const Tile *tile)
{
    return sizeof(float) * (gsize)job->shape.c * (gsize)(tile->vectors * tile->vw);
}

gboolean nn_conv_pointwise_prescales(const ConvJob *job)
{
    const Tile tile = pointwise_tile(job, nn_map_of(&job->y).w);
    return prescaled_b(job, &tile) <= most_local_b(job);
}

gboolean nn_conv_pointwise_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    NnView views[3] = { job->y, job->residual, job->x };
    if (job->shape.stride_h == 1 && job->shape.stride_w == 1 &&
        nn_map_of(&job->x).w == nn_map_of(&job->y).w)
        join_rows(views, G_N_ELEMENTS(views));
    const NnMap y = nn_map_of(&views[0]);
    const Tile tile = pointwise_tile(job, y.w);
    const NnView weights = pack_products(job, &tile), bias = pack_bias(job, &tile);
    g_autofree char *products = product_options(&tile), *epilogue = epilogue_options(job);
    const gint32 pixels = band_rows(job, y.w, y.h, 2 * tile.pixels);
    const gint32 chunk = MAX(pixels / tile.pixels, 1) * tile.pixels;

    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, "conv_rows.cl", "conv_pointwise",
        "-DCONV_POINTWISE %s %s" CONV_PRESCALE_OPTION, products, epilogue, job->prescaled);
    nn_launch_map(launch, &views[2]);
    nn_launch_buffer(launch, &weights);
    nn_launch_buffer(launch, &bias);
    nn_launch_map(launch, &views[1]);
    nn_launch_map(launch, &views[0]);
    nn_launch_bytes(launch, &job->shape, sizeof job->shape);
    nn_launch_int(launch, chunk);
    if (job->prescaled)
        nn_launch_local(launch, prescaled_b(job, &tile));
    nn_conv_launch_epilogue(launch, job);
    nn_conv_launch_prescale(launch, job);
    nn_launch_cost(launch, flops(job));
    nn_launch_tiles(job->recorder, launch, &job->y, y.w / chunk, y.h);
    return TRUE;
}

gboolean nn_conv_staged_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    const NnMap y = nn_map_of(&job->y);
    const Tile tile = make_tile(job, vector_width(job, job->shape.k), job->shape.k, y.w);
    const NnView weights = pack_products(job, &tile), bias = pack_bias(job, &tile);
    g_autofree char *products = product_options(&tile), *epilogue = epilogue_options(job);
    gint32 rows = band_rows(job, y.h, 1, 2 * job->shape.kh);
    while (rows > 1 && staged_b(job, rows) > most_local_b(job))
        rows--;

    NnLaunch *launch = nn_recorder_launch(job->recorder, job->node, "conv_rows.cl", "conv_staged",
                                          "-DCONV_STAGED %s %s", products, epilogue);
    nn_launch_map(launch, &job->x);
    nn_launch_buffer(launch, &weights);
    nn_launch_buffer(launch, &bias);
    nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    nn_launch_bytes(launch, &job->shape, sizeof job->shape);
    nn_launch_int(launch, rows);
    nn_launch_local(launch, staged_b(job, rows));
    nn_conv_launch_epilogue(launch, job);
    nn_launch_cost(launch, flops(job));
    nn_launch_tiles(job->recorder, launch, &job->y, (y.h + rows - 1) / rows, 1);
    return TRUE;
}

gboolean nn_conv_depthwise_rows_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    const gint32 vw = vector_width(job, job->shape.groups);
    const Tile tile = { .vw = vw, .vectors = 1, .blocks = (job->shape.groups + vw - 1) / vw };
    const NnView weights = pack_windows(job, &tile), bias = pack_bias(job, &tile);
    g_autofree char *windows = window_options(job), *epilogue = epilogue_options(job);
    const gint32 height = nn_map_of(&job->y).h, rows = band_rows(job, height, 1, 1);

    NnLaunch *launch =
        nn_recorder_launch(job->recorder, job->node, "conv_rows.cl", "conv_depthwise_rows",
                           "-DCONV_DEPTHWISE_ROWS -DVW=%d %s %s", vw, windows, epilogue);
    nn_launch_map(launch, &job->x);
    nn_launch_buffer(launch, &weights);
    nn_launch_buffer(launch, &bias);
    nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    nn_launch_bytes(launch, &job->shape, sizeof job->shape);
    nn_launch_int(launch, rows);
    nn_conv_launch_epilogue(launch, job);
    nn_launch_cost(launch, flops(job));
    nn_launch_tiles(job->recorder, launch, &job->y, (height + rows - 1) / rows, 1);
    return TRUE;
}

/* ---------------------------------------------------------------- two convolutions */

static gint32 window_columns(const ConvJob *job)
{
    return (nn_map_of(&job->y).w - 1) * job->shape.stride_w + job->shape.kw;
}

static gsize ring_b(const ConvJob *windows, const Tile *tile)
{
    return sizeof(float) * (gsize)windows->shape.kh * (gsize)window_columns(windows) *
           (gsize)(tile->vectors * tile->vw);
}

/* Columns of the first convolution that the windows of the second reach. */
static gint32 columns_used(const ConvJob *first, const ConvJob *second)
{
    return MIN(nn_map_of(&first->x).w, window_columns(second) - second->shape.pad_w);
}

/* Fewer channels, those of a head, are written one by one. */
#define LEAST_LANES 4

static Tile expanded_tile(const ConvJob *first, const ConvJob *second)
{
    return make_tile(first, MAX(vector_width(first, first->shape.k), LEAST_LANES), first->shape.k,
                     columns_used(first, second));
}

static gboolean writes_lanes(const ConvJob *job)
{
    const NnMap y = nn_map_of(&job->y), residual = nn_map_of(&job->residual);
    return y.c < LEAST_LANES && (y.c == 1 || (y.sc == 1 && residual.sc == 1)) &&
           job->node->out_scale < 0 && job->node->post_scale < 0;
}

/* The pool of what two convolutions compute, NULL if it is not asked for. */
static const NnView *pool_of(const ConvJob *second)
{
    return second->pooled ? second->pooled : second->pooled_too;
}

gboolean nn_conv_expanded_fits(const ConvJob *first, const ConvJob *second)
{
    if (!known_floats(first) || !known_floats(second) || first->has_residual ||
        !is_pointwise(&first->shape) || first->shape.stride_h != 1 || first->shape.stride_w != 1 ||
        !is_depthwise(&second->shape) || !(writes_vectors(second) || writes_lanes(second)) ||
        columns_used(first, second) < 1)
        return FALSE;
    if (pool_of(second) && (!has_vectors(second, pool_of(second)) || !writes_vectors(second) ||
                            nn_map_of(&second->y).w < 2))
        return FALSE;
    const NnMap x = nn_map_of(&first->x);
    const Tile tile = expanded_tile(first, second);
    return (x.sc == 1 || x.c == 1) && ring_b(second, &tile) <= most_local_b(first);
}

static gsize between_b(const ConvJob *windows)
{
    return sizeof(float) * (gsize)nn_map_of(&windows->y).w * (gsize)windows->shape.groups;
}

gboolean nn_conv_separable_fits(const ConvJob *first, const ConvJob *second)
{
    return !pool_of(second) && known_floats(first) && known_floats(second) &&
           !first->has_residual && is_depthwise(&first->shape) && is_pointwise(&second->shape) &&
           second->shape.stride_h == 1 && second->shape.stride_w == 1 &&
           has_vectors(first, &first->x) && writes_vectors(second) &&
           between_b(first) <= most_local_b(first);
}

/* What both kinds of pairs have in common, once first weights and bias are there. @blocks: those of
 * a work-item, 0 for all. */
static void finish_pair(NnLaunch *launch, const ConvJob *first, const ConvJob *second,
                        const NnView *weights, const NnView *bias, const ConvShape *windows,
                        gint32 rows, gint32 blocks, gsize local_b)
{
    nn_launch_buffer(launch, weights);
    nn_launch_buffer(launch, bias);
    nn_launch_map(launch, &second->residual);
    nn_launch_map(launch, pool_of(second) ? pool_of(second) : &second->y);
    nn_launch_bytes(launch, windows, sizeof *windows);
    nn_launch_int(launch, rows);
    if (blocks > 0)
        nn_launch_int(launch, blocks);
    nn_launch_local(launch, local_b);
    nn_launch_activation(launch, first->node);
    nn_conv_launch_epilogue(launch, second);
    nn_launch_cost(launch, flops(first) + flops(second));
}

void nn_conv_expanded_record(const ConvJob *first, const ConvJob *second)
{
    const Tile tile = expanded_tile(first, second);
    const NnView first_weights = pack_products(first, &tile), first_bias = pack_bias(first, &tile);
    const NnView weights = pack_windows(second, &tile), bias = pack_bias(second, &tile);
    g_autofree char *products = product_options(&tile), *windows = window_options(second);
    g_autofree char *epilogue = epilogue_options(second);
    /* Each band computes kh - stride rows that its neighbour computes, too, which two tall ones for
     * each core make up for. All blocks in one work-item read the input once, but need bands enough
     * and larger rings. */
    const gint32 height = nn_map_of(&second->y).h, least = 8 * (second->shape.kh - 1);
    const gint32 cores = (gint32)nn_recorder_device(second->recorder)->compute_units;
    const gboolean together =
        height >= 2 * cores * least && tile.blocks * ring_b(second, &tile) <= most_local_b(second);
    const gint32 each = together ? tile.blocks : 1, parts = tile.blocks / each;
    const gint32 pool = pool_of(second) ? 2 : 1;
    const gint32 half = (height * parts + 2 * cores - 1) / (2 * cores);
    const gint32 rows =
        band_rows(second, height / pool, parts, CLAMP(half, least, 2 * least) / pool);

    const gint32 lanes = MIN(first->shape.k, LEAST_LANES);
    g_autofree char *few =
        lanes < LEAST_LANES ? g_strdup_printf(" -DLANES=%d", lanes) : g_strdup("");
    NnLaunch *launch = nn_recorder_launch(
        second->recorder, second->node, "conv_rows.cl", "conv_expanded",
        "-DCONV_EXPANDED %s %s %s -DFIRST_ACT=%d -DPOOL=%d%s%s", products, windows, epilogue,
        first->node->activation.type, pool, few, second->pooled_too ? " -DKEPT" : "");
    nn_launch_map(launch, &first->x);
    nn_launch_buffer(launch, &first_weights);
    nn_launch_buffer(launch, &first_bias);
    finish_pair(launch, first, second, &weights, &bias, &second->shape, rows, each,
                (gsize)each * ring_b(second, &tile));
    if (second->pooled_too)
        nn_launch_map(launch, &second->y);
    nn_launch_tiles(second->recorder, launch, &second->y, parts, (height / pool + rows - 1) / rows);
}

void nn_conv_separable_record(const ConvJob *first, const ConvJob *second)
{
    const gint32 channels = first->shape.groups;
    const gint32 vw = MIN(vector_width(first, channels), vector_width(second, second->shape.k));
    const Tile tile = make_tile(second, vw, second->shape.k, nn_map_of(&second->y).w);
    const Tile vectors = { .vw = vw, .vectors = 1, .blocks = (channels + vw - 1) / vw };
    const NnView first_weights = pack_windows(first, &vectors),
                 first_bias = pack_bias(first, &vectors);
    const NnView weights = pack_products(second, &tile), bias = pack_bias(second, &tile);
    g_autofree char *products = product_options(&tile), *windows = window_options(first);
    g_autofree char *epilogue = epilogue_options(second);
    const gint32 height = nn_map_of(&second->y).h, rows = band_rows(second, height, 1, 1);

    NnLaunch *launch =
        nn_recorder_launch(second->recorder, second->node, "conv_rows.cl", "conv_separable",
                           "-DCONV_SEPARABLE %s %s %s -DFIRST_ACT=%d", products, windows, epilogue,
                           first->node->activation.type);
    nn_launch_map(launch, &first->x);
    nn_launch_buffer(launch, &first_weights);
    nn_launch_buffer(launch, &first_bias);
    finish_pair(launch, first, second, &weights, &bias, &first->shape, rows, 0, between_b(first));
    nn_launch_tiles(second->recorder, launch, &second->y, (height + rows - 1) / rows, 1);
}

/* ---------------------------------------------------------------- two of a single pixel */

static gboolean is_point(const ConvJob *job)
{
    const NnMap x = nn_map_of(&job->x);
    return known_floats(job) && is_pointwise(&job->shape) && job->shape.stride_h == 1 &&
           job->shape.stride_w == 1 && x.h == 1 && x.w == 1 && vector_width(job, job->shape.k) > 0;
}

static gsize points_b(const ConvJob *first)
{
    return sizeof(float) * ((gsize)first->shape.c + (gsize)first->shape.k);
}

gboolean nn_conv_points_fits(const ConvJob *first, const ConvJob *second)
{
    return is_point(first) && is_point(second) && !first->has_residual && !pool_of(second) &&
           writes_vectors(second) && points_b(first) <= most_local_b(first);
}

static Tile vector_tile(const ConvJob *job, gint32 vw)
{
    return (Tile){ .vw = vw, .pixels = 1, .vectors = 1, .blocks = (job->shape.k + vw - 1) / vw };
}

void nn_conv_points_record(const ConvJob *first, const ConvJob *second)
{
    const gint32 vw =
        MIN(vector_width(first, first->shape.k), vector_width(second, second->shape.k));
    const Tile before = vector_tile(first, vw), after = vector_tile(second, vw);
    const NnView first_weights = pack_products(first, &before),
                 first_bias = pack_bias(first, &before);
    const NnView weights = pack_products(second, &after), bias = pack_bias(second, &after);
    g_autofree char *epilogue = epilogue_options(second);

    NnLaunch *launch = nn_recorder_launch(second->recorder, second->node, "conv_rows.cl",
                                          "conv_points", "-DCONV_POINTS -DVW=%d %s -DFIRST_ACT=%d",
                                          vw, epilogue, first->node->activation.type);
    nn_launch_map(launch, &first->x);
    nn_launch_buffer(launch, &first_weights);
    nn_launch_buffer(launch, &first_bias);
    finish_pair(launch, first, second, &weights, &bias, &second->shape, first->shape.k, 0,
                points_b(first));
    nn_launch_tiles(second->recorder, launch, &second->y, 1, 1);
}
