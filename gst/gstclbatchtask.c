/* gstclbatchtask.c - the source pad's task: the only one that takes frames and that pushes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One turn of the task does one thing. Nothing that was read before the lock was let go is used
 * after it was taken again, unless the epoch is the same.
 */
#include "gstclbatchprivate.h"

#include "gstclerror.h"
#include "video/video.h"

#define GST_CAT_DEFAULT gst_cl_batch_filter_debug

/* Decoders that skip frames when they are late, and sources that lose some, say DISCONT, too: after
 * no more than this the picture is taken for one of the same scene. */
#define LONGEST_GAP GST_SECOND

/* What follows in the queue, as far as it concerns the batch being filled. */
typedef enum {
    NEXT_NOTHING,
    NEXT_FRAME,
    NEXT_RIDER,   /* an event that rides behind the frame before it */
    NEXT_BARRIER, /* an event or query that waits until all frames before it are pushed */
} Next;

typedef enum {
    DO_WAIT,
    DO_FAIL,
    DO_BEGIN,
    DO_FILL,
    DO_SUBMIT,
    DO_PROCEED,
    DO_REDO,
    DO_RIDE,
    DO_PUSH,
    DO_BARRIER,
    DO_NEGOTIATE,
} Action;

/* ---------------------------------------------------------------- errors and the end */

void batch_post_error(GstClBatchFilter *self, const GError *error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    gboolean is_first = !p->error_posted;
    p->error_posted = TRUE;
    UNLOCK(p);
    if (is_first)
        gst_cl_error_post(GST_ELEMENT(self), error);
}

/* Stops with @flow, unless a flush came first. */
static void stop_locked(GstClBatchFilterPrivate *p, guint epoch, GstFlowReturn flow)
{
    if (epoch != p->epoch)
        return;
    p->flow = flow;
    BROADCAST(p);
}

/* The task has stopped by itself. When no buffer will come any more that could carry the news
 * upstream, the application hears of the failure here, and downstream ends. */
static void end_stream(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    const GstFlowReturn flow = p->flow;
    const guint32 seqnum = p->eos_seqnum;
    const gboolean end =
        p->eos && !p->eos_pushed && flow != GST_FLOW_FLUSHING && flow != GST_FLOW_OK;
    const gboolean tell = end && !p->error_posted && flow != GST_FLOW_EOS;
    p->eos_pushed |= end;
    p->error_posted |= tell;
    UNLOCK(p);
    if (tell)
        GST_ELEMENT_FLOW_ERROR(self, flow);
    if (!end)
        return;
    GstEvent *eos = gst_event_new_eos();
    gst_event_set_seqnum(eos, seqnum);
    gst_pad_push_event(p->srcpad, eos);
}

/* ---------------------------------------------------------------- flush */

/* What downstream must know of a dropped event: all that sticks but the end and the segment. Caps
 * are upstream's; they become the ones to negotiate with. */
static void keep_sticky(GstClBatchFilter *self, GstEvent *event)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_EOS:
    case GST_EVENT_SEGMENT:
        return;
    case GST_EVENT_CAPS: {
        GstCaps *caps;
        gst_event_parse_caps(event, &caps);
        gst_caps_replace(&p->in_caps, caps);
        p->caps_pending = TRUE;
        return;
    }
    default:
        if (GST_EVENT_IS_STICKY(event))
            gst_pad_store_sticky_event(p->srcpad, event);
    }
}

static void abandon_locked(GstClBatchFilter *self, BatchSlot *slot, GQueue *dropped)
{
    GstMiniObject *object;
    while ((object = g_queue_pop_head(&slot->output))) {
        if (GST_IS_EVENT(object))
            keep_sticky(self, GST_EVENT(object));
        g_queue_push_tail(dropped, object);
    }
    slot->state = SLOT_ZOMBIE;
}

static void drop_items_locked(GstClBatchFilter *self, GQueue *dropped)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    BatchItem *item;
    while ((item = gst_queue_array_pop_head_struct(p->items))) {
        if (GST_IS_QUERY(item->object))
            continue;
        if (GST_IS_EVENT(item->object))
            keep_sticky(self, GST_EVENT(item->object));
        else
            p->stats.frames_flushed++;
        g_queue_push_tail(dropped, item->object);
    }
    p->n_buffers = 0;
}

