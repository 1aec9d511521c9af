/* tune.c - measures the ways to run each shape of a network, in place and in turns.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A way is measured where it will run, between its neighbours in the network: what is in the caches
 * decides as much as the kernel. Layers that are alike are summed up, so that one choice serves
 * them all. The least of several runs counts, since what disturbs a run only ever makes it slower.
 */
#include "tune.h"

#include <string.h>

#define TURNS 5         /* runs of each of two networks */
#define LEAST_TURNS 2   /* that count if the time ends */
#define FASTER 0.95     /* the share of the time below which a way is taken */
#define TRIAL_SHARE 0.7 /* of the time; the rest is for running the winners together */

/* A network as it would be with some choices, and its times. */
typedef struct {
    NnNetwork *network;
    NnSlot *slot;
    GHashTable *least_ms; /* key of a choice -> double*: all its launches in the best run */
    double least_run_ms;  /* from the first launch to the last, with what is between them */
} Trial;

/* What has become of a choice. */
typedef struct {
    const NnChoice *choice;
    const char *taken;   /* before measuring */
    const char *best;    /* NULL: what is taken */
    double ratio;        /* of the best to what is taken */
    GPtrArray *compared; /* const char*: ways that @taken has been compared with */
} Verdict;

typedef struct {
    NnModel *model;
    OclDevice *device;
    OclQueue *queue;
    NnNetworkParams params;
    GHashTable *measured;
    gint64 trial_deadline_us, deadline_us;
    Trial *base;
    GHashTable *verdicts; /* key -> Verdict */
} Tuner;

/* ---------------------------------------------------------------- trials */

static void trial_free(Trial *trial)
{
    g_clear_pointer(&trial->slot, nn_slot_free);
    g_clear_pointer(&trial->network, nn_network_unref);
    g_clear_pointer(&trial->least_ms, g_hash_table_unref);
    g_free(trial);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Trial, trial_free)

static gboolean run(const Tuner *tuner, Trial *trial, GError **error)
{
    const guint n = nn_network_recorder(trial->network)->samples;
    const gint64 start_us = g_get_monotonic_time();
    const gboolean ok = nn_slot_fill_inputs(trial->slot, tuner->queue, error) &&
                        nn_slot_run(trial->slot, tuner->queue, n, error);
    /* What has been enqueued before an error works on the trial's memory. */
    if (!ocl_queue_finish(tuner->queue, ok ? error : NULL) || !ok)
        return FALSE;
    const double ms = (double)(g_get_monotonic_time() - start_us) / 1e3;
    trial->least_run_ms = MIN(trial->least_run_ms, ms);
    return TRUE;
}

/* With its kernels compiled and its memory touched. */
static Trial *trial_new(const Tuner *tuner, GHashTable *measured, gint64 deadline_us,
                        GError **error)
{
    g_autoptr(Trial) trial = g_new0(Trial, 1);
    trial->least_ms = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    trial->least_run_ms = G_MAXDOUBLE;
    trial->network =
        nn_network_build(tuner->model, tuner->device, &tuner->params, measured, deadline_us, error);
    if (!trial->network)
        return NULL;
    trial->slot = nn_slot_new(trial->network, error);
    return trial->slot && run(tuner, trial, error) ? g_steal_pointer(&trial) : NULL;
}

static void add_ms(GHashTable *sums, const char *key, double ms)
{
    double *sum = g_hash_table_lookup(sums, key);
    if (!sum) {
        sum = g_new0(double, 1);
        g_hash_table_insert(sums, g_strdup(key), sum);
    }
    *sum += ms;
}

static void keep_least(GHashTable *least, GHashTable *sums)
{
    GHashTableIter iter;
    gpointer key, ms;
    g_hash_table_iter_init(&iter, sums);
    while (g_hash_table_iter_next(&iter, &key, &ms)) {
        double *kept = g_hash_table_lookup(least, key);
        if (!kept)
            add_ms(least, key, *(double *)ms);
        else
            *kept = MIN(*kept, *(double *)ms);
    }
}

