// @lmflow/sdk/model: a model as plugins see it, and what they do with one. Tensor programs are in
// @lmflow/sdk/graph.
export * from './float-weight.ts';
export * from './forward.ts';
export * from './linears.ts';
export * from './model.ts';
export * from './row-logits.ts';
