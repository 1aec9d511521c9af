/* network.c - a model built for a device, and the slots that run it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "nn.h"

#include <string.h>

#include "recorder.h"
#include "trust.h"
#include "tune.h"

struct NnNetwork {
    gatomicrefcount ref_count;
    OclDevice *device;
    NnGraph *graph;
    NnRecorder *recorder;
    NnPlan *plan;
    GPtrArray *weights; /* cl_mem, chunks that all constants share */
    gsize weights_b;
    GArray *inputs, *outputs; /* Port */
    guint max_samples;
    gboolean profiling;
    gboolean recorded;  /* runs are recorded once and replayed */
    gint64 deadline_us; /* after which slots are neither made nor run, 0: none */
};

typedef struct {
    NnPort port;
    NnView view;
} Port;

struct NnSlot {
    NnNetwork *network;
    GPtrArray *chunks;     /* cl_mem */
    cl_mem counters;       /* (nullable): all counters of a storage */
    GPtrArray *slices;     /* cl_mem: single storages, for kernels that take no offset */
    GPtrArray *kernels;    /* OclKernel*, one per launch */
    cl_event *events;      /* one per launch, when profiling */
    GPtrArray *recordings; /* (nullable): OclRecording* of 1, 2... samples, NULL until needed */
};

static void release_memory(gpointer memory)
{
    cl_mem mem = memory;
    ocl_buffer_clear(&mem);
}

/* ---------------------------------------------------------------- building */

/* Keeps only the outputs that are wanted, so that what they alone need is pruned. */
static gboolean select_outputs(NnGraph *graph, const char *const *names, GError **error)
{
    if (!names)
        return TRUE;
    for (guint i = 0; i < graph->outputs->len; i++)
        ((NnValue *)graph->outputs->pdata[i])->is_output = FALSE;
    g_ptr_array_set_size(graph->outputs, 0);
    for (; *names; names++) {
        NnValue *value = g_hash_table_lookup(graph->by_name, *names);
        if (!value) {
            g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "the network has no output '%s'", *names);
            return FALSE;
        }
        value->is_output = TRUE;
        g_ptr_array_add(graph->outputs, value);
    }
    nn_graph_prune(graph);
    return TRUE;
}

static NnGraph *build_graph(NnModel *model, const NnNetworkParams *params, GError **error)
{
    g_autoptr(NnGraph) graph = nn_graph_copy(nn_model_graph(model));
    if (!select_outputs(graph, params->outputs, error) ||
        !nn_graph_infer(graph, params->inputs, params->n_inputs, error))
        return NULL;
    if (!params->no_fusion && !nn_graph_optimize(graph, error))
        return NULL;
    return g_steal_pointer(&graph);
}

/* Packs all constants into as few memory objects as the device allows and uploads them. */
static gboolean upload_weights(NnNetwork *network, GError **error)
{
    GPtrArray *storages = network->recorder->storages;
    g_autoptr(GArray) sizes_b = g_array_new(FALSE, TRUE, sizeof(gsize));
    for (guint i = 0; i < storages->len; i++) {
        NnStorage *storage = storages->pdata[i];
        if (!storage->constant)
            continue;
        gsize *last_b = sizes_b->len ? &g_array_index(sizes_b, gsize, sizes_b->len - 1) : NULL;
        if (!last_b || *last_b + storage->size_b > network->device->max_allocation_b) {
            g_array_set_size(sizes_b, sizes_b->len + 1);
            last_b = &g_array_index(sizes_b, gsize, sizes_b->len - 1);
        }
        storage->chunk = (int)sizes_b->len - 1;
        storage->offset_b = *last_b;
        *last_b += storage->size_b;
    }

    for (guint i = 0; i < sizes_b->len; i++) {
        const gsize size_b = g_array_index(sizes_b, gsize, i);
        cl_mem memory = ocl_buffer_new(network->device, OCL_BUFFER_READ_ONLY, size_b, error);
        if (!memory)
            return FALSE;
        g_ptr_array_add(network->weights, memory);
        network->weights_b += size_b;
    }

    g_autoptr(OclQueue) queue = ocl_queue_new(network->device, "weights", FALSE, error);
    if (!queue)
        return FALSE;
    for (guint i = 0; i < storages->len; i++) {
        const NnStorage *storage = storages->pdata[i];
        if (storage->constant && storage->constant_b > 0 &&
            !ocl_write(queue, network->weights->pdata[storage->chunk], storage->offset_b,
                       storage->constant, storage->constant_b, NULL, error))
            return FALSE;
    }
    return ocl_queue_finish(queue, error);
}

