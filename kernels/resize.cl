/* resize.cl - interpolation along axes, by tables of taps.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every mode (nearest, linear, cubic, with or without antialiasing, any rule for coordinates) comes
 * down to a table: output index o of an axis is the sum of `taps` inputs index[o][t] times
 * weight[o][t]. An index of -1 at t = 0 says that o lies outside: it gets the extrapolation value.
 *
 * Defines: resize_axis: TX TY, RANK of the other axes. resize_map: VW, FP16.
 * Accumulation: float; a single tap of any type is copied.
 * Launch: dimension 2 is the sample; the others beside each kernel.
 */
#include "common.clh"
#include "types.clh"

#ifndef VW

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

#else

#include "vectors.clh"

/* Rows and columns of a map at once, all channels of a pixel (sc == 1 on both sides).
 * Global: OW, OH. */
__kernel void resize_map(__global const REAL *restrict x, Map xm, __global REAL *restrict y,
                         Map ym, __global const int *restrict row_index,
                         __global const float *restrict row_weight, int row_taps,
                         __global const int *restrict column_index,
                         __global const float *restrict column_weight, int column_taps,
                         float outside)
{
    const int n = get_global_id(2);
    const int ox = get_global_id(0), oy = get_global_id(1);
    x += xm.offset + n * xm.sample;
    y += ym.offset + n * ym.sample + oy * ym.sh + ox * ym.sw;
    row_index += oy * row_taps;
    row_weight += oy * row_taps;
    column_index += ox * column_taps;
    column_weight += ox * column_taps;
    const bool is_outside = row_index[0] < 0 || column_index[0] < 0;

    for (int c = 0; c < ym.c; c += VW) {
        V sum = (V)(is_outside ? outside : 0.0f);
        for (int r = 0; r < row_taps && !is_outside; r++) {
            __global const REAL *row = x + row_index[r] * xm.sh + c;
            V row_sum = (V)(0.0f);
            for (int s = 0; s < column_taps; s++)
                row_sum = fma((V)(column_weight[s]),
                              load_some(row + column_index[s] * xm.sw, 1, ym.c - c), row_sum);
            sum = fma((V)(row_weight[r]), row_sum, sum);
        }
        store_some(sum, y + c, 1, ym.c - c);
    }
}

#endif
