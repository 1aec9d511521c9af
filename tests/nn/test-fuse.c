/* test-fuse.c - tests of the passes: each leaves less to do and the same numbers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <math.h>
#include <string.h>

#include "nn.h"
#include "onnx-builder.h"
#include "operator.h"

/* ---------------------------------------------------------------- before and after */

/* Takes @builder. The inferred graph. */
static NnGraph *graph_of(OnnxBuilder *builder)
{
    g_autoptr(OnnxBuilder) owned = builder;
    g_autoptr(GBytes) bytes = onnx_builder_pack(owned);
    g_autoptr(GError) error = NULL;
    g_autoptr(NnModel) model = nn_model_load_bytes(bytes, "test.onnx", &error);
    g_assert_no_error(error);
    g_autoptr(NnGraph) graph = nn_graph_copy(nn_model_graph(model));
    nn_graph_infer(graph, NULL, 0, &error);
    g_assert_no_error(error);
    return g_steal_pointer(&graph);
}

static GPtrArray *evaluate(const NnGraph *graph)
{
    g_autoptr(GPtrArray) inputs = g_ptr_array_new_with_free_func((GDestroyNotify)nn_array_unref);
    GPtrArray *outputs = g_ptr_array_new_with_free_func((GDestroyNotify)nn_array_unref);
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < graph->inputs->len; i++) {
        NnArray *array = nn_value_array(graph->inputs->pdata[i], &error);
        g_autoptr(GRand) random = g_rand_new_with_seed(i);
        for (gsize k = 0; k < array->n; k++)
            nn_array_set(array, k, g_rand_double_range(random, -4, 4));
        g_ptr_array_add(inputs, array);
    }
    g_ptr_array_set_size(outputs, (gint)graph->outputs->len);
    nn_graph_evaluate(graph, (NnArray **)inputs->pdata, (NnArray **)outputs->pdata, &error);
    g_assert_no_error(error);
    return outputs;
}

static void assert_same(const NnArray *a, const NnArray *b)
{
    g_assert_cmpint(a->type, ==, b->type);
    g_assert_cmpint(a->rank, ==, b->rank);
    g_assert_cmpmem(a->dims, sizeof a->dims, b->dims, sizeof b->dims);
    for (gsize i = 0; i < a->n; i++) {
        const double x = nn_array_get(a, i), y = nn_array_get(b, i);
        if (x != y) /* infinities may be the same, too */
            g_assert_cmpfloat_with_epsilon(x, y, 1e-5 * MAX(1, fabs(x)));
    }
}

/* What every node of a consistent graph has. */
static void assert_consistent(const NnGraph *graph)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < graph->nodes->len; i++) {
        NnNode *node = graph->nodes->pdata[i];
        g_assert_nonnull(node->op);
        for (guint k = 0; k < node->inputs->len; k++) {
            const NnValue *input = node->inputs->pdata[k];
            g_assert_true(!input || !input->producer || input->constant ||
                          g_hash_table_contains(seen, input->producer));
            g_assert_true(!input || g_ptr_array_find(input->consumers, node, NULL));
        }
        g_hash_table_add(seen, node);
    }
}

/* Takes @builder. Optimises its graph, checks that the numbers stay and that what remains is the
 * node types of @expected, "Conv Relu", in order. */
static NnGraph *assert_becomes(OnnxBuilder *builder, const char *expected)
{
    g_autoptr(NnGraph) before = graph_of(builder);
    g_autoptr(NnGraph) after = nn_graph_copy(before);
    g_autoptr(GError) error = NULL;
    nn_graph_optimize(after, &error);
    g_assert_no_error(error);
    assert_consistent(after);

    g_autoptr(GString) types = g_string_new(NULL);
    for (guint i = 0; i < after->nodes->len; i++)
        g_string_append_printf(types, "%s%s", i ? " " : "",
                               ((NnNode *)after->nodes->pdata[i])->type);
    g_assert_cmpstr(types->str, ==, expected);

    g_autoptr(GPtrArray) a = evaluate(before), b = evaluate(after);
    for (guint i = 0; i < a->len; i++) {
        assert_same(a->pdata[i], b->pdata[i]);
        g_assert_cmpstr(((NnValue *)before->outputs->pdata[i])->name, ==,
                        ((NnValue *)after->outputs->pdata[i])->name);
    }
    return g_steal_pointer(&after);
}

