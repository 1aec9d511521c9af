/* frames.c - tests of frames on the device: layout, strides, crops, pinned buffers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#include <string.h>

static const GstVideoFormat formats[] = {
    GST_VIDEO_FORMAT_RGB,  GST_VIDEO_FORMAT_BGR,  GST_VIDEO_FORMAT_RGBA,  GST_VIDEO_FORMAT_BGRA,
    GST_VIDEO_FORMAT_RGBx, GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_ARGB,  GST_VIDEO_FORMAT_ABGR,
    GST_VIDEO_FORMAT_xRGB, GST_VIDEO_FORMAT_xBGR, GST_VIDEO_FORMAT_NV12,  GST_VIDEO_FORMAT_NV21,
    GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_YV12, GST_VIDEO_FORMAT_AYUV,  GST_VIDEO_FORMAT_YUY2,
    GST_VIDEO_FORMAT_UYVY, GST_VIDEO_FORMAT_A420, GST_VIDEO_FORMAT_GRAY8, GST_VIDEO_FORMAT_AV12,
    GST_VIDEO_FORMAT_Y42B, GST_VIDEO_FORMAT_Y444, GST_VIDEO_FORMAT_GBR,
};

static const guint sizes[][2] = { { 1, 1 }, { 2, 2 }, { 321, 241 }, { 64, 48 }, { 17, 3 } };

static void round_trip(const GstVideoInfo *info, guint extra_in, guint extra_out)
{
    g_autoptr(GstVideoFrame) first = harness_frame_new(info, extra_in);
    g_autoptr(GstVideoFrame) second = harness_frame_new(info, extra_in);
    g_autoptr(GstVideoFrame) back = harness_frame_new(info, extra_out);
    harness_fill_random(first, 1);
    harness_fill_random(second, 2);
    GstVideoFrame *both[] = { first, second };
    g_autoptr(VideoFrames) frames = harness_upload(both, 2);
    harness_download(frames, 1, back);
    g_assert_cmpuint(harness_difference(second, back), ==, 0);
    harness_download(frames, 0, back);
    g_assert_cmpuint(harness_difference(first, back), ==, 0);
}

static void every_format_survives_odd_sizes_and_strides(void)
{
    for (guint f = 0; f < G_N_ELEMENTS(formats); f++)
        for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
            g_test_message("%s %ux%u", gst_video_format_to_string(formats[f]), sizes[s][0],
                           sizes[s][1]);
            GstVideoInfo info = harness_info(formats[f], sizes[s][0], sizes[s][1], NULL);
            round_trip(&info, 0, 12);
            round_trip(&info, 20, 0);
        }
}

static void a_download_writes_nothing_beside_the_pixels(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_NV12, 321, 241, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) back = harness_frame_new(&info, 7);
    harness_fill_random(frame, 1);
    g_autoptr(VideoFrames) frames = harness_upload(&frame, 1);
    harness_download(frames, 0, back);
    guint rows[] = { 241, 121 }, row_b[] = { 321, 322 };
    for (guint plane = 0; plane < 2; plane++)
        for (guint y = 0; y < rows[plane]; y++) {
            const guint8 *row = (const guint8 *)GST_VIDEO_FRAME_PLANE_DATA(back, plane) +
                                (gsize)y * GST_VIDEO_FRAME_PLANE_STRIDE(back, plane);
            for (gint x = (gint)row_b[plane]; x < GST_VIDEO_FRAME_PLANE_STRIDE(back, plane); x++)
                g_assert_cmphex(row[x], ==, 0xA5);
        }
}

static void a_frame_of_several_memories_uploads_like_one(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_NV12, 64, 48, NULL);
    g_autoptr(GstVideoFrame) whole = harness_frame_new(&info, 0);
    harness_fill_random(whole, 3);
    gsize luma_b = 64 * 48, chroma_b = 64 * 24;
    GstBuffer *buffer = gst_buffer_new();
    gst_buffer_append_memory(buffer, gst_allocator_alloc(NULL, luma_b, NULL));
    gst_buffer_append_memory(buffer, gst_allocator_alloc(NULL, chroma_b, NULL));
    gst_buffer_fill(buffer, 0, GST_VIDEO_FRAME_PLANE_DATA(whole, 0), luma_b);
    gst_buffer_fill(buffer, luma_b, GST_VIDEO_FRAME_PLANE_DATA(whole, 1), chroma_b);
    gst_buffer_add_video_meta(buffer, 0, GST_VIDEO_FORMAT_NV12, 64, 48);
    g_assert_cmpuint(gst_buffer_n_memory(buffer), ==, 2);
    GstVideoFrame parts;
    g_assert_true(gst_video_frame_map(&parts, &info, buffer, GST_MAP_READ));
    GstVideoFrame *list[] = { &parts };
    g_autoptr(VideoFrames) frames = harness_upload(list, 1);
    gst_video_frame_unmap(&parts);
    gst_buffer_unref(buffer);
    g_autoptr(GstVideoFrame) back = harness_frame_new(&info, 0);
    harness_download(frames, 0, back);
    g_assert_cmpuint(harness_difference(whole, back), ==, 0);
}

static void a_crop_uploads_what_it_shows(void)
{
    GstVideoInfo large = harness_info(GST_VIDEO_FORMAT_NV12, 64, 48, NULL);
    GstVideoInfo small = harness_info(GST_VIDEO_FORMAT_NV12, 33, 21, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&large, 0);
    harness_fill_random(frame, 4);
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(frame->buffer);
    crop->x = 10;
    crop->y = 6;
    crop->width = 33;
    crop->height = 21;
    g_autoptr(GError) error = NULL;
    g_autoptr(VideoFrames) frames = video_frames_new(harness_device(), &small, 1, TRUE, &error);
    g_assert_no_error(error);
    g_assert_true(video_frames_upload(frames, harness_queue(), 0, frame, &error));
    g_autoptr(GstVideoFrame) back = harness_frame_new(&small, 0);
    harness_download(frames, 0, back);
    for (guint y = 0; y < 21; y++)
        for (guint x = 0; x < 33; x++)
            g_assert_cmpuint(*harness_sample(back, 0, x, y), ==,
                             *harness_sample(frame, 0, x + 10, y + 6));
    for (guint c = 1; c < 3; c++)
        for (guint y = 0; y < 11; y++)
            for (guint x = 0; x < 17; x++)
                g_assert_cmpuint(*harness_sample(back, c, x, y), ==,
                                 *harness_sample(frame, c, x + 5, y + 3));
}

static void a_frame_of_another_size_is_an_error(void)
{
    GstVideoInfo small = harness_info(GST_VIDEO_FORMAT_RGBA, 8, 8, NULL);
    GstVideoInfo large = harness_info(GST_VIDEO_FORMAT_RGBA, 16, 8, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&small, 0);
    g_autoptr(GError) error = NULL;
    g_autoptr(VideoFrames) frames = video_frames_new(harness_device(), &large, 1, TRUE, &error);
    g_assert_no_error(error);
    g_assert_false(video_frames_upload(frames, harness_queue(), 0, frame, &error));
    g_assert_error(error, NN_ERROR, NN_ERROR_INPUT);
}

static void a_crop_outside_of_the_frame_is_an_error(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGBA, 16, 8, NULL);
    static const guint crops[][2] = { { 1, 0 }, { 0, 1 }, { G_MAXUINT - 7, 0 }, { 0, G_MAXUINT } };
    for (guint i = 0; i < G_N_ELEMENTS(crops); i++) {
        g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
        GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(frame->buffer);
        crop->x = crops[i][0];
        crop->y = crops[i][1];
        g_autoptr(GError) error = NULL;
        g_autoptr(VideoFrames) frames = video_frames_new(harness_device(), &info, 1, TRUE, &error);
        g_assert_no_error(error);
        g_assert_false(video_frames_upload(frames, harness_queue(), 0, frame, &error));
        g_assert_error(error, NN_ERROR, NN_ERROR_INPUT);
    }
}

static void a_format_that_is_not_supported_is_an_error(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_P010_10LE, 16, 16, NULL);
    g_autoptr(GError) error = NULL;
    g_assert_null(video_frames_new(harness_device(), &info, 1, TRUE, &error));
    g_assert_error(error, NN_ERROR, NN_ERROR_INPUT);
    g_assert_nonnull(strstr(error->message, "P010"));
}

static void pinned_buffers_carry_video_meta_and_are_aligned(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_NV12, 321, 241, NULL);
    GstCaps *caps = gst_video_info_to_caps(&info);
    GstBufferPool *pool = video_pinned_pool_new(harness_device());
    GstStructure *config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, (guint)info.size, 2, 4);
    GstAllocationParams params = { .align = 255 };
    gst_buffer_pool_config_set_allocator(config, NULL, &params);
    g_assert_true(gst_buffer_pool_set_config(pool, config));
    g_assert_true(gst_buffer_pool_set_active(pool, TRUE));
    GstBuffer *buffer = NULL;
    g_assert_cmpint(gst_buffer_pool_acquire_buffer(pool, &buffer, NULL), ==, GST_FLOW_OK);
    g_assert_nonnull(gst_buffer_get_video_meta(buffer));
    g_assert_true(gst_memory_is_type(gst_buffer_peek_memory(buffer, 0), "OclPinnedMemory"));
    GstVideoFrame frame;
    g_assert_true(gst_video_frame_map(&frame, &info, buffer, GST_MAP_WRITE));
    g_assert_cmpuint((guintptr)GST_VIDEO_FRAME_PLANE_DATA(&frame, 0) & 255, ==, 0);
    harness_fill_random(&frame, 5);
    gst_video_frame_unmap(&frame);

    /* A part of a buffer shares the memory, and outlives it. */
    GstBuffer *part = gst_buffer_copy_region(buffer, GST_BUFFER_COPY_MEMORY, 10, 100);
    guint8 expected[100], found[100];
    gst_buffer_extract(buffer, 10, expected, sizeof expected);
    gst_buffer_unref(buffer);
    gst_buffer_extract(part, 0, found, sizeof found);
    g_assert_cmpmem(expected, sizeof expected, found, sizeof found);
    gst_buffer_unref(part);

    g_assert_true(gst_buffer_pool_set_active(pool, FALSE));
    gst_object_unref(pool);
    gst_caps_unref(caps);
}

