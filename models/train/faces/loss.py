"""Which cell answers for which face, and what it is asked for.

Cells near the middle of a face, at the strides that fit its size, compete: the
few whose answers are best (score and overlap) are the face's, the best of them
is asked for cls 1, the others for less, all others for 0 ("task alignment").
obj is asked for the overlap of the cell's own box. No step waits for the host.

The teacher may look at the same pictures. What light, blur and compression have left of a small face may be
no face to anybody: the scores asked for are then lower, as low as the teacher's. And both
scores follow the teacher's in all cells near faces ("distillation").
"""
import torch
import torch.nn.functional as F

from .decode import STRIDES

RANGE = {8: (0, 52), 16: (30, 112), 32: (64, 1e9)}  # Sizes of faces (mean of the sides) for each stride.
ANSWERS = 7                                         # Cells of a face, at most.
SHARP = 64.                                         # From this size on landmarks are as exact as they get.
SMALL = (32., 64.)                                  # Up to here the teacher's eyes are trusted; from there on not at all.
SURE = .6                                           # From this score of the teacher on a small face is fully one,
BLIND = .15                                         # below this one it is no longer learnt.
GUIDED = 1.                                         # Weight of the teacher's scores.


def area(size):
    return size[..., 0] * size[..., 1]  # The gradient of prod() would wait for the host.


