"""Train the face restoration network.

    python3 train.py PACK.tar --facenet FOLDER --seconds 420 --out DIR
            [--loss full|l1] [--shares 0.2 0.4] [--resume FILE.pt] [--judge FILE-d.pt]

PACK.tar comes from align.py, FOLDER holds the face network's files (README.md).
Stops when the time is over, whatever was reached. The time has three parts, ended by
--shares: L1 alone; L1, features and likeness; and those with a discriminator.

Every --save seconds DIR gets gpen.pt (averaged weights), gpen-d.pt (the
discriminator), both in half precision and without optimizer state, and
sheet.jpg (validation faces: degraded, restored, original). gpen-l1.pt and
gpen-features.pt are the networks as they were where the first two parts ended. --resume and --judge go on
from such files.

On a GPU drawing, degrading, and the whole step are one CUDA graph for each
part of the training; on the CPU the same code runs plainly, for tests.
"""
import argparse
import math
import os
import time

import cv2
import numpy as np
import torch

import faces
import loss
import network
import spoil
from evaluate import cubic, ssim

MODES = 'l1', 'features', 'judged', 'penalised'


def load(model, path):
    state = torch.load(path, map_location='cpu')
    model.load_state_dict({k: v.float() for k, v in state.items()})


def save(state, path):
    torch.save({k: v.half().cpu() for k, v in state.items()}, path + '.part')
    os.replace(path + '.part', path)


def schedule(t, share):
    """The rate at time t in 0..1: stays, and falls along half a cosine till `share`, where the discriminator
    sets in; so what is kept there is a finished network. Its part begins anew, lower, and falls too."""
    end = min(share, 1)
    part, most, stay = (t / end, 1, .4) if t < end else ((t - end) / (1 - end), .3, 0)
    return most * max(.02, .5 + .5 * math.cos(math.pi * max(0, part - stay) / (1 - stay)))


def finite(state):
    return all(bool(torch.isfinite(v.half()).all()) for v in state.values())


