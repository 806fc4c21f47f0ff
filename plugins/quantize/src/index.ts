// Linears in int8 or int4 for inference, in memory and in the products.
import { createRequire } from 'node:module';
import { definePlugin, Stage, type Model } from '@lmflow/sdk';
import { registerLowering } from '@lmflow/plugin-engine-onnx';
import { quantizeCommand } from './command.ts';
import { lowerMatMulNBits } from './lowering.ts';
import { matMulNBitsOp } from './op.ts';
import { aliases, quantizeOptions, unsupported } from './options.ts';
import { quantizeModel, type Switch } from './wrap.ts';

export { dequantize, quantize, type Bits, type Quantized, type Scheme } from './blocks.ts';
export type { QuantizeResult } from './command.ts';
export { matMulNBits, matMulNBitsOp, type MatMulNBitsAttributes, type PackedWeight } from './op.ts';
export { quantizeOptions, type QuantizeOptions } from './options.ts';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
const name = '@lmflow/plugin-quantize';

const quantize = definePlugin({
  name,
  version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models'],
  options: { section: 'quantize', schema: quantizeOptions, aliases, unsupported },
  apply(context) {
    const { hooks } = context;
    const ways = new WeakMap<Model, Switch>();

    // Before adapters are made, so that what wraps these functions later stands on quantized products.
    hooks.onModelLoad.tapPromise({ name, stage: Stage.Early }, async (model, { purpose }) => {
      const { bits } = context.options;
      if (bits === undefined || purpose !== 'inference') return model;
      registerLowering(context, matMulNBitsOp, lowerMatMulNBits);
      ways.set(model, await quantizeModel(model, bits, context.options, name, context.log));
      return model;
    });

    context.command(quantizeCommand(context, (model) => ways.get(model)!));
  },
});

export default quantize;
