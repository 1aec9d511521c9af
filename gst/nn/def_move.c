/* def_move.c - the meaning of operators that move elements and compute nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "defs.h"

#include <string.h>

/* ---- the two ways to move */

/* Copies from where each output index leads: @base plus index times @strides. */
static void copy_strided(NnArray *out, const NnArray *in, gint64 base, const gint64 *strides)
{
    NnWalk walk;

    nn_walk_init(&walk, out->rank, out->dims);
    nn_walk_operand(&walk, strides);
    for (gsize i = 0; i < out->n; i++, nn_walk_next(&walk))
        nn_copy_element(out, i, in, base + walk.offset[0]);
}

/* The index on an input axis that an output index takes; -1: none. */
typedef gint64 (*AxisSource)(gconstpointer context, int axis, gint64 n, gint64 i);

/* Copies from where the sources of all axes lead, both tensors being of one rank. Elements without
 * a source stay as they are. */
static void copy_by_axis(NnArray *out, const NnArray *in, AxisSource source, gconstpointer context)
{
    gint64 strides[NN_MAX_RANK];
    NnWalk walk;

    nn_dense_strides(in->rank, in->dims, strides);
    nn_walk_init(&walk, out->rank, out->dims);
    for (gsize i = 0; i < out->n; i++, nn_walk_next(&walk)) {
        gint64 from = 0;

        for (int axis = 0; axis < out->rank && from >= 0; axis++) {
            gint64 index = source(context, axis, in->dims[axis], walk.index[axis]);

            from = index < 0 ? -1 : from + index * strides[axis];
        }
        if (from >= 0)
            nn_copy_element(out, i, in, from);
    }
}

/* ---- Concat */

gboolean nn_infer_concat(NnNode *node, GError **error)
{
    gint64 dims[NN_MAX_RANK], total = 0;
    const NnValue *x;
    int axis;

    if (!nn_check_arity(node, MAX(node->inputs->len, 1), G_MAXUINT, 1, error))
        return FALSE;
    x = nn_node_input(node, 0);
    if (!nn_resolve_axis(node, nn_node_int(node, "axis", 1), x->rank, &axis, error))
        return FALSE;
    memcpy(dims, x->dims, sizeof dims);
    for (guint i = 0; i < node->inputs->len; i++) {
        const NnValue *value = nn_node_input(node, i);

        if (value->rank == x->rank)
            dims[axis] = value->dims[axis];
        if (!nn_check_same_type(node, i, error) || !nn_check_dims(node, i, x->rank, dims, error))
            return FALSE;
        if (dims[axis] > G_MAXINT64 - total)
            return nn_node_error(node, error, NN_ERROR_TOO_LARGE, "too many elements");
        total += dims[axis];
    }
    dims[axis] = total;
    return nn_set_output(node, 0, x->type, x->rank, dims, error);
}

gboolean nn_reference_concat(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                             GError **error)
{
    gsize size = nn_type_size(out[0]->type);
    gint64 before = 0;
    NnLanes whole;
    int axis;

    if (!nn_resolve_axis(node, nn_node_int(node, "axis", 1), out[0]->rank, &axis, error))
        return FALSE;
    whole = nn_lanes(out[0]->rank, out[0]->dims, axis);
    for (guint i = 0; i < node->inputs->len; i++) {
        gsize block = in[i]->dims[axis] * whole.inner * size;

        for (gint64 o = 0; o < whole.outer; o++)
            memcpy((guint8 *)out[0]->data + (o * whole.n + before) * whole.inner * size,
                   (const guint8 *)in[i]->data + o * block, block);
        before += in[i]->dims[axis];
    }
    return TRUE;
}

/* ---- Split */

/* The sizes of Split's parts: an attribute before opset 13, an input since; equal parts (the last
 * one smaller, num_outputs of opset 18) if not given. */
