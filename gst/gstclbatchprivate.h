/* gstclbatchprivate.h - what the files of the base class share, and which lock guards what.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gstclbatchfilter.c  the object: pads, properties, states
 * gstclbatchinput.c   what upstream calls: chain, events, queries
 * gstclbatchtask.c    the source pad's task: fill, submit, push
 * gstclbatchslot.c    a batch in flight and the completion that a driver's thread reports
 * gstclbatchenqueue.c the threads that enqueue batches, one for each of several devices
 * gstclbatchdevice.c  the devices, and which one a batch is for
 * gstclbatchloss.c    losing a device, and doing its batches again
 * gstclbatchcaps.c    formats, allocation, building for them
 * gstclbatchtiming.c  latency, deadline of a batch, QoS
 * gstclbatchstats.c   statistics
 *
 * Order of locks: sink stream lock, source stream lock, monitor.lock, GST_OBJECT_LOCK. Never held
 * over monitor.lock: pushing, peer queries, messages, pool acquisition, OpenCL, controllers.
 *
 * Epoch rule: FLUSH_START and deactivation advance `epoch`. Whoever lets go of the lock compares
 * afterwards, and if it has changed drops what it holds and touches nothing else: a whole flush may
 * have happened in between, and the state that reads OK is no longer the one that was left.
 */
#pragma once

#include <gst/base/gstqueuearray.h>

#include "gstclbatchfilter.h"
#include "gstclcontext.h"

G_BEGIN_DECLS

GST_DEBUG_CATEGORY_EXTERN(gst_cl_batch_filter_debug);
/* One line per batch, when it was where on its device: for tests/perf/overlap. */
GST_DEBUG_CATEGORY_EXTERN(gst_cl_batch_times_debug);

/* ---------------------------------------------------------------- completion */

/* Lock and condition of one filter; a driver's thread may hold it longer than the filter lives. */
typedef struct {
    gatomicrefcount ref_count;
    GMutex lock;
    GCond cond; /* one for all: every change is broadcast */
} BatchMonitor;

BatchMonitor *batch_monitor_new(void);
void batch_monitor_unref(BatchMonitor *monitor);

/* The end of the commands enqueued before it. */
typedef struct {
    gatomicrefcount ref_count;
    BatchMonitor *monitor;

    /* monitor.lock */
    gboolean done;
    cl_int status;  /* CL_COMPLETE, or the error that the commands ended with */
    gint64 done_us; /* g_get_monotonic_time() */
} BatchFence;

/* A fence that is done when @event, of @device, is. Its callback only locks, sets and signals. */
BatchFence *batch_fence_new(BatchMonitor *monitor, const OclDevice *device, cl_event event,
                            GError **error);
void batch_fence_unref(BatchFence *fence);

/* ---------------------------------------------------------------- slots */

typedef enum {
    SLOT_FREE,
    SLOT_FILLING,    /* frames are being uploaded */
    SLOT_ENQUEUEING, /* given to the thread of its device, which enqueues it or a half of it */
    SLOT_DECIDING,   /* computing the first half; proceed() is due once its fence is done */
    SLOT_SUBMITTED,  /* computing, or being pushed once its fence is done */
    SLOT_LOST,       /* its device is lost; waits in its place to be done again on another */
    SLOT_ZOMBIE,     /* abandoned by a flush, or failed; free when its fence is done */
} SlotState;

typedef struct BatchSlot BatchSlot;
/* What enqueues a slot, or a half of it. Returns: the state after it: ZOMBIE with an error. */
typedef SlotState (*BatchEnqueue)(GstClBatchFilter *filter, BatchSlot *slot, GError **error);

/* One of the filter's devices, and all that is the filter's on it. Belongs to the task, or to
 * whoever has paused it, but for what is said. */
