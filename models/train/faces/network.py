"""The face detector.

Depthwise separable blocks with residuals, a feature pyramid by nearest x2 and
addition, one small head per level. All of it is 3x3 depthwise and 1x1
convolutions with ReLU, 64 channels wide from stride 8 on. Faces of 8 pixels are two
cells wide at stride 4: that is where most of the work is done.

Input [N,3,H,W], RGB in 0..1, sides multiples of 32 (the exported file takes BGR
in 0..255: export.py folds the difference into the first convolution).
In training the output is [N, cells, 16]: logits of cls and obj, 4 of the box, 10
of the landmarks; cells of stride 8, then 16, then 32, row by row (decode.py says
what they mean). After eval() the twelve outputs of YuNet, in the order of NAMES.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F

from network import Conv, cost

from .decode import STRIDES

NAMES = ['%s_%d' % (kind, s) for kind in ('cls', 'obj', 'bbox', 'kps') for s in STRIDES]


class Block(nn.Module):
    """Look around per channel, then mix channels."""

    def __init__(self, i, o, s=1):
        super().__init__()
        self.same = s == 1 and i == o
        self.around, self.mix = Conv(i, i, 3, s, groups=i), Conv(i, o, 1, relu=False)

    def forward(self, x):
        y = self.mix(self.around(x))
        return F.relu(x + y if self.same else y)


class Detector(nn.Module):
    def __init__(self, stem=24, low=48, c=64, blocks=(1, 2, 3, 5), towers=(1, 3, 3)):
        """blocks: after the one that halves the size, at strides 4, 8, 16 and 32; towers: before the heads."""
        super().__init__()
        stage = lambda i, o, n: nn.Sequential(Block(i, o, 2), *[Block(o, o) for _ in range(n)])
        self.stem = Conv(3, stem, 3, 2)
        self.e4, self.e8 = stage(stem, low, blocks[0]), stage(low, c, blocks[1])
        self.e16, self.e32 = stage(c, c, blocks[2]), stage(c, c, blocks[3])
        self.d16, self.d8 = Block(c, c), Block(c, c)
        self.tower = nn.ModuleList(nn.Sequential(*[Block(c, c) for _ in range(n)]) for n in towers)
        self.head = nn.ModuleList(nn.Conv2d(c, 16, 1) for _ in STRIDES)
        for head in self.head:
            nn.init.normal_(head.weight, std=.01)
            nn.init.zeros_(head.bias)
            nn.init.constant_(head.bias[:2], -4.)  # Nearly all cells show no face.
            nn.init.constant_(head.bias[2:4], .5)  # The middle of the cell.
            nn.init.constant_(head.bias[4:6], 1.)

    def forward(self, x):
        s8 = self.e8(self.e4(self.stem(x)))
        s16 = self.e16(s8)
        s32 = self.e32(s16)
        s16 = self.d16(s16 + F.interpolate(s32, scale_factor=2., mode='nearest'))
        s8 = self.d8(s8 + F.interpolate(s16, scale_factor=2., mode='nearest'))
        rows = []
        for y, tower, head in zip((s8, s16, s32), self.tower, self.head):
            y = tower(y)
            if self.training:  # The heads' answers need more than 8 bits.
                with torch.autocast(y.device.type, enabled=False):
                    y = head(y.float())
            else:
                y = head(y)
            rows.append(y.permute(0, 2, 3, 1).flatten(1, 2))
        if self.training:
            return torch.cat(rows, 1)
        part = lambda a, b: [r[:, :, a:b] for r in rows]
        return tuple([torch.sigmoid(z) for z in part(0, 1) + part(1, 2)] + part(2, 6) + part(6, 16))


if __name__ == '__main__':
    m = Detector()
    print('%.4f GFLOP at 320x320,' % cost(m, 320, 320), sum(p.numel() for p in m.parameters()), 'parameters')
