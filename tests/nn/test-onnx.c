/* test-onnx.c - tests of the ONNX reader: what it reads, and what it refuses.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <glib/gstdio.h>
#include <string.h>

#include "nn.h"
#include "onnx-builder.h"
#include "onnx.h"
#include "operator.h"

/* y = Conv(x, w) and z = Relu(y) of opset 13. */
static OnnxBuilder *small_model(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "?,3,8,8");
    onnx_builder_floats(builder, "w", "4,3,3,3", NULL);
    Onnx__NodeProto *conv = onnx_builder_node(builder, "Conv", "x,w", "y");
    onnx_node_ints(conv, "pads", "1,1,1,1");
    onnx_builder_node(builder, "Relu", "y", "z");
    onnx_builder_output(builder, "z");
    return builder;
}

static NnModel *load(const OnnxBuilder *builder, GError **error)
{
    g_autoptr(GBytes) bytes = onnx_builder_pack(builder);
    return nn_model_load_bytes(bytes, "test.onnx", error);
}

static NnModel *load_well(const OnnxBuilder *builder)
{
    g_autoptr(GError) error = NULL;
    NnModel *model = load(builder, &error);
    g_assert_no_error(error);
    g_assert_nonnull(model);
    return model;
}

/* The error names the file and says @part. */
static void assert_refused(const OnnxBuilder *builder, NnError code, const char *part)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(load(builder, &error));
    g_assert_error(error, NN_ERROR, (int)code);
    g_test_message("%s", error->message);
    g_assert_true(g_str_has_prefix(error->message, "test.onnx: "));
    g_assert_nonnull(strstr(error->message, part));
}

static NnValue *value_of(const NnModel *model, const char *name)
{
    NnValue *value = g_hash_table_lookup(nn_model_graph(model)->by_name, name);
    g_assert_nonnull(value);
    return value;
}

/* ---------------------------------------------------------------- what is read */

/* Before anything is inferred: that is how networks are told apart. */
static void what_a_file_says_of_its_outputs_is_read(void)
{
    static const struct {
        const char *shape;
        int rank;
    } cases[] = { { "1,3,?,8", 4 },
                  { NULL, -1 },
                  { "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", -1 } };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
        onnx_builder_input(builder, "x", NN_FLOAT32, "1,3,?,8");
        onnx_builder_node(builder, "Relu", "x", "y");
        onnx_builder_output_as(builder, "y", NN_FLOAT32, cases[i].shape);
        g_autoptr(NnModel) model = load_well(builder);
        const NnValue *y = value_of(model, "y");
        g_assert_cmpint(y->rank, ==, cases[i].rank);
        if (y->rank == 4) {
            g_assert_cmpint(y->dims[1], ==, 3);
            g_assert_cmpint(y->dims[2], ==, -1);
            g_assert_cmpint(y->dims[3], ==, 8);
        }
    }
}

static void everything_is_read(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    g_autoptr(NnModel) model = load_well(builder);
    const NnGraph *graph = nn_model_graph(model);

    g_assert_cmpuint(graph->inputs->len, ==, 1);
    g_assert_cmpuint(graph->outputs->len, ==, 1);
    g_assert_cmpuint(graph->nodes->len, ==, 2);
    const NnValue *x = value_of(model, "x"), *w = value_of(model, "w");
    g_assert_cmpint(x->type, ==, NN_FLOAT32);
    g_assert_cmpint(x->rank, ==, 4);
    g_assert_cmpint(x->dims[0], ==, -1);
    g_assert_cmpint(x->dims[3], ==, 8);
    g_assert_cmpuint(w->constant->n, ==, 108);
    const NnNode *conv = graph->nodes->pdata[0];
    gsize n;
    g_assert_cmpstr(conv->type, ==, "Conv");
    g_assert_cmpint(conv->opset, ==, 13);
    g_assert_cmpint(nn_node_ints(conv, "pads", &n)[3], ==, 1);
    g_assert_cmpuint(n, ==, 4);
    g_assert_true(nn_node_output(conv, 0)->consumers->pdata[0] == graph->nodes->pdata[1]);
}

