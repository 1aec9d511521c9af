/* def_norm.c - the meaning of the normalisations.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "defs.h"

#include <math.h>
#include <string.h>

/* ---- the common */

/* Mean and variance of @n elements from @first on. */
static void moments(const NnArray *x, gsize first, gsize n, double *mean, double *variance)
{
    double sum = 0, squares = 0;

    for (gsize i = 0; i < n; i++)
        sum += nn_array_get(x, first + i);
    *mean = sum / n;
    for (gsize i = 0; i < n; i++) {
        double distance = nn_array_get(x, first + i) - *mean;

        squares += distance * distance;
    }
    *variance = squares / n;
}

/* An input of at least [n][c], float, with one number per channel in inputs 1 to @last. */
static gboolean check_channels(const NnNode *node, guint last, GError **error)
{
    const NnValue *x = nn_node_input(node, 0);

    if (!nn_check_type(node, 0, NN_TYPES_FLOAT, error))
        return FALSE;
    if (x->rank < 2)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "the input has %d axes", x->rank);
    for (guint i = 1; i <= last; i++)
        if (!nn_check_type(node, i, NN_TYPES_FLOAT, error) ||
            !nn_check_dims(node, i, 1, &x->dims[1], error))
            return FALSE;
    return TRUE;
}

/* ---- BatchNormalization */

/* Only as it runs, not as it trains: the outputs that training adds must be left out. */
gboolean nn_infer_batch_norm(NnNode *node, GError **error)
{
    if (!nn_check_arity(node, 5, 5, 5, error) || !check_channels(node, 4, error))
        return FALSE;
    for (guint i = 1; i < node->outputs->len; i++)
        if (nn_node_output(node, i))
            return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "training is not supported");
    if (nn_node_int(node, "training_mode", 0) != 0 || nn_node_int(node, "spatial", 1) != 1)
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED,
                             "training and per-element statistics are not supported");
    return nn_set_output_as_input(node, error);
}

/* y = scale * (x - mean) / sqrt(variance + epsilon) + bias */
gboolean nn_reference_batch_norm(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                                 GError **error)
{
    const NnLanes lanes = nn_lanes(in[0]->rank, in[0]->dims, 1);
    double epsilon = nn_node_float(node, "epsilon", 1e-5f);

    for (gsize i = 0; i < out[0]->n; i++) {
        gint64 c = i / lanes.inner % lanes.n;
        double deviation = sqrt(nn_array_get(in[4], c) + epsilon);

        nn_array_set(out[0], i,
                     nn_array_get(in[1], c) * (nn_array_get(in[0], i) - nn_array_get(in[3], c)) /
                             deviation +
                         nn_array_get(in[2], c));
    }
    return TRUE;
}

/* ---- InstanceNormalization, GroupNormalization */

/* Normalises blocks of @per_block channels, each with its own mean and variance, and scales each
 * channel c by scale[c / per_scale]. */
static void normalize_channels(const NnArray *const *in, NnArray *y, gint64 per_block,
                               gint64 per_scale, double epsilon)
{
    const NnArray *x = in[0], *scale = in[1], *bias = in[2];
    const NnLanes lanes = nn_lanes(x->rank, x->dims, 1);
    gsize block = per_block * lanes.inner;

    for (gsize first = 0; first < x->n; first += block) {
        double mean, variance;

        moments(x, first, block, &mean, &variance);
        for (gsize i = first; i < first + block; i++) {
            gint64 s = i / lanes.inner % lanes.n / per_scale;

            nn_array_set(y, i,
                         nn_array_get(scale, s) * (nn_array_get(x, i) - mean) /
                                 sqrt(variance + epsilon) +
                             nn_array_get(bias, s));
        }
    }
}

gboolean nn_infer_instance_norm(NnNode *node, GError **error)
{
    return nn_check_arity(node, 3, 3, 1, error) && check_channels(node, 2, error) &&
           nn_set_output_as_input(node, error);
}

gboolean nn_reference_instance_norm(const NnNode *node, const NnArray *const *in,
                                    NnArray *const *out, GError **error)
{
    normalize_channels(in, out[0], 1, 1, nn_node_float(node, "epsilon", 1e-5f));
    return TRUE;
}

