/* fuse_move.c - passes over nodes that only move elements, or do nothing at all.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuse.h"

#include <string.h>

#include "defs-params.h"

/* ---------------------------------------------------------------- nodes without effect */

static gboolean is_one_of(const NnNode *node, const char *const *types)
{
    return *node->domain == 0 && g_strv_contains(types, node->type);
}

/* Those that are the identity whenever they leave type and shape alone. */
static gboolean is_identity_by_shape(const NnNode *node)
{
    static const char *const types[] = {
        "Identity",  "Dropout", "Cast", "Reshape",      "Flatten",      "Squeeze",
        "Unsqueeze", "Expand",  "Tile", "DepthToSpace", "SpaceToDepth", NULL,
    };
    static const char *const of_one[] = { "Concat", "Sum", "Mean", "Max", "Min", NULL };

    return is_one_of(node, types) || (node->inputs->len == 1 && is_one_of(node, of_one)) ||
           (node->outputs->len == 1 && nn_is_type(node, "Split"));
}

static gboolean slices_everything(const NnNode *node)
{
    NnSliceParams params;

    if (!nn_is_type(node, "Slice") || !nn_slice_params(node, 0, &params, NULL))
        return FALSE;
    for (int i = 0; i < params.rank; i++)
        if (params.start[i] != 0 || (params.step[i] != 1 && params.count[i] > 1))
            return FALSE;
    return TRUE; /* the shape is the same, too */
}

static gboolean pads_nothing(const NnNode *node)
{
    NnPadParams params;

    if (!nn_is_type(node, "Pad") || !nn_pad_params(node, &params, NULL))
        return FALSE;
    for (int i = 0; i < params.rank; i++)
        if (params.before[i] != 0 || params.after[i] != 0)
            return FALSE;
    return TRUE;
}

/* With scale 1 every mode takes the element itself, but for the two that shift it. */
static gboolean resizes_to_same(const NnNode *node)
{
    NnResizeParams params;

    if (!(nn_is_type(node, "Resize") || nn_is_type(node, "Upsample")) ||
        !nn_resize_params(node, &params, NULL) ||
        params.coordinate == NN_COORDINATE_TF_CROP_AND_RESIZE ||
        params.coordinate == NN_COORDINATE_TF_HALF_PIXEL_FOR_NN)
        return FALSE;
    for (int i = 0; i < params.rank; i++)
        if (params.scale[i] != 1 || params.in[i] != params.out[i])
            return FALSE;
    return TRUE;
}

static gboolean transposes_nothing(const NnNode *node)
{
    int perm[NN_MAX_RANK];

    if (!nn_is_type(node, "Transpose") || !nn_transpose_perm(node, perm, NULL))
        return FALSE;
    for (int i = 0; i < nn_node_output(node, 0)->rank; i++)
        if (perm[i] != i)
            return FALSE;
    return TRUE;
}

/* x + 0, x - 0, x * 1, x / 1. */
static gboolean is_neutral_arithmetic(const NnNode *node)
{
    double number;

    if (!nn_known_number(nn_node_input(node, 1), &number))
        return FALSE;
    if (nn_is_type(node, "Add") || nn_is_type(node, "Sub"))
        return number == 0;
    return number == 1 && (nn_is_type(node, "Mul") || nn_is_type(node, "Div"));
}

gboolean nn_pass_identity(NnGraph *graph, NnNode *node)
{
    NnValue *in = nn_node_input(node, 0), *out = nn_node_output(node, 0);

    if (!in || !out || in->type != out->type || !nn_same_shape(in, out) || node->residual >= 0 ||
        node->activation.type != NN_ACT_NONE || (in == out))
        return FALSE;
    if (out->consumers->len == 0 && !out->is_output)
        return FALSE;
    if (!is_identity_by_shape(node) && !slices_everything(node) && !pads_nothing(node) &&
        !resizes_to_same(node) && !transposes_nothing(node) && !is_neutral_arithmetic(node))
        return FALSE;
    return nn_bypass(graph, node, out, in);
}

/* ---------------------------------------------------------------- chains */

