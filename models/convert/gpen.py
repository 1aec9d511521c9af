"""Turn a released GPEN checkpoint into an ONNX file.

    python3 gpen.py GPEN-BFR-512.pth gpen-512.onnx [--key g_ema] [--half]

For the checkpoints of yangxy/GPEN of any size and width (256, 512, 1024, 2048; restoration,
colorisation, inpainting): both are read from the shapes. Checkpoints written while training hold
several networks; --key names the one to take. The file takes aligned faces, RGB in -1..1,
[1,3,side,side], and runs with any number of them at once in unetmatte's and gpenenhance's engine.
--half stores weights as float16, which halves the file. Needs PyTorch and onnx.
"""
import argparse
import os
import sys

import torch

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'train', 'gpen'))
import export  # noqa: E402
import network  # noqa: E402


def shape_of(state):
    """Channels by resolution and the size of a style vector, from a checkpoint's shapes."""
    side = 4 * 2 ** (sum(k.startswith('generator.to_rgbs.') and k.endswith('.bias') and 'modulation' not in k
                         for k in state))
    channels = {side: state['ecd0.0.0.weight'].shape[0]}
    for k in range(1, side.bit_length() - 2):
        channels[side >> k] = state['ecd%d.0.1.weight' % k].shape[0]
    return channels, state['final_linear.0.weight'].shape[0]


def convert(state, path, half=False):
    """Write the network with the parameters `state` (keys of the released files) as ONNX."""
    try:
        model = network.Gpen(*shape_of(state))
    except (KeyError, IndexError) as error:
        raise SystemExit('this is no GPEN checkpoint (%s is missing); of one written while training, '
                         'name the network: --key g_ema' % error)
    for i, j in model.named_buffers():  # The filters are what they are, but a file may say otherwise.
        if i in state and not torch.allclose(state[i].float(), j, atol=1e-6):
            raise SystemExit('%s is not the filter 1 3 3 1 that GPEN uses' % i)
    model.load_state_dict({k: v.float() for k, v in state.items()})
    export.export(model, path, half)
    return model


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('checkpoint')
    p.add_argument('out')
    p.add_argument('--key')
    p.add_argument('--half', action='store_true')
    o = p.parse_args()
    state = torch.load(o.checkpoint, map_location='cpu')
    if o.key:
        if o.key not in state:
            raise SystemExit('%s has no %s, but %s' % (o.checkpoint, o.key, ', '.join(map(str, state))))
        state = state[o.key]
    model = convert(state, o.out, o.half)
    print('%s: %d pixels, %.1f MB' % (o.out, model.side, os.path.getsize(o.out) / 1e6))


if __name__ == '__main__':
    main()
