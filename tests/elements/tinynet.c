/* tinynet.c - networks of a few operators whose results can be told in the head.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tinynet.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include <face.h>

#include "onnx-builder.h"

/* @description: (nullable): no sidecar. */
static char *save(const void *data, gsize size_b, const char *description)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("clmatte-net-XXXXXX", &error);
    g_assert_no_error(error);
    char *path = g_build_filename(folder, "net.onnx", NULL);
    g_autofree char *info = g_strconcat(path, ".modelinfo", NULL);
    g_assert_true(g_file_set_contents(path, data, (gssize)size_b, NULL));
    if (description)
        g_assert_true(g_file_set_contents(info, description, -1, NULL));
    return path;
}

static char *save_model(OnnxBuilder *builder, const char *description)
{
    g_autoptr(GBytes) bytes = onnx_builder_pack(builder);
    gsize size_b;
    const void *data = g_bytes_get_data(bytes, &size_b);
    return save(data, size_b, description);
}

static char *save_bare(OnnxBuilder *builder)
{
    g_autoptr(GBytes) bytes = onnx_builder_pack(builder);
    gsize size_b;
    const void *data = g_bytes_get_data(bytes, &size_b);
    return save(data, size_b, NULL);
}

#define FITTED(fit)                                                                                \
    "[modelinfo]\nversion=1.0\ngroup-id=test\n\n[image]\ndir=input\nranges=0,1\nfit=" fit "\n\n"
#define PICTURE FITTED("stretch")
#define NEGATIVE "[picture]\ndir=output\nrole=image\nranges=0,1\n"

static const float red[3] = { 1, 0, 0 };

char *tinynet_red(void)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "image", NN_FLOAT32, "1,3,8,16");
    onnx_builder_floats(builder, "w", "1,3,1,1", red);
    onnx_builder_node(builder, "Conv", "image,w", "alpha");
    onnx_builder_output(builder, "alpha");
    return save_model(builder, PICTURE "[alpha]\ndir=output\nmatte=alpha\n");
}

char *tinynet_red_in_the_thousands(gboolean precise)
{
    float thousands[8 * 16];
    for (guint i = 0; i < G_N_ELEMENTS(thousands); i++)
        thousands[i] = 1000;
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "image", NN_FLOAT32, "1,3,8,16");
    onnx_builder_floats(builder, "w", "1,3,1,1", red);
    onnx_builder_floats(builder, "t", "1,1,8,16", thousands);
    onnx_builder_node(builder, "Conv", "image,w", "a");
    onnx_builder_node(builder, "Add", "a,t", "b");
    onnx_builder_node(builder, "Abs", "b", "c");
    onnx_builder_node(builder, "Sub", "c,t", "alpha");
    onnx_builder_output(builder, "alpha");
    const char *description = PICTURE "[alpha]\ndir=output\nmatte=alpha\n";
    g_autofree char *asking =
        g_strdup_printf("[modelinfo]\nprecision=fp32\n%s", strchr(description, '\n') + 1);
    return save_model(builder, precise ? asking : description);
}

char *tinynet_red_in_steps(void)
{
    float spread[32 * 3] = { 0 }, keep[32 * 32 * 9] = { 0 }, gather[32] = { 0 };
    for (guint k = 0; k < 32; k++) {
        spread[k * 3] = 1;
        keep[(k * 32 + k) * 9 + 4] = 1;
        gather[k] = 1.0f / 32;
    }
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "image", NN_FLOAT32, "1,3,8,16");
    onnx_builder_floats(builder, "s", "32,3,1,1", spread);
    onnx_builder_floats(builder, "k", "32,32,3,3", keep);
    onnx_builder_floats(builder, "g", "1,32,1,1", gather);
    onnx_builder_node(builder, "Conv", "image,s", "a");
    onnx_node_ints(onnx_builder_node(builder, "Conv", "a,k", "b"), "pads", "1,1,1,1");
    onnx_builder_node(builder, "Conv", "b,g", "alpha");
    onnx_builder_output(builder, "alpha");
    return save_model(builder, PICTURE "[alpha]\ndir=output\nmatte=alpha\n");
}

