/* conv_tensor.cl - 2-D convolution on NVIDIA tensor cores: fp16 NHWC, implicit GEMM.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rows of the GEMM are the output pixels of one sample, columns its channels, and the inner
 * dimension runs over filter taps and input channels: out[p][k] = sum over (r, s, c) of
 * in[p + (r, s)][c] * w[k][r][s][c]. Nothing is unrolled into memory; the gather happens while
 * loading (after CUTLASS's multistage implicit GEMM).
 * The inner dimension is one row of taps times channels rounded up to 8: a step of BK covers several
 * taps where there are few channels, and none is filled up at the end of a tap.
 *
 * Defines   BM, BN, BK     tile: pixels x channels x halves of the inner dimension (32 or 64)
 *           WM, WN         part of the tile that one warp computes
 *           STAGES         tiles on their way from global memory at once
 *           SPLITS         parts that the inner dimension is cut into (split-K); above 1 the sums
 *                          go to `partial` and the last work-group of a tile adds them
 *           ACT, SCALED, RESIDUAL, PHASES, MOMENTS  see common.clh and conv_epilogue.clh
 * Buffers   in   Map, halves, channels dense, pixel strides and offset multiples of 8
 *           w    [K][R][S][C8] halves, C8 = C rounded up to 8, the rest zero
 *           bias [K] floats
 *           out  Map, halves, channels dense, strides and offset multiples of 8, K too
 * Sums in fp32. Launch: one work-group of THREADS per (pixel tile * N_PHASES, channel tile * SPLITS,
 * sample).
 */
#include "common.clh"
#include "types.clh"
#include "wide.clh"

#define WARPS_M (BM / WM)
#define WARPS_N (BN / WN)
#define THREADS (WARPS_M * WARPS_N * 32)
#define CHUNKS (BK / 8) /* 16-byte pieces of a row */
#define STAGE_BYTES ((BM + BN) * BK * 2)
#define LOAD_BYTES (STAGES * STAGE_BYTES)
#define TILE_BYTES (LOAD_BYTES > STORE_BYTES ? LOAD_BYTES : STORE_BYTES)

#include "tensor_core.clh"
#include "conv_epilogue.clh"

#define SUMS (WM / 16 * (WN / 8) * 4)
#define SUM(i) sum[(i) / 4 / (WN / 8)][(i) / 4 % (WN / 8)][(i) % 4]

/* Where chunk `chunk` of row `row` lies: chunks are permuted within a row so that the eight rows of
 * a matrix load hit eight different groups of banks. */
#if BK == 64
#define SWIZZLE(row, chunk) ((uint)((row)*128 + ((((chunk) ^ (row)) & 7) << 4)))
#else
#define SWIZZLE(row, chunk) ((uint)((row)*64 + ((((chunk) ^ ((row) >> 1)) & 3) << 4)))
#endif

/* Rows of the tile that one thread loads, and the state of the walk over taps and channels. */
#define ROWS_PER_PASS (THREADS / CHUNKS)
#define A_ROWS (BM / ROWS_PER_PASS)
#define B_ROWS ((BN + ROWS_PER_PASS - 1) / ROWS_PER_PASS)

