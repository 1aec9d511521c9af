/* facedecode.c - from a detector's outputs to faces: which form it has, its boxes, the best of
 * each.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The arithmetic of the forms is that of the networks' own inference code: libfacedetection.train
 * (YuNet of 2023), InsightFace (SCRFD), Pytorch_Retinaface (RetinaFace).
 */
#include "face.h"

#include <math.h>

/* RetinaFace's priors: two sizes for each of three strides; its variances. */
#define RETINA_LEVELS 3
static const float retina_sizes[RETINA_LEVELS][2] = { { 16, 32 }, { 64, 128 }, { 256, 512 } };
#define RETINA_CENTRE 0.1f
#define RETINA_SIZE 0.2f

#define POINT_NUMBERS (2 * VIDEO_FACE_POINTS)

/* Faces of two looks that overlap by more are the same. */
#define SAME 0.4f

GArray *video_faces_new(void)
{
    return g_array_new(FALSE, TRUE, sizeof(VideoFace));
}

float video_face_size(const VideoFace *face)
{
    return MIN(face->width, face->height);
}

static float shared_area(const VideoFace *a, const VideoFace *b)
{
    const float width = MIN(a->x + a->width, b->x + b->width) - MAX(a->x, b->x);
    const float height = MIN(a->y + a->height, b->y + b->height) - MAX(a->y, b->y);
    return MAX(width, 0) * MAX(height, 0);
}

float video_face_overlap(const VideoFace *a, const VideoFace *b)
{
    const float shared = shared_area(a, b);
    const float joint = a->width * a->height + b->width * b->height - shared;
    return joint > 0 ? shared / joint : 0;
}

/* ---------------------------------------------------------------- forms */

/* An output as a table: the last dimension is its columns. */
static void table_size(const NnPort *port, gint64 *rows, gint64 *columns)
{
    *rows = 1;
    *columns = port->rank > 0 ? port->dims[port->rank - 1] : 1;
    for (int i = 0; i < port->rank - 1; i++)
        *rows *= port->dims[i];
}

/* The output of that size that comes after @skip others of it; -1 if there is none. */
static gint find_table(const NnPort *const *outputs, guint n_outputs, guint skip, gint64 rows,
                       gint64 columns)
{
    for (guint i = 0; i < n_outputs; i++) {
        gint64 own_rows, own_columns;
        table_size(outputs[i], &own_rows, &own_columns);
        if (own_rows == rows && own_columns == columns && skip-- == 0)
            return (gint)i;
    }
    return -1;
}

static VideoFaceLevel level_at(guint stride, guint width, guint height, guint anchors)
{
    return (VideoFaceLevel){ .stride = stride,
                             .columns = (width + stride - 1) / stride,
                             .rows = (height + stride - 1) / stride,
                             .anchors = anchors,
                             .second = -1 };
}

static guint level_rows(const VideoFaceLevel *level)
{
    return level->columns * level->rows * level->anchors;
}

/* In tiny tensors strides have equally many cells: how many before level @i have as many. */
static guint equals_before(const VideoFaceHeads *heads, guint i)
{
    guint n = 0;
    for (guint k = 0; k < i; k++)
        n += level_rows(&heads->levels[k]) == level_rows(&heads->levels[i]);
    return n;
}

/* @tables outputs for each of @n_levels strides from 8 on; TRUE if all are there. */
static gboolean find_levels(const NnPort *const *outputs, guint n_outputs, guint width,
                            guint height, guint n_levels, guint anchors, guint tables,
                            VideoFaceHeads *heads)
{
    if (n_outputs != n_levels * tables)
        return FALSE;
    heads->n_levels = n_levels;
    for (guint i = 0; i < n_levels; i++) {
        VideoFaceLevel *level = &heads->levels[i];
        *level = level_at(8u << i, width, height, anchors);
        const guint rows = level_rows(level), skip = equals_before(heads, i);
        const guint scores = tables == 4 ? 2 : 1;
        level->score = find_table(outputs, n_outputs, scores * skip, rows, 1);
        if (tables == 4)
            level->second = find_table(outputs, n_outputs, scores * skip + 1, rows, 1);
        level->box = find_table(outputs, n_outputs, skip, rows, 4);
        level->points = find_table(outputs, n_outputs, skip, rows, POINT_NUMBERS);
        if (level->score < 0 || level->box < 0 || (tables >= 3 && level->points < 0) ||
            (tables == 4 && level->second < 0))
            return FALSE;
    }
    return TRUE;
}

