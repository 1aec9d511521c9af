/* gstgpenbackground.c - the network that whole frames go through at their own scale: by how much it
 * enlarges them, what that means for sizes, in how many pieces.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstgpenbackground.h"

#include "nn/launch.h"

#define MOST_FACTOR 4
/* The size at which a network of any size is asked for its factor. */
#define TRIAL_SIDE 64
/* Tiles at once: a CPU gains nothing by more, and these networks' maps are large. */
#define CPU_SAMPLES 1
#define GPU_SAMPLES 4
/* Of an open size where the description asks for nothing else: what pixel shuffling and a few
 * halvings need. */
#define SIDE_MULTIPLE 8
/* Of the device's memory, for the maps of frames in one piece. */
#define MOST_MEMORY_SHARE 4

/* ---------------------------------------------------------------- the model */

static const NnValue *picture_input(const PictureModel *model)
{
    const GPtrArray *inputs = nn_model_graph(model->model)->inputs;
    for (guint i = 0; i < inputs->len; i++) {
        const NnValue *input = inputs->pdata[i];
        if (model->info->input ? g_str_equal(input->name, model->info->input) : input->rank == 4)
            return input;
    }
    return NULL;
}

static const NnValue *picture_output(const PictureModel *model, const NnGraph *graph)
{
    for (guint i = 0; i < graph->outputs->len; i++) {
        const NnValue *output = graph->outputs->pdata[i];
        if (!model->info->output || g_str_equal(output->name, model->info->output))
            return output;
    }
    return NULL;
}

/* By how much the picture grows; 0 if that is no whole number, or not the same for both axes. */
static guint growth_of(const NnValue *output, const NnBinding *binding, gboolean nhwc)
{
    const int h = nhwc ? 1 : 2;
    if (!output || output->rank != 4 || output->dims[h] % binding->dims[h] != 0)
        return 0;
    const gint64 factor = output->dims[h] / binding->dims[h];
    return output->dims[h + 1] == factor * binding->dims[h + 1] ? (guint)factor : 0;
}

/* 0 if it is none, without an error. */
static gboolean infer_factor(const PictureModel *model, guint *factor, GError **error)
{
    const NnValue *input = picture_input(model);
    const gboolean nhwc = model->info->nhwc;
    *factor = 0;
    if (input && input->rank == 4) {
        NnBinding binding = { .name = input->name, .rank = 4 };
        for (int i = 0; i < 4; i++)
            binding.dims[i] = i == 0                ? 1
                              : input->dims[i] > 0  ? input->dims[i]
                              : i == (nhwc ? 3 : 1) ? 3
                                                    : TRIAL_SIDE;
        g_autoptr(NnGraph) graph = nn_graph_copy(nn_model_graph(model->model));
        if (!nn_graph_infer(graph, &binding, 1, error))
            return FALSE;
        *factor = growth_of(picture_output(model, graph), &binding, nhwc);
    }
    return TRUE;
}

static gboolean find_factor(const PictureModel *model, guint *factor, GError **error)
{
    if (!infer_factor(model, factor, error))
        return FALSE;
    if (*factor >= 1 && *factor <= MOST_FACTOR)
        return TRUE;
    g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                "it is no network that gives pictures as large as they were or 2 to %d times as "
                "large",
                MOST_FACTOR);
    return FALSE;
}

PictureModel *background_model_new(const char *path_or_name, guint *factor, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autoptr(PictureModel) model = picture_model_new_as(path_or_name, "real-esrgan", &reason);
    if (model && find_factor(model, factor, &reason))
        return g_steal_pointer(&model);
    g_propagate_prefixed_error(error, g_steal_pointer(&reason),
                               "network for whole frames (background-file): ");
    return NULL;
}

static gboolean takes_any_size(const PictureModel *model)
{
    const NnValue *input = picture_input(model);
    const VideoModelInfo *info = model->info;
    const int h = info->nhwc ? 1 : 2;
    return input && input->rank == 4 && input->dims[h] <= 0 && input->dims[h + 1] <= 0 &&
           !info->width && !info->height;
}

gboolean background_keeps_scale(const PictureModel *model, guint *factor)
{
    const VideoModelInfo *info = model->info;
    if (info->fit != VIDEO_FIT_TILE &&
        (!takes_any_size(model) || info->short_side || info->fit == VIDEO_FIT_LETTERBOX))
        return FALSE;
    if (!infer_factor(model, factor, NULL))
        *factor = 0;
    return TRUE;
}

/* ---------------------------------------------------------------- sizes */

static gboolean scale_int(gint from, GstPadDirection to, gint factor, gint *result)
{
    *result = to == GST_PAD_SRC ? from * factor : from / factor;
    return to == GST_PAD_SRC ? from <= G_MAXINT / factor : from % factor == 0 && *result > 0;
}

