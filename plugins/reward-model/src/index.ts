// Reward models: `lmflow reward-model` trains one on pairs of answers, `lmflow reward-score` scores
// answers with one.
import { definePlugin } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { rewardModelOptions } from './options.ts';
import { withPooledPlaces } from './padding.ts';
import { rewardScoreCommand } from './score.ts';
import { rewardModelCommand } from './train.ts';
import manifest from '../package.json' with { type: 'json' };

export { rewardModeling, rewardsOf, type RewardLoss } from './objective.ts';
export { rewardModelOptions, type RewardModelOptions } from './options.ts';
export { withPooledPlaces } from './padding.ts';
export type { RewardedAnswer, RewardScores, ScoredList } from './scored-lists.ts';

const rewardModel = definePlugin({
  name: '@lmflow/plugin-reward-model',
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models', '@lmflow/plugin-datasets', '@lmflow/plugin-trainer'],
  options: { section: 'rewardModel', schema: rewardModelOptions },
  apply(context) {
    const training = new WeakSet<Model>();
    context.hooks.onBatch.tap((batch, { model }) =>
      training.has(model) ? withPooledPlaces(batch, model) : batch,
    );
    context.command(rewardModelCommand(context, training));
    context.command(rewardScoreCommand(context));
  },
});

export default rewardModel;
