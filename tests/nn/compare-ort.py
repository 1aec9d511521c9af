#!/usr/bin/python3
"""Compares the project's engine with ONNX Runtime, output by output.

SPDX-License-Identifier: LGPL-2.1-or-later

    compare-ort.py [--device D] [--precision P] [--shape NAME=1x3x256x256] [--value NAME=0.25]
                   NN-RUN MODEL.onnx ...

Every model runs on seeded random inputs, or on a --picture, at each --batch (default 1 and 3). An
error is the largest difference divided by the range of the output in ONNX Runtime, and may be
--tolerance at most. The last sample of a batch also has to be the same, bit for bit, when it runs
alone, or with --like as the first of as many. Ends with status 77 ("skipped") where ONNX Runtime cannot be had. Needs python3-onnx,
python3-numpy, python3-pil, node and npm.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
ONNX_RUNTIME = ["onnxruntime-node@1.30.0", "onnxruntime-common@1.30.0"]


def parse_pairs(pairs):
    return dict(pair.rsplit("=", 1) for pair in pairs)


def graph_inputs(path):
    """Name, element type and shape (0 where open) of each input that is no weight."""
    graph = onnx.load(path).graph
    weights = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        tensor = value.type.tensor_type
        if value.name not in weights:
            dtype = numpy_helper.to_array(onnx.TensorProto(data_type=tensor.elem_type, dims=[0])).dtype
            yield value.name, dtype, [dim.dim_value for dim in tensor.shape.dim]


def blobs(rng, shape):
    """Random patches of two sizes under noise, in 0..1: more like a picture than noise alone."""
    result = rng.random(shape)
    if len(shape) != 4:
        return result
    high = shape[1] if shape[1] > 4 else shape[2]
    for step in (high // 4, high // 16):
        if step > 1:
            coarse = rng.random([1 + n // step for n in shape])
            index = [np.arange(n) // (step if n > 4 else 1) for n in shape]
            index = np.ix_(*[np.minimum(i, n - 1) for i, n in zip(index, coarse.shape)])
            result = 0.3 * result + 0.7 * coarse[index]
    return result


def photo(path, shape, shift):
    """The picture in the shape of a tensor, 0..1, rolled sideways by @shift of its width."""
    planar = shape[1] == 3
    height, width = shape[2:] if planar else shape[1:3]
    image = Image.open(path).convert("RGB").resize((width, height))
    pixels = np.roll(np.asarray(image) / 255, int(shift * width), axis=1)
    return (pixels.transpose(2, 0, 1) if planar else pixels)[np.newaxis]


def make_inputs(path, args, batch, rng):
    """An array of @batch samples per input. What --value gives stays as it is, and a single element
    is 0: the states of a recurrent network before its first frame."""
    shapes, values = parse_pairs(args.shape), parse_pairs(args.value)
    inputs = {}
    for name, dtype, shape in graph_inputs(path):
        if name in values:
            inputs[name] = np.full(shape, float(values[name]), dtype)
            continue
        if name in shapes:
            shape = [int(n) for n in shapes[name].split("x")]
        elif shape and shape[0] == 0:
            shape = [1] + shape[1:]
        if 0 in shape:
            sys.exit(f"{path}: input {name} is open: give --shape {name}=...")
        if np.prod(shape) == 1:
            inputs[name] = np.zeros(shape, dtype)
            continue
        if args.picture and len(shape) == 4 and 3 in (shape[1], shape[3]):
            samples = [photo(args.picture, shape, i / 8) for i in range(batch)]
        else:
            samples = [blobs(rng, shape) for _ in range(batch)]
        low, high = (float(limit) for limit in args.range.split(","))
        inputs[name] = (low + (high - low) * np.concatenate(samples)).astype(dtype)
    return inputs


def run(command, folder, inputs):
    """Runs nn-run or ort-run on @inputs; the results and what it said in JSON."""
    command = list(command) + ["--json", "--output-dir", folder]
    os.makedirs(folder)
    for name, array in inputs.items():
        path = os.path.join(folder, "in_" + name.replace("/", "_") + ".npy")
        np.save(path, array)
        command += ["--input", f"{name}={path}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1])
    said = json.loads(done.stdout)
    names = [output["name"] for output in said["outputs"]]
    return {name: np.load(os.path.join(folder, name.replace("/", "_") + ".npy"))
            for name in names}, said


def relative_error(ours, theirs):
    """The largest difference as a share of the range; infinite where the shapes differ."""
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return float("inf")
    if ours.size == 0 or np.array_equal(ours, theirs):
        return 0.0
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    error = np.abs(ours - theirs).max() / max(theirs.max() - theirs.min(), 1e-30)
    return error if np.isfinite(error) else float("inf")


def last_sample(array, batch):
    return array if array.ndim == 0 or array.shape[0] % batch else np.split(array, batch)[-1]


def last_sample_first(array, batch):
    samples = np.split(array, batch)
    return np.concatenate(samples[-1:] + samples[:-1])


def check_alone(nn_run, folder, inputs, outputs, batch, same_size):
    """The names of outputs whose last sample differs, in any bit, when it runs alone; or, with
    @same_size, as the first of as many: kernels for GPUs are chosen by their number."""
    other = last_sample_first if same_size else last_sample
    others = {name: array if array.size == 1 or array.shape[0] % batch else other(array, batch)
              for name, array in inputs.items()}
    results, _ = run(nn_run, folder, others)
    if same_size:
        results = {name: np.split(array, batch)[0] for name, array in results.items()}
    return [name for name, array in results.items()
            if array.tobytes() != last_sample(outputs[name], batch).tobytes()]


def compare(path, args, batch, folder):
    """Prints one line per output; the number of failures."""
    inputs = make_inputs(path, args, batch, np.random.default_rng(args.seed))
    nn_run = [args.nn_run, path, "--device", args.device, "--precision", args.precision,
              "--repeat", str(args.repeat)]
    if args.like:
        nn_run += ["--like", args.like]
    ort_run = ["node", os.path.join(HERE, "ort-run.mjs"), path, "--repeat", str(args.repeat)]
    if args.single:
        ort_run.append("--single")
    name = os.path.basename(path)
    try:
        theirs, their_json = run(ort_run, os.path.join(folder, "theirs"), inputs)
        ours, our_json = run(nn_run, os.path.join(folder, "ours"), inputs)
        different = [] if batch == 1 else check_alone(nn_run, os.path.join(folder, "alone"),
                                                      inputs, ours, batch, args.like)
    except RuntimeError as error:
        print(f"FAIL {name} batch {batch}: {error}")
        return 1
    failures = 0
    for output, reference in theirs.items():
        error = relative_error(ours[output], reference)
        ok = error <= args.tolerance and output not in different
        failures += not ok
        shape = "x".join(str(n) for n in reference.shape)
        note = ", differs when alone" if output in different else ""
        print(f"{'ok  ' if ok else 'FAIL'} {name} batch {batch} {output} {shape} in "
              f"{reference.min():.4g}..{reference.max():.4g}: error {error:.2e}{note}")
    print(f"     {name} batch {batch}: {our_json['median_ms']:.1f} ms on {our_json['device']}; "
          f"{their_json['median_ms']:.1f} ms in {their_json['device']}")
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nn_run")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--batch", type=int, action="append")
    parser.add_argument("--shape", action="append", default=[], metavar="NAME=1x3x256x256")
    parser.add_argument("--value", action="append", default=[], metavar="NAME=0.25")
    parser.add_argument("--picture", help="feed this picture instead of random numbers")
    parser.add_argument("--range", default="0,1", metavar="LOW,HIGH",
                        help="what the network takes for black and white")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--like", help="nn-run has a CPU stand in for this kind of GPU")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--single", action="store_true",
                        help="ONNX Runtime takes one sample at a time, whatever the model allows")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()

    runtime = subprocess.run([os.path.join(HERE, "get-package"), *ONNX_RUNTIME],
                             stdout=subprocess.PIPE, text=True)
    if runtime.returncode != 0:
        sys.exit(runtime.returncode)
    os.environ["CLMATTE_ORT"] = runtime.stdout.strip()
    failures = 0
    for path in args.models:
        for batch in args.batch or [1, 3]:
            with tempfile.TemporaryDirectory() as folder:
                failures += compare(path, args, batch, folder)
            sys.stdout.flush()
    print(f"{failures} failures" if failures else "all agree")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
