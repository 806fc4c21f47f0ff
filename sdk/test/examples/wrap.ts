import { definePlugin } from '@lmflow/sdk';
import { mul } from '@lmflow/sdk/graph';
import { wrap } from '@lmflow/sdk/model';

const name = '@me/plugin-half-mlp';

/** Halves what the MLP of every block adds. */
export default definePlugin({
  name,
  version: '1.0.0',
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models'],
  apply({ hooks }) {
    hooks.onModelLoad.tap('products', (model) => {
      wrap(model, 'mlp', name, (inner) => (trace, x, layer) => mul(inner(trace, x, layer), 0.5));
    });
  },
});
