/* compose.c - tests of the last step: alpha, backgrounds, edges, colour.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#include <math.h>
#include <string.h>

/* How the matte of a test is made. */
typedef struct {
    guint width, height;
    VideoFit fit;
    VideoMatte kind;
    gboolean half;
} Matte;

static VideoModelInfo *matte_info(const Matte *matte)
{
    VideoModelInfo *info = video_model_info_preset("modnet");
    info->fit = matte->fit;
    info->matte = matte->kind;
    return info;
}

/* Composes @n frames with mattes [n][height][width] into frames of @out. */
static void compose(GstVideoFrame *const *frames, guint n, const Matte *matte, const float *values,
                    const VideoMatteControls *controls, GstVideoFrame *image,
                    GstVideoFrame *const *results)
{
    g_autoptr(GError) error = NULL;
    const GstVideoInfo *in = &frames[0]->info, *out = &results[0]->info;
    g_autoptr(VideoModelInfo) info = matte_info(matte);
    g_auto(HarnessTensor) tensor =
        harness_tensor_new(n, 1, matte->height, matte->width, FALSE, matte->half);
    harness_tensor_write(&tensor, FALSE, values);
    g_autoptr(VideoCompose) composer =
        video_compose_new(harness_device(), in, out, info, n, &tensor.place, NULL, &error);
    g_assert_no_error(error);
    if (image) {
        video_compose_set_image(composer, harness_queue(), image, &error);
        g_assert_no_error(error);
    }
    g_autoptr(VideoFrames) sources = harness_upload(frames, n);
    g_autoptr(VideoFrames) targets = video_frames_new(harness_device(), out, n, FALSE, &error);
    g_assert_no_error(error);
    video_compose_run(composer, harness_queue(), sources, targets, n, &tensor.place, NULL, controls,
                      &error);
    g_assert_no_error(error);
    for (guint i = 0; i < n; i++)
        harness_download(targets, i, results[i]);
}

static float *constant_matte(const Matte *matte, float value)
{
    float *values = g_new(float, matte->width * matte->height);
    for (guint i = 0; i < matte->width * matte->height; i++)
        values[i] = value;
    return values;
}

/* Composes one frame with a matte of one value over a colour or nothing. */
static void compose_constant(GstVideoFrame *frame, float value, VideoBackground background,
                             guint32 color, GstVideoFrame *result)
{
    const Matte matte = { .width = 40, .height = 24 };
    g_autofree float *values = constant_matte(&matte, value);
    VideoMatteControls controls = harness_controls(background);
    controls.background_color = color;
    compose(&frame, 1, &matte, values, &controls, NULL, &result);
}

/* ---------------------------------------------------------------- colour */

static const GstVideoFormat yuv_formats[] = { GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_I420,
                                              GST_VIDEO_FORMAT_AYUV, GST_VIDEO_FORMAT_YUY2 };
static const char *const colorimetries[] = { "2:4:7:1", "2:3:5:1", "2:6:0:0",
                                             "1:4:7:1", "1:3:5:1", "1:6:0:0" };

/* Columns of one colour, 16 pixels wide, so that the way chroma is resampled does not show. */
static void fill_columns(GstVideoFrame *frame, guint32 seed)
{
    guint8 colors[3][64];
    const gboolean limited = frame->info.colorimetry.range == GST_VIDEO_COLOR_RANGE_16_235;
    for (guint i = 0; i < 64; i++)
        for (guint c = 0; c < 3; c++)
            colors[c][i] =
                (guint8)(harness_random(&seed) * (limited ? 219 : 255)) + (limited ? 16 : 0);
    for (guint c = 0; c < (guint)GST_VIDEO_FRAME_N_COMPONENTS(frame); c++)
        for (guint y = 0; y < (guint)GST_VIDEO_FRAME_COMP_HEIGHT(frame, c); y++)
            for (guint x = 0; x < (guint)GST_VIDEO_FRAME_COMP_WIDTH(frame, c); x++) {
                guint halved = GST_VIDEO_FORMAT_INFO_W_SUB(frame->info.finfo, c);
                *harness_sample(frame, c, x, y) = c < 3 ? colors[c][(x << halved) / 16 % 64] : 255;
            }
}

/* The greatest difference in the middles of the columns. */
static guint middle_difference(const GstVideoFrame *a, const GstVideoFrame *b)
{
    guint greatest = 0;
    for (guint c = 0; c < 3; c++) {
        guint halved = GST_VIDEO_FORMAT_INFO_W_SUB(a->info.finfo, c);
        for (guint y = 0; y < (guint)GST_VIDEO_FRAME_COMP_HEIGHT(a, c); y++)
            for (guint x = 8 >> halved; x < (guint)GST_VIDEO_FRAME_COMP_WIDTH(a, c);
                 x += 16 >> halved)
                greatest = MAX(greatest, (guint)ABS(*harness_sample(a, c, x, y) -
                                                    *harness_sample(b, c, x, y)));
    }
    return greatest;
}

