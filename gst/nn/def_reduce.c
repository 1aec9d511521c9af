/* def_reduce.c - the meaning of operators that make one number of many, or go along an axis.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "defs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Reduce* */

typedef double (*FloatReduction)(const double *v, gsize n);
typedef gint64 (*IntReduction)(const gint64 *v, gsize n);

static double f_sum(const double *v, gsize n)
{
    double sum = 0;

    for (gsize i = 0; i < n; i++)
        sum += v[i];
    return sum;
}

static gint64 i_sum(const gint64 *v, gsize n)
{
    guint64 sum = 0;

    for (gsize i = 0; i < n; i++)
        sum += v[i];
    return sum;
}

static double f_mean(const double *v, gsize n)
{
    return f_sum(v, n) / n;
}

static gint64 i_mean(const gint64 *v, gsize n)
{
    return n > 0 ? i_sum(v, n) / (gint64)n : 0;
}

static double f_prod(const double *v, gsize n)
{
    double product = 1;

    for (gsize i = 0; i < n; i++)
        product *= v[i];
    return product;
}

static gint64 i_prod(const gint64 *v, gsize n)
{
    guint64 product = 1;

    for (gsize i = 0; i < n; i++)
        product *= v[i];
    return product;
}

/* A NaN wins, as in numpy. */
static double f_max(const double *v, gsize n)
{
    double max = -INFINITY;

    for (gsize i = 0; i < n; i++)
        max = v[i] > max || isnan(v[i]) ? v[i] : max;
    return max;
}

static gint64 i_max(const gint64 *v, gsize n)
{
    gint64 max = G_MININT64;

    for (gsize i = 0; i < n; i++)
        max = MAX(max, v[i]);
    return max;
}

static double f_min(const double *v, gsize n)
{
    double min = INFINITY;

    for (gsize i = 0; i < n; i++)
        min = v[i] < min || isnan(v[i]) ? v[i] : min;
    return min;
}

static gint64 i_min(const gint64 *v, gsize n)
{
    gint64 min = G_MAXINT64;

    for (gsize i = 0; i < n; i++)
        min = MIN(min, v[i]);
    return min;
}

static double f_l1(const double *v, gsize n)
{
    double sum = 0;

    for (gsize i = 0; i < n; i++)
        sum += fabs(v[i]);
    return sum;
}

static double f_sum_square(const double *v, gsize n)
{
    double sum = 0;

    for (gsize i = 0; i < n; i++)
        sum += v[i] * v[i];
    return sum;
}

static double f_l2(const double *v, gsize n)
{
    return sqrt(f_sum_square(v, n));
}

static double f_log_sum(const double *v, gsize n)
{
    return log(f_sum(v, n));
}

/* The maximum is taken off first, which changes nothing but keeps exp() in range. */
static double f_log_sum_exp(const double *v, gsize n)
{
    double max = f_max(v, n), sum = 0;

    if (!isfinite(max))
        return max;
    for (gsize i = 0; i < n; i++)
        sum += exp(v[i] - max);
    return max + log(sum);
}

/* Integers without a form of their own are computed as floating-point numbers. */
static const struct {
    const char *type;
    FloatReduction f;
    IntReduction i;
    int axes_input_since; /* the opset that made axes an input */
} reductions[] = {
    { "ReduceSum", f_sum, i_sum, 13 },
    { "ReduceMean", f_mean, i_mean, 18 },
    { "ReduceMax", f_max, i_max, 18 },
    { "ReduceMin", f_min, i_min, 18 },
    { "ReduceProd", f_prod, i_prod, 18 },
    { "ReduceL1", f_l1, NULL, 18 },
    { "ReduceL2", f_l2, NULL, 18 },
    { "ReduceLogSum", f_log_sum, NULL, 18 },
    { "ReduceLogSumExp", f_log_sum_exp, NULL, 18 },
    { "ReduceSumSquare", f_sum_square, NULL, 18 },
};

static guint find_reduction(const NnNode *node)
{
    guint i = 0;

    while (!g_str_equal(reductions[i].type, node->type))
        i++;
    return i;
}

/* Without axes all are reduced, or none with noop_with_empty_axes. */
gboolean nn_reduce_params(const NnNode *node, NnReduceParams *p, GError **error)
{
    const NnValue *x = nn_node_input(node, 0);
    gint64 axes[NN_MAX_RANK];
    gsize n;
    gboolean given;

    if (!nn_attribute_or_input(node, "axes", reductions[find_reduction(node)].axes_input_since, 1,
                               NN_MAX_RANK, axes, &n, &given, error) ||
        !nn_axes_mask(node, axes, n, x->rank, &p->axes, error))
        return FALSE;
    if (n == 0 && nn_node_int(node, "noop_with_empty_axes", 0) == 0)
        p->axes = (1u << x->rank) - 1;
    p->keepdims = nn_node_int(node, "keepdims", 1) != 0;
    return TRUE;
}

