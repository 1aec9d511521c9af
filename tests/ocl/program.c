/* program.c - tests of building programs, of their caches, and of the embedded sources.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PoCL's binaries are not cached, so most tests give the platform another name.
 */
#include "harness.h"

#include <glib/gstdio.h>
#include <internal.h>
#include <string.h>
#include <utime.h>

/* ---------------------------------------------------------------- helpers */

static OclDevice *open_caching(void)
{
    fakecl_override_platform(CL_PLATFORM_NAME, "Test");
    return harness_open();
}

/* Builds add.cl on a device of its own, as a process of its own would, and runs it. */
static void build_and_run(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) device = open_caching();
    g_autoptr(OclKernel) kernel = harness_add_kernel(device, "-DN=5");
    g_autoptr(OclQueue) queue = ocl_queue_new(device, "test", FALSE, &error);
    cl_mem buffer = ocl_buffer_new(device, OCL_BUFFER_READ_WRITE, sizeof(cl_int), &error);
    cl_int x = 1;
    ocl_write(queue, buffer, 0, &x, sizeof x, NULL, &error);
    ocl_kernel_set(kernel, 0, sizeof buffer, &buffer, &error);
    ocl_enqueue(queue, kernel, 1, (gsize[]){ 1 }, NULL, NULL, &error);
    ocl_read(queue, buffer, 0, &x, sizeof x, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(ocl_queue_finish(queue, &error));
    g_assert_cmpint(x, ==, 1 + 5 * 3);
    ocl_buffer_clear(&buffer);
}

static guint n_source_builds(void)
{
    return fakecl_calls("clCreateProgramWithSource");
}

