/* guided.c - the fast guided filter: lines fitted at the matte's size, applied at the picture's.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "guided.h"

#include "color.h"
#include "resize.h"

#define N_SUMS 13
#define N_LINES 4

struct VideoGuided {
    OclDevice *device;
    guint width, height; /* of the picture */
    VideoRect rect;
    guint matte_height;
    gint32 pitch;      /* at the matte's size */
    cl_float16 to_rgb; /* of the components, to R, G, B 0..255 */
    VideoResize *resize;
    VideoMap guide_map;
    VideoAxis column_axis, row_axis;
    OclKernel *sum_rows, *fit, *mean, *grow, *apply;
    cl_mem matte; /* [max_frames][matte_height][pitch] float */
    /* of one frame at a time, so that a batch takes no more memory; float */
    cl_mem guide;    /* [3][rect height][pitch] */
    cl_mem sums;     /* [N_SUMS][rect height][pitch] */
    cl_mem lines[2]; /* [N_LINES][rect height][pitch] */
    cl_mem wide;     /* [N_LINES][rect height][picture pitch] */
};

/* The picture at the matte's size. */
static gboolean prepare_guide(VideoGuided *guided, const GstVideoInfo *in, GError **error)
{
    const VideoRect *rect = &guided->rect;
    const float gain = 1 / 255.0f;
    const VideoMatrix matrix = video_matrix_to_rgb(in);
    const VideoResizeParams params = { .width = guided->width,
                                       .height = guided->height,
                                       .rect = { 0, 0, rect->width, rect->height },
                                       .matrix = matrix,
                                       .normalise = { { 0, 0, 0 }, { gain, gain, gain } } };
    guided->to_rgb = video_matrix_argument(&matrix);
    guided->resize = video_resize_new(guided->device, in, 1, &params, error);
    guided->guide_map = (VideoMap){ .c = 3,
                                    .h = (gint32)rect->height,
                                    .w = (gint32)rect->width,
                                    .sc = (gint32)rect->height * guided->pitch,
                                    .sh = guided->pitch,
                                    .sw = 1 };
    return guided->resize != NULL;
}

static gboolean build_kernels(VideoGuided *guided, const GstVideoInfo *in, GError **error)
{
    GstVideoInfo rgb;
    gst_video_info_set_format(&rgb, GST_VIDEO_FORMAT_RGB, guided->width, guided->height);
    g_autofree char *defines = video_picture_defines(in, &rgb);
    const struct {
        OclKernel **kernel;
        const char *file, *function, *defines;
    } kernels[] = {
        { &guided->sum_rows, "video_guided.cl", "video_guided_rows", defines },
        { &guided->fit, "video_guided.cl", "video_guided_fit", defines },
        { &guided->mean, "video_guided.cl", "video_guided_mean", defines },
        { &guided->apply, "video_guided.cl", "video_guided_apply", defines },
        { &guided->grow, "video_matte.cl", "video_matte_columns", "" },
    };
    for (guint i = 0; i < G_N_ELEMENTS(kernels); i++) {
        *kernels[i].kernel = video_kernel_new(guided->device, kernels[i].file, kernels[i].function,
                                              error, "%s", kernels[i].defines);
        if (!*kernels[i].kernel)
            return FALSE;
    }
    return TRUE;
}

static gboolean allocate(VideoGuided *guided, guint max_frames, GError **error)
{
    const gsize rows = guided->rect.height, pitch = guided->pitch;
    const struct {
        cl_mem *memory;
        gsize n;
    } buffers[] = {
        { &guided->matte, (gsize)max_frames * guided->matte_height * pitch },
        { &guided->guide, 3 * rows * pitch },
        { &guided->sums, N_SUMS * rows * pitch },
        { &guided->lines[0], N_LINES * rows * pitch },
        { &guided->lines[1], N_LINES * rows * pitch },
        { &guided->wide, N_LINES * rows * video_pad(guided->width) },
    };
    for (guint i = 0; i < G_N_ELEMENTS(buffers); i++) {
        *buffers[i].memory = ocl_buffer_new(guided->device, OCL_BUFFER_READ_WRITE,
                                            buffers[i].n * sizeof(float), error);
        if (!*buffers[i].memory)
            return FALSE;
    }
    return TRUE;
}

VideoGuided *video_guided_new(OclDevice *device, const GstVideoInfo *in, const VideoRect *rect,
                              guint matte_height, guint max_frames, GError **error)
{
    g_autoptr(VideoGuided) guided = g_new0(VideoGuided, 1);
    guided->device = ocl_device_ref(device);
    guided->width = GST_VIDEO_INFO_WIDTH(in);
    guided->height = GST_VIDEO_INFO_HEIGHT(in);
    guided->rect = *rect;
    guided->matte_height = matte_height;
    guided->pitch = (gint32)video_pad(rect->width);
    guided->column_axis = video_axis(0, rect->width, guided->width, 0, rect->width - 1);
    guided->row_axis = video_axis(0, rect->height, guided->height, 0, rect->height - 1);
    if (!prepare_guide(guided, in, error) || !build_kernels(guided, in, error) ||
        !allocate(guided, max_frames, error))
        return NULL;
    return g_steal_pointer(&guided);
}

