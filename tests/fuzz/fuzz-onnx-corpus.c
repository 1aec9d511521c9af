/* fuzz-onnx-corpus.c - writes the models that fuzz-onnx starts from into a folder.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <glib/gstdio.h>

#include "onnx-builder.h"
#include "operator.h"

static void write_model(const char *folder, const char *name, OnnxBuilder *builder)
{
    g_autoptr(OnnxBuilder) owned = builder;
    g_autoptr(GBytes) bytes = onnx_builder_pack(owned);
    g_autofree char *path = g_strdup_printf("%s/%s.onnx", folder, name);
    g_autoptr(GError) error = NULL;

    if (!g_file_set_contents(path, g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes),
                             &error))
        g_error("%s", error->message);
}

/* Makes little sense for most operators, but changes of few bytes do. */
static OnnxBuilder *one_operator(const NnOperator *op)
{
    OnnxBuilder *builder = onnx_builder_new(MIN(op->until, 17));
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,2,4,4");
    onnx_builder_floats(builder, "w", "2,2,1,1", NULL);
    onnx_builder_ints(builder, "ints", "1,2,2,2");
    const char *inputs = op->host_inputs & 1 ? "ints"
                         : op->host_inputs   ? "x,ints,ints"
                         : *op->type == 'C'  ? "x,w"
                                             : "x";
    Onnx__NodeProto *node = onnx_builder_node(builder, op->type, inputs, "y");
    onnx_node_int(node, "axis", 1);
    onnx_node_ints(node, "kernel_shape", "2,2");
    onnx_builder_output(builder, "y");
    return builder;
}

static OnnxBuilder *block(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "?,2,?,4");
    onnx_builder_floats(builder, "w", "2,2,3,3", NULL);
    onnx_builder_floats(builder, "b", "2", NULL);
    onnx_builder_float(builder, "three", 3);
    onnx_builder_float(builder, "zero", 0);
    onnx_builder_float(builder, "six", 6);
    onnx_builder_ints(builder, "pads", "0,0,1,1,0,0,1,1");
    onnx_builder_node(builder, "Pad", "x,pads", "p");
    onnx_builder_node(builder, "Conv", "p,w", "c");
    onnx_builder_node(builder, "BatchNormalization", "c,b,b,b,b", "n");
    onnx_builder_node(builder, "Add", "n,three", "s");
    onnx_builder_node(builder, "Clip", "s,zero,six", "r");
    onnx_builder_node(builder, "Div", "r,six", "g");
    onnx_builder_node(builder, "Mul", "n,g", "h");
    onnx_builder_node(builder, "Add", "h,x", "y");
    onnx_builder_output(builder, "y");
    return builder;
}

static OnnxBuilder *shape_arithmetic(void)
{
    OnnxBuilder *builder = onnx_builder_new(11);
    onnx_builder_input(builder, "x", NN_FLOAT32, "?,3,?,?");
    onnx_builder_ints(builder, "zero", "0");
    onnx_builder_ints(builder, "rest", "-1");
    onnx_builder_node(builder, "Shape", "x", "s");
    onnx_builder_node(builder, "Gather", "s,zero", "n");
    onnx_node_int(onnx_builder_node(builder, "Concat", "n,rest", "f"), "axis", 0);
    onnx_builder_node(builder, "Reshape", "x,f", "y");
    onnx_builder_output(builder, "y");
    return builder;
}

static OnnxBuilder *branches(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    OnnxBuilder *then = onnx_builder_new(13), *other = onnx_builder_new(13);
    g_autoptr(NnArray) yes = nn_array_new(NN_BOOL, 0, NULL);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,4");
    onnx_builder_array(builder, "yes", yes);
    onnx_builder_node(then, "Neg", "x", "a");
    onnx_builder_output(then, "a");
    onnx_builder_float(other, "k", 2);
    onnx_builder_node(other, "Mul", "x,k", "b");
    onnx_builder_output(other, "b");
    Onnx__NodeProto *node = onnx_builder_node(builder, "If", "yes", "y");
    onnx_node_graph(node, "then_branch", then);
    onnx_node_graph(node, "else_branch", other);
    onnx_builder_output(builder, "y");
    return builder;
}

/* Found by fuzzing: a launch for each of the phases took for ever. */
static OnnxBuilder *many_phases(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,2,4,4");
    onnx_builder_floats(builder, "w", "2,2,1,1", NULL);
    onnx_node_ints(onnx_builder_node(builder, "ConvTranspose", "x,w", "y"), "strides", "3000,3000");
    onnx_builder_output(builder, "y");
    return builder;
}

/* Found by fuzzing: so did a launch for each entry of a batch that padding made. */
static OnnxBuilder *many_entries(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,2,4,4");
    onnx_builder_ints(builder, "pads", "1000000,0,0,0,0,0,0,0");
    onnx_builder_floats(builder, "w", "2,2,1,1", NULL);
    onnx_builder_node(builder, "Pad", "x,pads", "p");
    onnx_builder_node(builder, "Conv", "p,w", "y");
    onnx_builder_output(builder, "y");
    return builder;
}

/* What moves a convolution before a Resize, and what runs two of a pixel at once. */
static OnnxBuilder *resized(void)
{
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,4,6,6");
    onnx_builder_ints(builder, "sizes", "1,4,12,11");
    onnx_builder_floats(builder, "w", "4,4,1,1", NULL);
    onnx_builder_node(builder, "Resize", "x,,,sizes", "a");
    onnx_builder_node(builder, "Conv", "a,w", "b");
    onnx_builder_node(builder, "GlobalAveragePool", "b", "c");
    onnx_builder_node(builder, "Conv", "c,w", "d");
    onnx_builder_node(builder, "Relu", "d", "e");
    onnx_builder_node(builder, "Conv", "e,w", "f");
    onnx_builder_node(builder, "Sigmoid", "f", "g");
    onnx_builder_node(builder, "Mul", "b,g", "h");
    onnx_builder_node(builder, "Conv", "h,w", "y");
    onnx_builder_output(builder, "y");
    return builder;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        g_printerr("usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    g_mkdir_with_parents(argv[1], 0755);
    for (const NnOperator *op = nn_operators; op->type; op++) {
        g_autofree char *name = g_strdup_printf("%s-%d", op->type, op->since);
        write_model(argv[1], name, one_operator(op));
    }
    write_model(argv[1], "block", block());
    write_model(argv[1], "shape-arithmetic", shape_arithmetic());
    write_model(argv[1], "branches", branches());
    write_model(argv[1], "many-phases", many_phases());
    write_model(argv[1], "many-entries", many_entries());
    write_model(argv[1], "resized", resized());
    return 0;
}
