// Which plugins are loaded, and in which order; names, presets, files.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { forInference } from '@lmflow/sdk';
import { createKernel } from '../src/index.ts';
import { captureLog, createTestKernel, type TestKernelOptions } from '../src/testing/index.ts';
import { candidates } from '../src/plugins/packages.ts';
import { lora, plugin, pluginModule, project, refuses } from './samples.ts';

async function names(options: TestKernelOptions): Promise<string[]> {
  const { kernel } = await createTestKernel(options);
  await kernel.close();
  return kernel.plugins.map(({ name }) => name);
}

test('the order of the list, presets first, falsy entries skipped, nested lists flattened', async () => {
  const preset = { name: 'p', plugins: [plugin('b'), false, plugin('a')] } as const;
  assert.equal(
    await names({
      plugins: [plugin('d'), null, undefined, [plugin('c')] as never],
      presets: [preset],
    }),
    ['b', 'a', 'd', 'c'],
  );
});

test('after what they require, otherwise as listed', async () => {
  const [a, b, c, d] = [
    plugin('a', undefined, { requires: ['d'] }),
    plugin('b'),
    plugin('c', undefined, { requires: ['a'] }),
    plugin('d'),
  ];
  assert.equal(await names({ plugins: [c, a, b, d] }), ['b', 'd', 'a', 'c']);
  assert.equal(await names({ plugins: [a, b, c, d] }), ['b', 'd', 'a', 'c']);
  assert.equal(await names({ plugins: [b, d, a, c] }), ['b', 'd', 'a', 'c']);
});

test("a later plugin of the same name takes the earlier one's place", async () => {
  const other = plugin('a', undefined, { version: '2.0.0' });
  const preset = { name: 'p', plugins: [plugin('a'), plugin('b')] };
  const { kernel } = await createTestKernel({ presets: [preset], plugins: [other] });
  assert.equal(
    kernel.plugins.map(({ name, version }) => `${name}@${version}`),
    ['a@2.0.0', 'b@1.0.0'],
  );
  await kernel.close();
});

test('what a name may mean', () => {
  assert.equal(candidates('lora', 'preset'), [
    '@lmflow/preset-lora',
    '@lmflow/plugin-lora',
    'lmflow-preset-lora',
    'lmflow-plugin-lora',
    'lora',
  ]);
  assert.equal(candidates('lora', 'plugin')[0], '@lmflow/plugin-lora');
  assert.equal(candidates('@acme/x', 'plugin'), ['@acme/x']);
  assert.equal(candidates('lmflow-plugin-x', 'preset'), ['lmflow-plugin-x']);
});

test('names are found in the project of the config: official, community, plain, ESM-only, a file, TypeScript', async () => {
  const manifest = (name: string, exports: unknown): string =>
    JSON.stringify({ name, version: '1.0.0', type: 'module', exports });
  const files: Record<string, string> = {
    'app/lmflow.config.json': JSON.stringify({
      presets: ['mix'],
      plugins: ['one', 'two', 'plain', './local.ts'],
    }),
    'app/local.ts': 'import { made } from "./inner.ts";\nexport default made as object;\n',
    'app/inner.ts':
      'export const made: object = { name: "local", version: "1.0.0", sdk: "*", apply() {} };\n',
    'node_modules/@lmflow/plugin-one/package.json': manifest('@lmflow/plugin-one', {
      '.': { types: './x.d.ts', default: './index.js' },
    }),
    'node_modules/@lmflow/plugin-one/index.js': pluginModule('@lmflow/plugin-one'),
    'node_modules/lmflow-plugin-two/package.json': manifest('lmflow-plugin-two', {
      '.': { import: './esm.js' },
    }),
    'node_modules/lmflow-plugin-two/esm.js': pluginModule('lmflow-plugin-two'),
    'node_modules/plain/package.json': JSON.stringify({ name: 'plain', main: 'main.cjs' }),
    'node_modules/plain/main.cjs':
      'module.exports = { name: "plain", version: "1.0.0", sdk: "^1.0.0", apply() {} };',
    'node_modules/lmflow-preset-mix/package.json': manifest('lmflow-preset-mix', './index.js'),
    'node_modules/lmflow-preset-mix/index.js':
      'export default { name: "lmflow-preset-mix", plugins: ["one"], config: { seed: 5 } };',
  };
  const { folder, remove } = project(files, false);
  try {
    const kernel = await createKernel(undefined, { cwd: `${folder}/app`, log: captureLog() });
    assert.equal(
      kernel.plugins.map(({ name }) => name),
      ['@lmflow/plugin-one', 'lmflow-plugin-two', 'plain', 'local'],
    );
    assert.is(kernel.config.seed, 5);
    assert.equal(
      kernel.presets.map(({ name }) => name),
      ['lmflow-preset-mix'],
    );
    await kernel.close();
  } finally {
    remove();
  }
});

test('a preset brings a plugin for inference; another list brings it for training', async () => {
  const trained: string[] = [];
  const method = plugin('@lmflow/plugin-method', ({ hooks }) => {
    hooks.onModelLoad.tap('adapters', (_model, { purpose }) => {
      trained.push(purpose);
    });
  });
  const inference = { name: 'inference', plugins: [plugin('a'), forInference(method)] };
  const load = async (options: TestKernelOptions): Promise<string[]> => {
    trained.length = 0;
    const { kernel } = await createTestKernel(options);
    for (const purpose of ['training', 'inference']) {
      await kernel.hooks.onModelLoad.promise({} as never, { purpose } as never);
    }
    await kernel.close();
    return [...trained];
  };
  const training = { name: 'training', plugins: [method] };
  assert.equal(await load({ presets: [inference] }), ['inference']);
  const both = ['training', 'inference'];
  assert.equal(await load({ presets: [inference, training] }), both);
  assert.equal(await load({ presets: [training, inference] }), both);
  assert.equal(await load({ presets: [inference], plugins: [method] }), both);
});

test('options of a plugin that is there for inference only are refused in training', async () => {
  const tapping = plugin(
    '@lmflow/plugin-lora',
    ({ hooks }) => hooks.onModelLoad.tap('adapters', () => undefined),
    { options: lora().options! },
  );
  const preset = { name: 'inference', plugins: [forInference(tapping)], config: { seed: 1 } };
  const { kernel } = await createTestKernel({
    presets: [preset],
    config: { lora: { r: 8 } },
  });
  await refuses('LMFLOW_PLUGIN_INFERENCE_ONLY', /lora\.r is set \(.*\), but .*"lora"/s, () =>
    kernel.hooks.onModelLoad.promise({} as never, { purpose: 'training' } as never),
  );
  await kernel.close();
});

test('a plugin of a preset is left out by name', async () => {
  const preset = { name: 'p', plugins: [plugin('@lmflow/plugin-a'), plugin('b')] };
  assert.equal(await names({ presets: [preset], plugins: ['!a'] }), ['b']);
  assert.equal(await names({ presets: [preset], plugins: ['!b'] }), ['@lmflow/plugin-a']);
  await refuses('LMFLOW_PLUGIN_LEFT_OUT', /"!c", listed in/, () =>
    createTestKernel({ presets: [preset], plugins: ['!c'] }),
  );
  await refuses('LMFLOW_PLUGIN_REQUIRES_MISSING', /c requires b/, () =>
    createTestKernel({
      presets: [preset],
      plugins: [plugin('c', undefined, { requires: ['b'] }), '!b'],
    }),
  );
});

test.run();
