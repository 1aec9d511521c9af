"""Compare matting networks on held-out pictures, photos and clips.

    python3 evaluate.py DATA_DIR --networks clmatte-fine=../clmatte-fine.onnx u2netp=u2netp.onnx ...
                        [--nn-run ../../build/tests/nn/nn-run]
                        [--photos FOLDER] [--clips FOLDER] [--empty FOLDER] [--pictures OUT_FOLDER]

DATA_DIR as for pack.py; only pictures whose split is `val` are used, none of
which pack.py lets the training see. The part of a name before `-` or `=`
chooses the preprocessing: clmatte, u2netp or selfie (see PREPARE). Runs on the
project's own engine. Tables:

    clean     val pictures whose matte passes the rules of pack.py
    teacher   all val pictures whose two teachers agree (0.85). Careful: in close-ups
              the teachers agree on the face alone, so being right costs IoU here, and
              u2netp is one of the two
    masks     hand-made masks, where there are some
    empty     pictures without people (the share of the frame kept by mistake)
    clips     how much the matte moves where the picture stands still

IoU at 0.5, MAE and Grad (Gaussian derivative, sigma 1.4, sum / 1000) at the
size of the picture, mean over pictures; `< 0.8` counts bad results.
"""
import argparse
import glob
import json
import math
import os
import subprocess
import tempfile

import cv2
import numpy as np
import onnx

import pack


def frame(h, w, side):
    """Network input size near the picture's shape: sides multiples of 32, area about side^2."""
    k = math.sqrt(w / h)
    fit = lambda v: max(round(v / 32), 1) * 32
    return fit(side / k), fit(side * k)


def planes(image):
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)


def clmatte(image, side):
    h, w = frame(*image.shape[:2], side)
    x = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32)
    return planes((x - 127.5) / 127.5)


def u2netp(image, side):
    x = cv2.resize(image, (320, 320), interpolation=cv2.INTER_AREA).astype(np.float32)
    return planes((x / max(x.max(), 1e-6) - (.485, .456, .406)) / (.229, .224, .225))


