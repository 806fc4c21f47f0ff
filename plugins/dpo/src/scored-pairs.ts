// Pairs from lists of answers with scores, as LMFlow's DPOv2 draws them: which two of a list, and
// scores less a penalty for length.
import { createHash } from 'node:crypto';
import { randomStream, type Dataset, type DatasetRecord, type ScoredAnswer } from '@lmflow/sdk';

/** Which two answers of a list are a pair. */
export const PAIRINGS = ['max_min', 'max_max', 'max_random', 'random'] as const;

export type Pairing = (typeof PAIRINGS)[number];

/** How pairs are drawn. */
export interface PairSampling {
  readonly method: Pairing;
  /** Taken off the score for each character of the answer. */
  readonly lengthPenalty: number;
  readonly marginScale: number;
  readonly seed: number;
}

type Preference = Extract<DatasetRecord, { readonly kind: 'preference' }>;

/** Whether the first record is a list with scores. */
export async function beginsWithScores(dataset: Dataset): Promise<boolean> {
  for await (const record of dataset.records()) return scoresOf(record) !== undefined;
  return false;
}

/** The data set with a pair of each list; other records stay. */
export function pairedDataset(dataset: Dataset, sampling: PairSampling): Dataset {
  const key = [dataset.fingerprint, 'pairs', sampling];
  return {
    ...dataset,
    fingerprint: createHash('sha256').update(JSON.stringify(key)).digest('hex'),
    async *records() {
      let index = 0;
      for await (const record of dataset.records()) yield paired(record, sampling, index++);
    },
  };
}

function scoresOf(record: DatasetRecord): readonly ScoredAnswer[] | undefined {
  return record.kind === 'preference' ? record.scored : undefined;
}

/**
 * A list's pair, with the difference of the scores as margin. `scored` keeps the two alone, with their
 * penalised scores: pairs whose scores are equal are left out and counted by whoever reads them.
 */
function paired(record: DatasetRecord, sampling: PairSampling, index: number): DatasetRecord {
  const scored = scoresOf(record);
  if (!scored) return record;
  const { lengthPenalty, marginScale } = sampling;
  const penalised = scored.map(({ text, score }) => ({
    text,
    score: score - lengthPenalty * text.length,
  }));
  const pair = chosenTwo(
    penalised.map(({ score }) => score),
    sampling,
    index,
  );
  const [better, worse] = pair.map((place) => scored[place]!) as [ScoredAnswer, ScoredAnswer];
  return {
    ...(record as Preference),
    chosen: better.text,
    rejected: worse.text,
    margin: marginScale * (better.score - worse.score),
    scored: pair.map((place) => penalised[place]!),
  };
}

/** Two places of a list, the one with the higher score first. */
export function chosenTwo(
  scores: readonly number[],
  { method, seed }: Pick<PairSampling, 'method' | 'seed'>,
  index: number,
): readonly [number, number] {
  const stream = randomStream(seed, 'pairs', index);
  const best = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b);
  const drawn = (count: number): number => Math.floor(stream.uniform(0) * count);
  switch (method) {
    case 'max_min':
      return [best[0]!, best.at(-1)!];
    case 'max_max':
      return [best[0]!, best[1]!];
    case 'max_random':
      return [best[0]!, best[1 + drawn(best.length - 1)]!];
    case 'random': {
      const [one, other] = stream.permutation(scores.length);
      return scores[one!]! >= scores[other!]! ? [one!, other!] : [other!, one!];
    }
  }
}
