/* gstclbatchinput.c - what the neighbours call: buffers, events and queries on both pads.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything serialized goes through one queue, in order, to the source pad's task. Flushes,
 * answers that must not wait and what is not serialized are dealt with here.
 */
#include "gstclbatchprivate.h"

#define GST_CAT_DEFAULT gst_cl_batch_filter_debug

static GstClBatchFilter *filter_of(GstObject *parent)
{
    return GST_CL_BATCH_FILTER(parent);
}

static gboolean start_task(GstClBatchFilterPrivate *p)
{
    return gst_pad_start_task(p->srcpad, (GstTaskFunction)batch_task_run, p->srcpad, NULL);
}

static void append_locked(GstClBatchFilterPrivate *p, gpointer object)
{
    BatchItem item = { object, g_get_monotonic_time() };
    gst_queue_array_push_tail_struct(p->items, &item);
    BROADCAST(p);
}

/* ---------------------------------------------------------------- buffers */

/* Room for the batch after the ones in flight. */
static guint max_buffers_locked(const GstClBatchFilterPrivate *p)
{
    return MAX(1, p->max_frames);
}

/* The one place where frames enter. */
static GstFlowReturn gst_cl_batch_filter_chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
    GstClBatchFilterPrivate *p = PRIVATE(filter_of(parent));
    GstFlowReturn flow;
    LOCK(p);
    while (p->flow == GST_FLOW_OK && p->n_buffers >= max_buffers_locked(p))
        g_cond_wait(&p->monitor->cond, &p->monitor->lock);
    flow = p->flow;
    if (flow == GST_FLOW_OK && p->eos)
        flow = GST_FLOW_EOS;
    if (flow == GST_FLOW_OK && !p->newest_caps)
        flow = GST_FLOW_NOT_NEGOTIATED;
    if (flow == GST_FLOW_OK) {
        append_locked(p, buffer);
        p->n_buffers++;
        p->stats.frames_in++;
    }
    UNLOCK(p);
    if (flow != GST_FLOW_OK)
        gst_buffer_unref(buffer);
    return flow;
}

/* ---------------------------------------------------------------- flush and activation */

/* Nothing goes on from here: the task, the chain function and the queries in wait all return. */
static void interrupt(GstClBatchFilterPrivate *p)
{
    LOCK(p);
    p->epoch++;
    p->flow = GST_FLOW_FLUSHING;
    GstClockID timer = batch_timer_steal_locked(p);
    BROADCAST(p);
    UNLOCK(p);
    batch_timer_cancel(timer);
    batch_devices_set_pools_flushing(p, TRUE);
}

static void resume(GstClBatchFilterPrivate *p)
{
    batch_devices_set_pools_flushing(p, FALSE);
    LOCK(p);
    p->flow = GST_FLOW_OK;
    p->eos = p->eos_pushed = p->error_posted = FALSE;
    UNLOCK(p);
}

static gboolean flush_start(GstClBatchFilter *self, GstEvent *event)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    /* Downstream first, so that a push in progress returns. */
    gboolean ok = gst_pad_push_event(p->srcpad, event);
    interrupt(p);
    return ok;
}

static gboolean flush_stop(GstClBatchFilter *self, GstEvent *event)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    gst_pad_pause_task(p->srcpad);
    gboolean ok = gst_pad_push_event(p->srcpad, event);
    batch_flush(self);
    if (GST_PAD_MODE(p->srcpad) != GST_PAD_MODE_PUSH)
        return ok;
    resume(p);
    start_task(p);
    return ok;
}

static gboolean sink_activate(GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active)
{
    GstClBatchFilter *self = filter_of(parent);
    if (mode != GST_PAD_MODE_PUSH)
        return FALSE;
    if (active)
        return TRUE;
    interrupt(PRIVATE(self));
    /* Until the chain function has left. */
    GST_PAD_STREAM_LOCK(pad);
    GST_PAD_STREAM_UNLOCK(pad);
    return TRUE;
}

static gboolean src_activate(GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active)
{
    GstClBatchFilter *self = filter_of(parent);
    GstClBatchFilterPrivate *p = PRIVATE(self);
    if (mode != GST_PAD_MODE_PUSH)
        return FALSE;
    if (active) {
        resume(p);
        return start_task(p);
    }
    interrupt(p);
    gboolean ok = gst_pad_stop_task(pad);
    batch_flush(self);
    return ok;
}

/* ---------------------------------------------------------------- events from upstream */

/* A new stream or segment after the end, or formats that may suit after some that did not, set the
 * task going again. */
static gboolean revives_locked(GstClBatchFilterPrivate *p, GstEvent *event)
{
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
    case GST_EVENT_SEGMENT:
        return p->flow == GST_FLOW_EOS;
    case GST_EVENT_CAPS:
        return p->flow == GST_FLOW_NOT_NEGOTIATED;
    default:
        return FALSE;
    }
}

