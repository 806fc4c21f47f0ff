// The tensor types of GGUF that are written: numbers and bytes of a block, the encoder, and the
// decoder that checks it. quantization.ts chooses among them.
import { toFloat16 } from '@lmflow/sdk/formats';
import {
  decodeF16,
  decodeF32,
  decodeQ40,
  decodeQ4K,
  decodeQ6K,
  decodeQ80,
  type Decoder,
} from './blocks/decode.ts';
import { encodeQ4K, encodeQ6K } from './blocks/k.ts';
import { encodeQ40, encodeQ80 } from './blocks/simple.ts';

export interface TensorType {
  readonly name: string;
  /** The type's id in ggml. */
  readonly id: number;
  /** Numbers of a row that are encoded together; a row is a whole number of blocks. */
  readonly block: number;
  /** Bytes of a block. */
  readonly bytes: number;
  /**
   * How far a decoded number may be from its source: a share of the block's largest magnitude. The
   * worst that the encoders do, by measurement, is about half of it.
   */
  readonly share: number;
  /** More than `share` allows, for what is too small for the float16 of a scale. */
  readonly least: number;
  encode(numbers: Float32Array): Uint8Array;
  /** The numbers of one block. */
  readonly decode: Decoder;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Half the distance of float16 numbers near zero. */
const TINY = 2 ** -25;

export const TENSOR_TYPES = {
  F32: {
    name: 'F32',
    id: 0,
    block: 1,
    bytes: 4,
    share: 0,
    least: 0,
    encode: bytesOf,
    decode: decodeF32,
  },
  F16: {
    name: 'F16',
    id: 1,
    block: 1,
    bytes: 2,
    share: 2 ** -11,
    least: TINY,
    encode: (numbers) => bytesOf(toFloat16(numbers)),
    decode: decodeF16,
  },
  Q4_0: {
    name: 'Q4_0',
    id: 2,
    block: 32,
    bytes: 18,
    share: 0.25,
    least: 16 * TINY,
    encode: encodeQ40,
    decode: decodeQ40,
  },
  Q8_0: {
    name: 'Q8_0',
    id: 8,
    block: 32,
    bytes: 34,
    share: 0.01,
    least: 255 * TINY,
    encode: encodeQ80,
    decode: decodeQ80,
  },
  Q4_K: {
    name: 'Q4_K',
    id: 12,
    block: 256,
    bytes: 144,
    share: 0.25,
    least: 64 * 16 * TINY,
    encode: encodeQ4K,
    decode: decodeQ4K,
  },
  Q6_K: {
    name: 'Q6_K',
    id: 14,
    block: 256,
    bytes: 210,
    share: 0.1,
    least: 128 * 64 * TINY,
    encode: encodeQ6K,
    decode: decodeQ6K,
  },
} as const satisfies Readonly<Record<string, TensorType>>;

export type TensorTypeName = keyof typeof TENSOR_TYPES;