static gboolean split_sizes(const NnNode *node, int axis, gint64 *sizes, GError **error)
{
    gint64 n = nn_node_input(node, 0)->dims[axis], total = 0;
    gsize n_outputs = node->outputs->len, n_sizes;
    gint64 parts = nn_node_int(node, "num_outputs", n_outputs);
    gboolean given;

    if (!nn_attribute_or_input(node, "split", 13, 1, n_outputs, sizes, &n_sizes, &given, error))
        return FALSE;
    if ((given && n_sizes != n_outputs) || parts != (gint64)n_outputs)
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL,
                             "%" G_GSIZE_FORMAT " outputs do not match the number of parts",
                             n_outputs);
    if (!given && n % parts != 0 && node->opset < 18)
        return nn_node_error(node, error, NN_ERROR_SHAPE,
                             "%" G_GINT64_FORMAT " elements do not split into %" G_GINT64_FORMAT
                             " equal parts",
                             n, parts);
    for (gsize i = 0; i < n_outputs; i++) {
        if (!given)
            sizes[i] = CLAMP(n - total, 0, n / parts + (n % parts != 0));
        if (!nn_check_range(node, "a part", sizes[i], 0, n - total, error))
            return FALSE;
        total += sizes[i];
    }
    if (total != n)
        return nn_node_error(node, error, NN_ERROR_SHAPE,
                             "the parts add up to %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT, total,
                             n);
    return TRUE;
}

static gboolean split_params(const NnNode *node, guint output, NnSliceParams *p, GError **error)
{
    g_autofree gint64 *sizes = g_new0(gint64, node->outputs->len + 1);
    int axis;

    if (!nn_resolve_axis(node, nn_node_int(node, "axis", 0), p->rank, &axis, error) ||
        !split_sizes(node, axis, sizes, error))
        return FALSE;
    for (guint i = 0; i < output; i++)
        p->start[axis] += sizes[i];
    p->count[axis] = sizes[output];
    return TRUE;
}

gboolean nn_infer_split(NnNode *node, GError **error)
{
    NnSliceParams p;

    if (node->outputs->len == 0 || !nn_node_input(node, 0))
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "no input or no output");
    for (guint i = 0; i < node->outputs->len; i++)
        if (!nn_slice_params(node, i, &p, error) ||
            !nn_set_output(node, i, nn_node_input(node, 0)->type, p.rank, p.count, error))
            return FALSE;
    return TRUE;
}

gboolean nn_reference_split(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                            GError **error)
{
    gint64 strides[NN_MAX_RANK];
    NnSliceParams p;

    nn_dense_strides(in[0]->rank, in[0]->dims, strides);
    for (guint k = 0; k < node->outputs->len; k++) {
        gint64 base = 0;

        if (!nn_slice_params(node, k, &p, error))
            return FALSE;
        for (int axis = 0; axis < p.rank; axis++)
            base += p.start[axis] * strides[axis];
        if (out[k])
            copy_strided(out[k], in[0], base, strides);
    }
    return TRUE;
}

/* ---- Slice */

/* Operator Slice: bounds count from the end if negative and are clamped, from 0 to n going up and
 * from -1 to n - 1 going down. */
static void slice_axis(NnSliceParams *p, int axis, gint64 n, gint64 start, gint64 end, gint64 step)
{
    gint64 low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;

    start = CLAMP(start < 0 ? start + n : start, MAX(low, 0), MAX(high, 0));
    end = CLAMP(end < 0 ? end + n : end, low, high);
    /* Distances fit: all are within -1..n. A step beyond n takes one element. */
    step = CLAMP(step, -MAX(n, 1), MAX(n, 1));
    p->start[axis] = start;
    p->step[axis] = step;
    p->count[axis] = step > 0 ? (end - start + step - 1) / step : (start - end - step - 1) / -step;
    if (n == 0 || p->count[axis] < 0)
        p->count[axis] = 0;
}

