/* paint.c - three-channel outputs of networks, resized horizontally for the kernels that mix them
 * in.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "paint.h"

struct VideoPaint {
    OclDevice *device;
    gboolean nhwc;
    guint width;
    OclKernel *kernel;
    VideoAxis column_axis;
    VideoSheet sheet;
    cl_float16 matrix;
    cl_mem wide; /* [max_frames][3][tensor height][pitch] float: resized horizontally */
};

static VideoMatrix paint_matrix(const GstVideoInfo *out, gboolean bgr, const float gain[3],
                                const float offset[3])
{
    VideoMatrix to_rgb = { 0 }, from_rgb = video_matrix_from_rgb(out);
    for (guint c = 0; c < 3; c++) {
        guint channel = bgr ? 2 - c : c;
        to_rgb.m[c][channel] = gain[channel];
        to_rgb.m[c][3] = offset[channel];
    }
    return video_matrix_join(&to_rgb, &from_rgb);
}

VideoPaint *video_paint_new(OclDevice *device, const GstVideoInfo *out, const VideoModelInfo *info,
                            const float gain[3], const float offset[3], guint max_frames,
                            const NnPlace *place, GError **error)
{
    VideoMap map;
    if (!video_place_map(place, info->nhwc, &map, error))
        return NULL;
    if (map.c != 3) {
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                    "the network's picture has %d channels instead of 3", map.c);
        return NULL;
    }
    g_autoptr(VideoPaint) paint = g_new0(VideoPaint, 1);
    paint->device = ocl_device_ref(device);
    paint->nhwc = info->nhwc;
    paint->width = GST_VIDEO_INFO_WIDTH(out);
    VideoMatrix matrix = paint_matrix(out, info->bgr, gain, offset);
    paint->matrix = video_matrix_argument(&matrix);
    guint height = GST_VIDEO_INFO_HEIGHT(out);
    VideoRect rect = video_fit_rect(info->fit, paint->width, height, map.w, map.h);
    paint->column_axis =
        video_axis(rect.x, rect.width, paint->width, rect.x, rect.x + rect.width - 1);
    paint->sheet = (VideoSheet){ .axis = video_axis(rect.y, rect.height, height, rect.y,
                                                    rect.y + rect.height - 1),
                                 .pitch = (gint32)video_pad(paint->width),
                                 .height = map.h };
    paint->kernel = video_kernel_new(device, "video_matte.cl", "video_matte_columns", error, "%s",
                                     place->type == NN_FLOAT16 ? "-DFP16" : "");
    if (!paint->kernel)
        return NULL;
    gsize lines = (gsize)max_frames * 3 * paint->sheet.height;
    paint->wide = ocl_buffer_new(device, OCL_BUFFER_READ_WRITE,
                                 lines * paint->sheet.pitch * sizeof(float), error);
    return paint->wide ? g_steal_pointer(&paint) : NULL;
}

void video_paint_free(VideoPaint *paint)
{
    if (!paint)
        return;
    ocl_kernel_free(paint->kernel);
    ocl_buffer_clear(&paint->wide);
    ocl_device_unref(paint->device);
    g_free(paint);
}

gboolean video_paint_run(VideoPaint *paint, OclQueue *compute, guint n_frames, const NnPlace *place,
                         GError **error)
{
    VideoMap map;
    if (!video_place_map(place, paint->nhwc, &map, error))
        return FALSE;
    gint32 other = 0;
    cl_mem range = NULL;
    const VideoArgument arguments[] = {
        VIDEO_ARG(place->memory),      VIDEO_ARG(map),   VIDEO_ARG(other),
        VIDEO_ARG(paint->column_axis), VIDEO_ARG(range), VIDEO_ARG(paint->wide),
        VIDEO_ARG(paint->sheet.pitch),
    };
    return video_launch(compute, paint->kernel, arguments, G_N_ELEMENTS(arguments),
                        video_strips(paint->device, paint->width), map.h, (gsize)n_frames * map.c,
                        error);
}

cl_mem video_paint_memory(const VideoPaint *paint)
{
    return paint->wide;
}

VideoSheet video_paint_sheet(const VideoPaint *paint)
{
    return paint->sheet;
}

cl_float16 video_paint_matrix(const VideoPaint *paint)
{
    return paint->matrix;
}