static gboolean find_retinaface(const NnPort *const *outputs, guint n_outputs, guint width,
                                guint height, gboolean with_points, VideoFaceHeads *heads)
{
    guint rows = 0;
    heads->n_levels = RETINA_LEVELS;
    for (guint i = 0; i < RETINA_LEVELS; i++) {
        heads->levels[i] = level_at(8u << i, width, height, 2);
        heads->levels[i].first = rows;
        rows += level_rows(&heads->levels[i]);
    }
    const gint score = find_table(outputs, n_outputs, 0, rows, 2);
    const gint box = find_table(outputs, n_outputs, 0, rows, 4);
    const gint points = find_table(outputs, n_outputs, 0, rows, POINT_NUMBERS);
    for (guint i = 0; i < RETINA_LEVELS; i++) {
        heads->levels[i].score = score;
        heads->levels[i].box = box;
        heads->levels[i].points = points;
    }
    return n_outputs == (with_points ? 3 : 2) && score >= 0 && box >= 0 &&
           (points >= 0 || !with_points);
}

/* A detector of a known form but for its missing landmarks. */
static gboolean lacks_points(const NnPort *const *outputs, guint n_outputs, guint width,
                             guint height)
{
    VideoFaceHeads heads;
    return find_levels(outputs, n_outputs, width, height, 3, 2, 2, &heads) ||
           find_levels(outputs, n_outputs, width, height, 5, 1, 2, &heads) ||
           find_retinaface(outputs, n_outputs, width, height, FALSE, &heads);
}

gboolean video_face_heads_find(const NnPort *const *outputs, guint n_outputs, guint width,
                               guint height, VideoFaceHeads *heads, GError **error)
{
    heads->form = VIDEO_FACE_YUNET;
    if (find_levels(outputs, n_outputs, width, height, 3, 1, 4, heads))
        return TRUE;
    heads->form = VIDEO_FACE_SCRFD;
    if (find_levels(outputs, n_outputs, width, height, 3, 2, 3, heads) ||
        find_levels(outputs, n_outputs, width, height, 5, 1, 3, heads))
        return TRUE;
    heads->form = VIDEO_FACE_RETINAFACE;
    if (find_retinaface(outputs, n_outputs, width, height, TRUE, heads))
        return TRUE;
    if (lacks_points(outputs, n_outputs, width, height))
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                    "the detector gives boxes without the five landmarks by which faces are "
                    "aligned; use one that gives them");
    else
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                    "the network's %u outputs are not those of a face detector for %u x %u pixels; "
                    "known are YuNet (2023), SCRFD with landmarks and RetinaFace",
                    n_outputs, width, height);
    return FALSE;
}

/* ---------------------------------------------------------------- decoding */

static gboolean is_sound(const VideoFace *face)
{
    float sum = face->x + face->y + face->width + face->height;
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++)
        sum += face->points[i].x + face->points[i].y;
    return isfinite(sum) && face->width > 0 && face->height > 0;
}

static void set_box(VideoFace *face, float centre_x, float centre_y, float width, float height)
{
    face->x = centre_x - width / 2;
    face->y = centre_y - height / 2;
    face->width = width;
    face->height = height;
}

static void decode_yunet(float x, float y, float stride, const float *box, const float *points,
                         VideoFace *face)
{
    set_box(face, x + box[0] * stride, y + box[1] * stride, expf(box[2]) * stride,
            expf(box[3]) * stride);
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++)
        face->points[i] =
            (VideoPoint){ x + points[2 * i] * stride, y + points[2 * i + 1] * stride };
}

static void decode_scrfd(float x, float y, float stride, const float *box, const float *points,
                         VideoFace *face)
{
    face->x = x - box[0] * stride;
    face->y = y - box[1] * stride;
    face->width = (box[0] + box[2]) * stride;
    face->height = (box[1] + box[3]) * stride;
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++)
        face->points[i] =
            (VideoPoint){ x + points[2 * i] * stride, y + points[2 * i + 1] * stride };
}

static void decode_retinaface(float x, float y, float stride, float size, const float *box,
                              const float *points, VideoFace *face)
{
    x += stride / 2;
    y += stride / 2;
    set_box(face, x + box[0] * RETINA_CENTRE * size, y + box[1] * RETINA_CENTRE * size,
            size * expf(RETINA_SIZE * box[2]), size * expf(RETINA_SIZE * box[3]));
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++)
        face->points[i] = (VideoPoint){ x + points[2 * i] * RETINA_CENTRE * size,
                                        y + points[2 * i + 1] * RETINA_CENTRE * size };
}

