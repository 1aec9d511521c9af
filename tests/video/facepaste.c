/* facepaste.c - tests of faces cut out, restored by small networks and pasted back.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "net.h"

#include <facepaste.h>
#include <math.h>
#include <string.h>

#define SIZE 64
#define CHUNK 3
#define WIDTH 160
#define HEIGHT 120

/* ---------------------------------------------------------------- networks */

static Net build_net(OnnxBuilder *builder, NnPrecision precision)
{
    return net_new(builder, "gpen", CHUNK, precision);
}

/* Every channel becomes itself times @gain plus @offset, on the scale of -1..1. */
static Net linear_net_of(float gain, float offset, NnPrecision precision)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    const float weights[9] = { gain, 0, 0, 0, gain, 0, 0, 0, gain };
    const float bias[3] = { offset, offset, offset };
    onnx_builder_input(builder, "input", NN_FLOAT32, "1,3,64,64");
    onnx_builder_floats(builder, "w", "3,3,1,1", weights);
    onnx_builder_floats(builder, "b", "3", bias);
    onnx_builder_node(builder, "Conv", "input,w,b", "output");
    onnx_builder_output(builder, "output");
    return build_net(builder, precision);
}

static Net linear_net(float gain, float offset)
{
    return linear_net_of(gain, offset, NN_PRECISION_FP32);
}

/* As it is, twice as large: every pixel becomes four. */
static Net enlarging_net(void)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    float weights[12 * 3] = { 0 };
    for (guint i = 0; i < 12; i++)
        weights[3 * i + i / 4] = 1;
    onnx_builder_input(builder, "input", NN_FLOAT32, "1,3,64,64");
    onnx_builder_floats(builder, "w", "12,3,1,1", weights);
    onnx_builder_node(builder, "Conv", "input,w", "x");
    Onnx__NodeProto *shuffle = onnx_builder_node(builder, "DepthToSpace", "x", "output");
    onnx_node_int(shuffle, "blocksize", 2);
    onnx_node_string(shuffle, "mode", "CRD");
    onnx_builder_output(builder, "output");
    return build_net(builder, NN_PRECISION_FP32);
}

/* White in the upper half of the crop, black in the lower one. */
static Net halves_net(void)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    g_autofree float *halves = g_new(float, 3 * SIZE * SIZE);
    const float zero[9] = { 0 };
    for (guint i = 0; i < 3 * SIZE * SIZE; i++)
        halves[i] = i / SIZE % SIZE < SIZE / 2 ? 1 : -1;
    onnx_builder_input(builder, "input", NN_FLOAT32, "1,3,64,64");
    onnx_builder_floats(builder, "w", "3,3,1,1", zero);
    onnx_builder_floats(builder, "halves", "1,3,64,64", halves);
    onnx_builder_node(builder, "Conv", "input,w", "nothing");
    onnx_builder_node(builder, "Add", "nothing,halves", "output");
    onnx_builder_output(builder, "output");
    return build_net(builder, NN_PRECISION_FP32);
}

/* ---------------------------------------------------------------- faces */

/* A face whose crop is @side pixels of the frame around @x, @y, turned by @degrees. */
static VideoFaceJob face_at(guint frame, float x, float y, float side, float degrees)
{
    VideoPoint points[VIDEO_FACE_POINTS];
    const float angle = degrees * (float)G_PI / 180, scale = side / SIZE;
    VideoFaceJob job = { .frame = frame, .blend = 1 };
    video_template_points(VIDEO_TEMPLATE_GPEN, SIZE, points);
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++) {
        const float u = (points[i].x + 0.5f - SIZE / 2) * scale;
        const float v = (points[i].y + 0.5f - SIZE / 2) * scale;
        job.face.points[i] = (VideoPoint){ x - 0.5f + cosf(angle) * u - sinf(angle) * v,
                                           y - 0.5f + sinf(angle) * u + cosf(angle) * v };
    }
    /* Not softened, whatever its size. */
    job.face.width = job.face.height = 200;
    return job;
}

static const VideoFaceStyle plain = { .template = VIDEO_TEMPLATE_GPEN,
                                      .blur = 0.1f,
                                      .least_similarity = -2 };

/* Restores @jobs in @frames; @results gets what comes out, and the jobs their similarity.
 * @parser: (nullable). */
static void restore_masked(const Net *net, const Net *parser, GstVideoFrame *const *frames,
                           guint n_frames, VideoFaceJob *jobs, guint n_jobs,
                           const VideoFaceStyle *style, GstVideoFrame *const *results)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VideoFrames) on_device = harness_upload(frames, n_frames);
    g_autoptr(VideoFaceList) list = video_face_list_new(harness_device());
    const VideoFaceNetwork network = { net->slot, 0, 0, net->info };
    const VideoFaceNetwork mask = { parser ? parser->slot : NULL, 0, 0,
                                    parser ? parser->info : NULL };
    g_autoptr(VideoRestorer) restorer =
        video_restorer_new(harness_device(), &frames[0]->info, &frames[0]->info, &network,
                           parser ? &mask : NULL, CHUNK, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < n_jobs; i++)
        jobs[i].style = *style;
    video_restorer_run(restorer, harness_queue(), list, on_device, on_device, jobs, n_jobs, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < n_frames; i++)
        harness_download(on_device, i, results[i]);
    if (n_jobs > 0)
        video_face_list_results(list, jobs, n_jobs);
}

