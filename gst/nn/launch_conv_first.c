/* launch_conv_first.c - convolutions of up to four channels on NVIDIA's tensor cores.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"

#define NAME "conv_first"

/* Of kernels/conv_first.cl. */
#define TILE_H 8
#define TILE_W 16
#define THREADS 128
#define LANES 32
#define MAX_CHANNELS 4 /* of the input: one step has as many, of as many pixels */
#define MAX_STEPS 4
#define MAX_STRIDE 2
#define MAX_BN 64

#define RESIDENT 4 /* work-groups on a multiprocessor, by their registers */

static int count_steps(const ConvShape *shape)
{
    return shape->kh * ((shape->kw + MAX_CHANNELS - 1) / MAX_CHANNELS);
}

static int tile_channels(const ConvShape *shape)
{
    return shape->k <= 16 ? 16 : shape->k <= 32 ? 32 : MAX_BN;
}

gboolean nn_conv_first_fits(gconstpointer data)
{
    const ConvJob *job = data;
    const ConvShape *shape = &job->shape;
    return nn_conv_tensor_fits_device(job, NAME) && nn_conv_tensor_fits_sums(job) &&
           shape->c <= MAX_CHANNELS && shape->kh > 0 && shape->kw > 0 &&
           count_steps(shape) <= MAX_STEPS && shape->stride_h <= MAX_STRIDE &&
           shape->stride_w <= MAX_STRIDE && shape->dilation_h == 1 && shape->dilation_w == 1 &&
           !job->norm && !job->pooled_too && !job->resized && !job->normed;
}

/* Where input (row, column, channel) of the filter is for output @k: fragments of mma.m16n8k16. */
static gint64 place_in_fragments(const ConvShape *shape, gint64 k, gint64 r, gint64 s, gint64 c)
{
    const gint64 bn = tile_channels(shape), steps = count_steps(shape);
    const gint64 step = r * (steps / shape->kh) + s / MAX_CHANNELS;
    const gint64 inner = s % MAX_CHANNELS * MAX_CHANNELS + c; /* of 16 */
    const gint64 eight = (k / bn * steps + step) * (bn / 8) + k % bn / 8;
    const gint64 lane = k % 8 * 4 + inner % 8 / 2;
    return ((eight * LANES + lane) * 2 + inner / 8) * 2 + inner % 2;
}

static NnView pack_weights(const ConvJob *job)
{
    g_autofree float *values = NULL;
    const ConvJob rounded = nn_conv_rounded(job, &values);
    job = &rounded;
    const ConvShape *shape = &job->shape;
    const gint64 *stride = job->weights.strides, bn = tile_channels(shape);
    const gsize n = (gsize)((shape->k + bn - 1) / bn * bn * count_steps(shape) * 16);
    g_autofree guint16 *packed = g_new0(guint16, n);
    for (gint64 k = 0; k < shape->k; k++) {
        const float *from = job->weight_values + job->weights.offset + k * stride[1];
        for (gint64 c = 0; c < shape->c; c++)
            for (gint64 r = 0; r < shape->kh; r++)
                for (gint64 s = 0; s < shape->kw; s++)
                    packed[place_in_fragments(shape, k, r, s, c)] =
                        nn_float_to_half(from[c * stride[2] + r * stride[3] + s * stride[4]]);
    }
    return nn_recorder_constant(job->recorder, NN_FLOAT16, n, packed);
}

/* Work-groups of a sample: such that those of a full batch fill the device once, all with as many
 * tiles. */
static gint64 count_groups(const ConvJob *job)
{
    const NnMap y = nn_map_of(&job->y);
    const gint64 tiles = (y.w + TILE_W - 1) / TILE_W * ((y.h + TILE_H - 1) / TILE_H);
    /* Where it is emulated, so few that rounds are tested. */
    const gint64 units =
        nn_conv_tensor_emulated(job) ? 1 : (gint64)nn_recorder_device(job->recorder)->compute_units;
    const gint64 walkers = MAX(units * RESIDENT / nn_recorder_max_samples(job->recorder), 1);
    const gint64 rounds = (tiles + walkers - 1) / walkers;
    return (tiles + rounds - 1) / rounds;
}

gboolean nn_conv_first_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    const ConvShape *shape = &job->shape;
    const NnView weights = pack_weights(job);
    const int bn = tile_channels(shape);
    const ConvGrid grid = { .kernel = NAME,
                            .emulated = nn_conv_tensor_emulated(job),
                            .tiles = count_groups(job),
                            .channel_tiles = (shape->k + bn - 1) / bn,
                            .splits = 1,
                            .threads = THREADS,
                            .parts = 1 };
    g_autofree char *options =
        g_strdup_printf("-DBN=%d -DROWS=%d -DCOLUMNS=%d -DSTRIDE_Y=%d -DSTRIDE_X=%d", bn, shape->kh,
                        shape->kw, shape->stride_h, shape->stride_w);
    nn_conv_tensor_launch(job, &grid, &weights, options);
    return TRUE;
}
