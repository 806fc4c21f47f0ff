// Finds the largest micro-batches of a data set, which memory is planned for.
import { sequencesOf, type MicroBatch, type Sample, type Samples } from '@lmflow/sdk';
import { collate, type CollateOptions } from './collate.ts';

/**
 * The batch with the longest sample, and the largest batch of joined samples, if there can be one:
 * it has fewer tokens, but attention over longer rows.
 */
export function largestBatches(
  train: Samples,
  size: number,
  collating: CollateOptions,
): readonly MicroBatch[] {
  let [longest, shortest] = [0, 0];
  for (let index = 1; index < train.length; index++) {
    if (train.lengthOf(index) > train.lengthOf(longest)) longest = index;
    if (train.lengthOf(index) < train.lengthOf(shortest)) shortest = index;
  }
  const sample = sequencesOf(train, longest).reduce((most, sequence) =>
    sequence.inputIds.length > most.inputIds.length ? sequence : most,
  );
  const groupSize = train.group?.size ?? 1;
  const others = groupSize * Math.min(size, train.length) - 1;
  /** The longest sample, and others that are cut to a length. */
  const batchOf = (length: number): MicroBatch => {
    const other = length < sample.inputIds.length ? shortened(sample, length) : sample;
    // groups as the batches of the run have them
    return [sample, ...Array.from({ length: others }, () => other)].map((sequence, index) => ({
      ...sequence,
      place: { sample: Math.floor(index / groupSize), member: index % groupSize },
    }));
  };
  const padded = batchOf(sample.inputIds.length);
  if (!collating.join || sample.segments || others === 0) return [padded];
  const least = train.lengthOf(shortest);
  const step = Math.ceil(collating.multipleOf / others); // no length of a joined row is passed over
  for (let length = sample.inputIds.length; length > least;) {
    length = Math.max(least, length - step);
    const joined = batchOf(length);
    if (collate(joined, collating).tensors['segments']) return [padded, joined];
  }
  return [padded];
}

/** A sequence's first tokens, with their numbers. */
function shortened({ inputIds, labels, columns, perToken = {} }: Sample, length: number): Sample {
  return {
    inputIds: inputIds.subarray(0, length),
    labels: labels.subarray(0, length),
    ...(columns ? { columns } : {}),
    perToken: Object.fromEntries(
      Object.entries(perToken).map(([name, numbers]) => [name, numbers.subarray(0, length)]),
    ),
  };
}
