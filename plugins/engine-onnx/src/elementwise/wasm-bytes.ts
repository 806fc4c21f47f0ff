// The few instructions and sections of WebAssembly that the loops need, as bytes. Not which loops:
// see loop.ts. From the WebAssembly core specification 2.0, sections 5.3 to 5.5
// (https://webassembly.github.io/spec/core/binary). Code of ours: binaryen has 100 MB for these.

/** Encoded WebAssembly, in numbers from 0 to 255. */
export type Bytes = readonly number[];

/** Bytes of a page of memory. */
export const PAGE = 1 << 16;

const unsigned = (number: number): number[] =>
  number < 128 ? [number] : [(number & 127) | 128, ...unsigned(number >>> 7)];
const vector = (items: readonly Bytes[]): number[] => [...unsigned(items.length), ...items.flat()];
const text = (string: string): number[] => vector([...Buffer.from(string)].map((byte) => [byte]));
const section = (id: number, content: Bytes): number[] => [
  id,
  ...unsigned(content.length),
  ...content,
];
const simd = (code: number): number[] => [0xfd, ...unsigned(code)];

const [I32, F32, V128] = [[0x7f], [0x7d], [0x7b]];

/** Addresses of 16 bytes are aligned: 2^4. */
const at = (offset: number): number[] => [4, ...unsigned(offset)];

/** Puts local `index` of the function onto the stack. */
export const getLocal = (index: number): Bytes => [0x20, ...unsigned(index)];
/** Takes the top of the stack into local `index`. */
export const setLocal = (index: number): Bytes => [0x21, ...unsigned(index)];
/** Puts the four float32 numbers at the address on the stack plus `offset` bytes onto the stack. */
export const load = (offset: number): Bytes => [...simd(0), ...at(offset)];
/** Writes the four float32 numbers on the stack to the address below them plus `offset` bytes. */
export const store = (offset: number): Bytes => [...simd(11), ...at(offset)];
/** Puts four copies of a float32 constant onto the stack. */
export const number = (value: number): Bytes => [
  0x43,
  ...new Uint8Array(Float32Array.of(value).buffer),
  ...splat,
];
/** Turns the float32 number on the stack into four copies of it. */
export const splat: Bytes = simd(19);

/**
 * Instructions on four float32 numbers, or masks of four, by the name of their op; operands before
 * them.
 */
export const instructions = {
  equal: simd(65),
  notEqual: simd(66),
  less: simd(67),
  greater: simd(68),
  lessOrEqual: simd(69),
  greaterOrEqual: simd(70),
  logicalNot: simd(77),
  logicalAnd: simd(78),
  logicalOr: simd(80),
  select: simd(82),
  abs: simd(224),
  neg: simd(225),
  sqrt: simd(227),
  add: simd(228),
  sub: simd(229),
  mul: simd(230),
  div: simd(231),
  minimum: simd(232),
  maximum: simd(233),
} as const;

/**
 * Repeats `body` with local `position` at 0, 16, ... as long as it is below local `end`, at least
 * once.
 */
export function repeat(position: number, end: number, body: Bytes): Bytes {
  return [
    0x03,
    0x40,
    ...body,
    ...getLocal(position),
    0x41,
    16,
    0x6a,
    0x22,
    ...unsigned(position),
    ...getLocal(end),
    0x49,
    0x0d,
    0,
    0x0b,
  ];
}

/**
 * A module that takes a memory, `loop.memory`, and gives `run(end: i32, ...scalars: f32)`; its
 * locals are those, an i32, and `vectors` v128.
 */
export function moduleOf({
  scalars,
  vectors,
  code,
}: {
  readonly scalars: number;
  readonly vectors: number;
  readonly code: Bytes;
}): Uint8Array {
  const parameters = [I32, ...Array.from({ length: scalars }, () => F32)];
  const body = [
    ...vector([
      [1, ...I32],
      [...unsigned(vectors), ...V128],
    ]),
    ...code,
    0x0b,
  ];
  return Uint8Array.from([
    ...Buffer.from('\0asm'),
    1,
    0,
    0,
    0,
    ...section(1, vector([[0x60, ...vector(parameters), 0]])),
    ...section(2, vector([[...text('loop'), ...text('memory'), 2, 0, 0]])),
    ...section(3, vector([[0]])),
    ...section(7, vector([[...text('run'), 0, 0]])),
    ...section(10, vector([[...unsigned(body.length), ...body]])),
  ]);
}
