/* video_tensor.cl - pictures to tensors: filtered vertically, then horizontally with everything
 * else.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: PX; FP16 where the tensor holds halves.
 * Buffers: src bytes of n frames; rows [n][planes][rect height][pitch] float: bytes of the source's
 *   rows, filtered vertically, in the source's own order; dst any strides, 3 channels.
 * Accumulation: float. Colour is computed after filtering, which commutes but for clipping.
 * Launch: see each kernel; any local size.
 */
#include "video.clh"

/* The vertical half knows no format: a row of bytes is a row of bytes.
 * Global: strips of PX bytes, rows, frames. */
__kernel void video_rows(__global const uchar *restrict src, ulong src_offset, ulong src_frame,
                         int src_pitch, Axis axis, __global float *restrict rows, ulong rows_offset,
                         ulong rows_frame, int rows_pitch)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1);
    const Tent tent = tent_at(axis, y);
    __global const uchar *p = src + src_offset + get_global_id(2) * src_frame + x;
    Floats sum = 0.0f;
    float weights = 0.0f;
    for (int i = tent.first; i <= tent.last; i++) {
        const float weight = tent_weight(tent, i);
        sum += weight * TO_FLOATS(LOAD_PX(p + (ulong)i * src_pitch));
        weights += weight;
    }
    STORE_PX(sum * (1.0f / weights),
             rows + rows_offset + get_global_id(2) * rows_frame + (ulong)y * rows_pitch + x);
}

/* A component within a row of `rows`. */
typedef struct {
    ulong offset; /* of its first value in frame 0 */
    int step;     /* between neighbours */
    int pitch;    /* between rows */
    Axis axis;
} Component;

/* PX results from @x on. Those past the end are undefined. */
static inline Floats component_row(__global const float *rows, Component component, int x, int y)
{
    __global const float *row = rows + component.offset + (ulong)y * component.pitch;
    const Tents tents = tents_at(component.axis, x);
    Floats sum = 0.0f, weights = 0.0f;
    for (int k = 0; k < tents.taps; k++) {
        Ints at;
        const Floats weight = tents_weight(tents, component.axis, k, &at);
        at *= component.step;
#define LOAD_COMPONENT(i) row[i]
        sum += weight * GATHER(LOAD_COMPONENT, at);
#undef LOAD_COMPONENT
        weights += weight;
    }
    return sum / weights;
}

/* Writes the first @n of PX neighbours, @step apart. */
static inline void store_tensor(Floats v, __global REAL *dst, int step, int n)
{
    if (step == 1 && n >= PX) {
#ifdef FP16
        JOIN(vstore_half, PX)(v, 0, dst);
#else
        STORE_PX(v, dst);
#endif
        return;
    }
    float value[PX];
    STORE_PX(v, value);
    for (int i = 0; i < PX && i < n; i++)
        STORE(dst, (ulong)i * step, value[i]);
}

/* Channel c of the tensor is (v - mean[c]) * gain[c], v = the colour 0..255 by matrix @m. */
typedef struct {
    float mean[3], gain[3];
} Normalise;

/* @left, @top, @width, @height: where the picture lies in the tensor; black around it.
 * Global: strips of tensor columns, rows, frames. */
__kernel void video_to_tensor(__global const float *restrict rows, ulong rows_frame, Component c0,
                              Component c1, Component c2, float16 m, Normalise normalise, int left,
                              int top, int width, int height, __global REAL *restrict dst, Map map)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1);
    const ulong frame = get_global_id(2);
    const int px = x - left, py = y - top;
    Floats v[3] = { (Floats)(0.0f), (Floats)(0.0f), (Floats)(0.0f) };
    if (px > -PX && px < width && py >= 0 && py < height) {
        rows += frame * rows_frame;
        const Floats a = component_row(rows, c0, px, py);
        const Floats b = component_row(rows, c1, px, py);
        const Floats c = component_row(rows, c2, px, py);
        const Ints inside = LANES + px >= 0 && LANES + px < width;
        v[0] = select(v[0], clamp(m.s0 * a + m.s1 * b + m.s2 * c + m.s3, 0.0f, 255.0f), inside);
        v[1] = select(v[1], clamp(m.s4 * a + m.s5 * b + m.s6 * c + m.s7, 0.0f, 255.0f), inside);
        v[2] = select(v[2], clamp(m.s8 * a + m.s9 * b + m.sa * c + m.sb, 0.0f, 255.0f), inside);
    }
    dst += map.offset + frame * map.sample + (ulong)y * map.sh + (ulong)x * map.sw;
    for (int i = 0; i < 3; i++)
        store_tensor((v[i] - normalise.mean[i]) * normalise.gain[i], dst + (ulong)i * map.sc,
                     map.sw, map.w - x);
}

/* The dynamic range: v = 255 x / max over the picture of x, then normalised as above.
 * @src: [n][h][w][3] float, 0..255. @range: [n] (least, greatest).
 * Global: tensor columns, rows, frames. */
__kernel void video_normalise(__global const float *restrict src,
                              __global const float2 *restrict range, Normalise normalise,
                              __global REAL *restrict dst, Map map)
{
    const int x = get_global_id(0), y = get_global_id(1);
    const ulong frame = get_global_id(2);
    /* rembg's floor of 1e-6 keeps a black picture black. */
    const float gain = 255.0f / fmax(range[frame].y, 1e-6f);
    const float3 v = vload3((frame * map.h + y) * map.w + x, src) * gain;
    const ulong at = map.offset + frame * map.sample + (ulong)y * map.sh + (ulong)x * map.sw;
    STORE(dst, at, (v.x - normalise.mean[0]) * normalise.gain[0]);
    STORE(dst, at + map.sc, (v.y - normalise.mean[1]) * normalise.gain[1]);
    STORE(dst, at + 2 * (ulong)map.sc, (v.z - normalise.mean[2]) * normalise.gain[2]);
}
