/* modelinfo.c - the sidecar file that tells how a model wants its pictures; see docs/models.md.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The form is the key file that GStreamer's analytics elements read from version 1.28 on: a group
 * [modelinfo], then one group per tensor, named as in the model. Keys of our own say what that form
 * has no words for.
 */
#include "modelinfo.h"

#include <math.h>

VideoModelInfo *video_model_info_new(const char *name)
{
    VideoModelInfo *info = g_new0(VideoModelInfo, 1);
    info->name = g_strdup(name);
    for (guint c = 0; c < 3; c++) {
        info->mean[c] = info->std[c] = 127.5f;
        info->out_mean[c] = info->out_std[c] = 127.5f;
    }
    return info;
}

void video_model_info_free(VideoModelInfo *info)
{
    if (!info)
        return;
    g_free(info->name);
    g_free(info->input);
    g_free(info->output);
    g_free(info->foreground);
    g_strfreev(info->state_inputs);
    g_strfreev(info->state_outputs);
    g_strfreev(info->fixed_inputs);
    g_free(info);
}

/* ---------------------------------------------------------------- reading values */

/* One group of one file; the functions below read a key of it, leaving @out as it is where the file
 * says nothing. */
typedef struct {
    const char *path;
    GKeyFile *file;
    const char *group;
} Section;

G_GNUC_PRINTF(4, 5)
static gboolean fail(const Section *section, const char *key, GError **error, const char *format,
                     ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "%s: group [%s]%s%s: %s", section->path,
                section->group, key ? ", key " : "", key ? key : "", what);
    return FALSE;
}

/* NULL if the key is not there. */
static char *get(const Section *section, const char *key)
{
    char *text = g_key_file_get_string(section->file, section->group, key, NULL);
    return text ? g_strstrip(text) : NULL;
}

static gboolean read_choice(const Section *section, const char *key, const char *const *choices,
                            int *out, GError **error)
{
    g_autofree char *text = get(section, key);
    if (!text)
        return TRUE;
    for (int i = 0; choices[i]; i++)
        if (g_str_equal(text, choices[i])) {
            *out = i;
            return TRUE;
        }
    g_autofree char *all = g_strjoinv(", ", (char **)choices);
    return fail(section, key, error, "\"%s\" is none of: %s", text, all);
}

static gboolean read_uint(const Section *section, const char *key, guint most, guint *out,
                          GError **error)
{
    g_autofree char *text = get(section, key);
    if (!text)
        return TRUE;
    guint64 value;
    if (!g_ascii_string_to_unsigned(text, 10, 0, most, &value, NULL))
        return fail(section, key, error, "\"%s\" is no whole number of 0 to %u", text, most);
    *out = (guint)value;
    return TRUE;
}

static gboolean parse_number(const char *text, double *out)
{
    char *end;
    *out = g_ascii_strtod(text, &end);
    while (g_ascii_isspace(*end))
        end++;
    return end != text && !*end && isfinite(*out);
}

/* One number for all channels, or one for each: "127.5" or "123.7, 116.3, 103.5". */
static gboolean read_triple(const Section *section, const char *key, float out[3], GError **error)
{
    g_autofree char *text = get(section, key);
    if (!text)
        return TRUE;
    g_auto(GStrv) parts = g_strsplit_set(text, ",;", -1);
    guint n = g_strv_length(parts);
    for (guint c = 0; c < 3; c++) {
        double value;
        if ((n != 1 && n != 3) || !parse_number(parts[n == 3 ? c : 0], &value))
            return fail(section, key, error, "\"%s\" is neither one number nor three", text);
        out[c] = (float)value;
    }
    return TRUE;
}

