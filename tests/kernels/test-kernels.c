/* test-kernels.c - every kernel variant against the operators' C references.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * test-kernels [--filter TEXT ...] [--all] [--part K/N] [--seed N] [--list] [--device SPEC]
 *     [--class cpu|generic] [--samples N]
 *
 * Each case becomes a small model, dressed so that its tensors lie in memory in several ways, built
 * in both precisions with each variant forced, and run over one, two and three samples. Besides the
 * numbers it is checked that a sample's result is the same bits whatever else is in the batch, and
 * that nothing is written where samples that were not asked for would lie.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../nn/onnx-builder.h"
#include "cases.h"
#include "nn.h"
#include "operator.h"

#define MAX_INPUTS 10
#define MAX_SAMPLES 3
#define POISON 0xa5

static OclDevice *device;
static OclQueue *queue;
static guint32 seed = 1;
static guint most_samples = MAX_SAMPLES; /* that are run at once */

/* ---------------------------------------------------------------- random numbers */

/* xorshift32: the numbers depend on the seed alone. */
static guint32 next_random(guint32 *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Numbers that a half holds exactly, so that both precisions start from the same. */
static void fill(NnArray *array, double low, double high, guint32 *state)
{
    for (gsize i = 0; i < array->n; i++) {
        const double unit = (double)(next_random(state) >> 8) / (1 << 24);
        if (nn_type_is_float(array->type))
            nn_array_set(array, i,
                         nn_half_to_float(nn_float_to_half((float)(low + unit * (high - low)))));
        else
            nn_array_set_int(array, i, (gint64)floor(low + unit * (high - low + 1)));
    }
}

/* ---------------------------------------------------------------- inputs of a case */

typedef struct {
    gboolean left_out, constant;
    double low, high;
    NnArray *array; /* the constant, or the type and shape of what is fed */
} Input;

static void input_clear(Input *input)
{
    g_clear_pointer(&input->array, nn_array_unref);
}

static NnType type_of(char letter)
{
    switch (letter) {
    case 'b':
        return NN_BOOL;
    case 'B':
        return NN_UINT8;
    case 'c':
        return NN_INT8;
    case 'i':
        return NN_INT32;
    case 'l':
        return NN_INT64;
    default:
        return NN_FLOAT32;
    }
}

static NnArray *array_of_values(NnType type, gboolean scalar, const char *text)
{
    g_auto(GStrv) values = g_strsplit(text, ",", -1);
    const gint64 dims[1] = { g_strv_length(values) };
    NnArray *array = nn_array_new(type, scalar ? 0 : 1, dims);
    for (gsize i = 0; i < array->n; i++)
        nn_array_set(array, i, g_ascii_strtod(values[i], NULL));
    return array;
}

static NnArray *array_of_dims(NnType type, const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    gint64 dims[NN_MAX_RANK];
    const int rank = (int)g_strv_length(parts);
    for (int i = 0; i < rank; i++)
        dims[i] = g_ascii_strtoll(parts[i], NULL, 10);
    return nn_array_new(type, rank, dims);
}

/* One word of Case.inputs. */
static Input parse_input(const char *word, guint32 *state)
{
    Input input = { .low = -1, .high = 1 };
    if (strcmp(word, "-") == 0) {
        input.left_out = TRUE;
        return input;
    }
    input.constant = *word == '!';
    word += input.constant;
    const gboolean scalar = *word == 's';
    word += scalar;
    const NnType type = type_of(*word++);
    if (*word == '=') {
        input.array = array_of_values(type, scalar, word + 1);
        return input;
    }
    if (*word == '[') {
        char *end;
        input.low = g_ascii_strtod(word + 1, &end);
        input.high = g_ascii_strtod(end + 1, &end);
        word = end + 1;
    }
    input.array = array_of_dims(type, word + 1);
    if (input.constant)
        fill(input.array, input.low, input.high, state);
    return input;
}

static guint parse_inputs(const Case *c, Input *inputs, guint32 *state)
{
    g_auto(GStrv) words = g_strsplit(c->inputs, " ", -1);
    guint n = 0;
    for (; words[n]; n++)
        inputs[n] = parse_input(words[n], state);
    return n;
}

/* ---------------------------------------------------------------- models */

static gboolean is_list(const char *value)
{
    return strchr(value, ',') != NULL;
}

static void add_attribute(Onnx__NodeProto *node, const char *word)
{
    g_auto(GStrv) pair = g_strsplit(word, "=", 2);
    const char *name = pair[0], *value = pair[1];
    if (g_ascii_isalpha(*value)) {
        onnx_node_string(node, name, value);
    } else if (is_list(value)) {
        g_autofree char *list = g_strdup(value);
        if (g_str_has_suffix(list, ","))
            list[strlen(list) - 1] = 0;
        onnx_node_ints(node, name, list);
    } else if (strchr(value, '.')) {
        onnx_node_float(node, name, (float)g_ascii_strtod(value, NULL));
    } else {
        onnx_node_int(node, name, g_ascii_strtoll(value, NULL, 10));
    }
}

static char *dims_text(const NnArray *array, gint64 more_channels)
{
    GString *text = g_string_new(NULL);
    for (int i = 0; i < array->rank; i++)
        g_string_append_printf(text, "%s%" G_GINT64_FORMAT, i > 0 ? "," : "",
                               array->dims[i] + (i == 1 ? more_channels : 0));
    return g_string_free(text, FALSE);
}

/* Channels around the slice that DRESS_SLICED takes; odd, so that it is not aligned. */
#define BEFORE 3
#define AFTER 2

/* A number for each channel of a map. */
static void add_scale(OnnxBuilder *builder, const char *name, NnType type, gint64 channels)
{
    g_autofree char *dims = g_strdup_printf("1,%" G_GINT64_FORMAT ",1,1", channels);
    onnx_builder_input(builder, name, type, dims);
}

static gboolean is_enlarged(Dress dress)
{
    return dress == DRESS_ENLARGED || dress == DRESS_GROWN;
}

/* Input 0, part of which is enlarged. @shared: something else uses the enlarged map, too. */
static void add_enlarged(OnnxBuilder *builder, const NnArray *x, Dress dress, gboolean shared)
{
    const gint64 *dims = x->dims, half = dims[1] / 2 & ~(gint64)7, n = half > 0 ? half : dims[1];
    const gboolean twice = dress == DRESS_ENLARGED;
    const gint64 small_dims[4] = { 1, n, (dims[2] + 1) / 2,
                                   twice ? (dims[3] + 1) / 2 : dims[3] - 1 };
    const gint64 beside_dims[4] = { 1, dims[1] - n, dims[2], dims[3] };
    NnArray small = { .rank = 4 }, beside = { .rank = 4 };
    memcpy(small.dims, small_dims, sizeof small_dims);
    memcpy(beside.dims, beside_dims, sizeof beside_dims);
    g_autofree char *small_text = dims_text(&small, 0), *beside_text = dims_text(&beside, 0);
    g_autofree char *sizes = dims_text(&beside, 2 * n - dims[1]);
    onnx_builder_input(builder, "small", x->type, small_text);
    onnx_builder_ints(builder, "sizes", sizes);
    Onnx__NodeProto *resize =
        onnx_builder_node(builder, "Resize", "small,,,sizes", half > 0 ? "enlarged" : "in0");
    onnx_node_string(resize, "mode", "linear");
    onnx_node_string(resize, "coordinate_transformation_mode",
                     twice ? "half_pixel" : "align_corners");
    if (half > 0) {
        onnx_builder_input(builder, "beside", x->type, beside_text);
        onnx_node_int(onnx_builder_node(builder, "Concat",
                                        twice ? "enlarged,beside" : "beside,enlarged", "in0"),
                      "axis", 1);
    }
    if (shared)
        onnx_builder_node(builder, "Neg", half > 0 ? "enlarged" : "in0", "shared");
}

static void add_inputs(OnnxBuilder *builder, const Input *inputs, guint n, Dress dress)
{
    for (guint i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("in%u", i);
        if (inputs[i].left_out || (i == 0 && is_enlarged(dress)))
            continue;
        if (inputs[i].constant) {
            onnx_builder_array(builder, name, inputs[i].array);
            continue;
        }
        const gboolean sliced = i == 0 && dress == DRESS_SLICED;
        const gboolean scaled = i == 0 && dress == DRESS_SCALED;
        g_autofree char *dims = dims_text(inputs[i].array, sliced ? BEFORE + AFTER : 0);
        onnx_builder_input(builder,
                           sliced   ? "wide"
                           : scaled ? "plain"
                                    : name,
                           inputs[i].array->type, dims);
    }
    if (dress == DRESS_SCALED) {
        add_scale(builder, "in_scale", inputs[0].array->type, inputs[0].array->dims[1]);
        onnx_builder_node(builder, "Mul", "plain,in_scale", "in0");
    }
    if (dress == DRESS_SLICED) {
        g_autofree char *end =
            g_strdup_printf("%" G_GINT64_FORMAT, BEFORE + inputs[0].array->dims[1]);
        g_autofree char *start = g_strdup_printf("%d", BEFORE);
        onnx_builder_ints(builder, "slice_start", start);
        onnx_builder_ints(builder, "slice_end", end);
        onnx_builder_ints(builder, "slice_axis", "1");
        onnx_builder_node(builder, "Slice", "wide,slice_start,slice_end,slice_axis", "in0");
    }
    if (dress == DRESS_ROW_MAJOR) {
        onnx_node_ints(onnx_builder_node(builder, "Transpose", "in0", "transposed"), "perm",
                       "0,2,3,1");
        onnx_builder_output(builder, "transposed");
    }
}

static void add_case_node(OnnxBuilder *builder, const Case *c, const Input *inputs, guint n)
{
    GString *in = g_string_new(NULL), *out = g_string_new(NULL);
    for (guint i = 0; i < n; i++) {
        g_string_append(in, i > 0 ? "," : "");
        if (!inputs[i].left_out)
            g_string_append_printf(in, "in%u", i);
    }
    for (int i = 0; i < MAX(c->n_outputs, 1); i++)
        g_string_append_printf(out, "%sout%d", i > 0 ? "," : "", i);
    Onnx__NodeProto *node = onnx_builder_node(builder, c->type, in->str, out->str);
    g_auto(GStrv) words = g_strsplit(c->attributes, " ", -1);
    for (guint i = 0; words[i]; i++)
        add_attribute(node, words[i]);
    g_string_free(in, TRUE);
    g_string_free(out, TRUE);
}

static gboolean takes_two_convolutions(Dress dress)
{
    return dress == DRESS_EXPANDED || dress == DRESS_POOLED || dress == DRESS_KEPT ||
           dress == DRESS_SEPARABLE;
}

/* A second convolution behind the node's, and what is behind that; @x is what the node computes. */
static void add_second_convolution(OnnxBuilder *builder, const NnValue *x, Dress dress)
{
    const gint64 channels = x->dims[1], rows = x->dims[2], columns = x->dims[3];
    const gboolean expanded = dress != DRESS_SEPARABLE;
    const gboolean pooled = dress == DRESS_POOLED || dress == DRESS_KEPT;
    const gint64 dims[2][4] = { { channels, 1, 5, 3 }, { 21, channels, 1, 1 } };
    const gint64 bias_dims[1] = { expanded ? channels : 21 };
    g_autoptr(NnArray) weights = nn_array_new(NN_FLOAT32, 4, dims[!expanded]);
    g_autoptr(NnArray) bias = nn_array_new(NN_FLOAT32, 1, bias_dims);
    guint32 state = seed | 1;
    fill(weights, -1, 1, &state);
    fill(bias, -1, 1, &state);
    onnx_builder_array(builder, "second_weights", weights);
    onnx_builder_array(builder, "second_bias", bias);
    onnx_node_float(onnx_builder_node(builder, "LeakyRelu", "out0", "between"), "alpha", 0.125f);
    Onnx__NodeProto *node =
        onnx_builder_node(builder, "Conv", "between,second_weights,second_bias", "second");
    if (expanded) {
        onnx_node_int(node, "group", channels);
        onnx_node_ints(node, "strides", "2,1");
        onnx_node_ints(node, "pads", "2,1,2,1");
    }
    g_autofree char *residual =
        g_strdup_printf("1,%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT,
                        bias_dims[0], expanded ? (rows + 1) / 2 : rows, columns);
    onnx_builder_input(builder, "residual", x->type, residual);
    onnx_builder_node(builder, "Add", "second,residual", "added");
    onnx_builder_node(builder, "Relu", "added", pooled ? "active" : "dressed");
    if (pooled) {
        Onnx__NodeProto *pool = onnx_builder_node(builder, "MaxPool", "active", "dressed");
        onnx_node_ints(pool, "kernel_shape", "2,2");
        onnx_node_ints(pool, "strides", "2,2");
    }
    if (dress == DRESS_KEPT)
        onnx_builder_output(builder, "active");
    onnx_builder_output(builder, "dressed");
}

/* Conv NAME of @in, with random weights and bias. */
static Onnx__NodeProto *add_convolution(OnnxBuilder *builder, const char *name, const char *in,
                                        const gint64 *dims, guint32 *state)
{
    g_autoptr(NnArray) weights = nn_array_new(NN_FLOAT32, 4, dims);
    g_autoptr(NnArray) bias = nn_array_new(NN_FLOAT32, 1, dims);
    g_autofree char *weights_name = g_strconcat(name, "_weights", NULL);
    g_autofree char *bias_name = g_strconcat(name, "_bias", NULL);
    g_autofree char *inputs = g_strjoin(",", in, weights_name, bias_name, NULL);
    fill(weights, -1, 1, state);
    fill(bias, -1, 1, state);
    onnx_builder_array(builder, weights_name, weights);
    onnx_builder_array(builder, bias_name, bias);
    return onnx_builder_node(builder, "Conv", inputs, name);
}

/* What makes an inverted residual of the case's convolution and its output @x; of 8 channels, one
 * with more outputs than one work-group has. */
static void add_inverted_residual(OnnxBuilder *builder, const NnValue *x, Dress dress)
{
    const gint64 channels = x->dims[1], outputs = channels == 8 ? 200 : 24;
    const gint64 filter_dims[4] = { channels, 1, 5, 3 }, dims[4] = { outputs, channels, 1, 1 };
    const gint64 rows = dress == DRESS_INVERTED ? (x->dims[2] + 1) / 2 : x->dims[2];
    guint32 state = seed | 1;
    onnx_node_float(onnx_builder_node(builder, "LeakyRelu", "out0", "between"), "alpha", 0.125f);
    if (dress == DRESS_INVERTED) {
        Onnx__NodeProto *node =
            add_convolution(builder, "filtered", "between", filter_dims, &state);
        onnx_node_int(node, "group", channels);
        onnx_node_ints(node, "strides", "2,1");
        onnx_node_ints(node, "pads", "2,1,2,1");
        onnx_builder_node(builder, "Sigmoid", "filtered", "narrow");
    }
    add_convolution(builder, "projected", dress == DRESS_INVERTED ? "narrow" : "between", dims,
                    &state);
    g_autofree char *residual = g_strdup_printf(
        "1,%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT, outputs, rows, x->dims[3]);
    onnx_builder_input(builder, "residual", x->type, residual);
    onnx_builder_node(builder, "Add", "projected,residual", "added");
    onnx_builder_node(builder, "Relu", "added", "active");
    add_scale(builder, "post_scale", x->type, outputs);
    onnx_builder_node(builder, "Mul", "active,post_scale", "dressed");
    onnx_builder_output(builder, "dressed");
}

static void add_pool(OnnxBuilder *builder, const char *map)
{
    Onnx__NodeProto *node = onnx_builder_node(builder, "MaxPool", map, "halved");
    onnx_node_ints(node, "kernel_shape", "2,2");
    onnx_node_ints(node, "strides", "2,2");
    onnx_node_int(node, "ceil_mode", 1);
    onnx_builder_output(builder, "halved");
}

static gboolean has_sides(Dress dress)
{
    return dress == DRESS_SIDES || dress == DRESS_CASCADE;
}

static void add_outputs(OnnxBuilder *builder, const Case *c, Dress dress)
{
    const gboolean bare = dress == DRESS_PLAIN || dress == DRESS_ROW_MAJOR || is_enlarged(dress);
    for (int i = bare ? 0 : 1; i < MAX(c->n_outputs, 1); i++) {
        g_autofree char *name = g_strdup_printf("out%d", i);
        onnx_builder_output(builder, name);
    }
    if (dress == DRESS_SLICED) {
        onnx_node_int(onnx_builder_node(builder, "Concat", "neighbour,out0,neighbour2", "joined"),
                      "axis", 1);
        onnx_builder_output(builder, "joined");
    } else if (dress == DRESS_EPILOGUE) {
        onnx_builder_node(builder, "Add", "out0,residual", "added");
        onnx_builder_node(builder, "Relu", "added", "dressed");
        onnx_builder_output(builder, "dressed");
    } else if (dress == DRESS_SCALED) {
        onnx_builder_node(builder, "Mul", "out0,out_scale", "scaled");
        onnx_builder_node(builder, "Add", "scaled,residual", "added");
        onnx_node_float(onnx_builder_node(builder, "LeakyRelu", "added", "active"), "alpha", 0.2f);
        onnx_builder_node(builder, "Mul", "post_scale,active", "dressed");
        onnx_builder_output(builder, "dressed");
    } else if (dress == DRESS_ADDED || dress == DRESS_HALVED) {
        onnx_node_float(onnx_builder_node(builder, "LeakyRelu", "out0", "active"), "alpha", 0.2f);
        onnx_builder_node(builder, "Add", "active,residual", "dressed");
        onnx_builder_output(builder, "dressed");
        if (dress == DRESS_HALVED)
            add_pool(builder, "dressed");
    } else if (dress == DRESS_PRELU) {
        onnx_builder_node(builder, "PRelu", "out0,slopes", "dressed");
        onnx_builder_output(builder, "dressed");
    } else if (dress == DRESS_HEADS || dress == DRESS_SIGMOID || has_sides(dress)) {
        onnx_builder_node(builder, "Sigmoid", "out0", "dressed");
        onnx_builder_output(builder, "dressed");
        if (dress == DRESS_HEADS)
            onnx_builder_output(builder, "other");
        if (!has_sides(dress))
            return;
        onnx_node_int(onnx_builder_node(builder, "Concat", "out0,large_side", "joined"), "axis", 1);
        onnx_builder_output(builder, "joined");
    } else if (dress == DRESS_ACTIVATION) {
        onnx_node_float(onnx_builder_node(builder, "HardSigmoid", "out0", "gate"), "alpha",
                        1.0f / 6.0f);
        onnx_builder_node(builder, "Mul", "out0,gate", "dressed");
        onnx_builder_output(builder, "dressed");
    }
}

/* Another convolution of input 0, as the case's, with two outputs. */
static void add_other_head(OnnxBuilder *builder, const Case *c, const Input *inputs)
{
    g_autofree char *dims = dims_text(inputs[1].array, 0);
    g_autofree char *all = g_strconcat("2", strchr(dims, ','), NULL);
    onnx_builder_floats(builder, "other_weights", all, NULL);
    Onnx__NodeProto *node = onnx_builder_node(builder, "Conv", "in0,other_weights", "other");
    g_auto(GStrv) words = g_strsplit(c->attributes, " ", -1);
    for (guint i = 0; words[i]; i++)
        add_attribute(node, words[i]);
}

/* Half of the channels of out0 normalised per batch, half per picture, and what is behind that. */
static void add_normalisation(OnnxBuilder *builder, gint64 channels, Dress dress)
{
    const gint64 first = channels / 2 & ~(gint64)7, second = channels - first;
    g_autofree char *middle = g_strdup_printf("%" G_GINT64_FORMAT, first);
    g_autofree char *end = g_strdup_printf("%" G_GINT64_FORMAT, channels);
    g_autofree char *n = g_strdup_printf("%" G_GINT64_FORMAT, second);
    g_autoptr(NnArray) variance = nn_array_new(NN_FLOAT32, 1, &first);
    guint32 state = seed | 1;
    fill(variance, 0.5, 2, &state);
    onnx_builder_ints(builder, "start", "0");
    onnx_builder_ints(builder, "middle", middle);
    onnx_builder_ints(builder, "end", end);
    onnx_builder_ints(builder, "axis", "1");
    onnx_builder_node(builder, "Slice", "out0,start,middle,axis", "half0");
    onnx_builder_node(builder, "Slice", "out0,middle,end,axis", "half1");
    onnx_builder_floats(builder, "bn_scale", middle, NULL);
    onnx_builder_floats(builder, "bn_shift", middle, NULL);
    onnx_builder_floats(builder, "bn_mean", middle, NULL);
    onnx_builder_array(builder, "bn_variance", variance);
    onnx_builder_node(builder, "BatchNormalization", "half0,bn_scale,bn_shift,bn_mean,bn_variance",
                      "normal0");
    onnx_builder_floats(builder, "in_scale", n, NULL);
    onnx_builder_floats(builder, "in_shift", n, NULL);
    onnx_builder_node(builder, "InstanceNormalization", "half1,in_scale,in_shift", "normal1");
    onnx_node_int(onnx_builder_node(builder, "Concat", "normal0,normal1", "normal"), "axis", 1);
    onnx_builder_node(builder, "Relu", "normal", dress == DRESS_NORMED ? "dressed" : "active");
    if (dress == DRESS_NORMED_CONV || dress == DRESS_NORMED_ENLARGED) {
        const gint64 dims[4] = { 24, channels, 3, 3 };
        const char *x = "active";
        if (dress == DRESS_NORMED_ENLARGED) {
            static const float scales[4] = { 1, 1, 2, 2 };
            onnx_builder_floats(builder, "scales", "4", scales);
            onnx_node_string(onnx_builder_node(builder, "Resize", "active,,scales", "large"),
                             "mode", "linear");
            x = "large";
        }
        onnx_node_ints(add_convolution(builder, "after", x, dims, &state), "pads", "1,1,1,1");
        onnx_builder_node(builder, "Relu", "after", "dressed");
    }
    if (dress == DRESS_NORMED_FEW) {
        const gint64 dims[4] = { 3, channels, 1, 1 };
        add_convolution(builder, "few", "active", dims, &state);
        onnx_node_float(onnx_builder_node(builder, "LeakyRelu", "few", "dressed"), "alpha", 0.2f);
    }
    onnx_builder_output(builder, "dressed");
}

/* A map of one channel that Resize makes as large as @shape. */
static void add_side(OnnxBuilder *builder, const NnValue *shape, Dress dress)
{
    g_autofree char *sizes = g_strdup_printf("1,1,%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT,
                                             shape->dims[2], shape->dims[3]);
    if (dress == DRESS_SIDES)
        onnx_builder_input(builder, "side", shape->type, "1,1,2,3");
    else
        onnx_node_ints(onnx_builder_node(builder, "MaxPool", "out0", "side"), "kernel_shape",
                       "2,3");
    onnx_builder_ints(builder, "side_sizes", sizes);
    onnx_node_string(onnx_builder_node(builder, "Resize", "side,,,side_sizes", "large_side"),
                     "mode", "linear");
}

/* What a dress needs beside the output is shaped like it: @shape is out0's. */
static void add_companions(OnnxBuilder *builder, const NnValue *shape, Dress dress)
{
    NnArray array = { .rank = shape->rank };
    memcpy(array.dims, shape->dims, sizeof array.dims);
    if (dress == DRESS_EPILOGUE || dress == DRESS_SCALED || dress == DRESS_ADDED ||
        dress == DRESS_HALVED) {
        g_autofree char *dims = dims_text(&array, 0);
        onnx_builder_input(builder, "residual", shape->type, dims);
    }
    if (has_sides(dress))
        add_side(builder, shape, dress);
    if (dress == DRESS_NORMED || dress == DRESS_NORMED_FEW || dress == DRESS_NORMED_CONV ||
        dress == DRESS_NORMED_ENLARGED)
        add_normalisation(builder, array.dims[1], dress);
    if (dress == DRESS_PRELU) {
        g_autofree char *dims = g_strdup_printf("%" G_GINT64_FORMAT ",1,1", array.dims[1]);
        onnx_builder_floats(builder, "slopes", dims, NULL);
    }
    if (dress == DRESS_SCALED) {
        add_scale(builder, "out_scale", shape->type, array.dims[1]);
        add_scale(builder, "post_scale", shape->type, array.dims[1]);
    } else if (dress == DRESS_SLICED) {
        g_autofree char *before = dims_text(&array, BEFORE - array.dims[1]);
        g_autofree char *after = dims_text(&array, AFTER - array.dims[1]);
        onnx_builder_input(builder, "neighbour", shape->type, before);
        onnx_builder_input(builder, "neighbour2", shape->type, after);
    } else if (takes_two_convolutions(dress)) {
        add_second_convolution(builder, shape, dress);
    } else if (dress == DRESS_PROJECTED || dress == DRESS_INVERTED) {
        add_inverted_residual(builder, shape, dress);
    }
}

static NnModel *pack_model(OnnxBuilder *builder, GError **error)
{
    g_autoptr(GBytes) bytes = onnx_builder_pack(builder);
    return nn_model_load_bytes(bytes, "case", error);
}

/* The value of out0 as inferred for the bare case. */
static NnGraph *infer_bare(const Case *c, const Input *inputs, guint n, GError **error)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(c->opset);
    add_inputs(builder, inputs, n, DRESS_PLAIN);
    add_case_node(builder, c, inputs, n);
    add_outputs(builder, c, DRESS_PLAIN);
    g_autoptr(NnModel) model = pack_model(builder, error);
    if (!model)
        return NULL;
    NnGraph *graph = nn_graph_copy(nn_model_graph(model));
    if (nn_graph_infer(graph, NULL, 0, error))
        return graph;
    nn_graph_free(graph);
    return NULL;
}

static NnModel *build_model(const Case *c, const Input *inputs, guint n, Dress dress,
                            gboolean shared, GError **error)
{
    g_autoptr(NnGraph) bare = infer_bare(c, inputs, n, error);
    if (!bare)
        return NULL;
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(c->opset);
    add_inputs(builder, inputs, n, dress);
    if (is_enlarged(dress))
        add_enlarged(builder, inputs[0].array, dress, shared);
    add_case_node(builder, c, inputs, n);
    add_companions(builder, bare->outputs->pdata[0], dress);
    if (dress == DRESS_HEADS)
        add_other_head(builder, c, inputs);
    add_outputs(builder, c, dress);
    if (shared)
        onnx_builder_output(builder, "shared");
    return pack_model(builder, error);
}

/* Dresses that change layouts need channels to play with. */
static gboolean dress_fits(const Input *inputs, Dress dress)
{
    const NnArray *x = inputs[0].array;
    return dress == DRESS_PLAIN || (!inputs[0].constant && x->rank == 4);
}

/* ---------------------------------------------------------------- running */

typedef struct {
    NnGraph *graph; /* inferred, as the model has it: for the reference */
    NnArray *fed[MAX_SAMPLES][MAX_INPUTS];
    NnArray *expected[MAX_SAMPLES][MAX_INPUTS];
} Expectation;

static void expectation_clear(Expectation *e)
{
    for (guint s = 0; s < MAX_SAMPLES; s++)
        for (guint i = 0; i < MAX_INPUTS; i++) {
            g_clear_pointer(&e->fed[s][i], nn_array_unref);
            g_clear_pointer(&e->expected[s][i], nn_array_unref);
        }
    g_clear_pointer(&e->graph, nn_graph_free);
}

/* The range that the case asks for; what a dress adds is within -1..1. */
static void fill_input(NnArray *array, const char *name, const Input *inputs, guint32 *state)
{
    const Input *input =
        strcmp(name, "wide") == 0 || strcmp(name, "plain") == 0 ? &inputs[0] : NULL;
    if (g_str_has_prefix(name, "in") && g_ascii_isdigit(name[2]))
        input = &inputs[g_ascii_strtoull(name + 2, NULL, 10)];
    fill(array, input ? input->low : -1, input ? input->high : 1, state);
}

static gboolean expect(Expectation *e, NnModel *model, const Input *inputs, guint32 *state,
                       GError **error)
{
    e->graph = nn_graph_copy(nn_model_graph(model));
    if (!nn_graph_infer(e->graph, NULL, 0, error))
        return FALSE;
    for (guint s = 0; s < MAX_SAMPLES; s++) {
        for (guint i = 0; i < e->graph->inputs->len; i++) {
            const NnValue *input = e->graph->inputs->pdata[i];
            e->fed[s][i] = nn_value_array(input, error);
            if (!e->fed[s][i])
                return FALSE;
            fill_input(e->fed[s][i], input->name, inputs, state);
        }
        if (!nn_graph_evaluate(e->graph, e->fed[s], e->expected[s], error))
            return FALSE;
    }
    return TRUE;
}

/* The arrays of @n samples as one, dim 0 after dim 0. */
static NnArray *stack(NnArray *(*fed)[MAX_INPUTS], guint input, guint n)
{
    const NnArray *first = fed[0][input];
    const gint64 dims[1] = { (gint64)(first->n * n) };
    NnArray *all = nn_array_new(first->type, 1, dims);
    const gsize size_b = first->n * nn_type_size(first->type);
    for (guint s = 0; s < n; s++)
        memcpy((guint8 *)all->data + s * size_b, fed[s][input]->data, size_b);
    return all;
}

static gboolean poison_outputs(NnSlot *slot, NnNetwork *network, GError **error)
{
    for (guint i = 0; i < nn_network_n_outputs(network); i++) {
        const NnPlace place = nn_slot_output(slot, i);
        gsize size_b;
        if (clGetMemObjectInfo(place.memory, CL_MEM_SIZE, sizeof size_b, &size_b, NULL) !=
                CL_SUCCESS ||
            !ocl_fill(queue, place.memory, POISON, 0, size_b, NULL, error) ||
            !ocl_queue_finish(queue, error))
            return FALSE;
    }
    return TRUE;
}

/* A network of one launch writes nothing but its output, so that the blocks of samples beyond
 * @n_samples must still be poison. */
static gboolean check_guards(NnSlot *slot, NnNetwork *network, guint n_samples, GError **error)
{
    if (nn_network_n_launches(network) != 1)
        return TRUE;
    for (guint i = 0; i < nn_network_n_outputs(network); i++) {
        const NnPlace place = nn_slot_output(slot, i);
        const gsize element_b = nn_type_size(place.type);
        const gsize block_b = (gsize)place.sample_stride * element_b;
        const gsize first_b = (gsize)place.offset * element_b + n_samples * block_b;
        const gsize size_b = (MAX_SAMPLES - n_samples) * block_b;
        g_autofree guint8 *bytes = g_malloc(MAX(size_b, 1));
        if (size_b == 0 || place.offset % 64 != 0)
            continue;
        if (!ocl_read(queue, place.memory, first_b, bytes, size_b, NULL, error) ||
            !ocl_queue_finish(queue, error))
            return FALSE;
        for (gsize k = 0; k < size_b; k++)
            if (bytes[k] != POISON) {
                g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                            "wrote %" G_GSIZE_FORMAT " bytes past the last sample of output %u", k,
                            i);
                return FALSE;
            }
    }
    return TRUE;
}

