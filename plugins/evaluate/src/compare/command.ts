// `lmflow evaluate --compare a b`: the sides one after the other, then their comparison.
import { join } from 'node:path';
import type { PluginContext } from '@lmflow/sdk';
import { writeFileAtomic } from '@lmflow/sdk/files';
import { settingMissing, sideUnusable } from '../errors.ts';
import { evaluateModel, type Asked, type EvaluatedModel } from '../evaluate-model.ts';
import { namesIn } from '../flags.ts';
import { findGroups, findTasks, taskNames } from '../task-table.ts';
import type { ComparableSide } from './compared-task.ts';
import { compareSides, type Comparison } from './comparison.ts';
import { documentsOf } from './documents.ts';
import { comparisonTable } from './report.ts';
import { sideOf, type Side } from './sides.ts';
import { readWritten, type Written } from './written.ts';

/** What `--compare` gave. */
export interface Compared {
  readonly comparison: Comparison;
  readonly table: string;
  readonly files: readonly string[];
}

/** Evaluates what is not evaluated yet, and compares. Differences are from the first side. */
export async function compare(
  context: PluginContext,
  names: readonly string[],
  asked: Asked,
): Promise<Compared> {
  const { config, log } = context;
  if (names.length < 2) throw sideUnusable(names.join(), 'a comparison needs two sides or more');
  // all of them first, so that a wrong name is told before the first model is evaluated
  const sides: Side[] = [];
  for (const name of names) sides.push(await sideOf(name, config.model));
  const known = new Map<Side, ComparableSide & Partial<Written>>();
  for (const side of sides) {
    if ('results' in side) {
      known.set(side, { name: side.name, ...(await readWritten(side.results)) });
    }
  }
  const wanted = tasksOf(asked, [...known.values()], known.size < sides.length);
  const files: string[] = [];
  for (const side of sides) {
    if ('results' in side) continue;
    log.info(`evaluating ${side.name}`);
    const evaluated = await evaluateModel(context, side.subject, wanted);
    files.push(...evaluated.files);
    known.set(side, { name: side.name, tasks: tasksIn(evaluated) });
  }
  const chosenNames = new Set(asked.tasks.map(({ task }) => task));
  const chosen = sides.map((side) => onlyThese(known.get(side)!, chosenNames));
  const { resamples, fewshotSeed: seed } = asked.flags;
  const written = asked.flags.tasks === undefined ? known.get(sides[0]!)?.groups : undefined;
  const groups = findGroups(written ?? namesIn(asked.flags.tasks));
  const comparison = compareSides(chosen, { resamples, seed }, groups);
  warnOf(comparison, log);
  const table = comparisonTable(comparison);
  if (config.outputDir !== undefined) {
    files.push(...(await writeComparison(config.outputDir, comparison, table)));
  }
  return { comparison, table, files };
}

/** What models are asked: what the flags say, else what the written results have. */
function tasksOf(asked: Asked, written: readonly ComparableSide[], isNeeded: boolean): Asked {
  if (!isNeeded || asked.flags.metric !== undefined || asked.tasks.length > 0) return asked;
  const [first] = written;
  if (!first) throw settingMissing('tasks', `--tasks ${taskNames()[0]}`);
  return { ...asked, tasks: findTasks(first.tasks.map(({ task }) => task)) };
}

function tasksIn({ evaluated }: EvaluatedModel): ComparableSide['tasks'] {
  return evaluated.map(({ result, samples }) => ({
    task: result.task,
    shots: result.shots,
    documents: documentsOf(samples),
  }));
}

/** Of written results, the tasks that are asked for. */
function onlyThese(side: ComparableSide, names: ReadonlySet<string>): ComparableSide {
  if (names.size === 0) return side;
  return { ...side, tasks: side.tasks.filter(({ task }) => names.has(task)) };
}

function warnOf({ tasks }: Comparison, log: PluginContext['log']): void {
  for (const { task, samePrompts, leftOut } of tasks) {
    if (!samePrompts) log.warn(`${task}: the sides were asked with different prompts`);
    if (leftOut.length > 0) {
      log.warn(`${task}: not every side has ${leftOut.join(', ')}, which the table leaves out`);
    }
  }
}

async function writeComparison(
  outputDir: string,
  comparison: Comparison,
  table: string,
): Promise<string[]> {
  const time = new Date().toISOString().replaceAll(':', '-').replace('Z', '');
  const [json, markdown] = ['json', 'md'].map((ending) =>
    join(outputDir, `comparison_${time}.${ending}`),
  ) as [string, string];
  await writeFileAtomic(json, `${JSON.stringify(comparison, null, 2)}\n`);
  await writeFileAtomic(markdown, table);
  return [json, markdown];
}
