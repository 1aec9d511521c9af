/* faceselect.c - which of the faces in a frame are worth the work; landmarks for bare boxes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "face.h"

#include <math.h>

/* A face that was chosen in the frame before counts as so much larger and nearer, lest two that are
 * about equal take turns. */
#define FAVOUR 1.1

static double favour_of(const VideoFace *face, const GArray *chosen)
{
    for (guint i = 0; chosen && face->track && i < chosen->len; i++)
        if (g_array_index(chosen, guint64, i) == face->track)
            return FAVOUR;
    return 1;
}

static double area(const VideoFace *face, const GArray *chosen)
{
    const double favour = favour_of(face, chosen);
    return favour * favour * face->width * face->height;
}

static gint compare_areas(gconstpointer a, gconstpointer b, gpointer chosen)
{
    const VideoFace *one = a, *other = b;
    const double one_area = area(one, chosen), other_area = area(other, chosen);
    if (one_area != other_area)
        return one_area < other_area ? 1 : -1;
    return (one->track > other->track) - (one->track < other->track);
}

static double distance_to(const VideoFace *face, double x, double y, const GArray *chosen)
{
    return hypot(face->x + face->width / 2 - x, face->y + face->height / 2 - y) /
           favour_of(face, chosen);
}

static void leave_nearest(GArray *faces, double x, double y, const GArray *chosen)
{
    guint nearest = 0;
    for (guint i = 1; i < faces->len; i++)
        if (distance_to(video_faces_at(faces, i), x, y, chosen) <
            distance_to(video_faces_at(faces, nearest), x, y, chosen))
            nearest = i;
    if (nearest < faces->len)
        *video_faces_at(faces, 0) = *video_faces_at(faces, nearest);
    g_array_set_size(faces, MIN(faces->len, 1));
}

void video_faces_select(GArray *faces, VideoFaceSelector selector, guint min_size, guint max_faces,
                        guint width, guint height, const GArray *chosen)
{
    guint n = 0;
    for (guint i = 0; i < faces->len; i++) {
        const VideoFace *face = video_faces_at(faces, i);
        if (video_face_size(face) * favour_of(face, chosen) >= min_size)
            *video_faces_at(faces, n++) = *face;
    }
    g_array_set_size(faces, n);
    g_array_sort_with_data(faces, compare_areas, (gpointer)chosen);
    if (selector == VIDEO_SELECT_CENTER)
        leave_nearest(faces, (width - 1) / 2.0, (height - 1) / 2.0, chosen);
    const guint most = selector == VIDEO_SELECT_LARGEST ? MIN(max_faces, 1) : max_faces;
    g_array_set_size(faces, MIN(faces->len, most));
}

void video_face_guess_points(VideoFace *face)
{
    /* Means over YuNet's boxes of 16 upright faces in photos; they deviate by 0.03 to 0.05. */
    static const float shares[VIDEO_FACE_POINTS][2] = { { 0.28f, 0.375f },
                                                        { 0.72f, 0.375f },
                                                        { 0.50f, 0.575f },
                                                        { 0.315f, 0.735f },
                                                        { 0.685f, 0.735f } };
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++)
        face->points[i] = (VideoPoint){ face->x + shares[i][0] * face->width,
                                        face->y + shares[i][1] * face->height };
}