/* The largest difference, relative to the largest element that is expected. */
static double worst_difference(const NnArray *got, gsize first, const NnArray *expected)
{
    double scale = 1e-6, worst = 0;
    for (gsize i = 0; i < expected->n; i++) {
        const double e = nn_array_get(expected, i);
        const double difference = fabs(nn_array_get(got, first + i) - e);
        scale = isfinite(e) ? MAX(scale, fabs(e)) : scale;
        worst = difference <= worst ? worst : isfinite(difference) ? difference : INFINITY;
    }
    return worst / scale;
}

/* Bits of sample 0 as they were when it ran alone. */
typedef struct {
    NnArray *alone[MAX_INPUTS];
} Alone;

static void alone_clear(Alone *alone)
{
    for (guint i = 0; i < MAX_INPUTS; i++)
        g_clear_pointer(&alone->alone[i], nn_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Alone, alone_clear)

static gboolean same_as_alone(Alone *alone, guint output, NnArray *got, gsize n)
{
    NnArray **first = &alone->alone[output];
    if (!*first) {
        *first = nn_array_ref(got);
        return TRUE;
    }
    return memcmp((*first)->data, got->data, n * nn_type_size(got->type)) == 0;
}

static gboolean check_outputs(NnSlot *slot, const Expectation *e, guint n_samples, double tolerance,
                              Alone *alone, double *worst, GError **error)
{
    for (guint i = 0; i < e->graph->outputs->len; i++) {
        g_autoptr(NnArray) got = nn_slot_read_output(slot, queue, i, n_samples, error);
        if (!got)
            return FALSE;
        const gsize n = e->expected[0][i]->n;
        for (guint s = 0; s < n_samples && got->n == n * n_samples; s++) {
            const double difference = worst_difference(got, s * n, e->expected[s][i]);
            *worst = MAX(*worst, difference);
            if (!(difference <= tolerance)) {
                g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                            "output %u, sample %u of %u: off by %.3g, allowed %.3g", i, s,
                            n_samples, difference, tolerance);
                return FALSE;
            }
        }
        if (!same_as_alone(alone, i, got, n)) {
            g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                        "output %u depends on what else is computed, in a batch of %u", i,
                        n_samples);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean run_samples(NnNetwork *network, NnSlot *slot, const Expectation *e, guint n_samples,
                            double tolerance, Alone *alone, double *worst, GError **error)
{
    if (!poison_outputs(slot, network, error))
        return FALSE;
    for (guint i = 0; i < e->graph->inputs->len; i++) {
        g_autoptr(NnArray) all = stack((NnArray * (*)[MAX_INPUTS]) e->fed, i, n_samples);
        if (!nn_slot_write_input(slot, queue, i, n_samples, all, error))
            return FALSE;
    }
    return nn_slot_run(slot, queue, n_samples, error) && ocl_queue_finish(queue, error) &&
           check_outputs(slot, e, n_samples, tolerance, alone, worst, error) &&
           check_guards(slot, network, n_samples, error);
}

/* @most_launches: that may compute everything; 0 for any number. *n_launches: (out). */
static gboolean run_network(NnModel *model, const Expectation *e, const char *variant,
                            gboolean fp16, guint most_launches, double tolerance, Alone *alone,
                            guint *n_launches, double *worst, GError **error)
{
    const NnNetworkParams params = { .max_samples = MAX_SAMPLES,
                                     .precision = fp16 ? NN_PRECISION_FP16 : NN_PRECISION_FP32,
                                     .variant = variant };
    g_autoptr(NnNetwork) network = nn_network_new(model, device, &params, error);
    g_autoptr(NnSlot) slot = network ? nn_slot_new(network, error) : NULL;
    gboolean ok = slot != NULL;
    *n_launches = network ? nn_network_n_launches(network) : 0;
    if (ok && most_launches > 0 && *n_launches > most_launches) {
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "%u launches, at most %u are needed",
                    *n_launches, most_launches);
        ok = FALSE;
    }
    for (guint n = 1; n <= most_samples && ok; n++)
        ok = run_samples(network, slot, e, n, tolerance, alone, worst, error);
    return ok;
}

/* ---------------------------------------------------------------- the list of tests */

static const char *const dress_names[N_DRESSES] = {
    "plain",  "sliced",    "row-major",   "residual-relu",   "hardswish", "scaled",     "expanded",
    "pooled", "kept",      "separable",   "prelu",           "heads",     "added",      "halved",
    "normed", "projected", "inverted",    "enlarged",        "grown",     "normed-few", "sigmoid",
    "sides",  "cascade",   "normed-conv", "normed-enlarged",
};

static double tolerance_of(const Case *c, gboolean fp16)
{
    /* Halves: 11 bits, rounded on the way in, at the end, and between launches. */
    return MAX(c->tolerance, fp16 ? 2e-3 : 1e-5);
}

/* What a fused case needs; an inverted residual one more, for the numbers of its channels, and with
 * parts of what lies between another. */
static guint most_launches(Dress dress, const char *variant, gboolean fp16)
{
    if (dress == DRESS_PROJECTED || dress == DRESS_INVERTED)
        return fp16 ? 2 + (g_strcmp0(variant, "conv_inverted:split") == 0) : 0;
    if (dress == DRESS_NORMED_FEW || dress == DRESS_NORMED_CONV || dress == DRESS_NORMED_ENLARGED)
        return fp16 ? 2 : 0;
    if (g_strcmp0(variant, "resize_joined") == 0)
        return dress == DRESS_CASCADE ? 4 : dress == DRESS_SIDES ? 2 : 1;
    const gboolean fused = takes_two_convolutions(dress) || dress == DRESS_HEADS ||
                           (dress == DRESS_EPILOGUE && g_strcmp0(variant, "resize_map") == 0);
    return fused && device->device_class == OCL_CLASS_CPU ? 1 : 0;
}

/* @shared: see add_enlarged(). */
static gboolean run_model(const Case *c, Dress dress, const char *variant, gboolean fp16,
                          gboolean shared, Alone *alone, guint *n_launches, double *worst,
                          GError **error)
{
    Input inputs[MAX_INPUTS] = { { 0 } };
    Expectation e = { 0 };
    guint32 state = seed * 2654435761u | 1;
    const guint n = parse_inputs(c, inputs, &state);
    g_autoptr(NnModel) model = build_model(c, inputs, n, dress, shared, error);
    const gboolean ok = model && expect(&e, model, inputs, &state, error) &&
                        run_network(model, &e, variant, fp16, most_launches(dress, variant, fp16),
                                    tolerance_of(c, fp16), alone, n_launches, worst, error);
    expectation_clear(&e);
    for (guint i = 0; i < n; i++)
        input_clear(&inputs[i]);
    return ok;
}

/* What is enlarged within the convolution gives the same bits as what is stored first, as something
 * else uses it, too; on CPUs the numbers alone are the same, as Resize has a kernel of its own. */
static gboolean run_case(const Case *c, Dress dress, const char *variant, gboolean fp16,
                         double *worst, GError **error)
{
    g_auto(Alone) alone = { { NULL } };
    guint n_within, n_stored;
    if (!run_model(c, dress, variant, fp16, FALSE, &alone, &n_within, worst, error))
        return FALSE;
    if (!is_enlarged(dress))
        return TRUE;
    if (device->device_class == OCL_CLASS_CPU)
        alone_clear(&alone);
    if (!run_model(c, dress, variant, fp16, TRUE, &alone, &n_stored, worst, error))
        return FALSE;
    if (n_stored == n_within + (fp16 ? 2 : 1))
        return TRUE;
    g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "%u launches, and %u with the enlarged map stored",
                n_within, n_stored);
    return FALSE;
}

