// Single rows of embedding and head that are trained (trainable_token_indices): which, and as
// parameters. Their place in the graph: token-graph.ts.
import type { Model, Parameter } from '@lmflow/sdk/model';
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
