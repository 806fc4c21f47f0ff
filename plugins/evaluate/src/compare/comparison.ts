// Two or more sides on the same records: figures, differences from the first side, and how many
// questions were answered differently.
import { documentsDiffer, sideUnusable } from '../errors.ts';
import type { TaskGroup } from '../group-file.ts';
import { isLowerBetter } from '../lower-better.ts';
import { taskFigure, taskValue, type RecordFigure } from '../metrics.ts';
import { isTextStatistic } from '../text/statistics.ts';
import { differenceInterval, type Resampling } from './bootstrap.ts';
import { compareGroups, type ComparedGroup } from './compared-groups.ts';
import type { ComparableSide, ComparedMetric, ComparedTask, Difference } from './compared-task.ts';
import { isSameDocument, type ComparableDocument, type ComparableTask } from './documents.ts';

/** What `--compare` found. */
export interface Comparison extends Resampling {
  /** Names of the sides; differences are from the first. */
  readonly sides: readonly string[];
  readonly tasks: readonly ComparedTask[];
  readonly groups: readonly ComparedGroup[];
}

/** Throws LMFLOW_EVALUATE_SIDE and LMFLOW_EVALUATE_DOCUMENTS. */
export function compareSides(
  sides: readonly ComparableSide[],
  resampling: Resampling,
  groups: readonly TaskGroup[] = [],
): Comparison {
  const [first, ...others] = sides as readonly [ComparableSide, ...ComparableSide[]];
  const tasks = first.tasks.map((own) => {
    const found = others.map(({ name, tasks: theirs }) => {
      const other = theirs.find(({ task }) => task === own.task);
      if (other) return other;
      throw sideUnusable(name, `it has no results of ${own.task}, which ${first.name} has`);
    });
    for (const [at, other] of found.entries()) {
      checkSame(own, other, [first.name, others[at]!.name]);
    }
    return compareTask(own, found, resampling);
  });
  return {
    sides: sides.map(({ name }) => name),
    ...resampling,
    tasks,
    groups: compareGroups(groups, tasks, { sides, resampling }),
  };
}

function checkSame(own: ComparableTask, other: ComparableTask, names: [string, string]): void {
  const { task } = own;
  if (own.shots !== other.shots) {
    throw documentsDiffer(
      task,
      names,
      `${own.shots} and ${other.shots} examples before each question`,
    );
  }
  const [mine, theirs] = [own, other].map(({ documents }) => byId(documents)) as [Ids, Ids];
  const missing = (from: Ids, within: Ids): number[] =>
    [...from.keys()].filter((id) => !within.has(id));
  for (const [has, lacks, ids] of [
    [names[0], names[1], missing(mine, theirs)],
    [names[1], names[0], missing(theirs, mine)],
  ] as const) {
    if (ids.length > 0) {
      throw documentsDiffer(task, names, `${has} has the records ${listed(ids)}, ${lacks} not`);
    }
  }
  const different = own.documents.filter((one) => !isSameDocument(one, theirs.get(one.id)!));
  if (different.length === 0) return;
  const [{ id, beginning }] = different as [ComparableDocument];
  throw documentsDiffer(
    task,
    names,
    `the records ${listed(different.map((one) => one.id))} are not the same: ` +
      `${id} is ${JSON.stringify(beginning)} and ${JSON.stringify(theirs.get(id)!.beginning)}`,
  );
}

type Ids = ReadonlyMap<number, ComparableDocument>;

function byId(documents: readonly ComparableDocument[]): Ids {
  return new Map(documents.map((one) => [one.id, one]));
}

function listed(ids: readonly number[]): string {
  const shown = ids.slice(0, 10).join(', ');
  return ids.length > 10 ? `${shown} and ${ids.length - 10} more` : shown;
}

function compareTask(
  own: ComparableTask,
  others: readonly ComparableTask[],
  resampling: Resampling,
): ComparedTask {
  const all = [own, ...others];
  const names = all.map(({ documents }) => metricsOf(documents));
  const shared = [...names[0]!].filter((name) => names.every((some) => some.has(name)));
  const known = new Set(names.flatMap((some) => [...some]));
  return {
    task: own.task,
    shots: own.shots,
    records: own.documents.length,
    metrics: Object.fromEntries(shared.map((name) => [name, compareMetric(name, all, resampling)])),
    answeredDifferently: others.map((other) => differentAnswers(own, other)),
    samePrompts: others.every((other) =>
      own.documents.every(({ hashes }, at) => hashes.prompt === other.documents[at]!.hashes.prompt),
    ),
    leftOut: [...known].filter((name) => !shared.includes(name)),
  };
}

/** Metrics that every record has a figure of. */
function metricsOf(documents: readonly ComparableDocument[]): Set<string> {
  const names = Object.keys(documents[0]?.figures ?? {});
  return new Set(names.filter((name) => documents.every(({ figures }) => name in figures)));
}

function compareMetric(
  name: string,
  sides: readonly ComparableTask[],
  resampling: Resampling,
): ComparedMetric {
  const metric = name.split(',')[0]!;
  const columns = sides.map(({ documents }) => documents.map(({ figures }) => figures[name]!));
  const values = columns.map((column) => taskFigure(metric, column));
  const [first, ...others] = columns as [RecordFigure[], ...RecordFigure[][]];
  const differences = others.map((other, at) => ({
    value: values[at + 1]!.value - values[0]!.value,
    ...(isTextStatistic(metric)
      ? { low: NaN, high: NaN, better: NaN, worse: NaN }
      : {
          ...differenceInterval(metric, first, other, resampling),
          ...betterAndWorse(metric, first, other),
        }),
  }));
  return { values, differences };
}

function betterAndWorse(
  metric: string,
  first: readonly RecordFigure[],
  other: readonly RecordFigure[],
): Pick<Difference, 'better' | 'worse'> {
  const sign = isLowerBetter(metric) ? -1 : 1;
  const single = (one: RecordFigure): number => sign * taskValue(metric, [one]);
  const gains = other.map((one, at) => single(one) - single(first[at]!));
  return {
    better: gains.filter((gain) => gain > 0).length,
    worse: gains.filter((gain) => gain < 0).length,
  };
}

function differentAnswers(own: ComparableTask, other: ComparableTask): number | null {
  const pairs = own.documents.map(({ answer }, at) => [answer, other.documents[at]!.answer]);
  if (pairs.some(([mine, theirs]) => mine === undefined || theirs === undefined)) return null;
  return pairs.filter(([mine, theirs]) => mine !== theirs).length;
}
