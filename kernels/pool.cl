/* pool.cl - the largest, the mean or the p-norm of a window.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: POOL, one of MAX, AVERAGE, LP; T, the type of x and y. pool_general: INDICES 0 or 1.
 *   pool_vector: VW; FP16 if T is half. pool_wide: WIDE_KERNEL, KH KW, the window.
 * Buffers: x [C][H][W], y [C][OH][OW] as maps.
 * Accumulation: float.
 * Launch: dimension 2 is the sample; the others beside each kernel.
 */
#include "common.clh"
#include "types.clh"

/* Mirrored in launch_pool.c. */
typedef struct {
    int kh, kw, stride_h, stride_w, dilation_h, dilation_w;
    int pad_h, pad_w;         /* before */
    int padded_h, padded_w;   /* rows and columns up to which padding counts in a mean, -1: none */
    int column_major;         /* indices count down the columns */
    float p;                  /* of the norm */
} Pool;

/* Taps of the kernel that count in the mean at output row or column @o. */
static inline int counted(int o, int taps, int stride, int dilation, int pad, int size, int padded)
{
    const int low = padded < 0 ? 0 : -pad;
    const int high = padded < 0 ? size : padded;
    int n = 0;
    for (int t = 0; t < taps; t++) {
        const int i = o * stride + t * dilation - pad;
        n += i >= low && i < high;
    }
    return n;
}

#if IS_FLOAT(T)
#define ADD_MAX(sum, v) fmax(sum, v)
#else
#define ADD_MAX(sum, v) max(sum, v)
#endif
#define START_MAX LOWEST(T)
#define START_AVERAGE 0
#define START_LP 0
#define ADD_AVERAGE(sum, v) ((sum) + (v))
#define ADD_LP(sum, v) ((sum) + pow(fabs(v), pool.p))
#define END_MAX(sum, n) (sum)
#define END_AVERAGE(sum, n) ((sum) / (float)max(n, 1))
#define END_LP(sum, n) pow(sum, 1.0f / pool.p)

#define START SELECT(START_, POOL)
#define ADD(sum, v) SELECT(ADD_, POOL)(sum, v)
#define END(sum, n) SELECT(END_, POOL)(sum, n)

#if !defined(VW) && !defined(WIDE_KERNEL)

/* One output a work-item, the channels fastest. @indices: [C][OH][OW], dense, where in the whole
 * of x's row-major order the largest is. Global: C * OH * OW, rounded up. */
__kernel void pool_general(__global const T *x, Map xm, __global T *y, Map ym,
                           __global long *indices, Map im, Pool pool)
{
    const int n = get_global_id(2);
    const int c = get_global_id(0) % ym.c;
    const int pixel = get_global_id(0) / ym.c;
    const int oy = pixel / ym.w, ox = pixel % ym.w;
    if (oy >= ym.h)
        return;

    x += xm.offset + n * xm.sample + c * xm.sc;
    ARITHMETIC(T) sum = START;
    int place = -1;
    for (int r = 0; r < pool.kh; r++) {
        const int iy = oy * pool.stride_h + r * pool.dilation_h - pool.pad_h;
        if (iy < 0 || iy >= xm.h)
            continue;
        for (int s = 0; s < pool.kw; s++) {
            const int ix = ox * pool.stride_w + s * pool.dilation_w - pool.pad_w;
            if (ix < 0 || ix >= xm.w)
                continue;
            const ARITHMETIC(T) v = READ(T, x, iy * xm.sh + ix * xm.sw);
            if (place < 0 || v > sum)
                place = pool.column_major ? ix * xm.h + iy : iy * xm.w + ix;
            sum = ADD(sum, v);
        }
    }
    const int taps = counted(oy, pool.kh, pool.stride_h, pool.dilation_h, pool.pad_h, xm.h,
                             pool.padded_h) *
                     counted(ox, pool.kw, pool.stride_w, pool.dilation_w, pool.pad_w, xm.w,
                             pool.padded_w);
    y += ym.offset + n * ym.sample;
    WRITE(T, y, c * ym.sc + oy * ym.sh + ox * ym.sw, END(sum, taps));
    if (INDICES)
        indices[im.offset + n * im.sample + c * im.sc + oy * im.sh + ox * im.sw] =
            place + (long)c * xm.h * xm.w;
}

