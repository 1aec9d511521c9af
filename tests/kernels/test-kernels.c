/* test-kernels.c - every kernel variant against the operators' C references.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-kernels [--filter TEXT ...] [--all] [--part K/N] [--seed N] [--list] [--device SPEC]
 *     [--class cpu|generic] [--samples N]
 *
 * Each case becomes a small model, dressed so that its tensors lie in memory in several ways, built
 * in both precisions with each variant forced, and run over one, two and three samples. Besides the
 * numbers it is checked that a sample's result is the same bits whatever else is in the batch, and
 * that nothing is written where samples that were not asked for would lie.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "casemodel.h"

#define MAX_SAMPLES 3
#define POISON 0xa5

static OclDevice *device;
static OclQueue *queue;
static guint32 seed = 1;
static guint most_samples = MAX_SAMPLES; /* that are run at once */

/* ---------------------------------------------------------------- running */

typedef struct {
    NnGraph *graph; /* inferred, as the model has it: for the reference */
    NnArray *fed[MAX_SAMPLES][CASE_INPUTS];
    NnArray *expected[MAX_SAMPLES][CASE_INPUTS];
} Expectation;

static void expectation_clear(Expectation *e)
{
    for (guint s = 0; s < MAX_SAMPLES; s++)
        for (guint i = 0; i < CASE_INPUTS; i++) {
            g_clear_pointer(&e->fed[s][i], nn_array_unref);
            g_clear_pointer(&e->expected[s][i], nn_array_unref);
        }
    g_clear_pointer(&e->graph, nn_graph_free);
}

/* The range that the case asks for; what a dress adds is within -1..1. */
static void fill_input(NnArray *array, const char *name, const CaseInput *inputs, guint32 *state)
{
    const CaseInput *input =
        strcmp(name, "wide") == 0 || strcmp(name, "plain") == 0 ? &inputs[0] : NULL;
    if (g_str_has_prefix(name, "in") && g_ascii_isdigit(name[2]))
        input = &inputs[g_ascii_strtoull(name + 2, NULL, 10)];
    case_fill(array, input ? input->low : -1, input ? input->high : 1, state);
}

static gboolean expect(Expectation *e, NnModel *model, const CaseInput *inputs, guint32 *state,
                       GError **error)
{
    e->graph = nn_graph_copy(nn_model_graph(model));
    if (!nn_graph_infer(e->graph, NULL, 0, error))
        return FALSE;
    for (guint s = 0; s < MAX_SAMPLES; s++) {
        for (guint i = 0; i < e->graph->inputs->len; i++) {
            const NnValue *input = e->graph->inputs->pdata[i];
            e->fed[s][i] = nn_value_array(input, error);
            if (!e->fed[s][i])
                return FALSE;
            fill_input(e->fed[s][i], input->name, inputs, state);
        }
        if (!nn_graph_evaluate(e->graph, e->fed[s], e->expected[s], error))
            return FALSE;
    }
    return TRUE;
}

/* The arrays of @n samples as one, dim 0 after dim 0. */
static NnArray *stack(NnArray *(*fed)[CASE_INPUTS], guint input, guint n)
{
    const NnArray *first = fed[0][input];
    const gint64 dims[1] = { (gint64)(first->n * n) };
    NnArray *all = nn_array_new(first->type, 1, dims);
    const gsize size_b = first->n * nn_type_size(first->type);
    for (guint s = 0; s < n; s++)
        memcpy((guint8 *)all->data + s * size_b, fed[s][input]->data, size_b);
    return all;
}

static gboolean poison_outputs(NnSlot *slot, NnNetwork *network, GError **error)
{
    for (guint i = 0; i < nn_network_n_outputs(network); i++) {
        const NnPlace place = nn_slot_output(slot, i);
        gsize size_b;
        if (clGetMemObjectInfo(place.memory, CL_MEM_SIZE, sizeof size_b, &size_b, NULL) !=
                CL_SUCCESS ||
            !ocl_fill(queue, place.memory, POISON, 0, size_b, NULL, error) ||
            !ocl_queue_finish(queue, error))
            return FALSE;
    }
    return TRUE;
}

/* A network of one launch writes nothing but its output, so that the blocks of samples beyond
 * @n_samples must still be poison. */
