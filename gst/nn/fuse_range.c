/* fuse_range.c - a pass for networks in halves: room for large numbers.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Halves end at 65504, and some networks, mostly those without normalisation, go beyond within.
 * They hardly ever need what is below 2^-14, though. Convolutions with ReLU, sums and what moves
 * elements give half the result for half the input, so that all of it can be stored as SCALE of
 * what it is: biases times SCALE, weights too where maps come that are stored as they are, and by
 * it where such maps leave. Powers of two change nothing but the range.
 */
#include "fuse.h"

#include <string.h>

#include "defs-params.h"

#define SCALE 0.0625 /* networks up to a million; steps of 1e-6 around 0 */

typedef struct {
    NnGraph *graph;
    GHashTable *fixed; /* set of NnValue*: stored as they are */
    gboolean changed;
} Ranges;

static gboolean is_known(const NnValue *value)
{
    return value && value->constant;
}

static gboolean is_fixed(const Ranges *ranges, const NnValue *value)
{
    return g_hash_table_contains(ranges->fixed, value);
}

static void fix(Ranges *ranges, NnValue *value)
{
    if (value && !value->constant && g_hash_table_add(ranges->fixed, value))
        ranges->changed = TRUE;
}

/* ---------------------------------------------------------------- what follows its input */

/* A convolution whose weights and bias are numbers to change; all that is fused into it is added or
 * keeps proportions. */
static gboolean is_linear(const NnNode *node)
{
    const NnActivationType act = node->activation.type;
    const NnValue *bias = nn_node_input(node, 2);
    return (nn_is_type(node, "Conv") || nn_is_type(node, "ConvTranspose")) &&
           is_known(nn_node_input(node, 1)) &&
           (!bias || nn_node_is_fused_input(node, 2) || bias->constant) &&
           (act == NN_ACT_NONE || act == NN_ACT_RELU || act == NN_ACT_LEAKY_RELU ||
            act == NN_ACT_PRELU || act == NN_ACT_FLOOR);
}

/* Elements of inputs come out as they are, or as sums and means of them. */
static gboolean keeps_proportions(const NnNode *node)
{
    static const char *const types[] = {
        "Relu",     "LeakyRelu",         "Add",       "Concat", "MaxPool", "AveragePool", "Resize",
        "Identity", "GlobalAveragePool", "Transpose", "Slice",  "Split",   "Reshape"
    };
    NnResizeParams resize;
    for (guint i = 0; i < G_N_ELEMENTS(types); i++)
        if (nn_is_type(node, types[i]))
            return (node->activation.type == NN_ACT_NONE || node->activation.type == NN_ACT_RELU) &&
                   (!nn_is_type(node, "Resize") ||
                    (nn_resize_params(node, &resize, NULL) &&
                     resize.coordinate != NN_COORDINATE_TF_CROP_AND_RESIZE));
    return FALSE;
}

/* Inputs that must be stored like the output: addends, or all. */
static gboolean goes_with_output(const NnNode *node, guint i)
{
    if (is_linear(node))
        return (gint64)i == node->residual || (gint64)i == node->added;
    return keeps_proportions(node) &&
           (i == 0 || nn_is_type(node, "Add") || nn_is_type(node, "Concat"));
}

/* Inputs of no other operator may be scaled, and outputs of none. */
static void fix_around(Ranges *ranges, NnNode *node)
{
    const gboolean linear = is_linear(node), moves = keeps_proportions(node);
    gboolean any = !linear && !moves;
    for (guint o = 0; o < node->outputs->len; o++)
        any |= nn_node_output(node, o) && is_fixed(ranges, nn_node_output(node, o));
    for (guint i = 0; i < node->inputs->len; i++) {
        const NnValue *in = nn_node_input(node, i);
        any |= in && goes_with_output(node, i) &&
               (is_fixed(ranges, in) || (in->constant && !nn_is_type(node, "Concat")));
    }
    for (guint i = 0; i < node->inputs->len; i++) {
        NnValue *in = nn_node_input(node, i);
        const gboolean convolved = linear && i == 0;
        if (in && !convolved && (any || !goes_with_output(node, i)))
            fix(ranges, in);
    }
    for (guint o = 0; any && o < node->outputs->len; o++)
        fix(ranges, nn_node_output(node, o));
}

static void find_fixed(Ranges *ranges)
{
    const NnGraph *graph = ranges->graph;
    for (guint i = 0; i < graph->inputs->len; i++)
        fix(ranges, graph->inputs->pdata[i]);
    for (guint i = 0; i < graph->outputs->len; i++)
        fix(ranges, graph->outputs->pdata[i]);
    do {
        ranges->changed = FALSE;
        for (guint i = 0; i < graph->nodes->len; i++)
            fix_around(ranges, graph->nodes->pdata[i]);
    } while (ranges->changed);
}

/* ---------------------------------------------------------------- scaling */

static void scale_constant(NnGraph *graph, NnNode *node, guint i, double factor)
{
    const NnArray *from = nn_node_input(node, i)->constant;
    NnArray *to = nn_array_new(NN_FLOAT32, from->rank, from->dims);
    for (gsize e = 0; e < from->n; e++)
        nn_array_set(to, e, factor * nn_array_get(from, e));
    nn_node_set_input(node, i, nn_graph_constant(graph, NULL, to));
}

static void scale_convolution(const Ranges *ranges, NnNode *node)
{
    const NnValue *x = nn_node_input(node, 0);
    const gboolean from = !x->constant && !is_fixed(ranges, x);
    const gboolean to = !is_fixed(ranges, nn_node_output(node, 0));
    if (from != to)
        scale_constant(ranges->graph, node, 1, to ? SCALE : 1 / SCALE);
    if (to && nn_node_input(node, 2) && !nn_node_is_fused_input(node, 2))
        scale_constant(ranges->graph, node, 2, SCALE);
    if (to && node->activation.type == NN_ACT_FLOOR)
        scale_constant(ranges->graph, node, (guint)node->post_scale, SCALE);
}

void nn_graph_make_room(NnGraph *graph)
{
    g_autoptr(GHashTable) fixed = g_hash_table_new(NULL, NULL);
    Ranges ranges = { .graph = graph, .fixed = fixed };
    find_fixed(&ranges);
    for (guint i = 0; i < graph->nodes->len; i++) {
        NnNode *node = graph->nodes->pdata[i];
        if (is_linear(node))
            scale_convolution(&ranges, node);
        else if (nn_is_type(node, "Concat") && !is_fixed(&ranges, nn_node_output(node, 0)))
            for (guint k = 0; k < node->inputs->len; k++)
                if (is_known(nn_node_input(node, k)))
                    scale_constant(graph, node, k, SCALE);
    }
}
