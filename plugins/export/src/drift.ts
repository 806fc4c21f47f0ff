// How far two models' logits are apart: both are run by the engine on the same tokens. For what
// merging in float32 costs.
import { randomStream, type Engine } from '@lmflow/sdk';
import { RowLogits, type Model } from '@lmflow/sdk/model';

export interface Drift {
  /** Positions compared. */
  readonly tokens: number;
  /** Largest and mean absolute difference of a logit. */
  readonly largest: number;
  readonly mean: number;
  /** Largest absolute logit of the first model, to judge the difference by. */
  readonly largestLogit: number;
  /** Part of the positions at which both find the same token likeliest. */
  readonly sameToken: number;
}

/** Rows of token ids from prompts, or from random ids where there are none. */
export function driftRows(model: Model, prompts: readonly string[], seed: number): Int32Array[] {
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
export async function measureDrift(
  engine: Engine,
  first: Model,
  second: Model,
  rows: readonly Int32Array[],
  signal: AbortSignal,
): Promise<Drift> {
  const width = first.architecture.vocabularySize;
  let [total, largest, largestLogit, same, count] = [0, 0, 0, 0, 0];
  const [one, other] = [new RowLogits(engine, first), new RowLogits(engine, second)];
  try {
    for (const row of rows) {
      signal.throwIfAborted();
      const [a, b] = [await one.of(row), await other.of(row)];
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
    await one.dispose();
    await other.dispose();
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
