/* def_elementwise.c - the meaning of operators whose output elements depend on one element each.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "defs.h"

#include <float.h>
#include <math.h>

/* What the functions below need to know of the node. */
typedef struct {
    double alpha, beta; /* the attributes that the row names */
    gboolean flag;      /* the attribute that the row names, as a truth value */
    gboolean wide;      /* uint64: integers are passed as gint64 but mean guint64 */
} Context;

typedef double (*FloatFunction)(const Context *c, double a, double b);
typedef gint64 (*IntFunction)(const Context *c, gint64 a, gint64 b);

/* An operator of one or two operands. Unary functions ignore b. */
typedef struct {
    const char *type;
    guint types; /* that operands may have */
    FloatFunction f;
    IntFunction i;     /* NULL: no integer form */
    gboolean is_truth; /* the result is bool */
    const char *alpha_name;
    double alpha;
    const char *beta_name;
    double beta;
} Row;

#define FLOAT(name, expression)                                                                    \
    static double f_##name(const Context *c, double a, double b)                                   \
    {                                                                                              \
        return expression;                                                                         \
    }
#define INT(name, expression)                                                                      \
    static gint64 i_##name(const Context *c, gint64 a, gint64 b)                                   \
    {                                                                                              \
        return expression;                                                                         \
    }
/* Integers wrap around: the arithmetic is that of guint64. */
#define U(x) ((guint64)(x))

/* ---- one operand */

FLOAT(abs, fabs(a))
INT(abs, c->wide || a >= 0 ? a : (gint64)(0 - U(a)))
FLOAT(neg, -a)
INT(neg, (gint64)(0 - U(a)))
FLOAT(sign, (a > 0) - (a < 0))
INT(sign, c->wide ? a != 0 : (a > 0) - (a < 0))
FLOAT(relu, a > 0 || isnan(a) ? a : 0)
INT(relu, c->wide || a > 0 ? a : 0)
FLOAT(ceil, ceil(a))
FLOAT(floor, floor(a))
FLOAT(round, rint(a)) /* half to even */
FLOAT(sqrt, sqrt(a))
FLOAT(exp, exp(a))
FLOAT(log, log(a))
FLOAT(reciprocal, 1 / a)
FLOAT(sin, sin(a))
FLOAT(cos, cos(a))
FLOAT(tan, tan(a))
FLOAT(asin, asin(a))
FLOAT(acos, acos(a))
FLOAT(atan, atan(a))
FLOAT(sinh, sinh(a))
FLOAT(cosh, cosh(a))
FLOAT(tanh, tanh(a))
FLOAT(asinh, asinh(a))
FLOAT(acosh, acosh(a))
FLOAT(atanh, atanh(a))
FLOAT(erf, erf(a))
FLOAT(sigmoid, 1 / (1 + exp(-a)))
FLOAT(leaky_relu, a < 0 ? c->alpha * a : a)
FLOAT(hard_sigmoid, CLAMP(c->alpha *a + c->beta, 0, 1))
FLOAT(hard_swish, a *CLAMP(c->alpha *a + c->beta, 0, 1))
FLOAT(elu, a < 0 ? c->alpha * expm1(a) : a)
FLOAT(selu, c->beta *(a > 0 ? a : c->alpha * expm1(a)))
FLOAT(celu, fmax(a, 0) + fmin(0, c->alpha *expm1(a / c->alpha)))
/* log(1 + exp(a)) without overflow */
FLOAT(softplus, fmax(a, 0) + log1p(exp(-fabs(a))))
FLOAT(softsign, a / (1 + fabs(a)))
FLOAT(mish, a *tanh(f_softplus(c, a, b)))
FLOAT(thresholded_relu, a > c->alpha ? a : 0)
FLOAT(shrink, a<-c->beta ? a + c->alpha : a> c->beta ? a - c->alpha : 0)
INT(shrink, (gint64)f_shrink(c, a, b))
/* Operator Gelu 20; flag: approximate is "tanh". */
FLOAT(gelu,
      0.5 * a *
          (1 + (c->flag ? tanh(sqrt(2 / G_PI) * (a + 0.044715 * a * a * a)) : erf(a / sqrt(2)))))
