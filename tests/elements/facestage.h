/* facestage.h - frames with faces for the enhancement element, and what came of them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstgpenenhance.h"
#include "stage.h"
#include "tinynet.h"

#include <gst/video/video.h>

G_BEGIN_DECLS

/* 24 x 16 cells of 8 pixels. */
#define FACES_WIDTH 192
#define FACES_HEIGHT 128
#define FACES_B (FACES_WIDTH * FACES_HEIGHT * 3)

#define FACES_CAPS "video/x-raw,format=RGB,width=192,height=128,framerate=25/1"

/* An element with the detector of red cells. @properties: as in gst-launch. */
Stage *faces_new(const char *restorer, const char *detector, const char *properties);
/* Grey, with a pattern that no byte of should change. */
GstBuffer *faces_frame(guint number);
/* Makes the cell at @column, @row a face of that score. */
void faces_add(GstBuffer *buffer, guint column, guint row, float score);
/* @buffer: (transfer full): must be accepted. */
void faces_push(Stage *stage, GstBuffer *buffer);
/* Copies its FACES_B bytes to @pixels, or to new memory: (transfer full). */
void faces_read(GstBuffer *buffer, guint8 *pixels);
guint8 *faces_pixels(GstBuffer *buffer);
/* Pushes @buffer: (transfer full) and waits for what comes of it: its pixels, (transfer full). */
guint8 *faces_through(Stage *stage, GstBuffer *buffer);
/* Within the crop of the face at @column, @row, less the sixteenth where the mask is nothing. */
gboolean faces_within(guint x, guint y, guint column, guint row);
/* White where there is a face at @column, @row; elsewhere @before. */
void faces_assert_white(const guint8 *before, const guint8 *after, guint column, guint row);
/* Bytes of FACES_B. */
guint faces_n_different(const guint8 *a, const guint8 *b);
/* The first region of interest; NULL: there is none. */
GstVideoRegionOfInterestMeta *faces_meta(GstBuffer *buffer);
/* Of its parameters, which must have it. */
double faces_meta_number(GstVideoRegionOfInterestMeta *meta, const char *name);

G_END_DECLS
