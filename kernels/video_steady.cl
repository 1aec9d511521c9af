/* video_steady.cl - alpha that does not flicker where the picture stands still.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: PX; those of video_picture.clh, from the frame's format to RGB.
 * Buffers: src pictures of n frames; alpha [n][height][pitch] ushort, changed in place; past
 *   [2][height][pitch] ushort: alpha after the frame before, and its brightness times 128.
 * Accumulation: float.
 * Launch: strips of PX columns, rows; a work-item goes through the frames in their order.
 */
#include "video_picture.clh"

/* Of 255: brightness that changes less is noise, more is motion, where alpha is the new one. */
#define NOISE 8.0f
#define MOTION 32.0f

__kernel void video_steady(__global const uchar *restrict src, Picture in, float16 m,
                           __global ushort *restrict alpha, int pitch,
                           __global ushort *restrict past, int has_past, int n_frames,
                           __global const Controls *restrict controls)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1);
    const ulong plane = (ulong)in.height * pitch, at = (ulong)y * pitch + x;
    Floats before = TO_FLOATS(LOAD_PX(past + at));
    Floats brightness = TO_FLOATS(LOAD_PX(past + plane + at)) * (1.0f / 128.0f);
    for (int i = 0; i < n_frames; i++) {
        __global ushort *p = alpha + i * plane + at;
        const Color color = load_color(src + i * in.frame, &in, m, x, y);
        const Floats now = 0.25f * color.c0 + 0.5f * color.c1 + 0.25f * color.c2;
        const Floats still =
            clamp((MOTION - fabs(now - brightness)) * (1.0f / (MOTION - NOISE)), 0.0f, 1.0f);
        Floats a = TO_FLOATS(LOAD_PX(p));
        const float temporal = controls[i].temporal;
        if (has_past)
            a += temporal * still * (before - a);
        /* A frame without it is not remembered, as in a batch without any. */
        has_past = temporal > 0.0f;
        before = floor(a + 0.5f);
        brightness = now;
        STORE_PX(TO_SHORTS(before), p);
    }
    STORE_PX(TO_SHORTS(before), past + at);
    STORE_PX(TO_SHORTS(brightness * 128.0f + 0.5f), past + plane + at);
}