static void restore(const Net *net, GstVideoFrame *const *frames, guint n_frames,
                    VideoFaceJob *jobs, guint n_jobs, const VideoFaceStyle *style,
                    GstVideoFrame *const *results)
{
    restore_masked(net, NULL, frames, n_frames, jobs, n_jobs, style, results);
}

static void restore_one(const Net *net, GstVideoFrame *frame, VideoFaceJob *job,
                        const VideoFaceStyle *style, GstVideoFrame *result)
{
    restore(net, &frame, 1, job, 1, style, &result);
}

/* Soft waves: bilinear sampling keeps them. */
static void fill_waves(GstVideoFrame *frame, double phase)
{
    for (guint c = 0; c < (guint)GST_VIDEO_FRAME_N_COMPONENTS(frame); c++)
        for (guint y = 0; y < (guint)GST_VIDEO_FRAME_COMP_HEIGHT(frame, c); y++)
            for (guint x = 0; x < (guint)GST_VIDEO_FRAME_COMP_WIDTH(frame, c); x++)
                *harness_sample(frame, c, x, y) =
                    (guint8)(128 + 50 * sin(0.07 * x + c + phase) + 40 * cos(0.09 * y - c));
}

/* The documented mask at the middle of a pixel, by its own words: how far inside a rounded square
 * with sides 1/32 from the crop's, corners of radius 1/4, and smoothstep over @blur. */
static double mask_of(const VideoFaceJob *job, double x, double y, double blur)
{
    VideoPoint template[VIDEO_FACE_POINTS];
    VideoAffine to_face;
    video_template_points(VIDEO_TEMPLATE_GPEN, SIZE, template);
    g_assert_true(video_similarity(job->face.points, template, &to_face));
    const VideoPoint at = video_affine_apply(&to_face, (VideoPoint){ (float)x, (float)y });
    const double u = (at.x + 0.5) / SIZE, v = (at.y + 0.5) / SIZE;
    const double near = 1.0 / 32, far = 31.0 / 32, r = 0.25;
    /* From each side, and in the corners from the arc. */
    const double dx = MIN(u - near, far - u), dy = MIN(v - near, far - v);
    double inside = MIN(dx, dy);
    if (dx < r && dy < r)
        inside = r - hypot(r - dx, r - dy);
    const double t = CLAMP(inside / blur, 0, 1);
    return t * t * (3 - 2 * t);
}

/* ---------------------------------------------------------------- tests */

static const GstVideoFormat formats[] = {
    GST_VIDEO_FORMAT_RGBA, GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_ARGB, GST_VIDEO_FORMAT_RGB,
    GST_VIDEO_FORMAT_BGR,  GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_YV12, GST_VIDEO_FORMAT_NV12,
    GST_VIDEO_FORMAT_NV21, GST_VIDEO_FORMAT_Y42B, GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_UYVY,
    GST_VIDEO_FORMAT_Y444,
};

/* A sample of component @c is within 1/@inside of the mask's middle, or outside the crop. */
static gboolean is_outside(const GstVideoFrame *frame, const VideoFaceJob *job, guint c, guint x,
                           guint y)
{
    const guint step_x = 1u << GST_VIDEO_FORMAT_INFO_W_SUB(frame->info.finfo, c);
    const guint step_y = 1u << GST_VIDEO_FORMAT_INFO_H_SUB(frame->info.finfo, c);
    for (guint j = 0; j < step_y; j++)
        for (guint i = 0; i < step_x; i++)
            if (mask_of(job, x * step_x + i, y * step_y + j, 0.1) > 0)
                return FALSE;
    return TRUE;
}

static void what_no_mask_covers_stays_bit_for_bit_in_every_format(void)
{
    g_auto(Net) white = linear_net(0, 1);
    for (guint k = 0; k < G_N_ELEMENTS(formats); k++) {
        /* Odd sizes: the last chroma samples stand for one pixel. */
        GstVideoInfo info = harness_info(formats[k], WIDTH - 1, HEIGHT - 1, NULL);
        g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 8);
        g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
        harness_fill_random(frame, 3);
        VideoFaceJob job = face_at(0, 130, 90, 70, 20);
        restore_one(&white, frame, &job, &plain, result);
        guint n_changed = 0, n_outside = 0;
        for (guint c = 0; c < (guint)GST_VIDEO_FRAME_N_COMPONENTS(frame); c++)
            for (guint y = 0; y < (guint)GST_VIDEO_FRAME_COMP_HEIGHT(frame, c); y++)
                for (guint x = 0; x < (guint)GST_VIDEO_FRAME_COMP_WIDTH(frame, c); x++) {
                    const guint8 a = *harness_sample(frame, c, x, y);
                    const guint8 b = *harness_sample(result, c, x, y);
                    n_changed += a != b;
                    if (c == 3 || is_outside(frame, &job, c, x, y)) {
                        g_assert_cmpuint(a, ==, b);
                        n_outside++;
                    }
                }
        g_assert_cmpuint(n_changed, >, 1500);
        g_assert_cmpuint(n_outside, >, 8000);
    }
}

