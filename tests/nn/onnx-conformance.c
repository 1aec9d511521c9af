/* onnx-conformance.c - runs the ONNX project's own tests, and prints which operators are claimed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each test is a folder with a model and data sets of stored inputs and outputs. A test counts as
 * claimed unless the engine turns its model away as unsupported; a claimed test must give the
 * stored outputs. The reference functions are tested, or with --device the kernels. Ends with
 * status 1 if a claimed test fails or has no kernel, and 77 (skipped, for meson) if there is no
 * test data.
 */
#include <math.h>
#include <string.h>

#include "nn.h"
#include "onnx.h"
#include "operator.h"

#define DATA "/usr/share/libonnx-testdata/data/"
#define STATUS_SKIPPED 77

/* What ONNX's own runner allows. */
#define RELATIVE 1e-3
#define ABSOLUTE 1e-7
/* Kernels compute in float32, where sums of numbers of size 1 that cancel are off by some 1e-6. */
#define ABSOLUTE_DEVICE 1e-5

typedef struct {
    OclDevice *device; /* NULL: reference functions */
    OclQueue *queue;
    gboolean no_fusion, verbose;
    char *variant, *filter;
    guint n_passed, n_failed, n_unclaimed;
    guint n_host; /* claimed, but turned away by the device */
} Runner;

static gboolean fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean fail(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED, message);
    return FALSE;
}

/* ---------------------------------------------------------------- comparing */

static gboolean is_close(double a, double b, double absolute)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= absolute + RELATIVE * fabs(b);
}

static gboolean compare(const char *name, const NnArray *got, const NnArray *want, double absolute,
                        GError **error)
{
    gboolean is_float = nn_type_is_float(want->type);

    if (got->type != want->type)
        return fail(error, "output '%s' is %s instead of %s", name, nn_type_name(got->type),
                    nn_type_name(want->type));
    if (got->rank != want->rank ||
        memcmp(got->dims, want->dims, got->rank * sizeof *got->dims) != 0)
        return fail(error, "output '%s' has another shape", name);
    for (gsize i = 0; i < got->n; i++)
        if (is_float ? !is_close(nn_array_get(got, i), nn_array_get(want, i), absolute)
                     : nn_array_get_int(got, i) != nn_array_get_int(want, i))
            return fail(error, "output '%s' element %" G_GSIZE_FORMAT " is %.9g instead of %.9g",
                        name, i, nn_array_get(got, i), nn_array_get(want, i));
    return TRUE;
}

/* ---------------------------------------------------------------- one data set */

/* The stored tensors "input_0.pb", "input_1.pb", ... */
static GPtrArray *load_tensors(const char *folder, const char *kind, guint n, GError **error)
{
    g_autoptr(GPtrArray) arrays = g_ptr_array_new_with_free_func((GDestroyNotify)nn_array_unref);

    for (guint i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("%s_%u.pb", kind, i);
        g_autofree char *path = g_build_filename(folder, name, NULL);
        NnArray *array = nn_onnx_tensor_load(path, error);

        if (!array)
            return NULL;
        g_ptr_array_add(arrays, array);
    }
    return g_steal_pointer(&arrays);
}

/* Shapes from the stored inputs, and values where those steer shapes. */
static NnBinding *make_bindings(const NnGraph *graph, GPtrArray *inputs)
{
    NnBinding *bindings = g_new0(NnBinding, graph->inputs->len + 1);

    for (guint i = 0; i < graph->inputs->len; i++) {
        const NnValue *input = graph->inputs->pdata[i];
        NnArray *array = inputs->pdata[i];

        bindings[i].name = input->name;
        bindings[i].rank = array->rank;
        memcpy(bindings[i].dims, array->dims, sizeof array->dims);
        if (nn_graph_input_steers_shapes(graph, input))
            bindings[i].value = array;
    }
    return bindings;
}

static gboolean run_reference(const NnGraph *model, GPtrArray *inputs, const NnBinding *bindings,
                              NnArray **outputs, GError **error)
{
    g_autoptr(NnGraph) graph = nn_graph_copy(model);

    return nn_graph_infer(graph, bindings, graph->inputs->len, error) &&
           nn_graph_evaluate(graph, (NnArray *const *)inputs->pdata, outputs, error);
}

