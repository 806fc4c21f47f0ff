// Pairs and tokens of chosen answers: the losses of pairs are means over pairs, the cross-entropy of
// chosen answers is one over tokens, and a step divides by pairs alone.
import { IGNORED, type Batch, type Samples } from '@lmflow/sdk';

/** Pairs of a step's micro-batches over the tokens of their chosen answers. */
export function pairsPerToken(batches: readonly Batch[]): number {
  let [pairs, tokens] = [0, 0];
  for (const { sequences, groupSize, tensors, length } of batches) {
    pairs += sequences.length / groupSize;
    const labels = tensors['labels']!.data;
    for (const { member, row, start, length: count } of sequences) {
      if (member !== 0) continue;
      const first = row * length + start;
      // a sequence's first token is not predicted
      for (let place = first + 1; place < first + count; place++) {
        if (labels[place] !== IGNORED) tokens++;
      }
    }
  }
  return pairs / Math.max(1, tokens);
}

/** The same counts of a whole data set. */
export function chosenTokens(samples: Samples): { pairs: number; tokens: number } {
  let tokens = 0;
  for (let index = 0; index < samples.length; index++) {
    const { labels } = samples.group!.get(index)[0]!;
    for (let place = 1; place < labels.length; place++) if (labels[place] !== IGNORED) tokens++;
  }
  return { pairs: samples.length, tokens: Math.max(1, tokens) };
}
