// Quantized folders: what the command writes computes as the cached quantization does, what another
// program wrote gives its logits; adapters, merging and exports on them.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { GENERATOR, MODELS, SCORER } from '@lmflow/sdk';
import { readSafetensors } from '@lmflow/sdk/formats';
import inference from '@lmflow/preset-inference';
import type { QuantizeResult } from '../src/command.ts';
import { fixtureFolder, root, shared, temporary, wideFolder } from './folders.ts';

const ids = Int32Array.from({ length: 12 }, (_, index) => (index * 7) % 90);

interface Found {
  readonly logits: Float32Array;
  readonly greedy: readonly number[];
}

/** Logits of `ids`, and what follows them greedily. */
async function computed(
  source: string,
  config: Record<string, unknown> = {},
  row = ids,
): Promise<Found> {
  const { kernel } = await createTestKernel({ presets: [inference], config });
  try {
    const model = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'inference', source });
    const run = kernel.resolve(SCORER).open(model);
    const logits = await run.logits(row);
    await run.dispose();
    const [answer] = await kernel.resolve(GENERATOR).inference({
      model,
      prompt: row.slice(0, 8),
      options: { maxNewTokens: 16, doSample: false, eosTokenId: [] },
    });
    return { logits, greedy: [...answer!.ids] };
  } finally {
    await kernel.close();
  }
}

async function command<T>(
  name: string,
  config: Record<string, unknown>,
  options: Record<string, unknown> = {},
): Promise<{ readonly result: T; readonly warnings: string }> {
  const { kernel, log } = await createTestKernel({ presets: [inference], config });
  try {
    return {
      result: (await kernel.run(name as 'quantize', { options })).result as T,
      warnings: log.texts('warn').join('\n'),
    };
  } finally {
    await kernel.close();
  }
}

const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: { code: string }) => error.code,
  );
const apart = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, number, index) => Math.max(most, Math.abs(number - b[index]!)), 0);
const files = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.bin'),
  );

/**
 * The family's fixture quantized into a folder; blocks of 16 do not divide the 56 columns of
 * down_proj.
 */
async function written(
  family: string,
  quantize: Record<string, unknown>,
): Promise<{
  readonly source: string;
  readonly folder: string;
  readonly result: QuantizeResult;
  readonly warnings: string;
}> {
  const [source, folder] = [fixtureFolder(`families/${family}`), join(temporary('out'), 'model')];
  return {
    source,
    folder,
    ...(await command<QuantizeResult>('quantize', {
      model: source,
      outputDir: folder,
      quantize: { blockSize: 16, ...quantize },
    })),
  };
}

const cases: readonly { readonly family: string; readonly quantize: Record<string, unknown> }[] = [
  { family: 'llama', quantize: { bits: 4 } },
  { family: 'llama', quantize: { bits: 8, symmetric: false, headBits: 4 } },
  { family: 'llama', quantize: { bits: 4, symmetric: false, exclude: ['o_proj'] } },
  { family: 'llama-tied', quantize: { bits: 8 } },
  { family: 'llama-bf16', quantize: { bits: 4, headBits: 'float' } },
  { family: 'qwen2', quantize: { bits: 4 } },
];
for (const { family, quantize } of cases) {
  test(`${family}, ${JSON.stringify(quantize)}: the folder computes as the cache does, without the float model`, async () => {
    const { source, folder, result, warnings } = await written(family, quantize);
    assert.match(
      warnings,
      /2 matrices stay in floating point \(down_proj\): blocks of 16 do not divide their 56 columns/,
    );
    assert.is(result.outputDir, folder);
    assert.equal([...result.files!].sort(), readdirSync(folder).sort());
    const exclude = [...((quantize['exclude'] as string[] | undefined) ?? []), 'down_proj'];
    const expected = await computed(source, {
      quantize: { blockSize: 16, ...quantize, exclude, cacheDir: temporary('cache') },
    });
    const cacheDir = temporary('unused');
    const found = await computed(folder, { quantize: { cacheDir } });
    assert.equal([found.greedy, apart(found.logits, expected.logits)], [expected.greedy, 0]);
    // Zero points are laid out in another way; everything else is mapped where it lies.
    assert.is(files(cacheDir).length > 0, quantize['symmetric'] === false);
    const lora = { adapter: join(root, 'test/fixtures/adapters/llama/plain') };
    if (family !== 'llama') return;
    const adapted = await computed(folder, { quantize: { cacheDir }, lora });
    assert.is(
      apart(
        adapted.logits,
        (
          await computed(source, {
            quantize: { blockSize: 16, ...quantize, exclude, cacheDir: temporary('cache') },
            lora,
          })
        ).logits,
      ),
      0,
    );
    assert.ok(apart(adapted.logits, found.logits) > 1e-3, 'the adapter counts');
  });
}

