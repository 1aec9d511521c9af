/* test-tune.c - tests of choosing kernels by measuring: what is kept, used, refused and bounded.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Works in a cache folder of its own; the driver's stays where it is, so that kernels are compiled
 * once.
 */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "nn.h"
#include "own-cache.h"
#include "onnx-builder.h"
#include "tune.h"

#define PLENTY_MS 60000

static OclDevice *device;
static char *cache_folder;

/* ---------------------------------------------------------------- networks */

/* A convolution that several kernels can do, two of them by Winograd's, and others. */
static NnModel *make_model(void)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,32,24,24");
    onnx_builder_floats(builder, "w", "32,32,3,3", NULL);
    onnx_builder_floats(builder, "v", "16,32,1,1", NULL);
    onnx_builder_floats(builder, "m", "24,40", NULL);
    onnx_node_ints(onnx_builder_node(builder, "Conv", "x,w", "a"), "pads", "1,1,1,1");
    onnx_builder_node(builder, "Conv", "a,v", "b");
    onnx_builder_node(builder, "MatMul", "b,m", "y");
    onnx_builder_output(builder, "y");
    g_autoptr(GBytes) bytes = onnx_builder_pack(builder);
    g_autoptr(GError) error = NULL;
    NnModel *model = nn_model_load_bytes(bytes, "test.onnx", &error);
    g_assert_no_error(error);
    return model;
}

static NnNetwork *build_as(NnTuning tuning, guint tuning_ms, NnPrecision precision)
{
    g_autoptr(NnModel) model = make_model();
    const NnNetworkParams params = { .max_samples = 2,
                                     .precision = precision,
                                     .tuning = tuning,
                                     .tuning_ms = tuning_ms,
                                     .profiling = TRUE };
    g_autoptr(GError) error = NULL;
    NnNetwork *network = nn_network_new(model, device, &params, &error);
    g_assert_no_error(error);
    return network;
}

static NnNetwork *build(NnTuning tuning)
{
    return build_as(tuning, PLENTY_MS, NN_PRECISION_FP32);
}

/* The kernels of a network, in order: "winograd_fused conv_vector matmul_vector". */
static char *kernels_of(const NnNetwork *network)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const GPtrArray *launches = nn_network_recorder(network)->launches;
    for (guint i = 0; i < launches->len; i++)
        g_string_append_printf(text, i ? " %s" : "%s",
                               ((const NnLaunch *)launches->pdata[i])->function);
    return g_strdup(text->str);
}

static NnArray *run(NnNetwork *network)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclQueue) queue = ocl_queue_new(device, "test", TRUE, &error);
    g_autoptr(NnSlot) slot = nn_slot_new(network, &error);
    g_assert_no_error(error);
    g_autoptr(NnArray) x = onnx_random_array("2,32,24,24", 1);
    g_assert_true(nn_slot_write_input(slot, queue, 0, 2, x, &error));
    g_assert_true(nn_slot_run(slot, queue, 2, &error));
    NnArray *y = nn_slot_read_output(slot, queue, 0, 2, &error);
    g_assert_no_error(error);
    return y;
}

static void assert_same_numbers(NnNetwork *one, NnNetwork *other)
{
    g_autoptr(NnArray) a = run(one), b = run(other);
    double range = 0;
    g_assert_cmpuint(a->n, ==, b->n);
    for (gsize i = 0; i < a->n; i++)
        range = MAX(range, fabs(nn_array_get(a, i)));
    for (gsize i = 0; i < a->n; i++)
        g_assert_cmpfloat_with_epsilon(nn_array_get(a, i), nn_array_get(b, i), 1e-5 * range);
}

/* ---------------------------------------------------------------- the file */

static char *tuning_file(void)
{
    g_autofree char *folder = g_build_filename(cache_folder, "gst-clmatte", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir)) != NULL)
        if (g_str_has_prefix(name, "tuning-"))
            return g_build_filename(folder, name, NULL);
    return NULL;
}

static void forget(void)
{
    g_autofree char *path = tuning_file();
    if (path)
        g_assert_cmpint(g_unlink(path), ==, 0);
}

/* Measures, so that there is a file, and gives its path. */
static char *make_file(void)
{
    forget();
    nn_network_unref(build(NN_TUNING_MEASURE));
    char *path = tuning_file();
    g_assert_nonnull(path);
    return path;
}

