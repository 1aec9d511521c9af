#!/usr/bin/python3
"""Checks that the face of imageio's portrait is nearer to the original after a restoration than before.

SPDX-License-Identifier: LGPL-2.1-or-later

    check-restored.py ORIGINAL.png DAMAGED.png RESTORED.png
"""
import sys

import numpy as np
from PIL import Image

FACE = np.s_[90:170, 180:265]  # As in check-face.py.
LEAST = 0.3                    # dB

original, damaged, restored = (np.asarray(Image.open(path).convert("RGB"))[FACE].astype(float) for path in sys.argv[1:4])


def psnr(picture):
    return 10 * np.log10(255 ** 2 / ((picture - original) ** 2).mean())


before, after = psnr(damaged), psnr(restored)
print(f"PSNR of the face: {before:.2f} dB before, {after:.2f} dB after")
if after < before + LEAST:
    sys.exit("the restored face is no better than the damaged one")
