/* faces.c - tests of faces as numbers: detectors' outputs, alignment, following, choice.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#include <face.h>
#include <math.h>

/* ---------------------------------------------------------------- detectors */

#define WIDTH 64
#define HEIGHT 32

/* Outputs of [1][rows][columns], zero but for what a test writes. */
typedef struct {
    NnPort ports[15];
    const NnPort *pointers[15];
    float *data[15];
    guint n;
} Outputs;

static guint add_output(Outputs *outputs, guint rows, guint columns)
{
    NnPort *port = &outputs->ports[outputs->n];
    *port =
        (NnPort){ .name = "output", .type = NN_FLOAT32, .rank = 3, .dims = { 1, rows, columns } };
    outputs->pointers[outputs->n] = port;
    outputs->data[outputs->n] = g_new0(float, rows *columns);
    return outputs->n++;
}

static void outputs_clear(Outputs *outputs)
{
    for (guint i = 0; i < outputs->n; i++)
        g_free(outputs->data[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outputs, outputs_clear)

/* One output of each of @n_levels strides. */
static void add_levels(Outputs *outputs, guint n_levels, guint anchors, guint columns)
{
    for (guint stride = 8; n_levels--; stride *= 2)
        add_output(outputs,
                   ((WIDTH + stride - 1) / stride) * ((HEIGHT + stride - 1) / stride) * anchors,
                   columns);
}

static void assert_form(Outputs *outputs, VideoFaceForm form, VideoFaceHeads *heads)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(
        video_face_heads_find(outputs->pointers, outputs->n, WIDTH, HEIGHT, heads, &error));
    g_assert_no_error(error);
    g_assert_cmpint(heads->form, ==, form);
}

/* The only face of at least 0.5. */
static VideoFace decode_one(const VideoFaceHeads *heads, const Outputs *outputs)
{
    g_autoptr(GArray) faces = video_faces_new();
    video_face_heads_decode(heads, (const float *const *)outputs->data, 0.5f, faces);
    g_assert_cmpuint(faces->len, ==, 1);
    return *video_faces_at(faces, 0);
}

static void assert_near(double value, double expected, double most)
{
    if (!(fabs(value - expected) <= most))
        g_error("%g is not %g within %g", value, expected, most);
}

static void assert_box(const VideoFace *face, double x, double y, double width, double height)
{
    assert_near(face->x, x, 1e-3);
    assert_near(face->y, y, 1e-3);
    assert_near(face->width, width, 1e-3);
    assert_near(face->height, height, 1e-3);
}

static void set_row(float *table, guint row, guint n, const float *values)
{
    for (guint i = 0; i < n; i++)
        table[row * n + i] = values[i];
}

static const float ten_numbers[10] = { 0.5f, 0.25f, 1, 2, 3, 4, 5, 6, 7, -1 };

static void add_yunet(Outputs *outputs)
{
    const guint columns[] = { 1, 1, 4, 10 };
    for (guint i = 0; i < 4; i++)
        add_levels(outputs, 3, 1, columns[i]);
}

static void yunet_is_known_and_decoded(void)
{
    g_auto(Outputs) outputs = { 0 };
    VideoFaceHeads heads;
    add_yunet(&outputs);
    assert_form(&outputs, VIDEO_FACE_YUNET, &heads);
    /* Stride 16 has 4 x 2 cells; number 5 is column 1 of row 1. exp(0.6931472) = 2. */
    outputs.data[1][5] = 0.81f;
    outputs.data[4][5] = 1.5f; /* counts as 1 */
    set_row(outputs.data[7], 5, 4, (const float[]){ 0.25f, -0.5f, 0.6931472f, 0 });
    set_row(outputs.data[10], 5, 10, ten_numbers);
    const VideoFace face = decode_one(&heads, &outputs);
    assert_near(face.score, 0.9, 1e-6);
    assert_box(&face, 4, 0, 32, 16);
    assert_near(face.points[0].x, 24, 1e-4);
    assert_near(face.points[0].y, 20, 1e-4);
    assert_near(face.points[4].x, 128, 1e-4);
    assert_near(face.points[4].y, 0, 1e-4);
}

static void scrfd_is_known_and_decoded(void)
{
    g_auto(Outputs) outputs = { 0 };
    VideoFaceHeads heads;
    const guint columns[] = { 1, 4, 10 };
    for (guint i = 0; i < 3; i++)
        add_levels(&outputs, 3, 2, columns[i]);
    assert_form(&outputs, VIDEO_FACE_SCRFD, &heads);
    /* Stride 8 has 8 x 4 cells of two: row 19 is the second of column 1 of row 1. */
    outputs.data[0][19] = 0.75f;
    set_row(outputs.data[3], 19, 4, (const float[]){ 1, 0.5f, 2, 1.5f });
    set_row(outputs.data[6], 19, 10, ten_numbers);
    const VideoFace face = decode_one(&heads, &outputs);
    assert_near(face.score, 0.75, 1e-6);
    assert_box(&face, 0, 4, 24, 16);
    assert_near(face.points[0].x, 12, 1e-4);
    assert_near(face.points[4].y, 0, 1e-4);
}

static void scrfd_with_five_strides_is_known(void)
{
    g_auto(Outputs) outputs = { 0 };
    VideoFaceHeads heads;
    const guint columns[] = { 1, 4, 10 };
    for (guint i = 0; i < 3; i++)
        add_levels(&outputs, 5, 1, columns[i]);
    assert_form(&outputs, VIDEO_FACE_SCRFD, &heads);
    g_assert_cmpuint(heads.n_levels, ==, 5);
    outputs.data[3][0] = 0.9f; /* stride 64 has one cell */
    set_row(outputs.data[8], 0, 4, (const float[]){ -0.25f, -0.125f, 0.5f, 0.5f });
    const VideoFace face = decode_one(&heads, &outputs);
    assert_box(&face, 16, 8, 16, 24);
}

static void retinaface_is_known_and_decoded(void)
{
    g_auto(Outputs) outputs = { 0 };
    VideoFaceHeads heads;
    const guint rows = 2 * (8 * 4 + 4 * 2 + 2 * 1);
    add_output(&outputs, rows, 4);
    add_output(&outputs, rows, 2);
    add_output(&outputs, rows, 10);
    assert_form(&outputs, VIDEO_FACE_RETINAFACE, &heads);
    /* Row 75 = 64 + 2 * 5 + 1: stride 16, column 1 of row 1, the prior of 128 px around (24, 24).
     * exp(0.2 * 3.465736) = 2. */
    outputs.data[1][2 * 75] = 0.99f; /* of the background */
    outputs.data[1][2 * 75 + 1] = 0.6f;
    set_row(outputs.data[0], 75, 4, (const float[]){ 1, -1, 0, 3.465736f });
    set_row(outputs.data[2], 75, 10, ten_numbers);
    const VideoFace face = decode_one(&heads, &outputs);
    assert_near(face.score, 0.6, 1e-6);
    assert_box(&face, 36.8 - 64, 11.2 - 128, 128, 256);
    assert_near(face.points[0].x, 30.4, 1e-4);
    assert_near(face.points[0].y, 27.2, 1e-4);
}

static void assert_refused(Outputs *outputs, const char *word)
{
    g_autoptr(GError) error = NULL;
    VideoFaceHeads heads;
    g_assert_false(
        video_face_heads_find(outputs->pointers, outputs->n, WIDTH, HEIGHT, &heads, &error));
    g_assert_error(error, NN_ERROR, NN_ERROR_INPUT);
    g_assert_nonnull(strstr(error->message, word));
}

static void a_detector_without_landmarks_is_refused_by_that_name(void)
{
    g_auto(Outputs) scrfd = { 0 }, retinaface = { 0 };
    add_levels(&scrfd, 3, 2, 1);
    add_levels(&scrfd, 3, 2, 4);
    assert_refused(&scrfd, "landmarks by which");
    add_output(&retinaface, 84, 4);
    add_output(&retinaface, 84, 2);
    assert_refused(&retinaface, "landmarks by which");
}

static void another_network_is_refused_with_the_forms_that_are_known(void)
{
    g_auto(Outputs) matting = { 0 }, nothing = { 0 }, other_size = { 0 };
    add_output(&matting, HEIGHT, WIDTH);
    assert_refused(&matting, "YuNet");
    assert_refused(&nothing, "YuNet");
    add_yunet(&other_size);
    other_size.ports[0].dims[1]++;
    assert_refused(&other_size, "YuNet");
}

static void numbers_that_are_none_find_no_face(void)
{
    g_auto(Outputs) outputs = { 0 };
    g_autoptr(GArray) faces = video_faces_new();
    VideoFaceHeads heads;
    add_yunet(&outputs);
    assert_form(&outputs, VIDEO_FACE_YUNET, &heads);
    outputs.data[0][0] = NAN;
    outputs.data[3][0] = 1;
    for (guint i = 1; i < 4; i++)
        outputs.data[0][i] = outputs.data[3][i] = 1;
    outputs.data[6][4 * 1] = INFINITY;
    outputs.data[6][4 * 2 + 3] = 200; /* the exponential overflows */
    outputs.data[9][10 * 3 + 9] = NAN;
    video_face_heads_decode(&heads, (const float *const *)outputs.data, 0.5f, faces);
    g_assert_cmpuint(faces->len, ==, 0);
}

static void add_box(GArray *faces, float x, float y, float side, float score)
{
    VideoFace face = { .x = x, .y = y, .width = side, .height = side, .score = score };
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++)
        face.points[i] = (VideoPoint){ x + side * (0.3f + 0.1f * (float)i),
                                       y + side * (0.4f + 0.1f * (float)(i / 2)) };
    g_array_append_val(faces, face);
}

