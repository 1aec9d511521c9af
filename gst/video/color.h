/* color.h - colour spaces of video as matrices over bytes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "video.h"

G_BEGIN_DECLS

/* Three rows of four: out = m * (c0, c1, c2, 1), components 0..255 as the formats store them. */
typedef struct {
    double m[3][4];
} VideoMatrix;

/* From @in's components to R'G'B' 0..255, gamma-encoded as in the frame: no transfer function and
 * no primaries take part, networks and compositors work on encoded values. */
VideoMatrix video_matrix_to_rgb(const GstVideoInfo *in);
/* From R'G'B' 0..255 to @out's components. */
VideoMatrix video_matrix_from_rgb(const GstVideoInfo *out);
/* @first, then @second. */
VideoMatrix video_matrix_join(const VideoMatrix *first, const VideoMatrix *second);
/* As a kernel argument; the last row is unused. */
cl_float16 video_matrix_argument(const VideoMatrix *matrix);
/* TRUE if components of @in are components of @out without change. */
gboolean video_color_same_space(const GstVideoInfo *in, const GstVideoInfo *out);

G_END_DECLS
