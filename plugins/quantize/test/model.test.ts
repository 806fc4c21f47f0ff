// Whole models through a kernel: a quantized model's logits are those of a float model with the
// numbers that the codes stand for.
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { MODELS, SCORER } from '@lmflow/sdk';
import { forward, withoutAdapter, wrap, type Model, type Trace } from '@lmflow/sdk/model';
import { Graph, matMul } from '@lmflow/sdk/graph';
import { readSafetensors, writeSafetensors } from '@lmflow/sdk/formats';
import inference from '@lmflow/preset-inference';
import { dequantize, type Bits } from '../src/blocks.ts';
import { matMulNBitsOp } from '../src/op.ts';
import { quantizeOptions, type QuantizeOptions } from '../src/options.ts';
import { quantizeMatrix } from '../src/form.ts';
import { chosenMatrices } from '../src/matrices.ts';
import { fixtureFolder, root, temporary } from './folders.ts';

const fixture = (family: string): string => fixtureFolder(`families/${family}`);
const cacheDir = temporary('cache');

async function logits(
  source: string,
  config: Record<string, unknown>,
  change: (model: Model) => Promise<void> = async () => undefined,
  purpose: 'training' | 'inference' = 'inference',
): Promise<Float32Array> {
  const { kernel } = await createTestKernel({ presets: [inference], config });
  try {
    const model = await kernel
      .resolve(MODELS)
      .load({ role: config['lora'] ? 'policy' : 'reference', purpose, source });
    await change(model);
    const run = kernel.resolve(SCORER).open(model);
    return await run.logits(Int32Array.from({ length: 12 }, (_, index) => (index * 7) % 90));
  } finally {
    await kernel.close();
  }
}

const apart = (a: Float32Array, b: Float32Array): number =>
  Math.sqrt(
    a.reduce((sum, number, index) => sum + (number - b[index]!) ** 2, 0) /
      b.reduce((sum, number) => sum + number * number, 0),
  );

/**
 * Gives a float model the numbers that the codes stand for; a head that an adapter brings whole
 * (`ownHead`) is left alone.
 */
async function decomposed(
  model: Model,
  bits: Bits,
  options: QuantizeOptions,
  ownHead = false,
): Promise<void> {
  const { matrices, head } = chosenMatrices(withoutAdapter(model), bits, options);
  const own = new Map(
    await Promise.all(
      matrices.map(async (matrix) => {
        const { inFeatures, outFeatures } = matrix;
        const numbers = dequantize(
          quantizeMatrix(await model.read(matrix.weight), matrix),
          outFeatures,
          inFeatures,
          matrix.scheme,
        );
        return [matrix.name, { numbers, shape: [outFeatures, inFeatures] }] as const;
      }),
    ),
  );
  wrap(model, 'matmul', 'test', (matmul) => (trace, x, layer) => {
    const one = own.get(layer.name);
    return one
      ? matMul(x, trace.graph.constant(one.numbers, one.shape, 'float32'), { transposeB: true })
      : matmul(trace, x, layer);
  });
  if (ownHead) return;
  const { numbers, shape } = own.get(head!)!;
  const { weight: headWeight } = matrices.find(({ name }) => name === head)!;
  // In the head the first who asks for the weight is its product; DoRA's norms, after it, are those
  // of the float numbers.
  let inHead = false;
  wrap(model, 'head', 'test', (inner) => (trace, hidden) => {
    inHead = true;
    return inner(trace, hidden);
  });
  wrap(model, 'weight', 'test', (inner) => (trace, name) => {
    if (!inHead || name !== headWeight) return inner(trace, name);
    inHead = false;
    return trace.graph.constant(numbers, shape, 'float32');
  });
}

for (const family of ['llama', 'gpt2', 'qwen2', 'llama-bf16']) {
  for (const bits of [4, 8] as const) {
    test(`${family}, ${bits} bits: computes with the numbers of the codes, in the blocks and in the head; the embedding stays float`, async () => {
      const folder = fixture(family);
      const options = quantizeOptions.parse({
        bits,
        blockSize: 16,
        activations: 'float',
        cacheDir,
        headBits: 4,
      });
      const found = await logits(folder, { quantize: options });
      const expected = await logits(folder, {}, (model) => decomposed(model, bits, options));
      assert.ok(apart(found, expected) < 1e-5, `relative difference ${apart(found, expected)}`);
      const float = await logits(folder, {});
      assert.ok(apart(found, float) > 1e-3, 'it is not the float model');
    });
  }
}

const adapters = join(root, 'test/fixtures/adapters/llama');
for (const kind of readdirSync(adapters).filter((name) => name !== 'loftq')) {
  test(`adapter "${kind}" of PEFT on 4 bits, unmerged: that of the numbers of the codes`, async () => {
    const folder = fixture('llama');
    const lora = { adapter: join(adapters, kind) };
    const options = quantizeOptions.parse({
      bits: 4,
      blockSize: 16,
      activations: 'float',
      cacheDir,
      headBits: 4,
    });
    const found = await logits(folder, { quantize: options, lora });
    const expected = await logits(folder, { lora }, (model) =>
      decomposed(model, 4, options, ['head', 'embedding-layers'].includes(kind)),
    );
    assert.ok(apart(found, expected) < 1e-5, `relative difference ${apart(found, expected)}`);
    assert.ok(
      apart(found, await logits(folder, { quantize: options })) > 1e-3,
      'the adapter counts',
    );
    assert.ok(apart(found, await logits(folder, { lora })) > 1e-3, 'the codes count');
  });
}

