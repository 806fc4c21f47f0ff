// Stretches the rotary positions of a model, so that it can be trained and used on longer sequences than it was made for.
import { createRequire } from 'node:module';
import { definePlugin, Stage, type Model } from '@lmflow/sdk';
import { ropeTables } from '@lmflow/plugin-models';
import { aliases, positionInterpolationOptions } from './options.ts';
import { stretch, stretchedConfig, type Stretched } from './stretch.ts';

export { positionInterpolationOptions, type PositionInterpolationOptions } from './options.ts';
export { ntkBase, stretch, stretchedConfig, type Stretched } from './stretch.ts';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
const name = '@lmflow/plugin-position-interpolation';

const positionInterpolation = definePlugin({
  name,
  version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models'],
  options: { section: 'positionInterpolation', schema: positionInterpolationOptions, aliases },
  apply(context) {
    // Early: the model that other plugins get has its final architecture.
    context.hooks.onModelLoad.tap({ name, stage: Stage.Early }, (model, { role }) => {
      if (!context.options.enabled || (role !== 'policy' && role !== 'reference')) return model;
      const { options, log } = context;
      const stretched = stretch(model.source, model.architecture, options);
      if (!stretched) {
        log.info(`positions are stretched by the checkpoint itself (${options.type} by ${options.factor})`);
        return model;
      }
      log.info(`positions stretched (${options.type}) from ${stretched.original} to ${stretched.maxPositions} tokens`);
      return withPositions(model, stretched);
    });
  },
});

function withPositions(model: Model, stretched: Stretched): Model {
  const { rope, maxPositions, original } = stretched;
  return {
    ...model,
    config: stretchedConfig(model.config, stretched),
    architecture: { ...model.architecture, rope, maxPositions },
    build: { ...model.build, ropeTables: (trace) => ropeTables(rope, { length: trace.contextLength ?? trace.length, maxPositions: original }, trace.cache?.layer(0) !== undefined) },
  };
}

export default positionInterpolation;
