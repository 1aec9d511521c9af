"""A pack of aligned faces on the device, and batches drawn from it."""
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch

from align import FACE, MARGIN, SIDE


def read(path, limit=None, threads=16):
    """Entries of the pack's list and an array [n, 3, SIDE, SIDE] of uint8 RGB."""
    with tarfile.open(path) as tar:
        data = {m.name: tar.extractfile(m).read() for m in tar}
    rows = json.loads(data['list.json'])
    if limit:
        rows = rows[::max(len(rows) // limit, 1)]

    def one(row):
        image = cv2.imdecode(np.frombuffer(data[row['name'] + '.webp'], np.uint8), 1)
        return np.ascontiguousarray(image[:, :, ::-1].transpose(2, 0, 1))

    with ThreadPoolExecutor(threads) as pool:
        return rows, np.stack(list(pool.map(one, rows)))


def middle(images):
    """The 256x256 crops in 0..1."""
    return images[:, :, MARGIN:MARGIN + FACE, MARGIN:MARGIN + FACE].float() / 255


class Drawer:
    """Random crops: moved by up to MARGIN pixels, mirrored, in other light, now and then grey."""

    def __init__(self, images, pairs):
        """images: uint8 on the device; pairs: how many pictures of a batch show others of it again, moved."""
        self.images, self.pairs = images, pairs

    def __call__(self, n):
        """Crops [n,3,256,256] in 0..1, and for each of the last `pairs` how many pixels further
        down and right its window lies than that of its partner among the first [pairs,2]."""
        d, k = self.images.device, self.pairs
        u = lambda *shape: torch.rand(n, *shape, device=d)
        again = lambda v: torch.cat([v[:n - k], v[:k]]) if k else v
        which = again(torch.randint(len(self.images), (n,), device=d))
        at = again(torch.randint(2 * MARGIN + 1, (n, 2), device=d))
        moved = at[:k]
        if k:
            moved = (at[:k] + torch.randint(-3, 4, (k, 2), device=d)).clamp(0, 2 * MARGIN)
            at = torch.cat([at[:n - k], moved])
        line = torch.arange(FACE, device=d)
        rows, columns = at[:, :1] + line, at[:, 1:] + line
        mirrored = again(u(1) < .5)
        columns = torch.where(mirrored, SIDE - 1 - columns, columns)
        x = self.images[which[:, None, None, None], torch.arange(3, device=d)[None, :, None, None],
                        rows[:, None, :, None], columns[:, None, None, :]].float() / 255
        gain = again(.8 + .4 * u(1)) * again(.95 + .1 * u(3))
        x = (x ** again(torch.exp(.5 * u(1) - .25))[:, :, None, None] * gain[:, :, None, None]).clamp(0, 1)
        grey = .299 * x[:, :1] + .587 * x[:, 1:2] + .114 * x[:, 2:]
        x = torch.where(again(u(1) < .04)[:, :, None, None], grey.expand_as(x), x)
        return x, moved - at[:k]


def steadiness(first, second, shift):
    """Mean absolute difference of two results [k,3,h,w] where their windows overlap; shift as above."""
    k, c, h, w = first.shape
    y, x = (torch.arange(s, device=first.device)[None] - shift[:, a, None] for a, s in ((0, h), (1, w)))
    inside = ((y >= 0) & (y < h))[:, None, :, None] & ((x >= 0) & (x < w))[:, None, None, :]
    y, x = y.clamp(0, h - 1)[:, None, :, None].expand(k, c, h, w), x.clamp(0, w - 1)[:, None, None, :].expand(k, c, h, w)
    return ((first - second.gather(2, y).gather(3, x)).abs() * inside).mean()
