/* gpenenhance.c - tests of the enhancement element with a network that makes negatives.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstgpenenhance.h"
#include "stage.h"
#include "tinynet.h"

typedef char Model;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Model, tinynet_remove)

#define FRAME_RGB_B (16 * 8 * 3)

static Stage *enhance_new(const char *model, float blend)
{
    Stage *stage =
        stage_new_with(g_object_new(GST_TYPE_GPEN_ENHANCE, "device", "0:0", "model-file", model,
                                    "blend", blend, "faces", 1, "batch-size", 2, NULL));
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

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("the network's picture comes out", the_networks_picture_comes_out);
    stage_add("blending by nothing is the frame itself", blending_by_nothing_is_the_frame_itself);
    stage_add("blending by half is half way", blending_by_half_is_half_way);
    return g_test_run();
}
