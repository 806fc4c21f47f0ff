// What a model folder says about its tokenizer: tokenizer.json and its neighbours. Nothing is
// tokenized here.
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readJsonObject, readJsonText, readText } from '../json.ts';
import { tokenizerInvalid, tokenizerMissing } from './errors.ts';

/** A token that is found whole in a text, whatever surrounds it. */
export interface AddedTokenSpec {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly singleWord: boolean;
  readonly leftStrip: boolean;
  readonly rightStrip: boolean;
  readonly normalized: boolean;
}

/** What a model folder's files say about its tokenizer. */
export interface TokenizerFiles {
  readonly folder: string;
  /** Text of tokenizer.json. */
  readonly json: string;
  /** tokenizer_config.json; empty where absent. */
  readonly config: Readonly<Record<string, unknown>>;
  /** special_tokens_map.json, where there is one. */
  readonly specialTokensMap: Readonly<Record<string, unknown>> | undefined;
  /** Chat templates by name; `default` is used unless tools are given and there is `tool_use`. */
  readonly templates: ReadonlyMap<string, string>;
  readonly addedTokens: readonly AddedTokenSpec[];
}

const TEMPLATE_FOLDER = 'additional_chat_templates';
const OTHER_KINDS = [
  'tokenizer.model',
  'vocab.json',
  'merges.txt',
  'vocab.txt',
  'spiece.model',
  'tekken.json',
  'tokenizer.tiktoken',
];

/** Reads the files; throws LMFLOW_TOKENIZER_MISSING where there is no tokenizer.json. */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const json = await readJsonText(join(folder, 'tokenizer.json'));
  if (json === undefined) {
    const present = await Promise.all(
      OTHER_KINDS.map((file) =>
        access(join(folder, file)).then(
          () => [file],
          () => [],
        ),
      ),
    );
    throw tokenizerMissing(folder, present.flat());
  }
  const path = join(folder, 'tokenizer_config.json');
  const config = (await readJsonObject(path)) ?? {};
  return {
    folder,
    json,
    config,
    specialTokensMap: await readJsonObject(join(folder, 'special_tokens_map.json')),
    templates: await readTemplates(folder, path, config['chat_template']),
    addedTokens: readAddedTokens(path, config['added_tokens_decoder']),
  };
}

// Files of their own win over tokenizer_config.json, as in transformers.
async function readTemplates(
  folder: string,
  path: string,
  configured: unknown,
): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const single = await readText(join(folder, 'chat_template.jinja'));
  if (single !== undefined) files.set('default', single);
  const names = await readdir(join(folder, TEMPLATE_FOLDER)).catch(() => []);
  for (const name of names.filter((file) => file.endsWith('.jinja')).sort()) {
    files.set(
      name.slice(0, -'.jinja'.length),
      (await readText(join(folder, TEMPLATE_FOLDER, name)))!,
    );
  }
  return files.size > 0 ? files : configuredTemplates(path, configured);
}

function configuredTemplates(path: string, configured: unknown): Map<string, string> {
  if (configured === undefined || configured === null) return new Map();
  if (typeof configured === 'string') return new Map([['default', configured]]);
  if (!Array.isArray(configured)) {
    throw tokenizerInvalid(
      path,
      '"chat_template" must be a template, or a list of { name, template }',
    );
  }
  return new Map(
    configured.map((entry): [string, string] => {
      const { name, template } = (entry ?? {}) as { name?: unknown; template?: unknown };
      if (typeof name !== 'string' || typeof template !== 'string') {
        throw tokenizerInvalid(path, 'every entry of "chat_template" needs a name and a template');
      }
      return [name, template];
    }),
  );
}

function readAddedTokens(path: string, decoder: unknown): AddedTokenSpec[] {
  if (decoder === undefined || decoder === null) return [];
  if (typeof decoder !== 'object') {
    throw tokenizerInvalid(path, '"added_tokens_decoder" must be an object');
  }
  return Object.entries(decoder as Record<string, Record<string, unknown>>)
    .map(([id, token]) => {
      const content = token['content'];
      if (typeof content !== 'string' || !/^\d+$/.test(id)) {
        throw tokenizerInvalid(path, `added_tokens_decoder["${id}"] needs a content`);
      }
      const flag = (key: string, fallback = false): boolean =>
        typeof token[key] === 'boolean' ? token[key] : fallback;
      const special = flag('special');
      return {
        id: Number(id),
        content,
        special,
        singleWord: flag('single_word'),
        leftStrip: flag('lstrip'),
        rightStrip: flag('rstrip'),
        normalized: flag('normalized', !special),
      };
    })
    .sort((a, b) => a.id - b.id);
}

/**
 * A special token as the files say: a string, or an object with its content. undefined where they
 * name none.
 */
export function namedToken(files: TokenizerFiles, name: string): string | undefined {
  for (const source of [files.config, files.specialTokensMap ?? {}]) {
    const value = source[name];
    const content =
      typeof value === 'object' && value !== null
        ? (value as { content?: unknown }).content
        : value;
    if (typeof content === 'string') return content;
  }
  return undefined;
}
