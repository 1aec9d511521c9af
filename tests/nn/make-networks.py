#!/usr/bin/python3
"""Writes small networks with seeded weights, built like those that the plugin is used with.

SPDX-License-Identifier: LGPL-2.1-or-later

    make-networks.py [--size 512] [--fp16] FOLDER [NAME ...]

Each function below makes one; together they hold the structures that exporters of PyTorch and
TensorFlow write: batch normalisation left in, shape arithmetic, weights computed at run time,
recurrent states, a batch of 1 written into Reshape nodes. The weights are random, so the outputs
mean nothing; they only have to be the same in every engine. Needs python3-onnx and python3-numpy.
"""
import argparse
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FIR = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


class Network:
    """A graph under construction: every method adds nodes and returns the name of a tensor."""

    def __init__(self, name, opset, seed=1):
        self.name, self.opset = name, opset
        self.rng = np.random.default_rng(seed)
        self.dtype = np.float32  # of weights
        self.nodes, self.weights, self.inputs, self.outputs = [], [], [], []

    def op(self, op_type, *inputs, outputs=1, **attributes):
        names = [f"{op_type.lower()}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op_type, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def input(self, name, shape):
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def output(self, name, tensor, shape):
        self.nodes.append(helper.make_node("Identity", [tensor], [name]))
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def const(self, value, dtype=None):
        array = np.array(value, dtype or self.dtype)
        self.weights.append(numpy_helper.from_array(array, f"const_{len(self.weights)}"))
        return self.weights[-1].name

    def ints(self, *values):
        return self.const(values, np.int64)

    def random(self, shape, std):
        return self.const(self.rng.standard_normal(shape) * std)

    def conv(self, x, c_in, c_out, k=3, stride=1, dilation=1, group=1, bias=True, pads=None):
        weight = self.random([c_out, c_in // group, k, k], (2 / (c_in // group * k * k)) ** 0.5)
        inputs = [x, weight] + ([self.random([c_out], 0.1)] if bias else [])
        pad = dilation * (k // 2)
        return self.op("Conv", *inputs, kernel_shape=[k, k], strides=[stride] * 2, group=group,
                       dilations=[dilation] * 2, pads=pads or [pad] * 4)

    def up_conv(self, x, c_in, c_out):
        weight = self.random([c_in, c_out, 2, 2], (1 / c_in) ** 0.5)
        return self.op("ConvTranspose", x, weight, self.random([c_out], 0.1),
                       kernel_shape=[2, 2], strides=[2, 2])

    def batch_norm(self, x, c):
        return self.op("BatchNormalization", x, self.const(self.rng.uniform(0.8, 1.2, c)),
                       self.random([c], 0.1), self.random([c], 0.1),
                       self.const(self.rng.uniform(0.8, 1.2, c)), epsilon=1e-5)

    def conv_bn_relu(self, x, c_in, c_out, k=3, **options):
        return self.op("Relu", self.batch_norm(self.conv(x, c_in, c_out, k, bias=False, **options),
                                               c_out))

    def linear(self, x, n_in, n_out, bias=None):
        """Gemm with the weights as PyTorch keeps them."""
        bias = self.random([n_out], 0.1) if bias is None else self.const(np.full(n_out, bias))
        return self.op("Gemm", x, self.random([n_out, n_in], (1 / n_in) ** 0.5), bias, transB=1)

    def slice(self, x, start, end, axis, step=1):
        return self.op("Slice", x, self.ints(start), self.ints(end), self.ints(axis),
                       self.ints(step))

    def dim(self, x, axis):
        """One dim of x as an int64[1], as PyTorch exports x.shape[axis]."""
        index = self.const(axis, np.int64)
        scalar = self.op("Gather", self.op("Shape", x), index, axis=0)
        if self.opset < 13:
            return self.op("Unsqueeze", scalar, axes=[0])
        return self.op("Unsqueeze", scalar, self.ints(0))

    def resize(self, x, scale, mode="linear"):
        coordinates = "half_pixel" if mode == "linear" else "asymmetric"
        roi, scales = self.const([], np.float32), self.const([1, 1, scale, scale], np.float32)
        return self.op("Resize", x, roi, scales, mode=mode,
                       coordinate_transformation_mode=coordinates, nearest_mode="floor")

    def resize_like(self, x, other):
        """To the other's height and width, by shape arithmetic."""
        size = self.op("Concat", self.slice(self.op("Shape", x), 0, 2, 0), self.dim(other, 2),
                       self.dim(other, 3), axis=0)
        return self.op("Resize", x, self.const([]), self.const([]), size, mode="linear",
                       coordinate_transformation_mode="half_pixel")

    def model(self):
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                  producer_name="gst-clmatte", ir_version=7)
        onnx.checker.check_model(model)
        return model


def unet(size):
    """The classic: 32..512 channels, double convolutions, 7.8 M weights. The yardstick of speed."""
    net = Network("unet", 13)
    x = net.input("input", ["n", 3, size, size])
    skips, c_in = [], 3
    for c in (32, 64, 128, 256):
        skips.append((net.conv_bn_relu(net.conv_bn_relu(x, c_in, c), c, c), c))
        x, c_in = net.op("MaxPool", skips[-1][0], kernel_shape=[2, 2], strides=[2, 2]), c
    x = net.conv_bn_relu(net.conv_bn_relu(x, 256, 512), 512, 512)
    for skip, c in reversed(skips):
        x = net.op("Concat", net.up_conv(x, 2 * c, c), skip, axis=1)
        x = net.conv_bn_relu(net.conv_bn_relu(x, 2 * c, c), c, c)
    net.output("alpha", net.op("Sigmoid", net.conv(x, 32, 1, 1)), ["n", 1, size, size])
    return net


def se_block(net, x, c):
    """Squeeze and excitation as a TensorFlow export has it: hard swish, full-map average."""
    pooled = net.op("GlobalAveragePool", x)
    gate = net.op("Relu", net.conv(pooled, c, c // 4, 1))
    return net.op("Mul", x, net.op("Sigmoid", net.conv(gate, c // 4, c, 1)))


def segmenter_nhwc(size):
    """MediaPipe-like, from TensorFlow: NHWC at both ends, batch 1 baked in, asymmetric pads."""
    net = Network("segmenter-nhwc", 11)
    x = net.op("Transpose", net.input("input", [1, size, size, 3]), perm=[0, 3, 1, 2])
    skips, c_in = [], 3
    for c in (16, 24, 40):
        x = net.conv(x, c_in, c, 3, stride=2, pads=[0, 0, 1, 1])
        gate = net.op("Clip", net.op("Add", x, net.const(3)), net.const(0), net.const(6))
        x = net.op("Mul", net.op("Mul", x, gate), net.const(1 / 6))
        x = net.op("Relu", net.conv(x, c, c, 5, group=c))
        x = se_block(net, x, c)
        skips.append((x, c))
        c_in = c
    for (skip, c), (_, c_up) in zip(skips[-2::-1], skips[:0:-1]):
        up = net.conv(net.resize_like(x, skip), c_up, c, 1)
        x = net.op("Add", skip, net.op("Mul", up, net.op("Sigmoid", up)))
    x = net.op("Sigmoid", net.up_conv(x, 16, 1))
    net.output("alpha", net.op("Reshape", x, net.ints(1, size, size, 1)), [1, size, size, 1])
    return net


def inverted_residual(net, x, c_in, c_out, stride):
    hidden = 4 * c_in
    y = net.batch_norm(net.conv(x, c_in, hidden, 1, bias=False), hidden)
    y = net.op("Clip", y, net.const(0), net.const(6))
    y = net.batch_norm(net.conv(y, hidden, hidden, 3, stride, group=hidden, bias=False), hidden)
    y = net.op("Clip", y, net.const(0), net.const(6))
    y = net.batch_norm(net.conv(y, hidden, c_out, 1, bias=False), c_out)
    return net.op("Add", x, y) if stride == 1 and c_in == c_out else y


def depthwise_block(net, x, c_in, c_out, k=3, stride=1):
    """MobileNetV1's: each channel by itself, then 1x1."""
    x = net.op("Relu", net.conv(x, c_in, c_in, k, stride, group=c_in))
    return net.op("Relu", net.conv(x, c_in, c_out, 1))


def mobile(_size):
    """Depthwise blocks in a chain, a residual around one, what one computes used twice."""
    net = Network("mobile", 13)
    x = net.op("Relu", net.conv(net.input("x", [1, 3, 44, 60]), 3, 32, 3, 2))
    x = depthwise_block(net, depthwise_block(net, x, 32, 64), 64, 64, 3, 2)
    x = net.op("Add", depthwise_block(net, x, 64, 64), x)
    x = depthwise_block(net, net.op("Relu", net.conv(x, 64, 128, 1)), 128, 40, 5, 2)
    net.output("y", x, [1, 40, 6, 8])
    return net


def ib_norm_block(net, x, c_in, c_out, k=3):
    """MODNet's: half of the channels normalised per batch, half per picture."""
    x, half = net.conv(x, c_in, c_out, k), c_out // 2
    batch = net.batch_norm(net.slice(x, 0, half, 1), half)
    instance = net.op("InstanceNormalization", net.slice(x, half, c_out, 1),
                      net.const(np.ones(half)), net.const(np.zeros(half)), epsilon=1e-5)
    return net.op("Relu", net.op("Concat", batch, instance, axis=1))


def modnet(_size):
    """MODNet-like: MobileNetV2, a squeeze gate by MatMul and Expand, open height and width."""
    net = Network("modnet", 11)
    image = net.input("input", ["b", 3, "h", "w"])
    x2 = inverted_residual(net, net.conv_bn_relu(image, 3, 16, 3, stride=2), 16, 16, 1)
    x4 = inverted_residual(net, x2, 16, 24, 2)
    x8 = inverted_residual(net, inverted_residual(net, x4, 24, 32, 2), 32, 32, 1)
    flat = net.op("Reshape", net.op("GlobalAveragePool", x8),
                  net.op("Concat", net.dim(x8, 0), net.ints(32), axis=0))
    gate = net.op("Relu", net.op("MatMul", flat, net.random([32, 8], 0.3)))
    gate = net.op("Sigmoid", net.op("MatMul", gate, net.random([8, 32], 0.3)))
    gate = net.op("Reshape", gate, net.ints(-1, 32, 1, 1))
    x8 = net.op("Mul", x8, net.op("Expand", gate, net.op("Shape", x8)))
    lr4 = ib_norm_block(net, net.resize(x8, 2), 32, 32, 5)
    hr4 = net.op("Concat", lr4, x4, net.resize(image, 0.25), axis=1)
    hr4 = ib_norm_block(net, hr4, 32 + 24 + 3, 32)
    hr2 = ib_norm_block(net, net.op("Concat", net.resize(hr4, 2), x2, axis=1), 48, 32)
    x = ib_norm_block(net, net.op("Concat", net.resize(hr2, 2), image, axis=1), 35, 16)
    net.output("output", net.op("Sigmoid", net.conv(x, 16, 1, 1)), ["b", 1, "h", "w"])
    return net


def conv_gru(net, x, state, c):
    """Half of x's 2c channels through a gated recurrent unit; the other half passes."""
    if net.opset < 13:
        a, b = net.op("Split", x, outputs=2, axis=1, split=[c, c])
    else:
        a, b = net.op("Split", x, net.ints(c, c), outputs=2, axis=1)
    h = net.op("Expand", state, net.op("Shape", b))
    gates = net.op("Sigmoid", net.conv(net.op("Concat", b, h, axis=-3), 2 * c, 2 * c))
    r, z = net.op("Split", gates, outputs=2, axis=-3)
    fresh = net.op("Concat", b, net.op("Mul", r, h), axis=-3)
    fresh = net.op("Tanh", net.conv(fresh, 2 * c, c))
    keep = net.op("Mul", net.op("Sub", net.const(1), z), h)
    h = net.op("Add", keep, net.op("Mul", z, fresh))
    return net.op("Concat", a, h, axis=-3), h


def hard_swish(net, x):
    return net.op("Mul", x, net.op("HardSigmoid", x, alpha=1 / 6, beta=0.5))


def rvm(_size):
    """RVM-like: recurrent states, a scale given at run time, pooling with odd sizes, a guided
    upsampling by box filters."""
    net = Network("rvm", 12)
    src = net.input("src", ["b", 3, "h", "w"])
    states = [net.input(name, ["b", "c", "h", "w"]) for name in ("r1i", "r2i")]
    ratio = net.input("downsample_ratio", [1])
    scales = net.op("Concat", net.const([1, 1]), ratio, ratio, axis=0)
    small = net.op("Resize", src, net.const([]), scales, mode="linear",
                   coordinate_transformation_mode="pytorch_half_pixel")
    half = net.op("AveragePool", small, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1,
                  count_include_pad=0)
    mean = net.const(np.reshape([0.485, 0.456, 0.406], [3, 1, 1]))
    std = net.const(np.reshape([0.229, 0.224, 0.225], [3, 1, 1]))
    x = net.op("Div", net.op("Sub", small, mean), std)
    f1 = hard_swish(net, net.batch_norm(net.conv(x, 3, 16, 3, 2), 16))
    f2 = hard_swish(net, net.conv(f1, 16, 24, 3, 2, group=8))
    pool = net.op("Sigmoid", net.conv(net.op("GlobalAveragePool", f2), 24, 32, 1, bias=False))
    x = net.op("Mul", net.conv_bn_relu(f2, 24, 32, 1), pool)
    x, r2 = conv_gru(net, x, states[1], 16)
    x = net.op("Concat", net.resize_like(x, f1), f1, half, axis=1)
    x = net.conv_bn_relu(x, 32 + 16 + 3, 24)
    x, r1 = conv_gru(net, x, states[0], 12)
    x = net.op("Concat", net.resize_like(x, small), small, axis=-3)
    base_y = net.conv(net.conv_bn_relu(x, 27, 16), 16, 4, 1)
    gray = net.op("ReduceMean", small, axes=[1], keepdims=1)
    base_x = net.op("Concat", small, gray, axis=1)
    box = net.const(np.full([4, 1, 3, 3], 1 / 9))

    def blur(tensor):
        return net.op("Conv", tensor, box, group=4, pads=[1] * 4, kernel_shape=[3, 3])

    mean_x, mean_y = blur(base_x), blur(base_y)
    cov = net.op("Sub", blur(net.op("Mul", base_x, base_y)), net.op("Mul", mean_x, mean_y))
    a = net.conv(net.conv_bn_relu(cov, 4, 16, 1), 16, 4, 1)
    b = net.op("Sub", mean_y, net.op("Mul", a, mean_x))
    fine_x = net.op("Concat", src, net.op("ReduceMean", src, axes=[1], keepdims=1), axis=1)
    out = net.op("Add", net.op("Mul", net.resize_like(a, src), fine_x), net.resize_like(b, src))
    residual, alpha = net.op("Split", out, outputs=2, axis=-3, split=[3, 1])
    limits = net.const(0), net.const(1)
    net.output("fgr", net.op("Clip", net.op("Add", residual, src), *limits), ["b", 3, "h", "w"])
    net.output("pha", net.op("Clip", alpha, *limits), ["b", 1, "h", "w"])
    net.output("r1o", r1, ["b", "c", "h1", "w1"])
    net.output("r2o", r2, ["b", "c", "h2", "w2"])
    return net


def salient(size):
    """U2Net-like: dilations, pooling that rounds up, sizes from Shape, several outputs."""
    net = Network("salient", 11)
    image = net.input("input", [1, 3, size, size])
    top = net.op("Relu", net.conv(image, 3, 16))
    maps, x = [], top
    for _ in range(3):
        x = net.op("Relu", net.conv(net.op("Relu", net.conv(x, 16, 8)), 8, 16))
        maps.append(x)
        x = net.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    for dilation in (1, 2, 4, 8):
        x = net.op("Relu", net.conv(x, 16, 16, dilation=dilation))
    sides = [net.conv(x, 16, 1)]
    for skip in reversed(maps):
        x = net.op("Concat", net.resize_like(x, skip), skip, axis=1)
        x = net.op("Add", net.op("Relu", net.conv(x, 32, 16)), skip)
        sides.append(net.conv(x, 16, 1))
    sides = [net.resize_like(side, image) for side in reversed(sides)]
    fused = net.conv(net.op("Concat", *sides, axis=1), len(sides), 1, 1)
    for i, side in enumerate([fused] + sides):
        net.output(f"d{i}", net.op("Sigmoid", side), [1, 1, size, size])
    return net


def detector(_size):
    """YuNet-like: a feature pyramid by nearest neighbours, heads flattened to rows of boxes."""
    net = Network("detector", 11)
    x = net.input("input", ["batch", 3, "height", "width"])
    x = net.op("Relu", net.conv(x, 3, 16, 3, 2))
    levels = []
    for c_in, c_out in ((16, 32), (32, 32), (32, 32)):
        x = net.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
        x = net.op("Relu", net.conv(net.conv(x, c_in, c_out, 1), c_out, c_out, group=c_out))
        levels.append(x)
    for i in (1, 0):
        levels[i] = net.op("Add", levels[i], net.resize(levels[i + 1], 2, "nearest"))
    for level, stride in zip(levels, (4, 8, 16)):
        for kind, width in (("obj", 1), ("bbox", 4)):
            head = net.op("Transpose", net.conv(level, 32, width, 1), perm=[0, 2, 3, 1])
            rows = net.op("Reshape", head, net.op("Concat", net.dim(head, 0), net.ints(-1),
                                                  net.ints(width), axis=0))
            rows = net.op("Sigmoid", rows) if kind == "obj" else rows
            net.output(f"{kind}_{stride}", rows, ["batch", "dim", width])
    return net


def fir(net, x, c, size, pad, up=1, gain=1.0):
    """StyleGAN2's upfirdn as PyTorch exports it: NHWC, rank 6, and channels moved to the batch."""
    x = net.op("Transpose", x, perm=[0, 2, 3, 1])
    if up > 1:
        x = net.op("Reshape", x, net.ints(-1, size, 1, size, 1, c))
        x = net.op("Pad", x, mode="constant", pads=[0] * 8 + [up - 1, 0, up - 1, 0], value=0.0)
        size *= up
        x = net.op("Reshape", x, net.ints(-1, size, size, c))
    x = net.op("Pad", x, mode="constant", pads=[0, pad[0], pad[0], 0, 0, pad[1], pad[1], 0],
               value=0.0)
    size += sum(pad)
    x = net.op("Reshape", net.op("Transpose", x, perm=[0, 3, 1, 2]), net.ints(-1, 1, size, size))
    kernel = net.const(np.reshape(FIR * gain, [1, 1, 4, 4]))
    flipped = kernel
    for axis in (2, 3):
        flipped = net.slice(flipped, -1, -5, axis, -1)
    x = net.op("Conv", x, flipped, kernel_shape=[4, 4])
    return net.op("Reshape", x, net.ints(-1, c, size - 3, size - 3)), size - 3


def upscaler(size):
    """Twice as large by pixel shuffling, as compact super-resolution networks are."""
    net = Network("upscaler", 13)
    image = net.input("input", [1, 3, size, size])
    x = net.op("PRelu", net.conv(image, 3, 16), net.const(np.full([16, 1, 1], 0.2)))
    for _ in range(2):
        x = net.op("PRelu", net.conv(x, 16, 16), net.const(np.full([16, 1, 1], 0.2)))
    x = net.op("DepthToSpace", net.conv(x, 16, 12), blocksize=2, mode="CRD")
    net.output("output", net.op("Add", x, net.resize(image, 2, "nearest")),
               [1, 3, 2 * size, 2 * size])
    return net


def leaky(net, x, c):
    biased = net.op("Add", x, net.random([1, c, 1, 1], 0.1))
    return net.op("Mul", net.op("LeakyRelu", biased, alpha=0.2), net.const(2 ** 0.5))


def modulated_conv(net, x, latent, c_in, c_out, size, k=3, up=False, demodulate=True):
    """Weights made from the style at run time, with the batch of 1 written into every Reshape."""
    style = net.op("Reshape", net.linear(latent, 32, c_in, bias=1), net.ints(1, 1, c_in, 1, 1))
    weight = net.random([1, c_out, c_in, k, k], (1 / (c_in * k * k)) ** 0.5)
    weight = net.op("Mul", weight, style)
    if demodulate:
        power = net.op("Pow", weight, net.const(2))
        power = net.op("ReduceSum", power, axes=[2, 3, 4], keepdims=0)
        norm = net.op("Sqrt", net.op("Add", power, net.const(1e-8)))
        demod = net.op("Reshape", net.op("Div", net.const(1), norm), net.ints(1, c_out, 1, 1, 1))
        weight = net.op("Mul", weight, demod)
    x = net.op("Reshape", x, net.ints(1, c_in, size, size))
    if not up:
        weight = net.op("Reshape", weight, net.ints(c_out, c_in, k, k))
        x = net.op("Conv", x, weight, kernel_shape=[k, k], pads=[k // 2] * 4, group=1)
        return net.op("Reshape", x, net.ints(1, c_out, size, size))
    weight = net.op("Reshape", weight, net.ints(1, c_out, c_in, k, k))
    weight = net.op("Transpose", weight, perm=[0, 2, 1, 3, 4])
    weight = net.op("Reshape", weight, net.ints(c_in, c_out, k, k))
    x = net.op("ConvTranspose", x, weight, kernel_shape=[k, k], strides=[2, 2], group=1)
    x = net.op("Reshape", x, net.ints(1, c_out, 2 * size + 1, 2 * size + 1))
    return fir(net, x, c_out, 2 * size + 1, (1, 1), gain=4)[0]


def stylegan(size):
    """GPEN-like: an encoder, a style vector, and a generator whose weights depend on the style."""
    net = Network("stylegan", 10)
    image = net.input("input", [1, 3, size, size])
    c, n = 16, 32
    x = leaky(net, net.conv(image, 3, c, 1, bias=False), c)
    features = [x]
    side = size
    while side > 4:
        x, padded = fir(net, x, c, side, (2, 2))
        x = leaky(net, net.conv(x, c, c, 3, 2, bias=False, pads=[0] * 4), c)
        side //= 2
        features.append(x)
    latent = net.linear(net.op("Reshape", x, net.ints(1, -1)), 16 * c, n)
    power = net.op("ReduceMean", net.op("Mul", latent, latent), axes=[1], keepdims=1)
    norm = net.op("Sqrt", net.op("Add", power, net.const(1e-8)))
    latent = net.op("LeakyRelu", net.linear(net.op("Div", latent, norm), n, n), alpha=0.2)
    latents = net.op("Tile", net.op("Unsqueeze", latent, axes=[1]), net.ints(1, 8, 1))
    x, rgb = net.random([1, c, 4, 4], 1), None
    c_in = c
    for i, feature in enumerate(reversed(features)):
        style = net.op("Gather", latents, net.const(i, np.int64), axis=1)
        up = i > 0
        x = modulated_conv(net, x, style, c_in, c, side, up=up)
        noise = net.op("Mul", feature, net.const([0.5]))
        x, c_in = leaky(net, net.op("Concat", x, noise, axis=1), 2 * c), 2 * c
        if up:
            rgb = fir(net, rgb, 3, side, (2, 1), up=2, gain=4)[0]
            side *= 2
        color = modulated_conv(net, x, style, c_in, 3, side, k=1, demodulate=False)
        color = net.op("Add", color, net.random([1, 3, 1, 1], 0.1))
        rgb = net.op("Add", color, rgb) if rgb else color
    net.output("output", rgb, [1, 3, size, size])
    return net


def quantize(net, x, low, high):
    """x as uint8 of low..high and back: what quantising tools put after every tensor."""
    scale = (high - low) / 255
    scale, zero = net.const(scale), net.const(round(-low / scale), np.uint8)
    return net.op("DequantizeLinear", net.op("QuantizeLinear", x, scale, zero), scale, zero)


def quantized_conv(net, x, c_in, c_out, k=3, stride=1, group=1):
    """Weights as int8 with a scale per output, the bias as int32."""
    shape, std = [c_out, c_in // group, k, k], (2 / (c_in // group * k * k)) ** 0.5
    scales = net.rng.uniform(0.5, 1.5, c_out) * std / 40
    weight = net.const(np.clip(net.rng.standard_normal(shape) * 40, -128, 127), np.int8)
    weight = net.op("DequantizeLinear", weight, net.const(scales), net.const([0] * c_out, np.int8),
                    axis=0)
    bias = net.const(net.rng.standard_normal(c_out) * 2000, np.int32)
    bias = net.op("DequantizeLinear", bias, net.const(scales / 255),
                  net.const([0] * c_out, np.int32), axis=0)
    return net.op("Conv", x, weight, bias, kernel_shape=[k, k], strides=[stride] * 2,
                  pads=[k // 2] * 4, group=group)


def quantized_qdq(size):
    """Quantised after training: pairs of QuantizeLinear and DequantizeLinear around everything."""
    net = Network("quantized-qdq", 13)
    x = quantize(net, net.input("input", ["n", 3, size, size]), 0, 1)
    x = quantize(net, net.op("Relu", quantized_conv(net, x, 3, 16, stride=2)), 0, 3)
    skip = x
    x = quantize(net, net.op("Relu", quantized_conv(net, x, 16, 16, group=16)), 0, 3)
    x = quantize(net, quantized_conv(net, x, 16, 16, 1), -3, 4)
    x = quantize(net, net.op("Add", x, skip), -3, 6)
    x = quantize(net, net.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), -3, 6)
    x = quantize(net, net.resize(x, 4, "nearest"), -3, 6)
    net.output("output", quantize(net, quantized_conv(net, x, 16, 1, 1), -6, 6),
               ["n", 1, size, size])
    return net


def scaled_integers(net, product, x_scale, scale, bias):
    """An integer product as the floats that it stands for."""
    floats = net.op("Cast", product, to=TensorProto.FLOAT)
    floats = net.op("Mul", floats, net.op("Mul", x_scale, net.const(scale)))
    return net.op("Add", floats, bias)


def dynamic_conv(net, x, c_in, c_out, stride=1):
    """Activations quantised by the range that they turn out to have."""
    x, scale, zero = net.op("DynamicQuantizeLinear", x, outputs=3)
    weight = net.const(net.rng.integers(0, 256, [c_out, c_in, 3, 3]), np.uint8)
    x = net.op("ConvInteger", x, weight, zero, net.const(128, np.uint8), kernel_shape=[3, 3],
               strides=[stride] * 2, pads=[1] * 4)
    return scaled_integers(net, x, scale, 0.02 / (c_in * 9) ** 0.5,
                           net.random([1, c_out, 1, 1], 0.1))


def quantized_dynamic(size):
    """Quantised while running: ConvInteger, and MatMulInteger for the last layer."""
    net = Network("quantized-dynamic", 13)
    x = net.input("input", ["n", 3, size, size])
    x = net.op("Relu", dynamic_conv(net, x, 3, 16, 2))
    x = net.op("Relu", dynamic_conv(net, x, 16, 24))
    x = net.op("Transpose", x, perm=[0, 2, 3, 1])
    x, scale, zero = net.op("DynamicQuantizeLinear", x, outputs=3)
    weight = net.const(net.rng.integers(-127, 128, [24, 5]), np.int8)
    x = net.op("MatMulInteger", x, weight, zero, net.const([0] * 5, np.int8))
    x = scaled_integers(net, x, scale, 0.005, net.random([5], 0.1))
    net.output("output", net.op("Softmax", x, axis=-1), ["n", size // 2, size // 2, 5])
    return net


class HalfNetwork(Network):
    """Weights as float16, and no node before those that use its result."""

    def model(self):
        model = super().model()
        halve_weights(model)
        nodes = list(model.graph.node)
        del model.graph.node[:]
        model.graph.node.extend(reversed(nodes))
        return model


def half(size):
    """Floats of 16 bits: first as weights of a float network, then of all tensors."""
    net = HalfNetwork("half", 13)
    x = net.conv_bn_relu(net.input("input", ["n", 3, size, size]), 3, 16, stride=2)
    x, net.dtype = net.op("Cast", x, to=TensorProto.FLOAT16), np.float16
    skip = net.conv_bn_relu(x, 16, 16)
    x = net.op("MaxPool", skip, kernel_shape=[2, 2], strides=[2, 2])
    x = net.op("InstanceNormalization", net.conv(x, 16, 24), net.const(np.ones(24)),
               net.const(np.zeros(24)))
    x = net.op("Concat", net.up_conv(x, 24, 12), skip, axis=1)
    x = net.op("Mul", x, net.op("Sigmoid", net.conv(x, 28, 28, 1)))
    x = net.op("Cast", net.conv(x, 28, 1, 1), to=TensorProto.FLOAT)
    net.output("output", net.resize(x, 2), ["n", 1, size, size])
    return net


# name -> (function, side in pixels that the tests use)
NETWORKS = {
    "unet": (unet, 64),
    "segmenter-nhwc": (segmenter_nhwc, 96),
    "modnet": (modnet, 0),
    "mobile": (mobile, 0),
    "rvm": (rvm, 0),
    "salient": (salient, 84),
    "detector": (detector, 0),
    "upscaler": (upscaler, 64),
    "stylegan": (stylegan, 64),
    "quantized-qdq": (quantized_qdq, 64),
    "quantized-dynamic": (quantized_dynamic, 64),
    "half": (half, 64),
}


def halve_weights(model):
    """Stores the large weights as float16 behind a Cast, as downloads often have them."""
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.size < 64:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), name + ".fp16"))
        cast = helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT)
        model.graph.node.insert(0, cast)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--size", type=int, help="side of the input where the network fixes it")
    parser.add_argument("--fp16", action="store_true", help="weights as float16 behind a Cast")
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    for name in args.names or NETWORKS:
        function, size = NETWORKS[name]
        model = function(args.size or size).model()
        if args.fp16:
            halve_weights(model)
        onnx.save(model, os.path.join(args.folder, name + ".onnx"))


if __name__ == "__main__":
    main()
