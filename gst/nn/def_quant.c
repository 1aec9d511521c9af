/* def_quant.c - the meaning of quantisation and of operators on quantised tensors.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A quantised tensor stands for (q - zero_point) * scale. Scales are float32, and so is the
 * arithmetic on them here: where a quotient lies between two integers must not depend on more
 * precision than others have.
 */
#include "defs.h"

#include <math.h>
#include <string.h>

#define TYPES_8 (NN_TYPE_BIT(NN_INT8) | NN_TYPE_BIT(NN_UINT8))
#define TYPES_QUANTISED (TYPES_8 | NN_TYPE_BIT(NN_INT16) | NN_TYPE_BIT(NN_UINT16))

/* ---- scales and zero points */

/* Which of the scales (and zero points) belongs to an element: one for all, one per index of an
 * axis (opset 13), or one per block of indices (opset 21). */
typedef struct {
    NnLanes lanes;
    gint64 block, n_blocks; /* indices per scale, scales along the axis */
    gboolean single;
} Scales;

static gsize scale_of(const Scales *s, gsize i)
{
    gint64 k;

    if (s->single)
        return 0;
    k = i / s->lanes.inner % s->lanes.n;
    if (s->block == 0)
        return k;
    return (i / s->lanes.inner / s->lanes.n * s->n_blocks + k / s->block) * s->lanes.inner +
           i % s->lanes.inner;
}

/* An optional input of one number, or of one per index of @n. */
static gboolean check_single_or_list(const NnNode *node, guint i, gint64 n, GError **error)
{
    const NnValue *value = nn_node_input(node, i);
    gsize count;

    if (!value || (nn_dims_count(value->rank, value->dims, &count) && count == 1))
        return TRUE;
    return nn_check_dims(node, i, 1, &n, error);
}

/* For input 1, scales, and input 2, zero points, of input 0. */
static gboolean read_scales(const NnNode *node, Scales *s, GError **error)
{
    const NnValue *x = nn_node_input(node, 0), *scale = nn_node_input(node, 1);
    gint64 dims[NN_MAX_RANK];
    gsize n;
    int axis;

    memset(s, 0, sizeof *s);
    s->single = nn_dims_count(scale->rank, scale->dims, &n) && n == 1 && scale->rank <= 1;
    s->block = nn_node_int(node, "block_size", 0);
    if (s->single)
        return check_single_or_list(node, 2, 1, error);
    if (!nn_check_range(node, "block_size", s->block, 0, NN_MAX_EXTENT, error) ||
        !nn_check_dims(node, 2, scale->rank, scale->dims, error))
        return FALSE;
    if (!nn_resolve_axis(node, nn_node_int(node, "axis", 1), x->rank, &axis, error))
        return FALSE;
    s->lanes = nn_lanes(x->rank, x->dims, axis);
    memcpy(dims, x->dims, sizeof dims);
    if (s->block == 0)
        return nn_check_dims(node, 1, 1, &dims[axis], error);
    s->n_blocks = dims[axis] / s->block + (dims[axis] % s->block != 0);
    dims[axis] = s->n_blocks;
    return nn_check_dims(node, 1, x->rank, dims, error);
}

static gint64 zero_point(const NnArray *zero_points, gsize i)
{
    return zero_points ? nn_array_get_int(zero_points, i) : 0;
}

/* round(x / scale) + zero_point, half to even, saturated by the array. */
static void set_quantised(NnArray *y, gsize i, float x, float scale, gint64 zero)
{
    nn_array_set(y, i, (double)rintf(x / scale) + zero);
}

/* ---- QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear */

gboolean nn_infer_quantize(NnNode *node, GError **error)
{
    const NnValue *x, *zero;
    gint64 type;
    Scales s;

    if (!nn_check_arity(node, 2, 3, 1, error) ||
        !nn_check_type(node, 0, NN_TYPES_FLOAT | NN_TYPE_BIT(NN_INT32), error) ||
        !nn_check_type(node, 1, NN_TYPES_FLOAT | NN_TYPE_BIT(NN_INT32), error) ||
        !nn_check_type(node, 2, TYPES_QUANTISED, error) || !read_scales(node, &s, error))
        return FALSE;
    x = nn_node_input(node, 0);
    zero = nn_node_input(node, 2);
    type = nn_node_int(node, "output_dtype", 0);
    if (type == 0)
        type = zero ? zero->type : NN_UINT8;
    if (type < 0 || type > NN_UINT64 || !(TYPES_QUANTISED & NN_TYPE_BIT(type)))
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED,
                             "element type %" G_GINT64_FORMAT " is not supported", type);
    return nn_set_output(node, 0, type, x->rank, x->dims, error);
}

