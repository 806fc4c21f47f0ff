// Tensor programs: build a graph of typed values, differentiate it, hand it to an engine (or to the
// float64 interpreter).
export * from './types.ts';
export type {
  FileWeight,
  MemoryWeight,
  ModelWeight,
  PackedWeight,
  WeightSource,
} from './weight.ts';
export {
  Graph,
  type Node,
  type OpDefinition,
  type Region,
  type RegionOptions,
  type Source,
  type Value,
} from './graph.ts';
export { applyOne, applyOp, defineOp, type OpSpec } from './op.ts';
export { grad, gradients } from './grad.ts';
export { interpret, type InterpretOptions } from './interpreter.ts';
export { ndarray, type NdArray } from './ndarray.ts';
export { graphError, opHasNoGradient, opNotSupported, opTypesDoNotFit } from './errors.ts';
export * from './ops/index.ts';
