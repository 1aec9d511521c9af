/* launch.h - recording a network's kernel launches.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A launcher (launch_*.c) describes the launches of one node once, when the network is built:
 * kernel, arguments, sizes. Every slot then has kernel objects of its own with all arguments set,
 * so that running a batch is nothing but enqueueing. Places in memory are not known yet while
 * recording: an argument that names a tensor is resolved when slots are made.
 */
#pragma once

#include "operator.h"
#include "view.h"
#include "../ocl/ocl.h"

G_BEGIN_DECLS

typedef struct NnLaunch NnLaunch;

/* Mirrors of the structs in kernels/common.clh. */
typedef struct {
    guint64 offset, sample;
    gint32 c, h, w;
    gint32 sc, sh, sw;
} NnMap;

typedef struct {
    guint64 offset, sample;
    gint32 stride[NN_MAX_RANK];
} NnStrided;

typedef struct {
    gint32 n[NN_MAX_RANK];
} NnExtents;

/* ---- asking */

/* The device that the network is built for. */
const OclDevice *nn_recorder_device(const NnRecorder *recorder);
/* Float tensors are stored as halves. */
gboolean nn_recorder_fp16(const NnRecorder *recorder);
/* Samples of a full batch. What is chosen by it is chosen once: it does not change with the number
 * of samples in a run. */
guint nn_recorder_max_samples(const NnRecorder *recorder);
/* The name of the kernel variant that a test forces or that measurements chose for what is being
 * recorded, or NULL: "conv_general", "conv_tensor:128x64". */
const char *nn_recorder_forced_variant(const NnRecorder *recorder);
/* Whether the device is better off without @kernel, the function of a variant (trust.h). The answer
 * stays while a network is recorded; a forced variant is never left out. */
gboolean nn_recorder_leaves_out(const NnRecorder *recorder, const char *kernel);
/* How a node's input or output lies in memory; NULL if left out. Constants appear as dense views,
 * float ones as float32. */
const NnView *nn_recorder_input(NnRecorder *recorder, const NnNode *node, guint i);
const NnView *nn_recorder_output(NnRecorder *recorder, const NnNode *node, guint i);

/* Whether @node is recorded after @other. */
gboolean nn_recorder_is_later(const NnRecorder *recorder, const NnNode *node, const NnNode *other);
/* What is being recorded computes @node, which comes later, too. */
void nn_recorder_elide(NnRecorder *recorder, const NnNode *node);

/* ---- from one node to a later one */

/* What @norm normalises stays as it is; the convolution that reads it asks for the moments,
 * [part][3] [channel] floats. */
void nn_recorder_keep_moments(NnRecorder *recorder, const NnNode *norm, const NnView *moments);
/* NULL if none are kept. */
const NnView *nn_recorder_moments(const NnRecorder *recorder, const NnNode *norm);

/* ---- memory beside the tensors */

/* Read-only data of the launcher's own making: repacked weights, tables. Copied now, uploaded once
 * per network, shared by all slots and samples. A dense view of that type and count. */
NnView nn_recorder_constant(NnRecorder *recorder, NnType type, gsize n, gconstpointer data);
/* Memory for @n elements per sample that lives between the first and last launch that names it. */
NnView nn_recorder_scratch(NnRecorder *recorder, NnType type, gsize n);
/* @n floats per sample for sums in parts, which a launch writes and reads again. All such launches
 * of a network share them, so that no sub-buffer lies inside another: when some did, NVIDIA's
 * driver 580.159 crashed in one network. */
NnView nn_recorder_parts(NnRecorder *recorder, gsize n);
/* @n ints per sample that are 0 when a launch that names them begins, and that it leaves so. All
 * such launches of a network share them. */
NnView nn_recorder_counters(NnRecorder *recorder, gsize n);

/* ---- describing a launch */

/* Begins a launch of @function in @file with build options (printf): "-DT=float -DKH=3". The
 * options must not depend on the number of samples. */
NnLaunch *nn_recorder_launch(NnRecorder *recorder, const NnNode *node, const char *file,
                             const char *function, const char *options, ...) G_GNUC_PRINTF(5, 6);

/* Arguments, in the kernel's order. Each of the first three sets two kernel arguments or one. */
/* __global T *: the start of the view's storage. */
void nn_launch_buffer(NnLaunch *launch, const NnView *view);
/* __global T *, Map. */
void nn_launch_map(NnLaunch *launch, const NnView *view);
/* __global T *, Strided. */
void nn_launch_strided(NnLaunch *launch, const NnView *view);
/* Extents, filled up with 1. */
void nn_launch_extents(NnLaunch *launch, int rank, const gint64 *dims);
void nn_launch_int(NnLaunch *launch, gint32 value);
void nn_launch_float(NnLaunch *launch, float value);
void nn_launch_ulong(NnLaunch *launch, guint64 value);
void nn_launch_bytes(NnLaunch *launch, gconstpointer data, gsize size_b); /* a struct by value */
void nn_launch_local(NnLaunch *launch, gsize size_b);                     /* __local memory */

/* Work sizes of one sample. Dimension @sample_dim's global size is multiplied by the number of
 * samples of each run; -1: the launch does not depend on samples (shared results).
 * @local: (nullable): must divide @global; with sample_dim its size there must be 1. */
void nn_launch_size(NnLaunch *launch, guint n_dims, const gsize *global, const gsize *local,
                    int sample_dim);

/* What the launch costs, for profiles: floating-point operations (a multiply-add is two) per
 * sample. Bytes are counted from the views. */
void nn_launch_cost(NnLaunch *launch, double flops);

/* @view as a feature map: [1][C][H][W], [1][C][W] (H is 1) or [1][C] (H and W are 1). FALSE if the
 * rank is another or dim 0 is not 1. Offsets stay 0 until a slot resolves them. */
gboolean nn_view_map(const NnView *view, NnMap *map);

G_END_DECLS