/* Two transpositions are one; if they cancel, that one is the identity. */
gboolean nn_pass_transpose(NnGraph *graph, NnNode *node)
{
    NnNode *first = nn_producer_of_type(nn_node_input(node, 0), "Transpose");
    int outer[NN_MAX_RANK], inner[NN_MAX_RANK];
    gint64 perm[NN_MAX_RANK];

    if (!first || !nn_is_type(node, "Transpose") || !nn_node_input(first, 0) ||
        !nn_transpose_perm(node, outer, NULL) || !nn_transpose_perm(first, inner, NULL))
        return FALSE;
    const int rank = nn_node_output(node, 0)->rank;
    for (int i = 0; i < rank; i++)
        perm[i] = inner[outer[i]];
    nn_set_ints(node, "perm", perm, rank);
    nn_node_set_input(node, 0, nn_node_input(first, 0));
    return TRUE;
}

static gboolean is_reshaping(const NnNode *node)
{
    static const char *const types[] = { "Reshape", "Flatten", "Squeeze", "Unsqueeze", NULL };
    return is_one_of(node, types);
}

/* Of several reshapings in a row only the last one's shape counts. */
gboolean nn_pass_reshape(NnGraph *graph, NnNode *node)
{
    const NnValue *in = nn_node_input(node, 0), *out = nn_node_output(node, 0);

    if (!in || !is_reshaping(node) || !in->producer || !is_reshaping(in->producer) ||
        !nn_node_input(in->producer, 0))
        return FALSE;
    /* A 0 in Reshape's input would mean another dim. */
    for (int i = 0; i < out->rank; i++)
        if (out->dims[i] == 0)
            return FALSE;

    const gint64 rank = out->rank;
    NnArray *shape = nn_array_new(NN_INT64, 1, &rank);
    if (!shape)
        return FALSE;
    memcpy(shape->data, out->dims, rank * sizeof *out->dims);
    nn_retype(node, "Reshape", node->opset, nn_node_input(in->producer, 0));
    nn_node_add_input(node, nn_graph_constant(graph, NULL, shape));
    return TRUE;
}

/* The same padding seen through a transposition: axis i is axis perm[i] of @pad's. */
static void make_pad(NnGraph *graph, NnNode *node, const NnNode *pad, const NnPadParams *params,
                     const int *perm, NnArray *amounts, NnValue *x)
{
    NnValue *value = nn_node_input(pad, 2);
    gint64 *list = amounts->data;

    for (int i = 0; i < params->rank; i++) {
        list[i] = params->before[perm[i]];
        list[params->rank + i] = params->after[perm[i]];
    }
    nn_retype(node, "Pad", pad->opset, x);
    nn_set_string(node, "mode", nn_node_string(pad, "mode", "constant"));
    if (pad->opset < 11) {
        nn_set_ints(node, "pads", list, amounts->n);
        nn_set_float(node, "value", nn_node_float(pad, "value", 0));
        nn_array_unref(amounts);
        return;
    }
    nn_node_add_input(node, nn_graph_constant(graph, NULL, amounts));
    if (value)
        nn_node_add_input(node, value);
}

/* A picture that is turned for the sake of a Pad and back again: the axes can be padded as they
 * are. */
gboolean nn_pass_turned_pad(NnGraph *graph, NnNode *node)
{
    const NnNode *pad = nn_producer_of_type(nn_node_input(node, 0), "Pad");
    const NnNode *turn = pad ? nn_producer_of_type(nn_node_input(pad, 0), "Transpose") : NULL;
    int back[NN_MAX_RANK], there[NN_MAX_RANK];
    NnPadParams params;

    if (!turn || !nn_is_type(node, "Transpose") || !nn_node_input(turn, 0) ||
        !nn_transpose_perm(node, back, NULL) || !nn_transpose_perm(turn, there, NULL) ||
        !nn_pad_params(pad, &params, NULL))
        return FALSE;
    for (int i = 0; i < params.rank; i++)
        if (there[back[i]] != i)
            return FALSE;
    NnArray *amounts = nn_array_new(NN_INT64, 1, (gint64[]){ 2 * params.rank });
    if (!amounts)
        return FALSE;
    make_pad(graph, node, pad, &params, back, amounts, nn_node_input(turn, 0));
    return TRUE;
}
