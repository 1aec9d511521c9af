/* whole-writes.c - preloaded beside Oclgrind, so that its check for uninitialised values is of use.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Oclgrind 21.10 takes whatever a host writes for a buffer's whole content: after a write to a part
 * of a buffer, the rest counts as never written, and so does the part itself unless it is at the
 * beginning (measured; oclgrind --uninitialized on a kernel that reads what was written at an
 * offset). Therefore each write is followed by one of the whole buffer, of what is there. With that
 * everything in a buffer counts as written, so a new buffer is filled with NaN first: what was
 * never written shows in the results. Local and private memory are left to Oclgrind.
 */
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define REAL(function) ((__typeof__(&function))dlsym(RTLD_NEXT, #function))

static size_t size_of(cl_mem memory)
{
    size_t size_b = 0;
    clGetMemObjectInfo(memory, CL_MEM_SIZE, sizeof size_b, &size_b, NULL);
    return size_b;
}

static cl_mem whole_of(cl_mem memory)
{
    cl_mem parent = NULL;
    clGetMemObjectInfo(memory, CL_MEM_ASSOCIATED_MEMOBJECT, sizeof parent, &parent, NULL);
    return parent ? parent : memory;
}

static void write_whole(cl_command_queue queue, cl_mem memory)
{
    memory = whole_of(memory);
    const size_t size_b = size_of(memory);
    void *bytes = malloc(size_b);
    if (bytes &&
        clEnqueueReadBuffer(queue, memory, CL_TRUE, 0, size_b, bytes, 0, NULL, NULL) == CL_SUCCESS)
        REAL(clEnqueueWriteBuffer)(queue, memory, CL_TRUE, 0, size_b, bytes, 0, NULL, NULL);
    free(bytes);
}

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size_b, void *host,
                      cl_int *status)
{
    void *bytes = host ? NULL : malloc(size_b);
    if (!bytes)
        return REAL(clCreateBuffer)(context, flags, size_b, host, status);
    memset(bytes, 0xff, size_b);
    cl_mem memory =
        REAL(clCreateBuffer)(context, flags | CL_MEM_COPY_HOST_PTR, size_b, bytes, status);
    free(bytes);
    return memory;
}

#define FOLLOWED_BY_WHOLE(call, queue, memory)                                                     \
    do {                                                                                           \
        const cl_int status = call;                                                                \
        if (status == CL_SUCCESS)                                                                  \
            write_whole(queue, memory);                                                            \
        return status;                                                                             \
    } while (0)

cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem memory, cl_bool blocking,
                            size_t offset_b, size_t size_b, const void *host, cl_uint n_waits,
                            const cl_event *waits, cl_event *event)
{
    FOLLOWED_BY_WHOLE(REAL(clEnqueueWriteBuffer)(queue, memory, blocking, offset_b, size_b, host,
                                                 n_waits, waits, event),
                      queue, memory);
}

cl_int clEnqueueWriteBufferRect(cl_command_queue queue, cl_mem memory, cl_bool blocking,
                                const size_t *origin, const size_t *host_origin,
                                const size_t *region, size_t row_pitch_b, size_t slice_pitch_b,
                                size_t host_row_pitch_b, size_t host_slice_pitch_b,
                                const void *host, cl_uint n_waits, const cl_event *waits,
                                cl_event *event)
{
    FOLLOWED_BY_WHOLE(REAL(clEnqueueWriteBufferRect)(queue, memory, blocking, origin, host_origin,
                                                     region, row_pitch_b, slice_pitch_b,
                                                     host_row_pitch_b, host_slice_pitch_b, host,
                                                     n_waits, waits, event),
                      queue, memory);
}

cl_int clEnqueueFillBuffer(cl_command_queue queue, cl_mem memory, const void *pattern,
                           size_t pattern_b, size_t offset_b, size_t size_b, cl_uint n_waits,
                           const cl_event *waits, cl_event *event)
{
    FOLLOWED_BY_WHOLE(REAL(clEnqueueFillBuffer)(queue, memory, pattern, pattern_b, offset_b, size_b,
                                                n_waits, waits, event),
                      queue, memory);
}

cl_int clEnqueueCopyBuffer(cl_command_queue queue, cl_mem from, cl_mem to, size_t from_b,
                           size_t to_b, size_t size_b, cl_uint n_waits, const cl_event *waits,
                           cl_event *event)
{
    FOLLOWED_BY_WHOLE(
        REAL(clEnqueueCopyBuffer)(queue, from, to, from_b, to_b, size_b, n_waits, waits, event),
        queue, to);
}
