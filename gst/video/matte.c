/* matte.c - the network's matte to an alpha plane: meaning, size, curve, edge.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "matte.h"

#include "color.h"
#include "guided.h"
#include "range.h"

struct VideoAlpha {
    OclDevice *device;
    GstVideoInfo in;
    guint width, height;
    guint max_frames;
    VideoMatte kind;
    gboolean nhwc;
    guint channel;
    VideoRect rect; /* of the picture within the matte */
    VideoAxis row_axis, column_axis;
    OclKernel *rows_kernel, *columns_kernel, *erode_kernel, *feather_kernel;
    VideoRange *range; /* VIDEO_MATTE_MINMAX; else NULL */
    guint matte_height;
    cl_mem wide;      /* [max_frames][matte_height][pitch] float: resized horizontally */
    cl_mem planes[2]; /* [max_frames][height][pitch] ushort: the result; between two passes */
    gint32 pitch;
    VideoGuided *guided;      /* NULL: not asked for yet */
    OclKernel *steady_kernel; /* likewise */
    cl_mem past;              /* [2][height][pitch] ushort: see kernels/video_steady.cl */
    gboolean has_past;
};

/* The channel that is alpha as a map of its own; @other: from it to the background's channel. */
static gboolean matte_map(const NnPlace *place, gboolean nhwc, guint channel, VideoMap *map,
                          gint32 *other, GError **error)
{
    if (!video_place_map(place, nhwc, map, error))
        return FALSE;
    if (channel >= (guint)map->c) {
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                    "alpha should be channel %u of the network's output, which has %d", channel,
                    map->c);
        return FALSE;
    }
    *other = channel == 0 ? map->sc : -map->sc;
    map->offset += (guint64)channel * map->sc;
    map->c = 1;
    return TRUE;
}

static gboolean build_kernels(VideoAlpha *alpha, gboolean fp16, GError **error)
{
    const struct {
        OclKernel **kernel;
        const char *function;
    } kernels[] = {
        { &alpha->rows_kernel, "video_matte_rows" },
        { &alpha->columns_kernel, "video_matte_columns" },
        { &alpha->erode_kernel, "video_matte_erode" },
        { &alpha->feather_kernel, "video_matte_feather" },
    };
    for (guint i = 0; i < G_N_ELEMENTS(kernels); i++) {
        *kernels[i].kernel =
            video_kernel_new(alpha->device, "video_matte.cl", kernels[i].function, error,
                             "-DMATTE=%d%s", alpha->kind, fp16 ? " -DFP16" : "");
        if (!*kernels[i].kernel)
            return FALSE;
    }
    return TRUE;
}

static gboolean allocate(VideoAlpha *alpha, GError **error)
{
    alpha->pitch = (gint32)video_pad(alpha->width);
    gsize row = (gsize)alpha->max_frames * alpha->pitch;
    alpha->wide = ocl_buffer_new(alpha->device, OCL_BUFFER_READ_WRITE,
                                 alpha->matte_height * row * sizeof(float), error);
    if (!alpha->wide)
        return FALSE;
    for (guint i = 0; i < 2; i++) {
        alpha->planes[i] = ocl_buffer_new(alpha->device, OCL_BUFFER_READ_WRITE,
                                          alpha->height * row * sizeof(guint16), error);
        if (!alpha->planes[i])
            return FALSE;
    }
    return TRUE;
}

VideoAlpha *video_alpha_new(OclDevice *device, const GstVideoInfo *in, const VideoModelInfo *info,
                            guint max_frames, const NnPlace *matte, GError **error)
{
    VideoMap map;
    gint32 other;
    if (!matte_map(matte, info->nhwc, info->channel, &map, &other, error))
        return NULL;
    g_autoptr(VideoAlpha) alpha = g_new0(VideoAlpha, 1);
    guint width = GST_VIDEO_INFO_WIDTH(in), height = GST_VIDEO_INFO_HEIGHT(in);
    alpha->device = ocl_device_ref(device);
    alpha->in = *in;
    alpha->width = width;
    alpha->height = height;
    alpha->max_frames = max_frames;
    alpha->matte_height = map.h;
    alpha->kind = info->matte;
    alpha->nhwc = info->nhwc;
    alpha->channel = info->channel;
    alpha->rect = video_fit_rect(info->fit, width, height, map.w, map.h);
    const VideoRect *rect = &alpha->rect;
    alpha->row_axis =
        video_axis(rect->y, rect->height, height, rect->y, rect->y + rect->height - 1);
    alpha->column_axis =
        video_axis(rect->x, rect->width, width, rect->x, rect->x + rect->width - 1);
    gboolean fp16 = matte->type == NN_FLOAT16;
    if (!build_kernels(alpha, fp16, error) || !allocate(alpha, error))
        return NULL;
    if (alpha->kind == VIDEO_MATTE_MINMAX) {
        alpha->range = video_range_new(device, rect->width, max_frames, fp16, error);
        if (!alpha->range)
            return NULL;
    }
    return g_steal_pointer(&alpha);
}

