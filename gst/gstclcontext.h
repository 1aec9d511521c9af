/* gstclcontext.h - which OpenCL device an element uses, shared with the elements around it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

#include "ocl/ocl.h"

G_BEGIN_DECLS

/* The type of the GstContext that carries a GstClContext. Its structure has the fields "context"
 * (GstClContext), "device" and "platform" (strings, for whoever looks on). */
#define GST_CL_CONTEXT_TYPE_NAME "gst.opencl.context"

#define GST_TYPE_CL_CONTEXT (gst_cl_context_get_type())
G_DECLARE_FINAL_TYPE(GstClContext, gst_cl_context, GST, CL_CONTEXT, GstObject)

/* The device, (transfer none). */
OclDevice *gst_cl_context_device(GstClContext *context);

/* Finds the context for @element: the one it has already, its neighbours', the application's, or a
 * new one, which is then offered to them. Only one whose device @spec accepts (as in
 * ocl_device_open()) will do.
 * @context: (inout): protected by the element's OBJECT_LOCK. */
gboolean gst_cl_context_ensure(GstElement *element, const char *spec, GstClContext **context,
                               GError **error);

/* For GstElementClass.set_context: takes @offered if it carries a device that @spec accepts. */
void gst_cl_context_offer(GstElement *element, GstContext *offered, const char *spec,
                          GstClContext **context);

/* For query functions: answers a CONTEXT query for this type. FALSE: it is another type, or there
 * is no context yet. Any thread.
 * @context: protected by the element's OBJECT_LOCK. */
gboolean gst_cl_context_answer(GstElement *element, GstClContext **context, GstQuery *query);

G_END_DECLS
