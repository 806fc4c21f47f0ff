// Linears in int8 or int4 for inference, in memory and in the products.
import { definePlugin, lowering, LOWERINGS, MODELS } from '@lmflow/sdk';
import type { Model, ReplacedLinears } from '@lmflow/sdk/model';
import { quantizeCommand, type Loading } from './command.ts';
import { computePacked, quantizeModel, type Quantizer } from './linears.ts';
import { lowerMatMulNBits } from './lowering.ts';
import type { Matrix } from './matrices.ts';
import { matMulNBitsOp } from './op.ts';
import { aliases, quantizeOptions, unsupported } from './options.ts';
import { packedMatrices } from './packed.ts';
import manifest from '../package.json' with { type: 'json' };

export { dequantize, quantize, type Bits, type Quantized, type Scheme } from './blocks.ts';
export type { QuantizeResult } from './command.ts';
export { matMulNBits, matMulNBitsOp, type MatMulNBitsAttributes, type PackedWeight } from './op.ts';
export { quantizeOptions, type QuantizeOptions } from './options.ts';

const name = '@lmflow/plugin-quantize';

const quantize = definePlugin({
  name,
  version: manifest.version,
  sdk: '^1.0.0',
  requires: ['@lmflow/plugin-models'],
  options: { section: 'quantize', schema: quantizeOptions, aliases, unsupported },
  apply(context) {
    const { hooks } = context;
    context.contribute(LOWERINGS, lowering('onnx', matMulNBitsOp, lowerMatMulNBits));
    const quantized = new WeakMap<Model, ReplacedLinears<Matrix>>();

    const quantizer = (): Quantizer => ({ by: name, options: context.options, log: context.log });

    // Before adapters are made, so that what wraps these functions later stands on quantized
    // products.
    hooks.onModelLoad.tap('products', async (model, { purpose, settings }) => {
      if (purpose !== 'inference') return;
      const asked = settings?.bits;
      const bits = asked ?? context.options.bits;
      const packed = packedMatrices(model);
      if (packed.length > 0) {
        if (asked === undefined && bits !== undefined) {
          context.log.warn(`${model.source} is quantized already: quantize.bits is not for it`);
        }
        await computePacked(model, packed, quantizer());
        return;
      }
      if (bits === undefined || bits === false) return;
      quantized.set(model, await quantizeModel(model, bits, quantizer()));
    });

    const load: Loading['load'] = (source, bits, signal) =>
      context
        .resolve(MODELS)
        .load({ role: 'policy', purpose: 'inference', source, settings: { bits }, signal });
    context.command(quantizeCommand(context, { load, quantized: (model) => quantized.get(model) }));
  },
});

export default quantize;
