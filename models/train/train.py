"""Train a matting network.

    python3 train.py PACK.tar... --network fine --seconds 500 --out DIR [--resume FILE.pt]

PACK.tar comes from pack.py. Stops when the time is over, whatever was
reached; the learning rate follows the clock. Every --save seconds the averaged
weights go to DIR/NETWORK.pt (half precision, without optimizer state), from
which --resume goes on. --teacher FILE.pt (a larger trained network) adds its
answers to the mattes, half and half.

On a GPU the whole step (forward, loss, backward, clipping, AdamW, averaging)
is one CUDA graph per picture shape, and the pictures are composed by fused
kernels; on the CPU the same code runs plainly, for tests.
"""
import argparse
import math
import os
import time

import torch
import torch.nn.functional as F

import degrade
import loss
import network
import scene
import texture

# Picture shapes (height, width), all multiples of 32; the batch size follows from the pixels.
SHAPES = {'small': [(192, 320), (256, 256), (288, 224)],
          'middle': [(256, 448), (320, 320), (448, 352), (448, 448)],
          'large': [(384, 640), (512, 512), (448, 448)]}


def normalise(x):
    return x * 2 - 1


def load(model, path):
    state = torch.load(path, map_location='cpu')
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})


def save(state, path):
    """Half precision, except for the statistics of batch norm, whose range is large."""
    half = lambda k, v: v.half() if v.is_floating_point() and 'running' not in k else v
    torch.save({k: half(k, v).cpu() for k, v in state.items()}, path + '.part')
    os.replace(path + '.part', path)


class Trainer:
    def __init__(self, model, teacher, device, lr, decay, pairs):
        self.model, self.teacher, self.device, self.decay = model, teacher, device, decay
        self.cuda = device == 'cuda'
        self.pairs = pairs
        norm = [p for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d) for p in m.parameters(recurse=False)]
        skip = {id(p) for p in norm} | {id(p) for n, p in model.named_parameters() if n.endswith('bias')}
        groups = [dict(params=[p for p in model.parameters() if id(p) not in skip], weight_decay=.03),
                  dict(params=[p for p in model.parameters() if id(p) in skip], weight_decay=0.)]
        extra = dict(fused=True, capturable=True) if self.cuda else {}
        start = torch.tensor(1e-6, device=device) if self.cuda else 1e-6
        self.peak = lr
        self.optimizer = torch.optim.AdamW(groups, lr=start, betas=(.9, .99), **extra)
        if self.cuda:
            for g in self.optimizer.param_groups:
                g['lr'] = torch.tensor(1e-6, device=device)
        self.mean = {k: v.detach().clone() for k, v in model.state_dict().items()}
        live = model.state_dict()
        self.floats = [k for k, v in live.items() if v.is_floating_point()]
        self.steps, self.graphs, self.pool = 0, {}, None

    def set_rate(self, part):
        """Warm up, then a cosine down to 1 %; part of the time gone in 0..1."""
        lr = self.peak * min(1, self.steps / 400 + .01) * (.01 + .99 * (.5 + .5 * math.cos(math.pi * min(part, 1))))
        for g in self.optimizer.param_groups:
            if self.cuda:
                g['lr'].fill_(lr)
            else:
                g['lr'] = lr

    def work(self, x, a, shift):
        pairs = int(len(x) * self.pairs)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.cuda, cache_enabled=False):
            z = normalise(x).contiguous(memory_format=torch.channels_last)
            if self.teacher is not None:
                with torch.no_grad():
                    a = .5 * a + .5 * self.teacher(z).float()
            logit, coarse = self.model(z)
        value = loss.total(logit.float(), coarse.float(), a, x, pairs, shift)
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 2.)
        self.optimizer.step()
        return value.detach()

    @torch.no_grad()
    def average(self, every=4):
        """Follow the live weights slowly; the averaged ones are what is kept."""
        if self.steps % every:
            return
        keep = min(self.decay, (1 + self.steps) / (50 + self.steps)) ** every
        live = self.model.state_dict()
        pairs = [(self.mean[k], live[k]) for k in self.floats]
        if hasattr(torch, '_foreach_lerp_'):
            torch._foreach_lerp_([a for a, _ in pairs], [b for _, b in pairs], 1 - keep)
        else:
            for a, b in pairs:
                a.lerp_(b, 1 - keep)

    def step(self, key, make):
        """One step; make() composes the pictures. On a GPU both are one graph, replayed per key."""
        if not self.cuda:
            value = self.work(*make())
        else:
            if key not in self.graphs:
                self.capture(key, make)
            graph, value = self.graphs[key]
            graph.replay()
        self.steps += 1
        self.average()
        return value

    def capture(self, key, make):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                self.work(*make())
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            value = self.work(*make())
        self.pool = graph.pool()
        self.graphs[key] = graph, value


