"""Turn a checkpoint of train.py into the ONNX file that ships.

    python3 export.py CHECKPOINT.pt --network fine --out clmatte-fine.onnx

Batch norm is folded into the convolutions. Weights are stored as float16,
each followed by a Cast to float32 that inference engines fold at load; input
and output are float32. Batch, height and width are free (sides: multiples of
32). The file names its own preprocessing in its metadata.
"""
import argparse
import os

import onnx
import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval

import network
from halve import halve
from train import load


def fold(model):
    """Fold batch norm into the convolution before it, everywhere."""
    for m in model.modules():
        if isinstance(m, network.Conv):
            m[0] = fuse_conv_bn_eval(m[0], m[1])
            m[1] = torch.nn.Identity()
    return model


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('checkpoint')
    p.add_argument('--network', choices=sorted(network.SIZES), default='fine')
    p.add_argument('--out', required=True)
    o = p.parse_args()
    model = network.build(o.network)
    load(model, o.checkpoint)
    model = fold(model.eval())
    free = {0: 'n', 2: 'h', 3: 'w'}
    extra = dict(dynamo=False) if hasattr(torch, 'compile') else {}
    torch.onnx.export(model, torch.zeros(1, 3, 256, 256), o.out, opset_version=13, input_names=['image'],
                      output_names=['alpha'], dynamic_axes={'image': free, 'alpha': free}, **extra)
    m = onnx.load(o.out)
    halve(m.graph)
    for n in m.graph.node:  # Paths of the exporter's modules say nothing to a user.
        n.doc_string = ''
    m.producer_name, m.producer_version, m.doc_string = 'clmatte', '', 'Matting network clmatte-' + o.network
    for key, value in (('mean', '127.5 127.5 127.5'), ('std', '127.5 127.5 127.5'), ('channels', 'RGB'),
                       ('multiple', '32'), ('task', 'matting')):
        m.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(m)
    onnx.save(m, o.out)
    kinds = sorted({n.op_type for n in m.graph.node})
    print(o.out, os.path.getsize(o.out), 'bytes,', len(m.graph.node), 'nodes:', ' '.join(kinds))


if __name__ == '__main__':
    main()
