// Reports while a run trains: log entries, trainer_log.jsonl with LLaMA-Factory's keys, the
// progress line, the time left. Files at the end of a run are in results.ts.
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hooks, Logger, Objective, Step } from '@lmflow/sdk';
import { outputUnwritable, readWhole, writeFileAtomic } from '@lmflow/sdk/files';
import { evaluationFigures, round, type EvaluationResult } from '../loop/evaluation.ts';
import { ifPresent } from '../checkpoint/checkpoint-folder.ts';
import type { RunPlan } from '../loop/run-plan.ts';
import { quotients } from '../loop/figures.ts';
import type { RunState } from '../loop/run-state.ts';

const LOG_FILE = 'trainer_log.jsonl';

/** Steps after which the time left is logged. */
const TIMED_STEPS = 3;

export interface ReporterSetup {
  readonly plan: RunPlan;
  readonly state: RunState;
  readonly hooks: Hooks;
  readonly log: Logger;
  readonly objective: Objective;
}

export class Reporter {
  readonly #plan: RunPlan;
  readonly #state: RunState;
  readonly #hooks: Hooks;
  readonly #log: Logger;
  readonly #path: string;
  /** Figures that stand before the loss. */
  readonly #shown: readonly string[];
  /** Since the last log entry. */
  #tokens = 0;
  #seconds = 0;
  /** Of this session's steps; the first are slow. */
  #durations: number[] = [];

  constructor({ plan, state, hooks, log, objective }: ReporterSetup) {
    this.#plan = plan;
    this.#state = state;
    this.#hooks = hooks;
    this.#log = log;
    this.#shown = objective.shown ?? [];
    this.#path = join(plan.outputDir, LOG_FILE);
  }

