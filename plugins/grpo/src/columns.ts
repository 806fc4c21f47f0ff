// Answers as samples: prompt and answer in one row, whose columns carry what the loss reads of them.
import { answerRow, IGNORED, type Sample, type SamplePlace } from '@lmflow/sdk';

/** Column of an answer: its advantage. */
export const ADVANTAGE = 'advantage';
/** Column of its tokens: log-probabilities by the policy that wrote them. */
export const OLD = 'oldLogProbs';
/** Column of its tokens: log-probabilities by the reference. */
export const REFERENCE = 'referenceLogProbs';
/** Column of its tokens: log-probabilities as the sampler computed them. */
export const SAMPLED = 'sampledLogProbs';

/** What is known of an answer, one number for each of its tokens. */
export interface AnswerLogProbs {
  readonly old?: ArrayLike<number> | undefined;
  readonly reference?: ArrayLike<number> | undefined;
  readonly sampled?: ArrayLike<number> | undefined;
}

/** An answer that is trained. */
export interface TrainedAnswer {
  readonly prompt: Int32Array;
  /** Its end token included, where it has one. */
  readonly answer: Int32Array;
  readonly advantage: number;
  /** Takes part in nothing but the count of answers. */
  readonly masked: boolean;
  readonly logProbs: AnswerLogProbs;
  readonly place: SamplePlace;
}

/** The sample of an answer. */
export function sampleOf({
  prompt,
  answer,
  advantage,
  masked,
  logProbs,
  place,
}: TrainedAnswer): Sample {
  const { ids: inputIds, labels } = answerRow(prompt, answer);
  if (masked) labels.fill(IGNORED);
  const perToken: Record<string, Float32Array> = {};
  const { old, reference, sampled } = logProbs;
  for (const [name, numbers] of Object.entries({
    [OLD]: old,
    [REFERENCE]: reference,
    [SAMPLED]: sampled,
  })) {
    if (!numbers) continue;
    // at the token before, where the program predicts it
    perToken[name] = new Float32Array(inputIds.length);
    perToken[name].set(numbers, prompt.length - 1);
  }
  return { inputIds, labels, columns: { [ADVANTAGE]: advantage }, perToken, place };
}

/** Which columns of tokens samples have. */
export interface ColumnsNeeded {
  /**
   * Whether answers are older than the policy, so that the policy that wrote them is a column; else
   * it is the present one.
   */
  readonly stale: boolean;
  /** Where the reference comes from; `none` where the loss does not read it. */
  readonly reference: 'none' | 'adapter' | 'column';
  /** Whether the sampler's own log-probabilities are a column, to be compared with. */
  readonly sampled: boolean;
}

/** A sample of so many tokens, for the plan: its numbers mean nothing. */
export function plannedSample(
  tokens: number,
  member: number,
  { stale, reference, sampled }: ColumnsNeeded,
): Sample {
  const numbers = new Float32Array(tokens - 1);
  return sampleOf({
    prompt: new Int32Array(1),
    answer: new Int32Array(tokens - 1),
    advantage: 0,
    masked: false,
    logProbs: {
      old: stale ? numbers : undefined,
      reference: reference === 'column' ? numbers : undefined,
      sampled: sampled ? numbers : undefined,
    },
    place: { sample: 0, member },
  });
}
