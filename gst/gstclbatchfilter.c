/* gstclbatchfilter.c - the abstract element: its pads, properties and states.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/**
 * SECTION:clbatchfilter
 * @title: GstClBatchFilter
 * @short_description: base of elements that compute batches of frames with OpenCL
 *
 * Frames are gathered into batches, uploaded as they arrive and computed while the batch before is
 * pushed. Every frame that comes in goes out, in order, with its timestamps, flags and metas,
 * except frames that are dropped because they would be too late.
 *
 * A batch is computed when it is full, when #GstClBatchFilter:batch-timeout has passed since its
 * first frame, or when something follows that must stay in order: new caps, a segment, a gap, the
 * end of the stream, a query.
 *
 * The element answers LATENCY queries with the time that a frame waits for its batch, plus the
 * measured time of a batch. It posts a LATENCY message when that changes, so applications with live
 * sources should call gst_bin_recalculate_latency() on such messages, as gst-launch-1.0 does. Where
 * a batch takes longer than the duration of a frame and the sink follows directly, a `queue` behind
 * the element keeps the sink's waiting from delaying the next batch.
 */
#include "gstclbatchprivate.h"

#include <string.h>

#include "gstclenums.h"
#include "gstclerror.h"

GST_DEBUG_CATEGORY(gst_cl_batch_filter_debug);
GST_DEBUG_CATEGORY(gst_cl_batch_times_debug);
#define GST_CAT_DEFAULT gst_cl_batch_filter_debug

#define MAX_BATCH_SIZE 64
#define MAX_INFLIGHT 16
#define DEFAULT_DEVICE "auto"
#define DEFAULT_INFLIGHT 2
#define DEFAULT_TUNING_TIME (5 * GST_SECOND)
#define MAX_TUNING_TIME (3600 * GST_SECOND)

enum {
    PROP_0,
    PROP_DEVICE,
    PROP_DEVICE_NAME,
    PROP_BATCH_SIZE,
    PROP_BATCH_TIMEOUT,
    PROP_INFLIGHT,
    PROP_QOS,
    PROP_TUNING,
    PROP_TUNING_TIME,
    PROP_STATS,
};

/* Made by hand, not by G_DEFINE_TYPE: the pads come from the templates of the subclass, which only
 * the class given to the instance's init function has. */
static GstElementClass *parent_class;
static gint private_offset;

GstClBatchFilterPrivate *gst_cl_batch_filter_private(GstClBatchFilter *self)
{
    return G_STRUCT_MEMBER_P(self, private_offset);
}

void gst_cl_batch_filter_get_tuning(GstClBatchFilter *self, NnTuning *tuning, guint *tuning_ms)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    *tuning = p->live ? MIN(p->tuning, NN_TUNING_CACHED) : p->tuning;
    *tuning_ms = (guint)(p->tuning_time / GST_MSECOND);
    UNLOCK(p);
}

OclDevice *gst_cl_batch_filter_get_device(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    OclDevice *device = p->devices ? ((BatchDevice *)p->devices->pdata[0])->cl : NULL;
    UNLOCK(p);
    return device;
}

/* ---------------------------------------------------------------- changes while playing */

void gst_cl_batch_filter_rebuild(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    p->rebuild = TRUE;
    BROADCAST(p);
    UNLOCK(p);
}

void gst_cl_batch_filter_renegotiate(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    gst_pad_mark_reconfigure(p->srcpad);
    LOCK(p);
    BROADCAST(p);
    UNLOCK(p);
}

/* ---------------------------------------------------------------- device and model */

/* What is carried from frame to frame cannot be on several devices. */
static void keep_state_together(GstClBatchFilter *self)
{
    GstClBatchFilterClass *klass = GST_CL_BATCH_FILTER_GET_CLASS(self);
    if (klass->carries_state && klass->carries_state(self))
        batch_devices_keep_first(self);
}

