/* frames.c - tests of what a frame carries: metas, strides, odd sizes, controlled properties.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <gst/controller/controller.h>
#include <string.h>

#include "stage.h"

/* ---------------------------------------------------------------- metas */

static void metas_about_the_picture_pass_and_those_about_memory_do_not(void)
{
    g_autoptr(Stage) stage = stage_new(1);
    stage_set_caps(stage, STAGE_CAPS);
    GstBuffer *parent = gst_buffer_new();
    GstBuffer *frame = stage_frame(stage, 3);
    gsize offset[4] = { 0 };
    gint stride[4] = { 16 };
    gst_buffer_add_video_meta_full(frame, 0, GST_VIDEO_FORMAT_GRAY8, 16, 8, 1, offset, stride);
    gst_buffer_add_parent_buffer_meta(frame, parent);
    gst_buffer_add_video_region_of_interest_meta(frame, "face", 1, 2, 3, 4);
    g_autoptr(GstCaps) clock = gst_caps_new_empty_simple("timestamp/x-test");
    gst_buffer_add_reference_timestamp_meta(frame, clock, 5, 6);
    gst_buffer_add_video_time_code_meta_full(frame, 25, 1, NULL, 0, 1, 2, 3, 4, 0);
    gst_meta_register_custom("clmatte-test", (const char *[]){ NULL }, NULL, NULL, NULL);
    gst_buffer_add_custom_meta(frame, "clmatte-test");
    gst_meta_register_custom("clmatte-memory", (const char *[]){ GST_META_TAG_MEMORY_STR, NULL },
                             NULL, NULL, NULL);
    gst_buffer_add_custom_meta(frame, "clmatte-memory");
    gst_harness_push(stage->harness, frame);

    g_autoptr(GstBuffer) out = stage_pull(stage, 3);
    g_assert_null(gst_buffer_get_parent_buffer_meta(out));
    GstVideoRegionOfInterestMeta *region =
        (gpointer)gst_buffer_get_meta(out, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
    g_assert_nonnull(region);
    g_assert_cmpuint(region->w, ==, 3);
    g_assert_cmpuint(gst_buffer_get_reference_timestamp_meta(out, NULL)->timestamp, ==, 5);
    g_assert_cmpuint(gst_buffer_get_video_time_code_meta(out)->tc.minutes, ==, 2);
    g_assert_nonnull(gst_buffer_get_custom_meta(out, "clmatte-test"));
    g_assert_null(gst_buffer_get_custom_meta(out, "clmatte-memory"));
    g_assert_cmpint(GST_MINI_OBJECT_REFCOUNT_VALUE(parent), ==, 1);
    gst_buffer_unref(parent);
}

static void flags_pass_but_for_that_of_a_gap(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 1);
    GstBuffer *frame = stage_frame(stage, 1);
    GST_BUFFER_FLAG_SET(frame, GST_BUFFER_FLAG_GAP | GST_BUFFER_FLAG_CORRUPTED |
                                   GST_VIDEO_BUFFER_FLAG_TFF);
    gst_harness_push(stage->harness, frame);
    gst_buffer_unref(stage_pull(stage, 0));
    g_autoptr(GstBuffer) out = stage_pull(stage, 1);
    g_assert_false(GST_BUFFER_FLAG_IS_SET(out, GST_BUFFER_FLAG_GAP));
    g_assert_true(GST_BUFFER_FLAG_IS_SET(out, GST_BUFFER_FLAG_CORRUPTED));
    g_assert_true(GST_BUFFER_FLAG_IS_SET(out, GST_VIDEO_BUFFER_FLAG_TFF));
    g_assert_false(GST_BUFFER_IS_DISCONT(out));
}

/* ---------------------------------------------------------------- where pixels lie */

/* What byte @i of plane row @y is in the tests. */
static guint8 pixel(guint x, guint y)
{
    return (guint8)(x * 7 + y * 31 + 1);
}

