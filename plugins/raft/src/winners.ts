// The selected answers of a round as samples, and the micro-batches of its steps.
import { packedSamples } from '@lmflow/plugin-datasets';
import {
  answerRow,
  randomStream,
  type Config,
  type MicroBatch,
  type RolloutPrompt,
  type Sample,
} from '@lmflow/sdk';

/** How answers become micro-batches. */
export interface Batching {
  readonly size: number;
  readonly accumulation: number;
  readonly epochs: number;
  readonly seed: number;
  readonly shuffled: boolean;
  /** Tokens of a row that several answers share; undefined where each is a sample. */
  readonly packed: number | undefined;
}

/** What the configuration says of it. */
export function batchingOf(config: Config, positions: number, seed: number): Batching {
  const number = (key: string): number => config[key] as number;
  return {
    size: number('perDeviceTrainBatchSize'),
    accumulation: number('gradientAccumulationSteps'),
    epochs: number('numTrainEpochs'),
    seed: config['dataSeed'] ?? seed,
    shuffled: config['trainSamplingStrategy'] !== 'sequential',
    packed:
      config['packing'] === true ? (config['blockSize'] ?? Math.min(1024, positions)) : undefined,
  };
}

/** Steps over so many samples. */
export function stepsOf(samples: number, { size, accumulation, epochs }: Batching): number {
  return Math.ceil(epochs * Math.ceil(samples / (size * accumulation)));
}

/** A prompt and an answer to it; the answer alone is trained. */
export function sampleOf(
  { ids: prompt }: Pick<RolloutPrompt, 'ids'>,
  answer: readonly number[],
): Sample {
  const { ids: inputIds, labels } = answerRow(prompt, answer);
  return { inputIds, labels };
}

/** Samples as they are trained, packed where that is wanted. */
export function packedOf(samples: readonly Sample[], { packed }: Batching): readonly Sample[] {
  return packed === undefined ? samples : packedSamples(samples, packed);
}

/** The micro-batches of a round's step, numbered from 0. */
export function microBatchesOf(
  samples: readonly Sample[],
  round: number,
  step: number,
  { size, accumulation, seed, shuffled }: Batching,
): readonly MicroBatch[] {
  const stepSize = size * accumulation;
  const perPass = Math.ceil(samples.length / stepSize);
  const pass = Math.floor(step / perPass);
  const first = (step % perPass) * stepSize;
  const order = shuffled
    ? randomStream(seed, 'raft', 'order', round, pass).permutation(samples.length)
    : Uint32Array.from(samples, (_, index) => index);
  const chosen = [...order.subarray(first, first + stepSize)].map((index) => samples[index]!);
  return Array.from({ length: Math.ceil(chosen.length / size) }, (_, index) =>
    chosen.slice(index * size, (index + 1) * size),
  );
}
