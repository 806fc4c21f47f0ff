// Encodes texts in which some special tokens are plain text, such as `<|im_end|>` in a question about
// templates. The library finds special tokens wherever they are, so a second tokenizer, in which they
// have names that no text has, encodes a text whose own special tokens are written by these names.
import { randomUUID } from 'node:crypto';
import { anyOf } from '@lmflow/plugin-chat-templates';
import { messageOf, type Encoding, type TextRange } from '@lmflow/sdk';
import { specialTokensOnly } from './errors.ts';
import { toEncoding } from './offsets.ts';
import { ProcessEnded, type RawEncoding, type TokenizerProcess } from './tokenizer-process.ts';
import type { TokenizerProcesses } from './tokenizer-processes.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Nobody can write it into a text. */
const SECRET = randomUUID().replaceAll('-', '');

/** The tokenizer as it is read from its file. */
export interface ReadTokenizer {
  readonly json: string;
  readonly processes: TokenizerProcesses;
  readonly process: TokenizerProcess;
  readonly vocabulary: Vocabulary;
  /** The texts of tokens with a role (BOS, EOS), special by it. */
  readonly controls: readonly (string | undefined)[];
}

/** A text with the special tokens that stay under their other names. */
interface Renamed {
  readonly text: string;
  /** For each UTF-16 unit of `text`, and its end, the place in the text before. */
  readonly places: readonly number[];
}

export class PlainTextEncoder {
  /** The texts of all special tokens. */
  readonly specialTokens: readonly string[];
  readonly #names: ReadonlyMap<string, string>;
  readonly #pattern: RegExp;
  readonly #file: string;
  readonly #tokenizer: ReadTokenizer;
  #made: TokenizerProcess | undefined;
  #isChecked = false;

  constructor(file: string, tokenizer: ReadTokenizer) {
    const { added, special } = tokenizer.vocabulary;
    this.#file = file;
    this.#tokenizer = tokenizer;
    this.specialTokens = added.filter(
      (token) => special.has(token) || tokenizer.controls.includes(token),
    );
    this.#names = new Map(
      this.specialTokens.map((token, index) => [token, `lmflow${SECRET}x${index}x`]),
    );
    this.#pattern = anyOf(this.specialTokens);
  }

  /** Encodes a text; `plain` are the ranges with plain text. Throws LMFLOW_TOKENIZER_SPECIAL_TEXT. */
  async encode(
    text: string,
    plain: readonly TextRange[],
    addSpecialTokens: boolean,
  ): Promise<Encoding> {
    const process = this.#process();
    if (!this.#isChecked) {
      const { before, after } = this.#examples();
      this.#check(
        await this.#tokenizer.process.encode(before, false),
        await process.encode(after, false).catch((error: unknown) => this.#refuse(error)),
      );
    }
    const renamed = this.#renamed(text, plain);
    return inPlace(renamed, (await process.encode([renamed.text], addSpecialTokens))[0]!);
  }

  /** As `encode`, while this thread waits. */
  encodeNow(text: string, plain: readonly TextRange[], addSpecialTokens: boolean): Encoding {
    const process = this.#process();
    if (!this.#isChecked) {
      const { before, after } = this.#examples();
      const usual = this.#tokenizer.process.encodeNow(before, false);
      try {
        this.#check(usual, process.encodeNow(after, false));
      } catch (error) {
        this.#refuse(error);
      }
    }
    const renamed = this.#renamed(text, plain);
    return inPlace(renamed, process.encodeNow([renamed.text], addSpecialTokens)[0]!);
  }

  /** The second tokenizer, read when it is needed for the first time. */
  #process(): TokenizerProcess {
    this.#made ??= this.#tokenizer.processes.of(withNames(this.#tokenizer.json, this.#names), []);
    return this.#made;
  }

  /** Every token that is found whole, by its text and by its name. */
  #examples(): { readonly before: readonly string[]; readonly after: readonly string[] } {
    const before = this.#tokenizer.vocabulary.added;
    return { before, after: before.map((token) => this.#names.get(token) ?? token) };
  }

  /** Both tokenizers must have the same ids. */
  #check(before: readonly RawEncoding[], after: readonly RawEncoding[]): void {
    const { added } = this.#tokenizer.vocabulary;
    const other = added.find(
      (_, index) => String(before[index]!.ids) !== String(after[index]!.ids),
    );
    if (other !== undefined) throw specialTokensOnly(this.#file, `"${other}" has no id of its own`);
    this.#isChecked = true;
  }

  /** Throws what the library says of the second tokenizer as an error of the first. */
  #refuse(error: unknown): never {
    if (error instanceof ProcessEnded || !(error instanceof Error)) throw error;
    throw specialTokensOnly(this.#file, messageOf(error));
  }

  #renamed(text: string, plain: readonly TextRange[]): Renamed {
    let result = '';
    const places: number[] = [];
    const copy = (from: number, to: number): void => {
      result += text.slice(from, to);
      for (let place = from; place < to; place++) places.push(place);
    };
    let at = 0;
    for (const [start, end] of [...plain, [text.length, text.length]] as const) {
      const from = at;
      for (const match of text.slice(from, start).matchAll(this.#pattern)) {
        copy(at, from + match.index);
        at = from + match.index + match[0].length;
        const name = this.#names.get(match[0])!;
        result += name;
        places.push(from + match.index);
        for (let unit = 1; unit < name.length; unit++) places.push(at);
      }
      copy(at, end);
      at = end;
    }
    places.push(text.length);
    return { text: result, places };
  }
}

/** An encoding of the renamed text with the places in the text before. */
function inPlace({ text, places }: Renamed, raw: RawEncoding): Encoding {
  const { ids, offsets } = toEncoding(text, raw);
  return { ids, offsets: offsets.map((place) => places[place]!) };
}

/** tokenizer.json with special tokens under other names, in its vocabulary too. */
function withNames(json: string, names: ReadonlyMap<string, string>): string {
  const file = JSON.parse(json) as {
    added_tokens?: { content: string }[];
    model: { vocab: unknown; unk_token?: unknown };
  };
  const renamed = (token: string): string => names.get(token) ?? token;
  for (const token of file.added_tokens ?? []) token.content = renamed(token.content);
  const { model } = file;
  if (typeof model.unk_token === 'string') model.unk_token = renamed(model.unk_token);
  model.vocab = Array.isArray(model.vocab)
    ? (model.vocab as [string, number][]).map(([token, score]) => [renamed(token), score])
    : Object.fromEntries(
        Object.entries(model.vocab as Record<string, number>).map(([token, id]) => [
          renamed(token),
          id,
        ]),
      );
  return JSON.stringify(file);
}
