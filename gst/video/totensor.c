/* totensor.c - frames into the network's input: resize, fit, colour, normalisation, dynamic range.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "range.h"
#include "resize.h"

struct VideoToTensor {
    gboolean nhwc;
    VideoResize *resize;
    /* For VIDEO_SCALE_MAX; else NULL. */
    VideoNormalise normalise;
    VideoRange *range;
    OclKernel *normalise_kernel;
    cl_mem colors; /* [max_frames][h][w][3] float, 0..255 */
};

static VideoNormalise normalise_of(const VideoModelInfo *info)
{
    VideoNormalise normalise;
    for (guint c = 0; c < 3; c++) {
        normalise.mean[c] = info->mean[c];
        normalise.gain[c] = info->std[c] != 0 ? 1 / info->std[c] : 1;
    }
    return normalise;
}

/* Channels in the model's order. */
static VideoMatrix channel_matrix(const GstVideoInfo *format, gboolean bgr)
{
    VideoMatrix rgb = video_matrix_to_rgb(format);
    if (!bgr)
        return rgb;
    VideoMatrix swapped = rgb;
    for (guint i = 0; i < 4; i++) {
        swapped.m[0][i] = rgb.m[2][i];
        swapped.m[2][i] = rgb.m[0][i];
    }
    return swapped;
}

static VideoMap colors_map(const VideoMap *map)
{
    return (VideoMap){ .sample = (guint64)map->h * map->w * 3,
                       .c = 3,
                       .h = map->h,
                       .w = map->w,
                       .sc = 1,
                       .sh = 3 * map->w,
                       .sw = 3 };
}

static gboolean prepare_dynamic_range(VideoToTensor *self, OclDevice *device, const VideoMap *map,
                                      guint max_frames, gboolean fp16, GError **error)
{
    self->normalise_kernel = video_kernel_new(device, "video_tensor.cl", "video_normalise", error,
                                              "%s", fp16 ? "-DFP16" : "");
    if (!self->normalise_kernel)
        return FALSE;
    self->range = video_range_new(device, 3 * map->w, max_frames, FALSE, error);
    if (!self->range)
        return FALSE;
    gsize size_b = colors_map(map).sample * max_frames * sizeof(float);
    self->colors = ocl_buffer_new(device, OCL_BUFFER_READ_WRITE, size_b, error);
    return self->colors != NULL;
}

static gboolean check_channels(const VideoMap *map, GError **error)
{
    if (map->c == 3)
        return TRUE;
    g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                "the network's input has %d channels; pictures have 3", map->c);
    return FALSE;
}

VideoToTensor *video_to_tensor_new(OclDevice *device, const GstVideoInfo *format,
                                   const VideoModelInfo *info, guint max_frames,
                                   const NnPlace *place, GError **error)
{
    VideoMap map;
    if (!video_place_map(place, info->nhwc, &map, error) || !check_channels(&map, error))
        return NULL;
    g_autoptr(VideoToTensor) self = g_new0(VideoToTensor, 1);
    self->nhwc = info->nhwc;
    self->normalise = normalise_of(info);
    gboolean scaled = info->dynamic_range == VIDEO_SCALE_MAX;
    gboolean fp16 = place->type == NN_FLOAT16;
    guint width = GST_VIDEO_INFO_WIDTH(format), height = GST_VIDEO_INFO_HEIGHT(format);
    VideoResizeParams params = { .width = width,
                                 .height = height,
                                 .rect = video_fit_rect(info->fit, width, height, map.w, map.h),
                                 .matrix = channel_matrix(format, info->bgr),
                                 .normalise = self->normalise,
                                 .fp16 = fp16 };
    if (scaled) {
        params.normalise = (VideoNormalise){ { 0, 0, 0 }, { 1, 1, 1 } };
        params.fp16 = FALSE;
        if (!prepare_dynamic_range(self, device, &map, max_frames, fp16, error))
            return NULL;
    }
    self->resize = video_resize_new(device, format, max_frames, &params, error);
    return self->resize ? g_steal_pointer(&self) : NULL;
}

void video_to_tensor_free(VideoToTensor *self)
{
    if (!self)
        return;
    video_resize_free(self->resize);
    video_range_free(self->range);
    ocl_kernel_free(self->normalise_kernel);
    ocl_buffer_clear(&self->colors);
    g_free(self);
}

static gboolean run_dynamic_range(VideoToTensor *self, OclQueue *compute, guint n_frames,
                                  const NnPlace *place, const VideoMap *map, GError **error)
{
    /* Three channels side by side are a picture three times as wide. */
    VideoMap colors = colors_map(map);
    colors.c = 1;
    colors.w *= 3;
    colors.sw = 1;
    const VideoRect whole = { 0, 0, colors.w, colors.h };
    if (!video_range_run(self->range, compute, self->colors, &colors, &whole, n_frames, error))
        return FALSE;
    cl_mem range = video_range_memory(self->range);
    const VideoArgument arguments[] = {
        VIDEO_ARG(self->colors),  VIDEO_ARG(range), VIDEO_ARG(self->normalise),
        VIDEO_ARG(place->memory), VIDEO_ARG(*map),
    };
    return video_launch(compute, self->normalise_kernel, arguments, G_N_ELEMENTS(arguments), map->w,
                        map->h, n_frames, error);
}

gboolean video_to_tensor_run(VideoToTensor *self, OclQueue *compute, const VideoFrames *frames,
                             guint n_frames, const NnPlace *place, GError **error)
{
    VideoMap map;
    if (!video_place_map(place, self->nhwc, &map, error))
        return FALSE;
    if (!self->range)
        return video_resize_run(self->resize, compute, frames, n_frames, place->memory, &map,
                                error);
    VideoMap colors = colors_map(&map);
    return video_resize_run(self->resize, compute, frames, n_frames, self->colors, &colors,
                            error) &&
           run_dynamic_range(self, compute, n_frames, place, &map, error);
}
