/* gpenenhance.c - tests of the enhancement element: properties while playing, mistakes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "facestage.h"

#include <glib/gstdio.h>
#include <string.h>

/* ---------------------------------------------------------------- while playing, and mistakes */

static void properties_change_from_frame_to_frame(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 0.5f), detector = tinynet_detector();
    g_autoptr(Stage) stage = faces_new(restorer, detector, "batch-size=1");
    const guint middle = (44 * FACES_WIDTH + 52) * 3 + 1;
    gint full = 0;
    for (guint i = 0; i < 3; i++) {
        GstBuffer *frame = faces_frame(i);
        faces_add(frame, 6, 5, 1);
        g_autofree guint8 *before = faces_pixels(frame);
        g_object_set(stage->element, "blend", i == 1 ? 0.5 : 1.0, NULL);
        if (i == 2)
            gst_util_set_object_arg(G_OBJECT(stage->element), "faces", "whole");
        g_autofree guint8 *after = faces_through(stage, frame);
        if (i == 0)
            full = after[middle];
        /* Grey, and some of the frame's detail. */
        g_assert_cmpint(ABS(full - 128), <=, 32);
        g_assert_cmpint(ABS(full - before[middle]), >, 16);
        if (i == 1)
            g_assert_cmpint(ABS(2 * after[middle] - full - before[middle]), <=, 2);
        g_assert_cmpint(after[0] == 128, ==, i == 2);
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

static void a_network_for_faces_ships(void)
{
    static const char *const names[] = { NULL, "", "clmatte-restore" };
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(GstElement) element =
            g_object_new(GST_TYPE_GPEN_ENHANCE, "device", "0:0", "model-file", names[i], NULL);
        gst_object_ref_sink(element);
        g_assert_cmpint(gst_element_set_state(element, GST_STATE_READY), ==,
                        GST_STATE_CHANGE_SUCCESS);
        gst_element_set_state(element, GST_STATE_NULL);
    }
}

static void a_detector_that_was_got_is_found_by_name(void)
{
    g_autoptr(Model) model = tinynet_detector();
    g_autofree char *content = NULL;
    gsize size_b;
    g_assert_true(g_file_get_contents(model, &content, &size_b, NULL));
    g_autofree char *folder =
        g_build_filename(g_get_user_data_dir(), "gst-clmatte", "models", NULL);
    g_autofree char *path = g_build_filename(folder, "clmatte-test-detector.onnx", NULL);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, content, size_b, NULL));
    g_autoptr(GstElement) element = gst_object_ref_sink(g_object_new(
        GST_TYPE_GPEN_ENHANCE, "device", "0:0", "detector-file", "clmatte-test-detector", NULL));
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_READY), ==, GST_STATE_CHANGE_SUCCESS);
    gst_element_set_state(element, GST_STATE_NULL);
    g_unlink(path);
}

static void a_damaged_detector_is_an_error(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), damaged = tinynet_damaged();
    assert_start_fails(restorer, damaged, "damaged");
    assert_start_fails(restorer, "/nonexistent/detector.onnx", "not found");
    assert_start_fails(restorer, "no-such-detector", "clmatte-models list");
}

static void assert_frame_fails(const char *restorer, const char *detector, const char *mask)
{
    g_autofree char *properties = g_strconcat("batch-size=1 mask-file=", mask, NULL);
    g_autoptr(Stage) stage = faces_new(restorer, detector, properties);
    gst_harness_push(stage->harness, faces_frame(0));
    stage_expect_error(stage, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
}

static void networks_of_another_kind_are_errors(void)
{
    g_autoptr(Model) restorer = tinynet_restorer(0, 1), detector = tinynet_detector();
    g_autoptr(Model) oblong = tinynet_oblong(), boxes = tinynet_boxes();
    assert_frame_fails(restorer, boxes, "");
    assert_frame_fails(restorer, oblong, "");
    assert_frame_fails(oblong, detector, "");
    assert_frame_fails(restorer, detector, oblong);
    /* Scores of cells, which are no picture. */
    assert_frame_fails(restorer, detector, detector);
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("properties change from frame to frame", properties_change_from_frame_to_frame);
    stage_add("a network for faces ships", a_network_for_faces_ships);
    stage_add("a detector that was got is found by name", a_detector_that_was_got_is_found_by_name);
    stage_add("a damaged detector is an error", a_damaged_detector_is_an_error);
    stage_add("networks of another kind are errors", networks_of_another_kind_are_errors);
    return g_test_run();
}
