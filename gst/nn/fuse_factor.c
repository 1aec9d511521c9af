/* fuse_factor.c - a pass that multiplies where the tensors are small.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuse.h"

static gsize count(const NnValue *value)
{
    gsize n;
    return nn_dims_count(value->rank, value->dims, &n) ? n : G_MAXSIZE;
}

/* The other factor of @node, a product of @value with something much smaller; NULL if it is not. */
static NnValue *small_factor(const NnNode *node, const NnValue *value, guint *i)
{
    if (!nn_is_type(node, "Mul") || node->inputs->len != 2)
        return NULL;
    *i = nn_node_input(node, 0) == value ? 1 : 0;
    NnValue *factor = nn_node_input(node, *i);
    return factor && factor != value && !factor->constant && factor->type == value->type &&
                   nn_same_shape(value, nn_node_output(node, 0)) &&
                   count(factor) <= count(value) / 4
               ? factor
               : NULL;
}

static NnValue *multiply(NnGraph *graph, const NnNode *like, NnValue *factor, NnValue *number)
{
    NnNode *node = nn_graph_add_node(graph, "Mul", like->name, like->opset);
    NnValue *product = nn_graph_value(graph, NULL);

    nn_node_add_input(node, factor);
    nn_node_add_input(node, number);
    nn_node_add_output(node, product);
    node->op = like->op;
    nn_value_set(product, factor->type, factor->rank, factor->dims, NULL);
    return product;
}

/* (x * number) * factor, everywhere that x * number is used, becomes x * (factor * number): as in
 * StyleGAN2, whose maps are scaled by the square root of 2 and then by styles, one per channel. */
gboolean nn_pass_small_factors(NnGraph *graph, NnNode *node)
{
    NnValue *y = nn_node_output(node, 0);
    double ignored;
    guint k, i;

    if (!nn_is_type(node, "Mul") || node->inputs->len != 2 || y->is_output ||
        y->consumers->len == 0 || node->activation.type != NN_ACT_NONE)
        return FALSE;
    k = nn_known_number(nn_node_input(node, 0), &ignored) ? 0 : 1;
    NnValue *number = nn_node_input(node, k), *x = nn_node_input(node, 1 - k);
    if (!x || !nn_known_number(number, &ignored) || !nn_same_shape(x, y))
        return FALSE;
    for (guint c = 0; c < y->consumers->len; c++) {
        const NnValue *factor = small_factor(y->consumers->pdata[c], y, &i);
        if (!factor || number->rank > factor->rank)
            return FALSE;
    }
    while (y->consumers->len > 0) {
        NnNode *user = y->consumers->pdata[0];
        NnValue *factor = small_factor(user, y, &i);
        nn_node_set_input(user, i, multiply(graph, node, factor, number));
        nn_node_set_input(user, 1 - i, x);
    }
    return TRUE;
}
