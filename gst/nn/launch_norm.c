/* launch_norm.c - Batch-, Instance-, Group-, LayerNormalization, MVN, LpNormalization, LRN.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each comes down to one scale and one shift per channel or lane: known to the host, or folded on
 * the device from sums over the lanes. Applying them is one elementwise launch.
 */
#include "launch_conv.h"
#include "launch_wide.h"

#include <math.h>
#include <string.h>

/* What is folded from x on the device. */
typedef struct {
    NnRecorder *recorder;
    const NnNode *node;
    const char *kind;     /* KIND in norm.cl */
    NnView across, along; /* x across the lanes and along one */
    gint64 channels_per_lane;
    const NnView *scale, *bias; /* (nullable): [channels] */
    float epsilon;
} Job;

/* Elements of a lane that one work-item adds up: enough to hide its start. */
#define GENERAL_CHUNK 4096
#define COLUMN_CHUNK 256

/* ---------------------------------------------------------------- sums over lanes */

static gboolean fits_columns(gconstpointer data)
{
    const Job *job = data;
    return job->across.rank == 1 && job->across.strides[0] == 1 && job->across.dims[0] >= 4 &&
           job->along.rank == 1 && !g_str_has_prefix(job->kind, "LP");
}

/* The parts of both sums, and the first elements: [2 n_parts + 1][lanes]. */
static NnView make_parts(const Job *job, gint64 chunk, gint64 *n_parts)
{
    *n_parts = (nn_view_count(&job->along) + chunk - 1) / chunk;
    return nn_recorder_scratch(job->recorder, NN_FLOAT32,
                               (gsize)((2 * *n_parts + 1) * nn_view_count(&job->across)));
}

static NnView record_columns(const Job *job, gint64 *n_parts)
{
    const NnView parts = make_parts(job, COLUMN_CHUNK, n_parts);
    const gint64 lanes = job->across.dims[0];
    const guint vw = nn_vector_width(job->recorder);
    NnLaunch *launch =
        nn_recorder_launch(job->recorder, job->node, "norm.cl", "norm_parts_columns", "-DVW=%u%s",
                           vw, job->across.type == NN_FLOAT16 ? " -DFP16" : "");
    nn_launch_strided(launch, &job->across);
    nn_launch_strided(launch, &parts);
    nn_launch_int(launch, (gint32)job->along.strides[0]);
    nn_launch_int(launch, (gint32)lanes);
    nn_launch_int(launch, (gint32)job->along.dims[0]);
    nn_launch_int(launch, COLUMN_CHUNK);
    nn_launch_cost(launch, 4.0 * (double)(lanes * job->along.dims[0]));
    nn_launch_tiles(job->recorder, launch, &parts, *n_parts, (lanes + vw - 1) / vw);
    return parts;
}

static NnView record_general(const Job *job, gint64 *n_parts)
{
    const NnView parts = make_parts(job, GENERAL_CHUNK, n_parts);
    const gint64 lanes = nn_view_count(&job->across), n_lane = nn_view_count(&job->along);
    NnLaunch *launch = nn_recorder_launch(job->recorder, job->node, "norm.cl", "norm_parts_general",
                                          "-DTX=%s -DRANK=%d -DLANE_RANK=%d -DSHIFTED=%d",
                                          nn_kernel_type(job->across.type), job->across.rank,
                                          job->along.rank, !g_str_has_prefix(job->kind, "LP"));
    nn_launch_strided(launch, &job->across);
    nn_launch_strides(launch, &job->along);
    nn_launch_strided(launch, &parts);
    nn_launch_extents(launch, job->across.rank, job->across.dims);
    nn_launch_extents(launch, job->along.rank, job->along.dims);
    nn_launch_int(launch, (gint32)lanes);
    nn_launch_int(launch, (gint32)n_lane);
    nn_launch_int(launch, GENERAL_CHUNK);
    nn_launch_cost(launch, 4.0 * (double)(lanes * n_lane));
    nn_launch_items(launch, &parts, lanes, *n_parts);
    return parts;
}

