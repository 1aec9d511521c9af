/* winograd.cl - 3x3 convolution with stride 1 by Winograd's F(4x4, 3x3): 36 products for 16 outputs
 * instead of 144.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The output is cut into tiles of 4x4 pixels. A tile's 6x6 inputs d become V = B^T d B, each of the
 * 36 places is a product of matrices M = V U over the channels, and the outputs are A^T M A. The
 * matrices are those of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016);
 * U = G g G^T comes from the host.
 *
 * Defines: VW, P tiles times KB vectors of outputs held in registers, FP16; ACT, SCALED, see
 *   common.clh; RESIDUAL 0 or 1; SPACE, where V and M lie: __local (winograd_fused, needs TN) or __global (the other three).
 * Buffers: x [C][H][W] with sc == 1 and C >= VW, residual and y [K][OH][OW] as maps;
 *   u [36][ceil(K / KB VW)][ceil(C / VW) VW][KB VW], bias [ceil(K / KB VW)][KB VW], zeros [VW];
 *   v [36][ceil(C / VW)][tiles] and m [36][ceil(K / KB VW) KB][tiles] of vectors. The last vector of
 *   input channels ends with the last channel; for those that an earlier one has, u is zero.
 * Accumulation: float.
 * Launch: dimension 2 is the sample; the others beside each kernel.
 */
#include "common.clh"
#include "vectors.clh"

/* Mirrored in launch_conv_winograd.c. */
typedef struct {
    int in_blocks;           /* vectors of input channels */
    int out_blocks;          /* groups of KB vectors of outputs */
    int tiles_x, tiles;      /* in a row, in all */
    int stride;              /* of v and m between vectors: tiles, rounded up to P */
    int pad_h, pad_w;        /* before */
} Winograd;

/* The points that the polynomials are evaluated at, besides 0 and infinity: +-3/4 and +-3/2. The
 * usual +-1 and +-2 need fewer multiplications but lose more to rounding: with 64 channels their
 * mean error is 1.8 times and their largest 5.7 times as large. All constants are exact. */
#define P1 0.75f
#define P2 1.5f

/* B^T d */
static inline void transform_input(const V *d, V *o)
{
    const V a = fma((V)(-P2 * P2), d[2], d[4]), b = P1 * fma((V)(-P2 * P2), d[1], d[3]);
    const V c = fma((V)(-P1 * P1), d[2], d[4]), e = P2 * fma((V)(-P1 * P1), d[1], d[3]);
    const V product = (V)(P1 * P1 * P2 * P2), sum = (V)(-(P1 * P1 + P2 * P2));
    o[0] = fma(product, d[0], fma(sum, d[2], d[4]));
    o[1] = a + b;
    o[2] = a - b;
    o[3] = c + e;
    o[4] = c - e;
    o[5] = fma(product, d[1], fma(sum, d[3], d[5]));
}

/* A^T m */
static inline void transform_output(const V *m, V *o)
{
    const V a = m[1] + m[2], b = P1 * (m[1] - m[2]), c = m[3] + m[4], e = P2 * (m[3] - m[4]);
    o[0] = m[0] + a + c;
    o[1] = b + e;
    o[2] = fma((V)(P1 * P1), a, P2 * P2 * c);
    o[3] = fma((V)(P1 * P1), b, fma((V)(P2 * P2), e, m[5]));
}

/* Transforms one vector of channels of one tile; the 36 results lie @step apart. What is outside of
 * the map reads as @zeros. */
