/* defs.c - checks, shapes and element access that the operator meanings share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "defs.h"

#include <string.h>

/* ---- checks */

gboolean nn_check_arity(const NnNode *node, guint min, guint max, guint max_outputs, GError **error)
{
    guint n_inputs = 0;

    for (guint i = 0; i < node->inputs->len; i++)
        n_inputs += !nn_node_is_fused_input(node, i);
    if (n_inputs > max || node->outputs->len > max_outputs)
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL,
                             "%u inputs and %u outputs, of %u and %u at most", n_inputs,
                             node->outputs->len, max, max_outputs);
    for (guint i = 0; i < min; i++)
        if (!nn_node_input(node, i))
            return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "input %u is missing", i);
    if (!nn_node_output(node, 0))
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "output 0 is missing");
    return TRUE;
}

gboolean nn_check_type(const NnNode *node, guint i, guint types, GError **error)
{
    const NnValue *value = nn_node_input(node, i);

    if (!value || (types & NN_TYPE_BIT(value->type)))
        return TRUE;
    return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "input %u is of type %s", i,
                         nn_type_name(value->type));
}

gboolean nn_check_same_type(const NnNode *node, guint i, GError **error)
{
    const NnValue *value = nn_node_input(node, i);
    const NnValue *first = nn_node_input(node, 0);

    if (!value || value->type == first->type)
        return TRUE;
    return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "input 0 is of type %s but input %u %s",
                         nn_type_name(first->type), i, nn_type_name(value->type));
}

gboolean nn_check_dims(const NnNode *node, guint i, int rank, const gint64 *dims, GError **error)
{
    const NnValue *value = nn_node_input(node, i);

    if (!value)
        return TRUE;
    if (value->rank != rank)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "input %u has %d axes instead of %d", i,
                             value->rank, rank);
    for (int axis = 0; axis < rank; axis++)
        if (value->dims[axis] != dims[axis])
            return nn_node_error(node, error, NN_ERROR_SHAPE,
                                 "input %u has %" G_GINT64_FORMAT
                                 " elements on axis %d instead of %" G_GINT64_FORMAT,
                                 i, value->dims[axis], axis, dims[axis]);
    return TRUE;
}

gboolean nn_check_range(const NnNode *node, const char *what, gint64 value, gint64 low, gint64 high,
                        GError **error)
{
    if (value >= low && value <= high)
        return TRUE;
    return nn_node_error(node, error, NN_ERROR_BAD_MODEL,
                         "%s is %" G_GINT64_FORMAT ", not in %" G_GINT64_FORMAT
                         "..%" G_GINT64_FORMAT,
                         what, value, low, high);
}

gboolean nn_list_attribute(const NnNode *node, const char *name, gsize n, gint64 fallback,
                           gint64 low, gint64 high, gint64 *list, GError **error)
{
    gsize n_given;
    const gint64 *given = nn_node_ints(node, name, &n_given);

    if (given && n_given != n)
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL,
                             "%s has %" G_GSIZE_FORMAT " entries instead of %" G_GSIZE_FORMAT, name,
                             n_given, n);
    for (gsize i = 0; i < n; i++) {
        list[i] = given ? given[i] : fallback;
        if (given && !nn_check_range(node, name, list[i], low, high, error))
            return FALSE;
    }
    return TRUE;
}

gboolean nn_host_ints(const NnNode *node, guint i, gsize max, gint64 *list, gsize *n,
                      GError **error)
{
    const NnValue *value = nn_node_input(node, i);

    if (!value || !value->constant)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "input %u is not known before running",
                             i);
    if (!nn_check_type(node, i, NN_TYPES_INTEGER, error))
        return FALSE;
    if (value->constant->rank > 1 || value->constant->n > max)
        return nn_node_error(node, error, NN_ERROR_SHAPE,
                             "input %u is not a list of at most %" G_GSIZE_FORMAT " numbers", i,
                             max);
    *n = value->constant->n;
    for (gsize k = 0; k < *n; k++)
        list[k] = nn_array_get_int(value->constant, k);
    return TRUE;
}

gboolean nn_attribute_or_input(const NnNode *node, const char *name, int input_since, guint i,
                               gsize max, gint64 *list, gsize *n, gboolean *given, GError **error)
{
    const gint64 *ints;

    *n = 0;
    *given = FALSE;
    if (node->opset >= input_since) {
        *given = nn_node_input(node, i) != NULL;
        return !*given || nn_host_ints(node, i, max, list, n, error);
    }
    ints = nn_node_ints(node, name, n);
    if (!ints)
        return TRUE;
    if (*n > max)
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "%s has %" G_GSIZE_FORMAT " entries",
                             name, *n);
    memcpy(list, ints, *n * sizeof *list);
    *given = TRUE;
    return TRUE;
}

gboolean nn_host_number(const NnNode *node, guint i, double fallback, double *value, GError **error)
{
    const NnValue *input = nn_node_input(node, i);

    *value = fallback;
    if (!input)
        return TRUE;
    if (!input->constant)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "input %u is not known before running",
                             i);
    if (input->constant->n != 1)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "input %u is not one number", i);
    *value = nn_array_get(input->constant, 0);
    return TRUE;
}

gboolean nn_resolve_axis(const NnNode *node, gint64 axis, int rank, int *resolved, GError **error)
{
    if (axis < -rank || axis >= rank)
        return nn_node_error(node, error, NN_ERROR_SHAPE,
                             "there is no axis %" G_GINT64_FORMAT " among %d", axis, rank);
    *resolved = axis < 0 ? axis + rank : axis;
    return TRUE;
}

