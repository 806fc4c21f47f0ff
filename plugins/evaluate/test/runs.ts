// Runs `lmflow evaluate` on the small data beside this file, with the model of ../shared.
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import inference from '@lmflow/preset-inference';
import { createTestKernel } from 'lmflow/testing';
import type { EvaluateResult } from '../src/index.ts';

/** A small model that writes stories. */
export const STORIES = resolve(import.meta.dirname, '../../../../shared/models/stories260k');
export const fixtures = join(import.meta.dirname, 'fixtures');
export const data = join(fixtures, 'data');

/** A line of a samples file. */
export interface Line extends Readonly<Record<string, unknown>> {
  readonly arguments: Readonly<
    Record<string, { readonly arg_0: string; readonly arg_1?: unknown }>
  >;
  readonly resps: readonly (readonly (string | readonly string[])[])[];
}

/** A new folder. */
export const scratch = (): string => mkdtempSync(join(tmpdir(), 'lmflow-evaluate-'));

/** A fixture of the folder fixtures. */
export function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(join(fixtures, name), 'utf8')) as T;
}

/** The content of the one file of the model's folder with this name. */
export function written(outputDir: string, beginning: string, ending = ''): string {
  const [folder] = readdirSync(outputDir);
  const files = readdirSync(join(outputDir, folder!)).filter(
    (name) => name.startsWith(beginning) && name.endsWith(ending),
  );
  assert.is(files.length, 1, `${beginning}: ${files.join(', ')}`);
  return readFileSync(join(outputDir, folder!, files[0]!), 'utf8');
}

/** The lines of a task's samples file. */
export function writtenLines(outputDir: string, task: string): Line[] {
  return written(outputDir, `samples_${task}_`)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

export async function evaluate(
  options: Record<string, unknown>,
  config: Record<string, unknown> = {},
): Promise<{ readonly result: EvaluateResult; readonly warnings: string }> {
  const { kernel, log } = await createTestKernel({
    presets: [inference],
    config: { model: STORIES, ...config },
  });
  try {
    const { result } = await kernel.run('evaluate', { options: { dataDir: data, ...options } });
    return { result, warnings: log.texts('warn').join('\n') };
  } finally {
    await kernel.close();
  }
}

/** Within 1e-4, relative where the number is above 1. */
export const near = (found: number, expected: number): boolean =>
  Math.abs(found - expected) <= 1e-4 * Math.max(1, Math.abs(expected));