static void the_best_of_overlapping_faces_stays(void)
{
    g_autoptr(GArray) faces = video_faces_new();
    const VideoFaceHeads yunet = { .form = VIDEO_FACE_YUNET };
    const VideoFaceHeads scrfd = { .form = VIDEO_FACE_SCRFD };
    add_box(faces, 50, 0, 10, 0.6f);
    add_box(faces, 0, 0, 10, 0.7f);
    add_box(faces, 4, 0, 10, 0.9f); /* shares 60 of 140 with the one before: 0.43 */
    add_box(faces, 9, 0, 10, 0.8f); /* and 50 of 150 with this: 0.33 */
    video_face_heads_suppress(&scrfd, faces);
    g_assert_cmpuint(faces->len, ==, 3);
    assert_near(video_faces_at(faces, 0)->score, 0.9, 1e-6);
    assert_near(video_faces_at(faces, 1)->score, 0.8, 1e-6);
    assert_near(video_faces_at(faces, 2)->score, 0.6, 1e-6);
    video_face_heads_suppress(&yunet, faces);
    g_assert_cmpuint(faces->len, ==, 2);
    assert_near(video_faces_at(faces, 1)->score, 0.6, 1e-6);
}

static void parts_of_a_better_face_go(void)
{
    g_autoptr(GArray) faces = video_faces_new();
    add_box(faces, 0, 0, 100, 0.9f);
    add_box(faces, 60, 60, 20, 0.8f); /* a mouth */
    add_box(faces, 95, 0, 10, 0.7f);  /* half of it beside */
    add_box(faces, 190, 0, 10, 0.6f);
    add_box(faces, 180, 0, 100, 0.5f); /* larger, but less sure */
    video_faces_drop_parts(faces, 0.6f);
    g_assert_cmpuint(faces->len, ==, 3);
    assert_near(video_faces_at(faces, 0)->score, 0.9, 1e-6);
    assert_near(video_faces_at(faces, 1)->score, 0.7, 1e-6);
    assert_near(video_faces_at(faces, 2)->score, 0.6, 1e-6);
}

