/* nn-run.c - runs any ONNX file on raw tensors: for comparing with other engines, and for timing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Inputs come from .npy files or are seeded random numbers. An input whose first dim is a multiple
 * of what the model says holds that many samples; they are computed side by side in one run. The
 * device "reference" stands for the plain C reference of every operator. Ends with status 2 and one
 * line for whatever cannot be run.
 */
#include <json-glib/json-glib.h>
#include <locale.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "nn.h"
#include "npy.h"
#include "operator.h"
#include "profile.h"
#include "recorder.h"
#include "stand-in.h"
#include "tune.h"

#define STATUS_CANNOT_RUN 2

typedef struct {
    char *model;
    char **inputs, **shapes; /* NAME=FILE, NAME=1x3x512x512 */
    char *output_dir, *device, *like, *precision, *variant, *tuning;
    gint tuning_ms;
    gint repeat, batch, seed;
    gboolean json, profile, launches, no_fusion, recorded;
} Options;

/* From the file to the first frame, in ms. */
typedef struct {
    double load;      /* reading the model */
    double device;    /* opening the device */
    double build;     /* passes, layout, plan, weights on the device */
    double slot;      /* memory and kernels of a batch: compiling where nothing is cached */
    double first_run; /* PoCL links its kernels here */
} Start;

/* What goes into one graph input. */
typedef struct {
    const NnValue *value;
    NnBinding binding; /* shape of one sample; the value itself if that steers shapes */
    NnArray *array;    /* n_samples blocks along dim 0 */
    guint n_samples;
} Feed;

typedef struct {
    NnModel *model;
    GArray *feeds; /* Feed, in the order of the graph's inputs */
    guint n_samples;
    GPtrArray *outputs; /* NnArray*, in the order of the graph's outputs */
    GArray *times_ms;   /* double, sorted */
    GPtrArray *runs;    /* (nullable): GArray* of NnProfileLine, of every timed run */
    GArray *profile;    /* (nullable): NnProfileLine, their medians */
    char *where;        /* the device in words */
    NnNetwork *network; /* NULL with the reference */
    Start start_ms;
} Run;

/* ---------------------------------------------------------------- options */

static gboolean parse_options(int *argc, char ***argv, Options *options, GError **error)
{
    const GOptionEntry entries[] = {
        { "input", 'i', 0, G_OPTION_ARG_FILENAME_ARRAY, &options->inputs,
          "The tensor of one input (may be repeated)", "NAME=FILE.npy" },
        { "shape", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->shapes,
          "Shape of one sample of a random input whose dims the model leaves open",
          "NAME=1x3x512x512" },
        { "batch", 'b', 0, G_OPTION_ARG_INT, &options->batch, "Samples of random inputs", "N" },
        { "seed", 0, 0, G_OPTION_ARG_INT, &options->seed, "Seed of random inputs", "N" },
        { "output-dir", 'o', 0, G_OPTION_ARG_FILENAME, &options->output_dir,
          "Write every output as NAME.npy into this folder", "DIR" },
        { "device", 'd', 0, G_OPTION_ARG_STRING, &options->device,
          "auto, gpu, cpu, 0:0, a piece of the name, or reference", "D" },
        { "like", 0, 0, G_OPTION_ARG_STRING, &options->like,
          "Have a CPU plan and compute as a GPU would, slowly: hopper, ampere or gpu", "KIND" },
        { "precision", 'p', 0, G_OPTION_ARG_STRING, &options->precision, "auto, fp32 or fp16",
          "P" },
        { "repeat", 'n', 0, G_OPTION_ARG_INT, &options->repeat, "Timed runs after a warm-up", "N" },
        { "variant", 0, 0, G_OPTION_ARG_STRING, &options->variant,
          "Force a kernel variant where it applies", "V" },
        { "tuning", 0, 0, G_OPTION_ARG_STRING, &options->tuning,
          "off: kernels by rules; cached: by what was measured before; measure: and measure", "T" },
        { "tuning-time", 0, 0, G_OPTION_ARG_INT, &options->tuning_ms,
          "How long --tuning measure may take", "MS" },
        { "no-fusion", 0, 0, G_OPTION_ARG_NONE, &options->no_fusion, "Skip the optimising passes",
          NULL },
        { "recorded", 0, 0, G_OPTION_ARG_NONE, &options->recorded,
          "Replay recorded launches (cl_khr_command_buffer) also where that saves nothing", NULL },
        { "profile", 0, 0, G_OPTION_ARG_NONE, &options->profile,
          "Print the median time of every launch, memory and the time to the first frame", NULL },
        { "launches", 0, 0, G_OPTION_ARG_NONE, &options->launches,
          "Print what would be launched, and run nothing", NULL },
        { "json", 0, 0, G_OPTION_ARG_NONE, &options->json, "Print JSON", NULL },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("MODEL.onnx");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (*argc != 2 || options->repeat < 1 || options->batch < 1 || options->tuning_ms < 0) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    *argc != 2 ? "exactly one model is wanted, see --help"
                               : "--repeat and --batch are at least 1, --tuning-time is positive");
        return FALSE;
    }
    options->model = (*argv)[1];
    return TRUE;
}

