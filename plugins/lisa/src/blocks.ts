// Which parameters belong to which block, and which blocks train at a step. No hooks here.
import { randomStream } from '@lmflow/sdk';
import type { Model, Parameter } from '@lmflow/sdk/model';

/**
 * The trained parameters of each block. What is in none (embeddings, final norm, head) always
 * trains.
 */
export function blocksOf({
  linears,
  parameters,
  architecture,
}: Model): readonly (readonly Parameter[])[] {
  const paths = Array.from({ length: architecture.numLayers }, () => new Set<string>());
  for (const { name, layer } of linears) {
    if (layer === undefined) continue;
    const path = new RegExp(`^(.*?\\.${layer})\\.`).exec(name)?.[1];
    if (path !== undefined) paths[layer]?.add(path);
  }
  return paths.map((own) =>
    [...parameters.values()].filter(({ name }) =>
      [...own].some((path) => name.startsWith(`${path}.`)),
    ),
  );
}

export interface Sampling {
  readonly layers: number;
  readonly interval: number;
}

/**
 * The blocks that train at a step (from 1), in order: drawn anew for every period of `interval`
 * steps, from seed and period alone.
 */
export function chosenBlocks(
  seed: number,
  step: number,
  blocks: number,
  { layers, interval }: Sampling,
): number[] {
  const period = Math.floor((step - 1) / interval);
  return [...randomStream(seed, 'lisa', period).permutation(blocks).subarray(0, layers)].sort(
    (a, b) => a - b,
  );
}

/** Sets which parameters are active. */
export function activate(
  blocks: readonly (readonly Parameter[])[],
  chosen: readonly number[],
): void {
  blocks.forEach((parameters, index) => {
    for (const parameter of parameters) parameter.active = chosen.includes(index);
  });
}
