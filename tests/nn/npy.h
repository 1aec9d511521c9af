/* npy.h - reads and writes tensors as NumPy's .npy files.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Format: numpy.lib.format, versions 1 to 3. Row-major ("C order") arrays of the element types that
 * NnType has, in the byte order of this machine.
 */
#pragma once

#include "array.h"

G_BEGIN_DECLS

#define NPY_ERROR (npy_error_quark())
GQuark npy_error_quark(void);

typedef enum {
    NPY_ERROR_DAMAGED,     /* not a .npy file, or one that contradicts itself */
    NPY_ERROR_UNSUPPORTED, /* valid, but nothing that a tensor can hold */
} NpyError;

/* Returns: (transfer full): NULL on error, with a message that names the file. */
NnArray *npy_load(const char *path, GError **error);
gboolean npy_save(const char *path, const NnArray *array, GError **error);

G_END_DECLS
