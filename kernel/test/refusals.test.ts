// Values under refused names that ask for what happens anyway: accepted as keys, as flags and as
// options of a command, without effect; every other value is refused.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { createTestKernel } from 'lmflow/testing';
import { readFlags } from '../src/settings/flags.ts';
import { buildKeyTable } from '../src/settings/keys.ts';
import { lora, plugin, refuses } from './samples.ts';

const half = plugin('half', undefined, {
  options: {
    schema: z.object({}),
    unsupported: {
      bf16: { reason: 'it is float32', accepts: [false] },
      saveSafetensors: { reason: 'it is always so', accepts: [true] },
      fsdp: { reason: 'one device', accepts: ['', [], null] },
      loadIn4bit: { reason: 'a preset', accepts: [false], unless: ['lora'] },
    },
  },
});
const inSection = plugin('eight', undefined, {
  options: {
    section: 'eight',
    schema: z.object({ size: z.number().default(1).describe('A size.') }),
    unsupported: { threshold: { reason: 'no outliers', accepts: [0] } },
  },
});
const plugins = [half, inSection];
const table = buildKeyTable(plugins);
const spec = {
  name: 'fit',
  summary: '',
  options: z.object({ tag: z.string().optional() }),
  unsupported: { beams: { reason: 'there is one', accepts: [1] } },
  run: async () => undefined,
};

for (const config of [
  { bf16: false },
  { saveSafetensors: true },
  { save_safetensors: true },
  { fsdp: '' },
  { fsdp: [] },
  { fsdp: null },
  { load_in_4bit: false },
  { eight: { threshold: 0 } },
]) {
  test(`accepted, without effect: ${JSON.stringify(config)}`, async () => {
    const { kernel } = await createTestKernel({ plugins, config });
    const plain = await createTestKernel({ plugins });
    const key = Object.keys(config)[0]!;
    assert.equal(kernel.config, plain.kernel.config);
    assert.not(key !== 'eight' && key in kernel.config);
    await kernel.close();
    await plain.kernel.close();
  });
}

for (const [config, says] of [
  [{ bf16: true }, /"bf16".*float32/],
  [{ bf16: 0 }, /"bf16".*float32/],
  [{ saveSafetensors: false }, /"saveSafetensors".*always so/],
  [{ fsdp: 'full_shard' }, /"fsdp".*one device/],
  [{ eight: { threshold: 6 } }, /"eight\.threshold".*no outliers/],
] as const) {
  test(`refused: ${JSON.stringify(config)}`, async () => {
    await refuses('LMFLOW_OPTION_UNSUPPORTED', says, () => createTestKernel({ plugins, config }));
  });
}

test('a value that a loaded section makes untrue is refused', async () => {
  const config = { loadIn4bit: false };
  await refuses('LMFLOW_OPTION_UNSUPPORTED', /"loadIn4bit".*a preset/, () =>
    createTestKernel({ plugins: [...plugins, lora()], config }),
  );
});

for (const words of [
  ['--bf16', 'false'],
  ['--bf16=false'],
  ['--no-bf16'],
  ['--bf16', '--no-bf16'],
  ['--save-safetensors'],
  ['--save_safetensors', 'true'],
  ['--no-load-in-4bit'],
  ['--load_in_4bit', 'false'],
  ['--fsdp', ''],
  ['--eight-threshold', '0'],
  ['--beams', '1'],
]) {
  test(`accepted, without effect: ${words.join(' ')}`, () => {
    const typed = readFlags([...words, '--tag', 'x'], table, spec);
    assert.equal([...typed.settings], []);
    assert.equal(typed.options, { tag: 'x' });
    assert.equal(typed.positionals, []);
  });
}

for (const [words, says] of [
  [['--bf16'], /"bf16" \(from --bf16\).*float32/],
  [['--bf16', 'true'], /"bf16" \(from --bf16\)/],
  [['--no-save-safetensors'], /"saveSafetensors" \(from --no-save-safetensors\)/],
  [['--fsdp', 'full_shard'], /"fsdp"/],
  [['--eight-threshold', '6.0'], /threshold.*no outliers/],
  [['--beams', '2'], /"beams".*there is one/],
] as const) {
  test(`refused: ${words.join(' ')}`, async () => {
    await refuses('LMFLOW_OPTION_UNSUPPORTED', says, () => readFlags(words, table, spec));
  });
}

test("a command's options given by an application", async () => {
  const runs = plugin('runs', (context) => {
    context.command({
      ...spec,
      examples: ['lmflow fit'],
      run: ({ options }) => Promise.resolve({ result: options }),
    });
  });
  const { kernel } = await createTestKernel({ plugins: [runs] });
  const run = (beams: number): Promise<unknown> => kernel.run('fit', { options: { beams } });
  assert.equal(((await run(1)) as { result: unknown }).result, {});
  await refuses('LMFLOW_OPTION_UNSUPPORTED', /"beams".*there is one/, () => run(2));
  await kernel.close();
});

test('rows that are neither a reason nor a reason with values: LMFLOW_PLUGIN_INVALID', async () => {
  for (const row of [false, { accepts: [false] }, { reason: 'x', accepts: false }]) {
    const options = { schema: z.object({}), unsupported: { bf16: row } as never };
    await refuses(
      'LMFLOW_PLUGIN_INVALID',
      /options\.unsupported must be an object of reasons/,
      () => createTestKernel({ plugins: [plugin('odd', undefined, { options })] }),
    );
  }
});

test.run();
