/* gstclbatchdevice.c - the devices of a filter: opening them, choosing one, losing one.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstclbatchprivate.h"

#include "gstclerror.h"

#define GST_CAT_DEFAULT gst_cl_batch_filter_debug

/* The first batch of a device is not measured: drivers compile late. */
#define N_UNMEASURED 1
/* Share of a new measurement, and what a device that is passed over gains with each batch. */
#define MEASURE_SHARE 4
#define FADING 256

/* A device is hung that needs this many times what its batches have taken, and not less than the
 * least; one that has not been measured yet may be a CPU with a network for GPUs. To leave memory
 * to a device that is merely slow costs all of it, each time. */
#define PATIENCE 10
#define MIN_PATIENCE_US (5 * G_TIME_SPAN_SECOND)
#define UNKNOWN_PATIENCE_US (60 * G_TIME_SPAN_SECOND)

/* ---------------------------------------------------------------- opening */

static void device_free(gpointer data)
{
    BatchDevice *device = data;
    batch_enqueuer_stop(device);
    g_cond_clear(&device->job_given);
    g_clear_pointer(&device->upload, ocl_queue_free);
    g_clear_pointer(&device->first, ocl_queue_free);
    g_clear_pointer(&device->compute, ocl_queue_free);
    g_clear_pointer(&device->download, ocl_queue_free);
    g_ptr_array_unref(device->slots);
    ocl_device_unref(device->cl);
    g_free(device);
}

static gboolean make_queues(BatchDevice *device, gboolean with_first, GError **error)
{
    return (device->upload = ocl_queue_new(device->cl, "upload", TRUE, error)) &&
           (device->compute = ocl_queue_new(device->cl, "compute", TRUE, error)) &&
           (device->download = ocl_queue_new(device->cl, "download", TRUE, error)) &&
           (!with_first ||
            (device->first = ocl_queue_new(device->cl, "first compute", TRUE, error)));
}

static gboolean is_among(const GPtrArray *devices, const OclDevice *cl)
{
    for (guint i = 0; i < devices->len; i++)
        if (((BatchDevice *)devices->pdata[i])->cl == cl)
            return TRUE;
    return FALSE;
}

/* @cl: (transfer full) */
static gboolean append(GstClBatchFilter *self, GPtrArray *devices, OclDevice *cl, GError **error)
{
    if (is_among(devices, cl)) {
        ocl_device_unref(cl);
        return TRUE;
    }
    BatchDevice *device = g_new0(BatchDevice, 1);
    device->cl = cl;
    device->filter = self;
    g_cond_init(&device->job_given);
    device->slots = g_ptr_array_new();
    g_ptr_array_add(devices, device);
    return make_queues(device, GST_CL_BATCH_FILTER_GET_CLASS(self)->proceed != NULL, error);
}

/* Tells what there is to others that look while it comes and goes. */
static void publish(GstClBatchFilterPrivate *p, GPtrArray *devices)
{
    LOCK(p);
    GPtrArray *old = p->devices;
    p->devices = devices;
    UNLOCK(p);
    if (old)
        g_ptr_array_unref(old);
}

gboolean batch_devices_open(GstClBatchFilter *self, GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    g_auto(GStrv) specs = batch_device_specs_locked(p);
    UNLOCK(p);
    g_autoptr(GPtrArray) devices = g_ptr_array_new_with_free_func(device_free);
    /* The first is shared with the neighbours; the others are shared in the process anyway. */
    if (!gst_cl_context_ensure(GST_ELEMENT(self), specs[0], &p->context, error) ||
        !append(self, devices, ocl_device_ref(gst_cl_context_device(p->context)), error))
        return FALSE;
    for (guint i = 1; specs[i]; i++) {
        OclDevice *cl = ocl_device_open(specs[i], error);
        if (!cl || !append(self, devices, cl, error))
            return FALSE;
    }
    publish(p, g_steal_pointer(&devices));
    return TRUE;
}

void batch_devices_close(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    publish(p, NULL);
    GST_OBJECT_LOCK(self);
    GstClContext *context = g_steal_pointer(&p->context);
    GST_OBJECT_UNLOCK(self);
    gst_clear_object(&context);
}

