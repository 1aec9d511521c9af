/* fuse_norm.c - a pass for maps of which one half is normalised per batch and the other per
 * picture.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * IBN-Net (Pan et al., 2018) splits the channels behind a convolution so, and MODNet (Ke et al.,
 * 2022) does it seventeen times. The first half is known arithmetic, which goes into the weights;
 * only the second has to be computed, where it lies.
 */
#include "fuse.h"

#include <math.h>
#include <string.h>

#include "defs-params.h"

typedef struct {
    NnNode *conv, *batch, *instance;
    gint64 first, channels; /* of the instance half; of both */
} Halves;

/* The convolution behind @part, a Slice or Split of its channels from @start on, n of them. */
static NnNode *sliced_conv(const NnValue *part, gint64 start, gint64 n)
{
    const NnNode *slice = part ? part->producer : NULL;
    NnSliceParams params;
    guint index = 0;

    if (!slice || !nn_has_single_use(part) ||
        !(nn_is_type(slice, "Slice") || nn_is_type(slice, "Split")))
        return NULL;
    g_ptr_array_find(slice->outputs, part, &index);
    if (!nn_slice_params(slice, index, &params, NULL) || params.rank != 4)
        return NULL;
    for (int i = 0; i < 4; i++) {
        const gboolean whole =
            params.start[i] == 0 && params.count[i] == nn_node_input(slice, 0)->dims[i];
        if (params.step[i] != 1 ||
            (i == 1 ? params.start[1] != start || params.count[1] != n : !whole))
            return NULL;
    }
    return nn_producer_of_type(nn_node_input(slice, 0), "Conv");
}

/* Every use of @y is by the nodes of which @a and @b are outputs. */
static gboolean used_by_halves_alone(const NnValue *y, const NnValue *a, const NnValue *b)
{
    for (guint i = 0; i < y->consumers->len; i++)
        if (y->consumers->pdata[i] != a->producer && y->consumers->pdata[i] != b->producer)
            return FALSE;
    return !y->is_output;
}

static gboolean all_known(const NnNode *node, guint last)
{
    for (guint i = 1; i <= last; i++)
        if (!nn_node_input(node, i) || !nn_node_input(node, i)->constant)
            return FALSE;
    return TRUE;
}

static gboolean match_halves(const NnNode *concat, Halves *halves)
{
    const NnValue *whole = nn_node_output(concat, 0);
    const NnValue *a = nn_node_input(concat, 0), *b = nn_node_input(concat, 1);

    if (!nn_is_type(concat, "Concat") || concat->inputs->len != 2 || whole->rank != 4 ||
        whole->dims[0] != 1 || whole->is_output || nn_node_int(concat, "axis", 1) != 1)
        return FALSE;
    halves->batch = nn_producer_of_type(a, "BatchNormalization");
    halves->instance = nn_producer_of_type(b, "InstanceNormalization");
    if (!halves->batch || !halves->instance || !nn_has_single_use(a) || !nn_has_single_use(b) ||
        !all_known(halves->batch, 4) || !all_known(halves->instance, 2) ||
        halves->batch->activation.type != halves->instance->activation.type ||
        (halves->batch->activation.type != NN_ACT_NONE &&
         halves->batch->activation.type != NN_ACT_RELU))
        return FALSE;
    halves->first = a->dims[1];
    halves->channels = whole->dims[1];
    const NnValue *x = nn_node_input(halves->batch, 0), *z = nn_node_input(halves->instance, 0);
    halves->conv = sliced_conv(x, 0, halves->first);
    const NnNode *conv = halves->conv;
    return conv && sliced_conv(z, halves->first, halves->channels - halves->first) == conv &&
           used_by_halves_alone(nn_node_output(conv, 0), x, z) && conv->residual < 0 &&
           conv->out_scale < 0 && conv->post_scale < 0 && conv->activation.type == NN_ACT_NONE &&
           nn_node_input(conv, 1)->constant &&
           (!nn_node_input(conv, 2) || nn_node_input(conv, 2)->constant) &&
           nn_node_output(conv, 0)->dims[1] == halves->channels;
}