/* The text after "NAME=" among @pairs, NULL if there is none. */
static const char *find_pair(char **pairs, const char *name)
{
    for (; pairs && *pairs; pairs++) {
        if (g_str_has_prefix(*pairs, name) && (*pairs)[strlen(name)] == '=')
            return *pairs + strlen(name) + 1;
    }
    return NULL;
}

/* Every NAME of @pairs must be an input of @graph. */
static gboolean check_pairs(const NnGraph *graph, char **pairs, GError **error)
{
    for (; pairs && *pairs; pairs++) {
        gboolean known = FALSE;
        for (guint i = 0; i < graph->inputs->len; i++) {
            const char *name = ((const NnValue *)graph->inputs->pdata[i])->name;
            known |= g_str_has_prefix(*pairs, name) && (*pairs)[strlen(name)] == '=';
        }
        if (known)
            continue;
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "no input fits '%s'", *pairs);
        return FALSE;
    }
    return TRUE;
}

static gboolean parse_precision(const char *text, NnPrecision *precision, GError **error)
{
    static const char *const names[] = {
        [NN_PRECISION_AUTO] = "auto", [NN_PRECISION_FP32] = "fp32", [NN_PRECISION_FP16] = "fp16"
    };
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        *precision = i;
        if (g_strcmp0(text, names[i]) == 0)
            return TRUE;
    }
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "no precision '%s': auto, fp32 or fp16", text);
    return FALSE;
}

static gboolean parse_tuning(const char *text, NnTuning *tuning, GError **error)
{
    static const char *const names[] = {
        [NN_TUNING_OFF] = "off", [NN_TUNING_CACHED] = "cached", [NN_TUNING_MEASURE] = "measure"
    };
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        *tuning = i;
        if (g_strcmp0(text, names[i]) == 0)
            return TRUE;
    }
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "no tuning '%s': off, cached or measure", text);
    return FALSE;
}

/* ---------------------------------------------------------------- inputs */

static char *shape_text(int rank, const gint64 *dims)
{
    GString *text = g_string_new(rank == 0 ? "scalar" : NULL);
    for (int i = 0; i < rank; i++)
        g_string_append_printf(text, i == 0 ? "%" G_GINT64_FORMAT : "x%" G_GINT64_FORMAT, dims[i]);
    return g_string_free(text, FALSE);
}

static gboolean input_error(GError **error, const NnValue *value, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static gboolean input_error(GError **error, const NnValue *value, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "input '%s' %s", value->name, what);
    return FALSE;
}

/* Fits the array given for an input to what the model says: how many samples, each of what shape.
 */
