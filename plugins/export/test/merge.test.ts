// Merged models give base + adapter's logits as PEFT computed them; shards, refusals, the PEFT
// export.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EXPORTS, type ExportTask } from '@lmflow/plugin-export';
import inference from '@lmflow/preset-inference';
import { definePlugin } from '@lmflow/sdk';
import { writeFolder } from '@lmflow/sdk/files';
import { readSafetensors } from '@lmflow/sdk/formats';
import { createTestKernel } from 'lmflow/testing';
import { parseSize } from '../src/byte-sizes.ts';
import {
  FIXTURES,
  failure,
  largestDifference,
  load,
  logits,
  modelFolder,
  scratch,
  withKernel,
} from './folders.ts';

const cases = [
  ...readdirSync(join(FIXTURES, 'adapters')).flatMap((family) =>
    readdirSync(join(FIXTURES, 'adapters', family))
      .filter((kind) => !/lora-bias|bias-lora/.test(kind))
      .map((kind) => ({
        family,
        adapter: `adapters/${family}/${kind}`,
        reference: `adapters/${family}/${kind}`,
      })),
  ),
  ...['llama', 'qwen2', 'gpt2'].map((family) => ({
    family,
    adapter: `steps/${family}/lora/final`,
    reference: `steps/${family}/lora`,
  })),
];

for (const { family, adapter, reference } of cases) {
  test(`${adapter} merged into ${family} gives PEFT's logits, from shards`, async () => {
    const outputDir = join(scratch('merge'), 'out');
    const expected = await readSafetensors(join(FIXTURES, reference, 'reference.safetensors'));
    await withKernel(
      { model: modelFolder(family), outputDir, lora: { adapter: join(FIXTURES, adapter) } },
      async (kernel) => {
        const { result } = await kernel.run('merge', {
          options: { maxShardSize: '20KB', prompt: ['the end', 'a'] },
        });
        assert.ok(
          result.logitDifference.largest < 1e-4 && result.logitDifference.largest > 0,
          `difference ${result.logitDifference.largest}`,
        );
        assert.ok(result.logitDifference.sameToken === 1 && result.logitDifference.tokens > 5);
        assert.ok(result.files.filter((file) => file.endsWith('.safetensors')).length > 1);
        assert.ok(existsSync(join(outputDir, 'model.safetensors.index.json')));
      },
    );
    await withKernel({}, async (kernel) => {
      const ids = expected.get('input_ids')!;
      const mask = expected.get('attention_mask')!.data;
      const found = await logits(kernel, await load(kernel, outputDir), ids.data, ids.shape[0]!);
      const difference = largestDifference(found, expected.get('logits')!.data, mask, 96);
      assert.ok(difference < 1e-4, `logits differ by ${difference}`);
    });
  });
}

test('a bias that its linear has no place for is not merged, as in PEFT', async () => {
  const adapter = join(FIXTURES, 'adapters/llama/lora-bias');
  const config = { model: modelFolder('llama'), outputDir: join(scratch('bias'), 'out') };
  await withKernel({ ...config, lora: { adapter } }, async (kernel) => {
    assert.is((await failure(kernel.run('merge'))).code, 'LMFLOW_LORA_BIAS_NOT_MERGED');
  });
});

test('without prompts random tokens are compared; safetensors export writes the same numbers', async () => {
  const [first, second] = [join(scratch('merge'), 'out'), join(scratch('export'), 'out')];
  const config = {
    model: modelFolder('llama'),
    lora: { adapter: join(FIXTURES, 'adapters/llama/plain') },
  };
  await withKernel({ ...config, outputDir: first }, async (kernel, log) => {
    const { result } = await kernel.run('merge');
    assert.is(result.logitDifference.tokens, 64);
    assert.equal(log.texts('warn'), []);
    assert.match(log.texts('event').at(-1)!, /Logits differ from base \+ adapter by at most/);
  });
  await withKernel({ ...config, outputDir: second }, async (kernel) => {
    await kernel.run('export', { options: { format: 'safetensors' } });
  });
  assert.ok(
    readFileSync(join(first, 'model.safetensors')).equals(
      readFileSync(join(second, 'model.safetensors')),
    ),
  );
});

