/* fuse.c - the passes over an inferred graph: their order, and what they share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuse.h"

#include <string.h>

/* ---------------------------------------------------------------- helpers */

gboolean nn_is_type(const NnNode *node, const char *type)
{
    return strcmp(node->type, type) == 0 && *node->domain == 0;
}

NnNode *nn_producer_of_type(const NnValue *value, const char *type)
{
    return value && value->producer && nn_is_type(value->producer, type) ? value->producer : NULL;
}

gboolean nn_has_single_use(const NnValue *value)
{
    return value->consumers->len == 1 && !value->is_output;
}

gboolean nn_same_shape(const NnValue *a, const NnValue *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) == 0;
}

gboolean nn_known_number(const NnValue *value, double *number)
{
    if (!value || !value->constant || value->constant->n != 1)
        return FALSE;
    *number = nn_array_get(value->constant, 0);
    return TRUE;
}

/* Its inputs are not used by it any more; pruning takes it away. */
static void detach(NnNode *node)
{
    for (guint i = 0; i < node->inputs->len; i++)
        nn_node_set_input(node, i, NULL);
}

static gboolean is_input(const NnGraph *graph, const NnValue *value)
{
    return g_ptr_array_find(graph->inputs, (gpointer)value, NULL);
}

static gboolean can_replace(const NnGraph *graph, const NnValue *out, const NnValue *in)
{
    return !out->is_output || (!in->is_output && !in->constant && !is_input(graph, in));
}

gboolean nn_bypass(NnGraph *graph, NnNode *node, NnValue *out, NnValue *in)
{
    if (!can_replace(graph, out, in))
        return FALSE;
    detach(node);
    nn_value_replace(graph, out, in);
    return TRUE;
}

void nn_retype(NnNode *node, const char *type, int opset, NnValue *input)
{
    g_free(node->type);
    node->type = g_strdup(type);
    node->opset = opset;
    g_ptr_array_set_size(node->attributes, 0);
    detach(node);
    g_ptr_array_set_size(node->inputs, 0);
    nn_node_add_input(node, input);
    node->op = nn_operator_find(node, NULL);
}

static NnAttribute *replace_attribute(NnNode *node, const char *name, NnAttributeKind kind)
{
    const NnAttribute *old = nn_node_attribute(node, name);
    NnAttribute *attribute = nn_attribute_new(name, kind);

    if (old)
        g_ptr_array_remove(node->attributes, (gpointer)old);
    nn_node_add_attribute(node, attribute);
    return attribute;
}

void nn_set_float(NnNode *node, const char *name, float value)
{
    replace_attribute(node, name, NN_ATTRIBUTE_FLOAT)->u.f = value;
}

void nn_set_int(NnNode *node, const char *name, gint64 value)
{
    replace_attribute(node, name, NN_ATTRIBUTE_INT)->u.i = value;
}

void nn_set_string(NnNode *node, const char *name, const char *value)
{
    replace_attribute(node, name, NN_ATTRIBUTE_STRING)->u.s = g_strdup(value);
}

void nn_set_ints(NnNode *node, const char *name, const gint64 *ints, gsize n)
{
    NnAttribute *attribute = replace_attribute(node, name, NN_ATTRIBUTE_INTS);
    attribute->n = n;
    attribute->u.ints = g_memdup2(ints, n * sizeof *ints);
}

void nn_replace_by_slice(NnGraph *graph, NnValue *part, NnValue *whole, gint64 first)
{
    const gint64 one[1] = { 1 }, lists[4] = { first, first + part->dims[1], 1, 1 };
    NnNode *slice = nn_graph_add_node(graph, "Slice", "", 13);
    NnValue *out = nn_graph_value(graph, NULL);

    nn_node_add_input(slice, whole);
    for (int i = 0; i < 4; i++) {
        NnArray *list = nn_array_new(NN_INT64, 1, one);
        nn_array_set_int(list, 0, lists[i]);
        nn_node_add_input(slice, nn_graph_constant(graph, NULL, list));
    }
    nn_node_add_output(slice, out);
    slice->op = nn_operator_find(slice, NULL);
    nn_value_set(out, part->type, part->rank, part->dims, NULL);
    nn_value_replace(graph, part, out);
}

/* ---------------------------------------------------------------- common subexpressions */

static gboolean describe_attribute(GString *key, const NnAttribute *attribute)
{
    g_string_append_printf(key, " %s=", attribute->name);
    switch (attribute->kind) {
    case NN_ATTRIBUTE_INT:
        g_string_append_printf(key, "%" G_GINT64_FORMAT, attribute->u.i);
        return TRUE;
    case NN_ATTRIBUTE_FLOAT:
        g_string_append_printf(key, "%a", attribute->u.f);
        return TRUE;
    case NN_ATTRIBUTE_STRING:
        g_string_append(key, attribute->u.s);
        return TRUE;
    case NN_ATTRIBUTE_INTS:
        for (gsize i = 0; i < attribute->n; i++)
            g_string_append_printf(key, "%" G_GINT64_FORMAT ",", attribute->u.ints[i]);
        return TRUE;
    case NN_ATTRIBUTE_FLOATS:
        for (gsize i = 0; i < attribute->n; i++)
            g_string_append_printf(key, "%a,", attribute->u.floats[i]);
        return TRUE;
    case NN_ATTRIBUTE_ARRAY:
    case NN_ATTRIBUTE_GRAPH:
        break;
    }
    return FALSE;
}

