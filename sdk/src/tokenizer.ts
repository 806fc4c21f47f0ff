// What the rest needs of a tokenizer: encode, decode, special tokens, chat template. The models
// plugin makes it from tokenizer.json.
import type { ChatMessage } from './chat.ts';

/** Token ids of a text, with the piece of the text that each one stands for. */
export interface Encoding {
  readonly ids: Int32Array;
  /**
   * Start (inclusive) and end (exclusive) of token i in the text, in UTF-16 units, at 2i and 2i +
   * 1.
   */
  readonly offsets: Int32Array;
}

/** A range of a text in UTF-16 units: start (inclusive), end (exclusive). */
export type TextRange = readonly [start: number, end: number];

/** What a chat template gets beside the messages. */
export interface RenderOptions {
  readonly tools?: readonly unknown[];
  /** Ends with the assistant's header, ready to be continued. */
  readonly addGenerationPrompt?: boolean;
}

/** What a chat template printed, with what its {% generation %} tags mark. */
export interface RenderedChat {
  readonly text: string;
  /** Whether the template has such tags at all, reached or not. */
  readonly hasTags: boolean;
  /** Tags stand where it is not known what they mark: in a macro, whose text may go anywhere. */
  readonly hiddenTags: boolean;
  /** The parts that they mark, in order, apart from each other and not empty. */
  readonly tagged: readonly TaggedPart[];
}

/** A part of a rendered chat between {% generation %} and {% endgeneration %}. */
export interface TaggedPart {
  /** First UTF-16 unit. */
  readonly start: number;
  /** UTF-16 unit behind the last. */
  readonly end: number;
  /** Index of the message that it is about; undefined where that is not known. */
  readonly message: number | undefined;
}

/** Turns text into ids and back, and messages into text by its chat template. */
export interface Tokenizer {
  readonly vocabularySize: number;
  readonly bosToken?: string;
  readonly eosToken?: string;
  readonly padToken?: string;
  readonly bosId?: number;
  readonly eosId?: number;
  readonly padId?: number;
  /** Whether encoding with special tokens puts BOS first. */
  readonly addsBos: boolean;
  readonly addsEos: boolean;
  /**
   * Jinja source of the chat template in force; settable (a named or fallback template), saved with
   * the model.
   */
  chatTemplate: string | undefined;
  /** Where it came from: `tokenizer`, a named template, `fallback`. */
  chatTemplateOrigin: string | undefined;
  /** The texts of the special tokens, which a text may have in it. */
  readonly specialTokens: readonly string[];
  /**
   * Whether special tokens that messages have in them are read as such; false by default, they are
   * plain text then. Settable; `plainContent` of plugin chat-templates acts on it.
   */
  specialTokensInText: boolean;
  /**
   * `addSpecialTokens` is false by default, because chat templates have their special tokens in them.
   * Special tokens in the text are recognised, but for those in the ranges `plain` (in order, apart
   * from each other). Throws LMFLOW_TOKENIZER_*.
   */
  encode(
    text: string,
    options?: { readonly addSpecialTokens?: boolean; readonly plain?: readonly TextRange[] },
  ): Encoding;
  /** Many at once (the native library uses all cores); `plain` has the ranges of each text. */
  encodeBatch(
    texts: readonly string[],
    options?: {
      readonly addSpecialTokens?: boolean;
      readonly plain?: readonly (readonly TextRange[])[];
    },
  ): Promise<Encoding[]>;
  decode(ids: ArrayLike<number>, options?: { readonly skipSpecialTokens?: boolean }): string;
  tokenToId(token: string): number | undefined;
  /**
   * Renders messages with the chat template; throws LMFLOW_TEMPLATE_* where there is none or it
   * fails.
   */
  render(messages: readonly ChatMessage[], options?: RenderOptions): string;
  /** As `render`, with what the template's author marked for training. */
  renderTagged(messages: readonly ChatMessage[], options?: RenderOptions): RenderedChat;
  /**
   * For caches: hash of everything that decides its ids and what templates get (special tokens),
   * without `chatTemplate`.
   */
  readonly fingerprint: string;
  /** A copy that shares the vocabulary and has a `chatTemplate` that can be set independently. */
  clone(): Tokenizer;
  /**
   * Files to write beside a saved model: name -> content (tokenizer.json, tokenizer_config.json,
   * chat_template.jinja, ...).
   */
  files(): Promise<ReadonlyMap<string, Uint8Array>>;
}
