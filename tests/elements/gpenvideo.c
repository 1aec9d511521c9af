/* gpenvideo.c - tests of the enhancement element: faces from frame to frame.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "facestage.h"

#include <malloc.h>

static void metas_tell_where_the_faces_are(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(1, 0), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=2 attach-meta=true");
    for (guint i = 0; i < 4; i++) {
        GstBuffer *frame = faces_frame(i);
        faces_add(frame, 6, 5, 0.8f);
        faces_push(stage, frame);
    }
    gint track = 0;
    for (guint i = 0; i < 4; i++) {
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        GstVideoRegionOfInterestMeta *meta = faces_meta(result);
        g_assert_nonnull(meta);
        g_assert_cmpstr(g_quark_to_string(meta->roi_type), ==, "face");
        /* The cell is 48..56 by 40..48, the box the 24 pixels around. */
        g_assert_cmpuint(meta->x, ==, 40);
        g_assert_cmpuint(meta->y, ==, 32);
        g_assert_cmpuint(meta->w, ==, 24);
        g_assert_cmpuint(meta->h, ==, 24);
        g_assert_cmpfloat_with_epsilon(faces_meta_number(meta, "score"), 0.8, 0.01);
        g_assert_cmpfloat(faces_meta_number(meta, "similarity"), >, 0.95);
        /* 0.5001500 * 32 px from the crop's left. */
        g_assert_cmpfloat_with_epsilon(faces_meta_number(meta, "nose-x"), 48 - 12 + 16.0048, 0.01);
        g_assert_cmpfloat(faces_meta_number(meta, "eye-left-x"), <,
                          faces_meta_number(meta, "eye-right-x"));
        if (i == 0)
            track = meta->id;
        g_assert_cmpint(track, >, 0);
        g_assert_cmpint(meta->id, ==, track);
    }
}

/* A quarter of a cell is none until it has been enlarged twice. */
static void small_frames_are_enlarged_for_the_detector(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(
        restorer, detector, "batch-size=1 attach-meta=true min-face-size=0 detector-size=1024");
    GstBuffer *frame = faces_frame(0);
    GstMapInfo map;
    g_assert_true(gst_buffer_map(frame, &map, GST_MAP_WRITE));
    for (guint i = 0; i < 16; i++) {
        guint8 *pixel = map.data + ((40 + i / 4) * FACES_WIDTH + 48 + i % 4) * 3;
        pixel[0] = 255;
        pixel[1] = pixel[2] = 0;
    }
    gst_buffer_unmap(frame, &map);
    faces_push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    GstVideoRegionOfInterestMeta *meta = faces_meta(result);
    g_assert_nonnull(meta);
    g_assert_cmpuint(meta->x, ==, 44);
    g_assert_cmpuint(meta->y, ==, 36);
    g_assert_cmpuint(meta->w, ==, 12);
    g_assert_cmpuint(meta->h, ==, 12);
}

static void without_attach_meta_there_are_none(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(1, 0), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1");
    GstBuffer *frame = faces_frame(0);
    faces_add(frame, 6, 5, 1);
    faces_push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    g_assert_null(faces_meta(result));
}

