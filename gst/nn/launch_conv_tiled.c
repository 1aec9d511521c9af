/* launch_conv_tiled.c - convolutions on GPUs without tensor cores, and in float32: tiles in local
 * memory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"
#include "launch_wide.h"

#include <string.h>

#define TILE_DEPTH 16 /* BK in conv_tiled.cl */

/* What a work-group computes, and what each of its work-items. */
typedef struct {
    const char *name;
    int pixels, outputs, item_pixels, item_outputs;
} Tile;

/* From large to small. The largest reads the least of local memory for its sums, 16 floats for 64
 * instead of 12 for 32, but takes registers that not every GPU has: it is only for measurements to
 * choose. */
static const Tile tiles[] = {
    { "128x128", 128, 128, 8, 8 }, { "128x64", 128, 64, 8, 4 }, { "64x64", 64, 64, 8, 4 },
    { "128x32", 128, 32, 8, 4 },   { "64x32", 64, 32, 8, 4 },
};
#define FIRST_BY_RULE 1
#define SMALLEST (G_N_ELEMENTS(tiles) - 1)

static guint group_of(const Tile *tile)
{
    return (guint)(tile->pixels / tile->item_pixels * (tile->outputs / tile->item_outputs));
}

static gint64 blocks_of(gint64 n, int each)
{
    return (n + each - 1) / each;
}

/* Work-groups of a full batch. */
static gint64 groups_of(const ConvJob *job, const Tile *tile)
{
    return blocks_of(job->y.dims[2] * job->y.dims[3], tile->pixels) *
           blocks_of(job->shape.k, tile->outputs) * nn_recorder_max_samples(job->recorder);
}

/* The first that the device can run, that is no wider than the outputs ask for, and that leaves no
 * compute unit with less than two work-groups, one of which waits for memory while the other
 * adds. */
static const Tile *tile_by_rule(const ConvJob *job)
{
    const gint64 enough = 2 * (gint64)nn_recorder_device(job->recorder)->compute_units;
    for (guint i = FIRST_BY_RULE; i < SMALLEST; i++)
        if (nn_group_fits(job->recorder, group_of(&tiles[i])) &&
            job->shape.k > tiles[i].outputs / 2 && groups_of(job, &tiles[i]) >= enough)
            return &tiles[i];
    return &tiles[SMALLEST];
}

/* NULL if the tile that is asked for does not exist or the device cannot run it. */
static const Tile *choose_tile(const ConvJob *job)
{
    const char *forced = nn_conv_forced_tile(job, "conv_tiled");
    const Tile *tile = forced && *forced ? NULL : tile_by_rule(job);
    for (guint i = 0; i < G_N_ELEMENTS(tiles) && !tile; i++)
        if (strcmp(tiles[i].name, forced) == 0)
            tile = &tiles[i];
    return tile && nn_group_fits(job->recorder, group_of(tile)) ? tile : NULL;
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
           choose_tile(job) != NULL;
}

/* Fewer outputs leave half of the narrowest tile and more unused. */
gboolean nn_conv_tiled_pays(gconstpointer data)
{
    const ConvJob *job = data;
    return job->shape.k >= tiles[SMALLEST].outputs / 2;
}

static NnView pack_weights(const ConvJob *job, const Tile *tile)
{
    const ConvShape *shape = &job->shape;
    const gint64 *stride = job->weights.strides;
    const gint64 rows =
        blocks_of((gint64)shape->kh * shape->kw * shape->c, TILE_DEPTH) * TILE_DEPTH;
    const gint64 pitch = blocks_of(shape->k, tile->outputs) * tile->outputs;
    const gsize n = (gsize)MAX(rows * pitch, 1);
    g_autofree float *packed = g_new0(float, n);
    float *to = packed;
    for (gint64 r = 0; r < shape->kh; r++)
        for (gint64 s = 0; s < shape->kw; s++)
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

gboolean nn_conv_tiled_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    const Tile *tile = choose_tile(job);
    const NnView weights = pack_weights(job, tile), bias = pack_bias(job);
    const gboolean wide_y = nn_view_is_wide(&job->y, 1) && nn_view_is_wide(&job->residual, 1);
    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, "conv_tiled.cl", "conv_tiled",
        "-DTX=%s -DTR=%s -DTY=%s -DBM=%d -DBN=%d -DTM=%d -DTN=%d -DWIDE_X=%d -DWIDE_Y=%d "
        "-DRESIDUAL=%d" CONV_EPILOGUE_OPTION,
        nn_kernel_type(job->x.type), nn_kernel_type(job->residual.type),
        nn_kernel_type(job->y.type), tile->pixels, tile->outputs, tile->item_pixels,
        tile->item_outputs, nn_view_is_wide(&job->x, 1), wide_y, nn_conv_residual(job),
        CONV_EPILOGUE(job));
    nn_launch_map(launch, &job->x);
    nn_launch_buffer(launch, &weights);
    nn_launch_buffer(launch, &bias);
    nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    nn_launch_bytes(launch, &job->shape, sizeof job->shape);
    nn_conv_launch_epilogue(launch, job);
    nn_launch_cost(launch, 2.0 * (double)nn_view_count(&job->y) * job->shape.c * job->shape.kh *
                               job->shape.kw);
    const gsize group = group_of(tile);
    const gsize global[3] = { (gsize)blocks_of(job->y.dims[2] * job->y.dims[3], tile->pixels) *
                                  group,
                              (gsize)blocks_of(job->shape.k, tile->outputs), 1 };
    const gsize local[3] = { group, 1, 1 };
    nn_launch_size(launch, 3, global, local, 2);
    return TRUE;
}
