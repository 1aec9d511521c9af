/* launch_util.h - what the launchers share: element types, work sizes, collapsed axes, variants.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "defs-params.h"
#include "launchers.h"

G_BEGIN_DECLS

/* "float", "half", "long", ...: how kernels name @type. */
const char *nn_kernel_type(NnType type);

/* Lanes of the vector kernels: the device's own width, at least 4. */
guint nn_vector_width(const NnRecorder *recorder);

/* The lanes that suit kernels which go through all channels of a pixel: the widest vector that
 * divides @channels, else the widest that they fill, else 1. */
guint nn_channel_vector_width(const NnRecorder *recorder, gint64 channels);

/* @n work-items along dimension 0, which the kernel bounds itself, times @rows along dimension 1,
 * samples along dimension 2 unless @out is shared by all. */
void nn_launch_items(NnLaunch *launch, const NnView *out, gint64 n, gint64 rows);
/* Exactly @x times @y work-items, each with enough to do to be a work-group of its own on a CPU. */
void nn_launch_tiles(const NnRecorder *recorder, NnLaunch *launch, const NnView *out, gint64 x,
                     gint64 y);

/* How much a work-item takes of a job that is split at will: on CPUs enough to hide what starting a
 * work-group costs, on GPUs one vector. */
gint64 nn_chunk_elements(const NnRecorder *recorder);

gint64 nn_view_count(const NnView *view);
/* A view that is known to be a map. */
NnMap nn_map_of(const NnView *view);
/* The first axes of @view under other dims and strides: for views made by hand. */
NnView nn_view_strided(const NnView *view, int rank, const gint64 *dims, const gint64 *strides);

/* FALSE if node's input 0 is more maps than are worth a launch each. */
gboolean nn_check_entries(const NnNode *node, GError **error);
/* Entry @i of axis 0, which stays as an axis of 1: one of the maps of a batch. */
NnView nn_view_entry(const NnView *view, gint64 i);

/* Views of the same dims walked together. Sorts the axes by the strides of views[0], outermost
 * first, and merges those that one stride can walk in all of them; the rank is at least 1. */
void nn_views_collapse(NnView *views, guint n);
/* The same without changing the order of the elements. */
void nn_views_merge(NnView *views, guint n);

/* The axes of @view that are not in the bit set @mask, and those that are: what is walked across
 * lanes and along one. Each has at least one axis. */
void nn_view_split(const NnView *view, guint mask, NnView *across, NnView *along);
/* Argument: Strided without a buffer, for the second walk over a tensor. */
void nn_launch_strides(NnLaunch *launch, const NnView *view);

/* A way to run a node. The first that fits and pays is taken, so that tables go from fast to
 * general. */
typedef struct {
    const char *name;
    gboolean (*fits)(gconstpointer job); /* it can */
    gboolean (*record)(gconstpointer job, GError **error);
    gboolean (*pays)(gconstpointer job); /* (nullable): it is worth while; NULL: always */
} NnVariant;

/* The forced variant if it is in @table and fits, else what measurements found (tune.h), else the
 * first that fits and pays. While it records, nn_recorder_forced_variant() gives its name if it is
 * not the rule's choice. */
const NnVariant *nn_variant_choose(NnRecorder *recorder, const NnVariant *table, guint n,
                                   gconstpointer job);
/* For variants that handle everything. */
gboolean nn_variant_always(gconstpointer job);
/* For variants that only a test or a measurement chooses. */
gboolean nn_variant_never(gconstpointer job);

/* The constant of input @i as dense float32. NULL if it is not constant. */
NnArray *nn_constant_floats(const NnNode *node, guint i);

/* The options and arguments of an epilogue: -DACT=.., alpha, beta. */
#define NN_ACT_OPTION " -DACT=%d"
void nn_launch_activation(NnLaunch *launch, const NnNode *node);

/* ---- launches that other families need, too */

/* launch_elementwise.c: y = op(inputs), op being one of elementwise.cl's; the inputs are broadcast
 * to y. @activate: apply the node's activation. */
gboolean nn_record_elementwise(NnRecorder *recorder, const NnNode *node, const char *op,
                               const NnView *y, const NnView *const *inputs, int n_inputs,
                               gboolean activate, GError **error);
/* y = x, of the same dims; types may differ. */
gboolean nn_record_copy(NnRecorder *recorder, const NnNode *node, const NnView *y, const NnView *x,
                        GError **error);
/* launch_resize.c: @add together with a Resize or Upsample before it; *recorded: whether it did. */
gboolean nn_launch_resized_sum(NnRecorder *recorder, const NnNode *add, gboolean *recorded,
                               GError **error);
/* launch_conv.c: whether the convolution behind @node, a Resize or Upsample, computes it, too. */
gboolean nn_conv_takes_resize(NnRecorder *recorder, const NnNode *node);
/* launch_reduce.c: y = the reduction of x over the axes in @mask. @op: "Sum", "Mean", "Max", ...
 * @y: of x's rank, those axes 1. */
gboolean nn_record_reduction(NnRecorder *recorder, const NnNode *node, const char *op,
                             const NnView *y, const NnView *x, guint mask, GError **error);

G_END_DECLS
