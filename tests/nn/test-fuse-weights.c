/* test-fuse-weights.c - arithmetic with constants goes into weights.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "passes.h"

/* ---------------------------------------------------------------- into weights */

static void add_batch_norm(OnnxBuilder *builder, const char *in, const char *out)
{
    g_autofree char *inputs = g_strconcat(in, ",scale,shift,mean,variance", NULL);
    onnx_builder_floats(builder, "scale", "4", NULL);
    onnx_builder_floats(builder, "shift", "4", NULL);
    onnx_builder_floats(builder, "mean", "4", NULL);
    onnx_builder_floats(builder, "variance", "4", (float[]){ 0.5f, 1, 2, 3 });
    onnx_node_float(onnx_builder_node(builder, "BatchNormalization", inputs, out), "epsilon",
                    1e-3f);
}

static void batch_normalization_goes_into_the_weights(void)
{
    OnnxBuilder *builder = test_model(13);
    add_conv(builder, "x", "a");
    add_batch_norm(builder, "a", "z");
    assert_stays(builder, "Conv");
}

static void arithmetic_goes_into_the_weights(void)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_floats(builder, "gain", "4,1,1", NULL);
    onnx_builder_floats(builder, "offset", "1,4,1,1", NULL);
    onnx_builder_float(builder, "two", 2);
    onnx_builder_float(builder, "five", 5);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "Mul", "gain,a", "b");
    onnx_builder_node(builder, "Add", "b,offset", "c");
    onnx_builder_node(builder, "Div", "c,two", "d");
    onnx_builder_node(builder, "Sub", "five,d", "e");
    onnx_builder_node(builder, "Sub", "e,two", "z");
    assert_stays(builder, "Conv");
}

/* Its weights are [in][out / groups], so a channel's are not side by side. */
static void transposed_and_grouped_weights_are_scaled_right(void)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_floats(builder, "w", "4,3,2,2", NULL);
    onnx_builder_floats(builder, "b", "6", NULL);
    onnx_builder_floats(builder, "gain", "6,1,1", NULL);
    onnx_builder_floats(builder, "depth", "6,1,3,3", NULL);
    onnx_builder_floats(builder, "more", "6,1,1", NULL);
    Onnx__NodeProto *up = onnx_builder_node(builder, "ConvTranspose", "x,w,b", "a");
    onnx_node_int(up, "group", 2);
    onnx_node_ints(up, "strides", "2,2");
    onnx_builder_node(builder, "Mul", "a,gain", "c");
    onnx_node_int(onnx_builder_node(builder, "Conv", "c,depth", "d"), "group", 6);
    onnx_builder_node(builder, "Mul", "d,more", "z");
    assert_stays(builder, "ConvTranspose Conv");
}

static void a_result_used_elsewhere_is_not_scaled(void)
{
    OnnxBuilder *twice = test_model(13), *output = test_model(13);
    onnx_builder_float(twice, "two", 2);
    add_conv(twice, "x", "a");
    onnx_builder_node(twice, "Mul", "a,two", "b");
    onnx_builder_node(twice, "Div", "b,a", "z");
    assert_stays(twice, "Conv Mul Div");
    onnx_builder_float(output, "two", 2);
    add_conv(output, "x", "y");
    onnx_builder_node(output, "Mul", "y,two", "z");
    onnx_builder_output(output, "y");
    assert_stays(output, "Conv Mul");
}

static void a_positive_factor_goes_through_relu(void)
{
    static const struct {
        const char *type;
        float factor;
        const char *becomes;
    } cases[] = {
        { "Relu", 1.5f, "Conv" },
        { "LeakyRelu", 1.5f, "Conv" },
        { "Relu", -1.5f, "Conv Mul" },
        { "Tanh", 1.5f, "Conv Mul" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        OnnxBuilder *builder = test_model(13);
        onnx_builder_float(builder, "factor", cases[i].factor);
        add_conv(builder, "x", "a");
        onnx_builder_node(builder, cases[i].type, "a", "b");
        onnx_builder_node(builder, "Mul", "b,factor", "z");
        assert_stays(builder, cases[i].becomes);
    }
}

static void numbers_are_multiplied_where_tensors_are_small(void)
{
    OnnxBuilder *builder = test_model(13), *used = test_model(13);
    onnx_builder_float(builder, "two", 2);
    onnx_builder_node(builder, "GlobalAveragePool", "x", "a");
    onnx_builder_node(builder, "GlobalMaxPool", "x", "b");
    onnx_builder_node(builder, "Mul", "x,two", "y");
    onnx_builder_node(builder, "Mul", "y,a", "c");
    onnx_builder_node(builder, "Mul", "b,y", "d");
    onnx_builder_node(builder, "Sub", "c,d", "z");
    g_autoptr(NnGraph) graph =
        assert_becomes(builder, "GlobalAveragePool GlobalMaxPool Mul Mul Mul Mul Sub");
    for (guint i = 2; i < 6; i++) {
        const gboolean doubles = nn_node_input(node_of(graph, i), 1)->constant != NULL;
        g_assert_cmpint(nn_node_output(node_of(graph, i), 0)->dims[3], ==, doubles ? 1 : 6);
    }

    onnx_builder_float(used, "two", 2);
    onnx_builder_node(used, "GlobalAveragePool", "x", "a");
    onnx_builder_node(used, "Mul", "x,two", "y");
    onnx_builder_node(used, "Mul", "y,a", "c");
    onnx_builder_node(used, "Sub", "c,y", "z");
    assert_stays(used, "GlobalAveragePool Mul Mul Sub");
}

static void arithmetic_along_another_axis_stays(void)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_floats(builder, "columns", "6", NULL);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "Mul", "a,columns", "z");
    assert_stays(builder, "Conv Mul");
}

