/* launch_conv_wide.c - convolutions on GPUs, beside those on tensor cores: depthwise ones, and
 * those with few outputs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"
#include "launch_wide.h"

#include <string.h>

static gboolean has_constants(const ConvJob *job)
{
    return job->weight_values && (!job->has_bias || job->bias_values);
}

static float weight_at(const ConvJob *job, gint64 group, gint64 k, gint64 c, gint64 tap)
{
    const gint64 *stride = job->weights.strides;
    return job
        ->weight_values[job->weights.offset + group * stride[0] + k * stride[1] + c * stride[2] +
                        tap / job->shape.kw * stride[3] + tap % job->shape.kw * stride[4]];
}

static NnView pack_bias(const ConvJob *job)
{
    const gsize n = (gsize)job->shape.groups * (gsize)job->shape.k;
    g_autofree float *bias = g_new0(float, n);
    if (job->has_bias)
        memcpy(bias, job->bias_values, n * sizeof *bias);
    return nn_recorder_constant(job->recorder, NN_FLOAT32, n, bias);
}

static void add_arguments(NnLaunch *launch, const ConvJob *job, const NnView *weights,
                          const NnView *bias)
{
    const ConvShape *shape = &job->shape;
    nn_launch_map(launch, &job->x);
    nn_launch_buffer(launch, weights);
    nn_launch_buffer(launch, bias);
    nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    nn_launch_bytes(launch, shape, sizeof *shape);
    nn_conv_launch_epilogue(launch, job);
    nn_launch_cost(launch, 2.0 * (double)nn_view_count(&job->y) * shape->c * shape->kh * shape->kw);
}

/* ---------------------------------------------------------------- depthwise */

/* Columns that four pixels see, and filter taps, that are unrolled at most. */
#define MOST_COLUMNS 32
#define MOST_TAPS 64
/* Work-items that keep a large GPU busy: below, each takes fewer pixels. */
#define ENOUGH_ITEMS 65536

static int depthwise_pixels(const ConvJob *job)
{
    return nn_view_count(&job->y) / NN_WIDE / 4 >= ENOUGH_ITEMS ? 4 : 2;
}

gboolean nn_conv_depthwise_wide_fits(gconstpointer data)
{
    const ConvJob *job = data;
    const ConvShape *shape = &job->shape;
    return nn_gpu_variant(job->recorder, "conv_depthwise_wide") && shape->c == 1 && shape->k == 1 &&
           has_constants(job) && job->x.type == job->y.type && job->residual.type == job->y.type &&
           3 * shape->stride_w + (shape->kw - 1) * shape->dilation_w + 1 <= MOST_COLUMNS &&
           shape->kh * shape->kw <= MOST_TAPS && nn_view_is_wide(&job->x, 1) &&
           nn_view_is_wide(&job->y, 1) && nn_view_is_wide(&job->residual, 1);
}

static NnView pack_depthwise(const ConvJob *job)
{
    const gint64 taps = (gint64)job->shape.kh * job->shape.kw;
    const gsize n = (gsize)(job->shape.groups * taps);
    g_autofree float *packed = g_new(float, MAX(n, 1));
    for (gint64 c = 0; c < job->shape.groups; c++)
        for (gint64 t = 0; t < taps; t++)
            packed[(c / NN_WIDE * taps + t) * NN_WIDE + c % NN_WIDE] = weight_at(job, c, 0, 0, t);
    return nn_recorder_constant(job->recorder, NN_FLOAT32, MAX(n, 1), packed);
}

gboolean nn_conv_depthwise_wide_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    const ConvShape *shape = &job->shape;
    const NnView weights = pack_depthwise(job), bias = pack_bias(job);
    const int pixels = depthwise_pixels(job);
    NnLaunch *launch =
        nn_recorder_launch(job->recorder, job->node, "conv_wide.cl", "conv_depthwise_wide",
                           "-DT=%s -DKH=%d -DKW=%d -DSTRIDE=%d -DDILATION=%d -DP=%d "
                           "-DRESIDUAL=%d" CONV_EPILOGUE_OPTION,
                           nn_kernel_type(job->y.type), shape->kh, shape->kw, shape->stride_w,
                           shape->dilation_w, pixels, job->has_residual, CONV_EPILOGUE(job));
    add_arguments(launch, job, &weights, &bias);
    const gint64 tiles = (job->y.dims[3] + pixels - 1) / pixels * job->y.dims[2];
    nn_launch_items(launch, &job->y, tiles * shape->groups / NN_WIDE, 1);
    return TRUE;
}

