/* video.h - frames to tensors and back: pixels in any format, in and out of the device.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Knows GstVideoInfo, GstBuffer and OpenCL buffers; knows no pads and no elements. The host touches
 * no pixel but for the one copy of a frame into pinned memory when upstream did not write there.
 */
#pragma once

#include <gst/video/video.h>

#include "../nn/nn.h"
#include "../ocl/ocl.h"

G_BEGIN_DECLS

/* ---------------------------------------------------------------- frames on the device */

/* The pixels of up to n frames of one format and size on the device, plane after plane. */
typedef struct VideoFrames VideoFrames;

/* @staging: also keep pinned host memory for each frame, to copy uploads through. */
VideoFrames *video_frames_new(OclDevice *device, const GstVideoInfo *info, guint n_frames,
                              gboolean staging, GError **error);
void video_frames_free(VideoFrames *frames);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoFrames, video_frames_free)
const GstVideoInfo *video_frames_info(const VideoFrames *frames);

/* Enqueues the upload of @frame as frame @index. If video_buffer_is_pinned() of its buffer, the
 * device reads it where it is, and the buffer must be kept, and not written to, until the command
 * has completed. Any other is copied into pinned staging memory, and may be released at once.
 * Either way
 * @frame may be unmapped at once. Honours strides, offsets and crops of @frame. */
gboolean video_frames_upload(VideoFrames *frames, OclQueue *queue, guint index,
                             GstVideoFrame *frame, GError **error);
/* Enqueues the readback of frame @index straight into @frame (mapped for writing), which must stay
 * mapped until the command has completed. */
gboolean video_frames_download(VideoFrames *frames, OclQueue *queue, guint index,
                               GstVideoFrame *frame, GError **error);

/* ---------------------------------------------------------------- pinned buffers */

/* A video buffer pool whose memory is pinned host memory of @device (CL_MEM_ALLOC_HOST_PTR): what
 * this plugin proposes upstream and fills downstream. Configure it like any GstVideoBufferPool. */
GstBufferPool *video_pinned_pool_new(OclDevice *device);

/* TRUE if @buffer is in memory of such a pool, whose number of buffers is not limited, so that it
 * can be kept for a while; of @device or another one of its driver, which knows what it has pinned.
 */
gboolean video_buffer_is_pinned(GstBuffer *buffer, const OclDevice *device);

/* ---------------------------------------------------------------- how a network sees pictures */

typedef enum {
    VIDEO_FIT_STRETCH,   /* to the network's size, whatever the shape */
    VIDEO_FIT_LETTERBOX, /* whole picture, shape kept, borders filled */
    VIDEO_FIT_NATIVE,    /* the network takes the picture's own size (rounded to a multiple) */
    VIDEO_FIT_TILE, /* the picture in pieces of the network's size, where there are several; one
                     * piece is stretched */
} VideoFit;

typedef enum {
    VIDEO_SCALE_NONE, /* x */
    VIDEO_SCALE_MAX,  /* x / max over the picture of x (U2Net as rembg runs it) */
} VideoDynamicRange;

typedef enum {
    VIDEO_MATTE_ALPHA,   /* the output is alpha in 0..1 */
    VIDEO_MATTE_MINMAX,  /* alpha = (x - min) / (max - min) over the picture (U2Net, ISNet) */
    VIDEO_MATTE_SIGMOID, /* logits */
    VIDEO_MATTE_SOFTMAX, /* two-channel logits: alpha is the second's share */
} VideoMatte;

/* How a network that restores faces wants them aligned. */
typedef enum {
    VIDEO_TEMPLATE_GPEN,    /* the 112 x 112 points of ArcFace with a quarter of room around */
    VIDEO_TEMPLATE_FFHQ,    /* as FFHQ's crops are aligned: tighter */
    VIDEO_TEMPLATE_ARCFACE, /* ArcFace's points in 128 x 128 */
} VideoTemplate;

/* What the sidecar file of a model says, or a preset: see docs/models.md. */
typedef struct {
    char *name;            /* of the preset or the file's */
    NnPrecision precision; /* where the element's is AUTO; AUTO: as the device gains by it */
    gboolean guessed;      /* only the tensors' shapes were there to go by: worth a message */
    /* picture -> tensor: channel c is (v[c] - mean[c]) / std[c], v in 0..255 */
    char *input;   /* tensor's name; NULL: the first four-dimensional input */
    gboolean bgr;  /* channel order; FALSE: RGB */
    gboolean nhwc; /* the tensor is [N][H][W][C] */
    float mean[3], std[3];
    VideoDynamicRange dynamic_range;
    VideoFit fit;
    guint width, height; /* the network's size; 0: as the file says, or from the picture */
    guint multiple;      /* with an open size: sides are rounded to a multiple of this */
    guint short_side;    /* with an open size and fit native: scale so that the short side is this;
                          * 0: the picture's own size */
    /* tensor -> picture */
    char *output;                  /* tensor's name; NULL: the first output */
    guint channel;                 /* of the output: which one is alpha */
    gboolean image;                /* the output is a picture, not a matte */
    VideoMatte matte;              /* for matting networks */
    float out_mean[3], out_std[3]; /* for image networks: pixel = v * out_std + out_mean, 0..255 */
    char *foreground;              /* (nullable): output holding the foreground colour, 0..1 RGB */
    VideoTemplate template;        /* for networks that restore faces */
    /* recurrent states: outputs that are fed back as inputs with the next frame */
    char **state_inputs, **state_outputs; /* (nullable): NULL-terminated, same length */
    /* inputs fixed to a number: name=value, such as downsample_ratio=0.25; "auto" for RVM's rule */
    char **fixed_inputs;
} VideoModelInfo;

