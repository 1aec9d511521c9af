/* guided.c - the fast guided filter: lines fitted at the matte's size, applied at the picture's.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "guided.h"

#include <math.h>

#include "color.h"
#include "resize.h"

struct VideoGuided {
    OclDevice *device;
    guint width, height; /* of the picture */
    VideoRect rect;
    guint matte_height;
    gint32 pitch;      /* at the matte's size */
    gint32 reach;      /* of the windows, in pixels of the matte */
    cl_float4 weights; /* of the components, to luma 0..1 */
    VideoResize *resize;
    VideoMap luma_map;
    VideoAxis column_axis, row_axis;
    OclKernel *sum_rows, *fit, *mean, *grow, *apply;
    cl_mem luma;     /* [max_frames][rect height][pitch] float */
    cl_mem matte;    /* [max_frames][matte_height][pitch] float */
    cl_mem sums;     /* [max_frames][4][rect height][pitch] float */
    cl_mem lines[2]; /* [max_frames][2][rect height][pitch] float */
    cl_mem wide;     /* [max_frames][2][rect height][picture pitch] float */
};

/* Luma 0..1 from the components as stored: luma itself where there is one. */
static cl_float4 luma_weights(const GstVideoInfo *in)
{
    VideoMatrix rgb = video_matrix_to_rgb(in);
    double kr, kb;
    if (GST_VIDEO_INFO_IS_RGB(in) ||
        !gst_video_color_matrix_get_Kr_Kb(in->colorimetry.matrix, &kr, &kb))
        gst_video_color_matrix_get_Kr_Kb(GST_VIDEO_COLOR_MATRIX_BT709, &kr, &kb);
    const double share[] = { kr / 255, (1 - kr - kb) / 255, kb / 255 };
    cl_float4 weights;
    for (guint i = 0; i < 4; i++) {
        double sum = 0;
        for (guint row = 0; row < 3; row++)
            sum += share[row] * rgb.m[row][i];
        /* Chroma cancels; what rounding leaves of it would have it read for nothing. */
        weights.s[i] = fabs(sum) > 1e-9 ? (float)sum : 0;
    }
    return weights;
}

/* Luma at the matte's size: three equal channels in one place. */
static gboolean prepare_luma(VideoGuided *guided, const GstVideoInfo *in, guint max_frames,
                             GError **error)
{
    const VideoRect *rect = &guided->rect;
    VideoResizeParams params = { .width = guided->width,
                                 .height = guided->height,
                                 .rect = { 0, 0, rect->width, rect->height },
                                 .normalise = { { 0, 0, 0 },
                                                { 1 / 255.0f, 1 / 255.0f, 1 / 255.0f } } };
    for (guint row = 0; row < 3; row++)
        for (guint i = 0; i < 4; i++)
            params.matrix.m[row][i] = 255 * guided->weights.s[i];
    guided->resize = video_resize_new(guided->device, in, max_frames, &params, error);
    guided->luma_map = (VideoMap){ .sample = (guint64)rect->height * guided->pitch,
                                   .c = 3,
                                   .h = (gint32)rect->height,
                                   .w = (gint32)rect->width,
                                   .sc = 0,
                                   .sh = guided->pitch,
                                   .sw = 1 };
    return guided->resize != NULL;
}

