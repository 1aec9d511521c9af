/* tinynet.c - networks of a few operators whose results can be told in the head.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tinynet.h"

#include <glib/gstdio.h>
#include <string.h>

#include "onnx-builder.h"

static char *save(const void *data, gsize size_b, const char *description)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("clmatte-net-XXXXXX", &error);
    g_assert_no_error(error);
    char *path = g_build_filename(folder, "net.onnx", NULL);
    g_autofree char *info = g_strconcat(path, ".modelinfo", NULL);
    g_assert_true(g_file_set_contents(path, data, (gssize)size_b, NULL));
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

#define PICTURE                                                                                    \
    "[modelinfo]\nversion=1.0\ngroup-id=test\n\n[image]\ndir=input\nranges=0,1\nfit=stretch\n\n"

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

char *tinynet_negative(void)
{
    static const float negative[9] = { -1, 0, 0, 0, -1, 0, 0, 0, -1 }, one[3] = { 1, 1, 1 };
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    onnx_builder_input(builder, "image", NN_FLOAT32, "1,3,8,16");
    onnx_builder_floats(builder, "w", "3,3,1,1", negative);
    onnx_builder_floats(builder, "b", "3", one);
    onnx_builder_node(builder, "Conv", "image,w,b", "picture");
    onnx_builder_output(builder, "picture");
    return save_model(builder, PICTURE "[picture]\ndir=output\nrole=image\nranges=0,1\n");
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
