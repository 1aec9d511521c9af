#!/usr/bin/python3
"""Tests of nn-run as a program: what it reads, writes, prints and refuses.

SPDX-License-Identifier: LGPL-2.1-or-later

    test-nn-run.py NN-RUN

Prints TAP. Needs python3-onnx and python3-numpy.
"""
import json
import os
import subprocess
import sys
import tempfile
import traceback

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as missing:
    print(f"1..0 # SKIP {missing}")
    sys.exit(0)

NN_RUN = sys.argv[1]
TYPES = [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT8,
         TensorProto.INT16, TensorProto.INT32, TensorProto.INT64, TensorProto.UINT8,
         TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64, TensorProto.BOOL]


def save(folder, nodes, inputs, outputs, name="model.onnx"):
    infos = [[helper.make_tensor_value_info(*value) for value in values]
             for values in (inputs, outputs)]
    model = helper.make_model(helper.make_graph(nodes, "test", *infos), ir_version=7,
                              opset_imports=[helper.make_opsetid("", 13)])
    path = os.path.join(folder, name)
    onnx.save(model, path)
    return path


def relu_model(folder, shape):
    node = helper.make_node("Relu", ["x"], ["y"])
    return save(folder, [node], [("x", TensorProto.FLOAT, shape)],
                [("y", TensorProto.FLOAT, shape)])


