/* video_guided.cl - the matte's edges drawn after the picture's: the fast guided filter.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * He, Sun: Fast Guided Filter, 2015. Where alpha is a linear function of brightness within a
 * window, a coarse matte tells that function, and the full picture its fine shape.
 *
 * Defines: PX; those of video_picture.clh, for the frame's format on both sides.
 * Buffers, float, at the size of the matte unless said otherwise: luma [n][height][luma pitch]
 *   0..1; matte [n][matte height][pitch]; sums [n][4][height][pitch]; lines (a and b of
 *   alpha = a luma + b) [n][2][height][pitch]; alpha [n][picture height][pitch] ushort.
 * Accumulation: float.
 * Launch: strips of PX columns, rows, frames; frames that are not refined return at once.
 */
#include "video_picture.clh"

/* Added to the variance: a tenth of the range of brightness counts as an edge, a hundredth as
 * noise. */
#define NOISE 1e-4f

/* PX values from column @x on; past the ends the outermost repeats. */
static inline Floats load_repeated(__global const float *row, int x, int width)
{
    if (x >= 0 && x + PX <= width)
        return LOAD_PX(row + x);
    float value[PX];
    for (int i = 0; i < PX; i++)
        value[i] = row[clamp(x + i, 0, width - 1)];
    return LOAD_PX(value);
}

/* Along rows: sums of luma, matte, their product, and luma squared over 2r + 1 pixels. */
__kernel void video_guided_rows(__global const float *restrict luma, int luma_pitch,
                                __global const float *restrict matte, int matte_height,
                                int matte_top, int width, int reach, __global float *restrict sums,
                                int pitch, __global const Controls *restrict controls)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1), height = get_global_size(1);
    const ulong frame = get_global_id(2), line = frame * height + y;
    if (!controls[frame].refine)
        return;
    luma += line * luma_pitch;
    matte += (frame * matte_height + matte_top + y) * (ulong)pitch;
    Floats sum_i = 0.0f, sum_p = 0.0f, sum_ip = 0.0f, sum_ii = 0.0f;
    for (int k = -reach; k <= reach; k++) {
        const Floats i = load_repeated(luma, x + k, width);
        const Floats p = load_repeated(matte, x + k, width);
        sum_i += i;
        sum_p += p;
        sum_ip += i * p;
        sum_ii += i * i;
    }
    const ulong plane = (ulong)height * pitch;
    __global float *to = sums + 4 * frame * plane + (ulong)y * pitch + x;
    STORE_PX(sum_i, to);
    STORE_PX(sum_p, to + plane);
    STORE_PX(sum_ip, to + 2 * plane);
    STORE_PX(sum_ii, to + 3 * plane);
}

/* Along columns, and from the means to the line that fits each window best. */
__kernel void video_guided_fit(__global const float *restrict sums, int pitch, int reach,
                               __global float *restrict lines,
                               __global const Controls *restrict controls)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1), height = get_global_size(1);
    const ulong frame = get_global_id(2);
    if (!controls[frame].refine)
        return;
    const ulong plane = (ulong)height * pitch;
    Floats mean_i = 0.0f, mean_p = 0.0f, mean_ip = 0.0f, mean_ii = 0.0f;
    for (int k = -reach; k <= reach; k++) {
        __global const float *row =
            sums + 4 * frame * plane + (ulong)clamp(y + k, 0, height - 1) * pitch + x;
        mean_i += LOAD_PX(row);
        mean_p += LOAD_PX(row + plane);
        mean_ip += LOAD_PX(row + 2 * plane);
        mean_ii += LOAD_PX(row + 3 * plane);
    }
    const float share = 1.0f / (float)((2 * reach + 1) * (2 * reach + 1));
    mean_i *= share;
    mean_p *= share;
    const Floats a =
        (share * mean_ip - mean_i * mean_p) / (share * mean_ii - mean_i * mean_i + NOISE);
    __global float *to = lines + 2 * frame * plane + (ulong)y * pitch + x;
    STORE_PX(a, to);
    STORE_PX(mean_p - a * mean_i, to + plane);
}

/* The mean of the lines over 2r + 1 pixels along (@dx, @dy). Third size: frames times 2. */
__kernel void video_guided_mean(__global const float *restrict src, __global float *restrict dst,
                                int pitch, int width, int reach, int dx, int dy,
                                __global const Controls *restrict controls)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1), height = get_global_size(1);
    if (!controls[get_global_id(2) / 2].refine)
        return;
    const ulong plane = get_global_id(2) * (ulong)height * pitch;
    Floats sum = 0.0f;
    for (int k = -reach; k <= reach; k++)
        sum += load_repeated(src + plane + (ulong)clamp(y + k * dy, 0, height - 1) * pitch,
                             x + k * dx, width);
    STORE_PX(sum * (1.0f / (float)(2 * reach + 1)), dst + plane + (ulong)y * pitch + x);
}

/* At the size of the picture: alpha from its brightness, which is @weights of its components.
 * @wide: lines resized horizontally, [n][2][height][pitch]. */
__kernel void video_guided_apply(__global const float *restrict wide, int height, Axis axis,
                                 __global const uchar *restrict src, Picture in, float4 weights,
                                 __global ushort *restrict alpha, int alpha_pitch,
                                 __global const Controls *restrict controls)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1);
    const ulong frame = get_global_id(2);
    const Controls control = controls[frame];
    if (!control.refine)
        return;
    src += frame * in.frame;
    Floats luma = weights.x * load_c0(src, &in, x, y) + weights.w;
    if (weights.y != 0.0f || weights.z != 0.0f)
        luma +=
            weights.y * load_chroma(src, &in, 1, x, y) + weights.z * load_chroma(src, &in, 2, x, y);
    const Tent tent = tent_at(axis, y);
    const ulong plane = (ulong)height * alpha_pitch;
    __global const float *lines = wide + 2 * frame * plane;
    const Floats a = tent_column(lines, alpha_pitch, tent, x);
    const Floats b = tent_column(lines + plane, alpha_pitch, tent, x);
    STORE_PX(bend_alpha(a * luma + b, &control),
             alpha + (frame * in.height + y) * (ulong)alpha_pitch + x);
}