static void check_conversion(const GstVideoInfo *in, const GstVideoInfo *out)
{
    g_autoptr(GstVideoFrame) frame = harness_frame_new(in, 0);
    g_autoptr(GstVideoFrame) expected = harness_frame_new(out, 0);
    g_autoptr(GstVideoFrame) found = harness_frame_new(out, 0);
    fill_columns(frame, 7);
    harness_convert(frame, expected);
    compose_constant(frame, 1, VIDEO_BACKGROUND_KEEP, 0, found);
    guint difference = middle_difference(expected, found);
    g_test_message("%s %s -> %s %s: %u", GST_VIDEO_INFO_NAME(in),
                   gst_video_colorimetry_to_string(&in->colorimetry), GST_VIDEO_INFO_NAME(out),
                   gst_video_colorimetry_to_string(&out->colorimetry), difference);
    /* The converter's own 16-bit arithmetic is off by up to 1.6 (measured with 1.22): 128 becomes
     * 128 * 257, its offset 128 * 256; then it cuts 16 bits to 8. What is exact is told by the
     * test after this one. */
    g_assert_cmpuint(difference, <=, 3);
}

static void colour_agrees_with_gstreamer(void)
{
    GstVideoInfo rgb = harness_info(GST_VIDEO_FORMAT_RGBA, 512, 8, NULL);
    for (guint f = 0; f < G_N_ELEMENTS(yuv_formats); f++)
        for (guint c = 0; c < G_N_ELEMENTS(colorimetries); c++) {
            GstVideoInfo yuv = harness_info(yuv_formats[f], 512, 8, colorimetries[c]);
            check_conversion(&yuv, &rgb);
            check_conversion(&rgb, &yuv);
        }
}

/* The textbook: R'G'B' 0..255 of a stored colour, by the luma coefficients of its matrix. */
static void exact_rgb(const GstVideoInfo *info, const guint8 yuv[3], double rgb[3])
{
    double kr, kb;
    g_assert_true(gst_video_color_matrix_get_Kr_Kb(info->colorimetry.matrix, &kr, &kb));
    gboolean limited = info->colorimetry.range == GST_VIDEO_COLOR_RANGE_16_235;
    double y = limited ? (yuv[0] - 16) / 219.0 : yuv[0] / 255.0;
    double u = (yuv[1] - 128) / (limited ? 224.0 : 255.0);
    double v = (yuv[2] - 128) / (limited ? 224.0 : 255.0);
    rgb[0] = 255 * (y + 2 * (1 - kr) * v);
    rgb[2] = 255 * (y + 2 * (1 - kb) * u);
    rgb[1] = (255 * y - kr * rgb[0] - kb * rgb[2]) / (1 - kr - kb);
}

static void colour_is_exact(void)
{
    for (guint k = 0; k < G_N_ELEMENTS(colorimetries); k++) {
        GstVideoInfo in = harness_info(GST_VIDEO_FORMAT_I420, 512, 8, colorimetries[k]);
        GstVideoInfo out = harness_info(GST_VIDEO_FORMAT_RGB, 512, 8, NULL);
        g_autoptr(GstVideoFrame) frame = harness_frame_new(&in, 0);
        g_autoptr(GstVideoFrame) result = harness_frame_new(&out, 0);
        fill_columns(frame, 17);
        compose_constant(frame, 1, VIDEO_BACKGROUND_KEEP, 0, result);
        for (guint x = 8; x < 512; x += 16) {
            const guint8 yuv[] = { *harness_sample(frame, 0, x, 4),
                                   *harness_sample(frame, 1, x / 2, 2),
                                   *harness_sample(frame, 2, x / 2, 2) };
            double rgb[3];
            exact_rgb(&in, yuv, rgb);
            for (guint c = 0; c < 3; c++)
                g_assert_cmpfloat(fabs(*harness_sample(result, c, x, 4) - CLAMP(rgb[c], 0, 255)),
                                  <=, 0.501);
        }
    }
}

/* ---------------------------------------------------------------- alpha */

static void alpha_is_rounded_and_colour_kept(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGBx, 33, 17, NULL);
    GstVideoInfo out = harness_info(GST_VIDEO_FORMAT_RGBA, 33, 17, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&out, 0);
    harness_fill_random(frame, 1);
    for (guint i = 0; i <= 20; i++) {
        float value = (float)i / 20 + 0.0001f;
        compose_constant(frame, value, VIDEO_BACKGROUND_TRANSPARENT, 0, result);
        g_assert_cmpuint(harness_difference(frame, result), ==, 0);
        g_assert_cmpuint(*harness_sample(result, 3, 32, 16), ==,
                         (guint)lround(255 * MIN(value, 1.0f)));
    }
}

