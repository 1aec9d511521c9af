/* gpenfaces.c - tests of the enhancement element: which faces of a frame are restored, and only
 * they.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "facestage.h"

#include <math.h>

#include <string.h>

/* ---------------------------------------------------------------- detection and paste */

static void a_face_is_restored_and_nothing_else_is_touched(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1");
    for (guint i = 0; i < 3; i++) {
        GstBuffer *frame = faces_frame(i);
        faces_add(frame, 4 + 3 * i, 5 + i, 1);
        g_autofree guint8 *before = faces_pixels(frame), *after = faces_through(stage, frame);
        faces_assert_white(before, after, 4 + 3 * i, 5 + i);
        g_assert_cmpuint(fakecl_calls("clEnqueueNDRangeKernel:face_crop"), ==, i + 1);
    }
    g_assert_cmpuint(stage_stat(stage, "faces"), ==, 3);
    g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, 3);
    g_assert_cmpuint(stage_stat(stage, "frames-with-faces"), ==, 3);
}

static void a_face_at_the_border_is_restored_as_far_as_it_shows(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1");
    const guint places[][2] = { { 0, 0 }, { 23, 0 }, { 0, 15 }, { 23, 15 } };
    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        GstBuffer *frame = faces_frame(i);
        faces_add(frame, places[i][0], places[i][1], 1);
        g_autofree guint8 *before = faces_pixels(frame), *after = faces_through(stage, frame);
        faces_assert_white(before, after, places[i][0], places[i][1]);
    }
}

static void frames_without_faces_pass_bit_for_bit(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=2");
    for (guint i = 0; i < 4; i++) {
        GstBuffer *frame = faces_frame(i);
        faces_add(frame, 6, 6, 0.45f); /* below the threshold of 0.5 */
        faces_push(stage, frame);
    }
    for (guint i = 0; i < 4; i++) {
        GstBuffer *frame = faces_frame(i);
        faces_add(frame, 6, 6, 0.45f);
        g_autofree guint8 *before = faces_pixels(frame);
        gst_buffer_unref(frame);
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        g_autofree guint8 *after = faces_pixels(result);
        g_assert_cmpuint(faces_n_different(before, after), ==, 0);
    }
    g_assert_cmpuint(stage_stat(stage, "frames-with-faces"), ==, 0);
    /* The detector has run, and nothing else. */
    g_assert_cmpuint(fakecl_calls("clEnqueueNDRangeKernel:video_rows"), >, 0);
    static const char *const none[] = { "face_crop", "face_blocks", "face_judge", "face_keep",
                                        "face_paste" };
    for (guint i = 0; i < G_N_ELEMENTS(none); i++) {
        g_autofree char *call = g_strconcat("clEnqueueNDRangeKernel:", none[i], NULL);
        g_assert_cmpuint(fakecl_calls(call), ==, 0);
    }
}

/* Of a batch of one frame: one before the upload, one behind the readback, two around each half. */
#define MARKS_OF_BOTH 6
#define MARKS_OF_ONE 4

static void frames_without_a_detection_need_no_first_half(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1 detect-interval=2");
    for (guint i = 0; i < 4; i++) {
        GstBuffer *frame = faces_frame(i);
        faces_add(frame, 6, 5, 1);
        faces_push(stage, frame);
        gst_buffer_unref(gst_harness_pull(stage->harness));
    }
    g_assert_cmpuint(fakecl_calls("clEnqueueMarkerWithWaitList"), ==,
                     2 * MARKS_OF_BOTH + 2 * MARKS_OF_ONE);
}

static void blend_of_nothing_leaves_faces_as_they_are(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1 blend=0");
    GstBuffer *frame = faces_frame(0);
    faces_add(frame, 6, 6, 1);
    g_autofree guint8 *before = faces_pixels(frame), *after = faces_through(stage, frame);
    g_assert_cmpuint(faces_n_different(before, after), ==, 0);
    g_assert_cmpuint(stage_stat(stage, "faces"), ==, 1);
    g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, 0);
}

