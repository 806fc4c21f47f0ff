// Model folders to test with: copies of the fixtures with a tiny tokenizer beside them, and what
// reads them without a kernel.
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from '@lmflow/sdk';
import type { Model, ModelRequest } from '@lmflow/sdk/model';
import { families } from '../src/families/index.ts';
import { readModel } from '../src/model.ts';

export const fixtures = fileURLToPath(new URL('../../../test/fixtures/families/', import.meta.url));
export const shared = fileURLToPath(new URL('../../../../shared/', import.meta.url));

const temporary: string[] = [];

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lmflow-models-'));
  temporary.push(folder);
  return folder;
}

/** Removes what `temporaryFolder` made. */
export async function removeFolders(): Promise<void> {
  for (const folder of temporary.splice(0)) await rm(folder, { recursive: true, force: true });
}

/** A byte-level BPE of 96 tokens: three special ones, printable characters, no merges. */
export function tinyTokenizer(size = 96): Record<string, unknown> {
  const characters = Array.from({ length: size - 3 }, (_, index) =>
    index === 0 ? 'Ġ' : String.fromCharCode(32 + index),
  );
  const special = ['<unk>', '<s>', '</s>'];
  const vocab = Object.fromEntries([...special, ...characters].map((token, id) => [token, id]));
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    normalizer: null,
    post_processor: null,
    added_tokens: special.map((content, id) => ({
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
      trim_offsets: true,
      use_regex: true,
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<unk>',
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges: [],
    },
  };
}

/** A copy of a fixture with the tiny tokenizer; `change` edits it. */
export async function modelFolder(
  family: string,
  change?: (folder: string) => Promise<void>,
): Promise<string> {
  const folder = await temporaryFolder();
  for (const file of await readdir(join(fixtures, family))) {
    if (!file.startsWith('reference')) await cp(join(fixtures, family, file), join(folder, file));
  }
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tinyTokenizer()));
  await writeFile(
    join(folder, 'tokenizer_config.json'),
    JSON.stringify({ bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' }),
  );
  await change?.(folder);
  return folder;
}

/** Edits config.json (undefined removes a key). */
export async function editConfig(
  folder: string,
  changes: Readonly<Record<string, unknown>>,
): Promise<void> {
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, ...changes }));
}

/** What a plugin said, for tests. */
export class RecordingLog implements Logger {
  readonly warnings: string[] = [];
  readonly progressLines: string[] = [];
  info(): void {
    /* not tested */
  }
  warn(message: string): void {
    this.warnings.push(message);
  }
  error(): void {
    /* not tested */
  }
  debug(): void {
    /* not tested */
  }
  event(): void {
    /* not tested */
  }
  table(): void {
    /* not tested */
  }
  progress(text: string): void {
    this.progressLines.push(text);
  }
}

export function loadFolder(
  folder: string,
  log: Logger = new RecordingLog(),
  purpose: ModelRequest['purpose'] = 'training',
): Promise<Model> {
  return readModel(
    { folder, source: folder, role: 'policy', purpose },
    {
      get: (name) => families.find((family) => family.name === name),
      names: () => families.map(({ name }) => name),
    },
    log,
  );
}
