#!/usr/bin/env python3
"""What a buyer of hardware asks: how fast, in which batches, on how many devices, with how much memory.

SPDX-License-Identifier: LGPL-2.1-or-later

    sweep.py [OPTIONS] --tools BUILD/tests      here, with PoCL or any driver
    sweep.py [OPTIONS] --tools PACK/bin         on a GPU host, after: . PACK/env.sh

Prints two tables in Markdown. The first is of the engine alone, by nn-run, inputs and outputs on the
device: each --network at each batch. The second is of whole pipelines, by rate: frames from the host's
memory through unetmatte and back, for each --model, --size, --devices and batch. Columns:

  ms a frame   time by frames, in the engine the median of the runs
  busy         the share of time in which the device computes, by its events (see overlap); one for each
               device
  host ms      of the host's processors for a frame; on a CPU these are the device
  device MiB   OpenCL buffers at most: weights, activations, frames (cl-memory.c); without what the
               driver takes for itself
  pinned MiB   the host's memory that devices read and write directly
  process MiB  resident at most, with everything that a CPU's device takes

A row that fails says why. What is measured takes about --seconds a row, and at least four batches; the
first batches, in which drivers compile, do not count. Other work on the machine makes it nonsense.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = {360: 640, 720: 1280, 1080: 1920, 2160: 3840}


class Failed(Exception):
    """Why a row has no figures."""


def find(tools, name):
    for pattern in (name, f"*/{name}"):
        for path in glob.glob(os.path.join(tools, pattern)):
            if os.path.isfile(path):
                return os.path.abspath(path)
    sys.exit(f"no {name} in {tools}: build it, or pack it (tests/perf/gpu/pack.sh)")


def run(command, environment, limit_s):
    """What the program prints, and the most memory that it had, in bytes."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(["timeout", str(limit_s), *command], stdout=said,
                                   stderr=subprocess.STDOUT, env={**os.environ, **environment})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    if process.returncode == 124:
        raise Failed(f"not done after {limit_s} s")
    if process.returncode != 0:
        raise Failed((text.strip().splitlines() or ["no message"])[-1])
    return text, usage.ru_maxrss * 1024


def mib(size_b):
    return f"{size_b / 2**20:.0f}"


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def header(*names):
    row(*names)
    row(*["---"] * len(names))


def measure_engine(arguments, network, batch):
    path, _, shapes = network.partition(":")
    options = [word for shape in shapes.split(",") if shape for word in ("--shape", shape)]
    command = [arguments.nn_run, path, *options, "--device", arguments.devices[0].split(",")[0],
               "--precision", arguments.precision, "--batch", str(batch), "--json"]
    once, _ = run([*command, "--repeat", "1"], {}, arguments.limit)
    repeat = max(3, int(arguments.seconds * 1e3 / max(json.loads(once)["median_ms"], 0.01)))
    text, resident_b = run([*command, "--repeat", str(min(repeat, 1000))], {}, arguments.limit)
    said = json.loads(text)
    frame_ms = said["median_ms"] / batch
    row(os.path.basename(path), batch, f"{frame_ms:.3f}", f"{1e3 / frame_ms:.1f}",
        mib(said["weights_b"]), mib(said["arena_b"]), mib(resident_b))


