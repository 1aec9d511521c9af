/* einsum.cl - sums of products over any axes of one or two operands.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * y[o] = sum over s of a[o, s] * b[o, s]: each operand has a stride for every axis of the output
 * and for every axis that is summed over, 0 where it does not have that axis.
 *
 * Defines: TA TB TY, element types; OPERANDS 1 or 2 (1: b is never read); RANK of the output,
 *   LANE_RANK of the axes that are summed over.
 * Accumulation: float; integers stay integers.
 * Launch: one output a work-item. Global: outputs, rounded up; dimension 2 is the sample.
 */
#include "common.clh"
#include "types.clh"
#include "index.clh"

__kernel void einsum(__global const TA *a, Strided as, Strided a_lane, __global const TB *b,
                     Strided bs, Strided b_lane, __global TY *y, Strided ys, Extents outputs,
                     Extents lane, int count, int n_lane)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0);
    if (i >= count)
        return;
    a += as.offset + n * as.sample + place_of(i, outputs, as);
    b += bs.offset + n * bs.sample + place_of(i, outputs, bs);
    ARITHMETIC(TY) sum = 0;
    for (int k = 0; k < n_lane; k++) {
        const ARITHMETIC(TY) v = READ(TA, a, lane_place(k, lane, a_lane));
        sum += OPERANDS == 2 ? v * READ(TB, b, lane_place(k, lane, b_lane)) : v;
    }
    y += ys.offset + n * ys.sample;
    WRITE(TY, y, place_of(i, outputs, ys), sum);
}
