/* tinynet.h - networks of a few operators whose results can be told in the head.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* All take pictures of 16x8 and are written with a description into a new folder.
 * Returns: (transfer full): the path of the model. */

/* alpha is the red channel. */
char *tinynet_red(void);
/* alpha is a quarter of the red channel more than that of the frame before. */
char *tinynet_rising(void);
/* The picture's negative. */
char *tinynet_negative(void);
/* A file that is no model. */
char *tinynet_damaged(void);

/* Removes the model, its description and its folder, and frees @path. */
void tinynet_remove(char *path);

G_END_DECLS
