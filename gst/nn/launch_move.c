/* launch_move.c - Transpose, Reshape, Slice, Concat, Split, Pad, Expand, Tile...: elements from one
 * place to another.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Most come down to a pair of views of the same dims and one copy. Where the layout already placed
 * a tensor where it is to go there is nothing to do.
 */
#include "launch_util.h"

#include <string.h>

/* The two views are one and the same memory. */
static gboolean is_in_place(const NnView *a, const NnView *b)
{
    if (a->storage != b->storage || a->offset != b->offset || a->type != b->type)
        return FALSE;
    for (int axis = 0; axis < a->rank; axis++)
        if (a->dims[axis] != 1 && a->strides[axis] != b->strides[axis])
            return FALSE;
    return TRUE;
}

static gboolean record_move(NnRecorder *recorder, const NnNode *node, const NnView *y,
                            const NnView *x, GError **error)
{
    return is_in_place(y, x) || nn_record_copy(recorder, node, y, x, error);
}

/* ---------------------------------------------------------------- other dims, same order */

/* Both views are walked in their own row-major order. */
static gboolean record_reshaped(NnRecorder *recorder, const NnNode *node, const NnView *y,
                                const NnView *x)
{
    NnView from = *x, to = *y;
    nn_views_merge(&from, 1);
    nn_views_merge(&to, 1);
    NnLaunch *launch = nn_recorder_launch(
        recorder, node, "move.cl", "move_reshaped", "-DTX=%s -DTY=%s -DRANK=%d -DLANE_RANK=%d",
        nn_kernel_type(x->type), nn_kernel_type(y->type), to.rank, from.rank);
    nn_launch_strided(launch, &from);
    nn_launch_extents(launch, from.rank, from.dims);
    nn_launch_strided(launch, &to);
    nn_launch_extents(launch, to.rank, to.dims);
    nn_launch_int(launch, (gint32)nn_view_count(y));
    nn_launch_items(launch, y, nn_view_count(y), 1);
    return TRUE;
}

/* Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout. */
static gboolean launch_reshape(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    NnView view;
    if (nn_view_reshape(x, y->rank, y->dims, &view))
        return record_move(recorder, node, y, &view, error);
    if (nn_view_reshape(y, x->rank, x->dims, &view))
        return record_move(recorder, node, &view, x, error);
    return record_reshaped(recorder, node, y, x);
}

/* ---------------------------------------------------------------- pairs of views */

static gboolean launch_transpose(NnRecorder *recorder, const NnNode *node, GError **error)
{
    int perm[NN_MAX_RANK];
    if (!nn_transpose_perm(node, perm, error))
        return FALSE;
    const NnView x = nn_view_permuted(nn_recorder_input(recorder, node, 0), perm);
    return record_move(recorder, node, nn_recorder_output(recorder, node, 0), &x, error);
}

/* Slice and Split: each output is a slice of the input. */
static gboolean launch_slices(NnRecorder *recorder, const NnNode *node, GError **error)
{
    for (guint i = 0; i < node->outputs->len; i++) {
        NnSliceParams params;
        const NnView *y = nn_recorder_output(recorder, node, i);
        if (!y)
            continue;
        if (!nn_slice_params(node, i, &params, error))
            return FALSE;
        NnView x = *nn_recorder_input(recorder, node, 0);
        for (int axis = 0; axis < params.rank; axis++) {
            x.offset += params.start[axis] * x.strides[axis];
            x.strides[axis] *= params.step[axis];
            x.dims[axis] = params.count[axis];
        }
        if (!record_move(recorder, node, y, &x, error))
            return FALSE;
    }
    return TRUE;
}

/* Whether the first and the last part of a Concat are the same constant, one element along @axis:
 * the edges that fuse_centre.c puts around maps. */
static gboolean has_edges(const NnNode *node, int axis)
{
    const NnValue *first = nn_node_input(node, 0);
    const NnValue *last = nn_node_input(node, node->inputs->len - 1);
    const NnArray *a = first->constant, *b = last->constant;
    return node->inputs->len == 3 && a && b && first->dims[axis] == 1 && last->dims[axis] == 1 &&
           a->type == b->type && a->n == b->n && a->data && b->data &&
           memcmp(a->data, b->data, a->n * nn_type_size(a->type)) == 0;
}

/* Both edges as one copy: @y, all of the Concat's output, steps from one to the other. */
static gboolean record_edges(NnRecorder *recorder, const NnNode *node, int axis, const NnView *y,
                             GError **error)
{
    NnView edges = *y, x = *nn_recorder_input(recorder, node, 0);
    edges.strides[axis] *= y->dims[axis] - 1;
    edges.dims[axis] = x.dims[axis] = 2;
    x.strides[axis] = 0;
    return nn_record_copy(recorder, node, &edges, &x, error);
}

static gboolean launch_concat(NnRecorder *recorder, const NnNode *node, GError **error)
{
    NnView slice = *nn_recorder_output(recorder, node, 0);
    int axis;
    if (!nn_resolve_axis(node, nn_node_int(node, "axis", 1), slice.rank, &axis, error))
        return FALSE;
    const gboolean edges = has_edges(node, axis);
    if (edges && !record_edges(recorder, node, axis, &slice, error))
        return FALSE;
    for (guint i = 0; i < node->inputs->len; i++) {
        const NnView *x = nn_recorder_input(recorder, node, i);
        slice.dims[axis] = x->dims[axis];
        if ((!edges || i == 1) && !record_move(recorder, node, &slice, x, error))
            return FALSE;
        slice.offset += x->dims[axis] * slice.strides[axis];
    }
    return TRUE;
}

