/* gstclbatchtiming.c - how late a batch may be, how late it is, and which frames come too late.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstclbatchprivate.h"

#define GST_CAT_DEFAULT gst_cl_batch_filter_debug

/* A batch when the source is not live: large enough to fill a GPU, small enough for its memory. */
#define AUTO_BATCH 4
/* For an application that pushes one frame and waits for its result. */
#define AUTO_TIMEOUT (100 * GST_MSECOND)
/* When the caps tell no frame rate: 25 frames a second. */
#define FALLBACK_DURATION (40 * GST_MSECOND)
/* Headroom over the worst of the last batches, and the change that is worth telling, in percent. */
#define HEADROOM 120
#define DRIFT 25

/* ---------------------------------------------------------------- what is wanted */

static GstClockTime frame_duration_locked(const GstClBatchFilterPrivate *p)
{
    const gint n = GST_VIDEO_INFO_FPS_N(&p->in_info), d = GST_VIDEO_INFO_FPS_D(&p->in_info);
    return n > 0 && d > 0 ? gst_util_uint64_scale(GST_SECOND, d, n) : GST_CLOCK_TIME_NONE;
}

guint batch_wanted_frames_locked(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GstClBatchFilterClass *klass = GST_CL_BATCH_FILTER_GET_CLASS(self);
    guint wanted = p->batch_size;
    /* A picture without a frame rate is most likely the only one. */
    if (wanted == 0)
        wanted = p->live || frame_duration_locked(p) == GST_CLOCK_TIME_NONE ? 1 : AUTO_BATCH;
    const guint limit = klass->frame_limit ? klass->frame_limit(self) : 0;
    if (limit)
        wanted = MIN(wanted, limit);
    if (p->max_frames_limit)
        wanted = MIN(wanted, p->max_frames_limit);
    return wanted;
}

GstClockTime batch_timeout_locked(GstClBatchFilterPrivate *p)
{
    if (p->batch_timeout != GST_CLOCK_TIME_NONE)
        return p->batch_timeout;
    if (!p->live)
        return AUTO_TIMEOUT;
    GstClockTime duration = frame_duration_locked(p);
    if (duration == GST_CLOCK_TIME_NONE)
        duration = FALLBACK_DURATION;
    return (MAX(1, p->max_frames) - 1) * duration + duration / 2;
}

/* ---------------------------------------------------------------- latency */

/* How long a frame waits for its batch to fill. */
static GstClockTime fill_time_locked(GstClBatchFilterPrivate *p)
{
    const GstClockTime timeout = batch_timeout_locked(p), duration = frame_duration_locked(p);
    if (p->max_frames <= 1)
        return 0;
    return duration == GST_CLOCK_TIME_NONE ? timeout : MIN(timeout, (p->max_frames - 1) * duration);
}

/* The longest that frames can be held without blocking upstream: those in the queue and in every
 * slot. */
static GstClockTime hold_time_locked(GstClBatchFilterPrivate *p)
{
    const GstClockTime duration = frame_duration_locked(p);
    const guint n_batches = 1 + (p->max_submitted + 1) * MAX(1, batch_devices_count(p));
    return duration == GST_CLOCK_TIME_NONE ? GST_CLOCK_TIME_NONE
                                           : n_batches * MAX(1, p->max_frames) * duration;
}

gboolean batch_latency_query(GstClBatchFilter *self, GstQuery *query)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    gboolean live;
    GstClockTime min, max;
    if (!gst_pad_peer_query(p->sinkpad, query))
        return FALSE;
    gst_query_parse_latency(query, &live, &min, &max);
    LOCK(p);
    const gboolean news = live != p->live;
    p->live = live;
    p->upstream_min = min;
    const GstClockTime own_min = fill_time_locked(p) + p->compute_time;
    const GstClockTime hold = hold_time_locked(p);
    p->latency_posted = p->compute_time;
    if (news && p->batch_size == 0 && p->max_frames)
        p->rebuild = TRUE;
    UNLOCK(p);

    if (max != GST_CLOCK_TIME_NONE)
        max = hold == GST_CLOCK_TIME_NONE ? GST_CLOCK_TIME_NONE : max + MAX(own_min, hold);
    GST_DEBUG_OBJECT(self, "latency %" GST_TIME_FORMAT " after upstream's %" GST_TIME_FORMAT,
                     GST_TIME_ARGS(own_min), GST_TIME_ARGS(min));
    gst_query_set_latency(query, live, min + own_min, max);
    return TRUE;
}

