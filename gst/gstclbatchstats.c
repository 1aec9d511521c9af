/* gstclbatchstats.c - how many frames, how full the batches, how long each stage takes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstclbatchprivate.h"

/* From the end of @begin to the end of @end, on the device's clock; 0 where it has none. */
static guint64 span(cl_event begin, cl_event end)
{
    guint64 begin_ns, end_ns;
    if (!begin || !end || !ocl_event_times(begin, NULL, &begin_ns) ||
        !ocl_event_times(end, NULL, &end_ns) || end_ns < begin_ns)
        return 0;
    return end_ns - begin_ns;
}

/* " NAME=BEGIN-END" in ns on the device's clock, nothing where it has none. */
static void append_span(GString *line, const char *name, cl_event begin, cl_event end)
{
    guint64 begin_ns, end_ns;
    if (begin && end && ocl_event_times(begin, NULL, &begin_ns) &&
        ocl_event_times(end, NULL, &end_ns))
        g_string_append_printf(line, " %s=%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT, name, begin_ns,
                               end_ns);
}

static void log_times(GstClBatchFilter *self, BatchSlot *slot)
{
    guint n_device = 0, n_slot = 0;
    if (gst_debug_category_get_threshold(gst_cl_batch_times_debug) < GST_LEVEL_TRACE)
        return;
    g_ptr_array_find(PRIVATE(self)->devices, slot->device, &n_device);
    g_ptr_array_find(slot->device->slots, slot, &n_slot);
    g_autoptr(GString) line = g_string_new(NULL);
    for (guint i = 0; i < slot->n_frames; i++)
        append_span(line, "upload", slot->frames[i].upload_begin, slot->frames[i].upload_end);
    append_span(line, "first", slot->first_begin, slot->first_end);
    append_span(line, "compute", slot->compute_begin, slot->compute_end);
    append_span(line, "download", slot->compute_end, slot->download_end);
    GST_CAT_TRACE_OBJECT(gst_cl_batch_times_debug, self,
                         "device=%u slot=%u frames=%u host=%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT
                         ",%" G_GINT64_FORMAT "%s",
                         n_device, n_slot, slot->n_frames, slot->submit_us, slot->enqueued_us,
                         slot->fence->done_us, line->str);
}

void batch_stats_add(GstClBatchFilter *self, BatchSlot *slot)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    guint64 upload_ns = 0, latency_us = 0;
    for (guint i = 0; i < slot->n_frames; i++) {
        upload_ns += span(slot->frames[i].upload_begin, slot->frames[i].upload_end);
        latency_us += slot->fence->done_us - slot->frames[i].arrival_us;
    }
    const guint64 compute_ns =
        span(slot->first_begin, slot->first_end) + span(slot->compute_begin, slot->compute_end);
    const guint64 download_ns = span(slot->compute_end, slot->download_end);
    log_times(self, slot);
    LOCK(p);
    p->stats.upload_ns += upload_ns;
    p->stats.compute_ns += compute_ns;
    p->stats.download_ns += download_ns;
    p->stats.latency_ns += latency_us * GST_USECOND;
    p->stats.n_timed++;
    p->stats.n_timed_frames += slot->n_frames;
    UNLOCK(p);
}

static void append_device_locked(GValue *list, const BatchDevice *device)
{
    GValue item = G_VALUE_INIT;
    g_value_init(&item, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&item,
                       gst_structure_new("device", "name", G_TYPE_STRING, device->cl->name,
                                         "batches", G_TYPE_UINT64, device->n_batches, "frames",
                                         G_TYPE_UINT64, device->n_frames, "batch-ns", G_TYPE_UINT64,
                                         (guint64)device->batch_us * GST_USECOND, "lost",
                                         G_TYPE_BOOLEAN, device->lost, NULL));
    gst_value_array_append_and_take_value(list, &item);
}

GstStructure *batch_stats_structure(GstClBatchFilter *self)
{
    GstClBatchFilterPrivate *p = PRIVATE(self);
    LOCK(p);
    const BatchStats stats = p->stats;
    const guint level = p->n_buffers, in_flight = p->n_in_flight, batch_size = p->max_frames;
    GValue devices = G_VALUE_INIT;
    g_value_init(&devices, GST_TYPE_ARRAY);
    for (guint i = 0; p->devices && i < p->devices->len; i++)
        append_device_locked(&devices, p->devices->pdata[i]);
    UNLOCK(p);
    const guint64 batches = MAX(1, stats.n_timed), frames = MAX(1, stats.n_timed_frames);
    const gdouble fill = stats.batches ? (gdouble)stats.batch_frames / stats.batches : 0.0;
    GstStructure *structure = gst_structure_new(
        "clmatte-stats", "frames-in", G_TYPE_UINT64, stats.frames_in, "frames-out", G_TYPE_UINT64,
        stats.frames_out, "frames-dropped", G_TYPE_UINT64, stats.frames_dropped, "frames-flushed",
        G_TYPE_UINT64, stats.frames_flushed, "batches", G_TYPE_UINT64, stats.batches, "batch-size",
        G_TYPE_UINT, batch_size, "mean-fill", G_TYPE_DOUBLE, fill, "upload-ns", G_TYPE_UINT64,
        stats.upload_ns / frames, "compute-ns", G_TYPE_UINT64, stats.compute_ns / batches,
        "download-ns", G_TYPE_UINT64, stats.download_ns / batches, "latency-ns", G_TYPE_UINT64,
        stats.latency_ns / frames, "queue-level", G_TYPE_UINT, level, "in-flight", G_TYPE_UINT,
        in_flight, NULL);
    gst_structure_take_value(structure, "devices", &devices);
    if (GST_CL_BATCH_FILTER_GET_CLASS(self)->add_stats)
        GST_CL_BATCH_FILTER_GET_CLASS(self)->add_stats(self, structure);
    return structure;
}
