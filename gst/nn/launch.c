/* launch.c - the recorder: storages, constants and the launches with their symbolic arguments.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "recorder.h"
#include "trust.h"

#include <string.h>

static void choice_free(gpointer data)
{
    NnChoice *choice = data;
    g_free(choice->key);
    g_ptr_array_unref(choice->ways);
    g_free(choice);
}

static void launch_free(gpointer data)
{
    NnLaunch *launch = data;
    g_free(launch->node);
    g_free(launch->shape);
    g_free(launch->file);
    g_free(launch->function);
    g_free(launch->options);
    g_array_unref(launch->arguments);
    g_free(launch);
}

NnRecorder *nn_recorder_new(OclDevice *device, gboolean fp16, const char *variant)
{
    NnRecorder *recorder = g_new0(NnRecorder, 1);
    recorder->device = ocl_device_ref(device);
    recorder->fp16 = fp16;
    recorder->variant = variant;
    recorder->left_out = variant ? NULL : nn_kernels_left_out(device);
    recorder->storages = g_ptr_array_new_with_free_func(g_free);
    recorder->launches = g_ptr_array_new_with_free_func(launch_free);
    recorder->constants = g_hash_table_new(NULL, NULL);
    recorder->elided = g_hash_table_new(NULL, NULL);
    recorder->moments = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    recorder->host_arrays = g_ptr_array_new_with_free_func((GDestroyNotify)nn_array_unref);
    recorder->host_blocks = g_ptr_array_new_with_free_func(g_free);
    recorder->views = g_ptr_array_new_with_free_func(g_free);
    recorder->choices = g_ptr_array_new_with_free_func(choice_free);
    return recorder;
}

void nn_recorder_free(NnRecorder *recorder)
{
    if (!recorder)
        return;
    ocl_device_unref(recorder->device);
    g_clear_pointer(&recorder->left_out, g_hash_table_unref);
    g_ptr_array_unref(recorder->launches);
    g_ptr_array_unref(recorder->storages);
    g_hash_table_unref(recorder->constants);
    g_hash_table_unref(recorder->elided);
    g_hash_table_unref(recorder->moments);
    g_ptr_array_unref(recorder->host_arrays);
    g_ptr_array_unref(recorder->host_blocks);
    g_ptr_array_unref(recorder->views);
    g_ptr_array_unref(recorder->choices);
    g_free(recorder);
}

void nn_recorder_forget_host_data(NnRecorder *recorder)
{
    g_ptr_array_set_size(recorder->host_arrays, 0);
    g_ptr_array_set_size(recorder->host_blocks, 0);
}

/* Slices of buffers start where the device allows it, and vectors where they are whole. */
static gsize aligned(const NnRecorder *recorder, gsize size_b)
{
    const gsize align_b = MAX(recorder->device->base_align_b, 128);
    return (MAX(size_b, 1) + align_b - 1) / align_b * align_b;
}

NnStorage *nn_recorder_storage(NnRecorder *recorder, gsize size_b)
{
    NnStorage *storage = g_new0(NnStorage, 1);
    storage->size_b = aligned(recorder, size_b);
    storage->first = G_MAXINT;
    storage->last = G_MININT;
    g_ptr_array_add(recorder->storages, storage);
    return storage;
}

static gboolean record_node(NnRecorder *recorder, const NnNode *node, GError **error)
{
    recorder->node = node;
    recorder->node_choices = 0;
    recorder->choice = -1;
    recorder->way = NULL;
    if (!node->op->launch)
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED,
                             "its inputs must be known before the network runs, but they are "
                             "computed from the picture");
    return node->op->launch(recorder, node, error);
}

static void give_launches(NnRecorder *recorder)
{
    for (; recorder->n_given < recorder->launches->len; recorder->n_given++)
        g_thread_pool_push(recorder->builder, recorder->launches->pdata[recorder->n_given], NULL);
}

gboolean nn_recorder_record(NnRecorder *recorder, NnGraph *graph, GError **error)
{
    if (!nn_layout(recorder, graph, recorder->elided, error))
        return FALSE;
    recorder->graph = graph;
    for (guint i = 0; i < graph->nodes->len; i++) {
        const NnNode *node = graph->nodes->pdata[i];
        if (!g_hash_table_contains(recorder->elided, node) && !record_node(recorder, node, error))
            return FALSE;
        if (recorder->builder)
            give_launches(recorder);
    }
    return TRUE;
}

/* ---------------------------------------------------------------- asking */

const OclDevice *nn_recorder_device(const NnRecorder *recorder)
{
    return recorder->device;
}

gboolean nn_recorder_fp16(const NnRecorder *recorder)
{
    return recorder->fp16;
}

guint nn_recorder_max_samples(const NnRecorder *recorder)
{
    return recorder->max_samples;
}

gboolean nn_recorder_leaves_out(const NnRecorder *recorder, const char *kernel)
{
    return recorder->left_out && g_hash_table_contains(recorder->left_out, kernel);
}

