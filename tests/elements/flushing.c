/* flushing.c - tests of interrupting: flushes, deactivation, and the device busy all the while.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stage.h"

#include <gst/controller/controller.h>

static void push_segment(Stage *stage)
{
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(stage->harness->srcpad, gst_event_new_segment(&segment));
}

static void a_flush_does_not_wait_for_the_device(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    Pusher pusher;
    pusher_start(&pusher, stage, 100);
    stage_wait_stat(stage, "frames-in", 8);
    g_assert_true(fakecl_wait_held(2));
    gst_pad_push_event(stage->harness->srcpad, gst_event_new_flush_start());
    g_assert_cmpint(pusher_join(&pusher), ==, GST_FLOW_FLUSHING);
    gst_pad_push_event(stage->harness->srcpad, gst_event_new_flush_stop(TRUE));
    g_assert_cmpuint(stage_level(stage), ==, 0);
    fakecl_release();
}

static void nothing_from_before_a_flush_comes_out_after_it(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    stage_push_all(stage, 0, 5);
    g_assert_true(fakecl_wait_held(2));
    stage_flush(stage);
    stage_push_all(stage, 100, 2);
    fakecl_release();
    g_autoptr(GstBuffer) first = stage_pull(stage, 100);
    g_assert_true(GST_BUFFER_IS_DISCONT(first));
    g_autoptr(GstBuffer) second = stage_pull(stage, 101);
    g_assert_false(GST_BUFFER_IS_DISCONT(second));
    g_assert_cmpuint(stage_level(stage), ==, 0);
    g_assert_cmpint(stage->filter->n_resets, ==, 2);
    g_assert_cmpuint(stage_stat(stage, "frames-in"), ==,
                     stage_stat(stage, "frames-out") + stage_stat(stage, "frames-flushed"));
}

static void caps_that_were_waiting_survive_a_flush(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    stage_push_all(stage, 0, 2);
    g_assert_true(fakecl_wait_held(1));
    g_autoptr(GstCaps) caps = gst_caps_from_string(STAGE_OTHER_CAPS);
    gst_harness_push_event(stage->harness, gst_event_new_caps(caps));
    stage_flush(stage);
    fakecl_release();
    stage_push_all(stage, 5, 2);
    stage_pull_all(stage, 5, 2);
    g_autofree char *log = stage_log(stage);
    g_assert_cmpstr(log, ==, "TCSCSbb");
}

static void a_flush_forgets_the_end(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    gst_harness_push_event(stage->harness, gst_event_new_eos());
    stage_wait_for_eos(stage);
    stage_flush(stage);
    stage_push_all(stage, 1, 2);
    stage_pull_all(stage, 1, 2);
}

/* ---------------------------------------------------------------- a flush from within a push */

#define N_SEEKS 20

typedef struct {
    Stage *stage;
    gint n_begun, n_done;
} Seeker;

/* As if downstream sought when it sees a frame. */
static GstPadProbeReturn seek(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    Seeker *seeker = data;
    if (seeker->n_begun == N_SEEKS)
        return GST_PAD_PROBE_OK;
    seeker->n_begun++;
    stage_flush(seeker->stage);
    g_atomic_int_inc(&seeker->n_done);
    return GST_PAD_PROBE_DROP;
}

static void downstream_may_flush_from_within_a_push(void)
{
    g_autoptr(Stage) stage = stage_new(3);
    Seeker seeker = { .stage = stage };
    g_autoptr(GstPad) src = gst_element_get_static_pad(stage->element, "src");
    gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_BUFFER, seek, &seeker, NULL);
    stage_set_caps(stage, STAGE_CAPS);
    while (g_atomic_int_get(&seeker.n_done) < N_SEEKS)
        stage_push(stage, 1);
    stage_push_all(stage, 200, 1);
    gst_harness_push_event(stage->harness, gst_event_new_eos());
    stage_wait_for_eos(stage);
    /* Whatever was pushed after the last seek, in order, and nothing else. */
    guint8 value = 0;
    for (guint n = stage_level(stage); n > 0; n--) {
        g_autoptr(GstBuffer) out = gst_harness_pull(stage->harness);
        g_assert_cmpuint(value, <=, 1);
        gst_buffer_extract(out, 0, &value, 1);
    }
    g_assert_cmpuint(value, ==, 200);
}