static void the_mask_is_the_documented_one(void)
{
    g_auto(Net) white = linear_net(0, 1);
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    harness_fill(frame, 20, 90, 160, 0);
    const float blurs[] = { 0.1f, 0.3f };
    for (guint k = 0; k < 2; k++) {
        VideoFaceStyle style = plain;
        style.blur = blurs[k];
        VideoFaceJob job = face_at(0, 77, 58, 90, -30);
        job.blend = 0.75f;
        restore_one(&white, frame, &job, &style, result);
        for (guint c = 0; c < 3; c++)
            for (guint y = 0; y < HEIGHT; y++)
                for (guint x = 0; x < WIDTH; x++) {
                    const double before = *harness_sample(frame, c, x, y);
                    const double expected =
                        before + 0.75 * mask_of(&job, x, y, blurs[k]) * (255 - before);
                    const double got = *harness_sample(result, c, x, y);
                    if (fabs(got - expected) > 1)
                        g_error("%u at %u, %u: %g instead of %g", c, x, y, got, expected);
                }
    }
}

/* Pixels twice as wide as high: the mask of a face among square ones, half as wide. */
static void a_face_is_no_narrower_where_pixels_are_wide(void)
{
    g_auto(Net) white = linear_net(0, 1);
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, WIDTH / 2, HEIGHT, NULL);
    info.par_n = 2;
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    harness_fill(frame, 20, 90, 160, 0);
    const VideoFaceJob square = face_at(0, 77, 58, 90, -30);
    VideoFaceJob job = square;
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++)
        job.face.points[i].x = 0.5f * square.face.points[i].x - 0.25f;
    restore_one(&white, frame, &job, &plain, result);
    for (guint c = 0; c < 3; c++)
        for (guint y = 0; y < HEIGHT; y++)
            for (guint x = 0; x < WIDTH / 2; x++) {
                const double before = *harness_sample(frame, c, x, y);
                const double mask = mask_of(&square, 2 * x + 0.5, y, 0.1);
                const double got = *harness_sample(result, c, x, y);
                g_assert_cmpfloat_with_epsilon(got, before + mask * (255 - before), 1);
            }
}

/* The mask of the frame's pixels at those of the frame three times as large, whose middle pixels
 * are the frame's. */
static void a_face_is_pasted_at_the_scale_of_an_enlarged_frame(void)
{
    g_autoptr(GError) error = NULL;
    g_auto(Net) white = linear_net(0, 1);
    GstVideoInfo in = harness_info(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, NULL);
    GstVideoInfo out = harness_info(GST_VIDEO_FORMAT_RGB, 3 * WIDTH, 3 * HEIGHT, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&in, 0);
    g_autoptr(GstVideoFrame) large = harness_frame_new(&out, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&out, 0);
    harness_fill(frame, 128, 128, 128, 0);
    harness_fill(large, 20, 90, 160, 0);
    g_autoptr(VideoFrames) source = harness_upload(&frame, 1), target = harness_upload(&large, 1);
    g_autoptr(VideoFaceList) list = video_face_list_new(harness_device());
    const VideoFaceNetwork network = { white.slot, 0, 0, white.info };
    g_autoptr(VideoRestorer) restorer =
        video_restorer_new(harness_device(), &in, &out, &network, NULL, CHUNK, &error);
    g_assert_no_error(error);
    VideoFaceJob job = face_at(0, 77, 58, 60, -30);
    job.style = plain;
    video_restorer_run(restorer, harness_queue(), list, source, target, &job, 1, &error);
    g_assert_no_error(error);
    harness_download(target, 0, result);
    for (guint c = 0; c < 3; c++)
        for (guint y = 0; y < 3 * HEIGHT; y++)
            for (guint x = 0; x < 3 * WIDTH; x++) {
                const double before = *harness_sample(large, c, x, y);
                const double mask = mask_of(&job, (x - 1) / 3.0, (y - 1) / 3.0, 0.1);
                const double expected = before + mask * (255 - before);
                const double got = *harness_sample(result, c, x, y);
                if (fabs(got - expected) > 1)
                    g_error("%u at %u, %u: %g instead of %g", c, x, y, got, expected);
            }
    harness_download(source, 0, frame);
    g_assert_cmpuint(*harness_sample(frame, 0, 77, 58), ==, 128);
}

