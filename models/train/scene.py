"""Compose training pictures on the device: a base and up to four layers.

Scenes are drawn as plain parameter tensors by `plan` and painted by a
`Painter`, whose layers the compiler fuses into one kernel each.

    base        a photo with its own matte, or a ground without people
    layer 0     a decoy behind: a person's outline filled with a ground's
                texture, or a thing; it counts as background, so that neither
                seams nor outlines alone make a person
    layer 1, 2  people, of any size, cut by the borders
    layer 3     an occluder in front: a box or an outline with a ground's texture

People who were cut off by their own picture's border are placed with that
border outside of the frame, nearly always.
"""
import math

import torch

from texture import LEVELS, OFFSETS, SIDE, WORDS

LAYERS = 5  # The base and four layers.


def uniform(shape, a, b, device):
    return torch.rand(shape, device=device) * (b - a) + a


def chance(n, p, device):
    return torch.rand(n, device=device) < p


def photometric(n, strong, device):
    """Per picture: three gains, offset, contrast, saturation, gamma."""
    u = lambda a, b: uniform((n, 1), a, b, device)
    s = strong
    gain = torch.exp(u(-.45, .35) * s) * torch.exp(uniform((n, 3), -.16, .16, device) * s)
    return torch.cat([gain, u(-.06, .06) * s, torch.exp(u(-.35, .3) * s),
                      (1 + u(-.7, .5) * s).clamp_min(0), torch.exp(u(-.45, .45) * s)], 1)


def window(aspect, h, w, n, device):
    """Placement of a photo that fills the frame: a random cut-out of it."""
    u = lambda a, b: uniform(n, a, b, device)
    ratio = (w / h) / aspect * torch.exp(u(-.12, .12))
    zoom = torch.where(chance(n, .3, device), u(.3, .8), u(.8, 1.))
    zoom = torch.where(chance(n, .12, device), u(1., 1.35), zoom)
    sx, sy = zoom * ratio.clamp_max(1), zoom / ratio.clamp_min(1)
    cx, cy = .5 + (1 - sx) * u(-.5, .5), .5 + (1 - sy) * u(-.5, .5)
    return sx, sy, cx, cy


def placement(atlas, i, h, w, n):
    """Placement of a pasted person: window in its picture that the frame shows."""
    d = atlas.device
    u = lambda a, b: uniform(n, a, b, d)
    x0, x1, y0, y1 = atlas.box[i].unbind(1)
    left, right, top, bottom = atlas.touch[i].unbind(1)
    bw, bh = (x1 - x0).clamp_min(.05), (y1 - y0).clamp_min(.05)
    # Height of the person's box in the frame, and at most 2.2 output pixels per stored one.
    high = torch.exp(u(math.log(.22), math.log(1.5)))
    high = torch.where(bottom, torch.exp(u(math.log(.4), math.log(1.7))), high)
    high = torch.minimum(high, bh * SIDE * 2.2 / h)
    wide = high * bw / bh * atlas.aspect[i] * h / w * torch.exp(u(-.1, .1))
    both = left & right & chance(n, .85, d)
    grow = torch.where(both, (u(1., 1.3) / wide).clamp_min(1), torch.ones_like(wide))
    grow = grow.clamp_max(3)
    high, wide = high * grow, wide * grow
    # Where the box lies in the frame.
    px = torch.where(chance(n, .6, d), u(.25, .75), u(-.05, 1.05))
    py = torch.where(high < .9, .5 + (1 - high) * u(-.55, .6), .5 + high * u(-.15, .45))
    keep = chance(n, .93, d)
    out = u(0, .3)
    py = torch.where(bottom & keep, 1 - high / 2 + high * out, py)
    py = torch.where(top & ~bottom & keep, high / 2 - high * out, py)
    px = torch.where(left & ~right & keep, wide / 2 - wide * out, px)
    px = torch.where(right & ~left & keep, 1 - wide / 2 + wide * out, px)
    sx, sy = bw / wide, bh / high
    # Frame centre expressed in the picture.
    return sx, sy, (x0 + x1) / 2 + (.5 - px) * sx, (y0 + y1) / 2 + (.5 - py) * sy