static void assert_stays(OnnxBuilder *builder, const char *types)
{
    nn_graph_free(assert_becomes(builder, types));
}

static const NnNode *node_of(const NnGraph *graph, guint i)
{
    return graph->nodes->pdata[i];
}

/* A model of one input x [1][4][6][6] and the output z. */
static OnnxBuilder *model(int opset)
{
    OnnxBuilder *builder = onnx_builder_new(opset);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,4,6,6");
    onnx_builder_output(builder, "z");
    return builder;
}

static Onnx__NodeProto *add_conv(OnnxBuilder *builder, const char *in, const char *out)
{
    g_autofree char *weights = g_strconcat("w_", out, NULL);
    g_autofree char *inputs = g_strconcat(in, ",", weights, NULL);
    onnx_builder_floats(builder, weights, "4,4,3,3", NULL);
    Onnx__NodeProto *node = onnx_builder_node(builder, "Conv", inputs, out);
    onnx_node_ints(node, "pads", "1,1,1,1");
    return node;
}

/* ---------------------------------------------------------------- movement */

static void nodes_without_effect_go(void)
{
    OnnxBuilder *builder = model(13);
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
    OnnxBuilder *backwards = model(13), *half = model(13), *more = model(13);
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
    OnnxBuilder *builder = model(13);
    onnx_builder_node(builder, "Identity", "x", "z");
    assert_stays(builder, "Identity");
}

static void transpositions_cancel(void)
{
    OnnxBuilder *both = model(13), *one = model(13);
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
    OnnxBuilder *builder = model(13);
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
    OnnxBuilder *builder = model(13);
    onnx_builder_float(builder, "half", 0.5f);
    onnx_builder_float(builder, "too", 0.5f);
    onnx_builder_node(builder, "Mul", "x,half", "a");
    onnx_builder_node(builder, "Mul", "x,too", "b");
    onnx_builder_node(builder, "Exp", "a", "c");
    onnx_builder_node(builder, "Exp", "b", "d");
    onnx_builder_node(builder, "Mul", "c,d", "z");
    assert_stays(builder, "Mul Exp Mul");
}

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
    OnnxBuilder *builder = model(13);
    add_conv(builder, "x", "a");
    add_batch_norm(builder, "a", "z");
    assert_stays(builder, "Conv");
}

static void arithmetic_goes_into_the_weights(void)
{
    OnnxBuilder *builder = model(13);
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
    OnnxBuilder *builder = model(13);
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
    OnnxBuilder *twice = model(13), *output = model(13);
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
        OnnxBuilder *builder = model(13);
        onnx_builder_float(builder, "factor", cases[i].factor);
        add_conv(builder, "x", "a");
        onnx_builder_node(builder, cases[i].type, "a", "b");
        onnx_builder_node(builder, "Mul", "b,factor", "z");
        assert_stays(builder, cases[i].becomes);
    }
}

static void numbers_are_multiplied_where_tensors_are_small(void)
{
    OnnxBuilder *builder = model(13), *used = model(13);
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
    OnnxBuilder *builder = model(13);
    onnx_builder_floats(builder, "columns", "6", NULL);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "Mul", "a,columns", "z");
    assert_stays(builder, "Conv Mul");
}

static void weights_that_would_overflow_stay(void)
{
    OnnxBuilder *builder = model(13);
    onnx_builder_float(builder, "huge", 3e38f);
    onnx_builder_float(builder, "tiny", 1e-38f);
    onnx_builder_floats(builder, "w", "1,4,1,1", (float[]){ 2, 3, 4, 5 });
    onnx_builder_node(builder, "Mul", "x,tiny", "a");
    onnx_builder_node(builder, "Conv", "a,w", "b");
    onnx_builder_node(builder, "Mul", "b,huge", "z");
    assert_stays(builder, "Mul Conv Mul");
}

/* ---------------------------------------------------------------- padding */

static OnnxBuilder *padded_model(const char *pads, const char *mode, float value)
{
    OnnxBuilder *builder = model(13);
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
        OnnxBuilder *builder = model(opset);
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
    OnnxBuilder *builder = model(13);
    onnx_builder_ints(builder, "samples", "4,1,6,6");
    onnx_builder_ints(builder, "channels", "1,8,4,4");
    onnx_builder_floats(builder, "filter", "2,1,3,3", NULL);
    onnx_builder_node(builder, "Reshape", "x,samples", "d");
    onnx_builder_node(builder, "Conv", "d,filter", "e");
    onnx_builder_node(builder, "Reshape", "e,channels", "z");
    assert_stays(builder, "Reshape Conv Reshape");
}

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
        OnnxBuilder *builder = model(14);
        add_conv(builder, "x", "a");
        onnx_builder_node(builder, cases[i].type, "a", "z");
        g_autoptr(NnGraph) graph = assert_becomes(builder, "Conv");
        g_assert_cmpint(node_of(graph, 0)->activation.type, ==, cases[i].activation);
    }
}

