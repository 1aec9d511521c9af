/* operator-cases.c - nodes with their inputs and outputs, small enough to compute by hand.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The ONNX project's own tests (onnx-conformance.c) cover the common; here are forms of older and
 * newer opsets, rounding, padding and corners of the specification.
 */
#include "operator-cases.h"

#include <string.h>

/* clang-format off */
const Case cases[] = {
    /* convolution */
    { "Conv adds a bias and pads with zeros", "Conv", 11, "pads=[1,1]",
      { "f[1,1,3] 1 2 3", "f[1,1,3] 1 1 1", "f[1] 10" }, { "f[1,1,3] 13 16 15" } },
    { "Conv SAME_UPPER pads more at the end", "Conv", 11, "auto_pad=SAME_UPPER strides=[2]",
      { "f[1,1,4] 1 2 3 4", "f[1,1,3] 1 1 1" }, { "f[1,1,2] 6 7" } },
    { "Conv SAME_LOWER pads more at the start", "Conv", 11, "auto_pad=SAME_LOWER strides=[2]",
      { "f[1,1,4] 1 2 3 4", "f[1,1,3] 1 1 1" }, { "f[1,1,2] 3 9" } },
    { "Conv VALID ignores pads", "Conv", 11, "auto_pad=VALID pads=[1,1]",
      { "f[1,1,3] 1 2 3", "f[1,1,3] 1 1 1" }, { "f[1,1,1] 6" } },
    { "Conv dilates", "Conv", 11, "dilations=[2]",
      { "f[1,1,5] 1 2 3 4 5", "f[1,1,2] 1 10" }, { "f[1,1,3] 31 42 53" } },
    { "Conv in groups", "Conv", 11, "group=2",
      { "f[1,2,2] 1 2 3 4", "f[2,1,1] 10 100" }, { "f[1,2,2] 10 20 300 400" } },
    { "Conv in three dimensions", "Conv", 11, "",
      { "f[1,1,2,1,2] 1 2 3 4", "f[1,1,2,1,1] 1 10" }, { "f[1,1,1,1,2] 31 42" } },
    { "Conv rejects groups that do not divide", "Conv", 11, "group=2",
      { "f[1,3,1] 1 2 3", "f[2,1,1] 1 1" }, { NULL } },
    { "Conv rejects a stride of 0", "Conv", 11, "strides=[0]",
      { "f[1,1,3] 1 2 3", "f[1,1,1] 1" }, { NULL } },
    { "Conv rejects a kernel larger than the input", "Conv", 11, "",
      { "f[1,1,2] 1 2", "f[1,1,3] 1 1 1" }, { NULL } },
    { "ConvTranspose spreads by the stride", "ConvTranspose", 11, "strides=[2]",
      { "f[1,1,2] 1 2", "f[1,1,3] 1 10 100" }, { "f[1,1,5] 1 10 102 20 200" } },
    { "ConvTranspose output_padding adds at the end", "ConvTranspose", 11,
      "strides=[2] output_padding=[1] pads=[1,1]",
      { "f[1,1,2] 1 2", "f[1,1,3] 1 10 100" }, { "f[1,1,4] 10 102 20 200" } },
    { "ConvTranspose output_shape sets the pads", "ConvTranspose", 11,
      "strides=[2] output_shape=[4]",
      { "f[1,1,2] 1 2", "f[1,1,3] 1 10 100" }, { "f[1,1,4] 10 102 20 200" } },
    { "ConvTranspose output_shape with SAME_UPPER", "ConvTranspose", 11,
      "strides=[2] output_shape=[4] auto_pad=SAME_UPPER",
      { "f[1,1,2] 1 2", "f[1,1,3] 1 10 100" }, { "f[1,1,4] 1 10 102 20" } },
    { "ConvTranspose output_shape may be larger than reached", "ConvTranspose", 11,
      "strides=[2] output_shape=[6]",
      { "f[1,1,2] 1 2", "f[1,1,3] 1 10 100" }, { "f[1,1,6] 1 10 102 20 200 0" } },
    { "ConvTranspose in groups", "ConvTranspose", 11, "group=2",
      { "f[1,2,1] 1 2", "f[2,1,2] 1 2 3 4" }, { "f[1,2,2] 1 2 6 8" } },

    /* pooling */
    { "MaxPool ceil_mode adds the partial window", "MaxPool", 11,
      "kernel_shape=[2] strides=[2] ceil_mode=1", { "f[1,1,3] 1 2 3" }, { "f[1,1,2] 2 3" } },
    { "MaxPool ceil_mode leaves out a window in the padding", "MaxPool", 11,
      "kernel_shape=[1] strides=[2] pads=[0,1] ceil_mode=1",
      { "f[1,1,3] 1 2 3" }, { "f[1,1,2] 1 3" } },
    { "MaxPool dilates and tells where", "MaxPool", 11, "kernel_shape=[2] dilations=[2]",
      { "f[1,1,4] 5 1 3 2" }, { "f[1,1,2] 5 2", "i[1,1,2] 0 3" } },
    { "MaxPool counts column by column with storage_order", "MaxPool", 11,
      "kernel_shape=[2,2] storage_order=1",
      { "f[1,1,2,2] 1 9 2 3" }, { "f[1,1,1,1] 9", "i[1,1,1,1] 2" } },
    { "AveragePool leaves padding out", "AveragePool", 7, "kernel_shape=[2] pads=[1,0]",
      { "f[1,1,2] 2 4" }, { "f[1,1,2] 2 3" } },
    { "AveragePool counts padding on demand", "AveragePool", 7,
      "kernel_shape=[2] pads=[1,0] count_include_pad=1", { "f[1,1,2] 2 4" }, { "f[1,1,2] 1 3" } },
    { "AveragePool never counts what ceil_mode adds", "AveragePool", 10,
      "kernel_shape=[2] strides=[2] ceil_mode=1 count_include_pad=1",
      { "f[1,1,3] 2 4 8" }, { "f[1,1,2] 3 8" } },
    { "AveragePool dilates (19)", "AveragePool", 19, "kernel_shape=[2] dilations=[2]",
      { "f[1,1,4] 1 2 3 4" }, { "f[1,1,2] 2 3" } },
    { "LpPool is a norm", "LpPool", 11, "kernel_shape=[2] p=2",
      { "f[1,1,3] 3 4 0" }, { "f[1,1,2] 5 4" } },
    { "GlobalLpPool is a norm", "GlobalLpPool", 7, "p=1", { "f[1,1,3] 3 -4 1" }, { "f[1,1,1] 8" } },

    /* resizing */
    { "Upsample 7 repeats", "Upsample", 7, "scales=[1.0,1.0,2.0]",
      { "f[1,1,2] 1 2" }, { "f[1,1,4] 1 1 2 2" } },
    { "Upsample 9 is asymmetric and linear", "Upsample", 9, "mode=linear",
      { "f[1,1,2] 1 3", "f[3] 1 1 2" }, { "f[1,1,4] 1 2 3 3" } },
    { "Resize 10 takes the next element when it shrinks", "Resize", 10, "",
      { "f[1,1,4] 1 2 3 4", "f[3] 1 1 0.6" }, { "f[1,1,2] 1 3" } },
    { "Resize half_pixel", "Resize", 11, "mode=linear",
      { "f[1,1,2] 1 3", "-", "f[3] 1 1 2" }, { "f[1,1,4] 1 1.5 2.5 3" } },
    { "Resize align_corners", "Resize", 11,
      "mode=linear coordinate_transformation_mode=align_corners",
      { "f[1,1,2] 1 4", "-", "-", "i[3] 1 1 4" }, { "f[1,1,4] 1 2 3 4" } },
    { "Resize pytorch_half_pixel to one", "Resize", 11,
      "mode=linear coordinate_transformation_mode=pytorch_half_pixel",
      { "f[1,1,3] 1 4 9", "-", "-", "i[3] 1 1 1" }, { "f[1,1,1] 1" } },
    { "Resize floor asymmetric", "Resize", 13,
      "coordinate_transformation_mode=asymmetric nearest_mode=floor",
      { "f[1,1,2] 1 2", "-", "-", "i[3] 1 1 5" }, { "f[1,1,5] 1 1 1 2 2" } },
    { "Resize round_prefer_floor and ceil differ at halves", "Resize", 13,
      "coordinate_transformation_mode=asymmetric nearest_mode=round_prefer_ceil",
      { "f[1,1,2] 1 2", "-", "f[3] 1 1 2" }, { "f[1,1,4] 1 2 2 2" } },
    { "Resize floor of the extent", "Resize", 13, "", /* 3 * 0.7 */
      { "f[1,1,3] 1 2 3", "-", "f[3] 1 1 0.7" }, { "f[1,1,2] 1 3" } },
    { "Resize one axis (18)", "Resize", 18, "axes=[2]",
      { "f[1,1,2] 1 2", "-", "f[1] 2" }, { "f[1,1,4] 1 1 2 2" } },
    { "Resize antialias is a wider tent (18)", "Resize", 18, "mode=linear antialias=1 axes=[0]",
      { "f[4] 8 16 24 32", "-", "f[1] 0.5" }, { "f[2] 13 27" } },
    { "Resize antialias renormalises inside (18)", "Resize", 18,
      "mode=linear antialias=1 exclude_outside=1 axes=[0]",
      { "f[4] 7 14 21 28", "-", "f[1] 0.5" }, { "f[2] 12 23" } },
    { "Resize keeps the ratio, not larger (18)", "Resize", 18,
      "keep_aspect_ratio_policy=not_larger axes=[0,1]",
      { "f[1,2] 1 2", "-", "-", "i[2] 3 4" }, { "f[2,4] 1 1 2 2 1 1 2 2" } },
    { "Resize keeps the ratio, not smaller (18)", "Resize", 18,
      "keep_aspect_ratio_policy=not_smaller axes=[0,1]",
      { "f[1,2] 1 2", "-", "-", "i[2] 2 2" }, { "f[2,4] 1 1 2 2 1 1 2 2" } },
    { "Resize half_pixel_symmetric centres (19)", "Resize", 19,
      "mode=linear coordinate_transformation_mode=half_pixel_symmetric axes=[0]",
      { "f[4] 1 2 3 4", "-", "f[1] 0.6" }, { "f[2] 1.6666667 3.3333333" } },
    { "Resize rejects scales and sizes together", "Resize", 13, "",
      { "f[2] 1 2", "-", "f[1] 2", "i[1] 4" }, { NULL } },
    { "Resize rejects a scale of nan", "Resize", 13, "",
      { "f[2] 1 2", "-", "f[1] nan" }, { NULL } },

    /* older and newer forms */
    { "Clip 6 has limits as attributes", "Clip", 7, "min=0.0 max=6.0",
      { "f[3] -1 3 9" }, { "f[3] 0 3 6" } },
    { "Clip 11 has optional limits", "Clip", 11, "",
      { "f[3] -1 3 9", "-", "f[] 6" }, { "f[3] -1 3 6" } },
    { "Clip with crossed limits gives the upper", "Clip", 13, "",
      { "f[2] 0 9", "f[] 5", "f[] 3" }, { "f[2] 3 3" } },
    { "Slice 1 has bounds as attributes", "Slice", 9, "starts=[1] ends=[-1] axes=[0]",
      { "f[4] 1 2 3 4" }, { "f[2] 2 3" } },
    { "Slice steps backwards to the first element", "Slice", 11, "",
      { "f[3] 1 2 3", "i[1] -1", "i[1] -9223372036854775808", "i[1] 0" }, { "f[0]" } },
    { "Slice clamps far bounds", "Slice", 11, "",
      { "f[3] 1 2 3", "i[1] -9223372036854775808", "i[1] 9223372036854775807" },
      { "f[3] 1 2 3" } },
    { "Squeeze without axes", "Squeeze", 11, "", { "f[1,2,1] 1 2" }, { "f[2] 1 2" } },
    { "Squeeze 13 has axes as input", "Squeeze", 13, "",
      { "f[1,2,1] 1 2", "i[1] -1" }, { "f[1,2] 1 2" } },
    { "Squeeze rejects an axis that is not 1", "Squeeze", 13, "",
      { "f[1,2,1] 1 2", "i[1] 1" }, { NULL } },
    { "Unsqueeze counts axes in the result", "Unsqueeze", 11, "axes=[0,-1]",
      { "f[2] 1 2" }, { "f[1,2,1] 1 2" } },
    { "Reshape keeps and infers", "Reshape", 7, "",
      { "f[2,3] 1 2 3 4 5 6", "i[3] 0 -1 1" }, { "f[2,3,1] 1 2 3 4 5 6" } },
    { "Reshape allowzero makes it empty", "Reshape", 14, "allowzero=1",
      { "f[0,3]", "i[2] 3 0" }, { "f[3,0]" } },
    { "Flatten at axis 0", "Flatten", 11, "axis=0", { "f[2,2] 1 2 3 4" }, { "f[1,4] 1 2 3 4" } },
    { "Split 18 makes the last part smaller", "Split", 18, "num_outputs=2",
      { "f[3] 1 2 3" }, { "f[2] 1 2", "f[1] 3" } },
    { "Split 2 by the attribute", "Split", 11, "split=[1,2]",
      { "f[3] 1 2 3" }, { "f[1] 1", "f[2] 2 3" } },
    { "Split rejects parts that do not add up", "Split", 11, "split=[1,1]",
      { "f[3] 1 2 3" }, { NULL, NULL } },
    { "Pad 2 has pads as attribute", "Pad", 7, "pads=[1,2] value=9.0",
      { "f[2] 1 2" }, { "f[5] 9 1 2 9 9" } },
    { "Pad reflects without the border", "Pad", 11, "mode=reflect",
      { "f[3] 1 2 3", "i[2] 2 2" }, { "f[7] 3 2 1 2 3 2 1" } },
    { "Pad repeats the edge", "Pad", 11, "mode=edge",
      { "f[2] 1 2", "i[2] 1 2" }, { "f[5] 1 1 2 2 2" } },
    { "Pad wraps (19)", "Pad", 19, "mode=wrap",
      { "f[3] 1 2 3", "i[2] 1 2" }, { "f[6] 3 1 2 3 1 2" } },
    { "Pad 18 names axes, negative amounts crop", "Pad", 18, "",
      { "f[1,3] 1 2 3", "i[2] -1 1", "-", "i[1] -1" }, { "f[1,3] 2 3 0" } },
    { "Softmax 11 is over all axes from one on", "Softmax", 11, "axis=0",
      { "f[2,2] 0 0 0 0" }, { "f[2,2] 0.25 0.25 0.25 0.25" } },
    { "Softmax 13 is along one axis", "Softmax", 13, "axis=0",
      { "f[2,2] 0 0 0 0" }, { "f[2,2] 0.5 0.5 0.5 0.5" } },
    { "Softmax of large numbers", "Softmax", 13, "", { "f[2] 1000 1000" }, { "f[2] 0.5 0.5" } },
    { "Dropout 7 passes and gives a mask of its type", "Dropout", 7, "",
      { "f[2] 1 2" }, { "f[2] 1 2", "f[2] 1 1" } },
    { "Upsample is gone since 10", "Upsample", 10, "", { "f[1] 1", "f[1] 2" }, { NULL } },

    /* elements */
    { "Add broadcasts both ways", "Add", 7, "",
      { "f[2,1] 1 2", "f[2] 10 20" }, { "f[2,2] 11 21 12 22" } },
    { "Add rejects shapes that do not meet", "Add", 7, "",
      { "f[2] 1 2", "f[3] 1 2 3" }, { NULL } },
    { "Add wraps around", "Add", 14, "", { "u8[1] 200", "u8[1] 100" }, { "u8[1] 44" } },
    { "Div of integers goes towards 0", "Div", 14, "",
      { "i[3] 7 -7 5", "i[3] 2 2 0" }, { "i[3] 3 -3 0" } },
    { "Mod has the divisor's sign", "Mod", 13, "",
      { "i[2] -7 7", "i[2] 3 -3" }, { "i[2] 2 -2" } },
    { "Mod with fmod has the dividend's", "Mod", 13, "fmod=1",
      { "f[2] -7 7", "f[2] 3 -3" }, { "f[2] -1 1" } },
    { "Pow takes exponents of another type", "Pow", 12, "",
      { "f[2] 2 3", "i[2] 3 2" }, { "f[2] 8 9" } },
    { "Round halves to even", "Round", 11, "", { "f[4] 0.5 1.5 2.5 -2.5" }, { "f[4] 0 2 2 -2" } },
    { "PRelu broadcasts the slope alone", "PRelu", 9, "",
      { "f[1,2,2] -1 1 -2 2", "f[2,1] 10 100" }, { "f[1,2,2] -10 1 -200 2" } },
    { "PRelu does not broadcast its input", "PRelu", 9, "",
      { "f[1] -1", "f[2] 10 100" }, { NULL } },
    { "HardSwish", "HardSwish", 14, "", { "f[4] -4 0 1 4" }, { "f[4] 0 0 0.6666667 4" } },
    { "HardSigmoid with attributes", "HardSigmoid", 7, "alpha=0.5 beta=0.25",
      { "f[3] -1 1 9" }, { "f[3] 0 0.75 1" } },
    { "Gelu by erf (20)", "Gelu", 20, "", { "f[2] 0 1" }, { "f[2] 0 0.8413447" } },
    { "Gelu by tanh (20)", "Gelu", 20, "approximate=tanh", { "f[1] 1" }, { "f[1] 0.8411920" } },
    { "Mish (18)", "Mish", 18, "", { "f[2] 0 1" }, { "f[2] 0 0.8650984" } },
    { "Max keeps nan", "Max", 13, "", { "f[2] nan 1", "f[2] 1 nan" }, { "f[2] nan nan" } },
    { "Less of the largest unsigned", "Less", 13, "",
      { "u64[1] 18446744073709551615", "u64[1] 1" }, { "b[1] 0" } },
    { "Cast goes towards 0", "Cast", 13, "to=6", { "f[3] -1.9 1.9 0" }, { "i32[3] -1 1 0" } },
    { "Cast to bool", "Cast", 13, "to=9", { "f[3] -0.5 0 2" }, { "b[3] 1 0 1" } },
    { "Where of three shapes", "Where", 9, "",
      { "b[2,1] 1 0", "f[] 5", "f[2] 1 2" }, { "f[2,2] 5 5 1 2" } },

    /* indices */
    { "Gather counts from the end", "Gather", 11, "axis=1",
      { "f[1,3] 1 2 3", "i[2,1] -1 0" }, { "f[1,2,1] 3 1" } },
    { "Gather of a scalar drops the axis", "Gather", 11, "",
      { "i[3] 7 8 9", "i[] 1" }, { "i[] 8" } },
    { "Gather rejects an index beyond", "Gather", 11, "", { "f[3] 1 2 3", "i[1] 3" }, { NULL } },
    { "ScatterElements multiplies", "ScatterElements", 16, "reduction=mul",
      { "f[3] 1 2 3", "i[2] 1 1", "f[2] 10 2" }, { "f[3] 1 40 3" } },
    { "ScatterND takes the maximum (18)", "ScatterND", 18, "reduction=max",
      { "f[3] 1 5 3", "i[2,1] 1 2", "f[2] 4 4" }, { "f[3] 1 5 4" } },
    { "GatherND with a batch axis", "GatherND", 12, "batch_dims=1",
      { "f[2,2] 1 2 3 4", "i[2,1] 1 0" }, { "f[2] 2 3" } },
    { "OneHot ignores what is out of range", "OneHot", 11, "",
      { "i[3] 1 -1 7", "i[] 2", "f[2] 0 5" }, { "f[3,2] 0 5 0 5 0 0" } },
    { "TopK of equals takes the lower index", "TopK", 11, "",
      { "f[4] 1 3 3 2", "i[1] 2" }, { "f[2] 3 3", "i[2] 1 2" } },
    { "ArgMax of equals takes the last on demand", "ArgMax", 12, "select_last_index=1 keepdims=0",
      { "f[3] 1 3 3" }, { "i[] 2" } },
    { "Trilu shifts the diagonal", "Trilu", 14, "upper=0",
      { "f[2,2] 1 2 3 4", "i[] -1" }, { "f[2,2] 0 0 3 0" } },
    { "DepthToSpace DCR", "DepthToSpace", 11, "blocksize=2",
      { "f[1,4,1,1] 1 2 3 4" }, { "f[1,1,2,2] 1 2 3 4" } },
    { "SpaceToDepth", "SpaceToDepth", 13, "blocksize=2",
      { "f[1,1,2,4] 1 2 3 4 5 6 7 8" }, { "f[1,4,1,2] 1 3 2 4 5 7 6 8" } },

    /* reductions and normalisations */
    { "ReduceSum 11 has axes as attribute", "ReduceSum", 11, "axes=[-1] keepdims=0",
      { "f[2,2] 1 2 3 4" }, { "f[2] 3 7" } },
    { "ReduceMean 18 has axes as input", "ReduceMean", 18, "",
      { "f[2,2] 1 2 3 4", "i[1] 0" }, { "f[1,2] 2 3" } },
    { "ReduceSum does nothing without axes on demand", "ReduceSum", 13, "noop_with_empty_axes=1",
      { "f[2] 1 2" }, { "f[2] 1 2" } },
    { "ReduceLogSumExp of large numbers", "ReduceLogSumExp", 13, "keepdims=0",
      { "f[2] 1000 1000" }, { "f[] 1000.6931" } },
    { "ReduceMax rejects an axis twice", "ReduceMax", 13, "axes=[0,-1]", { "f[2] 1 2" }, { NULL } },
    { "CumSum backwards and exclusive", "CumSum", 11, "reverse=1 exclusive=1",
      { "f[3] 1 2 3", "i[] 0" }, { "f[3] 5 3 0" } },
    { "GroupNormalization 18 scales groups", "GroupNormalization", 18,
      "num_groups=1 epsilon=0.0",
      { "f[1,2,1] -1 1", "f[1] 2", "f[1] 3" }, { "f[1,2,1] 1 5" } },
    { "GroupNormalization 21 scales channels", "GroupNormalization", 21,
      "num_groups=1 epsilon=0.0",
      { "f[1,2,1] -1 1", "f[2] 2 3", "f[2] 0 1" }, { "f[1,2,1] -2 4" } },
    { "InstanceNormalization is per channel", "InstanceNormalization", 7, "epsilon=0.0",
      { "f[1,2,2] 1 3 10 30", "f[2] 1 2", "f[2] 0 5" }, { "f[1,2,2] -1 1 3 7" } },
    { "LpNormalization keeps zeros", "LpNormalization", 7, "",
      { "f[2,2] 3 4 0 0" }, { "f[2,2] 0.6 0.8 0 0" } },

    /* products */
    { "Gemm broadcasts a column", "Gemm", 9, "transB=1 beta=2.0",
      { "f[2,1] 1 2", "f[2,1] 3 4", "f[2,1] 10 20" }, { "f[2,2] 23 24 46 48" } },
    { "MatMul of a vector and a matrix", "MatMul", 9, "",
      { "f[2] 1 2", "f[2,2] 1 2 3 4" }, { "f[2] 7 10" } },
    { "MatMul broadcasts batches", "MatMul", 9, "",
      { "f[2,1,1] 1 2", "f[1,2] 3 4" }, { "f[2,1,2] 3 4 6 8" } },
    { "Einsum takes a trace", "Einsum", 12, "equation=ii", { "f[2,2] 1 2 3 4" }, { "f[] 5" } },

    /* quantisation */
    { "QuantizeLinear rounds to even and saturates", "QuantizeLinear", 13, "",
      { "f[5] 1 3 5 -600 600", "f[] 2", "u8[] 128" }, { "u8[5] 128 130 130 0 255" } },
    { "DequantizeLinear along an axis", "DequantizeLinear", 13, "axis=1",
      { "i8[1,2] 3 4", "f[2] 2 10", "i8[2] 1 2" }, { "f[1,2] 4 20" } },
    { "DequantizeLinear in blocks (21)", "DequantizeLinear", 21, "axis=0 block_size=2",
      { "u8[3] 1 2 3", "f[2] 1 10" }, { "f[3] 1 2 30" } },
    { "DynamicQuantizeLinear of zeros", "DynamicQuantizeLinear", 11, "",
      { "f[2] 0 0" }, { "u8[2] 0 0", "f[] 1", "u8[] 0" } },
    { "ConvInteger pads with the zero point", "ConvInteger", 10, "pads=[1,0]",
      { "u8[1,1,2] 12 13", "u8[1,1,2] 2 1", "u8[] 10" }, { "i32[1,1,2] 2 7" } },

    /* shapes and values */
    { "Shape takes a part (15)", "Shape", 15, "start=-2 end=-1",
      { "f[2,3,4] 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0" }, { "i[1] 3" } },
    { "Range backwards", "Range", 11, "", { "i[] 5", "i[] 0", "i[] -2" }, { "i[3] 5 3 1" } },
    { "Range without an end", "Range", 11, "", { "i[] 5", "i[] 0", "i[] 0" }, { NULL } },
    { "Expand keeps what is asked to be 1", "Expand", 8, "",
      { "f[2,1] 1 2", "i[3] 2 1 2" }, { "f[2,2,2] 1 1 2 2 1 1 2 2" } },
    { "Tile", "Tile", 7, "", { "f[1,2] 1 2", "i[2] 2 2" }, { "f[2,4] 1 2 1 2 1 2 1 2" } },
    { "NonZero", "NonZero", 9, "", { "f[2,2] 0 1 1 0" }, { "i[2,2] 0 1 1 0" } },
    { "EyeLike below the diagonal", "EyeLike", 9, "k=-1", { "f[2,2] 0 0 0 0" },
      { "f[2,2] 0 0 1 0" } },

    /* sampling */
    { "GridSample bilinear with zeros around", "GridSample", 16, "",
      { "f[1,1,1,2] 2 4", "f[1,1,3,2] 0 0 -0.5 0 -1 0" }, { "f[1,1,1,3] 3 2 1" } },
    { "GridSample repeats the border", "GridSample", 16, "padding_mode=border",
      { "f[1,1,1,2] 2 4", "f[1,1,2,2] 5 0 -5 0" }, { "f[1,1,1,2] 4 2" } },
    { "GridSample is not surprised by nan", "GridSample", 16, "",
      { "f[1,1,1,2] 2 4", "f[1,1,1,2] nan 0" }, { "f[1,1,1,1] 0" } },

    /* no more than that they can be computed */
    { "BatchNormalization", "BatchNormalization", 9, "epsilon=0.0",
      { "f[1,2,1] 1 2", "f[2] 1 2", "f[2] 0 1", "f[2] 1 0", "f[2] 4 1" }, { "f[1,2,1] 0 5" } },
    { "LayerNormalization", "LayerNormalization", 17, "epsilon=0.0 axis=1",
      { "f[1,2] 1 3", "f[2] 1 1", "f[2] 0 1" }, { "f[1,2] -1 2", "f[1,1] 2", "f[1,1] 1" } },
    { "LRN", "LRN", 13, "size=3 alpha=3.0 beta=1.0 bias=1.0",
      { "f[1,2,1] 1 2" }, { "f[1,2,1] 0.1666667 0.3333333" } },
    { "MeanVarianceNormalization", "MeanVarianceNormalization", 13, "axes=[1]",
      { "f[1,2] 1 3" }, { "f[1,2] -1 1" } },
    { "Concat", "Concat", 13, "axis=-1", { "f[1,1] 1", "f[1,2] 2 3" }, { "f[1,3] 1 2 3" } },
    { "Transpose", "Transpose", 13, "perm=[1,0]",
      { "f[2,2] 1 2 3 4" }, { "f[2,2] 1 3 2 4" } },
    { "GatherElements", "GatherElements", 13, "axis=1",
      { "f[1,2] 1 2", "i[1,3] 1 -2 1" }, { "f[1,3] 2 1 2" } },
    { "MatMulInteger", "MatMulInteger", 10, "",
      { "u8[2,1] 5 6", "u8[1,2] 3 4", "u8[2] 5 4", "u8[2] 1 1" }, { "i32[2,2] 0 0 4 6" } },
    { "QLinearMatMul", "QLinearMatMul", 10, "",
      { "u8[1,1] 5", "f[] 1", "u8[] 1", "u8[1,2] 3 4", "f[] 1", "u8[] 1", "f[] 2", "u8[] 10" },
      { "u8[1,2] 14 16" } },
    { "QLinearConv", "QLinearConv", 10, "",
      { "u8[1,1,2] 5 6", "f[] 1", "u8[] 1", "u8[1,1,1] 3", "f[1] 1", "u8[1] 1", "f[] 2",
        "u8[] 10", "i32[1] 2" }, { "u8[1,1,2] 15 16" } },
    { "ConstantOfShape", "ConstantOfShape", 9, "", { "i[1] 2" }, { "f[2] 0 0" } },
    { "LogSoftmax", "LogSoftmax", 13, "", { "f[2] 0 0" }, { "f[2] -0.6931472 -0.6931472" } },
    { "ReduceProd of integers", "ReduceProd", 13, "axes=[0]",
      { "i[2,2] 1 2 3 4" }, { "i[1,2] 3 8" } },
    { "Mean", "Mean", 13, "", { "f[2] 1 2", "f[1] 3" }, { "f[2] 2 2.5" } },
    { "GlobalAveragePool", "GlobalAveragePool", 7, "", { "f[1,1,2] 1 3" }, { "f[1,1,1] 2" } },
    { "BitShift", "BitShift", 11, "direction=LEFT",
      { "u8[2] 1 255", "u8[2] 3 9" }, { "u8[2] 8 0" } },
    { "TopK before 10 has k as an attribute", "TopK", 9, "k=2",
      { "f[3] 1 3 2" }, { "f[2] 3 2", "i[2] 1 2" } },
    { "BatchNormalization before 9 may say that it is per channel", "BatchNormalization", 7,
      "epsilon=0.0 spatial=1", { "f[1,2,1] 1 3", "f[2] 1 2", "f[2] 0 1", "f[2] 1 1", "f[2] 1 4" },
      { "f[1,2,1] 0 3" } },
    { "Hardmax before 13 flattens", "Hardmax", 11, "axis=1",
      { "f[1,2,2] 1 2 3 0" }, { "f[1,2,2] 0 0 1 0" } },
    { "LogSoftmax before 13 flattens", "LogSoftmax", 11, "axis=1",
      { "f[1,2,1] 0 0" }, { "f[1,2,1] -0.6931472 -0.6931472" } },
    { "Gemm before 11 needs its third input", "Gemm", 7, "alpha=2.0 transB=1",
      { "f[1,2] 1 2", "f[2,2] 1 2 3 4", "f[2] 1 1" }, { "f[1,2] 11 23" } },
    { "Scatter is ScatterElements of 9 and 10", "Scatter", 9, "axis=0",
      { "f[3] 1 2 3", "i[1] 1", "f[1] 9" }, { "f[3] 1 9 3" } },
    { "ReduceMean before 18 has its axes as an attribute", "ReduceMean", 7, "axes=[1] keepdims=0",
      { "f[2,2] 1 3 5 9" }, { "f[2] 2 7" } },
    { "Slice before 10 has its bounds as attributes", "Slice", 7, "axes=[0] starts=[1] ends=[-1]",
      { "f[4] 1 2 3 4" }, { "f[2] 2 3" } },
    { "Split before 13 has its sizes as an attribute", "Split", 7, "axis=0 split=[1,2]",
      { "f[3] 1 2 3" }, { "f[1] 1", "f[2] 2 3" } },
    { "Squeeze before 13 has its axes as an attribute", "Squeeze", 7, "axes=[0]",
      { "f[1,2] 1 2" }, { "f[2] 1 2" } },
    { "Unsqueeze before 13 has its axes as an attribute", "Unsqueeze", 7, "axes=[0,2]",
      { "f[2] 1 2" }, { "f[1,2,1] 1 2" } },
    { "Dropout before 12 has its ratio as an attribute", "Dropout", 7, "ratio=0.5",
      { "f[2] 1 2" }, { "f[2] 1 2" } },
    { "MaxPool before 10 knows no ceil_mode", "MaxPool", 8, "kernel_shape=[2] strides=[2]",
      { "f[1,1,5] 1 2 3 4 5" }, { "f[1,1,2] 2 4" } },
    { "ArgMax before 12 takes the first of equals", "ArgMax", 7, "axis=0 keepdims=0",
      { "f[3] 1 3 3" }, { "i[] 1" } },
    { .name = NULL },
};
/* clang-format on */

