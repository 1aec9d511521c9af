/* graph.h - a network as a graph of operators, and what is known of its tensors.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shapes are those of one sample. A network runs over n samples that share nothing: every tensor
 * that depends on an input exists once per sample, one block after the other in memory, and every
 * operator is applied to each sample alone. That makes the batch free for any network, also for an
 * export with batch 1 written into its Reshape nodes, and a frame's result independent of its
 * neighbours by construction.
 *
 * A graph belongs to one thread at a time.
 */
#pragma once

#include "array.h"

G_BEGIN_DECLS

#define NN_ERROR (nn_error_quark())
GQuark nn_error_quark(void);

typedef enum {
    NN_ERROR_BAD_MODEL,   /* the file is damaged or breaks the ONNX rules */
    NN_ERROR_UNSUPPORTED, /* valid, but not something that this engine runs */
    NN_ERROR_SHAPE,       /* shapes do not fit each other, or cannot be known before running */
    NN_ERROR_INPUT,       /* what the caller passed does not fit the network */
    NN_ERROR_TOO_LARGE,   /* does not fit memory or index ranges */
} NnError;

typedef struct NnOperator NnOperator; /* operator.h */
typedef struct NnNode NnNode;
typedef struct NnGraph NnGraph;

/* Activations that other kernels can apply in their epilogue; the values are kernels/common.clh's.
 */
typedef enum {
    NN_ACT_NONE,
    NN_ACT_RELU,
    NN_ACT_LEAKY_RELU, /* alpha: slope below 0 */
    NN_ACT_CLIP,       /* to alpha..beta */
    NN_ACT_SIGMOID,
    NN_ACT_TANH,
    NN_ACT_HARD_SIGMOID, /* clamp(alpha * x + beta, 0, 1) */
    NN_ACT_HARD_SWISH,   /* x * clamp(alpha * x + beta, 0, 1) */
    NN_ACT_PRELU,        /* of convolutions alone: slopes below 0, one per channel, in post_scale */
    NN_ACT_SOME_SIGMOID, /* of convolutions alone: of channels whose post_scale is not 0 */
    NN_ACT_FLOOR,        /* of convolutions alone: at least post_scale, one number per channel */
} NnActivationType;

typedef struct {
    NnActivationType type;
    float alpha, beta;
} NnActivation;

float nn_activate(const NnActivation *activation, float x);

/* A tensor of the graph. */
typedef struct {
    char *name;
    NnType type;              /* NN_UNKNOWN before inference */
    int rank;                 /* -1: not known */
    gint64 dims[NN_MAX_RANK]; /* -1: not known (before inference only) */
    NnArray *constant;        /* the value, if it is known before running; owned */
    NnNode *producer;         /* NULL for graph inputs and initialisers */
    GPtrArray *consumers;     /* NnNode*, one entry per use; not owned */
    gboolean is_output;       /* a graph output: may not be optimised away */
    gpointer storage;         /* layout.c: where it lives while the network runs */
} NnValue;

typedef enum {
    NN_ATTRIBUTE_INT,
    NN_ATTRIBUTE_FLOAT,
    NN_ATTRIBUTE_STRING,
    NN_ATTRIBUTE_INTS,
    NN_ATTRIBUTE_FLOATS,
    NN_ATTRIBUTE_ARRAY, /* TensorProto */
    NN_ATTRIBUTE_GRAPH, /* GraphProto: the branches of If */
} NnAttributeKind;

typedef struct {
    char *name;
    NnAttributeKind kind;
    gsize n; /* of ints or floats */
    union {
        gint64 i;
        float f;
        char *s;
        gint64 *ints;
        float *floats;
        NnArray *array;
        NnGraph *graph;
    } u;
} NnAttribute;

struct NnNode {
    char *name;            /* may be "" */
    char *type;            /* ONNX operator type, "Conv" */
    char *domain;          /* "" for ai.onnx */
    int opset;             /* the version of that domain that the model imports */
    const NnOperator *op;  /* set by nn_graph_infer() */
    GPtrArray *inputs;     /* NnValue*, NULL where an optional input is left out */
    GPtrArray *outputs;    /* NnValue*, NULL where an optional output is left out */
    GPtrArray *attributes; /* NnAttribute* */

