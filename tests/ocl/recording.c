/* recording.c - tests of launches that are recorded and enqueued together.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#include <CL/cl_ext.h>
#include <string.h>

#define N 64 /* numbers, and work-items of a launch */
#define ENQUEUE "clEnqueueCommandBufferKHR"

/* ---------------------------------------------------------------- helpers */

/* What the first device tells of the extension. */
static OclDevice *open_with(guint major, guint minor, guint patch)
{
    cl_name_version_khr told = { CL_MAKE_VERSION_KHR(major, minor, patch),
                                 CL_KHR_COMMAND_BUFFER_EXTENSION_NAME };
    fakecl_override_device(0, CL_DEVICE_EXTENSIONS_WITH_VERSION_KHR, &told, sizeof told);
    return harness_open();
}

typedef struct {
    OclDevice *device;
    OclQueue *queue;
    cl_mem numbers;
    OclKernel *kernels[3]; /* append 1, 2 and 3 */
} Bench;

static Bench bench_new(void)
{
    g_autoptr(GError) error = NULL;
    Bench bench = { .device = open_with(0, 9, 0) };
    if (!bench.device->can_record)
        return bench;
    bench.queue = ocl_queue_new(bench.device, "test", FALSE, &error);
    g_assert_no_error(error);
    bench.numbers = ocl_buffer_new(bench.device, OCL_BUFFER_READ_WRITE, N * sizeof(cl_int), &error);
    g_assert_no_error(error);
    g_assert_true(ocl_fill(bench.queue, bench.numbers, 0, 0, N * sizeof(cl_int), NULL, &error));
    for (cl_int i = 0; i < 3; i++) {
        const cl_int digit = i + 1;
        bench.kernels[i] = ocl_kernel_new(bench.device, "append.cl", "append", "", &error);
        g_assert_no_error(error);
        g_assert_true(ocl_kernel_set(bench.kernels[i], 0, sizeof(cl_mem), &bench.numbers, &error));
        g_assert_true(ocl_kernel_set(bench.kernels[i], 1, sizeof digit, &digit, &error));
    }
    return bench;
}

static void bench_free(Bench *bench)
{
    for (guint i = 0; i < 3; i++)
        ocl_kernel_free(bench->kernels[i]);
    ocl_buffer_clear(&bench->numbers);
    ocl_queue_free(bench->queue);
    ocl_device_unref(bench->device);
}

/* TRUE if the driver below the fake has no recordings. */
static gboolean skipped(Bench *bench)
{
    if (bench->device->can_record)
        return FALSE;
    g_test_skip("this OpenCL driver has no cl_khr_command_buffer");
    bench_free(bench);
    return TRUE;
}

/* Launches that append 1, 2, 3. */
static OclRecording *record(const Bench *bench)
{
    g_autoptr(GError) error = NULL;
    OclRecording *recording = ocl_recording_new(bench->queue, &error);
    g_assert_no_error(error);
    const gsize global = N, local = 1;
    for (guint i = 0; i < 3; i++)
        g_assert_true(ocl_recording_add(recording, bench->kernels[i], 1, &global, &local, &error));
    g_assert_true(ocl_recording_finish(recording, &error));
    return recording;
}

static void assert_numbers(const Bench *bench, OclQueue *queue, cl_int expected)
{
    g_autoptr(GError) error = NULL;
    cl_int numbers[N];
    g_assert_true(ocl_read(queue, bench->numbers, 0, numbers, sizeof numbers, NULL, &error));
    g_assert_true(ocl_queue_finish(queue, &error));
    for (guint i = 0; i < N; i++)
        g_assert_cmpint(numbers[i], ==, expected);
}

/* ---------------------------------------------------------------- tests */

static void launches_run_in_the_order_of_recording_each_time(void)
{
    g_autoptr(GError) error = NULL;
    Bench bench = bench_new();
    if (skipped(&bench))
        return;
    OclRecording *recording = record(&bench);
    assert_numbers(&bench, bench.queue, 0);
    g_assert_true(ocl_recording_enqueue(recording, bench.queue, &error));
    assert_numbers(&bench, bench.queue, 123);
    g_assert_true(ocl_recording_enqueue(recording, bench.queue, &error));
    assert_numbers(&bench, bench.queue, 123123);
    ocl_recording_free(recording);
    bench_free(&bench);
}

static void a_recording_may_follow_itself_and_be_freed_before_it_has_run(void)
{
    g_autoptr(GError) error = NULL;
    Bench bench = bench_new();
    if (skipped(&bench))
        return;
    OclRecording *recording = record(&bench);
    fakecl_hold(ENQUEUE, 1, 1, FAKECL_FOREVER);
    for (guint i = 0; i < 3; i++)
        g_assert_true(ocl_recording_enqueue(recording, bench.queue, &error));
    g_assert_no_error(error);
    ocl_recording_free(recording);
    g_assert_true(fakecl_wait_held(1));
    fakecl_release();
    assert_numbers(&bench, bench.queue, 123123123);
    bench_free(&bench);
}

