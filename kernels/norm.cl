/* norm.cl - mean and variance of lanes, and what they make of scale and bias.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every normalisation is three steps: parts of sums over each lane (norm_parts_*), one pair of scale
 * and shift per lane and channel (norm_fold), and x * scale + shift (elementwise.cl, Affine). The
 * sums are of differences to the lane's first element, so that a mean far from 0 costs no digits.
 * GPUs take small maps in one step (norm_whole).
 *
 * Defines: norm_parts_general: TX, the type of x, RANK of the axes across lanes, LANE_RANK of those
 *   along one, SHIFTED 0 or 1 (0: no differences, and sums of absolute values).
 *   norm_parts_columns: VW, FP16. norm_parts_wide: T, the type of x, GROUP work-items that take CB
 *   blocks of eight lanes, both powers of 2.
 *   norm_whole: T, GROUP, a power of 2, EACH elements of a lane for each work-item, ACT.
 *   norm_apply: T, GROUP, LANES, ACT. norm_few: these, where ACT is the convolution's and NORM_ACT the
 *   normalisation's, and TY, the type of y, CHANNELS of x, K outputs.
 *   norm_fold: TS TB, types of scale and bias, SCALE and BIAS 0 or 1, KIND one of INSTANCE (mean and
 *   deviation, epsilon within the root), DEVIATION (epsilon outside of it), LP1, LP2 (the norm
 *   alone); SHARE of GROUP work-items, powers of 2, add up one channel.
 *   batch_fold: TS TB TM TV. lrn: TX TY.
 * Buffers: parts [2 n_parts + 1][lanes] floats: sums, sums of squares, the first element.
 * Accumulation: float.
 * Launch: dimension 2 is the sample; the others beside each kernel.
 */
#include "common.clh"
#include "types.clh"

#ifdef LANE_RANK

#include "index.clh"

/* One part of one lane a work-item. Global: lanes, rounded up; n_parts. */
__kernel void norm_parts_general(__global const TX *x, Strided xs, Strided x_lane,
                                 __global float *parts, Strided ps, Extents lanes, Extents lane,
                                 int count, int n_lane, int chunk)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0);
    const int part = get_global_id(1), n_parts = get_global_size(1);
    if (i >= count)
        return;
    x += xs.offset + n * xs.sample + place_of(i, lanes, xs);
    const float first = SHIFTED ? READ(TX, x, 0) : 0.0f;
    float sum = 0.0f, squares = 0.0f;
    for (int k = part * chunk; k < min((part + 1) * chunk, n_lane); k++) {
        const float v = READ(TX, x, lane_place(k, lane, x_lane)) - first;
        sum += SHIFTED ? v : fabs(v);
        squares += v * v;
    }
    parts += ps.offset + n * ps.sample + i;
    parts[part * count] = sum;
    parts[(n_parts + part) * count] = squares;
    if (part == 0)
        parts[2 * n_parts * count] = first;
}

#elif defined(VW)

#include "vectors.clh"

/* Lanes whose like elements lie side by side, as the pixels of NHWC maps do: one work-item takes VW
 * lanes and @chunk of their elements. x: [n_lane][lanes], rows @row apart.
 * Global: n_parts, ceil(lanes / VW). */
__kernel void norm_parts_columns(__global const REAL *restrict x, Strided xs,
                                 __global float *parts, Strided ps, int row, int lanes, int n_lane,
                                 int chunk)
{
    const int n = get_global_id(2);
    const int part = get_global_id(0), n_parts = get_global_size(0);
    const int lane = get_global_id(1) * VW, left = lanes - lane;
    x += xs.offset + n * xs.sample + lane;
    const V first = load_some(x, 1, left);
    V sum = (V)(0.0f), squares = (V)(0.0f);
    for (int k = part * chunk; k < min((part + 1) * chunk, n_lane); k++) {
        const V v = load_some(x + k * row, 1, left) - first;
        sum += v;
        squares = fma(v, v, squares);
    }
    parts += ps.offset + n * ps.sample + lane;
    float t[VW], u[VW];
    VSTORE(sum, t);
    VSTORE(squares, u);
    for (int i = 0; i < VW && i < left; i++) {
        parts[part * lanes + i] = t[i];
        parts[(n_parts + part) * lanes + i] = u[i];
        if (part == 0)
            parts[2 * n_parts * lanes + i] = LOAD(x, i);
    }
}

#elif defined(CB)

#include "wide.clh"

