/* failures.c - tests of drivers and streams that fail: one message that fits, and a clean stop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stage.h"

static GstFlowReturn push_until_refused(Stage *stage)
{
    GstFlowReturn flow;
    while ((flow = stage_push(stage, 0)) == GST_FLOW_OK)
        continue;
    return flow;
}

static void without_a_driver_starting_fails_and_says_so(void)
{
    fakecl_fail("clGetPlatformIDs", 1, FAKECL_ALWAYS, -1001);
    GstElement *element = gst_object_ref_sink(g_object_new(TEST_TYPE_FILTER, NULL));
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_READY), ==, GST_STATE_CHANGE_FAILURE);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    g_autoptr(GError) error = NULL;
    gst_message_parse_error(message, &error, NULL);
    g_assert_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, "install"));
    gst_element_set_state(element, GST_STATE_NULL);
    gst_element_set_bus(element, NULL);
    gst_object_unref(element);
}

static void a_device_that_is_not_there_is_named(void)
{
    GstElement *element =
        gst_object_ref_sink(g_object_new(TEST_TYPE_FILTER, "device", "no such device", NULL));
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_READY), ==, GST_STATE_CHANGE_FAILURE);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_autoptr(GError) error = NULL;
    gst_message_parse_error(message, &error, NULL);
    g_assert_nonnull(strstr(error->message, "no such device"));
    gst_element_set_bus(element, NULL);
    gst_object_unref(element);
}

static void a_device_in_use_elsewhere_is_told(void)
{
    GstElement *element = gst_object_ref_sink(g_object_new(TEST_TYPE_FILTER, NULL));
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    fakecl_fail("clCreateContext", 1, 1, CL_DEVICE_NOT_AVAILABLE);
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_READY), ==, GST_STATE_CHANGE_FAILURE);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_autoptr(GError) error = NULL;
    gst_message_parse_error(message, &error, NULL);
    g_assert_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY);
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_READY), ==, GST_STATE_CHANGE_SUCCESS);
    gst_element_set_state(element, GST_STATE_NULL);
    gst_element_set_bus(element, NULL);
    gst_object_unref(element);
}

/* The @nth call of @call fails while two batches of two and more go through. Either the element
 * does without it, or there is one error, and in both cases the stream ends. */
static void let_fail(const char *call, guint nth)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_fail(call, nth, 1, CL_INVALID_OPERATION);
    GstFlowReturn flow = GST_FLOW_OK;
    for (guint i = 0; i < 20 && flow == GST_FLOW_OK; i++)
        flow = stage_push(stage, i);
    gst_harness_push_event(stage->harness, gst_event_new_eos());
    stage_wait_for_eos(stage);
    guint n_errors = 0;
    while (stage_has_error(stage))
        n_errors++;
    g_test_message("call %u of %s: %s, %u errors", nth, call, gst_flow_get_name(flow), n_errors);
    g_assert_cmpuint(n_errors, <=, 1);
    if (flow != GST_FLOW_OK)
        g_assert_cmpuint(n_errors, ==, 1);
    if (n_errors == 0)
        g_assert_cmpuint(stage_level(stage), ==, 20);
}

static void any_call_may_fail_once(void)
{
    static const char *const calls[] = {
        "clCreateBuffer",
        "clEnqueueWriteBuffer",
        "clEnqueueWriteBufferRect",
        "clEnqueueReadBuffer",
        "clEnqueueReadBufferRect",
        "clEnqueueFillBuffer",
        "clEnqueueMarkerWithWaitList",
        "clEnqueueBarrierWithWaitList",
        "clFlush",
        "clSetEventCallback",
        "clEnqueueMapBuffer",
    };
    for (guint i = 0; i < G_N_ELEMENTS(calls); i++) {
        for (guint nth = 1; nth <= 6; nth++) {
            let_fail(calls[i], nth);
            fakecl_reset();
        }
    }
}

/* The first batch of two ends in failure: one mark before each upload, two around the computation,
 * one behind the readback. */
static void let_first_batch_fail(void)
{
    fakecl_fail_event("clEnqueueMarkerWithWaitList", 5, 1, CL_OUT_OF_RESOURCES);
}