gboolean nn_axes_mask(const NnNode *node, const gint64 *axes, gsize n, int rank, guint *mask,
                      GError **error)
{
    *mask = 0;
    for (gsize i = 0; i < n; i++) {
        int axis = 0;

        if (!nn_resolve_axis(node, axes[i], rank, &axis, error))
            return FALSE;
        if (*mask & (1u << axis))
            return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "axis %d is named twice", axis);
        *mask |= 1u << axis;
    }
    return TRUE;
}

/* ---- shapes */

gboolean nn_set_output(const NnNode *node, guint i, NnType type, int rank, const gint64 *dims,
                       GError **error)
{
    NnValue *value = nn_node_output(node, i);

    return !value || nn_value_set(value, type, rank, dims, error);
}

gboolean nn_set_output_as_input(const NnNode *node, GError **error)
{
    const NnValue *x = nn_node_input(node, 0);

    return nn_set_output(node, 0, x->type, x->rank, x->dims, error);
}

gboolean nn_broadcast_inputs(const NnNode *node, guint first, int *rank, gint64 *dims,
                             GError **error)
{
    *rank = 0;
    for (guint i = first; i < node->inputs->len; i++)
        *rank = MAX(*rank, nn_node_input(node, i)->rank);
    for (int axis = 0; axis < *rank; axis++)
        dims[axis] = 1;

    for (guint i = first; i < node->inputs->len; i++) {
        const NnValue *value = nn_node_input(node, i);

        for (int axis = 0; axis < value->rank; axis++) {
            gint64 *dim = &dims[*rank - value->rank + axis];

            if (value->dims[axis] == 1)
                continue;
            if (*dim != 1 && *dim != value->dims[axis])
                return nn_node_error(node, error, NN_ERROR_SHAPE,
                                     "input %u cannot be broadcast: %" G_GINT64_FORMAT
                                     " elements meet %" G_GINT64_FORMAT,
                                     i, value->dims[axis], *dim);
            *dim = value->dims[axis];
        }
    }
    return TRUE;
}

void nn_dense_strides(int rank, const gint64 *dims, gint64 *strides)
{
    guint64 stride = 1; /* may wrap around where another axis is empty */

    for (int axis = rank - 1; axis >= 0; axis--) {
        strides[axis] = stride;
        stride *= dims[axis];
    }
}

NnLanes nn_lanes(int rank, const gint64 *dims, int axis)
{
    NnLanes lanes = { 1, dims[axis], 1 };
    gsize n;

    if (!nn_dims_count(rank, dims, &n) || n == 0)
        return (NnLanes){ 0, 0, 0 };
    for (int i = 0; i < axis; i++)
        lanes.outer *= dims[i];
    for (int i = axis + 1; i < rank; i++)
        lanes.inner *= dims[i];
    return lanes;
}

void nn_walk_init(NnWalk *walk, int rank, const gint64 *dims)
{
    memset(walk, 0, sizeof *walk);
    walk->rank = rank;
    memcpy(walk->dims, dims, rank * sizeof *dims);
}

void nn_walk_operand(NnWalk *walk, const gint64 *strides)
{
    memcpy(walk->stride[walk->n_operands++], strides, walk->rank * sizeof *strides);
}

void nn_walk_broadcast(NnWalk *walk, const NnArray *array)
{
    gint64 dense[NN_MAX_RANK];
    gint64 *strides = walk->stride[walk->n_operands++];

    nn_dense_strides(array->rank, array->dims, dense);
    for (int axis = 0; axis < array->rank; axis++)
        if (array->dims[axis] != 1)
            strides[walk->rank - array->rank + axis] = dense[axis];
}

void nn_walk_next(NnWalk *walk)
{
    for (int axis = walk->rank - 1; axis >= 0; axis--) {
        gboolean wraps = ++walk->index[axis] == walk->dims[axis];

        for (int i = 0; i < walk->n_operands; i++)
            walk->offset[i] += walk->stride[i][axis];
        if (!wraps)
            return;
        walk->index[axis] = 0;
        for (int i = 0; i < walk->n_operands; i++)
            walk->offset[i] -= walk->stride[i][axis] * walk->dims[axis];
    }
}

/* ---- elements */

const NnArray *nn_optional(const NnNode *node, const NnArray *const *in, guint i)
{
    return i < node->inputs->len && !nn_node_is_fused_input(node, i) ? in[i] : NULL;
}

NnArray *nn_optional_output(const NnNode *node, NnArray *const *out, guint i)
{
    return i < node->outputs->len ? out[i] : NULL;
}

double *nn_new_doubles(const NnNode *node, gsize n, GError **error)
{
    double *doubles = g_try_malloc0_n(MAX(n, 1), sizeof *doubles);

    if (!doubles)
        nn_node_error(node, error, NN_ERROR_TOO_LARGE, "no memory for %" G_GSIZE_FORMAT " numbers",
                      n);
    return doubles;
}

double *nn_doubles(const NnNode *node, const NnArray *array, GError **error)
{
    double *doubles = nn_new_doubles(node, array->n, error);

    for (gsize i = 0; doubles && i < array->n; i++)
        doubles[i] = nn_array_get(array, i);
    return doubles;
}

void nn_copy_element(NnArray *to, gsize to_i, const NnArray *from, gsize from_i)
{
    gsize size = nn_type_size(to->type);

    memcpy((guint8 *)to->data + to_i * size, (const guint8 *)from->data + from_i * size, size);
}

void nn_copy_elements(NnArray *to, const NnArray *from)
{
    if (to->n > 0)
        memcpy(to->data, from->data, to->n * nn_type_size(to->type));
}
