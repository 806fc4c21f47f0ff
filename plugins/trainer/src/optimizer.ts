// What an optimizer is: tensors kept beside a parameter, numbers of a step, and the tensor program
// of one update. How it is run is in update/.
import type { Parameter } from '@lmflow/sdk/model';
import type { Shape, Value } from '@lmflow/sdk/graph';
import { optimizerArgument, optimizerUnknown, optionUnread, settingsConflict } from './errors.ts';
import { trainerOptions, type TrainerOptions } from './options.ts';

/** Arguments of an optimizer, from `optimArgs`. */
export type OptimizerArguments = Readonly<Record<string, number | boolean | string>>;

/** Facts of one update, before they become scalars of the program. */
export interface UpdateFacts {
  /** Updates of this parameter, from 1. */
  readonly step: number;
  /** Of this step and parameter. */
  readonly learningRate: number;
  /** 0 where the parameter has no decay. */
  readonly weightDecay: number;
  readonly options: TrainerOptions;
  readonly arguments: OptimizerArguments;
  readonly parameter: Pick<Parameter, 'name' | 'shape'>;
  /** The optimizer's `numbers` of this parameter; `scalars` may change them. */
  readonly numbers: Record<string, number>;
}

/** Values of the update program. The gradient is averaged and clipped already. */
export interface UpdateValues {
  readonly parameter: Value;
  readonly gradient: Value;
  /**
   * The gradient before it is averaged and clipped, and what it is multiplied by for that: for
   * programs that can save the pass over the numbers.
   */
  readonly summed: Value;
  readonly scale: Value;
  /** Whether the parameter has any decay. */
  readonly decays: boolean;
  readonly state: Readonly<Record<string, Value>>;
  /** float32 scalars, fed at every step. */
  readonly scalars: Readonly<Record<string, Value>>;
  readonly arguments: OptimizerArguments;
}

/** What an update program gives. */
export interface OptimizerUpdate {
  readonly parameter: Value;
  readonly state: Readonly<Record<string, Value>>;
}

/**
 * An estimate of the curvature that an optimizer keeps in its state, from the gradient of the loss
 * with labels drawn from the model.
 */
export interface Curvature {
  /**
   * The argument that says how many steps an estimate serves: it is made in steps 1, 1 + k, ...,
   * before the update.
   */
  readonly every: string;
  /** The state that it changes. */
  readonly state: readonly string[];
  /** Numbers of one estimate; `weight` is what the gradient is the mean over. */
  readonly scalars: (
    facts: Pick<UpdateFacts, 'options' | 'arguments'> & { readonly weight: number },
  ) => Readonly<Record<string, number>>;
  /** Builds the new state, number by number; the gradient is averaged and clipped already. */
  readonly update: (
    values: Omit<UpdateValues, 'parameter' | 'decays'>,
  ) => Readonly<Record<string, Value>>;
}

/** Which numbers an argument may be; all finite ones where nothing is said. */
export interface ArgumentRange {
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
  readonly below?: number;
  readonly whole?: true;
}

/** How much of a mean is kept from step to step. */
export const DECAY: ArgumentRange = { min: 0, below: 1 };
export const NOT_NEGATIVE: ArgumentRange = { min: 0 };
const COUNT: ArgumentRange = { min: 1, whole: true };

/** Training arguments that only Adam and what came of it have. */
const ADAM_OPTIONS = ['adamBeta1', 'adamBeta2', 'adamEpsilon'] as const;

export interface Optimizer {
  readonly name: string;
  /** Which of adamBeta1, adamBeta2 and adamEpsilon it reads; all where nothing is said. */
  readonly reads?: readonly (typeof ADAM_OPTIONS)[number][];
  /** Names and defaults of what `optimArgs` may say; their types are checked. */
  readonly arguments?: OptimizerArguments;
  /** What an argument that is text may be. */
  readonly choices?: Readonly<Record<string, readonly string[]>>;
  /** What an argument that is a number may be. */
  readonly ranges?: Readonly<Record<string, ArgumentRange>>;
  /** What is wrong with arguments that are right one by one. */
  readonly conflict?: (given: OptimizerArguments) => string | undefined;
  /** The only values of lrSchedulerType that it goes with; all where nothing is said. */
  readonly schedules?: readonly string[];
  /** Tensors kept beside a parameter, zero at first, by name. */
  readonly state: (
    parameter: Parameter,
    given: OptimizerArguments,
  ) => Readonly<Record<string, Shape>>;
  /** State that starts as a copy of the parameter. */
  readonly copies?: readonly string[];
  /** State held in 8 bits (elementwise programs only): see update/eight-bit-state.ts. */
  readonly eightBit?: (
    parameter: Parameter,
    given: OptimizerArguments,
  ) => Readonly<Record<string, 'signed' | 'unsigned'>>;
  /**
   * Numbers kept beside a parameter, with their first values; float32, so that they are saved
   * exactly.
   */
  readonly numbers?: Readonly<Record<string, number>>;
  /** Numbers that change from step to step; always the same names. */
  readonly scalars: (facts: UpdateFacts) => Readonly<Record<string, number>>;
  /**
   * Builds the new parameter and the new state. An elementwise program runs over flat chunks of any
   * size, any other over whole tensors.
   */
  readonly update: (values: UpdateValues) => OptimizerUpdate;
  /**
   * Where the optimizer keeps an estimate of the curvature: how it is made. The objective must have
   * `buildSampled`.
   */
  readonly curvature?: Curvature;
  /**
   * The weights to evaluate and save, where they are not the ones that are trained: from the
   * parameter and its state, element by element.
   */
  readonly evaluationWeights?: (
    parameter: Float32Array,
    state: Readonly<Record<string, Float32Array>>,
    options: TrainerOptions,
  ) => Float32Array;
}

