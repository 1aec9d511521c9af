/* totensor.c - tests of pictures as tensors, against a plain C resize in double.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#include <kernels.h>
#include <math.h>

/* ---------------------------------------------------------------- reference */

/* A picture as three planes of doubles, R'G'B' 0..255. */
typedef struct {
    guint width, height;
    double *rgb; /* [3][height][width] */
} Picture;

static Picture picture_of(const GstVideoFrame *frame)
{
    Picture picture = { (guint)GST_VIDEO_FRAME_WIDTH(frame), (guint)GST_VIDEO_FRAME_HEIGHT(frame),
                        NULL };
    picture.rgb = g_new(double, 3 * picture.width * picture.height);
    guint n = GST_VIDEO_FRAME_N_COMPONENTS(frame);
    for (guint c = 0; c < 3; c++)
        for (guint y = 0; y < picture.height; y++)
            for (guint x = 0; x < picture.width; x++)
                picture.rgb[(c * picture.height + y) * picture.width + x] =
                    *harness_sample(frame, n > 1 ? c : 0, x, y);
    return picture;
}

/* One value of one plane, tent filter, taps outside left out. */
static double tent(const double *v, guint n, guint stride, double scale, guint at)
{
    double reach = MAX(scale, 1), centre = (at + 0.5) * scale - 0.5, sum = 0, weights = 0;
    for (gint i = (gint)floor(centre - reach); i <= (gint)ceil(centre + reach); i++) {
        double weight = 1 - fabs(i - centre) / reach;
        if (weight <= 0 || i < 0 || i >= (gint)n)
            continue;
        sum += weight * v[(gsize)i * stride];
        weights += weight;
    }
    return sum / weights;
}

/* [3][height][width] at the new size. */
static double *resize(const Picture *picture, guint width, guint height)
{
    double *rows = g_new(double, 3 * height * picture->width);
    double *result = g_new(double, 3 * height * width);
    double sy = (double)picture->height / height, sx = (double)picture->width / width;
    for (guint c = 0; c < 3; c++) {
        const double *plane = picture->rgb + c * picture->height * picture->width;
        for (guint y = 0; y < height; y++)
            for (guint x = 0; x < picture->width; x++)
                rows[(c * height + y) * picture->width + x] =
                    tent(plane + x, picture->height, picture->width, sy, y);
        for (guint y = 0; y < height; y++)
            for (guint x = 0; x < width; x++)
                result[(c * height + y) * width + x] =
                    tent(rows + (c * height + y) * picture->width, picture->width, 1, sx, x);
    }
    g_free(rows);
    return result;
}

/* ---------------------------------------------------------------- running */

typedef struct {
    guint width, height;
    gboolean nhwc, half;
} Shape;

static float *to_tensor(GstVideoFrame *const *frames, guint n, const VideoModelInfo *info,
                        const Shape *shape)
{
    g_autoptr(GError) error = NULL;
    g_auto(HarnessTensor) tensor =
        harness_tensor_new(n, 3, shape->height, shape->width, shape->nhwc, shape->half);
    g_autoptr(VideoToTensor) converter =
        video_to_tensor_new(harness_device(), &frames[0]->info, info, n, &tensor.place, &error);
    g_assert_no_error(error);
    g_autoptr(VideoFrames) on_device = harness_upload(frames, n);
    video_to_tensor_run(converter, harness_queue(), on_device, n, &tensor.place, &error);
    g_assert_no_error(error);
    return harness_tensor_read(&tensor, shape->nhwc);
}

/* 0..1 in RGB, as the prisma preset has it. */
static VideoModelInfo *plain_info(void)
{
    VideoModelInfo *info = video_model_info_preset("prisma");
    info->width = info->height = 0;
    return info;
}

static void check_resize(GstVideoFormat format, guint width, guint height, const Shape *shape)
{
    GstVideoInfo info = harness_info(format, width, height, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 3);
    harness_fill_random(frame, width);
    g_autoptr(VideoModelInfo) model = plain_info();
    model->nhwc = shape->nhwc;
    g_autofree float *found = to_tensor(&frame, 1, model, shape);
    Picture picture = picture_of(frame);
    g_autofree double *expected = resize(&picture, shape->width, shape->height);
    g_free(picture.rgb);
    double worst = 0;
    for (guint i = 0; i < 3 * shape->width * shape->height; i++)
        worst = MAX(worst, fabs(found[i] * 255 - expected[i]));
    g_test_message("%s %ux%u -> %ux%u%s: %.4f", GST_VIDEO_INFO_NAME(&info), width, height,
                   shape->width, shape->height, shape->nhwc ? " NHWC" : "", worst);
    /* Positions are floats: weights are off by some 1e-5 of a pixel's step of up to 255. */
    g_assert_cmpfloat(worst, <=, shape->half ? 0.08 : 0.02);
}

