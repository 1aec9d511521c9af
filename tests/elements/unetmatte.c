/* unetmatte.c - tests of the matting element with networks whose matte is known.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <glib/gstdio.h>
#include <string.h>

#include "gstunetmatte.h"
#include "stage.h"
#include "tinynet.h"

#define WIDTH 16
#define HEIGHT 8
#define RGB_CAPS "video/x-raw,format=RGB,width=16,height=8,framerate=25/1"

static Stage *matte_new(const char *model, guint batch_size)
{
    return stage_new_with(g_object_new(GST_TYPE_UNET_MATTE, "device", "0:0", "model-file", model,
                                       "batch-size", batch_size, "batch-timeout",
                                       (guint64)3600 * GST_SECOND, "precision", 1, NULL));
}

/* A frame of one colour. */
static GstBuffer *rgb_frame(guint8 r, guint8 g, guint8 b)
{
    guint8 *data = g_malloc(WIDTH * HEIGHT * 3);
    for (guint i = 0; i < WIDTH * HEIGHT; i++) {
        data[3 * i] = r;
        data[3 * i + 1] = g;
        data[3 * i + 2] = b;
    }
    return gst_buffer_new_wrapped(data, WIDTH * HEIGHT * 3);
}

static GstBuffer *pull(Stage *stage)
{
    GstBuffer *out = gst_harness_pull(stage->harness);
    g_assert_nonnull(out);
    return out;
}

/* Checks that all of the frame's pixels of @n bytes are @expected, give or take one. */
static void assert_pixels(GstBuffer *buffer, guint n, const guint8 *expected)
{
    GstMapInfo map;
    g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
    g_assert_cmpuint(map.size, ==, n * WIDTH * HEIGHT);
    for (gsize i = 0; i < map.size; i++)
        g_assert_cmpint(ABS(map.data[i] - expected[i % n]), <=, 1);
    gst_buffer_unmap(buffer, &map);
}

static void start_with(Stage *stage, const char *in, const char *out)
{
    if (out) {
        g_autofree char *caps = g_strdup_printf("video/x-raw,format=%s", out);
        gst_harness_set_sink_caps_str(stage->harness, caps);
    }
    g_autofree char *caps =
        g_strdup_printf("video/x-raw,format=%s,width=16,height=8,framerate=25/1", in);
    stage_set_caps(stage, caps);
}

static const char *negotiated(Stage *stage)
{
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(stage->harness->sinkpad);
    return g_intern_string(gst_structure_get_string(gst_caps_get_structure(caps, 0), "format"));
}

/* ---------------------------------------------------------------- tuning */

static char *tuning_file(void)
{
    g_autofree char *folder = g_build_filename(g_get_user_cache_dir(), "gst-clmatte", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir)) != NULL)
        if (g_str_has_prefix(name, "tuning-"))
            return g_build_filename(folder, name, NULL);
    return NULL;
}

/* The element as a user has it, but for the tuning. */
static void matte_one_frame(const char *model, NnTuning tuning)
{
    const guint8 expected[4] = { 255, 100, 200, 255 };
    g_autoptr(Stage) stage = matte_new(model, 1);
    g_object_set(stage->element, "tuning", tuning, "tuning-time", 30 * GST_SECOND, NULL);
    start_with(stage, "RGB", NULL);
    gst_harness_push(stage->harness, rgb_frame(255, 100, 200));
    g_autoptr(GstBuffer) out = pull(stage);
    assert_pixels(out, 4, expected);
}

static void measured_kernels_give_the_same_matte(void)
{
    g_autoptr(Model) model = tinynet_red_in_steps();
    g_autofree char *before = tuning_file();
    if (before)
        g_assert_cmpint(g_unlink(before), ==, 0);
    matte_one_frame(model, NN_TUNING_CACHED);
    g_assert_null(tuning_file());
    matte_one_frame(model, NN_TUNING_MEASURE);
    g_autofree char *path = tuning_file();
    g_assert_nonnull(path);
    matte_one_frame(model, NN_TUNING_CACHED);
    g_assert_cmpint(g_unlink(path), ==, 0);
}

