/* device.c - which OpenCL devices there are, choosing one, and the shared OclDevice objects.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "internal.h"

#include <string.h>

/* The fast kernels use mma.m16n8k16 and cp.async, which begin with Ampere. */
#define MIN_TENSOR_CORE_CAPABILITY 80

/* ---------------------------------------------------------------- queries */

typedef cl_int (*GetInfo)(gpointer object, cl_uint what, gsize size_b, void *value,
                          gsize *needed_b);

/* An information string of a platform or device, trimmed; empty if the driver has none. */
static char *get_string(GetInfo get, gpointer object, cl_uint what)
{
    gsize size_b = 0;
    if (get(object, what, 0, NULL, &size_b) != CL_SUCCESS || size_b == 0)
        return g_strdup("");
    char *text = g_malloc0(size_b + 1);
    if (get(object, what, size_b, text, NULL) != CL_SUCCESS)
        text[0] = '\0';
    return g_strstrip(text);
}

static char *device_string(cl_device_id id, cl_device_info what)
{
    return get_string((GetInfo)clGetDeviceInfo, id, what);
}

static char *platform_string(cl_platform_id id, cl_platform_info what)
{
    return get_string((GetInfo)clGetPlatformInfo, id, what);
}

static guint device_uint(cl_device_id id, cl_device_info what)
{
    cl_uint value = 0;
    return clGetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static gsize device_ulong(cl_device_id id, cl_device_info what)
{
    cl_ulong value = 0;
    return clGetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static gsize device_size(cl_device_id id, cl_device_info what)
{
    gsize value = 0;
    return clGetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static cl_device_type device_type(cl_device_id id)
{
    cl_device_type type = 0;
    clGetDeviceInfo(id, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    return type;
}

static char *device_extensions(cl_device_id id)
{
    g_autofree char *list = device_string(id, CL_DEVICE_EXTENSIONS);
    return g_strdup_printf(" %s ", list);
}

static guint compute_capability(cl_device_id id)
{
    g_autofree char *extensions = device_extensions(id);
    if (!strstr(extensions, " cl_nv_device_attribute_query "))
        return 0;
    return 10 * device_uint(id, CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV) +
           device_uint(id, CL_DEVICE_COMPUTE_CAPABILITY_MINOR_NV);
}

/* The kernels are OpenCL C 1.2, compiled at run time. */
static gboolean is_usable(cl_device_id id)
{
    g_autofree char *version = device_string(id, CL_DEVICE_VERSION); /* "OpenCL 1.2 ..." */
    return device_uint(id, CL_DEVICE_AVAILABLE) && device_uint(id, CL_DEVICE_COMPILER_AVAILABLE) &&
           !g_str_has_prefix(version, "OpenCL 1.0") && !g_str_has_prefix(version, "OpenCL 1.1");
}

/* ---------------------------------------------------------------- what is present */

/* A device as the loader lists it. */
typedef struct {
    cl_platform_id platform;
    cl_device_id id;
    guint n_platform, n_device;
} Present;

static void append_devices(GArray *found, cl_platform_id platform, guint n_platform)
{
    cl_uint n = 0;
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &n) != CL_SUCCESS || n == 0)
        return;
    g_autofree cl_device_id *ids = g_new0(cl_device_id, n);
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, n, ids, NULL) != CL_SUCCESS)
        return;
    for (guint i = 0; i < n; i++) {
        Present present = { platform, ids[i], n_platform, i };
        g_array_append_val(found, present);
    }
}

/* A platform that fails to answer counts as not present. */
static GArray *find_present(void)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(Present));
    cl_uint n = 0;
    if (clGetPlatformIDs(0, NULL, &n) != CL_SUCCESS || n == 0)
        return found;
    g_autofree cl_platform_id *ids = g_new0(cl_platform_id, n);
    if (clGetPlatformIDs(n, ids, NULL) != CL_SUCCESS)
        return found;
    for (guint i = 0; i < n; i++)
        append_devices(found, ids[i], i);
    return found;
}

