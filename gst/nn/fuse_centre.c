/* fuse_centre.c - a pass for networks in halves: channels that are always on keep their constant
 * part apart.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Training may leave a channel that is far above 0 everywhere, 228 +- 1, say, whose readers take
 * the 228 off again with their bias: the channel is a way to tell where the map ends, as zeros are
 * around it. Its halves are 1/8 apart, which is most of what it has to say.
 *
 * Such a channel is stored less its bias: relu(sum + bias) - c = max(sum + (bias - c), -c). Readers
 * add c times their weights to their bias; and as what is around the map is not 0 any more but -c,
 * it is stored there, too. There the weights count 228 times: they become halves here, chosen such
 * that what an edge or a corner leaves out has the right sum.
 */
#include "fuse.h"

#include <math.h>
#include <string.h>

#include "defs-params.h"

/* How far a bias must exceed what a layer's inputs make of it: their number 1 times all weights. */
#define MOST_INPUT 16
/* How much stronger than all of its other inputs together, at 1, the constant part must be for a
 * reader. A half has 2048 steps; what is left of them says nothing of the others. */
#define LEAST_SHARE 256

/* Nodes between a convolution and its readers, and readers, beyond which it is left alone. */
#define MOST_STEPS 8
#define MOST_READERS 64

/* A convolution, and the channel of its input that is channel 0 of what is looked at. */
typedef struct {
    NnNode *conv;
    gint64 first;
} Reader;

static gboolean is_known(const NnValue *value)
{
    return value && value->constant;
}

/* One of known weights and bias; without a bias there is no constant, and nobody to take it off. */
static gboolean is_plain(const NnNode *node, NnConvParams *params)
{
    return nn_is_type(node, "Conv") && node->in_scale < 0 && node->out_scale < 0 &&
           is_known(nn_node_input(node, 1)) && is_known(nn_node_input(node, 2)) &&
           !nn_node_is_fused_input(node, 2) && nn_conv_params(node, params, NULL) &&
           params->n_spatial == 2 && params->batch == 1 && params->groups == 1;
}

/* ---------------------------------------------------------------- who reads a channel */

/* Whether a constant may be taken off what @node gets instead of what it gives. */
static gboolean passes_constants(const NnNode *node)
{
    NnResizeParams resize;
    if (node->activation.type != NN_ACT_NONE || node->residual >= 0)
        return FALSE;
    if (nn_is_type(node, "MaxPool"))
        return !nn_node_output(node, 1);
    return nn_is_type(node, "Resize") && nn_resize_params(node, &resize, NULL) &&
           resize.mode != NN_RESIZE_CUBIC &&
           resize.coordinate != NN_COORDINATE_TF_CROP_AND_RESIZE && resize.scale[1] == 1;
}

/* Where @value begins in the channels of its Concat; -1 if it is not there, or more than once. */
static gint64 first_in_concat(const NnNode *concat, const NnValue *value)
{
    gint64 first = -1, at = 0;
    for (guint i = 0; i < concat->inputs->len; i++) {
        const NnValue *part = nn_node_input(concat, i);
        if (part == value && first >= 0)
            return -1;
        if (part == value)
            first = at;
        at += part->dims[1];
    }
    return first;
}

static gboolean is_channel_concat(const NnNode *node)
{
    const gint64 axis = nn_node_int(node, "axis", 1);
    return nn_is_type(node, "Concat") && node->activation.type == NN_ACT_NONE &&
           (axis == 1 || axis == 1 - nn_node_output(node, 0)->rank);
}

/* Whether @value is what @conv convolves and nothing else of it. */
static gboolean reads_once(const NnNode *conv, const NnValue *value)
{
    guint uses = 0;
    for (guint i = 0; i < conv->inputs->len; i++)
        uses += nn_node_input(conv, i) == value;
    return uses == 1 && nn_node_input(conv, 0) == value;
}

/* All convolutions that read @value, maybe resized and beside others; FALSE if others read it. */
static gboolean find_readers(const NnValue *value, gint64 first, guint steps_left, GArray *readers)
{
    if (value->is_output || value->rank != 4 || steps_left == 0 || readers->len > MOST_READERS)
        return FALSE;
    for (guint i = 0; i < value->consumers->len; i++) {
        NnNode *node = value->consumers->pdata[i];
        NnConvParams params;
        gboolean ok;
        if (nn_is_type(node, "Conv")) {
            const Reader reader = { node, first };
            ok = reads_once(node, value) && is_plain(node, &params);
            g_array_append_val(readers, reader);
        } else if (is_channel_concat(node)) {
            const gint64 at = first_in_concat(node, value);
            ok = at >= 0 &&
                 find_readers(nn_node_output(node, 0), first + at, steps_left - 1, readers);
        } else {
            ok = passes_constants(node) &&
                 find_readers(nn_node_output(node, 0), first, steps_left - 1, readers);
        }
        if (!ok)
            return FALSE;
    }
    return readers->len > 0;
}

