/* devices.c - tests of batches spread over two devices, one of which may be slow or get lost.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstclcontext.h"
#include "stage.h"

#include <gst/controller/controller.h>

#define BOTH "0:0,0:1"
#define MARK "clEnqueueMarkerWithWaitList"
/* Marks of a batch of one frame: one before the upload, two around the computation, one behind the
 * readback. */
#define N_MARKS 4
/* Of a batch of one frame until its first half has completed. */
#define FIRST_MARKS 3

static Stage *two_devices(guint batch_size)
{
    Stage *stage = stage_new_on(TEST_TYPE_FILTER, BOTH, batch_size);
    stage_set_caps(stage, STAGE_CAPS);
    return stage;
}

/* The statistics of device @i. (transfer full) */
static GstStructure *device_stats(Stage *stage, guint i)
{
    g_autoptr(GstStructure) stats = NULL;
    g_object_get(stage->element, "stats", &stats, NULL);
    const GValue *devices = gst_structure_get_value(stats, "devices");
    g_assert_cmpuint(i, <, gst_value_array_get_size(devices));
    return gst_structure_copy(gst_value_get_structure(gst_value_array_get_value(devices, i)));
}

static guint64 n_batches(Stage *stage, guint i)
{
    g_autoptr(GstStructure) stats = device_stats(stage, i);
    guint64 n;
    g_assert_true(gst_structure_get_uint64(stats, "batches", &n));
    return n;
}

static gboolean is_lost(Stage *stage, guint i)
{
    g_autoptr(GstStructure) stats = device_stats(stage, i);
    gboolean lost;
    g_assert_true(gst_structure_get_boolean(stats, "lost", &lost));
    return lost;
}

static gboolean has_warning(Stage *stage)
{
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(stage->bus, GST_MESSAGE_WARNING);
    return message != NULL;
}

/* ---------------------------------------------------------------- spreading */

static void both_devices_have_work_and_frames_stay_in_order(void)
{
    g_autoptr(Stage) stage = two_devices(2);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    stage_push_all(stage, 0, 8);
    /* Two batches in flight on each. */
    g_assert_true(fakecl_wait_held(4));
    fakecl_release();
    stage_push_all(stage, 8, 32);
    stage_pull_all(stage, 0, 40);
    g_assert_cmpuint(n_batches(stage, 0) + n_batches(stage, 1), ==, 20);
    g_assert_cmpuint(n_batches(stage, 0), >=, 2);
    g_assert_cmpuint(n_batches(stage, 1), >=, 2);
    g_assert_cmpint(stage->filter->n_prepared, ==, 2);
    g_assert_cmpint(stage->filter->n_released, ==, 0);
}

static void equal_devices_share_the_work(void)
{
    g_autoptr(Stage) stage = two_devices(1);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 10);
    stage_push_all(stage, 0, 40);
    stage_pull_all(stage, 0, 40);
    g_assert_cmpuint(n_batches(stage, 0), >=, 12);
    g_assert_cmpuint(n_batches(stage, 1), >=, 12);
}

static void a_slow_device_gets_less_and_delays_nobody(void)
{
    g_autoptr(Stage) stage = two_devices(1);
    fakecl_hold(TEST_COMPUTE "@0", 1, FAKECL_ALWAYS, 4);
    fakecl_hold(TEST_COMPUTE "@1", 1, FAKECL_ALWAYS, 80);
    const gint64 begin_us = g_get_monotonic_time();
    stage_push_all(stage, 0, 100);
    stage_pull_all(stage, 0, 100);
    /* Half of them would take it four seconds. */
    g_assert_cmpint(g_get_monotonic_time() - begin_us, <, 2 * G_USEC_PER_SEC);
    g_assert_cmpuint(n_batches(stage, 1), >=, 1);
    g_assert_cmpuint(n_batches(stage, 1), <=, 10);
}

/* Times in ms. Device 0 computes 1, 3 and 5, device 1 computes 2 and 4. At 200, when 5 is enqueued,
 * each has two batches, but device 1 has nearly done the first of its. */
