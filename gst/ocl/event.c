/* event.c - waiting for commands, being told of their end, and how long they took.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "internal.h"

cl_int ocl_event_status(cl_event event)
{
    cl_int execution = CL_QUEUED;
    cl_int status = clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof execution,
                                   &execution, NULL);
    return status == CL_SUCCESS ? execution : status;
}

gboolean ocl_event_wait(cl_event event, const OclDevice *device, GError **error)
{
    cl_int status = clWaitForEvents(1, &event);
    /* The event knows the reason; some drivers return success for a command that failed. */
    cl_int execution = ocl_event_status(event);
    if (execution < 0)
        return ocl_fail_execution(error, execution, device, "A command failed");
    return status == CL_SUCCESS || ocl_fail_execution(error, status, device, "clWaitForEvents");
}

typedef struct {
    OclEventDone done;
    gpointer data;
} Notification;

static void CL_CALLBACK notify(cl_event event, cl_int status, void *user_data)
{
    Notification notification = *(Notification *)user_data;
    g_free(user_data);
    notification.done(notification.data, status);
}

gboolean ocl_event_notify(cl_event event, OclEventDone done, gpointer data, GError **error)
{
    Notification *notification = g_new0(Notification, 1);
    notification->done = done;
    notification->data = data;
    cl_int status = clSetEventCallback(event, CL_COMPLETE, notify, notification);
    if (status == CL_SUCCESS)
        return TRUE;
    g_free(notification);
    return ocl_fail(error, status, NULL, "clSetEventCallback");
}

gboolean ocl_event_times(cl_event event, guint64 *start_ns, guint64 *end_ns)
{
    cl_ulong start, end;
    if (clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL) !=
            CL_SUCCESS ||
        clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL) !=
            CL_SUCCESS)
        return FALSE;
    *start_ns = start;
    *end_ns = end;
    return TRUE;
}

void ocl_event_clear(cl_event *event)
{
    if (*event)
        clReleaseEvent(*event);
    *event = NULL;
}
