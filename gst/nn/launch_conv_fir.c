/* launch_conv_fir.c - depthwise convolutions as resampling filters are (kernels/conv_fir.cl).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"
#include "launch_wide.h"

#include <math.h>
#include <string.h>

static float weight_at(const ConvJob *job, gint64 channel, gint64 r, gint64 s)
{
    const gint64 *stride = job->weights.strides;
    return job
        ->weight_values[job->weights.offset + channel * stride[0] + r * stride[3] + s * stride[4]];
}

static gboolean is_depthwise(const ConvJob *job)
{
    return job->shape.c == 1 && job->shape.k == 1 && job->weight_values &&
           (!job->has_bias || job->bias_values);
}

static NnView pack_bias(const ConvJob *job)
{
    const gsize n = (gsize)job->shape.groups;
    g_autofree float *bias = g_new0(float, n);
    if (job->has_bias)
        memcpy(bias, job->bias_values, n * sizeof *bias);
    return nn_recorder_constant(job->recorder, NN_FLOAT32, n, bias);
}

/* ---------------------------------------------------------------- outer products */

#define MOST_TAPS 8 /* of a row or column */
#define PIXELS 2
#define ROWS 8

/* Mirrors kernels/conv_fir.cl. */
typedef struct {
    float row[MOST_TAPS], column[MOST_TAPS];
    gint32 pad_h, pad_w;
} Fir;

/* Splits the filter of all channels, if they have the same and it is one column times one row to
 * within the rounding of its numbers. */
static gboolean split_filter(const ConvJob *job, Fir *fir)
{
    const ConvShape *shape = &job->shape;
    gint64 top_r = 0, top_s = 0;
    *fir = (Fir){ .pad_h = shape->pad_h, .pad_w = shape->pad_w };
    for (gint64 r = 0; r < shape->kh; r++)
        for (gint64 s = 0; s < shape->kw; s++)
            if (fabsf(weight_at(job, 0, r, s)) > fabsf(weight_at(job, 0, top_r, top_s))) {
                top_r = r;
                top_s = s;
            }
    const float top = weight_at(job, 0, top_r, top_s);
    for (gint64 r = 0; r < shape->kh; r++)
        fir->row[r] = weight_at(job, 0, r, top_s);
    for (gint64 s = 0; s < shape->kw; s++)
        fir->column[s] = top == 0 ? 0 : weight_at(job, 0, top_r, s) / top;
    for (gint64 c = 0; c < shape->groups; c++)
        for (gint64 r = 0; r < shape->kh; r++)
            for (gint64 s = 0; s < shape->kw; s++)
                if (fabsf(weight_at(job, c, r, s) - fir->row[r] * fir->column[s]) >
                    1e-6f * fabsf(top))
                    return FALSE;
    return TRUE;
}

gboolean nn_conv_fir_fits(gconstpointer data)
{
    const ConvJob *job = data;
    const ConvShape *shape = &job->shape;
    Fir fir;
    return nn_gpu_variant(job->recorder, "conv_fir") && is_depthwise(job) && shape->kh > 1 &&
           shape->kw > 1 && shape->kh <= MOST_TAPS && shape->kw <= MOST_TAPS &&
           shape->stride_h == 1 && shape->stride_w == 1 && shape->dilation_h == 1 &&
           shape->dilation_w == 1 && job->x.type == job->y.type &&
           job->residual.type == job->y.type && nn_view_is_wide(&job->x, 1) &&
           nn_view_is_wide(&job->y, 1) && nn_view_is_wide(&job->residual, 1) &&
           split_filter(job, &fir);
}

gboolean nn_conv_fir_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    const ConvShape *shape = &job->shape;
    const NnView bias = pack_bias(job);
    Fir fir;
    split_filter(job, &fir);
    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, "conv_fir.cl", "conv_fir",
        "-DT=%s -DKH=%d -DKW=%d -DP=%d -DR=%d -DRESIDUAL=%d" CONV_EPILOGUE_OPTION,
        nn_kernel_type(job->y.type), shape->kh, shape->kw, PIXELS, ROWS, job->has_residual,
        CONV_EPILOGUE(job));
    nn_launch_map(launch, &job->x);
    nn_launch_buffer(launch, &bias);
    nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    nn_launch_bytes(launch, &fir, sizeof fir);
    nn_conv_launch_epilogue(launch, job);
    nn_launch_cost(launch, 2.0 * (double)nn_view_count(&job->y) * (shape->kh + shape->kw));
    const gint64 tiles =
        (job->y.dims[3] + PIXELS - 1) / PIXELS * ((job->y.dims[2] + ROWS - 1) / ROWS);
    nn_launch_items(launch, &job->y, tiles * shape->groups / NN_WIDE, 1);
    return TRUE;
}

/* ---------------------------------------------------------------- transposed */

#define FEW_CHANNELS 7 /* more are taken eight at a time */

/* Mirrors kernels/conv_fir.cl. */
typedef struct {
    gint32 kh, kw, stride_h, stride_w, pad_h, pad_w;
} Up;

gboolean nn_conv_fir_up_fits(const ConvJob *job)
{
    /* On a CPU four launches of vectors along rows take a tenth of the time. */
    return nn_gpu_variant(job->recorder, "conv_fir_up") && is_depthwise(job) &&
           job->shape.groups <= FEW_CHANNELS && job->shape.dilation_h == 1 &&
           job->shape.dilation_w == 1 && nn_type_is_float(job->x.type) &&
           nn_type_is_float(job->y.type) && nn_type_is_float(job->residual.type) &&
           job->shape.pad_h >= 0 && job->shape.pad_w >= 0;
}

gboolean nn_conv_fir_up_record(const ConvJob *job, GError **error)
{
    const ConvShape *shape = &job->shape;
    const Up up = { shape->kh,       shape->kw,    shape->stride_h,
                    shape->stride_w, shape->pad_h, shape->pad_w };
    const gsize n = (gsize)shape->kh * (gsize)shape->kw * (gsize)shape->groups;
    g_autofree float *packed = g_new(float, MAX(n, 1));
    float *to = packed;
    for (gint64 r = 0; r < shape->kh; r++)
        for (gint64 s = 0; s < shape->kw; s++)
            for (gint64 c = 0; c < shape->groups; c++)
                *to++ = weight_at(job, c, r, s);
    const NnView weights = nn_recorder_constant(job->recorder, NN_FLOAT32, n, packed);
    const NnView bias = pack_bias(job);

    NnLaunch *launch =
        nn_recorder_launch(job->recorder, job->node, "conv_fir.cl", "conv_fir_up",
                           "-DUP -DTX=%s -DTR=%s -DTY=%s -DRESIDUAL=%d" CONV_EPILOGUE_OPTION,
                           nn_kernel_type(job->x.type), nn_kernel_type(job->residual.type),
                           nn_kernel_type(job->y.type), job->has_residual, CONV_EPILOGUE(job));
    nn_launch_map(launch, &job->x);
    nn_launch_buffer(launch, &weights);
    nn_launch_buffer(launch, &bias);
    nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    nn_launch_bytes(launch, &up, sizeof up);
    nn_conv_launch_epilogue(launch, job);
    nn_launch_cost(launch, 2.0 * (double)nn_view_count(&job->y) * shape->kh * shape->kw /
                               (shape->stride_h * shape->stride_w));
    nn_launch_items(launch, &job->y, job->y.dims[3], job->y.dims[2]);
    return TRUE;
}