static void the_device_that_is_done_first_gets_the_next_batch(void)
{
    g_autoptr(Stage) stage = two_devices(1);
    fakecl_hold(TEST_COMPUTE "@0", 1, FAKECL_ALWAYS, 200);
    fakecl_hold(TEST_COMPUTE "@1", 1, FAKECL_ALWAYS, 220);
    /* What a batch takes is known from the second. */
    stage_push_all(stage, 0, 4);
    stage_pull_all(stage, 0, 4);
    g_assert_cmpuint(n_batches(stage, 1), ==, 2);
    stage_push_all(stage, 4, 6);
    g_assert_true(fakecl_wait_calls("clEnqueueWriteBuffer", 4 + 6));
    g_assert_cmpuint(fakecl_calls("clEnqueueWriteBuffer@1"), ==, 2 + 3);
    stage_pull_all(stage, 4, 6);
}

/* Device 0 takes long to decide, and what comes after it waits. */
static void waiting_for_a_decision_is_not_counted_as_work(void)
{
    g_autoptr(Stage) stage = stage_new_on(TEST_TYPE_HALVES, BOTH, 1);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE "@0", 1, FAKECL_ALWAYS, 300);
    stage_push_all(stage, 0, 4);
    stage_pull_all(stage, 0, 4);
    g_assert_cmpuint(n_batches(stage, 1), ==, 2);
    g_autoptr(GstStructure) stats = device_stats(stage, 1);
    guint64 batch_ns;
    g_assert_true(gst_structure_get_uint64(stats, "batch-ns", &batch_ns));
    g_assert_cmpuint(batch_ns, <, 150 * GST_MSECOND);
}

/* Both batches of device 1 have been through their first half and wait for device 0. */
static void what_waits_for_a_decision_is_still_to_be_done(void)
{
    g_autoptr(Stage) stage = stage_new_on(TEST_TYPE_HALVES, BOTH, 1);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE "@0", 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    stage_push_all(stage, 0, 5);
    /* Frames 0, 2 and 4. */
    g_assert_true(fakecl_wait_calls("clEnqueueWriteBuffer", 5));
    g_assert_cmpuint(fakecl_calls("clEnqueueWriteBuffer@0"), ==, 3);
    fakecl_release();
    stage_pull_all(stage, 0, 5);
}

static void second_halves_keep_the_order_of_the_stream(void)
{
    g_autoptr(Stage) stage = stage_new_on(TEST_TYPE_HALVES, BOTH, 1);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, 1, FAKECL_FOREVER);
    stage_push_all(stage, 0, 4);
    g_assert_true(fakecl_wait_held(1));
    g_assert_true(fakecl_wait_calls(TEST_COMPUTE, 3));
    /* Time enough for the other device, which could go on. */
    g_usleep(G_USEC_PER_SEC / 10);
    g_assert_cmpint(g_atomic_int_get(&stage->filter->n_proceeded), ==, 0);
    fakecl_release();
    stage_pull_all(stage, 0, 4);
    g_assert_cmpint(stage->filter->n_proceeded, ==, 4);
}

static void wait_blocked(Stage *stage, gint n)
{
    const gint64 until_us = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    while (g_atomic_int_get(&stage->filter->n_blocked) < n) {
        g_assert_cmpint(g_get_monotonic_time(), <, until_us);
        g_usleep(1000);
    }
}

static void devices_are_enqueued_for_at_the_same_time(void)
{
    g_autoptr(Stage) stage = two_devices(1);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 1);
    g_atomic_int_set(&stage->filter->blocks, TRUE);
    stage_push_all(stage, 0, 2);
    wait_blocked(stage, 2);
    g_atomic_int_set(&stage->filter->blocks, FALSE);
    stage_push_all(stage, 2, 8);
    stage_pull_all(stage, 0, 10);
}

