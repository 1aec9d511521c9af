/* gstclbatchcaps.c - which formats come in and go out, where output frames lie, building for them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstclbatchprivate.h"

#include "gstclerror.h"
#include "video/video.h"

#define GST_CAT_DEFAULT gst_cl_batch_filter_debug

/* How long an empty batch may hold up the beginning of a live stream. */
#define MAX_WARM_UP_US (2 * G_TIME_SPAN_SECOND)

/* Buffers that upstream should have besides those of one batch in the queue: one being written, one
 * being uploaded. */
#define N_SPARE_BUFFERS 2

/* ---------------------------------------------------------------- queries */

/* What @pad can do, given what is possible behind the other one. */
gboolean batch_caps_query(GstClBatchFilter *self, GstPad *pad, GstQuery *query)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GstClBatchFilterClass *klass = GST_CL_BATCH_FILTER_GET_CLASS(self);
    const gboolean is_sink = pad == p->sinkpad;
    GstPad *other = is_sink ? p->srcpad : p->sinkpad;
    const GstPadDirection to = is_sink ? GST_PAD_SINK : GST_PAD_SRC;

    GstCaps *filter;
    gst_query_parse_caps(query, &filter);
    g_autoptr(GstCaps) template_caps = gst_pad_get_pad_template_caps(pad);
    g_autoptr(GstCaps) other_template = gst_pad_get_pad_template_caps(other);
    g_autoptr(GstCaps) peer = gst_pad_peer_query_caps(other, NULL);
    g_autoptr(GstCaps) there =
        gst_caps_intersect_full(peer, other_template, GST_CAPS_INTERSECT_FIRST);
    g_autoptr(GstCaps) through = klass->transform_caps(self, to, there);
    GstCaps *caps = gst_caps_intersect_full(through, template_caps, GST_CAPS_INTERSECT_FIRST);
    if (filter) {
        GstCaps *all = caps;
        caps = gst_caps_intersect_full(filter, all, GST_CAPS_INTERSECT_FIRST);
        gst_caps_unref(all);
    }
    gst_query_set_caps_result(query, caps);
    gst_caps_unref(caps);
    return TRUE;
}

gboolean batch_caps_acceptable(GstClBatchFilter *self, GstCaps *caps)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GstVideoInfo info;
    g_autoptr(GstCaps) template_caps = gst_pad_get_pad_template_caps(p->sinkpad);
    if (!gst_caps_can_intersect(template_caps, caps) || !gst_video_info_from_caps(&info, caps))
        return FALSE;
    g_autoptr(GstCaps) out =
        GST_CL_BATCH_FILTER_GET_CLASS(self)->transform_caps(self, GST_PAD_SRC, caps);
    return !gst_caps_is_empty(out);
}

gboolean batch_allocation_query(GstClBatchFilter *self, GstQuery *query)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GstCaps *caps;
    gboolean need_pool;
    GstVideoInfo info;
    gst_query_parse_allocation(query, &caps, &need_pool);
    if (!caps || !gst_video_info_from_caps(&info, caps))
        return FALSE;
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    OclDevice *device = gst_cl_batch_filter_get_device(self);
    if (!need_pool || !device)
        return TRUE;

    LOCK(p);
    const guint n_min = MAX(p->max_frames, batch_wanted_frames_locked(self)) + N_SPARE_BUFFERS;
    UNLOCK(p);
    g_autoptr(GstBufferPool) pool = video_pinned_pool_new(device);
    GstStructure *config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, info.size, n_min, 0);
    gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    if (!gst_buffer_pool_set_config(pool, config))
        return TRUE;
    gst_query_add_allocation_pool(query, pool, info.size, n_min, 0);
    return TRUE;
}

/* ---------------------------------------------------------------- the output's format */

