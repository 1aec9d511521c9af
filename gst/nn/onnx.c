/* onnx.c - reads ONNX models into graphs; nothing in a file is trusted.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "nn.h"

#include <string.h>

#include "onnx.h"
#include "onnx.pb-c.h"

/* Opsets have been imported since IR version 3, and those up to opset 21 by IR version 10; what has
 * come since (to 13) added element types that are refused where they are used. */
#define MIN_IR_VERSION 3
#define MAX_IR_VERSION 13
#define MIN_OPSET 7
#define MAX_OPSET 21

struct NnModel {
    gatomicrefcount ref_count;
    NnGraph *graph;
};

typedef struct {
    GHashTable *opsets; /* domain -> version */
    NnOnnxFolder folder;
} Reader;

G_GNUC_PRINTF(2, 3)
static gboolean bad_model(GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, NN_ERROR, NN_ERROR_BAD_MODEL, message);
    return FALSE;
}

static gboolean check_name(const char *name, const char *of_what, GError **error)
{
    if (!name || !*name)
        return bad_model(error, "%s without a name", of_what);
    if (!g_utf8_validate(name, -1, NULL))
        return bad_model(error, "%s with a name that is not UTF-8", of_what);
    return TRUE;
}

/* ---------------------------------------------------------------- versions */

/* "ai.onnx" is the long name of the standard operators' domain, "". */
static const char *plain_domain(const char *domain)
{
    return !domain || strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

static gboolean read_opsets(Reader *reader, const Onnx__ModelProto *model, GError **error)
{
    for (gsize i = 0; i < model->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *import = model->opset_import[i];
        const char *domain = plain_domain(import->domain);
        const gboolean standard = *domain == 0;
        if (import->version < 1 || import->version > G_MAXINT)
            return bad_model(error, "operator set '%s' of version %" G_GINT64_FORMAT, domain,
                             import->version);
        if (standard && (import->version < MIN_OPSET || import->version > MAX_OPSET)) {
            g_set_error(error, NN_ERROR, NN_ERROR_UNSUPPORTED,
                        "made for ONNX opset %" G_GINT64_FORMAT "; supported are %d to %d",
                        import->version, MIN_OPSET, MAX_OPSET);
            return FALSE;
        }
        g_hash_table_insert(reader->opsets, g_strdup(domain),
                            GINT_TO_POINTER((int)import->version));
    }
    return TRUE;
}

static gboolean check_model(const Onnx__ModelProto *model, GError **error)
{
    if (!model->has_ir_version || !model->graph)
        return bad_model(error, "not an ONNX model, or damaged");
    if (model->ir_version < MIN_IR_VERSION || model->ir_version > MAX_IR_VERSION) {
        g_set_error(error, NN_ERROR, NN_ERROR_UNSUPPORTED,
                    "of IR version %" G_GINT64_FORMAT "; supported are %d to %d", model->ir_version,
                    MIN_IR_VERSION, MAX_IR_VERSION);
        return FALSE;
    }
    if (model->n_functions > 0) {
        g_set_error(error, NN_ERROR, NN_ERROR_UNSUPPORTED,
                    "uses functions of its own ('%s'), which are not supported: export it with "
                    "them inlined",
                    model->functions[0]->name ? model->functions[0]->name : "");
        return FALSE;
    }
    return TRUE;
}

/* ---------------------------------------------------------------- attributes */

static NnGraph *read_graph(Reader *reader, const Onnx__GraphProto *proto, GError **error);

/* The oldest exporters leave the type to be seen from what is there. */
static int attribute_type(const Onnx__AttributeProto *proto)
{
    if (proto->has_type && proto->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED)
        return proto->type;
    if (proto->has_f)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    if (proto->has_i)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    if (proto->has_s)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    if (proto->t)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    if (proto->g)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
    return proto->n_floats > 0 ? ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS
                               : ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
}

static gboolean attribute_kind(const NnNode *node, const Onnx__AttributeProto *proto,
                               NnAttributeKind *kind, GError **error)
{
    switch (attribute_type(proto)) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        *kind = NN_ATTRIBUTE_INT;
        return TRUE;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        *kind = NN_ATTRIBUTE_FLOAT;
        return TRUE;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        *kind = NN_ATTRIBUTE_STRING;
        return TRUE;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        *kind = NN_ATTRIBUTE_INTS;
        return TRUE;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        *kind = NN_ATTRIBUTE_FLOATS;
        return TRUE;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        *kind = NN_ATTRIBUTE_ARRAY;
        return proto->t || nn_node_error(node, error, NN_ERROR_BAD_MODEL,
                                         "attribute '%s' lacks its tensor", proto->name);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
        *kind = NN_ATTRIBUTE_GRAPH;
        return proto->g || nn_node_error(node, error, NN_ERROR_BAD_MODEL,
                                         "attribute '%s' lacks its graph", proto->name);
    default:
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED,
                             "attribute '%s' is of a kind (number %d of AttributeType) that is "
                             "not supported",
                             proto->name, attribute_type(proto));
    }
}

