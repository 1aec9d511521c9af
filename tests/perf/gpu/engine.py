#!/usr/bin/env python3
"""On a GPU host: every network against ONNX Runtime, then timed, as a table.

SPDX-License-Identifier: LGPL-2.1-or-later

    engine.py [--precision P ...] [--batch N ...] [--profiles DIR] [--tiles] [--pytorch] NN-RUN FOLDER

FOLDER holds the networks (see NETWORKS). Errors are the largest difference by the range of the output,
at batch 2; times are medians of nn-run in ms. --profiles writes the time of every launch to a file per
network and batch, and prints what the kernels took in all. --tiles then runs every convolution with
every tile of tensor cores and prints where another one is faster. --pytorch times PyTorch, too, by
pytorch.py beside this file (fp16), and adds how many times as long it takes. Needs numpy; without
onnxruntime there are no errors to tell.
"""
import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

# File, the input's shape, other inputs by value.
NETWORKS = [
    ("selfie_segmentation.onnx", "input_1:0", (256, 256, 3)),
    ("u2netp.onnx", "input.1", (3, 320, 320)),
    ("unet.onnx", "input", (3, 512, 512)),
    ("modnet.onnx", "input", (3, 512, 512)),
    ("isnet.onnx", "input", (3, 1024, 1024)),
    ("gpen-256.onnx", "input", (3, 256, 256)),
    ("gpen-512.onnx", "input", (3, 512, 512)),
]
# Ways to run a convolution on tensor cores (the table in gst/nn/launch_conv.c); a layer that one does
# not fit takes conv_tensor.
TILES = (["conv_tensor:" + tile for tile in ("128x128", "128x96", "128x64", "256x32", "128x32",
                                             "256x16", "128x16", "small")] +
         ["conv_wgmma:" + tile for tile in ("128x256", "128x128", "128x128deep", "128x64",
                                            "128x64deep")] +
         ["conv_halo:" + tile for tile in ("8x256", "8x128", "8x128deep", "16x64", "8x64", "16x32",
                                           "8x32", "16x16", "8x16")] +
         ["conv_held:4", "conv_held:3", "conv_held:2"])
TENSOR_CORES = ("conv_first", "conv_tensor", "conv_wgmma", "conv_halo", "conv_held")


def nn_run(command, arguments):
    done = subprocess.run([command, *arguments, "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        return None, (done.stderr.strip().splitlines() or ["no message"])[-1]
    return json.loads(done.stdout), None


def reference(path, name, samples):
    """One run per sample: some exports hold batch 1 in their Reshapes."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    runs = [session.run(None, {name: sample[None]}) for sample in samples]
    names = [output.name for output in session.get_outputs()]
    return {n: np.concatenate([run[i] for run in runs]) for i, n in enumerate(names)}


def error(command, path, name, shape, precision, folder):
    if onnxruntime is None:
        return "-"
    rng = np.random.default_rng(1)
    samples = rng.random((2, *shape)).astype(np.float32)
    np.save(os.path.join(folder, "in.npy"), samples)
    said, problem = nn_run(command, [path, "--input", f"{name}={folder}/in.npy", "--output-dir",
                                     folder, "--precision", precision, "--repeat", "1"])
    if problem:
        return problem
    first = said["outputs"][0]["name"]
    ours = np.load(os.path.join(folder, first + ".npy")).astype(np.float64)
    theirs = reference(path, name, samples)[first].astype(np.float64)
    return f"{np.abs(ours - theirs).max() / (theirs.max() - theirs.min()):.1e}"


def profile(command, path, name, dims, precision, *arguments):
    """Milliseconds by kernel, and by kernel and shapes, of one run; and nn-run's JSON."""
    said, problem = nn_run(command, [path, "--shape", f"{name}={dims}", "--precision", precision,
                                     "--repeat", "3", "--profile", *arguments])
    kernels, layers = collections.Counter(), collections.Counter()
    for line in said["profile"] if said else []:
        kernels[line["kernel"]] += line["ms"]
        family = "conv" if line["kernel"] in TENSOR_CORES else line["kernel"]
        layers[family, line["shape"]] += line["ms"]
    return kernels, layers, said or problem


def print_profile(command, path, name, dims, precision, options):
    kernels, layers, said = profile(command, path, name, dims, precision)
    print("  " + ", ".join(f"{kernel} {ms:.2f}" for kernel, ms in kernels.most_common(8)), flush=True)
    label = f"{os.path.basename(path)}-{precision}-{dims.split('x', 1)[0]}.json"
    with open(os.path.join(options.profiles, label), "w", encoding="utf-8") as out:
        json.dump(said, out, indent=1)
    if not options.tiles:
        return
    ways = {tile: profile(command, path, name, dims, precision, "--variant", tile)[1]
            for tile in TILES}
    for key, ms in layers.most_common():
        best = min(TILES, key=lambda tile: ways[tile][key] or ms)
        if key[0] == "conv" and ways[best][key] < 0.92 * ms:
            print(f"  {key[1]:44} {ms:.3f} ms, with {best} {ways[best][key]:.3f}", flush=True)


def pytorch_ms(options, path, shape):
    """Milliseconds by batch; nothing where PyTorch fails."""
    if not options.pytorch or shape[0] != 3:
        return {}
    command = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "pytorch.py"),
               f"{path}={'x'.join(map(str, shape))}", "--batch", *map(str, options.batch)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"  PyTorch: {(done.stderr.strip().splitlines() or ['no message'])[-1]}", flush=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["batch"]: line["ms"] for line in lines}


def measure(options, path, name, shape, precision):
    with tempfile.TemporaryDirectory() as scratch:
        wrong = error(options.command, path, name, shape, precision, scratch)
    times, launches, peer = [], "", pytorch_ms(options, path, shape)
    for batch in options.batch:
        dims = "x".join(str(n) for n in (batch, *shape))
        said, problem = nn_run(options.command, [path, "--shape", f"{name}={dims}", "--precision",
                                                 precision, "--repeat", "20"])
        times.append(f"{said['median_ms']:9.3f}" if said else problem)
        if said and batch in peer:
            times.append(f"(PyTorch {peer[batch]:.3f}, {peer[batch] / said['median_ms']:.2f}x)")
        launches = said.get("launches", "") if said else launches
    print(f"{os.path.basename(path):26} {precision:9} {wrong:>9} {' '.join(times)}  {launches}",
          flush=True)
    if options.profiles:
        print_profile(options.command, path, name, dims, precision, options)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--precision", nargs="+", default=["fp16", "fp32"])
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--profiles")
    parser.add_argument("--tiles", action="store_true")
    parser.add_argument("--pytorch", action="store_true")
    parser.add_argument("command", metavar="NN-RUN")
    parser.add_argument("folder", metavar="FOLDER")
    options = parser.parse_args()
    if options.profiles:
        os.makedirs(options.profiles, exist_ok=True)
    heads = " ".join(f"{'batch ' + str(batch):>9}" for batch in options.batch)
    print(f"{'network':26} {'precision':9} {'error':>9} {heads}  launches", flush=True)
    for file, name, shape in NETWORKS:
        path = os.path.join(options.folder, file)
        for precision in options.precision if os.path.exists(path) else []:
            measure(options, path, name, shape, precision)


if __name__ == "__main__":
    main()
