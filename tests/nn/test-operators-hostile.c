/* test-operators-hostile.c - nodes that make no sense are turned away, and nothing is touched.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every case of operator-cases.c is changed at random again and again, with a liking for extremes.
 * Whatever inference lets pass is computed, if it is small. What the test finds are crashes and
 * loops without end, so it is worth most when built with sanitizers.
 */
#include <string.h>

#include "operator-cases.h"

#define N_NODES 400       /* per case */
#define MAX_ELEMENTS 4096 /* of all tensors of a node that is computed */

#define PICK(list) list[g_rand_int_range(rand, 0, G_N_ELEMENTS(list))]

static gboolean one_in(GRand *rand, int n)
{
    return g_rand_int_range(rand, 0, n) == 0;
}

static gint64 random_int(GRand *rand)
{
    static const gint64 extremes[] = { G_MININT64, G_MAXINT64,     G_MININT32,
                                       G_MAXINT32, G_MAXINT64 / 2, (gint64)1 << 40 };

    return one_in(rand, 4) ? PICK(extremes) : g_rand_int_range(rand, -3, 6);
}

static NnType random_type(GRand *rand)
{
    static const NnType types[] = { NN_FLOAT32, NN_FLOAT16, NN_FLOAT64, NN_INT64,  NN_INT32,
                                    NN_UINT8,   NN_INT8,    NN_BOOL,    NN_UINT64, NN_UINT16 };

    return PICK(types);
}

/* ---------------------------------------------------------------- attributes */

static void change_list(GRand *rand, NnAttribute *attribute)
{
    gsize n = one_in(rand, 3) ? (gsize)g_rand_int_range(rand, 0, 18) : attribute->n;

    attribute->u.ints = g_renew(gint64, attribute->u.ints, MAX(n, 1));
    for (gsize i = 0; i < n; i++)
        if (i >= attribute->n || one_in(rand, 3))
            attribute->u.ints[i] = random_int(rand);
    attribute->n = n;
}

static void change_attribute(GRand *rand, NnAttribute *attribute)
{
    static const char *const strings[] = { "SAME_UPPER", "SAME_LOWER", "VALID",      "linear",
                                           "cubic",      "nearest",    "reflect",    "wrap",
                                           "asymmetric", "ij,jk->ik",  "...i->...",  "ii",
                                           "iiiiiiiii",  "->",         "a...b,c->d", "" };

    switch (attribute->kind) {
    case NN_ATTRIBUTE_INT:
        attribute->u.i = random_int(rand);
        break;
    case NN_ATTRIBUTE_FLOAT:
        attribute->u.f = random_int(rand);
        break;
    case NN_ATTRIBUTE_STRING:
        g_free(attribute->u.s);
        attribute->u.s = g_strdup(PICK(strings));
        break;
    case NN_ATTRIBUTE_INTS:
        change_list(rand, attribute);
        break;
    case NN_ATTRIBUTE_FLOATS:
        for (gsize i = 0; i < attribute->n; i++)
            attribute->u.floats[i] = random_int(rand) / 2.0f;
        break;
    default:
        break;
    }
}

static void add_attribute(GRand *rand, NnNode *node)
{
    static const char *const ints[] = { "axis",     "group",      "keepdims",   "ceil_mode",
                                        "k",        "block_size", "size",       "num_outputs",
                                        "to",       "start",      "batch_dims", "transA",
                                        "transB",   "antialias",  "p",          "storage_order",
                                        "blocksize" };
    static const char *const lists[] = { "strides",      "dilations",      "pads",
                                         "kernel_shape", "axes",           "perm",
                                         "output_shape", "output_padding", "split" };
    gboolean is_list = g_rand_boolean(rand);
    NnAttribute *attribute = nn_attribute_new(is_list ? PICK(lists) : PICK(ints),
                                              is_list ? NN_ATTRIBUTE_INTS : NN_ATTRIBUTE_INT);

    change_attribute(rand, attribute);
    nn_node_add_attribute(node, attribute);
}

/* ---------------------------------------------------------------- inputs */

/* A value that is known to inference by its shape only, which may be of any size. */
static NnValue *shape_without_value(GRand *rand, NnGraph *graph, const NnValue *like)
{
    static const gint64 extremes[] = { 0, G_MAXINT32, G_MAXINT64, (gint64)1 << 40 };
    gint64 dims[NN_MAX_RANK];
    NnValue *value = nn_graph_value(graph, NULL);

    for (int i = 0; i < like->rank; i++)
        dims[i] = one_in(rand, 2) ? PICK(extremes) : like->dims[i];
    return nn_value_set(value, like->type, like->rank, dims, NULL) ? value : NULL;
}

