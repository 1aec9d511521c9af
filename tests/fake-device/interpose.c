/* interpose.c - the OpenCL functions that the fake device defines in front of the real ones.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "interpose.h"

#include <CL/cl_ext.h>
#include <string.h>

/* ---------------------------------------------------------------- identity */

cl_int clGetPlatformIDs(cl_uint n_entries, cl_platform_id *platforms, cl_uint *n_platforms)
{
    cl_int status = fakecl_judge("clGetPlatformIDs", NULL, FAKECL_NO_DEVICE).status;
    return status ? status : REAL(clGetPlatformIDs)(n_entries, platforms, n_platforms);
}

cl_int clGetDeviceIDs(cl_platform_id platform, cl_device_type type, cl_uint n_entries,
                      cl_device_id *devices, cl_uint *n_devices)
{
    cl_int status = fakecl_judge("clGetDeviceIDs", NULL, FAKECL_NO_DEVICE).status;
    return status ? status : REAL(clGetDeviceIDs)(platform, type, n_entries, devices, n_devices);
}

static cl_int answer(GBytes *value, size_t size_b, void *destination, size_t *needed_b)
{
    gsize value_size_b;
    const void *data = g_bytes_get_data(value, &value_size_b);
    if (needed_b)
        *needed_b = value_size_b;
    if (destination && size_b < value_size_b)
        return CL_INVALID_VALUE;
    if (destination)
        memcpy(destination, data, value_size_b);
    return CL_SUCCESS;
}

cl_int clGetPlatformInfo(cl_platform_id platform, cl_platform_info what, size_t size_b, void *value,
                         size_t *needed_b)
{
    g_autoptr(GBytes) override = fakecl_find_platform_override(what);
    return override ? answer(override, size_b, value, needed_b)
                    : REAL(clGetPlatformInfo)(platform, what, size_b, value, needed_b);
}

cl_int clGetDeviceInfo(cl_device_id device, cl_device_info what, size_t size_b, void *value,
                       size_t *needed_b)
{
    g_autoptr(GBytes) override = fakecl_find_device_override(device, what);
    if (!override && what == CL_DEVICE_EXTENSIONS_WITH_VERSION_KHR)
        return CL_INVALID_VALUE;
    return override ? answer(override, size_b, value, needed_b)
                    : REAL(clGetDeviceInfo)(device, what, size_b, value, needed_b);
}

/* ---------------------------------------------------------------- life of objects */

/* Ends a function that creates: counts @object, or reports the planned failure. */
#define CREATE(kind, call, status, real_call)                                                      \
    cl_int planned = fakecl_judge(call, NULL, FAKECL_NO_DEVICE).status;                            \
    if (planned) {                                                                                 \
        if (status)                                                                                \
            *status = planned;                                                                     \
        return NULL;                                                                               \
    }                                                                                              \
    __auto_type object = real_call;                                                                \
    if (object)                                                                                    \
        fakecl_count(kind, 1);                                                                     \
    return object

cl_context clCreateContext(const cl_context_properties *properties, cl_uint n_devices,
                           const cl_device_id *devices,
                           void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *),
                           void *data, cl_int *status)
{
    CREATE(FAKECL_CONTEXT, "clCreateContext", status,
           REAL(clCreateContext)(properties, n_devices, devices, notify, data, status));
}

cl_command_queue clCreateCommandQueue(cl_context context, cl_device_id device,
                                      cl_command_queue_properties properties, cl_int *status)
{
    CREATE(FAKECL_QUEUE, "clCreateCommandQueue", status,
           REAL(clCreateCommandQueue)(context, device, properties, status));
}

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size_b, void *host,
                      cl_int *status)
{
    CREATE(FAKECL_BUFFER, "clCreateBuffer", status,
           REAL(clCreateBuffer)(context, flags, size_b, host, status));
}

cl_mem clCreateSubBuffer(cl_mem parent, cl_mem_flags flags, cl_buffer_create_type type,
                         const void *region, cl_int *status)
{
    CREATE(FAKECL_BUFFER, "clCreateSubBuffer", status,
           REAL(clCreateSubBuffer)(parent, flags, type, region, status));
}

