/* fuse_epilogue.c - passes that let an operator finish its result itself: activations, residuals.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuse.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------- activations */

/* The bounds of a Clip, which were attributes before opset 11. */
static gboolean clip_bounds(const NnNode *node, double *low, double *high)
{
    *low = nn_node_float(node, "min", -FLT_MAX);
    *high = nn_node_float(node, "max", FLT_MAX);
    if (node->opset < 11)
        return TRUE;
    *low = -FLT_MAX;
    *high = FLT_MAX;
    return (!nn_node_input(node, 1) || nn_known_number(nn_node_input(node, 1), low)) &&
           (!nn_node_input(node, 2) || nn_known_number(nn_node_input(node, 2), high));
}

/* The activation that @node is; FALSE if it is none. */
static gboolean node_activation(const NnNode *node, NnActivation *activation)
{
    double low, high;

    *activation = (NnActivation){ NN_ACT_NONE, 0, 0 };
    if (nn_is_type(node, "Relu")) {
        activation->type = NN_ACT_RELU;
    } else if (nn_is_type(node, "LeakyRelu")) {
        *activation = (NnActivation){ NN_ACT_LEAKY_RELU, nn_node_float(node, "alpha", 0.01f), 0 };
    } else if (nn_is_type(node, "Clip") && clip_bounds(node, &low, &high) && low <= high) {
        *activation = (NnActivation){ NN_ACT_CLIP, (float)low, (float)high };
    } else if (nn_is_type(node, "Sigmoid")) {
        activation->type = NN_ACT_SIGMOID;
    } else if (nn_is_type(node, "Tanh")) {
        activation->type = NN_ACT_TANH;
    } else if (nn_is_type(node, "HardSigmoid")) {
        *activation = (NnActivation){ NN_ACT_HARD_SIGMOID, nn_node_float(node, "alpha", 0.2f),
                                      nn_node_float(node, "beta", 0.5f) };
    } else if (nn_is_type(node, "HardSwish")) {
        *activation = (NnActivation){ NN_ACT_HARD_SWISH, nn_node_float(node, "alpha", 1.0f / 6),
                                      nn_node_float(node, "beta", 0.5f) };
    }
    return activation->type != NN_ACT_NONE && node->activation.type == NN_ACT_NONE &&
           node->residual < 0;
}

/* The operator that computes @value for its only consumer and can apply an epilogue to it. */
static NnNode *open_epilogue(const NnValue *value)
{
    NnNode *node = value ? value->producer : NULL;

    if (!node || !(node->op->flags & NN_OP_EPILOGUE) || !nn_has_single_use(value) ||
        !nn_type_is_float(value->type) || node->activation.type != NN_ACT_NONE ||
        node->post_scale >= 0 || node->added >= 0)
        return NULL;
    for (guint i = 1; i < node->outputs->len; i++)
        if (nn_node_output(node, i))
            return NULL;
    return node;
}

/* Movements that leave each element what it is and lose none: an activation may come before them.
 */
static gboolean only_moves(const NnNode *node)
{
    static const char *const types[] = { "Concat",       "Reshape",      "Flatten",
                                         "Squeeze",      "Unsqueeze",    "Transpose",
                                         "DepthToSpace", "SpaceToDepth", NULL };
    return *node->domain == 0 && g_strv_contains(types, node->type);
}

/* The inputs of such a node that hold elements. */
static guint n_moved(const NnNode *node)
{
    return nn_is_type(node, "Concat") ? node->inputs->len : 1;
}

/* Files decide how long a chain of movements is; the stack must not. */
#define MAX_MOVEMENTS 16

/* Everything in @value comes, at most moved, from operators that can apply an epilogue. */
static gboolean takes_activation(const NnValue *value, guint levels_left)
{
    if (open_epilogue(value))
        return TRUE;
    const NnNode *node = value ? value->producer : NULL;
    if (!node || levels_left == 0 || !nn_has_single_use(value) || !only_moves(node))
        return FALSE;
    for (guint i = 0; i < n_moved(node); i++)
        if (!takes_activation(nn_node_input(node, i), levels_left - 1))
            return FALSE;
    return TRUE;
}

static void give_activation(const NnValue *value, const NnActivation *activation)
{
    NnNode *node = value->producer;

    if (!only_moves(node)) {
        node->activation = *activation;
        return;
    }
    for (guint i = 0; i < n_moved(node); i++)
        give_activation(nn_node_input(node, i), activation);
}

/* Also through a Concat: the producers of its parts apply it, and nothing is left to compute where
 * they are put together. */