/* "least,greatest" for all channels or three of them parted by ';': what 0 and 255 become. */
static gboolean read_ranges(const Section *section, float least[3], float greatest[3],
                            gboolean *found, GError **error)
{
    g_autofree char *text = get(section, "ranges");
    *found = text != NULL;
    if (!text)
        return TRUE;
    g_auto(GStrv) parts = g_strsplit(text, ";", -1);
    guint n = g_strv_length(parts);
    if (n > 1 && !*parts[n - 1])
        n--;
    for (guint c = 0; c < 3; c++) {
        g_auto(GStrv) pair = g_strsplit(parts[n == 1 || c >= n ? 0 : c], ",", -1);
        double low, high;
        if ((n != 1 && n != 3) || g_strv_length(pair) != 2 || !parse_number(pair[0], &low) ||
            !parse_number(pair[1], &high) || low >= high)
            return fail(section, "ranges", error,
                        "\"%s\" is not LEAST,GREATEST, nor three of them parted by ';'", text);
        least[c] = (float)low;
        greatest[c] = (float)high;
    }
    return TRUE;
}

/* ---------------------------------------------------------------- sections */

static const char *const model_keys[] = { "version",     "group-id",  "preset",
                                          "description", "precision", NULL };
static const char *const input_keys[] = {
    "id",         "type",  "dims",          "dims-order", "dir",      "ranges", "channel-order",
    "layout",     "mean",  "std",           "fit",        "width",    "height", "multiple",
    "short-side", "value", "dynamic-range", "state-from", "template", NULL
};
static const char *const output_keys[] = { "id",      "type",   "dims", "dims-order",
                                           "dir",     "ranges", "role", "matte",
                                           "channel", "mean",   "std",  NULL };

static gboolean check_keys(const Section *section, const char *const *allowed, GError **error)
{
    g_auto(GStrv) keys = g_key_file_get_keys(section->file, section->group, NULL, NULL);
    for (guint i = 0; keys[i]; i++)
        if (!g_strv_contains(allowed, keys[i])) {
            g_autofree char *all = g_strjoinv(", ", (char **)allowed);
            return fail(section, keys[i], error, "there is no such key; there are: %s", all);
        }
    return TRUE;
}

static const NnValue *find_value(const GPtrArray *values, const char *name)
{
    for (guint i = 0; i < values->len; i++) {
        const NnValue *value = g_ptr_array_index(values, i);
        if (g_str_equal(value->name, name))
            return value;
    }
    return NULL;
}

static gboolean check_dims(const Section *section, const NnValue *value, GError **error)
{
    g_autofree char *text = get(section, "dims");
    if (!text || value->rank < 0)
        return TRUE;
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    if (g_strv_length(parts) != (guint)value->rank)
        return fail(section, "dims", error, "\"%s\" has not the %d dimensions of the model", text,
                    value->rank);
    for (int i = 0; i < value->rank; i++) {
        double dim;
        if (!parse_number(parts[i], &dim))
            return fail(section, "dims", error, "\"%s\" is no list of numbers", text);
        if (dim > 0 && value->dims[i] > 0 && (gint64)dim != value->dims[i])
            return fail(section, "dims", error,
                        "\"%s\" contradicts the model, where dimension %d is %" G_GINT64_FORMAT,
                        text, i, value->dims[i]);
    }
    return TRUE;
}

/* @graph: (nullable). */
static gboolean check_tensor(const Section *section, const GPtrArray *values, const char *what,
                             GError **error)
{
    const NnValue *value = find_value(values, section->group);
    if (value)
        return check_dims(section, value, error);
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < values->len; i++)
        g_string_append_printf(names, "%s%s", i ? ", " : "",
                               ((const NnValue *)g_ptr_array_index(values, i))->name);
    return fail(section, NULL, error, "the model has no %s of that name; it has: %s", what,
                names->str);
}

/* Appends to a NULL-terminated list. */
static void append(char ***list, char *text)
{
    guint n = *list ? g_strv_length(*list) : 0;
    *list = g_renew(char *, *list, n + 2);
    (*list)[n] = text;
    (*list)[n + 1] = NULL;
}

