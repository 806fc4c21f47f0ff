// The messages between the main thread, which computes, and the HTTP thread, which listens. Everything
// here can be cloned.
import type { ChatMessage, GenerationOptions, ToolCall } from '@lmflow/sdk';
import type { ServeOptions } from './options.ts';

/** What the HTTP thread knows of a model. */
export interface ModelInfo {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly contextLength: number;
  /** The model that an adapter belongs to. */
  readonly parent?: string;
  /** Why `tools` are refused; absent where calls of the chat template can be read. */
  readonly toolsRefused?: string;
}

/** What the HTTP thread knows of a plugin's route, `/plugins/<name>`. */
export interface RouteInfo {
  readonly name: string;
  readonly method: 'GET' | 'POST';
}

/** The data that the HTTP thread starts with. */
export interface ThreadData {
  readonly options: ServeOptions;
  readonly models: readonly ModelInfo[];
  /** Names of the request fields that are for plugins. */
  readonly requestSettings: readonly string[];
  readonly routes: readonly RouteInfo[];
  readonly version: string;
}

/** A function that a model may call, as OpenAI's API describes it. */
export interface FunctionTool {
  readonly type: 'function';
  readonly function: { readonly name: string; readonly [key: string]: unknown };
}

/** One prompt to continue. */
export interface Job {
  readonly model: string;
  readonly prompt: string | readonly number[] | readonly ChatMessage[];
  readonly tools?: readonly FunctionTool[];
  /** Without maxNewTokens, as many as the context leaves; 0 only with `echo`. */
  readonly options: GenerationOptions;
  /** The answer begins with the prompt, and with the scores of its tokens where any are asked for. */
  readonly echo?: boolean;
  /** Fields for plugins, not checked yet. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** A request for a plugin's route. */
export interface RouteCall {
  readonly route: string;
  /** The body of a POST, the query of a GET. */
  readonly input: unknown;
}

/** A token as text, with its log-probability. */
export interface ScoredToken {
  readonly text: string;
  /** NaN at the first token of a prompt: nothing comes before it. */
  readonly logprob: number;
  readonly top: readonly { readonly text: string; readonly logprob: number }[];
}

export interface PieceEvent {
  readonly kind: 'piece';
  readonly index: number;
  /** Without the tool calls in it. */
  readonly text: string;
  readonly calls?: readonly ToolCall[];
  readonly tokens: number;
  /** Only where the request asks for log-probabilities. */
  readonly scores?: readonly ScoredToken[];
  readonly finishReason?: 'stop' | 'length' | 'abort' | 'tool_calls';
}

/**
 * The events of a job are `started`, pieces and `done`, that of a route's call is `answered`. Either
 * may end with `refused` (the client is at fault) or `failed`.
 */
export type JobEvent =
  | { readonly kind: 'started'; readonly promptTokens: number }
  | PieceEvent
  | { readonly kind: 'done' }
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly content: string | Uint8Array;
    }
  | {
      readonly kind: 'refused';
      readonly message: string;
      readonly code: string;
      readonly parameter?: string;
    }
  | { readonly kind: 'failed'; readonly message: string };

export type ToThread =
  | { readonly kind: 'event'; readonly id: number; readonly event: JobEvent }
  /** Finish the running requests, then close. */
  | { readonly kind: 'stop' };

export type ToMain =
  | { readonly kind: 'listening'; readonly url: string }
  | { readonly kind: 'cannot-listen'; readonly why: string }
  | { readonly kind: 'start'; readonly id: number; readonly job: PackedJob | RouteCall }
  | { readonly kind: 'abort'; readonly id: number }
  | { readonly kind: 'log'; readonly level: 'debug' | 'warn' | 'error'; readonly text: string }
  | { readonly kind: 'closed' };

/** A job that can be cloned. */
export interface PackedJob extends Omit<Job, 'prompt' | 'tools'> {
  readonly prompt: string | readonly number[] | { readonly messages: string };
  readonly tools?: string;
}
