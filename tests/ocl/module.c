/* module.c - a loadable module that uses OpenCL as the plugin does, linked to the real loader.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "module.h"

#include <gmodule.h>
#include <ocl.h>

G_MODULE_EXPORT gboolean module_open(char **message);

gboolean module_open(char **message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) device = ocl_device_open("auto", &error);
    *message = error ? g_strdup(error->message) : NULL;
    return device != NULL;
}