static char *describe(const Present *present)
{
    g_autofree char *name = device_string(present->id, CL_DEVICE_NAME);
    g_autofree char *platform = platform_string(present->platform, CL_PLATFORM_NAME);
    g_autofree char *driver = device_string(present->id, CL_DRIVER_VERSION);
    return g_strdup_printf("%u:%u %s (%s, driver %s)", present->n_platform, present->n_device, name,
                           platform, driver);
}

char **ocl_device_list(void)
{
    g_autoptr(GArray) found = find_present();
    char **lines = g_new0(char *, found->len + 1);
    for (guint i = 0; i < found->len; i++)
        lines[i] = describe(&g_array_index(found, Present, i));
    return lines;
}

/* ---------------------------------------------------------------- what is asked for */

/* The forms that a device specification has. */
typedef enum {
    SPEC_AUTO,
    SPEC_TYPE,    /* any of a type */
    SPEC_ORDINAL, /* the n-th of a type */
    SPEC_PLACE,   /* platform:device */
    SPEC_NAME,
} SpecKind;

typedef struct {
    SpecKind kind;
    cl_device_type type;
    guint64 n_platform, n_device;
    const char *name;
} Spec;

static const struct {
    const char *word;
    cl_device_type type;
} type_words[] = {
    { "gpu", CL_DEVICE_TYPE_GPU },
    { "cpu", CL_DEVICE_TYPE_CPU },
    { "accelerator", CL_DEVICE_TYPE_ACCELERATOR },
};

static cl_device_type type_of_word(const char *word)
{
    for (guint i = 0; i < G_N_ELEMENTS(type_words); i++)
        if (g_ascii_strcasecmp(word, type_words[i].word) == 0)
            return type_words[i].type;
    return 0;
}

static gboolean parse_number(const char *text, guint64 *number)
{
    return g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT, number, NULL);
}

static Spec parse_spec(const char *text)
{
    if (!text || !*text || g_ascii_strcasecmp(text, "auto") == 0)
        return (Spec){ .kind = SPEC_AUTO };
    Spec spec = { .kind = SPEC_TYPE, .type = type_of_word(text), .name = text };
    if (spec.type)
        return spec;
    g_auto(GStrv) parts = g_strsplit(text, ":", 2);
    if (parts[1] && parse_number(parts[1], &spec.n_device)) {
        spec.kind = SPEC_ORDINAL;
        spec.type = type_of_word(parts[0]);
        if (spec.type)
            return spec;
        spec.kind = SPEC_PLACE;
        if (parse_number(parts[0], &spec.n_platform))
            return spec;
    }
    spec.kind = SPEC_NAME;
    return spec;
}

static gboolean holds(const char *text, const char *piece)
{
    g_autofree char *text_lower = g_ascii_strdown(text, -1);
    g_autofree char *piece_lower = g_ascii_strdown(piece, -1);
    return strstr(text_lower, piece_lower) != NULL;
}

static gboolean is_named(const Present *present, const char *piece)
{
    g_autofree char *name = device_string(present->id, CL_DEVICE_NAME);
    g_autofree char *vendor = device_string(present->id, CL_DEVICE_VENDOR);
    g_autofree char *platform = platform_string(present->platform, CL_PLATFORM_NAME);
    return holds(name, piece) || holds(vendor, piece) || holds(platform, piece);
}

/* How good a device is for "auto". */
static guint rank_of(cl_device_id id)
{
    cl_device_type type = device_type(id);
    if (type & CL_DEVICE_TYPE_GPU)
        return compute_capability(id) >= MIN_TENSOR_CORE_CAPABILITY ? 4 : 3;
    return type & CL_DEVICE_TYPE_ACCELERATOR ? 2 : 1;
}

static const Present *choose_best(const GArray *found)
{
    const Present *best = NULL;
    for (guint i = 0; i < found->len; i++) {
        const Present *present = &g_array_index(found, Present, i);
        if (is_usable(present->id) && (!best || rank_of(present->id) > rank_of(best->id)))
            best = present;
    }
    return best;
}

