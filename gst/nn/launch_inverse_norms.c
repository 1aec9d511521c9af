/* launch_inverse_norms.c - InverseNorms: weighted norms of parts of one vector.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_util.h"

#define GROUP 64 /* work-items that share a row on a GPU */

gboolean nn_launch_inverse_norms(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const gboolean on_cpu = nn_recorder_device(recorder)->device_class == OCL_CLASS_CPU;
    const gint64 dims[1] = { nn_recorder_input(recorder, node, 0)->dims[1] };
    const gint64 strides[1] = { nn_recorder_input(recorder, node, 0)->strides[1] };
    const NnView *weights = nn_recorder_input(recorder, node, 1);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const NnArray *table = nn_node_input(node, 2)->constant;
    const gsize rows = (gsize)table->dims[0];

    NnView x = nn_view_strided(nn_recorder_input(recorder, node, 0), 1, dims, strides);
    if (strides[0] != 1) {
        const NnView from = x;
        x = nn_recorder_scratch(recorder, x.type, (gsize)dims[0]);
        if (!nn_record_copy(recorder, node, &x, &from, error))
            return FALSE;
    }
    g_autofree gint32 *places = g_new(gint32, MAX(table->n, 1));
    for (gsize i = 0; i < table->n; i++)
        places[i] = (gint32)((const gint64 *)table->data)[i];
    const NnView places_view = nn_recorder_constant(recorder, NN_INT32, table->n, places);

    const guint group = on_cpu ? 1 : GROUP;
    NnLaunch *launch =
        nn_recorder_launch(recorder, node, "inverse_norms.cl", "inverse_norms",
                           "-DTX=%s -DTY=%s -DGROUP=%u -DVW=%u", nn_kernel_type(x.type),
                           nn_kernel_type(y->type), group, on_cpu ? nn_vector_width(recorder) : 1);
    nn_launch_strided(launch, &x);
    nn_launch_buffer(launch, weights);
    nn_launch_buffer(launch, &places_view);
    nn_launch_strided(launch, y);
    nn_launch_float(launch, nn_node_float(node, "epsilon", 0));
    nn_launch_cost(launch, 3.0 * (double)nn_view_count(weights));
    const gsize global[3] = { rows * group, 1, 1 }, local[3] = { group, 1, 1 };
    nn_launch_size(launch, 3, global, local, y->storage->shared ? -1 : 2);
    return TRUE;
}
