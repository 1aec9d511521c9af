/* fuse_matmul.c - passes that make fewer products of vectors and matrices, and norms, of many.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuse.h"

#include <math.h>
#include <string.h>

#include "defs-params.h"

/* ---------------------------------------------------------------- one layer */

/* A product x W + b, with x [1][k] computed and W and b known: MatMul or Gemm. */
typedef struct {
    NnNode *node;
    const NnArray *weights, *bias; /* [k][n], or [n][k] if transposed; (nullable) [n] or 1 */
    gboolean transposed;
    gint64 k, n;
} Layer;

/* Whether @node is one and nothing but the product and bias is done yet. */
static gboolean is_layer(NnNode *node, Layer *layer)
{
    const gboolean gemm = node && nn_is_type(node, "Gemm");
    NnGemmParams params;

    if (!node || !(gemm || nn_is_type(node, "MatMul")))
        return FALSE;
    const NnValue *x = nn_node_input(node, 0), *w = nn_node_input(node, 1);
    const NnValue *b = gemm ? nn_node_input(node, 2) : NULL;
    if (!x || x->constant || x->rank != 2 || x->dims[0] != 1 || !w || !w->constant ||
        w->rank != 2 || w->type != NN_FLOAT32 || node->residual >= 0 || (b && !b->constant))
        return FALSE;
    *layer = (Layer){ .node = node,
                      .weights = w->constant,
                      .bias = b ? b->constant : NULL,
                      .k = x->dims[1],
                      .n = nn_node_output(node, 0)->dims[1] };
    if (!gemm)
        return TRUE;
    layer->transposed = nn_node_int(node, "transB", 0) != 0;
    return nn_gemm_params(node, &params, NULL) && params.alpha == 1 && params.beta == 1 &&
           !params.trans_a && (!b || b->constant->n == 1 || b->constant->n == (gsize)layer->n);
}

/* The same with @layer's result for one consumer alone. */
static gboolean is_private_layer(const NnValue *value, Layer *layer)
{
    return value && nn_has_single_use(value) && is_layer(value->producer, layer);
}

static double bias_at(const Layer *layer, gint64 i)
{
    if (!layer->bias)
        return 0;
    return nn_array_get(layer->bias, layer->bias->n == 1 ? 0 : (gsize)i);
}

/* Makes the layer's node a Gemm with that bias [n]; @bias: (transfer full). */
static void set_bias(NnGraph *graph, const Layer *layer, NnArray *bias)
{
    NnNode *node = layer->node;
    NnValue *weights = nn_node_input(node, 1);

    if (nn_is_type(node, "MatMul")) {
        nn_retype(node, "Gemm", MAX(node->opset, 11), nn_node_input(node, 0));
        nn_node_add_input(node, weights);
    }
    while (node->inputs->len < 3)
        nn_node_add_input(node, NULL);
    nn_node_set_input(node, 2, nn_graph_constant(graph, NULL, bias));
}

/* A known vector added to a product is its bias. */
static gboolean take_bias(NnGraph *graph, NnNode *node, guint i)
{
    const NnValue *numbers = nn_node_input(node, 1 - i);
    Layer layer;

    if (!numbers || !numbers->constant || !is_private_layer(nn_node_input(node, i), &layer) ||
        layer.node->activation.type != NN_ACT_NONE ||
        (numbers->constant->n != 1 && numbers->constant->n != (gsize)layer.n))
        return FALSE;
    NnArray *bias = nn_array_new(NN_FLOAT32, 1, &layer.n);
    for (gint64 c = 0; c < layer.n; c++)
        nn_array_set(bias, (gsize)c,
                     bias_at(&layer, c) +
                         nn_array_get(numbers->constant, numbers->constant->n == 1 ? 0 : (gsize)c));
    layer.node->activation = node->activation;
    if (!nn_bypass(graph, node, nn_node_output(node, 0), nn_node_input(node, i)))
        return FALSE;
    set_bias(graph, &layer, bias);
    return TRUE;
}