static gboolean accepts(const Spec *spec, const Present *present)
{
    switch (spec->kind) {
    case SPEC_PLACE:
        return present->n_platform == spec->n_platform && present->n_device == spec->n_device;
    case SPEC_NAME:
        return is_usable(present->id) && is_named(present, spec->name);
    default:
        return is_usable(present->id) && (device_type(present->id) & spec->type);
    }
}

static const Present *choose(const GArray *found, const Spec *spec)
{
    if (spec->kind == SPEC_AUTO)
        return choose_best(found);
    guint64 n_to_skip = spec->kind == SPEC_ORDINAL ? spec->n_device : 0;
    for (guint i = 0; i < found->len; i++) {
        const Present *present = &g_array_index(found, Present, i);
        if (accepts(spec, present) && n_to_skip-- == 0)
            return present;
    }
    return NULL;
}

/* The names of all platforms; empty if there is none. */
static char *name_platforms(void)
{
    cl_platform_id ids[16];
    cl_uint n = 0;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    if (clGetPlatformIDs(G_N_ELEMENTS(ids), ids, &n) != CL_SUCCESS)
        n = 0;
    for (cl_uint i = 0; i < MIN(n, G_N_ELEMENTS(ids)); i++)
        g_ptr_array_add(names, platform_string(ids[i], CL_PLATFORM_NAME));
    g_ptr_array_add(names, NULL);
    return g_strjoinv(", ", (char **)names->pdata);
}

static void set_none_found(GError **error, const char *spec)
{
    g_autofree char *platforms = name_platforms();
    g_auto(GStrv) lines = ocl_device_list();
    g_autofree char *list = g_strjoinv("; ", lines);
    if (lines[0])
        g_set_error(error, OCL_ERROR, OCL_ERROR_NO_DEVICE,
                    "No usable OpenCL device matches \"%s\"; present: %s",
                    spec && *spec ? spec : "auto", list);
    else if (*platforms)
        g_set_error(error, OCL_ERROR, OCL_ERROR_NO_DEVICE,
                    "No OpenCL device found, although there are drivers: %s. See that you may use "
                    "the device (groups video and render), and that PoCL can write to its cache "
                    "(POCL_CACHE_DIR, else XDG_CACHE_HOME)",
                    platforms);
    else
        g_set_error_literal(error, OCL_ERROR, OCL_ERROR_NO_DEVICE,
                            "No OpenCL device found: install a driver (Debian: pocl-opencl-icd for "
                            "any CPU, intel-opencl-icd or mesa-opencl-icd for GPUs, "
                            "nvidia-opencl-icd for NVIDIA)");
}

/* ---------------------------------------------------------------- open devices */

static GMutex open_lock;
/* cl_device_id -> OclDevicePrivate, without a reference; NULL while no device is open. */
static GHashTable *open_devices;

static OclClass class_of(const OclDevice *device)
{
    /* A simulator may say that it is everything; as for "auto", it is a GPU then. */
    if ((device->type & CL_DEVICE_TYPE_CPU) && !(device->type & CL_DEVICE_TYPE_GPU))
        return OCL_CLASS_CPU;
    return device->compute_capability >= MIN_TENSOR_CORE_CAPABILITY ? OCL_CLASS_NVIDIA
                                                                    : OCL_CLASS_GENERIC;
}