void batch_flush(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GQueue dropped = G_QUEUE_INIT;
    if (p->filling)
        batch_slot_end_uploads(self, p->filling);
    LOCK(p);
    batch_enqueue_wait_locked(p, NULL);
    BatchSlot *slot;
    while ((slot = g_queue_pop_head(&p->submitted)))
        abandon_locked(self, slot, &dropped);
    if (p->filling)
        abandon_locked(self, p->filling, &dropped);
    p->filling = NULL;
    drop_items_locked(self, &dropped);
    p->stats.frames_flushed += p->n_in_flight;
    p->n_in_flight = 0;
    p->discont = p->needs_reset = TRUE;
    gst_segment_init(&p->segment, GST_FORMAT_UNDEFINED);
    batch_qos_reset_locked(p);
    GstClockID timer = batch_timer_steal_locked(p);
    BROADCAST(p);
    UNLOCK(p);
    batch_timer_cancel(timer);
    g_queue_clear_full(&dropped, (GDestroyNotify)gst_mini_object_unref);
}

/* ---------------------------------------------------------------- filling */

static gboolean may_copy_meta(const GstMetaInfo *info)
{
    const char *const *tags = gst_meta_api_type_get_tags(info->api);
    for (; tags && *tags; tags++)
        /* Of the input's memory; orientation stays as it is, so those metas hold, and what has been
         * cropped away does not come out. */
        if (g_str_equal(*tags, GST_META_TAG_MEMORY_STR) ||
            g_str_equal(*tags, GST_META_TAG_MEMORY_REFERENCE_STR) ||
            g_str_equal(*tags, GST_META_TAG_VIDEO_COLORSPACE_STR))
            return FALSE;
    return info->transform_func != NULL && info->api != GST_VIDEO_CROP_META_API_TYPE;
}

typedef struct {
    GstBuffer *out;
    GstVideoMetaTransform sizes;
} MetaCopy;

/* Regions of interest are left to the subclass' finish(): scaling them by their own function loses
 * their parameters. */
static gboolean is_scaled(const MetaCopy *copy, const GstMetaInfo *info)
{
    return info->api != GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE &&
           gst_meta_api_type_has_tag(info->api,
                                     g_quark_from_static_string(GST_META_TAG_VIDEO_SIZE_STR)) &&
           (copy->sizes.in_info->width != copy->sizes.out_info->width ||
            copy->sizes.in_info->height != copy->sizes.out_info->height);
}

static gboolean copy_meta(GstBuffer *in, GstMeta **meta, gpointer data)
{
    MetaCopy *copy = data;
    GstMetaTransformCopy whole = { FALSE, 0, -1 };
    const GstMetaInfo *info = (*meta)->info;
    if (!may_copy_meta(info))
        return TRUE;
    if (is_scaled(copy, info))
        info->transform_func(copy->out, *meta, in, gst_video_meta_transform_scale_get_quark(),
                             &copy->sizes);
    else
        info->transform_func(copy->out, *meta, in, _gst_meta_transform_copy, &whole);
    return TRUE;
}

/* To where @length pixels from @at on are once @cropped are gone. */
static void crop_range(guint cropped, guint *at, guint *length)
{
    const guint gone = cropped > *at ? cropped - *at : 0;
    *length -= MIN(gone, *length);
    *at -= MIN(cropped, *at);
}

static void crop_regions(GstBuffer *out, const GstVideoCropMeta *crop)
{
    gpointer state = NULL;
    GstMeta *meta;
    while ((meta = gst_buffer_iterate_meta_filtered(out, &state,
                                                    GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))) {
        GstVideoRegionOfInterestMeta *region = (GstVideoRegionOfInterestMeta *)meta;
        crop_range(crop->x, &region->x, &region->w);
        crop_range(crop->y, &region->y, &region->h);
    }
}