/* ---------------------------------------------------------------- precision */

/* The alpha of a frame with the red @red on a GPU, which gains by halves. */
static guint8 alpha_on_gpu(gboolean described_as_precise, NnPrecision precision, guint8 red)
{
    const cl_device_type gpu = CL_DEVICE_TYPE_GPU;
    fakecl_override_device(0, CL_DEVICE_TYPE, &gpu, sizeof gpu);
    g_autoptr(Model) model = tinynet_red_in_the_thousands(described_as_precise);
    g_autoptr(Stage) stage = matte_new(model, 1);
    g_object_set(stage->element, "precision", precision, NULL);
    start_with(stage, "RGB", "GRAY8");
    gst_harness_push(stage->harness, rgb_frame(red, 0, 0));
    g_autoptr(GstBuffer) out = pull(stage);
    guint8 alpha = 0;
    gst_buffer_extract(out, 0, &alpha, 1);
    return alpha;
}

static void networks_that_suffer_from_halves_run_in_floats(void)
{
    g_assert_cmpuint(alpha_on_gpu(TRUE, NN_PRECISION_AUTO, 70), ==, 70);
    /* Any other gets halves, and so does one that the user wants in halves. */
    g_assert_cmpuint(alpha_on_gpu(FALSE, NN_PRECISION_AUTO, 70), !=, 70);
    g_assert_cmpuint(alpha_on_gpu(TRUE, NN_PRECISION_FP16, 70), !=, 70);
    g_assert_cmpuint(alpha_on_gpu(FALSE, NN_PRECISION_FP32, 70), ==, 70);
}

/* ---------------------------------------------------------------- what comes out */

static void the_matte_is_straight_alpha(void)
{
    g_autoptr(Model) model = tinynet_red();
    g_autoptr(Stage) stage = matte_new(model, 4);
    start_with(stage, "RGB", NULL);
    for (guint i = 0; i < 8; i++)
        gst_harness_push(stage->harness, rgb_frame(i * 36, 100, 200));
    for (guint i = 0; i < 8; i++) {
        g_autoptr(GstBuffer) out = pull(stage);
        assert_pixels(out, 4, (guint8[]){ i * 36, 100, 200, i * 36 });
    }
    g_assert_cmpstr(negotiated(stage), ==, "RGBA");
}

static void the_matte_alone_is_grey(void)
{
    g_autoptr(Model) model = tinynet_red();
    g_autoptr(Stage) stage = matte_new(model, 1);
    start_with(stage, "RGB", "GRAY8");
    gst_harness_push(stage->harness, rgb_frame(77, 1, 2));
    g_autoptr(GstBuffer) out = pull(stage);
    assert_pixels(out, 1, (guint8[]){ 77 });
}

static void the_outputs_family_is_that_of_the_input(void)
{
    static const char *const pairs[][3] = {
        /* input, with alpha, composed */
        { "RGB", "RGBA", "RGB" },   { "BGRx", "BGRA", "BGRx" }, { "BGRA", "BGRA", "BGRA" },
        { "I420", "A420", "I420" }, { "NV12", "A420", "NV12" }, { "YUY2", "AYUV", "YUY2" },
    };
    g_autoptr(Model) model = tinynet_red();
    for (guint i = 0; i < G_N_ELEMENTS(pairs); i++) {
        for (guint composed = 0; composed < 2; composed++) {
            g_autoptr(Stage) stage = matte_new(model, 1);
            g_object_set(stage->element, "background", composed ? 1 : 0, NULL);
            start_with(stage, pairs[i][0], NULL);
            gst_harness_push(stage->harness, gst_buffer_new_allocate(NULL, 16 * 8 * 4, NULL));
            gst_buffer_unref(pull(stage));
            g_assert_cmpstr(negotiated(stage), ==, pairs[i][1 + composed]);
        }
    }
}

