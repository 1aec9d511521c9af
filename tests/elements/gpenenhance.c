/* gpenenhance.c - tests of the enhancement element with networks of a few operators.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstgpenenhance.h"
#include "stage.h"
#include "tinynet.h"

#include <gst/video/video.h>
#include <string.h>

typedef char Model;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Model, tinynet_remove)

/* ---------------------------------------------------------------- whole frames */

#define FRAME_RGB_B (16 * 8 * 3)

static Stage *enhance_new(const char *model, float blend)
{
    GstElement *element = g_object_new(GST_TYPE_GPEN_ENHANCE, "device", "0:0", "model-file", model,
                                       "blend", blend, "batch-size", 2, NULL);
    gst_util_set_object_arg(G_OBJECT(element), "faces", "aligned");
    Stage *stage = stage_new_with(element);
    stage_set_caps(stage, "video/x-raw,format=RGB,width=16,height=8,framerate=25/1");
    return stage;
}

static void push_value(Stage *stage, guint8 value)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, FRAME_RGB_B, NULL);
    gst_buffer_memset(buffer, 0, value, FRAME_RGB_B);
    g_assert_cmpint(gst_harness_push(stage->harness, buffer), ==, GST_FLOW_OK);
}

static void assert_value(Stage *stage, guint8 value, gint tolerance)
{
    g_autoptr(GstBuffer) buffer = gst_harness_pull(stage->harness);
    GstMapInfo map;
    g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
    g_assert_cmpuint(map.size, ==, FRAME_RGB_B);
    for (gsize i = 0; i < map.size; i++)
        g_assert_cmpint(ABS(map.data[i] - value), <=, tolerance);
    gst_buffer_unmap(buffer, &map);
}

static void the_networks_picture_comes_out(void)
{
    g_autoptr(Model) model = tinynet_negative();
    g_autoptr(Stage) stage = enhance_new(model, 1);
    push_value(stage, 10);
    push_value(stage, 200);
    assert_value(stage, 245, 1);
    assert_value(stage, 55, 1);
}

static void blending_by_nothing_is_the_frame_itself(void)
{
    g_autoptr(Model) model = tinynet_negative();
    g_autoptr(Stage) stage = enhance_new(model, 0);
    push_value(stage, 10);
    push_value(stage, 201);
    assert_value(stage, 10, 0);
    assert_value(stage, 201, 0);
}

static void blending_by_half_is_half_way(void)
{
    g_autoptr(Model) model = tinynet_negative();
    g_autoptr(Stage) stage = enhance_new(model, 0.5f);
    push_value(stage, 0);
    push_value(stage, 100);
    assert_value(stage, 128, 1);
    assert_value(stage, 128, 1);
}

/* ---------------------------------------------------------------- frames with faces */

/* 24 x 16 cells of 8 pixels. */
#define WIDTH 192
#define HEIGHT 128
#define FACES_B (WIDTH * HEIGHT * 3)

#define FACES_CAPS "video/x-raw,format=RGB,width=192,height=128,framerate=25/1"

/* An element with the detector of red cells. @properties: as in gst-launch. */
static Stage *faces_new(const char *restorer, const char *detector, const char *properties)
{
    GstElement *element =
        g_object_new(GST_TYPE_GPEN_ENHANCE, "device", "0:0", "model-file", restorer,
                     "detector-file", detector, "similarity", -1.0f, "color-match", FALSE, NULL);
    g_auto(GStrv) settings = g_strsplit(properties, " ", -1);
    for (guint i = 0; settings[i]; i++) {
        g_auto(GStrv) setting = g_strsplit(settings[i], "=", 2);
        gst_util_set_object_arg(G_OBJECT(element), setting[0], setting[1]);
    }
    Stage *stage = stage_new_with(element);
    stage_set_caps(stage, FACES_CAPS);
    return stage;
}

/* Grey, with a pattern that no byte of should change. */
static GstBuffer *frame_new(guint number)
{
    guint8 *pixels = g_malloc(FACES_B);
    for (guint i = 0; i < FACES_B; i++)
        pixels[i] = (guint8)(60 + i / 3 * 7 % 64);
    GstBuffer *buffer = gst_buffer_new_wrapped(pixels, FACES_B);
    GST_BUFFER_PTS(buffer) = number * FRAME_NS;
    GST_BUFFER_DURATION(buffer) = FRAME_NS;
    return buffer;
}

/* Makes the cell at @column, @row a face of that score. */
static void add_face(GstBuffer *buffer, guint column, guint row, float score)
{
    const guint8 red[3] = { (guint8)(255 * score + 0.5f), 0, 0 };
    for (guint i = 0; i < 64; i++)
        gst_buffer_fill(buffer, ((8 * row + i / 8) * WIDTH + 8 * column + i % 8) * 3, red, 3);
}

static void push(Stage *stage, GstBuffer *buffer)
{
    g_assert_cmpint(gst_harness_push(stage->harness, buffer), ==, GST_FLOW_OK);
}

static void read_frame(GstBuffer *buffer, guint8 *pixels)
{
    g_assert_cmpuint(gst_buffer_extract(buffer, 0, pixels, FACES_B), ==, FACES_B);
}

static guint8 *pixels_of(GstBuffer *buffer)
{
    guint8 *pixels = g_malloc(FACES_B);
    read_frame(buffer, pixels);
    return pixels;
}

