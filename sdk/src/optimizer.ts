// Optimizers and learning rate schedules: rows of two tables that plugins add to. The trainer stores
// state, reads arguments and runs updates.
import type { Shape, Value } from './graph/index.ts';
import type { Parameter } from './model/index.ts';
import { registry } from './registry.ts';

/** Arguments of an optimizer by name, from `optimArgs`. */
export type OptimizerArguments = Readonly<Record<string, number | boolean | string>>;

/** Which numbers an argument may be; default: every finite one. */
export interface ArgumentRange {
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
  readonly below?: number;
  readonly whole?: true;
}

/** The training arguments that only Adam and its descendants have. */
export type AdamOption = 'adamBeta1' | 'adamBeta2' | 'adamEpsilon';

/** What an optimizer is made from. */
export interface OptimizerSettings<Arguments extends OptimizerArguments = OptimizerArguments> {
  /** `adamBeta1`. */
  readonly beta1: number;
  /** `adamBeta2`. */
  readonly beta2: number;
  /** `adamEpsilon`. */
  readonly epsilon: number;
  /** Every argument of the row, the ones left out with their defaults. */
  readonly arguments: Arguments;
}

/** A tensor kept beside a parameter. */
export interface StateTensor {
  readonly shape: Shape;
  /** Zeros (where left out), or a copy of the parameter. */
  readonly start?: 'zeros' | 'parameter';
}

/** What is known of an update before its program runs. */
export interface UpdateFacts {
  /** Updates of this parameter, from 1. */
  readonly step: number;
  /** Of this step and parameter. */
  readonly learningRate: number;
  /** 0 where the parameter has no decay. */
  readonly weightDecay: number;
  readonly parameter: Pick<Parameter, 'name' | 'shape'>;
  /** The parameter's numbers for this step, from `numbers.next`. */
  readonly numbers: Readonly<Record<string, number>>;
}

/** The values an update program is built from. */
export interface UpdateValues {
  readonly parameter: Value;
  /** Averaged and clipped. */
  readonly gradient: Value;
  /**
   * The gradient before that, and the scalar it is multiplied by: for a program that multiplies the
   * scalar into its other scalars and saves a pass over the numbers.
   */
  readonly summed: Value;
  readonly scale: Value;
  /** Whether the parameter has any decay. */
  readonly decays: boolean;
  readonly state: Readonly<Record<string, Value>>;
  /** The results of `scalars`, as float32 inputs of the program. */
  readonly scalars: Readonly<Record<string, Value>>;
}

/** The results of an update program. */
export interface UpdateResult {
  readonly parameter: Value;
  /** The tensors that change. */
  readonly state: Readonly<Record<string, Value>>;
}

/** Numbers kept beside a parameter. Only float32 values, so that files keep them exactly. */
export interface StateNumbers {
  readonly first: Readonly<Record<string, number>>;
  /** The numbers of the step, from those of the step before. */
  next(facts: UpdateFacts): Readonly<Record<string, number>>;
}

/**
 * An estimate of the curvature in the state, made from the gradient of the loss with labels drawn
 * from the model. The objective must have `buildSampled`.
 */
export interface Curvature {
  /** Steps an estimate serves: it is made in steps 1, 1 + every, ..., before the update. */
  readonly every: number;
  /** The state tensors it changes. */
  readonly state: readonly string[];
  /** Numbers of one estimate; `weight` is what the gradient is the mean over. */
  scalars(facts: { readonly weight: number }): Readonly<Record<string, number>>;
  /** Builds the new state, number by number. */
  update(values: Omit<UpdateValues, 'parameter' | 'decays'>): Readonly<Record<string, Value>>;
}

