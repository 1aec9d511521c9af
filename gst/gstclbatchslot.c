/* gstclbatchslot.c - a batch in flight, and the completion that a driver's thread reports.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstclbatchprivate.h"

#define GST_CAT_DEFAULT gst_cl_batch_filter_debug

/* ---------------------------------------------------------------- completion */

BatchMonitor *batch_monitor_new(void)
{
    BatchMonitor *monitor = g_new0(BatchMonitor, 1);
    g_atomic_ref_count_init(&monitor->ref_count);
    g_mutex_init(&monitor->lock);
    g_cond_init(&monitor->cond);
    return monitor;
}

void batch_monitor_unref(BatchMonitor *monitor)
{
    if (!g_atomic_ref_count_dec(&monitor->ref_count))
        return;
    g_mutex_clear(&monitor->lock);
    g_cond_clear(&monitor->cond);
    g_free(monitor);
}

void batch_fence_unref(BatchFence *fence)
{
    if (!fence || !g_atomic_ref_count_dec(&fence->ref_count))
        return;
    batch_monitor_unref(fence->monitor);
    g_free(fence);
}

/* A thread of the driver, or of ours that asks it. */
static void fence_reached(gpointer data, cl_int status)
{
    BatchFence *fence = data;
    g_mutex_lock(&fence->monitor->lock);
    fence->done = TRUE;
    fence->status = status;
    fence->done_us = g_get_monotonic_time();
    g_cond_broadcast(&fence->monitor->cond);
    g_mutex_unlock(&fence->monitor->lock);
    batch_fence_unref(fence);
}

BatchFence *batch_fence_new(BatchMonitor *monitor, const OclDevice *device, cl_event event,
                            GError **error)
{
    BatchFence *fence = g_new0(BatchFence, 1);
    g_atomic_ref_count_init(&fence->ref_count);
    g_atomic_ref_count_inc(&monitor->ref_count);
    fence->monitor = monitor;
    g_atomic_ref_count_inc(&fence->ref_count); /* the callback's */
    if (ocl_event_notify(event, device, fence_reached, fence, error))
        return fence;
    batch_fence_unref(fence);
    batch_fence_unref(fence);
    return NULL;
}

/* ---------------------------------------------------------------- slots */

static BatchSlot *slot_new(BatchDevice *device, GstClBatch batch, guint max_frames)
{
    BatchSlot *slot = g_new0(BatchSlot, 1);
    slot->device = device;
    slot->batch = batch;
    slot->max_frames = max_frames;
    slot->frames = g_new0(BatchFrame, max_frames);
    slot->state = SLOT_FREE;
    g_queue_init(&slot->output);
    return slot;
}

BatchSlot *batch_slot_new(GstClBatchFilter *filter, BatchDevice *device, guint max_frames,
                          GError **error)
{
    GstClBatch batch =
        GST_CL_BATCH_FILTER_GET_CLASS(filter)->batch_new(filter, device->build, max_frames, error);
    return batch ? slot_new(device, batch, max_frames) : NULL;
}

BatchSlot *batch_slot_new_from(BatchSlot *done)
{
    return slot_new(done->device, g_steal_pointer(&done->batch), done->max_frames);
}

static void unmap(BatchSlot *slot)
{
    if (slot->finished)
        return;
    for (guint i = 0; i < slot->n_frames; i++) {
        gst_video_frame_unmap(&slot->frames[i].mapped);
        gst_clear_buffer(&slot->frames[i].input);
    }
    slot->finished = TRUE;
}

static void clear_events(BatchSlot *slot)
{
    for (guint i = 0; i < slot->max_frames; i++) {
        ocl_event_clear(&slot->frames[i].upload_begin);
        ocl_event_clear(&slot->frames[i].upload_end);
    }
    ocl_event_clear(&slot->first_begin);
    ocl_event_clear(&slot->first_end);
    ocl_event_clear(&slot->compute_begin);
    ocl_event_clear(&slot->compute_end);
    ocl_event_clear(&slot->download_end);
}

void batch_slot_clear(BatchSlot *slot)
{
    unmap(slot);
    g_queue_clear_full(&slot->output, (GDestroyNotify)gst_mini_object_unref);
    g_clear_pointer(&slot->fence, batch_fence_unref);
    g_clear_error(&slot->error);
    clear_events(slot);
    slot->n_frames = 0;
    slot->closed = FALSE;
    slot->finished = FALSE;
    slot->submit_us = 0;
    slot->state = SLOT_FREE;
}

void batch_slot_free(GstClBatchFilter *filter, BatchSlot *slot)
{
    batch_slot_clear(slot);
    if (slot->batch)
        GST_CL_BATCH_FILTER_GET_CLASS(filter)->batch_free(filter, slot->batch);
    g_free(slot->frames);
    g_free(slot);
}

/* ---------------------------------------------------------------- running */

/* compute() or proceed(). */
typedef gboolean (*Compute)(GstClBatchFilter *filter, GstClBatch batch, OclQueue *compute,
                            guint n_frames, GError **error);

static gboolean mark_end(OclQueue *queue, cl_event *end, GError **error)
{
    *end = ocl_queue_end(queue, error);
    return *end && ocl_queue_flush(queue, error);
}

/* What has been enqueued may still run, also after a failure, so the slot gets its fence anyway. */
static gboolean enqueue_fence(GstClBatchFilter *filter, BatchSlot *slot, OclQueue *queue,
                              cl_event *end, GError **error)
{
    if (!mark_end(queue, end, error))
        return FALSE;
    slot->fence = batch_fence_new(PRIVATE(filter)->monitor, slot->device->cl, *end, error);
    return slot->fence != NULL;
}

