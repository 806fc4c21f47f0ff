// A Hugging Face tokenizer (tokenizer.json, run by the tokenizers library in a process of its own)
// behind the sdk's interface.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { TemplateRenderer } from '@lmflow/plugin-chat-templates';
import {
  isLMFlowError,
  type ChatMessage,
  type Encoding,
  type RenderOptions,
  type RenderedChat,
  type TextRange,
  type Tokenizer,
} from '@lmflow/sdk';
import { harmlessDecoder } from './decoder.ts';
import { templateMissing, tokenizerInvalid } from './errors.ts';
import { readingFailed, textFailed } from './failure.ts';
import { namedToken, readTokenizerFiles, type TokenizerFiles } from './files.ts';
import { toEncoding } from './offsets.ts';
import { PlainTextEncoder } from './plain-text-encoder.ts';
import { savedFiles } from './saved.ts';
import { ProcessEnded, type TokenizerProcess } from './tokenizer-process.ts';
import { TokenizerProcesses } from './tokenizer-processes.ts';
import { Vocabulary } from './vocabulary.ts';

/**
 * Ids that config.json or generation_config.json give, for tokenizers whose own files name no
 * special tokens (as GPT-2's).
 */
export interface FallbackIds {
  readonly bosId?: number;
  readonly eosId?: number;
  readonly padId?: number;
}

type Options<Ranges> = { readonly addSpecialTokens?: boolean; readonly plain?: Ranges };

interface Start {
  readonly files: TokenizerFiles;
  /** tokenizer.json with the tokens that only tokenizer_config.json knows. */
  readonly json: string;
  readonly process: TokenizerProcess;
  readonly vocabulary: Vocabulary;
  /** For texts in which special tokens are plain text. */
  readonly plain: PlainTextEncoder;
  /** Where tokens become text in this process. */
  readonly decoder: ((tokens: string[]) => string) | undefined;
  readonly fallback: FallbackIds;
}

const CONTROLS = ['bos_token', 'eos_token', 'pad_token'] as const;

/**
 * Loads a folder's tokenizer, which runs in one of the processes; throws LMFLOW_TOKENIZER_*.
 */
