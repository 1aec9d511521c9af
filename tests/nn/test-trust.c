/* test-trust.c - tests that a network runs without the kernels that its device refuses or computes
 * wrongly.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PoCL plays the GPU: it refuses inline PTX as a driver might that has other ideas of it, and
 * kernels in a folder of the test's own are broken as the test needs it. Devices of other drivers
 * are strangers to each other, so each test gives its device a driver of its own.
 */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "nn.h"
#include "own-cache.h"
#include "onnx-builder.h"
#include "trust.h"
#include "tune.h"

#define HALVES 0.05 /* that numbers up to 32 may be off, stored as halves */

static char *cache_folder;

/* ---------------------------------------------------------------- devices and kernels */

static OclDevice *open_device(const char *driver)
{
    g_autoptr(GError) error = NULL;
    OclDevice *device = ocl_device_open("cpu", &error);
    g_assert_no_error(error);
    g_free(device->driver);
    device->driver = g_strdup(driver);
    return device;
}

/* Such as it is planned for. @capability: 0: without tensor cores */
static OclDevice *open_gpu(const char *driver, guint capability)
{
    OclDevice *device = open_device(driver);
    device->type = CL_DEVICE_TYPE_GPU;
    device->device_class = capability ? OCL_CLASS_NVIDIA : OCL_CLASS_GENERIC;
    device->compute_capability = capability;
    device->vector_width = 1;
    return device;
}

/* All kernels, in a folder, where @file begins with @head and has @to for @from. Programs come from
 * there until kernels_free(). */
static char *kernels_new(const char *file, const char *head, const char *from, const char *to)
{
    g_autoptr(GError) error = NULL;
    char *folder = g_dir_make_tmp("clmatte-kernels-XXXXXX", &error);
    g_assert_no_error(error);
    g_autoptr(GDir) dir = g_dir_open(KERNEL_DIR, 0, NULL);
    for (const char *name; (name = g_dir_read_name(dir)) != NULL;) {
        g_autofree char *path = g_build_filename(KERNEL_DIR, name, NULL);
        g_autofree char *copy = g_build_filename(folder, name, NULL);
        g_autofree char *content = NULL;
        if (!g_file_get_contents(path, &content, NULL, NULL))
            continue;
        g_autoptr(GString) text = g_string_new(content);
        if (strcmp(name, file) == 0) {
            g_string_prepend(text, head);
            g_assert_true(!from || g_string_replace(text, from, to, 0) > 0);
        }
        g_assert_true(g_file_set_contents(copy, text->str, -1, NULL));
    }
    g_setenv("CLMATTE_KERNEL_DIR", folder, TRUE);
    return folder;
}

/* A folder of files alone. */
static void remove_folder(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir)) != NULL;) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_unlink(path);
    }
    g_rmdir(folder);
}

static void kernels_free(char *folder)
{
    g_unsetenv("CLMATTE_KERNEL_DIR");
    remove_folder(folder);
    g_free(folder);
}

static void remove_cache(void)
{
    g_autofree char *folder = g_build_filename(cache_folder, "gst-clmatte", NULL);
    remove_folder(folder);
    remove_folder(cache_folder);
    g_free(cache_folder);
}

/* ---------------------------------------------------------------- networks */

static NnModel *make_model(void)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,16,12,18");
    onnx_builder_floats(builder, "w", "32,16,3,3", NULL);
    onnx_builder_floats(builder, "v", "24,32,1,1", NULL);
    onnx_node_ints(onnx_builder_node(builder, "Conv", "x,w", "a"), "pads", "1,1,1,1");
    onnx_builder_node(builder, "Relu", "a", "b");
    onnx_builder_node(builder, "Conv", "b,v", "y");
    onnx_builder_output(builder, "y");
    g_autoptr(GBytes) bytes = onnx_builder_pack(builder);
    g_autoptr(GError) error = NULL;
    NnModel *model = nn_model_load_bytes(bytes, "test.onnx", &error);
    g_assert_no_error(error);
    return model;
}

