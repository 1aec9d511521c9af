/* test-parts.c - memory for sums in parts, which several launches share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_util.h"
#include "onnx-builder.h"
#include "recorder.h"
#include "stand-in.h"

static OclDevice *device;

/* Deep sums over small maps of two sizes, which GPUs with tensor cores cut into parts. */
static NnModel *make_model(void)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,512,16,16");
    onnx_builder_floats(builder, "v", "512,512,3,3", NULL);
    onnx_builder_floats(builder, "w", "256,512,3,3", NULL);
    onnx_node_ints(onnx_builder_node(builder, "Conv", "x,v", "a"), "pads", "1,1,1,1");
    Onnx__NodeProto *last = onnx_builder_node(builder, "Conv", "a,w", "y");
    onnx_node_ints(last, "pads", "1,1,1,1");
    onnx_node_ints(last, "strides", "2,2");
    onnx_builder_output(builder, "y");
    g_autoptr(GBytes) bytes = onnx_builder_pack(builder);
    g_autoptr(GError) error = NULL;
    NnModel *model = nn_model_load_bytes(bytes, "test.onnx", &error);
    g_assert_no_error(error);
    return model;
}

static void test_they_are_in_one_place(gconstpointer kind)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(stand_in_for(device, kind, &error));
    g_autoptr(NnModel) model = make_model();
    g_autoptr(NnGraph) graph = nn_graph_copy(nn_model_graph(model));
    g_assert_true(nn_graph_infer(graph, NULL, 0, &error));
    g_autoptr(NnRecorder) recorder = nn_recorder_new(device, TRUE, NULL);
    recorder->max_samples = recorder->samples = 1;
    g_assert_true(nn_recorder_record(recorder, graph, &error));
    g_assert_no_error(error);

    const NnStorage *parts = NULL;
    gint64 most = 0;
    guint n_launches = 0;
    for (guint i = 0; i < recorder->launches->len; i++) {
        const NnLaunch *launch = recorder->launches->pdata[i];
        for (guint k = 0; k < launch->arguments->len; k++) {
            const NnArgument *argument = &g_array_index(launch->arguments, NnArgument, k);
            if (argument->kind != NN_ARGUMENT_BUFFER)
                continue;
            const NnStorage *storage = argument->view.storage;
            if (storage->constant || storage->counters)
                continue;
            g_assert_true(!parts || parts == storage);
            parts = storage;
            most = MAX(most, nn_view_count(&argument->view));
            n_launches++;
        }
    }
    g_assert_cmpuint(n_launches, ==, 2);
    g_assert_cmpuint(parts->size_b, >=, 4 * (gsize)most);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    device = ocl_device_open("cpu", &error);
    if (!device) {
        g_print("1..0 # SKIP %s\n", error->message);
        return 0;
    }
    g_test_add_data_func("/parts/of all launches are in one place, Hopper", "hopper",
                         test_they_are_in_one_place);
    g_test_add_data_func("/parts/of all launches are in one place, Ampere", "ampere",
                         test_they_are_in_one_place);
    const int status = g_test_run();
    ocl_device_unref(device);
    return status;
}