/* PartInstanceNorm, which passes make and files cannot ask for: channels from the attribute "first"
 * on are normalised as by InstanceNormalization, the others stay. */
gboolean nn_infer_part_instance_norm(NnNode *node, GError **error)
{
    return nn_check_arity(node, 3, 3, 1, error) && nn_set_output_as_input(node, error);
}

gboolean nn_reference_part_instance_norm(const NnNode *node, const NnArray *const *in,
                                         NnArray *const *out, GError **error)
{
    const gsize first = (gsize)nn_node_int(node, "first", 0);
    const gsize n = in[0]->n / (gsize)in[0]->dims[1];
    const double epsilon = nn_node_float(node, "epsilon", 1e-5f);

    for (gsize c = 0; c < (gsize)in[0]->dims[1]; c++) {
        double mean = 0, variance = 1, scale = 1, bias = 0;
        if (c >= first) {
            moments(in[0], c * n, n, &mean, &variance);
            scale = nn_array_get(in[1], c - first) / sqrt(variance + epsilon);
            bias = nn_array_get(in[2], c - first);
        }
        for (gsize i = c * n; i < (c + 1) * n; i++)
            nn_array_set(out[0], i, (nn_array_get(in[0], i) - mean) * scale + bias);
    }
    return TRUE;
}

/* Scale and bias are per group in opset 18 and per channel since 21. */
gboolean nn_infer_group_norm(NnNode *node, GError **error)
{
    gint64 groups = nn_node_int(node, "num_groups", 0);
    const NnValue *x;

    if (!nn_check_arity(node, 3, 3, 1, error) || !check_channels(node, 0, error))
        return FALSE;
    x = nn_node_input(node, 0);
    if (groups < 1 || x->dims[1] % groups != 0)
        return nn_node_error(node, error, NN_ERROR_SHAPE,
                             "%" G_GINT64_FORMAT " channels are not %" G_GINT64_FORMAT " groups",
                             x->dims[1], groups);
    for (guint i = 1; i < 3; i++)
        if (!nn_check_same_type(node, i, error) ||
            !nn_check_dims(node, i, 1, node->opset < 21 ? &groups : &x->dims[1], error))
            return FALSE;
    return nn_set_output_as_input(node, error);
}

gboolean nn_reference_group_norm(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                                 GError **error)
{
    gint64 per_group = in[0]->dims[1] / nn_node_int(node, "num_groups", 1);

    normalize_channels(in, out[0], per_group, node->opset < 21 ? per_group : 1,
                       nn_node_float(node, "epsilon", 1e-5f));
    return TRUE;
}

/* ---- LayerNormalization */

gboolean nn_layer_norm_params(const NnNode *node, NnLayerNormParams *p, GError **error)
{
    const NnValue *x = nn_node_input(node, 0);
    gsize outer, inner;

    p->epsilon = nn_node_float(node, "epsilon", 1e-5f);
    if (!nn_resolve_axis(node, nn_node_int(node, "axis", -1), x->rank, &p->axis, error))
        return FALSE;
    if (!nn_dims_count(p->axis, x->dims, &outer) ||
        !nn_dims_count(x->rank - p->axis, x->dims + p->axis, &inner))
        return nn_node_error(node, error, NN_ERROR_TOO_LARGE, "too many elements");
    p->outer = outer;
    p->inner = inner;
    return TRUE;
}

/* Scale and bias must be broadcast to the input one way. */
static gboolean check_fits_input(const NnNode *node, guint i, GError **error)
{
    const NnValue *x = nn_node_input(node, 0), *value = nn_node_input(node, i);

    if (!value)
        return TRUE;
    for (int axis = 0; axis < value->rank; axis++)
        if (value->rank > x->rank ||
            (value->dims[axis] != 1 && value->dims[axis] != x->dims[x->rank - value->rank + axis]))
            return nn_node_error(node, error, NN_ERROR_SHAPE, "input %u cannot be broadcast", i);
    return TRUE;
}

/* Outputs 1 and 2 are the mean and the inverse deviation, as stash_type, with 1 on the normalised
 * axes. */