static void a_batch_that_fails_on_the_device_is_a_lost_device(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    let_first_batch_fail();
    g_assert_cmpint(push_until_refused(stage), ==, GST_FLOW_ERROR);
    g_autoptr(GstMessage) message =
        gst_bus_timed_pop_filtered(stage->bus, GST_SECOND, GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    g_autoptr(GError) error = NULL;
    gst_message_parse_error(message, &error, NULL);
    g_assert_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_FAILED);
    const GstStructure *details = NULL;
    gst_message_parse_error_details(message, &details);
    gboolean lost = FALSE;
    g_assert_true(details && gst_structure_get_boolean(details, "device-lost", &lost) && lost);
    g_assert_cmpint(stage_push(stage, 0), ==, GST_FLOW_ERROR);
    g_assert_false(stage_has_error(stage));
    g_assert_cmpuint(stage_level(stage), ==, 0);
}

static void after_a_failure_the_element_can_be_started_again(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    let_first_batch_fail();
    push_until_refused(stage);
    stage_expect_error(stage, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_FAILED);
    gst_element_set_state(stage->element, GST_STATE_READY);
    gst_element_set_state(stage->element, GST_STATE_PLAYING);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 1, 2);
    stage_pull_all(stage, 1, 2);
}

static void a_flush_gives_a_failed_stream_another_chance(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_fail(TEST_COMPUTE, 1, 1, CL_INVALID_OPERATION);
    push_until_refused(stage);
    stage_expect_error(stage, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_FAILED);
    stage_flush(stage);
    stage_push_all(stage, 1, 4);
    stage_pull_all(stage, 1, 4);
}

static void half_the_batch_is_tried_when_memory_is_short(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    fakecl_fail("clCreateBuffer", 1, 1, CL_MEM_OBJECT_ALLOCATION_FAILURE);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 4);
    stage_pull_all(stage, 0, 4);
    g_assert_cmpuint(stage_stat(stage, "batch-size"), ==, 2);
    g_autoptr(GstMessage) warning = gst_bus_pop_filtered(stage->bus, GST_MESSAGE_WARNING);
    g_assert_nonnull(warning);
    g_assert_false(stage_has_error(stage));
    /* Later formats do not try again. */
    stage_set_caps(stage, STAGE_OTHER_CAPS);
    stage_push_all(stage, 4, 2);
    stage_pull_all(stage, 4, 2);
    g_assert_cmpuint(stage_stat(stage, "batch-size"), ==, 2);
}

static void memory_that_is_still_short_is_an_error(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    fakecl_fail("clCreateBuffer", 1, FAKECL_ALWAYS, CL_MEM_OBJECT_ALLOCATION_FAILURE);
    stage_set_caps(stage, STAGE_CAPS);
    g_assert_cmpint(push_until_refused(stage), ==, GST_FLOW_ERROR);
    stage_expect_error(stage, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT);
    g_assert_false(stage_has_error(stage));
}

static void memory_for_one_batch_at_a_time_is_enough(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 2);
    stage_pull_all(stage, 0, 2);
    /* While the first slot is busy, there is no memory for a second. */
    fakecl_hold(TEST_COMPUTE, 1, 1, 20);
    fakecl_fail("clCreateBuffer", 1, 1, CL_MEM_OBJECT_ALLOCATION_FAILURE);
    stage_push_all(stage, 2, 10);
    stage_pull_all(stage, 2, 10);
    g_assert_false(stage_has_error(stage));
}

static void a_buffer_that_is_too_small_is_an_error_of_the_stream(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    gst_harness_push(stage->harness, gst_buffer_new_allocate(NULL, FRAME_B / 2, NULL));
    stage_expect_error(stage, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT);
    g_assert_cmpint(push_until_refused(stage), ==, GST_FLOW_ERROR);
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("without a driver starting fails and says so",
              without_a_driver_starting_fails_and_says_so);
    stage_add("a device that is not there is named", a_device_that_is_not_there_is_named);
    stage_add("a device in use elsewhere is told", a_device_in_use_elsewhere_is_told);
    stage_add("any call may fail once", any_call_may_fail_once);
    stage_add("a batch that fails on the device is a lost device",
              a_batch_that_fails_on_the_device_is_a_lost_device);
    stage_add("after a failure the element can be started again",
              after_a_failure_the_element_can_be_started_again);
    stage_add("a flush gives a failed stream another chance",
              a_flush_gives_a_failed_stream_another_chance);
    stage_add("half the batch is tried when memory is short",
              half_the_batch_is_tried_when_memory_is_short);
    stage_add("memory that is still short is an error", memory_that_is_still_short_is_an_error);
    stage_add("memory for one batch at a time is enough", memory_for_one_batch_at_a_time_is_enough);
    stage_add("a buffer that is too small is an error of the stream",
              a_buffer_that_is_too_small_is_an_error_of_the_stream);
    return g_test_run();
}
