/* tinynet.h - networks of a few operators whose results can be told in the head.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* All are written into a new folder, with a description but for the detectors. Pictures are 16x8
 * where nothing else is said. Returns: (transfer full): the path of the model. */

/* alpha is the red channel. */
char *tinynet_red(void);
/* The same by way of numbers between 1000 and 1001, of which halves know three. @precise: its
 * description asks for floats. */
char *tinynet_red_in_the_thousands(gboolean precise);
/* The same of pictures of any size, without a description. */
char *tinynet_undescribed(void);
/* alpha is the red channel, by way of a layer that several kernels can do. */
char *tinynet_red_in_steps(void);
/* alpha is a quarter of the red channel more than that of the frame before. */
char *tinynet_rising(void);
/* Two states: the sum of a quarter of the red channels so far, and half of that sum; alpha is what
 * the second was before the frame. */
char *tinynet_lagging(void);
/* The picture's negative; the same whose description asks for tiles; the same of pictures of any
 * size, without a description, -1..1. */
char *tinynet_negative(void);
char *tinynet_negative_in_tiles(void);
char *tinynet_negative_of_any_size(void);
/* The side of the restorer's picture. */
#define TINYNET_FACE 32
/* Restores faces of 32 x 32: every channel v of 0..1 becomes @gain v + @offset. */
char *tinynet_restorer(float gain, float offset);
/* Every pixel becomes 2 x 2 of the same, in pictures of any size; without a description. */
char *tinynet_enlarger(void);
/* A restorer that adds upright stripes of 8 pixels, +-40 of 255: what moves is seen. */
char *tinynet_striping_restorer(void);
/* A restorer whose picture is not square. */
char *tinynet_oblong(void);
/* A detector of YuNet's form for frames of any size: a red cell of 8 x 8 pixels in column c, row r
 * is an upright face. Its box is the 24 x 24 pixels around the cell, its score the cell's red less
 * its green and blue, 0..1, and its landmarks are where GPEN's template wants them in the 32 x 32
 * pixels from (8 c - 12, 8 r - 12) on. */
char *tinynet_detector(void);
/* The same, whose landmarks tremble with the noise in the cell: by 1.5 % of the face, where bytes
 * are off by up to 4. */
char *tinynet_trembling_detector(void);
/* The same without its landmarks, as SCRFD has them. */
char *tinynet_boxes(void);
/* A file that is no model. */
char *tinynet_damaged(void);

/* Removes the model, its description and its folder, and frees @path. */
void tinynet_remove(char *path);
/* So that g_autoptr(Model) does it. */
typedef char Model;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Model, tinynet_remove)

G_END_DECLS
