// Learning rate schedules as a table of pure functions of the step: the formulas of transformers'
// optimization.py.
import { token } from '@lmflow/sdk';
import { scheduleArgument, scheduleUnknown } from './errors.ts';

/** Where a run is. */
export interface ScheduleState {
  /** Steps done before this one: 0 for the first. */
  readonly step: number;
  readonly totalSteps: number;
  readonly warmupSteps: number;
  readonly learningRate: number;
}

type Arguments = Readonly<Record<string, number | string>>;

/**
 * One schedule: its arguments with their defaults (undefined: must not be missing or is derived),
 * and what multiplies the learning rate.
 */
export interface Schedule {
  readonly arguments?: Readonly<Record<string, number | string | undefined>>;
  /** false where it begins with the whole learning rate: warmupSteps has no meaning then. */
  readonly warmsUp?: boolean;
  /** Checks that need more than the names; throws through `fail`. */
  check?(given: Arguments, state: Omit<ScheduleState, 'step'>, fail: (what: string) => never): void;
  factor(state: ScheduleState, given: Arguments): number;
}

const linearWarmup =
  (after: Schedule['factor']): Schedule['factor'] =>
  (state, given) =>
    state.step < state.warmupSteps
      ? state.step / Math.max(1, state.warmupSteps)
      : after(state, given);

const progressOf = ({ step, totalSteps, warmupSteps }: ScheduleState): number =>
  (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
const wave = (cycles: number, progress: number): number =>
  0.5 * (1 + Math.cos(Math.PI * cycles * 2 * progress));
const number = (given: Arguments, name: string): number => Number(given[name]);

const RAMPS: Readonly<Record<string, (progress: number, cycles: number) => number>> = {
  linear: (progress) => 1 - progress,
  cosine: (progress, cycles) => wave(cycles, progress),
  '1-sqrt': (progress) => 1 - Math.sqrt(progress),
};

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  warmup_type: Object.keys(RAMPS),
  decay_type: Object.keys(RAMPS),
};

const constant: Schedule = { warmsUp: false, factor: () => 1 };
const linear: Schedule = {
  factor: linearWarmup(({ step, totalSteps, warmupSteps }) =>
    Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmupSteps)),
  ),
};
const cosine: Schedule = {
  arguments: { num_cycles: 0.5 },
  factor: linearWarmup((state, given) =>
    Math.max(0, wave(number(given, 'num_cycles'), progressOf(state))),
  ),
};
const cosineWithRestarts: Schedule = {
  arguments: { num_cycles: 1 },
  factor: linearWarmup((state, given) => {
    const progress = progressOf(state);
    return progress >= 1
      ? 0
      : Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((number(given, 'num_cycles') * progress) % 1))));
  }),
};
const cosineWithMinimum: Schedule = {
  arguments: { num_cycles: 0.5, min_lr: undefined, min_lr_rate: undefined },
  check: (given, { learningRate }, fail) => {
    if ((given['min_lr'] === undefined) === (given['min_lr_rate'] === undefined)) {
      fail('needs either min_lr or min_lr_rate');
    }
    if (given['min_lr'] !== undefined && learningRate === 0) {
      fail('min_lr needs a learningRate above 0');
    }
  },
  factor: linearWarmup((state, given) => {
    const least =
      given['min_lr_rate'] === undefined
        ? number(given, 'min_lr') / state.learningRate
        : number(given, 'min_lr_rate');
    return Math.max(0, wave(number(given, 'num_cycles'), progressOf(state)) * (1 - least) + least);
  }),
};
const polynomial: Schedule = {
  arguments: { lr_end: 1e-7, power: 1 },
  check: (given, { learningRate }, fail) => {
    if (learningRate <= number(given, 'lr_end')) {
      fail(`lr_end (${given['lr_end']}) must be smaller than learningRate (${learningRate})`);
    }
  },
  factor: linearWarmup((state, given) => {
    const [end, start] = [number(given, 'lr_end'), state.learningRate];
    if (state.step > state.totalSteps) return end / start;
    const remaining = 1 - (state.step - state.warmupSteps) / (state.totalSteps - state.warmupSteps);
    return ((start - end) * remaining ** number(given, 'power') + end) / start;
  }),
};
const inverseSqrt: Schedule = {
  arguments: { timescale: undefined },
  factor: linearWarmup(({ step, warmupSteps }, given) => {
    const timescale =
      given['timescale'] === undefined ? warmupSteps || 10_000 : number(given, 'timescale');
    return 1 / Math.sqrt((step + timescale - warmupSteps) / timescale);
  }),
};
const warmupStableDecay: Schedule = {
  arguments: {
    num_decay_steps: undefined,
    num_stable_steps: undefined,
    warmup_type: 'linear',
    decay_type: 'cosine',
    min_lr_ratio: 0,
    num_cycles: 0.5,
  },
  check: (given, _state, fail) => {
    if (given['num_decay_steps'] === undefined) fail('needs num_decay_steps');
  },
  factor: ({ step, totalSteps, warmupSteps }, given) => {
    const [least, cycles, decay] = [
      number(given, 'min_lr_ratio'),
      number(given, 'num_cycles'),
      number(given, 'num_decay_steps'),
    ];
    const stable =
      given['num_stable_steps'] === undefined
        ? totalSteps - warmupSteps - decay
        : number(given, 'num_stable_steps');
    const between = (factor: number): number => Math.max(0, factor * (1 - least) + least);
    if (step < warmupSteps) {
      const progress = step / Math.max(1, warmupSteps);
      // "1-sqrt" falls where it warms up: 1 - sqrt(1 - progress).
      return between(
        given['warmup_type'] === 'linear'
          ? progress
          : given['warmup_type'] === 'cosine'
            ? 1 - wave(0.5, progress)
            : 1 - Math.sqrt(1 - progress),
      );
    }
    if (step < warmupSteps + stable) return 1;
    if (step < warmupSteps + stable + decay) {
      return between(
        RAMPS[String(given['decay_type'])]!(
          (step - warmupSteps - stable) / Math.max(1, decay),
          cycles,
        ),
      );
    }
    return least;
  },
};