void batch_update_live(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    g_autoptr(GstQuery) query = gst_query_new_latency();
    if (!gst_pad_peer_query(p->sinkpad, query))
        return;
    LOCK(p);
    gst_query_parse_latency(query, &p->live, &p->upstream_min, NULL);
    UNLOCK(p);
}

void batch_post_latency(GstClBatchFilter *self)
{
    gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
}

static GstClockTime worst_locked(const GstClBatchFilterPrivate *p)
{
    guint64 worst = 0;
    for (guint i = 0; i < MIN(p->n_latencies, N_LATENCIES); i++)
        worst = MAX(worst, p->latencies[i]);
    return worst * HEADROOM / 100;
}

void batch_compute_time_add(GstClBatchFilter *self, GstClockTime duration)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    p->latencies[p->n_latencies++ % N_LATENCIES] = duration;
    p->compute_time = worst_locked(p);
    const GstClockTime drift = ABS(GST_CLOCK_DIFF(p->latency_posted, p->compute_time));
    const gboolean tell = p->live && drift * 100 > p->latency_posted * DRIFT;
    if (tell)
        p->latency_posted = p->compute_time;
    UNLOCK(p);
    if (tell)
        batch_post_latency(self);
}

/* ---------------------------------------------------------------- times of a frame */

GstClockTime batch_running_time_locked(const GstClBatchFilterPrivate *p, GstClockTime pts)
{
    if (p->segment.format != GST_FORMAT_TIME)
        return GST_CLOCK_TIME_NONE;
    return gst_segment_to_running_time(&p->segment, GST_FORMAT_TIME, pts);
}

GstClockTime batch_stream_time_locked(const GstClBatchFilterPrivate *p, GstClockTime pts)
{
    if (p->segment.format != GST_FORMAT_TIME)
        return GST_CLOCK_TIME_NONE;
    return gst_segment_to_stream_time(&p->segment, GST_FORMAT_TIME, pts);
}

/* ---------------------------------------------------------------- deadline of a batch */

/* A thread of the clock. */
static gboolean alarm_rings(GstClock *clock, GstClockTime time, GstClockID id, gpointer data)
{
    GstClBatchFilterPrivate *p = PRIVATE(data);
    LOCK(p);
    if (p->timer == id)
        p->timer_fired = TRUE;
    BROADCAST(p);
    UNLOCK(p);
    return TRUE;
}

/* When @first's batch has to be submitted, on the pipeline's clock: @first should have been here at
 * its running time plus upstream's latency. */
static GstClockTime deadline_on_clock(GstClBatchFilter *self, GstBuffer *first)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    const GstClockTime running = batch_running_time_locked(p, GST_BUFFER_PTS(first));
    const GstClockTime wait = p->upstream_min + batch_timeout_locked(p);
    const gboolean usable = p->live && GST_CLOCK_TIME_IS_VALID(running);
    UNLOCK(p);
    return usable ? gst_element_get_base_time(GST_ELEMENT(self)) + running + wait
                  : GST_CLOCK_TIME_NONE;
}

void batch_timer_start(GstClBatchFilter *self, GstBuffer *first)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    const GstClockTime deadline = deadline_on_clock(self, first);
    g_autoptr(GstClock) clock = gst_element_get_clock(GST_ELEMENT(self));
    if (p->max_frames <= 1 || deadline == GST_CLOCK_TIME_NONE || !clock)
        return;
    GstClockID id = gst_clock_new_single_shot_id(clock, deadline);
    LOCK(p);
    p->timer = gst_clock_id_ref(id);
    p->timer_fired = FALSE;
    UNLOCK(p);
    gst_clock_id_wait_async(id, alarm_rings, gst_object_ref(self), gst_object_unref);
    gst_clock_id_unref(id);
}

