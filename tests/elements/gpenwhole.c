/* gpenwhole.c - tests of the enhancement element: frames that go through a network as a whole.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "facestage.h"

/* ---------------------------------------------------------------- scaled to the network */

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

/* Frames of the values @in leave as such of @out where the network makes negatives. */
static void assert_blended(float blend, const guint8 in[2], const guint8 out[2], gint tolerance)
{
    g_autoptr(Model) model = tinynet_negative();
    g_autoptr(Stage) stage = enhance_new(model, blend);
    for (guint i = 0; i < 2; i++)
        push_value(stage, in[i]);
    for (guint i = 0; i < 2; i++)
        assert_value(stage, out[i], tolerance);
}

static void the_networks_picture_comes_out(void)
{
    assert_blended(1, (guint8[]){ 10, 200 }, (guint8[]){ 245, 55 }, 1);
}

static void blending_by_nothing_is_the_frame_itself(void)
{
    assert_blended(0, (guint8[]){ 10, 201 }, (guint8[]){ 10, 201 }, 0);
}

static void blending_by_half_is_half_way(void)
{
    assert_blended(0.5f, (guint8[]){ 0, 100 }, (guint8[]){ 128, 128 }, 1);
}

/* ---------------------------------------------------------------- at their own scale */

/* No multiple of anything. */
#define ODD_WIDTH 75
#define ODD_HEIGHT 45
#define ODD_PITCH 228
#define ODD_CAPS "video/x-raw,format=RGB,width=75,height=45,framerate=25/1"

static Stage *whole_new(const char *model, const char *properties)
{
    g_autofree char *all = g_strconcat("batch-size=1 faces=whole ", properties, NULL);
    Stage *stage = faces_new(model, NULL, all);
    stage_set_caps(stage, ODD_CAPS);
    return stage;
}

static guint8 odd_pixel(guint x, guint y, guint c)
{
    return (guint8)(x * 37 + y * 71 + c * 13);
}

/* Pushes a frame in which no pixel is like its neighbours. Returns the largest difference of the
 * result from @share of its negative. */
static double negative_error(Stage *stage, double share)
{
    guint8 *pixels = g_malloc0(ODD_PITCH * ODD_HEIGHT);
    for (guint i = 0; i < 3 * ODD_WIDTH * ODD_HEIGHT; i++)
        pixels[i / (3 * ODD_WIDTH) * ODD_PITCH + i % (3 * ODD_WIDTH)] =
            odd_pixel(i / 3 % ODD_WIDTH, i / 3 / ODD_WIDTH, i % 3);
    faces_push(stage, gst_buffer_new_wrapped(pixels, ODD_PITCH * ODD_HEIGHT));
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    GstMapInfo map;
    double largest = 0;
    g_assert_true(gst_buffer_map(result, &map, GST_MAP_READ));
    g_assert_cmpuint(map.size, ==, ODD_PITCH * ODD_HEIGHT);
    for (guint i = 0; i < 3 * ODD_WIDTH * ODD_HEIGHT; i++) {
        const double before = odd_pixel(i / 3 % ODD_WIDTH, i / 3 / ODD_WIDTH, i % 3);
        const double expected = before + share * (255 - 2 * before);
        const double got = map.data[i / (3 * ODD_WIDTH) * ODD_PITCH + i % (3 * ODD_WIDTH)];
        largest = MAX(largest, ABS(got - expected));
    }
    gst_buffer_unmap(result, &map);
    return largest;
}

#define TILES "clEnqueueNDRangeKernel:tile_cut"

static void a_network_of_any_size_sees_every_pixel(void)
{
    g_autoptr(Model) model = tinynet_negative_of_any_size();
    g_autoptr(Stage) stage = whole_new(model, "blend=1");
    g_assert_cmpfloat(negative_error(stage, 1), <=, 1);
    g_assert_cmpuint(fakecl_calls(TILES), ==, 1);
    g_object_set(stage->element, "blend", 0.25, NULL);
    g_assert_cmpfloat(negative_error(stage, 0.25), <=, 1);
    g_object_set(stage->element, "blend", 0.0, NULL);
    g_assert_cmpfloat(negative_error(stage, 0), ==, 0);
}

static void where_memory_is_short_it_sees_them_in_tiles(void)
{
    g_autoptr(Model) model = tinynet_negative_of_any_size();
    const cl_ulong little = 128 * 1024;
    fakecl_override_device(0, CL_DEVICE_GLOBAL_MEM_SIZE, &little, sizeof little);
    g_autoptr(Stage) stage = whole_new(model, "tile-size=32");
    g_assert_cmpfloat(negative_error(stage, 1), <=, 1);
    g_assert_cmpuint(fakecl_calls(TILES), >, 4);
}

static void where_frames_are_too_large_for_the_device_too(void)
{
    g_autoptr(Model) model = tinynet_negative_of_any_size();
    g_autoptr(Stage) stage = faces_new(model, NULL, "batch-size=1 faces=whole tile-size=32");
    faces_push(stage, faces_frame(0));
    gst_buffer_unref(gst_harness_pull(stage->harness));
    g_assert_cmpuint(fakecl_calls(TILES), ==, 1);
    /* Of the first network for the next frame's size. */
    fakecl_fail("clCreateBuffer", 1, 1, CL_MEM_OBJECT_ALLOCATION_FAILURE);
    stage_set_caps(stage, ODD_CAPS);
    g_assert_cmpfloat(negative_error(stage, 1), <=, 1);
    g_assert_cmpuint(fakecl_calls(TILES), >, 5);
}

static void a_network_that_asks_for_tiles_gets_them(void)
{
    g_autoptr(Model) tiled = tinynet_negative_in_tiles(), scaled = tinynet_negative();
    g_autoptr(Stage) stage = whole_new(tiled, "blend=1");
    g_assert_cmpfloat(negative_error(stage, 1), <=, 1);
    g_assert_cmpuint(fakecl_calls(TILES), >, 4);
    /* Any other of a fixed size has the frame scaled to it. */
    g_autoptr(Stage) other = whole_new(scaled, "blend=1");
    g_assert_cmpfloat(negative_error(other, 1), >, 50);
}

static void a_network_that_enlarges_is_told_where_it_belongs(void)
{
    g_autoptr(Model) enlarger = tinynet_enlarger();
    g_autoptr(Stage) stage = whole_new(enlarger, "blend=1");
    gst_harness_push(stage->harness, gst_buffer_new_allocate(NULL, ODD_PITCH * ODD_HEIGHT, NULL));
    stage_expect_error(stage, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("the network's picture comes out", the_networks_picture_comes_out);
    stage_add("blending by nothing is the frame itself", blending_by_nothing_is_the_frame_itself);
    stage_add("blending by half is half way", blending_by_half_is_half_way);
    stage_add("a network of any size sees every pixel", a_network_of_any_size_sees_every_pixel);
    stage_add("where memory is short it sees them in tiles",
              where_memory_is_short_it_sees_them_in_tiles);
    stage_add("where frames are too large for the device, too",
              where_frames_are_too_large_for_the_device_too);
    stage_add("a network that asks for tiles gets them", a_network_that_asks_for_tiles_gets_them);
    stage_add("a network that enlarges is told where it belongs",
              a_network_that_enlarges_is_told_where_it_belongs);
    return g_test_run();
}