void video_guided_free(VideoGuided *guided)
{
    if (!guided)
        return;
    video_resize_free(guided->resize);
    ocl_kernel_free(guided->sum_rows);
    ocl_kernel_free(guided->fit);
    ocl_kernel_free(guided->mean);
    ocl_kernel_free(guided->grow);
    ocl_kernel_free(guided->apply);
    ocl_buffer_clear(&guided->matte);
    ocl_buffer_clear(&guided->guide);
    ocl_buffer_clear(&guided->sums);
    ocl_buffer_clear(&guided->lines[0]);
    ocl_buffer_clear(&guided->lines[1]);
    ocl_buffer_clear(&guided->wide);
    ocl_device_unref(guided->device);
    g_free(guided);
}

cl_mem video_guided_matte(const VideoGuided *guided)
{
    return guided->matte;
}

/* A launch over the matte. */
static gboolean launch_small(VideoGuided *guided, OclQueue *compute, OclKernel *kernel,
                             const VideoArgument *arguments, guint n_arguments, guint n_planes,
                             GError **error)
{
    return video_launch(compute, kernel, arguments, n_arguments,
                        video_strips(guided->device, guided->rect.width), guided->rect.height,
                        n_planes, error);
}

static gboolean run_fit(VideoGuided *guided, OclQueue *compute, guint frame, GError **error)
{
    const guint64 at = ((guint64)frame * guided->matte_height + guided->rect.y) * guided->pitch;
    const VideoArgument rows[] = {
        VIDEO_ARG(guided->guide),      VIDEO_ARG(guided->matte), VIDEO_ARG(at),
        VIDEO_ARG(guided->rect.width), VIDEO_ARG(guided->sums),  VIDEO_ARG(guided->pitch),
    };
    const VideoArgument fit[] = {
        VIDEO_ARG(guided->sums),
        VIDEO_ARG(guided->pitch),
        VIDEO_ARG(guided->lines[0]),
    };
    return launch_small(guided, compute, guided->sum_rows, rows, G_N_ELEMENTS(rows), 1, error) &&
           launch_small(guided, compute, guided->fit, fit, G_N_ELEMENTS(fit), 1, error);
}

static gboolean run_mean(VideoGuided *guided, OclQueue *compute, GError **error)
{
    for (gint32 vertical = 0; vertical < 2; vertical++) {
        gint32 dx = !vertical, dy = vertical;
        const VideoArgument mean[] = {
            VIDEO_ARG(guided->lines[vertical]),
            VIDEO_ARG(guided->lines[!vertical]),
            VIDEO_ARG(guided->pitch),
            VIDEO_ARG(guided->rect.width),
            VIDEO_ARG(dx),
            VIDEO_ARG(dy),
        };
        if (!launch_small(guided, compute, guided->mean, mean, G_N_ELEMENTS(mean), N_LINES, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean run_apply(VideoGuided *guided, OclQueue *compute, const VideoFrames *frames,
                          gint32 frame, cl_mem controls, const VideoGuidedTarget *target,
                          GError **error)
{
    VideoMap lines = guided->guide_map;
    lines.c = N_LINES;
    gint32 other = 0;
    cl_mem range = NULL, src = video_frames_memory(frames);
    const gsize strips = video_strips(guided->device, guided->width);
    const VideoArgument grow[] = {
        VIDEO_ARG(guided->lines[0]),    VIDEO_ARG(lines), VIDEO_ARG(other),
        VIDEO_ARG(guided->column_axis), VIDEO_ARG(range), VIDEO_ARG(guided->wide),
        VIDEO_ARG(target->pitch),
    };
    const VideoArgument apply[] = {
        VIDEO_ARG(guided->wide),
        VIDEO_ARG(guided->rect.height),
        VIDEO_ARG(guided->row_axis),
        VIDEO_ARG(target->coarse),
        VIDEO_ARG(guided->matte_height),
        VIDEO_ARG(target->coarse_axis),
        VIDEO_ARG(src),
        VIDEO_ARG(video_frames_layout(frames)->picture),
        VIDEO_ARG(guided->to_rgb),
        VIDEO_ARG(target->alpha),
        VIDEO_ARG(target->pitch),
        VIDEO_ARG(frame),
        VIDEO_ARG(controls),
    };
    return video_launch(compute, guided->grow, grow, G_N_ELEMENTS(grow), strips,
                        guided->rect.height, N_LINES, error) &&
           video_launch(compute, guided->apply, apply, G_N_ELEMENTS(apply), strips, guided->height,
                        1, error);
}

gboolean video_guided_run(VideoGuided *guided, OclQueue *compute, const VideoFrames *frames,
                          guint frame, cl_mem controls, const VideoGuidedTarget *target,
                          GError **error)
{
    return video_resize_run_every(guided->resize, compute, frames, frame, 1, 1, guided->guide,
                                  &guided->guide_map, error) &&
           run_fit(guided, compute, frame, error) && run_mean(guided, compute, error) &&
           run_apply(guided, compute, frames, (gint32)frame, controls, target, error);
}
