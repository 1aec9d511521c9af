/* conv_inverted.cl - an inverted residual in one launch, on NVIDIA's tensor cores.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Three convolutions: 1x1 to many channels, a filter for each of them, 1x1 to few (Sandler et al.,
 * MobileNetV2, 2018); or the last two of these. What lies between is several times what goes in and
 * comes out. A work-group computes a rectangle of the output, all that lies between of it in local
 * memory, a chunk of channels at a time:
 *   expand    patch x weights: the patch of the input under the rectangle, which is loaded once; with
 *             zeros where the filters reach beyond the map
 *   filter    from there to the rectangle's pixels
 *   project   pixels x weights, added to the sums of the chunks before
 * Without the first, the patch of a chunk is loaded instead. Rectangles overlap by the filters'
 * margins, so that those of 8 x 8 pixels expand 1.6 times as many as there are.
 *
 * Rows in local memory are 16 bytes longer than what they hold, so that the eight rows of a matrix
 * load hit eight different groups of banks. Weights come packed in that way.
 *
 * Defines   TILE_H, TILE_W     rectangle of the output; TILE_W is even, their product a multiple of 16
 *           BN                 output channels of a work-group: a multiple of 16 WARPS_N
 *           WARPS              of a work-group: as many as TILE_H * TILE_W / 16, or some times
 *           CHUNK              channels between at a time, a multiple of 16
 *           STAGES             chunks whose weights are in local memory or on their way
 *           EXPAND             channels of the input, rounded up to 16; 0 without the first convolution
 *           ROWS, COLUMNS      of the filters
 *           STRIDE_Y, STRIDE_X of the filters
 *           SPLITS             parts that the channels between are divided among; above 1 the sums go
 *                              to `partial` and the last work-group of a tile adds them
 *           EXPAND_ACT, FILTER_ACT  activations of the first two; see common.clh
 *           ACT, SCALED, RESIDUAL  of the last; see common.clh and conv_epilogue.clh
 * Buffers   in   Map, halves, channels dense, pixel strides and offset multiples of 8
 *           w    [channel tile][chunk] of
 *                  [CHUNK][EXPAND + 8] halves, with EXPAND   first weights
 *                  [BN][CHUNK + 8] halves                    last weights
 *                  [CHUNK] floats                            first bias
 *                  [CHUNK] floats                            the filters' bias
 *                  [ROWS][COLUMNS][2][CHUNK / 8][4] floats   the filters: of each eight channels the
 *                                                            first four, then the others
 *                zero beyond the last channels
 *           bias [K] floats
 *           out  Map, halves, channels dense, strides and offset multiples of 8, K too
 * Sums in fp32; what lies between is stored as halves. Launch: one work-group of THREADS per
 * (rectangle, channel tile * SPLITS, sample). `filter` has the strides and pads of the filters.
 */
#include "common.clh"
#include "types.clh"
#include "wide.clh"

#define BM (TILE_H * TILE_W)
#define THREADS (WARPS * 32)
#define WARPS_M (BM / 16)
#define WARPS_N (WARPS / WARPS_M)
#define WN (BN / WARPS_N) /* output channels of a warp, which has 16 pixels */

#define PATCH_W ((TILE_W - 1) * STRIDE_X + COLUMNS)
#define PATCH_H ((TILE_H - 1) * STRIDE_Y + ROWS)
#define PATCH_PIXELS (PATCH_W * PATCH_H)
#define PATCH_BLOCKS ((PATCH_PIXELS + 15) / 16) /* of 16 pixels */

/* Of rows in local memory. */
#define PITCH (CHUNK + 8) /* halves */
#define ROW_BYTES (PITCH * 2)
#define IN_ROW_BYTES ((EXPAND + 8) * 2)

#define EXPAND_BYTES (EXPAND > 0 ? CHUNK * IN_ROW_BYTES : 0)
#define PROJECT_BYTES (BN * ROW_BYTES)
#define TAPS (ROWS * COLUMNS)
#define WEIGHT_BYTES (EXPAND_BYTES + PROJECT_BYTES + (2 + TAPS) * CHUNK * 4)
#define BETWEEN_BYTES (PATCH_BLOCKS * 16 * ROW_BYTES)

