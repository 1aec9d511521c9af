/* launch_conv_resized.c - convolutions that read an enlarged map as it is before: kernels which
 * load each pixel once interpolate there, and the Resize needs no launch and no memory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * In U-Nets, that is half of what the decoder's convolutions read: a Concat of a map that comes
 * from below, enlarged, and one that comes from the side.
 */
#include "fuse.h"
#include "launch_conv.h"
#include "launch_resize.h"
#include "launch_wide.h"

#define CHUNK 8  /* channels that a kernel loads at once */
#define BLOCK 64 /* and those that it goes through one after the other, if there are more */

/* What kernels/conv_resized.clh computes. */
static gboolean is_bilinear(const NnNode *node, NnResizeParams *params)
{
    return (nn_is_type(node, "Resize") || nn_is_type(node, "Upsample")) &&
           nn_resize_params(node, params, NULL) && nn_resize_is_bilinear(params);
}

/* Whether @value, from channel @first of @x on, is such a map that nothing else uses. */
static gboolean describe(NnRecorder *recorder, const NnValue *value, gint64 first, const NnView *x,
                         ConvResized *resized)
{
    const NnNode *node = value->producer;
    if (!node || !nn_has_single_use(value) || !is_bilinear(node, &resized->params))
        return FALSE;
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const NnView *small = nn_recorder_input(recorder, node, 0);
    if (y->storage != x->storage || y->offset != x->offset + first * x->strides[1])
        return FALSE; /* it would be copied there */
    resized->node = node;
    resized->small = *small;
    resized->first = (gint32)first;
    return TRUE;
}

gboolean nn_conv_find_resized(NnRecorder *recorder, const NnNode *node, const NnView *x,
                              ConvResized *resized)
{
    const NnValue *in = nn_node_input(node, 0);
    const NnNode *concat = nn_producer_of_type(in, "Concat");
    gint64 first = 0;
    if (node->in_scale >= 0 || !nn_has_single_use(in) || in->rank != 4)
        return FALSE;
    if (!concat)
        return describe(recorder, in, 0, x, resized);
    const gint64 axis = nn_node_int(concat, "axis", 1);
    for (guint i = 0; i < concat->inputs->len && (axis == 1 || axis == -3); i++) {
        const NnValue *part = nn_node_input(concat, i);
        if (describe(recorder, part, first, x, resized))
            return TRUE;
        first += part->dims[1];
    }
    return FALSE;
}

gboolean nn_conv_resized_fits(const ConvJob *job)
{
    const ConvResized *resized = job->resized;
    if (!resized)
        return TRUE;
    const gint64 n = resized->small.dims[1];
    const gint64 whole = job->shape.c > BLOCK ? BLOCK : CHUNK;
    /* 1x1 may be the first of an inverted residual. */
    return job->shape.kh * job->shape.kw > 1 && resized->small.type == NN_FLOAT16 &&
           nn_view_is_wide(&resized->small, 1) &&
           ((resized->first % whole == 0 && n % whole == 0) || n == job->shape.c);
}

char *nn_conv_resized_option(const ConvJob *job)
{
    return job->resized ? g_strdup_printf(" -DRESIZED=%d",
                                          (int)MIN(job->resized->small.dims[1], BLOCK) / CHUNK)
                        : g_strdup("");
}

void nn_conv_launch_resized(NnLaunch *launch, const ConvJob *job)
{
    if (!job->resized)
        return;
    const NnTaps rows = nn_record_taps(job->recorder, &job->resized->params, 2);
    const NnTaps columns = nn_record_taps(job->recorder, &job->resized->params, 3);
    nn_launch_map(launch, &job->resized->small);
    nn_launch_buffer(launch, &rows.index);
    nn_launch_buffer(launch, &rows.weight);
    nn_launch_buffer(launch, &columns.index);
    nn_launch_buffer(launch, &columns.weight);
    nn_launch_int(launch, job->resized->first);
}