static void halves_are_enqueued_one_by_one(void)
{
    g_autoptr(Stage) stage = stage_new_on(TEST_TYPE_HALVES, BOTH, 1);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 1);
    g_atomic_int_set(&stage->filter->blocks, TRUE);
    stage_push_all(stage, 0, 2);
    wait_blocked(stage, 1);
    /* Time enough for the other. */
    g_usleep(G_USEC_PER_SEC / 20);
    g_assert_cmpint(g_atomic_int_get(&stage->filter->n_blocked), ==, 1);
    g_atomic_int_set(&stage->filter->blocks, FALSE);
    stage_push_all(stage, 2, 8);
    stage_pull_all(stage, 0, 10);
}

static gpointer flush(gpointer stage)
{
    stage_flush(stage);
    return NULL;
}

static void a_flush_waits_for_what_is_being_enqueued(void)
{
    g_autoptr(Stage) stage = two_devices(1);
    g_atomic_int_set(&stage->filter->blocks, TRUE);
    stage_push_all(stage, 0, 2);
    wait_blocked(stage, 2);
    GThread *flusher = g_thread_new("flusher", flush, stage);
    g_usleep(G_USEC_PER_SEC / 20);
    g_assert_cmpuint(stage_stat(stage, "in-flight"), ==, 2);
    g_atomic_int_set(&stage->filter->blocks, FALSE);
    g_thread_join(flusher);
    g_assert_cmpuint(stage_stat(stage, "in-flight"), ==, 0);
    stage_push_all(stage, 100, 4);
    stage_pull_all(stage, 100, 4);
    g_assert_cmpuint(stage_stat(stage, "frames-flushed"), ==, 2);
}

static void the_past_is_not_forgotten_while_it_is_enqueued(void)
{
    g_autoptr(Stage) stage = two_devices(1);
    g_atomic_int_set(&stage->filter->blocks, TRUE);
    stage_push_all(stage, 0, 1);
    wait_blocked(stage, 1);
    GstBuffer *discont = stage_frame(stage, 1);
    GST_BUFFER_FLAG_SET(discont, GST_BUFFER_FLAG_DISCONT);
    GST_BUFFER_PTS(discont) += 2 * GST_SECOND;
    gst_harness_push(stage->harness, discont);
    g_usleep(G_USEC_PER_SEC / 20);
    g_atomic_int_set(&stage->filter->blocks, FALSE);
    stage_pull_all(stage, 0, 2);
    g_assert_cmpstr(stage->filter->calls->str, ==, "rcrc");
}

static void a_device_named_twice_is_one(void)
{
    g_autoptr(Stage) stage = stage_new_on(TEST_TYPE_FILTER, "0:1, 0:1", 1);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 3);
    stage_pull_all(stage, 0, 3);
    g_assert_cmpint(stage->filter->n_prepared, ==, 1);
    g_autofree char *name = NULL;
    g_object_get(stage->element, "device-name", &name, NULL);
    g_assert_null(strchr(name, ','));
}

static void a_device_that_is_not_there_is_an_error(void)
{
    GstElement *element =
        gst_object_ref_sink(g_object_new(TEST_TYPE_FILTER, "device", "0:0,gpu:7", NULL));
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_READY), ==, GST_STATE_CHANGE_FAILURE);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_autoptr(GError) error = NULL;
    gst_message_parse_error(message, &error, NULL);
    g_assert_nonnull(strstr(error->message, "gpu:7"));
    gst_element_set_state(element, GST_STATE_NULL);
    gst_element_set_bus(element, NULL);
    gst_object_unref(element);
}

/* Asks again and again which device is used. */
static gpointer ask_for_context(gpointer data)
{
    gint *asks = g_object_get_data(data, "asks");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(data, "src");
    while (g_atomic_int_get(asks)) {
        g_autoptr(GstQuery) query = gst_query_new_context(GST_CL_CONTEXT_TYPE_NAME);
        gst_pad_query(pad, query);
    }
    return NULL;
}

