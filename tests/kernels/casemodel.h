/* casemodel.h - from a case to a model: its inputs, its operator, and what a dress puts around it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "cases.h"
#include "nn.h"
#include "operator.h"

G_BEGIN_DECLS

#define CASE_INPUTS 10 /* at most */

typedef struct {
    gboolean left_out, constant;
    double low, high;
    NnArray *array; /* the constant, or the type and shape of what is fed */
} CaseInput;

/* Fills @inputs with what the case's words say, constants with random numbers. Returns how many
 * there are; clear each. */
guint case_parse_inputs(const Case *c, CaseInput inputs[CASE_INPUTS], guint32 *state);
void case_input_clear(CaseInput *input);
/* Random numbers that a half holds exactly, so that both precisions start from the same.
 * @state: not 0; the numbers depend on it alone. */
void case_fill(NnArray *array, double low, double high, guint32 *state);

/* Dresses that change layouts need channels to play with. */
gboolean dress_fits(const CaseInput *inputs, Dress dress);
/* Input 0, or part of it, is a map that Resize makes larger. */
gboolean dress_enlarges(Dress dress);
/* Behind the case's convolution there is a second one. */
gboolean dress_adds_convolution(Dress dress);

/* What is fed is called in0 and so on, or "wide" or "plain" for in0 where the dress says so; what
 * the dress adds has other names. @shared: something else uses what is enlarged, too. @seed: of
 * weights that the dress adds. (transfer full) */
NnModel *case_build_model(const Case *c, const CaseInput *inputs, guint n, Dress dress,
                          gboolean shared, guint32 seed, GError **error);

G_END_DECLS
