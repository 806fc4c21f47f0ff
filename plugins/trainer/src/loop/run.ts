// The parts and the state of a run, which the functions in loop/ share.
import type { EvaluationRow, Hooks, Logger, OpenRequest, RunEnd } from '@lmflow/sdk';
import type { ResumeFacts } from '../checkpoint/resume-facts.ts';
import type { CollateOptions } from '../data/collate.ts';
import type { Forecast } from '../report/forecast.ts';
import type { Reporter } from '../report/reporter.ts';
import type { GradientNorm } from '../update/gradient-norm.ts';
import type { Updater } from '../update/updater.ts';
import type { EvaluationResult } from './evaluation.ts';
import type { Programs } from './programs.ts';
import type { RunPlan } from './run-plan.ts';
import type { RunState } from './run-state.ts';

export interface Run {
  readonly request: OpenRequest;
  readonly plan: RunPlan;
  /** Those beside the loss on samples. */
  readonly evaluations: readonly EvaluationRow[];
  readonly forecast: Forecast;
  readonly collating: CollateOptions;
  readonly facts: ResumeFacts;
  readonly hooks: Hooks;
  readonly log: Logger;
  readonly programs: Programs;
  readonly norm: GradientNorm;
  readonly updater: Updater;
  readonly state: RunState;
  readonly reporter: Reporter;
  /** The last checkpoint written or resumed from. */
  checkpoint: string | undefined;
  /** Its step; 0 where there is none. */
  savedStep: number;
  /** The evaluation of the present parameters, if there was one. */
  evaluated: EvaluationResult | undefined;
  /** undefined while steps follow. */
  end: RunEnd | undefined;
}
