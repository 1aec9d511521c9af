"""Self-training: new mattes for pictures whose given ones were left out.

    python3 relabel.py DATA_DIR NETWORK.onnx OUT_FOLDER

Runs a trained network (both ways round, averaged) over the training pictures
that pack.py leaves out for lost hair or for disagreeing teachers. Keeps a
result only where the network is sure of itself and agrees with what the
teacher is sure of inside, and writes it as OUT_FOLDER/NAME.png, which
`pack.py --relabelled` takes up.
"""
import argparse
import glob
import json
import os

import cv2
import numpy as np

import evaluate
import pack


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('data')
    p.add_argument('network')
    p.add_argument('out')
    p.add_argument('--side', type=int, default=320)
    o = p.parse_args()
    os.makedirs(o.out, exist_ok=True)
    network = evaluate.Network('clmatte@%d=%s' % (o.side, o.network))
    seen = kept = 0
    for index in sorted(glob.glob(os.path.join(o.data, 'portraits-[01]', 'index.json'))):
        folder = os.path.dirname(index)
        for e in json.load(open(index)):
            if e['split'] != 'train' or not e['faces']:
                continue
            alpha = cv2.imread(os.path.join(folder, e['alpha']), 0)
            if pack.missed_face(e, alpha) or not (e['agreement'] < .85 or pack.hair_lost(e, alpha)):
                continue
            seen += 1
            image = evaluate.read(os.path.join(folder, e['image']))
            a = (network(image) + network(image[:, ::-1].copy())[:, ::-1]) / 2
            a = ((a - .15) / .7).clip(0, 1)
            unsure = ((a > .15) & (a < .85)).mean()
            inside = a[alpha > 230].mean() if (alpha > 230).any() else 0
            if unsure < .1 and inside > .96:
                kept += 1
                cv2.imwrite(os.path.join(o.out, os.path.splitext(e['image'])[0] + '.png'), (a * 255).astype(np.uint8))
            if seen % 50 == 0:
                print(seen, kept, flush=True)
    print('seen', seen, 'kept', kept)


if __name__ == '__main__':
    main()
