"""GPEN's network, a discriminator for its training, and a face network to compare faces by.

GPEN (Yang et al., CVPR 2021) is a U-shape: an encoder of strided convolutions,
a linear layer to a style vector, and a StyleGAN2 generator (Karras et al., CVPR
2020) in which encoder features take the place of the noise and are concatenated
instead of added. Names of parameters are those of the released checkpoints.

Two forms of the same function: for training, the FIR filters are merged into
the convolutions beside them and styles scale the features, so that a batch
shares its weights; with `spelled = True` every step is spelled out as exporters
write it, which is what inference engines look for.
"""
import json
import math
import os

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

SIDE, STYLE, MAPPING = 256, 256, 8
# Side of the first filters. GPEN has 1 there: so few layers at full size would then hardly see fine detail.
FIRST = 3
# Channels by resolution. GPEN's rule (narrow 0.25) would give 16 and 32 at 256 and 128 pixels.
CHANNELS = {4: 128, 8: 128, 16: 128, 32: 128, 64: 96, 128: 48, 256: 32}
SQRT2 = math.sqrt(2)


def fir(gain=1):
    k = torch.tensor([1., 3., 3., 1.])
    return k[:, None] * k[None] / 64 * gain


def merged(weight, blur):
    """Convolve filters [o,i,k,k] with a blur's kernel: the filters of both steps at once."""
    o, i, k, _ = weight.shape
    with torch.autocast(weight.device.type, enabled=False):
        return (weight.reshape(o * i, k * k) @ blur.spread).view(o, i, k + 3, k + 3)


def doubled(x):
    """Twice the size through the FIR filter; zeros around the picture."""
    for axis in (2, 3):
        n = x.shape[axis]
        y = F.pad(x, [0, 0, 1, 1] if axis == 2 else [1, 1, 0, 0])
        before, here, after = (y.narrow(axis, k, n) for k in range(3))
        x = torch.stack([.25 * before + .75 * here, .75 * here + .25 * after], axis + 1).flatten(axis, axis + 1)
    return x


def upfirdn(x, kernel, up=1, down=1, pad=(0, 0)):
    """Insert zeros, pad, filter, drop: spelled out as StyleGAN2's own code does."""
    c, h, w = (int(v) for v in x.shape[1:])  # Numbers also while an exporter traces.
    x = x.permute(0, 2, 3, 1).reshape(-1, h, 1, w, 1, c)
    x = F.pad(x, [0, 0, 0, up - 1, 0, 0, 0, up - 1]).reshape(-1, h * up, w * up, c)
    x = F.pad(x, [0, 0, pad[0], pad[1], pad[0], pad[1]])
    h, w = h * up + sum(pad), w * up + sum(pad)
    x = F.conv2d(x.permute(0, 3, 1, 2).reshape(-1, 1, h, w), kernel.flip(0, 1)[None, None])
    return x.reshape(-1, c, h - 3, w - 3)[:, :, ::down, ::down]


class Linear(nn.Module):
    """Equalised: weights are stored with unit variance and scaled in use."""

    def __init__(self, ins, outs, bias=0., rate=1., active=False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outs, ins) / rate)
        self.bias = nn.Parameter(torch.full((outs,), float(bias)))
        self.scale, self.rate, self.active = rate / math.sqrt(ins), rate, active

    def forward(self, x):
        x = F.linear(x, self.weight * self.scale, self.bias * self.rate)
        return F.leaky_relu(x, .2) * SQRT2 if self.active else x


class Normalise(nn.Module):
    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-8)


class Bias(nn.Module):
    """Bias, leaky rectifier, and the factor that keeps the variance."""

    def __init__(self, channels):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.spelled = False

    def forward(self, x):
        if self.spelled:
            return F.leaky_relu(x + self.bias.view(1, -1, 1, 1), .2) * SQRT2
        bias = (self.bias * SQRT2).to(x.dtype).view(1, -1, 1, 1)
        return F.leaky_relu(torch.add(bias, x, alpha=SQRT2), .2)


class Blur(nn.Module):
    """Only holds the kernel; the convolution beside it, of k x k taps, does the work."""

    def __init__(self, k, gain=1):
        super().__init__()
        self.register_buffer('kernel', fir(gain))
        taps = torch.eye(k * k).view(k * k, 1, k, k)
        self.register_buffer('spread', F.conv2d(taps, self.kernel[None, None], padding=3).flatten(1), persistent=False)