static void revive(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    gst_pad_pause_task(p->srcpad);
    LOCK(p);
    GstSegment segment = p->segment;
    UNLOCK(p);
    batch_flush(self); /* what was behind the end */
    LOCK(p);
    p->segment = segment;
    if (p->flow != GST_FLOW_FLUSHING) {
        p->flow = GST_FLOW_OK;
        p->eos = p->eos_pushed = FALSE;
        start_task(p);
    }
    UNLOCK(p);
}

/* The end of a stream that has already failed: no buffer will follow to carry the failure upstream,
 * and the task is paused. */
static void end_failed_stream(GstClBatchFilter *self, GstFlowReturn flow, GstEvent *event)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    const gboolean tell = flow != GST_FLOW_EOS && !p->error_posted;
    const gboolean is_first = !p->eos_pushed;
    p->eos = p->eos_pushed = TRUE;
    p->error_posted |= tell;
    UNLOCK(p);
    if (tell)
        GST_ELEMENT_FLOW_ERROR(self, flow);
    if (is_first)
        gst_pad_push_event(p->srcpad, gst_event_ref(event));
}

static GstFlowReturn enqueue_event(GstClBatchFilter *self, GstEvent *event)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    const gboolean is_eos = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
    LOCK(p);
    if (revives_locked(p, event)) {
        UNLOCK(p);
        revive(self);
        LOCK(p);
    }
    const GstFlowReturn flow = p->flow;
    if (flow == GST_FLOW_OK) {
        if (GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START ||
            GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT)
            p->eos = FALSE;
        p->eos |= is_eos;
        if (is_eos)
            p->eos_seqnum = gst_event_get_seqnum(event);
        append_locked(p, gst_event_ref(event));
    }
    UNLOCK(p);
    if (is_eos && flow != GST_FLOW_OK && flow != GST_FLOW_FLUSHING)
        end_failed_stream(self, flow, event);
    gst_event_unref(event);
    return flow;
}

static GstFlowReturn enqueue_caps(GstClBatchFilter *self, GstEvent *event)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GstCaps *caps;
    gst_event_parse_caps(event, &caps);
    if (!batch_caps_acceptable(self, caps)) {
        GST_INFO_OBJECT(self, "cannot take %" GST_PTR_FORMAT, caps);
        gst_event_unref(event);
        return GST_FLOW_NOT_NEGOTIATED;
    }
    LOCK(p);
    const gboolean same = p->newest_caps && gst_caps_is_equal(p->newest_caps, caps) &&
                          p->flow != GST_FLOW_NOT_NEGOTIATED;
    UNLOCK(p);
    if (same) {
        gst_event_unref(event);
        return GST_FLOW_OK;
    }
    gst_caps_ref(caps);
    const GstFlowReturn flow = enqueue_event(self, event);
    LOCK(p);
    if (flow == GST_FLOW_OK)
        gst_caps_replace(&p->newest_caps, caps);
    UNLOCK(p);
    gst_caps_unref(caps);
    return flow;
}

static GstFlowReturn sink_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    GstClBatchFilter *self = filter_of(parent);
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START:
        return flush_start(self, event) ? GST_FLOW_OK : GST_FLOW_ERROR;
    case GST_EVENT_FLUSH_STOP:
        return flush_stop(self, event) ? GST_FLOW_OK : GST_FLOW_ERROR;
    case GST_EVENT_CAPS:
        return enqueue_caps(self, event);
    default:
        if (GST_EVENT_IS_SERIALIZED(event))
            return enqueue_event(self, event);
        return gst_pad_event_default(pad, parent, event) ? GST_FLOW_OK : GST_FLOW_ERROR;
    }
}

/* ---------------------------------------------------------------- queries from upstream */

/* Waits until the task has run @query in its turn. */
static gboolean enqueue_query(GstClBatchFilter *self, GstQuery *query)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    const guint epoch = p->epoch;
    p->query_done = NULL;
    if (p->flow == GST_FLOW_OK)
        append_locked(p, query);
    /* While the task lends it to downstream, it cannot be given back. */
    while (p->query_running == query ||
           (p->query_done != query && p->flow == GST_FLOW_OK && p->epoch == epoch))
        g_cond_wait(&p->monitor->cond, &p->monitor->lock);
    const gboolean result = p->query_done == query && p->query_result;
    p->query_done = NULL;
    /* A stopped task has left it in the queue, whose later cleaning must not find it. */
    for (guint i = 0; i < gst_queue_array_get_length(p->items); i++) {
        BatchItem *item = gst_queue_array_peek_nth_struct(p->items, i);
        if (item->object == GST_MINI_OBJECT(query)) {
            gst_queue_array_drop_struct(p->items, i, NULL);
            break;
        }
    }
    UNLOCK(p);
    return result;
}

