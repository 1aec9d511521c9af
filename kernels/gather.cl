/* gather.cl - elements chosen, or places chosen, by a tensor of indices.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Negative indices count from the end. Indices come from the network: one that is out of range reads
 * or writes the nearest element that exists.
 *
 * Defines: TX TY TI, types of data, output and indices; RANK of the walk. scatter: REDUCTION, one of
 *   NONE, ADD, MUL, MAX, MIN; TU, the type of the updates.
 * Launch: one element a work-item unless said otherwise. Global: elements, rounded up; dimension 2
 *   is the sample.
 */
#include "common.clh"
#include "types.clh"
#include "index.clh"

static inline int valid_index(long index, int size)
{
    return (int)clamp(index < 0 ? index + size : index, 0L, (long)(size - 1));
}

#ifndef REDUCTION

/* Gather and GatherElements: x's strides on y's axes are 0 where the index takes over, which then
 * walks x by @axis_stride. */
__kernel void gather(__global const TX *x, Strided xs, __global const TI *indices, Strided is,
                     __global TY *y, Strided ys, Extents extents, int count, int axis_stride,
                     int axis_size)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const long index =
        READ(TI, indices + is.offset + n * is.sample, place_of(i, extents, is));
    x += xs.offset + n * xs.sample + place_of(i, extents, xs);
    y += ys.offset + n * ys.sample + place_of(i, extents, ys);
    WRITE(TY, y, 0, READ(TX, x, valid_index(index, axis_size) * axis_stride));
}

/* GatherND: tuples of @depth indices, @tuple_stride apart, into the axes of x described by @axes
 * (sizes) and @axis_strides. */
__kernel void gather_nd(__global const TX *x, Strided xs, __global const TI *indices, Strided is,
                        __global TY *y, Strided ys, Extents extents, Extents axes,
                        Extents axis_strides, int count, int depth, int tuple_stride)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0);
    if (i >= count)
        return;
    indices += is.offset + n * is.sample + place_of(i, extents, is);
    int place = place_of(i, extents, xs);
    for (int d = 0; d < depth; d++)
        place += valid_index(READ(TI, indices, d * tuple_stride), axes.n[d]) * axis_strides.n[d];
    y += ys.offset + n * ys.sample + place_of(i, extents, ys);
    WRITE(TY, y, 0, READ(TX, x + xs.offset + n * xs.sample, place));
}

/* OneHot: x holds the values off and on; @position has stride 1 on the new axis and 0 elsewhere. */
__kernel void one_hot(__global const TX *x, Strided xs, __global const TI *indices, Strided is,
                      __global TY *y, Strided ys, Extents extents, Extents position, int count,
                      int depth)
{
    const int n = get_global_id(2);
    int i = get_global_id(0);
    if (i >= count)
        return;
    const long index =
        (long)READ(TI, indices + is.offset + n * is.sample, place_of(i, extents, is));
    y += ys.offset + n * ys.sample + place_of(i, extents, ys);
    int at = 0;
    for (int axis = RANK - 1; axis >= 0; axis--) {
        at += i % extents.n[axis] * position.n[axis];
        i /= extents.n[axis];
    }
    const int on = (index < 0 ? index + depth : index) == at;
    WRITE(TY, y, 0, READ(TX, x + xs.offset + n * xs.sample, on * xs.stride[0]));
}

#else

#define COMBINE_NONE(old, v) (v)
#define COMBINE_ADD(old, v) ((old) + (v))
#define COMBINE_MUL(old, v) ((old) * (v))
#if IS_FLOAT(TY)
#define COMBINE_MAX(old, v) fmax(old, v)
#define COMBINE_MIN(old, v) fmin(old, v)
#else
#define COMBINE_MAX(old, v) max(old, v)
#define COMBINE_MIN(old, v) min(old, v)
#endif
#define COMBINE(old, v) PASTE(COMBINE_, REDUCTION)(old, v)

/* ScatterElements into y, which holds the data already. One work-item walks a whole lane along the
 * axis, in order, so that indices that meet are combined without atomics. Global: lanes, rounded
 * up. */
__kernel void scatter_elements(__global const TU *updates, Strided us, __global const TI *indices,
                               Strided is, __global TY *y, Strided ys, Extents lanes, int count,
                               int n_lane, int update_stride, int index_stride, int axis_stride,
                               int axis_size)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0);
    if (i >= count)
        return;
    updates += us.offset + n * us.sample + place_of(i, lanes, us);
    indices += is.offset + n * is.sample + place_of(i, lanes, is);
    y += ys.offset + n * ys.sample + place_of(i, lanes, ys);
    for (int k = 0; k < n_lane; k++) {
        const int at =
            valid_index(READ(TI, indices, k * index_stride), axis_size) * axis_stride;
        const ARITHMETIC(TY) v = READ(TU, updates, k * update_stride);
        WRITE(TY, y, at, COMBINE(READ(TY, y, at), v));
    }
}

/* ScatterND into y, which holds the data already. One work-item per element of a slice goes through
 * all tuples, in order. LANE_RANK: axes of the tuples. Global: elements of a slice, rounded up. */
#ifdef LANE_RANK

__kernel void scatter_nd(__global const TU *updates, Strided us, Strided update_lane,
                         __global const TI *indices, Strided index_lane, __global TY *y,
                         Strided ys, Extents slice, Extents lane, Extents axes,
                         Extents axis_strides, int count, int n_lane, int depth, int tuple_stride)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0);
    if (i >= count)
        return;
    updates += us.offset + n * us.sample + place_of(i, slice, us);
    indices += index_lane.offset + n * index_lane.sample;
    y += ys.offset + n * ys.sample + place_of(i, slice, ys);
    for (int k = 0; k < n_lane; k++) {
        __global const TI *tuple = indices + lane_place(k, lane, index_lane);
        int at = 0;
        for (int d = 0; d < depth; d++)
            at += valid_index(READ(TI, tuple, d * tuple_stride), axes.n[d]) * axis_strides.n[d];
        const ARITHMETIC(TY) v = READ(TU, updates, lane_place(k, lane, update_lane));
        WRITE(TY, y, at, COMBINE(READ(TY, y, at), v));
    }
}

#endif
#endif
