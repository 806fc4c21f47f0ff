// The commands on a tiny model: what is trained is saved, read and scores the same; accumulation,
// rows and interruptions change nothing; what does not fit is an error.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { FitResult, LMFlowError } from '@lmflow/sdk';
import { readSafetensors } from '@lmflow/sdk/formats';
import { writeTinyModel } from '@lmflow/sdk/testing';
import type { RewardScores } from '../src/index.ts';
import { temporaryFolder, withKernel } from './kit.ts';

/** Pairs of which the chosen answer has t5 and the rejected one t6; some have margins. */
const pairs = Array.from({ length: 16 }, (_, index) => ({
  prompt: `t${8 + (index % 7)} t${16 + index}`,
  chosen: ` t5${index % 3 === 0 ? ' t9 t10' : ''}`,
  rejected: ` t6${index % 4 === 0 ? ' t11' : ''}`,
}));

function jsonFile(value: unknown): string {
  const path = join(temporaryFolder(), 'data.json');
  writeFileSync(path, JSON.stringify(value));
  return path;
}

const base = {
  learningRate: 0.02,
  perDeviceTrainBatchSize: 4,
  maxSteps: 12,
  loggingSteps: 1,
  lrSchedulerType: 'constant',
  warmupSteps: 0,
  datasetCacheDir: temporaryFolder(),
  seed: 3,
};

interface Trained {
  readonly result: FitResult;
  readonly folder: string;
  readonly text: string;
}

async function train(
  config: Record<string, unknown>,
  options: { readonly adapter?: boolean; readonly data?: unknown } = {},
): Promise<Trained> {
  const { data = pairs, ...rest } = options;
  const outputDir = (config['outputDir'] as string | undefined) ?? temporaryFolder();
  const model = (config['model'] as string | undefined) ?? (await writeTinyModel());
  const all = { ...base, dataset: jsonFile(data), ...config, model, outputDir };
  return withKernel(
    all,
    async (kernel, log) => {
      const { result } = await kernel.run('reward-model');
      return { result: result, folder: outputDir, text: log.texts('info').join('\n') };
    },
    rest,
  );
}

const asked = pairs.map(({ prompt, chosen, rejected }) => ({
  input: prompt,
  output: [{ text: chosen }, rejected],
}));

async function score(config: Record<string, unknown>, adapter = false): Promise<RewardScores> {
  const file = jsonFile(asked);
  const output = join(temporaryFolder(), 'scored.json');
  return withKernel(
    config,
    async (kernel) => {
      const { result } = await kernel.run('reward-score', {
        positionals: [file],
        options: { output },
      });
      assert.equal(JSON.parse(readFileSync(output, 'utf8')), result, 'the file has the result');
      return result;
    },
    { adapter },
  );
}

const scoresOf = ({ instances }: RewardScores): number[] =>
  instances.flatMap(({ output }) => output.map((answer) => answer.score));

test('a model learns which answers are better, and its folder scores them', async () => {
  const { result, folder, text } = await train({ validationSplit: 4 });
  assert.match(text, /a fresh head scores answers \(seed 3\)/);
  const [first, last] = [
    result.log[0]!,
    result.log.findLast(({ accuracy }) => accuracy !== undefined)!,
  ];
  assert.ok(last['loss']! < first['loss']!);
  assert.is(result.evaluation!['accuracy'], 1);
  assert.ok('accuracy_chosen_longer' in result.evaluation!);
  assert.is('perplexity' in result.evaluation, false);
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  assert.equal(config['architectures'], ['LlamaForSequenceClassification']);
  assert.not.equal(config['pad_token_id'], config['eos_token_id']);
  const scored = await score({ model: folder });
  assert.equal(
    scored.instances.map(({ input, output }) => [input, output.map((answer) => answer.text)]),
    pairs.map(({ prompt, chosen, rejected }) => [prompt, [chosen, rejected]]),
  );
  const better = scored.instances.filter(({ output }) => output[0]!.score > output[1]!.score);
  assert.is(better.length, pairs.length);
});

test('an adapter has the head, is of SEQ_CLS, and scores the same when loaded', async () => {
  const model = await writeTinyModel();
  const { folder } = await train({ model, lora: { r: 2 } }, { adapter: true });
  const config = JSON.parse(readFileSync(join(folder, 'adapter_config.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  assert.is(config['task_type'], 'SEQ_CLS');
  assert.equal(config['modules_to_save'], ['score']);
  const tensors = await readSafetensors(join(folder, 'adapter_model.safetensors'));
  assert.equal(tensors.get('base_model.model.score.weight')!.shape, [1, 16]);
  const scored = await score({ model, lora: { adapter: folder } }, true);
  const better = scored.instances.filter(({ output }) => output[0]!.score > output[1]!.score);
  assert.is(better.length, pairs.length);
});

test('16 pairs one by one are 16 at once, padded or laid into rows', async () => {
  const model = await writeTinyModel();
  const scores: number[][] = [];
  for (const config of [
    { perDeviceTrainBatchSize: 16, paddingFree: false },
    { perDeviceTrainBatchSize: 1, gradientAccumulationSteps: 16, paddingFree: true },
    { perDeviceTrainBatchSize: 16, paddingFree: true },
  ]) {
    const { folder } = await train({ model, maxSteps: 3, ...config });
    scores.push(scoresOf(await score({ model: folder })));
  }
  for (const other of scores.slice(1)) {
    other.forEach((number, index) =>
      assert.ok(
        Math.abs(number - scores[0]![index]!) < 1e-3,
        `${number}, not ${scores[0]![index]}`,
      ),
    );
  }
});

test('a run that was stopped and resumed is the run that was not', async () => {
  const model = await writeTinyModel();
  const dataset = jsonFile(pairs);
  const whole = await train({ model, dataset, maxSteps: 6, saveSteps: 3 });
  const resumed = await train({
    model,
    dataset,
    maxSteps: 6,
    outputDir: temporaryFolder(),
    resumeFromCheckpoint: join(whole.folder, 'checkpoint-3'),
  });
  const [one, other] = await Promise.all(
    [whole, resumed].map(({ folder }) => readSafetensors(join(folder, 'model.safetensors'))),
  );
  for (const [name, { data }] of one!) assert.equal(other!.get(name)!.data, data, name);
});

async function failure(work: Promise<unknown>): Promise<LMFlowError> {
  try {
    await work;
  } catch (error) {
    return error as LMFlowError;
  }
  throw new Error('nothing was thrown');
}

test('what does not fit is an error that says what and where', async () => {
  const noHead = await failure(score({ model: await writeTinyModel() }));
  assert.is(noHead.code, 'LMFLOW_REWARD_NO_HEAD');
  const { folder } = await train({ maxSteps: 1 });
  const broken = jsonFile([asked[0], { input: 't4', output: 'a text' }]);
  const invalid = await failure(
    withKernel({ model: folder }, (kernel) =>
      kernel.run('reward-score', { positionals: [broken] }),
    ),
  );
  assert.is(invalid.code, 'LMFLOW_REWARD_RECORD');
  assert.match(invalid.message, /record 1.*"output"/);
  const unpaired = await failure(train({}, { data: [{ prompt: 't4', completion: 't5' }] }));
  assert.is(unpaired.code, 'LMFLOW_DATASET_NOT_PAIRED');
});

test.run();