static gboolean launch_expand(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const NnView x = nn_view_broadcast(nn_recorder_input(recorder, node, 0), y->rank, y->dims);
    return record_move(recorder, node, y, &x, error);
}

/* DepthToSpace, SpaceToDepth. */
static gboolean launch_shuffle(NnRecorder *recorder, const NnNode *node, GError **error)
{
    NnShuffleParams params;
    if (!nn_shuffle_params(node, &params, error))
        return FALSE;
    NnView x, y;
    if (!nn_view_reshape(nn_recorder_input(recorder, node, 0), 6, params.dims, &x))
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "its axes do not divide");
    x = nn_view_permuted(&x, params.perm);
    if (!nn_view_reshape(nn_recorder_output(recorder, node, 0), 6, x.dims, &y))
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "its axes do not divide");
    return record_move(recorder, node, &y, &x, error);
}

/* ---------------------------------------------------------------- tables */

/* The input index that output index @i of @axis takes; -1: the value. */
typedef gint64 (*IndexSource)(gconstpointer params, int axis, gint64 n, gint64 i);

static void record_indexed(NnRecorder *recorder, const NnNode *node, IndexSource source,
                           gconstpointer params, float value)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    g_autoptr(GArray) tables = g_array_new(FALSE, FALSE, sizeof(gint32));
    gint64 first[NN_MAX_RANK] = { 0 };
    for (int axis = 0; axis < y->rank; axis++) {
        first[axis] = tables->len;
        for (gint64 i = 0; i < y->dims[axis]; i++) {
            const gint32 index = (gint32)source(params, axis, x->dims[axis], i);
            g_array_append_val(tables, index);
        }
    }
    const NnView table = nn_recorder_constant(recorder, NN_INT32, tables->len, tables->data);

    NnLaunch *launch =
        nn_recorder_launch(recorder, node, "move.cl", "move_indexed", "-DTX=%s -DTY=%s -DRANK=%d",
                           nn_kernel_type(x->type), nn_kernel_type(y->type), y->rank);
    nn_launch_strided(launch, x);
    nn_launch_buffer(launch, &table);
    nn_launch_strided(launch, y);
    nn_launch_extents(launch, y->rank, y->dims);
    nn_launch_extents(launch, y->rank, first);
    nn_launch_int(launch, (gint32)nn_view_count(y));
    nn_launch_float(launch, value);
    nn_launch_items(launch, y, nn_view_count(y), 1);
}

static gint64 pad_source(gconstpointer params, int axis, gint64 n, gint64 i)
{
    return nn_pad_source(params, axis, n, i);
}

static gint64 tile_source(gconstpointer params, int axis, gint64 n, gint64 i)
{
    return i % n;
}

/* Pad and Tile. */
static gboolean launch_indexed(NnRecorder *recorder, const NnNode *node, GError **error)
{
    if (nn_recorder_output(recorder, node, 0)->rank == 0)
        return launch_reshape(recorder, node, error);
    if (strcmp(node->type, "Tile") == 0) {
        record_indexed(recorder, node, tile_source, NULL, 0.0f);
        return TRUE;
    }
    NnPadParams params;
    if (!nn_pad_params(node, &params, error))
        return FALSE;
    record_indexed(recorder, node, pad_source, &params, (float)params.value);
    return TRUE;
}

static gboolean launch_trilu(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const NnValue *diagonal = nn_node_input(node, 1);
    if (diagonal && !diagonal->constant)
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "its diagonal is not constant");
    const gint64 k = diagonal ? nn_array_get_int(diagonal->constant, 0) : 0;
    NnLaunch *launch =
        nn_recorder_launch(recorder, node, "move.cl", "trilu",
                           "-DTX=%s -DTY=%s -DRANK=%d -DUPPER=%d", nn_kernel_type(x->type),
                           nn_kernel_type(y->type), y->rank, nn_node_int(node, "upper", 1) != 0);
    nn_launch_strided(launch, x);
    nn_launch_strided(launch, y);
    nn_launch_extents(launch, y->rank, y->dims);
    nn_launch_int(launch, (gint32)nn_view_count(y));
    nn_launch_int(launch, (gint32)CLAMP(k, -x->dims[x->rank - 2], x->dims[x->rank - 1]));
    nn_launch_items(launch, y, nn_view_count(y), 1);
    return TRUE;
}

gboolean nn_launch_move(NnRecorder *recorder, const NnNode *node, GError **error)
{
    static const struct {
        const char *type;
        gboolean (*launch)(NnRecorder *recorder, const NnNode *node, GError **error);
    } rows[] = {
        { "Concat", launch_concat },   { "DepthToSpace", launch_shuffle },
        { "Dropout", launch_reshape }, { "Expand", launch_expand },
        { "Flatten", launch_reshape }, { "Identity", launch_reshape },
        { "Pad", launch_indexed },     { "Reshape", launch_reshape },
        { "Slice", launch_slices },    { "SpaceToDepth", launch_shuffle },
        { "Split", launch_slices },    { "Squeeze", launch_reshape },
        { "Tile", launch_indexed },    { "Transpose", launch_transpose },
        { "Trilu", launch_trilu },     { "Unsqueeze", launch_reshape },
    };
    const NnView *y = nn_recorder_output(recorder, node, 0);
    if (y && nn_view_count(y) == 0 && node->outputs->len == 1)
        return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        if (strcmp(node->type, rows[i].type) == 0)
            return rows[i].launch(recorder, node, error);
    return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "there is no kernel for it");
}