__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1))) void
conv_tensor(CONV_PARAMETERS)
{
    __local uchar tile[TILE_BYTES] __attribute__((aligned(128)));
    TENSOR_CORE_SCRATCH
    const int thread = get_local_id(0), lane = thread & 31, warp = thread >> 5;
    const int warp_m = warp % WARPS_M, warp_n = warp / WARPS_M;
    TAKE_PHASE();
    const int pixels = out.h * out.w;
    const int m0 = get_group_id(0) / N_PHASES * BM;
    const int n0 = (get_group_id(1) / SPLITS) * BN, split = get_group_id(1) % SPLITS;
    const ulong sample = get_global_id(2);
    const uint base = LOCAL_ADDRESS(tile);
    __global const ushort *x = in_base + in.offset + sample * in.sample;

    /* Every thread loads one chunk column of several rows; their places are found once. */
    const int load_row = thread / CHUNKS, load_chunk = thread % CHUNKS;
    const int c8 = (in.c + 7) & ~7;
    int row_y[A_ROWS], row_x[A_ROWS];
#pragma unroll
    for (int i = 0; i < A_ROWS; i++) {
        const int m = m0 + load_row + i * ROWS_PER_PASS;
        const int y = m / out.w;
        row_y[i] = m < pixels ? y * f.stride_y - f.pad_y : -(1 << 28);
        row_x[i] = (m - y * out.w) * f.stride_x - f.pad_x;
    }

    /* The steps of this split, and the tap and channel of the chunk that this thread loads next. */
    const int depth = f.rows * f.columns * c8;
    const int steps_all = (depth + BK - 1) / BK;
    const int first = (int)((long)steps_all * split / SPLITS);
    const int steps = (int)((long)steps_all * (split + 1) / SPLITS) - first;
    int flat = first * BK + load_chunk * 8;
    const int columns = max(f.columns, 1); /* no taps: a phase that no input reaches */
    int c = flat % c8, s = flat / c8 % columns, r = flat / c8 / columns;

#define LOAD_STAGE(stage)                                                                          \
    do {                                                                                           \
        const uint to_a = base + (stage)*STAGE_BYTES, to_b = to_a + BM * BK * 2;                   \
        const int bytes = flat < depth ? min(2 * (in.c - c), 16) : 0;                              \
        const int dy = r * f.dilation_y, dx = s * f.dilation_x;                                    \
        _Pragma("unroll") for (int i = 0; i < A_ROWS; i++)                                         \
        {                                                                                          \
            const int iy = row_y[i] + dy, ix = row_x[i] + dx;                                      \
            const int inside = bytes > 0 && (uint)iy < (uint)in.h && (uint)ix < (uint)in.w;        \
            __global const ushort *from = inside ? x + (long)iy * in.sh + (long)ix * in.sw + c : x; \
            COPY_ASYNC(to_a + SWIZZLE(load_row + i * ROWS_PER_PASS, load_chunk), from,             \
                       inside ? bytes : 0);                                                        \
        }                                                                                          \
        _Pragma("unroll") for (int i = 0; i < B_ROWS; i++)                                         \
        {                                                                                          \
            const int row = load_row + i * ROWS_PER_PASS;                                          \
            const int inside = flat < depth && n0 + row < out.c;                                   \
            __global const ushort *from = inside ? w + (long)(n0 + row) * depth + flat : w;        \
            if (BN % ROWS_PER_PASS == 0 || row < BN)                                               \
                COPY_ASYNC(to_b + SWIZZLE(row, load_chunk), from, inside ? 16 : 0);                \
        }                                                                                          \
        flat += BK;                                                                                \
        c += BK;                                                                                   \
        while (c >= c8) {                                                                          \
            c -= c8;                                                                               \
            if (++s == f.columns) {                                                                \
                s = 0;                                                                             \
                r++;                                                                               \
            }                                                                                      \
        }                                                                                          \
    } while (0)

    float sum[WM / 16][WN / 8][4];
#pragma unroll
    for (int i = 0; i < WM / 16; i++)
#pragma unroll
        for (int j = 0; j < WN / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                sum[i][j][e] = 0.0f;

    for (int step = 0; step < STAGES - 1; step++) {
        if (step < steps)
            LOAD_STAGE(step);
        COPY_COMMIT();
    }
    for (int step = 0; step < steps; step++) {
        COPY_WAIT(STAGES - 2);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (step + STAGES - 1 < steps)
            LOAD_STAGE((step + STAGES - 1) % STAGES);
        COPY_COMMIT();

        const uint from_a = base + (step % STAGES) * STAGE_BYTES, from_b = from_a + BM * BK * 2;
#pragma unroll
        for (int k = 0; k < BK / 16; k++) {
            uint a[WM / 16][4], b[WN / 8][2];
#pragma unroll
            for (int i = 0; i < WM / 16; i++)
                LOAD_MATRIX_4(a[i], from_a + SWIZZLE(warp_m * WM + i * 16 + (lane & 15),
                                                     k * 2 + (lane >> 4)));
#pragma unroll
            for (int j = 0; j < WN / 16; j++) {
                uint pair[4];
                LOAD_MATRIX_4(pair, from_b + SWIZZLE(warp_n * WN + j * 16 + (lane & 7) +
                                                         ((lane >> 4) << 3),
                                                     k * 2 + ((lane >> 3) & 1)));
                b[j * 2][0] = pair[0];
                b[j * 2][1] = pair[1];
                b[j * 2 + 1][0] = pair[2];
                b[j * 2 + 1][1] = pair[3];
            }
#pragma unroll
            for (int i = 0; i < WM / 16; i++)
#pragma unroll
                for (int j = 0; j < WN / 8; j++)
                    MULTIPLY_ADD(sum[i][j], a[i], b[j]);
        }
    }
    COPY_WAIT(0);
    barrier(CLK_LOCAL_MEM_FENCE);

    JOIN_PARTS();
    EPILOGUE_OF(sample);
    __local ushort *rows = (__local ushort *)tile;
#pragma unroll
    for (int i = 0; i < WM / 16; i++)
#pragma unroll
        for (int j = 0; j < WN / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e += 2)
                keep_pair(rows, warp_m * WM + i * 16 + (lane >> 2) + 8 * (e >> 1),
                          warp_n * WN + j * 8 + (lane & 3) * 2,
                          (float2)(sum[i][j][e], sum[i][j][e + 1]), bias, n0, out.c,
                          FINISH_AT(0));
    barrier(CLK_LOCAL_MEM_FENCE);
    write_rows(rows, thread, m0, n0, sample, RESIDUAL_ARGUMENTS out_base, out,
               POOLED_ARGUMENTS FINISH_AT(0));
#ifdef MOMENTS
    FINISH_MOMENTS(rows, m0);
#endif
}
