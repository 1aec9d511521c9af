"""Load a pack into one texture array on the device.

Every picture is stretched to SIDE x SIDE and kept as packed RGBA (one 32-bit
word a pixel, so that one read fetches colour and matte) with two smaller
copies behind it (1/2, 1/4), from which strongly reduced people are drawn
without aliasing. Three rows per person picture:

    photo   the picture and its matte
    cut     the person's own colours, continued outward past the contour, and
            the matte: pasting these leaves no rim of the old background
    ground  the picture without the person, the hole filled from its rim

Grounds of the pack follow as further ground rows. Relabelled pictures come
last and are kept as photos only.
"""
import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
import torch.nn.functional as F

SIDE = 384
LEVELS = (SIDE, SIDE // 2, SIDE // 4)
OFFSETS = (0, SIDE ** 2, SIDE ** 2 + (SIDE // 2) ** 2)
WORDS = sum(s * s for s in LEVELS)


def decode(data, flag):
    return cv2.imdecode(np.frombuffer(data, np.uint8), flag)


def read(paths, limit=None, threads=16):
    """Rows of the packs' lists and an array [n, SIDE, SIDE, 4] of uint8 RGBA."""
    data, rows = {}, []
    for path in paths:
        with tarfile.open(path) as tar:
            data.update({m.name: tar.extractfile(m).read() for m in tar})
        rows += json.loads(data['list.json'])
    if limit:
        rows = rows[::max(len(rows) // limit, 1)]
    out = np.zeros((len(rows), SIDE, SIDE, 4), np.uint8)

    def one(i):
        name = rows[i]['name']
        fit = lambda z: cv2.resize(z, (SIDE, SIDE), interpolation=cv2.INTER_AREA if z.shape[0] > SIDE else cv2.INTER_LINEAR)
        out[i, :, :, :3] = fit(decode(data[name + '.webp'], 1))[:, :, ::-1]
        if name + '.alpha.webp' in data:
            out[i, :, :, 3] = fit(decode(data[name + '.alpha.webp'], 0))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(len(rows))))
    return rows, out


def fill(x, w):
    """Continue x from where the weight w is 1 into where it is 0 (push and pull)."""
    levels, n = [], x.shape[-1]
    x = x * w
    while n > 1 and n % 2 == 0:
        levels.append((x, w))
        x, w, n = F.avg_pool2d(x, 2), F.avg_pool2d(w, 2), n // 2
    y = x.sum((2, 3), keepdim=True) / w.sum((2, 3), keepdim=True).clamp_min(1e-4)
    y = torch.where(w > 1e-3, x / w.clamp_min(1e-3), y.expand_as(x))
    for x, w in reversed(levels):
        y = F.interpolate(y, scale_factor=2, mode='bilinear', align_corners=False)
        y = torch.where(w > 1e-3, x / w.clamp_min(1e-3), y)
    return y


def pack(rgba):
    """[n,4,SIDE,SIDE] in 0..1 to [n, WORDS] int32."""
    words = []
    for k in range(3):
        b = (rgba * 255 + .5).clamp(0, 255).to(torch.int32)
        # Alpha reaches the sign bit; readers mask after shifting, so that does no harm.
        word = b[:, 0] | (b[:, 1] << 8) | (b[:, 2] << 16) | (b[:, 3] << 24)
        words.append(word.flatten(1))
        if k < 2:
            rgba = F.avg_pool2d(rgba, 2)
    return torch.cat(words, 1)


class Atlas:
    """All textures on the device, and what is known about each person."""

    def __init__(self, rows, rgba, device, chunk=32):
        train = [i for i, r in enumerate(rows) if r['split'] == 'train' and r['kind'] != 'ground']
        train.sort(key=lambda i: rows[i].get('redone', False))
        ground = [i for i, r in enumerate(rows) if r['kind'] == 'ground']
        n, self.device = len(train), device
        cuts = sum(not rows[i].get('redone', False) for i in train)
        self.n = n
        self.words = torch.empty(n + 2 * cuts + len(ground), WORDS, dtype=torch.int32, device=device)
        box, touch = [], []
        for k in list(range(0, cuts, chunk)) + list(range(cuts, n, chunk)):
            part = train[k:min(k + chunk, cuts if k < cuts else n)]
            x = torch.from_numpy(rgba[part]).to(device).permute(0, 3, 1, 2).float() / 255
            # The teacher's veils of a few percent are noise.
            x[:, 3] = ((x[:, 3] - .03) / .94).clamp(0, 1)
            c, a = x[:, :3], x[:, 3:]
            near = F.max_pool2d(a, 9, 1, 4)
            self.words[k:k + len(part)] = pack(x)
            m = (a[:, 0] > .5).float()
            for axis in (1, 2):  # Columns with the person, then rows.
                line = m.amax(axis)
                first = line.argmax(1).float() / SIDE
                last = 1 - line.flip(1).argmax(1).float() / SIDE
                box += [first, last]
            touch.append(torch.stack([m[:, :, 0].mean(1), m[:, :, -1].mean(1), m[:, 0].mean(1), m[:, -1].mean(1)], 1))
            if k >= cuts:
                continue
            front, back = fill(c, (a > .95).float()), fill(c, (near < .03).float())
            own = (front + a * (c - a * front - (1 - a) * back)).clamp(0, 1)
            self.words[n + k:n + k + len(part)] = pack(torch.cat([own, a], 1))
            hole = torch.where(near < .03, c, back)
            first = n + cuts + k
            self.words[first:first + len(part)] = pack(torch.cat([hole, torch.zeros_like(a)], 1))
        # box: x0, x1, y0, y1 of the person in 0..1; touch: person cut at left, right, top, bottom.
        self.box = torch.stack([torch.cat(box[q::4]) for q in range(4)], 1)
        self.touch = torch.cat(touch) > .03
        for k in range(0, len(ground), chunk):
            part = ground[k:k + chunk]
            x = torch.from_numpy(rgba[part]).to(device).permute(0, 3, 1, 2).float() / 255
            x[:, 3] = 0
            first = n + 2 * cuts + k
            self.words[first:first + len(part)] = pack(x)
        take = lambda f, idx: torch.tensor([f(rows[i]) for i in idx], dtype=torch.float32, device=device)
        aspect = take(lambda r: r['aspect'], train)
        self.aspect = torch.cat([aspect, aspect[:cuts], aspect[:cuts], take(lambda r: r['aspect'], ground)])
        person = take(lambda r: r['kind'] == 'person', train)
        weight = take(lambda r: r['weight'], train)
        self.person, self.weight = person, weight
        # Cut-outs worth pasting: a person, not tiny, with the teacher's crisp matte.
        cover = take(lambda r: r['coverage'], train)
        self.flat = self.words.view(-1)
        self.paste = weight * person * (cover > .04) * (1 - take(lambda r: r.get('redone', False), train))
        self.things = torch.nonzero((person == 0), as_tuple=False)[:, 0]
        # Grounds: real ones five times as often, and photos the person leaves room in.
        room = ((cover < .35) | (person == 0)).float()[:cuts]
        self.grounds = torch.cat([torch.zeros(n + cuts, device=device), room,
                                  torch.full((len(ground),), 5., device=device)])

    def draw(self, weights, count):
        """Indices drawn by weight; works inside a CUDA graph."""
        total = weights.cumsum(0)
        at = torch.rand(count, device=self.device) * total[-1]
        return torch.searchsorted(total, at).clamp_max(len(weights) - 1)
