import { matMul } from '@lmflow/sdk/graph';
import { checkGradient, checkOp } from '@lmflow/sdk/testing';
import { softCap, softCapOp } from './softcap.ts';

checkOp({
  op: softCapOp,
  cases: [
    { attributes: { cap: 30 }, inputs: { x: { shape: [2, 3], range: [-50, 50] } } },
    { attributes: { cap: 0.5 }, inputs: { x: { shape: [] } } },
  ],
});

// Something built of several ops: every float input is differentiated.
checkGradient(({ a, b }) => softCap(matMul(a!, b!), 2), {
  a: { shape: [3, 2] },
  b: { shape: [2, 4] },
});
