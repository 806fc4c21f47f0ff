// The frozen linears of the blocks computed in int8, forward and input gradient, with a scale for
// every row of activations.
import { definePlugin, lowering, LOWERINGS } from '@lmflow/sdk';
import { refuseTrained, type Model } from '@lmflow/sdk/model';
import { compareWithFloat, type Agreement } from './check.ts';
import { computeInInt8 } from './linears.ts';
import { lowerMatMulInt8 } from './lowering.ts';
import { matMulInt8Op } from './op.ts';
import { aliases, int8Options, unsupported } from './options.ts';
import manifest from '../package.json' with { type: 'json' };

export { matMulInt8, matMulInt8Op, type Direction } from './op.ts';
export { int8Options, type Int8Options } from './options.ts';

const name = '@lmflow/plugin-int8-compute';

const int8Compute = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models'],
  options: { section: 'int8Compute', schema: int8Options, aliases, unsupported },
  apply(context) {
    const { hooks } = context;
    context.contribute(LOWERINGS, lowering('onnx', matMulInt8Op, lowerMatMulInt8));
    const checked = new WeakSet<Model>();

    hooks.onModelLoad.tap('products', async (model, { purpose }) => {
      // what is trained comes out as usual, and is used in float32
      if (purpose !== 'training') return;
      await computeInInt8(model, context.options, name, context.log);
    });

    hooks.onModelLoad.tap('check', (model) => {
      refuseTrained(model, name);
    });

    // Last, so that the batch is what the step trains on.
    hooks.onBatch.tap(
      async (batch, { model, mode, gradients }) => {
        const claim = model.claims.find(({ plugin }) => plugin === name);
        if (
          !claim ||
          !gradients ||
          mode !== 'training' ||
          !context.options.selfCheck ||
          checked.has(model)
        ) {
          return batch;
        }
        checked.add(model);
        report(await compareWithFloat(batch, gradients, claim));
        return batch;
      },
      { enforce: 'post' },
    );

    function report(found: Agreement): void {
      const { cosine, relativeError, loss, floatLoss } = found;
      if (cosine === undefined) {
        return context.log.warn(
          'int8-compute: the first step has no gradient to compare with float32',
        );
      }
      const percent = (100 * relativeError).toFixed(1);
      const text =
        `int8-compute: first step against float32: cosine of the gradients ${cosine.toFixed(5)}, ` +
        `relative error ${percent}%, loss ${loss.toPrecision(6)} (${floatLoss.toPrecision(6)})`;
      context.log.event('int8-compute-check', { cosine, relativeError, loss, floatLoss }, text);
      if (cosine < context.options.minCosine) {
        context.log.warn(
          `int8-compute: the cosine is less than ${context.options.minCosine}; ` +
            'name layers with wide activations (often down_proj) in int8Compute.exclude',
        );
      }
    }
  },
});

export default int8Compute;
