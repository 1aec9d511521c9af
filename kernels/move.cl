/* move.cl - elements from one place to another, where no expression is involved.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Copies between views of the same dims are elementwise.cl's (Cast); here are those whose source has
 * other dims or is chosen by tables.
 *
 * Defines: TX TY, types of x and y; RANK of y. move_reshaped: LANE_RANK, the rank of x.
 * Launch: one element a work-item. Global: elements, rounded up; dimension 2 is the sample.
 */
#include "common.clh"
#include "types.clh"
#include "index.clh"

#ifdef LANE_RANK

/* Element i of y in its row-major order is element i of x in its own. */
__kernel void move_reshaped(__global const TX *x, Strided xs, Extents x_extents, __global TY *y,
                            Strided ys, Extents y_extents, int count)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0);
    if (i >= count)
        return;
    x += xs.offset + n * xs.sample + lane_place(i, x_extents, xs);
    y += ys.offset + n * ys.sample + place_of(i, y_extents, ys);
    WRITE(TY, y, 0, READ(TX, x, 0));
}

#else

/* Each axis has a table: the input index for every output index, -1 for @value. Axis k's table
 * starts at tables[first.n[k]]. */
__kernel void move_indexed(__global const TX *x, Strided xs, __global const int *tables,
                           __global TY *y, Strided ys, Extents extents, Extents first, int count,
                           float value)
{
    const int n = get_global_id(2);
    int i = get_global_id(0);
    if (i >= count)
        return;
    int from = 0, to = 0;
    bool outside = false;
#pragma unroll
    for (int axis = RANK - 1; axis >= 0; axis--) {
        const int k = i % extents.n[axis];
        const int source = tables[first.n[axis] + k];
        outside |= source < 0;
        from += source * xs.stride[axis];
        to += k * ys.stride[axis];
        i /= extents.n[axis];
    }
    x += xs.offset + n * xs.sample;
    y += ys.offset + n * ys.sample;
    if (outside)
        WRITE(TY, y, to, value);
    else
        WRITE(TY, y, to, READ(TX, x, from));
}

/* The upper (UPPER 1) or lower triangle of matrices, the rest zero: the last two of RANK axes are
 * row and column; the diagonal is @k columns to the right. */
#ifdef UPPER

__kernel void trilu(__global const TX *x, Strided xs, __global TY *y, Strided ys, Extents extents,
                    int count, int k)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const int column = i % extents.n[RANK - 1];
    const int row = i / extents.n[RANK - 1] % extents.n[RANK - 2];
    const bool inside = UPPER ? column >= row + k : column <= row + k;
    x += xs.offset + n * xs.sample + place_of(i, extents, xs);
    y += ys.offset + n * ys.sample + place_of(i, extents, ys);
    if (inside)
        WRITE(TY, y, 0, READ(TX, x, 0));
    else
        WRITE(TY, y, 0, 0);
}

#endif
#endif
