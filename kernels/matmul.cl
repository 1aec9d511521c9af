/* matmul.cl - products of matrices, by themselves or in batches.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * y[batch][m][n] = act(product_factor * sum over k of a[batch][m][k] * b[batch][k][n]
 *                      + bias_factor * bias[batch][m][n])
 *
 * Defines: TA TB TC TY, types of a, b, bias and y; BIAS 0 or 1; RANK of the batch axes; ACT.
 *   matmul_vector: VW, P rows of a per work-item; FP16 if TY is half.
 *   matmul_wide: WIDE_KERNEL, P.
 * Buffers: each with strides [batch axes..., row, column].
 * Accumulation: float, or the integers' own type (at least 32 bits).
 * Launch: dimension 2 is the sample; the others beside each kernel.
 */
#include "common.clh"
#include "types.clh"
#include "index.clh"

#if !defined(VW) && !defined(WIDE_KERNEL)

/* Outputs of one row a work-item computes. */
#define OUTPUTS 4

/* One work-item: OUTPUTS columns of one row. Global: ceil(N / OUTPUTS) * M, rounded up; batches. */
__kernel void matmul_general(__global const TA *a, Strided as, __global const TB *b, Strided bs,
                             __global const TC *bias, Strided cs, __global TY *y, Strided ys,
                             Extents batch, int rows, int columns, int depth, float product_factor,
                             float bias_factor, float alpha, float beta)
{
    const int n = get_global_id(2);
    const int blocks = (columns + OUTPUTS - 1) / OUTPUTS;
    const int row = get_global_id(0) / blocks;
    const int column = get_global_id(0) % blocks * OUTPUTS;
    const int n_outputs = min(OUTPUTS, columns - column);
    if (row >= rows)
        return;
    const int i = get_global_id(1);
    a += as.offset + n * as.sample + place_of(i, batch, as) + row * as.stride[RANK];
    b += bs.offset + n * bs.sample + place_of(i, batch, bs) + column * bs.stride[RANK + 1];

    ARITHMETIC(TY) sum[OUTPUTS] = { 0 };
    for (int k = 0; k < depth; k++) {
        const ARITHMETIC(TY) v = READ(TA, a, k * as.stride[RANK + 1]);
        for (int j = 0; j < OUTPUTS; j++)
            if (j < n_outputs)
                sum[j] += v * READ(TB, b, k * bs.stride[RANK] + j * bs.stride[RANK + 1]);
    }

    bias += cs.offset + n * cs.sample + place_of(i, batch, cs) + row * cs.stride[RANK] +
            column * cs.stride[RANK + 1];
    y += ys.offset + n * ys.sample + place_of(i, batch, ys) + row * ys.stride[RANK] +
         column * ys.stride[RANK + 1];
    for (int j = 0; j < n_outputs; j++) {
        /* Integers have neither factors nor bias. */
#if IS_FLOAT(TY)
        float v = sum[j] * product_factor;
        if (BIAS)
            v = fma(bias_factor, READ(TC, bias, j * cs.stride[RANK + 1]), v);
        WRITE(TY, y, j * ys.stride[RANK + 1], ACTIVATE(v, alpha, beta));
#else
        WRITE(TY, y, j * ys.stride[RANK + 1], sum[j]);
#endif
    }
}

#elif defined(VW)

#include "vectors.clh"

static inline V load_columns(__global const TB *p, int n)
{
    if (n >= VW)
        return VREAD(TB, p);
    float t[VW];
    for (int i = 0; i < VW; i++)
        t[i] = i < n ? READ(TB, p, i) : 0.0f;
    return VLOAD(t);
}

/* One work-item: P rows of a times one vector of columns of b, which lie side by side in b and y;
 * y is of the type REAL, all are float or half. Global: ceil(M / P), ceil(N / VW) * batches. */
