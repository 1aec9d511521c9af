"""Train the face detector.

    python3 -m faces.train PACK.tar --seconds 420 --out DIR [--resume FILE.pt] [--teacher yunet_n_dynamic.onnx]

PACK.tar comes from faces.pack. The manner is that of ../train.py: the clock
decides, averaged weights are kept in half precision without optimizer state, on
a GPU one CUDA graph holds composing and learning.
"""
import argparse
import math
import os
import time

import numpy as np
import torch
import torch.nn.functional as F

import degrade
import texture
from train import Trainer, load, save

from . import atlas, decode, loss, measure, network, scene, yunet

VIEW = 480  # Held-out pictures are shown in a square of this side.


class Learner(Trainer):
    def __init__(self, model, teacher, device, lr, decay, loss, layout):
        super().__init__(model, teacher, device, lr, decay, 0)
        self.loss, self.layout = loss, layout

    def work(self, x, boxes, points, state):
        self.optimizer.zero_grad(set_to_none=True)
        out = forward(self.model, x, self.layout)
        teacher = self.teacher and self.teacher(x)
        parts = self.loss(out.float(), boxes, points, state, teacher)
        parts.sum().backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 8.)
        self.optimizer.step()
        return parts.detach()


def forward(model, x, layout):
    with torch.autocast(x.device.type, torch.bfloat16, enabled=x.is_cuda, cache_enabled=False):
        return model(x.contiguous(memory_format=layout))


def timed(model, x, layout):
    """Milliseconds of forward and backward as one CUDA graph."""
    run = lambda: forward(model, x, layout).float().square().mean().backward()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    model.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    graph.replay()
    torch.cuda.synchronize()
    start = time.time()
    for _ in range(10):
        graph.replay()
    torch.cuda.synchronize()
    return (time.time() - start) * 100


def prepare(model, n, h, w, compiler):
    """Bring the network into the form in which it learns faster here; returns the memory layout of its input.

    Libraries differ a lot at depthwise convolutions, and the compiler fuses what lies between them.
    """
    x, times = torch.rand(n, 3, h, w, device='cuda'), {}
    another = lambda layout: network.Detector().to('cuda', memory_format=layout).train()
    for layout in (torch.channels_last, torch.contiguous_format):
        times[layout] = timed(another(layout), x, layout)
    layout = min(times, key=times.get)
    model.to(memory_format=layout)
    if compiler:
        try:
            fused = another(layout)
            fused.compile(dynamic=False)
            times['compiled'] = timed(fused, x, layout)
            if times['compiled'] < times[layout]:
                model.compile(dynamic=False)
        except Exception as e:  # The compiler is only a convenience.
            print('learning without the compiler:', str(e)[:300], flush=True)
    print('forward and backward:', ', '.join('%s %.2f ms' % kv for kv in times.items()), flush=True)
    return layout


