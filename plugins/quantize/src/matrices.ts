// Which matrices of a model are quantized, and how: linears of the blocks, and the head.
import { chooseLinears, type LinearLayer, type Model, type Trace } from '@lmflow/sdk/model';
import { Graph, type ModelWeight, type Value } from '@lmflow/sdk/graph';
import type { Bits, Scheme } from './blocks.ts';
import type { QuantizeOptions } from './options.ts';

/** Section of the options. */
export const section = 'quantize';

/** A matrix to quantize: a linear, or the head's weight. */
export interface Matrix extends LinearLayer {
  readonly scheme: Scheme;
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
 * Throws LMFLOW_LINEARS_UNKNOWN, LMFLOW_LINEARS_NOTHING.
 */
export function chosenMatrices(
  model: Model,
  bits: Bits,
  { exclude, headBits = 8, blockSize, symmetric }: QuantizeOptions,
): { readonly matrices: readonly Matrix[]; readonly head: string | undefined } {
  const head = headBits === 'float' ? undefined : headOf(model);
  const layers = chooseLinears(model, { section, exclude, also: head ? [head] : [] });
  const matrices = layers.map((layer) => ({
    ...layer,
    scheme: {
      bits: layer === head && headBits !== 'float' ? headBits : bits,
      blockSize: blockSize ?? blockSizeFor(layer.inFeatures),
      symmetric,
    },
  }));
  return { matrices, head: head?.name };
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
export function weightName({ source }: Value): string | undefined {
  if (source.kind === 'node' && source.node.op.name === 'cast') {
    return weightName(source.node.inputs[0]!);
  }
  return source.kind === 'weight' ? source.name : undefined;
}

/** Bytes of weights as they are stored. */
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
