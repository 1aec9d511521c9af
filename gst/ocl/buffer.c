/* buffer.c - device memory, pinned host memory, and the transfers between the two.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "internal.h"

static cl_mem create_buffer(OclDevice *device, cl_mem_flags flags, gsize size_b, GError **error)
{
    cl_int status;
    cl_mem buffer = clCreateBuffer(device->context, flags, MAX(size_b, 1), NULL, &status);
    if (status == CL_SUCCESS)
        return buffer;
    ocl_fail(error, status, device,
             "clCreateBuffer of %" G_GSIZE_FORMAT " bytes (the device has %" G_GSIZE_FORMAT
             ", %" G_GSIZE_FORMAT " at most in one piece)",
             size_b, device->global_memory_b, device->max_allocation_b);
    return NULL;
}

cl_mem ocl_buffer_new(OclDevice *device, OclAccess access, gsize size_b, GError **error)
{
    cl_mem_flags flags = access == OCL_BUFFER_READ_ONLY ? CL_MEM_READ_ONLY : CL_MEM_READ_WRITE;
    return create_buffer(device, flags, size_b, error);
}

cl_mem ocl_buffer_slice(OclDevice *device, cl_mem parent, gsize offset_b, gsize size_b,
                        GError **error)
{
    const cl_buffer_region region = { offset_b, size_b };
    cl_int status;
    cl_mem slice = clCreateSubBuffer(parent, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &status);
    if (status == CL_SUCCESS)
        return slice;
    ocl_fail(error, status, device,
             "clCreateSubBuffer of %" G_GSIZE_FORMAT " bytes at %" G_GSIZE_FORMAT, size_b,
             offset_b);
    return NULL;
}

void ocl_buffer_clear(cl_mem *buffer)
{
    if (*buffer)
        clReleaseMemObject(*buffer);
    *buffer = NULL;
}

/* ---------------------------------------------------------------- pinned */

static gboolean map_pinned(OclPinned *pinned, OclDevice *device, GError **error)
{
    cl_int status;
    pinned->data =
        clEnqueueMapBuffer(pinned->queue->cl, pinned->cl, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0,
                           MAX(pinned->size_b, 1), 0, NULL, NULL, &status);
    if (status == CL_SUCCESS)
        return TRUE;
    pinned->data = NULL;
    return ocl_fail(error, status, device, "clEnqueueMapBuffer of %" G_GSIZE_FORMAT " bytes",
                    pinned->size_b);
}

OclPinned *ocl_pinned_new(OclDevice *device, gsize size_b, GError **error)
{
    g_autoptr(OclPinned) pinned = g_new0(OclPinned, 1);
    pinned->size_b = size_b;
    pinned->queue = ocl_queue_new(device, "pinned", FALSE, error);
    if (!pinned->queue)
        return NULL;
    pinned->cl = create_buffer(device, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, size_b, error);
    if (!pinned->cl || !map_pinned(pinned, device, error))
        return NULL;
    return g_steal_pointer(&pinned);
}

void ocl_pinned_free(OclPinned *pinned)
{
    if (!pinned)
        return;
    if (pinned->data && clEnqueueUnmapMemObject(pinned->queue->cl, pinned->cl, pinned->data, 0,
                                                NULL, NULL) == CL_SUCCESS)
        clFinish(pinned->queue->cl);
    ocl_buffer_clear(&pinned->cl);
    ocl_queue_free(pinned->queue);
    g_free(pinned);
}

/* ---------------------------------------------------------------- transfers */

static gboolean check(cl_int status, OclQueue *queue, const char *call, gsize size_b,
                      GError **error)
{
    ocl_queue_note(queue, NULL);
    return status == CL_SUCCESS ||
           ocl_fail(error, status, queue->device, "%s of %" G_GSIZE_FORMAT " bytes in the %s queue",
                    call, size_b, queue->name);
}

