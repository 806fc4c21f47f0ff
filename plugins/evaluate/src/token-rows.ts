// From asked texts to rows of tokens, by the rules of lm-evaluation-harness: context and continuation
// are encoded together, what is too long loses its beginning, BOS is read and never scored.
import { IGNORED, type ScoreRow } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { textUnfit } from './errors.ts';
import { rstrip } from './python-text.ts';
import type { AskedText } from './questions.ts';

/** The rows of one asked text. */
export interface TokenRows {
  readonly rows: readonly ScoreRow[];
  /** Whether the beginning of its context is cut. */
  readonly cut: boolean;
}

/** Throws LMFLOW_EVALUATE_TOKENS. */
export function tokenRows(model: Model, { context, text }: AskedText): TokenRows {
  return context === undefined
    ? { rows: wholeRows(model, text), cut: false }
    : continuationRow(model, context, text);
}

function continuationRow(model: Model, context: string, text: string): TokenRows {
  const [before, after] = encodePair(model, context, text);
  const { maxPositions } = model.architecture;
  if (after.length > maxPositions) {
    throw textUnfit(
      model.source,
      `an answer has ${after.length} tokens, the model ${maxPositions} positions`,
    );
  }
  const whole = [...before, ...after];
  // all but the last are read
  const ids = Int32Array.from(whole.slice(-(maxPositions + 1)));
  const labels = ids.slice().fill(IGNORED, 0, ids.length - after.length);
  return { rows: [{ ids, labels }], cut: whole.length > ids.length };
}

function encodePair(
  model: Model,
  context: string,
  text: string,
): [context: number[], continuation: number[]] {
  const { tokenizer } = model;
  if (context === '') {
    const ids = [...tokenizer.encode(text).ids];
    const first = prefixOf(model);
    return ids[0] === first ? [[first], ids.slice(1)] : [[first], ids];
  }
  const before = textIds(model, rstrip(context));
  return [before, textIds(model, context + text).slice(before.length)];
}

/** A text's tokens: special ones as the tokenizer adds them, but BOS once. */
export function textIds({ tokenizer }: Model, text: string): number[] {
  const addSpecialTokens = tokenizer.bosToken === undefined || !text.startsWith(tokenizer.bosToken);
  return [...tokenizer.encode(text, { addSpecialTokens }).ids];
}

/**
 * Windows that follow each other: each token is scored once, the first of a window given the one
 * before it; the last window is filled up with earlier tokens.
 */
function wholeRows(model: Model, text: string): ScoreRow[] {
  const length = model.architecture.maxPositions;
  const own = [...model.tokenizer.encode(text).ids];
  const ids = [prefixOf(model), ...own];
  const rows: ScoreRow[] = [];
  for (let scored = 0; scored < own.length;) {
    const count = Math.min(length, own.length - scored);
    const end = scored + count;
    const start = scored === 0 ? 0 : Math.max(0, end - length);
    const row = Int32Array.from(ids.slice(start, end + 1));
    rows.push({ ids: row, labels: row.slice().fill(IGNORED, 0, row.length - count) });
    scored = end;
  }
  return rows;
}

function prefixOf({ tokenizer, source }: Model): number {
  const id = tokenizer.bosId ?? tokenizer.eosId;
  if (id === undefined) {
    throw textUnfit(source, 'it has neither a BOS nor an EOS token to begin with');
  }
  return id;
}
