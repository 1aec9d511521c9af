"""The teacher's labels: a picture seen in several ways by YuNet, what is found clustered and averaged.

One look at one size misses faces and jitters. The score of a face is the mean
over the looks in which it has a size YuNet sees (one that misses it counts
zero), so that faces the teacher is not sure of can be told from those it is.
"""
import cv2
import numpy as np

from .decode import decode, overlap, suppress

SWAP = [1, 0, 2, 4, 3]  # Landmarks of a mirrored face.


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
