/* halves.c - tests of computations in two halves, the second decided by what the first has found.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stage.h"

static void wait_proceeded(Stage *stage, gint n)
{
    const gint64 until_us = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    while (g_atomic_int_get(&stage->filter->n_proceeded) < n) {
        g_assert_cmpint(g_get_monotonic_time(), <, until_us);
        g_thread_yield();
    }
}

static void frames_go_through_both_halves_in_order(void)
{
    g_autoptr(Stage) stage = stage_new_halves(3);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 30);
    stage_pull_all(stage, 0, 30);
    g_assert_cmpuint(stage_stat(stage, "batches"), ==, 10);
    g_assert_cmpint(stage->filter->n_proceeded, ==, 10);
    g_assert_cmpuint(stage_stat(stage, "in-flight"), ==, 0);
}

static void the_second_half_waits_for_the_first(void)
{
    g_autoptr(Stage) stage = stage_new_halves(2);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, 1, FAKECL_FOREVER);
    stage_push_all(stage, 0, 2);
    g_assert_true(fakecl_wait_held(1));
    g_assert_cmpint(g_atomic_int_get(&stage->filter->n_proceeded), ==, 0);
    fakecl_release();
    stage_pull_all(stage, 0, 2);
    g_assert_cmpint(stage->filter->n_proceeded, ==, 1);
}

static void the_next_batch_is_decided_while_one_is_computed(void)
{
    g_autoptr(Stage) stage = stage_new_halves(2);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_PROCEED, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    stage_push_all(stage, 0, 4);
    /* Both wait in the queue of the device, one behind the other. */
    wait_proceeded(stage, 2);
    g_assert_true(fakecl_wait_held(2));
    g_assert_cmpuint(stage_level(stage), ==, 0);
    fakecl_release();
    stage_pull_all(stage, 0, 4);
}

/* Marks of a batch of one frame: one before the upload, two around the computation, one behind the
 * readback. */
#define N_MARKS_WHOLE 4

static void a_first_half_that_is_nothing_takes_no_time(void)
{
    g_autoptr(Stage) stage = stage_new_halves(1);
    stage_set_caps(stage, STAGE_CAPS);
    g_atomic_int_set(&stage->filter->without_first, TRUE);
    stage_push_all(stage, 0, 3);
    stage_pull_all(stage, 0, 3);
    g_assert_cmpint(stage->filter->n_proceeded, ==, 3);
    g_assert_cmpuint(fakecl_calls(TEST_COMPUTE), ==, 0);
    g_assert_cmpuint(fakecl_calls("clEnqueueMarkerWithWaitList"), ==, 3 * N_MARKS_WHOLE);
}

static void a_first_half_that_is_nothing_waits_for_its_turn(void)
{
    g_autoptr(Stage) stage = stage_new_halves(1);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, 1, FAKECL_FOREVER);
    stage_push_all(stage, 0, 1);
    g_assert_true(fakecl_wait_held(1));
    g_atomic_int_set(&stage->filter->without_first, TRUE);
    stage_push_all(stage, 1, 1);
    stage_wait_stat(stage, "batches", 2);
    /* Time enough to go on too early. */
    g_usleep(G_USEC_PER_SEC / 20);
    g_assert_cmpint(g_atomic_int_get(&stage->filter->n_proceeded), ==, 0);
    fakecl_release();
    stage_pull_all(stage, 0, 2);
    g_assert_cmpint(stage->filter->n_proceeded, ==, 2);
    g_assert_cmpstr(stage->filter->calls->str, ==, "rcpp");
}

static void a_flush_drops_what_is_not_decided_yet(void)
{
    g_autoptr(Stage) stage = stage_new_halves(2);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    stage_push_all(stage, 0, 5);
    g_assert_true(fakecl_wait_held(2));
    stage_flush(stage);
    fakecl_release();
    stage_push_all(stage, 100, 2);
    stage_pull_all(stage, 100, 2);
    g_assert_cmpint(stage->filter->n_proceeded, ==, 1);
    g_assert_cmpuint(stage_level(stage), ==, 0);
    g_assert_cmpuint(stage_stat(stage, "frames-flushed"), ==, 5);
}

