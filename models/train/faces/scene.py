"""Compose training pictures and their faces on the device.

A picture is a mosaic of 1x1 to 6x6 cells with uneven lines. Each cell shows a
window of a photo, mostly around one of its faces: turned (mostly a little,
sometimes to any angle), mirrored, scaled so that the face has 8 to 300 pixels.
Where a photo ends, its rim is continued or a ground shows. Boxes and ellipses with a ground's
texture or a plain colour lie in front of some faces. Then the whole changes
light and colour.

A face is learnt when most of it can be seen. One that is hidden for the larger
part, too small, or that the teacher is not sure of, is neither learnt as a face
nor as background.
"""
import math

import torch

from scene import chance, mirror, mix, photometric, tint, uniform
from texture import SIDE

from .atlas import LEVELS, MOST, OFFSETS, WORDS
from .pack import SURE

GRID = 6
CELLS = GRID * GRID
BOXES = 4      # Things in front.
FACES = 64     # Faces of a training picture.
SMALLEST = 8.  # Pixels: mean of a box's sides.
# Columns and rows of the mosaics.
GRIDS = (((1, 1),) * 7 + ((1, 2), (2, 1)) + ((2, 2),) * 4 + ((2, 3), (3, 2)) + ((3, 3), (4, 4)) * 2 +
         ((5, 5), (6, 6)) * 2)


