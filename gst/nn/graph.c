/* graph.c - values, nodes and attributes: building a graph and rewiring it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "graph.h"

#include <math.h>
#include <string.h>

G_DEFINE_QUARK(nn - error - quark, nn_error)

float nn_activate(const NnActivation *activation, float x)
{
    const float alpha = activation->alpha, beta = activation->beta;

    switch (activation->type) {
    case NN_ACT_NONE:
    case NN_ACT_PRELU: /* these know nothing of channels */
    case NN_ACT_SOME_SIGMOID:
    case NN_ACT_FLOOR:
        break;
    case NN_ACT_RELU:
        return x < 0 ? 0 : x;
    case NN_ACT_LEAKY_RELU:
        return x < 0 ? alpha * x : x;
    case NN_ACT_CLIP:
        return x < alpha ? alpha : x > beta ? beta : x;
    case NN_ACT_SIGMOID:
        return 1 / (1 + expf(-x));
    case NN_ACT_TANH:
        return tanhf(x);
    case NN_ACT_HARD_SIGMOID:
        return CLAMP(alpha * x + beta, 0, 1);
    case NN_ACT_HARD_SWISH:
        return x * CLAMP(alpha * x + beta, 0, 1);
    }
    return x;
}

/* ---------------------------------------------------------------- attributes */

NnAttribute *nn_attribute_new(const char *name, NnAttributeKind kind)
{
    NnAttribute *attribute = g_new0(NnAttribute, 1);
    attribute->name = g_strdup(name);
    attribute->kind = kind;
    return attribute;
}

static void attribute_free(gpointer data)
{
    NnAttribute *attribute = data;

    switch (attribute->kind) {
    case NN_ATTRIBUTE_INT:
    case NN_ATTRIBUTE_FLOAT:
        break;
    case NN_ATTRIBUTE_STRING:
        g_free(attribute->u.s);
        break;
    case NN_ATTRIBUTE_INTS:
        g_free(attribute->u.ints);
        break;
    case NN_ATTRIBUTE_FLOATS:
        g_free(attribute->u.floats);
        break;
    case NN_ATTRIBUTE_ARRAY:
        g_clear_pointer(&attribute->u.array, nn_array_unref);
        break;
    case NN_ATTRIBUTE_GRAPH:
        g_clear_pointer(&attribute->u.graph, nn_graph_free);
        break;
    }
    g_free(attribute->name);
    g_free(attribute);
}

static NnAttribute *attribute_copy(const NnAttribute *from)
{
    NnAttribute *to = nn_attribute_new(from->name, from->kind);
    to->n = from->n;

    switch (from->kind) {
    case NN_ATTRIBUTE_INT:
    case NN_ATTRIBUTE_FLOAT:
        to->u = from->u;
        break;
    case NN_ATTRIBUTE_STRING:
        to->u.s = g_strdup(from->u.s);
        break;
    case NN_ATTRIBUTE_INTS:
        to->u.ints = g_memdup2(from->u.ints, from->n * sizeof *from->u.ints);
        break;
    case NN_ATTRIBUTE_FLOATS:
        to->u.floats = g_memdup2(from->u.floats, from->n * sizeof *from->u.floats);
        break;
    case NN_ATTRIBUTE_ARRAY:
        to->u.array = nn_array_ref(from->u.array);
        break;
    case NN_ATTRIBUTE_GRAPH:
        to->u.graph = nn_graph_copy(from->u.graph);
        break;
    }
    return to;
}

void nn_node_add_attribute(NnNode *node, NnAttribute *attribute)
{
    g_ptr_array_add(node->attributes, attribute);
}

const NnAttribute *nn_node_attribute(const NnNode *node, const char *name)
{
    for (guint i = 0; i < node->attributes->len; i++) {
        const NnAttribute *attribute = node->attributes->pdata[i];
        if (strcmp(attribute->name, name) == 0)
            return attribute;
    }
    return NULL;
}

static const NnAttribute *attribute_of_kind(const NnNode *node, const char *name,
                                            NnAttributeKind kind)
{
    const NnAttribute *attribute = nn_node_attribute(node, name);
    return attribute && attribute->kind == kind ? attribute : NULL;
}