/* Work-items of a group of norm_parts_wide; elements that each adds up at least; and parts that
 * norm_fold, which adds them one after the other (0.1 us each on an H200), is left with at most. */
#define WIDE_GROUP 256
#define WIDE_EACH 8
#define WIDE_PARTS 64

static gboolean fits_wide(const Job *job)
{
    return nn_gpu_variant(job->recorder, "norm_parts_wide") &&
           nn_group_fits(job->recorder, WIDE_GROUP) && fits_columns(job) &&
           nn_view_is_wide(&job->across, 0) && job->along.strides[0] % NN_WIDE == 0;
}

static NnView record_wide(const Job *job, gint64 *n_parts)
{
    const gint64 lanes = job->across.dims[0], n_lane = job->along.dims[0];
    const gint64 blocks = lanes / NN_WIDE;
    gint64 columns = 1;
    while (columns < blocks && columns < 32)
        columns *= 2;
    const gint64 chunk =
        MAX(WIDE_GROUP / columns * WIDE_EACH, (n_lane + WIDE_PARTS - 1) / WIDE_PARTS);
    const NnView parts = make_parts(job, chunk, n_parts);
    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, "norm.cl", "norm_parts_wide", "-DT=%s -DGROUP=%d -DCB=%d",
        nn_kernel_type(job->across.type), WIDE_GROUP, (int)columns);
    nn_launch_strided(launch, &job->across);
    nn_launch_strided(launch, &parts);
    nn_launch_int(launch, (gint32)job->along.strides[0]);
    nn_launch_int(launch, (gint32)lanes);
    nn_launch_int(launch, (gint32)n_lane);
    nn_launch_int(launch, (gint32)chunk);
    nn_launch_cost(launch, 4.0 * (double)(lanes * n_lane));
    const gsize global[3] = { (gsize)*n_parts * WIDE_GROUP,
                              (gsize)((blocks + columns - 1) / columns), 1 };
    const gsize local[3] = { WIDE_GROUP, 1, 1 };
    nn_launch_size(launch, 3, global, local, 2);
    return parts;
}

static NnView record_parts(const Job *job, gint64 *n_parts)
{
    const char *forced = nn_recorder_forced_variant(job->recorder);
    const gboolean general = g_strcmp0(forced, "norm_parts_general") == 0;
    if (!general && g_strcmp0(forced, "norm_parts_columns") != 0 && fits_wide(job))
        return record_wide(job, n_parts);
    if (!general && fits_columns(job))
        return record_columns(job, n_parts);
    return record_general(job, n_parts);
}

/* Work-items of a group that folds, and how many of them a channel's parts keep busy: on a GPU one
 * alone takes 8 us for MODNet's. */
#define FOLD_GROUP 64
#define FOLD_SHARE 32

/* Scale and shift of every channel: [2][channels]. */
static NnView record_fold(const Job *job)
{
    gint64 n_parts;
    const NnView parts = record_parts(job, &n_parts);
    const gint64 channels = nn_view_count(&job->across) * job->channels_per_lane;
    const NnView folded = nn_recorder_scratch(job->recorder, NN_FLOAT32, (gsize)(2 * channels));
    const NnView *scale = job->scale ? job->scale : &parts;
    const NnView *bias = job->bias ? job->bias : &parts;
    const int share =
        nn_gpu_variant(job->recorder, "norm_parts_wide") && n_parts > 1 ? FOLD_SHARE : 1;

    NnLaunch *launch =
        nn_recorder_launch(job->recorder, job->node, "norm.cl", "norm_fold",
                           "-DKIND=%s -DSHARE=%d -DGROUP=%d -DSCALE=%d -DBIAS=%d "
                           "-DTS=%s -DTB=%s",
                           job->kind, share, FOLD_GROUP, job->scale != NULL, job->bias != NULL,
                           nn_kernel_type(scale->type), nn_kernel_type(bias->type));
    nn_launch_strided(launch, &parts);
    nn_launch_strided(launch, scale);
    nn_launch_strided(launch, bias);
    nn_launch_strided(launch, &folded);
    nn_launch_int(launch, (gint32)channels);
    nn_launch_int(launch, (gint32)job->channels_per_lane);
    nn_launch_int(launch, (gint32)n_parts);
    nn_launch_int(launch, (gint32)nn_view_count(&job->along));
    nn_launch_float(launch, job->epsilon);
    const gsize items = (gsize)(channels * share + FOLD_GROUP - 1) / FOLD_GROUP * FOLD_GROUP;
    const gsize global[3] = { items, 1, 1 }, local[3] = { FOLD_GROUP, 1, 1 };
    nn_launch_size(launch, 3, global, local, 2);
    return folded;
}