static void neighbours_may_ask_for_the_device_while_it_changes(void)
{
    g_autoptr(GstElement) element = gst_object_ref_sink(g_object_new(TEST_TYPE_FILTER, NULL));
    gint asks = TRUE;
    g_object_set_data(G_OBJECT(element), "asks", &asks);
    GThread *threads[2];
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("asks", ask_for_context, element);
    cl_device_id before = NULL;
    for (guint i = 0; i < 300; i++) {
        g_object_set(element, "device", i % 2 ? "0:1" : "0:0", NULL);
        g_assert_cmpint(gst_element_set_state(element, GST_STATE_READY), ==,
                        GST_STATE_CHANGE_SUCCESS);
        const OclDevice *device = gst_cl_batch_filter_get_device(GST_CL_BATCH_FILTER(element));
        g_assert_true(device->id != before);
        before = device->id;
        gst_element_set_state(element, GST_STATE_NULL);
    }
    g_atomic_int_set(&asks, FALSE);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
}

static void what_is_carried_from_frame_to_frame_stays_on_one_device(void)
{
    GstElement *element = g_object_new(TEST_TYPE_FILTER, "device", BOTH, "batch-size", 1, NULL);
    TEST_FILTER(element)->carries_state = TRUE;
    g_autoptr(Stage) stage = stage_new_with(element);
    stage_set_caps(stage, STAGE_CAPS);
    g_assert_true(has_warning(stage));
    stage_push_all(stage, 0, 10);
    stage_pull_all(stage, 0, 10);
    g_assert_cmpint(TEST_FILTER(element)->n_prepared, ==, 1);
}

static void whether_something_is_carried_is_asked_when_a_stream_starts(void)
{
    GstElement *element = g_object_new(TEST_TYPE_FILTER, "device", BOTH, "batch-size", 1, NULL);
    g_autoptr(Stage) stage = stage_new_with(element);
    gst_element_set_state(element, GST_STATE_READY);
    g_assert_false(has_warning(stage));
    TEST_FILTER(element)->carries_state = TRUE;
    gst_element_set_state(element, GST_STATE_PLAYING);
    g_assert_true(has_warning(stage));
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 10);
    stage_pull_all(stage, 0, 10);
    g_assert_cmpint(TEST_FILTER(element)->n_prepared, ==, 1);
}

static void a_second_device_may_go_between_two_streams(void)
{
    g_autoptr(Stage) stage = two_devices(1);
    stage_push_all(stage, 0, 10);
    stage_pull_all(stage, 0, 10);
    gst_element_set_state(stage->element, GST_STATE_READY);
    stage->filter->carries_state = TRUE;
    gst_element_set_state(stage->element, GST_STATE_PLAYING);
    g_assert_true(has_warning(stage));
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 10, 10);
    stage_pull_all(stage, 10, 10);
    g_assert_cmpuint(n_batches(stage, 0), ==, 10);
}

/* ---------------------------------------------------------------- losing one */

/* All frames come out, one device is lost, and the application is warned once. A batch that was
 * being filled is redone as it is, so the last may be short. */
static void assert_went_on(Stage *stage, guint n_frames, guint lost)
{
    g_autoptr(GstQuery) drain = gst_query_new_drain();
    gst_pad_peer_query(stage->harness->srcpad, drain);
    stage_pull_all(stage, 0, n_frames);
    g_assert_true(is_lost(stage, lost));
    g_assert_false(is_lost(stage, 1 - lost));
    g_assert_true(has_warning(stage));
    g_assert_false(has_warning(stage));
    g_assert_false(stage_has_error(stage));
    g_assert_cmpuint(stage_stat(stage, "frames-out"), ==, n_frames);
    g_assert_cmpuint(stage_stat(stage, "in-flight"), ==, 0);
}

static void the_batches_of_a_lost_device_are_redone(void)
{
    g_autoptr(Stage) stage = two_devices(2);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    fakecl_fail_event(MARK "@1", 1, FAKECL_ALWAYS, CL_OUT_OF_RESOURCES);
    stage_push_all(stage, 0, 9);
    g_assert_true(fakecl_wait_held(4));
    fakecl_release();
    stage_push_all(stage, 9, 11);
    assert_went_on(stage, 20, 1);
    g_assert_cmpuint(n_batches(stage, 1), ==, 0);
    g_assert_cmpuint(stage_stat(stage, "batches"), ==, 10);
}