#define ROWS (GROUP / CB) /* elements of a lane that a group takes at a time */

/* As norm_parts_columns, for GPUs: a group adds up @chunk elements of 8 CB lanes, which lie in whole
 * aligned blocks, every work-item each ROWS-th; then the work-items' sums, always in the same order.
 * Global: n_parts * GROUP, ceil(lanes / (8 CB)). */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
norm_parts_wide(__global const T *restrict x, Strided xs, __global float *parts, Strided ps, int row,
                int lanes, int n_lane, int chunk)
{
    __local float8 all[GROUP];
    const int n = get_global_id(2), thread = get_local_id(0);
    const int part = get_group_id(0), n_parts = get_num_groups(0);
    const int lane = (get_group_id(1) * CB + thread % CB) * WIDE;
    const int stop = lane < lanes ? min((part + 1) * chunk, n_lane) : 0;
    x += xs.offset + n * xs.sample + lane;
    const float8 first = lane < lanes ? WIDE_READ(T, x) : (float8)(0.0f);
    float8 sum[2] = { (float8)(0.0f), (float8)(0.0f) };
#pragma unroll 4
    for (int k = part * chunk + thread / CB; k < stop; k += ROWS) {
        const float8 v = WIDE_READ(T, x + (size_t)k * row) - first;
        sum[0] += v;
        sum[1] = fma(v, v, sum[1]);
    }
    parts += ps.offset + n * ps.sample + lane;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        all[thread] = sum[i];
        for (int left = ROWS / 2; left > 0; left /= 2) {
            barrier(CLK_LOCAL_MEM_FENCE);
            if (thread < left * CB)
                all[thread] += all[thread + left * CB];
        }
        if (thread < CB && lane < lanes)
            WIDE_WRITE(float, parts + (i * n_parts + part) * lanes, all[thread]);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (part == 0 && thread < CB && lane < lanes)
        WIDE_WRITE(float, parts + 2 * n_parts * lanes, first);
}

#elif defined(EACH)

#include "wide.clh"

