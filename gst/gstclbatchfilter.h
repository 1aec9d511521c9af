/* gstclbatchfilter.h - abstract base: frames gathered into batches, computed on their own thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Owns the pads, the frame queue, the source pad's task, events, queries, latency, QoS and
 * statistics. The subclass knows what is computed. See docs/design.md for threads and locks.
 */
#pragma once

#include <gst/base/base.h>
#include <gst/video/video.h>

#include "nn/nn.h"

G_BEGIN_DECLS

#define GST_TYPE_CL_BATCH_FILTER (gst_cl_batch_filter_get_type())
G_DECLARE_DERIVABLE_TYPE(GstClBatchFilter, gst_cl_batch_filter, GST, CL_BATCH_FILTER, GstElement)

/* The subclass's own: what it has built for one device, one pair of formats and a batch size. */
typedef gpointer GstClBuild;
/* A batch in flight, the subclass's own: device memory for up to n frames. */
typedef gpointer GstClBatch;

/* All vfuncs but transform_caps, snapshot and add_stats run on the source pad's task, or on the
 * state-change thread while no task runs. None may block on the GPU, except prepare() and
 * release(). Where there are several devices, has_first(), compute(), proceed() and download() run
 * on a thread of the device: of one device one at a time; of different devices also at the same
 * time, unless there is proceed(): then one at a time and in the order of the stream. Meanwhile the
 * task calls what is for other batches, but not batch_new() for the device, nor reset(). */
struct _GstClBatchFilterClass {
    GstElementClass parent_class;

    /* NULL -> READY: load and check the model. @device is the first of those to be used. */
    gboolean (*start)(GstClBatchFilter *self, OclDevice *device, GError **error);
    /* READY -> NULL. */
    void (*stop)(GstClBatchFilter *self);

    /* @caps seen from the other pad: GST_PAD_SRC gives what comes out for what goes in. Any thread;
     * fixes nothing. */
    GstCaps *(*transform_caps)(GstClBatchFilter *self, GstPadDirection to, GstCaps *caps);

    /* Optional: the most frames that a batch may have, 0 for any number. Between start() and
     * stop(). */
    guint (*frame_limit)(GstClBatchFilter *self);
    /* New caps: build what depends on device, format and size. @max_frames is the batch size.
     * Returns: (transfer full): for release(); NULL with an error. */
    GstClBuild (*prepare)(GstClBatchFilter *self, OclDevice *device, const GstVideoInfo *in,
                          const GstVideoInfo *out, guint max_frames, GError **error);
    /* Caps change or PAUSED -> READY: the counterpart of prepare(). No batch of it is left. */
    void (*release)(GstClBatchFilter *self, GstClBuild build);

    /* @build outlives the batch.
     * Returns: (transfer full): for batch_free(); NULL with an error. */
    GstClBatch (*batch_new)(GstClBatchFilter *self, GstClBuild build, guint max_frames,
                            GError **error);
    void (*batch_free)(GstClBatchFilter *self, GstClBatch batch);

    /* Optional: TRUE if something is carried from frame to frame on the device, which only one can
     * do. Between start() and stop(). */
    gboolean (*carries_state)(GstClBatchFilter *self);

    /* Frame @index of @batch: keep what the controllable properties are now (called in stream
     * order, after gst_object_sync_values()). */
    void (*snapshot)(GstClBatchFilter *self, GstClBatch batch, guint index);
    /* Optional: what was kept for frame @index of @from holds for that of @to, a batch on another
     * device; also what compute() and proceed() have decided for @from, if they were called.
     * Without it, frames that a lost device leaves behind are redone with the properties as they
     * are then. */
    void (*snapshot_copy)(GstClBatchFilter *self, GstClBatch from, GstClBatch to, guint index);
    /* Enqueue the upload of @frame as frame @index on the upload queue. */
    gboolean (*upload)(GstClBatchFilter *self, GstClBatch batch, OclQueue *upload, guint index,
                       GstVideoFrame *frame, GError **error);
    /* Enqueue the computation of the first @n_frames; uploads are ordered before it. */
    gboolean (*compute)(GstClBatchFilter *self, GstClBatch batch, OclQueue *compute, guint n_frames,
                        GError **error);
    /* Optional, for what is decided by intermediate results: compute() then is only the first half,
     * and when its commands have completed, so that what it has read back can be looked at, this
     * enqueues the second half, in the order of the stream, also where devices share the work; a
     * batch whose second half was enqueued on a device that is then lost gets another one.
     * Meanwhile the first half of the next batch is computed: compute() is given a queue of its
     * own, so the halves of different batches overlap and may share no device memory that either
     * writes. */
    gboolean (*proceed)(GstClBatchFilter *self, GstClBatch batch, OclQueue *compute, guint n_frames,
                        GError **error);
    /* Optional, with proceed(): FALSE if the first half of the first @n_frames is nothing, so that
     * compute() is not called and nothing is waited for. In the order of the stream, before
     * compute(). */
    gboolean (*has_first)(GstClBatchFilter *self, GstClBatch batch, guint n_frames);
    /* Enqueue the readback of frame @index into @frame on the download queue, ordered after
     * compute. */
    gboolean (*download)(GstClBatchFilter *self, GstClBatch batch, OclQueue *download, guint index,
                         GstVideoFrame *frame, GError **error);
    /* Optional: frame @index has been computed and read back; @buffer holds it and is pushed next:
     * attach what belongs to it, and scale regions of interest if frames change their size. In the
     * order of the stream, but for what is done when a device is lost. */
    void (*finish)(GstClBatchFilter *self, GstClBatch batch, guint index, GstBuffer *buffer);
    /* Optional: add to what the stats property tells. Any thread. */
    void (*add_stats)(GstClBatchFilter *self, GstStructure *stats);
    /* Optional: the stream goes on elsewhere (flush, seek, DISCONT, but not after a second or less,
     * in which frames were dropped): forget what is carried from frame to frame. All frames before
     * it have been through compute() and proceed(), or never will. */
    void (*reset)(GstClBatchFilter *self);
};

/* The (first) device in use between READY and NULL, (transfer none). */
OclDevice *gst_cl_batch_filter_get_device(GstClBatchFilter *self);

/* How prepare() is to choose kernels, for NnNetworkParams: the properties, but nothing is measured
 * for a live stream. */
void gst_cl_batch_filter_get_tuning(GstClBatchFilter *self, NnTuning *tuning, guint *tuning_ms);

/* Something that prepare() looks at has changed: release() and prepare() are called again between
 * the frames before and those after. Any thread, never blocks. */
void gst_cl_batch_filter_rebuild(GstClBatchFilter *self);
/* What transform_caps() says has changed: the formats are chosen anew. Any thread, never blocks. */
void gst_cl_batch_filter_renegotiate(GstClBatchFilter *self);

G_END_DECLS
