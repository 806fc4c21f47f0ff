// An epoch of finetuning a random Llama of 20 million parameters with LoRA: our `lmflow finetune`,
// with and without packing, beside TRL's SFTTrainer + PEFT, on the same samples, in turns. Each run
// is a command of its own. Needs a build (`npm run build`) and a Python with trl. Usage:
// LMFLOW_BENCH_PYTHON=python node --conditions=lmflow-source --import tsx test/bench/epoch.ts
// [--rounds 3] [--samples 999] [--wrap COMMAND]
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheFolder } from '@lmflow/sdk/files';
import { createKernel, silentLogger } from 'lmflow';
import { MODELS, SAMPLES, type Samples, type Tokenizer } from '@lmflow/sdk';
import lora from '@lmflow/preset-lora';
import { learnTokenizer } from '../../playground/default-model/src/tokenizer.ts';
import { checkpoint } from './shapes.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    samples: { type: 'string', default: '999' },
    wrap: { type: 'string' },
    data: { type: 'string', default: '../shared/data' },
    'learning-rate': { type: 'string', default: '2e-3' },
    sides: { type: 'string', default: 'trl,ours,packed' },
    checkpointing: { type: 'boolean', default: false },
  },
});
const python = process.env['LMFLOW_BENCH_PYTHON'];
const data = resolve(values.data);
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
if (python === undefined || !existsSync(data)) {
  say(
    python === undefined
      ? 'skipped: LMFLOW_BENCH_PYTHON names no Python that has trl and peft'
      : `skipped: no ${data}`,
  );
  process.exit(0);
}

const SETTINGS = {
  batch: 8,
  learningRate: Number(values['learning-rate']),
  warmupSteps: 5,
  seed: 42,
  maxLength: 1024,
  threads: 2,
};
const cache = process.env['LMFLOW_BENCH_CACHE'] ?? cacheFolder('bench');
const work = mkdtempSync(join(tmpdir(), 'lmflow-epoch-'));

/**
 * The checkpoint with a byte-level BPE learned from all the texts at hand: fewer words than 32,000
 * merges need, so the last rows of the table have no token.
 */
async function model(): Promise<string> {
  const folder = join(cache, '20m-bpe');
  if (existsSync(join(folder, 'tokenizer.json'))) return folder;
  mkdirSync(cache, { recursive: true });
  cpSync(await checkpoint('20m', cache), folder, { recursive: true });
  const texts = ['alpaca_en_demo.json', 'c4_demo.jsonl', 'wiki_demo.txt', 'dpo_en_demo.json'].map(
    (name) => readFileSync(join(data, name), 'utf8'),
  );
  learnTokenizer(
    folder,
    texts.flatMap((text) => text.replaceAll('\\n', '\n').replaceAll('\\"', '"').split('\n')),
    32000,
  );
  const file = join(folder, 'tokenizer_config.json');
  writeFileSync(
    file,
    JSON.stringify({
      ...(JSON.parse(readFileSync(file, 'utf8')) as object),
      pad_token: '<|end|>',
      model_max_length: 2048,
    }),
  );
  return folder;
}

/**
 * Records of prompt and completion for TRL, from our samples: the text before the first trained
 * token, and the rest without the end token, which TRL adds.
 */
function records(samples: Samples, tokenizer: Tokenizer): string {
  return Array.from({ length: samples.length }, (_, index) => {
    const { inputIds, labels } = samples.get(index);
    const first = labels.findIndex((label) => label >= 0);
    const text = (from: number, to: number): string =>
      tokenizer.decode(inputIds.subarray(from, to), { skipSpecialTokens: true });
    return `${JSON.stringify({ prompt: text(0, first), completion: text(first, inputIds.length) })}\n`;
  }).join('');
}

const counts = ({ statistics: { tokens, trainedTokens } }: Samples): string =>
  `${tokens},${trainedTokens}`;

const folder = await model();
const dataset = join(work, 'data.json');
writeFileSync(
  dataset,
  JSON.stringify(
    (JSON.parse(readFileSync(join(data, 'alpaca_en_demo.json'), 'utf8')) as unknown[]).slice(
      0,
      Number(values.samples),
    ),
  ),
);
const shared = {
  model: folder,
  dataset,
  validationSplit: 0.1,
  blockSize: SETTINGS.maxLength,
  seed: SETTINGS.seed,
};
const kernel = await createKernel(
  { presets: [lora], ...shared, outputDir: join(work, 'none') },
  { log: silentLogger() },
);
const { tokenizer, architecture } = await kernel
  .resolve(MODELS)
  .load({ role: 'policy', purpose: 'training', source: folder });
const { train, evaluation } = await kernel
  .resolve(SAMPLES)
  .load({ tokenizer, maxPositions: architecture.maxPositions });