/* A positive number goes through ReLU and its leaky kin, into weights and bias. */
static gboolean take_factor(NnGraph *graph, NnNode *node, guint i)
{
    double factor;
    Layer layer;

    if (!nn_known_number(nn_node_input(node, 1 - i), &factor) || !(factor > 0) ||
        node->activation.type != NN_ACT_NONE || !is_private_layer(nn_node_input(node, i), &layer))
        return FALSE;
    const NnActivationType activation = layer.node->activation.type;
    if (activation != NN_ACT_NONE && activation != NN_ACT_RELU && activation != NN_ACT_LEAKY_RELU)
        return FALSE;
    g_autoptr(NnArray) weights = nn_array_new(NN_FLOAT32, 2, layer.weights->dims);
    for (gsize k = 0; k < weights->n; k++) {
        nn_array_set(weights, k, nn_array_get(layer.weights, k) * factor);
        if (!isfinite(nn_array_get(weights, k)))
            return FALSE;
    }
    NnArray *bias = nn_array_new(NN_FLOAT32, 1, &layer.n);
    for (gint64 c = 0; c < layer.n; c++)
        nn_array_set(bias, (gsize)c, bias_at(&layer, c) * factor);
    if (!nn_bypass(graph, node, nn_node_output(node, 0), nn_node_input(node, i))) {
        nn_array_unref(bias);
        return FALSE;
    }
    nn_node_set_input(layer.node, 1, nn_graph_constant(graph, NULL, g_steal_pointer(&weights)));
    set_bias(graph, &layer, bias);
    return TRUE;
}

/* What is added to a product of a vector and known weights, or multiplied by. */
gboolean nn_pass_arithmetic_into_matmul(NnGraph *graph, NnNode *node)
{
    if (node->inputs->len != 2 || node->residual >= 0)
        return FALSE;
    for (guint i = 0; i < 2; i++) {
        const NnValue *x = nn_node_input(node, i);
        if (!x || !nn_same_shape(x, nn_node_output(node, 0)))
            continue;
        if (nn_is_type(node, "Add") && take_bias(graph, node, i))
            return TRUE;
        if (nn_is_type(node, "Mul") && take_factor(graph, node, i))
            return TRUE;
    }
    return FALSE;
}

/* ---------------------------------------------------------------- several layers of one vector */

/* Layers of @x that nothing but weights and bias tells apart. */
static void collect_layers(const NnValue *x, GArray *layers)
{
    for (guint i = 0; i < x->consumers->len; i++) {
        Layer layer;
        if (is_layer(x->consumers->pdata[i], &layer) && nn_node_input(layer.node, 0) == x &&
            layer.node->activation.type == NN_ACT_NONE && !nn_node_output(layer.node, 0)->is_output)
            g_array_append_val(layers, layer);
    }
}

static void copy_layer(const Layer *layer, NnArray *weights, NnArray *bias, gint64 first)
{
    const gint64 all = bias->dims[0];
    const float *from = layer->weights->data;
    float *to = weights->data;

    for (gint64 k = 0; k < layer->k; k++)
        for (gint64 c = 0; c < layer->n; c++)
            to[k * all + first + c] = from[layer->transposed ? c * layer->k + k : k * layer->n + c];
    for (gint64 c = 0; c < layer->n; c++)
        nn_array_set(bias, (gsize)(first + c), bias_at(layer, c));
}

