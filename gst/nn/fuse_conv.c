/* fuse_conv.c - passes that put work into the weights and the padding of convolutions and pools.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuse.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "defs-params.h"

/* ---------------------------------------------------------------- y = scale * x + shift */

/* What a node does to each channel of one of its inputs. */
typedef struct {
    guint input;
    gint64 channels;
    double *scale, *shift; /* [channels] */
} Affine;

static void affine_clear(Affine *affine)
{
    g_free(affine->scale);
    g_free(affine->shift);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Affine, affine_clear)

/* Element of a constant for channel @c; it holds one for all, or one for each. */
static double channel_number(const NnArray *array, gint64 c)
{
    return nn_array_get(array, array->n == 1 ? 0 : (gsize)c);
}

static gboolean bn_affine(const NnNode *node, Affine *affine)
{
    const NnValue *parts[4];

    if (nn_node_int(node, "training_mode", 0) || !nn_node_int(node, "spatial", 1))
        return FALSE;
    for (guint i = 1; i < node->outputs->len; i++)
        if (nn_node_output(node, i))
            return FALSE;
    for (guint i = 0; i < 4; i++) {
        parts[i] = nn_node_input(node, i + 1);
        if (!parts[i] || !parts[i]->constant || parts[i]->constant->n != (gsize)affine->channels)
            return FALSE;
    }
    const double epsilon = nn_node_float(node, "epsilon", 1e-5f);
    for (gint64 c = 0; c < affine->channels; c++) {
        const double deviation = sqrt(nn_array_get(parts[3]->constant, c) + epsilon);
        affine->scale[c] = nn_array_get(parts[0]->constant, c) / deviation;
        affine->shift[c] = nn_array_get(parts[1]->constant, c) -
                           nn_array_get(parts[2]->constant, c) * affine->scale[c];
    }
    return TRUE;
}

/* @constant, broadcast against @x, has one number for all or one for each channel. */
static gboolean is_per_channel(const NnValue *constant, const NnValue *x)
{
    const int channel_axis = constant->rank - (x->rank - 1);

    if (!constant->constant || constant->rank > x->rank)
        return FALSE;
    for (int i = 0; i < constant->rank; i++)
        if (constant->dims[i] != 1 && (i != channel_axis || constant->dims[i] != x->dims[1]))
            return FALSE;
    return TRUE;
}

static gboolean arithmetic_affine(const NnNode *node, Affine *affine)
{
    const NnValue *operand = nn_node_input(node, 1 - affine->input);

    if (node->inputs->len != 2 || !operand ||
        !is_per_channel(operand, nn_node_input(node, affine->input)))
        return FALSE;
    for (gint64 c = 0; c < affine->channels; c++) {
        const double number = channel_number(operand->constant, c);
        affine->scale[c] = 1;
        affine->shift[c] = 0;
        if (nn_is_type(node, "Add")) {
            affine->shift[c] = number;
        } else if (nn_is_type(node, "Mul")) {
            affine->scale[c] = number;
        } else if (nn_is_type(node, "Sub")) {
            affine->scale[c] = affine->input == 0 ? 1 : -1;
            affine->shift[c] = affine->input == 0 ? -number : number;
        } else if (nn_is_type(node, "Div") && affine->input == 0) {
            affine->scale[c] = 1 / number;
        } else {
            return FALSE;
        }
    }
    return TRUE;
}

/* What @node does to the channels of its input @input; FALSE if it is nothing so simple. */
static gboolean node_affine(const NnNode *node, guint input, Affine *affine)
{
    const NnValue *x = nn_node_input(node, input), *y = nn_node_output(node, 0);

    if (!x || !y || x->rank < 2 || !nn_same_shape(x, y) || node->residual >= 0 ||
        !nn_type_is_float(y->type))
        return FALSE;
    affine->input = input;
    affine->channels = x->dims[1];
    affine->scale = g_try_new(double, MAX(affine->channels, 1));
    affine->shift = g_try_new(double, MAX(affine->channels, 1));
    if (!affine->scale || !affine->shift)
        return FALSE;
    return input == 0 && nn_is_type(node, "BatchNormalization") ? bn_affine(node, affine)
                                                                : arithmetic_affine(node, affine);
}

