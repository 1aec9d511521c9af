/* gpenenlarge.c - tests of the enhancement element: frames that leave larger than they came.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "facestage.h"

#include <string.h>

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
        GstBuffer *frame = faces_frame(i);
        if (i == 1)
            faces_add(frame, 6, 5, 1);
        gst_buffer_add_video_region_of_interest_meta(frame, "car", 100, 20, 60, 50);
        faces_read(frame, before + i * FACES_B);
        faces_push(stage, frame);
    }
    for (guint i = 0; i < 2; i++) {
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        assert_caps_size(stage, 2 * FACES_WIDTH, 2 * FACES_HEIGHT);
        read_large(result, after);
        for (guint k = 0; k < LARGE_B; k++) {
            const guint x = k / 3 % (2 * FACES_WIDTH), y = k / 3 / (2 * FACES_WIDTH), c = k % 3;
            const gboolean middle = ABS((int)x - 104) < 16 && ABS((int)y - 88) < 16;
            if (i == 1 && middle)
                g_assert_cmpuint(after[k], ==, 255);
            else if (i == 0 || !faces_within(x / 2, y / 2, 6, 5))
                g_assert_cmpuint(after[k], ==,
                                 before[i * FACES_B + (y / 2 * FACES_WIDTH + x / 2) * 3 + c]);
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
        g_assert_cmpfloat_with_epsilon(faces_meta_number(face, "nose-x"), 2 * (36 + 16.0048) + 0.5,
                                       0.02);
    }
}

static void faces_of_metas_grow_with_the_frame(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), enlarger = tinynet_enlarger();
    g_autofree char *properties =
        g_strconcat("batch-size=1 faces=meta background-file=", enlarger, NULL);
    g_autoptr(Stage) stage = faces_new(restorer, NULL, properties);
    GstBuffer *frame = faces_frame(0);
    gst_video_region_of_interest_meta_add_param(
        gst_buffer_add_video_region_of_interest_meta(frame, "face", 40, 40, 32, 32),
        gst_structure_new("face", "nose-x", G_TYPE_DOUBLE, 56.0, "nose-y", G_TYPE_DOUBLE, 60.0,
                          NULL));
    faces_push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    g_autofree guint8 *after = g_malloc(LARGE_B);
    read_large(result, after);
    g_assert_cmpfloat(faces_meta_number(faces_meta(result), "nose-x"), ==, 112.5);
    g_assert_cmpfloat(faces_meta_number(faces_meta(result), "nose-y"), ==, 120.5);
    g_assert_cmpuint(after[(120 * 2 * FACES_WIDTH + 112) * 3], ==, 255);
    g_assert_cmpuint(faces_meta(result)->x, ==, 80);
    g_assert_cmpuint(faces_meta(result)->w, ==, 64);
}

static void frames_are_enlarged_without_a_network_for_faces(void)
{
    g_autoptr(Model) enlarger = tinynet_enlarger();
    GstElement *element = g_object_new(GST_TYPE_GPEN_ENHANCE, "device", "0:0", "background-file",
                                       enlarger, "batch-size", 1, NULL);
    g_autoptr(Stage) stage = stage_new_with(element);
    stage_set_caps(stage, FACES_CAPS);
    GstBuffer *frame = faces_frame(0);
    faces_add(frame, 6, 5, 1);
    g_autofree guint8 *before = faces_pixels(frame), *after = g_malloc(LARGE_B);
    faces_push(stage, frame);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    read_large(result, after);
    for (guint k = 0; k < LARGE_B; k++) {
        const guint x = k / 3 % (2 * FACES_WIDTH), y = k / 3 / (2 * FACES_WIDTH);
        g_assert_cmpuint(after[k], ==, before[(y / 2 * FACES_WIDTH + x / 2) * 3 + k % 3]);
    }
    g_assert_cmpuint(stage_stat(stage, "faces"), ==, 0);
}

static void a_pointer_is_where_the_frame_came_in(void)
{
    g_autoptr(Model) enlarger = tinynet_enlarger();
    GstElement *element = g_object_new(GST_TYPE_GPEN_ENHANCE, "device", "0:0", "background-file",
                                       enlarger, "batch-size", 1, NULL);
    g_autoptr(Stage) stage = stage_new_with(element);
    stage_set_caps(stage, FACES_CAPS);
    faces_push(stage, faces_frame(0));
    gst_buffer_unref(gst_harness_pull(stage->harness));
    while (gst_harness_upstream_events_in_queue(stage->harness))
        gst_event_unref(gst_harness_pull_upstream_event(stage->harness));
    GstEvent *press =
        gst_navigation_event_new_mouse_button_press(1, 60, 80, GST_NAVIGATION_MODIFIER_NONE);
    const guint32 seqnum = gst_event_get_seqnum(press);
    g_assert_true(gst_harness_push_upstream_event(stage->harness, press));
    g_autoptr(GstEvent) event = gst_harness_pull_upstream_event(stage->harness);
    gint button;
    gdouble x, y;
    g_assert_true(gst_navigation_event_parse_mouse_button_event(event, &button, &x, &y));
    g_assert_cmpint(button, ==, 1);
    g_assert_cmpfloat(x, ==, 30);
    g_assert_cmpfloat(y, ==, 40);
    g_assert_cmpuint(gst_event_get_seqnum(event), ==, seqnum);
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
    gst_harness_push(stage->harness, faces_frame(0));
    stage_expect_error(stage, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
}

static void frames_that_would_get_too_large_are_an_error(void)
{
    g_autoptr(Model) enlarger = tinynet_enlarger();
    g_autoptr(Stage) stage =
        stage_new_with(g_object_new(GST_TYPE_GPEN_ENHANCE, "device", "0:0", "background-file",
                                    enlarger, "batch-size", 1, NULL));
    stage_set_caps(stage, "video/x-raw,format=RGB,width=30000,height=30000,framerate=25/1");
    stage_expect_error(stage, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT);
    g_assert_false(stage_has_error(stage));
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("frames leave as large as the network makes them",
              frames_leave_as_large_as_the_network_makes_them);
    stage_add("faces of metas grow with the frame", faces_of_metas_grow_with_the_frame);
    stage_add("frames are enlarged without a network for faces",
              frames_are_enlarged_without_a_network_for_faces);
    stage_add("a pointer is where the frame came in", a_pointer_is_where_the_frame_came_in);
    stage_add("sizes downstream are those upstream, enlarged",
              sizes_downstream_are_those_upstream_enlarged);
    stage_add("before the network is read any size may come out",
              before_the_network_is_read_any_size_may_come_out);
    stage_add("what does not enlarge frames is an error", what_does_not_enlarge_frames_is_an_error);
    stage_add("frames that would get too large are an error",
              frames_that_would_get_too_large_are_an_error);
    return g_test_run();
}
