/* launch_conv_normed.c - convolutions that read a map which is yet to be normalised per picture:
 * kernels which load each pixel once do that there, and the normalisation needs no launch.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * So MODNet's convolutions follow each other, with or without an enlargement between them. The map
 * stays in memory as the convolution before has computed it, beside the moments of its parts.
 */
#include "launch_conv.h"
#include "launch_wide.h"

/* What every work-group of the reader goes through. */
#define MOST_MOMENTS (256 * 32)
/* What the assembler may leave free between these arrays and the kernel's aligned one. */
#define ALIGNMENT_B 1024
/* Channels up to which conv_halo takes them in one block. */
#define BLOCK 64

static gint64 first_of(const ConvNormed *normed)
{
    return nn_node_int(normed->norm, "first", 0);
}

static gint64 lanes_of(const ConvNormed *normed)
{
    return nn_node_input(normed->norm, 0)->dims[1] - first_of(normed);
}

gint64 nn_conv_normed_local_b(const ConvJob *job, gint64 threads)
{
    return job->normed ? 12 * threads + 8 * lanes_of(job->normed) + ALIGNMENT_B : 0;
}

gboolean nn_conv_normed_fits(const ConvJob *job)
{
    if (!job->normed)
        return TRUE;
    const gint64 lanes = lanes_of(job->normed);
    return job->shape.kh * job->shape.kw > 1 && (job->normed->small || job->shape.c <= BLOCK) &&
           first_of(job->normed) % NN_WIDE == 0 && lanes % NN_WIDE == 0 &&
           lanes * job->normed->n_parts <= MOST_MOMENTS;
}

char *nn_conv_normed_option(const ConvJob *job)
{
    if (!job->normed)
        return g_strdup("");
    return g_strdup_printf(" -DNORMED=%d -DNORM_ACT=%d%s", (int)lanes_of(job->normed),
                           job->normed->norm->activation.type,
                           job->normed->small ? " -DNORMED_SMALL" : "");
}

void nn_conv_launch_normed(NnLaunch *launch, const ConvJob *job)
{
    if (!job->normed)
        return;
    const NnNode *norm = job->normed->norm;
    nn_launch_strided(launch, &job->normed->moments);
    nn_launch_strided(launch, nn_recorder_input(job->recorder, norm, 1));
    nn_launch_strided(launch, nn_recorder_input(job->recorder, norm, 2));
    nn_launch_int(launch, (gint32)job->normed->n_parts);
    nn_launch_int(launch, (gint32)first_of(job->normed));
    nn_launch_float(launch, nn_node_float(norm, "epsilon", 1e-5f));
    nn_launch_activation(launch, norm);
}

gboolean nn_conv_find_normed(NnRecorder *recorder, const NnNode *node, const ConvResized *resized,
                             ConvNormed *normed)
{
    const NnValue *in = nn_node_input(resized ? resized->node : node, 0);
    const NnNode *norm = in->producer;
    const NnView *moments = norm ? nn_recorder_moments(recorder, norm) : NULL;
    if (!moments)
        return FALSE;
    *normed = (ConvNormed){ .norm = norm, .moments = *moments, .small = resized != NULL };
    normed->n_parts = nn_view_count(moments) / (3 * lanes_of(normed));
    return TRUE;
}