    /* Fused by passes (fuse.c):
     *     y = post_scale * activation(out_scale * op(in_scale * x) + bias + residual) + added
     * Each is an index into inputs, -1: none. Scales are vectors, a number per channel, and for
     * convolutions alone, as is what is added last; the bias is theirs, and behind out_scale. */
    int in_scale, out_scale, residual, post_scale, added;
    NnActivation activation;
};

struct NnGraph {
    GPtrArray *values;   /* NnValue*, owned */
    GPtrArray *nodes;    /* NnNode*, owned, in topological order */
    GPtrArray *inputs;   /* NnValue*, without initialisers */
    GPtrArray *outputs;  /* NnValue* */
    GHashTable *by_name; /* char* -> NnValue* */
};

/* What the caller fixes about a graph input before inference. */
typedef struct {
    const char *name; /* graph input */
    int rank;         /* -1: dims as in the file */
    gint64 dims[NN_MAX_RANK];
    NnArray *value; /* (nullable): fixes the input to this value; needed if it steers shapes */
} NnBinding;

NnGraph *nn_graph_new(void);
void nn_graph_free(NnGraph *graph);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NnGraph, nn_graph_free)

/* A deep copy; constants are shared. */
NnGraph *nn_graph_copy(const NnGraph *graph);

/* The value of that name, made if there is none; @name NULL makes an unnamed new one. */
NnValue *nn_graph_value(NnGraph *graph, const char *name);
/* A new constant value holding @array. @array: (transfer full). */
NnValue *nn_graph_constant(NnGraph *graph, const char *name, NnArray *array);
NnNode *nn_graph_add_node(NnGraph *graph, const char *type, const char *name, int opset);
/* A copy of another graph's node. @values: that graph's NnValue* -> this one's. */
NnNode *nn_graph_copy_node(NnGraph *graph, const NnNode *from, GHashTable *values);
void nn_node_add_input(NnNode *node, NnValue *value);  /* value may be NULL */
void nn_node_add_output(NnNode *node, NnValue *value); /* value may be NULL */
/* Replaces input @i, keeping the consumer lists right. */
void nn_node_set_input(NnNode *node, guint i, NnValue *value);
/* Makes every consumer of @from (and the graph output, if it is one) use @to instead. A graph
 * output is known by its name, so @to takes that over; @to must not be a graph input or output
 * then. */
void nn_value_replace(NnGraph *graph, NnValue *from, NnValue *to);
/* Takes @node out of the graph and frees it; its outputs lose their producer. */
void nn_graph_remove_node(NnGraph *graph, NnNode *node);
/* Removes nodes and values that no output depends on. */
void nn_graph_prune(NnGraph *graph);
/* Orders the nodes so that producers come first. NN_ERROR_BAD_MODEL on a cycle. */
gboolean nn_graph_sort(NnGraph *graph, GError **error);

NnValue *nn_node_input(const NnNode *node, guint i); /* NULL when left out or past the end */
/* Whether input @i came with a pass and is none of the operator's own. */
gboolean nn_node_is_fused_input(const NnNode *node, guint i);
NnValue *nn_node_output(const NnNode *node, guint i); /* NULL when left out or past the end */

const NnAttribute *nn_node_attribute(const NnNode *node, const char *name); /* NULL if absent */
gint64 nn_node_int(const NnNode *node, const char *name, gint64 fallback);
float nn_node_float(const NnNode *node, const char *name, float fallback);
const char *nn_node_string(const NnNode *node, const char *name, const char *fallback);
/* The list and its length; NULL and 0 if absent. */
const gint64 *nn_node_ints(const NnNode *node, const char *name, gsize *n);
const float *nn_node_floats(const NnNode *node, const char *name, gsize *n);
/* Takes ownership of @attribute's contents. */
void nn_node_add_attribute(NnNode *node, NnAttribute *attribute);
NnAttribute *nn_attribute_new(const char *name, NnAttributeKind kind);

/* Sets an output's type and shape; infer functions use it. FALSE with NN_ERROR_SHAPE if the count
 * overflows, a dim is negative or the rank exceeds NN_MAX_RANK. */
gboolean nn_value_set(NnValue *value, NnType type, int rank, const gint64 *dims, GError **error);
/* A new zeroed array of the value's type and shape. */
NnArray *nn_value_array(const NnValue *value, GError **error);

/* Sets @error to "Conv 'name' (opset 11): message". Always returns FALSE. */
gboolean nn_node_error(const NnNode *node, GError **error, NnError code, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

G_END_DECLS