static gboolean read_picture_input(const Section *section, VideoModelInfo *info, GError **error)
{
    static const char *const orders[] = { "rgb", "bgr", NULL };
    static const char *const layouts[] = { "nchw", "nhwc", NULL };
    static const char *const fits[] = { "stretch", "letterbox", "native", "tile", NULL };
    static const char *const scales[] = { "none", "max", NULL };
    static const char *const templates[] = { "gpen", "ffhq", "arcface", NULL };
    int fit = info->fit, scale = info->dynamic_range, template = info->template;
    float least[3], greatest[3];
    gboolean ranges;
    if (!read_choice(section, "channel-order", orders, &info->bgr, error) ||
        !read_choice(section, "layout", layouts, &info->nhwc, error) ||
        !read_choice(section, "fit", fits, &fit, error) ||
        !read_choice(section, "dynamic-range", scales, &scale, error) ||
        !read_choice(section, "template", templates, &template, error) ||
        !read_uint(section, "width", G_MAXINT16, &info->width, error) ||
        !read_uint(section, "height", G_MAXINT16, &info->height, error) ||
        !read_uint(section, "multiple", 1024, &info->multiple, error) ||
        !read_uint(section, "short-side", G_MAXINT16, &info->short_side, error) ||
        !read_ranges(section, least, greatest, &ranges, error))
        return FALSE;
    info->fit = (VideoFit)fit;
    info->dynamic_range = (VideoDynamicRange)scale;
    info->template = (VideoTemplate) template;
    for (guint c = 0; ranges && c < 3; c++) {
        info->std[c] = 255 / (greatest[c] - least[c]);
        info->mean[c] = -least[c] * info->std[c];
    }
    if (!read_triple(section, "mean", info->mean, error) ||
        !read_triple(section, "std", info->std, error))
        return FALSE;
    for (guint c = 0; c < 3; c++)
        if (info->std[c] == 0)
            return fail(section, "std", error, "a channel cannot be divided by 0");
    g_free(info->input);
    info->input = g_strdup(section->group);
    return TRUE;
}

static gboolean read_input(const Section *section, VideoModelInfo *info, GError **error)
{
    if (!check_keys(section, input_keys, error))
        return FALSE;
    g_autofree char *value = get(section, "value");
    g_autofree char *from = get(section, "state-from");
    double number;
    if (value && from)
        return fail(section, "value", error, "an input is either fixed or a state");
    if (from) {
        append(&info->state_inputs, g_strdup(section->group));
        append(&info->state_outputs, g_steal_pointer(&from));
        return TRUE;
    }
    if (!value)
        return read_picture_input(section, info, error);
    if (!g_str_equal(value, "auto") && !parse_number(value, &number))
        return fail(section, "value", error, "\"%s\" is neither a number nor \"auto\"", value);
    append(&info->fixed_inputs, g_strdup_printf("%s=%s", section->group, value));
    return TRUE;
}

static gboolean read_output(const Section *section, VideoModelInfo *info, GError **error)
{
    enum { ROLE_MATTE, ROLE_FOREGROUND, ROLE_IMAGE, ROLE_STATE, ROLE_UNUSED };
    static const char *const roles[] = { "matte", "foreground", "image", "state", "unused", NULL };
    static const char *const mattes[] = { "alpha", "minmax", "sigmoid", "softmax", NULL };
    int role = info->image ? ROLE_IMAGE : ROLE_MATTE, matte = info->matte;
    if (!check_keys(section, output_keys, error) ||
        !read_choice(section, "role", roles, &role, error))
        return FALSE;
    if (role == ROLE_STATE || role == ROLE_UNUSED)
        return TRUE;
    char **name = role == ROLE_FOREGROUND ? &info->foreground : &info->output;
    g_free(*name);
    *name = g_strdup(section->group);
    if (role == ROLE_FOREGROUND)
        return TRUE;
    float least[3], greatest[3];
    gboolean ranges;
    if (!read_choice(section, "matte", mattes, &matte, error) ||
        !read_uint(section, "channel", 255, &info->channel, error) ||
        !read_ranges(section, least, greatest, &ranges, error))
        return FALSE;
    info->image = role == ROLE_IMAGE;
    info->matte = (VideoMatte)matte;
    for (guint c = 0; role == ROLE_IMAGE && ranges && c < 3; c++) {
        info->out_std[c] = 255 / (greatest[c] - least[c]);
        info->out_mean[c] = -least[c] * info->out_std[c];
    }
    return read_triple(section, "mean", info->out_mean, error) &&
           read_triple(section, "std", info->out_std, error);
}