static void the_numbers_of_an_activation_are_kept(void)
{
    OnnxBuilder *leaky = model(13), *clip = model(13), *old_clip = model(10), *hard = model(13);
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
    OnnxBuilder *builder = model(13);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "Tanh", "a", "b");
    onnx_builder_node(builder, "Relu", "b", "z");
    assert_stays(builder, "Conv Relu");
}

static void a_result_needed_before_its_activation_stays(void)
{
    OnnxBuilder *builder = model(13);
    add_conv(builder, "x", "y");
    onnx_builder_node(builder, "Relu", "y", "z");
    onnx_builder_output(builder, "y");
    assert_stays(builder, "Conv Relu");
}

/* As in MODNet: half of the channels normalised one way, half another, then one ReLU. */
static void an_activation_goes_through_a_concat(void)
{
    OnnxBuilder *builder = model(13);
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
    OnnxBuilder *builder = model(13), *used = model(13);
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
    OnnxBuilder *builder = model(13);
    add_conv(builder, "x", "a");
    onnx_node_int(onnx_builder_node(builder, "Concat", "a,x", "c"), "axis", 1);
    onnx_builder_node(builder, "Relu", "c", "z");
    assert_stays(builder, "Conv Concat Relu");
}

/* ---------------------------------------------------------------- HardSwish as it is written */

static OnnxBuilder *swish_model(void)
{
    OnnxBuilder *builder = model(13);
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
    OnnxBuilder *gate = swish_model(), *product = swish_model(), *named = model(13);
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
    OnnxBuilder *builder = model(13);
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
    OnnxBuilder *builder = model(13);
    add_conv(builder, "x", "a");
    add_conv(builder, "x", "b");
    onnx_builder_node(builder, "Add", "b,a", "z");
    g_autoptr(NnGraph) graph = assert_becomes(builder, "Conv Conv");
    g_assert_cmpint(node_of(graph, 0)->residual, ==, -1);
    g_assert_cmpint(node_of(graph, 1)->residual, ==, 3);
}

static void a_residual_that_comes_later_is_waited_for(void)
{
    OnnxBuilder *builder = model(13);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "Exp", "x", "b");
    onnx_builder_node(builder, "Add", "a,b", "z");
    assert_stays(builder, "Exp Conv");
}

static void a_residual_behind_an_activation_stays(void)
{
    OnnxBuilder *builder = model(13);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "Relu", "a", "b");
    onnx_builder_node(builder, "Add", "x,b", "z");
    assert_stays(builder, "Conv Add");
}

static void a_residual_that_is_broadcast_stays(void)
{
    OnnxBuilder *builder = model(13);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "GlobalAveragePool", "x", "b");
    onnx_builder_node(builder, "Add", "a,b", "z");
    assert_stays(builder, "Conv GlobalAveragePool Add");
}

static void a_result_added_to_itself_stays(void)
{
    OnnxBuilder *builder = model(13);
    add_conv(builder, "x", "a");
    onnx_builder_node(builder, "Add", "a,a", "z");
    assert_stays(builder, "Conv Add");
}

/* ---------------------------------------------------------------- scales */

/* "style": a number for each of x's channels, computed from it. */
static void add_style(OnnxBuilder *builder)
{
    onnx_builder_node(builder, "GlobalAveragePool", "x", "style");
}

static void computed_scales_go_into_a_convolution(void)
{
    OnnxBuilder *builder = model(13);
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
    OnnxBuilder *builder = model(13);
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
    OnnxBuilder *builder = model(13);
    add_conv(builder, "x", "a");
    add_style(builder);
    onnx_builder_node(builder, "Relu", "a", "b");
    onnx_builder_node(builder, "Mul", "b,style", "c");
    onnx_builder_node(builder, "Mul", "c,style", "z");
    assert_stays(builder, "GlobalAveragePool Conv Mul");
}

