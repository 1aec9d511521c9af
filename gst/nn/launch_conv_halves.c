/* launch_conv_halves.c - weights rounded to halves such that flat parts of a map stay right.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Neighbouring pixels are nearly the same, in a channel that is always on above all, so that the
 * errors of the taps of an input add up where each is rounded to the nearest half. Here they
 * cancel: what one tap loses the next one gets (error diffusion, Floyd and Steinberg 1976), the
 * largest tap first, so that what is left over is less than the smallest tap's last bit.
 */
#include "launch_conv.h"

#include <math.h>

/* Indices of @n floats, the largest magnitude first. */
static void order_by_magnitude(const float *values, gint64 n, int *order)
{
    for (int i = 0; i < n; i++) {
        int at = i;
        for (; at > 0 && fabsf(values[order[at - 1]]) < fabsf(values[i]); at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

static void round_taps(float *taps, gint64 n, int *order)
{
    float carry = 0;
    order_by_magnitude(taps, n, order);
    for (gint64 i = 0; i < n; i++) {
        float *tap = &taps[order[i]];
        const float exact = *tap + carry;
        *tap = nn_half_to_float(nn_float_to_half(exact));
        carry = exact - *tap;
    }
}

ConvJob nn_conv_rounded(const ConvJob *job, float **memory)
{
    const ConvShape *shape = &job->shape;
    const gint64 *from = job->weights.strides;
    const gint64 n = (gint64)shape->kh * shape->kw;
    const gint64 to[5] = { 0, shape->c * n, n, shape->kw, 1 };
    g_autofree int *order = g_new(int, MAX(n, 1));
    *memory = g_new(float, MAX(shape->k * shape->c * n, 1));
    for (gint64 k = 0; k < shape->k; k++)
        for (gint64 c = 0; c < shape->c; c++) {
            float *taps = *memory + k * to[1] + c * to[2];
            for (gint64 i = 0; i < n; i++)
                taps[i] = job->weight_values[job->weights.offset + k * from[1] + c * from[2] +
                                             i / shape->kw * from[3] + i % shape->kw * from[4]];
            round_taps(taps, n, order);
        }
    ConvJob rounded = *job;
    rounded.weight_values = *memory;
    rounded.weights = nn_view_strided(&job->weights, 5, job->weights.dims, to);
    rounded.weights.offset = 0;
    return rounded;
}
