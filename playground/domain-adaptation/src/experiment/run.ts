// One row with one seed: trained as `npm run demo` trains, but by epochs, then evaluated. What is there
// already is not done again.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKernel } from 'lmflow';
import { makeFolder } from '@lmflow/sdk/files';
import finetune from '@lmflow/preset-finetune';
import inference from '@lmflow/preset-inference';
import lora from '@lmflow/preset-lora';
import { readLines } from '@lmflow/playground-default-model/lines';
import { train } from '@lmflow/playground-default-model/runs';
import config from '../../lmflow.config.ts';
import { CHANCE, TEXTS, type Row } from './rows.ts';

export interface Settings {
  readonly model: string;
  readonly epochs: number;
  /** Of each test set, the first records only. */
  readonly limit?: number;
}

/** By test set: 1 for each question that is answered right, in order; bits per byte of texts. */
export interface Scores {
  readonly answers: Readonly<Record<string, readonly number[]>>;
  /** The same questions, scored by their answers alone. */
  readonly blind: Readonly<Record<string, readonly number[]>>;
  readonly bitsPerByte: Readonly<Record<string, number>>;
}

/** Trains and evaluates one row, or reads what an earlier run found. */
export async function runRow(row: Row, seed: number, settings: Settings): Promise<Scores> {
  const file = join('work/results', `${row.name}-${seed}.json`);
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Scores;
  const folder = join('work/runs', `${row.name}-${seed}`);
  if (row.dataset.length > 0) await trainRow(row, seed, folder, settings);
  const scores = await evaluate(row, folder, settings);
  await makeFolder('work/results');
  writeFileSync(file, JSON.stringify(scores));
  return scores;
}

/** A run that was interrupted goes on at its last checkpoint. */
async function trainRow(row: Row, seed: number, folder: string, settings: Settings): Promise<void> {
  const isLora = row.method === 'lora';
  const { plugins, packing, blockSize, perDeviceTrainBatchSize } = config;
  const { optim, learningRate, lrSchedulerType, warmupSteps } = config;
  await train({
    presets: [isLora ? lora : finetune],
    plugins,
    model: settings.model,
    dataset: row.dataset.map((name) => `work/${name}.jsonl`),
    outputDir: folder,
    resumeFromCheckpoint: true,
    seed,
    packing,
    blockSize,
    perDeviceTrainBatchSize,
    numTrainEpochs: settings.epochs,
    optim,
    learningRate: isLora ? learningRate : 2e-3,
    lrSchedulerType,
    warmupSteps,
    saveSteps: 200,
    saveTotalLimit: 1,
    loggingSteps: 50,
    ...(isLora ? { lora: config.lora } : {}),
  });
}

async function evaluate(row: Row, folder: string, { model, limit }: Settings): Promise<Scores> {
  const isLora = row.method === 'lora';
  const outputDir = join(folder, 'evaluation');
  const kernel = await createKernel({
    presets: [inference],
    model: row.dataset.length === 0 || isLora ? model : folder,
    outputDir,
    ...(isLora ? { lora: { adapter: folder } } : {}),
  });
  try {
    const sets = Object.keys(CHANCE);
    const choices = sets.filter((name) => name !== 'm2_written');
    const blind = choices.map(blindTask);
    const files = [...sets, ...TEXTS].map((name) => `tasks/${name}.json`);
    const options = {
      tasks: [...files, ...blind].join(),
      ...(limit === undefined ? {} : { limit }),
    };
    const { result } = await kernel.run('evaluate', { options });
    const samples = new Map(result.files.filter(isSamples).map((file) => [taskOf(file), file]));
    const right = (name: string): number[] => readRight(samples.get(name)!);
    return {
      answers: Object.fromEntries(sets.map((name) => [name, right(name)])),
      blind: Object.fromEntries(choices.map((name) => [name, right(`${name}_blind`)])),
      bitsPerByte: Object.fromEntries(
        TEXTS.map((name) => [
          name,
          result.tasks.find(({ task }) => task === name)!.metrics['bits_per_byte']!.value,
        ]),
      ),
    };
  } finally {
    await kernel.close();
  }
}

/** The task without its question; gives its file. */
function blindTask(name: string): string {
  const task = JSON.parse(readFileSync(`tasks/${name}.json`, 'utf8')) as object;
  const file = `work/${name}_blind.json`;
  const blind = { ...task, task: `${name}_blind`, prompt: '<|assistant|>' };
  writeFileSync(file, JSON.stringify(blind));
  return file;
}

function isSamples(file: string): boolean {
  return /samples_.*\.jsonl$/.test(file);
}

function taskOf(file: string): string {
  return /samples_(.*)_\d{4}-\d\d-\d\dT[^_]*\.jsonl$/.exec(file)![1]!;
}

function readRight(file: string): number[] {
  return readLines<{ acc?: number; exact_match?: number }>(file).map(
    ({ acc, exact_match: match }) => acc ?? match!,
  );
}