static void faces_that_another_look_must_see_need_both(void)
{
    g_autoptr(GArray) faces = video_faces_new(), others = video_faces_new();
    add_box(faces, 0, 0, 100, 0.9f);   /* seen there, a little beside */
    add_box(faces, 200, 0, 100, 0.8f); /* not seen there */
    add_box(faces, 400, 0, 30, 0.7f);  /* too small for it */
    add_box(faces, 600, 0, 300, 0.6f); /* too large for it */
    add_box(others, 5, 5, 100, 0.5f);
    add_box(others, 0, 0, 90, 0.3f);
    add_box(others, 260, 60, 100, 0.9f);
    add_box(others, 400, 0, 30, 0.1f);
    add_box(others, 600, 0, 300, 0.1f);
    video_faces_confirm(faces, others, 0.5, 20, 100);
    g_assert_cmpuint(faces->len, ==, 4);
    assert_near(video_faces_at(faces, 0)->score, 0.7, 1e-6);
    assert_near(video_faces_at(faces, 1)->score, 0.4, 1e-6);
    assert_near(video_faces_at(faces, 2)->score, 0.7, 1e-6);
    assert_near(video_faces_at(faces, 3)->score, 0.6, 1e-6);
}

/* ---------------------------------------------------------------- alignment */

static void gpens_template_is_arcfaces_with_room_around(void)
{
    /* ArcFace's points in 96 x 112; 8 to the right and 28 around make 168. */
    const double arcface[VIDEO_FACE_POINTS][2] = { { 30.2946, 51.6963 },
                                                   { 65.5318, 51.5014 },
                                                   { 48.0252, 71.7366 },
                                                   { 33.5493, 92.3655 },
                                                   { 62.7299, 92.2041 } };
    VideoPoint points[VIDEO_FACE_POINTS];
    video_template_points(VIDEO_TEMPLATE_GPEN, 512, points);
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++) {
        assert_near(points[i].x, (arcface[i][0] + 8 + 28) * 512 / 168, 1e-3);
        assert_near(points[i].y, (arcface[i][1] + 28) * 512 / 168, 1e-3);
    }
    assert_near(points[0].x, 202.0407, 1e-3);
    assert_near(points[4].y, 366.3363, 1e-3);
}

