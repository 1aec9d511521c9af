"""A pack as textures on the device, and the faces in them.

As ../texture.py, with two smaller copies more: a portrait's face has 200 pixels
and is also shown with 12.
"""
import torch
import torch.nn.functional as F

from texture import SIDE

from .pack import SURE

LEVELS = 5
OFFSETS = [sum((SIDE >> j) ** 2 for j in range(k)) for k in range(LEVELS + 1)]
WORDS = OFFSETS[LEVELS]
MOST = 16  # Faces of one picture; pictures with more are left out.


def words(rgb):
    """[n,3,SIDE,SIDE] in 0..1 to [n, WORDS] int32, all levels one after the other."""
    out = []
    for k in range(LEVELS):
        b = (rgb * 255 + .5).to(torch.int32)
        out.append((b[:, 0] | (b[:, 1] << 8) | (b[:, 2] << 16)).flatten(1))
        rgb = F.avg_pool2d(rgb, 2)
    return torch.cat(out, 1)


class Atlas:
    """Textures and, for each picture: its size in pixels, the faces as fractions of it, how many are sure."""

    def __init__(self, rows, rgba, device, chunk=64):
        use = [i for i, r in enumerate(rows) if r['split'] == 'train' and len(r['faces']) <= MOST]
        self.device = device
        self.words = torch.empty(len(use), WORDS, dtype=torch.int32, device=device)
        for k in range(0, len(use), chunk):
            x = torch.from_numpy(rgba[use[k:k + chunk], :, :, :3]).to(device).permute(0, 3, 1, 2).float() / 255
            self.words[k:k + len(x)] = words(x)
        self.flat = self.words.view(-1)
        rows = [rows[i] for i in use]
        faces = torch.zeros(len(rows), MOST, 15)
        for i, r in enumerate(rows):
            if r['faces']:  # Best first.
                faces[i, :len(r['faces'])] = torch.tensor(r['faces'])
        self.faces = faces.to(device)
        self.sure = (self.faces[:, :, 4] >= SURE).sum(1)
        self.size = torch.tensor([[r['width'], r['height']] for r in rows], dtype=torch.float32, device=device)
        number = lambda f: torch.tensor([float(f(r)) for r in rows], device=device)
        # Groups bring small and partly hidden faces: drawn more often.
        self.with_face = (self.sure > 0).float() * (self.sure + 1.).clamp_max(4)
        self.close = ((self.faces[:, 0, 2:4] * self.size).prod(1) >= 100 ** 2).float() * (self.sure > 0).float()
        ground = number(lambda r: r['folder'] == 'backgrounds')
        self.grounds = ground
        nobody = number(lambda r: not r['faces']) - ground
        self.without = ground / ground.sum().clamp_min(1) + nobody / nobody.sum().clamp_min(1) + .3 / len(rows)

    def draw(self, weights, *shape):
        """Indices drawn by weight; works inside a CUDA graph."""
        total = weights.cumsum(0)
        at = torch.rand(*shape, device=self.device) * total[-1]
        return torch.searchsorted(total, at).clamp_max(len(weights) - 1)
