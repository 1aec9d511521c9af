/* plan.c - gives every storage a place: liveness over the launches, greedy best fit by size.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The largest storages are placed first, each at the lowest offset where it meets no other storage
 * that is alive at the same time. For networks of our kind this comes within a few percent of the
 * bound that liveness sets.
 */
#include "recorder.h"

void nn_plan_free(NnPlan *plan)
{
    if (!plan)
        return;
    g_array_unref(plan->chunks_b);
    g_free(plan);
}

static void extend(NnStorage *storage, int launch)
{
    storage->first = MIN(storage->first, launch);
    storage->last = MAX(storage->last, launch);
}

static void extend_values(GPtrArray *values, int launch)
{
    for (guint i = 0; i < values->len; i++) {
        const NnView *view = ((NnValue *)values->pdata[i])->storage;
        if (view)
            extend(view->storage, launch);
    }
}

static void find_lifetimes(NnRecorder *recorder, const NnGraph *graph, gboolean keep_inputs)
{
    for (guint i = 0; i < recorder->launches->len; i++) {
        const NnLaunch *launch = recorder->launches->pdata[i];
        for (guint a = 0; a < launch->arguments->len; a++) {
            const NnArgument *argument = &g_array_index(launch->arguments, NnArgument, a);
            if (argument->kind <= NN_ARGUMENT_STRIDED)
                extend(argument->view.storage, (int)i);
        }
    }
    extend_values(graph->inputs, -1);
    extend_values(graph->outputs, (int)recorder->launches->len);
    if (keep_inputs)
        extend_values(graph->inputs, (int)recorder->launches->len);
}

/* How much of @storage there is. */
static gsize whole_size(const NnStorage *storage, guint max_samples)
{
    return storage->size_b * (storage->in_turns ? 1 : max_samples);
}

static void keep(GPtrArray *values)
{
    for (guint i = 0; i < values->len; i++) {
        const NnView *view = ((NnValue *)values->pdata[i])->storage;
        if (view)
            view->storage->in_turns = FALSE;
    }
}

/* Kernels that take no offset know the distance of samples themselves. */
static void keep_buffers(NnRecorder *recorder)
{
    for (guint i = 0; i < recorder->launches->len; i++) {
        const NnLaunch *launch = recorder->launches->pdata[i];
        for (guint a = 0; a < launch->arguments->len; a++) {
            const NnArgument *argument = &g_array_index(launch->arguments, NnArgument, a);
            if (argument->kind == NN_ARGUMENT_BUFFER)
                argument->view.storage->in_turns = FALSE;
        }
    }
}

static void take_turns(NnRecorder *recorder, const NnGraph *graph, GPtrArray *computed)
{
    const int end = (int)recorder->launches->len;
    for (guint i = 0; i < computed->len; i++)
        ((NnStorage *)computed->pdata[i])->in_turns = TRUE;
    keep(graph->inputs);
    keep(graph->outputs);
    keep_buffers(recorder);
    /* Those of one sample lie there while others are computed. */
    extend_values(graph->inputs, end);
    extend_values(graph->outputs, -1);
}

static gint by_size(gconstpointer a, gconstpointer b)
{
    const NnStorage *x = *(NnStorage *const *)a, *y = *(NnStorage *const *)b;
    return x->size_b < y->size_b ? 1 : x->size_b > y->size_b ? -1 : x->first - y->first;
}

static gint by_place(gconstpointer a, gconstpointer b)
{
    const NnStorage *x = *(NnStorage *const *)a, *y = *(NnStorage *const *)b;
    return x->offset_b < y->offset_b ? -1 : x->offset_b > y->offset_b;
}