static const VideoPoint tilted[VIDEO_FACE_POINTS] = {
    { 310, 205 }, { 371, 188 }, { 352, 236 }, { 338, 277 }, { 381, 262 }
};

static void the_similarity_is_the_one_of_least_squares(void)
{
    /* By numpy's singular value decomposition (Umeyama's own formula); OpenCV's
     * estimateAffinePartial2D gives the same to 2e-5. */
    const double expected[] = { 1.6310621,  -0.44102883, -212.42010566,
                                0.44102883, 1.6310621,   -231.09307105 };
    const VideoPoint to[VIDEO_FACE_POINTS] = { { 202.0407f, 242.8840f },
                                               { 309.4302f, 242.2900f },
                                               { 256.0768f, 303.9592f },
                                               { 211.9598f, 366.8282f },
                                               { 300.8911f, 366.3363f } };
    VideoAffine similarity;
    g_assert_true(video_similarity(tilted, to, &similarity));
    for (guint i = 0; i < 6; i++)
        assert_near(similarity.m[i], expected[i], i % 3 == 2 ? 1e-4 : 1e-6);
}

static void a_turned_and_scaled_face_is_brought_back_exactly(void)
{
    VideoPoint template[VIDEO_FACE_POINTS], turned[VIDEO_FACE_POINTS];
    video_template_points(VIDEO_TEMPLATE_FFHQ, 256, template);
    for (int degrees = -180; degrees < 180; degrees += 30) {
        const double angle = degrees * G_PI / 180, scale = 0.37;
        for (guint i = 0; i < VIDEO_FACE_POINTS; i++)
            turned[i] = (VideoPoint){
                (float)(scale * (cos(angle) * template[i].x - sin(angle) * template[i].y) + 200),
                (float)(scale * (sin(angle) * template[i].x + cos(angle) * template[i].y) - 30)
            };
        VideoAffine similarity, inverse;
        g_assert_true(video_similarity(turned, template, &similarity));
        g_assert_true(video_affine_invert(&similarity, &inverse));
        for (guint i = 0; i < VIDEO_FACE_POINTS; i++) {
            const VideoPoint there = video_affine_apply(&similarity, turned[i]);
            const VideoPoint back = video_affine_apply(&inverse, there);
            assert_near(there.x, template[i].x, 1e-3);
            assert_near(there.y, template[i].y, 1e-3);
            assert_near(back.x, turned[i].x, 1e-3);
            assert_near(back.y, turned[i].y, 1e-3);
        }
    }
}