/* Sets output 0 to the input's shape without, or with 1 on, the reduced axes. */
static gboolean set_reduced(const NnNode *node, NnType type, const NnReduceParams *p,
                            GError **error)
{
    const NnValue *x = nn_node_input(node, 0);
    gint64 dims[NN_MAX_RANK];
    int rank = 0;

    for (int axis = 0; axis < x->rank; axis++)
        if (!(p->axes & (1u << axis)))
            dims[rank++] = x->dims[axis];
        else if (p->keepdims)
            dims[rank++] = 1;
    return nn_set_output(node, 0, type, rank, dims, error);
}

gboolean nn_infer_reduce(NnNode *node, GError **error)
{
    NnReduceParams p;

    return nn_check_arity(node, 1, 2, 1, error) &&
           nn_check_type(node, 0, NN_TYPES_NUMBER | NN_TYPE_BIT(NN_BOOL), error) &&
           nn_reduce_params(node, &p, error) &&
           set_reduced(node, nn_node_input(node, 0)->type, &p, error);
}

/* The dims of the reduced axes, 1 on the others, or the other way round. */
static void masked_dims(const NnArray *x, guint axes, gint64 *dims)
{
    for (int axis = 0; axis < x->rank; axis++)
        dims[axis] = axes & (1u << axis) ? x->dims[axis] : 1;
}

/* Reduces the elements that a walk over the reduced axes meets, from element @first on. */
static void reduce_block(guint reduction, const NnArray *x, gsize first, NnWalk block, gsize n,
                         gpointer buffer, NnArray *out, gsize i)
{
    IntReduction integer = nn_type_is_float(x->type) ? NULL : reductions[reduction].i;
    double *doubles = buffer;
    gint64 *ints = buffer;

    for (gsize k = 0; k < n; k++, nn_walk_next(&block))
        if (integer)
            ints[k] = nn_array_get_int(x, first + block.offset[0]);
        else
            doubles[k] = nn_array_get(x, first + block.offset[0]);
    if (integer)
        nn_array_set_int(out, i, integer(ints, n));
    else
        nn_array_set(out, i, reductions[reduction].f(doubles, n));
}

gboolean nn_reference_reduce(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                             GError **error)
{
    const NnArray *x = in[0];
    gint64 strides[NN_MAX_RANK], kept[NN_MAX_RANK], reduced[NN_MAX_RANK];
    g_autofree double *buffer = NULL; /* doubles or gint64s */
    NnWalk outer, block;
    NnReduceParams p;
    gsize n;

    if (!nn_reduce_params(node, &p, error))
        return FALSE;
    nn_dense_strides(x->rank, x->dims, strides);
    masked_dims(x, ~p.axes, kept);
    masked_dims(x, p.axes, reduced);
    if (!nn_dims_count(x->rank, reduced, &n) || !(buffer = nn_new_doubles(node, n, error)))
        return FALSE;
    nn_walk_init(&outer, x->rank, kept);
    nn_walk_operand(&outer, strides);
    nn_walk_init(&block, x->rank, reduced);
    nn_walk_operand(&block, strides);
    for (gsize i = 0; i < out[0]->n; i++, nn_walk_next(&outer))
        reduce_block(find_reduction(node), x, outer.offset[0], block, n, buffer, out[0], i);
    return TRUE;
}

/* ---- ArgMax, ArgMin */

static gboolean arg_axis(const NnNode *node, int *axis, GError **error)
{
    return nn_resolve_axis(node, nn_node_int(node, "axis", 0), nn_node_input(node, 0)->rank, axis,
                           error);
}

gboolean nn_infer_arg_reduce(NnNode *node, GError **error)
{
    NnReduceParams p;
    int axis;

    if (!nn_check_arity(node, 1, 1, 1, error) || !nn_check_type(node, 0, NN_TYPES_NUMBER, error) ||
        !arg_axis(node, &axis, error))
        return FALSE;
    p.axes = 1u << axis;
    p.keepdims = nn_node_int(node, "keepdims", 1) != 0;
    return set_reduced(node, NN_INT64, &p, error);
}

/* The first of equals wins, or the last with select_last_index (opset 12). */
gboolean nn_reference_arg_reduce(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                                 GError **error)
{
    double sign = g_str_equal(node->type, "ArgMin") ? -1 : 1;
    gboolean last = nn_node_int(node, "select_last_index", 0) != 0;
    NnLanes lanes;
    int axis;

    if (!arg_axis(node, &axis, error))
        return FALSE;
    lanes = nn_lanes(in[0]->rank, in[0]->dims, axis);
    for (gint64 lane = 0; lane < lanes.outer * lanes.inner; lane++) {
        gint64 first = lane / lanes.inner * lanes.n * lanes.inner + lane % lanes.inner, best = 0;
        double top = sign * nn_array_get(in[0], first);

        for (gint64 k = 1; k < lanes.n; k++) {
            double x = sign * nn_array_get(in[0], first + k * lanes.inner);

            if (last ? x >= top : x > top) {
                top = x;
                best = k;
            }
        }
        nn_array_set_int(out[0], lane, best);
    }
    return TRUE;
}

