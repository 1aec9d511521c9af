/* def_resize.c - the meaning of Resize and Upsample.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The formulas are those of operator Resize (opsets 11 to 19). All modes are separable, also with
 * taps outside the input, so that everything is described axis by axis.
 */
#include "defs.h"

#include <math.h>
#include <string.h>

/* ---- parameters: attributes */

/* The place of attribute @name's value, @fallback if it is absent, in a list ended by NULL. */
static gboolean read_choice(const NnNode *node, const char *name, const char *fallback,
                            const char *const *choices, int *choice, GError **error)
{
    const char *value = nn_node_string(node, name, fallback);

    for (*choice = 0; choices[*choice]; ++*choice)
        if (g_str_equal(value, choices[*choice]))
            return TRUE;
    return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "%s is \"%s\"", name, value);
}

static gboolean read_modes(const NnNode *node, NnResizeParams *p, GError **error)
{
    static const char *const modes[] = { "nearest", "linear", "cubic", NULL };
    static const char *const coordinates[] = { "half_pixel",         "half_pixel_symmetric",
                                               "pytorch_half_pixel", "align_corners",
                                               "asymmetric",         "tf_half_pixel_for_nn",
                                               "tf_crop_and_resize", NULL };
    static const char *const nearests[] = { "round_prefer_floor", "round_prefer_ceil", "floor",
                                            "ceil", NULL };
    const char *mode = nn_node_string(node, "mode", "nearest");
    gboolean is_upsample = g_str_equal(node->type, "Upsample");
    int choice;

    /* Upsample 7 said "bilinear" in its first exports. */
    if (is_upsample && g_str_equal(mode, "bilinear"))
        p->mode = NN_RESIZE_LINEAR;
    else if (!read_choice(node, "mode", "nearest", modes, &choice, error))
        return FALSE;
    else
        p->mode = choice;
    if (is_upsample || node->opset < 11) {
        p->coordinate = NN_COORDINATE_ASYMMETRIC;
        p->nearest = is_upsample ? NN_NEAREST_FLOOR : NN_NEAREST_CEIL_IF_SMALLER;
        return TRUE;
    }
    if (!read_choice(node, "coordinate_transformation_mode", "half_pixel", coordinates, &choice,
                     error))
        return FALSE;
    p->coordinate = choice;
    if (!read_choice(node, "nearest_mode", "round_prefer_floor", nearests, &choice, error))
        return FALSE;
    p->nearest = choice;
    p->antialias = nn_node_int(node, "antialias", 0) != 0 && p->mode != NN_RESIZE_NEAREST;
    p->exclude_outside = nn_node_int(node, "exclude_outside", 0) != 0;
    p->cubic_a = nn_node_float(node, "cubic_coeff_a", -0.75f);
    p->extrapolation = nn_node_float(node, "extrapolation_value", 0);
    return TRUE;
}

/* ---- parameters: extents */

/* The axes that scales, sizes and roi talk of: attribute axes (opset 18), else all. */
static gboolean read_axes(const NnNode *node, int rank, int *axes, gsize *n, GError **error)
{
    const gint64 *given = nn_node_ints(node, "axes", n);
    guint mask;

    if (!given)
        *n = rank;
    else if (!nn_axes_mask(node, given, *n, rank, &mask, error))
        return FALSE;
    for (gsize i = 0; i < *n; i++)
        axes[i] = !given ? (int)i : given[i] < 0 ? given[i] + rank : given[i];
    return TRUE;
}

/* Input @i's constant as @n numbers; *array NULL if it is left out or empty. */
static gboolean read_list(const NnNode *node, guint i, gsize n, const NnArray **array,
                          GError **error)
{
    const NnValue *value = nn_node_input(node, i);

    *array = NULL;
    if (!value || (value->rank == 1 && value->dims[0] == 0))
        return TRUE;
    if (!value->constant)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "input %u is not known before running",
                             i);
    if (value->constant->n != n)
        return nn_node_error(node, error, NN_ERROR_SHAPE,
                             "input %u has %" G_GSIZE_FORMAT " numbers instead of %" G_GSIZE_FORMAT,
                             i, value->constant->n, n);
    *array = value->constant;
    return TRUE;
}

