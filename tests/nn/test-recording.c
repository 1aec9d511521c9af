/* test-recording.c - tests that runs which replay recordings, or take a batch's samples in turns,
 * are the runs that they were.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <CL/cl_ext.h>
#include <fakecl.h>
#include <string.h>

#include "nn.h"
#include "onnx-builder.h"

#define MOST 3   /* samples of a run */
#define N_RUNS 7 /* of some numbers of samples */
#define ENQUEUE "clEnqueueCommandBufferKHR"
#define LAUNCH "clEnqueueNDRangeKernel"

/* ---------------------------------------------------------------- helpers */

/* With launches of one sample and of all, and maps that share memory. */
static NnModel *make_model(void)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,16,20,24");
    onnx_builder_floats(builder, "w", "16,16,3,3", NULL);
    onnx_builder_floats(builder, "v", "16,32,1,1", NULL);
    onnx_node_ints(onnx_builder_node(builder, "Conv", "x,w", "a"), "pads", "1,1,1,1");
    onnx_builder_node(builder, "Sigmoid", "a", "b");
    onnx_node_int(onnx_builder_node(builder, "Concat", "b,x", "c"), "axis", 1);
    onnx_builder_node(builder, "Conv", "c,v", "d");
    onnx_builder_floats(builder, "u", "64,16,1,1", NULL);
    onnx_builder_floats(builder, "t", "16,64,1,1", NULL);
    onnx_builder_node(builder, "Conv", "d,u", "e");
    onnx_builder_node(builder, "Conv", "e,t", "f");
    onnx_node_int(onnx_builder_node(builder, "Softmax", "f", "y"), "axis", 1);
    onnx_builder_output(builder, "y");
    g_autoptr(GBytes) bytes = onnx_builder_pack(builder);
    g_autoptr(GError) error = NULL;
    NnModel *model = nn_model_load_bytes(bytes, "test.onnx", &error);
    g_assert_no_error(error);
    return model;
}

typedef struct {
    OclDevice *device;
    OclQueue *queue;
    NnNetwork *network;
    NnSlot *slot;
} Bench;

static Bench bench_new(gboolean recorded, gboolean profiling)
{
    g_autoptr(GError) error = NULL;
    const cl_name_version_khr told = { CL_MAKE_VERSION_KHR(0, 9, 0),
                                       CL_KHR_COMMAND_BUFFER_EXTENSION_NAME };
    fakecl_override_device(0, CL_DEVICE_EXTENSIONS_WITH_VERSION_KHR, &told, sizeof told);
    g_autoptr(NnModel) model = make_model();
    const NnNetworkParams params = { .max_samples = MOST,
                                     .precision = NN_PRECISION_FP32,
                                     .recorded = recorded,
                                     .profiling = profiling };
    Bench bench = { .device = ocl_device_open("0:0", &error) };
    g_assert_no_error(error);
    bench.queue = ocl_queue_new(bench.device, "test", TRUE, &error);
    g_assert_no_error(error);
    bench.network = nn_network_new(model, bench.device, &params, &error);
    g_assert_no_error(error);
    bench.slot = nn_slot_new(bench.network, &error);
    g_assert_no_error(error);
    return bench;
}

static void bench_close(Bench *bench)
{
    nn_slot_free(bench->slot);
    nn_network_unref(bench->network);
    ocl_queue_free(bench->queue);
    ocl_device_unref(bench->device);
}

/* What @n_samples random samples give.
 * Returns: (transfer full) */
static NnArray *run(Bench *bench, guint n_samples, guint seed)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *shape = g_strdup_printf("%u,16,20,24", n_samples);
    g_autoptr(NnArray) x = onnx_random_array(shape, seed);
    g_assert_true(nn_slot_write_input(bench->slot, bench->queue, 0, n_samples, x, &error));
    g_assert_true(nn_slot_run(bench->slot, bench->queue, n_samples, &error));
    NnArray *y = nn_slot_read_output(bench->slot, bench->queue, 0, n_samples, &error);
    g_assert_no_error(error);
    return y;
}

static void assert_same_runs(Bench *one, Bench *other)
{
    static const guint n_samples[N_RUNS] = { 1, 3, 2, 3, 1, 1, 3 };
    for (guint i = 0; i < N_RUNS; i++) {
        g_autoptr(NnArray) a = run(one, n_samples[i], i), b = run(other, n_samples[i], i);
        const gsize size_b = a->n * nn_type_size(a->type);
        g_assert_cmpmem(a->data, size_b, b->data, b->n * nn_type_size(b->type));
    }
}

/* ---------------------------------------------------------------- tests */

static void recorded_runs_give_what_ordinary_ones_give(void)
{
    Bench ordinary = bench_new(FALSE, FALSE), recorded = bench_new(TRUE, FALSE);
    assert_same_runs(&ordinary, &recorded);
    g_assert_cmpuint(fakecl_calls(ENQUEUE), ==, N_RUNS);
    g_assert_cmpuint(fakecl_calls("clCreateCommandBufferKHR"), ==, MOST);
    g_assert_cmpuint(fakecl_calls(LAUNCH), ==, N_RUNS * nn_network_n_launches(ordinary.network));
    bench_close(&ordinary);
    bench_close(&recorded);
}