static gboolean enqueue_compute(GstClBatchFilter *filter, BatchSlot *slot, OclQueue *queue,
                                Compute compute, cl_event *begin, GError **error)
{
    const cl_event uploaded = slot->frames[slot->n_frames - 1].upload_end;
    if (!ocl_queue_wait(queue, uploaded, error))
        return FALSE;
    *begin = ocl_queue_mark(queue, error);
    return *begin && compute(filter, slot->batch, queue, slot->n_frames, error);
}

static gboolean enqueue_download(GstClBatchFilter *filter, BatchSlot *slot, GError **error)
{
    OclQueue *queue = slot->device->download;
    if (!ocl_queue_wait(queue, slot->compute_end, error))
        return FALSE;
    for (guint i = 0; i < slot->n_frames; i++)
        if (!GST_CL_BATCH_FILTER_GET_CLASS(filter)->download(filter, slot->batch, queue, i,
                                                             &slot->frames[i].mapped, error))
            return FALSE;
    return TRUE;
}

/* The first of two halves. */
static SlotState enqueue_first(GstClBatchFilter *filter, BatchSlot *slot, Compute compute,
                               GError **error)
{
    OclQueue *queue = slot->device->first;
    const gboolean ok = enqueue_compute(filter, slot, queue, compute, &slot->first_begin, error);
    return enqueue_fence(filter, slot, queue, &slot->first_end, ok ? error : NULL) && ok
               ? SLOT_DECIDING
               : SLOT_ZOMBIE;
}

/* The second half, or the whole, and the readback. */
static SlotState enqueue_last(GstClBatchFilter *filter, BatchSlot *slot, Compute compute,
                              GError **error)
{
    const BatchDevice *device = slot->device;
    slot->last_us = g_get_monotonic_time();
    const gboolean ok =
        enqueue_compute(filter, slot, device->compute, compute, &slot->compute_begin, error) &&
        mark_end(device->compute, &slot->compute_end, error) &&
        enqueue_download(filter, slot, error);
    /* Its fence may be done without an error, but there is no result. */
    return enqueue_fence(filter, slot, device->download, &slot->download_end, ok ? error : NULL) &&
                   ok
               ? SLOT_SUBMITTED
               : SLOT_ZOMBIE;
}

void batch_slot_end_uploads(GstClBatchFilter *filter, BatchSlot *slot)
{
    slot->submit_us = g_get_monotonic_time();
    enqueue_fence(filter, slot, slot->device->upload, &slot->download_end, NULL);
}

static gboolean compute_nothing(GstClBatchFilter *filter, GstClBatch batch, OclQueue *queue,
                                guint n_frames, GError **error)
{
    return TRUE;
}

static gboolean has_first(GstClBatchFilter *filter, BatchSlot *slot)
{
    const GstClBatchFilterClass *klass = GST_CL_BATCH_FILTER_GET_CLASS(filter);
    return !klass->has_first || klass->has_first(filter, slot->batch, slot->n_frames);
}

static SlotState submit(GstClBatchFilter *filter, BatchSlot *slot, gboolean in_turn, GError **error)
{
    const GstClBatchFilterClass *klass = GST_CL_BATCH_FILTER_GET_CLASS(filter);
    SlotState state;
    if (!slot->device->first)
        state = enqueue_last(filter, slot, klass->compute, error);
    else if (has_first(filter, slot))
        state = enqueue_first(filter, slot, klass->compute, error);
    else if (!in_turn)
        state = enqueue_first(filter, slot, compute_nothing, error);
    else
        state = enqueue_last(filter, slot, klass->proceed, error);
    slot->enqueued_us = g_get_monotonic_time();
    return state;
}

SlotState batch_slot_submit(GstClBatchFilter *filter, BatchSlot *slot, GError **error)
{
    return submit(filter, slot, FALSE, error);
}

SlotState batch_slot_submit_in_turn(GstClBatchFilter *filter, BatchSlot *slot, GError **error)
{
    return submit(filter, slot, TRUE, error);
}

/* The first that failed knows why; those after it only know that they waited for it. */
static gboolean look_at_status(BatchSlot *slot, GError **error)
{
    const OclDevice *device = slot->device->cl;
    const cl_int status = slot->fence->status;
    if (status >= 0)
        return TRUE;
    const cl_event ends[] = { slot->first_end, slot->compute_end, slot->download_end };
    for (guint i = 0; i < G_N_ELEMENTS(ends); i++)
        if (ends[i] && !ocl_event_wait(ends[i], device, error))
            return FALSE;
    g_set_error(error, OCL_ERROR, status, "A batch failed on %s: %s (%d)", device->name,
                ocl_status_name(status), status);
    return FALSE;
}

SlotState batch_slot_proceed(GstClBatchFilter *filter, BatchSlot *slot, GError **error)
{
    if (!look_at_status(slot, error))
        return SLOT_ZOMBIE;
    g_clear_pointer(&slot->fence, batch_fence_unref);
    return enqueue_last(filter, slot, GST_CL_BATCH_FILTER_GET_CLASS(filter)->proceed, error);
}

gboolean batch_slot_finish(BatchSlot *slot, GError **error)
{
    if (!look_at_status(slot, error))
        return FALSE;
    unmap(slot);
    return TRUE;
}
