/* conv_halo.cl - 2-D convolution with stride 1 on Hopper's tensor cores, each pixel loaded once.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * conv_wgmma.cl gathers the pixels of a tile anew for every tap of the filter. Here a tile is a
 * rectangle of the map: the patch of the input under it, with a margin (halo) for the filter, goes
 * to local memory once per block of channels, and each tap is a product with the patch from another
 * pixel on. That only moves the start in the descriptor: a pixel is a row of the matrix, eight
 * pixels side by side are one group of rows wherever they begin, and the next group is in the next
 * row of the patch. So 64 rows of a product are 8 x 8 pixels.
 *
 * Inner dimension: [block of channels][filter row][filter column][channel of the block]. A step is
 * one tap of a block; its weights come as one block of memory (cp.async.bulk), several steps ahead.
 * As in conv_wgmma, the one barrier of step k says that nobody reads step k - 2 any more. The patch
 * of the next block is loaded piece by piece during the steps of a block but its first, in which
 * the patch before is still being read, and its last, after which it would come too late. With one
 * block whose weights all fit there is nothing to take turns for, and no barrier.
 *
 * Defines   TILE_H         rows of a tile: 8 or 16; its columns are 16
 *           BN             channels of a tile: 16, 32, 64, 128 or 256
 *           ROWS, COLUMNS  of the filter; several blocks of channels need three taps or more
 *           CHUNKS         channels of a block / 8: 2, 4 or 8
 *           STAGES         steps whose weights are in local memory or on their way: at least 3; or
 *                          HOLD, for one block of channels: all of them
 *           PATCHES        2, or 1 where there is one block of channels
 *           SPLITS         parts that the blocks are divided among (split-K); above 1 the sums
 *                          go to `partial` and the last work-group of a tile adds them
 *           ACT, SCALED, RESIDUAL, POOLED, MOMENTS, RESIZED, NORMED  see common.clh,
 *                          conv_epilogue.clh, conv_resized.clh and conv_normed.clh; of several blocks
 *                          an enlarged map alone is NORMED
 * Buffers   in   Map, halves, channels dense, pixel strides and offset multiples of 8
 *           w    [channel tile][block][tap][BN][CHUNKS * 8] halves, zero beyond the last; each
 *                [BN][CHUNKS * 8] swizzled (hopper.clh)
 *           bias [K] floats
 *           out  Map, halves, channels dense, strides and offset multiples of 8, K too
 * Sums in fp32. Launch: one work-group of THREADS per (tile of the map, channel tile * SPLITS,
 * sample).
 */
#include "common.clh"
#include "types.clh"
#include "wide.clh"

#define WARPGROUPS 2
#define THREADS (WARPGROUPS * 128)
#define TILE_W 16
#define BM (TILE_H * TILE_W)
#define BLOCKS_M (BM / 64 / WARPGROUPS) /* products of 8 x 8 pixels per warpgroup */
#define PATCH_W (TILE_W + COLUMNS - 1)
#define PATCH_H (TILE_H + ROWS - 1)
#define PATCH_PIXELS (PATCH_W * PATCH_H)
#define ROW_BYTES (CHUNKS * 16) /* a pixel's or an output's channels of the block */
#define PATCH_BYTES                                                                                \
    ((PATCH_PIXELS * ROW_BYTES + SWIZZLE_ALIGNMENT - 1) / SWIZZLE_ALIGNMENT * SWIZZLE_ALIGNMENT)
#define TAPS (ROWS * COLUMNS)
#define STAGE_BYTES (BN * ROW_BYTES)
#ifdef HOLD
#define STAGES TAPS
#define AHEAD TAPS /* steps whose weights are asked for at the start */
#else
#define AHEAD (STAGES - 2)
#endif
#define LOAD_BYTES (STAGES * STAGE_BYTES + (PATCHES - 1) * PATCH_BYTES + PATCH_PIXELS * ROW_BYTES)
#define TILE_BYTES (LOAD_BYTES > STORE_BYTES ? LOAD_BYTES : STORE_BYTES)

/* Rows of a tile in the order of the products: 8 x 8 pixels, two such side by side, then below. */
#define PLACE_OF_ROW(first, row, out)                                                              \
    ((int2)((first) % TILES_X(out) * TILE_W + ((row) >> 6 & 1) * 8 + ((row)&7),                    \
            (first) / TILES_X(out) * TILE_H + ((row) >> 7) * 8 + ((row) >> 3 & 7)))
