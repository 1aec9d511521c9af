/* conv_rows.cl - convolution on CPUs, a band of rows at a time, so that what one step writes and the
 * next one reads stays in the cache of one core.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two steps, products over channels and sums over the window of each channel by itself, make six
 * kernels:
 *
 *   conv_pointwise        1x1
 *   conv_staged           any window; a band of the input is copied first, with zeros around it
 *   conv_depthwise_rows   each channel by itself
 *   conv_expanded         1x1, then each channel by itself
 *   conv_separable        each channel by itself, then 1x1
 *   conv_points           1x1, then 1x1, of a single pixel
 *
 * Defines: the kernel's name in capitals; VW; FP16; ACT and SCALED, of conv_pointwise PRESCALED, see
 *   common.clh; RESIDUAL 0, 1, or 2 behind the activation; of the first of two convolutions, FIRST_ACT.
 *   Products: P pixels, at most those of a row, times KB vectors of outputs are held in registers; the
 *   last tile of a row overlaps the one before.
 *   Windows: KH KW; STRIDE_W; PD pixels held in registers, at most OW. LANES: fewer channels than VW, in
 *   conv_expanded without SCALED. POOL: 2 if conv_expanded stores the largest of each 2x2 of its
 *   results, and with KEPT those, too; PD is even then.
 * Buffers: x [C][H][W], residual and y [K][OH][OW] as maps with sc == 1.
 *   Vector i of n channels, n >= VW, begins at channel min(i * VW, n - VW): the last one may overlap
 *   the one before, and both compute the same there. Weights and bias lie in this order:
 *   of products [blocks of KB vectors][kh][kw][C][KB * VW] and [blocks][KB * VW], of windows
 *   [vectors][KH][KW][VW] and [vectors][VW], in conv_expanded by blocks of KB vectors, too.
 * Accumulation: float, which is also what lies between two convolutions.
 * Launch: one work-item a work-group; dimension 2 is the sample; the others beside each kernel.
 */
#define HINTS
#include "common.clh"
#include "vectors.clh"

/* Mirrored in launch_conv.h. */
typedef struct {
    int groups, c, k;
    int kh, kw;
    int stride_h, stride_w, dilation_h, dilation_w;
    int pad_h, pad_w;
} Conv;

/* Local memory lies between two steps, as floats: on a CPU that is memory which each thread uses again
 * for its next work-item. */
#if defined(CONV_EXPANDED)
#define LOCAL_PRODUCTS_OUT
#define LOCAL_WINDOWS_IN
#elif defined(CONV_SEPARABLE)
#define LOCAL_WINDOWS_OUT
#define LOCAL_PRODUCTS_IN
#elif defined(CONV_STAGED)
#define LOCAL_PRODUCTS_IN
#endif

/* The last step: what becomes of a vector of sums from channel @c on. The bias comes behind the sum:
 * added first, every partial sum would be rounded at its size. */
#ifdef LANES
#define LOAD_RESIDUAL(p) load_some(p, 1, LANES)
#else
#define LOAD_RESIDUAL(p) VLOAD_REAL(p)
#endif
#if RESIDUAL == 1
#define WITH_RESIDUAL(v, residual) ((v) + LOAD_RESIDUAL(residual))
#else
#define WITH_RESIDUAL(v, residual) (v)
#endif
#if RESIDUAL == 2
#define WITH_LAST(v, residual) ((v) + LOAD_RESIDUAL(residual))
#else
#define WITH_LAST(v, residual) (v)
#endif
#define FINISH(sum, bias, c, residual)                                                             \
    WITH_LAST(FINISHED(WITH_RESIDUAL(SCALED_SUM(sum, VLOAD(scale + (c))) + (bias), residual),      \
                       VLOAD(post + (c))),                                                         \
              residual)

#ifdef LOCAL_PRODUCTS_IN
#define PRODUCTS_IN __local const float
#define READ_PRODUCT(p, i) (p)[i]
#else
#define PRODUCTS_IN __global const REAL
#define READ_PRODUCT(p, i) LOAD(p, i)
#endif

#if defined(PRESCALED) && PRESCALED
#define PRODUCT_WEIGHTS __local const float
#define PRESCALED_PARAMETER , __local float *restrict prescaled
#else
#define PRODUCT_WEIGHTS __global const float
#define PRESCALED_PARAMETER
#endif

