/* fromtensor.c - tests of image networks' outputs over the frame, and of foreground colours.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#include <math.h>

/* -1..1 in RGB. */
static VideoModelInfo *gpen_info(VideoFit fit)
{
    VideoModelInfo *info = video_model_info_preset("gpen");
    info->fit = fit;
    return info;
}

/* Mixes tensors [n][3][height][width] into frames, in place of @results. */
static void mix(GstVideoFrame *const *frames, guint n, VideoFit fit, guint width, guint height,
                const float *values, const float *blend, GstVideoFrame *const *results)
{
    g_autoptr(GError) error = NULL;
    const GstVideoInfo *info = &frames[0]->info;
    g_autoptr(VideoModelInfo) model = gpen_info(fit);
    g_auto(HarnessTensor) tensor = harness_tensor_new(n, 3, height, width, FALSE, FALSE);
    harness_tensor_write(&tensor, FALSE, values);
    g_autoptr(VideoFromTensor) converter = video_from_tensor_new(
        harness_device(), info, &results[0]->info, model, n, &tensor.place, &error);
    g_assert_no_error(error);
    g_autoptr(VideoFrames) sources = harness_upload(frames, n);
    g_autoptr(VideoFrames) targets = video_frames_new(harness_device(), info, n, FALSE, &error);
    g_assert_no_error(error);
    video_from_tensor_run(converter, harness_queue(), sources, targets, n, &tensor.place, blend,
                          &error);
    g_assert_no_error(error);
    for (guint i = 0; i < n; i++)
        harness_download(targets, i, results[i]);
}

static float *random_values(guint n)
{
    float *values = g_new(float, n);
    guint32 seed = n;
    for (guint i = 0; i < n; i++)
        values[i] = 2 * harness_random(&seed) - 1;
    return values;
}

static void without_blend_every_byte_stays(void)
{
    const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_RGBA, GST_VIDEO_FORMAT_RGB,
                                       GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_I420,
                                       GST_VIDEO_FORMAT_AYUV, GST_VIDEO_FORMAT_YUY2,
                                       GST_VIDEO_FORMAT_A420, GST_VIDEO_FORMAT_GRAY8 };
    const float blend = 0;
    g_autofree float *values = random_values(3 * 64 * 64);
    for (guint f = 0; f < G_N_ELEMENTS(formats); f++) {
        GstVideoInfo info = harness_info(formats[f], 123, 77, NULL);
        g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
        g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 5);
        harness_fill_random(frame, f);
        mix(&frame, 1, VIDEO_FIT_STRETCH, 64, 64, values, &blend, &result);
        g_test_message("%s", GST_VIDEO_INFO_NAME(&info));
        g_assert_cmpuint(harness_difference(frame, result), ==, 0);
    }
}

static void with_full_blend_the_network_shows(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_BGRA, 64, 48, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    harness_fill_random(frame, 1);
    g_autofree float *values = random_values(3 * 64 * 48);
    const float blend = 1;
    mix(&frame, 1, VIDEO_FIT_STRETCH, 64, 48, values, &blend, &result);
    for (guint c = 0; c < 3; c++)
        for (guint i = 0; i < 64 * 48; i++)
            g_assert_cmpuint(*harness_sample(result, c, i % 64, i / 64), ==,
                             (guint)floorf((values[c * 64 * 48 + i] * 0.5f + 0.5f) * 255 + 0.5f));
    g_assert_cmpuint(harness_difference_of(frame, result, 3), ==, 0);
}

static void each_frame_has_its_own_blend(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, 32, 32, NULL);
    GstVideoFrame *frames[3], *results[3];
    g_autofree float *values = g_new(float, 3 * 3 * 32 * 32);
    for (guint i = 0; i < 3 * 3 * 32 * 32; i++)
        values[i] = 1;
    for (guint i = 0; i < 3; i++) {
        frames[i] = harness_frame_new(&info, 0);
        results[i] = harness_frame_new(&info, 0);
        harness_fill(frames[i], 55, 55, 55, 0);
    }
    const float blend[] = { 0.5f, 0, 1 };
    mix(frames, 3, VIDEO_FIT_LETTERBOX, 32, 32, values, blend, results);
    const guint8 expected[] = { 155, 55, 255 };
    for (guint i = 0; i < 3; i++) {
        g_assert_cmpuint(*harness_sample(results[i], 1, 9, 9), ==, expected[i]);
        harness_frame_free(frames[i]);
        harness_frame_free(results[i]);
    }
}