gint64 nn_node_int(const NnNode *node, const char *name, gint64 fallback)
{
    const NnAttribute *attribute = attribute_of_kind(node, name, NN_ATTRIBUTE_INT);
    return attribute ? attribute->u.i : fallback;
}

float nn_node_float(const NnNode *node, const char *name, float fallback)
{
    const NnAttribute *attribute = attribute_of_kind(node, name, NN_ATTRIBUTE_FLOAT);
    return attribute ? attribute->u.f : fallback;
}

const char *nn_node_string(const NnNode *node, const char *name, const char *fallback)
{
    const NnAttribute *attribute = attribute_of_kind(node, name, NN_ATTRIBUTE_STRING);
    return attribute ? attribute->u.s : fallback;
}

const gint64 *nn_node_ints(const NnNode *node, const char *name, gsize *n)
{
    const NnAttribute *attribute = attribute_of_kind(node, name, NN_ATTRIBUTE_INTS);
    *n = attribute ? attribute->n : 0;
    return attribute ? attribute->u.ints : NULL;
}

const float *nn_node_floats(const NnNode *node, const char *name, gsize *n)
{
    const NnAttribute *attribute = attribute_of_kind(node, name, NN_ATTRIBUTE_FLOATS);
    *n = attribute ? attribute->n : 0;
    return attribute ? attribute->u.floats : NULL;
}

/* ---------------------------------------------------------------- values */

static NnValue *value_new(const char *name)
{
    NnValue *value = g_new0(NnValue, 1);
    value->name = g_strdup(name ? name : "");
    value->rank = -1;
    value->consumers = g_ptr_array_new();
    return value;
}

static void value_free(gpointer data)
{
    NnValue *value = data;
    g_clear_pointer(&value->constant, nn_array_unref);
    g_ptr_array_unref(value->consumers);
    g_free(value->name);
    g_free(value);
}

NnValue *nn_graph_value(NnGraph *graph, const char *name)
{
    NnValue *value = name ? g_hash_table_lookup(graph->by_name, name) : NULL;
    if (value)
        return value;

    value = value_new(name);
    g_ptr_array_add(graph->values, value);
    if (name)
        g_hash_table_insert(graph->by_name, value->name, value);
    return value;
}

NnValue *nn_graph_constant(NnGraph *graph, const char *name, NnArray *array)
{
    NnValue *value = nn_graph_value(graph, name);

    g_clear_pointer(&value->constant, nn_array_unref);
    value->constant = array;
    value->type = array->type;
    value->rank = array->rank;
    memcpy(value->dims, array->dims, sizeof value->dims);
    return value;
}

gboolean nn_value_set(NnValue *value, NnType type, int rank, const gint64 *dims, GError **error)
{
    gsize n;

    if (rank < 0 || rank > NN_MAX_RANK) {
        g_set_error(error, NN_ERROR, NN_ERROR_SHAPE, "tensor '%s' has %d axes, more than %d",
                    value->name, rank, NN_MAX_RANK);
        return FALSE;
    }
    if (!nn_dims_count(rank, dims, &n) || n > G_MAXSSIZE / sizeof(double)) {
        g_set_error(error, NN_ERROR, NN_ERROR_SHAPE, "tensor '%s' has no possible size",
                    value->name);
        return FALSE;
    }
    value->type = type;
    value->rank = rank;
    for (int i = 0; i < NN_MAX_RANK; i++) /* @dims may be the value's own */
        value->dims[i] = i < rank ? dims[i] : 0;
    return TRUE;
}

NnArray *nn_value_array(const NnValue *value, GError **error)
{
    if (value->rank < 0 || nn_type_size(value->type) == 0) {
        g_set_error(error, NN_ERROR, NN_ERROR_SHAPE, "the shape of tensor '%s' is not known",
                    value->name);
        return NULL;
    }
    NnArray *array = nn_array_new(value->type, value->rank, value->dims);
    if (!array)
        g_set_error(error, NN_ERROR, NN_ERROR_TOO_LARGE, "tensor '%s' does not fit memory",
                    value->name);
    return array;
}

