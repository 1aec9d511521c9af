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
 *   SPLITS, parts of the inner dimension, each summed by a work-group of its own: for maps so small that
 *   few others would be;
 *   WIDE_X: x has aligned blocks of eight channels, all whole, or with 2 the last one not: what lies
 *   behind its channels is read, but does not count; WIDE_Y: y and residual have whole ones.
 * Buffers: x [C][H][W], residual and y [K][OH][OW] as maps of any strides.
 *   weights: [kh * kw * C rounded up to BK][K rounded up to BN] floats, zero beyond; C is that of x, or
 *   of its blocks.
 *   bias: [K] floats.
 *   parts: [SPLITS][OH * OW][K rounded up to BN] floats, what conv_tiled leaves to conv_tiled_sum.
 * Accumulation: float.
 * Launch: ceil(OH * OW / BM) * GROUP, ceil(K / BN) * SPLITS, samples; conv_tiled_sum four channels of a
 * pixel per work-item.
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
#if WIDE_X == 2
#define COUNTED(v, n) select(v, (float8)(0.0f), (int8)(0, 1, 2, 3, 4, 5, 6, 7) >= (int8)(n))
#else
#define COUNTED(v, n) (v)
#endif
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
#define COUNTED(v, n) (v)
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

/* Four channels from @first on of a pixel, from the floats @sums. */
#if WIDE_Y
#define FINISH(sums, first, oy, ox)                                                                \
    do {                                                                                           \
        if ((first) >= conv.k)                                                                     \
            break;                                                                                 \
        float4 v = SCALED_SUM(vload4(0, sums), vload4(0, scale + (first)));                        \
        v += vload4(0, bias + (first));                                                            \
        __global const TR *r = residual + (first) + (oy) * rm.sh + (ox) * rm.sw;                   \
        if (RESIDUAL == 1)                                                                         \
            v += QUAD_READ(TR, r);                                                                 \
        v = FINISHED(v, vload4(0, post + (first)));                                                \
        if (RESIDUAL == 2)                                                                         \
            v += QUAD_READ(TR, r);                                                                 \
        QUAD_WRITE(TY, y + (first) + (oy) * ym.sh + (ox) * ym.sw, v);                              \
    } while (0)
#else
#define FINISH(sums, first, oy, ox)                                                                \
    _Pragma("unroll") for (int e = 0; e < 4; e++)                                                  \
    {                                                                                              \
        if ((first) + e >= conv.k)                                                                 \
            continue;                                                                              \
        float v = SCALED_SUM((sums)[e], scale[(first) + e]) + bias[(first) + e];                   \
        const int r = ((first) + e) * rm.sc + (oy) * rm.sh + (ox) * rm.sw;                         \
        if (RESIDUAL == 1)                                                                         \
            v += READ(TR, residual, r);                                                            \
        v = FINISHED(v, post[(first) + e]);                                                        \
        if (RESIDUAL == 2)                                                                         \
            v += READ(TR, residual, r);                                                            \
        WRITE(TY, y, ((first) + e) * ym.sc + (oy) * ym.sh + (ox) * ym.sw, v);                      \
    }
#endif

