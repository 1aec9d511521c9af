/* tiles.c - tests of frames that go through a network piece by piece.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "net.h"

#include <math.h>
#include <string.h>
#include <tiles.h>

#define WIDTH 75
#define HEIGHT 46

static const GstVideoFormat formats[] = {
    GST_VIDEO_FORMAT_RGB,  GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_NV12,
    GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_YUY2, GST_VIDEO_FORMAT_Y444,
};

/* ---------------------------------------------------------------- networks */

static Net build_net(OnnxBuilder *builder, guint max_samples)
{
    return net_new(builder, "real-esrgan", max_samples, NN_PRECISION_FP32);
}

static void add_input(OnnxBuilder *builder, guint width, guint height)
{
    g_autofree char *shape = g_strdup_printf("1,3,%u,%u", height, width);
    onnx_builder_input(builder, "input", NN_FLOAT32, shape);
}

/* Twice as large; each pixel depends on the 5 x 5 around it and nothing else. The weights add up to
 * about one, so that colours stay in 0..1. */
static Net sharpener(guint width, guint height, guint max_samples)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    g_autofree float *first = g_new0(float, 6 * 3 * 9);
    g_autofree float *second = g_new0(float, 12 * 6 * 9);
    guint32 seed = 4;
    for (guint i = 0; i < 6 * 3 * 9; i++)
        first[i] = (i / 27 % 3 == i / 9 % 3 ? 0.1f : 0) + 0.05f * (harness_random(&seed) - 0.5f);
    for (guint i = 0; i < 12 * 6 * 9; i++)
        second[i] = (i / 216 == i / 9 % 3 ? 0.06f : 0) + 0.05f * (harness_random(&seed) - 0.5f);
    add_input(builder, width, height);
    onnx_builder_floats(builder, "a", "6,3,3,3", first);
    onnx_builder_floats(builder, "b", "12,6,3,3", second);
    onnx_node_ints(onnx_builder_node(builder, "Conv", "input,a", "x"), "pads", "1,1,1,1");
    onnx_builder_node(builder, "Relu", "x", "y");
    onnx_node_ints(onnx_builder_node(builder, "Conv", "y,b", "z"), "pads", "1,1,1,1");
    Onnx__NodeProto *shuffle = onnx_builder_node(builder, "DepthToSpace", "z", "output");
    onnx_node_int(shuffle, "blocksize", 2);
    onnx_node_string(shuffle, "mode", "CRD");
    onnx_builder_output(builder, "output");
    return build_net(builder, max_samples);
}

/* White, but black where a pixel is less than @edge from the tile's edge. */
static Net framer(guint side, guint edge)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    g_autofree float *picture = g_new0(float, 3 * side * side);
    const float zero[9] = { 0 };
    for (guint i = 0; i < 3 * side * side; i++) {
        const guint x = i % side, y = i / side % side;
        picture[i] = MIN(MIN(x, y), MIN(side - 1 - x, side - 1 - y)) >= edge;
    }
    g_autofree char *shape = g_strdup_printf("1,3,%u,%u", side, side);
    add_input(builder, side, side);
    onnx_builder_floats(builder, "w", "3,3,1,1", zero);
    onnx_builder_floats(builder, "frame", shape, picture);
    onnx_builder_node(builder, "Conv", "input,w", "nothing");
    onnx_builder_node(builder, "Add", "nothing,frame", "output");
    onnx_builder_output(builder, "output");
    return build_net(builder, 1);
}

/* Every pixel becomes the mean of the tile. */
static Net averager(guint side)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    const float zero[9] = { 0 };
    add_input(builder, side, side);
    onnx_builder_floats(builder, "w", "3,3,1,1", zero);
    onnx_builder_node(builder, "Conv", "input,w", "nothing");
    onnx_builder_node(builder, "GlobalAveragePool", "input", "mean");
    onnx_builder_node(builder, "Add", "nothing,mean", "output");
    onnx_builder_output(builder, "output");
    return build_net(builder, 1);
}

