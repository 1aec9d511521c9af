/* launch_softmax.c - Softmax, LogSoftmax, Hardmax.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_util.h"

#include <string.h>

gboolean nn_launch_softmax(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    int axis = 0;
    if (x->rank > 0 && !nn_resolve_axis(node, nn_node_int(node, "axis", node->opset < 13 ? 1 : -1),
                                        x->rank, &axis, error))
        return FALSE;
    if (nn_view_count(y) == 0)
        return TRUE;

    /* Before opset 13 all axes from there on are one lane. */
    const guint mask = x->rank == 0 ? 0 : node->opset < 13 ? ~0u << axis : 1u << axis;
    NnView across[2], along[2];
    nn_view_split(y, mask, &across[0], &along[0]);
    nn_view_split(x, mask, &across[1], &along[1]);
    nn_views_collapse(across, 2);
    nn_views_merge(along, 2);

    NnLaunch *launch =
        nn_recorder_launch(recorder, node, "softmax.cl", "softmax_general",
                           "-DOP=%s -DTX=%s -DTY=%s -DRANK=%d -DLANE_RANK=%d%s", node->type,
                           nn_kernel_type(x->type), nn_kernel_type(y->type), across[0].rank,
                           along[0].rank, strcmp(node->type, "Hardmax") == 0 ? " -DHARDMAX" : "");
    nn_launch_strided(launch, &across[1]);
    nn_launch_strides(launch, &along[1]);
    nn_launch_strided(launch, &across[0]);
    nn_launch_strides(launch, &along[0]);
    nn_launch_extents(launch, across[0].rank, across[0].dims);
    nn_launch_extents(launch, along[0].rank, along[0].dims);
    nn_launch_int(launch, (gint32)nn_view_count(&across[0]));
    nn_launch_int(launch, (gint32)nn_view_count(&along[0]));
    nn_launch_cost(launch, 4.0 * (double)nn_view_count(x));
    nn_launch_items(launch, y, nn_view_count(&across[0]), 1);
    return TRUE;
}
