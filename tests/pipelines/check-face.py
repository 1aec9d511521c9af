#!/usr/bin/python3
"""Checks that what changed between two pictures of imageio's portrait is its face, and only that.

SPDX-License-Identifier: LGPL-2.1-or-later

    check-face.py BEFORE.png AFTER.png identity|horiz|close

close: 640x640, enlarged from the 120x120 from (160, 70) on.
"""
import sys

import numpy as np
from PIL import Image

# In the upright portrait, 512x512: eyes, nose and mouth lie between these, read off the picture.
FACE = 180, 90, 265, 170   # x0, y0, x1, y1
FRAME = 110, 0, 340, 270   # the face's square may reach as far as this

if sys.argv[3] == "close":
    FACE = tuple(round((z - start) * 640 / 120) for z, start in zip(FACE, (160, 70) * 2))
    FRAME = 0, 0, 640, 640

before, after = (np.asarray(Image.open(path).convert("RGB")).astype(int) for path in sys.argv[1:3])
undo = np.s_[:, ::-1] if sys.argv[3] == "horiz" else np.s_[:, :]
changed = (np.abs(before - after).max(2) > 0)[undo]
ys, xs = np.nonzero(changed)
if not len(xs):
    sys.exit("no face was found")
box = xs.min(), ys.min(), xs.max(), ys.max()
x0, y0, x1, y1 = FACE
inside = changed[y0:y1, x0:x1].mean()
if inside < 0.95:
    sys.exit(f"only {inside:.0%} of the face changed; what changed lies in {box}")
if box[0] < FRAME[0] or box[1] < FRAME[1] or box[2] > FRAME[2] or box[3] > FRAME[3]:
    sys.exit(f"what changed reaches beyond the face: {box}")
