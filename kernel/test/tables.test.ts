// Registries: rows of several plugins, who they are from, and the engine that is chosen.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ENGINE, ENGINES, registry, type Engine, type PluginContext } from '@lmflow/sdk';
import { createTestKernel } from '../src/testing/index.ts';
import { plugin, refuses } from './samples.ts';

interface Colour {
  readonly name: string;
  readonly hue: number;
}

const COLOURS = registry<Colour>('test:colours', 'colour');

const adds = (name: string, ...rows: Colour[]) =>
  plugin(name, (context) => {
    for (const row of rows) context.contribute(COLOURS, row);
  });

const engine = (plugged: string, name: string) =>
  plugin(plugged, (context) => {
    context.contribute(ENGINES, { name, create: () => ({ name }) as Engine });
  });

test('rows of all plugins, in their order, with who they are from', async () => {
  let context: PluginContext | undefined;
  const reader = plugin('reader', (given) => {
    context = given;
  });
  const { kernel } = await createTestKernel({
    plugins: [
      reader,
      adds('a', { name: 'red', hue: 0 }),
      adds('b', { name: 'blue', hue: 240 }, { name: 'green', hue: 120 }),
    ],
  });
  const rows = context!.rows(COLOURS);
  assert.equal(rows.names(), ['red', 'blue', 'green']);
  assert.equal(
    [...kernel.rows(COLOURS)].map(({ hue }) => hue),
    [0, 240, 120],
  );
  assert.equal([rows.size, rows.has('red'), rows.get('blue')?.hue], [3, true, 240]);
  assert.equal([rows.get('pink'), rows.has('pink')], [undefined, false]);
  assert.equal([rows.pluginOf('green'), rows.pluginOf('pink')], ['b', undefined]);
  assert.equal(kernel.contributions('b'), ['colour blue', 'colour green']);
  assert.is(kernel.rows(registry('test:others', 'other')).size, 0);
  await kernel.close();
});

test('two kernels share no rows', async () => {
  const [first, second] = await Promise.all(
    ['a', 'b'].map((name) => createTestKernel({ plugins: [adds(name, { name, hue: 1 })] })),
  );
  assert.equal(first!.kernel.rows(COLOURS).names(), ['a']);
  assert.equal(second!.kernel.rows(COLOURS).names(), ['b']);
  await first!.kernel.close();
  await second!.kernel.close();
});

test('two rows of one name: LMFLOW_ROW_DUPLICATE names both plugins', async () => {
  const row = { name: 'red', hue: 0 };
  await refuses('LMFLOW_ROW_DUPLICATE', /the colour "red" .* both a and b/, () =>
    createTestKernel({ plugins: [adds('a', row), adds('b', row)] }),
  );
});

test('what is no registry or no row is refused', async () => {
  await refuses('LMFLOW_PLUGIN_INVALID', /a: contribute\(\) needs a registry/, () =>
    createTestKernel({
      plugins: [
        plugin('a', (context) => {
          context.contribute('colours' as never, { name: 'red' });
        }),
      ],
    }),
  );
  await refuses('LMFLOW_PLUGIN_INVALID', /a: the colour it contributes has no name/, () =>
    createTestKernel({ plugins: [adds('a', { hue: 3 } as Colour)] }),
  );
});

test('rows come in apply() and are read afterwards', async () => {
  let context: PluginContext | undefined;
  const plugins = [
    plugin('a', (given) => {
      context = given;
    }),
  ];
  const { kernel } = await createTestKernel({ plugins });
  await refuses('LMFLOW_KERNEL_FROZEN', /contribute\(\)/, () => {
    context!.contribute(COLOURS, { name: 'red', hue: 0 });
  });
  await kernel.close();
  await refuses('LMFLOW_LIFECYCLE', /rows\(test:colours\)/, () =>
    createTestKernel({
      plugins: [
        plugin('a', (given) => {
          given.rows(COLOURS);
        }),
      ],
    }),
  );
});

test('the engine: the first, the one that is named, or an error that names those there are', async () => {
  const plugins = [engine('a', 'one'), engine('b', 'two')];
  const first = await createTestKernel({ plugins });
  assert.is(first.kernel.resolve(ENGINE).name, 'one');
  await first.kernel.close();
  const named = await createTestKernel({ plugins, config: { engine: 'two' } });
  assert.is(named.kernel.resolve(ENGINE).name, 'two');
  await named.kernel.close();
  const wrong = await createTestKernel({ plugins, config: { engine: 'three' } });
  await refuses('LMFLOW_ENGINE_UNKNOWN', /"three" \(loaded: one, two\)/, () =>
    wrong.kernel.resolve(ENGINE),
  );
  await wrong.kernel.close();
});

test('a plugin that provides ENGINE itself is used as it is', async () => {
  const own = plugin('own', (context) => {
    context.provide(ENGINE, () => ({ name: 'own' }) as Engine);
  });
  const { kernel } = await createTestKernel({ plugins: [engine('a', 'one'), own] });
  assert.is(kernel.resolve(ENGINE).name, 'own');
  await kernel.close();
});

test.run();
