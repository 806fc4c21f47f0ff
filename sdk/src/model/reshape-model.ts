// Changes the figures of a model: for plugins of the phase `shape`, before others rely on them.
import type { Architecture } from './architecture.ts';
import type { Model } from './model.ts';

/**
 * Sets the architecture's figures, config.json, or both, on the model object, so that all plugins
 * see the change. The new figures are not checked. Replace building functions that depend on them
 * with `wrap`.
 */
export function reshapeModel(
  model: Model,
  {
    architecture = model.architecture,
    config = model.config,
  }: {
    readonly architecture?: Architecture;
    readonly config?: Readonly<Record<string, unknown>>;
  },
): void {
  const changed: { architecture: Architecture; config: Readonly<Record<string, unknown>> } = model;
  changed.architecture = architecture;
  changed.config = config;
}
