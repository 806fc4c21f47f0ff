// A model stretched beyond the length it was trained for: perplexity by position without scaling,
// with each scaling untuned, and with linear interpolation after a short tuning. The text is that
// of two files, or stories that the model itself tells, one after another. Usage:
// node --conditions=lmflow-source --import tsx test/bench/long-context.ts [MODEL] [--tune FILE
// --evaluate FILE] [--factor 4] [--steps 200] [--rows 16] [--one-bos]
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createKernel, silentLogger } from 'lmflow';
import { GENERATOR, LANGUAGE_MODELING, MODELS, TRAINER, type Samples } from '@lmflow/sdk';
import inference from '@lmflow/preset-inference';
import longContext from '@lmflow/preset-long-context';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tune: { type: 'string' },
    evaluate: { type: 'string' },
    factor: { type: 'string', default: '4' },
    steps: { type: 'string', default: '200' },
    rows: { type: 'string', default: '16' },
    stories: { type: 'string', default: '200' },
    'one-bos': { type: 'boolean', default: false },
    'learning-rate': { type: 'string', default: '5e-4' },
    'batch-size': { type: 'string', default: '2' },
  },
});
const source = resolve(positionals[0] ?? '../shared/models/stories260k');
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
for (const path of [source, values.tune, values.evaluate]) {
  if (path !== undefined && !existsSync(path)) {
    say(`skipped: no ${path}`);
    process.exit(0);
  }
}
const trained = (
  JSON.parse(readFileSync(join(source, 'config.json'), 'utf8')) as {
    max_position_embeddings: number;
  }
).max_position_embeddings;
const [factor, steps] = [Number(values.factor), Number(values.steps)];
const stretched = trained * factor;

/** Stories, sampled at temperature 1 from the beginning-of-sequence token; each begins with it. */
async function stories(count: number): Promise<number[][]> {
  const folder = join(tmpdir(), 'lmflow-long-context');
  const file = join(
    folder,
    `stories-${createHash('sha256').update(`${source} ${count}`).digest('hex').slice(0, 16)}.json`,
  );
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as number[][];
  const kernel = await createKernel(
    { presets: [inference], model: source, generate: { maxBatchSize: 32 } },
    { log: silentLogger() },
  );
  const model = await kernel.resolve(MODELS).load({ role: 'policy', purpose: 'inference', source });
  const options = {
    maxNewTokens: trained - 1,
    doSample: true,
    temperature: 1,
    topK: 0,
    topP: 1,
    eosTokenId: [1, 2],
  };
  const made = await Promise.all(
    Array.from({ length: count }, async (_, seed) => {
      const [result] = await kernel
        .resolve(GENERATOR)
        .inference({ model, prompt: Int32Array.of(1), options: { ...options, seed } });
      return [1, ...result!.ids].filter((id, place) => place === 0 || id > 2);
    }),
  );
  await kernel.close();
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, JSON.stringify(made));
  return made;
}

/** A stream of tokens to tune on and one to evaluate on. */
async function streams(): Promise<[number[], number[]]> {
  const { tune, evaluate } = values;
  if (tune === undefined || evaluate === undefined) {
    const told = await stories(Number(values.stories));
    const half = told.length >> 1;
    const joined = (part: number[][]): number[] =>
      part.flatMap((story, place) => (values['one-bos'] && place > 0 ? story.slice(1) : story));
    return [joined(told.slice(0, half)), joined(told.slice(half))];
  }
  const kernel = await createKernel(
    { presets: [inference], model: source },
    { log: silentLogger() },
  );
  const { tokenizer } = await kernel
    .resolve(MODELS)
    .load({ role: 'policy', purpose: 'inference', source });
  const found = [tune, evaluate].map((file) => [
    ...tokenizer.encode(readFileSync(file, 'utf8'), { addSpecialTokens: true }).ids,
  ]) as [number[], number[]];
  await kernel.close();
  return found;
}

/**
 * Rows of one length from a stream of tokens; labels are the tokens at positions from `from` to
 * `to`.
 */
function rowsOf(stream: readonly number[], length: number, from = 0, to = length): Samples {
  const samples = Math.floor(stream.length / length);
  return {
    length: samples,
    fingerprint: `${samples} x ${length} ${from} ${to}`,
    lengthOf: () => length,
    get: (index) => {
      const inputIds = Int32Array.from(stream.slice(index * length, (index + 1) * length));
      return {
        inputIds,
        labels: inputIds.map((id, place) => (place >= from && place < to ? id : -100)),
      };
    },
    statistics: {
      samples,
      tokens: samples * length,
      trainedTokens: samples * (to - Math.max(1, from)),
      truncated: 0,
      dropped: 0,
    },
  };
}

/** Perplexity of the model on each of the sets, after tuning on `train` where that is given. */
async function perplexities(
  positionInterpolation: Record<string, unknown>,
  sets: readonly Samples[],
  train?: Samples,
): Promise<number[]> {
  const kernel = await createKernel(
    {
      presets: [longContext],
      model: source,
      outputDir: mkdtempSync(join(tmpdir(), 'lmflow-long-')),
      perDeviceTrainBatchSize:
        Number(values['batch-size']) * (train?.lengthOf(0) === trained ? factor : 1),
      perDeviceEvalBatchSize: 2,
      learningRate: Number(values['learning-rate']),
      lrSchedulerType: 'cosine',
      warmupSteps: 5,
      saveStrategy: 'no',
      maxSteps: steps,
      gradientCheckpointing: false,
      positionInterpolation,
    },
    { log: silentLogger() },
  );
  try {
    const model = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'training', source });
    const [objective, trainer] = [kernel.resolve(LANGUAGE_MODELING), kernel.resolve(TRAINER)];
    if (train) await trainer.fit({ model, train, objective });
    const found: number[] = [];
    for (const samples of sets) {
      found.push((await trainer.evaluate({ model, samples, objective }))['perplexity']!);
    }
    return found;
  } finally {
    await kernel.close();
  }
}

const [tuning, text] = await streams();
const evaluation = text.slice(0, Number(values.rows) * stretched);
const parts = Array.from(
  { length: factor },
  (_, part) => [part * trained, (part + 1) * trained] as const,
);
const sets = [
  rowsOf(evaluation, trained),
  rowsOf(evaluation, stretched),
  ...parts.map(([from, to]) => rowsOf(evaluation, stretched, from, to)),
];
say(
  `${source}, made for ${trained} tokens; ${tuning.length} tokens to tune on, ${sets[1]!.length} rows of ${stretched} to evaluate on\n`,
);
say(
  `| | rows of ${trained} | rows of ${stretched} | ${parts.map(([from, to]) => `tokens ${from}-${to}`).join(' | ')} |\n|---|---|---|${parts.map(() => '---|').join('')}`,
);
const runs: [string, Record<string, unknown>, Samples?][] = [
  ['no scaling', { enabled: false }],
  ...['linear', 'ntk', 'dynamic', 'yarn', 'llama3'].map(
    (type) => [`${type}, untuned`, { type, factor }] as [string, Record<string, unknown>],
  ),
  [
    `linear, after ${steps} steps at ${stretched}`,
    { type: 'linear', factor },
    rowsOf(tuning, stretched),
  ],
  [`no scaling, after ${steps} steps at ${trained}`, { enabled: false }, rowsOf(tuning, trained)],
];
for (const [name, how, train] of runs) {
  say(
    `| ${name} | ${(await perplexities(how, sets, train)).map((number) => number.toFixed(2)).join(' | ')} |`,
  );
}
