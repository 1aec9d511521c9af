/* fakecl.c - the rules and counts of the fake device, and the commands that it holds.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A command is held by a user event in its wait list. The lock is never held across a call into
 * OpenCL, which may call back.
 */
#include "interpose.h"

#include <dlfcn.h>
#include <string.h>

#define WAIT_LIMIT_US (20 * G_USEC_PER_SEC)

typedef enum { RULE_FAIL, RULE_FAIL_EVENT, RULE_HOLD } RuleKind;

typedef struct {
    RuleKind kind;
    char *call;
    guint nth, n_calls;
    int value; /* status or delay in ms */
    guint n_seen;
} Rule;

typedef struct {
    cl_event event;
    gint64 deadline_us; /* monotonic; G_MAXINT64: until released */
} Gate;

typedef struct {
    guint n_device; /* PLATFORM for a platform */
    cl_uint what;
    GBytes *value;
} Override;

#define PLATFORM G_MAXUINT

static GMutex lock;
static GCond changed;
/* --- protected by lock --- */
static GList *rules;
static GList *overrides;
static GHashTable *calls;         /* name -> number of calls */
static GHashTable *failed_events; /* cl_event -> status */
static GQueue gates = G_QUEUE_INIT;
static gint64 last_deadlines_us[FAKECL_MAX_DEVICES];
static gboolean timer_runs;
static int live[FAKECL_N_KINDS];

gpointer fakecl_real(const char *name)
{
    static gsize library;
    if (g_once_init_enter(&library)) {
        gpointer handle = dlopen("libOpenCL.so.1", RTLD_LAZY | RTLD_LOCAL);
        if (!handle)
            g_error("%s", dlerror());
        g_once_init_leave(&library, (gsize)handle);
    }
    return dlsym((gpointer)library, name);
}

/* ---------------------------------------------------------------- rules */

static void rule_free(gpointer data)
{
    Rule *rule = data;
    g_free(rule->call);
    g_free(rule);
}

static void add_rule(RuleKind kind, const char *call, guint nth, guint n_calls, int value)
{
    Rule *rule = g_new0(Rule, 1);
    *rule = (Rule){ kind, g_strdup(call), nth, n_calls, value, 0 };
    g_mutex_lock(&lock);
    rules = g_list_append(rules, rule);
    g_mutex_unlock(&lock);
}

void fakecl_fail(const char *call, guint nth, guint n_calls, cl_int status)
{
    add_rule(RULE_FAIL, call, nth, n_calls, status);
}

void fakecl_fail_event(const char *call, guint nth, guint n_calls, cl_int status)
{
    add_rule(RULE_FAIL_EVENT, call, nth, n_calls, status);
}

void fakecl_hold(const char *call, guint nth, guint n_calls, int delay_ms)
{
    add_rule(RULE_HOLD, call, nth, n_calls, delay_ms);
}

/* Counts one more call under @name and lets the rules for it decide; lock is held. */
static void apply_rules_locked(const char *name, FakeclVerdict *verdict)
{
    guint n = GPOINTER_TO_UINT(g_hash_table_lookup(calls, name)) + 1;
    g_hash_table_insert(calls, g_strdup(name), GUINT_TO_POINTER(n));
    for (GList *l = rules; l; l = l->next) {
        Rule *rule = l->data;
        if (strcmp(rule->call, name) != 0 || ++rule->n_seen < rule->nth)
            continue;
        if (rule->n_calls != FAKECL_ALWAYS && rule->n_seen >= rule->nth + rule->n_calls)
            continue;
        if (rule->kind == RULE_FAIL)
            verdict->status = rule->value;
        else if (rule->kind == RULE_FAIL_EVENT)
            verdict->event_status = rule->value;
        else
            verdict->delay_ms = rule->value;
    }
}

FakeclVerdict fakecl_judge(const char *call, const char *kernel, int n_device)
{
    FakeclVerdict verdict = { CL_SUCCESS, CL_SUCCESS, 0 };
    g_autofree char *full_name = kernel ? g_strconcat(call, ":", kernel, NULL) : NULL;
    g_autofree char *on_device =
        n_device == FAKECL_NO_DEVICE ? NULL : g_strdup_printf("%s@%d", call, n_device);
    g_mutex_lock(&lock);
    if (!calls)
        calls = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    apply_rules_locked(call, &verdict);
    if (full_name)
        apply_rules_locked(full_name, &verdict);
    if (on_device)
        apply_rules_locked(on_device, &verdict);
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
    return verdict;
}

