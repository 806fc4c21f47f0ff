// A tied embedding and head, trained whole (modulesToSave). PEFT keeps the base model's head unless
// the adapter has a copy of the embedding for it, so both are written, and both are read as one.
import type { Model, Parameter } from '@lmflow/sdk/model';
import type { AdapterTensors } from '@lmflow/sdk/peft';
import { tiesBroken } from './errors.ts';

/** Module path of the head in transformers' causal language models. */
export const HEAD = 'lm_head';

/** The parameter that replaces both, if it is one of these. */
export function tiedParameter(
  { weights, architecture: { tiedEmbeddings, vocabularySize } }: Model,
  parameters: readonly Parameter[],
): Parameter | undefined {
  return tiedEmbeddings
    ? parameters.find(
        ({ name, shape }) => weights.has(name) && shape.length === 2 && shape[0] === vocabularySize,
      )
    : undefined;
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
  const head = tensors.get(`${HEAD}.weight`);
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