cl_program clCreateProgramWithSource(cl_context context, cl_uint n, const char **texts,
                                     const size_t *lengths, cl_int *status)
{
    CREATE(FAKECL_PROGRAM, "clCreateProgramWithSource", status,
           REAL(clCreateProgramWithSource)(context, n, texts, lengths, status));
}

cl_program clCreateProgramWithBinary(cl_context context, cl_uint n, const cl_device_id *devices,
                                     const size_t *sizes_b, const unsigned char **binaries,
                                     cl_int *binary_status, cl_int *status)
{
    CREATE(FAKECL_PROGRAM, "clCreateProgramWithBinary", status,
           REAL(clCreateProgramWithBinary)(context, n, devices, sizes_b, binaries, binary_status,
                                           status));
}

cl_kernel clCreateKernel(cl_program program, const char *function, cl_int *status)
{
    CREATE(FAKECL_KERNEL, "clCreateKernel", status,
           REAL(clCreateKernel)(program, function, status));
}

cl_event clCreateUserEvent(cl_context context, cl_int *status)
{
    CREATE(FAKECL_EVENT, "clCreateUserEvent", status, REAL(clCreateUserEvent)(context, status));
}

#define COUNT_REFERENCES(kind, noun, type)                                                         \
    cl_int clRetain##noun(type object)                                                             \
    {                                                                                              \
        fakecl_count(kind, 1);                                                                     \
        return REAL(clRetain##noun)(object);                                                       \
    }                                                                                              \
    cl_int clRelease##noun(type object)                                                            \
    {                                                                                              \
        fakecl_count(kind, -1);                                                                    \
        return REAL(clRelease##noun)(object);                                                      \
    }

COUNT_REFERENCES(FAKECL_CONTEXT, Context, cl_context)
COUNT_REFERENCES(FAKECL_QUEUE, CommandQueue, cl_command_queue)
COUNT_REFERENCES(FAKECL_BUFFER, MemObject, cl_mem)
COUNT_REFERENCES(FAKECL_PROGRAM, Program, cl_program)
COUNT_REFERENCES(FAKECL_KERNEL, Kernel, cl_kernel)
COUNT_REFERENCES(FAKECL_EVENT, Event, cl_event)

/* ---------------------------------------------------------------- programs and kernels */

cl_int clBuildProgram(cl_program program, cl_uint n_devices, const cl_device_id *devices,
                      const char *options, void(CL_CALLBACK *notify)(cl_program, void *),
                      void *data)
{
    cl_int status = fakecl_judge("clBuildProgram", NULL, FAKECL_NO_DEVICE).status;
    return status ? status
                  : REAL(clBuildProgram)(program, n_devices, devices, options, notify, data);
}

cl_int clSetKernelArg(cl_kernel kernel, cl_uint index, size_t size_b, const void *value)
{
    cl_int status = fakecl_judge("clSetKernelArg", NULL, FAKECL_NO_DEVICE).status;
    return status ? status : REAL(clSetKernelArg)(kernel, index, size_b, value);
}

/* ---------------------------------------------------------------- commands */

/* A command on its way to the real loader. */
typedef struct {
    FakeclVerdict verdict;
    cl_event gate; /* NULL if it is not held */
    cl_uint n_wait;
    cl_event *wait; /* the caller's list and the gate */
} Command;

static cl_event new_gate(cl_command_queue queue)
{
    cl_context context;
    cl_int status;
    REAL(clGetCommandQueueInfo)(queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL);
    return REAL(clCreateUserEvent)(context, &status);
}

static int device_of(cl_command_queue queue)
{
    cl_device_id device;
    REAL(clGetCommandQueueInfo)(queue, CL_QUEUE_DEVICE, sizeof device, &device, NULL);
    return fakecl_device_index(device);
}

static Command command_begin(const char *call, const char *kernel, cl_command_queue queue,
                             cl_uint n_wait, const cl_event *wait)
{
    const int n_device = device_of(queue);
    Command command = { .verdict = fakecl_judge(call, kernel, n_device), .n_wait = n_wait };
    if (command.verdict.status)
        return command;
    if (command.verdict.delay_ms) {
        command.gate = new_gate(queue);
        REAL(clRetainEvent)(command.gate); /* it may open before the command is enqueued */
        fakecl_close_gate(command.gate, n_device, command.verdict.delay_ms);
    }
    if (n_wait || command.gate)
        command.wait = g_new(cl_event, n_wait + 1);
    for (cl_uint i = 0; i < n_wait; i++)
        command.wait[i] = wait[i];
    if (command.gate)
        command.wait[command.n_wait++] = command.gate;
    return command;
}

/* @status is what the real function said; @event the event that the caller asked for, if any. */
static cl_int command_end(Command *command, cl_int status, cl_event *event)
{
    g_free(command->wait);
    if (command->gate)
        REAL(clReleaseEvent)(command->gate);
    if (status == CL_SUCCESS && event) {
        fakecl_count(FAKECL_EVENT, 1);
        fakecl_set_event_status(*event, command->verdict.event_status);
    }
    return status;
}

/* Body of a function that enqueues; the real call names the wait list as `command`. */
#define ENQUEUE(call, kernel, real_call)                                                           \
    Command command = command_begin(call, kernel, queue, n_wait, wait);                            \
    if (command.verdict.status)                                                                    \
        return command.verdict.status;                                                             \
    return command_end(&command, real_call, event)

#define WAIT_LIST command.n_wait, command.wait, event

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint n_dims,
                              const size_t *offset, const size_t *global, const size_t *local,
                              cl_uint n_wait, const cl_event *wait, cl_event *event)
{
    char name[256] = "";
    REAL(clGetKernelInfo)(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL);
    ENQUEUE("clEnqueueNDRangeKernel", name,
            REAL(clEnqueueNDRangeKernel)(queue, kernel, n_dims, offset, global, local, WAIT_LIST));
}

cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset,
                            size_t size_b, const void *src, cl_uint n_wait, const cl_event *wait,
                            cl_event *event)
{
    ENQUEUE("clEnqueueWriteBuffer", NULL,
            REAL(clEnqueueWriteBuffer)(queue, buffer, blocking, offset, size_b, src, WAIT_LIST));
}

