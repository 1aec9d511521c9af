/* def_conv.c - the meaning of Conv and ConvTranspose.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "defs.h"

#include <string.h>

/* ---- parameters */

static gboolean is_qlinear(const NnNode *node)
{
    return g_str_equal(node->type, "QLinearConv");
}

/* The input that holds the weights: QLinearConv has x's scale and zero point in between. */
static const NnValue *weights(const NnNode *node)
{
    return nn_node_input(node, is_qlinear(node) ? 3 : 1);
}

static gboolean read_channels(const NnNode *node, NnConvParams *p, GError **error)
{
    const NnValue *x = nn_node_input(node, 0), *w = weights(node);
    gint64 per_group = w->dims[1];

    p->batch = x->dims[0];
    p->in_channels = x->dims[1];
    p->groups = nn_node_int(node, "group", 1);
    if (!nn_check_range(node, "group", p->groups, 1, NN_MAX_EXTENT, error) ||
        !nn_check_range(node, "the number of input channels", x->dims[1], 0, NN_MAX_EXTENT,
                        error) ||
        !nn_check_range(node, "dim 0 of the weights", w->dims[0], 0, NN_MAX_EXTENT, error) ||
        !nn_check_range(node, "dim 1 of the weights", per_group, 0, NN_MAX_EXTENT, error))
        return FALSE;
    if (p->transposed) {
        p->out_channels = per_group * p->groups;
        if (w->dims[0] == p->in_channels && p->in_channels % p->groups == 0)
            return TRUE;
    } else {
        p->out_channels = w->dims[0];
        if (per_group * p->groups == p->in_channels && p->out_channels % p->groups == 0)
            return TRUE;
    }
    return nn_node_error(node, error, NN_ERROR_SHAPE,
                         "weights [%" G_GINT64_FORMAT "][%" G_GINT64_FORMAT
                         "] do not fit %" G_GINT64_FORMAT " channels in %" G_GINT64_FORMAT
                         " groups",
                         w->dims[0], w->dims[1], p->in_channels, p->groups);
}

static gboolean read_lists(const NnNode *node, NnConvParams *p, GError **error)
{
    const NnValue *x = nn_node_input(node, 0), *w = weights(node);
    int n = p->n_spatial;
    gint64 pads[2 * NN_MAX_SPATIAL], kernel[NN_MAX_SPATIAL];

    if (!nn_list_attribute(node, "strides", n, 1, 1, NN_MAX_EXTENT, p->stride, error) ||
        !nn_list_attribute(node, "dilations", n, 1, 1, NN_MAX_EXTENT, p->dilation, error) ||
        !nn_list_attribute(node, "output_padding", n, 0, 0, NN_MAX_EXTENT, p->output_padding,
                           error) ||
        !nn_list_attribute(node, "pads", 2 * n, 0, 0, NN_MAX_EXTENT, pads, error) ||
        !nn_list_attribute(node, "kernel_shape", n, 0, 1, NN_MAX_EXTENT, kernel, error))
        return FALSE;
    for (int i = 0; i < n; i++) {
        p->in[i] = x->dims[2 + i];
        p->kernel[i] = w->dims[2 + i];
        p->pad_begin[i] = pads[i];
        p->pad_end[i] = pads[n + i];
        if (!nn_check_range(node, "the input's extent", p->in[i], 0, NN_MAX_EXTENT, error) ||
            !nn_check_range(node, "the kernel's extent", p->kernel[i], 1, NN_MAX_EXTENT, error))
            return FALSE;
        if (kernel[i] != 0 && kernel[i] != p->kernel[i])
            return nn_node_error(node, error, NN_ERROR_SHAPE,
                                 "kernel_shape differs from the weights on axis %d", i);
    }
    return TRUE;
}

/* The extent that a dilated kernel covers. */
static gint64 covered(const NnConvParams *p, int i)
{
    return (p->kernel[i] - 1) * p->dilation[i] + 1;
}

/* Shares padding between the two ends; the odd element goes to the end with SAME_UPPER. */
static void share_padding(NnConvParams *p, int i, gint64 total, gboolean upper)
{
    p->pad_begin[i] = upper ? total / 2 : total - total / 2;
    p->pad_end[i] = total - p->pad_begin[i];
}

/* Operator Conv: explicit pads, or SAME_*: as many outputs as the stride fits into the input. */
static void conv_extent(NnConvParams *p, int i, const char *auto_pad)
{
    if (g_str_has_prefix(auto_pad, "SAME")) {
        gint64 out = (p->in[i] + p->stride[i] - 1) / p->stride[i];
        gint64 total = MAX((out - 1) * p->stride[i] + covered(p, i) - p->in[i], 0);

        share_padding(p, i, total, g_str_equal(auto_pad, "SAME_UPPER"));
    }
    p->out[i] = p->in[i] + p->pad_begin[i] + p->pad_end[i] - covered(p, i);
    p->out[i] = p->out[i] < 0 ? -1 : p->out[i] / p->stride[i] + 1;
}

