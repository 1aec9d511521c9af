/* presets.c - the networks that are known by name: how each wants its pictures.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Numbers come from each network's own inference code; docs/models.md lists the sources.
 */
#include "modelinfo.h"

#include "../nn/operator.h"

/* The size at which a network of any size is asked for the shapes of its outputs. */
#define TRIAL_SIDE 256

/* Most presets differ in few fields; means and deviations are on the scale of 0..255. */
#define NORMALISE(mean_, std_) .mean = { mean_, mean_, mean_ }, .std = { std_, std_, std_ }
#define HALF_UNIT NORMALISE(127.5f, 127.5f) /* -1..1 */
#define UNIT NORMALISE(0, 255)              /* 0..1 */
#define CENTRED NORMALISE(127.5f, 255)      /* -0.5..0.5 */
#define IMAGENET                                                                                   \
    .mean = { 0.485f * 255, 0.456f * 255, 0.406f * 255 },                                          \
    .std = { 0.229f * 255, 0.224f * 255, 0.225f * 255 }

/* How a preset is recognised: what is set must agree with the graph. */
typedef struct {
    const char *input, *output; /* names; NULL: any */
    gint64 height, width;       /* of the input; 0: any, -1: open */
    gint64 channels;            /* of the output; 0: any. If that cannot be told, it has any */
    guint n_outputs;            /* 0: any */
} Signs;

typedef struct {
    const char *name;
    Signs signs[3]; /* any of them */
    float mean[3], std[3];
    VideoDynamicRange dynamic_range;
    VideoMatte matte;
    VideoFit fit;
    gboolean nhwc;
    guint width, height, multiple, short_side;
    guint channel;
    const char *output, *foreground;
    const char *states[9]; /* input, output, input, output ... */
    const char *fixed[2];
    gboolean image;    /* a picture comes out, of -1..1 */
    gboolean unit_out; /* of 0..1 */
    NnPrecision precision;
} Preset;

/* In the order of recognition: the more particular first. */
static const Preset presets[] = {
    /* Our own: trained on whole pictures of any shape; 288 is 512 x 288 for 16:9. */
    { "clmatte",
      { { .input = "image", .output = "alpha", .width = -1, .height = -1 } },
      HALF_UNIT,
      .fit = VIDEO_FIT_NATIVE,
      .multiple = 32,
      .short_side = 288 },
    /* The larger of our own gains by more pixels: 736 x 416 for 16:9. Files are not told apart, so
     * it goes by its name alone. */
    { "clmatte-fine",
      { { .input = "image", .output = "alpha", .width = -1, .height = -1 } },
      HALF_UNIT,
      .fit = VIDEO_FIT_NATIVE,
      .multiple = 32,
      .short_side = 416 },
    /* Robust Video Matting: takes the whole picture and scales it inside. */
    { "rvm",
      { { .input = "src", .output = "pha" }, { .input = "src", .output = "fgr" } },
      UNIT,
      .fit = VIDEO_FIT_NATIVE,
      .output = "pha",
      .foreground = "fgr",
      .states = { "r1i", "r1o", "r2i", "r2o", "r3i", "r3o", "r4i", "r4o" },
      .fixed = { "downsample_ratio=auto" } },
    /* BiRefNet: logits. */
    { "birefnet",
      { { .input = "input_image", .output = "output_image" } },
      IMAGENET,
      .matte = VIDEO_MATTE_SIGMOID,
      .width = 1024,
      .height = 1024 },
    /* MediaPipe selfie segmentation, general and landscape, and its siblings: NHWC. Alpha is off by
     * 19/255 and more in halves, whoever computes it (docs/performance.md). */
    { "selfie",
      { { .height = 256, .width = 256, .input = "input_1:0" },
        { .height = 144, .width = 256, .input = "input_1:0" } },
      UNIT,
      .nhwc = TRUE,
      .precision = NN_PRECISION_FP32 },
    { "prisma", { { .input = "input_3", .output = "permute_2" } }, UNIT },
    /* PP-HumanSeg: two classes after softmax, the second is the person. */
    { "pp-humanseg",
      { { .input = "x", .channels = 2 },
        { .height = 192, .width = 192, .channels = 2 },
        { .height = 144, .width = 256, .channels = 2 } },
      HALF_UNIT,
      .channel = 1,
      .width = 192,
      .height = 192 },
    { "pp-matting",
      { { .input = "img", .channels = 1 } },
      HALF_UNIT,
      .fit = VIDEO_FIT_NATIVE,
      .multiple = 32,
      .short_side = 512 },
    { "isnet",
      { { .height = 1024, .width = 1024, .channels = 1 } },
      CENTRED,
      .matte = VIDEO_MATTE_MINMAX },
    /* U2Net as rembg runs it: divided by the brightest value of the picture. */
    { "u2net",
      { { .height = 320, .width = 320, .channels = 1 }, { .input = "input.1", .n_outputs = 7 } },
      IMAGENET,
      .dynamic_range = VIDEO_SCALE_MAX,
      .matte = VIDEO_MATTE_MINMAX,
      .width = 320,
      .height = 320 },
    /* Nothing tells the enlarging networks from the restoring ones: it goes by its name alone. */
    { "real-esrgan", .signs = { { 0 } }, UNIT, .image = TRUE, .unit_out = TRUE },
    { "gpen",
      { { .input = "input", .output = "output", .channels = 3 } },
      HALF_UNIT,
      .image = TRUE },
    { "modnet",
      { { .input = "input", .output = "output", .channels = 1 } },
      HALF_UNIT,
      .fit = VIDEO_FIT_NATIVE,
      .multiple = 32,
      .short_side = 512 },
};

