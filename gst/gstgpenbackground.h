/* gstgpenbackground.h - the network that enlarges whole frames: how much, and what that means for
 * sizes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstclnetwork.h"
#include "video/tiles.h"

G_BEGIN_DECLS

/* Reads a network that gives pictures @factor times as large, 1 to 4.
 * NN_ERROR_INPUT if it is none. */
PictureModel *background_model_new(const char *path_or_name, guint *factor, GError **error);

/* @caps with sizes times @factor, or with those that become such ones; 0: not known, any size. */
GstCaps *background_scale_caps(GstCaps *caps, GstPadDirection to, guint factor);

/* What is built of it for one device and size of frames. */
typedef struct {
    PictureNetwork *network;
    NnSlot *slot;
    VideoTiles *tiles;
} Background;

/* @side: most pixels of a tile's sides where the network takes any size. Clear it, also after a
 * failure. */
gboolean background_init(Background *self, PictureModel *model, guint factor, OclDevice *device,
                         const GstVideoInfo *in, const GstVideoInfo *out, guint side, guint overlap,
                         NnPrecision precision, GError **error);
void background_clear(Background *self);

G_END_DECLS