/** How a parameter is updated: pure functions that do not depend on where the state is held. */
export interface Optimizer {
  /** The tensors kept beside a parameter, by name. */
  init(parameter: Pick<Parameter, 'name' | 'shape'>): Readonly<Record<string, StateTensor>>;
  readonly numbers?: StateNumbers;
  /** Numbers that change from step to step, computed in float64; always the same names. */
  scalars(facts: UpdateFacts): Readonly<Record<string, number>>;
  /**
   * Builds the new parameter and the new state. An elementwise program runs over flat chunks of any
   * size, any other over whole tensors.
   */
  update(values: UpdateValues): UpdateResult;
  readonly curvature?: Curvature;
  /**
   * The weights to evaluate and save, where they are not the trained ones: from the parameter and
   * its state, number by number.
   */
  evaluationWeights?(
    parameter: Float32Array,
    state: Readonly<Record<string, Float32Array>>,
  ): Float32Array;
}

/** A row of OPTIMIZERS: the arguments of an optimizer, and how it is made from them. */
export interface OptimizerRow<Arguments extends OptimizerArguments = OptimizerArguments> {
  /** Its name in the table, and of its programs in messages and profiles. */
  readonly name: string;
  /** Its names in `optim`; `name` alone where left out. */
  readonly names?: readonly string[];
  /** Names and defaults of the arguments in `optimArgs`; a value has the type of its default. */
  readonly arguments?: Arguments;
  /** What an argument that is text may be. */
  readonly choices?: Readonly<Record<string, readonly string[]>>;
  /** What an argument that is a number may be. */
  readonly ranges?: Readonly<Record<string, ArgumentRange>>;
  /** Says what is wrong with arguments that are right one by one. */
  conflict?(settings: Arguments): string | undefined;
  /** The training arguments it reads; default: all three. */
  readonly reads?: readonly AdamOption[];
  /** The values of lrSchedulerType it works with; default: all. */
  readonly schedules?: readonly string[];
  /** State tensors to store in 8 bits, for an elementwise program. */
  eightBit?(
    parameter: Pick<Parameter, 'name' | 'shape'>,
    settings: Arguments,
  ): Readonly<Record<string, 'signed' | 'unsigned'>>;
  make(settings: OptimizerSettings<Arguments>): Optimizer;
}

/** The row as it is: `make` and the others get `arguments` with the types of their defaults. */
export function defineOptimizer<Arguments extends OptimizerArguments>(
  row: OptimizerRow<Arguments>,
): OptimizerRow {
  return row;
}

/** How far a run is. */
export interface ScheduleState {
  /** Steps done before this one: 0 for the first. */
  readonly step: number;
  readonly totalSteps: number;
  readonly warmupSteps: number;
  /** The highest of the run. */
  readonly learningRate: number;
}

/** Arguments of a schedule by name, from `lrSchedulerKwargs`. */
export type ScheduleArguments = Readonly<Record<string, number | string>>;

/** A row of SCHEDULES: a pure function of the step. */
export interface Schedule {
  /** Its name in `lrSchedulerType`. */
  readonly name: string;
  /** Names of its arguments and their defaults; undefined: has none, or follows from others. */
  readonly arguments?: Readonly<Record<string, number | string | undefined>>;
  /** What an argument that is text may be; every other one is a number. */
  readonly choices?: Readonly<Record<string, readonly string[]>>;
  /** false where it begins with the whole learning rate: warmupSteps has no meaning then. */
  readonly warmsUp?: boolean;
  /** Says what is wrong with arguments that are right one by one. */
  conflict?(settings: ScheduleArguments, run: Omit<ScheduleState, 'step'>): string | undefined;
  /** What the highest learning rate is multiplied by. */
  factor(state: ScheduleState, settings: ScheduleArguments): number;
}

/** The optimizers that `optim` chooses from. */
export const OPTIMIZERS = registry<OptimizerRow>(
  'optimizers',
  'optimizer',
  '@lmflow/plugin-optimizers',
);
/** The schedules that `lrSchedulerType` chooses from. */
export const SCHEDULES = registry<Schedule>('schedules', 'schedule', '@lmflow/plugin-optimizers');
