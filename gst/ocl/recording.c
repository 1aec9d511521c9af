/* recording.c - launches recorded once and enqueued with one call, by cl_khr_command_buffer.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "internal.h"

#include <string.h>

/* The extension is provisional. Up to this version the functions used here are what they were in
 * 0.9.0 (the specification's version history); of later ones nothing is known. */
#define OLDEST_VERSION CL_MAKE_VERSION_KHR(0, 9, 0)
#define NEWEST_VERSION CL_MAKE_VERSION_KHR(0, 9, 7)

struct OclRecording {
    OclDevice *device; /* reference held */
    const OclRecordingCalls *calls;
    cl_command_buffer_khr cl;
    guint n_launches;
    cl_sync_point_khr last; /* of the last launch */
};

/* ---------------------------------------------------------------- device */

/* What the device has of the extension, 0 if nothing. Drivers that cannot tell are older than it
 * or keep its version to themselves. */
static cl_version_khr extension_version(cl_device_id id)
{
    gsize size_b = 0;
    if (clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS_WITH_VERSION_KHR, 0, NULL, &size_b) != CL_SUCCESS)
        return 0;
    g_autofree cl_name_version_khr *list = g_malloc0(size_b);
    if (clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS_WITH_VERSION_KHR, size_b, list, NULL) !=
        CL_SUCCESS)
        return 0;
    for (gsize i = 0; i < size_b / sizeof *list; i++)
        if (strcmp(list[i].name, CL_KHR_COMMAND_BUFFER_EXTENSION_NAME) == 0)
            return list[i].version;
    return 0;
}

/* On queues as ocl_queue_new() makes them, and again before it has ended: batches may follow each
 * other in the same memory. */
static gboolean fits_our_use(cl_device_id id)
{
    cl_device_command_buffer_capabilities_khr capabilities = 0;
    cl_command_queue_properties required = 0;
    return clGetDeviceInfo(id, CL_DEVICE_COMMAND_BUFFER_CAPABILITIES_KHR, sizeof capabilities,
                           &capabilities, NULL) == CL_SUCCESS &&
           clGetDeviceInfo(id, CL_DEVICE_COMMAND_BUFFER_REQUIRED_QUEUE_PROPERTIES_KHR,
                           sizeof required, &required, NULL) == CL_SUCCESS &&
           (capabilities & CL_COMMAND_BUFFER_CAPABILITY_SIMULTANEOUS_USE_KHR) && required == 0;
}

void ocl_recording_query(OclDevicePrivate *private)
{
    OclDevice *device = &private->base;
    OclRecordingCalls *calls = &private->recording;
    const cl_version_khr version = extension_version(device->id);
    if (version < OLDEST_VERSION || version > NEWEST_VERSION || !fits_our_use(device->id))
        return;
#define FIND(name) clGetExtensionFunctionAddressForPlatform(device->platform, #name)
    calls->create = FIND(clCreateCommandBufferKHR);
    calls->add = FIND(clCommandNDRangeKernelKHR);
    calls->finish = FIND(clFinalizeCommandBufferKHR);
    calls->enqueue = FIND(clEnqueueCommandBufferKHR);
    calls->release = FIND(clReleaseCommandBufferKHR);
#undef FIND
    device->can_record =
        calls->create && calls->add && calls->finish && calls->enqueue && calls->release;
}

/* ---------------------------------------------------------------- recording */

OclRecording *ocl_recording_new(OclQueue *queue, GError **error)
{
    OclDevice *device = queue->device;
    g_return_val_if_fail(device->can_record, NULL);
    const OclRecordingCalls *calls = &((OclDevicePrivate *)device)->recording;
    const cl_command_buffer_properties_khr properties[] = { CL_COMMAND_BUFFER_FLAGS_KHR,
                                                            CL_COMMAND_BUFFER_SIMULTANEOUS_USE_KHR,
                                                            0 };
    cl_int status;
    cl_command_buffer_khr cl = calls->create(1, &queue->cl, properties, &status);
    if (status != CL_SUCCESS) {
        ocl_fail(error, status, device, "clCreateCommandBufferKHR for the %s queue", queue->name);
        return NULL;
    }
    OclRecording *recording = g_new0(OclRecording, 1);
    recording->device = ocl_device_ref(device);
    recording->calls = calls;
    recording->cl = cl;
    return recording;
}

void ocl_recording_free(OclRecording *recording)
{
    if (!recording)
        return;
    recording->calls->release(recording->cl);
    ocl_device_unref(recording->device);
    g_free(recording);
}

gboolean ocl_recording_add(OclRecording *recording, OclKernel *kernel, guint n_dims,
                           const gsize *global, const gsize *local, GError **error)
{
    /* That an in-order queue orders what is recorded for it is not in every version. */
    const cl_sync_point_khr before = recording->last;
    const guint n_before = recording->n_launches > 0;
    cl_int status =
        recording->calls->add(recording->cl, NULL, NULL, kernel->cl, n_dims, NULL, global, local,
                              n_before, n_before ? &before : NULL, &recording->last, NULL);
    if (status != CL_SUCCESS)
        return ocl_fail(error, status, kernel->device, "clCommandNDRangeKernelKHR of %s",
                        kernel->name);
    recording->n_launches++;
    return TRUE;
}

gboolean ocl_recording_finish(OclRecording *recording, GError **error)
{
    cl_int status = recording->calls->finish(recording->cl);
    return status == CL_SUCCESS ||
           ocl_fail(error, status, recording->device, "clFinalizeCommandBufferKHR of %u launches",
                    recording->n_launches);
}

gboolean ocl_recording_enqueue(OclRecording *recording, OclQueue *queue, GError **error)
{
    /* PoCL 3.1 needs the event. */
    cl_event event = NULL;
    cl_int status = recording->calls->enqueue(1, &queue->cl, recording->cl, 0, NULL, &event);
    if (status != CL_SUCCESS)
        return ocl_fail(error, status, recording->device,
                        "clEnqueueCommandBufferKHR of %u launches in the %s queue",
                        recording->n_launches, queue->name);
    ocl_event_clear(&event);
    ocl_queue_note(queue, NULL);
    return TRUE;
}
