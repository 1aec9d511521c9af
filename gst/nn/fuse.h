/* fuse.h - what the passes over an inferred graph share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A pass looks at one node and rewires around it if it can; it returns whether it did. It never
 * takes a node out of the graph's list, because that is being walked: what is not needed any more
 * is detached, and pruned after the walk. Whatever it makes has its type and shape set and its
 * operator looked up, as after inference.
 */
#pragma once

#include "operator.h"

G_BEGIN_DECLS

typedef gboolean (*NnPass)(NnGraph *graph, NnNode *node);

/* fuse_move.c: nodes that only move elements, or do nothing */
gboolean nn_pass_identity(NnGraph *graph, NnNode *node);
gboolean nn_pass_transpose(NnGraph *graph, NnNode *node);
gboolean nn_pass_reshape(NnGraph *graph, NnNode *node);
gboolean nn_pass_turned_pad(NnGraph *graph, NnNode *node);

/* fuse_conv.c: into the weights and the padding of convolutions and pools */
gboolean nn_pass_affine_into_conv(NnGraph *graph, NnNode *node);
gboolean nn_pass_affine_as_conv(NnGraph *graph, NnNode *node);
gboolean nn_pass_channels_as_samples(NnGraph *graph, NnNode *node);
gboolean nn_pass_pad(NnGraph *graph, NnNode *node);

/* fuse_concat.c: past a Concat, to its parts */
gboolean nn_pass_through_concat(NnGraph *graph, NnNode *node);

/* fuse_heads.c: narrow convolutions of the same map; sigmoids of some channels */
gboolean nn_pass_join_heads(NnGraph *graph, NnNode *node);
gboolean nn_pass_sigmoid_of_slice(NnGraph *graph, NnNode *node);

/* fuse_factor.c: multiplications where tensors are small */
gboolean nn_pass_small_factors(NnGraph *graph, NnNode *node);

/* fuse_resize.c: 1x1 convolutions before maps grow */
gboolean nn_pass_conv_before_resize(NnGraph *graph, NnNode *node);

/* fuse_matmul.c: products of vectors with matrices, and norms of vectors */
gboolean nn_pass_arithmetic_into_matmul(NnGraph *graph, NnNode *node);
gboolean nn_pass_join_matmuls(NnGraph *graph, NnNode *node);
gboolean nn_pass_vector_norm(NnGraph *graph, NnNode *node);
gboolean nn_pass_join_norms(NnGraph *graph, NnNode *node);
/* A new node InverseNorms (def_inverse_norms.c) of @x, [1][n]; its result, [1][rows]. Takes
 * @weights and @rows. */
NnValue *nn_add_inverse_norms(NnGraph *graph, const char *name, NnValue *x, NnArray *weights,
                              NnArray *rows, double epsilon);
/* The rows of a dense matrix of weights [n_rows][n], each for the whole vector. */
NnArray *nn_inverse_norm_rows(gint64 n_rows, gint64 n);

/* fuse_norm.c: maps of which one half is normalised per batch, the other per picture */
gboolean nn_pass_norm_halves(NnGraph *graph, NnNode *node);

/* fuse_epilogue.c: into what an operator does with its result */
gboolean nn_pass_hard_sigmoid(NnGraph *graph, NnNode *node);
gboolean nn_pass_hard_swish(NnGraph *graph, NnNode *node);
gboolean nn_pass_residual(NnGraph *graph, NnNode *node);
gboolean nn_pass_added(NnGraph *graph, NnNode *node);
gboolean nn_pass_activation(NnGraph *graph, NnNode *node);
gboolean nn_pass_prelu(NnGraph *graph, NnNode *node);
gboolean nn_pass_output_scale(NnGraph *graph, NnNode *node);
gboolean nn_pass_input_scale(NnGraph *graph, NnNode *node);

/* stylegan.c, over the whole graph and before the others: latent copies, modulated convolutions and
 * FIR filters as exporters write them. */
gboolean nn_pass_stylegan(NnGraph *graph, GError **error);

/* ---- helpers, fuse.c */

/* An operator of ONNX's own domain. */
gboolean nn_is_type(const NnNode *node, const char *type);
/* The node that computes @value if it is of that type; NULL otherwise. */
NnNode *nn_producer_of_type(const NnValue *value, const char *type);
/* The only use of @value is one by one node, and no one outside sees it. */
gboolean nn_has_single_use(const NnValue *value);
gboolean nn_same_shape(const NnValue *a, const NnValue *b);
/* The one number that @value is known to be, for all its elements. */
gboolean nn_known_number(const NnValue *value, double *number);

/* Consumers of @out use @in from now on and @node computes nothing; FALSE, with nothing done, if
 * that would take away the name of a graph output. */
gboolean nn_bypass(NnGraph *graph, NnNode *node, NnValue *out, NnValue *in);
/* Consumers of @part use elements @first and on of @whole's axis 1 from now on. */
void nn_replace_by_slice(NnGraph *graph, NnValue *part, NnValue *whole, gint64 first);
/* Makes @node an operator of another type of a single input and no attributes yet. */
void nn_retype(NnNode *node, const char *type, int opset, NnValue *input);
void nn_set_float(NnNode *node, const char *name, float value);
void nn_set_int(NnNode *node, const char *name, gint64 value);
void nn_set_string(NnNode *node, const char *name, const char *value);
void nn_set_ints(NnNode *node, const char *name, const gint64 *ints, gsize n);

G_END_DECLS
