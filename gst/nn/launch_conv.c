/* launch_conv.c - Conv and ConvTranspose: one description of the sums, several ways to run it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"

#include <string.h>

#include "fuse.h"

int nn_conv_residual(const ConvJob *job)
{
    return job->has_residual + (job->has_residual && job->residual_last);
}

void nn_conv_launch_epilogue(NnLaunch *launch, const ConvJob *job)
{
    nn_launch_activation(launch, job->node);
    if (!job->scaled)
        return;
    nn_launch_strided(launch, &job->out_scale);
    nn_launch_strided(launch, &job->post_scale);
}

void nn_conv_launch_prescale(NnLaunch *launch, const ConvJob *job)
{
    if (job->prescaled)
        nn_launch_strided(launch, &job->in_scale);
}

const char *nn_conv_forced_tile(const ConvJob *job, const char *name)
{
    const char *forced = nn_recorder_forced_variant(job->recorder);
    if (!forced || !g_str_has_prefix(forced, name))
        return NULL;
    const char *tile = forced + strlen(name);
    return *tile == ':' ? tile + 1 : *tile ? NULL : "";
}

/* ---------------------------------------------------------------- choice */

/* A tile of launch_conv_wgmma.c that only a test or a measurement chooses. */
#define WGMMA_TILE(tile)                                                                           \
    {                                                                                              \
        "conv_wgmma:" tile, nn_conv_wgmma_fits, nn_conv_wgmma_record, nn_variant_never             \
    }

/* The same of launch_conv_halo.c. */
#define HALO_TILE(tile)                                                                            \
    {                                                                                              \
        "conv_halo:" tile, nn_conv_halo_fits, nn_conv_halo_record, nn_variant_never                \
    }

/* A tile of launch_conv_tensor.c that is taken if it is forced or was measured to be better. */
#define TENSOR_TILE(tile)                                                                          \
    {                                                                                              \
        "conv_tensor:" tile, nn_conv_tensor_fits, nn_conv_tensor_record, nn_variant_never          \
    }

/* The same of launch_conv_tiled.c. */
#define TILED(tile)                                                                                \
    {                                                                                              \
        "conv_tiled:" tile, nn_conv_tiled_fits, nn_conv_tiled_record, nn_variant_never             \
    }

/* The number of warpgroups of launch_conv_held.c. */
#define HELD_BY(warpgroups)                                                                        \
    {                                                                                              \
        "conv_held:" warpgroups, nn_conv_held_fits, nn_conv_held_record, nn_variant_never          \
    }

#define HELD                                                                                       \
    { "conv_held", nn_conv_held_fits, nn_conv_held_record, nn_conv_held_pays }, HELD_BY("2"),      \
        HELD_BY("3")
#define HALO_TILES                                                                                 \
    HALO_TILE("8x256"), HALO_TILE("8x128"), HALO_TILE("8x128deep"), HALO_TILE("16x64"),            \
        HALO_TILE("8x64"), HALO_TILE("16x32"), HALO_TILE("8x32"), HALO_TILE("16x16"),              \
        HALO_TILE("8x16")