static void the_past_is_forgotten_only_when_the_second_half_has_it(void)
{
    g_autoptr(Stage) stage = stage_new_halves(2);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, 1, FAKECL_FOREVER);
    stage_push_all(stage, 0, 2);
    g_assert_true(fakecl_wait_held(1));
    GstBuffer *discont = stage_frame(stage, 2);
    GST_BUFFER_FLAG_SET(discont, GST_BUFFER_FLAG_DISCONT);
    GST_BUFFER_PTS(discont) += 2 * GST_SECOND;
    gst_harness_push(stage->harness, discont);
    stage_push_all(stage, 3, 1);
    fakecl_release();
    stage_pull_all(stage, 0, 4);
    g_assert_cmpstr(stage->filter->calls->str, ==, "rcprcp");
}

/* As decoders tell that they have skipped some. */
static void the_past_counts_where_frames_are_missing(void)
{
    g_autoptr(Stage) stage = stage_new_halves(2);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 2);
    GstBuffer *discont = stage_frame(stage, 2);
    GST_BUFFER_FLAG_SET(discont, GST_BUFFER_FLAG_DISCONT);
    GST_BUFFER_PTS(discont) += GST_SECOND / 2;
    gst_harness_push(stage->harness, discont);
    stage_push_all(stage, 3, 1);
    stage_pull_all(stage, 0, 4);
    g_autofree char *calls = g_strdup(stage->filter->calls->str);
    g_assert_cmpint(calls[0], ==, 'r');
    g_assert_null(strchr(calls + 1, 'r'));
}

static void the_end_comes_after_both_halves(void)
{
    g_autoptr(Stage) stage = stage_new_halves(4);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 5);
    fakecl_hold(TEST_PROCEED, 1, FAKECL_ALWAYS, 5);
    stage_push_all(stage, 0, 9);
    gst_harness_push_event(stage->harness, gst_event_new_eos());
    stage_wait_for_eos(stage);
    g_autofree char *log = stage_log(stage);
    g_assert_cmpstr(log, ==, "TCSbbbbbbbbbE");
}

static void computation_counts_with_both_halves(void)
{
    g_autoptr(Stage) stage = stage_new_halves(1);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, 1, 100);
    fakecl_hold(TEST_PROCEED, 1, 1, 100);
    stage_push_all(stage, 0, 1);
    stage_pull_all(stage, 0, 1);
    /* A busy machine may see the beginning of a half late. */
    g_assert_cmpuint(stage_stat(stage, "compute-ns"), >=, 150 * GST_MSECOND);
    g_assert_cmpuint(stage_stat(stage, "latency-ns"), >=, 200 * GST_MSECOND);
}

/* The error is posted a moment before frames are refused. */
static GstFlowReturn push_until_refused(Stage *stage)
{
    GstFlowReturn flow;
    while ((flow = stage_push(stage, 0)) == GST_FLOW_OK)
        continue;
    return flow;
}

/* @make_fail breaks something once; the stream stops with one error, and a flush revives it. One
 * batch alone, so that it is known which event is which. */
static void fails_and_goes_on(void (*make_fail)(void))
{
    g_autoptr(Stage) stage = stage_new_halves(2);
    stage_set_caps(stage, STAGE_CAPS);
    make_fail();
    stage_push_all(stage, 0, 2);
    stage_expect_error(stage, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_FAILED);
    g_assert_cmpint(push_until_refused(stage), ==, GST_FLOW_ERROR);
    g_assert_false(stage_has_error(stage));
    g_assert_cmpuint(stage_level(stage), ==, 0);
    stage_flush(stage);
    stage_push_all(stage, 1, 8);
    stage_pull_all(stage, 1, 8);
}

static void fail_first_command(void)
{
    fakecl_fail(TEST_COMPUTE, 1, 1, CL_INVALID_OPERATION);
}

static void fail_second_command(void)
{
    fakecl_fail(TEST_PROCEED, 1, 1, CL_INVALID_OPERATION);
}

/* Marks: one before each upload, two around the first half. */
static void fail_first_event(void)
{
    fakecl_fail_event("clEnqueueMarkerWithWaitList", 4, 1, CL_OUT_OF_RESOURCES);
}

/* And the one behind the second half. */
static void fail_second_event(void)
{
    fakecl_fail_event("clEnqueueMarkerWithWaitList", 7, 1, CL_OUT_OF_RESOURCES);
}

static void either_half_may_fail(void)
{
    fails_and_goes_on(fail_first_command);
    fails_and_goes_on(fail_second_command);
    fails_and_goes_on(fail_first_event);
    fails_and_goes_on(fail_second_event);
}