static void a_face_of_one_point_has_no_similarity(void)
{
    VideoPoint template[VIDEO_FACE_POINTS];
    const VideoPoint same[VIDEO_FACE_POINTS] = { { 7, 7 }, { 7, 7 }, { 7, 7 }, { 7, 7 }, { 7, 7 } };
    VideoAffine similarity;
    video_template_points(VIDEO_TEMPLATE_GPEN, 256, template);
    g_assert_false(video_similarity(same, template, &similarity));
}

/* ---------------------------------------------------------------- following */

#define SECONDS 0.04
#define THRESHOLD 0.6f

/* One frame with a detection; @faces ends up with what the tracker makes of it. */
static void follow(VideoFaceTracker *tracker, GArray *faces)
{
    const gboolean detected = TRUE;
    video_face_tracker_run(tracker, &faces, &detected, 1, SECONDS, THRESHOLD);
}

/* Follows one face of 100 px at @x, @y; NULL if it is not followed. */
static const VideoFace *follow_one(VideoFaceTracker *tracker, GArray *faces, float x, float y,
                                   float score)
{
    g_array_set_size(faces, 0);
    add_box(faces, x, y, 100, score);
    follow(tracker, faces);
    return faces->len ? video_faces_at(faces, 0) : NULL;
}

static void faces_keep_their_numbers_while_they_pass_each_other(void)
{
    g_autoptr(VideoFaceTracker) tracker = video_face_tracker_new();
    g_autoptr(GArray) faces = video_faces_new();
    guint64 first = 0, second = 0;
    for (int i = 0; i < 100; i++) {
        g_array_set_size(faces, 0);
        /* The order of scores changes; they pass 60 px apart. */
        add_box(faces, 6 * (float)i, 0, 100, i % 2 ? 0.9f : 0.7f);
        add_box(faces, 600 - 6 * (float)i, 60, 100, 0.8f);
        follow(tracker, faces);
        g_assert_cmpuint(faces->len, ==, 2);
        const VideoFace *upper = video_faces_at(faces, 0), *lower = video_faces_at(faces, 1);
        if (i == 0) {
            first = upper->y < lower->y ? upper->track : lower->track;
            second = upper->y < lower->y ? lower->track : upper->track;
        }
        g_assert_cmpuint((upper->y < lower->y ? upper : lower)->track, ==, first);
        g_assert_cmpuint((upper->y < lower->y ? lower : upper)->track, ==, second);
    }
    g_assert_cmpuint(first, !=, second);
}

static void a_still_face_trembles_less_than_its_detections(void)
{
    g_autoptr(VideoFaceTracker) tracker = video_face_tracker_new();
    g_autoptr(GArray) faces = video_faces_new();
    guint32 seed = 5;
    double in = 0, out = 0, last_in = 0, last_out = 0;
    for (int i = 0; i < 500; i++) {
        const float x = 300 + 2 * (harness_random(&seed) - 0.5f); /* 1 % of the face */
        const VideoFace *face = follow_one(tracker, faces, x, 200, 0.9f);
        const double point = face->points[0].x - 30;
        if (i > 50) {
            in += (x - last_in) * (x - last_in);
            out += (point - last_out) * (point - last_out);
            assert_near(point, 300, 1);
        }
        last_in = x;
        last_out = point;
    }
    g_test_message("steps of %.3f px become %.3f px", sqrt(in / 449), sqrt(out / 449));
    g_assert_cmpfloat(out, <, in / 16);
}