/* Other names of the same. */
static const struct {
    const char *name, *preset;
} aliases[] = {
    { "u2netp", "u2net" },
    { "isnet-general-use", "isnet" },
    { "rvm-mobilenetv3", "rvm" },
};

static VideoModelInfo *from_preset(const Preset *preset)
{
    VideoModelInfo *info = video_model_info_new(preset->name);
    for (guint c = 0; c < 3; c++) {
        info->mean[c] = preset->mean[c];
        info->std[c] = preset->std[c];
        if (preset->unit_out) {
            info->out_mean[c] = 0;
            info->out_std[c] = 255;
        }
    }
    info->precision = preset->precision;
    info->dynamic_range = preset->dynamic_range;
    info->image = preset->image;
    info->matte = preset->matte;
    info->fit = preset->fit;
    info->nhwc = preset->nhwc;
    info->width = preset->width;
    info->height = preset->height;
    info->multiple = preset->multiple;
    info->short_side = preset->short_side;
    info->channel = preset->channel;
    info->output = g_strdup(preset->output);
    info->foreground = g_strdup(preset->foreground);
    if (preset->states[0]) {
        info->state_inputs = g_new0(char *, G_N_ELEMENTS(preset->states));
        info->state_outputs = g_new0(char *, G_N_ELEMENTS(preset->states));
        for (guint i = 0; preset->states[2 * i]; i++) {
            info->state_inputs[i] = g_strdup(preset->states[2 * i]);
            info->state_outputs[i] = g_strdup(preset->states[2 * i + 1]);
        }
    }
    if (preset->fixed[0])
        info->fixed_inputs = g_strdupv((char **)preset->fixed);
    return info;
}

VideoModelInfo *video_model_info_preset(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(aliases); i++)
        if (g_str_equal(aliases[i].name, name))
            name = aliases[i].preset;
    for (guint i = 0; i < G_N_ELEMENTS(presets); i++)
        if (g_str_equal(presets[i].name, name))
            return from_preset(&presets[i]);
    return NULL;
}

static const NnValue *find_named(const GPtrArray *values, const char *name)
{
    for (guint i = 0; i < values->len; i++) {
        const NnValue *value = g_ptr_array_index(values, i);
        if (!name || g_str_equal(value->name, name))
            return value;
    }
    return NULL;
}