#ifdef LOCAL_PRODUCTS_OUT
#define PRODUCTS_OUT __local float
#define WRITE_PRODUCTS(v, p) VSTORE(v, p)
#define PRODUCTS_PARAMETERS float alpha, float beta
#define FINISH_PRODUCTS(sum, bias, c, residual) ACTIVATE_AS(FIRST_ACT, (sum) + (bias), alpha, beta)
#else
#define PRODUCTS_OUT __global REAL
#define WRITE_PRODUCTS(v, p) VSTORE_REAL(v, p)
#define PRODUCTS_PARAMETERS FINISH_PARAMETERS
#define FINISH_PRODUCTS(sum, bias, c, residual) FINISH(sum, bias, c, residual)
#endif

#ifdef LOCAL_WINDOWS_IN
#define WINDOWS_IN __local const float
#define READ_WINDOW(p) VLOAD(p)
#else
#define WINDOWS_IN __global const REAL
#define READ_WINDOW(p) VLOAD_REAL(p)
#endif

#ifdef LOCAL_WINDOWS_OUT
#define WINDOWS_OUT __local float
#define WRITE_WINDOWS(v, p) VSTORE(v, p)
#define WINDOWS_PARAMETERS float alpha, float beta
#define FINISH_WINDOWS(sum, bias, c, residual) ACTIVATE_AS(FIRST_ACT, (sum) + (bias), alpha, beta)
#else
#define WINDOWS_OUT __global REAL
#ifdef LANES
#define WRITE_WINDOWS(v, p) store_some(v, p, 1, LANES)
#else
#define WRITE_WINDOWS(v, p) VSTORE_REAL(v, p)
#endif
#define WINDOWS_PARAMETERS FINISH_PARAMETERS
#define FINISH_WINDOWS(sum, bias, c, residual) FINISH(sum, bias, c, residual)
#endif

#ifndef POOL
#define POOL 1
#endif

/* What is pooled, where it is stored as well; `kept` points to channel 0 of a pixel. */
#ifdef KEPT
#define KEPT_PARAMETERS __global REAL *kept, int kept_step,
#define KEPT_AT(p, step) p, step,
#define KEEP(v, p, c) VSTORE_REAL(v, kept + (p)*kept_step + (c))
#else
#define KEPT_PARAMETERS
#define KEPT_AT(p, step)
#define KEEP(v, p, c)
#endif

/* Where vector @i of @channels begins. */
static inline int first_channel(int i, int channels)
{
#ifdef LANES
    return 0;
#else
    return min(i * VW, channels - VW);
#endif
}

/* ---------------------------------------------------------------- products over channels */

#ifdef P

/* P pixels, @step apart: the sums over @rows rows, @row_step apart, of @run inputs that lie side by
 * side. */
static inline void add_products(V acc[KB][P], PRODUCTS_IN *x, int step, int rows, int row_step,
                                int run, PRODUCT_WEIGHTS *weights)
{
    PRODUCTS_IN *in[P];
#pragma unroll
    for (int p = 0; p < P; p++) {
        in[p] = x + p * step;
#pragma unroll
        for (int k = 0; k < KB; k++)
            acc[k][p] = (V)(0.0f);
    }
    for (int r = 0; r < rows; r++) {
        const int end = r * row_step + run;
        for (int c = r * row_step; c < end; c++, weights += KB * VW) {
            V w[KB];
#pragma unroll
            for (int k = 0; k < KB; k++)
                w[k] = VLOAD(weights + k * VW);
#pragma unroll
            for (int p = 0; p < P; p++) {
                const V v = (V)(READ_PRODUCT(in[p], c));
#pragma unroll
                for (int k = 0; k < KB; k++)
                    acc[k][p] = fma(v, w[k], acc[k][p]);
            }
        }
    }
}

/* Writes P pixels, @step apart, vectors @vector and on of @channels. */
static inline void finish_products(V acc[KB][P], __global const float *bias,
                                   __global const REAL *residual, int residual_step,
                                   PRODUCTS_OUT *y, int step, int vector, int channels,
                                   PRODUCTS_PARAMETERS)
{
#pragma unroll
    for (int k = 0; k < KB; k++) {
        if ((vector + k) * VW < channels) {
            const int c = first_channel(vector + k, channels);
            const V b = VLOAD(bias + k * VW);
#pragma unroll
            for (int p = 0; p < P; p++) {
                const V v = FINISH_PRODUCTS(acc[k][p], b, c, residual + p * residual_step + c);
                WRITE_PRODUCTS(v, y + p * step + c);
            }
        }
    }
}