/* Within the crop of the face at @column, @row, less the sixteenth where the mask is nothing. */
static gboolean is_within(guint x, guint y, guint column, guint row)
{
    const int left = 8 * (int)column - 12, top = 8 * (int)row - 12;
    return (int)x > left && (int)x < left + TINYNET_FACE - 1 && (int)y > top &&
           (int)y < top + TINYNET_FACE - 1;
}

/* White where there is a face at @column, @row; elsewhere @before. */
static void assert_one_white_face(const guint8 *before, const guint8 *after, guint column,
                                  guint row)
{
    for (guint y = 0; y < HEIGHT; y++)
        for (guint x = 0; x < WIDTH; x++)
            for (guint c = 0; c < 3; c++) {
                const guint i = (y * WIDTH + x) * 3 + c;
                const gboolean middle =
                    ABS((int)x - 8 * (int)column - 4) < 8 && ABS((int)y - 8 * (int)row - 4) < 8;
                if (middle)
                    g_assert_cmpuint(after[i], ==, 255);
                else if (!is_within(x, y, column, row))
                    g_assert_cmpuint(after[i], ==, before[i]);
            }
}

static guint n_different(const guint8 *a, const guint8 *b)
{
    guint n = 0;
    for (guint i = 0; i < FACES_B; i++)
        n += a[i] != b[i];
    return n;
}

/* ---------------------------------------------------------------- detection and paste */

static void a_face_is_restored_and_nothing_else_is_touched(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1");
    for (guint i = 0; i < 3; i++) {
        GstBuffer *frame = frame_new(i);
        add_face(frame, 4 + 3 * i, 5 + i, 1);
        g_autofree guint8 *before = pixels_of(frame);
        push(stage, frame);
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        g_autofree guint8 *after = pixels_of(result);
        assert_one_white_face(before, after, 4 + 3 * i, 5 + i);
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
        GstBuffer *frame = frame_new(i);
        add_face(frame, places[i][0], places[i][1], 1);
        g_autofree guint8 *before = pixels_of(frame);
        push(stage, frame);
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        g_autofree guint8 *after = pixels_of(result);
        assert_one_white_face(before, after, places[i][0], places[i][1]);
    }
}

static void frames_without_faces_pass_bit_for_bit(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=2");
    for (guint i = 0; i < 4; i++) {
        GstBuffer *frame = frame_new(i);
        add_face(frame, 6, 6, 0.55f); /* below the threshold of 0.6 */
        push(stage, frame);
    }
    for (guint i = 0; i < 4; i++) {
        GstBuffer *frame = frame_new(i);
        add_face(frame, 6, 6, 0.55f);
        g_autofree guint8 *before = pixels_of(frame);
        gst_buffer_unref(frame);
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        g_autofree guint8 *after = pixels_of(result);
        g_assert_cmpuint(n_different(before, after), ==, 0);
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

static void blend_of_nothing_leaves_faces_as_they_are(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1 blend=0");
    GstBuffer *frame = frame_new(0);
    add_face(frame, 6, 6, 1);
    g_autofree guint8 *before = pixels_of(frame);
    push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    g_autofree guint8 *after = pixels_of(result);
    g_assert_cmpuint(n_different(before, after), ==, 0);
    g_assert_cmpuint(stage_stat(stage, "faces"), ==, 1);
    g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, 0);
}

/* Frame 0 has three faces, frame 1 one, frame 2 four. */
static void push_eight_faces(Stage *stage)
{
    for (guint i = 0; i < 3; i++) {
        GstBuffer *frame = frame_new(i);
        for (guint k = 0; k < (i == 0 ? 3u : i == 1 ? 1u : 4u); k++)
            add_face(frame, 2 + 5 * k, 3 + 4 * i, 0.7f + 0.05f * (float)k);
        push(stage, frame);
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
            read_frame(buffer, result);
        }
        g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, 8);
        g_assert_cmpuint(stage_stat(stage, "batches"), ==, (way == 0 ? 1 : 3));
    }
    for (guint i = 0; i < 3; i++)
        g_assert_cmpuint(n_different(results + i * FACES_B, results + (3 + i) * FACES_B), ==, 0);
}

static void a_hundred_faces_are_restored(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1 max-faces=100");
    GstBuffer *frame = frame_new(0);
    for (guint i = 0; i < 96; i++)
        add_face(frame, 2 * (i % 12), 2 * (i / 12), 0.9f);
    push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    g_autofree guint8 *after = pixels_of(result);
    /* Boxes of 24 px, 16 px apart, share 8 of 40: less than suppression allows. */
    g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, 96);
    for (guint i = 0; i < 96; i++)
        g_assert_cmpuint(after[((16 * (i / 12) + 4) * WIDTH + 16 * (i % 12) + 4) * 3 + 1], ==, 255);
}

/* ---------------------------------------------------------------- choice and guards */