/* ---------------------------------------------------------------- running */

/* @shares: (nullable): all of the network's picture. */
static void enlarge_in_part(const Net *net, GstVideoFrame *const *frames, guint n_frames,
                            guint factor, guint overlap, guint max_samples, const float *shares,
                            GstVideoFrame *const *results)
{
    g_autoptr(GError) error = NULL;
    const GstVideoInfo *in = &frames[0]->info, *out = &results[0]->info;
    const VideoFaceNetwork network = { net->slot, 0, 0, net->info };
    g_autoptr(VideoFrames) source = harness_upload(frames, n_frames);
    g_autoptr(VideoFrames) target =
        video_frames_new(harness_device(), out, n_frames, FALSE, &error);
    g_assert_no_error(error);
    g_autoptr(VideoTiles) tiles =
        video_tiles_new(harness_device(), in, out, &network, factor, overlap, max_samples, &error);
    g_assert_no_error(error);
    video_tiles_run(tiles, harness_queue(), source, target, n_frames, shares, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < n_frames; i++)
        harness_download(target, i, results[i]);
}

static void enlarge(const Net *net, GstVideoFrame *const *frames, guint n_frames, guint factor,
                    guint overlap, guint max_samples, GstVideoFrame *const *results)
{
    enlarge_in_part(net, frames, n_frames, factor, overlap, max_samples, NULL, results);
}

static GstVideoFrame *picture(GstVideoFormat format, guint factor, guint32 seed)
{
    GstVideoInfo info = harness_info(format, factor * WIDTH, factor * HEIGHT, NULL);
    GstVideoFrame *frame = harness_frame_new(&info, 0);
    if (seed)
        harness_fill_random(frame, seed);
    return frame;
}

/* ---------------------------------------------------------------- tests */

static void tiles_cover_the_frame_and_overlap_as_much_as_asked(void)
{
    guint32 seed = 1;
    for (guint i = 0; i < 20000; i++) {
        const guint length = 1 + (guint)(harness_random(&seed) * 900);
        const guint most = 16 + (guint)(harness_random(&seed) * 300);
        const guint overlap = (guint)(harness_random(&seed) * 90);
        const guint side = video_span_side(length, most, overlap, 8);
        const VideoSpan span = video_span(length, side, overlap);
        g_assert_cmpuint(side % 8, ==, 0);
        g_assert_cmpuint(side, <=, most);
        g_assert_cmpint(span.n, <=, video_span(length, most / 8 * 8, overlap).n);
        g_assert_cmpfloat(span.fade, ==, MIN(overlap, side / 4) / 2.0);
        if (length <= side)
            g_assert_cmpint(span.n, ==, 1);
        for (gint k = 1; k < span.n; k++) {
            const gint before = (k - 1) * (span.length - span.side) / (span.n - 1);
            const gint start = k * (span.length - span.side) / (span.n - 1);
            g_assert_cmpint(before + span.side - start, >=, MIN(overlap, side / 4));
            /* Two fades do not meet: the middles of what is shared are further apart. */
            if (span.n > 2)
                g_assert_cmpfloat((double)(span.length - span.side) / (span.n - 1), >, span.fade);
        }
    }
}

