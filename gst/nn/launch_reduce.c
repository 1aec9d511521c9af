/* launch_reduce.c - Reduce*, ArgMax, ArgMin, CumSum, TopK: lanes along some axes, walked across the
 * others.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_wide.h"

#include <math.h>
#include <string.h>

typedef struct {
    NnRecorder *recorder;
    const NnNode *node;
    const char *op;
    NnView across[2]; /* y and x over the axes kept */
    NnView lane;      /* x over those reduced */
} Job;

/* ---------------------------------------------------------------- variants */

/* Elements of a lane that one work-item of reduce_columns adds up. On a CPU enough to hide its
 * start, few enough that large maps keep every core busy. A GPU has work-items to spare and waits
 * for each load: there both launches take equally long. */
static gint32 column_chunk(const NnRecorder *recorder, gint64 n_lane)
{
    if (nn_recorder_device(recorder)->device_class == OCL_CLASS_CPU)
        return 256;
    return MAX(8, (gint32)ceil(sqrt((double)n_lane)));
}

/* Lanes side by side and a lane with one stride: the mean over the pixels of an NHWC map. */
static gboolean fits_columns(gconstpointer data)
{
    const Job *job = data;
    const NnView *y = &job->across[0], *x = &job->across[1];
    return nn_type_is_float(x->type) && nn_type_is_float(y->type) && x->rank == 1 &&
           x->strides[0] == 1 && x->dims[0] >= 4 && job->lane.rank == 1 && job->lane.dims[0] > 1 &&
           strcmp(job->op, "LogSumExp") != 0;
}

static gboolean record_columns(gconstpointer data, GError **error)
{
    const Job *job = data;
    const NnView *y = &job->across[0], *x = &job->across[1];
    const guint vw = nn_vector_width(job->recorder);
    const gint64 lanes = x->dims[0], n_lane = job->lane.dims[0];
    const gint32 chunk = column_chunk(job->recorder, n_lane);
    const gint64 n_parts = (n_lane + chunk - 1) / chunk;
    const NnView parts = nn_recorder_scratch(job->recorder, NN_FLOAT32, (gsize)(n_parts * lanes));
    g_autofree char *options = g_strdup_printf(
        "-DOP=%s -DTX=%s -DTY=%s -DRANK=1 -DVW=%u%s", job->op, nn_kernel_type(x->type),
        nn_kernel_type(y->type), vw, x->type == NN_FLOAT16 ? " -DFP16" : "");

    NnLaunch *launch =
        nn_recorder_launch(job->recorder, job->node, "reduce.cl", "reduce_columns", "%s", options);
    nn_launch_strided(launch, &job->lane);
    nn_launch_strided(launch, &parts);
    nn_launch_int(launch, (gint32)lanes);
    nn_launch_int(launch, (gint32)n_lane);
    nn_launch_int(launch, chunk);
    nn_launch_cost(launch, (double)(lanes * n_lane));
    nn_launch_tiles(job->recorder, launch, &parts, n_parts, (lanes + vw - 1) / vw);

    launch =
        nn_recorder_launch(job->recorder, job->node, "reduce.cl", "reduce_parts", "%s", options);
    nn_launch_strided(launch, &parts);
    nn_launch_strided(launch, y);
    nn_launch_int(launch, (gint32)lanes);
    nn_launch_int(launch, (gint32)n_parts);
    nn_launch_int(launch, (gint32)n_lane);
    nn_launch_items(launch, y, lanes, 1);
    return TRUE;
}

/* Two launches take longer on a CPU, and no sum has more parts than one of reduce_columns. */
#define SHORT_LANE 1024

static gboolean fits_whole(gconstpointer data)
{
    const Job *job = data;
    return nn_recorder_device(job->recorder)->device_class == OCL_CLASS_CPU && fits_columns(job) &&
           job->lane.dims[0] <= SHORT_LANE;
}

static gboolean record_whole(gconstpointer data, GError **error)
{
    const Job *job = data;
    const NnView *y = &job->across[0], *x = &job->across[1];
    const gint64 lanes = x->dims[0], n_lane = job->lane.dims[0];
    const guint vw = nn_channel_vector_width(job->recorder, lanes);
    NnLaunch *launch = nn_recorder_launch(job->recorder, job->node, "reduce.cl", "reduce_whole",
                                          "-DOP=%s -DTX=%s -DTY=%s -DRANK=1 -DVW=%u%s", job->op,
                                          nn_kernel_type(x->type), nn_kernel_type(y->type), vw,
                                          x->type == NN_FLOAT16 ? " -DFP16" : "");
    nn_launch_strided(launch, &job->lane);
    nn_launch_strided(launch, y);
    nn_launch_int(launch, (gint32)lanes);
    nn_launch_int(launch, (gint32)n_lane);
    nn_launch_cost(launch, (double)(lanes * n_lane));
    nn_launch_tiles(job->recorder, launch, y, (lanes + vw - 1) / vw, 1);
    return TRUE;
}

