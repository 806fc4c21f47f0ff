// Which blocks are computed again: by number and by budget; what the plan says of it; evaluation is
// left alone; what is refused.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ENGINE, type MemoryPlan } from '@lmflow/sdk';
import type { BuildingFunctions, Model, ModelRequest, Trace } from '@lmflow/sdk/model';
import { exp, Graph } from '@lmflow/sdk/graph';
import { createTestKernel } from 'lmflow/testing';
import models from '@lmflow/plugin-models';
import finetune from '@lmflow/preset-finetune';
import gradientCheckpointing from '../src/index.ts';
import { bytesOf } from '../src/options.ts';

const LAYERS = 6;
const folder = mkdtempSync(join(tmpdir(), 'lmflow-checkpointing-'));
const write = (file: string, value: unknown): string => {
  writeFileSync(join(folder, file), JSON.stringify(value));
  return join(folder, file);
};
const config = JSON.parse(
  readFileSync(
    resolve(import.meta.dirname, '../../../test/fixtures/families/llama/config.json'),
    'utf8',
  ),
) as object;
write('config.json', { ...config, num_hidden_layers: LAYERS });
const vocab = Object.fromEntries(Array.from({ length: 96 }, (_, id) => [`t${id}`, id]));
write('tokenizer.json', {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: 'Whitespace' },
  post_processor: null,
  decoder: null,
  model: { type: 'WordLevel', vocab, unk_token: 't0' },
});
write('tokenizer_config.json', { eos_token: 't1' });
const dataset = write('texts.json', {
  type: 'text_only',
  instances: Array.from({ length: 8 }, (_, seed) => ({
    text: Array.from({ length: 40 }, (__, place) => `t${2 + ((seed + 3 * place) % 90)}`).join(' '),
  })),
});

interface Outcome {
  readonly recomputed: string[];
  readonly evaluated: string[];
  readonly plan: MemoryPlan;
  readonly loss: number;
  readonly warnings: string[];
}

/** One step and an evaluation; gives the regions that were computed again in either program. */
async function run(config: Record<string, unknown>): Promise<Outcome> {
  const { kernel, log } = await createTestKernel({
    presets: [finetune],
    config: {
      model: folder,
      fromScratch: true,
      dataset,
      validationSplit: 2,
      datasetCacheDir: join(folder, '.cache'),
      outputDir: mkdtempSync(join(tmpdir(), 'lmflow-checkpointing-')),
      blockSize: 48,
      perDeviceTrainBatchSize: 2,
      maxSteps: 2,
      saveStrategy: 'no',
      ...config,
    },
  });
  const found: Record<'training' | 'evaluation', Set<string>> = {
    training: new Set(),
    evaluation: new Set(),
  };
  try {
    const engine = kernel.resolve(ENGINE);
    const compile = engine.compile.bind(engine);
    engine.compile = (graph, options) => {
      const mode = options?.name?.startsWith('evaluation') ? 'evaluation' : 'training';
      for (const { region } of graph.nodes) {
        for (let at = region; at; at = at.parent) if (at.recompute) found[mode].add(at.name);
      }
      return compile(graph, options);
    };
    const { result } = await kernel.run('finetune');
    const plan = log.said.find(({ data }) => data?.['type'] === 'plan')!.data![
      'memory'
    ] as MemoryPlan;
    return {
      recomputed: [...found.training],
      evaluated: [...found.evaluation],
      plan,
      loss: result.trainLoss,
      warnings: log.texts('warn').filter((text) => text.includes('gradientCheckpointing')),
    };
  } finally {
    await kernel.close();
  }
}

const blocks = (...layers: number[]): string[] => layers.map((layer) => `recomputed.${layer}`);
const none = await run({});