/* Frame 0 has three faces, frame 1 one, frame 2 four. */
static void push_eight_faces(Stage *stage)
{
    for (guint i = 0; i < 3; i++) {
        GstBuffer *frame = faces_frame(i);
        for (guint k = 0; k < (i == 0 ? 3u : i == 1 ? 1u : 4u); k++)
            faces_add(frame, 2 + 5 * k, 3 + 4 * i, 0.7f + 0.05f * (float)k);
        faces_push(stage, frame);
    }
}

static void eight_faces_of_three_frames_at_once_are_as_one_by_one(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(-0.7f, 0.9f), detector = tinynet_detector();
    g_autofree guint8 *results = g_malloc(2 * 3 * FACES_B);
    guint8 *result = results;
    const char *ways[] = { "batch-size=3 batch-timeout=20000000000 face-batch-size=8",
                           "batch-size=1 face-batch-size=1" };
    for (guint way = 0; way < 2; way++) {
        g_autoptr(Stage) stage = faces_new(restorer, detector, ways[way]);
        push_eight_faces(stage);
        for (guint i = 0; i < 3; i++, result += FACES_B) {
            g_autoptr(GstBuffer) buffer = gst_harness_pull(stage->harness);
            faces_read(buffer, result);
        }
        g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, 8);
        g_assert_cmpuint(stage_stat(stage, "batches"), ==, (way == 0 ? 1 : 3));
    }
    for (guint i = 0; i < 3; i++)
        g_assert_cmpuint(faces_n_different(results + i * FACES_B, results + (3 + i) * FACES_B), ==,
                         0);
}

static GstBuffer *crowd_frame(void)
{
    GstBuffer *frame = faces_frame(0);
    for (guint i = 0; i < 96; i++)
        faces_add(frame, 2 * (i % 12), 2 * (i / 12), 0.9f);
    return frame;
}

static void a_hundred_faces_are_restored(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1 max-faces=100");
    faces_push(stage, crowd_frame());
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    g_autofree guint8 *after = faces_pixels(result);
    /* Boxes of 24 px, 16 px apart, share 8 of 40: less than suppression allows. */
    g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, 96);
    for (guint i = 0; i < 96; i++)
        g_assert_cmpuint(after[((16 * (i / 12) + 4) * FACES_WIDTH + 16 * (i % 12) + 4) * 3 + 1], ==,
                         255);
}

static void a_group_is_restored_unless_asked_otherwise(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1");
    faces_push(stage, crowd_frame());
    gst_buffer_unref(gst_harness_pull(stage->harness));
    g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, 64);
}

/* ---------------------------------------------------------------- choice and guards */

/* What of three faces, at columns 3, 11 (the middle) and 19, is white. */
static void assert_choice(const char *properties, const char *white)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, properties);
    GstBuffer *frame = faces_frame(0);
    for (guint k = 0; k < 3; k++)
        faces_add(frame, 3 + 8 * k, 7, 1);
    g_autofree guint8 *after = faces_through(stage, frame);
    for (guint k = 0; k < 3; k++) {
        const guint8 green = after[((7 * 8 + 4) * FACES_WIDTH + (3 + 8 * k) * 8 + 4) * 3 + 1];
        g_assert_cmpuint(green, ==, (white[k] == '1' ? 255 : 0));
    }
}

static void faces_are_chosen_as_the_properties_say(void)
{
    assert_choice("batch-size=1", "111");
    assert_choice("batch-size=1 selector=center", "010");
    assert_choice("batch-size=1 max-faces=2", "110");
    assert_choice("batch-size=1 selector=largest", "100");
    assert_choice("batch-size=1 min-face-size=24", "111");
    assert_choice("batch-size=1 min-face-size=25", "000");
    assert_choice("batch-size=1 detector-score=1", "111");
}

