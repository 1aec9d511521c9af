/* launch_conv_plain.c - convolutions on any device, by the kernels of conv.cl: one output after the
 * other, vectors of outputs, and one filter per channel.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"

static gboolean same_type(const ConvJob *job)
{
    return job->x.type == job->y.type && job->residual.type == job->y.type;
}

static double flops(const ConvJob *job)
{
    const ConvShape *shape = &job->shape;
    return 2.0 * nn_view_count(&job->y) * shape->c * shape->kh * shape->kw;
}

static void finish_launch(NnLaunch *launch, const ConvJob *job)
{
    nn_launch_bytes(launch, &job->shape, sizeof job->shape);
    nn_conv_launch_epilogue(launch, job);
    nn_launch_cost(launch, flops(job));
}

/* ---------------------------------------------------------------- general */

#define GENERAL_OUTPUTS 4 /* OUTPUTS in conv.cl */

gboolean nn_conv_general_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, "conv.cl", "conv_general",
        "-DTX=%s -DTW=%s -DTB=%s -DTR=%s -DTY=%s -DBIAS=%d -DRESIDUAL=%d" CONV_EPILOGUE_OPTION,
        nn_kernel_type(job->x.type), nn_kernel_type(job->weights.type),
        nn_kernel_type(job->bias.type), nn_kernel_type(job->residual.type),
        nn_kernel_type(job->y.type), job->has_bias, job->has_residual, CONV_EPILOGUE(job));
    nn_launch_map(launch, &job->x);
    nn_launch_strided(launch, &job->weights);
    nn_launch_strided(launch, &job->bias);
    nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    finish_launch(launch, job);

    const NnMap y = nn_map_of(&job->y);
    const gint64 blocks = (job->shape.k + GENERAL_OUTPUTS - 1) / GENERAL_OUTPUTS;
    nn_launch_items(launch, &job->y, job->shape.groups * blocks * y.h * y.w, 1);
    return TRUE;
}

/* ---------------------------------------------------------------- vector */

/* Registers: P * KB sums, KB weights. 8 x 2 is the best of the AVX-512 tilings measured on PoCL 3.1
 * (438 of 467 GFLOP/s); 16 registers of AVX2 or SSE hold 6 x 2. */
static void vector_tile(const ConvJob *job, guint vw, guint *pixels, guint *vectors)
{
    *vectors = (guint)job->shape.k > vw ? 2 : 1;
    *pixels = vw == 16 ? (*vectors == 2 ? 8 : 12) : vw == 8 ? 6 : 4;
}

/* Lanes: not more than twice the outputs. */
static guint output_vector_width(const ConvJob *job)
{
    guint vw = nn_vector_width(job->recorder);
    while (vw > 4 && (guint)job->shape.k <= vw / 2)
        vw /= 2;
    return vw;
}

gboolean nn_conv_vector_fits(gconstpointer data)
{
    const ConvJob *job = data;
    return job->weight_values && (!job->has_bias || job->bias_values) && same_type(job) &&
           (job->shape.c == 1 || nn_map_of(&job->x).sc == 1);
}

/* Weights as [groups][blocks of @n outputs][kh][kw][c][n], zero past the last output. */
static NnView pack_weights(const ConvJob *job, gint64 n)
{
    const ConvShape *shape = &job->shape;
    const gint64 *stride = job->weights.strides;
    const gint64 blocks = (shape->k + n - 1) / n;
    const gsize count = (gsize)(shape->groups * blocks * n) * shape->kh * shape->kw * shape->c;
    g_autofree float *packed = g_new0(float, MAX(count, 1));
    float *to = packed;
    for (gint64 g = 0; g < shape->groups; g++)
        for (gint64 b = 0; b < blocks; b++)
            for (gint64 r = 0; r < shape->kh; r++)
                for (gint64 s = 0; s < shape->kw; s++)
                    for (gint64 c = 0; c < shape->c; c++, to += n)
                        for (gint64 k = b * n; k < MIN((b + 1) * n, shape->k); k++)
                            to[k - b * n] = job->weight_values[job->weights.offset + g * stride[0] +
                                                               k * stride[1] + c * stride[2] +
                                                               r * stride[3] + s * stride[4]];
    return nn_recorder_constant(job->recorder, NN_FLOAT32, MAX(count, 1), packed);
}

/* Bias as [groups][blocks][n], zero where there is none. */
static NnView pack_bias(const ConvJob *job, gint64 n)
{
    const ConvShape *shape = &job->shape;
    const gint64 blocks = (shape->k + n - 1) / n;
    g_autofree float *packed = g_new0(float, shape->groups *blocks *n);
    for (gint64 g = 0; job->has_bias && g < shape->groups; g++)
        for (gint64 k = 0; k < shape->k; k++)
            packed[g * blocks * n + k] = job->bias_values[g * shape->k + k];
    return nn_recorder_constant(job->recorder, NN_FLOAT32, (gsize)(shape->groups * blocks * n),
                                packed);
}