test('config.json says what a reader needs: groups, a group of its own for the head, what stays float, no tied head', async () => {
  const config = (folder: string): Record<string, unknown> =>
    JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
  const { quantization_config: section, tie_word_embeddings: tied } = config(
    (await written('llama-tied', { bits: 4 })).folder,
  );
  const weights = {
    num_bits: 4,
    type: 'int',
    symmetric: true,
    strategy: 'group',
    group_size: 16,
    dynamic: false,
  };
  assert.is(tied, false);
  assert.equal(section, {
    quant_method: 'compressed-tensors',
    format: 'pack-quantized',
    quantization_status: 'compressed',
    config_groups: {
      group_0: { targets: ['Linear'], weights, input_activations: null, output_activations: null },
      group_1: {
        targets: ['lm_head'],
        weights: { ...weights, num_bits: 8 },
        input_activations: null,
        output_activations: null,
      },
    },
    ignore: ['model.layers.0.mlp.down_proj', 'model.layers.1.mlp.down_proj'],
    kv_cache_scheme: null,
  });
  const float = config((await written('llama-tied', { bits: 4, headBits: 'float' })).folder);
  assert.is(float['tie_word_embeddings'], true);
  assert.ok((float['quantization_config'] as { ignore: string[] }).ignore.includes('lm_head'));
});

test('blocks of 64, and of 32 where 64 do not divide a row: groups of their own, and the folder computes as the cache does', async () => {
  const [source, folder] = [await wideFolder(), join(temporary('out'), 'model')];
  const { result, warnings } = await command<QuantizeResult>('quantize', {
    model: source,
    outputDir: folder,
    quantize: { bits: 4 },
  });
  assert.equal([warnings, result.matrices], ['', 15]);
  const {
    quantization_config: { config_groups: groups },
  } = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as {
    readonly quantization_config: {
      readonly config_groups: Record<
        string,
        { readonly targets: string[]; readonly weights: Record<string, unknown> }
      >;
    };
  };
  assert.equal(
    Object.values(groups).map(({ targets, weights }) => [
      targets,
      weights['num_bits'],
      weights['group_size'],
    ]),
    [
      [['Linear'], 4, 64],
      [['model.layers.0.mlp.down_proj', 'model.layers.1.mlp.down_proj'], 4, 32],
      [['lm_head'], 8, 64],
    ],
  );
  const expected = await computed(source, { quantize: { bits: 4, cacheDir: temporary('cache') } });
  const found = await computed(folder, { quantize: { cacheDir: temporary('unused') } });
  assert.equal([found.greedy, apart(found.logits, expected.logits)], [expected.greedy, 0]);
});

test('a folder of another program: its logits and its 16 greedy tokens, every way of packing, scales of 16 bits', async () => {
  const folder = fixtureFolder('packed/llama');
  const reference = await readSafetensors(
    join(root, 'test/fixtures/packed/llama/reference.safetensors'),
  );
  const [rows, expected, greedy] = ['input_ids', 'logits', 'greedy'].map(
    (name) => reference.get(name)!.data,
  ) as [Float32Array, Float32Array, Float32Array];
  for (const row of [0, 1]) {
    const found = await computed(
      folder,
      { quantize: { activations: 'float', cacheDir: temporary('cache') } },
      Int32Array.from(rows.subarray(row * 24, row * 24 + 24)),
    );
    assert.ok(apart(found.logits, expected.subarray(row * 24 * 96, (row + 1) * 24 * 96)) < 1e-4);
    assert.equal(found.greedy, [...greedy.subarray(row * 16, row * 16 + 16)]);
  }
});

