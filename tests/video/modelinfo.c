/* modelinfo.c - tests of what is known of a model: sidecars, presets, sizes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#include <glib/gstdio.h>
#include <math.h>
#include <modelinfo.h>
#include <string.h>

/* ---------------------------------------------------------------- graphs without nodes */

static void add_value(GPtrArray *list, NnGraph *graph, const char *name, int rank,
                      const gint64 *dims)
{
    NnValue *value = nn_graph_value(graph, name);
    value->type = NN_FLOAT32;
    value->rank = rank;
    for (int i = 0; i < rank; i++)
        value->dims[i] = dims[i];
    g_ptr_array_add(list, value);
}

static NnGraph *graph_new(const char *input, gint64 c, gint64 h, gint64 w, const char *output,
                          gint64 channels)
{
    NnGraph *graph = nn_graph_new();
    add_value(graph->inputs, graph, input, 4, (const gint64[]){ 1, c, h, w });
    add_value(graph->outputs, graph, output, 4, (const gint64[]){ 1, channels, h, w });
    return graph;
}

/* A network that computes its output, whose shape the file leaves out. */
static NnGraph *shapeless_graph(gint64 side, gint64 channels)
{
    const gint64 dims[4] = { channels, 3, 1, 1 };
    NnGraph *graph = nn_graph_new();
    add_value(graph->inputs, graph, "input", 4, (const gint64[]){ -1, 3, side, side });
    NnValue *weights = nn_graph_constant(graph, "w", nn_array_new(NN_FLOAT32, 4, dims));
    NnNode *node = nn_graph_add_node(graph, "Conv", "conv", 13);
    g_ptr_array_add(node->inputs, graph->inputs->pdata[0]);
    g_ptr_array_add(node->inputs, weights);
    g_ptr_array_add(node->outputs, nn_graph_value(graph, "output"));
    g_ptr_array_add(graph->outputs, nn_graph_value(graph, "output"));
    return graph;
}

static NnGraph *rvm_graph(void)
{
    NnGraph *graph = graph_new("src", 3, -1, -1, "fgr", -1);
    add_value(graph->outputs, graph, "pha", 4, (const gint64[]){ -1, -1, -1, -1 });
    for (guint i = 1; i <= 4; i++) {
        g_autofree char *in = g_strdup_printf("r%ui", i);
        g_autofree char *out = g_strdup_printf("r%uo", i);
        add_value(graph->inputs, graph, in, 4, (const gint64[]){ -1, -1, -1, -1 });
        add_value(graph->outputs, graph, out, 4, (const gint64[]){ -1, -1, -1, -1 });
    }
    add_value(graph->inputs, graph, "downsample_ratio", 1, (const gint64[]){ 1 });
    return graph;
}

/* ---------------------------------------------------------------- presets */

/* @graph: (transfer full). */
static void check_match(NnGraph *graph, const char *name)
{
    g_autoptr(VideoModelInfo) info = video_model_info_match(graph);
    g_assert_nonnull(info);
    g_assert_cmpstr(info->name, ==, name);
    g_assert_false(info->guessed);
    nn_graph_free(graph);
}

static void known_networks_are_recognised(void)
{
    check_match(graph_new("image", 3, -1, -1, "alpha", 1), "clmatte");
    check_match(graph_new("input.1", 3, 320, 320, "1959", 1), "u2net");
    check_match(graph_new("input", 3, 320, 320, "alpha", 1), "u2net");
    check_match(graph_new("input", 3, 1024, 1024, "alpha", -1), "isnet");
    check_match(graph_new("input", 3, -1, -1, "output", 1), "modnet");
    check_match(graph_new("input_1:0", 256, 256, 3, "activation_10", 256), "selfie");
    check_match(graph_new("input_3", 3, 256, 256, "permute_2", 1), "prisma");
    check_match(graph_new("x", 3, 192, 192, "softmax", 2), "pp-humanseg");
    check_match(graph_new("img", 3, -1, -1, "tmp", 1), "pp-matting");
    check_match(graph_new("input_image", 3, 1024, 1024, "output_image", 1), "birefnet");
    check_match(graph_new("input", 3, 512, 512, "output", 3), "gpen");
    check_match(rvm_graph(), "rvm");
}

static void networks_are_told_apart_by_shapes_that_files_leave_out(void)
{
    check_match(shapeless_graph(1024, 3), "gpen");
    check_match(shapeless_graph(1024, 1), "isnet");
    check_match(shapeless_graph(320, 1), "u2net");
    check_match(shapeless_graph(320, 3), "gpen");
    check_match(shapeless_graph(-1, 3), "gpen");
    check_match(shapeless_graph(-1, 1), "modnet");
}