/* The paths of the cached programs. */
static GPtrArray *cached_files(void)
{
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = g_dir_open(harness_cache_dir(), 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        g_ptr_array_add(paths, g_build_filename(harness_cache_dir(), name, NULL));
    return paths;
}

static char *only_cached_file(void)
{
    g_autoptr(GPtrArray) paths = cached_files();
    g_assert_cmpuint(paths->len, ==, 1);
    return g_strdup(paths->pdata[0]);
}

/* Replaces the cached program, builds again, and expects that from source and a whole file after
 * it, which the next build loads. */
static void assert_replaced(const char *path, const char *content, gsize size_b)
{
    g_assert_true(g_file_set_contents(path, content, size_b, NULL));
    guint n = n_source_builds();
    build_and_run();
    g_assert_cmpuint(n_source_builds(), ==, n + 1);
    build_and_run();
    g_assert_cmpuint(n_source_builds(), ==, n + 1);
}

/* ---------------------------------------------------------------- caches */

static void a_program_is_built_once_in_a_process(void)
{
    g_autoptr(OclDevice) device = harness_open();
    g_autoptr(OclKernel) first = harness_add_kernel(device, "-DN=2");
    g_autoptr(OclKernel) second = harness_add_kernel(device, "-DN=2");
    g_assert_cmpuint(fakecl_calls("clBuildProgram"), ==, 1);
    g_autoptr(OclKernel) third = harness_add_kernel(device, "-DN=3");
    g_autoptr(OclKernel) fourth = harness_add_kernel(device, NULL);
    g_assert_cmpuint(fakecl_calls("clBuildProgram"), ==, 3);
    g_assert_true(first->cl != second->cl && third->cl != fourth->cl);
    g_assert_cmpstr(first->name, ==, "add.cl:add");
}

typedef struct {
    OclDevice *device;
    OclKernel *kernel;
} Builder;

static gpointer build_in_thread(gpointer data)
{
    Builder *builder = data;
    builder->kernel = harness_add_kernel(builder->device, "-DN=7");
    return NULL;
}

static void threads_that_ask_together_build_once(void)
{
    g_autoptr(OclDevice) device = harness_open();
    Builder builders[4];
    GThread *threads[4];
    for (guint i = 0; i < 4; i++) {
        builders[i] = (Builder){ device, NULL };
        threads[i] = g_thread_new(NULL, build_in_thread, &builders[i]);
    }
    for (guint i = 0; i < 4; i++) {
        g_thread_join(threads[i]);
        ocl_kernel_free(builders[i].kernel);
    }
    g_assert_cmpuint(fakecl_calls("clBuildProgram"), ==, 1);
}

static void a_second_start_loads_the_binary(void)
{
    build_and_run();
    g_assert_cmpuint(n_source_builds(), ==, 1);
    build_and_run();
    g_assert_cmpuint(n_source_builds(), ==, 1);
    g_assert_cmpuint(fakecl_calls("clCreateProgramWithBinary"), ==, 1);
}

static void other_drivers_and_options_have_other_binaries(void)
{
    const char driver[] = "2.0";
    build_and_run();
    fakecl_override_device(0, CL_DRIVER_VERSION, driver, sizeof driver);
    build_and_run();
    g_assert_cmpuint(n_source_builds(), ==, 2);
    g_autoptr(OclDevice) device = open_caching();
    ocl_kernel_free(harness_add_kernel(device, "-DN=6"));
    g_autoptr(GPtrArray) paths = cached_files();
    g_assert_cmpuint(paths->len, ==, 3);
}

static void pocl_is_left_to_its_own_cache(void)
{
    fakecl_override_platform(CL_PLATFORM_NAME, "Portable Computing Language");
    g_autoptr(OclDevice) device = harness_open();
    ocl_kernel_free(harness_add_kernel(device, NULL));
    g_autoptr(GPtrArray) paths = cached_files();
    g_assert_cmpuint(paths->len, ==, 0);
}

static void a_damaged_cache_file_is_replaced(void)
{
    g_autofree char *content = NULL;
    gsize size_b;
    build_and_run();
    g_autofree char *path = only_cached_file();
    g_assert_true(g_file_get_contents(path, &content, &size_b, NULL));
    content[size_b / 2] ^= 0x20;
    assert_replaced(path, content, size_b);
    assert_replaced(path, content, size_b / 2);
}

static gboolean is_cached(const char *key, const char *path, const char *content, gsize size_b)
{
    g_unlink(path); /* GLib syncs a file that it replaces */
    g_assert_true(g_file_set_contents(path, content, size_b, NULL));
    g_autoptr(GBytes) loaded = ocl_cache_load(key);
    return loaded != NULL;
}

static void every_byte_of_a_cache_file_counts(void)
{
    g_autoptr(GBytes) binary = g_bytes_new_static("binary", 6);
    g_autofree char *content = NULL;
    gsize size_b;
    ocl_cache_store("key", binary);
    g_autoptr(GBytes) loaded = ocl_cache_load("key");
    g_assert_true(g_bytes_equal(loaded, binary));
    g_autofree char *path = only_cached_file();
    g_assert_true(g_file_get_contents(path, &content, &size_b, NULL));

    for (gsize i = 0; i < size_b; i++) {
        g_assert_false(is_cached("key", path, content, i));
        content[i] ^= 0x20;
        g_assert_false(is_cached("key", path, content, size_b));
        content[i] ^= 0x20;
    }
    g_assert_true(is_cached("key", path, content, size_b));
}

static void a_binary_that_the_driver_refuses_is_replaced(void)
{
    build_and_run();
    fakecl_fail("clCreateProgramWithBinary", 1, 1, CL_INVALID_BINARY);
    build_and_run();
    g_assert_cmpuint(n_source_builds(), ==, 2);
    fakecl_fail("clBuildProgram", 1, 1, CL_BUILD_PROGRAM_FAILURE);
    build_and_run();
    g_assert_cmpuint(n_source_builds(), ==, 3);
}

/* ---------------------------------------------------------------- pruning */

#define DAY_S (24 * 3600)

/* A file of the cache's folder that was used @days ago. */
static char *file_of_age(const char *name, gsize size_b, int days)
{
    g_autofree char *content = g_malloc0(size_b + 1);
    char *path = g_build_filename(harness_cache_dir(), name, NULL);
    g_mkdir_with_parents(harness_cache_dir(), 0700);
    g_assert_true(g_file_set_contents(path, content, (gssize)size_b, NULL));
    struct utimbuf times = { 0 };
    times.actime = times.modtime = time(NULL) - days * DAY_S;
    g_assert_cmpint(g_utime(path, &times), ==, 0);
    return path;
}

static char *program_of_age(char digit, gsize size_b, int days)
{
    char name[65] = { 0 };
    memset(name, digit, 64);
    return file_of_age(name, size_b, days);
}

static gboolean exists(const char *path)
{
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void old_programs_go_when_a_new_one_is_stored(void)
{
    g_autofree char *old = program_of_age('a', 10, 100), *used = program_of_age('b', 10, 80);
    g_autofree char *other = file_of_age("tuning-00.ini", 10, 400);
    g_autofree char *half = file_of_age("cccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
                                        "cccccccc.A1B2C3",
                                        10, 100);
    g_autoptr(GBytes) content = g_bytes_new_static("new", 3);
    ocl_cache_store("new", content);
    g_assert_false(exists(old));
    g_assert_false(exists(half));
    g_assert_true(exists(used));
    g_assert_true(exists(other));
    g_autoptr(GBytes) stored = ocl_cache_load("new");
    g_assert_nonnull(stored);
}

static void the_longest_unused_programs_go_beyond_a_size(void)
{
    g_autofree char *oldest = program_of_age('1', 400, 30), *older = program_of_age('2', 400, 20);
    g_autofree char *newer = program_of_age('3', 400, 10);
    g_autofree char *other = file_of_age("tuning-00.ini", 4000, 1);
    ocl_cache_prune(1200, 90 * DAY_S);
    g_assert_true(exists(oldest) && exists(older) && exists(newer));
    ocl_cache_prune(1000, 90 * DAY_S);
    g_assert_false(exists(oldest));
    g_assert_true(exists(older) && exists(newer) && exists(other));
    ocl_cache_prune(0, 90 * DAY_S);
    g_assert_false(exists(older) || exists(newer));
    g_assert_true(exists(other));
}

static void loading_a_program_counts_as_use(void)
{
    const char *key = "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd";
    g_autoptr(GBytes) content = g_bytes_new_static("binary", 6);
    ocl_cache_store(key, content);
    g_autofree char *path = g_build_filename(harness_cache_dir(), key, NULL);
    struct utimbuf times = { 0 };
    times.actime = times.modtime = time(NULL) - 100 * DAY_S;
    g_assert_cmpint(g_utime(path, &times), ==, 0);
    g_autoptr(GBytes) loaded = ocl_cache_load(key);
    g_assert_nonnull(loaded);
    ocl_cache_prune(1 << 20, 90 * DAY_S);
    g_assert_true(exists(path));
}

static void an_unwritable_cache_only_costs_time(void)
{
    /* A file where the folder should be: permissions would not stop root. */
    g_assert_true(g_file_set_contents(harness_cache_dir(), "", 0, NULL));
    build_and_run();
    build_and_run();
    g_assert_cmpuint(n_source_builds(), ==, 2);
    g_assert_true(g_file_test(harness_cache_dir(), G_FILE_TEST_IS_REGULAR));
}

/* ---------------------------------------------------------------- failures */

static void assert_build_fails(const char *options, const char *place)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) device = harness_open();
    g_assert_null(ocl_kernel_new(device, "add.cl", "add", options, &error));
    g_assert_error(error, OCL_ERROR, CL_BUILD_PROGRAM_FAILURE);
    g_test_message("%s", error->message);
    g_assert_true(g_str_has_prefix(error->message, "clBuildProgram of add.cl with "));
    g_assert_nonnull(strstr(error->message, options));
    g_assert_nonnull(strstr(error->message, device->name));
    g_assert_nonnull(strstr(error->message, "CL_BUILD_PROGRAM_FAILURE (-11)\n"));
    g_assert_nonnull(strstr(error->message, place));
}