static gboolean write_inputs(const Runner *runner, NnSlot *slot, NnNetwork *network,
                             const NnGraph *graph, GPtrArray *inputs, GError **error)
{
    for (guint i = 0; i < nn_network_n_inputs(network); i++)
        for (guint k = 0; k < graph->inputs->len; k++)
            if (g_str_equal(nn_network_input(network, i)->name,
                            ((const NnValue *)graph->inputs->pdata[k])->name) &&
                !nn_slot_write_input(slot, runner->queue, i, 1, inputs->pdata[k], error))
                return FALSE;
    return TRUE;
}

static gboolean run_device(const Runner *runner, NnModel *model, GPtrArray *inputs,
                           const NnBinding *bindings, NnArray **outputs, GError **error)
{
    const NnGraph *graph = nn_model_graph(model);
    NnNetworkParams params = { .max_samples = 1,
                               .precision = NN_PRECISION_FP32,
                               .inputs = bindings,
                               .n_inputs = graph->inputs->len,
                               .variant = runner->variant,
                               .no_fusion = runner->no_fusion };
    g_autoptr(NnNetwork) network = nn_network_new(model, runner->device, &params, error);
    g_autoptr(NnSlot) slot = network ? nn_slot_new(network, error) : NULL;

    if (!slot || !write_inputs(runner, slot, network, graph, inputs, error) ||
        !nn_slot_run(slot, runner->queue, 1, error))
        return FALSE;
    for (guint i = 0; i < graph->outputs->len; i++)
        if (!(outputs[i] = nn_slot_read_output(slot, runner->queue, i, 1, error)))
            return FALSE;
    return TRUE;
}

/* What was not computed is NULL. */
static void free_array(gpointer array)
{
    if (array)
        nn_array_unref(array);
}

static gboolean run_data_set(const Runner *runner, NnModel *model, const char *folder,
                             GError **error)
{
    const NnGraph *graph = nn_model_graph(model);
    g_autoptr(GPtrArray) got = g_ptr_array_new_with_free_func(free_array);
    g_autoptr(GPtrArray) inputs = load_tensors(folder, "input", graph->inputs->len, error);
    g_autoptr(GPtrArray) want =
        inputs ? load_tensors(folder, "output", graph->outputs->len, error) : NULL;
    g_autofree NnBinding *bindings = want ? make_bindings(graph, inputs) : NULL;
    gboolean done;

    if (!want)
        return FALSE;
    g_ptr_array_set_size(got, graph->outputs->len);
    done = runner->device
               ? run_device(runner, model, inputs, bindings, (NnArray **)got->pdata, error)
               : run_reference(graph, inputs, bindings, (NnArray **)got->pdata, error);
    for (guint i = 0; done && i < got->len; i++)
        done = compare(((const NnValue *)graph->outputs->pdata[i])->name, got->pdata[i],
                       want->pdata[i], runner->device ? ABSOLUTE_DEVICE : ABSOLUTE, error);
    return done;
}

/* ---------------------------------------------------------------- tests */

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in @folder that begin with @prefix, sorted. */
static GPtrArray *list_folder(const char *folder, const char *prefix)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);

    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (g_str_has_prefix(name, prefix))
            g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, compare_names);
    return names;
}

static gboolean run_test(const Runner *runner, const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "model.onnx", NULL);
    g_autoptr(GPtrArray) sets = list_folder(folder, "test_data_set_");
    g_autoptr(NnModel) model = nn_model_load(path, error);

    if (!model)
        return FALSE;
    for (guint i = 0; i < nn_model_graph(model)->nodes->len; i++)
        if (!g_str_equal(((const NnNode *)nn_model_graph(model)->nodes->pdata[i])->type, "If") &&
            !nn_operator_find(nn_model_graph(model)->nodes->pdata[i], error))
            return FALSE;
    for (guint i = 0; i < sets->len; i++) {
        g_autofree char *set = g_build_filename(folder, sets->pdata[i], NULL);

        if (!run_data_set(runner, model, set, error))
            return FALSE;
    }
    return sets->len > 0 || fail(error, "there is no data");
}

/* TRUE if the device turned away what the reference functions do. */
static gboolean is_host_only(const Runner *runner, const char *folder)
{
    Runner reference = { 0 };

    return runner->device && run_test(&reference, folder, NULL);
}

static void report(Runner *runner, const char *folder, const char *name, const GError *error)
{
    if (!error) {
        runner->n_passed++;
        if (runner->verbose)
            g_print("pass       %s\n", name);
    } else if (!g_error_matches(error, NN_ERROR, NN_ERROR_UNSUPPORTED)) {
        runner->n_failed++;
        g_print("FAIL       %s: %s\n", name, error->message);
    } else if (is_host_only(runner, folder)) {
        runner->n_host++;
        g_print("no kernel  %s: %s\n", name, error->message);
    } else {
        runner->n_unclaimed++;
        if (runner->verbose)
            g_print("unclaimed  %s: %s\n", name, error->message);
    }
}

