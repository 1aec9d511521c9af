/* test-fuse-epilogue.c - activations and residuals go into epilogues.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "passes.h"

/* ---------------------------------------------------------------- activations */

static void every_activation_goes_into_the_epilogue(void)
{
    static const struct {
        const char *type;
        NnActivationType activation;
    } cases[] = {
        { "Relu", NN_ACT_RELU },
        { "LeakyRelu", NN_ACT_LEAKY_RELU },
        { "Sigmoid", NN_ACT_SIGMOID },
        { "Tanh", NN_ACT_TANH },
        { "HardSigmoid", NN_ACT_HARD_SIGMOID },
        { "HardSwish", NN_ACT_HARD_SWISH },
        { "Clip", NN_ACT_CLIP },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        OnnxBuilder *builder = test_model(14);
        add_conv(builder, "x", "a");
        onnx_builder_node(builder, cases[i].type, "a", "z");
        g_autoptr(NnGraph) graph = assert_becomes(builder, "Conv");
        g_assert_cmpint(node_of(graph, 0)->activation.type, ==, cases[i].activation);
    }
}

static void the_numbers_of_an_activation_are_kept(void)
{
    OnnxBuilder *leaky = test_model(13), *clip = test_model(13), *old_clip = test_model(10),
                *hard = test_model(13);
    add_conv(leaky, "x", "a");
    onnx_node_float(onnx_builder_node(leaky, "LeakyRelu", "a", "z"), "alpha", 0.2f);
    assert_stays(leaky, "Conv");
    add_conv(clip, "x", "a");
    onnx_builder_float(clip, "low", -0.5f);
    onnx_builder_float(clip, "high", 0.75f);
    onnx_builder_node(clip, "Clip", "a,low,high", "z");
    assert_stays(clip, "Conv");
    add_conv(old_clip, "x", "a");
    Onnx__NodeProto *node = onnx_builder_node(old_clip, "Clip", "a", "z");
    onnx_node_float(node, "min", -0.5f);
    onnx_node_float(node, "max", 0.75f);
    assert_stays(old_clip, "Conv");
    add_conv(hard, "x", "a");
    node = onnx_builder_node(hard, "HardSigmoid", "a", "z");
    onnx_node_float(node, "alpha", 0.3f);
    onnx_node_float(node, "beta", 0.4f);
    assert_stays(hard, "Conv");
}

static void only_one_activation_fits(void)
{
    OnnxBuilder *builder = test_model(13);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "Tanh", "a", "b");
    onnx_builder_node(builder, "Relu", "b", "z");
    assert_stays(builder, "Conv Relu");
}

static void a_result_needed_before_its_activation_stays(void)
{
    OnnxBuilder *builder = test_model(13);
    add_conv(builder, "x", "y");
    onnx_builder_node(builder, "Relu", "y", "z");
    onnx_builder_output(builder, "y");
    assert_stays(builder, "Conv Relu");
}

/* As in MODNet: half of the channels normalised one way, half another, then one ReLU. */
static void an_activation_goes_through_a_concat(void)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_floats(builder, "half", "4", NULL);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "InstanceNormalization", "x,half,half", "b");
    onnx_node_int(onnx_builder_node(builder, "Concat", "a,b", "c"), "axis", 1);
    onnx_builder_node(builder, "Relu", "c", "z");
    g_autoptr(NnGraph) graph = assert_becomes(builder, "Conv InstanceNormalization Concat");
    g_assert_cmpint(node_of(graph, 0)->activation.type, ==, NN_ACT_RELU);
    g_assert_cmpint(node_of(graph, 1)->activation.type, ==, NN_ACT_RELU);
}

/* As in YuNet: scores are activated after they have become a list. */
static void an_activation_goes_through_what_only_moves(void)
{
    OnnxBuilder *builder = test_model(13), *used = test_model(13);
    onnx_builder_ints(builder, "list", "1,-1,2");
    add_conv(builder, "x", "a");
    onnx_node_ints(onnx_builder_node(builder, "Transpose", "a", "b"), "perm", "0,2,3,1");
    onnx_builder_node(builder, "Reshape", "b,list", "c");
    onnx_builder_node(builder, "Sigmoid", "c", "z");
    g_autoptr(NnGraph) graph = assert_becomes(builder, "Conv Transpose Reshape");
    g_assert_cmpint(node_of(graph, 0)->activation.type, ==, NN_ACT_SIGMOID);

    onnx_builder_ints(used, "list", "1,-1,2");
    add_conv(used, "x", "a");
    onnx_builder_node(used, "Reshape", "a,list", "c");
    onnx_builder_node(used, "Sigmoid", "c", "d");
    onnx_builder_node(used, "Mul", "c,d", "z");
    assert_stays(used, "Conv Reshape Sigmoid Mul");
}

