// A dense array in float64: what the interpreter computes with. Not meant to be fast.
import { sizeOf, type Shape } from './types.ts';

/** Numbers in row-major order with their shape, in float64. */
export interface NdArray {
  readonly shape: Shape;
  readonly data: Float64Array;
}

/** An array of zeros, or of the given numbers (copied). */
export function ndarray(shape: Shape, numbers?: ArrayLike<number>): NdArray {
  return { shape, data: numbers ? Float64Array.from(numbers) : new Float64Array(sizeOf(shape)) };
}

/** Row-major strides; a size-1 axis gets stride 0 where the array is broadcast to `target`. */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const strides = new Array<number>(target.length).fill(0);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis]!;
    strides[axis + target.length - shape.length] = size === 1 ? 0 : stride;
    stride *= size;
  }
  return strides;
}

/**
 * Calls `visit(linearIndex, offsets)` for each element of `shape`; offsets follow the given stride
 * lists.
 */
export function forEachOffset(
  shape: Shape,
  strideLists: readonly (readonly number[])[],
  visit: (index: number, offsets: readonly number[]) => void,
): void {
  const total = sizeOf(shape);
  const position = new Array<number>(shape.length).fill(0);
  const offsets = strideLists.map(() => 0);
  for (let index = 0; index < total; index++) {
    visit(index, offsets);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position[axis]!++;
      strideLists.forEach((strides, list) => {
        offsets[list]! += strides[axis]!;
      });
      if (position[axis]! < shape[axis]!) break;
      strideLists.forEach((strides, list) => {
        offsets[list]! -= strides[axis]! * shape[axis]!;
      });
      position[axis] = 0;
    }
  }
}
