// Products with weights in blocks of 32 codes of 4 or 8 bits, for ONNX Runtime's MatMulNBits. Codes
// and scales are those of GGUF's Q4_0 and Q8_0 (scales in float32), in another order.
import type { Lowering } from '@lmflow/plugin-engine-onnx';
import { fromFloat16 } from '@lmflow/sdk/formats';
import {
  applyOne,
  defineOp,
  ndarray,
  opTypesDoNotFit,
  sameShape,
  type Value,
} from '@lmflow/sdk/graph';
import { TENSOR_TYPES } from '../gguf/types.ts';

/** Weights that share a scale. */
export const BLOCK = 32;

export type Bits = 4 | 8;
export type BlockAttributes = {
  readonly bits: Bits;
  readonly inFeatures: number;
  readonly outFeatures: number;
};

/** Shapes of the parts of a weight [outFeatures, inFeatures]. */
export function partShapes({ bits, inFeatures, outFeatures }: BlockAttributes): {
  readonly codes: number[];
  readonly scales: number[];
} {
  const blocks = Math.ceil(inFeatures / BLOCK);
  return { codes: [outFeatures, blocks, (BLOCK * bits) / 8], scales: [outFeatures, blocks] };
}

/**
 * Inputs: x [m, inFeatures], uint8 codes and float32 scales; a code stands for (code - 2^(bits -
 * 1)) x scale.
 */
export const blockProductOp = defineOp<BlockAttributes>({
  name: '@lmflow/plugin-export/blockProduct',
  infer: (inputs, attributes) => {
    const [x, codes, scales] = inputs;
    const { inFeatures, outFeatures } = attributes;
    const shapes = partShapes(attributes);
    const fits =
      x?.dtype === 'float32' &&
      x.shape.length === 2 &&
      x.shape[1] === inFeatures &&
      codes?.dtype === 'uint8' &&
      sameShape(codes.shape, shapes.codes) &&
      scales?.dtype === 'float32' &&
      sameShape(scales.shape, shapes.scales);
    if (!fits) {
      throw opTypesDoNotFit(
        'blockProduct',
        inputs,
        `takes float32 [m, ${inFeatures}], uint8 [${shapes.codes.join(', ')}] ` +
          `and float32 [${shapes.scales.join(', ')}]`,
      );
    }
    return [{ dtype: 'float32', shape: [x.shape[0]!, outFeatures] }];
  },
  evaluate: ([x, codes, scales], { bits, inFeatures, outFeatures }) => {
    const rows = x!.shape[0]!;
    const [, blocks, blob] = codes!.shape as [number, number, number];
    const weight = (out: number, input: number): number => {
      const [block, place] = [out * blocks + Math.floor(input / BLOCK), input % BLOCK];
      const byte = codes!.data[block * blob + (bits === 8 ? place : place >> 1)]!;
      return (
        ((bits === 8 ? byte : (byte >> (4 * (place & 1))) & 15) - 2 ** (bits - 1)) *
        scales!.data[block]!
      );
    };
    return [
      ndarray(
        [rows, outFeatures],
        Array.from({ length: rows * outFeatures }, (_, index) => {
          let sum = 0;
          for (let input = 0; input < inFeatures; input++) {
            sum +=
              x!.data[Math.floor(index / outFeatures) * inFeatures + input]! *
              weight(index % outFeatures, input);
          }
          return sum;
        }),
      ),
    ];
  },
});

/** x W^T. */
export function blockProduct(
  x: Value,
  codes: Value,
  scales: Value,
  attributes: BlockAttributes,
): Value {
  return applyOne(blockProductOp, [x, codes, scales], attributes);
}

/** Activations are rounded to 8 bits in blocks, as llama.cpp does. */
export const lowerBlockProduct: Lowering<BlockAttributes> = (emit, node) => {
  const { bits, inFeatures, outFeatures } = node.attributes;
  emit.needPrepacking();
  emit.result(node, 'MatMulNBits', emit.tensors(node.inputs), {
    domain: 'com.microsoft',
    attributes: { bits, block_size: BLOCK, K: inFeatures, N: outFeatures, accuracy_level: 4 },
  });
};

/** A weight [outFeatures, inFeatures] in blocks; a row's last block is filled up with zeros. */
export function toBlocks(
  numbers: Float32Array,
  attributes: BlockAttributes,
): { readonly codes: Uint8Array; readonly scales: Float32Array } {
  const { bits, inFeatures, outFeatures } = attributes;
  const type = bits === 4 ? TENSOR_TYPES.Q4_0 : TENSOR_TYPES.Q8_0;
  const encoded = type.encode(filledUp(numbers, inFeatures, outFeatures));
  const count = encoded.length / type.bytes;
  const codes = new Uint8Array(count * ((BLOCK * bits) / 8));
  const halves = new Uint16Array(count);
  for (let block = 0; block < count; block++) {
    const start = block * type.bytes;
    halves[block] = encoded[start]! | (encoded[start + 1]! << 8);
    const body = encoded.subarray(start + 2, start + type.bytes);
    if (bits === 8) {
      for (let place = 0; place < BLOCK; place++) {
        codes[block * BLOCK + place] = body[place]! ^ 0x80;
      }
    } else {
      for (let place = 0; place < BLOCK; place++) {
        codes[block * 16 + (place >> 1)]! |=
          ((body[place & 15]! >> (place < 16 ? 0 : 4)) & 15) << (4 * (place & 1));
      }
    }
  }
  return { codes, scales: fromFloat16(halves) };
}

function filledUp(numbers: Float32Array, columns: number, rows: number): Float32Array {
  const width = Math.ceil(columns / BLOCK) * BLOCK;
  if (width === columns) return numbers;
  const filled = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    filled.set(numbers.subarray(row * columns, (row + 1) * columns), row * width);
  }
  return filled;
}