static void an_activation_does_not_go_where_it_changes_others(void)
{
    OnnxBuilder *builder = test_model(13);
    add_conv(builder, "x", "a");
    onnx_node_int(onnx_builder_node(builder, "Concat", "a,x", "c"), "axis", 1);
    onnx_builder_node(builder, "Relu", "c", "z");
    assert_stays(builder, "Conv Concat Relu");
}

/* ---------------------------------------------------------------- HardSwish as it is written */

static OnnxBuilder *swish_model(void)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_float(builder, "zero", 0);
    onnx_builder_float(builder, "three", 3);
    onnx_builder_float(builder, "six", 6);
    onnx_builder_float(builder, "sixth", 1.0f / 6);
    onnx_builder_node(builder, "Exp", "x", "a");
    onnx_builder_node(builder, "Sub", "a,six", "b");
    onnx_builder_node(builder, "Add", "b,three", "c");
    onnx_builder_node(builder, "Clip", "c,zero,six", "d");
    return builder;
}

static void every_way_to_write_hard_swish_is_one_node(void)
{
    OnnxBuilder *gate = swish_model(), *product = swish_model(), *named = test_model(13);
    onnx_builder_node(gate, "Mul", "sixth,d", "e");
    onnx_builder_node(gate, "Mul", "b,e", "f");
    onnx_builder_node(gate, "Abs", "f", "z");
    assert_stays(gate, "Exp Sub Abs");
    onnx_builder_node(product, "Mul", "d,b", "e");
    onnx_builder_node(product, "Div", "e,six", "f");
    onnx_builder_node(product, "Abs", "f", "z");
    assert_stays(product, "Exp Sub Abs");
    add_conv(named, "x", "a");
    onnx_node_float(onnx_builder_node(named, "HardSigmoid", "a", "b"), "alpha", 1.0f / 6);
    onnx_builder_node(named, "Mul", "a,b", "z");
    g_autoptr(NnGraph) graph = assert_becomes(named, "Conv");
    g_assert_cmpint(node_of(graph, 0)->activation.type, ==, NN_ACT_HARD_SWISH);
}

static void a_hard_sigmoid_written_out_is_one_node(void)
{
    OnnxBuilder *builder = swish_model();
    onnx_builder_node(builder, "Div", "d,six", "e");
    onnx_builder_node(builder, "Abs", "e", "z");
    g_autoptr(NnGraph) graph = assert_becomes(builder, "Exp Sub Abs");
    g_assert_cmpint(node_of(graph, 1)->activation.type, ==, NN_ACT_HARD_SIGMOID);
}

static void what_only_looks_like_hard_swish_stays(void)
{
    OnnxBuilder *other = swish_model(), *gain = swish_model();
    onnx_builder_node(other, "Mul", "sixth,d", "e");
    onnx_builder_node(other, "Mul", "a,e", "z");
    assert_stays(other, "Exp Sub Mul");
    onnx_builder_node(gain, "Mul", "b,d", "e");
    onnx_builder_node(gain, "Div", "e,three", "z");
    assert_stays(gain, "Exp Sub Add Mul Div");
}

/* ---------------------------------------------------------------- residuals */

static void a_residual_goes_into_the_epilogue(void)
{
    OnnxBuilder *builder = test_model(13);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "Add", "x,a", "b");
    onnx_builder_node(builder, "Relu", "b", "z");
    g_autoptr(NnGraph) graph = assert_becomes(builder, "Conv");
    const NnNode *conv = node_of(graph, 0);
    g_assert_cmpint(conv->residual, ==, 3);
    g_assert_null(nn_node_input(conv, 2));
    g_assert_true(nn_node_input(conv, 3) == graph->inputs->pdata[0]);
    g_assert_cmpint(conv->activation.type, ==, NN_ACT_RELU);
}

