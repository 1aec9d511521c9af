/* frames.c - pictures in device memory: their layout, upload and readback.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "frames.h"

#include <string.h>

/* Rows start at multiples of a cache line. */
#define ROW_ALIGN_B 64
/* The widest strip of the kernels. */
#define STRIP_PX 16

struct VideoFrames {
    OclDevice *device;
    GstVideoInfo info;
    VideoLayout layout;
    guint n_frames;
    cl_mem memory;
    OclPinned *staging; /* NULL: no uploads */
};

static void plane_extents(VideoLayout *layout, const GstVideoInfo *info, guint plane,
                          gsize *padded_b)
{
    *padded_b = 0;
    for (guint c = 0; c < (guint)GST_VIDEO_INFO_N_COMPONENTS(info); c++) {
        if ((guint)GST_VIDEO_INFO_COMP_PLANE(info, c) != plane)
            continue;
        gsize step = GST_VIDEO_INFO_COMP_PSTRIDE(info, c);
        gsize strips = GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(
            info->finfo, c, GST_ROUND_UP_N(GST_VIDEO_INFO_WIDTH(info), STRIP_PX));
        layout->row_b[plane] = MAX(layout->row_b[plane], GST_VIDEO_INFO_COMP_WIDTH(info, c) * step);
        layout->rows[plane] = MAX(layout->rows[plane], (guint)GST_VIDEO_INFO_COMP_HEIGHT(info, c));
        *padded_b = MAX(*padded_b, strips * step);
    }
}

void video_layout_init(VideoLayout *layout, const GstVideoInfo *info)
{
    *layout = (VideoLayout){ .n_planes = GST_VIDEO_INFO_N_PLANES(info),
                             .picture = { .width = GST_VIDEO_INFO_WIDTH(info),
                                          .height = GST_VIDEO_INFO_HEIGHT(info) } };
    gsize offset = ROW_ALIGN_B;
    for (guint plane = 0; plane < layout->n_planes; plane++) {
        gsize padded_b;
        plane_extents(layout, info, plane, &padded_b);
        gsize pitch = GST_ROUND_UP_N(padded_b, ROW_ALIGN_B);
        layout->picture.offset[plane] = offset;
        layout->picture.pitch[plane] = (gint32)pitch;
        offset += pitch * layout->rows[plane];
    }
    layout->picture.frame = offset + ROW_ALIGN_B;
}

VideoFrames *video_frames_new(OclDevice *device, const GstVideoInfo *info, guint n_frames,
                              gboolean staging, GError **error)
{
    if (!video_format_supported(GST_VIDEO_INFO_FORMAT(info))) {
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "frames of format %s are not supported",
                    GST_VIDEO_INFO_NAME(info));
        return NULL;
    }
    g_autoptr(VideoFrames) frames = g_new0(VideoFrames, 1);
    frames->device = ocl_device_ref(device);
    frames->info = *info;
    frames->n_frames = n_frames;
    video_layout_init(&frames->layout, info);
    gsize size_b = frames->layout.picture.frame * n_frames;
    frames->memory = ocl_buffer_new(device, OCL_BUFFER_READ_WRITE, size_b, error);
    if (!frames->memory)
        return NULL;
    if (staging) {
        frames->staging = ocl_pinned_new(device, size_b, error);
        if (!frames->staging)
            return NULL;
    }
    return g_steal_pointer(&frames);
}

void video_frames_free(VideoFrames *frames)
{
    if (!frames)
        return;
    ocl_pinned_free(frames->staging);
    ocl_buffer_clear(&frames->memory);
    ocl_device_unref(frames->device);
    g_free(frames);
}

const GstVideoInfo *video_frames_info(const VideoFrames *frames)
{
    return &frames->info;
}

const VideoLayout *video_frames_layout(const VideoFrames *frames)
{
    return &frames->layout;
}

cl_mem video_frames_memory(const VideoFrames *frames)
{
    return frames->memory;
}

guint video_frames_count(const VideoFrames *frames)
{
    return frames->n_frames;
}

/* The top left pixel of what @frame shows: its crop, where it has one. */
static gboolean frame_origin(const VideoFrames *frames, const GstVideoFrame *frame, guint *x,
                             guint *y, GError **error)
{
    const GstVideoInfo *info = &frames->info;
    GstVideoCropMeta *crop = frame->buffer ? gst_buffer_get_video_crop_meta(frame->buffer) : NULL;
    *x = crop ? crop->x : 0;
    *y = crop ? crop->y : 0;
    /* In 64 bits: a crop may be anything. */
    if (GST_VIDEO_FRAME_FORMAT(frame) == GST_VIDEO_INFO_FORMAT(info) &&
        (guint64)*x + GST_VIDEO_INFO_WIDTH(info) <= (guint64)GST_VIDEO_FRAME_WIDTH(frame) &&
        (guint64)*y + GST_VIDEO_INFO_HEIGHT(info) <= (guint64)GST_VIDEO_FRAME_HEIGHT(frame))
        return TRUE;
    g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                "a frame of %dx%d %s (crop at %u,%u) where %dx%d %s was negotiated",
                GST_VIDEO_FRAME_WIDTH(frame), GST_VIDEO_FRAME_HEIGHT(frame),
                gst_video_format_to_string(GST_VIDEO_FRAME_FORMAT(frame)), *x, *y,
                GST_VIDEO_INFO_WIDTH(info), GST_VIDEO_INFO_HEIGHT(info), GST_VIDEO_INFO_NAME(info));
    return FALSE;
}