/* Starts, ends and axes are attributes before opset 10, inputs since, with steps. */
static gboolean slice_bounds(const NnNode *node, NnSliceParams *p, GError **error)
{
    static const char *const names[] = { "starts", "ends", "axes", "steps" };
    const NnValue *x = nn_node_input(node, 0);
    gint64 lists[4][NN_MAX_RANK];
    gboolean given[4];
    gsize n[4];
    guint mask;

    for (guint i = 0; i < 4; i++)
        if (!nn_attribute_or_input(node, names[i], 10, 1 + i, NN_MAX_RANK, lists[i], &n[i],
                                   &given[i], error))
            return FALSE;
    if (!given[0] || !given[1] || n[1] != n[0] || (given[2] && n[2] != n[0]) ||
        (given[3] && n[3] != n[0]) || n[0] > (gsize)p->rank)
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL,
                             "starts, ends, axes and steps do not match");
    for (gsize i = 0; i < n[0]; i++) {
        lists[2][i] = given[2] ? lists[2][i] : (gint64)i;
        lists[3][i] = given[3] ? lists[3][i] : 1;
        if (lists[3][i] == 0)
            return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "a step is 0");
    }
    if (!nn_axes_mask(node, lists[2], n[0], p->rank, &mask, error))
        return FALSE;
    for (gsize i = 0; i < n[0]; i++) {
        int axis = lists[2][i] < 0 ? lists[2][i] + p->rank : lists[2][i];

        if (!nn_check_range(node, "a sliced axis", x->dims[axis], 0, NN_MAX_EXTENT, error))
            return FALSE;
        slice_axis(p, axis, x->dims[axis], lists[0][i], lists[1][i], lists[3][i]);
    }
    return TRUE;
}

gboolean nn_slice_params(const NnNode *node, guint output, NnSliceParams *p, GError **error)
{
    const NnValue *x = nn_node_input(node, 0);

    memset(p, 0, sizeof *p);
    p->rank = x->rank;
    for (int axis = 0; axis < x->rank; axis++) {
        p->step[axis] = 1;
        p->count[axis] = x->dims[axis];
    }
    return g_str_equal(node->type, "Split") ? split_params(node, output, p, error)
                                            : slice_bounds(node, p, error);
}

gboolean nn_infer_slice(NnNode *node, GError **error)
{
    NnSliceParams p;

    return nn_check_arity(node, 1, 5, 1, error) && nn_slice_params(node, 0, &p, error) &&
           nn_set_output(node, 0, nn_node_input(node, 0)->type, p.rank, p.count, error);
}

gboolean nn_reference_slice(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                            GError **error)
{
    gint64 strides[NN_MAX_RANK], base = 0;
    NnSliceParams p;

    if (!nn_slice_params(node, 0, &p, error))
        return FALSE;
    nn_dense_strides(in[0]->rank, in[0]->dims, strides);
    for (int axis = 0; axis < p.rank; axis++) {
        base += p.start[axis] * strides[axis];
        strides[axis] *= p.step[axis];
    }
    copy_strided(out[0], in[0], base, strides);
    return TRUE;
}

/* ---- Pad */

static gboolean pad_mode(const NnNode *node, NnPadMode *mode, GError **error)
{
    static const char *const names[] = { "constant", "reflect", "edge", "wrap" };
    const char *name = nn_node_string(node, "mode", "constant");

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_str_equal(name, names[i])) {
            *mode = i;
            return TRUE;
        }
    return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "the mode is \"%s\"", name);
}

/* Axes that are padded by name (input 3, opset 18); else all in order. */
static gboolean pad_axes(const NnNode *node, int rank, gint64 *axes, gsize *n, GError **error)
{
    guint mask;

    if (nn_node_input(node, 3))
        return nn_host_ints(node, 3, NN_MAX_RANK, axes, n, error) &&
               nn_axes_mask(node, axes, *n, rank, &mask, error);
    for (int axis = 0; axis < rank; axis++)
        axes[axis] = axis;
    *n = rank;
    return TRUE;
}

/* An axis must have something to repeat, and cropping must leave something to repeat. */
static gboolean check_pad(const NnNode *node, const NnPadParams *p, int axis, GError **error)
{
    gint64 n = nn_node_input(node, 0)->dims[axis];
    gint64 before = p->before[axis], after = p->after[axis];

    if (!nn_check_range(node, "a padding", before, -NN_MAX_EXTENT, NN_MAX_EXTENT, error) ||
        !nn_check_range(node, "a padding", after, -NN_MAX_EXTENT, NN_MAX_EXTENT, error) ||
        !nn_check_range(node, "a padded axis", n, 0, NN_MAX_EXTENT, error) ||
        !nn_check_range(node, "the padded extent", n + before + after, 0, 2 * (gint64)NN_MAX_EXTENT,
                        error))
        return FALSE;
    if (n == 0 && p->mode != NN_PAD_CONSTANT && before + after > 0)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "nothing to repeat on axis %d", axis);
    return TRUE;
}