/* What the whole frame at once gives is the yardstick. */
static void tiles_of_a_network_that_sees_little_are_as_the_whole(void)
{
    g_auto(Net) whole = sharpener(WIDTH, HEIGHT, 1), small = sharpener(32, 24, 3);
    for (guint k = 0; k < G_N_ELEMENTS(formats); k++) {
        g_autoptr(GstVideoFrame) frame = picture(formats[k], 1, 3 + k);
        g_autoptr(GstVideoFrame) expected = picture(formats[k], 2, 0);
        g_autoptr(GstVideoFrame) result = picture(formats[k], 2, 0);
        enlarge(&whole, &frame, 1, 2, 0, 1, &expected);
        enlarge(&small, &frame, 1, 2, 8, 3, &result);
        const guint difference = harness_difference(expected, result);
        g_test_message("%s: %u", gst_video_format_to_string(formats[k]), difference);
        g_assert_cmpuint(difference, <=, 1);
        /* It is a picture, and not a flat one. */
        guint8 least = 255, most = 0;
        for (guint x = 0; x < 2 * WIDTH; x++) {
            least = MIN(least, *harness_sample(result, 0, x, HEIGHT));
            most = MAX(most, *harness_sample(result, 0, x, HEIGHT));
        }
        g_assert_cmpuint(most, >, least + 40u);
    }
}

static void without_overlap_seams_would_be_seen(void)
{
    g_auto(Net) whole = sharpener(WIDTH, HEIGHT, 1), small = sharpener(32, 24, 3);
    g_autoptr(GstVideoFrame) frame = picture(GST_VIDEO_FORMAT_RGB, 1, 3);
    g_autoptr(GstVideoFrame) expected = picture(GST_VIDEO_FORMAT_RGB, 2, 0);
    g_autoptr(GstVideoFrame) result = picture(GST_VIDEO_FORMAT_RGB, 2, 0);
    enlarge(&whole, &frame, 1, 2, 0, 1, &expected);
    enlarge(&small, &frame, 1, 2, 0, 3, &result);
    g_assert_cmpuint(harness_difference(expected, result), >, 1);
}

static void what_is_near_a_tiles_edge_is_not_used(void)
{
    g_auto(Net) net = framer(32, 2); /* a quarter of an overlap of 8 */
    g_autoptr(GstVideoFrame) frame = picture(GST_VIDEO_FORMAT_RGB, 1, 3);
    g_autoptr(GstVideoFrame) result = picture(GST_VIDEO_FORMAT_RGB, 1, 0);
    enlarge(&net, &frame, 1, 1, 8, 1, &result);
    for (guint y = 0; y < HEIGHT; y++)
        for (guint x = 0; x < WIDTH; x++) {
            const guint edge = MIN(MIN(x, y), MIN(WIDTH - 1 - x, HEIGHT - 1 - y));
            g_assert_cmpuint(*harness_sample(result, 1, x, y), ==, (edge < 2 ? 0 : 255));
        }
}

static void tiles_that_differ_fade_into_each_other(void)
{
    g_auto(Net) net = averager(32);
    g_autoptr(GstVideoFrame) frame = picture(GST_VIDEO_FORMAT_RGB, 1, 3);
    g_autoptr(GstVideoFrame) result = picture(GST_VIDEO_FORMAT_RGB, 1, 0);
    harness_fill(frame, 0, 0, 0, 0);
    for (guint y = 0; y < HEIGHT; y++)
        for (guint x = 40; x < WIDTH; x++)
            *harness_sample(frame, 0, x, y) = 255;
    enlarge(&net, &frame, 1, 1, 8, 1, &result);
    gint largest = 0;
    for (guint y = 1; y < HEIGHT; y++)
        for (guint x = 1; x < WIDTH; x++) {
            const gint here = *harness_sample(result, 0, x, y);
            largest = MAX(largest, ABS(here - *harness_sample(result, 0, x - 1, y)));
            largest = MAX(largest, ABS(here - *harness_sample(result, 0, x, y - 1)));
        }
    /* From black to white over four pixels. */
    g_test_message("steps of up to %d", largest);
    g_assert_cmpint(largest, <=, 65);
    g_assert_cmpint(*harness_sample(result, 0, 0, 20), ==, 0);
    g_assert_cmpint(*harness_sample(result, 0, WIDTH - 1, 20), ==, 255);
}

