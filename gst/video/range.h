/* range.h - the least and greatest value of pictures on the device.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "kernels.h"

G_BEGIN_DECLS

typedef struct VideoRange VideoRange;

/* For pictures whose part of interest is at most @width columns wide. */
VideoRange *video_range_new(OclDevice *device, guint width, guint max_frames, gboolean fp16,
                            GError **error);
void video_range_free(VideoRange *range);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoRange, video_range_free)
/* Looks at one channel of each of @n_frames samples, within @rect. */
gboolean video_range_run(VideoRange *range, OclQueue *compute, cl_mem memory, const VideoMap *map,
                         const VideoRect *rect, guint n_frames, GError **error);
/* [n] float2: (least, greatest) of each frame of the last run. */
cl_mem video_range_memory(const VideoRange *range);

G_END_DECLS