@torch.no_grad()
def validate(model, rows, rgba, device, side):
    """Mean IoU at 0.5 and mean absolute error on the pack's val pictures."""
    idx = [i for i, r in enumerate(rows) if r['split'] == 'val' and r['kind'] == 'person']
    iou, mae = [], []
    model.eval()
    for k in range(0, len(idx), 32):
        t = torch.from_numpy(rgba[idx[k:k + 32]]).to(device).permute(0, 3, 1, 2).float() / 255
        t = F.interpolate(t, size=(side, side), mode='area')
        p, g = model(normalise(t[:, :3])), t[:, 3:]
        both, either = ((p > .5) & (g > .5)).sum((1, 2, 3)), ((p > .5) | (g > .5)).sum((1, 2, 3))
        iou.append(both / either.clamp_min(1))
        mae.append((p - g).abs().mean((1, 2, 3)))
    model.train()
    iou = torch.cat(iou)
    return float(iou.mean()), float(iou.median()), float(torch.cat(mae).mean())


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('pack', nargs='+')
    p.add_argument('--network', choices=sorted(network.SIZES), default='fine')
    p.add_argument('--seconds', type=float, default=500, help='wall clock for everything, loading included')
    p.add_argument('--out', default='.')
    p.add_argument('--resume')
    p.add_argument('--teacher')
    p.add_argument('--lr', type=float, default=2e-3)
    p.add_argument('--decay', type=float, default=.999, help='of the averaged weights')
    p.add_argument('--pixels', type=int, default=64 * 320 * 320, help='a batch')
    p.add_argument('--shapes', choices=sorted(SHAPES), default='small')
    p.add_argument('--photos', type=float, default=.5, help='share of photos as they are, with their own matte')
    p.add_argument('--strong', type=float, default=.85, help='share of pictures with strong changes of colour')
    p.add_argument('--pairs', type=float, default=.125, help='share of the batch that is a moved repetition')
    p.add_argument('--save', type=float, default=100)
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--limit', type=int, help='load only about so many pictures (tests)')
    p.add_argument('--quick', action='store_true', help='do not time the convolution algorithms first')
    p.add_argument('--plain', action='store_true', help='compose pictures without the compiler')
    p.add_argument('--steps', type=int, default=10 ** 9)
    o = p.parse_args()
    start = time.time()
    clock = lambda: time.time() - start
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    torch.manual_seed(o.seed)
    torch.backends.cudnn.benchmark = not o.quick
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    rows, rgba = texture.read(o.pack, o.limit)
    print('read', rgba.shape, '%.1f s' % clock(), flush=True)
    atlas = texture.Atlas(rows, rgba, device)
    print('atlas', tuple(atlas.words.shape), '%.1f s' % clock(), flush=True)
    model = network.build(o.network).to(device)
    if o.resume:
        load(model, o.resume)
    teacher = None
    if o.teacher:
        teacher = network.build('fine').to(device)
        load(teacher, o.teacher)
        teacher.eval().requires_grad_(False)
        teacher = teacher.to(memory_format=torch.channels_last)
    model = model.to(memory_format=torch.channels_last).train()
    averaged = network.build(o.network).to(device).to(memory_format=torch.channels_last)
    trainer = Trainer(model, teacher, device, o.lr, o.decay, o.pairs)
    paint = scene.Painter(device == 'cuda' and not o.plain)
    shapes = SHAPES[o.shapes]
    path = os.path.join(o.out, o.network + '.pt')
    begin = None
    last_save, last_print, recent = clock(), clock(), []
    side = 256 if o.network == 'fast' else 320

    def note():
        averaged.load_state_dict(trainer.mean)
        save(trainer.mean, path)
        print('%s step %d, %.0f s: val IoU %.4f median %.4f MAE %.4f' %
              ((o.network, trainer.steps, clock()) + validate(averaged, rows, rgba, device, side)), flush=True)

    @torch.no_grad()
    def make(n, h, w):
        scenes = scene.plan(atlas, n, h, w, int(n * o.pairs), o.photos, o.strong)
        x, a = paint(atlas.flat, scenes, h, w)
        return degrade.degrade(x), a, scenes['shift']

    while trainer.steps < o.steps:
        h, w = shapes[trainer.steps % len(shapes)]
        n = max(o.pixels // (h * w) // 8 * 8, 8)
        if trainer.steps >= len(shapes) and begin is None:
            begin = clock()  # The schedule starts when everything is compiled.
        part = 0 if begin is None else (clock() - begin) / max(o.seconds - begin - 12, 1)
        if part >= 1:
            break
        trainer.set_rate(part)
        value = trainer.step((h, w), lambda: make(n, h, w))
        if trainer.steps <= 8 or trainer.steps % 500 == 0:
            v = float(value)
            print('%s step %d, %.1f s: loss %.4f' % (o.network, trainer.steps, clock(), v), flush=True)
            if not math.isfinite(v):
                raise SystemExit('the loss is not finite')
        elif trainer.steps % 16 == 0 and device == 'cuda':
            torch.cuda.synchronize()  # The clock must not run ahead of the device.
        if clock() - last_save > o.save:
            note()
            last_save = clock()
    note()


if __name__ == '__main__':
    main()
