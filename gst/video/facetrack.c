/* facetrack.c - the same face from frame to frame: numbers, smoothing, frames without detection.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Smoothing is the One-Euro filter (Casiez, Roussel, Vogel 2012): a low pass whose cutoff rises
 * with the speed, so that a still face does not tremble and a moving one is not left behind. All
 * numbers of a face share one cutoff, so that smoothing does not bend it, and speed counts in faces
 * a second, so that it suits every size.
 */
#include "face.h"

#include <math.h>

/* Of a still face, Hz; with the detectors' usual noise of half a percent of the face. */
#define STILL_CUTOFF_HZ 0.7
/* Hz per face a second: a head that crosses its own width in a second lags by 1.5 % of it. */
#define SPEED_CUTOFF 10.0
/* Of the speed itself, Hz (the paper's value). */
#define RATE_CUTOFF_HZ 1.0
/* A face goes on as it went for no longer than this after it was seen. */
#define MOST_SECONDS_AHEAD 0.2
/* A detection may be a followed face if the boxes share this much, or if the landmarks are off by
 * at most this share of its size. */
#define LEAST_OVERLAP 0.3f
#define MOST_DISTANCE 0.35f
/* ... and if neither is this many times as large as the other. */
#define MOST_GROWTH 2.0f

enum { N_NUMBERS = 4 + 2 * VIDEO_FACE_POINTS };

typedef struct {
    VideoFace face;         /* smoothed, where it was last seen */
    float rates[N_NUMBERS]; /* smoothed, pixels a second */
} Track;

struct VideoFaceTracker {
    GArray *tracks; /* Track */
    guint64 n_tracks_ever;
    guint frames_since; /* since the tracks were seen */
};

VideoFaceTracker *video_face_tracker_new(void)
{
    VideoFaceTracker *tracker = g_new0(VideoFaceTracker, 1);
    tracker->tracks = g_array_new(FALSE, TRUE, sizeof(Track));
    return tracker;
}

void video_face_tracker_free(VideoFaceTracker *tracker)
{
    if (!tracker)
        return;
    g_array_unref(tracker->tracks);
    g_free(tracker);
}

void video_face_tracker_reset(VideoFaceTracker *tracker)
{
    g_array_set_size(tracker->tracks, 0);
    tracker->frames_since = 0;
}

static Track *track_at(const VideoFaceTracker *tracker, guint i)
{
    return &g_array_index(tracker->tracks, Track, i);
}

/* ---------------------------------------------------------------- faces as lists of numbers */

/* The box by its middle, so that a change of size does not move it. */
static void to_numbers(const VideoFace *face, float numbers[N_NUMBERS])
{
    numbers[0] = face->x + face->width / 2;
    numbers[1] = face->y + face->height / 2;
    numbers[2] = face->width;
    numbers[3] = face->height;
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++) {
        numbers[4 + 2 * i] = face->points[i].x;
        numbers[5 + 2 * i] = face->points[i].y;
    }
}

static void from_numbers(const float numbers[N_NUMBERS], VideoFace *face)
{
    face->width = MAX(numbers[2], 0);
    face->height = MAX(numbers[3], 0);
    face->x = numbers[0] - face->width / 2;
    face->y = numbers[1] - face->height / 2;
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++)
        face->points[i] = (VideoPoint){ numbers[4 + 2 * i], numbers[5 + 2 * i] };
}

static float mean_side(const VideoFace *face)
{
    return sqrtf(face->width * face->height);
}

/* The face of @track, @seconds after it was seen. */
static VideoFace ahead(const Track *track, double seconds)
{
    const float time = (float)MIN(seconds, MOST_SECONDS_AHEAD);
    float numbers[N_NUMBERS];
    VideoFace face = track->face;
    to_numbers(&track->face, numbers);
    for (guint i = 0; i < N_NUMBERS; i++)
        numbers[i] += track->rates[i] * time;
    from_numbers(numbers, &face);
    return face;
}

static VideoFace between(const VideoFace *a, const VideoFace *b, float share)
{
    float from[N_NUMBERS], to[N_NUMBERS];
    VideoFace face = *b;
    to_numbers(a, from);
    to_numbers(b, to);
    for (guint i = 0; i < N_NUMBERS; i++)
        from[i] += share * (to[i] - from[i]);
    from_numbers(from, &face);
    return face;
}

/* ---------------------------------------------------------------- smoothing */

/* The weight of a new value in a low pass of one pole. */
static double weight_of(double cutoff_hz, double seconds)
{
    const double step = 2 * G_PI * cutoff_hz * seconds;
    return step / (1 + step);
}

static void smooth(Track *track, const VideoFace *seen, double seconds)
{
    float old[N_NUMBERS], new[N_NUMBERS];
    to_numbers(&track->face, old);
    to_numbers(seen, new);
    const float rate_weight = (float)weight_of(RATE_CUTOFF_HZ, seconds);
    double squares = 0;
    for (guint i = 0; i < N_NUMBERS; i++) {
        const float rate = (new[i] - old[i]) / (float)seconds;
        track->rates[i] += rate_weight * (rate - track->rates[i]);
        if (i >= 4)
            squares += (double)track->rates[i] * track->rates[i];
    }
    const double speed = sqrt(squares / VIDEO_FACE_POINTS) / MAX(mean_side(seen), 1);
    const float weight = (float)weight_of(STILL_CUTOFF_HZ + SPEED_CUTOFF * speed, seconds);
    for (guint i = 0; i < N_NUMBERS; i++)
        old[i] += weight * (new[i] - old[i]);
    from_numbers(old, &track->face);
    track->face.score = seen->score;
}

/* ---------------------------------------------------------------- which is which */

