// Reads `optim` and `optimArgs`: the row that is named, and its arguments with their types. The row
// defines what is computed.
import type { AdamOption, ArgumentRange, OptimizerArguments, OptimizerRow } from '@lmflow/sdk';
import {
  optimizerAmbiguous,
  optimizerArgument,
  optimizerUnknown,
  optionUnread,
  settingsConflict,
} from '../errors.ts';
import { trainerOptions, type TrainerOptions } from '../options.ts';

const ADAM_OPTIONS: readonly AdamOption[] = ['adamBeta1', 'adamBeta2', 'adamEpsilon'];

/** The rows by their names in `optim`. Throws LMFLOW_CONFIG_OPTIMIZER where two have one name. */
export function optimizersByName(rows: Iterable<OptimizerRow>): ReadonlyMap<string, OptimizerRow> {
  const table = new Map<string, OptimizerRow>();
  for (const row of rows) {
    for (const name of row.names ?? [row.name]) {
      const other = table.get(name);
      if (other) throw optimizerAmbiguous(name, [other.name, row.name]);
      table.set(name, row);
    }
  }
  return table;
}

/**
 * The row that `optim` names. Throws LMFLOW_CONFIG_OPTIMIZER, LMFLOW_CONFIG_OPTIMIZER_ARGUMENT, and
 * LMFLOW_CONFIG_CONFLICT for a schedule that it excludes.
 */
export function chosenOptimizer(
  table: ReadonlyMap<string, OptimizerRow>,
  options: TrainerOptions,
): OptimizerRow {
  const { optim, lrSchedulerType } = options;
  const row = table.get(optim);
  if (!row) throw optimizerUnknown(optim, [...table.keys()]);
  optimizerArguments(row, options);
  const { schedules } = row;
  if (schedules && !schedules.includes(lrSchedulerType)) {
    throw settingsConflict(
      `lrSchedulerType is ${lrSchedulerType}, and optim ${optim} goes only with ${schedules.join(' or ')}`,
      `Set lrSchedulerType to ${schedules.join(' or ')}, or choose another optim.`,
    );
  }
  return row;
}

/**
 * Reads `optimArgs` (`a=1,b=true`, or an object) against an optimizer's arguments. Throws
 * LMFLOW_CONFIG_OPTIMIZER_ARGUMENT, also for a training argument that it does not read.
 */
export function optimizerArguments(row: OptimizerRow, options: TrainerOptions): OptimizerArguments {
  const { arguments: known = {}, reads = ADAM_OPTIONS } = row;
  const { optim, optimArgs } = options;
  const unread = ADAM_OPTIONS.find(
    (name) =>
      !reads.includes(name) && options[name] !== trainerOptions.shape[name].parse(undefined),
  );
  if (unread !== undefined) throw optionUnread(optim, unread, Object.keys(known));
  const result: Record<string, Argument> = { ...known };
  const seen = new Set<string>();
  const pairs =
    typeof optimArgs === 'string' ? pairsOf(optim, optimArgs) : Object.entries(optimArgs);
  for (const [spelled, value] of pairs) {
    const name = [spelled, snakeCase(spelled)].find((spelling) => spelling in known);
    if (name === undefined) {
      const names = Object.keys(known).join(', ') || 'none';
      throw optimizerArgument(optim, `there is no argument "${spelled}"; it has ${names}`);
    }
    if (seen.has(name)) {
      throw optimizerArgument(optim, `${name} is given twice; leave one of them out`);
    }
    seen.add(name);
    result[name] = argumentOf(row, optim, name, value);
  }
  const wrong = row.conflict?.(result);
  if (wrong !== undefined) throw optimizerArgument(optim, wrong);
  return result;
}

type Argument = OptimizerArguments[string];

const snakeCase = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** `a=1,b=true` as names and values. */
function pairsOf(optim: string, text: string): (readonly [string, string])[] {
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

/** The value in the type of the default; refuses one that the row does not allow. */
function argumentOf(
  { arguments: defaults = {}, ranges = {}, choices = {} }: OptimizerRow,
  optim: string,
  name: string,
  value: unknown,
): Argument {
  const refuse = (wanted: string): never => {
    throw optimizerArgument(optim, `${name} must be ${wanted}, not ${JSON.stringify(value)}`);
  };
  const type = typeof defaults[name];
  const result = typed(value, type) ?? refuse(`a ${type}`);
  const range = ranges[name] ?? {};
  if (!isWithin(Number(result), range)) refuse(describe(range));
  const allowed = choices[name];
  if (allowed && !allowed.includes(String(result))) refuse(`one of ${allowed.join(', ')}`);
  return result;
}

/** The value as a number, boolean or text; undefined where it is none. */
function typed(value: unknown, type: string): Argument | undefined {
  if (type === 'number') {
    const number = typeof value === 'string' ? Number(value) : value;
    return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
  }
  if (type === 'boolean') {
    if (typeof value === 'boolean') return value;
    return typeof value === 'string'
      ? { true: true, false: false }[value.toLowerCase()]
      : undefined;
  }
  return typeof value === 'string' ? value : undefined;
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

/** `at least 0 and below 1`. */
function describe({ min, above, max, below, whole }: ArgumentRange): string {
  const bounds = Object.entries({ 'at least': min, above, 'at most': max, below })
    .filter(([, bound]) => bound !== undefined)
    .map(([words, bound]) => `${words} ${bound}`)
    .join(' and ');
  return whole ? `a whole number, ${bounds}` : bounds;
}
