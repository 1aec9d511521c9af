#!/usr/bin/python3
"""Times the engine against ONNX Runtime on the same networks, machine and tensors.

SPDX-License-Identifier: LGPL-2.1-or-later

    bench-cpu.py [--profile] NN-RUN MODEL.onnx[:NAME=1x3x512x512[,NAME=...]] ...

The two take turns, --rounds times, --repeat timed runs each after a warm-up, so that what else the
machine does hits both. Prints the median of all rounds' medians, the least time of all, and their
ratios (ONNX Runtime's time by ours: above 1 we are faster). ONNX Runtime has two threads and all its
optimisations.

--profile looks at our side instead: what each kernel took (medians of --repeat runs), launches, memory,
the time from the file to the first frame (the least of the rounds, after one that fills the caches),
and what a frame costs in batches of one and of four, in turns. Names what breaks a limit (arena at most
1.15 times what lives at once, first frame within 1 s, batches of four no slower per frame) and then
ends with status 1.

Needs python3-onnx and python3-numpy, without --profile also node and npm.
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
from onnx import numpy_helper

NN_TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "nn")
ONNX_RUNTIME = ["onnxruntime-node@1.30.0", "onnxruntime-common@1.30.0"]


def write_inputs(path, shapes, folder, batch=1):
    """Random arrays in 0..1 for every input that is no weight; the options that name them. Pictures
    come @batch at a time, what else goes in is shared by all."""
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
        if len(shape) == 4:
            shape[0] *= batch
        file = os.path.join(folder, f"{batch}-{len(options)}.npy")
        dtype = numpy_helper.to_array(onnx.TensorProto(data_type=tensor.elem_type, dims=[0])).dtype
        np.save(file, rng.random(shape).astype(dtype))
        options += ["--input", f"{value.name}={file}"]
    return options


def run(command, repeat):
    done = subprocess.run([*command, "--repeat", str(repeat), "--json"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit((done.stderr.strip().splitlines() or ["no message"])[-1])
    return json.loads(done.stdout)


def times(command, repeat):
    said = run(command, repeat)
    return said["median_ms"], said["min_ms"]


def parse_spec(spec):
    path, _, shapes = spec.partition(":")
    return path, dict(pair.rsplit("=", 1) for pair in shapes.split(",") if pair)


def rate(row):
    return f"{row['gflops']:8.1f} GFLOP/s" if row["gflops"] > 0 else f"{row['gbytes_per_s']:8.1f} GB/s   "


def print_profile(said):
    for group in said["kernels"]:
        print(f"  {group['kernel']:28} {group['launches']:4} launches {group['ms']:9.3f} ms "
              f"{100 * group['share']:5.1f} % {rate(group)}")
    print("  the most expensive launches:")
    for line in sorted(said["profile"], key=lambda line: -line["ms"])[:10]:
        print(f"  {line['kernel']:28} {line['shape']:34} {line['ms']:9.3f} ms "
              f"{100 * line['share']:5.1f} % {rate(line)}")


def profile(spec, args, folder):
    """Returns what breaks a limit, in words."""
    path, pairs = parse_spec(spec)
    ours = [args.nn_run, path, "--device", args.device, "--precision", "fp32"]
    inputs = {batch: write_inputs(path, pairs, folder, batch) for batch in (1, 4)}
    run([*ours, *inputs[1]], 1)
    said = run([*ours, *inputs[1], "--profile"], args.repeat)
    first = min((run([*ours, *inputs[1]], 1) for _ in range(args.rounds)),
                key=lambda one: one["first_frame_ms"])
    frame = {1: [], 4: []}
    for _ in range(args.rounds):
        for batch, runs in frame.items():
            runs.append(run([*ours, *inputs[batch]], args.repeat)["min_ms"] / batch)
    least = {batch: min(runs) for batch, runs in frame.items()}
    ratio = said["arena_b"] / max(said["arena_lower_bound_b"], 1)
    print(f"{os.path.basename(path)}: {said['launches']} launches, median {said['median_ms']:.2f} ms")
    print_profile(said)
    print(f"  memory: arena {said['arena_b'] / 2**20:.1f} MiB, {ratio:.3f} of what lives at once; "
          f"weights {said['weights_b'] / 2**20:.1f} MiB, resident at most "
          f"{said['peak_resident_b'] / 2**20:.1f} MiB")
    print(f"  first frame after {first['first_frame_ms']:.0f} ms: " + ", ".join(
        f"{part} {first[part + '_ms']:.0f}" for part in ("load", "device", "build", "slot",
                                                         "first_run")))
    print(f"  a frame in a batch of one {least[1]:.2f} ms, of four {least[4]:.2f} ms "
          f"({least[1] / least[4]:.2f} times as fast)", flush=True)
    limits = [(ratio > 1.15, "arena"), (first["first_frame_ms"] > 1000, "first frame"),
              (least[4] > 1.03 * least[1], "batch of four")]
    return [f"{os.path.basename(path)}: {what}" for broken, what in limits if broken]


def bench(spec, args, folder):
    path, pairs = parse_spec(spec)
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
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    if args.profile:
        broken = []
        for spec in args.models:
            with tempfile.TemporaryDirectory() as folder:
                broken += profile(spec, args, folder)
        sys.exit("beyond its limit: " + "; ".join(broken) if broken else 0)
    runtime = subprocess.run([os.path.join(NN_TESTS, "get-package"), *ONNX_RUNTIME],
                             stdout=subprocess.PIPE, text=True)
    if runtime.returncode != 0:
        sys.exit(runtime.returncode)
    os.environ["CLMATTE_ORT"] = runtime.stdout.strip()
    # A core of its own for each of PoCL's threads, as ONNX Runtime has it for its own.
    os.environ.setdefault("POCL_AFFINITY", "1")
    print(f"{'':28} {'median ms':>19} {'':6}   {'least ms':>19}")
    print(f"{'network':28} {'ours':>9} {'ORT':>9} {'ratio':>6}   {'ours':>9} {'ORT':>9} "
          f"{'ratio':>6}")
    for spec in args.models:
        with tempfile.TemporaryDirectory() as folder:
            bench(spec, args, folder)


if __name__ == "__main__":
    main()
