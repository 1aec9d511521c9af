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

/* ---------------------------------------------------------------- being told */

typedef struct {
    OclEventDone done;
    gpointer data;
    cl_event event; /* of one that is asked for; reference held */
} Notification;

static void CL_CALLBACK notify(cl_event event, cl_int status, void *user_data)
{
    Notification notification = *(Notification *)user_data;
    g_free(user_data);
    notification.done(notification.data, status);
}

/* How often events are asked for, less often when nothing has happened for long, and for how long
 * the thread stays when there is none. */
#define MIN_PERIOD_US 50
#define MAX_PERIOD_US 1000
#define LINGER_US G_USEC_PER_SEC

static GMutex poll_lock;
static GCond poll_changed;
/* --- protected by poll_lock --- */
static GQueue polled = G_QUEUE_INIT; /* Notification */
static gboolean poller_runs;

static Notification *take_ended_locked(cl_int *status)
{
    for (GList *l = polled.head; l; l = l->next) {
        Notification *notification = l->data;
        *status = ocl_event_status(notification->event);
        if (*status <= CL_COMPLETE) {
            g_queue_delete_link(&polled, l);
            return notification;
        }
    }
    return NULL;
}

static void tell(Notification *notification, cl_int status)
{
    /* Unlike asking, a point of synchronisation: what the commands have written can be read. */
    if (status == CL_COMPLETE)
        clWaitForEvents(1, &notification->event);
    ocl_event_clear(&notification->event);
    notification->done(notification->data, status);
    g_free(notification);
}

/* FALSE: nothing has come for long. */
static gboolean wait_locked(gint64 quiet_since_us)
{
    const gint64 now_us = g_get_monotonic_time();
    if (!g_queue_is_empty(&polled)) {
        const gint64 period_us =
            CLAMP((now_us - quiet_since_us) / 100, MIN_PERIOD_US, MAX_PERIOD_US);
        g_cond_wait_until(&poll_changed, &poll_lock, now_us + period_us);
        return TRUE;
    }
    return g_cond_wait_until(&poll_changed, &poll_lock, now_us + LINGER_US) ||
           !g_queue_is_empty(&polled);
}

static gpointer run_poller(gpointer unused)
{
    gint64 quiet_since_us = g_get_monotonic_time();
    g_mutex_lock(&poll_lock);
    do {
        cl_int status;
        Notification *notification;
        while ((notification = take_ended_locked(&status))) {
            g_mutex_unlock(&poll_lock);
            tell(notification, status);
            quiet_since_us = g_get_monotonic_time();
            g_mutex_lock(&poll_lock);
        }
    } while (wait_locked(quiet_since_us));
    poller_runs = FALSE;
    g_mutex_unlock(&poll_lock);
    return NULL;
}

static void poll_for(Notification *notification, cl_event event)
{
    clRetainEvent(event);
    notification->event = event;
    g_mutex_lock(&poll_lock);
    g_queue_push_tail(&polled, notification);
    if (!poller_runs)
        g_thread_unref(g_thread_new("ocl-events", run_poller, NULL));
    poller_runs = TRUE;
    g_cond_signal(&poll_changed);
    g_mutex_unlock(&poll_lock);
}

gboolean ocl_event_notify(cl_event event, const OclDevice *device, OclEventDone done, gpointer data,
                          GError **error)
{
    Notification *notification = g_new0(Notification, 1);
    notification->done = done;
    notification->data = data;
    if (device->late_callbacks) {
        poll_for(notification, event);
        return TRUE;
    }
    cl_int status = clSetEventCallback(event, CL_COMPLETE, notify, notification);
    if (status == CL_SUCCESS)
        return TRUE;
    g_free(notification);
    return ocl_fail(error, status, device, "clSetEventCallback");
}

gboolean ocl_event_times(cl_event event, guint64 *start_ns, guint64 *end_ns)
{
    cl_ulong start, end;
    if ((start_ns && clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof start,
                                             &start, NULL) != CL_SUCCESS) ||
        clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL) !=
            CL_SUCCESS)
        return FALSE;
    if (start_ns)
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
