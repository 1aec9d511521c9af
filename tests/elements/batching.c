/* batching.c - tests of when a batch is complete, and of what becomes of its frames.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stage.h"

static void a_full_batch_comes_out_without_waiting(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 1, 8);
    stage_pull_all(stage, 1, 8);
    g_assert_cmpuint(stage_stat(stage, "batches"), ==, 2);
}

static Stage *live_stage(guint batch_size)
{
    Stage *stage = stage_new(batch_size);
    gst_harness_set_live(stage->harness, TRUE);
    gst_harness_use_testclock(stage->harness);
    g_object_set(stage->element, "batch-timeout", GST_CLOCK_TIME_NONE, NULL);
    stage_set_caps(stage, STAGE_CAPS);
    return stage;
}

static GstClockTime now(Stage *stage)
{
    g_autoptr(GstTestClock) clock = gst_harness_get_testclock(stage->harness);
    return gst_clock_get_time(GST_CLOCK(clock));
}

static void a_live_batch_waits_half_a_frame_beyond_its_last(void)
{
    g_autoptr(Stage) stage = live_stage(4);
    stage_push_all(stage, 1, 2);
    stage_wait_stat(stage, "in-flight", 2);
    g_assert_true(gst_harness_crank_single_clock_wait(stage->harness));
    stage_pull_all(stage, 1, 2);
    g_assert_cmpuint(now(stage), ==, 3 * FRAME_NS + FRAME_NS / 2);
    g_assert_cmpuint(stage_stat(stage, "batches"), ==, 1);
}

static void a_live_batch_waits_as_long_as_upstream_may_be_late(void)
{
    g_autoptr(Stage) stage = live_stage(4);
    gst_harness_set_upstream_latency(stage->harness, 10 * GST_MSECOND);
    gst_harness_query_latency(stage->harness);
    stage_push_all(stage, 1, 2);
    stage_wait_stat(stage, "in-flight", 2);
    g_assert_true(gst_harness_crank_single_clock_wait(stage->harness));
    stage_pull_all(stage, 1, 2);
    g_assert_cmpuint(now(stage), ==, 3 * FRAME_NS + FRAME_NS / 2 + 10 * GST_MSECOND);
}

static void a_timeout_that_is_set_counts_from_the_first_frame(void)
{
    g_autoptr(Stage) stage = live_stage(4);
    g_object_set(stage->element, "batch-timeout", (guint64)7 * GST_SECOND, NULL);
    stage_push_all(stage, 1, 3);
    stage_wait_stat(stage, "in-flight", 3);
    g_assert_true(gst_harness_crank_single_clock_wait(stage->harness));
    stage_pull_all(stage, 1, 3);
    g_assert_cmpuint(now(stage), ==, 7 * GST_SECOND);
}

static void the_timer_is_cancelled_when_the_batch_fills(void)
{
    g_autoptr(Stage) stage = live_stage(4);
    stage_push_all(stage, 1, 1);
    g_assert_true(gst_harness_wait_for_clock_id_waits(stage->harness, 1, 20));
    stage_push_all(stage, 2, 3);
    stage_pull_all(stage, 1, 4);
    g_autoptr(GstTestClock) clock = gst_harness_get_testclock(stage->harness);
    g_assert_cmpuint(gst_test_clock_peek_id_count(clock), ==, 0);
}

static void one_frame_alone_comes_out_when_nothing_follows(void)
{
    g_autoptr(Stage) stage = stage_new(8);
    g_object_set(stage->element, "batch-timeout", GST_CLOCK_TIME_NONE, NULL);
    stage_set_caps(stage, STAGE_CAPS);
    for (guint i = 0; i < 3; i++) {
        stage_push_all(stage, i, 1);
        stage_pull_all(stage, i, 1);
    }
}

static void frames_that_waited_while_the_device_was_busy_fill_their_batch(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    g_object_set(stage->element, "batch-timeout", GST_MSECOND, NULL);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 4);
    stage_pull_all(stage, 0, 4);
    /* Memory for one batch at a time, so that frames wait in the queue. */
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 10);
    fakecl_fail("clCreateBuffer", 1, 1, CL_MEM_OBJECT_ALLOCATION_FAILURE);
    const guint64 before = stage_stat(stage, "batches");
    stage_push_all(stage, 4, 80);
    stage_pull_all(stage, 4, 80);
    g_assert_cmpuint(stage_stat(stage, "batches") - before, <=, 30);
}

static void the_end_brings_out_what_is_left(void)
{
    g_autoptr(Stage) stage = stage_new(8);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 11);
    g_assert_true(gst_harness_push_event(stage->harness, gst_event_new_eos()));
    stage_pull_all(stage, 0, 11);
    stage_wait_for_eos(stage);
    g_autofree char *log = stage_log(stage);
    g_assert_cmpstr(log, ==, "TCSbbbbbbbbbbbE");
    g_assert_cmpuint(stage_stat(stage, "batches"), ==, 2);
}