cl_int clEnqueueReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset,
                           size_t size_b, void *dst, cl_uint n_wait, const cl_event *wait,
                           cl_event *event)
{
    ENQUEUE("clEnqueueReadBuffer", NULL,
            REAL(clEnqueueReadBuffer)(queue, buffer, blocking, offset, size_b, dst, WAIT_LIST));
}

cl_int clEnqueueWriteBufferRect(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                const size_t *buffer_origin, const size_t *host_origin,
                                const size_t *region, size_t buffer_row_b, size_t buffer_slice_b,
                                size_t host_row_b, size_t host_slice_b, const void *src,
                                cl_uint n_wait, const cl_event *wait, cl_event *event)
{
    ENQUEUE("clEnqueueWriteBufferRect", NULL,
            REAL(clEnqueueWriteBufferRect)(queue, buffer, blocking, buffer_origin, host_origin,
                                           region, buffer_row_b, buffer_slice_b, host_row_b,
                                           host_slice_b, src, WAIT_LIST));
}

cl_int clEnqueueReadBufferRect(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                               const size_t *buffer_origin, const size_t *host_origin,
                               const size_t *region, size_t buffer_row_b, size_t buffer_slice_b,
                               size_t host_row_b, size_t host_slice_b, void *dst, cl_uint n_wait,
                               const cl_event *wait, cl_event *event)
{
    ENQUEUE("clEnqueueReadBufferRect", NULL,
            REAL(clEnqueueReadBufferRect)(queue, buffer, blocking, buffer_origin, host_origin,
                                          region, buffer_row_b, buffer_slice_b, host_row_b,
                                          host_slice_b, dst, WAIT_LIST));
}

