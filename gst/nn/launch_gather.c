/* launch_gather.c - Gather*, Scatter*, OneHot: elements chosen by a tensor of indices.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_util.h"

#include <string.h>

static NnLaunch *launch_choice(NnRecorder *recorder, const NnNode *node, const char *function,
                               const NnView *x, const NnView *indices, const NnView *y)
{
    NnLaunch *launch = nn_recorder_launch(
        recorder, node, "gather.cl", function, "-DTX=%s -DTI=%s -DTY=%s -DRANK=%d",
        nn_kernel_type(x->type), nn_kernel_type(indices->type), nn_kernel_type(y->type), y->rank);
    nn_launch_strided(launch, x);
    nn_launch_strided(launch, indices);
    nn_launch_strided(launch, y);
    nn_launch_extents(launch, y->rank, y->dims);
    nn_launch_items(launch, y, nn_view_count(y), 1);
    return launch;
}

/* Gathering along an axis by @x and @indices as seen over the axes of y. */
static void record_gather(NnRecorder *recorder, const NnNode *node, const NnView *x,
                          const NnView *indices, gint64 axis_stride, gint64 axis_size)
{
    NnView views[3] = { *nn_recorder_output(recorder, node, 0), *x, *indices };
    nn_views_collapse(views, 3);
    NnLaunch *launch = launch_choice(recorder, node, "gather", &views[1], &views[2], &views[0]);
    nn_launch_int(launch, (gint32)nn_view_count(&views[0]));
    nn_launch_int(launch, (gint32)axis_stride);
    nn_launch_int(launch, (gint32)axis_size);
}

/* y[before..., index axes..., after...]: x has stride 0 on the index axes, the indices on the
 * others. */
static void spread_over_output(const NnView *x, const NnView *indices, int axis, const NnView *y,
                               NnView *x_spread, NnView *indices_spread)
{
    *x_spread = nn_view_strided(x, y->rank, y->dims, y->strides);
    *indices_spread = nn_view_strided(indices, y->rank, y->dims, y->strides);
    for (int i = 0; i < y->rank; i++) {
        const int k = i - axis; /* axis of the indices */
        const gboolean is_index = k >= 0 && k < indices->rank;
        x_spread->strides[i] = is_index ? 0 : x->strides[i < axis ? i : i - indices->rank + 1];
        indices_spread->strides[i] = is_index ? indices->strides[k] : 0;
    }
}

static gboolean launch_gather(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *indices = nn_recorder_input(recorder, node, 1);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    int axis;
    if (!nn_resolve_axis(node, nn_node_int(node, "axis", 0), x->rank, &axis, error))
        return FALSE;
    NnView x_spread, indices_spread;
    spread_over_output(x, indices, axis, y, &x_spread, &indices_spread);
    record_gather(recorder, node, &x_spread, &indices_spread, x->strides[axis], x->dims[axis]);
    return TRUE;
}

static gboolean launch_gather_elements(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *indices = nn_recorder_input(recorder, node, 1);
    int axis;
    if (!nn_resolve_axis(node, nn_node_int(node, "axis", 0), x->rank, &axis, error))
        return FALSE;
    NnView walked = nn_view_strided(x, x->rank, indices->dims, x->strides);
    walked.strides[axis] = 0;
    record_gather(recorder, node, &walked, indices, x->strides[axis], x->dims[axis]);
    return TRUE;
}

/* The axes of @x from @first on that tuples of @depth indices address: sizes and strides. */
static void add_tuple_axes(NnLaunch *launch, const NnView *x, int first, gint64 depth)
{
    nn_launch_extents(launch, (int)depth, x->dims + first);
    nn_launch_extents(launch, (int)depth, x->strides + first);
}

/* y[batch..., rows of tuples..., slice...]. */
static gboolean launch_gather_nd(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *indices = nn_recorder_input(recorder, node, 1);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const int batch = (int)nn_node_int(node, "batch_dims", 0);
    const gint64 depth = indices->dims[indices->rank - 1];
    const int n_rows = indices->rank - 1;

    NnView from = nn_view_strided(x, y->rank, y->dims, y->strides);
    NnView tuples = nn_view_strided(indices, y->rank, y->dims, y->strides);
    for (int i = 0; i < y->rank; i++) {
        tuples.strides[i] = i < n_rows ? indices->strides[i] : 0;
        from.strides[i] = i < batch    ? x->strides[i]
                          : i < n_rows ? 0
                                       : x->strides[i - n_rows + batch + depth];
    }
    NnView to = *y;
    if (to.rank == 0) {
        to.rank = from.rank = tuples.rank = 1;
        to.dims[0] = from.dims[0] = tuples.dims[0] = 1;
        to.strides[0] = from.strides[0] = tuples.strides[0] = 0;
    }
    NnLaunch *launch = launch_choice(recorder, node, "gather_nd", &from, &tuples, &to);
    add_tuple_axes(launch, x, batch, depth);
    nn_launch_int(launch, (gint32)nn_view_count(y));
    nn_launch_int(launch, (gint32)depth);
    nn_launch_int(launch, (gint32)indices->strides[indices->rank - 1]);
    return TRUE;
}

static gboolean launch_one_hot(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *indices = nn_recorder_input(recorder, node, 0);
    const NnView *values = nn_recorder_input(recorder, node, 2);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    int axis;
    if (!nn_resolve_axis(node, nn_node_int(node, "axis", -1), y->rank, &axis, error))
        return FALSE;
    NnView walked = nn_view_strided(indices, y->rank, y->dims, y->strides);
    gint64 position[NN_MAX_RANK] = { 0 };
    position[axis] = 1;
    for (int i = 0; i < y->rank; i++)
        walked.strides[i] = i == axis ? 0 : indices->strides[i < axis ? i : i - 1];
    NnLaunch *launch = launch_choice(recorder, node, "one_hot", values, &walked, y);
    nn_launch_extents(launch, y->rank, position);
    nn_launch_int(launch, (gint32)nn_view_count(y));
    nn_launch_int(launch, (gint32)y->dims[axis]);
    return TRUE;
}

