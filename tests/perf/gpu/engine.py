#!/usr/bin/env python3
"""On a GPU host: every network against ONNX Runtime, then timed, as a table.

SPDX-License-Identifier: LGPL-2.1-or-later

    engine.py NN-RUN FOLDER     FOLDER holds the networks (see NETWORKS)

Errors are the largest difference by the range of the output, at batch 2; times are medians in ms of
nn-run at batch 1 and 8. Needs onnx, onnxruntime and numpy.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime

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


def main():
    command, folder = sys.argv[1:3]
    print(f"{'network':26} {'precision':9} {'error':>9} {'batch 1':>9} {'batch 8':>9}  launches",
          flush=True)
    for file, name, shape in NETWORKS:
        path = os.path.join(folder, file)
        if not os.path.exists(path):
            continue
        for precision in ("fp16", "fp32"):
            with tempfile.TemporaryDirectory() as scratch:
                wrong = error(command, path, name, shape, precision, scratch)
            times, launches = [], ""
            for batch in (1, 8):
                dims = "x".join(str(n) for n in (batch, *shape))
                said, problem = nn_run(command, [path, "--shape", f"{name}={dims}", "--precision",
                                                 precision, "--repeat", "20"])
                times.append(f"{said['median_ms']:9.3f}" if said else problem)
                launches = said.get("launches", "") if said else launches
            print(f"{file:26} {precision:9} {wrong:>9} {times[0]} {times[1]}  {launches}",
                  flush=True)


if __name__ == "__main__":
    main()
