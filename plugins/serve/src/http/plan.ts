// What an endpoint makes of a request: the jobs, and the format of their answer. It is run in
// answer.ts.
import type { Job, PieceEvent } from '../thread-messages.ts';

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

/** An endpoint's format of an answer. `choice` counts over prompts and samples. */
export interface Answer {
  /** Takes a piece; returns the chunks to stream. */
  piece(choice: number, event: PieceEvent): object[];
  /** Chunks before the first piece. */
  begin(): object[];
  /** The chunk with the usage. */
  usage(usage: Usage): object;
  /** The whole answer. */
  whole(usage: Usage): object;
}

export interface Plan {
  readonly jobs: readonly Job[];
  /** Samples of each job. */
  readonly n: number;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly answer: Answer;
  readonly user: string | undefined;
}
