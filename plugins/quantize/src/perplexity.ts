// Rows of tokens, and the perplexity of a model on them: exp of the mean loss of those that count.
import { IGNORED, type Samples, type ScoreRow, type ScoringSession } from '@lmflow/sdk';

/**
 * Cuts tokens into rows of `length` + 1 that overlap by one token, so that each but the first is
 * predicted once; the last row may be shorter.
 */
export function windowsOf(ids: Int32Array, length: number): ScoreRow[] {
  const count = Math.max(0, Math.ceil((ids.length - 1) / length));
  return Array.from({ length: count }, (_, index) => ({
    ids: ids.slice(index * length, (index + 1) * length + 1),
  }));
}

/**
 * The rows of samples: each token's label is predicted from those before it, as evaluation does;
 * packed samples come apart. At most the first `most` predicted tokens count.
 */
export function rowsOf(samples: Samples, most = Infinity): ScoreRow[] {
  const rows: ScoreRow[] = [];
  let left = most;
  for (let index = 0; index < samples.length && left > 0; index++) {
    const { inputIds, labels, segments } = samples.get(index);
    for (let start = 0; start < inputIds.length && left > 0;) {
      let end = start + 1;
      while (end < inputIds.length && segments?.[end] === segments?.[start]) end++;
      const own = labels
        .slice(start, end)
        .map((label, place) => (place === 0 || label === IGNORED || left-- <= 0 ? IGNORED : label));
      const row = { ids: inputIds.slice(start, end), labels: own };
      start = end;
      if (own.some((label) => label !== IGNORED)) rows.push(row);
    }
  }
  return rows;
}

/** How many tokens rows predict. */
export function predicted(rows: readonly ScoreRow[]): number {
  return rows.reduce(
    (sum, { ids, labels }) =>
      sum + (labels ? labels.filter((label) => label !== IGNORED).length : ids.length - 1),
    0,
  );
}

/** `done` hears the rows that are through. */
export async function perplexityOf(
  session: ScoringSession,
  rows: readonly ScoreRow[],
  signal: AbortSignal,
  done: (rows: number) => void,
): Promise<number> {
  const scores = await session.score(rows, { signal, progress: done });
  const loss = scores.reduce(
    (sum, { logprobs }) => logprobs.reduce((inside, logprob) => inside - logprob, sum),
    0,
  );
  return Math.exp(loss / predicted(rows));
}
