"""What the networks are asked for."""
import torch
import torch.nn.functional as F

from network import up


def pyramid(p, a, levels=4):
    """Difference of the Laplacian pyramids: contours and hair, coarse and fine."""
    total = 0
    for k in range(levels):
        dp, da = F.avg_pool2d(p, 2), F.avg_pool2d(a, 2)
        total = total + 2 ** k * ((p - up(dp)) - (a - up(da))).abs().mean()
        p, a = dp, da
    return total


def slope(p, a):
    """Difference of the gradients."""
    dx = lambda z: z[..., 1:] - z[..., :-1]
    dy = lambda z: z[..., 1:, :] - z[..., :-1, :]
    return (dx(p) - dx(a)).abs().mean() + (dy(p) - dy(a)).abs().mean()


def missing(p, a):
    """1 - intersection over union per picture: small people count as much as large ones."""
    both = (p * a).sum((1, 2, 3))
    return (1 - (both + 50) / ((p + a - p * a).sum((1, 2, 3)) + 50)).mean()


def composition(p, a, x):
    """Error seen when the picture is put on another one (the next of the batch)."""
    return ((p - a) * (x - x.roll(1, 0))).abs().mean()


def steady(p, pairs, shift):
    """Difference of two views of one scene, moved by whole pixels, where both see it."""
    n, _, h, w = p.shape
    one, two = p[:pairs, 0], p[n - pairs:, 0]
    # two[y, x] shows what one shows at [y + dy, x + dx].
    dx, dy = shift[n - pairs:, 0].long(), shift[n - pairs:, 1].long()
    ys = torch.arange(h, device=p.device)[None] + dy[:, None]
    xs = torch.arange(w, device=p.device)[None] + dx[:, None]
    seen = ((ys >= 0) & (ys < h))[:, :, None] & ((xs >= 0) & (xs < w))[:, None]
    flat = (ys.clamp(0, h - 1) * w)[:, :, None] + xs.clamp(0, w - 1)[:, None]
    moved = one.flatten(1).gather(1, flat.flatten(1)).view_as(two)
    return ((moved - two).abs() * seen).mean()


def total(logit, coarse, a, x, pairs, shift):
    p = torch.sigmoid(logit)
    small = F.interpolate(a, size=coarse.shape[2:], mode='area')
    value = (2 * (p - a).abs().mean() + .6 * F.binary_cross_entropy_with_logits(logit, a)
             + .7 * pyramid(p, a) + .5 * slope(p, a) + .4 * missing(p, a) + composition(p, a, x)
             + .4 * F.binary_cross_entropy_with_logits(coarse, small))
    if pairs:
        value = value + steady(p, pairs, shift)
    return value
