/* image.c - a picture scaled to cover the frame, kept on the device as background.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "background.h"

/* The largest part of the image that has the frame's shape, from its middle. */
static void cover(VideoResizeParams *params, double image_width, double image_height, guint width,
                  guint height)
{
    double scale = MIN(image_width / width, image_height / height);
    params->width = width * scale;
    params->height = height * scale;
    params->x = (image_width - params->width) / 2;
    params->y = (image_height - params->height) / 2;
}

cl_mem video_image_cover(OclDevice *device, OclQueue *compute, GstVideoFrame *image,
                         const GstVideoInfo *out, GError **error)
{
    guint width = GST_VIDEO_INFO_WIDTH(out), height = GST_VIDEO_INFO_HEIGHT(out);
    VideoMatrix to = video_matrix_to_rgb(&image->info), from = video_matrix_from_rgb(out);
    VideoResizeParams params = { .rect = { 0, 0, width, height },
                                 .matrix = video_matrix_join(&to, &from),
                                 .normalise = { { 0, 0, 0 }, { 1, 1, 1 } },
                                 .fp16 = TRUE };
    cover(&params, GST_VIDEO_FRAME_WIDTH(image), GST_VIDEO_FRAME_HEIGHT(image), width, height);
    g_autoptr(VideoFrames) frames = video_frames_new(device, &image->info, 1, TRUE, error);
    if (!frames || !video_frames_upload(frames, compute, 0, image, error))
        return NULL;
    /* From here on the upload is under way: nothing may be freed before the queue is empty. */
    gint32 pitch = (gint32)video_pad(width);
    const VideoMap map = { .c = 3,
                           .h = (gint32)height,
                           .w = (gint32)width,
                           .sc = (gint32)height * pitch,
                           .sh = pitch,
                           .sw = 1 };
    cl_mem memory = ocl_buffer_new(device, OCL_BUFFER_READ_WRITE,
                                   (gsize)3 * height * pitch * sizeof(guint16), error);
    g_autoptr(VideoResize) resize =
        memory ? video_resize_new(device, &image->info, 1, &params, error) : NULL;
    gboolean done = resize && video_resize_run(resize, compute, frames, 1, memory, &map, error);
    done &= ocl_queue_finish(compute, done ? error : NULL);
    if (!done)
        ocl_buffer_clear(&memory);
    return memory;
}