/* The first of the subclass' formats that downstream takes. */
static GstCaps *choose_output(GstClBatchFilter *self, GstCaps *in)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    g_autoptr(GstCaps) possible =
        GST_CL_BATCH_FILTER_GET_CLASS(self)->transform_caps(self, GST_PAD_SRC, in);
    g_autoptr(GstCaps) template_caps = gst_pad_get_pad_template_caps(p->srcpad);
    g_autoptr(GstCaps) ours =
        gst_caps_intersect_full(possible, template_caps, GST_CAPS_INTERSECT_FIRST);
    g_autoptr(GstCaps) theirs = gst_pad_peer_query_caps(p->srcpad, ours);
    GstCaps *out = gst_caps_intersect_full(ours, theirs, GST_CAPS_INTERSECT_FIRST);
    if (!gst_caps_is_empty(out))
        return gst_caps_fixate(out);
    GST_INFO_OBJECT(self, "downstream takes none of %" GST_PTR_FORMAT, ours);
    gst_caps_unref(out);
    return NULL;
}

/* ---------------------------------------------------------------- output buffers */

/* A pool of downstream's that is more than ordinary memory, which ours is faster than. */
static GstBufferPool *downstream_pool(GstClBatchFilter *self, GstQuery *query, guint n_ours,
                                      guint *size_b, guint *n_min)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GstBufferPool *pool = NULL;
    guint n_max;
    if (gst_query_get_n_allocation_pools(query) == 0)
        return NULL;
    gst_query_parse_nth_allocation_pool(query, 0, &pool, size_b, n_min, &n_max);
    *n_min += n_ours;
    *size_b = MAX(*size_b, p->out_info.size);
    const gboolean usable = pool && G_OBJECT_TYPE(pool) != GST_TYPE_VIDEO_BUFFER_POOL &&
                            (n_max == 0 || n_max >= *n_min);
    if (!usable)
        gst_clear_object(&pool);
    return pool;
}

static gboolean configure_pool(GstBufferPool *pool, GstCaps *caps, guint size_b, guint n_min,
                               gboolean with_meta)
{
    GstStructure *config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, size_b, n_min, 0);
    if (with_meta)
        gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    return gst_buffer_pool_set_config(pool, config) && gst_buffer_pool_set_active(pool, TRUE);
}

/* @pool: (transfer full) (nullable) */
static void publish_pool(GstClBatchFilter *self, BatchDevice *device, GstBufferPool *pool)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    GstBufferPool *old = device->pool;
    device->pool = pool;
    const gboolean flushing = p->flow == GST_FLOW_FLUSHING;
    UNLOCK(p);
    if (pool && flushing)
        gst_buffer_pool_set_flushing(pool, TRUE);
    if (old)
        gst_buffer_pool_set_active(old, FALSE);
    gst_clear_object(&old);
}

/* Memory that one device has pinned is ordinary memory to another. */
static GstBufferPool *pinned_pool(GstClBatchFilter *self, BatchDevice *device, GstCaps *caps,
                                  gboolean with_meta)
{
    /* Buffers are made when they are first needed: a single picture needs one. */
    GstBufferPool *pool = video_pinned_pool_new(device->cl);
    if (configure_pool(pool, caps, PRIVATE(self)->out_info.size, 0, with_meta))
        return pool;
    gst_object_unref(pool);
    return NULL;
}

/* Downstream's, or one of each device. */
static gboolean make_pools(GstClBatchFilter *self, GstCaps *caps)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    g_autoptr(GstQuery) query = gst_query_new_allocation(caps, TRUE);
    const guint n_ours = p->max_frames * (p->max_submitted + 1) * batch_devices_count(p);
    const gboolean with_meta = gst_pad_peer_query(p->srcpad, query) &&
                               gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    guint size_b, n_min;
    g_autoptr(GstBufferPool) theirs = downstream_pool(self, query, n_ours, &size_b, &n_min);
    if (theirs && !configure_pool(theirs, caps, size_b, n_min, with_meta))
        gst_clear_object(&theirs);
    gboolean ok = TRUE;
    for (BatchDevice *device = batch_device_next(p, NULL); device;
         device = batch_device_next(p, device)) {
        GstBufferPool *pool =
            theirs ? gst_object_ref(theirs) : pinned_pool(self, device, caps, with_meta);
        publish_pool(self, device, pool);
        ok = ok && pool;
    }
    return ok;
}

/* ---------------------------------------------------------------- building */

