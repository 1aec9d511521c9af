/* test-infer.c - tests of inference: bound inputs, shapes, folding, If, steering inputs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "nn.h"
#include "onnx-builder.h"
#include "operator.h"

/* Takes @builder. */
static NnGraph *graph_of(OnnxBuilder *builder)
{
    g_autoptr(OnnxBuilder) owned = builder;
    g_autoptr(GBytes) bytes = onnx_builder_pack(owned);
    g_autoptr(GError) error = NULL;
    g_autoptr(NnModel) model = nn_model_load_bytes(bytes, "test.onnx", &error);
    g_assert_no_error(error);
    return nn_graph_copy(nn_model_graph(model));
}

static void infer_well(NnGraph *graph, const NnBinding *bindings, guint n_bindings)
{
    g_autoptr(GError) error = NULL;
    nn_graph_infer(graph, bindings, n_bindings, &error);
    g_assert_no_error(error);
}

static void assert_refused(NnGraph *graph, const NnBinding *bindings, guint n_bindings,
                           NnError code, const char *part)
{
    g_autoptr(GError) error = NULL;
    g_assert_false(nn_graph_infer(graph, bindings, n_bindings, &error));
    g_assert_error(error, NN_ERROR, (int)code);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, part));
}

static NnValue *value_of(const NnGraph *graph, const char *name)
{
    NnValue *value = g_hash_table_lookup(graph->by_name, name);
    g_assert_nonnull(value);
    return value;
}

static void assert_shape(const NnGraph *graph, const char *name, int rank, const gint64 *dims)
{
    const NnValue *value = value_of(graph, name);
    g_assert_cmpint(value->rank, ==, rank);
    g_assert_cmpmem(value->dims, rank * sizeof *dims, dims, rank * sizeof *dims);
}

/* ---------------------------------------------------------------- inputs */

/* z = Relu(x) of an input [?][3][?][?]. */
static NnGraph *open_graph(const char *shape)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, shape);
    onnx_builder_node(builder, "Relu", "x", "z");
    onnx_builder_output(builder, "z");
    return graph_of(builder);
}

static void an_open_batch_is_one_sample(void)
{
    g_autoptr(NnGraph) graph = open_graph("?,3,8,8");
    infer_well(graph, NULL, 0);
    assert_shape(graph, "z", 4, (gint64[]){ 1, 3, 8, 8 });
}

static void an_open_size_has_to_be_given(void)
{
    g_autoptr(NnGraph) graph = open_graph("?,3,?,?");
    assert_refused(graph, NULL, 0, NN_ERROR_SHAPE, "input 'x': the model leaves dimension 2 open");
}

static void a_given_size_fills_what_is_open(void)
{
    g_autoptr(NnGraph) graph = open_graph("?,3,?,?");
    const NnBinding binding = { .name = "x", .rank = 4, .dims = { -1, 3, 32, 48 } };
    infer_well(graph, &binding, 1);
    assert_shape(graph, "z", 4, (gint64[]){ 1, 3, 32, 48 });
}

static void a_given_shape_stands_for_one_that_is_missing(void)
{
    g_autoptr(NnGraph) open = open_graph(NULL), bound = open_graph(NULL);
    const NnBinding binding = { .name = "x", .rank = 2, .dims = { 1, 5 } };
    assert_refused(open, NULL, 0, NN_ERROR_SHAPE, "give its whole shape");
    infer_well(bound, &binding, 1);
    assert_shape(bound, "z", 2, (gint64[]){ 1, 5 });
}

static void a_given_size_may_not_contradict_the_model(void)
{
    const NnBinding size = { .name = "x", .rank = 4, .dims = { 1, 4, 8, 8 } };
    const NnBinding rank = { .name = "x", .rank = 3, .dims = { 1, 3, 8 } };
    const NnBinding name = { .name = "w", .rank = 3, .dims = { 1, 3, 8 } };
    g_autoptr(NnGraph) a = open_graph("1,3,8,8"), b = open_graph("1,3,8,8");
    g_autoptr(NnGraph) c = open_graph("1,3,8,8");
    assert_refused(a, &size, 1, NN_ERROR_SHAPE, "dimension 1 is fixed to 3");
    assert_refused(b, &rank, 1, NN_ERROR_SHAPE, "4 axes");
    assert_refused(c, &name, 1, NN_ERROR_INPUT, "no input 'w'");
}

/* ---------------------------------------------------------------- folding */

