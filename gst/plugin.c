/* plugin.c - registers the elements; nothing else.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstgpenenhance.h"
#include "gstunetmatte.h"

static gboolean plugin_init(GstPlugin *plugin)
{
    gboolean ok = GST_ELEMENT_REGISTER(unetmatte, plugin);
    ok |= GST_ELEMENT_REGISTER(gpenenhance, plugin);
    return ok;
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, clmatte,
                  "Background matting and portrait enhancement with OpenCL", plugin_init,
                  PACKAGE_VERSION, "LGPL", "gst-clmatte", "gst-clmatte")
