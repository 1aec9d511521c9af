/* conv.cl - 2-D convolution; 1-D with one row, a transposed one as one convolution per phase.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * y[k][oy][ox] = post[k] * act(bias[k] + residual + scale[k] * sum over c, r, s of
 *     x[c][oy * stride + r * dilation - pad][ox * stride + s * dilation - pad] * w[k][c][r][s])
 *
 * Defines: ACT and SCALED, see common.clh; BIAS and RESIDUAL 0 or 1.
 *   conv_general    TX TW TB TR TY: element types
 *   conv_vector     VW, P pixels times KB vectors of outputs per work-item, FP16
 *   conv_depthwise  VW, P pixels of one row, FP16
 * Buffers: x [C][H][W], residual and y [K][OH][OW] as maps; weights and bias beside each kernel.
 *   A residual or bias that is left out is never read.
 * Accumulation: float.
 * Launch: dimension 2 is the sample; the others beside each kernel.
 */
#include "common.clh"
#include "types.clh"

/* Mirrored in launch_conv_plain.c. */
typedef struct {
    int groups, c, k; /* inputs and outputs of one group */
    int kh, kw;
    int stride_h, stride_w, dilation_h, dilation_w;
    int pad_h, pad_w; /* before; may be negative */
} Conv;

#ifndef VW

/* One work-item: one pixel of four outputs of one group; the outputs run fastest.
 * w: strides of group, output, input, row, column. bias: stride of the output.
 * Global: ceil(K / 4 per group) * OH * OW, rounded up. */
#define OUTPUTS 4

__kernel void conv_general(__global const TX *x, Map xm, __global const TW *w, Strided ws,
                           __global const TB *bias, Strided bs, __global const TR *residual, Map rm,
                           __global TY *y, Map ym, Conv conv, EPILOGUE_PARAMETERS)
{
    const int n = get_global_id(2);
    const int blocks = (conv.k + OUTPUTS - 1) / OUTPUTS;
    const int block = get_global_id(0) % (conv.groups * blocks);
    const int pixel = get_global_id(0) / (conv.groups * blocks);
    const int oy = pixel / ym.w, ox = pixel % ym.w;
    if (oy >= ym.h)
        return;
    const int group = block / blocks;
    const int k0 = block % blocks * OUTPUTS;
    const int n_outputs = min(OUTPUTS, conv.k - k0);

    x += xm.offset + n * xm.sample + group * conv.c * xm.sc;
    w += ws.offset + n * ws.sample + group * ws.stride[0] + k0 * ws.stride[1];

    float acc[OUTPUTS] = { 0 };
    for (int r = 0; r < conv.kh; r++) {
        const int iy = oy * conv.stride_h + r * conv.dilation_h - conv.pad_h;
        if (iy < 0 || iy >= xm.h)
            continue;
        for (int s = 0; s < conv.kw; s++) {
            const int ix = ox * conv.stride_w + s * conv.dilation_w - conv.pad_w;
            if (ix < 0 || ix >= xm.w)
                continue;
            __global const TX *in = x + iy * xm.sh + ix * xm.sw;
            __global const TW *wp = w + r * ws.stride[3] + s * ws.stride[4];
            for (int c = 0; c < conv.c; c++) {
                const float v = READ(TX, in, c * xm.sc);
                for (int k = 0; k < OUTPUTS; k++)
                    if (k < n_outputs)
                        acc[k] += v * READ(TW, wp, c * ws.stride[2] + k * ws.stride[1]);
            }
        }
    }

    const int first = group * conv.k + k0;
    y += ym.offset + n * ym.sample + oy * ym.sh + ox * ym.sw;
    residual += rm.offset + n * rm.sample + oy * rm.sh + ox * rm.sw;
    bias += bs.offset + n * bs.sample;
    EPILOGUE_OF(n);
    for (int k = 0; k < n_outputs; k++) {
        float v = SCALED_SUM(acc[k], scale[first + k]);
        if (BIAS)
            v += READ(TB, bias, (first + k) * bs.stride[0]);
        if (RESIDUAL)
            v += READ(TR, residual, (first + k) * rm.sc);
        WRITE(TY, y, (first + k) * ym.sc, FINISHED(v, post[first + k]));
    }
}

#else

#include "vectors.clh"

#ifdef KB