FLOAT(is_nan, isnan(a) != 0)
FLOAT(is_inf, isinf(a) && (a > 0 ? c->alpha : c->beta) != 0)
INT(not, !a)
INT(bitwise_not, ~a)

/* clang-format off */
static const Row unary_rows[] = {
    { "Abs", NN_TYPES_NUMBER, .f = f_abs, .i = i_abs },
    { "Neg", NN_TYPES_FLOAT | NN_TYPES_SIGNED, .f = f_neg, .i = i_neg },
    { "Sign", NN_TYPES_NUMBER, .f = f_sign, .i = i_sign },
    { "Relu", NN_TYPES_NUMBER, .f = f_relu, .i = i_relu },
    { "Ceil", NN_TYPES_FLOAT, .f = f_ceil },
    { "Floor", NN_TYPES_FLOAT, .f = f_floor },
    { "Round", NN_TYPES_FLOAT, .f = f_round },
    { "Sqrt", NN_TYPES_FLOAT, .f = f_sqrt },
    { "Exp", NN_TYPES_FLOAT, .f = f_exp },
    { "Log", NN_TYPES_FLOAT, .f = f_log },
    { "Reciprocal", NN_TYPES_FLOAT, .f = f_reciprocal },
    { "Sin", NN_TYPES_FLOAT, .f = f_sin },
    { "Cos", NN_TYPES_FLOAT, .f = f_cos },
    { "Tan", NN_TYPES_FLOAT, .f = f_tan },
    { "Asin", NN_TYPES_FLOAT, .f = f_asin },
    { "Acos", NN_TYPES_FLOAT, .f = f_acos },
    { "Atan", NN_TYPES_FLOAT, .f = f_atan },
    { "Sinh", NN_TYPES_FLOAT, .f = f_sinh },
    { "Cosh", NN_TYPES_FLOAT, .f = f_cosh },
    { "Tanh", NN_TYPES_FLOAT, .f = f_tanh },
    { "Asinh", NN_TYPES_FLOAT, .f = f_asinh },
    { "Acosh", NN_TYPES_FLOAT, .f = f_acosh },
    { "Atanh", NN_TYPES_FLOAT, .f = f_atanh },
    { "Erf", NN_TYPES_FLOAT, .f = f_erf },
    { "Sigmoid", NN_TYPES_FLOAT, .f = f_sigmoid },
    { "LeakyRelu", NN_TYPES_FLOAT, .f = f_leaky_relu, .alpha_name = "alpha", .alpha = 0.01 },
    { "HardSigmoid", NN_TYPES_FLOAT, .f = f_hard_sigmoid, .alpha_name = "alpha", .alpha = 0.2,
      .beta_name = "beta", .beta = 0.5 },
    /* ONNX fixes alpha and beta; as attributes they are ours, for graphs that spell it out. */
    { "HardSwish", NN_TYPES_FLOAT, .f = f_hard_swish, .alpha_name = "alpha", .alpha = 1.0 / 6,
      .beta_name = "beta", .beta = 0.5 },
    { "Elu", NN_TYPES_FLOAT, .f = f_elu, .alpha_name = "alpha", .alpha = 1 },
    { "Selu", NN_TYPES_FLOAT, .f = f_selu, .alpha_name = "alpha",
      .alpha = 1.67326319217681884765625, .beta_name = "gamma",
      .beta = 1.05070102214813232421875 },
    { "Celu", NN_TYPES_FLOAT, .f = f_celu, .alpha_name = "alpha", .alpha = 1 },
    { "Softplus", NN_TYPES_FLOAT, .f = f_softplus },
    { "Softsign", NN_TYPES_FLOAT, .f = f_softsign },
    { "Mish", NN_TYPES_FLOAT, .f = f_mish },
    { "ThresholdedRelu", NN_TYPES_FLOAT, .f = f_thresholded_relu, .alpha_name = "alpha",
      .alpha = 1 },
    { "Shrink", NN_TYPES_NUMBER, .f = f_shrink, .i = i_shrink, .alpha_name = "bias", .alpha = 0,
      .beta_name = "lambd", .beta = 0.5 },
    { "Gelu", NN_TYPES_FLOAT, .f = f_gelu },
    { "IsNaN", NN_TYPES_FLOAT, .f = f_is_nan, .is_truth = TRUE },
    { "IsInf", NN_TYPES_FLOAT, .f = f_is_inf, .is_truth = TRUE, .alpha_name = "detect_positive",
      .alpha = 1, .beta_name = "detect_negative", .beta = 1 },
    { "Not", NN_TYPE_BIT(NN_BOOL), .i = i_not },
    { "BitwiseNot", NN_TYPES_INTEGER, .i = i_bitwise_not },
    { .type = NULL },
};
/* clang-format on */

