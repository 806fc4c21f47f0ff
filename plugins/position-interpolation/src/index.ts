// Stretches the rotary positions of a model, so that it can be trained and used on longer sequences
// than it was made for.
import { definePlugin } from '@lmflow/sdk';
import { reshapeModel, wrap, type Model } from '@lmflow/sdk/model';
import { ropeTables } from '@lmflow/plugin-models';
import { aliases, positionInterpolationOptions } from './options.ts';
import { stretch, stretchedConfig, type Stretched } from './stretch.ts';
import manifest from '../package.json' with { type: 'json' };

export { positionInterpolationOptions, type PositionInterpolationOptions } from './options.ts';
export { ntkBase, stretch, stretchedConfig, type Stretched } from './stretch.ts';

const name = '@lmflow/plugin-position-interpolation';

const positionInterpolation = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models'],
  options: { section: 'positionInterpolation', schema: positionInterpolationOptions, aliases },
  apply(context) {
    context.hooks.onModelLoad.tap('shape', (model, { role }) => {
      if (!context.options.enabled || (role !== 'policy' && role !== 'reference')) return;
      const { options, log } = context;
      const stretched = stretch(model.source, model.architecture, options);
      if (!stretched) {
        log.info(
          `positions are stretched by the checkpoint itself (${options.type} by ${options.factor})`,
        );
        return;
      }
      log.info(
        `positions stretched (${options.type}) from ${stretched.original} to ${stretched.maxPositions} tokens`,
      );
      stretchPositions(model, stretched);
    });
  },
});

function stretchPositions(model: Model, stretched: Stretched): void {
  const { rope, maxPositions, original } = stretched;
  reshapeModel(model, {
    architecture: { ...model.architecture, rope, maxPositions },
    config: stretchedConfig(model.config, stretched),
  });
  wrap(
    model,
    'ropeTables',
    name,
    () => (trace) =>
      ropeTables(
        rope,
        { length: trace.contextLength ?? trace.length, maxPositions: original },
        trace.cache?.layer(0) !== undefined,
      ),
  );
}

export default positionInterpolation;