/* Makes @way the best of the choice whose key begins with @prefix. */
static void set_best(const char *prefix, const char *way)
{
    g_autoptr(GHashTable) found = nn_tune_load(device);
    GHashTableIter iter;
    gpointer key, ways;
    guint n = 0;
    g_hash_table_iter_init(&iter, found);
    while (g_hash_table_iter_next(&iter, &key, &ways))
        if (g_str_has_prefix(key, prefix)) {
            char **names = ways;
            g_free(names[0]);
            names[0] = g_strdup(way);
            n++;
        }
    g_assert_cmpuint(n, ==, 1);
    nn_tune_store(device, found);
}

/* ---------------------------------------------------------------- tests */

static void test_rules_alone_touch_no_file(void)
{
    forget();
    g_autoptr(NnNetwork) off = build(NN_TUNING_OFF);
    g_autoptr(NnNetwork) cached = build(NN_TUNING_CACHED);
    g_autofree char *by_rule = kernels_of(off), *by_cache = kernels_of(cached);
    g_assert_cmpstr(by_rule, ==, by_cache);
    g_assert_null(tuning_file());
}

static void test_what_is_measured_is_kept_and_gives_the_same_numbers(void)
{
    forget();
    g_autoptr(NnNetwork) off = build(NN_TUNING_OFF);
    g_autoptr(NnNetwork) measured = build(NN_TUNING_MEASURE);
    assert_same_numbers(off, measured);

    g_autoptr(GHashTable) found = nn_tune_load(device);
    g_assert_cmpuint(g_hash_table_size(found), >=, 1);
    g_assert_false(nn_tune_is_wanted(measured, found));
    g_autoptr(NnNetwork) cached = build(NN_TUNING_CACHED);
    g_autofree char *then = kernels_of(measured), *now = kernels_of(cached);
    g_assert_cmpstr(then, ==, now);
}

static void test_what_is_measured_is_not_measured_again(void)
{
    g_autofree char *path = make_file();
    g_autofree char *before = NULL, *after = NULL;
    g_assert_true(g_file_get_contents(path, &before, NULL, NULL));
    /* Measuring would fail at once, and keep nothing; but nothing is left to measure. */
    g_autoptr(NnNetwork) network = build_as(NN_TUNING_MEASURE, 0, NN_PRECISION_FP32);
    g_autoptr(GHashTable) found = nn_tune_load(device);
    g_assert_false(nn_tune_is_wanted(network, found));
    g_assert_true(g_file_get_contents(path, &after, NULL, NULL));
    g_assert_cmpstr(before, ==, after);
}

static void test_the_best_way_of_the_file_is_taken(void)
{
    g_free(make_file());
    set_best("Conv 32x24x24 -> 32x24x24 3x3", "conv_vector");
    g_autoptr(NnNetwork) vector = build(NN_TUNING_CACHED);
    g_autofree char *before = kernels_of(vector);
    g_assert_true(g_str_has_prefix(before, "conv_vector "));
    set_best("Conv 32x24x24 -> 32x24x24 3x3", "conv_winograd");
    g_autoptr(NnNetwork) winograd = build(NN_TUNING_CACHED);
    g_autofree char *after = kernels_of(winograd);
    g_assert_true(g_str_has_prefix(after, "winograd_input winograd_product winograd_output "));
    assert_same_numbers(vector, winograd);

    g_autoptr(NnNetwork) off = build(NN_TUNING_OFF);
    g_autofree char *by_rule = kernels_of(off);
    g_assert_false(g_str_has_prefix(by_rule, "winograd_input "));
}

/* The choices of a network stored as halves are others than those of floats. */
static void test_a_tile_of_the_file_is_taken(void)
{
    forget();
    nn_network_unref(build_as(NN_TUNING_MEASURE, PLENTY_MS, NN_PRECISION_FP16));
    set_best("Conv 32x24x24 -> 32x24x24 3x3", "conv_tensor:small");
    g_autoptr(NnNetwork) tile = build_as(NN_TUNING_CACHED, 0, NN_PRECISION_FP16);
    const NnLaunch *launch = nn_network_recorder(tile)->launches->pdata[0];
    g_assert_cmpstr(launch->function, ==, "conv_tensor");
    g_assert_nonnull(strstr(launch->options, "-DBM=64 -DBN=64 "));
    g_autoptr(NnNetwork) single = build_as(NN_TUNING_CACHED, 0, NN_PRECISION_FP32);
    g_autofree char *kernels = kernels_of(single);
    g_assert_null(strstr(kernels, "conv_tensor"));
}

