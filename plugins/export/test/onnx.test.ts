// ONNX exports, run by ONNX Runtime alone in a loop like transformers.js's: the greedy tokens of
// transformers, alone and padded in a batch.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ENGINE } from '@lmflow/sdk';
import { outputRows, view, wrap, type BuildingFunctions, type Model } from '@lmflow/sdk/model';
import { add, Graph, matMul, mul, type Value } from '@lmflow/sdk/graph';
import { checkLowering, randomInputs, type TestInputs } from '@lmflow/sdk/testing';
import { PORTABLE_MODEL, PORTABLE_SESSION } from '@lmflow/plugin-engine-onnx';
import { failure, FIXTURES, load, logits, modelFolder, scratch, withKernel } from './folders.ts';
import { cases, greedy, openModel, step } from './onnxruntime.ts';
import { decode } from './reader.ts';
import { wideLlama } from './wide.ts';
import { TENSOR_TYPES } from '../src/gguf/types.ts';
import { blockProduct, partShapes, toBlocks, type BlockAttributes } from '../src/onnx/blocks.ts';
import { exportOnnx } from '../src/onnx/export.ts';
import { carriedAttention, lastRows, places } from '../src/onnx/ops.ts';
import { tryOnnx } from '../src/onnx/trial.ts';

/** Exports a folder; gives the export's. */
async function exported(
  model: string,
  options: Record<string, unknown> = {},
  config: Record<string, unknown> = {},
): Promise<string> {
  const outputDir = join(scratch('onnx'), 'out');
  await withKernel({ model, outputDir, ...config }, (kernel) =>
    kernel.run('export', { options: { format: 'onnx', ...options } }),
  );
  return outputDir;
}

const json = (folder: string, file: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, file), 'utf8')) as Record<string, unknown>;

/** The numbers that blocks hold. */
function throughBlocks(numbers: Float32Array, attributes: BlockAttributes): Float32Array {
  const { bits, inFeatures } = attributes;
  const { codes, scales } = toBlocks(numbers, attributes);
  const width = Math.ceil(inFeatures / 32) * 32;
  return numbers.map((_, index) => {
    const place = Math.floor(index / inFeatures) * width + (index % inFeatures);
    const code = bits === 8 ? codes[place]! : (codes[place >> 1]! >> (4 * (place & 1))) & 15;
    return (code - 2 ** (bits - 1)) * scales[place >> 5]!;
  });
}

/**
 * The model with its products' weights rounded to blocks, computed in float32; `bits` of the
 * blocks' linears, 8 of the head.
 */
async function withBlocks(model: Model, head: string, bits: 4 | 8): Promise<Model> {
  const weights: Model['weights'] = new Map(model.weights);
  for (const { weight, layout, inFeatures, outFeatures, layer } of model.linears) {
    const numbers = await model.read(weight);
    const rows = outputRows(numbers, { layout, inFeatures, outFeatures });
    const rounded = throughBlocks(rows, {
      bits: layer === undefined ? 8 : bits,
      inFeatures,
      outFeatures,
    });
    const data = outputRows(rounded, {
      layout,
      inFeatures: outFeatures,
      outFeatures: inFeatures,
    });
    weights.set(weight, {
      kind: 'memory',
      dtype: 'float32',
      shape: model.weights.get(weight)!.shape,
      data,
    });
  }
  const blocked = view(model, { weights });
  if (!model.architecture.tiedEmbeddings) return blocked;
  // The head alone is rounded, not the table that it shares with the embedding.
  const [outFeatures, inFeatures] = model.weights.get(head)!.shape as [number, number];
  const data = throughBlocks(await model.read(head), { bits: 8, inFeatures, outFeatures });
  wrap(
    blocked,
    'logits',
    'test',
    () => (trace, output) =>
      matMul(
        output.hidden,
        trace.graph.weight('head', {
          kind: 'memory',
          dtype: 'float32',
          shape: model.weights.get(head)!.shape,
          data,
        }),
        { transposeB: true },
      ),
  );
  return blocked;
}

