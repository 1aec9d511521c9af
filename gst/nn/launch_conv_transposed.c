/* launch_conv_transposed.c - ConvTranspose as plain convolutions.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A transposed convolution with stride n is n * n convolutions with stride 1, one for each phase of
 * the output's grid; each writes a view of every n-th row and column.
 */
#include "launch_conv.h"

/* ---------------------------------------------------------------- phases */

/* The taps of one phase along one axis: those whose row of the kernel meets the phase's outputs,
 * last first, as an ordinary convolution with stride 1. */
typedef struct {
    gint64 first, step, n; /* kernel rows first, first - step, ...: n of them */
    gint64 dilation, pad;  /* of that convolution */
} Phase;

static gint64 greatest_divisor(gint64 a, gint64 b)
{
    while (b != 0) {
        const gint64 rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Output q * stride + phase takes kernel row r from input q + (phase + pad - r * dilation) /
 * stride, if that divides. */
static Phase find_phase(const NnConvParams *params, int axis, gint64 phase)
{
    const gint64 stride = params->stride[axis], dilation = params->dilation[axis];
    const gint64 divisor = greatest_divisor(stride, dilation);
    const gint64 at = phase + params->pad_begin[axis];
    Phase taps = { .step = stride / divisor, .dilation = dilation / divisor };
    for (gint64 r = 0; r < params->kernel[axis]; r++) {
        if ((at - r * dilation) % stride != 0)
            continue;
        taps.first = r;
        taps.pad = (r * dilation - at) / stride;
        taps.n++;
    }
    return taps;
}

/* Every @stride-th row or column of @view from @phase on. */
static NnView phase_view(const NnView *view, int axis, gint64 stride, gint64 phase)
{
    NnView out = *view;
    out.offset += phase * out.strides[axis];
    out.dims[axis] = (out.dims[axis] - phase + stride - 1) / stride;
    out.strides[axis] *= stride;
    return out;
}

/* As an ordinary convolution; without outputs if there are none so far from the corner. */
static ConvJob make_phase(const ConvJob *whole, const NnConvParams *params, const gint64 *stride,
                          const gint64 *phase)
{
    ConvJob job = *whole;
    const int h_axis = params->n_spatial - 2, w_axis = params->n_spatial - 1;
    const Phase y = h_axis < 0 ? (Phase){ .step = 1, .n = 1, .dilation = 1 }
                               : find_phase(params, h_axis, phase[0]);
    const Phase x = find_phase(params, w_axis, phase[1]);

    for (int i = 0; i < 2; i++) {
        job.y = phase_view(&job.y, 2 + i, stride[i], phase[i]);
        job.residual = phase_view(&job.residual, 2 + i, stride[i], phase[i]);
    }
    job.weights.offset += y.first * job.weights.strides[3] + x.first * job.weights.strides[4];
    job.weights.strides[3] *= -y.step;
    job.weights.strides[4] *= -x.step;
    job.shape.kh = (gint32)y.n;
    job.shape.kw = (gint32)x.n;
    job.shape.stride_h = job.shape.stride_w = 1;
    job.shape.dilation_h = (gint32)y.dilation;
    job.shape.dilation_w = (gint32)x.dilation;
    job.shape.pad_h = (gint32)y.pad;
    job.shape.pad_w = (gint32)x.pad;
    return job;
}

static gboolean record_phases(gconstpointer data, GError **error)
{
    const ConvPhases *phases = data;
    for (int i = 0; i < N_PHASES; i++)
        if (!nn_conv_record(&phases->phases[i], error))
            return FALSE;
    return TRUE;
}

/* All four phases of stride 2. */
static const NnVariant phase_variants[] = {
    { "conv_wgmma_phases", nn_conv_wgmma_phases_fits, nn_conv_wgmma_phases_record,
      nn_conv_wgmma_phases_pays },
    { "conv_tensor_phases", nn_conv_tensor_phases_fits, nn_conv_tensor_phases_record,
      nn_conv_tensor_phases_pays },
    { "phases", nn_variant_always, record_phases, NULL },
};

static gboolean record_four_phases(const ConvJob *whole, const NnConvParams *params, GError **error)
{
    const gint64 stride[2] = { 2, 2 };
    ConvJob jobs[N_PHASES];
    const ConvPhases phases = { .whole = whole, .phases = jobs };
    for (gint64 i = 0; i < N_PHASES; i++)
        jobs[i] = make_phase(whole, params, stride, (const gint64[2]){ i / 2, i % 2 });
    return nn_variant_choose(whole->recorder, phase_variants, G_N_ELEMENTS(phase_variants), &phases)
        ->record(&phases, error);
}

/* ---------------------------------------------------------------- columns */

/* The most columns that are worth while as outputs: what conv_narrow takes. */
#define MAX_COLUMNS 4

/* Each input column makes columns of its own of the only output: a mask at the end, say. */
static gboolean makes_columns(const ConvJob *job, const NnConvParams *params)
{
    const int w = params->n_spatial - 1;
    return job->shape.groups == 1 && job->shape.k == 1 && !job->scaled && job->weight_values &&
           (!job->has_bias || job->bias_values) && params->stride[w] > 1 &&
           params->stride[w] <= MAX_COLUMNS && params->kernel[w] == params->stride[w] &&
           params->dilation[w] == 1 && params->pad_begin[w] == 0 &&
           params->out[w] == params->in[w] * params->stride[w];
}

static NnView columns_as_channels(const NnView *view, gint64 n)
{
    const gint64 *dims = view->dims, *strides = view->strides;
    const gint64 new_dims[4] = { dims[0], n, dims[2], dims[3] / n };
    const gint64 new_strides[4] = { strides[0], strides[3], strides[2], n * strides[3] };
    return nn_view_strided(view, 4, new_dims, new_strides);
}

/* The same with @n outputs, one for each column that an input column makes, so that x is read once
 * for all of them. @bias: where their biases may be put. */
static ConvJob columns_as_outputs(const ConvJob *job, gint64 n, float bias[MAX_COLUMNS])
{
    ConvJob out = *job;
    out.y = columns_as_channels(&job->y, n);
    out.residual = columns_as_channels(&job->residual, n);
    out.shape.k = (gint32)n;
    out.weights.dims[1] = n;
    out.weights.strides[1] = job->weights.strides[4];
    if (job->has_bias) {
        for (gint64 i = 0; i < n; i++)
            bias[i] = job->bias_values[0];
        out.bias_values = bias;
        out.bias.dims[0] = n;
        out.bias.strides[0] = 0;
    }
    return out;
}

/* ---------------------------------------------------------------- the whole */

/* Phases of a transposed convolution, each a launch; networks have four. */
#define MOST_PHASES 4096

gboolean nn_conv_record_transposed(const ConvJob *whole, const NnConvParams *params, GError **error)
{
    if (nn_conv_fir_up_fits(whole))
        return nn_conv_fir_up_record(whole, error);
    gint64 stride[2] = { params->n_spatial == 2 ? params->stride[0] : 1,
                         params->stride[params->n_spatial - 1] };
    if (stride[0] > MOST_PHASES / stride[1])
        return nn_node_error(whole->node, error, NN_ERROR_UNSUPPORTED,
                             "its strides %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT
                             " are too large",
                             stride[0], stride[1]);
    float bias[MAX_COLUMNS];
    const gboolean columns = makes_columns(whole, params);
    const ConvJob by_columns = columns ? columns_as_outputs(whole, stride[1], bias) : *whole;
    const ConvJob *job = &by_columns;
    if (columns)
        stride[1] = 1;
    if (stride[0] == 2 && stride[1] == 2 && job->y.dims[2] >= 2 && job->y.dims[3] >= 2)
        return record_four_phases(job, params, error);
    for (gint64 y = 0; y < stride[0]; y++)
        for (gint64 x = 0; x < stride[1]; x++) {
            const ConvJob phase = make_phase(job, params, stride, (const gint64[2]){ y, x });
            if (nn_view_count(&phase.y) > 0 && !nn_conv_record(&phase, error))
                return FALSE;
        }
    return TRUE;
}