gboolean nn_infer_layer_norm(NnNode *node, GError **error)
{
    gint64 dims[NN_MAX_RANK], stash = nn_node_int(node, "stash_type", NN_FLOAT32);
    NnLayerNormParams p;
    const NnValue *x;

    if (!nn_check_arity(node, 2, 3, 3, error) || !nn_check_type(node, 0, NN_TYPES_FLOAT, error) ||
        !nn_check_same_type(node, 1, error) || !nn_check_same_type(node, 2, error) ||
        !nn_layer_norm_params(node, &p, error) || !check_fits_input(node, 1, error) ||
        !check_fits_input(node, 2, error))
        return FALSE;
    if (stash != NN_FLOAT32 && stash != NN_FLOAT16 && stash != NN_FLOAT64)
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "stash_type %" G_GINT64_FORMAT,
                             stash);
    x = nn_node_input(node, 0);
    for (int axis = 0; axis < x->rank; axis++)
        dims[axis] = axis < p.axis ? x->dims[axis] : 1;
    return nn_set_output_as_input(node, error) &&
           nn_set_output(node, 1, stash, x->rank, dims, error) &&
           nn_set_output(node, 2, stash, x->rank, dims, error);
}

gboolean nn_reference_layer_norm(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                                 GError **error)
{
    const NnArray *x = in[0], *bias = nn_optional(node, in, 2);
    NnArray *means = nn_optional_output(node, out, 1), *inverses = nn_optional_output(node, out, 2);
    double mean = 0, inverse = 0;
    NnLayerNormParams p;
    NnWalk walk;

    if (!nn_layer_norm_params(node, &p, error))
        return FALSE;
    nn_walk_init(&walk, x->rank, x->dims);
    nn_walk_broadcast(&walk, in[1]);
    if (bias)
        nn_walk_broadcast(&walk, bias);
    for (gsize i = 0; i < x->n; i++, nn_walk_next(&walk)) {
        if (i % p.inner == 0) {
            double variance;

            moments(x, i, p.inner, &mean, &variance);
            inverse = 1 / sqrt(variance + p.epsilon);
            if (means)
                nn_array_set(means, i / p.inner, mean);
            if (inverses)
                nn_array_set(inverses, i / p.inner, inverse);
        }
        nn_array_set(out[0], i,
                     (nn_array_get(x, i) - mean) * inverse * nn_array_get(in[1], walk.offset[0]) +
                         (bias ? nn_array_get(bias, walk.offset[1]) : 0));
    }
    return TRUE;
}

/* ---- LRN */

gboolean nn_infer_lrn(NnNode *node, GError **error)
{
    return nn_check_arity(node, 1, 1, 1, error) && check_channels(node, 0, error) &&
           nn_check_range(node, "size", nn_node_int(node, "size", 0), 1, NN_MAX_EXTENT, error) &&
           nn_set_output_as_input(node, error);
}

/* Operator LRN: x / (bias + alpha / size * sum of squares)^beta; the sum is over the channels
 * c - floor((size - 1) / 2) to c + ceil((size - 1) / 2). */
gboolean nn_reference_lrn(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                          GError **error)
{
    const NnLanes lanes = nn_lanes(in[0]->rank, in[0]->dims, 1);
    gint64 size = nn_node_int(node, "size", 1);
    double alpha = nn_node_float(node, "alpha", 1e-4f), beta = nn_node_float(node, "beta", 0.75f);
    double bias = nn_node_float(node, "bias", 1);

    for (gsize i = 0; i < out[0]->n; i++) {
        gint64 c = i / lanes.inner % lanes.n;
        gint64 begin = MAX(c - (size - 1) / 2, 0), end = MIN(c + size / 2, lanes.n - 1);
        double squares = 0;

        for (gint64 k = begin; k <= end; k++) {
            double x = nn_array_get(in[0], i + (k - c) * lanes.inner);

            squares += x * x;
        }
        nn_array_set(out[0], i, nn_array_get(in[0], i) / pow(bias + alpha / size * squares, beta));
    }
    return TRUE;
}

/* ---- MeanVarianceNormalization */

static gboolean mvn_axes(const NnNode *node, guint *mask, GError **error)
{
    static const gint64 batch_and_pixels[] = { 0, 2, 3 };
    gsize n;
    const gint64 *axes = nn_node_ints(node, "axes", &n);

    return nn_axes_mask(node, axes ? axes : batch_and_pixels,
                        axes ? n : G_N_ELEMENTS(batch_and_pixels), nn_node_input(node, 0)->rank,
                        mask, error);
}

