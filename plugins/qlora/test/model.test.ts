// Whole models through a kernel: the numbers a quantized model computes with, and what stays float.
// How well finetuning goes is quality.slow.test.ts's.
import { cpSync, mkdtempSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { ENGINE, MODELS, type MemoryPlan, type Tensor } from '@lmflow/sdk';
import { floatWeight, forward, type Model, type Trace } from '@lmflow/sdk/model';
import { Graph, matMul, sizeOf, BYTES } from '@lmflow/sdk/graph';
import { readWeight } from '@lmflow/sdk/formats';
import finetune from '@lmflow/preset-finetune';
import lora from '@lmflow/preset-lora';
import qloraPreset from '@lmflow/preset-qlora';
import qlora, { dequantize } from '../src/index.ts';
import { qloraOptions } from '../src/options.ts';
import { quantizeLinear } from '../src/form.ts';
import { writeWordTokenizer } from '@lmflow/sdk/testing';

const root = resolve(import.meta.dirname, '../../..');
const temporary = (name: string): string => mkdtempSync(join(tmpdir(), `lmflow-qlora-${name}-`));
const cacheDir = temporary('cache');

/** A fixture model with a tokenizer of made-up words. */
function fixture(family: string): string {
  const folder = temporary(family);
  cpSync(join(root, 'test/fixtures/families', family), folder, { recursive: true });
  writeWordTokenizer(folder);
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ eos_token: 't1' }));
  return folder;
}

async function loaded<T>(
  preset: typeof lora,
  config: Record<string, unknown>,
  source: string,
  purpose: 'training' | 'inference',
  use: (model: Model, resolveEngine: () => Promise<Float32Array>) => Promise<T>,
): Promise<T> {
  const { kernel } = await createTestKernel({ presets: [preset], config });
  try {
    const model = await kernel.resolve(MODELS).load({ role: 'policy', purpose, source });
    return await use(model, async () => {
      const graph = new Graph();
      const trace: Trace = {
        graph,
        model,
        batchSize: 1,
        length: 12,
        mode: 'evaluation',
        input: (name) => graph.input(name, 'int32', [1, 12]),
        positions: graph.input('positions', 'int32', [1, 12]),
        dropoutMask: () => {
          throw new Error('no dropout');
        },
      };
      const { hidden, weight } = forward(trace);
      graph.output('logits', matMul(hidden, weight, { transposeB: true }));
      const engine = kernel.resolve(ENGINE);
      const program = await engine.compile(graph);
      const inputs: Record<string, Tensor> = {};
      for (const [name, { dtype, shape }] of graph.inputs) {
        const numbers =
          model.parameters.get(name.replace('parameter:', ''))?.data ??
          Int32Array.from({ length: 12 }, (_, index) =>
            name === 'positions' ? index : (index * 7) % 90,
          );
        inputs[name] = await engine.upload(numbers, shape, dtype);
      }
      return Float32Array.from(
        (await (await program.run(inputs))['logits']!.read()) as Float32Array,
      );
    });
  } finally {
    await kernel.close();
  }
}

for (const family of ['llama', 'gpt2', 'llama-bf16']) {
  test(`${family}: computes with the 4-bit numbers; reading gives the float ones`, async () => {
    const folder = fixture(family);
    const found = await loaded(
      qloraPreset,
      { qlora: { cacheDir } },
      folder,
      'training',
      async (model, logits) => {
        for (const { weight } of model.linears) {
          assert.equal(await model.read(weight), await readWeight(floatWeight(model, weight)));
        }
        assert.ok([...model.parameters.keys()].every((name) => name.includes('lora_')));
        const inBlocks = model.linears
          .filter(({ layer }) => layer !== undefined)
          .map(({ name }) => name);
        assert.equal(model.claims, [
          {
            plugin: '@lmflow/plugin-qlora',
            how: 'in 4 bits (nf4, double quantization)',
            linears: inBlocks,
            exclude: 'qlora.exclude',
            active: true,
          },
        ]);
        return logits();
      },
    );
    const expected = await loaded(lora, {}, folder, 'training', async (model, logits) => {
      for (const layer of model.linears.filter((linear) => linear.layer !== undefined)) {
        const { inFeatures, outFeatures, layout, weight } = layer;
        const quantized = quantizeLinear(await model.read(weight), layer, qloraOptions.parse({}));
        const numbers = dequantize(quantized, inFeatures * outFeatures, 'nf4');
        const shape = model.weights.get(weight)!.shape;
        const data =
          layout === 'out-in'
            ? numbers
            : numbers.map(
                (_, place) =>
                  numbers[(place % outFeatures) * inFeatures + Math.floor(place / outFeatures)]!,
              );
        model.weights.set(weight, { kind: 'memory', dtype: 'float32', shape, data });
      }
      return logits();
    });
    const plain = await loaded(lora, {}, folder, 'training', (_model, logits) => logits());
    const apart = (a: Float32Array, b: Float32Array): number =>
      a.reduce((worst, number, index) => Math.max(worst, Math.abs(number - b[index]!)), 0);
    assert.ok(
      apart(found, expected) < 2e-5,
      `${apart(found, expected)} from the dequantized weights`,
    );
    assert.ok(apart(found, plain) > 1e-3, 'and not the float model');
  });
}

