/* launch_pool.c - MaxPool, AveragePool, LpPool and the Global forms.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A window that covers the whole map is a reduction and runs as one.
 */
#include "launch_pool.h"
#include "launch_wide.h"

/* Mirrors kernels/pool.cl. */
typedef struct {
    gint32 kh, kw, stride_h, stride_w, dilation_h, dilation_w;
    gint32 pad_h, pad_w;
    gint32 padded_h, padded_w;
    gint32 column_major;
    float p;
} PoolShape;

typedef struct {
    NnRecorder *recorder;
    const NnNode *node;
    const char *kind;
    PoolShape shape;
    NnView x, y;
    const NnView *indices; /* (nullable) */
} Job;

static void finish_launch(NnLaunch *launch, const Job *job)
{
    nn_launch_bytes(launch, &job->shape, sizeof job->shape);
    nn_launch_cost(launch, (double)nn_view_count(&job->y) * job->shape.kh * job->shape.kw);
}

static gboolean fits_vector(gconstpointer data)
{
    const Job *job = data;
    NnMap x, y;
    return nn_view_map(&job->x, &x) && nn_view_map(&job->y, &y) && !job->indices &&
           nn_type_is_float(x.c ? job->x.type : NN_UNKNOWN) && job->x.type == job->y.type &&
           x.sc == 1 && y.sc == 1;
}

static gboolean record_vector(gconstpointer data, GError **error)
{
    const Job *job = data;
    const gint64 channels = job->y.dims[1], width = job->y.dims[job->y.rank - 1];
    const gint64 chunk = MAX(nn_chunk_elements(job->recorder) / channels, 1);
    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, "pool.cl", "pool_vector", "-DPOOL=%s -DT=%s -DVW=%u%s", job->kind,
        nn_kernel_type(job->x.type), nn_channel_vector_width(job->recorder, channels),
        job->x.type == NN_FLOAT16 ? " -DFP16" : "");
    nn_launch_map(launch, &job->x);
    nn_launch_map(launch, &job->y);
    finish_launch(launch, job);
    nn_launch_int(launch, (gint32)chunk);
    nn_launch_tiles(job->recorder, launch, &job->y, (width + chunk - 1) / chunk,
                    job->y.rank == 4 ? job->y.dims[2] : 1);
    return TRUE;
}

/* Taps that pool_wide unrolls. */
#define WIDE_TAPS 64

static gboolean fits_wide(gconstpointer data)
{
    const Job *job = data;
    return nn_gpu_variant(job->recorder, "pool_wide") && fits_vector(data) &&
           job->shape.kh * job->shape.kw <= WIDE_TAPS && nn_view_is_wide(&job->x, 1) &&
           nn_view_is_wide(&job->y, 1);
}

static gboolean record_wide(gconstpointer data, GError **error)
{
    const Job *job = data;
    NnLaunch *launch =
        nn_recorder_launch(job->recorder, job->node, "pool.cl", "pool_wide",
                           "-DPOOL=%s -DT=%s -DWIDE_KERNEL -DKH=%d -DKW=%d", job->kind,
                           nn_kernel_type(job->x.type), job->shape.kh, job->shape.kw);
    nn_launch_map(launch, &job->x);
    nn_launch_map(launch, &job->y);
    finish_launch(launch, job);
    nn_launch_items(launch, &job->y, nn_view_count(&job->y) / NN_WIDE, 1);
    return TRUE;
}

static gboolean record_general(gconstpointer data, GError **error)
{
    const Job *job = data;
    NnLaunch *launch = nn_recorder_launch(job->recorder, job->node, "pool.cl", "pool_general",
                                          "-DPOOL=%s -DT=%s -DINDICES=%d", job->kind,
                                          nn_kernel_type(job->x.type), job->indices != NULL);
    nn_launch_map(launch, &job->x);
    nn_launch_map(launch, &job->y);
    nn_launch_map(launch, job->indices ? job->indices : &job->y);
    finish_launch(launch, job);
    nn_launch_items(launch, &job->y, nn_view_count(&job->y), 1);
    return TRUE;
}

static const NnVariant variants[] = {
    { "pool_wide", fits_wide, record_wide, NULL },
    { "pool_vector", fits_vector, record_vector, NULL },
    { "pool_general", nn_variant_always, record_general, NULL },
};

static PoolShape make_shape(const NnPoolParams *params)
{
    const int w = params->n_spatial - 1;
    const gboolean counts = params->count_include_pad;
    PoolShape shape = { .kh = 1, .stride_h = 1, .dilation_h = 1, .p = (float)params->p };
    shape.kw = (gint32)params->kernel[w];
    shape.stride_w = (gint32)params->stride[w];
    shape.dilation_w = (gint32)params->dilation[w];
    shape.pad_w = (gint32)params->pad_begin[w];
    shape.padded_w = counts ? (gint32)(params->in[w] + params->pad_end[w]) : -1;
    shape.padded_h = counts ? 1 : -1;
    shape.column_major = params->column_major;
    if (w == 1) {
        shape.kh = (gint32)params->kernel[0];
        shape.stride_h = (gint32)params->stride[0];
        shape.dilation_h = (gint32)params->dilation[0];
        shape.pad_h = (gint32)params->pad_begin[0];
        shape.padded_h = counts ? (gint32)(params->in[0] + params->pad_end[0]) : -1;
    }
    return shape;
}

static gboolean covers_all(const NnPoolParams *params)
{
    for (int i = 0; i < params->n_spatial; i++)
        if (params->kernel[i] != params->in[i] || params->out[i] != 1 ||
            params->pad_begin[i] != 0 || params->pad_end[i] != 0 || params->dilation[i] != 1)
            return FALSE;
    return TRUE;
}

/* The reduction that a window over everything is, NULL if it is none. */
static const char *whole_reduction(const NnPoolParams *params)
{
    if (params->type == NN_POOL_LP)
        return params->p == 1 ? "L1" : params->p == 2 ? "L2" : NULL;
    return params->type == NN_POOL_MAX ? "Max" : "Mean";
}

gboolean nn_launch_pool(NnRecorder *recorder, const NnNode *node, GError **error)
{
    static const char *const kinds[] = { "MAX", "AVERAGE", "LP" };
    NnPoolParams params;
    if (!nn_pool_params(node, &params, error))
        return FALSE;
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const NnView *indices = nn_recorder_output(recorder, node, 1);
    if (covers_all(&params) && !indices && whole_reduction(&params))
        return nn_record_reduction(recorder, node, whole_reduction(&params), y, x, ~3u, error);
    if (params.n_spatial > 2 || (params.batch > 1 && indices) || x->type != y->type)
        return nn_launch_pool_3d(recorder, node, &params, kinds[params.type]);

    if (!nn_check_entries(node, error))
        return FALSE;
    for (gint64 i = 0; i < params.batch; i++) {
        const NnView map = nn_view_entry(x, i), out = nn_view_entry(y, i);
        Job job = { recorder, node, kinds[params.type], make_shape(&params), map, out, indices };
        if (!nn_variant_choose(recorder, variants, G_N_ELEMENTS(variants), &job)
                 ->record(&job, error))
            return FALSE;
    }
    return TRUE;
}