static void a_scale_of_something_else_stays(void)
{
    OnnxBuilder *rows = model(13);
    add_conv(rows, "x", "a");
    onnx_node_ints(onnx_builder_node(rows, "ReduceMean", "x", "row"), "axes", "1,2");
    onnx_builder_node(rows, "Mul", "a,row", "z");
    assert_stays(rows, "Conv ReduceMean Mul");

    OnnxBuilder *shared = model(13);
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
    OnnxBuilder *builder = model(13);
    add_conv(builder, "x", "a");
    onnx_builder_floats(builder, "slopes", "4,1,1", NULL);
    onnx_builder_node(builder, "PRelu", "a,slopes", "z");
    g_autoptr(NnGraph) graph = assert_becomes(builder, "Conv");
    g_assert_cmpint(node_of(graph, 0)->activation.type, ==, NN_ACT_PRELU);
}

/* MODNet's IBNorm; @end is where the second half ends. */
static OnnxBuilder *halves_model(const char *end)
{
    OnnxBuilder *builder = model(13);
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
    OnnxBuilder *builder = model(13);
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

    builder = model(13);
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
    OnnxBuilder *builder = model(13);
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

/* The function's name is the sentence. */
static void add(const char *name, GTestFunc test)
{
    g_autofree char *path = g_strdelimit(g_strconcat("/fuse/", name, NULL), "_", ' ');
    g_test_add_func(path, test);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name) add(#name, name)
    TEST(nodes_without_effect_go);
    TEST(nodes_with_effect_stay);
    TEST(an_input_that_is_an_output_keeps_both_names);
    TEST(transpositions_cancel);
    TEST(reshapes_in_a_row_become_one);
    TEST(what_is_computed_twice_is_computed_once);
    TEST(batch_normalization_goes_into_the_weights);
    TEST(arithmetic_goes_into_the_weights);
    TEST(transposed_and_grouped_weights_are_scaled_right);
    TEST(a_result_used_elsewhere_is_not_scaled);
    TEST(a_positive_factor_goes_through_relu);
    TEST(numbers_are_multiplied_where_tensors_are_small);
    TEST(arithmetic_along_another_axis_stays);
    TEST(weights_that_would_overflow_stay);
    TEST(zeros_around_go_into_a_convolution);
    TEST(automatic_padding_is_counted_in);
    TEST(zeros_around_go_into_an_average_that_counts_them);
    TEST(only_the_lowest_number_around_goes_into_a_maximum);
    TEST(one_filter_for_all_channels_is_a_depthwise_convolution);
    TEST(a_filter_with_several_results_stays);
    TEST(every_activation_goes_into_the_epilogue);
    TEST(the_numbers_of_an_activation_are_kept);
    TEST(only_one_activation_fits);
    TEST(a_result_needed_before_its_activation_stays);
    TEST(an_activation_goes_through_a_concat);
    TEST(an_activation_goes_through_what_only_moves);
    TEST(an_activation_does_not_go_where_it_changes_others);
    TEST(every_way_to_write_hard_swish_is_one_node);
    TEST(a_hard_sigmoid_written_out_is_one_node);
    TEST(what_only_looks_like_hard_swish_stays);
    TEST(a_residual_goes_into_the_epilogue);
    TEST(of_two_convolutions_the_last_takes_the_residual);
    TEST(a_residual_that_comes_later_is_waited_for);
    TEST(a_residual_behind_an_activation_stays);
    TEST(a_residual_that_is_broadcast_stays);
    TEST(a_result_added_to_itself_stays);
    TEST(computed_scales_go_into_a_convolution);
    TEST(a_scale_behind_a_bias_comes_last);
    TEST(nothing_goes_behind_the_last_scale);
    TEST(a_scale_of_something_else_stays);
    TEST(slopes_for_channels_go_into_a_convolution);
    TEST(halves_of_two_normalisations_are_a_convolution_and_one);
    TEST(halves_that_are_needed_elsewhere_stay);
    TEST(numbers_for_channels_go_past_a_concat);
    TEST(what_no_convolution_computes_stays_behind_a_concat);
    TEST(arithmetic_in_a_row_is_one_convolution);
    TEST(bias_and_factor_go_into_a_product);
    TEST(products_of_one_vector_are_one);
    TEST(a_vector_by_its_norm_takes_two_nodes);
    TEST(norms_of_parts_of_a_vector_are_one);
    return g_test_run();
}
