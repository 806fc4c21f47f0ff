// @lmflow/sdk/model: a model as plugins see it, and what they do with one. Tensor programs are in
// @lmflow/sdk/graph.
export * from './adapter-value.ts';
export * from './architecture.ts';
export * from './assign-parameters.ts';
export * from './claims.ts';
export * from './float-weight.ts';
export * from './forward.ts';
export * from './linear-claim.ts';
export type { LinearForm, StoredGroup, StoredLinear } from './linear-store.ts';
export * from './log-sum-exp.ts';
export * from './method.ts';
export * from './model.ts';
export * from './module-patterns.ts';
export * from './parameter-file.ts';
export * from './parameter.ts';
export * from './parameter-storage.ts';
export * from './reference.ts';
export * from './replace-linears.ts';
export * from './reshape-model.ts';
export * from './sequences.ts';
export * from './services.ts';
export * from './trace-view.ts';
export * from './training-method.ts';
export * from './view.ts';
export * from './wrap.ts';
