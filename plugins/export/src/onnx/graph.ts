// The graph of one decoding step, traced with the model's building functions. Inputs: token ids,
// mask, positions, and keys and values of the tokens before. Outputs: logits, and keys and values
// of all tokens. Only attention is wrapped.
import { forward, view, wrap, type Model, type Trace } from '@lmflow/sdk/model';
import {
  add,
  cast,
  Graph,
  greater,
  HIDDEN,
  lessOrEqual,
  logicalAnd,
  reshape,
  where,
  type Value,
} from '@lmflow/sdk/graph';
import type { FreeSize } from '@lmflow/plugin-engine-onnx';
import { carriedAttention, lastRows, places, spelledOutAttention } from './ops.ts';

/** Sizes of a trace. */
export interface Sizes {
  readonly batch: number;
  /** New tokens of each sequence. */
  readonly length: number;
  /** Tokens before them. */
  readonly past: number;
  /** Last tokens of each sequence whose logits are computed. */
  readonly kept: number;
}

export const keysOf = (layer: number): string => `past_key_values.${layer}.key`;
export const valuesOf = (layer: number): string => `past_key_values.${layer}.value`;

/** The sizes that are dynamic in the exported model: names, and the inputs that have them. */
export function dynamicSizes({ batch, length, past, kept }: Sizes): FreeSize[] {
  return [
    { name: 'batch_size', stand: batch, input: 'input_ids', axis: 0 },
    { name: 'sequence_length', stand: length, input: 'input_ids', axis: 1 },
    { name: 'past_sequence_length', stand: past, input: keysOf(0), axis: 2 },
    { name: 'total_sequence_length', stand: past + length, input: 'attention_mask', axis: 1 },
    { name: 'num_logits', stand: kept },
  ];
}

/** Who wraps building functions. */
export const by = '@lmflow/plugin-export';

/** The graph of a step, with rotary tables for positions below `contextLength`. */
export function stepGraph(model: Model, sizes: Sizes, contextLength: number): Graph {
  const graph = new Graph();
  const { batch, length, past, kept } = sizes;
  const { numKeyValueHeads, headDim, hiddenSize, vocabularySize } = model.architecture;
  const ids = cast(graph.input('input_ids', 'int64', [batch, length]), 'int32');
  const mask = graph.input('attention_mask', 'int64', [batch, past + length]);
  const positions = cast(graph.input('position_ids', 'int64', [batch, length]), 'int32');
  const count = graph.input('num_logits_to_keep', 'int64', []);
  const biasOf = biases(graph, mask, sizes);
  const present: [string, Value][] = [];
  const step = view(model, {});
  wrap(step, 'attention', by, () => (_trace, { q, k, v, layer, window }) => {
    const before = (name: string): Value =>
      graph.input(name, 'float32', [batch, numKeyValueHeads, past, headDim]);
    const [seen, keys, values] = attentionOf(headDim)({
      q,
      k,
      v,
      keys: before(keysOf(layer)),
      values: before(valuesOf(layer)),
      bias: biasOf(window),
    });
    present.push([`present.${layer}.key`, keys!], [`present.${layer}.value`, values!]);
    return seen!;
  });
  const trace: Trace = {
    graph,
    model: step,
    batchSize: batch,
    length,
    contextLength,
    mode: 'inference',
    positions,
    input: (name) => {
      if (name === 'inputIds') return ids;
      throw new Error(`an exported model has no input "${name}"`);
    },
    dropoutMask: () => {
      throw new Error('there is no dropout in inference');
    },
  };
  const { hidden, weight } = forward(trace);
  const rows = reshape(lastRows(reshape(hidden, [batch, length, hiddenSize]), count, kept), [
    batch * kept,
    hiddenSize,
  ]);
  graph.output(
    'logits',
    reshape(step.build.logits(trace, { hidden: rows, weight }), [batch, kept, vocabularySize]),
  );
  for (const [name, value] of present) graph.output(name, value);
  return graph;
}

/** GroupQueryAttention takes heads of a multiple of 8 numbers; others are spelled out. */
const attentionOf = (headDim: number): typeof carriedAttention =>
  headDim % 8 === 0 ? carriedAttention : spelledOutAttention;

/**
 * What is added to the attention scores [batch, 1, length, past + length], for each window: it
 * hides padding, later tokens and tokens before the window.
 */
function biases(
  graph: Graph,
  mask: Value,
  { batch, length, past }: Sizes,
): (window: number | undefined) => Value {
  const total = past + length;
  const known = new Map<number | undefined, Value>();
  const build = (window: number | undefined): Value => {
    const keys = reshape(places(graph, { from: 0, to: total }), [1, 1, 1, total]);
    const queries = reshape(places(graph, { from: past, to: total }), [1, 1, length, 1]);
    const causal = lessOrEqual(keys, queries);
    const near =
      window === undefined ? causal : logicalAnd(causal, greater(keys, add(queries, -window)));
    const filled = reshape(greater(cast(mask, 'int32'), 0), [batch, 1, 1, total]);
    return where(logicalAnd(near, filled), 0, HIDDEN);
  };
  return (window) => {
    const bias = known.get(window) ?? build(window);
    known.set(window, bias);
    return bias;
  };
}
