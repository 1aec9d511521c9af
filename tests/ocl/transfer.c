/* transfer.c - tests of buffers, of pinned memory, and of what moves between them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#include <string.h>

/* A device, a queue and a buffer, for the tests to share. */
typedef struct {
    OclDevice *device;
    OclQueue *queue;
    cl_mem buffer;
    gsize size_b;
} Bench;

static Bench bench_new(gsize size_b)
{
    g_autoptr(GError) error = NULL;
    Bench bench = { harness_open(), NULL, NULL, size_b };
    bench.queue = ocl_queue_new(bench.device, "test", FALSE, &error);
    g_assert_no_error(error);
    bench.buffer = ocl_buffer_new(bench.device, OCL_BUFFER_READ_WRITE, size_b, &error);
    g_assert_no_error(error);
    g_assert_true(ocl_fill(bench.queue, bench.buffer, 0xEE, 0, size_b, NULL, &error));
    return bench;
}

static void bench_free(Bench *bench)
{
    ocl_buffer_clear(&bench->buffer);
    ocl_queue_free(bench->queue);
    ocl_device_unref(bench->device);
}

/* The whole buffer.
 * Returns: (transfer full) */
static guint8 *bench_content(const Bench *bench)
{
    g_autoptr(GError) error = NULL;
    guint8 *content = g_malloc(bench->size_b);
    ocl_read(bench->queue, bench->buffer, 0, content, bench->size_b, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(ocl_queue_finish(bench->queue, &error));
    return content;
}

static guint8 *numbered(gsize size_b)
{
    guint8 *data = g_malloc(size_b);
    for (gsize i = 0; i < size_b; i++)
        data[i] = i * 37 + i / 256;
    return data;
}

static void pieces_land_where_they_should(void)
{
    g_autoptr(GError) error = NULL;
    Bench bench = bench_new(100);
    g_autofree guint8 *data = numbered(20);
    g_assert_true(ocl_write(bench.queue, bench.buffer, 10, data, 20, NULL, &error));
    g_assert_true(ocl_copy(bench.queue, bench.buffer, 10, bench.buffer, 60, 20, NULL, &error));
    g_assert_true(ocl_fill(bench.queue, bench.buffer, 7, 40, 5, NULL, &error));
    g_autofree guint8 *content = bench_content(&bench);

    guint8 expected[100];
    memset(expected, 0xEE, sizeof expected);
    memcpy(expected + 10, data, 20);
    memcpy(expected + 60, data, 20);
    memset(expected + 40, 7, 5);
    g_assert_cmpmem(content, 100, expected, sizeof expected);
    bench_free(&bench);
}

/* Writes and reads @rows and compares with what loops of memcpy() do. */
static void check_rows(const OclRows *rows)
{
    g_autoptr(GError) error = NULL;
    gsize host_b = rows->host_pitch_b * (rows->n_rows - 1) + rows->row_b;
    gsize device_b = rows->device_offset_b + rows->device_pitch_b * rows->n_rows;
    Bench bench = bench_new(device_b + 16);
    g_autofree guint8 *src = numbered(host_b);
    g_autofree guint8 *dst = g_malloc(host_b);
    g_autofree guint8 *expected_device = g_malloc(bench.size_b);
    g_autofree guint8 *expected_host = g_malloc(host_b);
    memset(dst, 0xDD, host_b);
    memset(expected_device, 0xEE, bench.size_b);
    memset(expected_host, 0xDD, host_b);
    for (gsize y = 0; y < rows->n_rows; y++) {
        memcpy(expected_device + rows->device_offset_b + y * rows->device_pitch_b,
               src + y * rows->host_pitch_b, rows->row_b);
        memcpy(expected_host + y * rows->host_pitch_b, src + y * rows->host_pitch_b, rows->row_b);
    }

    cl_event event = NULL;
    g_assert_true(ocl_write_rows(bench.queue, bench.buffer, src, rows, NULL, &error));
    g_assert_true(ocl_read_rows(bench.queue, bench.buffer, dst, rows, &event, &error));
    g_assert_true(ocl_event_wait(event, bench.device, &error));
    ocl_event_clear(&event);
    g_autofree guint8 *content = bench_content(&bench);
    g_assert_cmpmem(content, bench.size_b, expected_device, bench.size_b);
    g_assert_cmpmem(dst, host_b, expected_host, host_b);
    bench_free(&bench);
}

/* The end of a queue is its last write, or a marker behind whatever else comes last. */
static void the_end_of_a_queue_is_its_last_write(void)
{
    g_autoptr(GError) error = NULL;
    Bench bench = bench_new(64);
    guint8 data[64] = { 0 };
    const OclRows rows = { .device_pitch_b = 8, .host_pitch_b = 8, .row_b = 4, .n_rows = 4 };
    cl_event event = NULL, end = NULL;

    g_assert_true(ocl_write(bench.queue, bench.buffer, 0, data, 64, &event, &error));
    end = ocl_queue_end(bench.queue, &error);
    g_assert_true(end == event);
    ocl_event_clear(&event);
    ocl_event_clear(&end);

    g_assert_true(ocl_write_rows(bench.queue, bench.buffer, data, &rows, &event, &error));
    end = ocl_queue_end(bench.queue, &error);
    g_assert_true(end == event);
    ocl_event_clear(&end);

    g_assert_true(ocl_read(bench.queue, bench.buffer, 0, data, 64, NULL, &error));
    end = ocl_queue_end(bench.queue, &error);
    g_assert_true(end && end != event);
    g_assert_true(ocl_event_wait(end, bench.device, &error));
    ocl_event_clear(&event);
    ocl_event_clear(&end);
    bench_free(&bench);
}

static void rows_keep_their_pitches(void)
{
    const OclRows cases[] = {
        { .device_pitch_b = 13, .host_pitch_b = 32, .row_b = 13, .n_rows = 7 },
        { .device_pitch_b = 32, .host_pitch_b = 13, .row_b = 13, .n_rows = 7 },
        { .device_offset_b = 101,
          .device_pitch_b = 20,
          .host_pitch_b = 24,
          .row_b = 17,
          .n_rows = 5 },
        { .device_offset_b = 64,
          .device_pitch_b = 1920,
          .host_pitch_b = 2048,
          .row_b = 1919,
          .n_rows = 1081 },
        { .device_offset_b = 3, .device_pitch_b = 8, .host_pitch_b = 8, .row_b = 1, .n_rows = 1 },
        { .device_offset_b = 5, .device_pitch_b = 9, .host_pitch_b = 9, .row_b = 9, .n_rows = 4 },
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        check_rows(&cases[i]);
}

static void contiguous_rows_go_as_one_piece(void)
{
    check_rows(&(OclRows){ .device_pitch_b = 64, .host_pitch_b = 64, .row_b = 64, .n_rows = 8 });
    g_assert_cmpuint(fakecl_calls("clEnqueueWriteBufferRect"), ==, 0);
    g_assert_cmpuint(fakecl_calls("clEnqueueReadBufferRect"), ==, 0);
}

static void pinned_memory_is_a_source_and_a_destination(void)
{
    g_autoptr(GError) error = NULL;
    Bench bench = bench_new(100000);
    g_autofree guint8 *data = numbered(100000);
    g_autoptr(OclPinned) src = ocl_pinned_new(bench.device, 100000, &error);
    g_autoptr(OclPinned) dst = ocl_pinned_new(bench.device, 100000, &error);
    g_assert_no_error(error);
    g_assert_cmpuint((guintptr)src->data % 64, ==, 0);
    memcpy(src->data, data, 100000);
    memset(dst->data, 0, 100000);
    g_assert_true(ocl_write(bench.queue, bench.buffer, 0, src->data, 100000, NULL, &error));
    g_assert_true(ocl_read(bench.queue, bench.buffer, 0, dst->data, 100000, NULL, &error));
    g_assert_true(ocl_queue_finish(bench.queue, &error));
    g_assert_cmpmem(dst->data, dst->size_b, data, 100000);
    bench_free(&bench);
}

static void a_slice_is_a_part_of_its_buffer(void)
{
    g_autoptr(GError) error = NULL;
    Bench bench = bench_new(8192);
    gsize offset_b = bench.device->base_align_b;
    g_assert_cmpuint(offset_b, >, 0);
    cl_mem slice = ocl_buffer_slice(bench.device, bench.buffer, offset_b, 16, &error);
    g_assert_no_error(error);
    g_assert_true(ocl_write(bench.queue, slice, 4, "abc", 3, NULL, &error));
    g_autofree guint8 *content = bench_content(&bench);
    g_assert_cmpmem(content + offset_b + 4, 3, "abc", 3);
    g_assert_cmpuint(content[offset_b + 3], ==, 0xEE);
    ocl_buffer_clear(&slice);

    fakecl_fail("clCreateSubBuffer", 1, 1, CL_MISALIGNED_SUB_BUFFER_OFFSET);
    g_assert_null(ocl_buffer_slice(bench.device, bench.buffer, 1, 16, &error));
    g_assert_true(g_str_has_prefix(error->message, "clCreateSubBuffer of 16 bytes at 1 on "));
    bench_free(&bench);
}

static void nothing_can_be_allocated_too(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) device = harness_open();
    cl_mem buffer = ocl_buffer_new(device, OCL_BUFFER_READ_ONLY, 0, &error);
    g_assert_no_error(error);
    g_assert_nonnull(buffer);
    ocl_buffer_clear(&buffer);
    g_assert_null(buffer);
    ocl_buffer_clear(&buffer);
    g_autoptr(OclPinned) pinned = ocl_pinned_new(device, 0, &error);
    g_assert_no_error(error);
    g_assert_nonnull(pinned);
}

static void too_much_memory_is_an_error_that_says_how_much(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) device = harness_open();
    gsize size_b = device->max_allocation_b * 4;
    g_assert_null(ocl_buffer_new(device, OCL_BUFFER_READ_WRITE, size_b, &error));
    g_assert_true(ocl_error_is_out_of_memory(error));
    g_autofree char *start = g_strdup_printf("clCreateBuffer of %" G_GSIZE_FORMAT " bytes", size_b);
    g_assert_true(g_str_has_prefix(error->message, start));
}

