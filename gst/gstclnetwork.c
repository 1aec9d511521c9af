/* gstclnetwork.c - a model as an element uses it: loaded, described, built for a size of picture.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstclnetwork.h"

#include "clmatte-models.h"

#include <stdlib.h>
#include <string.h>

#include "nn/launch.h"

/* Recurrent video matting keeps its longer side near this: 0.25 at 1080p (its README). */
#define AUTO_RATIO_SIDE 512.0

static PictureModel *model_new(NnModel *model, VideoModelInfo *info)
{
    PictureModel *self = g_new0(PictureModel, 1);
    self->model = model;
    self->info = info;
    self->built = g_ptr_array_new_with_free_func((GDestroyNotify)picture_network_unref);
    return self;
}

char *picture_model_find(const char *path)
{
    if (!strchr(path, G_DIR_SEPARATOR) && !g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_autofree char *name = g_strconcat(path, ".onnx", NULL);
        g_autofree char *installed =
            g_build_filename(g_get_user_data_dir(), "gst-clmatte", "models", name, NULL);
        if (g_file_test(installed, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&installed);
    }
    return g_strdup(path);
}

void picture_model_explain(const char *name, GError *error)
{
    if (strchr(name, G_DIR_SEPARATOR) || !g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return;
    char *message = g_strdup_printf("%s; nor is a network of that name installed, `clmatte-models "
                                    "list` shows which there are",
                                    error->message);
    g_free(error->message);
    error->message = message;
}

PictureModel *picture_model_new_as(const char *path_or_name, const char *preset, GError **error)
{
    g_autofree char *path = picture_model_find(path_or_name);
    g_autofree char *sidecar = g_strconcat(path, ".modelinfo", NULL);
    g_autoptr(GError) failure = NULL;
    NnModel *model = nn_model_load(path, &failure);
    if (!model) {
        picture_model_explain(path_or_name, failure);
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    VideoModelInfo *info = preset && !g_file_test(sidecar, G_FILE_TEST_EXISTS)
                               ? video_model_info_preset(preset)
                               : video_model_info_load(path, model, error);
    if (info)
        return model_new(model, info);
    nn_model_unref(model);
    return NULL;
}

/* The networks that are part of the plugin, and how each wants its pictures. */
static const struct {
    const char *name, *preset;
} builtins[] = {
    { "clmatte-fast", "clmatte" },
    { "clmatte-fine", "clmatte-fine" },
    { "clmatte-restore", "gpen" },
};

static PictureModel *builtin_new(const char *name, const char *preset, GError **error)
{
    g_autofree char *path = g_strdup_printf("/clmatte/models/%s.onnx", name);
    g_autoptr(GBytes) bytes = g_resource_lookup_data(clmatte_models_get_resource(), path,
                                                     G_RESOURCE_LOOKUP_FLAGS_NONE, error);
    NnModel *model = bytes ? nn_model_load_bytes(bytes, name, error) : NULL;
    return model ? model_new(model, video_model_info_preset(preset)) : NULL;
}

PictureModel *picture_model_new(const char *path_or_name, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(builtins); i++)
        if (g_str_equal(path_or_name, builtins[i].name))
            return builtin_new(builtins[i].name, builtins[i].preset, error);
    return picture_model_new_as(path_or_name, NULL, error);
}

void picture_model_free(PictureModel *self)
{
    if (!self)
        return;
    g_ptr_array_unref(self->built);
    video_model_info_free(self->info);
    nn_model_unref(self->model);
    g_free(self);
}

gboolean picture_model_is_recurrent(const PictureModel *self)
{
    return self->info->state_inputs && self->info->state_inputs[0];
}

void picture_network_unref(PictureNetwork *self)
{
    if (!g_ref_count_dec(&self->ref_count))
        return;
    g_clear_pointer(&self->network, nn_network_unref);
    g_clear_pointer(&self->move, ocl_kernel_free);
    g_free(self->state_inputs);
    g_free(self->state_outputs);
    ocl_device_unref(self->device);
    g_free(self);
}

/* ---------------------------------------------------------------- names */

static const NnValue *find_value(const GPtrArray *values, const char *name)
{
    for (guint i = 0; i < values->len; i++) {
        const NnValue *value = values->pdata[i];
        if (g_str_equal(value->name, name))
            return value;
    }
    return NULL;
}

static const NnValue *picture_input(const PictureNetwork *self, GError **error)
{
    const GPtrArray *inputs = nn_model_graph(self->model->model)->inputs;
    const NnValue *found =
        self->model->info->input ? find_value(inputs, self->model->info->input) : NULL;
    for (guint i = 0; !self->model->info->input && !found && i < inputs->len; i++)
        if (((NnValue *)inputs->pdata[i])->rank == 4)
            found = inputs->pdata[i];
    if (!found)
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "the network has no picture input%s%s",
                    self->model->info->input ? " named " : "",
                    self->model->info->input ? self->model->info->input : "");
    return found;
}

static const char *result_output(const PictureNetwork *self)
{
    const GPtrArray *outputs = nn_model_graph(self->model->model)->outputs;
    return self->model->info->output ? self->model->info->output
                                     : ((NnValue *)outputs->pdata[0])->name;
}

/* A network's ports on one side. */
typedef const NnPort *(*GetPort)(const NnNetwork *network, guint i);

static gint find_port(const PictureNetwork *self, guint n, GetPort get, const char *name,
                      GError **error)
{
    for (guint i = 0; i < n; i++)
        if (g_str_equal(get(self->network, i)->name, name))
            return (gint)i;
    g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "the network has no %s named '%s'",
                get == nn_network_input ? "input" : "output", name);
    return -1;
}