static void test_ways_that_do_not_fit_or_exist_are_passed_over(void)
{
    g_autoptr(NnNetwork) off = build(NN_TUNING_OFF);
    g_autofree char *by_rule = kernels_of(off);
    const char *const ways[] = { "conv_depthwise", "matmul_vector", "none of this", "" };
    for (guint i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_free(make_file());
        set_best("Conv 32x24x24 -> 32x24x24 3x3", ways[i]);
        g_autoptr(NnNetwork) cached = build(NN_TUNING_CACHED);
        g_autofree char *kernels = kernels_of(cached);
        g_assert_cmpstr(kernels, ==, by_rule);
    }
}

static void test_damaged_files_count_as_none_and_are_replaced(void)
{
    g_autofree char *path = make_file();
    g_autofree char *whole = NULL;
    g_assert_true(g_file_get_contents(path, &whole, NULL, NULL));
    g_autoptr(NnNetwork) off = build(NN_TUNING_OFF);
    g_autofree char *by_rule = kernels_of(off);
    static const char zeros[64];
    const struct {
        const char *content;
        gssize size_b;
    } damages[] = { { "", 0 },
                    { zeros, sizeof zeros },
                    { "[choices", -1 },
                    { "no key file", -1 },
                    { "[choices]\n=\n", -1 },
                    { "[choices]\nConv\n", -1 },
                    { "[choices]\nConv 32x24x24 -> 32x24x24 3x3 #\xff\xfe=\xc3\x28;\n", -1 },
                    { "[choices]\nConv=;;;\\\n", -1 } };
    for (guint i = 0; i < G_N_ELEMENTS(damages); i++) {
        g_assert_true(g_file_set_contents(path, damages[i].content, damages[i].size_b, NULL));
        g_autoptr(NnNetwork) cached = build(NN_TUNING_CACHED);
        g_autofree char *kernels = kernels_of(cached);
        g_assert_cmpstr(kernels, ==, by_rule);
    }
    /* Cut anywhere: what is left of it is used or not, and nothing else happens. */
    for (gsize cut = 0; cut < strlen(whole); cut += 29) {
        g_assert_true(g_file_set_contents(path, whole, (gssize)cut, NULL));
        nn_network_unref(build(NN_TUNING_CACHED));
    }
    g_assert_true(g_file_set_contents(path, "no key file", -1, NULL));
    g_autoptr(NnNetwork) measured = build(NN_TUNING_MEASURE);
    g_autoptr(GHashTable) found = nn_tune_load(device);
    g_assert_false(nn_tune_is_wanted(measured, found));
}

static void test_time_that_does_not_suffice_keeps_the_rules(void)
{
    forget();
    const gint64 start_us = g_get_monotonic_time();
    g_autoptr(NnNetwork) network = build_as(NN_TUNING_MEASURE, 0, NN_PRECISION_FP32);
    /* What it takes to build three times, on the slowest machine. */
    g_assert_cmpint(g_get_monotonic_time() - start_us, <, 20 * G_USEC_PER_SEC);
    g_autoptr(NnNetwork) off = build(NN_TUNING_OFF);
    g_autofree char *kernels = kernels_of(network), *by_rule = kernels_of(off);
    g_assert_cmpstr(kernels, ==, by_rule);
    g_assert_null(tuning_file());
}

