// Views of a trace: the same graph and batch, with another model or without dropout. They build a
// reference beside the policy in one program.
import type { Trace } from './model.ts';
import { withoutAdapter } from './view.ts';

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

/** The trace with no dropout of an adapter. */
export function withoutDropout(trace: Trace): Trace {
  return traceWith(trace, { withoutDropout: true });
}

/** The trace of the model without its adapter, as it computes outside of training. */
export function ofReference(trace: Trace): Trace {
  return traceWith(trace, { model: withoutAdapter(trace.model), mode: 'evaluation' });
}