/* Products of one vector with several matrices are one product with all of them side by side. */
gboolean nn_pass_join_matmuls(NnGraph *graph, NnNode *node)
{
    g_autoptr(GArray) layers = g_array_new(FALSE, FALSE, sizeof(Layer));
    NnValue *x = nn_node_input(node, 0);
    gint64 all = 0;
    Layer first;

    if (!is_layer(node, &first))
        return FALSE;
    collect_layers(x, layers);
    for (guint i = 0; i < layers->len; i++)
        all += g_array_index(layers, Layer, i).n;
    if (layers->len < 2 || all > G_MAXINT32 / first.k)
        return FALSE;

    const gint64 dims[2] = { first.k, all }, out_dims[2] = { 1, all };
    NnArray *weights = nn_array_new(NN_FLOAT32, 2, dims), *bias = nn_array_new(NN_FLOAT32, 1, &all);
    NnNode *joined = nn_graph_add_node(graph, "Gemm", node->name, 13);
    NnValue *out = nn_graph_value(graph, NULL);
    nn_value_set(out, x->type, 2, out_dims, NULL);
    gint64 at = 0;
    for (guint i = 0; i < layers->len; i++) {
        const Layer *layer = &g_array_index(layers, Layer, i);
        copy_layer(layer, weights, bias, at);
        nn_replace_by_slice(graph, nn_node_output(layer->node, 0), out, at);
        nn_node_set_input(layer->node, 0, NULL);
        at += layer->n;
    }
    nn_node_add_input(joined, x);
    nn_node_add_input(joined, nn_graph_constant(graph, NULL, weights));
    nn_node_add_input(joined, nn_graph_constant(graph, NULL, bias));
    nn_node_add_output(joined, out);
    joined->op = nn_operator_find(joined, NULL);
    return TRUE;
}

/* ---------------------------------------------------------------- norms */

NnValue *nn_add_inverse_norms(NnGraph *graph, const char *name, NnValue *x, NnArray *weights,
                              NnArray *rows, double epsilon)
{
    NnNode *node = nn_graph_add_node(graph, nn_inverse_norms.type, name, 1);
    NnValue *y = nn_graph_value(graph, NULL);

    g_free(node->domain);
    node->domain = g_strdup("clmatte");
    node->op = &nn_inverse_norms;
    nn_node_add_input(node, x);
    nn_node_add_input(node, nn_graph_constant(graph, NULL, weights));
    nn_node_add_input(node, nn_graph_constant(graph, NULL, rows));
    nn_node_add_output(node, y);
    nn_set_float(node, "epsilon", (float)epsilon);
    node->op->infer(node, NULL);
    return y;
}

NnArray *nn_inverse_norm_rows(gint64 n_rows, gint64 n)
{
    const gint64 dims[2] = { n_rows, 3 };
    NnArray *rows = nn_array_new(NN_INT64, 2, dims);

    for (gint64 r = 0; r < n_rows; r++) {
        nn_array_set_int(rows, (gsize)r * 3 + 1, n);
        nn_array_set_int(rows, (gsize)r * 3 + 2, r * n);
    }
    return rows;
}

/* x that @value is the square of. */
static NnValue *square_of(const NnValue *value)
{
    const NnNode *pow = nn_producer_of_type(value, "Pow"), *mul = nn_producer_of_type(value, "Mul");
    double exponent;

    if (pow && nn_known_number(nn_node_input(pow, 1), &exponent) && exponent == 2)
        return nn_node_input(pow, 0);
    return mul && nn_node_input(mul, 0) == nn_node_input(mul, 1) ? nn_node_input(mul, 0) : NULL;
}

/* The sum of @node, an Add, with a known number. */
static NnValue *plus_number(const NnNode *add, double *number)
{
    for (guint i = 0; add && i < 2; i++)
        if (nn_known_number(nn_node_input(add, i), number))
            return nn_node_input(add, 1 - i);
    return NULL;
}

/* 1 / sqrt(mean of x^2 + epsilon) of a vector, as StyleGAN2 normalises its latent one. */
gboolean nn_pass_vector_norm(NnGraph *graph, NnNode *node)
{
    double one, epsilon;
    NnReduceParams params;

    if (!nn_is_type(node, "Div") || node->activation.type != NN_ACT_NONE ||
        !nn_known_number(nn_node_input(node, 0), &one) || one != 1)
        return FALSE;
    const NnNode *root = nn_producer_of_type(nn_node_input(node, 1), "Sqrt");
    const NnNode *add = root ? nn_producer_of_type(nn_node_input(root, 0), "Add") : NULL;
    const NnNode *mean = nn_producer_of_type(plus_number(add, &epsilon), "ReduceMean");
    NnValue *x = mean ? square_of(nn_node_input(mean, 0)) : NULL;
    NnValue *y = nn_node_output(node, 0);
    if (!x || x->constant || x->type != NN_FLOAT32 || x->rank != 2 || x->dims[0] != 1 ||
        y->rank != 2 || y->dims[1] != 1 || y->is_output || !nn_reduce_params(mean, &params, NULL) ||
        params.axes != 1 << 1)
        return FALSE;
    NnArray *weights = nn_array_new(NN_FLOAT32, 1, &x->dims[1]);
    for (gsize k = 0; k < weights->n; k++)
        nn_array_set(weights, k, 1.0 / (double)x->dims[1]);
    nn_value_replace(graph, y,
                     nn_add_inverse_norms(graph, node->name, x, weights,
                                          nn_inverse_norm_rows(1, x->dims[1]), epsilon));
    return TRUE;
}