void video_alpha_free(VideoAlpha *alpha)
{
    if (!alpha)
        return;
    ocl_kernel_free(alpha->rows_kernel);
    ocl_kernel_free(alpha->columns_kernel);
    ocl_kernel_free(alpha->erode_kernel);
    ocl_kernel_free(alpha->feather_kernel);
    video_range_free(alpha->range);
    video_guided_free(alpha->guided);
    ocl_kernel_free(alpha->steady_kernel);
    ocl_buffer_clear(&alpha->past);
    ocl_buffer_clear(&alpha->wide);
    ocl_buffer_clear(&alpha->planes[0]);
    ocl_buffer_clear(&alpha->planes[1]);
    ocl_device_unref(alpha->device);
    g_free(alpha);
}

static gboolean run_range(VideoAlpha *alpha, OclQueue *compute, guint n_frames,
                          const NnPlace *matte, const VideoMap *map, GError **error)
{
    return !alpha->range || video_range_run(alpha->range, compute, matte->memory, map, &alpha->rect,
                                            n_frames, error);
}

/* The matte, normalised and resized along @axis to @width columns of @wide. */
static gboolean run_columns(VideoAlpha *alpha, OclQueue *compute, guint n_frames,
                            const NnPlace *matte, const VideoAxis *axis, cl_mem wide, guint width,
                            GError **error)
{
    VideoMap map;
    gint32 other, pitch = (gint32)video_pad(width);
    if (!matte_map(matte, alpha->nhwc, alpha->channel, &map, &other, error))
        return FALSE;
    cl_mem range = alpha->range ? video_range_memory(alpha->range) : NULL;
    const VideoArgument arguments[] = {
        VIDEO_ARG(matte->memory), VIDEO_ARG(map),  VIDEO_ARG(other), VIDEO_ARG(*axis),
        VIDEO_ARG(range),         VIDEO_ARG(wide), VIDEO_ARG(pitch),
    };
    return video_launch(compute, alpha->columns_kernel, arguments, G_N_ELEMENTS(arguments),
                        video_strips(alpha->device, width), map.h, n_frames, error);
}

static gboolean run_rows(VideoAlpha *alpha, OclQueue *compute, guint n_frames, cl_mem controls,
                         GError **error)
{
    const VideoArgument arguments[] = {
        VIDEO_ARG(alpha->wide),     VIDEO_ARG(alpha->pitch), VIDEO_ARG(alpha->matte_height),
        VIDEO_ARG(alpha->row_axis), VIDEO_ARG(controls),     VIDEO_ARG(alpha->planes[0]),
    };
    return video_launch(compute, alpha->rows_kernel, arguments, G_N_ELEMENTS(arguments),
                        video_strips(alpha->device, alpha->width), alpha->height, n_frames, error);
}

/* A separable filter: along rows into the second plane, along columns back into the first. */
static gboolean run_edge(VideoAlpha *alpha, OclQueue *compute, guint n_frames, OclKernel *kernel,
                         cl_mem controls, GError **error)
{
    for (gint32 vertical = 0; vertical < 2; vertical++) {
        gint32 dx = !vertical, dy = vertical, width = (gint32)alpha->width;
        const VideoArgument arguments[] = {
            VIDEO_ARG(alpha->planes[vertical]),
            VIDEO_ARG(alpha->planes[!vertical]),
            VIDEO_ARG(alpha->pitch),
            VIDEO_ARG(width),
            VIDEO_ARG(dx),
            VIDEO_ARG(dy),
            VIDEO_ARG(controls),
        };
        if (!video_launch(compute, kernel, arguments, G_N_ELEMENTS(arguments),
                          video_strips(alpha->device, alpha->width), alpha->height, n_frames,
                          error))
            return FALSE;
    }
    return TRUE;
}

/* Replaces alpha of the frames that ask for it. */
static gboolean run_guided(VideoAlpha *alpha, OclQueue *compute, const VideoFrames *frames,
                           guint n_frames, const NnPlace *matte, const VideoControlsTable *controls,
                           GError **error)
{
    const VideoRect *rect = &alpha->rect;
    /* Made when first asked for, as the blur is. */
    if (!alpha->guided)
        alpha->guided = video_guided_new(alpha->device, &alpha->in, rect, alpha->matte_height,
                                         alpha->max_frames, error);
    if (!alpha->guided)
        return FALSE;
    const VideoAxis same =
        video_axis(rect->x, rect->width, rect->width, rect->x, rect->x + rect->width - 1);
    const VideoGuidedTarget target = { alpha->planes[0], alpha->wide, alpha->pitch,
                                       alpha->row_axis };
    if (!run_columns(alpha, compute, n_frames, matte, &same, video_guided_matte(alpha->guided),
                     rect->width, error))
        return FALSE;
    for (guint i = 0; i < n_frames; i++)
        if (video_controls_table_get(controls, i)->refine &&
            !video_guided_run(alpha->guided, compute, frames, i,
                              video_controls_table_memory(controls), &target, error))
            return FALSE;
    return TRUE;
}

