/* infer.c - what is known before running: types, shapes, constants; and the reference evaluation.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "operator.h"

#include <string.h>

#include "control.h"

/* A constant up to this size is worth having instead of the node that computes it. */
#define FOLD_MAX_B ((gsize)16 << 20)
/* A larger one only if it does not grow much over what it is made from: dequantised weights do, an
 * expanded number does not. */
#define FOLD_MAX_GROWTH 8
/* All folded constants together; a small file must not fill the memory by many nodes. */
#define FOLD_MAX_TOTAL_B ((gsize)1 << 30)

/* ---------------------------------------------------------------- inputs */

static gboolean input_error(const NnValue *input, GError **error, NnError code, const char *format,
                            ...) G_GNUC_PRINTF(4, 5);

static gboolean input_error(const NnValue *input, GError **error, NnError code, const char *format,
                            ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, NN_ERROR, code, "input '%s': %s", input->name, message);
    return FALSE;
}

/* Dims of the binding fill those that the file leaves open; they may not contradict it. */
static gboolean bind_dims(NnValue *input, int rank, const gint64 *dims, GError **error)
{
    if (rank > NN_MAX_RANK)
        return input_error(input, error, NN_ERROR_INPUT, "%d axes, more than %d", rank,
                           NN_MAX_RANK);
    if (input->rank < 0) {
        input->rank = rank;
        memcpy(input->dims, dims, rank * sizeof *dims);
        return TRUE;
    }
    if (input->rank != rank)
        return input_error(input, error, NN_ERROR_SHAPE, "has %d axes, not %d", input->rank, rank);
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0)
            continue;
        if (input->dims[i] >= 0 && input->dims[i] != dims[i])
            return input_error(input, error, NN_ERROR_SHAPE,
                               "dimension %d is fixed to %" G_GINT64_FORMAT
                               " by the model, so it cannot be %" G_GINT64_FORMAT,
                               i, input->dims[i], dims[i]);
        input->dims[i] = dims[i];
    }
    return TRUE;
}

static gboolean bind_value(NnValue *input, NnArray *array, GError **error)
{
    if (array->type != input->type)
        return input_error(input, error, NN_ERROR_INPUT, "takes %s, not %s",
                           nn_type_name(input->type), nn_type_name(array->type));
    if (!bind_dims(input, array->rank, array->dims, error))
        return FALSE;
    g_clear_pointer(&input->constant, nn_array_unref);
    input->constant = nn_array_ref(array);
    return TRUE;
}

static gboolean bind_input(NnGraph *graph, const NnBinding *binding, GError **error)
{
    NnValue *input = g_hash_table_lookup(graph->by_name, binding->name);

    if (!input || !g_ptr_array_find(graph->inputs, input, NULL)) {
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "the network has no input '%s'",
                    binding->name);
        return FALSE;
    }
    if (binding->rank >= 0 && !bind_dims(input, binding->rank, binding->dims, error))
        return FALSE;
    return !binding->value || bind_value(input, binding->value, error);
}

/* What is still open: the batch is the engine's own (graph.h), the rest has to be said. */
static gboolean close_dims(NnValue *input, GError **error)
{
    if (input->rank < 0)
        return input_error(input, error, NN_ERROR_SHAPE,
                           "the model does not say how many axes it has: give its whole shape");
    for (int i = 0; i < input->rank; i++) {
        if (input->dims[i] >= 0)
            continue;
        if (i > 0)
            return input_error(input, error, NN_ERROR_SHAPE,
                               "the model leaves dimension %d open: give the size of the input", i);
        input->dims[0] = 1;
    }
    return nn_value_set(input, input->type, input->rank, input->dims, error);
}

static gboolean bind_inputs(NnGraph *graph, const NnBinding *bindings, guint n_bindings,
                            GError **error)
{
    for (guint i = 0; i < n_bindings; i++)
        if (!bind_input(graph, &bindings[i], error))
            return FALSE;
    for (guint i = 0; i < graph->inputs->len; i++)
        if (!close_dims(graph->inputs->pdata[i], error))
            return FALSE;
    return TRUE;
}

