/* planes.h - frames of any format seen sample by sample: the mirrors of kernels/video_planes.clh.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "kernels.h"

G_BEGIN_DECLS

/* Where the components of frames are; c0 c1 c2 are R G B or Y U V. */
typedef struct {
    guint64 frame, offset[3];
    gint32 pitch[3], step[3], width[3], height[3];
    float share_x[3], share_y[3], shift_x[3], shift_y[3];
} VideoPlanes;

/* How a network's picture holds colours. */
typedef struct {
    float mean[3], gain[3], scale[3];
    gint32 reversed;
} VideoChannels;

VideoPlanes video_planes(const GstVideoInfo *info);
/* Channel c is (v - @mean[c]) / @std[c] of v in 0..255; @bgr: in reverse order. */
VideoChannels video_channels(const float mean[3], const float std[3], gboolean bgr);

G_END_DECLS
