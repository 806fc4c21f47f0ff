// Gradient checkpointing (Chen et al. 2016): blocks become regions that the backward pass computes
// a second time. Which ones is decided by their number, or before the first step from the memory
// that the trainer plans for.
import { definePlugin, type Planning } from '@lmflow/sdk';
import { wrap, type Model } from '@lmflow/sdk/model';
import { bothGiven, everyTooLarge } from './errors.ts';
import { bytesOf, gradientCheckpointingOptions, unsupported } from './options.ts';
import manifest from '../package.json' with { type: 'json' };

export { gradientCheckpointingOptions, type GradientCheckpointingOptions } from './options.ts';

const name = '@lmflow/plugin-gradient-checkpointing';

/** Whether a block is computed again; may change until the first step. */
interface Choice {
  recomputed: (layer: number) => boolean;
}

const gradientCheckpointing = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models'],
  options: { section: 'gradientCheckpointing', schema: gradientCheckpointingOptions, unsupported },
  apply(context) {
    const { hooks } = context;
    const choices = new WeakMap<Model, Choice>();

    hooks.onModelLoad.tap('memory', (model, { purpose }) => {
      const {
        every,
        memoryBudget,
        enabled = every !== undefined || memoryBudget !== undefined,
      } = context.options;
      if (purpose !== 'training' || !enabled) return;
      if (every !== undefined && memoryBudget !== undefined) throw bothGiven();
      if (every !== undefined && every > model.architecture.numLayers) {
        throw everyTooLarge(every, model.architecture.numLayers);
      }
      const choice: Choice = { recomputed: (layer) => (layer + 1) % (every ?? 1) === 0 };
      choices.set(model, choice);
      recomputeBlocks(model, choice);
    });

    hooks.onPlan.tap(async (planning) => {
      const choice = choices.get(planning.model);
      if (!choice || context.options.memoryBudget === undefined) return;
      const budget = bytesOf(context.options.memoryBudget);
      const layers = planning.model.architecture.numLayers;
      const count = await fewest(planning, choice, budget);
      const { total } = await planning.memory();
      const text =
        `gradient checkpointing: ${count} of ${layers} blocks are computed again ` +
        `to stay within ${amountOf(budget)} (planned: ${amountOf(total)})`;
      context.log.event(
        'gradient-checkpointing',
        { blocks: count, layers, budget, planned: total },
        text,
      );
      if (total > budget) {
        context.log.warn(
          `gradientCheckpointing.memoryBudget is ${amountOf(budget)}, but the run needs ` +
            `${amountOf(total)} with every block computed again`,
        );
      }
    });
  },
});

/**
 * Sets the fewest first blocks with which the plan is within the budget (all where none are
 * enough); gives how many.
 */
async function fewest(planning: Planning, choice: Choice, budget: number): Promise<number> {
  const layers = planning.model.architecture.numLayers;
  // The first ones: the backward pass comes to them last, when what the others kept is free again.
  const take = (count: number): void => {
    choice.recomputed = (layer) => layer < count;
  };
  let [low, high] = [0, layers];
  while (low < high) {
    const middle = (low + high) >> 1;
    take(middle);
    if ((await planning.memory()).total <= budget) high = middle;
    else low = middle + 1;
  }
  take(low);
  return low;
}

/** Wraps the model's block; what the block is made of stays as it is. */
function recomputeBlocks(model: Model, choice: Choice): void {
  wrap(
    model,
    'block',
    name,
    (block) => (trace, hidden, layer) =>
      trace.graph.region(`recomputed.${layer}`, () => block(trace, hidden, layer), {
        recompute: trace.mode === 'training' && choice.recomputed(layer),
      }),
  );
}

const UNITS = [
  ['GB', 1e9],
  ['MB', 1e6],
  ['kB', 1e3],
] as const;

/** `1.52 GB`, `640 MB`: three digits, since budget and plan are close to each other. */
function amountOf(bytes: number): string {
  const [unit, size] = UNITS.find(([, least]) => bytes >= least) ?? (['B', 1] as const);
  return `${Number((bytes / size).toPrecision(3))} ${unit}`;
}

export default gradientCheckpointing;