static gboolean start(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GstClBatchFilterClass *klass = GST_CL_BATCH_FILTER_GET_CLASS(self);
    g_autoptr(GError) error = NULL;
    p->max_frames_limit = 0;
    p->error_posted = FALSE;
    if (!batch_devices_open(self, &error) ||
        !klass->start(self, gst_cl_batch_filter_get_device(self), &error)) {
        batch_post_error(self, error);
        batch_devices_close(self);
        return FALSE;
    }
    keep_state_together(self);
    g_object_notify(G_OBJECT(self), "device-name");
    return TRUE;
}

static void stop(GstClBatchFilter *self)
{
    GST_CL_BATCH_FILTER_GET_CLASS(self)->stop(self);
    batch_devices_close(self);
}

/* A new life of the stream: nothing is known of it. */
static void forget_stream(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    gst_clear_caps(&p->newest_caps);
    gst_clear_caps(&p->in_caps);
    p->caps_pending = FALSE;
    p->rebuild = FALSE;
    p->live = FALSE;
    p->upstream_min = 0;
    p->compute_time = 0;
    p->n_latencies = 0;
    p->last_ready_us = 0;
    batch_devices_recover_locked(p);
    p->error_posted = FALSE;
    gst_video_info_init(&p->in_info);
    gst_video_info_init(&p->out_info);
    memset(&p->stats, 0, sizeof p->stats);
    UNLOCK(p);
}

static GstStateChangeReturn change_state(GstElement *element, GstStateChange transition)
{
    GstClBatchFilter *self = GST_CL_BATCH_FILTER(element);
    if (transition == GST_STATE_CHANGE_NULL_TO_READY && !start(self))
        return GST_STATE_CHANGE_FAILURE;
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED) {
        keep_state_together(self); /* properties may have changed since NULL */
        forget_stream(self);
    }
    /* Deactivates the pads on the way down, so that no task runs behind this line. */
    GstStateChangeReturn result = parent_class->change_state(element, transition);
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY)
        batch_release(self);
    if (transition == GST_STATE_CHANGE_READY_TO_NULL ||
        (transition == GST_STATE_CHANGE_NULL_TO_READY && result == GST_STATE_CHANGE_FAILURE))
        stop(self);
    return result;
}

static void set_context(GstElement *element, GstContext *context)
{
    GstClBatchFilterPrivate *p = PRIVATE(GST_CL_BATCH_FILTER(element));
    LOCK(p);
    g_auto(GStrv) specs = batch_device_specs_locked(p);
    UNLOCK(p);
    gst_cl_context_offer(element, context, specs[0], &p->context);
    parent_class->set_context(element, context);
}

/* ---------------------------------------------------------------- properties */

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    GstClBatchFilterPrivate *p = PRIVATE(GST_CL_BATCH_FILTER(object));
    gboolean latency_changes = FALSE;
    LOCK(p);
    switch (id) {
    case PROP_DEVICE:
        g_free(p->device_spec);
        p->device_spec = g_value_dup_string(value);
        break;
    case PROP_BATCH_SIZE:
        p->batch_size = g_value_get_uint(value);
        p->max_frames_limit = 0;
        p->rebuild = latency_changes = TRUE;
        break;
    case PROP_BATCH_TIMEOUT:
        p->batch_timeout = g_value_get_uint64(value);
        latency_changes = TRUE;
        break;
    case PROP_INFLIGHT:
        p->inflight = g_value_get_uint(value);
        p->rebuild = TRUE;
        break;
    case PROP_QOS:
        p->qos = g_value_get_boolean(value);
        break;
    case PROP_TUNING:
        p->tuning = g_value_get_enum(value);
        break;
    case PROP_TUNING_TIME:
        p->tuning_time = g_value_get_uint64(value);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
        break;
    }
    const gboolean tell = latency_changes && p->max_frames;
    BROADCAST(p);
    UNLOCK(p);
    if (tell)
        batch_post_latency(GST_CL_BATCH_FILTER(object));
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    GstClBatchFilter *self = GST_CL_BATCH_FILTER(object);
    GstClBatchFilterPrivate *p = PRIVATE(self);
    if (id == PROP_STATS) {
        g_value_take_boxed(value, batch_stats_structure(self));
        return;
    }
    LOCK(p);
    switch (id) {
    case PROP_DEVICE_NAME:
        g_value_take_string(value, batch_devices_names_locked(p));
        break;
    case PROP_DEVICE:
        g_value_set_string(value, p->device_spec);
        break;
    case PROP_BATCH_SIZE:
        g_value_set_uint(value, p->batch_size);
        break;
    case PROP_BATCH_TIMEOUT:
        g_value_set_uint64(value, p->batch_timeout);
        break;
    case PROP_INFLIGHT:
        g_value_set_uint(value, p->inflight);
        break;
    case PROP_QOS:
        g_value_set_boolean(value, p->qos);
        break;
    case PROP_TUNING:
        g_value_set_enum(value, p->tuning);
        break;
    case PROP_TUNING_TIME:
        g_value_set_uint64(value, p->tuning_time);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
        break;
    }
    UNLOCK(p);
}

