// The setting `dataset` or `evalDataset` -> its entries.
import type { z } from 'zod';
import type { LMFlowError } from '@lmflow/sdk';
import * as errors from '../errors.ts';
import { shown } from '../shown-value.ts';
import { entrySchema, type DatasetEntry } from '../options.ts';

/** The entries of a `dataset` or `evalDataset` setting. Throws LMFLOW_DATASET_SETTING. */
export function parseEntries(key: string, setting: unknown): DatasetEntry[] {
  const list = Array.isArray(setting) ? (setting as unknown[]) : [setting];
  if (list.length === 0) {
    throw errors.setting(key, 'is an empty list', 'Name at least one dataset.');
  }
  return list.map((item, index) =>
    parseEntry(Array.isArray(setting) ? `${key}[${index}]` : key, item),
  );
}

function parseEntry(key: string, item: unknown): DatasetEntry {
  if (typeof item === 'string' && item.trim() !== '') return { path: item };
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw errors.setting(
      key,
      `must be a path, a Hugging Face id, or an object { path, ... }, found ${shown(item)}`,
    );
  }
  const parsed = entrySchema.safeParse(item);
  if (!parsed.success) throw entryInvalid(key, parsed.error.issues[0]!);
  if (parsed.data.path === undefined && parsed.data.name === undefined) {
    throw errors.setting(key, "has no 'path' (a file, a folder, or a Hugging Face id)");
  }
  return parsed.data;
}

function entryInvalid(key: string, issue: z.core.$ZodIssue): LMFlowError {
  if (issue.code !== 'unrecognized_keys') {
    return errors.setting(
      [key, ...issue.path.map(String)].join('.'),
      `is not valid: ${issue.message}`,
    );
  }
  return errors.entryKeyUnknown(key, issue.keys[0]!, Object.keys(entrySchema.shape));
}