/* Runs and times every choice. */
static gboolean take_turn(const Tuner *tuner, Trial *trial, GError **error)
{
    const NnRecorder *recorder = nn_network_recorder(trial->network);
    if (!run(tuner, trial, error))
        return FALSE;
    g_autoptr(GArray) lines = nn_slot_profile(trial->slot, recorder->samples, error);
    if (!lines)
        return FALSE;
    g_autoptr(GHashTable) sums = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 0; i < lines->len; i++) {
        const NnLaunch *launch = recorder->launches->pdata[i];
        if (launch->choice < 0)
            continue;
        const NnChoice *choice = recorder->choices->pdata[launch->choice];
        add_ms(sums, choice->key, g_array_index(lines, NnProfileLine, i).ms);
    }
    keep_least(trial->least_ms, sums);
    return TRUE;
}

/* Runs the network as it is and @trial in turns. FALSE if the time did not suffice. */
static gboolean compare(const Tuner *tuner, Trial *trial, GError **error)
{
    for (guint turn = 0; turn < TURNS; turn++)
        if (!take_turn(tuner, tuner->base, error) || !take_turn(tuner, trial, error)) {
            if (turn < LEAST_TURNS || !g_error_matches(*error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
                return FALSE;
            g_clear_error(error);
            return TRUE;
        }
    return TRUE;
}

/* The time of @key in @trial by that in the network as it is; 1 if one of them is not known. */
static double ratio_of(const Tuner *tuner, const Trial *trial, const char *key)
{
    const double *before = g_hash_table_lookup(tuner->base->least_ms, key);
    const double *after = g_hash_table_lookup(trial->least_ms, key);
    return before && after && *before > 0 ? *after / *before : 1;
}

/* ---------------------------------------------------------------- verdicts */

static void verdict_free(gpointer data)
{
    Verdict *verdict = data;
    g_ptr_array_unref(verdict->compared);
    g_free(verdict);
}

static gboolean holds(char *const *ways, const char *way)
{
    return ways && g_strv_contains((const char *const *)ways, way);
}

static GHashTable *list_verdicts(const NnRecorder *recorder, GHashTable *measured)
{
    GHashTable *verdicts = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, verdict_free);
    for (guint i = 0; i < recorder->choices->len; i++) {
        const NnChoice *choice = recorder->choices->pdata[i];
        if (g_hash_table_contains(verdicts, choice->key))
            continue;
        char *const *before = g_hash_table_lookup(measured, choice->key);
        Verdict *verdict = g_new0(Verdict, 1);
        verdict->choice = choice;
        verdict->taken = before ? g_intern_string(before[0]) : choice->rule;
        verdict->ratio = FASTER;
        verdict->compared = g_ptr_array_new();
        g_hash_table_insert(verdicts, choice->key, verdict);
    }
    return verdicts;
}

static gboolean is_open(const NnChoice *choice, const char *way, GHashTable *measured)
{
    return g_ptr_array_find_with_equal_func(choice->ways, way, g_str_equal, NULL) &&
           !holds(g_hash_table_lookup(measured, choice->key), way);
}

gboolean nn_tune_is_wanted(const NnNetwork *network, GHashTable *measured)
{
    const GPtrArray *choices = nn_network_recorder(network)->choices;
    for (guint i = 0; i < choices->len; i++) {
        const NnChoice *choice = choices->pdata[i];
        for (guint k = 0; k < choice->ways->len; k++)
            if (is_open(choice, choice->ways->pdata[k], measured))
                return TRUE;
    }
    return FALSE;
}

/* ---------------------------------------------------------------- ways */

typedef struct {
    const char *name;
    double ms; /* of what it may replace */
} Way;

static int dearest_first(gconstpointer a, gconstpointer b)
{
    const Way *x = a, *y = b;
    return (x->ms < y->ms) - (x->ms > y->ms);
}

static void add_way(GArray *ways, const char *name, double ms)
{
    for (guint i = 0; i < ways->len; i++) {
        Way *way = &g_array_index(ways, Way, i);
        if (strcmp(way->name, name) == 0) {
            way->ms += ms;
            return;
        }
    }
    const Way way = { name, ms };
    g_array_append_val(ways, way);
}

/* All that is not compared yet, first what has most to win. */
static GArray *list_ways(const Tuner *tuner)
{
    GArray *ways = g_array_new(FALSE, FALSE, sizeof(Way));
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, tuner->verdicts);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        const NnChoice *choice = ((Verdict *)value)->choice;
        const double *ms = g_hash_table_lookup(tuner->base->least_ms, key);
        for (guint k = 0; ms && k < choice->ways->len; k++)
            if (is_open(choice, choice->ways->pdata[k], tuner->measured))
                add_way(ways, choice->ways->pdata[k], *ms);
    }
    g_array_sort(ways, dearest_first);
    return ways;
}