static gboolean fill_attribute(Reader *reader, const Onnx__AttributeProto *proto,
                               NnAttribute *attribute, GError **error)
{
    switch (attribute->kind) {
    case NN_ATTRIBUTE_INT:
        attribute->u.i = proto->i;
        return TRUE;
    case NN_ATTRIBUTE_FLOAT:
        attribute->u.f = proto->f;
        return TRUE;
    case NN_ATTRIBUTE_STRING:
        attribute->u.s = g_strndup((const char *)proto->s.data, proto->s.len);
        if (!attribute->u.s)
            attribute->u.s = g_strdup("");
        return TRUE;
    case NN_ATTRIBUTE_INTS:
        attribute->n = proto->n_ints;
        attribute->u.ints = g_memdup2(proto->ints, proto->n_ints * sizeof *proto->ints);
        return TRUE;
    case NN_ATTRIBUTE_FLOATS:
        attribute->n = proto->n_floats;
        attribute->u.floats = g_memdup2(proto->floats, proto->n_floats * sizeof *proto->floats);
        return TRUE;
    case NN_ATTRIBUTE_ARRAY:
        attribute->u.array = nn_onnx_tensor(proto->t, &reader->folder, error);
        return attribute->u.array != NULL;
    case NN_ATTRIBUTE_GRAPH:
        attribute->u.graph = read_graph(reader, proto->g, error);
        return attribute->u.graph != NULL;
    }
    return FALSE;
}

static gboolean read_attribute(Reader *reader, NnNode *node, const Onnx__AttributeProto *proto,
                               GError **error)
{
    NnAttributeKind kind = NN_ATTRIBUTE_INT;

    if (!check_name(proto->name, "an attribute", error)) {
        g_prefix_error(error, "%s '%s': ", node->type, node->name);
        return FALSE;
    }
    if (proto->ref_attr_name && *proto->ref_attr_name)
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL,
                             "attribute '%s' refers to a function's, but there is none",
                             proto->name);
    if (!attribute_kind(node, proto, &kind, error))
        return FALSE;

    NnAttribute *attribute = nn_attribute_new(proto->name, kind);
    nn_node_add_attribute(node, attribute);
    if (fill_attribute(reader, proto, attribute, error))
        return TRUE;
    g_prefix_error(error, "%s '%s': attribute '%s': ", node->type, node->name, proto->name);
    return FALSE;
}

/* ---------------------------------------------------------------- nodes */

/* Before inference, inputs and initialisers have a type and nothing else does. */
static gboolean is_given(const NnValue *value)
{
    return value->type != NN_UNKNOWN;
}

/* A name that nothing in the graph gives a value to; in a branch it means a value outside. */
static gboolean is_free(const NnValue *value)
{
    return !value->producer && !is_given(value);
}

/* What a branch takes from outside becomes inputs of the node that holds it, in the order of the
 * branch's values: sorting, pruning and inlining need not look inside (see def_control.c). */