char *tinynet_rising(void)
{
    static const float quarter[3] = { 0.25f, 0, 0 };
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "image", NN_FLOAT32, "1,3,8,16");
    onnx_builder_input(builder, "before", NN_FLOAT32, "?,?,?,?");
    onnx_builder_floats(builder, "w", "1,3,1,1", quarter);
    onnx_builder_node(builder, "Conv", "image,w", "step");
    onnx_builder_node(builder, "Add", "step,before", "alpha");
    onnx_builder_node(builder, "Identity", "alpha", "after");
    onnx_builder_output(builder, "alpha");
    onnx_builder_output(builder, "after");
    return save_model(builder, PICTURE "[before]\ndir=input\nstate-from=after\n\n"
                                       "[alpha]\ndir=output\nmatte=alpha\n");
}

#define LAGGING_CHANNELS 8 /* so that a state is larger than the picture */

char *tinynet_lagging(void)
{
    float quarter[LAGGING_CHANNELS * 3] = { 0 }, mean[LAGGING_CHANNELS];
    for (guint k = 0; k < LAGGING_CHANNELS; k++) {
        quarter[k * 3] = 0.25f;
        mean[k] = 1.0f / LAGGING_CHANNELS;
    }
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "image", NN_FLOAT32, "1,3,8,16");
    onnx_builder_input(builder, "sum", NN_FLOAT32, "?,?,?,?");
    onnx_builder_input(builder, "half", NN_FLOAT32, "?,?,?,?");
    onnx_builder_floats(builder, "q", "8,3,1,1", quarter);
    onnx_builder_floats(builder, "m", "1,8,1,1", mean);
    onnx_builder_float(builder, "two", 2);
    onnx_builder_node(builder, "Conv", "image,q", "step");
    onnx_builder_node(builder, "Add", "step,sum", "next_sum");
    onnx_builder_node(builder, "Div", "next_sum,two", "next_half");
    /* The first half is of one element; this gives it the others' shape. */
    onnx_builder_node(builder, "Sub", "next_sum,next_sum", "nothing");
    onnx_builder_node(builder, "Add", "half,nothing", "before");
    onnx_builder_node(builder, "Conv", "before,m", "alpha");
    onnx_builder_output(builder, "alpha");
    onnx_builder_output(builder, "next_sum");
    onnx_builder_output(builder, "next_half");
    return save_model(builder, PICTURE "[alpha]\ndir=output\nmatte=alpha\n\n"
                                       "[sum]\ndir=input\nstate-from=next_sum\n\n"
                                       "[half]\ndir=input\nstate-from=next_half\n");
}

static OnnxBuilder *negative(float white, const char *shape)
{
    static const float minus[9] = { -1, 0, 0, 0, -1, 0, 0, 0, -1 };
    const float bias[3] = { white, white, white };
    OnnxBuilder *builder = onnx_builder_new(13);
    onnx_builder_input(builder, "image", NN_FLOAT32, shape);
    onnx_builder_floats(builder, "w", "3,3,1,1", minus);
    onnx_builder_floats(builder, "b", "3", bias);
    onnx_builder_node(builder, "Conv", "image,w,b", "picture");
    onnx_builder_output(builder, "picture");
    return builder;
}

char *tinynet_negative(void)
{
    g_autoptr(OnnxBuilder) builder = negative(1, "1,3,8,16");
    return save_model(builder, PICTURE NEGATIVE);
}

char *tinynet_negative_in_tiles(void)
{
    g_autoptr(OnnxBuilder) builder = negative(1, "1,3,8,16");
    return save_model(builder, FITTED("tile") NEGATIVE);
}

char *tinynet_negative_of_any_size(void)
{
    g_autoptr(OnnxBuilder) builder = negative(0, "1,3,?,?");
    return save_bare(builder);
}

