/* conv_reduce.cl - the end of a convolution whose inner dimension was cut into parts (split-K).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Adds the parts' sums in a fixed order, then bias, residual and activation.
 *
 * Defines   SPLITS, and of the epilogue ACT, SCALED and RESIDUAL
 * Buffers   partial   [sample][split][pixel][channel] floats
 *           bias      [channel] floats
 *           out       Map, halves, channels dense, strides, offset and channels multiples of 8
 * Launch: (out.c / 8 * pixels rounded up, 1, sample).
 */
#include "common.clh"
#include "types.clh"
#include "wide.clh"

__kernel void conv_reduce(__global const float *restrict partial,
                          __global const float *restrict bias,
#ifdef RESIDUAL
                          __global const ushort *restrict residual_base, Map residual,
#endif
                          __global ushort *restrict out_base, Map out, EPILOGUE_PARAMETERS)
{
    const int m = get_global_id(0) / (out.c / 8), n = (get_global_id(0) - m * (out.c / 8)) * 8;
    const ulong sample = get_global_id(2), pixels = out.h * out.w;
    if (m >= (int)pixels)
        return;
    const int y = m / out.w, x = m - y * out.w;
    float8 v = (float8)(0.0f);
#pragma unroll
    for (int split = 0; split < SPLITS; split++)
        v += WIDE_READ(float, partial + ((sample * SPLITS + split) * pixels + m) * out.c + n);
    EPILOGUE_OF(sample);
    v = SCALED_SUM(v, vload8(0, scale + n)) + WIDE_READ(float, bias + n);
#ifdef RESIDUAL
    const float8 r = WIDE_READ(half, residual_base + residual.offset + sample * residual.sample +
                                         (long)y * residual.sh + (long)x * residual.sw + n);
#endif
#if defined(RESIDUAL) && RESIDUAL == 1
    v += r;
#endif
    v = FINISHED(v, vload8(0, post + n));
#if defined(RESIDUAL) && RESIDUAL == 2 /* behind the activation */
    v += r;
#endif
    WIDE_WRITE(
        half, out_base + out.offset + sample * out.sample + (long)y * out.sh + (long)x * out.sw + n,
        v);
}
