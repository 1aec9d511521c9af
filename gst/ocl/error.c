/* error.c - OpenCL status codes as GErrors: their names, their messages, what they mean.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "internal.h"

/* NVIDIA's driver reports an illegal memory access of a kernel so; no header names it. */
#define STATUS_NVIDIA_ILLEGAL_ACCESS (-9999)

typedef struct {
    OclPhase phase;
} OclErrorPrivate;

static void ocl_error_private_init(OclErrorPrivate *private)
{
    private->phase = OCL_PHASE_REQUEST;
}

static void ocl_error_private_copy(const OclErrorPrivate *src, OclErrorPrivate *dst)
{
    *dst = *src;
}

static void ocl_error_private_clear(OclErrorPrivate *private)
{
}

/* A GError keeps this besides its code, also when it is copied or prefixed. */
G_DEFINE_EXTENDED_ERROR(OclError, ocl_error)

#define STATUS(name)                                                                               \
    {                                                                                              \
        name, #name                                                                                \
    }

static const struct {
    cl_int status;
    const char *name;
} statuses[] = {
    STATUS(CL_SUCCESS),
    STATUS(CL_DEVICE_NOT_FOUND),
    STATUS(CL_DEVICE_NOT_AVAILABLE),
    STATUS(CL_COMPILER_NOT_AVAILABLE),
    STATUS(CL_MEM_OBJECT_ALLOCATION_FAILURE),
    STATUS(CL_OUT_OF_RESOURCES),
    STATUS(CL_OUT_OF_HOST_MEMORY),
    STATUS(CL_PROFILING_INFO_NOT_AVAILABLE),
    STATUS(CL_MEM_COPY_OVERLAP),
    STATUS(CL_IMAGE_FORMAT_MISMATCH),
    STATUS(CL_IMAGE_FORMAT_NOT_SUPPORTED),
    STATUS(CL_BUILD_PROGRAM_FAILURE),
    STATUS(CL_MAP_FAILURE),
    STATUS(CL_MISALIGNED_SUB_BUFFER_OFFSET),
    STATUS(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST),
    STATUS(CL_COMPILE_PROGRAM_FAILURE),
    STATUS(CL_LINKER_NOT_AVAILABLE),
    STATUS(CL_LINK_PROGRAM_FAILURE),
    STATUS(CL_DEVICE_PARTITION_FAILED),
    STATUS(CL_KERNEL_ARG_INFO_NOT_AVAILABLE),
    STATUS(CL_INVALID_VALUE),
    STATUS(CL_INVALID_DEVICE_TYPE),
    STATUS(CL_INVALID_PLATFORM),
    STATUS(CL_INVALID_DEVICE),
    STATUS(CL_INVALID_CONTEXT),
    STATUS(CL_INVALID_QUEUE_PROPERTIES),
    STATUS(CL_INVALID_COMMAND_QUEUE),
    STATUS(CL_INVALID_HOST_PTR),
    STATUS(CL_INVALID_MEM_OBJECT),
    STATUS(CL_INVALID_IMAGE_FORMAT_DESCRIPTOR),
    STATUS(CL_INVALID_IMAGE_SIZE),
    STATUS(CL_INVALID_SAMPLER),
    STATUS(CL_INVALID_BINARY),
    STATUS(CL_INVALID_BUILD_OPTIONS),
    STATUS(CL_INVALID_PROGRAM),
    STATUS(CL_INVALID_PROGRAM_EXECUTABLE),
    STATUS(CL_INVALID_KERNEL_NAME),
    STATUS(CL_INVALID_KERNEL_DEFINITION),
    STATUS(CL_INVALID_KERNEL),
    STATUS(CL_INVALID_ARG_INDEX),
    STATUS(CL_INVALID_ARG_VALUE),
    STATUS(CL_INVALID_ARG_SIZE),
    STATUS(CL_INVALID_KERNEL_ARGS),
    STATUS(CL_INVALID_WORK_DIMENSION),
    STATUS(CL_INVALID_WORK_GROUP_SIZE),
    STATUS(CL_INVALID_WORK_ITEM_SIZE),
    STATUS(CL_INVALID_GLOBAL_OFFSET),
    STATUS(CL_INVALID_EVENT_WAIT_LIST),
    STATUS(CL_INVALID_EVENT),
    STATUS(CL_INVALID_OPERATION),
    STATUS(CL_INVALID_GL_OBJECT),
    STATUS(CL_INVALID_BUFFER_SIZE),
    STATUS(CL_INVALID_MIP_LEVEL),
    STATUS(CL_INVALID_GLOBAL_WORK_SIZE),
    STATUS(CL_INVALID_PROPERTY),
    STATUS(CL_INVALID_IMAGE_DESCRIPTOR),
    STATUS(CL_INVALID_COMPILER_OPTIONS),
    STATUS(CL_INVALID_LINKER_OPTIONS),
    STATUS(CL_INVALID_DEVICE_PARTITION_COUNT),
    STATUS(CL_PLATFORM_NOT_FOUND_KHR),
};