static inline void input_tile(__global const REAL *x, Map xm, __global const REAL *zeros,
                              Winograd shape, int tile, SPACE V *v, int step)
{
    const int y0 = tile / shape.tiles_x * 4 - shape.pad_h;
    const int x0 = tile % shape.tiles_x * 4 - shape.pad_w;
    const bool inside = y0 >= 0 && x0 >= 0 && y0 + 6 <= xm.h && x0 + 6 <= xm.w;
    x += y0 * xm.sh + x0 * xm.sw;

    V rows[6][6];
#pragma unroll
    for (int r = 0; r < 6; r++) {
        V d[6];
        if (inside) {
#pragma unroll
            for (int s = 0; s < 6; s++)
                d[s] = VLOAD_REAL(x + r * xm.sh + s * xm.sw);
        } else {
            const bool row_inside = (uint)(y0 + r) < (uint)xm.h;
#pragma unroll
            for (int s = 0; s < 6; s++)
                d[s] = VLOAD_REAL(row_inside && (uint)(x0 + s) < (uint)xm.w
                                      ? x + r * xm.sh + s * xm.sw
                                      : zeros);
        }
        transform_input(d, rows[r]);
    }
#pragma unroll
    for (int s = 0; s < 6; s++) {
        const V d[6] = { rows[0][s], rows[1][s], rows[2][s], rows[3][s], rows[4][s], rows[5][s] };
        V o[6];
        transform_input(d, o);
#pragma unroll
        for (int r = 0; r < 6; r++)
            v[(r * 6 + s) * step] = o[r];
    }
}

/* One place of P tiles: KB vectors of sums over all channels. */
static inline void product(SPACE const V *v, int v_step, __global const float *u, SPACE V *m,
                           int m_step, int in_blocks)
{
    V acc[KB][P];
#pragma unroll
    for (int k = 0; k < KB; k++)
#pragma unroll
        for (int p = 0; p < P; p++)
            acc[k][p] = (V)(0.0f);
    for (int block = 0; block < in_blocks; block++, v += v_step) {
        SPACE const float *in = (SPACE const float *)v;
        for (int c = 0; c < VW; c++, u += KB * VW) {
            V w[KB];
#pragma unroll
            for (int k = 0; k < KB; k++)
                w[k] = VLOAD(u + k * VW);
#pragma unroll
            for (int p = 0; p < P; p++) {
                const V value = (V)(in[p * VW + c]);
#pragma unroll
                for (int k = 0; k < KB; k++)
                    acc[k][p] = fma(value, w[k], acc[k][p]);
            }
        }
    }
#pragma unroll
    for (int k = 0; k < KB; k++)
#pragma unroll
        for (int p = 0; p < P; p++)
            m[k * m_step + p] = acc[k][p];
}

/* One vector of outputs of one tile, of which the first @left exist; y and residual point to it at
 * pixel 0, 0, and the epilogue's factors to the first output. */
static inline void output_tile(SPACE const V *m, int step, V bias, Winograd shape, int tile,
                               __global const REAL *residual, Map rm, __global REAL *y, Map ym,
                               int left, FINISH_PARAMETERS)
{
    const int y0 = tile / shape.tiles_x * 4, x0 = tile % shape.tiles_x * 4;
    V columns[6][4];
#pragma unroll
    for (int s = 0; s < 6; s++) {
        const V d[6] = { m[s * step],        m[(6 + s) * step],  m[(12 + s) * step],
                         m[(18 + s) * step], m[(24 + s) * step], m[(30 + s) * step] };
        transform_output(d, columns[s]);
    }
#pragma unroll
    for (int r = 0; r < 4; r++) {
        const V d[6] = { columns[0][r], columns[1][r], columns[2][r],
                         columns[3][r], columns[4][r], columns[5][r] };
        V o[4];
        transform_output(d, o);
#pragma unroll
        for (int s = 0; s < 4; s++) {
            if (y0 + r >= ym.h || x0 + s >= ym.w)
                continue;
            V value = SCALED_SUM(o[s], load_floats(scale, left)) + bias;
            if (RESIDUAL)
                value += load_some(residual + (y0 + r) * rm.sh + (x0 + s) * rm.sw, rm.sc, left);
            store_some(FINISHED(value, load_floats(post, left)), y + (y0 + r) * ym.sh + (x0 + s) * ym.sw,
                       ym.sc, left);
        }
    }
}

#ifdef TN

/* All of it for TN tiles, whose V and M stay in the cache. For CPUs: one work-item a work-group.
 * v: [36][in_blocks][TN], m: [36][KB][TN]. Global: ceil(tiles / TN). */
