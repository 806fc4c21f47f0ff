// Lowers matrix products: Gemm for two axes, which can scale and add, FusedMatMul for more axes.
// Which sums and factors go into a product is decided in fusions.ts.
import { sizeOf, type Node, type Value } from '@lmflow/sdk/graph';
import type { Emitter } from '../onnx/emitter.ts';
import { entry, type LoweringEntry } from './lowering.ts';

/** Which operands of a `matMul` have their last two axes swapped before the product. */
export type MatMulAttributes = { readonly transposeA: boolean; readonly transposeB: boolean };

/** One product alpha a b, with Gemm also plus `plus` (which may broadcast). */
export interface Product {
  readonly a: Value;
  readonly b: Value;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly alpha: number;
  readonly plus?: Value;
}

/**
 * A product of few rows with a large weight takes as long as reading the weight, and as little as
 * half of that in the runtime's layout: worth a copy of the weight in programs that run often.
 */
const FEW_ROWS = 8;
const LARGE = 1 << 16;

/** Whether a product is one of matrices, which Gemm computes. */
export function isFlat({ a, b }: Pick<Product, 'a' | 'b'>): boolean {
  return a.shape.length === 2 && b.shape.length === 2;
}

/** Emits a product; `plus` needs matrices. */
export function emitProduct(emit: Emitter, product: Product): string {
  const { a, b, transposeA, transposeB, alpha, plus } = product;
  const flags = { transA: Number(transposeA), transB: Number(transposeB), alpha: { float: alpha } };
  const operands = emit.tensors([a, b]);
  if (
    isFlat({ a, b }) &&
    b.source.kind === 'weight' &&
    a.shape[0]! <= FEW_ROWS &&
    sizeOf(b.shape) >= LARGE
  ) {
    emit.prepackingPays();
  }
  if (plus && emit.device === 'cpu' && addsInPlace({ ...product, plus })) {
    return emitSum(emit, { ...product, plus });
  }
  if (isFlat({ a, b })) {
    return emit.node('Gemm', plus ? [...operands, emit.tensor(plus)] : operands, {
      attributes: { ...flags, beta: { float: 1 } },
    });
  }
  return emit.node('FusedMatMul', operands, { domain: 'com.microsoft', attributes: flags });
}

/** Transposing a matrix of at most this many numbers costs almost nothing. */
const SMALL = 1 << 17;

type Sum = Product & { readonly plus: Value };

/**
 * Whether emitSum computes the sum and saves a copy: `plus` is computed by the program and as large
 * as the product.
 */
function addsInPlace({ a, b, transposeA, transposeB, plus }: Sum): boolean {
  const size = a.shape[0]! * b.shape[transposeB ? 0 : 1]!;
  return (
    plus.source.kind === 'node' &&
    sizeOf(plus.shape) === size &&
    size >= LARGE &&
    a.dtype === 'float32' &&
    !transposeA &&
    (!transposeB || sizeOf(b.shape) <= SMALL)
  );
}

/**
 * plus + alpha a b. Gemm copies `plus`; the runtime's convolution with a sum adds in place if no
 * other node reads the sum. The rows of a are its filters, those of b its channels, and its product
 * is the same kernel as Gemm's on the CPU.
 */
function emitSum(emit: Emitter, { a, b, transposeB, alpha, plus }: Sum): string {
  const [rows, inner] = a.shape as [number, number];
  const columns = plus.shape[1]!;
  const reshaped = (tensor: string, shape: readonly number[]): string =>
    emit.node('Reshape', [tensor, emit.ints(shape)]);
  const filters = reshaped(
    alpha === 1 ? emit.tensor(a) : emit.node('Mul', [emit.tensor(a), emit.scalar(alpha)]),
    [rows, inner, 1],
  );
  const channels = transposeB
    ? emit.node('Transpose', [reshaped(emit.tensor(b), [1, columns, inner])], {
        attributes: { perm: [0, 2, 1] },
      })
    : reshaped(emit.tensor(b), [1, inner, columns]);
  const sum = emit.node(
    'FusedConv',
    [channels, filters, '', reshaped(emit.tensor(plus), [1, rows, columns])],
    { domain: 'com.microsoft', attributes: { kernel_shape: [1] } },
  );
  return reshaped(sum, [rows, columns]);
}

/** A matMul node as a product. */
export function productOf(node: Node): Product {
  const [a, b] = node.inputs as [Value, Value];
  return { a, b, ...(node.attributes as MatMulAttributes), alpha: 1 };
}

/**
 * The lowering of `matMul`: a MatMul, a Gemm or a fused product, by shape and neighbouring nodes.
 */
export const matmul: Readonly<Record<string, LoweringEntry>> = {
  matMul: entry((emit, node) => emit.set(node.outputs[0]!, emitProduct(emit, productOf(node)))),
};