/* ---------------------------------------------------------------- few outputs */

#define FEW 8          /* outputs that one work-item has sums for */
#define FEW_WEIGHTS 12 /* of a row of taps, for one channel, that it keeps */
#define GROUP 128
#define FEW_PIXELS 8 /* of a row at a time, where there are many, for one or two outputs */
#define MOST_LANES 8 /* 128 bytes of halves */

gboolean nn_conv_few_fits(gconstpointer data)
{
    const ConvJob *job = data;
    return nn_gpu_variant(job->recorder, "conv_few") && nn_group_fits(job->recorder, GROUP) &&
           job->shape.groups == 1 && job->shape.k <= FEW &&
           job->shape.k * job->shape.kw <= FEW_WEIGHTS && has_constants(job) &&
           nn_view_is_wide(&job->x, 1);
}

static NnView pack_few(const ConvJob *job)
{
    const gboolean fp16 = job->x.type == NN_FLOAT16;
    g_autofree float *values = NULL;
    const ConvJob rounded = fp16 ? nn_conv_rounded(job, &values) : *job;
    job = &rounded;
    const ConvShape *shape = &job->shape;
    const gint64 taps = (gint64)shape->kh * shape->kw, k_n = shape->k;
    const gsize n = (gsize)(k_n * taps * shape->c);
    g_autofree float *packed = g_new(float, MAX(n, 1));
    for (gint64 t = 0; t < taps; t++)
        for (gint64 c = 0; c < shape->c; c++)
            for (gint64 k = 0; k < k_n; k++)
                packed[((t * shape->c + c / NN_WIDE * NN_WIDE) * k_n) + k * NN_WIDE + c % NN_WIDE] =
                    weight_at(job, 0, k, c, t);
    g_autofree guint16 *halves = g_new(guint16, MAX(n, 1));
    for (gsize i = 0; i < n; i++)
        halves[i] = nn_float_to_half(packed[i]);
    return nn_recorder_constant(job->recorder, job->x.type, MAX(n, 1),
                                fp16 ? (gconstpointer)halves : packed);
}

gboolean nn_conv_few_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    const ConvShape *shape = &job->shape;
    const NnView weights = pack_few(job), bias = pack_bias(job);
    int lanes = 1;
    while (lanes * 2 <= shape->c / NN_WIDE && lanes < MOST_LANES)
        lanes *= 2;
    const gint64 all = job->y.dims[2] * job->y.dims[3];
    int pixels = shape->k <= 2 ? FEW_PIXELS : FEW_PIXELS / 2;
    while (pixels > 1 && all * lanes < ENOUGH_ITEMS * pixels)
        pixels /= 2;
    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, "conv_wide.cl", "conv_few",
        "-DTX=%s -DTR=%s -DTY=%s -DKH=%d -DKW=%d -DSTRIDE=%d "
        "-DDILATION=%d -DK=%d -DLANES=%d -DP=%d -DGROUP=%d -DRESIDUAL=%d" CONV_EPILOGUE_OPTION
            CONV_PRESCALE_OPTION,
        nn_kernel_type(job->x.type), nn_kernel_type(job->residual.type),
        nn_kernel_type(job->y.type), shape->kh, shape->kw, shape->stride_w, shape->dilation_w,
        shape->k, lanes, pixels, GROUP, job->has_residual, CONV_EPILOGUE(job), job->prescaled);
    add_arguments(launch, job, &weights, &bias);
    nn_conv_launch_prescale(launch, job);
    const gint64 tiles = (job->y.dims[3] + pixels - 1) / pixels * job->y.dims[2];
    const gint64 per_group = GROUP / lanes;
    const gsize global[3] = { (gsize)((tiles + per_group - 1) / per_group) * GROUP, 1, 1 };
    const gsize local[3] = { GROUP, 1, 1 };
    nn_launch_size(launch, 3, global, local, 2);
    return TRUE;
}
