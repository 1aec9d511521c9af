#!/usr/bin/python3
"""Compares a network computed in halves with the same in floats, on pictures.

SPDX-License-Identifier: LGPL-2.1-or-later

    compare-halves.py [--device D] --pictures FILE ... -- NN-RUN MODEL.onnx=PREPARATION[:SIDE] ...

PREPARATION is what the network takes pictures as: "unit" for 0..1, "signed" for -1..1, "centred" for
-0.5..0.5, "imagenet" for 0..1 less ImageNet's mean by its deviation. SIDE is for networks that leave
their size open. The table has the differences of the matte, the first output of one channel, in
255ths: the largest, the one that one pixel in a thousand exceeds, the mean; the picture with the
largest; and the largest as a share of what the matte ranges over, which is what counts with random
weights. Ends with status 1 if a matte is out of --worst or --mean. Needs python3-onnx, python3-numpy
and python3-pil, and nothing of the network.
"""
import argparse
import importlib.util
import os
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("compare_ort", os.path.join(HERE, "compare-ort.py"))
compare_ort = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compare_ort)

# Subtracted from pictures in 0..1, and what they are divided by then.
PREPARATIONS = {
    "unit": ([0, 0, 0], [1, 1, 1]),
    "signed": ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]),
    "centred": ([0.5, 0.5, 0.5], [1, 1, 1]),
    "imagenet": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
}


def picture_input(model, preparation, side, pictures):
    """The name of the network's input, and the pictures as one batch for it."""
    (name, dtype, shape), = compare_ort.graph_inputs(model)
    channels = 3 if shape[3] == 3 else 1
    shape = [1 if i == 0 else n or side for i, n in enumerate(shape)]
    if 0 in shape:
        sys.exit(f"{model}: its size is open: give MODEL={preparation}:SIDE")
    batch = np.concatenate([compare_ort.photo(path, shape, 0) for path in pictures])
    along = [-1 if i == channels else 1 for i in range(4)]
    mean, deviation = (np.reshape(n, along) for n in PREPARATIONS[preparation])
    return name, ((batch - mean) / deviation).astype(dtype)


def matte(command, name, batch):
    """The first output of one channel, [picture][pixel] in float64, and the device's name."""
    with tempfile.TemporaryDirectory() as folder:
        outputs, said = compare_ort.run(command, os.path.join(folder, "run"), {name: batch})
    pixels = batch.size // 3
    array = next(array for array in outputs.values() if array.size == pixels)
    return array.reshape(len(batch), -1).astype(np.float64), said["device"]


def compare(args, model, preparation, side):
    """Prints a row of the table; whether the matte is within the limits."""
    name, batch = picture_input(model, preparation, side, args.pictures)
    command = [args.nn_run, model, "--device", args.device, "--repeat", "1", "--precision"]
    floats, device = matte(command + ["fp32"], name, batch)
    halves, _ = matte(command + ["fp16"], name, batch)
    error = np.abs(halves - floats) * 255
    worst, mean = error.max(), error.mean()
    share = worst / 255 / max(floats.max() - floats.min(), 1e-30)
    picture = os.path.basename(args.pictures[error.max(axis=1).argmax()])
    print(f"| {os.path.basename(model)} | {worst:.2f} | {np.quantile(error, 0.999):.2f} | "
          f"{mean:.3f} | {picture} | {share:.1%} | {device}", flush=True)
    return worst <= args.worst and mean <= args.mean


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nn_run")
    parser.add_argument("models", nargs="+", metavar="MODEL.onnx=PREPARATION[:SIDE]")
    parser.add_argument("--pictures", nargs="+", required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--worst", type=float, default=2)
    parser.add_argument("--mean", type=float, default=0.2)
    args = parser.parse_args()

    print("| network | worst | 99.9 % | mean | picture | of range | device")
    print("|---|---|---|---|---|---|---")
    good = True
    for model in args.models:
        path, _, preparation = model.rpartition("=")
        preparation, _, side = preparation.partition(":")
        if preparation not in PREPARATIONS:
            sys.exit(f"{model}: give MODEL.onnx={'|'.join(PREPARATIONS)}")
        good = compare(args, path, preparation, int(side or 0)) and good
    sys.exit(not good)


if __name__ == "__main__":
    main()
