"""Choose the pictures worth learning from and squeeze them into one tar.

    python3 pack.py DATA_DIR OUT.tar [--side 384] [--quality 76] [--relabelled FOLDER]

DATA_DIR holds one folder per set, each with pictures, mattes and index.json
(image, alpha, mask, split, agreement, coverage, faces), and optionally a
folder `backgrounds` of pictures without people. The tar holds WebP pictures
and mattes and a list, `list.json`, with for each picture: name, kind
(person, object or ground), weight (how often it is drawn), redone (relabelled),
aspect, split, coverage.

Mattes made by a network are wrong now and then, and learning from them makes
the result worse for some people than for others. The rules below leave out:
mattes two teachers disagree on, faces the matte leaves out, close-ups whose
matte keeps the face but not the hair, and what exclude.txt names. Once a first
network is trained, relabel.py makes better mattes for many of those.
"""
import argparse
import glob
import io
import json
import os
import tarfile

import cv2
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))


def names(file):
    """The words of a list file, without its comments."""
    with open(os.path.join(HERE, file)) as f:
        return {w for line in f if not line.startswith('#') for w in line.split()}


def missed_face(entry, alpha):
    """True when a face that is not tiny lies outside the matte."""
    for face in entry['faces']:
        x, y, w, h = [max(int(v), 0) for v in face['box']]
        inside = alpha[y:y + h, x:x + w]
        if face['score'] > .8 and inside.size > .004 * alpha.size and inside.mean() < 128:
            return True
    return False


def hair_lost(entry, alpha):
    """True when the matte is hardly larger than the largest face.

    Seen on the sheets: below 1.7 face areas most mattes stop at the face and
    lose hair, hat or veil, curly and dark hair most often.
    """
    area = max((f['box'][2] * f['box'][3] for f in entry['faces']), default=0)
    return area > .08 * alpha.size and entry['coverage'] * alpha.size < 1.7 * area


def overlap(a, b):
    a, b = a > 127, b > 127
    return (a & b).sum() / max((a | b).sum(), 1)


def trim_bars(image, alpha):
    """Cut white bars at the left and right (frontal portraits on plain ground)."""
    columns = np.where(image.mean((0, 2)) < 252)[0]
    x0, x1 = columns[0], columns[-1] + 1
    return image[:, x0:x1], alpha[:, x0:x1]


def judge(entry, folder, image, alpha, mask):
    """Image, matte and weight; None leaves the picture out."""
    if folder == 'portraits-2':
        image, alpha = trim_bars(image, alpha)
        # Oval crops end in a narrow chin: ask for shoulders as wide as the picture.
        if entry['agreement'] < .95 or alpha[-6:].mean() < 204 or alpha[-40:, [3, -4]].mean() < 128:
            return None
        return image, alpha, .6
    if mask is not None:
        if overlap(alpha, mask) < .85:
            # The hand-made mask is right; soften it to look like a matte.
            alpha = cv2.GaussianBlur(mask, (0, 0), 1)
        return (image, alpha, 1.) if not missed_face(entry, alpha) else None
    if entry['agreement'] < .85 or missed_face(entry, alpha) or hair_lost(entry, alpha):
        return None
    return image, alpha, .7 if folder.startswith('portraits') else 1.5


def squeeze(image, side, quality):
    k = side / max(image.shape[:2])
    if k < 1:
        image = cv2.resize(image, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
    return cv2.imencode('.webp', image, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('data')
    p.add_argument('out')
    p.add_argument('--side', type=int, default=384)
    p.add_argument('--quality', type=int, default=76)
    p.add_argument('--relabelled', help='folder with mattes made by relabel.py for pictures otherwise left out')
    o = p.parse_args()
    objects, exclude = names('objects.txt'), names('exclude.txt')
    rows, left_out = [], 0
    with tarfile.open(o.out, 'w') as tar:
        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        for index in sorted(glob.glob(os.path.join(o.data, '*', 'index.json'))):
            folder = os.path.basename(os.path.dirname(index))
            for entry in json.load(open(index)):
                if 'alpha' not in entry:
                    continue
                name = os.path.splitext(entry['image'])[0]
                read = lambda key, flag: cv2.imread(os.path.join(o.data, folder, entry[key]), flag)
                image, alpha = read('image', 1), read('alpha', 0)
                mask = read('mask', 0) if entry.get('mask') else None
                found = None if name in exclude else judge(entry, folder, image, alpha, mask)
                redone = os.path.join(o.relabelled or '', name + '.png')
                if found is None and o.relabelled and os.path.exists(redone):
                    found = image, cv2.imread(redone, 0), .45
                else:
                    redone = None
                if found is None:
                    left_out += 1
                    continue
                image, alpha, weight = found
                add(name + '.webp', squeeze(image, o.side, o.quality))
                add(name + '.alpha.webp', squeeze(alpha, o.side, 76))
                rows.append(dict(name=name, kind='object' if name in objects else 'person',
                                 weight=weight, redone=bool(redone), aspect=image.shape[1] / image.shape[0],
                                 split=entry['split'], coverage=float(alpha.mean() / 255)))
        for file in sorted(glob.glob(os.path.join(o.data, 'backgrounds', '*.jpg'))):
            image = cv2.imread(file)
            name = os.path.splitext(os.path.basename(file))[0]
            add(name + '.webp', squeeze(image, o.side, o.quality - 5))
            rows.append(dict(name=name, kind='ground', weight=1.,
                             aspect=image.shape[1] / image.shape[0], split='train', coverage=0.))
        add('list.json', json.dumps(rows).encode())
    kinds = {}
    for r in rows:
        key = r['kind'], r['split']
        kinds[key] = kinds.get(key, 0) + 1
    print(kinds, 'left out', left_out, 'bytes', os.path.getsize(o.out))


if __name__ == '__main__':
    main()