typedef struct {
    OclDevice *cl; /* constant */
    OclQueue *upload, *compute, *download;
    OclQueue *first;  /* of the first halves; NULL where a computation is whole */
    GstClBuild build; /* NULL: nothing is built */
    GPtrArray *slots; /* BatchSlot, owned */
    guint max_slots;  /* one more than are in flight, if memory allows */
    GstClBatchFilter *filter;
    GThread *enqueuer; /* NULL: not needed so far */

    /* ---- monitor.lock; written by the task alone */
    GstBufferPool *pool; /* of the output buffers */
    gboolean lost;
    gint64 batch_us; /* what a batch has taken lately; 0: not known */
    gint64 last_done_us;
    guint64 n_batches, n_frames; /* done, since PAUSED */
    BatchSlot *job;              /* of the enqueuer; NULL: it waits */
    GCond job_given;
    gboolean quits;
} BatchDevice;

typedef struct {
    GstVideoFrame mapped; /* the output buffer, mapped for the readback */
    GstBuffer *input;     /* the device reads it, or another may have to; NULL: not held */
    gint64 arrival_us;    /* when the frame came in */
    cl_event upload_begin, upload_end;
} BatchFrame;

/* A slot belongs to the task, or to whoever has paused it, and while it is ENQUEUEING to the thread
 * of its device; only the fence and, under monitor.lock, the state and the error are shared. */
struct BatchSlot {
    BatchDevice *device;
    GstClBatch batch; /* NULL: given to another slot */
    SlotState state;
    GError *error; /* why it could not be enqueued; NULL: it was, or the task knows */
    guint max_frames, n_frames;
    BatchFrame *frames;              /* [max_frames] */
    gboolean closed;                 /* submit what there is */
    gboolean finished;               /* the frames are unmapped and ready to be pushed */
    BatchEnqueue enqueue;            /* while ENQUEUEING */
    GQueue output;                   /* GstBuffer and GstEvent, in the order of the stream */
    BatchFence *fence;               /* of the last command so far; NULL before submission */
    gint64 submit_us, enqueued_us;   /* from and to when it was submitted, or submitted so far */
    gint64 last_us;                  /* when the second half, or the whole, was submitted */
    cl_event first_begin, first_end; /* of the first half, where there are two */
    cl_event compute_begin, compute_end, download_end;
};

BatchSlot *batch_slot_new(GstClBatchFilter *filter, BatchDevice *device, guint max_frames,
                          GError **error);
/* A slot with the memory of @done, whose commands are over and which keeps its results. */
BatchSlot *batch_slot_new_from(BatchSlot *done);
/* No command of the slot may be running. */
void batch_slot_free(GstClBatchFilter *filter, BatchSlot *slot);
/* For a slot that is abandoned before it is submitted: its fence is then the end of its uploads. */
void batch_slot_end_uploads(GstClBatchFilter *filter, BatchSlot *slot);
/* Enqueues the computation and readback of what was uploaded, or the first half of it. */
SlotState batch_slot_submit(GstClBatchFilter *filter, BatchSlot *slot, GError **error);
/* The same where no batch before it waits for its second half: the second at once, if the first is
 * nothing. */
SlotState batch_slot_submit_in_turn(GstClBatchFilter *filter, BatchSlot *slot, GError **error);
/* Looks how the first half has ended and enqueues the second, and the readback. */
SlotState batch_slot_proceed(GstClBatchFilter *filter, BatchSlot *slot, GError **error);
/* Unmaps the frames of a slot whose fence is done; the error is that of its commands. */
gboolean batch_slot_finish(BatchSlot *slot, GError **error);
/* Drops what is left of the slot's frames and makes it free. No lock held, no command running. */
void batch_slot_clear(BatchSlot *slot);

/* ---------------------------------------------------------------- the queue's items */

typedef struct {
    GstMiniObject *object; /* GstBuffer or GstEvent (owned), or GstQuery (of the waiting thread) */
    gint64 arrival_us;
} BatchItem;