def plan(atlas, n, h, w, pairs=0, photos=.5, strong=.85):
    """Draw n scenes; the last `pairs` repeat the first ones, moved by a few pixels.

    photos: share of photos with their own matte; strong: share of strong changes of colour.
    """
    d = atlas.device
    m = atlas.n
    real = chance(n, photos, d)                    # A photo with its own matte.
    empty = ~real & chance(n, .16, d)             # Nobody in the picture.
    photo = atlas.draw(atlas.weight, n)
    ground = atlas.draw(atlas.grounds, n)
    row = torch.empty(n, LAYERS, dtype=torch.long, device=d)
    skin = torch.empty(n, LAYERS, dtype=torch.long, device=d)   # Where colours come from.
    size = torch.empty(n, LAYERS, 4, device=d)
    on = torch.zeros(n, LAYERS, dtype=torch.bool, device=d)
    label = torch.zeros(n, LAYERS, device=d)
    row[:, 0] = torch.where(real, photo, ground)
    size[:, 0] = torch.stack(window(atlas.aspect[row[:, 0]], h, w, n, d), 1)
    label[:, 0] = real.float() * atlas.person[photo]
    on[:, 0] = True
    for k in range(1, LAYERS):
        who = atlas.draw(atlas.paste, n)
        size[:, k] = torch.stack(placement(atlas, who, h, w, n), 1)
        row[:, k] = who + m
    skin.copy_(row)
    for k in (1, 4):  # Decoys and occluders wear a ground.
        skin[:, k] = atlas.draw(atlas.grounds, n)
    if len(atlas.things):  # ... or are a thing.
        thing = atlas.things[torch.randint(len(atlas.things), (n,), device=d)]
        use = chance(n, .4, d)
        row[:, 1] = torch.where(use, thing + m, row[:, 1])
        skin[:, 1] = torch.where(use, thing + m, skin[:, 1])
        size[:, 1] = torch.where(use[:, None], torch.stack(placement(atlas, thing, h, w, n), 1), size[:, 1])
    label[:, 2:4] = 1.
    on[:, 1] = torch.where(real, chance(n, .0, d), torch.where(empty, chance(n, .6, d), chance(n, .3, d)))
    on[:, 2] = torch.where(real, chance(n, .12, d), ~empty)
    on[:, 3] = ~real & ~empty & chance(n, .35, d)
    on[:, 4] = chance(n, .1, d)
    box = chance(n, .7, d)
    # The occluder's box in the frame, often along the lower border.
    half = uniform((n, 2), .05, .35, d)
    middle = uniform((n, 2), 0, 1, d)
    low = chance(n, .5, d)
    half = torch.where(low[:, None], torch.stack([uniform(n, .3, 1.2, d), uniform(n, .04, .22, d)], 1), half)
    middle[:, 1] = torch.where(low, 1 - half[:, 1] * uniform(n, .2, 1, d), middle[:, 1])
    turn = uniform((n, LAYERS), -.22, .22, d) * chance((n, LAYERS), .6, d).float()
    flip = torch.where(chance((n, LAYERS), .5, d), -1., 1.)
    turn[:, 0] *= .7
    # A quarter of the pasted layers keep their colours; photos change more at once, below.
    color = torch.stack([photometric(n, 1. if k else 0., d) for k in range(LAYERS)], 1)
    plain = photometric(n, 0., d)[:, None].expand_as(color)
    color = torch.where(chance((n, LAYERS), .3, d)[..., None], plain, color)
    whole = torch.where(chance(n, strong, d)[:, None], photometric(n, 1., d), photometric(n, 0., d))
    grey = chance(n, .07, d)
    whole[:, 5] = torch.where(grey, torch.zeros_like(whole[:, 5]), whole[:, 5])
    light = uniform((n, 2), -.7, .7, d) * chance(n, .4, d).float()[:, None]
    level = torch.log2(torch.maximum(size[..., 0] * SIDE / w, size[..., 1] * SIDE / h)).add(.35).floor().clamp(0, 2).long()
    p = dict(row=row, skin=skin, size=size, on=on.float(), label=label, turn=turn, flip=flip, color=color,
             whole=whole, light=light, level=level, box=box.float(), half=half, middle=middle,
             shift=torch.zeros(n, 2, device=d))
    if pairs:
        for key, v in p.items():
            v[n - pairs:] = v[:pairs]
        p['shift'][n - pairs:] = torch.randint(-9, 10, (pairs, 2), device=d).float()
        p['whole'][n - pairs:, :3] *= uniform((pairs, 1), .96, 1.04, d)
    return p


def mix(a, b, t):
    """Blend lists of planes."""
    return [p + (q - p) * t for p, q in zip(a, b)]


def texel(words, at):
    word = words[at]
    return [((word >> k) & 255).float() for k in (0, 8, 16, 24)]


def fetch(words, row, level, u, v):
    """Bilinear R, G, B, A in 0..1 at (u, v) of a texture, as four planes [n,h,w]."""
    side = (SIDE >> level).view(-1, 1, 1)
    first = torch.where(level == 0, OFFSETS[0], torch.where(level == 1, OFFSETS[1], OFFSETS[2]))
    base = (row * WORDS + first).view(-1, 1, 1)
    top = side.float() - 1
    x = torch.minimum((u * side - .5).clamp_min(0), top)
    y = torch.minimum((v * side - .5).clamp_min(0), top)
    x0, y0 = x.floor(), y.floor()
    fx, fy = x - x0, y - y0
    x0, y0 = x0.long(), y0.long()
    x1, y1 = torch.minimum(x0 + 1, side - 1), torch.minimum(y0 + 1, side - 1)
    y0, y1 = base + y0 * side, base + y1 * side
    a = mix(texel(words, y0 + x0), texel(words, y0 + x1), fx)
    b = mix(texel(words, y1 + x0), texel(words, y1 + x1), fx)
    return [z * (1 / 255.) for z in mix(a, b, fy)]