/* ---------------------------------------------------------------- held commands */

static void open_gate(Gate *gate)
{
    REAL(clSetUserEventStatus)(gate->event, CL_COMPLETE);
    REAL(clReleaseEvent)(gate->event);
    g_free(gate);
}

/* Microseconds until the next gate with a deadline; negative if there is none; lock is held. */
static gint64 next_deadline_locked(void)
{
    gint64 next_us = G_MAXINT64;
    for (GList *l = gates.head; l; l = l->next)
        next_us = MIN(next_us, ((Gate *)l->data)->deadline_us);
    return next_us;
}

static Gate *take_due_locked(gint64 now_us)
{
    for (GList *l = gates.head; l; l = l->next) {
        Gate *gate = l->data;
        if (gate->deadline_us <= now_us) {
            g_queue_delete_link(&gates, l);
            return gate;
        }
    }
    return NULL;
}

/* Opens gates as their time comes; ends when none with a deadline is left. */
static gpointer run_timer(gpointer unused)
{
    gint64 deadline_us;
    g_mutex_lock(&lock);
    while ((deadline_us = next_deadline_locked()) != G_MAXINT64) {
        Gate *gate = take_due_locked(g_get_monotonic_time());
        if (!gate) {
            g_cond_wait_until(&changed, &lock, deadline_us);
            continue;
        }
        g_mutex_unlock(&lock);
        open_gate(gate);
        g_mutex_lock(&lock);
    }
    timer_runs = FALSE;
    g_mutex_unlock(&lock);
    return NULL;
}

void fakecl_close_gate(cl_event event, int n_device, int delay_ms)
{
    Gate *gate = g_new0(Gate, 1);
    gate->event = event;
    gate->deadline_us = G_MAXINT64;
    g_mutex_lock(&lock);
    if (delay_ms != FAKECL_FOREVER) {
        gint64 *last_us = &last_deadlines_us[MAX(0, n_device)];
        *last_us = MAX(g_get_monotonic_time(), *last_us) + delay_ms * 1000;
        gate->deadline_us = *last_us;
        if (!timer_runs)
            g_thread_unref(g_thread_new("fakecl-timer", run_timer, NULL));
        timer_runs = TRUE;
    }
    g_queue_push_tail(&gates, gate);
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
}

gboolean fakecl_release_next(void)
{
    g_mutex_lock(&lock);
    Gate *gate = g_queue_pop_head(&gates);
    g_mutex_unlock(&lock);
    if (gate)
        open_gate(gate);
    return gate != NULL;
}

static void forget_rules(gboolean only_holds)
{
    g_mutex_lock(&lock);
    for (GList *l = rules, *next; l; l = next) {
        Rule *rule = l->data;
        next = l->next;
        if (only_holds && rule->kind != RULE_HOLD)
            continue;
        rules = g_list_delete_link(rules, l);
        rule_free(rule);
    }
    g_mutex_unlock(&lock);
}

void fakecl_release(void)
{
    forget_rules(TRUE);
    while (fakecl_release_next())
        ;
}

/* ---------------------------------------------------------------- counts */

static guint calls_locked(const char *call)
{
    return calls ? GPOINTER_TO_UINT(g_hash_table_lookup(calls, call)) : 0;
}

guint fakecl_calls(const char *call)
{
    g_mutex_lock(&lock);
    guint n = calls_locked(call);
    g_mutex_unlock(&lock);
    return n;
}

gboolean fakecl_wait_calls(const char *call, guint n)
{
    gint64 limit_us = g_get_monotonic_time() + WAIT_LIMIT_US;
    gboolean in_time = TRUE;
    g_mutex_lock(&lock);
    while (calls_locked(call) < n && in_time)
        in_time = g_cond_wait_until(&changed, &lock, limit_us);
    g_mutex_unlock(&lock);
    return in_time;
}

gboolean fakecl_wait_held(guint n)
{
    gint64 limit_us = g_get_monotonic_time() + WAIT_LIMIT_US;
    gboolean in_time = TRUE;
    g_mutex_lock(&lock);
    while (g_queue_get_length(&gates) < n && in_time)
        in_time = g_cond_wait_until(&changed, &lock, limit_us);
    g_mutex_unlock(&lock);
    return in_time;
}