static void every_kind_of_attribute_is_read(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    g_autoptr(NnArray) array = onnx_random_array("2,3", 1);
    Onnx__NodeProto *proto = builder->graph->node[1];
    onnx_node_int(proto, "int", -7);
    onnx_node_float(proto, "float", 0.5f);
    onnx_node_string(proto, "string", "text");
    onnx_node_floats(proto, "floats", 2, (float[]){ 1, 2 });
    onnx_node_tensor(proto, "tensor", array);
    g_autoptr(NnModel) model = load_well(builder);

    const NnNode *node = nn_model_graph(model)->nodes->pdata[1];
    gsize n;
    g_assert_cmpint(nn_node_int(node, "int", 0), ==, -7);
    g_assert_cmpfloat(nn_node_float(node, "float", 0), ==, 0.5f);
    g_assert_cmpstr(nn_node_string(node, "string", ""), ==, "text");
    g_assert_cmpfloat(nn_node_floats(node, "floats", &n)[1], ==, 2);
    g_assert_cmpuint(nn_node_attribute(node, "tensor")->u.array->n, ==, 6);
}

/* Before IR version 4 exporters had to do so. */
static void initialisers_may_be_listed_as_inputs(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    onnx_builder_input(builder, "w", NN_FLOAT32, "4,3,3,3");
    g_autoptr(NnModel) model = load_well(builder);
    g_assert_cmpuint(nn_model_graph(model)->inputs->len, ==, 1);
}

static void nodes_in_any_order_are_sorted(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    Onnx__NodeProto **nodes = builder->graph->node, *first = nodes[0];
    nodes[0] = nodes[1];
    nodes[1] = first;
    g_autoptr(NnModel) model = load_well(builder);
    g_assert_cmpstr(((NnNode *)nn_model_graph(model)->nodes->pdata[0])->type, ==, "Conv");
}

static void what_a_branch_takes_from_outside_is_an_input(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    OnnxBuilder *then = onnx_builder_new(13), *other = onnx_builder_new(13);
    onnx_builder_node(then, "Relu", "y", "then_out");
    onnx_builder_output(then, "then_out");
    onnx_builder_node(other, "Add", "x,y", "else_out");
    onnx_builder_output(other, "else_out");
    onnx_builder_input(builder, "condition", NN_BOOL, "");
    Onnx__NodeProto *node = onnx_builder_node(builder, "If", "condition", "chosen");
    onnx_node_graph(node, "then_branch", then);
    onnx_node_graph(node, "else_branch", other);
    onnx_builder_output(builder, "chosen");
    g_autoptr(NnModel) model = load_well(builder);

    const NnNode *chosen = value_of(model, "chosen")->producer;
    g_assert_cmpuint(chosen->inputs->len, ==, 4);
    g_assert_true(nn_node_input(chosen, 1) == value_of(model, "y"));
    g_assert_true(nn_node_input(chosen, 2) == value_of(model, "x"));
}

static Onnx__TensorProto *typed_tensor(OnnxBuilder *builder, NnType type)
{
    g_autoptr(NnArray) array = nn_array_new(type, 1, (gint64[]){ 2 });
    Onnx__TensorProto *tensor = onnx_builder_array(builder, "typed", array);
    tensor->has_raw_data = FALSE;
    g_clear_pointer(&tensor->raw_data.data, g_free);
    return tensor;
}

static void assert_typed(const OnnxBuilder *builder, double first, double second)
{
    g_autoptr(NnModel) model = load_well(builder);
    const NnArray *array = value_of(model, "typed")->constant;
    g_assert_cmpfloat(nn_array_get(array, 0), ==, first);
    g_assert_cmpfloat(nn_array_get(array, 1), ==, second);
}

static void numbers_in_lists_are_read(void)
{
    static const struct {
        NnType type;
        int bits[2];
        double numbers[2];
    } cases[] = {
        { NN_FLOAT16, { 0x3c00, 0xc000 }, { 1, -2 } },
        { NN_UINT8, { 255, 7 }, { 255, 7 } },
        { NN_INT8, { -128, 7 }, { -128, 7 } },
        { NN_INT16, { -300, 7 }, { -300, 7 } },
        { NN_UINT16, { 65535, 7 }, { 65535, 7 } },
        { NN_INT32, { -70000, 7 }, { -70000, 7 } },
        { NN_BOOL, { 3, 0 }, { 1, 0 } },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(OnnxBuilder) builder = small_model();
        Onnx__TensorProto *tensor = typed_tensor(builder, cases[i].type);
        tensor->n_int32_data = 2;
        tensor->int32_data = g_memdup2(cases[i].bits, sizeof cases[i].bits);
        assert_typed(builder, cases[i].numbers[0], cases[i].numbers[1]);
    }
}