/* What of three faces, at columns 3, 11 (the middle) and 19, is white. */
static void assert_choice(const char *properties, const char *white)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, properties);
    GstBuffer *frame = frame_new(0);
    for (guint k = 0; k < 3; k++)
        add_face(frame, 3 + 8 * k, 7, 1);
    push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    g_autofree guint8 *after = pixels_of(result);
    for (guint k = 0; k < 3; k++) {
        const guint8 green = after[((7 * 8 + 4) * WIDTH + (3 + 8 * k) * 8 + 4) * 3 + 1];
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

static void a_face_that_becomes_another_is_left_out(void)
{
    g_autoptr(Model) negative = tinynet_restorer(-1, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(negative, detector, "batch-size=1 similarity=0.4");
    GstBuffer *frame = frame_new(0);
    add_face(frame, 6, 6, 1);
    g_autofree guint8 *before = pixels_of(frame);
    push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    g_autofree guint8 *after = pixels_of(result);
    g_assert_cmpuint(n_different(before, after), ==, 0);
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
        GstBuffer *frame = frame_new(0);
        add_face(frame, 6, 6, 1);
        g_autofree guint8 *before = pixels_of(frame);
        push(stage, frame);
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        g_autofree guint8 *after = pixels_of(result);
        if (value == 0)
            g_assert_cmpuint(n_different(before, after), ==, 0);
        else
            assert_one_white_face(before, after, 6, 6);
        g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, 1);
    }
}

/* ---------------------------------------------------------------- video */

static GstVideoRegionOfInterestMeta *face_meta(GstBuffer *buffer)
{
    gpointer state = NULL;
    return (GstVideoRegionOfInterestMeta *)gst_buffer_iterate_meta_filtered(
        buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
}

static double number_of(GstVideoRegionOfInterestMeta *meta, const char *name)
{
    double number = 0;
    const GstStructure *structure = gst_video_region_of_interest_meta_get_param(meta, "face");
    g_assert_nonnull(structure);
    g_assert_true(gst_structure_get_double(structure, name, &number));
    return number;
}

static void metas_tell_where_the_faces_are(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(1, 0), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=2 attach-meta=true");
    for (guint i = 0; i < 4; i++) {
        GstBuffer *frame = frame_new(i);
        add_face(frame, 6, 5, 0.8f);
        push(stage, frame);
    }
    gint track = 0;
    for (guint i = 0; i < 4; i++) {
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        GstVideoRegionOfInterestMeta *meta = face_meta(result);
        g_assert_nonnull(meta);
        g_assert_cmpstr(g_quark_to_string(meta->roi_type), ==, "face");
        /* The cell is 48..56 by 40..48, the box the 24 pixels around. */
        g_assert_cmpuint(meta->x, ==, 40);
        g_assert_cmpuint(meta->y, ==, 32);
        g_assert_cmpuint(meta->w, ==, 24);
        g_assert_cmpuint(meta->h, ==, 24);
        g_assert_cmpfloat_with_epsilon(number_of(meta, "score"), 0.8, 0.01);
        g_assert_cmpfloat(number_of(meta, "similarity"), >, 0.95);
        /* 0.5001500 * 32 px from the crop's left. */
        g_assert_cmpfloat_with_epsilon(number_of(meta, "nose-x"), 48 - 12 + 16.0048, 0.01);
        g_assert_cmpfloat(number_of(meta, "eye-left-x"), <, number_of(meta, "eye-right-x"));
        if (i == 0)
            track = meta->id;
        g_assert_cmpint(track, >, 0);
        g_assert_cmpint(meta->id, ==, track);
    }
}

static void without_attach_meta_there_are_none(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(1, 0), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1");
    GstBuffer *frame = frame_new(0);
    add_face(frame, 6, 5, 1);
    push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    g_assert_null(face_meta(result));
}

/* Decisions are made in the order of the stream, so it does not matter who computes. */
static void faces_are_followed_over_two_devices(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(1, 0), detector = tinynet_detector();
    g_autoptr(Stage) stage =
        faces_new(restorer, detector, "batch-size=1 device=0:0,0:1 attach-meta=true");
    for (guint i = 0; i < 24; i++) {
        GstBuffer *frame = frame_new(i);
        add_face(frame, 6, 5, 1);
        add_face(frame, 16, 6, 0.9f);
        push(stage, frame);
    }
    for (guint i = 0; i < 24; i++) {
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        gpointer state = NULL;
        GstMeta *meta;
        guint tracks = 0;
        while ((meta = gst_buffer_iterate_meta_filtered(
                    result, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)))
            tracks += 1u << ((GstVideoRegionOfInterestMeta *)meta)->id;
        g_assert_cmpuint(tracks, ==, 1 << 1 | 1 << 2);
    }
}

#define LOSS_FRAMES 18

/* Two faces that move, one of which is not there from the beginning. @results: all frames, then
 * all numbers of their faces. */
static void follow_two_faces(Stage *stage, guint8 *pixels, GString *faces)
{
    for (guint i = 0; i < LOSS_FRAMES; i++) {
        GstBuffer *frame = frame_new(i);
        add_face(frame, 4 + i / 4, 5, 1);
        if (i > 5)
            add_face(frame, 18 - i / 5, 9, 0.9f);
        push(stage, frame);
    }
    g_autoptr(GstQuery) drain = gst_query_new_drain();
    gst_pad_peer_query(stage->harness->srcpad, drain);
    for (guint i = 0; i < LOSS_FRAMES; i++) {
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        gpointer state = NULL;
        GstMeta *meta;
        read_frame(result, pixels + i * FACES_B);
        g_string_append_printf(faces, "frame %u:", i);
        while ((meta = gst_buffer_iterate_meta_filtered(
                    result, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))) {
            GstVideoRegionOfInterestMeta *face = (GstVideoRegionOfInterestMeta *)meta;
            g_string_append_printf(faces, " %d at %u,%u of %ux%u nose %.9g", face->id, face->x,
                                   face->y, face->w, face->h, number_of(face, "nose-x"));
        }
        g_string_append_c(faces, '\n');
    }
}

static void faces_are_the_same_when_a_device_is_lost(void)
{
    /* While commands are enqueued, of either half, and once they have been. */
    static const char *const calls[] = {
        "clEnqueueNDRangeKernel@1",
        "clEnqueueMarkerWithWaitList@1",
        "clEnqueueReadBuffer@1",
    };
    g_autoptr(Model) restorer = tinynet_restorer(-0.7f, 0.9f), detector = tinynet_detector();
    g_autofree guint8 *expected = g_malloc(LOSS_FRAMES * FACES_B);
    g_autofree guint8 *pixels = g_malloc(LOSS_FRAMES * FACES_B);
    g_autoptr(GString) faces = g_string_new("");
    const char *settings = "batch-size=1 detect-interval=3 attach-meta=true device=";
    g_autofree char *one = g_strconcat(settings, "0:0", NULL);
    g_autofree char *two = g_strconcat(settings, "0:0,0:1", NULL);
    g_autoptr(Stage) alone = faces_new(restorer, detector, one);
    follow_two_faces(alone, expected, faces);
    guint n_lost = 0;
    for (guint i = 0; i < G_N_ELEMENTS(calls); i++)
        for (guint nth = 1; nth <= 26; nth += 5) {
            g_autoptr(Stage) stage = faces_new(restorer, detector, two);
            g_autoptr(GString) seen = g_string_new("");
            if (i % 2)
                fakecl_fail_event(calls[i], nth, FAKECL_ALWAYS, CL_OUT_OF_RESOURCES);
            else
                fakecl_fail(calls[i], nth, FAKECL_ALWAYS, CL_INVALID_COMMAND_QUEUE);
            follow_two_faces(stage, pixels, seen);
            g_autoptr(GstMessage) warning = gst_bus_pop_filtered(stage->bus, GST_MESSAGE_WARNING);
            n_lost += warning != NULL;
            g_test_message("%s number %u: %s", calls[i], nth, warning ? "lost" : "not lost");
            g_assert_cmpstr(seen->str, ==, faces->str);
            g_assert_cmpmem(pixels, LOSS_FRAMES * FACES_B, expected, LOSS_FRAMES * FACES_B);
            fakecl_reset();
        }
    g_assert_cmpuint(n_lost, >=, 12);
}

/* The detector sees frames 0, 4 and 8 of which only these have a face; it is one row lower each
 * time. */
static void frames_between_detections_have_their_faces_too(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage =
        faces_new(restorer, detector, "batch-size=3 detect-interval=4 attach-meta=true");
    for (guint i = 0; i < 9; i++) {
        GstBuffer *frame = frame_new(i);
        if (i % 4 == 0)
            add_face(frame, 6, 5 + i / 4, 1);
        push(stage, frame);
    }
    guint last = 0;
    for (guint i = 0; i < 9; i++) {
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        GstVideoRegionOfInterestMeta *meta = face_meta(result);
        g_assert_nonnull(meta);
        g_assert_cmpuint(meta->y, >=, last);
        g_assert_cmpuint(meta->y, <, last + 12 + (i == 0 ? 100 : 0));
        last = meta->y;
    }
    g_assert_cmpuint(last, >, 32 + 8);
    g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, 9);
}

