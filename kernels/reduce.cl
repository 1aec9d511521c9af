/* reduce.cl - sums, means, extremes and positions of extremes over any set of axes; running sums.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: OP, the ONNX name without "Reduce" (Sum, Mean, Max, ...); TX TY, types of x and y.
 *   reduce_general, arg_reduce: RANK of the axes kept, LANE_RANK of those reduced.
 *   reduce_columns, reduce_whole: VW; FP16 if TX is half. reduce_group: these, GROUP, a power of 2.
 * Buffers: x seen through two sets of strides, one over the axes kept and one over the lane of
 * those reduced; y over the axes kept. Accumulation: float, or the integers' own type (at least 32
 * bits). Launch: dimension 2 is the sample; the others beside each kernel.
 */
#include "common.clh"
#include "types.clh"
#include "index.clh"

#if IS_FLOAT(TX)
#define LARGER(a, b) fmax(a, b)
#define SMALLER(a, b) fmin(a, b)
#define ABSOLUTE(v) fabs(v)
#else
#define LARGER(a, b) max(a, b)
#define SMALLER(a, b) min(a, b)
#define ABSOLUTE(v) ((v) < 0 ? -(v) : (v))
#endif

#define START_Sum 0
#define START_Mean 0
#define START_L1 0
#define START_L2 0
#define START_SumSquare 0
#define START_LogSum 0
#define START_LogSumExp 0
#define START_Prod 1
#define START_Max LOWEST(TX)
#define START_Min HIGHEST(TX)

/* @shift: the largest element of the lane, which keeps LogSumExp within range. */
#define MAP_Sum(v) (v)
#define MAP_Mean(v) (v)
#define MAP_L1(v) ABSOLUTE(v)
#define MAP_L2(v) ((v) * (v))
#define MAP_SumSquare(v) ((v) * (v))
#define MAP_LogSum(v) (v)
#define MAP_LogSumExp(v) exp((float)((v)-shift))
#define MAP_Prod(v) (v)
#define MAP_Max(v) (v)
#define MAP_Min(v) (v)

#define ADD_Sum(a, b) ((a) + (b))
#define ADD_Mean(a, b) ((a) + (b))
#define ADD_L1(a, b) ((a) + (b))
#define ADD_L2(a, b) ((a) + (b))
#define ADD_SumSquare(a, b) ((a) + (b))
#define ADD_LogSum(a, b) ((a) + (b))
#define ADD_LogSumExp(a, b) ((a) + (b))
#define ADD_Prod(a, b) ((a) * (b))
#define ADD_Max(a, b) LARGER(a, b)
#define ADD_Min(a, b) SMALLER(a, b)

#define END_Sum(v) (v)
#define END_Mean(v) ((v) / n_lane)
#define END_L1(v) (v)
#define END_L2(v) sqrt((float)(v))
#define END_SumSquare(v) (v)
#define END_LogSum(v) log((float)(v))
#define END_LogSumExp(v) (shift + log((float)(v)))
#define END_Prod(v) (v)
#define END_Max(v) (v)
#define END_Min(v) (v)

#define NEEDS_SHIFT SELECT(NEEDS_SHIFT_, OP)
#define NEEDS_SHIFT_LogSumExp 1

#define START SELECT(START_, OP)
#define MAP(v) SELECT(MAP_, OP)(v)
#define ADD(a, b) SELECT(ADD_, OP)(a, b)
#define END(v) SELECT(END_, OP)(v)

#ifndef VW

typedef ARITHMETIC(TX) A;

/* One output a work-item. Global: outputs, rounded up. */
__kernel void reduce_general(__global const TX *x, Strided xs, Strided lane_strides, __global TY *y,
                             Strided ys, Extents kept, Extents lane, int count, int n_lane)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0);
    if (i >= count)
        return;
    x += xs.offset + n * xs.sample + place_of(i, kept, xs);
#if NEEDS_SHIFT
    A shift = LOWEST(TX);
    for (int k = 0; k < n_lane; k++)
        shift = LARGER(shift, READ(TX, x, lane_place(k, lane, lane_strides)));
    shift = isfinite((float)shift) ? shift : 0;
#endif
    A sum = START;
    for (int k = 0; k < n_lane; k++) {
        const A v = READ(TX, x, lane_place(k, lane, lane_strides));
        sum = ADD(sum, MAP(v));
    }
    WRITE(TY, y + ys.offset + n * ys.sample, place_of(i, kept, ys), END(sum));
}

#ifdef SIGN

/* The position along the axis of the largest element (SIGN 1) or the smallest (SIGN -1); the last
 * of several if LAST, else the first. Global: outputs, rounded up. */
__kernel void arg_reduce(__global const TX *x, Strided xs, Strided lane_strides, __global long *y,
                         Strided ys, Extents kept, int count, int n_lane)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0);
    if (i >= count)
        return;
    x += xs.offset + n * xs.sample + place_of(i, kept, xs);
    A best = READ(TX, x, 0);
    int at = 0;
    for (int k = 1; k < n_lane; k++) {
        const A v = READ(TX, x, k * lane_strides.stride[0]);
        if ((SIGN > 0 ? v > best : v < best) || (LAST && v == best)) {
            best = v;
            at = k;
        }
    }
    y[ys.offset + n * ys.sample + place_of(i, kept, ys)] = at;
}

