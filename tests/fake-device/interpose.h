/* interpose.h - between the rules of the fake device and the OpenCL functions that it defines.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "fakecl.h"

G_BEGIN_DECLS

/* The function of the same name in the real loader. */
#define REAL(name) ((__typeof__(&name))fakecl_real(#name))
gpointer fakecl_real(const char *name);

/* What the rules say about one call. */
typedef struct {
    cl_int status;       /* of the call */
    cl_int event_status; /* of its event */
    int delay_ms;        /* of the command; 0: none */
} FakeclVerdict;

#define FAKECL_MAX_DEVICES 64
#define FAKECL_NO_DEVICE (-1)

/* Counts the call; @kernel is NULL and @n_device FAKECL_NO_DEVICE if it is not about one. */
FakeclVerdict fakecl_judge(const char *call, const char *kernel, int n_device);

/* The place of @device among those of its platform, or FAKECL_NO_DEVICE. */
int fakecl_device_index(cl_device_id device);

/* Keeps the user event @event (transfer full) incomplete for @delay_ms, on that device. */
void fakecl_close_gate(cl_event event, int n_device, int delay_ms);

/* The status that @event ends with; CL_SUCCESS: its own. */
void fakecl_set_event_status(cl_event event, cl_int status);
cl_int fakecl_event_status(cl_event event, cl_int real_status);

typedef enum {
    FAKECL_CONTEXT,
    FAKECL_QUEUE,
    FAKECL_BUFFER,
    FAKECL_PROGRAM,
    FAKECL_KERNEL,
    FAKECL_EVENT,
    FAKECL_RECORDING,
    FAKECL_N_KINDS
} FakeclKind;

void fakecl_count(FakeclKind kind, int n);

/* Returns: (transfer full) (nullable) */
GBytes *fakecl_find_platform_override(cl_platform_info what);
GBytes *fakecl_find_device_override(cl_device_id device, cl_device_info what);

G_END_DECLS
