// serve.mjs - a detector in ONNX Runtime, asked over a pipe by session.py.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
//
//   CLMATTE_ORT=FOLDER serve.mjs MODEL [THREADS]
//
// A question is three little-endian uint32 (samples, height, width) and samples x 3 x height x width
// bytes; the answer is, for every output in the model's order, a uint32 count and so many float32.
// The first line of the output names the outputs.
import { createRequire } from 'node:module';
import { readSync, writeSync } from 'node:fs';

const require = createRequire(process.env.CLMATTE_ORT + '/');
const ort = require('onnxruntime-node');

function read(size) {
    const bytes = Buffer.alloc(size);
    for (let at = 0; at < size; ) {
        const n = readSync(0, bytes, at, size - at);
        if (n === 0) process.exit(0);
        at += n;
    }
    return bytes;
}

function write(bytes) {
    for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}

const session = await ort.InferenceSession.create(process.argv[2], {
    intraOpNumThreads: Number(process.argv[3] ?? 2), logSeverityLevel: 3,
});
write(Buffer.from(JSON.stringify(session.outputNames) + '\n'));
for (;;) {
    const head = read(12);
    const dims = [head.readUInt32LE(0), 3, head.readUInt32LE(4), head.readUInt32LE(8)];
    const pixels = Float32Array.from(read(dims.reduce((a, b) => a * b)));
    const out = await session.run({ [session.inputNames[0]]: new ort.Tensor('float32', pixels, dims) });
    for (const name of session.outputNames) {
        const { data } = out[name];
        const count = Buffer.alloc(4);
        count.writeUInt32LE(data.length);
        write(count);
        write(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    }
}
