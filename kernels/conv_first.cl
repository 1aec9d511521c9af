/* conv_first.cl - 2-D convolution of up to four channels on NVIDIA's tensor cores: pictures.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory is what such a layer should take: it multiplies little, but writes a large map. A work-group
 * keeps all weights in registers, as the fragments that mma.sync takes, and walks over tiles of the
 * map: the patch of the next tile is on its way while this one is multiplied and stored.
 *
 * In the patch a pixel has four channels, 8 bytes, so that four taps side by side are the 16 halves
 * of one step, wherever they begin: what a lane takes of them lies in the patch as it is. Eight
 * pixels side by side with steps of one or two pixels are in different banks.
 *
 * Inner dimension: [filter row][four filter columns][column][channel], zero weights beyond the last.
 *
 * Defines   BN                  channels of a tile: 16, 32 or 64
 *           ROWS, COLUMNS       of the filter: with COLUMNS / 4, rounded up, four steps at most
 *           STRIDE_Y, STRIDE_X  1 or 2
 *           ACT, SCALED, RESIDUAL  see common.clh and conv_epilogue.clh
 * Buffers   in   Map, halves, channels dense, pixel strides and offset multiples of 4
 *           w    [channel tile][step][BN / 8][lane][2] pairs of halves: inputs lane % 4 * 2 and the
 *                next, then those 8 further, of output lane / 4 of the eight
 *           bias [K] floats
 *           out  Map, halves, channels dense, strides and offset multiples of 8, K too
 * Sums in fp32. Launch: work-groups of THREADS that share the tiles of a sample, (any number, channel
 * tiles, sample).
 */
#include "common.clh"
#include "types.clh"
#include "wide.clh"

#define WARPS 4
#define THREADS (WARPS * 32)
#define TILE_H 8
#define TILE_W 16 /* a row of a tile is one of mma.sync's */
#define BM (TILE_H * TILE_W)
#define STEPS_X ((COLUMNS + 3) / 4)
#define STEPS (ROWS * STEPS_X)
#define PATCH_W ((TILE_W - 1) * STRIDE_X + STEPS_X * 4)
#define PATCH_H ((TILE_H - 1) * STRIDE_Y + ROWS)
#define PATCH_PIXELS (PATCH_W * PATCH_H)
#define PATCH_BYTES (PATCH_PIXELS * 8)
#define PASSES ((PATCH_PIXELS + THREADS - 1) / THREADS) /* to load a patch */

#define TILES_X(out) (((out).w + TILE_W - 1) / TILE_W)
#define PLACE_OF_ROW(first, row, out)                                                              \
    ((int2)((first) % TILES_X(out) * TILE_W + (row) % TILE_W,                                      \
            (first) / TILES_X(out) * TILE_H + (row) / TILE_W))

#include "tensor_core.clh"
#include "conv_epilogue.clh"

__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1))) void
conv_first(CONV_PARAMETERS)
{
    __local uchar tile[STORE_BYTES + 2 * PATCH_BYTES] __attribute__((aligned(128)));
    TENSOR_CORE_SCRATCH
    const int thread = get_local_id(0), lane = thread & 31, warp = thread >> 5;
    TAKE_PHASE();
    const int n0 = get_group_id(1) * BN;
    const ulong sample = get_global_id(2);
    __local ushort *rows = (__local ushort *)tile;
    const uint patches = LOCAL_ADDRESS(tile) + STORE_BYTES;
    __global const ushort *x = in_base + in.offset + sample * in.sample;

    uint b[STEPS][BN / 8][2];
    __global const uint2 *fragments =
        (__global const uint2 *)w + get_group_id(1) * (STEPS * (BN / 8) * 32) + lane;
#pragma unroll
    for (int i = 0; i < STEPS * (BN / 8); i++) {
        const uint2 pairs = fragments[i * 32];
        b[i / (BN / 8)][i % (BN / 8)][0] = pairs.x;
        b[i / (BN / 8)][i % (BN / 8)][1] = pairs.y;
    }

#define LOAD_PATCH(number, buffer)                                                                 \
    do {                                                                                           \
        const int2 corner = PLACE_OF_ROW(number, 0, out) * (int2)(STRIDE_X, STRIDE_Y) -            \
                            (int2)(f.pad_x, f.pad_y);                                              \
        _Pragma("unroll") for (int pass = 0; pass < PASSES; pass++)                                \
        {                                                                                          \
            const int q = thread + pass * THREADS;                                                 \
            const int px = corner.x + q % PATCH_W, py = corner.y + q / PATCH_W;                    \
            const int inside = (uint)px < (uint)in.w && (uint)py < (uint)in.h;                     \
            if (q < PATCH_PIXELS)                                                                  \
                COPY_ASYNC_8(patches + (buffer)*PATCH_BYTES + q * 8,                               \
                             x + (inside ? py * in.sh + px * in.sw : 0), inside ? 2 * in.c : 0);   \
        }                                                                                          \
        COPY_COMMIT();                                                                             \
    } while (0)

    const int tiles = TILES_X(out) * ((out.h + TILE_H - 1) / TILE_H);
    EPILOGUE_OF(sample);
    LOAD_PATCH(get_group_id(0), 0);
    int buffer = 0;
    for (int number = get_group_id(0); number < tiles; number += get_num_groups(0), buffer ^= 1) {
        COPY_WAIT(0);
        barrier(CLK_LOCAL_MEM_FENCE); /* the patch is here, and the tile before is stored */
        if (number + (int)get_num_groups(0) < tiles)
            LOAD_PATCH(number + get_num_groups(0), buffer ^ 1);

        __local const ushort *patch =
            (__local const ushort *)(tile + STORE_BYTES + buffer * PATCH_BYTES);
        for (int row = warp; row < TILE_H; row += WARPS) {
            float sum[BN / 8][4];
#pragma unroll
            for (int j = 0; j < BN / 8; j++)
#pragma unroll
                for (int e = 0; e < 4; e++)
                    sum[j][e] = 0.0f;
#pragma unroll
            for (int step = 0; step < STEPS; step++) {
                const int y = row * STRIDE_Y + step / STEPS_X;
                const int at = y * PATCH_W + (lane >> 2) * STRIDE_X + step % STEPS_X * 4;
                __local const uint *from = (__local const uint *)(patch + at * 4) + (lane & 3);
                /* Eight pixels on, and two taps: of rows and columns of the matrix, eight. */
                const uint a[4] = { from[0], from[8 * STRIDE_X * 2], from[4],
                                    from[8 * STRIDE_X * 2 + 4] };
#pragma unroll
                for (int j = 0; j < BN / 8; j++)
                    MULTIPLY_ADD(sum[j], a, b[step][j]);
            }
#pragma unroll
            for (int j = 0; j < BN / 8; j++)
#pragma unroll
                for (int e = 0; e < 4; e += 2)
                    keep_pair(rows, row * TILE_W + (lane >> 2) + 8 * (e >> 1),
                              j * 8 + (lane & 3) * 2, (float2)(sum[j][e], sum[j][e + 1]), bias, n0,
                              out.c, FINISH_AT(0));
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        write_rows(rows, thread, number, n0, sample, RESIDUAL_ARGUMENTS out_base, out,
                   POOLED_ARGUMENTS FINISH_AT(0));
    }
}
