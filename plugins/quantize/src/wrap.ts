// Puts quantized matrices into a model: wraps `matmul` and `logits`. Adapters, which wrap `project`, do not notice; `weight` keeps giving float numbers,
// so that a tied embedding is looked up in float.
import { claimLinears, matchesModule, type LinearLayer, type Logger, type Model, type Trace } from '@lmflow/sdk';
import { Graph, type ModelWeight, type Value } from '@lmflow/sdk/graph';
import type { Bits } from './blocks.ts';
import { excludeUnknown, nothingToQuantize } from './errors.ts';
import { matMulNBits, type PackedWeight } from './op.ts';
import type { QuantizeOptions } from './options.ts';
import { storeMatrices, type Matrix, type StoredMatrix } from './store.ts';

/** Turns the quantized products off, to compute as the model did before; looked at when a program is traced. */
export interface Switch {
  float: boolean;
  readonly matrices: number;
  /** Of these matrices: in the checkpoint's numbers, and quantized. */
  readonly bytes: { readonly before: number; readonly after: number };
}

/** The matrices to quantize: linears of the blocks that `exclude` does not name, and the head. Throws where a pattern names none or nothing is left. */
export function chosenMatrices(model: Model, bits: Bits, options: QuantizeOptions): { readonly matrices: readonly Matrix[]; readonly head: string | undefined } {
  const { exclude, headBits = 8, blockSize, symmetric } = options;
  const inBlocks = model.linears.filter(({ layer }) => layer !== undefined);
  const unknown = exclude.find((pattern) => !inBlocks.some(({ name }) => matchesModule(name, pattern)));
  if (unknown !== undefined) throw excludeUnknown(unknown, [...new Set(inBlocks.map(({ name }) => name.split('.').at(-1)!))]);
  const chosen = inBlocks.filter(({ name }) => !exclude.some((pattern) => matchesModule(name, pattern)));
  const matrices: Matrix[] = chosen.map((layer) => ({ ...layer, scheme: { bits, blockSize, symmetric } }));
  const head = headBits === 'float' ? undefined : headOf(model);
  if (head && headBits !== 'float') matrices.push({ ...head, scheme: { bits: headBits, blockSize, symmetric } });
  if (matrices.length === 0) throw nothingToQuantize(model.source);
  return { matrices, head: head?.name };
}

/** Quantizes a model's matrices and wraps its products. A weight that an adapter brings whole (modules_to_save) is computed in float. */
export async function quantizeModel(model: Model, bits: Bits, options: QuantizeOptions, plugin: string, log: Logger): Promise<Switch> {
  const { matrices, head } = chosenMatrices(model, bits, options);
  claimLinears(model, model.linears.filter(({ name }) => matrices.some((matrix) => matrix.name === name)), plugin);
  const stored = await storeMatrices(model, matrices, options.cacheDir, log);
  const after = [...stored.values()].flatMap(({ packed, scales, zeroPoints }) => [packed, scales, ...(zeroPoints ? [zeroPoints] : [])]);
  const way: Switch = { float: false, matrices: stored.size, bytes: { before: bytesOf(matrices.map(({ weight }) => model.weights.get(weight)!)), after: bytesOf(after) } };
  computeQuantized(model, stored, head, { activations: options.activations, way });
  return way;
}

/** Wraps the products with stored matrices; `head` is the name of the head's. */
export function computeQuantized(model: Model, stored: ReadonlyMap<string, StoredMatrix>, head: string | undefined, { activations, way }: Pick<QuantizeOptions, 'activations'> & { readonly way: Pick<Switch, 'float'> }): void {
  const { matmul, logits } = model.build;
  const product = (trace: Trace, x: Value, matrix: StoredMatrix): Value => matMulNBits(x, packedWeight(trace, matrix), activations);
  model.build.matmul = (trace, x, layer) => {
    const matrix = stored.get(layer.name);
    return matrix && !way.float && !model.parameters.has(layer.weight) ? product(trace, x, matrix) : matmul(trace, x, layer);
  };
  const headMatrix = head === undefined ? undefined : stored.get(head);
  if (!headMatrix) return;
  // A head that another plugin has put together is no longer the one that was quantized.
  model.build.logits = (trace, output) => (!way.float && weightName(output.weight) === headMatrix.weight ? product(trace, output.hidden, headMatrix) : logits(trace, output));
}

/** The head as a linear, also where it shares the embedding's weight; undefined where it is not a weight of the checkpoint. */
function headOf(model: Model): LinearLayer | undefined {
  const { hiddenSize: inFeatures, vocabularySize: outFeatures } = model.architecture;
  const graph = new Graph();
  const trace: Trace = {
    graph, model, batchSize: 1, length: 1, mode: 'inference', positions: graph.input('positions', 'int32', [1, 1]),
    input: (name) => graph.input(name, 'int32', [1, 1]), dropoutMask: () => { throw new Error('there is no dropout in inference'); },
  };
  const weight = weightName(model.build.head(trace, graph.input('hidden', 'float32', [1, inFeatures])).weight);
  if (weight === undefined) return undefined;
  return model.linears.find((layer) => layer.weight === weight) ?? { name: `${weight} as head`, weight, inFeatures, outFeatures, layout: 'out-in' };
}

/** The weight that a value is, perhaps widened to float32. */
function weightName({ source }: Value): string | undefined {
  if (source.kind === 'node' && source.node.op.name === 'cast') return weightName(source.node.inputs[0]!);
  return source.kind === 'weight' ? source.name : undefined;
}

function packedWeight({ graph }: Trace, { weight, inFeatures, outFeatures, scheme, packed, scales, zeroPoints }: StoredMatrix): PackedWeight {
  const { bits, blockSize } = scheme;
  const part = (name: string): string => `${weight}:${bits} bits ${name}`;
  return {
    packed: graph.weight(part('codes'), packed), scales: graph.weight(part('scales'), scales), zeroPoints: zeroPoints && graph.weight(part('zero points'), zeroPoints),
    bits, blockSize, inFeatures, outFeatures,
  };
}

/** As they are stored. */
export function bytesOf(weights: readonly ModelWeight[]): number {
  const parts = weights.flatMap((weight) => (weight.kind === 'packed' ? [weight.codes, weight.scales, ...(weight.zeroPoints ? [weight.zeroPoints] : [])] : [weight]));
  return parts.reduce((sum, part) => sum + (part.kind === 'file' ? part.byteLength : part.data.byteLength), 0);
}
