/* view.c - arithmetic on views: dense or not, permuted, reshaped, broadcast.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "view.h"

gint64 nn_view_sample_stride(const NnView *view)
{
    if (view->storage->shared || view->storage->in_turns)
        return 0;
    return (gint64)(view->storage->size_b / nn_type_size(view->type));
}

gboolean nn_view_is_dense(const NnView *view)
{
    gint64 expected = 1;
    for (int i = view->rank - 1; i >= 0; i--) {
        if (view->dims[i] != 1 && view->strides[i] != expected)
            return FALSE;
        expected *= view->dims[i];
    }
    return TRUE;
}

NnView nn_view_permuted(const NnView *view, const int *perm)
{
    NnView out = *view;
    for (int i = 0; i < view->rank; i++) {
        out.dims[i] = view->dims[perm[i]];
        out.strides[i] = view->strides[perm[i]];
    }
    return out;
}

/* Merges neighbouring axes that a single stride can walk; axes of extent 1 vanish. */
static int merge_axes(const NnView *view, gint64 *dims, gint64 *strides)
{
    int rank = 0;
    for (int i = 0; i < view->rank; i++) {
        if (view->dims[i] == 1)
            continue;
        if (rank > 0 && strides[rank - 1] == view->dims[i] * view->strides[i]) {
            dims[rank - 1] *= view->dims[i];
            strides[rank - 1] = view->strides[i];
        } else {
            dims[rank] = view->dims[i];
            strides[rank++] = view->strides[i];
        }
    }
    return rank;
}

gboolean nn_view_reshape(const NnView *view, int rank, const gint64 *dims, NnView *out)
{
    gint64 old_dims[NN_MAX_RANK], old_strides[NN_MAX_RANK];
    const int old_rank = merge_axes(view, old_dims, old_strides);

    *out = *view;
    out->rank = rank;

    /* Each merged axis must be used up by a run of new axes, innermost first. */
    int old = old_rank - 1;
    gint64 left = old >= 0 ? old_dims[old] : 1;
    gint64 stride = old >= 0 ? old_strides[old] : 1;
    for (int i = rank - 1; i >= 0; i--) {
        out->dims[i] = dims[i];
        out->strides[i] = stride;
        if (dims[i] == 1)
            continue;
        if (left == 1 && old > 0) {
            old--;
            left = old_dims[old];
            stride = out->strides[i] = old_strides[old];
        }
        if (dims[i] <= 0 || left % dims[i] != 0)
            return FALSE;
        left /= dims[i];
        stride *= dims[i];
    }
    return left == 1 && old <= 0;
}

NnView nn_view_broadcast(const NnView *view, int rank, const gint64 *dims)
{
    NnView out = *view;
    out.rank = rank;
    for (int i = rank - 1, j = view->rank - 1; i >= 0; i--, j--) {
        out.dims[i] = dims[i];
        out.strides[i] = (j < 0 || view->dims[j] != dims[i]) ? 0 : view->strides[j];
    }
    return out;
}