static NnNetwork *build(OclDevice *device, NnPrecision precision)
{
    g_autoptr(NnModel) model = make_model();
    const NnNetworkParams params = { .max_samples = 1, .precision = precision };
    g_autoptr(GError) error = NULL;
    NnNetwork *network = nn_network_new(model, device, &params, &error);
    g_assert_no_error(error);
    return network;
}

/* "conv_tensor conv_tensor" */
static char *kernels_of(const NnNetwork *network)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const GPtrArray *launches = nn_network_recorder(network)->launches;
    for (guint i = 0; i < launches->len; i++)
        g_string_append_printf(text, i ? " %s" : "%s",
                               ((const NnLaunch *)launches->pdata[i])->function);
    return g_strdup(text->str);
}

static NnArray *run(OclDevice *device, NnNetwork *network)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclQueue) queue = ocl_queue_new(device, "test", FALSE, &error);
    g_autoptr(NnSlot) slot = nn_slot_new(network, &error);
    g_assert_no_error(error);
    g_autoptr(NnArray) x = onnx_random_array("1,16,12,18", 1);
    g_assert_true(nn_slot_write_input(slot, queue, 0, 1, x, &error));
    g_assert_true(nn_slot_run(slot, queue, 1, &error));
    NnArray *y = nn_slot_read_output(slot, queue, 0, 1, &error);
    g_assert_no_error(error);
    return y;
}

/* As the C reference has it. */
static void assert_right(OclDevice *device, NnNetwork *network, double tolerance)
{
    g_autoptr(NnArray) y = run(device, network);
    g_autoptr(NnModel) model = make_model();
    g_autoptr(NnGraph) graph = nn_graph_copy(nn_model_graph(model));
    const NnBinding binding = { .name = "x",
                                .rank = -1,
                                .value = onnx_random_array("1,16,12,18", 1) };
    g_autoptr(GError) error = NULL;
    g_assert_true(nn_graph_infer(graph, &binding, 1, &error));
    const NnArray *expected = ((NnValue *)graph->outputs->pdata[0])->constant;
    g_assert_cmpuint(y->n, ==, expected->n);
    for (gsize i = 0; i < y->n; i++)
        g_assert_cmpfloat_with_epsilon(nn_array_get(y, i), nn_array_get(expected, i), tolerance);
    nn_array_unref(binding.value);
}

/* ---------------------------------------------------------------- tests */

static const char *const ptx_kernels[] = { "conv_tensor", "conv_wgmma", "conv_halo",
                                           "conv_held",   "conv_first", "conv_inverted" };

static void test_right_kernels_pass_their_test(void)
{
    OclDevice *device = open_device("right");
    for (guint i = 0; i < G_N_ELEMENTS(ptx_kernels); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_true(nn_kernel_test(device, ptx_kernels[i], 0, &error));
        g_assert_no_error(error);
    }
    ocl_device_unref(device);
}

/* A tensor core that forgets the first of sixteen products. */
#define FORGETS_FROM "for (int k_ = 0; k_ < 16; k_++)"
#define FORGETS_TO "for (int k_ = 1; k_ < 16; k_++)"

static void test_wrong_kernels_do_not_pass(void)
{
    const struct {
        const char *kernel, *header;
    } faults[] = { { "conv_tensor", "tensor_core.clh" },   { "conv_first", "tensor_core.clh" },
                   { "conv_inverted", "tensor_core.clh" }, { "conv_wgmma", "hopper.clh" },
                   { "conv_halo", "hopper.clh" },          { "conv_held", "hopper.clh" } };
    for (guint i = 0; i < G_N_ELEMENTS(faults); i++) {
        char *folder = kernels_new(faults[i].header, "", FORGETS_FROM, FORGETS_TO);
        OclDevice *device = open_device("wrong");
        g_autoptr(GError) error = NULL;
        g_assert_false(nn_kernel_test(device, faults[i].kernel, 0, &error));
        g_assert_error(error, NN_ERROR, NN_ERROR_INPUT);
        ocl_device_unref(device);
        kernels_free(folder);
    }
}

