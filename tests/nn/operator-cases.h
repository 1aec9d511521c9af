/* operator-cases.h - nodes with their inputs and outputs, written in a few words.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "operator.h"

#define CASE_TENSORS 10

/* Tensors are "type[dims] elements": "f[2,2] 1 2 3 4"; "-" is one that is left out. Types: f
 * float32, d float64, h float16, b bool, i int64, i32, i8, u8. */
typedef struct {
    const char *name;
    const char *type;
    int opset;
    const char *attributes; /* "axis=1 alpha=0.5 mode=edge pads=[1,1]"; a point makes it float */
    const char *in[CASE_TENSORS];
    const char *out[CASE_TENSORS]; /* none: the node must be rejected */
} Case;

/* All cases, ended by one without a name. */
extern const Case cases[];

NnArray *case_array(const char *text);
/* The case's node in @graph, its inputs being constants. */
NnNode *case_node(NnGraph *graph, const Case *c);