/* The sum of all work-items of a group, which all get it; always in the same order. */
static inline float8 sum_of_group(__local float8 *all, int thread, float8 mine)
{
    barrier(CLK_LOCAL_MEM_FENCE); /* who still reads the sum before */
    all[thread] = mine;
    for (int left = GROUP / 2; left > 0; left /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (thread < left)
            all[thread] += all[thread + left];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    return all[0];
}

static inline float8 eight_of(__global const float *from, int stride)
{
    return (float8)(from[0], from[stride], from[2 * stride], from[3 * stride], from[4 * stride],
                    from[5 * stride], from[6 * stride], from[7 * stride]);
}

/* InstanceNormalization of eight lanes, which lie side by side in an aligned block, by one group that
 * reads them once: mean, then deviation from it, then the elements, rows of lanes being @x_row and
 * @y_row apart. x and y may be the same. Global: lanes / 8 * GROUP. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
norm_whole(__global const T *x, Strided xs, __global const float *scale, Strided ss,
           __global const float *bias, Strided bs, __global T *y, Strided ys, int x_row, int y_row,
           int n_lane, float epsilon, float alpha, float beta)
{
    __local float8 all[GROUP];
    const int n = get_global_id(2), thread = get_local_id(0);
    const int lane = get_group_id(0) * WIDE;
    x += xs.offset + n * xs.sample + lane;
    y += ys.offset + n * ys.sample + lane;
    float8 v[EACH], sum = (float8)(0.0f);
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        const int k = i * GROUP + thread;
        v[i] = k < n_lane ? WIDE_READ(T, x + (size_t)k * x_row) : (float8)(0.0f);
        sum += v[i];
    }
    const float8 mean = sum_of_group(all, thread, sum) / n_lane;
    sum = (float8)(0.0f);
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        v[i] = i * GROUP + thread < n_lane ? v[i] - mean : (float8)(0.0f);
        sum = fma(v[i], v[i], sum);
    }
    const float8 variance = sum_of_group(all, thread, sum) / n_lane;
    const float8 factor = eight_of(scale + ss.offset + n * ss.sample + lane * ss.stride[0], ss.stride[0]) /
                          sqrt(variance + epsilon);
    const float8 shift = eight_of(bias + bs.offset + n * bs.sample + lane * bs.stride[0], bs.stride[0]);
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        const int k = i * GROUP + thread;
        if (k < n_lane)
            WIDE_WRITE(T, y + (size_t)k * y_row, ACTIVATE(fma(v[i], factor, shift), alpha, beta));
    }
}

#elif defined(LANES)

#include "wide.clh"
#include "moments.clh"

#ifndef K

/* Normalises lanes whose like elements lie side by side, in whole aligned blocks, by the moments of
 * their parts; where they lie. Every group folds all parts for itself and then takes @chunk elements
 * of each lane. Global: ceil(n_lane / chunk) * GROUP. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
norm_apply(__global const float *restrict moments, Strided ms, __global const float *scale,
           Strided ss, __global const float *bias, Strided bs, __global T *x, Strided xs, int row,
           int n_lane, int n_parts, int chunk, float epsilon, float alpha, float beta)
{
    __local float all[3 * GROUP], factors[LANES], shifts[LANES];
    const int n = get_global_id(2), thread = get_local_id(0);
    fold_moments(moments + ms.offset + n * ms.sample, scale + ss.offset, ss.stride[0],
                 bias + bs.offset, bs.stride[0], n_parts, epsilon, thread, all, factors, shifts);

    const int start = get_group_id(0) * chunk, left = min(chunk, n_lane - start);
    x += xs.offset + n * xs.sample + (size_t)start * row;
#pragma unroll 4
    for (int q = thread; q < left * (LANES / WIDE); q += GROUP) {
        const int c = q % (LANES / WIDE) * WIDE;
        __global T *at = x + (size_t)(q / (LANES / WIDE)) * row + c;
        const float8 v = fma(WIDE_READ(T, at), vload8(0, factors + c), vload8(0, shifts + c));
        WIDE_WRITE(T, at, ACTIVATE(v, alpha, beta));
    }
}

#else

/* The same, followed by a 1x1 convolution of few outputs: nothing of what is normalised, the last
 * LANES of CHANNELS, is written. A work-item takes a pixel at a time. x: the map of the convolution,
 * its pixels @row apart. weights: [K][CHANNELS]; few: [K], its bias. Global: as norm_apply's. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
norm_few(__global const float *restrict moments, Strided ms, __global const float *norm_scale,
         Strided ss, __global const float *norm_bias, Strided bs, __global const T *restrict x,
         Strided xs, int row, int n_lane, int n_parts, int chunk, float epsilon, float norm_alpha,
         float norm_beta, __global const float *restrict weights, __global const float *few,
         __global TY *y, Map ym, float alpha, float beta)
{
    __local float all[3 * GROUP], factors[LANES], shifts[LANES];
    const int n = get_global_id(2), thread = get_local_id(0);
    fold_moments(moments + ms.offset + n * ms.sample, norm_scale + ss.offset, ss.stride[0],
                 norm_bias + bs.offset, bs.stride[0], n_parts, epsilon, thread, all, factors,
                 shifts);

    const int start = get_group_id(0) * chunk, stop = min(start + chunk, n_lane);
    x += xs.offset + n * xs.sample;
    y += ym.offset + n * ym.sample;
#pragma unroll 2
    for (int q = start + thread; q < stop; q += GROUP) {
        float sum[K];
#pragma unroll
        for (int k = 0; k < K; k++)
            sum[k] = few[k];
#pragma unroll
        for (int c = 0; c < CHANNELS; c += WIDE) {
            float8 v = WIDE_READ(T, x + (size_t)q * row + c);
            if (c >= CHANNELS - LANES) {
                const int lane = c - (CHANNELS - LANES);
                v = fma(v, vload8(0, factors + lane), vload8(0, shifts + lane));
                v = ACTIVATE_AS(NORM_ACT, v, norm_alpha, norm_beta);
            }
#pragma unroll
            for (int k = 0; k < K; k++) {
                const float8 w = WIDE_READ(float, weights + k * CHANNELS + c);
                sum[k] += dot(v.lo, w.lo) + dot(v.hi, w.hi);
            }
        }
#pragma unroll
        for (int k = 0; k < K; k++)
            WRITE(TY, y, k * ym.sc + q / ym.w * ym.sh + q % ym.w * ym.sw,
                  ACTIVATE(sum[k], alpha, beta));
    }
}

#endif

#elif defined(KIND)

#define INSTANCE 0
#define LP1 1
#define LP2 2
#define DEVIATION 3

/* Scale and shift of each channel, of which channels_per_lane share a lane. SHARE work-items, which
 * stand side by side in a group of GROUP, add up the parts of a channel, always in the same order.
 * folded: [2][channels] floats.
 * Global: channels * SHARE, rounded up. */
__kernel void norm_fold(__global const float *parts, Strided ps, __global const TS *scale,
                        Strided ss, __global const TB *bias, Strided bs, __global float *folded,
                        Strided fs, int channels, int channels_per_lane, int n_parts, int n_lane,
                        float epsilon)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0) / SHARE, share = get_global_id(0) % SHARE;
    const int lane = min(i, channels - 1) / channels_per_lane, lanes = channels / channels_per_lane;
    parts += ps.offset + n * ps.sample + lane;
    float sum = 0.0f, squares = 0.0f;