static gboolean prepare_steady(VideoAlpha *alpha, GError **error)
{
    GstVideoInfo rgb;
    gst_video_info_set_format(&rgb, GST_VIDEO_FORMAT_RGB, alpha->width, alpha->height);
    g_autofree char *defines = video_picture_defines(&alpha->in, &rgb);
    alpha->past = ocl_buffer_new(alpha->device, OCL_BUFFER_READ_WRITE,
                                 2 * (gsize)alpha->height * alpha->pitch * sizeof(guint16), error);
    alpha->steady_kernel = alpha->past ? video_kernel_new(alpha->device, "video_steady.cl",
                                                          "video_steady", error, "%s", defines)
                                       : NULL;
    return alpha->steady_kernel != NULL;
}

static gboolean run_steady(VideoAlpha *alpha, OclQueue *compute, const VideoFrames *frames,
                           guint n_frames, cl_mem controls, GError **error)
{
    const VideoMatrix to_rgb = video_matrix_to_rgb(&alpha->in);
    const cl_float16 matrix = video_matrix_argument(&to_rgb);
    if (!alpha->steady_kernel && !prepare_steady(alpha, error))
        return FALSE;
    cl_mem src = video_frames_memory(frames);
    gint32 has_past = alpha->has_past, n = (gint32)n_frames;
    const VideoArgument arguments[] = {
        VIDEO_ARG(src),          VIDEO_ARG(video_frames_layout(frames)->picture),
        VIDEO_ARG(matrix),       VIDEO_ARG(alpha->planes[0]),
        VIDEO_ARG(alpha->pitch), VIDEO_ARG(alpha->past),
        VIDEO_ARG(has_past),     VIDEO_ARG(n),
        VIDEO_ARG(controls),
    };
    return video_launch(compute, alpha->steady_kernel, arguments, G_N_ELEMENTS(arguments),
                        video_strips(alpha->device, alpha->width), alpha->height, 1, error);
}

/* What any of the frames asks for. */
typedef struct {
    gboolean refine, temporal, erode, feather;
} Wishes;

static Wishes wishes(const VideoControlsTable *controls, guint n_frames)
{
    Wishes wish = { 0 };
    for (guint i = 0; i < n_frames; i++) {
        const VideoFrameControls *frame = video_controls_table_get(controls, i);
        wish.refine |= frame->refine != 0;
        wish.temporal |= frame->temporal > 0;
        wish.erode |= frame->erode != 0;
        wish.feather |= frame->feather != 0;
    }
    return wish;
}

gboolean video_alpha_run(VideoAlpha *alpha, OclQueue *compute, const VideoFrames *frames,
                         guint n_frames, const NnPlace *matte, const VideoControlsTable *controls,
                         GError **error)
{
    VideoMap map;
    gint32 other;
    cl_mem table = video_controls_table_memory(controls);
    if (!matte_map(matte, alpha->nhwc, alpha->channel, &map, &other, error))
        return FALSE;
    const Wishes wish = wishes(controls, n_frames);
    /* Frames that do not ask for them pass the filters unchanged, bit for bit. */
    const gboolean ok =
        run_range(alpha, compute, n_frames, matte, &map, error) &&
        run_columns(alpha, compute, n_frames, matte, &alpha->column_axis, alpha->wide, alpha->width,
                    error) &&
        run_rows(alpha, compute, n_frames, table, error) &&
        (!wish.refine || run_guided(alpha, compute, frames, n_frames, matte, controls, error)) &&
        (!wish.temporal || run_steady(alpha, compute, frames, n_frames, table, error)) &&
        (!wish.erode || run_edge(alpha, compute, n_frames, alpha->erode_kernel, table, error)) &&
        (!wish.feather || run_edge(alpha, compute, n_frames, alpha->feather_kernel, table, error));
    alpha->has_past = video_controls_table_get(controls, n_frames - 1)->temporal > 0;
    return ok;
}

void video_alpha_begin(VideoAlpha *alpha)
{
    alpha->has_past = FALSE;
}

cl_mem video_alpha_memory(const VideoAlpha *alpha)
{
    return alpha->planes[0];
}

gint32 video_alpha_pitch(const VideoAlpha *alpha)
{
    return alpha->pitch;
}