/* ---------------------------------------------------------------- Scatter */

/* REDUCTION in gather.cl. */
static const char *reduction_of(const NnNode *node)
{
    static const char *const names[][2] = {
        { "add", "ADD" }, { "mul", "MUL" }, { "max", "MAX" }, { "min", "MIN" }
    };
    const char *reduction = nn_node_string(node, "reduction", "none");
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(reduction, names[i][0]) == 0)
            return names[i][1];
    return "NONE";
}

static NnLaunch *launch_scatter(NnRecorder *recorder, const NnNode *node, const char *function,
                                int rank, int lane_rank)
{
    const NnView *y = nn_recorder_output(recorder, node, 0);
    return nn_recorder_launch(
        recorder, node, "gather.cl", function,
        "-DTX=%s -DTI=%s -DTY=%s -DTU=%s -DREDUCTION=%s -DRANK=%d -DLANE_RANK=%d",
        nn_kernel_type(y->type), nn_kernel_type(nn_recorder_input(recorder, node, 1)->type),
        nn_kernel_type(y->type), nn_kernel_type(nn_recorder_input(recorder, node, 2)->type),
        reduction_of(node), rank, lane_rank);
}

static gboolean launch_scatter_elements(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *indices = nn_recorder_input(recorder, node, 1);
    const NnView *updates = nn_recorder_input(recorder, node, 2);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    int axis;
    if (!nn_resolve_axis(node, nn_node_int(node, "axis", 0), y->rank, &axis, error))
        return FALSE;
    const NnView walked = nn_view_strided(y, y->rank, indices->dims, y->strides);
    const guint mask = 1u << axis;
    NnView across[3], along[3];
    nn_view_split(updates, mask, &across[0], &along[0]);
    nn_view_split(indices, mask, &across[1], &along[1]);
    nn_view_split(&walked, mask, &across[2], &along[2]);
    nn_views_merge(across, 3);

    NnLaunch *launch = launch_scatter(recorder, node, "scatter_elements", across[0].rank, 1);
    for (int i = 0; i < 3; i++)
        nn_launch_strided(launch, &across[i]);
    nn_launch_extents(launch, across[0].rank, across[0].dims);
    nn_launch_int(launch, (gint32)nn_view_count(&across[0]));
    nn_launch_int(launch, (gint32)along[0].dims[0]);
    for (int i = 0; i < 3; i++)
        nn_launch_int(launch, (gint32)along[i].strides[0]);
    nn_launch_int(launch, (gint32)y->dims[axis]);
    nn_launch_items(launch, y, nn_view_count(&across[0]), 1);
    return TRUE;
}

/* updates: [rows of tuples..., slice...]. */
static gboolean launch_scatter_nd(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *indices = nn_recorder_input(recorder, node, 1);
    const NnView *updates = nn_recorder_input(recorder, node, 2);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const int n_rows = indices->rank - 1;
    const gint64 depth = indices->dims[n_rows];

    NnView slice[2], rows[2], unused;
    nn_view_split(updates, (1u << n_rows) - 1, &slice[0], &rows[0]);
    nn_view_split(y, (1u << depth) - 1, &slice[1], &unused);
    nn_view_split(indices, 1u << n_rows, &rows[1], &unused);
    nn_views_merge(slice, 2);
    nn_views_merge(rows, 2);

    NnLaunch *launch = launch_scatter(recorder, node, "scatter_nd", slice[0].rank, rows[0].rank);
    nn_launch_strided(launch, &slice[0]);
    nn_launch_strides(launch, &rows[0]);
    nn_launch_strided(launch, &rows[1]);
    nn_launch_strided(launch, &slice[1]);
    nn_launch_extents(launch, slice[0].rank, slice[0].dims);
    nn_launch_extents(launch, rows[0].rank, rows[0].dims);
    add_tuple_axes(launch, y, 0, depth);
    nn_launch_int(launch, (gint32)nn_view_count(&slice[0]));
    nn_launch_int(launch, (gint32)nn_view_count(&rows[0]));
    nn_launch_int(launch, (gint32)depth);
    nn_launch_int(launch, (gint32)indices->strides[n_rows]);
    nn_launch_items(launch, y, nn_view_count(&slice[0]), 1);
    return TRUE;
}

gboolean nn_launch_gather(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *y = nn_recorder_output(recorder, node, 0);
    if (nn_view_count(y) == 0)
        return TRUE;
    if (strcmp(node->type, "Gather") == 0)
        return launch_gather(recorder, node, error);
    if (strcmp(node->type, "GatherElements") == 0)
        return launch_gather_elements(recorder, node, error);
    if (strcmp(node->type, "GatherND") == 0)
        return launch_gather_nd(recorder, node, error);
    if (strcmp(node->type, "OneHot") == 0)
        return launch_one_hot(recorder, node, error);
    if (!g_str_has_prefix(node->type, "Scatter"))
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "there is no kernel for it");

    /* Scatter writes into a copy of its data. */
    if (!nn_record_copy(recorder, node, y, nn_recorder_input(recorder, node, 0), error))
        return FALSE;
    if (nn_view_count(nn_recorder_input(recorder, node, 2)) == 0)
        return TRUE;
    return strcmp(node->type, "ScatterND") == 0 ? launch_scatter_nd(recorder, node, error)
                                                : launch_scatter_elements(recorder, node, error);
}