static void yuv_bytes_pass_untouched_into_formats_with_alpha(void)
{
    const GstVideoFormat pairs[][2] = {
        { GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_A420 },
        { GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_A420 },
        { GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_AV12 },
        { GST_VIDEO_FORMAT_YV12, GST_VIDEO_FORMAT_A420 },
        { GST_VIDEO_FORMAT_Y444, GST_VIDEO_FORMAT_AYUV },
    };
    for (guint i = 0; i < G_N_ELEMENTS(pairs); i++) {
        GstVideoInfo in = harness_info(pairs[i][0], 321, 241, "2:3:5:1");
        GstVideoInfo out = harness_info(pairs[i][1], 321, 241, "2:3:5:1");
        g_autoptr(GstVideoFrame) frame = harness_frame_new(&in, 0);
        g_autoptr(GstVideoFrame) result = harness_frame_new(&out, 4);
        harness_fill_random(frame, i);
        compose_constant(frame, 0.5f, VIDEO_BACKGROUND_TRANSPARENT, 0, result);
        g_assert_cmpuint(harness_difference(frame, result), ==, 0);
        g_assert_cmpuint(*harness_sample(result, 3, 320, 240), ==, 128);
    }
}

static void the_matte_alone_is_gray(void)
{
    GstVideoInfo in = harness_info(GST_VIDEO_FORMAT_NV12, 40, 24, NULL);
    GstVideoInfo out = harness_info(GST_VIDEO_FORMAT_GRAY8, 40, 24, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&in, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&out, 0);
    harness_fill_random(frame, 2);
    const Matte matte = { .width = 40, .height = 24 };
    g_autofree float *values = g_new(float, 40 * 24);
    for (guint i = 0; i < 40 * 24; i++)
        values[i] = (float)i / 959;
    VideoMatteControls controls = harness_controls(VIDEO_BACKGROUND_TRANSPARENT);
    compose(&frame, 1, &matte, values, &controls, NULL, &result);
    for (guint i = 0; i < 40 * 24; i++)
        g_assert_cmpuint(*harness_sample(result, 0, i % 40, i / 40), ==,
                         (guint)floorf(255 * values[i] + 0.5f));
}

static void a_colour_is_mixed_in_behind(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, 37, 9, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    harness_fill_random(frame, 3);
    compose_constant(frame, 0.25f, VIDEO_BACKGROUND_COLOR, 0xFF204080, result);
    const guint8 color[] = { 0x20, 0x40, 0x80 };
    for (guint c = 0; c < 3; c++)
        for (guint x = 0; x < 37; x++)
            g_assert_cmpuint(
                ABS(*harness_sample(result, c, x, 4) -
                    (int)lround(0.25 * *harness_sample(frame, c, x, 4) + 0.75 * color[c])),
                <=, 1);
    compose_constant(frame, 1, VIDEO_BACKGROUND_COLOR, 0xFF204080, result);
    g_assert_cmpuint(harness_difference(frame, result), ==, 0);
}

static void a_translucent_colour_gives_straight_alpha(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGBA, 16, 2, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    harness_fill(frame, 200, 100, 0, 255);
    compose_constant(frame, 0.5f, VIDEO_BACKGROUND_COLOR, 0x80000000, result);
    double cover = 0.5 * 128 / 255, alpha = 0.5 + cover;
    g_assert_cmpuint(*harness_sample(result, 3, 3, 1), ==, (guint)lround(255 * alpha));
    g_assert_cmpuint(*harness_sample(result, 0, 3, 1), ==, (guint)lround(200 * 0.5 / alpha));
}

static void alpha_of_the_frame_is_respected(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_BGRA, 16, 2, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    harness_fill(frame, 200, 100, 0, 100);
    compose_constant(frame, 0.5f, VIDEO_BACKGROUND_TRANSPARENT, 0, result);
    g_assert_cmpuint(*harness_sample(result, 3, 3, 1), ==, 50);
}

/* ---------------------------------------------------------------- matte */

static guint8 gray_of(const Matte *matte, const float *values, const VideoMatteControls *controls,
                      guint width, guint height, guint x, guint y)
{
    GstVideoInfo in = harness_info(GST_VIDEO_FORMAT_RGB, width, height, NULL);
    GstVideoInfo out = harness_info(GST_VIDEO_FORMAT_GRAY8, width, height, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&in, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&out, 0);
    compose(&frame, 1, matte, values, controls, NULL, &result);
    return *harness_sample(result, 0, x, y);
}

static void a_picture_without_contrast_is_not_divided_by_zero(void)
{
    const Matte matte = { .width = 32, .height = 32, .kind = VIDEO_MATTE_MINMAX };
    VideoMatteControls controls = harness_controls(VIDEO_BACKGROUND_TRANSPARENT);
    g_autofree float *values = constant_matte(&matte, 0.25f);
    g_assert_cmpuint(gray_of(&matte, values, &controls, 50, 40, 7, 7), ==, 64);
    for (guint i = 0; i < 32 * 32; i++)
        values[i] = i < 512 ? 0.25f : 0.5f;
    g_assert_cmpuint(gray_of(&matte, values, &controls, 50, 40, 7, 0), ==, 0);
    g_assert_cmpuint(gray_of(&matte, values, &controls, 50, 40, 7, 39), ==, 255);
}

static void logits_become_alpha(void)
{
    Matte matte = { .width = 32, .height = 32, .kind = VIDEO_MATTE_SIGMOID, .half = TRUE };
    VideoMatteControls controls = harness_controls(VIDEO_BACKGROUND_TRANSPARENT);
    g_autofree float *values = constant_matte(&matte, -1);
    g_assert_cmpuint(gray_of(&matte, values, &controls, 64, 64, 5, 5), ==,
                     (guint)lround(255 / (1 + exp(1))));
}

