// Puts quantized matrices into a model: wraps `matmul` and `logits`, and `project` for linears
// whose rows lie together, which are one product. Adapters, which wrap `project` afterwards, do not
// notice; `weight` keeps giving float numbers, so that a tied embedding is looked up in float.
import type { Logger } from '@lmflow/sdk';
import {
  claimLinears,
  matchesModule,
  type LinearLayer,
  type Model,
  type Trace,
} from '@lmflow/sdk/model';
import {
  add,
  concat,
  Graph,
  slice,
  type ModelWeight,
  type Value,
  type WeightSource,
} from '@lmflow/sdk/graph';
import type { Bits } from './blocks.ts';
import { excludeUnknown, nothingToQuantize } from './errors.ts';
import { dequantized, matMulNBits, type PackedWeight } from './op.ts';
import type { QuantizeOptions } from './options.ts';
import { rowsOf, storeMatrices, type Matrix, type StoredMatrix } from './store.ts';

/**
 * Turns the quantized products off, to compute as the model did before; looked at when a program is
 * traced.
 */
export interface Switch {
  float: boolean;
  readonly matrices: number;
  /** Of these matrices: in the checkpoint's numbers, and quantized. */
  readonly bytes: { readonly before: number; readonly after: number };
}

/**
 * Numbers that share a scale by default: products in blocks of 64 take a sixth less time than in
 * blocks of 32, and lose less than llama.cpp's Q4_0; smaller where a row is no whole number of
 * them.
 */
function blockSizeFor(columns: number): number {
  return columns % 64 === 0 ? 64 : 32;
}

/**
 * The matrices to quantize: linears of the blocks that `exclude` does not name, and the head.
 * Throws where a pattern names none or nothing is left.
 */
export function chosenMatrices(
  model: Model,
  bits: Bits,
  options: QuantizeOptions,
): { readonly matrices: readonly Matrix[]; readonly head: string | undefined } {
  const { exclude, headBits = 8, blockSize, symmetric } = options;
  const inBlocks = model.linears.filter(({ layer }) => layer !== undefined);
  const unknown = exclude.find(
    (pattern) => !inBlocks.some(({ name }) => matchesModule(name, pattern)),
  );
  if (unknown !== undefined) {
    throw excludeUnknown(unknown, [
      ...new Set(inBlocks.map(({ name }) => name.split('.').at(-1)!)),
    ]);
  }
  const chosen = inBlocks.filter(
    ({ name }) => !exclude.some((pattern) => matchesModule(name, pattern)),
  );
  const quantizable = (layer: LinearLayer, size: Bits): Matrix => ({
    ...layer,
    scheme: { bits: size, blockSize: blockSize ?? blockSizeFor(layer.inFeatures), symmetric },
  });
  const matrices = chosen.map((layer) => quantizable(layer, bits));
  const head = headBits === 'float' ? undefined : headOf(model);
  if (head && headBits !== 'float') matrices.push(quantizable(head, headBits));
  if (matrices.length === 0) throw nothingToQuantize(model.source);
  return { matrices, head: head?.name };
}

/**
 * Quantizes a model's matrices and wraps its products. A weight that an adapter brings whole
 * (modules_to_save) is computed in float.
 */
export async function quantizeModel(
  model: Model,
  bits: Bits,
  options: QuantizeOptions,
  plugin: string,
  log: Logger,
): Promise<Switch> {
  const { matrices, head } = chosenMatrices(model, bits, options);
  claimLinears(
    model,
    model.linears.filter(({ name }) => matrices.some((matrix) => matrix.name === name)),
    plugin,
    `in ${bits} bits`,
  );
  const stored = await storeMatrices(model, matrices, options.cacheDir, log);
  const after = [...new Set([...stored.values()].map(({ group }) => group))].flatMap(
    ({ packed, scales, zeroPoints }) => [packed, scales, ...(zeroPoints ? [zeroPoints] : [])],
  );
  const way: Switch = {
    float: false,
    matrices: stored.size,
    bytes: {
      before: bytesOf(matrices.map(({ weight }) => model.weights.get(weight)!)),
      after: bytesOf(after),
    },
  };
  computeQuantized(model, stored, head, { activations: options.activations, way });
  return way;
}

/** Wraps the products of a model whose checkpoint has matrices in a few bits. */
export async function computePacked(
  model: Model,
  matrices: readonly Matrix[],
  { activations, cacheDir }: QuantizeOptions,
  plugin: string,
  log: Logger,
): Promise<void> {
  claimLinears(
    model,
    model.linears.filter(({ name }) => matrices.some((matrix) => matrix.name === name)),
    plugin,
    'in the few bits of the checkpoint',
  );
  const stored = await storeMatrices(model, matrices, cacheDir, log);
  const byWeight = new Map([...stored.values()].map((matrix) => [matrix.weight, matrix]));
  const { weight } = model.build;
  // Whoever wants floats in a program gets them of the codes; the head's are not computed where its
  // product is.
  model.build.weight = (trace, name) => {
    const matrix =
      trace.model.weights === model.weights && !trace.model.parameters.has(name)
        ? byWeight.get(name)
        : undefined;
    if (!matrix) return weight(trace, name);
    const value = dequantized(packedWeight(trace, [matrix]));
    names.set(value, name);
    return value;
  };
  computeQuantized(model, stored, matrices.find(({ layer }) => layer === undefined)?.name, {
    activations,
    way: { float: false },
  });
}

