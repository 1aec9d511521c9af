/* launch_topk.c - TopK.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_util.h"

gboolean nn_launch_top_k(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const NnView *indices = nn_recorder_output(recorder, node, 1);
    int axis;
    if (!nn_resolve_axis(node, nn_node_int(node, "axis", -1), x->rank, &axis, error))
        return FALSE;
    if (nn_view_count(y) == 0)
        return TRUE;
    NnView across[3], along[3];
    nn_view_split(y, 1u << axis, &across[0], &along[0]);
    nn_view_split(x, 1u << axis, &across[1], &along[1]);
    nn_view_split(indices ? indices : y, 1u << axis, &across[2], &along[2]);
    nn_views_collapse(across, 3);
    const gint64 lanes = nn_view_count(&across[0]), n_lane = x->dims[axis];
    if (lanes > G_MAXINT32 / n_lane)
        return nn_node_error(node, error, NN_ERROR_TOO_LARGE, "too many elements");

    NnLaunch *launch = nn_recorder_launch(
        recorder, node, "topk.cl", "top_k", "-DTX=%s -DTY=%s -DLARGEST=%d -DINDICES=%d -DRANK=%d",
        nn_kernel_type(x->type), nn_kernel_type(y->type), nn_node_int(node, "largest", 1) != 0,
        indices != NULL, across[0].rank);
    nn_launch_strided(launch, &across[1]);
    nn_launch_strided(launch, &across[0]);
    nn_launch_strided(launch, &across[2]);
    nn_launch_extents(launch, across[0].rank, across[0].dims);
    nn_launch_int(launch, (gint32)lanes);
    nn_launch_int(launch, (gint32)n_lane);
    nn_launch_int(launch, (gint32)y->dims[axis]);
    nn_launch_int(launch, (gint32)along[1].strides[0]);
    nn_launch_int(launch, (gint32)along[0].strides[0]);
    nn_launch_int(launch, (gint32)along[2].strides[0]);
    nn_launch_cost(launch, (double)lanes * (double)n_lane * (double)n_lane);
    nn_launch_items(launch, y, lanes * n_lane, 1);
    return TRUE;
}
