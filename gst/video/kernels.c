/* kernels.c - what every user of the video kernels needs: building, formats as defines, launching.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "kernels.h"

#include "color.h"

guint video_lanes(const OclDevice *device)
{
    return device->device_class == OCL_CLASS_CPU ? 16 : 4;
}

gsize video_strips(const OclDevice *device, guint n)
{
    guint lanes = video_lanes(device);
    return (n + lanes - 1) / lanes;
}

gsize video_row_groups(const GstVideoInfo *out)
{
    gboolean halved =
        GST_VIDEO_INFO_N_COMPONENTS(out) > 1 && GST_VIDEO_FORMAT_INFO_H_SUB(out->finfo, 1) > 0;
    return (GST_VIDEO_INFO_HEIGHT(out) + (halved ? 1 : 0)) >> (halved ? 1 : 0);
}

guint video_pad(guint n)
{
    return GST_ROUND_UP_16(n);
}

OclKernel *video_kernel_new(OclDevice *device, const char *file, const char *function,
                            GError **error, const char *options, ...)
{
    va_list arguments;
    va_start(arguments, options);
    g_autofree char *own = g_strdup_vprintf(options, arguments);
    va_end(arguments);
    g_autofree char *all = g_strdup_printf("-DPX=%u %s", video_lanes(device), own);
    return ocl_kernel_new(device, file, function, g_strchomp(all), error);
}

gboolean video_tensor_kernels_new(OclDevice *device, const char *file,
                                  const VideoTensorKernel *kernels, guint n_kernels, GError **error)
{
    for (guint i = 0; i < n_kernels; i++) {
        *kernels[i].kernel = video_kernel_new(device, file, kernels[i].function, error, "%s",
                                              kernels[i].type == NN_FLOAT16 ? "-DFP16" : "");
        if (!*kernels[i].kernel)
            return FALSE;
    }
    return TRUE;
}

/* The KIND_* of kernels/video_picture.clh. */
typedef enum {
    KIND_NONE,
    KIND_PACKED4,
    KIND_PACKED3,
    KIND_PLANAR,
    KIND_SEMI,
    KIND_PAIRS,
    KIND_GRAY,
} Kind;

static Kind format_kind(const GstVideoFormatInfo *format)
{
    if (GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format) == 1)
        return KIND_GRAY;
    gint luma_step = GST_VIDEO_FORMAT_INFO_PSTRIDE(format, 0);
    gint chroma_step = GST_VIDEO_FORMAT_INFO_PSTRIDE(format, 1);
    if (GST_VIDEO_FORMAT_INFO_N_PLANES(format) == 1) {
        if (luma_step == 4 && chroma_step == 4)
            return KIND_PACKED4;
        if (luma_step == 3 && chroma_step == 3)
            return KIND_PACKED3;
        if (luma_step == 2 && chroma_step == 4)
            return KIND_PAIRS;
        return KIND_NONE;
    }
    if (luma_step != 1)
        return KIND_NONE;
    if (chroma_step == 2)
        return KIND_SEMI;
    return chroma_step == 1 ? KIND_PLANAR : KIND_NONE;
}

gboolean video_format_supported(GstVideoFormat format)
{
    const GstVideoFormatInfo *info = gst_video_format_get_info(format);
    if (!info || !GST_VIDEO_FORMAT_INFO_N_COMPONENTS(info) ||
        GST_VIDEO_FORMAT_INFO_IS_TILED(info) || GST_VIDEO_FORMAT_INFO_HAS_PALETTE(info) ||
        GST_VIDEO_FORMAT_INFO_IS_COMPLEX(info))
        return FALSE;
    for (guint i = 0; i < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(info); i++)
        if (GST_VIDEO_FORMAT_INFO_DEPTH(info, i) != 8 ||
            GST_VIDEO_FORMAT_INFO_SHIFT(info, i) != 0 || GST_VIDEO_FORMAT_INFO_W_SUB(info, i) > 1 ||
            GST_VIDEO_FORMAT_INFO_H_SUB(info, i) > 1)
            return FALSE;
    return format_kind(info) != KIND_NONE;
}

/* Where component @c is, in the words of video_picture.clh; -1 if there is none. */
static gint component_position(const GstVideoFormatInfo *format, Kind kind, guint c)
{
    if (c >= GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format))
        return -1;
    gboolean in_plane = kind == KIND_PLANAR || (kind == KIND_SEMI && (c == 0 || c == 3));
    return in_plane ? (gint)GST_VIDEO_FORMAT_INFO_PLANE(format, c)
                    : (gint)GST_VIDEO_FORMAT_INFO_POFFSET(format, c);
}