/* The same of a command that writes, whose event is @own. */
static gboolean check_write(cl_int status, OclQueue *queue, cl_event own, const char *call,
                            gsize size_b, cl_event *event, GError **error)
{
    if (!check(status, queue, call, size_b, error))
        return FALSE;
    ocl_queue_note(queue, own);
    if (event && clRetainEvent(own) == CL_SUCCESS)
        *event = own;
    return TRUE;
}

gboolean ocl_write(OclQueue *queue, cl_mem dst, gsize offset_b, const void *src, gsize size_b,
                   cl_event *event, GError **error)
{
    cl_event own = NULL;
    cl_int status =
        clEnqueueWriteBuffer(queue->cl, dst, CL_FALSE, offset_b, size_b, src, 0, NULL, &own);
    return check_write(status, queue, own, "clEnqueueWriteBuffer", size_b, event, error);
}

gboolean ocl_read(OclQueue *queue, cl_mem src, gsize offset_b, void *dst, gsize size_b,
                  cl_event *event, GError **error)
{
    cl_int status =
        clEnqueueReadBuffer(queue->cl, src, CL_FALSE, offset_b, size_b, dst, 0, NULL, event);
    return check(status, queue, "clEnqueueReadBuffer", size_b, error);
}

gboolean ocl_copy(OclQueue *queue, cl_mem src, gsize src_offset_b, cl_mem dst, gsize dst_offset_b,
                  gsize size_b, cl_event *event, GError **error)
{
    cl_int status = clEnqueueCopyBuffer(queue->cl, src, dst, src_offset_b, dst_offset_b, size_b, 0,
                                        NULL, event);
    return check(status, queue, "clEnqueueCopyBuffer", size_b, error);
}

gboolean ocl_fill(OclQueue *queue, cl_mem dst, guint8 byte, gsize offset_b, gsize size_b,
                  cl_event *event, GError **error)
{
    cl_int status = clEnqueueFillBuffer(queue->cl, dst, &byte, 1, offset_b, size_b, 0, NULL, event);
    return check(status, queue, "clEnqueueFillBuffer", size_b, error);
}

/* Without gaps on both sides the rows are one piece, which drivers copy fastest. */
static gboolean is_contiguous(const OclRows *rows)
{
    return rows->device_pitch_b == rows->row_b && rows->host_pitch_b == rows->row_b;
}

gboolean ocl_write_rows(OclQueue *queue, cl_mem dst, const void *src, const OclRows *rows,
                        cl_event *event, GError **error)
{
    if (is_contiguous(rows))
        return ocl_write(queue, dst, rows->device_offset_b, src, rows->row_b * rows->n_rows, event,
                         error);
    const gsize device_origin[3] = { rows->device_offset_b, 0, 0 };
    const gsize host_origin[3] = { 0, 0, 0 };
    const gsize region[3] = { rows->row_b, rows->n_rows, 1 };
    cl_event own = NULL;
    cl_int status = clEnqueueWriteBufferRect(queue->cl, dst, CL_FALSE, device_origin, host_origin,
                                             region, rows->device_pitch_b, 0, rows->host_pitch_b, 0,
                                             src, 0, NULL, &own);
    return check_write(status, queue, own, "clEnqueueWriteBufferRect", rows->row_b * rows->n_rows,
                       event, error);
}

gboolean ocl_read_rows(OclQueue *queue, cl_mem src, void *dst, const OclRows *rows, cl_event *event,
                       GError **error)
{
    if (is_contiguous(rows))
        return ocl_read(queue, src, rows->device_offset_b, dst, rows->row_b * rows->n_rows, event,
                        error);
    const gsize device_origin[3] = { rows->device_offset_b, 0, 0 };
    const gsize host_origin[3] = { 0, 0, 0 };
    const gsize region[3] = { rows->row_b, rows->n_rows, 1 };
    cl_int status = clEnqueueReadBufferRect(queue->cl, src, CL_FALSE, device_origin, host_origin,
                                            region, rows->device_pitch_b, 0, rows->host_pitch_b, 0,
                                            dst, 0, NULL, event);
    return check(status, queue, "clEnqueueReadBufferRect", rows->row_b * rows->n_rows, error);
}
