/* launch_conv_winograd.c - 3x3 convolutions by Winograd's F(4x4, 3x3): when they fit, weights,
 * launches.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_conv.h"

#define TILE 4          /* pixels of an output tile's side */
#define PLACES 36       /* of a transformed tile */
#define TILES_AT_ONCE 8 /* P in winograd.cl: with two vectors of outputs the best on AVX-512 */
#define CHUNK 8         /* CHUNK in winograd.cl */

/* Mirrors kernels/winograd.cl. */
typedef struct {
    gint32 in_blocks, out_blocks;
    gint32 tiles_x, tiles;
    gint32 stride;
    gint32 pad_h, pad_w;
} WinogradShape;

/* Vectors of outputs that the kernels hold in registers: P * KB sums. */
static gint32 vectors_of(const ConvJob *job)
{
    return (guint)job->shape.k > nn_vector_width(job->recorder) ? 2 : 1;
}

static WinogradShape make_shape(const ConvJob *job)
{
    const NnMap y = nn_map_of(&job->y);
    const gint32 vw = (gint32)nn_vector_width(job->recorder), n = vw * vectors_of(job);
    WinogradShape shape = { .in_blocks = (job->shape.c + vw - 1) / vw,
                            .out_blocks = (job->shape.k + n - 1) / n,
                            .tiles_x = (y.w + TILE - 1) / TILE,
                            .pad_h = job->shape.pad_h,
                            .pad_w = job->shape.pad_w };
    shape.tiles = shape.tiles_x * ((y.h + TILE - 1) / TILE);
    shape.stride = (shape.tiles + TILES_AT_ONCE - 1) / TILES_AT_ONCE * TILES_AT_ONCE;
    return shape;
}

/* ---------------------------------------------------------------- when */

static gboolean fits_either(const ConvJob *job)
{
    const ConvShape *shape = &job->shape;
    const NnMap x = nn_map_of(&job->x);
    return nn_recorder_device(job->recorder)->device_class == OCL_CLASS_CPU && job->weight_values &&
           (!job->has_bias || job->bias_values) && shape->groups == 1 && shape->kh == 3 &&
           shape->kw == 3 && shape->stride_h == 1 && shape->stride_w == 1 &&
           shape->dilation_h == 1 && shape->dilation_w == 1 && x.sc == 1 &&
           shape->c >= (gint32)nn_vector_width(job->recorder) && job->x.type == job->y.type &&
           job->residual.type == job->y.type;
}

/* Tiles of one work-item of the fused kernel: the more, the fewer times the weights are read. */
static gint32 fused_tiles(const ConvJob *job)
{
    const guint cores = nn_recorder_device(job->recorder)->compute_units;
    return make_shape(job).tiles >= (gint32)(16 * 4 * cores) ? 16 : 8;
}

static gsize local_b(const ConvJob *job, gint32 vectors)
{
    return sizeof(float) * PLACES * (gsize)fused_tiles(job) * nn_vector_width(job->recorder) *
           (gsize)vectors;
}

gboolean nn_conv_winograd_fused_fits(gconstpointer data)
{
    const ConvJob *job = data;
    if (!fits_either(job))
        return FALSE;
    const WinogradShape shape = make_shape(job);
    const gsize needed_b = local_b(job, shape.in_blocks) + local_b(job, vectors_of(job));
    return needed_b <= nn_recorder_device(job->recorder)->local_memory_b;
}

gboolean nn_conv_winograd_fits(gconstpointer data)
{
    const ConvJob *job = data;
    return fits_either(job);
}

/* With fewer outputs, transforming the input costs more than it saves. */
#define MIN_OUTPUTS 12

/* Up to 256 channels a work-item's V and the weights stay in the second and third cache; PoCL 3.1
 * on two Zen 5 cores: 64 channels 1266 GFLOP/s fused, 574 in three launches; 512 channels 680 and
 * 1258. */
gboolean nn_conv_winograd_fused_pays(gconstpointer data)
{
    const ConvJob *job = data;
    const gint32 cores = (gint32)nn_recorder_device(job->recorder)->compute_units;
    return job->shape.k >= MIN_OUTPUTS && job->shape.c <= 256 &&
           make_shape(job).tiles >= 2 * cores * fused_tiles(job);
}