static gboolean check_guards(NnSlot *slot, NnNetwork *network, guint n_samples, GError **error)
{
    if (nn_network_n_launches(network) != 1)
        return TRUE;
    for (guint i = 0; i < nn_network_n_outputs(network); i++) {
        const NnPlace place = nn_slot_output(slot, i);
        const gsize element_b = nn_type_size(place.type);
        const gsize block_b = (gsize)place.sample_stride * element_b;
        const gsize first_b = (gsize)place.offset * element_b + n_samples * block_b;
        const gsize size_b = (MAX_SAMPLES - n_samples) * block_b;
        g_autofree guint8 *bytes = g_malloc(MAX(size_b, 1));
        if (size_b == 0 || place.offset % 64 != 0)
            continue;
        if (!ocl_read(queue, place.memory, first_b, bytes, size_b, NULL, error) ||
            !ocl_queue_finish(queue, error))
            return FALSE;
        for (gsize k = 0; k < size_b; k++)
            if (bytes[k] != POISON) {
                g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                            "wrote %" G_GSIZE_FORMAT " bytes past the last sample of output %u", k,
                            i);
                return FALSE;
            }
    }
    return TRUE;
}

/* The largest difference, relative to the largest element that is expected. */
static double worst_difference(const NnArray *got, gsize first, const NnArray *expected)
{
    double scale = 1e-6, worst = 0;
    for (gsize i = 0; i < expected->n; i++) {
        const double e = nn_array_get(expected, i);
        const double difference = fabs(nn_array_get(got, first + i) - e);
        scale = isfinite(e) ? MAX(scale, fabs(e)) : scale;
        worst = difference <= worst ? worst : isfinite(difference) ? difference : INFINITY;
    }
    return worst / scale;
}

/* Bits of sample 0 as they were when it ran alone. */
typedef struct {
    NnArray *alone[CASE_INPUTS];
} Alone;

static void alone_clear(Alone *alone)
{
    for (guint i = 0; i < CASE_INPUTS; i++)
        g_clear_pointer(&alone->alone[i], nn_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Alone, alone_clear)

static gboolean same_as_alone(Alone *alone, guint output, NnArray *got, gsize n)
{
    NnArray **first = &alone->alone[output];
    if (!*first) {
        *first = nn_array_ref(got);
        return TRUE;
    }
    return memcmp((*first)->data, got->data, n * nn_type_size(got->type)) == 0;
}

static gboolean check_outputs(NnSlot *slot, const Expectation *e, guint n_samples, double tolerance,
                              Alone *alone, double *worst, GError **error)
{
    for (guint i = 0; i < e->graph->outputs->len; i++) {
        g_autoptr(NnArray) got = nn_slot_read_output(slot, queue, i, n_samples, error);
        if (!got)
            return FALSE;
        const gsize n = e->expected[0][i]->n;
        for (guint s = 0; s < n_samples && got->n == n * n_samples; s++) {
            const double difference = worst_difference(got, s * n, e->expected[s][i]);
            *worst = MAX(*worst, difference);
            if (!(difference <= tolerance)) {
                g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                            "output %u, sample %u of %u: off by %.3g, allowed %.3g", i, s,
                            n_samples, difference, tolerance);
                return FALSE;
            }
        }
        if (!same_as_alone(alone, i, got, n)) {
            g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                        "output %u depends on what else is computed, in a batch of %u", i,
                        n_samples);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean run_samples(NnNetwork *network, NnSlot *slot, const Expectation *e, guint n_samples,
                            double tolerance, Alone *alone, double *worst, GError **error)
{
    if (!poison_outputs(slot, network, error))
        return FALSE;
    for (guint i = 0; i < e->graph->inputs->len; i++) {
        g_autoptr(NnArray) all = stack((NnArray * (*)[CASE_INPUTS]) e->fed, i, n_samples);
        if (!nn_slot_write_input(slot, queue, i, n_samples, all, error))
            return FALSE;
    }
    return nn_slot_run(slot, queue, n_samples, error) && ocl_queue_finish(queue, error) &&
           check_outputs(slot, e, n_samples, tolerance, alone, worst, error) &&
           check_guards(slot, network, n_samples, error);
}

/* @most_launches: that may compute everything; 0 for any number. *n_launches: (out). */
static gboolean run_network(NnModel *model, const Expectation *e, const char *variant,
                            gboolean fp16, guint most_launches, double tolerance, Alone *alone,
                            guint *n_launches, double *worst, GError **error)
{
    const NnNetworkParams params = { .max_samples = MAX_SAMPLES,
                                     .precision = fp16 ? NN_PRECISION_FP16 : NN_PRECISION_FP32,
                                     .variant = variant };
    g_autoptr(NnNetwork) network = nn_network_new(model, device, &params, error);
    g_autoptr(NnSlot) slot = network ? nn_slot_new(network, error) : NULL;
    gboolean ok = slot != NULL;
    *n_launches = network ? nn_network_n_launches(network) : 0;
    if (ok && most_launches > 0 && *n_launches > most_launches) {
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "%u launches, at most %u are needed",
                    *n_launches, most_launches);
        ok = FALSE;
    }
    for (guint n = 1; n <= most_samples && ok; n++)
        ok = run_samples(network, slot, e, n, tolerance, alone, worst, error);
    return ok;
}

/* ---------------------------------------------------------------- the list of tests */

static const char *const dress_names[N_DRESSES] = {
    "plain",       "sliced",          "row-major", "residual-relu", "hardswish",  "scaled",
    "expanded",    "pooled",          "kept",      "separable",     "prelu",      "heads",
    "added",       "halved",          "normed",    "projected",     "inverted",   "enlarged",
    "grown",       "normed-few",      "sigmoid",   "sides",         "sides-each", "cascade",
    "normed-conv", "normed-enlarged",
};

static double tolerance_of(const Case *c, gboolean fp16)
{
    /* Halves: 11 bits, rounded on the way in, at the end, and between launches. */
    return MAX(c->tolerance, fp16 ? 2e-3 : 1e-5);
}

/* What a fused case needs; an inverted residual one more, for the numbers of its channels. */
static guint most_launches(Dress dress, const char *variant, gboolean fp16)
{
    if (dress == DRESS_PROJECTED || dress == DRESS_INVERTED)
        return fp16 ? 2 : 0;
    if (dress == DRESS_NORMED_FEW || dress == DRESS_NORMED_CONV || dress == DRESS_NORMED_ENLARGED)
        return fp16 ? 2 : 0;
    if (g_strcmp0(variant, "resize_joined") == 0)
        return dress == DRESS_CASCADE ? 4 : dress == DRESS_SIDES ? 2 : 1;
    const gboolean fused = dress_adds_convolution(dress) || dress == DRESS_HEADS ||
                           (dress == DRESS_EPILOGUE && g_strcmp0(variant, "resize_map") == 0);
    return fused && device->device_class == OCL_CLASS_CPU ? 1 : 0;
}

/* @shared: see case_build_model(). */
static gboolean run_model(const Case *c, Dress dress, const char *variant, gboolean fp16,
                          gboolean shared, Alone *alone, guint *n_launches, double *worst,
                          GError **error)
{
    CaseInput inputs[CASE_INPUTS] = { { 0 } };
    Expectation e = { 0 };
    guint32 state = seed * 2654435761u | 1;
    const guint n = case_parse_inputs(c, inputs, &state);
    g_autoptr(NnModel) model = case_build_model(c, inputs, n, dress, shared, seed, error);
    const gboolean ok = model && expect(&e, model, inputs, &state, error) &&
                        run_network(model, &e, variant, fp16, most_launches(dress, variant, fp16),
                                    tolerance_of(c, fp16), alone, n_launches, worst, error);
    expectation_clear(&e);
    for (guint i = 0; i < n; i++)
        case_input_clear(&inputs[i]);
    return ok;
}

/* What is enlarged within the convolution gives the same bits as what is stored first, as something
 * else uses it, too; on CPUs the numbers alone are the same, as Resize has a kernel of its own. */
static gboolean run_case(const Case *c, Dress dress, const char *variant, gboolean fp16,
                         double *worst, GError **error)
{
    g_auto(Alone) alone = { { NULL } };
    guint n_within, n_stored;
    if (!run_model(c, dress, variant, fp16, FALSE, &alone, &n_within, worst, error))
        return FALSE;
    if (!dress_enlarges(dress))
        return TRUE;
    if (device->device_class == OCL_CLASS_CPU)
        alone_clear(&alone);
    if (!run_model(c, dress, variant, fp16, TRUE, &alone, &n_stored, worst, error))
        return FALSE;
    if (n_stored == n_within + (fp16 ? 2 : 1))
        return TRUE;
    g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "%u launches, and %u with the enlarged map stored",
                n_within, n_stored);
    return FALSE;
}