/* ---------------------------------------------------------------- statistics */

#define N_LATENCIES 16 /* batches that the worst compute time is taken of */

typedef struct {
    guint64 frames_in, frames_out, frames_dropped, frames_flushed;
    guint64 batches, batch_frames;
    guint64 upload_ns, compute_ns, download_ns; /* sums over batches, on the device's clock */
    guint64 latency_ns;                         /* sum over frames, chain to result */
    guint64 n_timed, n_timed_frames;            /* batches and frames in these sums */
} BatchStats;

/* ---------------------------------------------------------------- the filter */

typedef struct {
    GstPad *sinkpad, *srcpad;
    BatchMonitor *monitor;

    /* ---- monitor.lock: properties */
    char *device_spec;
    guint batch_size;           /* 0: automatic */
    GstClockTime batch_timeout; /* GST_CLOCK_TIME_NONE: automatic */
    guint inflight;
    gboolean qos;
    NnTuning tuning;
    GstClockTime tuning_time;

    /* ---- monitor.lock: flow */
    GstFlowReturn flow; /* FLUSHING while inactive */
    guint epoch;
    gboolean eos; /* EOS is queued or pushed */
    gboolean eos_pushed;
    gboolean error_posted;
    guint32 eos_seqnum;
    GstQueueArray *items; /* BatchItem */
    guint n_buffers;      /* of items */
    guint n_in_flight;    /* frames popped and not pushed yet */
    GstQuery *query_running, *query_done;
    gboolean query_result;
    GstCaps *newest_caps; /* last accepted from upstream: the same again is dropped */

    /* ---- monitor.lock: formats */
    GstCaps *in_caps;      /* of the frames that are popped next */
    gboolean caps_pending; /* in_caps are not built for yet */
    gboolean rebuild;      /* build again, at the next gap between batches */
    GstVideoInfo in_info, out_info;
    guint max_frames;       /* per batch, built for; 0: nothing is built */
    guint max_frames_limit; /* after memory ran out; 0: none */
    guint max_submitted;    /* batches in flight on each device */

    /* ---- monitor.lock: time */
    GstSegment segment; /* of the frames that are popped next */
    gboolean live;
    GstClockTime upstream_min;
    GstClockTime compute_time;   /* worst of the last batches, with headroom; 0: not known */
    GstClockTime latency_posted; /* compute_time as last told to the pipeline */
    guint64 latencies[N_LATENCIES];
    guint n_latencies;
    GstClockID timer; /* of the batch being filled */
    gboolean timer_fired;
    gdouble qos_proportion;
    GstClockTime qos_earliest;
    BatchStats stats;

    /* ---- the task, or whoever has paused it */
    BatchSlot *filling;     /* NULL: none */
    GQueue submitted;       /* BatchSlot, oldest first */
    gboolean discont;       /* the next buffer out is DISCONT */
    gboolean needs_reset;   /* tell the subclass before the next frame */
    GstClockTime last_time; /* of the last frame in */
    gint64 last_ready_us;   /* when the batch before could be pushed */

    /* ---- set in NULL -> READY, constant until READY -> NULL */
    GstClContext *context; /* OBJECT_LOCK; of the first device */
    GPtrArray *devices;    /* BatchDevice, owned; monitor.lock. NULL: not open */
} GstClBatchFilterPrivate;

GstClBatchFilterPrivate *gst_cl_batch_filter_private(GstClBatchFilter *self);
#define PRIVATE(self) gst_cl_batch_filter_private(self)
#define LOCK(p) g_mutex_lock(&(p)->monitor->lock)
#define UNLOCK(p) g_mutex_unlock(&(p)->monitor->lock)
#define BROADCAST(p) g_cond_broadcast(&(p)->monitor->cond)

/* ---- gstclbatchinput.c */
void batch_input_init_pads(GstClBatchFilter *self, GstElementClass *klass);

