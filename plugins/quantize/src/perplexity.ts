// Perplexity of a model on tokens: exp of the mean loss of those that count, in rows of bounded
// length.
import { IGNORED, type Engine, type Samples } from '@lmflow/sdk';
import { logSumExp, RowLogits, type Model } from '@lmflow/sdk/model';

/** A row of tokens, and what is to be predicted after each: IGNORED where nothing is. */
export interface Row {
  readonly inputs: Int32Array;
  readonly targets: Int32Array;
}

/**
 * Cuts tokens into rows of `length` inputs that overlap by one token, so that each but the first is
 * predicted once; the last row may be shorter.
 */
export function windowsOf(ids: Int32Array, length: number): Row[] {
  const count = Math.max(0, Math.ceil((ids.length - 1) / length));
  return Array.from({ length: count }, (_, index) => {
    const start = index * length;
    const end = Math.min(start + length, ids.length - 1);
    return { inputs: ids.slice(start, end), targets: ids.slice(start + 1, end + 1) };
  });
}

/** Rows of so many tokens share a program. */
const BUCKET = 64;

/**
 * The rows of samples: each tokens' label is predicted from those before it, as evaluation does;
 * packed samples come apart. They are filled up on the right, which changes nothing before, to a
 * few lengths, and sorted by them. At most the first `most` predicted tokens count.
 */
export function rowsOf(samples: Samples, maxPositions: number, most = Infinity): Row[] {
  const rows: Row[] = [];
  let left = most;
  for (let index = 0; index < samples.length && left > 0; index++) {
    const { inputIds, labels, segments } = samples.get(index);
    for (let start = 0; start < inputIds.length && left > 0;) {
      let end = start + 1;
      while (end < inputIds.length && segments?.[end] === segments?.[start]) end++;
      const own = inputIds.subarray(start, end - 1);
      const targets = labels
        .slice(start + 1, end)
        .map((label) => (label === IGNORED || left-- <= 0 ? IGNORED : label));
      start = end;
      if (targets.every((label) => label === IGNORED)) continue;
      const length = Math.min(Math.ceil(targets.length / BUCKET) * BUCKET, maxPositions);
      const filled = (numbers: Int32Array, rest: number): Int32Array =>
        Int32Array.from({ length }, (_, place) => numbers[place] ?? rest);
      rows.push({ inputs: filled(own, 0), targets: filled(targets, IGNORED) });
    }
  }
  return rows.sort((a, b) => a.inputs.length - b.inputs.length);
}

/** How many tokens rows predict. */
export function predicted(rows: readonly Row[]): number {
  return rows.reduce(
    (sum, { targets }) =>
      sum + targets.reduce((count, target) => count + Number(target !== IGNORED), 0),
    0,
  );
}

/**
 * The model as it computes now: programs are traced here. `done` hears the rows that are through.
 */
export async function perplexityOf(
  engine: Engine,
  model: Model,
  rows: readonly Row[],
  signal: AbortSignal,
  done: (rows: number) => void,
): Promise<number> {
  const logits = new RowLogits(engine, model);
  const { vocabularySize } = model.architecture;
  let loss = 0;
  try {
    for (const [index, { inputs, targets }] of rows.entries()) {
      signal.throwIfAborted();
      const numbers = await logits.of(inputs);
      for (const [place, target] of targets.entries()) {
        if (target === IGNORED) continue;
        const row = numbers.subarray(place * vocabularySize, (place + 1) * vocabularySize);
        loss += logSumExp(row) - row[target]!;
      }
      done(index + 1);
    }
  } finally {
    await logits.dispose();
  }
  return Math.exp(loss / predicted(rows));
}