static gboolean split_samples(Feed *feed, GError **error)
{
    const NnValue *value = feed->value;
    const NnArray *array = feed->array;
    g_autofree char *given = shape_text(array->rank, array->dims);
    if (array->type != value->type)
        return input_error(error, value, "is %s in the model, given %s", nn_type_name(value->type),
                           nn_type_name(array->type));
    if (value->rank >= 0 && value->rank != array->rank)
        return input_error(error, value, "has %d dims in the model, given %s", value->rank, given);
    for (int i = 1; i < value->rank; i++) {
        if (value->dims[i] >= 0 && value->dims[i] != array->dims[i])
            return input_error(error, value, "wants %" G_GINT64_FORMAT " as dim %d, given %s",
                               value->dims[i], i, given);
    }
    feed->binding.rank = array->rank;
    memcpy(feed->binding.dims, array->dims, sizeof array->dims);
    feed->n_samples = 1;
    if (array->rank == 0 || feed->binding.value)
        return TRUE;
    gint64 one = value->rank > 0 && value->dims[0] > 0 ? value->dims[0] : 1;
    if (array->dims[0] < one || array->dims[0] % one != 0 || array->dims[0] / one > G_MAXINT)
        return input_error(error, value,
                           "wants a multiple of %" G_GINT64_FORMAT " as dim 0, given %s", one,
                           given);
    feed->n_samples = (guint)(array->dims[0] / one);
    feed->binding.dims[0] = one;
    return TRUE;
}

static gboolean load_input(Feed *feed, const char *path, gboolean steers, GError **error)
{
    feed->array = npy_load(path, error);
    if (!feed->array)
        return FALSE;
    if (steers)
        feed->binding.value = feed->array;
    return split_samples(feed, error);
}

/* Shape of one sample of a random input: the user's, else the model's. */
static gboolean random_shape(const NnValue *value, const char *text, int *rank, gint64 *dims,
                             GError **error)
{
    if (text) {
        g_auto(GStrv) parts = g_strsplit(text, "x", -1);
        *rank = (int)g_strv_length(parts);
        if (*rank > NN_MAX_RANK)
            return input_error(error, value, "has too many dims in --shape");
        for (int i = 0; i < *rank; i++) {
            if (!g_ascii_string_to_signed(parts[i], 10, 0, G_MAXINT32, &dims[i], error))
                return FALSE;
        }
        return TRUE;
    }
    *rank = value->rank;
    memcpy(dims, value->dims, sizeof value->dims);
    if (*rank > 0 && dims[0] < 0)
        dims[0] = 1;
    for (int i = 0; i < MAX(*rank, 1); i++) {
        if (*rank < 0 || (*rank > 0 && dims[i] < 0))
            return input_error(error, value, "has an open shape: give --shape %s=... or --input",
                               value->name);
    }
    return TRUE;
}

static void fill_random(NnArray *array, guint32 seed)
{
    GRand *rand = g_rand_new_with_seed(seed);
    for (gsize i = 0; i < array->n; i++) {
        if (nn_type_is_float(array->type))
            nn_array_set(array, i, g_rand_double(rand));
        else
            nn_array_set_int(array, i, g_rand_int_range(rand, 0, 2));
    }
    g_rand_free(rand);
}

static gboolean random_input(Feed *feed, const Options *options, guint index, GError **error)
{
    int rank;
    gint64 dims[NN_MAX_RANK];
    if (!random_shape(feed->value, find_pair(options->shapes, feed->value->name), &rank, dims,
                      error))
        return FALSE;
    if (rank > 0)
        dims[0] *= options->batch;
    feed->array = nn_array_new(feed->value->type, rank, dims);
    if (!feed->array)
        return input_error(error, feed->value, "is too large for the memory");
    fill_random(feed->array, (guint32)options->seed + index);
    return split_samples(feed, error);
}

