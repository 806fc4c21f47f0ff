// @lmflow/sdk/peft: adapter folders as PEFT writes them, for the plugins of its methods. What a
// method computes is its plugin's.
export * from './base-weights.ts';
export * from './errors.ts';
export type { FieldTypes } from './field-types.ts';
export * from './fields.ts';
export * from './folder.ts';
export * from './modules.ts';
export * from './requested.ts';