static char *restorer(float gain, float offset, const char *shape)
{
    const float weights[9] = { gain, 0, 0, 0, gain, 0, 0, 0, gain };
    const float bias[3] = { offset, offset, offset };
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "image", NN_FLOAT32, shape);
    onnx_builder_floats(builder, "w", "3,3,1,1", weights);
    onnx_builder_floats(builder, "b", "3", bias);
    onnx_builder_node(builder, "Conv", "image,w,b", "picture");
    onnx_builder_output(builder, "picture");
    return save_model(builder, PICTURE "[picture]\ndir=output\nrole=image\nranges=0,1\n");
}

char *tinynet_restorer(float gain, float offset)
{
    return restorer(gain, offset, "1,3,32,32");
}

char *tinynet_striping_restorer(void)
{
    const float same[9] = { 1, 0, 0, 0, 1, 0, 0, 0, 1 };
    float stripes[3 * TINYNET_FACE * TINYNET_FACE];
    for (guint i = 0; i < G_N_ELEMENTS(stripes); i++)
        stripes[i] = 0.16f * sinf(0.25f * (float)G_PI * (float)(i % TINYNET_FACE));
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "image", NN_FLOAT32, "1,3,32,32");
    onnx_builder_floats(builder, "w", "3,3,1,1", same);
    onnx_builder_floats(builder, "stripes", "1,3,32,32", stripes);
    onnx_builder_node(builder, "Conv", "image,w", "x");
    onnx_builder_node(builder, "Add", "x,stripes", "picture");
    onnx_builder_output(builder, "picture");
    return save_model(builder, PICTURE "[picture]\ndir=output\nrole=image\nranges=0,1\n");
}

char *tinynet_oblong(void)
{
    return restorer(1, 0, "1,3,32,24");
}

char *tinynet_enlarger(void)
{
    float weights[12 * 3] = { 0 };
    for (guint i = 0; i < 12; i++)
        weights[3 * i + i / 4] = 1;
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "input", NN_FLOAT32, "1,3,?,?");
    onnx_builder_floats(builder, "w", "12,3,1,1", weights);
    onnx_builder_node(builder, "Conv", "input,w", "x");
    Onnx__NodeProto *shuffle = onnx_builder_node(builder, "DepthToSpace", "x", "output");
    onnx_node_int(shuffle, "blocksize", 2);
    onnx_node_string(shuffle, "mode", "CRD");
    onnx_builder_output(builder, "output");
    return save_bare(builder);
}

/* One output: @channels numbers for each of the cells, in rows of @columns; constant but for what
 * @weights add. */
static void add_head(OnnxBuilder *builder, const char *name, guint stride, guint channels,
                     guint columns, const float *weights, const float *bias)
{
    g_autofree char *w = g_strconcat(name, "_w", NULL), *b = g_strconcat(name, "_b", NULL);
    g_autofree char *map = g_strconcat(name, "_map", NULL),
                    *last = g_strconcat(name, "_nhwc", NULL);
    g_autofree char *shape = g_strconcat(name, "_shape", NULL);
    g_autofree char *w_shape = g_strdup_printf("%u,3,%u,%u", channels, stride, stride);
    g_autofree char *b_shape = g_strdup_printf("%u", channels);
    g_autofree char *y_shape = g_strdup_printf("1,-1,%u", columns);
    g_autofree char *strides = g_strdup_printf("%u,%u", stride, stride);
    g_autofree char *conv_inputs = g_strdup_printf("input,%s,%s", w, b);
    g_autofree char *inputs = g_strdup_printf("%s,%s", last, shape);
    onnx_builder_floats(builder, w, w_shape, weights);
    onnx_builder_floats(builder, b, b_shape, bias);
    onnx_builder_ints(builder, shape, y_shape);
    onnx_node_ints(onnx_builder_node(builder, "Conv", conv_inputs, map), "strides", strides);
    onnx_node_ints(onnx_builder_node(builder, "Transpose", map, last), "perm", "0,2,3,1");
    onnx_builder_node(builder, "Reshape", inputs, name);
    onnx_builder_output(builder, name);
}