/* TRUE if anything is left. */
static gboolean scale_value(const GValue *from, GstPadDirection to, gint factor, GValue *result)
{
    gint number;
    if (G_VALUE_HOLDS_INT(from)) {
        g_value_init(result, G_TYPE_INT);
        const gboolean fits = scale_int(g_value_get_int(from), to, factor, &number);
        g_value_set_int(result, number);
        return fits;
    }
    if (GST_VALUE_HOLDS_INT_RANGE(from)) {
        const gint least = gst_value_get_int_range_min(from);
        const gint most = gst_value_get_int_range_max(from);
        const gint low = to == GST_PAD_SRC ? least * factor : MAX(1, (least - 1) / factor + 1);
        const gint high = to == GST_PAD_SRC ? MIN(most, G_MAXINT / factor) * factor : most / factor;
        g_value_init(result, low < high ? GST_TYPE_INT_RANGE : G_TYPE_INT);
        if (low < high)
            gst_value_set_int_range(result, low, high);
        else
            g_value_set_int(result, low);
        return low <= high;
    }
    g_value_init(result, GST_TYPE_LIST);
    for (guint i = 0; GST_VALUE_HOLDS_LIST(from) && i < gst_value_list_get_size(from); i++) {
        GValue item = G_VALUE_INIT;
        if (scale_value(gst_value_list_get_value(from, i), to, factor, &item))
            gst_value_list_append_and_take_value(result, &item);
        else
            g_value_unset(&item);
    }
    return gst_value_list_get_size(result) > 0;
}

static gboolean scale_field(GstStructure *structure, const char *name, GstPadDirection to,
                            guint factor)
{
    const GValue *from = gst_structure_get_value(structure, name);
    GValue result = G_VALUE_INIT;
    if (!from)
        return TRUE;
    const gboolean fits = scale_value(from, to, (gint)factor, &result);
    gst_structure_take_value(structure, name, &result);
    return fits;
}

GstCaps *background_scale_caps(GstCaps *caps, GstPadDirection to, guint factor)
{
    GstCaps *scaled = gst_caps_new_empty();
    for (guint i = 0; i < gst_caps_get_size(caps); i++) {
        GstStructure *structure = gst_structure_copy(gst_caps_get_structure(caps, i));
        gboolean fits = TRUE;
        if (factor == 0)
            gst_structure_remove_fields(structure, "width", "height", NULL);
        else
            fits = scale_field(structure, "width", to, factor) &&
                   scale_field(structure, "height", to, factor);
        if (fits)
            gst_caps_append_structure_full(scaled, structure,
                                           gst_caps_features_copy(gst_caps_get_features(caps, i)));
        else
            gst_structure_free(structure);
    }
    return scaled;
}

/* ---------------------------------------------------------------- building */

static PictureNetwork *build_network(PictureModel *model, OclDevice *device, const GstVideoInfo *in,
                                     const BackgroundTiles *tiles, guint side, guint samples,
                                     NnPrecision precision, GError **error)
{
    const guint width = GST_VIDEO_INFO_WIDTH(in), height = GST_VIDEO_INFO_HEIGHT(in);
    const guint multiple = model->info->multiple ? model->info->multiple : SIDE_MULTIPLE;
    return picture_network_new(
        model, device, video_span_side(width, side, tiles->overlap, multiple),
        video_span_side(height, side, tiles->overlap, multiple), samples, precision, error);
}

static gboolean has_room(const PictureNetwork *network)
{
    gsize weights_b, arena_b, bound_b;
    nn_network_memory(network->network, &weights_b, &arena_b, &bound_b);
    return arena_b <= network->device->global_memory_b / MOST_MEMORY_SHARE;
}

/* For frames in one piece and as many at once as there is room for, else for tiles, also where the
 * reason is that the pieces are too large to be built for. */
static PictureNetwork *find_network(PictureModel *model, OclDevice *device, const GstVideoInfo *in,
                                    const BackgroundTiles *tiles, guint samples,
                                    NnPrecision precision, GError **error)
{
    for (guint n = MIN(samples, tiles->max_frames); tiles->in_one && takes_any_size(model) && n > 0;
         n = n > 1 ? 1 : 0) {
        g_autoptr(GError) reason = NULL;
        g_autoptr(PictureNetwork) network =
            build_network(model, device, in, tiles, G_MAXINT, n, precision, &reason);
        if (network && has_room(network))
            return g_steal_pointer(&network);
    }
    return build_network(model, device, in, tiles, tiles->side, samples, precision, error);
}

gboolean background_init(Background *self, PictureModel *model, guint factor, OclDevice *device,
                         const GstVideoInfo *in, const GstVideoInfo *out,
                         const BackgroundTiles *tiles, NnPrecision precision, GError **error)
{
    const guint samples = device->device_class == OCL_CLASS_CPU ? CPU_SAMPLES : GPU_SAMPLES;
    self->network = find_network(model, device, in, tiles, samples, precision, error);
    if (!self->network)
        return FALSE;
    self->slot = nn_slot_new(self->network->network, error);
    if (!self->slot)
        return FALSE;
    const VideoFaceNetwork network = { self->slot, self->network->input, self->network->output,
                                       model->info };
    self->tiles = video_tiles_new(device, in, out, &network, factor, tiles->overlap,
                                  self->network->max_samples, error);
    return self->tiles != NULL;
}

void background_clear(Background *self)
{
    g_clear_pointer(&self->tiles, video_tiles_free);
    g_clear_pointer(&self->slot, nn_slot_free);
    g_clear_pointer(&self->network, picture_network_unref);
}