static void add_port(NnNetwork *network, GArray *ports, NnValue *value)
{
    Port port = { .port = { .name = value->name, .type = value->type, .rank = value->rank } };
    memcpy(port.port.dims, value->dims, sizeof port.port.dims);
    port.view = *nn_recorder_value(network->recorder, value);
    g_array_append_val(ports, port);
}

static void list_ports(NnNetwork *network)
{
    const NnGraph *graph = network->graph;
    for (guint i = 0; i < graph->inputs->len; i++) {
        NnValue *input = graph->inputs->pdata[i];
        if (!input->constant)
            add_port(network, network->inputs, input);
    }
    for (guint i = 0; i < graph->outputs->len; i++)
        add_port(network, network->outputs, graph->outputs->pdata[i]);
}

/* Half storage pays on GPUs; a CPU converts on every access and gains nothing. */
static gboolean choose_fp16(const OclDevice *device, NnPrecision precision)
{
    if (precision == NN_PRECISION_AUTO)
        return device->device_class != OCL_CLASS_CPU;
    return precision == NN_PRECISION_FP16;
}

/* A recording spares GPU drivers the work of setting up launches again. On a CPU a launch is little
 * more than a function call, and PoCL enqueues what was recorded one by one: it took the same time.
 * Profiles need events of single launches. */
static gboolean choose_recording(const OclDevice *device, const NnNetworkParams *params)
{
    return device->can_record && !params->profiling &&
           (params->recorded || device->device_class != OCL_CLASS_CPU);
}

/* The first launch whose kernel the driver refuses, and what it says. */
typedef struct {
    OclDevice *device;
    const NnLaunch *launch;
    GError *error;
} Refusal;