/* Work-items of a group, and the elements that each takes at most. */
#define LEAST_GROUP 128
#define MOST_GROUP 512
#define GROUP_EACH 32

/* So many that none takes more than that, if the device has them. */
static guint group_of(const Job *job)
{
    guint group = LEAST_GROUP;
    while (group < MOST_GROUP && job->lane.dims[0] > (gint64)group * GROUP_EACH &&
           nn_group_fits(job->recorder, 2 * group))
        group *= 2;
    return group;
}

static gboolean fits_group(gconstpointer data)
{
    const Job *job = data;
    const guint group = group_of(job);
    return nn_gpu_variant(job->recorder, "reduce_group") && nn_group_fits(job->recorder, group) &&
           fits_columns(job) && job->lane.dims[0] <= (gint64)group * GROUP_EACH;
}

static gboolean record_group(gconstpointer data, GError **error)
{
    const Job *job = data;
    const NnView *y = &job->across[0], *x = &job->across[1];
    const gint64 lanes = x->dims[0], n_lane = job->lane.dims[0];
    const guint vw = nn_vector_width(job->recorder), group = group_of(job);
    NnLaunch *launch = nn_recorder_launch(job->recorder, job->node, "reduce.cl", "reduce_group",
                                          "-DOP=%s -DTX=%s -DTY=%s -DRANK=1 -DVW=%u -DGROUP=%u%s",
                                          job->op, nn_kernel_type(x->type), nn_kernel_type(y->type),
                                          vw, group, x->type == NN_FLOAT16 ? " -DFP16" : "");
    nn_launch_strided(launch, &job->lane);
    nn_launch_strided(launch, y);
    nn_launch_int(launch, (gint32)lanes);
    nn_launch_int(launch, (gint32)n_lane);
    nn_launch_cost(launch, (double)(lanes * n_lane));
    const gsize global[3] = { (gsize)((lanes + vw - 1) / vw) * group, 1, 1 };
    const gsize local[3] = { group, 1, 1 };
    nn_launch_size(launch, 3, global, local, y->storage->shared ? -1 : 2);
    return TRUE;
}

static gboolean record_general(gconstpointer data, GError **error)
{
    const Job *job = data;
    const NnView *y = &job->across[0], *x = &job->across[1];
    NnLaunch *launch = nn_recorder_launch(job->recorder, job->node, "reduce.cl", "reduce_general",
                                          "-DOP=%s -DTX=%s -DTY=%s -DRANK=%d -DLANE_RANK=%d",
                                          job->op, nn_kernel_type(x->type), nn_kernel_type(y->type),
                                          x->rank, job->lane.rank);
    nn_launch_strided(launch, x);
    nn_launch_strides(launch, &job->lane);
    nn_launch_strided(launch, y);
    nn_launch_extents(launch, x->rank, x->dims);
    nn_launch_extents(launch, job->lane.rank, job->lane.dims);
    nn_launch_int(launch, (gint32)nn_view_count(x));
    nn_launch_int(launch, (gint32)nn_view_count(&job->lane));
    nn_launch_cost(launch, (double)(nn_view_count(x) * nn_view_count(&job->lane)));
    nn_launch_items(launch, y, nn_view_count(x), 1);
    return TRUE;
}

static const NnVariant variants[] = {
    { "reduce_whole", fits_whole, record_whole, NULL },
    { "reduce_group", fits_group, record_group, NULL },
    { "reduce_columns", fits_columns, record_columns, NULL },
    { "reduce_general", nn_variant_always, record_general, NULL },
};

gboolean nn_record_reduction(NnRecorder *recorder, const NnNode *node, const char *op,
                             const NnView *y, const NnView *x, guint mask, GError **error)
{
    Job job = { .recorder = recorder, .node = node, .op = op };
    NnView unused;
    nn_view_split(x, mask, &job.across[1], &job.lane);
    nn_view_split(y, mask, &job.across[0], &unused);
    if (nn_view_count(y) == 0)
        return TRUE;
    nn_views_collapse(job.across, 2);
    nn_views_collapse(&job.lane, 1);
    return nn_variant_choose(recorder, variants, G_N_ELEMENTS(variants), &job)->record(&job, error);
}