const char *ocl_status_name(cl_int status)
{
    for (guint i = 0; i < G_N_ELEMENTS(statuses); i++)
        if (statuses[i].status == status)
            return statuses[i].name;
    return status == STATUS_NVIDIA_ILLEGAL_ACCESS ? "illegal memory access" : "unknown status";
}

static void set_error(GError **error, OclPhase phase, cl_int status, const OclDevice *device,
                      const char *format, va_list args) G_GNUC_PRINTF(5, 0);

static void set_error(GError **error, OclPhase phase, cl_int status, const OclDevice *device,
                      const char *format, va_list args)
{
    if (!error)
        return;
    g_autofree char *what = g_strdup_vprintf(format, args);
    g_set_error(error, OCL_ERROR, status, "%s on %s: %s (%d)", what,
                device ? device->name : "no device", ocl_status_name(status), status);
    ocl_error_get_private(*error)->phase = phase;
}

gboolean ocl_fail(GError **error, cl_int status, const OclDevice *device, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_error(error, OCL_PHASE_REQUEST, status, device, format, args);
    va_end(args);
    return FALSE;
}

gboolean ocl_fail_execution(GError **error, cl_int status, const OclDevice *device,
                            const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_error(error, OCL_PHASE_EXECUTION, status, device, format, args);
    va_end(args);
    return FALSE;
}

gboolean ocl_fail_opening(GError **error, cl_int status, const OclDevice *device,
                          const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_error(error, OCL_PHASE_OPENING, status, device, format, args);
    va_end(args);
    return FALSE;
}

gboolean ocl_error_is_out_of_memory(const GError *error)
{
    if (!error || error->domain != OCL_ERROR)
        return FALSE;
    switch (error->code) {
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_OUT_OF_HOST_MEMORY:
    case CL_INVALID_BUFFER_SIZE:
        return TRUE;
    case CL_OUT_OF_RESOURCES:
        return ocl_error_get_private((GError *)error)->phase != OCL_PHASE_EXECUTION;
    default:
        return FALSE;
    }
}

gboolean ocl_error_is_device_lost(const GError *error)
{
    if (!error || error->domain != OCL_ERROR || ocl_error_is_out_of_memory(error))
        return FALSE;
    const OclPhase phase = ocl_error_get_private((GError *)error)->phase;
    if (phase == OCL_PHASE_OPENING)
        return FALSE;
    switch (error->code) {
    case CL_DEVICE_NOT_AVAILABLE:
    case STATUS_NVIDIA_ILLEGAL_ACCESS:
    /* Our queues and contexts are valid; a driver that says otherwise has lost them. */
    case CL_INVALID_COMMAND_QUEUE:
    case CL_INVALID_CONTEXT:
        return TRUE;
    default:
        return phase == OCL_PHASE_EXECUTION;
    }
}
