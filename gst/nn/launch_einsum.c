/* launch_einsum.c - Einsum.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_util.h"

/* Operand @i under all labels of the equation. */
static NnView label_view(NnRecorder *recorder, const NnNode *node, const NnEinsumParams *params,
                         guint i)
{
    const NnView *view = nn_recorder_input(recorder, node, i);
    gint64 strides[NN_MAX_RANK];
    nn_einsum_strides(params, i, view->rank, view->dims, view->strides, strides);
    return nn_view_strided(view, params->n_labels, params->dims, strides);
}

gboolean nn_launch_einsum(NnRecorder *recorder, const NnNode *node, GError **error)
{
    NnEinsumParams params;
    if (!nn_einsum_params(node, &params, error))
        return FALSE;
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const guint n_operands = node->inputs->len;
    const guint summed = ~0u << params.n_result;
    NnView across[3], along[3];
    nn_view_split(y, 0, &across[0], &along[0]);
    for (guint i = 0; i < 2; i++) {
        const NnView operand = label_view(recorder, node, &params, MIN(i, n_operands - 1));
        nn_view_split(&operand, summed, &across[1 + i], &along[1 + i]);
    }
    nn_views_collapse(across, 3);
    nn_views_collapse(along + 1, 2);
    const gint64 count = nn_view_count(&across[0]), n_lane = nn_view_count(&along[1]);
    if (count == 0)
        return TRUE;
    if (n_lane > G_MAXINT32)
        return nn_node_error(node, error, NN_ERROR_TOO_LARGE, "too many products");

    NnLaunch *launch =
        nn_recorder_launch(recorder, node, "einsum.cl", "einsum",
                           "-DTA=%s -DTB=%s -DTY=%s -DOPERANDS=%u -DRANK=%d -DLANE_RANK=%d",
                           nn_kernel_type(across[1].type), nn_kernel_type(across[2].type),
                           nn_kernel_type(y->type), n_operands, across[0].rank, along[1].rank);
    for (int i = 1; i < 3; i++) {
        nn_launch_strided(launch, &across[i]);
        nn_launch_strides(launch, &along[i]);
    }
    nn_launch_strided(launch, &across[0]);
    nn_launch_extents(launch, across[0].rank, across[0].dims);
    nn_launch_extents(launch, along[1].rank, along[1].dims);
    nn_launch_int(launch, (gint32)count);
    nn_launch_int(launch, (gint32)n_lane);
    nn_launch_cost(launch, 2.0 * (double)count * (double)n_lane);
    nn_launch_items(launch, y, count, 1);
    return TRUE;
}
