/* def_shape.c - the meaning of operators that give a tensor another shape or make one from shapes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "defs.h"

#include <math.h>
#include <string.h>

/* ---- the same elements under another shape */

gboolean nn_infer_identity(NnNode *node, GError **error)
{
    return nn_check_arity(node, 1, 1, 1, error) && nn_set_output_as_input(node, error);
}

/* Also serves Reshape, Flatten, Squeeze and Unsqueeze. */
gboolean nn_reference_identity(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                               GError **error)
{
    nn_copy_elements(out[0], in[0]);
    return TRUE;
}

/* Operator Reshape: 0 keeps the input's dim (unless allowzero, opset 14), one -1 takes the rest. */
static gboolean resolve_shape(const NnNode *node, gint64 *dims, int rank, GError **error)
{
    const NnValue *x = nn_node_input(node, 0);
    gboolean allow_zero = nn_node_int(node, "allowzero", 0) != 0;
    int open = -1;
    gsize n, known;

    if (!nn_dims_count(x->rank, x->dims, &n))
        return nn_node_error(node, error, NN_ERROR_TOO_LARGE, "too many elements");
    for (int i = 0; i < rank; i++) {
        if (dims[i] == 0 && !allow_zero) {
            if (i >= x->rank)
                return nn_node_error(node, error, NN_ERROR_SHAPE, "there is no dim %d to keep", i);
            dims[i] = x->dims[i];
        } else if (dims[i] == -1) {
            if (open >= 0)
                return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "two dims are -1");
            open = i;
            dims[i] = 1;
        }
    }
    if (!nn_dims_count(rank, dims, &known))
        return nn_node_error(node, error, NN_ERROR_SHAPE, "the shape is negative or too large");
    if (open >= 0 && known > 0 && n % known == 0) {
        dims[open] = n / known;
        return TRUE;
    }
    if (open >= 0 || known != n)
        return nn_node_error(node, error, NN_ERROR_SHAPE,
                             "%" G_GSIZE_FORMAT " elements do not fit the shape", n);
    return TRUE;
}

gboolean nn_infer_reshape(NnNode *node, GError **error)
{
    gint64 dims[NN_MAX_RANK];
    gsize rank;

    if (!nn_check_arity(node, 2, 2, 1, error) ||
        !nn_host_ints(node, 1, NN_MAX_RANK, dims, &rank, error) ||
        !resolve_shape(node, dims, rank, error))
        return FALSE;
    return nn_set_output(node, 0, nn_node_input(node, 0)->type, rank, dims, error);
}

gboolean nn_infer_flatten(NnNode *node, GError **error)
{
    const NnValue *x;
    gint64 axis, dims[2];
    gsize before, after;

    if (!nn_check_arity(node, 1, 1, 1, error))
        return FALSE;
    x = nn_node_input(node, 0);
    axis = nn_node_int(node, "axis", 1);
    if (!nn_check_range(node, "axis", axis, -x->rank, x->rank, error))
        return FALSE;
    if (axis < 0)
        axis += x->rank;
    if (!nn_dims_count(axis, x->dims, &before) ||
        !nn_dims_count(x->rank - axis, x->dims + axis, &after))
        return nn_node_error(node, error, NN_ERROR_TOO_LARGE, "too many elements");
    dims[0] = before;
    dims[1] = after;
    return nn_set_output(node, 0, x->type, 2, dims, error);
}

/* Axes are an attribute before opset 13; without any, every axis of 1 goes. */
gboolean nn_infer_squeeze(NnNode *node, GError **error)
{
    const NnValue *x;
    gint64 axes[NN_MAX_RANK], dims[NN_MAX_RANK];
    gsize n;
    gboolean given;
    guint mask;
    int rank = 0;

    if (!nn_check_arity(node, 1, 2, 1, error) ||
        !nn_attribute_or_input(node, "axes", 13, 1, NN_MAX_RANK, axes, &n, &given, error))
        return FALSE;
    x = nn_node_input(node, 0);
    if (!nn_axes_mask(node, axes, n, x->rank, &mask, error))
        return FALSE;
    for (int i = 0; i < x->rank; i++) {
        if (given && (mask & (1u << i)) && x->dims[i] != 1)
            return nn_node_error(node, error, NN_ERROR_SHAPE,
                                 "axis %d has %" G_GINT64_FORMAT " elements", i, x->dims[i]);
        if (given ? !(mask & (1u << i)) : x->dims[i] != 1)
            dims[rank++] = x->dims[i];
    }
    return nn_set_output(node, 0, x->type, rank, dims, error);
}

gboolean nn_infer_unsqueeze(NnNode *node, GError **error)
{
    const NnValue *x;
    gint64 axes[NN_MAX_RANK], dims[NN_MAX_RANK];
    gsize n;
    gboolean given;
    guint mask;
    int rank, taken = 0;

    if (!nn_check_arity(node, 1, 2, 1, error) ||
        !nn_attribute_or_input(node, "axes", 13, 1, NN_MAX_RANK, axes, &n, &given, error))
        return FALSE;
    x = nn_node_input(node, 0);
    rank = x->rank + (int)n;
    if (!given || rank > NN_MAX_RANK)
        return nn_node_error(node, error, given ? NN_ERROR_TOO_LARGE : NN_ERROR_BAD_MODEL,
                             given ? "too many axes" : "axes are missing");
    if (!nn_axes_mask(node, axes, n, rank, &mask, error))
        return FALSE;
    for (int i = 0; i < rank; i++)
        dims[i] = mask & (1u << i) ? 1 : x->dims[taken++];
    return nn_set_output(node, 0, x->type, rank, dims, error);
}