gboolean nn_reference_quantize(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                               GError **error)
{
    const NnArray *zeros = nn_optional(node, in, 2);
    Scales s;

    if (!read_scales(node, &s, error))
        return FALSE;
    for (gsize i = 0; i < out[0]->n; i++) {
        gsize k = scale_of(&s, i);

        set_quantised(out[0], i, nn_array_get(in[0], i), nn_array_get(in[1], k),
                      zero_point(zeros, k));
    }
    return TRUE;
}

gboolean nn_infer_dequantize(NnNode *node, GError **error)
{
    const NnValue *x;
    Scales s;

    if (!nn_check_arity(node, 2, 3, 1, error) ||
        !nn_check_type(node, 0, TYPES_QUANTISED | NN_TYPE_BIT(NN_INT32), error) ||
        !nn_check_type(node, 1, NN_TYPES_FLOAT, error) || !nn_check_same_type(node, 2, error) ||
        !read_scales(node, &s, error))
        return FALSE;
    x = nn_node_input(node, 0);
    return nn_set_output(node, 0, nn_node_input(node, 1)->type, x->rank, x->dims, error);
}

gboolean nn_reference_dequantize(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                                 GError **error)
{
    const NnArray *zeros = nn_optional(node, in, 2);
    Scales s;

    if (!read_scales(node, &s, error))
        return FALSE;
    for (gsize i = 0; i < out[0]->n; i++) {
        gsize k = scale_of(&s, i);
        gint64 centred = nn_array_get_int(in[0], i) - zero_point(zeros, k);

        nn_array_set(out[0], i, (float)centred * (float)nn_array_get(in[1], k));
    }
    return TRUE;
}

gboolean nn_infer_dynamic_quantize(NnNode *node, GError **error)
{
    const NnValue *x;

    if (!nn_check_arity(node, 1, 1, 3, error) ||
        !nn_check_type(node, 0, NN_TYPE_BIT(NN_FLOAT32), error))
        return FALSE;
    x = nn_node_input(node, 0);
    return nn_set_output(node, 0, NN_UINT8, x->rank, x->dims, error) &&
           nn_set_output(node, 1, NN_FLOAT32, 0, NULL, error) &&
           nn_set_output(node, 2, NN_UINT8, 0, NULL, error);
}

/* The range always includes 0; a tensor of zeros has the scale 1. */
gboolean nn_reference_dynamic_quantize(const NnNode *node, const NnArray *const *in,
                                       NnArray *const *out, GError **error)
{
    NnArray *scale_out = nn_optional_output(node, out, 1);
    NnArray *zero_out = nn_optional_output(node, out, 2);
    float low = 0, high = 0, scale, zero;

    for (gsize i = 0; i < in[0]->n; i++) {
        low = MIN(low, (float)nn_array_get(in[0], i));
        high = MAX(high, (float)nn_array_get(in[0], i));
    }
    scale = high > low ? (high - low) / 255 : 1;
    zero = rintf(CLAMP(-low / scale, 0, 255));
    for (gsize i = 0; i < in[0]->n; i++)
        set_quantised(out[0], i, nn_array_get(in[0], i), scale, zero);
    if (scale_out)
        nn_array_set(scale_out, 0, scale);
    if (zero_out)
        nn_array_set(zero_out, 0, zero);
    return TRUE;
}

/* ---- integer products */