/* ---- gstclbatchdevice.c */
/* Opens what the property says, and queues on it. */
gboolean batch_devices_open(GstClBatchFilter *self, GError **error);
void batch_devices_close(GstClBatchFilter *self);
/* Does without all but the first, and says so. */
void batch_devices_keep_first(GstClBatchFilter *self);
/* All count again. */
void batch_devices_recover_locked(GstClBatchFilterPrivate *p);
/* Returns: (transfer full): what the property lists, one at least. */
char **batch_device_specs_locked(const GstClBatchFilterPrivate *p);
/* Returns: (transfer full) (nullable) */
char *batch_devices_names_locked(const GstClBatchFilterPrivate *p);
/* The devices that are not lost: the one after @after, NULL for the first. */
BatchDevice *batch_device_next(const GstClBatchFilterPrivate *p, const BatchDevice *after);
guint batch_devices_count(const GstClBatchFilterPrivate *p);
/* No lock held. */
void batch_devices_set_pools_flushing(GstClBatchFilterPrivate *p, gboolean flushing);
/* For the next batch; NULL: the best one has no room. */
BatchDevice *batch_device_choose_locked(const GstClBatchFilterPrivate *p);
/* How long to wait for all that it is busy with before it counts as hung. */
gint64 batch_device_patience_us_locked(const BatchDevice *device);
guint batch_device_n_submitted(const GstClBatchFilterPrivate *p, const BatchDevice *device);
/* A batch is given to @chosen: what is known of the others becomes a little better. */
void batch_device_fade_others(GstClBatchFilterPrivate *p, const BatchDevice *chosen);
/* Takes down how long the batch took, and returns when the device has begun with it. */
gint64 batch_device_done(GstClBatchFilterPrivate *p, const BatchSlot *slot);
/* A slot of @device that is free, or that has become so. */
BatchSlot *batch_device_usable_slot_locked(const BatchDevice *device);
/* A slot to fill. Slots beyond the first are made when they are first needed, so that a single
 * picture does not pay for a stream; when memory runs out, fewer batches are in flight, and NULL
 * without an error says so. */
BatchSlot *batch_device_claim_slot(GstClBatchFilter *self, BatchDevice *device, GError **error);

/* ---- gstclbatchenqueue.c */
/* Has @slot enqueued by @how: here and now, or where there are several devices by the thread of its
 * own, which may_enqueue says is free. What fails is found by batch_failed_locked(). The task only;
 * lock held, let go in between. */
void batch_enqueue_locked(GstClBatchFilter *self, BatchSlot *slot, BatchEnqueue how);
/* Whether a batch may be enqueued on @device, NULL: whether nothing is being enqueued. Halves are
 * enqueued one by one, as what they decide may depend on the one before. */
gboolean batch_may_enqueue_locked(const GstClBatchFilterPrivate *p, const BatchDevice *device);
/* Waits until nothing is being enqueued on @device, NULL: on any. Short: no command is waited for.
 */
void batch_enqueue_wait_locked(GstClBatchFilterPrivate *p, const BatchDevice *device);
/* The oldest batch that could not be enqueued and whose error nobody has taken. */
BatchSlot *batch_failed_locked(const GstClBatchFilterPrivate *p);
/* Ends the thread of @device, which has no job. No lock held. */
void batch_enqueuer_stop(BatchDevice *device);

/* ---- gstclbatchloss.c */
/* Goes on without @device if *@error, which is cleared then, says that it is lost. FALSE: the
 * stream cannot go on. No lock held. */
gboolean batch_lose_device(GstClBatchFilter *self, BatchDevice *device, GError **error);
/* Whether @buffer may be kept for the time of a batch. */
gboolean batch_may_hold(GstBuffer *buffer);
gboolean batch_can_redo_locked(const GstClBatchFilterPrivate *p);
/* Does the oldest lost batch again. Lock held, let go in between. */
GstFlowReturn batch_redo(GstClBatchFilter *self, GError **error);