static void query(OclDevice *device)
{
    cl_device_id id = device->id;
    device->name = device_string(id, CL_DEVICE_NAME);
    device->vendor = device_string(id, CL_DEVICE_VENDOR);
    device->driver = device_string(id, CL_DRIVER_VERSION);
    device->platform_name = platform_string(device->platform, CL_PLATFORM_NAME);
    device->extensions = device_extensions(id);
    device->type = device_type(id);
    device->compute_units = device_uint(id, CL_DEVICE_MAX_COMPUTE_UNITS);
    device->vector_width = MAX(1, device_uint(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT));
    device->compute_capability = compute_capability(id);
    device->max_allocation_b = device_ulong(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    device->cache_b = device_ulong(id, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE);
    device->global_memory_b = device_ulong(id, CL_DEVICE_GLOBAL_MEM_SIZE);
    device->local_memory_b = device_ulong(id, CL_DEVICE_LOCAL_MEM_SIZE);
    device->max_work_group = device_size(id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    device->base_align_b = MAX(1, device_uint(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8);
    device->unified_memory = device_uint(id, CL_DEVICE_HOST_UNIFIED_MEMORY) != 0;
    /* By 10 ms, at worst 17 (H200, driver 580.159), where a batch takes three. */
    device->late_callbacks = strstr(device->vendor, "NVIDIA") != NULL;
    device->device_class = class_of(device);
}

static void device_free(OclDevicePrivate *private)
{
    OclDevice *device = &private->base;
    g_hash_table_unref(private->programs);
    g_mutex_clear(&private->programs_lock);
    if (device->context)
        clReleaseContext(device->context);
    g_free(device->name);
    g_free(device->vendor);
    g_free(device->driver);
    g_free(device->platform_name);
    g_free(device->extensions);
    g_free(private);
}

static OclDevicePrivate *device_new(const Present *present, GError **error)
{
    OclDevicePrivate *private = g_new0(OclDevicePrivate, 1);
    OclDevice *device = &private->base;
    private->n_refs = 1;
    g_mutex_init(&private->programs_lock);
    private->programs = ocl_program_table_new();
    device->platform = present->platform;
    device->id = present->id;
    query(device);
    ocl_recording_query(private);

    const cl_context_properties properties[] = { CL_CONTEXT_PLATFORM,
                                                 (cl_context_properties)present->platform, 0 };
    cl_int status;
    device->context = clCreateContext(properties, 1, &device->id, NULL, NULL, &status);
    if (status != CL_SUCCESS) {
        ocl_fail_opening(error, status, device, "clCreateContext");
        device->context = NULL;
        device_free(private);
        return NULL;
    }
    return private;
}

/* Opens @present or takes another reference to it; open_lock is held. */
static OclDevicePrivate *open_locked(const Present *present, GError **error)
{
    OclDevicePrivate *private =
        open_devices ? g_hash_table_lookup(open_devices, present->id) : NULL;
    if (private) {
        private->n_refs++;
        return private;
    }
    private = device_new(present, error);
    if (!private)
        return NULL;
    if (!open_devices)
        open_devices = g_hash_table_new(NULL, NULL);
    g_hash_table_insert(open_devices, present->id, private);
    return private;
}

OclDevice *ocl_device_open(const char *spec, GError **error)
{
    g_return_val_if_fail(error == NULL || *error == NULL, NULL);
    Spec parsed = parse_spec(spec);
    g_autoptr(GArray) found = find_present();
    const Present *present = choose(found, &parsed);
    if (!present) {
        set_none_found(error, spec);
        return NULL;
    }
    g_mutex_lock(&open_lock);
    OclDevicePrivate *private = open_locked(present, error);
    g_mutex_unlock(&open_lock);
    return private ? &private->base : NULL;
}

OclDevice *ocl_device_ref(OclDevice *device)
{
    g_mutex_lock(&open_lock);
    ((OclDevicePrivate *)device)->n_refs++;
    g_mutex_unlock(&open_lock);
    return device;
}

void ocl_device_unref(OclDevice *device)
{
    if (!device)
        return;
    OclDevicePrivate *private = (OclDevicePrivate *)device;
    g_mutex_lock(&open_lock);
    gboolean is_last = --private->n_refs == 0;
    if (is_last) {
        g_hash_table_remove(open_devices, device->id);
        if (g_hash_table_size(open_devices) == 0)
            g_clear_pointer(&open_devices, g_hash_table_unref);
    }
    g_mutex_unlock(&open_lock);
    if (is_last)
        device_free(private);
}

gboolean ocl_device_matches(const OclDevice *device, const char *spec)
{
    Spec parsed = parse_spec(spec);
    if (parsed.kind == SPEC_AUTO)
        return TRUE;
    if (parsed.kind == SPEC_TYPE)
        return (device->type & parsed.type) != 0;
    if (parsed.kind == SPEC_NAME)
        return holds(device->name, spec) || holds(device->vendor, spec) ||
               holds(device->platform_name, spec);
    g_autoptr(GArray) found = find_present();
    const Present *present = choose(found, &parsed);
    return present && present->id == device->id;
}