static void copy_metadata(GstClBatchFilterPrivate *p, GstBuffer *in, GstBuffer *out)
{
    const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(in);
    MetaCopy copy = { out, { &p->in_info, &p->out_info } };
    gst_buffer_copy_into(out, in, GST_BUFFER_COPY_FLAGS | GST_BUFFER_COPY_TIMESTAMPS, 0, -1);
    gst_buffer_foreach_meta(in, copy_meta, &copy);
    if (crop)
        crop_regions(out, crop);
    GST_BUFFER_FLAG_UNSET(out, GST_BUFFER_FLAG_GAP);
}

GstFlowReturn batch_acquire_output(GstClBatchFilter *self, BatchSlot *slot, GstBuffer *in,
                                   GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GstBuffer *out = NULL;
    GstFlowReturn flow = gst_buffer_pool_acquire_buffer(slot->device->pool, &out, NULL);
    if (flow != GST_FLOW_OK) {
        if (flow != GST_FLOW_FLUSHING)
            g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT,
                        "No memory for an output frame of %" G_GSIZE_FORMAT " bytes.",
                        p->out_info.size);
        return flow;
    }
    copy_metadata(p, in, out);
    if (!gst_video_frame_map(&slot->frames[slot->n_frames].mapped, &p->out_info, out,
                             GST_MAP_WRITE)) {
        gst_buffer_unref(out);
        g_set_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                    "An output buffer cannot be written.");
        return GST_FLOW_ERROR;
    }
    g_queue_push_tail(&slot->output, out);
    slot->n_frames++; /* from here on the slot unmaps it */
    return GST_FLOW_OK;
}

gboolean batch_upload(GstClBatchFilter *self, BatchSlot *slot, GstBuffer *in, GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    OclQueue *queue = slot->device->upload;
    const guint index = slot->n_frames - 1;
    BatchFrame *frame = &slot->frames[index];
    GstVideoFrame mapped;
    if (!gst_video_frame_map(&mapped, &p->in_info, in, GST_MAP_READ)) {
        g_set_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                    "An input buffer of %" G_GSIZE_FORMAT " bytes does not hold a %ux%u %s frame.",
                    gst_buffer_get_size(in), GST_VIDEO_INFO_WIDTH(&p->in_info),
                    GST_VIDEO_INFO_HEIGHT(&p->in_info), GST_VIDEO_INFO_NAME(&p->in_info));
        return FALSE;
    }
    frame->upload_begin = ocl_queue_mark(queue, error);
    gboolean ok = frame->upload_begin && GST_CL_BATCH_FILTER_GET_CLASS(self)->upload(
                                             self, slot->batch, queue, index, &mapped, error);
    gst_video_frame_unmap(&mapped);
    if (!ok)
        return FALSE;
    frame->upload_end = ocl_queue_end(queue, error);
    return frame->upload_end && ocl_queue_flush(queue, error);
}

/* Brings the controllable properties to the time of @buffer. Whoever listens to their changes may
 * do anything, even flush. */
static void sync_controls(GstClBatchFilter *self, GstBuffer *buffer)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    const GstClockTime time = batch_stream_time_locked(p, GST_BUFFER_PTS(buffer));
    UNLOCK(p);
    if (GST_CLOCK_TIME_IS_VALID(time))
        gst_object_sync_values(GST_OBJECT(self), time);
}

/* Whether the stream goes on elsewhere at @buffer, or nobody knows where. */
static gboolean is_elsewhere(const GstClBatchFilterPrivate *p, GstBuffer *buffer)
{
    const GstClockTime time = GST_BUFFER_PTS(buffer);
    return !GST_CLOCK_TIME_IS_VALID(time) || !GST_CLOCK_TIME_IS_VALID(p->last_time) ||
           time < p->last_time || time - p->last_time > LONGEST_GAP;
}

