/* def_gather.c - the meaning of operators that address elements by computed indices.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "defs.h"

#include <math.h>
#include <string.h>

/* ---- indices */

/* Element @i of @indices on an axis of @n elements; negative ones count from the end. */
static gboolean read_index(const NnNode *node, const NnArray *indices, gsize i, gint64 n,
                           gint64 *index, GError **error)
{
    *index = nn_array_get_int(indices, i);
    if (*index < -n || *index >= n)
        return nn_node_error(node, error, NN_ERROR_INPUT,
                             "index %" G_GINT64_FORMAT " on an axis of %" G_GINT64_FORMAT, *index,
                             n);
    *index += *index < 0 ? n : 0;
    return TRUE;
}

static gboolean gather_axis(const NnNode *node, int *axis, GError **error)
{
    return nn_resolve_axis(node, nn_node_int(node, "axis", 0), nn_node_input(node, 0)->rank, axis,
                           error);
}

/* ---- Gather */

gboolean nn_infer_gather(NnNode *node, GError **error)
{
    gint64 dims[2 * NN_MAX_RANK];
    const NnValue *x, *indices;
    int axis, rank = 0;

    if (!nn_check_arity(node, 2, 2, 1, error) || !nn_check_type(node, 1, NN_TYPES_INDEX, error) ||
        !gather_axis(node, &axis, error))
        return FALSE;
    x = nn_node_input(node, 0);
    indices = nn_node_input(node, 1);
    for (int i = 0; i < axis; i++)
        dims[rank++] = x->dims[i];
    for (int i = 0; i < indices->rank; i++)
        dims[rank++] = indices->dims[i];
    for (int i = axis + 1; i < x->rank; i++)
        dims[rank++] = x->dims[i];
    return nn_set_output(node, 0, x->type, rank, dims, error);
}

gboolean nn_reference_gather(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                             GError **error)
{
    gint64 index;
    NnLanes lanes;
    int axis;

    if (!gather_axis(node, &axis, error))
        return FALSE;
    if (out[0]->n == 0)
        return TRUE;
    lanes = nn_lanes(in[0]->rank, in[0]->dims, axis);
    if (lanes.n == 0)
        return nn_node_error(node, error, NN_ERROR_INPUT, "there is nothing to gather");
    for (gsize i = 0; i < out[0]->n; i++) {
        gsize inner = i % lanes.inner, at = i / lanes.inner % in[1]->n;
        gsize outer = i / lanes.inner / in[1]->n;

        if (!read_index(node, in[1], at, lanes.n, &index, error))
            return FALSE;
        nn_copy_element(out[0], i, in[0], (outer * lanes.n + index) * lanes.inner + inner);
    }
    return TRUE;
}

/* ---- GatherElements, ScatterElements */

/* Indices (input 1) have the data's rank and fit it on all axes but the addressed one. */
static gboolean check_element_indices(const NnNode *node, GError **error)
{
    const NnValue *x, *indices;
    int axis;

    if (!nn_check_type(node, 1, NN_TYPES_INDEX, error) || !gather_axis(node, &axis, error))
        return FALSE;
    x = nn_node_input(node, 0);
    indices = nn_node_input(node, 1);
    if (indices->rank != x->rank)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "the indices have %d axes instead of %d",
                             indices->rank, x->rank);
    for (int i = 0; i < x->rank; i++)
        if (i != axis && indices->dims[i] > x->dims[i])
            return nn_node_error(node, error, NN_ERROR_SHAPE, "the indices do not fit on axis %d",
                                 i);
    return TRUE;
}

gboolean nn_infer_gather_elements(NnNode *node, GError **error)
{
    const NnValue *indices;

    if (!nn_check_arity(node, 2, 2, 1, error) || !check_element_indices(node, error))
        return FALSE;
    indices = nn_node_input(node, 1);
    return nn_set_output(node, 0, nn_node_input(node, 0)->type, indices->rank, indices->dims,
                         error);
}

/* Walks the indices and follows the element of @x that lies at the same place, but at 0 on @axis.
 * Returns the stride of that axis. */
static gint64 walk_elements(NnWalk *walk, const NnArray *indices, const NnArray *x, int axis)
{
    gint64 strides[NN_MAX_RANK], stride;

    nn_dense_strides(x->rank, x->dims, strides);
    stride = strides[axis];
    strides[axis] = 0;
    nn_walk_init(walk, indices->rank, indices->dims);
    nn_walk_operand(walk, strides);
    return stride;
}