/* The address of pixel @x, @y in @plane; the coordinates are the picture's. */
static guint8 *plane_at(const GstVideoFrame *frame, guint plane, guint x, guint y)
{
    const GstVideoFormatInfo *format = frame->info.finfo;
    guint c = 0;
    while (GST_VIDEO_FORMAT_INFO_PLANE(format, c) != plane)
        c++;
    /* Of a plane that mixes luma and chroma (4:2:2), the luma's step is the pixel's. */
    return (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(frame, plane) +
           (gsize)(y >> GST_VIDEO_FORMAT_INFO_H_SUB(format, c)) *
               GST_VIDEO_FRAME_PLANE_STRIDE(frame, plane) +
           (gsize)(x >> GST_VIDEO_FORMAT_INFO_W_SUB(format, c)) *
               GST_VIDEO_FORMAT_INFO_PSTRIDE(format, c);
}

static void copy_rows(guint8 *dst, gsize dst_pitch, const guint8 *src, gssize src_pitch,
                      gsize row_b, guint rows)
{
    if (src_pitch == (gssize)dst_pitch) {
        /* The last row ends with its pixels: memory behind it may not be the frame's. */
        memcpy(dst, src, dst_pitch * (rows - 1) + row_b);
        return;
    }
    for (guint y = 0; y < rows; y++)
        memcpy(dst + y * dst_pitch, src + (gssize)y * src_pitch, row_b);
}

/* The rows of @plane of frame @index, between its place and @frame. */
static OclRows plane_rows(const VideoFrames *frames, guint index, const GstVideoFrame *frame,
                          guint plane)
{
    const VideoLayout *layout = &frames->layout;
    const VideoPicture *picture = &layout->picture;
    return (OclRows){ .device_offset_b = picture->frame * index + picture->offset[plane],
                      .device_pitch_b = picture->pitch[plane],
                      .host_pitch_b = GST_VIDEO_FRAME_PLANE_STRIDE(frame, plane),
                      .row_b = layout->row_b[plane],
                      .n_rows = layout->rows[plane] };
}

static gboolean is_gapless(const OclRows *rows)
{
    return rows->device_pitch_b == rows->row_b && rows->host_pitch_b == rows->row_b;
}

/* Planes from @plane on that follow each other without gaps on both sides are one row: every
 * command takes the host some microseconds. Returns the plane behind them. */
static guint next_rows(const VideoFrames *frames, guint index, const GstVideoFrame *frame, guint x,
                       guint y, guint plane, OclRows *rows)
{
    const guint8 *data = plane_at(frame, plane, x, y);
    *rows = plane_rows(frames, index, frame, plane);
    while (++plane < frames->layout.n_planes) {
        const OclRows next = plane_rows(frames, index, frame, plane);
        const gsize size_b = rows->row_b * rows->n_rows;
        if (!is_gapless(rows) || !is_gapless(&next) ||
            next.device_offset_b != rows->device_offset_b + size_b ||
            plane_at(frame, plane, x, y) != data + size_b)
            break;
        rows->row_b = size_b + next.row_b * next.n_rows;
        rows->device_pitch_b = rows->host_pitch_b = rows->row_b;
        rows->n_rows = 1;
    }
    return plane;
}

static gboolean upload_in_place(VideoFrames *frames, OclQueue *queue, guint index,
                                GstVideoFrame *frame, guint x, guint y, GError **error)
{
    OclRows rows;
    for (guint plane = 0, next; plane < frames->layout.n_planes; plane = next) {
        next = next_rows(frames, index, frame, x, y, plane, &rows);
        if (!ocl_write_rows(queue, frames->memory, plane_at(frame, plane, x, y), &rows, NULL,
                            error))
            return FALSE;
    }
    return TRUE;
}

gboolean video_frames_upload(VideoFrames *frames, OclQueue *queue, guint index,
                             GstVideoFrame *frame, GError **error)
{
    g_return_val_if_fail(frames->staging && index < frames->n_frames, FALSE);
    guint x, y;
    if (!frame_origin(frames, frame, &x, &y, error))
        return FALSE;
    if (frame->buffer && video_buffer_is_pinned(frame->buffer, frames->device))
        return upload_in_place(frames, queue, index, frame, x, y, error);
    const VideoLayout *layout = &frames->layout;
    const VideoPicture *picture = &layout->picture;
    gsize start = picture->frame * index;
    for (guint plane = 0; plane < layout->n_planes; plane++)
        copy_rows(frames->staging->data + start + picture->offset[plane], picture->pitch[plane],
                  plane_at(frame, plane, x, y), GST_VIDEO_FRAME_PLANE_STRIDE(frame, plane),
                  layout->row_b[plane], layout->rows[plane]);
    return ocl_write(queue, frames->memory, start, frames->staging->data + start, picture->frame,
                     NULL, error);
}

gboolean video_frames_download(VideoFrames *frames, OclQueue *queue, guint index,
                               GstVideoFrame *frame, GError **error)
{
    g_return_val_if_fail(index < frames->n_frames, FALSE);
    guint x, y;
    if (!frame_origin(frames, frame, &x, &y, error))
        return FALSE;
    OclRows rows;
    for (guint plane = 0, next; plane < frames->layout.n_planes; plane = next) {
        next = next_rows(frames, index, frame, x, y, plane, &rows);
        if (!ocl_read_rows(queue, frames->memory, plane_at(frame, plane, x, y), &rows, NULL, error))
            return FALSE;
    }
    return TRUE;
}