static void a_crop_is_the_face_turned_upright(void)
{
    g_autoptr(GError) error = NULL;
    g_auto(Net) same = linear_net(1, 0);
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGBA, WIDTH, HEIGHT, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    harness_fill_random(frame, 7);
    /* Reaches over the frame's left edge. */
    VideoFaceJob job = face_at(0, 20, 60, 60, 35);
    restore_one(&same, frame, &job, &plain, result);
    g_autoptr(NnArray) crop = nn_slot_read_output(same.slot, harness_queue(), 0, 1, &error);
    g_assert_no_error(error);
    double worst = 0;
    for (guint c = 0; c < 3; c++)
        for (guint v = 0; v < SIZE; v++)
            for (guint u = 0; u < SIZE; u++) {
                /* As warpAffine does: where the pixel comes from, bilinear, the edge repeated. */
                const double angle = 35 * G_PI / 180, scale = 60.0 / SIZE;
                const double du = (u + 0.5 - SIZE / 2) * scale, dv = (v + 0.5 - SIZE / 2) * scale;
                const double x = 19.5 + cos(angle) * du - sin(angle) * dv;
                const double y = 59.5 + sin(angle) * du + cos(angle) * dv;
                double sum = 0;
                for (int j = 0; j < 2; j++)
                    for (int i = 0; i < 2; i++) {
                        const double at_x = floor(x) + i, at_y = floor(y) + j;
                        sum += (1 - fabs(x - at_x)) * (1 - fabs(y - at_y)) *
                               *harness_sample(frame, c, (guint)CLAMP(at_x, 0, WIDTH - 1),
                                               (guint)CLAMP(at_y, 0, HEIGHT - 1));
                    }
                const double got = 127.5 * nn_array_get(crop, (c * SIZE + v) * SIZE + u) + 127.5;
                worst = MAX(worst, fabs(got - sum));
            }
    g_test_message("off by %.4f of 255", worst);
    g_assert_cmpfloat(worst, <, 0.02);
}

static void a_network_that_changes_nothing_changes_little(void)
{
    g_auto(Net) same = linear_net(1, 0);
    for (guint k = 0; k < G_N_ELEMENTS(formats); k++) {
        GstVideoInfo info = harness_info(formats[k], WIDTH, HEIGHT, NULL);
        g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
        g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
        fill_waves(frame, 0);
        if (GST_VIDEO_INFO_IS_YUV(&info))
            /* Within what R'G'B' can say. */
            for (guint c = 1; c < 3; c++)
                for (guint y = 0; y < (guint)GST_VIDEO_FRAME_COMP_HEIGHT(frame, c); y++)
                    for (guint x = 0; x < (guint)GST_VIDEO_FRAME_COMP_WIDTH(frame, c); x++) {
                        guint8 *sample = harness_sample(frame, c, x, y);
                        *sample = (guint8)(128 + (*sample - 128) / 8);
                    }
        VideoFaceJob jobs[] = { face_at(0, 50, 60, 70, 15), face_at(0, 110, 60, 60, -90) };
        GstVideoFrame *frames[] = { frame }, *results[] = { result };
        VideoFaceStyle style = plain;
        style.match = TRUE;
        restore(&same, frames, 1, jobs, 2, &style, results);
        const guint difference = harness_difference(frame, result);
        g_test_message("%s: %u", gst_video_format_to_string(formats[k]), difference);
        g_assert_cmpuint(difference, <=, 1);
        for (guint i = 0; i < 2; i++)
            g_assert_cmpfloat(jobs[i].similarity, >, 0.999);
    }
}

/* Where the network has fewer pixels for a face than the frame, what it makes of these is pasted,
 * and detail that it never saw stays. */
static void large_faces_keep_their_fine_detail(void)
{
    g_auto(Net) brighter = linear_net(1, 20 / 127.5f);
    for (guint k = 0; k < G_N_ELEMENTS(formats); k++) {
        GstVideoInfo info = harness_info(formats[k], 2 * WIDTH, 2 * HEIGHT, NULL);
        g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
        g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
        harness_fill(frame, 128, 128, 128, 255);
        guint32 seed = 17;
        const gboolean is_yuv = GST_VIDEO_INFO_IS_YUV(&info);
        for (guint y = 0; y < 2 * HEIGHT; y++)
            for (guint x = 0; x < 2 * WIDTH; x++) {
                const guint8 value = (guint8)(80 + harness_random(&seed) * 90);
                for (guint c = 0; c < (is_yuv ? 1 : 3); c++)
                    *harness_sample(frame, c, x, y) = value;
            }
        VideoFaceJob job = face_at(0, WIDTH, HEIGHT, 200, 10);
        restore_one(&brighter, frame, &job, &plain, result);
        const double step = is_yuv ? 20 * 219 / 255.0 : 20;
        for (guint c = 0; c < 3; c++)
            for (guint y = 0; y < (guint)GST_VIDEO_FRAME_COMP_HEIGHT(frame, c); y++)
                for (guint x = 0; x < (guint)GST_VIDEO_FRAME_COMP_WIDTH(frame, c); x++) {
                    const double mask = is_yuv && c > 0 ? 0 : mask_of(&job, x, y, 0.1);
                    const double expected = *harness_sample(frame, c, x, y) + mask * step;
                    const double got = *harness_sample(result, c, x, y);
                    if (fabs(got - expected) > 1.1)
                        g_error("%s: %u at %u, %u: %g instead of %g",
                                gst_video_format_to_string(formats[k]), c, x, y, got, expected);
                }
    }
}