static void a_face_that_one_of_two_looks_misses_needs_more(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(
        restorer, detector, "batch-size=1 attach-meta=true detector-size=384 min-face-size=8");
    GstBuffer *frame = faces_frame(0);
    faces_add(frame, 6, 6, 1);
    faces_push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    /* Enlarged to 384 the cell's faces have 12 pixels of the frame, and the face of 24 that it is
     * in the second look, a little surer, is not among them. */
    g_assert_cmpuint(faces_meta(result)->w, <=, 13);
}

static void a_face_that_becomes_another_is_left_out(void)
{
    g_autoptr(Model) negative = tinynet_restorer(-1, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(negative, detector, "batch-size=1 similarity=0.4");
    GstBuffer *frame = faces_frame(0);
    faces_add(frame, 6, 6, 1);
    g_autofree guint8 *before = faces_pixels(frame), *after = faces_through(stage, frame);
    g_assert_cmpuint(faces_n_different(before, after), ==, 0);
    g_assert_cmpuint(stage_stat(stage, "faces"), ==, 1);
    g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, 0);
}

/* The mask is the restored face's red. */
static void a_mask_file_decides_what_of_a_face_is_pasted(void)
{
    g_autoptr(Model) detector = tinynet_detector(), mask = tinynet_red();
    for (guint value = 0; value < 2; value++) {
        g_autoptr(Model) restorer = tinynet_restorer(0, (float)value);
        g_autofree char *properties = g_strconcat("batch-size=1 mask-file=", mask, NULL);
        g_autoptr(Stage) stage = faces_new(restorer, detector, properties);
        GstBuffer *frame = faces_frame(0);
        faces_add(frame, 6, 6, 1);
        g_autofree guint8 *before = faces_pixels(frame), *after = faces_through(stage, frame);
        if (value == 0)
            g_assert_cmpuint(faces_n_different(before, after), ==, 0);
        else
            faces_assert_white(before, after, 6, 6);
        g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, 1);
    }
}

/* ---------------------------------------------------------------- faces from upstream */

static void faces_may_come_as_metas(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1);
    g_autoptr(Stage) stage = faces_new(restorer, NULL, "batch-size=1 faces=meta");
    GstBuffer *frame = faces_frame(0);
    gst_buffer_add_video_region_of_interest_meta(frame, "car", 100, 20, 60, 60);
    gst_buffer_add_video_region_of_interest_meta(frame, "face", 40, 40, 32, 32);
    g_autofree guint8 *before = faces_pixels(frame), *after = faces_through(stage, frame);
    g_assert_cmpuint(after[(60 * FACES_WIDTH + 56) * 3], ==, 255);
    g_assert_cmpuint(after[(50 * FACES_WIDTH + 130) * 3], ==, before[(50 * FACES_WIDTH + 130) * 3]);
    g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, 1);
}

/* Of four pixels, outside, of no size, and partly outside. */
static void odd_faces_do_no_harm(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1);
    g_autoptr(Stage) stage = faces_new(restorer, NULL, "batch-size=1 faces=meta min-face-size=0");
    GstBuffer *frame = faces_frame(0);
    const guint boxes[][4] = {
        { 40, 40, 4, 4 }, { 4000, 4000, 20, 20 }, { 9, 9, 0, 5 }, { 190, 126, 2, 2 }
    };
    for (guint i = 0; i < G_N_ELEMENTS(boxes); i++)
        gst_buffer_add_video_region_of_interest_meta(frame, "face", boxes[i][0], boxes[i][1],
                                                     boxes[i][2], boxes[i][3]);
    g_autofree guint8 *before = faces_pixels(frame), *after = faces_through(stage, frame);
    guint n_changed = 0;
    for (guint i = 0; i < FACES_B; i++) {
        const guint x = i / 3 % FACES_WIDTH, y = i / 3 / FACES_WIDTH;
        const gboolean near_small = x >= 32 && x < 52 && y >= 32 && y < 52;
        const gboolean near_corner = x >= 182 && y >= 118;
        n_changed += before[i] != after[i];
        if (!near_small && !near_corner)
            g_assert_cmpuint(after[i], ==, before[i]);
    }
    g_assert_cmpuint(after[(42 * FACES_WIDTH + 42) * 3], ==, 255);
    g_assert_cmpuint(n_changed, >, 3 * 16);
    g_assert_cmpuint(stage_stat(stage, "faces"), ==, 3);
}

