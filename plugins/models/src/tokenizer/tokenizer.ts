// A Hugging Face tokenizer (tokenizer.json, run by the tokenizers library) behind the sdk's
// interface.
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AddedToken, Tokenizer as NativeTokenizer } from 'tokenizers';
import { TemplateRenderer } from '@lmflow/plugin-chat-templates';
import {
  messageOf,
  type ChatMessage,
  type Encoding,
  type RenderOptions,
  type Tokenizer,
} from '@lmflow/sdk';
import { templateMissing, tokenizerInvalid } from './errors.ts';
import { namedToken, readTokenizerFiles, type TokenizerFiles } from './files.ts';
import { toEncoding } from './offsets.ts';
import { savedFiles } from './saved.ts';
import { SynchronousEncoder } from './synchronous.ts';

/**
 * Ids that config.json or generation_config.json give, for tokenizers whose own files name no
 * special tokens (as GPT-2's).
 */
export interface FallbackIds {
  readonly bosId?: number;
  readonly eosId?: number;
  readonly padId?: number;
}

type Options = { readonly addSpecialTokens?: boolean };

interface Start {
  readonly files: TokenizerFiles;
  readonly native: NativeTokenizer;
  /** tokenizer.json with the tokens that only tokenizer_config.json knows. */
  readonly json: string;
  readonly vocabularySize: number;
  readonly special: ReadonlySet<string>;
  readonly fallback: FallbackIds;
}

/** Loads a folder's tokenizer; throws LMFLOW_TOKENIZER_*. */
export async function loadTokenizer(
  folder: string,
  fallback: FallbackIds = {},
): Promise<Tokenizer> {
  const files = await readTokenizerFiles(folder);
  const path = join(folder, 'tokenizer.json');
  let native: NativeTokenizer;
  try {
    native = NativeTokenizer.fromString(files.json);
  } catch (error) {
    throw tokenizerInvalid(
      path,
      `the tokenizers library cannot read it: ${messageOf(error)}`,
      error,
    );
  }
  const content = JSON.parse(files.json) as TokenizerJson;
  const changed = addTokens(native, files, content);
  const json = changed ? await serialized(native) : files.json;
  native.disableTruncation();
  native.disablePadding();
  const known = changed ? (JSON.parse(json) as TokenizerJson) : content;
  const special = new Set(
    (known.added_tokens ?? []).filter((token) => token.special).map((token) => token.content),
  );
  const tokenizer = new HuggingFaceTokenizer({
    files,
    native,
    json,
    vocabularySize: highestId(known) + 1,
    special,
    fallback,
  });
  await tokenizer.observe();
  return tokenizer;
}

interface TokenizerJson {
  readonly added_tokens?: readonly {
    readonly id: number;
    readonly content: string;
    readonly special: boolean;
  }[];
  readonly model: { readonly vocab: Readonly<Record<string, number>> | readonly unknown[] };
}

function highestId({ model, added_tokens: added = [] }: TokenizerJson): number {
  let highest = Array.isArray(model.vocab) ? model.vocab.length - 1 : -1;
  if (!Array.isArray(model.vocab)) {
    for (const id of Object.values(model.vocab)) {
      if ((id as number) > highest) highest = id as number;
    }
  }
  for (const { id } of added) if (id > highest) highest = id;
  return highest;
}

/** Adds what tokenizer_config.json lists and tokenizer.json lacks; says whether there was any. */
function addTokens(
  native: NativeTokenizer,
  files: TokenizerFiles,
  { added_tokens: added = [] }: TokenizerJson,
): boolean {
  const known = new Set(added.map(({ content }) => content));
  const absent = files.addedTokens.filter(({ content }) => !known.has(content));
  for (const { content, special, id, ...options } of absent) {
    native.addAddedTokens([new AddedToken(content, special, options)]);
    const assigned = native.tokenToId(content);
    if (assigned !== id) {
      throw tokenizerInvalid(
        join(files.folder, 'tokenizer_config.json'),
        `added_tokens_decoder gives "${content}" the id ${id}, with tokenizer.json it gets ${assigned}`,
      );
    }
  }
  return absent.length > 0;
}

async function serialized(native: NativeTokenizer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lmflow-tokenizer-'));
  try {
    native.save(join(folder, 'tokenizer.json'), true);
    return await readFile(join(folder, 'tokenizer.json'), 'utf8');
  } finally {
    await rm(folder, { recursive: true });
  }
}

class HuggingFaceTokenizer implements Tokenizer {
  readonly vocabularySize: number;
  readonly bosToken?: string;
  readonly eosToken?: string;
  readonly padToken?: string;
  readonly bosId?: number;
  readonly eosId?: number;
  readonly padId?: number;
  readonly fingerprint: string;
  addsBos = false;
  addsEos = false;
  chatTemplateOrigin: string | undefined;
  readonly #start: Start;
  readonly #decoder: { decode(tokens: string[]): string } | null;
  readonly #renderer = new TemplateRenderer();
  #chatTemplate: string | undefined;
  #encoder: SynchronousEncoder | undefined;