static GstFlowReturn add_frame(GstClBatchFilter *self, const BatchItem *item, GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GstClBatchFilterClass *klass = GST_CL_BATCH_FILTER_GET_CLASS(self);
    GstBuffer *buffer = GST_BUFFER(item->object);
    BatchSlot *slot = p->filling;
    const guint index = slot->n_frames;

    p->needs_reset |= GST_BUFFER_IS_DISCONT(buffer) && is_elsewhere(p, buffer);
    if (p->needs_reset && klass->reset)
        klass->reset(self);
    p->needs_reset = FALSE;
    p->last_time = GST_BUFFER_PTS(buffer);
    slot->frames[index].arrival_us = item->arrival_us;
    klass->snapshot(self, slot->batch, index);
    GstFlowReturn flow = batch_acquire_output(self, slot, buffer, error);
    if (flow != GST_FLOW_OK)
        return flow;
    if (p->discont)
        GST_BUFFER_FLAG_SET(g_queue_peek_tail(&slot->output), GST_BUFFER_FLAG_DISCONT);
    p->discont = FALSE;
    if (video_buffer_is_pinned(buffer, slot->device->cl) ||
        (batch_devices_count(p) > 1 && batch_may_hold(buffer)))
        slot->frames[index].input = gst_buffer_ref(buffer);
    return batch_upload(self, slot, buffer, error) ? GST_FLOW_OK : GST_FLOW_ERROR;
}

/* The slot of the next batch. */
static void begin_batch_locked(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    const guint epoch = p->epoch;
    BatchDevice *device = batch_device_choose_locked(p);
    g_autoptr(GError) error = NULL;
    if (!device) /* another is the best one now */
        return;
    batch_device_fade_others(p, device);
    UNLOCK(p);
    BatchSlot *slot = batch_device_claim_slot(self, device, &error);
    if (error && !batch_lose_device(self, device, &error))
        batch_post_error(self, error);
    LOCK(p);
    if (error)
        stop_locked(p, epoch, GST_FLOW_ERROR);
    else
        p->filling = slot;
}

/* Uploads the frame at the head of the queue. Lock held, let go in between. */
static void fill_locked(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    const guint epoch = p->epoch;
    g_autoptr(GError) error = NULL;
    BatchItem item = *(BatchItem *)gst_queue_array_pop_head_struct(p->items);
    p->n_buffers--;
    BROADCAST(p);
    UNLOCK(p);
    g_autoptr(GstBuffer) buffer = GST_BUFFER(item.object);
    const gboolean drop = batch_qos_drop(self, buffer);
    if (!drop)
        sync_controls(self, buffer);
    LOCK(p);
    if (epoch != p->epoch) {
        p->stats.frames_flushed += !drop;
        return;
    }
    if (drop) {
        p->discont = TRUE;
        return;
    }
    p->n_in_flight++;
    UNLOCK(p);
    GstFlowReturn flow = add_frame(self, &item, &error);
    if (error && batch_lose_device(self, p->filling->device, &error))
        flow = GST_FLOW_OK;
    else if (error)
        batch_post_error(self, error);
    else if (flow == GST_FLOW_OK && p->filling->n_frames == 1)
        batch_timer_start(self, buffer);
    LOCK(p);
    if (flow != GST_FLOW_OK)
        stop_locked(p, epoch, flow);
}

/* ---------------------------------------------------------------- submitting */

/* Whether nothing waits for its second half, or to be done again. */
static gboolean all_decided_locked(const GstClBatchFilterPrivate *p)
{
    for (GList *l = p->submitted.head; l; l = l->next) {
        const SlotState state = ((BatchSlot *)l->data)->state;
        if (state == SLOT_DECIDING || state == SLOT_LOST)
            return FALSE;
    }
    return TRUE;
}

static void submit_locked(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    BatchSlot *slot = g_steal_pointer(&p->filling);
    GstClockID timer = batch_timer_steal_locked(p);
    const gboolean in_turn = all_decided_locked(p);
    p->stats.batches++;
    p->stats.batch_frames += slot->n_frames;
    g_queue_push_tail(&p->submitted, slot);
    GST_LOG_OBJECT(self, "submitting a batch of %u frames to %s", slot->n_frames,
                   slot->device->cl->name);
    slot->submit_us = g_get_monotonic_time();
    batch_enqueue_locked(self, slot, in_turn ? batch_slot_submit_in_turn : batch_slot_submit);
    if (!timer)
        return;
    UNLOCK(p);
    batch_timer_cancel(timer);
    LOCK(p);
}

