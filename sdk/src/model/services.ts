// The services that read and write models, and what they are asked (plugin models provides them).
import type { Model, ModelRole } from './model.ts';

/** Which model to load and for what; taps of `onModelLoad` see it. */
export interface ModelRequest {
  readonly role: ModelRole;
  /** Folder, or Hugging Face id. */
  readonly source: string;
  /** Branch, tag or commit of a Hugging Face id. */
  readonly revision?: string;
  /** What it is loaded for: training plugins declare parameters only for `training`. */
  readonly purpose: 'training' | 'inference';
  /** In place of what the configuration says. */
  readonly settings?: RequestedSettings;
  /** Read it as a classifier; without, a folder of one is refused. */
  readonly classifier?: ClassifierRequest;
  readonly signal?: AbortSignal;
}

/**
 * A head with a number for each label (a reward model's has one) in place of the one for tokens: the
 * folder's own, or a fresh one on a language model (`model.freshHead`).
 */
export interface ClassifierRequest {
  readonly labels: number;
  /** Decides a fresh head's numbers. */
  readonly seed: number;
}

/** What one request asks of a policy's adapter and numbers, whatever the configuration says. */
export interface RequestedSettings {
  /** Folder of a PEFT adapter; false for none, also none by name. */
  readonly adapter?: string | false;
  /** Bits of the linears' weights; false for those of the checkpoint. */
  readonly bits?: 4 | 8 | false;
}

/** Loads a model and runs onModelLoad on it. */
export interface ModelLoader {
  load(request: ModelRequest): Promise<Model>;
}

/** How `ModelWriter.write` writes a folder. */
export interface ModelWriteOptions {
  /** Adds the adapter's delta to the weights it changes. */
  readonly mergeAdapter?: boolean;
  /** Largest file of a checkpoint, in bytes; larger ones are split into shards with an index. */
  readonly shardBytes?: number;
}

/**
 * Writes a whole model as a Hugging Face folder, in float32: weights (trained ones from
 * `model.parameters`), config, tokenizer.
 */
export interface ModelWriter {
  /**
   * Writes into an existing folder, each file aside and renamed; returns the names of the files.
   */
  write(model: Model, directory: string, options?: ModelWriteOptions): Promise<readonly string[]>;
}