gboolean nn_conv_winograd_pays(gconstpointer data)
{
    const ConvJob *job = data;
    return job->shape.k >= MIN_OUTPUTS && job->shape.c >= 32 &&
           make_shape(job).tiles >= TILES_AT_ONCE;
}

/* ---------------------------------------------------------------- weights */

/* G g: three values to six, the polynomial of g at 0, +-3/4, +-3/2 and infinity by the Lagrange
 * denominators (kernels/winograd.cl tells why these points). */
static void transform_three(const double *g, double *o)
{
    const double points[2] = { 0.75, 1.5 };
    const double squares[2] = { points[0] * points[0], points[1] * points[1] };
    o[0] = g[0] / (squares[0] * squares[1]);
    for (int i = 0; i < 2; i++) {
        const double scale = 1 / (2 * squares[i] * (squares[i] - squares[1 - i]));
        const double even = g[0] + squares[i] * g[2], odd = points[i] * g[1];
        o[1 + 2 * i] = scale * (even + odd);
        o[2 + 2 * i] = scale * (even - odd);
    }
    o[5] = g[2];
}

/* G g G^T of the filter from input @c to output @k. */
static void transform_filter(const ConvJob *job, gint64 k, gint64 c, double *u)
{
    const gint64 *stride = job->weights.strides;
    const float *w = job->weight_values + job->weights.offset + k * stride[1] + c * stride[2];
    double rows[3][6];
    for (int r = 0; r < 3; r++) {
        const double g[3] = { w[r * stride[3]], w[r * stride[3] + stride[4]],
                              w[r * stride[3] + 2 * stride[4]] };
        transform_three(g, rows[r]);
    }
    for (int s = 0; s < 6; s++) {
        const double g[3] = { rows[0][s], rows[1][s], rows[2][s] };
        double o[6];
        transform_three(g, o);
        for (int r = 0; r < 6; r++)
            u[r * 6 + s] = o[r];
    }
}

/* [36][blocks of n outputs][c, filled up][n], zero past the last output. The last vector of
 * channels ends with the last channel. */
static NnView pack_weights(const ConvJob *job, gint64 n)
{
    const gint64 vw = nn_vector_width(job->recorder);
    const gint64 whole = job->shape.c / vw * vw, c_count = (job->shape.c + vw - 1) / vw * vw;
    const gint64 blocks = (job->shape.k + n - 1) / n;
    const gsize count = (gsize)(PLACES * blocks * c_count * n);
    g_autofree float *packed = g_new0(float, count);
    /* The outputs of a block come innermost: they lie side by side in each of 36 far places. */
    for (gint64 i = 0; i < blocks * job->shape.c * n; i++) {
        const gint64 c = i / n % job->shape.c, k = i / n / job->shape.c * n + i % n;
        const gint64 at = c < whole ? c : c + c_count - job->shape.c;
        double u[PLACES];
        if (k >= job->shape.k)
            continue;
        transform_filter(job, k, c, u);
        for (gint64 place = 0; place < PLACES; place++)
            packed[((place * blocks + k / n) * c_count + at) * n + k % n] = (float)u[place];
    }
    return nn_recorder_constant(job->recorder, NN_FLOAT32, count, packed);
}

static NnView pack_bias(const ConvJob *job, gint64 n)
{
    const gsize count = (gsize)((job->shape.k + n - 1) / n * n);
    g_autofree float *packed = g_new0(float, count);
    for (gint64 k = 0; job->has_bias && k < job->shape.k; k++)
        packed[k] = job->bias_values[k];
    return nn_recorder_constant(job->recorder, NN_FLOAT32, count, packed);
}

static NnView zeros(const ConvJob *job)
{
    g_autofree float *values = g_new0(float, nn_vector_width(job->recorder));
    return nn_recorder_constant(job->recorder, job->x.type, nn_vector_width(job->recorder), values);
}

/* ---------------------------------------------------------------- launches */

static char *common_options(const ConvJob *job)
{
    return g_strdup_printf("-DVW=%u -DP=%d -DKB=%d -DRESIDUAL=%d%s" CONV_EPILOGUE_OPTION,
                           nn_vector_width(job->recorder), TILES_AT_ONCE, vectors_of(job),
                           job->has_residual, job->y.type == NN_FLOAT16 ? " -DFP16" : "",
                           CONV_EPILOGUE(job));
}