/* As PyTorch writes x.view(x.size(0), -1): all that is left is the Reshape. */
static void shape_arithmetic_folds(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "?,3,8,8");
    onnx_builder_node(builder, "Shape", "x", "shape");
    onnx_builder_ints(builder, "zero", "0");
    onnx_builder_ints(builder, "rest", "-1");
    onnx_builder_node(builder, "Gather", "shape,zero", "batch");
    onnx_node_int(onnx_builder_node(builder, "Concat", "batch,rest", "flat"), "axis", 0);
    onnx_builder_node(builder, "Reshape", "x,flat", "z");
    onnx_builder_output(builder, "z");
    g_autoptr(NnGraph) graph = graph_of(builder);

    infer_well(graph, NULL, 0);
    assert_shape(graph, "z", 2, (gint64[]){ 1, 192 });
    g_assert_cmpuint(graph->nodes->len, ==, 1);
    g_assert_cmpuint(graph->values->len, ==, 3);
}

static void constants_fold_with_all_that_hangs_on_them(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    g_autoptr(NnArray) array = onnx_random_array("4", 1);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,4");
    onnx_node_tensor(onnx_builder_node(builder, "Constant", "", "c"), "value", array);
    onnx_builder_node(builder, "Identity", "c", "d");
    onnx_builder_node(builder, "Add", "c,d", "twice");
    onnx_builder_node(builder, "Mul", "x,twice", "z");
    onnx_builder_output(builder, "z");
    g_autoptr(NnGraph) graph = graph_of(builder);

    infer_well(graph, NULL, 0);
    g_assert_cmpuint(graph->nodes->len, ==, 1);
    const NnArray *twice = value_of(graph, "twice")->constant;
    g_assert_cmpfloat(nn_array_get(twice, 2), ==, 2 * nn_array_get(array, 2));
}

static void a_constant_output_stays(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "2,5");
    onnx_builder_node(builder, "Shape", "x", "z");
    onnx_builder_output(builder, "z");
    g_autoptr(NnGraph) graph = graph_of(builder);
    g_autoptr(NnArray) x = onnx_random_array("2,5", 1);
    NnArray *z;

    infer_well(graph, NULL, 0);
    g_assert_true(nn_graph_evaluate(graph, &x, &z, NULL));
    g_assert_cmpint(nn_array_get_int(z, 1), ==, 5);
    nn_array_unref(z);
}

/* 64 MiB of one number: the device repeats it better than the memory holds it. */
static void a_number_made_large_does_not_fold(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1");
    onnx_builder_float(builder, "number", 1);
    onnx_builder_ints(builder, "large", "4096,4096");
    onnx_builder_node(builder, "Expand", "number,large", "expanded");
    onnx_builder_node(builder, "Add", "x,expanded", "z");
    onnx_builder_output(builder, "z");
    g_autoptr(NnGraph) graph = graph_of(builder);

    infer_well(graph, NULL, 0);
    g_assert_cmpuint(graph->nodes->len, ==, 2);
    g_assert_null(value_of(graph, "expanded")->constant);
}

static void a_constant_that_fills_the_memory_is_an_error(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_ints(builder, "large", "1073741824");
    onnx_builder_node(builder, "ConstantOfShape", "large", "z");
    onnx_builder_output(builder, "z");
    g_autoptr(NnGraph) graph = graph_of(builder);
    assert_refused(graph, NULL, 0, NN_ERROR_TOO_LARGE, "memory");
}

/* ---------------------------------------------------------------- steering inputs */

static OnnxBuilder *resizing_model(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,1,4,4");
    onnx_builder_input(builder, "ratio", NN_FLOAT32, "1");
    onnx_builder_floats(builder, "ones", "2", (float[]){ 1, 1 });
    onnx_node_int(onnx_builder_node(builder, "Concat", "ones,ratio,ratio", "scales"), "axis", 0);
    onnx_builder_node(builder, "Resize", "x,,scales", "z");
    onnx_builder_output(builder, "z");
    return builder;
}

static void inputs_that_steer_shapes_are_known(void)
{
    g_autoptr(NnGraph) graph = graph_of(resizing_model());
    g_assert_true(nn_graph_input_steers_shapes(graph, value_of(graph, "ratio")));
    g_assert_false(nn_graph_input_steers_shapes(graph, value_of(graph, "x")));
}

/* The shape of a picture is known before the picture. */
static void a_shape_does_not_make_its_tensor_steer(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,1,4,4");
    onnx_builder_input(builder, "like", NN_FLOAT32, "1,1,8,8");
    onnx_builder_node(builder, "Shape", "like", "sizes");
    onnx_builder_node(builder, "Resize", "x,,,sizes", "z");
    onnx_builder_output(builder, "z");
    g_autoptr(NnGraph) graph = graph_of(builder);
    g_assert_false(nn_graph_input_steers_shapes(graph, value_of(graph, "like")));
}

