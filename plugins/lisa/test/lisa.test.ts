// LISA: which blocks train, what is computed and kept, resuming, the numbers of the blocks that
// stand still.
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestKernel } from 'lmflow/testing';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  definePlugin,
  ENGINE,
  LANGUAGE_MODELING,
  MODELS,
  TRAINER,
  type FitResult,
  type Plugin,
  type Preset,
  type Samples,
  type Step,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { readSafetensors } from '@lmflow/sdk/formats';
import lora from '@lmflow/preset-lora';
import finetune from '@lmflow/preset-finetune';
import lisa from '../src/index.ts';
import { blocksOf, chosenBlocks } from '../src/blocks.ts';

const samples: Samples = {
  length: 12,
  fingerprint: 'twelve',
  statistics: { samples: 12, tokens: 120, trainedTokens: 120, truncated: 0, dropped: 0 },
  lengthOf: () => 10,
  get: (index) => {
    const inputIds = Int32Array.from(
      { length: 10 },
      (_, place) => (7 * index + 3 * place * place) % 96,
    );
    return { inputIds, labels: inputIds };
  },
};
const temporary = (): string => mkdtempSync(join(tmpdir(), 'lmflow-lisa-'));

/** The llama of the fixtures (two blocks) with a tokenizer of made-up words. */
const source = temporary();
cpSync(
  join(import.meta.dirname, '..', '..', '..', 'test', 'fixtures', 'families', 'llama'),
  source,
  { recursive: true },
);
const vocab = Object.fromEntries(Array.from({ length: 96 }, (_, id) => [`t${id}`, id]));
writeFileSync(
  join(source, 'tokenizer.json'),
  JSON.stringify({
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab, unk_token: 't0' },
  }),
);
writeFileSync(join(source, 'tokenizer_config.json'), JSON.stringify({ eos_token: 't1' }));

interface Seen {
  readonly result: FitResult;
  readonly model: Model;
  readonly history: Map<string, Float32Array>[];
  readonly outputs: string[][];
}

/**
 * Trains; keeps the parameters after every step, and the gradients that each compiled training
 * program gives.
 */
async function run(
  given: Record<string, unknown> & {
    readonly plugins?: readonly Plugin[];
    readonly preset?: Preset;
  },
  stop?: number,
): Promise<Seen> {
  const controller = new AbortController();
  let onStep = (_step: Step): void => undefined;
  const watch = definePlugin({
    name: 'test-watch',
    version: '1.0.0',
    sdk: '^1.0.0',
    apply: ({ hooks }) => {
      hooks.onStep.tap((step) => {
        onStep(step);
      });
    },
  });
  const { plugins = [lisa({ layers: 1, interval: 2 })], preset = finetune, ...config } = given;
  const { kernel } = await createTestKernel({
    presets: [preset],
    plugins: [...plugins, watch()],
    config: {
      perDeviceTrainBatchSize: 2,
      maxSteps: 8,
      learningRate: 1e-2,
      saveSteps: 3,
      padToMultipleOf: 2,
      warmupSteps: 0,
      outputDir: temporary(),
      ...config,
    },
  });
  try {
    const [history, outputs]: [Map<string, Float32Array>[], string[][]] = [[], []];
    const engine = kernel.resolve(ENGINE);
    const compile = engine.compile.bind(engine);
    engine.compile = (graph, options) => {
      const gradients = [...graph.outputs.keys()].filter((key) => key.startsWith('gradient:'));
      if (gradients.length > 0) outputs.push(gradients);
      return compile(graph, options);
    };
    const model = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'training', source });
    const copy = (): void => {
      history.push(new Map([...model.parameters].map(([key, { data }]) => [key, data.slice()])));
    };
    copy();
    onStep = ({ number }) => {
      copy();
      if (number === stop) controller.abort();
    };
    const result = await kernel.resolve(TRAINER).fit({
      model,
      train: samples,
      objective: kernel.resolve(LANGUAGE_MODELING),
      signal: controller.signal,
    });
    return { result, model, history, outputs };
  } finally {
    await kernel.close();
  }
}

const codeOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'nothing',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );
const blockOf = (name: string): number | undefined => {
  const found = /layers\.(\d+)\./.exec(name);
  return found ? Number(found[1]) : undefined;
};

test('every block is drawn about equally often, without repetition, from seed and period', () => {
  const counts = [0, 0, 0, 0, 0];
  for (let step = 1; step <= 2000; step += 2) {
    const chosen = chosenBlocks(1, step, 5, { layers: 2, interval: 2 });
    assert.is(new Set(chosen).size, 2);
    assert.equal(chosenBlocks(1, step + 1, 5, { layers: 2, interval: 2 }), chosen);
    for (const block of chosen) counts[block]!++;
  }
  for (const count of counts) assert.ok(Math.abs(count - 400) < 60, counts.join());
});

for (const gradientCheckpointing of [false, true]) {
  test(`only the drawn block trains beside embeddings, norm and head${gradientCheckpointing ? ', with checkpointing' : ''}`, async () => {
    const { history, outputs, model } = await run({ gradientCheckpointing });
    assert.is(blocksOf(model).length, 2);
    const drawn = new Set<number>();
    for (let step = 1; step <= 8; step++) {
      const [chosen] = chosenBlocks(42, step, 2, { layers: 1, interval: 2 });
      drawn.add(chosen!);
      for (const [name, now] of history[step]!) {
        const block = blockOf(name);
        const moved = now.some((number, index) => number !== history[step - 1]!.get(name)![index]);
        assert.is(moved, block === undefined || block === chosen, `step ${step}: ${name}`);
      }
    }
    assert.is(drawn.size, 2, 'the test draws both blocks');
    // What is compiled computes the gradients of one block and of what always trains.
    for (const names of outputs) assert.is(new Set(names.map(blockOf)).size, 2, names.join());
  });
}

test('a resumed run ends like one that was not interrupted, and a checkpoint holds no state of frozen blocks', async () => {
  const straight = await run({});
  for (const stop of [3, 4]) {
    const outputDir = temporary();
    await run({ outputDir }, stop);
    const state = await readSafetensors(
      join(outputDir, `checkpoint-${stop}`, 'optimizer.safetensors'),
    );
    const chosen = chosenBlocks(42, stop, 2, { layers: 1, interval: 2 });
    assert.equal([...new Set([...state.keys()].flatMap((key) => blockOf(key) ?? []))], chosen);
    const resumed = await run({ outputDir, resumeFromCheckpoint: true });
    for (const [name, { data }] of straight.model.parameters) {
      assert.equal(resumed.model.parameters.get(name)!.data, data, name);
    }
    assert.is(resumed.result.trainLoss, straight.result.trainLoss);
    assert.is(
      await codeOf(
        run({
          outputDir,
          resumeFromCheckpoint: `${outputDir}/checkpoint-3`,
          overwriteOutputDir: true,
          plugins: [lisa({ layers: 1, interval: 4 })],
        }),
      ),
      'LMFLOW_RESUME_CHANGED',
    );
  }
});

test('all blocks at once is full finetuning', async () => {
  const all = await run({ plugins: [lisa({ layers: 2 })] });
  const full = await run({ plugins: [] });
  for (const [name, { data }] of full.model.parameters) {
    assert.equal(all.model.parameters.get(name)!.data, data, name);
  }
});

test('what it cannot do is said', async () => {
  assert.is(await codeOf(run({ plugins: [lisa({ layers: 3 })] })), 'LMFLOW_LISA_LAYERS');
  assert.is(await codeOf(run({ preset: lora })), 'LMFLOW_LISA_NOT_FULL');
});

test.run();