static NnView zeros(const ConvJob *job)
{
    g_autofree float *values = g_new0(float, job->shape.c);
    return nn_recorder_constant(job->recorder, job->x.type, (gsize)job->shape.c, values);
}

/* Tiles that one work-item goes through: on a CPU at least 4096 multiply-adds of vectors (about 1
 * us against 9 ns for starting it), but leaving every core 16 work-items or more. */
static gint64 tiles_each(const ConvJob *job, gint64 tiles, gint64 sums)
{
    const OclDevice *device = nn_recorder_device(job->recorder);
    const gint64 work = sums * job->shape.c * job->shape.kh * job->shape.kw;
    if (device->device_class != OCL_CLASS_CPU)
        return 1;
    return CLAMP(MIN(4096 / MAX(work, 1), tiles / (16 * (gint64)device->compute_units)), 1, 64);
}

gboolean nn_conv_vector_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    const guint vw = output_vector_width(job);
    guint pixels, vectors;
    vector_tile(job, vw, &pixels, &vectors);
    const gint64 n = vectors * vw;
    const NnView weights = pack_weights(job, n), bias = pack_bias(job, n), zero = zeros(job);

    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, "conv.cl", "conv_vector",
        "-DVW=%u -DKB=%u -DP=%u -DRESIDUAL=%d%s" CONV_EPILOGUE_OPTION, vw, vectors, pixels,
        job->has_residual, job->y.type == NN_FLOAT16 ? " -DFP16" : "", CONV_EPILOGUE(job));
    nn_launch_map(launch, &job->x);
    nn_launch_buffer(launch, &weights);
    nn_launch_buffer(launch, &bias);
    nn_launch_buffer(launch, &zero);
    nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    finish_launch(launch, job);

    const NnMap y = nn_map_of(&job->y);
    const gint64 tiles = ((gint64)y.h * y.w + pixels - 1) / pixels;
    const gint64 blocks = (job->shape.k + n - 1) / n;
    const gint64 each = tiles_each(job, tiles * blocks * job->shape.groups, pixels * vectors);
    nn_launch_int(launch, (gint32)each);
    nn_launch_tiles(job->recorder, launch, &job->y, (tiles + each - 1) / each,
                    blocks * job->shape.groups);
    return TRUE;
}

/* ---------------------------------------------------------------- depthwise */

#define DEPTHWISE_PIXELS 4

gboolean nn_conv_depthwise_fits(gconstpointer data)
{
    const ConvJob *job = data;
    return job->shape.c == 1 && job->shape.k == 1 && job->weight_values &&
           (!job->has_bias || job->bias_values) && same_type(job) && nn_map_of(&job->x).sc == 1 &&
           nn_map_of(&job->y).sc == 1 && nn_map_of(&job->residual).sc == 1;
}

/* Weights as [kh][kw][c]. */
static NnView pack_depthwise(const ConvJob *job)
{
    const ConvShape *shape = &job->shape;
    const gint64 *stride = job->weights.strides;
    const gsize count = (gsize)shape->kh * shape->kw * shape->groups;
    g_autofree float *packed = g_new0(float, MAX(count, 1));
    float *to = packed;
    for (gint64 r = 0; r < shape->kh; r++)
        for (gint64 s = 0; s < shape->kw; s++)
            for (gint64 c = 0; c < shape->groups; c++)
                *to++ = job->weight_values[job->weights.offset + c * stride[0] + r * stride[3] +
                                           s * stride[4]];
    return nn_recorder_constant(job->recorder, NN_FLOAT32, MAX(count, 1), packed);
}

gboolean nn_conv_depthwise_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    const NnView weights = pack_depthwise(job), bias = pack_bias(job, 1);
    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, "conv.cl", "conv_depthwise",
        "-DVW=%u -DP=%d -DRESIDUAL=%d%s" CONV_EPILOGUE_OPTION,
        nn_channel_vector_width(job->recorder, job->shape.groups), DEPTHWISE_PIXELS,
        job->has_residual, job->y.type == NN_FLOAT16 ? " -DFP16" : "", CONV_EPILOGUE(job));
    nn_launch_map(launch, &job->x);
    nn_launch_buffer(launch, &weights);
    nn_launch_buffer(launch, &bias);
    nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    finish_launch(launch, job);

    const NnMap y = nn_map_of(&job->y);
    nn_launch_tiles(job->recorder, launch, &job->y, (y.w + DEPTHWISE_PIXELS - 1) / DEPTHWISE_PIXELS,
                    y.h);
    return TRUE;
}