static void append_format(GString *text, const char *prefix, const GstVideoInfo *info)
{
    Kind kind = format_kind(info->finfo);
    g_string_append_printf(text, " -D%s_KIND=%d", prefix, kind);
    const char *const names[] = { "C0", "C1", "C2", "A" };
    for (guint c = 0; c < G_N_ELEMENTS(names); c++)
        g_string_append_printf(text, " -D%s_%s=%d", prefix, names[c],
                               component_position(info->finfo, kind, c));
    gboolean color = GST_VIDEO_INFO_N_COMPONENTS(info) > 1;
    g_string_append_printf(text, " -D%s_SX=%u -D%s_SY=%u", prefix,
                           color ? GST_VIDEO_FORMAT_INFO_W_SUB(info->finfo, 1) : 0, prefix,
                           color ? GST_VIDEO_FORMAT_INFO_H_SUB(info->finfo, 1) : 0);
}

char *video_picture_defines(const GstVideoInfo *in, const GstVideoInfo *out)
{
    GString *text = g_string_new(NULL);
    append_format(text, "IN", in);
    append_format(text, "OUT", out);
    GstVideoChromaSite site = GST_VIDEO_INFO_CHROMA_SITE(in);
    const char *on_even[] = { "0.0f", "0.5f" }, *between[] = { "0.25f", "0.25f" };
    const char **x = site & GST_VIDEO_CHROMA_SITE_H_COSITED ? on_even : between;
    const char **y = site & GST_VIDEO_CHROMA_SITE_V_COSITED ? on_even : between;
    g_string_append_printf(text,
                           " -DIN_FAR_X0=%s -DIN_FAR_X1=%s -DIN_FAR_Y0=%s -DIN_FAR_Y1=%s"
                           " -DSAME_SPACE=%d",
                           x[0], x[1], y[0], y[1], video_color_same_space(in, out));
    return g_string_free(text, FALSE);
}

gboolean video_launch(OclQueue *queue, OclKernel *kernel, const VideoArgument *arguments,
                      guint n_arguments, gsize x, gsize y, gsize z, GError **error)
{
    for (guint i = 0; i < n_arguments; i++)
        if (!ocl_kernel_set(kernel, i, arguments[i].size_b, arguments[i].value, error))
            return FALSE;
    const gsize global[] = { x, y, z };
    /* On CPUs a row is a work-group: PoCL compiles a kernel anew for every size of work-group, and
     * one of its own choice would follow the number of frames. */
    const gsize row[] = { x, 1, 1 };
    const OclDevice *device = queue->device;
    gboolean fits = device->device_class == OCL_CLASS_CPU && x <= device->max_work_group;
    return ocl_enqueue(queue, kernel, 3, global, fits ? row : NULL, NULL, error);
}

/* No network counts more channels in a picture that goes in or comes out than this. */
#define MOST_CHANNELS 4

gboolean video_place_map(const NnPlace *place, gboolean nhwc, VideoMap *map, GError **error)
{
    if (place->type != NN_FLOAT32 && place->type != NN_FLOAT16) {
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "a picture's tensor must be float, not %s",
                    nn_type_name(place->type));
        return FALSE;
    }
    int first = place->rank;
    while (first > 0 && place->rank - first < 3)
        first--;
    gint64 others = 1;
    for (int i = 0; i < first; i++)
        others *= place->dims[i];
    if (place->rank < 2 || others != 1) {
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                    "a picture's tensor must be [1][C][H][W] or [1][H][W][C], not of rank %d",
                    place->rank);
        return FALSE;
    }
    *map = (VideoMap){ .offset = place->offset, .sample = place->sample_stride, .c = 1 };
    int c = -1, h = first, w = first + 1;
    if (place->rank >= 3) {
        gboolean last_fits = place->dims[first + 2] <= MOST_CHANNELS;
        gboolean first_fits = place->dims[first] <= MOST_CHANNELS;
        gboolean last = last_fits == first_fits ? nhwc : last_fits;
        c = last ? first + 2 : first;
        h = last ? first : first + 1;
        w = last ? first + 1 : first + 2;
        map->c = place->dims[c];
        map->sc = place->strides[c];
    }
    map->h = place->dims[h];
    map->w = place->dims[w];
    map->sh = place->strides[h];
    map->sw = place->strides[w];
    return TRUE;
}
