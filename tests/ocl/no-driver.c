/* no-driver.c - tests of a machine without any OpenCL driver: the loader is shown an empty folder.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#include <string.h>

static void the_list_is_empty(void)
{
    g_auto(GStrv) lines = ocl_device_list();
    g_assert_nonnull(lines);
    g_assert_cmpuint(g_strv_length(lines), ==, 0);
}

static void opening_says_what_to_install(void)
{
    const char *specs[] = { "auto", "gpu", "0:0", "nvidia" };
    for (guint i = 0; i < G_N_ELEMENTS(specs); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(ocl_device_open(specs[i], &error));
        g_assert_error(error, OCL_ERROR, OCL_ERROR_NO_DEVICE);
        g_assert_nonnull(strstr(error->message, "pocl-opencl-icd"));
        g_assert_false(ocl_error_is_device_lost(error));
    }
}

int main(int argc, char **argv)
{
    g_setenv("OCL_ICD_VENDORS", "/nonexistent", TRUE);
    harness_init(&argc, &argv);
    harness_add("the list is empty", the_list_is_empty);
    harness_add("opening says what to install", opening_says_what_to_install);
    return harness_run();
}