def run(*arguments):
    return subprocess.run([NN_RUN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)


def run_ok(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refuses(*arguments, saying):
    done = run(*arguments)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2, f"status {done.returncode}: {done.stderr}"
    assert len(lines) == 1, f"one line wanted: {done.stderr}"
    assert saying in lines[0], f"'{saying}' not in: {lines[0]}"


def array_file(folder, array, name="x.npy", version=None):
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        np.lib.format.write_array(file, np.asanyarray(array), version=version)
    return path


def run_relu(folder, array, shape, *arguments):
    path = array_file(folder, array)
    run_ok(relu_model(folder, shape), "--input", f"x={path}", "--output-dir", folder, *arguments)
    return np.load(os.path.join(folder, "y.npy"))


def check_every_type_passes_unchanged(folder):
    for code in TYPES:
        dtype = numpy_helper.to_array(onnx.TensorProto(data_type=code, dims=[0])).dtype
        node = helper.make_node("Reshape", ["x", "shape"], ["y"])
        model = onnx.load(save(folder, [node], [("x", code, [2, 3])], [("y", code, [3, 2])]))
        shape = np.array([3, 2], np.int64)
        model.graph.initializer.append(numpy_helper.from_array(shape, "shape"))
        path = os.path.join(folder, "reshape.onnx")
        onnx.save(model, path)
        array = np.array([[0, 1, 2], [3, 5, 7]]).astype(dtype)
        run_ok(path, "--input", f"x={array_file(folder, array)}", "--output-dir", folder)
        result = np.load(os.path.join(folder, "y.npy"))
        assert result.dtype == dtype, f"{dtype} came back as {result.dtype}"
        assert np.array_equal(result, array.reshape(3, 2)), f"{dtype}: {result}"


def check_all_versions_of_npy_are_read(folder):
    array = np.array([[-1, 2, 3]], np.float32)
    for version in ((1, 0), (2, 0), (3, 0)):
        path = array_file(folder, array, version=version)
        run_ok(relu_model(folder, [1, 3]), "--input", f"x={path}", "--output-dir", folder)
        assert np.array_equal(np.load(os.path.join(folder, "y.npy")), [[0, 2, 3]]), version


def check_a_multiple_of_the_first_dim_is_a_batch(folder):
    array = np.arange(-12, 12).reshape(4, 6).astype(np.float32)
    for shape in ([1, 6], [2, 6], ["n", 6]):
        result = run_relu(folder, array, shape)
        assert np.array_equal(result, np.maximum(array, 0)), shape


def check_the_reference_agrees_with_the_device(folder):
    array = np.linspace(-3, 3, 36).reshape(3, 12).astype(np.float32)
    on_device = run_relu(folder, array, [1, 12])
    assert np.array_equal(on_device, run_relu(folder, array, [1, 12], "--device", "reference"))


def check_json_tells_times_and_outputs(folder):
    said = json.loads(run_ok(relu_model(folder, [1, 6]), "--json", "--repeat", "3", "--batch", "2"))
    assert said["median_ms"] >= said["min_ms"] >= 0
    assert said["samples"] == 2
    [output] = said["outputs"]
    assert output["name"] == "y" and output["type"] == "float32" and output["shape"] == [2, 6]
    assert 0 <= output["min"] <= output["mean"] <= output["max"] <= 1


def check_the_seed_decides_random_inputs(folder):
    model = relu_model(folder, [1, 64])
    results = []
    for seed in ("1", "1", "2"):
        run_ok(model, "--seed", seed, "--output-dir", folder)
        results.append(np.load(os.path.join(folder, "y.npy")))
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def check_an_open_shape_comes_from_the_user(folder):
    model = relu_model(folder, ["n", 3, "h", "w"])
    refuses(model, saying="--shape")
    said = json.loads(run_ok(model, "--json", "--shape", "x=1x3x5x7"))
    assert said["outputs"][0]["shape"] == [1, 3, 5, 7]


def check_an_input_that_steers_shapes_is_bound_by_value(folder):
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    model = save(folder, nodes, [("x", TensorProto.FLOAT, [1, 6]), ("shape", TensorProto.INT64, [3])],
                 [("y", TensorProto.FLOAT, [None, None, None])])
    refuses(model, saying="steers shapes")
    shape = array_file(folder, np.array([1, 2, 3]), "shape.npy")
    said = json.loads(run_ok(model, "--json", "--batch", "2", "--input", f"shape={shape}"))
    assert said["outputs"][0]["shape"] == [2, 2, 3]


def check_profile_lists_the_launches_and_their_shares(folder):
    nodes = [helper.make_node("Conv", ["x", "w"], ["a"]),
             helper.make_node("ReduceMean", ["a"], ["b"], axes=[2]),
             helper.make_node("ReduceMean", ["b"], ["y"], axes=[3])]
    model = onnx.load(save(folder, nodes, [("x", TensorProto.FLOAT, [1, 8, 32, 32])],
                           [("y", TensorProto.FLOAT, [1, 16, 1, 1])]))
    weights = np.ones([16, 8, 1, 1], np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    path = os.path.join(folder, "three.onnx")
    onnx.save(model, path)
    said = json.loads(run_ok(path, "--json", "--profile", "--repeat", "3"))
    lines, kernels = said["profile"], said["kernels"]
    assert said["launches"] == len(lines) == sum(group["launches"] for group in kernels) >= 3
    assert all(line["ms"] > 0 and line["gbytes_per_s"] > 0 for line in lines), lines
    assert max(line["gflops"] for line in lines) > 0, lines
    for rows in (lines, kernels):
        assert abs(sum(row["share"] for row in rows) - 1) < 1e-6, rows
    assert kernels == sorted(kernels, key=lambda group: -group["ms"])
    text = run_ok(path, "--profile")
    assert "by kernel" in text and "live at once" in text and "first frame" in text, text


def check_launches_are_listed_as_another_device_would_have_them(folder):
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    model = onnx.load(save(folder, [node], [("x", TensorProto.FLOAT, [1, 64, 32, 32])],
                           [("y", TensorProto.FLOAT, [1, 64, 32, 32])]))
    weights = np.full([64, 64, 1, 1], 1 / 64, np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    path = os.path.join(folder, "one.onnx")
    onnx.save(model, path)
    kernels = {"hopper": "conv_wgmma", "ampere": "conv_tensor", "gpu": "conv_tiled"}
    array = np.random.default_rng(1).uniform(-1, 1, [1, 64, 32, 32]).astype(np.float32)
    for kind, kernel in kernels.items():
        said = run_ok(path, "--device", "cpu", "--like", kind, "--launches")
        assert "1 launches" in said and kernel in said, said
        run_ok(path, "--device", "cpu", "--like", kind, "--input", f"x={array_file(folder, array)}",
               "--output-dir", folder)
        error = np.abs(np.load(os.path.join(folder, "y.npy")) - array.mean(1, keepdims=True)).max()
        assert error < 1e-3, (kind, error)
    refuses(path, "--like", "toaster", saying="hopper, ampere or gpu")


def check_gpus_take_halves_and_cpus_do_not(folder):
    model = relu_model(folder, [1, 8, 4, 4])
    found = {kind: json.loads(run_ok(model, "--device", "cpu", "--json", *like))["precision"]
             for kind, like in (("cpu", []), ("gpu", ["--like", "gpu"]),
                                ("hopper", ["--like", "hopper"]))}
    assert found == {"cpu": "fp32", "gpu": "fp16", "hopper": "fp16"}, found


def check_json_tells_memory_and_the_time_to_the_first_frame(folder):
    said = json.loads(run_ok(relu_model(folder, [1, 1 << 20]), "--json"))
    assert said["arena_b"] >= said["arena_lower_bound_b"] >= 2 * 4 << 20, said
    assert said["peak_resident_b"] > said["arena_b"], said
    parts = [said[part + "_ms"] for part in ("load", "device", "build", "slot", "first_run")]
    assert all(part > 0 for part in parts) and abs(said["first_frame_ms"] - sum(parts)) < 1e-6


def check_tuning_is_bounded_and_named(folder):
    said = json.loads(run_ok(relu_model(folder, [1, 6]), "--json", "--tuning", "measure",
                             "--tuning-time", "1"))
    assert said["outputs"], said
    refuses(relu_model(folder, [1, 6]), "--tuning", "more", saying="off, cached or measure")
    refuses(relu_model(folder, [1, 6]), "--tuning-time", "-1", saying="--tuning-time")


def check_files_that_cannot_be_run_are_refused(folder):
    refuses(os.path.join(folder, "none.onnx"), saying="none.onnx")
    model = relu_model(folder, [1, 6])
    whole = open(model, "rb").read()
    cut = os.path.join(folder, "cut.onnx")
    with open(cut, "wb") as file:
        file.write(whole[:len(whole) // 2])
    refuses(cut, saying="cut.onnx")
    unknown = save(folder, [helper.make_node("NoSuchOperator", ["x"], ["y"], name="odd")],
                   [("x", TensorProto.FLOAT, [1])], [("y", TensorProto.FLOAT, [1])], "unknown.onnx")
    refuses(unknown, saying="NoSuchOperator")


def check_strides_without_end_are_refused(folder):
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[70, 70])
    model = onnx.load(save(folder, [node], [("x", TensorProto.FLOAT, [1, 1, 2, 2])],
                           [("y", TensorProto.FLOAT, None)]))
    model.graph.initializer.append(numpy_helper.from_array(np.ones([1, 1, 1, 1], np.float32), "w"))
    path = os.path.join(folder, "strides.onnx")
    onnx.save(model, path)
    refuses(path, saying="strides 70 and 70 are too large")


def check_batches_without_end_are_refused(folder):
    for number, kind in enumerate(("MaxPool", "LRN")):
        attributes = {"kernel_shape": [2, 2]} if kind == "MaxPool" else {"size": 1}
        nodes = [helper.make_node("Reshape", ["x", "shape"], ["r"]),
                 helper.make_node(kind, ["r"], ["y"], **attributes)]
        model = onnx.load(save(folder, nodes, [("x", TensorProto.FLOAT, [1, 5000, 3, 3])],
                               [("y", TensorProto.FLOAT, None)]))
        shape = np.array([5000, 1, 3, 3], np.int64)
        model.graph.initializer.append(numpy_helper.from_array(shape, "shape"))
        path = os.path.join(folder, f"batch-{number}.onnx")
        onnx.save(model, path)
        refuses(path, saying="5000 entries")


def check_inputs_that_do_not_fit_are_refused(folder):
    model = relu_model(folder, [2, 6])
    cases = [
        (np.zeros([2, 6], np.float64), "float64"),
        (np.zeros([2, 5], np.float32), "2x5"),
        (np.zeros([3, 6], np.float32), "3x6"),
        (np.zeros([6], np.float32), "dims"),
        (np.asfortranarray(np.zeros([2, 6], np.float32)), "Fortran order"),
        (np.zeros([2, 6], ">f4"), "byte order"),
        (np.zeros([2, 6], np.complex64), "not supported"),
        (np.zeros([2, 6], [("a", np.float32)]), "not a plain number"),
    ]
    for array, saying in cases:
        refuses(model, "--input", f"x={array_file(folder, array)}", saying=saying)
    refuses(model, "--input", "z=none.npy", saying="no input fits")
    refuses(model, "--input", "x=none.npy", saying="none.npy")


def check_damaged_arrays_are_refused(folder):
    model = relu_model(folder, [2, 6])
    path = array_file(folder, np.zeros([2, 6], np.float32))
    whole = open(path, "rb").read()
    for end in (0, 5, 9, 40, len(whole) - 1):
        with open(path, "wb") as file:
            file.write(whole[:end])
        refuses(model, "--input", f"x={path}", saying="x.npy")


def check_options_that_mean_nothing_are_refused(folder):
    model = relu_model(folder, [1, 6])
    refuses(saying="exactly one model")
    refuses(model, "--no-such-option", saying="--no-such-option")
    refuses(model, "--precision", "fp7", saying="fp7")
    refuses(model, "--repeat", "0", saying="--repeat")
    refuses(model, "--device", "no-such-device", saying="no-such-device")


def main():
    checks = [(name[6:].replace("_", " "), function) for name, function in globals().items()
              if name.startswith("check_")]
    print(f"1..{len(checks)}")
    failed = 0
    for i, (name, function) in enumerate(checks, 1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                function(folder)
                print(f"ok {i} {name}")
            except Exception:  # pylint: disable=broad-except
                failed += 1
                print(f"not ok {i} {name}")
                print("# " + traceback.format_exc().replace("\n", "\n# "))
        sys.stdout.flush()
    sys.exit(1 if failed else 0)


main()
