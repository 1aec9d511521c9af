/* launch_matmul.c - MatMul and Gemm.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_wide.h"

#include <string.h>

/* y = act(product_factor * a * b + bias_factor * bias); all views are [batch axes...][row][column]
 * with the same batch axes. */
typedef struct {
    NnRecorder *recorder;
    const NnNode *node;
    NnView a, b, bias, y; /* bias is y where there is none */
    gboolean has_bias;
    int n_batch;
    float product_factor, bias_factor;
    NnActivation activation;
} Job;

static gint64 rows_of(const Job *job)
{
    return job->y.dims[job->n_batch];
}

static gint64 columns_of(const Job *job)
{
    return job->y.dims[job->n_batch + 1];
}

static gint64 depth_of(const Job *job)
{
    return job->a.dims[job->n_batch + 1];
}

static gint64 batches_of(const Job *job)
{
    return nn_view_count(&job->y) / (rows_of(job) * columns_of(job));
}

static void finish_launch(NnLaunch *launch, const Job *job)
{
    nn_launch_strided(launch, &job->a);
    nn_launch_strided(launch, &job->b);
    nn_launch_strided(launch, &job->bias);
    nn_launch_strided(launch, &job->y);
    nn_launch_extents(launch, job->n_batch, job->y.dims);
    nn_launch_int(launch, (gint32)rows_of(job));
    nn_launch_int(launch, (gint32)columns_of(job));
    nn_launch_int(launch, (gint32)depth_of(job));
    nn_launch_float(launch, job->product_factor);
    nn_launch_float(launch, job->bias_factor);
    nn_launch_float(launch, job->activation.alpha);
    nn_launch_float(launch, job->activation.beta);
    nn_launch_cost(launch, 2.0 * (double)nn_view_count(&job->y) * (double)depth_of(job));
}

static char *common_options(const Job *job)
{
    return g_strdup_printf("-DTA=%s -DTB=%s -DTC=%s -DTY=%s -DBIAS=%d -DRANK=%d" NN_ACT_OPTION,
                           nn_kernel_type(job->a.type), nn_kernel_type(job->b.type),
                           nn_kernel_type(job->bias.type), nn_kernel_type(job->y.type),
                           job->has_bias, job->n_batch, job->activation.type);
}

/* ---------------------------------------------------------------- variants */

/* Rows per work-item: with the weights' vector, P sums hide the latency of a multiply-add. */
#define VECTOR_ROWS 8
#define GENERAL_OUTPUTS 4 /* OUTPUTS in matmul.cl */

static gboolean fits_vector(gconstpointer data)
{
    const Job *job = data;
    const int column = job->n_batch + 1;
    return nn_type_is_float(job->y.type) && nn_type_is_float(job->a.type) &&
           nn_type_is_float(job->b.type) && columns_of(job) > 1 && job->b.strides[column] == 1 &&
           job->y.strides[column] == 1;
}

static gboolean record_vector(gconstpointer data, GError **error)
{
    const Job *job = data;
    const guint vw = nn_vector_width(job->recorder);
    g_autofree char *options = common_options(job);
    const int rows = (int)MIN(rows_of(job), VECTOR_ROWS);
    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, "matmul.cl", "matmul_vector", "%s -DVW=%u -DP=%d%s", options, vw,
        rows > 1 ? VECTOR_ROWS : 1, job->y.type == NN_FLOAT16 ? " -DFP16" : "");
    finish_launch(launch, job);
    const gint64 per_item = rows > 1 ? VECTOR_ROWS : 1;
    nn_launch_tiles(job->recorder, launch, &job->y, (rows_of(job) + per_item - 1) / per_item,
                    (columns_of(job) + vw - 1) / vw * batches_of(job));
    return TRUE;
}

/* Rows up to which one group reads the weights for all of them. */
#define WIDE_ROWS 8
#define WIDE_GROUP 256 /* GROUP and COLUMNS in matmul.cl */
#define WIDE_COLUMNS 4

static gboolean fits_wide(gconstpointer data)
{
    const Job *job = data;
    const int column = job->n_batch + 1;
    return nn_gpu_variant(job->recorder, "matmul_wide") &&
           nn_group_fits(job->recorder, WIDE_GROUP) && nn_type_is_float(job->a.type) &&
           nn_type_is_float(job->bias.type) && rows_of(job) <= WIDE_ROWS &&
           nn_view_is_wide(&job->b, column) && nn_view_is_wide(&job->y, column);
}

