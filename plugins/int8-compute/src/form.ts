// The int8 form of a linear's weight: codes and scales for each direction of a training step.
import { type LinearForm, type LinearLayer, type Model } from '@lmflow/sdk/model';
import { quantizeBoth, type Int8Linear } from './quantize.ts';

/** Changes when the content of the files does. */
const FORMAT = 1;

/**
 * Four parts: codes [inFeatures, outFeatures] and scales [outFeatures] of the forward product, codes
 * [outFeatures, inFeatures] and scales [inFeatures] of the input gradient's.
 */
export function int8(model: Model): LinearForm {
  return {
    name: 'int8',
    cache: 'int8-compute',
    key: ([layer]) => ({ format: FORMAT, layout: layer!.layout }),
    parts: ([layer]) => {
      const { inFeatures, outFeatures } = layer!;
      return [
        { dtype: 'int8', shape: [inFeatures, outFeatures] },
        { dtype: 'float32', shape: [outFeatures] },
        { dtype: 'int8', shape: [outFeatures, inFeatures] },
        { dtype: 'float32', shape: [inFeatures] },
      ];
    },
    make: async ([layer]) => {
      const { forward, backward } = quantizeLinear(await model.read(layer!.weight), layer!);
      return [forward.codes, forward.scales, backward.codes, backward.scales];
    },
  };
}

/** The copies of both directions, from a weight in the file's layout. */
function quantizeLinear(
  numbers: Float32Array,
  { inFeatures, outFeatures, layout }: LinearLayer,
): Int8Linear {
  if (layout === 'out-in') {
    const { asStored, transposed } = quantizeBoth(numbers, outFeatures, inFeatures);
    return { forward: transposed, backward: asStored };
  }
  const { asStored, transposed } = quantizeBoth(numbers, inFeatures, outFeatures);
  return { forward: asStored, backward: transposed };
}
