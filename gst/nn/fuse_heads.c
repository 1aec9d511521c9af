/* fuse_heads.c - passes that compute the narrow outputs of one map together.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Detectors end in several convolutions of the same map, one for scores, one for boxes, one for
 * landmarks, each of so few channels that vectors and launches are mostly empty. Side by side they
 * are one convolution, of which each result is a slice. Networks may be written so from the first.
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
           node->post_scale < 0 && node->residual < 0 && node->added < 0 &&
           is_known(nn_node_input(node, 1)) &&
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

/* ---------------------------------------------------------------- a sigmoid of a slice */

/* Files decide how long a chain of movements is. */
#define MAX_MOVEMENTS 16

/* The slice that @value is, at most moved since; @which: of its outputs. */
static NnNode *slice_behind(NnValue *value, guint *which)
{
    static const char *const moves[] = { "Reshape",   "Flatten",   "Squeeze",
                                         "Unsqueeze", "Transpose", NULL };
    for (guint i = 0; i < MAX_MOVEMENTS && value && value->producer; i++) {
        NnNode *node = value->producer;
        if (!nn_has_single_use(value) || *node->domain != 0)
            return NULL;
        if (nn_is_type(node, "Slice") || nn_is_type(node, "Split"))
            return g_ptr_array_find(node->outputs, value, which) ? node : NULL;
        if (!g_strv_contains(moves, node->type))
            return NULL;
        value = nn_node_input(node, 0);
    }
    return NULL;
}

/* Elements first .. first + n - 1 of one axis. */
typedef struct {
    int axis;
    gint64 first, n;
} Part;

/* What output @which of @node is of its input, if it is a part of one axis. */
static gboolean find_part(const NnNode *node, guint which, Part *part)
{
    const NnValue *whole = nn_node_input(node, 0);
    NnSliceParams params;
    if (!(nn_is_type(node, "Slice") || nn_is_type(node, "Split")) ||
        !nn_slice_params(node, which, &params, NULL))
        return FALSE;
    part->axis = -1;
    for (int i = 0; i < whole->rank; i++) {
        if (params.step[i] != 1 || (part->axis >= 0 && params.count[i] != whole->dims[i]))
            return FALSE;
        if (params.count[i] != whole->dims[i])
            *part = (Part){ i, params.start[i], params.count[i] };
    }
    return part->axis >= 0;
}

/* Whether output @which of @slice alone sees that part of @whole. */
static gboolean is_private(const NnValue *whole, const NnNode *slice, guint which, const Part *part)
{
    for (guint i = 0; i < whole->consumers->len; i++) {
        const NnNode *user = whole->consumers->pdata[i];
        for (guint k = 0; k < user->outputs->len; k++) {
            Part other;
            if ((user == slice && k == which) || !nn_node_output(user, k))
                continue;
            if (!find_part(user, k, &other) || nn_node_input(user, 0) != whole ||
                other.axis != part->axis ||
                (other.first < part->first + part->n && part->first < other.first + other.n))
                return FALSE;
        }
    }
    return !whole->is_output;
}

static gint64 elements_before(const NnValue *value, int axis)
{
    gint64 n = 1;
    for (int i = 0; i < axis; i++)
        n *= value->dims[i];
    return n;
}

/* The axis of what @node moves that is axis @axis of its result, -1 if none is. */
static int axis_before(const NnNode *node, int axis)
{
    const NnValue *in = nn_node_input(node, 0), *out = nn_node_output(node, 0);
    int perm[NN_MAX_RANK];
    if (nn_is_type(node, "Transpose"))
        return nn_transpose_perm(node, perm, NULL) ? perm[axis] : -1;
    if (!nn_is_type(node, "Reshape") && !nn_is_type(node, "Flatten"))
        return -1;
    for (int i = 0; i < in->rank; i++)
        if (in->dims[i] == out->dims[axis] && elements_before(in, i) == elements_before(out, axis))
            return i;
    return -1;
}

/* The convolution that can apply a sigmoid to some channels and whose result, at most moved, @value
 * is, if @axis has the channels. */
static NnNode *open_conv(const NnValue *value, int axis)
{
    for (guint i = 0; i < MAX_MOVEMENTS && value && value->producer; i++) {
        NnNode *node = value->producer;
        if (nn_is_type(node, "Conv")) {
            const gboolean some = node->activation.type == NN_ACT_SOME_SIGMOID;
            const gboolean none = node->activation.type == NN_ACT_NONE && node->post_scale < 0;
            return axis == 1 && value->rank == 4 && (some || none) && node->added < 0 &&
                           is_known(nn_node_input(node, 1)) && nn_type_is_float(value->type)
                       ? node
                       : NULL;
        }
        axis = axis_before(node, axis);
        value = nn_node_input(node, 0);
        if (axis < 0 || !nn_has_single_use(value))
            return NULL;
    }
    return NULL;
}

static void add_sigmoid(NnGraph *graph, NnNode *conv, const Part *channels)
{
    const NnValue *map = nn_node_output(conv, 0);
    const NnArray *before =
        conv->post_scale >= 0 ? nn_node_input(conv, (guint)conv->post_scale)->constant : NULL;
    const gint64 dims[4] = { 1, map->dims[1], 1, 1 };
    NnArray *which = nn_array_new(map->type, 4, dims);
    for (gint64 c = 0; c < dims[1]; c++) {
        const gboolean here = c >= channels->first && c < channels->first + channels->n;
        nn_array_set(which, (gsize)c, here || (before && nn_array_get(before, (gsize)c) != 0));
    }
    NnValue *value = nn_graph_constant(graph, NULL, which);
    if (before) {
        nn_node_set_input(conv, (guint)conv->post_scale, value);
        return;
    }
    while (conv->inputs->len < 3) /* those of its own */
        nn_node_add_input(conv, NULL);
    conv->activation = (NnActivation){ .type = NN_ACT_SOME_SIGMOID };
    conv->post_scale = (int)conv->inputs->len;
    nn_node_add_input(conv, value);
}

gboolean nn_pass_sigmoid_of_slice(NnGraph *graph, NnNode *node)
{
    NnValue *in = nn_node_input(node, 0);
    guint which;
    Part channels;
    if (!nn_is_type(node, "Sigmoid") || node->activation.type != NN_ACT_NONE || node->residual >= 0)
        return FALSE;
    NnNode *slice = slice_behind(in, &which);
    if (!slice || !find_part(slice, which, &channels))
        return FALSE;
    const NnValue *whole = nn_node_input(slice, 0);
    NnNode *conv = open_conv(whole, channels.axis);
    if (!conv || !is_private(whole, slice, which, &channels) ||
        !nn_bypass(graph, node, nn_node_output(node, 0), in))
        return FALSE;
    add_sigmoid(graph, conv, &channels);
    return TRUE;
}