export async function loadTokenizer(
  folder: string,
  fallback: FallbackIds = {},
  processes = new TokenizerProcesses(),
): Promise<Tokenizer> {
  const files = await readTokenizerFiles(folder);
  const process = processes.of(files.json, files.addedTokens);
  const loaded = await process.load().catch((error: unknown) => {
    throw readingFailed(join(folder, 'tokenizer.json'), error);
  });
  if ('conflict' in loaded) {
    const { content, id, assigned } = loaded.conflict;
    throw tokenizerInvalid(
      join(folder, 'tokenizer_config.json'),
      `added_tokens_decoder gives "${content}" the id ${id}, with tokenizer.json it gets ${assigned}`,
    );
  }
  const json = loaded.json ?? files.json;
  const vocabulary = new Vocabulary(loaded);
  const tokenizer = new HuggingFaceTokenizer({
    files,
    json,
    process,
    vocabulary,
    plain: new PlainTextEncoder(join(folder, 'tokenizer.json'), {
      json,
      processes,
      process,
      vocabulary,
      controls: CONTROLS.map((name) => namedToken(files, name)),
    }),
    decoder: harmlessDecoder(loaded.decoder),
    fallback,
  });
  await tokenizer.observe();
  return tokenizer;
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
  specialTokensInText = false;
  addsBos = false;
  addsEos = false;
  chatTemplateOrigin: string | undefined;
  readonly #start: Start;
  readonly #renderer = new TemplateRenderer();
  #chatTemplate: string | undefined;

  constructor(start: Start) {
    const { files, vocabulary, fallback } = start;
    this.#start = start;
    this.vocabularySize = vocabulary.size;
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

  get specialTokens(): readonly string[] {
    return this.#start.plain.specialTokens;
  }

  get chatTemplate(): string | undefined {
    return this.#chatTemplate;
  }
  set chatTemplate(source: string | undefined) {
    this.#chatTemplate = source;
  }

  encode(
    text: string,
    { addSpecialTokens = false, plain = [] }: Options<readonly TextRange[]> = {},
  ): Encoding {
    const { process, plain: encoder } = this.#start;
    try {
      if (plain.length > 0) return encoder.encodeNow(text, plain, addSpecialTokens);
      return toEncoding(text, process.encodeNow([text], addSpecialTokens)[0]!);
    } catch (error) {
      throw this.#failed('tokenizing', text, error);
    }
  }

  async encodeBatch(
    texts: readonly string[],
    { addSpecialTokens = false, plain = [] }: Options<readonly (readonly TextRange[])[]> = {},
  ): Promise<Encoding[]> {
    if (plain.some((ranges) => ranges.length > 0)) {
      return this.#encodeMixed(texts, plain, addSpecialTokens);
    }
    const { process } = this.#start;
    try {
      const encodings = await process.encode(texts, addSpecialTokens);
      return encodings.map((encoding, index) => toEncoding(texts[index]!, encoding));
    } catch (error) {
      if (texts.length === 1 || !(error instanceof ProcessEnded)) {
        throw this.#failed('tokenizing', texts.join(''), error);
      }
    }
    // One of them ended the process: which one?
    const encodings: Encoding[] = [];
    for (const text of texts) {
      encodings.push(...(await this.encodeBatch([text], { addSpecialTokens })));
    }
    return encodings;
  }

  /** Texts with and without ranges in which special tokens are plain text. */
  async #encodeMixed(
    texts: readonly string[],
    plain: readonly (readonly TextRange[])[],
    addSpecialTokens: boolean,
  ): Promise<Encoding[]> {
    const isUsual = texts.map((_, index) => (plain[index] ?? []).length === 0);
    const usual = await this.encodeBatch(
      texts.filter((_, index) => isUsual[index]),
      { addSpecialTokens },
    );
    const encodings: Encoding[] = [];
    for (const [index, text] of texts.entries()) {
      if (isUsual[index]) encodings.push(usual.shift()!);
      else {
        const { plain: encoder } = this.#start;
        encodings.push(
          await encoder.encode(text, plain[index]!, addSpecialTokens).catch((error: unknown) => {
            throw this.#failed('tokenizing', text, error);
          }),
        );
      }
    }
    return encodings;
  }

  // As the library's own decode does it, which only comes as a promise.
  decode(
    ids: ArrayLike<number>,
    { skipSpecialTokens = false }: { readonly skipSpecialTokens?: boolean } = {},
  ): string {
    const { vocabulary, decoder, process } = this.#start;
    const tokens: string[] = [];
    for (let index = 0; index < ids.length; index++) {
      const token = vocabulary.tokenOf(ids[index]!);
      if (token !== undefined && !(skipSpecialTokens && vocabulary.special.has(token))) {
        tokens.push(token);
      }
    }
    if (decoder) return decoder(tokens);
    try {
      return process.decodeNow(tokens);
    } catch (error) {
      throw this.#failed('decoding', tokens.join(''), error);
    }
  }

  tokenToId(token: string): number | undefined {
    return this.#start.vocabulary.idOf(token);
  }

  render(messages: readonly ChatMessage[], options: RenderOptions = {}): string {
    return this.renderTagged(messages, options).text;
  }

  renderTagged(messages: readonly ChatMessage[], options: RenderOptions = {}): RenderedChat {
    const { templates } = this.#start.files;
    const own = this.chatTemplateOrigin === 'tokenizer';
    const source =
      own && options.tools && options.tools.length > 0
        ? (templates.get('tool_use') ?? this.#chatTemplate)
        : this.#chatTemplate;
    if (source === undefined) throw templateMissing([...templates.keys()]);
    return this.#renderer.renderTagged(source, messages, {
      ...options,
      name: this.chatTemplateOrigin ?? 'set by a plugin',
      specialTokens: this.#templateVariables(),
    });
  }

  clone(): Tokenizer {
    const copy = new HuggingFaceTokenizer(this.#start);
    copy.addsBos = this.addsBos;
    copy.addsEos = this.addsEos;
    copy.specialTokensInText = this.specialTokensInText;
    copy.chatTemplate = this.chatTemplate;
    copy.chatTemplateOrigin = this.chatTemplateOrigin;
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

  #failed(doing: string, text: string, error: unknown): Error {
    if (isLMFlowError(error)) return error;
    return textFailed(join(this.#start.files.folder, 'tokenizer.json'), doing, text, error);
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
    const { files, vocabulary } = this.#start;
    const token =
      namedToken(files, name) ??
      (fallbackId === undefined ? undefined : vocabulary.tokenOf(fallbackId));
    if (token === undefined) return undefined;
    const id = vocabulary.idOf(token);
    if (id !== undefined) return [token, id];
    // often named and never added; nothing is padded with it here
    if (name === 'pad_token') return undefined;
    throw tokenizerInvalid(
      join(files.folder, 'tokenizer_config.json'),
      `its ${name} "${token}" is not in tokenizer.json`,
    );
  }
}