static void pinned_memory_fails_whole(void)
{
    const char *calls[] = { "clCreateCommandQueue", "clCreateBuffer", "clEnqueueMapBuffer" };
    for (guint i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(OclDevice) device = harness_open();
        fakecl_fail(calls[i], 1, 1, CL_MEM_OBJECT_ALLOCATION_FAILURE);
        g_assert_null(ocl_pinned_new(device, 4096, &error));
        g_assert_true(ocl_error_is_out_of_memory(error));
        g_assert_true(g_str_has_prefix(error->message, calls[i]));
        g_assert_cmpint(fakecl_live(), ==, 1);
    }
}

static void a_transfer_that_fails_names_call_size_and_queue(void)
{
    g_autoptr(GError) error = NULL;
    Bench bench = bench_new(10);
    guint8 data[20] = { 0 };
    g_assert_false(ocl_write(bench.queue, bench.buffer, 0, data, 20, NULL, &error));
    g_assert_error(error, OCL_ERROR, CL_INVALID_VALUE);
    g_autofree char *message =
        g_strdup_printf("clEnqueueWriteBuffer of 20 bytes in the test queue on %s: "
                        "CL_INVALID_VALUE (-30)",
                        bench.device->name);
    g_assert_cmpstr(error->message, ==, message);
    g_assert_true(ocl_queue_finish(bench.queue, NULL));
    bench_free(&bench);
}

int main(int argc, char **argv)
{
    harness_init(&argc, &argv);
    harness_add("pieces land where they should", pieces_land_where_they_should);
    harness_add("the end of a queue is its last write", the_end_of_a_queue_is_its_last_write);
    harness_add("rows keep their pitches", rows_keep_their_pitches);
    harness_add("contiguous rows go as one piece", contiguous_rows_go_as_one_piece);
    harness_add("pinned memory is a source and a destination",
                pinned_memory_is_a_source_and_a_destination);
    harness_add("a slice is a part of its buffer", a_slice_is_a_part_of_its_buffer);
    harness_add("nothing can be allocated too", nothing_can_be_allocated_too);
    harness_add("too much memory is an error that says how much",
                too_much_memory_is_an_error_that_says_how_much);
    harness_add("pinned memory fails whole", pinned_memory_fails_whole);
    harness_add("a transfer that fails names call, size and queue",
                a_transfer_that_fails_names_call_size_and_queue);
    return harness_run();
}
