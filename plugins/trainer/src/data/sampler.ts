// Which samples a step trains on, computed from the step's number alone: nothing to save, a resumed
// run goes on at the exact place.
import { randomStream, type Samples } from '@lmflow/sdk';
import type { TrainerOptions } from '../options.ts';
import { noBatches, noSamples, settingsConflict } from '../errors.ts';

export interface DataOrder {
  /** Optimizer steps in an epoch; a step never crosses its end. */
  readonly stepsPerEpoch: number;
  /** Samples seen in an epoch. */
  readonly samplesPerEpoch: number;
  /** Sample indices of each micro-batch of a step (numbered from 1). */
  microBatches(step: number): readonly (readonly number[])[];
  /** Passed epochs, with fraction, after a step. */
  epochAfter(step: number): number;
}

/** Micro-batches that are sorted together by length, as in transformers' LengthGroupedSampler. */
const MEGA_BATCHES = 50;

type Strategy = TrainerOptions['trainSamplingStrategy'];

/**
 * The strategy in force: `groupByLength` is the older name of one of them. Throws
 * LMFLOW_CONFIG_CONFLICT.
 */
export function samplingStrategy({
  groupByLength,
  trainSamplingStrategy,
}: TrainerOptions): Strategy {
  if (groupByLength && trainSamplingStrategy === 'sequential') {
    throw settingsConflict(
      'groupByLength is set, and trainSamplingStrategy is sequential',
      'Keep one of them.',
    );
  }
  return groupByLength ? 'group_by_length' : trainSamplingStrategy;
}

/** Throws LMFLOW_NO_SAMPLES where an epoch would have no micro-batch. */
export function dataOrder(samples: Samples, options: TrainerOptions, seed: number): DataOrder {
  const {
    perDeviceTrainBatchSize: size,
    gradientAccumulationSteps: accumulation,
    dataloaderDropLast,
  } = options;
  if (samples.length === 0) throw noSamples();
  const batches = dataloaderDropLast
    ? Math.floor(samples.length / size)
    : Math.ceil(samples.length / size);
  if (batches === 0) throw noBatches(samples.length, size);
  const stepsPerEpoch = Math.ceil(batches / accumulation);
  const samplesPerEpoch = Math.min(samples.length, batches * size);
  const orderOf = remembered((epoch) =>
    epochOrder(samples, samplingStrategy(options), size, options.dataSeed ?? seed, epoch),
  );

  return {
    stepsPerEpoch,
    samplesPerEpoch,
    microBatches: (step) => {
      const order = orderOf(Math.floor((step - 1) / stepsPerEpoch));
      const first = ((step - 1) % stepsPerEpoch) * accumulation;
      const last = Math.min(first + accumulation, batches);
      return Array.from({ length: last - first }, (_, micro) => [
        ...order.subarray(
          (first + micro) * size,
          Math.min(samplesPerEpoch, (first + micro + 1) * size),
        ),
      ]);
    },
    epochAfter: (step) => {
      const [whole, inside] = [Math.floor(step / stepsPerEpoch), step % stepsPerEpoch];
      return whole + (inside * accumulation) / batches;
    },
  };
}

function epochOrder(
  samples: Samples,
  strategy: Strategy,
  size: number,
  seed: number,
  epoch: number,
): Uint32Array {
  if (strategy === 'sequential') {
    return Uint32Array.from({ length: samples.length }, (_, index) => index);
  }
  const order = randomStream(seed, 'order', epoch).permutation(samples.length);
  return strategy === 'random' ? order : groupedByLength(order, samples, size);
}

// Random mega-batches, each sorted with the longest first; the longest sample of all comes first,
// so that a lack of memory shows at once.
function groupedByLength(order: Uint32Array, samples: Samples, size: number): Uint32Array {
  const mega = Math.max(1, Math.min(MEGA_BATCHES, Math.ceil(order.length / size / 4))) * size;
  const grouped: number[] = [];
  let longest = 0;
  for (let from = 0; from < order.length; from += mega) {
    const group = [...order.subarray(from, from + mega)].sort(
      (a, b) => samples.lengthOf(b) - samples.lengthOf(a),
    );
    if (samples.lengthOf(group[0]!) > samples.lengthOf(grouped[longest] ?? group[0]!)) {
      longest = grouped.length;
    }
    grouped.push(...group);
  }
  [grouped[0], grouped[longest]] = [grouped[longest]!, grouped[0]!];
  return Uint32Array.from(grouped);
}

function remembered(make: (epoch: number) => Uint32Array): (epoch: number) => Uint32Array {
  let kept: { readonly epoch: number; readonly order: Uint32Array } | undefined;
  return (epoch) => {
    if (kept?.epoch !== epoch) kept = { epoch, order: make(epoch) };
    return kept.order;
  };
}

/**
 * Samples from shortest to longest, in batches: evaluation pads least so, and its order decides
 * nothing.
 */
export function evaluationBatches(samples: Samples, size: number): readonly (readonly number[])[] {
  const order = Array.from({ length: samples.length }, (_, index) => index).sort(
    (a, b) => samples.lengthOf(a) - samples.lengthOf(b),
  );
  return Array.from({ length: Math.ceil(order.length / size) }, (_, batch) =>
    order.slice(batch * size, (batch + 1) * size),
  );
}