/* What one sample needs is more than the cache has. */
static void large_networks_take_samples_in_turns(void)
{
    const cl_ulong cache_b = 1 << 10;
    gsize arena_b[2], weights_b, bound_b;
    guint n_launches[2];
    g_autoptr(GPtrArray) results = g_ptr_array_new_with_free_func((GDestroyNotify)nn_array_unref);
    for (guint in_turns = 0; in_turns < 2; in_turns++) {
        if (in_turns)
            fakecl_override_device(0, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, &cache_b, sizeof cache_b);
        Bench bench = bench_new(FALSE, FALSE);
        const guint before = fakecl_calls(LAUNCH);
        for (guint n = 1; n <= MOST; n++)
            g_ptr_array_add(results, run(&bench, n, n));
        n_launches[in_turns] = fakecl_calls(LAUNCH) - before;
        nn_network_memory(bench.network, &weights_b, &arena_b[in_turns], &bound_b);
        g_assert_cmpuint(arena_b[in_turns], >=, bound_b);
        bench_close(&bench);
    }
    for (guint n = 0; n < MOST; n++) {
        const NnArray *a = results->pdata[n], *b = results->pdata[MOST + n];
        g_assert_cmpmem(a->data, a->n * sizeof(float), b->data, b->n * sizeof(float));
    }
    g_assert_cmpuint(n_launches[1], ==, n_launches[0] / MOST * (1 + 2 + 3));
    g_assert_cmpuint(arena_b[1], <, arena_b[0]);
}

static void a_gpu_replays_without_being_asked(void)
{
    const cl_device_type gpu = CL_DEVICE_TYPE_GPU;
    fakecl_override_device(0, CL_DEVICE_TYPE, &gpu, sizeof gpu);
    Bench bench = bench_new(FALSE, FALSE);
    g_autoptr(NnArray) y = run(&bench, 1, 1);
    g_assert_cmpuint(fakecl_calls(ENQUEUE), ==, 1);
    g_assert_cmpuint(fakecl_calls(LAUNCH), ==, 0);
    bench_close(&bench);
}

static void a_profile_is_of_single_launches(void)
{
    g_autoptr(GError) error = NULL;
    Bench bench = bench_new(TRUE, TRUE);
    g_autoptr(NnArray) y = run(&bench, 2, 1);
    g_assert_cmpuint(fakecl_calls(ENQUEUE), ==, 0);
    g_autoptr(GArray) lines = nn_slot_profile(bench.slot, 2, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(lines->len, ==, nn_network_n_launches(bench.network));
    bench_close(&bench);
}

/* The third recording fails, after those of other numbers of samples have been made and used. */
static void what_cannot_be_recorded_is_enqueued_as_ever(void)
{
    static const char *const calls[] = { "clCreateCommandBufferKHR", "clCommandNDRangeKernelKHR",
                                         "clFinalizeCommandBufferKHR" };
    for (guint i = 0; i < G_N_ELEMENTS(calls); i++) {
        Bench ordinary = bench_new(FALSE, FALSE), recorded = bench_new(TRUE, FALSE);
        const guint n = nn_network_n_launches(ordinary.network);
        fakecl_fail(calls[i], i == 1 ? 2 * n + 2 : 3, FAKECL_ALWAYS, CL_OUT_OF_RESOURCES);
        assert_same_runs(&ordinary, &recorded);
        g_assert_cmpuint(fakecl_calls(ENQUEUE), ==, 2);
        g_assert_cmpuint(fakecl_calls(LAUNCH), ==, (N_RUNS + N_RUNS - 2) * n);
        bench_close(&ordinary);
        bench_close(&recorded);
        fakecl_reset();
    }
}

static void a_device_that_fails_is_an_error(void)
{
    g_autoptr(GError) error = NULL;
    Bench bench = bench_new(TRUE, FALSE);
    fakecl_fail(ENQUEUE, 1, 1, CL_OUT_OF_RESOURCES);
    g_assert_false(nn_slot_run(bench.slot, bench.queue, 1, &error));
    g_assert_error(error, OCL_ERROR, CL_OUT_OF_RESOURCES);
    bench_close(&bench);
}

/* Afterwards nothing may be alive. */
static void run_test(gconstpointer data)
{
    void (*const *test)(void) = data;
    (*test)();
    fakecl_reset();
    g_autofree char *living = fakecl_live_text();
    g_test_message("alive: %s", living);
    g_assert_cmpint(fakecl_live(), ==, 0);
}

static void add(const char *sentence, void (*test)(void))
{
    g_autofree char *path = g_strconcat("/", sentence, NULL);
    g_test_add_data_func_full(path, g_memdup2(&test, sizeof test), run_test, g_free);
}

static gboolean driver_records(void)
{
    Bench bench = bench_new(FALSE, FALSE);
    const gboolean records = bench.device->can_record;
    bench_close(&bench);
    fakecl_reset();
    return records;
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("large networks take samples in turns", large_networks_take_samples_in_turns);
    if (!driver_records()) {
        g_test_message("no more: this OpenCL driver has no cl_khr_command_buffer");
        return g_test_run();
    }
    add("recorded runs give what ordinary ones give", recorded_runs_give_what_ordinary_ones_give);
    add("a GPU replays without being asked", a_gpu_replays_without_being_asked);
    add("a profile is of single launches", a_profile_is_of_single_launches);
    add("what cannot be recorded is enqueued as ever", what_cannot_be_recorded_is_enqueued_as_ever);
    add("a device that fails is an error", a_device_that_fails_is_an_error);
    return g_test_run();
}
