/* planes.c - frames of any format seen sample by sample, and colours in a network's picture.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "planes.h"

#include "frames.h"

VideoPlanes video_planes(const GstVideoInfo *info)
{
    VideoLayout layout;
    video_layout_init(&layout, info);
    VideoPlanes planes = { .frame = layout.picture.frame };
    const GstVideoChromaSite site = GST_VIDEO_INFO_CHROMA_SITE(info);
    for (guint c = 0; c < 3; c++) {
        const guint plane = GST_VIDEO_INFO_COMP_PLANE(info, c);
        const guint halved_x = GST_VIDEO_FORMAT_INFO_W_SUB(info->finfo, c);
        const guint halved_y = GST_VIDEO_FORMAT_INFO_H_SUB(info->finfo, c);
        planes.offset[c] = layout.picture.offset[plane] + GST_VIDEO_INFO_COMP_POFFSET(info, c);
        planes.pitch[c] = layout.picture.pitch[plane];
        planes.step[c] = GST_VIDEO_INFO_COMP_PSTRIDE(info, c);
        planes.width[c] = GST_VIDEO_INFO_COMP_WIDTH(info, c);
        planes.height[c] = GST_VIDEO_INFO_COMP_HEIGHT(info, c);
        planes.share_x[c] = 1.0f / (float)(1 << halved_x);
        planes.share_y[c] = 1.0f / (float)(1 << halved_y);
        /* A sample that stands on the even pixel covers the range a quarter further left. */
        planes.shift_x[c] = halved_x && site & GST_VIDEO_CHROMA_SITE_H_COSITED ? 0.25f : 0;
        planes.shift_y[c] = halved_y && site & GST_VIDEO_CHROMA_SITE_V_COSITED ? 0.25f : 0;
    }
    return planes;
}

VideoChannels video_channels(const float mean[3], const float std[3], gboolean bgr)
{
    VideoChannels channels = { .reversed = bgr };
    for (guint c = 0; c < 3; c++) {
        channels.mean[c] = mean[c];
        channels.scale[c] = std[c] != 0 ? std[c] : 1;
        channels.gain[c] = 1 / channels.scale[c];
    }
    return channels;
}
