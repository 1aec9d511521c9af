"""Turn a checkpoint of faces.train into ONNX.

    python3 -m faces.export face.pt --out clmatte-face.onnx

Input `input` [n,3,h,w] float32 BGR in 0..255, sides multiples of 32; outputs in
the form and with the names of YuNet (decode.py). Batch norm, the order of
the channels and the scale are folded into the convolutions; weights are float16
followed by a Cast.
"""
import argparse
import os

import onnx
import torch

from export import fold, halve
from train import load

from . import network


def folded(checkpoint):
    """The network of a checkpoint, for BGR in 0..255."""
    model = network.Detector()
    load(model, checkpoint)
    model = fold(model.eval())
    stem = model.stem[0]
    stem.weight.data = stem.weight.data.flip(1) / 255
    return model


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('checkpoint')
    p.add_argument('--out', required=True)
    o = p.parse_args()
    axes = {'input': {0: 'n', 2: 'h', 3: 'w'}, **{name: {0: 'n', 1: 'cells'} for name in network.NAMES}}
    extra = dict(dynamo=False) if hasattr(torch, 'compile') else {}
    torch.onnx.export(folded(o.checkpoint), torch.zeros(1, 3, 320, 320), o.out, opset_version=13,
                      input_names=['input'], output_names=network.NAMES, dynamic_axes=axes, **extra)
    m = onnx.load(o.out)
    halve(m.graph)
    for n in m.graph.node:
        n.doc_string = ''
    m.producer_name, m.producer_version, m.doc_string = 'clmatte', '', 'Face detector clmatte-face'
    for key, value in (('mean', '0 0 0'), ('std', '1 1 1'), ('channels', 'BGR'), ('multiple', '32'),
                       ('task', 'face-detection')):
        m.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(m)
    onnx.save(m, o.out)
    kinds = sorted({n.op_type for n in m.graph.node})
    print(o.out, os.path.getsize(o.out), 'bytes,', len(m.graph.node), 'nodes:', ' '.join(kinds))


if __name__ == '__main__':
    main()