/**
 * The row that `optim` names. Throws LMFLOW_CONFIG_OPTIMIZER, LMFLOW_CONFIG_OPTIMIZER_ARGUMENT, and
 * LMFLOW_CONFIG_CONFLICT for a schedule that it does not go with.
 */
export function chosenOptimizer(
  table: ReadonlyMap<string, Optimizer>,
  options: TrainerOptions,
): Optimizer {
  const { optim, lrSchedulerType } = options;
  const optimizer = table.get(optim);
  if (!optimizer) throw optimizerUnknown(optim, [...table.keys()]);
  optimizerArguments(optimizer, options);
  const { schedules } = optimizer;
  if (schedules && !schedules.includes(lrSchedulerType)) {
    throw settingsConflict(
      `lrSchedulerType is ${lrSchedulerType}, and optim ${optim} goes only with ${schedules.join(' or ')}`,
      `Set lrSchedulerType to ${schedules.join(' or ')}, or choose another optim.`,
    );
  }
  return optimizer;
}

/**
 * Reads `optimArgs` (`a=1,b=true`, or an object) against an optimizer's arguments. Throws
 * LMFLOW_CONFIG_OPTIMIZER_ARGUMENT, also for a training argument that it does not read.
 */
export function optimizerArguments(
  {
    arguments: known = {},
    choices = {},
    ranges = {},
    conflict,
    curvature,
    reads = ADAM_OPTIONS,
  }: Optimizer,
  options: TrainerOptions,
): OptimizerArguments {
  const { optim, optimArgs } = options;
  const unread = ADAM_OPTIONS.find(
    (name) =>
      !reads.includes(name) && options[name] !== trainerOptions.shape[name].parse(undefined),
  );
  if (unread !== undefined) throw optionUnread(optim, unread, Object.keys(known));
  const result: Record<string, number | boolean | string> = { ...known };
  const set = new Set<string>();
  for (const [name, value] of typeof optimArgs === 'string'
    ? parsed(optim, optimArgs)
    : Object.entries(optimArgs)) {
    const key = [name, name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)].find(
      (spelling) => spelling in known,
    );
    if (key === undefined) {
      throw optimizerArgument(
        optim,
        `there is no argument "${name}"; it has ${Object.keys(known).join(', ') || 'none'}`,
      );
    }
    if (set.has(key)) {
      throw optimizerArgument(optim, `${key} is given twice; leave one of them out`);
    }
    set.add(key);
    result[key] = typed(optim, key, value, known[key]!);
    const range = ranges[key] ?? (key === curvature?.every ? COUNT : {});
    if (!isWithin(Number(result[key]), range)) {
      throw optimizerArgument(
        optim,
        `${key} must be ${inWords(range)}, not ${JSON.stringify(value)}`,
      );
    }
    if (choices[key] && !choices[key].includes(String(value))) {
      throw optimizerArgument(
        optim,
        `${key} must be one of ${choices[key].join(', ')}, not ${JSON.stringify(value)}`,
      );
    }
  }
  const wrong = conflict?.(result);
  if (wrong !== undefined) throw optimizerArgument(optim, wrong);
  return result;
}

function isWithin(number: number, { min, above, max, below, whole }: ArgumentRange): boolean {
  return !(
    (min !== undefined && number < min) ||
    (above !== undefined && number <= above) ||
    (max !== undefined && number > max) ||
    (below !== undefined && number >= below) ||
    (whole && !Number.isInteger(number))
  );
}

function inWords({ min, above, max, below, whole }: ArgumentRange): string {
  const bounds = [
    ['at least', min],
    ['above', above],
    ['at most', max],
    ['below', below],
  ] as const;
  return `${whole ? 'a whole number, ' : ''}${bounds.flatMap(([words, bound]) => (bound === undefined ? [] : [`${words} ${bound}`])).join(' and ')}`;
}

function parsed(optim: string, text: string): (readonly [string, string])[] {
  return text
    .split(',')
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const [name, value, ...more] = part.split('=').map((side) => side.trim());
      if (!name || !value || more.length > 0) {
        throw optimizerArgument(optim, `"${part}" is not name=value`);
      }
      return [name, value];
    });
}

function typed(
  optim: string,
  name: string,
  value: unknown,
  standard: number | boolean | string,
): number | boolean | string {
  if (typeof standard === 'number') {
    const number = typeof value === 'string' ? Number(value) : value;
    if (typeof number === 'number' && Number.isFinite(number)) return number;
  } else if (typeof standard === 'boolean') {
    if (typeof value === 'boolean') return value;
    if (typeof value === 'string' && /^(true|false)$/i.test(value)) {
      return value.toLowerCase() === 'true';
    }
  } else if (typeof value === 'string') return value;
  throw optimizerArgument(
    optim,
    `${name} must be a ${typeof standard}, not ${JSON.stringify(value)}`,
  );
}

/** An argument as the number it is. */
export const numberOf = (given: OptimizerArguments, name: string): number => given[name] as number;
