// Decoding, as the hook onGenerate sees it. Strategies answer the hook with a session; plain decoding answers last.
import type { Model } from './model.ts';

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