static void fill(GstVideoFrame *frame, guint row_b)
{
    for (gint y = 0; y < GST_VIDEO_FRAME_HEIGHT(frame); y++) {
        guint8 *row = GST_VIDEO_FRAME_PLANE_DATA(frame, 0);
        row += y * GST_VIDEO_FRAME_PLANE_STRIDE(frame, 0);
        for (guint x = 0; x < row_b; x++)
            row[x] = pixel(x, y);
    }
}

/* As downstream sees it that knows nothing of GstVideoMeta. */
static void check(GstBuffer *buffer, const GstVideoInfo *info, guint row_b)
{
    GstMapInfo map;
    g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
    g_assert_cmpuint(map.size, ==, info->size);
    for (gint y = 0; y < info->height; y++)
        for (guint x = 0; x < row_b; x++)
            g_assert_cmpuint(map.data[y * info->stride[0] + x], ==, pixel(x, y));
    gst_buffer_unmap(buffer, &map);
}

static void pass_one(GstVideoFormat format, guint width, guint height, gboolean padded)
{
    GstVideoInfo info;
    GstVideoFrame frame;
    gst_video_info_set_format(&info, format, width, height);
    const guint row_b = width * GST_VIDEO_INFO_COMP_PSTRIDE(&info, 0);
    g_test_message("%s %ux%u%s", GST_VIDEO_INFO_NAME(&info), width, height,
                   padded ? ", padded" : "");
    g_autoptr(Stage) stage = stage_new(1);
    g_autoptr(GstCaps) caps = gst_video_info_to_caps(&info);
    gst_harness_set_src_caps(stage->harness, gst_caps_ref(caps));

    const gint stride = info.stride[0] + (padded ? 24 : 0);
    const gsize offset = padded ? 40 : 0;
    GstBuffer *in = gst_buffer_new_allocate(NULL, offset + (gsize)stride * height, NULL);
    if (padded)
        gst_buffer_add_video_meta_full(in, 0, format, width, height, 1, (gsize[4]){ offset },
                                       (gint[4]){ stride });
    g_assert_true(gst_video_frame_map(&frame, &info, in, GST_MAP_WRITE));
    fill(&frame, row_b);
    gst_video_frame_unmap(&frame);
    g_assert_cmpint(gst_harness_push(stage->harness, in), ==, GST_FLOW_OK);

    g_autoptr(GstBuffer) out = gst_harness_pull(stage->harness);
    g_assert_nonnull(out);
    check(out, &info, row_b);
}

static void odd_sizes_and_padded_rows_come_out_in_default_rows(void)
{
    static const guint sizes[][2] = { { 1, 1 }, { 2, 3 }, { 17, 5 }, { 321, 241 } };
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        for (guint padded = 0; padded < 2; padded++) {
            pass_one(GST_VIDEO_FORMAT_GRAY8, sizes[i][0], sizes[i][1], padded);
            pass_one(GST_VIDEO_FORMAT_RGBA, sizes[i][0], sizes[i][1], padded);
        }
    }
}

static void frames_that_are_kept_are_not_written_again(void)
{
    GstBuffer *kept[24];
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, G_N_ELEMENTS(kept));
    for (guint i = 0; i < G_N_ELEMENTS(kept); i++)
        kept[i] = stage_pull(stage, i);
    for (guint i = 0; i < G_N_ELEMENTS(kept); i++) {
        guint8 value;
        gst_buffer_extract(kept[i], FRAME_B - 1, &value, 1);
        g_assert_cmpuint(value, ==, i);
        gst_buffer_unref(kept[i]);
    }
}

static void frames_may_outlive_the_element(void)
{
    Stage *stage = stage_new(1);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 7, 1);
    GstBuffer *kept = stage_pull(stage, 7);
    stage_free(stage);
    guint8 value;
    gst_buffer_extract(kept, 0, &value, 1);
    g_assert_cmpuint(value, ==, 7);
    gst_buffer_unref(kept);
}

/* ---------------------------------------------------------------- properties over time */