/* ---------------------------------------------------------------- what is worth it */

static double bias_of(const NnNode *conv, gint64 k)
{
    return nn_array_get(nn_node_input(conv, 2)->constant, (gsize)k);
}

/* Weights of output @k, all inputs: their number, and where they begin. */
static gsize weights_per_output(const NnArray *weights)
{
    return weights->n / (gsize)MAX(weights->dims[0], 1);
}

static gboolean is_always_on(const NnNode *conv, gint64 k)
{
    const NnArray *weights = nn_node_input(conv, 1)->constant;
    const gsize n = weights_per_output(weights);
    double sum = 0;
    for (gsize i = 0; i < n; i++)
        sum += fabs(nn_array_get(weights, (gsize)k * n + i));
    return bias_of(conv, k) > MOST_INPUT * sum;
}

/* Whether @constant in channel @c drowns the other inputs of an output of @conv. */
static gboolean drowns_others(const NnNode *conv, gint64 c, double constant)
{
    const NnArray *weights = nn_node_input(conv, 1)->constant;
    const gsize n = weights_per_output(weights), taps = n / (gsize)weights->dims[1];
    for (gsize k = 0; k < (gsize)weights->dims[0]; k++) {
        double own = 0, others = 0;
        for (gsize i = 0; i < n; i++) {
            const double w = nn_array_get(weights, k * n + i);
            *(i / taps == (gsize)c ? &own : &others) += w * w;
        }
        if (constant * sqrt(own) > LEAST_SHARE * sqrt(others))
            return TRUE;
    }
    return FALSE;
}

/* What is taken off channel @k of @conv: its bias as a half, or 0. */
static double constant_of(const NnNode *conv, gint64 k, const GArray *readers)
{
    const double bias = bias_of(conv, k);
    if (bias > 65504 || bias <= 0 || !is_always_on(conv, k))
        return 0;
    for (guint i = 0; i < readers->len; i++) {
        const Reader *reader = &g_array_index(readers, Reader, i);
        if (drowns_others(reader->conv, reader->first + k, bias))
            return nn_half_to_float(nn_float_to_half((float)bias));
    }
    return 0;
}

/* ---------------------------------------------------------------- moving constants */

/* @node gets a bias of its own, @added [channels] more than now. */
static void add_to_bias(NnGraph *graph, NnNode *node, const double *added)
{
    const NnArray *weights = nn_node_input(node, 1)->constant;
    const gint64 channels = weights->dims[0];
    NnArray *bias = nn_array_new(NN_FLOAT32, 1, &channels);
    for (gint64 k = 0; k < channels; k++)
        nn_array_set(bias, (gsize)k, bias_of(node, k) + added[k]);
    nn_node_set_input(node, 2, nn_graph_constant(graph, NULL, bias));
}

static void lower(NnGraph *graph, NnNode *conv, const double *constants)
{
    const gint64 dims[4] = { 1, nn_node_output(conv, 0)->dims[1], 1, 1 };
    g_autofree double *negative = g_new(double, dims[1]);
    NnArray *floors = nn_array_new(NN_FLOAT32, 4, dims);
    for (gint64 k = 0; k < dims[1]; k++) {
        negative[k] = -constants[k];
        nn_array_set(floors, (gsize)k, negative[k]);
    }
    add_to_bias(graph, conv, negative);
    conv->activation.type = NN_ACT_FLOOR;
    conv->post_scale = (int)conv->inputs->len;
    nn_node_add_input(conv, nn_graph_constant(graph, NULL, floors));
}

/* ---------------------------------------------------------------- weights as halves */

#define MOST_TAPS 25 /* that are looked at in pairs */

/* The taps of one filter: what they should be, and how far the halves are off. */
typedef struct {
    gint64 h, w;
    const float *exact;
    guint16 halves[MOST_TAPS];
    double off[MOST_TAPS];
} Taps;

