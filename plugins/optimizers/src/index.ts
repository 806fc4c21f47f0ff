// Optimizers and learning rate schedules, as rows of the tables that the trainer takes them from;
// other plugins add theirs.
import { definePlugin, OPTIMIZERS, SCHEDULES } from '@lmflow/sdk';
import { schedules } from './schedules.ts';
import { optimizers } from './table.ts';
import manifest from '../package.json' with { type: 'json' };

export { chain, type LinkResult, type LinkValues, type Transformation } from './chain.ts';
export { addDecayedWeights, decayWeights } from './transformations/decay.ts';
export { scaleByMoments, trackMoments, trackMomentsOfSum } from './transformations/moments.ts';
export { ema, trace } from './transformations/momentum.ts';
export { applyUpdate, scaleByLearningRate } from './transformations/step.ts';

/** The plugin; it has no options of its own. */
export default definePlugin({
  name: '@lmflow/plugin-optimizers',
  version: manifest.version,
  sdk: '^1.0.0',
  apply(context) {
    for (const row of optimizers) context.contribute(OPTIMIZERS, row);
    for (const row of schedules) context.contribute(SCHEDULES, row);
  },
});