test('an adapter that brings a base of its own (LoftQ) is refused on other numbers', async () => {
  const code = await logits(fixture('llama'), {
    quantize: { bits: 4, blockSize: 16, cacheDir },
    lora: { adapter: join(adapters, 'loftq') },
  }).then(
    () => 'none',
    (error: unknown) => (error as { code: string }).code,
  );
  assert.is(code, 'LMFLOW_LORA_BASE_CLAIMED');
});

test('an adapter of a head that the checkpoint has in a few bits: logits of its codes and the adapter', async () => {
  const adapter = temporary('packed-head');
  cpSync(join(adapters, 'lora-head'), adapter, { recursive: true });
  const file = join(adapter, 'adapter_model.safetensors');
  const tensors = await readSafetensors(file);
  await writeSafetensors(
    file,
    [...tensors].filter(([name]) => !name.includes('base_layer')),
  );
  const lora = { adapter };
  const folder = fixtureFolder('packed/llama');
  const options = { activations: 'float', cacheDir };
  const found = await logits(folder, { quantize: options, lora });
  // The product of the joined matrices, as losses compute it.
  const expected = await logits(folder, { quantize: options, lora }, async (model) => {
    wrap(
      model,
      'logits',
      'test',
      () =>
        (_trace, { hidden, weight }) =>
          matMul(hidden, weight, { transposeB: true }),
    );
  });
  assert.ok(apart(found, expected) < 1e-5, `relative difference ${apart(found, expected)}`);
  assert.ok(apart(found, await logits(folder, { quantize: options })) > 1e-3);
});

for (const family of ['llama', 'qwen2', 'gpt2']) {
  test(`${family}: q, k and v are one product, and so are gate and up: four products a block`, async () => {
    let products: readonly number[] = [];
    const count = async (model: Model): Promise<void> => {
      const graph = new Graph();
      const trace: Trace = {
        graph,
        model,
        batchSize: 1,
        length: 12,
        mode: 'inference',
        input: (name) => graph.input(name, 'int32', [1, 12]),
        positions: graph.input('positions', 'int32', [1, 12]),
        dropoutMask: () => {
          throw new Error('no dropout');
        },
      };
      forward(trace);
      products = graph.nodes
        .filter(({ op }) => op === matMulNBitsOp)
        .map(({ outputs }) => outputs[0]!.shape[1]!);
      const { numLayers } = model.architecture;
      assert.is(products.length, 4 * numLayers, products.join());
    };
    await logits(fixture(family), { quantize: { bits: 4, blockSize: 16, cacheDir } }, count);
    assert.ok(products.length > 0);
  });
}

test('without bits, and in training, nothing is quantized; int8 activations are near float ones; the cache is used again', async () => {
  const folder = fixture('llama');
  const float = await logits(folder, {});
  assert.equal(
    await logits(folder, { quantize: { bits: 4, cacheDir } }, undefined, 'training'),
    float,
  );
  const own = temporary('again');
  const first = await logits(folder, { quantize: { bits: 8, cacheDir: own } });
  const files = readdirSync(own, { recursive: true }).length;
  const rounded = await logits(folder, {
    quantize: { bits: 8, cacheDir: own, activations: 'float' },
  });
  // These random weights amplify: what 8 bits of weights change is the measure for what 8 bits of
  // activations may.
  assert.ok(
    apart(rounded, float) < 0.05 && apart(first, rounded) < 2 * apart(rounded, float),
    `weights ${apart(rounded, float)}, activations ${apart(first, rounded)}`,
  );
  assert.equal(await logits(folder, { quantize: { bits: 8, cacheDir: own } }), first);
  assert.is(readdirSync(own, { recursive: true }).length, files);
});

test('exclude: unknown patterns and nothing left are errors', async () => {
  const folder = fixture('llama');
  const code = async (config: Record<string, unknown>): Promise<string> =>
    logits(folder, { quantize: { bits: 4, cacheDir, ...config } }).then(
      () => 'none',
      (error: { code: string }) => error.code,
    );
  assert.is(await code({ exclude: ['nothing_proj'] }), 'LMFLOW_LINEARS_UNKNOWN');
  assert.is(await code({ exclude: ['.*'], headBits: 'float' }), 'LMFLOW_LINEARS_NOTHING');
  assert.is(await code({ exclude: ['down_proj'] }), 'none');
});

for (const bits of [4, 8] as const) {
  test(`${bits} bits: tokens score bit for bit the same alone and in a batch`, async () => {
    const { kernel } = await createTestKernel({
      presets: [inference],
      config: { quantize: { bits, cacheDir } },
    });
    const model = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'inference', source: fixture('llama') });
    const rows = Array.from({ length: 12 }, (_, row) => ({
      ids: Int32Array.from({ length: 3 + 3 * row }, (__, place) => (row * 31 + place * 7) % 96),
    }));
    const scorer = kernel.resolve(SCORER);
    const alone = await scorer.open(model, { batchSize: 1 }).score(rows);
    assert.equal(await scorer.open(model).score(rows), alone);
    await kernel.close();
  });
}

test.run();