/* A copy of what is measured, in which some choices are about to be others. */
static GHashTable *copy_choices(GHashTable *measured)
{
    GHashTable *copy =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_strfreev);
    GHashTableIter iter;
    gpointer key, ways;
    g_hash_table_iter_init(&iter, measured);
    while (g_hash_table_iter_next(&iter, &key, &ways))
        g_hash_table_insert(copy, g_strdup(key), g_strdupv(ways));
    return copy;
}

static void set_choice(GHashTable *choices, const char *key, const char *way)
{
    const char *const ways[] = { way, NULL };
    g_hash_table_insert(choices, g_strdup(key), g_strdupv((char **)ways));
}

/* Measures @way wherever it is open. */
static gboolean try_way(Tuner *tuner, const char *way, GError **error)
{
    g_autoptr(GHashTable) choices = copy_choices(tuner->measured);
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, tuner->verdicts);
    while (g_hash_table_iter_next(&iter, &key, &value))
        if (is_open(((Verdict *)value)->choice, way, tuner->measured))
            set_choice(choices, key, way);
    g_autoptr(Trial) trial = trial_new(tuner, choices, tuner->trial_deadline_us, error);
    if (!trial || !compare(tuner, trial, error))
        return FALSE;

    g_hash_table_iter_init(&iter, tuner->verdicts);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        Verdict *verdict = value;
        if (!is_open(verdict->choice, way, tuner->measured))
            continue;
        g_ptr_array_add(verdict->compared, (gpointer)way);
        const double ratio = ratio_of(tuner, trial, key);
        g_debug("%s: %s takes %.2f of %s", (char *)key, way, ratio, verdict->taken);
        if (ratio < verdict->ratio) {
            verdict->ratio = ratio;
            verdict->best = way;
        }
    }
    return TRUE;
}

/* Whether another time may be better. */
static gboolean is_passing(const GError *error)
{
    return g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT) ||
           ocl_error_is_out_of_memory(error);
}

/* It does not run on this device, and is not to be tried at every start. */
static void give_up_way(Tuner *tuner, const char *way)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, tuner->verdicts);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (is_open(((Verdict *)value)->choice, way, tuner->measured))
            g_ptr_array_add(((Verdict *)value)->compared, (gpointer)way);
}

/* ---------------------------------------------------------------- winners */

static gboolean has_winners(const Tuner *tuner)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, tuner->verdicts);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (((Verdict *)value)->best)
            return TRUE;
    return FALSE;
}

/* Measures all winners together; those that do not stand it are none, and none is if the network
 * as a whole does not gain: more launches cost what no launch's own time shows. */
