/* guided.h - the matte's edges drawn after the picture's.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "frames.h"

G_BEGIN_DECLS

typedef struct VideoGuided VideoGuided;

/* @rect: where the picture lies in the matte; @matte_height: its rows. */
VideoGuided *video_guided_new(OclDevice *device, const GstVideoInfo *in, const VideoRect *rect,
                              guint matte_height, guint max_frames, GError **error);
void video_guided_free(VideoGuided *guided);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoGuided, video_guided_free)

/* [max_frames][matte_height][video_pad(rect width)] float: the matte's columns within the
 * rectangle, 0..1, to be written before each run. */
cl_mem video_guided_matte(const VideoGuided *guided);

/* Where alpha goes, and the matte resized horizontally. */
typedef struct {
    cl_mem alpha;  /* [max_frames][picture height][pitch] ushort */
    cl_mem coarse; /* [max_frames][matte_height][pitch] float */
    gint32 pitch;
    VideoAxis coarse_axis; /* from the matte's rows to the picture's */
} VideoGuidedTarget;

/* Writes alpha of frame @frame of a batch. */
gboolean video_guided_run(VideoGuided *guided, OclQueue *compute, const VideoFrames *frames,
                          guint frame, cl_mem controls, const VideoGuidedTarget *target,
                          GError **error);

G_END_DECLS