static void a_device_that_refuses_commands_is_done_without(void)
{
    static const char *const calls[] = {
        "clEnqueueWriteBuffer@1", "clEnqueueReadBuffer@1",         "clEnqueueReadBufferRect@1",
        TEST_COMPUTE "@1",        "clEnqueueMarkerWithWaitList@1", "clEnqueueBarrierWithWaitList@1",
    };
    for (guint i = 0; i < G_N_ELEMENTS(calls); i++) {
        for (guint nth = 1; nth <= 4; nth++) {
            g_autoptr(Stage) stage = two_devices(2);
            fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 1);
            g_test_message("call %u of %s", nth, calls[i]);
            fakecl_fail(calls[i], nth, FAKECL_ALWAYS, CL_INVALID_COMMAND_QUEUE);
            stage_push_all(stage, 0, 40);
            if (fakecl_calls(calls[i]) >= nth)
                assert_went_on(stage, 40, 1);
            else
                stage_pull_all(stage, 0, 40);
            fakecl_reset();
        }
    }
}

static void the_first_device_may_be_the_lost_one(void)
{
    g_autoptr(Stage) stage = two_devices(1);
    stage_push_all(stage, 0, 1);
    stage_wait_stat(stage, "frames-out", 1);
    fakecl_fail(TEST_COMPUTE "@0", 1, FAKECL_ALWAYS, CL_INVALID_CONTEXT);
    stage_push_all(stage, 1, 9);
    assert_went_on(stage, 10, 0);
}

/* Batches of the good device are done and wait behind the lost one, in all of its slots. */
static void a_redo_needs_no_free_slot(void)
{
    const guint n_slots = 3;
    g_autoptr(Stage) stage = two_devices(1);
    fakecl_hold(TEST_COMPUTE "@1", 1, 1, FAKECL_FOREVER);
    fakecl_fail_event(MARK "@1", N_MARKS, 1, CL_OUT_OF_RESOURCES);
    /* The first keeps device 0 busy, so that the second is for device 1. */
    fakecl_hold(TEST_COMPUTE "@0", 1, 1, FAKECL_FOREVER);
    stage_push_all(stage, 0, 1);
    g_assert_true(fakecl_wait_held(1));
    stage_push_all(stage, 1, 1);
    g_assert_true(fakecl_wait_held(2));
    fakecl_release_next();
    stage_wait_stat(stage, "frames-out", 1);
    Pusher pusher;
    stage_push_all(stage, 2, 3);
    pusher_start(&pusher, stage, 2);
    g_assert_true(fakecl_wait_calls(TEST_COMPUTE "@0", 1 + n_slots - 1));
    fakecl_release();
    stage_pull_all(stage, 0, 5);
    pusher_join(&pusher);
    gst_buffer_unref(gst_harness_pull(stage->harness));
    gst_buffer_unref(gst_harness_pull(stage->harness));
    g_assert_true(is_lost(stage, 1));
    g_assert_false(stage_has_error(stage));
}

static void redone_frames_keep_their_properties(void)
{
    g_autoptr(Stage) stage = two_devices(1);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    fakecl_fail_event(MARK "@1", N_MARKS, 1, CL_OUT_OF_RESOURCES);
    g_object_set(stage->element, "level", 7, NULL);
    stage_push_all(stage, 0, 2);
    g_assert_true(fakecl_wait_held(2));
    g_object_set(stage->element, "level", 99, NULL);
    fakecl_release();
    assert_went_on(stage, 2, 1);
    g_assert_cmpuint(stage->filter->levels->len, ==, 3);
    for (guint i = 0; i < 3; i++)
        g_assert_cmpuint(g_array_index(stage->filter->levels, guint, i), ==, 7);
}

