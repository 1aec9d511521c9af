/* append.cl - launches whose order shows.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
__kernel void append(__global int *x, int digit)
{
    const size_t i = get_global_id(0);
    x[i] = x[i] * 10 + digit;
}
