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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    PASS_TEST(convolutions_of_one_map_that_leave_the_network_are_one);
    PASS_TEST(convolutions_of_other_windows_stay);
    PASS_TEST(alike_activations_stay_what_they_are);
    PASS_TEST(convolutions_that_fill_vectors_stay);
    PASS_TEST(convolutions_that_are_computed_with_stay);
    return g_test_run();
}