gboolean nn_recorder_is_later(const NnRecorder *recorder, const NnNode *node, const NnNode *other)
{
    guint at = 0, other_at = 0;
    return g_ptr_array_find(recorder->graph->nodes, node, &at) &&
           g_ptr_array_find(recorder->graph->nodes, other, &other_at) && at > other_at;
}

void nn_recorder_elide(NnRecorder *recorder, const NnNode *node)
{
    g_hash_table_add(recorder->elided, (gpointer)node);
}

void nn_recorder_keep_moments(NnRecorder *recorder, const NnNode *norm, const NnView *moments)
{
    g_hash_table_insert(recorder->moments, (gpointer)norm, g_memdup2(moments, sizeof *moments));
}

const NnView *nn_recorder_moments(const NnRecorder *recorder, const NnNode *norm)
{
    return g_hash_table_lookup(recorder->moments, norm);
}

const char *nn_recorder_forced_variant(const NnRecorder *recorder)
{
    return recorder->way ? recorder->way : recorder->variant;
}

/* A dense view of host data that lives until the weights are uploaded. */
static NnView constant_view(NnRecorder *recorder, NnType type, int rank, const gint64 *dims,
                            gsize n, gconstpointer data)
{
    NnView view = { .type = type, .rank = rank };
    view.storage = nn_recorder_storage(recorder, n * nn_type_size(type));
    view.storage->shared = TRUE;
    view.storage->constant = data;
    view.storage->constant_b = n * nn_type_size(type);
    for (gint64 i = rank - 1, stride = 1; i >= 0; i--) {
        view.dims[i] = dims[i];
        view.strides[i] = stride;
        stride *= dims[i];
    }
    return view;
}

/* The view of a constant value, made the first time that a launcher asks for it. */
static const NnView *value_constant_view(NnRecorder *recorder, const NnValue *value)
{
    NnView *view = g_hash_table_lookup(recorder->constants, value);
    if (view)
        return view;

    const NnArray *constant = value->constant;
    NnArray *array = nn_type_is_float(constant->type) && constant->type != NN_FLOAT32
                         ? nn_array_cast(constant, NN_FLOAT32)
                         : nn_array_ref(value->constant);
    if (!array)
        return NULL;
    g_ptr_array_add(recorder->host_arrays, array);
    view = g_new(NnView, 1);
    *view = constant_view(recorder, array->type, array->rank, array->dims, array->n, array->data);
    g_ptr_array_add(recorder->views, view);
    g_hash_table_insert(recorder->constants, (gpointer)value, view);
    return view;
}

const NnView *nn_recorder_value(NnRecorder *recorder, const NnValue *value)
{
    if (!value)
        return NULL;
    return value->constant ? value_constant_view(recorder, value) : value->storage;
}

const NnView *nn_recorder_input(NnRecorder *recorder, const NnNode *node, guint i)
{
    return nn_recorder_value(recorder, nn_node_input(node, i));
}

const NnView *nn_recorder_output(NnRecorder *recorder, const NnNode *node, guint i)
{
    return nn_recorder_value(recorder, nn_node_output(node, i));
}

NnView nn_recorder_constant(NnRecorder *recorder, NnType type, gsize n, gconstpointer data)
{
    const gint64 dims[1] = { (gint64)n };
    gpointer copy = g_memdup2(data, n * nn_type_size(type));
    g_ptr_array_add(recorder->host_blocks, copy);
    return constant_view(recorder, type, 1, dims, n, copy);
}

NnView nn_recorder_scratch(NnRecorder *recorder, NnType type, gsize n)
{
    NnView view = { .type = type, .rank = 1, .dims = { (gint64)n }, .strides = { 1 } };
    view.storage = nn_recorder_storage(recorder, n * nn_type_size(type));
    return view;
}

/* Of one storage for all launches of a kind, as large as any of them asks for. */
static NnView common_view(NnRecorder *recorder, NnStorage **storage, NnType type, gsize n)
{
    NnView view = { .type = type, .rank = 1, .dims = { (gint64)n }, .strides = { 1 } };
    const gsize size_b = n * nn_type_size(type);
    if (!*storage)
        *storage = nn_recorder_storage(recorder, size_b);
    (*storage)->size_b = MAX((*storage)->size_b, aligned(recorder, size_b));
    view.storage = *storage;
    return view;
}

NnView nn_recorder_parts(NnRecorder *recorder, gsize n)
{
    return common_view(recorder, &recorder->parts, NN_FLOAT32, n);
}

NnView nn_recorder_counters(NnRecorder *recorder, gsize n)
{
    const NnView view = common_view(recorder, &recorder->counters, NN_INT32, n);
    recorder->counters->counters = TRUE;
    return view;
}

/* ---------------------------------------------------------------- describing */

static void append_dims(GString *text, const NnValue *value)
{
    for (int i = value->rank > 1 ? 1 : 0; i < value->rank; i++)
        g_string_append_printf(text, "%s%" G_GINT64_FORMAT, i > 1 ? "x" : "", value->dims[i]);
}