/* ---------------------------------------------------------------- into a convolution's weights */

/* The output channel that element @i of the weights works for. */
static gint64 weight_channel(const NnConvParams *params, const NnArray *weights, gsize i)
{
    if (!params->transposed)
        return (gint64)i / (gint64)(weights->n / (gsize)params->out_channels);
    const gint64 kernel = params->kernel[0] * params->kernel[1] * params->kernel[2];
    const gint64 per_group = params->out_channels / params->groups;
    const gint64 in_channel = (gint64)i / (kernel * per_group);
    const gint64 group = in_channel / (params->in_channels / params->groups);
    return group * per_group + (gint64)i / kernel % per_group;
}

/* NULL if a weight leaves the range of its type. */
static NnArray *scaled_weights(const NnConvParams *params, const NnArray *weights,
                               const double *scale)
{
    g_autoptr(NnArray) scaled = nn_array_new(weights->type, weights->rank, weights->dims);

    for (gsize i = 0; scaled && i < weights->n; i++) {
        const double factor = scale[weight_channel(params, weights, i)];
        nn_array_set(scaled, i, nn_array_get(weights, i) * factor);
        if (!isfinite(nn_array_get(scaled, i)))
            return NULL;
    }
    return g_steal_pointer(&scaled);
}

static NnArray *affine_bias(NnType type, const NnArray *bias, const Affine *affine)
{
    g_autoptr(NnArray) result = nn_array_new(type, 1, &affine->channels);

    for (gint64 c = 0; result && c < affine->channels; c++) {
        const double before = bias ? nn_array_get(bias, c) : 0;
        nn_array_set(result, c, before * affine->scale[c] + affine->shift[c]);
        if (!isfinite(nn_array_get(result, c)))
            return NULL;
    }
    return g_steal_pointer(&result);
}

/* A convolution whose result @node alone uses and whose weights are known. */
static NnNode *foldable_conv(const NnNode *node, guint input)
{
    const NnValue *x = nn_node_input(node, input);
    NnNode *conv = nn_producer_of_type(x, "Conv");

    if (!conv)
        conv = nn_producer_of_type(x, "ConvTranspose");
    if (!conv || !nn_has_single_use(x) || conv->residual >= 0 || conv->post_scale >= 0 ||
        conv->added >= 0)
        return NULL;
    const NnValue *weights = nn_node_input(conv, 1), *bias = nn_node_input(conv, 2);
    return weights && weights->constant && (!bias || bias->constant) ? conv : NULL;
}

/* Whether it is the same before the activation as behind it: a factor is for ReLU and its leaky
 * kin, if it is positive. */
static gboolean commutes(const NnActivation *activation, const Affine *affine)
{
    if (activation->type == NN_ACT_NONE)
        return TRUE;
    if (activation->type != NN_ACT_RELU && activation->type != NN_ACT_LEAKY_RELU)
        return FALSE;
    for (gint64 c = 0; c < affine->channels; c++)
        if (affine->shift[c] != 0 || !(affine->scale[c] > 0))
            return FALSE;
    return TRUE;
}