static gint find_input(const PictureNetwork *self, const char *name, GError **error)
{
    return find_port(self, nn_network_n_inputs(self->network), nn_network_input, name, error);
}

static gint find_output(const PictureNetwork *self, const char *name, GError **error)
{
    return find_port(self, nn_network_n_outputs(self->network), nn_network_output, name, error);
}

/* ---------------------------------------------------------------- inputs bound before building */

static void clear_binding(gpointer data)
{
    g_clear_pointer(&((NnBinding *)data)->value, nn_array_unref);
}

static gboolean bind_picture(const PictureNetwork *self, GArray *bindings, GError **error)
{
    const NnValue *input = picture_input(self, error);
    if (!input)
        return FALSE;
    const gint64 channels = input->rank == 4 ? input->dims[self->model->info->nhwc ? 3 : 1] : -1;
    const gint64 c = channels > 0 ? channels : 3;
    NnBinding binding = { .name = input->name, .rank = 4 };
    const gint64 nchw[4] = { 1, c, self->height, self->width };
    const gint64 nhwc[4] = { 1, self->height, self->width, c };
    memcpy(binding.dims, self->model->info->nhwc ? nhwc : nchw, sizeof nchw);
    g_array_append_val(bindings, binding);
    return TRUE;
}

/* "name=value", the value a number or "auto" for the share of the picture that recurrent video
 * matting works on. */
static gboolean bind_fixed(const PictureNetwork *self, GArray *bindings, const char *text,
                           GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "=", 2);
    const NnValue *input =
        parts[0] ? find_value(nn_model_graph(self->model->model)->inputs, g_strstrip(parts[0]))
                 : NULL;
    if (!input || !parts[1]) {
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                    "the fixed input '%s' is not of the form name=value with an input's name",
                    text);
        return FALSE;
    }
    const char *word = g_strstrip(parts[1]);
    const double value = g_str_equal(word, "auto")
                             ? MIN(1.0, AUTO_RATIO_SIDE / MAX(self->width, self->height))
                             : g_ascii_strtod(word, NULL);
    NnBinding binding = { .name = input->name, .rank = MAX(0, input->rank) };
    for (int i = 0; i < binding.rank; i++)
        binding.dims[i] = input->dims[i] > 0 ? input->dims[i] : 1;
    binding.value = nn_array_new(input->type, binding.rank, binding.dims);
    for (gsize i = 0; i < binding.value->n; i++)
        nn_array_set(binding.value, i, value);
    g_array_append_val(bindings, binding);
    return TRUE;
}

/* The states' shapes are those of the outputs that feed them, which inference knows once it has
 * been through the graph with states of one element, as the first frame has. */
static gboolean bind_states(const PictureNetwork *self, GArray *bindings, GError **error)
{
    const guint first = bindings->len;
    char *const *inputs = self->model->info->state_inputs, *const *outputs =
                                                               self->model->info->state_outputs;
    for (guint i = 0; inputs[i]; i++) {
        NnBinding binding = { .name = inputs[i], .rank = 4, .dims = { 1, 1, 1, 1 } };
        g_array_append_val(bindings, binding);
    }
    g_autoptr(NnGraph) graph = nn_graph_copy(nn_model_graph(self->model->model));
    if (!nn_graph_infer(graph, (NnBinding *)bindings->data, bindings->len, error))
        return FALSE;
    for (guint i = 0; inputs[i]; i++) {
        const NnValue *output = find_value(graph->outputs, outputs[i]);
        if (!output) {
            g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "the network has no output named '%s'",
                        outputs[i]);
            return FALSE;
        }
        NnBinding *binding = &g_array_index(bindings, NnBinding, first + i);
        binding->rank = output->rank;
        memcpy(binding->dims, output->dims, sizeof binding->dims);
    }
    return TRUE;
}