static void a_live_stream_knows_its_latency_before_the_first_frame(void)
{
    g_autoptr(Stage) stage = stage_new_halves(2);
    gst_harness_set_live(stage->harness, TRUE);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 20);
    fakecl_hold(TEST_PROCEED, 1, FAKECL_ALWAYS, 20);
    stage_set_caps(stage, STAGE_CAPS);
    g_autoptr(GstQuery) drain = gst_query_new_drain();
    gst_pad_peer_query(stage->harness->srcpad, drain);
    stage_push_all(stage, 0, 2);
    wait_proceeded(stage, 1);
    /* The wait for the second frame, and 40 ms with a fifth on top. */
    g_assert_cmpuint(gst_harness_query_latency(stage->harness), >=, FRAME_NS + 48 * GST_MSECOND);
    stage_pull_all(stage, 0, 2);
}

static void stopping_waits_for_both_halves(void)
{
    g_autoptr(Stage) stage = stage_new_halves(1);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 2, 1, 50);
    fakecl_hold(TEST_PROCEED, 1, 1, 50);
    stage_push_all(stage, 0, 2);
    wait_proceeded(stage, 1);
    g_assert_cmpint(gst_element_set_state(stage->element, GST_STATE_NULL), ==,
                    GST_STATE_CHANGE_SUCCESS);
    g_assert_cmpint(stage->filter->n_released, ==, 1);
}

static void a_whole_computation_has_no_queue_more(void)
{
    const guint before = fakecl_calls("clCreateCommandQueue");
    g_autoptr(Stage) whole = stage_new(1);
    const guint between = fakecl_calls("clCreateCommandQueue");
    g_autoptr(Stage) halves = stage_new_halves(1);
    g_assert_cmpuint(between - before, ==, 3);
    g_assert_cmpuint(fakecl_calls("clCreateCommandQueue") - between, ==, 4);
    g_assert_true(whole && halves);
}

static gint n_flushers;

/* Some flushes come at once, some after a few batches. */
static gpointer flush_at_random(gpointer stage)
{
    for (guint i = 0; i < 300; i++) {
        const guint64 until = stage_stat(stage, "batches") + i * 7919 % 5;
        while (stage_stat(stage, "batches") < until)
            g_thread_yield();
        for (guint k = i * 7919 % 200; k > 0; k--)
            g_thread_yield();
        stage_flush(stage);
    }
    g_atomic_int_add(&n_flushers, -1);
    return NULL;
}

static void flushes_at_random_moments_do_no_harm(void)
{
    g_autoptr(Stage) stage = stage_new_halves(3);
    gst_harness_set_drop_buffers(stage->harness, TRUE);
    g_object_set(stage->element, "batch-timeout", GST_MSECOND, NULL);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 1);
    g_atomic_int_inc(&n_flushers);
    GThread *flusher = g_thread_new("flusher", flush_at_random, stage);
    while (g_atomic_int_get(&n_flushers))
        stage_push(stage, 0);
    g_thread_join(flusher);
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
    stage_add("frames go through both halves in order", frames_go_through_both_halves_in_order);
    stage_add("the second half waits for the first", the_second_half_waits_for_the_first);
    stage_add("the next batch is decided while one is computed",
              the_next_batch_is_decided_while_one_is_computed);
    stage_add("a first half that is nothing takes no time",
              a_first_half_that_is_nothing_takes_no_time);
    stage_add("a first half that is nothing waits for its turn",
              a_first_half_that_is_nothing_waits_for_its_turn);
    stage_add("a flush drops what is not decided yet", a_flush_drops_what_is_not_decided_yet);
    stage_add("the past is forgotten only when the second half has it",
              the_past_is_forgotten_only_when_the_second_half_has_it);
    stage_add("the past counts where frames are missing", the_past_counts_where_frames_are_missing);
    stage_add("the end comes after both halves", the_end_comes_after_both_halves);
    stage_add("computation counts with both halves", computation_counts_with_both_halves);
    stage_add("either half may fail", either_half_may_fail);
    stage_add("a live stream knows its latency before the first frame",
              a_live_stream_knows_its_latency_before_the_first_frame);
    stage_add("stopping waits for both halves", stopping_waits_for_both_halves);
    stage_add("a whole computation has no queue more", a_whole_computation_has_no_queue_more);
    stage_add("flushes at random moments do no harm", flushes_at_random_moments_do_no_harm);
    return g_test_run();
}
