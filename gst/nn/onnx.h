/* onnx.h - what reading ONNX files shares: tensors, files beside the model.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "nn.h"

G_BEGIN_DECLS

struct Onnx__TensorProto; /* generated: onnx.pb-c.h */

/* A model that no file holds. @graph: (transfer full): as read, not inferred. */
NnModel *nn_model_of_graph(NnGraph *graph);

/* A file with one serialised TensorProto, as ONNX's conformance data has them. */
NnArray *nn_onnx_tensor_load(const char *path, GError **error);
NnArray *nn_onnx_tensor_load_bytes(GBytes *bytes, const char *name, GError **error);

/* Where tensors that lie outside the model file are looked for. */
typedef struct {
    const char *folder; /* NULL: there may be none */
    GHashTable *files;  /* char* -> GBytes*: those already open */
} NnOnnxFolder;

/* @folder: (nullable). Errors name the tensor, not the file. */
NnArray *nn_onnx_tensor(const struct Onnx__TensorProto *proto, NnOnnxFolder *folder,
                        GError **error);

/* The contents of a regular file, mapped; a pipe or device would block. */
GBytes *nn_onnx_map_file(const char *path, GError **error);

/* protobuf-c unpacks by recursion as deep as the file says; FALSE with NN_ERROR_BAD_MODEL if that
 * is deeper than any model, so that the stack holds. @type: ProtobufCMessageDescriptor. */
gboolean nn_onnx_check_nesting(gconstpointer type, GBytes *bytes, GError **error);

G_END_DECLS