#endif

/* ---------------------------------------------------------------- windows of each channel */

#ifdef PD

/* PD pixels of a row, one vector of channels: sums over the window, whose first input is @x, in row
 * @row and column @column. @weights: [KH][KW], @weight_step apart. @ring: rows lie in a ring of KH. */
static inline void add_window(V acc[PD], WINDOWS_IN *x, int row_step, int step,
                              __global const float *weights, int weight_step, int row, int rows,
                              int column, int columns, bool checked)
{
#pragma unroll
    for (int p = 0; p < PD; p++)
        acc[p] = (V)(0.0f);
#pragma unroll
    for (int r = 0; r < KH; r++) {
#ifdef CONV_EXPANDED
        WINDOWS_IN *in = x + (row + r) % KH * row_step;
#else
        WINDOWS_IN *in = x + r * row_step;
        if ((uint)(row + r) >= (uint)rows)
            continue;
#endif
        V w[KW];
#pragma unroll
        for (int s = 0; s < KW; s++)
            w[s] = VLOAD(weights + (r * KW + s) * weight_step);
#pragma unroll
        for (int i = 0; i < (PD - 1) * STRIDE_W + KW; i++) {
            V v = (V)(0.0f);
            if (!checked || (uint)(column + i) < (uint)columns)
                v = READ_WINDOW(in + i * step);
#pragma unroll
            for (int s = 0; s < KW; s++)
                if (i >= s && (i - s) % STRIDE_W == 0 && (i - s) / STRIDE_W < PD)
                    acc[(i - s) / STRIDE_W] = fma(v, w[s], acc[(i - s) / STRIDE_W]);
        }
    }
}

/* Of the vector from channel @c on; @residual and @y begin at channel 0. With POOL, @y has half as many
 * pixels, of which each has the largest so far if this is not the first row. */
static inline void finish_window(V acc[PD], __global const float *bias, int c,
                                 __global const REAL *residual, int residual_step, WINDOWS_OUT *y,
                                 int step, bool first_row, KEPT_PARAMETERS WINDOWS_PARAMETERS)
{
    const V b = VLOAD(bias);
#pragma unroll
    for (int p = 0; p < PD; p += POOL) {
        V v = FINISH_WINDOWS(acc[p], b, c, residual + p * residual_step + c);
#if POOL == 2
        const V w = FINISH_WINDOWS(acc[p + 1], b, c, residual + (p + 1) * residual_step + c);
        KEEP(v, p, c);
        KEEP(w, p + 1, c);
        v = fmax(v, w);
        if (!first_row)
            v = fmax(v, VLOAD_REAL(y + p / 2 * step + c));
#endif
        WRITE_WINDOWS(v, y + p / POOL * step + c);
    }
}

#endif

/* ---------------------------------------------------------------- kernels */

#ifdef CONV_POINTWISE

#if defined(PRESCALED) && PRESCALED
/* The weights of a block of @c inputs, each times its input's number: there are fewer than pixels. */
static inline void prescale(__global const float *weights, __global const float *in_scale, int c,
                            __local float *to)
{
    for (int i = 0; i < c; i++)
        for (int k = 0; k < KB * VW; k += VW)
            VSTORE(VLOAD(weights + i * KB * VW + k) * in_scale[i], to + i * KB * VW + k);
}
#endif

/* One work-item: @chunk pixels of a row, at least P; the last one takes what is left, too. Without
 * padding. prescaled: [C][KB * VW]. Global: OW / chunk, OH. */
