// Log-probabilities with tokens as text. An alternative is decoded together with the token before it,
// because many decoders drop the space of a first token.
import type { TextPiece, Tokenizer } from '@lmflow/sdk';
import type { ScoredToken } from './thread-messages.ts';

/** Scores of the tokens of a piece with `logprobs`; `before` is the id of the token before it. */
export function scoreTokens(
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
  // where `before` ends in half a character, its text changes
  return both.startsWith(left) ? both.slice(left.length) : decode([id]);
}