static gboolean uses_dress(const Case *c, Dress dress)
{
    Input inputs[MAX_INPUTS] = { { 0 } };
    guint32 state = 1;
    if (!(c->dresses & 1u << dress))
        return FALSE;
    const guint n = parse_inputs(c, inputs, &state);
    const gboolean fits = dress_fits(inputs, dress);
    for (guint i = 0; i < n; i++)
        input_clear(&inputs[i]);
    return fits;
}

static guint n_run, n_failed;
static gboolean all;                        /* cases in every dress */
static guint part = 1, n_parts = 1, n_seen; /* every n_parts-th case is run, from the part-th on */

/* Without filters everything passes. */
static gboolean passes(const char *name, char *const *filters)
{
    for (guint i = 0; filters && filters[i]; i++)
        if (strstr(name, filters[i]))
            return TRUE;
    return !filters;
}

static void run_one(const Case *c, Dress dress, const char *variant, gboolean fp16,
                    char *const *filters, gboolean list)
{
    g_autofree char *name =
        g_strdup_printf("%s-%d (%s) %s %s %s %s", c->type, c->opset, c->inputs, c->attributes,
                        *variant ? variant : "any", dress_names[dress], fp16 ? "fp16" : "fp32");
    g_autoptr(GError) error = NULL;
    double worst = 0;
    if (n_seen++ % n_parts != part - 1 || !passes(name, filters))
        return;
    n_run++;
    if (list) {
        g_print("%s\n", name);
        return;
    }
    if (run_case(c, dress, *variant ? variant : NULL, fp16, &worst, &error)) {
        g_print("ok %u - %s: %.2g\n", n_run, name, worst);
        return;
    }
    n_failed++;
    g_print("not ok %u - %s\n# %s\n# test-kernels --seed %u --filter '%s'\n", n_run, name,
            error->message, seed, name);
}