/* Columns of 128 +- 40 under a face that is scaled by exactly two: interpolated at a quarter of a
 * pixel from the middle of each, +- 20 is left, and half of what was lost is given back. */
static void small_faces_get_half_of_their_detail_back(void)
{
    g_auto(Net) same = linear_net(1, 0);
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    for (guint c = 0; c < 3; c++)
        for (guint y = 0; y < HEIGHT; y++)
            for (guint x = 0; x < WIDTH; x++)
                *harness_sample(frame, c, x, y) = x % 2 ? 168 : 88;
    VideoFaceJob job = face_at(0, 80, 60, SIZE / 2, 0);
    restore_one(&same, frame, &job, &plain, result);
    for (guint c = 0; c < 3; c++)
        for (guint y = 0; y < HEIGHT; y++)
            for (guint x = 0; x < WIDTH; x++) {
                const double lost = (x % 2 ? -10 : 10) * mask_of(&job, x, y, 0.1);
                const double expected = *harness_sample(frame, c, x, y) + lost;
                const double got = *harness_sample(result, c, x, y);
                if (fabs(got - expected) > 0.6)
                    g_error("%u at %u, %u: %g instead of %g", c, x, y, got, expected);
            }
}

static void the_picture_of_a_network_may_be_larger_than_its_input(void)
{
    g_auto(Net) net = enlarging_net();
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    fill_waves(frame, 0);
    /* Two of its pixels for one of the frame, and one for one. */
    const float sides[] = { 64, 108 };
    for (guint i = 0; i < 2; i++) {
        VideoFaceJob job = face_at(0, 80, 60, sides[i], 25);
        restore_one(&net, frame, &job, &plain, result);
        const guint difference = harness_difference(frame, result);
        g_test_message("%g px: %u", sides[i], difference);
        g_assert_cmpuint(difference, <=, 2);
        g_assert_cmpfloat(job.similarity, >, 0.999);
    }
}

static void half_precision_changes_little(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_NV12, WIDTH, HEIGHT, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) whole = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) half = harness_frame_new(&info, 0);
    harness_fill_random(frame, 21);
    const NnPrecision precisions[] = { NN_PRECISION_FP32, NN_PRECISION_FP16 };
    for (guint i = 0; i < 2; i++) {
        g_auto(Net) net = linear_net_of(-0.8f, 0.1f, precisions[i]);
        const NnType type = nn_slot_input(net.slot, 0).type;
        g_assert_cmpint(type, ==, i == 0 ? NN_FLOAT32 : NN_FLOAT16);
        VideoFaceJob job = face_at(0, 70, 50, 60, 20);
        VideoFaceStyle style = plain;
        style.match = TRUE;
        restore_one(&net, frame, &job, &style, i == 0 ? whole : half);
    }
    g_assert_cmpuint(harness_difference(whole, half), <=, 1);
    g_assert_cmpuint(harness_difference(whole, frame), >, 50);
}

static void a_turned_face_is_pasted_the_way_it_was(void)
{
    g_auto(Net) halves = halves_net();
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    harness_fill(frame, 128, 128, 128, 0);
    for (int degrees = 0; degrees < 360; degrees += 45) {
        VideoFaceJob job = face_at(0, 80, 60, 60, (float)degrees);
        restore_one(&halves, frame, &job, &plain, result);
        /* 12 px from the middle towards the forehead and towards the chin. */
        const double angle = degrees * G_PI / 180;
        const int x = (int)lround(12 * sin(angle)), y = (int)lround(-12 * cos(angle));
        g_assert_cmpuint(*harness_sample(result, 0, (guint)(80 + x), (guint)(60 + y)), ==, 255);
        g_assert_cmpuint(*harness_sample(result, 0, (guint)(80 - x), (guint)(60 - y)), ==, 0);
    }
}

static void where_faces_overlap_the_stronger_mask_decides(void)
{
    g_auto(Net) white = linear_net(0, 1);
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    harness_fill(frame, 0, 60, 120, 0);
    VideoFaceStyle style = plain;
    style.blur = 0.4f;
    VideoFaceJob jobs[] = { face_at(0, 60, 60, 70, 0), face_at(0, 95, 50, 80, 25) };
    jobs[1].blend = 0.5f;
    restore(&white, (GstVideoFrame *[]){ frame }, 1, jobs, 2, &style,
            (GstVideoFrame *[]){ result });
    for (guint y = 0; y < HEIGHT; y++)
        for (guint x = 0; x < WIDTH; x++) {
            const double share =
                MAX(mask_of(&jobs[0], x, y, 0.4), 0.5 * mask_of(&jobs[1], x, y, 0.4));
            g_assert_cmpfloat(fabs(*harness_sample(result, 0, x, y) - 255 * share), <=, 1);
        }
}

