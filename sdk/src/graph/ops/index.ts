// Every op of the sdk. Functions build nodes; the `...Op` definitions are what engines look
// lowerings up by.
export * from './activation.ts';
export * from './after.ts';
export * from './attention.ts';
export * from './cached.ts';
export {
  abs,
  absOp,
  cos,
  cosOp,
  erf,
  erfOp,
  exp,
  expOp,
  log,
  logOp,
  neg,
  negOp,
  reciprocal,
  reciprocalOp,
  sigmoid,
  sigmoidOp,
  silu,
  siluOp,
  sin,
  sinOp,
  sqrt,
  sqrtOp,
  tanh,
  tanhOp,
} from './unary.ts';
export {
  add,
  addOp,
  allFloat,
  div,
  divOp,
  inferBroadcast,
  maximum,
  maximumOp,
  minimum,
  minimumOp,
  mul,
  mulOp,
  sub,
  subOp,
  unbroadcast,
  type Operand,
} from './binary.ts';
export * from './crossentropy.ts';
export * from './decode.ts';
export * from './gather.ts';
export * from './logic.ts';
export { HIDDEN } from './masks.ts';
export * from './matmul.ts';
export * from './norm.ts';
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
