// `lmflow cache`: what the caches hold, and `lmflow cache clear`. It asks before it deletes, and
// deletes the hub's downloads, which other tools share, with --hub only.
import { createInterface } from 'node:readline/promises';
import type { CommandInvocation, CommandSpec, Logger } from '@lmflow/sdk';
import { cacheRoot } from '@lmflow/sdk/files';
import { z } from 'zod';
import { cacheAction, cacheKept, cacheUnconfirmed, cacheUnknown, hubShared } from '../errors.ts';
import { sizeText } from '../size-text.ts';
import {
  bytesOf,
  cachePart,
  cacheParts,
  deleteEntries,
  lastUse,
  type CacheEntry,
  type CachePart,
} from './parts.ts';

/** The result of `lmflow cache` for programs. */
export interface CacheResult {
  readonly folder: string;
  /** What there was before anything was deleted; the hub's downloads are the part `hub`. */
  readonly parts: readonly {
    readonly name: string;
    readonly folder: string;
    readonly bytes: number;
    readonly entries: number;
    /** ISO date and time. */
    readonly lastUsed: string;
  }[];
  /** What `clear` deleted. */
  readonly deleted: { readonly bytes: number; readonly entries: number };
}

declare module '@lmflow/sdk' {
  interface CommandResults {
    cache: CacheResult;
  }
}

const HUB = 'hub';
const HOURS: Readonly<Record<string, number>> = { h: 1, d: 24, w: 7 * 24 };

const flags = z.object({
  olderThan: z
    .string()
    .regex(/^\d+[hdw]$/, 'must be a number of hours, days or weeks: 12h, 30d, 4w')
    .optional()
    .describe('clear: only what has not been used for this time: 12h, 30d, 4w.'),
  hub: z
    .boolean()
    .default(false)
    .describe('clear: downloads from the Hugging Face hub too, which other tools share.'),
  yes: z.boolean().default(false).describe('clear: delete without asking.'),
});
type Flags = z.output<typeof flags>;

/** What the command needs of its surroundings. */
export interface CacheContext {
  readonly log: Logger;
  /** The folder of the hub's downloads. */
  readonly hubFolder: () => string;
  /** Where answers come from. */
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
}

/** Some entries of a part, to be deleted. */
interface Selection {
  readonly part: CachePart;
  readonly entries: readonly CacheEntry[];
}

/** Makes the command. */
export function cacheCommand(context: CacheContext): CommandSpec {
  return {
    name: 'cache',
    summary: 'Lists what the cache holds, by plugin; cache clear deletes it.',
    usage: '[clear [plugin...]]',
    options: flags,
    sections: ['cacheDir'],
    examples: [
      'lmflow cache',
      'lmflow cache clear qlora datasets',
      'lmflow cache clear --older-than 30d --yes',
    ],
    async run(invocation: CommandInvocation) {
      const [action, ...names] = invocation.positionals;
      const options = invocation.options as Flags;
      if (action !== undefined && action !== 'clear') throw cacheAction(action);
      const parts = [...(await cacheParts()), await cachePart(HUB, context.hubFolder())];
      let selected: Selection[] = [];
      if (action === 'clear') {
        selected = select(parts, names, options);
        await confirm(selected, options, context, invocation);
        await clear(selected, invocation.signal);
      } else if (options.yes || options.hub || options.olderThan !== undefined) {
        throw cacheAction(undefined);
      }
      const result = resultOf(parts, selected);
      context.log.event('cache', { ...result });
      if (action === 'clear') printDeleted(selected, context.log);
      else list(parts, context.log);
      return { result };
    },
  };
}

function select(
  parts: readonly CachePart[],
  names: readonly string[],
  { hub, olderThan }: Flags,
): Selection[] {
  for (const name of names) {
    if (name === HUB && !hub) throw hubShared();
    const known = parts.map((part) => part.name);
    if (!known.includes(name)) throw cacheUnknown(name, known);
  }
  const before = Date.now() - (olderThan === undefined ? 0 : millisecondsOf(olderThan));
  const wanted = ({ name }: CachePart): boolean =>
    names.length > 0 ? names.includes(name) : name !== HUB || hub;
  return parts.filter(wanted).flatMap((part) => {
    const entries = part.entries.filter(({ used }) => olderThan === undefined || used < before);
    return entries.length > 0 ? [{ part, entries }] : [];
  });
}

function millisecondsOf(age: string): number {
  return Number.parseInt(age, 10) * HOURS[age.at(-1)!]! * 3_600_000;
}

async function confirm(
  selected: readonly Selection[],
  { yes }: Flags,
  { input }: CacheContext,
  { output, signal }: CommandInvocation,
): Promise<void> {
  if (yes || selected.length === 0) return;
  if (input.isTTY !== true) throw cacheUnconfirmed(describe(selected));
  const lines = createInterface({ input, output });
  try {
    const answer = await lines.question(`Delete ${describe(selected)}? [y/N] `, { signal });
    if (!/^y(es)?$/i.test(answer.trim())) throw cacheUnconfirmed(describe(selected));
  } finally {
    lines.close();
  }
}

async function clear(selected: readonly Selection[], signal: AbortSignal): Promise<void> {
  const failures: unknown[] = [];
  for (const { part, entries } of selected) {
    await deleteEntries(part, entries, signal).catch((error: unknown) => failures.push(error));
    signal.throwIfAborted();
  }
  if (failures.length > 0) throw cacheKept(failures[0]);
}

function printDeleted(selected: readonly Selection[], log: Logger): void {
  log.info(selected.length === 0 ? 'there is nothing to delete' : `deleted ${describe(selected)}`);
}

function list(parts: readonly CachePart[], log: Logger): void {
  const own = parts.filter(({ name }) => name !== HUB);
  const hub = parts.find(({ name }) => name === HUB)!;
  const row = (name: string, entries: readonly CacheEntry[]): readonly [string, string] => [
    name,
    entries.length === 0 ? 'empty' : `${size(entries)}, ${age(lastUse(entries))}`,
  ];
  const rows = own.map(({ name, entries }) => row(name, entries));
  const all = own.flatMap(({ entries }) => entries);
  log.table(`cache ${cacheRoot()}`, [...rows, row('together', all)]);
  log.table(`hub ${hub.folder}`, [row('downloads', hub.entries)]);
}

function resultOf(parts: readonly CachePart[], selected: readonly Selection[]): CacheResult {
  const deleted = selected.flatMap(({ entries }) => entries);
  return {
    folder: cacheRoot(),
    parts: parts
      .filter(({ entries }) => entries.length > 0)
      .map(({ name, folder, entries }) => ({
        name,
        folder,
        bytes: bytesOf(entries),
        entries: entries.length,
        lastUsed: new Date(lastUse(entries)).toISOString(),
      })),
    deleted: { bytes: bytesOf(deleted), entries: deleted.length },
  };
}

function describe(selected: readonly Selection[]): string {
  const names = selected.map(({ part }) => part.name).join(', ');
  return `${size(selected.flatMap(({ entries }) => entries))}, of ${names}`;
}

function size(entries: readonly CacheEntry[]): string {
  const count = entries.length;
  return `${sizeText(bytesOf(entries))} in ${count} ${count === 1 ? 'entry' : 'entries'}`;
}

function age(used: number): string {
  const days = Math.max(0, Math.floor((Date.now() - used) / (24 * 3_600_000)));
  return `used ${new Intl.RelativeTimeFormat('en', { numeric: 'auto' }).format(-days, 'day')}`;
}