#elif defined(VW)

#include "vectors.clh"

/* All channels of @chunk pixels of a row, a vector at a time (sc == 1 on both sides, and at least VW
 * channels). Global: ceil(OW / chunk), OH. */
__kernel void pool_vector(__global const REAL *restrict x, Map xm, __global REAL *restrict y,
                          Map ym, Pool pool, int chunk)
{
    const int n = get_global_id(2);
    const int oy = get_global_id(1);
    const int first = get_global_id(0) * chunk, end = min(first + chunk, ym.w);
    const int y0 = oy * pool.stride_h - pool.pad_h;
    const int rows = counted(oy, pool.kh, pool.stride_h, pool.dilation_h, pool.pad_h, xm.h,
                             pool.padded_h);

    x += xm.offset + n * xm.sample;
    y += ym.offset + n * ym.sample + oy * ym.sh;
    for (int ox = first; ox < end; ox++) {
        const int x0 = ox * pool.stride_w - pool.pad_w;
        const int taps = rows * counted(ox, pool.kw, pool.stride_w, pool.dilation_w, pool.pad_w,
                                        xm.w, pool.padded_w);
        for (int i = 0; i < ym.c; i += VW) {
            const int c = min(i, ym.c - VW);
            V sum = (V)(START);
            for (int r = 0; r < pool.kh; r++) {
                const int iy = y0 + r * pool.dilation_h;
                if (iy < 0 || iy >= xm.h)
                    continue;
                for (int s = 0; s < pool.kw; s++) {
                    const int ix = x0 + s * pool.dilation_w;
                    if (ix < 0 || ix >= xm.w)
                        continue;
                    const V v = VLOAD_REAL(x + iy * xm.sh + ix * xm.sw + c);
                    sum = ADD(sum, v);
                }
            }
            VSTORE_REAL(END(sum, taps), y + ox * ym.sw + c);
        }
    }
}

#else

#include "wide.clh"

/* As pool_vector, for GPUs: one work-item takes eight channels of one pixel, which lie in whole aligned
 * blocks on both sides. Global: C / 8 * OW * OH, rounded up. */
__kernel void pool_wide(__global const T *restrict x, Map xm, __global T *restrict y, Map ym,
                        Pool pool)
{
    const int n = get_global_id(2);
    const int blocks = ym.c / WIDE;
    const int pixel = get_global_id(0) / blocks, c = (get_global_id(0) - pixel * blocks) * WIDE;
    const int oy = pixel / ym.w, ox = pixel - oy * ym.w;
    if (oy >= ym.h)
        return;
    const int x0 = ox * pool.stride_w - pool.pad_w, y0 = oy * pool.stride_h - pool.pad_h;
    x += xm.offset + n * xm.sample + c;
    float8 sum = (float8)(START);
#pragma unroll
    for (int r = 0; r < KH; r++)
#pragma unroll
        for (int s = 0; s < KW; s++) {
            const int iy = y0 + r * pool.dilation_h, ix = x0 + s * pool.dilation_w;
            const bool inside = (uint)iy < (uint)xm.h && (uint)ix < (uint)xm.w;
            /* Loaded in any case, so that all loads can be on their way at once. */
            const float8 v = WIDE_READ(T, x + (inside ? iy * xm.sh + ix * xm.sw : 0));
            if (inside)
                sum = ADD(sum, v);
        }
    const int taps =
        counted(oy, KH, pool.stride_h, pool.dilation_h, pool.pad_h, xm.h, pool.padded_h) *
        counted(ox, KW, pool.stride_w, pool.dilation_w, pool.pad_w, xm.w, pool.padded_w);
    WIDE_WRITE(T, y + ym.offset + n * ym.sample + oy * ym.sh + ox * ym.sw + c, END(sum, taps));
}

#endif
