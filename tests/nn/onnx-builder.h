/* onnx-builder.h - writes small ONNX models for tests.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "array.h"
#include "onnx.pb-c.h"

G_BEGIN_DECLS

/* A model being written. Its parts are plain protobuf-c structs, so that a test can damage them. */
typedef struct {
    Onnx__ModelProto *model;
    Onnx__GraphProto *graph; /* the model's */
} OnnxBuilder;

/* @opset: of ai.onnx. */
OnnxBuilder *onnx_builder_new(int opset);
void onnx_builder_free(OnnxBuilder *builder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OnnxBuilder, onnx_builder_free)

/* @shape: "1,3,?,8", ? where open; NULL: no rank either. */
void onnx_builder_input(OnnxBuilder *builder, const char *name, NnType type, const char *shape);
void onnx_builder_output(OnnxBuilder *builder, const char *name);
/* The same with what the file says of it, as onnx_builder_input(). */
void onnx_builder_output_as(OnnxBuilder *builder, const char *name, NnType type, const char *shape);

/* Initialisers; each returns the tensor as it is in the model. */
Onnx__TensorProto *onnx_builder_array(OnnxBuilder *builder, const char *name, const NnArray *array);
/* float32; @values: (nullable): reproducible pseudo-random ones in -1..1. */
Onnx__TensorProto *onnx_builder_floats(OnnxBuilder *builder, const char *name, const char *shape,
                                       const float *values);
/* An int64 vector: "1,2,-1"; "" is empty. */
Onnx__TensorProto *onnx_builder_ints(OnnxBuilder *builder, const char *name, const char *values);
/* A float32 scalar. */
Onnx__TensorProto *onnx_builder_float(OnnxBuilder *builder, const char *name, float value);

/* @inputs, @outputs: "x,w,,y", empty where left out. */
Onnx__NodeProto *onnx_builder_node(OnnxBuilder *builder, const char *type, const char *inputs,
                                   const char *outputs);
void onnx_node_int(Onnx__NodeProto *node, const char *name, gint64 value);
void onnx_node_float(Onnx__NodeProto *node, const char *name, float value);
void onnx_node_string(Onnx__NodeProto *node, const char *name, const char *value);
void onnx_node_ints(Onnx__NodeProto *node, const char *name, const char *values);
void onnx_node_floats(Onnx__NodeProto *node, const char *name, gsize n, const float *values);
void onnx_node_tensor(Onnx__NodeProto *node, const char *name, const NnArray *array);
/* The graph of @branch, which is taken over and freed. */
void onnx_node_graph(Onnx__NodeProto *node, const char *name, OnnxBuilder *branch);

/* A new tensor message holding @array as raw data. */
Onnx__TensorProto *onnx_tensor_new(const char *name, const NnArray *array);

/* The model as a file's contents. */
GBytes *onnx_builder_pack(const OnnxBuilder *builder);

/* A float32 array of pseudo-random numbers in -1..1 that depend on @seed alone. */
NnArray *onnx_random_array(const char *shape, guint32 seed);

G_END_DECLS
