/* event.c - tests of queues and events: their order, their end, their failures.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#include <string.h>

#define MARKER "clEnqueueMarkerWithWaitList"

/* ---------------------------------------------------------------- helpers */

static OclQueue *new_queue(OclDevice *device, gboolean profiling)
{
    g_autoptr(GError) error = NULL;
    OclQueue *queue = ocl_queue_new(device, "test", profiling, &error);
    g_assert_no_error(error);
    return queue;
}

static cl_event mark(OclQueue *queue)
{
    g_autoptr(GError) error = NULL;
    cl_event event = ocl_queue_mark(queue, &error);
    g_assert_no_error(error);
    g_assert_true(ocl_queue_flush(queue, &error));
    return event;
}

/* What a notification writes down. */
typedef struct {
    GMutex lock;
    GCond told;
    guint n_calls;
    cl_int status;
} Notice;

static void take_notice(gpointer data, cl_int status)
{
    Notice *notice = data;
    g_mutex_lock(&notice->lock);
    notice->n_calls++;
    notice->status = status;
    g_cond_signal(&notice->told);
    g_mutex_unlock(&notice->lock);
}

static cl_int wait_for_notice(Notice *notice)
{
    gint64 limit_us = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    g_mutex_lock(&notice->lock);
    while (notice->n_calls == 0)
        g_assert_true(g_cond_wait_until(&notice->told, &notice->lock, limit_us));
    cl_int status = notice->status;
    g_mutex_unlock(&notice->lock);
    return status;
}

/* ---------------------------------------------------------------- tests */

static void a_held_command_is_not_complete(void)
{
    g_autoptr(OclDevice) device = harness_open();
    g_autoptr(OclQueue) queue = new_queue(device, FALSE);
    fakecl_hold(MARKER, 1, 1, FAKECL_FOREVER);
    cl_event first = mark(queue), second = mark(queue);
    g_assert_true(fakecl_wait_held(1));
    g_assert_cmpint(ocl_event_status(first), >, 0);
    g_assert_cmpint(ocl_event_status(second), >, 0);
    g_assert_true(fakecl_release_next());
    g_assert_true(ocl_event_wait(second, device, NULL));
    g_assert_cmpint(ocl_event_status(first), ==, 0);
    g_assert_cmpint(ocl_event_status(second), ==, 0);
    ocl_event_clear(&first);
    ocl_event_clear(&second);
    g_assert_null(first);
    ocl_event_clear(&first);
}

static void delays_follow_one_upon_the_other(void)
{
    g_autoptr(OclDevice) device = harness_open();
    g_autoptr(OclQueue) queue = new_queue(device, FALSE);
    fakecl_hold(MARKER, 2, FAKECL_ALWAYS, 30);
    gint64 start_us = g_get_monotonic_time();
    cl_event events[3];
    for (guint i = 0; i < 3; i++)
        events[i] = mark(queue);
    g_assert_true(ocl_event_wait(events[2], device, NULL));
    g_assert_cmpint(g_get_monotonic_time() - start_us, >=, 60000);
    for (guint i = 0; i < 3; i++)
        ocl_event_clear(&events[i]);
}

static void a_queue_waits_for_another(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) device = harness_open();
    g_autoptr(OclQueue) upload = new_queue(device, FALSE);
    g_autoptr(OclQueue) compute = new_queue(device, FALSE);
    fakecl_hold(MARKER, 1, 1, FAKECL_FOREVER);
    cl_event uploaded = mark(upload);
    g_assert_true(ocl_queue_wait(compute, uploaded, &error));
    cl_event computed = mark(compute);
    g_assert_cmpint(ocl_event_status(computed), >, 0);
    fakecl_release();
    g_assert_true(ocl_event_wait(computed, device, &error));
    g_assert_cmpint(ocl_event_status(uploaded), ==, 0);
    ocl_event_clear(&uploaded);
    ocl_event_clear(&computed);
}

static void a_notification_comes_once_the_command_is_complete(void)
{
    g_autoptr(OclDevice) device = harness_open();
    g_autoptr(OclQueue) queue = new_queue(device, FALSE);
    Notice notice = { 0 };
    fakecl_hold(MARKER, 1, 1, FAKECL_FOREVER);
    cl_event event = mark(queue);
    g_assert_true(ocl_event_notify(event, device, take_notice, &notice, NULL));
    g_assert_cmpuint(notice.n_calls, ==, 0);
    fakecl_release();
    g_assert_cmpint(wait_for_notice(&notice), ==, CL_COMPLETE);
    g_assert_cmpuint(notice.n_calls, ==, 1);
    ocl_event_clear(&event);
}

