/* gstclerror.c - the one place where failures of the engine become messages on the bus.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstclerror.h"

#include <gio/gio.h>

#include "nn/nn.h"
#include "ocl/ocl.h"

/* What a failure is to GStreamer and to the user. */
typedef struct {
    GQuark domain;
    gint code;
    const char *text; /* NULL: the error's own message is for the user */
    gboolean quote;   /* the user needs the error's message as well: which file, which operator */
} Meaning;

static Meaning resource(GstResourceError code, const char *text)
{
    return (Meaning){ GST_RESOURCE_ERROR, code, text, FALSE };
}

static Meaning library(GstLibraryError code, const char *text)
{
    return (Meaning){ GST_LIBRARY_ERROR, code, text, FALSE };
}

static Meaning meaning_of_ocl(const GError *error)
{
    switch (error->code) {
    case OCL_ERROR_NO_DEVICE:
        return resource(GST_RESOURCE_ERROR_NOT_FOUND, NULL);
    case CL_DEVICE_NOT_AVAILABLE:
        if (!ocl_error_is_device_lost(error))
            return resource(GST_RESOURCE_ERROR_BUSY,
                            "The OpenCL device is in use elsewhere. Wait, or choose another one "
                            "with the device property.");
        break;
    case CL_BUILD_PROGRAM_FAILURE:
    case CL_COMPILE_PROGRAM_FAILURE:
    case CL_LINK_PROGRAM_FAILURE:
    case CL_COMPILER_NOT_AVAILABLE:
    case CL_INVALID_PROGRAM_EXECUTABLE:
    case CL_INVALID_KERNEL_NAME:
        return library(GST_LIBRARY_ERROR_INIT,
                       "The OpenCL driver cannot compile a kernel. See that the disk has room for "
                       "what it compiles; else update the driver, or choose another one with the "
                       "device property.");
    default:
        break;
    }
    if (ocl_error_is_out_of_memory(error))
        return resource(GST_RESOURCE_ERROR_NO_SPACE_LEFT,
                        "The OpenCL device has not enough memory. Lower batch-size or inflight, or "
                        "use a smaller network or picture.");
    if (ocl_error_is_device_lost(error))
        return resource(GST_RESOURCE_ERROR_FAILED,
                        "The OpenCL device stopped working. Set the element to READY and back to "
                        "try again, or choose another device.");
    return resource(GST_RESOURCE_ERROR_FAILED, "The OpenCL device failed.");
}

static Meaning meaning_of_nn(const GError *error)
{
    switch (error->code) {
    case NN_ERROR_UNSUPPORTED:
        return library(GST_LIBRARY_ERROR_INIT, "The network uses something that is not supported.");
    case NN_ERROR_TOO_LARGE:
        return resource(GST_RESOURCE_ERROR_NO_SPACE_LEFT,
                        "The network is too large for this device.");
    case NN_ERROR_SHAPE:
        return library(GST_LIBRARY_ERROR_INIT, "The network does not fit pictures of this size.");
    case NN_ERROR_INPUT:
        return library(GST_LIBRARY_ERROR_INIT, "The network does not have the inputs and outputs "
                                               "that its description names.");
    default:
        return library(GST_LIBRARY_ERROR_INIT, "The model file is damaged or not an ONNX model.");
    }
}

/* The same, with the error's own message behind the text. */
static Meaning quoting(Meaning meaning)
{
    meaning.quote = TRUE;
    return meaning;
}

static Meaning meaning_of_file(gboolean is_missing)
{
    return is_missing
               ? resource(GST_RESOURCE_ERROR_NOT_FOUND, "A file was not found. Check the path.")
               : resource(GST_RESOURCE_ERROR_OPEN_READ,
                          "A file cannot be read. Check its permissions.");
}

static Meaning meaning_of(const GError *error)
{
    if (error->domain == GST_RESOURCE_ERROR || error->domain == GST_LIBRARY_ERROR ||
        error->domain == GST_STREAM_ERROR || error->domain == GST_CORE_ERROR)
        return (Meaning){ error->domain, error->code, NULL, FALSE };
    if (error->domain == OCL_ERROR)
        return meaning_of_ocl(error);
    if (error->domain == NN_ERROR)
        return quoting(meaning_of_nn(error));
    if (error->domain == G_FILE_ERROR)
        return quoting(meaning_of_file(error->code == G_FILE_ERROR_NOENT));
    if (error->domain == G_IO_ERROR)
        return quoting(meaning_of_file(error->code == G_IO_ERROR_NOT_FOUND));
    if (error->domain == G_KEY_FILE_ERROR)
        return quoting(
            resource(GST_RESOURCE_ERROR_SETTINGS, "The model's description file is not valid."));
    return library(GST_LIBRARY_ERROR_FAILED, "The element failed.");
}

/* Paths and what a model calls its tensors may be any bytes; messages are UTF-8. */
static char *details_of(const GError *error)
{
    return g_utf8_make_valid(error->message, -1);
}

static char *text_for_user(const Meaning *meaning, const GError *error)
{
    g_autofree char *details = details_of(error);
    if (!meaning->text)
        return g_steal_pointer(&details);
    return meaning->quote ? g_strdup_printf("%s (%s)", meaning->text, details)
                          : g_strdup(meaning->text);
}

void gst_cl_error_post(GstElement *element, const GError *error)
{
    const Meaning meaning = meaning_of(error);
    GstStructure *details = NULL;
    if (ocl_error_is_device_lost(error))
        details = gst_structure_new("details", "device-lost", G_TYPE_BOOLEAN, TRUE, NULL);
    gst_element_message_full_with_details(
        element, GST_MESSAGE_ERROR, meaning.domain, meaning.code, text_for_user(&meaning, error),
        meaning.text ? details_of(error) : NULL, __FILE__, GST_FUNCTION, __LINE__, details);
}

void gst_cl_warning_post(GstElement *element, const GError *error, const char *consequence)
{
    const Meaning meaning = meaning_of(error);
    gst_element_message_full(element, GST_MESSAGE_WARNING, meaning.domain, meaning.code,
                             g_strdup(consequence), details_of(error), __FILE__, GST_FUNCTION,
                             __LINE__);
}
