/* conv_tiled.cl - 2-D convolution for GPUs without tensor cores, and in float32: implicit GEMM.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sums are those of conv.cl. Rows of the GEMM are the output pixels of one sample, columns its
 * channels; the inner dimension is one row of filter taps times channels. A work-group brings a tile of
 * each operand into local memory and each work-item has TM x TN sums in registers; the next tiles are
 * on their way from global memory while it adds.
 *
 * Defines: TX TR TY, types of x, residual and y; RESIDUAL 0, 1 or, behind ACT, 2; ACT, SCALED, see
 *   common.clh;
 *   BM BN, pixels and channels of a tile; TM TN, those of a work-item, multiples of 4;
 *   WIDE_X: x has whole aligned blocks of eight channels; WIDE_Y: y and residual have.
 * Buffers: x [C][H][W], residual and y [K][OH][OW] as maps of any strides.
 *   weights: [kh * kw * C rounded up to BK][K rounded up to BN] floats, zero beyond.
 *   bias: [K] floats.
 * Accumulation: float.
 * Launch: ceil(OH * OW / BM) * GROUP, ceil(K / BN), samples.
 */
#include "common.clh"
#include "types.clh"
#include "wide.clh"

#define BK 16 /* mirrored in launch_conv_tiled.c */
#define GROUP (BM / TM * (BN / TN))

/* What a work-item loads at once: eight channels of a pixel, or one. */
#if WIDE_X
#define EACH WIDE
typedef float8 Load;
#define LOAD_X(at) WIDE_READ(TX, x + (at))
#define KEEP_X(to, v)                                                                              \
    do {                                                                                           \
        float keep[EACH];                                                                          \
        vstore8(v, 0, keep);                                                                       \
        _Pragma("unroll") for (int e = 0; e < EACH; e++)(to)[e * A_PITCH] = keep[e];               \
    } while (0)
#else
#define EACH 1
typedef float Load;
#define LOAD_X(at) READ(TX, x, at)
#define KEEP_X(to, v) *(to) = (v)
#endif

#define A_PITCH (BM + 4)              /* keeps the banks of neighbouring rows apart, and rows aligned */
#define A_ACROSS (BK / EACH)          /* work-items side by side along the inner dimension */
#define A_APART (GROUP / A_ACROSS)    /* pixels between the loads of one */
#define A_LOADS (BM / A_APART)
#define B_APART (GROUP / (BN / 4))    /* rows between a work-item's loads of four weights */
#define B_LOADS (BK / B_APART)
#define ITEMS_N (BN / TN)

