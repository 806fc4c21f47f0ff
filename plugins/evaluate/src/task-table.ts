// Finds tasks and groups of them: the files of this package by their names, and files of one's own.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ZodSafeParseResult } from 'zod';
import { readWholeSync } from '@lmflow/sdk/files';
import { taskInvalid, taskUnknown } from './errors.ts';
import { groupSchema, type GroupFile, type GroupMember, type TaskGroup } from './group-file.ts';
import { fromHarness, isHarnessTask } from './harness-task.ts';
import { taskSchema, type TaskFile } from './task-file.ts';
import { readYaml } from './yaml-file.ts';

/** The files of this package, beside src and dist. */
const OWN = join(import.meta.dirname, '..', 'tasks');

const GROUPS = join(OWN, 'groups');

/** Names of the tasks of this package. */
export function taskNames(): string[] {
  return [...ownTasks().keys()].sort();
}

/**
 * The tasks of a list of names of tasks, groups and files; a name with `*` is for all tasks that fit.
 * Throws LMFLOW_EVALUATE_TASK_UNKNOWN and _TASK_FILE.
 */
export function findTasks(names: readonly string[]): TaskFile[] {
  const known = { tasks: ownTasks(), groups: ownGroups() };
  const found = names.flatMap((task) => tasksOf({ task }, known));
  return [...new Map(found.map((task) => [task.task, task])).values()];
}

/** The groups of such a list, those inside of groups too. Throws as findTasks does. */
export function findGroups(names: readonly string[]): TaskGroup[] {
  const known = { tasks: ownTasks(), groups: ownGroups() };
  const groupsOf = (name: string): TaskGroup[] => {
    const group = known.groups.get(name) ?? (isFile(name) ? readGroup(name) : undefined);
    if (group === undefined) return [];
    const members = group.tasks.map((member) => ({ ...member, names: namesOf(member, known) }));
    return [{ ...group, members }, ...group.tasks.flatMap(({ task }) => groupsOf(task))];
  };
  const found = names.flatMap(groupsOf);
  return [...new Map(found.map((group) => [group.group, group])).values()];
}

interface Known {
  readonly tasks: ReadonlyMap<string, TaskFile>;
  readonly groups: ReadonlyMap<string, GroupFile>;
}

/** Names of the tasks of a group's member, all of which have the figure that it names. */
function namesOf(member: GroupMember, known: Known): string[] {
  const [metric] = member.metric?.split(',') ?? [];
  return tasksOf(member, known).map(({ task, metrics }) => {
    const own = metrics.map((one) => (typeof one === 'string' ? one : one.metric));
    if (metric === undefined || own.some((one) => one === metric)) return task;
    throw taskInvalid(member.task, `${task} has no ${metric}, which a group averages`);
  });
}

function tasksOf({ task: name, numFewshot }: GroupMember, known: Known): TaskFile[] {
  const group = known.groups.get(name);
  let found: TaskFile[];
  if (group) found = group.tasks.flatMap((member) => tasksOf(member, known));
  else if (isFile(name)) {
    const own = readGroup(name);
    found = own ? own.tasks.flatMap((member) => tasksOf(member, known)) : readTasks(name);
  } else {
    const pattern = new RegExp(`^${name.replaceAll(/[^\w*]/g, '\\$&').replaceAll('*', '.*')}$`);
    found = [...known.tasks].filter(([task]) => pattern.test(task)).map(([, task]) => task);
    if (found.length === 0) {
      throw taskUnknown(name, [...known.tasks.keys(), ...known.groups.keys()].sort());
    }
  }
  if (numFewshot === undefined) return found;
  // 0 is never more
  return found.map((task) => (task.numFewshot === 0 ? task : { ...task, numFewshot }));
}

function isFile(name: string): boolean {
  return /\.(json|ya?ml)$/.test(name);
}

/** The group that a file has; undefined where it is no group's. */
function readGroup(file: string): GroupFile | undefined {
  const content = contentOf(file);
  if (content === null || typeof content !== 'object') return undefined;
  // in the harness' files of old, a task may name a group
  if (!('group' in content) || !('tasks' in content)) return undefined;
  return parsed(file, groupSchema.safeParse(content));
}

function ownGroups(): ReadonlyMap<string, GroupFile> {
  const files = readdirSync(GROUPS).filter(isFile);
  return new Map(
    files.map((name) => {
      const group = readGroup(join(GROUPS, name))!;
      return [group.group, group];
    }),
  );
}

function ownTasks(): ReadonlyMap<string, TaskFile> {
  const files = readdirSync(OWN).filter((name) => name.endsWith('.json'));
  return new Map(
    files.flatMap((name) => readTasks(join(OWN, name))).map((task) => [task.task, task]),
  );
}

function parsed<T>(file: string, result: ZodSafeParseResult<T>): T {
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw taskInvalid(file, `${path.join('.') || 'the file'}: ${message}`);
}

function readTasks(file: string): TaskFile[] {
  const content = contentOf(file);
  const own = isHarnessTask(content) ? fromHarness(file, content) : content;
  const { variants, ...task } = parsed(file, taskSchema.safeParse(own));
  return (variants ?? ['']).map((variant) => ({
    ...task,
    task: task.task.replace('*', variant),
    dataset: {
      ...task.dataset,
      ...(task.dataset.subset === undefined
        ? {}
        : { subset: task.dataset.subset.replace('*', variant) }),
    },
  }));
}

function contentOf(file: string): unknown {
  const isYaml = !file.endsWith('.json');
  let text: string;
  try {
    text = readWholeSync(file);
    if (!isYaml) return JSON.parse(text);
  } catch (cause) {
    throw taskInvalid(file, `it cannot be read${isYaml ? '' : ' as JSON'}`, cause);
  }
  return readYaml(file, text);
}
