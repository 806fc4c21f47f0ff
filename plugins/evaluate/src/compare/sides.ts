// What may be compared: a model, an adapter, either of them in fewer bits, or results that an earlier
// run wrote.
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Model } from '@lmflow/sdk/model';
import { CONFIG_FILE, readAdapterConfig } from '@lmflow/sdk/peft';
import { sideUnusable } from '../errors.ts';
import type { Subject } from '../evaluate-model.ts';

/** One side of a comparison. */
export type Side =
  | { readonly name: string; readonly subject: Subject }
  | { readonly name: string; readonly results: string };

/** `out/model@4bit` */
const IN_BITS = /^(.+)@([48])-?bits?$/;
const RESULTS = /^results_.*\.json$/;

/**
 * What a side names. `base` is the model of adapters, by default the one that they name. Throws
 * LMFLOW_EVALUATE_SIDE.
 */
export async function sideOf(name: string, base: string | undefined): Promise<Side> {
  const [, source = name, digit] = IN_BITS.exec(name) ?? [];
  const bits = digit === undefined ? undefined : (Number(digit) as 4 | 8);
  const isAdapter = existsSync(join(source, CONFIG_FILE)) && !isModel(source);
  const results = isAdapter || isModel(source) ? undefined : resultsFile(source);
  if (results !== undefined) {
    if (bits !== undefined) throw sideUnusable(name, 'results are there as they are');
    return { name, results };
  }
  const model = isAdapter ? (base ?? (await baseOf(name, source))) : source;
  const adapter = isAdapter ? source : false;
  return {
    name,
    subject: {
      name,
      source: model,
      settings: { adapter, ...(bits === undefined ? {} : { bits }) },
      check: (loaded) => {
        checkLoaded(name, loaded, { adapter: isAdapter, bits });
      },
    },
  };
}

function isModel(folder: string): boolean {
  return existsSync(join(folder, 'config.json'));
}

async function baseOf(name: string, folder: string): Promise<string> {
  const { base_model_name_or_path: base } = await readAdapterConfig(folder);
  if (typeof base === 'string' && base !== '') return base;
  throw sideUnusable(name, 'the adapter does not say which model it is for', 'Say --model too.');
}

/** The newest results in a folder, or in the only folder in it that has any. */
function resultsFile(path: string): string | undefined {
  if (RESULTS.test(basename(path)) && existsSync(path)) return path;
  if (!existsSync(path)) return undefined;
  const inside = newestResults(path);
  if (inside !== undefined) return inside;
  const found = foldersIn(path).flatMap((folder) => newestResults(join(path, folder)) ?? []);
  if (found.length < 2) return found[0];
  const names = found.map((file) => dirname(file)).join(', ');
  throw sideUnusable(path, `it has results of several models: ${names}`, 'Name one of them.');
}

function newestResults(folder: string): string | undefined {
  const names = entriesOf(folder).filter(({ name }) => RESULTS.test(name));
  const newest = names
    .map(({ name }) => name)
    .sort()
    .at(-1);
  return newest === undefined ? undefined : join(folder, newest);
}

function foldersIn(path: string): string[] {
  return entriesOf(path).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

function entriesOf(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return []; // a file
  }
}

/** Whether the plugins that are loaded did what a side asks for. */
function checkLoaded(
  name: string,
  { adapter, claims, weights }: Model,
  asked: { readonly adapter: boolean; readonly bits: 4 | 8 | undefined },
): void {
  if (asked.adapter && !adapter) {
    throw sideUnusable(
      name,
      'no plugin here reads an adapter of its kind',
      'Load the plugin of its method, such as --plugin ia3.',
    );
  }
  if (asked.bits === undefined) return;
  if ([...weights.values()].some(({ kind }) => kind === 'packed')) {
    throw sideUnusable(name, 'the model is quantized already', 'Name it without bits.');
  }
  if (claims.length === 0) {
    throw sideUnusable(name, 'nothing quantizes it', 'Load the plugin quantize.');
  }
}