/* ---- gstclbatchtask.c */
void batch_task_run(GstPad *pad);
/* Drops all that is queued and in flight; the task is paused, or this is the task. Sticky events
 * stay on the source pad. No lock held. */
void batch_flush(GstClBatchFilter *self);
/* A buffer for the result of @in, mapped as the next frame of @slot. */
GstFlowReturn batch_acquire_output(GstClBatchFilter *self, BatchSlot *slot, GstBuffer *in,
                                   GError **error);
/* Enqueues the upload of @in as the last frame of @slot. */
gboolean batch_upload(GstClBatchFilter *self, BatchSlot *slot, GstBuffer *in, GError **error);
/* Posts @error, once until the next flush. Any thread, no lock held. */
void batch_post_error(GstClBatchFilter *self, const GError *error);
/* The batch of @slot has been computed: its frames become ordinary buffers, with all that belongs
 * to them. */
gboolean batch_finish(GstClBatchFilter *self, BatchSlot *slot, GError **error);

/* ---- gstclbatchcaps.c */
gboolean batch_caps_query(GstClBatchFilter *self, GstPad *pad, GstQuery *query);
gboolean batch_caps_acceptable(GstClBatchFilter *self, GstCaps *caps);
gboolean batch_allocation_query(GstClBatchFilter *self, GstQuery *query);
/* Chooses the output's format, builds for it and sets up the pool. Task only; sets @error where the
 * fault is not the formats'. */
GstFlowReturn batch_negotiate(GstClBatchFilter *self, GError **error);
/* Waits for the device, not for ever, and lets go of all that was built. No task runs, or this is
 * the task. */
void batch_release(GstClBatchFilter *self);

/* ---- gstclbatchtiming.c */
gboolean batch_latency_query(GstClBatchFilter *self, GstQuery *query);
/* Asks upstream whether it is live. No lock held. */
void batch_update_live(GstClBatchFilter *self);
/* Of a frame with that timestamp; GST_CLOCK_TIME_NONE where the segment has no time. */
GstClockTime batch_running_time_locked(const GstClBatchFilterPrivate *p, GstClockTime pts);
GstClockTime batch_stream_time_locked(const GstClBatchFilterPrivate *p, GstClockTime pts);
guint batch_wanted_frames_locked(GstClBatchFilter *self);
GstClockTime batch_timeout_locked(GstClBatchFilterPrivate *p);
/* Sets the alarm for the batch that just got its first frame. No lock held; the timer is set and
 * cancelled by the task. */
void batch_timer_start(GstClBatchFilter *self, GstBuffer *first);
/* Any thread, lock held: the id is taken; unschedule and unref it without the lock. */
GstClockID batch_timer_steal_locked(GstClBatchFilterPrivate *p);
void batch_timer_cancel(GstClockID id);
gboolean batch_deadline_passed_locked(GstClBatchFilterPrivate *p);
/* Waits for a change or the batch's deadline. */
void batch_wait_locked(GstClBatchFilterPrivate *p);
/* A batch took @duration from its submission, or from the end of the one before. */
void batch_compute_time_add(GstClBatchFilter *self, GstClockTime duration);
void batch_post_latency(GstClBatchFilter *self);
void batch_qos_update(GstClBatchFilter *self, GstEvent *event);
void batch_qos_reset_locked(GstClBatchFilterPrivate *p);
/* TRUE if @buffer would come too late, so that it is not worth computing. No lock held; posts the
 * message. */
gboolean batch_qos_drop(GstClBatchFilter *self, GstBuffer *buffer);

/* ---- gstclbatchstats.c */
GstStructure *batch_stats_structure(GstClBatchFilter *self);
/* The events of a finished batch, added up. Task only. */
void batch_stats_add(GstClBatchFilter *self, BatchSlot *slot);

G_END_DECLS
