/* gstclbatchloss.c - going on without a device: its batches are done again on another.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstclbatchprivate.h"

#include "gstclerror.h"

#define GST_CAT_DEFAULT gst_cl_batch_filter_debug

/* ---------------------------------------------------------------- losing */

gboolean batch_may_hold(GstBuffer *buffer)
{
    guint n_max = 0;
    if (!buffer->pool)
        return TRUE;
    GstStructure *config = gst_buffer_pool_get_config(buffer->pool);
    gst_buffer_pool_config_get_params(config, NULL, NULL, NULL, &n_max);
    gst_structure_free(config);
    return n_max == 0;
}

static gboolean is_computed_locked(const BatchSlot *slot)
{
    return slot->state == SLOT_SUBMITTED && slot->fence && slot->fence->done &&
           slot->fence->status >= 0;
}

static gboolean is_held(const BatchSlot *slot)
{
    for (guint i = 0; i < slot->n_frames; i++)
        if (!slot->frames[i].input)
            return FALSE;
    return TRUE;
}

/* The batches that are lost with @device. */
static GPtrArray *find_affected_locked(const GstClBatchFilterPrivate *p, const BatchDevice *device)
{
    GPtrArray *affected = g_ptr_array_new();
    for (GList *l = p->submitted.head; l; l = l->next) {
        BatchSlot *slot = l->data;
        if (slot->device == device && !is_computed_locked(slot))
            g_ptr_array_add(affected, slot);
    }
    if (p->filling && p->filling->device == device)
        g_ptr_array_add(affected, p->filling);
    return affected;
}

static gboolean are_held(const GPtrArray *slots)
{
    for (guint i = 0; i < slots->len; i++)
        if (!is_held(slots->pdata[i]))
            return FALSE;
    return TRUE;
}

/* The batch that was being filled ends here. */
static GstClockID close_filling_locked(GstClBatchFilterPrivate *p)
{
    BatchSlot *slot = g_steal_pointer(&p->filling);
    if (slot->n_frames == 0)
        return NULL;
    p->stats.batches++;
    p->stats.batch_frames += slot->n_frames;
    g_queue_push_tail(&p->submitted, slot);
    return batch_timer_steal_locked(p);
}

gboolean batch_lose_device(GstClBatchFilter *self, BatchDevice *device, GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GstClockID timer = NULL;
    if (!ocl_error_is_device_lost(*error) || batch_devices_count(p) < 2)
        return FALSE;
    LOCK(p);
    batch_enqueue_wait_locked(p, device);
    g_autoptr(GPtrArray) affected = find_affected_locked(p, device);
    const gboolean can_go_on = are_held(affected);
    device->lost = can_go_on;
    for (guint i = 0; can_go_on && i < affected->len; i++) {
        BatchSlot *slot = affected->pdata[i];
        slot->state = SLOT_LOST;
        g_clear_error(&slot->error);
    }
    if (can_go_on && p->filling && p->filling->device == device)
        timer = close_filling_locked(p);
    UNLOCK(p);
    batch_timer_cancel(timer);
    if (!can_go_on) {
        g_prefix_error(error, "Another device cannot take over, because upstream has not enough "
                              "buffers to keep frames until they are computed: ");
        return FALSE;
    }
    g_autofree char *consequence =
        g_strdup_printf("An OpenCL device stopped working, the stream goes on with the others: %s.",
                        device->cl->name);
    gst_cl_warning_post(GST_ELEMENT(self), *error, consequence);
    g_clear_error(error);
    return TRUE;
}

/* ---------------------------------------------------------------- doing it again */

static GList *find_lost(const GstClBatchFilterPrivate *p)
{
    GList *l = p->submitted.head;
    while (l && ((BatchSlot *)l->data)->state != SLOT_LOST)
        l = l->next;
    return l;
}

/* A batch of @device that waits to be pushed and needs its memory no more. */
static BatchSlot *find_donor_locked(const GstClBatchFilterPrivate *p, const BatchDevice *device)
{
    for (GList *l = p->submitted.head; l; l = l->next) {
        BatchSlot *slot = l->data;
        if (slot->device == device && slot->batch && is_computed_locked(slot))
            return slot;
    }
    return NULL;
}

/* TRUE if no slot of @device becomes free before what is lost is redone: all wait for that, also
 * those that have failed. */
static gboolean is_stuck_locked(const BatchDevice *device)
{
    for (guint i = 0; i < device->slots->len; i++) {
        const BatchSlot *slot = device->slots->pdata[i];
        const gboolean has_failed =
            slot->state == SLOT_SUBMITTED && slot->fence->done && slot->fence->status < 0;
        if (slot->batch && slot->state != SLOT_DECIDING && slot->state != SLOT_FILLING &&
            !has_failed)
            return FALSE;
    }
    return TRUE;
}