static void an_input_that_steers_shapes_has_to_be_fixed(void)
{
    g_autoptr(NnGraph) open = graph_of(resizing_model()), fixed = graph_of(resizing_model());
    g_autoptr(NnArray) ratio = nn_array_new(NN_FLOAT32, 1, (gint64[]){ 1 });
    nn_array_set(ratio, 0, 2);
    const NnBinding binding = { .name = "ratio", .rank = -1, .value = ratio };

    assert_refused(open, NULL, 0, NN_ERROR_SHAPE, "fix the network's input 'ratio'");
    infer_well(fixed, &binding, 1);
    assert_shape(fixed, "z", 4, (gint64[]){ 1, 1, 8, 8 });
}

static void a_value_has_to_be_of_the_inputs_type(void)
{
    g_autoptr(NnGraph) graph = graph_of(resizing_model());
    g_autoptr(NnArray) ratio = nn_array_new(NN_INT64, 1, (gint64[]){ 1 });
    const NnBinding binding = { .name = "ratio", .rank = -1, .value = ratio };
    assert_refused(graph, &binding, 1, NN_ERROR_INPUT, "takes float32, not int64");
}

/* ---------------------------------------------------------------- If */

/* Adds If(condition): then a, else b, of the values around it; each through a node of its own. */
static void add_if(OnnxBuilder *builder, const char *condition, const char *a, const char *b,
                   const char *output)
{
    OnnxBuilder *then = onnx_builder_new(13), *other = onnx_builder_new(13);
    onnx_builder_node(then, "Neg", a, "chosen");
    onnx_builder_output(then, "chosen");
    onnx_builder_node(other, "Neg", b, "chosen");
    onnx_builder_output(other, "chosen");
    Onnx__NodeProto *node = onnx_builder_node(builder, "If", condition, output);
    onnx_node_graph(node, "then_branch", then);
    onnx_node_graph(node, "else_branch", other);
}

static double evaluate_number(const NnGraph *graph, double x)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(NnArray) input = nn_array_new(NN_FLOAT32, 1, (gint64[]){ 1 });
    NnArray *output = NULL;
    nn_array_set(input, 0, x);
    nn_graph_evaluate(graph, &input, &output, &error);
    g_assert_no_error(error);
    const double number = nn_array_get(output, 0);
    nn_array_unref(output);
    return number;
}

/* Both branches use the same names inside, and so do both Ifs. */
static void a_known_condition_chooses_its_branch(void)
{
    for (int chosen = 0; chosen < 2; chosen++) {
        OnnxBuilder *builder = onnx_builder_new(13);
        g_autoptr(NnArray) condition = nn_array_new(NN_BOOL, 0, NULL);
        nn_array_set(condition, 0, chosen);
        onnx_builder_input(builder, "x", NN_FLOAT32, "1");
        onnx_builder_array(builder, "condition", condition);
        onnx_builder_float(builder, "ten", 10);
        onnx_builder_node(builder, "Add", "x,ten", "more");
        add_if(builder, "condition", "x", "more", "first");
        add_if(builder, "condition", "first", "more", "second");
        onnx_builder_output(builder, "second");
        g_autoptr(NnGraph) graph = graph_of(builder);

        infer_well(graph, NULL, 0);
        g_assert_cmpfloat(evaluate_number(graph, 3), ==, chosen ? 3 : -13);
    }
}

static void branches_in_branches_reach_all_the_way_out(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    OnnxBuilder *then = onnx_builder_new(13), *other = onnx_builder_new(13);
    g_autoptr(NnArray) yes = nn_array_new(NN_BOOL, 0, NULL);
    nn_array_set(yes, 0, 1);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1");
    onnx_builder_array(builder, "yes", yes);
    onnx_builder_float(then, "two", 2);
    onnx_builder_node(then, "Mul", "x,two", "double");
    add_if(then, "yes", "double", "x", "inner");
    onnx_builder_output(then, "inner");
    onnx_builder_node(other, "Neg", "x", "outer");
    onnx_builder_output(other, "outer");
    Onnx__NodeProto *node = onnx_builder_node(builder, "If", "yes", "z");
    onnx_node_graph(node, "else_branch", other);
    onnx_node_graph(node, "then_branch", then);
    onnx_builder_output(builder, "z");
    g_autoptr(NnGraph) graph = graph_of(builder);

    infer_well(graph, NULL, 0);
    g_assert_cmpfloat(evaluate_number(graph, 3), ==, -6);
}

