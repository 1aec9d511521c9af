/* def_softmax.c - the meaning of Softmax, LogSoftmax and Hardmax.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "defs.h"

#include <math.h>

gboolean nn_softmax_lanes(const NnNode *node, NnLanes *lanes, GError **error)
{
    const NnValue *x = nn_node_input(node, 0);
    gint64 axis = nn_node_int(node, "axis", node->opset < 13 ? 1 : -1);
    int resolved;

    /* Up to opset 10 the axis may be the rank: every element is a lane of its own. */
    if (node->opset < 13 && axis == x->rank) {
        gsize n;

        if (!nn_dims_count(x->rank, x->dims, &n))
            return nn_node_error(node, error, NN_ERROR_TOO_LARGE, "too many elements");
        *lanes = (NnLanes){ n, 1, 1 };
        return TRUE;
    }
    if (!nn_resolve_axis(node, axis, x->rank, &resolved, error))
        return FALSE;
    *lanes = nn_lanes(x->rank, x->dims, resolved);
    if (node->opset < 13) {
        lanes->n *= lanes->inner;
        lanes->inner = 1;
    }
    return TRUE;
}

gboolean nn_infer_softmax(NnNode *node, GError **error)
{
    NnLanes lanes;

    return nn_check_arity(node, 1, 1, 1, error) && nn_check_type(node, 0, NN_TYPES_FLOAT, error) &&
           nn_softmax_lanes(node, &lanes, error) && nn_set_output_as_input(node, error);
}

/* The maximum is taken off first, which changes nothing but keeps exp() in range. */
static void softmax_lane(double *v, gint64 n, gint64 max, gboolean is_log)
{
    double top = v[max], sum = 0;

    for (gint64 k = 0; k < n; k++)
        sum += exp(v[k] - top);
    for (gint64 k = 0; k < n; k++)
        v[k] = is_log ? v[k] - top - log(sum) : exp(v[k] - top) / sum;
}

gboolean nn_reference_softmax(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                              GError **error)
{
    gboolean is_hard = g_str_equal(node->type, "Hardmax");
    gboolean is_log = g_str_equal(node->type, "LogSoftmax");
    g_autofree double *v = NULL;
    NnLanes lanes;

    if (!nn_softmax_lanes(node, &lanes, error) || !(v = nn_new_doubles(node, lanes.n, error)))
        return FALSE;
    for (gint64 lane = 0; lane < lanes.outer * lanes.inner; lane++) {
        gint64 first = lane / lanes.inner * lanes.n * lanes.inner + lane % lanes.inner, max = 0;

        for (gint64 k = 0; k < lanes.n; k++) {
            v[k] = nn_array_get(in[0], first + k * lanes.inner);
            max = v[k] > v[max] ? k : max;
        }
        if (!is_hard)
            softmax_lane(v, lanes.n, max, is_log);
        for (gint64 k = 0; k < lanes.n; k++)
            nn_array_set(out[0], first + k * lanes.inner, is_hard ? k == max : v[k]);
    }
    return TRUE;
}