for (const width of [10, 100]) {
  test(`heads of ${width} numbers: the tokens of the model itself, alone and in a batch`, async () => {
    const folder = await wideLlama({ heads: 2, width });
    const session = await openModel(await exported(folder));
    const prompts = [[5, 6, 7, 8], [9]];
    const expected: number[][] = [];
    await withKernel({ model: folder }, async (kernel) => {
      const model = await load(kernel, folder);
      for (const prompt of prompts) {
        const ids = [...prompt];
        for (let made = 0; made < 5; made++) {
          const row = (await logits(kernel, model, ids, 1)).slice(-96);
          ids.push(row.indexOf(row.reduce((most, logit) => Math.max(most, logit))));
        }
        expected.push(ids.slice(prompt.length));
      }
    });
    assert.equal(await greedy(session, [prompts[0]!], 5), [expected[0]]);
    assert.equal(await greedy(session, prompts, 5), expected);
    await session.release();
  });
}

test('a file that ONNX Runtime does not run is no export', async () => {
  const path = join(scratch('trial'), 'model.onnx');
  writeFileSync(path, 'no model');
  await withKernel({}, async (kernel) => {
    const open = kernel.resolve(PORTABLE_SESSION);
    const trial = { path, open, token: 0, contextLength: 8 };
    assert.is((await failure(tryOnnx(trial))).code, 'LMFLOW_ONNX_NOT_RUN');
    const session = await open(join(await exported(await wideLlama()), 'onnx/model.onnx'));
    const broken = async (): ReturnType<typeof open> => ({
      ...session,
      run: async (inputs) => {
        const outputs = new Map(await session.run(inputs));
        return outputs.set('logits', { shape: [1, 1, 1], data: Float32Array.of(Number.NaN) });
      },
    });
    const { code, message } = await failure(tryOnnx({ ...trial, open: broken }));
    assert.is(code, 'LMFLOW_ONNX_NOT_RUN');
    assert.match(message, /not finite/);
  });
});

// The fixtures' positions end before their 64 tokens do; rotary models go on, as transformers does.
for (const [family, known] of Object.entries(cases)) {
  if (family === 'llama-dynamic') continue;
  test(`${family}: transformers' greedy tokens, alone and in a batch of two lengths`, async () => {
    const session = await openModel(
      await exported(modelFolder(family), family === 'gpt2' ? {} : { contextLength: 160 }),
    );
    for (const { prompt, ids } of known) {
      assert.equal(await greedy(session, [prompt], ids.length), [ids]);
    }
    const shortest = Math.min(...known.map(({ ids }) => ids.length));
    assert.equal(
      await greedy(
        session,
        known.map(({ prompt }) => prompt),
        shortest,
      ),
      known.map(({ ids }) => ids.slice(0, shortest)),
    );
    await session.release();
  });
}

test('logits of every token, and of tokens read in pieces, are those of the engine here', async () => {
  const folder = modelFolder('qwen3');
  const ids = [5, 17, 42, 60, 33, 8, 71, 20];
  const session = await openModel(await exported(folder));
  const ones = (count: number): number[] => new Array<number>(count).fill(1);
  const whole = await step(session, [ids], [ones(8)], undefined, 0);
  const first = await step(session, [ids.slice(0, 3)], [ones(3)], undefined, 0);
  const rest = await step(session, [ids.slice(3)], [ones(8)], first.cache, 2);
  await session.release();
  assert.equal(
    [whole, first, rest].map(({ logits: { dims } }) => dims),
    [
      [1, 8, 96],
      [1, 3, 96],
      [1, 2, 96],
    ],
  );
  await withKernel({ model: folder }, async (kernel) => {
    const expected = await logits(kernel, await load(kernel, folder), ids, 1);
    const compare = (found: Float32Array, from: number): void =>
      found.forEach((number, index) =>
        assert.ok(
          Math.abs(number - expected[from * 96 + index]!) < 1e-4,
          `${number}, ${expected[from * 96 + index]}`,
        ),
      );
    compare(whole.logits.data as Float32Array, 0);
    compare(first.logits.data as Float32Array, 0);
    compare(rest.logits.data as Float32Array, 6);
  });
});