/* A batch could not be enqueued. */
static void fail_locked(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    const guint epoch = p->epoch;
    BatchSlot *slot = batch_failed_locked(p);
    g_autoptr(GError) error = g_steal_pointer(&slot->error);
    UNLOCK(p);
    const gboolean goes_on = batch_lose_device(self, slot->device, &error);
    if (!goes_on)
        batch_post_error(self, error);
    LOCK(p);
    if (!goes_on)
        stop_locked(p, epoch, GST_FLOW_ERROR);
}

/* The oldest batch whose second half is not enqueued yet, whatever its device; NULL: none, or one
 * before it has to be redone first, or @is_due asks for one whose first half has completed and this
 * one's has not. */
static BatchSlot *find_deciding_locked(const GstClBatchFilterPrivate *p, gboolean is_due)
{
    for (GList *l = p->submitted.head; l; l = l->next) {
        BatchSlot *slot = l->data;
        if (slot->state == SLOT_LOST)
            return NULL;
        if (slot->state == SLOT_ENQUEUEING)
            return is_due ? NULL : slot;
        if (slot->state == SLOT_DECIDING)
            return !is_due || slot->fence->done ? slot : NULL;
    }
    return NULL;
}

static void proceed_locked(GstClBatchFilter *self)
{
    batch_enqueue_locked(self, find_deciding_locked(PRIVATE(self), TRUE), batch_slot_proceed);
}

static void redo_locked(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    const guint epoch = p->epoch;
    g_autoptr(GError) error = NULL;
    UNLOCK(p);
    const GstFlowReturn flow = batch_redo(self, &error);
    if (error)
        batch_post_error(self, error);
    LOCK(p);
    if (flow != GST_FLOW_OK)
        stop_locked(p, epoch, flow);
}

/* ---------------------------------------------------------------- pushing */

/* The subclass has a look at each frame; events are between them. */
static void show_frames(GstClBatchFilter *self, BatchSlot *slot)
{
    GstClBatchFilterClass *klass = GST_CL_BATCH_FILTER_GET_CLASS(self);
    guint index = 0;
    for (GList *item = slot->output.head; item && klass->finish; item = item->next)
        if (GST_IS_BUFFER(item->data))
            klass->finish(self, slot->batch, index++, item->data);
}

gboolean batch_finish(GstClBatchFilter *self, BatchSlot *slot, GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    if (slot->finished)
        return TRUE;
    if (!batch_slot_finish(slot, error))
        return FALSE;
    show_frames(self, slot);
    batch_stats_add(self, slot);
    const gint64 begin_us = batch_device_done(p, slot);
    p->last_ready_us = MAX(p->last_ready_us, slot->fence->done_us);
    batch_compute_time_add(self, (p->last_ready_us - begin_us) * GST_USECOND);
    return TRUE;
}

static GstFlowReturn push_object(GstClBatchFilter *self, GstMiniObject *object)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    if (GST_IS_BUFFER(object))
        return gst_pad_push(p->srcpad, GST_BUFFER(object));
    gst_pad_push_event(p->srcpad, GST_EVENT(object));
    return GST_FLOW_OK;
}

/* Pushes the next frame or event of the oldest batch: the one place where frames leave. */
static void push_locked(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    const guint epoch = p->epoch;
    BatchSlot *slot = g_queue_peek_head(&p->submitted);
    g_autoptr(GError) error = NULL;
    UNLOCK(p);
    const gboolean ok = batch_finish(self, slot, &error);
    const gboolean goes_on = ok || batch_lose_device(self, slot->device, &error);
    if (!goes_on)
        batch_post_error(self, error);
    LOCK(p);
    if (epoch != p->epoch)
        return;
    if (!goes_on)
        stop_locked(p, epoch, GST_FLOW_ERROR);
    if (!ok)
        return;

    GstMiniObject *object = g_queue_pop_head(&slot->output);
    if (GST_IS_BUFFER(object)) {
        p->n_in_flight--;
        p->stats.frames_out++;
    }
    if (g_queue_is_empty(&slot->output))
        g_queue_pop_head(&p->submitted);
    else
        slot = NULL;
    UNLOCK(p);
    if (slot)
        batch_slot_clear(slot);
    GstFlowReturn flow = push_object(self, object);
    LOCK(p);
    if (flow != GST_FLOW_OK)
        stop_locked(p, epoch, flow);
}

