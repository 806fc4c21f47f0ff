// Log-probabilities with tokens as text. An alternative is decoded after the token before it,
// because many decoders drop the space of a first one.
import type { TextPiece, Tokenizer } from '@lmflow/sdk';
import type { ScoredToken } from './thread-messages.ts';

/**
 * Scores of the tokens of a piece, for which `logprobs` was asked; `before` is the id of the token
 * before the first.
 */
export function scored(
  tokenizer: Tokenizer,
  tokens: TextPiece['tokens'],
  before: number | undefined,
): ScoredToken[] {
  let previous = before;
  return tokens.map(({ id, text, logprob = NaN, top = [] }) => {
    const context = previous;
    previous = id;
    return {
      text,
      logprob,
      top: top.map((other) => ({
        text: other.id === id && text !== '' ? text : tokenText(tokenizer, other.id, context),
        logprob: other.logprob,
      })),
    };
  });
}

function tokenText(tokenizer: Tokenizer, id: number, before: number | undefined): string {
  const decode = (ids: readonly number[]): string =>
    tokenizer.decode(ids, { skipSpecialTokens: false });
  if (before === undefined) return decode([id]);
  const left = decode([before]);
  const both = decode([before, id]);
  // half a character before it changes when it is completed
  return both.startsWith(left) ? both.slice(left.length) : decode([id]);
}