/* What @element makes of @in, in the @index-th place. */
static GstStructure *output_of(GstElement *element, const char *in, guint index)
{
    GstClBatchFilter *filter = GST_CL_BATCH_FILTER(element);
    g_autoptr(GstCaps) caps = gst_caps_from_string(in);
    g_autoptr(GstCaps) out =
        GST_CL_BATCH_FILTER_GET_CLASS(filter)->transform_caps(filter, GST_PAD_SRC, caps);
    return gst_structure_copy(gst_caps_get_structure(out, index));
}

static void only_formats_of_one_family_share_colorimetry(void)
{
    const char *in = "video/x-raw,format=I420,colorimetry=bt601,chroma-site=mpeg2";
    g_autoptr(GstElement) element = gst_object_ref_sink(g_object_new(GST_TYPE_UNET_MATTE, NULL));
    g_autoptr(GstStructure) kin = output_of(element, in, 0);
    g_autoptr(GstStructure) others = output_of(element, in, 1);
    g_autofree char *alike = gst_structure_to_string(kin);
    g_autofree char *different = gst_structure_to_string(others);
    g_assert_nonnull(strstr(alike, "A420"));
    g_assert_cmpstr(gst_structure_get_string(kin, "colorimetry"), ==, "bt601");
    g_assert_nonnull(strstr(different, "RGBA"));
    g_assert_false(gst_structure_has_field(others, "colorimetry"));
    g_assert_false(gst_structure_has_field(others, "chroma-site"));
}

static void downstream_may_insist_on_other_colorimetry(void)
{
    g_autoptr(Model) model = tinynet_red();
    g_autoptr(Stage) stage = matte_new(model, 1);
    gst_harness_set_sink_caps_str(stage->harness, "video/x-raw,format=A420,colorimetry=bt709");
    g_autoptr(GstCaps) possible = gst_pad_peer_query_caps(stage->harness->srcpad, NULL);
    g_autoptr(GstCaps) bt601 = gst_caps_from_string(
        "video/x-raw,format=I420,colorimetry=bt601,width=16,height=8,framerate=25/1");
    g_assert_true(gst_caps_can_intersect(possible, bt601));
    gst_harness_set_src_caps(stage->harness, gst_caps_ref(bt601));
    /* Red of bt601, which bt709 writes in other numbers. */
    GstBuffer *frame = gst_buffer_new_allocate(NULL, 16 * 8 * 3 / 2, NULL);
    gst_buffer_memset(frame, 0, 81, 128);
    gst_buffer_memset(frame, 128, 90, 32);
    gst_buffer_memset(frame, 160, 240, 32);
    gst_harness_push(stage->harness, frame);
    g_autoptr(GstBuffer) out = pull(stage);
    guint8 luma = 0;
    gst_buffer_extract(out, 0, &luma, 1);
    g_assert_cmpint(ABS(luma - 63), <=, 1);
}

/* A picture of one colour as a file. Free with g_free() when it was removed. */
static char *save_picture(guint8 r, guint8 g, guint8 b)
{
    g_autoptr(GString) text = g_string_new("P6\n4 4\n255\n");
    for (guint i = 0; i < 16; i++) {
        g_string_append_c(text, (char)r);
        g_string_append_c(text, (char)g);
        g_string_append_c(text, (char)b);
    }
    g_autoptr(GError) error = NULL;
    char *path = NULL;
    const int file = g_file_open_tmp("clmatte-picture-XXXXXX.ppm", &path, &error);
    g_assert_no_error(error);
    g_close(file, NULL);
    g_assert_true(g_file_set_contents(path, text->str, text->len, NULL));
    return path;
}

