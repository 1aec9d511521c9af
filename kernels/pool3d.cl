/* pool3d.cl - the largest, the mean or the p-norm of a window over up to three axes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: POOL, one of MAX, AVERAGE, LP; TX TY, the types of x and y; INDICES 0 or 1.
 * Buffers: x [N][C][D][H][W], y [N][C][OD][OH][OW]; indices, of y's shape: where in the whole of
 *   x's row-major order the largest is.
 * Accumulation: float; integers, which only MAX takes, stay integers.
 * Launch: one output a work-item, in y's row-major order. Global: outputs, rounded up; dimension 2
 *   is the sample.
 */
#include "common.clh"
#include "types.clh"
#define RANK 5
#include "index.clh"

/* Mirrored in launch_pool3d.c. */
typedef struct {
    int in[3], taps[3], stride[3], dilation[3];
    int pad[3];       /* before */
    int padded[3];    /* places up to which padding counts in a mean, -1: none */
    int column_major; /* indices count the last two axes down the columns */
    float p;          /* of the norm */
} Pool3d;

#define ADD_AVERAGE(sum, v) ((sum) + (v))
#define ADD_LP(sum, v) ((sum) + pow(fabs((float)(v)), pool.p))
#define ADD_MAX(sum, v) ((v) > (sum) ? (v) : (sum))
#define START_AVERAGE 0
#define START_LP 0
#define START_MAX LOWEST(TX)
#define END_AVERAGE(sum, n) ((sum) / max(n, 1))
#define END_LP(sum, n) pow((float)(sum), 1.0f / pool.p)
#define END_MAX(sum, n) (sum)

/* Taps of output @o on @axis that count in a mean. */
static inline int counted(const Pool3d *pool, int axis, int o)
{
    const int padded = pool->padded[axis];
    const int low = padded < 0 ? 0 : -pool->pad[axis];
    const int high = padded < 0 ? pool->in[axis] : padded;
    int n = 0;
    for (int t = 0; t < pool->taps[axis]; t++) {
        const int i = o * pool->stride[axis] + t * pool->dilation[axis] - pool->pad[axis];
        n += i >= low && i < high;
    }
    return n;
}

/* The place on @axis of x that tap @t of output @o takes; -1: none. */
static inline int tap_place(const Pool3d *pool, int axis, int o, int t)
{
    const int i = o * pool->stride[axis] + t * pool->dilation[axis] - pool->pad[axis];
    return i < pool->in[axis] ? i : -1;
}

__kernel void pool_3d(__global const TX *x, Strided xs, __global TY *y, Strided ys,
                      __global long *indices, Strided is, Extents outputs, int count, Pool3d pool)
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
    x += xs.offset + n * xs.sample + i / outputs.n[1] * xs.stride[0] +
         i % outputs.n[1] * xs.stride[1];

    ARITHMETIC(TX) sum = SELECT(START_, POOL);
    const int height = pool.in[1], width = pool.in[2];
    int largest = -1;
    for (int d = 0; d < pool.taps[0]; d++) {
        const int iz = tap_place(&pool, 0, o[0], d);
        for (int r = 0; iz >= 0 && r < pool.taps[1]; r++) {
            const int iy = tap_place(&pool, 1, o[1], r);
            for (int s = 0; iy >= 0 && s < pool.taps[2]; s++) {
                const int ix = tap_place(&pool, 2, o[2], s);
                if (ix < 0)
                    continue;
                const ARITHMETIC(TX) v =
                    READ(TX, x, iz * xs.stride[2] + iy * xs.stride[3] + ix * xs.stride[4]);
                if (largest < 0 || v > sum)
                    largest = iz * height * width +
                              (pool.column_major ? ix * height + iy : iy * width + ix);
                sum = SELECT(ADD_, POOL)(sum, v);
            }
        }
    }
    const int taps = counted(&pool, 0, o[0]) * counted(&pool, 1, o[1]) * counted(&pool, 2, o[2]);
    y += ys.offset + n * ys.sample;
    WRITE(TY, y, place_of(at, outputs, ys), SELECT(END_, POOL)(sum, taps));
    if (INDICES)
        indices[is.offset + n * is.sample + place_of(at, outputs, is)] =
            largest + (long)i * pool.in[0] * height * width;
}
