/* ocl.h - the OpenCL layer: devices, programs, buffers, queues, events.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Knows OpenCL and GLib and nothing above them. Every function that can fail takes a GError; the
 * domain is OCL_ERROR, the code is the cl_int, and the message names the call, what it worked on
 * and the device. Nothing here aborts, prints or sleeps.
 *
 * Threads: an OclDevice may be used from any thread. An OclQueue, OclKernel and the buffers in use
 * by a queue belong to one thread at a time.
 */
#pragma once

#include <CL/cl.h>
#include <gio/gio.h>

G_BEGIN_DECLS

#define OCL_ERROR (ocl_error_quark())
GQuark ocl_error_quark(void);

/* Not a cl_int: no device fits the request (no driver installed, or no such name). */
#define OCL_ERROR_NO_DEVICE 1

/* The symbol of @status, such as "CL_OUT_OF_RESOURCES". */
const char *ocl_status_name(cl_int status);

/* TRUE if @error says that the device itself is gone or hung, so that work can only go on
 * elsewhere. */
gboolean ocl_error_is_device_lost(const GError *error);

/* TRUE if @error says that device memory ran out, so that a smaller batch may work. */
gboolean ocl_error_is_out_of_memory(const GError *error);

/* ---------------------------------------------------------------- device */

/* Which family of fast kernels fits; the general kernels run on all. */
typedef enum {
    OCL_CLASS_CPU,     /* explicit vectors, one work-item a work-group */
    OCL_CLASS_GENERIC, /* any GPU */
    OCL_CLASS_NVIDIA,  /* tensor cores through inline PTX */
} OclClass;

/* A device with its context and its program cache. Read only after ocl_device_open(). */
typedef struct {
    cl_platform_id platform;
    cl_device_id id;
    cl_context context;
    char *name;          /* CL_DEVICE_NAME, trimmed */
    char *vendor;        /* CL_DEVICE_VENDOR */
    char *driver;        /* CL_DRIVER_VERSION */
    char *platform_name; /* CL_PLATFORM_NAME */
    char *extensions;    /* CL_DEVICE_EXTENSIONS, one space before and after each */
    cl_device_type type;
    OclClass device_class;
    guint compute_units;
    guint vector_width;       /* native float vector width in elements: 4, 8 or 16 on CPUs */
    guint compute_capability; /* NVIDIA: 90 for sm_90; otherwise 0 */
    gsize max_allocation_b;   /* CL_DEVICE_MAX_MEM_ALLOC_SIZE */
    gsize global_memory_b;    /* CL_DEVICE_GLOBAL_MEM_SIZE */
    gsize local_memory_b;     /* CL_DEVICE_LOCAL_MEM_SIZE */
    gsize cache_b;            /* CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, 0: unknown */
    gsize max_work_group;     /* CL_DEVICE_MAX_WORK_GROUP_SIZE */
    gsize base_align_b;       /* slices of buffers start on multiples of this */
    gboolean unified_memory;  /* host and device share memory: mapping costs no copy */
    gboolean late_callbacks;  /* the driver tells of events much later than they come about */
    gboolean can_record;      /* ocl_recording_new() works */
} OclDevice;

/* Opens the device that @spec names:
 *   "auto" or NULL  the best device: tensor-core GPU, GPU, accelerator, CPU
 *   "gpu", "cpu"    the first device of that type; "gpu:1" the second
 *   "0:1"           device 1 of platform 0, in the loader's order
 *   anything else   the first device whose name, vendor or platform holds it, case-insensitively
 * Devices are shared: the same one opened twice gives the same object while it lives, so that
 * several elements share one context and compile each program once.
 * Returns: (transfer full): unref with ocl_device_unref(); NULL with OCL_ERROR_NO_DEVICE and a
 * message that says what is installed and what to install. */
OclDevice *ocl_device_open(const char *spec, GError **error);
OclDevice *ocl_device_ref(OclDevice *device);
void ocl_device_unref(OclDevice *device);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OclDevice, ocl_device_unref)

/* TRUE if @spec, as in ocl_device_open(), would accept @device ("auto" accepts any). */
gboolean ocl_device_matches(const OclDevice *device, const char *spec);

/* One line per device present, for messages and tools: "0:0 NAME (PLATFORM, driver VERSION)".
 * Returns: (transfer full): NULL-terminated, empty when there is none. */
char **ocl_device_list(void);

/* ---------------------------------------------------------------- queue and event */

