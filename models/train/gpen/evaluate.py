"""Compare restoration networks on validation faces.

    python3 evaluate.py PACK.tar --facenet FOLDER --networks ours=a.onnx l1=b.onnx
            [--nn-run BUILD/tests/nn/nn-run] [--count 60] [--sheet sheet.jpg]

The faces get degradations that are always the same (--strength: how bad). With
--nn-run the networks run in the project's engine, otherwise in onnxruntime.
Rows: the degraded crop, the same shrunk to its small size and enlarged by cubic
interpolation once more (what a plain scaler could do), and each network.

PSNR and SSIM (11x11 Gaussian, sigma 1.5, inside only) are those of 8-bit RGB;
`away` is the distance of the face recognition vectors (same person: below 0.6,
1.4 is the vectors' own length); `detail` is the fine detail relative to the
originals: 1 is as sharp as they are, whether or not it is the right detail;
`gradients` is how far their sizes are from the originals', picture by picture:
the earth mover's distance of the two distributions, in grey levels. Blur and
noise both make it larger.
"""
import argparse
import os
import subprocess
import tempfile

import cv2
import numpy as np
import torch

import faces
import network
import spoil


def ssim(a, b):
    """Of two 8-bit pictures as float64 [h,w,3]."""
    c1, c2 = (.01 * 255) ** 2, (.03 * 255) ** 2
    blur = lambda z: cv2.GaussianBlur(z, (11, 11), 1.5)[5:-5, 5:-5]
    ma, mb = blur(a), blur(b)
    va, vb, co = blur(a * a) - ma * ma, blur(b * b) - mb * mb, blur(a * b) - ma * mb
    return ((2 * ma * mb + c1) * (2 * co + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))).mean()


def psnr(a, b):
    return 10 * np.log10(255 ** 2 / max(((a - b) ** 2).mean(), 1e-9))


def gradients(picture):
    """Sizes of the brightness's gradient in an RGB picture [h,w,3], sorted."""
    grey = picture @ np.array([.299, .587, .114])
    return np.sort(np.hypot(grey[1:, :-1] - grey[:-1, :-1], grey[:-1, 1:] - grey[:-1, :-1]), axis=None)


def run(model, x, program):
    """Run float32 [n,3,256,256] through a model for one picture at a time."""
    if not program:
        import onnxruntime
        session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
        return np.concatenate([session.run(None, {'input': one[None]})[0] for one in x])
    out = []
    with tempfile.TemporaryDirectory() as folder:
        for k in range(0, len(x), 10):
            np.save(os.path.join(folder, 'x.npy'), x[k:k + 10])
            subprocess.run([program, model, '-i', 'input=' + os.path.join(folder, 'x.npy'), '-o', folder],
                           check=True, stdout=subprocess.DEVNULL)
            out.append(np.load(os.path.join(folder, 'output.npy')))
    return np.concatenate(out)


def cubic(x, small):
    """Shrink to the small side and enlarge by cubic interpolation, picture by picture."""
    out = []
    for one, side in zip(x, small):
        side = int(side)
        z = cv2.resize(one.transpose(1, 2, 0), (side, side), interpolation=cv2.INTER_AREA)
        out.append(cv2.resize(z, (network.SIDE,) * 2, interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1))
    return np.stack(out)


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('pack')
    p.add_argument('--facenet', required=True)
    p.add_argument('--networks', nargs='+', default=[])
    p.add_argument('--nn-run')
    p.add_argument('--count', type=int, default=60)
    p.add_argument('--strength', type=float, default=1.)
    p.add_argument('--sheet')
    o = p.parse_args()
    rows, images = faces.read(o.pack)
    val = [i for i, r in enumerate(rows) if r['split'] == 'val'][:o.count]
    clean = faces.middle(torch.from_numpy(images[val]))
    torch.manual_seed(5)
    plan = spoil.plan(len(clean), 'cpu', o.strength)
    low = spoil.spoil(clean, plan)
    clean, low, small = clean.numpy(), low.numpy(), plan['small'].numpy()
    results = {'degraded': low, 'cubic': cubic(low, small)}
    for item in o.networks:
        name, path = item.split('=', 1)
        results[name] = run(path, low * 2 - 1, o.nn_run) * .5 + .5
    results['original'] = clean
    net = network.FaceNet(o.facenet)

    @torch.no_grad()
    def vector(z):
        z = torch.from_numpy(z.astype(np.float32)) * 2 - 1
        return torch.cat([net(net.chip(part))[1] for part in z.split(8)])

    eight = {k: np.clip(np.round(v * 255), 0, 255) for k, v in results.items()}
    truth, target = eight['original'], vector(clean)
    fine = lambda z: np.mean([np.abs(one - cv2.blur(one, (3, 3))).mean() for one in z.transpose(0, 2, 3, 1)])
    print('%d validation faces' % len(clean))
    print('| | PSNR | SSIM | away | same person | detail | gradients |\n|---|---|---|---|---|---|---|')
    for name, z in eight.items():
        pairs = [(a.transpose(1, 2, 0).astype(np.float64), b.transpose(1, 2, 0).astype(np.float64)) for a, b in zip(z, truth)]
        away = (vector(z / 255) - target).norm(dim=1).numpy()
        print('| %s | %.2f | %.4f | %.3f | %.0f %% | %.2f | %.2f |' %
              (name, np.mean([psnr(a, b) for a, b in pairs]), np.mean([ssim(a, b) for a, b in pairs]),
               away.mean(), 100 * (away < .6).mean(), fine(z) / fine(truth),
               np.mean([np.abs(gradients(a) - gradients(b)).mean() for a, b in pairs])))
    if o.sheet:
        order = [k for k in eight if k != 'cubic']
        strips = [np.vstack([eight[k][i].transpose(1, 2, 0) for k in order]) for i in range(min(len(clean), 24))]
        sheet = np.vstack([np.hstack(strips[k:k + 8]) for k in range(0, len(strips) // 8 * 8, 8)])
        cv2.imwrite(o.sheet, sheet[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])


if __name__ == '__main__':
    main()
