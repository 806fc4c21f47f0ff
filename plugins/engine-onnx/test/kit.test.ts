// The checks that every engine passes (all ops with edges: size-1 axes, empty parts, ties, large
// numbers; weights, refusals, results in place), run on this engine.
import { suite } from 'uvu';
import { testEngine } from '@lmflow/sdk/testing';
import { engine } from './support.ts';

const kit = suite('kit');
for (const { name, run } of testEngine(engine)) kit(name, run);
kit.after(() => engine.dispose());
kit.run();
