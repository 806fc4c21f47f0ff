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

/**
 * What each token stands for in a text. Of the tokens that share a character the first has it;
 * special tokens that the tokenizer adds (`addSpecialTokens`) have nothing.
 */
export function tokenTexts(
  tokenizer: Tokenizer,
  ids: Int32Array,
  text: string,
  addSpecialTokens: boolean,
): string[] {
  const { ids: again, offsets } = tokenizer.encode(text, { addSpecialTokens });
  if (again.length !== ids.length || again.some((id, place) => id !== ids[place])) {
    // ids that the text would not have become
    return [...ids].map((id, place) => tokenText(tokenizer, id, ids[place - 1]));
  }
  let at = 0;
  return [...ids.keys()].map((place) => {
    const end = Math.max(at, place === ids.length - 1 ? text.length : offsets[2 * place + 1]!);
    const own = text.slice(at, end);
    at = end;
    return own;
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
