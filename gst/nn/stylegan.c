/* stylegan.c - rewrites what exporters make of StyleGAN2's layers into operators that run fast.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GPEN's generator (Yang et al., CVPR 2021) is a StyleGAN2 (Karras et al., CVPR 2020). Its exports
 * hold three patterns that are costly as they stand:
 *  - every layer takes its own copy of one latent vector (Unsqueeze, Expand, Tile, Gather);
 *  - a modulated convolution multiplies the weights by the style, normalises them and convolves
 *    with the result, so that each picture has weights of its own. Scaling the input channels
 *    before and the output channels after gives the same sums with shared, constant weights;
 *  - the FIR filters around resampling (upfirdn2d) are spelled out as padding and reshaping; they
 *    are depthwise convolutions, plain, strided or transposed.
 */
#include "fuse.h"

#include <string.h>

#include "defs-params.h"

/* The only input of @node that is computed, if the other one is constant. */
static NnValue *computed_operand(const NnNode *node, NnValue **constant)
{
    NnValue *a = nn_node_input(node, 0), *b = nn_node_input(node, 1);
    if (!a || !b || !a->constant == !b->constant)
        return NULL;
    *constant = a->constant ? a : b;
    return a->constant ? b : a;
}

static gboolean is_number(const NnValue *value, double number, double tolerance)
{
    return value && value->constant && value->constant->n == 1 &&
           ABS(nn_array_get(value->constant, 0) - number) <= tolerance;
}

static NnValue *shape_constant(NnGraph *graph, int rank, const gint64 *dims)
{
    const gint64 n[1] = { rank };
    NnArray *array = nn_array_new(NN_INT64, 1, n);
    for (int i = 0; i < rank; i++)
        nn_array_set_int(array, (gsize)i, dims[i]);
    return nn_graph_constant(graph, NULL, array);
}

/* A new node beside @like; its one output is the result. */
static NnValue *add_node(NnGraph *graph, const NnNode *like, const char *type, NnValue *a,
                         NnValue *b)
{
    NnNode *node = nn_graph_add_node(graph, type, like->name, like->opset);
    nn_node_add_input(node, a);
    if (b)
        nn_node_add_input(node, b);
    NnValue *out = nn_graph_value(graph, NULL);
    nn_node_add_output(node, out);
    return out;
}

/* The same with shapes inferred; NULL with an error. */
static NnValue *apply(NnGraph *graph, const NnNode *like, const char *type, NnValue *a, NnValue *b,
                      GError **error)
{
    if (!a)
        return NULL;
    NnValue *out = add_node(graph, like, type, a, b);
    NnNode *node = out->producer;
    node->op = nn_operator_find(node, error);
    return node->op && node->op->infer(node, error) ? out : NULL;
}

static NnValue *reshape(NnGraph *graph, const NnNode *like, NnValue *value, int rank,
                        const gint64 *dims, GError **error)
{
    if (!value)
        return NULL;
    return apply(graph, like, "Reshape", value, shape_constant(graph, rank, dims), error);
}

/* ---------------------------------------------------------------- copies of the latent vector */

/* Gather(Tile(Expand(Unsqueeze(v)))) is v again if only copies were made along the new axis. */
static NnValue *copied_latent(const NnNode *gather)
{
    const NnNode *tile = nn_producer_of_type(nn_node_input(gather, 0), "Tile");
    const NnValue *below = tile ? nn_node_input(tile, 0) : NULL;
    const NnNode *expand = nn_producer_of_type(below, "Expand");
    const NnNode *unsqueeze =
        nn_producer_of_type(expand ? nn_node_input(expand, 0) : below, "Unsqueeze");
    if (!tile || !unsqueeze || nn_node_int(gather, "axis", 0) != 1)
        return NULL;
    NnValue *latent = nn_node_input(unsqueeze, 0);
    const NnValue *one = nn_node_output(unsqueeze, 0), *copies = nn_node_output(tile, 0);
    const NnValue *out = nn_node_output(gather, 0);
    const gboolean same = latent->rank == 2 && one->rank == 3 && one->dims[1] == 1 &&
                          copies->dims[0] == one->dims[0] && copies->dims[2] == one->dims[2] &&
                          out->rank == 2 && out->dims[0] == latent->dims[0] &&
                          out->dims[1] == latent->dims[1];
    return same ? latent : NULL;
}

