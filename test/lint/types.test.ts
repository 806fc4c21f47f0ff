// Types that people write against: configurations, presets, options of commands and plugins. The
// compiler is the test: what is accepted or refused is a type, which must be assignable to its
// expectation.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  defineConfig,
  definePlugin,
  definePreset,
  type CommandInvocation,
  type CommandSpec,
  type PluginContext,
  type Preset,
  type UserConfig,
} from '@lmflow/sdk';
import type {} from '@lmflow/plugin-finetune';
import lora from '@lmflow/plugin-lora';
import type {} from '@lmflow/plugin-trainer';
import { z } from 'zod';

/** Whether a function takes this as its first argument. */
type Takes<F extends (...given: never[]) => unknown, A> = A extends Parameters<F>[0] ? true : false;
/** Whether two types are the same. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

test('a configuration knows the keys of the kernel and of the plugins that are imported', () => {
  const config = defineConfig({
    model: 'm',
    plugins: [lora({ r: 4 })],
    lora: { r: 4 },
    maxSteps: 3,
  });
  const rank: number = config.lora.r;
  assert.is(rank, 4);
  const accepts: readonly [
    Takes<typeof defineConfig, { lora: { r: number } }>,
    Takes<typeof defineConfig, () => Promise<{ model: string }>>,
    Takes<typeof defineConfig, { keyOfAnotherPlugin: number }>,
  ] = [true, true, true];
  const refuses: readonly [
    Takes<typeof defineConfig, { lora: { r: string } }>,
    Takes<typeof defineConfig, { seed: string }>,
    Takes<typeof defineConfig, { plugins: number[] }>,
    Takes<typeof defineConfig, { maxSteps: string }>,
  ] = [false, false, false, false];
  assert.equal([...accepts, ...refuses].length, 7);
});

test('a preset is a list of plugins and a part of a configuration', () => {
  const preset: Preset = definePreset({ name: 'p', plugins: [lora], config: { lora: { r: 2 } } });
  const refuses: readonly [
    Takes<typeof definePreset, { name: string }>,
    Takes<typeof definePreset, { name: string; plugins: []; config: { lora: { r: string } } }>,
    UserConfig extends Preset ? true : false,
  ] = [false, false, false];
  assert.equal([preset.name, ...refuses].length, 4);
});

test('the options of a plugin and of a command have the types of their schemas', () => {
  const schema = z.object({ stride: z.int().default(512), name: z.string().optional() });
  type Options = { stride: number; name?: string | undefined };
  const plugin = definePlugin({
    name: 'p',
    version: '1.0.0',
    sdk: '^1.0.0',
    options: { section: 'p', schema },
    apply: (context) => {
      const same: Same<typeof context, PluginContext<Options>> = true;
      context.command({
        name: 'c',
        summary: 'Does it.',
        options: schema,
        run: ({ options }) => {
          const typed: Same<typeof options, Options> = same;
          return Promise.resolve(Number(typed) + options.stride);
        },
      });
      context.command({
        name: 'd',
        summary: 'Has no flags.',
        run: ({ options }) => Promise.resolve(Object.keys(options).length),
      });
    },
  });
  const refuses: readonly [
    Takes<typeof plugin, { stride: string }>,
    CommandInvocation<Options>['options']['stride'] extends string ? true : false,
    Same<Parameters<CommandSpec<typeof schema>['run']>[0]['options'], Record<string, unknown>>,
  ] = [false, false, false];
  assert.is(refuses.length, 3);
  assert.equal(plugin({ stride: 3 }).given, { stride: 3 });
});

test.run();
