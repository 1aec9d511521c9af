/* casemodel.c - from a case to a model: its inputs, its operator, and what a dress puts around it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "casemodel.h"

#include <math.h>
#include <string.h>

#include "../nn/onnx-builder.h"

/* ---------------------------------------------------------------- random numbers */

/* xorshift32: the numbers depend on the seed alone. */
static guint32 next_random(guint32 *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

void case_fill(NnArray *array, double low, double high, guint32 *state)
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

void case_input_clear(CaseInput *input)
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
static CaseInput parse_input(const char *word, guint32 *state)
{
    CaseInput input = { .low = -1, .high = 1 };
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
        case_fill(input.array, input.low, input.high, state);
    return input;
}

guint case_parse_inputs(const Case *c, CaseInput inputs[CASE_INPUTS], guint32 *state)
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

gboolean dress_enlarges(Dress dress)
{
    return dress == DRESS_ENLARGED || dress == DRESS_GROWN;
}

/* CaseInput 0, part of which is enlarged. @shared: something else uses the enlarged map, too. */
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

static void add_inputs(OnnxBuilder *builder, const CaseInput *inputs, guint n, Dress dress)
{
    for (guint i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("in%u", i);
        if (inputs[i].left_out || (i == 0 && dress_enlarges(dress)))
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

static void add_case_node(OnnxBuilder *builder, const Case *c, const CaseInput *inputs, guint n)
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

gboolean dress_adds_convolution(Dress dress)
{
    return dress == DRESS_EXPANDED || dress == DRESS_POOLED || dress == DRESS_KEPT ||
           dress == DRESS_SEPARABLE;
}

/* A second convolution behind the node's, and what is behind that; @x is what the node computes. */
static void add_second_convolution(OnnxBuilder *builder, const NnValue *x, Dress dress,
                                   guint32 seed)
{
    const gint64 channels = x->dims[1], rows = x->dims[2], columns = x->dims[3];
    const gboolean expanded = dress != DRESS_SEPARABLE;
    const gboolean pooled = dress == DRESS_POOLED || dress == DRESS_KEPT;
    const gint64 dims[2][4] = { { channels, 1, 5, 3 }, { 21, channels, 1, 1 } };
    const gint64 bias_dims[1] = { expanded ? channels : 21 };
    g_autoptr(NnArray) weights = nn_array_new(NN_FLOAT32, 4, dims[!expanded]);
    g_autoptr(NnArray) bias = nn_array_new(NN_FLOAT32, 1, bias_dims);
    guint32 state = seed | 1;
    case_fill(weights, -1, 1, &state);
    case_fill(bias, -1, 1, &state);
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
    case_fill(weights, -1, 1, state);
    case_fill(bias, -1, 1, state);
    onnx_builder_array(builder, weights_name, weights);
    onnx_builder_array(builder, bias_name, bias);
    return onnx_builder_node(builder, "Conv", inputs, name);
}

/* What makes an inverted residual of the case's convolution and its output @x; of 8 channels, one
 * with more outputs than one work-group has. */
static void add_inverted_residual(OnnxBuilder *builder, const NnValue *x, Dress dress, guint32 seed)
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
    return dress == DRESS_SIDES || dress == DRESS_SIDES_EACH || dress == DRESS_CASCADE;
}

static void add_outputs(OnnxBuilder *builder, const Case *c, Dress dress)
{
    const gboolean bare = dress == DRESS_PLAIN || dress == DRESS_ROW_MAJOR || dress_enlarges(dress);
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
        if (dress != DRESS_SIDES_EACH)
            return;
        onnx_builder_node(builder, "Sigmoid", "large_side", "large_dressed");
        onnx_builder_output(builder, "large_dressed");
    } else if (dress == DRESS_ACTIVATION) {
        onnx_node_float(onnx_builder_node(builder, "HardSigmoid", "out0", "gate"), "alpha",
                        1.0f / 6.0f);
        onnx_builder_node(builder, "Mul", "out0,gate", "dressed");
        onnx_builder_output(builder, "dressed");
    }
}

/* Another convolution of input 0, as the case's, with two outputs. */
static void add_other_head(OnnxBuilder *builder, const Case *c, const CaseInput *inputs)
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
static void add_normalisation(OnnxBuilder *builder, gint64 channels, Dress dress, guint32 seed)
{
    const gint64 first = channels / 2 & ~(gint64)7, second = channels - first;
    g_autofree char *middle = g_strdup_printf("%" G_GINT64_FORMAT, first);
    g_autofree char *end = g_strdup_printf("%" G_GINT64_FORMAT, channels);
    g_autofree char *n = g_strdup_printf("%" G_GINT64_FORMAT, second);
    g_autoptr(NnArray) variance = nn_array_new(NN_FLOAT32, 1, &first);
    guint32 state = seed | 1;
    case_fill(variance, 0.5, 2, &state);
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
    if (dress != DRESS_CASCADE)
        onnx_builder_input(builder, "side", shape->type, "1,1,2,3");
    else
        onnx_node_ints(onnx_builder_node(builder, "MaxPool", "out0", "side"), "kernel_shape",
                       "2,3");
    onnx_builder_ints(builder, "side_sizes", sizes);
    onnx_node_string(onnx_builder_node(builder, "Resize", "side,,,side_sizes", "large_side"),
                     "mode", "linear");
}

/* What a dress needs beside the output is shaped like it: @shape is out0's. */
static void add_companions(OnnxBuilder *builder, const NnValue *shape, Dress dress, guint32 seed)
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
        add_normalisation(builder, array.dims[1], dress, seed);
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
    } else if (dress_adds_convolution(dress)) {
        add_second_convolution(builder, shape, dress, seed);
    } else if (dress == DRESS_PROJECTED || dress == DRESS_INVERTED) {
        add_inverted_residual(builder, shape, dress, seed);
    }
}

static NnModel *pack_model(OnnxBuilder *builder, GError **error)
{
    g_autoptr(GBytes) bytes = onnx_builder_pack(builder);
    return nn_model_load_bytes(bytes, "case", error);
}

/* The value of out0 as inferred for the bare case. */
static NnGraph *infer_bare(const Case *c, const CaseInput *inputs, guint n, GError **error)
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

NnModel *case_build_model(const Case *c, const CaseInput *inputs, guint n, Dress dress,
                          gboolean shared, guint32 seed, GError **error)
{
    g_autoptr(NnGraph) bare = infer_bare(c, inputs, n, error);
    if (!bare)
        return NULL;
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(c->opset);
    add_inputs(builder, inputs, n, dress);
    if (dress_enlarges(dress))
        add_enlarged(builder, inputs[0].array, dress, shared);
    add_case_node(builder, c, inputs, n);
    add_companions(builder, bare->outputs->pdata[0], dress, seed);
    if (dress == DRESS_HEADS)
        add_other_head(builder, c, inputs);
    add_outputs(builder, c, dress);
    if (shared)
        onnx_builder_output(builder, "shared");
    return pack_model(builder, error);
}

gboolean dress_fits(const CaseInput *inputs, Dress dress)
{
    const NnArray *x = inputs[0].array;
    return dress == DRESS_PLAIN || (!inputs[0].constant && x->rank == 4);
}
