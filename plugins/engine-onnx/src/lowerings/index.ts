// The table of lowerings by op name: those of this folder and those that plugins contribute. The
// type of a lowering is in lowering.ts.
import type { LoweringRow } from '@lmflow/sdk';
import type { Node } from '@lmflow/sdk/graph';
import { crossEntropy } from './cross-entropy.ts';
import { decoding } from './decode-attention.ts';
import { elementwise } from './elementwise.ts';
import { lookup } from './gather.ts';
import { entry, type Lowering, type LoweringEntry, type Lowerings } from './lowering.ts';
import { logProbs } from './log-probs.ts';
import { matmul } from './matmul.ts';
import { normalisation } from './norm.ts';
import { rotary } from './rope.ts';
import { segmented } from './segmented-attention.ts';
import { shape } from './shape.ts';

/** The name of this engine in rows of LOWERINGS and in the key `engine`. */
export const ENGINE_NAME = 'onnx';

const builtin: Readonly<Record<string, LoweringEntry>> = {
  ...elementwise,
  ...shape,
  ...matmul,
  ...normalisation,
  ...lookup,
  ...rotary,
  ...segmented,
  ...decoding,
  ...crossEntropy,
  ...logProbs,
};

/**
 * The engine's lowerings, and those of `rows` for this engine and for `device`; a row replaces the
 * engine's lowering of its op.
 */
export function createLowerings(rows: Iterable<LoweringRow> = [], device = 'cpu'): Lowerings {
  const isFor = ({ devices }: { readonly devices?: readonly string[] }): boolean =>
    devices?.includes(device) ?? true;
  const table = new Map(Object.entries(builtin).filter(([, own]) => isFor(own)));
  for (const row of rows) {
    const { engine, op, lower } = row;
    if (engine !== ENGINE_NAME || !isFor(row)) continue;
    table.set(op, entry(lower as Lowering));
  }
  return {
    find(node: Node): Lowering | undefined {
      const found = table.get(node.op.name);
      return found && (found.fits?.(node) ?? true) ? found.lower : undefined;
    },
  };
}
