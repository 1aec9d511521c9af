/* modelinfo.h - where the description of a model comes from.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "video.h"

G_BEGIN_DECLS

/* What is right for a network of which nothing is known: RGB, (x - 127.5) / 127.5, alpha. */
VideoModelInfo *video_model_info_new(const char *name);
/* The preset that fits the names and shapes of @graph; NULL if none does. */
VideoModelInfo *video_model_info_match(const NnGraph *graph);
/* What the shapes alone suggest; `guessed` is set. */
VideoModelInfo *video_model_info_guess(const NnGraph *graph);
/* Reads the sidecar @path. @graph: (nullable): what it must fit. */
VideoModelInfo *video_model_info_read(const char *path, const NnGraph *graph, GError **error);
/* As video_model_info_load(), on a graph. */
VideoModelInfo *video_model_info_find(const char *model_path, const NnGraph *graph, GError **error);

G_END_DECLS
