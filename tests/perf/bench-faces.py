#!/usr/bin/python3
"""Counts the faces that gpenenhance restores in a second: many at once, one by one, and by themselves
in ONNX Runtime.

SPDX-License-Identifier: LGPL-2.1-or-later

    bench-faces.py --model gpen-256.onnx [--detector yunet.onnx] [--device cpu] PHOTO

The photo is a video of --frames equal frames. The ways take turns, --rounds times; printed are the
best and the median of each, from the first frame that comes out to the last one, with everything:
upload, detection, restoration, paste, readback. ONNX Runtime runs the restoring network alone on
random numbers, with two threads on the CPU: that it does less counts in its favour.

Needs python3-gi, python3-numpy, and node and npm for ONNX Runtime (--no-ort does without). The
plugin must be in GST_PLUGIN_PATH.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import gi
import numpy as np

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

NN_TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "nn")
ONNX_RUNTIME = ["onnxruntime-node@1.30.0", "onnxruntime-common@1.30.0"]


def wait(pipeline, kinds):
    message = pipeline.get_bus().timed_pop_filtered(600 * Gst.SECOND, kinds | Gst.MessageType.ERROR)
    if not message or message.type == Gst.MessageType.ERROR:
        sys.exit(f"the pipeline failed: {message and message.parse_error()}")


def element_rate(args, properties):
    """Faces in a second of the element with these properties."""
    pipeline = Gst.parse_launch(
        f'filesrc location="{args.photo}" ! decodebin ! imagefreeze num-buffers={args.frames} ! '
        'videoconvert ! video/x-raw,format=I420,framerate=25/1 ! '
        f'gpenenhance name=enhance device="{args.device}" detector-file="{args.detector}" '
        f'model-file="{args.model}" similarity=-1 precision={args.precision} max-faces=1024 '
        f'{properties} ! fakesink name=sink sync=false')
    times = []
    pad = pipeline.get_by_name("sink").get_static_pad("sink")

    def note(_pad, _info):
        times.append(time.monotonic())
        return Gst.PadProbeReturn.OK

    pad.add_probe(Gst.PadProbeType.BUFFER, note)
    pipeline.set_state(Gst.State.PLAYING)
    wait(pipeline, Gst.MessageType.EOS)
    faces = pipeline.get_by_name("enhance").get_property("stats").get_uint64("faces-restored")[1]
    pipeline.set_state(Gst.State.NULL)
    if faces == 0:
        sys.exit("no face was found in the photo")
    # Frames leave batch by batch: what came with the first batch is not counted.
    later = [at for at in times if at - times[0] > 1e-3]
    first = len(times) - len(later)
    return faces * len(later) / len(times) / (times[-1] - times[first - 1])


def network_side(path):
    import onnx  # only here, so that the rest runs without it
    value = onnx.load(path, load_external_data=False).graph.input[0]
    return value.name, [max(dim.dim_value, 1) for dim in value.type.tensor_type.shape.dim]


def ort_rate(args, folder):
    name, shape = network_side(args.model)
    picture = os.path.join(folder, "picture.npy")
    np.save(picture, np.random.default_rng(1).random(shape, dtype=np.float32))
    done = subprocess.run(["node", os.path.join(NN_TESTS, "ort-run.mjs"), args.model, "--input",
                           f"{name}={picture}", "--repeat", "5", "--json"], check=True,
                          stdout=subprocess.PIPE, text=True)
    return 1000 / json.loads(done.stdout)["median_ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--detector", default="", help="instead of the one that ships")
    parser.add_argument("--model", required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--face-batch-size", type=int, default=8)
    parser.add_argument("--no-ort", action="store_true")
    parser.add_argument("photo")
    args = parser.parse_args()
    Gst.init(None)
    ways = {
        "many at once": lambda: element_rate(
            args, f"batch-size={args.batch_size} face-batch-size={args.face_batch_size}"),
        "one by one": lambda: element_rate(args, "batch-size=1 face-batch-size=1 inflight=1"),
    }
    with tempfile.TemporaryDirectory() as folder:
        if not args.no_ort:
            if "CLMATTE_ORT" not in os.environ:
                os.environ["CLMATTE_ORT"] = subprocess.run(
                    [os.path.join(NN_TESTS, "get-package"), *ONNX_RUNTIME], check=True,
                    stdout=subprocess.PIPE, text=True).stdout.strip()
            ways["network alone in ONNX Runtime"] = lambda: ort_rate(args, folder)
        rates = {way: [] for way in ways}
        for _ in range(args.rounds):
            for way, rate in ways.items():
                rates[way].append(rate())
    for way, found in rates.items():
        print(f"{way:30} {max(found):8.2f} faces/s, median {statistics.median(found):.2f}")


main()