static void rename_value(NnGraph *graph, NnValue *value, char *name)
{
    value->name = name;
    if (*name)
        g_hash_table_replace(graph->by_name, value->name, value);
}

/* The graph's users know outputs by name, so @to answers to @from's from now on. */
static void replace_output(NnGraph *graph, NnValue *from, NnValue *to)
{
    for (guint i = 0; i < graph->outputs->len; i++)
        if (graph->outputs->pdata[i] == from)
            graph->outputs->pdata[i] = to;
    from->is_output = FALSE;
    to->is_output = TRUE;

    char *from_name = from->name, *to_name = to->name;
    rename_value(graph, to, from_name);
    rename_value(graph, from, to_name);
}

void nn_value_replace(NnGraph *graph, NnValue *from, NnValue *to)
{
    for (guint i = 0; i < from->consumers->len; i++) {
        NnNode *node = from->consumers->pdata[i];
        for (guint k = 0; k < node->inputs->len; k++)
            if (node->inputs->pdata[k] == from) {
                node->inputs->pdata[k] = to;
                g_ptr_array_add(to->consumers, node);
            }
    }
    g_ptr_array_set_size(from->consumers, 0);
    if (from->is_output)
        replace_output(graph, from, to);
}

/* ---------------------------------------------------------------- nodes */

static void node_free(gpointer data)
{
    NnNode *node = data;
    g_ptr_array_unref(node->inputs);
    g_ptr_array_unref(node->outputs);
    g_ptr_array_unref(node->attributes);
    g_free(node->name);
    g_free(node->type);
    g_free(node->domain);
    g_free(node);
}

NnNode *nn_graph_add_node(NnGraph *graph, const char *type, const char *name, int opset)
{
    NnNode *node = g_new0(NnNode, 1);
    node->name = g_strdup(name ? name : "");
    node->type = g_strdup(type);
    node->domain = g_strdup("");
    node->opset = opset;
    node->inputs = g_ptr_array_new();
    node->outputs = g_ptr_array_new();
    node->attributes = g_ptr_array_new_with_free_func(attribute_free);
    node->in_scale = node->out_scale = node->residual = node->post_scale = node->added = -1;
    g_ptr_array_add(graph->nodes, node);
    return node;
}

void nn_node_add_input(NnNode *node, NnValue *value)
{
    g_ptr_array_add(node->inputs, value);
    if (value)
        g_ptr_array_add(value->consumers, node);
}

void nn_node_add_output(NnNode *node, NnValue *value)
{
    g_ptr_array_add(node->outputs, value);
    if (value)
        value->producer = node;
}

void nn_node_set_input(NnNode *node, guint i, NnValue *value)
{
    NnValue *old = node->inputs->pdata[i];

    if (old)
        g_ptr_array_remove(old->consumers, node);
    node->inputs->pdata[i] = value;
    if (value)
        g_ptr_array_add(value->consumers, node);
}

NnValue *nn_node_input(const NnNode *node, guint i)
{
    return i < node->inputs->len ? node->inputs->pdata[i] : NULL;
}

gboolean nn_node_is_fused_input(const NnNode *node, guint i)
{
    const gint64 index = i;

    return index == node->in_scale || index == node->out_scale || index == node->residual ||
           index == node->post_scale || index == node->added;
}

NnValue *nn_node_output(const NnNode *node, guint i)
{
    return i < node->outputs->len ? node->outputs->pdata[i] : NULL;
}

gboolean nn_node_error(const NnNode *node, GError **error, NnError code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, NN_ERROR, code, "%s '%s' (opset %d): %s", node->type, node->name,
                node->opset, message);
    return FALSE;
}

/* ---------------------------------------------------------------- graphs */

NnGraph *nn_graph_new(void)
{
    NnGraph *graph = g_new0(NnGraph, 1);
    graph->values = g_ptr_array_new_with_free_func(value_free);
    graph->nodes = g_ptr_array_new_with_free_func(node_free);
    graph->inputs = g_ptr_array_new();
    graph->outputs = g_ptr_array_new();
    graph->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    return graph;
}

