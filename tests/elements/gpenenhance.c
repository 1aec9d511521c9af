/* gpenenhance.c - tests of the enhancement element: whole frames, properties, mistakes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "facestage.h"

#include <string.h>

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

/* ---------------------------------------------------------------- while playing, and mistakes */

static void properties_change_from_frame_to_frame(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1");
    for (guint i = 0; i < 3; i++) {
        GstBuffer *frame = faces_frame(i);
        faces_add(frame, 6, 5, 1);
        g_object_set(stage->element, "blend", i == 1 ? 0.5 : 1.0, NULL);
        if (i == 2)
            gst_util_set_object_arg(G_OBJECT(stage->element), "faces", "whole");
        faces_push(stage, frame);
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        g_autofree guint8 *after = faces_pixels(result);
        g_assert_cmpuint(after[(44 * FACES_WIDTH + 52) * 3 + 1], ==, (i == 1 ? 128 : 255));
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
    gst_harness_push(stage->harness, faces_frame(0));
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
    stage_add("properties change from frame to frame", properties_change_from_frame_to_frame);
    stage_add("a damaged detector is an error", a_damaged_detector_is_an_error);
    stage_add("networks of another kind are errors", networks_of_another_kind_are_errors);
    return g_test_run();
}
