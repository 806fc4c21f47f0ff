// By hand: GGUF files of every fixture family and of stories260k in llama.cpp (node-llama-cpp,
// which is too large to be a dependency here): the same greedy tokens as our engine with the
// numbers that the file holds, and the same ids for texts.
//   mkdir /tmp/llama && cd /tmp/llama && npm install --ignore-scripts node-llama-cpp
// node --conditions=lmflow-source --import tsx plugins/export/test/reference/llamacpp.ts /tmp/llama
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Model } from '@lmflow/sdk/model';
import type { Kernel } from 'lmflow';
import { FIXTURES, load, logits, modelFolder, scratch, withKernel } from '../folders.ts';
import { TENSOR_TYPES, type TensorTypeName } from '../../src/gguf/types.ts';
import { decode, llamaName, readGguf } from '../reader.ts';
import { wideLlama } from '../wide.ts';

const [installed] = process.argv.slice(2);
if (installed === undefined) throw new Error('where is node-llama-cpp installed?');

/** Runs in the folder of node-llama-cpp: greedy tokens after `ids`, and the ids of texts. */
const CHILD = `
import { getLlama } from 'node-llama-cpp';
import { readFileSync, writeFileSync } from 'node:fs';
const { path, ids, count, texts, answer } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'warn' });
const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 });
const context = await model.createContext({ contextSize: Math.min(256, model.trainContextSize), threads: 1 });
const sequence = context.getSequence();
const found = [];
for await (const token of sequence.evaluate(ids, { temperature: 0, yieldEogToken: true })) { found.push(token); if (found.length >= count) break; }
writeFileSync(answer, JSON.stringify({ found, texts: texts.map((text) => [...model.tokenize(text, false)]) }));
process.exit(0);
`;

interface Answer {
  readonly found: number[];
  readonly texts: number[][];
}

function llamaCpp(
  path: string,
  ids: readonly number[],
  count: number,
  texts: readonly string[],
): Answer {
  const script = join(installed!, 'lmflow-child.mjs');
  const folder = scratch('task');
  const [task, answer] = [join(folder, 'task.json'), join(folder, 'answer.json')];
  writeFileSync(script, CHILD);
  writeFileSync(task, JSON.stringify({ path, ids, count, texts, answer }));
  execFileSync(process.execPath, [script, task], { cwd: installed, stdio: 'ignore' });
  return JSON.parse(readFileSync(answer, 'utf8')) as Answer;
}

/**
 * The model with the numbers that the file holds: each tensor encoded and decoded. (Rows are
 * permuted whole, which changes no block.)
 */
async function dequantized(model: Model, file: string): Promise<Model> {
  const { tensors } = readGguf(file);
  const weights: Model['weights'] = new Map();
  for (const [name, { shape }] of model.weights) {
    const type = tensors.get(llamaName(name))!.type;
    const data = decode(type, TENSOR_TYPES[type as TensorTypeName].encode(await model.read(name)));
    weights.set(name, { kind: 'memory', dtype: 'float32', shape, data });
  }
  return { ...model, weights };
}

async function greedy(
  kernel: Kernel,
  model: Model,
  ids: readonly number[],
  count: number,
): Promise<number[]> {
  const all = [...ids];
  const width = model.architecture.vocabularySize;
  while (all.length < ids.length + count) {
    const last = (await logits(kernel, model, all, 1)).slice(-width);
    all.push(last.indexOf(last.reduce((a, b) => Math.max(a, b))));
  }
  return all.slice(ids.length);
}

const same = (a: readonly number[], b: readonly number[]): number => {
  const index = a.findIndex((id, place) => id !== b[place]);
  return index < 0 ? a.length : index;
};

/** How much likelier we find our token than theirs, beside the spread of the logits. */
async function gap(
  kernel: Kernel,
  model: Model,
  ids: readonly number[],
  our: number,
  their: number,
): Promise<string> {
  const row = (await logits(kernel, model, ids, 1)).slice(-model.architecture.vocabularySize);
  const deviation = Math.sqrt(
    row.reduce((sum, logit) => sum + logit * logit, 0) / row.length -
      (row.reduce((sum, logit) => sum + logit, 0) / row.length) ** 2,
  );
  return `our logits of the two differ by ${(row[our]! - row[their]!).toFixed(3)}, deviation of all ${deviation.toFixed(1)}`;
}

async function compare(
  name: string,
  folder: string,
  ids: readonly number[],
  count: number,
  texts: readonly string[],
  quantizations: readonly string[],
): Promise<void> {
  const outputDir = scratch('gguf');
  await withKernel({ model: folder, outputDir }, async (kernel) => {
    const model = await load(kernel, folder);
    const encoded = texts.map((text) => [...model.tokenizer.encode(text).ids]);
    for (const quantization of quantizations) {
      const { result } = await kernel.run('export', { options: { format: 'gguf', quantization } });
      const path = join(outputDir, result.files[0]!);
      const reference = quantization === 'f32' ? model : await dequantized(model, path);
      const ours = await greedy(kernel, reference, ids, count);
      let line: string;
      try {
        const theirs = llamaCpp(path, ids, count, texts);
        const tokenized = encoded.filter(
          (expected, index) => expected.join() === theirs.texts[index]!.join(),
        ).length;
        const agreed = same(ours, theirs.found);
        const tie =
          agreed < ours.length
            ? ` (then ${await gap(kernel, reference, [...ids, ...ours.slice(0, agreed)], ours[agreed]!, theirs.found[agreed]!)})`
            : '';
        line = `${agreed} of ${ours.length} greedy tokens the same${tie}, ${tokenized} of ${texts.length} texts the same`;
      } catch (error) {
        line = `llama.cpp fails: ${(error as Error).message.slice(0, 200)}`;
      }
      process.stdout.write(`${name} ${quantization}: ${line}\n`);
    }
  });
}

const simple = [
  'the cat',
  'a the(theme) 12345 x',
  "Don't  stop,\nthen: go".replace(/'/g, ''),
  'the\n\n the',
];
const prompt = [5, 17, 42, 60, 33, 8, 71, 20];
for (const family of [
  'llama',
  'llama-tied',
  'llama-linear',
  'llama-yarn',
  'llama-llama3',
  'qwen2',
  'qwen3',
  'gpt2',
  'mistral',
]) {
  // mistral's window is 8 tokens, gpt2 has 32 positions.
  const [ids, count] =
    family === 'mistral' ? [prompt.slice(0, 3), 5] : [prompt, family === 'gpt2' ? 20 : 40];
  await compare(
    family,
    modelFolder(family),
    ids,
    count,
    simple,
    family === 'llama' ? ['f32', 'f16', 'q8_0', 'q4_0'] : ['f32'],
  );
}
await compare('wide', await wideLlama(), prompt, 40, simple, ['f32', 'q8_0', 'q4_0', 'q4_k_m']);
const stories = join(FIXTURES, '../../../shared/models/stories260k');
if (existsSync(stories)) {
  const wiki = readFileSync(join(stories, '../../data/wiki_demo.txt'), 'utf8')
    .split('\n')
    .filter((line) => line.length > 20)
    .slice(0, 200);
  await compare(
    'stories260k',
    stories,
    [1],
    199,
    [...wiki, ...simple, '  two spaces', 'naïve café 日本語 🙂'],
    ['f32', 'f16', 'q8_0', 'q4_0', 'q4_k_m'],
  );
}
