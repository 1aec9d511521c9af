/* gstclbatchenqueue.c - enqueueing batches, by one thread for each of several devices.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A batch is a hundred calls of the driver and more. With one device the task makes them, and has
 * nothing better to do; with several, it hands the batch to a thread of the device, and goes on
 * filling and pushing.
 */
#include "gstclbatchprivate.h"

static void enqueue(GstClBatchFilter *self, BatchSlot *slot)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    GError *error = NULL;
    const SlotState state = slot->enqueue(self, slot, &error);
    LOCK(p);
    slot->state = state;
    slot->error = error;
}

static gpointer run_enqueuer(gpointer data)
{
    BatchDevice *device = data;
    GstClBatchFilterPrivate *p = PRIVATE(device->filter);
    LOCK(p);
    while (!device->quits) {
        if (!device->job) {
            g_cond_wait(&device->job_given, &p->monitor->lock);
            continue;
        }
        UNLOCK(p);
        enqueue(device->filter, device->job); /* which takes the lock again */
        device->job = NULL;
        BROADCAST(p);
    }
    UNLOCK(p);
    return NULL;
}

void batch_enqueue_locked(GstClBatchFilter *self, BatchSlot *slot, BatchEnqueue how)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    BatchDevice *device = slot->device;
    slot->state = SLOT_ENQUEUEING;
    slot->enqueue = how;
    if (p->devices->len == 1) {
        UNLOCK(p);
        enqueue(self, slot);
        return;
    }
    device->job = slot;
    if (!device->enqueuer)
        device->enqueuer = g_thread_new("cl-enqueue", run_enqueuer, device);
    g_cond_signal(&device->job_given);
}

gboolean batch_may_enqueue_locked(const GstClBatchFilterPrivate *p, const BatchDevice *device)
{
    if (device && !device->first)
        return !device->job;
    for (guint i = 0; p->devices && i < p->devices->len; i++)
        if (((BatchDevice *)p->devices->pdata[i])->job)
            return FALSE;
    return TRUE;
}

void batch_enqueue_wait_locked(GstClBatchFilterPrivate *p, const BatchDevice *device)
{
    while (device ? device->job != NULL : !batch_may_enqueue_locked(p, NULL))
        g_cond_wait(&p->monitor->cond, &p->monitor->lock);
}

BatchSlot *batch_failed_locked(const GstClBatchFilterPrivate *p)
{
    for (GList *l = p->submitted.head; l; l = l->next)
        if (((BatchSlot *)l->data)->error)
            return l->data;
    return NULL;
}

void batch_enqueuer_stop(BatchDevice *device)
{
    if (!device->enqueuer)
        return;
    GstClBatchFilterPrivate *p = PRIVATE(device->filter);
    LOCK(p);
    device->quits = TRUE;
    g_cond_signal(&device->job_given);
    UNLOCK(p);
    g_thread_join(device->enqueuer);
}
