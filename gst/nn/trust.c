/* trust.c - which kernels are left out on a device, and the test that finds them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "trust.h"

#include <string.h>

#include "onnx.h"
#include "tune.h"

#define MOST_US (500 * 1000) /* for all tests of a network */
#define LARGEST_EXACT 2048   /* up to which halves hold all whole numbers */

/* What has been found on a kind of device. */
typedef struct {
    GHashTable *left_out, *right; /* sets of char* */
} Trust;

static GMutex lock;
static GHashTable *trusts; /* char* of key_of() -> Trust* */

/* The same for devices that have the same driver and compute alike. */
static char *key_of(const OclDevice *device)
{
    return g_strdup_printf("%s\n%s\n%s\n%d", device->platform_name, device->name, device->driver,
                           (int)device->device_class);
}

/* The lock is held. */
static Trust *find_trust(const OclDevice *device)
{
    g_autofree char *key = key_of(device);
    if (!trusts)
        trusts = g_hash_table_new(g_str_hash, g_str_equal);
    Trust *trust = g_hash_table_lookup(trusts, key);
    if (trust)
        return trust;
    trust = g_new0(Trust, 1);
    trust->left_out = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    trust->right = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_hash_table_insert(trusts, g_steal_pointer(&key), trust);
    return trust;
}

/* ---------------------------------------------------------------- left out */

GHashTable *nn_kernels_left_out(const OclDevice *device)
{
    GHashTable *copy = NULL;
    GHashTableIter iter;
    gpointer kernel;
    g_mutex_lock(&lock);
    g_hash_table_iter_init(&iter, find_trust(device)->left_out);
    while (g_hash_table_iter_next(&iter, &kernel, NULL)) {
        if (!copy)
            copy = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_hash_table_add(copy, g_strdup(kernel));
    }
    g_mutex_unlock(&lock);
    return copy;
}

/* Of "clBuildProgram of ...\nptxas error: ...\n..." the second line. */
static char *first_line_of_log(const char *why)
{
    const char *log = strchr(why, '\n');
    log = log && log[1] ? log + 1 : why;
    return g_strndup(log, strcspn(log, "\n"));
}

gboolean nn_kernel_leave_out(const OclDevice *device, const char *kernel, const char *why)
{
    g_mutex_lock(&lock);
    const gboolean is_new = g_hash_table_add(find_trust(device)->left_out, g_strdup(kernel));
    g_mutex_unlock(&lock);
    if (!is_new)
        return FALSE;
    g_autofree char *line = first_line_of_log(why);
    g_warning("%s (driver %s) computes without %s: %s", device->name, device->driver, kernel, line);
    return TRUE;
}

/* ---------------------------------------------------------------- the network of a test */

/* Small whole numbers that look random. */
static NnArray *make_numbers(int rank, const gint64 *dims, int most, guint32 seed)
{
    NnArray *array = nn_array_new(NN_FLOAT32, rank, dims);
    g_return_val_if_fail(array, NULL);
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    for (gsize i = 0; i < array->n; i++)
        nn_array_set(array, i, g_rand_int_range(rand, -most, most + 1));
    return array;
}

static void add_ints(NnNode *node, const char *name, gint64 value, gsize n)
{
    NnAttribute *attribute = nn_attribute_new(name, NN_ATTRIBUTE_INTS);
    attribute->n = n;
    attribute->u.ints = g_new(gint64, n);
    for (gsize i = 0; i < n; i++)
        attribute->u.ints[i] = value;
    nn_node_add_attribute(node, attribute);
}

/* @c inputs to @k outputs, of the same size, with a bias. @c 0: a filter for each channel. */
static NnValue *add_conv(NnGraph *graph, NnValue *x, gint64 c, gint64 k, gint64 side)
{
    const gint64 dims[] = { k, MAX(c, 1), side, side };
    const guint32 seed = graph->nodes->len + 1;
    NnNode *node = nn_graph_add_node(graph, "Conv", "test", 13);
    nn_node_add_input(node, x);
    nn_node_add_input(node, nn_graph_constant(graph, NULL, make_numbers(4, dims, 1, seed)));
    nn_node_add_input(node, nn_graph_constant(graph, NULL, make_numbers(1, dims, 3, seed)));
    add_ints(node, "pads", side / 2, 4);
    NnAttribute *group = nn_attribute_new("group", NN_ATTRIBUTE_INT);
    group->u.i = c == 0 ? k : 1;
    nn_node_add_attribute(node, group);
    NnValue *y = nn_graph_value(graph, NULL);
    nn_node_add_output(node, y);
    return y;
}

/* A convolution of 3x3 that @kernel fits, or an inverted residual. Neither sizes nor channels are
 * whole tiles. */
static NnGraph *make_graph(const char *kernel)
{
    const gboolean inverted = strcmp(kernel, "conv_inverted") == 0;
    const gint64 dims[4] = { 1, strcmp(kernel, "conv_first") == 0 ? 3 : 24, 13, 19 };
    NnGraph *graph = nn_graph_new();
    NnValue *x = nn_graph_value(graph, "x");
    nn_value_set(x, NN_FLOAT32, 4, dims, NULL);
    g_ptr_array_add(graph->inputs, x);
    NnValue *y = inverted ? add_conv(graph, x, 24, 72, 1) : add_conv(graph, x, dims[1], 40, 3);
    if (inverted)
        y = add_conv(graph, add_conv(graph, y, 0, 72, 3), 72, 40, 1);
    y->is_output = TRUE;
    g_ptr_array_add(graph->outputs, y);
    return graph;
}