static void what_another_device_has_pinned_is_read_where_it_is(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) other = ocl_device_open("0:1", &error);
    if (!other || other->platform != harness_device()->platform) {
        g_test_skip("there is one device");
        return;
    }
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_NV12, 320, 240, NULL);
    g_autoptr(GstCaps) caps = gst_video_info_to_caps(&info);
    g_autoptr(GstBufferPool) pool = video_pinned_pool_new(harness_device());
    GstStructure *config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, (guint)info.size, 1, 0);
    g_assert_true(gst_buffer_pool_set_config(pool, config));
    g_assert_true(gst_buffer_pool_set_active(pool, TRUE));
    GstBuffer *buffer = NULL;
    g_assert_cmpint(gst_buffer_pool_acquire_buffer(pool, &buffer, NULL), ==, GST_FLOW_OK);
    g_assert_true(video_buffer_is_pinned(buffer, other));

    GstVideoFrame frame;
    g_assert_true(gst_video_frame_map(&frame, &info, buffer, GST_MAP_READWRITE));
    harness_fill_random(&frame, 6);
    g_autoptr(GstVideoFrame) back = harness_frame_new(&info, 0);
    g_autoptr(OclQueue) queue = ocl_queue_new(other, "test", FALSE, &error);
    g_autoptr(VideoFrames) frames = video_frames_new(other, &info, 1, TRUE, &error);
    g_assert_no_error(error);
    g_assert_true(video_frames_upload(frames, queue, 0, &frame, &error));
    g_assert_true(video_frames_download(frames, queue, 0, back, &error));
    g_assert_true(ocl_queue_finish(queue, &error));
    g_assert_cmpuint(harness_difference(&frame, back), ==, 0);
    gst_video_frame_unmap(&frame);
    gst_buffer_unref(buffer);
    g_assert_true(gst_buffer_pool_set_active(pool, FALSE));
}

int main(int argc, char **argv)
{
    g_setenv("POCL_DEVICES", "pthread pthread", FALSE);
    harness_init(&argc, &argv);
    harness_add("every format survives odd sizes and strides",
                every_format_survives_odd_sizes_and_strides);
    harness_add("a download writes nothing beside the pixels",
                a_download_writes_nothing_beside_the_pixels);
    harness_add("a frame of several memories uploads like one",
                a_frame_of_several_memories_uploads_like_one);
    harness_add("a crop uploads what it shows", a_crop_uploads_what_it_shows);
    harness_add("a frame of another size is an error", a_frame_of_another_size_is_an_error);
    harness_add("a crop outside of the frame is an error", a_crop_outside_of_the_frame_is_an_error);
    harness_add("a format that is not supported is an error",
                a_format_that_is_not_supported_is_an_error);
    harness_add("pinned buffers carry video meta and are aligned",
                pinned_buffers_carry_video_meta_and_are_aligned);
    harness_add("what another device has pinned is read where it is",
                what_another_device_has_pinned_is_read_where_it_is);
    return harness_run();
}
