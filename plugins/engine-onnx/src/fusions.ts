// Fusions: finds nodes that one kernel computes together with the node that consumes them. A fusion
// absorbs producers that have no other consumer. The kernels are in lowerings/.
import {
  sameShape,
  type DecodeAttentionAttributes,
  type Graph,
  type LinearCrossEntropyAttributes,
  type Node,
  type Value,
} from '@lmflow/sdk/graph';
import { cutOf, isWhole, splitting, wholeCuts } from './matrix-slices.ts';
import { scalarOf } from './flat-graph.ts';
import { emitCrossEntropy } from './lowerings/cross-entropy.ts';
import {
  emitDecodeAttention,
  fitsDecodeKernel,
  type Rotation,
} from './lowerings/decode-attention.ts';
import { emitScatter, type Scatter } from './lowerings/gather.ts';
import { emitProduct, isFlat, productOf, type Product } from './lowerings/matmul.ts';
import type { Lowering } from './lowerings/lowering.ts';

/** The nodes of a graph that the kernel of another node computes, and the lowerings of these. */
export interface Plan {
  /** Nodes that another node computes. */
  readonly absorbed: ReadonlySet<Node>;
  /** Lowerings that replace the table's. */
  readonly fused: ReadonlyMap<Node, Lowering>;
}

/** In programs with at most this many rows, the number of nodes decides the time. */
const FEW_ROWS = 8;

/** Chooses fusions, consumers first, so that a chain ends in one kernel. */
export function planFusions(
  nodes: readonly Node[],
  graph: Graph,
  uses: ReadonlyMap<Value, number>,
): Plan {
  const absorbed = new Set<Node>();
  const fused = new Map<Node, Lowering>();
  const named = new Set(graph.outputs.values());
  const alone = (value: Value): Node | undefined => {
    const { source } = value;
    return source.kind === 'node' &&
      uses.get(value) === 1 &&
      !named.has(value) &&
      !absorbed.has(source.node)
      ? source.node
      : undefined;
  };
  for (const node of [...nodes].reverse()) {
    if (absorbed.has(node) || fused.has(node)) continue;
    const sum = sumBeforeNorm(node, alone, uses);
    if (sum) {
      absorbed.add(node);
      fused.set(sum, addAndNorm(sum, node));
      continue;
    }
    const fusion =
      sumOfSquares(node, alone) ??
      scatterOnto(node, alone) ??
      decoding(node, alone) ??
      productFusion(node, alone);
    if (!fusion) continue;
    fusion.inner.forEach((inner) => absorbed.add(inner));
    fused.set(node, fusion.lower);
    if (fusion.other) fused.set(...fusion.other);
  }
  for (const slices of wholeCuts(
    nodes.filter((node) => !absorbed.has(node)),
    FEW_ROWS,
  )) {
    const [first, ...others] = [...slices].sort((a, b) => nodes.indexOf(a) - nodes.indexOf(b));
    others.forEach((other) => absorbed.add(other));
    fused.set(first!, splitting(slices));
  }
  return { absorbed, fused };
}

/** The node that makes a value which no other node reads. */
type Alone = (value: Value) => Node | undefined;
interface Fusion {
  readonly inner: readonly Node[];
  readonly lower: Lowering;
  /** A node that gets another lowering besides. */
  readonly other?: readonly [Node, Lowering];
}

/**
 * x + scatterAdd(indices, updates): adds to a copy of x, without a tensor of zeros. The part that a
 * tied head's gradient lacks goes into the same copy.
 */
function scatterOnto(node: Node, alone: Alone): Fusion | undefined {
  if (node.op.name !== 'add') return undefined;
  const [left, right] = node.inputs as [Value, Value];
  for (const [term, data] of [
    [right, left],
    [left, right],
  ] as const) {
    const producer = alone(term);
    if (producer?.op.name !== 'scatterAdd' || !sameShape(data.shape, term.shape)) continue;
    const [indices, updates] = producer.inputs as [Value, Value];
    const head = alone(data);
    const rows: Scatter[] = [];
    const lower: Lowering = (emit) => {
      rows.push({ indices: emit.tensor(indices), updates: emit.tensor(updates) });
      emit.set(node.outputs[0]!, emitScatter(emit, emit.tensor(data), data.shape.length, rows));
    };
    if (head?.op.name !== 'linearCrossEntropy' || data !== head.outputs[2]) {
      return { inner: [producer], lower };
    }
    const lowerHead: Lowering = (emit) => {
      rows.push(
        ...[emitCrossEntropy(emit, head as Node<LinearCrossEntropyAttributes>) ?? []].flat(),
      );
    };
    return { inner: [producer], lower, other: [head, lowerHead] };
  }
  return undefined;
}

