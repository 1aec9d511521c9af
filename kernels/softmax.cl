/* softmax.cl - Softmax, LogSoftmax and Hardmax along lanes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: OP, the ONNX name; HARDMAX if it is that; TX TY, types of x and y; RANK of the axes across lanes, LANE_RANK of
 *   those along a lane.
 * Buffers: x and y, each seen through two sets of strides: across the lanes and along one.
 * Accumulation: float; the largest element of the lane is taken off first.
 * Launch: one lane a work-item. Global: lanes, rounded up; dimension 2 is the sample.
 */
#include "common.clh"
#include "types.clh"
#include "index.clh"

#define SOFTMAX(v) (exp((v)-largest) / sum)
#define LOGSOFTMAX(v) ((v)-largest - log(sum))
#define END_Softmax SOFTMAX
#define END_LogSoftmax LOGSOFTMAX
#define END(v) PASTE(END_, OP)(v)

__kernel void softmax_general(__global const TX *x, Strided xs, Strided x_lane, __global TY *y,
                              Strided ys, Strided y_lane, Extents lanes, Extents lane, int count,
                              int n_lane)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0);
    if (i >= count)
        return;
    x += xs.offset + n * xs.sample + place_of(i, lanes, xs);
    y += ys.offset + n * ys.sample + place_of(i, lanes, ys);

    float largest = -INFINITY, sum = 0.0f;
    int first = -1;
    for (int k = 0; k < n_lane; k++) {
        const float v = READ(TX, x, lane_place(k, lane, x_lane));
        if (first < 0 || v > largest) {
            largest = v;
            first = k;
        }
    }
#ifdef HARDMAX
    for (int k = 0; k < n_lane; k++)
        WRITE(TY, y, lane_place(k, lane, y_lane), k == first ? 1.0f : 0.0f);
#else
    for (int k = 0; k < n_lane; k++)
        sum += exp(READ(TX, x, lane_place(k, lane, x_lane)) - largest);
    for (int k = 0; k < n_lane; k++) {
        const float v = READ(TX, x, lane_place(k, lane, x_lane));
        WRITE(TY, y, lane_place(k, lane, y_lane), END(v));
    }
#endif
}
