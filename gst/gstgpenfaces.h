/* gstgpenfaces.h - the faces of whole frames: found, followed, restored, pasted back.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A batch has two halves. The first uploads the frames and runs the detector; then the host knows
 * which faces there are, and the second sends those of all frames through the restoring network and
 * pastes them into the frames, in place. Everything here belongs to the element's source task.
 */
#pragma once

#include "gstgpenbackground.h"
#include "video/facedetect.h"
#include "video/facepaste.h"

G_BEGIN_DECLS

/* What the properties are for one frame. */
typedef struct {
    float blend;
    float score; /* least of a face that is new */
    guint min_size, max_faces;
    VideoFaceSelector selector;
    VideoFaceStyle style;
    gboolean attach_meta;
} FaceControls;

/* What is carried from batch to batch. */
typedef struct {
    VideoFaceTracker *tracker;
    guint frames_until_detection;
    GArray *chosen; /* guint64: the tracks restored in the last frame */
} FaceStream;

void face_stream_init(FaceStream *stream);
void face_stream_clear(FaceStream *stream);
/* Forgets all faces. */
void face_stream_reset(FaceStream *stream);

/* All counts are since the element was started. */
typedef struct {
    guint64 frames, frames_with_faces;
    guint64 faces, restored; /* chosen; restored and not refused for lack of similarity */
} FaceCounts;

/* ---------------------------------------------------------------- built for a device and format */

typedef struct FaceBuild FaceBuild;

typedef struct {
    PictureModel *restorer;              /* (nullable): faces are left alone */
    PictureModel *parser;                /* (nullable): whole faces are pasted */
    NnModel *detector;                   /* (nullable): faces come as metas */
    const VideoModelInfo *detector_info; /* (nullable): as its form usually wants pictures */
    guint detector_side;                 /* px, the longer one */
    guint max_samples;                   /* faces at once; 0: what suits the device */
    PictureModel *background;            /* (nullable): frames stay but for faces; mixed with the
                                          * frame as blend says where there is no restorer */
    guint factor;                        /* that it enlarges frames by; 1 without it */
    BackgroundTiles tiles;
    NnPrecision precision;
} FaceBuildParams;

/* What @params point to outlives the build. GST_RESOURCE_ERROR_SETTINGS if a network is not what it
 * should be. */
FaceBuild *face_build_new(OclDevice *device, const GstVideoInfo *in, const GstVideoInfo *out,
                          guint max_frames, const FaceBuildParams *params, GError **error);
void face_build_free(FaceBuild *build);

/* ---------------------------------------------------------------- a batch in flight */

typedef struct FaceBatch FaceBatch;

FaceBatch *face_batch_new(FaceBuild *build, GError **error);
void face_batch_free(FaceBatch *batch);
/* Before the first frame of a batch: what the last one has left is forgotten. */
void face_batch_begin(FaceBatch *batch);
/* To be filled in before the second half. */
FaceControls *face_batch_controls(FaceBatch *batch, guint index);
/* Frame @index is done again in @to, with the controls, the plan of detections and the faces that
 * it has in @from as far as these are known. */
void face_batch_copy(const FaceBatch *from, FaceBatch *to, guint index);
/* Without a detector: also reads the frame's regions of interest of type "face". */
gboolean face_batch_upload(FaceBatch *batch, OclQueue *upload, guint index, GstVideoFrame *frame,
                           GError **error);
/* Which frames the detector sees, every how many @interval says. FALSE: none of these. */
gboolean face_batch_plan(FaceBatch *batch, FaceStream *stream, guint n_frames, guint interval);
/* The first half, if there is something to detect. */
gboolean face_batch_detect(FaceBatch *batch, OclQueue *compute, guint n_frames, GError **error);
/* The second half, once the first has completed. */
gboolean face_batch_restore(FaceBatch *batch, FaceStream *stream, OclQueue *compute, guint n_frames,
                            GError **error);
gboolean face_batch_download(FaceBatch *batch, OclQueue *download, guint index,
                             GstVideoFrame *frame, GError **error);
/* Once all has completed: counts, and attaches metas to @buffer where the controls say so. */
void face_batch_finish(FaceBatch *batch, guint index, GstBuffer *buffer, FaceCounts *counts);

G_END_DECLS