/* ---------------------------------------------------------------- folding */

/* Operators whose result depends on the shape of their input, not on its elements. */
static gboolean reads_shape_only(const NnNode *node)
{
    static const char *const types[] = { "Shape", "Size", "EyeLike", NULL };
    return *node->domain == 0 && g_strv_contains(types, node->type);
}

static gboolean is_foldable(const NnNode *node)
{
    if (reads_shape_only(node))
        return TRUE;
    for (guint i = 0; i < node->inputs->len; i++) {
        const NnValue *input = node->inputs->pdata[i];
        if (input && !input->constant)
            return FALSE;
    }
    return node->residual < 0 && node->in_scale < 0 && node->out_scale < 0 &&
           node->post_scale < 0 && node->added < 0 && node->activation.type == NN_ACT_NONE;
}

static gsize values_size_b(const GPtrArray *values)
{
    gsize size_b = 0;

    for (guint i = 0; i < values->len; i++) {
        const NnValue *value = values->pdata[i];
        gsize n, value_b;
        if (!value)
            continue;
        if (!nn_dims_count(value->rank, value->dims, &n) ||
            !g_size_checked_mul(&value_b, n, nn_type_size(value->type)) ||
            !g_size_checked_add(&size_b, size_b, value_b))
            return G_MAXSIZE;
    }
    return size_b;
}

/* What cannot run on the device has to be folded, whatever its size. */
static gboolean is_worth_folding(const NnNode *node, gsize size_b)
{
    if (node->op->flags & NN_OP_HOST_ONLY)
        return TRUE;
    if (size_b <= FOLD_MAX_B)
        return TRUE;
    return !reads_shape_only(node) && size_b / FOLD_MAX_GROWTH <= values_size_b(node->inputs);
}

static void set_constant(NnValue *value, NnArray *array)
{
    g_clear_pointer(&value->constant, nn_array_unref);
    value->constant = array;
}

/* A constant, or where only the shape counts, an array of that shape without elements. */
static const NnArray *folded_input(const NnValue *value, NnArray *shape_only)
{
    if (value->constant)
        return value->constant;
    *shape_only = (NnArray){ .type = value->type, .rank = value->rank };
    memcpy(shape_only->dims, value->dims, sizeof shape_only->dims);
    return nn_dims_count(value->rank, value->dims, &shape_only->n) ? shape_only : NULL;
}

static gboolean fold(const NnNode *node, GError **error)
{
    g_autofree const NnArray **in = g_new0(const NnArray *, node->inputs->len + 1);
    g_autofree NnArray **out = g_new0(NnArray *, node->outputs->len + 1);
    NnArray shape_only;

    for (guint i = 0; i < node->inputs->len; i++) {
        const NnValue *input = node->inputs->pdata[i];
        in[i] = input ? folded_input(input, &shape_only) : NULL;
    }
    if (!nn_node_evaluate(node, in, out, error))
        return FALSE;
    for (guint i = 0; i < node->outputs->len; i++)
        if (out[i])
            set_constant(node->outputs->pdata[i], out[i]);
    return TRUE;
}

static gboolean fold_if_known(const NnNode *node, gsize *total_b, GError **error)
{
    const NnValue *in = nn_node_input(node, 0);
    NnValue *out = nn_node_output(node, 0);

    if (!is_foldable(node))
        return TRUE;
    if (strcmp(node->type, "Identity") == 0 && in) {
        set_constant(out, nn_array_ref(in->constant));
        return TRUE;
    }
    const gsize size_b = values_size_b(node->outputs);
    if (!is_worth_folding(node, size_b))
        return TRUE;
    if (size_b > FOLD_MAX_TOTAL_B - *total_b)
        return nn_node_error(node, error, NN_ERROR_TOO_LARGE,
                             "the constants that the network computes do not fit memory");
    *total_b += size_b;
    return fold(node, error);
}

/* ---------------------------------------------------------------- inputs that steer shapes */

static void add_origin(GHashTable *origins, GPtrArray *todo, NnValue *value)
{
    if (value && g_hash_table_add(origins, value))
        g_ptr_array_add(todo, value);
}