/* ---------------------------------------------------------------- applying */

/* Part @part of @folded, whose elements go with the elements of the axes of @x that are not in
 * @mask, as a view to broadcast to @x. */
static NnView folded_part(const NnView *folded, const NnView *x, guint mask, int part)
{
    NnView out = *folded;
    gint64 stride = 1;
    out.rank = x->rank;
    for (int axis = x->rank - 1; axis >= 0; axis--) {
        const gboolean kept = !(mask & (1u << axis));
        out.dims[axis] = kept ? x->dims[axis] : 1;
        out.strides[axis] = kept ? stride : 0;
        stride *= out.dims[axis];
    }
    out.offset += part * stride;
    return out;
}

static gboolean record_affine_views(NnRecorder *recorder, const NnNode *node, const NnView *x,
                                    const NnView *y, const NnView *folded, guint mask,
                                    GError **error)
{
    const NnView scale = folded_part(folded, x, mask, 0), shift = folded_part(folded, x, mask, 1);
    const NnView *inputs[3] = { x, &scale, &shift };
    return nn_record_elementwise(recorder, node, "Affine", y, inputs, 3, TRUE, error);
}

static gboolean record_affine(NnRecorder *recorder, const NnNode *node, const NnView *folded,
                              guint mask, GError **error)
{
    return record_affine_views(recorder, node, nn_recorder_input(recorder, node, 0),
                               nn_recorder_output(recorder, node, 0), folded, mask, error);
}

/* ---------------------------------------------------------------- BatchNormalization */

/* Scale and shift where all four parameters are constant. */
static NnView fold_on_host(NnRecorder *recorder, const NnNode *node, const NnArray *const *in,
                           gint64 channels)
{
    const double epsilon = nn_node_float(node, "epsilon", 1e-5f);
    g_autofree float *folded = g_new(float, 2 * channels);
    for (gint64 c = 0; c < channels; c++) {
        const double scale =
            nn_array_get(in[0], (gsize)c) / sqrt(nn_array_get(in[3], (gsize)c) + epsilon);
        folded[c] = (float)scale;
        folded[channels + c] =
            (float)(nn_array_get(in[1], (gsize)c) - nn_array_get(in[2], (gsize)c) * scale);
    }
    return nn_recorder_constant(recorder, NN_FLOAT32, (gsize)(2 * channels), folded);
}

static NnView fold_on_device(NnRecorder *recorder, const NnNode *node, gint64 channels)
{
    const NnView folded = nn_recorder_scratch(recorder, NN_FLOAT32, (gsize)(2 * channels));
    const NnView *in[4];
    for (guint i = 0; i < 4; i++)
        in[i] = nn_recorder_input(recorder, node, 1 + i);
    NnLaunch *launch = nn_recorder_launch(recorder, node, "norm.cl", "batch_fold",
                                          "-DTS=%s -DTB=%s -DTM=%s -DTV=%s",
                                          nn_kernel_type(in[0]->type), nn_kernel_type(in[1]->type),
                                          nn_kernel_type(in[2]->type), nn_kernel_type(in[3]->type));
    for (guint i = 0; i < 4; i++)
        nn_launch_strided(launch, in[i]);
    nn_launch_strided(launch, &folded);
    nn_launch_int(launch, (gint32)channels);
    nn_launch_float(launch, nn_node_float(node, "epsilon", 1e-5f));
    nn_launch_items(launch, &folded, channels, 1);
    return folded;
}

