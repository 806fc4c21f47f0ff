// The test kit of the sdk: ops against finite differences, engines against the interpreter, methods
// of training on a tiny model. It throws Errors and needs no test runner.
export { compareArrays, type Comparison } from './compare.ts';
export { opChecks } from './cases/index.ts';
export { FakeHub, type FakeRepository, type HubBehaviour } from './fake-hub.ts';
export type { Check } from './check.ts';
export { testEngine, type EngineTestOptions } from './engine.ts';
export { methodSuite, type MethodKernel, type MethodTest } from './method.ts';
export { checkGradient, type GradientOptions } from './gradient.ts';
export { opDeviations, type Deviation } from './deviations.ts';
export { draws, randomInputs, type Draw, type TestInput, type TestInputs } from './inputs.ts';
export { checkLowering, checkOpLowering, type LoweringOptions } from './lowering.ts';
export { typedArray } from './numbers.ts';
export { interpreterEngine, interpreterPlugin } from './interpreter-engine.ts';
export { writeTinyModel, type TinyModelOptions } from './tiny-model.ts';
export { checkOp, type OpCase, type OpCheck } from './op.ts';
export type { Build } from './program.ts';
export { writeWordTokenizer } from './word-tokenizer.ts';