__kernel void conv_pointwise(__global const REAL *restrict x, Map xm,
                             __global const float *restrict weights,
                             __global const float *restrict bias, __global const REAL *residual,
                             Map rm, __global REAL *y, Map ym, Conv conv,
                             int chunk PRESCALED_PARAMETER, EPILOGUE_PARAMETERS PRESCALE_PARAMETERS)
{
    const int n = get_global_id(2);
    const int oy = get_global_id(1), ox = get_global_id(0) * chunk;
    const int count = get_global_id(0) + 1 == get_global_size(0) ? ym.w - ox : chunk;
    const int step = conv.stride_w * xm.sw;

    x += xm.offset + n * xm.sample + oy * conv.stride_h * xm.sh + ox * step;
    residual += rm.offset + n * rm.sample + oy * rm.sh + ox * rm.sw;
    y += ym.offset + n * ym.sample + oy * ym.sh + ox * ym.sw;
    EPILOGUE_OF(n);
    PRESCALE_OF(n);
    for (int vector = 0; vector * VW < conv.k; vector += KB) {
#if defined(PRESCALED) && PRESCALED
        prescale(weights, in_scale, conv.c, prescaled);
#else
        __global const float *prescaled = weights;
#endif
        for (int tile = 0; tile < count; tile += P) {
            const int i = min(tile, count - P);
            V acc[KB][P];
            write_soon(y + i * ym.sw + vector * VW, P, ym.sw, KB * VW);
            add_products(acc, x + i * step, step, 1, 0, conv.c, prescaled);
            finish_products(acc, bias, residual + i * rm.sw, rm.sw, y + i * ym.sw, ym.sw, vector,
                            conv.k, FINISH_AT(0));
        }
        weights += conv.c * KB * VW;
        bias += KB * VW;
    }
}

#elif defined(CONV_STAGED)

/* Row @row of x with zeros before and after, @columns in all; zeros where there is no such row. */
static inline void copy_row(__global const REAL *x, Map xm, int row, int before, int columns,
                            __local float *to)
{
    const bool exists = (uint)row < (uint)xm.h;
    const int stop = exists ? clamp(before + xm.w, 0, columns) : 0;
    const int start = exists ? clamp(before, 0, stop) : 0;
    for (int i = 0; i < start * xm.c; i++)
        to[i] = 0.0f;
    for (int i = stop * xm.c; i < columns * xm.c; i++)
        to[i] = 0.0f;
    x += row * xm.sh + (start - before) * xm.sw;
    to += start * xm.c;
    if (xm.sw == xm.c && xm.sc == 1) {
        const int count = (stop - start) * xm.c;
        int i = 0;
        for (; i + VW <= count; i += VW)
            VSTORE(VLOAD_REAL(x + i), to + i);
        for (; i < count; i++)
            to[i] = LOAD(x, i);
        return;
    }
    for (int i = 0; i < stop - start; i++)
        for (int c = 0; c < xm.c; c++)
            to[i * xm.c + c] = LOAD(x, i * xm.sw + c * xm.sc);
}

/* One work-item: @rows_each rows. staged: [(rows_each - 1) * stride + KH][columns][C], columns being
 * (OW - 1) * stride + KW. No dilation; x may have any sc. Global: ceil(OH / rows_each). */
__kernel void conv_staged(__global const REAL *restrict x, Map xm,
                          __global const float *restrict weights,
                          __global const float *restrict bias, __global const REAL *residual,
                          Map rm, __global REAL *y, Map ym, Conv conv, int rows_each,
                          __local float *restrict staged, EPILOGUE_PARAMETERS)
{
    const int n = get_global_id(2);
    const int start = get_global_id(0) * rows_each, stop = min(start + rows_each, ym.h);
    const int columns = (ym.w - 1) * conv.stride_w + conv.kw;
    const int row_step = columns * conv.c, step = conv.stride_w * conv.c;
    const int first = start * conv.stride_h - conv.pad_h;

    x += xm.offset + n * xm.sample;
    residual += rm.offset + n * rm.sample;
    y += ym.offset + n * ym.sample;
    EPILOGUE_OF(n);
    for (int i = 0; i < (stop - start - 1) * conv.stride_h + conv.kh; i++)
        copy_row(x, xm, first + i, conv.pad_w, columns, staged + i * row_step);

    for (int vector = 0; vector * VW < conv.k; vector += KB) {
        for (int oy = start; oy < stop; oy++) {
            __local const float *in = staged + (oy - start) * conv.stride_h * row_step;
            for (int tile = 0; tile < ym.w; tile += P) {
                const int i = min(tile, ym.w - P);
                V acc[KB][P];
                write_soon(y + oy * ym.sh + i * ym.sw + vector * VW, P, ym.sw, KB * VW);
                add_products(acc, in + i * step, step, conv.kh, row_step, conv.kw * conv.c,
                             weights);
                finish_products(acc, bias, residual + oy * rm.sh + i * rm.sw, rm.sw,
                                y + oy * ym.sh + i * ym.sw, ym.sw, vector, conv.k, FINISH_AT(0));
            }
        }
        weights += conv.kh * conv.kw * conv.c * KB * VW;
        bias += KB * VW;
    }
}