/* By the C reference. */
static NnArray *compute_expected(const NnGraph *graph, NnArray *x, GError **error)
{
    g_autoptr(NnGraph) copy = nn_graph_copy(graph);
    const NnBinding binding = { .name = "x", .rank = -1, .value = x };
    if (!nn_graph_infer(copy, &binding, 1, error))
        return NULL;
    return nn_array_ref(((NnValue *)copy->outputs->pdata[0])->constant);
}

/* By @kernel. */
static NnArray *compute(OclDevice *device, const char *kernel, NnModel *model, const NnArray *x,
                        gint64 deadline_us, GError **error)
{
    const NnNetworkParams params = { .max_samples = 1,
                                     .precision = NN_PRECISION_FP16,
                                     .variant = kernel };
    g_autoptr(OclQueue) queue = ocl_queue_new(device, "test", FALSE, error);
    g_autoptr(NnNetwork) network =
        queue ? nn_network_build(model, device, &params, NULL, deadline_us, error) : NULL;
    g_autoptr(NnSlot) slot = network ? nn_slot_new(network, error) : NULL;
    if (!slot || !nn_slot_write_input(slot, queue, 0, 1, x, error) ||
        !nn_slot_run(slot, queue, 1, error))
        return NULL;
    return nn_slot_read_output(slot, queue, 0, 1, error);
}

static gboolean compare(const char *kernel, const NnArray *y, const NnArray *expected,
                        GError **error)
{
    for (gsize i = 0; i < expected->n; i++) {
        const double is = nn_array_get(y, i), should_be = nn_array_get(expected, i);
        g_warn_if_fail(should_be >= -LARGEST_EXACT && should_be <= LARGEST_EXACT);
        if (is == should_be)
            continue;
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                    "a test convolution gives %g in place of %g at element %" G_GSIZE_FORMAT, is,
                    should_be, i);
        return FALSE;
    }
    return TRUE;
}

gboolean nn_kernel_test(OclDevice *device, const char *kernel, gint64 deadline_us, GError **error)
{
    NnGraph *graph = make_graph(kernel);
    g_autoptr(NnModel) model = nn_model_of_graph(graph);
    const NnValue *input = graph->inputs->pdata[0];
    g_autoptr(NnArray) x = make_numbers(input->rank, input->dims, 2, 0);
    g_autoptr(NnArray) expected = compute_expected(graph, x, error);
    g_autoptr(NnArray) y = expected ? compute(device, kernel, model, x, deadline_us, error) : NULL;
    return y && compare(kernel, y, expected, error);
}

/* ---------------------------------------------------------------- what a network uses */

static gboolean speaks_ptx(const NnLaunch *launch)
{
    static const char *const kernels[] = { "conv_tensor", "conv_first", "conv_wgmma",
                                           "conv_halo",   "conv_held",  "conv_inverted",
                                           NULL };
    return g_strv_contains(kernels, launch->function) && !strstr(launch->options, "-DEMULATE");
}

static gboolean is_known_right(const OclDevice *device, const char *kernel)
{
    g_mutex_lock(&lock);
    const gboolean is = g_hash_table_contains(find_trust(device)->right, kernel);
    g_mutex_unlock(&lock);
    return is;
}

static void remember_right(const OclDevice *device, const char *kernel)
{
    g_mutex_lock(&lock);
    g_hash_table_add(find_trust(device)->right, g_strdup(kernel));
    g_mutex_unlock(&lock);
}

/* Whether @kernel is left out now that was not before. */
static gboolean check(OclDevice *device, const char *kernel, gint64 deadline_us)
{
    NnVerdict verdict = nn_tune_load_verdict(device, kernel);
    g_autoptr(GError) problem = NULL;
    if (verdict == NN_VERDICT_NONE) {
        const gboolean right = nn_kernel_test(device, kernel, deadline_us, &problem);
        if (!right && g_error_matches(problem, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
            return FALSE;
        verdict = right ? NN_VERDICT_RIGHT : NN_VERDICT_WRONG;
        nn_tune_store_verdict(device, kernel, verdict);
    }
    if (verdict == NN_VERDICT_RIGHT) {
        remember_right(device, kernel);
        return FALSE;
    }
    return nn_kernel_leave_out(device, kernel,
                               problem ? problem->message : "it was found to be wrong before");
}

gboolean nn_kernels_check(OclDevice *device, const GPtrArray *launches)
{
    const gint64 deadline_us = g_get_monotonic_time() + MOST_US;
    gboolean any = FALSE;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < launches->len; i++) {
        const NnLaunch *launch = launches->pdata[i];
        if (speaks_ptx(launch) && g_hash_table_add(seen, launch->function) &&
            !is_known_right(device, launch->function))
            any = check(device, launch->function, deadline_us) || any;
    }
    return any;
}