def busy(log, skip):
    said = subprocess.run([os.path.join(HERE, "overlap"), "--skip", str(skip), "--log", log],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    return " ".join(f"{share} %" for share in re.findall(r"busy ([0-9.]+)", said.stdout)) or "-"


def run_pipeline(arguments, model, height, devices, batch, warm, frames, folder):
    """Frames a second, the host's ms a frame, busy, and memory: device, pinned, process."""
    times, memory = (os.path.join(folder, name) for name in ("times", "memory"))
    environment = {"GST_DEBUG": "clbatchtimes:7", "GST_DEBUG_FILE": times, "GST_DEBUG_NO_COLOR": "1",
                   "LD_PRELOAD": arguments.cl_memory, "CLMATTE_MEMORY_LOG": memory}
    text, resident_b = run(
        [arguments.rate, "--width", str(SIZES[height]), "--height", str(height), "--warm", str(warm),
         "--frames", str(frames), "--pinned", "--out-format", arguments.out_format, "unetmatte",
         f"model-file={model}", f"device={devices}", f"batch-size={batch}",
         f"precision={arguments.precision}"], environment, arguments.limit)
    found = re.search(r"([0-9.]+) frames/s, ([0-9.]+) ms of the host", text)
    if not found:
        raise Failed("rate tells nothing")
    with open(memory, encoding="utf-8") as file:
        device_b, pinned_b = map(int, file.read().split())
    n_devices = devices.count(",") + 1
    return (float(found[1]), float(found[2]), busy(times, warm // batch // n_devices), device_b,
            pinned_b, resident_b)


def measure_pipeline(arguments, model, height, devices, batch, expected):
    """Returns the frames a second, from which the next row's number of frames is guessed."""
    n_devices = devices.count(",") + 1
    warm = 4 * batch * n_devices
    frames = max(4 * batch * n_devices, int(arguments.seconds * expected))
    with tempfile.TemporaryDirectory() as folder:
        rate, host_ms, share, device_b, pinned_b, resident_b = run_pipeline(
            arguments, model, height, devices, batch, warm, frames, folder)
    row(model, f"{height}p", devices, batch, f"{1e3 / rate:.3f}", f"{rate:.1f}", share,
        f"{host_ms:.2f}", mib(device_b), mib(pinned_b), mib(resident_b))
    return rate


def attempt(first_cells, function, *arguments):
    try:
        return function(*arguments)
    except Failed as failure:
        row(*first_cells, f"failed: {failure}")
        return None


def parse():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[2],
                                     epilog="See the head of this file for the columns.")
    numbers = {"type": lambda text: [int(word) for word in text.split(",")]}
    parser.add_argument("--tools", required=True, help="folder with nn-run, rate and cl-memory.so")
    parser.add_argument("--network", action="append", default=[],
                        help="MODEL.onnx[:NAME=1x3x512x512[,...]] for the engine's table")
    parser.add_argument("--model", action="append", help="default: clmatte-fast and clmatte-fine")
    parser.add_argument("--size", default=list(SIZES), help="of 360,720,1080,2160", **numbers)
    parser.add_argument("--batch", default=[1, 2, 4, 8, 16, 32], help="N,N,...", **numbers)
    parser.add_argument("--devices", action="append",
                        help="as unetmatte's device; may be repeated: gpu:0 and gpu:0,gpu:1")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--out-format", default="RGBA")
    parser.add_argument("--seconds", type=float, default=5, help="for a row, about")
    parser.add_argument("--limit", type=int, default=600, help="seconds at most for a row")
    arguments = parser.parse_args()
    if set(arguments.size) - set(SIZES):
        parser.error(f"--size: of {', '.join(map(str, SIZES))}")
    arguments.model = arguments.model or ["clmatte-fast", "clmatte-fine"]
    arguments.devices = arguments.devices or ["auto"]
    for name in ("nn-run", "rate", "cl-memory.so"):
        setattr(arguments, name.split(".")[0].replace("-", "_"), find(arguments.tools, name))
    return arguments


def main():
    arguments = parse()
    if arguments.network:
        header("network", "batch", "ms a frame", "frames/s", "weights MiB", "activations MiB",
               "process MiB")
    for network in arguments.network:
        for batch in arguments.batch:
            attempt((os.path.basename(network), batch), measure_engine, arguments, network, batch)
    if arguments.network:
        print()
    header("model", "frames", "device", "batch", "ms a frame", "frames/s", "busy", "host ms",
           "device MiB", "pinned MiB", "process MiB")
    for model in arguments.model:
        for height in arguments.size:
            for devices in arguments.devices:
                rate = 0
                for batch in arguments.batch:
                    rate = attempt((model, f"{height}p", devices, batch), measure_pipeline,
                                   arguments, model, height, devices, batch, rate) or rate


main()
