#!/usr/bin/env node
// ort-run.mjs - runs an ONNX file on .npy tensors in ONNX Runtime: the yardstick of nn-run.
//
// SPDX-License-Identifier: LGPL-2.1-or-later
//
//   ort-run.mjs MODEL --input NAME=FILE.npy ... [--output-dir DIR] [--repeat N] [--threads N] [--json]
//
// The inputs are those of nn-run: one whose first dim is a multiple of what the model says holds
// that many samples. They run as one batch where the model leaves the first dim open, and one after
// the other where the batch is written into it (or with --single). Two threads, all optimisations.
// $CLMATTE_ORT names the folder that holds node_modules/onnxruntime-node; see get-package.
import { readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

// NumPy's code, ONNX Runtime's name and the array that holds the elements.
const TYPES = [
    ['f4', 'float32', Float32Array],
    ['f8', 'float64', Float64Array],
    ['f2', 'float16', Uint16Array],
    ['i1', 'int8', Int8Array],
    ['i2', 'int16', Int16Array],
    ['i4', 'int32', Int32Array],
    ['i8', 'int64', BigInt64Array],
    ['u1', 'uint8', Uint8Array],
    ['u2', 'uint16', Uint16Array],
    ['u4', 'uint32', Uint32Array],
    ['u8', 'uint64', BigUint64Array],
    ['b1', 'bool', Uint8Array],
];

function parseNpy(path) {
    const bytes = readFileSync(path);
    const wide = bytes[6] > 1;
    const headerLength = wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
    const start = (wide ? 12 : 10) + headerLength;
    const header = bytes.toString('latin1', wide ? 12 : 10, start);
    const [, code] = /'descr': '[<|=](\w\d)'/.exec(header);
    const [, shape] = /'shape': \(([^)]*)\)/.exec(header);
    const [, type, ArrayType] = TYPES.find(([c]) => c === code);
    const data = new ArrayType(new Uint8Array(bytes.subarray(start)).buffer);
    return { type, data, dims: shape.split(',').filter((s) => s.trim()).map(Number) };
}

function writeNpy(path, { type, data, dims }) {
    const [code] = TYPES.find(([, t]) => t === type);
    const order = data.BYTES_PER_ELEMENT === 1 ? '|' : '<';
    const shape = dims.map((d) => `${d},`).join(' ');
    let header = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${shape}), }`;
    header = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + '\n';
    const prefix = Buffer.from('\x93NUMPY\x01\x00\x00\x00', 'latin1');
    prefix.writeUInt16LE(header.length, 8);
    const body = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    writeFileSync(path, Buffer.concat([prefix, Buffer.from(header, 'latin1'), body]));
}

// How many samples an input holds, given the model's shape of it.
function countSamples({ dims }, shape) {
    if (dims.length === 0 || shape.length === 0)
        return 1;
    return dims[0] / (typeof shape[0] === 'number' && shape[0] > 0 ? shape[0] : 1);
}

function sampleOf({ type, data, dims }, index, nSamples) {
    const n = data.length / nSamples;
    return { type, data: data.slice(index * n, (index + 1) * n),
             dims: dims.map((d, i) => (i === 0 ? d / nSamples : d)) };
}

function joinSamples(tensors) {
    const [{ type, dims, data }] = tensors;
    const all = new data.constructor(data.length * tensors.length);
    tensors.forEach((tensor, i) => all.set(tensor.data, i * data.length));
    return { type, data: all, dims: dims.map((d, i) => (i === 0 ? d * tensors.length : d)) };
}

// What is fed in each run: the whole batch at once, or one sample at a time.
function makeFeeds(inputs, metadata, single) {
    const counts = metadata.map(({ name, shape }) => countSamples(inputs[name], shape));
    const n = Math.max(1, ...counts);
    const open = metadata.every(({ shape }, i) => counts[i] === 1 || typeof shape[0] === 'string' ||
                                                  shape[0] < 0);
    if (n === 1 || (open && !single))
        return [inputs];
    return Array.from({ length: n }, (_, s) => Object.fromEntries(metadata.map(({ name }, i) =>
        [name, counts[i] === 1 ? inputs[name] : sampleOf(inputs[name], s, n)])));
}

function summarize({ data }) {
    let [min, max, sum] = [Infinity, -Infinity, 0];
    for (const value of data) {
        const x = Number(value);
        [min, max, sum] = [Math.min(min, x), Math.max(max, x), sum + x];
    }
    return { min, max, mean: sum / data.length };
}

function median(sorted) {
    return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

async function main() {
    const { values: options, positionals: [model] } = parseArgs({
        allowPositionals: true,
        options: {
            input: { type: 'string', multiple: true, default: [] },
            'output-dir': { type: 'string' },
            repeat: { type: 'string', default: '1' },
            threads: { type: 'string', default: '2' },
            single: { type: 'boolean', default: false },
            json: { type: 'boolean', default: false },
        },
    });
    const require = createRequire(join(process.env.CLMATTE_ORT ?? process.cwd(), 'ort-run.mjs'));
    const ort = require('onnxruntime-node');
    const session = await ort.InferenceSession.create(model, {
        intraOpNumThreads: Number(options.threads),
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
    });

    const inputs = {};
    for (const pair of options.input) {
        const at = pair.lastIndexOf('=');
        inputs[pair.slice(0, at)] = parseNpy(pair.slice(at + 1));
    }
    const feeds = makeFeeds(inputs, session.inputMetadata, options.single).map((feed) =>
        Object.fromEntries(Object.entries(feed).map(([name, { type, data, dims }]) =>
            [name, new ort.Tensor(type, data, dims)])));

    // The first round warms up and is not timed.
    let results;
    const times = [];
    for (let i = 0; i <= Number(options.repeat); i++) {
        const start = performance.now();
        results = [];
        for (const feed of feeds)
            results.push(await session.run(feed));
        if (i > 0)
            times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);

    const outputs = session.outputNames.map((name) => {
        const tensor = joinSamples(results.map((result) => result[name]));
        if (options['output-dir']) {
            mkdirSync(options['output-dir'], { recursive: true });
            writeNpy(join(options['output-dir'], `${name.replaceAll('/', '_')}.npy`), tensor);
        }
        return { name, type: tensor.type, shape: tensor.dims, ...summarize(tensor) };
    });
    const summary = { model, device: `ONNX Runtime, ${options.threads} threads`,
                      runs_per_batch: feeds.length, median_ms: median(times), min_ms: times[0],
                      outputs };
    if (options.json) {
        console.log(JSON.stringify(summary, null, 2));
        return;
    }
    for (const { name, type, shape, min, max, mean } of outputs)
        console.log(`${name}: ${type} ${shape.join('x')} min ${min} max ${max} mean ${mean}`);
    console.log(`median ${summary.median_ms.toFixed(3)} ms, least ${times[0].toFixed(3)} ms of ` +
                `${times.length} runs (${summary.device})`);
}

main().catch((error) => {
    console.error(`ort-run: ${error.message.replaceAll('\n', ' ')}`);
    process.exit(2);
});
