// Which format records are of: by name, by the "type" of an LMFlow file, or by the keys of the
// first record; and reading them with it.
import type { DatasetRecord } from '@lmflow/sdk';
import * as errors from '../errors.ts';
import type { RawRecord } from '../readers/reader.ts';
import { CheckedFields, type Format } from './format.ts';
import { preferences } from './preferences.ts';
import { formats as answered } from './table.ts';

/** Paired formats first: their keys contain those of the others. */
export const formats: readonly Format[] = [...preferences, ...answered];

/** LMFlow types that are for inference or other models, and why they cannot be trained on. */
const UNTRAINABLE: Readonly<Record<string, string>> = {
  text_to_textlist:
    'it lists answers without saying which is good; score them (text_to_scored_textlist) or choose one (text2text)',
  float_only: 'it holds rewards, not text',
  image_text: 'images need a multimodal model',
  custom_multi_modal: 'images need a multimodal model',
};

const names = (format: Format): readonly string[] => [format.name, ...(format.aliases ?? [])];

/** All names a format goes by, for suggestions. */
export const formatNames: readonly string[] = formats.flatMap(names);

/** The format of a name or alias; undefined where there is none. */
export const formatNamed = (name: string): Format | undefined =>
  formats.find((format) => names(format).includes(name));

/**
 * The format an LMFlow file's "type" names. Throws LMFLOW_DATASET_TYPE_UNKNOWN and
 * _TYPE_UNSUPPORTED.
 */
export function formatOfType(file: string, type: unknown): Format {
  const format = typeof type === 'string' ? formatNamed(type) : undefined;
  if (format) return format;
  if (typeof type === 'string' && Object.hasOwn(UNTRAINABLE, type)) {
    throw errors.typeUnsupported(file, type, UNTRAINABLE[type]!);
  }
  throw errors.typeUnknown(file, type, formatNames);
}

/** Detects the format of a record by its keys. Throws LMFLOW_DATASET_FORMAT_UNKNOWN. */
export function detect({ value, origin }: RawRecord): Format {
  const format = formats.find((candidate) => candidate.matches(value));
  if (format) return format;
  throw errors.formatUnknown(
    origin,
    Object.keys(value),
    formats.map(({ name, example }) => [name, example] as const),
  );
}

/**
 * Checks a raw record and makes a DatasetRecord of it. Throws LMFLOW_DATASET_RECORD, _ROLE,
 * _COLUMN.
 */
export function parseRecord(raw: RawRecord, format: Format): DatasetRecord {
  const body = format.parse(new CheckedFields(raw, format.name));
  return {
    ...body,
    ...(raw.part && body.kind === 'text' ? { part: raw.part } : {}),
    origin: raw.origin,
  };
}

/**
 * Renames a record's keys to those of the format: `columns` is format key -> key in the file.
 * Throws LMFLOW_DATASET_COLUMN.
 */
export function mapColumns(raw: RawRecord, columns: Readonly<Record<string, string>>): RawRecord {
  const mapped: Record<string, unknown> = { ...raw.value };
  for (const [key, column] of Object.entries(columns)) {
    if (!(column in raw.value)) {
      throw errors.column(raw.origin, key, column, Object.keys(raw.value));
    }
    mapped[key] = raw.value[column];
  }
  return { ...raw, value: mapped };
}
