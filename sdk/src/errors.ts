// The one error class of all packages. Each package builds its errors in its errors.ts; their codes
// are listed in docs/errors.md.
import { distance } from 'fastest-levenshtein';

/**
 * What kind of failure it is; the exit code of the command follows from it. `usage`: wrong flags,
 * configuration or plugins (2). `input`: what was read is at fault: a model, data, a checkpoint (3).
 * `failure`: the command failed, and the input is not at fault: a full disk, the runtime (1).
 * `interrupted`: ended by a signal (130).
 */
export type ErrorKind = 'usage' | 'input' | 'failure' | 'interrupted';

/** What an LMFlowError has beside its code and message. */
export interface ErrorOptions {
  /** What to do about it: one imperative sentence with a capital and a full stop. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/**
 * An expected failure: bad input, missing file, wrong shape. The command prints message and hint
 * without a stack. Made with usageError, inputError, failureError or interruptedError.
 */
export class LMFlowError extends Error {
  /** Stable, `LMFLOW_*`, listed in docs/errors.md. */
  readonly code: string;
  readonly kind: ErrorKind;
  readonly hint: string | undefined;
  /** Set by the kernel where the error came out of a tap: the plugin and the hook. */
  plugin?: string;
  hook?: string;

  constructor(
    kind: ErrorKind,
    code: `LMFLOW_${string}`,
    message: string,
    options: ErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LMFlowError';
    this.kind = kind;
    this.code = code;
    this.hint = options.hint;
  }
}

type ErrorArguments = [code: `LMFLOW_${string}`, message: string, options?: ErrorOptions];

/** Wrong flags, configuration or plugins. */
export function usageError(...args: ErrorArguments): LMFlowError {
  return new LMFlowError('usage', ...args);
}

/** What was read is at fault: a model, data, a checkpoint. */
export function inputError(...args: ErrorArguments): LMFlowError {
  return new LMFlowError('input', ...args);
}

/** The command failed, and the input is not at fault: a full disk, the runtime, a bug in a plugin. */
export function failureError(...args: ErrorArguments): LMFlowError {
  return new LMFlowError('failure', ...args);
}

/** Ended by Ctrl-C or another signal. */
export function interruptedError(...args: ErrorArguments): LMFlowError {
  return new LMFlowError('interrupted', ...args);
}

/** Whether a value is an LMFlowError, also one made by another copy of this package. */
export function isLMFlowError(value: unknown): value is LMFlowError {
  return value instanceof Error && value.name === 'LMFlowError' && 'code' in value;
}

/** The message of anything thrown: an error's message, or the value as text. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/**
 * The candidate nearest to `word` (edit distance at most a third of its length; 2 for short words,
 * 1 for very short ones), for "did you mean".
 */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let fewest = (word.length < 4 ? 1 : Math.max(2, Math.floor(word.length / 3))) + 1;
  for (const candidate of candidates) {
    const edits = distance(word.toLowerCase(), candidate.toLowerCase());
    if (edits < fewest) [best, fewest] = [candidate, edits];
  }
  return best;
}
