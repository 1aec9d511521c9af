/* facepaste.h - faces of frames through a restoring network and back, all on the device.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "face.h"

G_BEGIN_DECLS

typedef struct {
    VideoTemplate template;
    float blur;             /* width of the mask's soft edge as a share of the crop, 0..0.5 */
    gboolean match;         /* give the restored face the colours of the one before */
    float least_similarity; /* a face that is less similar than this fades into the one before; one
                             * that is less by VIDEO_FACE_FADE stays as it was */
} VideoFaceStyle;

/* So that a face near the threshold does not come and go: its share of the result, too, changes
 * little from frame to frame. */
#define VIDEO_FACE_FADE 0.1f

/* A face to be restored. */
typedef struct {
    VideoFace face;
    guint frame;
    float blend; /* share of the restored face, 0..1 */
    VideoFaceStyle style;
    /* out, see video_face_list_results() */
    float similarity;  /* to what was there, -1..1 */
    gboolean restored; /* in part, at least */
} VideoFaceJob;

/* Which faces one batch has, on their way to the device, and what came of them: host memory that
 * must not be used again before the batch has completed. */
typedef struct VideoFaceList VideoFaceList;

VideoFaceList *video_face_list_new(OclDevice *device);
void video_face_list_free(VideoFaceList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoFaceList, video_face_list_free)
/* Once the batch has completed: fills in what came of the @n_jobs of its last run. */
void video_face_list_results(const VideoFaceList *list, VideoFaceJob *jobs, guint n_jobs);

/* What all batches of one device share; its memory is written by every run, so runs must be
 * enqueued on one queue. */
typedef struct VideoRestorer VideoRestorer;

/* A network over square pictures of faces; what it points to outlives its user. */
typedef struct {
    NnSlot *slot;
    guint input, output; /* ports */
    const VideoModelInfo *info;
} VideoFaceNetwork;

/* @in, @out: the formats of what faces are cut from and of what they are pasted into: the same, or
 * @out a whole number of times as large. @network: takes a picture and
 * gives one. @parser: (nullable): tells the parts of a restored face apart, of which background,
 * hat and clothes are not pasted: 19 classes in the order of CelebAMask-HQ's ParseNet, two classes
 * (the second is the face) or one channel, 0..1. Both take @max_samples at once. NN_ERROR_INPUT if
 * their tensors are not of that kind. */
VideoRestorer *video_restorer_new(OclDevice *device, const GstVideoInfo *in,
                                  const GstVideoInfo *out, const VideoFaceNetwork *network,
                                  const VideoFaceNetwork *parser, guint max_samples,
                                  GError **error);
void video_restorer_free(VideoRestorer *restorer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoRestorer, video_restorer_free)

/* Enqueues it all for @jobs, whose frames are in order: crops, the network over as many samples at
 * once as it takes, the judgement, and the paste over what is in @out, which may be @in. Where
 * faces overlap, the one decides whose mask is stronger. What comes of a face depends on its own
 * pixels alone. Without jobs nothing is enqueued. */
gboolean video_restorer_run(VideoRestorer *restorer, OclQueue *compute, VideoFaceList *list,
                            const VideoFrames *in, const VideoFrames *out, const VideoFaceJob *jobs,
                            guint n_jobs, GError **error);

G_END_DECLS
