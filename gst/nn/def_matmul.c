/* def_matmul.c - the meaning of MatMul, Gemm and Einsum.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "defs.h"

#include <string.h>

/* ---- products of stacks of matrices */

/* Strides of an operand's batch axes, aligned at the last one of the result. */
static void batch_strides(const NnValue *value, const NnMatmulParams *p, gint64 *strides)
{
    gint64 dense[NN_MAX_RANK];
    int n = MAX(value->rank - 2, 0);

    nn_dense_strides(value->rank, value->dims, dense);
    for (int i = 0; i < p->n_batch; i++) {
        int axis = i - (p->n_batch - n);

        strides[i] = axis >= 0 && value->dims[axis] != 1 ? dense[axis] : 0;
    }
}

static gboolean broadcast_batch(const NnNode *node, const NnValue *a, const NnValue *b,
                                NnMatmulParams *p, GError **error)
{
    p->n_batch = MAX(MAX(a->rank, b->rank) - 2, 0);
    for (int i = 0; i < p->n_batch; i++) {
        int back = p->n_batch - i; /* counted from the last batch axis */
        gint64 x = a->rank - 2 >= back ? a->dims[a->rank - 2 - back] : 1;
        gint64 y = b->rank - 2 >= back ? b->dims[b->rank - 2 - back] : 1;

        if (x != y && x != 1 && y != 1)
            return nn_node_error(node, error, NN_ERROR_SHAPE,
                                 "%" G_GINT64_FORMAT " matrices meet %" G_GINT64_FORMAT, x, y);
        p->batch[i] = x == 1 ? y : x;
    }
    batch_strides(a, p, p->a_stride);
    batch_strides(b, p, p->b_stride);
    return TRUE;
}

gboolean nn_matmul_params(const NnNode *node, guint a_input, guint b_input, NnMatmulParams *p,
                          GError **error)
{
    const NnValue *a = nn_node_input(node, a_input), *b = nn_node_input(node, b_input);

    memset(p, 0, sizeof *p);
    if (a->rank < 1 || b->rank < 1)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "an operand has no axes");
    p->m = a->rank > 1 ? a->dims[a->rank - 2] : 1;
    p->k = a->dims[a->rank - 1];
    p->n = b->rank > 1 ? b->dims[b->rank - 1] : 1;
    if (p->k != b->dims[MAX(b->rank - 2, 0)])
        return nn_node_error(node, error, NN_ERROR_SHAPE,
                             "%" G_GINT64_FORMAT " columns meet %" G_GINT64_FORMAT " rows", p->k,
                             b->dims[MAX(b->rank - 2, 0)]);
    return broadcast_batch(node, a, b, p, error);
}

gboolean nn_matmul_set_output(const NnNode *node, guint a, guint b, NnType type, GError **error)
{
    NnMatmulParams p;
    gint64 dims[NN_MAX_RANK + 2];
    int rank;

    if (!nn_matmul_params(node, a, b, &p, error))
        return FALSE;
    rank = p.n_batch;
    memcpy(dims, p.batch, rank * sizeof *dims);
    if (nn_node_input(node, a)->rank > 1)
        dims[rank++] = p.m;
    if (nn_node_input(node, b)->rank > 1)
        dims[rank++] = p.n;
    return nn_set_output(node, 0, type, rank, dims, error);
}

/* One product of matrices with row strides @a_row, @b_row and column strides @a_column, @b_column.
 */
static void multiply(gint64 m, gint64 n, gint64 k, const double *a, gint64 a_row, gint64 a_column,
                     const double *b, gint64 b_row, gint64 b_column, double *y)
{
    for (gint64 i = 0; i < m; i++)
        for (gint64 l = 0; l < k; l++) {
            double factor = a[i * a_row + l * a_column];

            for (gint64 j = 0; j < n; j++)
                y[i * n + j] += factor * b[l * b_row + j * b_column];
        }
}

