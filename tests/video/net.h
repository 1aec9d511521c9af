/* net.h - a network of the test's own, built for the harness' device.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "harness.h"

#include <onnx-builder.h>
#include <video.h>

typedef struct {
    NnModel *model;
    NnNetwork *network;
    NnSlot *slot;
    VideoModelInfo *info;
} Net;

/* @preset: how it wants its pictures. */
Net net_new(OnnxBuilder *builder, const char *preset, guint max_samples, NnPrecision precision);
void net_clear(Net *net);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Net, net_clear)