static void numbers_in_wide_lists_are_read(void)
{
    g_autoptr(OnnxBuilder) a = small_model(), b = small_model(), c = small_model();
    Onnx__TensorProto *doubles = typed_tensor(a, NN_FLOAT64);
    doubles->n_double_data = 2;
    doubles->double_data = g_memdup2((double[]){ 0.1, -1e300 }, 16);
    assert_typed(a, 0.1, -1e300);
    Onnx__TensorProto *ints = typed_tensor(b, NN_INT64);
    ints->n_int64_data = 2;
    ints->int64_data = g_memdup2((gint64[]){ -5, 1LL << 40 }, 16);
    assert_typed(b, -5, 0x1p40);
    Onnx__TensorProto *words = typed_tensor(c, NN_UINT32);
    words->n_uint64_data = 2;
    words->uint64_data = g_memdup2((guint64[]){ 4000000000, 1 }, 16);
    assert_typed(c, 4e9, 1);
}

/* ---------------------------------------------------------------- versions */

static void opsets_outside_7_to_21_are_refused(void)
{
    for (int opset = 7; opset <= 21; opset++) {
        g_autoptr(OnnxBuilder) builder = small_model();
        builder->model->opset_import[0]->version = opset;
        nn_model_unref(load_well(builder));
    }
    for (int opset = 6; opset <= 22; opset += 16) {
        g_autoptr(OnnxBuilder) builder = small_model();
        builder->model->opset_import[0]->version = opset;
        assert_refused(builder, NN_ERROR_UNSUPPORTED, "supported are 7 to 21");
    }
}

static void an_opset_that_is_not_imported_is_refused(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    builder->graph->node[1]->domain = g_strdup("com.example");
    assert_refused(builder, NN_ERROR_BAD_MODEL, "com.example");
}

static void unknown_ir_versions_are_refused(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    builder->model->ir_version = 2;
    assert_refused(builder, NN_ERROR_UNSUPPORTED, "IR version 2");
    builder->model->ir_version = 1000;
    assert_refused(builder, NN_ERROR_UNSUPPORTED, "IR version 1000");
    builder->model->has_ir_version = FALSE;
    assert_refused(builder, NN_ERROR_BAD_MODEL, "not an ONNX model");
}

static void functions_of_the_model_are_refused(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    Onnx__FunctionProto *function = g_new(Onnx__FunctionProto, 1);
    onnx__function_proto__init(function);
    function->name = g_strdup("MyFunction");
    builder->model->functions = g_new(Onnx__FunctionProto *, 1);
    builder->model->functions[0] = function;
    builder->model->n_functions = 1;
    assert_refused(builder, NN_ERROR_UNSUPPORTED, "MyFunction");
}

/* ---------------------------------------------------------------- broken graphs */

static void a_graph_without_output_is_refused(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    builder->graph->n_output = 0;
    assert_refused(builder, NN_ERROR_BAD_MODEL, "no output");
    builder->graph->n_output = 1;
}

static void an_output_that_nothing_computes_is_refused(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    onnx_builder_output(builder, "nothing");
    assert_refused(builder, NN_ERROR_BAD_MODEL, "'nothing'");
}

static void an_input_that_nothing_computes_is_refused(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    builder->graph->n_initializer = 0;
    assert_refused(builder, NN_ERROR_BAD_MODEL, "'w'");
    builder->graph->n_initializer = 1;
}

static void a_value_computed_twice_is_refused(void)
{
    static const char *const outputs[] = { "y", "x", "w" };

    for (guint i = 0; i < G_N_ELEMENTS(outputs); i++) {
        g_autoptr(OnnxBuilder) builder = small_model();
        onnx_builder_node(builder, "Relu", "x", outputs[i]);
        assert_refused(builder, NN_ERROR_BAD_MODEL, "has a value already");
    }
}

static void two_of_a_name_are_refused(void)
{
    g_autoptr(OnnxBuilder) inputs = small_model(), outputs = small_model(), weights = small_model();
    onnx_builder_input(inputs, "x", NN_FLOAT32, "1");
    assert_refused(inputs, NN_ERROR_BAD_MODEL, "two inputs 'x'");
    onnx_builder_output(outputs, "z");
    assert_refused(outputs, NN_ERROR_BAD_MODEL, "two outputs 'z'");
    onnx_builder_float(weights, "w", 1);
    assert_refused(weights, NN_ERROR_BAD_MODEL, "two initialisers 'w'");
}