static gboolean uses_dress(const Case *c, Dress dress)
{
    CaseInput inputs[CASE_INPUTS] = { { 0 } };
    guint32 state = 1;
    if (!(c->dresses & 1u << dress))
        return FALSE;
    const guint n = case_parse_inputs(c, inputs, &state);
    const gboolean fits = dress_fits(inputs, dress);
    for (guint i = 0; i < n; i++)
        case_input_clear(&inputs[i]);
    return fits;
}

static guint n_run, n_failed;
static gboolean all;                        /* cases in every dress */
static guint part = 1, n_parts = 1, n_seen; /* every n_parts-th case is run, from the part-th on */

/* Without filters everything passes. */
static gboolean passes(const char *name, char *const *filters)
{
    for (guint i = 0; filters && filters[i]; i++)
        if (strstr(name, filters[i]))
            return TRUE;
    return !filters;
}

static void run_one(const Case *c, Dress dress, const char *variant, gboolean fp16,
                    char *const *filters, gboolean list)
{
    g_autofree char *name =
        g_strdup_printf("%s-%d (%s) %s %s %s %s", c->type, c->opset, c->inputs, c->attributes,
                        *variant ? variant : "any", dress_names[dress], fp16 ? "fp16" : "fp32");
    g_autoptr(GError) error = NULL;
    double worst = 0;
    if (n_seen++ % n_parts != part - 1 || !passes(name, filters))
        return;
    n_run++;
    if (list) {
        g_print("%s\n", name);
        return;
    }
    if (run_case(c, dress, *variant ? variant : NULL, fp16, &worst, &error)) {
        g_print("ok %u - %s: %.2g\n", n_run, name, worst);
        return;
    }
    n_failed++;
    g_print("not ok %u - %s\n# %s\n# test-kernels --seed %u --filter '%s'\n", n_run, name,
            error->message, seed, name);
}