/* ---------------------------------------------------------------- modulated convolution */

typedef struct {
    NnValue *weights; /* constant [1][O][I][k][k] */
    NnValue *style;   /* [1][I] */
    gboolean demodulate;
    double epsilon;
    gboolean swapped; /* the convolution takes [I][O][k][k] */
} Modulation;

/* The computed vector behind Reshape(v) to [1][1][I][1][1] or [1][O][1][1][1]. */
static NnValue *reshaped_vector(const NnValue *value, int axis)
{
    const NnNode *node = nn_producer_of_type(value, "Reshape");
    NnValue *vector = node ? nn_node_input(node, 0) : NULL;
    if (!vector || value->rank != 5 || vector->rank != 2 || vector->dims[0] != 1 ||
        value->dims[axis] != vector->dims[1])
        return NULL;
    return vector;
}

/* weights * style, with constant weights of rank 5. */
static gboolean match_scaled(const NnValue *value, Modulation *m)
{
    const NnNode *mul = nn_producer_of_type(value, "Mul");
    const NnValue *style = mul ? computed_operand(mul, &m->weights) : NULL;
    if (!style || m->weights->rank != 5 || m->weights->dims[0] != 1)
        return FALSE;
    m->style = reshaped_vector(style, 2);
    return m->style != NULL && m->weights->dims[2] == m->style->dims[1];
}

/* 1 / sqrt(sum over input channels and taps of (weights * style)^2 + epsilon). */
static gboolean match_demodulation(const NnValue *value, const NnValue *scaled, Modulation *m)
{
    const NnValue *vector = reshaped_vector(value, 1);
    const NnNode *div = nn_producer_of_type(vector, "Div");
    const NnNode *root = div ? nn_producer_of_type(nn_node_input(div, 1), "Sqrt") : NULL;
    const NnNode *add = root ? nn_producer_of_type(nn_node_input(root, 0), "Add") : NULL;
    NnValue *epsilon = NULL;
    const NnValue *sum = add ? computed_operand(add, &epsilon) : NULL;
    const NnNode *reduce = nn_producer_of_type(sum, "ReduceSum");
    const NnNode *square = reduce ? nn_producer_of_type(nn_node_input(reduce, 0), "Pow") : NULL;
    NnReduceParams axes;
    if (!square || !is_number(nn_node_input(div, 0), 1.0, 0.0) || epsilon->constant->n != 1 ||
        nn_node_input(square, 0) != scaled || !is_number(nn_node_input(square, 1), 2.0, 0.0) ||
        !nn_reduce_params(reduce, &axes, NULL) || axes.axes != (1 << 2 | 1 << 3 | 1 << 4))
        return FALSE;
    m->demodulate = TRUE;
    m->epsilon = nn_array_get(epsilon->constant, 0);
    return TRUE;
}

/* Follows the weights of @conv back through reshapes and the swap of a transposed convolution. */
static const NnValue *unreshaped_weights(const NnNode *conv, gboolean *swapped)
{
    const NnValue *value = nn_node_input(conv, 1);
    for (;;) {
        const NnNode *transpose = nn_producer_of_type(value, "Transpose");
        int perm[NN_MAX_RANK];
        if (nn_producer_of_type(value, "Reshape")) {
            value = nn_node_input(value->producer, 0);
        } else if (transpose && value->rank == 5 && nn_transpose_perm(transpose, perm, NULL) &&
                   perm[1] == 2 && perm[2] == 1 && !*swapped) {
            *swapped = TRUE;
            value = nn_node_input(transpose, 0);
        } else {
            return value;
        }
    }
}

static gboolean match_modulation(const NnNode *conv, Modulation *m)
{
    *m = (Modulation){ 0 };
    const NnValue *value = unreshaped_weights(conv, &m->swapped);
    if (nn_node_int(conv, "group", 1) != 1 || nn_node_input(conv, 2) ||
        m->swapped != (strcmp(conv->type, "ConvTranspose") == 0))
        return FALSE;
    if (match_scaled(value, m))
        return TRUE;
    const NnNode *mul = nn_producer_of_type(value, "Mul");
    for (guint i = 0; mul && i < 2; i++) {
        const NnValue *scaled = nn_node_input(mul, i);
        if (match_scaled(scaled, m) && match_demodulation(nn_node_input(mul, 1 - i), scaled, m))
            return TRUE;
    }
    return FALSE;
}

