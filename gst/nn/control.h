/* control.h - control flow, which is gone before a network runs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "graph.h"

G_BEGIN_DECLS

gboolean nn_is_if(const NnNode *node);

/* Puts the nodes of the branch that the condition of @node, an If, chooses in its place in the
 * node list; @node is freed. NN_ERROR_UNSUPPORTED if the condition is not constant. */
gboolean nn_inline_if(NnGraph *graph, NnNode *node, GError **error);

G_END_DECLS