static void the_background_picture_may_change_while_playing(void)
{
    g_autoptr(GstElementFactory) decoder = gst_element_factory_find("pnmdec");
    if (!decoder) {
        g_test_skip("no pnmdec (gstreamer1.0-plugins-bad)");
        return;
    }
    g_autoptr(Model) model = tinynet_red();
    g_autofree char *first = save_picture(10, 20, 30), *second = save_picture(200, 150, 100);
    g_autoptr(Stage) stage = stage_new_with(
        g_object_new(GST_TYPE_UNET_MATTE, "device", "0:0", "model-file", model, "batch-size", 1,
                     "precision", 1, "background", 3, "background-location", first, NULL));
    start_with(stage, "RGB", NULL);
    gst_harness_push(stage->harness, rgb_frame(0, 1, 2));
    g_autoptr(GstBuffer) before = pull(stage);
    assert_pixels(before, 3, (guint8[]){ 10, 20, 30 });
    g_object_set(stage->element, "background-location", second, NULL);
    gst_harness_push(stage->harness, rgb_frame(0, 1, 2));
    g_autoptr(GstBuffer) after = pull(stage);
    assert_pixels(after, 3, (guint8[]){ 200, 150, 100 });
    g_unlink(first);
    g_unlink(second);
}

static void a_colour_comes_behind_the_foreground(void)
{
    g_autoptr(Model) model = tinynet_red();
    g_autoptr(Stage) stage = matte_new(model, 2);
    g_object_set(stage->element, "background", 1, "background-color", 0xff102030, NULL);
    start_with(stage, "RGB", NULL);
    gst_harness_push(stage->harness, rgb_frame(255, 100, 200));
    gst_harness_push(stage->harness, rgb_frame(0, 100, 200));
    g_autoptr(GstBuffer) front = pull(stage), behind = NULL;
    behind = pull(stage);
    assert_pixels(front, 3, (guint8[]){ 255, 100, 200 });
    assert_pixels(behind, 3, (guint8[]){ 0x10, 0x20, 0x30 });
}

static void the_look_may_change_from_frame_to_frame(void)
{
    g_autoptr(Model) model = tinynet_red();
    g_autoptr(Stage) stage = matte_new(model, 2);
    g_object_set(stage->element, "background", 1, "background-color", 0xff000000, NULL);
    start_with(stage, "RGB", NULL);
    for (guint i = 0; i < 4; i++) {
        g_object_set(stage->element, "background-color", 0xff000000 | (i * 50), NULL);
        gst_harness_push(stage->harness, rgb_frame(0, 9, 9));
        /* Until it is taken: the first waits for the second, which brings both out. */
        stage_wait_stat(stage, i % 2 ? "frames-out" : "in-flight", i % 2 ? i + 1 : 1);
    }
    for (guint i = 0; i < 4; i++) {
        g_autoptr(GstBuffer) out = pull(stage);
        assert_pixels(out, 3, (guint8[]){ 0, 0, i * 50 });
    }
}

/* The matte is a quarter of the picture's size, so an edge is soft; the picture knows better. */
static void edges_are_refined_when_asked_for(void)
{
    enum { WIDE = 4 * WIDTH, HIGH = 4 * HEIGHT, EDGE = WIDE / 2 + 2 };
    g_autoptr(Model) model = tinynet_red();
    g_autoptr(Stage) stage = matte_new(model, 1);
    gst_harness_set_sink_caps_str(stage->harness, "video/x-raw,format=GRAY8");
    stage_set_caps(stage, "video/x-raw,format=RGB,width=64,height=32,framerate=25/1");
    guint8 row[2][WIDE];
    for (guint guided = 0; guided < 2; guided++) {
        guint8 *data = g_malloc0(WIDE * HIGH * 3);
        for (guint i = 0; i < WIDE * HIGH; i++)
            data[3 * i] = i % WIDE < EDGE ? 0 : 255;
        gst_util_set_object_arg(G_OBJECT(stage->element), "refine", guided ? "guided" : "none");
        gst_harness_push(stage->harness, gst_buffer_new_wrapped(data, WIDE * HIGH * 3));
        g_autoptr(GstBuffer) out = pull(stage);
        gst_buffer_extract(out, 0, row[guided], WIDE);
        g_assert_cmpuint(row[guided][0], ==, 0);
        g_assert_cmpuint(row[guided][WIDE - 1], ==, 255);
    }
    g_assert_cmpint(row[0][EDGE] - row[0][EDGE - 1], <, 64);
    g_assert_cmpint(row[1][EDGE] - row[1][EDGE - 1], >, 192);
}