cl_int clEnqueueCopyBuffer(cl_command_queue queue, cl_mem src, cl_mem dst, size_t src_offset,
                           size_t dst_offset, size_t size_b, cl_uint n_wait, const cl_event *wait,
                           cl_event *event)
{
    ENQUEUE("clEnqueueCopyBuffer", NULL,
            REAL(clEnqueueCopyBuffer)(queue, src, dst, src_offset, dst_offset, size_b, WAIT_LIST));
}

cl_int clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void *pattern,
                           size_t pattern_b, size_t offset, size_t size_b, cl_uint n_wait,
                           const cl_event *wait, cl_event *event)
{
    ENQUEUE(
        "clEnqueueFillBuffer", NULL,
        REAL(clEnqueueFillBuffer)(queue, buffer, pattern, pattern_b, offset, size_b, WAIT_LIST));
}

cl_int clEnqueueMarkerWithWaitList(cl_command_queue queue, cl_uint n_wait, const cl_event *wait,
                                   cl_event *event)
{
    ENQUEUE("clEnqueueMarkerWithWaitList", NULL,
            REAL(clEnqueueMarkerWithWaitList)(queue, WAIT_LIST));
}

cl_int clEnqueueBarrierWithWaitList(cl_command_queue queue, cl_uint n_wait, const cl_event *wait,
                                    cl_event *event)
{
    ENQUEUE("clEnqueueBarrierWithWaitList", NULL,
            REAL(clEnqueueBarrierWithWaitList)(queue, WAIT_LIST));
}

cl_int clEnqueueUnmapMemObject(cl_command_queue queue, cl_mem memory, void *mapped, cl_uint n_wait,
                               const cl_event *wait, cl_event *event)
{
    ENQUEUE("clEnqueueUnmapMemObject", NULL,
            REAL(clEnqueueUnmapMemObject)(queue, memory, mapped, WAIT_LIST));
}

void *clEnqueueMapBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                         cl_map_flags flags, size_t offset, size_t size_b, cl_uint n_wait,
                         const cl_event *wait, cl_event *event, cl_int *status)
{
    cl_int planned = fakecl_judge("clEnqueueMapBuffer", NULL, FAKECL_NO_DEVICE).status;
    if (planned && status)
        *status = planned;
    if (planned)
        return NULL;
    void *mapped = REAL(clEnqueueMapBuffer)(queue, buffer, blocking, flags, offset, size_b, n_wait,
                                            wait, event, status);
    if (mapped && event)
        fakecl_count(FAKECL_EVENT, 1);
    return mapped;
}

cl_int clFlush(cl_command_queue queue)
{
    cl_int status = fakecl_judge("clFlush", NULL, FAKECL_NO_DEVICE).status;
    return status ? status : REAL(clFlush)(queue);
}

cl_int clFinish(cl_command_queue queue)
{
    cl_int status = fakecl_judge("clFinish", NULL, FAKECL_NO_DEVICE).status;
    return status ? status : REAL(clFinish)(queue);
}

/* ---------------------------------------------------------------- events */

cl_int clWaitForEvents(cl_uint n, const cl_event *events)
{
    cl_int status = fakecl_judge("clWaitForEvents", NULL, FAKECL_NO_DEVICE).status;
    if (status == CL_SUCCESS)
        status = REAL(clWaitForEvents)(n, events);
    for (cl_uint i = 0; i < n && status == CL_SUCCESS; i++)
        if (fakecl_event_status(events[i], CL_COMPLETE) < 0)
            status = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
    return status;
}

cl_int clGetEventInfo(cl_event event, cl_event_info what, size_t size_b, void *value,
                      size_t *needed_b)
{
    cl_int status = REAL(clGetEventInfo)(event, what, size_b, value, needed_b);
    if (status == CL_SUCCESS && what == CL_EVENT_COMMAND_EXECUTION_STATUS && value)
        *(cl_int *)value = fakecl_event_status(event, *(cl_int *)value);
    return status;
}

typedef void(CL_CALLBACK *EventCallback)(cl_event, cl_int, void *);

typedef struct {
    EventCallback callback;
    void *data;
} Registration;

