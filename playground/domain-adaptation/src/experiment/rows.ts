// The rows of the table: what each model is trained on, and how.

export interface Row {
  readonly name: string;
  /** Files of ./work; none: the default model as it is. */
  readonly dataset: readonly string[];
  readonly method: 'lora' | 'full';
}

export const ROWS: readonly Row[] = [
  { name: 'base', dataset: [], method: 'full' },
  { name: 'text', dataset: ['texts'], method: 'full' },
  { name: 'tasks-lora', dataset: ['tasks'], method: 'lora' },
  { name: 'tasks-full', dataset: ['tasks'], method: 'full' },
  { name: 'text-tasks-lora', dataset: ['texts', 'tasks'], method: 'lora' },
  { name: 'text-tasks-full', dataset: ['texts', 'tasks'], method: 'full' },
  { name: 'control', dataset: ['shuffled-tasks'], method: 'full' },
];

/** Share of right answers by chance. */
export const CHANCE: Readonly<Record<string, number>> = {
  m1_reading: 1 / 3,
  m2_recall: 1 / 4,
  m2_written: 0,
  m3_exam_seen: 1 / 4,
  m3_exam_unseen: 1 / 4,
  m4_far: 1 / 4,
};
export const TEXTS = ['text_domain', 'text_far'] as const;