/** Which weight a value in floats is of. */
const names = new WeakMap<Value, string>();

/** Wraps the products with stored matrices; `head` is the name of the head's. */
export function computeQuantized(
  model: Model,
  stored: ReadonlyMap<string, StoredMatrix>,
  head: string | undefined,
  {
    activations,
    way,
  }: Pick<QuantizeOptions, 'activations'> & { readonly way: Pick<Switch, 'float'> },
): void {
  const { matmul, project, logits } = model.build;
  const product = (trace: Trace, x: Value, matrices: readonly StoredMatrix[]): Value =>
    matMulNBits(x, packedWeight(trace, matrices), activations);
  // A trace of the model with other weights (an export's) is not of these matrices.
  const storedOf = (
    { model: { parameters, weights } }: Trace,
    layer: LinearLayer,
  ): StoredMatrix | undefined =>
    way.float || weights !== model.weights || parameters.has(layer.weight)
      ? undefined
      : stored.get(layer.name);
  model.build.matmul = (trace, x, layer) => {
    const matrix = storedOf(trace, layer);
    return matrix ? product(trace, x, [matrix]) : matmul(trace, x, layer);
  };
  model.build.project = (trace, x, layers) => {
    const matrices = layers.flatMap((layer) => storedOf(trace, layer) ?? []);
    const biases = layers.flatMap(({ bias }) => bias ?? []);
    const whole = (some: readonly unknown[]): boolean => some.length === layers.length;
    if (
      layers.length < 2 ||
      !whole(matrices) ||
      !together(matrices) ||
      (biases.length > 0 && !whole(biases))
    ) {
      return project(trace, x, layers);
    }
    const all = product(trace, x, matrices);
    const joined =
      biases.length > 0
        ? add(
            all,
            concat(
              biases.map((name) => trace.model.build.weight(trace, name)),
              0,
            ),
          )
        : all;
    let start = 0;
    return layers.map(({ outFeatures }) =>
      slice(joined, [0, start], [x.shape[0]!, (start += outFeatures)]),
    );
  };
  const headMatrix = head === undefined ? undefined : stored.get(head);
  if (!headMatrix) return;
  // A head that another plugin has put together is no longer the one that was quantized.
  model.build.logits = (trace, output) =>
    !way.float &&
    trace.model.weights === model.weights &&
    weightName(output.weight) === headMatrix.weight
      ? product(trace, output.hidden, [headMatrix])
      : logits(trace, output);
}

/**
 * The head as a linear, also where it shares the embedding's weight; undefined where it is not a
 * weight of the checkpoint.
 */
function headOf(model: Model): LinearLayer | undefined {
  const { hiddenSize: inFeatures, vocabularySize: outFeatures } = model.architecture;
  const graph = new Graph();
  const trace: Trace = {
    graph,
    model,
    batchSize: 1,
    length: 1,
    mode: 'inference',
    positions: graph.input('positions', 'int32', [1, 1]),
    input: (name) => graph.input(name, 'int32', [1, 1]),
    dropoutMask: () => {
      throw new Error('there is no dropout in inference');
    },
  };
  const weight = weightName(
    model.build.head(trace, graph.input('hidden', 'float32', [1, inFeatures])).weight,
  );
  if (weight === undefined) return undefined;
  return (
    model.linears.find((layer) => layer.weight === weight) ?? {
      name: `${weight} as head`,
      weight,
      inFeatures,
      outFeatures,
      layout: 'out-in',
    }
  );
}

/** The weight that a value is, perhaps widened to float32. */
function weightName(value: Value): string | undefined {
  const { source } = value;
  if (names.has(value)) return names.get(value);
  if (source.kind === 'node' && source.node.op.name === 'cast') {
    return weightName(source.node.inputs[0]!);
  }
  return source.kind === 'weight' ? source.name : undefined;
}

/** Whether matrices lie one after the other in one group. */
function together(matrices: readonly StoredMatrix[]): boolean {
  return matrices
    .slice(1)
    .every(
      ({ group, row }, index) =>
        group === matrices[index]!.group &&
        row === matrices[index]!.row + matrices[index]!.outFeatures,
    );
}

/** The rows of matrices that lie together. */
function packedWeight({ graph }: Trace, matrices: readonly StoredMatrix[]): PackedWeight {
  const {
    group: {
      scheme: { bits, blockSize },
      inFeatures,
      packed,
      scales,
      zeroPoints,
    },
    row,
  } = matrices[0]!;
  const outFeatures = matrices.reduce((sum, matrix) => sum + matrix.outFeatures, 0);
  const part = (name: string, source: WeightSource): Value =>
    graph.weight(
      `${matrices.map(({ weight }) => weight).join('+')}:${bits} bits ${name}`,
      rowsOf(source, row, outFeatures),
    );
  return {
    packed: part('codes', packed),
    scales: part('scales', scales),
    zeroPoints: zeroPoints && part('zero points', zeroPoints),
    bits,
    blockSize,
    inFeatures,
    outFeatures,
  };
}

/** As they are stored. */
export function bytesOf(weights: readonly ModelWeight[]): number {
  const parts = weights.flatMap((weight) =>
    weight.kind === 'packed'
      ? [weight.codes, weight.scales, ...(weight.zeroPoints ? [weight.zeroPoints] : [])]
      : [weight],
  );
  return parts.reduce(
    (sum, part) => sum + (part.kind === 'file' ? part.byteLength : part.data.byteLength),
    0,
  );
}
