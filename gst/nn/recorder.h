/* recorder.h - what recording collects: storages and launches; shared by layout, plan and network.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "launch.h"

G_BEGIN_DECLS

typedef enum {
    NN_ARGUMENT_BUFFER,
    NN_ARGUMENT_MAP,
    NN_ARGUMENT_STRIDED,
    NN_ARGUMENT_BYTES,
    NN_ARGUMENT_LOCAL,
} NnArgumentKind;

typedef struct {
    NnArgumentKind kind;
    NnView view;
    NnMap map; /* MAP: all but the offsets */
    guint8 bytes[96];
    gsize size_b; /* BYTES, LOCAL */
} NnArgument;

struct NnLaunch {
    char *node; /* "Conv 'name'" */
    char *shape;
    char *file, *function, *options;
    GArray *arguments; /* NnArgument */
    guint n_dims;
    gsize global[3], local[3]; /* of one sample; local[0] 0: the driver chooses */
    int sample_dim;
    double flops;
    gsize moved_b; /* per sample: what the views hold */
    int choice;    /* index in the recorder's choices; -1: there was none */
};

/* A point where a launcher could choose, kept if choices may come from measurements. */
typedef struct {
    char *key;        /* variant.c */
    const char *rule; /* what runs if nothing has been measured */
    GPtrArray *ways;  /* const char *, of the table: what else fits */
} NnChoice;

struct NnRecorder {
    OclDevice *device;
    gboolean fp16;
    guint max_samples;
    const char *variant;
    GHashTable *left_out;   /* (nullable): nn_kernels_left_out() */
    const NnGraph *graph;   /* being recorded; the caller's */
    GPtrArray *storages;    /* NnStorage*, owned */
    GPtrArray *launches;    /* NnLaunch*, owned */
    GHashTable *constants;  /* NnValue* -> NnView* */
    GHashTable *elided;     /* set of NnNode* that need no launch of their own */
    GHashTable *moments;    /* NnNode* -> NnView*, owned: what later nodes ask for */
    GPtrArray *host_arrays; /* NnArray* that storages point into */
    GPtrArray *host_blocks; /* g_malloc'd blocks that storages point into */
    GPtrArray *views;       /* NnView* of values, owned */
    GThreadPool *builder;   /* (nullable): gets each launch once it is recorded; the caller's */
    NnStorage *parts;       /* (nullable): of nn_recorder_parts(), as large as any asked for */
    NnStorage *counters;    /* (nullable): of nn_recorder_counters(), as large as any asked for */
    guint n_given;

    /* variant.c */
    GHashTable *measured; /* (nullable): as nn_tune_load() gives it; the caller's */
    guint samples;        /* that one run is to compute; 1 on CPUs, where it makes no difference */
    const NnNode *node;   /* being recorded */
    guint node_choices;   /* of this node so far */
    int choice;           /* that launches belong to; -1: none */
    const char *way;      /* (nullable): taken for it instead of the rule */
    GPtrArray *choices;   /* NnChoice*, owned */
};

NnRecorder *nn_recorder_new(OclDevice *device, gboolean fp16, const char *variant);
void nn_recorder_free(NnRecorder *recorder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NnRecorder, nn_recorder_free)
/* Drops the host copies of constants, once they are on the device. */
void nn_recorder_forget_host_data(NnRecorder *recorder);
/* Lays out and records all of @graph, which is inferred. */
gboolean nn_recorder_record(NnRecorder *recorder, NnGraph *graph, GError **error);
/* "64x128x128 -> 32x128x128 3x3": what a profile shows. */
char *nn_node_shape(const NnNode *node);
/* The view of a value: of its constant, or the one that the layout gave it. */
const NnView *nn_recorder_value(NnRecorder *recorder, const NnValue *value);
NnStorage *nn_recorder_storage(NnRecorder *recorder, gsize size_b);

/* layout.c: gives every tensor of @graph that is computed or fed a view (value->storage) and every
 * graph input and output one, too. Sets *elided to the nodes that need no launch. */
gboolean nn_layout(NnRecorder *recorder, NnGraph *graph, GHashTable *elided, GError **error);

/* plan.c: where everything lies. */
typedef struct {
    GArray *chunks_b;    /* gsize: the memory objects of a slot */
    gsize arena_b;       /* their sum */
    gsize lower_bound_b; /* the most that is alive at any launch */
    gboolean in_turns;   /* each sample is to go through all launches before the next */
} NnPlan;

/* Places all storages without constant; @graph's inputs live from before the first launch and its
 * outputs to after the last; with @keep_inputs the inputs, too.
 *
 * A batch is planned in turns where that is allowed and what one sample needs does not fit the
 * device's cache: what a launch writes for many samples would have left the cache before the next
 * launch reads it. Then samples share one block of everything but the network's inputs and outputs,
 * which live all the time. */
typedef struct {
    guint max_samples;
    gboolean keep_inputs;
    gboolean may_take_turns;
} NnPlanParams;

NnPlan *nn_plan_new(NnRecorder *recorder, const NnGraph *graph, const NnPlanParams *params,
                    GError **error);
void nn_plan_free(NnPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NnPlan, nn_plan_free)

G_END_DECLS
