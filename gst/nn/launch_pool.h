/* launch_pool.h - what the ways to run a pool share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "launch_util.h"

G_BEGIN_DECLS

/* launch_pool3d.c: any number of axes and of maps, any types. @kind: POOL in the kernels. */
gboolean nn_launch_pool_3d(NnRecorder *recorder, const NnNode *node, const NnPoolParams *params,
                           const char *kind);

G_END_DECLS
