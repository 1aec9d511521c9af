/* test-fuse-move.c - nodes that only move or pad go, where that changes nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <math.h>

#include "passes.h"

/* ---------------------------------------------------------------- movement */

static void nodes_without_effect_go(void)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_ints(builder, "starts", "0,0");
    onnx_builder_ints(builder, "ends", "9999,6");
    onnx_builder_ints(builder, "axes", "1,2");
    onnx_builder_ints(builder, "pads", "0,0,0,0,0,0,0,0");
    onnx_builder_ints(builder, "same", "1,4,6,6");
    onnx_builder_float(builder, "zero", 0);
    onnx_builder_float(builder, "one", 1);
    onnx_builder_node(builder, "Abs", "x", "a");
    onnx_builder_node(builder, "Identity", "a", "b");
    onnx_builder_node(builder, "Slice", "b,starts,ends,axes", "c");
    onnx_builder_node(builder, "Pad", "c,pads", "d");
    onnx_builder_node(builder, "Reshape", "d,same", "e");
    onnx_node_int(onnx_builder_node(builder, "Cast", "e", "f"), "to", NN_FLOAT32);
    onnx_node_int(onnx_builder_node(builder, "Concat", "f", "g"), "axis", 1);
    onnx_builder_node(builder, "Expand", "g,same", "h");
    onnx_builder_node(builder, "Resize", "h,,,same", "i");
    onnx_builder_node(builder, "Add", "i,zero", "j");
    onnx_builder_node(builder, "Div", "j,one", "k");
    onnx_node_ints(onnx_builder_node(builder, "Transpose", "k", "l"), "perm", "0,1,2,3");
    onnx_builder_node(builder, "Dropout", "l", "z");
    assert_stays(builder, "Abs");
}

static void nodes_with_effect_stay(void)
{
    OnnxBuilder *backwards = test_model(13), *half = test_model(13), *more = test_model(13);
    onnx_builder_ints(backwards, "starts", "-1");
    onnx_builder_ints(backwards, "ends", "-9999");
    onnx_builder_ints(backwards, "axes", "2");
    onnx_builder_ints(backwards, "steps", "-1");
    onnx_builder_node(backwards, "Slice", "x,starts,ends,axes,steps", "z");
    assert_stays(backwards, "Slice");
    onnx_node_int(onnx_builder_node(half, "Cast", "x", "z"), "to", NN_FLOAT16);
    assert_stays(half, "Cast");
    onnx_builder_float(more, "one", 1);
    onnx_builder_node(more, "Add", "x,one", "z");
    assert_stays(more, "Add");
}

/* Both are known outside by their names, so something has to carry one to the other. */
static void an_input_that_is_an_output_keeps_both_names(void)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_node(builder, "Identity", "x", "z");
    assert_stays(builder, "Identity");
}

static void transpositions_cancel(void)
{
    OnnxBuilder *both = test_model(13), *one = test_model(13);
    onnx_builder_node(both, "Abs", "x", "a");
    onnx_node_ints(onnx_builder_node(both, "Transpose", "a", "b"), "perm", "0,2,3,1");
    onnx_node_ints(onnx_builder_node(both, "Transpose", "b", "c"), "perm", "0,3,1,2");
    onnx_builder_node(both, "Abs", "c", "z");
    assert_stays(both, "Abs Abs");
    onnx_node_ints(onnx_builder_node(one, "Transpose", "x", "b"), "perm", "0,2,3,1");
    onnx_node_ints(onnx_builder_node(one, "Transpose", "b", "z"), "perm", "3,0,2,1");
    assert_stays(one, "Transpose");
}

static void reshapes_in_a_row_become_one(void)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_ints(builder, "flat", "-1");
    onnx_builder_ints(builder, "axis", "0");
    onnx_builder_ints(builder, "square", "12,12");
    onnx_builder_node(builder, "Flatten", "x", "a");
    onnx_builder_node(builder, "Reshape", "a,flat", "b");
    onnx_builder_node(builder, "Unsqueeze", "b,axis", "c");
    onnx_builder_node(builder, "Reshape", "c,square", "z");
    assert_stays(builder, "Reshape");
}

static void what_is_computed_twice_is_computed_once(void)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_float(builder, "half", 0.5f);
    onnx_builder_float(builder, "too", 0.5f);
    onnx_builder_node(builder, "Mul", "x,half", "a");
    onnx_builder_node(builder, "Mul", "x,too", "b");
    onnx_builder_node(builder, "Exp", "a", "c");
    onnx_builder_node(builder, "Exp", "b", "d");
    onnx_builder_node(builder, "Mul", "c,d", "z");
    assert_stays(builder, "Mul Exp Mul");
}

/* ---------------------------------------------------------------- padding */

static OnnxBuilder *padded_model(const char *pads, const char *mode, float value)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_ints(builder, "pads", pads);
    onnx_builder_float(builder, "value", value);
    onnx_node_string(onnx_builder_node(builder, "Pad", "x,pads,value", "padded"), "mode", mode);
    return builder;
}

