/* gstclformats.h - which video formats come out for which that go in, best first.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* Lists of names with ", " between them. */
#define GST_CL_INPUT_FORMATS                                                                       \
    "RGBA, BGRA, RGBx, BGRx, RGB, BGR, I420, NV12, ARGB, ABGR, xRGB, xBGR, YV12, NV21, Y42B, "     \
    "YUY2, UYVY, Y444"

/* What a matting element makes of @caps: with alpha, or opaque if @composed, in the order of
 * preference: the input's family first, the matte alone (GRAY8) last.
 * Returns: (transfer full) */
GstCaps *gst_cl_formats_matte_output(GstCaps *caps, gboolean composed);

/* What may go in for @caps to come out, whatever the background.
 * Returns: (transfer full) */
GstCaps *gst_cl_formats_matte_input(GstCaps *caps);

G_END_DECLS
