"""Label pictures with the teacher and squeeze them into one tar.

    python3 -m faces.pack DATA_DIR OUT.tar --teacher yunet_n_dynamic.onnx [--labels labels.json]

DATA_DIR as for ../pack.py (index.json is read for the names and the split).
The tar holds WebP pictures and list.json, with for each: name, folder, split, width
and height of the labelled picture, and faces: [x, y, w, h, score, then five
landmarks x y], all but the score as fractions of the picture's width or height.
Faces with a score below SURE are neither learnt from nor learnt as background;
below FAINT they are none (hands, backs of heads, boxes of an odd size). Pictures
said to show nobody are believed, unless the teacher finds a face of 0.4.

--labels keeps what the teacher said, so that packing again is quick.
"""
import argparse
import glob
import io
import json
import os
import tarfile

import cv2
import numpy as np

from pack import squeeze

from .session import Session
from .teacher import closer, look, merge

SURE = .6
FAINT = .1
SCALES = {'portraits': (.5, 1), 'people': (.5, 1, 2), 'backgrounds': (1,)}
SIDE = {'portraits': 288, 'people': 384, 'backgrounds': 256}
KEEP = {'portraits-0': .75, 'portraits-1': .75, 'portraits-2': .2}  # Enough of what is much alike.


def pictures(data):
    """(folder, file, split) of every picture."""
    for index in sorted(glob.glob(os.path.join(data, '*', 'index.json'))):
        folder = os.path.basename(os.path.dirname(index))
        for entry in json.load(open(index)):
            yield folder, entry['image'], entry['split']
    for file in sorted(glob.glob(os.path.join(data, 'backgrounds', '*.jpg'))):
        yield 'backgrounds', os.path.basename(file), 'train'


def label(net, image, scales):
    h, w = image.shape[:2]
    both = [s for s in scales for _ in range(2)]
    faces = merge([look(net, image, s, k % 2 == 1) for k, s in enumerate(both)], both)
    faces = [(b, s, closer(net, image, b, p) if s >= SURE else p) for b, s, p in faces]
    unit = np.tile([w, h], 7)
    return [[round(float(v), 5) for v in np.concatenate([b / unit[:4], [s], p.ravel() / unit[4:]])]
            for b, s, p in faces]


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('data')
    p.add_argument('out')
    p.add_argument('--teacher')
    p.add_argument('--labels', default='labels.json')
    p.add_argument('--quality', type=int, default=60)
    o = p.parse_args()
    labels = json.load(open(o.labels)) if os.path.exists(o.labels) else {}
    net = Session(o.teacher) if o.teacher else None
    rows, seen = [], {}
    with tarfile.open(o.out, 'w') as tar:
        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        for folder, file, split in pictures(o.data):
            kind = folder.split('-')[0]
            image = cv2.imread(os.path.join(o.data, folder, file))
            name = os.path.splitext(file)[0]
            if name not in labels:
                if net is None:
                    raise SystemExit('%s has no label: name a teacher' % name)
                labels[name] = label(net, image, SCALES[kind])
            faces = [f for f in labels[name] if f[4] >= FAINT]
            if kind == 'backgrounds':
                if any(f[4] >= .4 for f in faces):
                    continue
                faces = []
            seen[folder] = seen.get(folder, 0) + KEEP.get(folder, 1) % 1
            if folder in KEEP and split == 'train':
                if seen[folder] < 1:
                    continue
                seen[folder] -= 1
            add(name + '.webp', squeeze(image, SIDE[kind], o.quality))
            rows.append(dict(name=name, folder=folder, split=split, width=image.shape[1], height=image.shape[0],
                             faces=faces))
        add('list.json', json.dumps(rows).encode())
    with open(o.labels, 'w') as f:
        json.dump(labels, f)
    for folder in sorted({r['folder'] for r in rows}):
        mine = [r for r in rows if r['folder'] == folder]
        sure = [sum(f[4] >= SURE for f in r['faces']) for r in mine]
        print(folder, len(mine), 'pictures,', sum(sure), 'faces,', sum(len(r['faces']) for r in mine) - sum(sure),
              'unsure,', sure.count(0), 'pictures without')
    print(os.path.getsize(o.out), 'bytes')


if __name__ == '__main__':
    main()