#elif defined(CONV_DEPTHWISE_ROWS)

/* One work-item: @rows_each rows of all channels. No dilation. Global: ceil(OH / rows_each). */
__kernel void conv_depthwise_rows(__global const REAL *restrict x, Map xm,
                                  __global const float *restrict weights,
                                  __global const float *restrict bias,
                                  __global const REAL *residual, Map rm, __global REAL *y, Map ym,
                                  Conv conv, int rows_each, EPILOGUE_PARAMETERS)
{
    const int n = get_global_id(2);
    const int start = get_global_id(0) * rows_each, stop = min(start + rows_each, ym.h);

    x += xm.offset + n * xm.sample;
    residual += rm.offset + n * rm.sample;
    y += ym.offset + n * ym.sample;
    EPILOGUE_OF(n);
    for (int oy = start; oy < stop; oy++) {
        const int row = oy * conv.stride_h - conv.pad_h;
        for (int i = 0; i < ym.w; i += PD) {
            const int ox = min(i, ym.w - PD), column = ox * STRIDE_W - conv.pad_w;
            const bool inside = column >= 0 && column + (PD - 1) * STRIDE_W + KW <= xm.w;
            __global const REAL *in = x + row * xm.sh + column * xm.sw;
            for (int vector = 0; vector * VW < ym.c; vector++) {
                const int c = first_channel(vector, ym.c);
                __global const float *w = weights + vector * KH * KW * VW;
                V acc[PD];
                if (inside)
                    add_window(acc, in + c, xm.sh, xm.sw, w, VW, row, xm.h, column, xm.w, false);
                else
                    add_window(acc, in + c, xm.sh, xm.sw, w, VW, row, xm.h, column, xm.w, true);
                finish_window(acc, bias + vector * VW, c, residual + oy * rm.sh + ox * rm.sw, rm.sw,
                              y + oy * ym.sh + ox * ym.sw, ym.sw, true, FINISH_AT(0));
            }
        }
    }
}

#elif defined(CONV_SEPARABLE)

/* One work-item: @rows_each rows. between: [OW][C]. @conv: the windows; @k outputs.
 * Global: ceil(OH / rows_each). */
__kernel void conv_separable(__global const REAL *restrict x, Map xm,
                             __global const float *restrict first_weights,
                             __global const float *restrict first_bias,
                             __global const float *restrict weights,
                             __global const float *restrict bias, __global const REAL *residual,
                             Map rm, __global REAL *y, Map ym, Conv conv, int rows_each,
                             __local float *restrict between, float first_alpha, float first_beta,
                             EPILOGUE_PARAMETERS)
{
    const int n = get_global_id(2);
    const int start = get_global_id(0) * rows_each, stop = min(start + rows_each, ym.h);

    x += xm.offset + n * xm.sample;
    residual += rm.offset + n * rm.sample;
    y += ym.offset + n * ym.sample;
    EPILOGUE_OF(n);
    for (int oy = start; oy < stop; oy++) {
        const int row = oy * conv.stride_h - conv.pad_h;
        for (int i = 0; i < ym.w; i += PD) {
            const int ox = min(i, ym.w - PD), column = ox * STRIDE_W - conv.pad_w;
            const bool inside = column >= 0 && column + (PD - 1) * STRIDE_W + KW <= xm.w;
            __global const REAL *in = x + row * xm.sh + column * xm.sw;
            for (int r = KH - conv.stride_h; r < KH; r++) /* far ahead: windows take little time */
                read_soon(in + r * xm.sh + 3 * PD * STRIDE_W * xm.sw, PD * STRIDE_W * xm.sw);
            for (int vector = 0; vector * VW < xm.c; vector++) {
                const int c = first_channel(vector, xm.c);
                __global const float *w = first_weights + vector * KH * KW * VW;
                V acc[PD];
                if (inside)
                    add_window(acc, in + c, xm.sh, xm.sw, w, VW, row, xm.h, column, xm.w, false);
                else
                    add_window(acc, in + c, xm.sh, xm.sw, w, VW, row, xm.h, column, xm.w, true);
                finish_window(acc, first_bias + vector * VW, c, 0, 0, between + ox * xm.c, xm.c,
                              true, first_alpha, first_beta);
            }
        }
        for (int vector = 0, block = 0; vector * VW < ym.c; vector += KB, block++)
            for (int tile = 0; tile < ym.w; tile += P) {
                const int i = min(tile, ym.w - P);
                V acc[KB][P];
                write_soon(y + oy * ym.sh + i * ym.sw + vector * VW, P, ym.sw, KB * VW);
                add_products(acc, between + i * xm.c, xm.c, 1, 0, xm.c,
                             weights + block * xm.c * KB * VW);
                finish_products(acc, bias + block * KB * VW, residual + oy * rm.sh + i * rm.sw, rm.sw,
                                y + oy * ym.sh + i * ym.sw, ym.sw, vector, ym.c, FINISH_AT(0));
            }
    }
}

