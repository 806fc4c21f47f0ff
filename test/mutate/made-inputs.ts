// The kinds of malformed inputs that commands of ours make: packed and sharded models, adapters of
// IA3 and VeRA, tasks, delta weights, checkpoints of a run, and the configuration itself.
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKernel } from 'lmflow';
import { captureLog, createTestKernel } from 'lmflow/testing';
import finetune from '@lmflow/preset-finetune';
import inference from '@lmflow/preset-inference';
import lora from '@lmflow/preset-lora';
import ia3 from '@lmflow/plugin-ia3';
import vera from '@lmflow/plugin-vera';
import { writeTinyModel } from '@lmflow/sdk/testing';
import type { Pluggable, UserConfig } from '@lmflow/sdk';
import { breakBytes, breakJson, breakTensors, generate, makeAdapter, type Kinds } from './cases.ts';
import { changeJson, changeJsonText, type Dice } from './mutations.ts';

const TASKS = [
  {
    task: 'letters',
    version: 1,
    type: 'choice',
    dataset: { path: 'letters' },
    splits: { train: 'train', test: 'test' },
    prompt: '{{q | trim}} t4',
    choices: ['{{a}}', '{{b}}'],
    gold: 'right',
    metrics: ['acc', 'acc_norm'],
  },
  {
    task: 'labels',
    version: 1,
    type: 'choice',
    dataset: { path: 'letters' },
    splits: { train: 'train', test: 'test' },
    prompt: '{{q}}',
    choices: 'all.text',
    gold: { label: '{{key}}', labels: 'all.label' },
    metrics: ['acc'],
  },
  {
    task: 'texts',
    version: 1,
    type: 'rolling',
    dataset: { path: 'letters' },
    splits: { test: 'test' },
    text: '{{q}}',
    metrics: ['word_perplexity'],
  },
];
const QUESTIONS = ['t1 t2', 't3'].map((q) => ({
  q,
  a: 't5',
  b: 't6 t7',
  right: 1,
  key: 'B',
  all: { text: ['t5', 't6'], label: ['A', 'B'] },
}));

/** Runs a command to its end. */
async function command(
  name: string,
  {
    presets,
    config,
    ...given
  }: {
    readonly presets: readonly Pluggable[];
    readonly config: UserConfig;
    readonly options?: Record<string, unknown>;
    readonly positionals?: readonly string[];
  },
): Promise<void> {
  const { kernel } = await createTestKernel({ presets, config });
  await kernel.run(name, given).finally(() => kernel.close());
}