/* The shared weights, [O][I][k][k] or swapped. */
static NnValue *shared_weights(NnGraph *graph, const Modulation *m)
{
    const NnArray *from = m->weights->constant;
    const gint64 outs = from->dims[1], ins = from->dims[2], taps = from->dims[3] * from->dims[4];
    const gint64 dims[4] = { m->swapped ? ins : outs, m->swapped ? outs : ins, from->dims[3],
                             from->dims[4] };
    NnArray *to = nn_array_new(NN_FLOAT32, 4, dims);
    for (gint64 o = 0; o < outs; o++)
        for (gint64 i = 0; i < ins; i++)
            for (gint64 t = 0; t < taps; t++)
                nn_array_set(to, (gsize)((m->swapped ? i * outs + o : o * ins + i) * taps + t),
                             nn_array_get(from, (gsize)((o * ins + i) * taps + t)));
    return nn_graph_constant(graph, NULL, to);
}

/* The squares of the weights summed over taps, [O][I]. */
static NnArray *squared_weights(const NnArray *from)
{
    const gint64 n = from->dims[1] * from->dims[2], taps = from->dims[3] * from->dims[4];
    NnArray *to = nn_array_new(NN_FLOAT32, 1, &n);
    for (gint64 i = 0; i < n; i++) {
        double sum = 0.0;
        for (gint64 t = 0; t < taps; t++) {
            const double w = nn_array_get(from, (gsize)(i * taps + t));
            sum += w * w;
        }
        nn_array_set(to, (gsize)i, sum);
    }
    return to;
}

/* 1 / sqrt(style^2 * squared weights + epsilon) as [1][O][1][1]. */
static NnValue *demodulation(NnGraph *graph, const NnNode *conv, const Modulation *m,
                             GError **error)
{
    const gint64 dims[4] = { 1, m->weights->dims[1], 1, 1 };
    NnValue *v =
        nn_add_inverse_norms(graph, conv->name, m->style, squared_weights(m->weights->constant),
                             nn_inverse_norm_rows(dims[1], m->style->dims[1]), m->epsilon);
    return reshape(graph, conv, v, 4, dims, error);
}

static gboolean rewrite_modulation(NnGraph *graph, NnNode *conv, const Modulation *m,
                                   GError **error)
{
    const gint64 dims[4] = { 1, m->style->dims[1], 1, 1 };
    NnValue *style = reshape(graph, conv, m->style, 4, dims, error);
    NnValue *x = apply(graph, conv, "Mul", nn_node_input(conv, 0), style, error);
    if (!x)
        return FALSE;
    nn_node_set_input(conv, 0, x);
    nn_node_set_input(conv, 1, shared_weights(graph, m));
    if (!m->demodulate)
        return TRUE;
    NnValue *scale = demodulation(graph, conv, m, error);
    NnValue *y = nn_node_output(conv, 0);
    NnValue *out = scale ? add_node(graph, conv, "Mul", y, scale) : NULL;
    if (!out)
        return FALSE;
    /* All consumers of y move to the scaled result, but for the scaling itself. */
    NnNode *mul = out->producer;
    mul->op = nn_operator_find(mul, error);
    if (!mul->op || !mul->op->infer(mul, error))
        return FALSE;
    nn_value_replace(graph, y, out);
    nn_node_set_input(mul, 0, y);
    return TRUE;
}

/* ---------------------------------------------------------------- FIR resampling */

typedef struct {
    NnValue *x;   /* [1][C][H][W] */
    NnNode *last; /* its output is what is replaced: [1][C][OH][OW] */
    gint64 up, down;
    gint64 before[2], after[2]; /* padding of the (zero-filled) rows and columns */
} Fir;

/* A Pad with zeros whose amounts are zero but for axes @a and @b. */
static gboolean match_zero_pad(const NnNode *node, int a, int b, NnPadParams *pad)
{
    if (!node || !nn_pad_params(node, pad, NULL) || pad->mode != NN_PAD_CONSTANT ||
        pad->value != 0.0)
        return FALSE;
    for (int i = 0; i < pad->rank; i++)
        if (i != a && i != b && (pad->before[i] != 0 || pad->after[i] != 0))
            return FALSE;
    return TRUE;
}