class Composer:
    """Draws scenes and paints them; holds the constants, which a CUDA graph cannot make."""

    def __init__(self, atlas, h, w, compiled=False):
        d = atlas.device
        self.atlas, self.h, self.w, self.device = atlas, h, w, d
        self.grids = torch.tensor(GRIDS, device=d)
        self.offsets = torch.tensor(OFFSETS[:LEVELS], device=d)
        self.row = torch.arange(CELLS, device=d) // GRID
        self.column = torch.arange(CELLS, device=d) % GRID
        self.swap = torch.tensor([1, 0, 2, 4, 3], device=d)
        t = torch.linspace(-.4, .4, 5)
        self.probe = torch.stack(torch.meshgrid(t, t, indexing='ij'), 2).view(25, 2).to(d)
        self.xs = (torch.arange(w, device=d) + .5).view(1, 1, w)
        self.ys = (torch.arange(h, device=d) + .5).view(1, h, 1)
        self.paint = torch.compile(paint, dynamic=False) if compiled else paint

    def lines(self, n, count, length):
        """Uneven mosaic lines: [n, GRID + 1]; cells from `count` on are empty."""
        d = self.device
        k = torch.arange(GRID + 1, device=d).expand(n, -1)
        inner = (k > 0) & (k < count[:, None])
        at = k + inner.float() * uniform((n, GRID + 1), -.25, .25, d)
        return torch.minimum(at / count[:, None], torch.ones_like(at)) * length

    def plan(self, n):
        """Draw n scenes: what `paint` needs, and boxes [n,FACES,4] (middle, size), points [n,FACES,5,2], state."""
        d, atlas, h, w = self.device, self.atlas, self.h, self.w
        u = lambda a, b: uniform((n, CELLS), a, b, d)
        flag = lambda p: chance((n, CELLS), p, d)
        grid = self.grids[torch.randint(len(GRIDS), (n,), device=d)]
        lx, ly = self.lines(n, grid[:, 0], w), self.lines(n, grid[:, 1], h)
        x0, x1 = lx[:, self.column], lx[:, self.column + 1]
        y0, y1 = ly[:, self.row], ly[:, self.row + 1]
        active = (self.column < grid[:, :1]) & (self.row < grid[:, 1:])
        cw, ch = (x1 - x0).clamp_min(1), (y1 - y0).clamp_min(1)

        # Which picture, which face of it.
        shows = flag(.82) & ~chance((n, 1), .06, d)
        room = torch.minimum(cw, ch)
        close = (room > 120) & flag(.6)  # Else most faces of large cells would be small ones, enlarged.
        who = torch.where(close, atlas.draw(atlas.close, n, CELLS), atlas.draw(atlas.with_face, n, CELLS))
        who = torch.where(shows, who, atlas.draw(atlas.without, n, CELLS))
        which = (torch.rand(n, CELLS, device=d) * atlas.sure[who]).long().clamp(0, MOST - 1)
        size = atlas.size[who]                                           # [n,CELLS,2]
        face = atlas.faces[who, which]                                   # [n,CELLS,15]
        box = face[..., :4] * torch.cat([size, size], 2)
        stored = (box[..., 2] * box[..., 3]).clamp_min(1).sqrt()

        # Pixels of the photo per pixel of the frame, the turn, and what lies in the middle.
        high = (1.1 * room).clamp(14, 300)
        low = (room / 16).clamp_min(SMALLEST)
        even = torch.rand(n, CELLS, device=d)
        want = low * torch.exp(torch.where(close, even ** .6, even) * torch.log(high / low))
        # Now and then about as large as it is in the photo: neither smeared nor sharpened by scaling.
        natural = torch.minimum((stored * torch.exp(u(-.4, .1))).clamp_min(SMALLEST), high)
        want = torch.where(flag(.25), natural, want)
        scale = (stored / want).clamp_min(.5)
        have = stored / scale
        any_scale = torch.minimum(size[..., 0] / cw, size[..., 1] / ch) * u(.4, 1.1)
        scale = torch.where(shows, scale, any_scale)
        stretch = torch.exp(u(-.08, .08))
        step = torch.stack([scale * stretch, scale / stretch], 2)
        turn = torch.randn(n, CELLS, device=d).clamp(-2.5, 2.5) * .2
        turn = torch.where(flag(.2), u(-1.1, 1.1), turn)
        turn = torch.where(flag(.06), u(-math.pi, math.pi), turn)
        cos, sin = torch.cos(turn), torch.sin(turn)
        flip = torch.where(flag(.5), -1., 1.)
        anywhere = uniform((n, CELLS, 2), .2, .8, d) * size
        middle = torch.where(shows[..., None], box[..., :2] + box[..., 2:] / 2, anywhere)
        mx, my = torch.minimum(have * .45, cw / 2), torch.minimum(have * .55, ch / 2)
        px = x0 + mx + (cw - 2 * mx) * torch.rand(n, CELLS, device=d)
        py = y0 + my + (ch - 2 * my) * torch.rand(n, CELLS, device=d)
        # Now and then the cell's border cuts the face.
        px = torch.where(flag(.1), x0 + cw * u(-.05, 1.05), px)
        py = torch.where(flag(.1), y0 + ch * u(-.05, 1.05), py)

        def to_frame(p):
            """Points [n,CELLS,k,2] of the photo to the frame."""
            q = (p - middle[:, :, None]) / step[:, :, None]
            qx, qy = q[..., 0] * flip[..., None], q[..., 1]
            c, s = cos[..., None], sin[..., None]
            return torch.stack([px[..., None] + qx * c - qy * s, py[..., None] + qx * s + qy * c], -1)

        # Things in front of faces: around the middle of some cell's face.
        pick = (torch.rand(n, BOXES, device=d) * (grid[:, :1] * grid[:, 1:])).long()
        pick = pick // grid[:, :1] * GRID + pick % grid[:, :1]
        far = torch.gather(have, 1, pick)
        at = torch.stack([torch.gather(px, 1, pick), torch.gather(py, 1, pick)], 2)
        at = at + uniform((n, BOXES, 2), -.75, .75, d) * far[..., None]
        half = uniform((n, BOXES, 2), .08, .5, d) * far[..., None]
        half = half * chance((n, BOXES), .25, d)[..., None].float()      # Most are off.
        round_ = chance((n, BOXES), .5, d)

        # All faces of all photos.
        every = atlas.faces[who]                                         # [n,CELLS,MOST,15]
        unit = size[:, :, None]
        corner, extent = every[..., :2] * unit, every[..., 2:4] * unit
        centre = corner + extent / 2
        probes = (centre[..., None, :] + extent[..., None, :] * self.probe).flatten(2, 3)
        inside = ((probes > 0) & (probes < size[:, :, None])).all(-1)
        q = to_frame(probes)
        qx, qy = q[..., 0], q[..., 1]
        inside &= (qx > x0[..., None]) & (qx < x1[..., None]) & (qy > y0[..., None]) & (qy < y1[..., None])
        for k in range(BOXES):
            inside &= ~covered(qx, qy, at[:, k, None, None], half[:, k, None, None], round_[:, k, None, None])
        seen = inside.view(n, CELLS, MOST, 25).float().mean(-1)
        a, b = (extent / step[:, :, None] / 2).unbind(-1)                # An ellipse, turned.
        c2, s2 = (cos ** 2)[..., None], (sin ** 2)[..., None]
        wide = 2 * (a * a * c2 + b * b * s2).sqrt()
        tall = 2 * (a * a * s2 + b * b * c2).sqrt()
        place = to_frame(centre)
        points = to_frame((every[..., 5:].unflatten(-1, (5, 2)) * unit[..., None, :]).flatten(2, 3))
        points = points.view(n, CELLS, MOST, 5, 2)
        points = torch.where((flip < 0).view(n, CELLS, 1, 1, 1), points[..., self.swap, :], points)
        there = active[..., None] & (every[..., 4] > 0)
        learn = there & (every[..., 4] >= SURE) & (seen >= .6) & ((wide * tall).sqrt() >= SMALLEST)
        ignore = there & ~learn & (seen > .1)
        state = (learn.long() * 2 + ignore.long()).flatten(1)
        # The learnt first, then the ignored.
        state, order = state.topk(FACES, 1)
        boxes = torch.cat([place, torch.stack([wide, tall], -1)], -1).flatten(1, 2)
        boxes = torch.gather(boxes, 1, order[..., None].expand(-1, -1, 4))
        points = torch.gather(points.flatten(1, 2).flatten(2), 1, order[..., None].expand(-1, -1, 10))

        # Frame to texture, per cell: u = m0 x + m1 y + m2, v = m3 x + m4 y + m5, in fractions of the picture.
        kx, ky = step[..., 0] * flip / size[..., 0], step[..., 1] / size[..., 1]
        m0, m1, m3, m4 = kx * cos, kx * sin, -ky * sin, ky * cos
        m2 = middle[..., 0] / size[..., 0] - m0 * px - m1 * py
        m5 = middle[..., 1] / size[..., 1] - m3 * px - m4 * py
        level = torch.log2((step / size).amax(2) * SIDE).add(.35).floor().clamp(0, LEVELS - 1).long()
        side = SIDE >> level
        base = who * WORDS + self.offsets[level]
        rim = flag(.5).float()
        table = torch.stack([m0, m1, m2, m3, m4, m5, rim], 2)            # [n,CELLS,7]
        # One ground around, one on the things in front; fractions of the ground per pixel.
        ground = atlas.draw(atlas.grounds, n, 2) * WORDS
        spread = uniform((n, 2, 1), .4, 1.2, d) / max(h, w)
        origin = uniform((n, 2, 2), 0, 2, d)
        colour = torch.rand(n, BOXES, 3, device=d) * chance((n, BOXES, 1), .5, d).float()  # Black: the ground's texture.
        whole = torch.where(chance(n, .7, d)[:, None], photometric(n, 1., d), photometric(n, 0., d))
        whole = torch.cat([whole[:, :5], whole[:, 5:6] * (~chance(n, .08, d))[:, None].float(), whole[:, 6:]], 1)
        light = uniform((n, 2), -.7, .7, d) * chance(n, .4, d).float()[:, None]
        scene = (lx, ly, table, base, side, ground, spread, origin, at, half, round_, colour, whole, light)
        return scene, boxes, points, state

    @torch.no_grad()
    def __call__(self, n):
        """Pictures [n,3,h,w] in 0..1, boxes, points [n,FACES,10], state (2 learn, 1 ignore, 0 nothing)."""
        scene, boxes, points, state = self.plan(n)
        return self.paint(self.atlas.flat, self.xs, self.ys, *scene), boxes, points, state


