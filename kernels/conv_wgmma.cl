/* conv_wgmma.cl - 2-D convolution on Hopper's tensor cores: fp16 NHWC, implicit GEMM by wgmma.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The GEMM of conv_tensor.cl: rows are the output pixels of one sample, columns its channels, the
 * inner dimension is taps times channels. Two warpgroups share a tile; each multiplies its half of
 * the pixels by all channels of the tile straight from local memory. Pixels are gathered by all
 * threads, 16 bytes each (cp.async), weights come as one block that is packed in the order in which
 * local memory wants it (cp.async.bulk). One barrier per step: at step k it says that nobody reads
 * step k - 2 any more, and into its place goes step k + STAGES - 2 while the tensor cores are busy.
 *
 * Inner dimension: [block of channels][filter row][filter column][channel of the block], rounded up
 * to BK. Blocks hold BK channels where that divides them, so that the taps of a block follow each
 * other and find their pixels in the L2 cache; else all of them.
 *
 * Defines   BM, BN         tile: pixels (a multiple of 128) x channels (64, 128 or 256)
 *           STAGES         tiles in local memory, those on their way included; at least 3
 *           SPLITS         parts that the inner dimension is cut into (split-K); above 1 the sums
 *                          go to `partial` and the last work-group of a tile adds them
 *           ACT, SCALED, RESIDUAL, PHASES, MOMENTS  see common.clh and conv_epilogue.clh
 * Buffers   in   Map, halves, channels dense, pixel strides and offset multiples of 8
 *           w    [channel tile][step][BN][BK] halves, zero beyond the last; each [BN][BK] swizzled
 *                (hopper.clh)
 *           bias [K] floats
 *           out  Map, halves, channels dense, strides and offset multiples of 8, K too
 * Sums in fp32. Launch: one work-group of THREADS per (pixel tile * N_PHASES, channel tile * SPLITS,
 * sample).
 */
#include "common.clh"
#include "types.clh"
#include "wide.clh"

#define WARPGROUPS 2
#define THREADS (WARPGROUPS * 128)
#define BK 64 /* one row of the swizzle */
#define ROW_BYTES (BK * 2)
#define CHUNKS (BK / 8)                 /* 16-byte pieces of a row */
#define BLOCKS_M (BM / 64 / WARPGROUPS) /* products of 64 pixels per warpgroup */
#define A_BYTES (BM * BK * 2)
#define B_BYTES (BN * BK * 2)
#define STAGE_BYTES (A_BYTES + B_BYTES)
#define LOAD_BYTES (STAGES * STAGE_BYTES)
#define TILE_BYTES (LOAD_BYTES > STORE_BYTES ? LOAD_BYTES : STORE_BYTES)

#include "tensor_core.clh"
#include "hopper.clh"
#include "conv_epilogue.clh"

#define SUMS (BLOCKS_M * BN / 2)
#define SUM(i) sum[(i) / (BN / 2)][(i) % (BN / 2)]
#define MULTIPLY SELECT(WARPGROUP_MULTIPLY_, BN)
#define FINISH SELECT(WARPGROUP_FINISH_, BN)

/* Rows of pixels that one thread loads. */
#define ROWS_PER_PASS (THREADS / CHUNKS)
#define A_ROWS (BM / ROWS_PER_PASS)