writeFileSync(join(work, 'train.jsonl'), records(train, tokenizer));
writeFileSync(join(work, 'evaluation.jsonl'), records(evaluation!, tokenizer));
const longest = Array.from({ length: train.length }, (_, index) => train.lengthOf(index)).sort(
  (a, b) => b - a,
);
// Rows of a packed batch hold about as many tokens as a batch of samples does.
const block = Math.max(
  longest[0]!,
  Math.ceil((SETTINGS.batch * train.statistics.tokens) / train.length / 64) * 64,
);
say(
  `${train.length} samples, ${train.statistics.tokens} tokens (${train.statistics.trainedTokens} trained, longest sample ${longest[0]}); ${evaluation!.length} to evaluate on; packed rows of ${block}`,
);
await kernel.close();

interface Result {
  readonly wall: number;
  readonly seconds: number;
  readonly loss: number;
}

function run(
  command: string,
  args: readonly string[],
): { readonly wall: number; readonly output: string } {
  const started = performance.now();
  const [program, ...before] = [...(values.wrap?.split(' ') ?? []), command];
  const output = execFileSync(program, [...before, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1e9,
    env: { ...process.env, LMFLOW_CACHE: join(work, 'cache') },
  });
  return { wall: (performance.now() - started) / 1000, output };
}

function ours(packing: boolean): Result {
  const out = mkdtempSync(join(work, 'ours-'));
  // tokenizing is part of it, as for TRL
  rmSync(join(work, 'cache'), { recursive: true, force: true });
  const flags = {
    ...shared,
    numTrainEpochs: 1,
    learningRate: SETTINGS.learningRate,
    lrSchedulerType: 'cosine',
    warmupSteps: SETTINGS.warmupSteps,
    perDeviceTrainBatchSize: packing ? 1 : SETTINGS.batch,
    perDeviceEvalBatchSize: packing ? 1 : SETTINGS.batch,
    saveStrategy: 'no',
    packing,
    gradientCheckpointing: values.checkpointing,
    outputDir: out,
    ...(packing ? { blockSize: block } : {}),
    'engineOnnx-threads': SETTINGS.threads,
  };
  const words = Object.entries(flags).map(
    ([key, value]) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}=${value}`,
  );
  const { wall } = run(process.execPath, [
    resolve('kernel/bin/lmflow.mjs'),
    'finetune',
    '--preset',
    'lora',
    ...words,
  ]);
  const results = JSON.parse(readFileSync(join(out, 'all_results.json'), 'utf8')) as Record<
    string,
    number
  >;
  return { wall, seconds: results['train_runtime']!, loss: results['eval_loss']! };
}

function trl(): Result {
  const settings = join(work, 'settings.json');
  const out = mkdtempSync(join(work, 'trl-'));
  writeFileSync(
    settings,
    JSON.stringify({
      model: folder,
      train: join(work, 'train.jsonl'),
      evaluation: join(work, 'evaluation.jsonl'),
      output: out,
      batch: SETTINGS.batch,
      learning_rate: SETTINGS.learningRate,
      warmup_steps: SETTINGS.warmupSteps,
      max_length: SETTINGS.maxLength,
      threads: SETTINGS.threads,
      seed: SETTINGS.seed,
      checkpointing: values.checkpointing,
    }),
  );
  const { wall, output } = run(python!, [join(import.meta.dirname, 'sft.py'), settings]);
  const result = JSON.parse(output.trim().split('\n').at(-1)!) as {
    seconds: number;
    loss: number;
    train: number[];
    evaluation: number[];
  };
  if (result.train.join() !== counts(train) || result.evaluation.join() !== counts(evaluation!)) {
    say(
      `  TRL prepared other tokens: ${result.train.join()} and ${result.evaluation.join()}, ours ${counts(train)} and ${counts(evaluation!)}`,
    );
  }
  return { wall, ...result };
}

const SIDES: Readonly<Record<string, () => Result>> = {
  trl,
  ours: () => ours(false),
  packed: () => ours(true),
};
const named = values.sides.split(',');
const results = new Map<string, Result[]>(named.map((name) => [name, []]));
for (let round = 0; round < Number(values.rounds); round++) {
  for (const name of round % 2 === 0 ? named : [...named].reverse()) {
    const result = SIDES[name]!();
    results.get(name)!.push(result);
    say(
      `round ${round + 1}  ${name.padEnd(6)}  training ${result.seconds.toFixed(1)} s, whole command ${result.wall.toFixed(1)} s, evaluation loss ${result.loss.toFixed(4)}`,
    );
  }
}
const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;
const peer = results.get('trl');
for (const name of named.filter((side) => side !== 'trl')) {
  if (!peer) break;
  const pairs = results.get(name)!.map((mine, round) => ({ mine, theirs: peer[round]! }));
  say(
    `${name}: training ${median(pairs.map(({ mine, theirs }) => theirs.seconds / mine.seconds)).toFixed(2)}x TRL, whole command ${median(pairs.map(({ mine, theirs }) => theirs.wall / mine.wall)).toFixed(2)}x ` +
      `(medians of ${pairs.length} pairs), evaluation loss ${(100 * median(pairs.map(({ mine, theirs }) => mine.loss / theirs.loss - 1))).toFixed(2)}%`,
  );
}
rmSync(work, { recursive: true });