static void zeros_around_go_into_a_convolution(void)
{
    static const struct {
        const char *pads, *mode;
        float value;
        const char *becomes;
    } cases[] = {
        { "0,0,1,2,0,0,0,3", "constant", 0, "Conv" },
        { "0,0,1,2,0,0,0,3", "constant", 1, "Pad Conv" },
        { "0,0,1,2,0,0,0,3", "reflect", 0, "Pad Conv" },
        { "0,0,1,-1,0,0,0,0", "constant", 0, "Pad Conv" },
        { "1,0,1,2,0,0,0,3", "constant", 0, "Pad Conv" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        OnnxBuilder *builder = padded_model(cases[i].pads, cases[i].mode, cases[i].value);
        onnx_node_ints(add_conv(builder, "padded", "z"), "strides", "2,2");
        assert_stays(builder, cases[i].becomes);
    }
}

static void automatic_padding_is_counted_in(void)
{
    OnnxBuilder *builder = padded_model("0,0,1,2,0,0,0,3", "constant", 0);
    onnx_builder_floats(builder, "w", "4,4,4,4", NULL);
    Onnx__NodeProto *conv = onnx_builder_node(builder, "Conv", "padded,w", "z");
    onnx_node_string(conv, "auto_pad", "SAME_LOWER");
    onnx_node_ints(conv, "strides", "2,2");
    assert_stays(builder, "Conv");
}

/* An average counts what a Pad puts there, but not the pool's own padding. */
static void zeros_around_go_into_an_average_that_counts_them(void)
{
    static const struct {
        const char *pads;
        gint64 counts, ceil;
        const char *becomes;
    } cases[] = {
        { NULL, 0, 0, "AveragePool" },
        { "1,1,1,1", 1, 0, "AveragePool" },
        { "1,1,1,1", 0, 0, "Pad AveragePool" },
        { NULL, 0, 1, "Pad AveragePool" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        OnnxBuilder *builder = padded_model("0,0,1,0,0,0,2,1", "constant", 0);
        Onnx__NodeProto *pool = onnx_builder_node(builder, "AveragePool", "padded", "z");
        onnx_node_ints(pool, "kernel_shape", "3,3");
        onnx_node_ints(pool, "strides", "2,2");
        onnx_node_int(pool, "count_include_pad", cases[i].counts);
        onnx_node_int(pool, "ceil_mode", cases[i].ceil);
        if (cases[i].pads)
            onnx_node_ints(pool, "pads", cases[i].pads);
        assert_stays(builder, cases[i].becomes);
    }
}

static void only_the_lowest_number_around_goes_into_a_maximum(void)
{
    static const struct {
        const char *pads;
        float value;
        const char *becomes;
    } cases[] = {
        { "0,0,1,0,0,0,2,1", -INFINITY, "MaxPool" },
        { "0,0,1,0,0,0,2,1", 0, "Pad MaxPool" },
        { "0,0,3,0,0,0,2,1", -INFINITY, "Pad MaxPool" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        OnnxBuilder *builder = padded_model(cases[i].pads, "constant", cases[i].value);
        onnx_builder_node(builder, "MaxPool", "padded", "a");
        onnx_node_ints(builder->graph->node[1], "kernel_shape", "3,3");
        onnx_builder_node(builder, "Abs", "a", "z");
        g_autofree char *types = g_strconcat(cases[i].becomes, " Abs", NULL);
        assert_stays(builder, types);
    }
}

/* As exporters of StyleGAN2 write a filter: padded with the channels last, then one sample for each
 * channel. */
static void one_filter_for_all_channels_is_a_depthwise_convolution(void)
{
    for (int opset = 10; opset <= 13; opset += 3) {
        OnnxBuilder *builder = test_model(opset);
        onnx_builder_ints(builder, "pads", "0,2,1,0,0,1,0,0");
        onnx_builder_ints(builder, "samples", "4,1,9,7");
        onnx_builder_ints(builder, "channels", "1,4,4,5");
        onnx_builder_floats(builder, "filter", "1,1,3,3", NULL);
        onnx_node_ints(onnx_builder_node(builder, "Transpose", "x", "a"), "perm", "0,2,3,1");
        Onnx__NodeProto *pad = onnx_builder_node(builder, "Pad", "a,pads", "b");
        if (opset < 11) {
            onnx_node_ints(pad, "pads", "0,2,1,0,0,1,0,0");
            g_free(pad->input[--pad->n_input]);
        }
        onnx_node_ints(onnx_builder_node(builder, "Transpose", "b", "c"), "perm", "0,3,1,2");
        onnx_builder_node(builder, "Reshape", "c,samples", "d");
        Onnx__NodeProto *conv = onnx_builder_node(builder, "Conv", "d,filter", "e");
        onnx_node_ints(conv, "strides", "2,1");
        onnx_builder_node(builder, "Reshape", "e,channels", "z");
        assert_stays(builder, "Conv");
    }
}

static void a_filter_with_several_results_stays(void)
{
    OnnxBuilder *builder = test_model(13);
    onnx_builder_ints(builder, "samples", "4,1,6,6");
    onnx_builder_ints(builder, "channels", "1,8,4,4");
    onnx_builder_floats(builder, "filter", "2,1,3,3", NULL);
    onnx_builder_node(builder, "Reshape", "x,samples", "d");
    onnx_builder_node(builder, "Conv", "d,filter", "e");
    onnx_builder_node(builder, "Reshape", "e,channels", "z");
    assert_stays(builder, "Reshape Conv Reshape");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    PASS_TEST(nodes_without_effect_go);
    PASS_TEST(nodes_with_effect_stay);
    PASS_TEST(an_input_that_is_an_output_keeps_both_names);
    PASS_TEST(transpositions_cancel);
    PASS_TEST(reshapes_in_a_row_become_one);
    PASS_TEST(what_is_computed_twice_is_computed_once);
    PASS_TEST(zeros_around_go_into_a_convolution);
    PASS_TEST(automatic_padding_is_counted_in);
    PASS_TEST(zeros_around_go_into_an_average_that_counts_them);
    PASS_TEST(only_the_lowest_number_around_goes_into_a_maximum);
    PASS_TEST(one_filter_for_all_channels_is_a_depthwise_convolution);
    PASS_TEST(a_filter_with_several_results_stays);
    return g_test_run();
}
