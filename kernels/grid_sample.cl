/* grid_sample.cl - a map read at the points of a grid, with interpolation.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A grid's point holds one coordinate per axis of the map, of -1..1, the last axis first. Along
 * each axis a point has TAPS elements and weights; all their combinations are added up.
 *
 * Defines: TX TG TY, types of x, grid and y; AXES of the map, 1 to 3; TAPS, 1 nearest, 2 linear, 4
 *   cubic; BEYOND, what lies outside of the map: 0 zeros, 1 its border, 2 its mirror image;
 *   ALIGN_CORNERS 1 if -1 and 1 are the middles of the outermost elements, 0 if their far edges.
 * Buffers: x [N][C][axes...], grid [N][points...][AXES], y [N][C][points...].
 * Accumulation: float.
 * Launch: all channels of one point a work-item. Global: N * points, rounded up; dimension 2 is the
 *   sample.
 */
#include "common.clh"
#include "types.clh"

/* A coordinate beyond this is nowhere; it still fits an int. */
#define FAR 1.0e9f

/* Mirrors a coordinate at low and high until it is between them. */
static inline float reflect(float x, float low, float high)
{
    const float range = high - low;
    if (range <= 0.0f)
        return low;
    const float rest = fmod(fabs(x - low), 2.0f * range);
    return low + fmin(rest, 2.0f * range - rest);
}

/* The coordinate among @size elements. Beyond the border a cubic's taps go back one by one, other
 * modes' coordinates do. */
static inline float locate(float g, int size)
{
    const float low = ALIGN_CORNERS ? 0.0f : -0.5f;
    const float high = ALIGN_CORNERS ? size - 1.0f : size - 0.5f;
    float x = low + (g + 1.0f) / 2.0f * (high - low);
    if (TAPS == 1)
        x = rint(x);
    if (TAPS != 4 && !(x >= low && x <= high)) {
        if (BEYOND == 1)
            x = clamp(x, 0.0f, size - 1.0f);
        else if (BEYOND == 2)
            x = reflect(x, low, high);
    }
    return fabs(x) < FAR ? x : -FAR;
}

static inline float tap_weight(float d)
{
    if (TAPS == 1)
        return 1.0f;
    if (TAPS == 2)
        return 1.0f - d;
    return d <= 1.0f ? (1.25f * d - 2.25f) * d * d + 1.0f
                     : ((d - 5.0f) * d + 8.0f) * d * -0.75f + 3.0f;
}

/* The taps of coordinate @g on an axis of @size: places in x, and weights, 0 where nothing is. */
static inline void find_taps(float g, int size, int stride, int *place, float *weight)
{
    const float x = locate(g, size);
    for (int t = 0; t < TAPS; t++) {
        int at = (int)floor(x) - (TAPS - 1) / 2 + t;
        weight[t] = tap_weight(fabs(at - x));
        if (BEYOND == 1)
            at = clamp(at, 0, size - 1);
        else if (BEYOND == 2)
            at = (int)reflect(at, ALIGN_CORNERS ? 0.0f : -0.5f,
                              ALIGN_CORNERS ? size - 1.0f : size - 0.5f);
        if (at < 0 || at >= size)
            weight[t] = 0.0f;
        place[t] = clamp(at, 0, size - 1) * stride;
    }
}

/* @sizes, @points: the extents of x and y. */
__kernel void grid_sample(__global const TX *x, Strided xs, __global const TG *grid, Strided gs,
                          __global TY *y, Strided ys, Extents sizes, Extents points, int count,
                          int channels)
{
    const int n = get_global_id(2);
    int i = get_global_id(0);
    if (i >= count)
        return;
    grid += gs.offset + n * gs.sample;
    y += ys.offset + n * ys.sample;
    for (int axis = AXES - 1; axis >= 0; axis--) {
        const int at = i % points.n[2 + axis];
        i /= points.n[2 + axis];
        grid += at * gs.stride[1 + axis];
        y += at * ys.stride[2 + axis];
    }
    grid += i * gs.stride[0];
    y += i * ys.stride[0];
    x += xs.offset + n * xs.sample + i * xs.stride[0];

    int place[3][TAPS] = { { 0 } };
    float weight[3][TAPS];
    for (int axis = 0; axis < 3; axis++)
        weight[axis][0] = 1.0f;
    for (int axis = 0; axis < AXES; axis++)
        find_taps(READ(TG, grid, (AXES - 1 - axis) * gs.stride[1 + AXES]), sizes.n[2 + axis],
                  xs.stride[2 + axis], place[axis], weight[axis]);

    for (int c = 0; c < channels; c++) {
        float sum = 0.0f;
        for (int a = 0; a < TAPS; a++)
            for (int b = 0; b < (AXES > 1 ? TAPS : 1); b++)
                for (int d = 0; d < (AXES > 2 ? TAPS : 1); d++) {
                    const float w = weight[0][a] * weight[1][b] * weight[2][d];
                    if (w != 0.0f)
                        sum += w * READ(TX, x,
                                        c * xs.stride[1] + place[0][a] + place[1][b] + place[2][d]);
                }
        WRITE(TY, y, c * ys.stride[1], sum);
    }
}
