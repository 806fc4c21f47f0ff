// Which building functions adapters need: no other is replaced, so that `lmflow inspect` names what
// an adapter changes and nothing else.
import type { Model } from '@lmflow/sdk/model';
import type { LoraAdapter } from './adapter.ts';
import { addEmbeddingAdapter } from './embedding.ts';
import { addHeadAdapter } from './head.ts';
import { addAdapters } from './project.ts';
import { replaceWeights } from './replaced.ts';
import { embeddingWeight } from './tied.ts';
import { addTokenRows } from './token-graph.ts';

/** Wraps what some adapter of the model, or of a view of it, changes. */
export function wrapFor(adapters: readonly LoraAdapter[], model: Model, by: string): void {
  const some = (changes: (adapter: LoraAdapter) => boolean): boolean => adapters.some(changes);
  if (some(({ pairs }) => [...pairs.values()].some(({ layer }) => layer.layer !== undefined))) {
    addAdapters(model, by);
  }
  if (some(({ head, headTokens }) => head !== undefined || headTokens !== undefined)) {
    addHeadAdapter(model, by);
  }
  if (some(({ replaced }) => replaced.size > 0)) replaceWeights(model, by);
  if (some(({ embedding }) => embedding !== undefined)) addEmbeddingAdapter(model, by);
  const table = embeddingWeight(model);
  if (some(({ tokens }) => tokens.some(({ weight }) => weight === table))) {
    addTokenRows(model, by);
  }
}