test('peft export gives the adapter back', async () => {
  const [outputDir, adapter] = [
    join(scratch('peft'), 'out'),
    join(FIXTURES, 'adapters/llama/rslora'),
  ];
  await withKernel(
    { model: modelFolder('llama'), outputDir, lora: { adapter } },
    async (kernel) => {
      await kernel.run('export', { options: { format: 'peft' } });
    },
  );
  const [found, expected] = await Promise.all(
    [outputDir, adapter].map((folder) =>
      readSafetensors(join(folder, 'adapter_model.safetensors')),
    ),
  );
  assert.equal([...found!.keys()].sort(), [...expected!.keys()].sort());
  for (const [name, { data }] of expected!) assert.equal(found!.get(name)!.data, data, name);
  assert.is(
    (
      JSON.parse(readFileSync(join(outputDir, 'adapter_config.json'), 'utf8')) as {
        use_rslora: boolean;
      }
    ).use_rslora,
    true,
  );
});

test('what cannot be done is refused by name, and leaves nothing behind', async () => {
  const parent = scratch('refused');
  const outputDir = join(parent, 'out');
  const model = modelFolder('llama');
  const code = async (
    config: Record<string, unknown>,
    command: 'merge' | 'export',
    options: Record<string, unknown> = {},
  ): Promise<string> =>
    withKernel(config, async (kernel) => (await failure(kernel.run(command, { options }))).code);
  assert.is(await code({ outputDir }, 'merge'), 'LMFLOW_SETTING_MISSING');
  assert.is(await code({ model }, 'merge'), 'LMFLOW_SETTING_MISSING');
  assert.is(await code({ model, outputDir }, 'merge'), 'LMFLOW_EXPORT_NO_ADAPTER');
  assert.is(
    await code({ model, outputDir }, 'export', { format: 'peft' }),
    'LMFLOW_EXPORT_NO_ADAPTER',
  );
  assert.is(await code({ model, outputDir }, 'export', { format: 'ggml' }), 'LMFLOW_EXPORT_FORMAT');
  assert.is(
    await code({ model, outputDir }, 'export', { quantization: 'q4_0' }),
    'LMFLOW_EXPORT_FLAG',
  );
  assert.is(
    await code({ model, outputDir }, 'export', { format: 'gguf', maxShardSize: '1GB' }),
    'LMFLOW_EXPORT_FLAG',
  );
  assert.is(
    await code({ model, outputDir }, 'export', { maxShardSize: 'big' }),
    'LMFLOW_EXPORT_SIZE',
  );
  assert.equal(readdirSync(parent), []);
  assert.is(await code({ model, outputDir: model }, 'export'), 'LMFLOW_OUTPUT_NOT_EMPTY');
});

test('sizes', () => {
  assert.equal(['5GB', '1GiB', '200 mb', '1.5kb', '77'].map(parseSize), [
    5e9,
    2 ** 30,
    2e8,
    1500,
    77,
  ]);
});

test('another plugin adds a format, with numbers of its own', async () => {
  const outputDir = join(scratch('export'), 'out');
  const tasks: ExportTask[] = [];
  const third = definePlugin({
    name: 'lmflow-plugin-third',
    version: '1.0.0',
    sdk: '^1.0.0',
    requires: ['@lmflow/plugin-export'],
    apply(context) {
      context.contribute(EXPORTS, {
        name: 'names',
        description: 'the names of the tensors',
        quantizations: { known: ['upper', 'lower'], usual: 'lower' },
        write: async (task) => {
          tasks.push(task);
          return writeFolder(task.outputDir, async (directory) => {
            writeFileSync(join(directory, 'names.txt'), [...task.model.weights.keys()].join());
            return ['names.txt'];
          });
        },
      });
    },
  });
  const { kernel } = await createTestKernel({
    presets: [inference],
    plugins: [third],
    config: { model: modelFolder('llama'), outputDir },
  });
  const code = (options: object): Promise<string> =>
    kernel.run('export', { options: { format: 'names', ...options } }).then(
      () => 'none',
      (error: unknown) => (error as { code: string }).code,
    );
  assert.is(await code({ quantization: 'q4_0' }), 'LMFLOW_EXPORT_FLAG');
  assert.is(await code({ contextLength: 3 }), 'LMFLOW_EXPORT_FLAG');
  const { result } = await kernel.run('export', { options: { format: 'names' } });
  await kernel.close();
  assert.equal(result, { outputDir, files: ['names.txt'], format: 'names' });
  assert.equal(tasks[0]!.quantizations, ['lower']);
  assert.match(readFileSync(join(outputDir, 'names.txt'), 'utf8'), /lm_head|embed_tokens/);
});

test.run();
