// Reads `lrSchedulerType` and `lrSchedulerKwargs`: the row that is named, its arguments, and the
// rate of every step. The row defines the schedule.
import type { Rows, Schedule, ScheduleArguments, ScheduleState } from '@lmflow/sdk';
import { scheduleArgument, scheduleUnknown } from '../errors.ts';
import { refusedSchedules } from '../refused-options.ts';

/** `lrSchedulerType` and `lrSchedulerKwargs`: snake_case as in transformers, or camelCase. */
export interface ScheduleChoice {
  readonly name: string;
  readonly kwargs: Readonly<Record<string, unknown>>;
}

/**
 * The row with a name, and its arguments. Throws LMFLOW_CONFIG_SCHEDULE and
 * LMFLOW_CONFIG_SCHEDULE_ARGUMENT.
 */
export function chosenSchedule(
  table: Rows<Schedule>,
  { name, kwargs }: ScheduleChoice,
): { readonly schedule: Schedule; readonly settings: ScheduleArguments } {
  const schedule = table.get(name);
  if (!schedule) throw scheduleUnknown(name, table.names(), refusedSchedules[name]);
  return { schedule, settings: argumentsOf(schedule, { name, kwargs }) };
}

/**
 * The learning rate as a function of the steps done before. Throws LMFLOW_CONFIG_SCHEDULE and
 * LMFLOW_CONFIG_SCHEDULE_ARGUMENT.
 */
export function learningRateOf(
  table: Rows<Schedule>,
  { name, kwargs, ...run }: ScheduleChoice & Omit<ScheduleState, 'step'>,
): (step: number) => number {
  const { schedule, settings } = chosenSchedule(table, { name, kwargs });
  const wrong = schedule.conflict?.(settings, run);
  if (wrong !== undefined) throw scheduleArgument(name, wrong);
  return (step) => run.learningRate * schedule.factor({ ...run, step }, settings);
}

function argumentsOf(
  { arguments: known = {}, choices = {} }: Schedule,
  { name: schedule, kwargs }: ScheduleChoice,
): ScheduleArguments {
  const settings: Record<string, number | string> = {};
  for (const [name, value] of Object.entries(known)) {
    if (value !== undefined) settings[name] = value;
  }
  for (const [spelled, value] of Object.entries(kwargs)) {
    const name = spelled.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (!(name in known)) {
      const names = Object.keys(known).join(', ') || 'none';
      throw scheduleArgument(schedule, `there is no argument "${spelled}" (it has ${names})`);
    }
    if (value === null || value === undefined) continue;
    const allowed = choices[name];
    if (!(allowed ? isOneOf(value, allowed) : isNumber(value))) {
      const wanted = allowed ? `one of ${allowed.join(', ')}` : 'a number';
      throw scheduleArgument(
        schedule,
        `${spelled} must be ${wanted}, not ${JSON.stringify(value)}`,
      );
    }
    settings[name] = value as number | string;
  }
  return settings;
}

const isOneOf = (value: unknown, allowed: readonly string[]): boolean =>
  typeof value === 'string' && allowed.includes(value);
const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
