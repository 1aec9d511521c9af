/* background.h - backgrounds that are pictures: the frame's own, blurred, or one that was given.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "matte.h"
#include "resize.h"

G_BEGIN_DECLS

/* ---- blur */

typedef struct VideoBlur VideoBlur;

/* What of the frames is blurred, without the rest. */
typedef enum {
    VIDEO_BLUR_BEHIND, /* what alpha does not cover */
    VIDEO_BLUR_FRONT,  /* what it covers */
} VideoBlurSide;

VideoBlur *video_blur_new(OclDevice *device, const GstVideoInfo *in, const GstVideoInfo *out,
                          VideoBlurSide side, guint max_frames, GError **error);
void video_blur_free(VideoBlur *blur);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoBlur, video_blur_free)
/* @sigma: of the Gaussian, in pixels of the reduced picture; negative: that of each frame's
 * @controls. */
gboolean video_blur_run(VideoBlur *blur, OclQueue *compute, const VideoFrames *frames,
                        guint n_frames, const VideoAlpha *alpha, float sigma,
                        const VideoControlsTable *controls, GError **error);
/* [n][3][height][pitch] float in the output's space, a quarter of the picture's size. */
cl_mem video_blur_memory(const VideoBlur *blur);
VideoSmall video_blur_size(const VideoBlur *blur);
/* Controls.sigma for a blur of @radius, a share of the picture's height. */
float video_blur_sigma(const GstVideoInfo *out, float radius);

/* ---- image */

/* @image scaled to cover a picture of @out, in its colour space: [3][height][pitch] half, pitch as
 * video_pad(). Waits for the device. (transfer full): release with ocl_buffer_clear(). */
cl_mem video_image_cover(OclDevice *device, OclQueue *compute, GstVideoFrame *image,
                         const GstVideoInfo *out, GError **error);

G_END_DECLS