/* Adds to @origins all that the elements of what is in @todo are computed from; empties @todo. */
static void find_origins(GHashTable *origins, GPtrArray *todo)
{
    while (todo->len > 0) {
        const NnValue *value = g_ptr_array_steal_index_fast(todo, todo->len - 1);
        if (!value->producer || reads_shape_only(value->producer))
            continue;
        for (guint i = 0; i < value->producer->inputs->len; i++)
            add_origin(origins, todo, value->producer->inputs->pdata[i]);
    }
}

/* Input @i steers shapes, by the bits of @host_inputs. */
static gboolean is_host_input(guint host_inputs, guint i)
{
    return i < 32 && (host_inputs >> i & 1);
}

static guint host_inputs(const NnNode *node)
{
    if (nn_is_if(node))
        return 1;
    const NnOperator *op = nn_operator_find(node, NULL);
    return op ? op->host_inputs : 0;
}

gboolean nn_graph_input_steers_shapes(const NnGraph *graph, const NnValue *input)
{
    g_autoptr(GHashTable) origins = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) todo = g_ptr_array_new();

    for (guint i = 0; i < graph->nodes->len; i++) {
        const NnNode *node = graph->nodes->pdata[i];
        const guint bits = host_inputs(node);
        for (guint k = 0; k < node->inputs->len; k++)
            if (is_host_input(bits, k))
                add_origin(origins, todo, node->inputs->pdata[k]);
    }
    find_origins(origins, todo);
    return g_hash_table_contains(origins, input);
}

/* The first graph input that @value is computed from; NULL if there is none. */
static const NnValue *find_origin_input(const NnGraph *graph, NnValue *value)
{
    g_autoptr(GHashTable) origins = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) todo = g_ptr_array_new();

    add_origin(origins, todo, value);
    find_origins(origins, todo);
    for (guint i = 0; i < graph->inputs->len; i++) {
        const NnValue *input = graph->inputs->pdata[i];
        if (!input->constant && g_hash_table_contains(origins, input))
            return input;
    }
    return NULL;
}

/* ---------------------------------------------------------------- inference */

static gboolean check_host_inputs(const NnGraph *graph, const NnNode *node, GError **error)
{
    for (guint i = 0; i < node->inputs->len; i++) {
        NnValue *value = node->inputs->pdata[i];
        if (!is_host_input(node->op->host_inputs, i) || !value || value->constant)
            continue;
        const NnValue *input = find_origin_input(graph, value);
        return nn_node_error(node, error, NN_ERROR_SHAPE,
                             "its input %u, '%s', steers shapes, but is not known before the "
                             "network runs: fix the network's input '%s' to a value",
                             i, value->name, input ? input->name : value->name);
    }
    return TRUE;
}

/* An operator must not leave anything open, or those after it would index by it. */
static gboolean check_outputs(const NnNode *node, GError **error)
{
    for (guint i = 0; i < node->outputs->len; i++) {
        const NnValue *output = node->outputs->pdata[i];
        if (output && (output->rank < 0 || nn_type_size(output->type) == 0))
            return nn_node_error(node, error, NN_ERROR_UNSUPPORTED,
                                 "the shape of its output %u cannot be known", i);
    }
    return TRUE;
}

static gboolean infer_node(const NnGraph *graph, NnNode *node, gsize *folded_b, GError **error)
{
    node->op = nn_operator_find(node, error);
    return node->op && check_host_inputs(graph, node, error) && node->op->infer(node, error) &&
           check_outputs(node, error) && fold_if_known(node, folded_b, error);
}

gboolean nn_graph_infer(NnGraph *graph, const NnBinding *bindings, guint n_bindings, GError **error)
{
    gsize folded_b = 0;
    guint i = 0;

    nn_graph_prune(graph);
    if (!bind_inputs(graph, bindings, n_bindings, error))
        return FALSE;
    while (i < graph->nodes->len) {
        NnNode *node = graph->nodes->pdata[i];
        if (nn_is_if(node)) { /* the branch's nodes take its place: look here again */
            if (!nn_inline_if(graph, node, error))
                return FALSE;
            continue;
        }
        if (!infer_node(graph, node, &folded_b, error))
            return FALSE;
        i++;
    }
    nn_graph_prune(graph);
    return TRUE;
}

