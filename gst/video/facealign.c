/* facealign.c - where faces belong in a network's input: templates and the similarity to them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "face.h"

#include <math.h>

/* As shares of the crop. GPEN's: ArcFace's 96 x 112 points, 8 px moved right, with 28 px around
 * 112 x 112. */
static const double templates[][VIDEO_FACE_POINTS][2] = {
    [VIDEO_TEMPLATE_GPEN] = { { 0.39461071, 0.47438274 },
                              { 0.60435595, 0.47322262 },
                              { 0.50015000, 0.59367025 },
                              { 0.41398394, 0.71646132 },
                              { 0.58767798, 0.71550060 } },
    [VIDEO_TEMPLATE_FFHQ] = { { 0.37691676, 0.46864664 },
                              { 0.62285697, 0.46912813 },
                              { 0.50123859, 0.61331904 },
                              { 0.39308822, 0.72541100 },
                              { 0.61150205, 0.72490465 } },
    [VIDEO_TEMPLATE_ARCFACE] = { { 0.36167656, 0.40387734 },
                                 { 0.63696719, 0.40235469 },
                                 { 0.50019687, 0.56044219 },
                                 { 0.38710391, 0.72160547 },
                                 { 0.61507734, 0.72034453 } },
};

void video_template_points(VideoTemplate which, guint size, VideoPoint points[VIDEO_FACE_POINTS])
{
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++)
        points[i] = (VideoPoint){ (float)(templates[which][i][0] * size),
                                  (float)(templates[which][i][1] * size) };
}

static void mean_of(const VideoPoint points[VIDEO_FACE_POINTS], double *x, double *y)
{
    *x = *y = 0;
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++) {
        *x += points[i].x;
        *y += points[i].y;
    }
    *x /= VIDEO_FACE_POINTS;
    *y /= VIDEO_FACE_POINTS;
}

gboolean video_similarity(const VideoPoint from[VIDEO_FACE_POINTS],
                          const VideoPoint to[VIDEO_FACE_POINTS], VideoAffine *similarity)
{
    double from_x, from_y, to_x, to_y, spread = 0, a = 0, b = 0;
    mean_of(from, &from_x, &from_y);
    mean_of(to, &to_x, &to_y);
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++) {
        const double x = from[i].x - from_x, y = from[i].y - from_y;
        const double u = to[i].x - to_x, v = to[i].y - to_y;
        spread += x * x + y * y;
        a += x * u + y * v;
        b += x * v - y * u;
    }
    if (spread <= 0)
        return FALSE;
    a /= spread;
    b /= spread;
    *similarity = (VideoAffine){ { a, -b, to_x - a * from_x + b * from_y, b, a,
                                   to_y - b * from_x - a * from_y } };
    return TRUE;
}

gboolean video_affine_invert(const VideoAffine *affine, VideoAffine *inverse)
{
    const double *m = affine->m;
    const double determinant = m[0] * m[4] - m[1] * m[3];
    if (determinant == 0 || !isfinite(determinant))
        return FALSE;
    const double a = m[4] / determinant, b = -m[1] / determinant;
    const double c = -m[3] / determinant, d = m[0] / determinant;
    *inverse = (VideoAffine){ { a, b, -a * m[2] - b * m[5], c, d, -c * m[2] - d * m[5] } };
    return TRUE;
}

VideoPoint video_affine_apply(const VideoAffine *affine, VideoPoint point)
{
    const double *m = affine->m;
    return (VideoPoint){ (float)(m[0] * point.x + m[1] * point.y + m[2]),
                         (float)(m[3] * point.x + m[4] * point.y + m[5]) };
}