static void thresholds_and_gamma_bend_alpha(void)
{
    const Matte matte = { .width = 16, .height = 16 };
    VideoMatteControls controls = harness_controls(VIDEO_BACKGROUND_TRANSPARENT);
    controls.alpha_low = 0.2f;
    controls.alpha_high = 0.8f;
    g_autofree float *values = constant_matte(&matte, 0.2f);
    g_assert_cmpuint(gray_of(&matte, values, &controls, 16, 16, 5, 5), ==, 0);
    values = (g_free(values), constant_matte(&matte, 0.8f));
    g_assert_cmpuint(gray_of(&matte, values, &controls, 16, 16, 5, 5), ==, 255);
    values = (g_free(values), constant_matte(&matte, 0.35f));
    g_assert_cmpuint(gray_of(&matte, values, &controls, 16, 16, 5, 5), ==, 64);
    /* sqrt(0.1) is between two grays, not on their border: devices' pow() may be off by 16 ulp. */
    values = (g_free(values), constant_matte(&matte, 0.26f));
    controls.gamma = 2;
    g_assert_cmpuint(gray_of(&matte, values, &controls, 16, 16, 5, 5), ==, 81);
}

/* A matte that is 1 right of @edge. */
static float *half_matte(const Matte *matte, guint edge)
{
    float *values = g_new(float, matte->width * matte->height);
    for (guint i = 0; i < matte->width * matte->height; i++)
        values[i] = i % matte->width >= edge;
    return values;
}

static void erosion_and_feather_move_the_edge_as_told(void)
{
    const Matte matte = { .width = 64, .height = 32 };
    g_autofree float *values = half_matte(&matte, 32);
    VideoMatteControls controls = harness_controls(VIDEO_BACKGROUND_TRANSPARENT);
    controls.erode = 5;
    g_assert_cmpuint(gray_of(&matte, values, &controls, 64, 32, 36, 9), ==, 0);
    g_assert_cmpuint(gray_of(&matte, values, &controls, 64, 32, 37, 9), ==, 255);
    controls.erode = -5;
    g_assert_cmpuint(gray_of(&matte, values, &controls, 64, 32, 27, 9), ==, 255);
    g_assert_cmpuint(gray_of(&matte, values, &controls, 64, 32, 26, 9), ==, 0);
    controls.erode = 0;
    controls.feather = 4;
    g_assert_cmpuint(gray_of(&matte, values, &controls, 64, 32, 27, 9), ==, 0);
    g_assert_cmpuint(gray_of(&matte, values, &controls, 64, 32, 28, 9), ==, 10);
    g_assert_cmpuint(gray_of(&matte, values, &controls, 64, 32, 36, 9), ==, 255);
    controls.feather = -4;
    g_assert_cmpuint(gray_of(&matte, values, &controls, 64, 32, 31, 9), ==, 0);
    g_assert_cmpuint(gray_of(&matte, values, &controls, 64, 32, 32, 9), ==, 10);
    g_assert_cmpuint(gray_of(&matte, values, &controls, 64, 32, 40, 9), ==, 255);
}

/* Where alpha crosses one half between pixel centres along row @y. */
static double crossing(const GstVideoFrame *gray, guint y)
{
    for (guint x = 1; x < (guint)GST_VIDEO_FRAME_WIDTH(gray); x++) {
        double a = *harness_sample(gray, 0, x - 1, y), b = *harness_sample(gray, 0, x, y);
        if (a < 127.5 && b >= 127.5)
            return x - 0.5 + (127.5 - a) / (b - a);
    }
    return -1;
}

/* A matte with an edge at tensor column @edge comes back at the same place of the picture. */
static void check_edge(VideoFit fit, guint width, guint height, guint tensor_width,
                       guint tensor_height, double picture_edge)
{
    const Matte matte = { .width = tensor_width, .height = tensor_height, .fit = fit };
    guint drawn_width =
        fit == VIDEO_FIT_LETTERBOX
            ? (guint)lround(MIN(tensor_width, (double)width * tensor_height / height))
            : tensor_width;
    guint left = (tensor_width - drawn_width) / 2;
    double edge = left + picture_edge * drawn_width / width;
    g_autofree float *values = g_new(float, tensor_width *tensor_height);
    for (guint i = 0; i < tensor_width * tensor_height; i++)
        /* What covers the pixel from the edge on: an exact edge, antialiased. */
        values[i] = (float)CLAMP(i % tensor_width + 1 - edge, 0, 1);
    GstVideoInfo in = harness_info(GST_VIDEO_FORMAT_RGB, width, height, NULL);
    GstVideoInfo out = harness_info(GST_VIDEO_FORMAT_GRAY8, width, height, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&in, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&out, 0);
    VideoMatteControls controls = harness_controls(VIDEO_BACKGROUND_TRANSPARENT);
    compose(&frame, 1, &matte, values, &controls, NULL, &result);
    double found = crossing(result, height / 2);
    double pixel = (double)width / drawn_width;
    g_test_message("fit %d, %ux%u in %ux%u: edge at %.2f, found at %.2f", fit, width, height,
                   tensor_width, tensor_height, picture_edge, found);
    /* Linear interpolation of an antialiased edge is off by up to an eighth of a tensor pixel. */
    g_assert_cmpfloat(fabs(found - picture_edge), <=, 0.13 * MAX(pixel, 1) + 0.01);
}