/* The right half is red and opaque; between it and the rest is one column that is half of each. */
static void colours_are_estimated_when_asked_for(void)
{
    g_autoptr(Model) model = tinynet_red();
    g_autoptr(Stage) stage = matte_new(model, 1);
    start_with(stage, "RGB", "RGBA");
    guint8 edge[2][4];
    for (guint estimated = 0; estimated < 2; estimated++) {
        guint8 *data = g_malloc0(WIDTH * HEIGHT * 3);
        for (guint i = 0; i < WIDTH * HEIGHT; i++) {
            const guint x = i % WIDTH;
            data[3 * i] = x < 8 ? 0 : x == 8 ? 128 : 255;
            data[3 * i + 2] = 255 - data[3 * i];
        }
        gst_util_set_object_arg(G_OBJECT(stage->element), "foreground",
                                estimated ? "estimated" : "frame");
        gst_harness_push(stage->harness, gst_buffer_new_wrapped(data, WIDTH * HEIGHT * 3));
        g_autoptr(GstBuffer) out = pull(stage);
        gst_buffer_extract(out, 8 * 4, edge[estimated], 4);
    }
    g_assert_cmpuint(edge[0][2], ==, 127);
    g_assert_cmpuint(edge[1][2], <, 112);
    g_assert_cmpuint(edge[1][3], ==, edge[0][3]);
}

static void the_background_may_change_while_playing(void)
{
    g_autoptr(Model) model = tinynet_red();
    g_autoptr(Stage) stage = matte_new(model, 1);
    start_with(stage, "RGB", NULL);
    gst_harness_push(stage->harness, rgb_frame(0, 1, 2));
    gst_buffer_unref(pull(stage));
    g_assert_cmpstr(negotiated(stage), ==, "RGBA");
    g_object_set(stage->element, "background", 1, "background-color", 0xff445566, NULL);
    gst_harness_push(stage->harness, rgb_frame(0, 1, 2));
    g_autoptr(GstBuffer) out = pull(stage);
    g_assert_cmpstr(negotiated(stage), ==, "RGB");
    assert_pixels(out, 3, (guint8[]){ 0x44, 0x55, 0x66 });
    g_object_set(stage->element, "background", 0, NULL);
    gst_harness_push(stage->harness, rgb_frame(0, 1, 2));
    gst_buffer_unref(pull(stage));
    g_assert_cmpstr(negotiated(stage), ==, "RGBA");
}

static void a_frame_is_the_same_whatever_shares_its_batch(void)
{
    g_autoptr(Model) model = tinynet_red();
    g_autoptr(Stage) alone = matte_new(model, 1), together = matte_new(model, 5);
    start_with(alone, "RGB", NULL);
    start_with(together, "RGB", NULL);
    for (guint i = 0; i < 5; i++) {
        gst_harness_push(alone->harness, rgb_frame(i * 51, i, 255 - i));
        gst_harness_push(together->harness, rgb_frame(i * 51, i, 255 - i));
    }
    for (guint i = 0; i < 5; i++) {
        g_autoptr(GstBuffer) a = pull(alone), b = pull(together);
        GstMapInfo map;
        gst_buffer_map(a, &map, GST_MAP_READ);
        g_assert_cmpint(gst_buffer_memcmp(b, 0, map.data, map.size), ==, 0);
        gst_buffer_unmap(a, &map);
    }
}