/* Dropout when running, not training: the identity, and a mask that keeps everything. The mask is
 * bool since opset 10. */
gboolean nn_infer_dropout(NnNode *node, GError **error)
{
    const NnValue *x;
    double training;

    if (!nn_check_arity(node, 1, node->opset < 12 ? 1 : 3, 2, error) ||
        !nn_host_number(node, 2, 0, &training, error))
        return FALSE;
    if (training != 0)
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "training is not supported");
    x = nn_node_input(node, 0);
    return nn_set_output_as_input(node, error) &&
           nn_set_output(node, 1, node->opset < 10 ? x->type : NN_BOOL, x->rank, x->dims, error);
}

gboolean nn_reference_dropout(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                              GError **error)
{
    NnArray *mask = nn_optional_output(node, out, 1);

    nn_copy_elements(out[0], in[0]);
    for (gsize i = 0; mask && i < mask->n; i++)
        nn_array_set(mask, i, 1);
    return TRUE;
}

/* ---- from shapes */

/* The axes start..end of Shape (opset 15), clamped; the whole rank without them. */
static void shape_bounds(const NnNode *node, int rank, int *start, int *end)
{
    gint64 from = nn_node_int(node, "start", 0), to = nn_node_int(node, "end", rank);

    *start = CLAMP(from < 0 ? from + rank : from, 0, rank);
    *end = CLAMP(to < 0 ? to + rank : to, *start, rank);
}

gboolean nn_infer_shape(NnNode *node, GError **error)
{
    int start, end;
    gint64 n;

    if (!nn_check_arity(node, 1, 1, 1, error))
        return FALSE;
    shape_bounds(node, nn_node_input(node, 0)->rank, &start, &end);
    n = end - start;
    return nn_set_output(node, 0, NN_INT64, 1, &n, error);
}

gboolean nn_reference_shape(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                            GError **error)
{
    int start, end;

    shape_bounds(node, in[0]->rank, &start, &end);
    for (int i = start; i < end; i++)
        nn_array_set_int(out[0], i - start, in[0]->dims[i]);
    return TRUE;
}

gboolean nn_infer_size(NnNode *node, GError **error)
{
    return nn_check_arity(node, 1, 1, 1, error) && nn_set_output(node, 0, NN_INT64, 0, NULL, error);
}

gboolean nn_reference_size(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                           GError **error)
{
    nn_array_set_int(out[0], 0, in[0]->n);
    return TRUE;
}

/* ---- from values */

/* Constant's value in whichever attribute it comes (opset 12 added the plain numbers). */
static const NnAttribute *constant_attribute(const NnNode *node)
{
    static const char *const names[] = { "value", "value_float", "value_floats", "value_int",
                                         "value_ints" };

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (nn_node_attribute(node, names[i]))
            return nn_node_attribute(node, names[i]);
    return NULL;
}

gboolean nn_infer_constant(NnNode *node, GError **error)
{
    const NnAttribute *value = constant_attribute(node);
    gint64 n;

    if (!nn_check_arity(node, 0, 0, 1, error))
        return FALSE;
    if (!value)
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "no value of a supported kind");
    n = value->n;
    switch (value->kind) {
    case NN_ATTRIBUTE_ARRAY:
        return nn_set_output(node, 0, value->u.array->type, value->u.array->rank,
                             value->u.array->dims, error);
    case NN_ATTRIBUTE_FLOAT:
        return nn_set_output(node, 0, NN_FLOAT32, 0, NULL, error);
    case NN_ATTRIBUTE_FLOATS:
        return nn_set_output(node, 0, NN_FLOAT32, 1, &n, error);
    case NN_ATTRIBUTE_INT:
        return nn_set_output(node, 0, NN_INT64, 0, NULL, error);
    case NN_ATTRIBUTE_INTS:
        return nn_set_output(node, 0, NN_INT64, 1, &n, error);
    default:
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "the value is not a number");
    }
}

gboolean nn_reference_constant(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                               GError **error)
{
    const NnAttribute *value = constant_attribute(node);

    if (value->kind == NN_ATTRIBUTE_ARRAY)
        nn_copy_elements(out[0], value->u.array);
    else if (value->kind == NN_ATTRIBUTE_FLOAT)
        nn_array_set(out[0], 0, value->u.f);
    else if (value->kind == NN_ATTRIBUTE_INT)
        nn_array_set_int(out[0], 0, value->u.i);
    else
        for (gsize i = 0; i < out[0]->n; i++)
            if (value->kind == NN_ATTRIBUTE_FLOATS)
                nn_array_set(out[0], i, value->u.floats[i]);
            else
                nn_array_set_int(out[0], i, value->u.ints[i]);
    return TRUE;
}