static void install_properties(GObjectClass *klass)
{
    const GParamFlags constant = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
    const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
    g_object_class_install_property(
        klass, PROP_DEVICE,
        g_param_spec_string(
            "device", "Device",
            "OpenCL device: auto (the best present), gpu, cpu, gpu:1 (the second), "
            "0:1 (platform:device as clinfo lists them) or a piece of its name. "
            "Several with commas between them share the batches: gpu:0,gpu:1. Read on "
            "the way from NULL to READY",
            DEFAULT_DEVICE, constant | GST_PARAM_MUTABLE_READY));
    g_object_class_install_property(
        klass, PROP_DEVICE_NAME,
        g_param_spec_string("device-name", "Device name",
                            "Name of the OpenCL device in use, or of all with commas between "
                            "them, from READY on",
                            NULL, readable));
    g_object_class_install_property(
        klass, PROP_BATCH_SIZE,
        g_param_spec_uint("batch-size", "Batch size",
                          "Most frames computed at once. More give throughput, each adds the "
                          "duration of a frame to the latency (0 = automatic: 1 for live sources "
                          "and streams without a frame rate, else 4)",
                          0, MAX_BATCH_SIZE, 0, constant | GST_PARAM_MUTABLE_PLAYING));
    g_object_class_install_property(
        klass, PROP_BATCH_TIMEOUT,
        g_param_spec_uint64("batch-timeout", "Batch timeout",
                            "How long the first frame of a batch waits for the others, in "
                            "nanoseconds (18446744073709551615 = automatic: until the last frame "
                            "is half a frame late for live sources, else 100 ms)",
                            0, G_MAXUINT64, GST_CLOCK_TIME_NONE,
                            constant | GST_PARAM_MUTABLE_PLAYING));
    g_object_class_install_property(
        klass, PROP_INFLIGHT,
        g_param_spec_uint("inflight", "In flight",
                          "Batches that each device is given ahead, so that it never waits for the "
                          "next; each takes device memory",
                          1, MAX_INFLIGHT, DEFAULT_INFLIGHT, constant | GST_PARAM_MUTABLE_PLAYING));
    g_object_class_install_property(
        klass, PROP_QOS,
        g_param_spec_boolean("qos", "QoS",
                             "Drop frames that downstream reports to come too late, before they "
                             "are computed",
                             TRUE, constant | GST_PARAM_MUTABLE_PLAYING));
    g_object_class_install_property(
        klass, PROP_TUNING,
        g_param_spec_enum("tuning", "Tuning",
                          "How kernels are chosen when a network is built for a device. What one "
                          "run measures serves all later ones; live streams never measure",
                          GST_TYPE_CL_TUNING, NN_TUNING_CACHED,
                          constant | GST_PARAM_MUTABLE_READY));
    g_object_class_install_property(
        klass, PROP_TUNING_TIME,
        g_param_spec_uint64("tuning-time", "Tuning time",
                            "How long tuning=measure may take for each network and device, in "
                            "nanoseconds; the next run goes on where this one ended",
                            0, MAX_TUNING_TIME, DEFAULT_TUNING_TIME,
                            constant | GST_PARAM_MUTABLE_READY));
    g_object_class_install_property(
        klass, PROP_STATS,
        g_param_spec_boxed("stats", "Statistics",
                           "Since PAUSED: frames-in, frames-out, frames-dropped (too late), "
                           "frames-flushed, batches, batch-size, mean-fill (frames per batch), "
                           "mean times in ns: upload-ns (per frame), compute-ns, download-ns (per "
                           "batch), latency-ns (per frame, from arrival to result), queue-level "
                           "and in-flight (frames), devices (of each: name, batches, frames, "
                           "batch-ns, lost)",
                           GST_TYPE_STRUCTURE, readable));
}

