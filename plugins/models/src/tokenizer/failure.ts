// What a failure of the tokenizer's process, or of the library in it, is called.
import { messageOf, type LMFlowError } from '@lmflow/sdk';
import {
  tokenizerCrashed,
  tokenizerInvalid,
  tokenizerNotStarted,
  tokenizerSlow,
} from './errors.ts';
import { ProcessEnded } from './tokenizer-process.ts';

/** The error of a tokenizer.json that cannot be read. */
export function readingFailed(file: string, error: unknown): LMFlowError {
  if (error instanceof ProcessEnded) return ended(file, 'reading it', error);
  return tokenizerInvalid(
    file,
    `the tokenizers library cannot read it: ${messageOf(error)}`,
    error,
  );
}

/** The error of a text that was tokenized or decoded (`doing`); names its length. */
export function textFailed(file: string, doing: string, text: string, error: unknown): LMFlowError {
  const start = JSON.stringify(text.slice(0, 40)) + (text.length > 40 ? '...' : '');
  const what = `${doing} a text of ${text.length} characters (${start})`;
  if (!(error instanceof ProcessEnded)) {
    return tokenizerInvalid(file, `${what} failed: ${messageOf(error)}`, error);
  }
  return ended(file, error.loading ? 'reading it' : what, error);
}

function ended(file: string, doing: string, { kind, detail = '' }: ProcessEnded): LMFlowError {
  switch (kind) {
    case 'start':
      return tokenizerNotStarted(file, detail);
    case 'slow':
      return tokenizerSlow(file, doing);
    case 'memory':
      return tokenizerCrashed(file, doing, 'it takes more than 1 GB of memory');
    case 'crash':
      return tokenizerCrashed(file, doing, `its process ended (${detail})`);
  }
}
