// Which format records are of: by name, by the "type" of an LMFlow file, or by the keys of the
// records; and reading them with it.
import { isLMFlowError, type DatasetFormat, type DatasetRecord, type RawRecord } from '@lmflow/sdk';
import * as errors from '../errors.ts';
import { RecordChecks } from './checked-fields.ts';

/** LMFlow types that are for inference or other models, and why they cannot be trained on. */
const UNTRAINABLE: Readonly<Record<string, string>> = {
  text_to_textlist:
    'it lists answers without saying which is good; score them (text_to_scored_textlist) or choose one (text2text)',
  float_only: 'it holds rewards, not text',
  image_text: 'images need a multimodal model',
  custom_multi_modal: 'images need a multimodal model',
};

/** The formats that are known. */
export class FormatTable {
  /** All names they go by, for suggestions. */
  readonly names: readonly string[];
  private readonly formats: readonly DatasetFormat[];

  /** Of formats that match, the last one is taken. */
  constructor(formats: Iterable<DatasetFormat>) {
    this.formats = [...formats];
    this.names = this.formats.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  }

  /** The format of a name or alias; undefined where there is none. */
  named(name: string): DatasetFormat | undefined {
    return (
      this.formats.find((format) => format.name === name) ??
      this.formats.find((format) => format.aliases?.includes(name))
    );
  }

  /**
   * The format an LMFlow file's "type" names. Throws LMFLOW_DATASET_TYPE_UNKNOWN and
   * _TYPE_UNSUPPORTED.
   */
  ofType(file: string, type: unknown): DatasetFormat {
    const format = typeof type === 'string' ? this.named(type) : undefined;
    if (format) return format;
    if (typeof type === 'string' && Object.hasOwn(UNTRAINABLE, type)) {
      throw errors.typeUnsupported(file, type, UNTRAINABLE[type]!);
    }
    throw errors.typeUnknown(file, type, this.names);
  }

  /** Detects the format of records by the keys that they have together. Throws LMFLOW_DATASET_FORMAT_UNKNOWN. */
  detect({ value, origin }: RawRecord): DatasetFormat {
    const format = this.formats.findLast((candidate) => candidate.matches(value));
    if (format) return format;
    throw errors.formatUnknown(
      origin,
      Object.keys(value),
      this.formats.map(({ name, example }) => [name, example] as const),
    );
  }
}

/**
 * Checks a raw record and makes a DatasetRecord of it. Throws LMFLOW_DATASET_RECORD, _ROLE,
 * _COLUMN.
 */
export function parseRecord(raw: RawRecord, format: DatasetFormat): DatasetRecord {
  let body: ReturnType<DatasetFormat['parse']>;
  try {
    body = format.parse(new RecordChecks(raw, format.name));
  } catch (cause) {
    if (isLMFlowError(cause)) throw cause;
    throw errors.formatFailed(raw.origin, format.name, cause);
  }
  return {
    ...body,
    ...(raw.part && body.kind === 'text' ? { part: raw.part } : {}),
    origin: raw.origin,
  };
}