def overlap(a, b):
    """IoU of boxes (middle, size), broadcast, and the sides of the box around both."""
    half_a, half_b = a[..., 2:] / 2, b[..., 2:] / 2
    low_a, high_a, low_b, high_b = a[..., :2] - half_a, a[..., :2] + half_a, b[..., :2] - half_b, b[..., :2] + half_b
    both = area((torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp_min(0))
    union = area(a[..., 2:]) + area(b[..., 2:]) - both
    around = torch.maximum(high_a, high_b) - torch.minimum(low_a, low_b)
    return both / union.clamp_min(1e-6), around


class Loss:
    def __init__(self, h, w, device):
        base, stride, least, most = [], [], [], []
        for s in STRIDES:
            y, x = torch.meshgrid(torch.arange(h // s), torch.arange(w // s), indexing='ij')
            base.append(torch.stack([x, y], 2).view(-1, 2) * float(s))
            stride.append(torch.full((len(base[-1]),), float(s)))
            least.append(torch.full((len(base[-1]),), float(RANGE[s][0])))
            most.append(torch.full((len(base[-1]),), float(RANGE[s][1])))
        self.base, self.stride = torch.cat(base).to(device), torch.cat(stride).to(device)[:, None]
        self.least, self.most = torch.cat(least).to(device), torch.cat(most).to(device)
        self.middle = self.base + self.stride / 2

    def boxes(self, out):
        return torch.cat([self.base + out[..., 2:4] * self.stride,
                          torch.exp(out[..., 4:6].clamp(-4, 5)) * self.stride], -1)

    @torch.no_grad()
    def trust(self, teacher, boxes):
        """Per face [n,M]: how much of one it is, and how much of one the teacher sees in it.

        The first is 1 for all that are not small: those that the teacher misses are on their side or partly hidden.
        """
        scores, theirs = teacher
        there = (overlap(boxes[:, :, None], theirs[:, None])[0] > .4).float()
        seen = ((scores[:, None] * there).amax(2) / SURE).clamp(0, 1)
        small = ((SMALL[1] - area(boxes[..., 2:]).sqrt()) / (SMALL[1] - SMALL[0])).clamp(0, 1)
        return 1 - small * (1 - seen), seen

    @torch.no_grad()
    def assign(self, out, mine, boxes, state):
        """Per cell: the face [n,P], how much cls is asked for (0: not a face's cell), whether it is ignored.

        Last, for each face the cells in or next to it, [n,M,P].
        """
        learn = (state == 2)[..., None]
        iou, _ = overlap(boxes[:, :, None], mine[:, None])                     # [n,M,P]
        far = self.middle - boxes[:, :, None, :2]
        reach = torch.maximum(.35 * boxes[:, :, None, 2:], .9 * self.stride)
        away = ((far / reach) ** 2).sum(-1)
        side = area(boxes[..., 2:]).sqrt()[..., None]
        able = learn & (away < 1) & (side >= self.least) & (side < self.most)
        score = torch.sigmoid(out[..., 0]) * torch.sigmoid(out[..., 1])
        # Before anything is learnt, nearness decides.
        worth = (score.sqrt()[:, None] + .05) * (iou ** 3 + 1e-3 * (1 - away).clamp_min(0)) * able.float()
        least = worth.topk(ANSWERS, 2)[0][..., -1:]
        worth = worth * (worth >= least).float()
        best = worth.amax(2)                                                   # [n,M]
        value, face = worth.max(1)                                             # [n,P]
        ask = (value / torch.gather(best, 1, face).clamp_min(1e-9)).sqrt() * (value > 0).float()
        near = (far.abs() < boxes[:, :, None, 2:] / 2 + self.stride / 2).all(-1)
        skip = (near & (state == 1)[..., None]).any(1) & (value <= 0)
        return face, ask, skip, near & (state > 0)[..., None]

    def __call__(self, out, boxes, points, state, teacher=None):
        """out [n,P,16] float32; faces as scene.Composer gives them; teacher: what yunet.YuNet says of the pictures."""
        mine = self.boxes(out)
        real, seen = self.trust(teacher, boxes) if teacher else 2 * (torch.ones_like(boxes[..., 0]),)
        learn = state == 2
        state = torch.where(learn & (real < BLIND / SURE), torch.ones_like(state), state)
        face, ask, skip, near = self.assign(out, mine, boxes, state)
        trust = torch.gather(real, 1, face)
        take = lambda t: torch.gather(t, 1, face[..., None].expand(-1, -1, t.shape[-1]))
        box, point = take(boxes), take(points)
        iou, around = overlap(mine, box)
        # Small faces have fewer cells, and are what is learnt last.
        tiny = ((32 - area(box[..., 2:]).clamp_min(1).sqrt()) / 16).clamp(0, 1)
        heavy = 1 + 2 * tiny * (ask > 0).float()
        count = (ask * heavy).sum().clamp_min(1)
        keep = (~skip).float()

        def quality(logit, want, keep=keep, count=count):
            return (F.binary_cross_entropy_with_logits(logit, want, reduction='none')
                    * (torch.sigmoid(logit).detach() - want) ** 2 * keep * heavy).sum() / count

        cls = quality(out[..., 0], ask * trust)
        obj = quality(out[..., 1], iou.detach() * (ask > 0).float() * trust)
        # EIoU: overlap, distance of the middles, difference of the sides.
        around = around.clamp_min(1e-3)
        miss = 1 - iou + ((mine[..., :2] - box[..., :2]) ** 2).sum(-1) / (around ** 2).sum(-1) \
            + (((mine[..., 2:] - box[..., 2:]) / around) ** 2).sum(-1)
        size = area(box[..., 2:]).clamp_min(1).sqrt()[..., None]
        own = out[..., 6:] * self.stride + self.base.repeat(1, 5)
        off = F.smooth_l1_loss(own / size, point / size, beta=.01, reduction='none').mean(-1)
        mean = lambda t, w: (torch.where(ask > 0, t, torch.zeros_like(t)) * w).sum() / w.sum().clamp_min(1)
        # Relative to the face's size, the landmarks of small faces are off by ten times as much as those of
        # large ones, whatever is learnt: unweighted, hardly anything else would be learnt.
        clear = (size[..., 0] / SHARP).clamp(.1, 1)
        parts = [cls, obj, 2 * mean(miss, ask * trust * heavy), 12 * mean(off, ask * clear)]
        if teacher:
            want = teacher[0] * near.any(1).float()
            many = want.sum().clamp_min(1)
            # Where the label knows better, the teacher is not asked.
            open_ = (~(near & (learn & (real - seen > .3))[..., None]).any(1)).float()
            parts.append(GUIDED * (quality(out[..., 0], want, open_, many) + quality(out[..., 1], want, open_, many)))
        return torch.stack(parts)
