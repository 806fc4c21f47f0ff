// Precedence, origins, sections, aliases, onConfig: what becomes of values between their source and
// the parsed configuration.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { definePlugin, definePreset, type PartialConfig } from '@lmflow/sdk';
import { z } from 'zod';
import { createTestKernel, type TestKernelOptions } from '../src/testing/index.ts';
import { lora, plugin, refuses, trainer } from './samples.ts';

// The samples' keys are not those that the real plugins declare, so values are untyped here.
type Untyped = Omit<TestKernelOptions, 'config'> & { readonly config?: object };

async function settings(options: Untyped): Promise<Record<string, readonly [unknown, string]>> {
  const { kernel } = await createTestKernel(options as TestKernelOptions);
  const report = kernel.inspect();
  await kernel.close();
  return Object.fromEntries(
    report.settings.map(({ key, value, origin }) => [key, [value, origin] as const]),
  );
}

const untyped = (config: object): PartialConfig => config as PartialConfig;
const preset = definePreset({
  name: 'p',
  plugins: [trainer(), lora({ r: 4 })],
  config: untyped({ learningRate: 1e-3, packing: false, lora: { bias: 'all' } }),
});
const argument = 'arguments of @lmflow/plugin-lora in createKernel()';

test('default < preset < config < factory arguments < flag, each with its origin', async () => {
  const found = await settings({
    presets: [preset],
    plugins: [lora({ loraAlpha: 3, targetModules: ['q'] })],
    config: { learningRate: 2e-3, lora: { loraAlpha: 2, targetModules: ['k'] } },
    flags: ['--lora-target-modules', 'v', '--seed', '7'],
  });
  assert.equal(found, {
    learningRate: [2e-3, 'createKernel()'],
    packing: [false, 'preset p'],
    fp16: [false, 'default'],
    lrSchedulerType: ['linear', 'default'],
    reportTo: [[], 'default'],
    warmup: [0, 'default'],
    seed: [7, '--seed'],
    'lora.r': [8, 'default'],
    'lora.bias': ['all', 'preset p'],
    'lora.loraAlpha': [3, argument],
    'lora.targetModules': [['v'], '--lora-target-modules'],
    deviceCheck: [true, 'default'],
  });
});

test("a preset's factory arguments are as strong as the preset: the config wins", async () => {
  const found = await settings({ presets: [preset], config: { lora: { r: 6 } } });
  assert.equal(found['lora.r'], [6, 'createKernel()']);
  assert.equal((await settings({ presets: [preset] }))['lora.r'], [
    4,
    'arguments of @lmflow/plugin-lora in preset p',
  ]);
});

test('a preset around a preset is the stronger one, and a later preset than an earlier', async () => {
  const outer = definePreset({ name: 'outer', plugins: [preset], config: { learningRate: 5 } });
  assert.equal((await settings({ presets: [outer] }))['learningRate'], [5, 'preset outer']);
  const later = definePreset({ name: 'later', plugins: [], config: { learningRate: 6 } });
  assert.equal((await settings({ presets: [outer, later] }))['learningRate'], [6, 'preset later']);
});

test('a preset among plugins is no stronger than the config', async () => {
  assert.equal(
    (await settings({ plugins: [preset], config: { learningRate: 3 } }))['learningRate'],
    [3, 'createKernel()'],
  );
});

test('a section may be true, or an object; aliases stand for their keys', async () => {
  assert.equal((await settings({ plugins: [lora()], config: { lora: true } }))['lora.r'], [
    8,
    'default',
  ]);
  assert.equal(
    (await settings({ plugins: [lora()], config: { lora: { alpha: 5 } } }))['lora.loraAlpha'],
    [5, 'createKernel()'],
  );
  assert.equal((await settings({ plugins: [trainer()], config: { lr: 5 } }))['learningRate'], [
    5,
    'createKernel()',
  ]);
});

test("of alternatives the stronger place's is taken; two from one place are an error", async () => {
  const warming = plugin('warming', undefined, {
    options: {
      schema: z.object({
        steps: z.number().default(0),
        ratio: z.number().optional(),
        rest: z.number().default(1),
      }),
      alternatives: [['steps', 'ratio']],
    },
  });
  const inner = plugin('inner', undefined, {
    options: {
      section: 'inner',
      schema: z.object({ a: z.number().optional(), b: z.number().optional() }),
      alternatives: [['a', 'b']],
    },
  });
  const both = definePreset({
    name: 'both',
    plugins: [warming, inner],
    config: untyped({ steps: 0.03, rest: 2, inner: { a: 1 } }),
  });
  const chosen = async (config: object, flags: string[] = []): Promise<unknown[]> => {
    const found = await settings({ presets: [both], config, flags });
    return ['steps', 'ratio', 'rest', 'inner.a', 'inner.b'].map((key) => found[key]?.[0]);
  };
  assert.equal(await chosen({}), [0.03, undefined, 2, 1, undefined]);
  assert.equal(await chosen({ ratio: 0.1, inner: { b: 3 } }), [0, 0.1, 2, undefined, 3]);
  assert.equal(await chosen({ ratio: 0.1 }, ['--steps', '7']), [7, undefined, 2, 1, undefined]);
  assert.equal(await chosen({ steps: 7 }, ['--ratio', '0']), [0, 0, 2, 1, undefined]);
  await refuses(
    'LMFLOW_CONFIG_INVALID',
    /steps and ratio \(from createKernel\(\)\) exclude each other/,
    () => chosen({ steps: 1, ratio: 0.1 }),
  );
  await refuses(
    'LMFLOW_CONFIG_INVALID',
    /ratio and steps \(from --ratio and --steps\)|steps and ratio \(from --steps and --ratio\)/,
    () => chosen({}, ['--ratio', '0.1', '--steps', '3']),
  );
});