static void of_two_convolutions_the_last_takes_the_residual(void)
{
    OnnxBuilder *builder = test_model(13);
    add_conv(builder, "x", "a");
    add_conv(builder, "x", "b");
    onnx_builder_node(builder, "Add", "b,a", "z");
    g_autoptr(NnGraph) graph = assert_becomes(builder, "Conv Conv");
    g_assert_cmpint(node_of(graph, 0)->residual, ==, -1);
    g_assert_cmpint(node_of(graph, 1)->residual, ==, 3);
}

static void a_residual_that_comes_later_is_waited_for(void)
{
    OnnxBuilder *builder = test_model(13);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "Exp", "x", "b");
    onnx_builder_node(builder, "Add", "a,b", "z");
    assert_stays(builder, "Exp Conv");
}

/* As at the end of U2-Net's blocks. */
static void a_residual_behind_an_activation_comes_last(void)
{
    OnnxBuilder *builder = test_model(13), *twice = test_model(13), *active = test_model(13);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "Relu", "a", "b");
    onnx_builder_node(builder, "Add", "x,b", "z");
    g_autoptr(NnGraph) graph = assert_becomes(builder, "Conv");
    g_assert_cmpint(node_of(graph, 0)->residual, ==, -1);
    g_assert_true(nn_node_input(node_of(graph, 0), (guint)node_of(graph, 0)->added) ==
                  graph->inputs->pdata[0]);

    add_conv(twice, "x", "a");
    onnx_builder_node(twice, "Add", "x,a", "b");
    onnx_builder_node(twice, "Relu", "b", "c");
    onnx_builder_node(twice, "Add", "x,c", "d");
    onnx_builder_node(twice, "Add", "x,d", "z");
    assert_stays(twice, "Conv Add");

    add_conv(active, "x", "a");
    onnx_builder_node(active, "Relu", "a", "b");
    onnx_builder_node(active, "Add", "x,b", "c");
    onnx_builder_node(active, "Relu", "c", "z");
    assert_stays(active, "Conv Add");
}

static void nothing_goes_behind_what_is_added_last(void)
{
    OnnxBuilder *builder = test_model(13), *factor = test_model(13);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "Relu", "a", "b");
    onnx_builder_node(builder, "Add", "x,b", "c");
    onnx_builder_node(builder, "GlobalAveragePool", "x", "style");
    onnx_builder_node(builder, "Mul", "c,style", "z");
    assert_stays(builder, "Conv GlobalAveragePool Mul");

    onnx_builder_float(factor, "two", 2);
    add_conv(factor, "x", "a");
    onnx_builder_node(factor, "Relu", "a", "b");
    onnx_builder_node(factor, "Add", "x,b", "c");
    onnx_builder_node(factor, "Mul", "c,two", "z");
    assert_stays(factor, "Conv Mul");
}

static void a_residual_that_is_broadcast_stays(void)
{
    OnnxBuilder *builder = test_model(13);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "GlobalAveragePool", "x", "b");
    onnx_builder_node(builder, "Add", "a,b", "z");
    assert_stays(builder, "Conv GlobalAveragePool Add");
}

static void a_result_added_to_itself_stays(void)
{
    OnnxBuilder *builder = test_model(13);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "Add", "a,a", "z");
    assert_stays(builder, "Conv Add");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    PASS_TEST(every_activation_goes_into_the_epilogue);
    PASS_TEST(the_numbers_of_an_activation_are_kept);
    PASS_TEST(only_one_activation_fits);
    PASS_TEST(a_result_needed_before_its_activation_stays);
    PASS_TEST(an_activation_goes_through_a_concat);
    PASS_TEST(an_activation_goes_through_what_only_moves);
    PASS_TEST(an_activation_does_not_go_where_it_changes_others);
    PASS_TEST(every_way_to_write_hard_swish_is_one_node);
    PASS_TEST(a_hard_sigmoid_written_out_is_one_node);
    PASS_TEST(what_only_looks_like_hard_swish_stays);
    PASS_TEST(a_residual_goes_into_the_epilogue);
    PASS_TEST(of_two_convolutions_the_last_takes_the_residual);
    PASS_TEST(a_residual_that_comes_later_is_waited_for);
    PASS_TEST(a_residual_behind_an_activation_comes_last);
    PASS_TEST(nothing_goes_behind_what_is_added_last);
    PASS_TEST(a_residual_that_is_broadcast_stays);
    PASS_TEST(a_result_added_to_itself_stays);
    return g_test_run();
}
