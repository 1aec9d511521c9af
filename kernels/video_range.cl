/* video_range.cl - the least and the greatest value of a picture, for each frame alone.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: PX; FP16 where the source holds halves.
 * Buffers: src one channel of a map (others through its offset); partial [n][bands][w] and
 *   [n][some] float2;
 *   range [n] float2: (least, greatest).
 * Accumulation: none, so that the order of work does not matter.
 * Launch: video_range_columns, then video_range_join twice; any local size.
 */
#include "video.clh"

/* Global: columns, bands, frames. */
__kernel void video_range_columns(__global const REAL *restrict src, Map map, int left, int top,
                                  __global float2 *restrict partial)
{
    const int x = get_global_id(0), band = get_global_id(1), bands = get_global_size(1);
    const ulong frame = get_global_id(2);
    const ulong at = map.offset + frame * map.sample + (ulong)(left + x) * map.sw;
    float least = INFINITY, greatest = -INFINITY;
    for (int y = band; y < map.h; y += bands) {
        const float v = LOAD(src, at + (ulong)(top + y) * map.sh);
        least = fmin(least, v);
        greatest = fmax(greatest, v);
    }
    partial[(frame * bands + band) * map.w + x] = (float2)(least, greatest);
}

/* Every n-th of @n pairs of a frame, n being the first size: joined twice, to some and to one.
 * Global: pairs that are left, frames. */
__kernel void video_range_join(__global const float2 *restrict partial, int n,
                               __global float2 *restrict range)
{
    const int first = get_global_id(0), step = get_global_size(0);
    const ulong frame = get_global_id(1);
    float least = INFINITY, greatest = -INFINITY;
    for (int i = first; i < n; i += step) {
        const float2 v = partial[frame * n + i];
        least = fmin(least, v.x);
        greatest = fmax(greatest, v.y);
    }
    range[frame * step + first] = (float2)(least, greatest);
}
