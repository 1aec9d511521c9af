"""Choose the faces worth learning from and pack them, aligned, into one tar.

    python3 align.py DATA_DIR OUT.tar [--bytes 31400000] [--quality 92] [--sheet SHEET.jpg]

DATA_DIR is laid out as for ../pack.py; what is read of each entry is image,
split, agreement, alpha and faces (score and five landmarks: eye at image left,
eye at image right, nose, mouth left, mouth right).

The tar holds WebP crops of SIDE x SIDE and `list.json` (name, split, scale).
A crop is GPEN's 256x256 crop with MARGIN more pixels at each side, so that
training can move it without inventing pixels. Targets must be sharp, or the
network learns blur: a face that would have to be enlarged is left out, and so
are soft ones and repetitions. Sharpness is the share of fine detail in the face's contrast,
not detail as such: dark skin in dim light must not be left out for being dark.
"""
import argparse
import glob
import io
import json
import os
import sys
import tarfile

import cv2
import numpy as np

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
import pack as portraits  # noqa: E402

FACE, MARGIN = 256, 8
SIDE = FACE + 2 * MARGIN
# Where GPEN wants the five points, in parts of the crop.
POINTS = np.array([(.39461071, .47438274), (.60435595, .47322262), (.50015, .59367025),
                   (.41398394, .71646132), (.58767798, .7155006)])


def similarity(src, dst):
    """The 2x3 matrix that moves src nearest to dst by scaling, turning and moving (least squares)."""
    p, q = src - src.mean(0), dst - dst.mean(0)
    a = (p * q).sum() / (p * p).sum()
    b = (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() / (p * p).sum()
    m = np.array([[a, -b], [b, a]])
    return np.column_stack([m, dst.mean(0) - m @ src.mean(0)])


def crop(image, landmarks, side=FACE, margin=0):
    """The aligned crop, its scale (above 1: enlarged), the share inside the picture, and how far
    the landmarks are from the template (pixels, mean)."""
    points = POINTS * side + margin
    m = similarity(landmarks, points)
    # Twice as large, then averaged: no aliasing for faces up to four times as large as the crop.
    twice = m * 2 + [[0, 0, .5], [0, 0, .5]]
    size = (2 * (side + 2 * margin),) * 2
    big = cv2.warpAffine(image, twice, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    inside = cv2.warpAffine(np.ones(image.shape[:2], np.float32), twice, size).mean()
    out = cv2.resize(big, None, fx=.5, fy=.5, interpolation=cv2.INTER_AREA)
    off = np.hypot(*(landmarks @ m[:, :2].T + m[:, 2] - points).T).mean()
    return out, np.hypot(m[0, 0], m[1, 0]), inside, off


def sharpness(image):
    """Fine detail of the face (not its surroundings) relative to its contrast."""
    g = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    fine = (g - cv2.GaussianBlur(g, (0, 0), 1))[100:216, 88:184]
    g = g[100:216, 88:184]
    return fine.std() / (np.percentile(g, 95) - np.percentile(g, 5) + 8)


def faces(folder, entry):
    """Usable crops of one picture, with scale and sharpness."""
    image = cv2.imread(os.path.join(folder, entry['image']))
    shift = np.zeros(2)
    if folder.endswith('portraits-2'):
        alpha = cv2.imread(os.path.join(folder, entry['alpha']), 0)
        if portraits.judge(entry, 'portraits-2', image, alpha, None) is None:
            return
        columns = np.where(image.mean((0, 2)) < 252)[0]
        image, shift = image[:, columns[0]:columns[-1] + 1], np.array([columns[0], 0])
    off_most = 6 if entry['split'] == 'val' else 8  # Turned heads are further from the template.
    for k, face in enumerate(entry['faces']):
        points = np.array(face['landmarks'], float).reshape(5, 2) - shift
        if face['score'] < .8 or np.hypot(*(points[1] - points[0])) < 40:
            continue
        found, scale, inside, off = crop(image, points, margin=MARGIN)
        if scale <= 1 and inside > .65 and off < off_most:
            yield '%s-%d' % (os.path.splitext(entry['image'])[0], k), found, scale, sharpness(found)


def thumb(image):
    g = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32)
    g = (g - g.mean()).ravel()
    return g / (np.linalg.norm(g) + 1e-6)


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('data')
    p.add_argument('out')
    p.add_argument('--bytes', type=int, default=31400000, help='keep the sharpest that fit')
    p.add_argument('--quality', type=int, default=92)
    p.add_argument('--sharp', type=float, default=.024, help='least sharpness of a training face')
    p.add_argument('--sheet', help='write a picture of the least and the most sharp faces')
    o = p.parse_args()
    found = []
    for index in sorted(glob.glob(os.path.join(o.data, '*', 'index.json'))):
        for entry in json.load(open(index)):
            if entry.get('faces') and 'alpha' in entry:
                for name, image, scale, sharp in faces(os.path.dirname(index), entry):
                    data = cv2.imencode('.webp', image, [cv2.IMWRITE_WEBP_QUALITY, o.quality])[1].tobytes()
                    found.append(dict(name=name, split=entry['split'], scale=round(float(scale), 3),
                                      sharp=round(float(sharp), 4), data=data, image=image))
    # Validation faces first, so that it is the training face that goes if both show one photo.
    found.sort(key=lambda f: (f['split'] != 'val', -f['sharp']))
    kept, size, thumbs = [], 0, np.zeros((0, 256), np.float32)
    for f in found:
        small = thumb(f['image'])
        if f['sharp'] < o.sharp or size + len(f['data']) + 1024 > o.bytes or (thumbs @ small > .97).any():
            continue
        kept.append(f)
        thumbs = np.vstack([thumbs, small])
        size += len(f['data']) + 1024
    with tarfile.open(o.out, 'w') as tar:
        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        for f in kept:
            add(f['name'] + '.webp', f['data'])
        add('list.json', json.dumps([{k: f[k] for k in ('name', 'split', 'scale', 'sharp')} for f in kept]).encode())
    count = {s: sum(f['split'] == s for f in kept) for s in ('train', 'val')}
    print(len(found), 'faces,', count, 'kept, bytes', os.path.getsize(o.out))
    if o.sheet:
        some = found[-48:] + kept[-48:] + kept[:48]
        row = [np.hstack([f['image'][::2, ::2] for f in some[k:k + 12]]) for k in range(0, len(some) // 12 * 12, 12)]
        cv2.imwrite(o.sheet, np.vstack(row))


if __name__ == '__main__':
    main()
