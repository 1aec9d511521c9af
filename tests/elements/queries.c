/* queries.c - tests of what the element answers: latency, allocation, position, formats; and of
 * frames that would come too late.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stage.h"

#include "gstclcontext.h"

/* ---------------------------------------------------------------- latency */

static Stage *live_stage(guint batch_size)
{
    Stage *stage = stage_new(batch_size);
    gst_harness_set_live(stage->harness, TRUE);
    gst_harness_set_upstream_latency(stage->harness, 10 * GST_MSECOND);
    g_object_set(stage->element, "batch-timeout", GST_CLOCK_TIME_NONE, NULL);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, batch_size);
    stage_pull_all(stage, 0, batch_size);
    return stage;
}

static gboolean pop_latency_message(Stage *stage)
{
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(stage->bus, GST_MESSAGE_LATENCY);
    return message != NULL;
}

static void the_latency_is_that_of_upstream_a_batch_and_the_device(void)
{
    g_autoptr(Stage) stage = live_stage(4);
    const GstClockTime with_batch = gst_harness_query_latency(stage->harness);
    g_assert_cmpuint(with_batch, >, 10 * GST_MSECOND + 3 * FRAME_NS);
    g_assert_cmpuint(with_batch, <, 10 * GST_MSECOND + 3 * FRAME_NS + 10 * GST_SECOND);
    /* A shorter wait for the batch is a shorter latency, to the nanosecond. */
    g_object_set(stage->element, "batch-timeout", (guint64)FRAME_NS, NULL);
    g_assert_cmpuint(gst_harness_query_latency(stage->harness), ==, with_batch - 2 * FRAME_NS);
}

static void a_change_that_matters_posts_a_latency_message(void)
{
    g_autoptr(Stage) stage = live_stage(2);
    g_assert_true(pop_latency_message(stage));
    while (pop_latency_message(stage))
        continue;
    g_object_set(stage->element, "batch-timeout", (guint64)FRAME_NS, NULL);
    g_assert_true(pop_latency_message(stage));
}

static gboolean answer_latency(GstPad *pad, GstObject *parent, GstQuery *query)
{
    if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
        return gst_pad_query_default(pad, parent, query);
    gst_query_set_latency(query, TRUE, 0, 80 * GST_MSECOND);
    return TRUE;
}

static void the_greatest_latency_is_never_below_the_least(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    gst_pad_set_query_function(stage->harness->srcpad, answer_latency);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 4);
    stage_pull_all(stage, 0, 4);
    g_autoptr(GstPad) src = gst_element_get_static_pad(stage->element, "src");
    g_autoptr(GstQuery) query = gst_query_new_latency();
    g_assert_true(gst_pad_query(src, query));
    gboolean live;
    GstClockTime min, max;
    gst_query_parse_latency(query, &live, &min, &max);
    g_assert_true(live);
    g_assert_cmpuint(max, >=, 80 * GST_MSECOND + min);
    g_assert_cmpuint(max, !=, GST_CLOCK_TIME_NONE);
}

static void a_slow_device_is_measured(void)
{
    g_autoptr(Stage) stage = stage_new(1);
    gst_harness_set_live(stage->harness, TRUE);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 100);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 2);
    stage_pull_all(stage, 0, 2);
    g_assert_cmpuint(gst_harness_query_latency(stage->harness), >=, 100 * GST_MSECOND);
}

static void a_device_that_gets_slower_is_told(void)
{
    g_autoptr(Stage) stage = live_stage(1);
    gst_harness_query_latency(stage->harness);
    while (pop_latency_message(stage))
        continue;
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, 100);
    stage_push_all(stage, 1, 1);
    stage_pull_all(stage, 1, 1);
    g_assert_true(pop_latency_message(stage));
    /* As slow as before is no news. */
    while (pop_latency_message(stage))
        continue;
    stage_push_all(stage, 2, 1);
    stage_pull_all(stage, 2, 1);
    g_assert_false(pop_latency_message(stage));
}

/* ---------------------------------------------------------------- quality of service */

static void tell_late(Stage *stage, GstClockTimeDiff late)
{
    gst_harness_push_upstream_event(stage->harness,
                                    gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 1.5, late, 0));
}

