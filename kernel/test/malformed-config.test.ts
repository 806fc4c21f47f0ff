// Malformed configurations, flags and plugins: each gives one clear error with its code.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { UserConfig } from '@lmflow/sdk';
import { z } from 'zod';
import { reportError } from '../src/cli/report.ts';
import { createTestKernel } from '../src/testing/index.ts';
import { asynchronous, lora, plugin, pluginModule, project, refuses, trainer } from './samples.ts';

interface Case {
  readonly config?: unknown;
  readonly flags?: readonly string[];
  readonly plugins?: readonly unknown[];
  readonly presets?: readonly unknown[];
  /** A project folder with these files; its config file is read. */
  readonly files?: Readonly<Record<string, string>>;
  readonly configFile?: string;
  readonly code: string;
  readonly says: RegExp;
}

const both = [trainer(), lora()];
const config = (text: string): Record<string, string> => ({ 'lmflow.config.mjs': text });

const cases: Readonly<Record<string, Case>> = {
  // keys
  'a key nobody knows': {
    config: { zzzzzz: 1 },
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /"zzzzzz" \(from createKernel\(\)\)/,
  },
  'a misspelt key': {
    config: { learningRat: 1 },
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /Did you mean "learningRate"/,
  },
  'a misspelt core key': {
    config: { modle: 'x' },
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /Did you mean "model"/,
  },
  'preset instead of presets': {
    config: { preset: 'lora' },
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /Did you mean "presets"/,
  },
  'snake case': {
    config: { learning_rate: 1e-4 },
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /Write "learningRate": keys are camelCase/,
  },
  'snake case in a section': {
    config: { lora: { target_modules: ['q'] } },
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /"lora.target_modules".*Write "targetModules": keys are camelCase/s,
  },
  'a misspelt key in a section': {
    config: { lora: { rr: 8 } },
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /"lora.rr".*Did you mean "r"/s,
  },
  "a section's key outside of it": {
    config: { loraAlpha: 8 },
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /lora: \{ loraAlpha: \.\.\. \}/,
  },
  'a flat key inside a section': {
    config: { lora: { learningRate: 1 } },
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /top level/,
  },
  'the section of a plugin that is not loaded': {
    config: { galore: { rank: 4 } },
    plugins: [trainer()],
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /Load the plugin/,
  },
  'the section of a plugin that is installed, but not loaded': {
    config: { engineOnnx: { threads: 1 } },
    plugins: [trainer()],
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /Load the installed plugin "engine-onnx"/,
  },
  'a plugin with flat keys that is loaded': {
    config: { trainer: { learningRate: 1 } },
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /^(?!.*not loaded).*"trainer"/s,
  },
  'a refused name': {
    config: { tf32: true },
    code: 'LMFLOW_OPTION_UNSUPPORTED',
    says: /"tf32" \(from createKernel\(\)\).*TF32 cores/,
  },
  'a refused name in a section': {
    config: { lora: { useDora: true } },
    code: 'LMFLOW_OPTION_UNSUPPORTED',
    says: /"lora.useDora".*plugin of its own/,
  },
  "a refused name in another tool's spelling": {
    config: { load_in_4bit: true },
    plugins: [
      plugin('x', undefined, {
        options: { schema: z.object({}), unsupported: { loadIn4bit: 'a preset' } },
      }),
    ],
    code: 'LMFLOW_OPTION_UNSUPPORTED',
    says: /a preset/,
  },
  "a refused name of a section in another tool's spelling": {
    config: { lora: { use_dora: true } },
    code: 'LMFLOW_OPTION_UNSUPPORTED',
    says: /plugin of its own/,
  },
  'a key and its alias': {
    config: { lr: 1, learningRate: 2 },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /createKernel\(\) gives both lr and learningRate, /,
  },
  'a key and its alias, the other way round': {
    config: { learningRate: 2, lr: 1 },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /gives both learningRate and lr, /,
  },
  'a key and its alias in a section': {
    config: { lora: { alpha: 1, loraAlpha: 2 } },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /gives both lora\.alpha and lora\.loraAlpha, /,
  },
  'several keys that are unknown or refused': {
    config: { tf32: true, learning_rate: 1, lora: { useDora: true, rr: 1 } },
    code: 'LMFLOW_OPTION_UNSUPPORTED',
    says: /4 keys are not valid:\n {2}- "tf32".*TF32 cores.*\n {2}- unknown key "learning_rate".*\. Write "learningRate": keys are camelCase.*\n {2}- "lora\.useDora".*\n {2}- unknown key "lora\.rr"/,
  },
  'text for a section with a switch': {
    config: { fast: 'yes' },
    plugins: [
      plugin('x', undefined, {
        options: { section: 'fast', schema: z.object({ enabled: z.boolean().default(true) }) },
      }),
    ],
    code: 'LMFLOW_CONFIG_INVALID',
    says: /fast = "yes" .* must be an object, true or false/,
  },
  'the name of a member of Object': {
    config: { constructor: 1 },
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /"constructor"/,
  },

  // values
  'text for a number': {
    config: { learningRate: 'fast' },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /learningRate = "fast" \(from createKernel\(\)\) must be a number/,
  },
  'a number in quotes': {
    config: { learningRate: '2e-4' },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /without quotes/,
  },
  'a fraction for a whole number': {
    config: { maxSteps: 1.5 },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /maxSteps = 1\.5 .* must be a whole number/,
  },
  NaN: { config: { learningRate: NaN }, code: 'LMFLOW_CONFIG_INVALID', says: /learningRate = NaN/ },
  'a value out of bounds': {
    config: { learningRate: -1 },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /learningRate = -1 .* must be more than 0/,
  },
  'a value below its minimum in a section': {
    config: { lora: { r: 0 } },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /lora\.r = 0 .* must be at least 1/,
  },
  'none of the choices': {
    config: { lrSchedulerType: 'cosin' },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /lrSchedulerType = "cosin" .* must be one of "linear", "cosine"/,
  },
  'none of a union': {
    config: { lora: { targetModules: 3 } },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /lora\.targetModules = 3 .* must be a list of strings or "all-linear"/,
  },
  'a wrong item of a list': {
    config: { reportTo: ['a', 2] },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /reportTo\[1\] = 2 .* must be a string/,
  },
  'a wrong value of an object': {
    config: { lora: { rankPattern: { q: 'x' } } },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /lora\.rankPattern\.q = "x" .* must be a (whole )?number/,
  },
  null: {
    config: { learningRate: null },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /learningRate = null .* must be a number/,
  },
  'an empty model': {
    config: { model: '' },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /model = "" .* must not be empty/,
  },
  'an empty list of datasets': {
    config: { dataset: [] },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /dataset = \[\]/,
  },
  'a negative seed': {
    config: { seed: -1 },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /seed = -1 .* at least 0/,
  },
  'a section that is a number': {
    config: { lora: 8 },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /lora = 8 .* must be an object/,
  },
  'a section that is false and has no switch': {
    config: { lora: false },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /Leave its plugin out/,
  },
  'several wrong values at once': {
    config: { learningRate: 'x', lora: { r: 0 } },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /2 values[^]*learningRate[^]*lora\.r/,
  },
  'a wrong argument of a factory': {
    plugins: [lora({ r: 0 })],
    code: 'LMFLOW_CONFIG_INVALID',
    says: /lora\.r = 0 \(from arguments of @lmflow\/plugin-lora in createKernel\(\)\)/,
  },
  'an unknown argument of a factory': {
    plugins: [lora({ rank: 4 } as never)],
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /"lora\.rank" \(from arguments of/,
  },
  'a required value that is not given': {
    plugins: [
      plugin('p', undefined, {
        options: { section: 'mine', schema: z.object({ path: z.string() }) },
      }),
    ],
    code: 'LMFLOW_CONFIG_INVALID',
    says: /mine\.path is required .*--mine-path/,
  },
  "a rule of the schema's author": {
    plugins: [
      plugin('p', undefined, {
        options: {
          schema: z.object({
            size: z.number().refine((n) => n % 8 === 0, 'must be a multiple of 8, for the kernels'),
          }),
        },
      }),
    ],
    config: { size: 9 },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /size = 9 \(from createKernel\(\)\) must be a multiple of 8, for/,
  },
  'a rule over several keys': {
    plugins: [
      plugin('p', undefined, {
        options: {
          section: 'mine',
          schema: z
            .object({ a: z.number().default(1), b: z.number().default(2) })
            .refine(({ a, b }) => a === b, 'a and b must agree'),
        },
      }),
    ],
    code: 'LMFLOW_CONFIG_INVALID',
    says: /mine: a and b must agree/,
  },

  // shape of the configuration
  'a list as configuration': {
    config: [],
    code: 'LMFLOW_CONFIG_INVALID',
    says: /must be an object, not a list/,
  },
  'text as configuration': { config: 'lora', code: 'LMFLOW_CONFIG_INVALID', says: /not a string/ },
  'presets that are no list': {
    config: { presets: 'lora' },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /Write presets: \['lora'\]/,
  },
  'plugins that are an object': {
    files: config('export default { plugins: {} };'),
    code: 'LMFLOW_CONFIG_INVALID',
    says: /lmflow\.config\.mjs: plugins must be a list/,
  },

  // flags
  'an unknown flag': {
    flags: ['--learning-rat', '1'],
    code: 'LMFLOW_FLAG_UNKNOWN',
    says: /--learning-rat.*Did you mean --learning-rate/s,
  },
  'a flag of one dash': {
    flags: ['-lr', '1'],
    code: 'LMFLOW_FLAG_UNKNOWN',
    says: /Did you mean --lr/,
  },
  'a flag without its value': {
    flags: ['--learning-rate'],
    code: 'LMFLOW_FLAG_INVALID',
    says: /--learning-rate needs a value/,
  },
  'a flag followed by a flag': {
    flags: ['--learning-rate', '--packing'],
    code: 'LMFLOW_FLAG_INVALID',
    says: /needs a value/,
  },
  'no- before what is no switch': {
    flags: ['--no-learning-rate'],
    code: 'LMFLOW_FLAG_INVALID',
    says: /does not take true or false/,
  },
  'a flag of a wrong type': {
    flags: ['--lora-r', 'eight'],
    code: 'LMFLOW_CONFIG_INVALID',
    says: /lora\.r = "eight" \(from --lora-r\) must be a whole number/,
  },
  'a flag of a refused name': {
    flags: ['--lora-use-dora'],
    code: 'LMFLOW_OPTION_UNSUPPORTED',
    says: /plugin of its own/,
  },
  'broken JSON in a flag': {
    flags: ['--lora-rank-pattern', '{"q": }'],
    code: 'LMFLOW_CONFIG_INVALID',
    says: /lora\.rankPattern = .* must be an object/,
  },

  // config files
  'a config file with a syntax error': {
    files: { 'lmflow.config.ts': 'export default {' },
    code: 'LMFLOW_CONFIG_LOAD_FAILED',
    says: /lmflow\.config\.ts cannot be loaded/,
  },
  'a config file that throws': {
    files: config('throw new Error("no luck");'),
    code: 'LMFLOW_CONFIG_LOAD_FAILED',
    says: /no luck/,
  },
  'a config function that throws': {
    files: config('export default () => { throw new Error("no luck"); };'),
    code: 'LMFLOW_CONFIG_LOAD_FAILED',
    says: /no luck/,
  },
  'a config file that imports what is not there': {
    files: { 'lmflow.config.ts': 'import x from "./absent.ts"; export default x;' },
    code: 'LMFLOW_CONFIG_LOAD_FAILED',
    says: /absent/,
  },
  'a config file without a default export': {
    files: { 'lmflow.config.ts': 'export const plugins: string[] = [];' },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /no default export/,
  },
  'an empty config file': {
    files: { 'lmflow.config.json': '' },
    code: 'LMFLOW_CONFIG_INVALID',
    says: /lmflow\.config\.json is empty/,
  },
  'broken JSON, shown once': {
    files: { 'lmflow.config.json': '{\n  "a": 1,\n  "b": 2\n  "c": 3\n}' },
    code: 'LMFLOW_CONFIG_LOAD_FAILED',
    says: /cannot be loaded: Expected ','[^>]*> 4 \|\s+"c": 3[^>]*$/,
  },
  'broken JSON': {
    files: { 'lmflow.config.json': '{ "model": }' },
    code: 'LMFLOW_CONFIG_LOAD_FAILED',
    says: /lmflow\.config\.json cannot be loaded/,
  },
  'a config file that is named and absent': {
    files: {},
    configFile: 'other.ts',
    code: 'LMFLOW_CONFIG_NOT_FOUND',
    says: /other\.ts does not exist/,
  },
  'a folder for a config file': {
    files: { 'inner/lmflow.config.yaml': 'seed: 1' },
    configFile: 'inner',
    code: 'LMFLOW_CONFIG_NOT_FOUND',
    says: /inner is a folder.*--config inner\/lmflow\.config\.yaml/s,
  },
  'a package.json without a configuration, named': {
    files: {},
    configFile: 'package.json',
    code: 'LMFLOW_CONFIG_NOT_FOUND',
    says: /package\.json has no key "lmflow"/,
  },
  'null in a config file that is named': {
    files: { 'mine.yaml': 'null' },
    configFile: 'mine.yaml',
    code: 'LMFLOW_CONFIG_INVALID',
    says: /mine\.yaml is empty/,
  },
  'a pointer to a schema in a module': {
    files: config('export default { $schema: "x" };'),
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /"\$schema"/,
  },
  'an unknown key in a config file': {
    files: config('export default { modle: "x" };'),
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /"modle" \(from lmflow\.config\.mjs\)/,
  },

  // what is listed
  'a package that is not installed': {
    plugins: ['@lmflow/plugin-nothing'],
    code: 'LMFLOW_PLUGIN_NOT_FOUND',
    says: /npm install @lmflow\/plugin-nothing/,
  },
  'a short name that nobody has': {
    presets: ['nothing'],
    code: 'LMFLOW_PLUGIN_NOT_FOUND',
    says: /looked for @lmflow\/preset-nothing, @lmflow\/plugin-nothing, lmflow-preset-nothing/,
  },
  'a package without default export': {
    files: {
      ...config('export default { plugins: ["named"] };'),
      'node_modules/named/package.json': '{"name":"named","type":"module","exports":"./index.js"}',
      'node_modules/named/index.js': 'export const thing = 1;',
    },
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /no default export \(it exports thing\)/,
  },
  'a package that throws': {
    files: {
      ...config('export default { plugins: ["bad"] };'),
      'node_modules/bad/package.json': '{"name":"bad","type":"module","exports":"./index.js"}',
      'node_modules/bad/index.js': 'throw new Error("no luck");',
    },
    code: 'LMFLOW_PLUGIN_LOAD_FAILED',
    says: /"bad" cannot be imported: no luck/,
  },
  'a package that is not built': {
    files: {
      ...config('export default { plugins: ["unbuilt"] };'),
      'node_modules/unbuilt/package.json':
        '{"name":"unbuilt","type":"module","exports":"./dist/index.js"}',
    },
    code: 'LMFLOW_PLUGIN_LOAD_FAILED',
    says: /is it built/,
  },
  'a plugin file that is not there': {
    files: config('export default { plugins: ["./mine.ts"] };'),
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /mine\.ts does not exist/,
  },
  'a number': {
    plugins: [7],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /entry 1 of plugins in createKernel\(\): a number \(7\)/,
  },
  'a class': { plugins: [class Mine {}], code: 'LMFLOW_PLUGIN_INVALID', says: /the class Mine/ },
  'a promise': {
    plugins: [Promise.resolve(lora())],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /promise.*Await it/s,
  },
  'a factory of a promise': {
    plugins: [async () => lora()],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /promise/,
  },
  'a factory that gives nothing': {
    plugins: [() => undefined],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /returned nothing/,
  },
  'a factory that throws': {
    plugins: [
      () => {
        throw new Error('no luck');
      },
    ],
    code: 'LMFLOW_PLUGIN_LOAD_FAILED',
    says: /no luck/,
  },
  "definePlugin's factory of a factory": {
    plugins: [() => lora],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /another function/,
  },
  'a module instead of its default export': {
    plugins: [{ default: lora }],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /whole module/,
  },
  'a Rollup plugin': {
    plugins: [{ name: 'esbuild', transform: () => null }],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /"esbuild" is a plugin of Rollup or Vite/,
  },
  'a webpack plugin': {
    plugins: [{ apply: () => undefined }],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /webpack/,
  },
  'a plugin without a name': {
    plugins: [{ ...plugin('x'), name: undefined }],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /name must be a string/,
  },
  'a plugin without apply': {
    plugins: [{ ...plugin('x'), apply: undefined }],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /plugin x: its apply must be a function/,
  },
  'a plugin with a wrong version': {
    plugins: [plugin('x', undefined, { version: 'one' })],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /"one"/,
  },
  'a plugin with a wrong range': {
    plugins: [plugin('x', undefined, { sdk: 'newest!' })],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /range.*"newest!"/,
  },
  'a plugin for another sdk': {
    plugins: [plugin('x', undefined, { sdk: '^9.0.0' })],
    code: 'LMFLOW_PLUGIN_SDK_MISMATCH',
    says: /x 1\.0\.0 needs @lmflow\/sdk \^9\.0\.0, but 1\./,
  },
  'a plugin with requires that is no list': {
    plugins: [plugin('x', undefined, { requires: 'y' as never })],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /requires must be a list/,
  },
  'a plugin whose requirement is not loaded': {
    plugins: [plugin('x', undefined, { requires: ['y', 'z'] })],
    code: 'LMFLOW_PLUGIN_REQUIRES_MISSING',
    says: /x requires y and z.*npm install y z/s,
  },
  'plugins that require each other': {
    plugins: [
      plugin('x', undefined, { requires: ['y'] }),
      plugin('y', undefined, { requires: ['x'] }),
    ],
    code: 'LMFLOW_PLUGIN_CYCLE',
    says: /x and y/,
  },
  'a plugin twice in one list': {
    plugins: [lora(), lora({ r: 4 })],
    code: 'LMFLOW_PLUGIN_DUPLICATE',
    says: /@lmflow\/plugin-lora is listed twice/,
  },
  'a plugin whose schema is no zod object': {
    plugins: [plugin('x', undefined, { options: { schema: { parse: () => 1 } as never } })],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /zod 4/,
  },
  'a plugin with a snake case option': {
    plugins: [plugin('x', undefined, { options: { schema: z.object({ my_key: z.number() }) } })],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /"my_key" is not camelCase/,
  },
  'an alias of nothing': {
    plugins: [
      plugin('x', undefined, {
        options: { schema: z.object({ a: z.number() }), aliases: { b: 'c' } },
      }),
    ],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /alias "b" stands for "c"/,
  },
  'a section with a wrong name': {
    plugins: [plugin('x', undefined, { options: { section: 'my-section', schema: z.object({}) } })],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /camelCase name, not "my-section"/,
  },
  'factory arguments that are no object': {
    plugins: [lora('r=4' as never)],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /takes an object of options, not a string/,
  },
  'two plugins with one key': {
    plugins: [
      trainer(),
      plugin('x', undefined, { options: { schema: z.object({ learningRate: z.number() }) } }),
    ],
    code: 'LMFLOW_OPTION_CONFLICT',
    says: /the key "learningRate" is declared by both @lmflow\/plugin-trainer and x/,
  },
  'two plugins with one section': {
    plugins: [
      lora(),
      plugin('x', undefined, { options: { section: 'lora', schema: z.object({}) } }),
    ],
    code: 'LMFLOW_OPTION_CONFLICT',
    says: /section "lora"/,
  },
  'a plugin with a core key': {
    plugins: [plugin('x', undefined, { options: { schema: z.object({ seed: z.number() }) } })],
    code: 'LMFLOW_OPTION_CONFLICT',
    says: /both lmflow and x/,
  },
  'a plugin with a flag of lmflow itself': {
    plugins: [plugin('x', undefined, { options: { schema: z.object({ verbose: z.boolean() }) } })],
    code: 'LMFLOW_OPTION_CONFLICT',
    says: /--verbose/,
  },
  'two keys with one flag': {
    plugins: [
      lora(),
      plugin('x', undefined, { options: { schema: z.object({ loraR: z.number() }) } }),
    ],
    code: 'LMFLOW_OPTION_CONFLICT',
    says: /--lora-r/,
  },
  'a preset without a name': {
    presets: [{ plugins: [] }],
    code: 'LMFLOW_PRESET_INVALID',
    says: /name must be a string/,
  },
  'a preset whose plugins are no list': {
    presets: [{ name: 'p', plugins: {} }],
    code: 'LMFLOW_PRESET_INVALID',
    says: /preset p: its plugins must be a list/,
  },
  'a preset with plugins inside its config': {
    presets: [{ name: 'p', plugins: [], config: { plugins: [] } }],
    code: 'LMFLOW_PRESET_INVALID',
    says: /its config has the key "plugins"/,
  },
  'an unknown key in a preset': {
    presets: [{ name: 'p', plugins: [], config: { modle: 'x' } }],
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /from preset p/,
  },

  // what apply does
  'an apply that throws': {
    plugins: [
      plugin('x', () => {
        throw new TypeError('no luck');
      }),
    ],
    code: 'LMFLOW_PLUGIN_APPLY_FAILED',
    says: /x: apply\(\) failed: no luck/,
  },
  'an apply that is asynchronous': {
    plugins: [plugin('x', asynchronous)],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /apply\(\) is asynchronous/,
  },
  'a hook that does not exist': {
    plugins: [
      plugin('x', ({ hooks }) => {
        (hooks as unknown as Record<string, { tap(fn: () => void): void }>)['onStepp']!.tap(
          () => undefined,
        );
      }),
    ],
    code: 'LMFLOW_PLUGIN_APPLY_FAILED',
    says: /Write "onStep" for "onStepp", which is no hook/,
  },
  'a tap with before': {
    plugins: [
      plugin('x', ({ hooks }) => {
        hooks.onStep.tap(() => undefined, { before: 'y' } as never);
      }),
    ],
    code: 'LMFLOW_HOOK_TAP_INVALID',
    says: /"before" is no option of a tap/,
  },
  tapAsync: {
    plugins: [
      plugin('x', ({ hooks }) => {
        (hooks.onStep as unknown as { tapAsync(fn: () => void): void }).tapAsync(() => undefined);
      }),
    ],
    code: 'LMFLOW_PLUGIN_APPLY_FAILED',
    says: /tapAsync is not a function/,
  },
  'a listener that is no function': {
    plugins: [
      plugin('x', ({ hooks }) => {
        hooks.onStep.tap(3 as never);
      }),
    ],
    code: 'LMFLOW_HOOK_TAP_INVALID',
    says: /not a function/,
  },
  'a hook that is defined twice': {
    plugins: [
      plugin('x', (context) => {
        context.defineHook('onStep', 'series');
      }),
    ],
    code: 'LMFLOW_HOOK_INVALID',
    says: /a hook of this name already/,
  },
  'a defined hook that is no hook': {
    plugins: [
      plugin('x', (context) => {
        context.defineHook('onMine' as 'onClose', {} as never);
      }),
    ],
    code: 'LMFLOW_HOOK_INVALID',
    says: /no kind of hook/,
  },
  'a token provided twice': {
    plugins: [
      plugin('x', (context) => {
        context.provide({ name: 't' }, () => 1);
      }),
      plugin('y', (context) => {
        context.provide({ name: 't' }, () => 2);
      }),
    ],
    code: 'LMFLOW_TOKEN_DUPLICATE',
    says: /both x and y/,
  },
  'provide without a token': {
    plugins: [
      plugin('x', (context) => {
        context.provide('t' as never, () => 1);
      }),
    ],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /needs a token/,
  },
  'provide without a factory': {
    plugins: [
      plugin('x', (context) => {
        context.provide({ name: 't' }, 1 as never);
      }),
    ],
    code: 'LMFLOW_PLUGIN_INVALID',
    says: /needs a factory, not a number/,
  },
  'a command twice': {
    plugins: [
      trainer(),
      plugin('x', (context) => {
        context.command({ name: 'fit', summary: '', run: async () => 0 });
      }),
    ],
    code: 'LMFLOW_COMMAND_DUPLICATE',
    says: /"fit" is contributed by both @lmflow\/plugin-trainer and x/,
  },
  "a command with a name of lmflow's": {
    plugins: [
      plugin('x', (context) => {
        context.command({ name: 'doctor', summary: '', run: async () => 0 });
      }),
    ],
    code: 'LMFLOW_COMMAND_DUPLICATE',
    says: /both lmflow and x/,
  },
  'a command without run': {
    plugins: [
      plugin('x', (context) => {
        context.command({ name: 'go', summary: '' } as never);
      }),
    ],
    code: 'LMFLOW_COMMAND_INVALID',
    says: /no run function/,
  },
  "a command's flag that a key has": {
    plugins: [
      trainer(),
      plugin('x', (context) => {
        context.command({
          name: 'go',
          summary: '',
          options: z.object({ learningRate: z.number() }),
          run: async () => 0,
        });
      }),
    ],
    code: 'LMFLOW_OPTION_CONFLICT',
    says: /--learning-rate/,
  },
  'a service asked for in apply': {
    plugins: [
      plugin('x', (context) => {
        context.resolve({ name: 'engine' });
      }),
    ],
    code: 'LMFLOW_LIFECYCLE',
    says: /x: resolve\(engine\).*not configured yet/,
  },
  'options read in apply': {
    plugins: [
      plugin('x', (context) => {
        void context.options;
      }),
    ],
    code: 'LMFLOW_LIFECYCLE',
    says: /context\.options/,
  },
  'an unknown key from onConfig': {
    plugins: [
      plugin('x', ({ hooks }) => {
        hooks.onConfig.tap((old) => ({ ...old, modle: 'x' }));
      }),
    ],
    code: 'LMFLOW_CONFIG_UNKNOWN_KEY',
    says: /"modle" \(from onConfig of x\)/,
  },
  'an onConfig that gives no object': {
    plugins: [
      plugin('x', ({ hooks }) => {
        hooks.onConfig.tap(() => 3 as never);
      }),
    ],
    code: 'LMFLOW_CONFIG_INVALID',
    says: /onConfig of x: a configuration must be an object/,
  },
  'a tap that returns a promise to tap()': {
    plugins: [
      plugin('x', ({ hooks }) => {
        hooks.onConfig.tap(asynchronous);
      }),
    ],
    code: 'LMFLOW_HOOK_TAP_INVALID',
    says: /returned a promise/,
  },
};

// What createTestKernel can put plugins beside; anything else goes to createKernel as it is.
function isOwn(value: unknown): boolean {
  return (
    value === undefined ||
    (typeof value === 'object' && value !== null && !Array.isArray(value) && !('presets' in value))
  );
}

for (const [name, { code, says, files, configFile, flags, ...rest }] of Object.entries(cases)) {
  test(`${name}: ${code}`, async () => {
    const place = files && project({ 'mine.txt': pluginModule('unused'), ...files }, false);
    try {
      const error = await refuses(code, says, async () => {
        if (place) {
          const { createKernel } = await import('../src/index.ts');
          const kernel = await createKernel(undefined, {
            cwd: place.folder,
            ...(configFile === undefined ? {} : { configFile }),
          });
          await kernel.close();
        } else if (isOwn(rest.config)) {
          const { kernel } = await createTestKernel({
            config: rest.config as UserConfig,
            plugins: (rest.plugins ?? (rest.presets ? [] : both)) as never[],
            presets: (rest.presets ?? []) as never[],
            ...(flags ? { flags } : {}),
          });
          await kernel.close();
        } else {
          const { createKernel } = await import('../src/index.ts');
          await createKernel(rest.config as UserConfig);
        }
      });
      let printed = '';
      reportError(
        error,
        {
          write: (text) => {
            printed += text;
          },
        },
        { json: false, verbose: false, color: false },
      );
      assert.ok(printed.startsWith(`error ${code}: `));
      assert.not.match(printed, /\n\s+at .*\.(ts|js|mjs):\d/);
    } finally {
      place?.remove();
    }
  });
}

test.run();
