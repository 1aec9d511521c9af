/* resize.h - frames resized into tensors of any layout.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "color.h"
#include "frames.h"

G_BEGIN_DECLS

/* What part of the source becomes which part of the tensor, and what colour becomes there. */
typedef struct {
    double x, y, width, height; /* of the source, in pixels */
    VideoRect rect;             /* of the tensor; black around it */
    VideoMatrix matrix;         /* the source's components to the tensor's channels, 0..255 */
    VideoNormalise normalise;
    gboolean fp16; /* the tensor holds halves */
} VideoResizeParams;

typedef struct VideoResize VideoResize;

VideoResize *video_resize_new(OclDevice *device, const GstVideoInfo *source, guint max_frames,
                              const VideoResizeParams *params, GError **error);
void video_resize_free(VideoResize *resize);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoResize, video_resize_free)
/* Frames 0..@n_frames-1 into samples of @memory, which @map describes. */
gboolean video_resize_run(VideoResize *resize, OclQueue *compute, const VideoFrames *frames,
                          guint n_frames, cl_mem memory, const VideoMap *map, GError **error);
/* The same of frames @first, @first + @step and so on, @n_frames of them. */
gboolean video_resize_run_every(VideoResize *resize, OclQueue *compute, const VideoFrames *frames,
                                guint first, guint step, guint n_frames, cl_mem memory,
                                const VideoMap *map, GError **error);

G_END_DECLS