class Trainer:
    NAMES = 'l1', 'features', 'likeness', 'sharp', 'steady', 'push', 'real', 'false', 'r1', 'gradient'

    def __init__(self, model, judge, net, images, o, device):
        self.model, self.judge, self.net, self.device, self.o = model, judge, net, device, o
        self.cuda = device == 'cuda'
        self.pairs = int(o.batch * o.pairs)
        self.draw = faces.Drawer(images, self.pairs)
        extra = dict(fused=True, capturable=True) if self.cuda else {}
        self.optimizers = []
        rate = lambda: torch.tensor(1e-6, device=device) if self.cuda else 1e-6
        filters, rest = network.divided(model)
        groups = [dict(params=filters, lr=rate(), times=o.filters), dict(params=rest, lr=rate(), times=1.)]
        self.optimizers.append(torch.optim.Adam(groups, betas=(.9, .99), **extra))
        self.optimizers.append(torch.optim.Adam([dict(params=judge.parameters(), lr=rate(), times=1.)],
                                                betas=(0., .99), **extra))
        self.push = torch.zeros((), device=device)
        self.mean = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.steps, self.graphs, self.pool, self.plain = 0, {}, None, o.plain or not self.cuda

    def set_rate(self, lr):
        for optimizer in self.optimizers:
            for g in optimizer.param_groups:
                if self.cuda:
                    g['lr'].fill_(lr * g['times'])
                else:
                    g['lr'] = lr * g['times']

    @torch.no_grad()
    def batch(self):
        """Degraded and clean faces in -1..1, and the shift between the pairs."""
        n, k = self.o.batch, self.pairs
        clean, shift = self.draw(n)
        p = spoil.plan(n, self.device, spoil.strengths(n, self.device))
        if k:
            again = spoil.jitter({key: v[:k] for key, v in p.items()})
            p = {key: torch.cat([v[:n - k], again[key]]) for key, v in p.items()}
        x = spoil.spoil(clean, p)
        pack = lambda t: (t * 2 - 1).contiguous(memory_format=torch.channels_last)
        return pack(x), pack(clean), shift

    def update(self, optimizer, limit):
        """Clip and step; a gradient that is not finite changes nothing. Returns the gradient's norm."""
        grads = [p.grad for g in optimizer.param_groups for p in g['params'] if p.grad is not None]
        norm = torch.stack(torch._foreach_norm(grads)).norm()
        scale = torch.where(torch.isfinite(norm), (limit / norm.clamp_min(1e-12)).clamp_max(1), torch.zeros_like(norm))
        for g in grads:
            g.mul_(scale).nan_to_num_(0., 0., 0.)
        optimizer.step()
        return norm

    def cast(self):
        return torch.autocast(self.device, torch.bfloat16, enabled=self.cuda, cache_enabled=False)

    def work(self, mode):
        o, (first, second) = self.o, self.optimizers
        x, clean, shift = self.batch()
        first.zero_grad(set_to_none=True)
        with self.cast():
            y = self.model(x)
        # The losses' gradients with regard to the picture, so that the discriminator's can be weighed.
        leaf = y.detach().float().contiguous(memory_format=torch.channels_last).requires_grad_()
        with self.cast():
            value, parts = loss.restored(self.net, leaf, clean, self.pairs, shift, mode != 'l1')
        grad, = torch.autograd.grad(value, leaf)
        zero = torch.zeros((), device=self.device)
        push, real, false, r1 = zero, zero, zero, zero
        half = o.batch // 2  # The discriminator costs more than the network: it looks at half of the pictures.
        if mode in ('judged', 'penalised'):
            with self.cast():
                wish = loss.real(self.judge(leaf[:half]))
            opinion, = torch.autograd.grad(wish, leaf)
            # Fixed relative to the other gradients; bounded, where the discriminator is content.
            push = (self.push * grad[:half].norm() / opinion.norm().clamp_min(1e-12)).clamp_max(o.most)
            grad = grad + push * opinion
        y.backward(grad.to(y.dtype))
        norm = self.update(first, o.clip)
        if mode in ('judged', 'penalised'):
            second.zero_grad(set_to_none=True)
            with self.cast():
                real, false = loss.real(self.judge(clean[:half])), loss.false(self.judge(leaf[half:].detach()))
            value = real + false
            if mode == 'penalised':
                some = clean[half:].detach().requires_grad_()
                with self.cast():
                    score = self.judge(some)
                slope, = torch.autograd.grad(score.sum(), some, create_graph=True)
                r1 = slope.float().square().sum((1, 2, 3)).mean()
                value = value + .5 * o.gamma * o.lazy * r1
            value.backward()
            self.update(second, 100.)
        return torch.stack([v.detach().float() for v in parts + [push, real, false, r1, norm]])

    @torch.no_grad()
    def average(self, every=4):
        """Follow the live weights slowly; the averaged ones are what is kept."""
        if self.steps % every:
            return
        keep = min(self.o.decay, (1 + self.steps) / (20 + self.steps)) ** every
        live = self.model.state_dict()
        if hasattr(torch, '_foreach_lerp_'):
            torch._foreach_lerp_([self.mean[k] for k in live], list(live.values()), 1 - keep)
        else:
            for k, v in live.items():
                self.mean[k].lerp_(v, 1 - keep)

    def step(self, mode):
        if not self.plain and mode not in self.graphs:
            self.capture(mode)
        if self.plain:
            value = self.work(mode)
        else:
            graph, value = self.graphs[mode]
            graph.replay()
        self.steps += 1
        self.average()
        return value

    def capture(self, mode):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                self.work(mode)
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        try:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self.pool):
                value = self.work(mode)
            self.pool = graph.pool()
            self.graphs[mode] = graph, value
        except RuntimeError as e:
            print('no CUDA graph for', mode, '(going on without):', str(e).split('\n')[0], flush=True)
            self.plain = True
            torch.cuda.synchronize()


