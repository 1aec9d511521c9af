"""What happens to faces on their way into a video, on the device: blur, lost pixels, noise, compression.

The order is that of blind restoration papers (GPEN, GFPGAN): blur, shrink,
noise, compress, enlarge. All numbers are per picture tensors drawn by plan(),
so that nothing waits for the CPU and two pictures can share a degradation.
"""
import math
import os
import sys

import torch
import torch.nn.functional as F

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
from degrade import dct, quantise  # noqa: E402

SIDE = 256
ROOM = SIDE + 16  # The small picture lies somewhere in a canvas, so that blocks fall anywhere.
REACH = 7


def plan(n, device, strength=1.):
    """How each of n pictures is degraded; strength 0..1 scales how bad it can get, of all or each [n]."""
    u = lambda: torch.rand(n, device=device)
    flag = lambda share: (u() < share).float()
    factor = torch.exp(flag(.8) * u() * math.log(8.) * strength)
    # Small pictures are not compressed as hard on top: nobody could know the face again.
    coarse = u() * strength * (.4 + .6 / factor)
    return dict(
        wide=.1 + flag(.6) * u() ** 1.5 * 2.6 * strength,  # Blur: sigma along one direction,
        ratio=1 - flag(.5) * u() * .8,                     # across it relative to that,
        angle=u() * math.pi,
        small=torch.round(SIDE / factor),                  # Side of the small picture.
        down=(u() * 4).floor(), up=(u() * 6).floor(),
        noise=flag(.6) * u() ** 2 * 20 / 255 * strength, smear=u(), colour=flag(.6),
        late=flag(.3) * u() ** 2 * 6 / 255 * strength,
        # Quantisers: from hardly visible to quality 10 or so.
        scale=torch.exp(3.9 * coarse - 2.5),
        packed=flag(.75), block=u() * 2)


def strengths(n, device):
    """What users have is mostly not that bad, and what is good must stay so: half of the pictures stay
    below 0.4, and every eighth is hardly touched."""
    u = torch.rand(n, device=device)
    return (.1 + .9 * ((u - .125).clamp_min(0) / .875) ** 1.5) * (u > .125).float()


def jitter(p):
    """The same degradation for the next frame: what differs is where blocks fall and the noise."""
    return {k: v.clone() for k, v in p.items()} | dict(block=torch.rand_like(p['block']) * 2)


def blur(x, p):
    n, c, h, w = x.shape
    k = torch.arange(-REACH, REACH + 1, device=x.device).float()
    a, s = p['angle'].view(n, 1, 1), p['wide'].view(n, 1, 1)
    t = s * p['ratio'].view(n, 1, 1)
    u, v = k[None, :, None] * a.cos() + k[None, None] * a.sin(), k[None, None] * a.cos() - k[None, :, None] * a.sin()
    f = torch.exp(-.5 * ((u / s) ** 2 + (v / t.clamp_min(.1)) ** 2))
    f = (f / f.sum((1, 2), keepdim=True)).repeat_interleave(c, 0)[:, None]
    x = F.pad(x, (REACH,) * 4, mode='replicate')
    return F.conv2d(x.reshape(1, n * c, h + 2 * REACH, w + 2 * REACH), f, groups=n * c).view(n, c, h, w)


def cubic(t):
    """Keys' kernel, a = -0.5."""
    t = t.abs()
    near, far = (1.5 * t - 2.5) * t * t + 1, ((-.5 * t + 2.5) * t - 4) * t + 2
    return torch.where(t < 1, near, torch.where(t < 2, far, torch.zeros_like(t)))


def triangle(t):
    return (1 - t.abs()).clamp_min(0)


def choose(kind, options):
    """Per picture one of the matrices."""
    out = options[0]
    for k, m in enumerate(options[1:], 1):
        out = torch.where(kind.view(-1, 1, 1) == k, m, out)
    return out / out.sum(2, keepdim=True)


def shrinking(p, at):
    """Matrices [n, ROOM, SIDE] that resize to p['small'] pixels from position `at` on, borders repeated."""
    d = at.device
    m = p['small'].view(-1, 1, 1)
    f = SIDE / m
    j = torch.arange(ROOM, device=d).float().view(1, -1, 1) - at.view(-1, 1, 1)
    j = torch.minimum(j.clamp_min(0), m - 1)
    i = torch.arange(SIDE, device=d).float().view(1, 1, -1)
    t = (i + .5) / f - (j + .5)
    box = (.5 + .5 / f - t.abs()).clamp_min(0).minimum(1 / f)
    return choose(p['down'], [box, triangle(t), cubic(t), triangle(i + .5 - (j + .5) * f)])


def enlarging(p, at):
    """Matrices [n, SIDE, ROOM] that undo it: bilinear, cubic or, now and then, by repetition."""
    d = at.device
    m, a = p['small'].view(-1, 1, 1), at.view(-1, 1, 1)
    i = torch.arange(SIDE, device=d).float().view(1, -1, 1)
    s = torch.minimum(((i + .5) * m / SIDE - .5).clamp_min(0), m - 1) + a
    t = s - torch.arange(ROOM, device=d).float().view(1, 1, -1)
    repeat = ((t >= -.5) & (t < .5)).float()
    linear, smooth = triangle(t), cubic(t)
    return choose(p['up'], [linear, linear, smooth, smooth, smooth, repeat])


def resize(x, rows, columns):
    return rows[:, None] @ x @ columns[:, None].transpose(2, 3)


def noise(x, p):
    n, _, h, w = x.shape
    d, v = x.device, lambda k: p[k].view(n, 1, 1, 1)
    fine = torch.randn(n, 3, h, w, device=d)
    smear = F.interpolate(torch.randn(n, 3, h // 2, w // 2, device=d), scale_factor=2, mode='bilinear', align_corners=False)
    grain = torch.lerp(fine, smear * 1.6, v('smear'))
    grain = torch.where(v('colour') > 0, grain, grain[:, :1])
    return x + grain * v('noise') * (1.4 - x.mean(1, keepdim=True))


def compress(x, p):
    """Like JPEG and inter coded video: blocks of luma and of half-size chroma are quantised."""
    _, luma, chroma = dct(x.device)
    r, g, b = x.unbind(1)
    y = .299 * r + .587 * g + .114 * b
    c = F.avg_pool2d(torch.stack([(b - y) * .564, (r - y) * .713], 1), 2)
    y = quantise(y[:, None], luma, p['scale'])[:, 0]
    c = quantise(c, chroma, p['scale'])
    c = F.interpolate(c, scale_factor=2, mode='bilinear', align_corners=False)
    b, r = y + c[:, 0] / .564, y + c[:, 1] / .713
    z = torch.stack([r, (y - .299 * r - .114 * b) / .587, b], 1)
    return torch.where(p['packed'].view(-1, 1, 1, 1) > 0, z, x)


def spoil(x, p):
    """Degrade [n,3,256,256] in 0..1 as planned."""
    x = blur(x, p)
    v, h = p['block'].frac() * 8, (p['block'] * 7.3).frac() * 8
    x = resize(x, shrinking(p, v), shrinking(p, h))
    x = compress(noise(x, p).clamp(0, 1), p).clamp(0, 1)
    x = resize(x, enlarging(p, v), enlarging(p, h))
    return (x + torch.randn_like(x) * p['late'].view(-1, 1, 1, 1)).clamp(0, 1)