__kernel void matmul_vector(__global const TA *restrict a, Strided as,
                            __global const TB *restrict b, Strided bs, __global const TC *bias,
                            Strided cs, __global REAL *y, Strided ys, Extents batch, int rows,
                            int columns, int depth, float product_factor, float bias_factor,
                            float alpha, float beta)
{
    const int n = get_global_id(2);
    const int blocks = (columns + VW - 1) / VW;
    const int row = get_global_id(0) * P;
    const int column = get_global_id(1) % blocks * VW;
    const int i = get_global_id(1) / blocks;
    const int left = columns - column;
    a += as.offset + n * as.sample + place_of(i, batch, as);
    b += bs.offset + n * bs.sample + place_of(i, batch, bs) + column;

    __global const TA *in[P];
    V sum[P];
#pragma unroll
    for (int p = 0; p < P; p++) {
        in[p] = a + min(row + p, rows - 1) * as.stride[RANK];
        sum[p] = (V)(0.0f);
    }
    for (int k = 0; k < depth; k++) {
        const V w = load_columns(b + k * bs.stride[RANK], left);
#pragma unroll
        for (int p = 0; p < P; p++)
            sum[p] = fma((V)(READ(TA, in[p], k * as.stride[RANK + 1])), w, sum[p]);
    }

    bias += cs.offset + n * cs.sample + place_of(i, batch, cs) + column * cs.stride[RANK + 1];
    y += ys.offset + n * ys.sample + place_of(i, batch, ys) + column;
#pragma unroll
    for (int p = 0; p < P; p++) {
        if (row + p >= rows)
            return;
        V v = sum[p] * product_factor;
        if (BIAS) {
            float t[VW];
            for (int j = 0; j < VW; j++)
                t[j] = j < left ? READ(TC, bias, (row + p) * cs.stride[RANK] +
                                                     j * cs.stride[RANK + 1])
                                : 0.0f;
            v = fma((V)(bias_factor), VLOAD(t), v);
        }
        store_some(ACTIVATE(v, alpha, beta), y + (row + p) * ys.stride[RANK], 1, left);
    }
}

#else

#include "wide.clh"

#define GROUP 256
#define COLUMNS 4  /* blocks of columns of a group: 128 bytes of float weights side by side */
#define SLICES (GROUP / COLUMNS) /* parts of the depth */

/* Few rows, for GPUs: a group computes P rows of 8 COLUMNS columns, every work-item a slice of the
 * depth; their sums are added in a fixed order. Columns lie in whole aligned blocks in b and y; all
 * types are float or half. Global: ceil(N / (8 COLUMNS)) * GROUP, ceil(M / P) * batches. */
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
matmul_wide(__global const TA *restrict a, Strided as, __global const TB *restrict b, Strided bs,
            __global const TC *bias, Strided cs, __global TY *y, Strided ys, Extents batch, int rows,
            int columns, int depth, float product_factor, float bias_factor, float alpha, float beta)
{
    __local float8 all[GROUP];
    const int n = get_global_id(2), thread = get_local_id(0);
    const int column = (get_group_id(0) * COLUMNS + thread % COLUMNS) * WIDE;
    const int slice = thread / COLUMNS, stop = column < columns ? depth : 0;
    const int row_blocks = (rows + P - 1) / P;
    const int row = get_group_id(1) % row_blocks * P, i = get_group_id(1) / row_blocks;
    a += as.offset + n * as.sample + place_of(i, batch, as);
    b += bs.offset + n * bs.sample + place_of(i, batch, bs) + column;

    float8 sum[P];
#pragma unroll
    for (int p = 0; p < P; p++)
        sum[p] = (float8)(0.0f);
#pragma unroll 4
    for (int k = slice; k < stop; k += SLICES) {
        const float8 w = WIDE_READ(TB, b + (size_t)k * bs.stride[RANK]);
#pragma unroll
        for (int p = 0; p < P; p++)
            sum[p] = fma((float8)(READ(TA, a, min(row + p, rows - 1) * as.stride[RANK] +
                                                  k * as.stride[RANK + 1])),
                         w, sum[p]);
    }

    bias += cs.offset + n * cs.sample + place_of(i, batch, cs) + column * cs.stride[RANK + 1];
    y += ys.offset + n * ys.sample + place_of(i, batch, ys) + column;
#pragma unroll
    for (int p = 0; p < P; p++) {
        all[thread] = sum[p];
        for (int left = SLICES / 2; left > 0; left /= 2) {
            barrier(CLK_LOCAL_MEM_FENCE);
            if (slice < left)
                all[thread] += all[thread + left * COLUMNS];
        }
        if (slice == 0 && column < columns && row + p < rows) {
            float v[WIDE];
            vstore8(all[thread] * product_factor, 0, v);
            for (int j = 0; j < WIDE && BIAS; j++)
                v[j] = fma(bias_factor,
                           READ(TC, bias, (row + p) * cs.stride[RANK] + j * cs.stride[RANK + 1]),
                           v[j]);
            const float8 result = vload8(0, v);
            WIDE_WRITE(TY, y + (row + p) * ys.stride[RANK], ACTIVATE(result, alpha, beta));
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

#endif
