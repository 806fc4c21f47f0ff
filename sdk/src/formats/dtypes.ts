// Element types of safetensors files: their size, how they are read as float32, and what the tensor
// programs call them.
import type { DType } from '../graph/index.ts';
import { fromBfloat16, fromFloat16 } from './float.ts';

/** An element type as safetensors writes it. */
export type SafetensorsDtype =
  'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';

interface DtypeRow {
  readonly bytes: number;
  /**
   * The tensor programs' name; undefined where they have none (the numbers are then converted when
   * read).
   */
  readonly graph: DType | undefined;
  /** Bytes (aligned, little-endian, a whole number of elements) as float32. */
  readonly convert: (bytes: Uint8Array, target: Float32Array) => void;
}

type ViewConstructor = new (
  buffer: ArrayBufferLike,
  offset: number,
  length: number,
) => ArrayLike<number>;

function viewed(View: ViewConstructor, bytes: number, graph: DType | undefined): DtypeRow {
  return {
    bytes,
    graph,
    convert: (source, target) => {
      target.set(new View(source.buffer, source.byteOffset, source.byteLength / bytes));
    },
  };
}

const words = (source: Uint8Array): Uint16Array =>
  new Uint16Array(source.buffer, source.byteOffset, source.byteLength / 2);

/** Every element type that is read, by its name in the file. */
export const SAFETENSORS_DTYPES: Readonly<Record<SafetensorsDtype, DtypeRow>> = {
  F64: viewed(Float64Array, 8, undefined),
  F32: viewed(Float32Array, 4, 'float32'),
  F16: {
    bytes: 2,
    graph: 'float16',
    convert: (source, target) => {
      fromFloat16(words(source), target);
    },
  },
  BF16: {
    bytes: 2,
    graph: 'bfloat16',
    convert: (source, target) => {
      fromBfloat16(words(source), target);
    },
  },
  I64: {
    bytes: 8,
    graph: 'int64',
    convert: (source, target) => {
      target.set(
        Float32Array.from(
          new BigInt64Array(source.buffer, source.byteOffset, source.byteLength / 8),
          Number,
        ),
      );
    },
  },
  I32: viewed(Int32Array, 4, 'int32'),
  I16: viewed(Int16Array, 2, undefined),
  I8: viewed(Int8Array, 1, 'int8'),
  U8: viewed(Uint8Array, 1, 'uint8'),
  BOOL: viewed(Uint8Array, 1, 'bool'),
};

/**
 * Element types that the file format has and that are not numbers this project computes with; only
 * their size is known.
 */
export const OPAQUE_DTYPES: Readonly<Record<string, number>> = {
  U16: 2,
  U32: 4,
  U64: 8,
  C64: 8,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
};

/** Whether a header's `dtype` is one that this package reads. */
export function isSafetensorsDtype(dtype: string): dtype is SafetensorsDtype {
  return Object.hasOwn(SAFETENSORS_DTYPES, dtype);
}
