// Kernels with a pipeline and a command to put into stages: it joins files, and counts its runs.
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestKernel } from 'lmflow/testing';
import { definePlugin, type Plugin } from '@lmflow/sdk';
import { z } from 'zod';
import pipeline, { type LoopSetting, type StageOutcome, type StageSetting } from '../src/index.ts';

export const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), 'lmflow-pipeline-'));

/** A file with a text, in a folder of its own. */
export function fileOf(text: string): string {
  const path = join(temporaryFolder(), 'input.txt');
  writeFileSync(path, text);
  return path;
}

export const textOf = (...path: string[]): string => readFileSync(join(...path), 'utf8');

/** What the command of the stages does when it runs. */
export interface Doing {
  /** Text of `options.label`, of each run. */
  readonly runs: string[];
  /** Called in each run, before it writes. */
  during?: (label: string) => void;
}

/** A plugin with the command `join`: files that exist, and a word, into `output`. */
export function joins(doing: Doing): Plugin {
  return definePlugin({
    name: 'lmflow-plugin-join',
    version: '1.0.0',
    sdk: '^1.0.0',
    options: {
      section: 'joining',
      schema: z.object({ word: z.string().default('-').describe('A word.') }),
    },
    apply(context) {
      context.command({
        name: 'join',
        summary: 'Joins files.',
        usage: '[file...]',
        options: z.object({
          label: z.string().describe('Its name.'),
          output: z.string().optional().describe('Where to.'),
          exitCode: z.number().default(0).describe('What it ends with.'),
        }),
        run: async ({ options: { label, output, exitCode }, positionals, config }) => {
          doing.runs.push(label);
          doing.during?.(label);
          const texts = positionals.filter((file) => existsSync(file)).map((file) => textOf(file));
          const { word } = config['joining'] as { word: string };
          const text = `${[...texts, word].join(' ')} (seed ${config.seed})`;
          if (output !== undefined) writeFileSync(output, text);
          return exitCode;
        },
      });
    },
  })();
}

export interface Ran {
  readonly outcomes: readonly StageOutcome[];
  /** `name state`. */
  readonly states: readonly string[];
  readonly runs: readonly string[];
  readonly exitCode: number;
  readonly log: readonly string[];
}

/** Runs a pipeline once. */
export async function ran(
  folder: string,
  stages: readonly (StageSetting | LoopSetting)[],
  {
    options = {},
    doing = { runs: [] },
    signal,
  }: {
    readonly options?: Readonly<Record<string, unknown>>;
    readonly doing?: Doing;
    readonly signal?: AbortSignal;
  } = {},
): Promise<Ran> {
  const { kernel, log } = await createTestKernel({
    plugins: [pipeline, joins(doing)],
    config: { pipeline: { folder, stages }, seed: 5 },
  });
  try {
    const { result, exitCode } = await kernel.run('pipeline', {
      options,
      ...(signal ? { signal } : {}),
    });
    return {
      outcomes: result,
      states: result.map(({ path, state }) => `${path} ${state}`),
      runs: doing.runs,
      exitCode,
      log: [...log.texts('info'), ...log.texts('event')],
    };
  } finally {
    await kernel.close();
  }
}

/** A stage that joins files and a word into `out.txt`. */
export function joining(
  name: string,
  files: readonly string[],
  more: Partial<StageSetting> & { readonly word?: string } = {},
): StageSetting {
  const { word = name, ...rest } = more;
  return {
    name,
    command: 'join',
    arguments: files,
    config: { joining: { word } },
    options: { label: name, output: '${folder}/out.txt' },
    outputs: ['out.txt'],
    ...rest,
  };
}