gboolean nn_reference_gather_elements(const NnNode *node, const NnArray *const *in,
                                      NnArray *const *out, GError **error)
{
    gint64 stride, index;
    NnWalk walk;
    int axis;

    if (!gather_axis(node, &axis, error))
        return FALSE;
    stride = walk_elements(&walk, in[1], in[0], axis);
    for (gsize i = 0; i < out[0]->n; i++, nn_walk_next(&walk)) {
        if (!read_index(node, in[1], i, in[0]->dims[axis], &index, error))
            return FALSE;
        nn_copy_element(out[0], i, in[0], walk.offset[0] + index * stride);
    }
    return TRUE;
}

/* What a scattered element does to the one that is there. */
typedef enum {
    SCATTER_SET,
    SCATTER_ADD,
    SCATTER_MUL,
    SCATTER_MAX,
    SCATTER_MIN,
} ScatterReduction;

static gboolean read_reduction(const NnNode *node, ScatterReduction *reduction, GError **error)
{
    static const char *const names[] = { "none", "add", "mul", "max", "min" };
    const char *name = nn_node_string(node, "reduction", "none");

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_str_equal(name, names[i])) {
            *reduction = i;
            return TRUE;
        }
    return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "reduction is \"%s\"", name);
}

static double reduce_floats(ScatterReduction reduction, double a, double b)
{
    switch (reduction) {
    case SCATTER_ADD:
        return a + b;
    case SCATTER_MUL:
        return a * b;
    case SCATTER_MAX:
        return MAX(a, b);
    default:
        return MIN(a, b);
    }
}

static gint64 reduce_ints(ScatterReduction reduction, gint64 a, gint64 b)
{
    switch (reduction) {
    case SCATTER_ADD:
        return (guint64)a + (guint64)b;
    case SCATTER_MUL:
        return (guint64)a * (guint64)b;
    case SCATTER_MAX:
        return MAX(a, b);
    default:
        return MIN(a, b);
    }
}

static void scatter(ScatterReduction reduction, NnArray *y, gsize y_i, const NnArray *x, gsize x_i)
{
    if (reduction == SCATTER_SET)
        nn_copy_element(y, y_i, x, x_i);
    else if (nn_type_is_float(y->type))
        nn_array_set(y, y_i, reduce_floats(reduction, nn_array_get(y, y_i), nn_array_get(x, x_i)));
    else
        nn_array_set_int(
            y, y_i, reduce_ints(reduction, nn_array_get_int(y, y_i), nn_array_get_int(x, x_i)));
}

/* Updates (input 2) are as many as indices. */
gboolean nn_infer_scatter_elements(NnNode *node, GError **error)
{
    ScatterReduction reduction = SCATTER_SET;
    const NnValue *indices;

    if (!nn_check_arity(node, 3, 3, 1, error) || !check_element_indices(node, error) ||
        !nn_check_same_type(node, 2, error) || !read_reduction(node, &reduction, error))
        return FALSE;
    indices = nn_node_input(node, 1);
    return nn_check_dims(node, 2, indices->rank, indices->dims, error) &&
           nn_set_output_as_input(node, error);
}

gboolean nn_reference_scatter_elements(const NnNode *node, const NnArray *const *in,
                                       NnArray *const *out, GError **error)
{
    ScatterReduction reduction = SCATTER_SET;
    gint64 stride, index;
    NnWalk walk;
    int axis;

    if (!gather_axis(node, &axis, error) || !read_reduction(node, &reduction, error))
        return FALSE;
    nn_copy_elements(out[0], in[0]);
    stride = walk_elements(&walk, in[1], in[0], axis);
    for (gsize i = 0; i < in[1]->n; i++, nn_walk_next(&walk)) {
        if (!read_index(node, in[1], i, in[0]->dims[axis], &index, error))
            return FALSE;
        scatter(reduction, out[0], walk.offset[0] + index * stride, in[2], i);
    }
    return TRUE;
}

/* ---- GatherND, ScatterND */

/* The last axis of the indices holds tuples that address the axes of the data behind the first
 * @batch ones, which both have in common. */
typedef struct {
    gint64 batch, n_tuples, per_batch; /* tuples in all, and per batch element */
    gint64 n_axes;                     /* that a tuple addresses */
    gint64 slice;                      /* elements that it stands for */
    const gint64 *dims;                /* of the addressed axes */
} Tuples;