static void test_a_network_past_its_deadline_does_not_run(void)
{
    g_autoptr(NnModel) model = make_model();
    const NnNetworkParams params = { .max_samples = 1 };
    g_autoptr(GError) error = NULL;
    g_autoptr(NnNetwork) network = nn_network_build(model, device, &params, NULL, 1, &error);
    g_assert_no_error(error);
    g_assert_null(nn_slot_new(network, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
}

static void test_forced_variants_are_not_tuned(void)
{
    g_free(make_file());
    set_best("Conv 32x24x24 -> 32x24x24 3x3", "conv_winograd");
    g_autoptr(NnModel) model = make_model();
    const NnNetworkParams params = { .max_samples = 1,
                                     .tuning = NN_TUNING_CACHED,
                                     .variant = "conv_general" };
    g_autoptr(GError) error = NULL;
    g_autoptr(NnNetwork) network = nn_network_new(model, device, &params, &error);
    g_assert_no_error(error);
    g_autofree char *kernels = kernels_of(network);
    g_assert_true(g_str_has_prefix(kernels, "conv_general conv_general "));
}

/* ---------------------------------------------------------------- writers side by side */

#define WRITERS 4
#define WRITES 40

static GHashTable *one_choice(const char *key, const char *way)
{
    GHashTable *found =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_strfreev);
    g_hash_table_insert(found, g_strdup(key), g_strsplit(way, ",", -1));
    return found;
}

static gpointer write_many(gpointer data)
{
    g_autofree char *key = g_strdup_printf("Conv %d", GPOINTER_TO_INT(data));
    for (int i = 0; i < WRITES; i++) {
        g_autoptr(GHashTable) found = one_choice(key, "conv_vector,conv_narrow");
        nn_tune_store(device, found);
    }
    return NULL;
}

static void test_writers_side_by_side_leave_a_whole_file(void)
{
    forget();
    GThread *threads[WRITERS];
    g_autoptr(GHashTable) first = one_choice("MatMul first", "matmul_vector");
    nn_tune_store(device, first);
    for (int i = 0; i < WRITERS; i++)
        threads[i] = g_thread_new("writer", write_many, GINT_TO_POINTER(i));
    for (int i = 0; i < WRITERS * WRITES; i++) {
        g_autoptr(GHashTable) found = nn_tune_load(device);
        char *const *ways = g_hash_table_lookup(found, "MatMul first");
        g_assert_nonnull(ways);
        g_assert_cmpstr(ways[0], ==, "matmul_vector");
    }
    for (int i = 0; i < WRITERS; i++)
        g_thread_join(threads[i]);
    g_autoptr(GHashTable) found = nn_tune_load(device);
    g_assert_cmpuint(g_hash_table_size(found), >=, 2);
    g_autofree char *folder = g_build_filename(cache_folder, "gst-clmatte", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while ((name = g_dir_read_name(dir)) != NULL)
        g_assert_true(g_str_has_suffix(name, ".ini"));
}

static void test_a_file_of_too_many_choices_starts_anew(void)
{
    forget();
    g_autoptr(GHashTable) many = one_choice("Conv", "conv_vector");
    for (int i = 0; i < 5000; i++)
        g_hash_table_insert(many, g_strdup_printf("Conv %d", i), g_strsplit("a", ",", -1));
    nn_tune_store(device, many);
    g_autoptr(GHashTable) one = one_choice("MatMul", "matmul_vector");
    nn_tune_store(device, one);
    g_autoptr(GHashTable) found = nn_tune_load(device);
    g_assert_cmpuint(g_hash_table_size(found), ==, 1);
}

static void test_a_cache_that_cannot_be_written_is_no_error(void)
{
    forget();
    g_autofree char *folder = g_build_filename(cache_folder, "gst-clmatte", NULL);
    g_rmdir(folder);
    g_assert_true(g_file_set_contents(folder, "in the way", -1, NULL));
    g_autoptr(NnNetwork) measured = build(NN_TUNING_MEASURE);
    g_autoptr(NnNetwork) off = build(NN_TUNING_OFF);
    assert_same_numbers(off, measured);
    g_assert_cmpint(g_unlink(folder), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    cache_folder = own_cache_new("tune");
    g_unsetenv("CLMATTE_KERNEL_DIR");
    device = ocl_device_open("cpu", &error);
    if (!device) {
        g_print("1..0 # SKIP %s\n", error->message);
        return 0;
    }

    const struct {
        const char *name;
        GTestFunc run;
    } tests[] = {
        { "rules alone touch no file", test_rules_alone_touch_no_file },
        { "what is measured is kept and gives the same numbers",
          test_what_is_measured_is_kept_and_gives_the_same_numbers },
        { "what is measured is not measured again", test_what_is_measured_is_not_measured_again },
        { "the best way of the file is taken", test_the_best_way_of_the_file_is_taken },
        { "a tile of the file is taken", test_a_tile_of_the_file_is_taken },
        { "ways that do not fit or exist are passed over",
          test_ways_that_do_not_fit_or_exist_are_passed_over },
        { "damaged files count as none and are replaced",
          test_damaged_files_count_as_none_and_are_replaced },
        { "time that does not suffice keeps the rules",
          test_time_that_does_not_suffice_keeps_the_rules },
        { "a network past its deadline does not run",
          test_a_network_past_its_deadline_does_not_run },
        { "forced variants are not tuned", test_forced_variants_are_not_tuned },
        { "writers side by side leave a whole file", test_writers_side_by_side_leave_a_whole_file },
        { "a file of too many choices starts anew", test_a_file_of_too_many_choices_starts_anew },
        { "a cache that cannot be written is no error",
          test_a_cache_that_cannot_be_written_is_no_error },
    };
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/tune/%s", tests[i].name);
        g_test_add_func(path, tests[i].run);
    }
    const int status = g_test_run();
    forget();
    g_autofree char *folder = g_build_filename(cache_folder, "gst-clmatte", NULL);
    g_rmdir(folder);
    g_rmdir(cache_folder);
    ocl_device_unref(device);
    g_free(cache_folder);
    return status;
}