static gboolean sink_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    GstClBatchFilter *self = filter_of(parent);
    switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_CAPS:
        return batch_caps_query(self, pad, query);
    case GST_QUERY_ALLOCATION:
        /* Serialized, but answered at once: in the queue it would wait for frames that upstream
         * can only send after the answer. */
        return batch_allocation_query(self, query);
    case GST_QUERY_CONTEXT:
        return gst_cl_context_answer(GST_ELEMENT(self), &PRIVATE(self)->context, query) ||
               gst_pad_query_default(pad, parent, query);
    default:
        if (GST_QUERY_IS_SERIALIZED(query))
            return enqueue_query(self, query);
        return gst_pad_query_default(pad, parent, query);
    }
}

/* ---------------------------------------------------------------- from downstream */

/* Downstream has changed: what it said before may not hold any more. */
static void try_again(GstClBatchFilterPrivate *p)
{
    LOCK(p);
    if (p->flow == GST_FLOW_NOT_LINKED) {
        p->flow = GST_FLOW_OK;
        start_task(p);
    }
    BROADCAST(p);
    UNLOCK(p);
}

/* Where the pointer is in the frame as it came in, if frames change their size.
 * @event: (transfer full). Returns: (transfer full) */
static GstEvent *scale_pointer(GstClBatchFilterPrivate *p, GstEvent *event)
{
    gdouble x, y;
    LOCK(p);
    const gdouble in_width = p->in_info.width, in_height = p->in_info.height;
    const gdouble out_width = p->out_info.width, out_height = p->out_info.height;
    UNLOCK(p);
    if ((in_width == out_width && in_height == out_height) ||
        !gst_navigation_event_get_coordinates(event, &x, &y))
        return event;
    event = gst_event_make_writable(event);
    gst_navigation_event_set_coordinates(event, x * in_width / out_width,
                                         y * in_height / out_height);
    return event;
}

static gboolean src_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    GstClBatchFilter *self = filter_of(parent);
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_QOS:
        batch_qos_update(self, event);
        break;
    case GST_EVENT_RECONFIGURE:
        try_again(PRIVATE(self));
        break;
    case GST_EVENT_NAVIGATION:
        event = scale_pointer(PRIVATE(self), event);
        break;
    default:
        break;
    }
    return gst_pad_push_event(PRIVATE(self)->sinkpad, event);
}

/* What was played is what has left, not what has come in. */
static gboolean query_position(GstClBatchFilter *self, GstQuery *query)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GstFormat format;
    gint64 position;
    if (!gst_pad_peer_query(p->sinkpad, query))
        return FALSE;
    gst_query_parse_position(query, &format, &position);
    if (format != GST_FORMAT_TIME)
        return TRUE;
    LOCK(p);
    const gint fps_n = GST_VIDEO_INFO_FPS_N(&p->in_info), fps_d = GST_VIDEO_INFO_FPS_D(&p->in_info);
    const guint held = p->n_buffers + p->n_in_flight;
    UNLOCK(p);
    if (fps_n > 0 && fps_d > 0)
        position -= gst_util_uint64_scale(held * GST_SECOND, fps_d, fps_n);
    gst_query_set_position(query, format, MAX(0, position));
    return TRUE;
}

static gboolean src_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    GstClBatchFilter *self = filter_of(parent);
    switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_CAPS:
        return batch_caps_query(self, pad, query);
    case GST_QUERY_LATENCY:
        return batch_latency_query(self, query);
    case GST_QUERY_POSITION:
        return query_position(self, query);
    case GST_QUERY_CONTEXT:
        return gst_cl_context_answer(GST_ELEMENT(self), &PRIVATE(self)->context, query) ||
               gst_pad_query_default(pad, parent, query);
    default:
        return gst_pad_query_default(pad, parent, query);
    }
}

/* ---------------------------------------------------------------- pads */

void batch_input_init_pads(GstClBatchFilter *self, GstElementClass *klass)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    p->sinkpad =
        gst_pad_new_from_template(gst_element_class_get_pad_template(klass, "sink"), "sink");
    gst_pad_set_chain_function(p->sinkpad, gst_cl_batch_filter_chain);
    gst_pad_set_event_full_function(p->sinkpad, sink_event);
    gst_pad_set_query_function(p->sinkpad, sink_query);
    gst_pad_set_activatemode_function(p->sinkpad, sink_activate);
    /* A format outside the template is refused without asking downstream, which may be busy. */
    GST_PAD_SET_ACCEPT_TEMPLATE(p->sinkpad);
    GST_PAD_SET_ACCEPT_INTERSECT(p->sinkpad);
    gst_element_add_pad(GST_ELEMENT(self), p->sinkpad);

    p->srcpad = gst_pad_new_from_template(gst_element_class_get_pad_template(klass, "src"), "src");
    gst_pad_set_event_function(p->srcpad, src_event);
    gst_pad_set_query_function(p->srcpad, src_query);
    gst_pad_set_activatemode_function(p->srcpad, src_activate);
    gst_element_add_pad(GST_ELEMENT(self), p->srcpad);
}
