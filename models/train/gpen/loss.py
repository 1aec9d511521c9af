"""What the restoration network is asked for, apart from the discriminator's opinion."""
import torch
import torch.nn.functional as F

import faces

# Weights: with these, L1 : features : likeness : sharpness : steadiness give gradients (norms with regard
# to the picture) of about 1 : 1.4 : 0.5 : 1 : 0.5, measured on degraded faces: no term drowns another.
PERCEPTUAL, LIKENESS, SHARP, STEADY = .012, .01, 1., .3


def compare(net, y, clean):
    """How differently the face network sees two batches: features (relative, summed over layers
    of the whole crop and of the face), and squared distance of the vectors."""
    def see(x):
        whole, _ = net(x, 7)
        face, vector = net(net.chip(x))
        return whole + face[3:5], vector

    with torch.no_grad():
        want, towards = see(clean)
    got, vector = see(y)
    features = sum((a.float() - b.float()).abs().mean() / b.float().abs().mean().clamp_min(1e-3) for a, b in zip(got, want))
    return features, (vector - towards).square().sum(1).mean()


def strength(x):
    """How strong the fine detail of each neighbourhood of 8x8 pixels is: root mean squares, at full and at half size."""
    out = []
    for size in (8, 4):
        fine = (x - F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)).square().mean(1, keepdim=True)
        out.append((F.avg_pool2d(fine, size, size // 2) + 1e-5).sqrt())
        x = F.avg_pool2d(x, 2)
    return out


def sharpness(y, clean):
    """Difference in strength of fine detail, place by place. L1 blurs what it cannot know; here a soft
    edge costs as much as one that is too hard."""
    return sum((a - b).abs().mean() for a, b in zip(strength(y), strength(clean)))


def restored(net, y, clean, pairs, shift, full):
    """Total to minimise and its parts: L1, features, likeness, sharpness, steadiness (the middle three zero unless full)."""
    l1 = (y - clean).abs().mean()
    steady = faces.steadiness(y[:pairs], y[len(y) - pairs:], shift) if pairs else l1 * 0
    if not full:
        return l1 + STEADY * steady, [l1, l1 * 0, l1 * 0, l1 * 0, steady]
    features, likeness = compare(net, y, clean)
    sharp = sharpness(y, clean)
    total = l1 + PERCEPTUAL * features + LIKENESS * likeness + SHARP * sharp + STEADY * steady
    return total, [l1, features, likeness, sharp, steady]


def real(score):
    return F.softplus(-score).mean()


def false(score):
    return F.softplus(score).mean()
