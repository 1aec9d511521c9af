/* frames.h - where the pixels of a VideoFrames lie.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "kernels.h"

G_BEGIN_DECLS

/* How frames of one format lie in a device buffer: planes one after the other, rows padded so that
 * kernels may load and store whole vectors past the width, a margin before the first plane and
 * after the last one because chroma is read one sample to either side. */
typedef struct {
    VideoPicture picture;
    guint n_planes;
    gsize row_b[GST_VIDEO_MAX_PLANES]; /* bytes of a row that are pixels */
    guint rows[GST_VIDEO_MAX_PLANES];
} VideoLayout;

void video_layout_init(VideoLayout *layout, const GstVideoInfo *info);

const VideoLayout *video_frames_layout(const VideoFrames *frames);
cl_mem video_frames_memory(const VideoFrames *frames);
guint video_frames_count(const VideoFrames *frames);

G_END_DECLS