static void refusal_clear(Refusal *refusal)
{
    g_clear_error(&refusal->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Refusal, refusal_clear)

/* NVIDIA's driver does not build a kernel whose work-groups ask for too much; others tell only
 * when it is enqueued, or asked. */
static gboolean check_group(const OclKernel *kernel, const NnLaunch *launch, GError **error)
{
    if (kernel->device->device_class == OCL_CLASS_NVIDIA)
        return TRUE;
    const gsize most = ocl_kernel_max_group(kernel);
    gsize n = 1;
    for (guint i = 0; launch->local[0] && i < launch->n_dims; i++)
        n *= launch->local[i];
    if (most == 0 || n <= most)
        return TRUE;
    g_set_error(error, OCL_ERROR, CL_INVALID_WORK_GROUP_SIZE,
                "%s on %s: work-groups of %" G_GSIZE_FORMAT " where %" G_GSIZE_FORMAT
                " are possible",
                kernel->name, kernel->device->name, n, most);
    return FALSE;
}

/* Compiles or loads what a launch needs, so that making slots finds it. */
static void build_program(gpointer data, gpointer user_data)
{
    const NnLaunch *launch = data;
    Refusal *refusal = user_data;
    if (refusal->error)
        return;
    g_autoptr(OclKernel) kernel = ocl_kernel_new(refusal->device, launch->file, launch->function,
                                                 launch->options, &refusal->error);
    if (!kernel || !check_group(kernel, launch, &refusal->error))
        refusal->launch = launch;
}

/* Records the launches, and has a thread build their programs meanwhile: packing weights and
 * compiling both take long, and the drivers let only one thread compile. */
static gboolean record(NnNetwork *network, Refusal *refusal, GError **error)
{
    NnRecorder *recorder = network->recorder;
    if (network->deadline_us != 0)
        return nn_recorder_record(recorder, network->graph, error);
    refusal->device = network->device;
    recorder->builder = g_thread_pool_new(build_program, refusal, 1, TRUE, NULL);
    const gboolean ok = nn_recorder_record(recorder, network->graph, error);
    g_thread_pool_free(recorder->builder, !ok, TRUE);
    recorder->builder = NULL;
    return ok;
}

/* Whether a kernel was found that the device does not run as it should, so that what is recorded
 * next is something else. What is refused for good fails when slots are made. */
static gboolean leaves_out_more(const NnNetwork *network, const Refusal *refusal)
{
    if (network->recorder->variant || network->deadline_us != 0)
        return FALSE;
    if (!refusal->error)
        return nn_kernels_check(network->device, network->recorder->launches);
    return !ocl_error_is_device_lost(refusal->error) &&
           !ocl_error_is_out_of_memory(refusal->error) &&
           nn_kernel_leave_out(network->device, refusal->launch->function, refusal->error->message);
}

/* *again: set if what was recorded will not do, and something else would be now. */
static NnNetwork *build_once(NnModel *model, OclDevice *device, const NnNetworkParams *params,
                             GHashTable *measured, gint64 deadline_us, gboolean *again,
                             GError **error)
{
    const gboolean fp16 = choose_fp16(device, params->precision);
    g_autoptr(NnGraph) graph = build_graph(model, params, error);
    if (!graph || (fp16 && !nn_graph_centre(graph, error)))
        return NULL;
    if (fp16)
        nn_graph_make_room(graph);

    g_autoptr(NnNetwork) network = g_new0(NnNetwork, 1);
    g_atomic_ref_count_init(&network->ref_count);
    network->device = ocl_device_ref(device);
    network->graph = g_steal_pointer(&graph);
    network->weights = g_ptr_array_new_with_free_func(release_memory);
    network->inputs = g_array_new(FALSE, TRUE, sizeof(Port));
    network->outputs = g_array_new(FALSE, TRUE, sizeof(Port));
    network->max_samples = MAX(params->max_samples, 1);
    network->profiling = params->profiling;
    network->recorded = choose_recording(device, params);
    network->deadline_us = deadline_us;
    network->recorder = nn_recorder_new(device, fp16, params->variant);
    network->recorder->max_samples = network->max_samples;
    network->recorder->measured = measured;
    network->recorder->samples = device->device_class == OCL_CLASS_CPU ? 1 : network->max_samples;
    g_auto(Refusal) refusal = { 0 };
    if (!record(network, &refusal, error))
        return NULL;
    *again = leaves_out_more(network, &refusal);
    if (*again)
        return NULL;
    list_ports(network);
    /* A profile has one event per launch, a recording all samples in each. */
    const NnPlanParams plan = { .max_samples = network->max_samples,
                                .keep_inputs = params->keep_inputs,
                                .may_take_turns = device->device_class == OCL_CLASS_CPU &&
                                                  network->max_samples > 1 && !network->profiling &&
                                                  !network->recorded };
    network->plan = nn_plan_new(network->recorder, network->graph, &plan, error);
    if (!network->plan || !upload_weights(network, error))
        return NULL;
    nn_recorder_forget_host_data(network->recorder);
    return g_steal_pointer(&network);
}

NnNetwork *nn_network_build(NnModel *model, OclDevice *device, const NnNetworkParams *params,
                            GHashTable *measured, gint64 deadline_us, GError **error)
{
    for (;;) {
        gboolean again = FALSE;
        NnNetwork *network =
            build_once(model, device, params, measured, deadline_us, &again, error);
        if (!again)
            return network;
    }
}

NnNetwork *nn_network_new(NnModel *model, OclDevice *device, const NnNetworkParams *params,
                          GError **error)
{
    if (params->tuning == NN_TUNING_OFF || params->variant)
        return nn_network_build(model, device, params, NULL, 0, error);
    g_autoptr(GHashTable) measured = nn_tune_load(device);
    g_autoptr(NnNetwork) network = nn_network_build(model, device, params, measured, 0, error);
    if (!network || params->tuning != NN_TUNING_MEASURE || !nn_tune_is_wanted(network, measured))
        return g_steal_pointer(&network);
    /* Two networks at once are enough for the device's memory. */
    g_clear_pointer(&network, nn_network_unref);
    nn_tune(model, device, params, measured);
    return nn_network_build(model, device, params, measured, 0, error);
}

NnNetwork *nn_network_ref(NnNetwork *network)
{
    g_atomic_ref_count_inc(&network->ref_count);
    return network;
}

void nn_network_unref(NnNetwork *network)
{
    if (!network || !g_atomic_ref_count_dec(&network->ref_count))
        return;
    g_ptr_array_unref(network->weights);
    g_array_unref(network->inputs);
    g_array_unref(network->outputs);
    nn_plan_free(network->plan);
    nn_recorder_free(network->recorder);
    nn_graph_free(network->graph);
    ocl_device_unref(network->device);
    g_free(network);
}

const NnRecorder *nn_network_recorder(const NnNetwork *network)
{
    return network->recorder;
}

guint nn_network_n_inputs(const NnNetwork *network)
{
    return network->inputs->len;
}

guint nn_network_n_outputs(const NnNetwork *network)
{
    return network->outputs->len;
}

const NnPort *nn_network_input(const NnNetwork *network, guint i)
{
    return &g_array_index(network->inputs, Port, i).port;
}

const NnPort *nn_network_output(const NnNetwork *network, guint i)
{
    return &g_array_index(network->outputs, Port, i).port;
}

guint nn_network_max_samples(const NnNetwork *network)
{
    return network->max_samples;
}

guint nn_network_n_launches(const NnNetwork *network)
{
    return network->recorder->launches->len;
}

gboolean nn_network_fp16(const NnNetwork *network)
{
    return network->recorder->fp16;
}

void nn_network_memory(const NnNetwork *network, gsize *weights_b, gsize *arena_b,
                       gsize *arena_lower_bound_b)
{
    *weights_b = network->weights_b;
    *arena_b = network->plan->arena_b;
    *arena_lower_bound_b = network->plan->lower_bound_b;
}

/* ---------------------------------------------------------------- slot */

static cl_mem storage_memory(const NnSlot *slot, const NnStorage *storage)
{
    if (storage->counters)
        return slot->counters;
    GPtrArray *chunks = storage->constant ? slot->network->weights : slot->chunks;
    return chunks->pdata[storage->chunk];
}

/* Elements from the start of the memory object to the view's first, for sample 0. */
static guint64 view_offset(const NnView *view)
{
    return view->storage->offset_b / nn_type_size(view->type) + (guint64)view->offset;
}

static gboolean set_map(const NnSlot *slot, OclKernel *kernel, guint *index,
                        const NnArgument *argument, GError **error)
{
    NnMap map = argument->map;
    map.offset = view_offset(&argument->view);
    map.sample = (guint64)nn_view_sample_stride(&argument->view);
    return ocl_kernel_set(kernel, (*index)++, sizeof map, &map, error);
}

static gboolean set_strided(OclKernel *kernel, guint *index, const NnArgument *argument,
                            GError **error)
{
    NnStrided strided = { .offset = view_offset(&argument->view),
                          .sample = (guint64)nn_view_sample_stride(&argument->view) };
    for (int i = 0; i < argument->view.rank; i++)
        strided.stride[i] = (gint32)argument->view.strides[i];
    return ocl_kernel_set(kernel, (*index)++, sizeof strided, &strided, error);
}

/* The storage of @view alone, all samples of it. */
static cl_mem storage_slice(NnSlot *slot, const NnView *view, GError **error)
{
    const NnStorage *storage = view->storage;
    const guint n = storage->shared || storage->in_turns ? 1 : slot->network->max_samples;
    cl_mem slice = ocl_buffer_slice(slot->network->device, storage_memory(slot, storage),
                                    storage->offset_b, storage->size_b * n, error);
    if (slice)
        g_ptr_array_add(slot->slices, slice);
    return slice;
}

static gboolean set_argument(NnSlot *slot, OclKernel *kernel, guint *index,
                             const NnArgument *argument, GError **error)
{
    if (argument->kind == NN_ARGUMENT_BYTES)
        return ocl_kernel_set(kernel, (*index)++, argument->size_b, argument->bytes, error);
    if (argument->kind == NN_ARGUMENT_LOCAL)
        return ocl_kernel_set(kernel, (*index)++, argument->size_b, NULL, error);

    cl_mem memory = argument->kind == NN_ARGUMENT_BUFFER
                        ? storage_slice(slot, &argument->view, error)
                        : storage_memory(slot, argument->view.storage);
    if (!memory || !ocl_kernel_set(kernel, (*index)++, sizeof memory, &memory, error))
        return FALSE;
    if (argument->kind == NN_ARGUMENT_MAP)
        return set_map(slot, kernel, index, argument, error);
    if (argument->kind == NN_ARGUMENT_STRIDED)
        return set_strided(kernel, index, argument, error);
    return TRUE;
}

static gboolean is_in_time(const NnNetwork *network, GError **error)
{
    if (network->deadline_us == 0 || g_get_monotonic_time() < network->deadline_us)
        return TRUE;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "the time for tuning is over");
    return FALSE;
}