static void batches_in_flight_share_the_networks_memory(void)
{
    g_autoptr(Model) model = tinynet_red();
    g_autoptr(Stage) stage = matte_new(model, 1);
    start_with(stage, "RGB", NULL);
    gst_harness_push(stage->harness, rgb_frame(1, 2, 3));
    gst_buffer_unref(pull(stage));
    const guint n_kernels = fakecl_calls("clCreateKernel");
    fakecl_hold("clEnqueueNDRangeKernel", 1, 1, FAKECL_FOREVER);
    for (guint i = 0; i < 3; i++)
        gst_harness_push(stage->harness, rgb_frame(50 * i, 2, 3));
    stage_wait_stat(stage, "in-flight", 3);
    g_assert_cmpuint(fakecl_calls("clCreateKernel"), ==, n_kernels);
    fakecl_release();
    for (guint i = 0; i < 3; i++) {
        g_autoptr(GstBuffer) out = pull(stage);
        assert_pixels(out, 4, (guint8[]){ 50 * i, 2, 3, 50 * i });
    }
}

/* ---------------------------------------------------------------- states */

static void assert_rising(Stage *stage, guint n)
{
    for (guint i = 1; i <= n; i++) {
        g_autoptr(GstBuffer) out = pull(stage);
        assert_pixels(out, 1, (guint8[]){ MIN(255, i * 64) });
    }
}

static void states_are_carried_from_frame_to_frame(void)
{
    g_autoptr(Model) model = tinynet_rising();
    g_autoptr(Stage) stage = matte_new(model, 4);
    start_with(stage, "RGB", "GRAY8");
    for (guint i = 0; i < 4; i++)
        gst_harness_push(stage->harness, rgb_frame(255, 0, 0));
    assert_rising(stage, 4);
    g_assert_cmpuint(stage_stat(stage, "batch-size"), ==, 1);
    stage_flush(stage);
    for (guint i = 0; i < 3; i++)
        gst_harness_push(stage->harness, rgb_frame(255, 0, 0));
    assert_rising(stage, 3);
    GstBuffer *discont = rgb_frame(255, 0, 0);
    GST_BUFFER_FLAG_SET(discont, GST_BUFFER_FLAG_DISCONT);
    gst_harness_push(stage->harness, discont);
    gst_harness_push(stage->harness, rgb_frame(255, 0, 0));
    assert_rising(stage, 2);
    /* Another size of as many bytes. */
    stage_set_caps(stage, "video/x-raw,format=RGB,width=8,height=16,framerate=25/1");
    gst_harness_push(stage->harness, rgb_frame(255, 0, 0));
    gst_harness_push(stage->harness, rgb_frame(255, 0, 0));
    assert_rising(stage, 2);
}

/* One frame at a time, so that a batch follows itself in the same memory. */
static void states_do_not_overwrite_each_other(void)
{
    g_autoptr(Model) model = tinynet_lagging();
    g_autoptr(Stage) stage = matte_new(model, 1);
    start_with(stage, "RGB", "GRAY8");
    for (guint i = 0; i < 6; i++) {
        gst_harness_push(stage->harness, rgb_frame(255, 0, 0));
        g_autoptr(GstBuffer) out = pull(stage);
        assert_pixels(out, 1, (guint8[]){ i * 32 });
    }
}

/* ---------------------------------------------------------------- what is guessed */

/* The text of the message that is posted when a network is loaded, NULL if there is none. */
static char *told_at_start(const char *model)
{
    g_autoptr(GstBus) bus = gst_bus_new();
    g_autoptr(GstElement) matte = g_object_ref_sink(
        g_object_new(GST_TYPE_UNET_MATTE, "device", "0:0", "model-file", model, NULL));
    gst_element_set_bus(matte, bus);
    g_assert_cmpint(gst_element_set_state(matte, GST_STATE_READY), ==, GST_STATE_CHANGE_SUCCESS);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_INFO);
    g_autoptr(GError) error = NULL;
    if (message)
        gst_message_parse_info(message, &error, NULL);
    gst_element_set_state(matte, GST_STATE_NULL);
    gst_element_set_bus(matte, NULL);
    return error ? g_strdup(error->message) : NULL;
}

/* A matte that rises by a quarter each frame while the picture stands still, against which half of
 * the one before is kept. */