static void a_face_that_is_followed_may_score_less(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1");
    const float scores[] = { 0.7f, 0.4f, 0.4f, 0.2f, 0.4f };
    for (guint i = 0; i < 5; i++) {
        GstBuffer *frame = frame_new(i);
        add_face(frame, 6, 5, scores[i]);
        push(stage, frame);
        gst_buffer_unref(gst_harness_pull(stage->harness));
        g_assert_cmpuint(stage_stat(stage, "faces"), ==, MIN(i + 1, 3));
    }
}

static void after_a_flush_faces_are_new(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(1, 0), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1 attach-meta=true");
    gint tracks[2];
    for (guint i = 0; i < 2; i++) {
        GstBuffer *frame = frame_new(0);
        add_face(frame, 6, 5, 1);
        push(stage, frame);
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        tracks[i] = face_meta(result)->id;
        if (i == 0)
            stage_flush(stage);
    }
    g_assert_cmpint(tracks[1], >, tracks[0]);
}

/* Noise of the camera, which makes the landmarks tremble. */
static void add_noise(GstBuffer *buffer, guint32 *seed)
{
    GstMapInfo map;
    g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READWRITE));
    for (gsize i = 0; i < map.size; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        map.data[i] = (guint8)CLAMP(map.data[i] + (int)(*seed >> 24) % 9 - 4, 0, 255);
    }
    gst_buffer_unmap(buffer, &map);
}

/* Sum of absolute differences where the face is. */
static guint64 flicker(const guint8 *a, const guint8 *b)
{
    guint64 sum = 0;
    for (guint y = 0; y < HEIGHT; y++)
        for (guint x = 0; x < WIDTH; x++)
            for (guint c = 0; c < 3 && is_within(x, y, 6, 5); c++) {
                const guint i = (y * WIDTH + x) * 3 + c;
                sum += (guint64)ABS(a[i] - b[i]);
            }
    return sum;
}