def covered(x, y, at, half, round_):
    """Whether points lie in a box or ellipse; half 0 covers nothing."""
    fx, fy = (x - at[..., 0]).abs(), (y - at[..., 1]).abs()
    rx, ry = half[..., 0].clamp_min(1e-3), half[..., 1].clamp_min(1e-3)
    return torch.where(round_, (fx / rx) ** 2 + (fy / ry) ** 2 < 1, (fx < rx) & (fy < ry))


def texel(flat, at):
    word = flat[at]
    return [((word >> k) & 255).float() * (1 / 255.) for k in (0, 8, 16)]


def bilinear(flat, base, side, u, v):
    """R, G, B planes at (u, v) of a texture level, continued at its rim."""
    top = side - 1
    x = torch.minimum((u * side - .5).clamp_min(0), top.float())
    y = torch.minimum((v * side - .5).clamp_min(0), top.float())
    x0, y0 = x.floor(), y.floor()
    fx, fy = x - x0, y - y0
    x0, y0 = x0.long(), y0.long()
    x1, y1 = torch.minimum(x0 + 1, top), torch.minimum(y0 + 1, top)
    y0, y1 = base + y0 * side, base + y1 * side
    a = mix(texel(flat, y0 + x0), texel(flat, y0 + x1), fx)
    b = mix(texel(flat, y1 + x0), texel(flat, y1 + x1), fx)
    return mix(a, b, fy)


