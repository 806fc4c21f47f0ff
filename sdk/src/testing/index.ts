// The test kit of the sdk: ops against finite differences, engines against the interpreter. It
// throws Errors and needs no test runner.
export { compareArrays, type Comparison } from './compare.ts';
export { opChecks } from './cases/index.ts';
export { FakeHub, type FakeRepository, type HubBehaviour } from './fake-hub.ts';
export { checkGradient, type GradientOptions } from './gradient.ts';
export { draws, randomInputs, type Draw, type TestInput, type TestInputs } from './inputs.ts';
export { checkLowering, checkOpLowering, typedArray, type LoweringOptions } from './lowering.ts';
export { checkOp, type OpCase, type OpCheck } from './op.ts';
export type { Build } from './program.ts';