static void a_build_error_names_file_and_line(void)
{
    assert_build_fails("-DBREAK", "add.cl:14:");
}

static void a_build_error_in_an_include_names_the_include(void)
{
    assert_build_fails("-DBREAK_PIECE", "piece.clh:6:");
}

static void a_log_that_counts_lines_of_the_whole_text_is_translated(void)
{
    const char *text = "#line 1 \"a.cl\"\n"
                       "one\n"
                       "#line 1 \"b.clh\"\n"
                       "one\n"
                       "two\n"
                       "#line 3 \"a.cl\"\n"
                       "three\n";
    g_autofree char *log = ocl_source_locate(text, "<kernel>:2:9: error\n<kernel>:5:1: note\n"
                                                   "<kernel>:7:1: error, see a.cl:9 or <kernel>");
    g_assert_cmpstr(log, ==,
                    "a.cl:1:9: error\nb.clh:2:1: note\na.cl:3:1: error, see a.cl:9 or <kernel>");
}

static void a_failed_build_may_be_tried_again(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) device = harness_open();
    fakecl_fail("clBuildProgram", 1, 1, CL_OUT_OF_HOST_MEMORY);
    g_assert_null(ocl_kernel_new(device, "add.cl", "add", NULL, &error));
    g_assert_true(ocl_error_is_out_of_memory(error));
    ocl_kernel_free(harness_add_kernel(device, NULL));
}