/* Class 13 (hair) where the picture is light, @other where it is dark, of 19. */
static Net parting_net(guint other)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    float weights[19 * 3] = { 0 }, bias[19];
    for (guint c = 0; c < 19; c++)
        bias[c] = c == 13 || c == other ? 0 : -5;
    for (guint c = 0; c < 3; c++) {
        weights[13 * 3 + c] = 1;
        weights[other * 3 + c] = -1;
    }
    onnx_builder_input(builder, "input", NN_FLOAT32, "1,3,32,32");
    onnx_builder_floats(builder, "w", "19,3,1,1", weights);
    onnx_builder_floats(builder, "b", "19", bias);
    onnx_builder_node(builder, "Conv", "input,w,b", "output");
    onnx_builder_output(builder, "output");
    return build_net(builder, NN_PRECISION_FP32);
}

static void parts_that_are_no_face_are_not_pasted(void)
{
    g_auto(Net) halves = halves_net();
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    harness_fill(frame, 128, 128, 128, 0);
    /* Clothes are left out, the neck is not. */
    const guint others[] = { 18, 17 };
    for (guint i = 0; i < 2; i++) {
        g_auto(Net) parting = parting_net(others[i]);
        /* The crop's pixels are the frame's; its rows 31 and 32 are rows 59 and 60. The second
         * face is another sample of the same run. */
        VideoFaceJob jobs[] = { face_at(0, 40, 60, SIZE, 0), face_at(0, 120, 60, SIZE, 0) };
        restore_masked(&halves, &parting, &frame, 1, jobs, 2, &plain, &result);
        for (guint x = 40; x <= 120; x += 80) {
            g_assert_cmpuint(*harness_sample(result, 0, x, 50), ==, 255);
            g_assert_cmpuint(*harness_sample(result, 0, x, 70), ==, (i == 0 ? 128 : 0));
            /* Half a pixel from the edge a Gaussian of 1.6 px is 0.62. */
            const int edge = *harness_sample(result, 0, x, 59);
            g_assert_cmpint(ABS(edge - (i == 0 ? 207 : 255)), <=, 6);
        }
    }
}

static void many_faces_at_once_are_as_one_by_one(void)
{
    g_auto(Net) negative = linear_net(-0.5f, 0.1f);
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_NV12, WIDTH, HEIGHT, NULL);
    GstVideoFrame *frames[3], *together[3], *alone[3];
    VideoFaceJob jobs[8];
    for (guint i = 0; i < 3; i++) {
        frames[i] = harness_frame_new(&info, 0);
        together[i] = harness_frame_new(&info, 0);
        alone[i] = harness_frame_new(&info, 0);
        harness_fill_random(frames[i], i);
        gst_video_frame_copy(alone[i], frames[i]);
    }
    /* 3, 1 and 4 of them, apart from each other; chunks of three cross the frames. */
    for (guint i = 0; i < 8; i++)
        jobs[i] = face_at(i < 3   ? 0
                          : i < 4 ? 1
                                  : 2,
                          20 + 40 * (float)(i % 4), 30 + 60 * (float)(i % 2), 36, 20 * (float)i);
    restore(&negative, frames, 3, jobs, 8, &plain, together);
    for (guint i = 0; i < 8; i++) {
        VideoFaceJob job = jobs[i];
        GstVideoFrame *frame = alone[job.frame];
        job.frame = 0;
        restore_one(&negative, frame, &job, &plain, frame);
        g_assert_cmpfloat(job.similarity, ==, jobs[i].similarity);
    }
    for (guint i = 0; i < 3; i++) {
        g_assert_cmpuint(harness_difference(together[i], alone[i]), ==, 0);
        g_assert_cmpuint(harness_difference(together[i], frames[i]), >, 20);
        harness_frame_free(frames[i]);
        harness_frame_free(together[i]);
        harness_frame_free(alone[i]);
    }
}

static void a_face_that_is_no_longer_itself_stays_as_it_was(void)
{
    g_auto(Net) negative = linear_net(-1, 0);
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_I420, WIDTH, HEIGHT, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    fill_waves(frame, 1);
    VideoFaceJob job = face_at(0, 80, 60, 80, 0);
    VideoFaceStyle style = plain;
    style.least_similarity = 0;
    restore_one(&negative, frame, &job, &style, result);
    g_test_message("similarity %.3f", job.similarity);
    g_assert_cmpfloat(job.similarity, <, -0.8);
    g_assert_cmpuint(harness_difference(frame, result), ==, 0);
    restore_one(&negative, frame, &job, &plain, result);
    g_assert_cmpuint(harness_difference(frame, result), >, 50);
}

#define GUARD_FRAMES 7

/* What is left of the contrast of the middle column. */
static double contrast_of(GstVideoFrame *frame)
{
    return *harness_sample(frame, 0, 79, 60) - *harness_sample(frame, 0, 48, 60);
}