void batch_devices_keep_first(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    if (p->devices->len == 1)
        return;
    GST_ELEMENT_WARNING(
        self, RESOURCE, SETTINGS,
        ("The network carries something from frame to frame, so it runs on one device only: %s.",
         ((BatchDevice *)p->devices->pdata[0])->cl->name),
        (NULL));
    /* Let go of without the lock, which their threads need to end. */
    g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func(device_free);
    LOCK(p);
    while (p->devices->len > 1)
        g_ptr_array_add(others, g_ptr_array_steal_index(p->devices, 1));
    UNLOCK(p);
}

char **batch_device_specs_locked(const GstClBatchFilterPrivate *p)
{
    char **specs = g_strsplit(p->device_spec ? p->device_spec : "", ",", 0);
    for (guint i = 0; specs[i]; i++)
        g_strstrip(specs[i]);
    if (specs[0])
        return specs;
    g_strfreev(specs);
    return g_strsplit("auto", ",", 0);
}

char *batch_devices_names_locked(const GstClBatchFilterPrivate *p)
{
    if (!p->devices)
        return NULL;
    GString *names = g_string_new(NULL);
    for (guint i = 0; i < p->devices->len; i++)
        g_string_append_printf(names, "%s%s", i ? ", " : "",
                               ((BatchDevice *)p->devices->pdata[i])->cl->name);
    return g_string_free(names, FALSE);
}

void batch_devices_recover_locked(GstClBatchFilterPrivate *p)
{
    for (guint i = 0; p->devices && i < p->devices->len; i++) {
        BatchDevice *device = p->devices->pdata[i];
        device->lost = FALSE;
        device->batch_us = device->last_done_us = 0;
        device->n_batches = device->n_frames = 0;
    }
}

BatchDevice *batch_device_next(const GstClBatchFilterPrivate *p, const BatchDevice *after)
{
    guint i = 0;
    while (after && p->devices->pdata[i++] != after)
        continue;
    for (; p->devices && i < p->devices->len; i++)
        if (!((BatchDevice *)p->devices->pdata[i])->lost)
            return p->devices->pdata[i];
    return NULL;
}

guint batch_devices_count(const GstClBatchFilterPrivate *p)
{
    guint n = 0;
    for (BatchDevice *device = batch_device_next(p, NULL); device;
         device = batch_device_next(p, device))
        n++;
    return n;
}

void batch_devices_set_pools_flushing(GstClBatchFilterPrivate *p, gboolean flushing)
{
    g_autoptr(GPtrArray) pools = g_ptr_array_new_with_free_func(gst_object_unref);
    LOCK(p);
    for (guint i = 0; p->devices && i < p->devices->len; i++) {
        BatchDevice *device = p->devices->pdata[i];
        if (device->pool)
            g_ptr_array_add(pools, gst_object_ref(device->pool));
    }
    UNLOCK(p);
    for (guint i = 0; i < pools->len; i++)
        gst_buffer_pool_set_flushing(pools->pdata[i], flushing);
}

/* ---------------------------------------------------------------- choosing */

/* TRUE if no command of a slot can touch its memory any more. */
static gboolean is_over_locked(const BatchSlot *slot)
{
    return slot->fence ? slot->fence->done : slot->submit_us == 0;
}

/* When a batch more would be done, if each takes @batch_us. */
static gint64 expected_end_locked(const BatchDevice *device, gint64 batch_us, gint64 now_us)
{
    guint n_unfinished = 0; /* also those that a flush has abandoned */
    gint64 begin_us = device->last_done_us, first_us = G_MAXINT64;
    for (guint i = 0; i < device->slots->len; i++) {
        const BatchSlot *slot = device->slots->pdata[i];
        if (slot->state == SLOT_ENQUEUEING || slot->state == SLOT_DECIDING ||
            !is_over_locked(slot)) {
            n_unfinished++;
            first_us = MIN(first_us, slot->submit_us);
        } else if (slot->fence) {
            begin_us = MAX(begin_us, slot->fence->done_us);
        }
    }
    if (n_unfinished == 0)
        return now_us + batch_us;
    begin_us = MAX(begin_us, first_us);
    /* One that takes longer than expected may be done any moment, but not sooner than none. */
    return MAX(now_us + 1, begin_us + batch_us) + n_unfinished * batch_us;
}