static void automatic_batches_are_of_four_unless_the_source_is_live(void)
{
    g_autoptr(Stage) stage = stage_new(0);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 4);
    stage_pull_all(stage, 0, 4);
    g_assert_cmpuint(stage_stat(stage, "batch-size"), ==, 4);

    g_autoptr(Stage) live = live_stage(0);
    stage_push_all(live, 0, 1);
    stage_pull_all(live, 0, 1);
    g_assert_cmpuint(stage_stat(live, "batch-size"), ==, 1);
}

static void live_streams_measure_no_kernels(void)
{
    g_autoptr(Stage) stage = stage_new(1);
    g_autoptr(Stage) live = live_stage(1);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 1);
    stage_pull_all(stage, 0, 1);
    g_assert_cmpint(stage->filter->tuning, ==, NN_TUNING_CACHED);

    g_autoptr(Stage) asked = stage_new(1);
    g_object_set(asked->element, "tuning", NN_TUNING_MEASURE, "tuning-time", 3 * GST_SECOND, NULL);
    g_object_set(live->element, "tuning", NN_TUNING_MEASURE, NULL);
    stage_set_caps(asked, STAGE_CAPS);
    stage_push_all(asked, 0, 1);
    stage_pull_all(asked, 0, 1);
    g_assert_cmpint(asked->filter->tuning, ==, NN_TUNING_MEASURE);
    g_assert_cmpuint(asked->filter->tuning_ms, ==, 3000);

    g_object_set(live->element, "batch-size", 2, NULL); /* builds anew */
    stage_push_all(live, 0, 2);
    stage_pull_all(live, 0, 2);
    g_assert_cmpint(live->filter->tuning, ==, NN_TUNING_CACHED);
    g_object_set(live->element, "tuning", NN_TUNING_OFF, "batch-size", 1, NULL);
    stage_push_all(live, 2, 1);
    stage_pull_all(live, 2, 1);
    g_assert_cmpint(live->filter->tuning, ==, NN_TUNING_OFF);
}

static void pictures_without_a_frame_rate_do_not_wait_for_others(void)
{
    g_autoptr(Stage) stage = stage_new(0);
    stage_set_caps(stage, "video/x-raw,format=GRAY8,width=16,height=8,framerate=0/1");
    stage_push_all(stage, 0, 1);
    stage_pull_all(stage, 0, 1);
    g_assert_cmpuint(stage_stat(stage, "batch-size"), ==, 1);
}

static void timestamps_pass_untouched(void)
{
    static const GstClockTime times[] = { 80, 0, 0, GST_CLOCK_TIME_NONE, 40 };
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    for (guint i = 0; i < G_N_ELEMENTS(times); i++) {
        GstBuffer *frame = stage_frame(stage, i);
        GST_BUFFER_PTS(frame) = times[i];
        GST_BUFFER_DTS(frame) = 1000 + i;
        GST_BUFFER_OFFSET(frame) = i;
        GST_BUFFER_OFFSET_END(frame) = i + 1;
        GST_BUFFER_DURATION(frame) = i % 2 ? GST_CLOCK_TIME_NONE : 5;
        gst_harness_push(stage->harness, frame);
    }
    gst_harness_push_event(stage->harness, gst_event_new_eos());
    for (guint i = 0; i < G_N_ELEMENTS(times); i++) {
        g_autoptr(GstBuffer) frame = stage_pull(stage, i);
        g_assert_cmpuint(GST_BUFFER_PTS(frame), ==, times[i]);
        g_assert_cmpuint(GST_BUFFER_DTS(frame), ==, 1000 + i);
        g_assert_cmpuint(GST_BUFFER_OFFSET(frame), ==, i);
        g_assert_cmpuint(GST_BUFFER_OFFSET_END(frame), ==, i + 1);
        g_assert_cmpuint(GST_BUFFER_DURATION(frame), ==, i % 2 ? GST_CLOCK_TIME_NONE : 5);
    }
}

static void the_device_has_the_next_batch_before_it_is_done_with_one(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    stage_push_all(stage, 0, 4);
    g_assert_true(fakecl_wait_held(2));
    g_assert_cmpuint(stage_level(stage), ==, 0);
    fakecl_release();
    stage_pull_all(stage, 0, 4);
}

static void a_driver_that_calls_back_late_delays_nothing(void)
{
    static const char vendor[] = "NVIDIA Corporation";
    fakecl_override_device(0, CL_DEVICE_VENDOR, vendor, sizeof vendor);
    fakecl_fail("clSetEventCallback", 1, FAKECL_ALWAYS, CL_INVALID_OPERATION);
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 40);
    stage_pull_all(stage, 0, 40);
    g_assert_false(stage_has_error(stage));
}