/* Local memory: the stages, each with its part of the input where that is not expanded; the input;
 * what is expanded; what the filters make of it. */
#if EXPAND > 0
#define STAGE_BYTES WEIGHT_BYTES
#define INPUT_AT (STAGES * STAGE_BYTES)
#define BETWEEN_AT (INPUT_AT + PATCH_BLOCKS * 16 * IN_ROW_BYTES)
#define FILTERED_AT (BETWEEN_AT + BETWEEN_BYTES)
#else
#define STAGE_BYTES (WEIGHT_BYTES + BETWEEN_BYTES)
#define FILTERED_AT (STAGES * STAGE_BYTES)
#endif
#define LOAD_BYTES (FILTERED_AT + BM * ROW_BYTES)
#define TILE_BYTES (LOAD_BYTES > STORE_BYTES ? LOAD_BYTES : STORE_BYTES)
#define AHEAD (STAGES > 1 ? STAGES - 1 : 1) /* chunks that are asked for before they are needed */

#define TILES_X(out) (((out).w + TILE_W - 1) / TILE_W)
#define PLACE_OF_ROW(first, row, out)                                                              \
    ((int2)((first) % TILES_X(out) * TILE_W + (row) % TILE_W,                                      \
            (first) / TILES_X(out) * TILE_H + (row) / TILE_W))

#include "tensor_core.clh"
#include "conv_epilogue.clh"

#define SUMS (WN / 8 * 4)
#define SUM(i) sum[(i) / 4][(i) % 4]

#define PIXELS 2 /* side by side, that a thread filters at once */
#define WINDOW ((PIXELS - 1) * STRIDE_X + COLUMNS)

static inline float8 local_floats(__local const float *p)
{
    return (float8)(*(__local const float4 *)p, *(__local const float4 *)(p + 4));
}

/* Of filters: work-items side by side read quads side by side. */
static inline float8 local_quads(__local const float *p)
{
    return (float8)(*(__local const float4 *)p, *(__local const float4 *)(p + CHUNK / 2));
}

/* Eight channels of PIXELS outputs. */
static inline void filter_pixels(__local const ushort *between, __local const float *bias,
                                 __local const float *filters, __local ushort *filtered, int item,
                                 float alpha, float beta)
{
    const int block = item % (CHUNK / 8), pixel = item / (CHUNK / 8) * PIXELS;
    between += (pixel / TILE_W * STRIDE_Y * PATCH_W + pixel % TILE_W * STRIDE_X) * PITCH + block * 8;
    filters += block * 4;
    float8 sum[PIXELS];
#pragma unroll
    for (int p = 0; p < PIXELS; p++)
        sum[p] = local_floats(bias + block * 8);
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        float8 w[COLUMNS];
#pragma unroll
        for (int s = 0; s < COLUMNS; s++)
            w[s] = local_quads(filters + (r * COLUMNS + s) * CHUNK);
#pragma unroll
        for (int i = 0; i < WINDOW; i++) {
            const float8 v =
                wide_unpack(*(__local const uint4 *)(between + (r * PATCH_W + i) * PITCH));
#pragma unroll
            for (int p = 0; p < PIXELS; p++) {
                const int s = i - p * STRIDE_X;
                if (s >= 0 && s < COLUMNS)
                    sum[p] = fma(v, w[s], sum[p]);
            }
        }
    }
#pragma unroll
    for (int p = 0; p < PIXELS; p++)
        *(__local uint4 *)(filtered + (pixel + p) * PITCH + block * 8) =
            wide_pack(ACTIVATE_AS(FILTER_ACT, sum[p], alpha, beta));
}

/* Fragments for MULTIPLY_ADD at inner column 16 * k: 16 rows of the left matrix from `row` on, and
 * 16 rows of the right one. */
#define LOAD_LEFT(a, at, row_bytes, row, k)                                                        \
    LOAD_MATRIX_4(a, (at) + ((row) + (lane & 15)) * (row_bytes) + (k)*32 + (lane >> 4) * 16)
#define LOAD_RIGHT(b, at, row_bytes, row, k)                                                       \
    LOAD_MATRIX_4(b, (at) + ((row) + (lane & 7) + (lane >> 4) * 8) * (row_bytes) + (k)*32 +        \
                         ((lane >> 3) & 1) * 16)

