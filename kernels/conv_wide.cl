/* conv_wide.cl - convolutions that memory bounds on GPUs: depthwise ones, and those with few
 * outputs.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sums are those of conv.cl. Channels are taken eight at a time, in whole aligned blocks.
 *
 * Defines: ACT, SCALED, see common.clh; RESIDUAL 0 or 1;
 *   KH KW; STRIDE and DILATION along rows; P pixels of a row at a time.
 *   conv_depthwise_wide   T, the type of x, residual and y
 *   conv_few              PRESCALED, see common.clh; TX TR TY, types; K outputs; LANES work-items
 *                         for P pixels, of GROUP in a group, all powers of 2
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

/* Columns of x that P pixels see. */
#define WINDOW ((P - 1) * STRIDE + (KW - 1) * DILATION + 1)

#ifndef K

/* One work-item: P pixels of one row, eight channels. Each column of the window is loaded once and
 * goes to the sums of all pixels that see it.
 * weights: [C / 8][KH][KW][8]. bias: [C]. Global: C / 8 * ceil(OW / P) * OH, rounded up. */
__kernel void conv_depthwise_wide(__global const T *restrict x, Map xm,
                                  __global const float *restrict weights,
                                  __global const float *restrict bias, __global const T *residual,
                                  Map rm, __global T *y, Map ym, Conv conv, EPILOGUE_PARAMETERS)
{
    const int n = get_global_id(2);
    const int blocks = xm.c / WIDE, tiles = (ym.w + P - 1) / P;
    const int tile = get_global_id(0) / blocks, block = get_global_id(0) - tile * blocks;
    const int oy = tile / tiles, ox = (tile - oy * tiles) * P;
    if (oy >= ym.h)
        return;
    const int x0 = ox * STRIDE - conv.pad_w;
    x += xm.offset + n * xm.sample + block * WIDE;
    weights += block * (KH * KW * WIDE);

    float8 sum[P];
#pragma unroll
    for (int p = 0; p < P; p++)
        sum[p] = (float8)(0.0f);
#pragma unroll
    for (int r = 0; r < KH; r++) {
        const int iy = oy * conv.stride_h + r * conv.dilation_h - conv.pad_h;
        const bool row_inside = (uint)iy < (uint)xm.h;
        float8 w[KW];
#pragma unroll
        for (int s = 0; s < KW; s++)
            w[s] = WIDE_READ(float, weights + (r * KW + s) * WIDE);
#pragma unroll
        for (int i = 0; i < WINDOW; i++) {
            /* Loaded in any case, so that all loads can be on their way at once. */
            const int ix = x0 + i;
            const bool inside = row_inside && (uint)ix < (uint)xm.w;
            const float8 loaded = WIDE_READ(T, x + (inside ? iy * xm.sh + ix * xm.sw : 0));
            const float8 v = inside ? loaded : (float8)(0.0f);
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
    EPILOGUE_OF(n);
#pragma unroll
    for (int p = 0; p < P; p++) {
        if (ox + p >= ym.w)
            return;
        float8 v = SCALED_SUM(sum[p], vload8(block, scale)) + WIDE_READ(float, bias + block * WIDE);
        if (RESIDUAL)
            v += WIDE_READ(T, residual + (ox + p) * rm.sw);
        WIDE_WRITE(T, y + (ox + p) * ym.sw, FINISHED(v, vload8(block, post)));
    }
}

#else

#define TILES (GROUP / LANES) /* of P pixels, in a group */

static inline float product(float8 a, float8 b)
{
    return dot(a.lo, b.lo) + dot(a.hi, b.hi);
}

/* Few outputs, such as the head of a matting network: LANES work-items share the channels of P
 * pixels of a row, so that a group reads whole lines; their sums are added in a fixed order. A
 * column of the window is loaded once for all pixels that see it: to load it and to make floats of
 * its halves takes longer than the products. y and residual may lie anyhow. weights: [KH][KW][C /
 * 8][K][8] of type TX. bias: [K]. Global: ceil(ceil(OW / P) * OH / TILES) * GROUP. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
conv_few(__global const TX *restrict x, Map xm, __global const TX *restrict weights,
         __global const float *restrict bias, __global const TR *residual, Map rm, __global TY *y,
         Map ym, Conv conv, EPILOGUE_PARAMETERS PRESCALE_PARAMETERS)
{
    __local float all[GROUP * P * K];
    const int n = get_global_id(2), thread = get_local_id(0), lane = thread % LANES;
    const int first = get_group_id(0) * TILES, tiles = (ym.w + P - 1) / P;
    const int tile = first + thread / LANES;
    const int y0 = tile / tiles * conv.stride_h - conv.pad_h;
    const int x0 = tile % tiles * P * STRIDE - conv.pad_w;
    const int blocks = xm.c / WIDE;
    x += xm.offset + n * xm.sample;
    PRESCALE_OF(n);

    float sum[P][K];
#pragma unroll
    for (int p = 0; p < P; p++)
#pragma unroll
        for (int k = 0; k < K; k++)
            sum[p][k] = 0.0f;
    for (int r = 0; r < KH; r++) {
        const int iy = y0 + r * conv.dilation_h;
        const bool row_inside = (uint)iy < (uint)xm.h && tile < tiles * ym.h;
        for (int block = lane; block < blocks; block += LANES) {
            float8 w[KW][K];
#pragma unroll
            for (int s = 0; s < KW; s++)
#pragma unroll
                for (int k = 0; k < K; k++)
                    w[s][k] =
                        WIDE_READ(TX, weights + (((r * KW + s) * blocks + block) * K + k) * WIDE);
#pragma unroll
            for (int i = 0; i < WINDOW; i++) {
                /* As above. Columns between those of a dilated filter are loaded for nobody, which
                 * the compiler sees. */
                const int ix = x0 + i;
                const bool inside = row_inside && (uint)ix < (uint)xm.w;
                const float8 loaded =
                    WIDE_READ(TX, x + (inside ? iy * xm.sh + ix * xm.sw : 0) + block * WIDE);
                const float8 v =
                    inside ? PRESCALED_X(loaded, vload8(block, in_scale)) : (float8)(0.0f);
#pragma unroll
                for (int p = 0; p < P; p++) {
                    const int tap = i - p * STRIDE;
                    if (tap < 0 || tap % DILATION != 0 || tap / DILATION >= KW)
                        continue;
#pragma unroll
                    for (int k = 0; k < K; k++)
                        sum[p][k] += product(v, w[tap / DILATION][k]);
                }
            }
        }
    }
#pragma unroll
    for (int p = 0; p < P; p++)
#pragma unroll
        for (int k = 0; k < K; k++)
            all[(thread * P + p) * K + k] = sum[p][k];
    barrier(CLK_LOCAL_MEM_FENCE);

    residual += rm.offset + n * rm.sample;
    y += ym.offset + n * ym.sample;
    EPILOGUE_OF(n);
    for (int i = thread; i < TILES * P * K; i += GROUP) {
        const int k = i / (TILES * P), pixel = i % (TILES * P);
        const int oy = (first + pixel / P) / tiles,
                  ox = (first + pixel / P) % tiles * P + pixel % P;
        if (oy >= ym.h || ox >= ym.w)
            continue;
        float v = 0.0f;
        for (int l = 0; l < LANES; l++)
            v += all[((pixel / P * LANES + l) * P + pixel % P) * K + k];
        v = SCALED_SUM(v, scale[k]) + bias[k];
        if (RESIDUAL)
            v += READ(TR, residual, k * rm.sc + oy * rm.sh + ox * rm.sw);
        WRITE(TY, y, k * ym.sc + oy * ym.sh + ox * ym.sw, FINISHED(v, post[k]));
    }
}

#endif
