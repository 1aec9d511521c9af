/* launch_resize.c - Resize and Upsample: tables of taps from the resolver, then one kernel for maps
 * or one launch per axis. On CPUs an Add behind it is part of the launch for maps.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuse.h"
#include "launch_resize.h"
#include "launch_wide.h"

#include <string.h>

typedef struct {
    NnRecorder *recorder;
    const NnNode *node;
    const NnResizeParams *params;
    const NnView *x, *y;
    const NnNode *add;   /* (nullable): y is its result, a sum with a map of y's shape */
    const NnView *other; /* that map; y where there is none */
} Job;

NnTaps nn_record_taps(NnRecorder *recorder, const NnResizeParams *params, int axis)
{
    const gsize n = (gsize)params->out[axis], most = nn_resize_max_taps(params, axis);
    g_autofree gint64 *index = g_new0(gint64, most);
    g_autofree double *weight = g_new0(double, most);
    g_autofree gint32 *indices = g_new0(gint32, n * most);
    g_autofree float *weights = g_new0(float, n *most);
    for (gsize o = 0; o < n; o++) {
        const gsize taps = nn_resize_taps(params, axis, (gint64)o, index, weight);
        for (gsize t = 0; t < taps; t++) {
            indices[o * most + t] = (gint32)index[t];
            weights[o * most + t] = (float)weight[t];
        }
        if (taps == 0)
            indices[o * most] = -1;
    }
    return (NnTaps){ .index = nn_recorder_constant(recorder, NN_INT32, n * most, indices),
                     .weight = nn_recorder_constant(recorder, NN_FLOAT32, n * most, weights),
                     .taps = (gint32)most };
}

gboolean nn_resize_is_bilinear(const NnResizeParams *params)
{
    return params->rank == 4 && params->mode == NN_RESIZE_LINEAR &&
           params->coordinate != NN_COORDINATE_TF_CROP_AND_RESIZE &&
           nn_resize_max_taps(params, 0) == 1 && nn_resize_max_taps(params, 1) == 1 &&
           nn_resize_max_taps(params, 2) == 2 && nn_resize_max_taps(params, 3) == 2;
}

static NnTaps make_taps(const Job *job, int axis)
{
    return nn_record_taps(job->recorder, job->params, axis);
}

static gboolean on_cpu(const NnRecorder *recorder)
{
    return nn_recorder_device(recorder)->device_class == OCL_CLASS_CPU;
}

static gboolean is_resized(const NnResizeParams *params, int axis)
{
    return params->in[axis] != params->out[axis] || params->scale[axis] != 1.0 ||
           (params->coordinate == NN_COORDINATE_TF_CROP_AND_RESIZE &&
            (params->roi_start[axis] != 0.0 || params->roi_end[axis] != 1.0));
}

/* ---------------------------------------------------------------- maps */

static gboolean fits_map(gconstpointer data)
{
    const Job *job = data;
    NnMap x, y;
    return job->params->rank == 4 && !is_resized(job->params, 0) && !is_resized(job->params, 1) &&
           nn_view_map(job->x, &x) && nn_view_map(job->y, &y) && x.sc == 1 && y.sc == 1 &&
           nn_type_is_float(job->x->type) && job->x->type == job->y->type;
}

/* What both kernels for maps are given. */
static void add_map_arguments(NnLaunch *launch, const Job *job, const NnTaps *rows,
                              const NnTaps *columns)
{
    nn_launch_map(launch, job->x);
    nn_launch_map(launch, job->y);
    nn_launch_buffer(launch, &rows->index);
    nn_launch_buffer(launch, &rows->weight);
    nn_launch_int(launch, rows->taps);
    nn_launch_buffer(launch, &columns->index);
    nn_launch_buffer(launch, &columns->weight);
    nn_launch_int(launch, columns->taps);
    nn_launch_float(launch, (float)job->params->extrapolation);
    nn_launch_cost(launch, 2.0 * (double)nn_view_count(job->y) * rows->taps * columns->taps);
}