static gboolean alive_together(const NnStorage *a, const NnStorage *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest free offset of chunk @chunk for @size_b bytes during @storage's life. @placed is
 * sorted by place. */
static gsize find_gap(GPtrArray *placed, const NnStorage *storage, int chunk, gsize size_b,
                      guint max_samples)
{
    gsize offset_b = 0;
    for (guint i = 0; i < placed->len; i++) {
        const NnStorage *other = placed->pdata[i];
        if (other->chunk != chunk || !alive_together(other, storage))
            continue;
        if (other->offset_b >= offset_b + size_b)
            break;
        offset_b = MAX(offset_b, other->offset_b + whole_size(other, max_samples));
    }
    return offset_b;
}

static gboolean place(NnPlan *plan, GPtrArray *placed, NnStorage *storage, guint max_samples,
                      gsize max_chunk_b, GError **error)
{
    const gsize size_b = whole_size(storage, max_samples);
    if (size_b > max_chunk_b) {
        g_set_error(error, NN_ERROR, NN_ERROR_TOO_LARGE,
                    "a tensor of %" G_GSIZE_FORMAT " MiB for %u frames is larger than the device "
                    "allows (%" G_GSIZE_FORMAT " MiB): use a smaller batch or picture",
                    size_b >> 20, max_samples, max_chunk_b >> 20);
        return FALSE;
    }
    for (storage->chunk = 0;; storage->chunk++) {
        if ((guint)storage->chunk == plan->chunks_b->len)
            g_array_set_size(plan->chunks_b, plan->chunks_b->len + 1);
        storage->offset_b = find_gap(placed, storage, storage->chunk, size_b, max_samples);
        if (storage->offset_b + size_b <= max_chunk_b)
            break;
    }
    gsize *chunk_b = &g_array_index(plan->chunks_b, gsize, storage->chunk);
    *chunk_b = MAX(*chunk_b, storage->offset_b + size_b);
    g_ptr_array_add(placed, storage);
    g_ptr_array_sort(placed, by_place);
    return TRUE;
}

static gsize lower_bound(GPtrArray *storages, guint n_launches, guint max_samples)
{
    gsize most_b = 0;
    for (int launch = -1; launch <= (int)n_launches; launch++) {
        gsize alive_b = 0;
        for (guint i = 0; i < storages->len; i++) {
            const NnStorage *storage = storages->pdata[i];
            if (storage->first <= launch && launch <= storage->last)
                alive_b += whole_size(storage, max_samples);
        }
        most_b = MAX(most_b, alive_b);
    }
    return most_b;
}

NnPlan *nn_plan_new(NnRecorder *recorder, const NnGraph *graph, const NnPlanParams *params,
                    GError **error)
{
    const guint max_samples = params->max_samples, n_launches = recorder->launches->len;
    g_autoptr(NnPlan) plan = g_new0(NnPlan, 1);
    plan->chunks_b = g_array_new(FALSE, TRUE, sizeof(gsize));
    find_lifetimes(recorder, graph, params->keep_inputs);

    g_autoptr(GPtrArray) computed = g_ptr_array_new();
    for (guint i = 0; i < recorder->storages->len; i++) {
        NnStorage *storage = recorder->storages->pdata[i];
        if (!storage->constant && !storage->counters && storage->first <= storage->last)
            g_ptr_array_add(computed, storage);
    }
    g_ptr_array_sort(computed, by_size);
    plan->in_turns = params->may_take_turns && recorder->device->cache_b > 0 &&
                     lower_bound(computed, n_launches, 1) > recorder->device->cache_b;
    if (plan->in_turns)
        take_turns(recorder, graph, computed);

    g_autoptr(GPtrArray) placed = g_ptr_array_new();
    for (guint i = 0; i < computed->len; i++)
        if (!place(plan, placed, computed->pdata[i], max_samples,
                   recorder->device->max_allocation_b, error))
            return NULL;

    for (guint i = 0; i < plan->chunks_b->len; i++)
        plan->arena_b += g_array_index(plan->chunks_b, gsize, i);
    plan->lower_bound_b = lower_bound(computed, n_launches, max_samples);
    return g_steal_pointer(&plan);
}
