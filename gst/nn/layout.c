/* layout.c - decides how each tensor lies in memory, and which nodes cost nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Three sweeps over the graph. First the order of axes of each tensor: feature maps NHWC, others as
 * ONNX writes them. Then, from the end, the inputs of every Concat are promised their slice of its
 * output, so that their producers write there. Last, from the start, every tensor gets its view:
 * another look at its input's memory, its promised slice, or a dense block of its own.
 */
#include "recorder.h"

#include <string.h>

#include "defs-params.h"

/* Axes from the outermost in memory to the innermost. */
typedef struct {
    int axis[NN_MAX_RANK];
} AxisOrder;

typedef struct {
    NnRecorder *recorder;
    NnGraph *graph;
    GHashTable *orders;   /* NnValue* -> AxisOrder* */
    GHashTable *promises; /* NnValue* -> Promise* */
    GHashTable *elided;   /* set of NnNode* */
} Layout;

/* A slice of a Concat's output, starting at @start on @axis. */
typedef struct {
    NnValue *whole;
    int axis;
    gint64 start;
} Promise;

/* ---------------------------------------------------------------- order of axes */

static AxisOrder row_order(void)
{
    AxisOrder order;
    for (int i = 0; i < NN_MAX_RANK; i++)
        order.axis[i] = i;
    return order;
}

static const AxisOrder nhwc_order = { { 0, 2, 3, 1, 4, 5, 6, 7 } };

static void set_order(Layout *layout, const NnValue *value, AxisOrder order)
{
    g_hash_table_insert(layout->orders, (gpointer)value, g_memdup2(&order, sizeof order));
}

static const AxisOrder *get_order(const Layout *layout, const NnValue *value)
{
    return g_hash_table_lookup(layout->orders, value);
}

/* A picture enters as NHWC like every feature map, unless the network itself transposes it. */
static AxisOrder input_order(const NnValue *value)
{
    if (value->rank != 4 || !nn_type_is_float(value->type))
        return row_order();
    for (guint i = 0; i < value->consumers->len; i++)
        if (strcmp(((NnNode *)value->consumers->pdata[i])->type, "Transpose") == 0)
            return row_order();
    return nhwc_order;
}

static AxisOrder transposed_order(const NnNode *node, AxisOrder in)
{
    int perm[NN_MAX_RANK];
    const int rank = nn_node_output(node, 0)->rank;
    AxisOrder out = row_order();
    if (!nn_transpose_perm(node, perm, NULL))
        return out;
    for (int i = 0; i < rank; i++)
        for (int j = 0; j < rank; j++)
            if (perm[j] == in.axis[i])
                out.axis[i] = j;
    return out;
}

/* The first computed input of the output's rank: elementwise results lie as their operands do. */
static const NnValue *leading_input(const NnNode *node)
{
    const NnValue *out = nn_node_output(node, 0);
    const NnValue *best = NULL;
    for (guint i = 0; i < node->inputs->len; i++) {
        const NnValue *in = node->inputs->pdata[i];
        if (!in || in->constant || !out || in->rank != out->rank)
            continue;
        if (memcmp(in->dims, out->dims, sizeof in->dims[0] * in->rank) == 0)
            return in;
        best = best ? best : in;
    }
    return best;
}

static AxisOrder output_order(const Layout *layout, const NnNode *node, const NnValue *out)
{
    if (out->rank == 4 && (node->op->flags & NN_OP_MAP) && nn_type_is_float(out->type))
        return nhwc_order;
    const NnValue *in = leading_input(node);
    if (!in || strcmp(node->type, "Reshape") == 0 || strcmp(node->type, "Flatten") == 0 ||
        strcmp(node->type, "MatMul") == 0 || out->rank != in->rank)
        return row_order();
    /* A constant picture scaled by a vector, say: nothing tells but what it will be used for. */
    const gboolean broadcast = memcmp(in->dims, out->dims, sizeof in->dims[0] * in->rank) != 0;
    if (broadcast && (node->op->flags & NN_OP_ELEMENTWISE) && out->rank == 4)
        return nhwc_order;
    const AxisOrder order = *get_order(layout, in);
    return strcmp(node->type, "Transpose") == 0 ? transposed_order(node, order) : order;
}

static void choose_orders(Layout *layout)
{
    for (guint i = 0; i < layout->graph->inputs->len; i++) {
        const NnValue *input = layout->graph->inputs->pdata[i];
        set_order(layout, input, input_order(input));
    }
    for (guint i = 0; i < layout->graph->nodes->len; i++) {
        const NnNode *node = layout->graph->nodes->pdata[i];
        for (guint o = 0; o < node->outputs->len; o++) {
            const NnValue *out = nn_node_output(node, o);
            if (out)
                set_order(layout, out, output_order(layout, node, out));
        }
    }
}

/* ---------------------------------------------------------------- slices of a Concat */

/* Only what a kernel computes into memory of its own can be computed elsewhere instead. */
static gboolean can_be_promised(const Layout *layout, const NnValue *value)
{
    return value && !value->constant && value->producer &&
           !(value->producer->op->flags & NN_OP_VIEW) &&
           !g_hash_table_contains(layout->promises, value);
}