/* The more contrast a frame has, the less similar a network leaves it that takes contrast away.
 * @shares: how much of the network's picture there is in each frame's result. */
static void fade_faces(const Net *net, guint n_at_once, float least, float *similarities,
                       double *shares)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, NULL);
    VideoFaceStyle style = plain;
    style.least_similarity = least;
    for (guint first = 0; first < GUARD_FRAMES; first += n_at_once) {
        const guint n = MIN(n_at_once, GUARD_FRAMES - first);
        GstVideoFrame *frames[GUARD_FRAMES], *results[GUARD_FRAMES];
        VideoFaceJob jobs[GUARD_FRAMES];
        for (guint i = 0; i < n; i++) {
            frames[i] = harness_frame_new(&info, 0);
            results[i] = harness_frame_new(&info, 0);
            for (guint k = 0; k < 3 * WIDTH * HEIGHT; k++)
                *harness_sample(frames[i], k % 3, k / 3 % WIDTH, k / 3 / WIDTH) =
                    (guint8)lround(128 + (32 - 3.0 * (first + i)) * sin(0.1 * (k / 3 % WIDTH)));
            jobs[i] = face_at(i, 64, 60, 90, 0);
        }
        restore(net, frames, n, jobs, n, &style, results);
        for (guint i = 0; i < n; i++) {
            const double before = contrast_of(frames[i]), after = contrast_of(results[i]);
            similarities[first + i] = jobs[i].similarity;
            shares[first + i] = (before - after) / (0.7 * before);
            g_assert_true(jobs[i].restored || harness_difference(frames[i], results[i]) == 0);
            harness_frame_free(frames[i]);
            harness_frame_free(results[i]);
        }
    }
}

static void a_face_near_the_threshold_fades(void)
{
    g_auto(Net) pale = linear_net(0.3f, 0);
    float similar[GUARD_FRAMES], similar_before[GUARD_FRAMES];
    double shares[GUARD_FRAMES];
    fade_faces(&pale, GUARD_FRAMES, -1, similar, shares);
    for (guint i = 0; i < GUARD_FRAMES; i++)
        g_assert_cmpfloat_with_epsilon(shares[i], 1, 0.06);
    /* The first one is too different, the last one is not. */
    const double least = similar[GUARD_FRAMES - 1] - 0.005;
    g_assert_cmpfloat(similar[0], <, least - VIDEO_FACE_FADE);
    memcpy(similar_before, similar, sizeof similar);
    for (guint n_at_once = 1; n_at_once <= GUARD_FRAMES; n_at_once += 3) {
        guint n_between = 0;
        fade_faces(&pale, n_at_once, (float)least, similar, shares);
        for (guint i = 0; i < GUARD_FRAMES; i++) {
            const double t =
                CLAMP((similar[i] - (least - VIDEO_FACE_FADE)) / VIDEO_FACE_FADE, 0, 1);
            g_test_message("%.3f: %.3f", similar[i], shares[i]);
            g_assert_cmpfloat(similar[i], ==, similar_before[i]);
            g_assert_cmpfloat_with_epsilon(shares[i], t * t * (3 - 2 * t), 0.06);
            n_between += t > 0.1 && t < 0.9;
        }
        g_assert_cmpuint(n_between, >=, 3);
    }
}

static void colours_are_brought_back(void)
{
    g_auto(Net) pale = linear_net(0.6f, 0.25f);
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    fill_waves(frame, 2);
    VideoFaceJob job = face_at(0, 80, 60, 80, 0);
    VideoFaceStyle style = plain;
    restore_one(&pale, frame, &job, &style, result);
    const guint without = harness_difference(frame, result);
    style.match = TRUE;
    restore_one(&pale, frame, &job, &style, result);
    const guint with = harness_difference(frame, result);
    g_test_message("off by %u, with colours matched by %u", without, with);
    g_assert_cmpuint(without, >, 40);
    g_assert_cmpuint(with, <=, 2);
}

static void small_faces_are_softened(void)
{
    g_auto(Net) halves = halves_net();
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    harness_fill(frame, 128, 128, 128, 0);
    /* The crop's pixels are the frame's; its rows 31 and 32 are rows 59 and 60. */
    VideoFaceJob job = face_at(0, 80, 60, SIZE, 0);
    /* 100 of 512 are 12.5 of 64. */
    job.face.height = 12;
    restore_one(&halves, frame, &job, &plain, result);
    const guint expected[] = { 255, 191, 64, 0 };
    for (guint i = 0; i < 4; i++)
        g_assert_cmpint(ABS((int)*harness_sample(result, 1, 80, 58 + i) - (int)expected[i]), <=, 1);
    job.face.height = 13;
    restore_one(&halves, frame, &job, &plain, result);
    g_assert_cmpuint(*harness_sample(result, 1, 80, 59), ==, 255);
    g_assert_cmpuint(*harness_sample(result, 1, 80, 60), ==, 0);
}

