/* paint.h - colours that a network gives, at the picture's width.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "color.h"
#include "kernels.h"

G_BEGIN_DECLS

typedef struct VideoPaint VideoPaint;

/* @gain, @offset: of the tensor's values, to 0..255. */
VideoPaint *video_paint_new(OclDevice *device, const GstVideoInfo *out, const VideoModelInfo *info,
                            const float gain[3], const float offset[3], guint max_frames,
                            const NnPlace *place, GError **error);
void video_paint_free(VideoPaint *paint);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoPaint, video_paint_free)
gboolean video_paint_run(VideoPaint *paint, OclQueue *compute, guint n_frames, const NnPlace *place,
                         GError **error);

/* The three arguments of kernels that read it: [n][3][height][pitch] float, how it is resized
 * vertically, and the matrix to @out's components. */
cl_mem video_paint_memory(const VideoPaint *paint);
VideoSheet video_paint_sheet(const VideoPaint *paint);
cl_float16 video_paint_matrix(const VideoPaint *paint);

G_END_DECLS
