"""What cameras, webcams and codecs do to a picture, on the device.

Each effect is given to a random part of the batch, whole pictures at a time:
that is cheaper than computing it for all and choosing afterwards.
"""
import math

import torch
import torch.nn.functional as F

_dct = {}


def dct(device):
    """The cosine transform of 8x8 blocks that JPEG and most video codecs quantise in.

    A 64x64 matrix, so that a block is one row of a matrix product.
    """
    if device not in _dct:
        k = torch.arange(8.)
        m = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) / 2
        m[0] /= math.sqrt(2)
        # Smooth stand-ins for JPEG's tables: high frequencies are cut harder.
        f = (k[:, None] + k[None]).flatten()
        luma, chroma = (10 + 6.5 * f + .55 * f * f) / 255, (14 + 16 * f).clamp_max(99) / 255
        _dct[device] = torch.kron(m, m).t().contiguous().to(device), luma.to(device), chroma.to(device)
    return _dct[device]


def quantise(x, table, scale):
    """Quantise [n,c,h,w] in 8x8 blocks; scale is one number per picture."""
    m = dct(x.device)[0]
    n, c, h, w = x.shape
    b = x.view(n, c, h // 8, 8, w // 8, 8).permute(0, 1, 2, 4, 3, 5).reshape(n, -1, 64) @ m
    t = table * scale.view(n, 1, 1)
    b = (torch.round(b / t) * t) @ m.t()
    return b.view(n, c, h // 8, w // 8, 8, 8).permute(0, 1, 2, 4, 3, 5).reshape(n, c, h, w)


def compress(x):
    """Like JPEG: luma and half-size chroma, quantised; qualities from poor to good."""
    n = x.shape[0]
    _, luma, chroma = dct(x.device)
    r, g, b = x.unbind(1)
    y = .299 * r + .587 * g + .114 * b
    c = F.avg_pool2d(torch.stack([(b - y) * .564, (r - y) * .713], 1), 2)
    scale = torch.exp(torch.rand(n, device=x.device) * 2.9 - 1.4)  # About quality 85 to 10.
    y = quantise(y[:, None], luma, scale)[:, 0]
    c = quantise(c, chroma, scale)
    c = F.interpolate(c, scale_factor=2, mode='bilinear', align_corners=False)
    b, r = y + c[:, 0] / .564, y + c[:, 1] / .713
    return torch.stack([r, (y - .299 * r - .114 * b) / .587, b], 1)


def blur(x, reach=5):
    """Defocus and motion: one stretched, turned Gaussian per picture."""
    n, c, h, w = x.shape
    d = x.device
    k = torch.arange(-reach, reach + 1, device=d).float()
    a = torch.rand(n, 1, 1, device=d) * math.pi
    s = .5 + 1.6 * torch.rand(n, 1, 1, device=d) ** 2
    t = s * torch.where(torch.rand(n, 1, 1, device=d) < .5, 1., 2.5)
    u, v = k[None, :, None] * a.cos() + k[None, None] * a.sin(), k[None, None] * a.cos() - k[None, :, None] * a.sin()
    f = torch.exp(-.5 * ((u / t) ** 2 + (v / s) ** 2))
    f = (f / f.sum((1, 2), keepdim=True)).repeat_interleave(c, 0)[:, None]
    x = F.pad(x, (reach,) * 4, mode='replicate')
    return F.conv2d(x.view(1, n * c, h + 2 * reach, w + 2 * reach), f, groups=n * c).view(n, c, h, w)


def shrink(x, k):
    """Lose detail: down and up again."""
    h, w = x.shape[2:]
    y = F.interpolate(x, size=(int(h / k), int(w / k)), mode='bilinear', align_corners=False, antialias=True)
    return F.interpolate(y, size=(h, w), mode='bilinear', align_corners=False)


def noise(x):
    """Sensor noise, more in the dark, fine or smeared by a denoiser."""
    n, _, h, w = x.shape
    d = x.device
    amount = (torch.rand(n, 1, 1, 1, device=d) - .35).clamp_min(0) ** 2 * .18
    fine = torch.randn(n, 3, h, w, device=d)
    smear = F.interpolate(torch.randn(n, 3, h // 2, w // 2, device=d), scale_factor=2, mode='bilinear', align_corners=False) * 1.6
    grain = torch.lerp(fine, smear, torch.rand(n, 1, 1, 1, device=d))
    return x + grain * amount * (1.4 - x.mean(1, keepdim=True))


def some(x, share, effect):
    """Apply an effect to a random share of the batch."""
    n = x.shape[0]
    idx = torch.rand(n, device=x.device).argsort()[:max(int(n * share), 1)]
    x[idx] = effect(x[idx])
    return x


def degrade(x):
    x = some(x, .2, blur)
    x = some(x, .1, lambda z: shrink(z, 1.5))
    x = some(x, .1, lambda z: shrink(z, 2))
    x = some(x, .06, lambda z: shrink(z, 3))
    x = noise(x)
    x = some(x, .35, compress)
    return x.clamp(0, 1)