gboolean nn_pass_activation(NnGraph *graph, NnNode *node)
{
    NnValue *in = nn_node_input(node, 0);
    NnActivation activation;

    if (!in || !node_activation(node, &activation) || !takes_activation(in, MAX_MOVEMENTS) ||
        !nn_bypass(graph, node, nn_node_output(node, 0), in))
        return FALSE;
    give_activation(in, &activation);
    return TRUE;
}

/* ---------------------------------------------------------------- x * clamp(a * x + b, 0, 1) */

/* One input of a Mul (or Add) that is a known number, and the other one. */
static NnValue *times_number(const NnNode *node, const char *type, double *number)
{
    if (!nn_is_type(node, type) || node->activation.type != NN_ACT_NONE)
        return NULL;
    for (guint i = 0; i < 2; i++)
        if (nn_known_number(nn_node_input(node, i), number))
            return nn_node_input(node, 1 - i);
    return NULL;
}

/* @node is number * value or value / number: returns value and the factor. */
static NnValue *scaled_value(const NnNode *node, double *factor)
{
    if (nn_is_type(node, "Div") && node->activation.type == NN_ACT_NONE &&
        nn_known_number(nn_node_input(node, 1), factor) && *factor != 0) {
        *factor = 1 / *factor;
        return nn_node_input(node, 0);
    }
    return times_number(node, "Mul", factor);
}

/* @value is clip(x + offset, 0, high): returns x. */
static NnValue *clipped_sum(const NnValue *value, double *offset, double *high)
{
    const NnNode *clip = nn_producer_of_type(value, "Clip");
    double low;

    if (!clip || clip->activation.type != NN_ACT_NONE || !clip_bounds(clip, &low, high) || low != 0)
        return NULL;
    const NnValue *sum = nn_node_input(clip, 0);
    return sum && sum->producer ? times_number(sum->producer, "Add", offset) : NULL;
}

/* Numbers as exporters round them: 6 * 0.16666667. */
static gboolean is_one(double number)
{
    return fabs(number - 1) < 1e-6;
}

static void make_hard(NnNode *node, const char *type, int opset, NnValue *x, double alpha,
                      double beta)
{
    nn_retype(node, type, opset, x);
    nn_set_float(node, "alpha", (float)alpha);
    nn_set_float(node, "beta", (float)beta);
}

/* clip(x + 3, 0, 6) / 6, as MobileNetV3 is written out by exporters that lack the operator. */
gboolean nn_pass_hard_sigmoid(NnGraph *graph, NnNode *node)
{
    double factor, offset, high;
    const NnValue *clipped = scaled_value(node, &factor);
    NnValue *x = clipped_sum(clipped, &offset, &high);

    if (!x || !is_one(high * factor) || !nn_same_shape(x, nn_node_output(node, 0)))
        return FALSE;
    make_hard(node, "HardSigmoid", node->opset, x, factor, offset * factor);
    return TRUE;
}

/* The product of x and a gate that depends on x alone; returns x, and the gate. */
static NnValue *gated_value(const NnNode *mul, guint i, NnValue **gate)
{
    *gate = nn_node_input(mul, 1 - i);
    return nn_is_type(mul, "Mul") && mul->activation.type == NN_ACT_NONE ? nn_node_input(mul, i)
                                                                         : NULL;
}

/* x * HardSigmoid(x). */
static gboolean swish_of_gate(NnNode *node)
{
    for (guint i = 0; i < 2; i++) {
        NnValue *gate, *x = gated_value(node, i, &gate);
        const NnNode *sigmoid = x ? nn_producer_of_type(gate, "HardSigmoid") : NULL;
        if (!sigmoid || nn_node_input(sigmoid, 0) != x || sigmoid->activation.type != NN_ACT_NONE)
            continue;
        make_hard(node, "HardSwish", 14, x, nn_node_float(sigmoid, "alpha", 0.2f),
                  nn_node_float(sigmoid, "beta", 0.5f));
        return TRUE;
    }
    return FALSE;
}

/* (x * clip(x + 3, 0, 6)) / 6. */
static gboolean swish_of_product(NnNode *node)
{
    double factor, offset, high;
    const NnValue *product = scaled_value(node, &factor);
    const NnNode *mul = nn_producer_of_type(product, "Mul");

    if (!mul || !nn_same_shape(product, nn_node_output(node, 0)))
        return FALSE;
    for (guint i = 0; i < 2; i++) {
        NnValue *gate, *x = gated_value(mul, i, &gate);
        if (!x || clipped_sum(gate, &offset, &high) != x || !is_one(high * factor) ||
            !nn_same_shape(x, product))
            continue;
        make_hard(node, "HardSwish", 14, x, factor, offset * factor);
        return TRUE;
    }
    return FALSE;
}

