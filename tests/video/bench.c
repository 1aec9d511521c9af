/* bench.c - how long the video kernels take: ms per frame at 1080p, best of several runs, and the
 * processor time they take (on CPU devices: of all cores together, whatever else runs beside).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * usage: bench-video [N_FRAMES]
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WIDTH = 1920, HEIGHT = 1080, RUNS = 20 };

typedef struct {
    guint n;
    VideoFrames *in, *out;
    HarnessTensor picture, matte;
    VideoToTensor *to_tensor;
    VideoCompose *compose;
    VideoMatteControls *controls;
} Bench;

static gboolean run_to_tensor(Bench *bench, GError **error)
{
    return video_to_tensor_run(bench->to_tensor, harness_queue(), bench->in, bench->n,
                               &bench->picture.place, error);
}

static gboolean run_compose(Bench *bench, GError **error)
{
    return video_compose_run(bench->compose, harness_queue(), bench->in, bench->out, bench->n,
                             &bench->matte.place, NULL, bench->controls, error);
}

static void measure(const char *what, Bench *bench, gboolean (*run)(Bench *, GError **))
{
    g_autoptr(GError) error = NULL;
    double best = G_MAXDOUBLE, least = G_MAXDOUBLE;
    for (guint i = 0; i < RUNS; i++) {
        gint64 start = g_get_monotonic_time();
        clock_t cpu = clock();
        run(bench, &error);
        g_assert_no_error(error);
        ocl_queue_finish(harness_queue(), &error);
        g_assert_no_error(error);
        best = MIN(best, (double)(g_get_monotonic_time() - start) / 1000);
        least = MIN(least, (double)(clock() - cpu) * 1000 / CLOCKS_PER_SEC);
    }
    printf("%-50s %8.3f ms/frame %8.3f ms of CPU\n", what, best / bench->n, least / bench->n);
}

static void bench_to_tensor(Bench *bench, const char *name, GstVideoFormat format, guint width,
                            guint height)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VideoModelInfo) info = video_model_info_preset(name);
    GstVideoInfo in = harness_info(format, WIDTH, HEIGHT, NULL);
    g_autoptr(VideoFrames) frames =
        video_frames_new(harness_device(), &in, bench->n, FALSE, &error);
    g_assert_no_error(error);
    bench->in = frames;
    bench->picture = harness_tensor_new(bench->n, 3, height, width, FALSE, FALSE);
    g_autoptr(VideoToTensor) to_tensor =
        video_to_tensor_new(harness_device(), &in, info, bench->n, &bench->picture.place, &error);
    g_assert_no_error(error);
    bench->to_tensor = to_tensor;
    g_autofree char *what =
        g_strdup_printf("to tensor: %s, %s %ux%u", GST_VIDEO_INFO_NAME(&in), name, width, height);
    measure(what, bench, run_to_tensor);
    harness_tensor_clear(&bench->picture);
}

static void bench_compose(Bench *bench, const char *preset, GstVideoFormat from, GstVideoFormat to,
                          guint width, guint height, const char *what,
                          const VideoMatteControls *controls)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VideoModelInfo) info = video_model_info_preset(preset);
    GstVideoInfo in = harness_info(from, WIDTH, HEIGHT, NULL);
    GstVideoInfo out = harness_info(to, WIDTH, HEIGHT, NULL);
    g_autoptr(VideoFrames) sources =
        video_frames_new(harness_device(), &in, bench->n, FALSE, &error);
    g_autoptr(VideoFrames) targets =
        video_frames_new(harness_device(), &out, bench->n, FALSE, &error);
    g_assert_no_error(error);
    bench->in = sources;
    bench->out = targets;
    bench->matte = harness_tensor_new(bench->n, 1, height, width, FALSE, FALSE);
    g_autoptr(VideoCompose) compose = video_compose_new(harness_device(), &in, &out, info, bench->n,
                                                        &bench->matte.place, NULL, &error);
    g_assert_no_error(error);
    bench->compose = compose;
    bench->controls = g_new(VideoMatteControls, bench->n);
    for (guint i = 0; i < bench->n; i++)
        bench->controls[i] = *controls;
    g_autofree char *line =
        g_strdup_printf("compose: %s -> %s, %s %ux%u, %s", GST_VIDEO_INFO_NAME(&in),
                        GST_VIDEO_INFO_NAME(&out), preset, width, height, what);
    measure(line, bench, run_compose);
    g_free(bench->controls);
    harness_tensor_clear(&bench->matte);
}

int main(int argc, char **argv)
{
    harness_init(&argc, &argv);
    Bench bench = { .n = argc > 1 ? (guint)atoi(argv[1]) : 1 };
    bench_to_tensor(&bench, "clmatte", GST_VIDEO_FORMAT_NV12, 512, 288);
    bench_to_tensor(&bench, "clmatte", GST_VIDEO_FORMAT_RGBA, 512, 288);
    bench_to_tensor(&bench, "clmatte", GST_VIDEO_FORMAT_RGB, 512, 288);
    bench_to_tensor(&bench, "u2net", GST_VIDEO_FORMAT_NV12, 320, 320);
    bench_to_tensor(&bench, "isnet", GST_VIDEO_FORMAT_NV12, 1024, 1024);
    bench_to_tensor(&bench, "rvm", GST_VIDEO_FORMAT_NV12, 1920, 1080);

    VideoMatteControls controls = harness_controls(VIDEO_BACKGROUND_TRANSPARENT);
    bench_compose(&bench, "clmatte", GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_RGBA, 512, 288,
                  "transparent", &controls);
    bench_compose(&bench, "clmatte", GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_A420, 512, 288,
                  "transparent", &controls);
    bench_compose(&bench, "clmatte", GST_VIDEO_FORMAT_RGBA, GST_VIDEO_FORMAT_RGBA, 512, 288,
                  "transparent", &controls);
    bench_compose(&bench, "clmatte", GST_VIDEO_FORMAT_RGB, GST_VIDEO_FORMAT_RGB, 512, 288,
                  "transparent", &controls);
    bench_compose(&bench, "clmatte", GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_GRAY8, 512, 288,
                  "the matte", &controls);
    bench_compose(&bench, "isnet", GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_RGBA, 1024, 1024,
                  "transparent", &controls);
    controls.background = VIDEO_BACKGROUND_COLOR;
    bench_compose(&bench, "clmatte", GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_NV12, 512, 288,
                  "color", &controls);
    controls.background = VIDEO_BACKGROUND_BLUR;
    controls.blur_radius = 0.05f;
    bench_compose(&bench, "clmatte", GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_NV12, 512, 288,
                  "blur 0.05", &controls);
    controls.background = VIDEO_BACKGROUND_TRANSPARENT;
    controls.erode = 2;
    controls.feather = 3;
    bench_compose(&bench, "clmatte", GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_RGBA, 512, 288,
                  "erode 2, feather 3", &controls);
    controls.erode = controls.feather = 0;
    controls.refine = TRUE;
    bench_compose(&bench, "clmatte", GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_RGBA, 512, 288,
                  "refined", &controls);
    return harness_run();
}
