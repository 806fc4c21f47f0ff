// An embedding that is the head too, trained whole (modulesToSave). PEFT's head stays the base
// model's unless the adapter has a copy for it, so both are written, and both are read as one.
import type { Model, Parameter } from '@lmflow/sdk/model';
import { tiesBroken } from './errors.ts';
import type { AdapterTensors } from './peft.ts';

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
    throw tiesBroken(file, "the head that shares its embedding would stay the base model's");
  }
  if (
    head.data.length !== embedding.data.length ||
    head.data.some((number, index) => number !== embedding.data[index])
  ) {
    throw tiesBroken(file, 'the head that shares its embedding was trained apart from it');
  }
  return new Map([...tensors].filter(([, tensor]) => tensor !== head));
}
