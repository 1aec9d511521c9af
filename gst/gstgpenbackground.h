/* gstgpenbackground.h - the network that whole frames go through at their own scale: by how much it
 * enlarges them, what that means for sizes, in how many pieces.
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

/* Whether whole frames go through @model at their own scale rather than scaled to its size: it says
 * fit=tile, or it takes any size and does not say which. If so @factor is by how much they grow; 0:
 * that cannot be told, and they do not. */
gboolean background_keeps_scale(const PictureModel *model, guint *factor);

/* @caps with sizes times @factor, or with those that become such ones; 0: not known, any size. */
GstCaps *background_scale_caps(GstCaps *caps, GstPadDirection to, guint factor);

/* What is built of it for one device and size of frames. */
typedef struct {
    PictureNetwork *network;
    NnSlot *slot;
    VideoTiles *tiles;
} Background;

typedef struct {
    guint side, overlap; /* px, most of a tile's sides where the network takes any size */
    guint max_frames;    /* at once, at most */
    gboolean in_one;     /* no tiles where the network takes any size and a quarter of the device's
                          * memory has room for its maps */
} BackgroundTiles;

/* Clear it, also after a failure. */
gboolean background_init(Background *self, PictureModel *model, guint factor, OclDevice *device,
                         const GstVideoInfo *in, const GstVideoInfo *out,
                         const BackgroundTiles *tiles, NnPrecision precision, GError **error);
void background_clear(Background *self);

G_END_DECLS