static BatchDevice *find_room_locked(const GstClBatchFilterPrivate *p)
{
    for (BatchDevice *device = batch_device_next(p, NULL); device;
         device = batch_device_next(p, device))
        if (device->slots->len < device->max_slots || batch_device_usable_slot_locked(device) ||
            find_donor_locked(p, device) || is_stuck_locked(device))
            return device;
    return NULL;
}

gboolean batch_can_redo_locked(const GstClBatchFilterPrivate *p)
{
    return find_lost(p) && find_room_locked(p);
}

static BatchSlot *claim(GstClBatchFilter *self, BatchDevice *device, GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    const gboolean has_room =
        device->slots->len < device->max_slots || batch_device_usable_slot_locked(device);
    BatchSlot *donor = find_donor_locked(p, device);
    UNLOCK(p);
    if (has_room)
        return batch_device_claim_slot(self, device, error);
    /* What its batch knows of its frames goes with them now. */
    if (donor && !batch_finish(self, donor, error))
        return NULL;
    BatchSlot *slot = donor ? batch_slot_new_from(donor)
                            : batch_slot_new(self, device, PRIVATE(self)->max_frames, error);
    if (!slot)
        return NULL;
    g_ptr_array_add(device->slots, slot);
    slot->state = SLOT_FILLING;
    return slot;
}

/* @before: the output buffer that it had. */
static GstFlowReturn redo_frame(GstClBatchFilter *self, const BatchSlot *from, BatchSlot *to,
                                GstBuffer *before, GError **error)
{
    GstClBatchFilterClass *klass = GST_CL_BATCH_FILTER_GET_CLASS(self);
    const guint index = to->n_frames;
    GstBuffer *input = from->frames[index].input;
    to->frames[index].arrival_us = from->frames[index].arrival_us;
    if (klass->snapshot_copy)
        klass->snapshot_copy(self, from->batch, to->batch, index);
    else
        klass->snapshot(self, to->batch, index);
    const GstFlowReturn flow = batch_acquire_output(self, to, input, error);
    if (flow != GST_FLOW_OK)
        return flow;
    if (GST_BUFFER_IS_DISCONT(before))
        GST_BUFFER_FLAG_SET(g_queue_peek_tail(&to->output), GST_BUFFER_FLAG_DISCONT);
    gst_buffer_replace(&to->frames[index].input, input);
    return batch_upload(self, to, input, error) ? GST_FLOW_OK : GST_FLOW_ERROR;
}

/* The device may still write into the output buffers of @from, so the frames get new ones. */
static GstFlowReturn redo_batch(GstClBatchFilter *self, BatchSlot *from, BatchSlot *to,
                                GError **error)
{
    GstFlowReturn flow = GST_FLOW_OK;
    for (GList *l = from->output.head; l && flow == GST_FLOW_OK; l = l->next)
        if (GST_IS_BUFFER(l->data))
            flow = redo_frame(self, from, to, GST_BUFFER(l->data), error);
        else
            g_queue_push_tail(&to->output, gst_mini_object_ref(l->data));
    if (flow != GST_FLOW_OK)
        return flow;
    to->submit_us = g_get_monotonic_time();
    to->state = batch_slot_submit(self, to, error);
    return to->state == SLOT_ZOMBIE ? GST_FLOW_ERROR : GST_FLOW_OK;
}

GstFlowReturn batch_redo(GstClBatchFilter *self, GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    GList *place = find_lost(p);
    BatchDevice *device = find_room_locked(p);
    UNLOCK(p);
    BatchSlot *from = place->data, *to = claim(self, device, error);
    if (!to)
        return *error ? GST_FLOW_ERROR : GST_FLOW_OK;
    GST_INFO_OBJECT(self, "doing a batch of %u frames again on %s", from->n_frames,
                    device->cl->name);
    const GstFlowReturn flow = redo_batch(self, from, to, error);
    if (flow == GST_FLOW_OK) {
        LOCK(p);
        place->data = to;
        UNLOCK(p);
        g_queue_clear_full(&from->output, (GDestroyNotify)gst_mini_object_unref);
        from->state = SLOT_ZOMBIE;
        return GST_FLOW_OK;
    }
    if (!to->fence)
        batch_slot_end_uploads(self, to);
    to->state = SLOT_ZOMBIE;
    return *error && batch_lose_device(self, device, error) ? GST_FLOW_OK : flow;
}