/* ---------------------------------------------------------------- evaluation */

static void add_residual(NnArray *array, const NnArray *residual)
{
    for (gsize i = 0; i < array->n; i++)
        nn_array_set(array, i, nn_array_get(array, i) + nn_array_get(residual, i));
}

/* Multiplies the channels of @array, [1][C][..], by the elements of @scale, or adds those. */
static void per_channel(NnArray *array, const NnArray *numbers, gboolean adds)
{
    const gsize per = array->n / MAX(numbers->n, 1);
    for (gsize i = 0; i < array->n; i++) {
        const double x = nn_array_get(array, i), number = nn_array_get(numbers, i / per);
        nn_array_set(array, i, adds ? x + number : x * number);
    }
}

/* PReLU, or the sigmoid of some channels: @numbers has one for each channel. */
static void activate_by_channel(NnArray *array, const NnArray *numbers, NnActivationType type)
{
    static const NnActivation sigmoid = { .type = NN_ACT_SIGMOID };
    const gsize per = array->n / MAX(numbers->n, 1);
    for (gsize i = 0; i < array->n; i++) {
        const double x = nn_array_get(array, i), number = nn_array_get(numbers, i / per);
        if (type == NN_ACT_PRELU)
            nn_array_set(array, i, x < 0 ? x * number : x);
        else if (type == NN_ACT_FLOOR)
            nn_array_set(array, i, MAX(x, number));
        else if (number != 0)
            nn_array_set(array, i, nn_activate(&sigmoid, (float)x));
    }
}

static void activate(NnArray *array, const NnActivation *activation)
{
    for (gsize i = 0; i < array->n; i++)
        nn_array_set(array, i, nn_activate(activation, (float)nn_array_get(array, i)));
}

static void clear_arrays(NnArray **arrays, guint n)
{
    for (guint i = 0; i < n; i++)
        g_clear_pointer(&arrays[i], nn_array_unref);
}

static gboolean new_outputs(const NnNode *node, NnArray **out, GError **error)
{
    memset(out, 0, node->outputs->len * sizeof *out);
    for (guint i = 0; i < node->outputs->len; i++) {
        const NnValue *output = node->outputs->pdata[i];
        if (output && !(out[i] = nn_value_array(output, error)))
            return FALSE;
    }
    return TRUE;
}

/* The reference of an operator whose input or output is scaled: the bias, input 2, is added behind
 * the scale. */
static gboolean evaluate_scaled(const NnNode *node, const NnArray *const *in, NnArray **out,
                                GError **error)
{
    g_autofree const NnArray **own = g_memdup2(in, node->inputs->len * sizeof *in);
    g_autoptr(NnArray) x = nn_array_cast(in[0], in[0]->type);
    if (node->in_scale >= 0)
        per_channel(x, in[node->in_scale], FALSE);
    own[0] = x;
    if (node->inputs->len > 2)
        own[2] = NULL;
    if (!node->op->reference(node, own, out, error))
        return FALSE;
    if (node->out_scale >= 0)
        per_channel(out[0], in[node->out_scale], FALSE);
    if (node->inputs->len > 2 && in[2])
        per_channel(out[0], in[2], TRUE);
    return TRUE;
}

gboolean nn_node_evaluate(const NnNode *node, const NnArray *const *in, NnArray **out,
                          GError **error)
{
    if (!node->op->reference)
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "has no reference");
    const gboolean scaled = node->in_scale >= 0 || node->out_scale >= 0;
    if (!new_outputs(node, out, error) || !(scaled ? evaluate_scaled(node, in, out, error)
                                                   : node->op->reference(node, in, out, error))) {
        clear_arrays(out, node->outputs->len);
        return FALSE;
    }
    if (node->residual >= 0)
        add_residual(out[0], in[node->residual]);
    const NnActivationType type = node->activation.type;
    const gboolean by_channel =
        type == NN_ACT_PRELU || type == NN_ACT_SOME_SIGMOID || type == NN_ACT_FLOOR;
    if (by_channel)
        activate_by_channel(out[0], in[node->post_scale], type);
    else if (type != NN_ACT_NONE)
        activate(out[0], &node->activation);
    if (node->post_scale >= 0 && !by_channel)
        per_channel(out[0], in[node->post_scale], FALSE);
    if (node->added >= 0)
        add_residual(out[0], in[node->added]);
    return TRUE;
}

