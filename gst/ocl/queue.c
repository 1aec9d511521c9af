/* queue.c - in-order command queues.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "internal.h"

OclQueue *ocl_queue_new(OclDevice *device, const char *name, gboolean profiling, GError **error)
{
    cl_command_queue_properties properties = profiling ? CL_QUEUE_PROFILING_ENABLE : 0;
    cl_int status;
    cl_command_queue cl = clCreateCommandQueue(device->context, device->id, properties, &status);
    if (status != CL_SUCCESS) {
        ocl_fail(error, status, device, "clCreateCommandQueue of the %s queue", name);
        return NULL;
    }
    OclQueue *queue = g_new0(OclQueue, 1);
    queue->device = ocl_device_ref(device);
    queue->cl = cl;
    queue->name = g_strdup(name);
    return queue;
}

void ocl_queue_free(OclQueue *queue)
{
    if (!queue)
        return;
    ocl_event_clear(&queue->write);
    clReleaseCommandQueue(queue->cl);
    ocl_device_unref(queue->device);
    g_free(queue->name);
    g_free(queue);
}

gboolean ocl_queue_flush(OclQueue *queue, GError **error)
{
    cl_int status = clFlush(queue->cl);
    return status == CL_SUCCESS ||
           ocl_fail(error, status, queue->device, "clFlush of the %s queue", queue->name);
}

gboolean ocl_queue_finish(OclQueue *queue, GError **error)
{
    cl_int status = clFinish(queue->cl);
    return status == CL_SUCCESS || ocl_fail_execution(error, status, queue->device,
                                                      "clFinish of the %s queue", queue->name);
}

gboolean ocl_queue_wait(OclQueue *queue, cl_event event, GError **error)
{
    /* A wait costs, and drivers may wait for more than they are asked to. To ask for the status is
     * no point of synchronisation, so what is over is waited for here. */
    if (ocl_event_status(event) == CL_COMPLETE && clWaitForEvents(1, &event) == CL_SUCCESS)
        return TRUE;
    cl_int status = clEnqueueBarrierWithWaitList(queue->cl, 1, &event, NULL);
    return status == CL_SUCCESS ||
           ocl_fail(error, status, queue->device, "clEnqueueBarrierWithWaitList in the %s queue",
                    queue->name);
}

void ocl_queue_note(OclQueue *queue, cl_event write)
{
    ocl_event_clear(&queue->write);
    queue->write = write;
}

cl_event ocl_queue_end(OclQueue *queue, GError **error)
{
    /* With NVIDIA's driver (580) a queue that waits for a marker behind writes waits for readbacks
     * of other queues, too, and nothing is computed meanwhile; not so with the write itself. */
    if (queue->write && clRetainEvent(queue->write) == CL_SUCCESS)
        return queue->write;
    return ocl_queue_mark(queue, error);
}

cl_event ocl_queue_mark(OclQueue *queue, GError **error)
{
    cl_event event = NULL;
    cl_int status = clEnqueueMarkerWithWaitList(queue->cl, 0, NULL, &event);
    if (status == CL_SUCCESS)
        return event;
    ocl_fail(error, status, queue->device, "clEnqueueMarkerWithWaitList in the %s queue",
             queue->name);
    return NULL;
}
