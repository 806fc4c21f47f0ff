// The reference of a training: where it comes from, and its log-probabilities where they are computed
// before the first step.
import {
  joinSamples,
  sequencesOf,
  type Config,
  type Logger,
  type Sample,
  type Samples,
  type Scorer,
} from '@lmflow/sdk';
import { referenceModel, type Model } from '@lmflow/sdk/model';
import { referenceLost } from './errors.ts';
import { REFERENCE } from './reference-sums.ts';

/** What is compared with, in words, and how. */
export interface Reference {
  readonly source: 'adapter' | 'column';
  readonly what: string;
  /** The model that scores, where log-probabilities are computed before the first step. */
  readonly model: Model;
}

/**
 * The reference of a model as training finds it. Throws LMFLOW_DPO_REFERENCE where `precompute`
 * forbids to compute one that is only there before the first step.
 */
export function referenceOf(
  model: Model,
  { precompute, config }: { readonly precompute: boolean | undefined; readonly config: Config },
): Reference {
  const { kind, ...reference } = referenceModel(model, config);
  if (kind === 'adapter') {
    return { source: precompute === true ? 'column' : 'adapter', ...reference };
  }
  if (precompute === false) throw referenceLost(`training changes ${reference.what}`);
  return { source: 'column', ...reference };
}

/** Answers that are scored at a time. */
const SCORED = 256;

/** The samples of a training. */
export interface Splits {
  readonly train: Samples;
  readonly evaluation?: Samples;
}

/** How log-probabilities are computed. */
export interface ScoringRequest {
  readonly reference: Reference;
  readonly scorer: Scorer;
  /** A plan needs their place, and not the numbers. */
  readonly dryRun: boolean;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** The samples with the reference's log-probabilities, where they are computed before. */
export async function withReference(
  { train, evaluation }: Splits,
  request: ScoringRequest,
): Promise<Splits> {
  const withLogProbs = async (split: Samples): Promise<Samples> => {
    if (request.reference.source !== 'column') return split;
    const numbers = request.dryRun
      ? new Float64Array(split.length * (split.group?.size ?? 1))
      : await sequenceLogProbs(split, request);
    return withColumn(split, REFERENCE, numbers);
  };
  return {
    train: await withLogProbs(train),
    ...(evaluation ? { evaluation: await withLogProbs(evaluation) } : {}),
  };
}

/** Sums of the log-probabilities of every sequence's labels, sample by sample. */
async function sequenceLogProbs(
  samples: Samples,
  { reference, scorer, log, signal }: ScoringRequest,
): Promise<Float64Array> {
  const size = samples.group?.size ?? 1;
  const sums = new Float64Array(samples.length * size);
  const session = scorer.open(reference.model);
  const some = Math.max(1, Math.floor(SCORED / size));
  try {
    for (let first = 0; first < samples.length; first += some) {
      const last = Math.min(samples.length, first + some);
      const rows = Array.from({ length: last - first }, (_, index) =>
        sequencesOf(samples, first + index),
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
function withColumn(samples: Samples, name: string, numbers: Float64Array): Samples {
  const size = samples.group?.size ?? 1;
  const get = (index: number): readonly Sample[] =>
    sequencesOf(samples, index).map((sequence, member) => ({
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
      return sequences.length === 1 ? sequences[0]! : joinSamples(sequences);
    },
    ...(samples.group ? { group: { size, get } } : {}),
  };
}
