// Checks of a run: at its first step the policy is the reference, so that the loss is known; and later
// a warning where the chosen answers become unlikely.
import { Graph, interpret, ndarray } from '@lmflow/sdk/graph';
import type { LossSettings } from './settings.ts';
import { termsOf } from './terms.ts';

/** By how much the first loss may be off, relative to a loss above 1. */
const TOLERANCE = 1e-3;

/**
 * The loss of pairs for which policy and reference agree: log 2 for sigmoid. undefined where it depends
 * on the answers themselves.
 */
export function lossAtStart({ losses, sft, numbers }: LossSettings): number | undefined {
  if (sft !== 0 || losses.some(({ loss }) => !loss.reference || loss.margin)) return undefined;
  const graph = new Graph();
  const input = (name: string): ReturnType<Graph['input']> => graph.input(name, 'float32', [1]);
  const [agreed, one] = [input('agreed'), input('one')];
  const side = { logProb: agreed, reference: agreed, length: one };
  const terms = termsOf({ chosen: side, rejected: side }, numbers);
  losses.forEach(({ loss }, index) => {
    graph.output(String(index), loss.build(terms));
  });
  const number = ndarray([1], [1]);
  const results = interpret(graph, { agreed: number, one: number });
  return losses.reduce(
    (total, { weight }, index) => total + weight * results[String(index)]!.data[0]!,
    0,
  );
}

/** What to say of the first loss; undefined where it is as it should be. */
export function firstLossOff(loss: number, expected: number): string | undefined {
  if (Math.abs(loss - expected) <= TOLERANCE * Math.max(1, Math.abs(expected))) return undefined;
  return (
    `the loss of the first step is ${loss.toPrecision(5)} instead of ${expected.toPrecision(5)}: ` +
    'the policy is not the reference when training begins (an adapter that changes the model ' +
    'from the start, or dropout)'
  );
}
