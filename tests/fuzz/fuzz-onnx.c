/* fuzz-onnx.c - libFuzzer target: any bytes as a model, as far as to the graph that would be run.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "nn.h"
#include "operator.h"

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size_b);

/* What a user would have to say about open inputs. */
#define OPEN_SIZE 8

static void bind_open_dims(const NnGraph *graph, GArray *bindings)
{
    for (guint i = 0; i < graph->inputs->len; i++) {
        const NnValue *input = graph->inputs->pdata[i];
        NnBinding binding = { .name = input->name, .rank = input->rank };
        if (input->rank < 0)
            continue;
        for (int k = 0; k < input->rank; k++)
            binding.dims[k] = input->dims[k] < 0 ? OPEN_SIZE : input->dims[k];
        g_array_append_val(bindings, binding);
    }
}

static void prepare(const NnGraph *model)
{
    g_autoptr(NnGraph) graph = nn_graph_copy(model);
    g_autoptr(GArray) bindings = g_array_new(FALSE, FALSE, sizeof(NnBinding));
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < graph->inputs->len; i++)
        nn_graph_input_steers_shapes(graph, graph->inputs->pdata[i]);
    bind_open_dims(model, bindings);
    if (nn_graph_infer(graph, (NnBinding *)bindings->data, bindings->len, &error) &&
        nn_graph_optimize(graph, &error))
        g_assert_no_error(error);
    else
        g_assert_nonnull(error);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size_b)
{
    g_autoptr(GBytes) bytes = g_bytes_new(data, size_b);
    g_autoptr(GError) error = NULL;
    g_autoptr(NnModel) model = nn_model_load_bytes(bytes, "fuzz.onnx", &error);

    g_assert_true((model != NULL) == (error == NULL));
    if (model)
        prepare(nn_model_graph(model));
    return 0;
}
