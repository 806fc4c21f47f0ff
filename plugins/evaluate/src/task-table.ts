// Finds tasks: the files of this package by the names of their tasks, and files of one's own.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readWholeSync } from '@lmflow/sdk/files';
import { taskInvalid, taskUnknown } from './errors.ts';
import { fromHarness, isHarnessTask } from './harness-task.ts';
import { taskSchema, type TaskFile } from './task-file.ts';
import { readYaml } from './yaml-file.ts';

/** The files of this package, beside src and dist. */
const OWN = join(import.meta.dirname, '..', 'tasks');

/** Names of the tasks of this package. */
export function taskNames(): string[] {
  return [...ownTasks().keys()].sort();
}

/**
 * The tasks of a list of names and files; a name with `*` is for all that fit. Throws
 * LMFLOW_EVALUATE_TASK_UNKNOWN and _TASK_FILE.
 */
export function findTasks(names: readonly string[]): TaskFile[] {
  const own = ownTasks();
  const found = names.flatMap((name) => {
    if (/\.(json|ya?ml)$/.test(name)) return readTasks(name);
    const pattern = new RegExp(`^${name.replaceAll(/[^\w*]/g, '\\$&').replaceAll('*', '.*')}$`);
    const fitting = [...own].filter(([task]) => pattern.test(task)).map(([, task]) => task);
    if (fitting.length === 0) throw taskUnknown(name, [...own.keys()].sort());
    return fitting;
  });
  return [...new Map(found.map((task) => [task.task, task])).values()];
}

function ownTasks(): ReadonlyMap<string, TaskFile> {
  const files = readdirSync(OWN).filter((name) => name.endsWith('.json'));
  return new Map(
    files.flatMap((name) => readTasks(join(OWN, name))).map((task) => [task.task, task]),
  );
}

function readTasks(file: string): TaskFile[] {
  const content = contentOf(file);
  const parsed = taskSchema.safeParse(
    isHarnessTask(content) ? fromHarness(file, content) : content,
  );
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw taskInvalid(file, `${path.join('.') || 'the file'}: ${message}`);
  }
  const { variants, ...task } = parsed.data;
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
