/* onnx-builder.c - writes small ONNX models for tests.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "onnx-builder.h"

#include <string.h>

/* Everything is allocated as protobuf-c's unpacker would, so that its destructor frees it. */
#define NEW(type, init, proto)                                                                     \
    type *proto = g_new(type, 1);                                                                  \
    init(proto)

#define APPEND(array, n, element)                                                                  \
    do {                                                                                           \
        (array) = g_realloc_n((array), (n) + 1, sizeof *(array));                                  \
        (array)[(n)++] = (element);                                                                \
    } while (0)

OnnxBuilder *onnx_builder_new(int opset)
{
    OnnxBuilder *builder = g_new0(OnnxBuilder, 1);
    NEW(Onnx__ModelProto, onnx__model_proto__init, model);
    NEW(Onnx__GraphProto, onnx__graph_proto__init, graph);
    NEW(Onnx__OperatorSetIdProto, onnx__operator_set_id_proto__init, import);

    import->domain = g_strdup("");
    import->has_version = TRUE;
    import->version = opset;
    APPEND(model->opset_import, model->n_opset_import, import);
    model->has_ir_version = TRUE;
    model->ir_version = 8;
    model->graph = graph;
    graph->name = g_strdup("test");
    builder->model = model;
    builder->graph = graph;
    return builder;
}

void onnx_builder_free(OnnxBuilder *builder)
{
    onnx__model_proto__free_unpacked(builder->model, NULL);
    g_free(builder);
}

GBytes *onnx_builder_pack(const OnnxBuilder *builder)
{
    const gsize size_b = onnx__model_proto__get_packed_size(builder->model);
    guint8 *data = g_malloc(size_b);

    onnx__model_proto__pack(builder->model, data);
    return g_bytes_new_take(data, size_b);
}

/* ---------------------------------------------------------------- lists in text */

/* The parts of "a,b,,c"; none of "". */
static char **parts_of(const char *list)
{
    return *list ? g_strsplit(list, ",", -1) : g_new0(char *, 1);
}

static gint64 *parse_ints(const char *list, gsize *n)
{
    g_auto(GStrv) parts = parts_of(list);
    *n = g_strv_length(parts);
    gint64 *ints = g_new0(gint64, *n + 1);
    for (gsize i = 0; i < *n; i++)
        ints[i] = g_ascii_strtoll(parts[i], NULL, 10);
    return ints;
}

NnArray *onnx_random_array(const char *shape, guint32 seed)
{
    gsize rank;
    g_autofree gint64 *dims = parse_ints(shape, &rank);
    NnArray *array = nn_array_new(NN_FLOAT32, (int)rank, dims);
    g_autoptr(GRand) random = g_rand_new_with_seed(seed);

    for (gsize i = 0; i < array->n; i++)
        nn_array_set(array, i, g_rand_double_range(random, -1, 1));
    return array;
}

/* ---------------------------------------------------------------- inputs, outputs */

static Onnx__TensorShapeProto *new_shape(const char *text)
{
    NEW(Onnx__TensorShapeProto, onnx__tensor_shape_proto__init, shape);
    g_auto(GStrv) parts = parts_of(text);

    for (guint i = 0; parts[i]; i++) {
        NEW(Onnx__TensorShapeProto__Dimension, onnx__tensor_shape_proto__dimension__init, dim);
        if (strcmp(parts[i], "?") == 0) {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            dim->dim_param = g_strdup("open");
        } else {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dim->dim_value = g_ascii_strtoll(parts[i], NULL, 10);
        }
        APPEND(shape->dim, shape->n_dim, dim);
    }
    return shape;
}

static Onnx__ValueInfoProto *new_info(const char *name, NnType type, const char *shape)
{
    NEW(Onnx__ValueInfoProto, onnx__value_info_proto__init, info);
    NEW(Onnx__TypeProto, onnx__type_proto__init, proto);
    NEW(Onnx__TypeProto__Tensor, onnx__type_proto__tensor__init, tensor);

    tensor->has_elem_type = TRUE;
    tensor->elem_type = type;
    tensor->shape = shape ? new_shape(shape) : NULL;
    proto->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    proto->tensor_type = tensor;
    info->name = g_strdup(name);
    info->type = proto;
    return info;
}

void onnx_builder_input(OnnxBuilder *builder, const char *name, NnType type, const char *shape)
{
    APPEND(builder->graph->input, builder->graph->n_input, new_info(name, type, shape));
}

void onnx_builder_output_as(OnnxBuilder *builder, const char *name, NnType type, const char *shape)
{
    APPEND(builder->graph->output, builder->graph->n_output, new_info(name, type, shape));
}

void onnx_builder_output(OnnxBuilder *builder, const char *name)
{
    NEW(Onnx__ValueInfoProto, onnx__value_info_proto__init, info);
    info->name = g_strdup(name);
    APPEND(builder->graph->output, builder->graph->n_output, info);
}

