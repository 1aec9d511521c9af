#!/usr/bin/python3
"""Times the engine against ONNX Runtime on the same networks, machine and tensors.

SPDX-License-Identifier: LGPL-2.1-or-later

    bench-cpu.py NN-RUN MODEL.onnx[:NAME=1x3x512x512[,NAME=...]] ...

The two take turns, --rounds times, --repeat timed runs each after a warm-up, so that what else the
machine does hits both. Prints the median of all rounds' medians, the least time of all, and their
ratios (ONNX Runtime's time by ours: above 1 we are faster). ONNX Runtime has two threads and all its
optimisations. Needs python3-onnx, python3-numpy, node and npm.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import onnx

NN_TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "nn")
ONNX_RUNTIME = ["onnxruntime-node@1.30.0", "onnxruntime-common@1.30.0"]


def write_inputs(path, shapes, folder):
    """Random arrays in 0..1 for every input that is no weight; the options that name them."""
    graph = onnx.load(path).graph
    weights = {tensor.name for tensor in graph.initializer}
    rng = np.random.default_rng(1)
    options = []
    for value in graph.input:
        if value.name in weights:
            continue
        tensor = value.type.tensor_type
        shape = [dim.dim_value for dim in tensor.shape.dim]
        if value.name in shapes:
            shape = [int(n) for n in shapes[value.name].split("x")]
        shape = [max(n, 1) for n in shape]
        file = os.path.join(folder, f"{len(options)}.npy")
        dtype = onnx.mapping.TENSOR_TYPE_TO_NP_TYPE[tensor.elem_type]
        np.save(file, rng.random(shape).astype(dtype))
        options += ["--input", f"{value.name}={file}"]
    return options


def times(command, repeat):
    done = subprocess.run([*command, "--repeat", str(repeat), "--json"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit((done.stderr.strip().splitlines() or ["no message"])[-1])
    said = json.loads(done.stdout)
    return said["median_ms"], said["min_ms"]


def bench(spec, args, folder):
    path, _, shapes = spec.partition(":")
    pairs = dict(pair.rsplit("=", 1) for pair in shapes.split(",") if pair)
    inputs = write_inputs(path, pairs, folder)
    ours = [args.nn_run, path, "--device", args.device, "--precision", "fp32", *inputs]
    theirs = ["node", os.path.join(NN_TESTS, "ort-run.mjs"), path, *inputs]
    results = {"ours": [], "theirs": []}
    for _ in range(args.rounds):
        results["ours"].append(times(ours, args.repeat))
        results["theirs"].append(times(theirs, args.repeat))
    median = {who: statistics.median(t[0] for t in runs) for who, runs in results.items()}
    least = {who: min(t[1] for t in runs) for who, runs in results.items()}
    print(f"{os.path.basename(path):28} {median['ours']:9.2f} {median['theirs']:9.2f} "
          f"{median['theirs'] / median['ours']:6.2f}   {least['ours']:9.2f} "
          f"{least['theirs']:9.2f} {least['theirs'] / least['ours']:6.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nn_run")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    runtime = subprocess.run([os.path.join(NN_TESTS, "get-package"), *ONNX_RUNTIME],
                             stdout=subprocess.PIPE, text=True)
    if runtime.returncode != 0:
        sys.exit(runtime.returncode)
    os.environ["CLMATTE_ORT"] = runtime.stdout.strip()
    print(f"{'':28} {'median ms':>19} {'':6}   {'least ms':>19}")
    print(f"{'network':28} {'ours':>9} {'ORT':>9} {'ratio':>6}   {'ours':>9} {'ORT':>9} "
          f"{'ratio':>6}")
    for spec in args.models:
        with tempfile.TemporaryDirectory() as folder:
            bench(spec, args, folder)


if __name__ == "__main__":
    main()
