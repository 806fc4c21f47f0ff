// The 4-bit form of a linear's weight: packed codes, and a scale for each block of 64 numbers.
import { outputRows, type LinearForm, type LinearLayer, type Model } from '@lmflow/sdk/model';
import { quantize, sizesOf, type Quantized } from './codes.ts';
import type { QloraOptions } from './options.ts';
import { dequantizeScales, quantizeScales } from './scales.ts';

/** Changes when the content of the files does. */
const FORMAT = 1;

/** Two parts: packed uint8 [bytes], scales float32 [blocks]. Each linear has its file. */
export function fourBits(model: Model, options: QloraOptions): LinearForm {
  const { quantType, doubleQuant } = options;
  return {
    name: quantType,
    cache: 'qlora',
    fillsUp: false,
    key: ([layer]) => ({ format: FORMAT, quantType, doubleQuant, layout: layer!.layout }),
    parts: ([layer]) => {
      const { bytes, blocks } = sizesOf(layer!.inFeatures * layer!.outFeatures);
      return [
        { dtype: 'uint8', shape: [bytes] },
        { dtype: 'float32', shape: [blocks] },
      ];
    },
    make: async ([layer]) => {
      const numbers = await model.read(layer!.weight);
      const { packed, scales } = quantizeLinear(numbers, layer!, options);
      return [packed, scales];
    },
  };
}

/**
 * Blocks run along [outFeatures, inFeatures] whatever the file's layout, as in bitsandbytes. Double
 * quantization is undone here: the op takes float32 scales.
 */
export function quantizeLinear(
  numbers: Float32Array,
  layer: LinearLayer,
  { quantType, doubleQuant }: Pick<QloraOptions, 'quantType' | 'doubleQuant'>,
): Quantized {
  const { packed, scales } = quantize(outputRows(numbers, layer), quantType);
  return { packed, scales: doubleQuant ? dequantizeScales(quantizeScales(scales)) : scales };
}