void nn_graph_free(NnGraph *graph)
{
    g_hash_table_unref(graph->by_name);
    g_ptr_array_unref(graph->inputs);
    g_ptr_array_unref(graph->outputs);
    g_ptr_array_unref(graph->nodes);
    g_ptr_array_unref(graph->values);
    g_free(graph);
}

static NnValue *copy_value(NnGraph *graph, const NnValue *from)
{
    NnValue *to = nn_graph_value(graph, *from->name ? from->name : NULL);
    to->type = from->type;
    to->rank = from->rank;
    memcpy(to->dims, from->dims, sizeof to->dims);
    to->constant = from->constant ? nn_array_ref(from->constant) : NULL;
    to->is_output = from->is_output;
    return to;
}

NnNode *nn_graph_copy_node(NnGraph *graph, const NnNode *from, GHashTable *values)
{
    NnNode *to = nn_graph_add_node(graph, from->type, from->name, from->opset);

    g_free(to->domain);
    to->domain = g_strdup(from->domain);
    to->op = from->op;
    to->in_scale = from->in_scale;
    to->out_scale = from->out_scale;
    to->residual = from->residual;
    to->post_scale = from->post_scale;
    to->added = from->added;
    to->activation = from->activation;
    for (guint i = 0; i < from->inputs->len; i++)
        nn_node_add_input(to, g_hash_table_lookup(values, from->inputs->pdata[i]));
    for (guint i = 0; i < from->outputs->len; i++)
        nn_node_add_output(to, g_hash_table_lookup(values, from->outputs->pdata[i]));
    for (guint i = 0; i < from->attributes->len; i++)
        nn_node_add_attribute(to, attribute_copy(from->attributes->pdata[i]));
    return to;
}

NnGraph *nn_graph_copy(const NnGraph *graph)
{
    g_autoptr(GHashTable) values = g_hash_table_new(NULL, NULL);
    NnGraph *copy = nn_graph_new();

    for (guint i = 0; i < graph->values->len; i++)
        g_hash_table_insert(values, graph->values->pdata[i],
                            copy_value(copy, graph->values->pdata[i]));
    for (guint i = 0; i < graph->nodes->len; i++)
        nn_graph_copy_node(copy, graph->nodes->pdata[i], values);
    for (guint i = 0; i < graph->inputs->len; i++)
        g_ptr_array_add(copy->inputs, g_hash_table_lookup(values, graph->inputs->pdata[i]));
    for (guint i = 0; i < graph->outputs->len; i++)
        g_ptr_array_add(copy->outputs, g_hash_table_lookup(values, graph->outputs->pdata[i]));
    return copy;
}

void nn_graph_remove_node(NnGraph *graph, NnNode *node)
{
    for (guint i = 0; i < node->inputs->len; i++) {
        NnValue *input = node->inputs->pdata[i];
        if (input)
            g_ptr_array_remove(input->consumers, node);
    }
    for (guint i = 0; i < node->outputs->len; i++) {
        NnValue *output = node->outputs->pdata[i];
        if (output)
            output->producer = NULL;
    }
    g_ptr_array_remove(graph->nodes, node);
}

/* ---------------------------------------------------------------- dead code */

/* Everything that the outputs depend on, nodes and values, by a walk upwards. */
static GHashTable *find_needed(const NnGraph *graph)
{
    GHashTable *needed = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) todo = g_ptr_array_new();

    for (guint i = 0; i < graph->outputs->len; i++)
        g_ptr_array_add(todo, graph->outputs->pdata[i]);
    while (todo->len > 0) {
        NnValue *value = g_ptr_array_steal_index_fast(todo, todo->len - 1);
        if (!value || !g_hash_table_add(needed, value) || value->constant || !value->producer)
            continue;
        if (!g_hash_table_add(needed, value->producer))
            continue;
        for (guint i = 0; i < value->producer->inputs->len; i++)
            g_ptr_array_add(todo, value->producer->inputs->pdata[i]);
    }
    for (guint i = 0; i < graph->inputs->len; i++)
        g_hash_table_add(needed, graph->inputs->pdata[i]);
    return needed;
}