/* The elements less their zero points, of which there is one, or one per index of @axis. */
static double *centred(const NnNode *node, const NnArray *x, const NnArray *zeros, int axis,
                       GError **error)
{
    double *doubles = nn_doubles(node, x, error);
    NnLanes lanes = { 0, 0, 0 };

    if (!zeros || !doubles)
        return doubles;
    if (zeros->n > 1)
        lanes = nn_lanes(x->rank, x->dims, axis);
    for (gsize i = 0; i < x->n; i++)
        doubles[i] -= nn_array_get_int(zeros, zeros->n > 1 ? i / lanes.inner % lanes.n : 0);
    return doubles;
}

/* The axis of a matrix operand's rows or columns, counted from the end; 0 of a vector. */
static int matrix_axis(const NnArray *x, int from_end)
{
    return MAX(x->rank - from_end, 0);
}

/* What ConvInteger and QLinearConv add up; MatMulInteger and QLinearMatMul alike. All four numbers
 * are places in @in: operands and zero points. */
static double *conv_sums(const NnNode *node, const NnArray *const *in, guint x, guint x_zero,
                         guint w, guint w_zero, gsize n, GError **error)
{
    g_autofree double *a = NULL, *b = NULL;
    NnConvParams p;
    double *y;

    if (!nn_conv_params(node, &p, error) ||
        !(a = centred(node, in[x], nn_optional(node, in, x_zero), 0, error)) ||
        !(b = centred(node, in[w], nn_optional(node, in, w_zero), 0, error)) ||
        !(y = nn_new_doubles(node, n, error)))
        return NULL;
    nn_conv_sums(&p, a, b, y);
    return y;
}

static double *matmul_sums(const NnNode *node, const NnArray *const *in, guint a, guint a_zero,
                           guint b, guint b_zero, gsize n, GError **error)
{
    g_autofree double *left = NULL, *right = NULL;
    NnMatmulParams p;
    double *y;

    if (!nn_matmul_params(node, a, b, &p, error) ||
        !(left =
              centred(node, in[a], nn_optional(node, in, a_zero), matrix_axis(in[a], 2), error)) ||
        !(right =
              centred(node, in[b], nn_optional(node, in, b_zero), matrix_axis(in[b], 1), error)) ||
        !(y = nn_new_doubles(node, n, error)))
        return NULL;
    nn_matmul_sums(&p, left, right, y);
    return y;
}

static void set_sums(NnArray *out, const double *sums)
{
    for (gsize i = 0; i < out->n; i++)
        nn_array_set_int(out, i, sums[i]);
}

static gboolean set_conv_output(const NnNode *node, const NnConvParams *p, NnType type,
                                GError **error)
{
    gint64 dims[2 + NN_MAX_SPATIAL] = { p->batch, p->out_channels };

    memcpy(dims + 2, p->out, p->n_spatial * sizeof *dims);
    return nn_set_output(node, 0, type, 2 + p->n_spatial, dims, error);
}

gboolean nn_infer_conv_integer(NnNode *node, GError **error)
{
    NnConvParams p;

    return nn_check_arity(node, 2, 4, 1, error) && nn_check_type(node, 0, TYPES_8, error) &&
           nn_check_type(node, 1, TYPES_8, error) && nn_check_type(node, 2, TYPES_8, error) &&
           nn_check_type(node, 3, TYPES_8, error) && nn_conv_params(node, &p, error) &&
           check_single_or_list(node, 2, 1, error) &&
           check_single_or_list(node, 3, p.out_channels, error) &&
           set_conv_output(node, &p, NN_INT32, error);
}

gboolean nn_reference_conv_integer(const NnNode *node, const NnArray *const *in,
                                   NnArray *const *out, GError **error)
{
    g_autofree double *sums = conv_sums(node, in, 0, 2, 1, 3, out[0]->n, error);

    if (sums)
        set_sums(out[0], sums);
    return sums != NULL;
}

/* Zero points are one for all, one per row of the left or one per column of the right operand. */
static gboolean check_matmul_zeros(const NnNode *node, guint a, guint a_zero, guint b, guint b_zero,
                                   GError **error)
{
    NnMatmulParams p;

    return nn_matmul_params(node, a, b, &p, error) &&
           check_single_or_list(node, a_zero, p.m, error) &&
           check_single_or_list(node, b_zero, p.n, error);
}

