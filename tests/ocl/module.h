/* module.h - what module.c exports to the test of the fake device.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* Opens the device "auto" and closes it; FALSE with the message of the error. */
typedef gboolean (*ModuleOpen)(char **message);