/* ---- CumSum */

static gboolean cumsum_axis(const NnNode *node, int *axis, GError **error)
{
    gint64 list[1];
    gsize n;

    if (!nn_host_ints(node, 1, 1, list, &n, error))
        return FALSE;
    if (n != 1)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "the axis is not one number");
    return nn_resolve_axis(node, list[0], nn_node_input(node, 0)->rank, axis, error);
}

gboolean nn_infer_cumsum(NnNode *node, GError **error)
{
    int axis;

    return nn_check_arity(node, 2, 2, 1, error) && nn_check_type(node, 0, NN_TYPES_NUMBER, error) &&
           cumsum_axis(node, &axis, error) && nn_set_output_as_input(node, error);
}

gboolean nn_reference_cumsum(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                             GError **error)
{
    gboolean reverse = nn_node_int(node, "reverse", 0) != 0;
    gboolean exclusive = nn_node_int(node, "exclusive", 0) != 0;
    gboolean is_float = nn_type_is_float(in[0]->type);
    NnLanes lanes;
    int axis;

    if (!cumsum_axis(node, &axis, error))
        return FALSE;
    lanes = nn_lanes(in[0]->rank, in[0]->dims, axis);
    for (gint64 lane = 0; lane < lanes.outer * lanes.inner; lane++) {
        gint64 first = lane / lanes.inner * lanes.n * lanes.inner + lane % lanes.inner;
        double sum = 0;
        guint64 int_sum = 0;

        for (gint64 k = 0; k < lanes.n; k++) {
            gsize i = first + (reverse ? lanes.n - 1 - k : k) * lanes.inner;
            double before = sum;
            guint64 int_before = int_sum;

            sum += nn_array_get(in[0], i);
            int_sum += nn_array_get_int(in[0], i);
            if (is_float)
                nn_array_set(out[0], i, exclusive ? before : sum);
            else
                nn_array_set_int(out[0], i, exclusive ? int_before : int_sum);
        }
    }
    return TRUE;
}

/* ---- TopK */

/* k is an attribute before opset 10. */
static gboolean top_k_params(const NnNode *node, int *axis, gint64 *k, GError **error)
{
    const NnValue *x = nn_node_input(node, 0);
    gsize n = 1;

    if (!nn_resolve_axis(node, nn_node_int(node, "axis", -1), x->rank, axis, error))
        return FALSE;
    *k = nn_node_int(node, "k", -1);
    if (node->opset >= 10 && !nn_host_ints(node, 1, 1, k, &n, error))
        return FALSE;
    if (n != 1)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "k is not one number");
    return nn_check_range(node, "k", *k, 0, x->dims[*axis], error);
}

gboolean nn_infer_top_k(NnNode *node, GError **error)
{
    gint64 dims[NN_MAX_RANK], k;
    const NnValue *x;
    int axis;

    if (!nn_check_arity(node, node->opset < 10 ? 1 : 2, 2, 2, error) ||
        !nn_check_type(node, 0, NN_TYPES_NUMBER, error) || !top_k_params(node, &axis, &k, error))
        return FALSE;
    x = nn_node_input(node, 0);
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = k;
    return nn_set_output(node, 0, x->type, x->rank, dims, error) &&
           nn_set_output(node, 1, NN_INT64, x->rank, dims, error);
}

typedef struct {
    double key; /* ascending is the wanted order; NaNs come first */
    gint64 at;
} Ranked;

/* The lower index comes first among equals. */
static int compare_ranked(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;

    return x->key != y->key ? (x->key > y->key) - (x->key < y->key)
                            : (x->at > y->at) - (x->at < y->at);
}

gboolean nn_reference_top_k(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                            GError **error)
{
    double sign = nn_node_int(node, "largest", 1) != 0 ? -1 : 1;
    NnArray *indices = nn_optional_output(node, out, 1);
    g_autofree Ranked *ranked = NULL;
    NnLanes lanes;
    gint64 k;
    int axis;

    if (!top_k_params(node, &axis, &k, error))
        return FALSE;
    lanes = nn_lanes(in[0]->rank, in[0]->dims, axis);
    ranked = g_new(Ranked, MAX(lanes.n, 1));
    for (gint64 lane = 0; lane < lanes.outer * lanes.inner; lane++) {
        gint64 o = lane / lanes.inner, i = lane % lanes.inner;

        for (gint64 at = 0; at < lanes.n; at++) {
            double key = sign * nn_array_get(in[0], (o * lanes.n + at) * lanes.inner + i);

            ranked[at] = (Ranked){ isnan(key) ? -INFINITY : key, at };
        }
        qsort(ranked, lanes.n, sizeof *ranked, compare_ranked);
        for (gint64 j = 0; j < k; j++) {
            nn_copy_element(out[0], (o * k + j) * lanes.inner + i, in[0],
                            (o * lanes.n + ranked[j].at) * lanes.inner + i);
            if (indices)
                nn_array_set_int(indices, (o * k + j) * lanes.inner + i, ranked[j].at);
        }
    }
    return TRUE;
}