#elif defined(CONV_EXPANDED)

/* One row of the first convolution, number @row of x, one block of vectors; zeros where there is no
 * such row. */
static inline void expand_row(__global const REAL *x, Map xm, __global const float *weights,
                              __global const float *bias, int row, int before, int columns,
                              __local float *to, float alpha, float beta)
{
    const int step = KB * VW;
    const int used = min(xm.w, columns - before);
    if ((uint)row >= (uint)xm.h) {
        for (int i = 0; i < columns * step; i += VW)
            VSTORE((V)(0.0f), to + i);
        return;
    }
    for (int tile = 0; tile < used; tile += P) {
        const int i = min(tile, used - P);
        V acc[KB][P];
        __global const REAL *in = x + row * xm.sh + i * xm.sw;
        read_soon(in + 2 * P * xm.sw, P * xm.sw);
        add_products(acc, in, xm.sw, 1, 0, xm.c, weights);
        finish_products(acc, bias, 0, 0, to + (before + i) * step, step, 0, step, alpha,
                        beta);
    }
}

/* Rows @from to @to - 1, counted from the first one of padding, of block @block into its ring. */
static inline void expand_rows(__global const REAL *x, Map xm, __global const float *weights,
                               __global const float *bias, int block, int from, int to, int above,
                               int before, int columns, __local float *ring, float alpha,
                               float beta)
{
    const int step = KB * VW;
    for (int i = from; i < to; i++)
        expand_row(x, xm, weights + block * xm.c * step, bias + block * step, i - above, before,
                   columns, ring + i % KH * columns * step, alpha, beta);
}

#ifdef KEPT
#define KEPT_MAP , __global REAL *kept, Map fm
#else
#define KEPT_MAP
#endif

/* One work-item: @rows_each rows of y and @blocks_each blocks of KB vectors. @conv: the windows.
 * rings: [blocks_each][KH][columns][KB * VW], columns being (OW - 1) * stride + KW. Row i of the first
 * convolution lies at i + pad modulo KH, with zeros around it; the next rows take the place of those
 * that no window needs any more. Global: ceil(blocks / blocks_each), ceil(rows of y / rows_each). */