static void add_captured(NnGraph *graph, NnNode *node)
{
    for (guint i = 0; i < node->attributes->len; i++) {
        const NnAttribute *attribute = node->attributes->pdata[i];
        if (attribute->kind != NN_ATTRIBUTE_GRAPH)
            continue;
        const NnGraph *branch = attribute->u.graph;
        for (guint k = 0; k < branch->values->len; k++) {
            const NnValue *value = branch->values->pdata[k];
            if (is_free(value))
                nn_node_add_input(node, nn_graph_value(graph, value->name));
        }
    }
}

static gboolean read_output(NnGraph *graph, NnNode *node, const char *name, GError **error)
{
    if (!name || !*name) {
        nn_node_add_output(node, NULL);
        return TRUE;
    }
    NnValue *value = nn_graph_value(graph, name);
    if (value->producer || is_given(value))
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "its output '%s' has a value already",
                             name);
    nn_node_add_output(node, value);
    return TRUE;
}

static gboolean read_ports(NnGraph *graph, NnNode *node, const Onnx__NodeProto *proto,
                           GError **error)
{
    gsize n_inputs = proto->n_input, n_outputs = proto->n_output;

    /* Left out at the end is as good as not there. */
    while (n_inputs > 0 && !*proto->input[n_inputs - 1])
        n_inputs--;
    while (n_outputs > 0 && !*proto->output[n_outputs - 1])
        n_outputs--;
    for (gsize i = 0; i < n_inputs; i++) {
        const char *name = proto->input[i];
        nn_node_add_input(node, *name ? nn_graph_value(graph, name) : NULL);
    }
    for (gsize i = 0; i < n_outputs; i++)
        if (!read_output(graph, node, proto->output[i], error))
            return FALSE;
    return TRUE;
}

static gboolean check_port_names(const Onnx__NodeProto *proto, GError **error)
{
    for (gsize i = 0; i < proto->n_input; i++)
        if (!g_utf8_validate(proto->input[i], -1, NULL))
            return bad_model(error, "%s takes an input whose name is not UTF-8", proto->op_type);
    for (gsize i = 0; i < proto->n_output; i++)
        if (!g_utf8_validate(proto->output[i], -1, NULL))
            return bad_model(error, "%s has an output whose name is not UTF-8", proto->op_type);
    return TRUE;
}

static gboolean read_node(Reader *reader, NnGraph *graph, const Onnx__NodeProto *proto,
                          GError **error)
{
    const char *domain = plain_domain(proto->domain);

    if (!check_name(proto->op_type, "a node's operator", error) || !check_port_names(proto, error))
        return FALSE;
    /* Nodes need no name; outputs have one, and users see those in viewers, too. */
    const char *name = proto->name && *proto->name ? proto->name
                       : proto->n_output > 0       ? proto->output[0]
                                                   : "";
    g_autofree char *valid_name = g_utf8_make_valid(name, -1);
    NnNode *node = nn_graph_add_node(graph, proto->op_type, valid_name,
                                     GPOINTER_TO_INT(g_hash_table_lookup(reader->opsets, domain)));
    g_free(node->domain);
    node->domain = g_utf8_make_valid(domain, -1);
    if (node->opset == 0)
        return nn_node_error(node, error, NN_ERROR_BAD_MODEL,
                             "the model does not import its operator set '%s'",
                             *domain ? node->domain : "ai.onnx");

    if (!read_ports(graph, node, proto, error))
        return FALSE;
    for (gsize i = 0; i < proto->n_attribute; i++)
        if (!read_attribute(reader, node, proto->attribute[i], error))
            return FALSE;
    add_captured(graph, node);
    return TRUE;
}

/* ---------------------------------------------------------------- graphs */

