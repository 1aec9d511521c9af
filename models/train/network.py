"""The two matting networks, `fast` and `fine`.

A U-Net. The encoder uses plain residual blocks where pictures are large (few
channels, dense 3x3 convolutions run well everywhere) and inverted residual
blocks with 5x5 depthwise convolutions and channel attention where they are
small (cheap, and they see far). In the decoder every skip passes an attention
gate, computed from the coarser level, so that only what belongs to a person
comes through. An edge-detail branch looks at the full-size picture and is
gated by the decoder; it brings back hair and contours.

Input [N,3,H,W], RGB, (x/255 - 0.5)/0.5, sides multiples of 32.
Output [N,1,H,W], alpha in 0..1 (in training: logits, and a coarse map).
"""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Conv(nn.Sequential):
    """Convolution, batch norm and, unless said otherwise, ReLU."""

    def __init__(self, i, o, k=3, s=1, groups=1, relu=True):
        part = [nn.Conv2d(i, o, k, s, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o)]
        super().__init__(*part + ([nn.ReLU(True)] if relu else []))


class Residual(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a, self.b = Conv(c, c), Conv(c, c, relu=False)

    def forward(self, x):
        return F.relu(x + self.b(self.a(x)))


class Attention(nn.Module):
    """Channel attention: weigh channels by what the whole picture shows."""

    def __init__(self, c, squeezed):
        super().__init__()
        self.a, self.b = nn.Conv2d(c, squeezed, 1), nn.Conv2d(squeezed, c, 1)

    def forward(self, x):
        g = F.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.b(F.relu(self.a(g))))


class Inverted(nn.Module):
    """Inverted residual: widen, look around per channel, narrow."""

    def __init__(self, i, o, wide=4, s=1, attention=False):
        super().__init__()
        w = i * wide
        self.a, self.d = Conv(i, w, 1), Conv(w, w, 5, s, groups=w)
        self.attention = Attention(w, max(i // 4, 8)) if attention else None
        self.b, self.same = Conv(w, o, 1, relu=False), s == 1 and i == o

    def forward(self, x):
        y = self.d(self.a(x))
        if self.attention is not None:
            y = self.attention(y)
        y = self.b(y)
        return x + y if self.same else y


class Up(torch.autograd.Function):
    """Bilinear x2 with a backward pass of its own.

    PyTorch's adds with atomics, which is slow for few channels in bfloat16.
    The transposed filter is [1 3 3 1]/4 in both directions, with the border
    gradient repeated.
    """

    @staticmethod
    def forward(ctx, x):
        return F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=False)

    @staticmethod
    def backward(ctx, g):
        if g.is_cuda:
            from kernel import up_backward
            return up_backward(g)
        g = F.pad(g, (1, 1, 1, 1), mode='replicate')
        g = F.avg_pool2d(F.avg_pool2d(g, 2, 1), 2, 1)
        return F.avg_pool2d(g, 2, 2) * 4


def up(x):
    if x.requires_grad:
        return Up.apply(x)
    return F.interpolate(x, scale_factor=2, mode='bilinear', align_corners=False)


class Decode(nn.Module):
    """One step up: narrow, gate the skip by the coarse level, join, refine."""

    def __init__(self, coarse, skip, o, refine=None):
        super().__init__()
        self.narrow, self.gate = Conv(coarse, o, 1), nn.Conv2d(coarse, skip, 1)
        self.join, self.refine = Conv(o + skip, o), refine

    def forward(self, x, skip):
        y = torch.cat([up(self.narrow(x)), skip * up(torch.sigmoid(self.gate(x)))], 1)
        y = self.join(y)
        return y if self.refine is None else self.refine(y)


class Matting(nn.Module):
    def __init__(self, c, blocks, d, detail):
        """c: channels at 1/2..1/32; blocks at 1/4..1/32; d: decoder channels at 1/16..1/2."""
        super().__init__()
        self.stem = Conv(3, c[0], 3, 2)
        self.e4 = nn.Sequential(Conv(c[0], c[1], 3, 2), *[Residual(c[1]) for _ in range(blocks[0])])
        self.e8 = nn.Sequential(Conv(c[1], c[2], 3, 2), *[Residual(c[2]) for _ in range(blocks[1])])
        self.e16 = nn.Sequential(Inverted(c[2], c[3], s=2),
                                 *[Inverted(c[3], c[3], attention=k % 2 == 1) for k in range(blocks[2])])
        self.e32 = nn.Sequential(Inverted(c[3], c[4], s=2),
                                 *[Inverted(c[4], c[4], attention=k % 2 == 1) for k in range(blocks[3])])
        self.context = Attention(c[4], c[4] // 4)
        self.d16 = Decode(c[4], c[3], d[0], Inverted(d[0], d[0], attention=True))
        self.d8 = Decode(d[0], c[2], d[1], Inverted(d[1], d[1], wide=3))
        self.d4 = Decode(d[1], c[1], d[2])
        self.d2 = Decode(d[2], c[0], d[3])
        self.narrow = Conv(d[3], detail, 1)
        self.detail = Conv(3, detail)
        self.gate = nn.Conv2d(d[3], detail, 1)
        self.edge = Conv(2 * detail, detail)
        self.head = nn.Conv2d(detail, 1, 3, 1, 1)
        self.coarse = nn.Conv2d(d[1], 1, 1)  # Only in training.

    def forward(self, x):
        s2 = self.stem(x)
        s4 = self.e4(s2)
        s8 = self.e8(s4)
        s16 = self.e16(s8)
        y = self.context(self.e32(s16))
        y = self.d16(y, s16)
        y8 = self.d8(y, s8)
        y = self.d2(self.d4(y8, s4), s2)
        y = torch.cat([up(self.narrow(y)), self.detail(x) * up(torch.sigmoid(self.gate(y)))], 1)
        y = self.edge(y)
        if self.training:  # One output channel is slow to train: compute eight, use the first.
            pad = F.pad(self.head.weight, (0, 0, 0, 0, 0, 0, 0, 7)), F.pad(self.head.bias, (0, 7))
            y = F.conv2d(y, *pad, padding=1)[:, :1]
        else:
            y = self.head(y)
        return (y, self.coarse(y8)) if self.training else torch.sigmoid(y)


SIZES = {
    'fast': dict(c=(16, 24, 40, 72, 112), blocks=(2, 2, 4, 3), d=(56, 40, 24, 16), detail=8),
    'fine': dict(c=(24, 48, 80, 144, 240), blocks=(1, 2, 4, 6), d=(96, 64, 36, 20), detail=8),
}


def build(name):
    return Matting(**SIZES[name])


def cost(model, h, w):
    """GFLOP of the convolutions for one h x w picture; 1 multiply-add = 2 FLOP."""
    total, hooks = [0], []

    def count(m, i, o):
        total[0] += 2 * o[0].numel() * m.weight[0].numel()

    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            hooks.append(m.register_forward_hook(count))
    was = model.training
    model.eval()
    with torch.no_grad():
        model(torch.zeros(1, 3, h, w))
    model.train(was)
    for hook in hooks:
        hook.remove()
    return total[0] / 1e9


if __name__ == '__main__':
    for name, side in (('fast', 256), ('fine', 512)):
        m = build(name)
        print(name, '%.3f GFLOP at %dx%d,' % (cost(m, side, side), side, side),
              '%.3f M parameters' % (sum(p.numel() for p in m.parameters()) / 1e6))