static gboolean launch_batch_norm(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const gint64 channels = nn_node_input(node, 0)->dims[1];
    const NnArray *in[4];
    gboolean constant = TRUE;
    for (guint i = 0; i < 4; i++) {
        in[i] = nn_node_input(node, 1 + i)->constant;
        constant = constant && in[i];
    }
    const NnView folded = constant ? fold_on_host(recorder, node, in, channels)
                                   : fold_on_device(recorder, node, channels);
    return record_affine(recorder, node, &folded, ~2u, error);
}

/* ---------------------------------------------------------------- over lanes */

static Job make_job(NnRecorder *recorder, const NnNode *node, const char *kind, const NnView *x,
                    guint mask)
{
    Job job = { .recorder = recorder,
                .node = node,
                .kind = kind,
                .channels_per_lane = 1,
                .epsilon = nn_node_float(node, "epsilon", 1e-5f) };
    nn_view_split(x, mask, &job.across, &job.along);
    nn_views_merge(&job.across, 1);
    nn_views_collapse(&job.along, 1);
    return job;
}

/* Axis 1 of @x as two: groups, channels of a group. */
static NnView split_channels(const NnView *x, gint64 groups)
{
    NnView out = *x;
    out.rank = x->rank + 1;
    for (int axis = x->rank; axis > 1; axis--) {
        out.dims[axis] = x->dims[axis - 1];
        out.strides[axis] = x->strides[axis - 1];
    }
    out.dims[1] = groups;
    out.dims[2] = x->dims[1] / groups;
    out.strides[1] = out.dims[2] * x->strides[1];
    return out;
}

/* @view, one element per group, repeated for every channel. */
static NnView repeat_per_channel(NnRecorder *recorder, const NnNode *node, const NnView *view,
                                 gint64 per_group, GError **error)
{
    const gint64 dims[2] = { view->dims[0], per_group };
    const gint64 from[2] = { view->strides[0], 0 }, to[2] = { per_group, 1 };
    const NnView source = nn_view_strided(view, 2, dims, from);
    const NnView repeated =
        nn_recorder_scratch(recorder, NN_FLOAT32, (gsize)(view->dims[0] * per_group));
    const NnView target = nn_view_strided(&repeated, 2, dims, to);
    nn_record_copy(recorder, node, &target, &source, error);
    return repeated;
}

/* ---------------------------------------------------------------- small maps */

/* Elements of a lane that a work-item of norm_whole keeps in registers, and work-items of its
 * groups: as many as two or three launches more would be worth on an H200. */
#define WHOLE_EACH 4
#define WHOLE_GROUP 1024

static int whole_group(const NnRecorder *recorder, gint64 n_lane)
{
    int group = 32;
    while (group < WHOLE_GROUP && group < n_lane && nn_group_fits(recorder, 2 * (guint)group))
        group *= 2;
    return group;
}

static gboolean is_wide(const Job *job)
{
    return fits_columns(job) && nn_view_is_wide(&job->across, 0) &&
           job->along.strides[0] % NN_WIDE == 0;
}

/* Whether norm_whole takes @x to @y, of the same dims, by lanes that are channels. */
static gboolean fits_whole(const Job *x, const Job *y)
{
    const gint64 n_lane = nn_view_count(&x->along);
    const char *forced = nn_recorder_forced_variant(x->recorder);
    return (!forced || strcmp(forced, "norm_whole") == 0) &&
           nn_gpu_variant(x->recorder, "norm_whole") && is_wide(x) && is_wide(y) &&
           x->across.type == y->across.type && x->channels_per_lane == 1 &&
           x->scale->type == NN_FLOAT32 && x->bias->type == NN_FLOAT32 &&
           n_lane <= (gint64)WHOLE_EACH * whole_group(x->recorder, n_lane);
}

