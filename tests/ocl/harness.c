/* harness.c - what the tests of this folder begin and end with.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#include <glib/gstdio.h>

static char *root;      /* XDG_CACHE_HOME of this process */
static char *cache_dir; /* where the programs go */

void harness_init(int *argc, char ***argv)
{
    g_autoptr(GError) error = NULL;
    root = g_dir_make_tmp("clmatte-ocl-XXXXXX", &error);
    g_assert_no_error(error);
    cache_dir = g_build_filename(root, "gst-clmatte", NULL);
    g_setenv("XDG_CACHE_HOME", root, TRUE);
    g_setenv("POCL_CACHE_DIR", TEST_POCL_CACHE_DIR, FALSE); /* otherwise below XDG_CACHE_HOME */
    g_setenv("CLMATTE_KERNEL_DIR", TEST_KERNEL_DIR, TRUE);
    g_test_init(argc, argv, NULL);
}

static void run(gconstpointer data)
{
    void (*const *test)(void) = data;
    harness_clear_cache();
    (*test)();
    fakecl_reset();
    g_autofree char *living = fakecl_live_text();
    g_test_message("alive: %s", living);
    g_assert_cmpint(fakecl_live(), ==, 0);
}

void harness_add(const char *sentence, void (*test)(void))
{
    g_autofree char *path = g_strconcat("/", sentence, NULL);
    g_test_add_data_func_full(path, g_memdup2(&test, sizeof test), run, g_free);
}

int harness_run(void)
{
    int result = g_test_run();
    harness_clear_cache();
    g_rmdir(root);
    g_free(cache_dir);
    g_free(root);
    return result;
}

OclDevice *harness_open(void)
{
    g_autoptr(GError) error = NULL;
    OclDevice *device = ocl_device_open("0:0", &error);
    g_assert_no_error(error);
    return device;
}

OclKernel *harness_add_kernel(OclDevice *device, const char *options)
{
    g_autoptr(GError) error = NULL;
    OclKernel *kernel = ocl_kernel_new(device, "add.cl", "add", options, &error);
    g_assert_no_error(error);
    return kernel;
}

const char *harness_cache_dir(void)
{
    return cache_dir;
}

void harness_clear_cache(void)
{
    g_autoptr(GDir) dir = g_dir_open(cache_dir, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(cache_dir, name, NULL);
        g_unlink(path);
    }
    g_remove(cache_dir);
}