static void a_condition_from_the_picture_is_refused(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1");
    onnx_builder_input(builder, "condition", NN_BOOL, "");
    add_if(builder, "condition", "x", "x", "z");
    onnx_builder_output(builder, "z");
    g_autoptr(NnGraph) graph = graph_of(builder);
    assert_refused(graph, NULL, 0, NN_ERROR_UNSUPPORTED, "'condition'");
}

static void an_if_without_branch_is_refused(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    g_autoptr(NnArray) yes = nn_array_new(NN_BOOL, 0, NULL);
    onnx_builder_array(builder, "yes", yes);
    onnx_builder_node(builder, "If", "yes", "z");
    onnx_builder_output(builder, "z");
    g_autoptr(NnGraph) graph = graph_of(builder);
    assert_refused(graph, NULL, 0, NN_ERROR_BAD_MODEL, "else_branch");
}

/* ---------------------------------------------------------------- operators */

static void an_operator_that_is_not_known_is_named(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1");
    onnx_builder_node(builder, "Frobnicate", "x", "z");
    onnx_builder_output(builder, "z");
    g_autoptr(NnGraph) graph = graph_of(builder);
    assert_refused(graph, NULL, 0, NN_ERROR_UNSUPPORTED, "Frobnicate");
}

static void what_no_output_needs_may_be_anything(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1");
    onnx_builder_node(builder, "Frobnicate", "x", "unused");
    onnx_builder_node(builder, "Relu", "x", "z");
    onnx_builder_output(builder, "z");
    g_autoptr(NnGraph) graph = graph_of(builder);
    infer_well(graph, NULL, 0);
    g_assert_cmpuint(graph->nodes->len, ==, 1);
}

static void an_epilogue_adds_the_residual_before_the_activation(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1");
    onnx_builder_node(builder, "Neg", "x", "z");
    onnx_builder_output(builder, "z");
    g_autoptr(NnGraph) graph = graph_of(builder);
    infer_well(graph, NULL, 0);

    NnNode *node = graph->nodes->pdata[0];
    g_autoptr(NnArray) two = nn_array_new(NN_FLOAT32, 1, (gint64[]){ 1 });
    nn_array_set(two, 0, 2);
    nn_node_add_input(node, nn_graph_constant(graph, NULL, g_steal_pointer(&two)));
    node->residual = 1;
    node->activation = (NnActivation){ NN_ACT_CLIP, 0, 1.5f };
    g_assert_cmpfloat(evaluate_number(graph, 1), ==, 1);
    g_assert_cmpfloat(evaluate_number(graph, 0), ==, 1.5);
    g_assert_cmpfloat(evaluate_number(graph, 3), ==, 0);
}

static void an_input_of_another_shape_is_not_evaluated(void)
{
    g_autoptr(NnGraph) graph = open_graph("1,3,2,2");
    g_autoptr(NnArray) wrong = onnx_random_array("1,3,2,3", 1);
    g_autoptr(GError) error = NULL;
    NnArray *output;
    infer_well(graph, NULL, 0);
    g_assert_false(nn_graph_evaluate(graph, &wrong, &output, &error));
    g_assert_error(error, NN_ERROR, NN_ERROR_INPUT);
}

/* The function's name is the sentence. */
static void add(const char *name, GTestFunc test)
{
    g_autofree char *path = g_strdelimit(g_strconcat("/infer/", name, NULL), "_", ' ');
    g_test_add_func(path, test);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name) add(#name, name)
    TEST(an_open_batch_is_one_sample);
    TEST(an_open_size_has_to_be_given);
    TEST(a_given_size_fills_what_is_open);
    TEST(a_given_shape_stands_for_one_that_is_missing);
    TEST(a_given_size_may_not_contradict_the_model);
    TEST(shape_arithmetic_folds);
    TEST(constants_fold_with_all_that_hangs_on_them);
    TEST(a_constant_output_stays);
    TEST(a_number_made_large_does_not_fold);
    TEST(a_constant_that_fills_the_memory_is_an_error);
    TEST(inputs_that_steer_shapes_are_known);
    TEST(a_shape_does_not_make_its_tensor_steer);
    TEST(an_input_that_steers_shapes_has_to_be_fixed);
    TEST(a_value_has_to_be_of_the_inputs_type);
    TEST(a_known_condition_chooses_its_branch);
    TEST(branches_in_branches_reach_all_the_way_out);
    TEST(a_condition_from_the_picture_is_refused);
    TEST(an_if_without_branch_is_refused);
    TEST(an_operator_that_is_not_known_is_named);
    TEST(what_no_output_needs_may_be_anything);
    TEST(an_epilogue_adds_the_residual_before_the_activation);
    TEST(an_input_of_another_shape_is_not_evaluated);
    return g_test_run();
}