/* What a dress or halves do hardly depends on the geometry, but compiling it takes time: a case by
 * a variant wears every fourth of the common dresses and sees halves every other time, other ones
 * than its neighbours, unless all are asked for. What kernels on tensor cores do behind their sums
 * hardly depends on their tiles. */
static gboolean is_chosen(guint index, Dress dress, gboolean fp16)
{
    if (!all && dress >= DRESS_ADDED)
        return (index + dress + fp16) % 3 == 0;
    if (all || dress > DRESS_SCALED)
        return TRUE;
    return (dress == DRESS_PLAIN || (index + dress) % 4 == 0) &&
           (!fp16 || (index / 4 + dress) % 2 == 0);
}

static void run_all(char *const *filters, gboolean list)
{
    for (guint i = 0; i < n_cases; i++) {
        g_auto(GStrv) variants =
            g_strsplit(*cases[i].variants ? cases[i].variants : "none", " ", -1);
        for (guint dress = 0; dress < N_DRESSES; dress++) {
            if (!uses_dress(&cases[i], dress))
                continue;
            for (guint v = 0; variants[v]; v++)
                for (int fp16 = 0; fp16 < 2; fp16++)
                    if (is_chosen(i + v, dress, fp16))
                        run_one(&cases[i], dress, *cases[i].variants ? variants[v] : "", fp16,
                                filters, list);
        }
    }
}

