/* topk.cl - the k largest or smallest elements along an axis, in order.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every element counts those of its lane that come before it, which is its place among them: equals
 * by their index, NaNs before all numbers. That is n comparisons per element, but needs no memory,
 * and elements share nothing.
 *
 * Defines: TX TY, the types of x and y; LARGEST and INDICES 0 or 1; RANK of the axes across lanes.
 * Buffers: x with n_lane elements along a lane, y and indices with k.
 * Launch: one element of x a work-item. Global: n_lane * lanes, rounded up; dimension 2 is the
 *   sample.
 */
#include "common.clh"
#include "types.clh"
#include "index.clh"

#if IS_FLOAT(TX)
#define KEY(v) (isnan(v) ? (LARGEST ? INFINITY : -INFINITY) : (v))
#else
#define KEY(v) (v)
#endif
#define COMES_BEFORE(a, b) (LARGEST ? (a) > (b) : (a) < (b))

__kernel void top_k(__global const TX *x, Strided xs, __global TY *y, Strided ys,
                    __global long *indices, Strided is, Extents lanes, int count, int n_lane, int k,
                    int x_step, int y_step, int index_step)
{
    const int n = get_global_id(2);
    const int lane = get_global_id(0) / n_lane, at = get_global_id(0) % n_lane;
    if (lane >= count)
        return;
    x += xs.offset + n * xs.sample + place_of(lane, lanes, xs);
    const ARITHMETIC(TX) v = READ(TX, x, at * x_step), key = KEY(v);
    int place = 0;
    for (int i = 0; i < n_lane && place < k; i++) {
        const ARITHMETIC(TX) read = READ(TX, x, i * x_step), other = KEY(read);
        place += COMES_BEFORE(other, key) || (other == key && i < at);
    }
    if (place >= k)
        return;
    y += ys.offset + n * ys.sample + place_of(lane, lanes, ys);
    WRITE(TY, y, place * y_step, v);
    if (INDICES)
        indices[is.offset + n * is.sample + place_of(lane, lanes, is) + place * index_step] = at;
}