/* Decisions are made in the order of the stream, so it does not matter who computes. */
static void faces_are_followed_over_two_devices(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(1, 0), detector = tinynet_detector();
    g_autoptr(Stage) stage =
        faces_new(restorer, detector, "batch-size=1 device=0:0,0:1 attach-meta=true");
    for (guint i = 0; i < 24; i++) {
        GstBuffer *frame = faces_frame(i);
        faces_add(frame, 6, 5, 1);
        faces_add(frame, 16, 6, 0.9f);
        faces_push(stage, frame);
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

#define FADING_FRAMES 12

/* Frames of a face that becomes less and less similar. @pixels: all of them. Returns how similar
 * the first one is. */
static double fade_away(const char *devices, double least, guint8 *pixels)
{
    g_autoptr(Model) restorer = tinynet_restorer(0.2f, 0.2f), detector = tinynet_detector();
    g_autofree char *settings =
        g_strdup_printf("batch-size=1 attach-meta=true similarity=%g device=%s", least, devices);
    g_autoptr(Stage) stage = faces_new(restorer, detector, settings);
    double first = 0;
    for (guint i = 0; i < FADING_FRAMES; i++) {
        GstBuffer *frame = faces_frame(i);
        faces_add(frame, 6, 5, 1 - 0.03f * (float)i);
        faces_push(stage, frame);
    }
    for (guint i = 0; i < FADING_FRAMES; i++) {
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        faces_read(result, pixels + i * FACES_B);
        if (i == 0)
            first = faces_meta_number(faces_meta(result), "similarity");
    }
    return first;
}

static void faces_near_the_threshold_are_the_same_over_two_devices(void)
{
    g_autofree guint8 *all = g_malloc(FADING_FRAMES * FACES_B);
    g_autofree guint8 *alone = g_malloc(FADING_FRAMES * FACES_B);
    g_autofree guint8 *spread = g_malloc(FADING_FRAMES * FACES_B);
    const double least = fade_away("0:0", -1, all) - 0.001;
    fade_away("0:0", least, alone);
    fade_away("0:0,0:1", least, spread);
    g_assert_cmpmem(spread, FADING_FRAMES * FACES_B, alone, FADING_FRAMES * FACES_B);
    /* On either side of the threshold. */
    g_assert_cmpuint(faces_n_different(all, alone), ==, 0);
    const gsize last = (FADING_FRAMES - 1) * FACES_B;
    g_assert_cmpuint(faces_n_different(all + last, alone + last), >, 0);
}

#define LOSS_FRAMES 18

/* Two faces that move, one of which is not there from the beginning. @results: all frames, then
 * all numbers of their faces. */
static void follow_two_faces(Stage *stage, guint8 *pixels, GString *faces)
{
    for (guint i = 0; i < LOSS_FRAMES; i++) {
        GstBuffer *frame = faces_frame(i);
        faces_add(frame, 4 + i / 4, 5, 1);
        if (i > 5)
            faces_add(frame, 18 - i / 5, 9, 0.9f);
        faces_push(stage, frame);
    }
    g_autoptr(GstQuery) drain = gst_query_new_drain();
    gst_pad_peer_query(stage->harness->srcpad, drain);
    for (guint i = 0; i < LOSS_FRAMES; i++) {
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        gpointer state = NULL;
        GstMeta *meta;
        faces_read(result, pixels + i * FACES_B);
        g_string_append_printf(faces, "frame %u:", i);
        while ((meta = gst_buffer_iterate_meta_filtered(
                    result, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))) {
            GstVideoRegionOfInterestMeta *face = (GstVideoRegionOfInterestMeta *)meta;
            g_string_append_printf(faces, " %d at %u,%u of %ux%u nose %.9g", face->id, face->x,
                                   face->y, face->w, face->h, faces_meta_number(face, "nose-x"));
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
        GstBuffer *frame = faces_frame(i);
        if (i % 4 == 0)
            faces_add(frame, 6, 5 + i / 4, 1);
        faces_push(stage, frame);
    }
    guint last = 0;
    for (guint i = 0; i < 9; i++) {
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        GstVideoRegionOfInterestMeta *meta = faces_meta(result);
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
        GstBuffer *frame = faces_frame(i);
        faces_add(frame, 6, 5, scores[i]);
        faces_push(stage, frame);
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
        GstBuffer *frame = faces_frame(0);
        faces_add(frame, 6, 5, 1);
        faces_push(stage, frame);
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        tracks[i] = faces_meta(result)->id;
        if (i == 0)
            stage_flush(stage);
    }
    g_assert_cmpint(tracks[1], >, tracks[0]);
}

/* As decoders tell that they have skipped some; after more than a second it may be another scene.
 */
static void a_face_is_the_same_where_frames_are_missing(void)
{
    static const guint numbers[] = { 0, 1, 20, 60 };
    g_autoptr(Model) restorer = tinynet_restorer(1, 0), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1 attach-meta=true");
    gint tracks[G_N_ELEMENTS(numbers)];
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        GstBuffer *frame = faces_frame(numbers[i]);
        faces_add(frame, 6, 5, 1);
        if (i > 1)
            GST_BUFFER_FLAG_SET(frame, GST_BUFFER_FLAG_DISCONT);
        faces_push(stage, frame);
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        tracks[i] = faces_meta(result)->id;
    }
    g_assert_cmpint(tracks[1], ==, tracks[0]);
    g_assert_cmpint(tracks[2], ==, tracks[0]);
    g_assert_cmpint(tracks[3], >, tracks[0]);
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
    for (guint y = 0; y < FACES_HEIGHT; y++)
        for (guint x = 0; x < FACES_WIDTH; x++)
            for (guint c = 0; c < 3 && faces_within(x, y, 6, 5); c++) {
                const guint i = (y * FACES_WIDTH + x) * 3 + c;
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
        GstBuffer *frame = faces_frame(i);
        faces_add(frame, 6, 5, 0.9f);
        add_noise(frame, &seed);
        faces_read(frame, in + i * FACES_B);
        faces_push(stage, frame);
    }
    for (guint i = 0; i < FLICKER_FRAMES; i++) {
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        faces_read(result, out + i * FACES_B);
        if (i > 0) {
            before += flicker(in + (i - 1) * FACES_B, in + i * FACES_B);
            after += flicker(out + (i - 1) * FACES_B, out + i * FACES_B);
        }
    }
    g_test_message("%.3f of the input's flicker", (double)after / (double)before);
    g_assert_cmpuint(stage_stat(stage, "faces-restored"), ==, FLICKER_FRAMES);
    g_assert_cmpuint(after, <=, before * 6 / 5);
}

/* Bytes that the process has from malloc(). */
static gsize allocated_b(void)
{
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Frame @number: faces come, move, and go, so that tracks do; some frames have none. */
static void restore_frame(Stage *stage, guint number)
{
    GstBuffer *frame = faces_frame(number);
    for (guint k = 0; k < number / 8 % 4; k++)
        faces_add(frame, 2 + (number / 2 + 5 * k) % 20, 3 + 3 * k, 1);
    faces_push(stage, frame);
    gst_buffer_unref(gst_harness_pull(stage->harness));
}

static void a_thousand_frames_need_the_memory_of_a_hundred(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0.5f, 0.2f), detector = tinynet_detector();
    g_autoptr(Stage) stage =
        faces_new(restorer, detector, "batch-size=1 attach-meta=true detect-interval=2");
    for (guint i = 0; i < 100; i++)
        restore_frame(stage, i);
    const gsize before_b = allocated_b();
    const int live = fakecl_live();
    for (guint i = 100; i < 1000; i++)
        restore_frame(stage, i);
    const gsize after_b = allocated_b();
    g_test_message("%" G_GSIZE_FORMAT " bytes, then %" G_GSIZE_FORMAT, before_b, after_b);
    g_assert_cmpint(fakecl_live(), <=, live + 8); /* events of what is in flight */
    /* Less than a tenth of a kilobyte for each frame. */
    g_assert_cmpuint(after_b, <, before_b + 900 * 100);
    g_assert_cmpuint(stage_stat(stage, "faces-restored"), >, 1000);
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("metas tell where the faces are", metas_tell_where_the_faces_are);
    stage_add("small frames are enlarged for the detector",
              small_frames_are_enlarged_for_the_detector);
    stage_add("without attach-meta there are none", without_attach_meta_there_are_none);
    stage_add("frames between detections have their faces too",
              frames_between_detections_have_their_faces_too);
    stage_add("faces are followed over two devices", faces_are_followed_over_two_devices);
    stage_add("faces near the threshold are the same over two devices",
              faces_near_the_threshold_are_the_same_over_two_devices);
    stage_add("faces are the same when a device is lost", faces_are_the_same_when_a_device_is_lost);
    stage_add("a face that is followed may score less", a_face_that_is_followed_may_score_less);
    stage_add("after a flush faces are new", after_a_flush_faces_are_new);
    stage_add("a face is the same where frames are missing",
              a_face_is_the_same_where_frames_are_missing);
    stage_add("a still face does not flicker", a_still_face_does_not_flicker);
    stage_add("a thousand frames need the memory of a hundred",
              a_thousand_frames_need_the_memory_of_a_hundred);
    return g_test_run();
}
