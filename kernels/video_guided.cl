/* video_guided.cl - the matte's edges drawn after the picture's: the fast guided filter.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * He, Sun: Fast Guided Filter, 2015, with a guide in colour. Where alpha is a linear function of
 * colour within a window, a coarse matte tells that function, and the full picture its fine shape.
 * Where the matte is sure there is nothing to refine, and a line that was fitted across a texture
 * would only let it show through: the nearer the matte is to 0 or 1, the less it changes.
 *
 * Defines: PX; those of video_picture.clh, from the frame's format to RGB.
 * Buffers, float, of one frame, at the size of the matte unless said otherwise: guide (R, G, B
 * 0..1) [3][height][pitch]; matte [height][pitch]; sums [13][height][pitch]; lines (a of alpha = a
 * . colour + b, and b) [4][height][pitch]; alpha [picture height][pitch] ushort. Accumulation:
 * float. Launch: strips of PX columns, rows, planes.
 */
#include "video_picture.clh"

/* Windows see both sides of a soft edge that is some pixels of the matte off. */
#define REACH 4
/* Added to the variances: a tenth of the range counts as an edge, a hundredth as noise. */
#define NOISE 1e-4f
/* Sums: the guide, the matte, their products, the guide's products with itself. */
#define N_SUMS 13
#define MATTE 3
#define PRODUCTS 4
#define SQUARES 7

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

/* The sums over 2 * REACH + 1 pixels of a row. @matte_at: of the frame's first value. */
__kernel void video_guided_rows(__global const float *restrict guide,
                                __global const float *restrict matte, ulong matte_at, int width,
                                __global float *restrict sums, int pitch)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1);
    const ulong plane = (ulong)get_global_size(1) * pitch, row = (ulong)y * pitch;
    Floats sum[N_SUMS];
    for (int i = 0; i < N_SUMS; i++)
        sum[i] = 0.0f;
    for (int k = -REACH; k <= REACH; k++) {
        Floats color[3];
        const Floats p = load_repeated(matte + matte_at + row, x + k, width);
        sum[MATTE] += p;
        int square = SQUARES;
        for (int c = 0; c < 3; c++) {
            color[c] = load_repeated(guide + c * plane + row, x + k, width);
            sum[c] += color[c];
            sum[PRODUCTS + c] += color[c] * p;
            for (int d = 0; d <= c; d++)
                sum[square++] += color[c] * color[d];
        }
    }
    for (int i = 0; i < N_SUMS; i++)
        STORE_PX(sum[i], sums + i * plane + row + x);
}

/* Down the columns, and from the means to the line that fits each window best: the normal
 * equations' matrix, covariance plus NOISE, as L D L'. The least of D is NOISE, but for rounding.
 */
__kernel void video_guided_fit(__global const float *restrict sums, int pitch,
                               __global float *restrict lines)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1), height = get_global_size(1);
    const ulong plane = (ulong)height * pitch;
    Floats mean[N_SUMS];
    for (int i = 0; i < N_SUMS; i++)
        mean[i] = 0.0f;
    for (int k = -REACH; k <= REACH; k++) {
        __global const float *row = sums + (ulong)clamp(y + k, 0, height - 1) * pitch + x;
        for (int i = 0; i < N_SUMS; i++)
            mean[i] += LOAD_PX(row + i * plane);
    }
    for (int i = 0; i < N_SUMS; i++)
        mean[i] *= 1.0f / ((2 * REACH + 1) * (2 * REACH + 1));
    const Floats r = mean[0], g = mean[1], b = mean[2], p = mean[MATTE];
    const Floats rg = mean[SQUARES + 1] - r * g;
    const Floats rb = mean[SQUARES + 3] - r * b;
    const Floats d0 = fmax(mean[SQUARES] - r * r, 0.0f) + NOISE;
    const Floats l10 = rg / d0, l20 = rb / d0;
    const Floats d1 = fmax(mean[SQUARES + 2] - g * g + NOISE - l10 * rg, NOISE);
    const Floats gb = mean[SQUARES + 4] - g * b - l20 * rg;
    const Floats l21 = gb / d1;
    const Floats d2 = fmax(mean[SQUARES + 5] - b * b + NOISE - l20 * rb - l21 * gb, NOISE);
    const Floats y0 = mean[PRODUCTS] - r * p;
    const Floats y1 = mean[PRODUCTS + 1] - g * p - l10 * y0;
    const Floats y2 = mean[PRODUCTS + 2] - b * p - l20 * y0 - l21 * y1;
    const Floats a2 = y2 / d2;
    const Floats a1 = y1 / d1 - l21 * a2;
    const Floats a0 = y0 / d0 - l10 * a1 - l20 * a2;
    __global float *to = lines + (ulong)y * pitch + x;
    STORE_PX(a0, to);
    STORE_PX(a1, to + plane);
    STORE_PX(a2, to + 2 * plane);
    STORE_PX(p - a0 * r - a1 * g - a2 * b, to + 3 * plane);
}

/* The mean of the lines over 2 * REACH + 1 pixels along (@dx, @dy). */
__kernel void video_guided_mean(__global const float *restrict src, __global float *restrict dst,
                                int pitch, int width, int dx, int dy)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1), height = get_global_size(1);
    const ulong plane = get_global_id(2) * (ulong)height * pitch;
    Floats sum = 0.0f;
    for (int k = -REACH; k <= REACH; k++)
        sum += load_repeated(src + plane + (ulong)clamp(y + k * dy, 0, height - 1) * pitch,
                             x + k * dx, width);
    STORE_PX(sum * (1.0f / (2 * REACH + 1)), dst + plane + (ulong)y * pitch + x);
}

/* At the size of the picture: alpha from the frame's colours, which @m brings to R, G, B.
 * @lines [4][height][pitch] and @coarse, the matte [n][coarse_height][pitch], are resized
 * horizontally. Global: strips, rows of the picture. */
__kernel void video_guided_apply(__global const float *restrict lines, int height, Axis axis,
                                 __global const float *restrict coarse, int coarse_height,
                                 Axis coarse_axis, __global const uchar *restrict src, Picture in,
                                 float16 m, __global ushort *restrict alpha, int pitch, int frame,
                                 __global const Controls *restrict controls)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1);
    const ulong plane = (ulong)height * pitch;
    const Controls control = controls[frame];
    const Floats p = tent_column(coarse + (ulong)frame * coarse_height * pitch, pitch,
                                 tent_at(coarse_axis, y), x);
    const Color color = load_color(src + frame * in.frame, &in, m, x, y);
    const Tent tent = tent_at(axis, y);
    const Floats slope = color.c0 * tent_column(lines, pitch, tent, x) +
                         color.c1 * tent_column(lines + plane, pitch, tent, x) +
                         color.c2 * tent_column(lines + 2 * plane, pitch, tent, x);
    const Floats fine = slope * (1.0f / 255.0f) + tent_column(lines + 3 * plane, pitch, tent, x);
    const Floats doubt = 4.0f * p * (1.0f - p);
    STORE_PX(bend_alpha(p + doubt * (clamp(fine, 0.0f, 1.0f) - p), &control),
             alpha + ((ulong)frame * in.height + y) * pitch + x);
}