/* Mean of red less green and blue over the cell; nothing but at stride 8. */
static void add_score(OnnxBuilder *builder, const char *name, guint stride)
{
    const float none = 0, share = 1 / (255.0f * 64);
    g_autofree float *weights = g_new0(float, 3 * stride * stride);
    for (guint i = 0; i < 3 * 64 && stride == 8; i++)
        weights[i] = i / 64 == 2 ? share : -share; /* B G R */
    add_head(builder, name, stride, 1, 1, weights, &none);
}

static void add_constant(OnnxBuilder *builder, const char *name, guint stride, guint channels,
                         guint columns, const float *values)
{
    g_autofree float *weights = g_new0(float, channels * 3 * stride * stride);
    add_head(builder, name, stride, channels, columns, weights, values);
}

char *tinynet_undescribed(void)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "image", NN_FLOAT32, "1,3,?,?");
    onnx_builder_floats(builder, "w", "1,3,1,1", red);
    onnx_builder_node(builder, "Conv", "image,w", "red");
    onnx_builder_output(builder, "red");
    return save_bare(builder);
}

/* @tremble: cells that all landmarks move by for each step of noise. */
static char *detector(float tremble)
{
    /* exp(1.0986123) cells of 8 px; the middle of a cell is half a cell on. */
    const float box[4] = { 0.5f, 0.5f, 1.0986123f, 1.0986123f };
    VideoPoint points[VIDEO_FACE_POINTS];
    float numbers[2 * VIDEO_FACE_POINTS];
    video_template_points(VIDEO_TEMPLATE_GPEN, TINYNET_FACE, points);
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++) {
        numbers[2 * i] = (points[i].x + 0.5f - 12) / 8;
        numbers[2 * i + 1] = (points[i].y + 0.5f - 12) / 8;
    }
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "input", NN_FLOAT32, "1,3,?,?");
    /* By how much the blue of corners across from each other differs. */
    float corners[2 * VIDEO_FACE_POINTS * 3 * 64] = { 0 };
    for (guint i = 0; i < 2 * VIDEO_FACE_POINTS; i++) {
        corners[i * 3 * 64 + (i % 2 ? 7 : 0)] = tremble;
        corners[i * 3 * 64 + (i % 2 ? 56 : 63)] = -tremble;
    }
    for (guint stride = 8; stride <= 32; stride *= 2) {
        g_autofree char *class = g_strdup_printf("cls_%u", stride);
        g_autofree char *object = g_strdup_printf("obj_%u", stride);
        g_autofree char *boxes = g_strdup_printf("bbox_%u", stride);
        g_autofree char *landmarks = g_strdup_printf("kps_%u", stride);
        add_score(builder, class, stride);
        add_score(builder, object, stride);
        add_constant(builder, boxes, stride, 4, 4, box);
        if (stride == 8)
            add_head(builder, landmarks, stride, 10, 10, corners, numbers);
        else
            add_constant(builder, landmarks, stride, 10, 10, numbers);
    }
    return save_bare(builder);
}

char *tinynet_detector(void)
{
    return detector(0);
}

char *tinynet_trembling_detector(void)
{
    return detector(0.03f);
}

char *tinynet_boxes(void)
{
    const float numbers[8] = { 0 };
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "input", NN_FLOAT32, "1,3,?,?");
    /* Two priors a cell. */
    for (guint stride = 8; stride <= 32; stride *= 2) {
        g_autofree char *score = g_strdup_printf("score_%u", stride);
        g_autofree char *boxes = g_strdup_printf("bbox_%u", stride);
        add_constant(builder, score, stride, 2, 1, numbers);
        add_constant(builder, boxes, stride, 8, 4, numbers);
    }
    return save_bare(builder);
}

char *tinynet_damaged(void)
{
    return save("this is no model", strlen("this is no model"), PICTURE);
}

void tinynet_remove(char *path)
{
    g_autofree char *info = g_strconcat(path, ".modelinfo", NULL);
    g_autofree char *folder = g_path_get_dirname(path);
    g_unlink(info);
    g_unlink(path);
    g_rmdir(folder);
    g_free(path);
}