/* Pads and value are attributes before opset 11, inputs since. */
gboolean nn_pad_params(const NnNode *node, NnPadParams *p, GError **error)
{
    const NnValue *x = nn_node_input(node, 0);
    gint64 pads[2 * NN_MAX_RANK], axes[NN_MAX_RANK];
    gsize n_pads, n_axes;
    gboolean given;

    memset(p, 0, sizeof *p);
    p->rank = x->rank;
    if (!pad_mode(node, &p->mode, error) ||
        !nn_attribute_or_input(node, "pads", 11, 1, 2 * NN_MAX_RANK, pads, &n_pads, &given,
                               error) ||
        !pad_axes(node, p->rank, axes, &n_axes, error))
        return FALSE;
    if (n_pads != 2 * n_axes)
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL,
                             "%" G_GSIZE_FORMAT " pads for %" G_GSIZE_FORMAT " axes", n_pads,
                             n_axes);
    p->value = nn_node_float(node, "value", 0);
    if (!nn_host_number(node, 2, p->value, &p->value, error))
        return FALSE;
    for (gsize i = 0; i < n_axes; i++) {
        int axis = axes[i] < 0 ? axes[i] + p->rank : axes[i];

        p->before[axis] = pads[i];
        p->after[axis] = pads[n_axes + i];
        if (!check_pad(node, p, axis, error))
            return FALSE;
    }
    return TRUE;
}

gint64 nn_pad_source(const NnPadParams *p, int axis, gint64 n, gint64 i)
{
    gint64 source = i - p->before[axis];

    switch (p->mode) {
    case NN_PAD_EDGE:
        return CLAMP(source, 0, n - 1);
    case NN_PAD_WRAP:
        source %= n;
        return source < 0 ? source + n : source;
    case NN_PAD_REFLECT: {
        gint64 period = MAX(2 * (n - 1), 1);

        source = ABS(source) % period;
        return MIN(source, period - source) % n;
    }
    default:
        return source >= 0 && source < n ? source : -1;
    }
}

static gint64 pad_source(gconstpointer params, int axis, gint64 n, gint64 i)
{
    return nn_pad_source(params, axis, n, i);
}

gboolean nn_infer_pad(NnNode *node, GError **error)
{
    gint64 dims[NN_MAX_RANK];
    NnPadParams p;
    const NnValue *x;

    if (!nn_check_arity(node, 1, 4, 1, error) || !nn_pad_params(node, &p, error))
        return FALSE;
    x = nn_node_input(node, 0);
    for (int axis = 0; axis < p.rank; axis++)
        dims[axis] = x->dims[axis] + p.before[axis] + p.after[axis];
    return nn_set_output(node, 0, x->type, p.rank, dims, error);
}

gboolean nn_reference_pad(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                          GError **error)
{
    NnPadParams p;

    if (!nn_pad_params(node, &p, error))
        return FALSE;
    for (gsize i = 0; i < out[0]->n; i++)
        nn_array_set(out[0], i, p.value);
    copy_by_axis(out[0], in[0], pad_source, &p);
    return TRUE;
}

/* ---- Transpose */

/* Reversed axes without the attribute. */
gboolean nn_transpose_perm(const NnNode *node, int perm[NN_MAX_RANK], GError **error)
{
    int rank = nn_node_input(node, 0)->rank;
    gsize n;
    const gint64 *given = nn_node_ints(node, "perm", &n);
    guint mask;

    if (given && (n != (gsize)rank || !nn_axes_mask(node, given, n, rank, &mask, NULL)))
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL,
                             "perm is not a permutation of %d axes", rank);
    for (int i = 0; i < rank; i++) {
        gint64 axis = given ? given[i] : rank - 1 - i;

        perm[i] = axis < 0 ? axis + rank : axis;
    }
    return TRUE;
}

