/* fit.c - geometry between pictures and tensors: sizes, the place of a picture, axes of a resize.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <math.h>

#include "kernels.h"

VideoRect video_fit_rect(VideoFit fit, guint width, guint height, guint tensor_width,
                         guint tensor_height)
{
    if (fit != VIDEO_FIT_LETTERBOX)
        return (VideoRect){ 0, 0, tensor_width, tensor_height };
    double scale = MIN((double)tensor_width / width, (double)tensor_height / height);
    VideoRect rect = { .width = CLAMP((guint)lround(width * scale), 1, tensor_width),
                       .height = CLAMP((guint)lround(height * scale), 1, tensor_height) };
    rect.x = (tensor_width - rect.width) / 2;
    rect.y = (tensor_height - rect.height) / 2;
    return rect;
}

VideoAxis video_axis(double from, double n_from, guint n_to, guint first, guint last)
{
    return (VideoAxis){ (float)(n_from / n_to), (float)from, first, last };
}

static guint round_to_multiple(double size, guint multiple)
{
    guint steps = (guint)(size / multiple);
    return MAX(steps, 1) * multiple;
}

/* A side that the model leaves open. MODNet's rule: pictures that are wholly larger or wholly
 * smaller than `short_side` are scaled so that the short side is that; then each side is cut to a
 * multiple. */
static void open_size(const VideoModelInfo *info, guint width, guint height, guint *tensor_width,
                      guint *tensor_height)
{
    guint shorter = MIN(width, height), longer = MAX(width, height);
    double scale = 1;
    if (info->short_side && (longer < info->short_side || shorter > info->short_side))
        scale = (double)info->short_side / shorter;
    guint multiple = MAX(info->multiple, 1);
    *tensor_width = round_to_multiple(round(width * scale), multiple);
    *tensor_height = round_to_multiple(round(height * scale), multiple);
}

/* The picture input of @model: the one of that name, or the first of rank 4. */
static const NnValue *picture_input(const VideoModelInfo *info, const NnModel *model)
{
    const NnGraph *graph = nn_model_graph(model);
    for (guint i = 0; i < graph->inputs->len; i++) {
        const NnValue *input = g_ptr_array_index(graph->inputs, i);
        if (info->input ? g_str_equal(input->name, info->input) : input->rank == 4)
            return input;
    }
    return NULL;
}

void video_model_size(const VideoModelInfo *info, const NnModel *model, guint width, guint height,
                      guint *tensor_width, guint *tensor_height)
{
    open_size(info, width, height, tensor_width, tensor_height);
    const NnValue *input = model ? picture_input(info, model) : NULL;
    if (input && input->rank == 4) {
        gint64 h = input->dims[info->nhwc ? 1 : 2], w = input->dims[info->nhwc ? 2 : 3];
        *tensor_width = w > 0 ? (guint)w : info->width ? info->width : *tensor_width;
        *tensor_height = h > 0 ? (guint)h : info->height ? info->height : *tensor_height;
        return;
    }
    if (info->width)
        *tensor_width = info->width;
    if (info->height)
        *tensor_height = info->height;
}
