// How far the policy is from the reference (KTO's z): the mean log-ratio of answers that stand behind
// the prompt of another, over all answers of a step. It has no gradient.
import {
  answerRow,
  IGNORED,
  type Batch,
  type Scorer,
  type ScoreRow,
  type ScoringSession,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';

/** The tokens of an answer with its prompt, as a batch has them. */
interface Answered {
  readonly prompt: Int32Array;
  readonly answer: Int32Array;
}

/** Prompts and answers of micro-batches, in order. */
export function answersOf(batches: readonly Batch[]): Answered[] {
  return batches.flatMap(({ sequences, tensors, length }) => {
    const [ids, labels] = [tensors['inputIds']!.data, tensors['labels']!.data];
    return sequences.map(({ row, start, length: count }) => {
      const first = row * length + start;
      let answer = first + 1;
      while (answer < first + count && labels[answer] === IGNORED) answer++;
      return {
        prompt: Int32Array.from(ids.subarray(first, answer) as Int32Array),
        answer: Int32Array.from(ids.subarray(answer, first + count) as Int32Array),
      };
    });
  });
}

/** Each prompt with the answer of the one before it, the first with that of the last. */
export function mismatchedRows(answers: readonly Answered[], maxPositions: number): ScoreRow[] {
  return answers.map(({ prompt }, index) => {
    const { answer } = answers.at(index - 1)!;
    const { ids, labels } = answerRow(prompt, answer);
    return { ids: ids.subarray(0, maxPositions), labels: labels.subarray(0, maxPositions) };
  });
}

/** Computes z of steps; one for a training. */
export class Divergence {
  readonly #policy: ScoringSession;
  readonly #reference: ScoringSession;
  readonly #maxPositions: number;

  constructor(scorer: Scorer, policy: Model, reference: Model) {
    this.#policy = scorer.open(policy);
    this.#reference = scorer.open(reference);
    this.#maxPositions = policy.architecture.maxPositions;
  }

  /** The mean log-ratio, at least 0; 0 for one answer alone. */
  async of(batches: readonly Batch[]): Promise<number> {
    const answers = answersOf(batches);
    if (answers.length < 2) return 0;
    const rows = mismatchedRows(answers, this.#maxPositions);
    const ofPolicy = await total(this.#policy, rows);
    return Math.max(0, (ofPolicy - (await total(this.#reference, rows))) / rows.length);
  }

  async dispose(): Promise<void> {
    await this.#policy.dispose();
    await this.#reference.dispose();
  }
}

async function total(session: ScoringSession, rows: readonly ScoreRow[]): Promise<number> {
  const scores = await session.score(rows);
  return scores.reduce(
    (sum, { logprobs }) => logprobs.reduce((part, logprob) => part + logprob, sum),
    0,
  );
}
