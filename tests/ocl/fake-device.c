/* fake-device.c - tests that the fake device also stands in front of a module's OpenCL.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"
#include "module.h"

#include <gmodule.h>

static GModule *module;
static ModuleOpen module_open;

static void a_module_uses_the_fake(void)
{
    g_autofree char *message = NULL;
    g_assert_true(module_open(&message));
    g_assert_cmpuint(fakecl_calls("clCreateContext"), ==, 1);
}

static void a_module_sees_no_platform_if_the_fake_says_so(void)
{
    g_autofree char *message = NULL;
    fakecl_fail("clGetPlatformIDs", 1, FAKECL_ALWAYS, -1001);
    g_assert_false(module_open(&message));
    g_assert_true(g_str_has_prefix(message, "No OpenCL device found"));
}

int main(int argc, char **argv)
{
    harness_init(&argc, &argv);
    module = g_module_open(TEST_MODULE, G_MODULE_BIND_LAZY | G_MODULE_BIND_LOCAL);
    if (!module)
        g_error("%s", g_module_error());
    g_assert_true(g_module_symbol(module, "module_open", (gpointer *)&module_open));
    harness_add("a module uses the fake", a_module_uses_the_fake);
    harness_add("a module sees no platform if the fake says so",
                a_module_sees_no_platform_if_the_fake_says_so);
    int result = harness_run();
    g_module_close(module);
    return result;
}