/* To a tensor and back by the same fit: the picture is where it was. */
static void check_round_trip(VideoFit fit, guint width, guint height, guint tensor_width,
                             guint tensor_height)
{
    g_autoptr(GError) error = NULL;
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, width, height, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    for (guint c = 0; c < 3; c++)
        for (guint y = 0; y < height; y++)
            for (guint x = 0; x < width; x++)
                *harness_sample(frame, c, x, y) =
                    (guint8)lround(128 + 60 * sin(x * 0.07 + c) + 60 * cos(y * 0.06));
    g_autoptr(VideoModelInfo) model = gpen_info(fit);
    g_auto(HarnessTensor) tensor =
        harness_tensor_new(1, 3, tensor_height, tensor_width, FALSE, FALSE);
    g_autoptr(VideoToTensor) to =
        video_to_tensor_new(harness_device(), &info, model, 1, &tensor.place, &error);
    g_assert_no_error(error);
    g_autoptr(VideoFromTensor) from =
        video_from_tensor_new(harness_device(), &info, &info, model, 1, &tensor.place, &error);
    g_assert_no_error(error);
    g_autoptr(VideoFrames) sources = harness_upload(&frame, 1);
    g_autoptr(VideoFrames) targets = video_frames_new(harness_device(), &info, 1, FALSE, &error);
    const float blend = 1;
    video_to_tensor_run(to, harness_queue(), sources, 1, &tensor.place, &error);
    g_assert_no_error(error);
    video_from_tensor_run(from, harness_queue(), sources, targets, 1, &tensor.place, &blend,
                          &error);
    g_assert_no_error(error);
    harness_download(targets, 0, result);
    guint difference = harness_difference(frame, result);
    g_test_message("fit %d: %ux%u over %ux%u: %u", fit, width, height, tensor_width, tensor_height,
                   difference);
    g_assert_cmpuint(difference, <=, 6);
}

static void a_picture_survives_there_and_back(void)
{
    check_round_trip(VIDEO_FIT_STRETCH, 200, 150, 256, 256);
    check_round_trip(VIDEO_FIT_STRETCH, 300, 200, 256, 256);
    check_round_trip(VIDEO_FIT_LETTERBOX, 200, 111, 256, 256);
    check_round_trip(VIDEO_FIT_LETTERBOX, 111, 201, 256, 256);
    check_round_trip(VIDEO_FIT_NATIVE, 200, 100, 192, 96);
}

static void the_foreground_colour_replaces_the_frames_at_the_edge_only(void)
{
    g_autoptr(GError) error = NULL;
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGBA, 48, 32, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    harness_fill(frame, 10, 20, 30, 255);
    g_autoptr(VideoModelInfo) model = video_model_info_preset("rvm");
    g_auto(HarnessTensor) matte = harness_tensor_new(1, 1, 32, 48, FALSE, FALSE);
    g_auto(HarnessTensor) foreground = harness_tensor_new(1, 3, 32, 48, FALSE, FALSE);
    g_autofree float *alpha = g_new(float, 48 * 32);
    g_autofree float *colour = g_new(float, 3 * 48 * 32);
    for (guint i = 0; i < 48 * 32; i++) {
        alpha[i] = i % 48 < 16 ? 0 : i % 48 < 32 ? 0.5f : 1;
        colour[i] = 1;
        colour[48 * 32 + i] = 0.5f;
        colour[2 * 48 * 32 + i] = 0;
    }
    harness_tensor_write(&matte, FALSE, alpha);
    harness_tensor_write(&foreground, FALSE, colour);
    g_autoptr(VideoCompose) compose = video_compose_new(harness_device(), &info, &info, model, 1,
                                                        &matte.place, &foreground.place, &error);
    g_assert_no_error(error);
    g_autoptr(VideoFrames) sources = harness_upload(&frame, 1);
    g_autoptr(VideoFrames) targets = video_frames_new(harness_device(), &info, 1, FALSE, &error);
    VideoMatteControls controls = harness_controls(VIDEO_BACKGROUND_TRANSPARENT);
    video_compose_run(compose, harness_queue(), sources, targets, 1, &matte.place,
                      &foreground.place, &controls, &error);
    g_assert_no_error(error);
    harness_download(targets, 0, result);
    const guint8 expected[3][4] = { { 10, 20, 30, 0 }, { 255, 128, 0, 128 }, { 10, 20, 30, 255 } };
    for (guint third = 0; third < 3; third++)
        for (guint c = 0; c < 4; c++)
            g_assert_cmpuint(*harness_sample(result, c, 8 + 16 * third, 9), ==, expected[third][c]);
}

int main(int argc, char **argv)
{
    harness_init(&argc, &argv);
    harness_add("without blend every byte stays", without_blend_every_byte_stays);
    harness_add("with full blend the network shows", with_full_blend_the_network_shows);
    harness_add("each frame has its own blend", each_frame_has_its_own_blend);
    harness_add("a picture survives there and back", a_picture_survives_there_and_back);
    harness_add("the foreground colour replaces the frame's at the edge only",
                the_foreground_colour_replaces_the_frames_at_the_edge_only);
    return harness_run();
}