static void a_moving_face_is_not_left_behind(void)
{
    g_autoptr(VideoFaceTracker) tracker = video_face_tracker_new();
    g_autoptr(GArray) faces = video_faces_new();
    double worst = 0;
    for (int i = 0; i < 100; i++) {
        const float x = 4 * (float)i; /* its own width in a second */
        const VideoFace *face = follow_one(tracker, faces, x, 200, 0.9f);
        if (i > 25)
            worst = MAX(worst, fabs(face->points[0].x - 30 - x));
    }
    g_test_message("behind by %.2f px of 100", worst);
    g_assert_cmpfloat(worst, <, 2);
}

static void a_followed_face_stays_with_less_and_a_new_one_needs_the_threshold(void)
{
    g_autoptr(VideoFaceTracker) tracker = video_face_tracker_new();
    g_autoptr(GArray) faces = video_faces_new();
    g_assert_null(follow_one(tracker, faces, 0, 0, 0.5f));
    const guint64 track = follow_one(tracker, faces, 0, 0, 0.61f)->track;
    g_assert_cmpuint(track, !=, 0);
    g_assert_cmpuint(follow_one(tracker, faces, 2, 0, 0.35f)->track, ==, track);
    /* Elsewhere it is another one, and gone with so little. */
    g_assert_null(follow_one(tracker, faces, 400, 0, 0.35f));
    g_assert_cmpuint(follow_one(tracker, faces, 0, 0, 0.7f)->track, !=, track);
}

static void a_face_that_is_gone_leaves_nothing_behind(void)
{
    g_autoptr(VideoFaceTracker) tracker = video_face_tracker_new();
    g_autoptr(GArray) faces = video_faces_new();
    const guint64 track = follow_one(tracker, faces, 0, 0, 0.9f)->track;
    g_array_set_size(faces, 0);
    follow(tracker, faces);
    g_assert_cmpuint(faces->len, ==, 0);
    video_face_tracker_reset(tracker);
    g_assert_cmpuint(follow_one(tracker, faces, 0, 0, 0.9f)->track, >, track);
}

/* Nine frames, the detector sees every fourth; the face goes @step px to the right each frame. */
static void run_nine(VideoFaceTracker *tracker, guint first, float step, GArray **faces)
{
    gboolean detected[9];
    for (guint i = 0; i < 9; i++) {
        faces[i] = video_faces_new();
        detected[i] = (first + i) % 4 == 0;
        if (detected[i])
            add_box(faces[i], step * (float)(first + i), 0, 100, 0.9f);
    }
    video_face_tracker_run(tracker, faces, detected, 9, SECONDS, THRESHOLD);
}

/* Evenly but for the way's beginning, where its speed is not yet that of the one before. */
static void frames_between_detections_are_filled_steadily(void)
{
    g_autoptr(VideoFaceTracker) tracker = video_face_tracker_new();
    GArray *faces[9];
    run_nine(tracker, 0, 0.5f, faces);
    for (guint i = 0; i < 9; i++)
        g_assert_cmpuint(faces[i]->len, ==, 1);
    for (guint i = 1; i < 9; i++) {
        const guint before = (i - 1) / 4 * 4;
        const VideoFace *a = video_faces_at(faces[before], 0);
        const VideoFace *b = video_faces_at(faces[before + 4], 0);
        const VideoFace *face = video_faces_at(faces[i], 0);
        const double share = (i - before) / 4.0, way = b->points[2].x - a->points[2].x;
        assert_near(face->points[2].x, a->points[2].x + share * way, 0.15 * way);
        assert_near(face->x, a->x + share * way, 0.15 * way);
        g_assert_cmpfloat(face->x, >, video_faces_at(faces[i - 1], 0)->x);
        g_assert_cmpuint(face->track, ==, a->track);
    }
    for (guint i = 0; i < 9; i++)
        g_array_unref(faces[i]);
}

static void after_the_last_detection_a_face_goes_on_as_it_went(void)
{
    g_autoptr(VideoFaceTracker) tracker = video_face_tracker_new();
    GArray *faces[9];
    for (guint run = 0; run < 12; run++) {
        run_nine(tracker, 9 * run, 2, faces);
        /* The last detection of run 11 is frame 104, its sixth frame. */
        for (guint i = 0; run == 11 && i < 9; i++) {
            const VideoFace *face = video_faces_at(faces[i], 0);
            g_test_message("frame %u: %.2f off", 99 + i, face->x - 2 * (99 + (float)i));
            assert_near(face->x, 2 * (99 + i), 3);
        }
        for (guint i = 0; i < 9; i++)
            g_array_unref(faces[i]);
    }
}