/* What the tensor groups of the sidecar say replaces what the preset says about the same. */
static gboolean read_tensor(const Section *section, VideoModelInfo *info, const NnGraph *graph,
                            GError **error)
{
    static const char *const directions[] = { "input", "output", NULL };
    int direction = -1;
    if (!read_choice(section, "dir", directions, &direction, error))
        return FALSE;
    if (direction < 0)
        return fail(section, "dir", error, "missing; it is one of: input, output");
    gboolean output = direction == 1;
    if (graph && !check_tensor(section, output ? graph->outputs : graph->inputs,
                               directions[direction], error))
        return FALSE;
    return output ? read_output(section, info, error) : read_input(section, info, error);
}

/* What [modelinfo] says of the network as a whole. */
static gboolean read_precision(const Section *section, VideoModelInfo *info, GError **error)
{
    static const char *const precisions[] = { [NN_PRECISION_AUTO] = "auto",
                                              [NN_PRECISION_FP32] = "fp32",
                                              [NN_PRECISION_FP16] = "fp16",
                                              NULL };
    int precision = info->precision;
    if (!read_choice(section, "precision", precisions, &precision, error))
        return FALSE;
    info->precision = (NnPrecision)precision;
    return TRUE;
}

static VideoModelInfo *read_model_group(const Section *section, const NnGraph *graph,
                                        GError **error)
{
    if (!g_key_file_has_group(section->file, section->group)) {
        fail(section, NULL, error, "missing");
        return NULL;
    }
    g_autofree char *version = get(section, "version");
    if (!version || !g_str_has_prefix(version, "1.")) {
        fail(section, "version", error, "\"%s\" is not 1.0", version ? version : "");
        return NULL;
    }
    if (!check_keys(section, model_keys, error))
        return NULL;
    g_autofree char *preset = get(section, "preset");
    g_autofree char *name = get(section, "group-id");
    if (preset) {
        VideoModelInfo *info = video_model_info_preset(preset);
        if (!info)
            fail(section, "preset", error,
                 "there is no preset \"%s\"; docs/models.md lists those there are", preset);
        return info;
    }
    VideoModelInfo *info = graph ? video_model_info_guess(graph) : video_model_info_new("sidecar");
    info->guessed = FALSE;
    g_free(info->name);
    info->name = name ? g_steal_pointer(&name) : g_path_get_basename(section->path);
    return info;
}

/* States name outputs that must be there, and each output feeds one state. */
static gboolean check_states(const char *path, const VideoModelInfo *info, const NnGraph *graph,
                             GError **error)
{
    for (guint i = 0; info->state_inputs && info->state_inputs[i]; i++) {
        const Section section = { .path = path, .group = info->state_inputs[i] };
        if (graph && !find_value(graph->outputs, info->state_outputs[i]))
            return fail(&section, "state-from", error, "the model has no output \"%s\"",
                        info->state_outputs[i]);
    }
    return TRUE;
}

VideoModelInfo *video_model_info_read(const char *path, const NnGraph *graph, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, error)) {
        g_prefix_error(error, "%s: ", path);
        return NULL;
    }
    const Section model = { path, file, "modelinfo" };
    g_autoptr(VideoModelInfo) info = read_model_group(&model, graph, error);
    if (!info || !read_precision(&model, info, error))
        return NULL;
    g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);
    for (guint i = 0; groups[i]; i++) {
        const Section section = { path, file, groups[i] };
        if (!g_str_equal(groups[i], model.group) && !read_tensor(&section, info, graph, error))
            return NULL;
    }
    return check_states(path, info, graph, error) ? g_steal_pointer(&info) : NULL;
}

VideoModelInfo *video_model_info_find(const char *model_path, const NnGraph *graph, GError **error)
{
    g_autofree char *sidecar = g_strconcat(model_path, ".modelinfo", NULL);
    if (g_file_test(sidecar, G_FILE_TEST_EXISTS))
        return video_model_info_read(sidecar, graph, error);
    VideoModelInfo *info = video_model_info_match(graph);
    return info ? info : video_model_info_guess(graph);
}

VideoModelInfo *video_model_info_load(const char *model_path, const NnModel *model, GError **error)
{
    return video_model_info_find(model_path, nn_model_graph(model), error);
}