static void free_slots(GstClBatchFilter *self, BatchDevice *device)
{
    for (guint i = 0; i < device->slots->len; i++)
        batch_slot_free(self, device->slots->pdata[i]);
    g_ptr_array_set_size(device->slots, 0);
}

/* TRUE when all that was enqueued on @queue is over, FALSE when it takes too long. */
static gboolean wait_for_queue(GstClBatchFilterPrivate *p, OclQueue *queue, gint64 until_us)
{
    cl_event event = ocl_queue_mark(queue, NULL);
    BatchFence *fence = event && ocl_queue_flush(queue, NULL)
                            ? batch_fence_new(p->monitor, queue->device, event, NULL)
                            : NULL;
    ocl_event_clear(&event);
    if (!fence)
        return FALSE;
    LOCK(p);
    while (!fence->done && g_cond_wait_until(&p->monitor->cond, &p->monitor->lock, until_us))
        continue;
    const gboolean done = fence->done;
    UNLOCK(p);
    batch_fence_unref(fence);
    return done;
}

static gboolean wait_for_device(GstClBatchFilterPrivate *p, const BatchDevice *device,
                                gint64 until_us)
{
    return wait_for_queue(p, device->upload, until_us) &&
           (!device->first || wait_for_queue(p, device->first, until_us)) &&
           wait_for_queue(p, device->compute, until_us) &&
           wait_for_queue(p, device->download, until_us);
}

static void release_device(GstClBatchFilter *self, BatchDevice *device)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    publish_pool(self, device, NULL);
    if (!device->build)
        return;
    LOCK(p);
    const gint64 until_us = g_get_monotonic_time() + batch_device_patience_us_locked(device);
    UNLOCK(p);
    if (wait_for_device(p, device, until_us)) {
        free_slots(self, device);
        GST_CL_BATCH_FILTER_GET_CLASS(self)->release(self, device->build);
    } else {
        /* Freeing what a device may still write to would be worse. */
        GST_WARNING_OBJECT(self, "%s does not answer; its memory is lost", device->cl->name);
        g_ptr_array_set_size(device->slots, 0);
    }
    device->build = NULL;
}

void batch_release(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    for (guint i = 0; i < p->devices->len; i++)
        release_device(self, p->devices->pdata[i]);
    p->filling = NULL;
    LOCK(p);
    p->max_frames = 0;
    UNLOCK(p);
}

/* With the first slot, to see whether memory suffices. */
static gboolean build_on(GstClBatchFilter *self, BatchDevice *device, guint max_frames,
                         GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GstClBatchFilterClass *klass = GST_CL_BATCH_FILTER_GET_CLASS(self);
    device->build = klass->prepare(self, device->cl, &p->in_info, &p->out_info, max_frames, error);
    if (!device->build)
        return FALSE;
    BatchSlot *slot = batch_slot_new(self, device, max_frames, error);
    if (!slot) {
        klass->release(self, g_steal_pointer(&device->build));
        return FALSE;
    }
    g_ptr_array_add(device->slots, slot);
    device->max_slots = p->inflight + 1;
    return TRUE;
}

/* Builds for batches of @max_frames. */
static gboolean build_for(GstClBatchFilter *self, guint max_frames, GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    for (BatchDevice *device = batch_device_next(p, NULL); device;
         device = batch_device_next(p, device)) {
        if (!build_on(self, device, max_frames, error)) {
            batch_release(self);
            return FALSE;
        }
    }
    p->needs_reset = TRUE;
    LOCK(p);
    p->max_frames = max_frames;
    p->max_submitted = p->inflight;
    UNLOCK(p);
    return TRUE;
}

