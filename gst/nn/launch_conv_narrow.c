/* launch_conv_narrow.c - convolutions to a few outputs: vectors run along the inputs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"

#define MAX_OUTPUTS 4 /* beyond, half a vector of outputs does as well */
#define CHUNK 32      /* CHUNK in conv_narrow.cl */

gboolean nn_conv_narrow_fits(gconstpointer data)
{
    const ConvJob *job = data;
    return job->shape.groups == 1 && job->shape.k <= MAX_OUTPUTS && job->shape.c >= 4 &&
           job->weight_values && (!job->has_bias || job->bias_values) &&
           nn_map_of(&job->x).sc == 1 && job->x.type == job->y.type &&
           job->residual.type == job->y.type;
}

/* [kh][kw][ceil(c / vw)][k][vw]; the last vector of channels ends with the last channel. */
static NnView pack_weights(const ConvJob *job, gint64 vw)
{
    const ConvShape *shape = &job->shape;
    const gint64 *stride = job->weights.strides;
    const gint64 blocks = (shape->c + vw - 1) / vw;
    const gsize count = (gsize)(shape->kh * shape->kw * blocks * shape->k * vw);
    g_autofree float *packed = g_new0(float, MAX(count, 1));
    for (gint64 tap = 0; tap < (gint64)shape->kh * shape->kw; tap++)
        for (gint64 c = 0; c < shape->c; c++)
            for (gint64 k = 0; k < shape->k; k++) {
                const gint64 block = c / vw, first = MIN(block * vw, shape->c - vw);
                packed[((tap * blocks + block) * shape->k + k) * vw + c - first] =
                    job->weight_values[job->weights.offset + k * stride[1] + c * stride[2] +
                                       tap / shape->kw * stride[3] + tap % shape->kw * stride[4]];
            }
    return nn_recorder_constant(job->recorder, NN_FLOAT32, MAX(count, 1), packed);
}

gboolean nn_conv_narrow_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    const guint vw = nn_channel_vector_width(job->recorder, job->shape.c);
    const gint32 k = job->shape.k;
    float bias_values[MAX_OUTPUTS] = { 0 };
    g_autofree float *zero_values = g_new0(float, job->shape.c);
    for (gint32 i = 0; job->has_bias && i < k; i++)
        bias_values[i] = job->bias_values[i];
    const NnView weights = pack_weights(job, vw);
    const NnView bias = nn_recorder_constant(job->recorder, NN_FLOAT32, (gsize)k, bias_values);
    const NnView zeros =
        nn_recorder_constant(job->recorder, job->x.type, (gsize)job->shape.c, zero_values);

    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, "conv_narrow.cl", "conv_narrow",
        "-DVW=%u -DK=%d -DP=%d -DRESIDUAL=%d%s" CONV_EPILOGUE_OPTION CONV_PRESCALE_OPTION, vw, k,
        k > 1 ? 4 : 8, job->has_residual, job->y.type == NN_FLOAT16 ? " -DFP16" : "",
        CONV_EPILOGUE(job), job->prescaled);
    nn_launch_map(launch, &job->x);
    nn_launch_buffer(launch, &weights);
    nn_launch_buffer(launch, &bias);
    nn_launch_buffer(launch, &zeros);
    nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    nn_launch_bytes(launch, &job->shape, sizeof job->shape);
    nn_conv_launch_epilogue(launch, job);
    nn_conv_launch_prescale(launch, job);
    nn_launch_cost(launch, 2.0 * (double)nn_view_count(&job->y) * job->shape.c * job->shape.kh *
                               job->shape.kw);
    const NnMap y = nn_map_of(&job->y);
    nn_launch_tiles(job->recorder, launch, &job->y, ((gint64)y.h * y.w + CHUNK - 1) / CHUNK, 1);
    return TRUE;
}