/* Adds one tap of all inputs: pixel p's lie at in[p] + offset. Returns the next tap's weights. */
static inline __global const float *add_tap(V acc[KB][P], __global const REAL *const in[P],
                                            int offset, __global const float *weights, int n_inputs)
{
    for (int c = offset; c < offset + n_inputs; c++, weights += KB * VW) {
        V w[KB];
#pragma unroll
        for (int k = 0; k < KB; k++)
            w[k] = VLOAD(weights + k * VW);
#pragma unroll
        for (int p = 0; p < P; p++) {
            const V v = (V)(LOAD(in[p], c));
#pragma unroll
            for (int k = 0; k < KB; k++)
                acc[k][p] = fma(v, w[k], acc[k][p]);
        }
    }
    return weights;
}

/* P pixels from number @first on, counted through the rows of the map, times KB vectors of outputs,
 * of which the first @n_outputs exist; all sums in registers. Where the pixels' windows cross the
 * border, a tap outside of the map reads @zeros. */
static inline void compute_tile(__global const REAL *x, Map xm, __global const float *weights,
                                __global const float *bias, __global const REAL *zeros,
                                __global const REAL *residual, Map rm, __global REAL *y, Map ym,
                                Conv conv, int first, int n_outputs, FINISH_PARAMETERS)
{
    const int first_y = first / ym.w, first_x = first - first_y * ym.w;

    /* The first tap of each pixel; the last one is reach_y rows and reach_x columns further. */
    const int reach_y = (conv.kh - 1) * conv.dilation_h, reach_x = (conv.kw - 1) * conv.dilation_w;
    __global const REAL *in[P];
    int py[P], px[P];
    int oy = first_y, ox = first_x;
    bool inside = true;
#pragma unroll
    for (int p = 0; p < P; p++) {
        py[p] = oy * conv.stride_h - conv.pad_h;
        px[p] = ox * conv.stride_w - conv.pad_w;
        in[p] = x + py[p] * xm.sh + px[p] * xm.sw;
        inside = inside && py[p] >= 0 && px[p] >= 0 && py[p] + reach_y < xm.h &&
                 px[p] + reach_x < xm.w;
        if (++ox == ym.w) {
            ox = 0;
            oy++;
        }
    }

    V acc[KB][P];
    /* The bias comes last: added first, every partial sum would be rounded at its size. On U2NetP
     * that takes a third off the largest error. */
#pragma unroll
    for (int k = 0; k < KB; k++)
#pragma unroll
        for (int p = 0; p < P; p++)
            acc[k][p] = (V)(0.0f);

    /* Then the taps of a row of the kernel are one run of inputs. */
    const bool dense = xm.sw == conv.c && conv.dilation_w == 1;
    for (int r = 0; r < conv.kh; r++) {
        const int dy = r * conv.dilation_h;
        if (inside && dense) {
            weights = add_tap(acc, in, dy * xm.sh, weights, conv.kw * conv.c);
            continue;
        }
        for (int s = 0; s < conv.kw; s++) {
            const int dx = s * conv.dilation_w;
            if (inside) {
                weights = add_tap(acc, in, dy * xm.sh + dx * xm.sw, weights, conv.c);
                continue;
            }
            __global const REAL *checked[P];
#pragma unroll
            for (int p = 0; p < P; p++) {
                const int iy = py[p] + dy, ix = px[p] + dx;
                const bool exists = (uint)iy < (uint)xm.h && (uint)ix < (uint)xm.w;
                checked[p] = exists ? x + iy * xm.sh + ix * xm.sw : zeros;
            }
            weights = add_tap(acc, checked, 0, weights, conv.c);
        }
    }

    oy = first_y;
    ox = first_x;
#pragma unroll
    for (int p = 0; p < P; p++) {
#pragma unroll
        for (int k = 0; k < KB; k++) {
            /* A return here would keep PoCL from unrolling the loop, and it would say so. */
            const int left = oy < ym.h ? n_outputs - k * VW : 0;
            V v = SCALED_SUM(acc[k][p], load_floats(scale + k * VW, left)) + VLOAD(bias + k * VW);
            if (RESIDUAL)
                v += load_some(residual + oy * rm.sh + ox * rm.sw + k * VW * rm.sc, rm.sc, left);
            store_some(FINISHED(v, load_floats(post + k * VW, left)),
                       y + oy * ym.sh + ox * ym.sw + k * VW * ym.sc, ym.sc, left);
        }
        if (++ox == ym.w) {
            ox = 0;
            oy++;
        }
    }
}