#define FLICKER_FRAMES 32

static void a_still_face_does_not_flicker(void)
{
    g_autoptr(Model) restorer = tinynet_striping_restorer();
    g_autoptr(Model) detector = tinynet_trembling_detector();
    g_autoptr(Stage) stage =
        faces_new(restorer, detector, "batch-size=4 color-match=true similarity=0.4");
    g_autofree guint8 *in = g_malloc(FLICKER_FRAMES * FACES_B);
    g_autofree guint8 *out = g_malloc(FLICKER_FRAMES * FACES_B);
    guint32 seed = 1;
    guint64 before = 0, after = 0;
    for (guint i = 0; i < FLICKER_FRAMES; i++) {
        GstBuffer *frame = frame_new(i);
        add_face(frame, 6, 5, 0.9f);
        add_noise(frame, &seed);
        read_frame(frame, in + i * FACES_B);
        push(stage, frame);
    }
    for (guint i = 0; i < FLICKER_FRAMES; i++) {
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        read_frame(result, out + i * FACES_B);
        if (i > 0) {
            before += flicker(in + (i - 1) * FACES_B, in + i * FACES_B);
            after += flicker(out + (i - 1) * FACES_B, out + i * FACES_B);
        }
    }
    g_test_message("%.3f of the input's flicker", (double)after / (double)before);
    g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, FLICKER_FRAMES);
    g_assert_cmpuint(after, <=, before * 6 / 5);
}

/* ---------------------------------------------------------------- faces from upstream */

static void faces_may_come_as_metas(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1);
    g_autoptr(Stage) stage = faces_new(restorer, NULL, "batch-size=1 faces=meta");
    GstBuffer *frame = frame_new(0);
    gst_buffer_add_video_region_of_interest_meta(frame, "car", 100, 20, 60, 60);
    gst_buffer_add_video_region_of_interest_meta(frame, "face", 40, 40, 32, 32);
    g_autofree guint8 *before = pixels_of(frame);
    push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    g_autofree guint8 *after = pixels_of(result);
    g_assert_cmpuint(after[(60 * WIDTH + 56) * 3], ==, 255);
    g_assert_cmpuint(after[(50 * WIDTH + 130) * 3], ==, before[(50 * WIDTH + 130) * 3]);
    g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, 1);
}

/* Of four pixels, outside, of no size, and partly outside. */
static void odd_faces_do_no_harm(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1);
    g_autoptr(Stage) stage = faces_new(restorer, NULL, "batch-size=1 faces=meta min-face-size=0");
    GstBuffer *frame = frame_new(0);
    const guint boxes[][4] = {
        { 40, 40, 4, 4 }, { 4000, 4000, 20, 20 }, { 9, 9, 0, 5 }, { 190, 126, 2, 2 }
    };
    for (guint i = 0; i < G_N_ELEMENTS(boxes); i++)
        gst_buffer_add_video_region_of_interest_meta(frame, "face", boxes[i][0], boxes[i][1],
                                                     boxes[i][2], boxes[i][3]);
    g_autofree guint8 *before = pixels_of(frame);
    push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    g_autofree guint8 *after = pixels_of(result);
    guint n_changed = 0;
    for (guint i = 0; i < FACES_B; i++) {
        const guint x = i / 3 % WIDTH, y = i / 3 / WIDTH;
        const gboolean near_small = x >= 32 && x < 52 && y >= 32 && y < 52;
        const gboolean near_corner = x >= 182 && y >= 118;
        n_changed += before[i] != after[i];
        if (!near_small && !near_corner)
            g_assert_cmpuint(after[i], ==, before[i]);
    }
    g_assert_cmpuint(after[(42 * WIDTH + 42) * 3], ==, 255);
    g_assert_cmpuint(n_changed, >, 3 * 16);
    g_assert_cmpuint(stage_stat(stage, "faces"), ==, 3);
}

static void landmarks_of_metas_count(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1);
    g_autoptr(Stage) stage = faces_new(restorer, NULL, "batch-size=1 faces=meta");
    GstBuffer *frame = frame_new(0);
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
    g_autofree guint8 *before = pixels_of(frame);
    push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    g_autofree guint8 *after = pixels_of(result);
    g_assert_cmpuint(after[(60 * WIDTH + 120) * 3], ==, 255);
    g_assert_cmpuint(after[(18 * WIDTH + 18) * 3], ==, before[(18 * WIDTH + 18) * 3]);
}

/* ---------------------------------------------------------------- enlarged frames */

#define LARGE_B (4 * FACES_B)

static void read_large(GstBuffer *buffer, guint8 *pixels)
{
    g_assert_cmpuint(gst_buffer_extract(buffer, 0, pixels, LARGE_B), ==, LARGE_B);
}

static void assert_caps_size(Stage *stage, gint width, gint height)
{
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(stage->harness->sinkpad);
    GstVideoInfo info;
    g_assert_true(gst_video_info_from_caps(&info, caps));
    g_assert_cmpint(info.width, ==, width);
    g_assert_cmpint(info.height, ==, height);
}