/* Drops the entries of a list that are not needed, keeping the order. */
static void keep_needed(GPtrArray *list, GHashTable *needed)
{
    guint n = 0;

    for (guint i = 0; i < list->len; i++) {
        gpointer kept = list->pdata[i];
        if (!g_hash_table_contains(needed, kept))
            continue;
        list->pdata[i] = list->pdata[n];
        list->pdata[n++] = kept;
    }
    g_ptr_array_set_size(list, n);
}

/* A needed node keeps all its outputs: what an unused one means is the operator's business. */
static void keep_outputs(NnGraph *graph, GHashTable *needed)
{
    for (guint i = 0; i < graph->nodes->len; i++) {
        NnNode *node = graph->nodes->pdata[i];
        for (guint k = 0; g_hash_table_contains(needed, node) && k < node->outputs->len; k++)
            g_hash_table_add(needed, node->outputs->pdata[k]);
    }
}

void nn_graph_prune(NnGraph *graph)
{
    g_autoptr(GHashTable) needed = find_needed(graph);

    keep_outputs(graph, needed);
    for (guint i = 0; i < graph->values->len; i++) {
        NnValue *value = graph->values->pdata[i];
        keep_needed(value->consumers, needed);
        if (value->producer && !g_hash_table_contains(needed, value->producer))
            value->producer = NULL;
        if (*value->name && !g_hash_table_contains(needed, value))
            g_hash_table_remove(graph->by_name, value->name);
    }
    keep_needed(graph->nodes, needed);
    keep_needed(graph->values, needed);
}

/* ---------------------------------------------------------------- order */

typedef enum {
    UNSEEN,
    OPEN, /* on the path that is being walked: meeting it again is a cycle */
    DONE,
} Mark;

typedef struct {
    NnNode *node;
    guint next; /* input to look at */
} Step;

typedef struct {
    GHashTable *marks; /* NnNode* -> Mark */
    GArray *path;      /* Step */
    GPtrArray *sorted; /* NnNode* */
} Sort;

static void sort_enter(Sort *sort, NnNode *node)
{
    const Step step = { node, 0 };
    g_hash_table_insert(sort->marks, node, GINT_TO_POINTER(OPEN));
    g_array_append_val(sort->path, step);
}

/* Puts @node behind everything it needs. A walk with a path of its own, because files decide how
 * deep it goes. */
static gboolean sort_from(Sort *sort, NnNode *node, GError **error)
{
    if (g_hash_table_lookup(sort->marks, node))
        return TRUE;
    sort_enter(sort, node);
    while (sort->path->len > 0) {
        Step *step = &g_array_index(sort->path, Step, sort->path->len - 1);
        if (step->next == step->node->inputs->len) {
            g_hash_table_insert(sort->marks, step->node, GINT_TO_POINTER(DONE));
            g_ptr_array_add(sort->sorted, step->node);
            g_array_set_size(sort->path, sort->path->len - 1);
            continue;
        }
        NnValue *input = step->node->inputs->pdata[step->next++];
        if (!input || !input->producer)
            continue;
        const Mark mark = GPOINTER_TO_INT(g_hash_table_lookup(sort->marks, input->producer));
        if (mark == OPEN)
            return nn_node_error(input->producer, error, NN_ERROR_BAD_MODEL,
                                 "its result is needed to compute it");
        if (mark == UNSEEN)
            sort_enter(sort, input->producer);
    }
    return TRUE;
}

gboolean nn_graph_sort(NnGraph *graph, GError **error)
{
    g_autoptr(GHashTable) marks = g_hash_table_new(NULL, NULL);
    g_autoptr(GArray) path = g_array_new(FALSE, FALSE, sizeof(Step));
    g_autoptr(GPtrArray) sorted = g_ptr_array_sized_new(graph->nodes->len);
    Sort sort = { marks, path, sorted };

    for (guint i = 0; i < graph->nodes->len; i++)
        if (!sort_from(&sort, graph->nodes->pdata[i], error))
            return FALSE;
    for (guint i = 0; i < sorted->len; i++)
        graph->nodes->pdata[i] = sorted->pdata[i];
    return TRUE;
}
