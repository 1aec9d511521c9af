/* def_control.c - If: its branch takes its place once the condition is known.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inputs of an If are its condition and then what its branches take from outside: the values
 * without origin of every graph attribute, in their order (onnx.c lists them there).
 */
#include "control.h"

#include <string.h>

gboolean nn_is_if(const NnNode *node)
{
    return strcmp(node->type, "If") == 0 && *node->domain == 0;
}

static const NnGraph *choose_branch(const NnNode *node, GError **error)
{
    const NnValue *condition = nn_node_input(node, 0);

    if (!condition) {
        nn_node_error(node, error, NN_ERROR_BAD_MODEL, "input 0 is missing");
        return NULL;
    }
    if (!condition->constant || condition->constant->n != 1) {
        nn_node_error(node, error, NN_ERROR_UNSUPPORTED,
                      "its condition '%s' is not known before the network runs", condition->name);
        return NULL;
    }
    const char *name = nn_array_get_int(condition->constant, 0) ? "then_branch" : "else_branch";
    const NnAttribute *branch = nn_node_attribute(node, name);
    if (!branch || branch->kind != NN_ATTRIBUTE_GRAPH) {
        nn_node_error(node, error, NN_ERROR_BAD_MODEL, "has no %s", name);
        return NULL;
    }
    if (branch->u.graph->inputs->len > 0 || branch->u.graph->outputs->len < node->outputs->len) {
        nn_node_error(node, error, NN_ERROR_BAD_MODEL, "its %s has %u inputs and %u outputs", name,
                      branch->u.graph->inputs->len, branch->u.graph->outputs->len);
        return NULL;
    }
    return branch->u.graph;
}

/* A value of the branch in the graph around it, under its own name if that is not taken. */
static NnValue *adopt_value(NnGraph *graph, const NnValue *value)
{
    const gboolean named = *value->name && !g_hash_table_contains(graph->by_name, value->name);
    const char *name = named ? value->name : NULL;

    return value->constant ? nn_graph_constant(graph, name, nn_array_ref(value->constant))
                           : nn_graph_value(graph, name);
}

/* Returns what the values of @chosen are in @graph. Walks all branches, because the captured inputs
 * of the other ones have to be counted past. */
static GHashTable *map_values(NnGraph *graph, const NnNode *node, const NnGraph *chosen)
{
    GHashTable *values = g_hash_table_new(NULL, NULL);
    guint captured = 1;

    for (guint i = 0; i < node->attributes->len; i++) {
        const NnAttribute *attribute = node->attributes->pdata[i];
        if (attribute->kind != NN_ATTRIBUTE_GRAPH)
            continue;
        for (guint k = 0; k < attribute->u.graph->values->len; k++) {
            NnValue *value = attribute->u.graph->values->pdata[k];
            const gboolean own = value->producer || value->type != NN_UNKNOWN;
            NnValue *outside = own ? NULL : nn_node_input(node, captured++);
            if (attribute->u.graph == chosen)
                g_hash_table_insert(values, value, own ? adopt_value(graph, value) : outside);
        }
    }
    return values;
}

/* Moves the nodes from @from on to @position, in their order. */
static void move_last_nodes(NnGraph *graph, guint from, guint position)
{
    gpointer *nodes = graph->nodes->pdata;
    const guint n = graph->nodes->len - from;
    g_autofree gpointer *moved = g_memdup2(&nodes[from], n * sizeof *nodes);

    if (n == 0)
        return;
    memmove(&nodes[position + n], &nodes[position], (from - position) * sizeof *nodes);
    memcpy(&nodes[position], moved, n * sizeof *nodes);
}

gboolean nn_inline_if(NnGraph *graph, NnNode *node, GError **error)
{
    const NnGraph *branch = choose_branch(node, error);
    guint position;

    if (!branch || !g_ptr_array_find(graph->nodes, node, &position))
        return FALSE;
    g_autoptr(GHashTable) values = map_values(graph, node, branch);
    const guint from = graph->nodes->len;

    for (guint i = 0; i < branch->nodes->len; i++)
        nn_graph_copy_node(graph, branch->nodes->pdata[i], values);
    for (guint i = 0; i < node->outputs->len; i++) {
        NnValue *output = node->outputs->pdata[i];
        if (!output)
            continue;
        NnNode *identity = nn_graph_add_node(graph, "Identity", node->name, node->opset);
        nn_node_add_input(identity, g_hash_table_lookup(values, branch->outputs->pdata[i]));
        nn_node_add_output(identity, output);
        node->outputs->pdata[i] = NULL; /* keeps its new producer when the node goes */
    }
    nn_graph_remove_node(graph, node);
    move_last_nodes(graph, from - 1, position);
    return TRUE;
}
