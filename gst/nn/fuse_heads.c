/* fuse_heads.c - a pass that computes the narrow outputs of one map together.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Detectors end in several convolutions of the same map, one for scores, one for boxes, one for
 * landmarks, each of so few channels that vectors and launches are mostly empty. Side by side they
 * are one convolution, of which each result is a slice.
 */
#include "fuse.h"

#include <string.h>

#include "defs-params.h"

/* A convolution of more channels fills vectors by itself. */
#define MAX_CHANNELS 31

/* A convolution and, maybe, one of each of its channels by itself behind it. */
typedef struct {
    NnNode *conv, *windows; /* windows: (nullable) */
    NnConvParams params, window_params;
} Head;

/* ---------------------------------------------------------------- what is a head */

static gboolean is_known(const NnValue *value)
{
    return value && value->constant;
}

/* Only weights and bias, and what follows, tell such convolutions of one map apart. */
static gboolean is_plain(const NnNode *node, NnConvParams *params)
{
    return nn_is_type(node, "Conv") && node->in_scale < 0 && node->out_scale < 0 &&
           node->post_scale < 0 && node->residual < 0 && is_known(nn_node_input(node, 1)) &&
           (!nn_node_input(node, 2) || is_known(nn_node_input(node, 2))) &&
           nn_conv_params(node, params, NULL) && params->n_spatial == 2 && params->batch == 1;
}

/* Nothing computes with @value as it lies in memory: it leaves the network, maybe after it was
 * moved. */
static gboolean leaves(const NnValue *value)
{
    for (guint i = 0; i < value->consumers->len; i++)
        if (!(((NnNode *)value->consumers->pdata[i])->op->flags & NN_OP_VIEW))
            return FALSE;
    return TRUE;
}

static gboolean is_depthwise(const NnConvParams *params)
{
    return params->groups == params->in_channels && params->groups == params->out_channels;
}

static gboolean find_head(NnNode *node, Head *head)
{
    *head = (Head){ .conv = node };
    if (!is_plain(node, &head->params) || head->params.groups != 1 ||
        head->params.out_channels > MAX_CHANNELS)
        return FALSE;
    const NnValue *out = nn_node_output(node, 0);
    NnNode *next = nn_has_single_use(out) ? out->consumers->pdata[0] : NULL;
    if (next && nn_node_input(next, 0) == out && is_plain(next, &head->window_params) &&
        is_depthwise(&head->window_params))
        head->windows = next;
    return leaves(nn_node_output(head->windows ? head->windows : node, 0));
}

static gboolean same_windows(const NnConvParams *a, const NnConvParams *b)
{
    return memcmp(a->kernel, b->kernel, sizeof a->kernel) == 0 &&
           memcmp(a->stride, b->stride, sizeof a->stride) == 0 &&
           memcmp(a->dilation, b->dilation, sizeof a->dilation) == 0 &&
           memcmp(a->pad_begin, b->pad_begin, sizeof a->pad_begin) == 0 &&
           memcmp(a->pad_end, b->pad_end, sizeof a->pad_end) == 0;
}

static gboolean same_activation(const NnActivation *a, const NnActivation *b)
{
    return a->type == b->type && a->alpha == b->alpha && a->beta == b->beta;
}

/* Some channels may go through a sigmoid while others do not. */
static gboolean compatible_activations(const NnActivation *a, const NnActivation *b)
{
    return same_activation(a, b) || ((a->type == NN_ACT_NONE || a->type == NN_ACT_SIGMOID) &&
                                     (b->type == NN_ACT_NONE || b->type == NN_ACT_SIGMOID));
}

static gboolean same_type(const NnNode *a, const NnNode *b)
{
    return nn_node_input(a, 1)->constant->type == nn_node_input(b, 1)->constant->type;
}

static gboolean can_join(const Head *a, const Head *b)
{
    if (!a->windows != !b->windows || !same_windows(&a->params, &b->params) ||
        !same_type(a->conv, b->conv))
        return FALSE;
    if (!a->windows)
        return compatible_activations(&a->conv->activation, &b->conv->activation);
    return same_activation(&a->conv->activation, &b->conv->activation) &&
           same_windows(&a->window_params, &b->window_params) &&
           same_type(a->windows, b->windows) &&
           compatible_activations(&a->windows->activation, &b->windows->activation);
}

static GArray *collect(const NnValue *x, const Head *like)
{
    GArray *heads = g_array_new(FALSE, FALSE, sizeof(Head));
    for (guint i = 0; i < x->consumers->len; i++) {
        Head head;
        if (find_head(x->consumers->pdata[i], &head) && nn_node_input(head.conv, 0) == x &&
            can_join(like, &head))
            g_array_append_val(heads, head);
    }
    return heads;
}

/* ---------------------------------------------------------------- joining */

static const NnNode *part_of(const GArray *heads, guint i, gboolean windows)
{
    const Head *head = &g_array_index(heads, Head, i);
    return windows ? head->windows : head->conv;
}

static gint64 channels_of(const NnNode *node)
{
    return nn_node_input(node, 1)->dims[0];
}