/* Lets kernels of another class of devices run: those for CPUs on a simulated GPU, those for GPUs
 * on a CPU. FALSE if there is no such class. */
static gboolean set_class(const char *class_name)
{
    if (g_strcmp0(class_name, "cpu") == 0)
        device->device_class = OCL_CLASS_CPU;
    else if (g_strcmp0(class_name, "generic") == 0)
        device->device_class = OCL_CLASS_GENERIC;
    else
        return !class_name;
    return TRUE;
}

/* Every function that kernels call is declared in kernels/builtins.cl. */
static void fail_if_undeclared(const char *domain, GLogLevelFlags level, const char *message,
                               gpointer data)
{
    if (strstr(message, "builtins.cl"))
        g_error("%s", message);
    g_log_default_handler(domain, level, message, data);
}

int main(int argc, char **argv)
{
    g_auto(GStrv) filters = NULL;
    g_autofree char *spec = NULL, *parts = NULL, *class_name = NULL;
    gboolean list = FALSE;
    int seed_option = 1, samples = MAX_SAMPLES;
    const GOptionEntry entries[] = {
        { "filter", 'f', 0, G_OPTION_ARG_STRING_ARRAY, &filters,
          "Only names that hold TEXT, or one of several", "TEXT" },
        { "all", 'a', 0, G_OPTION_ARG_NONE, &all, "Every case in every dress; --filter implies it",
          NULL },
        { "part", 'p', 0, G_OPTION_ARG_STRING, &parts, "Only every Nth case, from the Kth on",
          "K/N" },
        { "seed", 's', 0, G_OPTION_ARG_INT, &seed_option, "Of the random numbers", "N" },
        { "list", 'l', 0, G_OPTION_ARG_NONE, &list, "Names only", NULL },
        { "device", 'd', 0, G_OPTION_ARG_STRING, &spec, "As in ocl_device_open()", "SPEC" },
        { "class", 'c', 0, G_OPTION_ARG_STRING, &class_name, "Take the device for one of these",
          "cpu|generic" },
        { "samples", 'n', 0, G_OPTION_ARG_INT, &samples, "At once, at most; default 3", "N" },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("%s\n", error->message);
        return 2;
    }
    if (parts && (sscanf(parts, "%u/%u", &part, &n_parts) != 2 || !part || part > n_parts)) {
        g_printerr("--part wants K/N, as 1/4, not %s\n", parts);
        return 2;
    }
    all |= filters != NULL;
    most_samples = (guint)CLAMP(samples, 1, MAX_SAMPLES);
    seed = (guint32)seed_option;
    g_log_set_handler(NULL, G_LOG_LEVEL_DEBUG, fail_if_undeclared, NULL);
    device = ocl_device_open(spec, &error);
    queue = device ? ocl_queue_new(device, "test", FALSE, &error) : NULL;
    if (!queue) {
        g_print("Bail out! %s\n", error->message);
        return 1;
    }
    if (!set_class(class_name)) {
        g_printerr("--class wants cpu or generic, not %s\n", class_name);
        return 2;
    }
    run_all(filters, list);
    if (!list)
        g_print("1..%u\n", n_run);
    ocl_queue_free(queue);
    ocl_device_unref(device);
    return n_failed > 0;
}