static void record_whole(const Job *x, const Job *y)
{
    const gint64 lanes = x->across.dims[0], n_lane = x->along.dims[0];
    const int group = whole_group(x->recorder, n_lane);
    NnLaunch *launch = nn_recorder_launch(
        x->recorder, x->node, "norm.cl", "norm_whole", "-DT=%s -DGROUP=%d -DEACH=%d" NN_ACT_OPTION,
        nn_kernel_type(x->across.type), group, (int)((n_lane + group - 1) / group),
        x->node->activation.type);
    nn_launch_strided(launch, &x->across);
    nn_launch_strided(launch, x->scale);
    nn_launch_strided(launch, x->bias);
    nn_launch_strided(launch, &y->across);
    nn_launch_int(launch, (gint32)x->along.strides[0]);
    nn_launch_int(launch, (gint32)y->along.strides[0]);
    nn_launch_int(launch, (gint32)n_lane);
    nn_launch_float(launch, x->epsilon);
    nn_launch_activation(launch, x->node);
    nn_launch_cost(launch, 8.0 * (double)(lanes * n_lane));
    const gsize global[3] = { (gsize)(lanes / NN_WIDE * group), 1, 1 };
    const gsize local[3] = { (gsize)group, 1, 1 };
    nn_launch_size(launch, 3, global, local, 2);
}

/* One map by one scale and bias per channel, its channels in lanes. */
static gboolean record_map(const Job *job, const NnView *x, const NnView *y, GError **error)
{
    const Job out = make_job(job->recorder, job->node, job->kind, y, ~2u);
    if (fits_whole(job, &out)) {
        record_whole(job, &out);
        return TRUE;
    }
    const NnView folded = record_fold(job);
    return record_affine_views(job->recorder, job->node, x, y, &folded, ~2u, error);
}