__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1))) void
conv_wgmma(CONV_PARAMETERS)
{
    __local uchar tile[TILE_BYTES] __attribute__((aligned(TILE_ALIGNMENT)));
    __local ulong arrived[STAGES]; /* the weights of a stage */
    TENSOR_CORE_SCRATCH
    const int thread = get_local_id(0), lane = thread & 31, warp = thread >> 5;
    const int warpgroup = thread / WARPGROUP;
    TAKE_PHASE();
    const int pixels = out.h * out.w;
    const int m0 = get_group_id(0) / N_PHASES * BM;
    const int n0 = (get_group_id(1) / SPLITS) * BN, split = get_group_id(1) % SPLITS;
    const ulong sample = get_global_id(2);
    const uint base = LOCAL_ADDRESS(tile), barriers = LOCAL_ADDRESS(arrived);
    __global const ushort *x = in_base + in.offset + sample * in.sample;

    if (thread == 0) {
        for (int stage = 0; stage < STAGES; stage++)
            BULK_INIT(barriers + stage * 8);
        BULK_PUBLISH();
    }
    barrier(CLK_LOCAL_MEM_FENCE);

    /* Every thread loads one chunk column of several rows; their places are found once. */
    const int load_row = thread / CHUNKS, load_chunk = thread % CHUNKS;
    int row_y[A_ROWS], row_x[A_ROWS], row_at[A_ROWS];
#pragma unroll
    for (int i = 0; i < A_ROWS; i++) {
        const int m = m0 + load_row + i * ROWS_PER_PASS;
        const int y = m / out.w;
        row_y[i] = m < pixels ? y * f.stride_y - f.pad_y : -(1 << 28);
        row_x[i] = (m - y * out.w) * f.stride_x - f.pad_x;
        row_at[i] = (y * f.stride_y - f.pad_y) * in.sh + row_x[i] * in.sw;
    }

    /* The steps of this split, and block, tap and channel of the chunk that this thread loads
     * next. */
    const int c8 = (in.c + 7) & ~7, block = c8 % BK == 0 ? BK : c8;
    const int depth = f.rows * f.columns * c8;
    const int steps_all = (depth + BK - 1) / BK;
    const int first = (int)((long)steps_all * split / SPLITS);
    const int steps = (int)((long)steps_all * (split + 1) / SPLITS) - first;
    const int flat = first * BK + load_chunk * 8;
    int c = flat % block, s = flat / block % f.columns, r = flat / block / f.columns % f.rows;
    int c0 = flat / block / f.columns / f.rows * block;
    __global const ushort *weights = w + ((long)(n0 / BN) * steps_all + first) * (BN * BK);

#define LOAD_STAGE(stage)                                                                          \
    do {                                                                                           \
        const uint to = base + (stage)*STAGE_BYTES;                                                \
        if (thread == 0)                                                                           \
            COPY_BULK(to + A_BYTES, weights, B_BYTES, barriers + (stage)*8);                       \
        weights += BN * BK;                                                                        \
        const int dy = r * f.dilation_y, dx = s * f.dilation_x;                                    \
        const int bytes = clamp(2 * (in.c - c0 - c), 0, 16);                                       \
        const int tap = dy * in.sh + dx * in.sw + c0 + c;                                          \
        _Pragma("unroll") for (int i = 0; i < A_ROWS; i++)                                         \
        {                                                                                          \
            const int inside = (uint)(row_y[i] + dy) < (uint)in.h &&                               \
                               (uint)(row_x[i] + dx) < (uint)in.w && bytes > 0;                    \
            COPY_ASYNC(to + SWIZZLE(ROW_BYTES, load_row + i * ROWS_PER_PASS, load_chunk),          \
                       x + (inside ? row_at[i] + tap : 0), inside ? bytes : 0);                    \
        }                                                                                          \
        c += BK;                                                                                   \
        while (c >= block) {                                                                       \
            c -= block;                                                                            \
            if (++s == f.columns) {                                                                \
                s = 0;                                                                             \
                if (++r == f.rows) {                                                               \
                    r = 0;                                                                         \
                    c0 += block;                                                                   \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    } while (0)

    float sum[BLOCKS_M][BN / 2];
#pragma unroll
    for (int i = 0; i < BLOCKS_M; i++)
#pragma unroll
        for (int e = 0; e < BN / 2; e++)
            sum[i][e] = 0.0f;

    for (int step = 0; step < STAGES - 2; step++) {
        if (step < steps)
            LOAD_STAGE(step);
        COPY_COMMIT();
    }
#ifdef EMULATE
    barrier(CLK_LOCAL_MEM_FENCE); /* without it PoCL 3.1 makes wrong code of the two loops */
#endif
    for (int step = 0; step < steps; step++) {
        const int stage = step % STAGES;
        COPY_WAIT(STAGES - 3);
        BULK_WAIT(barriers + stage * 8, step / STAGES & 1);
        WARPGROUP_PUBLISH();
        barrier(CLK_LOCAL_MEM_FENCE);

        const uint from = base + stage * STAGE_BYTES;
        const ulong a =
            matrix_at(from + warpgroup * BLOCKS_M * 64 * ROW_BYTES, ROW_BYTES, 8 * ROW_BYTES);
        const ulong b = matrix_at(from + A_BYTES, ROW_BYTES, 8 * ROW_BYTES);
        WARPGROUP_ARRIVE();
#pragma unroll
        for (int k = 0; k < BK / 16; k++)
#pragma unroll
            for (int i = 0; i < BLOCKS_M; i++)
                MULTIPLY(sum[i], a + (ulong)(i * 64 * ROW_BYTES >> 4) + MATRIX_COLUMNS_16(k),
                         b + MATRIX_COLUMNS_16(k));
        WARPGROUP_COMMIT();

        if (step + STAGES - 2 < steps)
            LOAD_STAGE((step + STAGES - 2) % STAGES);
        COPY_COMMIT();
        WARPGROUP_WAIT(1);
    }
#pragma unroll
    for (int i = 0; i < BLOCKS_M; i++)
        FINISH(sum[i]);
    barrier(CLK_LOCAL_MEM_FENCE);

    /* Two columns of two rows per eight columns, see WARPGROUP_MULTIPLY. */
    const int my_row = warpgroup * BLOCKS_M * 64 + (warp & 3) * 16 + (lane >> 2);
    const int my_column = (lane & 3) * 2;
    JOIN_PARTS();
    EPILOGUE_OF(sample);
    __local ushort *rows = (__local ushort *)tile;
#pragma unroll
    for (int i = 0; i < BLOCKS_M; i++)
#pragma unroll
        for (int e = 0; e < BN / 2; e += 2) {
            const int row = my_row + i * 64 + 8 * (e >> 1 & 1), n = my_column + (e >> 2) * 8;
            const float2 v = (float2)(sum[i][e], sum[i][e + 1]);
            keep_pair(rows, row, n, v, bias, n0, out.c, FINISH_AT(0));
        }
    barrier(CLK_LOCAL_MEM_FENCE);
    write_rows(rows, thread, m0, n0, sample, RESIDUAL_ARGUMENTS out_base, out,
               POOLED_ARGUMENTS FINISH_AT(0));
#ifdef MOMENTS
    FINISH_MOMENTS(rows, m0);
#endif
}