static void events_keep_their_places_when_frames_are_redone(void)
{
    g_autoptr(Stage) stage = two_devices(1);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    fakecl_fail_event(MARK "@1", N_MARKS, 1, CL_OUT_OF_RESOURCES);
    for (guint i = 0; i < 3; i++) {
        stage_push_all(stage, i, 1);
        gst_harness_push_event(
            stage->harness,
            gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty("mark")));
    }
    gst_harness_push_event(stage->harness, gst_event_new_eos());
    g_assert_true(fakecl_wait_held(3));
    fakecl_release();
    stage_wait_for_eos(stage);
    g_autofree char *log = stage_log(stage);
    g_assert_cmpstr(log, ==, "TCSbxbxbxE");
    g_assert_true(is_lost(stage, 1));
}

static void frames_of_a_small_pool_are_not_held_and_their_loss_is_an_error(void)
{
    g_autoptr(Stage) stage = two_devices(1);
    g_autoptr(GstBufferPool) pool = gst_buffer_pool_new();
    GstStructure *config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, NULL, FRAME_B, 0, 4);
    g_assert_true(gst_buffer_pool_set_config(pool, config));
    g_assert_true(gst_buffer_pool_set_active(pool, TRUE));
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    fakecl_fail_event(MARK "@1", N_MARKS, 1, CL_OUT_OF_RESOURCES);
    /* More than the pool has: each is released as soon as it is uploaded. */
    for (guint i = 0; i < 5; i++) {
        GstBuffer *buffer = NULL;
        g_assert_cmpint(gst_buffer_pool_acquire_buffer(pool, &buffer, NULL), ==, GST_FLOW_OK);
        gst_harness_push(stage->harness, buffer);
    }
    fakecl_release();
    stage_expect_error(stage, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_FAILED);
    g_assert_false(stage_has_error(stage));
    gst_element_set_state(stage->element, GST_STATE_NULL);
    gst_buffer_pool_set_active(pool, FALSE);
}

static void when_the_last_is_lost_too_it_is_an_error(void)
{
    g_autoptr(Stage) stage = two_devices(1);
    fakecl_fail_event(MARK, N_MARKS, FAKECL_ALWAYS, CL_OUT_OF_RESOURCES);
    GstFlowReturn flow;
    while ((flow = stage_push(stage, 0)) == GST_FLOW_OK)
        continue;
    g_assert_cmpint(flow, ==, GST_FLOW_ERROR);
    stage_expect_error(stage, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_FAILED);
    g_assert_false(stage_has_error(stage));
}

static void a_lost_device_is_tried_again_from_ready(void)
{
    g_autoptr(Stage) stage = two_devices(1);
    fakecl_fail(TEST_COMPUTE "@0", 1, 1, CL_INVALID_COMMAND_QUEUE);
    stage_push_all(stage, 0, 4);
    assert_went_on(stage, 4, 0);
    gst_element_set_state(stage->element, GST_STATE_READY);
    gst_element_set_state(stage->element, GST_STATE_PLAYING);
    g_assert_false(is_lost(stage, 0));
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 4);
    stage_pull_all(stage, 0, 4);
    g_assert_cmpuint(n_batches(stage, 0), >=, 1);
}

static void a_lost_device_stays_away_when_formats_change(void)
{
    g_autoptr(Stage) stage = two_devices(1);
    fakecl_fail(TEST_COMPUTE "@1", 1, 1, CL_INVALID_COMMAND_QUEUE);
    fakecl_hold(TEST_COMPUTE "@0", 1, FAKECL_ALWAYS, 2);
    stage_push_all(stage, 0, 6);
    stage_set_caps(stage, STAGE_OTHER_CAPS);
    stage_push_all(stage, 6, 6);
    assert_went_on(stage, 12, 1);
    g_assert_cmpint(stage->filter->n_prepared, ==, 3);
}

