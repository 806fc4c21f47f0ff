// Every op of the sdk. Functions build nodes; the `...Op` definitions are what engines look
// lowerings up by.
export * from './activation.ts';
export * from './after.ts';
export * from './attention.ts';
export * from './cached.ts';
export {
  add,
  addOp,
  div,
  divOp,
  mul,
  mulOp,
  neg,
  negOp,
  reciprocal,
  reciprocalOp,
  sub,
  subOp,
} from './binary.ts';
export {
  broadcastTo,
  broadcastToOp,
  sum,
  sumOp,
  unbroadcast,
  type ReduceOptions,
} from './broadcast.ts';
export {
  linearCrossEntropy,
  linearCrossEntropyOp,
  type LinearCrossEntropyAttributes,
} from './cross-entropy.ts';
export * from './decode.ts';
export * from './detach.ts';
export * from './extremes.ts';
export * from './gather.ts';
export * from './log-probs.ts';
export * from './log-sigmoid.ts';
export * from './logic.ts';
export { HIDDEN } from './masks.ts';
export * from './matmul.ts';
export * from './norm.ts';
export { allFloat, inferBroadcast, type Operand } from './operands.ts';
export * from './reduce.ts';
export * from './rope.ts';
export {
  segmentedAttentionOp,
  segmentTiles,
  type SegmentedAttentionAttributes,
} from './segments.ts';
export * from './shape.ts';
export * from './sign.ts';
export * from './softmax.ts';
export * from './unary.ts';