test('an alias in one layer and the key in another are one key', async () => {
  assert.equal(
    (await settings({ plugins: [trainer()], config: { lr: 5 }, flags: ['--learning-rate', '6'] }))[
      'learningRate'
    ],
    [6, '--learning-rate'],
  );
});

test('a section with a key "enabled" takes true and false', async () => {
  const flash = plugin('flash', undefined, {
    options: {
      section: 'flashAttention',
      schema: z.object({ enabled: z.boolean().default(true), window: z.int().optional() }),
    },
  });
  assert.equal(
    (await settings({ plugins: [flash], config: { flashAttention: false } }))[
      'flashAttention.enabled'
    ],
    [false, 'createKernel()'],
  );
  assert.equal(
    (
      await settings({
        plugins: [flash],
        config: { flashAttention: false },
        flags: ['--flash-attention'],
      })
    )['flashAttention.enabled'],
    [true, '--flash-attention'],
  );
  assert.equal(
    (await settings({ plugins: [flash], flags: ['--no-flash-attention'] }))[
      'flashAttention.enabled'
    ],
    [false, '--no-flash-attention'],
  );
});

test('a loose section keeps keys it does not name', async () => {
  const loose = plugin('loose', undefined, {
    options: { section: 'extra', schema: z.looseObject({ a: z.number().default(1) }) },
  });
  const { kernel } = await createTestKernel({
    plugins: [loose],
    config: { extra: { b: 2 } },
    flags: ['--extra-c-d', '3'],
  });
  assert.equal(kernel.config['extra'], { a: 1, b: 2, cD: 3 });
  await kernel.close();
});

test('undefined is not given', async () => {
  assert.equal(
    (await settings({ plugins: [trainer()], config: { learningRate: undefined } }))['learningRate'],
    [5e-5, 'default'],
  );
});

test('onConfig changes values before they are parsed; what it changed has its plugin as origin', async () => {
  const adjust = plugin('adjust', ({ hooks }) => {
    hooks.onConfig.tap((config) => {
      assert.is(config['seed'], undefined, 'defaults come later');
      return { ...config, learningRate: 9, lora: { ...(config['lora'] as object), r: 3 } };
    });
  });
  const found = await settings({
    plugins: [trainer(), lora(), adjust],
    config: { learningRate: 1, lora: { bias: 'all' } },
  });
  assert.equal(
    [found['learningRate'], found['lora.r'], found['lora.bias']],
    [
      [9, 'onConfig of adjust'],
      [3, 'onConfig of adjust'],
      ['all', 'createKernel()'],
    ],
  );
});

test('onConfig may also change its argument in place, and take values away', async () => {
  const adjust = plugin('adjust', ({ hooks }) => {
    hooks.onConfig.tap((config) => {
      delete (config as Record<string, unknown>)['learningRate'];
      return undefined;
    });
  });
  assert.equal(
    (await settings({ plugins: [trainer(), adjust], config: { learningRate: 1 } }))['learningRate'],
    [5e-5, 'default'],
  );
});

test("a user's object is not changed, and the parsed configuration is frozen", async () => {
  const config = { dataset: { path: 'a', deep: { x: 1 } } };
  const adjust = plugin('adjust', ({ hooks }) => {
    hooks.onConfig.tap((given) => {
      (given['dataset'] as { deep: { x: number } }).deep.x = 2;
      return undefined;
    });
  });
  const { kernel } = await createTestKernel({ plugins: [adjust], config });
  assert.is(config.dataset.deep.x, 1);
  assert.equal(kernel.config.dataset, { path: 'a', deep: { x: 2 } });
  assert.throws(() => {
    (kernel.config as Record<string, unknown>)['model'] = 'x';
  }, TypeError);
  await kernel.close();
});

test('a plugin sees its own options, parsed, and the whole configuration', async () => {
  let seen: unknown;
  const mine = definePlugin({
    name: 'mine',
    version: '1.0.0',
    sdk: '^1.0.0',
    options: {
      section: 'mine',
      schema: z.object({
        size: z
          .number()
          .default(2)
          .transform((n) => n * 2),
      }),
    },
    apply(context) {
      context.command({
        name: 'go',
        summary: '',
        run: async () => {
          seen = [context.options.size, context.config.seed, context.config['mine']];
          return undefined;
        },
      });
    },
  });
  const { kernel } = await createTestKernel({ plugins: [mine({ size: 5 })] });
  await kernel.run('go');
  assert.equal(seen, [10, 42, { size: 10 }]);
  await kernel.close();
});

test.run();