static void resizing_agrees_with_a_plain_loop(void)
{
    const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_RGB, GST_VIDEO_FORMAT_BGRx,
                                       GST_VIDEO_FORMAT_ARGB, GST_VIDEO_FORMAT_GBR,
                                       GST_VIDEO_FORMAT_GRAY8 };
    const guint sizes[][2] = { { 321, 241 }, { 64, 64 }, { 640, 360 }, { 1, 1 }, { 17, 300 } };
    const Shape shapes[] = { { 64, 64, FALSE, FALSE },
                             { 33, 47, TRUE, FALSE },
                             { 160, 96, FALSE, TRUE } };
    for (guint f = 0; f < G_N_ELEMENTS(formats); f++)
        for (guint s = 0; s < G_N_ELEMENTS(sizes); s++)
            check_resize(formats[f], sizes[s][0], sizes[s][1],
                         &shapes[(f + s) % G_N_ELEMENTS(shapes)]);
}

static void the_same_size_is_a_copy(void)
{
    const Shape shape = { 50, 30, FALSE, FALSE };
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, 50, 30, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    harness_fill_random(frame, 1);
    g_autoptr(VideoModelInfo) model = plain_info();
    g_autofree float *found = to_tensor(&frame, 1, model, &shape);
    for (guint c = 0; c < 3; c++)
        for (guint i = 0; i < 50 * 30; i++)
            g_assert_cmpfloat(
                fabsf(found[c * 1500 + i] * 255 - *harness_sample(frame, c, i % 50, i / 50)), <,
                1e-3f);
}

static void channels_are_normalised_in_the_models_order(void)
{
    const Shape shape = { 16, 16, FALSE, FALSE };
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_BGRA, 40, 40, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    harness_fill(frame, 10, 100, 200, 255);
    g_autoptr(VideoModelInfo) model = plain_info();
    const float mean[] = { 1, 2, 3 }, std[] = { 2, 4, 8 };
    for (guint c = 0; c < 3; c++) {
        model->mean[c] = mean[c];
        model->std[c] = std[c];
    }
    const float rgb[] = { 10, 100, 200 };
    for (guint bgr = 0; bgr < 2; bgr++) {
        model->bgr = bgr;
        g_autofree float *found = to_tensor(&frame, 1, model, &shape);
        for (guint c = 0; c < 3; c++)
            g_assert_cmpfloat(
                fabsf(found[c * 256 + 77] - (rgb[bgr ? 2 - c : c] - mean[c]) / std[c]), <, 1e-4f);
    }
}

static void a_letterbox_keeps_the_shape_and_is_black_around(void)
{
    const Shape shape = { 64, 64, FALSE, FALSE };
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, 200, 100, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    harness_fill(frame, 255, 255, 255, 255);
    g_autoptr(VideoModelInfo) model = plain_info();
    model->fit = VIDEO_FIT_LETTERBOX;
    g_autofree float *found = to_tensor(&frame, 1, model, &shape);
    for (guint y = 0; y < 64; y++)
        for (guint x = 0; x < 64; x++)
            g_assert_cmpfloat(fabsf(found[y * 64 + x] - (y >= 16 && y < 48 ? 1 : 0)), <, 1e-5f);
}

static void the_brightest_value_of_each_frame_becomes_one(void)
{
    const Shape shape = { 32, 32, FALSE, FALSE };
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, 32, 32, NULL);
    GstVideoFrame *frames[] = { harness_frame_new(&info, 0), harness_frame_new(&info, 0),
                                harness_frame_new(&info, 0) };
    harness_fill(frames[0], 50, 25, 0, 0);
    harness_fill(frames[1], 0, 0, 0, 0);
    harness_fill(frames[2], 10, 20, 200, 0);
    g_autoptr(VideoModelInfo) model = plain_info();
    model->dynamic_range = VIDEO_SCALE_MAX;
    g_autofree float *found = to_tensor(frames, 3, model, &shape);
    const float expected[3][3] = { { 1, 0.5f, 0 }, { 0, 0, 0 }, { 0.05f, 0.1f, 1 } };
    for (guint i = 0; i < 3; i++)
        for (guint c = 0; c < 3; c++)
            g_assert_cmpfloat(fabsf(found[(i * 3 + c) * 1024 + 100] - expected[i][c]), <, 1e-5f);
    for (guint i = 0; i < 3; i++)
        harness_frame_free(frames[i]);
}

