// The self-check: the first micro-batch in int8 and in float32, and how well their gradients agree.
import type { Batch, Step } from '@lmflow/sdk';
import type { LinearClaim } from '@lmflow/sdk/model';

export interface Agreement {
  /** Of all parameters' gradients together; undefined where one of them is zero. */
  readonly cosine: number | undefined;
  /** |int8 - float| / |float| of the gradients. */
  readonly relativeError: number;
  readonly loss: number;
  readonly floatLoss: number;
}

/** Runs the batch twice, in programs that are only used here. */
export async function compareWithFloat(
  batch: Batch,
  gradients: NonNullable<Step['gradients']>,
  claim: LinearClaim,
): Promise<Agreement> {
  const int8 = await gradients(batch);
  claim.active = false;
  try {
    const float = await gradients(batch);
    return {
      ...agreement(int8.gradients, float.gradients),
      loss: int8.loss,
      floatLoss: float.loss,
    };
  } finally {
    claim.active = true;
  }
}

/** Cosine and relative error of two sets of gradients with the same names. */
export function agreement(
  found: ReadonlyMap<string, Float32Array>,
  expected: ReadonlyMap<string, Float32Array>,
): Pick<Agreement, 'cosine' | 'relativeError'> {
  let [dot, ours, theirs, apart] = [0, 0, 0, 0];
  for (const [name, wanted] of expected) {
    const actual = found.get(name)!;
    for (let index = 0; index < wanted.length; index++) {
      const [a, b] = [actual[index]!, wanted[index]!];
      dot += a * b;
      ours += a * a;
      theirs += b * b;
      apart += (a - b) ** 2;
    }
  }
  return {
    cosine: ours > 0 && theirs > 0 ? dot / Math.sqrt(ours * theirs) : undefined,
    relativeError: Math.sqrt(apart / theirs),
  };
}