class Referee:
    """Validation faces with degradations that are always the same."""

    def __init__(self, images, net, device, count=64):
        state = torch.get_rng_state()
        torch.manual_seed(3)
        self.clean = faces.middle(torch.from_numpy(images[:count]))
        plans = [spoil.plan(len(c), 'cpu') for c in self.clean.split(16)]
        self.low = torch.cat([spoil.spoil(c, p) for c, p in zip(self.clean.split(16), plans)])
        self.plain = torch.from_numpy(cubic(self.low.numpy(), torch.cat([p['small'] for p in plans]).numpy())).to(device)
        torch.set_rng_state(state)
        self.clean, self.low, self.net = self.clean.to(device), self.low.to(device), net

    @torch.no_grad()
    def restore(self, model, faces):
        with torch.autocast(faces.device.type, torch.bfloat16, enabled=faces.is_cuda):
            out = [model((x * 2 - 1).contiguous(memory_format=torch.channels_last)).float() for x in faces.split(16)]
        return (torch.cat(out) * .5 + .5).clamp(0, 1)

    @torch.no_grad()
    def psnr(self, y):
        return float((-10 * torch.log10((y - self.clean).square().mean((1, 2, 3)).clamp_min(1e-9))).mean())

    @torch.no_grad()
    def judge(self, y):
        """PSNR, SSIM, squared distance of the face vectors, fine detail relative to the originals."""
        eight = [(z.permute(0, 2, 3, 1) * 255).double().cpu().numpy() for z in (y, self.clean)]
        away = loss.compare(self.net, y * 2 - 1, self.clean * 2 - 1)[1]
        detail = lambda z: (z - torch.nn.functional.avg_pool2d(z, 3, 1, 1)).abs().mean()
        alike = float(np.mean([ssim(a, b) for a, b in zip(*eight)]))
        return 'PSNR %.2f, SSIM %.4f, away %.3f, detail %.2f' % (
            self.psnr(y), alike, float(away), float(detail(y) / detail(self.clean)))

    def sheet(self, y, path, count=14):
        rows = [np.hstack(list(z[:count].permute(0, 2, 3, 1).cpu().numpy())) for z in (self.low, y, self.clean)]
        both = [np.vstack([r[:, k:k + 7 * 256] for r in rows]) for k in range(0, rows[0].shape[1], 7 * 256)]
        both = [b for b in both if b.shape == both[0].shape]
        cv2.imwrite(path, (np.vstack(both)[:, :, ::-1] * 255 + .5).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 90])


def options():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('pack')
    p.add_argument('--facenet', required=True)
    p.add_argument('--seconds', type=float, default=420, help='wall clock for everything, loading included')
    p.add_argument('--out', default='.')
    p.add_argument('--name', default='gpen')
    p.add_argument('--resume')
    p.add_argument('--judge')
    p.add_argument('--loss', choices=('full', 'l1'), default='full')
    p.add_argument('--shares', type=float, nargs=2, default=(.25, .72), help='where the first two parts end, in 0..1')
    p.add_argument('--batch', type=int, default=16)
    p.add_argument('--pairs', type=float, default=.125, help='share of the batch that is a moved repetition')
    p.add_argument('--lr', type=float, default=6e-3)
    p.add_argument('--filters', type=float, default=5., help='rate of the filters relative to the others')
    p.add_argument('--decay', type=float, default=.999, help='of the averaged weights')
    p.add_argument('--push', type=float, default=.3, help="the discriminator's gradient relative to the others")
    p.add_argument('--most', type=float, default=.1, help='bound of the factor that does that')
    p.add_argument('--clip', type=float, default=.5)
    p.add_argument('--gamma', type=float, default=1., help='R1')
    p.add_argument('--lazy', type=int, default=16, help='R1 every so many steps')
    p.add_argument('--save', type=float, default=60)
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--limit', type=int, help='load only about so many faces (tests)')
    p.add_argument('--quick', action='store_true', help='do not time the convolution algorithms first')
    p.add_argument('--plain', action='store_true', help='no CUDA graphs')
    p.add_argument('--steps', type=int, default=10 ** 9)
    return p.parse_args()