static void run_folder(Runner *runner, const char *folder)
{
    g_autoptr(GPtrArray) names = list_folder(folder, "");

    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(folder, names->pdata[i], NULL);
        g_autoptr(GError) error = NULL;

        if (runner->filter && !strstr(names->pdata[i], runner->filter))
            continue;
        run_test(runner, path, &error);
        report(runner, path, names->pdata[i], error);
    }
}

/* ---------------------------------------------------------------- table */

static int compare_rows(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const NnOperator *const *)a)->type, (*(const NnOperator *const *)b)->type);
}

/* The claimed operators as a Markdown table. */
static void print_table(void)
{
    g_autoptr(GPtrArray) rows = g_ptr_array_new();

    for (const NnOperator *op = nn_operators; op->type; op++)
        g_ptr_array_add(rows, (gpointer)op);
    g_ptr_array_sort(rows, compare_rows);
    g_print("| Operator | Opsets | Runs |\n|---|---|---|\n");
    for (guint i = 0; i < rows->len; i++) {
        const NnOperator *op = rows->pdata[i];

        g_print("| %s | %d to %d | %s |\n", op->type, op->since, op->until,
                op->flags & NN_OP_HOST_ONLY ? "before the network does, on known values"
                                            : "on the device");
    }
}

/* ---------------------------------------------------------------- */

/* Prints the counts; the status to end with. */
static int conclude(const Runner *runner, gboolean on_device)
{
    if (runner->n_passed + runner->n_failed + runner->n_host + runner->n_unclaimed == 0) {
        g_print("skipped: there are no tests; Debian's libonnx-testdata has them\n");
        return STATUS_SKIPPED;
    }
    g_print("%u passed, %u failed, %u unclaimed", runner->n_passed, runner->n_failed,
            runner->n_unclaimed);
    if (on_device)
        g_print(", %u without a kernel", runner->n_host);
    g_print("\n");
    return runner->n_failed > 0 || runner->n_host > 0;
}

static gboolean open_device(Runner *runner, const char *spec, GError **error)
{
    runner->device = ocl_device_open(spec, error);
    if (runner->device)
        runner->queue = ocl_queue_new(runner->device, "compute", FALSE, error);
    return runner->queue != NULL;
}

/* Every function that kernels call is declared in kernels/builtins.cl. */
static void fail_if_undeclared(const char *domain, GLogLevelFlags level, const char *message,
                               gpointer data)
{
    if (strstr(message, "builtins.cl"))
        g_error("%s", message);
    g_log_default_handler(domain, level, message, data);
}

int main(int argc, char **argv)
{
    g_log_set_handler(NULL, G_LOG_LEVEL_DEBUG, fail_if_undeclared, NULL);
    static const char *const standard[] = { DATA "node", DATA "simple", DATA "pytorch-operator",
                                            DATA "pytorch-converted", NULL };
    Runner runner = { 0 };
    gboolean table = FALSE;
    g_autofree char *device = NULL;
    const GOptionEntry entries[] = {
        { "device", 'd', 0, G_OPTION_ARG_STRING, &device, "Test the kernels on this device", "D" },
        { "variant", 0, 0, G_OPTION_ARG_STRING, &runner.variant,
          "Force a kernel variant where it applies", "V" },
        { "no-fusion", 0, 0, G_OPTION_ARG_NONE, &runner.no_fusion, "Skip the optimising passes",
          NULL },
        { "filter", 'f', 0, G_OPTION_ARG_STRING, &runner.filter, "Only tests whose name has TEXT",
          "TEXT" },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &runner.verbose, "Name every test", NULL },
        { "table", 0, 0, G_OPTION_ARG_NONE, &table, "Print the claimed operators as Markdown",
          NULL },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("[FOLDER OF TESTS...]");
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) ||
        (device && !open_device(&runner, device, &error))) {
        g_printerr("%s\n", error->message);
        return 2;
    }
    if (table) {
        print_table();
        return 0;
    }
    for (int i = 1; i < argc; i++)
        run_folder(&runner, argv[i]);
    for (guint i = 0; argc < 2 && standard[i]; i++)
        run_folder(&runner, standard[i]);
    g_clear_pointer(&runner.queue, ocl_queue_free);
    g_clear_pointer(&runner.device, ocl_device_unref);
    return conclude(&runner, device != NULL);
}
