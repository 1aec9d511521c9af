/* test-fuse-heads.c - narrow convolutions of the same map become one.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "passes.h"

/* A convolution of @in with @channels outputs, and one of each of those by itself with pads @pads.
 */
static void add_head(OnnxBuilder *builder, const char *in, const char *channels, const char *pads,
                     const char *out)
{
    g_autofree char *first = g_strconcat("first_", out, NULL);
    g_autofree char *second = g_strconcat("second_", out, NULL);
    g_autofree char *bias = g_strconcat("bias_", out, NULL);
    g_autofree char *dims[] = { g_strconcat(channels, ",4,1,1", NULL),
                                g_strconcat(channels, ",1,3,3", NULL) };
    g_autofree char *products = g_strconcat(in, ",", first, NULL);
    g_autofree char *windows = g_strconcat("products_", out, ",", second, ",", bias, NULL);
    g_autofree char *between = g_strconcat("products_", out, NULL);
    onnx_builder_floats(builder, first, dims[0], NULL);
    onnx_builder_floats(builder, second, dims[1], NULL);
    onnx_builder_floats(builder, bias, channels, NULL);
    onnx_builder_node(builder, "Conv", products, between);
    Onnx__NodeProto *node = onnx_builder_node(builder, "Conv", windows, out);
    onnx_node_int(node, "group", g_ascii_strtoll(channels, NULL, 10));
    onnx_node_ints(node, "pads", pads);
}

/* As in YuNet: each goes its way, channels last, and scores through a sigmoid. */
static OnnxBuilder *detector(const char *pads)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_node(builder, "Relu", "x", "map");
    add_head(builder, "map", "1", "1,1,1,1", "scores");
    add_head(builder, "map", "4", pads, "boxes");
    onnx_builder_ints(builder, "rows", "1,-1,4");
    onnx_node_ints(onnx_builder_node(builder, "Transpose", "boxes", "turned"), "perm", "0,2,3,1");
    onnx_builder_node(builder, "Reshape", "turned,rows", "flat");
    onnx_builder_output(builder, "flat");
    onnx_node_ints(onnx_builder_node(builder, "Transpose", "scores", "last"), "perm", "0,2,3,1");
    onnx_builder_node(builder, "Sigmoid", "last", "z");
    return builder;
}

static void convolutions_of_one_map_that_leave_the_network_are_one(void)
{
    g_autoptr(NnGraph) graph = assert_becomes(
        detector("1,1,1,1"), "Relu Conv Conv Slice Transpose Reshape Slice Transpose");
    const NnNode *last = node_of(graph, 2);
    g_assert_cmpint(nn_node_output(last, 0)->dims[1], ==, 5);
    g_assert_cmpint(nn_node_int(last, "group", 1), ==, 5);
    g_assert_cmpint(last->activation.type, ==, NN_ACT_SOME_SIGMOID);
}

static void convolutions_of_other_windows_stay(void)
{
    assert_stays(detector("2,1,0,1"), "Relu Conv Conv Conv Conv Transpose Reshape Transpose");
}

/* @type: what is done with both results. */
static OnnxBuilder *two_results(const char *type, const char *channels)
{
    OnnxBuilder *builder = test_model(13);
    g_autofree char *dims = g_strconcat(channels, ",4,3,3", NULL);
    onnx_builder_node(builder, "Abs", "x", "map");
    onnx_builder_floats(builder, "w0", dims, NULL);
    onnx_builder_floats(builder, "w1", dims, NULL);
    onnx_builder_node(builder, "Conv", "map,w0", "a");
    onnx_builder_node(builder, "Conv", "map,w1", "b");
    onnx_builder_node(builder, type, "a", "y");
    onnx_builder_node(builder, type, "b", "z");
    onnx_builder_output(builder, "y");
    return builder;
}

static void alike_activations_stay_what_they_are(void)
{
    g_autoptr(NnGraph) graph = assert_becomes(two_results("Relu", "31"), "Abs Conv Slice Slice");
    g_assert_cmpint(node_of(graph, 1)->activation.type, ==, NN_ACT_RELU);
}

static void convolutions_that_fill_vectors_stay(void)
{
    assert_stays(two_results("Relu", "32"), "Abs Conv Conv");
}

static void convolutions_that_are_computed_with_stay(void)
{
    assert_stays(two_results("Softplus", "3"), "Abs Conv Conv Softplus Softplus");
}