/* As in conv.cl; one group. */
typedef struct {
    int groups, c, k;
    int kh, kw;
    int stride_h, stride_w, dilation_h, dilation_w;
    int pad_h, pad_w;
} Conv;

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
conv_tiled(__global const TX *restrict x, Map xm, __global const float *restrict weights,
           __global const float *restrict bias, __global const TR *residual, Map rm, __global TY *y,
           Map ym, Conv conv, EPILOGUE_PARAMETERS)
{
    __local float a_tile[BK * A_PITCH] __attribute__((aligned(16)));
    __local float b_tile[BK * BN] __attribute__((aligned(16)));
    const int n = get_global_id(2), thread = get_local_id(0);
    const int m0 = get_group_id(0) * BM, k0 = get_group_id(1) * BN;
    const int pitch = get_num_groups(1) * BN;
    x += xm.offset + n * xm.sample;

    /* Each work-item loads the same part of the inner dimension for several pixels. */
    const int column = thread % A_ACROSS * EACH, row = thread / A_ACROSS;
    const int depth = conv.kh * conv.kw * xm.c;
    int iy0[A_LOADS], ix0[A_LOADS];
#pragma unroll
    for (int i = 0; i < A_LOADS; i++) {
        const int m = m0 + row + i * A_APART, oy = m / ym.w;
        iy0[i] = oy < ym.h ? oy * conv.stride_h - conv.pad_h : -(1 << 28);
        ix0[i] = (m - oy * ym.w) * conv.stride_w - conv.pad_w;
    }
    int c = column % xm.c, tap = column / xm.c;
    weights += (thread / (BN / 4)) * pitch + k0 + thread % (BN / 4) * 4;

    float sum[TM][TN];
#pragma unroll
    for (int i = 0; i < TM; i++)
#pragma unroll
        for (int j = 0; j < TN; j++)
            sum[i][j] = 0.0f;

    const int item_m = thread / ITEMS_N * TM, item_n = thread % ITEMS_N * TN;
    Load a_next[A_LOADS];
    float4 b_next[B_LOADS];
#define LOAD_NEXT(first)                                                                           \
    do {                                                                                           \
        const int r = tap / conv.kw, s = tap - r * conv.kw;                                        \
        const bool real = (first) + column < depth;                                                \
        _Pragma("unroll") for (int i = 0; i < A_LOADS; i++)                                        \
        {                                                                                          \
            const int iy = iy0[i] + r * conv.dilation_h, ix = ix0[i] + s * conv.dilation_w;        \
            const bool inside = real && (uint)iy < (uint)xm.h && (uint)ix < (uint)xm.w;            \
            const Load v = LOAD_X(inside ? c * xm.sc + iy * xm.sh + ix * xm.sw : 0);               \
            a_next[i] = inside ? v : (Load)(0.0f);                                                 \
        }                                                                                          \
        _Pragma("unroll") for (int i = 0; i < B_LOADS; i++) b_next[i] =                            \
            *(__global const float4 *)(weights + i * B_APART * pitch);                             \
        weights += BK * pitch;                                                                     \
        c += BK;                                                                                   \
        while (c >= xm.c) {                                                                        \
            c -= xm.c;                                                                             \
            tap++;                                                                                 \
        }                                                                                          \
    } while (0)

    if (depth > 0)
        LOAD_NEXT(0);
    for (int first = 0; first < depth; first += BK) {
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int i = 0; i < A_LOADS; i++)
            KEEP_X(a_tile + column * A_PITCH + row + i * A_APART, a_next[i]);
#pragma unroll
        for (int i = 0; i < B_LOADS; i++)
            *(__local float4 *)(b_tile + (thread + i * GROUP) * 4) = b_next[i];
        barrier(CLK_LOCAL_MEM_FENCE);
        if (first + BK < depth)
            LOAD_NEXT(first + BK);
#pragma unroll
        for (int k = 0; k < BK; k++) {
            float a[TM], b[TN];
#pragma unroll
            for (int i = 0; i < TM; i += 4)
                vstore4(*(__local const float4 *)(a_tile + k * A_PITCH + item_m + i), 0, a + i);
#pragma unroll
            for (int j = 0; j < TN; j += 4)
                vstore4(*(__local const float4 *)(b_tile + k * BN + item_n + j), 0, b + j);
#pragma unroll
            for (int i = 0; i < TM; i++)
#pragma unroll
                for (int j = 0; j < TN; j++)
                    sum[i][j] = fma(a[i], b[j], sum[i][j]);
        }
    }

    residual += rm.offset + n * rm.sample;
    y += ym.offset + n * ym.sample;
    EPILOGUE_OF(n);
#pragma unroll
    for (int i = 0; i < TM; i++) {
        const int m = m0 + item_m + i, oy = m / ym.w, ox = m - oy * ym.w;
        if (oy >= ym.h)
            continue;
#if WIDE_Y
#pragma unroll
        for (int j = 0; j < TN; j += 4) {
            const int k = k0 + item_n + j;
            if (k >= conv.k)
                continue;
            float4 v = SCALED_SUM(vload4(0, sum[i] + j), vload4(0, scale + k)) + vload4(0, bias + k);
            __global const TR *r = residual + k + oy * rm.sh + ox * rm.sw;
            if (RESIDUAL == 1)
                v += QUAD_READ(TR, r);
            v = FINISHED(v, vload4(0, post + k));
            if (RESIDUAL == 2)
                v += QUAD_READ(TR, r);
            QUAD_WRITE(TY, y + k + oy * ym.sh + ox * ym.sw, v);
        }
#else
#pragma unroll
        for (int j = 0; j < TN; j++) {
            const int k = k0 + item_n + j;
            if (k >= conv.k)
                continue;
            float v = SCALED_SUM(sum[i][j], scale[k]) + bias[k];
            const int r = k * rm.sc + oy * rm.sh + ox * rm.sw;
            if (RESIDUAL == 1)
                v += READ(TR, residual, r);
            v = FINISHED(v, post[k]);
            if (RESIDUAL == 2)
                v += READ(TR, residual, r);
            WRITE(TY, y, k * ym.sc + oy * ym.sh + ox * ym.sw, v);
        }
#endif
    }
}
