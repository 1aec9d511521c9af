/* gstclcontext.c - the OpenCL device, shared between elements by GstContext.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Elements of one pipeline should use one device and compile each kernel once. Neighbours are asked
 * first, then the application, and who finds nothing makes a context and tells both.
 */
#include "gstclcontext.h"

GST_DEBUG_CATEGORY_STATIC(gst_cl_context_debug);
#define GST_CAT_DEFAULT gst_cl_context_debug

struct _GstClContext {
    GstObject parent;
    OclDevice *device;
};

G_DEFINE_TYPE_WITH_CODE(GstClContext, gst_cl_context, GST_TYPE_OBJECT,
                        GST_DEBUG_CATEGORY_INIT(gst_cl_context_debug, "clcontext", 0,
                                                "sharing of OpenCL devices"))

/* Two elements that start at the same time must not both make a context. Recursive, because an
 * application may answer NEED_CONTEXT by starting another element. */
static GRecMutex ensure_lock;

static void gst_cl_context_finalize(GObject *object)
{
    ocl_device_unref(GST_CL_CONTEXT(object)->device);
    G_OBJECT_CLASS(gst_cl_context_parent_class)->finalize(object);
}

static void gst_cl_context_class_init(GstClContextClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = gst_cl_context_finalize;
}

static void gst_cl_context_init(GstClContext *self)
{
}

OclDevice *gst_cl_context_device(GstClContext *context)
{
    return context->device;
}

static GstClContext *context_new(const char *spec, GError **error)
{
    OclDevice *device = ocl_device_open(spec, error);
    if (!device)
        return NULL;
    GstClContext *self = g_object_new(GST_TYPE_CL_CONTEXT, NULL);
    gst_object_ref_sink(self);
    self->device = device;
    GST_INFO_OBJECT(self, "using %s (%s, driver %s)", device->name, device->platform_name,
                    device->driver);
    return self;
}

/* ---------------------------------------------------------------- GstContext and back */

static GstContext *wrap(GstClContext *context)
{
    GstContext *carrier = gst_context_new(GST_CL_CONTEXT_TYPE_NAME, TRUE);
    gst_structure_set(gst_context_writable_structure(carrier), "context", GST_TYPE_CL_CONTEXT,
                      context, "device", G_TYPE_STRING, context->device->name, "platform",
                      G_TYPE_STRING, context->device->platform_name, NULL);
    return carrier;
}

void gst_cl_context_offer(GstElement *element, GstContext *offered, const char *spec,
                          GstClContext **context)
{
    g_autoptr(GstClContext) found = NULL;
    if (!gst_context_has_context_type(offered, GST_CL_CONTEXT_TYPE_NAME) ||
        !gst_structure_get(gst_context_get_structure(offered), "context", GST_TYPE_CL_CONTEXT,
                           &found, NULL) ||
        !found)
        return;
    if (!ocl_device_matches(found->device, spec)) {
        GST_DEBUG_OBJECT(element, "%s is not the device \"%s\"", found->device->name, spec);
        return;
    }
    GST_OBJECT_LOCK(element);
    if (!*context)
        *context = g_steal_pointer(&found);
    GST_OBJECT_UNLOCK(element);
}

static gboolean has_context(GstElement *element, GstClContext **context)
{
    GST_OBJECT_LOCK(element);
    const gboolean has = *context != NULL;
    GST_OBJECT_UNLOCK(element);
    return has;
}

gboolean gst_cl_context_answer(GstElement *element, GstClContext **context, GstQuery *query)
{
    const char *type;
    if (!gst_query_parse_context_type(query, &type) || !g_str_equal(type, GST_CL_CONTEXT_TYPE_NAME))
        return FALSE;
    /* The element may be stopped meanwhile, or go on to another device. */
    GST_OBJECT_LOCK(element);
    g_autoptr(GstClContext) held = *context ? gst_object_ref(*context) : NULL;
    GST_OBJECT_UNLOCK(element);
    if (!held)
        return FALSE;
    g_autoptr(GstContext) carrier = wrap(held);
    gst_query_set_context(query, carrier);
    return TRUE;
}

/* ---------------------------------------------------------------- finding one */

static gboolean ask_pad(const GValue *item, GValue *answered, gpointer data)
{
    if (!gst_pad_peer_query(g_value_get_object(item), data))
        return TRUE;
    g_value_set_boolean(answered, TRUE);
    return FALSE;
}

/* @element's own set_context() takes what a neighbour answers. */
static void ask_neighbours(GstElement *element, gboolean downstream)
{
    g_autoptr(GstQuery) query = gst_query_new_context(GST_CL_CONTEXT_TYPE_NAME);
    GValue answered = G_VALUE_INIT;
    g_value_init(&answered, G_TYPE_BOOLEAN);
    GstIterator *pads =
        downstream ? gst_element_iterate_src_pads(element) : gst_element_iterate_sink_pads(element);
    while (gst_iterator_fold(pads, ask_pad, &answered, query) == GST_ITERATOR_RESYNC)
        gst_iterator_resync(pads);
    gst_iterator_free(pads);
    GstContext *carrier = NULL;
    if (g_value_get_boolean(&answered))
        gst_query_parse_context(query, &carrier);
    if (carrier)
        gst_element_set_context(element, carrier);
}

static void ask_application(GstElement *element)
{
    gst_element_post_message(
        element, gst_message_new_need_context(GST_OBJECT(element), GST_CL_CONTEXT_TYPE_NAME));
}

/* One that was offered before, perhaps while another device was asked for. */
static void recall(GstElement *element, const char *spec, GstClContext **context)
{
    GST_OBJECT_LOCK(element);
    if (*context && !ocl_device_matches((*context)->device, spec))
        gst_clear_object(context);
    GST_OBJECT_UNLOCK(element);
    g_autoptr(GstContext) carrier = gst_element_get_context(element, GST_CL_CONTEXT_TYPE_NAME);
    if (carrier)
        gst_cl_context_offer(element, carrier, spec, context);
}

static gboolean make_one(GstElement *element, const char *spec, GstClContext **context,
                         GError **error)
{
    g_autoptr(GstClContext) made = context_new(spec, error);
    if (!made)
        return FALSE;
    GST_OBJECT_LOCK(element);
    gst_object_replace((GstObject **)context, GST_OBJECT(made));
    GST_OBJECT_UNLOCK(element);
    GstContext *carrier = wrap(made);
    gst_element_set_context(element, carrier);
    gst_element_post_message(element, gst_message_new_have_context(GST_OBJECT(element), carrier));
    return TRUE;
}

gboolean gst_cl_context_ensure(GstElement *element, const char *spec, GstClContext **context,
                               GError **error)
{
    g_rec_mutex_lock(&ensure_lock);
    recall(element, spec, context);
    if (!has_context(element, context))
        ask_neighbours(element, TRUE);
    if (!has_context(element, context))
        ask_neighbours(element, FALSE);
    if (!has_context(element, context))
        ask_application(element);
    const gboolean ok = has_context(element, context) || make_one(element, spec, context, error);
    g_rec_mutex_unlock(&ensure_lock);
    return ok;
}
