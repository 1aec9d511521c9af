/* conv_fir.cl - depthwise convolutions as resampling filters are: one filter that is an outer
 * product, and transposed ones of a few channels.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sums are those of conv.cl.
 *
 * Defines: ACT, SCALED, see common.clh; RESIDUAL 0 or 1.
 *   conv_fir     T, the type of x, residual and y; KH KW; P pixels and R rows a work-item
 *   conv_fir_up  TX TR TY, types; UP
 * Buffers: x [C][H][W], residual and y [C][OH][OW] as maps; bias [C].
 * Accumulation: float.
 * Launch: dimension 2 is the sample; the others beside each kernel.
 */
#include "common.clh"
#include "types.clh"
#include "wide.clh"

#ifndef UP

typedef struct {
    float row[8], column[8]; /* the filter is row[r] * column[s] */
    int pad_h, pad_w;
} Fir;

#define WINDOW (P + KW - 1)

/* Stride 1, the same filter for every channel; channels lie in whole aligned blocks of eight. One
 * work-item: R rows of P pixels of one block. Each row of the input is filtered along itself once
 * and goes from there to the sums of the KH rows of the output that see it.
 * Global: C / 8 * ceil(OW / P) * ceil(OH / R), rounded up. */
__kernel void conv_fir(__global const T *restrict x, Map xm, __global const float *restrict bias,
                       __global const T *residual, Map rm, __global T *y, Map ym, Fir fir,
                       EPILOGUE_PARAMETERS)
{
    const int n = get_global_id(2);
    const int blocks = xm.c / WIDE, tiles = (ym.w + P - 1) / P;
    const int tile = get_global_id(0) / blocks, block = get_global_id(0) - tile * blocks;
    const int oy = tile / tiles * R, ox = tile % tiles * P;
    if (oy >= ym.h)
        return;
    x += xm.offset + n * xm.sample + block * WIDE;
    residual += rm.offset + n * rm.sample + block * WIDE;
    y += ym.offset + n * ym.sample + block * WIDE;
    EPILOGUE_OF(n);

    float8 sum[KH][P]; /* of output row o in sum[o % KH] */
#pragma unroll
    for (int i = 0; i < R + KH - 1; i++) {
        const int iy = oy + i - fir.pad_h;
        float8 along[P];
#pragma unroll
        for (int p = 0; p < P; p++)
            along[p] = (float8)(0.0f);
        if ((uint)iy < (uint)xm.h) {
#pragma unroll
            for (int s = 0; s < WINDOW; s++) {
                const int ix = ox + s - fir.pad_w;
                const bool inside = (uint)ix < (uint)xm.w;
                const float8 loaded = WIDE_READ(T, x + iy * xm.sh + (inside ? ix : 0) * xm.sw);
                const float8 v = inside ? loaded : (float8)(0.0f);
#pragma unroll
                for (int p = 0; p < P; p++)
                    if (s - p >= 0 && s - p < KW)
                        along[p] = fma(v, (float8)(fir.column[s - p]), along[p]);
            }
        }
#pragma unroll
        for (int r = KH - 1; r >= 0; r--) {
            const int o = i - r;
            if (o < 0 || o >= R)
                continue;
#pragma unroll
            for (int p = 0; p < P; p++)
                sum[o % KH][p] = r == 0 ? along[p] * fir.row[0]
                                        : fma(along[p], (float8)(fir.row[r]), sum[o % KH][p]);
        }
        const int done = i - (KH - 1);
        if (done < 0 || oy + done >= ym.h)
            continue;
#pragma unroll
        for (int p = 0; p < P; p++) {
            if (ox + p >= ym.w)
                continue;
            float8 v = SCALED_SUM(sum[done % KH][p], vload8(block, scale)) +
                       WIDE_READ(float, bias + block * WIDE);
            if (RESIDUAL)
                v += WIDE_READ(T, residual + (oy + done) * rm.sh + (ox + p) * rm.sw);
            WIDE_WRITE(T, y + (oy + done) * ym.sh + (ox + p) * ym.sw,
                       FINISHED(v, vload8(block, post)));
        }
    }
}

#else

typedef struct {
    int kh, kw;
    int stride_h, stride_w;
    int pad_h, pad_w;
} Up;

/* Transposed: pixel (oy, ox) of the output takes tap (r, s) of input ((oy + pad - r) / stride, ..)
 * where that divides. One work-item: one pixel, all channels. weights: [kh][kw][C].
 * Global: OW, rounded up; OH. */
__kernel void conv_fir_up(__global const TX *restrict x, Map xm,
                          __global const float *restrict weights,
                          __global const float *restrict bias, __global const TR *residual, Map rm,
                          __global TY *y, Map ym, Up up, EPILOGUE_PARAMETERS)
{
    const int n = get_global_id(2);
    const int ox = get_global_id(0), oy = get_global_id(1);
    if (ox >= ym.w)
        return;
    x += xm.offset + n * xm.sample;
    residual += rm.offset + n * rm.sample + oy * rm.sh + ox * rm.sw;
    y += ym.offset + n * ym.sample + oy * ym.sh + ox * ym.sw;
    EPILOGUE_OF(n);
    const int y0 = oy + up.pad_h, x0 = ox + up.pad_w;
    for (int c = 0; c < ym.c; c++) {
        float sum = 0.0f;
        for (int r = y0 % up.stride_h; r < up.kh && r <= y0; r += up.stride_h) {
            const int iy = (y0 - r) / up.stride_h;
            if (iy >= xm.h)
                continue;
            for (int s = x0 % up.stride_w; s < up.kw && s <= x0; s += up.stride_w) {
                const int ix = (x0 - s) / up.stride_w;
                if (ix < xm.w)
                    sum = fma(READ(TX, x, c * xm.sc + iy * xm.sh + ix * xm.sw),
                              weights[(r * up.kw + s) * ym.c + c], sum);
            }
        }
        float v = SCALED_SUM(sum, scale[c]) + bias[c];
        if (RESIDUAL)
            v += READ(TR, residual, c * rm.sc);
        WRITE(TY, y, c * ym.sc, FINISHED(v, post[c]));
    }
}

#endif