/* ---------------------------------------------------------------- Reduce* */

/* @y with the reduced axes of @x put back as axes of 1. */
static NnView with_reduced_axes(const NnView *y, const NnView *x, guint mask)
{
    NnView out = *y;
    out.rank = x->rank;
    for (int axis = 0, from = 0; axis < x->rank; axis++) {
        const gboolean reduced = (mask & (1u << axis)) != 0;
        out.dims[axis] = reduced ? 1 : y->dims[from];
        out.strides[axis] = reduced ? 0 : y->strides[from];
        from += !reduced;
    }
    return out;
}

static gboolean launch_reduction(NnRecorder *recorder, const NnNode *node, GError **error)
{
    NnReduceParams params;
    if (!nn_reduce_params(node, &params, error))
        return FALSE;
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const NnView full = params.keepdims ? *y : with_reduced_axes(y, x, params.axes);
    return nn_record_reduction(recorder, node, node->type + strlen("Reduce"), &full, x, params.axes,
                               error);
}

/* ---------------------------------------------------------------- along one axis */

/* One launch of a kernel of reduce.cl that goes along one axis of x and, unless @y_is_reduced, y.
 */
static NnLaunch *launch_lanes(NnRecorder *recorder, const NnNode *node, const char *function,
                              const char *options, int axis, gboolean y_has_lane)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const guint mask = 1u << axis;
    const NnView full = y->rank == x->rank ? *y : with_reduced_axes(y, x, mask);
    NnView across[2], x_lane, y_lane;
    nn_view_split(x, mask, &across[1], &x_lane);
    nn_view_split(&full, mask, &across[0], &y_lane);
    nn_views_collapse(across, 2);

    NnLaunch *launch = nn_recorder_launch(recorder, node, "reduce.cl", function,
                                          "-DOP=Sum -DTX=%s -DTY=%s -DRANK=%d -DLANE_RANK=1 %s",
                                          nn_kernel_type(x->type), nn_kernel_type(y->type),
                                          across[0].rank, options);
    nn_launch_strided(launch, &across[1]);
    nn_launch_strides(launch, &x_lane);
    nn_launch_strided(launch, &across[0]);
    if (y_has_lane)
        nn_launch_strides(launch, &y_lane);
    nn_launch_extents(launch, across[0].rank, across[0].dims);
    nn_launch_int(launch, (gint32)nn_view_count(&across[0]));
    nn_launch_int(launch, (gint32)x_lane.dims[0]);
    nn_launch_items(launch, y, nn_view_count(&across[0]), 1);
    return launch;
}

static gboolean launch_arg(NnRecorder *recorder, const NnNode *node, GError **error)
{
    int axis;
    if (!nn_resolve_axis(node, nn_node_int(node, "axis", 0), nn_node_input(node, 0)->rank, &axis,
                         error))
        return FALSE;
    g_autofree char *options =
        g_strdup_printf("-DSIGN=%d -DLAST=%d", strcmp(node->type, "ArgMax") == 0 ? 1 : -1,
                        nn_node_int(node, "select_last_index", 0) != 0);
    launch_lanes(recorder, node, "arg_reduce", options, axis, FALSE);
    return TRUE;
}

static gboolean launch_running_sum(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnValue *axis_value = nn_node_input(node, 1);
    int axis;
    if (!axis_value->constant || axis_value->constant->n != 1)
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "its axis is not constant");
    if (!nn_resolve_axis(node, nn_array_get_int(axis_value->constant, 0),
                         nn_node_input(node, 0)->rank, &axis, error))
        return FALSE;
    g_autofree char *options =
        g_strdup_printf("-DREVERSE=%d -DEXCLUSIVE=%d", nn_node_int(node, "reverse", 0) != 0,
                        nn_node_int(node, "exclusive", 0) != 0);
    launch_lanes(recorder, node, "running_sum", options, axis, TRUE);
    return TRUE;
}

gboolean nn_launch_reduce(NnRecorder *recorder, const NnNode *node, GError **error)
{
    if (g_str_has_prefix(node->type, "Arg"))
        return launch_arg(recorder, node, error);
    if (strcmp(node->type, "CumSum") == 0)
        return launch_running_sum(recorder, node, error);
    if (g_str_has_prefix(node->type, "Reduce"))
        return launch_reduction(recorder, node, error);
    return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "there is no kernel for it");
}