static void frames_at_once_are_as_one_by_one(void)
{
    /* Six tiles a frame; eight are three runs of three and a rest, twelve are two frames. */
    const guint samples[] = { 1, 3, 8, 12, 32 };
    GstVideoFrame *frames[3], *alone[3], *together[3];
    for (guint i = 0; i < 3; i++) {
        frames[i] = picture(GST_VIDEO_FORMAT_NV12, 1, 5 + i);
        alone[i] = picture(GST_VIDEO_FORMAT_NV12, 2, 0);
        together[i] = picture(GST_VIDEO_FORMAT_NV12, 2, 0);
    }
    for (guint k = 0; k < G_N_ELEMENTS(samples); k++) {
        g_auto(Net) net = sharpener(32, 24, samples[k]);
        for (guint i = 0; i < 3 && k == 0; i++)
            enlarge(&net, frames + i, 1, 2, 8, samples[k], alone + i);
        enlarge(&net, frames, 3, 2, 8, samples[k], together);
        for (guint i = 0; i < 3; i++)
            g_assert_cmpuint(harness_difference(together[i], alone[i]), ==, 0);
    }
    g_assert_cmpuint(harness_difference(alone[0], alone[1]), >, 20);
    for (guint i = 0; i < 3; i++) {
        harness_frame_free(frames[i]);
        harness_frame_free(alone[i]);
        harness_frame_free(together[i]);
    }
}

static void a_frame_smaller_than_a_tile_is_one(void)
{
    g_auto(Net) whole = sharpener(WIDTH, HEIGHT, 1), large = sharpener(96, 96, 1);
    g_autoptr(GstVideoFrame) frame = picture(GST_VIDEO_FORMAT_RGB, 1, 9);
    g_autoptr(GstVideoFrame) expected = picture(GST_VIDEO_FORMAT_RGB, 2, 0);
    g_autoptr(GstVideoFrame) result = picture(GST_VIDEO_FORMAT_RGB, 2, 0);
    enlarge(&whole, &frame, 1, 2, 0, 1, &expected);
    enlarge(&large, &frame, 1, 2, 8, 1, &result);
    /* At the right and the bottom the frame goes on instead of ending. */
    for (guint y = 0; y < 2 * HEIGHT - 4; y++)
        for (guint x = 0; x < 2 * WIDTH - 4; x++)
            g_assert_cmpint(
                ABS(*harness_sample(result, 0, x, y) - *harness_sample(expected, 0, x, y)), <=, 1);
}

/* Frame 0 is the frame, bit for bit, 1 is half of either, 2 is the network's picture. */
static void the_networks_picture_is_mixed_with_the_frame(void)
{
    g_auto(Net) white = framer(32, 0);
    const float shares[] = { 0, 0.5f, 1 };
    for (guint k = 0; k < G_N_ELEMENTS(formats); k++) {
        GstVideoFrame *frames[3], *results[3];
        for (guint i = 0; i < 3; i++) {
            frames[i] = picture(formats[k], 1, 20 + i);
            results[i] = picture(formats[k], 1, 0);
        }
        enlarge_in_part(&white, frames, 3, 1, 8, 1, shares, results);
        g_assert_cmpuint(harness_difference(frames[0], results[0]), ==, 0);
        for (guint c = 0; c < 3; c++)
            for (guint y = 0; y < (guint)GST_VIDEO_FRAME_COMP_HEIGHT(frames[1], c); y++)
                for (guint x = 0; x < (guint)GST_VIDEO_FRAME_COMP_WIDTH(frames[1], c); x++) {
                    const double all = *harness_sample(results[2], c, x, y);
                    const double half = 0.5 * (*harness_sample(frames[1], c, x, y) + all);
                    g_assert_cmpfloat_with_epsilon(*harness_sample(results[1], c, x, y), half, 1);
                }
        for (guint i = 0; i < 3; i++) {
            harness_frame_free(frames[i]);
            harness_frame_free(results[i]);
        }
    }
}

