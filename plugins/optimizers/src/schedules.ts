// The learning rate schedules of transformers' optimization.py, as pure functions of the step.
import type { Schedule, ScheduleArguments, ScheduleState } from '@lmflow/sdk';

const linearWarmup =
  (after: Schedule['factor']): Schedule['factor'] =>
  (state, settings) =>
    state.step < state.warmupSteps
      ? state.step / Math.max(1, state.warmupSteps)
      : after(state, settings);

const progressOf = ({ step, totalSteps, warmupSteps }: ScheduleState): number =>
  (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
const wave = (cycles: number, progress: number): number =>
  0.5 * (1 + Math.cos(Math.PI * cycles * 2 * progress));
const number = (settings: ScheduleArguments, name: string): number => Number(settings[name]);

/** How warmup_stable_decay falls from 1, by `decay_type`. */
const FALLS: Readonly<Record<string, (progress: number, cycles: number) => number>> = {
  linear: (progress) => 1 - progress,
  cosine: (progress, cycles) => wave(cycles, progress),
  '1-sqrt': (progress) => 1 - Math.sqrt(progress),
};

/** How it rises from 0, by `warmup_type`. */
const RISES: Readonly<Record<string, (progress: number) => number>> = {
  linear: (progress) => progress,
  cosine: (progress) => 1 - wave(0.5, progress),
  '1-sqrt': (progress) => 1 - Math.sqrt(1 - progress),
};

const constant: Schedule = { name: 'constant', warmsUp: false, factor: () => 1 };
const constantWithWarmup: Schedule = {
  name: 'constant_with_warmup',
  factor: linearWarmup(() => 1),
};
const linear: Schedule = {
  name: 'linear',
  factor: linearWarmup(({ step, totalSteps, warmupSteps }) =>
    Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmupSteps)),
  ),
};
const cosine: Schedule = {
  name: 'cosine',
  arguments: { num_cycles: 0.5 },
  factor: linearWarmup((state, settings) =>
    Math.max(0, wave(number(settings, 'num_cycles'), progressOf(state))),
  ),
};
const cosineWithRestarts: Schedule = {
  name: 'cosine_with_restarts',
  arguments: { num_cycles: 1 },
  factor: linearWarmup((state, settings) => {
    const progress = progressOf(state);
    return progress >= 1
      ? 0
      : Math.max(
          0,
          0.5 * (1 + Math.cos(Math.PI * ((number(settings, 'num_cycles') * progress) % 1))),
        );
  }),
};
const cosineWithMinimum: Schedule = {
  name: 'cosine_with_min_lr',
  arguments: { num_cycles: 0.5, min_lr: undefined, min_lr_rate: undefined },
  conflict: (settings, { learningRate }) => {
    if ((settings['min_lr'] === undefined) === (settings['min_lr_rate'] === undefined)) {
      return 'needs either min_lr or min_lr_rate';
    }
    return settings['min_lr'] !== undefined && learningRate === 0
      ? 'min_lr needs a learningRate above 0'
      : undefined;
  },
  factor: linearWarmup((state, settings) => {
    const least =
      settings['min_lr_rate'] === undefined
        ? number(settings, 'min_lr') / state.learningRate
        : number(settings, 'min_lr_rate');
    return Math.max(
      0,
      wave(number(settings, 'num_cycles'), progressOf(state)) * (1 - least) + least,
    );
  }),
};
const polynomial: Schedule = {
  name: 'polynomial',
  arguments: { lr_end: 1e-7, power: 1 },
  conflict: (settings, { learningRate }) =>
    learningRate <= number(settings, 'lr_end')
      ? `lr_end (${settings['lr_end']}) must be smaller than learningRate (${learningRate})`
      : undefined,
  factor: linearWarmup((state, settings) => {
    const [end, start] = [number(settings, 'lr_end'), state.learningRate];
    if (state.step > state.totalSteps) return end / start;
    const remaining = 1 - (state.step - state.warmupSteps) / (state.totalSteps - state.warmupSteps);
    return ((start - end) * remaining ** number(settings, 'power') + end) / start;
  }),
};
const inverseSqrt: Schedule = {
  name: 'inverse_sqrt',
  arguments: { timescale: undefined },
  factor: linearWarmup(({ step, warmupSteps }, settings) => {
    const timescale =
      settings['timescale'] === undefined ? warmupSteps || 10_000 : number(settings, 'timescale');
    return 1 / Math.sqrt((step + timescale - warmupSteps) / timescale);
  }),
};
const warmupStableDecay: Schedule = {
  name: 'warmup_stable_decay',
  arguments: {
    num_decay_steps: undefined,
    num_stable_steps: undefined,
    warmup_type: 'linear',
    decay_type: 'cosine',
    min_lr_ratio: 0,
    num_cycles: 0.5,
  },
  choices: { warmup_type: Object.keys(RISES), decay_type: Object.keys(FALLS) },
  conflict: (settings) =>
    settings['num_decay_steps'] === undefined ? 'needs num_decay_steps' : undefined,
  factor: ({ step, totalSteps, warmupSteps }, settings) => {
    const [least, cycles, decay] = [
      number(settings, 'min_lr_ratio'),
      number(settings, 'num_cycles'),
      number(settings, 'num_decay_steps'),
    ];
    const stable =
      settings['num_stable_steps'] === undefined
        ? totalSteps - warmupSteps - decay
        : number(settings, 'num_stable_steps');
    const between = (factor: number): number => Math.max(0, factor * (1 - least) + least);
    if (step < warmupSteps) {
      const progress = step / Math.max(1, warmupSteps);
      return between(RISES[String(settings['warmup_type'])]!(progress));
    }
    if (step < warmupSteps + stable) return 1;
    if (step < warmupSteps + stable + decay) {
      return between(
        FALLS[String(settings['decay_type'])]!(
          (step - warmupSteps - stable) / Math.max(1, decay),
          cycles,
        ),
      );
    }
    return least;
  },
};

/** The rows of SCHEDULES, with the names of transformers. */
export const schedules: readonly Schedule[] = [
  linear,
  cosine,
  constant,
  constantWithWarmup,
  polynomial,
  inverseSqrt,
  cosineWithRestarts,
  cosineWithMinimum,
  warmupStableDecay,
];