static gboolean read_initializers(Reader *reader, NnGraph *graph, const Onnx__GraphProto *proto,
                                  GError **error)
{
    if (proto->n_sparse_initializer > 0) {
        g_set_error(error, NN_ERROR, NN_ERROR_UNSUPPORTED, "sparse weights are not supported");
        return FALSE;
    }
    for (gsize i = 0; i < proto->n_initializer; i++) {
        const char *name = proto->initializer[i]->name;
        if (!check_name(name, "an initialiser", error))
            return FALSE;
        if (g_hash_table_contains(graph->by_name, name))
            return bad_model(error, "there are two initialisers '%s'", name);
        NnArray *array = nn_onnx_tensor(proto->initializer[i], &reader->folder, error);
        if (!array)
            return FALSE;
        nn_graph_constant(graph, name, array);
    }
    return TRUE;
}

/* Of at most NN_MAX_RANK axes. */
static void set_shape(NnValue *value, const Onnx__TensorShapeProto *shape)
{
    value->rank = (int)shape->n_dim;
    for (int i = 0; i < value->rank; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = shape->dim[i];
        const gboolean given =
            dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        /* Some exporters write -1 for what is left open. */
        value->dims[i] = given && dim->dim_value >= 0 ? dim->dim_value : -1;
    }
}

static gboolean set_input_shape(NnValue *value, const Onnx__TensorShapeProto *shape, GError **error)
{
    if (shape->n_dim > NN_MAX_RANK) {
        g_set_error(error, NN_ERROR, NN_ERROR_UNSUPPORTED,
                    "input '%s' has %" G_GSIZE_FORMAT " axes, more than %d", value->name,
                    shape->n_dim, NN_MAX_RANK);
        return FALSE;
    }
    set_shape(value, shape);
    return TRUE;
}

static gboolean read_input(NnGraph *graph, const Onnx__ValueInfoProto *proto, GError **error)
{
    if (!check_name(proto->name, "an input", error))
        return FALSE;
    NnValue *value = nn_graph_value(graph, proto->name);
    if (value->constant) /* up to IR version 3 initialisers are listed as inputs */
        return TRUE;
    if (is_given(value))
        return bad_model(error, "there are two inputs '%s'", proto->name);

    const Onnx__TypeProto *type = proto->type;
    const Onnx__TypeProto__Tensor *tensor =
        type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? type->tensor_type : NULL;
    if (!tensor || nn_type_size((NnType)tensor->elem_type) == 0) {
        g_set_error(error, NN_ERROR, NN_ERROR_UNSUPPORTED, "input '%s' is not a tensor of numbers",
                    proto->name);
        return FALSE;
    }
    value->type = (NnType)tensor->elem_type;
    g_ptr_array_add(graph->inputs, value);
    return !tensor->shape || set_input_shape(value, tensor->shape, error);
}

static gboolean read_graph_output(NnGraph *graph, const Onnx__ValueInfoProto *proto, GError **error)
{
    if (!check_name(proto->name, "an output", error))
        return FALSE;
    NnValue *value = nn_graph_value(graph, proto->name);
    if (value->is_output)
        return bad_model(error, "there are two outputs '%s'", proto->name);
    value->is_output = TRUE;
    g_ptr_array_add(graph->outputs, value);
    return TRUE;
}

/* Names without a value are left: in a branch they belong to the graph around it. */
static NnGraph *read_graph(Reader *reader, const Onnx__GraphProto *proto, GError **error)
{
    g_autoptr(NnGraph) graph = nn_graph_new();

    if (!read_initializers(reader, graph, proto, error))
        return NULL;
    for (gsize i = 0; i < proto->n_input; i++)
        if (!read_input(graph, proto->input[i], error))
            return NULL;
    for (gsize i = 0; i < proto->n_node; i++)
        if (!read_node(reader, graph, proto->node[i], error))
            return NULL;
    for (gsize i = 0; i < proto->n_output; i++)
        if (!read_graph_output(graph, proto->output[i], error))
            return NULL;
    return nn_graph_sort(graph, error) ? g_steal_pointer(&graph) : NULL;
}

