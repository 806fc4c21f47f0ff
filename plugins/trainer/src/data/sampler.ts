// The samples of each step, computed from the step's number and the place where the run began or
// was resumed: there is nothing to save, and a resumed run continues with the exact sample.
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
  /** Epochs done after a step, with fraction. */
  epochAfter(step: number): number;
  /** Number of the step that ends this many epochs. */
  stepsUntil(epochs: number): number;
}

/** Micro-batches that are sorted together by length, as in transformers' LengthGroupedSampler. */
const MEGA_BATCHES = 50;

type Strategy = TrainerOptions['trainSamplingStrategy'];

/**
 * The strategy that the options choose; `groupByLength` is the older name of one. Throws
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

/** Where an order begins: after so many steps, inside an epoch. */
export interface DataOrigin {
  readonly step: number;
  /** Whole epochs that are passed. */
  readonly epoch: number;
  /** Samples of the current epoch that are passed. */
  readonly samples: number;
}

const START: DataOrigin = { step: 0, epoch: 0, samples: 0 };

/** The options that cut an epoch into batches. */
export type Batching = Pick<TrainerOptions, 'perDeviceTrainBatchSize' | 'dataloaderDropLast'>;

/** Batches of an epoch, or of what is left of one. */
function batchesOf(
  samples: number,
  { perDeviceTrainBatchSize: size, dataloaderDropLast }: Batching,
): number {
  return dataloaderDropLast ? Math.floor(samples / size) : Math.ceil(samples / size);
}

/**
 * The place in the data that a run has come to: `epoch` has a fraction, which counts the batches of
 * the options that the run had then.
 */
export function originAt(
  step: number,
  epoch: number,
  samples: number,
  batching: Batching,
): DataOrigin {
  const batches = batchesOf(samples, batching);
  const whole = Math.floor(epoch + 0.5 / Math.max(1, batches));
  const passed = Math.round((epoch - whole) * batches) * batching.perDeviceTrainBatchSize;
  return { step, epoch: whole, samples: Math.max(0, passed) };
}

/**
 * The order from an origin on: a run that goes on with another batch size goes on with the next
 * sample. Throws LMFLOW_NO_SAMPLES where an epoch would have no micro-batch.
 */
export function dataOrder(
  samples: Samples,
  options: TrainerOptions,
  seed: number,
  origin: DataOrigin = START,
): DataOrder {
  const { perDeviceTrainBatchSize: size, gradientAccumulationSteps: accumulation } = options;
  if (samples.length === 0) throw noSamples();
  const batches = batchesOf(samples.length, options);
  if (batches === 0) throw noBatches(samples.length, size);
  const stepsPerEpoch = Math.ceil(batches / accumulation);
  const samplesPerEpoch = Math.min(samples.length, batches * size);
  const orderOf = remembered((epoch) =>
    epochOrder(samples, samplingStrategy(options), size, options.dataSeed ?? seed, epoch),
  );
  // What is left of the epoch that the run stopped in, and its steps.
  const left = Math.max(0, samplesPerEpoch - origin.samples);
  const leftBatches = batchesOf(left, options);
  const leftSteps = Math.ceil(leftBatches / accumulation);
  /** Epoch, first sample and batches of a step. */
  const placeOf = (step: number): { epoch: number; first: number; count: number } => {
    const index = step - 1 - origin.step;
    const inside = index < leftSteps;
    const later = index - leftSteps;
    const within = (inside ? index : later % stepsPerEpoch) * accumulation;
    return {
      epoch: origin.epoch + (inside ? 0 : 1 + Math.floor(later / stepsPerEpoch)),
      first: (inside ? origin.samples : 0) + within * size,
      count: Math.min(accumulation, (inside ? leftBatches : batches) - within),
    };
  };

  return {
    stepsPerEpoch,
    samplesPerEpoch,
    microBatches: (step) => {
      const { epoch, first, count } = placeOf(step);
      const order = orderOf(epoch);
      return Array.from({ length: count }, (_, micro) => [
        ...order.subarray(
          first + micro * size,
          Math.min(samplesPerEpoch, first + (micro + 1) * size),
        ),
      ]);
    },
    epochAfter: (step) => {
      if (step === origin.step) return origin.epoch + origin.samples / samplesPerEpoch;
      const { epoch, first, count } = placeOf(step);
      const passed = Math.min(samplesPerEpoch, first + count * size);
      // in whole batches, of which the last may be smaller
      return epoch + Math.min(1, Math.ceil(passed / size) / batches);
    },
    stepsUntil: (epochs) => {
      const passed = (origin.epoch + 1) * stepsPerEpoch - leftSteps;
      return Math.max(origin.step, origin.step + Math.ceil(epochs * stepsPerEpoch) - passed);
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
 * Batches of samples from the shortest to the longest, for evaluation: this pads least, and the
 * order does not change the result.
 */
export function evaluationBatches(samples: Samples, size: number): readonly (readonly number[])[] {
  const order = Array.from({ length: samples.length }, (_, index) => index).sort(
    (a, b) => samples.lengthOf(a) - samples.lengthOf(b),
  );
  return Array.from({ length: Math.ceil(order.length / size) }, (_, batch) =>
    order.slice(batch * size, (batch + 1) * size),
  );
}