static const NnVariant variants[] = {
    HELD,
    { "conv_halo", nn_conv_halo_fits, nn_conv_halo_record, nn_conv_halo_pays },
    HALO_TILES,
    { "conv_first", nn_conv_first_fits, nn_conv_first_record, NULL },
    { "conv_wgmma", nn_conv_wgmma_fits, nn_conv_wgmma_record, nn_conv_wgmma_pays },
    WGMMA_TILE("128x256"),
    WGMMA_TILE("128x128"),
    WGMMA_TILE("128x128deep"),
    WGMMA_TILE("128x64"),
    WGMMA_TILE("128x64deep"),
    { "conv_tensor", nn_conv_tensor_fits, nn_conv_tensor_record, NULL },
    TENSOR_TILE("128x128"),
    TENSOR_TILE("128x96"),
    TENSOR_TILE("128x64"),
    TENSOR_TILE("256x32"),
    TENSOR_TILE("128x32"),
    TENSOR_TILE("256x16"),
    TENSOR_TILE("128x16"),
    TENSOR_TILE("small"),
    { "conv_fir", nn_conv_fir_fits, nn_conv_fir_record, NULL },
    { "conv_depthwise_wide", nn_conv_depthwise_wide_fits, nn_conv_depthwise_wide_record, NULL },
    { "conv_few", nn_conv_few_fits, nn_conv_few_record, NULL },
    { "conv_tiled", nn_conv_tiled_fits, nn_conv_tiled_record, nn_conv_tiled_pays },
    TILED("128x128"),
    TILED("128x64"),
    TILED("64x64"),
    TILED("128x32"),
    TILED("64x32"),
    TILED("128x16"),
    TILED("split"),
    { "conv_winograd_fused", nn_conv_winograd_fused_fits, nn_conv_winograd_fused_record,
      nn_conv_winograd_fused_pays },
    { "conv_winograd", nn_conv_winograd_fits, nn_conv_winograd_record, nn_conv_winograd_pays },
    { "conv_narrow", nn_conv_narrow_fits, nn_conv_narrow_record, NULL },
    { "conv_depthwise_rows", nn_conv_depthwise_rows_fits, nn_conv_depthwise_rows_record, NULL },
    { "conv_pointwise", nn_conv_pointwise_fits, nn_conv_pointwise_record, NULL },
    { "conv_staged", nn_conv_staged_fits, nn_conv_staged_record, NULL },
    { "conv_depthwise", nn_conv_depthwise_fits, nn_conv_depthwise_record, NULL },
    { "conv_vector", nn_conv_vector_fits, nn_conv_vector_record, NULL },
    { "conv_general", nn_variant_always, nn_conv_general_record, NULL },
};

/* Those that interpolate and normalise what they load. */
static const NnVariant patch_variants[] = {
    HELD,
    HALO_TILES,
    { "conv_halo", nn_conv_halo_fits, nn_conv_halo_record, NULL },
};

static const NnVariant *choose_variant(const ConvJob *job)
{
    return job->resized || job->normed
               ? nn_variant_choose(job->recorder, patch_variants, G_N_ELEMENTS(patch_variants), job)
               : nn_variant_choose(job->recorder, variants, G_N_ELEMENTS(variants), job);
}

gboolean nn_conv_record(const ConvJob *job, GError **error)
{
    return choose_variant(job)->record(job, error);
}

/* ---------------------------------------------------------------- as views of 2-D data */

/* Maps are [1][C][H][W]: 1-D data gets one row. */
static NnView view_2d(const NnView *view)
{
    if (view->rank != 3)
        return *view;
    const gint64 dims[4] = { view->dims[0], view->dims[1], 1, view->dims[2] };
    const gint64 strides[4] = { view->strides[0], view->strides[1], 0, view->strides[2] };
    return nn_view_strided(view, 4, dims, strides);
}

/* The weights seen as [group][output][input][row][column]. */
static NnView weight_view(const NnConvParams *params, const NnView *weights)
{
    const NnView view = view_2d(weights);
    const gint64 k = params->out_channels / params->groups;
    const gint64 c = params->in_channels / params->groups;
    const gint64 *stride = view.strides;
    const gint64 dims[5] = { params->groups, k, c, view.dims[2], view.dims[3] };
    const gint64 plain[5] = { k * stride[0], stride[0], stride[1], stride[2], stride[3] };
    const gint64 transposed[5] = { c * stride[0], stride[1], stride[0], stride[2], stride[3] };
    return nn_view_strided(&view, 5, dims, params->transposed ? transposed : plain);
}