GstClockID batch_timer_steal_locked(GstClBatchFilterPrivate *p)
{
    p->timer_fired = FALSE;
    return g_steal_pointer(&p->timer);
}

void batch_timer_cancel(GstClockID id)
{
    if (!id)
        return;
    gst_clock_id_unschedule(id);
    gst_clock_id_unref(id);
}

/* Without the pipeline's clock: when the first frame has waited long enough. */
static gint64 deadline_us_locked(GstClBatchFilterPrivate *p)
{
    return p->filling->frames[0].arrival_us + (gint64)(batch_timeout_locked(p) / GST_USECOND);
}

static gboolean is_waiting_locked(const GstClBatchFilterPrivate *p)
{
    return p->filling && p->filling->n_frames &&
           batch_device_n_submitted(p, p->filling->device) < p->max_submitted;
}

gboolean batch_deadline_passed_locked(GstClBatchFilterPrivate *p)
{
    if (p->timer)
        return p->timer_fired;
    return g_get_monotonic_time() >= deadline_us_locked(p);
}

void batch_wait_locked(GstClBatchFilterPrivate *p)
{
    if (is_waiting_locked(p) && !p->timer)
        g_cond_wait_until(&p->monitor->cond, &p->monitor->lock, deadline_us_locked(p));
    else
        g_cond_wait(&p->monitor->cond, &p->monitor->lock);
}

/* ---------------------------------------------------------------- quality of service */

void batch_qos_update(GstClBatchFilter *self, GstEvent *event)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    gdouble proportion;
    GstClockTimeDiff diff;
    GstClockTime timestamp;
    gst_event_parse_qos(event, NULL, &proportion, &diff, &timestamp);
    if (!GST_CLOCK_TIME_IS_VALID(timestamp))
        return;
    LOCK(p);
    const GstClockTime duration = frame_duration_locked(p);
    /* A live source goes on whatever happens; others are given time to catch up. */
    if (diff > 0 && !p->live)
        diff = 2 * diff + (duration == GST_CLOCK_TIME_NONE ? 0 : duration);
    p->qos_proportion = proportion;
    p->qos_earliest = diff < 0 && timestamp < (GstClockTime)-diff ? 0 : timestamp + diff;
    UNLOCK(p);
}

void batch_qos_reset_locked(GstClBatchFilterPrivate *p)
{
    p->qos_proportion = 1.0;
    p->qos_earliest = GST_CLOCK_TIME_NONE;
}

gboolean batch_qos_drop(GstClBatchFilter *self, GstBuffer *buffer)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    const GstClockTime pts = GST_BUFFER_PTS(buffer);
    LOCK(p);
    const GstClockTime running = batch_running_time_locked(p, pts);
    const GstClockTime stream = batch_stream_time_locked(p, pts);
    const GstClockTime earliest = p->qos_earliest;
    const gdouble proportion = p->qos_proportion;
    const gboolean live = p->live;
    const gboolean drop = p->qos && GST_CLOCK_TIME_IS_VALID(running) &&
                          GST_CLOCK_TIME_IS_VALID(earliest) && running < earliest;
    p->stats.frames_dropped += drop;
    const guint64 processed = p->stats.frames_out, dropped = p->stats.frames_dropped;
    UNLOCK(p);
    if (!drop)
        return FALSE;
    GST_DEBUG_OBJECT(self, "dropping a frame that is %" GST_TIME_FORMAT " too late",
                     GST_TIME_ARGS(earliest - running));
    GstMessage *message = gst_message_new_qos(GST_OBJECT(self), live, running, stream, pts,
                                              GST_BUFFER_DURATION(buffer));
    gst_message_set_qos_values(message, GST_CLOCK_DIFF(running, earliest), proportion, 1000000);
    gst_message_set_qos_stats(message, GST_FORMAT_BUFFERS, processed, dropped);
    gst_element_post_message(GST_ELEMENT(self), message);
    return TRUE;
}