void nn_matmul_sums(const NnMatmulParams *p, const double *a, const double *b, double *y)
{
    gsize n_matrices;
    NnWalk walk;

    if (p->m == 0 || p->n == 0 || !nn_dims_count(p->n_batch, p->batch, &n_matrices))
        return;
    nn_walk_init(&walk, p->n_batch, p->batch);
    nn_walk_operand(&walk, p->a_stride);
    nn_walk_operand(&walk, p->b_stride);
    for (gsize i = 0; i < n_matrices; i++, nn_walk_next(&walk))
        multiply(p->m, p->n, p->k, a + walk.offset[0], p->k, 1, b + walk.offset[1], p->n, 1,
                 y + i * p->m * p->n);
}

gboolean nn_infer_matmul(NnNode *node, GError **error)
{
    return nn_check_arity(node, 2, 2, 1, error) && nn_check_type(node, 0, NN_TYPES_NUMBER, error) &&
           nn_check_same_type(node, 1, error) &&
           nn_matmul_set_output(node, 0, 1, nn_node_input(node, 0)->type, error);
}

gboolean nn_reference_matmul(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                             GError **error)
{
    g_autofree double *a = NULL, *b = NULL, *y = NULL;
    NnMatmulParams p;

    if (!nn_matmul_params(node, 0, 1, &p, error) || !(a = nn_doubles(node, in[0], error)) ||
        !(b = nn_doubles(node, in[1], error)) || !(y = nn_new_doubles(node, out[0]->n, error)))
        return FALSE;
    nn_matmul_sums(&p, a, b, y);
    for (gsize i = 0; i < out[0]->n; i++)
        nn_array_set(out[0], i, y[i]);
    return TRUE;
}

/* ---- Gemm */

gboolean nn_gemm_params(const NnNode *node, NnGemmParams *p, GError **error)
{
    const NnValue *a = nn_node_input(node, 0), *b = nn_node_input(node, 1);

    p->trans_a = nn_node_int(node, "transA", 0) != 0;
    p->trans_b = nn_node_int(node, "transB", 0) != 0;
    p->alpha = nn_node_float(node, "alpha", 1);
    p->beta = nn_node_float(node, "beta", 1);
    if (a->rank != 2 || b->rank != 2)
        return nn_node_error(node, error, NN_ERROR_SHAPE, "operands have %d and %d axes, not 2",
                             a->rank, b->rank);
    p->m = a->dims[p->trans_a ? 1 : 0];
    p->k = a->dims[p->trans_a ? 0 : 1];
    p->n = b->dims[p->trans_b ? 0 : 1];
    if (b->dims[p->trans_b ? 1 : 0] != p->k)
        return nn_node_error(node, error, NN_ERROR_SHAPE,
                             "%" G_GINT64_FORMAT " columns meet %" G_GINT64_FORMAT " rows", p->k,
                             b->dims[p->trans_b ? 1 : 0]);
    return TRUE;
}

gboolean nn_infer_gemm(NnNode *node, GError **error)
{
    const NnValue *c;
    NnGemmParams p;
    gint64 dims[2];

    if (!nn_check_arity(node, node->opset < 11 ? 3 : 2, 3, 1, error) ||
        !nn_check_type(node, 0, NN_TYPES_NUMBER, error) || !nn_check_same_type(node, 1, error) ||
        !nn_check_same_type(node, 2, error) || !nn_gemm_params(node, &p, error))
        return FALSE;
    dims[0] = p.m;
    dims[1] = p.n;
    c = nn_node_input(node, 2);
    for (int axis = 0; c && axis < c->rank; axis++)
        if (c->rank > 2 || (c->dims[axis] != 1 && c->dims[axis] != dims[2 - c->rank + axis]))
            return nn_node_error(node, error, NN_ERROR_SHAPE, "input 2 cannot be broadcast");
    return nn_set_output(node, 0, nn_node_input(node, 0)->type, 2, dims, error);
}

gboolean nn_reference_gemm(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                           GError **error)
{
    const NnArray *c = nn_optional(node, in, 2);
    g_autofree double *a = NULL, *b = NULL, *y = NULL;
    NnGemmParams p;
    NnWalk walk;

    if (!nn_gemm_params(node, &p, error) || !(a = nn_doubles(node, in[0], error)) ||
        !(b = nn_doubles(node, in[1], error)) || !(y = nn_new_doubles(node, out[0]->n, error)))
        return FALSE;
    multiply(p.m, p.n, p.k, a, p.trans_a ? 1 : p.k, p.trans_a ? p.m : 1, b, p.trans_b ? 1 : p.n,
             p.trans_b ? p.k : 1, y);
    nn_walk_init(&walk, 2, out[0]->dims);
    if (c)
        nn_walk_broadcast(&walk, c);
    for (gsize i = 0; i < out[0]->n; i++, nn_walk_next(&walk))
        nn_array_set(out[0], i,
                     p.alpha * y[i] + (c ? p.beta * nn_array_get(c, walk.offset[0]) : 0));
    return TRUE;
}