/* Landmarks that are no numbers or beyond reason, one at a time and all at once. */
static void odd_landmarks_do_no_harm(void)
{
    static const char *const names[] = {
        "eye-left-x",   "eye-left-y",   "eye-right-x",   "eye-right-y",   "nose-x", "nose-y",
        "mouth-left-x", "mouth-left-y", "mouth-right-x", "mouth-right-y", NULL
    };
    static const double odd[] = { NAN, INFINITY, -INFINITY, 1e300, -1e300, 1e30, -1e12, 1e-300 };
    g_autoptr(Model) restorer = tinynet_restorer(0, 1);
    g_autoptr(Stage) stage = faces_new(restorer, NULL, "batch-size=1 faces=meta min-face-size=0");
    for (guint i = 0; i < G_N_ELEMENTS(odd); i++)
        for (guint k = 0; k < G_N_ELEMENTS(names); k++) {
            GstBuffer *frame = faces_frame(i);
            GstStructure *structure = gst_structure_new_empty("face");
            for (guint n = 0; names[n]; n++)
                gst_structure_set(structure, names[n], G_TYPE_DOUBLE,
                                  n == k || !names[k] ? odd[i] : 10.0 + 7 * n * n, NULL);
            gst_video_region_of_interest_meta_add_param(
                gst_buffer_add_video_region_of_interest_meta(frame, "face", 40, 40, 32, 32),
                structure);
            faces_push(stage, frame);
            gst_buffer_unref(gst_harness_pull(stage->harness));
        }
    /* It still works. */
    GstBuffer *frame = faces_frame(100);
    gst_buffer_add_video_region_of_interest_meta(frame, "face", 40, 40, 32, 32);
    g_autofree guint8 *after = faces_through(stage, frame);
    g_assert_cmpuint(after[(60 * FACES_WIDTH + 56) * 3], ==, 255);
}

static void landmarks_of_metas_count(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1);
    g_autoptr(Stage) stage = faces_new(restorer, NULL, "batch-size=1 faces=meta");
    GstBuffer *frame = faces_frame(0);
    GstVideoRegionOfInterestMeta *meta =
        gst_buffer_add_video_region_of_interest_meta(frame, "face", 8, 8, 20, 20);
    /* Elsewhere than the box: a face of 32 px upside down around (120, 60). */
    gst_video_region_of_interest_meta_add_param(
        meta, gst_structure_new("face", "eye-left-x", G_TYPE_DOUBLE, 123.4, "eye-left-y",
                                G_TYPE_DOUBLE, 60.8, "eye-right-x", G_TYPE_DOUBLE, 116.6,
                                "eye-right-y", G_TYPE_DOUBLE, 60.8, "nose-x", G_TYPE_DOUBLE, 120.0,
                                "nose-y", G_TYPE_DOUBLE, 57.0, "mouth-left-x", G_TYPE_DOUBLE, 122.7,
                                "mouth-left-y", G_TYPE_DOUBLE, 53.1, "mouth-right-x", G_TYPE_DOUBLE,
                                117.3, "mouth-right-y", G_TYPE_DOUBLE, 53.1, NULL));
    g_autofree guint8 *before = faces_pixels(frame), *after = faces_through(stage, frame);
    g_assert_cmpuint(after[(60 * FACES_WIDTH + 120) * 3], ==, 255);
    g_assert_cmpuint(after[(18 * FACES_WIDTH + 18) * 3], ==, before[(18 * FACES_WIDTH + 18) * 3]);
}