def paint(flat, xs, ys, lx, ly, table, base, side, ground, spread, origin, at, half, round_, colour, whole, light):
    n, h, w = len(lx), ys.shape[1], xs.shape[2]
    column, row = torch.zeros_like(xs).long(), torch.zeros_like(ys).long()
    for k in range(1, GRID):
        column = column + (xs > lx[:, k].view(-1, 1, 1)).long()
        row = row + (ys > ly[:, k].view(-1, 1, 1)).long()
    first = torch.arange(n, device=flat.device).view(-1, 1, 1) * CELLS
    # Lines of unused cells coincide with the frame's end, so only the last pixel could pass them: none does.
    cell = first + row * GRID + column
    m = [table[..., k].reshape(-1)[cell] for k in range(7)]
    u, v = m[0] * xs + m[1] * ys + m[2], m[3] * xs + m[4] * ys + m[5]
    image = bilinear(flat, base.view(-1)[cell], side.view(-1)[cell], u, v)
    keep = (((u > 0) & (u < 1) & (v > 0) & (v < 1)) | (m[6] > .5)).float()

    front = torch.zeros_like(u)
    tone = [front, front, front]
    for k in range(BOXES):
        hit = covered(xs, ys, at[:, k, None, None], half[:, k, None, None], round_[:, k, None, None])
        front = torch.where(hit, 1., front)
        tone = [torch.where(hit, colour[:, k, j].view(-1, 1, 1), t) for j, t in enumerate(tone)]
    # Grounds are read at level 0 without interpolation: they only have to look like something.
    part = lambda t, j: torch.where(front > 0, t[:, 1, j].view(-1, 1, 1), t[:, 0, j].view(-1, 1, 1))
    size = part(spread, 0)
    gu, gv = mirror(xs * size + part(origin, 0)), mirror(ys * size + part(origin, 1))
    gx, gy = (gu * SIDE).long().clamp(0, SIDE - 1), (gv * SIDE).long().clamp(0, SIDE - 1)
    start = torch.where(front > 0, ground[:, 1].view(-1, 1, 1), ground[:, 0].view(-1, 1, 1))
    other = texel(flat, start + gy * SIDE + gx)
    plain = ((tone[0] + tone[1] + tone[2]) > 0) & (front > 0)
    other = [torch.where(plain, t, o) for t, o in zip(tone, other)]
    image = mix(other, image, keep * (1 - front))
    shade = torch.exp((xs / w - .5) * light[:, 0].view(-1, 1, 1) + (ys / h - .5) * light[:, 1].view(-1, 1, 1))
    return torch.stack(tint([z * shade for z in image], whole), 1)