static gboolean check_tuples(const NnNode *node, int batch, GError **error)
{
    const NnValue *x = nn_node_input(node, 0), *indices = nn_node_input(node, 1);

    if (!nn_check_type(node, 1, NN_TYPE_BIT(NN_INT64), error))
        return FALSE;
    if (x->rank < 1 || indices->rank < 1 || batch >= MIN(x->rank, indices->rank) ||
        indices->dims[indices->rank - 1] > x->rank - batch)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "the indices do not fit the data");
    for (int i = 0; i < batch; i++)
        if (x->dims[i] != indices->dims[i])
            return nn_node_error(node, error, NN_ERROR_SHAPE, "batch axis %d differs", i);
    return TRUE;
}

static Tuples make_tuples(const NnArray *x, const NnArray *indices, int batch)
{
    Tuples t = { 1, 1, 1, indices->dims[indices->rank - 1], 1, x->dims + batch };

    for (int i = 0; i < indices->rank - 1; i++) {
        t.n_tuples *= indices->dims[i];
        t.per_batch *= i < batch ? 1 : indices->dims[i];
    }
    for (int i = batch + t.n_axes; i < x->rank; i++)
        t.slice *= x->dims[i];
    return t;
}

/* The first element that tuple @i stands for. */
static gboolean find_slice(const NnNode *node, const Tuples *t, const NnArray *indices, gint64 i,
                           gint64 *first, GError **error)
{
    gint64 index;

    *first = i / t->per_batch;
    for (gint64 axis = 0; axis < t->n_axes; axis++) {
        if (!read_index(node, indices, i * t->n_axes + axis, t->dims[axis], &index, error))
            return FALSE;
        *first = *first * t->dims[axis] + index;
    }
    *first *= t->slice;
    return TRUE;
}

static gboolean batch_dims(const NnNode *node, gint64 *batch, GError **error)
{
    *batch = nn_node_int(node, "batch_dims", 0);
    return nn_check_range(node, "batch_dims", *batch, 0, NN_MAX_RANK, error);
}

/* The indices' axes but the last, then those that a tuple does not address. */
static int tuple_shape(const NnValue *x, const NnValue *indices, int batch, gint64 *dims)
{
    int rank = indices->rank - 1;

    memcpy(dims, indices->dims, rank * sizeof *dims);
    for (int i = batch + indices->dims[rank]; i < x->rank; i++)
        dims[rank++] = x->dims[i];
    return rank;
}

gboolean nn_infer_gather_nd(NnNode *node, GError **error)
{
    gint64 dims[2 * NN_MAX_RANK], batch;
    const NnValue *x;
    int rank;

    if (!nn_check_arity(node, 2, 2, 1, error) || !batch_dims(node, &batch, error) ||
        !check_tuples(node, batch, error))
        return FALSE;
    x = nn_node_input(node, 0);
    rank = tuple_shape(x, nn_node_input(node, 1), batch, dims);
    return nn_set_output(node, 0, x->type, rank, dims, error);
}

gboolean nn_reference_gather_nd(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                                GError **error)
{
    gint64 batch, first;
    Tuples t;

    if (!batch_dims(node, &batch, error))
        return FALSE;
    if (out[0]->n == 0)
        return TRUE;
    t = make_tuples(in[0], in[1], batch);
    for (gint64 i = 0; i < t.n_tuples; i++) {
        if (!find_slice(node, &t, in[1], i, &first, error))
            return FALSE;
        for (gint64 k = 0; k < t.slice; k++)
            nn_copy_element(out[0], i * t.slice + k, in[0], first + k);
    }
    return TRUE;
}

gboolean nn_infer_scatter_nd(NnNode *node, GError **error)
{
    gint64 dims[2 * NN_MAX_RANK];
    ScatterReduction reduction = SCATTER_SET;
    int rank;

    if (!nn_check_arity(node, 3, 3, 1, error) || !check_tuples(node, 0, error) ||
        !nn_check_same_type(node, 2, error) || !read_reduction(node, &reduction, error))
        return FALSE;
    rank = tuple_shape(nn_node_input(node, 0), nn_node_input(node, 1), 0, dims);
    return nn_check_dims(node, 2, rank, dims, error) && nn_set_output_as_input(node, error);
}

gboolean nn_reference_scatter_nd(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                                 GError **error)
{
    ScatterReduction reduction = SCATTER_SET;
    gint64 first;
    Tuples t;

    if (!read_reduction(node, &reduction, error))
        return FALSE;
    nn_copy_elements(out[0], in[0]);
    if (in[2]->n == 0)
        return TRUE;
    t = make_tuples(in[0], in[1], 0);
    for (gint64 i = 0; i < t.n_tuples; i++) {
        if (!find_slice(node, &t, in[1], i, &first, error))
            return FALSE;
        for (gint64 k = 0; k < t.slice; k++)
            scatter(reduction, out[0], first + k, in[2], i * t.slice + k);
    }
    return TRUE;
}

