/* blur.c - one side of a frame, blurred at a quarter of its size without the other.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "background.h"

/* FACTOR of kernels/video_blur.cl, and what video_compose.cl undoes. */
#define FACTOR 4

struct VideoBlur {
    OclDevice *device;
    guint width;
    VideoSmall size;
    cl_float16 matrix;
    OclKernel *reduce, *line, *divide;
    cl_mem small[2]; /* [max_frames][4][small_height][pitch] float */
    cl_mem sheets;   /* [max_frames][3][small_height][pitch] float */
};

static OclKernel *blur_kernel(VideoBlur *blur, const char *function, const char *defines,
                              GError **error)
{
    return video_kernel_new(blur->device, "video_blur.cl", function, error, "%s", defines);
}

static gboolean build_kernels(VideoBlur *blur, const GstVideoInfo *in, const GstVideoInfo *out,
                              VideoBlurSide side, GError **error)
{
    g_autofree char *formats = video_picture_defines(in, out);
    g_autofree char *defines = g_strdup_printf("-DFRONT=%d%s", side == VIDEO_BLUR_FRONT, formats);
    blur->reduce = blur_kernel(blur, "video_blur_reduce", defines, error);
    if (!blur->reduce)
        return FALSE;
    blur->line = blur_kernel(blur, "video_blur_line", defines, error);
    if (!blur->line)
        return FALSE;
    blur->divide = blur_kernel(blur, "video_blur_divide", defines, error);
    return blur->divide != NULL;
}

static gboolean allocate(VideoBlur *blur, guint max_frames, GError **error)
{
    gsize plane_b = (gsize)blur->size.height * blur->size.pitch * sizeof(float);
    for (guint i = 0; i < 2; i++) {
        blur->small[i] =
            ocl_buffer_new(blur->device, OCL_BUFFER_READ_WRITE, max_frames * 4 * plane_b, error);
        if (!blur->small[i])
            return FALSE;
    }
    blur->sheets =
        ocl_buffer_new(blur->device, OCL_BUFFER_READ_WRITE, max_frames * 3 * plane_b, error);
    return blur->sheets != NULL;
}

VideoBlur *video_blur_new(OclDevice *device, const GstVideoInfo *in, const GstVideoInfo *out,
                          VideoBlurSide side, guint max_frames, GError **error)
{
    g_autoptr(VideoBlur) blur = g_new0(VideoBlur, 1);
    guint width = GST_VIDEO_INFO_WIDTH(out), height = GST_VIDEO_INFO_HEIGHT(out);
    blur->device = ocl_device_ref(device);
    blur->width = width;
    blur->size = (VideoSmall){ .width = (gint32)(width + FACTOR - 1) / FACTOR,
                               .height = (gint32)(height + FACTOR - 1) / FACTOR };
    blur->size.pitch = (gint32)video_pad((guint)blur->size.width);
    VideoMatrix to = video_matrix_to_rgb(in), from = video_matrix_from_rgb(out);
    VideoMatrix matrix = video_matrix_join(&to, &from);
    blur->matrix = video_matrix_argument(&matrix);
    if (!build_kernels(blur, in, out, side, error) || !allocate(blur, max_frames, error))
        return NULL;
    return g_steal_pointer(&blur);
}

void video_blur_free(VideoBlur *blur)
{
    if (!blur)
        return;
    ocl_kernel_free(blur->reduce);
    ocl_kernel_free(blur->line);
    ocl_kernel_free(blur->divide);
    ocl_buffer_clear(&blur->small[0]);
    ocl_buffer_clear(&blur->small[1]);
    ocl_buffer_clear(&blur->sheets);
    ocl_device_unref(blur->device);
    g_free(blur);
}

static gboolean run_reduce(VideoBlur *blur, OclQueue *compute, const VideoFrames *frames,
                           guint n_frames, const VideoAlpha *alpha, GError **error)
{
    cl_mem src = video_frames_memory(frames), plane = video_alpha_memory(alpha);
    gint32 alpha_pitch = video_alpha_pitch(alpha);
    const VideoArgument arguments[] = {
        VIDEO_ARG(src),
        VIDEO_ARG(video_frames_layout(frames)->picture),
        VIDEO_ARG(blur->matrix),
        VIDEO_ARG(plane),
        VIDEO_ARG(alpha_pitch),
        VIDEO_ARG(blur->small[0]),
        VIDEO_ARG(blur->size.pitch),
    };
    return video_launch(compute, blur->reduce, arguments, G_N_ELEMENTS(arguments),
                        video_strips(blur->device, blur->width), blur->size.height, n_frames,
                        error);
}

static gboolean run_lines(VideoBlur *blur, OclQueue *compute, guint n_frames, float sigma,
                          cl_mem controls, GError **error)
{
    for (gint32 vertical = 0; vertical < 2; vertical++) {
        gint32 dx = !vertical, dy = vertical, width = blur->size.width;
        const VideoArgument arguments[] = {
            VIDEO_ARG(blur->small[vertical]),
            VIDEO_ARG(blur->small[!vertical]),
            VIDEO_ARG(blur->size.pitch),
            VIDEO_ARG(width),
            VIDEO_ARG(dx),
            VIDEO_ARG(dy),
            VIDEO_ARG(sigma),
            VIDEO_ARG(controls),
        };
        if (!video_launch(compute, blur->line, arguments, G_N_ELEMENTS(arguments),
                          video_strips(blur->device, blur->size.width), blur->size.height,
                          (gsize)n_frames * 4, error))
            return FALSE;
    }
    return TRUE;
}

gboolean video_blur_run(VideoBlur *blur, OclQueue *compute, const VideoFrames *frames,
                        guint n_frames, const VideoAlpha *alpha, float sigma,
                        const VideoControlsTable *controls, GError **error)
{
    const VideoArgument divide[] = { VIDEO_ARG(blur->small[0]), VIDEO_ARG(blur->sheets),
                                     VIDEO_ARG(blur->size.pitch) };
    return run_reduce(blur, compute, frames, n_frames, alpha, error) &&
           run_lines(blur, compute, n_frames, sigma, video_controls_table_memory(controls),
                     error) &&
           video_launch(compute, blur->divide, divide, G_N_ELEMENTS(divide),
                        video_strips(blur->device, blur->size.width), blur->size.height, n_frames,
                        error);
}

cl_mem video_blur_memory(const VideoBlur *blur)
{
    return blur->sheets;
}

VideoSmall video_blur_size(const VideoBlur *blur)
{
    return blur->size;
}

float video_blur_sigma(const GstVideoInfo *out, float radius)
{
    /* Two sigma reach what the eye takes for the radius. */
    return CLAMP(radius, 0, 1) * GST_VIDEO_INFO_HEIGHT(out) / 2 / FACTOR;
}