gboolean nn_infer_matmul_integer(NnNode *node, GError **error)
{
    return nn_check_arity(node, 2, 4, 1, error) && nn_check_type(node, 0, TYPES_8, error) &&
           nn_check_type(node, 1, TYPES_8, error) && nn_check_type(node, 2, TYPES_8, error) &&
           nn_check_type(node, 3, TYPES_8, error) && check_matmul_zeros(node, 0, 2, 1, 3, error) &&
           nn_matmul_set_output(node, 0, 1, NN_INT32, error);
}

gboolean nn_reference_matmul_integer(const NnNode *node, const NnArray *const *in,
                                     NnArray *const *out, GError **error)
{
    g_autofree double *sums = matmul_sums(node, in, 0, 2, 1, 3, out[0]->n, error);

    if (sums)
        set_sums(out[0], sums);
    return sums != NULL;
}

/* ---- QLinearConv, QLinearMatMul: two operands and the result, each with scale and zero point */

/* @weight_scales: how many scales the second operand may have. */
static gboolean check_qlinear(const NnNode *node, gint64 weight_scales, GError **error)
{
    for (guint i = 0; i < 8; i++) {
        gboolean is_scale = i == 1 || i == 4 || i == 6;

        if (!nn_check_type(node, i, is_scale ? NN_TYPES_FLOAT : TYPES_8, error))
            return FALSE;
        if (i != 0 && i != 3 &&
            !check_single_or_list(node, i, i == 4 || i == 5 ? weight_scales : 1, error))
            return FALSE;
    }
    return TRUE;
}

/* The result's element for a sum of products; @w: which of the second operand's scales. */
static void requantise(const NnArray *const *in, NnArray *y, gsize i, double sum, gsize w)
{
    float scale = (float)nn_array_get(in[1], 0) * (float)nn_array_get(in[4], in[4]->n > 1 ? w : 0) /
                  (float)nn_array_get(in[6], 0);

    set_quantised(y, i, (float)sum * scale, 1, nn_array_get_int(in[7], 0));
}

gboolean nn_infer_qlinear_conv(NnNode *node, GError **error)
{
    NnConvParams p;

    return nn_check_arity(node, 8, 9, 1, error) && nn_conv_params(node, &p, error) &&
           check_qlinear(node, p.out_channels, error) &&
           nn_check_type(node, 8, NN_TYPE_BIT(NN_INT32), error) &&
           nn_check_dims(node, 8, 1, &p.out_channels, error) &&
           set_conv_output(node, &p, nn_node_input(node, 7)->type, error);
}

gboolean nn_reference_qlinear_conv(const NnNode *node, const NnArray *const *in,
                                   NnArray *const *out, GError **error)
{
    g_autofree double *sums = conv_sums(node, in, 0, 2, 3, 5, out[0]->n, error);
    const NnArray *bias = nn_optional(node, in, 8);
    NnLanes lanes;

    if (!sums)
        return FALSE;
    lanes = nn_lanes(out[0]->rank, out[0]->dims, 1);
    for (gsize i = 0; i < out[0]->n; i++) {
        gsize c = i / lanes.inner % lanes.n;

        requantise(in, out[0], i, sums[i] + (bias ? nn_array_get(bias, c) : 0), c);
    }
    return TRUE;
}

gboolean nn_infer_qlinear_matmul(NnNode *node, GError **error)
{
    NnMatmulParams p;

    return nn_check_arity(node, 8, 8, 1, error) && nn_matmul_params(node, 0, 3, &p, error) &&
           check_qlinear(node, p.n, error) &&
           nn_matmul_set_output(node, 0, 3, nn_node_input(node, 7)->type, error);
}

gboolean nn_reference_qlinear_matmul(const NnNode *node, const NnArray *const *in,
                                     NnArray *const *out, GError **error)
{
    g_autofree double *sums = matmul_sums(node, in, 0, 2, 3, 5, out[0]->n, error);
    NnMatmulParams p;

    if (!sums || !nn_matmul_params(node, 0, 3, &p, error))
        return FALSE;
    for (gsize i = 0; i < out[0]->n; i++)
        requantise(in, out[0], i, sums[i], i % p.n);
    return TRUE;
}