static void set_tap(Taps *taps, gint64 i, guint16 half)
{
    taps->halves[i] = half;
    taps->off[i] = (double)nn_half_to_float(half) - taps->exact[i];
}

/* The sum of what is off in the first @rows rows (the last -@rows where it is negative) and the
 * same of columns: what lies beyond an edge or a corner of the map. */
static double off_beyond(const Taps *taps, gint64 rows, gint64 columns)
{
    double sum = 0;
    for (gint64 y = 0; y < taps->h; y++)
        for (gint64 x = 0; x < taps->w; x++)
            if ((rows < 0 ? y >= taps->h + rows : y < rows) ||
                (columns < 0 ? x >= taps->w + columns : x < columns))
                sum += taps->off[y * taps->w + x];
    return sum;
}

static double badness(const Taps *taps)
{
    double sum = 0;
    for (gint64 rows = 1 - taps->h; rows <= taps->h; rows++)
        for (gint64 columns = 1 - taps->w; columns < taps->w; columns++) {
            const double off = off_beyond(taps, rows, columns);
            sum += off * off;
        }
    return sum;
}

/* The next half, away from zero or towards it. */
static guint16 next_half(guint16 half, int step)
{
    const guint16 magnitude = half & 0x7fff;
    return (step < 0 && magnitude == 0) || magnitude >= 0x7bff ? half : (guint16)(half + step);
}

/* Moves tap @i and, unless it is the same, tap @j by one half each if that is better. */
static gboolean try_move(Taps *taps, gint64 i, int step_i, gint64 j, int step_j, double *best)
{
    const guint16 before_i = taps->halves[i], before_j = taps->halves[j];
    set_tap(taps, i, next_half(before_i, step_i));
    if (j != i)
        set_tap(taps, j, next_half(before_j, step_j));
    const double now = badness(taps);
    if (now < 0.999 * *best) {
        *best = now;
        return TRUE;
    }
    set_tap(taps, j, before_j);
    set_tap(taps, i, before_i);
    return FALSE;
}

/* Rounds the @h x @w weights at @weights to halves. */
static void settle(float *weights, gint64 h, gint64 w)
{
    const gint64 n = h * w;
    Taps taps = { .h = h, .w = w, .exact = weights };
    for (gint64 i = 0; i < n; i++)
        set_tap(&taps, i, nn_float_to_half(weights[i]));
    double best = badness(&taps);
    for (gboolean moved = TRUE; moved;) {
        moved = FALSE;
        for (gint64 i = 0; i < n; i++)
            for (gint64 j = i; j < n; j++)
                for (int steps = 0; steps < 4; steps++)
                    moved |= try_move(&taps, i, steps & 1 ? 1 : -1, j, steps & 2 ? 1 : -1, &best);
    }
    for (gint64 i = 0; i < n; i++)
        weights[i] = nn_half_to_float(taps.halves[i]);
}

/* @conv gets weights of its own, those of channel @c as halves. */
static void settle_channel(NnGraph *graph, NnNode *conv, gint64 c)
{
    const NnArray *weights = nn_node_input(conv, 1)->constant;
    const gint64 *dims = weights->dims, n = dims[2] * dims[3];
    if (n > MOST_TAPS)
        return;
    NnArray *settled = nn_array_new(NN_FLOAT32, 4, dims);
    for (gsize i = 0; i < weights->n; i++)
        nn_array_set(settled, i, nn_array_get(weights, i));
    for (gint64 k = 0; k < dims[0]; k++)
        settle((float *)settled->data + (k * dims[1] + c) * n, dims[2], dims[3]);
    nn_node_set_input(conv, 1, nn_graph_constant(graph, NULL, settled));
}

/* ---------------------------------------------------------------- readers */

/* @edge: what lies around the map that @reader reads, [its channels]. */
static void make_up(NnGraph *graph, const Reader *reader, const double *constants, gint64 n,
                    float *edge)
{
    const NnArray *weights = nn_node_input(reader->conv, 1)->constant;
    const gsize taps = weights_per_output(weights) / (gsize)weights->dims[1];
    g_autofree double *added = g_new0(double, weights->dims[0]);
    for (gint64 k = 0; k < weights->dims[0]; k++)
        for (gint64 c = 0; c < n; c++) {
            const gsize at = (gsize)(k * weights->dims[1] + reader->first + c) * taps;
            for (gsize t = 0; t < taps; t++)
                added[k] += constants[c] * nn_array_get(weights, at + t);
        }
    for (gint64 c = 0; c < n; c++)
        edge[reader->first + c] -= (float)constants[c];
    add_to_bias(graph, reader->conv, added);
    for (gint64 c = 0; c < n; c++)
        if (constants[c] != 0)
            settle_channel(graph, reader->conv, reader->first + c);
}