void fakecl_count(FakeclKind kind, int n)
{
    g_mutex_lock(&lock);
    live[kind] += n;
    g_mutex_unlock(&lock);
}

int fakecl_live(void)
{
    int n = 0;
    g_mutex_lock(&lock);
    for (guint i = 0; i < FAKECL_N_KINDS; i++)
        n += live[i];
    g_mutex_unlock(&lock);
    return n;
}

char *fakecl_live_text(void)
{
    g_mutex_lock(&lock);
    char *text = g_strdup_printf(
        "contexts %d, queues %d, buffers %d, programs %d, kernels %d, events %d, "
        "recordings %d",
        live[FAKECL_CONTEXT], live[FAKECL_QUEUE], live[FAKECL_BUFFER], live[FAKECL_PROGRAM],
        live[FAKECL_KERNEL], live[FAKECL_EVENT], live[FAKECL_RECORDING]);
    g_mutex_unlock(&lock);
    return text;
}

/* ---------------------------------------------------------------- events that fail */

void fakecl_set_event_status(cl_event event, cl_int status)
{
    g_mutex_lock(&lock);
    if (!failed_events)
        failed_events = g_hash_table_new(NULL, NULL);
    if (status == CL_SUCCESS) /* the handle may be that of an older event */
        g_hash_table_remove(failed_events, event);
    else
        g_hash_table_insert(failed_events, event, GINT_TO_POINTER(status));
    g_mutex_unlock(&lock);
}

cl_int fakecl_event_status(cl_event event, cl_int real_status)
{
    if (real_status != CL_COMPLETE)
        return real_status;
    g_mutex_lock(&lock);
    gpointer status = failed_events ? g_hash_table_lookup(failed_events, event) : NULL;
    g_mutex_unlock(&lock);
    return GPOINTER_TO_INT(status);
}

/* ---------------------------------------------------------------- identity */

static void override_free(gpointer data)
{
    Override *override = data;
    g_bytes_unref(override->value);
    g_free(override);
}

static void add_override(guint n_device, cl_uint what, const void *value, gsize size_b)
{
    Override *override = g_new0(Override, 1);
    *override = (Override){ n_device, what, g_bytes_new(value, size_b) };
    g_mutex_lock(&lock);
    overrides = g_list_prepend(overrides, override);
    g_mutex_unlock(&lock);
}

void fakecl_override_device(guint n_device, cl_device_info what, const void *value, gsize size_b)
{
    add_override(n_device, what, value, size_b);
}

void fakecl_override_platform(cl_platform_info what, const char *text)
{
    add_override(PLATFORM, what, text, strlen(text) + 1);
}

static GBytes *find_override(guint n_device, cl_uint what)
{
    GBytes *value = NULL;
    g_mutex_lock(&lock);
    for (GList *l = overrides; l && !value; l = l->next) {
        Override *override = l->data;
        if (override->n_device == n_device && override->what == what)
            value = g_bytes_ref(override->value);
    }
    g_mutex_unlock(&lock);
    return value;
}

GBytes *fakecl_find_platform_override(cl_platform_info what)
{
    return find_override(PLATFORM, what);
}

int fakecl_device_index(cl_device_id device)
{
    cl_platform_id platform;
    cl_device_id ids[FAKECL_MAX_DEVICES];
    cl_uint n = 0;
    REAL(clGetDeviceInfo)(device, CL_DEVICE_PLATFORM, sizeof platform, &platform, NULL);
    REAL(clGetDeviceIDs)(platform, CL_DEVICE_TYPE_ALL, G_N_ELEMENTS(ids), ids, &n);
    for (guint i = 0; i < MIN(n, G_N_ELEMENTS(ids)); i++)
        if (ids[i] == device)
            return (int)i;
    return FAKECL_NO_DEVICE;
}

GBytes *fakecl_find_device_override(cl_device_id device, cl_device_info what)
{
    const int index = fakecl_device_index(device);
    return index == FAKECL_NO_DEVICE ? NULL : find_override((guint)index, what);
}

void fakecl_reset(void)
{
    forget_rules(FALSE);
    fakecl_release();
    g_mutex_lock(&lock);
    g_list_free_full(g_steal_pointer(&overrides), override_free);
    g_clear_pointer(&calls, g_hash_table_unref);
    memset(last_deadlines_us, 0, sizeof last_deadlines_us);
    g_mutex_unlock(&lock);
}
