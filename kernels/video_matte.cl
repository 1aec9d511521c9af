/* video_matte.cl - the network's matte to an alpha plane of the picture's size, and its edge.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: PX; FP16 where the tensor holds halves; MATTE one of the MATTE_* below.
 * Buffers: src one channel of a map, or several; wide [n][channels][tensor height][pitch] float:
 *   normalised and resized horizontally; alpha [n][picture height][pitch] ushort, 65535 is opaque.
 *   Columns come first because they need a gather and a matte has few rows.
 * Accumulation: float.
 * Launch: strips of PX columns, rows, frames; any local size.
 */
#include "video.clh"

/* VideoMatte of gst/video/video.h, and values that are resized as they are. */
#define MATTE_ALPHA 0
#define MATTE_MINMAX 1
#define MATTE_SIGMOID 2
#define MATTE_SOFTMAX 3
#define MATTE_NONE 4

#ifndef MATTE
#define MATTE MATTE_NONE
#endif

/* The matte as the network's output means it: @base the row's first element, @i those of PX
 * columns, @other from alpha's channel to the background's. */
static inline Floats load_matte(__global const REAL *src, ulong base, Ints i, int other,
                                float2 range)
{
#define LOAD_TENSOR(j) LOAD(src, base + (j))
    const Floats v = GATHER(LOAD_TENSOR, i);
#if MATTE == MATTE_ALPHA
    return clamp(v, 0.0f, 1.0f);
#elif MATTE == MATTE_MINMAX
    /* A picture without contrast has no edge to find: its values stand for themselves. */
    const float contrast = range.y - range.x;
    return contrast > 1e-6f ? (v - range.x) / contrast : clamp(v, 0.0f, 1.0f);
#elif MATTE == MATTE_SIGMOID
    return 1.0f / (1.0f + exp(-v));
#elif MATTE == MATTE_SOFTMAX
    base += other;
    return 1.0f / (1.0f + exp(GATHER(LOAD_TENSOR, i) - v));
#else
    return v;
#endif
#undef LOAD_TENSOR
}

/* Global: strips of picture columns, tensor rows, frames times channels. */
__kernel void video_matte_columns(__global const REAL *restrict src, Map map, int other, Axis axis,
                                  __global const float2 *restrict range,
                                  __global float *restrict wide, int pitch)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1);
    const int frame = get_global_id(2) / map.c, channel = get_global_id(2) % map.c;
    const ulong base =
        map.offset + (ulong)frame * map.sample + (ulong)channel * map.sc + (ulong)y * map.sh;
#if MATTE == MATTE_MINMAX
    const float2 frame_range = range[frame];
#else
    const float2 frame_range = 0.0f;
#endif
    const Tents tents = tents_at(axis, x);
    Floats sum = 0.0f, weights = 0.0f;
    for (int k = 0; k < tents.taps; k++) {
        Ints at;
        const Floats weight = tents_weight(tents, axis, k, &at);
        sum += weight * load_matte(src, base, at * map.sw, other, frame_range);
        weights += weight;
    }
    STORE_PX(sum / weights, wide + (get_global_id(2) * map.h + y) * (ulong)pitch + x);
}

/* Resizes vertically and applies the curve of the frame's controls. */
__kernel void video_matte_rows(__global const float *restrict wide, int pitch, int height,
                               Axis axis, __global const Controls *restrict controls,
                               __global ushort *restrict alpha)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1);
    const ulong frame = get_global_id(2);
    const Controls control = controls[frame];
    const Floats a = tent_column(wide + frame * height * pitch, pitch, tent_at(axis, y), x);
    STORE_PX(bend_alpha(a, &control), alpha + (frame * get_global_size(1) + y) * pitch + x);
}

/* PX values of an alpha plane from @x on; past the ends the outermost repeats. */
static inline Shorts load_clamped(__global const ushort *row, int x, int width)
{
    if (x >= 0 && x + PX <= width)
        return LOAD_PX(row + x);
    ushort value[PX];
    for (int i = 0; i < PX; i++)
        value[i] = row[clamp(x + i, 0, width - 1)];
    return LOAD_PX(value);
}

/* The neighbours of a strip, @k steps away along (@dx, @dy). */
static inline Shorts load_neighbours(__global const ushort *plane, int pitch, int width, int height,
                                     int x, int y, int k, int dx, int dy)
{
    const int row = clamp(y + k * dy, 0, height - 1);
    return load_clamped(plane + (ulong)row * pitch, x + k * dx, width);
}

/* The least (erode) or greatest (dilate) over a line of 2r + 1 pixels along (@dx, @dy). */
__kernel void video_matte_erode(__global const ushort *restrict src, __global ushort *restrict dst,
                                int pitch, int width, int dx, int dy,
                                __global const Controls *restrict controls)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1), height = get_global_size(1);
    const ulong plane = get_global_id(2) * (ulong)pitch * height;
    const int erode = controls[get_global_id(2)].erode, reach = abs(erode);
    Shorts v = LOAD_PX(src + plane + (ulong)y * pitch + x);
    for (int k = -reach; k <= reach; k++) {
        const Shorts other = load_neighbours(src + plane, pitch, width, height, x, y, k, dx, dy);
        v = erode > 0 ? min(v, other) : max(v, other);
    }
    STORE_PX(v, dst + plane + (ulong)y * pitch + x);
}

/* A tent of 2r + 1 pixels along (@dx, @dy). */
__kernel void video_matte_feather(__global const ushort *restrict src,
                                  __global ushort *restrict dst, int pitch, int width, int dx,
                                  int dy, __global const Controls *restrict controls)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1), height = get_global_size(1);
    const ulong plane = get_global_id(2) * (ulong)pitch * height;
    const int reach = controls[get_global_id(2)].feather;
    Floats sum = 0.0f;
    for (int k = -reach; k <= reach; k++) {
        const Shorts other = load_neighbours(src + plane, pitch, width, height, x, y, k, dx, dy);
        sum += (float)(reach + 1 - abs(k)) * TO_FLOATS(other);
    }
    const float weights = (float)(reach + 1) * (reach + 1);
    STORE_PX(TO_SHORTS(sum / weights + 0.5f), dst + plane + (ulong)y * pitch + x);
}
