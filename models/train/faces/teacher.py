"""The teacher's labels: a picture seen in several ways by YuNet, what is found clustered and averaged.

One look at one size misses faces and jitters. The score of a face is the mean
over the looks in which it has a size YuNet sees (one that misses it counts
zero), so that faces the teacher is not sure of can be told from those it is.

Landmarks jitter more than boxes, by 5 % of the distance of the eyes in one look
at an upright face of 85 to 170 pixels, 9 % at 40 pixels, half as much again at a
face turned by 0.2. So each face is then seen alone, upright, at the sizes the teacher is best at.
"""
import math

import cv2
import numpy as np

from .decode import decode, overlap, suppress

SWAP = [1, 0, 2, 4, 3]  # Landmarks of a mirrored face.
CANVAS = 256
CLOSE = (60, 71, 84, 100, 118, 140)  # Sizes of a face alone, in pixels.


def padded(image):
    """A BGR picture as [1,3,h,w] bytes, black at the right and below up to multiples of 32."""
    h, w = image.shape[:2]
    x = np.zeros((1, 3, -(-h // 32) * 32, -(-w // 32) * 32), np.uint8)
    x[0, :, :h, :w] = image.transpose(2, 0, 1)
    return x


def detect(net, image, least=.3):
    """Faces of one BGR picture: boxes, scores, points in its pixels."""
    x = padded(image)
    return suppress(*decode(net(x), 0, *x.shape[2:], least))


def look(net, image, scale, flip):
    """One look: a list of (box, score, points) in pixels of the picture."""
    h, w = image.shape[:2]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    z = cv2.resize(image, None, fx=scale, fy=scale, interpolation=how) if scale != 1 else image
    zh, zw = z.shape[:2]
    boxes, scores, points = detect(net, z[:, ::-1] if flip else z)
    if flip:
        boxes[:, 0] = zw - boxes[:, 0] - boxes[:, 2]
        points[..., 0] = zw - points[..., 0]
        points = points[:, SWAP]
    ratio = np.array([w / zw, h / zh])
    return list(zip(boxes * np.tile(ratio, 2), scores, points * ratio))


def merge(looks, scales, sizes=(10, 320)):
    """Cluster the faces of several looks (each at its scale): (box, mean score, points), best first."""
    found = [(*f, k) for k, faces in enumerate(looks) for f in faces]
    found.sort(key=lambda f: -f[1])
    faces = []
    while found:
        near = overlap(found[0][0][None], np.array([f[0] for f in found]))[0] > .45
        near[0] = True
        best = {}
        for f, n in zip(found, near):
            if n:
                best.setdefault(f[3], f)
        found = [f for f, n in zip(found, near) if not n]
        weight = np.array([f[1] for f in best.values()]) ** 4
        mean = lambda j: np.tensordot(weight, np.array([f[j] for f in best.values()]), 1) / weight.sum()
        side = np.sqrt(mean(0)[2:].prod())
        able = sum(sizes[0] <= side * s <= sizes[1] for s in scales)
        faces.append((mean(0), min(sum(f[1] for f in best.values()) / max(able, 1), 1.), mean(2)))
    return sorted(faces, key=lambda f: -f[1])


def closer(net, image, box, points):
    """Landmarks of one face: the mean of twelve upright looks at it alone, half of them mirrored.

    Those given when fewer than six of the looks find it.
    """
    side, centre = math.sqrt(box[2] * box[3]), box[:2] + box[2:] / 2
    right, down = points[1] - points[0], points[3:].mean(0) - points[:2].mean(0)
    turn = math.atan2(*(right + [down[1], -down[0]])[::-1])
    x, ways = np.zeros((2 * len(CLOSE), 3, CANVAS, CANVAS), np.uint8), []
    for k in range(len(x)):
        scale = min(CLOSE[k // 2], 3.5 * side) / side
        mirror = -1 if k % 2 else 1
        c, s = math.cos(turn) * scale, math.sin(turn) * scale
        a = np.array([[mirror * c, mirror * s], [-s, c]])
        # Where it lies among the cells changes from look to look.
        shift = CANVAS / 2 + np.array([5 * k % 16, 3 * k % 16]) - 8 - a @ centre
        z = cv2.GaussianBlur(image, (0, 0), .35 / scale) if scale < .7 else image
        half = shift + a @ [.5, .5] - .5  # Middles of pixels lie at .5 in boxes and points, at 0 in OpenCV.
        z = cv2.warpAffine(z, np.hstack([a, half[:, None]]), (CANVAS, CANVAS), flags=cv2.INTER_LINEAR)
        x[k] = z.transpose(2, 0, 1)
        ways.append((a, shift, side * scale, mirror))
    out, seen, weight = net(x), [], []
    for k, (a, shift, size, mirror) in enumerate(ways):
        boxes, scores, found = suppress(*decode(out, k, CANVAS, CANVAS, .5))
        far = np.linalg.norm(boxes[:, :2] + boxes[:, 2:] / 2 - a @ centre - shift, axis=1)
        if len(far) and far.min() < .35 * size and .6 < math.sqrt(boxes[far.argmin(), 2:].prod()) / size < 1.6:
            p = (found[far.argmin()] - shift) @ np.linalg.inv(a).T
            seen.append(p[SWAP] if mirror < 0 else p)
            weight.append(scores[far.argmin()] ** 4)
    return np.average(seen, 0, weight) if len(seen) >= 6 else points
