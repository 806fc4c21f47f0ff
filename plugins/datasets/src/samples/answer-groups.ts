// Records of compared answers -> groups of sequences, each a record with one answer that the encoder
// renders, encodes and checks as any other.
import type { AnswerPrompt, DatasetRecord, PreferenceSamples, RecordOrigin } from '@lmflow/sdk';
import * as compared from './errors.ts';
import * as errors from '../errors.ts';

/** Sequences that belong together, and the numbers that go with each. */
export interface AnswerGroup {
  readonly sides: readonly DatasetRecord[];
  /** For each side, in the order of `COLUMNS`. */
  readonly columns: readonly (readonly number[])[];
  /** Whether the data say by how much one side is better. */
  readonly hasMargin: boolean;
  /** No side is better. */
  readonly tied: boolean;
}

/** Columns of the samples, by what they are. */
export const COLUMNS: Readonly<Record<PreferenceSamples, readonly string[]>> = {
  pairs: ['margin'],
  unpaired: ['desirable'],
};

/** Sequences of a sample. */
export const GROUP_SIZE: Readonly<Record<PreferenceSamples, number>> = { pairs: 2, unpaired: 1 };

/**
 * The groups of a record: a pair is one of two, or two of one. Throws LMFLOW_DATASET_NOT_PAIRED for
 * a record without answers to compare, or without a pair of them.
 */
export function groupsOf(record: DatasetRecord, wanted: PreferenceSamples): AnswerGroup[] {
  const { origin } = record;
  if (record.kind === 'unpaired' && wanted === 'unpaired') {
    const { completion, desirable } = record;
    return [group([side(origin, record, completion)], [[Number(desirable)]])];
  }
  if (record.kind !== 'preference') {
    throw compared.notPaired(errors.place(origin), record.kind, wanted);
  }
  const { chosen, rejected, margin } = record;
  const sides = [chosen, rejected].map((text) => side(origin, record, text));
  const tied = isTied(record);
  if (wanted === 'unpaired') {
    return sides.map((one, member) => group([one], [[member === 0 ? 1 : 0]], { tied }));
  }
  const columns = sides.map(() => [margin ?? 0]);
  return [group(sides, columns, { tied, hasMargin: margin !== undefined })];
}

function group(
  sides: readonly DatasetRecord[],
  columns: readonly (readonly number[])[],
  facts: Partial<Pick<AnswerGroup, 'tied' | 'hasMargin'>> = {},
): AnswerGroup {
  return { sides, columns, tied: false, hasMargin: false, ...facts };
}

/** Whether the best answer of a list has the score of the worst. */
function isTied({ scored }: DatasetRecord & { kind: 'preference' }): boolean {
  return scored !== undefined && scored.every(({ score }) => score === scored[0]!.score);
}

/** A record with one answer to a prompt. */
export function side(origin: RecordOrigin, prompt: AnswerPrompt, answer: string): DatasetRecord {
  if (prompt.messages === undefined) {
    return { kind: 'completion', prompt: prompt.prompt, completion: answer, origin };
  }
  const { messages, tools } = prompt;
  return {
    kind: 'conversation',
    messages: [...messages, { role: 'assistant', content: answer }],
    ...(tools ? { tools } : {}),
    origin,
  };
}