static void frames_that_would_be_late_are_dropped_and_told(void)
{
    g_autoptr(Stage) stage = stage_new(1);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 1);
    stage_pull_all(stage, 0, 1);
    /* Not live: twice as much and a frame, 440 ms, so frames 1 to 10. */
    tell_late(stage, 200 * GST_MSECOND);
    stage_push_all(stage, 1, 12);
    g_autoptr(GstBuffer) first = stage_pull(stage, 11);
    g_assert_true(GST_BUFFER_IS_DISCONT(first));
    stage_pull_all(stage, 12, 1);
    g_assert_cmpuint(stage_stat(stage, "frames-dropped"), ==, 10);
    g_assert_cmpuint(stage_stat(stage, "frames-out"), ==, 3);

    guint n_messages = 0;
    GstMessage *message;
    while ((message = gst_bus_pop_filtered(stage->bus, GST_MESSAGE_QOS))) {
        guint64 processed, dropped, running;
        gst_message_parse_qos_stats(message, NULL, &processed, &dropped);
        gst_message_parse_qos(message, NULL, &running, NULL, NULL, NULL);
        g_assert_cmpuint(dropped, ==, ++n_messages);
        g_assert_cmpuint(processed, ==, 1);
        g_assert_cmpuint(running, ==, n_messages * FRAME_NS);
        gst_message_unref(message);
    }
    g_assert_cmpuint(n_messages, ==, 10);
}

static void frames_are_not_dropped_when_that_is_switched_off(void)
{
    g_autoptr(Stage) stage = stage_new(1);
    g_object_set(stage->element, "qos", FALSE, NULL);
    stage_set_caps(stage, STAGE_CAPS);
    tell_late(stage, GST_SECOND);
    stage_push_all(stage, 0, 5);
    stage_pull_all(stage, 0, 5);
}

static void a_flush_forgets_how_late_it_was(void)
{
    g_autoptr(Stage) stage = stage_new(1);
    stage_set_caps(stage, STAGE_CAPS);
    tell_late(stage, GST_SECOND);
    stage_flush(stage);
    stage_push_all(stage, 0, 2);
    stage_pull_all(stage, 0, 2);
}

/* ---------------------------------------------------------------- allocation */

static GstQuery *ask_for_memory(Stage *stage)
{
    g_autoptr(GstCaps) caps = gst_caps_from_string(STAGE_CAPS);
    GstQuery *query = gst_query_new_allocation(caps, TRUE);
    g_assert_true(gst_pad_peer_query(stage->harness->srcpad, query));
    return query;
}

static void upstream_is_offered_pinned_memory_for_a_batch(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    stage_set_caps(stage, STAGE_CAPS);
    g_autoptr(GstQuery) query = ask_for_memory(stage);
    g_assert_true(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL));
    g_assert_cmpuint(gst_query_get_n_allocation_pools(query), ==, 1);
    g_autoptr(GstBufferPool) pool = NULL;
    guint size, min;
    gst_query_parse_nth_allocation_pool(query, 0, &pool, &size, &min, NULL);
    g_assert_cmpuint(min, >=, 4);
    g_assert_cmpuint(size, >=, FRAME_B);
    g_assert_true(gst_buffer_pool_set_active(pool, TRUE));
    for (guint i = 0; i < 8; i++) {
        GstBuffer *buffer = NULL;
        g_assert_cmpint(gst_buffer_pool_acquire_buffer(pool, &buffer, NULL), ==, GST_FLOW_OK);
        gst_buffer_memset(buffer, 0, i, -1);
        gst_harness_push(stage->harness, buffer);
    }
    stage_pull_all(stage, 0, 8);
    gst_buffer_pool_set_active(pool, FALSE);
}

static void memory_is_offered_at_once_while_the_device_is_busy(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    stage_push_all(stage, 0, 3);
    g_assert_true(fakecl_wait_held(1));
    gst_query_unref(ask_for_memory(stage));
    fakecl_release();
}

static void two_buffers_upstream_are_enough_for_any_batch(void)
{
    g_autoptr(Stage) stage = stage_new(8);
    stage_set_caps(stage, STAGE_CAPS);
    g_autoptr(GstBufferPool) pool = gst_buffer_pool_new();
    GstStructure *config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, NULL, FRAME_B, 2, 2);
    gst_buffer_pool_set_config(pool, config);
    gst_buffer_pool_set_active(pool, TRUE);
    for (guint i = 0; i < 16; i++) {
        GstBuffer *buffer = NULL;
        g_assert_cmpint(gst_buffer_pool_acquire_buffer(pool, &buffer, NULL), ==, GST_FLOW_OK);
        gst_buffer_memset(buffer, 0, i, -1);
        gst_harness_push(stage->harness, buffer);
    }
    stage_pull_all(stage, 0, 16);
    gst_buffer_pool_set_active(pool, FALSE);
}

/* ---------------------------------------------------------------- others */

