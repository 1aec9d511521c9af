/* launch_elementwise.c - operators on single elements: one kernel per expression, with
 * broadcasting.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_wide.h"

#include <math.h>
#include <string.h>

#define MAX_INPUTS 3

/* One launch: y = act(op(inputs)). */
typedef struct {
    NnRecorder *recorder;
    const NnNode *node;
    const char *op; /* OP_... in elementwise.cl */
    int n_inputs;
    NnView views[1 + MAX_INPUTS]; /* the output, then the inputs, collapsed together */
    float p0, p1;
    NnActivationType activation;
    float alpha, beta;
} Job;

/* Operators of elementwise.cl that hold for vectors of floats, too. */
static const char *const vector_ops[] = {
    "Add",       "Sub",         "Mul",       "Div",      "Pow",        "Max",    "Min",
    "Sum",       "PRelu",       "Abs",       "Neg",      "Ceil",       "Floor",  "Round",
    "Sqrt",      "Square",      "Exp",       "Log",      "Erf",        "Sin",    "Cos",
    "Tan",       "Asin",        "Acos",      "Atan",     "Sinh",       "Cosh",   "Tanh",
    "Asinh",     "Acosh",       "Atanh",     "Relu",     "Cast",       "Bounds", "Sigmoid",
    "LeakyRelu", "HardSigmoid", "HardSwish", "Elu",      "Celu",       "Selu",   "Softplus",
    "Softsign",  "Mish",        "Gelu",      "GeluTanh", "Reciprocal", "Affine",
};

static gboolean is_vector_op(const char *op)
{
    for (guint i = 0; i < G_N_ELEMENTS(vector_ops); i++)
        if (strcmp(op, vector_ops[i]) == 0)
            return TRUE;
    return FALSE;
}

/* Inputs that the operator does not have are its first, read and ignored. */
static const NnView *input_view(const Job *job, int i)
{
    return &job->views[i < job->n_inputs ? 1 + i : 1];
}

static gboolean on_cpu(const Job *job)
{
    return nn_recorder_device(job->recorder)->device_class == OCL_CLASS_CPU;
}

static gint64 inner_stride(const NnView *view)
{
    return view->strides[view->rank - 1];
}

static void add_operands(NnLaunch *launch, const Job *job, int rank)
{
    for (int i = 0; i < MAX_INPUTS; i++)
        nn_launch_strided(launch, input_view(job, i));
    nn_launch_strided(launch, &job->views[0]);
    nn_launch_extents(launch, rank, job->views[0].dims);
}

static void add_parameters(NnLaunch *launch, const Job *job)
{
    nn_launch_float(launch, job->p0);
    nn_launch_float(launch, job->p1);
    nn_launch_float(launch, job->alpha);
    nn_launch_float(launch, job->beta);
    nn_launch_cost(launch, (double)nn_view_count(&job->views[0]));
}

static char *common_options(const Job *job, int rank)
{
    return g_strdup_printf("-DOP=%s -DT0=%s -DT1=%s -DT2=%s -DT=%s -DRANK=%d" NN_ACT_OPTION,
                           job->op, nn_kernel_type(input_view(job, 0)->type),
                           nn_kernel_type(input_view(job, 1)->type),
                           nn_kernel_type(input_view(job, 2)->type),
                           nn_kernel_type(job->views[0].type), rank, job->activation);
}

/* ---------------------------------------------------------------- variants */

/* The inner axis of what is the same all along it has no blocks. */
static gboolean fits_wide(gconstpointer data)
{
    const Job *job = data;
    const NnView *y = &job->views[0];
    if (!nn_gpu_variant(job->recorder, "elementwise_wide") || !is_vector_op(job->op) ||
        !nn_view_is_wide(y, y->rank - 1))
        return FALSE;
    for (int i = 0; i < job->n_inputs; i++) {
        const NnView *in = input_view(job, i);
        if (!nn_view_is_wide(in, in->rank - 1) &&
            !(nn_type_is_float(in->type) && inner_stride(in) == 0))
            return FALSE;
    }
    return TRUE;
}

static gboolean record_wide(gconstpointer data, GError **error)
{
    const Job *job = data;
    const NnView *y = &job->views[0];
    const gint64 single[1] = { 1 };
    const int outer = MAX(y->rank - 1, 1);
    g_autofree char *options = common_options(job, outer);
    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, "elementwise.cl", "elementwise_wide",
        "%s -DWIDE_KERNEL -DSTEP0=%d -DSTEP1=%d -DSTEP2=%d", options,
        (int)inner_stride(input_view(job, 0)), (int)inner_stride(input_view(job, 1)),
        (int)inner_stride(input_view(job, 2)));
    for (int i = 0; i < MAX_INPUTS; i++)
        nn_launch_strided(launch, input_view(job, i));
    nn_launch_strided(launch, y);
    nn_launch_extents(launch, outer, y->rank > 1 ? y->dims : single);
    nn_launch_int(launch, (gint32)(y->dims[y->rank - 1] / NN_WIDE));
    nn_launch_int(launch, (gint32)(nn_view_count(y) / NN_WIDE));
    add_parameters(launch, job);
    nn_launch_items(launch, y, nn_view_count(y) / NN_WIDE, 1);
    return TRUE;
}

