/* def_pool.c - the meaning of MaxPool, AveragePool, LpPool and their Global forms.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "defs.h"

#include <math.h>
#include <string.h>

/* ---- parameters */

static gboolean read_lists(const NnNode *node, NnPoolParams *p, gboolean global, GError **error)
{
    int n = p->n_spatial;
    gint64 pads[2 * NN_MAX_SPATIAL];
    gsize n_kernel;

    if (global) {
        memcpy(p->kernel, p->in, sizeof p->kernel);
        for (int i = 0; i < n; i++)
            p->stride[i] = p->dilation[i] = 1;
        return TRUE;
    }
    if (!nn_node_ints(node, "kernel_shape", &n_kernel))
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "kernel_shape is missing");
    if (!nn_list_attribute(node, "kernel_shape", n, 1, 1, NN_MAX_EXTENT, p->kernel, error) ||
        !nn_list_attribute(node, "strides", n, 1, 1, NN_MAX_EXTENT, p->stride, error) ||
        !nn_list_attribute(node, "dilations", n, 1, 1, NN_MAX_EXTENT, p->dilation, error) ||
        !nn_list_attribute(node, "pads", 2 * n, 0, 0, NN_MAX_EXTENT, pads, error))
        return FALSE;
    for (int i = 0; i < n; i++) {
        p->pad_begin[i] = pads[i];
        p->pad_end[i] = pads[n + i];
    }
    return TRUE;
}

/* Operator MaxPool: explicit pads, or SAME_*: as many outputs as the stride fits into the input.
 * With ceil_mode a window that would start in the padding behind the input is left out, as
 * PyTorch, where these networks come from, and ONNX since opset 19 have it. */
static gboolean resolve_extent(const NnNode *node, NnPoolParams *p, int i, GError **error)
{
    const char *auto_pad = nn_node_string(node, "auto_pad", "NOTSET");
    gboolean ceil_mode = nn_node_int(node, "ceil_mode", 0) != 0;
    gint64 covered = (p->kernel[i] - 1) * p->dilation[i] + 1, stride = p->stride[i], room;

    if (g_str_has_prefix(auto_pad, "SAME")) {
        gint64 out = (p->in[i] + stride - 1) / stride;
        gint64 total = MAX((out - 1) * stride + covered - p->in[i], 0);

        p->pad_begin[i] = g_str_equal(auto_pad, "SAME_LOWER") ? total - total / 2 : total / 2;
        p->pad_end[i] = total - p->pad_begin[i];
        ceil_mode = FALSE;
    } else if (g_str_equal(auto_pad, "VALID")) {
        p->pad_begin[i] = p->pad_end[i] = 0;
    } else if (!g_str_equal(auto_pad, "NOTSET")) {
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "auto_pad is \"%s\"", auto_pad);
    }
    room = p->in[i] + p->pad_begin[i] + p->pad_end[i] - covered;
    p->out[i] = room < 0 ? -1 : (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
    if (ceil_mode && p->out[i] > 1 && (p->out[i] - 1) * stride >= p->in[i] + p->pad_begin[i])
        p->out[i]--;
    return nn_check_range(node, "the output's extent", p->out[i], 0, NN_MAX_EXTENT, error);
}

gboolean nn_pool_params(const NnNode *node, NnPoolParams *p, GError **error)
{
    const NnValue *x = nn_node_input(node, 0);
    gboolean global = g_str_has_prefix(node->type, "Global");

    memset(p, 0, sizeof *p);
    p->type = strstr(node->type, "Max")       ? NN_POOL_MAX
              : strstr(node->type, "Average") ? NN_POOL_AVERAGE
                                              : NN_POOL_LP;
    p->n_spatial = x->rank - 2;
    if (p->n_spatial < 1 || p->n_spatial > NN_MAX_SPATIAL)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "the input has %d axes, not 3 to %d",
                             x->rank, 2 + NN_MAX_SPATIAL);
    p->batch = x->dims[0];
    p->channels = x->dims[1];
    for (int i = 0; i < NN_MAX_SPATIAL; i++) {
        p->in[i] = i < p->n_spatial ? x->dims[2 + i] : 1;
        p->out[i] = p->kernel[i] = p->stride[i] = p->dilation[i] = 1;
        if (!nn_check_range(node, "the input's extent", p->in[i], 1, NN_MAX_EXTENT, error))
            return FALSE;
    }
    p->count_include_pad = nn_node_int(node, "count_include_pad", 0) != 0;
    p->column_major = nn_node_int(node, "storage_order", 0) != 0;
    p->p = nn_node_int(node, "p", 2);
    if (!read_lists(node, p, global, error) ||
        (p->type == NN_POOL_LP && !nn_check_range(node, "p", p->p, 1, NN_MAX_EXTENT, error)))
        return FALSE;
    for (int i = 0; i < p->n_spatial; i++)
        if (!resolve_extent(node, p, i, error))
            return FALSE;
    return TRUE;
}

/* ---- inference */

