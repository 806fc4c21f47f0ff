// One dataset entry, opened: its files, its detected format, its content's hash, and its records as
// a stream.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { didYouMean, type DatasetRecord, type Logger } from '@lmflow/sdk';
import * as errors from './errors.ts';
import { localFiles, type DataFile } from './files.ts';
import {
  detect,
  formatNamed,
  formatNames,
  formatOfType,
  mapColumns,
  parseRecord,
} from './formats/index.ts';
import type { Format } from './formats/format.ts';
import { hubFiles, isHubId, type HubContext } from './hub.ts';
import { entrySchema, type DatasetEntry, type DatasetOptions } from './options.ts';
import { readerFor } from './readers/index.ts';
import type { RawRecord, ReadRequest } from './readers/reader.ts';

export interface Source {
  /** For people: `alpaca_en_demo.json`, `owner/name`. */
  readonly name: string;
  /** As it was given: path or id. */
  readonly path: string;
  readonly format: Format;
  readonly files: readonly DataFile[];
  readonly weight: number | undefined;
  /** Hash of the content of all files and of what decides how they are read. */
  readonly hash: string;
  readonly records: () => AsyncIterable<DatasetRecord>;
  /** Number of records; reads the files through where they do not tell. */
  readonly count: () => Promise<number>;
}

/** What opening a source needs beside its entry. */
export interface SourceContext extends HubContext {
  readonly options: Pick<DatasetOptions, 'datasetFormat' | 'datasetTextField' | 'datasetColumns'>;
  /** Splits to take, best first, where files name splits and the entry does not choose. */
  readonly splits: readonly string[];
  readonly log: Logger;
}

/** The entries of a `dataset` or `evalDataset` setting. Throws LMFLOW_DATASET_SETTING. */
export function parseEntries(key: string, setting: unknown): DatasetEntry[] {
  const list = Array.isArray(setting) ? (setting as unknown[]) : [setting];
  if (list.length === 0) throw errors.setting(key, 'is an empty list. Name at least one dataset.');
  return list.map((item, index) =>
    parseEntry(Array.isArray(setting) ? `${key}[${index}]` : key, item),
  );
}

function parseEntry(key: string, item: unknown): DatasetEntry {
  if (typeof item === 'string' && item.trim() !== '') return { path: item };
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw errors.setting(
      key,
      `must be a path, a Hugging Face id, or an object { path, ... }, found ${errors.shown(item)}.`,
    );
  }
  const parsed = entrySchema.safeParse(item);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    if (issue.code !== 'unrecognized_keys') {
      throw errors.setting(
        [key, ...issue.path.map(String)].join('.'),
        `is not valid: ${issue.message}.`,
      );
    }
    const known = Object.keys(entrySchema.shape);
    const near = didYouMean(issue.keys[0]!, known);
    throw errors.setting(
      key,
      `has an unknown key '${issue.keys[0]!}'.${near ? ` Did you mean '${near}'?` : ''} Known keys: ${known.join(', ')}.`,
    );
  }
  if (parsed.data.path === undefined && parsed.data.name === undefined) {
    throw errors.setting(key, "has no 'path' (a file, a folder, or a Hugging Face id).");
  }
  return parsed.data;
}

/** Finds the files of an entry, detects the format from the first record and hashes the content. */
export async function openSource(entry: DatasetEntry, context: SourceContext): Promise<Source> {
  const { options, signal } = context;
  const path = entry.path ?? entry.name!;
  const files = await find(path, entry, context);
  const name =
    entry.name ??
    (files.length === 1 ? files[0]!.name : existsSync(path) ? basename(resolve(path)) : path);
  const columns = {
    ...options.datasetColumns,
    ...(options.datasetTextField ? { text: options.datasetTextField } : {}),
    ...entry.columns,
  };
  const wanted =
    entry.format ??
    options.datasetFormat ??
    (options.datasetTextField && entry.columns === undefined ? 'text_only' : undefined);
  const sampleBy = entry.sampleBy ?? 'document';
  const request = (file: DataFile): ReadRequest => ({
    ...file,
    sampleBy,
    header: {},
    ...(signal ? { signal } : {}),
  });
  const format = wanted === undefined ? await detectFormat() : named(wanted);
  const settings = { format: format.name, columns, sampleBy, maxSamples: entry.maxSamples ?? null };
  const hash = await hashFiles(files, JSON.stringify(settings), signal);

  async function* raw(): AsyncGenerator<RawRecord> {
    let left = entry.maxSamples ?? Infinity;
    for (const file of files) {
      const reading = request(file);
      for await (const record of readerFor(file.path)!.read(reading)) {
        if (left-- <= 0) return;
        check(file, reading);
        yield mapColumns(record, columns);
      }
      check(file, reading); // "type" may stand behind the records
    }
  }

  /** An LMFlow file says what it is; where nothing else was asked for, it must be what is read. */
  function check(file: DataFile, { header: { type } }: ReadRequest): void {
    if (type !== undefined && wanted === undefined && formatOfType(file.name, type) !== format) {
      throw errors.typeMismatch(file.name, errors.shown(type), format.name);
    }
  }

  async function detectFormat(): Promise<Format> {
    for (const file of files) {
      const reading = request(file);
      for await (const record of readerFor(file.path)!.read(reading)) {
        const mapped = mapColumns(record, columns);
        return reading.header.type === undefined
          ? detect(mapped)
          : formatOfType(file.name, reading.header.type);
      }
      if (reading.header.type !== undefined) formatOfType(file.name, reading.header.type);
    }
    throw errors.empty(name);
  }

  return {
    name,
    path,
    format,
    files,
    weight: entry.weight,
    hash,
    async *records() {
      for await (const record of raw()) yield parseRecord(record, format);
    },
    async count() {
      let total = 0;
      if (files.every((file) => readerFor(file.path)!.count !== undefined)) {
        for (const file of files) total += await readerFor(file.path)!.count!(request(file));
        return Math.min(total, entry.maxSamples ?? Infinity);
      }
      for await (const _ of raw()) total++;
      return total;
    },
  };
}

async function find(
  path: string,
  entry: DatasetEntry,
  context: SourceContext,
): Promise<DataFile[]> {
  if (existsSync(path) || !isHubId(path)) return localFiles(path, entry, context.splits);
  return hubFiles(path, entry, context.splits, context);
}

function named(name: string): Format {
  const format = formatNamed(name);
  if (format) return format;
  const near = didYouMean(name, formatNames);
  throw errors.setting(
    'format',
    `names the unknown format '${name}'.${near ? ` Did you mean '${near}'?` : ''} Known formats: ${formatNames.join(', ')}.`,
  );
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