for (const [given, layers] of [
  [true, [0, 1, 2, 3, 4, 5]],
  [false, []],
  [{ every: 1 }, [0, 1, 2, 3, 4, 5]],
  [{ every: 2 }, [1, 3, 5]],
  [{ every: 4 }, [3]],
  [{ every: 2, enabled: false }, []],
] as const) {
  test(`${JSON.stringify(given)}: blocks ${layers.join()}`, async () => {
    const { recomputed, evaluated, plan, loss } = await run({ gradientCheckpointing: given });
    assert.equal(recomputed.sort(), blocks(...layers));
    assert.equal(evaluated, []);
    assert.ok(Math.abs(loss - none.loss) < 1e-6);
    if (layers.length > 2) assert.ok(plan.activations < none.plan.activations);
    else if (layers.length === 0) assert.is(plan.activations, none.plan.activations);
  });
}

test('a budget is met with the fewest blocks, the first ones', async () => {
  const { kernel, log } = await createTestKernel({
    plugins: [models(), gradientCheckpointing({ memoryBudget: 65 })],
  });
  const block: BuildingFunctions['block'] = (_trace, hidden) => exp(hidden);
  const model = {
    architecture: { numLayers: LAYERS },
    build: { block },
    wraps: [],
  } as unknown as Model;
  await kernel.hooks.onModelLoad.promise(model, {
    role: 'policy',
    purpose: 'training',
  } as ModelRequest);
  const recomputed = (): number[] => {
    const graph = new Graph();
    const outputs = Array.from({ length: LAYERS }, (_, layer) =>
      model.build.block(
        { graph, mode: 'training' } as Trace,
        graph.input('x', 'float32', [2]),
        layer,
      ),
    );
    return outputs.flatMap(({ source }, layer) =>
      source.kind === 'node' && source.node.region?.recompute ? [layer] : [],
    );
  };
  let asked = 0;
  await kernel.hooks.onPlan.promise({
    model,
    memory: async () => {
      asked++;
      return { total: 100 - 10 * recomputed().length } as MemoryPlan;
    },
  });
  assert.equal(recomputed(), [0, 1, 2, 3]);
  assert.ok(asked <= 4, String(asked));
  assert.is(
    log.said.find(({ data }) => data?.['type'] === 'gradient-checkpointing')?.data?.['blocks'],
    4,
  );
  await kernel.close();
});

test('a budget in a run: none are needed, or all are not enough', async () => {
  assert.equal((await run({ gradientCheckpointing: { memoryBudget: '100GB' } })).recomputed, []);
  const tight = await run({ gradientCheckpointing: { memoryBudget: '1kB' } });
  assert.equal(tight.recomputed, blocks(0, 1, 2, 3, 4, 5));
  assert.is(tight.warnings.length, 1);
  assert.match(
    tight.warnings[0]!,
    /memoryBudget is 1 kB, but the run needs \d+ MB with every block computed again/,
  );
});

test('what cannot be meant is refused', async () => {
  const code = async (config: Record<string, unknown>): Promise<string> =>
    run(config).then(
      () => 'no error',
      (error: { readonly code: string }) => error.code,
    );
  assert.is(
    await code({ gradientCheckpointing: { every: 2, memoryBudget: '1GB' } }),
    'LMFLOW_CONFIG_CONFLICT',
  );
  assert.is(
    await code({ gradientCheckpointing: { memoryBudget: 'much' } }),
    'LMFLOW_CONFIG_INVALID',
  );
  assert.is(await code({ gradientCheckpointing: { every: 999 } }), 'LMFLOW_CONFIG_CONFLICT');
  assert.is(await code({ gradientCheckpointing: { every: 0 } }), 'LMFLOW_CONFIG_INVALID');
  // how PyTorch does it means nothing here
  assert.is(await code({ gradientCheckpointing: { useReentrant: false } }), 'no error');
  assert.is(
    await code({ gradientCheckpointing: { useReentrant: 'auto' } }),
    'LMFLOW_OPTION_UNSUPPORTED',
  );
  assert.is(
    await code({ gradientCheckpointingKwargs: { use_reentrant: false } }),
    'LMFLOW_OPTION_UNSUPPORTED',
  );
});

test('amounts of memory', () => {
  for (const [text, bytes] of [
    ['8GB', 8e9],
    ['7.5 GiB', 7.5 * 2 ** 30],
    ['900000000', 9e8],
    ['500mb', 5e8],
    [12, 12],
  ] as const) {
    assert.is(bytesOf(text), bytes);
  }
});

test.run();
