/* sharing.c - tests of one OpenCL device for all elements of a pipeline.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstclcontext.h"
#include "stage.h"

static GstElement *filter_new(const char *device)
{
    return g_object_new(TEST_TYPE_FILTER, "device", device, NULL);
}

static guint count_messages(GstBus *bus, GstMessageType type)
{
    guint n = 0;
    GstMessage *message;
    while ((message = gst_bus_pop_filtered(bus, type))) {
        n++;
        gst_message_unref(message);
    }
    return n;
}

static void neighbours_share_the_device(void)
{
    g_autoptr(GstElement) pipeline = gst_object_ref_sink(gst_pipeline_new(NULL));
    GstElement *first = filter_new("auto"), *second = filter_new("auto");
    gst_bin_add_many(GST_BIN(pipeline), first, second, NULL);
    g_assert_true(gst_element_link(first, second));
    const guint before = fakecl_calls("clCreateContext");
    g_assert_cmpint(gst_element_set_state(pipeline, GST_STATE_READY), ==, GST_STATE_CHANGE_SUCCESS);
    g_assert_cmpuint(fakecl_calls("clCreateContext"), ==, before + 1);
    g_assert_true(gst_cl_batch_filter_get_device(GST_CL_BATCH_FILTER(first)) ==
                  gst_cl_batch_filter_get_device(GST_CL_BATCH_FILTER(second)));
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    g_assert_cmpuint(count_messages(bus, GST_MESSAGE_HAVE_CONTEXT), ==, 1);
    gst_element_set_state(pipeline, GST_STATE_NULL);
}

/* Elements that no bin has told of each other's device. */
static void the_neighbour_on_either_side_is_asked(void)
{
    for (guint i = 0; i < 2; i++) {
        g_autoptr(GstElement) first = gst_object_ref_sink(filter_new("auto"));
        g_autoptr(GstElement) second = gst_object_ref_sink(filter_new("auto"));
        g_autoptr(GstBus) bus = gst_bus_new();
        g_assert_true(gst_element_link(first, second));
        GstElement *has = i ? first : second, *asks = i ? second : first;
        gst_element_set_bus(asks, bus);
        gst_element_set_state(has, GST_STATE_READY);
        gst_element_set_state(asks, GST_STATE_READY);
        g_assert_cmpuint(count_messages(bus, GST_MESSAGE_NEED_CONTEXT), ==, 0);
        g_assert_true(gst_cl_batch_filter_get_device(GST_CL_BATCH_FILTER(first)) ==
                      gst_cl_batch_filter_get_device(GST_CL_BATCH_FILTER(second)));
        gst_element_set_state(first, GST_STATE_NULL);
        gst_element_set_state(second, GST_STATE_NULL);
        gst_element_set_bus(asks, NULL);
    }
}

/* The context of an element that is started, and is stopped again. */
static GstContext *borrow_context(void)
{
    g_autoptr(GstElement) other = gst_object_ref_sink(filter_new("0:0"));
    gst_element_set_state(other, GST_STATE_READY);
    GstContext *context = gst_element_get_context(other, GST_CL_CONTEXT_TYPE_NAME);
    g_assert_nonnull(context);
    gst_element_set_state(other, GST_STATE_NULL);
    return context;
}

static void the_applications_context_is_used(void)
{
    g_autoptr(GstContext) context = borrow_context();
    g_autoptr(GstElement) element = gst_object_ref_sink(filter_new("auto"));
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    gst_element_set_context(element, context);
    gst_element_set_state(element, GST_STATE_READY);
    g_assert_cmpuint(count_messages(bus, GST_MESSAGE_HAVE_CONTEXT), ==, 0);
    g_autoptr(GstClContext) given = NULL;
    gst_structure_get(gst_context_get_structure(context), "context", GST_TYPE_CL_CONTEXT, &given,
                      NULL);
    g_assert_true(gst_cl_batch_filter_get_device(GST_CL_BATCH_FILTER(element)) ==
                  gst_cl_context_device(given));
    gst_element_set_state(element, GST_STATE_NULL);
    gst_element_set_bus(element, NULL);
}

static void a_context_of_another_device_is_ignored(void)
{
    g_autoptr(GstContext) context = borrow_context();
    g_autoptr(GstElement) element = gst_object_ref_sink(filter_new("no such device"));
    gst_element_set_context(element, context);
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_READY), ==, GST_STATE_CHANGE_FAILURE);
    gst_element_set_state(element, GST_STATE_NULL);
}

static void a_context_that_does_not_suit_any_more_is_forgotten(void)
{
    g_autoptr(GstContext) context = borrow_context();
    g_autoptr(GstElement) element = gst_object_ref_sink(filter_new("auto"));
    gst_element_set_context(element, context);
    g_object_set(element, "device", "no such device", NULL);
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_READY), ==, GST_STATE_CHANGE_FAILURE);
    gst_element_set_state(element, GST_STATE_NULL);
}

static GstBusSyncReply answer_need(GstBus *bus, GstMessage *message, gpointer context)
{
    const char *type;
    if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_NEED_CONTEXT ||
        !gst_message_parse_context_type(message, &type) ||
        !g_str_equal(type, GST_CL_CONTEXT_TYPE_NAME))
        return GST_BUS_PASS;
    gst_element_set_context(GST_ELEMENT(GST_MESSAGE_SRC(message)), context);
    return GST_BUS_PASS;
}

static void the_application_is_asked_for_a_context(void)
{
    g_autoptr(GstContext) context = borrow_context();
    g_autoptr(GstElement) element = gst_object_ref_sink(filter_new("auto"));
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_bus_set_sync_handler(bus, answer_need, context, NULL);
    gst_element_set_bus(element, bus);
    gst_element_set_state(element, GST_STATE_READY);
    g_assert_cmpuint(count_messages(bus, GST_MESSAGE_NEED_CONTEXT), ==, 1);
    g_assert_cmpuint(count_messages(bus, GST_MESSAGE_HAVE_CONTEXT), ==, 0);
    gst_element_set_state(element, GST_STATE_NULL);
    gst_element_set_bus(element, NULL);
    gst_bus_set_sync_handler(bus, NULL, NULL, NULL);
}

static void the_name_of_the_device_is_known_while_it_is_open(void)
{
    g_autoptr(GstElement) element = gst_object_ref_sink(filter_new("0:0"));
    g_autofree char *before = NULL, *during = NULL, *after = NULL;
    g_object_get(element, "device-name", &before, NULL);
    gst_element_set_state(element, GST_STATE_READY);
    g_object_get(element, "device-name", &during, NULL);
    gst_element_set_state(element, GST_STATE_NULL);
    g_object_get(element, "device-name", &after, NULL);
    g_assert_null(before);
    g_assert_nonnull(during);
    g_assert_null(after);
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("neighbours share the device", neighbours_share_the_device);
    stage_add("the neighbour on either side is asked", the_neighbour_on_either_side_is_asked);
    stage_add("the application's context is used", the_applications_context_is_used);
    stage_add("a context of another device is ignored", a_context_of_another_device_is_ignored);
    stage_add("a context that does not suit any more is forgotten",
              a_context_that_does_not_suit_any_more_is_forgotten);
    stage_add("the application is asked for a context", the_application_is_asked_for_a_context);
    stage_add("the name of the device is known while it is open",
              the_name_of_the_device_is_known_while_it_is_open);
    return g_test_run();
}