/* ---------------------------------------------------------------- memory of downstream's */

/* Never has more buffers than it likes, whatever it is told. */
typedef struct {
    GstBufferPool parent;
    guint n_max;
} SmallPool;
typedef GstBufferPoolClass SmallPoolClass;
static GType small_pool_get_type(void);
G_DEFINE_TYPE(SmallPool, small_pool, GST_TYPE_BUFFER_POOL)

static gboolean small_pool_set_config(GstBufferPool *pool, GstStructure *config)
{
    GstCaps *caps;
    guint size_b;
    gst_buffer_pool_config_get_params(config, &caps, &size_b, NULL, NULL);
    gst_buffer_pool_config_set_params(config, caps, size_b, 0, ((SmallPool *)pool)->n_max);
    return GST_BUFFER_POOL_CLASS(small_pool_parent_class)->set_config(pool, config);
}

static void small_pool_class_init(SmallPoolClass *klass)
{
    klass->set_config = small_pool_set_config;
}

static void small_pool_init(SmallPool *pool)
{
}

/* What downstream says of its pool, and the harness's own answers to other queries. */
static struct {
    GstBufferPool *pool;
    guint n_max;
    GstPadQueryFunction others;
} offer;

static gboolean offer_pool(GstPad *pad, GstObject *parent, GstQuery *query)
{
    if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION)
        return offer.others(pad, parent, query);
    gst_query_add_allocation_pool(query, offer.pool, FRAME_B, 0, offer.n_max);
    return TRUE;
}

/* @n_told: how many buffers downstream says that it has at most; @n_max: how many it has. */
static Stage *stage_with_pool(guint n_told, guint n_max)
{
    Stage *stage = stage_new(1);
    SmallPool *pool = g_object_new(small_pool_get_type(), NULL);
    pool->n_max = n_max;
    offer.pool = gst_object_ref_sink(GST_BUFFER_POOL(pool));
    offer.n_max = n_told;
    offer.others = GST_PAD_QUERYFUNC(stage->harness->sinkpad);
    gst_pad_set_query_function(stage->harness->sinkpad, offer_pool);
    stage_set_caps(stage, STAGE_CAPS);
    return stage;
}

static void a_pool_of_downstreams_is_used_if_it_is_large_enough(void)
{
    static const struct {
        guint n_told;
        gboolean is_used;
    } cases[] = { { 0, TRUE }, { 3, TRUE }, { 2, FALSE } };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Stage) stage = stage_with_pool(cases[i].n_told, 0);
        stage_push_all(stage, 0, 1);
        g_autoptr(GstBuffer) out = stage_pull(stage, 0);
        g_assert_cmpint(out->pool == offer.pool, ==, cases[i].is_used);
        gst_clear_object(&offer.pool);
    }
}

static void a_flush_wakes_who_waits_for_a_buffer_of_downstreams(void)
{
    g_autoptr(Stage) stage = stage_with_pool(0, 3);
    /* Three are there, one of which downstream keeps; the device has the others, and none is left
     * for the last frame. */
    fakecl_hold(TEST_COMPUTE, 2, FAKECL_ALWAYS, FAKECL_FOREVER);
    stage_push_all(stage, 0, 4);
    stage_wait_stat(stage, "frames-out", 1);
    stage_wait_stat(stage, "in-flight", 3);
    stage_flush(stage);
    fakecl_release();
    stage_pull_all(stage, 0, 1);
    stage_push_all(stage, 4, 2);
    stage_pull_all(stage, 4, 2);
    gst_clear_object(&offer.pool);
}

static void a_drain_returns_when_all_is_out(void)
{
    g_autoptr(Stage) stage = stage_new(8);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 3);
    g_autoptr(GstQuery) drain = gst_query_new_drain();
    gst_pad_peer_query(stage->harness->srcpad, drain);
    g_assert_cmpuint(stage_level(stage), ==, 3);
    /* Without anybody behind it nobody has anything left. */
    g_autoptr(GstPad) src = gst_element_get_static_pad(stage->element, "src");
    gst_pad_unlink(src, stage->harness->sinkpad);
    g_assert_true(gst_pad_peer_query(stage->harness->srcpad, drain));
}

static gboolean answer_position(GstPad *pad, GstObject *parent, GstQuery *query)
{
    if (GST_QUERY_TYPE(query) != GST_QUERY_POSITION)
        return gst_pad_query_default(pad, parent, query);
    gst_query_set_position(query, GST_FORMAT_TIME, GST_SECOND);
    return TRUE;
}

