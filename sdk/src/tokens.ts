// The services every kernel has once its plugins are loaded. A plugin's own tokens are exported by
// that plugin.
import type { Engine } from './engine.ts';
import type { TextGenerator } from './generation.ts';
import type { ModelLoader, ModelWriter } from './model/model.ts';
import type { SampleLoader } from './samples.ts';
import type { Objective, Trainer } from './training.ts';
import { token } from './token.ts';

/** The compute engine in force (plugin engine-onnx). */
export const ENGINE = token<Engine>('engine');
/** Loads models (plugin models). */
export const MODELS = token<ModelLoader>('models');
/** Writes whole models (plugin models). */
export const MODEL_WRITER = token<ModelWriter>('model-writer');
/** Loads tokenized data (plugin datasets). */
export const SAMPLES = token<SampleLoader>('samples');
/** The training loop (plugin trainer). */
export const TRAINER = token<Trainer>('trainer');
/** The objective of `lmflow finetune` (plugin finetune): next-token cross-entropy. */
export const LANGUAGE_MODELING = token<Objective>('objective:language-modeling');
/** Text from a model: streaming, sampling, batching (plugin generate). */
export const GENERATOR = token<TextGenerator>('generator');