static void either_half_may_be_redone(void)
{
    static const char *const calls[] = { TEST_COMPUTE "@1", TEST_PROCEED "@1" };
    for (guint i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_autoptr(Stage) stage = stage_new_on(TEST_TYPE_HALVES, BOTH, 2);
        stage_set_caps(stage, STAGE_CAPS);
        fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 2);
        fakecl_fail(calls[i], 2, FAKECL_ALWAYS, CL_INVALID_COMMAND_QUEUE);
        stage_push_all(stage, 0, 40);
        assert_went_on(stage, 40, 1);
        fakecl_reset();
    }
}

/* Frame i has level i. */
static void control_level(Stage *stage)
{
    GstControlSource *source = gst_interpolation_control_source_new();
    g_object_set(source, "mode", GST_INTERPOLATION_MODE_LINEAR, NULL);
    GstTimedValueControlSource *values = GST_TIMED_VALUE_CONTROL_SOURCE(source);
    gst_timed_value_control_source_set(values, 0, 0);
    gst_timed_value_control_source_set(values, 1000 * FRAME_NS, 1000);
    gst_object_add_control_binding(
        GST_OBJECT(stage->element),
        gst_direct_control_binding_new_absolute(GST_OBJECT(stage->element), "level", source));
    gst_object_unref(source);
}

static void what_is_lost_undecided_is_decided_in_its_place(void)
{
    g_autoptr(Stage) stage = stage_new_on(TEST_TYPE_HALVES, BOTH, 1);
    control_level(stage);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    fakecl_fail_event(MARK "@1", FIRST_MARKS, FAKECL_ALWAYS, CL_OUT_OF_RESOURCES);
    stage_push_all(stage, 0, 4);
    g_assert_true(fakecl_wait_held(4));
    fakecl_release();
    stage_push_all(stage, 4, 16);
    assert_went_on(stage, 20, 1);
    const GArray *levels = stage->filter->levels;
    g_assert_cmpuint(levels->len, ==, 20);
    for (guint i = 0; i < 20; i++)
        g_assert_cmpuint(g_array_index(levels, guint, i), ==, i);
}

/* All three slots of device 0 hold batches that may not be decided before the lost one. */
static void a_lost_batch_that_all_wait_for_is_redone(void)
{
    g_autoptr(Stage) stage = stage_new_on(TEST_TYPE_HALVES, BOTH, 1);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    fakecl_fail_event(MARK "@1", FIRST_MARKS, FAKECL_ALWAYS, CL_OUT_OF_RESOURCES);
    stage_push_all(stage, 0, 5);
    g_assert_true(fakecl_wait_held(4));
    fakecl_release_next();
    stage_wait_stat(stage, "frames-out", 1);
    stage_push_all(stage, 5, 1);
    /* Frames 0, 2, 4 and 5. */
    g_assert_true(fakecl_wait_calls("clEnqueueWriteBuffer@0", 4));
    fakecl_release();
    stage_push_all(stage, 6, 6);
    assert_went_on(stage, 12, 1);
}

/* ---------------------------------------------------------------- everything at once */

static gint n_flushers;

/* Some flushes come at once, some after a few batches; a hundred of them after device 1 is lost. */
static gpointer flush_at_random(gpointer stage)
{
    for (guint i = 0, n_after = 0; n_after < 100; i++) {
        const guint64 until = stage_stat(stage, "batches") + i * 7919 % 5;
        while (stage_stat(stage, "batches") < until)
            g_thread_yield();
        for (guint k = i * 7919 % 200; k > 0; k--)
            g_thread_yield();
        stage_flush(stage);
        n_after += is_lost(stage, 1);
    }
    g_atomic_int_add(&n_flushers, -1);
    return NULL;
}

static void flush_and_push(Stage *stage)
{
    g_atomic_int_inc(&n_flushers);
    GThread *flusher = g_thread_new("flusher", flush_at_random, stage);
    while (g_atomic_int_get(&n_flushers))
        stage_push(stage, 0);
    g_thread_join(flusher);
}