/* The mean position of brightness along x, in tensor columns. */
static double centroid(const float *plane, guint width, guint height)
{
    double sum = 0, moment = 0;
    for (guint y = 0; y < height; y++)
        for (guint x = 0; x < width; x++) {
            sum += plane[y * width + x];
            moment += plane[y * width + x] * (x + 0.5);
        }
    return moment / sum;
}

static void chroma_lies_where_the_caps_say(void)
{
    const Shape shape = { 64, 32, FALSE, FALSE };
    const struct {
        GstVideoChromaSite site;
        double offset; /* of a chroma sample's middle from the middle of its two pixels */
    } cases[] = { { GST_VIDEO_CHROMA_SITE_JPEG, 0 }, { GST_VIDEO_CHROMA_SITE_MPEG2, -0.5 } };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_NV12, 64, 32, "1:4:7:1");
        info.chroma_site = cases[i].site;
        g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
        harness_fill(frame, 0, 128, 128, 0);
        /* One red column of chroma: samples 15, pixels 30 and 31. */
        for (guint y = 0; y < 16; y++)
            *harness_sample(frame, 2, 15, y) = 228;
        g_autoptr(VideoModelInfo) model = plain_info();
        g_autofree float *found = to_tensor(&frame, 1, model, &shape);
        g_assert_cmpfloat(fabs(centroid(found, 64, 32) - (31 + cases[i].offset)), <, 0.01);
    }
}

static void yuv_and_rgb_give_the_same_tensor(void)
{
    const Shape shape = { 64, 48, FALSE, FALSE };
    const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_NV21,
                                       GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_YV12,
                                       GST_VIDEO_FORMAT_AYUV, GST_VIDEO_FORMAT_YUY2,
                                       GST_VIDEO_FORMAT_UYVY };
    GstVideoInfo rgb = harness_info(GST_VIDEO_FORMAT_RGB, 321, 241, NULL);
    g_autoptr(GstVideoFrame) picture = harness_frame_new(&rgb, 0);
    for (guint c = 0; c < 3; c++)
        for (guint y = 0; y < 241; y++)
            for (guint x = 0; x < 321; x++)
                *harness_sample(picture, c, x, y) =
                    (guint8)(120 + 60 * sin(x * 0.03 + c) + 50 * cos(y * 0.05 - c));
    g_autoptr(VideoModelInfo) model = plain_info();
    g_autofree float *expected = to_tensor(&picture, 1, model, &shape);
    for (guint f = 0; f < G_N_ELEMENTS(formats); f++) {
        GstVideoInfo info = harness_info(formats[f], 321, 241, "2:3:5:1");
        info.chroma_site = GST_VIDEO_CHROMA_SITE_JPEG;
        g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
        harness_convert(picture, frame);
        g_autofree float *found = to_tensor(&frame, 1, model, &shape);
        double worst = 0;
        for (guint i = 0; i < 3 * 64 * 48; i++)
            worst = MAX(worst, 255 * fabs(found[i] - expected[i]));
        g_test_message("%s: %.3f", GST_VIDEO_INFO_NAME(&info), worst);
        g_assert_cmpfloat(worst, <=, 3);
    }
}

static void a_frame_never_depends_on_its_neighbours(void)
{
    enum { N = 3 };
    const Shape shape = { 48, 32, FALSE, FALSE };
    const gsize sample = 3 * 48 * 32;
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_NV12, 131, 77, NULL);
    GstVideoFrame *frames[N];
    for (guint i = 0; i < N; i++) {
        frames[i] = harness_frame_new(&info, 0);
        harness_fill_random(frames[i], i);
    }
    g_autoptr(VideoModelInfo) model = plain_info();
    model->dynamic_range = VIDEO_SCALE_MAX;
    g_autofree float *together = to_tensor(frames, N, model, &shape);
    for (guint i = 0; i < N; i++) {
        g_autofree float *alone = to_tensor(&frames[i], 1, model, &shape);
        g_assert_cmpmem(alone, sample * sizeof(float), together + i * sample,
                        sample * sizeof(float));
        harness_frame_free(frames[i]);
    }
}