static ConvShape plain_shape(const NnConvParams *params)
{
    ConvShape shape = { .groups = (gint32)params->groups,
                        .c = (gint32)(params->in_channels / params->groups),
                        .k = (gint32)(params->out_channels / params->groups),
                        .kh = 1,
                        .stride_h = 1,
                        .dilation_h = 1 };
    const int w = params->n_spatial - 1;
    shape.kw = (gint32)params->kernel[w];
    shape.stride_w = (gint32)params->stride[w];
    shape.dilation_w = (gint32)params->dilation[w];
    shape.pad_w = (gint32)params->pad_begin[w];
    if (w == 1) {
        shape.kh = (gint32)params->kernel[0];
        shape.stride_h = (gint32)params->stride[0];
        shape.dilation_h = (gint32)params->dilation[0];
        shape.pad_h = (gint32)params->pad_begin[0];
    }
    return shape;
}

/* The convolution of one of the maps of a batch. */
static gboolean record_entry(const ConvJob *all, const NnConvParams *params, gint64 i,
                             GError **error)
{
    ConvJob job = *all;
    job.x = nn_view_entry(&all->x, i);
    job.y = nn_view_entry(&all->y, i);
    job.residual = nn_view_entry(&all->residual, i);
    return params->transposed ? nn_conv_record_transposed(&job, params, error)
                              : nn_conv_record(&job, error);
}

/* A scale as kernels take it: floats side by side. Layouts keep it so where they can. */
static gboolean dense_scale(NnRecorder *recorder, const NnNode *node, int i, NnView *scale,
                            GError **error)
{
    const NnView *view = nn_recorder_input(recorder, node, (guint)i);
    const gint64 dims[1] = { view->dims[1] }, strides[1] = { view->strides[1] };

    *scale = nn_view_strided(view, 1, dims, strides);
    if (scale->type == NN_FLOAT32 && (scale->strides[0] == 1 || scale->dims[0] == 1))
        return TRUE;
    const NnView from = *scale;
    *scale = nn_recorder_scratch(recorder, NN_FLOAT32, (gsize)dims[0]);
    return nn_record_copy(recorder, node, scale, &from, error);
}

static gboolean add_scales(ConvJob *job, GError **error)
{
    const NnNode *node = job->node;

    if (node->out_scale >= 0 &&
        !dense_scale(job->recorder, node, node->out_scale, &job->out_scale, error))
        return FALSE;
    if (node->post_scale >= 0 &&
        !dense_scale(job->recorder, node, node->post_scale, &job->post_scale, error))
        return FALSE;
    job->scaled = (node->out_scale >= 0 ? 1 : 0) | (node->post_scale >= 0 ? 2 : 0);
    if (node->out_scale < 0)
        job->out_scale = job->post_scale;
    if (node->post_scale < 0)
        job->post_scale = job->out_scale;
    return TRUE;
}

/* The input, each channel times its number, as a map of its own: most kernels take their input as
 * it lies in memory. */
static gboolean scale_input(ConvJob *job, GError **error)
{
    const NnView *scale = nn_recorder_input(job->recorder, job->node, (guint)job->node->in_scale);
    const NnView *inputs[2] = { &job->x, scale };
    const gint64 *dims = job->x.dims;
    const NnType type = job->y.type; /* x may be a constant, as floats */
    const gint64 pitch = type == NN_FLOAT16 ? (dims[1] + 7) & ~(gint64)7 : dims[1];
    const gint64 strides[4] = { 0, 1, dims[3] * pitch, pitch };
    const NnView memory =
        nn_recorder_scratch(job->recorder, type, (gsize)(dims[2] * dims[3] * pitch));
    const NnView scaled = nn_view_strided(&memory, 4, dims, strides);

    if (!nn_record_elementwise(job->recorder, job->node, "Mul", &scaled, inputs, 2, FALSE, error))
        return FALSE;
    job->x = scaled;
    return TRUE;
}

