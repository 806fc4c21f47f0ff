// transformers.js's side of the decoding benchmark; speaks the protocol of decode-ours.ts. Usage:
// decode-transformersjs.mjs PEERS FOLDER fp32|q8|q4 THREADS
import { join } from 'node:path';
import { answerRounds, prompt } from './decode-peer.mjs';

const [peers, folder, dtype, threads] = process.argv.slice(2);
const { AutoModelForCausalLM, Tensor, env } = await import(
  join(peers, 'node_modules/@huggingface/transformers/dist/transformers.node.mjs')
);
env.allowRemoteModels = false;
const model = await AutoModelForCausalLM.from_pretrained(folder, {
  dtype,
  device: 'cpu',
  session_options: { intraOpNumThreads: Number(threads), interOpNumThreads: 1 },
});

async function timed(length, count) {
  const tensor = (numbers) => new Tensor('int64', BigInt64Array.from(numbers, BigInt), [1, length]);
  const start = performance.now();
  await model.generate({
    input_ids: tensor(prompt(length)),
    attention_mask: tensor(Array(length).fill(1)),
    max_new_tokens: count,
    min_new_tokens: count,
    do_sample: false,
    eos_token_id: 1e6,
  });
  return (performance.now() - start) / 1000;
}

await answerRounds(timed);
