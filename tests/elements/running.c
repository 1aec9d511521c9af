/* running.c - tests of the base class in whole pipelines: preroll, seeks, overload, relinking.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stage.h"

/* A pipeline from a description in which the test filter is called "filter". */
static GstElement *launch(const char *description, GstElement **filter)
{
    g_autoptr(GError) error = NULL;
    GstElement *pipeline = gst_parse_launch(description, &error);
    g_assert_no_error(error);
    gst_object_ref_sink(pipeline);
    *filter = gst_bin_get_by_name(GST_BIN(pipeline), "filter");
    g_object_set(*filter, "device", "0:0", NULL);
    return pipeline;
}

static void stop(GstElement *pipeline, GstElement *filter)
{
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(filter);
    gst_object_unref(pipeline);
}

static void wait_for_preroll(GstElement *pipeline)
{
    g_assert_cmpint(gst_element_get_state(pipeline, NULL, NULL, 20 * GST_SECOND), ==,
                    GST_STATE_CHANGE_SUCCESS);
}

static void run_to_the_end(GstElement *pipeline)
{
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    g_autoptr(GstMessage) message =
        gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    g_assert_cmpint(GST_MESSAGE_TYPE(message), ==, GST_MESSAGE_EOS);
}

static guint64 stat(GstElement *filter, const char *name)
{
    g_autoptr(GstStructure) stats = NULL;
    guint64 value = 0;
    g_object_get(filter, "stats", &stats, NULL);
    g_assert_true(gst_structure_get_uint64(stats, name, &value));
    return value;
}

static GstClockTime shown(GstElement *pipeline)
{
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_autoptr(GstSample) sample = NULL;
    g_object_get(sink, "last-sample", &sample, NULL);
    g_assert_nonnull(sample);
    return GST_BUFFER_PTS(gst_sample_get_buffer(sample));
}

static void a_source_that_ends_early_prerolls(void)
{
    GstElement *filter;
    GstElement *pipeline = launch("videotestsrc num-buffers=1 ! testfilter name=filter "
                                  "batch-size=8 batch-timeout=3600000000000 ! fakesink sync=true",
                                  &filter);
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    wait_for_preroll(pipeline);
    stop(pipeline, filter);
}

static void every_frame_of_a_file_arrives(void)
{
    GstElement *filter;
    GstElement *pipeline =
        launch("videotestsrc num-buffers=103 ! testfilter name=filter ! fakesink", &filter);
    run_to_the_end(pipeline);
    g_assert_cmpuint(stat(filter, "frames-out"), ==, 103);
    g_assert_cmpuint(stat(filter, "batches"), ==, 26);
    stop(pipeline, filter);
}

static void seeks_show_the_frame_that_was_asked_for(void)
{
    GstElement *filter;
    GstElement *pipeline = launch("videotestsrc ! video/x-raw,framerate=25/1 ! testfilter "
                                  "name=filter ! fakesink name=sink sync=true",
                                  &filter);
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    wait_for_preroll(pipeline);
    for (guint i = 0; i < 30; i++) {
        const gdouble rate = i % 3 == 2 ? -1.0 : i % 3 == 1 ? 2.0 : 1.0;
        const GstClockTime time = (i * 7 % 11 + 1) * GST_SECOND;
        g_assert_true(gst_element_seek(pipeline, rate, GST_FORMAT_TIME,
                                       GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE,
                                       GST_SEEK_TYPE_SET, rate > 0 ? time : 0, GST_SEEK_TYPE_SET,
                                       rate > 0 ? GST_CLOCK_TIME_NONE : time));
        wait_for_preroll(pipeline);
        /* Backwards the first frame is the one that ends there. */
        g_assert_cmpuint(shown(pipeline), ==, rate > 0 ? time : time - FRAME_NS);
    }
    stop(pipeline, filter);
}

static void a_device_that_cannot_keep_up_drops_frames_and_stays_in_time(void)
{
    GstElement *filter;
    GstElement *pipeline = launch("videotestsrc is-live=true num-buffers=50 ! "
                                  "video/x-raw,framerate=25/1 ! testfilter name=filter ! "
                                  "fakesink sync=true qos=true max-lateness=20000000",
                                  &filter);
    /* Every frame takes as long as two. */
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 80);
    run_to_the_end(pipeline);
    g_assert_cmpuint(stat(filter, "frames-dropped"), >, 5);
    g_assert_cmpuint(stat(filter, "frames-out"), >, 5);
    g_assert_cmpuint(stat(filter, "frames-in"), ==,
                     stat(filter, "frames-out") + stat(filter, "frames-dropped"));
    fakecl_reset();
    stop(pipeline, filter);
}

/* As applications with live sources do. */
static void run_live_to_the_end(GstElement *pipeline)
{
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    for (;;) {
        g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(
            bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_LATENCY);
        g_assert_nonnull(message);
        g_assert_cmpint(GST_MESSAGE_TYPE(message), !=, GST_MESSAGE_ERROR);
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS)
            return;
        gst_bin_recalculate_latency(GST_BIN(pipeline));
    }
}