/* Operator ConvTranspose: out = stride * (in - 1) + output_padding + covered - pads, or the pads
 * follow from output_shape, or from SAME_*, which asks for in * stride. @shape: 0 if not given.
 * Where the shape is larger than what the kernel reaches, the rest is at the end. */
static void transposed_extent(NnConvParams *p, int i, const char *auto_pad, gint64 shape)
{
    gint64 full = p->stride[i] * (p->in[i] - 1) + p->output_padding[i] + covered(p, i);

    if (shape == 0 && g_str_has_prefix(auto_pad, "SAME"))
        shape = p->in[i] * p->stride[i];
    if (shape > 0) {
        share_padding(p, i, MAX(full - shape, 0), g_str_equal(auto_pad, "SAME_UPPER"));
        p->out[i] = shape;
    } else {
        p->out[i] = full - p->pad_begin[i] - p->pad_end[i];
    }
}

static gboolean resolve_extents(const NnNode *node, NnConvParams *p, GError **error)
{
    const char *auto_pad = nn_node_string(node, "auto_pad", "NOTSET");
    gint64 shape[NN_MAX_SPATIAL];

    if (!nn_list_attribute(node, "output_shape", p->n_spatial, 0, 1, NN_MAX_EXTENT, shape, error))
        return FALSE;
    if (!g_str_equal(auto_pad, "NOTSET") && !g_str_equal(auto_pad, "VALID") &&
        !g_str_equal(auto_pad, "SAME_UPPER") && !g_str_equal(auto_pad, "SAME_LOWER"))
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "auto_pad is \"%s\"", auto_pad);
    for (int i = 0; i < p->n_spatial; i++) {
        if (g_str_equal(auto_pad, "VALID"))
            p->pad_begin[i] = p->pad_end[i] = 0;
        if (p->transposed)
            transposed_extent(p, i, auto_pad, shape[i]);
        else
            conv_extent(p, i, auto_pad);
        if (!nn_check_range(node, "the output's extent", p->out[i], 0, NN_MAX_EXTENT, error))
            return FALSE;
    }
    return TRUE;
}

gboolean nn_conv_params(const NnNode *node, NnConvParams *p, GError **error)
{
    const NnValue *x = nn_node_input(node, 0), *w = weights(node);

    memset(p, 0, sizeof *p);
    p->transposed = g_str_equal(node->type, "ConvTranspose");
    p->n_spatial = x->rank - 2;
    if (p->n_spatial < 1 || p->n_spatial > NN_MAX_SPATIAL || w->rank != x->rank)
        return nn_node_error(node, error, NN_ERROR_SHAPE,
                             "an input of %d axes and weights of %d are not a convolution of 1 to "
                             "%d dimensions",
                             x->rank, w->rank, NN_MAX_SPATIAL);
    for (int i = p->n_spatial; i < NN_MAX_SPATIAL; i++)
        p->in[i] = p->out[i] = p->kernel[i] = p->stride[i] = p->dilation[i] = 1;
    return read_channels(node, p, error) && read_lists(node, p, error) &&
           resolve_extents(node, p, error);
}

/* ---- inference */

gboolean nn_infer_conv(NnNode *node, GError **error)
{
    NnConvParams p;
    gint64 dims[2 + NN_MAX_SPATIAL];

    if (!nn_check_arity(node, 2, 3, 1, error) || !nn_check_type(node, 0, NN_TYPES_FLOAT, error) ||
        !nn_check_same_type(node, 1, error) || !nn_check_same_type(node, 2, error) ||
        !nn_conv_params(node, &p, error) || !nn_check_dims(node, 2, 1, &p.out_channels, error))
        return FALSE;
    dims[0] = p.batch;
    dims[1] = p.out_channels;
    memcpy(dims + 2, p.out, p.n_spatial * sizeof *dims);
    return nn_set_output(node, 0, nn_node_input(node, 0)->type, 2 + p.n_spatial, dims, error);
}

/* ---- reference */

/* May wrap around where the tensor is empty on another axis; it is not used then. */
static gint64 product(const gint64 *extents)
{
    return (guint64)extents[0] * extents[1] * extents[2];
}

/* Index j of the strided tensor, that is the output of a convolution and the input of a transposed
 * one, meets index j * stride + shift of the other one at tap @k. */
static gint64 shift(const NnConvParams *p, int axis, gint64 k)
{
    return k * p->dilation[axis] - p->pad_begin[axis];
}

