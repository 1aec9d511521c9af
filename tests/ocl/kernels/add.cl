/* add.cl - kernels small enough to be compiled by every test.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: N, what is added; BREAK and BREAK_PIECE, to fail.
 */
#include "piece.clh"

#ifndef N
#define N 1
#endif

#ifdef BREAK
broken file;
#endif

__kernel void add(__global int *x)
{
    x[get_global_id(0)] += N * PIECE;
}
