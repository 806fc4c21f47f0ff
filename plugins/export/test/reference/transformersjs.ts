// By hand: ONNX exports of every fixture family and of stories260k in transformers.js
// (@huggingface/transformers, too large to be a dependency here): the greedy tokens of transformers
// and of our generator, alone and in a batch padded on the left, and the same ids and texts.
//   mkdir /tmp/js && cd /tmp/js && npm install --ignore-scripts @huggingface/transformers
// node --conditions=lmflow-source --import tsx plugins/export/test/reference/transformersjs.ts
// /tmp/js [--quantization f16]
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FIXTURES, load, modelFolder, scratch, withKernel } from '../folders.ts';
import { cases, type Case } from '../onnxruntime.ts';

const [installed, flag, quantization] = process.argv.slice(2);
if (installed === undefined || (flag !== undefined && flag !== '--quantization')) {
  throw new Error('where is @huggingface/transformers installed?');
}

/** Runs in the folder of transformers.js. */
const CHILD = `
import { AutoModelForCausalLM, AutoTokenizer, Tensor, env } from '@huggingface/transformers';
import { readFileSync, writeFileSync } from 'node:fs';
const { folder, prompts, count, texts, answer } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
env.allowRemoteModels = false;
const model = await AutoModelForCausalLM.from_pretrained(folder);
const tokenizer = await AutoTokenizer.from_pretrained(folder);
const greedy = async (rows) => {
  const longest = Math.max(...rows.map((row) => row.length));
  const tensor = (fill) => new Tensor('int64', BigInt64Array.from(rows.flatMap((row) => [...Array(longest - row.length).fill(0), ...row.map(fill)]), BigInt), [rows.length, longest]);
  const found = await model.generate({ input_ids: tensor((id) => id), attention_mask: tensor(() => 1), max_new_tokens: count, do_sample: false, eos_token_id: 1e6 });
  return found.tolist().map((row) => row.slice(longest).map(Number));
};
const alone = [];
for (const prompt of prompts) alone.push(...await greedy([prompt]));
const together = await greedy(prompts);
const ids = texts.map((text) => tokenizer.encode(text, { add_special_tokens: false }));
writeFileSync(answer, JSON.stringify({ alone, together, ids, text: tokenizer.decode(alone[0], { skip_special_tokens: true }) }));
`;

interface Answer {
  readonly alone: number[][];
  readonly together: number[][];
  readonly ids: number[][];
  readonly text: string;
}

function transformersJs(
  folder: string,
  prompts: readonly (readonly number[])[],
  count: number,
  texts: readonly string[],
): Answer {
  const script = join(installed!, 'lmflow-child.mjs');
  const aside = scratch('task');
  const [task, answer] = [join(aside, 'task.json'), join(aside, 'answer.json')];
  writeFileSync(script, CHILD);
  writeFileSync(task, JSON.stringify({ folder, prompts, count, texts, answer }));
  execFileSync(process.execPath, [script, task], {
    cwd: installed,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return JSON.parse(readFileSync(answer, 'utf8')) as Answer;
}

const same = (a: readonly number[], b: readonly number[]): number => {
  const index = a.findIndex((id, place) => id !== b[place]);
  return index < 0 ? a.length : index;
};

async function compare(
  name: string,
  folder: string,
  known: readonly Case[],
  options: Record<string, unknown>,
  texts: readonly string[],
): Promise<Answer> {
  const outputDir = join(scratch('onnx'), 'out');
  const count = Math.min(...known.map(({ ids }) => ids.length));
  return withKernel({ model: folder, outputDir }, async (kernel) => {
    await kernel.run('export', {
      options: {
        format: 'onnx',
        ...options,
        ...(quantization === undefined ? {} : { quantization }),
      },
    });
    const { tokenizer } = await load(kernel, folder);
    const theirs = transformersJs(
      outputDir,
      known.map(({ prompt }) => prompt),
      count,
      texts,
    );
    const agreed = (found: readonly number[][]): string =>
      found.map((ids, row) => same(known[row]!.ids.slice(0, count), ids)).join(' and ');
    const tokenized = texts.filter(
      (text, index) => [...tokenizer.encode(text).ids].join() === theirs.ids[index]!.join(),
    ).length;
    process.stdout.write(
      `${name}: ${agreed(theirs.alone)} of ${count} greedy tokens the same alone, ${agreed(theirs.together)} in a batch; ${tokenized} of ${texts.length} texts the same ids\n`,
    );
    return theirs;
  });
}

const simple = ['the cat', 'a the(theme) 12345 x', 'the\n\n the'];
for (const [family, known] of Object.entries(cases)) {
  if (family !== 'llama-dynamic') {
    await compare(
      family,
      modelFolder(family),
      known,
      family === 'gpt2' ? {} : { contextLength: 160 },
      simple,
    );
  }
}
const shared = join(FIXTURES, '../../../shared');
if (existsSync(shared)) {
  const wiki = readFileSync(join(shared, 'data/wiki_demo.txt'), 'utf8')
    .split('\n')
    .filter((line) => line.length > 20)
    .slice(0, 200);
  const readme = readFileSync(join(shared, 'data/README.md'), 'utf8');
  const story = readme.slice(readme.indexOf('Once upon a time')).trimEnd();
  const folder = join(shared, 'models/stories260k');
  const prompts = await withKernel({ model: folder }, async (kernel) => {
    const { tokenizer } = await load(kernel, folder);
    const ids = [...tokenizer.encode(story).ids];
    return [[1], [1, ...ids.slice(0, 7)]].map((prompt): Case => ({
      prompt,
      ids: [1, ...ids].slice(prompt.length),
    }));
  });
  const { text } = await compare('stories260k', folder, prompts, {}, [
    ...wiki,
    ...simple,
    '  two spaces',
    'naïve café 日本語 🙂',
  ]);
  process.stdout.write(
    `stories260k: ${story.startsWith(text) && text.length > 400 ? 'exactly the text of data/README.md' : `ANOTHER TEXT: ${text}`}, ${text.length} of ${story.length} characters\n`,
  );
}
