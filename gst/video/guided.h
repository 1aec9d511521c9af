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

/* [max_frames][picture height][pitch] ushort. */
typedef struct {
    cl_mem alpha;
    gint32 pitch;
} VideoGuidedTarget;

/* Writes alpha of those of the @n_frames frames whose controls say so. */
gboolean video_guided_run(VideoGuided *guided, OclQueue *compute, const VideoFrames *frames,
                          guint n_frames, cl_mem controls, const VideoGuidedTarget *target,
                          GError **error);

G_END_DECLS
