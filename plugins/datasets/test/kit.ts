// What the tests of this plugin share: folders that go away, tiny tokenizers, a loader without a
// kernel, a log that is kept.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TemplateChoice, namedTemplates } from '@lmflow/plugin-chat-templates';
import { HuggingFaceHub, hubOptions } from '@lmflow/plugin-hub';
import { loadTokenizer } from '@lmflow/plugin-models';
import {
  isLMFlowError,
  type DatasetRequest,
  type Dataset,
  type Hub,
  type LMFlowError,
  type Logger,
  type Sample,
  type Samples,
  type Tokenizer,
} from '@lmflow/sdk';
import { FormatTable } from '../src/formats/format-table.ts';
import { datasetFormats } from '../src/formats/index.ts';
import { DatasetLoader } from '../src/loader.ts';
import { optionsSchema } from '../src/options.ts';
import { datasetReaders } from '../src/readers/index.ts';
import { ReaderTable } from '../src/readers/reader-table.ts';

export const shared = fileURLToPath(new URL('../../../../shared/', import.meta.url));
/** Whether ../shared is there; tests that need it say so and end where it is not. */
export const hasShared = (): boolean => {
  if (existsSync(shared)) return true;
  process.stdout.write('skipped: no ../shared\n');
  return false;
};

const folders: string[] = [];

export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'lmflow-datasets-test-'));
  folders.push(path);
  return path;
}

export function removeFolders(): void {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
}

/** Writes a file into a new folder (or `into`); gives its path. */
export function file(name: string, content: unknown, into = folder()): string {
  const path = join(into, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    path,
    typeof content === 'string' || content instanceof Uint8Array
      ? content
      : JSON.stringify(content),
  );
  return path;
}

export interface TinyTokenizer {
  /** Special tokens beside <unk>, <s>, </s>. */
  readonly special?: readonly string[];
  /** Byte pairs that are merged, in order, e.g. ['a', 'b']. */
  readonly merges?: readonly (readonly [string, string])[];
  /** Put <s> before a text. */
  readonly bos?: boolean;
  readonly eos?: string;
  readonly pad?: string;
  readonly chatTemplate?: string;
}

/** A byte-level BPE of the printable characters, made as files and read by the models plugin. */
export async function tinyTokenizer({
  special = [],
  merges = [],
  bos = false,
  eos = '</s>',
  pad,
  chatTemplate,
}: TinyTokenizer = {}): Promise<Tokenizer> {
  const control = ['<unk>', '<s>', '</s>', ...special];
  const characters = [
    'Ġ',
    'Ċ',
    ...Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)),
  ];
  const tokens = [...new Set([...control, ...characters, ...merges.map((pair) => pair.join(''))])];
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    normalizer: null,
    added_tokens: control.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    pre_tokenizer: {
      type: 'ByteLevel',
      add_prefix_space: false,
      trim_offsets: false,
      use_regex: true,
    },
    post_processor: bos
      ? {
          type: 'TemplateProcessing',
          single: [
            { SpecialToken: { id: '<s>', type_id: 0 } },
            { Sequence: { id: 'A', type_id: 0 } },
          ],
          pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
          special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
        }
      : null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<unk>',
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
  const config = {
    bos_token: '<s>',
    eos_token: eos,
    ...(pad ? { pad_token: pad } : {}),
    ...(chatTemplate ? { chat_template: chatTemplate } : {}),
  };
  const path = folder();
  file('tokenizer.json', json, path);
  file('tokenizer_config.json', config, path);
  return loadTokenizer(path);
}

export const stories = (): Promise<Tokenizer> => loadTokenizer(join(shared, 'models/stories260k'));

/** A logger that keeps its lines. */
export function keepingLog(): Logger & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (text: string): void => void lines.push(text);
  return {
    lines,
    info: keep,
    warn: (text) => keep(`warning: ${text}`),
    error: keep,
    debug: keep,
    progress: () => undefined,
    event: () => undefined,
    table: (title, rows) => keep([title, ...rows.map((row) => row.join(': '))].join('\n')),
  };
}

/** The client of the hub as plugin hub makes it. */
export const hubWith =
  (log: Logger): (() => Hub) =>
  () =>
    new HuggingFaceHub(hubOptions.parse({}), log);

/** The built-in formats and readers. */
export const tables = {
  formats: new FormatTable(datasetFormats),
  readers: new ReaderTable(datasetReaders),
};

export interface LoadOptions {
  readonly tokenizer?: Tokenizer;
  readonly maxPositions?: number;
  readonly onDataset?: (dataset: Dataset, request: DatasetRequest) => Dataset;
  readonly onSamples?: (samples: Samples, request: DatasetRequest) => Samples;
  readonly log?: Logger;
}

/**
 * A loader as the kernel makes it: options parsed, hooks passed through. The cache is a folder of
 * the test unless named.
 */
export function loaderOf(
  config: Record<string, unknown>,
  { onDataset, onSamples, log = keepingLog() }: Omit<LoadOptions, 'tokenizer'> = {},
): DatasetLoader {
  const { dataset, seed = 42, chatTemplate, ...rest } = config;
  const hook = <T>(change?: (value: T, request: DatasetRequest) => T): never =>
    ({
      promise: (value: T, request: DatasetRequest) =>
        Promise.resolve(change ? change(value, request) : value),
    }) as never;
  return new DatasetLoader({
    options: optionsSchema.parse({ datasetCacheDir: folder(), ...rest }),
    templates: new TemplateChoice({
      wanted: chatTemplate as string | undefined,
      templates: namedTemplates,
      log,
    }),
    ...tables,
    config: { dataset, seed } as never,
    hooks: { onDataset: hook(onDataset), onSamples: hook(onSamples) },
    log,
    hub: hubWith(log),
    version: '0',
  });
}

/** Loads samples with such a loader. */
export async function load(
  config: Record<string, unknown>,
  { tokenizer, maxPositions = 512, ...options }: LoadOptions = {},
): ReturnType<DatasetLoader['load']> {
  const loader = loaderOf(config, options);
  return loader.load({ tokenizer: tokenizer ?? (await tinyTokenizer()), maxPositions });
}

export const all = (samples: Samples): Sample[] =>
  Array.from({ length: samples.length }, (_, index) => samples.get(index));

/** The text of a sample with trained parts in brackets. */
export function masked(sample: Sample, tokenizer: Tokenizer): string {
  let text = '';
  sample.inputIds.forEach((id, index) => {
    const trained = sample.labels[index] !== -100;
    const before = index > 0 && sample.labels[index - 1] !== -100;
    text += (trained && !before ? '[' : !trained && before ? ']' : '') + tokenizer.decode([id]);
  });
  return sample.labels.at(-1) === -100 ? text : `${text}]`;
}

/** The error that `work` must throw. */
export async function failure(work: () => unknown): Promise<LMFlowError> {
  try {
    await work();
  } catch (error) {
    if (isLMFlowError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