test('the files: config and tokenizer beside the model, the chat template where transformers.js looks', async () => {
  const out = await exported(modelFolder('llama'));
  assert.equal(
    readdirSync(out).sort(),
    [
      'chat_template.jinja',
      'config.json',
      'generation_config.json',
      'onnx',
      'tokenizer.json',
      'tokenizer_config.json',
    ].filter((name) => existsSync(join(out, name))),
  );
  assert.equal(readdirSync(join(out, 'onnx')).sort(), ['model.onnx', 'model.onnx_data']);
  assert.equal(json(out, 'config.json')['transformers.js_config'], {
    dtype: 'fp32',
    use_external_data_format: { 'model.onnx': 1 },
  });
  assert.is(json(out, 'tokenizer_config.json')['chat_template'], '{{ messages[0].content }}');
  const session = await openModel(out);
  assert.equal(session.inputNames.slice(0, 6), [
    'input_ids',
    'attention_mask',
    'position_ids',
    'num_logits_to_keep',
    'past_key_values.0.key',
    'past_key_values.0.value',
  ]);
  assert.equal(session.outputNames.slice(0, 3), ['logits', 'present.0.key', 'present.0.value']);
  await session.release();
});

test('f16: weights in half the bytes, computed with in float32', async () => {
  const [whole, half] = [
    await exported(modelFolder('llama-f16')),
    await exported(modelFolder('llama-f16'), { quantization: 'f16' }),
  ];
  const bytes = (folder: string, file: string): number =>
    readFileSync(join(folder, 'onnx', file)).byteLength;
  assert.ok(bytes(half, 'model_fp16.onnx_data') < 0.6 * bytes(whole, 'model.onnx_data'));
  assert.is(
    (json(half, 'config.json')['transformers.js_config'] as { dtype: string }).dtype,
    'fp16',
  );
  const prompts = cases['llama-f16']!.map(({ prompt }) => prompt);
  const [a, b] = [await openModel(whole), await openModel(half, 'model_fp16.onnx')];
  assert.equal(await greedy(b, prompts, 20), await greedy(a, prompts, 20));
});

for (const [quantization, file, bytes] of [
  ['q8', 'model_quantized.onnx', 0.4],
  ['q4', 'model_q4.onnx', 0.32],
] as const) {
  test(`${quantization}: products with blocks, the numbers of GGUF's; embeddings are looked up in float32`, async () => {
    for (const family of ['wide', 'gpt2', 'llama-tied']) {
      const folder = family === 'wide' ? await wideLlama() : modelFolder(family);
      const [whole, small] = [await exported(folder), await exported(folder, { quantization })];
      const size = (out: string, name: string): number =>
        readFileSync(join(out, 'onnx', name)).byteLength;
      if (family === 'wide') {
        assert.ok(
          size(small, `${file}_data`) < bytes * size(whole, 'model.onnx_data'),
          `${size(small, `${file}_data`)} of ${size(whole, 'model.onnx_data')}`,
        );
      }
      const ids = [5, 17, 42, 60, 33, 8, 71, 20];
      const session = await openModel(small, file);
      const found = (await step(session, [ids], [ids.map(() => 1)], undefined, 0)).logits
        .data as Float32Array;
      await session.release();
      await withKernel({ model: folder }, async (kernel) => {
        const model = await load(kernel, folder);
        const head = model.architecture.tiedEmbeddings
          ? [...model.weights.keys()].find((name) => /embed_tokens|wte/.test(name))!
          : 'lm_head.weight';
        const expected = await logits(
          kernel,
          await withBlocks(model, head, quantization === 'q8' ? 8 : 4),
          ids,
          1,
        );
        const rms = (numbers: Float32Array): number =>
          Math.sqrt(numbers.reduce((sum, number) => sum + number * number, 0) / numbers.length);
        const error = rms(found.map((number, index) => number - expected[index]!)) / rms(expected);
        // What is left is that the kernel rounds activations to 8 bits.
        assert.ok(error > 0 && error < 0.05, `${family}: ${error}`);
      });
    }
  });
}