static void frames_leave_as_large_as_the_network_makes_them(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Model) enlarger = tinynet_enlarger();
    g_autofree char *properties = g_strconcat(
        "batch-size=2 attach-meta=true tile-size=64 tile-overlap=16 background-file=", enlarger,
        NULL);
    g_autoptr(Stage) stage = faces_new(restorer, detector, properties);
    g_autofree guint8 *before = g_malloc(2 * FACES_B), *after = g_malloc(LARGE_B);
    for (guint i = 0; i < 2; i++) {
        GstBuffer *frame = frame_new(i);
        if (i == 1)
            add_face(frame, 6, 5, 1);
        gst_buffer_add_video_region_of_interest_meta(frame, "car", 100, 20, 60, 50);
        read_frame(frame, before + i * FACES_B);
        push(stage, frame);
    }
    for (guint i = 0; i < 2; i++) {
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        assert_caps_size(stage, 2 * WIDTH, 2 * HEIGHT);
        read_large(result, after);
        for (guint k = 0; k < LARGE_B; k++) {
            const guint x = k / 3 % (2 * WIDTH), y = k / 3 / (2 * WIDTH), c = k % 3;
            const gboolean middle = ABS((int)x - 104) < 16 && ABS((int)y - 88) < 16;
            if (i == 1 && middle)
                g_assert_cmpuint(after[k], ==, 255);
            else if (i == 0 || !is_within(x / 2, y / 2, 6, 5))
                g_assert_cmpuint(after[k], ==,
                                 before[i * FACES_B + (y / 2 * WIDTH + x / 2) * 3 + c]);
        }
        gpointer state = NULL;
        GstVideoRegionOfInterestMeta *car =
            (GstVideoRegionOfInterestMeta *)gst_buffer_iterate_meta_filtered(
                result, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
        GstVideoRegionOfInterestMeta *face =
            (GstVideoRegionOfInterestMeta *)gst_buffer_iterate_meta_filtered(
                result, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
        g_assert_cmpuint(car->x, ==, 200);
        g_assert_cmpuint(car->h, ==, 100);
        g_assert_cmpint(face != NULL, ==, i == 1);
        if (!face)
            continue;
        g_assert_cmpuint(face->x, ==, 80);
        g_assert_cmpuint(face->h, ==, 48);
        g_assert_cmpfloat_with_epsilon(number_of(face, "nose-x"), 2 * (36 + 16.0048) + 0.5, 0.02);
    }
}

static void faces_of_metas_grow_with_the_frame(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), enlarger = tinynet_enlarger();
    g_autofree char *properties =
        g_strconcat("batch-size=1 faces=meta background-file=", enlarger, NULL);
    g_autoptr(Stage) stage = faces_new(restorer, NULL, properties);
    GstBuffer *frame = frame_new(0);
    gst_video_region_of_interest_meta_add_param(
        gst_buffer_add_video_region_of_interest_meta(frame, "face", 40, 40, 32, 32),
        gst_structure_new("face", "nose-x", G_TYPE_DOUBLE, 56.0, "nose-y", G_TYPE_DOUBLE, 60.0,
                          NULL));
    push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    g_autofree guint8 *after = g_malloc(LARGE_B);
    read_large(result, after);
    g_assert_cmpfloat(number_of(face_meta(result), "nose-x"), ==, 112.5);
    g_assert_cmpfloat(number_of(face_meta(result), "nose-y"), ==, 120.5);
    g_assert_cmpuint(after[(120 * 2 * WIDTH + 112) * 3], ==, 255);
    g_assert_cmpuint(face_meta(result)->x, ==, 80);
    g_assert_cmpuint(face_meta(result)->w, ==, 64);
}

static void frames_are_enlarged_without_a_network_for_faces(void)
{
    g_autoptr(Model) enlarger = tinynet_enlarger();
    GstElement *element = g_object_new(GST_TYPE_GPEN_ENHANCE, "device", "0:0", "background-file",
                                       enlarger, "batch-size", 1, NULL);
    g_autoptr(Stage) stage = stage_new_with(element);
    stage_set_caps(stage, FACES_CAPS);
    GstBuffer *frame = frame_new(0);
    add_face(frame, 6, 5, 1);
    g_autofree guint8 *before = pixels_of(frame), *after = g_malloc(LARGE_B);
    push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    read_large(result, after);
    for (guint k = 0; k < LARGE_B; k++) {
        const guint x = k / 3 % (2 * WIDTH), y = k / 3 / (2 * WIDTH);
        g_assert_cmpuint(after[k], ==, before[(y / 2 * WIDTH + x / 2) * 3 + k % 3]);
    }
    g_assert_cmpuint(stage_stat(stage, "faces"), ==, 0);
}

/* What upstream may send if downstream takes @wanted; NULL: nothing. */
static char *sizes_for(Stage *stage, const char *wanted)
{
    g_autoptr(GstCaps) there = gst_caps_from_string(wanted);
    GstClBatchFilter *filter = GST_CL_BATCH_FILTER(stage->element);
    g_autoptr(GstCaps) here =
        GST_CL_BATCH_FILTER_GET_CLASS(filter)->transform_caps(filter, GST_PAD_SINK, there);
    return gst_caps_is_empty(here) ? NULL : gst_caps_to_string(here);
}