static void each_frame_has_the_controlled_values_of_its_own_time(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    g_autoptr(GstControlSource) source = gst_interpolation_control_source_new();
    g_object_set(source, "mode", GST_INTERPOLATION_MODE_NONE, NULL);
    for (guint i = 0; i < 8; i++)
        gst_timed_value_control_source_set(GST_TIMED_VALUE_CONTROL_SOURCE(source), i * FRAME_NS,
                                           10.0 * i);
    gst_object_add_control_binding(
        GST_OBJECT(stage->element),
        gst_direct_control_binding_new_absolute(GST_OBJECT(stage->element), "level", source));
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 8);
    stage_pull_all(stage, 0, 8);
    for (guint i = 0; i < 8; i++)
        g_assert_cmpuint(g_array_index(stage->filter->levels, guint, i), ==, 10 * i);
}

static GstBufferPool *proposed_pool_for(Stage *stage, const char *text, guint size_b, guint n_max)
{
    g_autoptr(GstCaps) caps = gst_caps_from_string(text);
    g_autoptr(GstQuery) query = gst_query_new_allocation(caps, TRUE);
    GstBufferPool *pool = NULL;
    g_assert_true(gst_pad_peer_query(stage->harness->srcpad, query));
    gst_query_parse_nth_allocation_pool(query, 0, &pool, NULL, NULL, NULL);
    GstStructure *config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, size_b, 0, n_max);
    g_assert_true(gst_buffer_pool_set_config(pool, config));
    g_assert_true(gst_buffer_pool_set_active(pool, TRUE));
    return pool;
}

static GstBufferPool *proposed_pool(Stage *stage, guint n_max)
{
    return proposed_pool_for(stage, STAGE_CAPS, FRAME_B, n_max);
}

/* Pushes a frame of @pool, NULL: of ordinary memory, and keeps a reference. */
static GstBuffer *push_and_keep(Stage *stage, GstBufferPool *pool, guint8 value)
{
    GstBuffer *buffer = NULL;
    if (pool)
        g_assert_cmpint(gst_buffer_pool_acquire_buffer(pool, &buffer, NULL), ==, GST_FLOW_OK);
    else
        buffer = gst_buffer_new_allocate(NULL, FRAME_B, NULL);
    gst_buffer_memset(buffer, 0, value, FRAME_B);
    gst_harness_push(stage->harness, gst_buffer_ref(buffer));
    return buffer;
}

static void wait_released(GstBuffer *buffer)
{
    const gint64 until_us = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    while (GST_MINI_OBJECT_REFCOUNT_VALUE(buffer) > 1)
        g_assert_cmpint(g_get_monotonic_time(), <, until_us);
}

static void pinned_frames_are_read_where_they_are(void)
{
    g_autoptr(Stage) stage = stage_new(1);
    stage_set_caps(stage, STAGE_CAPS);
    g_autoptr(GstBufferPool) pool = proposed_pool(stage, 0), small = proposed_pool(stage, 3);
    fakecl_hold("clEnqueueWriteBufferRect", 1, 1, FAKECL_FOREVER);
    g_autoptr(GstBuffer) pinned = push_and_keep(stage, pool, 1);
    g_assert_true(fakecl_wait_held(1));
    /* Those that cannot wait are copied. */
    g_autoptr(GstBuffer) ordinary = push_and_keep(stage, NULL, 2);
    wait_released(ordinary);
    g_autoptr(GstBuffer) few = push_and_keep(stage, small, 3);
    wait_released(few);
    g_assert_cmpint(GST_MINI_OBJECT_REFCOUNT_VALUE(pinned), ==, 2);
    /* As nobody may do; if a copy had been made, it would not be seen. */
    GstMapInfo map;
    g_assert_true(gst_buffer_map(pinned, &map, GST_MAP_READ));
    memset(map.data, 9, FRAME_B);
    gst_buffer_unmap(pinned, &map);
    fakecl_release();
    gst_buffer_unref(stage_pull(stage, 9));
    stage_pull_all(stage, 2, 2);
    wait_released(pinned);
    gst_buffer_pool_set_active(pool, FALSE);
    gst_buffer_pool_set_active(small, FALSE);
}