static void a_live_stream_that_the_device_keeps_up_with_loses_nothing(void)
{
    const guint n_frames = 30;
    GstElement *filter;
    /* Without the latency of a full batch, frames would be 300 ms late, or wait for the next. */
    GstElement *pipeline = launch("videotestsrc is-live=true num-buffers=30 ! "
                                  "video/x-raw,framerate=10/1 ! testfilter name=filter "
                                  "batch-size=4 ! fakesink name=sink sync=true qos=true "
                                  "max-lateness=100000000",
                                  &filter);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 30);
    run_live_to_the_end(pipeline);
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_autoptr(GstStructure) stats = NULL;
    guint64 dropped = 1, rendered = 0;
    g_object_get(sink, "stats", &stats, NULL);
    gst_structure_get_uint64(stats, "dropped", &dropped);
    gst_structure_get_uint64(stats, "rendered", &rendered);
    g_assert_cmpuint(dropped, ==, 0);
    g_assert_cmpuint(rendered, ==, n_frames);
    g_assert_cmpuint(stat(filter, "frames-dropped"), ==, 0);
    g_assert_cmpuint(stat(filter, "frames-out"), ==, n_frames);
    fakecl_reset();
    stop(pipeline, filter);
}

/* How long after its own time each buffer is shown. */
static void note_delay(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer delays)
{
    g_autoptr(GstClock) clock = gst_element_get_clock(sink);
    const GstClockTime running = gst_clock_get_time(clock) - gst_element_get_base_time(sink);
    const gint64 delay = GST_CLOCK_DIFF(GST_BUFFER_PTS(buffer), running);
    g_array_append_val((GArray *)delays, delay);
}

static gint compare(gconstpointer a, gconstpointer b)
{
    const gint64 one = *(const gint64 *)a, other = *(const gint64 *)b;
    return (one > other) - (one < other);
}

static GArray *note_delays(GstElement *pipeline, const char *name)
{
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), name);
    GArray *delays = g_array_new(FALSE, FALSE, sizeof(gint64));
    g_object_set(sink, "signal-handoffs", TRUE, NULL);
    g_signal_connect(sink, "handoff", G_CALLBACK(note_delay), delays);
    return delays;
}

static gint64 median(GArray *delays)
{
    g_assert_cmpuint(delays->len, >=, 10);
    g_array_sort(delays, compare);
    return g_array_index(delays, gint64, delays->len / 2);
}

static void sound_stays_with_its_picture(void)
{
    GstElement *filter;
    GstElement *pipeline = launch("videotestsrc is-live=true num-buffers=30 ! "
                                  "video/x-raw,framerate=10/1 ! testfilter name=filter "
                                  "batch-size=4 ! fakesink name=picture sync=true "
                                  "audiotestsrc is-live=true num-buffers=130 ! queue ! "
                                  "fakesink name=sound sync=true",
                                  &filter);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 30);
    g_autoptr(GArray) picture = note_delays(pipeline, "picture");
    g_autoptr(GArray) sound = note_delays(pipeline, "sound");
    run_live_to_the_end(pipeline);
    /* Both wait for the batch to fill, 300 ms, and for the device. */
    g_assert_cmpint(median(picture), >=, 300 * (gint64)GST_MSECOND);
    g_assert_cmpint(ABS(median(picture) - median(sound)), <, 50 * (gint64)GST_MSECOND);
    fakecl_reset();
    stop(pipeline, filter);
}

static void one_branch_of_a_tee_may_be_unlinked_and_linked_again(void)
{
    GstElement *filter;
    GstElement *pipeline = launch("videotestsrc ! tee name=tee allow-not-linked=true ! queue ! "
                                  "fakesink name=sink tee. ! testfilter name=filter",
                                  &filter);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    while (stat(filter, "frames-in") < 4)
        g_thread_yield();
    GstElement *late = gst_element_factory_make("fakesink", NULL);
    g_object_set(late, "async", FALSE, NULL);
    gst_bin_add(GST_BIN(pipeline), late);
    gst_element_sync_state_with_parent(late);
    g_assert_true(gst_element_link(filter, late));
    const guint64 before = stat(filter, "frames-out");
    while (stat(filter, "frames-out") < before + 50)
        g_thread_yield();
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    g_assert_null(gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR));
    stop(pipeline, filter);
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    gst_element_register(NULL, "testfilter", GST_RANK_NONE, TEST_TYPE_FILTER);
    stage_add("a source that ends early prerolls", a_source_that_ends_early_prerolls);
    stage_add("every frame of a file arrives", every_frame_of_a_file_arrives);
    stage_add("seeks show the frame that was asked for", seeks_show_the_frame_that_was_asked_for);
    stage_add("a device that cannot keep up drops frames and stays in time",
              a_device_that_cannot_keep_up_drops_frames_and_stays_in_time);
    stage_add("a live stream that the device keeps up with loses nothing",
              a_live_stream_that_the_device_keeps_up_with_loses_nothing);
    stage_add("sound stays with its picture", sound_stays_with_its_picture);
    stage_add("one branch of a tee may be unlinked and linked again",
              one_branch_of_a_tee_may_be_unlinked_and_linked_again);
    return g_test_run();
}
