// One dataset entry, opened: its files, its detected format, its content's hash, and its records as
// a stream.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { DatasetFormat, DatasetRecord, Logger, RawRecord } from '@lmflow/sdk';
import { checkRegular } from '@lmflow/sdk/files';
import * as errors from '../errors.ts';
import { shown } from '../shown-value.ts';
import { localFiles } from './files.ts';
import { parseRecord, type FormatTable } from '../formats/format-table.ts';
import { hubFiles, isHubId, type HubChoice, type HubContext } from './hub.ts';
import type { DatasetEntry, DatasetOptions } from '../options.ts';
import { RawRecords, type HeaderCheck } from './raw-records.ts';
import type { DataFile } from '../readers/data-file.ts';
import type { ReaderTable } from '../readers/reader-table.ts';

/** A dataset entry, ready to be read. */
export interface Source {
  /** For people: `alpaca_en_demo.json`, `owner/name`. */
  readonly name: string;
  /** Path or id, as configured. */
  readonly path: string;
  readonly format: DatasetFormat;
  readonly files: readonly DataFile[];
  readonly weight: number | undefined;
  /** Hash of the content of all files and of what decides how they are read. */
  readonly hash: string;
  readonly records: () => AsyncIterable<DatasetRecord>;
  /** Number of records; reads the files if they do not contain it. */
  readonly count: () => Promise<number>;
}

/** What opening a source needs beside its entry. */
export interface SourceContext extends HubContext {
  readonly options: Pick<DatasetOptions, 'datasetFormat' | 'datasetTextField' | 'datasetColumns'>;
  readonly formats: FormatTable;
  /** Splits to take, best first, where files name splits and the entry does not choose. */
  readonly splits: readonly string[];
  readonly log: Logger;
}

/** Finds the files of an entry, detects the format from the records' keys and hashes the content. */
export async function openSource(entry: DatasetEntry, context: SourceContext): Promise<Source> {
  const { options, formats, readers, signal } = context;
  const path = entry.path ?? entry.name!;
  const files = await find(path, entry, context);
  for (const file of files) checkReadable(file);
  const name = entry.name ?? nameOf(path, files);
  const columns = {
    ...options.datasetColumns,
    ...(options.datasetTextField ? { text: options.datasetTextField } : {}),
    ...entry.columns,
  };
  const sampleBy = entry.sampleBy ?? 'document';
  const { maxSamples } = entry;
  const raw = new RawRecords({ files, readers, columns, sampleBy, maxSamples, signal });
  const wanted = wantedFormat(entry, options);
  const chosen = wanted === undefined ? undefined : named(wanted, formats);
  // the columns that settings name must be there, whoever chooses the format
  const isKnown = chosen !== undefined && Object.keys(columns).length === 0;
  const format = isKnown ? chosen : await detect(name, raw, formats, chosen);
  // An LMFlow file says what it is; where nothing else was asked for, it must be what is read.
  const check: HeaderCheck = (file, type) => {
    if (type === undefined || wanted !== undefined) return;
    if (formats.ofType(file.name, type) !== format) {
      throw errors.typeMismatch(file.name, shown(type), format.name);
    }
  };
  const versions = versionsOf(format, files, readers);
  const settings = { format: format.name, columns, sampleBy, maxSamples: maxSamples ?? null };
  return {
    name,
    path,
    format,
    files,
    weight: entry.weight,
    hash: await hashFiles(files, JSON.stringify({ ...settings, ...versions }), signal),
    async *records() {
      for await (const record of raw.read(check)) yield parseRecord(record, format);
    },
    count: () => raw.count(check),
  };
}

/** The records of one split as its files have them, whatever their format. */
export async function* rawRecords(
  entry: { readonly path: string; readonly split: string } & HubChoice,
  context: FindContext,
): AsyncGenerator<RawRecord> {
  const { readers, signal } = context;
  const files = await find(entry.path, entry, context);
  for (const file of files) checkReadable(file);
  const settings = {
    files,
    readers,
    columns: {},
    sampleBy: 'document',
    maxSamples: undefined,
  } as const;
  yield* new RawRecords({ ...settings, signal }).read(() => undefined);
}

/** What finding files needs. */
type FindContext = HubContext & Pick<SourceContext, 'splits'>;

async function find(path: string, entry: HubChoice, context: FindContext): Promise<DataFile[]> {
  const { readers, splits } = context;
  if (existsSync(path) || !isHubId(path, readers)) return localFiles(path, entry, splits, readers);
  return hubFiles(path, entry, splits, context);
}

/** Refuses what is no regular file: opening a pipe or a device may wait for ever. */
function checkReadable({ path, name }: DataFile): void {
  try {
    checkRegular(path);
  } catch (cause) {
    throw errors.unreadable(name, cause);
  }
}

function nameOf(path: string, files: readonly DataFile[]): string {
  if (files.length === 1) return files[0]!.name;
  return existsSync(path) ? basename(resolve(path)) : path;
}

/** The format that the configuration names; a text field alone makes the data text. */
function wantedFormat(
  entry: DatasetEntry,
  { datasetFormat, datasetTextField }: SourceContext['options'],
): string | undefined {
  const text = datasetTextField && entry.columns === undefined ? 'text_only' : undefined;
  return entry.format ?? datasetFormat ?? text;
}

function named(name: string, formats: FormatTable): DatasetFormat {
  const format = formats.named(name);
  if (!format) throw errors.formatNameUnknown(name, formats.names);
  return format;
}

async function detect(
  name: string,
  raw: RawRecords,
  formats: FormatTable,
  chosen: DatasetFormat | undefined,
): Promise<DatasetFormat> {
  const example = await raw.example((file, type) => {
    if (type !== undefined && chosen === undefined) formats.ofType(file.name, type);
  });
  if (!example) throw errors.empty(name);
  if (chosen) return chosen;
  const { record, file, type } = example;
  return type === undefined ? formats.detect(record) : formats.ofType(file.name, type);
}

/** The versions of a format and of readers that have one. */
function versionsOf(
  format: DatasetFormat,
  files: readonly DataFile[],
  readers: ReaderTable,
): { readonly versions?: readonly string[] } {
  const used = [format, ...new Set(files.map(({ path }) => readers.for(path)))];
  const versions = used.flatMap((row) =>
    row?.version === undefined ? [] : [`${row.name} ${row.version}`],
  );
  return versions.length > 0 ? { versions } : {};
}

async function hashFiles(
  files: readonly DataFile[],
  settings: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const hash = createHash('sha256').update(settings);
  for (const file of files) {
    const content = createHash('sha256');
    try {
      await pipeline(
        createReadStream(file.path, { highWaterMark: 1 << 20 }),
        content,
        ...(signal ? [{ signal }] : []),
      );
    } catch (cause) {
      signal?.throwIfAborted();
      throw errors.unreadable(file.name, cause);
    }
    hash.update(`\n${file.name}\n`).update(content.digest());
  }
  return hash.digest('hex');
}