def tint(planes, c):
    """Colour change with the parameters of `photometric`; three planes in 0..1."""
    c = [z.view(-1, 1, 1) for z in c.unbind(1)]
    x = [((z * c[k] + c[3]).clamp(1e-4, 1) - .45) * c[4] + .45 for k, z in enumerate(planes)]
    g = (x[0] + x[1] + x[2]) * (1 / 3.)
    return [(g + (z - g) * c[5]).clamp(1e-4, 1) ** c[6] for z in x]


def mirror(t):
    """Reflect coordinates at 0 and 1."""
    t = torch.remainder(t, 2.)
    return torch.minimum(t, 2 - t)


def base(words, ox, oy, row, level, size, turn, flip, label):
    """The lowest layer: planes R, G, B and the matte."""
    u, v, _, _ = place(ox, oy, size, turn, flip)
    *image, alpha = fetch(words, row, level, mirror(u), mirror(v))
    return image, alpha * label.view(-1, 1, 1)


def place(ox, oy, size, turn, flip):
    """Texture coordinates u, v and frame coordinates x, y of a layer."""
    column = lambda z: z.view(-1, 1, 1)
    h, w = oy.shape[1], ox.shape[2]
    c, s = column(torch.cos(turn)), column(torch.sin(turn))
    sx, sy, cx, cy = [column(z) for z in size.unbind(1)]
    # Rotation in pixels, so that it does not shear wide frames.
    x = (ox * c - oy * (s * h / w)) * column(flip)
    y = ox * (s * w / h) + oy * c
    return x * sx + cx, y * sy + cy, x, y


def overlay(words, image, alpha, ox, oy, row, skin, level, size, turn, flip, label, on, color, box, middle, half):
    """Put one layer over the picture."""
    column = lambda z: z.view(-1, 1, 1)
    h, w = oy.shape[1], ox.shape[2]
    u, v, x, y = place(ox, oy, size, turn, flip)
    cover = fetch(words, row, level, u, v)[3] * ((u > 0) & (u < 1) & (v > 0) & (v < 1)).float()
    wear = fetch(words, skin, level, mirror(u), mirror(v))[:3]
    mx, my = [column(z) - .5 for z in middle.unbind(1)]
    rx, ry = [column(z) for z in half.unbind(1)]
    far = torch.maximum((x - mx).abs() - rx, ((y - my).abs() - ry) * (h / w))
    cover = torch.lerp(cover, (.5 - far * w).clamp(0, 1), column(box)) * column(on)
    return mix(image, tint(wear, color), cover), alpha + (column(label) - alpha) * cover


def finish(image, ox, oy, light, whole):
    """Light from one side, then a colour change of the whole picture."""
    shade = torch.exp(ox * light[:, 0].view(-1, 1, 1) + oy * light[:, 1].view(-1, 1, 1))
    return torch.stack(tint([z * shade for z in image], whole), 1)


class Painter:
    """Paints planned scenes: pictures [n,3,h,w] in 0..1 and mattes [n,1,h,w].

    Colours are kept as separate planes and every layer goes through the same
    function, so that the compiler makes one kernel and makes it once.
    """

    def __init__(self, compiled):
        wrap = (lambda f: torch.compile(f, dynamic=True)) if compiled else (lambda f: f)
        self.base, self.overlay, self.finish = wrap(base), wrap(overlay), wrap(finish)

    def __call__(self, words, p, h, w):
        d = words.device
        ox = (torch.arange(w, device=d).float() + .5).view(1, 1, w)
        oy = (torch.arange(h, device=d).float() + .5).view(1, h, 1)
        ox = (ox + p['shift'][:, 0].view(-1, 1, 1)) / w - .5
        oy = (oy + p['shift'][:, 1].view(-1, 1, 1)) / h - .5
        part = lambda key, k: p[key][:, k].contiguous()
        image, alpha = self.base(words, ox, oy, *[part(key, 0) for key in ('row', 'level', 'size', 'turn', 'flip', 'label')])
        for k in range(1, LAYERS):
            box = p['box'] if k == 4 else torch.zeros_like(p['box'])
            image, alpha = self.overlay(words, image, alpha, ox, oy, *[part(key, k) for key in (
                'row', 'skin', 'level', 'size', 'turn', 'flip', 'label', 'on', 'color')], box, p['middle'], p['half'])
        return self.finish(image, ox, oy, p['light'], p['whole']), alpha[:, None]