static gboolean confirm(Tuner *tuner, GError **error)
{
    g_autoptr(GHashTable) choices = copy_choices(tuner->measured);
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, tuner->verdicts);
    while (g_hash_table_iter_next(&iter, &key, &value))
        if (((Verdict *)value)->best)
            set_choice(choices, key, ((Verdict *)value)->best);
    g_hash_table_remove_all(tuner->base->least_ms);
    tuner->base->least_run_ms = G_MAXDOUBLE;
    g_autoptr(Trial) trial = trial_new(tuner, choices, tuner->deadline_us, error);
    if (!trial || !compare(tuner, trial, error))
        return FALSE;
    g_hash_table_iter_init(&iter, tuner->verdicts);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        Verdict *verdict = value;
        if (verdict->best && (trial->least_run_ms >= tuner->base->least_run_ms ||
                              ratio_of(tuner, trial, key) > FASTER))
            verdict->best = NULL;
        if (verdict->best)
            g_info("%s: %s instead of %s, %.2f of the time", (char *)key, verdict->best,
                   verdict->taken, ratio_of(tuner, trial, key));
    }
    return TRUE;
}

/* The best way, what it was compared with before, and what now. */
static char **list_compared(const Verdict *verdict, char *const *before)
{
    g_autoptr(GStrvBuilder) ways = g_strv_builder_new();
    g_strv_builder_add(ways, verdict->best ? verdict->best : verdict->taken);
    for (; before && *before; before++)
        g_strv_builder_add(ways, *before);
    for (guint i = 0; i < verdict->compared->len; i++)
        g_strv_builder_add(ways, verdict->compared->pdata[i]);
    return g_strv_builder_end(ways);
}

static void keep_verdicts(Tuner *tuner)
{
    gboolean any = FALSE;
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, tuner->verdicts);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        const Verdict *verdict = value;
        if (verdict->compared->len == 0)
            continue;
        char **ways = list_compared(verdict, g_hash_table_lookup(tuner->measured, key));
        g_hash_table_insert(tuner->measured, g_strdup(key), ways);
        any = TRUE;
    }
    if (any)
        nn_tune_store(tuner->device, tuner->measured);
}

/* ---------------------------------------------------------------- all */

static gboolean measure(Tuner *tuner, GError **error)
{
    tuner->base = trial_new(tuner, tuner->measured, tuner->deadline_us, error);
    if (!tuner->base || !take_turn(tuner, tuner->base, error))
        return FALSE;
    tuner->verdicts = list_verdicts(nn_network_recorder(tuner->base->network), tuner->measured);
    g_autoptr(GArray) ways = list_ways(tuner);
    for (guint i = 0; i < ways->len; i++) {
        g_autoptr(GError) problem = NULL;
        if (g_get_monotonic_time() > tuner->trial_deadline_us)
            break;
        const char *name = g_array_index(ways, Way, i).name;
        if (try_way(tuner, name, &problem))
            continue;
        g_debug("%s: %s", name, problem->message);
        if (!is_passing(problem))
            give_up_way(tuner, name);
    }
    return !has_winners(tuner) || confirm(tuner, error);
}

static void clear_tuner(Tuner *tuner)
{
    g_clear_pointer(&tuner->verdicts, g_hash_table_unref);
    g_clear_pointer(&tuner->base, trial_free);
    g_clear_pointer(&tuner->queue, ocl_queue_free);
}

void nn_tune(NnModel *model, OclDevice *device, const NnNetworkParams *params, GHashTable *measured)
{
    const gint64 now_us = g_get_monotonic_time(), time_us = (gint64)params->tuning_ms * 1000;
    Tuner tuner = { .model = model,
                    .device = device,
                    .params = *params,
                    .measured = measured,
                    .trial_deadline_us = now_us + (gint64)(TRIAL_SHARE * (double)time_us),
                    .deadline_us = now_us + time_us };
    g_autoptr(GError) error = NULL;
    tuner.params.profiling = TRUE;
    tuner.queue = ocl_queue_new(device, "tuning", TRUE, &error);
    if (tuner.queue && measure(&tuner, &error))
        keep_verdicts(&tuner);
    else
        g_debug("nothing measured: %s", error->message);
    clear_tuner(&tuner);
}