static void a_notification_on_a_complete_event_comes_too(void)
{
    g_autoptr(OclDevice) device = harness_open();
    g_autoptr(OclQueue) queue = new_queue(device, FALSE);
    Notice notice = { 0 };
    cl_event event = mark(queue);
    g_assert_true(ocl_event_wait(event, device, NULL));
    g_assert_true(ocl_event_notify(event, device, take_notice, &notice, NULL));
    g_assert_cmpint(wait_for_notice(&notice), ==, CL_COMPLETE);
    ocl_event_clear(&event);
}

static void a_notification_that_is_refused_is_an_error(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) device = harness_open();
    g_autoptr(OclQueue) queue = new_queue(device, FALSE);
    Notice notice = { 0 };
    cl_event event = mark(queue);
    fakecl_fail("clSetEventCallback", 1, 1, CL_OUT_OF_HOST_MEMORY);
    g_assert_false(ocl_event_notify(event, device, take_notice, &notice, &error));
    g_assert_error(error, OCL_ERROR, CL_OUT_OF_HOST_MEMORY);
    ocl_event_wait(event, device, NULL);
    ocl_event_clear(&event);
}

static void a_driver_that_calls_back_late_is_asked(void)
{
    static const char vendor[] = "NVIDIA Corporation";
    fakecl_override_device(0, CL_DEVICE_VENDOR, vendor, sizeof vendor);
    fakecl_fail("clSetEventCallback", 1, FAKECL_ALWAYS, CL_INVALID_OPERATION);
    fakecl_fail_event(MARKER, 3, 1, CL_OUT_OF_RESOURCES);
    g_autoptr(OclDevice) device = harness_open();
    g_assert_true(device->late_callbacks);
    g_autoptr(OclQueue) queue = new_queue(device, FALSE);
    Notice first = { 0 }, second = { 0 }, bad = { 0 };
    fakecl_hold(MARKER, 2, 1, FAKECL_FOREVER);
    cl_event events[] = { mark(queue), mark(queue), mark(queue) };
    g_assert_true(ocl_event_notify(events[1], device, take_notice, &second, NULL));
    g_assert_true(ocl_event_notify(events[0], device, take_notice, &first, NULL));
    g_assert_true(ocl_event_notify(events[2], device, take_notice, &bad, NULL));
    g_assert_cmpint(wait_for_notice(&first), ==, CL_COMPLETE);
    g_assert_cmpuint(second.n_calls, ==, 0);
    fakecl_release();
    g_assert_cmpint(wait_for_notice(&second), ==, CL_COMPLETE);
    g_assert_cmpint(wait_for_notice(&bad), ==, CL_OUT_OF_RESOURCES);
    for (guint i = 0; i < G_N_ELEMENTS(events); i++)
        ocl_event_clear(&events[i]);
}

static void a_command_that_fails_tells_everybody(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) device = harness_open();
    g_autoptr(OclQueue) queue = new_queue(device, FALSE);
    Notice notice = { 0 };
    fakecl_fail_event(MARKER, 2, 1, CL_OUT_OF_RESOURCES);
    cl_event good = mark(queue), bad = mark(queue);
    g_assert_true(ocl_event_notify(bad, device, take_notice, &notice, NULL));
    g_assert_cmpint(wait_for_notice(&notice), ==, CL_OUT_OF_RESOURCES);
    g_assert_true(ocl_event_wait(good, device, &error));
    g_assert_false(ocl_event_wait(bad, device, &error));
    g_assert_cmpint(ocl_event_status(bad), ==, CL_OUT_OF_RESOURCES);
    g_assert_error(error, OCL_ERROR, CL_OUT_OF_RESOURCES);
    g_assert_nonnull(strstr(error->message, device->name));
    ocl_event_clear(&good);
    ocl_event_clear(&bad);
}

static void a_fault_is_not_a_lack_of_memory(void)
{
    g_autoptr(GError) refused = NULL, failed = NULL;
    g_autoptr(OclDevice) device = harness_open();
    g_autoptr(OclQueue) queue = new_queue(device, FALSE);
    fakecl_fail("clFlush", 1, 1, CL_OUT_OF_RESOURCES);
    g_assert_false(ocl_queue_flush(queue, &refused));
    g_assert_true(ocl_error_is_out_of_memory(refused));
    g_assert_false(ocl_error_is_device_lost(refused));

    fakecl_fail("clFinish", 1, 1, CL_OUT_OF_RESOURCES);
    g_assert_false(ocl_queue_finish(queue, &failed));
    g_prefix_error(&failed, "Batch 3: ");
    g_autoptr(GError) copy = g_error_copy(failed);
    g_assert_false(ocl_error_is_out_of_memory(copy));
    g_assert_true(ocl_error_is_device_lost(copy));
}

