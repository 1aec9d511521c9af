/* view.h - a tensor on the device seen through strides.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One way to look at memory serves all: NHWC storage of a feature map, ONNX's row-major order, a
 * transposition, a slice, one part of a concatenation and a broadcast are all views.
 */
#pragma once

#include "array.h"

G_BEGIN_DECLS

/* A block of memory that exists while a network runs: one per computed tensor that is not a view of
 * another, per scratch area, per constant. The plan gives it a place. */
typedef struct {
    gsize size_b;      /* for one sample, aligned for the device; of the whole if shared */
    gboolean shared;   /* one block for all samples: constants and what is computed from them */
    gboolean in_turns; /* plan.c: one block that a batch's samples use one after the other */
    gboolean counters; /* nn_recorder_counters(): in memory of its own, which begins with 0 */
    gconstpointer constant; /* host data to upload, NULL: computed */
    gsize constant_b;
    int first, last; /* launches between which it must live (plan.c); -1: before the first */
    int chunk;       /* plan.c: which memory object */
    gsize offset_b;  /* plan.c: where in it sample 0 lies */
} NnStorage;

typedef struct {
    NnStorage *storage;
    NnType type; /* of the elements in memory: FLOAT16 where a float tensor is stored as halves */
    int rank;
    gint64 dims[NN_MAX_RANK];
    gint64 strides[NN_MAX_RANK]; /* in elements; 0 repeats */
    gint64 offset;               /* in elements from the storage's start */
} NnView;

/* Elements between two samples; 0 for storage that is shared or used in turns. */
gint64 nn_view_sample_stride(const NnView *view);
/* TRUE if the elements lie densely in row-major order. */
gboolean nn_view_is_dense(const NnView *view);
/* The view with axes permuted: axis i of the result is axis perm[i] of @view. */
NnView nn_view_permuted(const NnView *view, const int *perm);
/* The view of the same elements, in row-major order, under other dims; FALSE if strides cannot
 * express it. */
gboolean nn_view_reshape(const NnView *view, int rank, const gint64 *dims, NnView *out);
/* The view expanded to @rank/@dims by ONNX broadcasting (aligned at the last axis). */
NnView nn_view_broadcast(const NnView *view, int rank, const gint64 *dims);

G_END_DECLS