static void planes_that_follow_each_other_are_one_transfer(void)
{
    static const struct {
        const char *caps;
        guint size_b, n_transfers;
    } cases[] = {
        { "video/x-raw,format=NV12,width=64,height=48,framerate=25/1", 64 * 72, 1 },
        { "video/x-raw,format=NV12,width=60,height=48,framerate=25/1", 60 * 72, 2 },
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Stage) stage = stage_new(1);
        stage_set_caps(stage, cases[i].caps);
        g_autoptr(GstBufferPool) pool = proposed_pool_for(stage, cases[i].caps, cases[i].size_b, 0);
        GstBuffer *frame = NULL;
        g_assert_cmpint(gst_buffer_pool_acquire_buffer(pool, &frame, NULL), ==, GST_FLOW_OK);
        g_autofree guint8 *pixels = g_malloc(cases[i].size_b);
        for (guint k = 0; k < cases[i].size_b; k++)
            pixels[k] = (guint8)(k * 31 >> 3);
        gst_buffer_fill(frame, 0, pixels, cases[i].size_b);
        gst_harness_push(stage->harness, frame);
        g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
        g_assert_cmpint(gst_buffer_memcmp(result, 0, pixels, cases[i].size_b), ==, 0);
        g_assert_cmpuint(fakecl_calls("clEnqueueWriteBuffer") +
                             fakecl_calls("clEnqueueWriteBufferRect"),
                         ==, cases[i].n_transfers);
        g_assert_cmpuint(fakecl_calls("clEnqueueReadBuffer") +
                             fakecl_calls("clEnqueueReadBufferRect"),
                         ==, cases[i].n_transfers);
        fakecl_reset();
        gst_buffer_pool_set_active(pool, FALSE);
    }
}

static void a_flush_leaves_pinned_frames_to_the_device(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    g_autoptr(GstBufferPool) pool = proposed_pool(stage, 0);
    fakecl_hold("clEnqueueWriteBufferRect", 1, 1, FAKECL_FOREVER);
    g_autoptr(GstBuffer) pinned = push_and_keep(stage, pool, 1);
    g_assert_true(fakecl_wait_held(1));
    stage_wait_stat(stage, "in-flight", 1);
    stage_flush(stage);
    gst_buffer_unref(push_and_keep(stage, NULL, 2));
    stage_wait_stat(stage, "in-flight", 1);
    g_assert_cmpint(GST_MINI_OBJECT_REFCOUNT_VALUE(pinned), ==, 2);
    fakecl_release();
    stage_push_all(stage, 3, 7);
    stage_pull_all(stage, 2, 8);
    gst_element_set_state(stage->element, GST_STATE_READY);
    wait_released(pinned);
    gst_buffer_pool_set_active(pool, FALSE);
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("metas about the picture pass and those about memory do not",
              metas_about_the_picture_pass_and_those_about_memory_do_not);
    stage_add("flags pass, but for that of a gap", flags_pass_but_for_that_of_a_gap);
    stage_add("odd sizes and padded rows come out in default rows",
              odd_sizes_and_padded_rows_come_out_in_default_rows);
    stage_add("frames that are kept are not written again",
              frames_that_are_kept_are_not_written_again);
    stage_add("frames may outlive the element", frames_may_outlive_the_element);
    stage_add("each frame has the controlled values of its own time",
              each_frame_has_the_controlled_values_of_its_own_time);
    stage_add("pinned frames are read where they are", pinned_frames_are_read_where_they_are);
    stage_add("planes that follow each other are one transfer",
              planes_that_follow_each_other_are_one_transfer);
    stage_add("a flush leaves pinned frames to the device",
              a_flush_leaves_pinned_frames_to_the_device);
    return g_test_run();
}
