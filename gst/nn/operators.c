/* operators.c - the table of operators.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "operator.h"

#include "defs.h"
#include "launchers.h"

/* What a flag set of several rows stands for. */
#define ELEMENTWISE (NN_OP_ELEMENTWISE | NN_OP_EPILOGUE)
#define MAP NN_OP_MAP
#define MAP_EPILOGUE (NN_OP_MAP | NN_OP_EPILOGUE)
#define VIEW NN_OP_VIEW
#define HOST NN_OP_HOST_ONLY
#define IN(i) (1u << (i))

/* Type, first and last opset, flags, host inputs, meaning (def_*.c), launcher (launch_*.c). The
 * first opset is that of the oldest form that is understood, but at least 7, the oldest that files
 * may have. */
#define ROW(type, since, until, flags, host, meaning, launcher)                                    \
    {                                                                                              \
        type, since, until, flags, host, nn_infer_##meaning, nn_reference_##meaning, launcher      \
    }
/* Another shape for the same elements. */
#define RESHAPING(type, host, meaning)                                                             \
    {                                                                                              \
        type, 7, 21, VIEW, host, nn_infer_##meaning, nn_reference_identity, nn_launch_move         \
    }
#define UNARY(type, since) ROW(type, since, 21, ELEMENTWISE, 0, unary, nn_launch_elementwise)
#define BINARY(type, since) ROW(type, since, 21, ELEMENTWISE, 0, binary, nn_launch_elementwise)
/* Truth values and bits, which no activation follows. */
#define TRUTH(type, since, meaning)                                                                \
    ROW(type, since, 21, NN_OP_ELEMENTWISE, 0, meaning, nn_launch_elementwise)
#define REDUCE(type) ROW(type, 7, 21, 0, IN(1), reduce, nn_launch_reduce)

