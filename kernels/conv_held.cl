/* conv_held.cl - narrow 2-D convolution with stride 1 on Hopper's tensor cores: the weights stay.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * conv_halo.cl for few channels, where a tile is soon multiplied and most of a work-group's life is
 * waiting: for its pixels, its weights, its stores. Here a work-group loads all weights once, and
 * each of its warpgroups then walks over tiles of the map by itself: the patch of the next tile is
 * on its way while this one is multiplied and stored, and one warpgroup multiplies while another
 * stores. Patches are those of conv_halo.cl; where one has been multiplied, the results are
 * gathered for the store.
 *
 * Defines   WARPGROUPS     of a work-group
 *           BN             channels: 16, 32 or 64
 *           ROWS, COLUMNS  of the filter
 *           CHUNKS         input channels / 8, rounded up: 2, 4 or 8
 *           ACT, SCALED, RESIDUAL, POOLED, MOMENTS, RESIZED, NORMED  see common.clh,
 *                          conv_epilogue.clh, conv_resized.clh and conv_normed.clh
 * Buffers   in   Map, halves, channels dense, pixel strides and offset multiples of 8
 *           w    [tap][BN][CHUNKS * 8] halves, zero beyond the last; each [BN][CHUNKS * 8] swizzled
 *                (hopper.clh)
 *           bias [K] floats
 *           out  Map, halves, channels dense, strides and offset multiples of 8, K too
 * Sums in fp32. Launch: work-groups of WARPGROUPS * 128 that share the tiles of a sample, (any
 * number, 1, sample).
 */
#include "common.clh"
#include "types.clh"
#include "wide.clh"

#define THREADS 128 /* of a warpgroup, which stands alone but for the weights */
#define TILE_H 8
#define TILE_W 16
#define BM (TILE_H * TILE_W)
#define PATCH_W (TILE_W + COLUMNS - 1)
#define PATCH_H (TILE_H + ROWS - 1)
#define PATCH_PIXELS (PATCH_W * PATCH_H)
#define ROW_BYTES (CHUNKS * 16) /* channels of a pixel or an output */
#define LEAST_BYTES                                                                                \
    (PATCH_PIXELS * ROW_BYTES > STORE_BYTES ? PATCH_PIXELS * ROW_BYTES : STORE_BYTES)
#define PATCH_BYTES ((LEAST_BYTES + SWIZZLE_ALIGNMENT - 1) / SWIZZLE_ALIGNMENT * SWIZZLE_ALIGNMENT)
#define TAPS (ROWS * COLUMNS)
#define TAP_BYTES (BN * ROW_BYTES)
#define WEIGHT_BYTES                                                                               \
    ((TAPS * TAP_BYTES + SWIZZLE_ALIGNMENT - 1) / SWIZZLE_ALIGNMENT * SWIZZLE_ALIGNMENT)
#define PASSES ((PATCH_PIXELS * CHUNKS + THREADS - 1) / THREADS) /* to load a patch */

#define TILES_X(out) (((out).w + TILE_W - 1) / TILE_W)
/* Rows of a tile in the order of the products: 8 x 8 pixels, and 8 x 8 beside them. */
#define PLACE_OF_ROW(first, row, out)                                                              \
    ((int2)((first) % TILES_X(out) * TILE_W + ((row) >> 6) * 8 + ((row)&7),                        \
            (first) / TILES_X(out) * TILE_H + ((row) >> 3 & 7)))

#define IS_INSIDE(first, row, out)                                                                 \
    (PLACE_OF_ROW(first, row, out).x < (out).w && PLACE_OF_ROW(first, row, out).y < (out).h)

#include "tensor_core.clh"
#include "hopper.clh"
#include "conv_epilogue.clh"
#define GROUP (WARPGROUPS * THREADS)
#include "conv_normed.clh"
#include "conv_resized.clh"

#define MULTIPLY SELECT(WARPGROUP_MULTIPLY_, BN)
#define FINISH SELECT(WARPGROUP_FINISH_, BN)