static void a_matte_comes_back_where_it_was(void)
{
    check_edge(VIDEO_FIT_STRETCH, 640, 360, 320, 320, 200);
    check_edge(VIDEO_FIT_STRETCH, 1280, 720, 256, 144, 333.3);
    check_edge(VIDEO_FIT_LETTERBOX, 321, 481, 256, 256, 100.7);
    check_edge(VIDEO_FIT_LETTERBOX, 640, 360, 256, 256, 500);
    check_edge(VIDEO_FIT_NATIVE, 640, 360, 640, 352, 123);
    check_edge(VIDEO_FIT_STRETCH, 160, 120, 512, 512, 80.25);
}

/* How far row @y is from a sharp edge at @edge, in pixels that are wrong. */
static double wrong_pixels(const GstVideoFrame *gray, guint y, guint edge)
{
    double sum = 0;
    for (guint x = 0; x < (guint)GST_VIDEO_FRAME_WIDTH(gray); x++)
        sum += fabs(*harness_sample(gray, 0, x, y) / 255.0 - (x >= edge));
    return sum;
}

static void refinement_moves_the_edge_to_the_pictures(void)
{
    const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_RGB };
    const Matte matte = { .width = 128, .height = 72 };
    g_autofree float *values = g_new(float, 128 * 72);
    /* The matte's edge is soft, three of its pixels wide, and 4 of the picture's off. */
    for (guint i = 0; i < 128 * 72; i++)
        values[i] = CLAMP((i % 128 + 0.5f - 63.5f) / 3, 0, 1);
    for (guint f = 0; f < G_N_ELEMENTS(formats); f++) {
        GstVideoInfo in = harness_info(formats[f], 640, 360, NULL);
        GstVideoInfo out = harness_info(GST_VIDEO_FORMAT_GRAY8, 640, 360, NULL);
        g_autoptr(GstVideoFrame) frame = harness_frame_new(&in, 0);
        g_autoptr(GstVideoFrame) soft = harness_frame_new(&out, 0);
        g_autoptr(GstVideoFrame) sharp = harness_frame_new(&out, 0);
        harness_fill(frame, 40, GST_VIDEO_INFO_IS_RGB(&in) ? 40 : 128, 128, 0);
        for (guint y = 0; y < 360; y++)
            for (guint x = 321; x < 640; x++)
                *harness_sample(frame, 0, x, y) = 220;
        VideoMatteControls controls = harness_controls(VIDEO_BACKGROUND_TRANSPARENT);
        compose(&frame, 1, &matte, values, &controls, NULL, &soft);
        controls.refine = TRUE;
        compose(&frame, 1, &matte, values, &controls, NULL, &sharp);
        double before = wrong_pixels(soft, 180, 321), after = wrong_pixels(sharp, 180, 321);
        g_test_message("%s: %.2f pixels wrong, refined %.2f; edge at %.2f, refined %.2f",
                       GST_VIDEO_INFO_NAME(&in), before, after, crossing(soft, 180),
                       crossing(sharp, 180));
        g_assert_cmpfloat(after, <, 0.8 * before);
        g_assert_cmpfloat(fabs(crossing(sharp, 180) - 321), <=, 1);
        g_assert_cmpuint(*harness_sample(sharp, 0, 10, 180), ==, 0);
        g_assert_cmpuint(*harness_sample(sharp, 0, 630, 180), ==, 255);
    }
}

static void refinement_of_an_even_matte_changes_nothing(void)
{
    const Matte matte = { .width = 64, .height = 64, .fit = VIDEO_FIT_LETTERBOX };
    GstVideoInfo in = harness_info(GST_VIDEO_FORMAT_YUY2, 321, 241, NULL);
    GstVideoInfo out = harness_info(GST_VIDEO_FORMAT_GRAY8, 321, 241, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&in, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&out, 0);
    harness_fill_random(frame, 3);
    g_autofree float *values = constant_matte(&matte, 0.5f);
    VideoMatteControls controls = harness_controls(VIDEO_BACKGROUND_TRANSPARENT);
    controls.refine = TRUE;
    compose(&frame, 1, &matte, values, &controls, NULL, &result);
    for (guint y = 0; y < 241; y++)
        for (guint x = 0; x < 321; x++)
            g_assert_cmpint(ABS(*harness_sample(result, 0, x, y) - 128), <=, 1);
}

/* ---------------------------------------------------------------- foreground */

