/* fuse_resize.c - a pass that convolves before maps grow.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuse.h"

#include "defs-params.h"

static gboolean is_plain(const NnNode *node)
{
    return node->in_scale < 0 && node->out_scale < 0 && node->residual < 0 &&
           node->post_scale < 0 && node->added < 0 && node->activation.type == NN_ACT_NONE;
}

/* 1x1, to no more channels than there are. */
static gboolean mixes_channels(const NnNode *conv)
{
    NnConvParams params;
    if (!nn_is_type(conv, "Conv") || !is_plain(conv) || !nn_conv_params(conv, &params, NULL) ||
        params.n_spatial != 2 || params.groups != 1 || params.out_channels > params.in_channels)
        return FALSE;
    for (int i = 0; i < 2; i++)
        if (params.kernel[i] != 1 || params.stride[i] != 1 || params.pad_begin[i] != 0 ||
            params.pad_end[i] != 0)
            return FALSE;
    return TRUE;
}

/* Every output is a mean of inputs of the same channel, and there are more of them. */
static gboolean enlarges_maps(const NnNode *resize)
{
    NnResizeParams params;
    if (!is_plain(resize) || !nn_resize_params(resize, &params, NULL) || params.rank != 4 ||
        params.coordinate == NN_COORDINATE_TF_CROP_AND_RESIZE)
        return FALSE;
    for (int i = 0; i < 2; i++)
        if (params.in[i] != params.out[i] || params.scale[i] != 1)
            return FALSE;
    return (double)params.out[2] * params.out[3] > (double)params.in[2] * params.in[3];
}

/* Resize's fourth input. */
#define SIZES 3

/* Lets @resize, whose sizes are given, have @channels. */
static void resize_channels(NnGraph *graph, NnNode *resize, gint64 channels)
{
    const NnValue *sizes = nn_node_input(resize, SIZES);
    if (!sizes || !sizes->constant || sizes->constant->n != 4)
        return;
    NnArray *changed = nn_array_cast(sizes->constant, NN_INT64);
    nn_array_set_int(changed, 1, channels);
    nn_node_set_input(resize, SIZES, nn_graph_constant(graph, NULL, changed));
}

static void set_output(NnNode *node, NnValue *value)
{
    node->outputs->pdata[0] = value;
    value->producer = node;
}

/* A 1x1 convolution behind a Resize that enlarges goes before it: weights that add up to 1 leave
 * the bias as it is, and there are fewer pixels there. */
gboolean nn_pass_conv_before_resize(NnGraph *graph, NnNode *node)
{
    if (!mixes_channels(node))
        return FALSE;
    NnValue *between = nn_node_input(node, 0), *y = nn_node_output(node, 0);
    NnNode *resize = between->producer;
    if (!resize || !(nn_is_type(resize, "Resize") || nn_is_type(resize, "Upsample")) ||
        !nn_has_single_use(between) || !enlarges_maps(resize))
        return FALSE;
    NnValue *x = nn_node_input(resize, 0), *mixed = nn_graph_value(graph, NULL);
    const gint64 dims[4] = { x->dims[0], y->dims[1], x->dims[2], x->dims[3] };
    if (x->type != y->type || !nn_value_set(mixed, y->type, 4, dims, NULL))
        return FALSE;
    between->producer = NULL;
    nn_node_set_input(node, 0, x);
    nn_node_set_input(resize, 0, mixed);
    set_output(node, mixed);
    set_output(resize, y);
    resize_channels(graph, resize, y->dims[1]);
    return TRUE;
}
