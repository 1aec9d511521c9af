/* video_blur.cl - the frame's own background, blurred, without what stands before it, or the other
 * way round.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: PX; those of video_picture.clh; FRONT 1: the foreground, without what is behind it.
 * Buffers: src pictures of n frames; alpha [n][height][pitch] ushort; small [n][4][small height]
 *   [pitch] float: colour in the output's space times weight, and weight, at reduced size; sheets
 *   [n][3][small height][pitch] float: colour.
 * Accumulation: float. Each pixel weighs (1 - alpha)^2, so that the foreground does not bleed into
 *   what is behind it (FRONT: alpha^2), and a residue so that colour exists everywhere.
 * Launch: see each kernel; any local size.
 */
#include "video_picture.clh"

/* Of a pixel that the other side covers: too little to be seen (below half a step of 255) beside
 * any background within reach. */
#define RESIDUE 1e-4f

/* Sums over PX columns are folded down to PX / FACTOR values. */
static inline float sum_lanes(Floats v, int first, int n)
{
    float value[PX];
    STORE_PX(v, value);
    float sum = 0.0f;
    for (int i = 0; i < n; i++)
        sum += value[first + i];
    return sum;
}

/* Averages FACTOR x FACTOR pixels; FACTOR is 4.
 * Global: strips of PX picture columns, small rows, frames. */
#define FACTOR 4
__kernel void video_blur_reduce(__global const uchar *restrict src, Picture in, float16 m,
                                __global const ushort *restrict alpha, int alpha_pitch,
                                __global float *restrict small, int small_pitch)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1) * FACTOR;
    const ulong frame = get_global_id(2);
    src += frame * in.frame;
    const Floats inside = select((Floats)0.0f, (Floats)1.0f, LANES + x < in.width);
    Floats weights = 0.0f;
    Color sum;
    sum.c0 = 0.0f;
    sum.c1 = 0.0f;
    sum.c2 = 0.0f;
    for (int row = y; row < min(y + FACTOR, in.height); row++) {
        const Color color = load_color(src, &in, m, x, row);
        const Floats a = TO_FLOATS(LOAD_PX(alpha + (frame * in.height + row) * alpha_pitch + x)) *
                         (1.0f / 65535.0f);
        const Floats share = FRONT ? a : 1.0f - a;
        const Floats weight = inside * fmax(share * share, RESIDUE);
        sum.c0 += weight * color.c0;
        sum.c1 += weight * color.c1;
        sum.c2 += weight * color.c2;
        weights += weight;
    }
    const ulong plane = get_global_size(1) * (ulong)small_pitch;
    __global float *p =
        small + 4 * frame * plane + get_global_id(1) * (ulong)small_pitch + x / FACTOR;
    for (int i = 0; i < PX / FACTOR; i++) {
        p[i] = sum_lanes(sum.c0, i * FACTOR, FACTOR);
        p[plane + i] = sum_lanes(sum.c1, i * FACTOR, FACTOR);
        p[2 * plane + i] = sum_lanes(sum.c2, i * FACTOR, FACTOR);
        p[3 * plane + i] = sum_lanes(weights, i * FACTOR, FACTOR);
    }
}

/* The four planes of the neighbours from column @x on; past the ends there is nothing. */
static inline Floats load_inside(__global const float *row, int x, int width)
{
    if (x >= 0 && x + PX <= width)
        return LOAD_PX(row + x);
    float value[PX];
    for (int i = 0; i < PX; i++)
        value[i] = x + i >= 0 && x + i < width ? row[x + i] : 0.0f;
    return LOAD_PX(value);
}

/* A Gaussian along (@dx, @dy), cut at three sigma. Its weights follow from one another:
 * w(k + 1) = w(k) r(k), r(k + 1) = r(k) q. @sigma: in small pixels; negative: each frame's own.
 * Global: strips, small rows, frames times 4. */
__kernel void video_blur_line(__global const float *restrict src, __global float *restrict dst,
                              int pitch, int width, int dx, int dy, float sigma,
                              __global const Controls *restrict controls)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1), height = get_global_size(1);
    if (sigma < 0.0f)
        sigma = controls[get_global_id(2) / 4].sigma;
    const int reach = (int)ceil(3.0f * sigma);
    const ulong plane = get_global_id(2) * (ulong)pitch * height;
    Floats sum = LOAD_PX(src + plane + (ulong)y * pitch + x);
    if (sigma > 0.0f) {
        float weight = 1.0f, ratio = exp(-0.5f / (sigma * sigma));
        const float quotient = ratio * ratio;
        for (int k = 1; k <= reach; k++) {
            weight *= ratio;
            ratio *= quotient;
            if (y - k * dy >= 0)
                sum += weight *
                       load_inside(src + plane + (ulong)(y - k * dy) * pitch, x - k * dx, width);
            if (y + k * dy < height)
                sum += weight *
                       load_inside(src + plane + (ulong)(y + k * dy) * pitch, x + k * dx, width);
        }
    }
    STORE_PX(sum, dst + plane + (ulong)y * pitch + x);
}

/* Colour = weighted sum / weights. Global: strips, small rows, frames. */
__kernel void video_blur_divide(__global const float *restrict src, __global float *restrict sheets,
                                int pitch)
{
    const ulong at = get_global_id(1) * (ulong)pitch + get_global_id(0) * PX;
    const ulong plane = get_global_size(1) * (ulong)pitch;
    __global const float *p = src + 4 * get_global_id(2) * plane + at;
    __global float *q = sheets + 3 * get_global_id(2) * plane + at;
    const Floats gain = 1.0f / LOAD_PX(p + 3 * plane);
    STORE_PX(LOAD_PX(p) * gain, q);
    STORE_PX(LOAD_PX(p + plane) * gain, q + plane);
    STORE_PX(LOAD_PX(p + 2 * plane) * gain, q + 2 * plane);
}
