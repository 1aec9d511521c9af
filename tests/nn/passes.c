/* passes.c - what tests of the passes share: the graph and its numbers before and after.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "passes.h"

#include <math.h>

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

NnGraph *assert_becomes(OnnxBuilder *builder, const char *expected)
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

void assert_stays(OnnxBuilder *builder, const char *types)
{
    nn_graph_free(assert_becomes(builder, types));
}

const NnNode *node_of(const NnGraph *graph, guint i)
{
    return graph->nodes->pdata[i];
}

OnnxBuilder *test_model(int opset)
{
    OnnxBuilder *builder = onnx_builder_new(opset);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,4,6,6");
    onnx_builder_output(builder, "z");
    return builder;
}

Onnx__NodeProto *add_conv(OnnxBuilder *builder, const char *in, const char *out)
{
    g_autofree char *weights = g_strconcat("w_", out, NULL);
    g_autofree char *inputs = g_strconcat(in, ",", weights, NULL);
    onnx_builder_floats(builder, weights, "4,4,3,3", NULL);
    Onnx__NodeProto *node = onnx_builder_node(builder, "Conv", inputs, out);
    onnx_node_ints(node, "pads", "1,1,1,1");
    return node;
}

void add_pass_test(const char *name, GTestFunc test)
{
    g_autofree char *path = g_strdelimit(g_strconcat("/fuse/", name, NULL), "_", ' ');
    g_test_add_func(path, test);
}