def selfie(image, side):
    x = cv2.resize(image, (256, 256), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.ascontiguousarray(x[None] / 255)


PREPARE = {'clmatte': clmatte, 'u2netp': u2netp, 'selfie': selfie}
BATCH = 8


class Network:
    def __init__(self, spec, nn_run):
        name, self.path = spec.split('=', 1)
        self.nn_run = nn_run
        self.name, _, side = name.partition('@')
        self.kind = self.name.split('-')[0].split('_')[0]
        self.side = int(side) if side else (256 if 'fast' in self.name else 512)
        graph = onnx.load(self.path).graph
        weights = {w.name for w in graph.initializer}
        self.input = next(i.name for i in graph.input if i.name not in weights)
        self.output = graph.output[0].name
        self.label = '%s@%d' % (self.name, self.side) if self.kind == 'clmatte' else self.name

    def batch(self, tensors):
        """What the engine makes of tensors of one shape, [n, ...]."""
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, 'in.npy')
            np.save(file, np.concatenate(tensors))
            done = subprocess.run([self.nn_run, self.path, '--input', '%s=%s' % (self.input, file), '-o', folder],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            return np.load(os.path.join(folder, self.output.replace('/', '_') + '.npy'))

    def __call__(self, images):
        """Alpha in 0..1 at the size of each RGB picture."""
        inputs = [PREPARE[self.kind](image, self.side) for image in images]
        order = sorted(range(len(images)), key=lambda i: inputs[i].shape)
        results = [None] * len(images)
        while order:
            now = [i for i in order[:BATCH] if inputs[i].shape == inputs[order[0]].shape]
            order = order[len(now):]
            for i, a in zip(now, self.batch([inputs[i] for i in now])):
                a = a.squeeze()
                if self.kind == 'u2netp':
                    a = (a - a.min()) / max(a.max() - a.min(), 1e-6)
                results[i] = cv2.resize(a, images[i].shape[1::-1], interpolation=cv2.INTER_LINEAR).clip(0, 1)
        return results


def derivative():
    """The 9x9 Gaussian derivative of the matting benchmarks, sigma 1.4, unit norm."""
    s = 1.4
    k = np.arange(-4, 5)
    g = np.exp(-k ** 2 / (2 * s * s)) / (s * math.sqrt(2 * math.pi))
    f = np.outer(g, -k * g / (s * s))
    return f / np.sqrt((f * f).sum())


FILTER = derivative()


def slope(a):
    blur = lambda f: cv2.filter2D(a.astype(np.float64), -1, f, borderType=cv2.BORDER_REPLICATE)
    return np.hypot(blur(FILTER), blur(FILTER.T))


def score(a, g):
    p, t = a > .5, g > .5
    return ((p & t).sum() / max((p | t).sum(), 1), np.abs(a - g).mean(),
            ((slope(a) - slope(g)) ** 2).sum() / 1000)


def read(path):
    return cv2.imread(path)[:, :, ::-1].copy()


def held_out(data):
    """Val pictures of people: path, teacher's matte, mask or None, agreement, clean or not, set."""
    skip = pack.names('objects.txt') | pack.names('exclude.txt')
    for index in sorted(glob.glob(os.path.join(data, '*', 'index.json'))):
        folder = os.path.dirname(index)
        for e in json.load(open(index)):
            if e.get('split') != 'val' or 'alpha' not in e or os.path.splitext(e['image'])[0] in skip:
                continue
            alpha = cv2.imread(os.path.join(folder, e['alpha']), 0)
            mask = cv2.imread(os.path.join(folder, e['mask']), 0) if e.get('mask') else None
            path, name = os.path.join(folder, e['image']), os.path.basename(folder)
            clean = pack.judge(e, name, cv2.imread(path), alpha, mask) is not None
            yield path, alpha / 255., None if mask is None else mask / 255., e['agreement'], clean, name


def table(title, rows):
    print('\n%s\n| network | pictures | IoU mean | median | < 0.8 | MAE | Grad |\n|---|---|---|---|---|---|---|' % title)
    for name, values in rows.items():
        v = np.array(values)
        print('| %s | %d | %.4f | %.4f | %d | %.4f | %.3f |' % (
            name, len(v), v[:, 0].mean(), np.median(v[:, 0]), (v[:, 0] < .8).sum(), v[:, 1].mean(), v[:, 2].mean()))


def strip(image, mattes, high=256):
    """The picture and it over green with each matte, side by side (BGR)."""
    cells = [image] + [image * a[..., None] + np.array([60, 200, 60]) * (1 - a[..., None]) for a in mattes]
    w = int(image.shape[1] * high / image.shape[0])
    return np.hstack([cv2.resize(c.astype(np.uint8), (w, high), interpolation=cv2.INTER_AREA) for c in cells])[:, :, ::-1]


def frames(path, most=90, high=360):
    clip = cv2.VideoCapture(path)
    while most:
        ok, f = clip.read()
        if not ok:
            break
        yield cv2.resize(f, (int(f.shape[1] * high / f.shape[0]), high), interpolation=cv2.INTER_AREA)[:, :, ::-1].copy()
        most -= 1


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('data')
    p.add_argument('--networks', nargs='+', required=True)
    p.add_argument('--nn-run', default=os.path.join(pack.HERE, '..', '..', 'build', 'tests', 'nn', 'nn-run'))
    p.add_argument('--photos')
    p.add_argument('--clips')
    p.add_argument('--empty', help='folder with pictures without people')
    p.add_argument('--pictures')
    p.add_argument('--sets', action='store_true', help='also one table per set')
    o = p.parse_args()
    networks = [Network(s, o.nn_run) for s in o.networks]
    if o.pictures:
        os.makedirs(o.pictures, exist_ok=True)
    clean, teacher, masks, sets, worst = {}, {}, {}, {}, []
    pictures = list(held_out(o.data))
    images = [read(p[0]) for p in pictures]
    for (path, alpha, mask, agreement, good, folder), *results in zip(pictures, *[n(images) for n in networks]):
        for n, a in zip(networks, results):
            s = score(a, alpha)
            if agreement >= .85:
                teacher.setdefault(n.label, []).append(s)
            if good:
                clean.setdefault(n.label, []).append(s)
                sets.setdefault(folder, {}).setdefault(n.label, []).append(s)
            if mask is not None:
                masks.setdefault(n.label, []).append(score(a, mask))
        if good:
            worst.append((clean[networks[0].label][-1][0], path, alpha, results))
    table('clean', clean)
    table('teacher', teacher)
    if masks:
        table('masks', masks)
    if o.sets:
        for folder, rows in sets.items():
            table('clean, ' + folder, rows)
    if o.pictures:
        worst.sort(key=lambda w: w[0])
        for k, (value, path, alpha, results) in enumerate(worst[:24]):
            cv2.imwrite(os.path.join(o.pictures, 'worst-%02d.png' % k), strip(read(path), [alpha] + results))
    if o.empty:
        grounds = sorted(f for k in ('jpg', 'png') for f in glob.glob(os.path.join(o.empty, '*.' + k)))
        print('\nempty\n| network | pictures | mean alpha | pictures with more than 1 % kept |\n|---|---|---|---|')
        for n in networks:
            kept = np.array([(a.mean(), (a > .5).mean()) for a in n([read(f) for f in grounds])])
            print('| %s | %d | %.4f | %d |' % (n.label, len(kept), kept[:, 0].mean(), (kept[:, 1] > .01).sum()))
    if o.clips:
        print('\nclips\n| clip | ' + ' | '.join(n.label for n in networks) + ' |\n|---|' + '---|' * len(networks))
        for path in sorted(glob.glob(os.path.join(o.clips, '*.mp4'))):
            still = {n.label: [] for n in networks}
            old, seen = None, []
            images = list(frames(path))
            for image, *results in zip(images, *[n(images) for n in networks]):
                if old is not None:
                    calm = np.abs(image.astype(int) - old[0]).max(2) < 6
                    for n, a, b in zip(networks, results, old[1]):
                        still[n.label].append(np.abs(a - b)[calm].mean())
                old = image.astype(int), results
                seen.append((image, results))
            name = os.path.splitext(os.path.basename(path))[0]
            print('| %s | ' % name + ' | '.join('%.5f' % np.mean(still[n.label]) for n in networks) + ' |')
            if o.pictures:
                rows = [strip(i, r, 200) for i, r in seen[::18]]
                cv2.imwrite(os.path.join(o.pictures, 'clip-%s.png' % name), np.vstack(rows))
    if o.photos and o.pictures:
        paths = sorted(glob.glob(os.path.join(o.photos, '*.jpg')))
        images = [read(path) for path in paths]
        images = [cv2.resize(i, None, fx=k, fy=k, interpolation=cv2.INTER_AREA)
                  for i in images for k in [640 / max(i.shape[:2])]]
        for path, image, *results in zip(paths, images, *[n(images) for n in networks]):
            name = os.path.splitext(os.path.basename(path))[0]
            cv2.imwrite(os.path.join(o.pictures, name + '.png'), strip(image, results))


if __name__ == '__main__':
    main()