static gboolean fold_affine(NnGraph *graph, NnNode *node, NnNode *conv, const Affine *affine)
{
    const NnArray *weights = nn_node_input(conv, 1)->constant;
    const NnValue *bias = nn_node_input(conv, 2);
    NnConvParams params;

    if (!nn_conv_params(conv, &params, NULL) || params.out_channels != affine->channels ||
        weights->n == 0 || !commutes(&conv->activation, affine) ||
        (node->activation.type != NN_ACT_NONE && conv->activation.type != NN_ACT_NONE))
        return FALSE;
    g_autoptr(NnArray) new_weights = scaled_weights(&params, weights, affine->scale);
    g_autoptr(NnArray) new_bias = affine_bias(weights->type, bias ? bias->constant : NULL, affine);
    if (!new_weights || !new_bias ||
        !nn_bypass(graph, node, nn_node_output(node, 0), nn_node_output(conv, 0)))
        return FALSE;

    if (node->activation.type != NN_ACT_NONE)
        conv->activation = node->activation;
    nn_node_set_input(conv, 1, nn_graph_constant(graph, NULL, g_steal_pointer(&new_weights)));
    if (conv->inputs->len < 3)
        nn_node_add_input(conv, NULL);
    nn_node_set_input(conv, 2, nn_graph_constant(graph, NULL, g_steal_pointer(&new_bias)));
    return TRUE;
}

/* BatchNormalization and arithmetic with constants behind a convolution are linear, as it is. */
gboolean nn_pass_affine_into_conv(NnGraph *graph, NnNode *node)
{
    for (guint input = 0; input < MIN(node->inputs->len, 2); input++) {
        NnNode *conv = foldable_conv(node, input);
        g_auto(Affine) affine = { 0 };
        if (conv && node_affine(node, input, &affine) && fold_affine(graph, node, conv, &affine))
            return TRUE;
    }
    return FALSE;
}

/* ---------------------------------------------------------------- arithmetic as a convolution */

/* Maps of fewer channels leave most of a vector unused. */
#define MIN_CHANNELS 8

/* Whether @value goes to one node alone that a convolution's epilogue could do. */
static gboolean feeds_epilogue(const NnValue *value)
{
    static const char *const types[] = { "Add",         "Sub",       "Mul",     "Div",
                                         "Relu",        "LeakyRelu", "Sigmoid", "Tanh",
                                         "HardSigmoid", "HardSwish", "Clip",    NULL };
    const NnNode *user = nn_has_single_use(value) ? value->consumers->pdata[0] : NULL;

    return user && *user->domain == 0 && g_strv_contains(types, user->type);
}

/* Whether the node before would become a convolution itself, and then take this one in. */
static gboolean follows_arithmetic(const NnValue *x)
{
    const NnNode *node = x->producer;

    return node && nn_has_single_use(x) &&
           (nn_is_type(node, "Add") || nn_is_type(node, "Sub") || nn_is_type(node, "Mul") ||
            nn_is_type(node, "Div")) &&
           (nn_node_input(node, 0)->constant || nn_node_input(node, 1)->constant);
}

/* Arithmetic with known numbers per channel, and more of that kind or an activation behind it, are
 * one depthwise convolution of 1x1 with its epilogue: one launch for all of it. */
gboolean nn_pass_affine_as_conv(NnGraph *graph, NnNode *node)
{
    for (guint input = 0; input < MIN(node->inputs->len, 2); input++) {
        NnValue *x = nn_node_input(node, input);
        const NnValue *y = nn_node_output(node, 0);
        g_auto(Affine) affine = { 0 };
        if (!x || x->constant || x->rank != 4 || x->dims[0] != 1 || x->dims[1] < MIN_CHANNELS ||
            nn_is_type(node, "BatchNormalization") || foldable_conv(node, input) ||
            follows_arithmetic(x) || !(feeds_epilogue(y) || node->activation.type != NN_ACT_NONE) ||
            !node_affine(node, input, &affine))
            continue;
        const gint64 dims[4] = { affine.channels, 1, 1, 1 };
        NnArray *weights = nn_array_new(x->type, 4, dims), *bias = nn_array_new(x->type, 1, dims);
        for (gint64 c = 0; c < affine.channels; c++) {
            nn_array_set(weights, (gsize)c, affine.scale[c]);
            nn_array_set(bias, (gsize)c, affine.shift[c]);
        }
        nn_retype(node, "Conv", MAX(node->opset, 11), x);
        nn_node_add_input(node, nn_graph_constant(graph, NULL, weights));
        nn_node_add_input(node, nn_graph_constant(graph, NULL, bias));
        nn_set_int(node, "group", affine.channels);
        return TRUE;
    }
    return FALSE;
}