test('perplexity is reported of the folder read back; what cannot be is an error', async () => {
  const { source, folder } = await written('llama', { bits: 4 });
  const text = join(source, 'text.txt');
  writeFileSync(text, [...ids].map((id) => `t${id}`).join(' '));
  const out = join(temporary('out'), 'again');
  const quantize = { bits: 4, blockSize: 16 };
  const { result } = await command<QuantizeResult>(
    'quantize',
    { model: source, outputDir: out, quantize },
    { text },
  );
  assert.is(result.perplexity!.tokens, 11);
  const cached = await command<QuantizeResult>(
    'quantize',
    {
      model: source,
      quantize: { ...quantize, exclude: ['down_proj'], cacheDir: temporary('cache') },
    },
    { text },
  );
  assert.equal([result.perplexity, result.bytes], [cached.result.perplexity, cached.result.bytes]);
  assert.is(
    await code(command('quantize', { model: source, outputDir: out, quantize })),
    'LMFLOW_OUTPUT_NOT_EMPTY',
  );
  assert.is(
    await code(command('quantize', { model: folder, outputDir: `${out}2`, quantize })),
    'LMFLOW_QUANTIZE_ALREADY',
  );
  assert.is(
    await code(command('quantize', { model: folder, quantize })),
    'LMFLOW_QUANTIZE_ALREADY',
  );
  assert.is(
    await code(
      command('quantize', {
        model: fixtureFolder('families/gpt2'),
        outputDir: `${out}3`,
        quantize,
      }),
    ),
    'LMFLOW_QUANTIZE_LAYOUT',
  );
  assert.not(existsSync(`${out}3`));
  assert.is(
    await code(
      command('quantize', {
        model: source,
        outputDir: `${out}4`,
        quantize: { ...quantize, blockSize: 64 },
      }),
    ),
    'LMFLOW_QUANTIZE_NOTHING',
  );
});

test('merging an adapter into a quantized folder, and exports of it, take the numbers of its codes', async () => {
  const { folder } = await written('llama', { bits: 4 });
  const lora = { adapter: join(root, 'test/fixtures/adapters/llama/plain') };
  const merged = join(temporary('out'), 'merged');
  const quantize = { activations: 'float', cacheDir: temporary('cache') };
  const { result, warnings } = await command<{ logitDifference: { largest: number } }>('merge', {
    model: folder,
    outputDir: merged,
    lora,
    quantize,
  });
  assert.ok(result.logitDifference.largest < 1e-4, `difference ${result.logitDifference.largest}`);
  assert.is(warnings, '');
  assert.ok(
    apart((await computed(merged)).logits, (await computed(folder, { lora, quantize })).logits) <
      1e-4,
  );
  assert.is(
    (
      await command('merge', {
        model: folder,
        outputDir: join(temporary('out'), 'merged'),
        lora,
        quantize: { cacheDir: quantize.cacheDir },
      })
    ).warnings,
    '',
    'what rounding activations costs is no fault',
  );
  const float = join(temporary('out'), 'float');
  await command('export', { model: folder, outputDir: float, quantize }, { format: 'safetensors' });
  assert.ok(
    apart((await computed(float)).logits, (await computed(folder, { quantize })).logits) < 1e-4,
  );
  for (const quantization of ['f32', 'q4']) {
    const [onnx, same] = [join(temporary('out'), 'onnx'), join(temporary('out'), 'onnx')];
    await command(
      'export',
      { model: folder, outputDir: onnx, quantize },
      { format: 'onnx', quantization },
    );
    await command('export', { model: float, outputDir: same }, { format: 'onnx', quantization });
    for (const file of readdirSync(join(onnx, 'onnx'))) {
      assert.equal(
        readFileSync(join(onnx, 'onnx', file)),
        readFileSync(join(same, 'onnx', file)),
        file,
      );
    }
  }
});

if (existsSync(shared)) {
  test('stories260k from a folder of 4 bits tells what the cached one tells', async () => {
    const [source, folder] = [
      join(shared, 'models/stories260k'),
      join(temporary('out'), 'stories'),
    ];
    await command('quantize', { model: source, outputDir: folder, quantize: { bits: 4 } });
    const row = Int32Array.from([1, 403, 407, 261, 378, 432, 388, 383]);
    const expected = await computed(
      source,
      { quantize: { bits: 4, exclude: ['down_proj'], cacheDir: temporary('cache') } },
      row,
    );
    const found = await computed(folder, {}, row);
    assert.equal([found.greedy, apart(found.logits, expected.logits)], [expected.greedy, 0]);
  });
} else {
  process.stderr.write('skipped: no ../shared\n');
}

test.run();