#endif
#ifdef REVERSE

/* Running sums along an axis, from its end if REVERSE, without the element itself if EXCLUSIVE. y
 * is seen through two sets of strides like x. Global: lanes, rounded up. */
__kernel void running_sum(__global const TX *x, Strided xs, Strided x_lane, __global TY *y,
                          Strided ys, Strided y_lane, Extents kept, int count, int n_lane)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0);
    if (i >= count)
        return;
    x += xs.offset + n * xs.sample + place_of(i, kept, xs);
    y += ys.offset + n * ys.sample + place_of(i, kept, ys);
    A sum = 0;
    for (int k = 0; k < n_lane; k++) {
        const int at = REVERSE ? n_lane - 1 - k : k;
        const A v = READ(TX, x, at * x_lane.stride[0]);
        WRITE(TY, y, at * y_lane.stride[0], EXCLUSIVE ? sum : sum + v);
        sum += v;
    }
}

#endif
#else

#include "vectors.clh"

/* Lanes whose like elements lie side by side, as the pixels of NHWC maps do: one work-item takes VW
 * lanes and @chunk of their elements. x: [n_lane][lanes], @row apart; parts: [parts][lanes].
 * Global: ceil(n_lane / chunk), ceil(lanes / VW). */
__kernel void reduce_columns(__global const REAL *restrict x, Strided xs, __global float *parts,
                             Strided ps, int lanes, int n_lane, int chunk)
{
    const int n = get_global_id(2);
    const int start = get_global_id(0) * chunk, stop = min(start + chunk, n_lane);
    const int lane = get_global_id(1) * VW, left = lanes - lane;
    x += xs.offset + n * xs.sample + lane;
    V sum = (V)(START);
#pragma unroll 8 /* a GPU has as many loads under way */
    for (int k = start; k < stop; k++) {
        const V v = load_some(x + k * xs.stride[0], 1, left);
        sum = ADD(sum, MAP(v));
    }
    parts += ps.offset + n * ps.sample + (size_t)get_global_id(0) * lanes + lane;
    if (left >= VW) {
        VSTORE(sum, parts);
        return;
    }
    float t[VW];
    VSTORE(sum, t);
    for (int i = 0; i < left; i++)
        parts[i] = t[i];
}

/* The same in one launch, for short lanes: all elements of VW lanes, four sums of each side by side.
 * Global: ceil(lanes / VW). */
__kernel void reduce_whole(__global const REAL *restrict x, Strided xs, __global TY *y, Strided ys,
                           int lanes, int n_lane)
{
    const int n = get_global_id(2);
    const int lane = get_global_id(0) * VW, left = lanes - lane;
    x += xs.offset + n * xs.sample + lane;
    V sums[4] = { (V)(START), (V)(START), (V)(START), (V)(START) };
    for (int k = 0; k < n_lane; k += 4) {
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (k + i < n_lane)
                sums[i] = ADD(sums[i], MAP(load_some(x + (k + i) * xs.stride[0], 1, left)));
    }
    float t[VW];
    VSTORE(ADD(ADD(sums[0], sums[1]), ADD(sums[2], sums[3])), t);
    y += ys.offset + n * ys.sample;
    for (int i = 0; i < VW && i < left; i++)
        WRITE(TY, y, (lane + i) * ys.stride[0], END(t[i]));
}

#ifdef GROUP

/* The same for GPUs: a group takes all elements of VW lanes, and adds up its work-items' sums, always
 * in the same order. Global: ceil(lanes / VW) * GROUP. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
reduce_group(__global const REAL *restrict x, Strided xs, __global TY *y, Strided ys, int lanes,
             int n_lane)
{
    __local V all[GROUP];
    const int n = get_global_id(2), thread = get_local_id(0);
    const int lane = get_group_id(0) * VW, left = lanes - lane;
    x += xs.offset + n * xs.sample + lane;
    V sum = (V)(START);
#pragma unroll 4
    for (int k = thread; k < n_lane; k += GROUP)
        sum = ADD(sum, MAP(load_some(x + k * xs.stride[0], 1, left)));
    all[thread] = sum;
    for (int half_group = GROUP / 2; half_group > 0; half_group /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (thread < half_group)
            all[thread] = ADD(all[thread], all[thread + half_group]);
    }
    if (thread > 0)
        return;
    float t[VW];
    VSTORE(all[0], t);
    y += ys.offset + n * ys.sample;
    for (int i = 0; i < VW && i < left; i++)
        WRITE(TY, y, (lane + i) * ys.stride[0], END(t[i]));
}

#endif

/* Adds up the parts. Global: lanes, rounded up. */
__kernel void reduce_parts(__global const float *parts, Strided ps, __global TY *y, Strided ys,
                           int lanes, int n_parts, int n_lane)
{
    const int n = get_global_id(2);
    const int lane = get_global_id(0);
    if (lane >= lanes)
        return;
    parts += ps.offset + n * ps.sample + lane;
    float sum = START;
#pragma unroll 8
    for (int k = 0; k < n_parts; k++)
        sum = ADD(sum, parts[(size_t)k * lanes]);
    WRITE(TY, y + ys.offset + n * ys.sample, lane * ys.stride[0], END(sum));
}

#endif
