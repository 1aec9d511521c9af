#!/usr/bin/env python3
"""The same networks in PyTorch with cuDNN, to compare with in the same run.

SPDX-License-Identifier: LGPL-2.1-or-later

    pytorch.py [--batch N ...] [--compile] NETWORK.onnx=CxHxW ...

A graph is read from its ONNX file and run node by node with torch's own functions, in fp16 and channels
last, with cuDNN's choice by measurement; what does not depend on the picture is computed once before.
Then the whole run is one CUDA graph; with --compile it goes through torch.compile first, which takes
minutes. Files whose name holds "gpen" are run as models/train/gpen/network.py spells GPEN for batches,
since their graphs hold a batch of one. Prints a line of JSON for each: file, batch, median ms.
"""
import argparse
import json
import os
import statistics
import sys

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper

GPEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), *[".."] * 3, "models", "train", "gpen")
# GPEN-512 and below, by the side of the map.
CHANNELS = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64}


def attribute(node, name, default=None):
    for a in node.attribute:
        if a.name == name:
            value = onnx.helper.get_attribute_value(a)
            return value.decode() if isinstance(value, bytes) else value
    return default


def numpy_type(code):
    return numpy_helper.to_array(onnx.TensorProto(data_type=code, dims=[0])).dtype


# ------------------------------------------------------------------ what is known before: numpy

def known(node, inputs):
    """The outputs of a node whose inputs are all known."""
    op = node.op_type
    a = inputs[0] if inputs else None
    if op == "Constant":
        return [numpy_helper.to_array(node.attribute[0].t)]
    if op == "ConstantOfShape":
        value = attribute(node, "value")
        return [np.full(a, numpy_helper.to_array(value)[0] if value is not None else np.float32(0))]
    if op in ("Unsqueeze", "Squeeze"):
        axes = attribute(node, "axes") or [int(i) for i in inputs[1]]
        return [np.expand_dims(a, tuple(axes)) if op == "Unsqueeze" else np.squeeze(a, tuple(axes))]
    if op == "Slice":
        starts, ends, axes, steps = slice_of(node, inputs)
        index = [slice(None)] * a.ndim
        for start, end, axis, step in zip(starts, ends, axes, steps):
            index[axis] = slice(start, end, step)
        return [a[tuple(index)]]
    simple = {
        "Cast": lambda: a.astype(numpy_type(attribute(node, "to"))),
        "Concat": lambda: np.concatenate(inputs, attribute(node, "axis")),
        "Gather": lambda: np.take(a, inputs[1], attribute(node, "axis", 0)),
        "Transpose": lambda: np.transpose(a, attribute(node, "perm")),
        "Reshape": lambda: a.reshape([int(n) or a.shape[i] for i, n in enumerate(inputs[1])]),
        "Add": lambda: a + inputs[1], "Sub": lambda: a - inputs[1], "Mul": lambda: a * inputs[1],
        "Div": lambda: a // inputs[1] if a.dtype.kind == "i" else a / inputs[1],
        "Identity": lambda: a, "Sqrt": lambda: np.sqrt(a), "Pow": lambda: a ** inputs[1],
    }
    return [simple[op]()]


def slice_of(node, inputs):
    if attribute(node, "starts") is not None:
        starts, ends = attribute(node, "starts"), attribute(node, "ends")
        return starts, ends, attribute(node, "axes", range(len(starts))), [1] * len(starts)
    part = [[int(i) for i in x] for x in inputs[1:]]
    starts, ends = part[:2]
    axes = part[2] if len(part) > 2 else list(range(len(starts)))
    return starts, ends, axes, part[3] if len(part) > 3 else [1] * len(starts)


# ------------------------------------------------------------------ what depends on the picture: torch

def padded(node, x, value=0.0):
    """The attribute's padding, symmetric ones as torch takes them, others applied here."""
    pads = attribute(node, "pads", [0, 0, 0, 0])
    if pads[:2] == pads[2:]:
        return x, tuple(pads[:2])
    return F.pad(x, (pads[1], pads[3], pads[0], pads[2]), value=value), (0, 0)


