/* launch_resize.h - what the ways to run a Resize share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "launch_util.h"

G_BEGIN_DECLS

/* The taps of every output index of an axis, as tables of int and float. */
typedef struct {
    NnView index, weight; /* [outputs][taps] */
    gint32 taps;
} NnTaps;
NnTaps nn_record_taps(NnRecorder *recorder, const NnResizeParams *params, int axis);

/* Of a map, with two taps per row and column. */
gboolean nn_resize_is_bilinear(const NnResizeParams *params);

/* launch_resize_joined.c: whether @node is recorded in a launch with others of one channel, or with
 * a Sigmoid behind it; that of the last of them is recorded then. */
gboolean nn_launch_resize_joined(NnRecorder *recorder, const NnNode *node);

G_END_DECLS