static GArray *make_bindings(const PictureNetwork *self, GError **error)
{
    g_autoptr(GArray) bindings = g_array_new(FALSE, TRUE, sizeof(NnBinding));
    g_array_set_clear_func(bindings, clear_binding);
    if (!bind_picture(self, bindings, error))
        return NULL;
    for (char **fixed = self->model->info->fixed_inputs; fixed && *fixed; fixed++)
        if (!bind_fixed(self, bindings, *fixed, error))
            return NULL;
    if (picture_model_is_recurrent(self->model) && !bind_states(self, bindings, error))
        return NULL;
    return g_steal_pointer(&bindings);
}

/* ---------------------------------------------------------------- building */

static GPtrArray *wanted_outputs(const PictureNetwork *self)
{
    GPtrArray *names = g_ptr_array_new();
    g_ptr_array_add(names, (gpointer)result_output(self));
    if (self->model->info->foreground)
        g_ptr_array_add(names, self->model->info->foreground);
    for (char **state = self->model->info->state_outputs; state && *state; state++)
        g_ptr_array_add(names, *state);
    g_ptr_array_add(names, NULL);
    return names;
}

static gboolean find_states(PictureNetwork *self, GError **error)
{
    if (!picture_model_is_recurrent(self->model))
        return TRUE;
    const guint n = g_strv_length(self->model->info->state_inputs);
    self->state_inputs = g_new0(guint, n);
    self->state_outputs = g_new0(guint, n);
    for (; self->n_states < n; self->n_states++) {
        const guint i = self->n_states;
        const gint in = find_input(self, self->model->info->state_inputs[i], error);
        const gint out =
            in < 0 ? -1 : find_output(self, self->model->info->state_outputs[i], error);
        if (out < 0)
            return FALSE;
        self->state_inputs[i] = in;
        self->state_outputs[i] = out;
    }
    return TRUE;
}

static gboolean find_ports(PictureNetwork *self, GError **error)
{
    const gint input = find_input(self, picture_input(self, NULL)->name, error);
    const gint output = input < 0 ? -1 : find_output(self, result_output(self), error);
    if (output < 0)
        return FALSE;
    self->input = input;
    self->output = output;
    self->foreground = self->model->info->foreground
                           ? find_output(self, self->model->info->foreground, error)
                           : -1;
    if (self->model->info->foreground && self->foreground < 0)
        return FALSE;
    return find_states(self, error);
}

/* For states that lie differently as output and as input. */
static gboolean make_move(PictureNetwork *self, GError **error)
{
    if (self->n_states == 0)
        return TRUE;
    const char *type = nn_network_fp16(self->network) ? "half" : "float";
    g_autofree char *options = g_strdup_printf("-DTX=%s -DTY=%s -DRANK=%d -DLANE_RANK=%d", type,
                                               type, NN_MAX_RANK, NN_MAX_RANK);
    self->move = ocl_kernel_new(self->device, "move.cl", "move_reshaped", options, error);
    return self->move != NULL;
}

/* What is asked for, else what the network is known to need, else what suits the device. */
static NnPrecision choose_precision(const PictureNetwork *self)
{
    return self->precision == NN_PRECISION_AUTO ? self->model->info->precision : self->precision;
}

static gboolean build(PictureNetwork *self, GError **error)
{
    g_autoptr(GArray) bindings = make_bindings(self, error);
    if (!bindings)
        return FALSE;
    g_autoptr(GPtrArray) outputs = wanted_outputs(self);
    const NnNetworkParams params = { .max_samples = self->max_samples,
                                     .precision = choose_precision(self),
                                     .keep_inputs = picture_model_is_recurrent(self->model),
                                     .tuning = self->tuning,
                                     .tuning_ms = self->model->tuning_ms,
                                     .inputs = (NnBinding *)bindings->data,
                                     .n_inputs = bindings->len,
                                     .outputs = (const char *const *)outputs->pdata };
    self->network = nn_network_new(self->model->model, self->device, &params, error);
    return self->network && find_ports(self, error) && make_move(self, error);
}

/* What is kept for @device, if it is of that kind; another is let go of before its successor needs
 * its memory. */
