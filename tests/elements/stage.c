/* stage.c - a filter between two pads of a test, and what tests do with them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stage.h"

#include <string.h>

/* Longer than any test may wait for what it has caused. */
#define PATIENCE (20 * GST_SECOND)

/* ---------------------------------------------------------------- what leaves */

static char letter_of(GstPadProbeInfo *info)
{
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER)
        return 'b';
    switch (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info))) {
    case GST_EVENT_STREAM_START:
        return 'T';
    case GST_EVENT_CAPS:
        return 'C';
    case GST_EVENT_SEGMENT:
        return 'S';
    case GST_EVENT_TAG:
        return 't';
    case GST_EVENT_GAP:
        return 'g';
    case GST_EVENT_CUSTOM_DOWNSTREAM:
        return 'x';
    case GST_EVENT_EOS:
        return 'E';
    default:
        return '?';
    }
}

static GstPadProbeReturn write_down(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    Stage *stage = data;
    if (info->type & GST_PAD_PROBE_TYPE_EVENT_FLUSH)
        return GST_PAD_PROBE_OK;
    g_mutex_lock(&stage->lock);
    g_string_append_c(stage->log, letter_of(info));
    g_mutex_unlock(&stage->lock);
    return GST_PAD_PROBE_OK;
}

char *stage_log(Stage *stage)
{
    g_mutex_lock(&stage->lock);
    char *log = g_strdup(stage->log->str);
    g_mutex_unlock(&stage->lock);
    return log;
}

/* ---------------------------------------------------------------- the stage */

Stage *stage_new_with(GstElement *element)
{
    Stage *stage = g_new0(Stage, 1);
    g_mutex_init(&stage->lock);
    g_mutex_init(&stage->upstream);
    stage->log = g_string_new("");
    stage->element = element;
    stage->bus = gst_bus_new();
    gst_element_set_bus(element, stage->bus);
    g_autoptr(GstPad) src = gst_element_get_static_pad(element, "src");
    gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_DATA_DOWNSTREAM, write_down, stage, NULL);
    stage->harness = gst_harness_new_with_element(element, "sink", "src");
    gst_harness_set_live(stage->harness, FALSE);
    return stage;
}

static Stage *stage_new_of(GType type, guint batch_size)
{
    return stage_new_on(type, "0:0", batch_size);
}

Stage *stage_new_on(GType type, const char *devices, guint batch_size)
{
    GstElement *element = g_object_new(type, "device", devices, "batch-size", batch_size,
                                       "batch-timeout", (guint64)3600 * GST_SECOND, NULL);
    TEST_FILTER(element)->n_devices = strchr(devices, ',') ? 2 : 1;
    Stage *stage = stage_new_with(element);
    stage->filter = TEST_FILTER(element);
    return stage;
}

Stage *stage_new(guint batch_size)
{
    return stage_new_of(TEST_TYPE_FILTER, batch_size);
}

Stage *stage_new_halves(guint batch_size)
{
    return stage_new_of(TEST_TYPE_HALVES, batch_size);
}

void stage_free(Stage *stage)
{
    gst_element_set_state(stage->element, GST_STATE_NULL);
    gst_element_set_bus(stage->element, NULL);
    gst_object_unref(stage->bus);
    gst_object_unref(stage->element);
    gst_harness_teardown(stage->harness);
    g_string_free(stage->log, TRUE);
    g_mutex_clear(&stage->lock);
    g_mutex_clear(&stage->upstream);
    g_free(stage);
}

void stage_set_caps(Stage *stage, const char *caps)
{
    gst_harness_set_src_caps_str(stage->harness, caps);
}

/* ---------------------------------------------------------------- frames */

GstBuffer *stage_frame(Stage *stage, guint8 value)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, FRAME_B, NULL);
    gst_buffer_memset(buffer, 0, value, FRAME_B);
    GST_BUFFER_PTS(buffer) = stage->n_pushed++ * FRAME_NS;
    GST_BUFFER_DURATION(buffer) = FRAME_NS;
    return buffer;
}

GstFlowReturn stage_push(Stage *stage, guint8 value)
{
    g_mutex_lock(&stage->upstream);
    GstFlowReturn flow = gst_harness_push(stage->harness, stage_frame(stage, value));
    g_mutex_unlock(&stage->upstream);
    return flow;
}

void stage_flush(Stage *stage)
{
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    GstPad *pad = stage->harness->srcpad;
    g_assert_true(gst_pad_push_event(pad, gst_event_new_flush_start()));
    /* What is being pushed has returned. */
    g_mutex_lock(&stage->upstream);
    g_assert_true(gst_pad_push_event(pad, gst_event_new_flush_stop(TRUE)));
    gst_pad_push_event(pad, gst_event_new_segment(&segment));
    g_mutex_unlock(&stage->upstream);
}