static gboolean make_feed(const NnGraph *graph, const Options *options, guint index, Feed *feed,
                          GError **error)
{
    feed->value = graph->inputs->pdata[index];
    feed->binding.name = feed->value->name;
    const char *path = find_pair(options->inputs, feed->value->name);
    const gboolean steers = nn_graph_input_steers_shapes(graph, feed->value);
    if (path)
        return load_input(feed, path, steers, error);
    if (steers)
        return input_error(error, feed->value, "steers shapes: give it with --input");
    return random_input(feed, options, index, error);
}

static void clear_feed(gpointer data)
{
    g_clear_pointer(&((Feed *)data)->array, nn_array_unref);
}

/* All inputs hold one sample or the run's number of them. */
static gboolean count_samples(Run *run, GError **error)
{
    run->n_samples = 1;
    for (guint i = 0; i < run->feeds->len; i++)
        run->n_samples = MAX(run->n_samples, g_array_index(run->feeds, Feed, i).n_samples);
    for (guint i = 0; i < run->feeds->len; i++) {
        const Feed *feed = &g_array_index(run->feeds, Feed, i);
        if (feed->n_samples != 1 && feed->n_samples != run->n_samples)
            return input_error(error, feed->value, "holds %u samples, another input %u",
                               feed->n_samples, run->n_samples);
    }
    return TRUE;
}

static gboolean make_feeds(Run *run, const Options *options, GError **error)
{
    const NnGraph *graph = nn_model_graph(run->model);
    if (!check_pairs(graph, options->inputs, error) || !check_pairs(graph, options->shapes, error))
        return FALSE;
    run->feeds = g_array_new(FALSE, TRUE, sizeof(Feed));
    g_array_set_clear_func(run->feeds, clear_feed);
    g_array_set_size(run->feeds, graph->inputs->len);
    for (guint i = 0; i < graph->inputs->len; i++) {
        if (!make_feed(graph, options, i, &g_array_index(run->feeds, Feed, i), error))
            return FALSE;
    }
    return count_samples(run, error);
}

static NnBinding *make_bindings(const Run *run)
{
    NnBinding *bindings = g_new0(NnBinding, run->feeds->len + 1);
    for (guint i = 0; i < run->feeds->len; i++)
        bindings[i] = g_array_index(run->feeds, Feed, i).binding;
    return bindings;
}

/* ---------------------------------------------------------------- times */