static void other_errors_are_neither(void)
{
    g_autoptr(GError) file = g_error_new(G_FILE_ERROR, CL_OUT_OF_RESOURCES, "file");
    g_autoptr(GError) value = g_error_new(OCL_ERROR, CL_INVALID_VALUE, "value");
    const GError *errors[] = { file, value, NULL };
    for (guint i = 0; i < G_N_ELEMENTS(errors); i++) {
        g_assert_false(ocl_error_is_device_lost(errors[i]));
        g_assert_false(ocl_error_is_out_of_memory(errors[i]));
    }
}

static void statuses_have_names(void)
{
    g_assert_cmpstr(ocl_status_name(CL_OUT_OF_RESOURCES), ==, "CL_OUT_OF_RESOURCES");
    g_assert_cmpstr(ocl_status_name(-1001), ==, "CL_PLATFORM_NOT_FOUND_KHR");
    g_assert_cmpstr(ocl_status_name(-4711), ==, "unknown status");
}

static void a_profiling_queue_knows_times(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) device = harness_open();
    g_autoptr(OclQueue) queue = new_queue(device, TRUE);
    cl_mem buffer = ocl_buffer_new(device, OCL_BUFFER_READ_WRITE, 1 << 20, &error);
    guint64 start_ns = 0, end_ns = 0;
    cl_event event;
    g_assert_true(ocl_fill(queue, buffer, 1, 0, 1 << 20, &event, &error));
    g_assert_true(ocl_event_wait(event, device, &error));
    g_assert_true(ocl_event_times(event, &start_ns, &end_ns));
    g_assert_cmpuint(end_ns, >, start_ns);
    guint64 same_end_ns = 0;
    g_assert_true(ocl_event_times(event, NULL, &same_end_ns));
    g_assert_cmpuint(same_end_ns, ==, end_ns);
    ocl_event_clear(&event);

    g_autoptr(OclQueue) plain = new_queue(device, FALSE);
    event = mark(plain);
    g_assert_true(ocl_event_wait(event, device, &error));
    g_assert_false(ocl_event_times(event, &start_ns, &end_ns));
    ocl_event_clear(&event);
    ocl_buffer_clear(&buffer);
}

static void queue_calls_that_fail_name_the_queue(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) device = harness_open();
    fakecl_fail("clCreateCommandQueue", 1, 1, CL_OUT_OF_HOST_MEMORY);
    g_assert_null(ocl_queue_new(device, "upload", FALSE, &error));
    g_assert_nonnull(strstr(error->message, "clCreateCommandQueue of the upload queue on "));
    g_clear_error(&error);

    g_autoptr(OclQueue) queue = new_queue(device, FALSE);
    fakecl_fail(MARKER, 1, 1, CL_INVALID_COMMAND_QUEUE);
    g_assert_null(ocl_queue_mark(queue, &error));
    g_assert_nonnull(strstr(error->message, MARKER " in the test queue on "));
    g_assert_true(ocl_error_is_device_lost(error));
    g_clear_error(&error);

    fakecl_hold(MARKER, 1, 1, FAKECL_FOREVER);
    cl_event event = mark(queue);
    fakecl_fail("clEnqueueBarrierWithWaitList", 1, 1, CL_OUT_OF_RESOURCES);
    g_assert_false(ocl_queue_wait(queue, event, &error));
    g_assert_true(ocl_error_is_out_of_memory(error));
    fakecl_release();
    ocl_event_wait(event, device, NULL);
    ocl_event_clear(&event);
}

int main(int argc, char **argv)
{
    harness_init(&argc, &argv);
    harness_add("a held command is not complete", a_held_command_is_not_complete);
    harness_add("delays follow one upon the other", delays_follow_one_upon_the_other);
    harness_add("a queue waits for another", a_queue_waits_for_another);
    harness_add("a notification comes once the command is complete",
                a_notification_comes_once_the_command_is_complete);
    harness_add("a notification on a complete event comes too",
                a_notification_on_a_complete_event_comes_too);
    harness_add("a notification that is refused is an error",
                a_notification_that_is_refused_is_an_error);
    harness_add("a driver that calls back late is asked", a_driver_that_calls_back_late_is_asked);
    harness_add("a command that fails tells everybody", a_command_that_fails_tells_everybody);
    harness_add("a fault is not a lack of memory", a_fault_is_not_a_lack_of_memory);
    harness_add("other errors are neither", other_errors_are_neither);
    harness_add("statuses have names", statuses_have_names);
    harness_add("a profiling queue knows times", a_profiling_queue_knows_times);
    harness_add("queue calls that fail name the queue", queue_calls_that_fail_name_the_queue);
    return harness_run();
}
