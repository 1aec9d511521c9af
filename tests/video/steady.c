/* steady.c - tests of alpha from frame to frame: flicker goes, motion stays.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#define WIDTH 37
#define HEIGHT 10
#define MAX_FRAMES 6

/* A stream of pictures of one brightness with a matte of one value each, of which none should end
 * half way between two bytes, where devices round as they like. */
typedef struct {
    guint n;
    guint8 brightness[MAX_FRAMES];
    float matte[MAX_FRAMES];
    float temporal[MAX_FRAMES];
    gboolean begins[MAX_FRAMES];
} Stream;

/* Alpha 0..255 of every frame, all of whose pixels must agree; in batches of @batch_size. */
static void run(const Stream *stream, GstVideoFormat format, guint batch_size, guint8 *alpha)
{
    g_autoptr(GError) error = NULL;
    GstVideoInfo in = harness_info(format, WIDTH, HEIGHT, NULL);
    GstVideoInfo out = harness_info(GST_VIDEO_FORMAT_GRAY8, WIDTH, HEIGHT, NULL);
    g_autoptr(VideoModelInfo) info = video_model_info_preset("modnet");
    g_auto(HarnessTensor) tensor = harness_tensor_new(batch_size, 1, 4, 8, FALSE, FALSE);
    g_autoptr(VideoCompose) composer = video_compose_new(harness_device(), &in, &out, info,
                                                         batch_size, &tensor.place, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(VideoFrames) targets =
        video_frames_new(harness_device(), &out, batch_size, FALSE, &error);
    g_assert_no_error(error);
    for (guint first = 0; first < stream->n; first += batch_size) {
        const guint n = MIN(batch_size, stream->n - first);
        GstVideoFrame *frames[MAX_FRAMES];
        VideoMatteControls controls[MAX_FRAMES];
        float values[MAX_FRAMES * 4 * 8] = { 0 };
        for (guint i = 0; i < n; i++) {
            const guint8 level = stream->brightness[first + i];
            frames[i] = harness_frame_new(&in, 0);
            harness_fill(frames[i], level, GST_VIDEO_INFO_IS_RGB(&in) ? level : 128,
                         GST_VIDEO_INFO_IS_RGB(&in) ? level : 128, 255);
            controls[i] = harness_controls(VIDEO_BACKGROUND_TRANSPARENT);
            controls[i].temporal = stream->temporal[first + i];
            for (guint k = 0; k < 4 * 8; k++)
                values[i * 4 * 8 + k] = stream->matte[first + i];
        }
        if (stream->begins[first])
            video_compose_begin(composer);
        harness_tensor_write(&tensor, FALSE, values);
        g_autoptr(VideoFrames) sources = harness_upload(frames, n);
        video_compose_run(composer, harness_queue(), sources, targets, n, &tensor.place, NULL,
                          controls, &error);
        g_assert_no_error(error);
        for (guint i = 0; i < n; i++) {
            g_autoptr(GstVideoFrame) result = harness_frame_new(&out, 0);
            harness_download(targets, i, result);
            alpha[first + i] = *harness_sample(result, 0, 0, 0);
            for (guint y = 0; y < HEIGHT; y++)
                for (guint x = 0; x < WIDTH; x++)
                    g_assert_cmpuint(*harness_sample(result, 0, x, y), ==, alpha[first + i]);
            harness_frame_free(frames[i]);
        }
    }
}

static void assert_alpha(const Stream *stream, const float *expected)
{
    static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_RGB };
    for (guint f = 0; f < G_N_ELEMENTS(formats); f++) {
        guint8 alpha[MAX_FRAMES];
        run(stream, formats[f], 1, alpha);
        for (guint i = 0; i < stream->n; i++) {
            g_test_message("%s, frame %u: %u, expected %.2f",
                           gst_video_format_to_string(formats[f]), i, alpha[i], 255 * expected[i]);
            g_assert_cmpfloat_with_epsilon(alpha[i], 255 * expected[i], 0.6);
        }
    }
}

static void flicker_of_a_still_picture_decays(void)
{
    const Stream stream = { 5,
                            { 90, 90, 90, 90, 90 },
                            { 1, 0, 1, 0, 0 },
                            { 0.75f, 0.75f, 0.75f, 0.75f, 0.75f },
                            { FALSE } };
    const float expected[] = { 1, 0.75f, 0.8125f, 0.609375f, 0.45703125f };
    assert_alpha(&stream, expected);
}

static void noise_is_no_motion(void)
{
    const Stream stream = { 3, { 90, 95, 92 }, { 1, 0, 0 }, { 0.5f, 0.5f, 0.5f }, { FALSE } };
    const float expected[] = { 1, 0.5f, 0.25f };
    assert_alpha(&stream, expected);
}

static void what_moves_has_its_own_alpha(void)
{
    const Stream stream = {
        4, { 60, 120, 60, 100 }, { 1, 0, 0.4f, 0.9f }, { 1, 1, 1, 1 }, { FALSE }
    };
    const float expected[] = { 1, 0, 0.4f, 0.9f };
    assert_alpha(&stream, expected);
}

static void a_beginning_knows_nothing_of_before(void)
{
    const Stream stream = { 4,
                            { 90, 90, 90, 90 },
                            { 1, 0, 1, 0 },
                            { 0.5f, 0.5f, 0.5f, 0.5f },
                            { FALSE, FALSE, TRUE, FALSE } };
    const float expected[] = { 1, 0.5f, 1, 0.5f };
    assert_alpha(&stream, expected);
}

static void frames_without_it_are_not_remembered_later(void)
{
    const Stream stream = {
        4, { 90, 90, 90, 90 }, { 1, 0.2f, 0.62f, 0 }, { 0.5f, 0, 0.5f, 0.5f }, { FALSE }
    };
    const float expected[] = { 1, 0.2f, 0.62f, 0.31f };
    assert_alpha(&stream, expected);
}

static void batches_do_not_show(void)
{
    const Stream stream = { 6,
                            { 90, 91, 100, 110, 110, 109 },
                            { 1, 0, 0.52f, 0.31f, 0.8f, 0.11f },
                            { 0.7f, 0.7f, 0, 0.7f, 0.7f, 0.7f },
                            { FALSE } };
    guint8 alone[MAX_FRAMES], together[MAX_FRAMES];
    run(&stream, GST_VIDEO_FORMAT_I420, 1, alone);
    for (guint batch_size = 2; batch_size <= 6; batch_size++) {
        run(&stream, GST_VIDEO_FORMAT_I420, batch_size, together);
        g_assert_cmpmem(alone, stream.n, together, stream.n);
    }
}

int main(int argc, char **argv)
{
    harness_init(&argc, &argv);
    harness_add("flicker of a still picture decays", flicker_of_a_still_picture_decays);
    harness_add("noise is no motion", noise_is_no_motion);
    harness_add("what moves has its own alpha", what_moves_has_its_own_alpha);
    harness_add("a beginning knows nothing of before", a_beginning_knows_nothing_of_before);
    harness_add("frames without it are not remembered later",
                frames_without_it_are_not_remembered_later);
    harness_add("batches do not show", batches_do_not_show);
    return harness_run();
}
