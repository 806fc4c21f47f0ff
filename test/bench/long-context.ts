// stories260k stretched from 512 to 2,048 tokens: perplexity at 2,048 without scaling, with each scaling untuned, and with linear interpolation
// after a short tuning. The text is the model's own stories, sampled, one after another. Usage:
//   node --conditions=lmflow-source --import tsx test/bench/long-context.ts [MODEL] [--steps N]
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createKernel } from 'lmflow';
import { GENERATOR, LANGUAGE_MODELING, MODELS, TRAINER, type Model, type Samples } from '@lmflow/sdk';
import inference from '@lmflow/preset-inference';
import longContext from '@lmflow/preset-long-context';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { steps: { type: 'string', default: '40' }, stories: { type: 'string', default: '200' } } });
const source = resolve(positionals[0] ?? '../shared/models/stories260k');
const [trained, stretched, steps, count] = [512, 2048, Number(values.steps), Number(values.stories)];
const say = (text: string): void => { process.stdout.write(`${text}\n`); };

if (!existsSync(source)) {
  say(`skipped: no ${source}`);
  process.exit(0);
}

/** Stories, sampled at temperature 1 from the beginning-of-sequence token; each begins with it. */
async function stories(): Promise<number[][]> {
  const cache = join(tmpdir(), 'lmflow-long-context');
  const file = join(cache, `stories-${count}.json`);
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as number[][];
  const kernel = await createKernel({ presets: [inference], model: source, generate: { maxBatchSize: 32 } });
  const model = await kernel.resolve(MODELS).load({ role: 'policy', purpose: 'inference', source });
  const options = { maxNewTokens: trained - 1, doSample: true, temperature: 1, topK: 0, topP: 1, eosTokenId: [1, 2] };
  const made = await Promise.all(Array.from({ length: count }, async (_, seed) => {
    const [result] = await kernel.resolve(GENERATOR).inference({ model, prompt: Int32Array.of(1), options: { ...options, seed } });
    return [1, ...result!.ids].filter((id, place) => place === 0 || id > 2);
  }));
  await kernel.close();
  mkdirSync(cache, { recursive: true });
  writeFileSync(file, JSON.stringify(made));
  return made;
}

/** Rows of one length from a stream of tokens; every token is a label. */
function rowsOf(stream: readonly number[], length: number): Samples {
  const samples = Math.floor(stream.length / length);
  return {
    length: samples, fingerprint: `${samples} x ${length}`, lengthOf: () => length,
    get: (index) => { const inputIds = Int32Array.from(stream.slice(index * length, (index + 1) * length)); return { inputIds, labels: inputIds }; },
    statistics: { samples, tokens: samples * length, trainedTokens: samples * (length - 1), truncated: 0, dropped: 0 },
  };
}

interface Tuning { readonly train: Samples; readonly steps: number }

/** Perplexity of a model on rows, after tuning where asked. */
async function perplexity(config: Record<string, unknown>, rows: readonly Samples[], tuning?: Tuning): Promise<number[]> {
  const kernel = await createKernel({
    presets: [longContext], model: source, outputDir: mkdtempSync(join(tmpdir(), 'lmflow-long-')), perDeviceTrainBatchSize: 2, perDeviceEvalBatchSize: 2,
    learningRate: 5e-4, lrSchedulerType: 'cosine', warmupSteps: 5, saveStrategy: 'no', maxSteps: tuning?.steps ?? 1, loggingSteps: 20, ...config,
  });
  try {
    const model = await kernel.resolve(MODELS).load({ role: 'policy', purpose: 'training', source });
    const objective = kernel.resolve(LANGUAGE_MODELING);
    const trainer = kernel.resolve(TRAINER);
    const evaluate = async (tuned: Model): Promise<number[]> => {
      const found: number[] = [];
      for (const samples of rows) found.push((await trainer.evaluate({ model: tuned, samples, objective }))['perplexity']!);
      return found;
    };
    if (tuning) await trainer.fit({ model, train: tuning.train, objective });
    return await evaluate(model);
  } finally {
    await kernel.close();
  }
}

const written = await stories();
const half = Math.floor(written.length / 2);
const [forTraining, forEvaluation] = [written.slice(0, half).flat(), written.slice(half).flat()];
const train = rowsOf(forTraining, stretched);
const rows = [rowsOf(forEvaluation, trained), rowsOf(forEvaluation, stretched)];
say(`${written.length} stories, ${forTraining.length} tokens to tune on, ${forEvaluation.length} to evaluate on (${rows.map(({ length }, index) => `${length} x ${[trained, stretched][index]}`).join(', ')})`);

const table: [string, number[]][] = [];
const linear = { positionInterpolation: { type: 'linear', factor: stretched / trained } };
table.push(['no scaling', await perplexity({ positionInterpolation: { enabled: false } }, rows)]);
for (const type of ['linear', 'ntk', 'dynamic', 'yarn', 'llama3']) table.push([`${type}, untuned`, await perplexity({ positionInterpolation: { type, factor: stretched / trained } }, rows)]);
table.push([`linear, after ${steps} steps at ${stretched}`, await perplexity(linear, rows, { train, steps })]);
table.push([`no scaling, after ${steps} steps at ${trained}`, await perplexity({ positionInterpolation: { enabled: false } }, rows, { train: rowsOf(forTraining, trained), steps })]);

say(`\n| | perplexity at ${trained} | perplexity at ${stretched.toLocaleString('en')} |\n|---|---|---|`);
for (const [name, numbers] of table) say(`| ${name} | ${numbers.map((number) => number.toFixed(2)).join(' | ')} |`);
