/* test-fuse-scales.c - numbers per channel go into convolutions, also past a Concat.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "passes.h"

/* ---------------------------------------------------------------- scales */

/* "style": a number for each of x's channels, computed from it. */
static void add_style(OnnxBuilder *builder)
{
    onnx_builder_node(builder, "GlobalAveragePool", "x", "style");
}

static void computed_scales_go_into_a_convolution(void)
{
    OnnxBuilder *builder = test_model(13);
    add_style(builder);
    onnx_builder_node(builder, "Mul", "x,style", "a");
    onnx_builder_floats(builder, "w", "4,4,3,3", NULL);
    onnx_node_ints(onnx_builder_node(builder, "Conv", "a,w", "b"), "pads", "1,1,1,1");
    onnx_builder_node(builder, "Mul", "style,b", "c");
    onnx_builder_floats(builder, "bias", "4,1,1", NULL);
    onnx_builder_node(builder, "Add", "c,bias", "d");
    onnx_builder_node(builder, "Add", "d,x", "e");
    onnx_builder_node(builder, "LeakyRelu", "e", "f");
    onnx_builder_node(builder, "Mul", "f,style", "z");
    g_autoptr(NnGraph) graph = assert_becomes(builder, "GlobalAveragePool Conv");
    const NnNode *conv = node_of(graph, 1);
    const NnValue *style = nn_node_output(node_of(graph, 0), 0);
    g_assert_true(nn_node_input(conv, (guint)conv->in_scale) == style);
    g_assert_true(nn_node_input(conv, (guint)conv->out_scale) == style);
    g_assert_true(nn_node_input(conv, (guint)conv->post_scale) == style);
    g_assert_true(nn_node_input(conv, (guint)conv->residual) == graph->inputs->pdata[0]);
    g_assert_nonnull(nn_node_input(conv, 2));
    g_assert_cmpint(conv->activation.type, ==, NN_ACT_LEAKY_RELU);
}

/* What has a bias already is scaled with it. */
static void a_scale_behind_a_bias_comes_last(void)
{
    OnnxBuilder *builder = test_model(13);
    add_conv(builder, "x", "a");
    add_style(builder);
    onnx_builder_floats(builder, "bias", "4,1,1", NULL);
    onnx_builder_node(builder, "Add", "a,bias", "b");
    onnx_builder_node(builder, "Mul", "b,style", "z");
    g_autoptr(NnGraph) graph = assert_becomes(builder, "GlobalAveragePool Conv");
    g_assert_cmpint(node_of(graph, 1)->out_scale, ==, -1);
    g_assert_cmpint(node_of(graph, 1)->post_scale, >=, 0);
}

static void nothing_goes_behind_the_last_scale(void)
{
    OnnxBuilder *builder = test_model(13);
    add_conv(builder, "x", "a");
    add_style(builder);
    onnx_builder_node(builder, "Relu", "a", "b");
    onnx_builder_node(builder, "Mul", "b,style", "c");
    onnx_builder_node(builder, "Mul", "c,style", "z");
    assert_stays(builder, "GlobalAveragePool Conv Mul");
}

static void a_scale_of_something_else_stays(void)
{
    OnnxBuilder *rows = test_model(13);
    add_conv(rows, "x", "a");
    onnx_node_ints(onnx_builder_node(rows, "ReduceMean", "x", "row"), "axes", "1,2");
    onnx_builder_node(rows, "Mul", "a,row", "z");
    assert_stays(rows, "Conv ReduceMean Mul");

    OnnxBuilder *shared = test_model(13);
    add_style(shared);
    onnx_builder_node(shared, "Mul", "x,style", "a");
    onnx_builder_floats(shared, "w", "4,4,1,1", NULL);
    onnx_builder_node(shared, "Conv", "a,w", "b");
    onnx_builder_node(shared, "Exp", "a", "c");
    onnx_builder_node(shared, "Sub", "b,c", "z");
    assert_stays(shared, "GlobalAveragePool Mul Conv Exp Sub");
}

static void slopes_for_channels_go_into_a_convolution(void)
{
    OnnxBuilder *builder = test_model(13);
    add_conv(builder, "x", "a");
    onnx_builder_floats(builder, "slopes", "4,1,1", NULL);
    onnx_builder_node(builder, "PRelu", "a,slopes", "z");
    g_autoptr(NnGraph) graph = assert_becomes(builder, "Conv");
    g_assert_cmpint(node_of(graph, 0)->activation.type, ==, NN_ACT_PRELU);
}

/* MODNet's IBNorm; @end is where the second half ends. */
static OnnxBuilder *halves_model(const char *end)
{
    OnnxBuilder *builder = test_model(13);
    add_conv(builder, "x", "a");
    onnx_builder_ints(builder, "zero", "0");
    onnx_builder_ints(builder, "two", "2");
    onnx_builder_ints(builder, "end", end);
    onnx_builder_ints(builder, "axis", "1");
    onnx_builder_node(builder, "Slice", "a,zero,two,axis", "b");
    onnx_builder_node(builder, "Slice", "a,two,end,axis", "c");
    for (int i = 0; i < 4; i++)
        onnx_builder_floats(builder, ((const char *[]){ "s", "t", "m", "v" })[i], "2",
                            i == 3 ? (float[]){ 0.5f, 2 } : NULL);
    onnx_builder_node(builder, "BatchNormalization", "b,s,t,m,v", "d");
    onnx_builder_floats(builder, "ones", "2", (float[]){ 1, 1 });
    onnx_builder_floats(builder, "shift", "2", NULL);
    onnx_builder_node(builder, "InstanceNormalization", "c,ones,shift", "e");
    onnx_node_int(onnx_builder_node(builder, "Concat", "d,e", "f"), "axis", 1);
    onnx_builder_node(builder, "Relu", "f", "g");
    return builder;
}