/* ---- OneHot */

/* The new axis has as many elements as input 1 says. */
gboolean nn_infer_one_hot(NnNode *node, GError **error)
{
    gint64 dims[NN_MAX_RANK + 1];
    const NnValue *x, *values;
    double depth;
    int axis;

    if (!nn_check_arity(node, 3, 3, 1, error) || !nn_check_type(node, 0, NN_TYPES_NUMBER, error) ||
        !nn_host_number(node, 1, 0, &depth, error))
        return FALSE;
    x = nn_node_input(node, 0);
    values = nn_node_input(node, 2);
    if (values->rank != 1 || values->dims[0] != 2 || !(depth >= 0 && depth <= NN_MAX_EXTENT))
        return nn_node_error(node, error, NN_ERROR_SHAPE, "depth or values are not usable");
    if (!nn_resolve_axis(node, nn_node_int(node, "axis", -1), x->rank + 1, &axis, error))
        return FALSE;
    for (int i = 0; i <= x->rank; i++)
        dims[i] = i < axis ? x->dims[i] : i == axis ? (gint64)depth : x->dims[i - 1];
    return nn_set_output(node, 0, values->type, x->rank + 1, dims, error);
}

/* An index outside of -depth..depth-1 gives no hot element (opset 11). */
gboolean nn_reference_one_hot(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                              GError **error)
{
    NnLanes lanes;
    int axis;

    if (!nn_resolve_axis(node, nn_node_int(node, "axis", -1), out[0]->rank, &axis, error))
        return FALSE;
    lanes = nn_lanes(out[0]->rank, out[0]->dims, axis);
    for (gsize i = 0; i < out[0]->n; i++) {
        gint64 at = i / lanes.inner % lanes.n;
        gint64 hot =
            nn_array_get_int(in[0], i / lanes.inner / lanes.n * lanes.inner + i % lanes.inner);

        hot += hot < 0 ? lanes.n : 0;
        nn_copy_element(out[0], i, in[2], hot == at);
    }
    return TRUE;
}

/* ---- GridSample */

#define MAX_TAPS 4

/* Opset 20 calls bilinear linear and bicubic cubic. */
gboolean nn_sample_params(const NnNode *node, NnSampleParams *s, GError **error)
{
    const char *mode = nn_node_string(node, "mode", "linear");
    const char *beyond = nn_node_string(node, "padding_mode", "zeros");

    s->mode = g_str_has_suffix(mode, "linear")  ? NN_SAMPLE_LINEAR
              : g_str_has_suffix(mode, "cubic") ? NN_SAMPLE_CUBIC
                                                : NN_SAMPLE_NEAREST;
    s->beyond = g_str_equal(beyond, "border")       ? NN_BEYOND_BORDER
                : g_str_equal(beyond, "reflection") ? NN_BEYOND_REFLECTION
                                                    : NN_BEYOND_ZEROS;
    s->align_corners = nn_node_int(node, "align_corners", 0) != 0;
    if ((s->mode == NN_SAMPLE_NEAREST && !g_str_equal(mode, "nearest")) ||
        (s->beyond == NN_BEYOND_ZEROS && !g_str_equal(beyond, "zeros")))
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "mode \"%s\", padding_mode \"%s\"",
                             mode, beyond);
    return TRUE;
}

/* The grid's last axis has a coordinate for each axis of the input but the first two. */
gboolean nn_infer_grid_sample(NnNode *node, GError **error)
{
    const NnValue *x, *grid;
    gint64 dims[NN_MAX_RANK];
    NnSampleParams s;

    if (!nn_check_arity(node, 2, 2, 1, error) || !nn_check_type(node, 0, NN_TYPES_FLOAT, error) ||
        !nn_check_type(node, 1, NN_TYPES_FLOAT, error) || !nn_sample_params(node, &s, error))
        return FALSE;
    x = nn_node_input(node, 0);
    grid = nn_node_input(node, 1);
    if (x->rank < 3 || x->rank > 2 + NN_MAX_SPATIAL || grid->rank != x->rank ||
        grid->dims[grid->rank - 1] != x->rank - 2 || grid->dims[0] != x->dims[0])
        return nn_node_error(node, error, NN_ERROR_SHAPE, "the grid does not fit the input");
    for (int i = 2; i < x->rank; i++)
        if (!nn_check_range(node, "an extent", x->dims[i], 1, NN_MAX_EXTENT, error))
            return FALSE;
    dims[0] = x->dims[0];
    dims[1] = x->dims[1];
    memcpy(dims + 2, grid->dims + 1, (x->rank - 2) * sizeof *dims);
    return nn_set_output(node, 0, x->type, x->rank, dims, error);
}