#if SPLITS > 1
#define PARTS_PARAMETERS , __global float *restrict parts, Strided ps
#else
#define PARTS_PARAMETERS
#endif

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
conv_tiled(__global const TX *restrict x, Map xm, __global const float *restrict weights,
           __global const float *restrict bias, __global const TR *residual, Map rm, __global TY *y,
           Map ym, Conv conv, EPILOGUE_PARAMETERS PARTS_PARAMETERS)
{
    __local float a_tile[BK * A_PITCH] __attribute__((aligned(16)));
    __local float b_tile[BK * BN] __attribute__((aligned(16)));
    const int n = get_global_id(2), thread = get_local_id(0);
    const int m0 = get_group_id(0) * BM;
    const int k0 = get_group_id(1) / SPLITS * BN, split = get_group_id(1) % SPLITS;
    const int pitch = get_num_groups(1) / SPLITS * BN;
    x += xm.offset + n * xm.sample;

    /* Each work-item loads the same part of the inner dimension for several pixels. */
    const int column = thread % A_ACROSS * EACH, row = thread / A_ACROSS;
    const int channels = (xm.c + EACH - 1) / EACH * EACH, depth = conv.kh * conv.kw * channels;
    const int share = ((depth + BK - 1) / BK + SPLITS - 1) / SPLITS * BK;
    const int begin = split * share, end = min(begin + share, depth);
    int iy0[A_LOADS], ix0[A_LOADS];
#pragma unroll
    for (int i = 0; i < A_LOADS; i++) {
        const int m = m0 + row + i * A_APART, oy = m / ym.w;
        iy0[i] = oy < ym.h ? oy * conv.stride_h - conv.pad_h : -(1 << 28);
        ix0[i] = (m - oy * ym.w) * conv.stride_w - conv.pad_w;
    }
    int c = (begin + column) % channels, tap = (begin + column) / channels;
    weights += (begin + thread / (BN / 4)) * pitch + k0 + thread % (BN / 4) * 4;

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
            a_next[i] = inside ? COUNTED(v, xm.c - c) : (Load)(0.0f);                              \
        }                                                                                          \
        _Pragma("unroll") for (int i = 0; i < B_LOADS; i++) b_next[i] =                            \
            *(__global const float4 *)(weights + i * B_APART * pitch);                             \
        weights += BK * pitch;                                                                     \
        c += BK;                                                                                   \
        while (c >= channels) {                                                                    \
            c -= channels;                                                                         \
            tap++;                                                                                 \
        }                                                                                          \
    } while (0)

    if (begin < end)
        LOAD_NEXT(begin);
    for (int first = begin; first < end; first += BK) {
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int i = 0; i < A_LOADS; i++)
            KEEP_X(a_tile + column * A_PITCH + row + i * A_APART, a_next[i]);
#pragma unroll
        for (int i = 0; i < B_LOADS; i++)
            *(__local float4 *)(b_tile + (thread + i * GROUP) * 4) = b_next[i];
        barrier(CLK_LOCAL_MEM_FENCE);
        if (first + BK < end)
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

#if SPLITS > 1
    const int pixels = ym.h * ym.w;
    parts += ps.offset + n * ps.sample + (size_t)split * pixels * pitch + k0 + item_n;
#pragma unroll
    for (int i = 0; i < TM; i++)
#pragma unroll
        for (int j = 0; j < TN; j += 4)
            if (m0 + item_m + i < pixels)
                *(__global float4 *)(parts + (m0 + item_m + i) * pitch + j) = vload4(0, sum[i] + j);
#else
    residual += rm.offset + n * rm.sample;
    y += ym.offset + n * ym.sample;
    EPILOGUE_OF(n);
#pragma unroll
    for (int i = 0; i < TM; i++) {
        const int m = m0 + item_m + i, oy = m / ym.w, ox = m - oy * ym.w;
        if (oy >= ym.h)
            continue;
#pragma unroll
        for (int j = 0; j < TN; j += 4)
            FINISH(sum[i] + j, k0 + item_n + j, oy, ox);
    }
#endif
}

#if SPLITS > 1

/* y from the sums of the parts. */
__kernel void conv_tiled_sum(__global const float *restrict bias, __global const TR *residual, Map rm,
                             __global TY *y, Map ym, Conv conv, EPILOGUE_PARAMETERS,
                             __global const float *restrict parts, Strided ps)
{
    const int n = get_global_id(2), quads = (conv.k + 3) / 4, pixels = ym.h * ym.w;
    const int m = get_global_id(0) / quads, k = get_global_id(0) % quads * 4;
    if (m >= pixels)
        return;
    const int pitch = (conv.k + BN - 1) / BN * BN;
    parts += ps.offset + n * ps.sample + m * pitch + k;
    float4 all = 0.0f;
#pragma unroll
    for (int i = 0; i < SPLITS; i++)
        all += *(__global const float4 *)(parts + (size_t)i * pixels * pitch);
    float sums[4];
    vstore4(all, 0, sums);
    residual += rm.offset + n * rm.sample;
    y += ym.offset + n * ym.sample;
    EPILOGUE_OF(n);
    FINISH(sums, k, m / ym.w, m % ym.w);
}

#endif