/* One work-item: @tiles_each tiles of P pixels, one block of KB vectors of outputs of one group. The
 * inputs of a pixel lie side by side (sc == 1, or c == 1).
 * weights: [groups][blocks of KB * VW outputs][kh][kw][c][KB * VW], zero past the last output.
 * bias: [groups][blocks][KB * VW]. zeros: [c].
 * Global: ceil(OH * OW / (P * tiles_each)), groups * blocks. */
__kernel void conv_vector(__global const REAL *restrict x, Map xm,
                          __global const float *restrict weights,
                          __global const float *restrict bias, __global const REAL *restrict zeros,
                          __global const REAL *residual, Map rm, __global REAL *y, Map ym,
                          Conv conv, EPILOGUE_PARAMETERS, int tiles_each)
{
    const int n = get_global_id(2);
    const int start = get_global_id(0) * P * tiles_each;
    const int end = min(start + P * tiles_each, ym.h * ym.w);
    const int blocks = (conv.k + KB * VW - 1) / (KB * VW);
    const int group = get_global_id(1) / blocks;
    const int k0 = get_global_id(1) % blocks * KB * VW;

    x += xm.offset + n * xm.sample + group * conv.c * xm.sc;
    weights += (size_t)get_global_id(1) * conv.kh * conv.kw * conv.c * (KB * VW);
    bias += get_global_id(1) * (KB * VW);
    EPILOGUE_OF(n);
    residual += rm.offset + n * rm.sample + (group * conv.k + k0) * rm.sc;
    y += ym.offset + n * ym.sample + (group * conv.k + k0) * ym.sc;
    for (int first = start; first < end; first += P)
        compute_tile(x, xm, weights, bias, zeros, residual, rm, y, ym, conv, first, conv.k - k0,
                     FINISH_AT(group * conv.k + k0));
}

#else

/* Each output has one input: every channel by itself. One work-item: all channels, at least VW, of P
 * pixels of one row (sc == 1 everywhere). weights: [kh][kw][C]. bias: [C].
 * Global: ceil(OW / P), OH. */
__kernel void conv_depthwise(__global const REAL *restrict x, Map xm,
                             __global const float *restrict weights,
                             __global const float *restrict bias, __global const REAL *residual,
                             Map rm, __global REAL *y, Map ym, Conv conv, EPILOGUE_PARAMETERS)
{
    const int n = get_global_id(2);
    const int ox = get_global_id(0) * P, oy = get_global_id(1);
    const int y0 = oy * conv.stride_h - conv.pad_h, x0 = ox * conv.stride_w - conv.pad_w;
    const int step = conv.stride_w * xm.sw;
    const bool inside =
        x0 >= 0 && x0 + (P - 1) * conv.stride_w + (conv.kw - 1) * conv.dilation_w < xm.w;

    x += xm.offset + n * xm.sample + x0 * xm.sw;
    residual += rm.offset + n * rm.sample + oy * rm.sh + ox * rm.sw;
    y += ym.offset + n * ym.sample + oy * ym.sh + ox * ym.sw;
    EPILOGUE_OF(n);
    for (int i = 0; i < ym.c; i += VW) {
        const int c = min(i, ym.c - VW);
        V acc[P];
#pragma unroll
        for (int p = 0; p < P; p++)
            acc[p] = (V)(0.0f);
        for (int r = 0; r < conv.kh; r++) {
            const int iy = y0 + r * conv.dilation_h;
            if (iy < 0 || iy >= xm.h)
                continue;
            for (int s = 0; s < conv.kw; s++) {
                const V w = VLOAD(weights + (r * conv.kw + s) * ym.c + c);
                __global const REAL *in = x + iy * xm.sh + s * conv.dilation_w * xm.sw + c;
                const int ix = x0 + s * conv.dilation_w;
#pragma unroll
                for (int p = 0; p < P; p++)
                    if (inside || (uint)(ix + p * conv.stride_w) < (uint)xm.w)
                        acc[p] = fma(VLOAD_REAL(in + p * step), w, acc[p]);
            }
        }
#pragma unroll
        for (int p = 0; p < P; p++) {
            if (ox + p >= ym.w)
                continue;
            V v = SCALED_SUM(acc[p], VLOAD(scale + c)) + VLOAD(bias + c);
            if (RESIDUAL)
                v += VLOAD_REAL(residual + p * rm.sw + c);
            VSTORE_REAL(FINISHED(v, VLOAD(post + c)), y + p * ym.sw + c);
        }
    }
}

#endif
#endif