static void CL_CALLBACK call_back(cl_event event, cl_int status, void *data)
{
    g_autofree Registration *registration = data;
    registration->callback(event, fakecl_event_status(event, status), registration->data);
}

cl_int clSetEventCallback(cl_event event, cl_int type, EventCallback callback, void *data)
{
    cl_int status = fakecl_judge("clSetEventCallback", NULL, FAKECL_NO_DEVICE).status;
    if (status)
        return status;
    Registration *registration = g_new0(Registration, 1);
    *registration = (Registration){ callback, data };
    status = REAL(clSetEventCallback)(event, type, call_back, registration);
    if (status)
        g_free(registration);
    return status;
}

/* ---------------------------------------------------------------- recordings */

/* The driver's function of the same name. */
#define DRIVER(name) ((name##_fn)(real_extension(#name)))

static gpointer real_extension(const char *name)
{
    cl_platform_id platform;
    REAL(clGetPlatformIDs)(1, &platform, NULL);
    return REAL(clGetExtensionFunctionAddressForPlatform)(platform, name);
}

static cl_command_buffer_khr create_recording(cl_uint n_queues, const cl_command_queue *queues,
                                              const cl_command_buffer_properties_khr *properties,
                                              cl_int *status)
{
    CREATE(FAKECL_RECORDING, "clCreateCommandBufferKHR", status,
           DRIVER(clCreateCommandBufferKHR)(n_queues, queues, properties, status));
}

static cl_int release_recording(cl_command_buffer_khr recording)
{
    fakecl_count(FAKECL_RECORDING, -1);
    return DRIVER(clReleaseCommandBufferKHR)(recording);
}

static cl_int record_kernel(cl_command_buffer_khr recording, cl_command_queue queue,
                            const cl_properties *properties, cl_kernel kernel, cl_uint n_dims,
                            const size_t *offset, const size_t *global, const size_t *local,
                            cl_uint n_wait, const cl_sync_point_khr *wait, cl_sync_point_khr *point,
                            cl_mutable_command_khr *handle)
{
    cl_int status = fakecl_judge("clCommandNDRangeKernelKHR", NULL, FAKECL_NO_DEVICE).status;
    return status ? status
                  : DRIVER(clCommandNDRangeKernelKHR)(recording, queue, properties, kernel, n_dims,
                                                      offset, global, local, n_wait, wait, point,
                                                      handle);
}

static cl_int finish_recording(cl_command_buffer_khr recording)
{
    cl_int status = fakecl_judge("clFinalizeCommandBufferKHR", NULL, FAKECL_NO_DEVICE).status;
    return status ? status : DRIVER(clFinalizeCommandBufferKHR)(recording);
}

static cl_int enqueue_recording(cl_uint n_queues, cl_command_queue *queues,
                                cl_command_buffer_khr recording, cl_uint n_wait,
                                const cl_event *wait, cl_event *event)
{
    cl_command_queue queue = queues[0];
    ENQUEUE("clEnqueueCommandBufferKHR", NULL,
            DRIVER(clEnqueueCommandBufferKHR)(n_queues, queues, recording, WAIT_LIST));
}

void *clGetExtensionFunctionAddressForPlatform(cl_platform_id platform, const char *name)
{
    static const struct {
        const char *name;
        gpointer function;
    } ours[] = {
        { "clCreateCommandBufferKHR", create_recording },
        { "clReleaseCommandBufferKHR", release_recording },
        { "clCommandNDRangeKernelKHR", record_kernel },
        { "clFinalizeCommandBufferKHR", finish_recording },
        { "clEnqueueCommandBufferKHR", enqueue_recording },
    };
    if (fakecl_judge("clGetExtensionFunctionAddressForPlatform", NULL, FAKECL_NO_DEVICE).status)
        return NULL;
    for (guint i = 0; i < G_N_ELEMENTS(ours); i++)
        if (strcmp(ours[i].name, name) == 0)
            return ours[i].function;
    return REAL(clGetExtensionFunctionAddressForPlatform)(platform, name);
}
