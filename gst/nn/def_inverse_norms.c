/* def_inverse_norms.c - the meaning of InverseNorms, which passes make and files cannot ask for.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * y[r] = 1 / sqrt(sum over k of weights[at + k] * x[first + k]^2 + epsilon)
 *
 * One row for each output: StyleGAN2's demodulation of all layers at once (Karras et al., 2020,
 * section 2.2, with the sum over taps taken beforehand), or the norm of one vector.
 */
#include "defs.h"

#include <math.h>

/* Inputs: x [1][n]; weights [total]; rows [count][3] of int64: first, n, at. */
gboolean nn_infer_inverse_norms(NnNode *node, GError **error)
{
    const NnValue *x = nn_node_input(node, 0), *rows = nn_node_input(node, 2);
    const gint64 dims[2] = { 1, rows->dims[0] };

    return nn_check_arity(node, 3, 3, 1, error) &&
           nn_value_set(nn_node_output(node, 0), x->type, 2, dims, error);
}

gboolean nn_reference_inverse_norms(const NnNode *node, const NnArray *const *in,
                                    NnArray *const *out, GError **error)
{
    const gint64 *row = in[2]->data;

    for (gsize r = 0; r < out[0]->n; r++, row += 3) {
        double sum = nn_node_float(node, "epsilon", 0);
        for (gint64 k = 0; k < row[1]; k++) {
            const double x = nn_array_get(in[0], (gsize)(row[0] + k));
            sum += nn_array_get(in[1], (gsize)(row[2] + k)) * x * x;
        }
        nn_array_set(out[0], r, 1 / sqrt(sum));
    }
    return TRUE;
}