/* Copies @in, seen under @dims, transposed. */
static void copy_transposed(NnArray *out, const NnArray *in, int rank, const gint64 *dims,
                            const int *perm)
{
    gint64 dense[NN_MAX_RANK], strides[NN_MAX_RANK], out_dims[NN_MAX_RANK];
    NnWalk walk;

    nn_dense_strides(rank, dims, dense);
    for (int i = 0; i < rank; i++) {
        strides[i] = dense[perm[i]];
        out_dims[i] = dims[perm[i]];
    }
    nn_walk_init(&walk, rank, out_dims);
    nn_walk_operand(&walk, strides);
    for (gsize i = 0; i < out->n; i++, nn_walk_next(&walk))
        nn_copy_element(out, i, in, walk.offset[0]);
}

gboolean nn_infer_transpose(NnNode *node, GError **error)
{
    gint64 dims[NN_MAX_RANK];
    int perm[NN_MAX_RANK];
    const NnValue *x;

    if (!nn_check_arity(node, 1, 1, 1, error) || !nn_transpose_perm(node, perm, error))
        return FALSE;
    x = nn_node_input(node, 0);
    for (int i = 0; i < x->rank; i++)
        dims[i] = x->dims[perm[i]];
    return nn_set_output(node, 0, x->type, x->rank, dims, error);
}

gboolean nn_reference_transpose(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                                GError **error)
{
    int perm[NN_MAX_RANK];

    if (!nn_transpose_perm(node, perm, error))
        return FALSE;
    copy_transposed(out[0], in[0], in[0]->rank, in[0]->dims, perm);
    return TRUE;
}

/* ---- DepthToSpace, SpaceToDepth */

/* Operator DepthToSpace: b * b channels become b * b pixels; their index lies before the depth in
 * DCR mode and behind it in CRD. SpaceToDepth is the inverse of DCR. */
gboolean nn_shuffle_params(const NnNode *node, NnShuffleParams *p, GError **error)
{
    const NnValue *x = nn_node_input(node, 0);
    gint64 b = nn_node_int(node, "blocksize", 0), n, c, h, w;

    if (x->rank != 4)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "the input has %d axes", x->rank);
    if (!nn_check_range(node, "blocksize", b, 1, G_MAXINT16, error))
        return FALSE;
    for (int axis = 1; axis < 4; axis++)
        if (!nn_check_range(node, "an extent", x->dims[axis], 0, NN_MAX_EXTENT, error))
            return FALSE;
    n = x->dims[0], c = x->dims[1], h = x->dims[2], w = x->dims[3];
    if (g_str_equal(node->type, "SpaceToDepth"))
        *p = (NnShuffleParams){ { n, c, h / b, b, w / b, b },
                                { 0, 3, 5, 1, 2, 4 },
                                { n, c * b * b, h / b, w / b } };
    else if (g_str_equal(nn_node_string(node, "mode", "DCR"), "CRD"))
        *p = (NnShuffleParams){ { n, c / b / b, b, b, h, w },
                                { 0, 1, 4, 2, 5, 3 },
                                { n, c / b / b, h * b, w * b } };
    else
        *p = (NnShuffleParams){ { n, b, b, c / b / b, h, w },
                                { 0, 3, 4, 1, 5, 2 },
                                { n, c / b / b, h * b, w * b } };
    if (g_str_equal(node->type, "SpaceToDepth") ? h % b || w % b : c % (b * b))
        return nn_node_error(node, error, NN_ERROR_SHAPE,
                             "the input does not divide into blocks of %" G_GINT64_FORMAT, b);
    return TRUE;
}

gboolean nn_infer_shuffle(NnNode *node, GError **error)
{
    NnShuffleParams p;

    return nn_check_arity(node, 1, 1, 1, error) && nn_shuffle_params(node, &p, error) &&
           nn_set_output(node, 0, nn_node_input(node, 0)->type, 4, p.out, error);
}

gboolean nn_reference_shuffle(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                              GError **error)
{
    NnShuffleParams p;

    if (!nn_shuffle_params(node, &p, error))
        return FALSE;
    copy_transposed(out[0], in[0], 6, p.dims, p.perm);
    return TRUE;
}