/* clang-format off */
const NnOperator nn_operators[] = {
    /* convolution */
    ROW("Conv", 7, 21, MAP_EPILOGUE, 0, conv, nn_launch_conv),
    ROW("ConvTranspose", 7, 21, MAP_EPILOGUE, 0, conv, nn_launch_conv),

    /* pooling */
    ROW("MaxPool", 7, 21, MAP, 0, pool, nn_launch_pool),
    ROW("AveragePool", 7, 21, MAP, 0, pool, nn_launch_pool),
    ROW("LpPool", 7, 21, MAP, 0, pool, nn_launch_pool),
    ROW("GlobalMaxPool", 7, 21, MAP, 0, pool, nn_launch_pool),
    ROW("GlobalAveragePool", 7, 21, MAP, 0, pool, nn_launch_pool),
    ROW("GlobalLpPool", 7, 21, MAP, 0, pool, nn_launch_pool),

    /* normalisation */
    ROW("BatchNormalization", 7, 21, MAP_EPILOGUE, 0, batch_norm, nn_launch_norm),
    ROW("InstanceNormalization", 7, 21, MAP_EPILOGUE, 0, instance_norm, nn_launch_norm),
    ROW("GroupNormalization", 18, 21, MAP, 0, group_norm, nn_launch_norm),
    ROW("LayerNormalization", 17, 21, 0, 0, layer_norm, nn_launch_norm),
    ROW("LRN", 7, 21, MAP, 0, lrn, nn_launch_norm),
    ROW("LpNormalization", 7, 21, 0, 0, lp_norm, nn_launch_norm),
    ROW("MeanVarianceNormalization", 9, 21, MAP, 0, mean_variance_norm, nn_launch_norm),

    /* matrices */
    ROW("MatMul", 7, 21, NN_OP_EPILOGUE, 0, matmul, nn_launch_matmul),
    ROW("Gemm", 7, 21, NN_OP_EPILOGUE, 0, gemm, nn_launch_matmul),
    ROW("Einsum", 12, 21, 0, 0, einsum, nn_launch_einsum),

    /* one operand */
    UNARY("Abs", 7),
    UNARY("Acos", 7),
    UNARY("Acosh", 9),
    UNARY("Asin", 7),
    UNARY("Asinh", 9),
    UNARY("Atan", 7),
    UNARY("Atanh", 9),
    UNARY("Ceil", 7),
    UNARY("Celu", 12),
    UNARY("Cos", 7),
    UNARY("Cosh", 9),
    UNARY("Elu", 7),
    UNARY("Erf", 9),
    UNARY("Exp", 7),
    UNARY("Floor", 7),
    UNARY("Gelu", 20),
    UNARY("HardSigmoid", 7),
    UNARY("HardSwish", 14),
    UNARY("LeakyRelu", 7),
    UNARY("Log", 7),
    UNARY("Mish", 18),
    UNARY("Neg", 7),
    UNARY("Reciprocal", 7),
    UNARY("Relu", 7),
    UNARY("Round", 11),
    UNARY("Selu", 7),
    UNARY("Shrink", 9),
    UNARY("Sigmoid", 7),
    UNARY("Sign", 9),
    UNARY("Sin", 7),
    UNARY("Sinh", 9),
    UNARY("Softplus", 7),
    UNARY("Softsign", 7),
    UNARY("Sqrt", 7),
    UNARY("Tan", 7),
    UNARY("Tanh", 7),
    UNARY("ThresholdedRelu", 10),
    ROW("Clip", 7, 21, ELEMENTWISE, 0, clip, nn_launch_elementwise),
    ROW("Cast", 7, 21, NN_OP_ELEMENTWISE | VIEW, 0, cast, nn_launch_elementwise),
    ROW("CastLike", 15, 21, NN_OP_ELEMENTWISE | VIEW, 0, cast, nn_launch_elementwise),
    TRUTH("BitwiseNot", 18, unary),
    TRUTH("IsInf", 10, unary),
    TRUTH("IsNaN", 9, unary),
    TRUTH("Not", 7, unary),

    /* several operands */
    BINARY("Add", 7),
    BINARY("Div", 7),
    BINARY("Mod", 10),
    BINARY("Mul", 7),
    BINARY("PRelu", 7),
    BINARY("Pow", 7),
    BINARY("Sub", 7),
    ROW("Max", 7, 21, NN_OP_ELEMENTWISE, 0, variadic, nn_launch_elementwise),
    ROW("Mean", 7, 21, NN_OP_ELEMENTWISE, 0, variadic, nn_launch_elementwise),
    ROW("Min", 7, 21, NN_OP_ELEMENTWISE, 0, variadic, nn_launch_elementwise),
    ROW("Sum", 7, 21, NN_OP_ELEMENTWISE, 0, variadic, nn_launch_elementwise),
    TRUTH("And", 7, binary),
    TRUTH("BitShift", 11, binary),
    TRUTH("BitwiseAnd", 18, binary),
    TRUTH("BitwiseOr", 18, binary),
    TRUTH("BitwiseXor", 18, binary),
    TRUTH("Equal", 7, binary),
    TRUTH("Greater", 7, binary),
    TRUTH("GreaterOrEqual", 12, binary),
    TRUTH("Less", 7, binary),
    TRUTH("LessOrEqual", 12, binary),
    TRUTH("Or", 7, binary),
    TRUTH("Where", 9, where),
    TRUTH("Xor", 7, binary),

    /* along axes */
    ROW("Softmax", 7, 21, 0, 0, softmax, nn_launch_softmax),
    ROW("LogSoftmax", 7, 21, 0, 0, softmax, nn_launch_softmax),
    ROW("Hardmax", 7, 21, 0, 0, softmax, nn_launch_softmax),
    REDUCE("ReduceL1"),
    REDUCE("ReduceL2"),
    REDUCE("ReduceLogSum"),
    REDUCE("ReduceLogSumExp"),
    REDUCE("ReduceMax"),
    REDUCE("ReduceMean"),
    REDUCE("ReduceMin"),
    REDUCE("ReduceProd"),
    REDUCE("ReduceSum"),
    REDUCE("ReduceSumSquare"),
    ROW("ArgMax", 7, 21, 0, 0, arg_reduce, nn_launch_reduce),
    ROW("ArgMin", 7, 21, 0, 0, arg_reduce, nn_launch_reduce),
    ROW("CumSum", 11, 21, 0, IN(1), cumsum, nn_launch_reduce),
    ROW("TopK", 7, 21, 0, IN(1), top_k, nn_launch_top_k),

    /* images */
    ROW("Resize", 10, 21, MAP, IN(1) | IN(2) | IN(3), resize, nn_launch_resize),
    ROW("Upsample", 7, 9, MAP, IN(1), resize, nn_launch_resize),
    ROW("GridSample", 16, 21, MAP, 0, grid_sample, nn_launch_grid_sample),
    ROW("DepthToSpace", 7, 21, MAP, 0, shuffle, nn_launch_move),
    ROW("SpaceToDepth", 7, 21, MAP, 0, shuffle, nn_launch_move),

    /* moving elements */
    ROW("Concat", 7, 21, 0, 0, concat, nn_launch_move),
    ROW("Expand", 8, 21, VIEW, IN(1), expand, nn_launch_move),
    ROW("Pad", 7, 21, 0, IN(1) | IN(2) | IN(3), pad, nn_launch_move),
    ROW("Slice", 7, 21, VIEW, IN(1) | IN(2) | IN(3) | IN(4), slice, nn_launch_move),
    ROW("Split", 7, 21, VIEW, IN(1), split, nn_launch_move),
    ROW("Tile", 7, 21, 0, IN(1), tile, nn_launch_move),
    ROW("Transpose", 7, 21, VIEW, 0, transpose, nn_launch_move),
    ROW("Trilu", 14, 21, 0, IN(1), trilu, nn_launch_move),
    ROW("Dropout", 7, 21, VIEW, IN(2), dropout, nn_launch_move),
    ROW("Identity", 7, 21, VIEW, 0, identity, nn_launch_move),
    RESHAPING("Flatten", 0, flatten),
    RESHAPING("Reshape", IN(1), reshape),
    RESHAPING("Squeeze", IN(1), squeeze),
    RESHAPING("Unsqueeze", IN(1), unsqueeze),

    /* elements by index */
    ROW("Gather", 7, 21, 0, 0, gather, nn_launch_gather),
    ROW("GatherElements", 11, 21, 0, 0, gather_elements, nn_launch_gather),
    ROW("GatherND", 11, 21, 0, 0, gather_nd, nn_launch_gather),
    ROW("OneHot", 9, 21, 0, IN(1), one_hot, nn_launch_gather),
    ROW("Scatter", 9, 10, 0, 0, scatter_elements, nn_launch_gather),
    ROW("ScatterElements", 11, 21, 0, 0, scatter_elements, nn_launch_gather),
    ROW("ScatterND", 11, 21, 0, 0, scatter_nd, nn_launch_gather),

    /* quantised networks */
    ROW("ConvInteger", 10, 21, 0, 0, conv_integer, nn_launch_quant),
    ROW("DequantizeLinear", 10, 21, 0, 0, dequantize, nn_launch_quant),
    ROW("DynamicQuantizeLinear", 11, 21, 0, 0, dynamic_quantize, nn_launch_quant),
    ROW("MatMulInteger", 10, 21, 0, 0, matmul_integer, nn_launch_quant),
    ROW("QLinearConv", 10, 21, 0, 0, qlinear_conv, nn_launch_quant),
    ROW("QLinearMatMul", 10, 21, 0, 0, qlinear_matmul, nn_launch_quant),
    ROW("QuantizeLinear", 10, 21, 0, 0, quantize, nn_launch_quant),

    /* shapes and values that are known before running */
    ROW("Constant", 7, 21, HOST, 0, constant, NULL),
    ROW("ConstantOfShape", 9, 21, HOST, IN(0), constant_of_shape, NULL),
    ROW("EyeLike", 9, 21, HOST, 0, eye_like, NULL),
    ROW("NonZero", 9, 21, HOST, IN(0), nonzero, NULL),
    ROW("Range", 11, 21, HOST, IN(0) | IN(1) | IN(2), range, NULL),
    ROW("Shape", 7, 21, HOST, 0, shape, NULL),
    ROW("Size", 7, 21, HOST, 0, size, NULL),

    { .type = NULL },
};
/* clang-format on */

const NnOperator nn_part_instance_norm = ROW("PartInstanceNorm", 1, 1, NN_OP_MAP | NN_OP_IN_PLACE,
                                             0, part_instance_norm, nn_launch_part_instance_norm);
const NnOperator nn_inverse_norms =
    ROW("InverseNorms", 1, 1, 0, 0, inverse_norms, nn_launch_inverse_norms);

const NnOperator *nn_operator_find(const NnNode *node, GError **error)
{
    for (const NnOperator *op = nn_operators; op->type && *node->domain == '\0'; op++)
        if (g_str_equal(op->type, node->type) && node->opset >= op->since &&
            node->opset <= op->until)
            return op;
    nn_node_error(node, error, NN_ERROR_UNSUPPORTED, "the operator%s%s is not supported",
                  *node->domain ? " of domain " : "", node->domain);
    return NULL;
}