/* The weights of all, one after the other: outputs are their outermost axis. */
static NnArray *join_weights(const GArray *heads, gboolean windows, gint64 channels)
{
    const NnArray *first = nn_node_input(part_of(heads, 0, windows), 1)->constant;
    const gint64 dims[4] = { channels, first->dims[1], first->dims[2], first->dims[3] };
    NnArray *weights = nn_array_new(first->type, 4, dims);
    guint8 *to = weights->data;
    for (guint i = 0; i < heads->len; i++) {
        const NnArray *part = nn_node_input(part_of(heads, i, windows), 1)->constant;
        const gsize size_b = part->n * nn_type_size(part->type);
        memcpy(to, part->data, size_b);
        to += size_b;
    }
    return weights;
}

static NnArray *join_biases(const GArray *heads, gboolean windows, NnType type, gint64 channels)
{
    NnArray *biases = nn_array_new(type, 1, &channels);
    gsize at = 0;
    for (guint i = 0; i < heads->len; i++) {
        const NnNode *part = part_of(heads, i, windows);
        const NnValue *bias = nn_node_input(part, 2);
        for (gint64 k = 0; k < channels_of(part); k++, at++)
            nn_array_set(biases, at, bias ? nn_array_get(bias->constant, (gsize)k) : 0);
    }
    return biases;
}

/* Convolutions @windows or not of all heads as one of @x. @params: of the first. */
static NnNode *join_convs(NnGraph *graph, const GArray *heads, gboolean windows,
                          const NnConvParams *params, NnValue *x, gint64 channels)
{
    const NnNode *first = part_of(heads, 0, windows);
    NnNode *joined = nn_graph_add_node(graph, "Conv", first->name, first->opset);
    NnValue *out = nn_graph_value(graph, NULL);
    const gint64 dims[4] = { 1, channels, params->out[0], params->out[1] };
    const gint64 pads[4] = { params->pad_begin[0], params->pad_begin[1], params->pad_end[0],
                             params->pad_end[1] };
    nn_set_ints(joined, "strides", params->stride, 2);
    nn_set_ints(joined, "dilations", params->dilation, 2);
    nn_set_ints(joined, "pads", pads, 4);
    nn_set_int(joined, "group", windows ? channels : 1);
    nn_value_set(out, nn_node_output(first, 0)->type, 4, dims, NULL);
    NnArray *weights = join_weights(heads, windows, channels);
    const NnType type = weights->type;
    nn_node_add_input(joined, x);
    nn_node_add_input(joined, nn_graph_constant(graph, NULL, weights));
    nn_node_add_input(joined,
                      nn_graph_constant(graph, NULL, join_biases(heads, windows, type, channels)));
    nn_node_add_output(joined, out);
    joined->op = nn_operator_find(joined, NULL);
    joined->activation = first->activation;
    return joined;
}

/* The last activation of all: a sigmoid of some channels where they differ. */
static void join_activations(NnGraph *graph, const GArray *heads, gboolean windows, NnNode *joined)
{
    const gint64 dims[4] = { 1, nn_node_output(joined, 0)->dims[1], 1, 1 };
    gboolean differ = FALSE;
    for (guint i = 1; i < heads->len; i++)
        differ |= !same_activation(&part_of(heads, i, windows)->activation, &joined->activation);
    if (!differ)
        return;
    NnArray *which = nn_array_new(nn_node_output(joined, 0)->type, 4, dims);
    gsize at = 0;
    for (guint i = 0; i < heads->len; i++) {
        const NnNode *part = part_of(heads, i, windows);
        for (gint64 k = 0; k < channels_of(part); k++)
            nn_array_set(which, at++, part->activation.type == NN_ACT_SIGMOID);
    }
    joined->activation = (NnActivation){ .type = NN_ACT_SOME_SIGMOID };
    joined->post_scale = (int)joined->inputs->len;
    nn_node_add_input(joined, nn_graph_constant(graph, NULL, which));
}

gboolean nn_pass_join_heads(NnGraph *graph, NnNode *node)
{
    NnValue *x = nn_node_input(node, 0);
    Head like;
    if (!x || !find_head(node, &like))
        return FALSE;
    g_autoptr(GArray) heads = collect(x, &like);
    if (heads->len < 2)
        return FALSE;

    const gboolean windows = like.windows != NULL;
    gint64 channels = 0;
    for (guint i = 0; i < heads->len; i++)
        channels += channels_of(part_of(heads, i, FALSE));
    NnNode *joined = join_convs(graph, heads, FALSE, &like.params, x, channels);
    if (windows)
        joined = join_convs(graph, heads, TRUE, &like.window_params, nn_node_output(joined, 0),
                            channels);
    join_activations(graph, heads, windows, joined);
    gint64 first = 0;
    for (guint i = 0; i < heads->len; i++) {
        const Head *head = &g_array_index(heads, Head, i);
        NnValue *part = nn_node_output(windows ? head->windows : head->conv, 0);
        nn_replace_by_slice(graph, part, nn_node_output(joined, 0), first);
        nn_node_set_input(head->conv, 0, NULL);
        first += part->dims[1];
    }
    return TRUE;
}
