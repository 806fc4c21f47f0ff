// The sdk's own cases for every op (edges: size-1 axes, empty parts, ties, large numbers), run on
// this engine.
import { suite } from 'uvu';
import { checkOpLowering, opChecks } from '@lmflow/sdk/testing';
import { engine } from './support.ts';

const kit = suite('kit');
for (const check of opChecks) kit(check.op.name, () => checkOpLowering(engine, check));
kit.after(() => engine.dispose());
kit.run();