__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1))) void
conv_inverted(CONV_PARAMETERS, float expand_alpha, float expand_beta, float filter_alpha,
              float filter_beta)
{
    __local uchar tile[TILE_BYTES] __attribute__((aligned(128)));
    TENSOR_CORE_SCRATCH
    const int thread = get_local_id(0), lane = thread & 31, warp = thread >> 5;
    const int warp_m = warp % WARPS_M, warp_n = warp / WARPS_M;
    TAKE_PHASE();
    const int first = get_group_id(0);
    const int n0 = (get_group_id(1) / SPLITS) * BN, split = get_group_id(1) % SPLITS;
    const ulong sample = get_global_id(2);
    const uint base = LOCAL_ADDRESS(tile);
    __global const ushort *x = in_base + in.offset + sample * in.sample;

    /* The input under the rectangle's corner, which is outside the map where there is padding. */
    const int2 corner =
        PLACE_OF_ROW(first, 0, out) * (int2)(STRIDE_X, STRIDE_Y) - (int2)(f.pad_x, f.pad_y);

    /* The chunks of this split. */
    const int chunks_all = (f.c + CHUNK - 1) / CHUNK;
    const int first_chunk = chunks_all * split / SPLITS;
    const int chunks = chunks_all * (split + 1) / SPLITS - first_chunk;
    __global const ushort *weights =
        w + ((long)(n0 / BN) * chunks_all + first_chunk) * (WEIGHT_BYTES / 2);

/* `count` channels of the patch, from `c0` on. */
#define LOAD_PATCH(to, row_bytes, c0, count)                                                       \
    for (int q = thread; q < PATCH_PIXELS * ((count) / 8); q += THREADS) {                         \
        const int pixel = q / ((count) / 8), c = (c0) + q % ((count) / 8) * 8;                     \
        const int px = corner.x + pixel % PATCH_W, py = corner.y + pixel / PATCH_W;                \
        const int inside = (uint)px < (uint)in.w && (uint)py < (uint)in.h && c < in.c;             \
        COPY_ASYNC((to) + pixel * (row_bytes) + (c - (c0)) * 2,                                    \
                   x + (inside ? py * in.sh + px * in.sw + c : 0),                                 \
                   inside ? min(2 * (in.c - c), 16) : 0);                                          \
    }

#define LOAD_STAGE(chunk)                                                                          \
    do {                                                                                           \
        const uint to = base + (chunk) % STAGES * STAGE_BYTES;                                     \
        __global const ushort *from = weights + (long)(chunk) * (WEIGHT_BYTES / 2);                \
        for (int q = thread; q < WEIGHT_BYTES / 16; q += THREADS)                                  \
            COPY_ASYNC(to + q * 16, from + q * 8, 16);                                             \
        if (EXPAND == 0)                                                                           \
            LOAD_PATCH(to + WEIGHT_BYTES, ROW_BYTES, (first_chunk + (chunk)) * CHUNK, CHUNK)       \
    } while (0)

    float sum[WN / 8][4];
#pragma unroll
    for (int j = 0; j < WN / 8; j++)
#pragma unroll
        for (int e = 0; e < 4; e++)
            sum[j][e] = 0.0f;

#if EXPAND > 0
    LOAD_PATCH(base + INPUT_AT, IN_ROW_BYTES, 0, EXPAND)
#endif
    for (int chunk = 0; chunk < AHEAD; chunk++) {
        if (chunk < chunks)
            LOAD_STAGE(chunk);
        COPY_COMMIT();
    }
#ifdef EMULATE
    barrier(CLK_LOCAL_MEM_FENCE); /* see conv_wgmma.cl */
#endif
    for (int chunk = 0; chunk < chunks; chunk++) {
        COPY_WAIT(AHEAD - 1);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (chunk + AHEAD < chunks)
            LOAD_STAGE(chunk + AHEAD);
        COPY_COMMIT();

        const uint stage = (uint)chunk % STAGES * STAGE_BYTES;
        __local const float *expand_bias =
            (__local const float *)(tile + stage + EXPAND_BYTES + PROJECT_BYTES);
        __local const float *filter_bias = expand_bias + CHUNK;
#if EXPAND > 0
        const uint between = BETWEEN_AT;
        for (int turn = 0; turn < (PATCH_BLOCKS + WARPS - 1) / WARPS; turn++) {
            /* Who has none left repeats the last: all go through the matrix loads together. */
            const int block = turn * WARPS + warp, row0 = min(block, PATCH_BLOCKS - 1) * 16;
            float expanded[CHUNK / 8][4];
#pragma unroll
            for (int j = 0; j < CHUNK / 8; j++)
#pragma unroll
                for (int e = 0; e < 4; e++)
                    expanded[j][e] = expand_bias[j * 8 + (lane & 3) * 2 + (e & 1)];
            for (int k = 0; k < EXPAND / 16; k++) {
                uint a[4];
                LOAD_LEFT(a, base + INPUT_AT, IN_ROW_BYTES, row0, k);
#pragma unroll
                for (int j = 0; j < CHUNK / 16; j++) {
                    uint b[4];
                    LOAD_RIGHT(b, base + stage, IN_ROW_BYTES, j * 16, k);
                    MULTIPLY_ADD(expanded[j * 2], a, b);
                    MULTIPLY_ADD(expanded[j * 2 + 1], a, b + 2);
                }
            }
#pragma unroll
            for (int e = 0; e < 4; e += 2) {
                const int pixel = row0 + (lane >> 2) + 8 * (e >> 1);
                const int px = corner.x + pixel % PATCH_W, py = corner.y + pixel / PATCH_W;
                const int there = (uint)px < (uint)in.w && (uint)py < (uint)in.h;
                __local uint *to = (__local uint *)(tile + between + pixel * ROW_BYTES) + (lane & 3);
#pragma unroll
                for (int j = 0; j < CHUNK / 8; j++) {
                    const float2 v = (float2)(expanded[j][e], expanded[j][e + 1]);
                    if (block < PATCH_BLOCKS)
                        to[j * 4] = there ? halves_of(ACTIVATE_AS(EXPAND_ACT, v, expand_alpha,
                                                                  expand_beta))
                                          : 0u;
                }
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
#else
        const uint between = stage + WEIGHT_BYTES;
#endif

        for (int item = thread; item < BM / PIXELS * (CHUNK / 8); item += THREADS)
            filter_pixels((__local const ushort *)(tile + between), filter_bias,
                          filter_bias + CHUNK, (__local ushort *)(tile + FILTERED_AT), item,
                          filter_alpha, filter_beta);
        barrier(CLK_LOCAL_MEM_FENCE);

#pragma unroll
        for (int k = 0; k < CHUNK / 16; k++) {
            uint a[4];
            LOAD_LEFT(a, base + FILTERED_AT, ROW_BYTES, warp_m * 16, k);
#pragma unroll
            for (int j = 0; j < WN / 16; j++) {
                uint b[4];
                LOAD_RIGHT(b, base + stage + EXPAND_BYTES, ROW_BYTES, warp_n * WN + j * 16, k);
                MULTIPLY_ADD(sum[j * 2], a, b);
                MULTIPLY_ADD(sum[j * 2 + 1], a, b + 2);
            }
        }
    }
    COPY_WAIT(0);
    barrier(CLK_LOCAL_MEM_FENCE);

    JOIN_PARTS();
    EPILOGUE_OF(sample);
    __local ushort *rows = (__local ushort *)tile;
#pragma unroll
    for (int j = 0; j < WN / 8; j++)
#pragma unroll
        for (int e = 0; e < 4; e += 2) {
            const int row = warp_m * 16 + (lane >> 2) + 8 * (e >> 1);
            const int n = warp_n * WN + j * 8 + (lane & 3) * 2;
            const float2 v = (float2)(sum[j][e], sum[j][e + 1]);
            keep_pair(rows, row, n, v, bias, n0, out.c, FINISH_AT(0));
        }
    barrier(CLK_LOCAL_MEM_FENCE);
    write_rows(rows, thread, first, n0, sample, RESIDUAL_ARGUMENTS out_base, out,
               POOLED_ARGUMENTS FINISH_AT(0));
}