static void every_preset_is_found_by_name(void)
{
    const char *const names[] = { "clmatte", "rvm",         "birefnet",   "selfie",
                                  "prisma",  "pp-humanseg", "pp-matting", "isnet",
                                  "u2net",   "u2netp",      "gpen",       "modnet" };
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(VideoModelInfo) info = video_model_info_preset(names[i]);
        g_assert_nonnull(info);
        for (guint c = 0; c < 3; c++)
            g_assert_cmpfloat(info->std[c], >, 0);
    }
    g_assert_null(video_model_info_preset("no such"));
}

static void rvm_has_states_and_a_ratio(void)
{
    g_autoptr(VideoModelInfo) info = video_model_info_preset("rvm");
    g_assert_cmpuint(g_strv_length(info->state_inputs), ==, 4);
    g_assert_cmpuint(g_strv_length(info->state_outputs), ==, 4);
    g_assert_cmpstr(info->state_inputs[3], ==, "r4i");
    g_assert_cmpstr(info->state_outputs[3], ==, "r4o");
    g_assert_cmpstr(info->fixed_inputs[0], ==, "downsample_ratio=auto");
    g_assert_cmpstr(info->foreground, ==, "fgr");
}

static void an_unknown_network_is_guessed_from_its_shapes(void)
{
    g_autoptr(NnGraph) graph = graph_new("data", 200, 300, 3, "mask", 200);
    g_autoptr(GError) error = NULL;
    g_autoptr(VideoModelInfo) info = video_model_info_find("/nowhere/x.onnx", graph, &error);
    g_assert_no_error(error);
    g_assert_true(info->guessed);
    g_assert_true(info->nhwc);
    g_assert_cmpint(info->fit, ==, VIDEO_FIT_STRETCH);
    /* "img" is PP-Matting's name, but what gives colours is none. */
    g_autoptr(NnGraph) painter = graph_new("img", 3, -1, -1, "res", 3);
    g_autoptr(VideoModelInfo) third = video_model_info_find("/nowhere/x.onnx", painter, &error);
    g_assert_no_error(error);
    g_assert_true(third->guessed);
    g_autoptr(NnGraph) open = graph_new("data", 3, -1, -1, "mask", 2);
    g_autoptr(VideoModelInfo) second = video_model_info_guess(open);
    g_assert_cmpint(second->fit, ==, VIDEO_FIT_NATIVE);
    g_assert_cmpint(second->matte, ==, VIDEO_MATTE_SOFTMAX);
    g_assert_cmpuint(second->channel, ==, 1);
}

static void check_size(const VideoModelInfo *info, guint width, guint height, guint expected_width,
                       guint expected_height)
{
    guint w, h;
    video_model_size(info, NULL, width, height, &w, &h);
    g_test_message("%s: %ux%u -> %ux%u", info->name, width, height, w, h);
    g_assert_cmpuint(w, ==, expected_width);
    g_assert_cmpuint(h, ==, expected_height);
}

static void open_sizes_follow_each_networks_rule(void)
{
    g_autoptr(VideoModelInfo) modnet = video_model_info_preset("modnet");
    check_size(modnet, 1920, 1080, 896, 512);
    check_size(modnet, 1080, 1920, 512, 896);
    check_size(modnet, 640, 360, 640, 352);
    check_size(modnet, 320, 240, 672, 512);
    g_autoptr(VideoModelInfo) clmatte = video_model_info_preset("clmatte");
    check_size(clmatte, 1920, 1080, 512, 288);
    check_size(clmatte, 1280, 720, 512, 288);
    check_size(clmatte, 3840, 2160, 512, 288);
    g_autoptr(VideoModelInfo) fine = video_model_info_preset("clmatte-fine");
    check_size(fine, 1920, 1080, 736, 416);
    check_size(fine, 640, 480, 544, 416);
    g_autoptr(VideoModelInfo) rvm = video_model_info_preset("rvm");
    check_size(rvm, 1919, 1079, 1919, 1079);
    g_autoptr(VideoModelInfo) u2net = video_model_info_preset("u2net");
    check_size(u2net, 1919, 1079, 320, 320);
    check_size(clmatte, 1, 1, 288, 288);
}

/* ---------------------------------------------------------------- sidecars */

/* Writes @text beside a model that does not exist.
 * Returns: (transfer full): the model's path */
static char *write_sidecar(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("clmatte-XXXXXX", &error);
    g_assert_no_error(error);
    char *model = g_build_filename(folder, "network.onnx", NULL);
    g_autofree char *sidecar = g_strconcat(model, ".modelinfo", NULL);
    g_file_set_contents(sidecar, text, -1, &error);
    g_assert_no_error(error);
    return model;
}

static void remove_sidecar(char *model)
{
    g_autofree char *sidecar = g_strconcat(model, ".modelinfo", NULL);
    g_autofree char *folder = g_path_get_dirname(model);
    g_remove(sidecar);
    g_rmdir(folder);
    g_free(model);
}

