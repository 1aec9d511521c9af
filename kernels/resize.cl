/* resize.cl - interpolation along axes, by tables of taps.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every mode (nearest, linear, cubic, with or without antialiasing, any rule for coordinates) comes
 * down to a table: output index o of an axis is the sum of `taps` inputs index[o][t] times
 * weight[o][t]. An index of -1 at t = 0 says that o lies outside: it gets the extrapolation value.
 *
 * Defines: resize_axis: TX TY, RANK of the other axes. resize_joined: TX TY, JOINED, the number of
 *   maps, ACT: none, or the sigmoid; TZ, the type of maps that get the sigmoid of each, too, if there
 *   are such. resize_map: VW, FP16, HINTS; ADDED 0 or 1,
 *   whether another map is added, and ACT. resize_wide: T, the type of x and y, ROW_TAPS and
 *   COLUMN_TAPS, 0 where they are many.
 * Accumulation: float; a single tap of any type is copied.
 * Launch: dimension 2 is the sample; the others beside each kernel.
 */
#include "common.clh"
#include "types.clh"

#ifdef RANK

#include "index.clh"

/* One axis of any tensor, one element a work-item; strides [other axes..., resized axis].
 * Global: elements of all other axes, rounded up; outputs of the axis. */
__kernel void resize_axis(__global const TX *x, Strided xs, __global TY *y, Strided ys,
                          Extents others, __global const int *index,
                          __global const float *weight, int count, int taps, float outside)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0), o = get_global_id(1);
    if (i >= count)
        return;
    x += xs.offset + n * xs.sample + place_of(i, others, xs);
    y += ys.offset + n * ys.sample + place_of(i, others, ys);
    index += o * taps;
    weight += o * taps;
    if (index[0] < 0) {
        WRITE(TY, y, o * ys.stride[RANK], outside);
    } else if (taps == 1) {
        WRITE(TY, y, o * ys.stride[RANK], READ(TX, x, index[0] * xs.stride[RANK]));
    } else {
        float sum = 0.0f;
        for (int t = 0; t < taps; t++)
            sum = fma(weight[t], (float)READ(TX, x, index[t] * xs.stride[RANK]), sum);
        WRITE(TY, y, o * ys.stride[RANK], sum);
    }
}

#elif defined(JOINED)

/* Several maps of one channel, each to the size of y and to a channel of it; or one to another type.
 * Linear both ways, all of a pixel a work-item. Global: OW * OH, rounded up. */
#define SOURCES_1(M) M(0)
#define SOURCES_2(M) SOURCES_1(M) M(1)
#define SOURCES_3(M) SOURCES_2(M) M(2)
#define SOURCES_4(M) SOURCES_3(M) M(3)
#define SOURCES_5(M) SOURCES_4(M) M(4)
#define SOURCES_6(M) SOURCES_5(M) M(5)

#ifdef TZ
#define SIGMOID_PARAMETERS(i) __global TZ *restrict z##i, Map zm##i,
#define WRITE_SIGMOID(i, v)                                                                        \
    WRITE(TZ, z##i, zm##i.offset + n * zm##i.sample + oy * zm##i.sh + ox * zm##i.sw,               \
          ACTIVATION_4(v, 0.0f, 0.0f))
#else
#define SIGMOID_PARAMETERS(i)
#define WRITE_SIGMOID(i, v)
#endif

#define SOURCE_PARAMETERS(i)                                                                       \
    __global const TX *restrict x##i, Map map##i, __global const int2 *restrict rows##i,           \
        __global const float2 *restrict row_weights##i, __global const int2 *restrict columns##i,  \
        __global const float2 *restrict column_weights##i, int to##i, SIGMOID_PARAMETERS(i)

static inline float enlarged(__global const TX *x, int2 row, float2 row_weight, int2 column,
                             float2 weight)
{
    const float upper = fma(weight.y, READ(TX, x, row.x + column.y),
                            weight.x * READ(TX, x, row.x + column.x));
    const float lower = fma(weight.y, READ(TX, x, row.y + column.y),
                            weight.x * READ(TX, x, row.y + column.x));
    return fma(row_weight.y, lower, row_weight.x * upper);
}