/* ---------------------------------------------------------------- events and queries */

/* An event behind the last frame that was taken: it leaves right after it. */
static void ride_locked(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    BatchItem *item = gst_queue_array_pop_head_struct(p->items);
    BatchSlot *slot =
        p->filling && p->filling->n_frames ? p->filling : g_queue_peek_tail(&p->submitted);
    /* A gap says that no frame will come for a while. */
    if (GST_EVENT_TYPE(item->object) == GST_EVENT_GAP)
        slot->closed = TRUE;
    g_queue_push_tail(&slot->output, item->object);
}

static void negotiate_locked(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    const guint epoch = p->epoch;
    g_autoptr(GError) error = NULL;
    UNLOCK(p);
    GstFlowReturn flow = batch_negotiate(self, &error);
    if (error)
        batch_post_error(self, error);
    LOCK(p);
    if (flow != GST_FLOW_OK)
        stop_locked(p, epoch, flow);
}

static void run_query_locked(GstClBatchFilter *self, GstQuery *query)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    p->query_running = query; /* its owner waits while this is set, whatever comes */
    UNLOCK(p);
    gboolean result = gst_pad_peer_query(p->srcpad, query);
    if (GST_QUERY_TYPE(query) == GST_QUERY_DRAIN && !gst_pad_is_linked(p->srcpad))
        result = TRUE;
    LOCK(p);
    p->query_running = NULL;
    p->query_done = query;
    p->query_result = result;
    BROADCAST(p);
}

static void push_event_locked(GstClBatchFilter *self, GstEvent *event)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    const guint epoch = p->epoch;
    const gboolean is_eos = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
    if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) {
        gst_event_copy_segment(event, &p->segment);
        p->needs_reset = TRUE;
    }
    p->eos_pushed |= is_eos;
    UNLOCK(p);
    gst_pad_push_event(p->srcpad, event);
    LOCK(p);
    /* p->eos: no new stream was announced behind the end. */
    if (is_eos && p->eos)
        stop_locked(p, epoch, GST_FLOW_EOS);
}

/* All before it is pushed: takes what is at the head of the queue. */
static void pass_barrier_locked(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    BatchItem item = *(BatchItem *)gst_queue_array_pop_head_struct(p->items);
    if (GST_IS_QUERY(item.object)) {
        run_query_locked(self, GST_QUERY(item.object));
    } else if (GST_EVENT_TYPE(item.object) == GST_EVENT_CAPS) {
        keep_sticky(self, GST_EVENT(item.object));
        gst_mini_object_unref(item.object);
        negotiate_locked(self);
    } else {
        push_event_locked(self, GST_EVENT(item.object));
    }
}

/* ---------------------------------------------------------------- the task */

static Next classify(const BatchItem *item)
{
    if (!item)
        return NEXT_NOTHING;
    if (GST_IS_BUFFER(item->object))
        return NEXT_FRAME;
    if (GST_IS_QUERY(item->object))
        return NEXT_BARRIER;
    switch (GST_EVENT_TYPE(item->object)) {
    case GST_EVENT_STREAM_START:
    case GST_EVENT_CAPS:
    case GST_EVENT_SEGMENT:
    case GST_EVENT_STREAM_GROUP_DONE:
    case GST_EVENT_SEGMENT_DONE:
    case GST_EVENT_EOS:
        return NEXT_BARRIER;
    default:
        return NEXT_RIDER;
    }
}

/* A frame that must not share a batch with those before it, or be taken before they are done with
 * what is carried from frame to frame. */
static gboolean starts_anew(GstClBatchFilterPrivate *p, const BatchItem *item)
{
    return p->caps_pending || p->rebuild || gst_pad_needs_reconfigure(p->srcpad) ||
           (GST_BUFFER_IS_DISCONT(item->object) &&
            ((p->filling && p->filling->n_frames) || find_deciding_locked(p, FALSE)));
}