void stage_push_all(Stage *stage, guint8 first, guint n)
{
    for (guint i = 0; i < n; i++)
        g_assert_cmpint(stage_push(stage, first + i), ==, GST_FLOW_OK);
}

GstBuffer *stage_pull(Stage *stage, guint8 value)
{
    GstBuffer *buffer = gst_harness_pull(stage->harness);
    g_assert_nonnull(buffer);
    guint8 expected[FRAME_B];
    memset(expected, value, sizeof expected);
    GstMapInfo map;
    g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
    g_assert_cmpmem(map.data, map.size, expected, sizeof expected);
    gst_buffer_unmap(buffer, &map);
    return buffer;
}

void stage_pull_all(Stage *stage, guint8 first, guint n)
{
    for (guint i = 0; i < n; i++)
        gst_buffer_unref(stage_pull(stage, first + i));
}

guint stage_level(Stage *stage)
{
    return gst_harness_buffers_in_queue(stage->harness);
}

void stage_wait_for_eos(Stage *stage)
{
    for (;;) {
        g_autoptr(GstEvent) event = gst_harness_pull_event(stage->harness);
        g_assert_nonnull(event);
        if (GST_EVENT_TYPE(event) == GST_EVENT_EOS)
            return;
    }
}

/* ---------------------------------------------------------------- numbers and messages */

guint64 stage_stat(Stage *stage, const char *name)
{
    g_autoptr(GstStructure) stats = NULL;
    g_object_get(stage->element, "stats", &stats, NULL);
    guint64 value = 0;
    guint small = 0;
    if (gst_structure_get_uint64(stats, name, &value))
        return value;
    g_assert_true(gst_structure_get_uint(stats, name, &small));
    return small;
}

void stage_wait_stat(Stage *stage, const char *name, guint64 value)
{
    const gint64 until_us = g_get_monotonic_time() + PATIENCE / GST_USECOND;
    while (stage_stat(stage, name) < value) {
        g_assert_cmpint(g_get_monotonic_time(), <, until_us);
        g_thread_yield();
    }
}

gboolean stage_has_error(Stage *stage)
{
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(stage->bus, GST_MESSAGE_ERROR);
    return message != NULL;
}

void stage_expect_error(Stage *stage, GQuark domain, gint code)
{
    g_autoptr(GstMessage) message =
        gst_bus_timed_pop_filtered(stage->bus, PATIENCE, GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    g_autoptr(GError) error = NULL;
    g_autofree char *debug = NULL;
    gst_message_parse_error(message, &error, &debug);
    g_test_message("%s (%s)", error->message, debug);
    g_assert_error(error, domain, code);
}

/* ---------------------------------------------------------------- another thread */

static gpointer push_on(gpointer data)
{
    Pusher *pusher = data;
    pusher->flow = GST_FLOW_OK;
    for (guint i = 0; i < pusher->n && pusher->flow == GST_FLOW_OK; i++)
        pusher->flow = stage_push(pusher->stage, 0);
    return NULL;
}

void pusher_start(Pusher *pusher, Stage *stage, guint n)
{
    pusher->stage = stage;
    pusher->n = n;
    pusher->thread = g_thread_new("pusher", push_on, pusher);
}

GstFlowReturn pusher_join(Pusher *pusher)
{
    g_thread_join(pusher->thread);
    return pusher->flow;
}

/* ---------------------------------------------------------------- the program */

void stage_init(int *argc, char ***argv)
{
    g_test_init(argc, argv, NULL);
    gst_init(argc, argv);
    /* Devices and their objects stay alive in a driver that is loaded once. */
    g_autoptr(GError) error = NULL;
    OclDevice *device = ocl_device_open("0:0", &error);
    g_assert_no_error(error);
    ocl_device_unref(device);
}

static void run(gconstpointer data)
{
    void (*const *test)(void) = data;
    (*test)();
    fakecl_reset();
    g_autofree char *living = fakecl_live_text();
    g_test_message("alive: %s", living);
    g_assert_cmpint(fakecl_live(), ==, 0);
    g_assert_true(test_filter_is_balanced());
}

static void run_last(gconstpointer data)
{
    void (*const *test)(void) = data;
    (*test)();
    fakecl_reset();
}

void stage_add_last(const char *sentence, void (*test)(void))
{
    g_autofree char *path = g_strconcat("/", sentence, NULL);
    g_test_add_data_func_full(path, g_memdup2(&test, sizeof test), run_last, g_free);
}

void stage_add(const char *sentence, void (*test)(void))
{
    g_autofree char *path = g_strconcat("/", sentence, NULL);
    g_test_add_data_func_full(path, g_memdup2(&test, sizeof test), run, g_free);
}