static void a_tensor_of_other_channels_is_an_error(void)
{
    g_autoptr(GError) error = NULL;
    g_auto(HarnessTensor) tensor = harness_tensor_new(1, 4, 32, 32, FALSE, FALSE);
    g_autoptr(VideoModelInfo) model = plain_info();
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, 32, 32, NULL);
    g_assert_null(video_to_tensor_new(harness_device(), &info, model, 1, &tensor.place, &error));
    g_assert_error(error, NN_ERROR, NN_ERROR_INPUT);
}

/* ---------------------------------------------------------------- shapes */

static VideoMap map_of(int rank, const gint64 *dims, gboolean nhwc)
{
    g_autoptr(GError) error = NULL;
    NnPlace place = { .type = NN_FLOAT32, .rank = rank };
    gint64 stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        place.dims[i] = dims[i];
        place.strides[i] = stride;
        stride *= dims[i];
    }
    VideoMap map;
    video_place_map(&place, nhwc, &map, &error);
    g_assert_no_error(error);
    return map;
}

static void outputs_of_any_rank_are_pictures(void)
{
    const struct {
        int rank;
        gint64 dims[5];
        gboolean nhwc;
        gint32 c, h, w, sc, sw;
    } cases[] = {
        { 4, { 1, 3, 20, 30 }, FALSE, 3, 20, 30, 600, 1 },
        { 4, { 1, 20, 30, 3 }, TRUE, 3, 20, 30, 1, 3 },
        /* Named otherwise, but only one reading makes sense. */
        { 4, { 1, 20, 30, 1 }, FALSE, 1, 20, 30, 1, 1 },
        { 4, { 1, 2, 20, 30 }, TRUE, 2, 20, 30, 600, 1 },
        { 3, { 1, 20, 30 }, FALSE, 1, 20, 30, 600, 1 },
        { 2, { 20, 30 }, FALSE, 1, 20, 30, 0, 1 },
        { 5, { 1, 1, 1, 20, 30 }, FALSE, 1, 20, 30, 600, 1 },
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        VideoMap map = map_of(cases[i].rank, cases[i].dims, cases[i].nhwc);
        g_assert_cmpint(map.c, ==, cases[i].c);
        g_assert_cmpint(map.h, ==, cases[i].h);
        g_assert_cmpint(map.w, ==, cases[i].w);
        g_assert_cmpint(map.sc, ==, cases[i].sc);
        g_assert_cmpint(map.sw, ==, cases[i].sw);
    }
}

static void what_is_no_picture_is_an_error(void)
{
    const NnPlace places[] = {
        { .type = NN_FLOAT32, .rank = 1, .dims = { 30 } },
        { .type = NN_FLOAT32, .rank = 4, .dims = { 2, 3, 20, 30 } },
        { .type = NN_INT64, .rank = 4, .dims = { 1, 3, 20, 30 } },
    };
    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autoptr(GError) error = NULL;
        VideoMap map;
        g_assert_false(video_place_map(&places[i], FALSE, &map, &error));
        g_assert_error(error, NN_ERROR, NN_ERROR_INPUT);
    }
}

int main(int argc, char **argv)
{
    harness_init(&argc, &argv);
    harness_add("resizing agrees with a plain loop", resizing_agrees_with_a_plain_loop);
    harness_add("the same size is a copy", the_same_size_is_a_copy);
    harness_add("channels are normalised in the model's order",
                channels_are_normalised_in_the_models_order);
    harness_add("a letterbox keeps the shape and is black around",
                a_letterbox_keeps_the_shape_and_is_black_around);
    harness_add("the brightest value of each frame becomes one",
                the_brightest_value_of_each_frame_becomes_one);
    harness_add("chroma lies where the caps say", chroma_lies_where_the_caps_say);
    harness_add("YUV and RGB give the same tensor", yuv_and_rgb_give_the_same_tensor);
    harness_add("a frame never depends on its neighbours", a_frame_never_depends_on_its_neighbours);
    harness_add("a tensor of other channels is an error", a_tensor_of_other_channels_is_an_error);
    harness_add("outputs of any rank are pictures", outputs_of_any_rank_are_pictures);
    harness_add("what is no picture is an error", what_is_no_picture_is_an_error);
    return harness_run();
}