/* Operations of the plain convolution, so that rates compare. */
static double flops(const ConvJob *job)
{
    return 18.0 * (double)nn_view_count(&job->y) * job->shape.c;
}

gboolean nn_conv_winograd_fused_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    const WinogradShape shape = make_shape(job);
    const gint64 n = vectors_of(job) * (gint64)nn_vector_width(job->recorder);
    const gint32 tiles = fused_tiles(job);
    const NnView u = pack_weights(job, n), bias = pack_bias(job, n), zero = zeros(job);
    g_autofree char *options = common_options(job);

    NnLaunch *launch = nn_recorder_launch(job->recorder, job->node, "winograd.cl", "winograd_fused",
                                          "%s -DSPACE=__local -DTN=%d", options, tiles);
    nn_launch_map(launch, &job->x);
    nn_launch_buffer(launch, &u);
    nn_launch_buffer(launch, &bias);
    nn_launch_buffer(launch, &zero);
    nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    nn_launch_local(launch, local_b(job, shape.in_blocks));
    nn_launch_local(launch, local_b(job, vectors_of(job)));
    nn_launch_bytes(launch, &shape, sizeof shape);
    nn_conv_launch_epilogue(launch, job);
    nn_launch_cost(launch, flops(job));
    nn_launch_tiles(job->recorder, launch, &job->y, (shape.tiles + tiles - 1) / tiles, 1);
    return TRUE;
}

gboolean nn_conv_winograd_record(gconstpointer data, GError **error)
{
    const ConvJob *job = data;
    const WinogradShape shape = make_shape(job);
    const gint64 vw = nn_vector_width(job->recorder), n = vectors_of(job) * vw;
    const NnView u = pack_weights(job, n), bias = pack_bias(job, n), zero = zeros(job);
    const gsize plane = (gsize)(PLACES * shape.stride * vw);
    const NnView v = nn_recorder_scratch(job->recorder, NN_FLOAT32, plane * shape.in_blocks);
    const NnView m =
        nn_recorder_scratch(job->recorder, NN_FLOAT32, plane * shape.out_blocks * vectors_of(job));
    /* Between samples, in vectors. */
    const guint64 v_sample = (guint64)(nn_view_sample_stride(&v) / vw);
    const guint64 m_sample = (guint64)(nn_view_sample_stride(&m) / vw);
    const gint64 chunks = (shape.tiles + CHUNK - 1) / CHUNK;
    g_autofree char *options = common_options(job);

    NnLaunch *launch = nn_recorder_launch(job->recorder, job->node, "winograd.cl", "winograd_input",
                                          "%s -DSPACE=__global", options);
    nn_launch_map(launch, &job->x);
    nn_launch_buffer(launch, &zero);
    nn_launch_buffer(launch, &v);
    nn_launch_ulong(launch, v_sample);
    nn_launch_bytes(launch, &shape, sizeof shape);
    nn_launch_tiles(job->recorder, launch, &job->y, chunks, shape.in_blocks);

    launch = nn_recorder_launch(job->recorder, job->node, "winograd.cl", "winograd_product",
                                "%s -DSPACE=__global", options);
    nn_launch_buffer(launch, &v);
    nn_launch_ulong(launch, v_sample);
    nn_launch_buffer(launch, &u);
    nn_launch_buffer(launch, &m);
    nn_launch_ulong(launch, m_sample);
    nn_launch_bytes(launch, &shape, sizeof shape);
    nn_launch_cost(launch, flops(job));
    nn_launch_tiles(job->recorder, launch, &job->y, shape.stride / TILES_AT_ONCE,
                    PLACES * shape.out_blocks);

    launch = nn_recorder_launch(job->recorder, job->node, "winograd.cl", "winograd_output",
                                "%s -DSPACE=__global", options);
    nn_launch_buffer(launch, &m);
    nn_launch_ulong(launch, m_sample);
    nn_launch_buffer(launch, &bias);
    nn_launch_map(launch, &job->residual);
    nn_launch_map(launch, &job->y);
    nn_launch_bytes(launch, &shape, sizeof shape);
    nn_conv_launch_epilogue(launch, job);
    nn_launch_tiles(job->recorder, launch, &job->y, chunks, (job->shape.k + vw - 1) / vw);
    return TRUE;
}