/* -1 where the file leaves it open; @size 0 asks nothing. */
static gboolean size_agrees(gint64 size, gint64 dim)
{
    return size == 0 || size == dim;
}

static gboolean tells_channels(const GPtrArray *outputs)
{
    for (guint i = 0; i < outputs->len; i++) {
        const NnValue *output = g_ptr_array_index(outputs, i);
        if (output->rank < 0 || (output->rank == 4 && output->dims[1] <= 0 && output->dims[3] <= 0))
            return FALSE;
    }
    return TRUE;
}

/* @graph with the shapes of its outputs if the file leaves them out; NULL: it does not, or they
 * cannot be told. */
static NnGraph *infer_outputs(const NnGraph *graph)
{
    const NnValue *input = graph->inputs->len == 1 ? g_ptr_array_index(graph->inputs, 0) : NULL;
    if (!input || input->rank != 4 || tells_channels(graph->outputs))
        return NULL;
    NnBinding binding = { .name = input->name, .rank = 4 };
    for (int i = 0; i < 4; i++)
        binding.dims[i] = i == 0 ? 1 : input->dims[i] > 0 ? input->dims[i] : TRIAL_SIDE;
    g_autoptr(NnGraph) inferred = nn_graph_copy(graph);
    return nn_graph_infer(inferred, &binding, 1, NULL) ? g_steal_pointer(&inferred) : NULL;
}

/* @outputs: those of @graph, with shapes. */
static gboolean agrees(const Preset *preset, const Signs *signs, const NnGraph *graph,
                       const GPtrArray *outputs)
{
    const NnValue *input = find_named(graph->inputs, signs->input);
    const NnValue *output = find_named(outputs, signs->output);
    if (!input || !output || input->rank != 4)
        return FALSE;
    int h = preset->nhwc ? 1 : 2, c = preset->nhwc ? 3 : 1;
    gboolean shaped = output->rank == 4 && output->dims[c] > 0;
    return input->dims[c] == 3 && size_agrees(signs->height, input->dims[h]) &&
           size_agrees(signs->width, input->dims[h + 1]) &&
           (!signs->n_outputs || signs->n_outputs == outputs->len) &&
           (!shaped || size_agrees(signs->channels, output->dims[c]));
}

static gboolean says_anything(const Signs *signs)
{
    return signs->input || signs->height;
}

VideoModelInfo *video_model_info_match(const NnGraph *graph)
{
    g_autoptr(NnGraph) inferred = infer_outputs(graph);
    const GPtrArray *outputs = inferred ? inferred->outputs : graph->outputs;
    for (guint i = 0; i < G_N_ELEMENTS(presets); i++)
        for (guint k = 0; k < G_N_ELEMENTS(presets[i].signs); k++) {
            const Signs *signs = &presets[i].signs[k];
            if (says_anything(signs) && agrees(&presets[i], signs, graph, outputs))
                return from_preset(&presets[i]);
        }
    return NULL;
}

VideoModelInfo *video_model_info_guess(const NnGraph *graph)
{
    VideoModelInfo *info = video_model_info_new("guessed");
    info->guessed = TRUE;
    for (guint i = 0; i < graph->inputs->len; i++) {
        const NnValue *input = g_ptr_array_index(graph->inputs, i);
        if (input->rank != 4)
            continue;
        info->nhwc = input->dims[3] == 3 && input->dims[1] != 3;
        int h = info->nhwc ? 1 : 2;
        gboolean open = input->dims[h] <= 0 || input->dims[h + 1] <= 0;
        info->fit = open ? VIDEO_FIT_NATIVE : VIDEO_FIT_STRETCH;
        info->multiple = 32;
        info->short_side = open ? 512 : 0;
        break;
    }
    const NnValue *output = graph->outputs->len ? g_ptr_array_index(graph->outputs, 0) : NULL;
    if (output && output->rank == 4 && output->dims[info->nhwc ? 3 : 1] == 2) {
        info->matte = VIDEO_MATTE_SOFTMAX;
        info->channel = 1;
    }
    return info;
}