static void weights_that_would_overflow_stay(void)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_float(builder, "huge", 3e38f);
    onnx_builder_float(builder, "tiny", 1e-38f);
    onnx_builder_floats(builder, "w", "1,4,1,1", (float[]){ 2, 3, 4, 5 });
    onnx_builder_node(builder, "Mul", "x,tiny", "a");
    onnx_builder_node(builder, "Conv", "a,w", "b");
    onnx_builder_node(builder, "Mul", "b,huge", "z");
    assert_stays(builder, "Mul Conv Mul");
}

/* ---------------------------------------------------------------- vectors */

/* A model of one input x [1][6] and the output z. */
static OnnxBuilder *vector_model(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,6");
    onnx_builder_output(builder, "z");
    onnx_builder_floats(builder, "w", "6,4", NULL);
    onnx_builder_floats(builder, "v", "5,6", NULL);
    onnx_builder_floats(builder, "bias", "4", NULL);
    return builder;
}

static void bias_and_factor_go_into_a_product(void)
{
    OnnxBuilder *builder = vector_model();
    onnx_builder_node(builder, "MatMul", "x,w", "a");
    onnx_builder_node(builder, "Add", "a,bias", "b");
    onnx_node_float(onnx_builder_node(builder, "LeakyRelu", "b", "c"), "alpha", 0.2f);
    onnx_builder_float(builder, "gain", 1.4f);
    onnx_builder_node(builder, "Mul", "c,gain", "z");
    g_autoptr(NnGraph) graph = assert_becomes(builder, "Gemm");
    g_assert_cmpint(node_of(graph, 0)->activation.type, ==, NN_ACT_LEAKY_RELU);

    OnnxBuilder *negative = vector_model();
    onnx_builder_node(negative, "MatMul", "x,w", "a");
    onnx_builder_node(negative, "Relu", "a", "b");
    onnx_builder_float(negative, "gain", -1.4f);
    onnx_builder_node(negative, "Mul", "b,gain", "z");
    assert_stays(negative, "MatMul Mul");
}

static void products_of_one_vector_are_one(void)
{
    OnnxBuilder *builder = vector_model();
    onnx_builder_node(builder, "MatMul", "x,w", "a");
    onnx_node_int(onnx_builder_node(builder, "Gemm", "x,v", "b"), "transB", 1);
    onnx_builder_node(builder, "Gemm", "x,w,bias", "c");
    onnx_node_int(onnx_builder_node(builder, "Concat", "a,c,b", "z"), "axis", 1);
    assert_stays(builder, "Gemm Slice Slice Slice Concat");
}

static void a_vector_by_its_norm_takes_two_nodes(void)
{
    OnnxBuilder *builder = vector_model();
    onnx_builder_float(builder, "two", 2);
    onnx_builder_node(builder, "Pow", "x,two", "a");
    onnx_node_ints(onnx_builder_node(builder, "ReduceMean", "a", "b"), "axes", "1");
    onnx_builder_float(builder, "epsilon", 1e-4f);
    onnx_builder_node(builder, "Add", "b,epsilon", "c");
    onnx_builder_node(builder, "Sqrt", "c", "d");
    onnx_builder_float(builder, "one", 1);
    onnx_builder_node(builder, "Div", "one,d", "e");
    onnx_builder_node(builder, "Mul", "x,e", "z");
    assert_stays(builder, "InverseNorms Mul");
}

static void norms_of_parts_of_a_vector_are_one(void)
{
    OnnxBuilder *builder = vector_model();
    onnx_builder_float(builder, "two", 2);
    onnx_builder_float(builder, "epsilon", 1e-4f);
    onnx_builder_float(builder, "one", 1);
    onnx_builder_ints(builder, "start", "2");
    onnx_builder_ints(builder, "end", "5");
    onnx_builder_ints(builder, "axis", "1");
    onnx_builder_node(builder, "Slice", "x,start,end,axis", "part");
    for (int i = 0; i < 2; i++) {
        const char *const ins[2] = { "x,two", "part,two" };
        const char *const outs[2] = { "inverse0", "inverse1" };
        g_autofree char *a = g_strdup_printf("a%d", i), *b = g_strdup_printf("b%d", i);
        g_autofree char *c = g_strdup_printf("c%d", i), *d = g_strdup_printf("d%d", i);
        g_autofree char *sum = g_strconcat(b, ",epsilon", NULL);
        g_autofree char *quotient = g_strconcat("one,", d, NULL);
        onnx_builder_node(builder, "Pow", ins[i], a);
        onnx_node_ints(onnx_builder_node(builder, "ReduceMean", a, b), "axes", "1");
        onnx_builder_node(builder, "Add", sum, c);
        onnx_builder_node(builder, "Sqrt", c, d);
        onnx_builder_node(builder, "Div", quotient, outs[i]);
    }
    onnx_node_int(onnx_builder_node(builder, "Concat", "inverse0,inverse1", "z"), "axis", 1);
    assert_stays(builder, "InverseNorms Slice Slice Concat");
}