/* Skips Slices that keep everything. */
static const NnValue *skip_whole_slices(const NnValue *value)
{
    const NnNode *slice;
    while ((slice = nn_producer_of_type(value, "Slice")) &&
           nn_same_shape(value, nn_node_input(slice, 0)))
        value = nn_node_input(slice, 0);
    return value;
}

static gboolean is_transpose(const NnNode *node, int a, int b, int c, int d)
{
    int perm[NN_MAX_RANK];
    return node && nn_node_input(node, 0)->rank == 4 && nn_transpose_perm(node, perm, NULL) &&
           perm[0] == a && perm[1] == b && perm[2] == c && perm[3] == d;
}

/* From the convolution back to the picture: [C][1][H][W] <- NCHW <- NHWC, padded <- [H][up][W][up],
 * padded at the end <- NHWC <- NCHW. */
static gboolean match_fir_input(const NnNode *conv, Fir *fir)
{
    const NnNode *node = nn_producer_of_type(nn_node_input(conv, 0), "Reshape");
    const NnNode *to_nchw = node ? nn_producer_of_type(nn_node_input(node, 0), "Transpose") : NULL;
    if (!is_transpose(to_nchw, 0, 3, 1, 2))
        return FALSE;
    NnPadParams pad, fill;
    const NnNode *outer = nn_producer_of_type(skip_whole_slices(nn_node_input(to_nchw, 0)), "Pad");
    if (!match_zero_pad(outer, 1, 2, &pad) || pad.rank != 4)
        return FALSE;
    const NnNode *merge = nn_producer_of_type(nn_node_input(outer, 0), "Reshape");
    const NnNode *inner = merge ? nn_producer_of_type(nn_node_input(merge, 0), "Pad") : NULL;
    if (!match_zero_pad(inner, 2, 4, &fill) || fill.rank != 6 || fill.before[2] != 0 ||
        fill.before[4] != 0 || fill.after[2] != fill.after[4])
        return FALSE;
    const NnNode *split = nn_producer_of_type(nn_node_input(inner, 0), "Reshape");
    const NnNode *to_nhwc =
        split ? nn_producer_of_type(nn_node_input(split, 0), "Transpose") : NULL;
    if (!is_transpose(to_nhwc, 0, 2, 3, 1))
        return FALSE;
    fir->x = nn_node_input(to_nhwc, 0);
    fir->up = fill.after[2] + 1;
    for (int i = 0; i < 2; i++) {
        fir->before[i] = pad.before[1 + i];
        fir->after[i] = pad.after[1 + i];
    }
    const NnValue *wide = nn_node_input(conv, 0);
    return fir->x->dims[0] == 1 && wide->dims[0] == fir->x->dims[1] && wide->dims[1] == 1;
}

/* A Slice that takes every second element of @axis, from the first on. */
static NnNode *halving_slice(const NnValue *value, int axis)
{
    NnNode *node = value->consumers->len == 1 ? value->consumers->pdata[0] : NULL;
    NnSliceParams slice;
    if (!node || strcmp(node->type, "Slice") != 0 || !nn_slice_params(node, 0, &slice, NULL))
        return NULL;
    for (int i = 0; i < slice.rank; i++)
        if (slice.start[i] != 0 || slice.step[i] != (i == axis ? 2 : 1))
            return NULL;
    return node;
}

/* From the convolution on to the result: back to [1][C][H][W], perhaps every second pixel. */
static gboolean match_fir_output(const NnNode *conv, Fir *fir)
{
    const NnValue *out = nn_node_output(conv, 0);
    NnNode *node = out->consumers->len == 1 ? out->consumers->pdata[0] : NULL;
    if (!node || strcmp(node->type, "Reshape") != 0)
        return FALSE;
    out = nn_node_output(node, 0);
    if (out->rank != 4 || out->dims[0] != 1 || out->dims[1] != fir->x->dims[1])
        return FALSE;
    fir->last = node;
    fir->down = 1;
    NnNode *rows = halving_slice(out, 2);
    NnNode *columns = rows ? halving_slice(nn_node_output(rows, 0), 3) : NULL;
    if (columns) {
        fir->last = columns;
        fir->down = 2;
    }
    return TRUE;
}

