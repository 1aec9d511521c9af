/* defs.h - what the files of operator meanings (def_*.c) share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "defs-params.h"
#include "operator.h"

G_BEGIN_DECLS

/* Inference and reference of an operator family; the rows of operators.c name them. */
#define NN_DEF(name)                                                                               \
    gboolean nn_infer_##name(NnNode *node, GError **error);                                        \
    gboolean nn_reference_##name(const NnNode *node, const NnArray *const *in,                     \
                                 NnArray *const *out, GError **error)

/* def_conv.c */
NN_DEF(conv); /* Conv, ConvTranspose */
/* The sums of a convolution over zero-padded double tensors, before any bias. @y: [batch]
 * [out_channels][out...], zeroed. */
void nn_conv_sums(const NnConvParams *params, const double *x, const double *w, double *y);

/* def_elementwise.c */
NN_DEF(unary);
NN_DEF(binary);
NN_DEF(variadic); /* Max, Min, Sum, Mean */
NN_DEF(where);
NN_DEF(clip);
NN_DEF(cast); /* Cast, CastLike */

/* def_gather.c */
NN_DEF(gather);
NN_DEF(gather_elements);
NN_DEF(gather_nd);
NN_DEF(scatter_elements);
NN_DEF(scatter_nd);
NN_DEF(one_hot);
NN_DEF(grid_sample);

/* def_matmul.c */
NN_DEF(matmul);
NN_DEF(gemm);
NN_DEF(einsum);
/* Output 0 gets the shape of the product of inputs @a and @b. */
gboolean nn_matmul_set_output(const NnNode *node, guint a, guint b, NnType type, GError **error);
/* y = a * b over double tensors; @y: batch axes, then [m][n], zeroed. */
void nn_matmul_sums(const NnMatmulParams *params, const double *a, const double *b, double *y);

/* def_move.c */
NN_DEF(concat);
NN_DEF(split);
NN_DEF(slice);
NN_DEF(pad);
NN_DEF(transpose);
NN_DEF(expand);
NN_DEF(tile);
NN_DEF(shuffle); /* DepthToSpace, SpaceToDepth */
NN_DEF(trilu);

/* def_norm.c */
NN_DEF(batch_norm);
NN_DEF(instance_norm);
NN_DEF(part_instance_norm);
NN_DEF(layer_norm);
NN_DEF(group_norm);
NN_DEF(lrn);
NN_DEF(mean_variance_norm);
NN_DEF(lp_norm);

/* def_pool.c */
NN_DEF(pool);

/* def_quant.c */
NN_DEF(quantize);
NN_DEF(dequantize);
NN_DEF(dynamic_quantize);
NN_DEF(conv_integer);
NN_DEF(matmul_integer);
NN_DEF(qlinear_conv);
NN_DEF(qlinear_matmul);

/* def_reduce.c */
NN_DEF(reduce);
NN_DEF(arg_reduce); /* ArgMax, ArgMin */
NN_DEF(cumsum);
NN_DEF(top_k);

/* def_resize.c */
NN_DEF(resize); /* Resize, Upsample */

/* def_shape.c */
gboolean nn_infer_reshape(NnNode *node, GError **error);
gboolean nn_infer_flatten(NnNode *node, GError **error);
gboolean nn_infer_squeeze(NnNode *node, GError **error);
gboolean nn_infer_unsqueeze(NnNode *node, GError **error);
NN_DEF(identity);
NN_DEF(dropout);
NN_DEF(constant);
NN_DEF(shape);
NN_DEF(size);
NN_DEF(range);
NN_DEF(nonzero);
NN_DEF(constant_of_shape);
NN_DEF(eye_like);

/* def_inverse_norms.c */
NN_DEF(inverse_norms);
/* def_softmax.c */
NN_DEF(softmax);

/* ---- types: sets of NnType, a bit each */

#define NN_TYPE_BIT(type) (1u << (type))
#define NN_TYPES_FLOAT (NN_TYPE_BIT(NN_FLOAT16) | NN_TYPE_BIT(NN_FLOAT32) | NN_TYPE_BIT(NN_FLOAT64))
#define NN_TYPES_SIGNED                                                                            \
    (NN_TYPE_BIT(NN_INT8) | NN_TYPE_BIT(NN_INT16) | NN_TYPE_BIT(NN_INT32) | NN_TYPE_BIT(NN_INT64))
#define NN_TYPES_UNSIGNED                                                                          \
    (NN_TYPE_BIT(NN_UINT8) | NN_TYPE_BIT(NN_UINT16) | NN_TYPE_BIT(NN_UINT32) |                     \
     NN_TYPE_BIT(NN_UINT64))