def resize(node, x, inputs):
    sizes = [int(n) for n in inputs[3][2:]] if len(inputs) > 3 and inputs[3] is not None else None
    scales = None if sizes else [float(s) for s in inputs[-1][2:]]
    sizes = sizes or [int(n * s) for n, s in zip(x.shape[2:], scales)]
    if attribute(node, "mode", "nearest") == "nearest":
        return F.interpolate(x, size=sizes)
    return F.interpolate(x, size=sizes, mode="bilinear", align_corners=attribute(
        node, "coordinate_transformation_mode") == "align_corners")


def pool(node, x):
    kernel, strides = attribute(node, "kernel_shape"), attribute(node, "strides", [1, 1])
    x, pads = padded(node, x, float("-inf"))
    ceil = bool(attribute(node, "ceil_mode", 0))
    if node.op_type == "MaxPool":
        return F.max_pool2d(x, kernel, strides, pads, ceil_mode=ceil)
    counts = bool(attribute(node, "count_include_pad", 0))
    return F.avg_pool2d(x, kernel, strides, pads, ceil_mode=ceil, count_include_pad=counts)


def convolve(node, x, w, bias=None):
    strides, group = attribute(node, "strides", [1, 1]), attribute(node, "group", 1)
    if node.op_type == "ConvTranspose":
        return F.conv_transpose2d(x, w, bias, strides, attribute(node, "pads", [0, 0])[:2],
                                  attribute(node, "output_padding", [0, 0]), group)
    x, pads = padded(node, x)
    return F.conv2d(x, w, bias, strides, pads, attribute(node, "dilations", [1, 1]), group)


def bounds(node, x, inputs):
    low = attribute(node, "min", inputs[1] if len(inputs) > 1 else None)
    high = attribute(node, "max", inputs[2] if len(inputs) > 2 else None)
    return x.clamp(None if low is None else float(low), None if high is None else float(high))


def cut(node, x, inputs):
    for start, end, axis, step in zip(*slice_of(node, inputs)):
        index = [slice(None)] * x.dim()
        index[axis] = slice(start, end, step)
        x = x[tuple(index)]
    return x


OPERATORS = {
    "Conv": lambda n, i: convolve(n, *i), "ConvTranspose": lambda n, i: convolve(n, *i),
    "Relu": lambda n, i: F.relu(i[0]), "Sigmoid": lambda n, i: torch.sigmoid(i[0]),
    "LeakyRelu": lambda n, i: F.leaky_relu(i[0], attribute(n, "alpha", 0.01)),
    "Clip": lambda n, i: bounds(n, i[0], i), "Identity": lambda n, i: i[0],
    "Add": lambda n, i: i[0] + i[1], "Sub": lambda n, i: i[0] - i[1],
    "Mul": lambda n, i: i[0] * i[1], "Div": lambda n, i: i[0] / i[1],
    "MaxPool": lambda n, i: pool(n, i[0]), "AveragePool": lambda n, i: pool(n, i[0]),
    "GlobalAveragePool": lambda n, i: i[0].mean((2, 3), keepdim=True),
    "Concat": lambda n, i: torch.cat(i, attribute(n, "axis")),
    "Resize": lambda n, i: resize(n, i[0], i), "Slice": lambda n, i: cut(n, i[0], i),
    "BatchNormalization": lambda n, i: F.batch_norm(i[0], i[3], i[4], i[1], i[2],
                                                    eps=attribute(n, "epsilon", 1e-5)),
    "InstanceNormalization": lambda n, i: F.instance_norm(i[0], weight=i[1], bias=i[2],
                                                          eps=attribute(n, "epsilon", 1e-5)),
    "MatMul": lambda n, i: i[0] @ i[1],
    "Reshape": lambda n, i: i[0].reshape([int(s) or i[0].shape[k] for k, s in enumerate(i[1])]),
    "Expand": lambda n, i: i[0].expand(*torch.broadcast_shapes(tuple(i[0].shape),
                                                               tuple(int(s) for s in i[1]))),
    "Unsqueeze": lambda n, i: i[0].reshape(np.expand_dims(np.empty(tuple(i[0].shape), np.bool_),
                                                          tuple(attribute(n, "axes"))).shape),
    "Transpose": lambda n, i: i[0].permute(attribute(n, "perm")),
}
# Inputs that say how and not what, which stay numbers of the host.
NUMBERS = {"Resize": (1, 2, 3), "Slice": (1, 2, 3, 4), "Reshape": (1,), "Expand": (1,), "Clip": (1, 2)}


