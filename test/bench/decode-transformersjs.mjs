// transformers.js's side of the decoding benchmark; speaks the protocol of decode-ours.ts. Usage: decode-transformersjs.mjs PEERS FOLDER fp32|q8|q4 THREADS
import { createInterface } from 'node:readline';
import { join } from 'node:path';

const started = performance.now();
const [peers, folder, dtype, threads] = process.argv.slice(2);
const { AutoModelForCausalLM, Tensor, env } = await import(join(peers, 'node_modules/@huggingface/transformers/dist/transformers.node.mjs'));
env.allowRemoteModels = false;
const model = await AutoModelForCausalLM.from_pretrained(folder, { dtype, device: 'cpu', session_options: { intraOpNumThreads: Number(threads), interOpNumThreads: 1 } });
const prompt = (length) => Array.from({ length }, (_, place) => 300 + ((place * 7919) % 40000)); // promptOf of decode.ts

async function timed(length, count) {
  const tensor = (numbers) => new Tensor('int64', BigInt64Array.from(numbers, BigInt), [1, length]);
  const start = performance.now();
  await model.generate({ input_ids: tensor(prompt(length)), attention_mask: tensor(Array(length).fill(1)), max_new_tokens: count, min_new_tokens: count, do_sample: false, eos_token_id: 1e6 });
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
