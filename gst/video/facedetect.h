/* facedetect.h - faces in frames on the device, by a detector network.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "face.h"

G_BEGIN_DECLS

/* A detector built for a device and frames of one format and size. Its memory on the device is
 * written by every run, so runs must be enqueued on one queue. */
typedef struct VideoFaceDetector VideoFaceDetector;

/* @model: YuNet, SCRFD or RetinaFace, told by its outputs. @info: (nullable): how it wants its
 * pictures; NULL: as the authors of that form do. @side: what the longer side of a frame is scaled
 * to, in pixels, enlarged twice at most, where the network takes any size; above 320 it then looks
 * a second time, at 320, for faces too large for it, and averages the scores of faces that both
 * looks should see. A network with a size of its own gets the
 * frame scaled to fit. NN_ERROR_INPUT if the network is no face detector, or one without landmarks.
 */
VideoFaceDetector *video_face_detector_new(OclDevice *device, NnModel *model,
                                           const VideoModelInfo *info, const GstVideoInfo *frames,
                                           guint side, guint max_frames, GError **error);
void video_face_detector_free(VideoFaceDetector *detector);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoFaceDetector, video_face_detector_free)

/* Floats that a run leaves for each frame. */
gsize video_face_detector_numbers(const VideoFaceDetector *detector);
/* Enqueues detection in frames @first, @first + @step and so on, @n_frames of them, and the
 * readback to @numbers, which must stay valid until that has completed. */
gboolean video_face_detector_run(VideoFaceDetector *detector, OclQueue *queue,
                                 const VideoFrames *frames, guint first, guint step, guint n_frames,
                                 float *numbers, GError **error);
/* Replaces @faces by what one frame's @numbers say, best first, in the frame's pixels. */
void video_face_detector_find(const VideoFaceDetector *detector, const float *numbers,
                              float threshold, GArray *faces);

G_END_DECLS
