/* kernels.h - the door to kernels/video_*.cl: mirrored structs, format defines, launches.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "video.h"

G_BEGIN_DECLS

/* ---- mirrors of the structs in kernels/video*.cl and common.clh */

typedef struct {
    guint64 frame;     /* bytes between frames */
    guint64 offset[4]; /* bytes, of each plane of frame 0 */
    gint32 pitch[4];   /* bytes */
    gint32 width, height;
} VideoPicture;

typedef struct {
    float scale, shift; /* source position = (x + 0.5) * scale + shift; pixel i spans i..i + 1 */
    gint32 first, last; /* the source pixels that may be read */
} VideoAxis;

typedef struct {
    guint64 offset;
    gint32 step, pitch;
    VideoAxis axis;
} VideoComponent;

typedef struct {
    float mean[3], gain[3];
} VideoNormalise;

typedef struct {
    float low, gain;
    float exponent;
    gint32 erode, feather;
    gint32 background;
    float color[4];
    float sigma;
    float blend;
    gint32 refine;
    gint32 estimate;
    float temporal;
} VideoFrameControls;

typedef struct {
    VideoAxis axis;
    gint32 pitch, height;
} VideoSheet;

typedef struct {
    gint32 pitch, width, height;
} VideoSmall;

typedef struct {
    guint64 offset, sample;
    gint32 c, h, w;
    gint32 sc, sh, sw;
} VideoMap;

/* ---- kernels */

/* The pixels that a work-item computes side by side: -DPX of the kernels. */
guint video_lanes(const OclDevice *device);
/* How many strips of that many pixels cover @n. */
gsize video_strips(const OclDevice *device, guint n);
/* @n rounded up so that whole strips fit a row. */
guint video_pad(guint n);

/* Rows of work-items of kernels that write pictures: one per row, or per pair where chroma rows are
 * halved. */
gsize video_row_groups(const GstVideoInfo *out);

/* @function of kernels/@file, built with PX and @options (printf). */
OclKernel *video_kernel_new(OclDevice *device, const char *file, const char *function,
                            GError **error, const char *options, ...) G_GNUC_PRINTF(5, 6);

/* One of several kernels over tensors, see video_tensor_kernels_new(). */
typedef struct {
    OclKernel **kernel; /* where it is put */
    const char *function;
    NnType type; /* of the tensor: FP16 is defined for halves */
} VideoTensorKernel;

/* All of kernels/@file in @kernels; after a failure those that were built are there. */
gboolean video_tensor_kernels_new(OclDevice *device, const char *file,
                                  const VideoTensorKernel *kernels, guint n_kernels,
                                  GError **error);

/* The defines that tell a pair of formats to video_picture.clh. Free with g_free(). */
char *video_picture_defines(const GstVideoInfo *in, const GstVideoInfo *out);
/* TRUE if the kernels read and write frames of that format. */
gboolean video_format_supported(GstVideoFormat format);

typedef struct {
    gsize size_b;
    gconstpointer value;
} VideoArgument;

#define VIDEO_ARG(variable)                                                                        \
    {                                                                                              \
        sizeof(variable), &(variable)                                                              \
    }

/* Sets the arguments in order and enqueues @x times @y times @z work-items. */
gboolean video_launch(OclQueue *queue, OclKernel *kernel, const VideoArgument *arguments,
                      guint n_arguments, gsize x, gsize y, gsize z, GError **error);

/* ---- tensors */

/* One sample of @place as channels, rows and columns. @nhwc: how the model's author named its axes;
 * overruled where only the other reading leaves at most four channels.
 * NN_ERROR_INPUT if it is no picture or not float. */
gboolean video_place_map(const NnPlace *place, gboolean nhwc, VideoMap *map, GError **error);

/* ---- geometry */

/* Where the picture lies within the tensor, in tensor pixels. */
typedef struct {
    guint x, y, width, height;
} VideoRect;

VideoRect video_fit_rect(VideoFit fit, guint width, guint height, guint tensor_width,
                         guint tensor_height);

/* The axis of a resize of pixels @from..@from + @n_from of the source to @n_to pixels. */
VideoAxis video_axis(double from, double n_from, guint n_to, guint first, guint last);

G_END_DECLS
