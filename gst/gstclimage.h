/* gstclimage.h - a picture from a file, decoded by GStreamer.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

/* The first frame of the file at @path in RGBA. Blocks while it is decoded.
 * Returns: (transfer full): NULL with GST_RESOURCE_ERROR or GST_STREAM_ERROR and a message for the
 * user. */
GstSample *gst_cl_image_load(const char *path, GError **error);

G_END_DECLS