/* A red thing before a blue wall, with an edge that is soft over twelve columns. */
static void an_estimated_foreground_has_nothing_of_what_was_behind(void)
{
    enum { WIDTH = 128, HEIGHT = 800, EDGE = 58, SOFT = 12 };
    const guint8 front[] = { 200, 60, 40 }, behind[] = { 20, 90, 220 };
    const Matte matte = { .width = WIDTH, .height = HEIGHT };
    GstVideoInfo in = harness_info(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, NULL);
    GstVideoInfo out = harness_info(GST_VIDEO_FORMAT_RGBA, WIDTH, HEIGHT, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&in, 0);
    g_autoptr(GstVideoFrame) mixed = harness_frame_new(&out, 0);
    g_autoptr(GstVideoFrame) own = harness_frame_new(&out, 0);
    g_autofree float *values = g_new(float, WIDTH *HEIGHT);
    for (guint i = 0; i < WIDTH * HEIGHT; i++) {
        const float alpha = CLAMP(((float)(i % WIDTH) - EDGE) / SOFT, 0, 1);
        values[i] = alpha;
        for (guint c = 0; c < 3; c++)
            *harness_sample(frame, c, i % WIDTH, i / WIDTH) =
                (guint8)lrintf(alpha * front[c] + (1 - alpha) * behind[c]);
    }
    VideoMatteControls controls = harness_controls(VIDEO_BACKGROUND_TRANSPARENT);
    compose(&frame, 1, &matte, values, &controls, NULL, &mixed);
    controls.foreground = VIDEO_FOREGROUND_ESTIMATED;
    compose(&frame, 1, &matte, values, &controls, NULL, &own);
    g_assert_cmpuint(harness_difference_of(mixed, own, 3), ==, 0);
    g_assert_cmpuint(*harness_sample(mixed, 2, EDGE + SOFT / 2, 50), ==, 130);
    for (guint x = 0; x < WIDTH; x++)
        for (guint c = 0; c < 3; c++) {
            const guint8 found = *harness_sample(own, c, x, 50);
            if (x <= EDGE || x >= EDGE + SOFT)
                g_assert_cmpuint(found, ==, *harness_sample(frame, c, x, 50));
            else
                g_assert_cmpint(ABS(found - front[c]), <=, 36);
        }
    g_assert_cmpint(ABS(*harness_sample(own, 2, EDGE + SOFT / 2, 50) - front[2]), <=, 24);
}

/* ---------------------------------------------------------------- backgrounds */

static void a_blurred_background_holds_nothing_of_the_foreground(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGBA, 320, 180, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    /* White on the right, a plain colour behind it. */
    harness_fill(frame, 20, 60, 100, 255);
    for (guint y = 0; y < 180; y++)
        for (guint x = 160; x < 320; x++)
            for (guint c = 0; c < 3; c++)
                *harness_sample(frame, c, x, y) = 255;
    const Matte matte = { .width = 320, .height = 180 };
    g_autofree float *values = half_matte(&matte, 160);
    VideoMatteControls controls = harness_controls(VIDEO_BACKGROUND_BLUR);
    controls.blur_radius = 0.2f;
    compose(&frame, 1, &matte, values, &controls, NULL, &result);
    const guint8 color[] = { 20, 60, 100 };
    for (guint c = 0; c < 3; c++)
        for (guint y = 0; y < 180; y += 7)
            for (guint x = 0; x < 160; x++)
                g_assert_cmpint(ABS(*harness_sample(result, c, x, y) - color[c]), <=, 1);
    for (guint x = 160; x < 320; x++)
        g_assert_cmpuint(*harness_sample(result, 0, x, 90), ==, 255);
}

static void a_blur_blurs(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_NV12, 320, 180, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    for (guint y = 0; y < 180; y++)
        for (guint x = 0; x < 320; x++)
            *harness_sample(frame, 0, x, y) = x / 8 % 2 ? 200 : 40;
    for (guint c = 1; c < 3; c++)
        for (guint y = 0; y < 90; y++)
            for (guint x = 0; x < 160; x++)
                *harness_sample(frame, c, x, y) = 128;
    const Matte matte = { .width = 32, .height = 18 };
    g_autofree float *values = constant_matte(&matte, 0);
    VideoMatteControls controls = harness_controls(VIDEO_BACKGROUND_BLUR);
    controls.blur_radius = 0.3f;
    compose(&frame, 1, &matte, values, &controls, NULL, &result);
    for (guint x = 100; x < 200; x++)
        g_assert_cmpint(ABS(*harness_sample(result, 0, x, 90) - 120), <=, 4);
    g_assert_cmpint(ABS(*harness_sample(result, 1, 80, 45) - 128), <=, 1);
}

static void an_image_covers_the_background(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, 64, 32, NULL);
    GstVideoInfo picture = harness_info(GST_VIDEO_FORMAT_RGBA, 40, 40, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) image = harness_frame_new(&picture, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    harness_fill(frame, 0, 0, 0, 0);
    /* A square covers 2:1 with its middle half: rows 10 to 30 are seen. */
    for (guint y = 0; y < 40; y++)
        for (guint x = 0; x < 40; x++) {
            *harness_sample(image, 0, x, y) = y < 10 || y >= 30 ? 255 : 50;
            *harness_sample(image, 1, x, y) = x < 20 ? 100 : 200;
            *harness_sample(image, 2, x, y) = 7;
        }
    const Matte matte = { .width = 16, .height = 16 };
    g_autofree float *values = constant_matte(&matte, 0);
    VideoMatteControls controls = harness_controls(VIDEO_BACKGROUND_IMAGE);
    compose(&frame, 1, &matte, values, &controls, image, &result);
    g_assert_cmpuint(*harness_sample(result, 0, 30, 1), ==, 50);
    g_assert_cmpuint(*harness_sample(result, 0, 30, 30), ==, 50);
    g_assert_cmpuint(*harness_sample(result, 1, 2, 15), ==, 100);
    g_assert_cmpuint(*harness_sample(result, 1, 62, 15), ==, 200);
    g_assert_cmpuint(*harness_sample(result, 2, 40, 15), ==, 7);
}

