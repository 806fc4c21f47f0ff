// How much the logits of two models differ on the same tokens. `lmflow merge` measures with it what
// merging in float32 changes. Not a judgement: merge.ts warns.
import { randomStream, type Scorer } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';

export interface LogitDifference {
  /** Positions compared. */
  readonly tokens: number;
  /** Largest and mean absolute difference of a logit. */
  readonly largest: number;
  readonly mean: number;
  /** Largest absolute logit of the first model, to compare the difference with. */
  readonly largestLogit: number;
  /** Share of the positions at which both models have the same likeliest token. */
  readonly sameToken: number;
}

/** Rows of token ids from prompts, or of random ids where there are none. */
export function comparedRows(model: Model, prompts: readonly string[], seed: number): Int32Array[] {
  const { vocabularySize, maxPositions } = model.architecture;
  if (prompts.length === 0) {
    const random = randomStream(seed, 'export', 'drift');
    const length = Math.min(16, maxPositions);
    return Array.from({ length: 4 }, (_, row) =>
      Int32Array.from({ length }, (_, index) =>
        Math.floor(random.uniform(row * length + index) * vocabularySize),
      ),
    );
  }
  const rows = prompts.map((prompt) =>
    model.tokenizer.encode(prompt, { addSpecialTokens: true }).ids.slice(0, maxPositions),
  );
  return rows.filter(({ length }) => length > 0);
}

/** Runs both models on each row and compares every logit. */
export async function measureDifference(
  scorer: Scorer,
  first: Model,
  second: Model,
  rows: readonly Int32Array[],
  signal: AbortSignal,
): Promise<LogitDifference> {
  const width = first.architecture.vocabularySize;
  let [total, largest, largestLogit, same, count] = [0, 0, 0, 0, 0];
  const firstSession = scorer.open(first);
  const secondSession = scorer.open(second);
  try {
    for (const row of rows) {
      signal.throwIfAborted();
      const [a, b] = [await firstSession.logits(row), await secondSession.logits(row)];
      for (let index = 0; index < a.length; index++) {
        const difference = Math.abs(a[index]! - b[index]!);
        total += difference;
        if (!(difference <= largest)) largest = difference;
        largestLogit = Math.max(largestLogit, Math.abs(a[index]!));
      }
      for (let start = 0; start < a.length; start += width) {
        same += Number(
          likeliest(a.subarray(start, start + width)) ===
            likeliest(b.subarray(start, start + width)),
        );
      }
      count += row.length;
    }
  } finally {
    await firstSession.dispose();
    await secondSession.dispose();
  }
  return {
    tokens: count,
    largest,
    mean: total / (count * width),
    largestLogit,
    sameToken: same / count,
  };
}

function likeliest(row: Float32Array): number {
  let best = 0;
  for (let index = 1; index < row.length; index++) if (row[index]! > row[best]!) best = index;
  return best;
}
