// llama.cpp's side of the decoding benchmark (node-llama-cpp); speaks the protocol of
// decode-ours.ts. Usage: decode-llamacpp.mjs PEERS FILE.gguf THREADS
import { join } from 'node:path';
import { answerRounds, prompt } from './decode-peer.mjs';

const [peers, modelPath, threads] = process.argv.slice(2);
const { getLlama } = await import(join(peers, 'node_modules/node-llama-cpp/dist/index.js'));
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error' });
const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
const context = await model.createContext({ contextSize: 512, threads: Number(threads) });
const sequence = context.getSequence();

async function timed(length, count) {
  await sequence.clearHistory();
  const start = performance.now();
  const found = [];
  for await (const token of sequence.evaluate(prompt(length), {
    temperature: 0,
    yieldEogToken: true,
  })) {
    found.push(token);
    if (found.length >= count) break;
  }
  return (performance.now() - start) / 1000;
}

await answerRounds(timed);
