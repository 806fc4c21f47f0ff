// Decoding, as the hook onGenerate sees it. Strategies answer the hook with a session; plain decoding answers last.
import type { Model } from './model.ts';
import type { ChatMessage } from './tokenizer.ts';

export interface GenerateRequest {
  readonly model: Model;
  /** Token ids of the prompts. */
  readonly prompts: readonly Int32Array[];
  /** GenerationConfig names in camelCase. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal;
}

/** Sequences being decoded together. */
export interface DecodeSession {
  /** Adds a prompt; gives its handle. */
  add(prompt: Int32Array): number;
  /** One step for all: new token ids by handle (several where a strategy accepts several). */
  step(): Promise<ReadonlyMap<number, readonly number[]>>;
  remove(handle: number): void;
  dispose(): Promise<void>;
}

/** What a person sets for one generation: GenerationConfig's names in camelCase. Left out: the checkpoint's generation_config, then the default. */
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
  readonly eosTokenId?: readonly number[];
  /** Log-probability of each token, and of so many of the likeliest beside it. */
  readonly logprobs?: number;
}

export interface TextRequest {
  readonly model: Model;
  /** Text (special tokens are added as the tokenizer does), ids, or messages for the chat template. */
  readonly prompt: string | Int32Array | readonly ChatMessage[];
  readonly tools?: readonly unknown[];
  readonly options?: GenerationOptions;
  readonly signal?: AbortSignal;
}

export interface TokenScore { readonly id: number; readonly logprob: number }

/** A piece of a streamed text: never half a character, never a part of a stop string. */
export interface TextPiece {
  /** Which of numReturnSequences. */
  readonly index: number;
  readonly text: string;
  readonly tokens: readonly (TokenScore & { readonly top?: readonly TokenScore[] })[];
  /** Set on the last piece of an index. */
  readonly finishReason?: 'stop' | 'length' | 'abort';
}

export interface TextResult {
  readonly text: string;
  readonly ids: Int32Array;
  readonly promptTokens: number;
  readonly finishReason: 'stop' | 'length' | 'abort';
  readonly tokens: TextPiece['tokens'];
}

/** Text from a model. Calls that run at the same time on one model are decoded together. */
export interface TextGenerator {
  /** Every result, in order of index. */
  inference(request: TextRequest): Promise<TextResult[]>;
  /** Pieces as they come; leaving the loop early frees the sequence. */
  streamInference(request: TextRequest): AsyncIterable<TextPiece>;
  /** Token ids of a request's prompt, as they would be fed. */
  encodePrompt(request: Pick<TextRequest, 'model' | 'prompt' | 'tools'>): Int32Array;
}
