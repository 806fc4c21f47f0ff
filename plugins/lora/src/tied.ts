// A head that shares the embedding's weight: what is trained as one, and a head of its own where an
// adapter changes only one of them, or each in its way. PEFT writes both of what it trains as one.
import { reshapeModel, type LinearLayer, type Model, type Parameter } from '@lmflow/sdk/model';
import type { ModelWeight } from '@lmflow/sdk/graph';
import type { AdapterTensors } from '@lmflow/sdk/peft';
import { tiesBroken } from './errors.ts';
import type { LoraOptions } from './options.ts';

/** Module path of the head in transformers' causal language models. */
export const HEAD = 'lm_head';
export const HEAD_WEIGHT = `${HEAD}.weight`;

/** Name of the token embedding's weight: the first of a checkpoint that has a row for each token. */
export function embeddingWeight({
  weights,
  architecture: { vocabularySize },
}: Model): string | undefined {
  return [...weights].find(
    ([name, { shape }]) =>
      name !== HEAD_WEIGHT && shape.length === 2 && shape[0] === vocabularySize,
  )?.[0];
}

/**
 * What an adapter can have pairs for: the linears, a head that shares the embedding's weight, and the
 * embedding, which is one from vocabulary to hidden size.
 */
export function adaptable(model: Model): readonly LinearLayer[] {
  const { tiedEmbeddings, vocabularySize, hiddenSize } = model.architecture;
  const weight = embeddingWeight(model);
  return [
    ...(weight === undefined
      ? []
      : [
          {
            name: weight.replace(/\.weight$/, ''),
            weight,
            inFeatures: vocabularySize,
            outFeatures: hiddenSize,
            layout: 'in-out' as const,
          },
        ]),
    ...model.linears,
    ...(tiedEmbeddings ? [headLayer(model)] : []),
  ];
}

/** Names of the weights, also of a head that shares the embedding's. */
export function weightNames({ weights, architecture: { tiedEmbeddings } }: Model): string[] {
  return [...weights.keys(), ...(tiedEmbeddings ? [HEAD_WEIGHT] : [])];
}

/**
 * Gives a model whose head shares the embedding's weight a head of its own with the same numbers, in
 * the model object or the view.
 */
export function untie(model: Model): void {
  const { weights, architecture, config, linears } = model;
  const embedding = embeddingWeight(model)!;
  const changed: {
    weights: Map<string, ModelWeight>;
    linears: readonly LinearLayer[];
    read: Model['read'];
  } = model;
  changed.linears = [...linears, headLayer(model)];
  changed.weights = new Map([...weights, [HEAD_WEIGHT, weights.get(embedding)!]]);
  const read = model.read.bind(model);
  changed.read = (name) => read(name === HEAD_WEIGHT ? embedding : name);
  reshapeModel(model, {
    architecture: { ...architecture, tiedEmbeddings: false },
    config: { ...config, tie_word_embeddings: false },
  });
}

function headLayer({ architecture: { hiddenSize, vocabularySize } }: Model): LinearLayer {
  return {
    name: HEAD,
    weight: HEAD_WEIGHT,
    inFeatures: hiddenSize,
    outFeatures: vocabularySize,
    layout: 'out-in',
  };
}

/**
 * Whether embedding and head are trained whole, as one. `whole`: names of the weights of modulesToSave.
 * An adapter of PEFT's has them so only where a module has one of the names that PEFT looks for.
 */
export function trainsTied(
  model: Model,
  whole: ReadonlySet<string>,
  { ensureWeightTying, modulesToSave }: LoraOptions,
  existing: boolean,
): boolean {
  if (!ensureWeightTying || !model.architecture.tiedEmbeddings) return false;
  if (!existing) return whole.has(embeddingWeight(model)!) || whole.has(HEAD_WEIGHT);
  return modulesToSave.some((name) => /^(.*\.)?(embed_tokens|lm_head)$/.test(name));
}

/** The parameter that replaces both, if it is one of these. */
export function tiedParameter(
  model: Model,
  parameters: readonly Parameter[],
): Parameter | undefined {
  if (!model.architecture.tiedEmbeddings) return undefined;
  const embedding = embeddingWeight(model);
  return parameters.find(({ name }) => name === embedding);
}

/**
 * An adapter's tensors without the head's copy. Throws LMFLOW_ADAPTER_MISMATCH where there is none
 * or it has other numbers.
 */
export function withoutTiedHead(
  model: Model,
  parameters: readonly Parameter[],
  tensors: AdapterTensors,
  file: string,
): AdapterTensors {
  const embedding = tensors.get(tiedParameter(model, parameters)?.name ?? '');
  if (!embedding) return tensors;
  const head = tensors.get(HEAD_WEIGHT);
  if (!head) {
    throw tiesBroken(file, 'it has the tied embedding without the head');
  }
  if (
    head.data.length !== embedding.data.length ||
    head.data.some((number, index) => number !== embedding.data[index])
  ) {
    throw tiesBroken(file, 'its head was trained apart from the tied embedding');
  }
  return new Map([...tensors].filter(([, tensor]) => tensor !== head));
}