/* ---------------------------------------------------------------- tensors */

Onnx__TensorProto *onnx_tensor_new(const char *name, const NnArray *array)
{
    NEW(Onnx__TensorProto, onnx__tensor_proto__init, tensor);

    tensor->name = g_strdup(name);
    tensor->has_data_type = TRUE;
    tensor->data_type = array->type;
    for (int i = 0; i < array->rank; i++)
        APPEND(tensor->dims, tensor->n_dims, array->dims[i]);
    tensor->has_raw_data = TRUE;
    tensor->raw_data.len = array->n * nn_type_size(array->type);
    tensor->raw_data.data = g_memdup2(array->data, tensor->raw_data.len);
    return tensor;
}

Onnx__TensorProto *onnx_builder_array(OnnxBuilder *builder, const char *name, const NnArray *array)
{
    Onnx__TensorProto *tensor = onnx_tensor_new(name, array);
    APPEND(builder->graph->initializer, builder->graph->n_initializer, tensor);
    return tensor;
}

Onnx__TensorProto *onnx_builder_floats(OnnxBuilder *builder, const char *name, const char *shape,
                                       const float *values)
{
    g_autoptr(NnArray) array = onnx_random_array(shape, g_str_hash(name));
    if (values)
        memcpy(array->data, values, array->n * sizeof *values);
    return onnx_builder_array(builder, name, array);
}

Onnx__TensorProto *onnx_builder_ints(OnnxBuilder *builder, const char *name, const char *values)
{
    gsize n;
    g_autofree gint64 *ints = parse_ints(values, &n);
    g_autoptr(NnArray) array = nn_array_new(NN_INT64, 1, (gint64[]){ (gint64)n });
    if (n > 0)
        memcpy(array->data, ints, n * sizeof *ints);
    return onnx_builder_array(builder, name, array);
}

Onnx__TensorProto *onnx_builder_float(OnnxBuilder *builder, const char *name, float value)
{
    return onnx_builder_floats(builder, name, "", &value);
}

/* ---------------------------------------------------------------- nodes */

Onnx__NodeProto *onnx_builder_node(OnnxBuilder *builder, const char *type, const char *inputs,
                                   const char *outputs)
{
    NEW(Onnx__NodeProto, onnx__node_proto__init, node);
    g_auto(GStrv) in = parts_of(inputs), out = parts_of(outputs);

    node->op_type = g_strdup(type);
    for (guint i = 0; in[i]; i++)
        APPEND(node->input, node->n_input, g_strdup(in[i]));
    for (guint i = 0; out[i]; i++)
        APPEND(node->output, node->n_output, g_strdup(out[i]));
    APPEND(builder->graph->node, builder->graph->n_node, node);
    return node;
}

static Onnx__AttributeProto *add_attribute(Onnx__NodeProto *node, const char *name,
                                           Onnx__AttributeProto__AttributeType type)
{
    NEW(Onnx__AttributeProto, onnx__attribute_proto__init, attribute);
    attribute->name = g_strdup(name);
    attribute->has_type = TRUE;
    attribute->type = type;
    APPEND(node->attribute, node->n_attribute, attribute);
    return attribute;
}

void onnx_node_int(Onnx__NodeProto *node, const char *name, gint64 value)
{
    Onnx__AttributeProto *attribute =
        add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    attribute->has_i = TRUE;
    attribute->i = value;
}

void onnx_node_float(Onnx__NodeProto *node, const char *name, float value)
{
    Onnx__AttributeProto *attribute =
        add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    attribute->has_f = TRUE;
    attribute->f = value;
}

void onnx_node_string(Onnx__NodeProto *node, const char *name, const char *value)
{
    Onnx__AttributeProto *attribute =
        add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    attribute->has_s = TRUE;
    attribute->s.len = strlen(value);
    attribute->s.data = (uint8_t *)g_strdup(value);
}

void onnx_node_ints(Onnx__NodeProto *node, const char *name, const char *values)
{
    Onnx__AttributeProto *attribute =
        add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    attribute->ints = parse_ints(values, &attribute->n_ints);
}

void onnx_node_floats(Onnx__NodeProto *node, const char *name, gsize n, const float *values)
{
    Onnx__AttributeProto *attribute =
        add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS);
    attribute->n_floats = n;
    attribute->floats = g_memdup2(values, n * sizeof *values);
}

void onnx_node_tensor(Onnx__NodeProto *node, const char *name, const NnArray *array)
{
    add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR)->t =
        onnx_tensor_new("", array);
}

void onnx_node_graph(Onnx__NodeProto *node, const char *name, OnnxBuilder *branch)
{
    add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH)->g = branch->graph;
    branch->model->graph = NULL;
    onnx_builder_free(branch);
}