static gboolean build_kernels(VideoGuided *guided, const GstVideoInfo *in, GError **error)
{
    g_autofree char *defines = video_picture_defines(in, in);
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
    gsize rows = (gsize)max_frames * guided->rect.height, pitch = guided->pitch;
    const struct {
        cl_mem *memory;
        gsize n;
    } buffers[] = {
        { &guided->luma, rows * pitch },
        { &guided->matte, (gsize)max_frames * guided->matte_height * pitch },
        { &guided->sums, 4 * rows * pitch },
        { &guided->lines[0], 2 * rows * pitch },
        { &guided->lines[1], 2 * rows * pitch },
        { &guided->wide, 2 * rows * video_pad(guided->width) },
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
    /* Wide enough to see both sides of a soft edge that is off by some pixels: 8 of 512 columns,
     * half of what He et al. take for matting, whose trimaps are coarser. */
    guided->reach = (gint32)CLAMP(rect->width / 64, 3, 16);
    guided->weights = luma_weights(in);
    guided->column_axis = video_axis(0, rect->width, guided->width, 0, rect->width - 1);
    guided->row_axis = video_axis(0, rect->height, guided->height, 0, rect->height - 1);
    if (!prepare_luma(guided, in, max_frames, error) || !build_kernels(guided, in, error) ||
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
    ocl_buffer_clear(&guided->luma);
    ocl_buffer_clear(&guided->matte);
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

static gboolean run_fit(VideoGuided *guided, OclQueue *compute, guint n_frames, cl_mem controls,
                        GError **error)
{
    const VideoArgument rows[] = {
        VIDEO_ARG(guided->luma),   VIDEO_ARG(guided->pitch),
        VIDEO_ARG(guided->matte),  VIDEO_ARG(guided->matte_height),
        VIDEO_ARG(guided->rect.y), VIDEO_ARG(guided->rect.width),
        VIDEO_ARG(guided->reach),  VIDEO_ARG(guided->sums),
        VIDEO_ARG(guided->pitch),  VIDEO_ARG(controls),
    };
    const VideoArgument fit[] = {
        VIDEO_ARG(guided->sums),     VIDEO_ARG(guided->pitch), VIDEO_ARG(guided->reach),
        VIDEO_ARG(guided->lines[0]), VIDEO_ARG(controls),
    };
    return launch_small(guided, compute, guided->sum_rows, rows, G_N_ELEMENTS(rows), n_frames,
                        error) &&
           launch_small(guided, compute, guided->fit, fit, G_N_ELEMENTS(fit), n_frames, error);
}

static gboolean run_mean(VideoGuided *guided, OclQueue *compute, guint n_frames, cl_mem controls,
                         GError **error)
{
    for (gint32 vertical = 0; vertical < 2; vertical++) {
        gint32 dx = !vertical, dy = vertical;
        const VideoArgument mean[] = {
            VIDEO_ARG(guided->lines[vertical]),
            VIDEO_ARG(guided->lines[!vertical]),
            VIDEO_ARG(guided->pitch),
            VIDEO_ARG(guided->rect.width),
            VIDEO_ARG(guided->reach),
            VIDEO_ARG(dx),
            VIDEO_ARG(dy),
            VIDEO_ARG(controls),
        };
        if (!launch_small(guided, compute, guided->mean, mean, G_N_ELEMENTS(mean), 2 * n_frames,
                          error))
            return FALSE;
    }
    return TRUE;
}

static gboolean run_apply(VideoGuided *guided, OclQueue *compute, const VideoFrames *frames,
                          guint n_frames, cl_mem controls, const VideoGuidedTarget *target,
                          GError **error)
{
    const VideoMap lines = { .sample = 2 * guided->luma_map.sample,
                             .c = 2,
                             .h = guided->luma_map.h,
                             .w = guided->luma_map.w,
                             .sc = (gint32)guided->luma_map.sample,
                             .sh = guided->pitch,
                             .sw = 1 };
    gint32 other = 0;
    cl_mem range = NULL, src = video_frames_memory(frames);
    const VideoArgument grow[] = {
        VIDEO_ARG(guided->lines[0]),    VIDEO_ARG(lines), VIDEO_ARG(other),
        VIDEO_ARG(guided->column_axis), VIDEO_ARG(range), VIDEO_ARG(guided->wide),
        VIDEO_ARG(target->pitch),
    };
    const VideoArgument apply[] = {
        VIDEO_ARG(guided->wide),
        VIDEO_ARG(guided->rect.height),
        VIDEO_ARG(guided->row_axis),
        VIDEO_ARG(src),
        VIDEO_ARG(video_frames_layout(frames)->picture),
        VIDEO_ARG(guided->weights),
        VIDEO_ARG(target->alpha),
        VIDEO_ARG(target->pitch),
        VIDEO_ARG(controls),
    };
    return video_launch(compute, guided->grow, grow, G_N_ELEMENTS(grow),
                        video_strips(guided->device, guided->width), guided->rect.height,
                        (gsize)2 * n_frames, error) &&
           video_launch(compute, guided->apply, apply, G_N_ELEMENTS(apply),
                        video_strips(guided->device, guided->width), guided->height, n_frames,
                        error);
}

gboolean video_guided_run(VideoGuided *guided, OclQueue *compute, const VideoFrames *frames,
                          guint n_frames, cl_mem controls, const VideoGuidedTarget *target,
                          GError **error)
{
    return video_resize_run(guided->resize, compute, frames, n_frames, guided->luma,
                            &guided->luma_map, error) &&
           run_fit(guided, compute, n_frames, controls, error) &&
           run_mean(guided, compute, n_frames, controls, error) &&
           run_apply(guided, compute, frames, n_frames, controls, target, error);
}