gboolean nn_infer_constant_of_shape(NnNode *node, GError **error)
{
    const NnAttribute *value = nn_node_attribute(node, "value");
    gint64 dims[NN_MAX_RANK];
    gsize rank;

    if (!nn_check_arity(node, 1, 1, 1, error) ||
        !nn_host_ints(node, 0, NN_MAX_RANK, dims, &rank, error))
        return FALSE;
    if (value && (value->kind != NN_ATTRIBUTE_ARRAY || value->u.array->n != 1))
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "the value is not one number");
    return nn_set_output(node, 0, value ? value->u.array->type : NN_FLOAT32, rank, dims, error);
}

gboolean nn_reference_constant_of_shape(const NnNode *node, const NnArray *const *in,
                                        NnArray *const *out, GError **error)
{
    const NnAttribute *value = nn_node_attribute(node, "value");

    for (gsize i = 0; value && i < out[0]->n; i++)
        nn_copy_element(out[0], i, value->u.array, 0);
    return TRUE;
}

/* Operator Range: max(ceil((limit - start) / delta), 0) numbers. */
static gboolean range_count(const NnNode *node, gint64 *n, GError **error)
{
    double start, limit, delta, count;

    if (!nn_host_number(node, 0, 0, &start, error) || !nn_host_number(node, 1, 0, &limit, error) ||
        !nn_host_number(node, 2, 0, &delta, error))
        return FALSE;
    count = delta != 0 ? ceil((limit - start) / delta) : -1;
    if (delta == 0 || !(count <= NN_MAX_EXTENT))
        return nn_node_error(node, error, NN_ERROR_SHAPE, "the range has no end");
    *n = MAX(count, 0);
    return TRUE;
}

gboolean nn_infer_range(NnNode *node, GError **error)
{
    gint64 n;

    if (!nn_check_arity(node, 3, 3, 1, error) || !nn_check_type(node, 0, NN_TYPES_NUMBER, error) ||
        !nn_check_same_type(node, 1, error) || !nn_check_same_type(node, 2, error) ||
        !range_count(node, &n, error))
        return FALSE;
    return nn_set_output(node, 0, nn_node_input(node, 0)->type, 1, &n, error);
}

gboolean nn_reference_range(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                            GError **error)
{
    gboolean is_float = nn_type_is_float(out[0]->type);

    for (gsize i = 0; i < out[0]->n; i++)
        if (is_float)
            nn_array_set(out[0], i, nn_array_get(in[0], 0) + i * nn_array_get(in[2], 0));
        else
            nn_array_set_int(out[0], i,
                             (guint64)nn_array_get_int(in[0], 0) +
                                 i * (guint64)nn_array_get_int(in[2], 0));
    return TRUE;
}

/* The output's shape depends on the values, so they must be known. */
gboolean nn_infer_nonzero(NnNode *node, GError **error)
{
    const NnArray *x;
    gint64 dims[2] = { 0, 0 };

    if (!nn_check_arity(node, 1, 1, 1, error))
        return FALSE;
    x = nn_node_input(node, 0)->constant;
    if (!x)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "input 0 is not known before running");
    dims[0] = x->rank;
    for (gsize i = 0; i < x->n; i++)
        dims[1] += nn_array_get(x, i) != 0;
    return nn_set_output(node, 0, NN_INT64, 2, dims, error);
}

gboolean nn_reference_nonzero(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                              GError **error)
{
    gsize n = out[0]->dims[1], found = 0;
    NnWalk walk;

    nn_walk_init(&walk, in[0]->rank, in[0]->dims);
    for (gsize i = 0; i < in[0]->n; i++, nn_walk_next(&walk)) {
        if (nn_array_get(in[0], i) == 0 || found == n)
            continue;
        for (int axis = 0; axis < in[0]->rank; axis++)
            nn_array_set_int(out[0], axis * n + found, walk.index[axis]);
        found++;
    }
    return TRUE;
}

gboolean nn_infer_eye_like(NnNode *node, GError **error)
{
    const NnValue *x;
    gint64 type;

    if (!nn_check_arity(node, 1, 1, 1, error))
        return FALSE;
    x = nn_node_input(node, 0);
    type = nn_node_int(node, "dtype", x->type);
    if (x->rank != 2)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "the input has %d axes", x->rank);
    if (type < 0 || type > NN_UINT64 || !(NN_TYPES_ALL & NN_TYPE_BIT(type)))
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED,
                             "element type %" G_GINT64_FORMAT " is not supported", type);
    return nn_set_output(node, 0, type, 2, x->dims, error);
}

gboolean nn_reference_eye_like(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                               GError **error)
{
    gint64 k = nn_node_int(node, "k", 0), columns = out[0]->dims[1];

    if (k <= -out[0]->dims[0] || k >= columns)
        return TRUE;
    for (gint64 row = MAX(-k, 0); row < out[0]->dims[0] && row + k < columns; row++)
        nn_array_set(out[0], row * columns + row + k, 1);
    return TRUE;
}