static void flushes_while_a_device_is_lost_do_no_harm(void)
{
    g_autoptr(Stage) stage = two_devices(3);
    gst_harness_set_drop_buffers(stage->harness, TRUE);
    g_object_set(stage->element, "batch-timeout", GST_MSECOND, NULL);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 1);
    fakecl_fail_event(MARK "@1", 500, FAKECL_ALWAYS, CL_OUT_OF_RESOURCES);
    flush_and_push(stage);
    fakecl_reset();
    stage_flush(stage);
    gst_harness_set_drop_buffers(stage->harness, FALSE);
    stage_push_all(stage, 1, 3);
    for (guint8 value = 0; value != 3;) {
        g_autoptr(GstBuffer) out = gst_harness_pull(stage->harness);
        g_assert_nonnull(out);
        gst_buffer_extract(out, 0, &value, 1);
    }
    g_assert_false(stage_has_error(stage));
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("both devices have work and frames stay in order",
              both_devices_have_work_and_frames_stay_in_order);
    stage_add("equal devices share the work", equal_devices_share_the_work);
    stage_add("a slow device gets less and delays nobody",
              a_slow_device_gets_less_and_delays_nobody);
    stage_add("the device that is done first gets the next batch",
              the_device_that_is_done_first_gets_the_next_batch);
    stage_add("waiting for a decision is not counted as work",
              waiting_for_a_decision_is_not_counted_as_work);
    stage_add("what waits for a decision is still to be done",
              what_waits_for_a_decision_is_still_to_be_done);
    stage_add("second halves keep the order of the stream",
              second_halves_keep_the_order_of_the_stream);
    stage_add("devices are enqueued for at the same time",
              devices_are_enqueued_for_at_the_same_time);
    stage_add("halves are enqueued one by one", halves_are_enqueued_one_by_one);
    stage_add("a flush waits for what is being enqueued", a_flush_waits_for_what_is_being_enqueued);
    stage_add("the past is not forgotten while it is enqueued",
              the_past_is_not_forgotten_while_it_is_enqueued);
    stage_add("a device named twice is one", a_device_named_twice_is_one);
    stage_add("a device that is not there is an error", a_device_that_is_not_there_is_an_error);
    stage_add("neighbours may ask for the device while it changes",
              neighbours_may_ask_for_the_device_while_it_changes);
    stage_add("what is carried from frame to frame stays on one device",
              what_is_carried_from_frame_to_frame_stays_on_one_device);
    stage_add("whether something is carried is asked when a stream starts",
              whether_something_is_carried_is_asked_when_a_stream_starts);
    stage_add("a second device may go between two streams",
              a_second_device_may_go_between_two_streams);
    stage_add("the batches of a lost device are redone", the_batches_of_a_lost_device_are_redone);
    stage_add("a device that refuses commands is done without",
              a_device_that_refuses_commands_is_done_without);
    stage_add("the first device may be the lost one", the_first_device_may_be_the_lost_one);
    stage_add("a redo needs no free slot", a_redo_needs_no_free_slot);
    stage_add("redone frames keep their properties", redone_frames_keep_their_properties);
    stage_add("events keep their places when frames are redone",
              events_keep_their_places_when_frames_are_redone);
    stage_add("frames of a small pool are not held and their loss is an error",
              frames_of_a_small_pool_are_not_held_and_their_loss_is_an_error);
    stage_add("when the last is lost too it is an error", when_the_last_is_lost_too_it_is_an_error);
    stage_add("a lost device is tried again from READY", a_lost_device_is_tried_again_from_ready);
    stage_add("a lost device stays away when formats change",
              a_lost_device_stays_away_when_formats_change);
    stage_add("what is lost undecided is decided in its place",
              what_is_lost_undecided_is_decided_in_its_place);
    stage_add("a lost batch that all wait for is redone", a_lost_batch_that_all_wait_for_is_redone);
    stage_add("either half may be redone", either_half_may_be_redone);
    stage_add("flushes while a device is lost do no harm",
              flushes_while_a_device_is_lost_do_no_harm);
    return g_test_run();
}