typedef struct {
    float distance;
    guint track, face;
} Pair;

static gint compare_pairs(gconstpointer a, gconstpointer b)
{
    const Pair *one = a, *other = b;
    if (one->distance != other->distance)
        return one->distance > other->distance ? 1 : -1;
    if (one->track != other->track)
        return one->track > other->track ? 1 : -1;
    return (one->face > other->face) - (one->face < other->face);
}

/* Mean distance of the landmarks as a share of the face; negative if they cannot be the same. */
static float distance_of(const VideoFace *expected, const VideoFace *seen)
{
    const float size = mean_side(expected), growth = mean_side(seen) / MAX(size, 1e-3f);
    float sum = 0;
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++)
        sum += hypotf(expected->points[i].x - seen->points[i].x,
                      expected->points[i].y - seen->points[i].y);
    const float distance = sum / VIDEO_FACE_POINTS / MAX(size, 1e-3f);
    const gboolean near =
        distance <= MOST_DISTANCE || video_face_overlap(expected, seen) >= LEAST_OVERLAP;
    return near && growth <= MOST_GROWTH && growth >= 1 / MOST_GROWTH ? distance : -1;
}

/* The pairs that may be the same face, nearest first. */
static GArray *possible_pairs(const VideoFaceTracker *tracker, const GArray *faces, double seconds)
{
    GArray *pairs = g_array_new(FALSE, FALSE, sizeof(Pair));
    for (guint t = 0; t < tracker->tracks->len; t++) {
        const VideoFace expected = ahead(track_at(tracker, t), seconds);
        for (guint f = 0; f < faces->len; f++) {
            const Pair pair = { distance_of(&expected, video_faces_at(faces, f)), t, f };
            if (pair.distance >= 0)
                g_array_append_val(pairs, pair);
        }
    }
    g_array_sort(pairs, compare_pairs);
    return pairs;
}

static void drop_unseen(VideoFaceTracker *tracker, const gboolean *seen)
{
    guint n = 0;
    for (guint i = 0; i < tracker->tracks->len; i++)
        if (seen[i])
            *track_at(tracker, n++) = *track_at(tracker, i);
    g_array_set_size(tracker->tracks, n);
}

/* A detection of @seconds after the one before: tracks go on, end and begin. */
static void update(VideoFaceTracker *tracker, const GArray *faces, double seconds, float threshold)
{
    g_autoptr(GArray) pairs = possible_pairs(tracker, faces, seconds);
    g_autofree gboolean *seen = g_new0(gboolean, tracker->tracks->len + 1);
    g_autofree gboolean *known = g_new0(gboolean, faces->len + 1);
    for (guint i = 0; i < pairs->len; i++) {
        const Pair *pair = &g_array_index(pairs, Pair, i);
        if (seen[pair->track] || known[pair->face])
            continue;
        seen[pair->track] = known[pair->face] = TRUE;
        smooth(track_at(tracker, pair->track), video_faces_at(faces, pair->face), seconds);
    }
    drop_unseen(tracker, seen);
    for (guint f = 0; f < faces->len; f++) {
        Track track = { .face = *video_faces_at(faces, f) };
        if (known[f] || track.face.score < threshold)
            continue;
        track.face.track = ++tracker->n_tracks_ever;
        g_array_append_val(tracker->tracks, track);
    }
}

/* ---------------------------------------------------------------- a batch */

static GArray *current_faces(const VideoFaceTracker *tracker)
{
    GArray *faces = video_faces_new();
    for (guint i = 0; i < tracker->tracks->len; i++)
        g_array_append_val(faces, track_at(tracker, i)->face);
    return faces;
}

static const VideoFace *find_track(const GArray *faces, guint64 track)
{
    for (guint i = 0; i < faces->len; i++)
        if (video_faces_at(faces, i)->track == track)
            return video_faces_at(faces, i);
    return NULL;
}

/* A frame between two detections; who is gone in the second one stays where it was. */
static void fill_between(const GArray *before, const GArray *after, float share, GArray *faces)
{
    g_array_set_size(faces, 0);
    for (guint i = 0; i < before->len; i++) {
        const VideoFace *from = video_faces_at(before, i), *to = find_track(after, from->track);
        const VideoFace face = to ? between(from, to, share) : *from;
        g_array_append_val(faces, face);
    }
}

static void fill_ahead(const VideoFaceTracker *tracker, double seconds, GArray *faces)
{
    g_array_set_size(faces, 0);
    for (guint i = 0; i < tracker->tracks->len; i++) {
        const VideoFace face = ahead(track_at(tracker, i), seconds);
        g_array_append_val(faces, face);
    }
}

void video_face_tracker_run(VideoFaceTracker *tracker, GArray *const *faces,
                            const gboolean *detected, guint n_frames, double seconds,
                            float threshold)
{
    guint next = 0; /* the first frame that is not filled yet */
    for (guint i = 0; i < n_frames; i++) {
        tracker->frames_since++;
        if (!detected[i])
            continue;
        g_autoptr(GArray) before = current_faces(tracker);
        update(tracker, faces[i], tracker->frames_since * seconds, threshold);
        g_autoptr(GArray) after = current_faces(tracker);
        for (; next < i; next++)
            fill_between(before, after, 1 - (float)(i - next) / (float)tracker->frames_since,
                         faces[next]);
        g_array_set_size(faces[i], 0);
        g_array_append_vals(faces[i], after->data, after->len);
        tracker->frames_since = 0;
        next = i + 1;
    }
    for (; next < n_frames; next++)
        fill_ahead(tracker, (tracker->frames_since - (n_frames - 1 - next)) * seconds, faces[next]);
}
