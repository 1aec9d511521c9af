"""A face detector's ONNX file, run by ONNX Runtime (serve.mjs)."""
import json
import os
import struct
import subprocess

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH = {'cls': 1, 'obj': 1, 'bbox': 4, 'kps': 10}


class Session:
    """$CLMATTE_ORT names the folder whose node_modules holds onnxruntime-node."""

    def __init__(self, path, threads=2):
        if 'CLMATTE_ORT' not in os.environ:
            raise SystemExit('set CLMATTE_ORT to the folder that holds node_modules/onnxruntime-node')
        self.process = subprocess.Popen(['node', os.path.join(HERE, 'serve.mjs'), path, str(threads)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.names = json.loads(self.process.stdout.readline())

    def __call__(self, x):
        """x: [n,3,h,w] uint8 BGR, sides multiples of 32. The twelve outputs by name."""
        n, _, h, w = x.shape
        self.process.stdin.write(struct.pack('<3I', n, h, w) + np.ascontiguousarray(x, np.uint8).tobytes())
        self.process.stdin.flush()
        out = {}
        for name in self.names:
            count, = struct.unpack('<I', self.process.stdout.read(4))
            data = np.frombuffer(self.process.stdout.read(4 * count), np.float32)
            out[name] = data.reshape(n, -1, WIDTH[name.split('_')[0]])
        return out