static gboolean check_complete(const NnGraph *graph, GError **error)
{
    if (graph->outputs->len == 0)
        return bad_model(error, "the model has no output");
    for (guint i = 0; i < graph->values->len; i++) {
        const NnValue *value = graph->values->pdata[i];
        if (!is_free(value))
            continue;
        if (value->consumers->len > 0)
            return nn_node_error(value->consumers->pdata[0], error, NN_ERROR_BAD_MODEL,
                                 "nothing computes its input '%s'", value->name);
        return bad_model(error, "nothing computes the output '%s'", value->name);
    }
    return TRUE;
}

static NnValue *find_output(const NnGraph *graph, const char *name)
{
    for (guint i = 0; i < graph->outputs->len; i++) {
        NnValue *value = graph->outputs->pdata[i];
        if (g_str_equal(value->name, name))
            return value;
    }
    return NULL;
}

/* What the file says of its outputs tells networks apart before anything is inferred, which then
 * replaces it. What is no shape says nothing. */
static void note_output_shapes(NnGraph *graph, const Onnx__GraphProto *proto)
{
    for (gsize i = 0; i < proto->n_output; i++) {
        const Onnx__TypeProto *type = proto->output[i]->type;
        NnValue *value = find_output(graph, proto->output[i]->name);
        if (value && !is_given(value) && type &&
            type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE && type->tensor_type->shape &&
            type->tensor_type->shape->n_dim <= NN_MAX_RANK)
            set_shape(value, type->tensor_type->shape);
    }
}

static NnGraph *read_model(const Onnx__ModelProto *proto, const char *folder, GError **error)
{
    g_autoptr(GHashTable) opsets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) files =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
    Reader reader = { opsets, { folder, files } };

    if (!check_model(proto, error) || !read_opsets(&reader, proto, error))
        return NULL;
    g_autoptr(NnGraph) graph = read_graph(&reader, proto->graph, error);
    if (!graph || !check_complete(graph, error))
        return NULL;
    note_output_shapes(graph, proto->graph);
    return g_steal_pointer(&graph);
}

/* ---------------------------------------------------------------- models */

static NnGraph *parse_model(GBytes *bytes, const char *folder, GError **error)
{
    gsize size_b;
    const guint8 *data = g_bytes_get_data(bytes, &size_b);

    if (!nn_onnx_check_nesting(&onnx__model_proto__descriptor, bytes, error))
        return NULL;
    Onnx__ModelProto *proto = onnx__model_proto__unpack(NULL, size_b, data);
    if (!proto) {
        bad_model(error, "not an ONNX model, or damaged");
        return NULL;
    }
    NnGraph *graph = read_model(proto, folder, error);
    onnx__model_proto__free_unpacked(proto, NULL);
    return graph;
}

NnModel *nn_model_of_graph(NnGraph *graph)
{
    NnModel *model = g_new0(NnModel, 1);
    g_atomic_ref_count_init(&model->ref_count);
    model->graph = graph;
    return model;
}

static NnModel *model_new(GBytes *bytes, const char *name, const char *folder, GError **error)
{
    NnGraph *graph = parse_model(bytes, folder, error);
    if (!graph) {
        g_prefix_error(error, "%s: ", name);
        return NULL;
    }
    return nn_model_of_graph(graph);
}

NnModel *nn_model_load(const char *path, GError **error)
{
    g_autoptr(GBytes) bytes = nn_onnx_map_file(path, error);
    g_autofree char *folder = g_path_get_dirname(path);

    return bytes ? model_new(bytes, path, folder, error) : NULL;
}

NnModel *nn_model_load_bytes(GBytes *bytes, const char *name, GError **error)
{
    return model_new(bytes, name, NULL, error);
}

NnModel *nn_model_ref(NnModel *model)
{
    g_atomic_ref_count_inc(&model->ref_count);
    return model;
}

void nn_model_unref(NnModel *model)
{
    if (!g_atomic_ref_count_dec(&model->ref_count))
        return;
    nn_graph_free(model->graph);
    g_free(model);
}

const NnGraph *nn_model_graph(const NnModel *model)
{
    return model->graph;
}
