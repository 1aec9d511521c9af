/* own-cache.h - a folder of the test's own for what the engine keeps from run to run.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* Before a device is opened; @name is for the folder. GLib looks at the variable once, and keeps
 * the folder; the driver looks when a device is opened, and shall find its own programs. Free it.
 */
static inline char *own_cache_new(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *users = g_strdup(g_getenv("XDG_CACHE_HOME"));
    g_autofree char *pattern = g_strdup_printf("clmatte-%s-XXXXXX", name);
    char *folder = g_dir_make_tmp(pattern, &error);
    g_assert_no_error(error);
    g_setenv("XDG_CACHE_HOME", folder, TRUE);
    g_assert_cmpstr(g_get_user_cache_dir(), ==, folder);
    if (users)
        g_setenv("XDG_CACHE_HOME", users, TRUE);
    else
        g_unsetenv("XDG_CACHE_HOME");
    return folder;
}