/** The sum of x x, without a tensor of squares. */
function sumOfSquares(node: Node, alone: Alone): Fusion | undefined {
  const { axes, keepDims } = node.attributes as {
    readonly axes?: readonly number[];
    readonly keepDims?: boolean;
  };
  const producer = node.op.name === 'sum' && axes!.length > 0 ? alone(node.inputs[0]!) : undefined;
  if (producer?.op.name !== 'mul' || producer.inputs[0] !== producer.inputs[1]) return undefined;
  return {
    inner: [producer],
    lower: (emit) =>
      emit.set(
        node.outputs[0]!,
        emit.node('ReduceSumSquare', [emit.tensor(producer.inputs[0]!), emit.ints(axes!)], {
          attributes: { keepdims: Number(keepDims) },
        }),
      ),
  };
}

/**
 * Attention of a decoding step with the rotation of q and k, or with the slices of one matrix that
 * q, k and v are: the kernel computes both.
 */
function decoding(node: Node, alone: Alone): Fusion | undefined {
  if (node.op.name !== 'decodeAttention' || !fitsDecodeKernel(node)) return undefined;
  const rotated = rotationOf(node, alone);
  const [q, k, v] = node.inputs as [Value, Value, Value];
  const packed = packedOf(rotated ? [rotated.rotation.q, rotated.rotation.k, v] : [q, k, v], alone);
  if (!rotated && !packed) return undefined;
  const lower: Lowering = (emit) => {
    emitDecodeAttention(
      emit,
      node as Node<DecodeAttentionAttributes>,
      rotated?.rotation,
      packed?.of,
    );
  };
  return { inner: [...(rotated?.inner ?? []), ...(packed?.inner ?? [])], lower };
}

/** The rotation of q and k, if both have the same tables and positions. */
function rotationOf(
  { inputs }: Node,
  alone: Alone,
): { readonly rotation: Rotation; readonly inner: readonly Node[] } | undefined {
  if (inputs[0]!.shape[3]! % 16 !== 0) return undefined; // the kernel rotates heads of 16 n
  const [q, k] = inputs.slice(0, 2).map(alone);
  if (q?.op.name !== 'rope' || k?.op.name !== 'rope' || q === k) return undefined;
  const [[ofQ, cos, sin, positions], [ofK, ...same]] = [q.inputs, k.inputs] as [
    [Value, Value, Value, Value],
    [Value, Value, Value, Value],
  ];
  // The kernel requires tables that are at least as long as the cache.
  if (
    ![cos, sin, positions].every((value, index) => value === same[index]) ||
    cos.shape[0]! < inputs[3]!.shape[2]!
  ) {
    return undefined;
  }
  return { rotation: { q: ofQ, k: ofK, cos, sin, positions }, inner: [q, k] };
}

/** The matrix whose slices are q, k and v, in this order. */
function packedOf(
  parts: readonly Value[],
  alone: Alone,
): { readonly of: Value; readonly inner: readonly Node[] } | undefined {
  const reshapes = parts.map(alone);
  const slices = reshapes.map((reshape) =>
    reshape?.op.name === 'reshape' ? alone(reshape.inputs[0]!) : undefined,
  );
  const cuts = slices.map((slice) => slice && cutOf(slice));
  const all = cuts.filter((cut) => cut !== undefined);
  return all.length === parts.length && isWhole(all)
    ? { of: all[0]!.of, inner: [...reshapes, ...slices] as Node[] }
    : undefined;
}

/**
 * The sum that a norm without a backward pass reads, unless a product adds the sum: one kernel
 * computes both.
 */