gboolean nn_pass_hard_swish(NnGraph *graph, NnNode *node)
{
    return swish_of_gate(node) || swish_of_product(node);
}

/* ---------------------------------------------------------------- residuals */

/* Inputs that a convolution has of its own; the residual comes behind them. */
#define CONV_INPUTS 3

static gboolean is_conv(const NnNode *node)
{
    return nn_is_type(node, "Conv") || nn_is_type(node, "ConvTranspose");
}

/* Input @i of @add and the other one are maps of the same shape as the sum. */
static gboolean are_alike(const NnNode *add, guint i)
{
    const NnValue *value = nn_node_input(add, i), *other = nn_node_input(add, 1 - i);
    return value && other && !other->constant && nn_same_shape(value, other) &&
           nn_same_shape(value, nn_node_output(add, 0)) && value->type == other->type;
}

/* The convolution behind input @i of @add that takes the other one before its activation. */
static NnNode *residual_conv(const NnNode *add, guint i)
{
    NnNode *conv = open_epilogue(nn_node_input(add, i));
    return conv && is_conv(conv) && conv->residual < 0 && are_alike(add, i) ? conv : NULL;
}

/* The same, which takes it last. On CPUs a Resize can add what it is added to itself. */
static NnNode *adding_conv(const NnNode *add, guint i)
{
    const NnValue *value = nn_node_input(add, i), *other = nn_node_input(add, 1 - i);
    NnNode *conv = value ? value->producer : NULL;
    return conv && is_conv(conv) && nn_has_single_use(value) && conv->added < 0 &&
                   nn_type_is_float(value->type) && are_alike(add, i) &&
                   !nn_producer_of_type(other, "Resize")
               ? conv
               : NULL;
}

/* Where a node stands in the order of running; later is larger. */
static guint position(const NnGraph *graph, const NnNode *node)
{
    guint i = 0;
    g_ptr_array_find(graph->nodes, node, &i);
    return i;
}

/* Gives one of the convolutions @found behind the inputs of @add the other input. Of two the one
 * that runs last takes it; sorting sees to the rest. Its index there, or -1. */
static int give_addend(NnGraph *graph, NnNode *add, NnNode *const found[2], NnNode **conv)
{
    NnNode *second = found[1];
    if (found[0] && second && position(graph, found[0]) > position(graph, second))
        second = NULL;
    const guint i = second ? 1 : 0;
    NnValue *value = nn_node_input(add, i), *other = nn_node_input(add, 1 - i);
    *conv = second ? second : found[0];
    if (!*conv || !nn_bypass(graph, add, nn_node_output(add, 0), value))
        return -1;
    while ((*conv)->inputs->len < CONV_INPUTS)
        nn_node_add_input(*conv, NULL);
    nn_node_add_input(*conv, other);
    return (int)(*conv)->inputs->len - 1;
}

static gboolean is_plain_sum(const NnNode *node)
{
    return nn_is_type(node, "Add") && node->inputs->len == 2 && node->residual < 0 &&
           node->activation.type == NN_ACT_NONE;
}

/* An Add behind a convolution whose other operand is there by then. */
gboolean nn_pass_residual(NnGraph *graph, NnNode *node)
{
    if (!is_plain_sum(node))
        return FALSE;
    NnNode *conv, *const found[2] = { residual_conv(node, 0), residual_conv(node, 1) };
    const int index = give_addend(graph, node, found, &conv);
    if (index >= 0)
        conv->residual = index;
    return index >= 0;
}

/* The same behind its activation, as in the blocks of U2-Net; only for sums that have found no
 * better place, as nothing may follow. */
gboolean nn_pass_added(NnGraph *graph, NnNode *node)
{
    if (!is_plain_sum(node))
        return FALSE;
    NnNode *conv, *const found[2] = { adding_conv(node, 0), adding_conv(node, 1) };
    const int index = give_addend(graph, node, found, &conv);
    if (index >= 0)
        conv->added = index;
    return index >= 0;
}

/* ---------------------------------------------------------------- scales */

/* @scale is computed and has one number for each channel of @map, [1][C][H][W]. */
static gboolean is_channel_scale(const NnValue *scale, const NnValue *map)
{
    if (!scale || scale->constant || scale == map || map->rank != 4 || map->dims[0] != 1 ||
        scale->rank != 4 || scale->type != map->type)
        return FALSE;
    for (int i = 0; i < 4; i++)
        if (scale->dims[i] != (i == 1 ? map->dims[1] : 1))
            return FALSE;
    return TRUE;
}