/* An in-order command queue. */
typedef struct {
    OclDevice *device; /* reference held */
    cl_command_queue cl;
    char *name;     /* for messages: "upload", "compute", "download" */
    cl_event write; /* (nullable) of the last command, if that writes; reference held */
} OclQueue;

/* @profiling: record times, so that ocl_event_times() works. */
OclQueue *ocl_queue_new(OclDevice *device, const char *name, gboolean profiling, GError **error);
void ocl_queue_free(OclQueue *queue);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OclQueue, ocl_queue_free)

/* Submits what is enqueued; does not wait. */
gboolean ocl_queue_flush(OclQueue *queue, GError **error);
/* Waits for everything enqueued: for start-up, tools and tests, never per frame. */
gboolean ocl_queue_finish(OclQueue *queue, GError **error);
/* Makes what is enqueued on @queue from now on wait for @event (of another queue, which must be
 * flushed for @event to come about). */
gboolean ocl_queue_wait(OclQueue *queue, cl_event event, GError **error);
/* An event that completes, at a time of its own, when all that was enqueued before it has.
 * Returns: (transfer full): release with ocl_event_clear(). */
cl_event ocl_queue_mark(OclQueue *queue, GError **error);
/* The event of the last command where that is known, else as above: for others to wait for.
 * Returns: (transfer full): release with ocl_event_clear(). */
cl_event ocl_queue_end(OclQueue *queue, GError **error);

/* Waits for @event; an event that ended in failure is an error. */
gboolean ocl_event_wait(cl_event event, const OclDevice *device, GError **error);
/* >0: not complete; 0: complete; <0: failed with that status. Never blocks. */
cl_int ocl_event_status(cl_event event);
/* Calls @done(@data, status) once @event, of @device, completes or fails, from a thread of the
 * driver or one that asks for it: lock, set a flag, signal, nothing else. If @event is complete
 * already it may come before ocl_event_notify() returns, so do not hold the same lock there. */
typedef void (*OclEventDone)(gpointer data, cl_int status);
gboolean ocl_event_notify(cl_event event, const OclDevice *device, OclEventDone done, gpointer data,
                          GError **error);
/* Start and end in ns on the device's clock; needs a profiling queue.
 * @start_ns: (nullable): each question takes the driver some time */
gboolean ocl_event_times(cl_event event, guint64 *start_ns, guint64 *end_ns);
/* Releases *event and sets it to NULL; NULL is fine. */
void ocl_event_clear(cl_event *event);

/* ---------------------------------------------------------------- memory */

typedef enum {
    OCL_BUFFER_READ_WRITE,
    OCL_BUFFER_READ_ONLY, /* kernels only read it */
} OclAccess;

/* Device memory of @size_b bytes (at least 1 is allocated), with undefined content.
 * Returns: (transfer full): release with ocl_buffer_clear(); NULL on error. */
cl_mem ocl_buffer_new(OclDevice *device, OclAccess access, gsize size_b, GError **error);
/* @size_b bytes of @parent from @offset_b on, a multiple of the device's base_align_b, as a memory
 * object of its own; keeps @parent alive.
 * Returns: (transfer full): release with ocl_buffer_clear(); NULL on error. */
cl_mem ocl_buffer_slice(OclDevice *device, cl_mem parent, gsize offset_b, gsize size_b,
                        GError **error);
void ocl_buffer_clear(cl_mem *buffer);

/* Host memory that the device copies from and to at full speed (CL_MEM_ALLOC_HOST_PTR, mapped once
 * for its whole life). */
typedef struct {
    cl_mem cl;
    guint8 *data; /* page-aligned in practice, at least 64-byte aligned */
    gsize size_b;
    OclQueue *queue; /* the queue it was mapped on; owned */
} OclPinned;

OclPinned *ocl_pinned_new(OclDevice *device, gsize size_b, GError **error);
void ocl_pinned_free(OclPinned *pinned);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OclPinned, ocl_pinned_free)

/* The four transfers never block. Host memory must stay valid until the command has completed.
 * @event: (out) (optional) (transfer full): completes with the command. */
gboolean ocl_write(OclQueue *queue, cl_mem dst, gsize offset_b, const void *src, gsize size_b,
                   cl_event *event, GError **error);
gboolean ocl_read(OclQueue *queue, cl_mem src, gsize offset_b, void *dst, gsize size_b,
                  cl_event *event, GError **error);
gboolean ocl_copy(OclQueue *queue, cl_mem src, gsize src_offset_b, cl_mem dst, gsize dst_offset_b,
                  gsize size_b, cl_event *event, GError **error);
