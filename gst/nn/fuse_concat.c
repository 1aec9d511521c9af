/* fuse_concat.c - passes that let work go past a Concat, to where its parts are computed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuse.h"

#include <string.h>

/* One number per channel of @map, or one for all, that is known or computed. */
static gboolean is_for_channels(const NnValue *numbers, const NnValue *map)
{
    double ignored;

    if (!numbers || numbers == map || numbers->type != map->type)
        return FALSE;
    if (nn_known_number(numbers, &ignored))
        return TRUE;
    const int channel_axis = numbers->rank - (map->rank - 1);
    if (numbers->rank > map->rank || channel_axis < 0 ||
        numbers->dims[channel_axis] != map->dims[1])
        return FALSE;
    for (int i = 0; i < numbers->rank; i++)
        if (i != channel_axis && numbers->dims[i] != 1)
            return FALSE;
    return TRUE;
}

/* Whether a convolution computes @part for the Concat alone and takes what is done to it. */
static gboolean has_conv(const NnValue *part)
{
    const NnNode *node = part ? part->producer : NULL;

    return node && nn_has_single_use(part) && node->post_scale < 0 && node->residual < 0 &&
           node->added < 0 && (nn_is_type(node, "Conv") || nn_is_type(node, "ConvTranspose"));
}

/* Slice of channels first .. first + n - 1 of @numbers. */
static NnValue *slice_of(NnGraph *graph, const NnNode *like, NnValue *numbers, int axis,
                         gint64 first, gint64 n)
{
    NnNode *slice = nn_graph_add_node(graph, "Slice", like->name, 13);
    NnValue *part = nn_graph_value(graph, NULL);
    const gint64 lists[4] = { first, first + n, axis, 1 }, one[1] = { 1 };

    nn_node_add_input(slice, numbers);
    for (int i = 0; i < 4; i++) {
        NnArray *list = nn_array_new(NN_INT64, 1, one);
        nn_array_set_int(list, 0, lists[i]);
        nn_node_add_input(slice, nn_graph_constant(graph, NULL, list));
    }
    nn_node_add_output(slice, part);
    slice->op = nn_operator_find(slice, NULL);
    return slice->op && slice->op->infer(slice, NULL) ? part : NULL;
}

/* The same of a constant. */
static NnValue *part_of_constant(NnGraph *graph, const NnValue *numbers, int axis, gint64 first,
                                 gint64 n)
{
    gint64 dims[NN_MAX_RANK];

    memcpy(dims, numbers->dims, sizeof dims);
    dims[axis] = n;
    NnArray *part = nn_array_new(numbers->type, numbers->rank, dims);
    for (gint64 i = 0; part && i < n; i++)
        nn_array_set(part, (gsize)i, nn_array_get(numbers->constant, (gsize)(first + i)));
    return part ? nn_graph_constant(graph, NULL, part) : NULL;
}

static NnValue *numbers_of_part(NnGraph *graph, const NnNode *node, NnValue *numbers,
                                const NnValue *map, gint64 first, gint64 n)
{
    double ignored;

    if (nn_known_number(numbers, &ignored))
        return numbers;
    const int axis = numbers->rank - (map->rank - 1);
    return numbers->constant ? part_of_constant(graph, numbers, axis, first, n)
                             : slice_of(graph, node, numbers, axis, first, n);
}

/* The same operation as @node's on one part alone. */
static NnValue *apply_to_part(NnGraph *graph, const NnNode *node, NnValue *part, NnValue *numbers)
{
    NnNode *copy = nn_graph_add_node(graph, node->type, node->name, node->opset);
    NnValue *result = nn_graph_value(graph, NULL);

    nn_node_add_input(copy, part);
    nn_node_add_input(copy, numbers);
    nn_node_add_output(copy, result);
    copy->op = node->op;
    copy->activation = node->activation;
    nn_value_set(result, part->type, part->rank, part->dims, NULL);
    return result;
}

/* Concat(a, b) + c with a number per channel becomes Concat(a + c1, b + c2), and a product
 * likewise, if a convolution computes one of the parts: there it costs nothing. StyleGAN2's layers
 * are such, as GPEN joins them with the encoder's. */
gboolean nn_pass_through_concat(NnGraph *graph, NnNode *node)
{
    if (!(nn_is_type(node, "Add") || nn_is_type(node, "Mul")) || node->inputs->len != 2 ||
        node->residual >= 0)
        return FALSE;
    const guint i = nn_producer_of_type(nn_node_input(node, 0), "Concat") ? 0 : 1;
    NnValue *whole = nn_node_input(node, i), *numbers = nn_node_input(node, 1 - i);
    NnNode *concat = nn_producer_of_type(whole, "Concat");
    gboolean pays = FALSE;

    if (!concat || !nn_has_single_use(whole) || whole->rank != 4 ||
        nn_node_int(concat, "axis", 1) != 1 || !nn_type_is_float(whole->type) ||
        !is_for_channels(numbers, whole) || !nn_same_shape(whole, nn_node_output(node, 0)))
        return FALSE;
    for (guint k = 0; k < concat->inputs->len; k++)
        pays |= has_conv(nn_node_input(concat, k));
    if (!pays)
        return FALSE;

    const guint n = concat->inputs->len;
    g_autofree NnValue **parts = g_new(NnValue *, n);
    gint64 first = 0;
    for (guint k = 0; k < n; k++) {
        const gint64 channels = nn_node_input(concat, k)->dims[1];
        parts[k] = numbers_of_part(graph, node, numbers, whole, first, channels);
        first += channels;
        if (!parts[k])
            return FALSE;
    }
    if (!nn_bypass(graph, node, nn_node_output(node, 0), whole))
        return FALSE;
    for (guint k = 0; k < n; k++)
        nn_node_set_input(concat, k,
                          apply_to_part(graph, node, nn_node_input(concat, k), parts[k]));
    return TRUE;
}