/* ---- Expand, Tile, Trilu */

/* Both ways: axes of 1 in the wanted shape keep the input's extent. */
gboolean nn_infer_expand(NnNode *node, GError **error)
{
    gint64 shape[NN_MAX_RANK], dims[NN_MAX_RANK];
    const NnValue *x;
    gsize n;
    int rank;

    if (!nn_check_arity(node, 2, 2, 1, error) ||
        !nn_host_ints(node, 1, NN_MAX_RANK, shape, &n, error))
        return FALSE;
    x = nn_node_input(node, 0);
    rank = MAX(x->rank, (int)n);
    for (int i = 0; i < rank; i++) {
        gint64 have = i < rank - x->rank ? 1 : x->dims[i - (rank - x->rank)];
        gint64 want = i < rank - (int)n ? 1 : shape[i - (rank - (int)n)];

        if (have != want && have != 1 && want != 1)
            return nn_node_error(node, error, NN_ERROR_SHAPE,
                                 "%" G_GINT64_FORMAT " elements do not expand to %" G_GINT64_FORMAT,
                                 have, want);
        dims[i] = want == 1 ? have : want;
    }
    return nn_set_output(node, 0, x->type, rank, dims, error);
}

gboolean nn_reference_expand(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                             GError **error)
{
    NnWalk walk;

    nn_walk_init(&walk, out[0]->rank, out[0]->dims);
    nn_walk_broadcast(&walk, in[0]);
    for (gsize i = 0; i < out[0]->n; i++, nn_walk_next(&walk))
        nn_copy_element(out[0], i, in[0], walk.offset[0]);
    return TRUE;
}

gboolean nn_infer_tile(NnNode *node, GError **error)
{
    gint64 repeats[NN_MAX_RANK], dims[NN_MAX_RANK];
    const NnValue *x;
    gsize n;

    if (!nn_check_arity(node, 2, 2, 1, error) ||
        !nn_host_ints(node, 1, NN_MAX_RANK, repeats, &n, error))
        return FALSE;
    x = nn_node_input(node, 0);
    if (n != (gsize)x->rank)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "%" G_GSIZE_FORMAT " repeats for %d axes",
                             n, x->rank);
    for (int i = 0; i < x->rank; i++) {
        if (!nn_check_range(node, "a repeat", repeats[i], 0, NN_MAX_EXTENT, error) ||
            !nn_check_range(node, "an extent", x->dims[i], 0, NN_MAX_EXTENT, error))
            return FALSE;
        dims[i] = x->dims[i] * repeats[i];
    }
    return nn_set_output(node, 0, x->type, x->rank, dims, error);
}

static gint64 tile_source(gconstpointer context, int axis, gint64 n, gint64 i)
{
    return i % n;
}

gboolean nn_reference_tile(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                           GError **error)
{
    copy_by_axis(out[0], in[0], tile_source, NULL);
    return TRUE;
}

gboolean nn_infer_trilu(NnNode *node, GError **error)
{
    double k;

    if (!nn_check_arity(node, 1, 2, 1, error) || !nn_host_number(node, 1, 0, &k, error))
        return FALSE;
    if (nn_node_input(node, 0)->rank < 2)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "the input is not a matrix");
    return nn_set_output_as_input(node, error);
}

/* Keeps what is on the diagonal k and above (upper, the default) or below it. */
gboolean nn_reference_trilu(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                            GError **error)
{
    gboolean upper = nn_node_int(node, "upper", 1) != 0;
    const NnArray *k = nn_optional(node, in, 1);
    gint64 rows = in[0]->dims[in[0]->rank - 2], columns = in[0]->dims[in[0]->rank - 1];
    gint64 diagonal = k ? CLAMP(nn_array_get_int(k, 0), -rows, columns) : 0;

    for (gsize i = 0; i < out[0]->n; i++) {
        gint64 distance = (gint64)(i % columns) - (gint64)(i / columns % rows);

        if (upper ? distance >= diagonal : distance <= diagonal)
            nn_copy_element(out[0], i, in[0], i);
    }
    return TRUE;
}
