/* quant.cl - products of 8-bit integers, and the scale that data find for themselves.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: conv_integer, matmul_integer: TX TW TY, types of the operands and the output; ZX ZW, 1 if
 *   there are zero points of type TX and TW; SCALED 1 if sums are scaled to 8 bits, else y is int.
 *   TS, the type of the scales; BIAS (int) 0 or 1. matmul_integer: RANK of the batch axes.
 * Accumulation: int; scales are multiplied in float.
 * Launch: one output a work-item. Global: outputs, rounded up; dimension 2 is the sample.
 */
#include "common.clh"
#include "types.clh"

#define SATURATE_char(v) convert_char_sat_rte(v)
#define SATURATE_uchar(v) convert_uchar_sat_rte(v)

#ifdef ZX

/* How sums become outputs; strides are 0 where one value serves all. */
#define SCALES                                                                                     \
    __global const TS *x_scale, Strided xss, __global const TS *w_scale, Strided wss,              \
        __global const TS *y_scale, Strided yss, __global const TY *y_zero, Strided yzs,           \
        __global const int *bias, Strided bs

#if SCALED
#define OUTPUT(sum, x_at, w_at)                                                                    \
    PASTE(SATURATE_, TY)                                                                           \
    (rint((sum) *                                                                                  \
          (READ(TS, x_scale + xss.offset + n * xss.sample, (x_at)*xss.stride[0]) *                 \
           READ(TS, w_scale + wss.offset + n * wss.sample, (w_at)*wss.stride[0]) /                 \
           READ(TS, y_scale + yss.offset + n * yss.sample, 0))) +                                  \
     (float)y_zero[yzs.offset + n * yzs.sample])
#else
#define OUTPUT(sum, x_at, w_at) (sum)
#endif

typedef struct {
    int groups, c, k; /* inputs and outputs of one group */
    int kh, kw;
    int stride_h, stride_w, dilation_h, dilation_w;
    int pad_h, pad_w;
} Conv;

#ifndef RANK

/* w: strides of group, output, input, row, column. Padding is the zero point of x. */
__kernel void conv_integer(__global const TX *x, Map xm, __global const TW *w, Strided ws,
                           __global const TX *x_zero, Strided xzs, __global const TW *w_zero,
                           Strided wzs, SCALES, __global TY *y, Map ym, Conv conv)
{
    const int n = get_global_id(2);
    const int k = get_global_id(0) % ym.c;
    const int oy = get_global_id(0) / ym.c / ym.w, ox = get_global_id(0) / ym.c % ym.w;
    if (oy >= ym.h)
        return;
    const int group = k / conv.k;
    x += xm.offset + n * xm.sample + group * conv.c * xm.sc;
    w += ws.offset + n * ws.sample + group * ws.stride[0] + k % conv.k * ws.stride[1];
    const int zero_x = ZX ? x_zero[xzs.offset + n * xzs.sample] : 0;
    const int zero_w = ZW ? w_zero[wzs.offset + n * wzs.sample + k * wzs.stride[0]] : 0;

    int sum = BIAS ? bias[bs.offset + n * bs.sample + k * bs.stride[0]] : 0;
    for (int r = 0; r < conv.kh; r++) {
        const int iy = oy * conv.stride_h + r * conv.dilation_h - conv.pad_h;
        if (iy < 0 || iy >= xm.h)
            continue;
        for (int s = 0; s < conv.kw; s++) {
            const int ix = ox * conv.stride_w + s * conv.dilation_w - conv.pad_w;
            if (ix < 0 || ix >= xm.w)
                continue;
            for (int c = 0; c < conv.c; c++)
                sum += (x[c * xm.sc + iy * xm.sh + ix * xm.sw] - zero_x) *
                       (w[c * ws.stride[2] + r * ws.stride[3] + s * ws.stride[4]] - zero_w);
        }
    }
    y[ym.offset + n * ym.sample + k * ym.sc + oy * ym.sh + ox * ym.sw] = OUTPUT(sum, 0, k);
}

#else

#include "index.clh"

/* y[batch][m][n] = a[batch][m][k] * b[batch][k][n]; strides as in matmul.cl. Global: columns * rows,
 * rounded up; batches. */
__kernel void matmul_integer(__global const TX *a, Strided as, __global const TW *b, Strided bst,
                             __global const TX *a_zero, Strided azs, __global const TW *b_zero,
                             Strided bzs, SCALES, __global TY *y, Strided ys, Extents batch,
                             int rows, int columns, int depth)
{
    const int n = get_global_id(2);
    const int row = get_global_id(0) / columns, column = get_global_id(0) % columns;
    const int i = get_global_id(1);
    if (row >= rows)
        return;
    a += as.offset + n * as.sample + place_of(i, batch, as) + row * as.stride[RANK];
    b += bst.offset + n * bst.sample + place_of(i, batch, bst) + column * bst.stride[RANK + 1];
    const int zero_a = ZX ? a_zero[azs.offset + n * azs.sample + row * azs.stride[0]] : 0;
    const int zero_b = ZW ? b_zero[bzs.offset + n * bzs.sample + column * bzs.stride[0]] : 0;
    int sum = 0;
    for (int k = 0; k < depth; k++)
        sum += (a[k * as.stride[RANK + 1]] - zero_a) * (b[k * bst.stride[RANK]] - zero_b);
    y[ys.offset + n * ys.sample + place_of(i, batch, ys) + row * ys.stride[RANK] +
      column * ys.stride[RANK + 1]] = OUTPUT(sum, row, column);
}

#endif
#else

/* DynamicQuantizeLinear's scale and zero point from the extremes of the data. Global: 1, rounded
 * up. */
__kernel void find_scale(__global const float *low, Strided ls, __global const float *high,
                         Strided hs, __global float *scale, Strided ss, __global uchar *zero,
                         Strided zs)
{
    const int n = get_global_id(2);
    if (get_global_id(0) > 0)
        return;
    const float least = fmin(low[ls.offset + n * ls.sample], 0.0f);
    const float most = fmax(high[hs.offset + n * hs.sample], 0.0f);
    const float step = most > least ? (most - least) / 255.0f : 1.0f;
    scale[ss.offset + n * ss.sample] = step;
    zero[zs.offset + n * zs.sample] = convert_uchar_sat_rte(-least / step);
}

#endif
