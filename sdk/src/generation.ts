// Decoding, as the hook onGenerate sees it. Strategies answer the hook with a session; plain
// decoding answers last.
import type { ChatMessage } from './chat.ts';
import type { Model } from './model/model.ts';
import type { RequestSettings } from './request-settings.ts';

/**
 * Asks for a session that decodes a model; one session serves all of a model's sequences, also
 * those that come later.
 */
export interface GenerateRequest {
  readonly model: Model;
  /** Most tokens of a sequence, prompt and answer together. */
  readonly contextLength: number;
}

/**
 * Chooses the tokens of one sequence: penalties, sampling, greedy. It knows the prompt and what it
 * has chosen.
 */
export interface TokenChooser {
  /**
   * The next token, from the model's logits [vocabularySize]; it is part of the sequence from then
   * on.
   */
  choose(logits: Float32Array): number;
  /**
   * Probabilities [vocabularySize] of the next token after every setting (all on one token where
   * greedy), for strategies that verify drafts; `ahead` are tokens assumed to follow those chosen
   * so far.
   */
  probabilities(logits: Float32Array, ahead?: readonly number[]): Float64Array;
  /**
   * Makes a token that a strategy accepted part of the sequence; `logits` are those it was
   * predicted by.
   */
  take(token: number, logits: Float32Array): void;
  /** Whether the sequence ends with the tokens so far: strategies accept nothing after it. */
  readonly ended: boolean;
  /** What the request sets for plugins, checked. */
  readonly settings: RequestSettings;
}

/** A sequence whose next token is being chosen, as the hook onLogits sees it. */
export interface LogitsContext {
  readonly model: Model;
  /**
   * Prompt and answer so far. A listener decides by these alone: it is asked about continuations
   * that are never taken too, those of beams and those that a strategy drafts.
   */
  readonly ids: readonly number[];
  /** How many of `ids` are the prompt. */
  readonly promptTokens: number;
  /** Which of numReturnSequences; 0 for every beam. */
  readonly index: number;
  /**
   * What the request sets for plugins, checked. One object for the whole request: a key for what a
   * plugin remembers of it in a WeakMap.
   */
  readonly settings: RequestSettings;
}

/** Sequences being decoded together. They join and leave between steps. */
export interface DecodeSession {
  /** Adds a sequence and returns its handle. Its prompt is read in the steps that follow. */
  add(prompt: Int32Array, chooser: TokenChooser): number;
  /**
   * One step for all: new tokens by handle (none for one whose prompt is still being read, several
   * where a strategy accepts several).
   */
  step(): Promise<ReadonlyMap<number, readonly number[]>>;
  /** Ends a sequence and frees its place. */
  remove(handle: number): void;
  dispose(): Promise<void>;
}

/**
 * What a person sets for one generation: GenerationConfig's names in camelCase. Left out: the
 * checkpoint's generation_config, then the default.
 */
export interface GenerationOptions {
  readonly maxNewTokens?: number;
  readonly minNewTokens?: number;
  readonly doSample?: boolean;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  readonly noRepeatNgramSize?: number;
  readonly numBeams?: number;
  readonly numReturnSequences?: number;
  readonly seed?: number;
  /** Added to the logits of token ids. */
  readonly logitBias?: Readonly<Record<number, number>>;
  /** The text ends before the first of these. */
  readonly stop?: readonly string[];
  /** Tokens that end the text, in place of the model's; an empty list for none. */
  readonly eosTokenId?: readonly number[];
  /**
   * Log-probability of each token by the model itself (before temperature, penalties and filters),
   * and of so many of the likeliest beside it.
   */
  readonly logprobs?: number;
  /**
   * Log-probability of each token by the distribution that it was drawn from (after temperature,
   * penalties and filters); 0 where decoding is greedy.
   */
  readonly drawnLogprobs?: boolean;
  /** Beam search: exponent of the length that a finished beam's score is divided by. */
  readonly lengthPenalty?: number;
  readonly earlyStopping?: boolean | 'never';
  /** Leave special tokens out of the text (default true). */
  readonly skipSpecialTokens?: boolean;
  /** A prompt that does not fit into the context is an error (default), or loses its beginning. */
  readonly truncation?: 'error' | 'left';
}

/** A prompt and how to answer it, for `Generator.inference` and `streamInference`. */
export interface TextRequest {
  readonly model: Model;
  /**
   * One of `model.adapters`: this request is answered with it. Requests with different adapters run
   * at the same time.
   */
  readonly adapter?: string;
  /**
   * Text (special tokens are added as the tokenizer does), ids, or messages for the chat template.
   */
  readonly prompt: string | Int32Array | readonly ChatMessage[];
  readonly tools?: readonly unknown[];
  readonly options?: GenerationOptions;
  /** For plugins, by the names that are rows of REQUEST_SETTINGS. */
  readonly settings?: RequestSettings;
  readonly signal?: AbortSignal;
}

/** A token id and the natural logarithm of its probability. */
export interface TokenScore {
  readonly id: number;
  readonly logprob: number;
}

/** A token of the answer. */
export interface ChosenToken {
  readonly id: number;
  /**
   * What it adds to the text; empty for special tokens, and for all but the last token of a
   * character.
   */
  readonly text: string;
  /** By the model itself; where `logprobs` was asked for. */
  readonly logprob?: number;
  /** By the distribution that it was drawn from; where `drawnLogprobs` was asked for. */
  readonly drawnLogprob?: number;
  /** The likeliest tokens, best first; likewise. */
  readonly top?: readonly TokenScore[];
}

/** Why an answer ended: an EOS token or stop string, the limit of tokens, or an aborted signal. */
export type FinishReason = 'stop' | 'length' | 'abort';

/** A piece of a streamed text: never half a character, never a part of a stop string. */
export interface TextPiece {
  /** Which of numReturnSequences. */
  readonly index: number;
  readonly text: string;
  /** Tokens that are complete with this piece: those of `text`, and an EOS token at the end. */
  readonly tokens: readonly ChosenToken[];
  /** Set on the last piece of an index. */
  readonly finishReason?: FinishReason;
}

/** One whole answer to a request. */
export interface TextResult {
  readonly text: string;
  /** Tokens of the answer, an EOS token at its end included; without those of a stop string. */
  readonly ids: Int32Array;
  readonly promptTokens: number;
  readonly finishReason: FinishReason;
  readonly tokens: readonly ChosenToken[];
  /** Of beam search: the beam's score. */
  readonly score?: number;
}

/** The defaults of a model, for requests that leave a setting out. */
export interface GenerationDefaults {
  /** Most tokens of a sequence, prompt and answer together. */
  readonly contextLength: number;
  /**
   * What the configuration and the checkpoint set, lengths as for an empty prompt. What neither of
   * them sets is left out.
   */
  readonly options: GenerationOptions;
}

/** Text from a model. Calls that run at the same time on one model are decoded together. */
export interface TextGenerator {
  /** Throws where the configuration cannot hold for this model. */
  defaults(model: Model): GenerationDefaults;
  /** Every result, in order of index. */
  inference(request: TextRequest): Promise<TextResult[]>;
  /** Pieces as they come; leaving the loop early frees the sequence. */
  streamInference(request: TextRequest): AsyncIterable<TextPiece>;
  /**
   * Token ids of a request's prompt, as they would be fed. A promise, since a text can take the
   * tokenizer long, and other requests go on meanwhile.
   */
  encodePrompt(
    request: Pick<TextRequest, 'model' | 'adapter' | 'prompt' | 'tools'>,
  ): Promise<Int32Array>;
}
