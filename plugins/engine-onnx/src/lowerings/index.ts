// The table of lowerings by op name.
import type { Node } from '@lmflow/sdk/graph';
import { crossEntropy } from './crossentropy.ts';
import { decoding } from './decode.ts';
import { elementwise } from './elementwise.ts';
import { lookup } from './gather.ts';
import { entry, type Lowering, type LoweringEntry, type Lowerings } from './lowering.ts';
import { matmul } from './matmul.ts';
import { normalisation } from './norm.ts';
import { rotary } from './rope.ts';
import { segmented } from './segments.ts';
import { shape } from './shape.ts';

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
};

/** A table that starts with the engine's own lowerings. */
export function createLowerings(): Lowerings {
  const table = new Map(Object.entries(builtin));
  return {
    register: (op, lowering) => {
      table.set(op, entry(lowering));
    },
    find(node: Node): Lowering | undefined {
      const found = table.get(node.op.name);
      return found && (found.fits?.(node) ?? true) ? found.lower : undefined;
    },
  };
}