static void sizes_downstream_are_those_upstream_enlarged(void)
{
    static const char *const cases[][2] = {
        { "video/x-raw, width=(int)640, height=(int)480",
          "video/x-raw, width=(int)320, height=(int)240" },
        { "video/x-raw, width=(int)641, height=(int)480", NULL },
        { "video/x-raw, width=(int)[ 3, 9 ]", "video/x-raw, width=(int)[ 2, 4 ]" },
        { "video/x-raw, width=(int)[ 4, 5 ]", "video/x-raw, width=(int)2" },
        { "video/x-raw, width=(int)1", NULL },
        { "video/x-raw, height=(int){ 5, 6, 8 }", "video/x-raw, height=(int){ 3, 4 }" },
        { "video/x-raw, framerate=(fraction)25/1", "video/x-raw, framerate=(fraction)25/1" },
    };
    g_autoptr(Model) enlarger = tinynet_enlarger();
    GstElement *element =
        g_object_new(GST_TYPE_GPEN_ENHANCE, "device", "0:0", "background-file", enlarger, NULL);
    g_autoptr(Stage) stage = stage_new_with(element);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *sizes = sizes_for(stage, cases[i][0]);
        g_assert_cmpstr(sizes, ==, cases[i][1]);
    }
    g_autoptr(GstCaps) all = gst_caps_from_string("video/x-raw, width=(int)[ 1, 2147483647 ]");
    GstClBatchFilter *filter = GST_CL_BATCH_FILTER(element);
    g_autoptr(GstCaps) large =
        GST_CL_BATCH_FILTER_GET_CLASS(filter)->transform_caps(filter, GST_PAD_SRC, all);
    g_autofree char *text = gst_caps_to_string(large);
    g_assert_cmpstr(text, ==, "video/x-raw, width=(int)[ 2, 2147483646 ]");
}

/* Elements are linked before the network is read. */
static void before_the_network_is_read_any_size_may_come_out(void)
{
    g_autoptr(GstElement) element = gst_object_ref_sink(
        g_object_new(GST_TYPE_GPEN_ENHANCE, "background-file", "/nonexistent/large.onnx", NULL));
    g_autoptr(GstCaps) small = gst_caps_from_string("video/x-raw,format=RGB,width=4,height=3");
    GstClBatchFilter *filter = GST_CL_BATCH_FILTER(element);
    g_autoptr(GstCaps) large =
        GST_CL_BATCH_FILTER_GET_CLASS(filter)->transform_caps(filter, GST_PAD_SRC, small);
    g_autofree char *text = gst_caps_to_string(large);
    g_assert_cmpstr(text, ==, "video/x-raw, format=(string)RGB");
}

/* 20 pixels are left out at the left, 9 above, as decoders and croppers tell. */
static void what_is_cropped_stays_away(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1 attach-meta=true");
    const guint width = WIDTH + 32, height = HEIGHT + 16, pitch = 3 * width;
    guint8 *pixels = g_malloc0(pitch * height);
    g_autoptr(GstBuffer) shown = frame_new(0);
    add_face(shown, 6, 5, 1);
    g_autofree guint8 *before = pixels_of(shown);
    for (guint y = 0; y < HEIGHT; y++)
        memcpy(pixels + (y + 9) * pitch + 3 * 20, before + 3 * y * WIDTH, 3 * WIDTH);
    GstBuffer *frame = gst_buffer_new_wrapped(pixels, pitch * height);
    gst_buffer_add_video_meta(frame, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_RGB, width,
                              height);
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(frame);
    crop->x = 20;
    crop->y = 9;
    crop->width = WIDTH;
    crop->height = HEIGHT;
    gst_video_region_of_interest_meta_add_param(
        gst_buffer_add_video_region_of_interest_meta(frame, "cat", 10, 19, 40, 30),
        gst_structure_new("face", "nose-x", G_TYPE_DOUBLE, 31.0, "nose-y", G_TYPE_DOUBLE, 33.0,
                          NULL));
    push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    GstVideoRegionOfInterestMeta *cat = face_meta(result);
    g_assert_cmpuint(cat->x, ==, 0);
    g_assert_cmpuint(cat->y, ==, 10);
    g_assert_cmpuint(cat->w, ==, 30);
    g_assert_cmpuint(cat->h, ==, 30);
    g_assert_cmpfloat(number_of(cat, "nose-x"), ==, 11);
    g_assert_cmpfloat(number_of(cat, "nose-y"), ==, 24);
    g_assert_null(gst_buffer_get_video_crop_meta(result));
    g_autofree guint8 *after = pixels_of(result);
    assert_one_white_face(before, after, 6, 5);
    g_assert_cmpuint(stage_stat(stage, "faces"), ==, 1);
}

/* ---------------------------------------------------------------- while playing, and mistakes */

static void properties_change_from_frame_to_frame(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1");
    for (guint i = 0; i < 3; i++) {
        GstBuffer *frame = frame_new(i);
        add_face(frame, 6, 5, 1);
        g_object_set(stage->element, "blend", i == 1 ? 0.5 : 1.0, NULL);
        if (i == 2)
            gst_util_set_object_arg(G_OBJECT(stage->element), "faces", "whole");
        push(stage, frame);
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        g_autofree guint8 *after = pixels_of(result);
        g_assert_cmpuint(after[(44 * WIDTH + 52) * 3 + 1], ==, (i == 1 ? 128 : 255));
        g_assert_cmpint(after[0] == 255, ==, i == 2);
    }
}

