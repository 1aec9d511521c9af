/* face.h - faces as plain numbers: detected, aligned, followed and chosen on the host.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Positions count pixels from the middle of the first one, as OpenCV does, so that the corner of a
 * picture is at (-0.5, -0.5). Nothing here touches a pixel; see facepaste.h for that. Any thread,
 * an object one at a time.
 */
#pragma once

#include "video.h"

G_BEGIN_DECLS

typedef struct {
    float x, y;
} VideoPoint;

/* The eye at the picture's left, the one at its right, nose, mouth's left and right corner. */
#define VIDEO_FACE_POINTS 5

typedef struct {
    float x, y, width, height; /* the box, left and top first */
    VideoPoint points[VIDEO_FACE_POINTS];
    float score;   /* 0..1 */
    guint64 track; /* the same for the same face from frame to frame; 0: not followed */
} VideoFace;

GArray *video_faces_new(void);
static inline VideoFace *video_faces_at(const GArray *faces, guint i)
{
    return &g_array_index(faces, VideoFace, i);
}
/* The shorter side of the box. */
float video_face_size(const VideoFace *face);
/* Shared area of the boxes by their joint area, 0..1; without the +1 of some detectors. */
float video_face_overlap(const VideoFace *a, const VideoFace *b);

/* ---------------------------------------------------------------- detection */

/* What the outputs of a detector mean. */
typedef enum {
    VIDEO_FACE_YUNET,      /* per stride: class and object scores, box, points; a prior per cell */
    VIDEO_FACE_SCRFD,      /* per stride: score, distances to the box's sides, points */
    VIDEO_FACE_RETINAFACE, /* for all strides at once: box, two classes, points; two priors */
} VideoFaceForm;

#define VIDEO_FACE_LEVELS 5

/* The cells of one stride and where their numbers are. */
typedef struct {
    guint stride, columns, rows, anchors;
    guint first;                     /* row of the outputs that is this level's first */
    gint score, second, box, points; /* outputs; second -1: there is none */
} VideoFaceLevel;

typedef struct {
    VideoFaceForm form;
    guint n_levels;
    VideoFaceLevel levels[VIDEO_FACE_LEVELS];
} VideoFaceHeads;

/* Recognises a detector by the shapes of its @n_outputs outputs for a tensor of @width x @height.
 * NN_ERROR_INPUT if they are none of the known forms, or if it gives no landmarks. */
gboolean video_face_heads_find(const NnPort *const *outputs, guint n_outputs, guint width,
                               guint height, VideoFaceHeads *heads, GError **error);
/* Appends to @faces those of at least @threshold, in the tensor's pixels from the corner of the
 * first one on, in no order. @outputs: each one dense and row-major. */
void video_face_heads_decode(const VideoFaceHeads *heads, const float *const *outputs,
                             float threshold, GArray *faces);
/* Sorts by score and removes what overlaps something better by more than the form's own threshold:
 * 0.3 for YuNet, 0.4 for the others. */
void video_face_heads_suppress(const VideoFaceHeads *heads, GArray *faces);
/* Removes from @faces, sorted by score, what shares more than @most of the smaller area of the two
 * with something better: an eye or a mouth taken for a face. */
void video_faces_drop_parts(GArray *faces, float most);
/* @others were found in another look at the same picture, @scale pixels of which are one of the
 * frame's. Faces whose side has @least to @most pixels there must have been found, too: their score
 * becomes the mean of their own and of the best one there that overlaps, or of 0. */
void video_faces_confirm(GArray *faces, const GArray *others, double scale, double least,
                         double most);

/* ---------------------------------------------------------------- alignment */

/* (u, v) = (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]) */
typedef struct {
    double m[6];
} VideoAffine;

/* The five points in a crop of @size x @size. */
void video_template_points(VideoTemplate which, guint size, VideoPoint points[VIDEO_FACE_POINTS]);
/* The turn, scale and shift that bring @from closest to @to in the mean square (Umeyama 1991, in
 * the closed form that two dimensions allow). FALSE if all of @from are the same point. */
gboolean video_similarity(const VideoPoint from[VIDEO_FACE_POINTS],
                          const VideoPoint to[VIDEO_FACE_POINTS], VideoAffine *similarity);
/* FALSE if it has none. */
gboolean video_affine_invert(const VideoAffine *affine, VideoAffine *inverse);
VideoPoint video_affine_apply(const VideoAffine *affine, VideoPoint point);
/* Where the points of an upright face are in its box, for boxes that come without them. */
void video_face_guess_points(VideoFace *face);

/* ---------------------------------------------------------------- following */

/* Follows faces through a stream: gives them numbers, smooths what jitters, fills in frames that
 * the detector did not see. */
typedef struct VideoFaceTracker VideoFaceTracker;

VideoFaceTracker *video_face_tracker_new(void);
void video_face_tracker_free(VideoFaceTracker *tracker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoFaceTracker, video_face_tracker_free)
/* Forgets all faces, not the numbers given so far. */
void video_face_tracker_reset(VideoFaceTracker *tracker);
/* The share of a new face's threshold that a followed one needs. */
#define VIDEO_FACE_KEEP 0.5f
/* The frames that follow those before: @faces[i] holds the detections of frame i, sorted by score
 * and down to VIDEO_FACE_KEEP of @threshold, if @detected[i]; else it is empty. Afterwards it holds
 * the faces there, with their numbers. Between two frames with detections faces move from one to
 * the other; after the last they go on as they went. When they are then seen elsewhere they do not
 * jump. @seconds: from one frame to the next. */
void video_face_tracker_run(VideoFaceTracker *tracker, GArray *const *faces,
                            const gboolean *detected, guint n_frames, double seconds,
                            float threshold);

/* ---------------------------------------------------------------- choice */

typedef enum {
    VIDEO_SELECT_ALL,
    VIDEO_SELECT_LARGEST,
    VIDEO_SELECT_CENTER, /* nearest the middle of the frame */
} VideoFaceSelector;

/* Leaves the faces of at least @min_size pixels, by what @selector says, at most @max_faces; the
 * larger first. @chosen: (nullable): guint64, the tracks that were left of the frame before: they
 * count as a tenth larger, and nearer the middle. */
void video_faces_select(GArray *faces, VideoFaceSelector selector, guint min_size, guint max_faces,
                        guint width, guint height, const GArray *chosen);

G_END_DECLS
