/* internal.h - what the files of this folder share and nobody above them sees.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <CL/cl_ext.h>

#include "ocl.h"

G_BEGIN_DECLS

/* ---------------------------------------------------------------- error */

/* When a status was reported: CL_OUT_OF_RESOURCES from an enqueue means memory, the same from a
 * command that ran means that the device faulted. */
typedef enum {
    OCL_PHASE_REQUEST,   /* the call itself was refused */
    OCL_PHASE_EXECUTION, /* work accepted before failed */
    OCL_PHASE_OPENING,   /* the device was not ours yet */
} OclPhase;

/* Sets @error to "WHAT on DEVICE: CL_SYMBOL (status)". Returns FALSE, for the caller to return. */
gboolean ocl_fail(GError **error, cl_int status, const OclDevice *device, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
gboolean ocl_fail_opening(GError **error, cl_int status, const OclDevice *device,
                          const char *format, ...) G_GNUC_PRINTF(4, 5);
gboolean ocl_fail_execution(GError **error, cl_int status, const OclDevice *device,
                            const char *format, ...) G_GNUC_PRINTF(4, 5);

/* ---------------------------------------------------------------- device */

/* Functions of cl_khr_command_buffer, which the loader does not have. */
typedef struct {
    clCreateCommandBufferKHR_fn create;
    clCommandNDRangeKernelKHR_fn add;
    clFinalizeCommandBufferKHR_fn finish;
    clEnqueueCommandBufferKHR_fn enqueue;
    clReleaseCommandBufferKHR_fn release;
} OclRecordingCalls;

/* What OclDevice hides: its reference count (under the lock of device.c) and its programs. */
typedef struct {
    OclDevice base;
    guint n_refs;
    OclRecordingCalls recording; /* all there if the device can_record */
    GMutex programs_lock;
    GHashTable *programs; /* "file options" -> Program of program.c */
} OclDevicePrivate;

/* ---------------------------------------------------------------- queue */

/* Whatever enqueues a command says so here.
 * @write: (nullable) (transfer full): the command's event, if it writes from the host */
void ocl_queue_note(OclQueue *queue, cl_event write);

/* ---------------------------------------------------------------- program */

/* The table that OclDevicePrivate.programs starts as. */
GHashTable *ocl_program_table_new(void);

/* The kernel @function of the program (@file, @options); builds or loads the program at need. */
cl_kernel ocl_program_create_kernel(OclDevice *device, const char *file, const char *options,
                                    const char *function, GError **error);

/* ---------------------------------------------------------------- recording */

/* Sets can_record and finds the functions. */
void ocl_recording_query(OclDevicePrivate *private);

/* ---------------------------------------------------------------- PTX */

/* The PTX text @ptx for sm_90a with the instructions that its kernels hid from the compiler.
 * Returns: (transfer full) (nullable): NULL if there are none, or if it is for another target */
char *ocl_ptx_reveal(const char *ptx);

/* ---------------------------------------------------------------- source */

typedef struct {
    const char *file;
    const char *text;
} OclSource;

/* The table that kernels/embed.py generates; ends with a NULL file. */
extern const OclSource ocl_embedded_sources[];

/* The text of @file with its includes resolved, from CLMATTE_KERNEL_DIR if that is set.
 * Returns: (transfer full) */
char *ocl_source_load(const char *file, GError **error);

/* The build log @log of @text with the places that kernel developers know. NVIDIA's compiler does
 * not heed #line and writes "<kernel>:229" for the 229th line of the whole text.
 * @log: UTF-8
 * Returns: (transfer full) */
char *ocl_source_locate(const char *text, const char *log);

/* ---------------------------------------------------------------- cache */

/* The content stored under @key, NULL if there is none or if it is damaged. Counts as use. */
GBytes *ocl_cache_load(const char *key);

/* Stores @content under @key, replacing what is there at once and whole, and prunes; failing is
 * harmless. */
void ocl_cache_store(const char *key, GBytes *content);
/* Removes programs not used for @oldest_s seconds, and of the others the longest unused beyond
 * @most_b bytes in all. Nothing else in the folder is touched. */
void ocl_cache_prune(guint64 most_b, gint64 oldest_s);

G_END_DECLS