static gboolean match_fir(const NnNode *conv, Fir *fir)
{
    const NnValue *kernel = nn_node_input(conv, 1);
    NnConvParams params;
    return kernel && kernel->constant && kernel->rank == 4 && kernel->dims[0] == 1 &&
           kernel->dims[1] == 1 && !nn_node_input(conv, 2) && nn_conv_params(conv, &params, NULL) &&
           params.stride[0] == 1 && params.stride[1] == 1 && params.pad_begin[0] == 0 &&
           params.pad_end[1] == 0 && match_fir_input(conv, fir) && match_fir_output(conv, fir) &&
           (fir->up == 1 || fir->down == 1);
}

/* One copy of the kernel per channel; a transposed convolution takes it turned around. */
static NnValue *fir_weights(NnGraph *graph, const NnArray *kernel, gint64 channels, gboolean turn)
{
    const gint64 dims[4] = { channels, 1, kernel->dims[2], kernel->dims[3] };
    NnArray *weights = nn_array_new(NN_FLOAT32, 4, dims);
    for (gsize c = 0; c < (gsize)channels; c++)
        for (gsize t = 0; t < kernel->n; t++)
            nn_array_set(weights, c * kernel->n + t,
                         nn_array_get(kernel, turn ? kernel->n - 1 - t : t));
    return nn_graph_constant(graph, NULL, weights);
}

/* Correlation of the zero-filled picture with k: out[o] = sum over i of x[i] k[up i - o + before].
 * As a transposed convolution with w[m] = k[K - 1 - m] that is padding K - 1 - before in front and
 * K - up - after behind. */
static gboolean rewrite_fir(NnGraph *graph, NnNode *conv, const Fir *fir, GError **error)
{
    const NnArray *kernel = nn_node_input(conv, 1)->constant;
    const gint64 channels = fir->x->dims[1];
    const gboolean transposed = fir->up > 1;
    gint64 pads[4], strides[2];
    for (int i = 0; i < 2; i++) {
        const gint64 k = kernel->dims[2 + i];
        pads[i] = transposed ? k - 1 - fir->before[i] : fir->before[i];
        pads[2 + i] = transposed ? k - fir->up - fir->after[i] : fir->after[i];
        strides[i] = transposed ? fir->up : fir->down;
        if (pads[i] < 0 || pads[2 + i] < 0)
            return TRUE;
    }
    NnValue *out = add_node(graph, conv, transposed ? "ConvTranspose" : "Conv", fir->x,
                            fir_weights(graph, kernel, channels, transposed));
    NnNode *node = out->producer;
    nn_set_int(node, "group", channels);
    nn_set_ints(node, "strides", strides, 2);
    nn_set_ints(node, "pads", pads, 4);
    node->op = nn_operator_find(node, error);
    if (!node->op || !node->op->infer(node, error))
        return FALSE;
    if (nn_same_shape(out, nn_node_output(fir->last, 0)))
        nn_value_replace(graph, nn_node_output(fir->last, 0), out);
    return TRUE;
}

/* ---------------------------------------------------------------- the pass */

static gboolean rewrite_node(NnGraph *graph, NnNode *node, GError **error)
{
    NnValue *latent = strcmp(node->type, "Gather") == 0 ? copied_latent(node) : NULL;
    if (latent)
        nn_value_replace(graph, nn_node_output(node, 0), latent);
    if (!g_str_has_prefix(node->type, "Conv") || !nn_node_input(node, 1))
        return TRUE;
    Modulation modulation;
    if (!nn_node_input(node, 1)->constant && match_modulation(node, &modulation))
        return rewrite_modulation(graph, node, &modulation, error);
    Fir fir;
    if (strcmp(node->type, "Conv") == 0 && match_fir(node, &fir))
        return rewrite_fir(graph, node, &fir, error);
    return TRUE;
}

gboolean nn_pass_stylegan(NnGraph *graph, GError **error)
{
    const guint n = graph->nodes->len; /* what is rewritten is added behind */
    for (guint i = 0; i < n; i++)
        if (!rewrite_node(graph, graph->nodes->pdata[i], error))
            return FALSE;
    nn_graph_prune(graph);
    return nn_graph_sort(graph, error);
}