static gboolean is_norms(const NnNode *node)
{
    return node->op == &nn_inverse_norms;
}

/* Norms of a slice of a vector are norms of parts of the vector. */
static gboolean look_through_slice(NnGraph *graph, NnNode *node)
{
    const NnNode *slice = nn_producer_of_type(nn_node_input(node, 0), "Slice");
    const NnArray *rows = nn_node_input(node, 2)->constant;
    NnSliceParams params;

    if (!slice || !nn_slice_params(slice, 0, &params, NULL) || params.rank != 2 ||
        params.step[1] != 1)
        return FALSE;
    NnArray *moved = nn_array_new(NN_INT64, 2, rows->dims);
    memcpy(moved->data, rows->data, rows->n * sizeof(gint64));
    for (gsize r = 0; r < rows->n; r += 3)
        nn_array_set_int(moved, r, ((const gint64 *)rows->data)[r] + params.start[1]);
    nn_node_set_input(node, 0, nn_node_input(slice, 0));
    nn_node_set_input(node, 2, nn_graph_constant(graph, NULL, moved));
    return TRUE;
}

static gboolean same_norms(const NnNode *a, const NnNode *b)
{
    return is_norms(b) && nn_node_input(a, 0) == nn_node_input(b, 0) &&
           nn_node_float(a, "epsilon", 0) == nn_node_float(b, "epsilon", 0) &&
           !nn_node_output(b, 0)->is_output;
}

/* Norms of parts of the same vector are computed together. */
gboolean nn_pass_join_norms(NnGraph *graph, NnNode *node)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    gint64 n_weights = 0, dims[2] = { 0, 3 };

    if (!is_norms(node) || !nn_node_input(node, 0))
        return FALSE;
    if (look_through_slice(graph, node))
        return TRUE;
    const GPtrArray *users = nn_node_input(node, 0)->consumers;
    for (guint i = 0; i < users->len; i++) {
        NnNode *user = users->pdata[i];
        if (!same_norms(node, user))
            continue;
        g_ptr_array_add(all, user);
        n_weights += (gint64)nn_node_input(user, 1)->constant->n;
        dims[0] += nn_node_output(user, 0)->dims[1];
    }
    if (all->len < 2)
        return FALSE;

    NnArray *weights = nn_array_new(NN_FLOAT32, 1, &n_weights);
    NnArray *rows = nn_array_new(NN_INT64, 2, dims);
    gint64 *row = rows->data, at = 0, first = 0;
    for (guint i = 0; i < all->len; i++) {
        const NnArray *part = nn_node_input(all->pdata[i], 1)->constant;
        const NnArray *from = nn_node_input(all->pdata[i], 2)->constant;
        memcpy((float *)weights->data + at, part->data, part->n * sizeof(float));
        for (gsize r = 0; r < from->n; r++)
            *row++ = ((const gint64 *)from->data)[r] + (r % 3 == 2 ? at : 0);
        at += (gint64)part->n;
    }
    NnValue *y = nn_add_inverse_norms(graph, node->name, nn_node_input(node, 0), weights, rows,
                                      nn_node_float(node, "epsilon", 0));
    for (guint i = 0; i < all->len; i++) {
        NnValue *part = nn_node_output(all->pdata[i], 0);
        nn_replace_by_slice(graph, part, y, first);
        nn_node_set_input(all->pdata[i], 0, NULL);
        first += part->dims[1];
    }
    return TRUE;
}