/* Operator Resize 11: the output's extent is floor(in * scale), computed in floats. */
static gboolean scale_axis(const NnNode *node, NnResizeParams *p, int axis, double scale,
                           GError **error)
{
    if (!(scale > 1.0 / NN_MAX_EXTENT && p->in[axis] * scale < NN_MAX_EXTENT))
        return nn_node_error(node, error, NN_ERROR_SHAPE, "the scale of axis %d is %g", axis,
                             scale);
    p->scale[axis] = scale;
    p->length[axis] = p->in[axis] * scale;
    p->out[axis] = floorf((float)p->in[axis] * (float)scale);
    return TRUE;
}

static gboolean size_axis(const NnNode *node, NnResizeParams *p, int axis, gint64 size,
                          GError **error)
{
    if (!nn_check_range(node, "a size", size, 0, NN_MAX_EXTENT, error))
        return FALSE;
    if (p->in[axis] == 0 && size > 0)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "axis %d is empty", axis);
    p->out[axis] = size;
    p->length[axis] = size;
    p->scale[axis] = p->in[axis] > 0 ? (double)size / p->in[axis] : 1;
    return TRUE;
}

/* Sizes as they are, or (keep_aspect_ratio_policy, opset 18) by one scale for all axes, the least
 * or the greatest that they ask for. */
static gboolean apply_sizes(const NnNode *node, NnResizeParams *p, const int *axes, gsize n,
                            const NnArray *sizes, GError **error)
{
    static const char *const policies[] = { "stretch", "not_larger", "not_smaller", NULL };
    double common = 0;
    int policy;

    if (!read_choice(node, "keep_aspect_ratio_policy", "stretch", policies, &policy, error))
        return FALSE;
    for (gsize i = 0; i < n; i++) {
        if (!size_axis(node, p, axes[i], nn_array_get_int(sizes, i), error))
            return FALSE;
        if (i == 0 || (policy == 1) == (p->scale[axes[i]] < common))
            common = p->scale[axes[i]];
    }
    for (gsize i = 0; policy != 0 && i < n; i++) {
        int axis = axes[i];

        if (!size_axis(node, p, axis, floor(common * p->in[axis] + 0.5), error))
            return FALSE;
        p->scale[axis] = common;
        p->length[axis] = common * p->in[axis];
    }
    return TRUE;
}

/* Upsample's scales are an attribute before opset 9, input 1 since; so are those of Resize 10.
 * Resize 11 has roi, scales and sizes. */
static gboolean read_extents(const NnNode *node, NnResizeParams *p, GError **error)
{
    gboolean old = g_str_equal(node->type, "Upsample") || node->opset < 11;
    const NnArray *roi = NULL, *scales, *sizes = NULL;
    const float *attribute = NULL;
    gsize n, n_attribute = 0;
    int axes[NN_MAX_RANK];

    if (!read_axes(node, p->rank, axes, &n, error) ||
        !read_list(node, old ? 1 : 2, n, &scales, error) ||
        (!old && !read_list(node, 3, n, &sizes, error)) ||
        (p->coordinate == NN_COORDINATE_TF_CROP_AND_RESIZE &&
         !read_list(node, 1, 2 * n, &roi, error)))
        return FALSE;
    if (old && node->opset < 9)
        attribute = nn_node_floats(node, "scales", &n_attribute);
    if (attribute ? n_attribute != n : !scales == !sizes)
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL,
                             "there must be scales or sizes, one per axis");
    for (gsize i = 0; i < n && roi; i++) {
        p->roi_start[axes[i]] = nn_array_get(roi, i);
        p->roi_end[axes[i]] = nn_array_get(roi, n + i);
    }
    if (sizes)
        return apply_sizes(node, p, axes, n, sizes, error);
    for (gsize i = 0; i < n; i++)
        if (!scale_axis(node, p, axes[i], attribute ? attribute[i] : nn_array_get(scales, i),
                        error))
            return FALSE;
    return TRUE;
}

