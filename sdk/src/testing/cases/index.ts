// Cases for every op of the sdk: its own tests run them on the interpreter, an engine's tests on
// the engine (checkOpLowering).
import type { OpCheck } from '../op.ts';
import { elementwise } from './elementwise.ts';
import { layers } from './layers.ts';
import { movement } from './movement.ts';

/** Every op of @lmflow/sdk/graph with the cases it is tested by. */
export const opChecks: readonly OpCheck[] = [...elementwise, ...movement, ...layers];