/* ---------------------------------------------------------------- object */

static void finalize(GObject *object)
{
    GstClBatchFilterPrivate *p = PRIVATE(GST_CL_BATCH_FILTER(object));
    gst_queue_array_free(p->items);
    gst_clear_caps(&p->newest_caps);
    gst_clear_caps(&p->in_caps);
    gst_clear_object(&p->context);
    g_free(p->device_spec);
    batch_monitor_unref(p->monitor);
    G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void class_init(gpointer klass, gpointer data)
{
    GObjectClass *object_class = klass;
    GstElementClass *element_class = klass;
    parent_class = g_type_class_peek_parent(klass);
    g_type_class_adjust_private_offset(klass, &private_offset);
    GST_DEBUG_CATEGORY_INIT(gst_cl_batch_filter_debug, "clbatchfilter", 0,
                            "batches of frames on OpenCL devices");
    GST_DEBUG_CATEGORY_INIT(gst_cl_batch_times_debug, "clbatchtimes", 0,
                            "when each batch was uploaded, computed and read back");
    object_class->set_property = set_property;
    object_class->get_property = get_property;
    object_class->finalize = finalize;
    element_class->change_state = change_state;
    element_class->set_context = set_context;
    install_properties(object_class);
    gst_type_mark_as_plugin_api(GST_TYPE_CL_BATCH_FILTER, 0);
}

static void init(GTypeInstance *instance, gpointer klass)
{
    GstClBatchFilter *self = (GstClBatchFilter *)instance;
    GstClBatchFilterPrivate *p = PRIVATE(self);
    p->monitor = batch_monitor_new();
    p->items = gst_queue_array_new_for_struct(sizeof(BatchItem), 16);
    g_queue_init(&p->submitted);
    p->device_spec = g_strdup(DEFAULT_DEVICE);
    p->batch_timeout = GST_CLOCK_TIME_NONE;
    p->inflight = DEFAULT_INFLIGHT;
    p->qos = TRUE;
    p->tuning = NN_TUNING_CACHED;
    p->tuning_time = DEFAULT_TUNING_TIME;
    p->flow = GST_FLOW_FLUSHING;
    p->discont = p->needs_reset = TRUE;
    gst_segment_init(&p->segment, GST_FORMAT_UNDEFINED);
    gst_video_info_init(&p->in_info);
    gst_video_info_init(&p->out_info);
    batch_qos_reset_locked(p);
    batch_input_init_pads(self, klass);
}

GType gst_cl_batch_filter_get_type(void)
{
    static gsize type;
    if (g_once_init_enter(&type)) {
        const GTypeInfo info = {
            .class_size = sizeof(GstClBatchFilterClass),
            .class_init = class_init,
            .instance_size = sizeof(GstClBatchFilter),
            .instance_init = init,
        };
        GType made = g_type_register_static(GST_TYPE_ELEMENT, "GstClBatchFilter", &info,
                                            G_TYPE_FLAG_ABSTRACT);
        private_offset = g_type_add_instance_private(made, sizeof(GstClBatchFilterPrivate));
        g_once_init_leave(&type, made);
    }
    return type;
}
