/* stand-in.h - a CPU in the place of a GPU: what would be launched there, and what it gives.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "nn.h"

/* Makes @device, which must be a CPU, plan and compute as a GPU of a kind: "hopper" (an H200),
 * "ampere" (an A100), or "gpu" (without tensor cores). Kernels emulate what it lacks, slowly. */
gboolean stand_in_for(OclDevice *device, const char *kind, GError **error);

/* What the network would launch on @device, a line each and then a line for each kernel; nothing is
 * compiled or run. */
gboolean stand_in_print_launches(NnModel *model, OclDevice *device, const NnNetworkParams *params,
                                 GError **error);