static void a_kernel_that_is_not_there_is_an_error(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) device = harness_open();
    g_assert_null(ocl_kernel_new(device, "add.cl", "subtract", NULL, &error));
    g_assert_error(error, OCL_ERROR, CL_INVALID_KERNEL_NAME);
    g_autofree char *message = g_strdup_printf(
        "clCreateKernel of add.cl:subtract on %s: CL_INVALID_KERNEL_NAME (-46)", device->name);
    g_assert_cmpstr(error->message, ==, message);
}

static void a_file_that_is_not_there_is_an_error(void)
{
    g_autoptr(OclDevice) device = harness_open();
    const char *const dirs[] = { TEST_KERNEL_DIR, "" };
    for (guint i = 0; i < G_N_ELEMENTS(dirs); i++) {
        g_autoptr(GError) error = NULL;
        g_setenv("CLMATTE_KERNEL_DIR", dirs[i], TRUE);
        g_assert_null(ocl_kernel_new(device, "nothing.cl", "add", NULL, &error));
        g_assert_nonnull(error);
        g_assert_nonnull(strstr(error->message, "nothing.cl"));
    }
    g_setenv("CLMATTE_KERNEL_DIR", TEST_KERNEL_DIR, TRUE);
}

static void a_file_that_includes_itself_is_an_error(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) device = harness_open();
    g_assert_null(ocl_kernel_new(device, "loop.cl", "add", NULL, &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_LOOP);
}

static void arguments_and_launches_that_fail_name_the_kernel(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) device = harness_open();
    g_autoptr(OclKernel) kernel = harness_add_kernel(device, NULL);
    g_autoptr(OclQueue) queue = ocl_queue_new(device, "test", FALSE, NULL);
    g_assert_false(ocl_kernel_set(kernel, 9, 4, "abc", &error));
    g_assert_error(error, OCL_ERROR, CL_INVALID_ARG_INDEX);
    g_assert_true(
        g_str_has_prefix(error->message, "clSetKernelArg of add.cl:add (argument 9, 4 bytes) on "));
    g_clear_error(&error);

    fakecl_fail("clEnqueueNDRangeKernel:add", 1, 1, CL_OUT_OF_RESOURCES);
    const gsize global[] = { 64, 64, 1 }, local[] = { 1, 1, 1 };
    g_assert_false(ocl_enqueue(queue, kernel, 3, global, local, NULL, &error));
    g_autofree char *message =
        g_strdup_printf("clEnqueueNDRangeKernel of add.cl:add (global 64x64x1, local 1x1x1) on %s: "
                        "CL_OUT_OF_RESOURCES (-5)",
                        device->name);
    g_assert_cmpstr(error->message, ==, message);
}

/* ---------------------------------------------------------------- PTX */

static void hidden_instructions_are_shown_to_the_assembler(void)
{
    g_autofree char *ptx = ocl_ptx_reveal(".version 9.0\n.target sm_90\n.address_size 64\n"
                                          "\t// begin inline asm\n\t//@wgmma.fence;\n"
                                          "\t//@wgmma.wait {%f1, %f2}, 0;\n");
    g_assert_cmpstr(ptx, ==,
                    ".version 9.0\n.target sm_90a\n.address_size 64\n"
                    "\t// begin inline asm\n\twgmma.fence;\n\twgmma.wait {%f1, %f2}, 0;\n");
    g_autofree char *known = ocl_ptx_reveal(".target sm_90a\n//@a;\n");
    g_assert_cmpstr(known, ==, ".target sm_90a\na;\n");
}

static void programs_that_hide_nothing_stay_as_they_are(void)
{
    g_assert_null(ocl_ptx_reveal(".target sm_90\n// begin inline asm\n"));
    g_assert_null(ocl_ptx_reveal(".target sm_86\n//@a;\n"));
    g_assert_null(ocl_ptx_reveal("\177ELF"));
    g_assert_null(ocl_ptx_reveal(""));
}

/* ---------------------------------------------------------------- sources */

static void embedded_files_are_what_the_folder_holds(void)
{
    g_assert_nonnull(ocl_embedded_sources[0].file);
    g_setenv("CLMATTE_KERNEL_DIR", EMBEDDED_KERNEL_DIR, TRUE);
    for (const OclSource *source = ocl_embedded_sources; source->file; source++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = ocl_source_load(source->file, &error);
        g_assert_no_error(error);
        g_test_message("%s", source->file);
        g_assert_true(strcmp(text, ocl_source_find(source->file)) == 0);
    }
    g_setenv("CLMATTE_KERNEL_DIR", TEST_KERNEL_DIR, TRUE);
}

static void only_embedded_files_are_found(void)
{
    g_assert_null(ocl_source_find("nothing.cl"));
    g_assert_null(ocl_source_find("add.cl"));
}