  /** Drops the log's lines of steps that are repeated after a resume. */
  async begin(): Promise<void> {
    const lines = ((await ifPresent(readWhole(this.#path, Infinity))) ?? '')
      .split('\n')
      .filter((line) => (stepOf(line) ?? Infinity) <= this.#state.globalStep);
    await writeFileAtomic(this.#path, lines.map((line) => `${line}\n`).join(''));
  }

  /** Reports a step, which has trained `tokens`: a progress line, or a log entry. */
  async step(step: Step, tokens: number, log: boolean): Promise<void> {
    this.#tokens += tokens;
    this.#seconds += step.seconds!;
    this.#durations.push(step.seconds!);
    const rate = this.#tokens / this.#seconds;
    if (log) await this.#entry(step, rate);
    else this.#log.progress(this.#line(step, step.loss!, rate));
    if (this.#durations.length === TIMED_STEPS && step.number < step.totalSteps) {
      this.#log.info(
        `about ${formatTime(this.#secondsLeft())} left ` +
          `(${this.#stepSeconds().toFixed(this.#stepSeconds() < 1 ? 3 : 1)} s a step)`,
      );
    }
  }

  /** Adds an evaluation to the log. */
  async evaluation(result: EvaluationResult, samples: number): Promise<void> {
    const state = this.#state;
    const figures = evaluationFigures(result, samples);
    state.logHistory.push({ epoch: round(state.epoch, 4), ...figures, step: state.globalStep });
    await this.#append({ eval_loss: result.metrics['loss'] });
    const parts = [
      ...this.#figures(result.metrics),
      ...Object.entries(result.metrics)
        .filter(([name]) => !this.#shown.includes(name))
        .map(([name, value]) => `${name} ${number(value)}`),
    ];
    this.#log.event(
      'evaluation',
      { step: state.globalStep, epoch: state.epoch, ...result.metrics, seconds: result.seconds },
      `step ${state.globalStep}/${this.#plan.totalSteps}  evaluation ${parts.join('  ')}  ` +
        `(${result.seconds.toFixed(1)} s)`,
    );
    this.#hooks.onMetrics.call({
      kind: 'evaluation',
      step: state.globalStep,
      values: { epoch: state.epoch, ...result.metrics },
    });
  }

  async #entry(step: Step, rate: number): Promise<void> {
    const state = this.#state;
    const { window } = state;
    const mean = (total: number): number => total / Math.max(1, window.steps);
    const metrics = {
      ...Object.fromEntries(
        Object.entries(window.metrics).map(([name, total]) => [name, mean(total)]),
      ),
      ...quotients(window.figures),
    };
    const loss = mean(window.loss);
    state.window = { steps: 0, loss: 0, metrics: {}, figures: {} };
    this.#tokens = this.#seconds = 0;
    const [gradientNorm, learningRate] = [step.gradientNorm!, step.learningRate!];
    state.logHistory.push({
      epoch: round(step.epoch, 4),
      grad_norm: gradientNorm,
      learning_rate: learningRate,
      loss,
      ...metrics,
      step: step.number,
    });
    await this.#append({ loss, lr: learningRate, throughput: round(rate, 2) });
    this.#log.event(
      'train',
      {
        step: step.number,
        totalSteps: step.totalSteps,
        epoch: step.epoch,
        loss,
        learningRate,
        gradientNorm,
        tokensPerSecond: rate,
        secondsLeft: this.#secondsLeft(),
        ...metrics,
      },
      this.#line(step, loss, rate, metrics),
    );
    this.#hooks.onMetrics.call({
      kind: 'train',
      step: step.number,
      values: {
        epoch: step.epoch,
        loss,
        learningRate,
        gradientNorm,
        tokensPerSecond: rate,
        ...metrics,
      },
    });
  }

  async #append(figures: Readonly<Record<string, number | undefined>>): Promise<void> {
    const { globalStep, epoch, seconds, tokensSeen } = this.#state;
    const { totalSteps } = this.#plan;
    const line = JSON.stringify({
      current_steps: globalStep,
      total_steps: totalSteps,
      ...figures,
      epoch: round(epoch, 4),
      percentage: round((100 * globalStep) / totalSteps, 2),
      elapsed_time: formatTime(seconds),
      remaining_time: formatTime(this.#secondsLeft()),
      total_tokens: tokensSeen,
    });
    await appendFile(this.#path, `${line}\n`).catch((error: unknown) => {
      throw outputUnwritable(this.#path, error);
    });
  }

  /** The figures that stand before the loss, those that there are. */
  #figures(metrics: Readonly<Record<string, number>>): string[] {
    return this.#shown.flatMap((name) => {
      const value = metrics[name];
      return value === undefined ? [] : [`${name} ${number(value)}`];
    });
  }

  #line(
    step: Step,
    loss: number,
    rate: number,
    metrics: Readonly<Record<string, number>> = {},
  ): string {
    const left = step.number < step.totalSteps ? [`${formatTime(this.#secondsLeft())} left`] : [];
    return [
      `step ${step.number}/${step.totalSteps}`,
      `epoch ${step.epoch.toFixed(2)}`,
      ...this.#figures(metrics),
      `loss ${number(loss)}`,
      `lr ${number(step.learningRate!)}`,
      `grad norm ${number(step.gradientNorm!)}`,
      `${Math.round(rate).toLocaleString('en')} tokens/s`,
      ...left,
    ].join('  ');
  }

  // The median: the first steps and saving are slower.
  #stepSeconds(): number {
    const recent = this.#durations.slice(-50).sort((a, b) => a - b);
    return recent[recent.length >> 1] ?? 0;
  }

  #secondsLeft(): number {
    return this.#stepSeconds() * (this.#plan.totalSteps - this.#state.globalStep);
  }
}

function stepOf(line: string): number | undefined {
  try {
    return (JSON.parse(line) as { readonly current_steps?: number }).current_steps;
  } catch {
    return undefined; // cut short by a kill, or empty
  }
}

/** Four significant digits. */
function number(value: number): string {
  if (!Number.isFinite(value) || value === 0) return String(value);
  const size = Math.abs(value);
  return size < 1e-3 || size >= 1e5 ? value.toExponential(2) : value.toPrecision(4);
}

/** `1:02:03`, as LLaMA-Factory writes times. */
export function formatTime(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const part = (value: number): string => String(value).padStart(2, '0');
  return `${Math.floor(whole / 3600)}:${part(Math.floor(whole / 60) % 60)}:${part(whole % 60)}`;
}