/* The description of @model_path: the sidecar <model_path>.modelinfo if there is one, else the
 * preset that fits the graph's tensor names and shapes, else what the graph itself tells.
 * NULL on a damaged or contradictory sidecar, naming the line and key. */
VideoModelInfo *video_model_info_load(const char *model_path, const NnModel *model, GError **error);
/* The built-in preset of that name; NULL if there is none. */
VideoModelInfo *video_model_info_preset(const char *name);
void video_model_info_free(VideoModelInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoModelInfo, video_model_info_free)

/* ---------------------------------------------------------------- picture -> tensor */

typedef struct VideoToTensor VideoToTensor;

/* The tensor size for pictures of @width x @height: what the network is built with. */
void video_model_size(const VideoModelInfo *info, const NnModel *model, guint width, guint height,
                      guint *tensor_width, guint *tensor_height);

/* Kernels that turn frames of @format into the network's input: colour matrix and range of the
 * caps, resize (antialiased when shrinking), fit, normalisation, layout. */
VideoToTensor *video_to_tensor_new(OclDevice *device, const GstVideoInfo *format,
                                   const VideoModelInfo *info, guint max_frames,
                                   const NnPlace *place, GError **error);
void video_to_tensor_free(VideoToTensor *to_tensor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoToTensor, video_to_tensor_free)
/* Enqueues the conversion of frames 0..@n_frames-1 into samples 0..@n_frames-1 of @place. */
gboolean video_to_tensor_run(VideoToTensor *to_tensor, OclQueue *compute, const VideoFrames *frames,
                             guint n_frames, const NnPlace *place, GError **error);

/* ---------------------------------------------------------------- matte -> picture */

typedef enum {
    VIDEO_BACKGROUND_TRANSPARENT, /* straight alpha; the colour in formats without alpha */
    VIDEO_BACKGROUND_COLOR,       /* its own alpha counts, in formats with alpha */
    VIDEO_BACKGROUND_BLUR,        /* the frame's own background, blurred */
    VIDEO_BACKGROUND_IMAGE,       /* a picture, scaled to cover; the colour while there is none */
    VIDEO_BACKGROUND_KEEP,        /* the untouched frame; GRAY8 still gives the matte */
} VideoBackground;

typedef enum {
    VIDEO_FOREGROUND_FRAME,     /* the frame's own colours, mixed with what was behind at edges */
    VIDEO_FOREGROUND_ESTIMATED, /* without what was behind */
} VideoForeground;

/* What may change from frame to frame; snapshots are taken in stream order. Applied in the order of
 * refine, thresholds and gamma, temporal, erode, feather. */
typedef struct {
    VideoBackground background;
    VideoForeground foreground;  /* the network's own colours, where it gives some, come first */
    guint32 background_color;    /* 0xAARRGGBB, sRGB */
    float blur_radius;           /* share of the picture's height, 0..1: two sigma of a Gaussian */
    float alpha_low, alpha_high; /* alpha at or below low becomes 0, at or above high becomes 1 */
    float gamma;                 /* alpha^(1 / gamma): above 1 makes edges more opaque */
    gint feather;                /* px: softens the edge; negative only inwards; -128..128 */
    gint erode;                  /* px: shrinks; negative grows; -128..128 */
    gboolean refine;             /* guided filter: the edges follow the picture's own */
    float temporal; /* share of the frame before's alpha where the picture stands still, 0..1 */
} VideoMatteControls;

typedef struct VideoCompose VideoCompose;

/* Kernels that bring the matte to the picture's size and write frames of @out: with alpha,
 * composed over a background, or the matte alone (GRAY8). */
VideoCompose *video_compose_new(OclDevice *device, const GstVideoInfo *in, const GstVideoInfo *out,
                                const VideoModelInfo *info, guint max_frames, const NnPlace *matte,
                                const NnPlace *foreground, GError **error);
void video_compose_free(VideoCompose *compose);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoCompose, video_compose_free)
/* The next frame follows none: its alpha is its own, whatever `temporal` says. As after _new(). */
void video_compose_begin(VideoCompose *compose);
/* The picture for VIDEO_BACKGROUND_IMAGE, RGBA rows; copied. NULL: none. */
gboolean video_compose_set_image(VideoCompose *compose, OclQueue *compute, GstVideoFrame *image,
                                 GError **error);
gboolean video_compose_run(VideoCompose *compose, OclQueue *compute, const VideoFrames *in,
                           const VideoFrames *out, guint n_frames, const NnPlace *matte,
                           const NnPlace *foreground, const VideoMatteControls *controls,
                           GError **error);

/* ---------------------------------------------------------------- image network -> picture */

typedef struct VideoFromTensor VideoFromTensor;

/* Kernels that write an image network's output over the frame: resized back through the same fit,
 * mixed with the original by @blend per frame (0: original, bit-exact; 1: the network's). */
VideoFromTensor *video_from_tensor_new(OclDevice *device, const GstVideoInfo *in,
                                       const GstVideoInfo *out, const VideoModelInfo *info,
                                       guint max_frames, const NnPlace *place, GError **error);
void video_from_tensor_free(VideoFromTensor *from_tensor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoFromTensor, video_from_tensor_free)
gboolean video_from_tensor_run(VideoFromTensor *from_tensor, OclQueue *compute,
                               const VideoFrames *in, const VideoFrames *out, guint n_frames,
                               const NnPlace *place, const float *blend, GError **error);

G_END_DECLS