static void the_position_is_of_what_has_left(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    gst_pad_set_query_function(stage->harness->srcpad, answer_position);
    stage_set_caps(stage, STAGE_CAPS);
    fakecl_hold(TEST_COMPUTE, 1, FAKECL_ALWAYS, FAKECL_FOREVER);
    stage_push_all(stage, 0, 4);
    stage_wait_stat(stage, "in-flight", 4);
    g_assert_true(fakecl_wait_held(2));
    g_autoptr(GstPad) src = gst_element_get_static_pad(stage->element, "src");
    gint64 position = 0;
    g_assert_true(gst_pad_query_position(src, GST_FORMAT_TIME, &position));
    g_assert_cmpint(position, ==, GST_SECOND - 4 * FRAME_NS);
    fakecl_release();
    stage_pull_all(stage, 0, 4);
    g_assert_true(gst_pad_query_position(src, GST_FORMAT_TIME, &position));
    g_assert_cmpint(position, ==, GST_SECOND);
}

static void the_caps_of_a_pad_are_what_the_other_side_allows(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    gst_harness_set_sink_caps_str(stage->harness, "video/x-raw,format=RGBA,width=[1,64],height=48");
    g_autoptr(GstCaps) caps = gst_pad_peer_query_caps(stage->harness->srcpad, NULL);
    g_autoptr(GstCaps) expected = gst_caps_from_string(
        "video/x-raw,format=RGBA,width=[1,64],height=48,framerate=[0/1,2147483647/1]");
    g_assert_true(gst_caps_is_equal(caps, expected));
    g_autoptr(GstCaps) filter = gst_caps_from_string("video/x-raw,width=32,framerate=25/1");
    g_autoptr(GstCaps) filtered = gst_pad_peer_query_caps(stage->harness->srcpad, filter);
    g_autoptr(GstCaps) expected_of_filter =
        gst_caps_from_string("video/x-raw,format=RGBA,width=32,height=48,framerate=25/1");
    g_assert_true(gst_caps_is_equal(filtered, expected_of_filter));
    g_autoptr(GstCaps) other = gst_caps_from_string("audio/x-raw");
    g_assert_false(gst_pad_peer_query_accept_caps(stage->harness->srcpad, other));
}

static void neighbours_are_told_the_device(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    g_autoptr(GstQuery) query = gst_query_new_context(GST_CL_CONTEXT_TYPE_NAME);
    g_assert_true(gst_pad_peer_query(stage->harness->srcpad, query));
    GstContext *context;
    gst_query_parse_context(query, &context);
    g_autofree char *name = NULL;
    g_object_get(stage->element, "device-name", &name, NULL);
    g_assert_cmpstr(gst_structure_get_string(gst_context_get_structure(context), "device"), ==,
                    name);
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("the latency is that of upstream, a batch and the device",
              the_latency_is_that_of_upstream_a_batch_and_the_device);
    stage_add("a change that matters posts a latency message",
              a_change_that_matters_posts_a_latency_message);
    stage_add("the greatest latency is never below the least",
              the_greatest_latency_is_never_below_the_least);
    stage_add("a slow device is measured", a_slow_device_is_measured);
    stage_add("a device that gets slower is told", a_device_that_gets_slower_is_told);
    stage_add("frames that would be late are dropped and told",
              frames_that_would_be_late_are_dropped_and_told);
    stage_add("frames are not dropped when that is switched off",
              frames_are_not_dropped_when_that_is_switched_off);
    stage_add("a flush forgets how late it was", a_flush_forgets_how_late_it_was);
    stage_add("upstream is offered pinned memory for a batch",
              upstream_is_offered_pinned_memory_for_a_batch);
    stage_add("memory is offered at once while the device is busy",
              memory_is_offered_at_once_while_the_device_is_busy);
    stage_add("two buffers upstream are enough for any batch",
              two_buffers_upstream_are_enough_for_any_batch);
    stage_add("a pool of downstream's is used if it is large enough",
              a_pool_of_downstreams_is_used_if_it_is_large_enough);
    stage_add("a flush wakes who waits for a buffer of downstream's",
              a_flush_wakes_who_waits_for_a_buffer_of_downstreams);
    stage_add("a drain returns when all is out", a_drain_returns_when_all_is_out);
    stage_add("the position is of what has left", the_position_is_of_what_has_left);
    stage_add("the caps of a pad are what the other side allows",
              the_caps_of_a_pad_are_what_the_other_side_allows);
    stage_add("neighbours are told the device", neighbours_are_told_the_device);
    return g_test_run();
}
