// Plugins, folders and expectations that the kernel's tests share.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import {
  definePlugin,
  isLMFlowError,
  type LMFlowError,
  type Plugin,
  type PluginContext,
} from '@lmflow/sdk';
import { z } from 'zod';

/** A plugin with a section, flat neighbours and every kind of value. */
export const lora = definePlugin({
  name: '@lmflow/plugin-lora',
  version: '1.2.3',
  sdk: '^1.0.0',
  options: {
    section: 'lora',
    schema: z.object({
      r: z.int().min(1).default(8).describe('rank'),
      loraAlpha: z.number().positive().default(16).describe('scale, divided by r'),
      targetModules: z
        .union([z.literal('all-linear'), z.array(z.string()).min(1)])
        .default('all-linear')
        .describe('which linears are adapted'),
      rankPattern: z.record(z.string(), z.int()).optional().describe('ranks by name'),
      bias: z.enum(['none', 'all']).default('none').describe('which biases are trained'),
    }),
    aliases: { alpha: 'loraAlpha' },
    unsupported: { useDora: 'DoRA is a plugin of its own' },
  },
  apply(context) {
    context.hooks.onStep.tap(() => undefined);
  },
});

/** A plugin with flat keys, and a command that gives what it was configured with. */
export const trainer = definePlugin({
  name: '@lmflow/plugin-trainer',
  version: '0.3.0',
  sdk: '^1.0.0',
  options: {
    schema: z.object({
      learningRate: z.number().positive().default(5e-5).describe('peak learning rate'),
      maxSteps: z.int().min(1).optional().describe('stop after so many steps'),
      packing: z.boolean().default(true).describe('put several samples into one sequence'),
      fp16: z.boolean().default(false).describe('half precision'),
      lrSchedulerType: z
        .enum(['linear', 'cosine'])
        .default('linear')
        .describe('learning rate over time'),
      reportTo: z.array(z.string()).default([]).describe('where figures go'),
      warmup: z
        .union([z.number(), z.string().regex(/^\d+%$/)])
        .default(0)
        .describe('steps, or a share'),
    }),
    aliases: { lr: 'learningRate' },
    unsupported: { tf32: 'there are no TF32 cores on a CPU' },
  },
  apply(context) {
    context.command({
      name: 'fit',
      summary: 'trains',
      sections: ['learningRate', 'lora'],
      options: z.object({
        dryRun: z.boolean().default(false).describe('stop after the plan'),
        tag: z.string().optional(),
      }),
      examples: ['lmflow fit --learning-rate 1e-4'],
      run: async ({ options, config }) => ({ result: { options, config, own: context.options } }),
    });
  },
});

/** A plugin that does what is given. */
export function plugin(
  name: string,
  apply: (context: PluginContext) => void = () => undefined,
  rest: Partial<Plugin> = {},
): Plugin {
  return { name, version: '1.0.0', sdk: '^1.0.0', apply, ...rest };
}

/** An async function where a synchronous one belongs: what the type checker would not let pass. */
export const asynchronous = (async () => undefined) as unknown as () => undefined;

/** The LMFlowError that `work` fails with; fails the test for anything else. */
export async function failure(work: () => unknown): Promise<LMFlowError> {
  try {
    await work();
  } catch (error) {
    assert.ok(
      isLMFlowError(error),
      `not an LMFlowError: ${error instanceof Error ? error.stack : String(error)}`,
    );
    return error;
  }
  assert.unreachable('nothing was thrown');
  throw new Error('unreachable');
}

/** Fails with this code, and message or hint match `says`. */
export async function refuses(
  code: string,
  says: RegExp,
  work: () => unknown,
): Promise<LMFlowError> {
  const error = await failure(work);
  const text = `${error.message}\n${error.hint ?? ''}`;
  assert.is(error.code, code, text);
  assert.ok(says.test(text), `${says} does not match:\n${text}`);
  return error;
}

const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** An empty project folder with these files, which sees the workspace's packages as installed. */
export function project(
  files: Readonly<Record<string, string>>,
  installed = true,
): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-'));
  const all = { 'package.json': '{ "name": "project", "type": "module" }', ...files };
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  if (installed) {
    mkdirSync(join(folder, 'node_modules/@lmflow'), { recursive: true });
    for (const [name, target] of [
      ['@lmflow/sdk', 'sdk'],
      ['lmflow', 'kernel'],
      ['zod', 'node_modules/zod'],
    ] as const) {
      symlinkSync(join(repository, target), join(folder, 'node_modules', name));
    }
  }
  return {
    folder,
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Text of a module that exports a plugin without needing any package. */
export function pluginModule(name: string, body = '', rest = ''): string {
  return `export default () => ({ name: '${name}', version: '1.0.0', sdk: '^1.0.0', apply(context) { ${body} }, ${rest} });\n`;
}
