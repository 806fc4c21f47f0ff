// Answers of a model in training: they follow its parameters, have the log-probabilities that scoring
// finds, and do not depend on what is decoded beside them.
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import {
  answerRow,
  definePlugin,
  GENERATOR,
  MODELS,
  ROLLOUTS,
  SCORER,
  type DrawRequest,
  type Rollout,
  type RolloutPrompt,
  type RolloutSource,
  type ScoreRow,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { writeWordTokenizer } from '@lmflow/sdk/testing';
import generate from '@lmflow/plugin-generate';
import scoring from '@lmflow/plugin-scoring';
import finetuning from '@lmflow/preset-finetune';
import inference from '@lmflow/preset-inference';
import lora from '@lmflow/preset-lora';
import rollouts from '../src/index.ts';

const FAMILIES = join(import.meta.dirname, '..', '..', '..', 'test', 'fixtures', 'families');

function folder(files: Readonly<Record<string, string>> = {}): string {
  const made = mkdtempSync(join(tmpdir(), 'lmflow-rollouts-'));
  cpSync(join(FAMILIES, 'llama'), made, { recursive: true });
  writeWordTokenizer(made);
  writeFileSync(join(made, 'tokenizer_config.json'), '{}');
  for (const [name, text] of Object.entries(files)) writeFileSync(join(made, name), text);
  return made;
}

type Prompt = Pick<RolloutPrompt, 'id' | 'ids'>;

const PROMPTS: readonly Prompt[] = Array.from({ length: 5 }, (_, index) => ({
  id: String(index),
  ids: Int32Array.from({ length: 9 + 3 * index }, (_, place) => (7 * place + 13 * index) % 90),
}));
const SETTINGS = { numGenerations: 4, maxNewTokens: 12 };

interface Loaded {
  readonly source: RolloutSource;
  readonly model: Model;
  readonly draw: (request?: Partial<DrawRequest>) => Promise<Rollout[]>;
  readonly score: (rows: readonly ScoreRow[]) => Promise<Float64Array[]>;
}

async function withModel<T>(
  config: Record<string, unknown>,
  work: (loaded: Loaded) => Promise<T>,
  purpose: 'training' | 'inference' = 'training',
): Promise<T> {
  const { kernel } = await createTestKernel({
    presets: [lora],
    plugins: [generate(), scoring(), rollouts()],
    config,
  });
  try {
    const source = kernel.resolve(ROLLOUTS);
    const model = await kernel.resolve(MODELS).load({ role: 'policy', purpose, source: folder() });
    return await work({
      source,
      model,
      draw: (request = {}) =>
        source.draw({
          model,
          prompts: PROMPTS,
          settings: SETTINGS,
          seed: 42,
          round: 1,
          ...request,
        }),
      score: async (rows) => {
        const session = kernel.resolve(SCORER).open(model);
        const scores = await session.score(rows);
        await session.dispose();
        return scores.map(({ logprobs }) => logprobs);
      },
    });
  } finally {
    await kernel.close();
  }
}

const shown = (answers: readonly Rollout[]): unknown =>
  answers.map(({ prompt, index, ids, ended, seed }) => [prompt, index, [...ids], ended, seed]);

/** Moves every parameter, as training does. */
function change(model: Model): void {
  for (const { data } of model.parameters.values()) {
    for (let place = 0; place < data.length; place++) data[place]! += 0.3 * Math.sin(place);
  }
}

test('one answer is the same in any batch, order and number of answers', async () => {
  const all = await withModel({ generate: { maxBatchSize: 16 } }, ({ draw }) => draw());
  assert.is(all.length, 20);
  const one = await withModel({ generate: { maxBatchSize: 1 } }, ({ draw }) => draw());
  assert.equal(shown(one), shown(all));
  await withModel({ generate: { maxBatchSize: 3 } }, async ({ draw }) => {
    const reversed = await draw({ prompts: [...PROMPTS].reverse() });
    const back = reversed
      .map((answer) => ({ ...answer, prompt: 4 - answer.prompt }))
      .sort((a, b) => a.prompt - b.prompt || a.index - b.index);
    assert.equal(shown(back), shown(all));
    const fewer = await draw({ settings: { ...SETTINGS, numGenerations: 2 } });
    assert.equal(shown(fewer), shown(all.filter(({ index }) => index < 2)));
    const other = await draw({ round: 2 });
    assert.not.equal(shown(other), shown(all));
    // different prompts have different numbers, also where they read the same
    const same = await draw({ prompts: ['a', 'b'].map((id) => ({ id, ids: PROMPTS[0]!.ids })) });
    assert.not.equal([...same[0]!.ids], [...same[4]!.ids]);
  });
});

for (const temperature of [1, 0.7]) {
  test(`log-probabilities are those that scoring finds, temperature ${temperature}`, async () => {
    await withModel({}, async ({ model, draw, score }) => {
      change(model);
      const answers = await draw({ settings: { ...SETTINGS, temperature } });
      const rows = answers.map(({ prompt, ids }) => answerRow(PROMPTS[prompt]!.ids, ids));
      const scored = await score(rows);
      let worst = 0;
      for (const [index, { logprobs, drawnLogprobs, ids }] of answers.entries()) {
        assert.is(logprobs.length, ids.length);
        for (let place = 0; place < ids.length; place++) {
          worst = Math.max(worst, Math.abs(logprobs[place]! - scored[index]![place]!));
          const isDrawn = Math.abs(drawnLogprobs[place]! - logprobs[place]!) < 1e-12;
          if (temperature === 1) assert.ok(isDrawn, `${index}, ${place}`);
        }
      }
      assert.ok(worst < 1e-4, `off by ${worst}`);
      if (temperature !== 1) {
        assert.ok(answers.some((one) => Math.abs(one.logprobs[0]! - one.drawnLogprobs[0]!) > 1e-3));
      }
    });
  });
}

test('log-probabilities of the distribution that was drawn from sum to 1 over the tokens', async () => {
  await withModel({}, async ({ model, source }) => {
    const settings = { numGenerations: 400, maxNewTokens: 1, temperature: 0.5, topK: 3 };
    const prompts = [PROMPTS[0]!];
    const answers = await source.draw({ model, prompts, settings, seed: 1, round: 1 });
    const shares = new Map(answers.map(({ ids, drawnLogprobs }) => [ids[0], drawnLogprobs[0]!]));
    assert.is(shares.size, 3);
    const sum = [...shares.values()].reduce((total, logprob) => total + Math.exp(logprob), 0);
    assert.ok(Math.abs(sum - 1) < 1e-9, `${sum}`);
    for (const [token, logprob] of shares) {
      const share = answers.filter(({ ids }) => ids[0] === token).length / answers.length;
      assert.ok(Math.abs(share - Math.exp(logprob)) < 0.1, `${share}, ${Math.exp(logprob)}`);
    }
  });
});

test('what the section generate sets is no part of it', async () => {
  const section = { temperature: 0.1, topK: 1, repetitionPenalty: 3, stop: ['t'], logprobs: 2 };
  const plain = await withModel({}, ({ draw }) => draw());
  const { logprobs: _only, ...set } = section;
  const found = await withModel({ generate: set }, ({ draw }) => draw());
  assert.equal(shown(found), shown(plain));
});

for (const [name, preset] of [
  ['an adapter', lora],
  ['all weights', finetuning],
] as const) {
  test(`a live policy says what its saved and reloaded model says: ${name}`, async () => {
    const data = Array.from({ length: 8 }, (_, row) => ({
      text: Array.from({ length: 24 }, (_, place) => `t${(5 * row + 3 * place) % 90}`).join(' '),
    }));
    const model = folder({ 'data.json': JSON.stringify(data) });
    const outputDir = join(mkdtempSync(join(tmpdir(), 'lmflow-rollouts-')), 'out');
    const greedy = { ...SETTINGS, numGenerations: 1, temperature: 0 };
    const seen: string[] = [];
    let source: RolloutSource;
    const watching = definePlugin({
      name: 'watching',
      version: '1.0.0',
      sdk: '^1.0.0',
      apply: ({ hooks, resolve }) => {
        hooks.onStep.tap(async (step) => {
          source = resolve(ROLLOUTS);
          const settings = greedy;
          const live = { model: step.model, prompts: PROMPTS, settings, seed: 1, round: 1 };
          seen.push((await source.draw(live)).map(({ text }) => text).join('|'));
        });
      },
    });
    const { kernel } = await createTestKernel({
      presets: [preset],
      plugins: [generate(), scoring(), rollouts(), watching()],
      config: {
        model,
        outputDir,
        dataset: join(model, 'data.json'),
        datasetCacheDir: join(model, 'cache'),
        learningRate: 0.03,
        lrSchedulerType: 'constant',
        maxSteps: 4,
      },
    });
    await kernel.run('finetune');
    await kernel.close();
    assert.is(seen.length, 4);
    assert.not.equal(seen[0], seen[3]);

    const saved = await createTestKernel({
      presets: [inference],
      config: preset === lora ? { lora: { adapter: outputDir } } : {},
    });
    try {
      const loaded = await saved.kernel.resolve(MODELS).load({
        role: 'policy',
        purpose: 'inference',
        source: preset === lora ? model : outputDir,
      });
      const texts: string[] = [];
      for (const { ids } of PROMPTS) {
        const [result] = await saved.kernel.resolve(GENERATOR).inference({
          model: loaded,
          prompt: ids,
          options: { maxNewTokens: greedy.maxNewTokens, doSample: false },
        });
        texts.push(result!.text);
      }
      assert.is(seen[3], texts.join('|'));
    } finally {
      await saved.kernel.close();
    }
  });
}

test('an aborted signal ends the drawing with its reason', async () => {
  await withModel({}, async ({ draw }) => {
    const controller = new AbortController();
    const drawing = draw({
      settings: { ...SETTINGS, numGenerations: 40 },
      signal: controller.signal,
      progress: () => {
        controller.abort(new Error('enough'));
      },
    });
    const error = await drawing.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.match(String(error), /enough/);
    // and the model is free for the next
    assert.is((await draw()).length, 20);
  });
});

test('prompts: of records without answers with their columns, or what stands before answers', async () => {
  const prompts = [
    { prompt: 't1 t2 t3', answer: '7' },
    { prompt: 't4 t5 t6 t7 t8 t9', answer: '8' },
    { prompt: 't5', answer: '9' },
  ];
  const chats = [
    {
      messages: [
        { role: 'user', content: 't1' },
        { role: 'assistant', content: 't2' },
      ],
    },
  ];
  const data = folder({
    'prompts.jsonl': prompts.map((record) => `${JSON.stringify(record)}\n`).join(''),
    'chats.json': JSON.stringify(chats),
  });
  const config = {
    dataset: join(data, 'prompts.jsonl'),
    evalDataset: join(data, 'chats.json'),
    chatTemplate: '{% for m in messages %}{{ m.content }} t90 {% endfor %}',
  };
  await withModel(config, async ({ model, source }) => {
    const set = await source.prompts({ model, maxTokens: 5 });
    assert.equal(
      set.train.map(({ id, name, ids, columns }) => [id, name, [...ids], columns['answer']]),
      [
        ['0', 'prompts.jsonl, line 1', [1, 2, 3], '7'],
        ['2', 'prompts.jsonl, line 3', [5], '9'],
      ],
    );
    assert.equal([...set.evaluation![0]!.ids], [1, 90]);
    assert.is(set.description['longerPromptsLeftOut'], 1);
    const error = await source.prompts({ model, maxTokens: 0 }).catch((thrown: unknown) => thrown);
    assert.is((error as { code?: string }).code, 'LMFLOW_ROLLOUTS_NO_PROMPTS');
  });
});

test('finetuning refuses prompts without answers', async () => {
  const data = folder({ 'prompts.json': JSON.stringify([{ prompt: 't1' }]) });
  const { kernel } = await createTestKernel({
    presets: [lora],
    config: { model: data, dataset: join(data, 'prompts.json'), outputDir: join(data, 'out') },
  });
  const error = await kernel.run('finetune').catch((thrown: unknown) => thrown);
  await kernel.close();
  assert.is((error as { code?: string }).code, 'LMFLOW_DATASET_PROMPTS');
});

test.run();