static PictureNetwork *take_kept(PictureModel *model, const PictureNetwork *wanted)
{
    for (guint i = 0; i < model->built->len; i++) {
        PictureNetwork *kept = model->built->pdata[i];
        if (kept->device != wanted->device)
            continue;
        if (kept->width == wanted->width && kept->height == wanted->height &&
            kept->max_samples == wanted->max_samples && kept->precision == wanted->precision &&
            kept->tuning == wanted->tuning) {
            g_ref_count_inc(&kept->ref_count);
            return kept;
        }
        g_ptr_array_remove_index(model->built, i);
        return NULL;
    }
    return NULL;
}

PictureNetwork *picture_network_new(PictureModel *model, OclDevice *device, guint width,
                                    guint height, guint max_samples, NnPrecision precision,
                                    GError **error)
{
    g_autoptr(PictureNetwork) self = g_new0(PictureNetwork, 1);
    g_ref_count_init(&self->ref_count);
    self->model = model;
    self->device = ocl_device_ref(device);
    self->max_samples = max_samples;
    self->precision = precision;
    self->tuning = model->tuning;
    video_model_size(model->info, model->model, width, height, &self->width, &self->height);
    PictureNetwork *kept = take_kept(model, self);
    if (kept)
        return kept;
    if (!build(self, error))
        return NULL;
    g_ref_count_inc(&self->ref_count);
    g_ptr_array_add(model->built, self);
    return g_steal_pointer(&self);
}

/* ---------------------------------------------------------------- states */

/* From the first to the last element of a sample, in elements. */
static gsize extent(const NnPlace *place)
{
    gsize last = 0;
    for (int i = 0; i < place->rank; i++)
        last += (gsize)((place->dims[i] - 1) * place->strides[i]);
    return last + 1;
}

static gboolean lie_alike(const NnPlace *a, const NnPlace *b)
{
    return a->type == b->type && a->rank == b->rank &&
           memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]) == 0 &&
           memcmp(a->strides, b->strides, a->rank * sizeof a->strides[0]) == 0;
}

/* The kernel's view of sample 0. */
static NnStrided strided(const NnPlace *place)
{
    NnStrided view = { .offset = (guint64)place->offset };
    for (int i = 0; i < place->rank; i++)
        view.stride[i] = (gint32)place->strides[i];
    return view;
}

static gboolean copy_strided(PictureNetwork *self, OclQueue *compute, const NnPlace *src,
                             const NnPlace *dst, GError **error)
{
    const NnStrided from = strided(src), to = strided(dst);
    NnExtents extents = { { 1, 1, 1, 1, 1, 1, 1, 1 } };
    gint32 count = 1;
    for (int i = 0; i < dst->rank; i++)
        count *= extents.n[i] = (gint32)dst->dims[i];
    const struct {
        gsize size_b;
        gconstpointer value;
    } arguments[] = {
        { sizeof src->memory, &src->memory },
        { sizeof from, &from },
        { sizeof extents, &extents },
        { sizeof dst->memory, &dst->memory },
        { sizeof to, &to },
        { sizeof extents, &extents },
        { sizeof count, &count },
    };
    for (guint i = 0; i < G_N_ELEMENTS(arguments); i++)
        if (!ocl_kernel_set(self->move, i, arguments[i].size_b, arguments[i].value, error))
            return FALSE;
    const gsize items[3] = { (gsize)count, 1, 1 };
    return ocl_enqueue(compute, self->move, 3, items, NULL, NULL, error);
}

static gboolean carry_one(PictureNetwork *self, OclQueue *compute, const NnPlace *src,
                          const NnPlace *dst, GError **error)
{
    const gsize element_b = nn_type_size(dst->type);
    if (!src)
        return ocl_fill(compute, dst->memory, 0, dst->offset * element_b, extent(dst) * element_b,
                        NULL, error);
    if (lie_alike(src, dst))
        return ocl_copy(compute, src->memory, src->offset * element_b, dst->memory,
                        dst->offset * element_b, extent(dst) * element_b, NULL, error);
    return copy_strided(self, compute, src, dst, error);
}

gboolean picture_network_carry(PictureNetwork *self, OclQueue *compute, const NnSlot *from,
                               const NnSlot *to, GError **error)
{
    for (guint i = 0; i < self->n_states; i++) {
        const NnPlace dst = nn_slot_input(to, self->state_inputs[i]);
        NnPlace src = dst;
        if (from)
            src = nn_slot_output(from, self->state_outputs[i]);
        if (!carry_one(self, compute, from ? &src : NULL, &dst, error))
            return FALSE;
    }
    return TRUE;
}