/** Kinds by name, of a model that is whole. */
export async function madeKinds(home: string, model: string): Promise<Kinds> {
  const packed = join(home, 'packed');
  const sharded = join(home, 'sharded');
  const wide = await writeTinyModel({ folder: join(home, 'wide'), hiddenSize: 32, layers: 1 });
  const [presets, config] = [[inference], { model, outputDir: sharded }];
  await command('quantize', {
    presets,
    config: { model: wide, outputDir: packed, quantize: { bits: 4, blockSize: 16 } },
  });
  await command('export', { presets, config, options: { maxShardSize: '4KB' } });
  const other = await writeTinyModel({ folder: join(home, 'other'), seed: 1 });
  const delta = join(home, 'delta');
  await command('delta', {
    presets,
    config: { outputDir: delta },
    positionals: ['make', model, other],
  });
  const run = await makeRun(home, model);
  return {
    packed: async (dice, folder) => {
      cpSync(packed, folder, { recursive: true });
      breakOne(folder, dice);
      await generate(folder);
    },
    shards: async (dice, folder) => {
      cpSync(sharded, folder, { recursive: true });
      breakOne(folder, dice);
      await generate(folder);
    },
    ia3: await adapterKind(home, model, ia3),
    vera: await adapterKind(home, model, vera),
    task: async (dice, folder) => {
      mkdirSync(join(folder, 'letters'), { recursive: true });
      const [task, questions] = dice.below(2)
        ? [changeJson(dice.one(TASKS), dice), QUESTIONS]
        : [dice.one(TASKS), changeJson(QUESTIONS, dice)];
      writeFileSync(join(folder, 'task.json'), JSON.stringify(task) ?? '');
      for (const split of ['train', 'test']) {
        const lines = Array.isArray(questions) ? (questions as unknown[]) : [questions];
        const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
        writeFileSync(join(folder, 'letters', `${split}.jsonl`), text);
      }
      await command('evaluate', {
        presets,
        config: { model, outputDir: join(folder, 'out') },
        options: { tasks: join(folder, 'task.json'), dataDir: folder, numFewshot: dice.below(2) },
      });
    },
    delta: async (dice, folder) => {
      cpSync(delta, join(folder, 'delta'), { recursive: true });
      breakOne(join(folder, 'delta'), dice);
      await command('delta', {
        presets,
        config: { outputDir: join(folder, 'tuned') },
        positionals: ['apply', model, join(folder, 'delta')],
      });
    },
    resume: async (dice, folder) => {
      cpSync(run, folder, { recursive: true });
      const checkpoint = readdirSync(folder).find((name) => name.startsWith('checkpoint-'))!;
      breakOne(join(folder, checkpoint), dice);
      await train(home, model, folder, { maxSteps: 2, resumeFromCheckpoint: true });
    },
    settings: async (dice, folder) => {
      mkdirSync(folder);
      const settings = {
        presets: ['finetune'],
        plugins: ['lora'],
        model,
        dataset: [{ path: join(home, 'train.jsonl') }],
        outputDir: join(folder, 'out'),
        lora: { r: 2, targetModules: ['q_proj'], rankPattern: { v_proj: 4 } },
        learningRate: 1e-3,
        optimArgs: { beta1: 0.9 },
      };
      writeFileSync(
        join(folder, 'lmflow.config.json'),
        changeJsonText(JSON.stringify(settings), dice),
      );
      const kernel = await createKernel(undefined, { cwd: folder, log: captureLog() });
      const options = { dryRun: true };
      await kernel.run('finetune', { options }).finally(() => kernel.close());
    },
  };
}

/** A run of two steps that is stopped after the first, with a checkpoint of each. */
async function makeRun(home: string, model: string): Promise<string> {
  const outputDir = join(home, 'run');
  writeFileSync(join(home, 'train.jsonl'), '{"text": "t1 t2 t3"}\n'.repeat(4));
  await train(home, model, outputDir, { maxSteps: 1, saveSteps: 1 });
  return outputDir;
}

const train = (home: string, model: string, outputDir: string, config: UserConfig): Promise<void> =>
  command('finetune', {
    presets: [lora],
    config: {
      model,
      dataset: join(home, 'train.jsonl'),
      outputDir,
      perDeviceTrainBatchSize: 1,
      lora: { r: 2 },
      ...config,
    },
  });

/** Changes one file of a folder. */
function breakOne(folder: string, dice: Dice): void {
  const file = join(folder, dice.one(readdirSync(folder).sort()));
  if (file.endsWith('.json')) breakJson(file, dice);
  else if (file.endsWith('.safetensors')) breakTensors(file, dice);
  else breakBytes(file, dice);
}

async function adapterKind(
  home: string,
  model: string,
  plugin: Pluggable & { readonly name?: string },
): Promise<Kinds[string]> {
  const whole = join(home, `adapter-of-${plugin === ia3 ? 'ia3' : 'vera'}`);
  const section = plugin === ia3 ? 'ia3' : 'vera';
  const config = plugin === ia3 ? {} : { vera: { r: 2 } };
  await makeAdapter(model, whole, { presets: [finetune], plugins: [plugin], config });
  return async (dice, folder) => {
    cpSync(whole, folder, { recursive: true });
    breakOne(folder, dice);
    await generate(model, { plugins: [plugin], config: { [section]: { adapter: folder } } });
  };
}