/* ---------------------------------------------------------------- reading a case */

static NnType parse_type(const char *text, gsize length)
{
    static const struct {
        const char *name;
        NnType type;
    } types[] = {
        { "f", NN_FLOAT32 }, { "d", NN_FLOAT64 }, { "h", NN_FLOAT16 },
        { "b", NN_BOOL },    { "i", NN_INT64 },   { "i32", NN_INT32 },
        { "i8", NN_INT8 },   { "u8", NN_UINT8 },  { "u64", NN_UINT64 },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
        if (strlen(types[i].name) == length && memcmp(types[i].name, text, length) == 0)
            return types[i].type;
    g_error("no type in \"%s\"", text);
}

NnArray *case_array(const char *text)
{
    const char *open = strchr(text, '['), *close = strchr(text, ']');
    g_autofree char *shape = g_strndup(open + 1, close - open - 1);
    g_auto(GStrv) extents = g_strsplit(shape, ",", -1);
    gint64 dims[NN_MAX_RANK];
    int rank = g_strv_length(extents);
    const char *cursor = close + 1;
    NnArray *array;

    for (int i = 0; i < rank; i++)
        dims[i] = g_ascii_strtoll(extents[i], NULL, 10);
    array = nn_array_new(parse_type(text, open - text), rank, dims);
    for (gsize i = 0; i < array->n; i++) {
        char *end;
        double number = g_ascii_strtod(cursor, &end);

        g_assert_true(end > cursor);
        if (array->type == NN_INT64)
            nn_array_set_int(array, i, g_ascii_strtoll(cursor, NULL, 10));
        else
            nn_array_set(array, i, number);
        cursor = end;
    }
    return array;
}

static void add_attribute(NnNode *node, const char *name, const char *text)
{
    gboolean is_list = *text == '[', is_float = strchr(text, '.') != NULL;
    g_autofree char *inner = is_list ? g_strndup(text + 1, strlen(text) - 2) : g_strdup(text);
    g_auto(GStrv) items = g_strsplit(inner, ",", -1);
    gboolean is_number = g_ascii_isdigit(*inner) || *inner == '-';
    NnAttribute *attribute = nn_attribute_new(
        name, !is_number ? NN_ATTRIBUTE_STRING
                         : (is_list ? (is_float ? NN_ATTRIBUTE_FLOATS : NN_ATTRIBUTE_INTS)
                                    : (is_float ? NN_ATTRIBUTE_FLOAT : NN_ATTRIBUTE_INT)));

    attribute->n = g_strv_length(items);
    if (!is_number)
        attribute->u.s = g_strdup(text);
    else if (!is_list && is_float)
        attribute->u.f = g_ascii_strtod(inner, NULL);
    else if (!is_list)
        attribute->u.i = g_ascii_strtoll(inner, NULL, 10);
    else if (is_float)
        attribute->u.floats = g_new0(float, attribute->n + 1);
    else
        attribute->u.ints = g_new0(gint64, attribute->n + 1);
    for (gsize i = 0; is_list && i < attribute->n; i++)
        if (is_float)
            attribute->u.floats[i] = g_ascii_strtod(items[i], NULL);
        else
            attribute->u.ints[i] = g_ascii_strtoll(items[i], NULL, 10);
    nn_node_add_attribute(node, attribute);
}

NnNode *case_node(NnGraph *graph, const Case *c)
{
    NnNode *node = nn_graph_add_node(graph, c->type, "case", c->opset);
    g_auto(GStrv) attributes = g_strsplit(c->attributes, " ", -1);
    guint n_in = 0, n_out = 1;

    for (guint i = 0; attributes[i]; i++) {
        g_auto(GStrv) pair = g_strsplit(attributes[i], "=", 2);

        if (pair[0] && *pair[0])
            add_attribute(node, pair[0], pair[1]);
    }
    while (n_in < CASE_TENSORS && c->in[n_in])
        n_in++;
    while (n_out < CASE_TENSORS && c->out[n_out])
        n_out++;
    for (guint i = 0; i < n_in; i++) {
        gboolean left_out = g_str_equal(c->in[i], "-");

        nn_node_add_input(node,
                          left_out ? NULL : nn_graph_constant(graph, NULL, case_array(c->in[i])));
    }
    for (guint i = 0; i < n_out; i++)
        nn_node_add_output(node, nn_graph_value(graph, NULL));
    return node;
}