static gboolean record_map(gconstpointer data, GError **error)
{
    const Job *job = data;
    const NnTaps rows = make_taps(job, 2), columns = make_taps(job, 3);
    const gint64 channels = job->y->dims[1], width = job->y->dims[3];
    const gint64 chunk = MAX(nn_chunk_elements(job->recorder) / channels, 1);
    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, "resize.cl", "resize_map", "-DVW=%u%s%s -DADDED=%d" NN_ACT_OPTION,
        nn_channel_vector_width(job->recorder, channels),
        job->y->type == NN_FLOAT16 ? " -DFP16" : "", on_cpu(job->recorder) ? " -DHINTS" : "",
        job->add != NULL, job->add ? job->add->activation.type : NN_ACT_NONE);
    add_map_arguments(launch, job, &rows, &columns);
    nn_launch_int(launch, (gint32)chunk);
    nn_launch_map(launch, job->other);
    nn_launch_activation(launch, job->add ? job->add : job->node);
    nn_launch_tiles(job->recorder, launch, job->y, (width + chunk - 1) / chunk, job->y->dims[2]);
    return TRUE;
}

/* Taps of an axis that resize_wide unrolls: linear and cubic ones. */
#define FEW_TAPS 4

static gboolean fits_wide(gconstpointer data)
{
    const Job *job = data;
    return nn_gpu_variant(job->recorder, "resize_wide") && fits_map(data) &&
           nn_view_is_wide(job->x, 1) && nn_view_is_wide(job->y, 1);
}

static gboolean record_wide(gconstpointer data, GError **error)
{
    const Job *job = data;
    const NnTaps rows = make_taps(job, 2), columns = make_taps(job, 3);
    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, "resize.cl", "resize_wide",
        "-DT=%s -DROW_TAPS=%d -DCOLUMN_TAPS=%d", nn_kernel_type(job->y->type),
        rows.taps <= FEW_TAPS ? rows.taps : 0, columns.taps <= FEW_TAPS ? columns.taps : 0);
    add_map_arguments(launch, job, &rows, &columns);
    nn_launch_items(launch, job->y, nn_view_count(job->y) / NN_WIDE, 1);
    return TRUE;
}

/* ---------------------------------------------------------------- any tensor, axis by axis */

static void record_axis(const Job *job, const NnView *x, const NnView *y, int axis)
{
    const NnTaps taps = make_taps(job, axis);
    NnView others[2], along[2];
    nn_view_split(y, 1u << axis, &others[0], &along[0]);
    nn_view_split(x, 1u << axis, &others[1], &along[1]);
    nn_views_collapse(others, 2);
    const int rank = others[0].rank;
    for (int i = 0; i < 2; i++)
        others[i].strides[rank] = along[i].strides[0];

    NnLaunch *launch = nn_recorder_launch(job->recorder, job->node, "resize.cl", "resize_axis",
                                          "-DTX=%s -DTY=%s -DRANK=%d", nn_kernel_type(x->type),
                                          nn_kernel_type(y->type), rank);
    const gint64 count = nn_view_count(&others[0]);
    for (int i = 0; i < 2; i++) {
        others[i].dims[rank] = along[i].dims[0];
        others[i].rank = rank + 1; /* the resized axis comes last */
    }
    nn_launch_strided(launch, &others[1]);
    nn_launch_strided(launch, &others[0]);
    nn_launch_extents(launch, rank, others[0].dims);
    nn_launch_buffer(launch, &taps.index);
    nn_launch_buffer(launch, &taps.weight);
    nn_launch_int(launch, (gint32)count);
    nn_launch_int(launch, taps.taps);
    nn_launch_float(launch, (float)job->params->extrapolation);
    nn_launch_cost(launch, 2.0 * (double)nn_view_count(y) * taps.taps);
    nn_launch_items(launch, y, count, along[0].dims[0]);
}

/* Room for @x with @axis resized; floats between the axes stay float32. */
static NnView make_between(const Job *job, const NnView *x, int axis)
{
    gint64 dims[NN_MAX_RANK], strides[NN_MAX_RANK], n = 1;
    for (int i = x->rank - 1; i >= 0; i--) {
        dims[i] = i == axis ? job->params->out[i] : x->dims[i];
        strides[i] = n;
        n *= dims[i];
    }
    const NnType type = nn_type_is_float(x->type) ? NN_FLOAT32 : x->type;
    const NnView between = nn_recorder_scratch(job->recorder, type, (gsize)n);
    return nn_view_strided(&between, x->rank, dims, strides);
}