static gboolean fits_rows(gconstpointer data)
{
    const Job *job = data;
    const NnView *y = &job->views[0];
    if (!is_vector_op(job->op))
        return FALSE;
    if (!nn_type_is_float(y->type) || inner_stride(y) != 1)
        return FALSE;
    for (int i = 0; i < job->n_inputs; i++) {
        const NnView *in = input_view(job, i);
        if (!nn_type_is_float(in->type) || (inner_stride(in) != 1 && inner_stride(in) != 0))
            return FALSE;
    }
    return TRUE;
}

static gboolean record_rows(gconstpointer data, GError **error)
{
    const Job *job = data;
    const NnView *y = &job->views[0];
    const int outer = MAX(y->rank - 1, 1);
    g_autofree char *options = common_options(job, outer);
    NnLaunch *launch = nn_recorder_launch(
        job->recorder, job->node, "elementwise.cl", "elementwise_rows",
        "%s -DVW=%u -DSTEP0=%d -DSTEP1=%d -DSTEP2=%d", options,
        nn_channel_vector_width(job->recorder, y->dims[y->rank - 1]),
        (int)inner_stride(input_view(job, 0)), (int)inner_stride(input_view(job, 1)),
        (int)inner_stride(input_view(job, 2)));

    const gint64 run = y->dims[y->rank - 1], rows = nn_view_count(y) / run;
    const gint64 chunk = nn_chunk_elements(job->recorder);
    const gint64 rows_each = MAX(chunk / run, 1);
    const gint64 single[1] = { 1 };
    for (int i = 0; i < MAX_INPUTS; i++)
        nn_launch_strided(launch, input_view(job, i));
    nn_launch_strided(launch, y);
    nn_launch_extents(launch, outer, y->rank > 1 ? y->dims : single);
    nn_launch_int(launch, (gint32)run);
    nn_launch_int(launch, (gint32)chunk);
    nn_launch_int(launch, (gint32)rows);
    nn_launch_int(launch, (gint32)rows_each);
    add_parameters(launch, job);
    nn_launch_tiles(job->recorder, launch, y, (run + chunk - 1) / chunk,
                    (rows + rows_each - 1) / rows_each);
    return TRUE;
}

/* Work-items of a GPU that walk rows of their own read from as many lines as there are items: what
 * does not lie in whole blocks runs faster one element each (MODNet's first Concat on an H200, 32
 * channels at an offset of 3: 0.33 ms for 67 MB). */
static gboolean rows_pay(gconstpointer data)
{
    const Job *job = data;
    return nn_recorder_device(job->recorder)->device_class == OCL_CLASS_CPU;
}

static gboolean record_general(gconstpointer data, GError **error)
{
    const Job *job = data;
    const NnView *y = &job->views[0];
    const gint64 count = nn_view_count(y);
    const gint64 each = on_cpu(job) ? MIN(nn_chunk_elements(job->recorder), 1024) : 1;
    g_autofree char *options = common_options(job, y->rank);
    /* One element each is nearly all divisions. */
    g_autofree char *row =
        each == 1 ? g_strdup_printf(" -DROW=%d", (int)y->dims[y->rank - 1]) : g_strdup("");
    NnLaunch *launch = nn_recorder_launch(job->recorder, job->node, "elementwise.cl",
                                          "elementwise_general", "%s%s", options, row);
    add_operands(launch, job, y->rank);
    nn_launch_int(launch, (gint32)count);
    nn_launch_int(launch, (gint32)each);
    add_parameters(launch, job);
    if (each > 1)
        nn_launch_tiles(job->recorder, launch, y, (count + each - 1) / each, 1);
    else
        nn_launch_items(launch, y, count, 1);
    return TRUE;
}

static const NnVariant variants[] = {
    { "elementwise_wide", fits_wide, record_wide, NULL },
    { "elementwise_rows", fits_rows, record_rows, rows_pay },
    { "elementwise_general", nn_variant_always, record_general, NULL },
};

