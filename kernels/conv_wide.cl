/* conv_wide.cl - convolutions that memory bounds on GPUs: depthwise ones, and those with few outputs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sums are those of conv.cl. Channels are taken eight at a time, in whole aligned blocks.
 *
 * Defines: ACT, RESIDUAL 0 or 1.
 *   conv_depthwise_wide   T, the type of x, residual and y; KW, STRIDE and DILATION along rows; P
 *                         pixels of a row per work-item
 *   conv_few              TX TR TY, types; K outputs; LANES work-items per pixel, of GROUP in a group,
 *                         both powers of 2
 * Buffers: x [C][H][W], residual and y [K][OH][OW] as maps; weights and bias beside each kernel.
 * Accumulation: float.
 * Launch: dimension 2 is the sample; the others beside each kernel.
 */
#include "common.clh"
#include "types.clh"
#include "wide.clh"

/* As in conv.cl. */
typedef struct {
    int groups, c, k;
    int kh, kw;
    int stride_h, stride_w, dilation_h, dilation_w;
    int pad_h, pad_w;
} Conv;

#ifndef K

#define WINDOW ((P - 1) * STRIDE + (KW - 1) * DILATION + 1) /* columns that P pixels see */

/* One work-item: P pixels of one row, eight channels. Each column of the window is loaded once and
 * goes to the sums of all pixels that see it.
 * weights: [C / 8][kh][KW][8]. bias: [C]. Global: C / 8 * ceil(OW / P) * OH, rounded up. */
__kernel void conv_depthwise_wide(__global const T *restrict x, Map xm,
                                  __global const float *restrict weights,
                                  __global const float *restrict bias, __global const T *residual,
                                  Map rm, __global T *y, Map ym, Conv conv, float alpha, float beta)
{
    const int n = get_global_id(2);
    const int blocks = xm.c / WIDE, tiles = (ym.w + P - 1) / P;
    const int tile = get_global_id(0) / blocks, block = get_global_id(0) - tile * blocks;
    const int oy = tile / tiles, ox = (tile - oy * tiles) * P;
    if (oy >= ym.h)
        return;
    const int x0 = ox * STRIDE - conv.pad_w;
    x += xm.offset + n * xm.sample + block * WIDE;
    weights += block * conv.kh * (KW * WIDE);

    float8 sum[P];
#pragma unroll
    for (int p = 0; p < P; p++)
        sum[p] = WIDE_READ(float, bias + block * WIDE);
    for (int r = 0; r < conv.kh; r++, weights += KW * WIDE) {
        const int iy = oy * conv.stride_h + r * conv.dilation_h - conv.pad_h;
        if ((uint)iy >= (uint)xm.h)
            continue;
        float8 w[KW];
#pragma unroll
        for (int s = 0; s < KW; s++)
            w[s] = WIDE_READ(float, weights + s * WIDE);
#pragma unroll
        for (int i = 0; i < WINDOW; i++) {
            const int ix = x0 + i;
            float8 v = (float8)(0.0f);
            if ((uint)ix < (uint)xm.w)
                v = WIDE_READ(T, x + iy * xm.sh + ix * xm.sw);
#pragma unroll
            for (int p = 0; p < P; p++) {
                const int tap = i - p * STRIDE;
                if (tap >= 0 && tap % DILATION == 0 && tap / DILATION < KW)
                    sum[p] = fma(v, w[tap / DILATION], sum[p]);
            }
        }
    }

    residual += rm.offset + n * rm.sample + oy * rm.sh + block * WIDE;
    y += ym.offset + n * ym.sample + oy * ym.sh + block * WIDE;
#pragma unroll
    for (int p = 0; p < P; p++) {
        if (ox + p >= ym.w)
            return;
        float8 v = sum[p];
        if (RESIDUAL)
            v += WIDE_READ(T, residual + (ox + p) * rm.sw);
        WIDE_WRITE(T, y + (ox + p) * ym.sw, ACTIVATE(v, alpha, beta));
    }
}

#else

#define PIXELS (GROUP / LANES)

static inline float product(float8 a, float8 b)
{
    return dot(a.lo, b.lo) + dot(a.hi, b.hi);
}

/* Few outputs, such as the head of a matting network: LANES work-items share the channels of one
 * pixel, so that a group reads whole lines, and their sums are added in a fixed order. y and residual
 * may lie anyhow. weights: [kh][kw][C / 8][K][8]. bias: [K].
 * Global: ceil(OW * OH / PIXELS) * GROUP. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
conv_few(__global const TX *restrict x, Map xm, __global const float *restrict weights,
         __global const float *restrict bias, __global const TR *residual, Map rm, __global TY *y,
         Map ym, Conv conv, float alpha, float beta)
{
    __local float all[GROUP * K];
    const int n = get_global_id(2), thread = get_local_id(0), lane = thread % LANES;
    const int first = get_group_id(0) * PIXELS, pixel = first + thread / LANES;
    const int oy = pixel / ym.w, ox = pixel - oy * ym.w;
    const int blocks = xm.c / WIDE;

    x += xm.offset + n * xm.sample;
    float sum[K];
#pragma unroll
    for (int k = 0; k < K; k++)
        sum[k] = 0.0f;
    for (int tap = 0; tap < conv.kh * conv.kw; tap++) {
        const int r = tap / conv.kw, s = tap - r * conv.kw;
        const int iy = oy * conv.stride_h + r * conv.dilation_h - conv.pad_h;
        const int ix = ox * conv.stride_w + s * conv.dilation_w - conv.pad_w;
        if (oy >= ym.h || (uint)iy >= (uint)xm.h || (uint)ix >= (uint)xm.w)
            continue;
        __global const TX *in = x + iy * xm.sh + ix * xm.sw;
        for (int block = lane; block < blocks; block += LANES) {
            const float8 v = WIDE_READ(TX, in + block * WIDE);
            __global const float *w = weights + (tap * blocks + block) * (K * WIDE);
#pragma unroll
            for (int k = 0; k < K; k++)
                sum[k] += product(v, WIDE_READ(float, w + k * WIDE));
        }
    }
#pragma unroll
    for (int k = 0; k < K; k++)
        all[thread * K + k] = sum[k];
    barrier(CLK_LOCAL_MEM_FENCE);

    residual += rm.offset + n * rm.sample;
    y += ym.offset + n * ym.sample;
    for (int i = thread; i < PIXELS * K; i += GROUP) {
        const int k = i / PIXELS, p = i % PIXELS;
        const int to_y = (first + p) / ym.w, to_x = first + p - to_y * ym.w;
        if (to_y >= ym.h)
            continue;
        float v = bias[k];
        for (int l = 0; l < LANES; l++)
            v += all[(p * LANES + l) * K + k];
        if (RESIDUAL)
            v += READ(TR, residual, k * rm.sc + to_y * rm.sh + to_x * rm.sw);
        WRITE(TY, y, k * ym.sc + to_y * ym.sh + to_x * ym.sw, ACTIVATE(v, alpha, beta));
    }
}

#endif