/* The scale of @mul, a product of its input *i, a map, and a vector of channels. */
static NnValue *channel_scale(const NnNode *mul, guint *i)
{
    if (!nn_is_type(mul, "Mul") || mul->activation.type != NN_ACT_NONE)
        return NULL;
    for (*i = 0; *i < 2; ++*i) {
        const NnValue *map = nn_node_input(mul, *i);
        NnValue *scale = nn_node_input(mul, 1 - *i);
        if (map && is_channel_scale(scale, map) && nn_same_shape(map, nn_node_output(mul, 0)))
            return scale;
    }
    return NULL;
}

/* The convolution with known weights that computes @map for one consumer alone. */
static NnNode *conv_of(const NnValue *map)
{
    NnNode *conv = nn_producer_of_type(map, "Conv");

    if (!conv)
        conv = nn_producer_of_type(map, "ConvTranspose");
    const NnValue *weights = conv ? nn_node_input(conv, 1) : NULL;
    return weights && weights->constant && nn_has_single_use(map) ? conv : NULL;
}

/* Puts @scale behind the inputs of @conv; where it is. */
static int add_scale(NnNode *conv, NnValue *scale)
{
    while (conv->inputs->len < CONV_INPUTS)
        nn_node_add_input(conv, NULL);
    nn_node_add_input(conv, scale);
    return (int)conv->inputs->len - 1;
}

/* A convolution times a computed number per channel, as StyleGAN2's demodulation: its sums are
 * scaled if nothing else has been done with them, and otherwise what they have become. */
gboolean nn_pass_output_scale(NnGraph *graph, NnNode *node)
{
    guint i;
    NnValue *scale = channel_scale(node, &i);
    NnValue *map = scale ? nn_node_input(node, i) : NULL;
    NnNode *conv = map ? conv_of(map) : NULL;

    if (!conv || conv->post_scale >= 0 || conv->added >= 0)
        return FALSE;
    const gboolean plain = conv->activation.type == NN_ACT_NONE && conv->residual < 0 &&
                           !nn_node_input(conv, 2) && conv->out_scale < 0;
    if (!nn_bypass(graph, node, nn_node_output(node, 0), map))
        return FALSE;
    if (plain)
        conv->out_scale = add_scale(conv, scale);
    else
        conv->post_scale = add_scale(conv, scale);
    return TRUE;
}

/* A number per channel times the input of one convolution, as StyleGAN2's modulation. */
gboolean nn_pass_input_scale(NnGraph *graph, NnNode *node)
{
    guint i;
    const NnNode *mul = nn_producer_of_type(nn_node_input(node, 0), "Mul");
    NnValue *scale = mul ? channel_scale(mul, &i) : NULL;
    const NnValue *weights = nn_node_input(node, 1);

    if (!scale || !(nn_is_type(node, "Conv") || nn_is_type(node, "ConvTranspose")) ||
        node->in_scale >= 0 || !weights || !weights->constant ||
        !nn_has_single_use(nn_node_output(mul, 0)) ||
        (nn_node_input(node, 2) && !nn_node_input(node, 2)->constant))
        return FALSE;
    node->in_scale = add_scale(node, scale);
    nn_node_set_input(node, 0, nn_node_input(mul, i));
    return TRUE;
}

/* PRelu with a known slope for each channel. */
gboolean nn_pass_prelu(NnGraph *graph, NnNode *node)
{
    NnValue *map = nn_node_input(node, 0);
    const NnValue *slopes = nn_node_input(node, 1);
    NnNode *conv = nn_is_type(node, "PRelu") && map ? conv_of(map) : NULL;

    if (!conv || !open_epilogue(map) || map->rank != 4 || map->dims[0] != 1 || !slopes ||
        !slopes->constant || slopes->rank < 3 || slopes->dims[slopes->rank - 3] != map->dims[1] ||
        slopes->constant->n != (gsize)map->dims[1] || node->activation.type != NN_ACT_NONE)
        return FALSE;
    const gint64 dims[4] = { 1, map->dims[1], 1, 1 };
    NnArray *values = nn_array_new(map->type, 4, dims);
    for (gsize c = 0; c < values->n; c++)
        nn_array_set(values, c, nn_array_get(slopes->constant, c));
    if (!nn_bypass(graph, node, nn_node_output(node, 0), map)) {
        nn_array_unref(values);
        return FALSE;
    }
    conv->activation.type = NN_ACT_PRELU;
    conv->post_scale = add_scale(conv, nn_graph_constant(graph, NULL, values));
    return TRUE;
}
