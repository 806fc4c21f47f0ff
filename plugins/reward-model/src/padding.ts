// Where transformers reads a classifier: at the last token whose id is not the padding's. In training
// the places come from the lengths of the sequences; this moves those whose last tokens are padding by
// their ids, which happens where a model's padding is its end of text.
import type { Batch } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';

/** The batch with the places that `model` is read at. */
export function withPooledPlaces(batch: Batch, { config }: Model): Batch {
  const padding = config['pad_token_id'];
  const ids = batch.tensors['inputIds']!.data as Int32Array;
  const places = batch.tensors['lastTokens'];
  if (typeof padding !== 'number' || !places) return batch;
  const data = Int32Array.from(places.data as Int32Array);
  for (const [index, { row, start }] of batch.sequences.entries()) {
    const first = row * batch.length + start;
    while (data[index]! > first && ids[data[index]!] === padding) data[index]!--;
  }
  return { ...batch, tensors: { ...batch.tensors, lastTokens: { ...places, data } } };
}
