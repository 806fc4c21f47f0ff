// llama.cpp's side of the decoding benchmark (node-llama-cpp); speaks the protocol of decode-ours.ts. Usage: decode-llamacpp.mjs PEERS FILE.gguf THREADS
import { createInterface } from 'node:readline';
import { join } from 'node:path';

const started = performance.now();
const [peers, modelPath, threads] = process.argv.slice(2);
const { getLlama } = await import(join(peers, 'node_modules/node-llama-cpp/dist/index.js'));
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error' });
const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
const context = await model.createContext({ contextSize: 512, threads: Number(threads) });
const sequence = context.getSequence();
const prompt = (length) => Array.from({ length }, (_, place) => 300 + ((place * 7919) % 40000)); // promptOf of decode.ts

async function timed(length, count) {
  await sequence.clearHistory();
  const start = performance.now();
  const found = [];
  for await (const token of sequence.evaluate(prompt(length), { temperature: 0, yieldEogToken: true })) {
    found.push(token);
    if (found.length >= count) break;
  }
  return (performance.now() - start) / 1000;
}

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
await timed(8, 2);
say({ ready: true, load_seconds: (performance.now() - started) / 1000, trainable: 0 });
for await (const line of createInterface({ input: process.stdin })) {
  if (JSON.parse(line).command !== 'step') break;
  const read = await timed(256, 1);
  const first = await timed(8, 1);
  const whole = await timed(8, 201);
  say({ seconds: whole - first, prefill_seconds: read, rss_bytes: process.memoryUsage().rss, peak_rss_bytes: process.resourceUsage().maxRSS * 1024 });
}
process.exit(0);