/* The detector sees every fifth frame of a face that swings, @n_at_once frames are known at a time.
 * The greatest change of speed from frame to frame, in pixels. */
static double greatest_jerk(guint n_at_once)
{
    g_autoptr(VideoFaceTracker) tracker = video_face_tracker_new();
    g_autoptr(GArray) shown = g_array_new(FALSE, FALSE, sizeof(float));
    for (guint first = 0; first < 120; first += n_at_once) {
        GArray *faces[8];
        gboolean detected[8];
        for (guint i = 0; i < n_at_once; i++) {
            const guint frame = first + i;
            faces[i] = video_faces_new();
            detected[i] = frame % 5 == 0;
            if (detected[i])
                add_box(faces[i], 300 + 40 * sinf(0.12f * (float)frame), 100, 100, 0.9f);
        }
        video_face_tracker_run(tracker, faces, detected, n_at_once, SECONDS, THRESHOLD);
        for (guint i = 0; i < n_at_once; i++) {
            g_assert_cmpuint(faces[i]->len, ==, 1);
            g_array_append_val(shown, video_faces_at(faces[i], 0)->points[2].x);
            g_array_unref(faces[i]);
        }
    }
    double greatest = 0;
    const float *x = (const float *)shown->data;
    for (guint i = 10; i + 1 < shown->len; i++)
        greatest = MAX(greatest, fabs(x[i + 1] - 2 * x[i] + x[i - 1]));
    return greatest;
}

/* Its own greatest change of speed is 40 * 0.12^2 = 0.6 px a frame. If faces went at once where
 * they are seen, it would be 21.6 px one frame at a time; a third of that is allowed. */
static void a_face_does_not_jump_when_it_is_seen_again(void)
{
    for (guint n_at_once = 1; n_at_once <= 8; n_at_once += n_at_once < 3 ? 1 : 5) {
        const double jerk = greatest_jerk(n_at_once);
        g_test_message("%u at a time: %.2f px", n_at_once, jerk);
        g_assert_cmpfloat(jerk, <, 7.2);
    }
}

/* ---------------------------------------------------------------- choice */

static void faces_are_chosen_by_size_and_place(void)
{
    g_autoptr(GArray) faces = video_faces_new();
    for (guint i = 0; i < 4; i++)
        add_box(faces, 100 * (float)i, 100, 20 + 10 * (float)i, 0.9f);
    video_faces_select(faces, VIDEO_SELECT_ALL, 30, 2, 400, 300, NULL);
    g_assert_cmpuint(faces->len, ==, 2);
    assert_near(video_faces_at(faces, 0)->width, 50, 0);
    assert_near(video_faces_at(faces, 1)->width, 40, 0);
    g_array_set_size(faces, 0);
    for (guint i = 0; i < 4; i++)
        add_box(faces, 100 * (float)i, 100, 20 + 10 * (float)i, 0.9f);
    video_faces_select(faces, VIDEO_SELECT_CENTER, 0, 8, 260, 230, NULL);
    g_assert_cmpuint(faces->len, ==, 1);
    assert_near(video_faces_at(faces, 0)->width, 30, 0);
    video_faces_select(faces, VIDEO_SELECT_LARGEST, 31, 8, 400, 300, NULL);
    g_assert_cmpuint(faces->len, ==, 0);
    video_faces_select(faces, VIDEO_SELECT_CENTER, 0, 8, 400, 300, NULL);
    g_assert_cmpuint(faces->len, ==, 0);
}

