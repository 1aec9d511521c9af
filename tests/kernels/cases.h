/* cases.h - what the kernel tests run: one operator each, with shapes that catch kernels out.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* How the operator is surrounded, so that its tensors lie in memory in other ways. */
typedef enum {
    DRESS_PLAIN,      /* alone */
    DRESS_SLICED,     /* input 0 is a slice of channels, output 0 part of a concatenation */
    DRESS_ROW_MAJOR,  /* input 0 lies as NCHW */
    DRESS_EPILOGUE,   /* + residual, then Relu: fused where the operator can */
    DRESS_ACTIVATION, /* HardSwish: fused where the operator can */
    DRESS_SCALED,     /* channels times computed numbers: input, output, and output once more behind
                         residual and LeakyRelu; fused into convolutions */
    DRESS_EXPANDED,   /* LeakyRelu, then a convolution of each channel, + residual, Relu */
    DRESS_POOLED,     /* the same, then MaxPool of 2x2 */
    DRESS_KEPT,       /* the same, what is pooled being a result, too */
    DRESS_SEPARABLE,  /* LeakyRelu, then a 1x1 convolution, + residual, Relu */
    DRESS_PRELU,      /* PRelu: fused into convolutions */
    DRESS_HEADS,  /* Sigmoid, and beside it another convolution of input 0 without: one of both */
    DRESS_ADDED,  /* LeakyRelu, then + residual: fused into convolutions */
    DRESS_HALVED, /* LeakyRelu, + residual, and beside that its MaxPool of 2x2 */
    DRESS_NORMED, /* MODNet's IBNorm and Relu */
    DRESS_PROJECTED,  /* LeakyRelu, a 1x1 convolution, + residual, Relu, channels times computed
                         numbers */
    DRESS_INVERTED,   /* LeakyRelu, a convolution of each channel, Sigmoid, then as before */
    DRESS_ENLARGED,   /* half of the channels of input 0 are a map that Resize makes twice as large,
                         the other half lies behind them, or all are: fused into convolutions */
    DRESS_GROWN,      /* the same the other way round, by other factors, with aligned corners */
    DRESS_NORMED_FEW, /* IBNorm and Relu, then a 1x1 convolution of three outputs and LeakyRelu */
    DRESS_SIGMOID,    /* Sigmoid */
    DRESS_SIDES, /* Sigmoid, and output 0 beside another map that Resize makes as large, both in
                    one Concat */
    DRESS_SIDES_EACH,      /* the same with a Sigmoid of the other, too */
    DRESS_CASCADE,         /* as SIDES, but the other map is made of output 0 */
    DRESS_NORMED_CONV,     /* IBNorm and Relu, then a 3x3 convolution */
    DRESS_NORMED_ENLARGED, /* the same with a Resize to twice the size between them */
    N_DRESSES,
} Dress;

#define PLAIN (1u << DRESS_PLAIN)
#define LAYOUTS (PLAIN | 1u << DRESS_SLICED | 1u << DRESS_ROW_MAJOR)
#define SCALES (EPILOGUES | 1u << DRESS_SCALED)
#define EPILOGUES (LAYOUTS | 1u << DRESS_EPILOGUE | 1u << DRESS_ACTIVATION)

#define ADDED (1u << DRESS_ADDED)
#define NORMED (1u << DRESS_NORMED)
#define ENLARGED (1u << DRESS_ENLARGED | 1u << DRESS_GROWN)
#define NORMED_FEW (1u << DRESS_NORMED_FEW)
#define SIDES                                                                                      \
    (1u << DRESS_SIGMOID | 1u << DRESS_SIDES | 1u << DRESS_SIDES_EACH | 1u << DRESS_CASCADE)
#define NORMED_CONV (1u << DRESS_NORMED_CONV | 1u << DRESS_NORMED_ENLARGED)
#define HALVED (1u << DRESS_HALVED)
#define EXPANDED (1u << DRESS_EXPANDED)
#define POOLED (EXPANDED | 1u << DRESS_POOLED)
#define KEPT (1u << DRESS_KEPT)
#define SEPARABLE (1u << DRESS_SEPARABLE)
#define PROJECTED (1u << DRESS_PROJECTED)
#define INVERTED (1u << DRESS_INVERTED)

typedef struct {
    const char *type;
    int opset;
    /* One word per input: [!]TYPE[LOW,HIGH]:DIMS or [!]TYPE=VALUES, "-" where left out. "!" makes
     * it a constant; TYPE is one of f b B c i l (float, bool, uint8, int8, int32, int64); s before
     * the TYPE of one VALUE makes it a scalar. */
    const char *inputs;
    const char *attributes; /* NAME=VALUE words: 1, 1.5, text, or a list "1,2" ("1," of one) */
    const char *variants;   /* names to force, one after the other; "" for the only one */
    guint dresses;          /* bit set of Dress */
    int n_outputs;          /* 0: 1 */
    /* Largest difference allowed, relative to the largest element of the reference; 0: the rounding
     * of sums of a few hundred products, 1e-5 in float and 2e-3 when stored as halves. */
    double tolerance;
} Case;

extern const Case cases[];
extern const guint n_cases;