/* Records y = op(inputs), the inputs broadcast to the output. */
static gboolean record_op(Job *job, const NnView *y, const NnView *const *inputs, int n_inputs,
                          GError **error)
{
    job->n_inputs = n_inputs;
    job->views[0] = *y;
    for (int i = 0; i < n_inputs; i++)
        job->views[1 + i] = nn_view_broadcast(inputs[i], y->rank, y->dims);
    if (nn_view_count(y) == 0)
        return TRUE;
    nn_views_collapse(job->views, 1 + (guint)n_inputs);
    return nn_variant_choose(job->recorder, variants, G_N_ELEMENTS(variants), job)
        ->record(job, error);
}

/* ---------------------------------------------------------------- operators with a twist */

/* Max, Min, Sum and Mean of any number of inputs: two at a time, into the output. */
static gboolean record_variadic(Job *job, const NnView *y, GError **error)
{
    const NnNode *node = job->node;
    const gboolean adds = strcmp(node->type, "Sum") == 0 || strcmp(node->type, "Mean") == 0;
    const guint n = node->inputs->len - (node->residual >= 0 ? 1 : 0);
    const NnActivationType activation = job->activation;
    const NnView *first = nn_recorder_input(job->recorder, node, 0);
    job->op = adds ? "Sum" : node->type;
    if (n == 1) {
        job->op = "Cast";
        return record_op(job, y, &first, 1, error);
    }
    for (guint i = 1; i < n; i++) {
        const gboolean last = i == n - 1;
        const NnView *pair[2] = { i == 1 ? first : y, nn_recorder_input(job->recorder, node, i) };
        job->p0 = last && strcmp(node->type, "Mean") == 0 ? 1.0f / n : 1.0f;
        job->activation = last ? activation : NN_ACT_NONE;
        if (!record_op(job, y, pair, 2, error))
            return FALSE;
    }
    return TRUE;
}

/* A constant of one element that leaves any element of @type alone as lower or upper bound. */
static NnView no_bound(NnRecorder *recorder, NnType type, gboolean upper)
{
    const gint64 dims[1] = { 1 };
    g_autoptr(NnArray) array = nn_array_new(type, 1, dims);
    if (nn_type_is_float(type))
        nn_array_set(array, 0, upper ? INFINITY : -INFINITY);
    else if (type == NN_UINT64 && upper)
        memset(array->data, 0xff, sizeof(guint64));
    else {
        const guint bits = 8 * (guint)nn_type_size(type);
        const gboolean is_signed =
            type == NN_INT8 || type == NN_INT16 || type == NN_INT32 || type == NN_INT64;
        const gint64 most =
            is_signed ? (gint64)(G_MAXUINT64 >> (65 - bits)) : (gint64)(G_MAXUINT64 >> (64 - bits));
        nn_array_set_int(array, 0, upper ? most : is_signed ? -most - 1 : 0);
    }
    return nn_recorder_constant(recorder, type, 1, array->data);
}

/* The bound of input @i or attribute @name as a number; FALSE if it is computed on the device. */
static gboolean known_bound(const NnNode *node, guint i, const char *name, float fallback,
                            float *bound)
{
    const NnValue *value = nn_node_input(node, i);
    if (!value)
        *bound = nn_node_float(node, name, fallback);
    else if (value->constant && value->constant->n == 1)
        *bound = (float)nn_array_get(value->constant, 0);
    return !value || (value->constant && value->constant->n == 1);
}

static gboolean record_clip(Job *job, const NnView *y, GError **error)
{
    const NnNode *node = job->node;
    const NnView *x = nn_recorder_input(job->recorder, node, 0);
    if (nn_type_is_float(y->type) && known_bound(node, 1, "min", -INFINITY, &job->p0) &&
        known_bound(node, 2, "max", INFINITY, &job->p1)) {
        job->op = "Bounds";
        return record_op(job, y, &x, 1, error);
    }
    const NnView *low = nn_recorder_input(job->recorder, node, 1);
    const NnView *high = nn_recorder_input(job->recorder, node, 2);
    const NnType type = nn_type_is_float(y->type) ? NN_FLOAT32 : x->type;
    const NnView lowest = no_bound(job->recorder, type, FALSE);
    const NnView highest = no_bound(job->recorder, type, TRUE);
    const NnView *inputs[3] = { x, low ? low : &lowest, high ? high : &highest };
    job->op = "Clip";
    return record_op(job, y, inputs, 3, error);
}

static const char *cast_op(const NnNode *node, const NnView *from)
{
    const NnType to = nn_node_output(node, 0)->type;
    if (to == NN_BOOL)
        return "Truth";
    return nn_type_is_float(from->type) && !nn_type_is_float(to) ? "Saturate" : "Cast";
}

/* Powers that need no pow(). */
static const char *power_op(const NnNode *node)
{
    const NnValue *exponent = nn_node_input(node, 1);
    if (!exponent->constant || exponent->constant->n != 1)
        return "Pow";
    const double value = nn_array_get(exponent->constant, 0);
    if (value == 2.0)
        return "Square";
    return value == 0.5 && nn_type_is_float(nn_node_input(node, 0)->type) ? "Sqrt" : "Pow";
}

