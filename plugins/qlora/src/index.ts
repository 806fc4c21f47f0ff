// QLoRA (Dettmers et al. 2023): the frozen linears of the blocks in 4 bits, in memory and in both
// directions of a training step.
import { definePlugin, lowering, LOWERINGS } from '@lmflow/sdk';
import { refuseTrained } from '@lmflow/sdk/model';
import { keepInFourBits } from './linears.ts';
import { lowerDequantizeNf4, lowerMatMulNf4 } from './lowering.ts';
import { dequantizeNf4Op, matMulNf4Op } from './op.ts';
import { aliases, qloraOptions, unsupported } from './options.ts';
import manifest from '../package.json' with { type: 'json' };

export { dequantize, quantize, type Quantized, type QuantType } from './codes.ts';
export { dequantizeScales, quantizeScales, type QuantizedScales } from './scales.ts';
export {
  dequantizeNf4,
  dequantizeNf4Op,
  matMulNf4,
  matMulNf4Op,
  type Nf4Attributes,
  type PackedWeight,
} from './op.ts';
export { qloraOptions, type QloraOptions } from './options.ts';

const name = '@lmflow/plugin-qlora';

const qlora = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models'],
  options: { section: 'qlora', schema: qloraOptions, aliases, unsupported },
  apply(context) {
    const { hooks } = context;
    context.contribute(LOWERINGS, lowering('onnx', matMulNf4Op, lowerMatMulNf4));
    context.contribute(LOWERINGS, lowering('onnx', dequantizeNf4Op, lowerDequantizeNf4));

    // Before adapters are made, so that plugins that wrap these functions later get 4-bit products.
    hooks.onModelLoad.tap('products', async (model) => {
      await keepInFourBits(model, context.options, name, context.log);
    });

    hooks.onModelLoad.tap('check', (model) => {
      refuseTrained(model, name);
    });
  },
});

export default qlora;