__kernel void conv_expanded(__global const REAL *restrict x, Map xm,
                            __global const float *restrict first_weights,
                            __global const float *restrict first_bias,
                            __global const float *restrict weights,
                            __global const float *restrict bias, __global const REAL *residual,
                            Map rm, __global REAL *y, Map ym, Conv conv, int rows_each,
                            int blocks_each, __local float *restrict rings, float first_alpha,
                            float first_beta, EPILOGUE_PARAMETERS KEPT_MAP)
{
    const int n = get_global_id(2);
    const int start = get_global_id(1) * rows_each, stop = min(start + rows_each, ym.h);
    const int block0 = get_global_id(0) * blocks_each;
    const int blocks = min(blocks_each, (ym.c + KB * VW - 1) / (KB * VW) - block0);
    const int width = ym.w * POOL, columns = (width - 1) * STRIDE_W + KW;
    const int step = KB * VW, row_step = columns * step;

    x += xm.offset + n * xm.sample;
    residual += rm.offset + n * rm.sample;
    y += ym.offset + n * ym.sample;
    EPILOGUE_OF(n);
#ifdef KEPT
    kept += fm.offset + n * fm.sample;
#endif
    for (int i = 0; i < blocks * KH * row_step; i += VW)
        VSTORE((V)(0.0f), rings + i);

    /* Rows count from the first one of padding. */
    int ready = start * POOL * conv.stride_h;
    for (int oy = start; oy < stop; oy++) {
        for (int b = 0; b < blocks; b++) {
            __local float *ring = rings + b * KH * row_step;
            for (int part = 0, have = ready; part < POOL; part++) {
                const int row = (oy * POOL + part) * conv.stride_h;
                expand_rows(x, xm, first_weights, first_bias, block0 + b, max(have, row), row + KH,
                            conv.pad_h, conv.pad_w, columns, ring, first_alpha, first_beta);
                have = row + KH;
                for (int i = 0; i < width; i += PD) {
                    const int ox = min(i, width - PD);
                    for (int k = 0; k < KB && ((block0 + b) * KB + k) * VW < ym.c; k++) {
                        const int vector = (block0 + b) * KB + k;
                        V acc[PD];
                        write_soon(y + oy * ym.sh + (ox + PD) / POOL * ym.sw + vector * VW,
                                   PD / POOL, ym.sw, VW);
                        add_window(acc, ring + ox * STRIDE_W * step + k * VW, row_step, step,
                                   weights + ((block0 + b) * KH * KW * KB + k) * VW, step, row, 0,
                                   0, 0, false);
                        finish_window(acc, bias + vector * VW, first_channel(vector, ym.c),
                                      residual + (oy * POOL + part) * rm.sh + ox * rm.sw, rm.sw,
                                      y + oy * ym.sh + ox / POOL * ym.sw, ym.sw, part == 0,
                                      KEPT_AT(kept + (oy * POOL + part) * fm.sh + ox * fm.sw, fm.sw)
                                          FINISH_AT(0));
                    }
                }
            }
        }
        ready = (oy * POOL + POOL - 1) * conv.stride_h + KH;
    }
}

#elif defined(CONV_POINTS)

/* One vector of outputs; @in: @c inputs. */
static inline V point(__local const float *in, int c, __global const float *weights)
{
    V sum = (V)(0.0f);
    for (int i = 0; i < c; i++)
        sum = fma((V)(in[i]), VLOAD(weights + i * VW), sum);
    return sum;
}

/* All of it in one work-item: @c inputs, @between results of the first and @k of the second. Weights
 * lie [vectors][c][VW]. memory: [c + between]. Global: 1. */
__kernel void conv_points(__global const REAL *restrict x, Map xm,
                          __global const float *restrict first_weights,
                          __global const float *restrict first_bias,
                          __global const float *restrict weights,
                          __global const float *restrict bias, __global const REAL *residual,
                          Map rm, __global REAL *y, Map ym, Conv conv, int between,
                          __local float *restrict memory, float first_alpha, float first_beta,
                          EPILOGUE_PARAMETERS)
{
    const int n = get_global_id(2);
    __local float *middle = memory + xm.c;

    x += xm.offset + n * xm.sample;
    residual += rm.offset + n * rm.sample;
    y += ym.offset + n * ym.sample;
    EPILOGUE_OF(n);
    for (int i = 0; i < xm.c; i++)
        memory[i] = LOAD(x, i * xm.sc);
    for (int vector = 0; vector * VW < between; vector++) {
        const V sum = point(memory, xm.c, first_weights + vector * xm.c * VW);
        VSTORE(ACTIVATE_AS(FIRST_ACT, sum + VLOAD(first_bias + vector * VW), first_alpha,
                           first_beta),
               middle + first_channel(vector, between));
    }
    for (int vector = 0; vector * VW < conv.k; vector++) {
        const int c = first_channel(vector, conv.k);
        const V sum = point(middle, between, weights + vector * between * VW);
        const V v = FINISH(sum, VLOAD(bias + vector * VW), c, residual + c);
        VSTORE_REAL(v, y + c);
    }
}

#endif
