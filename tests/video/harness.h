/* harness.h - what the tests of this folder share: a device, pictures, tensors without a network.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <video.h>

G_BEGIN_DECLS

void harness_init(int *argc, char ***argv);
void harness_add(const char *sentence, void (*test)(void));
int harness_run(void);

/* ---- device */

/* One device and one queue for the whole program. */
OclDevice *harness_device(void);
OclQueue *harness_queue(void);

/* ---- pictures */

GstVideoInfo harness_info(GstVideoFormat format, guint width, guint height,
                          const char *colorimetry);

/* A mapped frame of its own. @extra: bytes added to each stride, filled with a pattern, as are the
 * rows' ends; 0: the natural strides. */
GstVideoFrame *harness_frame_new(const GstVideoInfo *info, guint extra);
void harness_frame_free(GstVideoFrame *frame);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstVideoFrame, harness_frame_free)

/* Sample @x, @y of component @c, in that component's own grid. */
guint8 *harness_sample(const GstVideoFrame *frame, guint c, guint x, guint y);
/* Random bytes in every component, within the range that is legal for it. */
void harness_fill_random(GstVideoFrame *frame, guint32 seed);
/* Every pixel the same. */
void harness_fill(GstVideoFrame *frame, guint8 c0, guint8 c1, guint8 c2, guint8 alpha);
/* By GstVideoConverter at 16 bits, without dither. */
void harness_convert(const GstVideoFrame *src, GstVideoFrame *dst);
/* The greatest difference over the components that both have. */
guint harness_difference(const GstVideoFrame *a, const GstVideoFrame *b);
/* As above, over component @c alone. */
guint harness_difference_of(const GstVideoFrame *a, const GstVideoFrame *b, guint c);

/* Frames on the device holding @frames. */
VideoFrames *harness_upload(GstVideoFrame *const *frames, guint n);
void harness_download(VideoFrames *frames, guint index, GstVideoFrame *frame);

/* ---- tensors */

typedef struct {
    NnPlace place;
    guint n;
} HarnessTensor;

/* @n samples of [1][c][h][w] (@nhwc: [1][h][w][c]) with a gap between samples. */
HarnessTensor harness_tensor_new(guint n, guint c, guint h, guint w, gboolean nhwc, gboolean half);
void harness_tensor_clear(HarnessTensor *tensor);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HarnessTensor, harness_tensor_clear)
/* @data: [n][c][h][w], whatever the layout on the device. */
void harness_tensor_write(HarnessTensor *tensor, gboolean nhwc, const float *data);
float *harness_tensor_read(HarnessTensor *tensor, gboolean nhwc);

/* ---- controls that change nothing */
VideoMatteControls harness_controls(VideoBackground background);

/* 0..1, the same sequence for the same *@state. */
float harness_random(guint32 *state);

G_END_DECLS