static void halves_of_two_normalisations_are_a_convolution_and_one(void)
{
    OnnxBuilder *builder = halves_model("4");
    onnx_builder_node(builder, "Exp", "g", "z");
    g_autoptr(NnGraph) graph = assert_becomes(builder, "Conv PartInstanceNorm Exp");
    g_assert_cmpint(node_of(graph, 0)->activation.type, ==, NN_ACT_PRELU);
    g_assert_cmpint(node_of(graph, 1)->activation.type, ==, NN_ACT_RELU);
}

static void halves_that_are_needed_elsewhere_stay(void)
{
    OnnxBuilder *builder = halves_model("4");
    onnx_builder_node(builder, "Mul", "g,a", "z");
    assert_stays(builder, "Conv Slice Slice BatchNormalization InstanceNormalization Concat Mul");
}

/* ---------------------------------------------------------------- past a Concat */

static void numbers_for_channels_go_past_a_concat(void)
{
    OnnxBuilder *builder = test_model(13);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "Exp", "x", "b");
    onnx_node_int(onnx_builder_node(builder, "Concat", "a,b", "c"), "axis", 1);
    onnx_builder_floats(builder, "bias", "8,1,1", NULL);
    onnx_builder_node(builder, "Add", "bias,c", "d");
    onnx_node_float(onnx_builder_node(builder, "LeakyRelu", "d", "e"), "alpha", 0.2f);
    onnx_builder_float(builder, "gain", 1.5f);
    onnx_builder_node(builder, "Mul", "e,gain", "f");
    onnx_builder_node(builder, "GlobalAveragePool", "c", "style");
    onnx_builder_node(builder, "Mul", "f,style", "z");
    /* The average keeps the sum where it is. */
    assert_stays(builder, "Conv Exp Concat GlobalAveragePool Conv");

    builder = test_model(13);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "Exp", "x", "b");
    onnx_node_int(onnx_builder_node(builder, "Concat", "a,b", "c"), "axis", 1);
    onnx_builder_floats(builder, "bias", "8,1,1", NULL);
    onnx_builder_node(builder, "Add", "bias,c", "d");
    onnx_node_float(onnx_builder_node(builder, "LeakyRelu", "d", "e"), "alpha", 0.2f);
    onnx_builder_float(builder, "gain", 1.5f);
    onnx_builder_node(builder, "Mul", "e,gain", "f");
    onnx_builder_floats(builder, "grow", "8,4,1,1", NULL);
    onnx_builder_node(builder, "GlobalAveragePool", "x", "average");
    onnx_builder_node(builder, "Conv", "average,grow", "style");
    onnx_builder_node(builder, "Mul", "f,style", "z");
    g_autoptr(NnGraph) graph =
        assert_becomes(builder, "GlobalAveragePool Conv Slice Conv Exp Add Slice Mul Mul Concat");
    g_assert_cmpint(node_of(graph, 3)->activation.type, ==, NN_ACT_LEAKY_RELU);
    g_assert_cmpint(node_of(graph, 3)->post_scale, >=, 0);
}

static void what_no_convolution_computes_stays_behind_a_concat(void)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_node(builder, "Exp", "x", "a");
    onnx_node_int(onnx_builder_node(builder, "Concat", "a,x", "c"), "axis", 1);
    onnx_builder_floats(builder, "bias", "8,1,1", NULL);
    onnx_builder_node(builder, "Add", "c,bias", "z");
    assert_stays(builder, "Exp Concat Add");
}

static void arithmetic_in_a_row_is_one_convolution(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,8,6,6");
    onnx_builder_output(builder, "z");
    onnx_builder_float(builder, "gain", 0.7f);
    onnx_builder_node(builder, "Mul", "x,gain", "a");
    onnx_builder_floats(builder, "bias", "8,1,1", NULL);
    onnx_builder_node(builder, "Sub", "bias,a", "b");
    onnx_builder_node(builder, "Relu", "b", "c");
    onnx_builder_node(builder, "GlobalAveragePool", "x", "style");
    onnx_builder_node(builder, "Mul", "c,style", "z");
    g_autoptr(NnGraph) graph = assert_becomes(builder, "GlobalAveragePool Conv");
    g_assert_cmpint(nn_node_int(node_of(graph, 1), "group", 1), ==, 8);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    PASS_TEST(computed_scales_go_into_a_convolution);
    PASS_TEST(a_scale_behind_a_bias_comes_last);
    PASS_TEST(nothing_goes_behind_the_last_scale);
    PASS_TEST(a_scale_of_something_else_stays);
    PASS_TEST(slopes_for_channels_go_into_a_convolution);
    PASS_TEST(halves_of_two_normalisations_are_a_convolution_and_one);
    PASS_TEST(halves_that_are_needed_elsewhere_stay);
    PASS_TEST(numbers_for_channels_go_past_a_concat);
    PASS_TEST(what_no_convolution_computes_stays_behind_a_concat);
    PASS_TEST(arithmetic_in_a_row_is_one_convolution);
    return g_test_run();
}
