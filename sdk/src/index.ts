// @lmflow/sdk: the contract between kernel and plugins. Models are in @lmflow/sdk/model, tensor
// programs in @lmflow/sdk/graph, file formats in @lmflow/sdk/formats, whole files and the cache in
// @lmflow/sdk/files.
export * from './answer-checks.ts';
export * from './chat.ts';
export * from './command-runner.ts';
export * from './command.ts';
export * from './config.ts';
export * from './dataset-formats.ts';
export * from './dataset-readers.ts';
export * from './dataset.ts';
export * from './doctor.ts';
export * from './engine.ts';
export * from './errors.ts';
export * from './generation.ts';
export * from './hooks.ts';
export * from './hub.ts';
export * from './json.ts';
export * from './logger.ts';
export * from './model-source.ts';
export * from './optimizer.ts';
export * from './plugin.ts';
export * from './random.ts';
export * from './refusal.ts';
export * from './registry.ts';
export * from './request-settings.ts';
export * from './rewards.ts';
export * from './rollouts.ts';
export * from './samples.ts';
export * from './scoring.ts';
export * from './token.ts';
export * from './tokenizer.ts';
export * from './tokens.ts';
export * from './training.ts';
export * from './training-flags.ts';
export * from './user-config.ts';
