/* conv_narrow.cl - convolution to a few outputs, such as the alpha at the end of a matting network:
 * vectors run along the inputs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: VW, K outputs, P pixels held in registers, FP16; ACT, SCALED,
 *   PRESCALED, see common.clh;
 *   RESIDUAL 0 or 1.
 * Buffers: x [C][H][W] with sc == 1 and C >= VW, residual and y [K][OH][OW] as maps;
 *   weights [kh][kw][ceil(C / VW)][K][VW]: the last vector of channels ends with the last channel,
 *   and those that an earlier one has are zero in it; bias [K]; zeros [C].
 * Accumulation: float, a vector of partial sums per output, added up at the end.
 * Launch: CHUNK pixels, counted through the rows of the map, a work-item. Global:
 *   ceil(OH * OW / CHUNK); dimension 2 is the sample.
 */
#include "common.clh"
#include "vectors.clh"

#define CHUNK 32

/* Mirrored in launch_conv.h. */
typedef struct {
    int groups, c, k;
    int kh, kw;
    int stride_h, stride_w, dilation_h, dilation_w;
    int pad_h, pad_w;
} Conv;

/* The sums of P pixels from number @first on. */
static inline void add_up(__global const REAL *x, Map xm, __global const float *weights,
                          __global const REAL *zeros, Map ym, Conv conv, int first,
                          V acc[K][P] PRESCALE_PARAMETERS)
{
    int py[P], px[P];
    int oy = first / ym.w, ox = first % ym.w;
#pragma unroll
    for (int p = 0; p < P; p++) {
        py[p] = oy * conv.stride_h - conv.pad_h;
        px[p] = ox * conv.stride_w - conv.pad_w;
        if (++ox == ym.w) {
            ox = 0;
            oy++;
        }
#pragma unroll
        for (int k = 0; k < K; k++)
            acc[k][p] = (V)(0.0f);
    }
    for (int r = 0; r < conv.kh; r++) {
        for (int s = 0; s < conv.kw; s++) {
            __global const REAL *in[P];
#pragma unroll
            for (int p = 0; p < P; p++) {
                const int iy = py[p] + r * conv.dilation_h;
                const int ix = px[p] + s * conv.dilation_w;
                const bool inside = (uint)iy < (uint)xm.h && (uint)ix < (uint)xm.w;
                in[p] = inside ? x + iy * xm.sh + ix * xm.sw : zeros;
            }
            for (int i = 0; i < conv.c; i += VW, weights += K * VW) {
                const int c = min(i, conv.c - VW);
#pragma unroll
                for (int p = 0; p < P; p++) {
                    const V v = PRESCALED_X(VLOAD_REAL(in[p] + c), VLOAD(in_scale + c));
#pragma unroll
                    for (int k = 0; k < K; k++)
                        acc[k][p] = fma(v, VLOAD(weights + k * VW), acc[k][p]);
                }
            }
        }
    }
}

__kernel void conv_narrow(__global const REAL *restrict x, Map xm,
                          __global const float *restrict weights,
                          __global const float *restrict bias, __global const REAL *restrict zeros,
                          __global const REAL *residual, Map rm, __global REAL *y, Map ym,
                          Conv conv, EPILOGUE_PARAMETERS PRESCALE_PARAMETERS)
{
    const int n = get_global_id(2);
    const int start = get_global_id(0) * CHUNK;
    const int stop = min(start + CHUNK, ym.h * ym.w);
    x += xm.offset + n * xm.sample;
    residual += rm.offset + n * rm.sample;
    y += ym.offset + n * ym.sample;
    EPILOGUE_OF(n);
    PRESCALE_OF(n);
    float sums[K][CHUNK];
    for (int first = start; first < stop; first += P) {
        V acc[K][P];
        add_up(x, xm, weights, zeros, ym, conv, first, acc PRESCALE_ARGUMENTS);
#pragma unroll
        for (int p = 0; p < P; p++)
#pragma unroll
            for (int k = 0; k < K; k++)
                sums[k][first - start + p] = SCALED_SUM(sum_of(acc[k][p]), scale[k]) + bias[k];
    }
    for (int k = 0; k < K; k++) {
        int oy = start / ym.w, ox = start - oy * ym.w;
        for (int i = 0; RESIDUAL && i < stop - start; i++) {
            sums[k][i] += LOAD(residual, k * rm.sc + oy * rm.sh + ox * rm.sw);
            oy += ++ox == ym.w;
            ox = ox == ym.w ? 0 : ox;
        }
        /* Vectors of pixels: exp() of one number at a time takes longer than all the sums. */
        for (int i = 0; i < CHUNK; i += VW)
            VSTORE(FINISHED(VLOAD(sums[k] + i), (V)(post[k])), sums[k] + i);
        /* A row at a time: to look for its end at every pixel took as long as the sums. */
        oy = start / ym.w;
        ox = start - oy * ym.w;
        for (int i = 0; i < stop - start; oy++, ox = 0) {
            const int run = min(stop - start - i, ym.w - ox);
            __global REAL *to = y + k * ym.sc + oy * ym.sh + ox * ym.sw;
            for (int end = i + run; i < end; i++, to += ym.sw)
                STORE(to, 0, sums[k][i]);
        }
    }
}