__kernel __attribute__((reqd_work_group_size(WARPGROUPS * 128, 1, 1))) void
conv_held(CONV_PARAMETERS)
{
    __local uchar tile[WEIGHT_BYTES + WARPGROUPS * 2 * PATCH_BYTES]
        __attribute__((aligned(TILE_ALIGNMENT)));
    __local ulong arrived;
    TENSOR_CORE_SCRATCH
    const int thread = get_local_id(0) % THREADS, lane = thread & 31, warp = thread >> 5;
    TAKE_PHASE();
    const int warpgroup = get_local_id(0) / THREADS, n0 = 0;
    const ulong sample = get_global_id(2);
    const uint weights = LOCAL_ADDRESS(tile);
    const uint patches = weights + WEIGHT_BYTES + warpgroup * 2 * PATCH_BYTES;
    const uint barrier_address = LOCAL_ADDRESS(&arrived);
    __global const ushort *x = in_base + in.offset + sample * in.sample;

    if (get_local_id(0) == 0) {
        BULK_INIT(barrier_address);
        BULK_PUBLISH();
        COPY_BULK(weights, w, TAPS * TAP_BYTES, barrier_address);
    }

#define LOAD_PATCH(number, buffer)                                                                 \
    do {                                                                                           \
        const int2 corner = PLACE_OF_ROW(number, 0, out) - (int2)(f.pad_x, f.pad_y);               \
        _Pragma("unroll") for (int pass = 0; pass < PASSES; pass++)                                \
        {                                                                                          \
            const int q = thread + pass * THREADS, chunk = q % CHUNKS, pixel = q / CHUNKS;         \
            const int px = corner.x + pixel % PATCH_W, py = corner.y + pixel / PATCH_W;            \
            const int inside = (uint)px < (uint)in.w && (uint)py < (uint)in.h && chunk * 8 < in.c; \
            if (pixel < PATCH_PIXELS && IS_STORED(chunk * 8))                                      \
                COPY_ASYNC(patches + (buffer)*PATCH_BYTES + SWIZZLE(ROW_BYTES, pixel, chunk),      \
                           x + (inside ? py * in.sh + px * in.sw + chunk * 8 : 0),                 \
                           inside ? min(2 * (in.c - chunk * 8), 16) : 0);                          \
        }                                                                                          \
        COPY_COMMIT();                                                                             \
    } while (0)

#ifdef RESIZED
#define LOAD_RESIZED(number, buffer)                                                               \
    do {                                                                                           \
        const int2 corner = PLACE_OF_ROW(number, 0, out) - (int2)(f.pad_x, f.pad_y);               \
        for (int item = thread; item < RESIZED_ITEMS; item += THREADS)                             \
            load_resized(tile + (patches - weights) + (buffer)*PATCH_BYTES, item, corner, 0,       \
                         sample, RESIZED_ARGUMENTS, in FACTOR_ARGUMENTS);                                           \
    } while (0)
#else
#define LOAD_RESIZED(number, buffer)
#endif

/* What this thread has loaded of a patch, once it is there. */
#if defined(NORMED) && !defined(NORMED_SMALL)
#define NORMALISE(number, buffer)                                                                  \
    do {                                                                                           \
        const int2 corner = PLACE_OF_ROW(number, 0, out) - (int2)(f.pad_x, f.pad_y);               \
        _Pragma("unroll 2") for (int q = thread; q < PATCH_PIXELS * CHUNKS; q += THREADS)          \
        {                                                                                          \
            const int chunk = q % CHUNKS, pixel = q / CHUNKS;                                      \
            const int px = corner.x + pixel % PATCH_W, py = corner.y + pixel / PATCH_W;            \
            __local uint4 *at = (__local uint4 *)(tile + (patches - weights) +                     \
                                                  (buffer)*PATCH_BYTES +                           \
                                                  SWIZZLE(ROW_BYTES, pixel, chunk));               \
            if ((uint)px < (uint)in.w && (uint)py < (uint)in.h && chunk * 8 >= first_normed &&     \
                chunk * 8 < in.c)                                                                  \
                *at = wide_pack(normalised(wide_unpack(*at), chunk * 8 FACTOR_ARGUMENTS));         \
        }                                                                                          \
    } while (0)
#else
#define NORMALISE(number, buffer)
#endif

    /* Every warpgroup goes as many rounds; tiles beyond the last lie below the map. */
    const int tiles = TILES_X(out) * ((out.h + TILE_H - 1) / TILE_H);
    const int walkers = get_num_groups(0) * WARPGROUPS;
    const int rounds = (tiles + walkers - 1) / walkers;
    int number = get_group_id(0) * WARPGROUPS + warpgroup;
    LOAD_PATCH(number, 0);
    FOLD_NORM(get_local_id(0));
    LOAD_RESIZED(number, 0);
    barrier(CLK_LOCAL_MEM_FENCE);
    BULK_WAIT(barrier_address, 0);
    EPILOGUE_OF(sample);

#ifdef MOMENTS
    Moments sums;
#endif
    for (int round = 0; round < rounds; round++, number += walkers) {
        const uint patch = patches + (round & 1) * PATCH_BYTES;
        COPY_WAIT(0);
        NORMALISE(number, round & 1);
        WARPGROUP_PUBLISH();
        WARPGROUP_BARRIER(warpgroup); /* the patch is here, and the one before is stored */
        if (round + 1 < rounds)
            LOAD_PATCH(number + walkers, (round + 1) & 1);

        float sum[2][BN / 2];
#pragma unroll
        for (int i = 0; i < 2; i++)
#pragma unroll
            for (int e = 0; e < BN / 2; e++)
                sum[i][e] = 0.0f;
        WARPGROUP_ARRIVE();
#pragma unroll 1 /* or the descriptors of all taps fill the registers */
        for (int r = 0; r < ROWS; r++)
#pragma unroll
            for (int s = 0; s < COLUMNS; s++)
#pragma unroll
                for (int k = 0; k < CHUNKS / 2; k++)
#pragma unroll
                    for (int i = 0; i < 2; i++)
                        MULTIPLY(sum[i],
                                 matrix_at(patch + (r * PATCH_W + s + i * 8) * ROW_BYTES, ROW_BYTES,
                                           PATCH_W * ROW_BYTES) +
                                     MATRIX_COLUMNS_16(k),
                                 matrix_at(weights + (r * COLUMNS + s) * TAP_BYTES, ROW_BYTES,
                                           8 * ROW_BYTES) +
                                     MATRIX_COLUMNS_16(k));
        WARPGROUP_COMMIT();
        if (round + 1 < rounds)
            LOAD_RESIZED(number + walkers, (round + 1) & 1); /* while that is multiplied */
#pragma unroll
        for (int i = 0; i < 2; i++)
            FINISH(sum[i]);
        WARPGROUP_BARRIER(warpgroup); /* nobody reads the patch any more */

        __local ushort *rows = (__local ushort *)(tile + (patch - weights));
#pragma unroll
        for (int i = 0; i < 2; i++)
#pragma unroll
            for (int e = 0; e < BN / 2; e += 2)
                keep_pair(rows, i * 64 + warp * 16 + (lane >> 2) + 8 * (e >> 1 & 1),
                          (lane & 3) * 2 + (e >> 2) * 8, (float2)(sum[i][e], sum[i][e + 1]), bias,
                          0, out.c, FINISH_AT(0));
        WARPGROUP_BARRIER(warpgroup);
        write_rows(rows, thread, number, n0, sample, RESIDUAL_ARGUMENTS out_base, out,
                   POOLED_ARGUMENTS FINISH_AT(0));
#ifdef MOMENTS
        if (round == 0)
            sums = no_moments(rows, thread);
        sums = add_moments(sums, rows, thread, number, 0, out, first_moment);
#endif
    }
#ifdef MOMENTS
    __local float *kept = (__local float *)(tile + (patches - weights));
    WARPGROUP_BARRIER(warpgroup);
    keep_moments(kept, thread, sums);
    WARPGROUP_BARRIER(warpgroup);
    write_moments(kept, thread, sums, get_group_id(0) * WARPGROUPS + warpgroup, 0, sample, out.c,
                  moments, moments_at, first_moment);
#endif
}