static VideoModelInfo *read_text(const char *text, GError **error)
{
    g_autoptr(NnGraph) graph = graph_new("in", 3, 256, 256, "out", 2);
    add_value(graph->inputs, graph, "ratio", 1, (const gint64[]){ 1 });
    add_value(graph->inputs, graph, "memory", 4, (const gint64[]){ 1, 8, 64, 64 });
    add_value(graph->outputs, graph, "memory-next", 4, (const gint64[]){ 1, 8, 64, 64 });
    add_value(graph->outputs, graph, "colour", 4, (const gint64[]){ 1, 3, 256, 256 });
    char *model = write_sidecar(text);
    VideoModelInfo *info = video_model_info_find(model, graph, error);
    remove_sidecar(model);
    return info;
}

static void a_sidecar_tells_everything(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VideoModelInfo) info =
        read_text("[modelinfo]\nversion=1.0\ngroup-id=mine\n"
                  "[in]\nid=mine-in\ntype=float32\ndims=-1,3,256,256\ndir=input\n"
                  "ranges=-1.0,1.0\nchannel-order=bgr\nfit=letterbox\ndynamic-range=max\n"
                  "template=ffhq\n"
                  "[ratio]\ndir=input\nvalue=0.25\n"
                  "[memory]\ndir=input\nstate-from=memory-next\n"
                  "[out]\ndir=output\nmatte=softmax\nchannel=1\n"
                  "[memory-next]\ndir=output\nrole=state\n"
                  "[colour]\ndir=output\nrole=foreground\n",
                  &error);
    g_assert_no_error(error);
    g_assert_cmpstr(info->name, ==, "mine");
    g_assert_false(info->guessed);
    g_assert_cmpstr(info->input, ==, "in");
    g_assert_true(info->bgr);
    g_assert_cmpint(info->fit, ==, VIDEO_FIT_LETTERBOX);
    g_assert_cmpint(info->dynamic_range, ==, VIDEO_SCALE_MAX);
    g_assert_cmpint(info->template, ==, VIDEO_TEMPLATE_FFHQ);
    g_assert_cmpfloat(info->mean[1], ==, 127.5f);
    g_assert_cmpfloat(info->std[1], ==, 127.5f);
    g_assert_cmpstr(info->output, ==, "out");
    g_assert_cmpint(info->matte, ==, VIDEO_MATTE_SOFTMAX);
    g_assert_cmpuint(info->channel, ==, 1);
    g_assert_cmpstr(info->foreground, ==, "colour");
    g_assert_cmpstr(info->state_inputs[0], ==, "memory");
    g_assert_cmpstr(info->state_outputs[0], ==, "memory-next");
    g_assert_cmpstr(info->fixed_inputs[0], ==, "ratio=0.25");
}

static void a_sidecar_may_change_a_preset(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VideoModelInfo) info =
        read_text("[modelinfo]\nversion=1.0\npreset=u2net\n"
                  "[in]\ndir=input\nmean=123.675, 116.28, 103.53\nstd=58.395, 57.12, 57.375\n"
                  "dynamic-range=none\n"
                  "[out]\ndir=output\nmatte=alpha\n",
                  &error);
    g_assert_no_error(error);
    g_assert_cmpint(info->dynamic_range, ==, VIDEO_SCALE_NONE);
    g_assert_cmpfloat(info->mean[2], ==, 103.53f);
    g_assert_cmpfloat(info->std[0], ==, 58.395f);
    g_assert_cmpint(info->matte, ==, VIDEO_MATTE_ALPHA);
}

static void the_precision_is_the_presets_or_the_sidecars(void)
{
    static const struct {
        const char *keys;
        NnPrecision precision;
    } cases[] = {
        { "", NN_PRECISION_AUTO },
        { "precision=fp32\n", NN_PRECISION_FP32 },
        { "preset=u2net\n", NN_PRECISION_AUTO },
        { "preset=selfie\n", NN_PRECISION_FP32 },
        { "preset=selfie\nprecision=fp16\n", NN_PRECISION_FP16 },
        { "preset=selfie\nprecision=auto\n", NN_PRECISION_AUTO },
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = g_strdup_printf("[modelinfo]\nversion=1.0\n%s", cases[i].keys);
        g_autoptr(VideoModelInfo) info = read_text(text, &error);
        g_assert_no_error(error);
        g_assert_cmpint(info->precision, ==, cases[i].precision);
    }
}

