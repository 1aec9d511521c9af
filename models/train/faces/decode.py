"""YuNet's output form to faces, in numpy.

The twelve outputs are cls, obj, bbox and kps at strides 8, 16 and 32, one row
per cell, row by row. A cell in column c and row r of stride s says

    score = sqrt(cls * obj)
    box   = centre ((c + b0) s, (r + b1) s), size (exp(b2) s, exp(b3) s)
    point = ((k0 + c) s, (k1 + r) s), five of them

in pixels of the network's input. Points: eye at image left, eye at image
right, nose, mouth corner at image left, at image right, for an upright face.
"""
import numpy as np

STRIDES = (8, 16, 32)


def decode(out, k, h, w, least=.3):
    """Faces of sample k of an h x w input: boxes [n,4] x y w h, scores [n], points [n,5,2]."""
    boxes, scores, points = [], [], []
    for s in STRIDES:
        rows, cols = np.divmod(np.arange((h // s) * (w // s)), w // s)
        score = np.sqrt(np.clip(out['cls_%d' % s][k, :, 0], 0, 1) * np.clip(out['obj_%d' % s][k, :, 0], 0, 1))
        keep = score >= least
        corner = np.stack([cols, rows], 1)[keep]
        b, p = out['bbox_%d' % s][k][keep], out['kps_%d' % s][k][keep]
        size = np.exp(b[:, 2:]) * s
        boxes.append(np.concatenate([(corner + b[:, :2]) * s - size / 2, size], 1))
        points.append((p.reshape(-1, 5, 2) + corner[:, None]) * s)
        scores.append(score[keep])
    return np.concatenate(boxes), np.concatenate(scores), np.concatenate(points)


def overlap(a, b):
    """IoU of boxes x y w h: [n,4] and [m,4] to [n,m]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(2)
    return both / np.maximum(a[:, None, 2:].prod(2) + b[None, :, 2:].prod(2) - both, 1e-9)


def covered(a, b):
    """Shared area by the smaller of both areas: boxes [n,4] and [m,4] to [n,m]."""
    iou, area, other = overlap(a, b), a[:, None, 2:].prod(2), b[None, :, 2:].prod(2)
    return iou / (1 + iou) * (area + other) / np.maximum(np.minimum(area, other), 1e-9)


def suppress(boxes, scores, points, most=.3, by=overlap):
    """Non-maximum suppression, best first."""
    order, keep = list(np.argsort(-scores, kind='stable')), []
    iou = by(boxes, boxes)
    while order:
        best = order.pop(0)
        keep.append(best)
        order = [i for i in order if iou[best, i] <= most]
    keep = np.array(keep, int)
    return boxes[keep], scores[keep], points[keep]
