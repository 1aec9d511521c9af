/* inverse_norms.cl - one by the weighted norms of parts of a vector.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * y[r] = 1 / sqrt(sum over k < n of weights[at + k] * x[first + k]^2 + epsilon)
 *
 * Defines: TX TY, types of x and y; GROUP work-items that share a row, a power of 2, each taking VW
 *   elements at a time.
 * Buffers: x [N], its elements side by side; weights [total] floats; rows [R][3]: first, n, at.
 * Accumulation: float.
 * Launch: a work-group a row. Global: R * GROUP; dimension 2 is the sample.
 */
#include "common.clh"
#include "vectors.clh"

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
inverse_norms(__global const TX *restrict x, Strided xs, __global const float *restrict weights,
              __global const int *restrict rows, __global TY *y, Strided ys, float epsilon)
{
    __local float all[GROUP];
    const int n = get_global_id(2), thread = get_local_id(0), row = get_group_id(0);
    const int length = rows[row * 3 + 1];
    x += xs.offset + n * xs.sample + rows[row * 3];
    weights += rows[row * 3 + 2];

    V sums = (V)(0.0f);
    int k = thread * VW;
    for (; k + VW <= length; k += GROUP * VW) {
        const V v = VREAD(TX, x + k);
        sums = fma(v * v, VLOAD(weights + k), sums);
    }
    float sum = sum_of(sums);
    for (; k < length; k++) {
        const float v = READ(TX, x, k);
        sum = fma(v * v, weights[k], sum);
    }

    all[thread] = sum;
    for (int left = GROUP / 2; left > 0; left /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (thread < left)
            all[thread] += all[thread + left];
    }
    if (thread == 0)
        WRITE(TY, y + ys.offset + n * ys.sample, row * ys.stride[1],
              1.0f / sqrt(all[0] + epsilon));
}