test('the cache: written once, mapped again, made anew where the checkpoint or the options changed', async () => {
  const [folder, cache] = [fixture('llama'), temporary('files')];
  const files = (): number =>
    readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.bin'),
    ).length;
  const load = (options: object): Promise<number> =>
    loaded(
      qloraPreset,
      { qlora: { cacheDir: cache, ...options } },
      folder,
      'inference',
      async (model) => {
        const { graph, layers } = traced(model);
        const stored = [...graph.weights.values()].filter(
          ({ dtype, source }) =>
            dtype === 'uint8' || (source.kind === 'weight' && source.name.endsWith(':scales')),
        );
        const bytes = stored.reduce(
          (sum, { dtype, shape }) => sum + sizeOf(shape) * BYTES[dtype],
          0,
        );
        assert.ok(
          stored.every(
            ({ source }) =>
              source.kind === 'weight' &&
              source.weight.kind === 'file' &&
              source.weight.path.startsWith(cache),
          ),
        );
        assert.ok(bytes <= 0.16 * 4 * layers, `${bytes / (4 * layers)} of float32`);
        return files();
      },
    );
  const first = await load({});
  assert.is(await load({}), first);
  assert.is(await load({ doubleQuant: false }), 2 * first);
  assert.is(await load({ quantType: 'fp4' }), 3 * first);
  utimesSync(join(folder, 'model.safetensors'), new Date(), new Date(1e12));
  assert.is(await load({}), 4 * first);
});

/** The graph of a model, and how many numbers its quantized linears have. */
function traced(model: Model): { readonly graph: Graph; readonly layers: number } {
  const graph = new Graph();
  forward({
    graph,
    model,
    batchSize: 1,
    length: 4,
    mode: 'inference',
    input: (name) => graph.input(name, 'int32', [1, 4]),
    positions: graph.input('positions', 'int32', [1, 4]),
    dropoutMask: () => {
      throw new Error('no dropout');
    },
  });
  return {
    graph,
    layers: model.linears
      .filter(({ layer }) => layer !== undefined)
      .reduce((sum, { inFeatures, outFeatures }) => sum + inFeatures * outFeatures, 0),
  };
}

test('excluded layers stay float; a pattern that names nothing, and training what is in 4 bits, are errors', async () => {
  const folder = fixture('llama');
  await loaded(
    qloraPreset,
    { qlora: { cacheDir, exclude: ['down_proj', '.*\\.0\\.self_attn\\..*'] } },
    folder,
    'training',
    async (model) => {
      const names = [...traced(model).graph.weights.keys()].filter((name) =>
        name.endsWith(':4bit'),
      );
      assert.ok(
        names.length > 0 &&
          names.every((name) => !name.includes('down_proj') && !name.includes('.0.self_attn')),
        names.join(),
      );
    },
  );
  const code = async (preset: typeof lora, config: Record<string, unknown>): Promise<string> => {
    try {
      await loaded(preset, config, folder, 'training', () => Promise.resolve());
    } catch (error) {
      return (error as { code: string }).code;
    }
    return 'none';
  };
  assert.is(
    await code(qloraPreset, { qlora: { cacheDir, exclude: ['lm_head'] } }),
    'LMFLOW_LINEARS_UNKNOWN',
  );
  assert.is(
    await code(qloraPreset, { qlora: { cacheDir, exclude: ['.*'] } }),
    'LMFLOW_LINEARS_NOTHING',
  );
  assert.is(await code(finetune, { plugins: [qlora({ cacheDir })] }), 'LMFLOW_LINEARS_TRAINED');
});

test('the plan counts the linears in 4 bits', async () => {
  const folder = fixture('llama');
  const dataset = join(folder, 'texts.json');
  writeFileSync(
    dataset,
    JSON.stringify({ type: 'text_only', instances: [{ text: 't2 t3 t4 t5' }] }),
  );
  const planned = async (preset: typeof lora, options: object): Promise<number> => {
    const { kernel, log } = await createTestKernel({
      presets: [preset],
      config: {
        model: folder,
        dataset,
        datasetCacheDir: join(folder, '.cache'),
        maxSteps: 1,
        saveStrategy: 'no',
        outputDir: temporary('out'),
        ...options,
      },
    });
    await kernel.run('finetune');
    await kernel.close();
    return (log.said.find(({ data }) => data?.['type'] === 'plan')!.data!['memory'] as MemoryPlan)
      .weights;
  };
  const layers = await loaded(qloraPreset, { qlora: { cacheDir } }, folder, 'training', (model) =>
    Promise.resolve(traced(model).layers),
  );
  const saved = (await planned(lora, {})) - (await planned(qloraPreset, { qlora: { cacheDir } }));
  assert.ok(saved > 3 * layers, `${saved} bytes of ${4 * layers} are saved`);
});

test.run();