gboolean ocl_fill(OclQueue *queue, cl_mem dst, guint8 byte, gsize offset_b, gsize size_b,
                  cl_event *event, GError **error);

/* Rows of @row_b bytes, @n_rows of them, with a pitch on each side: one plane of a picture. The
 * buffer holds the last row's whole pitch too, which NVIDIA's driver insists on. */
typedef struct {
    gsize device_offset_b, device_pitch_b;
    gsize host_pitch_b;
    gsize row_b, n_rows;
} OclRows;

gboolean ocl_write_rows(OclQueue *queue, cl_mem dst, const void *src, const OclRows *rows,
                        cl_event *event, GError **error);
gboolean ocl_read_rows(OclQueue *queue, cl_mem src, void *dst, const OclRows *rows, cl_event *event,
                       GError **error);

/* ---------------------------------------------------------------- kernel */

/* A kernel object with its own argument values; keeps its program alive. */
typedef struct {
    OclDevice *device; /* reference held */
    cl_kernel cl;
    char *name; /* "conv.cl:conv_general", for messages */
} OclKernel;

/* The kernel @function of the embedded source @file ("conv.cl"), built with @options
 * ("-DT=float -DACT=1"). Programs are kept per device by (file, options), and their binaries on
 * disk below the user's cache directory, keyed by source, options, device and driver; a damaged or
 * unwritable cache only costs time. CLMATTE_KERNEL_DIR names a directory whose files are used
 * instead of the embedded ones, for development.
 * Safe from any thread; may take seconds when nothing is cached.
 * Returns: (transfer full): NULL with the build log in the message. */
OclKernel *ocl_kernel_new(OclDevice *device, const char *file, const char *function,
                          const char *options, GError **error);
void ocl_kernel_free(OclKernel *kernel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OclKernel, ocl_kernel_free)

/* The most work-items that a work-group of @kernel may have; 0 if the driver does not tell. */
gsize ocl_kernel_max_group(const OclKernel *kernel);

/* Sets argument @index to @size_b bytes at @value; @value NULL asks for that much local memory. */
gboolean ocl_kernel_set(OclKernel *kernel, guint index, gsize size_b, const void *value,
                        GError **error);

/* Enqueues @kernel over @global work-items in @n_dims dimensions; @local may be NULL.
 * @event: (out) (optional) (transfer full): completes with the kernel. */
gboolean ocl_enqueue(OclQueue *queue, OclKernel *kernel, guint n_dims, const gsize *global,
                     const gsize *local, cl_event *event, GError **error);

/* The same of the work-items from @first on, where get_global_id() begins; groups count from 0 all
 * the same. @first: (nullable): a number per dimension. */
gboolean ocl_enqueue_from(OclQueue *queue, OclKernel *kernel, guint n_dims, const gsize *first,
                          const gsize *global, const gsize *local, cl_event *event, GError **error);

/* ---------------------------------------------------------------- recording */

/* Launches that were recorded once and are enqueued together, with one call, as often as wanted
 * (cl_khr_command_buffer). */
typedef struct OclRecording OclRecording;

/* A recording for @queue and others like it, of a device that can_record. */
OclRecording *ocl_recording_new(OclQueue *queue, GError **error);
void ocl_recording_free(OclRecording *recording);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OclRecording, ocl_recording_free)

/* Appends a launch, as ocl_enqueue() takes it, that begins when the one before it has ended. The
 * arguments of @kernel must stay: PoCL looks at them whenever the recording is enqueued. */
gboolean ocl_recording_add(OclRecording *recording, OclKernel *kernel, guint n_dims,
                           const gsize *global, const gsize *local, GError **error);
/* Ends the recording: from now on it can be enqueued, and nothing added. */
gboolean ocl_recording_finish(OclRecording *recording, GError **error);
/* Enqueues all launches on @queue, which profiles if the one of ocl_recording_new() does. It may
 * still run from before, and may be freed while it runs. */
gboolean ocl_recording_enqueue(OclRecording *recording, OclQueue *queue, GError **error);

/* ---------------------------------------------------------------- embedded sources */

/* The text of the embedded file, NULL if there is none; includes are resolved at build time of
 * the plugin, so that a program is one string with #line marks. */
const char *ocl_source_find(const char *file);

/* SHA-256 of all embedded files in hexadecimal: what was measured holds for these kernels only.
 * NULL while CLMATTE_KERNEL_DIR names others.
 * Returns: (transfer full) (nullable) */
char *ocl_source_digest(void);

G_END_DECLS
