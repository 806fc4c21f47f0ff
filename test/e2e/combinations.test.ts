// How memory is saved must not change what is computed: the loss and every gradient of the first
// training program, of {lora, qlora, int8-compute, full} x {packed samples, blocks of text}, with
// the plain or the flash attention, with and without gradient checkpointing. Through the engine.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createKernel, silentLogger } from 'lmflow';
import { ENGINE, LOWERINGS, type Engine, type Plugin, type TensorMap } from '@lmflow/sdk';
import int8Compute from '@lmflow/plugin-int8-compute';
import finetune from '@lmflow/preset-finetune';
import lora from '@lmflow/preset-lora';
import qlora from '@lmflow/preset-qlora';
import { firstOtherCodes, isActivation, showActivations } from './codes.ts';
import { fixtureModel } from './fixture-model.ts';

type Numbers = Readonly<Record<string, readonly number[]>>;

const folder = fixtureModel();

/** Short texts and longer ones in made-up words, for the model of fixtureModel(). */
function data(): {
  readonly packing: Record<string, unknown>;
  readonly blocks: Record<string, unknown>;
} {
  const write = (file: string, value: unknown): string => {
    writeFileSync(join(folder, file), JSON.stringify(value));
    return join(folder, file);
  };
  const words = (seed: number, length: number): string =>
    Array.from(
      { length },
      (_, place) => `t${2 + ((seed * 7 + place * (1 + (seed % 3))) % 90)}`,
    ).join(' ');
  const pairs = write(
    'pairs.json',
    Array.from({ length: 12 }, (_, seed) => ({
      instruction: words(seed, 3),
      output: words(seed + 1, 4 + ((seed * 5) % 13)),
    })),
  );
  const texts = write('texts.json', {
    type: 'text_only',
    instances: Array.from({ length: 12 }, (_, seed) => ({ text: words(seed, 20) })),
  });
  return {
    packing: { dataset: pairs, packing: true },
    blocks: { dataset: texts, groupTexts: true },
  };
}

const { packing, blocks } = data();
interface Method {
  readonly preset: typeof lora;
  readonly r?: number;
  readonly int8?: boolean;
  readonly exact?: boolean;
}

/**
 * int8-compute twice: with activations rounded to 8 bits, as the engine does it, and with none
 * rounded, as the op is defined.
 */
const METHODS: Readonly<Record<string, Method>> = {
  lora: { preset: lora, r: 4 },
  qlora: { preset: qlora, r: 4 },
  full: { preset: finetune },
  'int8-compute': { preset: lora, r: 4, int8: true },
  'int8-compute without rounding': { preset: lora, r: 4, int8: true, exact: true },
};

/** One training step; gives the loss and the gradients as the engine computed them. */
async function firstStep(
  { preset, r, int8, exact }: Method,
  config: Record<string, unknown>,
): Promise<Numbers> {
  const cacheDir = join(folder, '.cache');
  const int8Plugin = int8Compute({ cacheDir, selfCheck: false });
  const kernel = await createKernel(
    {
      presets: [preset],
      plugins: [int8 && (exact ? withoutLowerings(int8Plugin) : int8Plugin)],
      model: folder,
      datasetCacheDir: cacheDir,
      outputDir: mkdtempSync(join(tmpdir(), 'lmflow-combination-')),
      blockSize: 48,
      perDeviceTrainBatchSize: 2,
      maxSteps: 1,
      saveStrategy: 'no',
      ...(r ? { lora: { r, initLoraWeights: false } } : {}),
      ...(preset === qlora ? { qlora: { cacheDir } } : {}),
      flashAttention: false,
      ...config,
    },
    { log: silentLogger() },
  );
  try {
    const results = record(kernel.resolve(ENGINE));
    await kernel.run('finetune');
    return results[0]!;
  } finally {
    await kernel.close();
  }
}

/** A plugin whose ops the engine decomposes. */
function withoutLowerings(plugin: Plugin): Plugin {
  return {
    ...plugin,
    apply: (context) => {
      const contribute: typeof context.contribute = (registry, row) => {
        if (registry.name !== LOWERINGS.name) context.contribute(registry, row);
      };
      plugin.apply(Object.create(context, { contribute: { value: contribute } }) as typeof context);
    },
  };
}

/** Keeps what training programs give. */
function record(engine: Engine): Numbers[] {
  const results: Numbers[] = [];
  const compile = engine.compile.bind(engine);
  engine.compile = async (graph, options) => {
    const training = graph.outputs.has('loss');
    if (training) showActivations(graph);
    const program = await compile(graph, options);
    const run = async (inputs: TensorMap, outputs?: TensorMap): Promise<TensorMap> => {
      const given = await program.run(inputs, outputs);
      const entries = await Promise.all(
        Object.entries(given).map(
          async ([name, tensor]) => [name, Array.from(await tensor.read(), Number)] as const,
        ),
      );
      if (training) results.push(Object.fromEntries(entries));
      return given;
    };
    return { run, dispose: () => program.dispose() };
  };
  return results;
}

/**
 * The largest difference of any number, against the largest number of its tensor where that is more
 * than 1.
 */
function difference(found: Numbers, expected: Numbers): number {
  const names = (numbers: Numbers): string[] =>
    Object.keys(numbers)
      .filter((name) => !isActivation(name))
      .sort();
  assert.equal(names(found), names(expected));
  return Math.max(
    ...Object.entries(expected)
      .filter(([name]) => !isActivation(name))
      .map(([name, numbers]) => {
        const scale = numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 1);
        return (
          numbers.reduce(
            (most, number, index) => Math.max(most, Math.abs(number - found[name]![index]!)),
            0,
          ) / scale
        );
      }),
  );
}

const SAVINGS: readonly Record<string, unknown>[] = [
  { gradientCheckpointing: true },
  { gradientCheckpointing: { every: 2 } },
  { flashAttention: { from: 1, tile: 20 } },
  { flashAttention: { from: 1, tile: 20 }, gradientCheckpointing: true },
];

for (const [name, method] of Object.entries(METHODS)) {
  for (const [kind, data] of Object.entries({ packing, blocks })) {
    test(`${name}, ${kind}: flash or plain attention, checkpointed or not, give the same loss and gradients`, async () => {
      const expected = await firstStep(method, data);
      assert.ok(Object.keys(expected).length > 10 && expected['loss']![0]! > 0);
      for (const saving of SAVINGS) {
        const found = await firstStep(method, { ...data, ...saving });
        const apart = difference(found, expected);
        // Rounding is a jump: another order of additions, a last bit, now and then moves a code by
        // a step (once in 8 combinations here), which no tolerance covers. Then it must be seen to
        // be that. Without the rounding there is no exception.
        const jumped =
          apart > 1e-5 && name === 'int8-compute' && firstOtherCodes(found, expected) !== undefined;
        assert.ok(apart <= 1e-5 || jumped, `${JSON.stringify(saving)}: ${apart}`);
      }
    });
  }
}

test.run();