__kernel void winograd_fused(__global const REAL *restrict x, Map xm,
                             __global const float *restrict u, __global const float *restrict bias,
                             __global const REAL *restrict zeros, __global const REAL *residual,
                             Map rm, __global REAL *y, Map ym, SPACE V *restrict v,
                             SPACE V *restrict m, Winograd shape, EPILOGUE_PARAMETERS)
{
    const int n = get_global_id(2);
    const int first = get_global_id(0) * TN;
    const int n_tiles = min(TN, shape.tiles - first);
    x += xm.offset + n * xm.sample;
    y += ym.offset + n * ym.sample;
    residual += rm.offset + n * rm.sample;
    EPILOGUE_OF(n);

    for (int block = 0; block < shape.in_blocks; block++)
        for (int t = 0; t < TN; t++)
            input_tile(x + min(block * VW, xm.c - VW), xm, zeros, shape, first + min(t, n_tiles - 1),
                       v + block * TN + t, shape.in_blocks * TN);

    for (int block = 0; block < shape.out_blocks; block++) {
        for (int place = 0; place < 36; place++)
            for (int t = 0; t < TN; t += P)
                product(v + place * shape.in_blocks * TN + t, TN,
                        u + (size_t)(place * shape.out_blocks + block) * shape.in_blocks * VW *
                                (KB * VW),
                        m + place * KB * TN + t, TN, shape.in_blocks);
        for (int k = 0; k < KB; k++) {
            const int channel = (block * KB + k) * VW;
            const V b = VLOAD(bias + channel);
            for (int t = 0; t < n_tiles && channel < ym.c; t++)
                output_tile(m + k * TN + t, KB * TN, b, shape, first + t,
                            residual + channel * rm.sc, rm, y + channel * ym.sc, ym,
                            ym.c - channel, FINISH_AT(channel));
        }
    }
}

#else

/* Tiles that a work-item of winograd_input and winograd_output goes through. */
#define CHUNK 8

/* Global: ceil(tiles / CHUNK), in_blocks. */
__kernel void winograd_input(__global const REAL *restrict x, Map xm,
                             __global const REAL *restrict zeros, __global V *restrict v,
                             ulong v_sample, Winograd shape)
{
    const int n = get_global_id(2);
    const int block = get_global_id(1);
    const int first = get_global_id(0) * CHUNK;
    x += xm.offset + n * xm.sample + min(block * VW, xm.c - VW);
    v += n * v_sample + (size_t)block * shape.stride;
    for (int tile = first; tile < min(first + CHUNK, shape.tiles); tile++)
        input_tile(x, xm, zeros, shape, tile, v + tile, shape.in_blocks * shape.stride);
}

/* Global: stride / P, 36 * out_blocks. */
__kernel void winograd_product(__global const V *restrict v, ulong v_sample,
                               __global const float *restrict u, __global V *restrict m,
                               ulong m_sample, Winograd shape)
{
    const int n = get_global_id(2);
    const int tile = get_global_id(0) * P;
    const int place = get_global_id(1) / shape.out_blocks;
    v += n * v_sample + (size_t)place * shape.in_blocks * shape.stride + tile;
    u += (size_t)get_global_id(1) * shape.in_blocks * VW * (KB * VW);
    m += n * m_sample + (size_t)get_global_id(1) * KB * shape.stride + tile;
    product(v, shape.stride, u, m, shape.stride, shape.in_blocks);
}

/* Global: ceil(tiles / CHUNK), ceil(K / VW). */
__kernel void winograd_output(__global const V *restrict m, ulong m_sample,
                              __global const float *restrict bias, __global const REAL *residual,
                              Map rm, __global REAL *y, Map ym, Winograd shape,
                              EPILOGUE_PARAMETERS)
{
    const int n = get_global_id(2);
    const int channel = get_global_id(1) * VW;
    const int first = get_global_id(0) * CHUNK;
    const V b = VLOAD(bias + channel);
    m += n * m_sample + (size_t)get_global_id(1) * shape.stride;
    y += ym.offset + n * ym.sample + channel * ym.sc;
    residual += rm.offset + n * rm.sample + channel * rm.sc;
    EPILOGUE_OF(n);
    for (int tile = first; tile < min(first + CHUNK, shape.tiles); tile++)
        output_tile(m + tile, shape.out_blocks * KB * shape.stride, b, shape, tile, residual, rm,
                    y, ym, ym.c - channel, FINISH_AT(channel));
}

#endif