def main():
    o = options()
    shares = (1.1, 1.1) if o.loss == 'l1' else o.shares
    start = time.time()
    clock = lambda: time.time() - start
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    torch.manual_seed(o.seed)
    torch.backends.cudnn.benchmark = not o.quick
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    os.makedirs(o.out, exist_ok=True)
    path = os.path.join(o.out, o.name)
    rows, images = faces.read(o.pack, o.limit)
    part = lambda split: images[[i for i, r in enumerate(rows) if r['split'] == split]]
    train, val = part('train'), part('val')
    print('read', train.shape, val.shape, '%.1f s' % clock(), flush=True)
    net = network.FaceNet(o.facenet).to(device).eval()
    model, averaged = network.ours().to(device), network.ours().to(device)
    judge = network.Discriminator().to(device)
    if o.resume:
        load(model, o.resume)
    if o.judge:
        load(judge, o.judge)
    trainer = Trainer(model, judge, net, torch.from_numpy(train).to(device), o, device)
    referee = Referee(val, net, device)
    print('degraded: %s\nshrunk and enlarged again: %s; %.1f s' %
          (referee.judge(referee.low), referee.judge(referee.plain), clock()), flush=True)

    def note():
        """Save and look. False if the weights are no numbers any more: then the last files stay."""
        if not finite(trainer.mean):
            print('the averaged weights are not finite', flush=True)
            return False
        averaged.load_state_dict(trainer.mean)
        save(trainer.mean, path + '.pt')
        live = judge.state_dict()
        if mode in MODES[2:] and finite(live):
            save(live, path + '-d.pt')
        y = referee.restore(averaged, referee.low)
        referee.sheet(y, path + '-sheet.jpg')
        print('%s step %d (%s), %.0f s: %s; originals stay at PSNR %.2f' %
              (o.name, trainer.steps, mode, clock(), referee.judge(y),
               referee.psnr(referee.restore(averaged, referee.clean))), flush=True)
        return True

    begin, last_save, judged, bad, mode = None, clock(), 0, 0, 'l1'
    while trainer.steps < o.steps:
        if trainer.steps >= 20 and begin is None:
            begin = clock()  # The schedule starts when the first part is compiled.
        t = 0 if begin is None else (clock() - begin) / max(o.seconds - begin - 8, 1)
        if o.steps < 10 ** 9:
            t = trainer.steps / o.steps
        if t >= 1:
            break
        before, mode = mode, 'l1' if t < shares[0] else 'features' if t < shares[1] else 'judged'
        if before != mode and trainer.steps and finite(trainer.mean):
            save(trainer.mean, path + '-%s.pt' % before)
            print('%s ends at step %d, %.0f s' % (before, trainer.steps, clock()), flush=True)
        if mode == 'judged':
            judged += 1
            trainer.push.fill_(o.push * min(judged / 1000, 1))
        trainer.set_rate(o.lr * min(1, trainer.steps / 200 + .01) * schedule(t, shares[1]))
        value = trainer.step('penalised' if mode == 'judged' and judged % o.lazy == 1 else mode)
        if trainer.steps <= 4 or trainer.steps % 100 == 0:
            v = value.tolist()
            if trainer.steps <= 4 or trainer.steps % 200 == 0 or not math.isfinite(sum(v)):
                print('%s step %d (%s), %.1f s: ' % (o.name, trainer.steps, mode, clock()) +
                      ', '.join('%s %.3g' % z for z in zip(trainer.NAMES, v)), flush=True)
            bad = 0 if math.isfinite(sum(v)) else bad + 1
            if bad == 5:
                print('the losses are not finite', flush=True)
                break
        elif trainer.steps % 16 == 0 and device == 'cuda':
            torch.cuda.synchronize()  # The clock must not run ahead of the device.
        if clock() - last_save > o.save:
            if not note():
                return
            last_save = clock()
    if bad < 5:
        note()


if __name__ == '__main__':
    main()