/* Two faces whose sizes and places jitter around each other's. */
static void faces_that_are_about_equal_do_not_take_turns(void)
{
    g_autoptr(GArray) faces = video_faces_new();
    g_autoptr(GArray) chosen = g_array_new(FALSE, FALSE, sizeof(guint64));
    const VideoFaceSelector selectors[] = { VIDEO_SELECT_ALL, VIDEO_SELECT_LARGEST,
                                            VIDEO_SELECT_CENTER };
    for (guint k = 0; k < G_N_ELEMENTS(selectors); k++) {
        g_array_set_size(chosen, 0);
        for (guint i = 0; i < 8; i++) {
            const float more = i % 2 ? 2 : 0;
            g_array_set_size(faces, 0);
            add_box(faces, 50 + more, 100, 50 + more, 0.9f);
            add_box(faces, 200 + more, 100, 52 - more, 0.9f);
            video_faces_at(faces, 0)->track = 1;
            video_faces_at(faces, 1)->track = 2;
            /* Nobody at first; then one of them. */
            video_faces_select(faces, selectors[k], i == 0 ? 50 : 54, 1, 300, 250,
                               i == 0 ? NULL : chosen);
            g_assert_cmpuint(faces->len, ==, 1);
            const guint64 track = video_faces_at(faces, 0)->track;
            if (i == 0)
                g_array_append_val(chosen, track);
            g_assert_cmpuint(track, ==, g_array_index(chosen, guint64, 0));
        }
    }
    /* A tenth is all. */
    g_array_set_size(faces, 0);
    add_box(faces, 0, 0, 50, 0.9f);
    add_box(faces, 200, 0, 56, 0.9f);
    video_faces_at(faces, 0)->track = g_array_index(chosen, guint64, 0);
    video_faces_select(faces, VIDEO_SELECT_LARGEST, 0, 1, 300, 250, chosen);
    assert_near(video_faces_at(faces, 0)->width, 56, 0);
}

int main(int argc, char **argv)
{
    harness_init(&argc, &argv);
    harness_add("YuNet is known and decoded", yunet_is_known_and_decoded);
    harness_add("SCRFD is known and decoded", scrfd_is_known_and_decoded);
    harness_add("SCRFD with five strides is known", scrfd_with_five_strides_is_known);
    harness_add("RetinaFace is known and decoded", retinaface_is_known_and_decoded);
    harness_add("a detector without landmarks is refused by that name",
                a_detector_without_landmarks_is_refused_by_that_name);
    harness_add("another network is refused with the forms that are known",
                another_network_is_refused_with_the_forms_that_are_known);
    harness_add("numbers that are none find no face", numbers_that_are_none_find_no_face);
    harness_add("the best of overlapping faces stays", the_best_of_overlapping_faces_stays);
    harness_add("parts of a better face go", parts_of_a_better_face_go);
    harness_add("faces that another look must see need both",
                faces_that_another_look_must_see_need_both);
    harness_add("GPEN's template is ArcFace's with room around",
                gpens_template_is_arcfaces_with_room_around);
    harness_add("the similarity is the one of least squares",
                the_similarity_is_the_one_of_least_squares);
    harness_add("a turned and scaled face is brought back exactly",
                a_turned_and_scaled_face_is_brought_back_exactly);
    harness_add("a face of one point has no similarity", a_face_of_one_point_has_no_similarity);
    harness_add("faces keep their numbers while they pass each other",
                faces_keep_their_numbers_while_they_pass_each_other);
    harness_add("a still face trembles less than its detections",
                a_still_face_trembles_less_than_its_detections);
    harness_add("a moving face is not left behind", a_moving_face_is_not_left_behind);
    harness_add("a followed face stays with less and a new one needs the threshold",
                a_followed_face_stays_with_less_and_a_new_one_needs_the_threshold);
    harness_add("a face that is gone leaves nothing behind",
                a_face_that_is_gone_leaves_nothing_behind);
    harness_add("frames between detections are filled steadily",
                frames_between_detections_are_filled_steadily);
    harness_add("after the last detection a face goes on as it went",
                after_the_last_detection_a_face_goes_on_as_it_went);
    harness_add("a face does not jump when it is seen again",
                a_face_does_not_jump_when_it_is_seen_again);
    harness_add("faces are chosen by size and place", faces_are_chosen_by_size_and_place);
    harness_add("faces that are about equal do not take turns",
                faces_that_are_about_equal_do_not_take_turns);
    return harness_run();
}
