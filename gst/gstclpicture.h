/* gstclpicture.h - whole frames through a picture network: what the elements have in common.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An element's build and batch begin with these, so that they can be used as they are.
 */
#pragma once

#include "gstclbatchfilter.h"
#include "gstclnetwork.h"

G_BEGIN_DECLS

/* Posts an INFO message that says what has been guessed about @model, if anything has. */
void picture_tell_guess(GstClBatchFilter *filter, const PictureModel *model);

/* The path that sends frames of @in through @network on its device. */
typedef struct {
    GstVideoInfo in, out;
    guint max_frames;
    PictureNetwork *network;
    VideoToTensor *to_tensor; /* from the first batch on */
    NnSlot *slot;             /* from the first batch on; NULL: each batch has its own */
} PictureBuild;

/* Takes the model's network for frames of @in. Clear it, also after a failure. */
gboolean picture_build_init(PictureBuild *self, PictureModel *model, OclDevice *device,
                            const GstVideoInfo *in, const GstVideoInfo *out, guint max_frames,
                            NnPrecision precision, GError **error);
void picture_build_clear(PictureBuild *self);

/* A batch in flight: the frames, and the network's memory between them. Batches run one after the
 * other, so that memory is the same for all, but where states are carried from one to the next. All
 * runs of a build must be on the same queue. */
typedef struct {
    PictureBuild *build;
    VideoFrames *in, *out;
    NnSlot *slot;
} PictureBatch;

/* Clear it, also after a failure. */
gboolean picture_batch_init(PictureBatch *self, PictureBuild *build, GError **error);
void picture_batch_clear(PictureBatch *self);

/* Where the network of the batch reads its picture and writes its result. */
NnPlace picture_batch_input(const PictureBatch *self);
NnPlace picture_batch_output(const PictureBatch *self);

/* Enqueues the conversion of the frames, and the network. */
gboolean picture_batch_run(PictureBatch *self, OclQueue *compute, guint n_frames, GError **error);

/* GstClBatchFilterClass.upload and download, for batches that begin with a PictureBatch. */
gboolean picture_upload(GstClBatchFilter *filter, GstClBatch batch, OclQueue *upload, guint index,
                        GstVideoFrame *frame, GError **error);
gboolean picture_download(GstClBatchFilter *filter, GstClBatch batch, OclQueue *download,
                          guint index, GstVideoFrame *frame, GError **error);

G_END_DECLS