  constructor(start: Start) {
    const { files, native, fallback } = start;
    this.#start = start;
    this.vocabularySize = start.vocabularySize;
    this.#decoder = native.getDecoder();
    const [bos, eos, pad] = [
      this.#special('bos_token', fallback.bosId),
      this.#special('eos_token', fallback.eosId),
      this.#special('pad_token', fallback.padId),
    ];
    if (bos) [this.bosToken, this.bosId] = bos;
    if (eos) [this.eosToken, this.eosId] = eos;
    if (pad) [this.padToken, this.padId] = pad;
    const { templates } = files;
    // The template in force is not in it: it can be changed. Ids of special tokens follow from
    // their names.
    const named = [
      this.#templateVariables(),
      [...templates].filter(([name]) => name !== 'default'),
    ];
    this.fingerprint = createHash('sha256')
      .update(start.json)
      .update(JSON.stringify(named))
      .digest('hex');
    this.#chatTemplate =
      templates.get('default') ?? (templates.size === 1 ? [...templates.values()][0] : undefined);
    this.chatTemplateOrigin = this.#chatTemplate === undefined ? undefined : 'tokenizer';
  }

  /**
   * Finds out by trying whether special tokens are put around a text: the post-processor decides,
   * not the configuration.
   */
  async observe(): Promise<void> {
    const [encoding] = await this.encodeBatch(['a'], { addSpecialTokens: true });
    const ids = encoding!.ids;
    this.addsBos = this.bosId !== undefined && ids[0] === this.bosId;
    this.addsEos = this.eosId !== undefined && ids.length > 1 && ids[ids.length - 1] === this.eosId;
  }

  get chatTemplate(): string | undefined {
    return this.#chatTemplate;
  }
  set chatTemplate(source: string | undefined) {
    this.#chatTemplate = source;
  }

  encode(text: string, { addSpecialTokens = false }: Options = {}): Encoding {
    this.#encoder ??= new SynchronousEncoder(this.#start.json);
    return toEncoding(text, this.#encoder.encode(text, addSpecialTokens));
  }

  async encodeBatch(
    texts: readonly string[],
    { addSpecialTokens = false }: Options = {},
  ): Promise<Encoding[]> {
    const encodings = await this.#start.native.encodeBatch([...texts], { addSpecialTokens });
    return encodings.map((encoding, index) => toEncoding(texts[index]!, encoding));
  }

  // As the library's own decode does it, which only comes as a promise.
  decode(
    ids: ArrayLike<number>,
    { skipSpecialTokens = false }: { readonly skipSpecialTokens?: boolean } = {},
  ): string {
    const { native, special } = this.#start;
    const tokens: string[] = [];
    for (let index = 0; index < ids.length; index++) {
      const token = native.idToToken(ids[index]!);
      if (token !== null && !(skipSpecialTokens && special.has(token))) tokens.push(token);
    }
    return this.#decoder ? this.#decoder.decode(tokens) : tokens.join(' ');
  }

  tokenToId(token: string): number | undefined {
    return this.#start.native.tokenToId(token) ?? undefined;
  }

  render(messages: readonly ChatMessage[], options: RenderOptions = {}): string {
    const { templates } = this.#start.files;
    const own = this.chatTemplateOrigin === 'tokenizer';
    const source =
      own && options.tools && options.tools.length > 0
        ? (templates.get('tool_use') ?? this.#chatTemplate)
        : this.#chatTemplate;
    if (source === undefined) throw templateMissing([...templates.keys()]);
    return this.#renderer.render(source, messages, {
      ...options,
      name: this.chatTemplateOrigin ?? 'set by a plugin',
      specialTokens: this.#templateVariables(),
    });
  }

  clone(): Tokenizer {
    const copy = new HuggingFaceTokenizer(this.#start);
    copy.addsBos = this.addsBos;
    copy.addsEos = this.addsEos;
    copy.chatTemplate = this.chatTemplate;
    copy.chatTemplateOrigin = this.chatTemplateOrigin;
    copy.#encoder = this.#encoder ??= new SynchronousEncoder(this.#start.json);
    return copy;
  }

  async files(): Promise<ReadonlyMap<string, Uint8Array>> {
    const { files, json } = this.#start;
    return savedFiles(files, {
      json,
      chatTemplate: this.#chatTemplate,
      own: this.chatTemplateOrigin === 'tokenizer',
    });
  }

  #templateVariables(): Record<string, string> {
    const variables: Record<string, string> = {};
    for (const name of [
      'bos_token',
      'eos_token',
      'pad_token',
      'unk_token',
      'sep_token',
      'cls_token',
      'mask_token',
    ]) {
      const token = namedToken(this.#start.files, name);
      if (token !== undefined) variables[name] = token;
    }
    if (this.bosToken !== undefined) variables['bos_token'] = this.bosToken;
    if (this.eosToken !== undefined) variables['eos_token'] = this.eosToken;
    if (this.padToken !== undefined) variables['pad_token'] = this.padToken;
    return variables;
  }

  #special(name: string, fallbackId: number | undefined): [string, number] | undefined {
    const { files, native } = this.#start;
    const token =
      namedToken(files, name) ??
      (fallbackId === undefined ? undefined : (native.idToToken(fallbackId) ?? undefined));
    if (token === undefined) return undefined;
    const id = native.tokenToId(token);
    if (id !== null) return [token, id];
    // often named and never added; nothing is padded with it here
    if (name === 'pad_token') return undefined;
    throw tokenizerInvalid(
      join(files.folder, 'tokenizer_config.json'),
      `its ${name} "${token}" is not in tokenizer.json`,
    );
  }
}
