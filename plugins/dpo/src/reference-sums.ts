// The reference inside a program: a view of the model, or a column of the samples.
import { answerLogProbs, sequenceSums, withoutAdapter, type Trace } from '@lmflow/sdk/model';
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
/** A trace with something of its own. */
function traceWith(
  trace: Trace,
  changes: Partial<Pick<Trace, 'model' | 'mode' | 'withoutDropout'>>,
): Trace {
  const shared = Object.create(trace) as Trace;
  for (const [key, value] of Object.entries(changes)) {
    Object.defineProperty(shared, key, { value, enumerable: true });
  }
  return shared;
}

/** Log-probabilities of the answers under the reference [sequences]. */
export function referenceSums(trace: Trace, source: ReferenceSource): Value | undefined {
  if (source === 'none') return undefined;
  if (source === 'column') return trace.input(REFERENCE);
  const other = traceWith(trace, { model: withoutAdapter(trace.model), mode: 'evaluation' });
  return sequenceSums(trace, answerLogProbs(other).logProbs);
}

/** The trace with no dropout of an adapter. */
export function withoutDropout(trace: Trace): Trace {
  return traceWith(trace, { withoutDropout: true });
}