/* The convolution's weights and bias with BatchNormalization in those of its channels. */
static gboolean fold_batch_half(NnGraph *graph, const Halves *halves)
{
    const NnNode *norm = halves->batch;
    NnNode *conv = halves->conv;
    const NnArray *old = nn_node_input(conv, 1)->constant;
    const NnArray *old_bias = nn_node_input(conv, 2) ? nn_node_input(conv, 2)->constant : NULL;
    const double epsilon = nn_node_float(norm, "epsilon", 1e-5f);
    const gsize per = old->n / (gsize)halves->channels;
    g_autoptr(NnArray) weights = nn_array_new(old->type, old->rank, old->dims);
    g_autoptr(NnArray) bias = nn_array_new(old->type, 1, &halves->channels);

    for (gsize c = 0; c < (gsize)halves->channels; c++) {
        double scale = 1, shift = 0;
        if ((gint64)c < halves->first) {
            scale = nn_array_get(nn_node_input(norm, 1)->constant, c) /
                    sqrt(nn_array_get(nn_node_input(norm, 4)->constant, c) + epsilon);
            shift = nn_array_get(nn_node_input(norm, 2)->constant, c) -
                    nn_array_get(nn_node_input(norm, 3)->constant, c) * scale;
        }
        for (gsize i = c * per; i < (c + 1) * per; i++) {
            nn_array_set(weights, i, nn_array_get(old, i) * scale);
            if (!isfinite(nn_array_get(weights, i)))
                return FALSE;
        }
        nn_array_set(bias, c, (old_bias ? nn_array_get(old_bias, c) : 0) * scale + shift);
        if (!isfinite(nn_array_get(bias, c)))
            return FALSE;
    }
    nn_node_set_input(conv, 1, nn_graph_constant(graph, NULL, g_steal_pointer(&weights)));
    while (conv->inputs->len < 3)
        nn_node_add_input(conv, NULL);
    nn_node_set_input(conv, 2, nn_graph_constant(graph, NULL, g_steal_pointer(&bias)));
    return TRUE;
}

/* ReLU for the batch half alone: slopes of 0 there, of 1 in the other. */
static void relu_batch_half(NnGraph *graph, const Halves *halves)
{
    const gint64 dims[4] = { 1, halves->channels, 1, 1 };
    NnArray *slopes = nn_array_new(nn_node_output(halves->conv, 0)->type, 4, dims);

    for (gint64 c = halves->first; c < halves->channels; c++)
        nn_array_set(slopes, (gsize)c, 1);
    halves->conv->activation.type = NN_ACT_PRELU;
    halves->conv->post_scale = (int)halves->conv->inputs->len;
    nn_node_add_input(halves->conv, nn_graph_constant(graph, NULL, slopes));
}

/* Concat(BatchNormalization(first half), InstanceNormalization(second)) of a convolution, each
 * perhaps with ReLU behind it, becomes PartInstanceNorm of the convolution. */
gboolean nn_pass_norm_halves(NnGraph *graph, NnNode *node)
{
    Halves halves = { 0 };

    if (!match_halves(node, &halves))
        return FALSE;
    NnValue *y = nn_node_output(halves.conv, 0), *whole = nn_node_output(node, 0);
    NnValue *scale = nn_node_input(halves.instance, 1), *bias = nn_node_input(halves.instance, 2);
    if (!fold_batch_half(graph, &halves))
        return FALSE;
    if (halves.batch->activation.type == NN_ACT_RELU)
        relu_batch_half(graph, &halves);

    NnNode *norm = nn_graph_add_node(graph, nn_part_instance_norm.type, halves.instance->name, 1);
    NnValue *out = nn_graph_value(graph, NULL);
    g_free(norm->domain);
    norm->domain = g_strdup("clmatte");
    norm->op = &nn_part_instance_norm;
    norm->activation = halves.instance->activation;
    nn_node_add_input(norm, y);
    nn_node_add_input(norm, scale);
    nn_node_add_input(norm, bias);
    nn_node_add_output(norm, out);
    nn_set_int(norm, "first", halves.first);
    nn_set_float(norm, "epsilon", nn_node_float(halves.instance, "epsilon", 1e-5f));
    nn_value_set(out, whole->type, whole->rank, whole->dims, NULL);
    nn_value_replace(graph, whole, out);
    /* The slices go with their users, so that y has one consumer left. */
    for (guint i = 0; i < 2; i++) {
        NnNode *user = nn_node_input(node, i)->producer;
        NnNode *slice = nn_node_input(user, 0)->producer;
        nn_node_set_input(user, 0, NULL);
        if (nn_node_input(slice, 0))
            nn_node_set_input(slice, 0, NULL);
    }
    for (guint i = 0; i < 2; i++)
        nn_node_set_input(node, i, NULL);
    return TRUE;
}
