/* gstclnetwork.h - a model as an element uses it: loaded, described, built for a size of picture.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "nn/nn.h"
#include "video/video.h"

G_BEGIN_DECLS

/* Belongs to the element's source task, or to its state change while no task runs. */
typedef struct {
    NnModel *model;
    VideoModelInfo *info;

    /* of the last picture_network_build(); kept while the next asks for the same */
    NnNetwork *network;
    guint width, height; /* of the network's input, in pixels */
    guint max_samples;
    NnPrecision precision;

    guint input, output;                 /* ports of the picture and the result */
    gint foreground;                     /* port, -1: none */
    guint n_states;                      /* carried from frame to frame */
    guint *state_inputs, *state_outputs; /* ports */
    OclKernel *move;                     /* copies states, NULL: there are none */
} PictureNetwork;

/* The network of that name that is part of the plugin: "clmatte-fast", "clmatte-fine".
 * Returns: (nullable): NULL without an error if there is none of that name. */
PictureNetwork *picture_network_new_builtin(const char *name, GError **error);

/* Reads @path and its description. G_IO_ERROR or NN_ERROR. */
PictureNetwork *picture_network_new(const char *path, GError **error);
void picture_network_free(PictureNetwork *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PictureNetwork, picture_network_free)

/* TRUE if results are carried from frame to frame, so that frames run one by one. */
gboolean picture_network_is_recurrent(const PictureNetwork *self);

/* Builds the network for pictures of @width x @height and runs of up to @max_samples; cheap if
 * that is what it was built for last. May take seconds. */
gboolean picture_network_build(PictureNetwork *self, OclDevice *device, guint width, guint height,
                               guint max_samples, NnPrecision precision, GError **error);

/* Enqueues copies of the states that the last run left in @from to the inputs of @to; @from NULL:
 * the states of a beginning, all zero. */
gboolean picture_network_carry(PictureNetwork *self, OclQueue *compute, const NnSlot *from,
                               const NnSlot *to, GError **error);

G_END_DECLS
