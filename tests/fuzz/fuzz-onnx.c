/* fuzz-onnx.c - libFuzzer target: any bytes as a model, as far as to the launches and the memory of
 * a device that is not there.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <internal.h> /* of gst/ocl */

#include "nn.h"
#include "operator.h"
#include "recorder.h"

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

/* What launchers ask about. A CPU that stands in for a GPU has all launchers of Hopper, which would
 * try a program on a real one. */
static OclDevice *make_device(OclClass device_class, guint compute_capability)
{
    OclDevicePrivate *private = g_new0(OclDevicePrivate, 1);
    private->n_refs = 1;
    private->base = (OclDevice){ .device_class = device_class,
                                 .type = CL_DEVICE_TYPE_CPU,
                                 .compute_units = 4,
                                 .vector_width = device_class == OCL_CLASS_CPU ? 16 : 4,
                                 .compute_capability = compute_capability,
                                 .max_allocation_b = 1 << 30,
                                 .cache_b = 1 << 16,
                                 .local_memory_b = 48 << 10,
                                 .max_work_group = 1024,
                                 .base_align_b = 128 };
    return &private->base;
}

static void record(NnGraph *graph, OclDevice *device, gboolean fp16)
{
    g_autoptr(NnRecorder) recorder = nn_recorder_new(device, fp16, NULL);
    g_autoptr(GError) error = NULL;
    const NnPlanParams plan = { .max_samples = 2,
                                .may_take_turns = device->device_class == OCL_CLASS_CPU };
    recorder->max_samples = recorder->samples = plan.max_samples;
    if (nn_recorder_record(recorder, graph, &error)) {
        g_assert_no_error(error);
        nn_plan_free(nn_plan_new(recorder, graph, &plan, &error));
    } else {
        g_assert_nonnull(error);
    }
}

static void prepare(const NnGraph *model)
{
    static OclDevice *cpu, *gpu;
    g_autoptr(NnGraph) graph = nn_graph_copy(model);
    g_autoptr(GArray) bindings = g_array_new(FALSE, FALSE, sizeof(NnBinding));
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < graph->inputs->len; i++)
        nn_graph_input_steers_shapes(graph, graph->inputs->pdata[i]);
    bind_open_dims(model, bindings);
    if (nn_graph_infer(graph, (NnBinding *)bindings->data, bindings->len, &error) &&
        nn_graph_optimize(graph, &error)) {
        g_assert_no_error(error);
        g_autoptr(NnGraph) copy = nn_graph_copy(graph);
        cpu = cpu ? cpu : make_device(OCL_CLASS_CPU, 0);
        gpu = gpu ? gpu : make_device(OCL_CLASS_NVIDIA, 90);
        record(graph, cpu, FALSE);
        if (nn_graph_infer(copy, NULL, 0, NULL) && nn_graph_centre(copy, NULL)) {
            nn_graph_make_room(copy);
            record(copy, gpu, TRUE);
        }
    } else {
        g_assert_nonnull(error);
    }
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
