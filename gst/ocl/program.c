/* program.c - builds programs, once per device and option string, and keeps their binaries.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "internal.h"

#include <string.h>

/* The language that every driver speaks, also those of OpenCL 3. */
#define COMMON_OPTIONS "-cl-std=CL1.2 -cl-mad-enable"

/* One (file, options) of a device. The lock is held while it is built, so that a second thread
 * that wants the same program waits for it, and others do not. */
typedef struct {
    GMutex lock;
    cl_program cl; /* NULL until built */
} Program;

static Program *program_new(void)
{
    Program *program = g_new0(Program, 1);
    g_mutex_init(&program->lock);
    return program;
}

static void program_free(gpointer data)
{
    Program *program = data;
    if (program->cl)
        clReleaseProgram(program->cl);
    g_mutex_clear(&program->lock);
    g_free(program);
}

GHashTable *ocl_program_table_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, program_free);
}

static Program *find_program(OclDevice *device, const char *file, const char *options)
{
    OclDevicePrivate *private = (OclDevicePrivate *)device;
    char *key = g_strdup_printf("%s %s", file, options);
    g_mutex_lock(&private->programs_lock);
    Program *program = g_hash_table_lookup(private->programs, key);
    if (!program) {
        program = program_new();
        g_hash_table_insert(private->programs, key, program);
        key = NULL;
    }
    g_mutex_unlock(&private->programs_lock);
    g_free(key);
    return program;
}

/* PoCL keeps its own cache, of everything it compiles, and to hand out a binary it first compiles
 * each kernel of the program once more, for any work-group size. On a Zen 5 with PoCL 3.1, three
 * programs of two kernels: cold 3.0 s with our cache and 1.5 s without, warm 5 and 75 ms. Files of
 * many kernels pay more, so PoCL is left to itself. */
static gboolean is_worth_caching(const OclDevice *device)
{
    return strcmp(device->platform_name, "Portable Computing Language") != 0;
}

/* The name of the cache file: whatever the binary depends on, and nothing else. */
static char *cache_key(const OclDevice *device, const char *text, const char *options)
{
    g_autofree char *version = NULL;
    gsize size_b = 0;
    if (clGetPlatformInfo(device->platform, CL_PLATFORM_VERSION, 0, NULL, &size_b) == CL_SUCCESS) {
        version = g_malloc0(size_b + 1);
        clGetPlatformInfo(device->platform, CL_PLATFORM_VERSION, size_b, version, NULL);
    }
    const char *parts[] = { text, options, device->name, device->driver, version ? version : "" };
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
        g_checksum_update(checksum, (const guchar *)parts[i], strlen(parts[i]) + 1);
    return g_strdup(g_checksum_get_string(checksum));
}

static char *build_log(const OclDevice *device, cl_program program)
{
    gsize size_b = 0;
    if (clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size_b) !=
        CL_SUCCESS)
        return g_strdup("");
    char *log = g_malloc0(size_b + 1);
    clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, size_b, log, NULL);
    return g_strstrip(log);
}

static void fail_build(GError **error, cl_int status, const OclDevice *device, const char *file,
                       const char *text, const char *options, cl_program program)
{
    g_autoptr(GError) failure = NULL;
    g_autofree char *raw_log = build_log(device, program);
    g_autofree char *valid_log = g_utf8_make_valid(raw_log, -1);
    g_autofree char *log = ocl_source_locate(text, valid_log);
    ocl_fail(&failure, status, device, "clBuildProgram of %s with %s", file, options);
    char *message = g_strdup_printf("%s\n%s", failure->message, log);
    g_free(failure->message);
    failure->message = message;
    g_propagate_error(error, g_steal_pointer(&failure));
}

/* NULL if there is no binary or if the driver refuses it. */
static cl_program load_binary(OclDevice *device, const char *options, GBytes *binary)
{
    gsize size_b;
    const guchar *data = g_bytes_get_data(binary, &size_b);
    cl_int status;
    cl_program program =
        clCreateProgramWithBinary(device->context, 1, &device->id, &size_b, &data, NULL, &status);
    if (status != CL_SUCCESS)
        return NULL;
    if (clBuildProgram(program, 1, &device->id, options, NULL, NULL) == CL_SUCCESS)
        return program;
    clReleaseProgram(program);
    return NULL;
}

