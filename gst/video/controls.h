/* controls.h - what changes from frame to frame, on the device.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "kernels.h"

G_BEGIN_DECLS

typedef struct VideoControlsTable VideoControlsTable;

VideoControlsTable *video_controls_table_new(OclDevice *device, guint max_frames, GError **error);
void video_controls_table_free(VideoControlsTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoControlsTable, video_controls_table_free)

/* Makes @controls those of frame @index for what is enqueued on @compute from now on. Costs nothing
 * when they are what they were; always use the same queue. */
gboolean video_controls_table_set(VideoControlsTable *table, OclQueue *compute, guint index,
                                  const VideoFrameControls *controls, GError **error);
/* [max_frames] Controls. */
cl_mem video_controls_table_memory(const VideoControlsTable *table);
/* What frame @index was given last. */
const VideoFrameControls *video_controls_table_get(const VideoControlsTable *table, guint index);

G_END_DECLS