char *nn_node_shape(const NnNode *node)
{
    GString *text = g_string_new(NULL);
    const NnValue *in = nn_node_input(node, 0), *out = nn_node_output(node, 0);
    if (in)
        append_dims(text, in);
    g_string_append(text, " -> ");
    if (out)
        append_dims(text, out);
    const NnValue *weights = nn_node_input(node, 1);
    if (weights && weights->rank == 4 && g_str_has_prefix(node->type, "Conv"))
        g_string_append_printf(text, " %" G_GINT64_FORMAT "x%" G_GINT64_FORMAT, weights->dims[2],
                               weights->dims[3]);
    return g_string_free(text, FALSE);
}

NnLaunch *nn_recorder_launch(NnRecorder *recorder, const NnNode *node, const char *file,
                             const char *function, const char *options, ...)
{
    NnLaunch *launch = g_new0(NnLaunch, 1);
    launch->node = g_strdup_printf("%s '%s'", node->type, node->name);
    launch->shape = nn_node_shape(node);
    launch->file = g_strdup(file);
    launch->function = g_strdup(function);
    va_list args;
    va_start(args, options);
    launch->options = g_strdup_vprintf(options, args);
    va_end(args);
    launch->arguments = g_array_new(FALSE, TRUE, sizeof(NnArgument));
    launch->sample_dim = -1;
    launch->choice = recorder->choice;
    g_ptr_array_add(recorder->launches, launch);
    return launch;
}

static NnArgument *add_argument(NnLaunch *launch, NnArgumentKind kind)
{
    g_array_set_size(launch->arguments, launch->arguments->len + 1);
    NnArgument *argument =
        &g_array_index(launch->arguments, NnArgument, launch->arguments->len - 1);
    argument->kind = kind;
    return argument;
}

static NnArgument *add_view(NnLaunch *launch, NnArgumentKind kind, const NnView *view)
{
    NnArgument *argument = add_argument(launch, kind);
    argument->view = *view;
    gsize n = 1;
    for (int i = 0; i < view->rank; i++)
        n *= view->strides[i] == 0 ? 1 : (gsize)view->dims[i];
    launch->moved_b += n * nn_type_size(view->type);
    return argument;
}

void nn_launch_buffer(NnLaunch *launch, const NnView *view)
{
    add_view(launch, NN_ARGUMENT_BUFFER, view);
}

gboolean nn_view_map(const NnView *view, NnMap *map)
{
    if (view->rank < 2 || view->rank > 4 || view->dims[0] != 1)
        return FALSE;
    const int y = view->rank == 4 ? 2 : -1;
    const int x = view->rank == 4 ? 3 : view->rank == 3 ? 2 : -1;
    *map = (NnMap){
        .c = (gint32)view->dims[1],
        .sc = (gint32)view->strides[1],
        .h = y < 0 ? 1 : (gint32)view->dims[y],
        .sh = y < 0 ? 0 : (gint32)view->strides[y],
        .w = x < 0 ? 1 : (gint32)view->dims[x],
        .sw = x < 0 ? 0 : (gint32)view->strides[x],
    };
    return TRUE;
}

void nn_launch_map(NnLaunch *launch, const NnView *view)
{
    NnArgument *argument = add_view(launch, NN_ARGUMENT_MAP, view);
    if (!nn_view_map(view, &argument->map))
        g_return_if_reached();
}

void nn_launch_strided(NnLaunch *launch, const NnView *view)
{
    add_view(launch, NN_ARGUMENT_STRIDED, view);
}

void nn_launch_extents(NnLaunch *launch, int rank, const gint64 *dims)
{
    NnExtents extents;
    for (int i = 0; i < NN_MAX_RANK; i++)
        extents.n[i] = i < rank ? (gint32)dims[i] : 1;
    nn_launch_bytes(launch, &extents, sizeof extents);
}

void nn_launch_int(NnLaunch *launch, gint32 value)
{
    nn_launch_bytes(launch, &value, sizeof value);
}

void nn_launch_float(NnLaunch *launch, float value)
{
    nn_launch_bytes(launch, &value, sizeof value);
}

void nn_launch_ulong(NnLaunch *launch, guint64 value)
{
    nn_launch_bytes(launch, &value, sizeof value);
}

void nn_launch_bytes(NnLaunch *launch, gconstpointer data, gsize size_b)
{
    NnArgument *argument = add_argument(launch, NN_ARGUMENT_BYTES);
    g_return_if_fail(size_b <= sizeof argument->bytes);
    memcpy(argument->bytes, data, size_b);
    argument->size_b = size_b;
}

void nn_launch_local(NnLaunch *launch, gsize size_b)
{
    add_argument(launch, NN_ARGUMENT_LOCAL)->size_b = size_b;
}

void nn_launch_size(NnLaunch *launch, guint n_dims, const gsize *global, const gsize *local,
                    int sample_dim)
{
    launch->n_dims = n_dims;
    launch->sample_dim = sample_dim;
    for (guint i = 0; i < n_dims; i++) {
        launch->global[i] = global[i];
        launch->local[i] = local ? local[i] : 0;
    }
}

void nn_launch_cost(NnLaunch *launch, double flops)
{
    launch->flops = flops;
}
