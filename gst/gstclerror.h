/* gstclerror.h - failures of the engine as messages that tell the user what to do.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Posts @error on @element's bus. Errors of GStreamer's own domains keep their code, and their
 * message is for the user; those of OpenCL, networks and files get a message for the user here,
 * with their own as the details for developers. Any thread, no lock held. */
void gst_cl_error_post(GstElement *element, const GError *error);
/* The same as a warning: the element goes on. */
void gst_cl_warning_post(GstElement *element, const GError *error, const char *consequence);

G_END_DECLS