/* ---------------------------------------------------------------- channels as samples */

/* @n copies of @array along a new first axis of its own extent of 1. */
static NnArray *repeated(const NnArray *array, gint64 n)
{
    gint64 dims[NN_MAX_RANK];
    const gsize size_b = array->n * nn_type_size(array->type);

    memcpy(dims, array->dims, sizeof dims);
    dims[0] = n;
    NnArray *copies = nn_array_new(array->type, array->rank, dims);
    for (gint64 i = 0; copies && i < n; i++)
        memcpy((guint8 *)copies->data + (gsize)i * size_b, array->data, size_b);
    return copies;
}

/* @b is @a with the first two axes, of which one has the extent 1, exchanged. */
static gboolean is_exchanged(const NnValue *a, const NnValue *b)
{
    return a->rank == b->rank && a->rank >= 3 && a->dims[0] == 1 && a->dims[0] == b->dims[1] &&
           a->dims[1] == b->dims[0] &&
           memcmp(&a->dims[2], &b->dims[2], (a->rank - 2) * sizeof *a->dims) == 0;
}

/* The convolution of one filter that sees each channel of x as a sample, if @node, a Reshape, makes
 * channels of its samples again. */
static NnNode *filter_per_sample(const NnNode *node, NnValue **x)
{
    const NnValue *result = nn_node_input(node, 0);
    NnNode *conv = nn_producer_of_type(result, "Conv");
    const NnNode *split = conv ? nn_producer_of_type(nn_node_input(conv, 0), "Reshape") : NULL;

    if (!split || !nn_is_type(node, "Reshape") || !nn_has_single_use(result) ||
        conv->residual >= 0 || conv->inputs->len > 2)
        return NULL;
    const NnValue *weights = nn_node_input(conv, 1);
    *x = nn_node_input(split, 0);
    if (!*x || !weights || !weights->constant || weights->dims[0] != 1 || weights->dims[1] != 1 ||
        !is_exchanged(*x, nn_node_input(conv, 0)) || !is_exchanged(nn_node_output(node, 0), result))
        return NULL;
    return conv;
}

/* Exporters write one filter for all channels so; it is a depthwise convolution. */
gboolean nn_pass_channels_as_samples(NnGraph *graph, NnNode *node)
{
    NnValue *x;
    const NnNode *conv = filter_per_sample(node, &x);
    NnConvParams params;
    gint64 pads[2 * NN_MAX_SPATIAL];

    if (!conv || !nn_conv_params(conv, &params, NULL))
        return FALSE;
    NnArray *weights = repeated(nn_node_input(conv, 1)->constant, x->dims[1]);
    if (!weights)
        return FALSE;
    for (int i = 0; i < params.n_spatial; i++) {
        pads[i] = params.pad_begin[i];
        pads[params.n_spatial + i] = params.pad_end[i];
    }
    nn_retype(node, "Conv", conv->opset, x);
    nn_node_add_input(node, nn_graph_constant(graph, NULL, weights));
    nn_set_int(node, "group", x->dims[1]);
    nn_set_ints(node, "strides", params.stride, params.n_spatial);
    nn_set_ints(node, "dilations", params.dilation, params.n_spatial);
    nn_set_ints(node, "pads", pads, 2 * params.n_spatial);
    node->activation = conv->activation;
    return TRUE;
}

/* ---------------------------------------------------------------- padding */

