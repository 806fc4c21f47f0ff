// The product of activations with an int8 weight as an op. Its meaning is that of the int8 weight
// in float; an engine may round the activations of each row to 8 bits as well (lowering.ts), which
// is what makes it fast.
import {
  applyOne,
  cast,
  defineOp,
  matMul,
  mul,
  opTypesDoNotFit,
  reshape,
  sameShape,
  type Value,
} from '@lmflow/sdk/graph';

/** One direction: codes int8 [k, n], scales float32 [n]. */
export interface Direction {
  readonly codes: Value;
  readonly scales: Value;
}

export type MatMulInt8Attributes = Readonly<Record<string, never>>;

/**
 * Inputs: x [m, k], codes [k, n], scales [n], and the codes [n, k] and scales [k] of the other
 * direction, which the gradient multiplies with.
 */
export const matMulInt8Op = defineOp<MatMulInt8Attributes>({
  name: '@lmflow/plugin-int8-compute/matMulInt8',
  infer: (inputs) => {
    const [x, codes, scales, otherCodes, otherScales] = inputs;
    const [k = -1, n = -1] = codes?.shape ?? [];
    const fits =
      x?.dtype === 'float32' &&
      x.shape.length === 2 &&
      x.shape[1] === k &&
      codes?.dtype === 'int8' &&
      codes.shape.length === 2 &&
      scales?.dtype === 'float32' &&
      sameShape(scales.shape, [n]) &&
      otherCodes?.dtype === 'int8' &&
      sameShape(otherCodes.shape, [n, k]) &&
      otherScales?.dtype === 'float32' &&
      sameShape(otherScales.shape, [k]);
    if (!fits) {
      throw opTypesDoNotFit(
        'matMulInt8',
        inputs,
        'takes float32 [m, k], int8 [k, n], float32 [n], int8 [n, k], float32 [k]',
      );
    }
    return [{ dtype: 'float32', shape: [x.shape[0]!, n] }];
  },
  decompose: ([x, codes, scales]) => [
    matMul(x!, mul(cast(codes!, 'float32'), reshape(scales!, [1, scales!.shape[0]!]))),
  ],
  // The weight is frozen: only x gets a gradient, from the copy whose scales suit that direction.
  gradient: ({ inputs }, [gradient], needed) => {
    const [, codes, scales, otherCodes, otherScales] = inputs as [
      Value,
      Value,
      Value,
      Value,
      Value,
    ];
    return [
      needed[0]
        ? matMulInt8(gradient!, { codes: otherCodes, scales: otherScales }, { codes, scales })
        : undefined,
    ];
  },
});

/** x times the weight in `forward`; `backward` is the weight for the gradient of x. */
export function matMulInt8(x: Value, forward: Direction, backward: Direction): Value {
  return applyOne(
    matMulInt8Op,
    [x, forward.codes, forward.scales, backward.codes, backward.scales],
    {},
  );
}
