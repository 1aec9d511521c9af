/* resize.c - frames resized into tensors: rows first, as plain bytes, then columns with the colour.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Filtering rows first reads every byte of the frame once, in order and in whole vectors, whatever
 * the format; what is left for the second step, where pixels are picked apart, is small.
 */
#include "resize.h"

struct VideoResize {
    OclDevice *device;
    GstVideoInfo source;
    VideoResizeParams params;
    OclKernel *row_kernel, *column_kernel;
    cl_mem rows;                          /* [max_frames][planes][rect.height][pitch] float */
    guint64 frame;                        /* floats between frames of rows */
    guint64 offset[GST_VIDEO_MAX_PLANES]; /* floats */
    gint32 pitch[GST_VIDEO_MAX_PLANES];   /* floats */
    VideoAxis row_axis[GST_VIDEO_MAX_PLANES];
    VideoComponent components[3];
};

/* Where chroma sample 0 lies off the middle of the pixels it belongs to, in samples: a sample that
 * stands on the even pixel covers the range a quarter further left. */
static double siting_shift(gboolean halved, gboolean cosited)
{
    return halved && cosited ? 0.25 : 0;
}

static VideoAxis component_columns(const VideoResize *resize, guint c)
{
    const GstVideoInfo *source = &resize->source;
    guint halved = GST_VIDEO_FORMAT_INFO_W_SUB(source->finfo, c);
    gboolean cosited = !!(GST_VIDEO_INFO_CHROMA_SITE(source) & GST_VIDEO_CHROMA_SITE_H_COSITED);
    double share = 1.0 / (1 << halved);
    return video_axis(resize->params.x * share + siting_shift(halved, cosited),
                      resize->params.width * share, resize->params.rect.width, 0,
                      GST_VIDEO_INFO_COMP_WIDTH(source, c) - 1);
}

static VideoAxis component_rows(const VideoResize *resize, guint c)
{
    const GstVideoInfo *source = &resize->source;
    guint halved = GST_VIDEO_FORMAT_INFO_H_SUB(source->finfo, c);
    gboolean cosited = !!(GST_VIDEO_INFO_CHROMA_SITE(source) & GST_VIDEO_CHROMA_SITE_V_COSITED);
    double share = 1.0 / (1 << halved);
    return video_axis(resize->params.y * share + siting_shift(halved, cosited),
                      resize->params.height * share, resize->params.rect.height, 0,
                      GST_VIDEO_INFO_COMP_HEIGHT(source, c) - 1);
}

static void lay_out(VideoResize *resize)
{
    const GstVideoInfo *source = &resize->source;
    VideoLayout layout;
    video_layout_init(&layout, source);
    for (guint plane = 0; plane < layout.n_planes; plane++) {
        resize->offset[plane] = resize->frame;
        resize->pitch[plane] = (gint32)video_pad((guint)layout.row_b[plane]);
        resize->frame += (guint64)resize->pitch[plane] * resize->params.rect.height;
    }
    guint n = GST_VIDEO_INFO_N_COMPONENTS(source);
    for (guint c = 0; c < n; c++)
        resize->row_axis[GST_VIDEO_INFO_COMP_PLANE(source, c)] = component_rows(resize, c);
    for (guint c = 0; c < 3; c++) {
        /* Gray: luma for all; the matrix leaves out what is not there. */
        guint from = c < n ? c : 0;
        guint plane = GST_VIDEO_INFO_COMP_PLANE(source, from);
        resize->components[c] =
            (VideoComponent){ .offset =
                                  resize->offset[plane] + GST_VIDEO_INFO_COMP_POFFSET(source, from),
                              .step = GST_VIDEO_INFO_COMP_PSTRIDE(source, from),
                              .pitch = resize->pitch[plane],
                              .axis = component_columns(resize, from) };
    }
}

/* Without chroma the kernel's other two components are luma again: their share goes. */
static void leave_out_chroma(VideoMatrix *matrix)
{
    for (guint row = 0; row < 3; row++) {
        matrix->m[row][3] += 128 * (matrix->m[row][1] + matrix->m[row][2]);
        matrix->m[row][1] = 0;
        matrix->m[row][2] = 0;
    }
}