static NnValue *other_constant(GRand *rand, NnGraph *graph, const NnValue *like)
{
    gint64 dims[NN_MAX_RANK];
    int rank = one_in(rand, 4) ? g_rand_int_range(rand, 0, NN_MAX_RANK + 1) : like->rank;
    NnArray *array;

    for (int i = 0; i < rank; i++)
        dims[i] = i < like->rank && !one_in(rand, 4) ? like->dims[i] : g_rand_int_range(rand, 0, 4);
    array = nn_array_new(one_in(rand, 4) ? random_type(rand) : like->type, rank, dims);
    for (gsize i = 0; i < array->n; i++)
        if (i >= like->constant->n || one_in(rand, 3))
            nn_array_set_int(array, i, random_int(rand));
        else
            nn_array_set(array, i, nn_array_get(like->constant, i));
    return nn_graph_constant(graph, NULL, array);
}

static void change_input(GRand *rand, NnGraph *graph, NnNode *node)
{
    guint i = g_rand_int_range(rand, 0, node->inputs->len);
    const NnValue *like = nn_node_input(node, i);

    if (!like || !like->constant)
        return;
    nn_node_set_input(node, i,
                      one_in(rand, 8)   ? NULL
                      : one_in(rand, 6) ? shape_without_value(rand, graph, like)
                                        : other_constant(rand, graph, like));
}

static void change_node(GRand *rand, NnGraph *graph, NnNode *node)
{
    switch (g_rand_int_range(rand, 0, 6)) {
    case 0:
        add_attribute(rand, node);
        break;
    case 1:
        nn_node_add_output(node, nn_graph_value(graph, NULL));
        break;
    case 2:
    case 3:
        if (node->attributes->len > 0)
            change_attribute(
                rand, node->attributes->pdata[g_rand_int_range(rand, 0, node->attributes->len)]);
        break;
    default:
        if (node->inputs->len > 0)
            change_input(rand, graph, node);
    }
}

/* ---------------------------------------------------------------- running it */

/* Adds the elements of all tensors; FALSE if one has no value or no shape. */
static gboolean count_elements(const GPtrArray *values, gboolean need_value, gsize *total)
{
    for (guint i = 0; i < values->len; i++) {
        const NnValue *value = values->pdata[i];
        gsize n;

        if (!value)
            continue;
        if (value->rank < 0 || (need_value && !value->constant) ||
            !nn_dims_count(value->rank, value->dims, &n) || n > MAX_ELEMENTS)
            return FALSE;
        *total += n;
    }
    return *total <= MAX_ELEMENTS;
}

/* TRUE if it was small enough to be computed. */
static gboolean evaluate(const NnNode *node)
{
    g_autofree const NnArray **in = g_new0(const NnArray *, node->inputs->len + 1);
    g_autofree NnArray **out = g_new0(NnArray *, node->outputs->len + 1);
    g_autoptr(GError) error = NULL;
    gsize total = 0;

    if (!count_elements(node->inputs, TRUE, &total) ||
        !count_elements(node->outputs, FALSE, &total))
        return FALSE;
    for (guint i = 0; i < node->inputs->len; i++)
        in[i] = nn_node_input(node, i) ? nn_node_input(node, i)->constant : NULL;
    if (!nn_node_evaluate(node, in, out, &error))
        g_assert_nonnull(error);
    for (guint i = 0; i < node->outputs->len; i++)
        g_clear_pointer(&out[i], nn_array_unref);
    return TRUE;
}

static void test_case(gconstpointer data)
{
    const Case *c = data;
    g_autoptr(GRand) rand = g_rand_new_with_seed(g_str_hash(c->name));
    int n_computed = 0;

    for (int i = 0; i < N_NODES; i++) {
        g_autoptr(NnGraph) graph = nn_graph_new();
        g_autoptr(GError) error = NULL;
        NnNode *node = case_node(graph, c);

        for (int n = g_rand_int_range(rand, 1, 4); n > 0; n--)
            change_node(rand, graph, node);
        node->op = nn_operator_find(node, &error);
        if (node->op && node->op->infer(node, &error))
            n_computed += evaluate(node);
        else
            g_assert_nonnull(error);
    }
    g_test_message("%d of %d nodes made sense and were computed", n_computed, N_NODES);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; cases[i].name; i++) {
        g_autofree char *path = g_strdup_printf("/operators/hostile/%s", cases[i].name);

        g_test_add_data_func(path, &cases[i], test_case);
    }
    return g_test_run();
}