/* 20 pixels are left out at the left, 9 above, as decoders and croppers tell. */
static void what_is_cropped_stays_away(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1 attach-meta=true");
    const guint width = FACES_WIDTH + 32, height = FACES_HEIGHT + 16, pitch = 3 * width;
    guint8 *pixels = g_malloc0(pitch * height);
    g_autoptr(GstBuffer) shown = faces_frame(0);
    faces_add(shown, 6, 5, 1);
    g_autofree guint8 *before = faces_pixels(shown);
    for (guint y = 0; y < FACES_HEIGHT; y++)
        memcpy(pixels + (y + 9) * pitch + 3 * 20, before + 3 * y * FACES_WIDTH, 3 * FACES_WIDTH);
    GstBuffer *frame = gst_buffer_new_wrapped(pixels, pitch * height);
    gst_buffer_add_video_meta(frame, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_RGB, width,
                              height);
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(frame);
    crop->x = 20;
    crop->y = 9;
    crop->width = FACES_WIDTH;
    crop->height = FACES_HEIGHT;
    gst_video_region_of_interest_meta_add_param(
        gst_buffer_add_video_region_of_interest_meta(frame, "cat", 10, 19, 40, 30),
        gst_structure_new("face", "nose-x", G_TYPE_DOUBLE, 31.0, "nose-y", G_TYPE_DOUBLE, 33.0,
                          NULL));
    faces_push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    GstVideoRegionOfInterestMeta *cat = faces_meta(result);
    g_assert_cmpuint(cat->x, ==, 0);
    g_assert_cmpuint(cat->y, ==, 10);
    g_assert_cmpuint(cat->w, ==, 30);
    g_assert_cmpuint(cat->h, ==, 30);
    g_assert_cmpfloat(faces_meta_number(cat, "nose-x"), ==, 11);
    g_assert_cmpfloat(faces_meta_number(cat, "nose-y"), ==, 24);
    g_assert_null(gst_buffer_get_video_crop_meta(result));
    g_autofree guint8 *after = faces_pixels(result);
    faces_assert_white(before, after, 6, 5);
    g_assert_cmpuint(stage_stat(stage, "faces"), ==, 1);
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("a face is restored and nothing else is touched",
              a_face_is_restored_and_nothing_else_is_touched);
    stage_add("a face at the border is restored as far as it shows",
              a_face_at_the_border_is_restored_as_far_as_it_shows);
    stage_add("frames without faces pass bit for bit", frames_without_faces_pass_bit_for_bit);
    stage_add("frames without a detection need no first half",
              frames_without_a_detection_need_no_first_half);
    stage_add("blend of nothing leaves faces as they are",
              blend_of_nothing_leaves_faces_as_they_are);
    stage_add("eight faces of three frames at once are as one by one",
              eight_faces_of_three_frames_at_once_are_as_one_by_one);
    stage_add("a hundred faces are restored", a_hundred_faces_are_restored);
    stage_add("a group is restored unless asked otherwise",
              a_group_is_restored_unless_asked_otherwise);
    stage_add("faces are chosen as the properties say", faces_are_chosen_as_the_properties_say);
    stage_add("a face that one of two looks misses needs more",
              a_face_that_one_of_two_looks_misses_needs_more);
    stage_add("a face that becomes another is left out", a_face_that_becomes_another_is_left_out);
    stage_add("a mask-file decides what of a face is pasted",
              a_mask_file_decides_what_of_a_face_is_pasted);
    stage_add("faces may come as metas", faces_may_come_as_metas);
    stage_add("odd faces do no harm", odd_faces_do_no_harm);
    stage_add("odd landmarks do no harm", odd_landmarks_do_no_harm);
    stage_add("landmarks of metas count", landmarks_of_metas_count);
    stage_add("what is cropped stays away", what_is_cropped_stays_away);
    return g_test_run();
}