function sumBeforeNorm(
  node: Node,
  alone: Alone,
  uses: ReadonlyMap<Value, number>,
): Node | undefined {
  const [x, weight] = node.inputs;
  if (
    node.op.name !== 'rmsNorm' ||
    x!.source.kind !== 'node' ||
    weight!.source.kind === 'node' ||
    (uses.get(node.outputs[1]!) ?? 0) > 0
  ) {
    return undefined;
  }
  const { node: sum } = x!.source;
  const plain =
    sum.op.name === 'add' &&
    x!.shape.length === 2 &&
    x!.dtype === 'float32' &&
    sum.inputs.every(({ shape }) => sameShape(shape, x!.shape));
  return plain && !productAt(sum, alone) && !scatterOnto(sum, alone) ? sum : undefined;
}

/** Computes a sum together with its norm. */
function addAndNorm(sum: Node, norm: Node): Lowering {
  const { epsilon } = norm.attributes as { readonly epsilon: number };
  return (emit) => {
    const [normed, added] = emit
      .nodeWithOutputs(
        'SkipSimplifiedLayerNormalization',
        [...emit.tensors(sum.inputs), emit.tensor(norm.inputs[1]!)],
        [true, false, false, true],
        { domain: 'com.microsoft', attributes: { epsilon: { float: epsilon } } },
      )
      .filter((tensor) => tensor !== '') as [string, string];
    emit.set(norm.outputs[0]!, normed);
    emit.set(sum.outputs[0]!, added);
  };
}

function productFusion(node: Node, alone: Alone): Fusion | undefined {
  const match = productAt(node, alone);
  return (
    match && {
      inner: match.inner,
      lower: (emit) => emit.set(node.outputs[0]!, emitProduct(emit, match.product)),
    }
  );
}

interface Match {
  readonly product: Product;
  readonly inner: readonly Node[];
}

/** alpha a b (+ c): a scaled product, with a sum of matrices on top. */
function productAt(node: Node, alone: Alone): Match | undefined {
  if (node.op.name !== 'add') return scaled(node, alone);
  const [left, right] = node.inputs as [Value, Value];
  const candidates = [
    [left, right],
    [right, left],
  ] as const;
  const matches = candidates.flatMap(([term, plus]) => {
    const producer = alone(term);
    const match = producer && scaled(producer, alone);
    const fits =
      match &&
      isFlat(match.product) &&
      sameShape(term.shape, node.outputs[0]!.shape) &&
      plus.shape.length <= 2 &&
      left !== right;
    return fits ? [{ product: { ...match.product, plus }, inner: [producer, ...match.inner] }] : [];
  });
  // The later of two products adds: its addend is computed by then.
  return matches.sort((a, b) => orderOf(b) - orderOf(a))[0];
}

const orderOf = ({ inner }: Match): number => inner[0]!.outputs[0]!.id;

/** A matMul, with a multiplication by a constant after it or before it. */
function scaled(node: Node, alone: Alone): Match | undefined {
  if (node.op.name === 'matMul') return operandScaled(node, alone);
  const factor = factorOf(node);
  const producer = factor && alone(factor.value);
  if (!producer) return undefined;
  const match = scaled(producer, alone);
  return (
    match && {
      product: { ...match.product, alpha: match.product.alpha * factor.factor },
      inner: [producer, ...match.inner],
    }
  );
}

function operandScaled(node: Node, alone: Alone): Match {
  let product = productOf(node);
  const inner: Node[] = [];
  for (const side of ['a', 'b'] as const) {
    const producer = alone(product[side]);
    const factor = producer && factorOf(producer);
    if (!factor) continue;
    product = { ...product, [side]: factor.value, alpha: product.alpha * factor.factor };
    inner.push(producer);
  }
  return { product, inner };
}

/** x * constant. */
function factorOf(node: Node): { value: Value; factor: number } | undefined {
  if (node.op.name !== 'mul') return undefined;
  const [a, b] = node.inputs as [Value, Value];
  for (const [value, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const factor = scalarOf(other);
    if (factor !== undefined && sameShape(value.shape, node.outputs[0]!.shape)) {
      return { value, factor };
    }
  }
  return undefined;
}