/* ---------------------------------------------------------------- before maps grow */

static OnnxBuilder *resized_model(const char *sizes, const char *mode)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_ints(builder, "sizes", sizes);
    onnx_builder_node(builder, "Exp", "x", "a");
    onnx_node_string(onnx_builder_node(builder, "Resize", "a,,,sizes", "b"), "mode", mode);
    return builder;
}

static void a_1x1_convolution_goes_before_a_map_grows(void)
{
    static const char *const modes[] = { "nearest", "linear", "cubic" };

    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        OnnxBuilder *builder = resized_model("1,4,11,12", modes[i]);
        onnx_builder_floats(builder, "w", "3,4,1,1", NULL);
        onnx_builder_floats(builder, "bias", "3", NULL);
        onnx_builder_node(builder, "Conv", "b,w,bias", "c");
        onnx_builder_node(builder, "Exp", "c", "z");
        assert_stays(builder, "Exp Conv Resize Exp");
    }
}

static void so_it_does_where_factors_are_given(void)
{
    OnnxBuilder *builder = test_model(10);
    onnx_builder_floats(builder, "scales", "4", (const float[]){ 1, 1, 2, 1.5f });
    onnx_builder_node(builder, "Exp", "x", "a");
    onnx_node_string(onnx_builder_node(builder, "Resize", "a,scales", "b"), "mode", "linear");
    onnx_builder_floats(builder, "w", "3,4,1,1", NULL);
    onnx_builder_node(builder, "Conv", "b,w", "z");
    assert_stays(builder, "Exp Conv Resize");
}

static void a_convolution_stays_behind_where_that_is_less_work(void)
{
    static const struct {
        const char *sizes, *weights, *pads;
    } cases[] = {
        { "1,4,5,6", "3,4,1,1", "0,0,0,0" },   /* the map shrinks */
        { "1,4,11,12", "5,4,1,1", "0,0,0,0" }, /* there are more channels behind it */
        { "1,4,11,12", "3,4,1,1", "0,1,0,0" }, /* zeros around are enlarged by nothing */
        { "1,4,11,12", "3,4,3,3", "0,0,0,0" },
        { "1,8,11,12", "3,8,1,1", "0,0,0,0" }, /* channels are interpolated, too */
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        OnnxBuilder *builder = resized_model(cases[i].sizes, "linear");
        onnx_builder_floats(builder, "w", cases[i].weights, NULL);
        onnx_node_ints(onnx_builder_node(builder, "Conv", "b,w", "z"), "pads", cases[i].pads);
        assert_stays(builder, "Exp Resize Conv");
    }
}

static void a_map_that_others_see_stays_before_the_convolution(void)
{
    OnnxBuilder *builder = resized_model("1,4,12,12", "linear");
    onnx_builder_floats(builder, "w", "4,4,1,1", NULL);
    onnx_builder_node(builder, "Conv", "b,w", "c");
    onnx_builder_node(builder, "Mul", "b,c", "z");
    assert_stays(builder, "Exp Resize Conv Mul");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    PASS_TEST(batch_normalization_goes_into_the_weights);
    PASS_TEST(arithmetic_goes_into_the_weights);
    PASS_TEST(transposed_and_grouped_weights_are_scaled_right);
    PASS_TEST(a_result_used_elsewhere_is_not_scaled);
    PASS_TEST(a_positive_factor_goes_through_relu);
    PASS_TEST(numbers_are_multiplied_where_tensors_are_small);
    PASS_TEST(arithmetic_along_another_axis_stays);
    PASS_TEST(weights_that_would_overflow_stay);
    PASS_TEST(bias_and_factor_go_into_a_product);
    PASS_TEST(products_of_one_vector_are_one);
    PASS_TEST(a_vector_by_its_norm_takes_two_nodes);
    PASS_TEST(norms_of_parts_of_a_vector_are_one);
    PASS_TEST(a_1x1_convolution_goes_before_a_map_grows);
    PASS_TEST(so_it_does_where_factors_are_given);
    PASS_TEST(a_convolution_stays_behind_where_that_is_less_work);
    PASS_TEST(a_map_that_others_see_stays_before_the_convolution);
    return g_test_run();
}
