// A comparison's parts: the sides, and what is said of one task.
import type { TaskFigure } from '../metrics.ts';
import type { ComparableTask } from './documents.ts';

/** A side with its tasks. */
export interface ComparableSide {
  readonly name: string;
  readonly tasks: readonly ComparableTask[];
}

/** One task on all sides. */
export interface ComparedTask {
  readonly task: string;
  readonly shots: number;
  readonly records: number;
  readonly metrics: Readonly<Record<string, ComparedMetric>>;
  /**
   * For each further side, how many records it answers differently from the first; null where
   * nothing is answered.
   */
  readonly answeredDifferently: readonly (number | null)[];
  /** Whether all sides were asked with the same prompts. */
  readonly samePrompts: boolean;
  /** Metrics that not every side has. */
  readonly leftOut: readonly string[];
}

/** One metric of a task on all sides. */
export interface ComparedMetric {
  /** Of each side. */
  readonly values: readonly TaskFigure[];
  /** Of each further side. */
  readonly differences: readonly Difference[];
}

/** A side's figure less the first side's. */
export interface Difference {
  readonly value: number;
  /** Ends of its 95 % interval; NaN for statistics of texts, which resampling changes. */
  readonly low: number;
  readonly high: number;
  /** Records on which the side is better, and worse, than the first; NaN for statistics of texts. */
  readonly better: number;
  readonly worse: number;
}