static float score_at(const VideoFaceHeads *heads, const VideoFaceLevel *level,
                      const float *const *outputs, guint row)
{
    switch (heads->form) {
    case VIDEO_FACE_YUNET:
        return sqrtf(CLAMP(outputs[level->score][row], 0, 1) *
                     CLAMP(outputs[level->second][row], 0, 1));
    case VIDEO_FACE_RETINAFACE:
        return outputs[level->score][2 * row + 1];
    default:
        return outputs[level->score][row];
    }
}

static void decode_row(const VideoFaceHeads *heads, guint index, const float *const *outputs,
                       guint i, VideoFace *face)
{
    const VideoFaceLevel *level = &heads->levels[index];
    const guint cell = i / level->anchors, row = level->first + i;
    const float stride = (float)level->stride;
    const float x = (float)(cell % level->columns) * stride;
    const float y = (float)(cell / level->columns) * stride;
    const float *box = outputs[level->box] + 4 * row;
    const float *points = outputs[level->points] + POINT_NUMBERS * row;
    if (heads->form == VIDEO_FACE_YUNET)
        decode_yunet(x, y, stride, box, points, face);
    else if (heads->form == VIDEO_FACE_SCRFD)
        decode_scrfd(x, y, stride, box, points, face);
    else
        decode_retinaface(x, y, stride, retina_sizes[index][i % 2], box, points, face);
}

void video_face_heads_decode(const VideoFaceHeads *heads, const float *const *outputs,
                             float threshold, GArray *faces)
{
    for (guint index = 0; index < heads->n_levels; index++) {
        const VideoFaceLevel *level = &heads->levels[index];
        for (guint i = 0; i < level_rows(level); i++) {
            VideoFace face = { .score = score_at(heads, level, outputs, level->first + i) };
            if (!(face.score >= threshold))
                continue;
            decode_row(heads, index, outputs, i, &face);
            if (is_sound(&face))
                g_array_append_val(faces, face);
        }
    }
}

/* ---------------------------------------------------------------- the best of each */

/* Best first; places break ties, so that the order never depends on the sort. */
static gint compare_scores(gconstpointer a, gconstpointer b)
{
    const VideoFace *one = a, *other = b;
    if (one->score != other->score)
        return one->score < other->score ? 1 : -1;
    if (one->y != other->y)
        return one->y > other->y ? 1 : -1;
    return (one->x > other->x) - (one->x < other->x);
}

/* The share of the smaller one of two faces that the other covers. */
static float covered(const VideoFace *a, const VideoFace *b)
{
    const float least = MIN(a->width * a->height, b->width * b->height);
    return least > 0 ? shared_area(a, b) / least : 0;
}

/* Keeps what @measure says is @most or less with all that is better. */
static void keep_best(GArray *faces, float (*measure)(const VideoFace *, const VideoFace *),
                      float most)
{
    guint n = 0;
    for (guint i = 0; i < faces->len; i++) {
        gboolean keep = TRUE;
        for (guint k = 0; k < n && keep; k++)
            keep = measure(video_faces_at(faces, k), video_faces_at(faces, i)) <= most;
        if (keep)
            *video_faces_at(faces, n++) = *video_faces_at(faces, i);
    }
    g_array_set_size(faces, n);
}

void video_face_heads_suppress(const VideoFaceHeads *heads, GArray *faces)
{
    g_array_sort(faces, compare_scores);
    keep_best(faces, video_face_overlap, heads->form == VIDEO_FACE_YUNET ? 0.3f : 0.4f);
}

void video_faces_drop_parts(GArray *faces, float most)
{
    keep_best(faces, covered, most);
}

static float best_score_at(const GArray *faces, const VideoFace *place)
{
    float best = 0;
    for (guint i = 0; i < faces->len; i++) {
        const VideoFace *face = video_faces_at(faces, i);
        if (face->score > best && video_face_overlap(face, place) > SAME)
            best = face->score;
    }
    return best;
}

void video_faces_confirm(GArray *faces, const GArray *others, double scale, double least,
                         double most)
{
    for (guint i = 0; i < faces->len; i++) {
        VideoFace *face = video_faces_at(faces, i);
        const double side = sqrt((double)face->width * face->height) * scale;
        if (side >= least && side <= most)
            face->score = (face->score + best_score_at(others, face)) / 2;
    }
}