/* The operator's macro in elementwise.cl, where it is not just the ONNX name. */
static const char *kernel_op(const NnNode *node, const NnView *x)
{
    if (strcmp(node->type, "Cast") == 0 || strcmp(node->type, "CastLike") == 0)
        return cast_op(node, x);
    if (strcmp(node->type, "Pow") == 0)
        return power_op(node);
    if (strcmp(node->type, "Mod") == 0 && nn_node_int(node, "fmod", 0))
        return "Fmod";
    if (strcmp(node->type, "Gelu") == 0)
        return g_strcmp0(nn_node_string(node, "approximate", "none"), "tanh") == 0 ? "GeluTanh"
                                                                                   : "Gelu";
    if (strcmp(node->type, "BitShift") == 0)
        return g_strcmp0(nn_node_string(node, "direction", ""), "LEFT") == 0 ? "BitShiftLeft"
                                                                             : "BitShiftRight";
    return node->type;
}

/* Attributes of unary operators, with ONNX's defaults. */
static void set_parameters(Job *job)
{
    static const struct {
        const char *type, *name0, *name1;
        float default0, default1;
    } parameters[] = {
        { "LeakyRelu", "alpha", "", 0.01f, 0.0f },
        { "HardSigmoid", "alpha", "beta", 0.2f, 0.5f },
        { "HardSwish", "alpha", "beta", 1.0f / 6.0f, 0.5f },
        { "Elu", "alpha", "", 1.0f, 0.0f },
        { "Celu", "alpha", "", 1.0f, 0.0f },
        { "Selu", "alpha", "gamma", 1.67326319217681884765625f, 1.05070102214813232421875f },
        { "ThresholdedRelu", "alpha", "", 1.0f, 0.0f },
        { "Shrink", "bias", "lambd", 0.0f, 0.5f },
    };
    for (guint i = 0; i < G_N_ELEMENTS(parameters); i++) {
        if (strcmp(job->node->type, parameters[i].type) != 0)
            continue;
        job->p0 = nn_node_float(job->node, parameters[i].name0, parameters[i].default0);
        job->p1 = nn_node_float(job->node, parameters[i].name1, parameters[i].default1);
    }
    if (strcmp(job->node->type, "IsInf") == 0) {
        job->p0 = (float)nn_node_int(job->node, "detect_negative", 1);
        job->p1 = (float)nn_node_int(job->node, "detect_positive", 1);
    }
}

static int operand_count(const NnNode *node, const char *op)
{
    if (strcmp(op, "Square") == 0 || strcmp(op, "Sqrt") == 0 || strcmp(node->type, "CastLike") == 0)
        return 1;
    return (int)MIN(node->inputs->len, MAX_INPUTS);
}

gboolean nn_launch_elementwise(NnRecorder *recorder, const NnNode *node, GError **error)
{
    const NnView *y = nn_recorder_output(recorder, node, 0);
    const NnView *inputs[MAX_INPUTS];
    gboolean recorded;
    if (!nn_launch_resized_sum(recorder, node, &recorded, error) || recorded)
        return recorded;
    for (guint i = 0; i < MAX_INPUTS; i++)
        inputs[i] = nn_recorder_input(recorder, node, i);

    Job job = { .recorder = recorder,
                .node = node,
                .op = kernel_op(node, inputs[0]),
                .activation = node->activation.type,
                .alpha = node->activation.alpha,
                .beta = node->activation.beta };
    if (strcmp(node->type, "Clip") == 0)
        return record_clip(&job, y, error);
    if (strcmp(node->type, "Max") == 0 || strcmp(node->type, "Min") == 0 ||
        strcmp(node->type, "Sum") == 0 || strcmp(node->type, "Mean") == 0)
        return record_variadic(&job, y, error);
    set_parameters(&job);
    return record_op(&job, y, inputs, operand_count(node, job.op), error);
}

/* ---------------------------------------------------------------- for other families */

gboolean nn_record_elementwise(NnRecorder *recorder, const NnNode *node, const char *op,
                               const NnView *y, const NnView *const *inputs, int n_inputs,
                               gboolean activate, GError **error)
{
    Job job = { .recorder = recorder, .node = node, .op = op };
    if (activate) {
        job.activation = node->activation.type;
        job.alpha = node->activation.alpha;
        job.beta = node->activation.beta;
    }
    return record_op(&job, y, inputs, n_inputs, error);
}

gboolean nn_record_copy(NnRecorder *recorder, const NnNode *node, const NnView *y, const NnView *x,
                        GError **error)
{
    return nn_record_elementwise(recorder, node, "Cast", y, &x, 1, FALSE, error);
}
