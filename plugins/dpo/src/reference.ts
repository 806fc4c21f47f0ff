// The reference of a training: where it comes from, and its log-probabilities where they are computed
// before the first step.
import {
  joinSamples,
  type Config,
  type Logger,
  type Sample,
  type Samples,
  type Scorer,
} from '@lmflow/sdk';
import { withoutAdapter, type Model } from '@lmflow/sdk/model';
import { referenceLost } from './errors.ts';

/** What is compared with, in words, and how. */
export interface Reference {
  readonly source: 'adapter' | 'column';
  readonly what: string;
  /** The model that scores, where log-probabilities are computed before the first step. */
  readonly model: Model;
}

/**
 * The reference of a model as training finds it. An adapter that is new is switched off; one that
 * training continues is a part of the reference, so that like whole weights it is only there before
 * the first step. Throws LMFLOW_DPO_REFERENCE where `precompute` forbids that.
 */
export function referenceOf(
  model: Model,
  { precompute, config }: { readonly precompute: boolean | undefined; readonly config: Config },
): Reference {
  const { adapter } = model;
  const trainsBase = [...model.parameters.keys()].some(
    (name) => !adapter?.parameters.some((parameter) => parameter.name === name),
  );
  const continued = adapter !== undefined && continuedFrom(config, adapter.name);
  if (adapter && !trainsBase && continued === false) {
    return {
      source: precompute === true ? 'column' : 'adapter',
      what: 'the model without its adapter',
      model: withoutAdapter(model),
    };
  }
  const what = adapter
    ? 'the model with the adapter that training continues, as it is now'
    : 'the model as it is now';
  if (precompute === false) throw referenceLost(`training changes ${what}`);
  return { source: 'column', what, model };
}

/** The folder of the adapter that the section of its method names; false where it is a new one. */
function continuedFrom(config: Config, method: string): string | false {
  const section = config[method];
  const folder =
    typeof section === 'object' && section !== null
      ? (section as Readonly<Record<string, unknown>>)['adapter']
      : undefined;
  return typeof folder === 'string' ? folder : false;
}

/** Answers that are scored at a time. */
const SCORED = 256;

/** How log-probabilities are computed. */
export interface ScoringRequest {
  readonly scorer: Scorer;
  readonly model: Model;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Sums of the log-probabilities of every sequence's labels, sample by sample. */
export async function sequenceLogProbs(
  samples: Samples,
  { scorer, model, log, signal }: ScoringRequest,
): Promise<Float64Array> {
  const size = samples.group?.size ?? 1;
  const sums = new Float64Array(samples.length * size);
  const session = scorer.open(model);
  const some = Math.max(1, Math.floor(SCORED / size));
  try {
    for (let first = 0; first < samples.length; first += some) {
      const last = Math.min(samples.length, first + some);
      const rows = Array.from({ length: last - first }, (_, index) =>
        membersOf(samples, first + index),
      ).flat();
      const scores = await session.score(
        rows.map(({ inputIds, labels }) => ({ ids: inputIds, labels })),
        { signal },
      );
      for (const [row, { logprobs }] of scores.entries()) {
        sums[first * size + row] = logprobs.reduce((total, logprob) => total + logprob, 0);
      }
      log.progress(`reference  ${last}/${samples.length}`);
    }
  } finally {
    await session.dispose();
  }
  return sums;
}

/** The samples with a column more, one number for each sequence. */
export function withColumn(samples: Samples, name: string, numbers: Float64Array): Samples {
  const size = samples.group?.size ?? 1;
  const get = (index: number): readonly Sample[] =>
    membersOf(samples, index).map((sequence, member) => ({
      ...sequence,
      columns: { ...sequence.columns, [name]: numbers[index * size + member]! },
    }));
  return {
    length: samples.length,
    statistics: samples.statistics,
    fingerprint: samples.fingerprint,
    lengthOf: (index) => samples.lengthOf(index),
    get: (index) => {
      const sequences = get(index);
      return sequences.length === 1
        ? sequences[0]!
        : joinSamples(
            sequences.map((sequence, member) => ({
              place: { sample: index, member },
              ...sequence,
            })),
          );
    },
    ...(samples.group ? { group: { size, get } } : {}),
  };
}

function membersOf(samples: Samples, index: number): readonly Sample[] {
  return samples.group?.get(index) ?? [samples.get(index)];
}
