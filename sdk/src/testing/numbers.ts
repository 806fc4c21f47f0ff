// Between the interpreter's float64 and the arrays that tensors hold.
import { closeSync, openSync, readSync } from 'node:fs';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../formats/index.ts';
import {
  ndarray,
  type DType,
  type FileWeight,
  type NdArray,
  type TypedArray,
  type WeightSource,
} from '../graph/index.ts';

type ArrayOf = new (buffer: ArrayBuffer, offset?: number, length?: number) => TypedArray;

/** The array that holds a dtype: 16-bit floats are bits in a Uint16Array. */
export const ARRAYS: Readonly<Record<DType, ArrayOf>> = {
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** Numbers as the array that holds a dtype, rounded to it. */
export function typedArray(numbers: Float64Array, dtype: DType): TypedArray {
  switch (dtype) {
    case 'float32':
      return Float32Array.from(numbers);
    case 'int32':
      return Int32Array.from(numbers);
    case 'int8':
      return Int8Array.from(numbers);
    case 'uint8':
    case 'bool':
      return Uint8Array.from(numbers);
    case 'int64':
      return BigInt64Array.from(Array.from(numbers, BigInt));
    case 'float16':
      return toFloat16(Float32Array.from(numbers));
    case 'bfloat16':
      return toBfloat16(Float32Array.from(numbers));
  }
}

/** The numbers that such an array holds. */
export function numbersOf(data: TypedArray, dtype: DType): ArrayLike<number> {
  if (dtype === 'float16') return fromFloat16(data as Uint16Array);
  if (dtype === 'bfloat16') return fromBfloat16(data as Uint16Array);
  return data instanceof BigInt64Array ? Float64Array.from(data, Number) : data;
}

/** A weight's numbers, from memory or its file. */
export function readNumbers(weight: WeightSource): NdArray {
  const data = weight.kind === 'memory' ? weight.data : readArray(weight);
  return ndarray(weight.shape, numbersOf(data, weight.dtype));
}

function readArray({ path, offset, byteLength, dtype }: FileWeight): TypedArray {
  const bytes = new Uint8Array(byteLength);
  const file = openSync(path, 'r');
  try {
    readSync(file, bytes, 0, byteLength, offset);
  } finally {
    closeSync(file);
  }
  return new ARRAYS[dtype](bytes.buffer);
}
