"""Turn a checkpoint of train.py into the ONNX file that ships.

    python3 export.py CHECKPOINT.pt --out clmatte-face.onnx [--check]

The graph has the form that exporters make of GPEN: one picture, weights that
depend on it, FIR filters spelled out. Weights are stored as float16, each
followed by a Cast to float32 that inference engines fold at load; input and
output are float32, RGB in -1..1, [1,3,256,256]. The file names its own
preprocessing in its metadata. --check compares with PyTorch (by onnxruntime).
"""
import argparse
import os
import sys
import warnings

import onnx
import torch

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import network  # noqa: E402
from halve import halve  # noqa: E402


def load(path):
    model = network.ours()
    state = torch.load(path, map_location='cpu')
    model.load_state_dict({k: v.float() for k, v in state.items()})
    return model.eval()


def export(model, path, half=True):
    """Write the ONNX file of a Gpen, weights as float16 or not; returns the graph."""
    extra = dict(dynamo=False) if hasattr(torch, 'compile') else {}
    model = model.cpu().eval().spell()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Of tracing, and of folding that is switched off.
        torch.onnx.export(model, torch.zeros(1, 3, model.side, model.side), path, opset_version=13, do_constant_folding=False,
                          input_names=['input'], output_names=['output'], **extra)
    model.spell(False)
    m = onnx.load(path)
    if half:
        halve(m.graph)
    for n in m.graph.node:
        n.doc_string = ''
    m.producer_name, m.producer_version, m.doc_string = 'clmatte', '', 'GPEN, %d pixels' % model.side
    for key, value in (('mean', '127.5 127.5 127.5'), ('std', '127.5 127.5 127.5'), ('channels', 'RGB'),
                       ('task', 'face-restoration')):
        m.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(m)
    onnx.save(m, path)
    return m


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('checkpoint')
    p.add_argument('--out', required=True)
    p.add_argument('--check', action='store_true')
    o = p.parse_args()
    model = load(o.checkpoint)
    m = export(model, o.out)
    kinds = sorted({n.op_type for n in m.graph.node})
    print(o.out, os.path.getsize(o.out), 'bytes,', len(m.graph.node), 'nodes:', ' '.join(kinds))
    if o.check:
        import onnxruntime
        session = onnxruntime.InferenceSession(o.out, providers=['CPUExecutionProvider'])
        x = torch.rand(1, 3, model.side, model.side) * 2 - 1
        with torch.no_grad():
            want = model(x).numpy()
        got = session.run(None, {'input': x.numpy()})[0]
        print('largest difference', abs(got - want).max(), 'of', abs(want).max())


if __name__ == '__main__':
    main()
