// The reference inside a program: a view of the model, or a column of the samples.
import { answerLogProbs, ofReference, sequenceSums, type Trace } from '@lmflow/sdk/model';
import type { Value } from '@lmflow/sdk/graph';

/** Where the reference's log-probabilities come from. */
export type ReferenceSource =
  /** No loss reads them, or all are equal. */
  | 'none'
  /** The same weights without their adapter, computed in every step. */
  | 'adapter'
  /** The column REFERENCE of the samples. */
  | 'column';

/** The column of log-probabilities that were computed before the first step. */
export const REFERENCE = 'referenceLogProb';

/** Log-probabilities of the answers under the reference [sequences]. */
export function referenceSums(trace: Trace, source: ReferenceSource): Value | undefined {
  if (source === 'none') return undefined;
  if (source === 'column') return trace.input(REFERENCE);
  return sequenceSums(trace, answerLogProbs(ofReference(trace)).logProbs);
}