gboolean nn_resize_params(const NnNode *node, NnResizeParams *p, GError **error)
{
    const NnValue *x = nn_node_input(node, 0);

    memset(p, 0, sizeof *p);
    p->rank = x->rank;
    for (int axis = 0; axis < x->rank; axis++) {
        p->in[axis] = p->out[axis] = p->length[axis] = x->dims[axis];
        p->scale[axis] = p->roi_end[axis] = 1;
        if (!nn_check_range(node, "an extent", x->dims[axis], 0, NN_MAX_EXTENT, error))
            return FALSE;
    }
    return read_modes(node, p, error) && read_extents(node, p, error);
}

/* ---- where output elements come from */

double nn_resize_coordinate(const NnResizeParams *p, int axis, gint64 o)
{
    double in = p->in[axis], length = p->length[axis];
    double half_pixel = (o + 0.5) * in / length - 0.5;

    switch (p->coordinate) {
    case NN_COORDINATE_HALF_PIXEL_SYMMETRIC:
        return in / 2 * (1 - p->out[axis] / length) + half_pixel;
    case NN_COORDINATE_PYTORCH_HALF_PIXEL:
        return p->out[axis] > 1 ? half_pixel : 0;
    case NN_COORDINATE_ALIGN_CORNERS:
        return p->out[axis] > 1 ? o * (in - 1) / (length - 1) : 0;
    case NN_COORDINATE_ASYMMETRIC:
        return o * in / length;
    case NN_COORDINATE_TF_HALF_PIXEL_FOR_NN:
        return (o + 0.5) * in / length;
    case NN_COORDINATE_TF_CROP_AND_RESIZE:
        if (p->out[axis] <= 1)
            return 0.5 * (p->roi_start[axis] + p->roi_end[axis]) * (in - 1);
        return (p->roi_start[axis] +
                o * (p->roi_end[axis] - p->roi_start[axis]) / (p->out[axis] - 1)) *
               (in - 1);
    default:
        return half_pixel;
    }
}

/* An axis of which every element comes from itself. */
static gboolean is_unchanged(const NnResizeParams *p, int axis)
{
    return p->scale[axis] == 1 && p->in[axis] == p->out[axis] && p->roi_start[axis] == 0 &&
           p->roi_end[axis] == 1;
}

/* Taps on each side of a coordinate. An antialiasing filter is as much wider as the axis gets
 * smaller. */
static gint64 half_width(const NnResizeParams *p, int axis)
{
    double support = p->mode == NN_RESIZE_CUBIC ? 2 : 1;

    return ceil(support / (p->antialias ? MIN(p->scale[axis], 1) : 1));
}

gsize nn_resize_max_taps(const NnResizeParams *p, int axis)
{
    return p->mode == NN_RESIZE_NEAREST || is_unchanged(p, axis) ? 1 : 2 * half_width(p, axis);
}

static gint64 nearest_index(const NnResizeParams *p, int axis, double x)
{
    switch (p->nearest) {
    case NN_NEAREST_ROUND_PREFER_CEIL:
        return floor(x + 0.5);
    case NN_NEAREST_FLOOR:
        return floor(x);
    case NN_NEAREST_CEIL:
        return ceil(x);
    case NN_NEAREST_CEIL_IF_SMALLER:
        return p->scale[axis] < 1 ? ceil(x) : floor(x);
    default:
        return ceil(x - 0.5);
    }
}

/* The filter's weight at a distance: a tent, or Keys' cubic convolution with parameter a. */
static double kernel(const NnResizeParams *p, double distance)
{
    double d = fabs(distance), a = p->cubic_a;

    if (p->mode == NN_RESIZE_LINEAR)
        return MAX(1 - d, 0);
    if (d <= 1)
        return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((d - 5) * d + 8) * d * a - 4 * a : 0;
}

