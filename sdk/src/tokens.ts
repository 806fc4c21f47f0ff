// The services every kernel has once its plugins are loaded. A plugin's own tokens are exported by
// that plugin.
import type { CommandRunner } from './command-runner.ts';
import type { Engine } from './engine.ts';
import type { TextGenerator } from './generation.ts';
import type { Hub } from './hub.ts';
import type { ModelLoader, ModelWriter } from './model/services.ts';
import type { Rewarder } from './rewards.ts';
import type { RolloutSource } from './rollouts.ts';
import type { SampleLoader } from './samples.ts';
import type { Scorer } from './scoring.ts';
import type { Objective, Trainer } from './training.ts';
import { token } from './token.ts';

/** The compute engine in force: a row of ENGINES, chosen by the key `engine`. */
export const ENGINE = token<Engine>('engine', '@lmflow/plugin-engine-onnx');
/** The files of models and data sets of the Hugging Face hub (plugin hub). */
export const HUB = token<Hub>('hub', '@lmflow/plugin-hub');
/** Loads models (plugin models). */
export const MODELS = token<ModelLoader>('models', '@lmflow/plugin-models');
/** Writes whole models (plugin models). */
export const MODEL_WRITER = token<ModelWriter>('model-writer', '@lmflow/plugin-models');
/** Loads tokenized data (plugin datasets). */
export const SAMPLES = token<SampleLoader>('samples', '@lmflow/plugin-datasets');
/** The training loop (plugin trainer). */
export const TRAINER = token<Trainer>('trainer', '@lmflow/plugin-trainer');
/** The objective of `lmflow finetune` (plugin finetune): next-token cross-entropy. */
export const LANGUAGE_MODELING = token<Objective>(
  'objective:language-modeling',
  '@lmflow/plugin-finetune',
);
/** Text from a model: streaming, sampling, batching (plugin generate). */
export const GENERATOR = token<TextGenerator>('generator', '@lmflow/plugin-generate');
/** Scores of given tokens: log-probabilities, sums, values (plugin scoring). */
export const SCORER = token<Scorer>('scorer', '@lmflow/plugin-scoring');
/** The rewards of answers (plugin rewards). */
export const REWARDER = token<Rewarder>('rewarder', '@lmflow/plugin-rewards');
/** Prompts, and answers that a model in training draws to them (plugin rollouts). */
export const ROLLOUTS = token<RolloutSource>('rollouts', '@lmflow/plugin-rollouts');
/** Runs further commands, each in a kernel of its own (lmflow itself). */
export const COMMANDS = token<CommandRunner>('commands');