static cl_program build_source(OclDevice *device, const char *file, const char *text,
                               const char *options, GError **error)
{
    cl_int status;
    cl_program program = clCreateProgramWithSource(device->context, 1, &text, NULL, &status);
    if (status != CL_SUCCESS) {
        ocl_fail(error, status, device, "clCreateProgramWithSource of %s", file);
        return NULL;
    }
    status = clBuildProgram(program, 1, &device->id, options, NULL, NULL);
    if (status == CL_SUCCESS)
        return program;
    fail_build(error, status, device, file, text, options, program);
    clReleaseProgram(program);
    return NULL;
}

/* For PoCL, which has clang read a header of all built-in functions for each program, cached or
 * not: 14 of 23 ms if all is cached, 100 of 115 ms before the kernels if not (PoCL 3.1, Zen 4).
 * This is how that header finds out that it has been read. */
#define HEADER_IS_READ "-D_OPENCL_H_"

/* As build_source(), with kernels/builtins.cl in place of that header, if that will do. */
static cl_program build_source_briefly(OclDevice *device, const char *file, const char *text,
                                       const char *options, GError **error)
{
    g_autofree char *builtins = ocl_source_load("builtins.cl", NULL);
    if (!builtins)
        return build_source(device, file, text, options, error);
    g_autofree char *all_text = g_strconcat(builtins, text, NULL);
    g_autofree char *all_options = g_strconcat(options, " " HEADER_IS_READ, NULL);
    g_autoptr(GError) problem = NULL;
    cl_program program = build_source(device, file, all_text, all_options, &problem);
    if (program)
        return program;
    g_debug("builtins.cl does not do: %s", problem->message);
    return build_source(device, file, text, options, error);
}

/* Returns: (transfer full) (nullable) */
static GBytes *get_binary(cl_program program)
{
    gsize size_b = 0;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size_b, &size_b, NULL) !=
            CL_SUCCESS ||
        size_b == 0)
        return NULL;
    g_autofree guchar *data = g_malloc(size_b);
    if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof data, &data, NULL) != CL_SUCCESS)
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&data), size_b);
}

/* Replaces *program by what it hides, if it hides anything, and *binary with it. */
static gboolean reveal(OclDevice *device, const char *file, const char *options,
                       cl_program *program, GBytes **binary, GError **error)
{
    gsize size_b;
    const char *data = g_bytes_get_data(*binary, &size_b);
    g_autofree char *ptx = g_strndup(data, size_b);
    char *revealed = ocl_ptx_reveal(ptx);
    if (!revealed)
        return TRUE;
    g_bytes_unref(*binary);
    *binary = g_bytes_new_take(revealed, strlen(revealed) + 1);
    clReleaseProgram(*program);
    *program = load_binary(device, options, *binary);
    if (!*program)
        g_set_error(error, OCL_ERROR, CL_BUILD_PROGRAM_FAILURE,
                    "%s with %s: driver %s of %s does not assemble for sm_90a", file, options,
                    device->driver, device->name);
    return *program != NULL;
}

/* As build_source(), but takes the binary of an earlier run if there is one. */
static cl_program load_or_build(OclDevice *device, const char *file, const char *text,
                                const char *options, GError **error)
{
    g_autofree char *key = cache_key(device, text, options);
    g_autoptr(GBytes) cached = ocl_cache_load(key);
    cl_program program = cached ? load_binary(device, options, cached) : NULL;
    if (program)
        return program;
    program = build_source(device, file, text, options, error);
    g_autoptr(GBytes) binary = program ? get_binary(program) : NULL;
    if (binary && reveal(device, file, options, &program, &binary, error))
        ocl_cache_store(key, binary);
    return program;
}

static cl_program make_program(OclDevice *device, const char *file, const char *extra_options,
                               GError **error)
{
    g_autofree char *options = g_strdup_printf("%s %s", COMMON_OPTIONS, extra_options);
    g_autofree char *text = ocl_source_load(file, error);
    if (!text)
        return NULL;
    return is_worth_caching(device) ? load_or_build(device, file, text, options, error)
                                    : build_source_briefly(device, file, text, options, error);
}

cl_kernel ocl_program_create_kernel(OclDevice *device, const char *file, const char *options,
                                    const char *function, GError **error)
{
    Program *program = find_program(device, file, options);
    cl_kernel kernel = NULL;
    g_mutex_lock(&program->lock);
    if (!program->cl)
        program->cl = make_program(device, file, options, error);
    if (program->cl) {
        cl_int status;
        kernel = clCreateKernel(program->cl, function, &status);
        if (status != CL_SUCCESS) {
            ocl_fail(error, status, device, "clCreateKernel of %s:%s", file, function);
            kernel = NULL;
        }
    }
    g_mutex_unlock(&program->lock);
    return kernel;
}