/* A convolution of x with 7 channels, of which 1 to 3 go through a sigmoid; 4 to 6 become @rest. */
static OnnxBuilder *sliced_sigmoid(const char *rest)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_floats(builder, "w", "7,4,3,3", NULL);
    onnx_builder_ints(builder, "from", "1");
    onnx_builder_ints(builder, "middle", "4");
    onnx_builder_ints(builder, "end", "7");
    onnx_builder_ints(builder, "axis", "1");
    onnx_builder_ints(builder, "flat", "1,-1");
    onnx_builder_node(builder, "Conv", "x,w", "map");
    onnx_builder_node(builder, "Slice", "map,from,middle,axis", "scores");
    onnx_builder_node(builder, "Slice", "map,middle,end,axis", rest);
    onnx_builder_node(builder, "Reshape", "scores,flat", "moved");
    onnx_builder_node(builder, "Sigmoid", "moved", "z");
    onnx_builder_output(builder, "y");
    return builder;
}

static void a_sigmoid_of_a_slice_goes_into_the_convolution(void)
{
    g_autoptr(NnGraph) graph = assert_becomes(sliced_sigmoid("y"), "Conv Slice Slice Reshape");
    const NnNode *conv = node_of(graph, 0);
    g_assert_cmpint(conv->activation.type, ==, NN_ACT_SOME_SIGMOID);
    const NnArray *which = nn_node_input(conv, (guint)conv->post_scale)->constant;
    for (gsize c = 0; c < which->n; c++)
        g_assert_cmpfloat(nn_array_get(which, c), ==, c >= 1 && c < 4);
}

static void sigmoids_of_several_slices_go_there_one_after_the_other(void)
{
    OnnxBuilder *builder = sliced_sigmoid("second");
    onnx_builder_node(builder, "Sigmoid", "second", "y");
    assert_stays(builder, "Conv Slice Slice Reshape");
}

/* Channels in two slices, or in what leaves the network, are not the sigmoid's alone. */
static void a_sigmoid_of_channels_that_others_need_stays(void)
{
    OnnxBuilder *builder = sliced_sigmoid("y");
    onnx_builder_ints(builder, "three", "3");
    onnx_builder_node(builder, "Slice", "map,three,middle,axis", "other");
    onnx_builder_output(builder, "other");
    assert_stays(builder, "Conv Slice Slice Reshape Sigmoid Slice");
    builder = sliced_sigmoid("y");
    onnx_builder_output(builder, "map");
    assert_stays(builder, "Conv Slice Slice Reshape Sigmoid");
}

/* Channels last, as detectors have them. */
static void a_sigmoid_of_a_slice_of_moved_channels_goes_there_too(void)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_floats(builder, "w", "7,4,3,3", NULL);
    onnx_builder_ints(builder, "rows", "1,-1,7");
    onnx_builder_ints(builder, "sizes", "3,4");
    onnx_builder_node(builder, "Conv", "x,w", "map");
    onnx_node_ints(onnx_builder_node(builder, "Transpose", "map", "turned"), "perm", "0,2,3,1");
    onnx_builder_node(builder, "Reshape", "turned,rows", "flat");
    onnx_node_int(onnx_builder_node(builder, "Split", "flat,sizes", "y,scores"), "axis", 2);
    onnx_builder_node(builder, "Sigmoid", "scores", "z");
    onnx_builder_output(builder, "y");
    g_autoptr(NnGraph) graph = assert_becomes(builder, "Conv Transpose Reshape Split");
    const NnNode *conv = node_of(graph, 0);
    const NnArray *which = nn_node_input(conv, (guint)conv->post_scale)->constant;
    for (gsize c = 0; c < which->n; c++)
        g_assert_cmpfloat(nn_array_get(which, c), ==, c >= 3);
}

static void a_sigmoid_of_a_slice_of_pixels_stays(void)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_floats(builder, "w", "4,4,1,1", NULL);
    onnx_builder_ints(builder, "sizes", "2,4");
    onnx_builder_node(builder, "Conv", "x,w", "map");
    onnx_node_int(onnx_builder_node(builder, "Split", "map,sizes", "y,scores"), "axis", 2);
    onnx_builder_node(builder, "Sigmoid", "scores", "z");
    onnx_builder_output(builder, "y");
    assert_stays(builder, "Conv Split Sigmoid");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    PASS_TEST(convolutions_of_one_map_that_leave_the_network_are_one);
    PASS_TEST(convolutions_of_other_windows_stay);
    PASS_TEST(alike_activations_stay_what_they_are);
    PASS_TEST(convolutions_that_fill_vectors_stay);
    PASS_TEST(convolutions_that_are_computed_with_stay);
    PASS_TEST(a_sigmoid_of_a_slice_goes_into_the_convolution);
    PASS_TEST(a_sigmoid_of_a_slice_of_moved_channels_goes_there_too);
    PASS_TEST(a_sigmoid_of_a_slice_of_pixels_stays);
    PASS_TEST(sigmoids_of_several_slices_go_there_one_after_the_other);
    PASS_TEST(a_sigmoid_of_channels_that_others_need_stays);
    return g_test_run();
}