static void without_an_image_the_colour_shows(void)
{
    GstVideoInfo info = harness_info(GST_VIDEO_FORMAT_RGB, 16, 16, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 0);
    g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
    harness_fill_random(frame, 1);
    compose_constant(frame, 0, VIDEO_BACKGROUND_IMAGE, 0xFF112233, result);
    g_assert_cmpuint(*harness_sample(result, 1, 3, 3), ==, 0x22);
}

/* ---------------------------------------------------------------- sizes */

static void keeping_the_background_keeps_every_byte(void)
{
    const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_RGB,  GST_VIDEO_FORMAT_NV12,
                                       GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_I420,
                                       GST_VIDEO_FORMAT_xBGR, GST_VIDEO_FORMAT_Y444,
                                       GST_VIDEO_FORMAT_ARGB, GST_VIDEO_FORMAT_A420 };
    for (guint f = 0; f < G_N_ELEMENTS(formats); f++) {
        GstVideoInfo info = harness_info(formats[f], 321, 241, NULL);
        g_autoptr(GstVideoFrame) frame = harness_frame_new(&info, 8);
        g_autoptr(GstVideoFrame) result = harness_frame_new(&info, 0);
        harness_fill_random(frame, f);
        compose_constant(frame, 0.3f, VIDEO_BACKGROUND_KEEP, 0, result);
        g_assert_cmpuint(harness_difference(frame, result), ==, 0);
    }
}

/* Everything at once on pictures smaller than any vector: what is opaque stays as it is. */
static void the_smallest_pictures_work(void)
{
    const guint sizes[][2] = { { 1, 1 }, { 2, 1 }, { 1, 3 }, { 5, 2 }, { 17, 3 } };
    const GstVideoFormat formats[][2] = { { GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_NV12 },
                                          { GST_VIDEO_FORMAT_RGB, GST_VIDEO_FORMAT_A420 } };
    for (guint s = 0; s < G_N_ELEMENTS(sizes); s++)
        for (guint f = 0; f < G_N_ELEMENTS(formats); f++) {
            GstVideoInfo in = harness_info(formats[f][0], sizes[s][0], sizes[s][1], NULL);
            GstVideoInfo out = harness_info(formats[f][1], sizes[s][0], sizes[s][1], NULL);
            g_autoptr(GstVideoFrame) frame = harness_frame_new(&in, 0);
            g_autoptr(GstVideoFrame) plain = harness_frame_new(&out, 0);
            g_autoptr(GstVideoFrame) result = harness_frame_new(&out, 0);
            harness_fill(frame, 90, 120, 150, 0);
            const Matte matte = { .width = 33, .height = 31, .fit = VIDEO_FIT_LETTERBOX };
            g_autofree float *values = constant_matte(&matte, 1);
            VideoMatteControls controls = harness_controls(VIDEO_BACKGROUND_KEEP);
            compose(&frame, 1, &matte, values, &controls, NULL, &plain);
            controls.background = VIDEO_BACKGROUND_BLUR;
            controls.blur_radius = 1;
            controls.erode = -3;
            controls.feather = 20;
            controls.refine = TRUE;
            controls.foreground = VIDEO_FOREGROUND_ESTIMATED;
            compose(&frame, 1, &matte, values, &controls, NULL, &result);
            g_assert_cmpuint(harness_difference(plain, result), <=, 1);
        }
}

/* ---------------------------------------------------------------- batches */

static void a_frame_never_depends_on_its_neighbours(void)
{
    enum { N = 4 };
    GstVideoInfo in = harness_info(GST_VIDEO_FORMAT_NV12, 131, 77, NULL);
    GstVideoInfo out = harness_info(GST_VIDEO_FORMAT_RGBA, 131, 77, NULL);
    const Matte matte = { .width = 48, .height = 32, .kind = VIDEO_MATTE_MINMAX };
    GstVideoFrame *frames[N], *together[N];
    VideoMatteControls controls[N];
    g_autofree float *values = g_new(float, N * 48 * 32);
    guint32 seed = 9;
    for (guint i = 0; i < N * 48 * 32; i++)
        values[i] = harness_random(&seed);
    for (guint i = 0; i < N; i++) {
        frames[i] = harness_frame_new(&in, 0);
        together[i] = harness_frame_new(&out, 0);
        harness_fill_random(frames[i], i);
        controls[i] = harness_controls(i == 1 ? VIDEO_BACKGROUND_BLUR : VIDEO_BACKGROUND_COLOR);
        controls[i].erode = i == 2 ? 3 : 0;
        controls[i].feather = i == 3 ? 6 : 0;
        controls[i].gamma = i == 0 ? 1.7f : 1;
        controls[i].blur_radius = 0.1f;
        controls[i].refine = i == 3;
        controls[i].foreground = i == 0 ? VIDEO_FOREGROUND_ESTIMATED : VIDEO_FOREGROUND_FRAME;
    }
    compose(frames, N, &matte, values, controls, NULL, together);
    for (guint i = 0; i < N; i++) {
        g_autoptr(GstVideoFrame) alone = harness_frame_new(&out, 0);
        compose(&frames[i], 1, &matte, values + i * 48 * 32, &controls[i], NULL, &alone);
        g_assert_cmpuint(harness_difference(alone, together[i]), ==, 0);
    }
    for (guint i = 0; i < N; i++) {
        harness_frame_free(frames[i]);
        harness_frame_free(together[i]);
    }
}

