/* test-operators.c - what operators mean, in the cases of operator-cases.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <math.h>
#include <string.h>

#include "operator-cases.h"

static void check_array(const NnArray *got, const char *text)
{
    g_autoptr(NnArray) want = case_array(text);

    g_assert_cmpint(got->type, ==, want->type);
    g_assert_cmpint(got->rank, ==, want->rank);
    for (int i = 0; i < got->rank; i++)
        g_assert_cmpint(got->dims[i], ==, want->dims[i]);
    for (gsize i = 0; i < got->n; i++) {
        double a = nn_array_get(got, i), b = nn_array_get(want, i);

        if (!(isnan(a) && isnan(b)))
            g_assert_cmpfloat_with_epsilon(a, b, 1e-6 * MAX(fabs(b), 1));
    }
}

/* A bad node is turned away by its row, its shape inference or, for indices, its reference. */
static gboolean evaluate(NnNode *node, NnArray **out, GError **error)
{
    const NnArray *in[CASE_TENSORS] = { NULL };

    for (guint i = 0; i < node->inputs->len; i++)
        in[i] = nn_node_input(node, i) ? nn_node_input(node, i)->constant : NULL;
    node->op = nn_operator_find(node, error);
    return node->op && node->op->infer(node, error) && nn_node_evaluate(node, in, out, error);
}

static void test_case(gconstpointer data)
{
    const Case *c = data;
    g_autoptr(NnGraph) graph = nn_graph_new();
    NnNode *node = case_node(graph, c);
    NnArray *out[CASE_TENSORS] = { NULL };
    g_autoptr(GError) error = NULL;
    gboolean done = evaluate(node, out, &error);

    if (!c->out[0]) {
        g_assert_false(done);
        g_assert_nonnull(error);
        g_assert_nonnull(strstr(error->message, c->type));
        return;
    }
    g_assert_no_error(error);
    g_assert_true(done);
    for (guint i = 0; i < node->outputs->len; i++) {
        check_array(out[i], c->out[i]);
        nn_array_unref(out[i]);
    }
}

/* What shape inference and the plan rely on. */
static void test_rows(void)
{
    for (const NnOperator *op = nn_operators; op->type; op++) {
        g_test_message("%s", op->type);
        g_assert_true(op->infer && op->reference);
        g_assert_true(op->since >= 7 && op->since <= op->until && op->until <= 21);
        g_assert_true((op->launch == NULL) == ((op->flags & NN_OP_HOST_ONLY) != 0));
        for (const NnOperator *other = nn_operators; other < op; other++)
            g_assert_false(g_str_equal(op->type, other->type) && op->since <= other->until &&
                           other->since <= op->until);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/operators/every row is complete and the only one for its opsets", test_rows);
    for (gsize i = 0; cases[i].name; i++) {
        g_autofree char *path = g_strdup_printf("/operators/%s", cases[i].name);

        g_test_add_data_func(path, &cases[i], test_case);
    }
    return g_test_run();
}
