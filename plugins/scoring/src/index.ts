// The plugin: the service SCORER, which says how likely a model finds tokens that are given.
import { definePlugin, ENGINE, SCORER } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { schema } from './options.ts';
import { Session } from './session.ts';
import manifest from '../package.json' with { type: 'json' };

export { schema as scoringOptions, type ScoringOptions } from './options.ts';

const scoring = definePlugin({
  name: '@lmflow/plugin-scoring',
  version: manifest.version,
  sdk: '^1.0.0',
  options: { section: 'scoring', schema },
  apply(context) {
    // The parameters of these models never change, so programs hold them as constants.
    const frozen = new WeakSet<Model>();
    context.hooks.onModelLoad.tap('check', (model, { purpose }) => {
      if (purpose === 'inference') frozen.add(model);
    });
    context.provide(SCORER, () => ({
      open: (model, { batchSize = Infinity } = {}) =>
        new Session({
          engine: context.resolve(ENGINE),
          model,
          mode: frozen.has(model.base ?? model) ? 'inference' : 'evaluation',
          batchTokens: context.options.batchTokens,
          batchSize,
        }),
    }));
  },
});

export default scoring;