static void test_a_test_past_its_time_says_so(void)
{
    OclDevice *device = open_device("slow");
    g_autoptr(GError) error = NULL;
    g_assert_false(nn_kernel_test(device, "conv_tensor", 1, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
    ocl_device_unref(device);
}

static void test_a_network_runs_without_kernels_that_do_not_build(void)
{
    OclDevice *device = open_gpu("refuses PTX", 80);
    g_test_expect_message(NULL, G_LOG_LEVEL_WARNING,
                          "*(driver refuses PTX) computes without conv_tensor: *");
    g_autoptr(NnNetwork) network = build(device, NN_PRECISION_FP16);
    g_test_assert_expected_messages();
    g_autofree char *kernels = kernels_of(network);
    g_assert_cmpstr(kernels, ==, "conv_tiled conv_tiled");
    assert_right(device, network, HALVES);
    /* Once is enough. */
    g_autoptr(NnNetwork) next = build(device, NN_PRECISION_FP16);
    g_autofree char *again = kernels_of(next);
    g_assert_cmpstr(again, ==, kernels);
    ocl_device_unref(device);
}

static void test_it_goes_down_to_the_plain_kernels(void)
{
    char *folder = kernels_new("conv_tiled.cl", "#error not on this device\n", NULL, NULL);
    OclDevice *device = open_gpu("refuses tiles", 0);
    g_test_expect_message(NULL, G_LOG_LEVEL_WARNING,
                          "*computes without conv_tiled: *not on this device*");
    g_autoptr(NnNetwork) network = build(device, NN_PRECISION_FP32);
    g_test_assert_expected_messages();
    g_autofree char *kernels = kernels_of(network);
    g_assert_null(strstr(kernels, "conv_tiled"));
    assert_right(device, network, 1e-4);
    ocl_device_unref(device);
    kernels_free(folder);
}

/* The emulation plays the instructions of a GPU, which the network is planned for. */
static void test_a_network_runs_without_kernels_that_are_wrong(void)
{
    char *folder = kernels_new("tensor_core.clh", "#define EMULATE\n", FORGETS_FROM, FORGETS_TO);
    OclDevice *device = open_gpu("computes wrongly", 80);
    g_test_expect_message(NULL, G_LOG_LEVEL_WARNING,
                          "*computes without conv_tensor: *in place of*");
    g_autoptr(NnNetwork) network = build(device, NN_PRECISION_FP16);
    g_test_assert_expected_messages();
    g_autofree char *kernels = kernels_of(network);
    g_assert_cmpstr(kernels, ==, "conv_tiled conv_tiled");
    assert_right(device, network, HALVES);
    ocl_device_unref(device);
    kernels_free(folder);
}

static void test_a_network_runs_with_kernels_that_are_right(void)
{
    char *folder = kernels_new("tensor_core.clh", "#define EMULATE\n", NULL, NULL);
    OclDevice *device = open_gpu("computes rightly", 80);
    g_autoptr(NnNetwork) network = build(device, NN_PRECISION_FP16);
    g_autofree char *kernels = kernels_of(network);
    g_assert_cmpstr(kernels, ==, "conv_tensor conv_tensor");
    assert_right(device, network, HALVES);
    ocl_device_unref(device);
    kernels_free(folder);
}

static void test_verdicts_are_kept_beside_measured_choices(void)
{
    OclDevice *device = open_gpu("known", 80);
    char *const ways[] = { (char *)"conv_tiled", NULL };
    g_autoptr(GHashTable) found = g_hash_table_new(g_str_hash, g_str_equal);
    g_hash_table_insert(found, (gpointer) "Conv", (gpointer)ways);
    g_assert_cmpint(nn_tune_load_verdict(device, "conv_tensor"), ==, NN_VERDICT_NONE);
    nn_tune_store_verdict(device, "conv_tensor", NN_VERDICT_RIGHT);
    nn_tune_store(device, found);
    nn_tune_store_verdict(device, "conv_held", NN_VERDICT_WRONG);
    g_assert_cmpint(nn_tune_load_verdict(device, "conv_tensor"), ==, NN_VERDICT_RIGHT);
    g_assert_cmpint(nn_tune_load_verdict(device, "conv_held"), ==, NN_VERDICT_WRONG);
    g_autoptr(GHashTable) kept = nn_tune_load(device);
    g_assert_cmpuint(g_hash_table_size(kept), ==, 1);
    ocl_device_unref(device);
}

/* A launch as the network of a GPU has it, of a kernel that PoCL would refuse. */
static GPtrArray *make_launches(NnLaunch *launch)
{
    GPtrArray *launches = g_ptr_array_new();
    *launch = (NnLaunch){ .function = (char *)"conv_held", .options = (char *)"-DBN=32" };
    g_ptr_array_add(launches, launch);
    return launches;
}

static void test_what_is_known_is_not_tested_again(void)
{
    NnLaunch launch;
    g_autoptr(GPtrArray) launches = make_launches(&launch);
    OclDevice *device = open_gpu("known to be right", 90);
    nn_tune_store_verdict(device, "conv_held", NN_VERDICT_RIGHT);
    g_assert_false(nn_kernels_check(device, launches));
    g_assert_null(nn_kernels_left_out(device));
    ocl_device_unref(device);

    device = open_gpu("known to be wrong", 90);
    nn_tune_store_verdict(device, "conv_held", NN_VERDICT_WRONG);
    g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*computes without conv_held: *before*");
    g_assert_true(nn_kernels_check(device, launches));
    g_test_assert_expected_messages();
    g_autoptr(GHashTable) left_out = nn_kernels_left_out(device);
    g_assert_true(g_hash_table_contains(left_out, "conv_held"));
    ocl_device_unref(device);
}

/* As long as there is no other. */
static void test_what_has_no_substitute_is_an_error(void)
{
    char *folder = kernels_new("conv.cl", "#error not here either\n", NULL, NULL);
    OclDevice *device = open_device("refuses all");
    g_autoptr(NnModel) model = make_model();
    const NnNetworkParams params = { .max_samples = 1, .variant = "conv_general" };
    g_autoptr(GError) error = NULL;
    g_autoptr(NnNetwork) network = nn_network_new(model, device, &params, &error);
    g_assert_no_error(error);
    g_assert_null(nn_slot_new(network, &error));
    g_assert_nonnull(strstr(error->message, "not here either"));
    ocl_device_unref(device);
    kernels_free(folder);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    cache_folder = own_cache_new("trust");
    g_unsetenv("CLMATTE_KERNEL_DIR");
    g_autoptr(OclDevice) device = ocl_device_open("cpu", &error);
    if (!device) {
        g_print("1..0 # SKIP %s\n", error->message);
        return 0;
    }
    g_clear_pointer(&device, ocl_device_unref);

    const struct {
        const char *name;
        GTestFunc run;
    } tests[] = {
        { "right kernels pass their test", test_right_kernels_pass_their_test },
        { "wrong kernels do not pass", test_wrong_kernels_do_not_pass },
        { "a network runs without kernels that are wrong",
          test_a_network_runs_without_kernels_that_are_wrong },
        { "a network runs with kernels that are right",
          test_a_network_runs_with_kernels_that_are_right },
        { "verdicts are kept beside measured choices",
          test_verdicts_are_kept_beside_measured_choices },
        { "what is known is not tested again", test_what_is_known_is_not_tested_again },
        { "a test past its time says so", test_a_test_past_its_time_says_so },
        { "a network runs without kernels that do not build",
          test_a_network_runs_without_kernels_that_do_not_build },
        { "it goes down to the plain kernels", test_it_goes_down_to_the_plain_kernels },
        { "what has no substitute is an error", test_what_has_no_substitute_is_an_error },
    };
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/trust/%s", tests[i].name);
        g_test_add_func(path, tests[i].run);
    }
    const int status = g_test_run();
    remove_cache();
    return status;
}
