/* fakecl.h - an OpenCL device that a test can slow down, hold, break and count.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The library defines the OpenCL functions that the plugin calls and passes them on to the real
 * loader, so kernels run for real. It works by symbol interposition: an executable that links it
 * before libOpenCL has its symbols first in the global scope, also for plugins opened later. The
 * code under test knows nothing of it.
 *
 * A command is named by the function that enqueues it, "clEnqueueReadBuffer", and a kernel launch
 * also by its kernel, "clEnqueueNDRangeKernel:conv_general". "clEnqueueReadBuffer@1" is one on
 * device 1 of its platform. Calls are counted from 1, from the moment that the rule is given. Any
 * function may be used from any thread.
 *
 * A command that is part of a recording has no name. The device does not tell that it can record
 * until a test says so by an override of CL_DEVICE_EXTENSIONS_WITH_VERSION_KHR.
 */
#pragma once

#include <CL/cl.h>
#include <glib.h>

G_BEGIN_DECLS

/* As a number of calls: all that follow. */
#define FAKECL_ALWAYS 0

/* As a delay: until fakecl_release(). */
#define FAKECL_FOREVER (-1)

/* Forgets rules and overrides, zeroes the counts of calls, and releases what is held. Objects that
 * live are still counted. */
void fakecl_reset(void);

/* ---------------------------------------------------------------- failures */

/* Makes the @nth call of @call, and @n_calls in all, return @status without doing anything. No
 * platform at all is ("clGetPlatformIDs", 1, FAKECL_ALWAYS, CL_PLATFORM_NOT_FOUND_KHR). */
void fakecl_fail(const char *call, guint nth, guint n_calls, cl_int status);

/* Makes the commands of these calls run and then end with @status, for whoever waits for their
 * event, asks it or has a callback on it. */
void fakecl_fail_event(const char *call, guint nth, guint n_calls, cl_int status);

/* ---------------------------------------------------------------- time */

/* Makes the commands of these calls, and with them all that follows in their queue, take
 * @delay_ms longer. Delays on a device follow one upon the other, as batches on a busy device
 * do. */
void fakecl_hold(const char *call, guint nth, guint n_calls, int delay_ms);

/* Lets the oldest command held go on; FALSE if none is held. */
gboolean fakecl_release_next(void);

/* Lets all held commands go on, and forgets the rules that hold more. */
void fakecl_release(void);

/* Waits until @n commands are held, or @n calls of @call were made. FALSE after 20 seconds. */
gboolean fakecl_wait_held(guint n);
gboolean fakecl_wait_calls(const char *call, guint n);

/* ---------------------------------------------------------------- counts */

guint fakecl_calls(const char *call);

/* References held to contexts, queues, buffers, programs, kernels, events and recordings
 * together. */
int fakecl_live(void);

/* The same told apart, for messages: "contexts 1, queues 0, ...".
 * Returns: (transfer full) */
char *fakecl_live_text(void);

/* ---------------------------------------------------------------- identity */

/* What device @n_device (in the order of its platform) and the platforms say of themselves. The
 * device of PoCL becomes a GPU by overriding CL_DEVICE_TYPE. */
void fakecl_override_device(guint n_device, cl_device_info what, const void *value, gsize size_b);
void fakecl_override_platform(cl_platform_info what, const char *text);

G_END_DECLS
