#!/usr/bin/python3
"""Checks that a PNG is the astronaut's portrait with an alpha that a person would accept.

SPDX-License-Identifier: LGPL-2.1-or-later

    check-portrait.py FILE.png

The places were read off the picture: 512 x 512, a head and an orange suit before a light wall.
"""
import sys

import numpy as np
from PIL import Image

# left, top, right, bottom in pixels
INSIDE = {"forehead": (200, 60, 250, 90), "face": (195, 100, 255, 180), "chest": (150, 330, 250, 500)}
OUTSIDE = {"upper right corner": (440, 5, 505, 60), "wall": (310, 30, 400, 120)}


def mean(alpha, box):
    left, top, right, bottom = box
    return alpha[top:bottom, left:right].mean()


def main():
    image = Image.open(sys.argv[1])
    if image.mode != "RGBA" or image.size != (512, 512):
        sys.exit(f"failed: {image.mode} {image.size} instead of RGBA (512, 512)")
    alpha = np.asarray(image)[..., 3] / 255
    wrong = [f"{name} is {mean(alpha, box):.2f} opaque" for name, box in INSIDE.items()
             if mean(alpha, box) < 0.9]
    wrong += [f"{name} is {mean(alpha, box):.2f} opaque" for name, box in OUTSIDE.items()
              if mean(alpha, box) > 0.1]
    if wrong:
        sys.exit("failed: " + ", ".join(wrong))
    print(f"the portrait covers {alpha.mean():.2f} of the picture")


main()
