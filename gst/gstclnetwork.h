/* gstclnetwork.h - a model as an element uses it: loaded, described, built for a size of picture.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "nn/nn.h"
#include "video/video.h"

G_BEGIN_DECLS

/* A model and how it wants its pictures, the same for all devices. Like its networks it belongs to
 * the element's source task, or to its state change while no task runs. */
typedef struct {
    NnModel *model;
    VideoModelInfo *info;
    NnTuning tuning; /* of networks built from now on, with tuning_ms as in NnNetworkParams */
    guint tuning_ms;
    GPtrArray *built; /* PictureNetwork: the last of each device, for when the same is asked for */
} PictureModel;

/* The network of that name that is part of the plugin ("clmatte-fast", "clmatte-fine",
 * "clmatte-restore"), else a file and its description; a plain name without a file may also be that
 * of a network in the user's data directory, gst-clmatte/models/NAME.onnx. G_FILE_ERROR or
 * NN_ERROR.
 */
PictureModel *picture_model_new(const char *path_or_name, GError **error);
/* A file that, without a description of its own, is what @preset says. */
PictureModel *picture_model_new_as(const char *path_or_name, const char *preset, GError **error);
/* Where the file of a model is: a plain name that is no file here is that of a network which
 * clmatte-models got, if it is there. Returns: (transfer full) */
char *picture_model_find(const char *path_or_name);
/* Adds to @error, of reading the file, what to do if @path_or_name was meant as such a name. */
void picture_model_explain(const char *path_or_name, GError *error);
void picture_model_free(PictureModel *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PictureModel, picture_model_free)

/* TRUE if results are carried from frame to frame, so that frames run one by one. */
gboolean picture_model_is_recurrent(const PictureModel *self);

/* A model built for a device and a size of picture. */
typedef struct {
    grefcount ref_count;
    const PictureModel *model; /* outlives it */
    OclDevice *device;
    NnNetwork *network;
    guint width, height; /* of the network's input, in pixels */
    guint max_samples;
    NnPrecision precision;
    NnTuning tuning; /* that it was built with */

    guint input, output;                 /* ports of the picture and the result */
    gint foreground;                     /* port, -1: none */
    guint n_states;                      /* carried from frame to frame */
    guint *state_inputs, *state_outputs; /* ports */
    OclKernel *move;                     /* copies states, NULL: there are none */
} PictureNetwork;

/* The network of @model for pictures of @width x @height and runs of up to @max_samples on @device;
 * cheap if that is what was asked for last on this device. May take seconds.
 * Returns: (transfer full) */
PictureNetwork *picture_network_new(PictureModel *model, OclDevice *device, guint width,
                                    guint height, guint max_samples, NnPrecision precision,
                                    GError **error);
void picture_network_unref(PictureNetwork *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PictureNetwork, picture_network_unref)

/* Enqueues copies of the states that the last run left in @from to the inputs of @to; @from NULL:
 * the states of a beginning, all zero. */
gboolean picture_network_carry(PictureNetwork *self, OclQueue *compute, const NnSlot *from,
                               const NnSlot *to, GError **error);

G_END_DECLS
