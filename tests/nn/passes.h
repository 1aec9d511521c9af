/* passes.h - what tests of the passes share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "nn.h"
#include "onnx-builder.h"
#include "operator.h"

G_BEGIN_DECLS

/* Takes @builder. Optimises its graph, checks that the numbers stay and that what remains is the
 * node types of @expected, "Conv Relu", in order. */
NnGraph *assert_becomes(OnnxBuilder *builder, const char *expected);
void assert_stays(OnnxBuilder *builder, const char *types);
const NnNode *node_of(const NnGraph *graph, guint i);

/* A model of one input x [1][4][6][6] and the output z. */
OnnxBuilder *test_model(int opset);
/* 3x3, as many channels as before, no bias. */
Onnx__NodeProto *add_conv(OnnxBuilder *builder, const char *in, const char *out);

/* Adds the test of that name, which is a sentence. */
void add_pass_test(const char *name, GTestFunc test);
#define PASS_TEST(name) add_pass_test(#name, name)

G_END_DECLS
