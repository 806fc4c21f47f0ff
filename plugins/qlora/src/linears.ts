// Puts 4-bit linears into a model. Adapters wrap `project` and are not affected.
import type { Logger } from '@lmflow/sdk';
import {
  chooseLinears,
  replaceLinears,
  type Model,
  type StoredLinear,
  type Trace,
} from '@lmflow/sdk/model';
import { transpose } from '@lmflow/sdk/graph';
import { fourBits } from './form.ts';
import { dequantizeNf4, matMulNf4, type PackedWeight } from './op.ts';
import type { QloraOptions } from './options.ts';

const section = 'qlora';

/** Keeps the linears of a model's blocks in 4 bits, except those in `exclude`. */
export async function keepInFourBits(
  model: Model,
  options: QloraOptions,
  by: string,
  log: Logger,
): Promise<void> {
  const { quantType, doubleQuant, exclude, cacheDir } = options;
  const packed = (
    { graph }: Trace,
    { layer: { weight, inFeatures, outFeatures }, group }: StoredLinear,
  ): PackedWeight => {
    const [codes, scales] = group.parts;
    return {
      packed: graph.weight(`${weight}:4bit`, codes!),
      scales: graph.weight(`${weight}:scales`, scales!),
      quantType,
      outFeatures,
      inFeatures,
    };
  };
  await replaceLinears(model, {
    by,
    section,
    how: `in 4 bits (${quantType}${doubleQuant ? ', double quantization' : ''})`,
    linears: chooseLinears(model, { section, exclude }),
    form: fourBits(model, options),
    cacheDir,
    matmul: (trace, x, linear) => matMulNf4(x, packed(trace, linear)),
    weight: (trace, linear) => {
      const numbers = dequantizeNf4(packed(trace, linear));
      return linear.layer.layout === 'out-in' ? numbers : transpose(numbers, [1, 0]);
    },
    log,
  });
}
