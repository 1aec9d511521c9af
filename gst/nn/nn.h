/* nn.h - the public face of the network engine: load an ONNX file, build it for a device, run it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "graph.h"
#include "view.h"
#include "../ocl/ocl.h"

G_BEGIN_DECLS

/* ---------------------------------------------------------------- model: a file, any thread */

typedef struct NnModel NnModel;

/* Reads an ONNX model. Every length is checked; a file that is damaged, or that uses an operator
 * that is not supported, is an error that names the file and the node. External weight files are
 * looked for beside @path. */
NnModel *nn_model_load(const char *path, GError **error);
NnModel *nn_model_load_bytes(GBytes *bytes, const char *name, GError **error);
NnModel *nn_model_ref(NnModel *model);
void nn_model_unref(NnModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NnModel, nn_model_unref)

/* The graph as in the file, not inferred; owned by the model. Dims that the file leaves open
 * are -1. */
const NnGraph *nn_model_graph(const NnModel *model);

/* ---------------------------------------------------------------- network: built for a device */

typedef enum {
    NN_PRECISION_AUTO, /* fp16 where the device gains by it, else fp32 */
    NN_PRECISION_FP32,
    NN_PRECISION_FP16, /* float tensors and weights stored as halves, fp32 arithmetic */
} NnPrecision;

/* How kernels are chosen where several can do the work. */
typedef enum {
    NN_TUNING_OFF,     /* by rules alone: the same everywhere and always */
    NN_TUNING_CACHED,  /* by what was measured on such a device before, else by rules */
    NN_TUNING_MEASURE, /* and what has not been measured is, for a limited time */
} NnTuning;

typedef struct {
    guint max_samples; /* most samples per run, at least 1 */
    NnPrecision precision;
    const NnBinding *inputs; /* (nullable): shapes and fixed values */
    guint n_inputs;
    NnTuning tuning;
    guint tuning_ms;            /* MEASURE: how long building may take longer */
    const char *const *outputs; /* (nullable): names of the outputs wanted, NULL-terminated */
    const char *variant;        /* (nullable): forces a kernel variant where it applies (tests) */
    gboolean keep_inputs;       /* no output takes an input's memory: outputs become inputs */
    gboolean profiling;         /* keep an event per launch: nn_slot_profile() */
    gboolean recorded;          /* replay recordings also where they save nothing (tests) */
    gboolean no_fusion;         /* skip the optimising passes (tests) */
} NnNetworkParams;

typedef struct NnNetwork NnNetwork;

/* Builds @model for @device: passes, layout, kernels, weights on the device. May take seconds when
 * nothing is cached, and params->tuning_ms more if that is asked for. Immutable afterwards and
 * usable from any thread. */
NnNetwork *nn_network_new(NnModel *model, OclDevice *device, const NnNetworkParams *params,
                          GError **error);
NnNetwork *nn_network_ref(NnNetwork *network);
void nn_network_unref(NnNetwork *network);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NnNetwork, nn_network_unref)

typedef struct {
    const char *name;
    NnType type; /* as the model declares it */
    int rank;
    gint64 dims[NN_MAX_RANK]; /* of one sample */
} NnPort;

guint nn_network_n_inputs(const NnNetwork *network); /* those that are not fixed */
guint nn_network_n_outputs(const NnNetwork *network);
const NnPort *nn_network_input(const NnNetwork *network, guint i);
const NnPort *nn_network_output(const NnNetwork *network, guint i);
guint nn_network_max_samples(const NnNetwork *network);
guint nn_network_n_launches(const NnNetwork *network);
gboolean nn_network_fp16(const NnNetwork *network);
/* Bytes of device memory: weights (once), arena (per slot), and the least that liveness allows. */
void nn_network_memory(const NnNetwork *network, gsize *weights_b, gsize *arena_b,
                       gsize *arena_lower_bound_b);

/* ---------------------------------------------------------------- slot: memory for one batch */

typedef struct NnSlot NnSlot;

/* Memory and kernel objects for one batch in flight. One thread at a time. */
NnSlot *nn_slot_new(NnNetwork *network, GError **error);
void nn_slot_free(NnSlot *slot);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NnSlot, nn_slot_free)

/* Where an input or output lies: kernels of the layer above write and read it there, in place. */
typedef struct {
    cl_mem memory;
    NnType type; /* in memory: NN_FLOAT32 or NN_FLOAT16 for float tensors */
    int rank;
    gint64 dims[NN_MAX_RANK];
    gint64 strides[NN_MAX_RANK]; /* elements */
    gint64 offset;               /* elements, of sample 0 */
    gint64 sample_stride;        /* elements */
} NnPlace;

NnPlace nn_slot_input(const NnSlot *slot, guint i);
NnPlace nn_slot_output(const NnSlot *slot, guint i);

/* Enqueues the network over the first @n_samples samples. No waiting, and no allocation but where
 * the device can record launches: then the first run of each number of samples is recorded, and
 * replayed by those that follow. */
gboolean nn_slot_run(NnSlot *slot, OclQueue *compute, guint n_samples, GError **error);

/* Host access for tools and tests; blocking. @data: dense [n_samples][dims...] of the port's type;
 * with n_samples 1 and a run of more, the sample is repeated. */
gboolean nn_slot_write_input(NnSlot *slot, OclQueue *queue, guint i, guint n_samples,
                             const NnArray *data, GError **error);
/* A new dense array; dims are the port's with dim 0 multiplied by @n_samples. */
NnArray *nn_slot_read_output(NnSlot *slot, OclQueue *queue, guint i, guint n_samples,
                             GError **error);

/* One line per launch of the last run, once it has completed; needs params.profiling. */
typedef struct {
    const char *node;   /* "Conv 'name'" */
    const char *kernel; /* "conv_general" */
    char shape[64];     /* "64x128x128 -> 64x128x128 3x3" */
    double ms, gflops, gbytes_per_s;
} NnProfileLine;

GArray *nn_slot_profile(NnSlot *slot, guint n_samples, GError **error);

G_END_DECLS