static void a_cycle_is_refused(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    onnx_builder_node(builder, "Add", "x,b", "a");
    onnx_builder_node(builder, "Add", "x,a", "b");
    assert_refused(builder, NN_ERROR_BAD_MODEL, "Add");
}

static void what_lacks_a_name_is_refused(void)
{
    g_autoptr(OnnxBuilder) node = small_model(), input = small_model(), weights = small_model();
    g_clear_pointer(&node->graph->node[0]->op_type, g_free);
    assert_refused(node, NN_ERROR_BAD_MODEL, "without a name");
    g_clear_pointer(&input->graph->input[0]->name, g_free);
    assert_refused(input, NN_ERROR_BAD_MODEL, "without a name");
    g_clear_pointer(&weights->graph->initializer[0]->name, g_free);
    assert_refused(weights, NN_ERROR_BAD_MODEL, "without a name");
}

static void names_that_are_not_text_are_refused(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    builder->graph->node[1]->output[0][0] = '\xff';
    assert_refused(builder, NN_ERROR_BAD_MODEL, "UTF-8");
}

static void an_input_that_is_no_tensor_is_refused(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    builder->graph->input[0]->type->tensor_type->elem_type = 8; /* string */
    assert_refused(builder, NN_ERROR_UNSUPPORTED, "'x'");
}

static void attributes_without_content_are_refused(void)
{
    g_autoptr(OnnxBuilder) tensor = small_model(), strings = small_model();
    onnx_node_int(tensor->graph->node[0], "empty", 1);
    tensor->graph->node[0]->attribute[1]->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    assert_refused(tensor, NN_ERROR_BAD_MODEL, "'empty'");
    onnx_node_int(strings->graph->node[0], "strings", 1);
    strings->graph->node[0]->attribute[1]->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS;
    assert_refused(strings, NN_ERROR_UNSUPPORTED, "'strings'");
}

/* ---------------------------------------------------------------- broken tensors */

static void raw_data_of_another_size_is_refused(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    ProtobufCBinaryData *data = &builder->graph->initializer[0]->raw_data;
    data->len -= 1;
    assert_refused(builder, NN_ERROR_BAD_MODEL, "431 bytes of data");
    data->len = 0;
    assert_refused(builder, NN_ERROR_BAD_MODEL, "0 bytes of data");
}

static void a_list_of_another_length_is_refused(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    builder->graph->initializer[0]->has_raw_data = FALSE;
    assert_refused(builder, NN_ERROR_BAD_MODEL, "0 elements of data");
}

static void impossible_shapes_are_refused(void)
{
    static const gint64 shapes[][2] = {
        { -4, -27 }, { G_MAXINT64, G_MAXINT64 }, { 1LL << 62, 4 }, { 1LL << 40, 1 << 20 }
    };

    for (guint i = 0; i < G_N_ELEMENTS(shapes); i++) {
        g_autoptr(OnnxBuilder) builder = small_model();
        Onnx__TensorProto *tensor = onnx_builder_floats(builder, "broken", "2,2", NULL);
        memcpy(tensor->dims, shapes[i], sizeof shapes[i]);
        g_autoptr(GError) error = NULL;
        g_assert_null(load(builder, &error));
        g_assert_nonnull(strstr(error->message, "'broken'"));
    }
}

/* A terabyte that is not in the file is not asked of the system either. */
static void a_large_shape_without_data_is_refused(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    onnx_builder_floats(builder, "broken", "1", NULL)->dims[0] = 1LL << 38;
    assert_refused(builder, NN_ERROR_BAD_MODEL,
                   "4 bytes of data, but its shape takes 1099511627776");
}

static void too_many_axes_are_refused(void)
{
    g_autoptr(OnnxBuilder) weights = small_model(), input = small_model();
    onnx_builder_floats(weights, "deep", "1,1,1,1,1,1,1,1", NULL);
    Onnx__TensorProto *tensor = weights->graph->initializer[1];
    tensor->dims = g_realloc_n(tensor->dims, 9, sizeof *tensor->dims);
    tensor->dims[tensor->n_dims++] = 1;
    assert_refused(weights, NN_ERROR_UNSUPPORTED, "9 axes");
    onnx_builder_input(input, "deep", NN_FLOAT32, "1,1,1,1,1,1,1,1,1");
    assert_refused(input, NN_ERROR_UNSUPPORTED, "9 axes");
}