static void promise_slices(Layout *layout)
{
    for (guint i = layout->graph->nodes->len; i-- > 0;) {
        const NnNode *node = layout->graph->nodes->pdata[i];
        if (strcmp(node->type, "Concat") != 0)
            continue;
        NnValue *whole = nn_node_output(node, 0);
        int axis = (int)nn_node_int(node, "axis", 1);
        axis += axis < 0 ? whole->rank : 0;
        gint64 start = 0;
        for (guint k = 0; k < node->inputs->len; k++) {
            NnValue *part = node->inputs->pdata[k];
            while (part && part->producer && part->producer->op->flags & NN_OP_IN_PLACE)
                part = nn_node_input(part->producer, 0);
            if (can_be_promised(layout, part) && part->type == whole->type) {
                const Promise promise = { whole, axis, start };
                g_hash_table_insert(layout->promises, part, g_memdup2(&promise, sizeof promise));
            }
            start += part->dims[axis];
        }
    }
}

/* ---------------------------------------------------------------- views */

/* Movements that @value may go through before it is a scale. */
#define MAX_SCALE_MOVEMENTS 4

/* Whether @value is nothing but a convolution's scale. Kernels take those as floats. */
static gboolean is_scale(const NnValue *value, guint movements_left)
{
    if (value->consumers->len == 0 || value->is_output || value->rank > 5)
        return FALSE;
    for (guint c = 0; c < value->consumers->len; c++) {
        const NnNode *user = value->consumers->pdata[c];
        gboolean as_scale = FALSE;
        for (guint i = 0; i < user->inputs->len; i++)
            as_scale |= nn_node_input(user, i) == value && nn_node_is_fused_input(user, i) &&
                        (gint64)i != user->residual && (gint64)i != user->added;
        if (as_scale || user->op == &nn_inverse_norms)
            continue;
        if (!(user->op->flags & NN_OP_VIEW) || movements_left == 0)
            return FALSE;
        for (guint o = 0; o < user->outputs->len; o++)
            if (nn_node_output(user, o) && !is_scale(nn_node_output(user, o), movements_left - 1))
                return FALSE;
    }
    return TRUE;
}

/* Whether halves would not do within the network: sums of integers exceed them, and the factors
 * that scale those are below; such factors are single numbers, which take no memory to speak of. */
static gboolean needs_float32(const NnValue *value)
{
    if (!value->producer || value->is_output)
        return FALSE;
    if (is_scale(value, MAX_SCALE_MOVEMENTS))
        return TRUE;
    const NnValue *in = nn_node_input(value->producer, 0);
    if (strcmp(value->producer->type, "Cast") == 0 && in && !nn_type_is_float(in->type) &&
        nn_type_size(in->type) > 1)
        return TRUE;
    for (int i = 0; i < value->rank; i++)
        if (value->dims[i] != 1)
            return FALSE;
    return TRUE;
}

static NnType stored_type(const Layout *layout, const NnValue *value)
{
    if (nn_type_is_float(value->type))
        return layout->recorder->fp16 && !needs_float32(value) ? NN_FLOAT16 : NN_FLOAT32;
    return value->type;
}

/* Whether @value may be another look at elements of @type. */
static gboolean can_be_stored_as(const Layout *layout, const NnValue *value, NnType type)
{
    return stored_type(layout, value) == type ||
           (nn_type_is_float(value->type) && nn_type_is_float(type) && !value->is_output);
}

static void set_view(Layout *layout, NnValue *value, NnView view)
{
    value->storage = g_memdup2(&view, sizeof view);
    g_ptr_array_add(layout->recorder->views, value->storage);
}

/* Channels of a feature map of halves start on 16-byte boundaries, which tensor cores are fed by;
 * so do those of floats on GPUs, but for maps of a few, which would become several times as large:
 * slices of a map are then in whole blocks, as kernels for GPUs take them. What fills the gap is
 * never read. */
static gint64 padded(const Layout *layout, const NnView *view, const AxisOrder *order, int i)
{
    const gboolean gpu = nn_recorder_device(layout->recorder)->device_class != OCL_CLASS_CPU;
    const gint64 n = view->dims[order->axis[i]];
    const gint64 least = view->type == NN_FLOAT16          ? 3
                         : view->type == NN_FLOAT32 && gpu ? 9
                                                           : G_MAXINT64;
    const gboolean channels = view->rank == 4 && i == 3 && order->axis[i] == 1;
    return channels && n >= least ? (n + 7) & ~(gint64)7 : n;
}

