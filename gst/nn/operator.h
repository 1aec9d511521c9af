/* operator.h - the table of operators: what each means and how it runs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An operator is one row: its meaning (shape inference and a plain C reference, def_*.c) beside its
 * execution (a host launcher, launch_*.c, with a kernel family in kernels/). The reference folds
 * constants, serves as the yardstick of the tests and is never fast.
 */
#pragma once

#include "graph.h"

G_BEGIN_DECLS

typedef struct NnRecorder NnRecorder; /* launch.h */

typedef enum {
    NN_OP_EPILOGUE = 1 << 0, /* the launcher applies what passes fused into the node */
    NN_OP_ELEMENTWISE =
        1 << 1,               /* output element i depends on element i of the (broadcast) inputs */
    NN_OP_MAP = 1 << 2,       /* rank-4 float output is best stored as NHWC */
    NN_OP_VIEW = 1 << 3,      /* may become another look at its input's memory (layout.c) */
    NN_OP_HOST_ONLY = 1 << 4, /* shape arithmetic: runs only when folded, has no launcher */
    NN_OP_IN_PLACE = 1 << 5,  /* the output takes the memory of input 0, which nothing else uses */
} NnOperatorFlags;

struct NnOperator {
    const char *type;  /* ONNX operator type */
    int since;         /* lowest opset whose form of the operator is understood */
    int until;         /* highest */
    guint flags;       /* NnOperatorFlags */
    guint host_inputs; /* bit i: input i steers shapes and must be known before running */

    /* Checks inputs and attributes and sets type and shape of every output with nn_value_set().
     * Inputs' types and shapes are known; host_inputs carry a constant. Must reject, never read out
     * of bounds: nodes come from files. */
    gboolean (*infer)(NnNode *node, GError **error);
    /* Computes every output from the inputs, for one sample. in[i] is NULL for an input left out,
     * out[i] is zeroed, has the inferred type and shape, and is NULL where the output is left out.
     * Does not apply what passes fused into the node. */
    gboolean (*reference)(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                          GError **error);
    /* Adds the launches that compute the outputs on the device (launch.h). NULL if HOST_ONLY. */
    gboolean (*launch)(NnRecorder *recorder, const NnNode *node, GError **error);
};

/* The row for @node's type, domain and opset; NULL with NN_ERROR_UNSUPPORTED naming them. */
const NnOperator *nn_operator_find(const NnNode *node, GError **error);
/* All rows, ended by one whose type is NULL. */
extern const NnOperator nn_operators[];
/* Made by passes alone; nn_operator_find() does not give them (def_inverse_norms.c, def_norm.c). */
extern const NnOperator nn_inverse_norms, nn_part_instance_norm;

/* ---- infer.c: what is known before running */

/* Binds the inputs to shapes (and, for inputs that steer shapes, values), infers all types and
 * shapes, folds what is constant and inlines If branches whose condition folds. Dim 0 of an input
 * that the file leaves open is 1: the batch is the engine's own (see graph.h).
 * @bindings: (nullable): NnBinding array (graph.h). */
gboolean nn_graph_infer(NnGraph *graph, const NnBinding *bindings, guint n_bindings,
                        GError **error);

/* TRUE if @input's value (not only its shape) steers shapes, so that it must be bound by value. */
gboolean nn_graph_input_steers_shapes(const NnGraph *graph, const NnValue *input);

/* Runs the whole inferred graph for one sample by the reference functions.
 * @inputs: one per graph input, in order; @outputs: (out) one new array per graph output. */
gboolean nn_graph_evaluate(const NnGraph *graph, NnArray *const *inputs, NnArray **outputs,
                           GError **error);

/* One node by its reference function, with what is fused into it. Outputs are new arrays. */
gboolean nn_node_evaluate(const NnNode *node, const NnArray *const *in, NnArray **out,
                          GError **error);

/* ---- fuse.c: passes over an inferred graph; each keeps the meaning */

/* All of them, in order: identities out, BatchNormalization into Conv, x*HardSigmoid(x) into
 * HardSwish, Pad into Conv and pools, activation and residual into the epilogue of operators that
 * have one, common subexpressions, dead code. */
gboolean nn_graph_optimize(NnGraph *graph, GError **error);
/* fuse_centre.c: behind those, for a network that is to be stored as halves: takes the constant
 * part off channels that are always on. */
gboolean nn_graph_centre(NnGraph *graph, GError **error);
/* fuse_range.c: behind that: scales what would leave the range of halves within the network. */
void nn_graph_make_room(NnGraph *graph);

G_END_DECLS