#define TILES_X(out) (((out).w + TILE_W - 1) / TILE_W)

#define IS_INSIDE(first, row, out)                                                                 \
    (PLACE_OF_ROW(first, row, out).x < (out).w && PLACE_OF_ROW(first, row, out).y < (out).h)

#include "tensor_core.clh"
#include "hopper.clh"
#include "conv_epilogue.clh"
#define GROUP THREADS
#include "conv_normed.clh"
#include "conv_resized.clh"

#define SUMS (BLOCKS_M * BN / 2)
#define SUM(i) sum[(i) / (BN / 2)][(i) % (BN / 2)]
#define MULTIPLY SELECT(WARPGROUP_MULTIPLY_, BN)
#define FINISH SELECT(WARPGROUP_FINISH_, BN)

/* Passes of all threads over a patch to load it, in all but two steps of the block before. */
#define PASSES ((PATCH_PIXELS * CHUNKS + THREADS - 1) / THREADS)
#define PASSES_PER_STEP ((PASSES + TAPS - 3) / (TAPS - 2))
#define RESIZED_PASSES ((RESIZED_ITEMS + THREADS - 1) / THREADS)

__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1))) void
conv_halo(CONV_PARAMETERS)
{
    __local uchar tile[TILE_BYTES] __attribute__((aligned(TILE_ALIGNMENT)));
    __local ulong arrived[STAGES]; /* the weights of a step */
    TENSOR_CORE_SCRATCH
    const int thread = get_local_id(0), lane = thread & 31, warp = thread >> 5;
    TAKE_PHASE();
    const int warpgroup = thread / WARPGROUP;
    const int first = get_group_id(0);
    const int n0 = (get_group_id(1) / SPLITS) * BN, split = get_group_id(1) % SPLITS;
    const ulong sample = get_global_id(2);
    const uint base = LOCAL_ADDRESS(tile), barriers = LOCAL_ADDRESS(arrived);
    const uint patches = base + STAGES * STAGE_BYTES;
    __global const ushort *x = in_base + in.offset + sample * in.sample;

    if (thread == 0) {
        for (int stage = 0; stage < STAGES; stage++)
            BULK_INIT(barriers + stage * 8);
        BULK_PUBLISH();
    }
    barrier(CLK_LOCAL_MEM_FENCE);

    /* The blocks of this split. */
    const int blocks_all = (in.c + CHUNKS * 8 - 1) / (CHUNKS * 8);
    const int first_block = blocks_all * split / SPLITS;
    const int blocks = blocks_all * (split + 1) / SPLITS - first_block;
    const int steps = blocks * TAPS;
    __global const ushort *weights =
        w + ((long)(n0 / BN) * blocks_all + first_block) * (TAPS * STAGE_BYTES / 2);

    /* The input under the tile's first output, which is outside the map where there is padding. */
    const int2 corner = PLACE_OF_ROW(first, 0, out) - (int2)(f.pad_x, f.pad_y);

#define LOAD_PATCH(block, pass)                                                                    \
    do {                                                                                           \
        const int q = thread + (pass)*THREADS, chunk = q % CHUNKS, pixel = q / CHUNKS;             \
        const int px = corner.x + pixel % PATCH_W, py = corner.y + pixel / PATCH_W;                \
        const int c = (first_block + (block)) * CHUNKS * 8 + chunk * 8;                            \
        const int inside = (uint)px < (uint)in.w && (uint)py < (uint)in.h && c < in.c;             \
        if (pixel < PATCH_PIXELS && IS_STORED(c))                                                  \
            COPY_ASYNC(patches + (block) % PATCHES * PATCH_BYTES +                                 \
                           SWIZZLE(ROW_BYTES, pixel, chunk),                                       \
                       x + (inside ? py * in.sh + px * in.sw + c : 0),                             \
                       inside ? min(2 * (in.c - c), 16) : 0);                                      \
    } while (0)

#ifdef RESIZED
#define LOAD_RESIZED(block, pass)                                                                  \
    do {                                                                                           \
        const int item = thread + (pass)*THREADS, c = (first_block + (block)) * CHUNKS * 8;        \
        if (item < RESIZED_ITEMS && IS_RESIZED(c))                                                 \
            load_resized(tile + STAGES * STAGE_BYTES + (block) % PATCHES * PATCH_BYTES, item,      \
                         corner, c, sample, RESIZED_ARGUMENTS, in FACTOR_ARGUMENTS);                                \
    } while (0)
#else
#define LOAD_RESIZED(block, pass)
#endif

#define LOAD_WEIGHTS(step)                                                                         \
    do {                                                                                           \
        const uint stage = (uint)(step) % STAGES;                                                  \
        COPY_BULK(base + stage * STAGE_BYTES, weights + (long)(step) * (STAGE_BYTES / 2),          \
                  STAGE_BYTES, barriers + stage * 8);                                              \
    } while (0)

    float sum[BLOCKS_M][BN / 2];
#pragma unroll
    for (int i = 0; i < BLOCKS_M; i++)
#pragma unroll
        for (int e = 0; e < BN / 2; e++)
            sum[i][e] = 0.0f;

    for (int step = 0; step < min(AHEAD, steps); step++)
        if (thread == 0)
            LOAD_WEIGHTS(step);
#pragma unroll
    for (int pass = 0; pass < PASSES; pass++)
        LOAD_PATCH(0, pass);
    COPY_COMMIT();
    FOLD_NORM(thread);
    for (int pass = 0; pass < RESIZED_PASSES; pass++)
        LOAD_RESIZED(0, pass);
    COPY_WAIT(0);
#if defined(NORMED) && !defined(NORMED_SMALL)
    /* What this thread has loaded. */
#pragma unroll 2
    for (int q = thread; q < PATCH_PIXELS * CHUNKS; q += THREADS) {
        const int chunk = q % CHUNKS, pixel = q / CHUNKS;
        const int px = corner.x + pixel % PATCH_W, py = corner.y + pixel / PATCH_W;
        __local uint4 *at =
            (__local uint4 *)(tile + STAGES * STAGE_BYTES + SWIZZLE(ROW_BYTES, pixel, chunk));
        if ((uint)px < (uint)in.w && (uint)py < (uint)in.h && chunk * 8 >= first_normed &&
            chunk * 8 < in.c)
            *at = wide_pack(normalised(wide_unpack(*at), chunk * 8 FACTOR_ARGUMENTS));
    }
#endif
    WARPGROUP_PUBLISH();
    barrier(CLK_LOCAL_MEM_FENCE);

    int block = 0, tap = 0;
    for (int step = 0; step < steps; step++) {
        const uint stage = (uint)step % STAGES;
#ifndef HOLD
        COPY_WAIT(1);
        WARPGROUP_PUBLISH();
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
        BULK_WAIT(barriers + stage * 8, step / STAGES & 1);

        const uint from = base + stage * STAGE_BYTES;
        const uint pixel = tap / COLUMNS * PATCH_W + tap % COLUMNS; /* under the tile's corner */
        const uint patch = patches + block % PATCHES * PATCH_BYTES + pixel * ROW_BYTES;
        WARPGROUP_ARRIVE();
#pragma unroll
        for (int k = 0; k < CHUNKS / 2; k++)
#pragma unroll
            for (int i = 0; i < BLOCKS_M; i++) {
                const int at = warpgroup * BLOCKS_M + i;
                const uint corner_of_8x8 = (at >> 1) * 8 * PATCH_W + (at & 1) * 8;
                MULTIPLY(
                    sum[i],
                    matrix_at(patch + corner_of_8x8 * ROW_BYTES, ROW_BYTES, PATCH_W * ROW_BYTES) +
                        MATRIX_COLUMNS_16(k),
                    matrix_at(from, ROW_BYTES, 8 * ROW_BYTES) + MATRIX_COLUMNS_16(k));
            }
        WARPGROUP_COMMIT();

#ifndef HOLD
        if (thread == 0 && step + AHEAD < steps)
            LOAD_WEIGHTS(step + AHEAD);
#if PATCHES > 1
        if (tap > 0 && block + 1 < blocks)
#pragma unroll
            for (int i = 0; i < PASSES_PER_STEP; i++)
                LOAD_PATCH(block + 1, (tap - 1) * PASSES_PER_STEP + i);
        if (tap > 0 && block + 1 < blocks)
            for (int pass = tap - 1; pass < RESIZED_PASSES; pass += TAPS - 1)
                LOAD_RESIZED(block + 1, pass);
#endif
        COPY_COMMIT();
#endif
        WARPGROUP_WAIT(1);
        if (++tap == TAPS) {
            tap = 0;
            block++;
        }
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
    write_rows(rows, thread, first, n0, sample, RESIDUAL_ARGUMENTS out_base, out,
               POOLED_ARGUMENTS FINISH_AT(0));
#ifdef MOMENTS
    FINISH_MOMENTS(rows, first);
#endif
}