gint64 batch_device_patience_us_locked(const BatchDevice *device)
{
    if (device->batch_us == 0)
        return UNKNOWN_PATIENCE_US;
    return MAX(MIN_PATIENCE_US, PATIENCE * device->slots->len * device->batch_us);
}

guint batch_device_n_submitted(const GstClBatchFilterPrivate *p, const BatchDevice *device)
{
    guint n = 0;
    for (GList *l = p->submitted.head; l; l = l->next)
        n += ((BatchSlot *)l->data)->device == device;
    return n;
}

/* What a batch takes where nothing is known of it: as long as elsewhere. */
static gint64 fallback_us(const GstClBatchFilterPrivate *p)
{
    gint64 least_us = 0;
    for (BatchDevice *device = batch_device_next(p, NULL); device;
         device = batch_device_next(p, device))
        if (device->batch_us && (!least_us || device->batch_us < least_us))
            least_us = device->batch_us;
    return MAX(1, least_us);
}

BatchDevice *batch_device_choose_locked(const GstClBatchFilterPrivate *p)
{
    BatchDevice *best = NULL;
    gint64 best_us = 0;
    const gint64 unknown_us = fallback_us(p), now_us = g_get_monotonic_time();
    for (BatchDevice *device = batch_device_next(p, NULL); device;
         device = batch_device_next(p, device)) {
        const gint64 batch_us = device->batch_us ? device->batch_us : unknown_us;
        const gint64 end_us = expected_end_locked(device, batch_us, now_us);
        if (!best || end_us < best_us) {
            best = device;
            best_us = end_us;
        }
    }
    if (best->slots->len < best->max_slots || batch_device_usable_slot_locked(best))
        return best;
    return NULL;
}

void batch_device_fade_others(GstClBatchFilterPrivate *p, const BatchDevice *chosen)
{
    for (guint i = 0; i < p->devices->len; i++) {
        BatchDevice *device = p->devices->pdata[i];
        if (device != chosen)
            device->batch_us -= device->batch_us / FADING;
    }
}

gint64 batch_device_done(GstClBatchFilterPrivate *p, const BatchSlot *slot)
{
    BatchDevice *device = slot->device;
    const gint64 begin_us = MAX(slot->submit_us, device->last_done_us);
    /* What a first half has waited for its turn is not the device's fault. */
    const gint64 last_us = MAX(slot->last_us, device->last_done_us);
    const gint64 batch_us = MAX(1, slot->fence->done_us - last_us);
    device->last_done_us = slot->fence->done_us;
    LOCK(p);
    if (device->n_batches++ >= N_UNMEASURED)
        device->batch_us +=
            device->batch_us ? (batch_us - device->batch_us) / MEASURE_SHARE : batch_us;
    device->n_frames += slot->n_frames;
    UNLOCK(p);
    return begin_us;
}

/* ---------------------------------------------------------------- slots */

BatchSlot *batch_device_usable_slot_locked(const BatchDevice *device)
{
    for (guint i = 0; i < device->slots->len; i++) {
        BatchSlot *slot = device->slots->pdata[i];
        if (slot->batch &&
            (slot->state == SLOT_FREE || (slot->state == SLOT_ZOMBIE && is_over_locked(slot))))
            return slot;
    }
    return NULL;
}

BatchSlot *batch_device_claim_slot(GstClBatchFilter *self, BatchDevice *device, GError **error)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    BatchSlot *slot = batch_device_usable_slot_locked(device);
    /* What it was built for may not be touched by two threads. */
    if (!slot)
        batch_enqueue_wait_locked(p, device);
    UNLOCK(p);
    g_autoptr(GError) failure = NULL;
    if (!slot && (slot = batch_slot_new(self, device, p->max_frames, &failure)))
        g_ptr_array_add(device->slots, slot);
    if (slot) {
        batch_slot_clear(slot);
        slot->state = SLOT_FILLING;
        return slot;
    }
    if (device->slots->len == 0 || !ocl_error_is_out_of_memory(failure)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    GST_WARNING_OBJECT(self, "memory for only %u batches at a time: %s", device->slots->len,
                       failure->message);
    device->max_slots = device->slots->len;
    return NULL;
}
