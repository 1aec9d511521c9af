/* launch_wide.h - when the kernels made for GPUs fit: those that take eight elements at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "launch_util.h"

G_BEGIN_DECLS

/* What a work-item of a "wide" variant loads at once, see kernels/wide.clh. */
#define NN_WIDE 8

/* Whether a variant that is made for GPUs may run: on one, and where a test forces it by @name. */
gboolean nn_gpu_variant(const NnRecorder *recorder, const char *name);
/* Whether the device runs work-groups of @n: not all have room for 256. */
gboolean nn_group_fits(const NnRecorder *recorder, guint n);
/* Whether @view holds floats that lie side by side along @axis, in whole blocks of NN_WIDE that
 * start on a block's boundary. */
gboolean nn_view_is_wide(const NnView *view, int axis);

G_END_DECLS