static gboolean record_wide(gconstpointer data, GError **error)
{
    const Job *job = data;
    g_autofree char *options = common_options(job);
    const gint64 per_group = rows_of(job) == 1 ? 1 : rows_of(job) <= 4 ? 4 : WIDE_ROWS;
    NnLaunch *launch = nn_recorder_launch(job->recorder, job->node, "matmul.cl", "matmul_wide",
                                          "%s -DWIDE_KERNEL -DP=%d", options, (int)per_group);
    finish_launch(launch, job);
    const gint64 wide_columns = NN_WIDE * WIDE_COLUMNS;
    const gsize groups = (gsize)((columns_of(job) + wide_columns - 1) / wide_columns);
    const gsize global[3] = { groups * WIDE_GROUP, (gsize)batches_of(job), 1 };
    const gsize local[3] = { WIDE_GROUP, 1, 1 };
    nn_launch_size(launch, 3, global, local, job->y.storage->shared ? -1 : 2);
    return TRUE;
}

static gboolean record_general(gconstpointer data, GError **error)
{
    const Job *job = data;
    g_autofree char *options = common_options(job);
    NnLaunch *launch =
        nn_recorder_launch(job->recorder, job->node, "matmul.cl", "matmul_general", "%s", options);
    finish_launch(launch, job);
    const gint64 blocks = (columns_of(job) + GENERAL_OUTPUTS - 1) / GENERAL_OUTPUTS;
    nn_launch_items(launch, &job->y, blocks * rows_of(job), batches_of(job));
    return TRUE;
}

static const NnVariant variants[] = {
    { "matmul_wide", fits_wide, record_wide, NULL },
    { "matmul_vector", fits_vector, record_vector, NULL },
    { "matmul_general", nn_variant_always, record_general, NULL },
};

static gboolean record_product(const Job *job, GError **error)
{
    return nn_variant_choose(job->recorder, variants, G_N_ELEMENTS(variants), job)
        ->record(job, error);
}

/* ---------------------------------------------------------------- from the node */

/* A constant matrix whose columns do not lie side by side, laid out anew so that they do. */
static void transpose_constant(NnRecorder *recorder, const NnNode *node, guint input, NnView *b)
{
    g_autoptr(NnArray) values = nn_constant_floats(node, input);
    if (!values || values->rank != 2 || b->strides[b->rank - 1] == 1 || !nn_type_is_float(b->type))
        return;
    const gint64 rows = b->dims[b->rank - 2], columns = b->dims[b->rank - 1];
    const float *from = values->data;
    g_autofree float *to = g_new(float, MAX(rows * columns, 1));
    for (gint64 r = 0; r < rows; r++)
        for (gint64 c = 0; c < columns; c++)
            to[r * columns + c] = from[r * b->strides[b->rank - 2] + c * b->strides[b->rank - 1]];
    const NnView laid = nn_recorder_constant(recorder, NN_FLOAT32, values->n, to);
    b->storage = laid.storage;
    b->strides[b->rank - 2] = columns;
    b->strides[b->rank - 1] = 1;
}

/* Adds the residual: in place of a bias, or as a launch of its own where there is one. */
static gboolean record_with_residual(Job *job, GError **error)
{
    const NnNode *node = job->node;
    const NnView *y = nn_recorder_output(job->recorder, node, 0);
    if (node->residual < 0)
        return record_product(job, error);
    const NnView *residual = nn_recorder_input(job->recorder, node, (guint)node->residual);
    job->activation.type = NN_ACT_NONE;
    const NnView *inputs[2] = { y, residual };
    return record_product(job, error) &&
           nn_record_elementwise(job->recorder, node, "Add", y, inputs, 2, TRUE, error);
}