static void faces_of_any_size_and_place_do_no_harm(void)
{
    g_auto(Net) white = linear_net(0, 1);
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_NV12, WIDTH, HEIGHT, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    /* Without detail, of which a part would stay. */
    harness_fill(frame, 90, 110, 150, 0);
    VideoFaceJob jobs[100];
    guint32 seed = 9;
    for (guint i = 0; i < G_N_ELEMENTS(jobs); i++)
        jobs[i] = face_at(0, harness_random(&seed) * 200 - 20, harness_random(&seed) * 160 - 20,
                          2 + harness_random(&seed) * 20, harness_random(&seed) * 360);
    jobs[3] = face_at(0, 40, 40, 4, 0);
    jobs[4] = face_at(0, 80, 60, 5000, 10);
    jobs[5] = face_at(0, -3000, 60, 50, 10);
    jobs[6] = face_at(0, 80, 60, 0, 0); /* all points in one place */
    jobs[4].blend = 0;
    restore(&white, (GstVideoFrame *[]){ frame }, 1, jobs, G_N_ELEMENTS(jobs), &plain,
            (GstVideoFrame *[]){ result });
    for (guint y = 0; y < HEIGHT; y++)
        for (guint x = 0; x < WIDTH; x++) {
            double share = 0;
            for (guint i = 0; i < G_N_ELEMENTS(jobs); i++)
                if (i != 6)
                    share = MAX(share, jobs[i].blend * mask_of(&jobs[i], x, y, 0.1));
            const double before = *harness_sample(frame, 0, x, y);
            const double expected = before + share * (235 - before);
            const double got = *harness_sample(result, 0, x, y);
            if (fabs(got - expected) > 1)
                g_error("at %u, %u: %g instead of %g", x, y, got, expected);
        }
}

static void without_faces_nothing_is_enqueued(void)
{
    g_auto(Net) white = linear_net(0, 1);
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_NV12, WIDTH, HEIGHT, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    harness_fill_random(frame, 11);
    restore(&white, (GstVideoFrame *[]){ frame }, 1, NULL, 0, &plain,
            (GstVideoFrame *[]){ result });
    g_assert_cmpuint(harness_difference(frame, result), ==, 0);
}

static void a_network_of_another_shape_is_refused(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    const float weights[9] = { 1 };
    onnx_builder_input(builder, "input", NN_FLOAT32, "1,3,64,48");
    onnx_builder_floats(builder, "w", "3,3,1,1", weights);
    onnx_builder_node(builder, "Conv", "input,w", "output");
    onnx_builder_output(builder, "output");
    g_auto(Net) net = build_net(builder, NN_PRECISION_FP32);
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_NV12, WIDTH, HEIGHT, NULL);
    const VideoFaceNetwork network = { net.slot, 0, 0, net.info };
    g_assert_null(
        video_restorer_new(harness_device(), &info, &info, &network, NULL, CHUNK, &error));
    g_assert_error(error, NN_ERROR, NN_ERROR_INPUT);
    g_assert_nonnull(strstr(error->message, "square"));
}

int main(int argc, char **argv)
{
    harness_init(&argc, &argv);
    harness_add("what no mask covers stays bit for bit in every format",
                what_no_mask_covers_stays_bit_for_bit_in_every_format);
    harness_add("the mask is the documented one", the_mask_is_the_documented_one);
    harness_add("a face is no narrower where pixels are wide",
                a_face_is_no_narrower_where_pixels_are_wide);
    harness_add("a face is pasted at the scale of an enlarged frame",
                a_face_is_pasted_at_the_scale_of_an_enlarged_frame);
    harness_add("a crop is the face turned upright", a_crop_is_the_face_turned_upright);
    harness_add("a network that changes nothing changes little",
                a_network_that_changes_nothing_changes_little);
    harness_add("large faces keep their fine detail", large_faces_keep_their_fine_detail);
    harness_add("small faces get half of their detail back",
                small_faces_get_half_of_their_detail_back);
    harness_add("the picture of a network may be larger than its input",
                the_picture_of_a_network_may_be_larger_than_its_input);
    harness_add("half precision changes little", half_precision_changes_little);
    harness_add("a turned face is pasted the way it was", a_turned_face_is_pasted_the_way_it_was);
    harness_add("where faces overlap the stronger mask decides",
                where_faces_overlap_the_stronger_mask_decides);
    harness_add("parts that are no face are not pasted", parts_that_are_no_face_are_not_pasted);
    harness_add("many faces at once are as one by one", many_faces_at_once_are_as_one_by_one);
    harness_add("a face that is no longer itself stays as it was",
                a_face_that_is_no_longer_itself_stays_as_it_was);
    harness_add("a face near the threshold fades", a_face_near_the_threshold_fades);
    harness_add("colours are brought back", colours_are_brought_back);
    harness_add("small faces are softened", small_faces_are_softened);
    harness_add("faces of any size and place do no harm", faces_of_any_size_and_place_do_no_harm);
    harness_add("without faces nothing is enqueued", without_faces_nothing_is_enqueued);
    harness_add("a network of another shape is refused", a_network_of_another_shape_is_refused);
    return harness_run();
}