#define ENLARGE(i)                                                                                 \
    {                                                                                              \
        const float v = enlarged(x##i + map##i.offset + n * map##i.sample, rows##i[oy] * map##i.sh, \
                                 row_weights##i[oy], columns##i[ox] * map##i.sw,                   \
                                 column_weights##i[ox]);                                           \
        WRITE(TY, y, to##i, ACTIVATE(v, 0.0f, 0.0f));                                              \
        WRITE_SIGMOID(i, v);                                                                       \
    }

__kernel void resize_joined(SELECT(SOURCES_, JOINED)(SOURCE_PARAMETERS) __global TY *restrict y, Map ym)
{
    const ulong n = get_global_id(2);
    const int oy = get_global_id(0) / ym.w, ox = get_global_id(0) - oy * ym.w;
    if (oy >= ym.h)
        return;
    y += ym.offset + n * ym.sample + oy * ym.sh + ox * ym.sw;
    SELECT(SOURCES_, JOINED)(ENLARGE)
}

#elif defined(VW)

#include "vectors.clh"

/* What becomes of a vector of sums; @other: the same channels of the other map. */
#if ADDED
#define FINISH(sum, other) ACTIVATE((sum) + VLOAD_REAL(other), alpha, beta)
#else
#define FINISH(sum, other) (sum)
#endif

/* Linear interpolation, or anything else with two taps a side: the hot case. */
static inline void blend_four(__global const REAL *upper, __global const REAL *lower,
                              const int *left_right, float4 weight, __global const REAL *other,
                              __global REAL *y, int channels, float alpha, float beta)
{
    for (int i = 0; i < channels; i += VW) {
        const int c = min(i, channels - VW);
        V sum = weight.x * VLOAD_REAL(upper + left_right[0] + c);
        sum = fma((V)(weight.y), VLOAD_REAL(upper + left_right[1] + c), sum);
        sum = fma((V)(weight.z), VLOAD_REAL(lower + left_right[0] + c), sum);
        sum = fma((V)(weight.w), VLOAD_REAL(lower + left_right[1] + c), sum);
        VSTORE_REAL(FINISH(sum, other + c), y + c);
    }
}

/* Rows and columns of a map at once, all channels of @chunk pixels of a row (sc == 1 on all sides,
 * and at least VW channels). Global: ceil(OW / chunk), OH. */
__kernel void resize_map(__global const REAL *restrict x, Map xm, __global REAL *restrict y,
                         Map ym, __global const int *restrict row_index,
                         __global const float *restrict row_weight, int row_taps,
                         __global const int *restrict column_index,
                         __global const float *restrict column_weight, int column_taps,
                         float outside, int chunk, __global const REAL *restrict other, Map om,
                         float alpha, float beta)
{
    const int n = get_global_id(2);
    const int oy = get_global_id(1);
    const int first = get_global_id(0) * chunk, end = min(first + chunk, ym.w);
    x += xm.offset + n * xm.sample;
    y += ym.offset + n * ym.sample + oy * ym.sh;
    other += om.offset + n * om.sample + oy * om.sh;
    row_index += oy * row_taps;
    row_weight += oy * row_taps;

    const int ahead = max(256 / ym.c, 1);
    for (int ox = first; ox < end; ox++) {
        if (ym.sw != ym.c) /* else hardware sees it coming */
            write_soon(y + (ox + ahead) * ym.sw, 1, ym.sw, ym.c);
        __global const int *column = column_index + ox * column_taps;
        __global const float *weight = column_weight + ox * column_taps;
        const bool is_outside = row_index[0] < 0 || column[0] < 0;
        if (row_taps == 2 && column_taps == 2 && !is_outside) {
            const int left_right[2] = { column[0] * xm.sw, column[1] * xm.sw };
            const float4 weights = (float4)(row_weight[0] * weight[0], row_weight[0] * weight[1],
                                            row_weight[1] * weight[0], row_weight[1] * weight[1]);
            blend_four(x + row_index[0] * xm.sh, x + row_index[1] * xm.sh, left_right, weights,
                       other + ox * om.sw, y + ox * ym.sw, ym.c, alpha, beta);
            continue;
        }
        for (int i = 0; i < ym.c; i += VW) {
            const int c = min(i, ym.c - VW);
            V sum = (V)(is_outside ? outside : 0.0f);
            for (int r = 0; r < row_taps && !is_outside; r++) {
                __global const REAL *row = x + row_index[r] * xm.sh + c;
                V row_sum = (V)(0.0f);
                for (int s = 0; s < column_taps; s++)
                    row_sum =
                        fma((V)(weight[s]), VLOAD_REAL(row + column[s] * xm.sw), row_sum);
                sum = fma((V)(row_weight[r]), row_sum, sum);
            }
            VSTORE_REAL(FINISH(sum, other + ox * om.sw + c), y + ox * ym.sw + c);
        }
    }
}

#else

#include "wide.clh"

/* As resize_map, for GPUs: one work-item takes eight channels of one pixel, which lie in whole
 * aligned blocks on both sides. Few taps are unrolled, so that all loads are on their way at once.
 * Global: C / 8 * OW * OH, rounded up. */
__kernel void resize_wide(__global const T *restrict x, Map xm, __global T *restrict y, Map ym,
                          __global const int *restrict row_index,
                          __global const float *restrict row_weight, int row_taps,
                          __global const int *restrict column_index,
                          __global const float *restrict column_weight, int column_taps,
                          float outside)
{
    const int n = get_global_id(2);
    const int blocks = ym.c / WIDE;
    const int pixel = get_global_id(0) / blocks, c = (get_global_id(0) - pixel * blocks) * WIDE;
    const int oy = pixel / ym.w, ox = pixel - oy * ym.w;
    if (oy >= ym.h)
        return;
    x += xm.offset + n * xm.sample + c;
    y += ym.offset + n * ym.sample + oy * ym.sh + ox * ym.sw + c;
    row_index += oy * row_taps;
    row_weight += oy * row_taps;
    column_index += ox * column_taps;
    column_weight += ox * column_taps;
    const bool is_outside = row_index[0] < 0 || column_index[0] < 0;

    float8 sum = (float8)(0.0f);
#pragma unroll
    for (int r = 0; r < (ROW_TAPS ? ROW_TAPS : row_taps); r++) {
        __global const T *row = x + (is_outside ? 0 : row_index[r] * xm.sh);
        float8 row_sum = (float8)(0.0f);
#pragma unroll
        for (int s = 0; s < (COLUMN_TAPS ? COLUMN_TAPS : column_taps); s++)
            row_sum = fma((float8)(column_weight[s]),
                          WIDE_READ(T, row + (is_outside ? 0 : column_index[s] * xm.sw)), row_sum);
        sum = fma((float8)(row_weight[r]), row_sum, sum);
    }
    WIDE_WRITE(T, y, is_outside ? (float8)(outside) : sum);
}

#endif