#define NN_TYPES_INTEGER (NN_TYPES_SIGNED | NN_TYPES_UNSIGNED)
#define NN_TYPES_NUMBER (NN_TYPES_FLOAT | NN_TYPES_INTEGER)
#define NN_TYPES_INDEX (NN_TYPE_BIT(NN_INT32) | NN_TYPE_BIT(NN_INT64))
#define NN_TYPES_ALL (NN_TYPES_NUMBER | NN_TYPE_BIT(NN_BOOL))

/* ---- checks; all return FALSE with an error that names the node */

/* The first @min inputs are there, there are no more than @max, and there is a first output and no
 * more than @max_outputs of them. */
gboolean nn_check_arity(const NnNode *node, guint min, guint max, guint max_outputs,
                        GError **error);
/* Input @i is left out or its type is in the set @types. */
gboolean nn_check_type(const NnNode *node, guint i, guint types, GError **error);
/* Input @i is left out or of the type of input 0. */
gboolean nn_check_same_type(const NnNode *node, guint i, GError **error);
/* Input @i is left out or has these dims. */
gboolean nn_check_dims(const NnNode *node, guint i, int rank, const gint64 *dims, GError **error);
/* @value is in @low..@high. */
gboolean nn_check_range(const NnNode *node, const char *what, gint64 value, gint64 low, gint64 high,
                        GError **error);

/* No extent, step or padding is larger: sums and products of two of them fit gint64. */
#define NN_MAX_EXTENT G_MAXINT32

/* A list attribute of exactly @n integers within @low..@high, or all @fallback if it is absent. */
gboolean nn_list_attribute(const NnNode *node, const char *name, gsize n, gint64 fallback,
                           gint64 low, gint64 high, gint64 *list, GError **error);
/* The integers of input @i's constant, a scalar or a vector of at most @max. */
gboolean nn_host_ints(const NnNode *node, guint i, gsize max, gint64 *list, gsize *n,
                      GError **error);
/* What was an attribute below @input_since and is input @i from there on. *n is 0 and *given FALSE
 * if it is left out. */
gboolean nn_attribute_or_input(const NnNode *node, const char *name, int input_since, guint i,
                               gsize max, gint64 *list, gsize *n, gboolean *given, GError **error);
/* The constant of input @i, an array of one element; @fallback if it is left out. */
gboolean nn_host_number(const NnNode *node, guint i, double fallback, double *value,
                        GError **error);
/* A list of axes of a tensor of @rank as a bit set; an axis twice is an error. */
gboolean nn_axes_mask(const NnNode *node, const gint64 *axes, gsize n, int rank, guint *mask,
                      GError **error);

/* ---- shapes */

/* Sets output @i unless it is left out. */
gboolean nn_set_output(const NnNode *node, guint i, NnType type, int rank, const gint64 *dims,
                       GError **error);
/* Output 0 is of the type and shape of input 0. */
gboolean nn_set_output_as_input(const NnNode *node, GError **error);
/* ONNX (numpy) broadcasting of all inputs from @first on. */
gboolean nn_broadcast_inputs(const NnNode *node, guint first, int *rank, gint64 *dims,
                             GError **error);
/* Row-major strides in elements. */
void nn_dense_strides(int rank, const gint64 *dims, gint64 *strides);

/* Walks a shape in row-major order and follows where that leads in up to three operands. */
typedef struct {
    int rank, n_operands;
    gint64 dims[NN_MAX_RANK], index[NN_MAX_RANK];
    gint64 stride[3][NN_MAX_RANK];
    gint64 offset[3]; /* of the current element, per operand */
} NnWalk;

void nn_walk_init(NnWalk *walk, int rank, const gint64 *dims);
void nn_walk_operand(NnWalk *walk, const gint64 *strides);
/* An operand that is broadcast to the walk's shape, which it must fit. */
void nn_walk_broadcast(NnWalk *walk, const NnArray *array);
void nn_walk_next(NnWalk *walk);

/* ---- elements */

/* Input @i's array; NULL if it is left out, or is there as the residual of a fused addition. */
const NnArray *nn_optional(const NnNode *node, const NnArray *const *in, guint i);
/* Output @i's array; NULL if it is left out. */
NnArray *nn_optional_output(const NnNode *node, NnArray *const *out, guint i);
/* A copy as doubles; NULL with an error when memory is short. Freed with g_free(). */
double *nn_doubles(const NnNode *node, const NnArray *array, GError **error);
/* @n zeroed doubles, as above. */
double *nn_new_doubles(const NnNode *node, gsize n, GError **error);
void nn_copy_element(NnArray *to, gsize to_i, const NnArray *from, gsize from_i);
/* All elements, between arrays of the same type and count. */
void nn_copy_elements(NnArray *to, const NnArray *from);

G_END_DECLS