test('several quantizations in one folder: the files of each alone, the first is what is taken by default', async () => {
  const folder = modelFolder('llama-f16');
  const [both, whole, small] = [
    await exported(folder, { quantization: ['q8', 'f32'] }),
    await exported(folder),
    await exported(folder, { quantization: 'q8' }),
  ];
  for (const [alone, file] of [
    [whole, 'model.onnx'],
    [whole, 'model.onnx_data'],
    [small, 'model_quantized.onnx'],
    [small, 'model_quantized.onnx_data'],
  ] as const) {
    assert.ok(
      readFileSync(join(both, 'onnx', file)).equals(readFileSync(join(alone, 'onnx', file))),
      file,
    );
  }
  assert.equal(json(both, 'config.json')['transformers.js_config'], {
    dtype: 'q8',
    use_external_data_format: { 'model_quantized.onnx': 1, 'model.onnx': 1 },
  });
});

test('numbers beyond the size of a file go into the next', async () => {
  const folder = modelFolder('llama');
  const directory = join(scratch('files'), 'out');
  mkdirSync(directory);
  await withKernel({ model: folder }, async (kernel) => {
    const model = await load(kernel, folder);
    const signal = new AbortController().signal;
    const files = await exportOnnx({
      model,
      base: model,
      portableModel: kernel.resolve(PORTABLE_MODEL),
      openSession: kernel.resolve(PORTABLE_SESSION),
      directory,
      quantizations: ['f32'],
      contextLength: 160,
      signal,
      fileBytes: 40_000,
    });
    const data = files.filter((file) => file.includes('_data'));
    assert.equal(data.slice(0, 2), ['onnx/model.onnx_data', 'onnx/model.onnx_data_1']);
    assert.equal(
      (
        json(directory, 'config.json')['transformers.js_config'] as {
          use_external_data_format: unknown;
        }
      ).use_external_data_format,
      { 'model.onnx': data.length },
    );
  });
  const [{ prompt, ids }] = cases['llama'] as [(typeof cases)['llama'][0]];
  assert.equal(await greedy(await openModel(directory), [prompt], ids.length), [ids]);
});

for (const kind of ['llama/head', 'llama-tied/saved-embedding', 'llama-tied/lora-head']) {
  test(`an adapter is merged on the way: ${kind}`, async () => {
    const model = modelFolder(dirname(kind));
    const adapter = join(FIXTURES, 'adapters', kind);
    const outputDir = join(scratch('merged'), 'out');
    await withKernel({ model, outputDir, lora: { adapter } }, async (kernel) => {
      await kernel.run('merge');
    });
    const [straight, merged] = [
      await exported(model, {}, { lora: { adapter } }),
      await exported(outputDir),
    ];
    for (const file of ['model.onnx', 'model.onnx_data']) {
      assert.ok(
        readFileSync(join(straight, 'onnx', file)).equals(readFileSync(join(merged, 'onnx', file))),
        file,
      );
    }
  });
}

test('what cannot be is refused before anything is written', async () => {
  const dynamic = await failure(exported(modelFolder('llama-dynamic')));
  assert.is(dynamic.code, 'LMFLOW_ONNX_UNSUPPORTED');
  assert.match(dynamic.message, 'dynamic');
  assert.is(
    (await failure(exported(modelFolder('llama'), { quantization: 'q4_k_m' }))).code,
    'LMFLOW_EXPORT_FLAG',
  );
  assert.is(
    (await failure(exported(modelFolder('llama'), { format: 'gguf', contextLength: 64 }))).code,
    'LMFLOW_EXPORT_FLAG',
  );
  assert.match((await failure(exported(modelFolder('gpt2'), { contextLength: 64 }))).message, '32');

  // Building functions that write a length down: as a shape, and as a number that looks like any
  // other.
  const wrapped = async (
    mlp: (inner: BuildingFunctions['mlp']) => BuildingFunctions['mlp'],
  ): Promise<{ code: string; message: string }> => {
    const folder = modelFolder('llama');
    const directory = scratch('wrapped');
    const found = await withKernel({ model: folder }, async (kernel) => {
      const model = await load(kernel, folder);
      wrap(model, 'mlp', 'test', mlp);
      return failure(
        exportOnnx({
          model,
          base: model,
          portableModel: kernel.resolve(PORTABLE_MODEL),
          openSession: kernel.resolve(PORTABLE_SESSION),
          directory,
          quantizations: ['f32'],
          signal: new AbortController().signal,
        }),
      );
    });
    assert.equal(readdirSync(directory), []);
    return found;
  };
  const shape = await wrapped((inner) => (trace, x, layer) => {
    const zeros = new Float32Array(trace.batchSize * trace.length);
    return add(inner(trace, x, layer), trace.graph.constant(zeros, [zeros.length, 1], 'float32'));
  });
  assert.is(shape.code, 'LMFLOW_ENGINE_SIZE_FIXED');
  assert.match(shape.message, 'layer.0/add_');
  const number = await wrapped(
    (inner) => (trace, x, layer) => mul(inner(trace, x, layer), 1 / trace.length),
  );
  assert.is(number.code, 'LMFLOW_ONNX_AMBIGUOUS');
});