const SCHEDULE_ROWS: Readonly<Record<string, Schedule>> = {
  linear,
  cosine,
  constant,
  constant_with_warmup: { factor: linearWarmup(() => 1) },
  polynomial,
  inverse_sqrt: inverseSqrt,
  cosine_with_restarts: cosineWithRestarts,
  cosine_with_min_lr: cosineWithMinimum,
  warmup_stable_decay: warmupStableDecay,
};

const REFUSED: Readonly<Record<string, string>> = {
  reduce_lr_on_plateau:
    'the learning rate must follow from the step alone, so that a resumed run is the same run',
  greedy:
    'the learning rate must follow from the step alone, so that a resumed run is the same run',
  cosine_warmup_with_min_lr: 'use cosine_with_min_lr',
};

/** The schedules by name; a plugin adds a row before training begins. */
export const SCHEDULES = token<Map<string, Schedule>>('@lmflow/plugin-trainer/schedules');

/** A fresh table of the schedules offered here. */
export function schedules(): Map<string, Schedule> {
  return new Map(Object.entries(SCHEDULE_ROWS));
}

export interface ScheduleRequest extends Omit<ScheduleState, 'step'> {
  readonly name: string;
  /** lrSchedulerKwargs: snake_case as in transformers, or camelCase. */
  readonly given: Readonly<Record<string, unknown>>;
}

/**
 * The row that a name means, and its arguments. Throws LMFLOW_CONFIG_SCHEDULE and
 * LMFLOW_CONFIG_SCHEDULE_ARGUMENT.
 */
export function chosenSchedule(
  table: ReadonlyMap<string, Schedule>,
  { name, given }: Pick<ScheduleRequest, 'name' | 'given'>,
): { readonly schedule: Schedule; readonly decided: Arguments } {
  const schedule = table.get(name);
  if (!schedule) throw scheduleUnknown(name, [...table.keys()], REFUSED[name]);
  return { schedule, decided: argumentsOf(schedule, given, failOf(name)) };
}

const failOf =
  (name: string) =>
  (what: string): never => {
    throw scheduleArgument(name, what);
  };

/**
 * The learning rate as a function of the steps done before. Throws LMFLOW_CONFIG_SCHEDULE and
 * LMFLOW_CONFIG_SCHEDULE_ARGUMENT.
 */
export function learningRateOf(
  table: ReadonlyMap<string, Schedule>,
  { name, given, ...state }: ScheduleRequest,
): (step: number) => number {
  const { schedule, decided } = chosenSchedule(table, { name, given });
  schedule.check?.(decided, state, failOf(name));
  return (step) => state.learningRate * schedule.factor({ ...state, step }, decided);
}

function argumentsOf(
  schedule: Schedule,
  given: Readonly<Record<string, unknown>>,
  fail: (what: string) => never,
): Arguments {
  const known = schedule.arguments ?? {};
  const decided: Record<string, number | string> = {};
  for (const [name, value] of Object.entries(known)) if (value !== undefined) decided[name] = value;
  for (const [spelled, value] of Object.entries(given)) {
    const name = spelled.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (!(name in known)) {
      fail(
        `there is no argument "${spelled}"${Object.keys(known).length > 0 ? ` (it has ${Object.keys(known).join(', ')})` : ' (it has none)'}`,
      );
    }
    if (value === null || value === undefined) continue;
    const choices = CHOICES[name];
    const fits = choices
      ? typeof value === 'string' && choices.includes(value)
      : typeof value === 'number' && Number.isFinite(value);
    if (!fits) {
      fail(
        `${spelled} must be ${choices ? `one of ${choices.join(', ')}` : 'a number'}, not ${JSON.stringify(value)}`,
      );
    }
    decided[name] = value as number | string;
  }
  return decided;
}