static void flicker_is_smoothed_when_asked_for(void)
{
    const guint8 expected[] = { 64, 96, 144 };
    g_autoptr(Model) model = tinynet_rising();
    g_autoptr(Stage) stage = matte_new(model, 1);
    g_object_set(stage->element, "temporal", 0.5f, NULL);
    start_with(stage, "RGB", "GRAY8");
    for (guint round = 0; round < 2; round++) {
        for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
            gst_harness_push(stage->harness, rgb_frame(255, 0, 0));
            g_autoptr(GstBuffer) out = pull(stage);
            assert_pixels(out, 1, &expected[i]);
        }
        /* What follows a seek knows nothing of what was before it. */
        stage_flush(stage);
    }
}

static void smoothed_streams_stay_on_one_device(void)
{
    g_autoptr(Model) model = tinynet_red();
    GstElement *element = gst_object_ref_sink(g_object_new(
        GST_TYPE_UNET_MATTE, "device", "0:0,0:1", "model-file", model, "temporal", 0.5f, NULL));
    g_autofree char *name = NULL;
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_READY), ==, GST_STATE_CHANGE_SUCCESS);
    g_object_get(element, "device-name", &name, NULL);
    g_assert_null(strchr(name, ','));
    gst_element_set_state(element, GST_STATE_NULL);
    gst_object_unref(element);
}

static void guesses_about_a_network_are_told(void)
{
    g_autoptr(Model) bare = tinynet_undescribed();
    g_autofree char *told = told_at_start(bare);
    g_assert_nonnull(told);
    g_assert_nonnull(strstr(told, "is a guess"));
    g_assert_nonnull(strstr(told, "RGB"));
    g_assert_nonnull(strstr(told, "near their own size"));
    g_assert_nonnull(strstr(told, "channel 0 of 'red'"));
    g_assert_nonnull(strstr(told, ".modelinfo"));
    g_autoptr(Model) described = tinynet_red();
    g_assert_null(told_at_start(described));
    g_assert_null(told_at_start("clmatte-fast"));
}

/* ---------------------------------------------------------------- what can be wrong */

static GError *start_fails(GstElement *element)
{
    g_autoptr(GstBus) bus = gst_bus_new();
    gst_element_set_bus(gst_object_ref_sink(element), bus);
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_READY), ==, GST_STATE_CHANGE_FAILURE);
    g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    GError *error = NULL;
    gst_message_parse_error(message, &error, NULL);
    g_assert_null(gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR));
    gst_element_set_state(element, GST_STATE_NULL);
    gst_element_set_bus(element, NULL);
    gst_object_unref(element);
    return error;
}

static void networks_that_were_got_are_found_by_name(void)
{
    g_autoptr(Model) model = tinynet_undescribed();
    g_autofree char *content = NULL;
    gsize size_b;
    g_assert_true(g_file_get_contents(model, &content, &size_b, NULL));
    g_autofree char *folder =
        g_build_filename(g_get_user_data_dir(), "gst-clmatte", "models", NULL);
    g_autofree char *path = g_build_filename(folder, "clmatte-test.onnx", NULL);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, content, size_b, NULL));
    g_autofree char *told = told_at_start("clmatte-test");
    g_assert_nonnull(told);
    g_unlink(path);
}

static void networks_that_give_pictures_are_errors(void)
{
    g_autoptr(Model) described = tinynet_negative();
    const char *models[] = { described, "clmatte-restore" };
    for (guint i = 0; i < G_N_ELEMENTS(models); i++) {
        g_autoptr(GError) error =
            start_fails(g_object_new(GST_TYPE_UNET_MATTE, "model-file", models[i], NULL));
        g_assert_error(error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS);
        g_assert_nonnull(strstr(error->message, "gpenenhance"));
    }
}