static void unknown_element_types_are_refused(void)
{
    static const int types[] = { 0, 8, 14, 15, 16, 17, 22, -1, G_MAXINT };

    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        g_autoptr(OnnxBuilder) builder = small_model();
        builder->graph->initializer[0]->data_type = types[i];
        assert_refused(builder, NN_ERROR_UNSUPPORTED, "element type");
    }
}

/* ---------------------------------------------------------------- broken files */

/* Neither crashes nor forgets to say why. */
static void load_anything(const guint8 *data, gsize size_b)
{
    g_autoptr(GBytes) bytes = g_bytes_new(data, size_b);
    g_autoptr(GError) error = NULL;
    g_autoptr(NnModel) model = nn_model_load_bytes(bytes, "test.onnx", &error);
    g_assert_true((model != NULL) == (error == NULL));
    if (model) {
        g_autoptr(NnGraph) graph = nn_graph_copy(nn_model_graph(model));
        g_autoptr(GError) infer_error = NULL;
        g_assert_true(nn_graph_infer(graph, NULL, 0, &infer_error) == (infer_error == NULL));
    }
}

static void a_file_cut_off_anywhere_does_no_harm(void)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    g_autoptr(GBytes) bytes = onnx_builder_pack(builder);
    gsize size_b;
    const guint8 *data = g_bytes_get_data(bytes, &size_b);

    for (gsize i = 0; i < size_b; i++)
        load_anything(data, i);
}

