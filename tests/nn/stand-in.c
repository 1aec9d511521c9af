/* stand-in.c - a CPU in the place of a GPU: what would be launched there, and what it gives.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stand-in.h"

#include <string.h>

#include "recorder.h"

/* What launchers ask about. */
static const struct {
    const char *kind;
    OclClass device_class;
    guint compute_capability, compute_units;
} kinds[] = {
    { "hopper", OCL_CLASS_NVIDIA, 90, 132 },
    { "ampere", OCL_CLASS_NVIDIA, 80, 108 },
    { "gpu", OCL_CLASS_GENERIC, 0, 64 },
};

gboolean stand_in_for(OclDevice *device, const char *kind, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(kinds[i].kind, kind) != 0)
            continue;
        if (!(device->type & CL_DEVICE_TYPE_CPU)) {
            g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                        "only a CPU stands in for another device, give --device cpu");
            return FALSE;
        }
        device->device_class = kinds[i].device_class;
        device->compute_capability = kinds[i].compute_capability;
        device->compute_units = kinds[i].compute_units;
        device->vector_width = 1;
        return TRUE;
    }
    g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "no kind of device '%s': hopper, ampere or gpu",
                kind);
    return FALSE;
}

static void print_launches(const GPtrArray *launches)
{
    g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < launches->len; i++) {
        const NnLaunch *launch = launches->pdata[i];
        const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, launch->function)) + 1;
        g_hash_table_insert(counts, launch->function, GUINT_TO_POINTER(n));
        g_print("%-24s %-40s %s\n", launch->function, launch->shape, launch->node);
    }
    g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(counts), (GCompareFunc)strcmp);
    g_print("%u launches\n", launches->len);
    for (const GList *name = names; name; name = name->next)
        g_print("%5u %s\n", GPOINTER_TO_UINT(g_hash_table_lookup(counts, name->data)),
                (const char *)name->data);
}

gboolean stand_in_print_launches(NnModel *model, OclDevice *device, const NnNetworkParams *params,
                                 GError **error)
{
    const gboolean fp16 =
        params->precision == NN_PRECISION_FP16 ||
        (params->precision == NN_PRECISION_AUTO && device->device_class == OCL_CLASS_NVIDIA);
    g_autoptr(NnGraph) graph = nn_graph_copy(nn_model_graph(model));
    if (!nn_graph_infer(graph, params->inputs, params->n_inputs, error) ||
        (!params->no_fusion && !nn_graph_optimize(graph, error)) ||
        (fp16 && !nn_graph_centre(graph, error)))
        return FALSE;
    if (fp16)
        nn_graph_make_room(graph);
    g_autoptr(NnRecorder) recorder = nn_recorder_new(device, fp16, params->variant);
    recorder->max_samples = params->max_samples;
    recorder->samples = params->max_samples;
    if (!nn_recorder_record(recorder, graph, error))
        return FALSE;
    print_launches(recorder->launches);
    return TRUE;
}
