#!/usr/bin/python3
"""Films imageio's portrait with a noisy camera, and compares how much its face flickers in two films.

SPDX-License-Identifier: LGPL-2.1-or-later

    check-still.py film PORTRAIT.png FILM.rgb
    check-still.py compare BEFORE.rgb AFTER.rgb

Films are 16 frames of 512x512 RGB. What changed in any frame is what counts; it must be the face and
not much more (see check-face.py).
"""
import sys

import numpy as np
from PIL import Image

FRAMES = 16
NOISE = 3.0                # standard deviation, of 255
MOST = 1.2                 # times the difference that there was from frame to frame
FACE = 180, 90, 265, 170   # x0, y0, x1, y1
AROUND = 110, 0, 340, 270


def film(portrait, path):
    still = np.asarray(Image.open(portrait).convert("RGB")).astype(np.float32)
    noise = np.random.default_rng(1).normal(0, NOISE, (FRAMES,) + still.shape)
    np.clip(still + noise, 0, 255).round().astype(np.uint8).tofile(path)


def compare(before, after):
    before, after = (np.fromfile(path, np.uint8).reshape(FRAMES, 512, 512, 3).astype(np.int16)
                     for path in (before, after))
    changed = (before != after).any((0, 3))
    ys, xs = np.nonzero(changed)
    x0, y0, x1, y1 = FACE
    if not len(xs) or changed[y0:y1, x0:x1].mean() < 0.95:
        sys.exit("the face was not restored")
    box = xs.min(), ys.min(), xs.max(), ys.max()
    if box[0] < AROUND[0] or box[1] < AROUND[1] or box[2] > AROUND[2] or box[3] > AROUND[3]:
        sys.exit(f"what changed reaches beyond the face: {box}")
    was, now = (np.abs(np.diff(frames, axis=0))[:, changed].mean() for frames in (before, after))
    print(f"from frame to frame {was:.2f} before and {now:.2f} after: {now / was:.2f} times")
    if now > MOST * was:
        sys.exit(f"that is more than {MOST} times")


{"film": film, "compare": compare}[sys.argv[1]](*sys.argv[2:])