/* The arrays of values while a graph is evaluated, each until its last consumer had it. */
typedef struct {
    GHashTable *arrays; /* NnValue* -> NnArray* */
    GHashTable *uses;   /* NnValue* -> consumers yet to come */
} Evaluation;

static NnArray *get_array(const Evaluation *evaluation, const NnValue *value)
{
    return value->constant ? value->constant : g_hash_table_lookup(evaluation->arrays, value);
}

static void put_array(Evaluation *evaluation, NnValue *value, NnArray *array)
{
    g_hash_table_insert(evaluation->arrays, value, array);
    g_hash_table_insert(evaluation->uses, value, GUINT_TO_POINTER(value->consumers->len));
}

static void drop_use(Evaluation *evaluation, NnValue *value)
{
    const guint uses = GPOINTER_TO_UINT(g_hash_table_lookup(evaluation->uses, value));

    if (uses == 1 && !value->is_output)
        g_hash_table_remove(evaluation->arrays, value);
    if (uses > 0)
        g_hash_table_insert(evaluation->uses, value, GUINT_TO_POINTER(uses - 1));
}

static gboolean take_inputs(Evaluation *evaluation, const NnGraph *graph, NnArray *const *inputs,
                            GError **error)
{
    for (guint i = 0; i < graph->inputs->len; i++) {
        NnValue *input = graph->inputs->pdata[i];
        const NnArray *array = inputs[i];
        if (input->constant)
            continue;
        if (!array || array->type != input->type || array->rank != input->rank ||
            memcmp(array->dims, input->dims, array->rank * sizeof *array->dims) != 0)
            return input_error(input, error, NN_ERROR_INPUT,
                               "the tensor is not of the network's type and shape");
        put_array(evaluation, input, nn_array_ref(inputs[i]));
    }
    return TRUE;
}

static gboolean evaluate_node(Evaluation *evaluation, const NnNode *node, GError **error)
{
    g_autofree const NnArray **in = g_new0(const NnArray *, node->inputs->len + 1);
    g_autofree NnArray **out = g_new0(NnArray *, node->outputs->len + 1);

    for (guint i = 0; i < node->inputs->len; i++)
        if (node->inputs->pdata[i])
            in[i] = get_array(evaluation, node->inputs->pdata[i]);
    if (!nn_node_evaluate(node, in, out, error))
        return FALSE;
    for (guint i = 0; i < node->outputs->len; i++)
        if (out[i])
            put_array(evaluation, node->outputs->pdata[i], out[i]);
    for (guint i = 0; i < node->inputs->len; i++)
        if (node->inputs->pdata[i])
            drop_use(evaluation, node->inputs->pdata[i]);
    return TRUE;
}

gboolean nn_graph_evaluate(const NnGraph *graph, NnArray *const *inputs, NnArray **outputs,
                           GError **error)
{
    g_autoptr(GHashTable) arrays =
        g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)nn_array_unref);
    g_autoptr(GHashTable) uses = g_hash_table_new(NULL, NULL);
    Evaluation evaluation = { arrays, uses };

    if (!take_inputs(&evaluation, graph, inputs, error))
        return FALSE;
    for (guint i = 0; i < graph->nodes->len; i++)
        if (!evaluate_node(&evaluation, graph->nodes->pdata[i], error))
            return FALSE;
    for (guint i = 0; i < graph->outputs->len; i++)
        outputs[i] = nn_array_ref(get_array(&evaluation, graph->outputs->pdata[i]));
    return TRUE;
}