gboolean nn_infer_mean_variance_norm(NnNode *node, GError **error)
{
    guint mask;

    return nn_check_arity(node, 1, 1, 1, error) && nn_check_type(node, 0, NN_TYPES_FLOAT, error) &&
           mvn_axes(node, &mask, error) && nn_set_output_as_input(node, error);
}

/* Operator MeanVarianceNormalization: (x - E[x]) / (sqrt(E[x^2] - E[x]^2) + 1e-9). */
gboolean nn_reference_mean_variance_norm(const NnNode *node, const NnArray *const *in,
                                         NnArray *const *out, GError **error)
{
    const NnArray *x = in[0];
    gint64 block_dims[NN_MAX_RANK], strides[NN_MAX_RANK];
    g_autofree double *sums = NULL, *squares = NULL;
    gsize n_blocks, per_block;
    guint mask;
    NnWalk walk;

    if (!mvn_axes(node, &mask, error))
        return FALSE;
    for (int axis = 0; axis < x->rank; axis++)
        block_dims[axis] = mask & (1u << axis) ? 1 : x->dims[axis];
    if (x->n == 0 || !nn_dims_count(x->rank, block_dims, &n_blocks))
        return TRUE;
    sums = nn_new_doubles(node, n_blocks, error);
    squares = nn_new_doubles(node, n_blocks, error);
    if (!sums || !squares)
        return FALSE;
    per_block = x->n / n_blocks;
    nn_dense_strides(x->rank, block_dims, strides);
    for (int axis = 0; axis < x->rank; axis++)
        strides[axis] = mask & (1u << axis) ? 0 : strides[axis];
    nn_walk_init(&walk, x->rank, x->dims);
    nn_walk_operand(&walk, strides);
    for (gsize i = 0; i < x->n; i++, nn_walk_next(&walk))
        sums[walk.offset[0]] += nn_array_get(x, i) / per_block;
    for (gsize i = 0; i < x->n; i++, nn_walk_next(&walk))
        squares[walk.offset[0]] += pow(nn_array_get(x, i) - sums[walk.offset[0]], 2) / per_block;
    for (gsize i = 0; i < x->n; i++, nn_walk_next(&walk))
        nn_array_set(out[0], i,
                     (nn_array_get(x, i) - sums[walk.offset[0]]) /
                         (sqrt(squares[walk.offset[0]]) + 1e-9));
    return TRUE;
}

/* ---- LpNormalization */

static gboolean lp_axis(const NnNode *node, int *axis, GError **error)
{
    return nn_resolve_axis(node, nn_node_int(node, "axis", -1), nn_node_input(node, 0)->rank, axis,
                           error);
}

gboolean nn_infer_lp_norm(NnNode *node, GError **error)
{
    int axis;

    return nn_check_arity(node, 1, 1, 1, error) && nn_check_type(node, 0, NN_TYPES_FLOAT, error) &&
           nn_check_range(node, "p", nn_node_int(node, "p", 2), 1, 2, error) &&
           lp_axis(node, &axis, error) && nn_set_output_as_input(node, error);
}

/* A lane of zeros stays one. */
gboolean nn_reference_lp_norm(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                              GError **error)
{
    gboolean is_l1 = nn_node_int(node, "p", 2) == 1;
    NnLanes lanes;
    int axis;

    if (!lp_axis(node, &axis, error))
        return FALSE;
    lanes = nn_lanes(in[0]->rank, in[0]->dims, axis);
    for (gint64 lane = 0; lane < lanes.outer * lanes.inner; lane++) {
        gint64 first = lane / lanes.inner * lanes.n * lanes.inner + lane % lanes.inner;
        double norm = 0;

        for (gint64 k = 0; k < lanes.n; k++) {
            double x = nn_array_get(in[0], first + k * lanes.inner);

            norm += is_l1 ? fabs(x) : x * x;
        }
        norm = is_l1 ? norm : sqrt(norm);
        for (gint64 k = 0; k < lanes.n; k++) {
            gsize i = first + k * lanes.inner;

            nn_array_set(out[0], i, norm > 0 ? nn_array_get(in[0], i) / norm : 0);
        }
    }
    return TRUE;
}