static void alpha_grows_with_the_frame(void)
{
    const GstVideoFormat with_alpha[] = { GST_VIDEO_FORMAT_RGBA, GST_VIDEO_FORMAT_ARGB };
    g_auto(Net) net = sharpener(32, 24, 1);
    for (guint k = 0; k < 2; k++) {
        g_autoptr(GstVideoFrame) frame = picture(with_alpha[k], 1, 9);
        g_autoptr(GstVideoFrame) result = picture(with_alpha[k], 2, 0);
        for (guint y = 0; y < HEIGHT; y++)
            for (guint x = 0; x < WIDTH; x++)
                *harness_sample(frame, 3, x, y) = (guint8)(2 * x + y);
        enlarge(&net, &frame, 1, 2, 8, 1, &result);
        for (guint y = 1; y < 2 * HEIGHT - 1; y++)
            for (guint x = 1; x < 2 * WIDTH - 1; x++) {
                const double expected = 2 * (x / 2.0 - 0.25) + y / 2.0 - 0.25;
                g_assert_cmpfloat(fabs(*harness_sample(result, 3, x, y) - expected), <=, 0.51);
            }
    }
}

static void padding_is_opaque(void)
{
    g_auto(Net) net = sharpener(32, 24, 1);
    g_autoptr(GstVideoFrame) frame = picture(GST_VIDEO_FORMAT_xBGR, 1, 9);
    g_autoptr(GstVideoFrame) result = picture(GST_VIDEO_FORMAT_xBGR, 2, 0);
    enlarge(&net, &frame, 1, 2, 8, 1, &result);
    const guint8 *pixels = GST_VIDEO_FRAME_PLANE_DATA(result, 0);
    for (guint y = 0; y < 2 * HEIGHT; y++)
        for (guint x = 0; x < 2 * WIDTH; x++)
            g_assert_cmpuint(pixels[y * GST_VIDEO_FRAME_PLANE_STRIDE(result, 0) + 4 * x], ==, 255);
}

static void a_network_of_another_factor_is_refused(void)
{
    g_autoptr(GError) error = NULL;
    g_auto(Net) net = sharpener(32, 24, 1);
    const VideoFaceNetwork network = { net.slot, 0, 0, net.info };
    const GstVideoInfo in = harness_info(GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, NULL);
    const GstVideoInfo out = harness_info(GST_VIDEO_FORMAT_RGB, 4 * WIDTH, 4 * HEIGHT, NULL);
    g_assert_null(video_tiles_new(harness_device(), &in, &out, &network, 4, 8, 1, &error));
    g_assert_error(error, NN_ERROR, NN_ERROR_INPUT);
    g_assert_nonnull(strstr(error->message, "4 times"));
}

int main(int argc, char **argv)
{
    harness_init(&argc, &argv);
    harness_add("tiles cover the frame and overlap as much as asked",
                tiles_cover_the_frame_and_overlap_as_much_as_asked);
    harness_add("tiles of a network that sees little are as the whole",
                tiles_of_a_network_that_sees_little_are_as_the_whole);
    harness_add("without overlap seams would be seen", without_overlap_seams_would_be_seen);
    harness_add("what is near a tile's edge is not used", what_is_near_a_tiles_edge_is_not_used);
    harness_add("tiles that differ fade into each other", tiles_that_differ_fade_into_each_other);
    harness_add("frames at once are as one by one", frames_at_once_are_as_one_by_one);
    harness_add("a frame smaller than a tile is one", a_frame_smaller_than_a_tile_is_one);
    harness_add("the network's picture is mixed with the frame",
                the_networks_picture_is_mixed_with_the_frame);
    harness_add("alpha grows with the frame", alpha_grows_with_the_frame);
    harness_add("padding is opaque", padding_is_opaque);
    harness_add("a network of another factor is refused", a_network_of_another_factor_is_refused);
    return harness_run();
}