/* Frames that are there already go along, however long they have waited. */
static gboolean is_ready_locked(GstClBatchFilterPrivate *p, Next next, gboolean anew)
{
    const BatchSlot *slot = p->filling;
    return slot && slot->n_frames && batch_may_enqueue_locked(p, slot->device) &&
           batch_device_n_submitted(p, slot->device) < p->max_submitted &&
           (slot->n_frames == slot->max_frames || slot->closed || next == NEXT_BARRIER || anew ||
            (next != NEXT_FRAME && batch_deadline_passed_locked(p)));
}

/* The device first: it should compute while frames are pushed, which may take as long as
 * downstream likes. */
static Action choose_locked(GstClBatchFilterPrivate *p)
{
    const BatchItem *item = gst_queue_array_peek_head_struct(p->items);
    const Next next = classify(item);
    const gboolean anew = next == NEXT_FRAME && starts_anew(p, item);
    const BatchSlot *oldest = g_queue_peek_head(&p->submitted);
    const gboolean filling = p->filling && p->filling->n_frames;

    if (batch_failed_locked(p))
        return DO_FAIL;
    if (batch_may_enqueue_locked(p, NULL) && find_deciding_locked(p, TRUE))
        return DO_PROCEED;
    /* Before anything else takes its room. */
    if (batch_can_redo_locked(p))
        return batch_may_enqueue_locked(p, NULL) ? DO_REDO : DO_WAIT;
    if (is_ready_locked(p, next, anew))
        return DO_SUBMIT;
    if (next == NEXT_FRAME && !anew &&
        (p->filling ? p->filling->n_frames < p->filling->max_frames
                    : batch_device_choose_locked(p) != NULL))
        return p->filling ? DO_FILL : DO_BEGIN;
    if (next == NEXT_RIDER && (filling || oldest))
        return DO_RIDE;
    if (oldest && oldest->state == SLOT_SUBMITTED && oldest->fence->done)
        return DO_PUSH;
    if (next == NEXT_NOTHING || filling || oldest)
        return DO_WAIT;
    /* Caps that a flush has kept go before the segment that follows it. */
    if (anew || (p->caps_pending && GST_IS_EVENT(item->object) &&
                 GST_EVENT_TYPE(item->object) == GST_EVENT_SEGMENT))
        return DO_NEGOTIATE;
    return next == NEXT_FRAME ? DO_WAIT : DO_BARRIER;
}

static void act_locked(GstClBatchFilter *self, Action action)
{
    switch (action) {
    case DO_FAIL:
        fail_locked(self);
        break;
    case DO_BEGIN:
        begin_batch_locked(self);
        break;
    case DO_FILL:
        fill_locked(self);
        break;
    case DO_SUBMIT:
        submit_locked(self);
        break;
    case DO_PROCEED:
        proceed_locked(self);
        break;
    case DO_REDO:
        redo_locked(self);
        break;
    case DO_RIDE:
        ride_locked(self);
        break;
    case DO_PUSH:
        push_locked(self);
        break;
    case DO_BARRIER:
        pass_barrier_locked(self);
        break;
    case DO_NEGOTIATE:
        negotiate_locked(self);
        break;
    case DO_WAIT:
        batch_wait_locked(PRIVATE(self));
        break;
    }
}

void batch_task_run(GstPad *pad)
{
    GstClBatchFilter *self = GST_CL_BATCH_FILTER(GST_PAD_PARENT(pad));
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    if (p->flow == GST_FLOW_OK)
        act_locked(self, choose_locked(p));
    const GstFlowReturn flow = p->flow;
    /* Paused under the lock: whoever sets the flow to OK again also starts the task again. */
    if (flow != GST_FLOW_OK)
        gst_pad_pause_task(pad);
    UNLOCK(p);
    if (flow == GST_FLOW_OK)
        return;
    GST_DEBUG_OBJECT(self, "pausing: %s", gst_flow_get_name(flow));
    end_stream(self);
}
