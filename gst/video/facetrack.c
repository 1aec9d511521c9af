/* facetrack.c - the same face from frame to frame: numbers, smoothing, frames without detection.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Smoothing is the One-Euro filter (Casiez, Roussel, Vogel 2012): a low pass whose cutoff rises
 * with the speed, so that a still face does not tremble and a moving one is not left behind. All
 * numbers of a face share one cutoff, so that smoothing does not bend it, and speed counts in faces
 * a second, so that it suits every size.
 *
 * A face that was shown ahead of its detection is shown elsewhere than that then says. It does not
 * jump there: the difference, of place and of speed, fades out over the frames that follow, as a
 * critically damped spring does. Restoring a face suffers less from a crop that is a little off
 * than the eye from one that jumps.
 */
#include "face.h"

#include <math.h>
#include <string.h>

/* Of a still face, Hz; with the detectors' usual noise of half a percent of the face. */
#define STILL_CUTOFF_HZ 0.7
/* Hz per face a second: a head that crosses its own width in a second lags by 1.5 % of it. */
#define SPEED_CUTOFF 10.0
/* Of the speed itself, Hz (the paper's value). */
#define RATE_CUTOFF_HZ 1.0
/* A face goes on as it went for no longer than this after it was seen. */
#define MOST_SECONDS_AHEAD 0.2
/* Time constant of that spring. */
#define FADE_SECONDS 0.05f
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
    /* of the last frame shown: how fast the way was that it was on, pixels a second, and by how
     * much place and speed were off it */
    float way_rates[N_NUMBERS];
    float off[N_NUMBERS], off_rates[N_NUMBERS];
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

static Track *find_track(const GArray *tracks, guint64 number)
{
    for (guint i = 0; i < tracks->len; i++) {
        Track *track = &g_array_index(tracks, Track, i);
        if (track->face.track == number)
            return track;
    }
    return NULL;
}

/* @share of the way from a detection to the next one; who is gone then stays where it was. */
static VideoFace on_the_way(const Track *from, const Track *to, float share)
{
    return to && share > 0 ? between(&from->face, &to->face, share) : from->face;
}

/* From the next frame on the way has these speeds. */
static void change_rates(Track *track, const float rates[N_NUMBERS])
{
    for (guint i = 0; i < N_NUMBERS; i++) {
        track->off_rates[i] += track->way_rates[i] - rates[i];
        track->way_rates[i] = rates[i];
    }
}

/* A detection, @n_frames after @from, says where the face is (@to) or that it is gone (NULL). The
 * next frame to be shown is @frames after @from; those before it were shown without knowing. */
static void change_ways(Track *from, const Track *to, guint frames, guint n_frames, double seconds)
{
    float old[N_NUMBERS], new[N_NUMBERS], begin[N_NUMBERS], end[N_NUMBERS], rates[N_NUMBERS];
    const VideoFace expected = ahead(from, (frames - 1) * seconds);
    const VideoFace known = on_the_way(from, to, (float)(frames - 1) / (float)n_frames);
    to_numbers(&expected, old);
    to_numbers(&known, new);
    to_numbers(&from->face, begin);
    to_numbers(to ? &to->face : &from->face, end);
    for (guint i = 0; i < N_NUMBERS; i++) {
        from->off[i] += frames > 1 ? old[i] - new[i] : 0;
        rates[i] = (end[i] - begin[i]) / (float)(n_frames * seconds);
    }
    change_rates(from, rates);
}

/* Shows @face in the next frame. */
static void show(Track *track, VideoFace face, double seconds, GArray *faces)
{
    const float time = (float)seconds, rest = expf(-time / FADE_SECONDS);
    float numbers[N_NUMBERS];
    gboolean any = FALSE;
    to_numbers(&face, numbers);
    for (guint i = 0; i < N_NUMBERS; i++) {
        const float slope = track->off_rates[i] + track->off[i] / FADE_SECONDS;
        track->off[i] = (track->off[i] + slope * time) * rest;
        track->off_rates[i] = (track->off_rates[i] - slope * time / FADE_SECONDS) * rest;
        numbers[i] += track->off[i];
        any |= track->off[i] != 0;
    }
    if (any)
        from_numbers(numbers, &face);
    g_array_append_val(faces, face);
}

/* The frames up to a detection, that one included: the last @n of @n_frames since the detection
 * before, whose tracks were @before. */
static void fill_up_to(VideoFaceTracker *tracker, const GArray *before, GArray *const *faces,
                       guint n, guint n_frames, double seconds)
{
    /* Where all frames are looked at, smoothing is all that there is. */
    for (guint i = 0; i < before->len && n_frames > 1; i++) {
        Track *from = &g_array_index(before, Track, i);
        change_ways(from, find_track(tracker->tracks, from->face.track), n_frames - n + 1, n_frames,
                    seconds);
    }
    for (guint f = 0; f < n; f++) {
        const guint frames = n_frames - n + 1 + f;
        g_array_set_size(faces[f], 0);
        for (guint i = 0; i < before->len && frames < n_frames; i++) {
            Track *from = &g_array_index(before, Track, i);
            const Track *to = find_track(tracker->tracks, from->face.track);
            show(from, on_the_way(from, to, (float)frames / (float)n_frames), seconds, faces[f]);
        }
    }
    for (guint i = 0; i < tracker->tracks->len; i++) {
        Track *track = track_at(tracker, i);
        const Track *from = find_track(before, track->face.track);
        if (from) {
            memcpy(track->way_rates, from->way_rates, sizeof track->way_rates);
            memcpy(track->off, from->off, sizeof track->off);
            memcpy(track->off_rates, from->off_rates, sizeof track->off_rates);
        }
        show(track, track->face, seconds, faces[n - 1]);
    }
}

void video_face_tracker_run(VideoFaceTracker *tracker, GArray *const *faces,
                            const gboolean *detected, guint n_frames, double seconds,
                            float threshold)
{
    static const float stopped[N_NUMBERS];
    guint next = 0; /* the first frame that is not filled yet */
    for (guint i = 0; i < n_frames; i++) {
        tracker->frames_since++;
        if (!detected[i])
            continue;
        g_autoptr(GArray) before = g_array_copy(tracker->tracks);
        update(tracker, faces[i], tracker->frames_since * seconds, threshold);
        fill_up_to(tracker, before, faces + next, i + 1 - next, tracker->frames_since, seconds);
        tracker->frames_since = 0;
        next = i + 1;
    }
    for (; next < n_frames; next++) {
        const double time = (tracker->frames_since - (n_frames - 1 - next)) * seconds;
        g_array_set_size(faces[next], 0);
        for (guint i = 0; i < tracker->tracks->len; i++) {
            Track *track = track_at(tracker, i);
            change_rates(track, time <= MOST_SECONDS_AHEAD ? track->rates : stopped);
            show(track, ahead(track, time), seconds, faces[next]);
        }
    }
}