/* The padding of a Pad before @node, if it only puts @value around the picture. */
static gboolean spatial_pad(const NnNode *pad, int n_spatial, NnPadParams *params)
{
    if (!nn_pad_params(pad, params, NULL) || params->mode != NN_PAD_CONSTANT ||
        params->rank != n_spatial + 2)
        return FALSE;
    for (int i = 0; i < params->rank; i++)
        if (params->before[i] < 0 || params->after[i] < 0 ||
            (i < 2 && params->before[i] + params->after[i] > 0))
            return FALSE;
    return TRUE;
}

static void add_pads(NnNode *node, const NnPadParams *pad, int n_spatial, const gint64 *begin,
                     const gint64 *end)
{
    gint64 pads[2 * NN_MAX_SPATIAL];

    for (int i = 0; i < n_spatial; i++) {
        pads[i] = begin[i] + pad->before[2 + i];
        pads[n_spatial + i] = end[i] + pad->after[2 + i];
    }
    nn_set_string(node, "auto_pad", "NOTSET");
    nn_set_ints(node, "pads", pads, 2 * n_spatial);
}

static gboolean pad_into_conv(NnNode *node, const NnNode *pad)
{
    NnConvParams conv;
    NnPadParams params;

    if (!nn_conv_params(node, &conv, NULL) || !spatial_pad(pad, conv.n_spatial, &params) ||
        params.value != 0)
        return FALSE;
    add_pads(node, &params, conv.n_spatial, conv.pad_begin, conv.pad_end);
    return TRUE;
}

/* What an average counts: zeros of a Pad always, a pool's own padding only if it says so. And with
 * ceil_mode a window may reach beyond either, which is not the same. */
static gboolean pad_into_average(NnNode *node, const NnNode *pad)
{
    NnPoolParams pool;
    NnPadParams params;
    gint64 own = 0;

    if (!nn_pool_params(node, &pool, NULL) || !spatial_pad(pad, pool.n_spatial, &params) ||
        params.value != 0 || nn_node_int(node, "ceil_mode", 0))
        return FALSE;
    for (int i = 0; i < pool.n_spatial; i++)
        own += pool.pad_begin[i] + pool.pad_end[i];
    if (own > 0 && !pool.count_include_pad)
        return FALSE;
    add_pads(node, &params, pool.n_spatial, pool.pad_begin, pool.pad_end);
    nn_set_int(node, "count_include_pad", 1);
    return TRUE;
}

/* A maximum ignores its own padding; a Pad's is ignored only if it is below everything. */
static gboolean pad_into_maximum(NnNode *node, const NnNode *pad)
{
    NnPoolParams pool;
    NnPadParams params;

    if (!nn_pool_params(node, &pool, NULL) || !spatial_pad(pad, pool.n_spatial, &params) ||
        params.value > -FLT_MAX || nn_node_int(node, "ceil_mode", 0) || nn_node_output(node, 1))
        return FALSE;
    /* A window of nothing but padding has no maximum of its own. */
    for (int i = 0; i < pool.n_spatial; i++)
        if (pool.pad_begin[i] + params.before[2 + i] >= pool.kernel[i] ||
            pool.pad_end[i] + params.after[2 + i] >= pool.kernel[i])
            return FALSE;
    add_pads(node, &params, pool.n_spatial, pool.pad_begin, pool.pad_end);
    return TRUE;
}

gboolean nn_pass_pad(NnGraph *graph, NnNode *node)
{
    const NnNode *pad = nn_producer_of_type(nn_node_input(node, 0), "Pad");

    if (!pad || !nn_node_input(pad, 0))
        return FALSE;
    if (!(nn_is_type(node, "Conv") && pad_into_conv(node, pad)) &&
        !(nn_is_type(node, "AveragePool") && pad_into_average(node, pad)) &&
        !(nn_is_type(node, "MaxPool") && pad_into_maximum(node, pad)))
        return FALSE;
    nn_node_set_input(node, 0, nn_node_input(pad, 0));
    return TRUE;
}
