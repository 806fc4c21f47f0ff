// Single rows of embedding and head that are trained (trainable_token_indices): which, as parameters,
// and their place in the graph. As a low-rank update of embedding or head, W + P (rows - W[rows]).
import { wrap, adapterValue, type Model, type Parameter, type Trace } from '@lmflow/sdk/model';
import { add, concat, gather, reshape, sub, type Value } from '@lmflow/sdk/graph';
import { LoraAdapter } from './adapter.ts';
import { tokensRefused } from './errors.ts';
import type { LoraOptions } from './options.ts';
import { embeddingWeight, HEAD_WEIGHT } from './tied.ts';

/** Rows of one weight. */
export interface TokenRows {
  /** Name of the weight: of the embedding, also where the head shares it, or of a head of its own. */
  readonly weight: string;
  readonly indices: readonly number[];
  /** [indices.length, hiddenSize] */
  readonly parameter: Parameter;
  /** The rows in the base. */
  readonly base: Float32Array;
}

/** Tokens by the name of the weight whose rows they are. */
export type TokensOfWeights = ReadonlyMap<string, readonly number[]>;

/**
 * The tokens that the option names. Those of an embedding whose weight the head shares are both's, as
 * in PEFT, unless the head has others. Throws LMFLOW_LORA_TOKENS.
 */
export function namedTokens(
  model: Model,
  { trainableTokenIndices, ensureWeightTying }: LoraOptions,
): TokensOfWeights {
  if (trainableTokenIndices === undefined) return new Map();
  const embedding = embeddingWeight(model)!;
  const found = new Map<string, readonly number[]>();
  const given = Array.isArray(trainableTokenIndices)
    ? [[embedding.replace(/\.weight$/, ''), trainableTokenIndices] as const]
    : Object.entries(trainableTokenIndices);
  for (const [module, indices] of given) {
    const weight = [embedding, HEAD_WEIGHT].find((name) => name.endsWith(`${module}.weight`));
    if (weight === undefined) throw tokensRefused(`"${module}" is neither embedding nor head`);
    const { vocabularySize } = model.architecture;
    const outside = indices.find((index) => index >= vocabularySize);
    if (outside !== undefined) {
      throw tokensRefused(`the model has no token ${outside}, its last is ${vocabularySize - 1}`);
    }
    if (new Set(indices).size < indices.length || found.has(weight)) {
      throw tokensRefused(`"${module}" has a token twice`);
    }
    if (indices.length > 0) found.set(weight, indices);
  }
  const [first, second] = [found.get(embedding), found.get(HEAD_WEIGHT)];
  if (!model.architecture.tiedEmbeddings || !first || !second) return found;
  if (first.join() === second.join()) return new Map([[embedding, first]]);
  if (ensureWeightTying) {
    throw tokensRefused('ensureWeightTying does not go with other tokens for the head');
  }
  return found;
}

/** The rows as parameters. `weights`: those that the adapter changes in another way too. */
export async function tokenRows(
  model: Model,
  tokens: TokensOfWeights,
  weights: ReadonlySet<string>,
): Promise<TokenRows[]> {
  const { hiddenSize, tiedEmbeddings } = model.architecture;
  const rows: TokenRows[] = [];
  for (const [weight, indices] of tokens) {
    if (weights.has(weight) || (tiedEmbeddings && weights.has(HEAD_WEIGHT))) {
      throw tokensRefused(`${weight} is changed by the adapter in another way too`);
    }
    const table = await model.read(weight);
    const base = new Float32Array(indices.length * hiddenSize);
    indices.forEach((index, place) => {
      base.set(table.subarray(index * hiddenSize, (index + 1) * hiddenSize), place * hiddenSize);
    });
    const parameter = {
      name: weight.replace(/weight$/, 'token_adapter.trainable_tokens_delta'),
      shape: [indices.length, hiddenSize],
      decay: true,
      data: base.slice(),
    };
    rows.push({ weight, indices, parameter, base });
  }
  return rows;
}

/** Wraps `embed`: the trained rows in place of the base's. */
export function addTokenRows(model: Model, by: string): void {
  wrap(model, 'embed', by, (inner) => (trace, inputIds) => {
    const hidden = inner(trace, inputIds);
    const { adapter } = trace.model;
    const embedding = embeddingWeight(trace.model);
    const rows =
      adapter instanceof LoraAdapter
        ? adapter.tokens.find(({ weight }) => weight === embedding)
        : undefined;
    if (!rows) return hidden;
    const { hiddenSize } = trace.model.architecture;
    const zero = trace.graph.constant(new Float32Array(hiddenSize), [1, hiddenSize], 'float32');
    const places = gather(placesOf(trace, rows), reshape(inputIds, [hidden.shape[0]!]));
    return add(hidden, gather(concat([zero, change(trace, rows)], 0), places));
  });
}

/** What the rows add to logits: hidden x rows^T, and the token that each row belongs to. */
export function headRows(
  trace: Trace,
  rows: TokenRows,
): { readonly change: Value; readonly tokens: Value } {
  const count = rows.indices.length;
  const ones = new Float32Array((count + 1) * count);
  for (let place = 0; place < count; place++) ones[(place + 1) * count + place] = 1;
  const choice = trace.graph.constant(ones, [count + 1, count], 'float32');
  return { change: change(trace, rows), tokens: gather(choice, placesOf(trace, rows)) };
}

/** [indices.length, hiddenSize]: the rows less those of the base. */
function change(trace: Trace, { parameter, base }: TokenRows): Value {
  const frozen = trace.graph.constant(base, parameter.shape, 'float32');
  return sub(adapterValue(trace, parameter), frozen);
}

/** int32 [vocabularySize]: 1 + the place of a token among the rows, 0 for all others. */
function placesOf({ graph, model }: Trace, { indices }: TokenRows): Value {
  const { vocabularySize } = model.architecture;
  const places = new Int32Array(vocabularySize);
  indices.forEach((index, place) => (places[index] = place + 1));
  return graph.constant(places, [vocabularySize], 'int32');
}
