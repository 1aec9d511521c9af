/* gstclimage.c - a picture from a file, decoded by GStreamer.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstclimage.h"

#include <gio/gio.h>

/* A large picture from a slow disk takes less. */
#define MAX_DECODE_TIME (20 * GST_SECOND)

static void set_failure(GstElement *pipeline, const char *path, GError **error)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_autoptr(GError) reason = NULL;
    if (message)
        gst_message_parse_error(message, &reason, NULL);
    const gboolean missing =
        g_error_matches(reason, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND);
    g_set_error(error, GST_RESOURCE_ERROR,
                missing ? GST_RESOURCE_ERROR_NOT_FOUND : GST_RESOURCE_ERROR_OPEN_READ,
                "The picture '%s' cannot be read: %s", path,
                reason ? reason->message : "it has no picture, or takes too long to decode.");
}

static GstSample *first_frame(GstElement *pipeline)
{
    GstSample *sample = NULL;
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    if (gst_element_set_state(pipeline, GST_STATE_PAUSED) != GST_STATE_CHANGE_FAILURE)
        g_signal_emit_by_name(sink, "try-pull-preroll", (guint64)MAX_DECODE_TIME, &sample);
    return sample;
}

GstSample *gst_cl_image_load(const char *path, GError **error)
{
    g_autoptr(GError) reason = NULL;
    GstElement *pipeline =
        gst_parse_launch("uridecodebin name=source ! videoconvert ! video/x-raw,format=RGBA ! "
                         "appsink name=sink sync=false",
                         &reason);
    if (!pipeline) {
        g_set_error(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
                    "The picture '%s' cannot be read, an element is missing: %s", path,
                    reason->message);
        return NULL;
    }
    gst_object_ref_sink(pipeline);
    g_autoptr(GFile) file = g_file_new_for_commandline_arg(path);
    g_autofree char *uri = g_file_get_uri(file);
    g_autoptr(GstElement) source = gst_bin_get_by_name(GST_BIN(pipeline), "source");
    g_object_set(source, "uri", uri, NULL);
    GstSample *sample = first_frame(pipeline);
    if (!sample)
        set_failure(pipeline, path, error);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    return sample;
}
