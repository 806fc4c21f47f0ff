// Puts quantized matrices into a model: its linears, those whose rows lie together as one product,
// and its head. Adapters, which wrap `project` afterwards, do not notice. Of a checkpoint in
// floating point `weight` keeps giving float numbers, so that a tied embedding is looked up in float.
import type { Logger } from '@lmflow/sdk';
import {
  replaceLinears,
  wrap,
  type BuildingFunctions,
  type LinearReplacement,
  type Model,
  type ReplacedLinears,
  type StoredLinear,
  type Trace,
} from '@lmflow/sdk/model';
import { add, concat, slice, type Value, type WeightSource } from '@lmflow/sdk/graph';
import type { Bits } from './blocks.ts';
import { blocks, rowsOf } from './form.ts';
import { chosenMatrices, section, weightName, type Matrix } from './matrices.ts';
import { dequantized, matMulNBits, type PackedWeight } from './op.ts';
import type { QuantizeOptions } from './options.ts';

/** Which plugin quantizes, with its options. */
export interface Quantizer {
  readonly by: string;
  readonly options: QuantizeOptions;
  readonly log: Logger;
}

/**
 * Quantizes a model's matrices and computes with them. A weight that an adapter brings whole
 * (modules_to_save) is computed in float.
 */
export async function quantizeModel(
  model: Model,
  bits: Bits,
  quantizer: Quantizer,
): Promise<ReplacedLinears<Matrix>> {
  const { matrices, head } = chosenMatrices(model, bits, quantizer.options);
  const replaced = await replaceLinears(model, {
    ...common(quantizer),
    how: `in ${bits} bits`,
    linears: matrices,
    form: blocks(model, `${bits} bits`),
  });
  multiplyTogether(model, replaced, quantizer);
  if (head !== undefined) multiplyHead(model, replaced, head, { ...quantizer, nameOf: weightName });
  return replaced;
}

/** Computes with the matrices that a model's checkpoint has in a few bits. */
export async function computePacked(
  model: Model,
  matrices: readonly Matrix[],
  quantizer: Quantizer,
): Promise<void> {
  // Programs that use a weight in float get it from the codes; the head's product needs none.
  const names = new WeakMap<Value, string>();
  const replaced = await replaceLinears(model, {
    ...common(quantizer),
    how: 'in the few bits of the checkpoint',
    linears: matrices,
    form: blocks(model, 'blocks of codes'),
    weight: (trace, linear) => {
      const value = dequantized(packedWeight(trace, [linear]));
      names.set(value, linear.layer.weight);
      return value;
    },
  });
  multiplyTogether(model, replaced, quantizer);
  const head = matrices.find(({ layer }) => layer === undefined);
  const nameOf = (value: Value): string | undefined => names.get(value) ?? weightName(value);
  if (head) multiplyHead(model, replaced, head.name, { ...quantizer, nameOf });
}

function common({
  by,
  options: { activations, cacheDir },
  log,
}: Quantizer): Pick<LinearReplacement<Matrix>, 'by' | 'section' | 'cacheDir' | 'matmul' | 'log'> {
  return {
    by,
    section,
    cacheDir,
    log,
    matmul: (trace, x, linear) => matMulNBits(x, packedWeight(trace, [linear]), activations),
  };
}

/** Linears that share an input and lie one after the other are one product. */
function multiplyTogether(
  model: Model,
  replaced: ReplacedLinears<Matrix>,
  { by, options: { activations } }: Quantizer,
): void {
  wrap(model, 'project', by, (project) => (trace, x, layers) => {
    const linears = layers.flatMap((layer) => replaced.stored(trace, layer) ?? []);
    const biases = layers.flatMap(({ bias }) => bias ?? []);
    const whole = (some: readonly unknown[]): boolean => some.length === layers.length;
    const areOneProduct =
      layers.length > 1 &&
      whole(linears) &&
      together(linears) &&
      (biases.length === 0 || whole(biases));
    if (!areOneProduct) return project(trace, x, layers);
    const products = matMulNBits(x, packedWeight(trace, linears), activations);
    const joined = biases.length > 0 ? add(products, joinedBiases(trace, biases)) : products;
    let start = 0;
    return layers.map(({ outFeatures }) =>
      slice(joined, [0, start], [x.shape[0]!, (start += outFeatures)]),
    );
  });
}

function joinedBiases(trace: Trace, biases: readonly string[]): Value {
  return concat(
    biases.map((name) => trace.model.build.weight(trace, name)),
    0,
  );
}

/** A head that another plugin has put together is no longer the one that was quantized. */
function multiplyHead(
  model: Model,
  { claim, linears }: ReplacedLinears<Matrix>,
  head: string,
  {
    by,
    options: { activations },
    nameOf,
  }: Quantizer & { readonly nameOf: (value: Value) => string | undefined },
): void {
  const matrix = linears.get(head)!;
  const isHead = ({ model: traced }: Trace, weight: Value): boolean =>
    claim.active && traced.weights === model.weights && nameOf(weight) === matrix.layer.weight;
  wrap(
    model,
    'logits',
    by,
    (logits): BuildingFunctions['logits'] =>
      (trace, output) =>
        isHead(trace, output.weight)
          ? matMulNBits(output.hidden, packedWeight(trace, [matrix]), activations)
          : logits(trace, output),
  );
}

/** Whether matrices lie one after the other in one group. */
function together(linears: readonly StoredLinear<Matrix>[]): boolean {
  const { group, layer } = linears[0]!;
  const first = group.linears.indexOf(layer);
  return linears.every(
    (linear, index) => linear.group === group && group.linears[first + index] === linear.layer,
  );
}

/** The rows of matrices that lie together. */
function packedWeight({ graph }: Trace, linears: readonly StoredLinear<Matrix>[]): PackedWeight {
  const { group, layer } = linears[0]!;
  const {
    inFeatures,
    scheme: { bits, blockSize },
  } = layer;
  const rows = (some: readonly Matrix[]): number =>
    some.reduce((sum, { outFeatures }) => sum + outFeatures, 0);
  const layers = linears.map((linear) => linear.layer);
  const row = rows(group.linears.slice(0, group.linears.indexOf(layer)));
  const outFeatures = rows(layers);
  const part = (name: string, source: WeightSource): Value =>
    graph.weight(
      `${layers.map(({ weight }) => weight).join('+')}:${bits} bits ${name}`,
      rowsOf(source, row, outFeatures),
    );
  const [packed, scales, zeroPoints] = group.parts;
  return {
    packed: part('codes', packed!),
    scales: part('scales', scales!),
    zeroPoints: zeroPoints && part('zero points', zeroPoints),
    bits,
    blockSize,
    inFeatures,
    outFeatures,
  };
}