/* Whether the kernel that would run @job multiplies its input itself. */
static gboolean takes_prescale(const ConvJob *job)
{
    const NnVariant *variant = choose_variant(job);
    return variant->record == nn_conv_few_record || variant->record == nn_conv_narrow_record ||
           (variant->record == nn_conv_pointwise_record && nn_conv_pointwise_prescales(job));
}

/* ---------------------------------------------------------------- the job of a node */

/* A node's convolution, with what its job points into. */
typedef struct {
    NnConvParams params;
    ConvJob job;
    ConvResized resized;
    ConvNormed normed;
    NnArray *weight_values, *bias_values;
} Convolution;

static void convolution_clear(Convolution *conv)
{
    g_clear_pointer(&conv->weight_values, nn_array_unref);
    g_clear_pointer(&conv->bias_values, nn_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Convolution, convolution_clear)

/* Whether a kernel that enlarges and normalises what it loads is there and takes @job; the rules
 * alone say so, as the answer must not change between the nodes before and the convolution. */
static gboolean takes_patches(const ConvJob *job)
{
    return (nn_conv_held_fits(job) &&
            (nn_conv_forced_tile(job, "conv_held") || nn_conv_held_pays(job))) ||
           (nn_conv_halo_fits(job) &&
            (nn_conv_forced_tile(job, "conv_halo") || nn_conv_halo_pays(job)));
}

/* conv_held is better off with the enlarged map stored: on an H200 its layers of ISNet and U2NetP,
 * of 256x256 and more, lost 1 to 61 us more than Resize takes, while those of conv_halo gained.
 * Where the map is normalised on the way, a pass over it is saved, too. */
static gboolean takes_resized(const ConvJob *job)
{
    const NnNode *before = nn_node_input(job->resized->node, 0)->producer;
    const gboolean held = nn_conv_held_fits(job) && nn_conv_held_pays(job);
    return takes_patches(job) && (!held || (before && before->op == &nn_part_instance_norm));
}

/* @conv->params must be there. */
static void describe(NnRecorder *recorder, const NnNode *node, Convolution *conv)
{
    const NnView *bias = nn_recorder_input(recorder, node, 2);
    const NnView *residual =
        node->residual >= 0 ? nn_recorder_input(recorder, node, (guint)node->residual) : NULL;
    conv->weight_values = nn_constant_floats(node, 1);
    conv->bias_values = nn_constant_floats(node, 2);
    ConvJob *job = &conv->job;
    *job = (ConvJob){ .recorder = recorder,
                      .node = node,
                      .shape = plain_shape(&conv->params),
                      .x = view_2d(nn_recorder_input(recorder, node, 0)),
                      .y = view_2d(nn_recorder_output(recorder, node, 0)),
                      .has_residual = residual != NULL,
                      .has_bias = bias && node->residual != 2,
                      .weights = weight_view(&conv->params, nn_recorder_input(recorder, node, 1)),
                      .weight_values = conv->weight_values ? conv->weight_values->data : NULL,
                      .bias_values = conv->bias_values ? conv->bias_values->data : NULL };
    job->residual = residual ? view_2d(residual) : job->y;
    job->bias = job->has_bias ? *bias : job->weights;
    if (conv->params.transposed || conv->params.batch != 1 || job->x.type != NN_FLOAT16)
        return;
    if (nn_conv_find_resized(recorder, node, &job->x, &conv->resized)) {
        job->resized = &conv->resized;
        if (!takes_resized(job))
            job->resized = NULL;
    }
    if (nn_conv_find_normed(recorder, node, job->resized, &conv->normed))
        job->normed = &conv->normed;
}

/* ---------------------------------------------------------------- two at once */

/* The only node that uses what @node computes, and uses it once; NULL if there is none. */
static const NnNode *sole_user(const NnNode *node)
{
    const NnValue *out = nn_node_output(node, 0);
    return out && nn_has_single_use(out) ? out->consumers->pdata[0] : NULL;
}

/* The same if that is what it convolves. */
static const NnNode *sole_convolution(const NnNode *node)
{
    const NnNode *next = sole_user(node);
    return next && nn_is_type(next, "Conv") && nn_node_input(next, 0) == nn_node_output(node, 0)
               ? next
               : NULL;
}

static gboolean describe_plain(NnRecorder *recorder, const NnNode *node, Convolution *conv)
{
    if (strcmp(node->type, "Conv") != 0 || *node->domain != 0 ||
        !nn_conv_params(node, &conv->params, NULL) || conv->params.n_spatial != 2 ||
        conv->params.batch != 1)
        return FALSE;
    describe(recorder, node, conv);
    return TRUE;
}

/* A way to run two convolutions, one after the other, in one launch. */
typedef struct {
    const char *name;
    gboolean (*fits)(const ConvJob *first, const ConvJob *second);
    void (*record)(const ConvJob *first, const ConvJob *second);
} PairVariant;

static const PairVariant pair_variants[] = {
    { "conv_expanded", nn_conv_expanded_fits, nn_conv_expanded_record },
    { "conv_separable", nn_conv_separable_fits, nn_conv_separable_record },
    { "conv_points", nn_conv_points_fits, nn_conv_points_record },
};

static const PairVariant *choose_pair(NnRecorder *recorder, const ConvJob *first,
                                      const ConvJob *second)
{
    const char *forced = nn_recorder_forced_variant(recorder);
    for (guint i = 0; i < G_N_ELEMENTS(pair_variants); i++)
        if ((!forced || strcmp(forced, pair_variants[i].name) == 0) &&
            !nn_recorder_leaves_out(recorder, pair_variants[i].name) &&
            pair_variants[i].fits(first, second))
            return &pair_variants[i];
    return NULL;
}

static gboolean is_scaled(const NnNode *node)
{
    return node->in_scale >= 0 || node->out_scale >= 0 || node->post_scale >= 0;
}

/* Whether @node and the next one could run at once. */
static gboolean can_pair(NnRecorder *recorder, const NnNode *node)
{
    g_auto(Convolution) first = { 0 }, second = { 0 };
    const NnNode *next = sole_convolution(node);
    return next && !is_scaled(node) && node->added < 0 && next->in_scale < 0 &&
           describe_plain(recorder, node, &first) && describe_plain(recorder, next, &second) &&
           choose_pair(recorder, &first.job, &second.job);
}

/* Whether @node runs together with the one before: in a chain of nodes of which each could pair
 * with the next, the first two do, then the third and fourth. */
static gboolean ends_pair(NnRecorder *recorder, const NnNode *node)
{
    gboolean ends = FALSE;
    for (;;) {
        const NnNode *before = nn_node_input(node, 0) ? nn_node_input(node, 0)->producer : NULL;
        if (!before || sole_convolution(before) != node || !can_pair(recorder, before))
            return ends;
        ends = !ends;
        node = before;
    }
}

/* Of 2x2, without overlap or padding. */
static gboolean halves_maps(const NnNode *pool)
{
    NnPoolParams params;
    if (!nn_is_type(pool, "MaxPool") || nn_node_output(pool, 1) || pool->residual >= 0 ||
        pool->activation.type != NN_ACT_NONE || !nn_pool_params(pool, &params, NULL) ||
        params.n_spatial != 2 || params.batch != 1)
        return FALSE;
    for (int i = 0; i < 2; i++)
        if (params.kernel[i] != 2 || params.stride[i] != 2 || params.dilation[i] != 1 ||
            params.pad_begin[i] != 0 || params.out[i] < 1)
            return FALSE;
    return TRUE;
}

/* The first pool that uses what @node computes. */
static const NnNode *find_pool(const NnNode *node)
{
    const NnValue *out = nn_node_output(node, 0);
    for (guint i = 0; i < out->consumers->len; i++)
        if (halves_maps(out->consumers->pdata[i]))
            return out->consumers->pdata[i];
    return NULL;
}

/* Lets a pair pool what it computes if it can. @node: the second convolution. */
static void add_pool(NnRecorder *recorder, const NnNode *node, const ConvJob *first,
                     ConvJob *second)
{
    const NnNode *pool = node->added < 0 ? find_pool(node) : NULL;
    const NnView *y = pool ? nn_recorder_output(recorder, pool, 0) : NULL;
    ConvJob pooled = *second;
    /* Whole 2x2 alone. */
    if (!pool || y->dims[2] != pooled.y.dims[2] / 2 || y->dims[3] != pooled.y.dims[3] / 2)
        return;
    if (nn_has_single_use(nn_node_output(node, 0))) {
        pooled.pooled = y;
        pooled.y.dims[2] = 2 * y->dims[2];
        pooled.y.dims[3] = 2 * y->dims[3];
    } else if (pooled.y.dims[2] % 2 == 0 && pooled.y.dims[3] % 2 == 0) {
        pooled.pooled_too = y;
    } else {
        return;
    }
    if (!choose_pair(recorder, first, &pooled))
        return;
    *second = pooled;
    nn_recorder_elide(recorder, pool);
}

static gboolean record_pair(NnRecorder *recorder, const NnNode *node, GError **error)
{
    g_auto(Convolution) first = { 0 }, second = { 0 };
    describe_plain(recorder, nn_node_input(node, 0)->producer, &first);
    describe_plain(recorder, node, &second);
    if (!add_scales(&second.job, error))
        return FALSE;
    add_pool(recorder, node, &first.job, &second.job);
    choose_pair(recorder, &first.job, &second.job)->record(&first.job, &second.job);
    return TRUE;
}

/* ---------------------------------------------------------------- three at once */

/* The last three convolutions of a chain, or two. */
typedef struct {
    Convolution expand, filter, project;
    gboolean expands;
} Inverted;

static void inverted_clear(Inverted *inverted)
{
    convolution_clear(&inverted->expand);
    convolution_clear(&inverted->filter);
    convolution_clear(&inverted->project);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Inverted, inverted_clear)

static ConvInverted inverted_job(const Inverted *inverted)
{
    return (ConvInverted){ .expand = inverted->expands ? &inverted->expand.job : NULL,
                           .filter = &inverted->filter.job,
                           .project = &inverted->project.job };
}

/* The convolution that computes what @node convolves, for @node alone and without numbers per
 * channel. */
static const NnNode *convolution_before(const NnNode *node)
{
    const NnValue *x = nn_node_input(node, 0);
    const NnNode *before = x ? x->producer : NULL;
    return before && strcmp(before->type, "Conv") == 0 && sole_convolution(before) == node &&
                   !is_scaled(before) && before->added < 0
               ? before
               : NULL;
}

static gboolean is_depthwise(const NnNode *node)
{
    const NnValue *x = nn_node_input(node, 0);
    return x && x->rank == 4 && nn_node_int(node, "group", 1) == x->dims[1];
}

/* Those kernels for CPUs that can add behind the activation. */
static gboolean fits_rows(const ConvJob *job)
{
    return nn_conv_depthwise_rows_fits(job) || nn_conv_pointwise_fits(job) ||
           nn_conv_staged_fits(job);
}

static gboolean adds_last(const NnVariant *variant)
{
    return variant->record == nn_conv_tensor_record || variant->record == nn_conv_first_record ||
           variant->record == nn_conv_wgmma_record || variant->record == nn_conv_tiled_record ||
           variant->record == nn_conv_depthwise_rows_record ||
           variant->record == nn_conv_pointwise_record || variant->record == nn_conv_staged_record;
}

/* The normalisation of some channels that alone uses what @node computes, as in MODNet. */
static const NnNode *find_norm(const NnNode *node)
{
    const NnValue *out = nn_node_output(node, 0);
    const NnNode *norm = nn_has_single_use(out) ? out->consumers->pdata[0] : NULL;
    return norm && norm->op == &nn_part_instance_norm && node->added < 0 ? norm : NULL;
}

/* Whether @node ends an inverted residual that runs at once. What ends one begins none. */
static gboolean ends_inverted(NnRecorder *recorder, const NnNode *node, Inverted *inverted)
{
    const char *forced = nn_recorder_forced_variant(recorder);
    const NnNode *filter = convolution_before(node);
    if ((forced && !g_str_has_prefix(forced, "conv_inverted")) || node->in_scale >= 0 ||
        node->added >= 0 || find_norm(node) || !filter || !is_depthwise(filter) ||
        is_depthwise(node) || !describe_plain(recorder, filter, &inverted->filter) ||
        !describe_plain(recorder, node, &inverted->project))
        return FALSE;
    const NnNode *expand = convolution_before(filter);
    const NnNode *before = expand ? convolution_before(expand) : NULL;
    inverted->expands = expand && !is_depthwise(expand) && !(before && is_depthwise(before)) &&
                        describe_plain(recorder, expand, &inverted->expand);
    for (;;) {
        const ConvInverted job = inverted_job(inverted);
        if (nn_conv_inverted_fits(&job) && (forced || nn_conv_inverted_pays(&job)))
            return TRUE;
        if (!inverted->expands)
            return FALSE;
        inverted->expands = FALSE;
    }
}

/* Whether @node is one of those before the last. */
static gboolean begins_inverted(NnRecorder *recorder, const NnNode *node)
{
    const NnNode *filter = is_depthwise(node) ? node : sole_convolution(node);
    const NnNode *project = filter ? sole_convolution(filter) : NULL;
    g_auto(Inverted) inverted = { 0 };
    return project && ends_inverted(recorder, project, &inverted) &&
           (inverted.filter.job.node == node ||
            (inverted.expands && inverted.expand.job.node == node));
}

static gboolean record_inverted(Inverted *inverted, GError **error)
{
    if (!add_scales(&inverted->project.job, error))
        return FALSE;
    const ConvInverted job = inverted_job(inverted);
    nn_conv_inverted_record(&job);
    return TRUE;
}

/* ---------------------------------------------------------------- from the node */

static gboolean fits_gpu_tiles(const ConvJob *job)
{
    return nn_conv_tensor_fits(job) || nn_conv_wgmma_fits(job) || nn_conv_halo_fits(job) ||
           nn_conv_held_fits(job) || nn_conv_tiled_fits(job);
}

/* The convolution behind @norm if one launch can do both; described in @conv. */
static const ConvJob *find_few(NnRecorder *recorder, const NnNode *norm, Convolution *conv)
{
    const NnNode *next = norm ? sole_convolution(norm) : NULL;
    return next && !is_scaled(next) && next->added < 0 && describe_plain(recorder, next, conv) &&
                   nn_norm_few_fits(&conv->job)
               ? &conv->job
               : NULL;
}

/* Records @job with what is added last and with a pool, as far as the kernel that runs it can do
 * that. *recorded: it did. */
static gboolean record_with_more(const ConvJob *job, gboolean *recorded, GError **error)
{
    const NnNode *node = job->node;
    const NnNode *pool = find_pool(node);
    ConvJob more = *job;
    if (node->added >= 0 && job->has_residual)
        return TRUE;
    if (node->added >= 0) {
        more.residual = view_2d(nn_recorder_input(job->recorder, node, (guint)node->added));
        more.has_residual = more.residual_last = TRUE;
    }
    more.pooled_too = pool ? nn_recorder_output(job->recorder, pool, 0) : NULL;
    if ((node->added < 0 && !pool) ||
        !(fits_gpu_tiles(&more) || (more.residual_last && fits_rows(&more))))
        return TRUE;

    const NnVariant *variant = choose_variant(&more);
    const gboolean pools =
        variant->record == nn_conv_halo_record || variant->record == nn_conv_held_record;
    if (!pools && !adds_last(variant))
        return TRUE;
    if (pools && pool)
        nn_recorder_elide(job->recorder, pool);
    else
        more.pooled_too = NULL;
    *recorded = TRUE;
    return variant->record(&more, error);
}

/* @added: whether node->added is in the result. */
static gboolean record_node(NnRecorder *recorder, const NnNode *node, gboolean *added,
                            GError **error)
{
    g_auto(Convolution) conv = { 0 };
    if (!nn_conv_params(node, &conv.params, error))
        return FALSE;
    if (conv.params.n_spatial > 2)
        return nn_launch_conv_3d(recorder, node, &conv.params);
    if (!nn_check_entries(node, error))
        return FALSE;
    g_auto(Inverted) inverted = { 0 };
    if (ends_inverted(recorder, node, &inverted))
        return record_inverted(&inverted, error);
    if (begins_inverted(recorder, node))
        return TRUE; /* what it computes is never stored */
    if (ends_pair(recorder, node))
        return record_pair(recorder, node, error);
    /* What it computes is never stored: it is recorded with the next node. */
    if (can_pair(recorder, node))
        return TRUE;

    describe(recorder, node, &conv);
    ConvJob *job = &conv.job;
    job->prescaled = node->in_scale >= 0 && !conv.params.transposed && takes_prescale(job);
    if (job->prescaled ? !dense_scale(recorder, node, node->in_scale, &job->in_scale, error)
                       : node->in_scale >= 0 && !scale_input(job, error))
        return FALSE;
    if (!add_scales(job, error))
        return FALSE;
    if (!conv.params.transposed && conv.params.batch == 1 && !job->has_residual)
        job->norm = find_norm(node);
    g_auto(Convolution) few = { 0 };
    job->few = find_few(recorder, job->norm, &few);
    gboolean recorded = FALSE;
    if (!conv.params.transposed && conv.params.batch == 1 &&
        !record_with_more(job, &recorded, error))
        return FALSE;
    *added = recorded && node->added >= 0;
    if (recorded)
        return TRUE;
    for (gint64 i = 0; i < conv.params.batch; i++)
        if (!record_entry(&conv.job, &conv.params, i, error))
            return FALSE;
    return TRUE;
}

gboolean nn_conv_takes_resize(NnRecorder *recorder, const NnNode *node)
{
    g_auto(Convolution) conv = { 0 };
    const NnNode *next = sole_user(node);
    if (next && nn_is_type(next, "Concat"))
        next = sole_user(next);
    return next && describe_plain(recorder, next, &conv) && conv.job.resized &&
           conv.resized.node == node;
}

gboolean nn_conv_takes_norm(NnRecorder *recorder, const NnNode *norm, gint64 n_parts)
{
    g_auto(Convolution) conv = { 0 };
    const NnNode *user = sole_user(norm), *next = user;
    const gboolean small = user && nn_conv_takes_resize(recorder, user);
    if (small)
        next = sole_user(user);
    if (small && nn_is_type(next, "Concat"))
        next = sole_user(next);
    if (!next || !describe_plain(recorder, next, &conv) || next->in_scale >= 0 ||
        (!small && (conv.job.resized || nn_node_input(next, 0) != nn_node_output(norm, 0))))
        return FALSE;
    conv.normed = (ConvNormed){ .norm = norm, .n_parts = n_parts, .small = small };
    conv.job.normed = &conv.normed;
    return takes_patches(&conv.job);
}

gboolean nn_launch_conv(NnRecorder *recorder, const NnNode *node, GError **error)
{
    gboolean added = FALSE;
    if (!record_node(recorder, node, &added, error))
        return FALSE;
    if (node->added < 0 || added)
        return TRUE;
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const NnView *inputs[2] = { y, nn_recorder_input(recorder, node, (guint)node->added) };
    return nn_record_elementwise(recorder, node, "Add", y, inputs, 2, FALSE, error);
}