static void errors_are_text_whatever_the_bytes_of_a_path(void)
{
    g_autofree char *folder = g_dir_make_tmp("clmatte-\xe9-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "t\xe9xt.onnx", NULL);
    g_assert_true(g_file_set_contents(path, "no network", -1, NULL));
    g_autoptr(GError) error =
        start_fails(g_object_new(GST_TYPE_UNET_MATTE, "model-file", path, NULL));
    g_assert_error(error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT);
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    g_assert_nonnull(strstr(error->message, "xt.onnx"));
    g_unlink(path);
    g_rmdir(folder);
}

static void what_is_missing_is_told_when_starting(void)
{
    g_autoptr(GError) missing =
        start_fails(g_object_new(GST_TYPE_UNET_MATTE, "model-file", "/no/such.onnx", NULL));
    g_assert_error(missing, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(missing->message, "/no/such.onnx"));
    g_assert_null(strstr(missing->message, "clmatte-models"));

    g_autoptr(GError) unknown =
        start_fails(g_object_new(GST_TYPE_UNET_MATTE, "model-file", "no-such-network", NULL));
    g_assert_error(unknown, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(unknown->message, "clmatte-models list"));

    g_autoptr(Model) damaged = tinynet_damaged();
    g_autoptr(GError) broken =
        start_fails(g_object_new(GST_TYPE_UNET_MATTE, "model-file", damaged, NULL));
    g_assert_error(broken, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT);

    g_autoptr(Model) model = tinynet_red();
    g_autoptr(GError) no_picture =
        start_fails(g_object_new(GST_TYPE_UNET_MATTE, "model-file", model, "background", 3, NULL));
    g_assert_error(no_picture, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);

    g_autoptr(GError) lost_picture =
        start_fails(g_object_new(GST_TYPE_UNET_MATTE, "model-file", model, "background", 3,
                                 "background-location", "/no/such.png", NULL));
    g_assert_error(lost_picture, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(lost_picture->message, "/no/such.png"));
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("networks that suffer from halves run in floats",
              networks_that_suffer_from_halves_run_in_floats);
    stage_add("measured kernels give the same matte", measured_kernels_give_the_same_matte);
    stage_add("the matte is straight alpha", the_matte_is_straight_alpha);
    stage_add("the matte alone is grey", the_matte_alone_is_grey);
    stage_add("the output's family is that of the input", the_outputs_family_is_that_of_the_input);
    stage_add("only formats of one family share colorimetry",
              only_formats_of_one_family_share_colorimetry);
    stage_add("downstream may insist on other colorimetry",
              downstream_may_insist_on_other_colorimetry);
    stage_add("the background picture may change while playing",
              the_background_picture_may_change_while_playing);
    stage_add("a colour comes behind the foreground", a_colour_comes_behind_the_foreground);
    stage_add("the look may change from frame to frame", the_look_may_change_from_frame_to_frame);
    stage_add("colours are estimated when asked for", colours_are_estimated_when_asked_for);
    stage_add("edges are refined when asked for", edges_are_refined_when_asked_for);
    stage_add("the background may change while playing", the_background_may_change_while_playing);
    stage_add("a frame is the same whatever shares its batch",
              a_frame_is_the_same_whatever_shares_its_batch);
    stage_add("guesses about a network are told", guesses_about_a_network_are_told);
    stage_add("states do not overwrite each other", states_do_not_overwrite_each_other);
    stage_add("batches in flight share the network's memory",
              batches_in_flight_share_the_networks_memory);
    stage_add("states are carried from frame to frame", states_are_carried_from_frame_to_frame);
    stage_add("flicker is smoothed when asked for", flicker_is_smoothed_when_asked_for);
    stage_add("smoothed streams stay on one device", smoothed_streams_stay_on_one_device);
    stage_add("networks that were got are found by name", networks_that_were_got_are_found_by_name);
    stage_add("networks that give pictures are errors", networks_that_give_pictures_are_errors);
    stage_add("errors are text whatever the bytes of a path",
              errors_are_text_whatever_the_bytes_of_a_path);
    stage_add("what is missing is told when starting", what_is_missing_is_told_when_starting);
    return g_test_run();
}
