/* conv3d.cl - convolution over three axes, plain and transposed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * y[k][o] = act(bias[k] + residual + sum over c and taps t of x[c][i] * w[k][c][t]), where along
 * every axis i = o * stride + t * dilation - pad; transposed, it is the i for which
 * i * stride + t * dilation - pad = o.
 *
 * Defines: TX TW TB TR TY, element types; BIAS, RESIDUAL and TRANSPOSED 0 or 1; ACT.
 * Buffers: x [N][C][D][H][W], residual and y [N][K][OD][OH][OW], w [group][output][input][d][h][w],
 *   bias [K]. A residual or bias that is left out is never read.
 * Accumulation: float.
 * Launch: one output a work-item, in y's row-major order. Global: outputs, rounded up; dimension 2
 *   is the sample.
 */
#include "common.clh"
#include "types.clh"
#define RANK 5
#include "index.clh"

/* Mirrored in launch_conv3d.c. */
typedef struct {
    int groups, c, k; /* inputs and outputs of one group */
    int in[3], taps[3], stride[3], dilation[3];
    int pad[3]; /* before */
} Conv3d;

/* The place on @axis of x that tap @t of output @o takes; -1: none. */
static inline int tap_place(const Conv3d *conv, int axis, int o, int t)
{
    int i = TRANSPOSED ? o + conv->pad[axis] - t * conv->dilation[axis]
                       : o * conv->stride[axis] + t * conv->dilation[axis] - conv->pad[axis];
    if (TRANSPOSED) {
        if (i % conv->stride[axis] != 0)
            return -1;
        i /= conv->stride[axis];
    }
    return i < conv->in[axis] ? i : -1;
}

/* The products of one tap over the inputs of a group. */
static inline float tap_sum(__global const TX *x, int x_stride, __global const TW *w, int w_stride,
                            int n)
{
    float sum = 0.0f;
    for (int c = 0; c < n; c++)
        sum += READ(TX, x, c * x_stride) * READ(TW, w, c * w_stride);
    return sum;
}

__kernel void conv_3d(__global const TX *x, Strided xs, __global const TW *w, Strided ws,
                      __global const TB *bias, Strided bs, __global const TR *residual, Strided rs,
                      __global TY *y, Strided ys, Extents outputs, int count, Conv3d conv,
                      float alpha, float beta)
{
    const int n = get_global_id(2);
    const int at = get_global_id(0);
    if (at >= count)
        return;
    int o[3], i = at;
    for (int axis = 2; axis >= 0; axis--) {
        o[axis] = i % outputs.n[2 + axis];
        i /= outputs.n[2 + axis];
    }
    const int k = i % outputs.n[1], group = k / conv.k;
    x += xs.offset + n * xs.sample + i / outputs.n[1] * xs.stride[0] +
         group * conv.c * xs.stride[1];
    w += ws.offset + n * ws.sample + group * ws.stride[0] + k % conv.k * ws.stride[1];

    float sum = 0.0f;
    for (int d = 0; d < conv.taps[0]; d++) {
        const int iz = tap_place(&conv, 0, o[0], d);
        for (int r = 0; iz >= 0 && r < conv.taps[1]; r++) {
            const int iy = tap_place(&conv, 1, o[1], r);
            for (int s = 0; iy >= 0 && s < conv.taps[2]; s++) {
                const int ix = tap_place(&conv, 2, o[2], s);
                if (ix >= 0)
                    sum += tap_sum(
                        x + iz * xs.stride[2] + iy * xs.stride[3] + ix * xs.stride[4],
                        xs.stride[1],
                        w + d * ws.stride[3] + r * ws.stride[4] + s * ws.stride[5], ws.stride[2],
                        conv.c);
            }
        }
    }

    if (BIAS)
        sum += READ(TB, bias + bs.offset + n * bs.sample, k * bs.stride[0]);
    if (RESIDUAL)
        sum += READ(TR, residual + rs.offset + n * rs.sample, place_of(at, outputs, rs));
    y += ys.offset + n * ys.sample;
    WRITE(TY, y, place_of(at, outputs, ys), ACTIVATE(sum, alpha, beta));
}