/* Centres what is worth it of the channels of @conv. @edges: NnNode* -> float*, see make_up(). */
static void centre(NnGraph *graph, NnNode *conv, GHashTable *edges)
{
    NnConvParams params;
    if (!is_plain(conv, &params) || conv->activation.type != NN_ACT_RELU || conv->residual >= 0 ||
        conv->post_scale >= 0 || conv->added >= 0)
        return;
    g_autoptr(GArray) readers = g_array_new(FALSE, FALSE, sizeof(Reader));
    if (!find_readers(nn_node_output(conv, 0), 0, MOST_STEPS, readers))
        return;
    const gint64 n = params.out_channels;
    g_autofree double *constants = g_new0(double, n);
    gboolean any = FALSE;
    for (gint64 k = 0; k < n; k++) {
        constants[k] = constant_of(conv, k, readers);
        any |= constants[k] != 0;
    }
    if (!any)
        return;
    lower(graph, conv, constants);
    for (guint i = 0; i < readers->len; i++) {
        const Reader *reader = &g_array_index(readers, Reader, i);
        float *edge = g_hash_table_lookup(edges, reader->conv);
        if (!edge) {
            edge = g_new0(float, nn_node_input(reader->conv, 1)->dims[1]);
            g_hash_table_insert(edges, reader->conv, edge);
        }
        make_up(graph, reader, constants, n, edge);
    }
}

/* ---------------------------------------------------------------- what is around a map */

/* A map of @dims of which every pixel is @edge. */
static NnValue *strip(NnGraph *graph, const gint64 *dims, const float *edge)
{
    NnArray *array = nn_array_new(NN_FLOAT32, 4, dims);
    const gsize pixels = (gsize)(dims[2] * dims[3]);
    for (gsize i = 0; i < array->n; i++)
        ((float *)array->data)[i] = edge[i / pixels];
    return nn_graph_constant(graph, NULL, array);
}

/* @x between strips of @before and @after rows or columns. */
static NnValue *between_strips(NnGraph *graph, const NnNode *conv, NnValue *x, int axis,
                               gint64 before, gint64 after, const float *edge)
{
    if (before == 0 && after == 0)
        return x;
    NnNode *concat = nn_graph_add_node(graph, "Concat", conv->name, conv->opset);
    NnValue *out = nn_graph_value(graph, NULL);
    gint64 dims[4];
    memcpy(dims, x->dims, sizeof dims);
    nn_set_int(concat, "axis", axis);
    dims[axis] = before;
    if (before > 0)
        nn_node_add_input(concat, strip(graph, dims, edge));
    nn_node_add_input(concat, x);
    dims[axis] = after;
    if (after > 0)
        nn_node_add_input(concat, strip(graph, dims, edge));
    dims[axis] = x->dims[axis] + before + after;
    nn_value_set(out, x->type, 4, dims, NULL);
    nn_node_add_output(concat, out);
    concat->op = nn_operator_find(concat, NULL);
    return out;
}

/* @conv pads its input with nothing; its input has @edge around it. */
static void add_edge(NnGraph *graph, NnNode *conv, const float *edge)
{
    static const gint64 none[4] = { 0 };
    NnConvParams params;
    if (!nn_conv_params(conv, &params, NULL))
        return;
    NnValue *x = nn_node_input(conv, 0);
    for (int i = 0; i < 2; i++)
        x = between_strips(graph, conv, x, 2 + i, params.pad_begin[i], params.pad_end[i], edge);
    nn_node_set_input(conv, 0, x);
    nn_set_string(conv, "auto_pad", "NOTSET");
    nn_set_ints(conv, "pads", none, 4);
}

gboolean nn_graph_centre(NnGraph *graph, GError **error)
{
    g_autoptr(GHashTable) edges = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    for (guint i = 0; i < graph->nodes->len; i++)
        centre(graph, graph->nodes->pdata[i], edges);
    const guint n = graph->nodes->len;
    for (guint i = 0; i < n; i++) {
        const float *edge = g_hash_table_lookup(edges, graph->nodes->pdata[i]);
        if (edge)
            add_edge(graph, graph->nodes->pdata[i], edge);
    }
    return graph->nodes->len == n || nn_graph_sort(graph, error);
}
