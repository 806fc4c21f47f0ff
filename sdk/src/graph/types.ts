// What a value of a tensor program is: an element type and a static shape. Not the value's data:
// see weight.ts and interpreter.ts.

/**
 * Element types. Indices, positions, labels and segments are `int32`; masks are `bool`; packed
 * weights are `uint8`.
 */
export type DType =
  'float32' | 'float16' | 'bfloat16' | 'int32' | 'int64' | 'int8' | 'uint8' | 'bool';

/** Sizes of the axes, outermost first; `[]` is a scalar. Shapes are static. */
export type Shape = readonly number[];

/**
 * The arrays that hold a tensor's elements; float16 and bfloat16 are 16-bit patterns in a
 * Uint16Array.
 */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | BigInt64Array;

/** Type of a value: dtype and shape, without data. */
export interface ValueType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Attributes of an op: plain data, so that a graph can be printed and compared. */
export type Attributes = Readonly<Record<string, unknown>>;

/** Number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Bytes one element of a dtype takes. */
export const BYTES: Readonly<Record<DType, number>> = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int32: 4,
  int64: 8,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/** `float32[2, 3]`: how types are written in messages. */
export function describe(type: ValueType): string {
  return `${type.dtype}[${type.shape.join(', ')}]`;
}

/** Whether a dtype is one of the floating point types. */
export function isFloat(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float16' || dtype === 'bfloat16';
}

/** Whether two shapes have the same rank and sizes. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** NumPy's broadcasting of two shapes, or undefined where they do not fit. */
export function broadcastShapes(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const result: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left !== right && left !== 1 && right !== 1) return undefined;
    result.push(left === 1 ? right : left);
  }
  return result;
}