class Conv(nn.Module):
    """Equalised convolution without bias, optionally blurred and halved."""

    def __init__(self, ins, outs, k):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outs, ins, k, k))
        self.scale, self.k = 1 / math.sqrt(ins * k * k), k

    def forward(self, x, blur=None):
        w = self.weight * self.scale
        if blur is None:
            return F.conv2d(x, w, padding=self.k // 2)
        return F.conv2d(x, merged(w, blur), stride=2, padding=(self.k + 1) // 2)


class ConvLayer(nn.Sequential):
    def __init__(self, ins, outs, k, down):
        super().__init__(*([Blur(k)] if down else []), Conv(ins, outs, k), Bias(outs))
        self.spelled = False

    def forward(self, x):
        if len(self) == 2:
            return self[1](self[0](x))
        if self.spelled:
            x = upfirdn(x, self[0].kernel, pad=(2, 2))
            return self[2](F.conv2d(x, self[1].weight * self[1].scale, stride=2))
        return self[2](self[1](x, self[0]))


class ModulatedConv(nn.Module):
    def __init__(self, ins, outs, k, style, demodulate=True, up=False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, outs, ins, k, k))
        self.modulation = Linear(style, ins, bias=1)
        self.scale, self.demodulate, self.up, self.spelled = 1 / math.sqrt(ins * k * k), demodulate, up, False
        if up:
            self.blur = Blur(k, 4)

    def forward(self, x, style):
        if self.spelled:
            return self.spell(x, style)
        y, d = self.share(x, style)
        return y if d is None else y * d

    def share(self, x, style):
        """The convolution of a batch, and the demodulation [n,outs,1,1] that its result must be multiplied with, or None."""
        with torch.autocast(x.device.type, enabled=False):
            s = self.modulation(style)
            w = self.weight[0] * self.scale
            kernel = merged(w, self.blur) if self.up else w
            d = None
            if self.demodulate:
                d = torch.rsqrt(F.linear(s * s, w.pow(2).sum((2, 3))) + 1e-8)[:, :, None, None]
        x, kernel = x * s.to(x.dtype)[:, :, None, None], kernel.to(x.dtype)
        if self.up:
            y = F.conv_transpose2d(x, kernel.transpose(0, 1), stride=2, padding=2)
            y = y.contiguous(memory_format=torch.channels_last)  # Some devices return another layout.
        else:
            y = F.conv2d(x, kernel, padding=kernel.shape[2] // 2)
        return y, d

    def spell(self, x, style):
        """One picture: its own weights, then a convolution."""
        outs, ins, k = (int(v) for v in self.weight.shape[1:4])
        w = self.weight * self.scale * self.modulation(style).view(1, 1, ins, 1, 1)
        if self.demodulate:
            d = torch.rsqrt(w.pow(2).sum((2, 3, 4)) + 1e-8)
            w = w * d.view(1, outs, 1, 1, 1)
        if self.up:
            w = w.view(1, outs, ins, k, k).transpose(1, 2).reshape(ins, outs, k, k)
            return upfirdn(F.conv_transpose2d(x, w, stride=2), self.blur.kernel, pad=(1, 1))
        return F.conv2d(x, w.view(outs, ins, k, k), padding=k // 2)


class Noise(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))


class StyledConv(nn.Module):
    def __init__(self, ins, outs, style, up=False):
        super().__init__()
        self.conv = ModulatedConv(ins, outs, 3, style, up=up)
        self.noise = Noise()
        self.activate = Bias(2 * outs)

    def forward(self, x, style, feature):
        if self.conv.spelled:
            return self.activate(torch.cat([self.conv(x, style), feature * self.noise.weight], 1))
        # The same with as few passes over memory as there can be: they take longer than the convolution.
        y, d = self.conv.share(x, style)
        cast = lambda v: (v * SQRT2).to(y.dtype)
        ours, theirs = cast(self.activate.bias).view(1, -1, 1, 1).chunk(2, 1)
        y = torch.addcmul(ours, y, cast(d))
        feature = torch.addcmul(theirs, feature.to(y.dtype), cast(self.noise.weight).view(1, 1, 1, 1))
        return F.leaky_relu(torch.cat([y, feature], 1), .2)


class ToRGB(nn.Module):
    def __init__(self, ins, style, up=True):
        super().__init__()
        self.conv = ModulatedConv(ins, 3, 1, style, demodulate=False)
        self.conv.weight.data.mul_(.02)  # Seven of them are added to the picture: start small.
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.spelled = False
        if up:
            self.upsample = Blur(1, 4)

    def forward(self, x, style, below=None):
        y = self.conv(x, style).float() + self.bias
        if below is None:
            return y
        if self.spelled:
            return y + upfirdn(below, self.upsample.kernel, up=2, pad=(2, 1))
        return y + doubled(below)


class Constant(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, 4, 4))


class Generator(nn.Module):
    def __init__(self, c, style):
        super().__init__()
        self.style = nn.Sequential(Normalise(), *[Linear(style, style, rate=.01, active=True) for _ in range(MAPPING)])
        self.input = Constant(c[4])
        self.conv1 = StyledConv(c[4], c[4], style)
        self.to_rgb1 = ToRGB(2 * c[4], style, up=False)
        self.convs, self.to_rgbs = nn.ModuleList(), nn.ModuleList()
        for r in sorted(c)[1:]:
            self.convs.append(StyledConv(2 * c[r // 2], c[r], style, up=True))
            self.convs.append(StyledConv(2 * c[r], c[r], style))
            self.to_rgbs.append(ToRGB(2 * c[r], style))

    def forward(self, z, features):
        """features: the encoder's, from 4x4 up to full size."""
        with torch.autocast(z.device.type, enabled=False):
            w = self.style(z.float())
        x = self.input.input.to(features[0].dtype)
        if not self.conv1.conv.spelled:
            # A dense layout here would spread: the result of a concatenation takes it from both.
            x = x.expand(len(z), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        x = self.conv1(x, w, features[0])
        rgb = self.to_rgb1(x, w)
        for k, to_rgb in enumerate(self.to_rgbs):
            x = self.convs[2 * k](x, w, features[k + 1])
            x = self.convs[2 * k + 1](x, w, features[k + 1])
            rgb = to_rgb(x, w, rgb)
        return rgb


class Gpen(nn.Module):
    """[n,3,side,side] in -1..1 to the same; the result is not clamped.

    channels: by resolution, from 4 to the picture's side; style: numbers of a style vector.
    added: unlike in GPEN, the picture that goes in is added to what comes out: what is good already
    stays as it is, and only what is to change must be learnt. first: side of the first filters, GPEN's 1.
    """

    def __init__(self, channels=CHANNELS, style=STYLE, added=False, first=1):
        super().__init__()
        c, sides = channels, sorted(channels, reverse=True)
        self.side, self.added = sides[0], added
        self.ecd0 = nn.Sequential(ConvLayer(3, c[self.side], first, False))
        for k, r in enumerate(sides[1:], 1):
            setattr(self, 'ecd%d' % k, nn.Sequential(ConvLayer(c[2 * r], c[r], 3, True)))
        self.stages = len(sides)
        self.final_linear = nn.Sequential(Linear(16 * c[4], style, active=True))
        self.generator = Generator(c, style)

    def forward(self, picture):
        features, x = [], picture
        for k in range(self.stages):
            x = getattr(self, 'ecd%d' % k)(x)
            features.append(x)
        with torch.autocast(x.device.type, enabled=False):
            z = self.final_linear(x.float().flatten(1))
        y = self.generator(z, features[::-1])
        return picture + y if self.added else y

    def spell(self, spelled=True):
        for m in self.modules():
            if hasattr(m, 'spelled'):
                m.spelled = spelled
        return self


def ours():
    """The network that is trained here."""
    return Gpen(added=True, first=FIRST)


def divided(model):
    """Parameters of a Gpen: filters, and all others (styles, biases, the mixing into RGB). The filters are
    stored with unit variance, so that at the others' rate they would hardly leave their random beginning."""
    filters, rest = [], []
    for name, p in model.named_parameters():
        (filters if p.dim() > 3 and p.shape[-1] > 1 and 'input' not in name else rest).append(p)
    return filters, rest


class Block(nn.Module):
    def __init__(self, ins, outs):
        super().__init__()
        self.first, self.bias1 = Conv(ins, ins, 3), Bias(ins)
        self.second, self.bias2 = Conv(ins, outs, 3), Bias(outs)
        self.skip = Conv(ins, outs, 1)
        self.blur, self.soften = Blur(3), Blur(1)

    def forward(self, x):
        y = self.bias2(self.second(self.bias1(self.first(x)), self.blur))
        return (y + self.skip(x, self.soften)) * (1 / SQRT2)


class Discriminator(nn.Module):
    """StyleGAN2's, narrow: real or restored, one number a picture."""

    def __init__(self, channels=(32, 64, 128, 192, 192, 192, 192)):
        super().__init__()
        self.first = ConvLayer(3, channels[0], 1, False)
        self.blocks = nn.Sequential(*[Block(a, b) for a, b in zip(channels, channels[1:])])
        self.last = ConvLayer(channels[-1] + 1, channels[-1], 3, False)
        self.judge = nn.Sequential(Linear(16 * channels[-1], channels[-1], active=True), Linear(channels[-1], 1))

    def forward(self, x):
        x = self.blocks(self.first(x)).float()
        n, c, h, w = x.shape
        group = 4 if n % 4 == 0 else 1
        spread = x.view(group, -1, c, h, w).var(0, unbiased=False).add(1e-8).sqrt().mean((1, 2, 3))
        spread = spread.repeat(group).view(n, 1, 1, 1).expand(n, 1, h, w)
        with torch.autocast(x.device.type, enabled=False):
            return self.judge(self.last(torch.cat([x, spread], 1)).flatten(1))


class FaceNet(nn.Module):
    """The face recognition ResNet of dlib (Davis King) in face-api's file format (MIT).

    Not part of what ships: it judges likeness in training and evaluation. FOLDER holds
    face_recognition_model-weights_manifest.json and face_recognition_model.bin.
    """
    STEPS = ('conv32_1 conv32_2 conv32_3 conv64_down conv64_1 conv64_2 conv64_3 conv128_down conv128_1 conv128_2 '
             'conv256_down conv256_1 conv256_2 conv256_down_out').split()

    def __init__(self, folder):
        super().__init__()
        with open(os.path.join(folder, 'face_recognition_model-weights_manifest.json')) as f:
            entries = json.load(f)[0]['weights']
        data = np.fromfile(os.path.join(folder, 'face_recognition_model.bin'), np.uint8)
        at, w = 0, {}
        for e in entries:
            count, q = int(np.prod(e['shape'])), e.get('quantization')
            size = count if q else 4 * count
            part = data[at:at + size]
            at += size
            value = part.astype(np.float32) * q['scale'] + q['min'] if q else part.view(np.float32)
            w[e['name']] = torch.from_numpy(value.astype(np.float32).reshape(e['shape']))
        assert at == len(data)
        for name in ['conv32_down'] + [s + '/conv%d' % k for s in self.STEPS for k in (1, 2)]:
            gain = w[name + '/scale/weights']
            key = name.replace('/', '_')
            self.register_buffer(key, w[name + '/conv/filters'].permute(3, 2, 0, 1) * gain[:, None, None, None])
            self.register_buffer(key + '_b', w[name + '/conv/bias'] * gain + w[name + '/scale/biases'])
        self.register_buffer('fc', w['fc'])
        self.register_buffer('mean', torch.tensor([122.782, 117.001, 104.298])[None, :, None, None])

    def conv(self, x, name, **how):
        return F.conv2d(x, getattr(self, name), getattr(self, name + '_b').to(x.dtype), **how)

    def step(self, x, name):
        if 'down' not in name:
            y = F.relu(self.conv(x, name + '_conv1', padding=1))
            return F.relu(self.conv(y, name + '_conv2', padding=1) + x)
        y = self.conv(F.relu(self.conv(x, name + '_conv1', stride=2)), name + '_conv2', padding=1)
        pooled = F.avg_pool2d(x, 2)
        y = F.pad(y, [0, pooled.shape[3] - y.shape[3], 0, pooled.shape[2] - y.shape[2]])
        pooled = F.pad(pooled, [0, 0, 0, 0, 0, y.shape[1] - pooled.shape[1]])
        return F.relu(y + pooled)

    def forward(self, x, steps=len(STEPS)):
        """Features of pictures in -1..1: after the first layer and after each size, and the vector (or None)."""
        x = ((x + 1) * 127.5 - self.mean) / 255
        x = F.relu(self.conv(x, 'conv32_down', stride=2))
        out = [x]
        x = F.max_pool2d(x, 3, 2)
        for k, name in enumerate(self.STEPS[:steps], 1):
            x = self.step(x, name)
            if k == len(self.STEPS) or 'down' in self.STEPS[k]:
                out.append(x)
        if steps < len(self.STEPS):
            return out, None
        with torch.autocast(x.device.type, enabled=False):
            return out, x.float().mean((2, 3)) @ self.fc

    @staticmethod
    def chip(x):
        """The part of GPEN's 256x256 crop that the network was trained to see (150x150)."""
        return x[:, :, 75:225, 53:203]


def multiply_adds():
    """Of the generator and encoder as they are computed (not merged), without FIR and linear layers."""
    c, total = CHANNELS, CHANNELS[SIDE] * 3 * FIRST ** 2 * SIDE ** 2
    total += 9 * c[4] ** 2 * 16
    for r in c:
        total += r * r * 2 * c[r] * 3
        if r > 4:
            half = c[r // 2]
            total += 9 * ((r // 2) ** 2 * 2 * half * c[r] + r * r * 2 * c[r] * c[r] + (r // 2) ** 2 * c[r] * half)
    return total


if __name__ == '__main__':
    count = lambda m: sum(p.numel() for p in m.parameters())
    print('restoration: %.3f M parameters, %.3f G multiply-adds; discriminator: %.3f M' %
          (count(ours()) / 1e6, multiply_adds() / 1e9, count(Discriminator()) / 1e6))