class Validation:
    """The pack's val pictures, as large as they are, at half and at a quarter of their size."""

    def __init__(self, rows, rgba, device):
        self.device = device
        self.rows = [r for r in rows if r['split'] == 'val']
        idx = [i for i, r in enumerate(rows) if r['split'] == 'val']
        self.x = torch.zeros(len(idx), 3, VIEW, VIEW)
        for k, (i, r) in enumerate(zip(idx, self.rows)):
            z = torch.from_numpy(rgba[i:i + 1, :, :, :3].copy()).permute(0, 3, 1, 2).float() / 255
            h, w = min(r['height'], VIEW), min(r['width'], VIEW)
            self.x[k, :, :h, :w] = F.interpolate(z, size=(h, w), mode='area')[0]

    @torch.no_grad()
    def __call__(self, model):
        model.eval()
        text = []
        for part in (1, 2, 4):
            tally, side, scale = measure.Tally(), VIEW // part, 1 / part
            side = -(-side // 32) * 32
            for k in range(0, len(self.rows), 32):
                x = self.x[k:k + 32].to(self.device)
                y = F.avg_pool2d(x, part)
                x = F.pad(y, (0, side - y.shape[3], 0, side - y.shape[2]))
                out = dict(zip(network.NAMES, [o.float().cpu().numpy() for o in model(x)]))
                for j, r in enumerate(self.rows[k:k + 32]):
                    unit = np.tile([r['width'], r['height']], 7) * scale
                    truth = [np.concatenate([np.array(f[:4]) * unit[:4], f[4:5], np.array(f[5:]) * unit[4:]])
                             for f in r['faces']]
                    tally.add(truth, *decode.suppress(*decode.decode(out, j, side, side)))
            name, faces, recall, precision, error, median = list(tally.rows())[-1]
            text.append('x%g: %d faces, recall %.4f precision %.4f landmarks %.4f median %.4f' %
                        (scale, faces, recall, precision, error, median))
        model.train()
        return ' | '.join(text)


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('pack', nargs='+')
    p.add_argument('--seconds', type=float, default=420, help='wall clock for everything, loading included')
    p.add_argument('--out', default='.')
    p.add_argument('--resume')
    p.add_argument('--teacher')
    p.add_argument('--lr', type=float, default=3e-3)
    p.add_argument('--decay', type=float, default=.9995, help='of the averaged weights')
    p.add_argument('--batch', type=int, default=64)
    p.add_argument('--side', type=int, default=320)
    p.add_argument('--save', type=float, default=60)
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--limit', type=int, help='load only about so many pictures (tests)')
    p.add_argument('--clean', action='store_true', help='no blur, noise and compression (tests)')
    p.add_argument('--plain', action='store_true', help='without the compiler')
    p.add_argument('--eager', action='store_true', help='no CUDA graph')
    p.add_argument('--steps', type=int, default=10 ** 9)
    o = p.parse_args()
    start = time.time()
    clock = lambda: time.time() - start
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    torch.manual_seed(o.seed)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    os.makedirs(o.out, exist_ok=True)
    rows, rgba = texture.read(o.pack, o.limit)
    print('read', rgba.shape, '%.1f s' % clock(), flush=True)
    textures = atlas.Atlas(rows, rgba, device)
    check = Validation(rows, rgba, device)
    del rgba
    print('atlas', tuple(textures.words.shape), 'val', len(check.rows), '%.1f s' % clock(), flush=True)
    model = network.Detector().to(device).train()
    if o.resume:
        load(model, o.resume)
    composer = scene.Composer(textures, o.side, o.side, device == 'cuda' and not o.plain)
    layout = torch.contiguous_format
    if device == 'cuda':
        try:
            composer(o.batch)
        except Exception as e:  # The compiler is only a convenience.
            print('composing without the compiler:', str(e)[:300], flush=True)
            composer.paint = scene.paint
            composer(o.batch)
        print('composer %.1f s' % clock(), flush=True)
        layout = prepare(model, o.batch, o.side, o.side, not o.plain)
        print('layout', layout, '%.1f s' % clock(), flush=True)
    averaged = network.Detector().to(device)
    teacher = yunet.YuNet(o.teacher).to(device) if o.teacher else None
    if teacher and device == 'cuda':
        teacher = teacher.half()
    learner = Learner(model, teacher, device, o.lr, o.decay, loss.Loss(o.side, o.side, device), layout)
    path = os.path.join(o.out, 'face.pt')

    def note(look):
        save(learner.mean, path)
        if not look:
            return
        averaged.load_state_dict(learner.mean)
        print('step %d, %.0f s: %s' % (learner.steps, clock(), check(averaged)), flush=True)

    @torch.no_grad()
    def make():
        x, boxes, points, state = composer(o.batch)
        clean = len(x) if o.clean else len(x) // 2  # Most pictures users have are good ones.
        return torch.cat([x[:clean], degrade.degrade(x[clean:])]) if clean < len(x) else x, boxes, points, state

    begin, last_save, saves, graph = None, clock(), 0, device == 'cuda' and not o.eager
    while learner.steps < o.steps:
        if learner.steps >= 2 and begin is None:
            begin = clock()
        part = 0 if begin is None else (clock() - begin) / max(o.seconds - begin - 6, 1)
        if part >= 1:
            break
        learner.set_rate(part)
        if graph:
            value = learner.step('all', make)
        else:
            value = learner.work(*make())
            learner.steps += 1
            learner.average()
        if learner.steps <= 4 or learner.steps % (1000 if device == 'cuda' else 20) == 0:
            v = value.tolist()
            print('step %d, %.1f s: cls %.4f obj %.4f box %.4f landmarks %.4f teacher %.4f' %
                  (learner.steps, clock(), *(v + [0.])[:5]), flush=True)
            if not math.isfinite(sum(v)):
                raise SystemExit('the loss is not finite')
        elif learner.steps % 16 == 0 and device == 'cuda':
            torch.cuda.synchronize()  # The clock must not run ahead of the device.
        if clock() - last_save > o.save:
            saves += 1
            note(saves % 4 == 0)  # Looking at the held-out pictures takes seconds.
            last_save = clock()
    note(True)


if __name__ == '__main__':
    main()