static void what_gives_pictures_is_told_from_what_gives_mattes(void)
{
    g_autoptr(VideoModelInfo) gpen = video_model_info_preset("gpen");
    g_autoptr(VideoModelInfo) enlarger = video_model_info_preset("real-esrgan");
    g_autoptr(VideoModelInfo) u2net = video_model_info_preset("u2net");
    g_assert_true(gpen->image && enlarger->image);
    g_assert_false(u2net->image);
    static const struct {
        const char *text;
        gboolean image;
    } cases[] = {
        { "preset=gpen\n[out]\ndir=output\nstd=255\n", TRUE },
        { "preset=gpen\n[out]\ndir=output\nrole=matte\n", FALSE },
        { "preset=u2net\n[out]\ndir=output\nrole=image\n", TRUE },
        { "preset=u2net\n[out]\ndir=output\n", FALSE },
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = g_strconcat("[modelinfo]\nversion=1.0\n", cases[i].text, NULL);
        g_autoptr(VideoModelInfo) info = read_text(text, &error);
        g_assert_no_error(error);
        g_assert_cmpint(info->image, ==, cases[i].image);
    }
}

static void a_bad_sidecar_says_where_and_what_is_allowed(void)
{
    static const struct {
        const char *text;
        const char *say[4];
    } cases[] = {
        { "nonsense", { "network.onnx.modelinfo" } },
        { "[in]\ndir=input\n", { "[modelinfo]", "missing" } },
        { "[modelinfo]\nversion=1.0\nprecision=double\n",
          { "[modelinfo]", "precision", "auto, fp32, fp16" } },
        { "[modelinfo]\nversion=2.0\n", { "[modelinfo]", "version", "2.0" } },
        { "[modelinfo]\nversion=1.0\npreset=best\n", { "preset", "best" } },
        { "[modelinfo]\nversion=1.0\n[in]\n", { "[in]", "dir", "input, output" } },
        { "[modelinfo]\nversion=1.0\n[in]\ndir=sideways\n", { "[in]", "dir", "input, output" } },
        { "[modelinfo]\nversion=1.0\n[inn]\ndir=input\n", { "[inn]", "it has", "in" } },
        { "[modelinfo]\nversion=1.0\n[in]\ndir=input\nfit=crop\n",
          { "[in]", "fit", "crop", "stretch, letterbox, native" } },
        { "[modelinfo]\nversion=1.0\n[in]\ndir=input\ncolour=rgb\n",
          { "[in]", "colour", "channel-order" } },
        { "[modelinfo]\nversion=1.0\n[in]\ndir=input\nmean=1,2\n", { "[in]", "mean", "1,2" } },
        { "[modelinfo]\nversion=1.0\n[in]\ndir=input\nstd=0\n", { "[in]", "std" } },
        { "[modelinfo]\nversion=1.0\n[in]\ndir=input\nranges=1,0\n", { "[in]", "ranges" } },
        { "[modelinfo]\nversion=1.0\n[in]\ndir=input\ndims=1,3,320,320\n",
          { "[in]", "dims", "256" } },
        { "[modelinfo]\nversion=1.0\n[in]\ndir=input\nmultiple=-3\n", { "multiple", "-3" } },
        { "[modelinfo]\nversion=1.0\n[memory]\ndir=input\nstate-from=gone\n",
          { "[memory]", "state-from", "gone" } },
        { "[modelinfo]\nversion=1.0\n[ratio]\ndir=input\nvalue=much\n",
          { "[ratio]", "value", "much", "auto" } },
        { "[modelinfo]\nversion=1.0\n[out]\ndir=output\nmatte=beta\n",
          { "[out]", "matte", "beta", "alpha, minmax, sigmoid, softmax" } },
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(read_text(cases[i].text, &error));
        g_assert_nonnull(error);
        g_test_message("%s", error->message);
        for (guint k = 0; k < G_N_ELEMENTS(cases[i].say) && cases[i].say[k]; k++)
            g_assert_nonnull(strstr(error->message, cases[i].say[k]));
    }
}

int main(int argc, char **argv)
{
    harness_init(&argc, &argv);
    harness_add("known networks are recognised", known_networks_are_recognised);
    harness_add("networks are told apart by shapes that files leave out",
                networks_are_told_apart_by_shapes_that_files_leave_out);
    harness_add("every preset is found by name", every_preset_is_found_by_name);
    harness_add("RVM has states and a ratio", rvm_has_states_and_a_ratio);
    harness_add("an unknown network is guessed from its shapes",
                an_unknown_network_is_guessed_from_its_shapes);
    harness_add("open sizes follow each network's rule", open_sizes_follow_each_networks_rule);
    harness_add("a sidecar tells everything", a_sidecar_tells_everything);
    harness_add("a sidecar may change a preset", a_sidecar_may_change_a_preset);
    harness_add("the precision is the preset's or the sidecar's",
                the_precision_is_the_presets_or_the_sidecars);
    harness_add("what gives pictures is told from what gives mattes",
                what_gives_pictures_is_told_from_what_gives_mattes);
    harness_add("a bad sidecar says where and what is allowed",
                a_bad_sidecar_says_where_and_what_is_allowed);
    return harness_run();
}