test("blocks hold the numbers of GGUF's Q4_0 and Q8_0, and a product is what ONNX Runtime computes", () =>
  withKernel({}, async (kernel) => {
    for (const [bits, type] of [
      [4, 'Q4_0'],
      [8, 'Q8_0'],
    ] as const) {
      const attributes = { bits, inFeatures: 64, outFeatures: 48 };
      const numbers = Float32Array.from({ length: 64 * 48 }, (_, index) => Math.sin(index * index));
      assert.equal(
        throughBlocks(numbers, attributes),
        decode(type, TENSOR_TYPES[type].encode(numbers)),
      );
      const { codes, scales } = toBlocks(numbers, attributes);
      const shapes = partShapes(attributes);
      const graph = new Graph();
      const weight = (
        name: string,
        shape: readonly number[],
        data: Uint8Array | Float32Array,
      ): Value =>
        graph.weight(name, {
          kind: 'memory',
          dtype: data instanceof Uint8Array ? 'uint8' : 'float32',
          shape,
          data,
        });
      graph.output(
        'y',
        blockProduct(
          graph.input('x', 'float32', [3, 64]),
          weight('codes', shapes.codes, codes),
          weight('scales', shapes.scales, scales),
          attributes,
        ),
      );
      await checkLowering(
        kernel.resolve(ENGINE),
        graph,
        randomInputs({ x: { shape: [3, 64] } }, 1),
        { tolerance: 0.02 },
      );
    }
  }));

test("the export's own ops mean what ONNX Runtime computes", () =>
  withKernel({}, async (kernel) => {
    for (const [length, past] of [
      [1, 4],
      [3, 0],
      [3, 2],
    ] as const) {
      const graph = new Graph();
      const total = past + length;
      const bias = Array.from({ length: length * total }, (_, index) =>
        index % total > past + Math.floor(index / total) ? -1e30 : index % 3 === 2 ? -1e30 : 0,
      );
      const inputs: TestInputs = {
        q: { shape: [1, length, 4, 8] },
        k: { shape: [1, length, 2, 8] },
        v: { shape: [1, length, 2, 8] },
        keys: { shape: [1, 2, past, 8] },
        values: { shape: [1, 2, past, 8] },
        bias: { shape: [1, 1, length, total], values: bias },
      };
      const values = Object.fromEntries(
        Object.entries(inputs).map(([name, { shape }]) => [
          name,
          graph.input(name, 'float32', shape),
        ]),
      ) as Record<'q' | 'k' | 'v' | 'keys' | 'values' | 'bias', ReturnType<Graph['input']>>;
      carriedAttention(values).forEach((value, index) => {
        graph.output(String(index), value);
      });
      graph.output('places', places(graph, { from: past, to: total }));
      await checkLowering(kernel.resolve(ENGINE), graph, randomInputs(inputs, 1));
    }
    assert.throws(
      () =>
        lastRows(new Graph().input('x', 'float32', [2]), new Graph().input('n', 'int64', []), 1),
      /lastRows/,
    );
  }));

test.run();