/* ---- Einsum */

/* An equation of at most two terms, with a letter per axis. The axes that an ellipsis stands for
 * get the characters 1, 2, ... from the last one on. */
typedef struct {
    char terms[2][NN_MAX_RANK + 1];
    char result[NN_MAX_RANK + 1];
    int n_ellipsis;           /* most axes that an ellipsis stands for */
    char labels[NN_MAX_RANK]; /* their characters */
    NnEinsumParams params;
} Equation;

/* Copies a term with its ellipsis spelled out for @n_ellipsis axes. */
static gboolean expand_term(const NnNode *node, const char *text, int n_ellipsis, char *term,
                            GError **error)
{
    int n = 0;

    for (; *text; text++) {
        if (n >= NN_MAX_RANK || (!g_ascii_isalpha(*text) && !g_str_has_prefix(text, "...")))
            return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "the equation's term \"%s\"",
                                 text);
        if (g_ascii_isalpha(*text)) {
            term[n++] = *text;
            continue;
        }
        for (int k = n_ellipsis; k > 0 && n < NN_MAX_RANK; k--)
            term[n++] = (char)k;
        text += 2;
    }
    term[n] = '\0';
    return TRUE;
}

/* Without "->" the result has the ellipsis, then the letters that occur once, in order. */
static gboolean implicit_result(const NnNode *node, Equation *e, GError **error)
{
    g_autofree char *all = g_strconcat(e->terms[0], e->terms[1], NULL);
    int n = 0;

    for (int k = e->n_ellipsis; k > 0; k--)
        e->result[n++] = (char)k;
    for (char letter = 'A'; letter <= 'z'; letter++) {
        const char *first = strchr(all, letter);

        if (!first || strchr(first + 1, letter))
            continue;
        if (n == NN_MAX_RANK)
            return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "too many axes");
        e->result[n++] = letter;
    }
    e->result[n] = '\0';
    return TRUE;
}

static int label_place(const Equation *e, char label)
{
    for (int i = 0; i < e->params.n_labels; i++)
        if (e->labels[i] == label)
            return i;
    return -1;
}

/* Gives each axis of a term, or (@dims NULL) of the result, its place among the labels. @places:
 * (out). */
static gboolean add_labels(const NnNode *node, Equation *e, const char *term, const gint64 *dims,
                           int *places, GError **error)
{
    NnEinsumParams *p = &e->params;

    for (int axis = 0; term[axis]; axis++) {
        int place = label_place(e, term[axis]);

        if (place < 0 && p->n_labels == NN_MAX_RANK)
            return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "too many axes");
        if (!dims && place >= 0)
            return nn_node_error(node, error, NN_ERROR_BAD_MODEL, "a letter is there twice");
        if (place < 0) {
            place = p->n_labels++;
            e->labels[place] = term[axis];
            p->dims[place] = 1;
        }
        places[axis] = place;
        if (!dims || dims[axis] == 1)
            continue;
        if (p->dims[place] != 1 && p->dims[place] != dims[axis])
            return nn_node_error(node, error, NN_ERROR_SHAPE,
                                 "%" G_GINT64_FORMAT " elements meet %" G_GINT64_FORMAT, dims[axis],
                                 p->dims[place]);
        p->dims[place] = dims[axis];
    }
    return TRUE;
}

