"""What the restoration network is asked for, apart from the discriminator's opinion."""
import torch
import torch.nn.functional as F

import faces

# Weights: with these, L1 : features : likeness : steadiness give gradients (norms with regard to
# the picture) of about 1 : 2.3 : 0.5 : 0.5, measured on degraded faces: no term drowns another.
PERCEPTUAL, LIKENESS, STEADY = .02, .01, .3


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


def restored(net, y, clean, pairs, shift, full):
    """Total to minimise and its parts: L1, features, likeness, steadiness (zeros unless full)."""
    l1 = (y - clean).abs().mean()
    steady = faces.steadiness(y[:pairs], y[len(y) - pairs:], shift) if pairs else l1 * 0
    if not full:
        return l1 + STEADY * steady, [l1, l1 * 0, l1 * 0, steady]
    features, likeness = compare(net, y, clean)
    return l1 + PERCEPTUAL * features + LIKENESS * likeness + STEADY * steady, [l1, features, likeness, steady]


def real(score):
    return F.softplus(-score).mean()


def false(score):
    return F.softplus(score).mean()