static void upstream_waits_when_the_device_is_slow(void)
{
    /* Two batches in flight, one being filled, one in the queue, of two frames each. */
    const guint most = 8;
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    Pusher pusher;
    pusher_start(&pusher, stage, 20);
    stage_wait_stat(stage, "frames-in", most);
    g_assert_true(fakecl_wait_held(2));
    g_assert_cmpuint(stage_stat(stage, "frames-in"), ==, most);
    fakecl_release();
    for (guint i = 0; i < 20; i++)
        gst_buffer_unref(gst_harness_pull(stage->harness));
    g_assert_cmpint(pusher_join(&pusher), ==, GST_FLOW_OK);
}

static void a_model_may_limit_the_batch(void)
{
    g_autoptr(Stage) stage = stage_new(8);
    stage->filter->frame_limit = 1;
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 3);
    stage_pull_all(stage, 0, 3);
    g_assert_cmpuint(stage_stat(stage, "batches"), ==, 3);
}

static void the_batch_size_can_change_while_playing(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 2);
    stage_pull_all(stage, 0, 2);
    g_object_set(stage->element, "batch-size", 3, NULL);
    stage_push_all(stage, 2, 3);
    stage_pull_all(stage, 2, 3);
    g_assert_cmpuint(stage_stat(stage, "batch-size"), ==, 3);
    g_assert_cmpuint(stage_stat(stage, "batches"), ==, 2);
}

static void statistics_add_up(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 10);
    gst_harness_push_event(stage->harness, gst_event_new_eos());
    stage_pull_all(stage, 0, 10);
    stage_wait_for_eos(stage);
    g_assert_cmpuint(stage_stat(stage, "frames-in"), ==, 10);
    g_assert_cmpuint(stage_stat(stage, "frames-out"), ==, 10);
    g_assert_cmpuint(stage_stat(stage, "batches"), ==, 3);
    g_assert_cmpuint(stage_stat(stage, "queue-level"), ==, 0);
    g_assert_cmpuint(stage_stat(stage, "in-flight"), ==, 0);
    g_assert_cmpuint(stage_stat(stage, "latency-ns"), >, 0);
    g_assert_cmpuint(stage_stat(stage, "upload-ns"), >, 0);
    g_autoptr(GstStructure) stats = NULL;
    gdouble fill = 0;
    g_object_get(stage->element, "stats", &stats, NULL);
    g_assert_true(gst_structure_get_double(stats, "mean-fill", &fill));
    g_assert_cmpfloat_with_epsilon(fill, 10.0 / 3, 1e-9);
    gst_element_set_state(stage->element, GST_STATE_READY);
    gst_element_set_state(stage->element, GST_STATE_PAUSED);
    g_assert_cmpuint(stage_stat(stage, "frames-in"), ==, 0);
    g_assert_cmpuint(stage_stat(stage, "batches"), ==, 0);
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("a full batch comes out without waiting", a_full_batch_comes_out_without_waiting);
    stage_add("a live batch waits half a frame beyond its last",
              a_live_batch_waits_half_a_frame_beyond_its_last);
    stage_add("a live batch waits as long as upstream may be late",
              a_live_batch_waits_as_long_as_upstream_may_be_late);
    stage_add("a timeout that is set counts from the first frame",
              a_timeout_that_is_set_counts_from_the_first_frame);
    stage_add("the timer is cancelled when the batch fills",
              the_timer_is_cancelled_when_the_batch_fills);
    stage_add("one frame alone comes out when nothing follows",
              one_frame_alone_comes_out_when_nothing_follows);
    stage_add("frames that waited while the device was busy fill their batch",
              frames_that_waited_while_the_device_was_busy_fill_their_batch);
    stage_add("the end brings out what is left", the_end_brings_out_what_is_left);
    stage_add("live streams measure no kernels", live_streams_measure_no_kernels);
    stage_add("automatic batches are of four unless the source is live",
              automatic_batches_are_of_four_unless_the_source_is_live);
    stage_add("pictures without a frame rate do not wait for others",
              pictures_without_a_frame_rate_do_not_wait_for_others);
    stage_add("timestamps pass untouched", timestamps_pass_untouched);
    stage_add("the device has the next batch before it is done with one",
              the_device_has_the_next_batch_before_it_is_done_with_one);
    stage_add("a driver that calls back late delays nothing",
              a_driver_that_calls_back_late_delays_nothing);
    stage_add("upstream waits when the device is slow", upstream_waits_when_the_device_is_slow);
    stage_add("a model may limit the batch", a_model_may_limit_the_batch);
    stage_add("the batch size can change while playing", the_batch_size_can_change_while_playing);
    stage_add("statistics add up", statistics_add_up);
    return g_test_run();
}