static void a_changed_byte_anywhere_does_no_harm(void)
{
    static const guint8 changes[] = { 0x01, 0x08, 0x80, 0xff };
    g_autoptr(OnnxBuilder) builder = small_model();
    g_autoptr(GBytes) bytes = onnx_builder_pack(builder);
    gsize size_b;
    g_autofree guint8 *data = g_memdup2(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    size_b = g_bytes_get_size(bytes);

    for (gsize i = 0; i < size_b; i++)
        for (guint k = 0; k < G_N_ELEMENTS(changes); k++) {
            data[i] ^= changes[k];
            load_anything(data, size_b);
            data[i] ^= changes[k];
        }
}

static void bytes_that_are_no_model_are_refused(void)
{
    load_anything((const guint8 *)"", 0);
    load_anything((const guint8 *)"\x89PNG\r\n\x1a\n", 8);
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    for (guint i = 0; i < 2000; i++) {
        guint8 noise[64];
        for (guint k = 0; k < sizeof noise; k++)
            noise[k] = g_rand_int(random);
        load_anything(noise, sizeof noise);
    }
}

/* ModelProto.graph.node.attribute.g.node.attribute.g... as deep as a megabyte takes it. */
static void a_file_nested_too_deep_is_refused(void)
{
    static const guint8 tags[] = { 0x2a, 0x0a, 0x32 }; /* attribute, node, g */
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    /* From the inside out: tag and length go in front, so the bytes are kept reversed. */
    for (guint i = 0; i < 60000; i++) {
        guint8 header[6] = { i == 59999 ? 0x3a : tags[i % 3] };
        guint n = 1;
        for (guint length = bytes->len; n == 1 || length > 0; length >>= 7)
            header[n++] = (length & 0x7f) | (length > 0x7f ? 0x80 : 0);
        while (n > 0)
            g_byte_array_append(bytes, &header[--n], 1);
    }
    for (guint i = 0; i < bytes->len / 2; i++) {
        const guint8 swap = bytes->data[i];
        bytes->data[i] = bytes->data[bytes->len - 1 - i];
        bytes->data[bytes->len - 1 - i] = swap;
    }
    g_autoptr(GBytes) file = g_bytes_new(bytes->data, bytes->len);
    g_autoptr(GError) error = NULL;
    g_assert_null(nn_model_load_bytes(file, "test.onnx", &error));
    g_assert_error(error, NN_ERROR, NN_ERROR_BAD_MODEL);
    g_assert_nonnull(strstr(error->message, "nested"));
}

static void files_that_cannot_be_read_are_named(void)
{
    g_autoptr(GError) missing = NULL, folder = NULL;
    g_assert_null(nn_model_load("/nowhere/test.onnx", &missing));
    g_assert_nonnull(strstr(missing->message, "/nowhere/test.onnx"));
    g_assert_null(nn_model_load("/", &folder));
    g_assert_nonnull(strstr(folder->message, "not a regular file"));
}

/* ---------------------------------------------------------------- data beside the model */

static void add_external(Onnx__TensorProto *tensor, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry = g_new(Onnx__StringStringEntryProto, 1);
    onnx__string_string_entry_proto__init(entry);
    entry->key = g_strdup(key);
    entry->value = g_strdup(value);
    tensor->external_data = g_realloc_n(tensor->external_data, tensor->n_external_data + 1,
                                        sizeof *tensor->external_data);
    tensor->external_data[tensor->n_external_data++] = entry;
}

typedef struct {
    char *folder, *model, *weights;
} Folder;

/* A folder with the small model, whose weights are 16 bytes into a file beside it. */
static Folder folder_new(const char *location, const char *offset, const char *length)
{
    g_autoptr(OnnxBuilder) builder = small_model();
    Onnx__TensorProto *tensor = builder->graph->initializer[0];
    Folder folder = { .folder = g_dir_make_tmp("test-onnx-XXXXXX", NULL) };
    folder.model = g_build_filename(folder.folder, "model.onnx", NULL);
    folder.weights = g_build_filename(folder.folder, "weights.bin", NULL);

    g_autofree char *contents = g_malloc0(16 + tensor->raw_data.len);
    memcpy(contents + 16, tensor->raw_data.data, tensor->raw_data.len);
    g_assert_true(
        g_file_set_contents(folder.weights, contents, 16 + (gssize)tensor->raw_data.len, NULL));

    tensor->has_raw_data = FALSE;
    tensor->has_data_location = TRUE;
    tensor->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    if (location)
        add_external(tensor, "location", location);
    if (offset)
        add_external(tensor, "offset", offset);
    if (length)
        add_external(tensor, "length", length);
    g_autoptr(GBytes) bytes = onnx_builder_pack(builder);
    g_assert_true(g_file_set_contents(folder.model, g_bytes_get_data(bytes, NULL),
                                      (gssize)g_bytes_get_size(bytes), NULL));
    return folder;
}

static void folder_clear(Folder *folder)
{
    g_unlink(folder->model);
    g_unlink(folder->weights);
    g_rmdir(folder->folder);
    g_free(folder->model);
    g_free(folder->weights);
    g_free(folder->folder);
}

static void weights_beside_the_model_are_found(void)
{
    Folder folder = folder_new("weights.bin", "16", "432");
    g_autoptr(GError) error = NULL;
    g_autoptr(NnModel) model = nn_model_load(folder.model, &error);
    g_assert_no_error(error);
    g_autoptr(NnArray) expected = onnx_random_array("4,3,3,3", g_str_hash("w"));
    const NnArray *weights = value_of(model, "w")->constant;
    g_assert_cmpmem(weights->data, 432, expected->data, 432);
    folder_clear(&folder);
}

static void weights_elsewhere_are_refused(void)
{
    static const struct {
        const char *location, *offset, *length, *part;
    } cases[] = {
        { "/etc/passwd", NULL, NULL, "outside" },
        { "../weights.bin", NULL, NULL, "outside" },
        { "a/../../weights.bin", NULL, NULL, "outside" },
        { "missing.bin", NULL, NULL, "missing.bin" },
        { "", NULL, NULL, "without location" },
        { NULL, NULL, NULL, "without location" },
        { "weights.bin", "17", NULL, "ends before" },
        { "weights.bin", "9223372036854775807", NULL, "ends before" },
        { "weights.bin", "-1", NULL, "offset" },
        { "weights.bin", "x", NULL, "offset" },
        { "weights.bin", "16", "431", "431 bytes" },
        { ".", NULL, NULL, "not a regular file" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Folder folder = folder_new(cases[i].location, cases[i].offset, cases[i].length);
        g_autoptr(GError) error = NULL;
        g_assert_null(nn_model_load(folder.model, &error));
        g_test_message("%s", error->message);
        g_assert_true(g_str_has_prefix(error->message, folder.model));
        g_assert_nonnull(strstr(error->message, cases[i].part));
        folder_clear(&folder);
    }
}

static void a_model_that_is_no_file_has_nothing_beside_it(void)
{
    Folder folder = folder_new("weights.bin", "16", NULL);
    char *contents;
    gsize size_b;
    g_assert_true(g_file_get_contents(folder.model, &contents, &size_b, NULL));
    g_autoptr(GBytes) bytes = g_bytes_new_take(contents, size_b);
    g_autoptr(GError) error = NULL;
    g_assert_null(nn_model_load_bytes(bytes, "test.onnx", &error));
    g_assert_error(error, NN_ERROR, NN_ERROR_BAD_MODEL);
    folder_clear(&folder);
}

/* ---------------------------------------------------------------- tensors on their own */

static void a_tensor_file_is_read(void)
{
    g_autoptr(NnArray) array = onnx_random_array("2,5", 3);
    Onnx__TensorProto *tensor = onnx_tensor_new("t", array);
    const gsize size_b = onnx__tensor_proto__get_packed_size(tensor);
    guint8 *data = g_malloc(size_b);
    onnx__tensor_proto__pack(tensor, data);
    onnx__tensor_proto__free_unpacked(tensor, NULL);
    g_autoptr(GBytes) bytes = g_bytes_new_take(data, size_b);
    g_autoptr(GError) error = NULL;
    g_autoptr(NnArray) read = nn_onnx_tensor_load_bytes(bytes, "t.pb", &error);
    g_assert_no_error(error);
    g_assert_cmpint(read->rank, ==, 2);
    g_assert_cmpmem(read->data, 40, array->data, 40);

    for (gsize i = 0; i < size_b; i++) {
        g_autoptr(GBytes) part = g_bytes_new_from_bytes(bytes, 0, i);
        g_autoptr(GError) part_error = NULL;
        g_autoptr(NnArray) half = nn_onnx_tensor_load_bytes(part, "t.pb", &part_error);
        g_assert_true((half != NULL) == (part_error == NULL));
    }
}

/* The function's name is the sentence. */
static void add(const char *name, GTestFunc test)
{
    g_autofree char *path = g_strdelimit(g_strconcat("/onnx/", name, NULL), "_", ' ');
    g_test_add_func(path, test);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name) add(#name, name)
    TEST(everything_is_read);
    TEST(what_a_file_says_of_its_outputs_is_read);
    TEST(every_kind_of_attribute_is_read);
    TEST(initialisers_may_be_listed_as_inputs);
    TEST(nodes_in_any_order_are_sorted);
    TEST(what_a_branch_takes_from_outside_is_an_input);
    TEST(numbers_in_lists_are_read);
    TEST(numbers_in_wide_lists_are_read);
    TEST(opsets_outside_7_to_21_are_refused);
    TEST(an_opset_that_is_not_imported_is_refused);
    TEST(unknown_ir_versions_are_refused);
    TEST(functions_of_the_model_are_refused);
    TEST(a_graph_without_output_is_refused);
    TEST(an_output_that_nothing_computes_is_refused);
    TEST(an_input_that_nothing_computes_is_refused);
    TEST(a_value_computed_twice_is_refused);
    TEST(two_of_a_name_are_refused);
    TEST(a_cycle_is_refused);
    TEST(what_lacks_a_name_is_refused);
    TEST(names_that_are_not_text_are_refused);
    TEST(an_input_that_is_no_tensor_is_refused);
    TEST(attributes_without_content_are_refused);
    TEST(raw_data_of_another_size_is_refused);
    TEST(a_list_of_another_length_is_refused);
    TEST(impossible_shapes_are_refused);
    TEST(a_large_shape_without_data_is_refused);
    TEST(too_many_axes_are_refused);
    TEST(unknown_element_types_are_refused);
    TEST(a_file_cut_off_anywhere_does_no_harm);
    TEST(a_changed_byte_anywhere_does_no_harm);
    TEST(bytes_that_are_no_model_are_refused);
    TEST(a_file_nested_too_deep_is_refused);
    TEST(files_that_cannot_be_read_are_named);
    TEST(weights_beside_the_model_are_found);
    TEST(weights_elsewhere_are_refused);
    TEST(a_model_that_is_no_file_has_nothing_beside_it);
    TEST(a_tensor_file_is_read);
    return g_test_run();
}