/* Adds one tap along the last axis: rows @x and @y of both tensors. */
static void add_tap(const NnConvParams *p, gint64 k, double w, const double *x, double *y)
{
    gint64 n_strided = p->transposed ? p->in[2] : p->out[2];
    gint64 n_other = p->transposed ? p->out[2] : p->in[2];
    gint64 stride = p->stride[2], first = shift(p, 2, k), begin = 0, end = 0;

    if (first < 0)
        begin = (-first + stride - 1) / stride;
    if (n_other > first)
        end = MIN(n_strided, (n_other - first + stride - 1) / stride);
    if (p->transposed)
        for (gint64 i = begin; i < end; i++)
            y[first + i * stride] += w * x[i];
    else
        for (gint64 i = begin; i < end; i++)
            y[i] += w * x[first + i * stride];
}

/* Adds all taps that meet row (i, j) of the strided tensor, of one pair of channels. */
static void add_row(const NnConvParams *p, gint64 i, gint64 j, const double *w, const double *x,
                    double *y)
{
    const gint64 *strided = p->transposed ? p->in : p->out;
    const gint64 *other = p->transposed ? p->out : p->in;
    gint64 row = (i * strided[1] + j) * strided[2];

    for (gint64 k0 = 0; k0 < p->kernel[0]; k0++)
        for (gint64 k1 = 0; k1 < p->kernel[1]; k1++, w += p->kernel[2]) {
            gint64 o0 = i * p->stride[0] + shift(p, 0, k0);
            gint64 o1 = j * p->stride[1] + shift(p, 1, k1);
            gint64 other_row = (o0 * other[1] + o1) * other[2];

            if (o0 < 0 || o0 >= other[0] || o1 < 0 || o1 >= other[1])
                continue;
            for (gint64 k2 = 0; k2 < p->kernel[2]; k2++)
                add_tap(p, k2, w[k2], x + (p->transposed ? row : other_row),
                        y + (p->transposed ? other_row : row));
        }
}

static void add_channel(const NnConvParams *p, const double *w, const double *x, double *y)
{
    const gint64 *strided = p->transposed ? p->in : p->out;

    for (gint64 i = 0; i < strided[0]; i++)
        for (gint64 j = 0; j < strided[1]; j++)
            add_row(p, i, j, w, x, y);
}

/* The same with the axes of 1 that fill up to three in front, so that the inner loops are long. */
static NnConvParams align_axes(const NnConvParams *p)
{
    NnConvParams aligned = *p;

    for (int i = 0; i < NN_MAX_SPATIAL; i++) {
        int from = (i + p->n_spatial) % NN_MAX_SPATIAL;

        aligned.in[i] = p->in[from];
        aligned.out[i] = p->out[from];
        aligned.kernel[i] = p->kernel[from];
        aligned.stride[i] = p->stride[from];
        aligned.dilation[i] = p->dilation[from];
        aligned.pad_begin[i] = p->pad_begin[from];
    }
    return aligned;
}

void nn_conv_sums(const NnConvParams *params, const double *x, const double *w, double *y)
{
    const NnConvParams aligned = align_axes(params), *p = &aligned;
    gint64 in_size = product(p->in), out_size = product(p->out), taps = product(p->kernel);
    gint64 group_in = p->in_channels / p->groups, group_out = p->out_channels / p->groups;

    for (gint64 n = 0; n < p->batch; n++)
        for (gint64 oc = 0; oc < p->out_channels; oc++)
            for (gint64 i = 0; i < group_in; i++) {
                gint64 ic = oc / group_out * group_in + i;
                gint64 pair = p->transposed ? ic * group_out + oc % group_out : oc * group_in + i;

                add_channel(p, w + pair * taps, x + (n * p->in_channels + ic) * in_size,
                            y + (n * p->out_channels + oc) * out_size);
            }
}

gboolean nn_reference_conv(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                           GError **error)
{
    const NnArray *bias = nn_optional(node, in, 2);
    NnConvParams p;
    g_autofree double *x = NULL, *w = NULL, *y = NULL;
    gint64 out_size;

    if (!nn_conv_params(node, &p, error) || !(x = nn_doubles(node, in[0], error)) ||
        !(w = nn_doubles(node, in[1], error)) || !(y = nn_new_doubles(node, out[0]->n, error)))
        return FALSE;
    nn_conv_sums(&p, x, w, y);
    out_size = product(p.out);
    for (gsize i = 0; i < out[0]->n; i++)
        nn_array_set(out[0], i,
                     y[i] + (bias ? nn_array_get(bias, i / out_size % p.out_channels) : 0));
    return TRUE;
}