/* Mirrors a coordinate at low and high until it is between them. */
static double reflect(double x, double low, double high)
{
    double range = high - low, rest;

    if (range <= 0)
        return low;
    rest = fmod(fabs(x - low), 2 * range);
    return low + MIN(rest, 2 * range - rest);
}

/* The taps of coordinate @g, of -1..1, on an axis of @n: indices, -1 for a zero, and weights. */
static int sample_axis(const NnSampleParams *s, double g, gint64 n, gint64 *index, double *weight)
{
    double low = s->align_corners ? 0 : -0.5, high = s->align_corners ? n - 1 : n - 0.5;
    double x = low + (g + 1) / 2 * (high - low);
    int taps = s->mode == NN_SAMPLE_NEAREST ? 1 : s->mode == NN_SAMPLE_LINEAR ? 2 : 4;

    x = s->mode == NN_SAMPLE_NEAREST ? rint(x) : x;
    /* Beyond the border a cubic's taps go back one by one, other modes' coordinates do. */
    if (s->mode != NN_SAMPLE_CUBIC && !(x >= low && x <= high)) {
        if (s->beyond == NN_BEYOND_BORDER)
            x = CLAMP(x, 0, n - 1);
        else if (s->beyond == NN_BEYOND_REFLECTION)
            x = reflect(x, low, high);
    }
    if (!(fabs(x) < NN_MAX_EXTENT)) /* also NaN: nothing is there */
        x = -NN_MAX_EXTENT;
    for (int t = 0; t < taps; t++) {
        gint64 at = (gint64)floor(x) - (taps - 1) / 2 + t;
        double d = fabs(at - x);

        weight[t] = taps == 1   ? 1
                    : taps == 2 ? 1 - d
                    : d <= 1    ? (1.25 * d - 2.25) * d * d + 1
                                : ((d - 5) * d + 8) * d * -0.75 + 3;
        if (s->beyond == NN_BEYOND_BORDER)
            at = CLAMP(at, 0, n - 1);
        else if (s->beyond == NN_BEYOND_REFLECTION)
            at = reflect(at, low, high);
        index[t] = at >= 0 && at < n ? at : -1;
    }
    return taps;
}

/* The value of one channel at the point whose coordinates are grid[first...], the last axis first.
 */
static double sample_point(const NnSampleParams *s, const NnArray *x, gsize channel,
                           const NnArray *grid, gsize first)
{
    gint64 index[NN_MAX_SPATIAL][MAX_TAPS], taps[NN_MAX_SPATIAL] = { 1, 1, 1 };
    double weight[NN_MAX_SPATIAL][MAX_TAPS], sum = 0;
    int n = x->rank - 2;
    gsize n_taps = 1;
    NnWalk walk;

    for (int i = 0; i < n; i++) {
        taps[i] = sample_axis(s, nn_array_get(grid, first + n - 1 - i), x->dims[2 + i], index[i],
                              weight[i]);
        n_taps *= taps[i];
    }
    nn_walk_init(&walk, n, taps);
    for (gsize k = 0; k < n_taps; k++, nn_walk_next(&walk)) {
        double w = 1;
        gsize at = channel;

        for (int i = 0; i < n; i++) {
            gint64 here = index[i][walk.index[i]];

            w = here < 0 ? 0 : w * weight[i][walk.index[i]];
            at = at * x->dims[2 + i] + MAX(here, 0);
        }
        sum += w != 0 ? w * nn_array_get(x, at) : 0;
    }
    return sum;
}

gboolean nn_reference_grid_sample(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                                  GError **error)
{
    gint64 channels = in[0]->dims[1];
    int n = in[0]->rank - 2;
    NnLanes lanes;
    NnSampleParams s;

    if (!nn_sample_params(node, &s, error))
        return FALSE;
    lanes = nn_lanes(out[0]->rank, out[0]->dims, 1);
    for (gsize i = 0; i < out[0]->n; i++) {
        gsize point = i / lanes.inner / channels * lanes.inner + i % lanes.inner;

        nn_array_set(out[0], i, sample_point(&s, in[0], i / lanes.inner, in[1], point * n));
    }
    return TRUE;
}
