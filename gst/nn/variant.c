/* variant.c - which of the ways to run a node is taken: a forced one, a measured one, or by rule.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_util.h"
#include "recorder.h"

#include <string.h>

gboolean nn_variant_always(gconstpointer job)
{
    return TRUE;
}

gboolean nn_variant_never(gconstpointer job)
{
    return FALSE;
}

/* The device runs "NAME:..." with the kernel NAME, or does not. */
static gboolean fits(const NnRecorder *recorder, const NnVariant *variant, gconstpointer job)
{
    if (recorder->left_out) {
        g_autofree char *kernel = g_strndup(variant->name, strcspn(variant->name, ":"));
        if (nn_recorder_leaves_out(recorder, kernel))
            return FALSE;
    }
    return variant->fits(job);
}

static const NnVariant *find_fitting(const NnRecorder *recorder, const NnVariant *table, guint n,
                                     const char *name, gconstpointer job)
{
    for (guint i = 0; i < n; i++)
        if (strcmp(table[i].name, name) == 0)
            return fits(recorder, &table[i], job) ? &table[i] : NULL;
    return NULL;
}

static const NnVariant *first_that_pays(const NnRecorder *recorder, const NnVariant *table, guint n,
                                        gconstpointer job)
{
    for (guint i = 0; i < n; i++)
        if (fits(recorder, &table[i], job) && (!table[i].pays || table[i].pays(job)))
            return &table[i];
    return &table[n - 1];
}

/* ---------------------------------------------------------------- measured choices */

static void describe_view(GString *text, const NnView *view)
{
    for (int i = 0; view && i < view->rank; i++)
        g_string_append_printf(text, ",%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT, view->dims[i],
                               view->strides[i]);
    g_string_append_printf(text, " t%d;", view ? (int)view->type : -1);
}

static void describe_attribute(GString *text, const NnAttribute *attribute)
{
    g_string_append_printf(text, "%s=", attribute->name);
    if (attribute->kind == NN_ATTRIBUTE_INT)
        g_string_append_printf(text, "%" G_GINT64_FORMAT, attribute->u.i);
    for (gsize i = 0; attribute->kind == NN_ATTRIBUTE_INTS && i < attribute->n; i++)
        g_string_append_printf(text, "%" G_GINT64_FORMAT ",", attribute->u.ints[i]);
    if (attribute->kind == NN_ATTRIBUTE_STRING)
        g_string_append(text, attribute->u.s);
    g_string_append_c(text, ';');
}

/* "Conv 64x128x128 -> 32x128x128 3x3 #5f3a0c41": the same for all choices that one measurement
 * serves, also in other networks. The digest is of all else that the time depends on: types and
 * strides, attributes, activation, residual, samples at once, which of the node's choices it is,
 * and the number of ways that there are in principle. */
static char *make_key(NnRecorder *recorder, guint n_ways)
{
    const NnNode *node = recorder->node;
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < node->inputs->len; i++)
        describe_view(text, nn_recorder_input(recorder, node, i));
    describe_view(text, nn_recorder_output(recorder, node, 0));
    for (guint i = 0; i < node->attributes->len; i++)
        describe_attribute(text, node->attributes->pdata[i]);
    g_string_append_printf(text, "%d %d %d %u %u %u", node->residual, node->added,
                           (int)node->activation.type, recorder->samples, recorder->node_choices++,
                           n_ways);
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text->str, -1);
    g_autofree char *shape = nn_node_shape(node);
    return g_strdup_printf("%s %s #%.8s", node->type, shape, digest);
}

/* What else could be tried than @rule; not the way that handles everything, which is slow. */
static GPtrArray *list_ways(const NnRecorder *recorder, const NnVariant *table, guint n,
                            const NnVariant *rule, gconstpointer job)
{
    GPtrArray *ways = g_ptr_array_new();
    for (guint i = 0; i < n; i++)
        if (&table[i] != rule && table[i].fits != nn_variant_always &&
            fits(recorder, &table[i], job))
            g_ptr_array_add(ways, (gpointer)table[i].name);
    return ways;
}

/* @rule or what measurements found to be better. */
static const NnVariant *choose_measured(NnRecorder *recorder, const NnVariant *table, guint n,
                                        const NnVariant *rule, gconstpointer job)
{
    NnChoice *choice = g_new0(NnChoice, 1);
    choice->key = make_key(recorder, n);
    choice->rule = rule->name;
    choice->ways = list_ways(recorder, table, n, rule, job);
    recorder->choice = (int)recorder->choices->len;
    g_ptr_array_add(recorder->choices, choice);

    char *const *measured = g_hash_table_lookup(recorder->measured, choice->key);
    if (!measured || !measured[0])
        return rule;
    recorder->way = measured[0];
    const NnVariant *found = find_fitting(recorder, table, n, recorder->way, job);
    recorder->way = found ? found->name : NULL;
    return found ? found : rule;
}

const NnVariant *nn_variant_choose(NnRecorder *recorder, const NnVariant *table, guint n,
                                   gconstpointer job)
{
    recorder->way = NULL;
    recorder->choice = -1;
    const NnVariant *forced =
        recorder->variant ? find_fitting(recorder, table, n, recorder->variant, job) : NULL;
    if (forced)
        return forced;
    const NnVariant *rule = first_that_pays(recorder, table, n, job);
    return recorder->measured ? choose_measured(recorder, table, n, rule, job) : rule;
}