static gboolean build(GstClBatchFilter *self, GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    g_autoptr(GError) failure = NULL;
    LOCK(p);
    const guint wanted = batch_wanted_frames_locked(self);
    UNLOCK(p);
    if (build_for(self, wanted, &failure))
        return TRUE;
    if (wanted == 1 || !ocl_error_is_out_of_memory(failure)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    gst_cl_warning_post(GST_ELEMENT(self), failure,
                        "Not enough memory on the OpenCL device for the whole batch size: half of "
                        "it is used.");
    LOCK(p);
    p->max_frames_limit = wanted / 2;
    UNLOCK(p);
    return build_for(self, wanted / 2, error);
}

/* Runs an empty batch and takes its time, so that the latency of a live stream is known before its
 * first frame, and drivers have compiled what they compile late. */
static gboolean warm_up(GstClBatchFilter *self, const BatchDevice *device, GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GstClBatchFilterClass *klass = GST_CL_BATCH_FILTER_GET_CLASS(self);
    BatchSlot *slot = device->slots->pdata[0];
    const gint64 begin_us = g_get_monotonic_time(), until_us = begin_us + MAX_WARM_UP_US;
    OclQueue *queue = device->first ? device->first : device->compute;
    if ((!klass->has_first || klass->has_first(self, slot->batch, slot->max_frames)) &&
        !klass->compute(self, slot->batch, queue, slot->max_frames, error))
        return FALSE;
    if (!wait_for_queue(p, queue, until_us))
        return TRUE;
    if (klass->proceed &&
        !klass->proceed(self, slot->batch, device->compute, slot->max_frames, error))
        return FALSE;
    if (wait_for_queue(p, device->compute, until_us))
        batch_compute_time_add(self, (g_get_monotonic_time() - begin_us) * GST_USECOND);
    return TRUE;
}

static gboolean warm_up_all(GstClBatchFilter *self, GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    for (BatchDevice *device = batch_device_next(p, NULL); device;
         device = batch_device_next(p, device))
        if (!warm_up(self, device, error))
            return FALSE;
    return TRUE;
}

static gboolean rebuild(GstClBatchFilter *self, GstCaps *out, GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GstVideoInfo in_info, out_info;
    if (!gst_video_info_from_caps(&in_info, p->in_caps) ||
        !gst_video_info_from_caps(&out_info, out)) {
        g_autofree char *formats = gst_caps_to_string(out);
        g_set_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                    "There are no frames that large: %s.", formats);
        return FALSE;
    }
    batch_release(self);
    batch_update_live(self);
    LOCK(p);
    p->in_info = in_info;
    p->out_info = out_info;
    p->n_latencies = 0;
    p->compute_time = 0;
    const gboolean live = p->live;
    UNLOCK(p);
    if (!build(self, error) || (live && !warm_up_all(self, error)))
        return FALSE;
    if (live)
        batch_post_latency(self);
    GST_INFO_OBJECT(self, "built for %" GST_PTR_FORMAT " to %" GST_PTR_FORMAT ", batches of %u",
                    p->in_caps, out, p->max_frames);
    return TRUE;
}

GstFlowReturn batch_negotiate(GstClBatchFilter *self, GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    gst_pad_check_reconfigure(p->srcpad);
    g_autoptr(GstCaps) out = choose_output(self, p->in_caps);
    g_autoptr(GstCaps) current = gst_pad_get_current_caps(p->srcpad);
    LOCK(p);
    const gboolean same = current && out && !p->caps_pending && !p->rebuild && p->max_frames &&
                          gst_caps_is_equal(current, out);
    p->rebuild = FALSE;
    p->caps_pending = FALSE;
    UNLOCK(p);
    GstFlowReturn flow = GST_FLOW_OK;
    if (!out)
        flow = GST_FLOW_NOT_NEGOTIATED;
    else if (!same && !rebuild(self, out, error))
        flow = GST_FLOW_ERROR;
    else if (!(current && gst_caps_is_equal(current, out)) && !gst_pad_set_caps(p->srcpad, out))
        flow = GST_PAD_IS_FLUSHING(p->srcpad) ? GST_FLOW_FLUSHING : GST_FLOW_NOT_NEGOTIATED;
    if (flow == GST_FLOW_OK && !make_pools(self, out))
        flow = GST_FLOW_NOT_NEGOTIATED;
    if (flow != GST_FLOW_OK) {
        gst_pad_mark_reconfigure(p->srcpad);
        LOCK(p);
        p->caps_pending = TRUE;
        UNLOCK(p);
    }
    return flow;
}