/* @view with an axis of 1 where MatMul's rules put one, and its batch axes broadcast to @dims. */
static NnView matrix_view(const NnView *view, gboolean is_left, int n_batch, const gint64 *dims)
{
    NnView matrix = *view;
    if (view->rank == 1) {
        const int at = is_left ? 1 : 0;
        matrix.rank = 2;
        matrix.dims[at] = view->dims[0];
        matrix.strides[at] = view->strides[0];
        matrix.dims[1 - at] = 1;
        matrix.strides[1 - at] = 0;
    }
    gint64 full[NN_MAX_RANK + 2];
    memcpy(full, dims, n_batch * sizeof *dims);
    full[n_batch] = matrix.dims[matrix.rank - 2];
    full[n_batch + 1] = matrix.dims[matrix.rank - 1];
    return nn_view_broadcast(&matrix, n_batch + 2, full);
}

/* The output of a product with 1-D operands, its missing axes put back. */
static NnView output_view(const NnView *y, const NnMatmulParams *params)
{
    gint64 dims[NN_MAX_RANK];
    memcpy(dims, params->batch, params->n_batch * sizeof *dims);
    dims[params->n_batch] = params->m;
    dims[params->n_batch + 1] = params->n;
    NnView out = *y;
    if (!nn_view_reshape(y, params->n_batch + 2, dims, &out))
        g_return_val_if_reached(out);
    return out;
}

static gboolean launch_matmul(NnRecorder *recorder, const NnNode *node, GError **error)
{
    NnMatmulParams params;
    if (!nn_matmul_params(node, 0, 1, &params, error))
        return FALSE;
    if (params.n_batch + 2 > NN_MAX_RANK)
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "it has %d batch axes",
                             params.n_batch);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    if (nn_view_count(y) == 0)
        return TRUE;
    Job job = { .recorder = recorder,
                .node = node,
                .n_batch = params.n_batch,
                .product_factor = 1.0f,
                .activation = node->activation };
    job.a = matrix_view(nn_recorder_input(recorder, node, 0), TRUE, params.n_batch, params.batch);
    job.b = matrix_view(nn_recorder_input(recorder, node, 1), FALSE, params.n_batch, params.batch);
    transpose_constant(recorder, node, 1, &job.b);
    job.y = job.bias = output_view(y, &params);
    if (params.n_batch == 0) {
        /* The kernels walk at least one batch axis. */
        const gint64 one = 1;
        NnView *views[4] = { &job.a, &job.b, &job.bias, &job.y };
        for (guint i = 0; i < G_N_ELEMENTS(views); i++)
            *views[i] = matrix_view(views[i], TRUE, 1, &one);
        job.n_batch = 1;
    }
    return record_with_residual(&job, error);
}

static NnView gemm_operand(const NnView *view, gboolean transposed)
{
    static const int swapped[2] = { 1, 0 };
    const gint64 one = 1;
    const NnView matrix = transposed ? nn_view_permuted(view, swapped) : *view;
    return matrix_view(&matrix, TRUE, 1, &one);
}

static gboolean launch_gemm(NnRecorder *recorder, const NnNode *node, GError **error)
{
    NnGemmParams params;
    if (!nn_gemm_params(node, &params, error))
        return FALSE;
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const NnView *bias = node->residual == 2 ? NULL : nn_recorder_input(recorder, node, 2);
    if (nn_view_count(y) == 0)
        return TRUE;
    if (!nn_type_is_float(y->type))
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "its elements are integers");
    Job job = { .recorder = recorder,
                .node = node,
                .n_batch = 1,
                .a = gemm_operand(nn_recorder_input(recorder, node, 0), params.trans_a),
                .b = gemm_operand(nn_recorder_input(recorder, node, 1), params.trans_b),
                .y = gemm_operand(y, FALSE),
                .has_bias = bias != NULL,
                .product_factor = params.alpha,
                .bias_factor = params.beta,
                .activation = node->activation };
    transpose_constant(recorder, node, 1, &job.b);
    job.bias = bias ? nn_view_broadcast(bias, 3, job.y.dims) : job.y;
    return record_with_residual(&job, error);
}

gboolean nn_launch_matmul(NnRecorder *recorder, const NnNode *node, GError **error)
{
    if (strcmp(node->type, "MatMul") == 0)
        return launch_matmul(recorder, node, error);
    if (strcmp(node->type, "Gemm") == 0)
        return launch_gemm(recorder, node, error);
    return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "there is no kernel for it");
}
