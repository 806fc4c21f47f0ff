// Changes what a model says of itself: for plugins of the phase `shape`, before others rely on it.
import type { Architecture } from './architecture.ts';
import type { Model } from './model.ts';

/**
 * Sets the architecture's figures, config.json, or both, of the model itself, so that everybody who
 * holds it sees the change. The new figures are checked by nobody; building functions that go by
 * them are replaced with `wrap`.
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