/* The rest of the formats, against the same in RGBA. */
static void every_output_shows_the_same_picture(void)
{
    const GstVideoFormat outputs[] = {
        GST_VIDEO_FORMAT_BGRA, GST_VIDEO_FORMAT_ARGB, GST_VIDEO_FORMAT_ABGR, GST_VIDEO_FORMAT_RGB,
        GST_VIDEO_FORMAT_BGR,  GST_VIDEO_FORMAT_xRGB, GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_AYUV,
        GST_VIDEO_FORMAT_A420, GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_NV21, GST_VIDEO_FORMAT_I420,
        GST_VIDEO_FORMAT_YV12, GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_UYVY, GST_VIDEO_FORMAT_AV12,
    };
    GstVideoInfo in = harness_info(GST_VIDEO_FORMAT_RGB, 512, 9, NULL);
    GstVideoInfo rgba = harness_info(GST_VIDEO_FORMAT_RGBA, 512, 9, NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&in, 0);
    g_autoptr(GstVideoFrame) reference = harness_frame_new(&rgba, 0);
    fill_columns(frame, 11);
    compose_constant(frame, 0.5f, VIDEO_BACKGROUND_COLOR, 0xFF336699, reference);
    for (guint i = 0; i < G_N_ELEMENTS(outputs); i++) {
        GstVideoInfo out = harness_info(outputs[i], 512, 9, NULL);
        g_autoptr(GstVideoFrame) expected = harness_frame_new(&out, 0);
        g_autoptr(GstVideoFrame) found = harness_frame_new(&out, 0);
        harness_convert(reference, expected);
        compose_constant(frame, 0.5f, VIDEO_BACKGROUND_COLOR, 0xFF336699, found);
        guint difference = middle_difference(expected, found);
        g_test_message("%s: %u", GST_VIDEO_INFO_NAME(&out), difference);
        g_assert_cmpuint(difference, <=, 1);
    }
}

int main(int argc, char **argv)
{
    harness_init(&argc, &argv);
    harness_add("colour agrees with GStreamer", colour_agrees_with_gstreamer);
    harness_add("colour is exact", colour_is_exact);
    harness_add("alpha is rounded and colour kept", alpha_is_rounded_and_colour_kept);
    harness_add("YUV bytes pass untouched into formats with alpha",
                yuv_bytes_pass_untouched_into_formats_with_alpha);
    harness_add("the matte alone is gray", the_matte_alone_is_gray);
    harness_add("a colour is mixed in behind", a_colour_is_mixed_in_behind);
    harness_add("a translucent colour gives straight alpha",
                a_translucent_colour_gives_straight_alpha);
    harness_add("alpha of the frame is respected", alpha_of_the_frame_is_respected);
    harness_add("a picture without contrast is not divided by zero",
                a_picture_without_contrast_is_not_divided_by_zero);
    harness_add("logits become alpha", logits_become_alpha);
    harness_add("thresholds and gamma bend alpha", thresholds_and_gamma_bend_alpha);
    harness_add("erosion and feather move the edge as told",
                erosion_and_feather_move_the_edge_as_told);
    harness_add("a matte comes back where it was", a_matte_comes_back_where_it_was);
    harness_add("refinement moves the edge to the picture's",
                refinement_moves_the_edge_to_the_pictures);
    harness_add("an estimated foreground has nothing of what was behind",
                an_estimated_foreground_has_nothing_of_what_was_behind);
    harness_add("refinement of an even matte changes nothing",
                refinement_of_an_even_matte_changes_nothing);
    harness_add("a blurred background holds nothing of the foreground",
                a_blurred_background_holds_nothing_of_the_foreground);
    harness_add("a blur blurs", a_blur_blurs);
    harness_add("an image covers the background", an_image_covers_the_background);
    harness_add("without an image the colour shows", without_an_image_the_colour_shows);
    harness_add("keeping the background keeps every byte", keeping_the_background_keeps_every_byte);
    harness_add("the smallest pictures work", the_smallest_pictures_work);
    harness_add("a frame never depends on its neighbours", a_frame_never_depends_on_its_neighbours);
    harness_add("every output shows the same picture", every_output_shows_the_same_picture);
    return harness_run();
}