static gboolean make_kernel(NnSlot *slot, const NnLaunch *launch, GError **error)
{
    OclKernel *kernel = ocl_kernel_new(slot->network->device, launch->file, launch->function,
                                       launch->options, error);
    if (!kernel)
        return FALSE;
    g_ptr_array_add(slot->kernels, kernel);
    guint index = 0;
    for (guint i = 0; i < launch->arguments->len; i++) {
        const NnArgument *argument = &g_array_index(launch->arguments, NnArgument, i);
        if (!set_argument(slot, kernel, &index, argument, error)) {
            g_prefix_error(error, "%s: ", launch->node);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean add_counters(NnSlot *slot, GError **error)
{
    const NnNetwork *network = slot->network;
    const NnStorage *counters = network->recorder->counters;
    if (!counters)
        return TRUE;
    const gsize size_b = counters->size_b * network->max_samples;
    slot->counters = ocl_buffer_new(network->device, OCL_BUFFER_READ_WRITE, size_b, error);
    g_autoptr(OclQueue) queue =
        slot->counters ? ocl_queue_new(network->device, "counters", FALSE, error) : NULL;
    return queue && ocl_fill(queue, slot->counters, 0, 0, size_b, NULL, error) &&
           ocl_queue_finish(queue, error);
}

NnSlot *nn_slot_new(NnNetwork *network, GError **error)
{
    g_autoptr(NnSlot) slot = g_new0(NnSlot, 1);
    slot->network = nn_network_ref(network);
    slot->chunks = g_ptr_array_new_with_free_func(release_memory);
    slot->slices = g_ptr_array_new_with_free_func(release_memory);
    slot->kernels = g_ptr_array_new_with_free_func((GDestroyNotify)ocl_kernel_free);
    const GPtrArray *launches = network->recorder->launches;
    if (network->profiling)
        slot->events = g_new0(cl_event, launches->len);
    if (network->recorded) {
        slot->recordings = g_ptr_array_new_with_free_func((GDestroyNotify)ocl_recording_free);
        g_ptr_array_set_size(slot->recordings, (int)network->max_samples);
    }

    const GArray *chunks_b = network->plan->chunks_b;
    for (guint i = 0; i < chunks_b->len; i++) {
        cl_mem memory = ocl_buffer_new(network->device, OCL_BUFFER_READ_WRITE,
                                       g_array_index(chunks_b, gsize, i), error);
        if (!memory)
            return NULL;
        g_ptr_array_add(slot->chunks, memory);
    }
    if (!add_counters(slot, error))
        return NULL;
    for (guint i = 0; i < launches->len; i++)
        if (!is_in_time(network, error) || !make_kernel(slot, launches->pdata[i], error))
            return NULL;
    return g_steal_pointer(&slot);
}

static void clear_events(NnSlot *slot)
{
    for (guint i = 0; slot->events && i < slot->network->recorder->launches->len; i++)
        ocl_event_clear(&slot->events[i]);
}

void nn_slot_free(NnSlot *slot)
{
    if (!slot)
        return;
    clear_events(slot);
    g_free(slot->events);
    g_clear_pointer(&slot->recordings, g_ptr_array_unref);
    g_ptr_array_unref(slot->kernels);
    g_ptr_array_unref(slot->slices);
    g_ptr_array_unref(slot->chunks);
    g_clear_pointer(&slot->counters, release_memory);
    nn_network_unref(slot->network);
    g_free(slot);
}

static NnPlace make_place(const NnSlot *slot, const Port *port)
{
    const NnView *view = &port->view;
    NnPlace place = { .memory = storage_memory(slot, view->storage),
                      .type = view->type,
                      .rank = view->rank,
                      .offset = (gint64)view_offset(view),
                      .sample_stride = nn_view_sample_stride(view) };
    memcpy(place.dims, view->dims, sizeof place.dims);
    memcpy(place.strides, view->strides, sizeof place.strides);
    return place;
}

NnPlace nn_slot_input(const NnSlot *slot, guint i)
{
    return make_place(slot, &g_array_index(slot->network->inputs, Port, i));
}

NnPlace nn_slot_output(const NnSlot *slot, guint i)
{
    return make_place(slot, &g_array_index(slot->network->outputs, Port, i));
}

/* The work sizes of a run; *local is NULL if the driver chooses. */
static void launch_size(const NnLaunch *launch, guint n_samples, gsize global[3],
                        const gsize **local)
{
    for (guint d = 0; d < launch->n_dims; d++)
        global[d] = launch->global[d] * ((int)d == launch->sample_dim ? n_samples : 1);
    *local = launch->local[0] ? launch->local : NULL;
}

static OclRecording *record_run(const NnSlot *slot, OclQueue *compute, guint n_samples,
                                GError **error)
{
    const GPtrArray *launches = slot->network->recorder->launches;
    g_autoptr(OclRecording) recording = ocl_recording_new(compute, error);
    if (!recording)
        return NULL;
    for (guint i = 0; i < launches->len; i++) {
        const NnLaunch *launch = launches->pdata[i];
        gsize global[3];
        const gsize *local;
        launch_size(launch, n_samples, global, &local);
        if (!ocl_recording_add(recording, slot->kernels->pdata[i], launch->n_dims, global, local,
                               error))
            return NULL;
    }
    return ocl_recording_finish(recording, error) ? g_steal_pointer(&recording) : NULL;
}

/* NULL if the launches are to be enqueued one by one. */
static OclRecording *find_recording(NnSlot *slot, OclQueue *compute, guint n_samples)
{
    if (!slot->recordings)
        return NULL;
    gpointer *recording = &slot->recordings->pdata[n_samples - 1];
    if (*recording)
        return *recording;
    g_autoptr(GError) error = NULL;
    *recording = record_run(slot, compute, n_samples, &error);
    if (*recording)
        return *recording;
    g_debug("no more recordings: %s", error->message);
    g_clear_pointer(&slot->recordings, g_ptr_array_unref);
    return NULL;
}

/* Enqueues all launches over @n_samples samples from @first on. */
static gboolean run_samples(NnSlot *slot, OclQueue *compute, guint first, guint n_samples,
                            GError **error)
{
    const GPtrArray *launches = slot->network->recorder->launches;
    for (guint i = 0; i < launches->len; i++) {
        const NnLaunch *launch = launches->pdata[i];
        gsize global[3], from[3] = { 0 };
        const gsize *local;
        if (launch->sample_dim >= 0)
            from[launch->sample_dim] = first * launch->global[launch->sample_dim];
        launch_size(launch, n_samples, global, &local);
        if (!is_in_time(slot->network, error))
            return FALSE;
        if (!ocl_enqueue_from(compute, slot->kernels->pdata[i], launch->n_dims, from, global, local,
                              slot->events ? &slot->events[i] : NULL, error)) {
            g_prefix_error(error, "%s: ", launch->node);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean nn_slot_run(NnSlot *slot, OclQueue *compute, guint n_samples, GError **error)
{
    g_return_val_if_fail(n_samples >= 1 && n_samples <= slot->network->max_samples, FALSE);
    clear_events(slot);
    OclRecording *recording = find_recording(slot, compute, n_samples);
    if (recording)
        return ocl_recording_enqueue(recording, compute, error);
    const guint step = slot->network->plan->in_turns ? 1 : n_samples;
    for (guint i = 0; i < n_samples; i += step)
        if (!run_samples(slot, compute, i, step, error))
            return FALSE;
    return TRUE;
}

/* ---------------------------------------------------------------- host access */

/* Elements of one sample in the order of memory and in row-major order, walked together. */
typedef struct {
    const NnView *view;
    gint64 index[NN_MAX_RANK];
    gint64 place; /* element of the view, relative to its storage */
} Walk;

static void walk_next(Walk *walk)
{
    const NnView *view = walk->view;
    for (int i = view->rank - 1; i >= 0; i--) {
        walk->place += view->strides[i];
        if (++walk->index[i] < view->dims[i])
            return;
        walk->place -= view->dims[i] * view->strides[i];
        walk->index[i] = 0;
    }
}

static gsize sample_elements(const NnView *view)
{
    gsize n = 1;
    for (int i = 0; i < view->rank; i++)
        n *= (gsize)view->dims[i];
    return n;
}

/* A block of host memory laid out as a view's storage, seen as an array of its element type. */
static NnArray *storage_array(const NnView *view, GError **error)
{
    const gint64 dims[1] = { (gint64)(view->storage->size_b / nn_type_size(view->type)) };
    NnArray *array = nn_array_new(view->type, 1, dims);
    if (!array)
        g_set_error(error, NN_ERROR, NN_ERROR_TOO_LARGE, "no memory for a tensor's host copy");
    return array;
}

static void copy_element(NnArray *dst, gsize d, const NnArray *src, gsize s)
{
    if (dst->type == src->type)
        memcpy((guint8 *)dst->data + d * nn_type_size(dst->type),
               (const guint8 *)src->data + s * nn_type_size(src->type), nn_type_size(dst->type));
    else
        nn_array_set(dst, d, nn_array_get(src, s));
}

gboolean nn_slot_write_input(NnSlot *slot, OclQueue *queue, guint i, guint n_samples,
                             const NnArray *data, GError **error)
{
    const Port *port = &g_array_index(slot->network->inputs, Port, i);
    const gsize n = sample_elements(&port->view);
    if (data->n != n && data->n != n * n_samples) {
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                    "input '%s' takes %" G_GSIZE_FORMAT
                    " elements for each of %u samples, got %" G_GSIZE_FORMAT,
                    port->port.name, n, n_samples, data->n);
        return FALSE;
    }
    g_autoptr(NnArray) block = storage_array(&port->view, error);
    if (!block)
        return FALSE;
    const NnStorage *storage = port->view.storage;
    for (guint s = 0; s < n_samples; s++) {
        Walk walk = { .view = &port->view, .place = port->view.offset };
        const gsize first = data->n == n ? 0 : s * n;
        for (gsize k = 0; k < n; k++, walk_next(&walk))
            copy_element(block, (gsize)walk.place, data, first + k);
        if (!ocl_write(queue, storage_memory(slot, storage),
                       storage->offset_b + s * storage->size_b, block->data, storage->size_b, NULL,
                       error) ||
            !ocl_queue_finish(queue, error))
            return FALSE;
    }
    return TRUE;
}

/* A byte that is 0.01 as a float and 1.06 as a half, whatever their layout. */
#define SMALL_NUMBER 0x3c

gboolean nn_slot_fill_inputs(NnSlot *slot, OclQueue *queue, GError **error)
{
    const NnNetwork *network = slot->network;
    for (guint i = 0; i < network->inputs->len; i++) {
        const NnView *view = &g_array_index(network->inputs, Port, i).view;
        const guint n = view->storage->shared ? 1 : network->max_samples;
        if (!ocl_fill(queue, storage_memory(slot, view->storage),
                      nn_type_is_float(view->type) ? SMALL_NUMBER : 0, view->storage->offset_b,
                      view->storage->size_b * n, NULL, error))
            return FALSE;
    }
    return TRUE;
}

NnArray *nn_slot_read_output(NnSlot *slot, OclQueue *queue, guint i, guint n_samples,
                             GError **error)
{
    const Port *port = &g_array_index(slot->network->outputs, Port, i);
    const NnStorage *storage = port->view.storage;
    gint64 dims[NN_MAX_RANK];
    memcpy(dims, port->port.dims, sizeof dims);
    if (port->port.rank > 0)
        dims[0] *= n_samples;
    else
        n_samples = 1;
    g_autoptr(NnArray) out = nn_array_new(port->port.type, port->port.rank, dims);
    g_autoptr(NnArray) block = storage_array(&port->view, error);
    if (!out || !block)
        return NULL;

    const gsize n = sample_elements(&port->view);
    for (guint s = 0; s < n_samples; s++) {
        const gsize sample_b = storage->shared ? 0 : s * storage->size_b;
        const gsize size_b = storage->constant ? storage->constant_b : storage->size_b;
        if (!ocl_read(queue, storage_memory(slot, storage), storage->offset_b + sample_b,
                      block->data, size_b, NULL, error) ||
            !ocl_queue_finish(queue, error))
            return NULL;
        Walk walk = { .view = &port->view, .place = port->view.offset };
        for (gsize k = 0; k < n; k++, walk_next(&walk))
            copy_element(out, s * n + k, block, (gsize)walk.place);
    }
    return g_steal_pointer(&out);
}

/* ---------------------------------------------------------------- profile */

GArray *nn_slot_profile(NnSlot *slot, guint n_samples, GError **error)
{
    const GPtrArray *launches = slot->network->recorder->launches;
    g_autoptr(GArray) lines = g_array_new(FALSE, TRUE, sizeof(NnProfileLine));
    for (guint i = 0; i < launches->len; i++) {
        const NnLaunch *launch = launches->pdata[i];
        guint64 start_ns, end_ns;
        if (!slot->events || !ocl_event_times(slot->events[i], &start_ns, &end_ns)) {
            g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                        "no times: the network and its queue were not made for profiling, or it "
                        "has not run yet");
            return NULL;
        }
        const double ns = MAX(end_ns - start_ns, 1);
        NnProfileLine line = { .node = launch->node,
                               .kernel = launch->function,
                               .ms = ns / 1e6,
                               .gflops = launch->flops * n_samples / ns,
                               .gbytes_per_s = (double)launch->moved_b * n_samples / ns };
        g_strlcpy(line.shape, launch->shape, sizeof line.shape);
        g_array_append_val(lines, line);
    }
    return g_steal_pointer(&lines);
}
