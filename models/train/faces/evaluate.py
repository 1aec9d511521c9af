"""Compare face detectors on held-out pictures, by the size of the face.

    python3 -m faces.evaluate DATA_DIR --labels labels.json --networks clmatte-face=FILE.onnx yunet=FILE.onnx
                              [--scales 1 .5 .25] [--element] [--nn-run BINARY [--device cpu]]
                              [--pictures FOLDER]

DATA_DIR and labels.json as for faces.pack; only pictures whose split is `val`
are used, which training never sees. The labels are the teacher's, seen in several
ways: where they are wrong, being right costs. A detection is right if its overlap
with a face is 0.5 or more; faces below 8 pixels and those the teacher is not
sure of count neither way. Landmarks: mean distance over the distance of the eyes.
The last line names the score at which F1, the harmonic mean of recall and precision over
all faces, is best. Every network sees the same pixels: the pictures at the given scales, padded to a
square. With --element each is looked at as gpenenhance does: enlarged or reduced to `detector-size`, and once
more smaller (gst/video/facedetect.c). Runs on ONNX Runtime (serve.mjs), or on this project's engine with --nn-run.
"""
import argparse
import json
import os
import subprocess
import tempfile

import cv2
import numpy as np

from .decode import covered, decode, overlap, suppress
from .measure import Tally
from .network import NAMES
from .pack import FAINT, pictures
from .session import Session
from .teacher import padded

VIEW = 480
SCORES = np.arange(.3, .9, .05)


class Engine:
    """The engine of this project, through nn-run."""

    def __init__(self, binary, path, device):
        self.command = [binary, path] + (['--device', device] if device else [])

    def __call__(self, x):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, 'input.npy')
            np.save(file, x.astype(np.float32))
            subprocess.run(self.command + ['--input', 'input=' + file, '--output-dir', folder], check=True,
                           stdout=subprocess.DEVNULL)
            return {name: np.load(os.path.join(folder, name + '.npy')) for name in NAMES}


def held_out(data, labels):
    """(name, BGR picture, truth in pixels) of the val pictures."""
    for folder, file, split in pictures(data):
        if split == 'val':
            image, name = cv2.imread(os.path.join(data, folder, file)), os.path.splitext(file)[0]
            unit = np.tile(image.shape[1::-1], 7).astype(float)
            truth = np.array([f for f in labels[name] if f[4] >= FAINT], float).reshape(-1, 15)
            truth[:, :4] *= unit[:4]
            truth[:, 5:] *= unit[4:]
            yield name, image, truth


def as_element(net, image, side=640, most=2., close=320, clear=(20, 300), same=.4, part=.6):
    """Two looks at one picture: a function of the threshold that tells the faces; numbers of gst/video/facedetect.c."""
    h, w = image.shape[:2]
    scales = [min(most, side / max(h, w))]
    if scales[0] * max(h, w) > close:
        scales.append(min(1., close / max(h, w)))
    looks = []
    for s in scales:
        size = max(round(w * s), 1), max(round(h * s), 1)
        x = padded(cv2.resize(image, size, interpolation=cv2.INTER_AREA if s < 1 else cv2.INTER_LINEAR))
        boxes, scores, points = suppress(*decode(net(x), 0, *x.shape[2:], SCORES[0] / 2))
        looks.append((boxes / s, scores, points / s))

    def found(threshold):
        if len(looks) == 1:
            return looks[0]
        sure = []
        seen = [[f[scores >= threshold / 2] for f in (boxes, scores, points)] for boxes, scores, points in looks]
        for (boxes, scores, points), (theirs, rated, _), s in zip(seen, seen[::-1], scales[::-1]):
            size = np.sqrt(boxes[:, 2:].prod(1)) * s
            there = np.where(overlap(boxes, theirs) > same, rated[None], 0).max(1, initial=0)
            scores = np.where((size >= clear[0]) & (size <= clear[1]), (scores + there) / 2, scores)
            sure.append([f[scores >= threshold] for f in (boxes, scores, points)])
        return suppress(*suppress(*[np.concatenate(f) for f in zip(*sure)]), part, covered)
    return found


def draw(image, boxes, scores, points, verdict):
    """Right detections green, wrong ones red, others yellow."""
    for b, s, p, v in zip(boxes, scores, points, verdict):
        if s < .3 or v is None and s < .6:
            continue
        color = {True: (0, 200, 0), False: (0, 0, 255), None: (0, 220, 220)}[v]
        x, y, w, h = [int(round(z)) for z in b]
        cv2.rectangle(image, (x, y), (x + w, y + h), color, 1)
        for q in p:
            cv2.circle(image, tuple(int(round(z)) for z in q), 1, (255, 120, 0), -1)
    return image


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('data')
    p.add_argument('--labels', required=True)
    p.add_argument('--networks', nargs='+', required=True)
    p.add_argument('--scales', type=float, nargs='+', default=[1, .5, .25])
    p.add_argument('--threshold', type=float, default=.6)
    p.add_argument('--element', action='store_true')
    p.add_argument('--nn-run')
    p.add_argument('--device')
    p.add_argument('--pictures', help='folder for pictures of what was found')
    o = p.parse_args()
    samples = list(held_out(o.data, json.load(open(o.labels))))
    for spec in o.networks:
        name, path = spec.split('=', 1)
        net = Engine(o.nn_run, path, o.device) if o.nn_run else Session(path)
        tally, others = Tally(), [Tally() for _ in SCORES]
        for scale in o.scales:
            side = -(-int(VIEW * scale) // 32) * 32
            for k in range(0, len(samples), 32):
                part, small = samples[k:k + 32], []
                x = np.zeros((len(part), 3, side, side), np.uint8)
                for j, (_, image, _) in enumerate(part):
                    z = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale != 1 else image
                    small.append(z)
                    x[j, :, :z.shape[0], :z.shape[1]] = z.transpose(2, 0, 1)
                out = None if o.element else net(x)
                for j, (title, image, truth) in enumerate(part):
                    scaled = truth * scale
                    scaled[:, 4] = truth[:, 4]
                    if o.element:
                        faces = as_element(net, small[j])
                    else:
                        whole = suppress(*decode(out, j, side, side))
                        faces = lambda threshold: whole
                    found = faces(o.threshold)
                    verdict = tally.add(scaled, *found, threshold=o.threshold)
                    for other, score in zip(others, SCORES):
                        other.add(scaled, *faces(score), threshold=score)
                    if o.pictures and scale == o.scales[0]:
                        folder = os.path.join(o.pictures, name)
                        os.makedirs(folder, exist_ok=True)
                        cv2.imwrite(os.path.join(folder, title + '.png'), draw(small[j].copy(), *found, verdict))
        print('\n`%s`, score %.2f:\n\n| size | faces | recall | precision | landmarks mean | median |' % (name, o.threshold))
        print('|---|---|---|---|---|---|')
        for size, faces, recall, precision, error, median in tally.rows():
            print('| %s | %d | %.4f | %.4f | %.2f %% | %.2f %% |' % (size, faces, recall, precision, 100 * error, 100 * median))
        at = [list(other.rows())[-1][2:4] for other in others]
        f1 = [2 * r * p / max(r + p, 1e-9) for r, p in at]
        k = int(np.argmax(f1))
        print('\nbest F1 %.4f at score %.2f: recall %.4f, precision %.4f' % (f1[k], SCORES[k], *at[k]))


if __name__ == '__main__':
    main()