VideoResize *video_resize_new(OclDevice *device, const GstVideoInfo *source, guint max_frames,
                              const VideoResizeParams *params, GError **error)
{
    g_autoptr(VideoResize) resize = g_new0(VideoResize, 1);
    resize->device = ocl_device_ref(device);
    resize->source = *source;
    resize->params = *params;
    if (GST_VIDEO_INFO_N_COMPONENTS(source) == 1)
        leave_out_chroma(&resize->params.matrix);
    lay_out(resize);
    const char *options = params->fp16 ? "-DFP16" : "";
    resize->row_kernel =
        video_kernel_new(device, "video_tensor.cl", "video_rows", error, "%s", options);
    if (!resize->row_kernel)
        return NULL;
    resize->column_kernel =
        video_kernel_new(device, "video_tensor.cl", "video_to_tensor", error, "%s", options);
    if (!resize->column_kernel)
        return NULL;
    resize->rows = ocl_buffer_new(device, OCL_BUFFER_READ_WRITE,
                                  resize->frame * max_frames * sizeof(float), error);
    if (!resize->rows)
        return NULL;
    return g_steal_pointer(&resize);
}

void video_resize_free(VideoResize *resize)
{
    if (!resize)
        return;
    ocl_kernel_free(resize->row_kernel);
    ocl_kernel_free(resize->column_kernel);
    ocl_buffer_clear(&resize->rows);
    ocl_device_unref(resize->device);
    g_free(resize);
}

static gboolean run_rows(VideoResize *resize, OclQueue *compute, const VideoFrames *frames,
                         guint first, guint step, guint n_frames, guint plane, GError **error)
{
    const VideoLayout *layout = video_frames_layout(frames);
    const guint64 offset = layout->picture.offset[plane] + first * layout->picture.frame;
    const guint64 frame = step * layout->picture.frame;
    cl_mem src = video_frames_memory(frames);
    const VideoArgument arguments[] = {
        VIDEO_ARG(src),
        VIDEO_ARG(offset),
        VIDEO_ARG(frame),
        VIDEO_ARG(layout->picture.pitch[plane]),
        VIDEO_ARG(resize->row_axis[plane]),
        VIDEO_ARG(resize->rows),
        VIDEO_ARG(resize->offset[plane]),
        VIDEO_ARG(resize->frame),
        VIDEO_ARG(resize->pitch[plane]),
    };
    return video_launch(compute, resize->row_kernel, arguments, G_N_ELEMENTS(arguments),
                        video_strips(resize->device, (guint)layout->row_b[plane]),
                        resize->params.rect.height, n_frames, error);
}

static gboolean run_columns(VideoResize *resize, OclQueue *compute, guint n_frames, cl_mem memory,
                            const VideoMap *map, GError **error)
{
    const VideoRect *rect = &resize->params.rect;
    cl_float16 matrix = video_matrix_argument(&resize->params.matrix);
    const VideoArgument arguments[] = {
        VIDEO_ARG(resize->rows),
        VIDEO_ARG(resize->frame),
        VIDEO_ARG(resize->components[0]),
        VIDEO_ARG(resize->components[1]),
        VIDEO_ARG(resize->components[2]),
        VIDEO_ARG(matrix),
        VIDEO_ARG(resize->params.normalise),
        VIDEO_ARG(rect->x),
        VIDEO_ARG(rect->y),
        VIDEO_ARG(rect->width),
        VIDEO_ARG(rect->height),
        VIDEO_ARG(memory),
        VIDEO_ARG(*map),
    };
    return video_launch(compute, resize->column_kernel, arguments, G_N_ELEMENTS(arguments),
                        video_strips(resize->device, map->w), map->h, n_frames, error);
}

gboolean video_resize_run_every(VideoResize *resize, OclQueue *compute, const VideoFrames *frames,
                                guint first, guint step, guint n_frames, cl_mem memory,
                                const VideoMap *map, GError **error)
{
    const VideoLayout *layout = video_frames_layout(frames);
    for (guint plane = 0; plane < layout->n_planes; plane++) {
        /* Alpha does not go into networks. */
        gboolean used = FALSE;
        for (guint c = 0; c < (guint)GST_VIDEO_INFO_N_COMPONENTS(&resize->source) && c < 3; c++)
            used |= (guint)GST_VIDEO_INFO_COMP_PLANE(&resize->source, c) == plane;
        if (used && !run_rows(resize, compute, frames, first, step, n_frames, plane, error))
            return FALSE;
    }
    return run_columns(resize, compute, n_frames, memory, map, error);
}

gboolean video_resize_run(VideoResize *resize, OclQueue *compute, const VideoFrames *frames,
                          guint n_frames, cl_mem memory, const VideoMap *map, GError **error)
{
    return video_resize_run_every(resize, compute, frames, 0, 1, n_frames, memory, map, error);
}