/* What a dress or halves do hardly depends on the geometry, but compiling it takes time: a case by
 * a variant wears every fourth of the common dresses and sees halves every other time, other ones
 * than its neighbours, unless all are asked for. What kernels on tensor cores do behind their sums
 * hardly depends on their tiles. */
static gboolean is_chosen(guint index, Dress dress, gboolean fp16)
{
    if (!all && dress >= DRESS_ADDED)
        return (index + dress + fp16) % 3 == 0;
    if (all || dress > DRESS_SCALED)
        return TRUE;
    return (dress == DRESS_PLAIN || (index + dress) % 4 == 0) &&
           (!fp16 || (index / 4 + dress) % 2 == 0);
}

static void run_all(char *const *filters, gboolean list)
{
    for (guint i = 0; i < n_cases; i++) {
        g_auto(GStrv) variants =
            g_strsplit(*cases[i].variants ? cases[i].variants : "none", " ", -1);
        for (guint dress = 0; dress < N_DRESSES; dress++) {
            if (!uses_dress(&cases[i], dress))
                continue;
            for (guint v = 0; variants[v]; v++)
                for (int fp16 = 0; fp16 < 2; fp16++)
                    if (is_chosen(i + v, dress, fp16))
                        run_one(&cases[i], dress, *cases[i].variants ? variants[v] : "", fp16,
                                filters, list);
        }
    }
}

/* Lets kernels of another class of devices run: those for CPUs on a simulated GPU, those for GPUs
 * on a CPU. FALSE if there is no such class. */
static gboolean set_class(const char *class_name)
{
    if (g_strcmp0(class_name, "cpu") == 0)
        device->device_class = OCL_CLASS_CPU;
    else if (g_strcmp0(class_name, "generic") == 0)
        device->device_class = OCL_CLASS_GENERIC;
    else
        return !class_name;
    return TRUE;
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
    g_auto(GStrv) filters = NULL;
    g_autofree char *spec = NULL, *parts = NULL, *class_name = NULL;
    gboolean list = FALSE;
    int seed_option = 1, samples = MAX_SAMPLES;
    const GOptionEntry entries[] = {
        { "filter", 'f', 0, G_OPTION_ARG_STRING_ARRAY, &filters,
          "Only names that hold TEXT, or one of several", "TEXT" },
        { "all", 'a', 0, G_OPTION_ARG_NONE, &all, "Every case in every dress; --filter implies it",
          NULL },
        { "part", 'p', 0, G_OPTION_ARG_STRING, &parts, "Only every Nth case, from the Kth on",
          "K/N" },
        { "seed", 's', 0, G_OPTION_ARG_INT, &seed_option, "Of the random numbers", "N" },
        { "list", 'l', 0, G_OPTION_ARG_NONE, &list, "Names only", NULL },
        { "device", 'd', 0, G_OPTION_ARG_STRING, &spec, "As in ocl_device_open()", "SPEC" },
        { "class", 'c', 0, G_OPTION_ARG_STRING, &class_name, "Take the device for one of these",
          "cpu|generic" },
        { "samples", 'n', 0, G_OPTION_ARG_INT, &samples, "At once, at most; default 3", "N" },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("%s\n", error->message);
        return 2;
    }
    if (parts && (sscanf(parts, "%u/%u", &part, &n_parts) != 2 || !part || part > n_parts)) {
        g_printerr("--part wants K/N, as 1/4, not %s\n", parts);
        return 2;
    }
    all |= filters != NULL;
    most_samples = (guint)CLAMP(samples, 1, MAX_SAMPLES);
    seed = (guint32)seed_option;
    g_log_set_handler(NULL, G_LOG_LEVEL_DEBUG, fail_if_undeclared, NULL);
    device = ocl_device_open(spec, &error);
    queue = device ? ocl_queue_new(device, "test", FALSE, &error) : NULL;
    if (!queue) {
        g_print("Bail out! %s\n", error->message);
        return 1;
    }
    if (!set_class(class_name)) {
        g_printerr("--class wants cpu or generic, not %s\n", class_name);
        return 2;
    }
    run_all(filters, list);
    if (!list)
        g_print("1..%u\n", n_run);
    ocl_queue_free(queue);
    ocl_device_unref(device);
    return n_failed > 0;
}