/* ---- two operands */

/* The spec leaves a division by zero open; it must not trap. The smallest integer divided by -1
 * wraps around. */
static gint64 i_div(const Context *c, gint64 a, gint64 b)
{
    if (b == 0)
        return 0;
    if (c->wide)
        return U(a) / U(b);
    return b == -1 ? (gint64)(0 - U(a)) : a / b;
}

/* Operator Mod: the sign is the divisor's, as Python has it; with fmod (flag) the dividend's. */
static gint64 i_mod(const Context *c, gint64 a, gint64 b)
{
    gint64 rest;

    if (b == 0 || (b == -1 && !c->wide))
        return 0;
    if (c->wide)
        return U(a) % U(b);
    rest = a % b;
    return !c->flag && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static double f_mod(const Context *c, double a, double b)
{
    double rest = fmod(a, b);

    return !c->flag && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static gint64 i_pow(const Context *c, gint64 a, gint64 b)
{
    guint64 power = 1;

    if (b < 0 && !c->wide)
        return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
    for (guint64 square = a, rest = b; rest > 0; rest >>= 1, square *= square)
        if (rest & 1)
            power *= square;
    return power;
}

/* Operator BitShift; flag: to the right. Operands are unsigned. */
static gint64 i_bit_shift(const Context *c, gint64 a, gint64 b)
{
    if (U(b) > 63)
        return 0;
    return c->flag ? U(a) >> b : U(a) << b;
}

FLOAT(add, a + b)
INT(add, U(a) + U(b))
FLOAT(sub, a - b)
INT(sub, U(a) - U(b))
FLOAT(mul, a *b)
INT(mul, U(a) * U(b))
FLOAT(div, a / b)
FLOAT(pow, pow(a, b))
FLOAT(prelu, a < 0 ? a * b : a)
INT(prelu, !c->wide && a < 0 ? (gint64)(U(a) * U(b)) : a)
FLOAT(equal, a == b)
INT(equal, a == b)
FLOAT(less, a < b)
INT(less, c->wide ? U(a) < U(b) : a < b)
FLOAT(less_or_equal, a <= b)
INT(less_or_equal, c->wide ? U(a) <= U(b) : a <= b)
FLOAT(greater, a > b)
INT(greater, c->wide ? U(a) > U(b) : a > b)
FLOAT(greater_or_equal, a >= b)
INT(greater_or_equal, c->wide ? U(a) >= U(b) : a >= b)
INT(and, a &b)
INT(or, a | b)
INT(xor, a ^ b)
/* A NaN wins, as in numpy. */
FLOAT(max, isnan(a) || a > b ? a : b)
INT(max, i_greater(c, a, b) ? a : b)
FLOAT(min, isnan(a) || a < b ? a : b)
INT(min, i_less(c, a, b) ? a : b)

static const Row binary_rows[] = {
    { "Add", NN_TYPES_NUMBER, .f = f_add, .i = i_add },
    { "Sub", NN_TYPES_NUMBER, .f = f_sub, .i = i_sub },
    { "Mul", NN_TYPES_NUMBER, .f = f_mul, .i = i_mul },
    { "Div", NN_TYPES_NUMBER, .f = f_div, .i = i_div },
    { "Mod", NN_TYPES_NUMBER, .f = f_mod, .i = i_mod },
    { "Pow", NN_TYPES_NUMBER, .f = f_pow, .i = i_pow },
    { "PRelu", NN_TYPES_NUMBER, .f = f_prelu, .i = i_prelu },
    { "BitShift", NN_TYPES_UNSIGNED, .i = i_bit_shift },
    { "BitwiseAnd", NN_TYPES_INTEGER, .i = i_and },
    { "BitwiseOr", NN_TYPES_INTEGER, .i = i_or },
    { "BitwiseXor", NN_TYPES_INTEGER, .i = i_xor },
    { "And", NN_TYPE_BIT(NN_BOOL), .i = i_and, .is_truth = TRUE },
    { "Or", NN_TYPE_BIT(NN_BOOL), .i = i_or, .is_truth = TRUE },
    { "Xor", NN_TYPE_BIT(NN_BOOL), .i = i_xor, .is_truth = TRUE },
    { "Equal", NN_TYPES_ALL, .f = f_equal, .i = i_equal, .is_truth = TRUE },
    { "Less", NN_TYPES_NUMBER, .f = f_less, .i = i_less, .is_truth = TRUE },
    { "LessOrEqual", NN_TYPES_NUMBER, .f = f_less_or_equal, .i = i_less_or_equal,
      .is_truth = TRUE },
    { "Greater", NN_TYPES_NUMBER, .f = f_greater, .i = i_greater, .is_truth = TRUE },
    { "GreaterOrEqual", NN_TYPES_NUMBER, .f = f_greater_or_equal, .i = i_greater_or_equal,
      .is_truth = TRUE },
    { .type = NULL },
};

static const Row variadic_rows[] = {
    { "Max", NN_TYPES_NUMBER, .f = f_max, .i = i_max },
    { "Min", NN_TYPES_NUMBER, .f = f_min, .i = i_min },
    { "Sum", NN_TYPES_FLOAT, .f = f_add },
    { "Mean", NN_TYPES_FLOAT, .f = f_add },
    { .type = NULL },
};

/* ---- the common of all rows */

static const Row *find_row(const Row *rows, const NnNode *node)
{
    while (!g_str_equal(rows->type, node->type))
        rows++;
    return rows;
}

/* A number attribute, float or (IsInf's flags) integer. */
static double read_number(const NnNode *node, const char *name, double fallback)
{
    const NnAttribute *attribute = name ? nn_node_attribute(node, name) : NULL;

    if (!attribute)
        return fallback;
    if (attribute->kind == NN_ATTRIBUTE_INT)
        return attribute->u.i;
    return attribute->kind == NN_ATTRIBUTE_FLOAT ? attribute->u.f : fallback;
}

static Context read_context(const Row *row, const NnNode *node, NnType type)
{
    Context c = { 0 };

    c.alpha = read_number(node, row->alpha_name, row->alpha);
    c.beta = read_number(node, row->beta_name, row->beta);
    c.flag = nn_node_int(node, "fmod", 0) != 0 ||
             g_str_equal(nn_node_string(node, "direction", ""), "RIGHT") ||
             g_str_equal(nn_node_string(node, "approximate", ""), "tanh");
    c.wide = type == NN_UINT64;
    return c;
}

/* Sets element @i of @out to the row's function of two elements. */
static void apply(const Row *row, const Context *c, NnArray *out, gsize i, const NnArray *a,
                  gsize a_i, const NnArray *b, gsize b_i)
{
    gboolean is_float = nn_type_is_float(a->type) || nn_type_is_float(b->type);

    if (!is_float)
        nn_array_set_int(out, i, row->i(c, nn_array_get_int(a, a_i), nn_array_get_int(b, b_i)));
    else if (row->is_truth)
        nn_array_set_int(out, i, row->f(c, nn_array_get(a, a_i), nn_array_get(b, b_i)) != 0);
    else
        nn_array_set(out, i, row->f(c, nn_array_get(a, a_i), nn_array_get(b, b_i)));
}

gboolean nn_infer_unary(NnNode *node, GError **error)
{
    const Row *row = find_row(unary_rows, node);
    const NnValue *x;

    if (!nn_check_arity(node, 1, 1, 1, error) || !nn_check_type(node, 0, row->types, error))
        return FALSE;
    x = nn_node_input(node, 0);
    return nn_set_output(node, 0, row->is_truth ? NN_BOOL : x->type, x->rank, x->dims, error);
}

gboolean nn_reference_unary(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                            GError **error)
{
    const Row *row = find_row(unary_rows, node);
    Context c = read_context(row, node, in[0]->type);

    for (gsize i = 0; i < out[0]->n; i++)
        apply(row, &c, out[0], i, in[0], i, in[0], i);
    return TRUE;
}

/* Before opset 7 an operand was broadcast only on demand; after, always and by numpy's rules. PRelu
 * broadcasts its slope alone, and Pow's exponent may be of another type (opset 12). */
gboolean nn_infer_binary(NnNode *node, GError **error)
{
    const Row *row = find_row(binary_rows, node);
    gboolean is_pow = g_str_equal(node->type, "Pow");
    const NnValue *x;
    gint64 dims[NN_MAX_RANK];
    int rank;

    if (!nn_check_arity(node, 2, 2, 1, error) || !nn_check_type(node, 0, row->types, error) ||
        !nn_check_type(node, 1, row->types, error) ||
        (!is_pow && !nn_check_same_type(node, 1, error)) ||
        !nn_broadcast_inputs(node, 0, &rank, dims, error))
        return FALSE;
    x = nn_node_input(node, 0);
    if (g_str_equal(node->type, "PRelu") && !nn_check_dims(node, 0, rank, dims, error))
        return FALSE;
    return nn_set_output(node, 0, row->is_truth ? NN_BOOL : x->type, rank, dims, error);
}

gboolean nn_reference_binary(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                             GError **error)
{
    const Row *row = find_row(binary_rows, node);
    Context c = read_context(row, node, in[0]->type);
    NnWalk walk;

    nn_walk_init(&walk, out[0]->rank, out[0]->dims);
    nn_walk_broadcast(&walk, in[0]);
    nn_walk_broadcast(&walk, in[1]);
    for (gsize i = 0; i < out[0]->n; i++, nn_walk_next(&walk))
        apply(row, &c, out[0], i, in[0], walk.offset[0], in[1], walk.offset[1]);
    return TRUE;
}

/* ---- any number of operands */

gboolean nn_infer_variadic(NnNode *node, GError **error)
{
    const Row *row = find_row(variadic_rows, node);
    gint64 dims[NN_MAX_RANK];
    int rank;

    if (!nn_check_arity(node, MAX(node->inputs->len, 1), G_MAXUINT, 1, error) ||
        !nn_check_type(node, 0, row->types, error))
        return FALSE;
    for (guint i = 1; i < node->inputs->len; i++)
        if (!nn_check_same_type(node, i, error))
            return FALSE;
    if (!nn_broadcast_inputs(node, 0, &rank, dims, error))
        return FALSE;
    return nn_set_output(node, 0, nn_node_input(node, 0)->type, rank, dims, error);
}

gboolean nn_reference_variadic(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                               GError **error)
{
    const Row *row = find_row(variadic_rows, node);
    Context c = read_context(row, node, in[0]->type);
    guint n = node->inputs->len;
    NnWalk walk;

    for (guint k = 0; k < n; k++) {
        nn_walk_init(&walk, out[0]->rank, out[0]->dims);
        nn_walk_broadcast(&walk, in[k]);
        for (gsize i = 0; i < out[0]->n; i++, nn_walk_next(&walk))
            if (k == 0)
                nn_copy_element(out[0], i, in[0], walk.offset[0]);
            else
                apply(row, &c, out[0], i, out[0], i, in[k], walk.offset[0]);
    }
    if (g_str_equal(node->type, "Mean"))
        for (gsize i = 0; i < out[0]->n; i++)
            nn_array_set(out[0], i, nn_array_get(out[0], i) / n);
    return TRUE;
}

/* ---- Where, Clip, Cast */

gboolean nn_infer_where(NnNode *node, GError **error)
{
    gint64 dims[NN_MAX_RANK];
    int rank;

    if (!nn_check_arity(node, 3, 3, 1, error) ||
        !nn_check_type(node, 0, NN_TYPE_BIT(NN_BOOL), error) ||
        !nn_broadcast_inputs(node, 0, &rank, dims, error))
        return FALSE;
    if (nn_node_input(node, 1)->type != nn_node_input(node, 2)->type)
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "inputs 1 and 2 differ in type");
    return nn_set_output(node, 0, nn_node_input(node, 1)->type, rank, dims, error);
}

gboolean nn_reference_where(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                            GError **error)
{
    NnWalk walk;

    nn_walk_init(&walk, out[0]->rank, out[0]->dims);
    for (int k = 0; k < 3; k++)
        nn_walk_broadcast(&walk, in[k]);
    for (gsize i = 0; i < out[0]->n; i++, nn_walk_next(&walk)) {
        int k = nn_array_get_int(in[0], walk.offset[0]) ? 1 : 2;

        nn_copy_element(out[0], i, in[k], walk.offset[k]);
    }
    return TRUE;
}

/* Limits are attributes before opset 11 and optional scalar inputs since. */
gboolean nn_infer_clip(NnNode *node, GError **error)
{
    if (!nn_check_arity(node, 1, node->opset < 11 ? 1 : 3, 1, error) ||
        !nn_check_type(node, 0, NN_TYPES_NUMBER, error))
        return FALSE;
    for (guint i = 1; i < 3; i++) {
        const NnValue *limit = nn_node_input(node, i);
        gsize n;

        if (!nn_check_same_type(node, i, error))
            return FALSE;
        if (limit && (!nn_dims_count(limit->rank, limit->dims, &n) || n != 1))
            return nn_node_error(node, error, NN_ERROR_SHAPE, "input %u is not one number", i);
    }
    return nn_set_output_as_input(node, error);
}

/* The upper limit wins where they are crossed. */
gboolean nn_reference_clip(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                           GError **error)
{
    const NnArray *low = nn_optional(node, in, 1), *high = nn_optional(node, in, 2);
    Context c = { .wide = in[0]->type == NN_UINT64 };
    gboolean is_float = nn_type_is_float(in[0]->type);
    double f_low = low ? nn_array_get(low, 0) : nn_node_float(node, "min", -FLT_MAX);
    double f_high = high ? nn_array_get(high, 0) : nn_node_float(node, "max", FLT_MAX);

    for (gsize i = 0; i < out[0]->n; i++) {
        if (is_float) {
            double x = nn_array_get(in[0], i);

            x = low || node->opset < 11 ? f_max(&c, x, f_low) : x;
            nn_array_set(out[0], i, high || node->opset < 11 ? f_min(&c, x, f_high) : x);
        } else {
            gint64 x = nn_array_get_int(in[0], i);

            x = low ? i_max(&c, x, nn_array_get_int(low, 0)) : x;
            nn_array_set_int(out[0], i, high ? i_min(&c, x, nn_array_get_int(high, 0)) : x);
        }
    }
    return TRUE;
}

gboolean nn_infer_cast(NnNode *node, GError **error)
{
    gboolean like = g_str_equal(node->type, "CastLike");
    const NnValue *x;
    gint64 to;

    if (!nn_check_arity(node, like ? 2 : 1, like ? 2 : 1, 1, error))
        return FALSE;
    x = nn_node_input(node, 0);
    to = like ? nn_node_input(node, 1)->type : nn_node_int(node, "to", NN_UNKNOWN);
    if (to < 0 || to > NN_UINT64 || !(NN_TYPES_ALL & NN_TYPE_BIT(to)))
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED,
                             "element type %" G_GINT64_FORMAT " is not supported", to);
    return nn_set_output(node, 0, to, x->rank, x->dims, error);
}

gboolean nn_reference_cast(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                           GError **error)
{
    g_autoptr(NnArray) converted = nn_array_cast(in[0], out[0]->type);

    if (!converted)
        return nn_node_error(node, error, NN_ERROR_TOO_LARGE, "no memory");
    nn_copy_elements(out[0], converted);
    return TRUE;
}