/* ---------------------------------------------------------------- everything at once */

static gpointer flush_at_random(gpointer data)
{
    Stage *stage = data;
    GRand *rand = g_rand_new_with_seed(stage->n_pushed + 1);
    for (guint i = 0; i < 1000; i++) {
        for (gint k = g_rand_int_range(rand, 0, 200); k > 0; k--)
            g_thread_yield();
        stage_flush(stage);
    }
    g_rand_free(rand);
    return NULL;
}

static void do_something(Stage *stage, guint i)
{
    g_autoptr(GstCaps) caps = NULL;
    switch (g_test_rand_int_range(0, 40)) {
    case 0:
        caps = gst_caps_from_string(g_test_rand_bit() ? STAGE_CAPS : STAGE_OTHER_CAPS);
        gst_pad_push_event(stage->harness->srcpad, gst_event_new_caps(caps));
        break;
    case 1:
        gst_pad_push_event(stage->harness->srcpad, gst_event_new_eos());
        gst_pad_push_event(stage->harness->srcpad, gst_event_new_stream_start("another"));
        push_segment(stage);
        break;
    case 2:
        gst_pad_push_event(stage->harness->srcpad, gst_event_new_gap(0, 1));
        break;
    case 3: {
        g_autoptr(GstQuery) drain = gst_query_new_drain();
        gst_pad_peer_query(stage->harness->srcpad, drain);
        break;
    }
    default:
        gst_pad_push(stage->harness->srcpad, stage_frame(stage, i));
        break;
    }
}

/* As an application that listens to a property which is controlled. */
static void flush_when_told(GObject *object, GParamSpec *spec, gpointer data)
{
    Seeker *seeker = data;
    if (seeker->n_begun++ == 0)
        stage_flush(seeker->stage);
    g_atomic_int_inc(&seeker->n_done);
}

static void whoever_hears_of_a_property_may_flush(void)
{
    g_autoptr(Stage) stage = stage_new(1);
    Seeker seeker = { .stage = stage };
    g_autoptr(GstControlSource) source = gst_interpolation_control_source_new();
    for (guint i = 0; i < 3; i++)
        gst_timed_value_control_source_set(GST_TIMED_VALUE_CONTROL_SOURCE(source), i * FRAME_NS,
                                           10.0 * (i + 1));
    gst_object_add_control_binding(
        GST_OBJECT(stage->element),
        gst_direct_control_binding_new_absolute(GST_OBJECT(stage->element), "level", source));
    g_signal_connect(stage->element, "notify::level", G_CALLBACK(flush_when_told), &seeker);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 1);
    while (g_atomic_int_get(&seeker.n_done) == 0)
        g_thread_yield();
    stage_push_all(stage, 1, 2);
    stage_pull_all(stage, 1, 2);
}

static void a_thousand_flushes_at_random_moments_do_no_harm(void)
{
    g_autoptr(Stage) stage = stage_new(3);
    gst_harness_set_drop_buffers(stage->harness, TRUE);
    g_object_set(stage->element, "batch-timeout", GST_MSECOND, NULL);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 1);
    GThread *flusher = g_thread_new("flusher", flush_at_random, stage);
    for (guint i = 0; i < 20000; i++) {
        g_mutex_lock(&stage->upstream);
        do_something(stage, i);
        g_mutex_unlock(&stage->upstream);
    }
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

/* ---------------------------------------------------------------- queries and states */

static gpointer drain(gpointer stage)
{
    g_autoptr(GstQuery) query = gst_query_new_drain();
    return GINT_TO_POINTER(gst_pad_peer_query(((Stage *)stage)->harness->srcpad, query));
}