static gboolean parse_terms(const NnNode *node, Equation *e, char **texts, GError **error)
{
    for (guint i = 0; i < node->inputs->len; i++) {
        const char *ellipsis = strstr(texts[i], "...");
        int rank = nn_node_input(node, i)->rank;
        int rest = rank - (int)MIN(strlen(texts[i]), 99) + (ellipsis ? 3 : 0);

        if (rest < 0 || (rest > 0 && !ellipsis))
            return nn_node_error(node, error, NN_ERROR_SHAPE, "term %u is not for %d axes", i,
                                 rank);
        if (!expand_term(node, texts[i], rest, e->terms[i], error))
            return FALSE;
        if (strlen(e->terms[i]) != (gsize)rank)
            return nn_node_error(node, error, NN_ERROR_SHAPE, "term %u is not for %d axes", i,
                                 rank);
        e->n_ellipsis = MAX(e->n_ellipsis, rest);
    }
    return TRUE;
}

static gboolean parse_equation(const NnNode *node, Equation *e, GError **error)
{
    g_auto(GStrv) spaced = g_strsplit(nn_node_string(node, "equation", ""), " ", -1);
    g_autofree char *equation = g_strjoinv("", spaced);
    g_auto(GStrv) sides = g_strsplit(equation, "->", 2);
    g_auto(GStrv) texts = g_strsplit(sides[0] ? sides[0] : "", ",", 3);

    memset(e, 0, sizeof *e);
    if (g_strv_length(texts) != node->inputs->len || node->inputs->len > 2)
        return nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "the equation \"%s\" for %u inputs",
                             equation, node->inputs->len);
    return parse_terms(node, e, texts, error) &&
           (sides[1] ? expand_term(node, sides[1], e->n_ellipsis, e->result, error)
                     : implicit_result(node, e, error));
}

gboolean nn_einsum_params(const NnNode *node, NnEinsumParams *params, GError **error)
{
    int places[NN_MAX_RANK];
    Equation e;

    if (!parse_equation(node, &e, error) || !add_labels(node, &e, e.result, NULL, places, error))
        return FALSE;
    e.params.n_result = e.params.n_labels;
    for (guint i = 0; i < node->inputs->len; i++)
        if (!add_labels(node, &e, e.terms[i], nn_node_input(node, i)->dims, e.params.label[i],
                        error))
            return FALSE;
    *params = e.params;
    return TRUE;
}

void nn_einsum_strides(const NnEinsumParams *p, guint operand, int rank, const gint64 *dims,
                       const gint64 *axis_strides, gint64 *strides)
{
    memset(strides, 0, NN_MAX_RANK * sizeof *strides);
    for (int axis = 0; axis < rank; axis++)
        if (dims[axis] != 1)
            strides[p->label[operand][axis]] += axis_strides[axis];
}

gboolean nn_infer_einsum(NnNode *node, GError **error)
{
    NnEinsumParams p;

    if (!nn_check_arity(node, MAX(node->inputs->len, 1), 2, 1, error) ||
        !nn_check_type(node, 0, NN_TYPES_NUMBER, error) || !nn_check_same_type(node, 1, error) ||
        !nn_einsum_params(node, &p, error))
        return FALSE;
    return nn_set_output(node, 0, nn_node_input(node, 0)->type, p.n_result, p.dims, error);
}

gboolean nn_reference_einsum(const NnNode *node, const NnArray *const *in, NnArray *const *out,
                             GError **error)
{
    gint64 dense[NN_MAX_RANK], strides[NN_MAX_RANK];
    NnEinsumParams p;
    gsize n_summed;
    NnWalk walk;

    if (!nn_einsum_params(node, &p, error))
        return FALSE;
    if (!nn_dims_count(p.n_labels - p.n_result, p.dims + p.n_result, &n_summed))
        return nn_node_error(node, error, NN_ERROR_TOO_LARGE, "too many products");
    nn_walk_init(&walk, p.n_labels, p.dims);
    for (guint i = 0; i < node->inputs->len; i++) {
        nn_dense_strides(in[i]->rank, in[i]->dims, dense);
        nn_einsum_strides(&p, i, in[i]->rank, in[i]->dims, dense, strides);
        nn_walk_operand(&walk, strides);
    }
    for (gsize i = 0; i < out[0]->n; i++) {
        double sum = 0;

        for (gsize k = 0; k < n_summed; k++, nn_walk_next(&walk))
            sum += nn_array_get(in[0], walk.offset[0]) *
                   (node->inputs->len > 1 ? nn_array_get(in[1], walk.offset[1]) : 1);
        nn_array_set(out[0], i, sum);
    }
    return TRUE;
}