gsize nn_resize_taps(const NnResizeParams *p, int axis, gint64 o, gint64 *index, double *weight)
{
    gint64 n = p->in[axis], half = half_width(p, axis);
    double x = nn_resize_coordinate(p, axis, o), sum = 0;
    double narrowing = p->antialias ? MIN(p->scale[axis], 1) : 1;

    weight[0] = 1;
    index[0] = o;
    if (is_unchanged(p, axis))
        return 1;
    if (p->coordinate == NN_COORDINATE_TF_CROP_AND_RESIZE && !(x >= 0 && x <= n - 1))
        return 0;
    x = CLAMP(x, -1, n); /* no mode goes farther, but for rounding */
    if (p->mode == NN_RESIZE_NEAREST) {
        index[0] = CLAMP(nearest_index(p, axis, x), 0, n - 1);
        return 1;
    }
    for (gint64 t = 0; t < 2 * half; t++) {
        gint64 at = (gint64)floor(x) - half + 1 + t;

        index[t] = CLAMP(at, 0, n - 1);
        weight[t] = p->exclude_outside && index[t] != at ? 0 : kernel(p, (at - x) * narrowing);
        sum += weight[t];
    }
    for (gint64 t = 0; t < 2 * half; t++)
        weight[t] /= sum;
    return 2 * half;
}

/* ---- inference */

gboolean nn_infer_resize(NnNode *node, GError **error)
{
    gboolean old = g_str_equal(node->type, "Upsample") || node->opset < 11;
    NnResizeParams p;

    return nn_check_arity(node, 1, old ? 2 : 4, 1, error) &&
           nn_check_type(node, 0, NN_TYPES_NUMBER, error) && nn_resize_params(node, &p, error) &&
           nn_set_output(node, 0, nn_node_input(node, 0)->type, p.rank, p.out, error);
}

/* ---- reference */

/* One axis of @x, whose earlier axes are resized already, into a new array. */
static double *resize_axis(const NnNode *node, const NnResizeParams *p, int axis, const double *x,
                           GError **error)
{
    gsize max_taps = nn_resize_max_taps(p, axis), outer, inner, size;
    g_autofree gint64 *index = g_try_new(gint64, max_taps);
    g_autofree double *weight = nn_new_doubles(node, max_taps, error);
    gint64 dims[NN_MAX_RANK];
    double *y;

    memcpy(dims, p->out, sizeof dims);
    memcpy(dims + axis + 1, p->in + axis + 1, (p->rank - axis - 1) * sizeof *dims);
    if (!nn_dims_count(p->rank, dims, &size) || !nn_dims_count(axis, dims, &outer) ||
        !nn_dims_count(p->rank - axis - 1, dims + axis + 1, &inner))
        size = G_MAXSIZE;
    if (!index)
        nn_node_error(node, weight ? error : NULL, NN_ERROR_TOO_LARGE, "no memory for taps");
    if (!index || !weight || !(y = nn_new_doubles(node, size, error)))
        return NULL;
    for (gint64 o = 0; o < p->out[axis]; o++) {
        gsize n = nn_resize_taps(p, axis, o, index, weight);

        for (gsize i = 0; i < outer; i++) {
            const double *from = x + i * p->in[axis] * inner;
            double *to = y + (i * p->out[axis] + o) * inner;

            for (gsize j = 0; j < inner; j++)
                to[j] = n > 0 ? 0 : p->extrapolation;
            for (gsize t = 0; t < n; t++)
                for (gsize j = 0; j < inner; j++)
                    to[j] += weight[t] * from[index[t] * inner + j];
        }
    }
    return y;
}

gboolean nn_reference_resize(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                             GError **error)
{
    g_autofree double *x = NULL;
    NnResizeParams p;

    if (!nn_resize_params(node, &p, error))
        return FALSE;
    if (out[0]->n == 0)
        return TRUE;
    if (!(x = nn_doubles(node, in[0], error)))
        return FALSE;
    for (int axis = 0; axis < p.rank; axis++) {
        double *y;

        if (is_unchanged(&p, axis))
            continue;
        if (!(y = resize_axis(node, &p, axis, x, error)))
            return FALSE;
        g_free(x);
        x = y;
    }
    for (gsize i = 0; i < out[0]->n; i++)
        nn_array_set(out[0], i, x[i]);
    return TRUE;
}
