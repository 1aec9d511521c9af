/* rate.c - how many frames a second go through an element that is fed from memory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The source is a few frames that are pushed again and again, so that neither a decoder nor a test
 * source is measured. Kernels compile and pools fill before the time counts.
 */
#include <gst/video/video.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define N_DIFFERENT 8 /* frames in memory: more than the processor's cache holds */

static gint n_frames = 1000, n_warm = 200, width = 1920, height = 1080, fps;
static gboolean is_pinned;
static char *format = "NV12", *out_format = "RGBA";

static const GOptionEntry entries[] = {
    { "frames", 'n', 0, G_OPTION_ARG_INT, &n_frames, "Frames to measure", "N" },
    { "warm", 'w', 0, G_OPTION_ARG_INT, &n_warm, "Frames before them", "N" },
    { "width", 0, 0, G_OPTION_ARG_INT, &width, "Pixels", "N" },
    { "height", 0, 0, G_OPTION_ARG_INT, &height, "Pixels", "N" },
    { "format", 0, 0, G_OPTION_ARG_STRING, &format, "Format in", "NAME" },
    { "out-format", 0, 0, G_OPTION_ARG_STRING, &out_format, "Format out", "NAME" },
    { "pinned", 0, 0, G_OPTION_ARG_NONE, &is_pinned, "Frames in the pool that the element proposes",
      NULL },
    { "fps", 0, 0, G_OPTION_ARG_INT, &fps, "Frame rate in the caps, 0: 25", "N" },
    G_OPTION_ENTRY_NULL,
};

typedef struct {
    gint n;
    gint64 begin_us, end_us;
    struct rusage begin_usage, end_usage;
} Count;

static GstPadProbeReturn count(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    Count *out = data;
    out->n++;
    if (out->n == n_warm) {
        out->begin_us = g_get_monotonic_time();
        getrusage(RUSAGE_SELF, &out->begin_usage);
    }
    if (out->n == n_warm + n_frames) {
        out->end_us = g_get_monotonic_time();
        getrusage(RUSAGE_SELF, &out->end_usage);
    }
    return GST_PAD_PROBE_OK;
}

static double cpu_seconds(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1e-6;
}

static GstElement *make_pipeline(int argc, char **argv)
{
    g_autoptr(GString) text = g_string_new("appsrc name=in format=time block=true max-bytes=0 "
                                           "max-buffers=16 !");
    for (int i = 1; i < argc; i++)
        g_string_append_printf(text, " %s", argv[i]);
    g_string_append_printf(text, " ! video/x-raw,format=%s ! fakesink name=out sync=false",
                           out_format);
    g_autoptr(GError) error = NULL;
    GstElement *pipeline = gst_parse_launch(text->str, &error);
    if (error)
        g_printerr("%s\n", error->message);
    return error ? NULL : gst_object_ref_sink(pipeline);
}

/* The pool that the element behind @pad proposes, NULL: it proposes none. */
static GstBufferPool *proposed_pool(GstPad *pad, GstCaps *caps, gsize size_b)
{
    GstBufferPool *pool = NULL;
    g_autoptr(GstQuery) query = gst_query_new_allocation(caps, TRUE);
    if (gst_pad_peer_query(pad, query) && gst_query_get_n_allocation_pools(query))
        gst_query_parse_nth_allocation_pool(query, 0, &pool, NULL, NULL, NULL);
    if (!pool)
        return NULL;
    GstStructure *config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, (guint)size_b, N_DIFFERENT, 0);
    gst_buffer_pool_set_config(pool, config);
    gst_buffer_pool_set_active(pool, TRUE);
    return pool;
}

static void make_frames(GstElement *source, GstCaps *caps, GstBuffer **frames)
{
    GstVideoInfo info;
    gst_video_info_from_caps(&info, caps);
    g_autoptr(GstPad) pad = gst_element_get_static_pad(source, "src");
    g_autoptr(GstBufferPool) pool = is_pinned ? proposed_pool(pad, caps, info.size) : NULL;
    for (guint i = 0; i < N_DIFFERENT; i++) {
        if (!pool || gst_buffer_pool_acquire_buffer(pool, &frames[i], NULL) != GST_FLOW_OK)
            frames[i] = gst_buffer_new_allocate(NULL, info.size, NULL);
        gst_buffer_memset(frames[i], 0, (guint8)(16 + 25 * i), info.size);
    }
}

/* FALSE if the pipeline refuses them. */
static gboolean push_all(GstElement *source, GstBuffer **frames)
{
    for (gint i = 0; i < n_warm + n_frames; i++) {
        GstFlowReturn flow;
        g_signal_emit_by_name(source, "push-buffer", frames[i % N_DIFFERENT], &flow);
        if (flow != GST_FLOW_OK)
            return FALSE;
    }
    GstFlowReturn flow;
    g_signal_emit_by_name(source, "end-of-stream", &flow);
    return TRUE;
}

static gboolean wait_for_end(GstElement *pipeline)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    g_autoptr(GstMessage) message =
        gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    g_autoptr(GError) error = NULL;
    g_autofree char *debug = NULL;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS)
        return TRUE;
    gst_message_parse_error(message, &error, &debug);
    g_printerr("%s (%s)\n", error->message, debug);
    return FALSE;
}

/* What elements tell of themselves. */
static void print_stats(GstElement *pipeline)
{
    GstIterator *elements = gst_bin_iterate_elements(GST_BIN(pipeline));
    GValue item = G_VALUE_INIT;
    while (gst_iterator_next(elements, &item) == GST_ITERATOR_OK) {
        GObject *element = g_value_get_object(&item);
        g_autoptr(GstStructure) stats = NULL;
        if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), "device-name")) {
            g_object_get(element, "stats", &stats, NULL);
            g_autofree char *text = gst_structure_to_string(stats);
            printf("%s\n", text);
        }
        g_value_unset(&item);
    }
    gst_iterator_free(elements);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new("ELEMENT [PROPERTY=VALUE]... [! ...]");
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("%s\n", error->message);
        return 2;
    }
    GstElement *pipeline = make_pipeline(argc, argv);
    if (!pipeline)
        return 2;
    g_autofree char *text =
        g_strdup_printf("video/x-raw,format=%s,width=%d,height=%d,framerate=%d/1,"
                        "colorimetry=bt709",
                        format, width, height, fps ? fps : 25);
    g_autoptr(GstCaps) caps = gst_caps_from_string(text);
    g_autoptr(GstElement) source = gst_bin_get_by_name(GST_BIN(pipeline), "in");
    g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "out");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");
    Count out = { 0 };
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, count, &out, NULL);
    g_object_set(source, "caps", caps, NULL);

    GstBuffer *frames[N_DIFFERENT];
    gboolean ok = gst_element_set_state(pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
    if (ok) {
        make_frames(source, caps, frames);
        push_all(source, frames);
    }
    ok = wait_for_end(pipeline) && ok;
    print_stats(pipeline);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    if (!ok || !out.end_us)
        return 1;
    for (guint i = 0; i < N_DIFFERENT; i++)
        gst_buffer_unref(frames[i]);
    const double seconds = (double)(out.end_us - out.begin_us) * 1e-6;
    printf("%.1f frames/s, %.3f ms of the host's processors a frame\n", n_frames / seconds,
           (cpu_seconds(&out.end_usage) - cpu_seconds(&out.begin_usage)) / n_frames * 1e3);
    return 0;
}