/* A text that two nodes share only if they compute the same; NULL if that cannot be told. */
static char *describe_node(const NnNode *node)
{
    g_autoptr(GString) key = g_string_new(NULL);

    g_string_printf(key, "%s.%s.%d %d %d %d %d %d %d %a %a %u", node->domain, node->type,
                    node->opset, node->in_scale, node->out_scale, node->residual, node->post_scale,
                    node->added, node->activation.type, node->activation.alpha,
                    node->activation.beta, node->outputs->len);
    for (guint i = 0; i < node->inputs->len; i++)
        g_string_append_printf(key, " %p", node->inputs->pdata[i]);
    for (guint i = 0; i < node->attributes->len; i++)
        if (!describe_attribute(key, node->attributes->pdata[i]))
            return NULL;
    return g_strdup(key->str);
}

/* Takes the results of @twin, which computes the same, for those of @node. */
static gboolean reuse_outputs(NnGraph *graph, NnNode *node, const NnNode *twin)
{
    for (guint i = 0; i < node->outputs->len; i++) {
        const NnValue *out = node->outputs->pdata[i], *same = twin->outputs->pdata[i];
        if (out && (!same || !can_replace(graph, out, same)))
            return FALSE;
    }
    detach(node);
    for (guint i = 0; i < node->outputs->len; i++)
        if (node->outputs->pdata[i])
            nn_value_replace(graph, node->outputs->pdata[i], twin->outputs->pdata[i]);
    return TRUE;
}

/* Exporters write the same shape arithmetic, and the same slices, again and again. */
static gboolean share_nodes(NnGraph *graph)
{
    g_autoptr(GHashTable) nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    gboolean changed = FALSE;

    for (guint i = 0; i < graph->nodes->len; i++) {
        NnNode *node = graph->nodes->pdata[i];
        g_autofree char *key = describe_node(node);
        if (!key)
            continue;
        const NnNode *twin = g_hash_table_lookup(nodes, key);
        if (twin)
            changed |= reuse_outputs(graph, node, twin);
        else
            g_hash_table_insert(nodes, g_steal_pointer(&key), node);
    }
    return changed;
}

static guint hash_constant(gconstpointer data)
{
    const NnArray *array = ((const NnValue *)data)->constant;
    const gsize size_b = MIN(array->n * nn_type_size(array->type), 256);
    guint hash = (guint)array->type * 31 + (guint)array->n;

    for (gsize i = 0; i < size_b; i++)
        hash = hash * 33 + ((const guint8 *)array->data)[i];
    return hash;
}

static gboolean same_constant(gconstpointer a, gconstpointer b)
{
    const NnArray *x = ((const NnValue *)a)->constant, *y = ((const NnValue *)b)->constant;

    return x->type == y->type && x->rank == y->rank &&
           memcmp(x->dims, y->dims, sizeof x->dims) == 0 &&
           (x == y || memcmp(x->data, y->data, x->n * nn_type_size(x->type)) == 0);
}

static gboolean share_constants(NnGraph *graph)
{
    g_autoptr(GHashTable) constants = g_hash_table_new(hash_constant, same_constant);
    gboolean changed = FALSE;

    for (guint i = 0; i < graph->values->len; i++) {
        NnValue *value = graph->values->pdata[i];
        if (!value->constant || value->is_output || is_input(graph, value))
            continue;
        NnValue *twin = g_hash_table_lookup(constants, value);
        if (!twin) {
            g_hash_table_add(constants, value);
        } else if (value->consumers->len > 0) {
            nn_value_replace(graph, value, twin);
            changed = TRUE;
        }
    }
    return changed;
}

/* ---------------------------------------------------------------- all passes */

static gboolean run_pass(NnGraph *graph, NnPass pass)
{
    gboolean changed = FALSE;

    for (guint i = 0; i < graph->nodes->len; i++)
        changed |= pass(graph, graph->nodes->pdata[i]);
    return changed;
}

/* One round over everything. What fills weights comes before what fills epilogues, because an
 * epilogue is applied after the weights and would be in their way. */
static gboolean run_passes(NnGraph *graph)
{
    static const NnPass passes[] = {
        nn_pass_identity,
        nn_pass_transpose,
        nn_pass_turned_pad,
        nn_pass_reshape,
        nn_pass_hard_sigmoid,
        nn_pass_hard_swish,
        nn_pass_channels_as_samples,
        nn_pass_output_scale,
        nn_pass_affine_into_conv,
        nn_pass_through_concat,
        nn_pass_arithmetic_into_matmul,
        nn_pass_vector_norm,
        nn_pass_pad,
        nn_pass_residual,
        nn_pass_activation,
        nn_pass_prelu,
    };
    gboolean changed = share_constants(graph) | share_nodes(graph);

    nn_graph_prune(graph);
    for (guint i = 0; i < G_N_ELEMENTS(passes); i++) {
        if (!run_pass(graph, passes[i]))
            continue;
        nn_graph_prune(graph);
        changed = TRUE;
    }
    /* Only for factors that have found no better place. */
    if (!changed)
        changed = run_pass(graph, nn_pass_norm_halves) || run_pass(graph, nn_pass_affine_as_conv) ||
                  run_pass(graph, nn_pass_small_factors) || run_pass(graph, nn_pass_input_scale) ||
                  run_pass(graph, nn_pass_join_matmuls) || run_pass(graph, nn_pass_join_norms) ||
                  run_pass(graph, nn_pass_join_heads) ||
                  run_pass(graph, nn_pass_sigmoid_of_slice) || run_pass(graph, nn_pass_added) ||
                  run_pass(graph, nn_pass_conv_before_resize);
    nn_graph_prune(graph);
    return changed;
}

gboolean nn_graph_optimize(NnGraph *graph, GError **error)
{
    if (!nn_pass_stylegan(graph, error))
        return FALSE;
    /* Every rewrite leaves fewer nodes or inputs, or turns two around for good: this ends. */
    while (run_passes(graph))
        if (!nn_graph_sort(graph, error))
            return FALSE;
    return TRUE;
}