/* ---------------------------------------------------------------- built-in functions */

/* A folder with the project's builtins.cl and a kernel that calls @function.
 * Returns: (transfer full) */
static char *write_kernel(const char *function)
{
    g_autoptr(GError) error = NULL;
    char *folder = g_dir_make_tmp("clmatte-kernels-XXXXXX", &error);
    g_assert_no_error(error);
    g_autofree char *builtins = g_build_filename(folder, "builtins.cl", NULL);
    g_autofree char *kernel = g_build_filename(folder, "call.cl", NULL);
    g_autofree char *text = g_strdup_printf("__kernel void call(__global float *x)\n{\n"
                                            "    x[get_global_id(0)] = %s(x[0]);\n}\n",
                                            function);
    g_assert_true(g_file_set_contents(builtins, ocl_source_find("builtins.cl"), -1, &error));
    g_assert_true(g_file_set_contents(kernel, text, -1, &error));
    return folder;
}

/* How often call.cl is built until it succeeds. */
static guint count_builds(const char *function)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = write_kernel(function);
    g_setenv("CLMATTE_KERNEL_DIR", folder, TRUE);
    g_autoptr(OclDevice) device = harness_open();
    g_autoptr(OclKernel) kernel = ocl_kernel_new(device, "call.cl", "call", "", &error);
    g_assert_no_error(error);
    g_setenv("CLMATTE_KERNEL_DIR", TEST_KERNEL_DIR, TRUE);
    const char *const files[] = { "builtins.cl", "call.cl", "" };
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(folder, files[i], NULL);
        g_assert_cmpint(g_remove(path), ==, 0);
    }
    return fakecl_calls("clBuildProgram");
}

static void pocl_is_spared_its_header(void)
{
    g_assert_cmpuint(count_builds("exp"), ==, 1);
}

static void what_is_not_declared_is_found_in_the_header(void)
{
    g_assert_cmpuint(count_builds("cospi"), ==, 2);
}

int main(int argc, char **argv)
{
    harness_init(&argc, &argv);
    harness_add("a program is built once in a process", a_program_is_built_once_in_a_process);
    harness_add("threads that ask together build once", threads_that_ask_together_build_once);
    harness_add("a second start loads the binary", a_second_start_loads_the_binary);
    harness_add("other drivers and options have other binaries",
                other_drivers_and_options_have_other_binaries);
    harness_add("PoCL is left to its own cache", pocl_is_left_to_its_own_cache);
    harness_add("old programs go when a new one is stored",
                old_programs_go_when_a_new_one_is_stored);
    harness_add("the longest unused programs go beyond a size",
                the_longest_unused_programs_go_beyond_a_size);
    harness_add("loading a program counts as use", loading_a_program_counts_as_use);
    harness_add("a damaged cache file is replaced", a_damaged_cache_file_is_replaced);
    harness_add("every byte of a cache file counts", every_byte_of_a_cache_file_counts);
    harness_add("a binary that the driver refuses is replaced",
                a_binary_that_the_driver_refuses_is_replaced);
    harness_add("an unwritable cache only costs time", an_unwritable_cache_only_costs_time);
    harness_add("a build error names file and line", a_build_error_names_file_and_line);
    harness_add("a build error in an include names the include",
                a_build_error_in_an_include_names_the_include);
    harness_add("a log that counts lines of the whole text is translated",
                a_log_that_counts_lines_of_the_whole_text_is_translated);
    harness_add("a failed build may be tried again", a_failed_build_may_be_tried_again);
    harness_add("a kernel that is not there is an error", a_kernel_that_is_not_there_is_an_error);
    harness_add("a file that is not there is an error", a_file_that_is_not_there_is_an_error);
    harness_add("a file that includes itself is an error", a_file_that_includes_itself_is_an_error);
    harness_add("arguments and launches that fail name the kernel",
                arguments_and_launches_that_fail_name_the_kernel);
    harness_add("hidden instructions are shown to the assembler",
                hidden_instructions_are_shown_to_the_assembler);
    harness_add("programs that hide nothing stay as they are",
                programs_that_hide_nothing_stay_as_they_are);
    harness_add("PoCL is spared its header", pocl_is_spared_its_header);
    harness_add("what is not declared is found in the header",
                what_is_not_declared_is_found_in_the_header);
    harness_add("embedded files are what the folder holds",
                embedded_files_are_what_the_folder_holds);
    harness_add("only embedded files are found", only_embedded_files_are_found);
    return harness_run();
}
