/* kernel.c - kernel objects: their arguments and their launches.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "internal.h"

OclKernel *ocl_kernel_new(OclDevice *device, const char *file, const char *function,
                          const char *options, GError **error)
{
    g_return_val_if_fail(device && file && function, NULL);
    cl_kernel cl = ocl_program_create_kernel(device, file, options ? options : "", function, error);
    if (!cl)
        return NULL;
    OclKernel *kernel = g_new0(OclKernel, 1);
    kernel->device = ocl_device_ref(device);
    kernel->cl = cl;
    kernel->name = g_strdup_printf("%s:%s", file, function);
    return kernel;
}

void ocl_kernel_free(OclKernel *kernel)
{
    if (!kernel)
        return;
    clReleaseKernel(kernel->cl);
    ocl_device_unref(kernel->device);
    g_free(kernel->name);
    g_free(kernel);
}

gsize ocl_kernel_max_group(const OclKernel *kernel)
{
    gsize most = 0;
    if (clGetKernelWorkGroupInfo(kernel->cl, kernel->device->id, CL_KERNEL_WORK_GROUP_SIZE,
                                 sizeof most, &most, NULL) != CL_SUCCESS)
        return 0;
    return most;
}

gboolean ocl_kernel_set(OclKernel *kernel, guint index, gsize size_b, const void *value,
                        GError **error)
{
    cl_int status = clSetKernelArg(kernel->cl, index, size_b, value);
    if (status == CL_SUCCESS)
        return TRUE;
    return ocl_fail(error, status, kernel->device,
                    "clSetKernelArg of %s (argument %u, %" G_GSIZE_FORMAT " bytes)", kernel->name,
                    index, size_b);
}

/* "64x64x1", or "any" for a size that is left to the driver. */
static char *describe_size(guint n_dims, const gsize *size)
{
    if (!size)
        return g_strdup("any");
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < n_dims; i++)
        g_string_append_printf(text, "%s%" G_GSIZE_FORMAT, i ? "x" : "", size[i]);
    return g_string_free(text, FALSE);
}

static gboolean fail_enqueue(GError **error, cl_int status, const OclKernel *kernel, guint n_dims,
                             const gsize *global, const gsize *local)
{
    g_autofree char *global_text = describe_size(n_dims, global);
    g_autofree char *local_text = describe_size(n_dims, local);
    return ocl_fail(error, status, kernel->device,
                    "clEnqueueNDRangeKernel of %s (global %s, local %s)", kernel->name, global_text,
                    local_text);
}

gboolean ocl_enqueue(OclQueue *queue, OclKernel *kernel, guint n_dims, const gsize *global,
                     const gsize *local, cl_event *event, GError **error)
{
    return ocl_enqueue_from(queue, kernel, n_dims, NULL, global, local, event, error);
}

gboolean ocl_enqueue_from(OclQueue *queue, OclKernel *kernel, guint n_dims, const gsize *first,
                          const gsize *global, const gsize *local, cl_event *event, GError **error)
{
    cl_int status =
        clEnqueueNDRangeKernel(queue->cl, kernel->cl, n_dims, first, global, local, 0, NULL, event);
    ocl_queue_note(queue, NULL);
    return status == CL_SUCCESS || fail_enqueue(error, status, kernel, n_dims, global, local);
}