static void assert_start_fails(const char *restorer, const char *detector, const char *word)
{
    g_autoptr(GstElement) element =
        g_object_new(GST_TYPE_GPEN_ENHANCE, "device", "0:0", "model-file", restorer,
                     "detector-file", detector, NULL);
    g_autoptr(GstBus) bus = gst_bus_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *details = NULL;
    gst_object_ref_sink(element);
    gst_element_set_bus(element, bus);
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_READY), ==, GST_STATE_CHANGE_FAILURE);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    gst_message_parse_error(message, &error, &details);
    if (!strstr(error->message, word))
        g_error("'%s' does not say '%s'", error->message, word);
    gst_element_set_bus(element, NULL);
    gst_element_set_state(element, GST_STATE_NULL);
}

static void a_damaged_detector_is_an_error(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), damaged = tinynet_damaged();
    assert_start_fails(restorer, damaged, "damaged");
    assert_start_fails(restorer, "/nonexistent/detector.onnx", "not found");
}

static void assert_frame_fails(const char *restorer, const char *detector)
{
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1");
    gst_harness_push(stage->harness, frame_new(0));
    stage_expect_error(stage, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
}

static void what_does_not_enlarge_frames_is_an_error(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Model) enlarger = tinynet_enlarger();
    g_autoptr(GstElement) element =
        gst_object_ref_sink(g_object_new(GST_TYPE_GPEN_ENHANCE, "device", "0:0", "model-file",
                                         restorer, "background-file", detector, NULL));
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_element_set_bus(element, bus);
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_READY), ==, GST_STATE_CHANGE_FAILURE);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_autoptr(GError) error = NULL;
    gst_message_parse_error(message, &error, NULL);
    g_assert_nonnull(strstr(error->message, "background-file"));
    gst_element_set_bus(element, NULL);
    gst_element_set_state(element, GST_STATE_NULL);
    g_autofree char *properties =
        g_strconcat("batch-size=1 faces=whole background-file=", enlarger, NULL);
    g_autoptr(Stage) stage = faces_new(restorer, detector, properties);
    gst_harness_push(stage->harness, frame_new(0));
    stage_expect_error(stage, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
}

static void networks_of_another_kind_are_errors(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Model) oblong = tinynet_oblong(), boxes = tinynet_boxes();
    assert_frame_fails(restorer, boxes);
    assert_frame_fails(restorer, oblong);
    assert_frame_fails(oblong, detector);
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("the network's picture comes out", the_networks_picture_comes_out);
    stage_add("blending by nothing is the frame itself", blending_by_nothing_is_the_frame_itself);
    stage_add("blending by half is half way", blending_by_half_is_half_way);
    stage_add("a face is restored and nothing else is touched",
              a_face_is_restored_and_nothing_else_is_touched);
    stage_add("a face at the border is restored as far as it shows",
              a_face_at_the_border_is_restored_as_far_as_it_shows);
    stage_add("frames without faces pass bit for bit", frames_without_faces_pass_bit_for_bit);
    stage_add("blend of nothing leaves faces as they are",
              blend_of_nothing_leaves_faces_as_they_are);
    stage_add("eight faces of three frames at once are as one by one",
              eight_faces_of_three_frames_at_once_are_as_one_by_one);
    stage_add("a hundred faces are restored", a_hundred_faces_are_restored);
    stage_add("faces are chosen as the properties say", faces_are_chosen_as_the_properties_say);
    stage_add("a face that becomes another is left out", a_face_that_becomes_another_is_left_out);
    stage_add("a mask-file decides what of a face is pasted",
              a_mask_file_decides_what_of_a_face_is_pasted);
    stage_add("metas tell where the faces are", metas_tell_where_the_faces_are);
    stage_add("without attach-meta there are none", without_attach_meta_there_are_none);
    stage_add("frames between detections have their faces too",
              frames_between_detections_have_their_faces_too);
    stage_add("faces are followed over two devices", faces_are_followed_over_two_devices);
    stage_add("faces are the same when a device is lost", faces_are_the_same_when_a_device_is_lost);
    stage_add("a face that is followed may score less", a_face_that_is_followed_may_score_less);
    stage_add("after a flush faces are new", after_a_flush_faces_are_new);
    stage_add("a still face does not flicker", a_still_face_does_not_flicker);
    stage_add("faces may come as metas", faces_may_come_as_metas);
    stage_add("odd faces do no harm", odd_faces_do_no_harm);
    stage_add("landmarks of metas count", landmarks_of_metas_count);
    stage_add("frames leave as large as the network makes them",
              frames_leave_as_large_as_the_network_makes_them);
    stage_add("faces of metas grow with the frame", faces_of_metas_grow_with_the_frame);
    stage_add("frames are enlarged without a network for faces",
              frames_are_enlarged_without_a_network_for_faces);
    stage_add("sizes downstream are those upstream, enlarged",
              sizes_downstream_are_those_upstream_enlarged);
    stage_add("before the network is read any size may come out",
              before_the_network_is_read_any_size_may_come_out);
    stage_add("what does not enlarge frames is an error", what_does_not_enlarge_frames_is_an_error);
    stage_add("what is cropped stays away", what_is_cropped_stays_away);
    stage_add("properties change from frame to frame", properties_change_from_frame_to_frame);
    stage_add("a damaged detector is an error", a_damaged_detector_is_an_error);
    stage_add("networks of another kind are errors", networks_of_another_kind_are_errors);
    return g_test_run();
}