/* Every map alone, its channels in @groups, by one scale and bias per channel. */
static gboolean record_groups(NnRecorder *recorder, const NnNode *node, gint64 groups,
                              const NnView *scale, const NnView *bias, GError **error)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    if (!nn_check_entries(node, error))
        return FALSE;
    for (gint64 i = 0; i < x->dims[0]; i++) {
        const NnView map = nn_view_entry(x, i), out = nn_view_entry(y, i);
        const NnView grouped = groups < x->dims[1] ? split_channels(&map, groups) : map;
        Job job = make_job(recorder, node, "INSTANCE", &grouped, ~2u);
        job.channels_per_lane = x->dims[1] / groups;
        job.scale = scale;
        job.bias = bias;
        if (!record_map(&job, &map, &out, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean launch_instance_norm(NnRecorder *recorder, const NnNode *node, GError **error)
{
    return record_groups(recorder, node, nn_recorder_input(recorder, node, 0)->dims[1],
                         nn_recorder_input(recorder, node, 1), nn_recorder_input(recorder, node, 2),
                         error);
}

/* The channels of @norm's input that change: its output is the same memory. */
static NnView changed_part(NnRecorder *recorder, const NnNode *norm)
{
    const gint64 first = nn_node_int(norm, "first", 0);
    NnView x = *nn_recorder_input(recorder, norm, 0);
    x.offset += first * x.strides[1];
    x.dims[1] -= first;
    return x;
}

gboolean nn_launch_part_instance_norm(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView x = changed_part(recorder, node);
    Job job = make_job(recorder, node, "INSTANCE", &x, ~2u);
    job.scale = nn_recorder_input(recorder, node, 1);
    job.bias = nn_recorder_input(recorder, node, 2);
    return record_map(&job, &x, &x, error);
}

/* ---------------------------------------------------------------- by moments */

/* Work-items of a group of norm_apply, and how many of them should be there: as many as four groups
 * on each of an H200's multiprocessors. Every group reads all moments, which is more than the map
 * itself where there are too many parts. */
#define APPLY_GROUP 256
#define APPLY_ITEMS (132 * 4 * APPLY_GROUP)
#define MOST_LANES 128
#define MOST_PARTS (132 * 4) /* that conv_held leaves of a single sample */

gint64 nn_norm_most_parts(NnRecorder *recorder, const NnNode *norm)
{
    const NnView x = changed_part(recorder, norm);
    const Job job = make_job(recorder, norm, "INSTANCE", &x, ~2u);
    const NnView *scale = nn_recorder_input(recorder, norm, 1);
    const NnView *bias = nn_recorder_input(recorder, norm, 2);
    return is_wide(&job) && job.across.dims[0] <= MOST_LANES && scale->type == NN_FLOAT32 &&
                   bias->type == NN_FLOAT32
               ? MOST_PARTS
               : 0;
}

/* Elements of each lane that a group of norm_apply or norm_few takes, whose work-items take @wide
 * elements at a time. */
static gint64 chunk_of(NnRecorder *recorder, gint64 n_lane, gint64 lanes, gint64 wide)
{
    const gint64 items = n_lane * lanes / wide;
    const gint64 each = CLAMP(items * nn_recorder_max_samples(recorder) / APPLY_ITEMS, 1, 32);
    return MAX(each * APPLY_GROUP * wide / lanes, 1);
}

/* What both take, and how many there are. */
static void finish_by_moments(NnLaunch *launch, const NnNode *norm, const NnView *moments,
                              gint64 n_parts, const NnView *x, const Job *job, gint64 chunk)
{
    const gint64 n_lane = job->along.dims[0];
    nn_launch_strided(launch, moments);
    nn_launch_strided(launch, nn_recorder_input(job->recorder, norm, 1));
    nn_launch_strided(launch, nn_recorder_input(job->recorder, norm, 2));
    nn_launch_strided(launch, x);
    nn_launch_int(launch, (gint32)job->along.strides[0]);
    nn_launch_int(launch, (gint32)n_lane);
    nn_launch_int(launch, (gint32)n_parts);
    nn_launch_int(launch, (gint32)chunk);
    nn_launch_float(launch, job->epsilon);
    nn_launch_activation(launch, norm);
    const gsize global[3] = { (gsize)((n_lane + chunk - 1) / chunk) * APPLY_GROUP, 1, 1 };
    const gsize local[3] = { APPLY_GROUP, 1, 1 };
    nn_launch_size(launch, 3, global, local, 2);
}

void nn_launch_norm_by_moments(NnRecorder *recorder, const NnNode *norm, const NnView *moments,
                               gint64 n_parts)
{
    const NnView x = changed_part(recorder, norm);
    const Job job = make_job(recorder, norm, "INSTANCE", &x, ~2u);
    const gint64 lanes = job.across.dims[0], n_lane = job.along.dims[0];
    NnLaunch *launch = nn_recorder_launch(
        recorder, norm, "norm.cl", "norm_apply", "-DT=%s -DGROUP=%d -DLANES=%d" NN_ACT_OPTION,
        nn_kernel_type(x.type), APPLY_GROUP, (int)lanes, norm->activation.type);
    finish_by_moments(launch, norm, moments, n_parts, &job.across, &job,
                      chunk_of(recorder, n_lane, lanes, NN_WIDE));
    nn_launch_cost(launch, 4.0 * (double)(lanes * n_lane));
}

/* ---------------------------------------------------------------- with the convolution behind */

/* Outputs of that convolution, and channels, whose weights are in registers. */
#define MOST_FEW 4
#define MOST_FEW_CHANNELS 64

gboolean nn_norm_few_fits(const ConvJob *few)
{
    const ConvShape *shape = &few->shape;
    const NnMap x = nn_map_of(&few->x), y = nn_map_of(&few->y);
    return shape->groups == 1 && shape->kh == 1 && shape->kw == 1 && shape->stride_h == 1 &&
           shape->stride_w == 1 && shape->pad_h == 0 && shape->pad_w == 0 && y.h == x.h &&
           y.w == x.w && x.sh == x.w * x.sw && shape->k <= MOST_FEW &&
           shape->c <= MOST_FEW_CHANNELS && nn_view_is_wide(&few->x, 1) && few->weight_values &&
           (!few->has_bias || few->bias_values) && !few->has_residual;
}

void nn_launch_norm_few(const ConvJob *few, const NnNode *norm, const NnView *moments,
                        gint64 n_parts)
{
    NnRecorder *recorder = few->recorder;
    const NnView changed = changed_part(recorder, norm);
    const Job job = make_job(recorder, norm, "INSTANCE", &changed, ~2u);
    const gint64 lanes = job.across.dims[0], n_lane = job.along.dims[0];
    const int channels = few->shape.c, k_n = few->shape.k;
    const gint64 *stride = few->weights.strides;
    float weights[MOST_FEW * MOST_FEW_CHANNELS], bias[MOST_FEW];
    for (int k = 0; k < k_n; k++) {
        bias[k] = few->has_bias ? few->bias_values[k] : 0;
        for (int c = 0; c < channels; c++)
            weights[k * channels + c] =
                few->weight_values[few->weights.offset + k * stride[1] + c * stride[2]];
    }
    const NnView packed =
        nn_recorder_constant(recorder, NN_FLOAT32, (gsize)(k_n * channels), weights);
    const NnView packed_bias = nn_recorder_constant(recorder, NN_FLOAT32, (gsize)k_n, bias);
    NnLaunch *launch = nn_recorder_launch(
        recorder, few->node, "norm.cl", "norm_few",
        "-DT=%s -DTY=%s -DGROUP=%d -DLANES=%d -DCHANNELS=%d -DK=%d -DNORM_ACT=%d" NN_ACT_OPTION,
        nn_kernel_type(few->x.type), nn_kernel_type(few->y.type), APPLY_GROUP, (int)lanes, channels,
        k_n, norm->activation.type, few->node->activation.type);
    /* No group reads much more of moments than of the map. */
    finish_by_moments(launch, norm, moments, n_parts, &few->x, &job,
                      MAX(chunk_of(recorder, n_lane, lanes, lanes), 2 * n_parts));
    nn_launch_buffer(launch, &packed);
    nn_launch_buffer(launch, &packed_bias);
    nn_launch_map(launch, &few->y);
    nn_launch_activation(launch, few->node);
    nn_launch_cost(launch,
                   4.0 * (double)(lanes * n_lane) + 2.0 * (double)(k_n * channels * n_lane));
}

/* ---------------------------------------------------------------- others */

static gboolean launch_group_norm(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *scale = nn_recorder_input(recorder, node, 1);
    const NnView *bias = nn_recorder_input(recorder, node, 2);
    const gint64 groups = nn_node_int(node, "num_groups", 1), per_group = x->dims[1] / groups;
    if (x->rank == NN_MAX_RANK)
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "its input has %d axes", x->rank);

    NnView scales = *scale, biases = *bias;
    if (node->opset < 21) {
        scales = repeat_per_channel(recorder, node, scale, per_group, error);
        biases = repeat_per_channel(recorder, node, bias, per_group, error);
    }
    return record_groups(recorder, node, groups, &scales, &biases, error);
}

/* Outputs 1 and 2, if asked for: mean and inverse deviation of every lane. */
static gboolean record_moments(NnRecorder *recorder, const NnNode *node, const NnView *factor,
                               guint mask, GError **error)
{
    const NnView *mean = nn_recorder_output(recorder, node, 1);
    const NnView *inverse = nn_recorder_output(recorder, node, 2);
    return (!mean || nn_record_reduction(recorder, node, "Mean", mean,
                                         nn_recorder_input(recorder, node, 0), mask, error)) &&
           (!inverse || nn_record_copy(recorder, node, inverse, factor, error));
}

static gboolean launch_layer_norm(NnRecorder *recorder, const NnNode *node, GError **error)
{
    NnLayerNormParams params;
    if (!nn_layer_norm_params(node, &params, error))
        return FALSE;
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const NnView *scale = nn_recorder_input(recorder, node, 1);
    const NnView *bias = nn_recorder_input(recorder, node, 2);
    const guint mask = ~0u << params.axis;
    Job job = make_job(recorder, node, "INSTANCE", x, mask);
    const NnView folded = record_fold(&job);

    /* Normalised in float32, so that halves are rounded once. */
    NnView normal = nn_recorder_scratch(recorder, NN_FLOAT32, (gsize)nn_view_count(x));
    gint64 strides[NN_MAX_RANK];
    for (gint64 axis = x->rank - 1, stride = 1; axis >= 0; stride *= x->dims[axis--])
        strides[axis] = stride;
    normal = nn_view_strided(&normal, x->rank, x->dims, strides);
    const NnView factor = folded_part(&folded, x, mask, 0);
    const NnView shift = folded_part(&folded, x, mask, 1);
    const NnView *first[3] = { x, &factor, &shift }, *second[3] = { &normal, scale, bias };
    return record_moments(recorder, node, &factor, mask, error) &&
           nn_record_elementwise(recorder, node, "Affine", &normal, first, 3, FALSE, error) &&
           nn_record_elementwise(recorder, node, bias ? "Affine" : "Mul", y, second, bias ? 3 : 2,
                                 TRUE, error);
}

static gboolean launch_mean_variance(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    guint mask = 1u << 0 | 1u << 2 | 1u << 3;
    gsize n;
    const gint64 *axes = nn_node_ints(node, "axes", &n);
    if (axes)
        mask = 0;
    for (gsize i = 0; i < n; i++) {
        int axis;
        if (!nn_resolve_axis(node, axes[i], x->rank, &axis, error))
            return FALSE;
        mask |= 1u << axis;
    }
    Job job = make_job(recorder, node, "DEVIATION", x, mask);
    job.epsilon = 1e-9f; /* by definition */
    const NnView folded = record_fold(&job);
    return record_affine(recorder, node, &folded, mask, error);
}

static gboolean launch_lp_norm(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    int axis;
    if (!nn_resolve_axis(node, nn_node_int(node, "axis", -1), x->rank, &axis, error))
        return FALSE;
    const Job job =
        make_job(recorder, node, nn_node_int(node, "p", 2) == 1 ? "LP1" : "LP2", x, 1u << axis);
    const NnView folded = record_fold(&job);
    return record_affine(recorder, node, &folded, 1u << axis, error);
}

static void record_lrn(NnRecorder *recorder, const NnNode *node, const NnView *x, const NnView *y)
{
    NnLaunch *launch = nn_recorder_launch(recorder, node, "norm.cl", "lrn", "-DTX=%s -DTY=%s",
                                          nn_kernel_type(x->type), nn_kernel_type(y->type));
    nn_launch_map(launch, x);
    nn_launch_map(launch, y);
    nn_launch_int(launch, (gint32)nn_node_int(node, "size", 1));
    nn_launch_float(launch, nn_node_float(node, "alpha", 1e-4f));
    nn_launch_float(launch, nn_node_float(node, "beta", 0.75f));
    nn_launch_float(launch, nn_node_float(node, "bias", 1.0f));
    nn_launch_items(launch, y, nn_view_count(y), 1);
}

static gboolean launch_lrn(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    if (x->rank > 4)
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "its input has %d axes", x->rank);
    if (!nn_check_entries(node, error))
        return FALSE;
    for (gint64 i = 0; i < x->dims[0]; i++) {
        const NnView map = nn_view_entry(x, i), out = nn_view_entry(y, i);
        record_lrn(recorder, node, &map, &out);
    }
    return TRUE;
}

gboolean nn_launch_norm(NnRecorder *recorder, const NnNode *node, GError **error)
{
    static const struct {
        const char *type;
        gboolean (*launch)(NnRecorder *recorder, const NnNode *node, GError **error);
    } rows[] = {
        { "BatchNormalization", launch_batch_norm },
        { "InstanceNormalization", launch_instance_norm },
        { "GroupNormalization", launch_group_norm },
        { "LayerNormalization", launch_layer_norm },
        { "MeanVarianceNormalization", launch_mean_variance },
        { "LpNormalization", launch_lp_norm },
        { "LRN", launch_lrn },
    };
    if (nn_view_count(nn_recorder_output(recorder, node, 0)) == 0)
        return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        if (strcmp(node->type, rows[i].type) == 0)
            return rows[i].launch(recorder, node, error);
    return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "there is no kernel for it");
}