static void another_queue_runs_it_too(void)
{
    g_autoptr(GError) error = NULL;
    Bench bench = bench_new();
    if (skipped(&bench))
        return;
    OclRecording *recording = record(&bench);
    g_assert_true(ocl_queue_finish(bench.queue, &error));
    g_autoptr(OclQueue) other = ocl_queue_new(bench.device, "other", FALSE, &error);
    fakecl_hold("clEnqueueMarkerWithWaitList", 1, 1, FAKECL_FOREVER);
    cl_event held = ocl_queue_mark(bench.queue, &error);
    g_assert_true(ocl_recording_enqueue(recording, other, &error));
    assert_numbers(&bench, other, 123);
    fakecl_release();
    g_assert_true(ocl_queue_finish(bench.queue, &error));
    ocl_event_clear(&held);
    ocl_recording_free(recording);
    bench_free(&bench);
}

static void only_versions_that_are_known_are_used(void)
{
    static const guint refused[][3] = { { 0, 8, 9 }, { 0, 9, 8 }, { 0, 10, 0 }, { 1, 0, 0 } };
    for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(OclDevice) device = open_with(refused[i][0], refused[i][1], refused[i][2]);
        g_assert_false(device->can_record);
    }
    fakecl_reset();
    g_autoptr(OclDevice) device = harness_open();
    g_assert_false(device->can_record);
}

static void assert_does_not_record(void)
{
    g_autoptr(OclDevice) device = open_with(0, 9, 0);
    g_assert_false(device->can_record);
    fakecl_reset();
}

static void a_device_that_lacks_a_part_does_not_record(void)
{
    const cl_device_command_buffer_capabilities_khr none = 0;
    const cl_command_queue_properties out_of_order = CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE;
    fakecl_override_device(0, CL_DEVICE_COMMAND_BUFFER_CAPABILITIES_KHR, &none, sizeof none);
    assert_does_not_record();
    fakecl_override_device(0, CL_DEVICE_COMMAND_BUFFER_REQUIRED_QUEUE_PROPERTIES_KHR, &out_of_order,
                           sizeof out_of_order);
    assert_does_not_record();
    fakecl_fail("clGetExtensionFunctionAddressForPlatform", 3, 1, CL_INVALID_VALUE);
    assert_does_not_record();
}

static void what_cannot_be_recorded_is_an_error_that_says_so(void)
{
    g_autoptr(GError) error = NULL;
    Bench bench = bench_new();
    if (skipped(&bench))
        return;
    const gsize global = N, local = 1;
    fakecl_fail("clCreateCommandBufferKHR", 1, 1, CL_OUT_OF_HOST_MEMORY);
    g_assert_null(ocl_recording_new(bench.queue, &error));
    g_assert_true(
        g_str_has_prefix(error->message, "clCreateCommandBufferKHR for the test queue on "));
    g_clear_error(&error);

    g_autoptr(OclRecording) recording = ocl_recording_new(bench.queue, &error);
    fakecl_fail("clCommandNDRangeKernelKHR", 1, 1, CL_OUT_OF_RESOURCES);
    g_assert_false(ocl_recording_add(recording, bench.kernels[0], 1, &global, &local, &error));
    g_assert_true(
        g_str_has_prefix(error->message, "clCommandNDRangeKernelKHR of append.cl:append on "));
    g_clear_error(&error);

    g_assert_true(ocl_recording_add(recording, bench.kernels[0], 1, &global, &local, &error));
    g_assert_false(ocl_recording_enqueue(recording, bench.queue, &error)); /* not finished */
    g_assert_error(error, OCL_ERROR, CL_INVALID_OPERATION);
    g_assert_true(g_str_has_prefix(
        error->message, "clEnqueueCommandBufferKHR of 1 launches in the test queue on "));
    bench_free(&bench);
}

int main(int argc, char **argv)
{
    harness_init(&argc, &argv);
    harness_add("launches run in the order of recording, each time",
                launches_run_in_the_order_of_recording_each_time);
    harness_add("a recording may follow itself, and be freed before it has run",
                a_recording_may_follow_itself_and_be_freed_before_it_has_run);
    harness_add("another queue runs it, too", another_queue_runs_it_too);
    harness_add("only versions that are known are used", only_versions_that_are_known_are_used);
    harness_add("a device that lacks a part does not record",
                a_device_that_lacks_a_part_does_not_record);
    harness_add("what cannot be recorded is an error that says so",
                what_cannot_be_recorded_is_an_error_that_says_so);
    return harness_run();
}
