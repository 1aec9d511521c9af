/* matte.h - the network's matte as an alpha plane of the picture's size.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "controls.h"
#include "frames.h"

G_BEGIN_DECLS

/* The farthest that erode, dilate and feather reach, in pixels. */
#define VIDEO_MAX_EDGE_PX 128

typedef struct VideoAlpha VideoAlpha;

VideoAlpha *video_alpha_new(OclDevice *device, const GstVideoInfo *in, const VideoModelInfo *info,
                            guint max_frames, const NnPlace *matte, GError **error);
void video_alpha_free(VideoAlpha *alpha);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoAlpha, video_alpha_free)
/* @controls: those of frames 0..@n_frames-1 are set. */
gboolean video_alpha_run(VideoAlpha *alpha, OclQueue *compute, const VideoFrames *frames,
                         guint n_frames, const NnPlace *matte, const VideoControlsTable *controls,
                         GError **error);
/* The next frame follows none. */
void video_alpha_begin(VideoAlpha *alpha);
/* [max_frames][height][pitch] ushort, 65535: opaque. */
cl_mem video_alpha_memory(const VideoAlpha *alpha);
gint32 video_alpha_pitch(const VideoAlpha *alpha);

G_END_DECLS