class Network(torch.nn.Module):
    """The graph of @path for inputs of one size; weights are buffers in half precision."""

    def __init__(self, path, dtype):
        super().__init__()
        self.graph = onnx.load(path).graph
        self.dtype, self.known, self.steps = dtype, {}, []
        for tensor in self.graph.initializer:
            self.known[tensor.name] = numpy_helper.to_array(tensor)
        (self.entry,) = [i.name for i in self.graph.input if i.name not in self.known]

    def weight(self, value):
        name = f"weight{len(self._buffers)}"
        tensor = torch.from_numpy(np.array(value)).to(self.dtype)
        if tensor.dim() == 4:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        self.register_buffer(name, tensor)
        return name

    @torch.no_grad()
    def prepare(self, x):
        """Finds the steps that depend on the picture; @x is one of the size to come."""
        known_values, data = dict(self.known), {self.entry: x}
        for node in self.graph.node:
            names = list(node.input)
            if node.op_type == "Shape" and names[0] in data:
                known_values[node.output[0]] = np.array(data[names[0]].shape, np.int64)
                continue
            if not any(n in data for n in names):
                values = [known_values[n] if n else None for n in names]
                for name, value in zip(node.output, known(node, values)):
                    known_values[name] = value
                continue
            numbers = NUMBERS.get(node.op_type, ())
            sources = []
            for k, name in enumerate(names):
                if name in data:
                    sources.append(("data", name))
                elif k in numbers or not name:
                    sources.append(("number", known_values[name] if name else None))
                else:
                    sources.append(("weight", self.weight(known_values[name])))
            self.steps.append((node, sources))
            data[node.output[0]] = self.step(node, sources, data)
        self.known = {}
        return self

    def step(self, node, sources, data):
        take = {"data": lambda s: data[s], "number": lambda s: s,
                "weight": lambda s: getattr(self, s).to(next(iter(data.values())).device)}
        return OPERATORS[node.op_type](node, [take[kind](source) for kind, source in sources])

    def forward(self, x):
        data = {self.entry: x}
        for node, sources in self.steps:
            data[node.output[0]] = self.step(node, sources, data)
        return data[self.graph.output[0].name]


class Mixed(torch.nn.Module):
    """@model in fp16 where autocast says so."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        with torch.autocast(x.device.type, torch.float16, cache_enabled=False):
            return self.model(x)


def gpen(side):
    sys.path.insert(0, GPEN)
    import network  # pylint: disable=import-error,import-outside-toplevel
    return network.Gpen({r: c for r, c in CHANNELS.items() if r <= side}, 512)


def build(path, shape, batch, device, dtype):
    x = torch.rand(batch, *shape, device=device, dtype=dtype)
    x = x.contiguous(memory_format=torch.channels_last)
    if "gpen" in os.path.basename(path):
        model = Mixed(gpen(shape[1])).to(device)
    else:
        model = Network(path, dtype).to(device).prepare(x).to(device)
    return model.eval().requires_grad_(False), x


@torch.no_grad()
def time_of(model, x, compiled):
    """Median of 20 runs of a CUDA graph, ms."""
    run = torch.compile(model) if compiled else model
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(5):
            run(x)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run(x)
    times = []
    for _ in range(25):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times[5:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("networks", nargs="+", metavar="NETWORK.onnx=CxHxW")
    options = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    for spec in options.networks:
        path, _, shape = spec.rpartition("=")
        shape = [int(n) for n in shape.split("x")]
        for batch in options.batch:
            model, x = build(path, shape, batch, "cuda", torch.float16)
            line = {"file": os.path.basename(path), "batch": batch,
                    "ms": time_of(model, x, options.compile)}
            print(json.dumps(line), flush=True)
            del model, x
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
