// The tensor of this engine: the runtime's tensor with our dtype. On the CPU it wraps an array without
// a copy.
import type { DType, Shape, TypedArray, ValueType } from '@lmflow/sdk/graph';
import { describe, sameShape, sizeOf } from '@lmflow/sdk/graph';
import type { Tensor } from '@lmflow/sdk';
import { arrayDoesNotFit, tensorDoesNotFit } from './errors.ts';
import type { RuntimeTensor, Runtime } from './runtime.ts';

/** A tensor of the engine, around one of ONNX Runtime without a copy. */
export class OnnxTensor implements Tensor {
  readonly dtype: DType;
  readonly shape: Shape;
  /** The runtime's own tensor, as runs take it. */
  readonly native: RuntimeTensor;

  constructor(native: RuntimeTensor, dtype: DType = native.type as DType) {
    this.native = native;
    this.dtype = dtype;
    this.shape = native.dims;
  }

  get location(): string {
    return this.native.location;
  }

  async read(): Promise<TypedArray> {
    if (this.native.location === 'cpu') return this.native.data as TypedArray;
    return (await this.native.getData()) as TypedArray;
  }

  dispose(): void {
    this.native.dispose();
  }
}

type Arrays = Readonly<Partial<Record<DType, abstract new (...arguments_: never[]) => TypedArray>>>;
const arrays: Arrays = {
  float32: Float32Array,
  int32: Int32Array,
  int64: BigInt64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  float16: Uint16Array,
};

/** A new tensor of zeros. */
export function zeros(runtime: Runtime, { dtype, shape }: ValueType): OnnxTensor {
  const Array = arrays[dtype] as new (length: number) => TypedArray;
  return wrap(runtime, new Array(sizeOf(shape)), shape, dtype);
}

/**
 * Wraps `data` as a tensor; throws LMFLOW_ENGINE_TENSOR_INVALID where data, shape and dtype do not
 * belong together.
 */
export function wrap(runtime: Runtime, data: TypedArray, shape: Shape, dtype: DType): OnnxTensor {
  const type = arrays[dtype];
  if (!type || !(data instanceof type) || data.length !== sizeOf(shape)) {
    const problem = type
      ? `needs a ${type.name} of ${sizeOf(shape)} elements, found a ${data.constructor.name} of ${data.length}`
      : 'has a dtype that cannot be uploaded';
    throw arrayDoesNotFit({ dtype, shape }, problem);
  }
  return new OnnxTensor(new runtime.Tensor(dtype as never, data as never, [...shape]), dtype);
}

/**
 * Checks the tensor for an input or output; throws LMFLOW_ENGINE_TENSOR_INVALID where it has another
 * type, or is of another engine.
 */
export function checkTensor(
  program: string,
  kind: 'input' | 'output',
  name: string,
  expected: ValueType,
  tensor: Tensor | undefined,
): OnnxTensor {
  if (!(tensor instanceof OnnxTensor)) {
    throw tensorDoesNotFit(
      program,
      `the ${kind} "${name}"`,
      expected,
      tensor ? 'a tensor of another engine' : 'nothing',
    );
  }
  if (tensor.dtype !== expected.dtype || !sameShape(tensor.shape, expected.shape)) {
    throw tensorDoesNotFit(program, `the ${kind} "${name}"`, expected, describe(tensor));
  }
  return tensor;
}