static gboolean dense_view(Layout *layout, const NnValue *value, NnView *view, GError **error)
{
    *view = (NnView){ .type = stored_type(layout, value), .rank = value->rank };
    const AxisOrder *order = get_order(layout, value);
    gint64 n = 1;
    for (int i = value->rank - 1; i >= 0; i--) {
        const int axis = order->axis[i];
        view->dims[axis] = value->dims[axis];
        view->strides[axis] = n;
        const gint64 extent = padded(layout, view, order, i);
        if (extent > 0 && n > G_MAXINT32 / extent) {
            g_set_error(error, NN_ERROR, NN_ERROR_TOO_LARGE,
                        "tensor '%s' has more than 2^31 elements", value->name);
            return FALSE;
        }
        n *= extent;
    }
    view->storage = nn_recorder_storage(layout->recorder, n * nn_type_size(view->type));
    return TRUE;
}

static gboolean place_value(Layout *layout, NnValue *value, GError **error);

/* The view of @value's slice; the whole gets its place first. */
static gboolean promised_view(Layout *layout, const NnValue *value, const Promise *promise,
                              NnView *view, GError **error)
{
    if (!promise->whole->storage && !place_value(layout, promise->whole, error))
        return FALSE;
    *view = *(const NnView *)promise->whole->storage;
    view->dims[promise->axis] = value->dims[promise->axis];
    view->offset += promise->start * view->strides[promise->axis];
    return TRUE;
}

static gboolean place_value(Layout *layout, NnValue *value, GError **error)
{
    if (value->storage)
        return TRUE;
    const Promise *promise = g_hash_table_lookup(layout->promises, value);
    NnView view;
    if (!(promise ? promised_view(layout, value, promise, &view, error)
                  : dense_view(layout, value, &view, error)))
        return FALSE;
    set_view(layout, value, view);
    return TRUE;
}

/* Slice, and output @index of Split. */
static gboolean slice_view(const NnNode *node, guint index, const NnView *in, NnView *out)
{
    NnSliceParams params;
    if (!nn_slice_params(node, index, &params, NULL))
        return FALSE;
    *out = *in;
    for (int i = 0; i < in->rank; i++) {
        out->offset += params.start[i] * in->strides[i];
        out->strides[i] = params.step[i] * in->strides[i];
        out->dims[i] = params.count[i];
    }
    return TRUE;
}

/* Output @index of @node as another look at @in; FALSE if it has to be copied. */
static gboolean elided_view(const NnNode *node, guint index, const NnView *in, NnView *out)
{
    const NnValue *value = nn_node_output(node, index);
    int perm[NN_MAX_RANK];
    if (strcmp(node->type, "Transpose") == 0) {
        if (!nn_transpose_perm(node, perm, NULL))
            return FALSE;
        *out = nn_view_permuted(in, perm);
        return TRUE;
    }
    if (strcmp(node->type, "Slice") == 0 || strcmp(node->type, "Split") == 0)
        return slice_view(node, index, in, out);
    if (strcmp(node->type, "Expand") == 0) {
        *out = nn_view_broadcast(in, value->rank, value->dims);
        return TRUE;
    }
    return nn_view_reshape(in, value->rank, value->dims, out);
}

/* Views every output of a movement node over its input; FALSE, with nothing set, if one cannot be
 * expressed or the element type in memory changes. */
static gboolean elide_node(Layout *layout, const NnNode *node)
{
    const NnValue *in = nn_node_input(node, 0);
    if (!(node->op->flags & NN_OP_VIEW) || !in || in->constant)
        return FALSE;
    NnView *views = g_newa(NnView, node->outputs->len + 1);
    for (guint i = 0; i < node->outputs->len; i++) {
        const NnValue *out = nn_node_output(node, i);
        if (out && (!can_be_stored_as(layout, out, ((const NnView *)in->storage)->type) ||
                    !elided_view(node, i, in->storage, &views[i])))
            return FALSE;
    }
    for (guint i = 0; i < node->outputs->len; i++)
        if (nn_node_output(node, i))
            set_view(layout, nn_node_output(node, i), views[i]);
    g_hash_table_add(layout->elided, (gpointer)node);
    return TRUE;
}

static gboolean place_node(Layout *layout, const NnNode *node, GError **error)
{
    if (node->op->flags & NN_OP_IN_PLACE) {
        set_view(layout, nn_node_output(node, 0), *(const NnView *)nn_node_input(node, 0)->storage);
        return TRUE;
    }
    if (elide_node(layout, node))
        return TRUE;
    for (guint i = 0; i < node->outputs->len; i++) {
        NnValue *out = nn_node_output(node, i);
        if (out && !out->constant && !place_value(layout, out, error))
            return FALSE;
    }
    return TRUE;
}

gboolean nn_layout(NnRecorder *recorder, NnGraph *graph, GHashTable *elided, GError **error)
{
    g_autoptr(GHashTable) orders = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    g_autoptr(GHashTable) promises = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    Layout layout = { recorder, graph, orders, promises, elided };

    choose_orders(&layout);
    promise_slices(&layout);
    for (guint i = 0; i < graph->inputs->len; i++) {
        NnValue *input = graph->inputs->pdata[i];
        if (!input->constant && !place_value(&layout, input, error))
            return FALSE;
    }
    for (guint i = 0; i < graph->nodes->len; i++)
        if (!place_node(&layout, graph->nodes->pdata[i], error))
            return FALSE;
    return TRUE;
}
