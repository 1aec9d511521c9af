/* profile.h - where a network's time goes: medians over runs, launch by launch and by kernel.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <json-glib/json-glib.h>

#include "nn.h"

/* The lines of one run (NnProfileLine, as nn_slot_profile() gives them) for every run, in time:
 * each line with the median of its times, and the rates that follow.
 * @runs: GArray*, at least one, all of the same launches
 * Returns: (transfer full): NnProfileLine */
GArray *profile_medians(const GPtrArray *runs);

/* A table by kernel, the most expensive first, and one of all launches in their order. Shares are
 * of the sum of all launches. */
void profile_print(const GArray *lines);

/* The members "kernels" and "profile" of the object that @json is in. */
void profile_json(JsonBuilder *json, const GArray *lines);