static int compare_times(gconstpointer a, gconstpointer b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_ms(const Run *run)
{
    const guint n = run->times_ms->len;
    return (g_array_index(run->times_ms, double, (n - 1) / 2) +
            g_array_index(run->times_ms, double, n / 2)) /
           2;
}

static double min_ms(const Run *run)
{
    return g_array_index(run->times_ms, double, 0);
}

static double ms_since(gint64 since_us)
{
    return (double)(g_get_monotonic_time() - since_us) / 1e3;
}

static void add_time(Run *run, gint64 since_us)
{
    const double ms = ms_since(since_us);
    g_array_append_val(run->times_ms, ms);
}

/* ---------------------------------------------------------------- on a device */

static const Feed *find_feed(const Run *run, const char *name)
{
    for (guint i = 0; i < run->feeds->len; i++) {
        const Feed *feed = &g_array_index(run->feeds, Feed, i);
        if (strcmp(feed->value->name, name) == 0)
            return feed;
    }
    return NULL;
}

/* Before every run: the memory of inputs is used again once they have been read. */
static gboolean write_inputs(const Run *run, NnSlot *slot, OclQueue *queue, GError **error)
{
    for (guint i = 0; i < nn_network_n_inputs(run->network); i++) {
        const Feed *feed = find_feed(run, nn_network_input(run->network, i)->name);
        if (!nn_slot_write_input(slot, queue, i, run->n_samples, feed->array, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean keep_profile(Run *run, NnSlot *slot, GError **error)
{
    GArray *lines = nn_slot_profile(slot, run->n_samples, error);
    if (lines)
        g_ptr_array_add(run->runs, lines);
    return lines != NULL;
}

/* The first run warms up and is not among the times. */
static gboolean time_runs(Run *run, NnSlot *slot, OclQueue *queue, int repeat, GError **error)
{
    for (int i = 0; i <= repeat; i++) {
        if (!write_inputs(run, slot, queue, error))
            return FALSE;
        const gint64 start_us = g_get_monotonic_time();
        if (!nn_slot_run(slot, queue, run->n_samples, error) || !ocl_queue_finish(queue, error))
            return FALSE;
        if (i == 0) {
            run->start_ms.first_run = ms_since(start_us);
            continue;
        }
        add_time(run, start_us);
        if (run->runs && !keep_profile(run, slot, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean read_outputs(Run *run, NnSlot *slot, OclQueue *queue, GError **error)
{
    for (guint i = 0; i < nn_network_n_outputs(run->network); i++) {
        NnArray *array = nn_slot_read_output(slot, queue, i, run->n_samples, error);
        if (!array)
            return FALSE;
        g_ptr_array_add(run->outputs, array);
    }
    return TRUE;
}

static gboolean parse_params(const Options *options, NnNetworkParams *params, GError **error)
{
    *params = (NnNetworkParams){ .variant = options->variant,
                                 .tuning_ms = (guint)options->tuning_ms,
                                 .profiling = options->profile,
                                 .recorded = options->recorded,
                                 .no_fusion = options->no_fusion };
    return parse_precision(options->precision, &params->precision, error) &&
           parse_tuning(options->tuning, &params->tuning, error);
}

static gboolean build(Run *run, const Options *options, OclDevice *device, GError **error)
{
    g_autofree NnBinding *bindings = make_bindings(run);
    NnNetworkParams params;
    if (!parse_params(options, &params, error))
        return FALSE;
    params.max_samples = run->n_samples;
    params.inputs = bindings;
    params.n_inputs = run->feeds->len;
    if (options->launches)
        return stand_in_print_launches(run->model, device, &params, error);
    const gint64 start_us = g_get_monotonic_time();
    run->network = nn_network_new(run->model, device, &params, error);
    run->start_ms.build = ms_since(start_us);
    return run->network != NULL;
}

static gboolean run_on_device(Run *run, const Options *options, GError **error)
{
    gint64 start_us = g_get_monotonic_time();
    g_autoptr(OclDevice) device = ocl_device_open(options->device, error);
    run->start_ms.device = ms_since(start_us);
    if (!device || (options->like && !stand_in_for(device, options->like, error)) ||
        !build(run, options, device, error))
        return FALSE;
    if (options->launches)
        return TRUE;
    if (options->profile)
        run->runs = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    g_autoptr(OclQueue) queue = ocl_queue_new(device, "compute", options->profile, error);
    start_us = g_get_monotonic_time();
    g_autoptr(NnSlot) slot = queue ? nn_slot_new(run->network, error) : NULL;
    run->start_ms.slot = ms_since(start_us);
    if (!slot || !time_runs(run, slot, queue, options->repeat, error) ||
        !read_outputs(run, slot, queue, error))
        return FALSE;
    run->where = g_strdup_printf("%s, %s, %u launches", device->name,
                                 nn_network_fp16(run->network) ? "fp16" : "fp32",
                                 nn_network_n_launches(run->network));
    if (run->runs)
        run->profile = profile_medians(run->runs);
    return TRUE;
}

/* ---------------------------------------------------------------- by the reference */

/* Sample @index of the feed; an input given once goes into every sample. */
static NnArray *feed_sample(const Feed *feed, guint index)
{
    if (feed->n_samples == 1)
        return nn_array_ref(feed->array);
    NnArray *sample = nn_array_new(feed->array->type, feed->binding.rank, feed->binding.dims);
    const gsize size_b = sample->n * nn_type_size(sample->type);
    memcpy(sample->data, (const guint8 *)feed->array->data + index * size_b, size_b);
    return sample;
}

static gboolean evaluate_sample(const Run *run, const NnGraph *graph, guint index,
                                NnArray **outputs, GError **error)
{
    g_autoptr(GPtrArray) inputs = g_ptr_array_new_with_free_func((GDestroyNotify)nn_array_unref);
    for (guint i = 0; i < run->feeds->len; i++)
        g_ptr_array_add(inputs, feed_sample(&g_array_index(run->feeds, Feed, i), index));
    return nn_graph_evaluate(graph, (NnArray *const *)inputs->pdata, outputs, error);
}

/* Appends a sample's outputs to those of the samples before it, along dim 0. */
static void gather_sample(Run *run, NnArray **outputs, guint n_outputs, guint index)
{
    for (guint i = 0; i < n_outputs; i++) {
        const gsize size_b = outputs[i]->n * nn_type_size(outputs[i]->type);
        if (index == 0) {
            gint64 dims[NN_MAX_RANK];
            memcpy(dims, outputs[i]->dims, sizeof dims);
            dims[0] *= outputs[i]->rank > 0 ? run->n_samples : 1;
            g_ptr_array_add(run->outputs, nn_array_new(outputs[i]->type, outputs[i]->rank, dims));
        }
        NnArray *all = run->outputs->pdata[i];
        if (all->rank > 0 || index == 0)
            memcpy((guint8 *)all->data + index * size_b, outputs[i]->data, size_b);
        nn_array_unref(outputs[i]);
    }
}

static gboolean run_reference(Run *run, const Options *options, GError **error)
{
    g_autofree NnBinding *bindings = make_bindings(run);
    g_autoptr(NnGraph) graph = nn_graph_copy(nn_model_graph(run->model));
    if (!nn_graph_infer(graph, bindings, run->feeds->len, error) ||
        (!options->no_fusion && !nn_graph_optimize(graph, error)))
        return FALSE;
    const guint n_outputs = graph->outputs->len;
    g_autofree NnArray **outputs = g_new0(NnArray *, n_outputs + 1);
    const gint64 start_us = g_get_monotonic_time();
    for (guint s = 0; s < run->n_samples; s++) {
        if (!evaluate_sample(run, graph, s, outputs, error))
            return FALSE;
        gather_sample(run, outputs, n_outputs, s);
    }
    add_time(run, start_us);
    run->where = g_strdup("C reference");
    return TRUE;
}

/* ---------------------------------------------------------------- results */

typedef struct {
    double min, max, mean;
    gsize n_not_finite; /* infinities and NaNs, which count for nothing else here */
} Summary;

static Summary summarize(const NnArray *array)
{
    Summary s = { .min = INFINITY, .max = -INFINITY };
    double sum = 0;
    for (gsize i = 0; i < array->n; i++) {
        const double x = nn_array_get(array, i);
        if (!isfinite(x)) {
            s.n_not_finite++;
            continue;
        }
        s.min = MIN(s.min, x);
        s.max = MAX(s.max, x);
        sum += x;
    }
    const gsize n = array->n - s.n_not_finite;
    s.mean = sum / (double)MAX(n, 1);
    if (n == 0)
        s.min = s.max = 0;
    return s;
}

static const char *output_name(const Run *run, guint i)
{
    return ((const NnValue *)nn_model_graph(run->model)->outputs->pdata[i])->name;
}

/* Names of tensors may hold slashes. */
static char *output_path(const Options *options, const char *name)
{
    g_autofree char *file = g_strdup_printf("%s.npy", name);
    return g_build_filename(options->output_dir, g_strdelimit(file, G_DIR_SEPARATOR_S, '_'), NULL);
}

static gboolean save_outputs(const Run *run, const Options *options, GError **error)
{
    if (!options->output_dir)
        return TRUE;
    if (g_mkdir_with_parents(options->output_dir, 0777) != 0) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "cannot make the folder %s",
                    options->output_dir);
        return FALSE;
    }
    for (guint i = 0; i < run->outputs->len; i++) {
        g_autofree char *path = output_path(options, output_name(run, i));
        if (!npy_save(path, run->outputs->pdata[i], error))
            return FALSE;
    }
    return TRUE;
}

/* The most memory that this process has had at once, the tensors of inputs and outputs included. */
static gsize peak_resident_b(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (gsize)usage.ru_maxrss * 1024 : 0;
}

static double first_frame_ms(const Start *start)
{
    return start->load + start->device + start->build + start->slot + start->first_run;
}

static void print_cost(const Run *run)
{
    const Start *start = &run->start_ms;
    gsize weights_b, arena_b, bound_b;
    nn_network_memory(run->network, &weights_b, &arena_b, &bound_b);
    const double mib = 1 << 20;
    g_print("memory: weights %.1f MiB, arena %.1f MiB, %.3f of the %.1f MiB that live at once, "
            "resident at most %.1f MiB\n",
            weights_b / mib, arena_b / mib, (double)arena_b / (double)MAX(bound_b, 1),
            bound_b / mib, peak_resident_b() / mib);
    g_print("first frame after %.1f ms: model %.1f, device %.1f, build %.1f, kernels %.1f, run "
            "%.1f\n",
            first_frame_ms(start), start->load, start->device, start->build, start->slot,
            start->first_run);
}

static void print_text(const Run *run)
{
    for (guint i = 0; i < run->outputs->len; i++) {
        const NnArray *array = run->outputs->pdata[i];
        const Summary s = summarize(array);
        g_autofree char *shape = shape_text(array->rank, array->dims);
        g_print("%s: %s %s min %g max %g mean %g", output_name(run, i), nn_type_name(array->type),
                shape, s.min, s.max, s.mean);
        g_print(s.n_not_finite ? ", %" G_GSIZE_FORMAT " not finite\n" : "\n", s.n_not_finite);
    }
    if (run->profile) {
        profile_print(run->profile);
        print_cost(run);
    }
    g_print("median %.3f ms, least %.3f ms of %u runs of %u samples (%s)\n", median_ms(run),
            min_ms(run), run->times_ms->len, run->n_samples, run->where);
}

static void json_member(JsonBuilder *json, const char *name, double value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_double_value(json, value);
}

static void json_string(JsonBuilder *json, const char *name, const char *value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_string_value(json, value);
}

static void json_count(JsonBuilder *json, const char *name, gsize value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_int_value(json, (gint64)value);
}

static void json_output(JsonBuilder *json, const char *name, const NnArray *array)
{
    const Summary s = summarize(array);
    json_builder_begin_object(json);
    json_string(json, "name", name);
    json_string(json, "type", nn_type_name(array->type));
    json_builder_set_member_name(json, "shape");
    json_builder_begin_array(json);
    for (int i = 0; i < array->rank; i++)
        json_builder_add_int_value(json, array->dims[i]);
    json_builder_end_array(json);
    json_member(json, "min", s.min);
    json_member(json, "max", s.max);
    json_member(json, "mean", s.mean);
    json_count(json, "not_finite", s.n_not_finite);
    json_builder_end_object(json);
}

static void json_network(JsonBuilder *json, const Run *run)
{
    gsize weights_b, arena_b, lower_bound_b;
    nn_network_memory(run->network, &weights_b, &arena_b, &lower_bound_b);
    json_count(json, "vector_width",
               nn_recorder_device(nn_network_recorder(run->network))->vector_width);
    json_string(json, "precision", nn_network_fp16(run->network) ? "fp16" : "fp32");
    json_count(json, "launches", nn_network_n_launches(run->network));
    json_count(json, "weights_b", weights_b);
    json_count(json, "arena_b", arena_b);
    json_count(json, "arena_lower_bound_b", lower_bound_b);
    json_count(json, "peak_resident_b", peak_resident_b());
    json_member(json, "load_ms", run->start_ms.load);
    json_member(json, "device_ms", run->start_ms.device);
    json_member(json, "build_ms", run->start_ms.build);
    json_member(json, "slot_ms", run->start_ms.slot);
    json_member(json, "first_run_ms", run->start_ms.first_run);
    json_member(json, "first_frame_ms", first_frame_ms(&run->start_ms));
}

static void print_json(const Run *run, const Options *options)
{
    g_autoptr(JsonBuilder) json = json_builder_new();
    json_builder_begin_object(json);
    json_string(json, "model", options->model);
    json_string(json, "device", run->where);
    json_count(json, "samples", run->n_samples);
    json_member(json, "median_ms", median_ms(run));
    json_member(json, "min_ms", min_ms(run));
    if (run->network)
        json_network(json, run);
    json_builder_set_member_name(json, "outputs");
    json_builder_begin_array(json);
    for (guint i = 0; i < run->outputs->len; i++)
        json_output(json, output_name(run, i), run->outputs->pdata[i]);
    json_builder_end_array(json);
    if (run->profile)
        profile_json(json, run->profile);
    json_builder_end_object(json);
    g_autoptr(JsonNode) root = json_builder_get_root(json);
    g_autofree char *text = json_to_string(root, TRUE);
    g_print("%s\n", text);
}

/* ---------------------------------------------------------------- main */

static gboolean run_model(Run *run, const Options *options, GError **error)
{
    const gint64 start_us = g_get_monotonic_time();
    run->model = nn_model_load(options->model, error);
    run->start_ms.load = ms_since(start_us);
    if (!run->model || !make_feeds(run, options, error))
        return FALSE;
    run->outputs = g_ptr_array_new_with_free_func((GDestroyNotify)nn_array_unref);
    run->times_ms = g_array_new(FALSE, FALSE, sizeof(double));
    const gboolean ok = g_strcmp0(options->device, "reference") == 0
                            ? run_reference(run, options, error)
                            : run_on_device(run, options, error);
    if (!ok || options->launches)
        return ok;
    g_array_sort(run->times_ms, compare_times);
    return save_outputs(run, options, error);
}

static void clear_run(Run *run)
{
    g_clear_pointer(&run->network, nn_network_unref);
    g_clear_pointer(&run->profile, g_array_unref);
    g_clear_pointer(&run->runs, g_ptr_array_unref);
    g_clear_pointer(&run->times_ms, g_array_unref);
    g_clear_pointer(&run->outputs, g_ptr_array_unref);
    g_clear_pointer(&run->feeds, g_array_unref);
    g_clear_pointer(&run->model, nn_model_unref);
    g_clear_pointer(&run->where, g_free);
}

static void clear_options(Options *options)
{
    g_strfreev(options->inputs);
    g_strfreev(options->shapes);
    g_free(options->output_dir);
    g_free(options->device);
    g_free(options->like);
    g_free(options->precision);
    g_free(options->variant);
    g_free(options->tuning);
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "");
    g_autoptr(GError) error = NULL;
    Options options = { .repeat = 1,
                        .batch = 1,
                        .tuning_ms = 5000,
                        .device = g_strdup("auto"),
                        .precision = g_strdup("auto"),
                        .tuning = g_strdup("off") };
    Run run = { 0 };
    gboolean ok =
        parse_options(&argc, &argv, &options, &error) && run_model(&run, &options, &error);
    if (ok && options.launches)
        ; /* printed */
    else if (ok && options.json)
        print_json(&run, &options);
    else if (ok)
        print_text(&run);
    else
        g_printerr("nn-run: %s%s%s\n", options.model ? options.model : "",
                   options.model ? ": " : "", g_strdelimit(error->message, "\n", ' '));
    clear_run(&run);
    clear_options(&options);
    return ok ? 0 : STATUS_CANNOT_RUN;
}