static void a_query_in_wait_returns_when_flushed(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    stage_push_all(stage, 0, 1);
    stage_wait_stat(stage, "in-flight", 1);
    GThread *thread = g_thread_new("drain", drain, stage);
    /* It closes the batch, so the device gets one frame. */
    g_assert_true(fakecl_wait_held(1));
    gst_pad_push_event(stage->harness->srcpad, gst_event_new_flush_start());
    g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(thread)), ==, FALSE);
    gst_pad_push_event(stage->harness->srcpad, gst_event_new_flush_stop(TRUE));
    fakecl_release();
}

static void stopping_waits_for_a_busy_device(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 100);
    stage_push_all(stage, 0, 4);
    g_assert_true(fakecl_wait_held(1));
    g_assert_cmpint(gst_element_set_state(stage->element, GST_STATE_NULL), ==,
                    GST_STATE_CHANGE_SUCCESS);
    g_assert_cmpint(stage->filter->n_released, ==, 1);
}

static void stopping_waits_for_slow_batches(void)
{
    g_autoptr(Stage) stage = stage_new(1);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 1500);
    stage_push_all(stage, 0, 2);
    g_assert_true(fakecl_wait_held(2));
    g_assert_cmpint(gst_element_set_state(stage->element, GST_STATE_NULL), ==,
                    GST_STATE_CHANGE_SUCCESS);
    g_assert_cmpint(stage->filter->n_released, ==, 1);
}

static void stopping_unblocks_upstream(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 20);
    Pusher pusher;
    pusher_start(&pusher, stage, G_MAXUINT);
    stage_wait_stat(stage, "frames-out", 10);
    gst_element_set_state(stage->element, GST_STATE_READY);
    g_assert_cmpint(pusher_join(&pusher), ==, GST_FLOW_FLUSHING);
}

static void stopping_does_not_wait_for_ever(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    /* What batches take is known then, so that it is soon clear that one takes too long. */
    stage_push_all(stage, 0, 8);
    stage_pull_all(stage, 0, 8);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    stage_push_all(stage, 0, 4);
    g_assert_true(fakecl_wait_held(1));
    g_assert_cmpint(gst_element_set_state(stage->element, GST_STATE_NULL), ==,
                    GST_STATE_CHANGE_SUCCESS);
    g_assert_cmpint(stage->filter->n_released, ==, 0);
}

static void states_may_change_a_hundred_times(void)
{
    static const GstState states[] = { GST_STATE_NULL, GST_STATE_READY, GST_STATE_PAUSED,
                                       GST_STATE_PLAYING };
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    for (guint i = 0; i < 100; i++) {
        GstState state = states[g_test_rand_int_range(0, G_N_ELEMENTS(states))];
        g_assert_cmpint(gst_element_set_state(stage->element, state), ==, GST_STATE_CHANGE_SUCCESS);
        stage_push(stage, i);
    }
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("a flush does not wait for the device", a_flush_does_not_wait_for_the_device);
    stage_add("nothing from before a flush comes out after it",
              nothing_from_before_a_flush_comes_out_after_it);
    stage_add("caps that were waiting survive a flush", caps_that_were_waiting_survive_a_flush);
    stage_add("a flush forgets the end", a_flush_forgets_the_end);
    stage_add("downstream may flush from within a push", downstream_may_flush_from_within_a_push);
    stage_add("whoever hears of a property may flush", whoever_hears_of_a_property_may_flush);
    stage_add("a thousand flushes at random moments do no harm",
              a_thousand_flushes_at_random_moments_do_no_harm);
    stage_add("a query in wait returns when flushed", a_query_in_wait_returns_when_flushed);
    stage_add("stopping waits for a busy device", stopping_waits_for_a_busy_device);
    stage_add("stopping waits for slow batches", stopping_waits_for_slow_batches);
    stage_add("stopping unblocks upstream", stopping_unblocks_upstream);
    stage_add("states may change a hundred times", states_may_change_a_hundred_times);
    /* Last: what is left to a hung device stays alive. */
    stage_add_last("stopping does not wait for ever", stopping_does_not_wait_for_ever);
    return g_test_run();
}