#pragma unroll 8
    for (int part = share; part < n_parts; part += SHARE) {
        sum += parts[part * lanes];
        squares += parts[(n_parts + part) * lanes];
    }
#if SHARE > 1
    __local float2 all[GROUP];
    const int thread = get_local_id(0);
    all[thread] = (float2)(sum, squares);
    for (int left = SHARE / 2; left > 0; left /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (share < left)
            all[thread] += all[thread + left];
    }
    sum = all[thread].x;
    squares = all[thread].y;
#endif
    if (i >= channels || share > 0)
        return;

    float mean = 0.0f, factor;
    if (KIND == INSTANCE || KIND == DEVIATION) {
        const float difference = sum / n_lane;
        const float variance = fmax(squares / n_lane - difference * difference, 0.0f);
        mean = parts[2 * n_parts * lanes] + difference;
        factor = KIND == INSTANCE ? 1.0f / sqrt(variance + epsilon)
                                  : 1.0f / (sqrt(variance) + epsilon);
    } else {
        const float norm = KIND == LP1 ? sum : sqrt(squares);
        factor = norm == 0.0f ? 0.0f : 1.0f / norm;
    }
    if (SCALE)
        factor *= READ(TS, scale + ss.offset + n * ss.sample, i * ss.stride[0]);
    float shift = -mean * factor;
    if (BIAS)
        shift += READ(TB, bias + bs.offset + n * bs.sample, i * bs.stride[0]);
    folded += fs.offset + n * fs.sample;
    folded[i] = factor;
    folded[channels + i] = shift;
}

#elif defined(TM)

/* BatchNormalization whose parameters are computed by the network: as norm_fold, from a mean and a
 * variance that are given. Global: channels, rounded up. */
__kernel void batch_fold(__global const TS *scale, Strided ss, __global const TB *bias, Strided bs,
                         __global const TM *mean, Strided ms, __global const TV *variance,
                         Strided vs, __global float *folded, Strided fs, int channels,
                         float epsilon)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0);
    if (i >= channels)
        return;
    const float v = READ(TV, variance + vs.offset + n * vs.sample, i * vs.stride[0]);
    const float factor =
        READ(TS, scale + ss.offset + n * ss.sample, i * ss.stride[0]) / sqrt(v + epsilon);
    const float m = READ(TM, mean + ms.offset + n * ms.sample, i * ms.stride[0]);
    folded += fs.offset + n * fs.sample;
    folded[i] = factor;
    folded[channels + i] =
        READ(TB, bias + bs.offset + n * bs.sample, i * bs.stride[0]) - m * factor;
}

#else

/* y = x / (bias + alpha / size * sum of x^2 over the @size channels around)^beta.
 * One element a work-item, the channels fastest. Global: C * H * W, rounded up. */
__kernel void lrn(__global const TX *x, Map xm, __global TY *y, Map ym, int size, float alpha,
                  float beta, float bias)
{
    const int n = get_global_id(2);
    const int c = get_global_id(0) % ym.c;
    const int row = get_global_id(0) / ym.c / ym.w, column = get_global_id(0) / ym.c % ym.w;
    if (row >= ym.h)
        return;
    x += xm.offset + n * xm.sample + row * xm.sh + column * xm.sw;
    const int first = max(c - (size - 1) / 2, 0), last = min(c + size / 2, xm.c - 1);
    float squares = 0.0f;
    for (int k = first; k <= last; k++) {
        const float v = READ(TX, x, k * xm.sc);
        squares += v * v;
    }
    y += ym.offset + n * ym.sample;
    WRITE(TY, y, c * ym.sc + row * ym.sh + column * ym.sw,
          READ(TX, x, c * xm.sc) * pow(bias + alpha / size * squares, -beta));
}

#endif
