// Asks the model one held-out question before and after tuning. Greedy, each token from a whole forward pass: short, not fast.
import { readFileSync } from 'node:fs';
import { createKernel } from 'lmflow';
import { ENGINE, MODELS, forward, type Model, type Trace } from '@lmflow/sdk';
import { Graph, gather, matMul, reshape } from '@lmflow/sdk/graph';
import lora from '@lmflow/preset-lora';

const LENGTH = 192;
const [pair] = JSON.parse(readFileSync('work/held-out.json', 'utf8')) as [{ instruction: string; output: string }];
console.log(`\nQuestion         ${pair.instruction}\nDictionary       ${pair.output}`);
console.log(`Before tuning    ${await answer()}`);
console.log(`After tuning     ${await answer('work/adapter')}`);
console.log('\nThe adapter lies in playground/demo/work/adapter, its base model in playground/demo/work/base.');

async function answer(adapter?: string): Promise<string> {
  const kernel = await createKernel({ presets: [lora], model: 'work/base', lora: adapter === undefined ? {} : { adapter } });
  try {
    const model = await kernel.resolve(MODELS).load({ role: 'policy', purpose: 'inference', source: 'work/base' });
    const engine = kernel.resolve(ENGINE);
    const program = await engine.compile(logits(model));
    const { tokenizer } = model;
    tokenizer.chatTemplate ??= readFileSync('work/adapter/chat_template.jinja', 'utf8');
    const ids = [...tokenizer.encode(tokenizer.render([{ role: 'user', content: pair.instruction }], { addGenerationPrompt: true })).ids];
    const prompt = ids.length;
    while (ids.length < Math.min(LENGTH, prompt + 40) && ids.at(-1) !== tokenizer.eosId) {
      const inputIds = Int32Array.from({ length: LENGTH }, (_, place) => ids[place] ?? 0);
      const positions = Int32Array.from({ length: LENGTH }, (_, place) => place);
      const last = Int32Array.of(ids.length - 1);
      const results = await program.run({
        inputIds: await engine.upload(inputIds, [1, LENGTH], 'int32'), positions: await engine.upload(positions, [1, LENGTH], 'int32'), last: await engine.upload(last, [1], 'int32'),
      });
      const scores = (await results['logits']!.read()) as Float32Array;
      ids.push(scores.indexOf(Math.max(...scores)));
    }
    return tokenizer.decode(ids.slice(prompt), { skipSpecialTokens: true }).trim();
  } finally {
    await kernel.close();
  }
}

/** The next token's logits at the position `last`. */
function logits(model: Model): Graph {
  const graph = new Graph();
  const inputIds = graph.input('inputIds', 'int32', [1, LENGTH]);
  const trace: Trace = {
    graph, model, batchSize: 1, length: LENGTH, mode: 'inference', positions: graph.input('positions', 'int32', [1, LENGTH]),
    input: () => inputIds, dropoutMask: () => { throw new Error('there is no dropout in inference'); },
  };
  const { hidden, weight } = forward(trace);
  graph.output('logits', reshape(matMul(gather(hidden, graph.input('last', 'int32', [1])), weight, { transposeB: true }), [weight.shape[0]!]));
  return graph;
}