static gboolean record_general(gconstpointer data, GError **error)
{
    const Job *job = data;
    NnView x = *job->x;
    int last = -1;
    for (int axis = 0; axis < job->params->rank; axis++)
        if (is_resized(job->params, axis))
            last = axis;
    if (last < 0)
        return nn_record_copy(job->recorder, job->node, job->y, job->x, error);
    for (int axis = 0; axis < last; axis++) {
        if (!is_resized(job->params, axis))
            continue;
        const NnView between = make_between(job, &x, axis);
        record_axis(job, &x, &between, axis);
        x = between;
    }
    record_axis(job, &x, job->y, last);
    return TRUE;
}

static const NnVariant variants[] = {
    { "resize_wide", fits_wide, record_wide, NULL },
    { "resize_map", fits_map, record_map, NULL },
    { "resize_axis", nn_variant_always, record_general, NULL },
};

/* ---------------------------------------------------------------- with a sum */

/* The Add that alone uses what @node computes, with another map of that shape. */
static const NnNode *sole_add(const NnNode *node)
{
    const NnValue *out = nn_node_output(node, 0);
    const NnNode *add = nn_has_single_use(out) ? out->consumers->pdata[0] : NULL;
    if (!add || !nn_is_type(add, "Add") || add->inputs->len != 2 || add->residual >= 0)
        return NULL;
    for (guint i = 0; i < 2; i++)
        if (!nn_same_shape(nn_node_input(add, i), nn_node_output(add, 0)))
            return NULL;
    return add;
}

/* What @node and the Add behind it are together; FALSE if they are to be two launches. */
static gboolean describe_sum(NnRecorder *recorder, const NnNode *node, const NnNode *add, Job *job)
{
    const char *forced = nn_recorder_forced_variant(recorder);
    NnMap other;
    if (!on_cpu(recorder) || !add || (forced && strcmp(forced, "resize_map") != 0))
        return FALSE;
    const guint i = nn_node_input(add, 0) == nn_node_output(node, 0) ? 1 : 0;
    job->recorder = recorder;
    job->node = node;
    job->x = nn_recorder_input(recorder, node, 0);
    job->y = nn_recorder_output(recorder, add, 0);
    job->add = add;
    job->other = nn_recorder_input(recorder, add, i);
    return fits_map(job) && nn_view_map(job->other, &other) && other.sc == 1 &&
           job->other->type == job->y->type;
}

gboolean nn_launch_resized_sum(NnRecorder *recorder, const NnNode *add, gboolean *recorded,
                               GError **error)
{
    *recorded = FALSE;
    for (guint i = 0; i < 2 && nn_is_type(add, "Add"); i++) {
        const NnNode *node = nn_node_input(add, i) ? nn_node_input(add, i)->producer : NULL;
        NnResizeParams params;
        Job job = { .params = &params };
        if (!node || node->op->launch != nn_launch_resize || sole_add(node) != add)
            continue;
        if (!nn_resize_params(node, &params, error))
            return FALSE;
        if (describe_sum(recorder, node, add, &job)) {
            *recorded = TRUE;
            return nn_view_count(job.y) == 0 || record_map(&job, error);
        }
    }
    return TRUE;
}

gboolean nn_launch_resize(NnRecorder *recorder, const NnNode *node, GError **error)
{
    NnResizeParams params;
    if (!nn_resize_params(node, &params, error))
        return FALSE;
    Job job = { .params = &params };
    /* It is recorded with the sum, for which the other map must be there. */
    if (describe_sum(recorder, node, sole_add(node), &job))
        return TRUE;
    if (nn_conv_takes_resize(recorder, node) || nn_launch_resize_joined(recorder, node))
        return TRUE;
    const NnView *y = nn_recorder_output(recorder, node, 0);
    job = (Job){ recorder, node, &params, nn_recorder_input(recorder, node, 0), y, NULL, y };
    if (nn_view_count(job.y) == 0)
        return TRUE;
    return nn_variant_choose(recorder, variants, G_N_ELEMENTS(variants), &job)->record(&job, error);
}