gboolean nn_infer_pool(NnNode *node, GError **error)
{
    gboolean has_indices = g_str_equal(node->type, "MaxPool");
    guint types = NN_TYPES_FLOAT;
    gint64 dims[2 + NN_MAX_SPATIAL];
    NnPoolParams p;

    if (has_indices) /* opset 12 */
        types |= NN_TYPE_BIT(NN_INT8) | NN_TYPE_BIT(NN_UINT8);
    if (!nn_check_arity(node, 1, 1, has_indices ? 2 : 1, error) ||
        !nn_check_type(node, 0, types, error) || !nn_pool_params(node, &p, error))
        return FALSE;
    dims[0] = p.batch;
    dims[1] = p.channels;
    memcpy(dims + 2, p.out, p.n_spatial * sizeof *dims);
    return nn_set_output(node, 0, nn_node_input(node, 0)->type, 2 + p.n_spatial, dims, error) &&
           nn_set_output(node, 1, NN_INT64, 2 + p.n_spatial, dims, error);
}

/* ---- reference */

/* The taps begin..end of a window that lie on the input, the first being at @origin. */
typedef struct {
    gint64 origin, begin, end;
} Window;

static Window window(const NnPoolParams *p, int axis, gint64 o)
{
    gint64 d = p->dilation[axis];
    Window w = { o * p->stride[axis] - p->pad_begin[axis], 0, 0 };

    if (w.origin < 0)
        w.begin = (-w.origin + d - 1) / d;
    if (w.origin < p->in[axis])
        w.end = MIN(p->kernel[axis], (p->in[axis] - w.origin + d - 1) / d);
    return w;
}

/* What an average divides by on one axis: the taps on the input or, with count_include_pad, those
 * on input and padding. 1 where there is none of them: an empty window averages to 0. */
static gint64 divisor(const NnPoolParams *p, int axis, const Window *w)
{
    gint64 d = p->dilation[axis], end = p->in[axis] + p->pad_end[axis];

    return p->count_include_pad ? MIN(p->kernel[axis], (end - w->origin + d - 1) / d)
                                : MAX(w->end - w->begin, 1);
}

typedef struct {
    double result;
    gint64 at; /* of the maximum, within the channel; -1: the window is empty */
} Pooled;

static void add_element(const NnPoolParams *p, Pooled *pooled, double x, gint64 at)
{
    if (p->type == NN_POOL_AVERAGE) {
        pooled->result += x;
    } else if (p->type == NN_POOL_LP) {
        pooled->result += pow(fabs(x), p->p);
    } else if (pooled->at < 0 || x > pooled->result) {
        pooled->result = x;
        pooled->at = at;
    }
}

/* @x: the first element of the channel; @o: the output's index. */
static Pooled pool_window(const NnPoolParams *p, const NnArray *x, gsize first, const gint64 *o)
{
    const Window a = window(p, 0, o[0]), b = window(p, 1, o[1]), c = window(p, 2, o[2]);
    Pooled pooled = { 0, -1 };

    for (gint64 i = a.begin; i < a.end; i++)
        for (gint64 j = b.begin; j < b.end; j++)
            for (gint64 k = c.begin; k < c.end; k++) {
                gint64 at =
                    ((a.origin + i * p->dilation[0]) * p->in[1] + b.origin + j * p->dilation[1]) *
                        p->in[2] +
                    c.origin + k * p->dilation[2];

                add_element(p, &pooled, nn_array_get(x, first + at), at);
            }
    if (p->type == NN_POOL_AVERAGE)
        pooled.result /= (double)divisor(p, 0, &a) * divisor(p, 1, &b) * divisor(p, 2, &c);
    else if (p->type == NN_POOL_LP)
        pooled.result = pow(pooled.result, 1.0 / p->p);
    else if (pooled.at < 0)
        pooled.result = -INFINITY;
    return pooled;
}

/* Indices are those of the whole tensor; with storage_order 1 the last two axes are counted column
 * by column. */
static gint64 element_index(const NnPoolParams *p, gint64 first, gint64 at)
{
    gint64 h, w;

    if (at < 0 || !p->column_major || p->n_spatial < 2)
        return first + at;
    h = p->in[p->n_spatial - 2];
    w = p->in[p->n_spatial - 1];
    return first + at / (h * w) * (h * w) + at % w * h + at / w % h;
}

gboolean nn_reference_pool(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                           GError **error)
{
    NnArray *indices = nn_optional_output(node, out, 1);
    guint64 channel;
    NnPoolParams p;
    NnWalk walk;

    if (!nn_pool_params(node, &p, error))
        return FALSE;
    channel = (guint64)p.in[0] * p.in[1] * p.in[2];
    nn_walk_init(&walk, 5, (gint64[]){ p.batch, p.channels, p.out[0], p.out[1], p.out[2] });
    for (gsize i = 0; i < out[0]->n; i++, nn_walk_next(&walk)) {
        gint64 first = (walk.index[0] * p.channels + walk.index[1]) * channel;
        Pooled pooled = pool_window(&p, in[0], first, walk.index + 2);

        nn_array_set(out[0], i, pooled.result);
        if (indices)
            nn_array_set_int(indices, i, element_index(&p, first, pooled.at));
    }
    return TRUE;
}
