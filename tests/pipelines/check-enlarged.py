#!/usr/bin/python3
"""Checks imageio's portrait, enlarged whole, in tiles, and with its face restored.

SPDX-License-Identifier: LGPL-2.1-or-later

    check-enlarged.py PORTRAIT.png WHOLE.png TILES.png FACE.png
"""
import sys

import numpy as np
from PIL import Image

FACE = 360, 180, 530, 340  # x0, y0, x1, y1, as in check-face.py
FRAME = 220, 0, 680, 540

portrait, whole, tiles, face = (np.asarray(Image.open(path).convert("RGB")).astype(int)
                                for path in sys.argv[1:5])
if whole.shape != (2 * portrait.shape[0], 2 * portrait.shape[1], 3):
    sys.exit(f"{whole.shape} is not twice {portrait.shape}")
like = np.abs(whole - portrait.repeat(2, 0).repeat(2, 1))
if not 0.5 < like.mean() < 40:
    sys.exit(f"on average {like.mean():.1f} from the portrait")
seams = np.abs(whole - tiles).max()
if seams > 1:
    sys.exit(f"tiles differ by {seams}")
ys, xs = np.nonzero(np.abs(tiles - face).max(2) > 1)
if not len(xs) or xs.min() < FRAME[0] or ys.min() < FRAME[1] or xs.max() > FRAME[2] or \
        ys.max() > FRAME[3]:
    sys.exit(f"what changed with the face lies in {xs.min()} {ys.min()} {xs.max()} {ys.max()}"
             if len(xs) else "no face was restored")
x0, y0, x1, y1 = FACE
inside = (np.abs(tiles - face).max(2) > 1)[y0:y1, x0:x1].mean()
if inside < 0.95:
    sys.exit(f"only {inside:.0%} of the face changed")
