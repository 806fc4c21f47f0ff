// Conditions of stages and loops, asked when their turn comes.
import { existsSync } from 'node:fs';
import { isFields } from '@lmflow/sdk';
import { readWhole } from '@lmflow/sdk/files';
import { conditionUnreadable } from './errors.ts';
import type { Condition, ConditionContext } from './options.ts';

/** Whether it holds; paths have no references any more. */
export async function holds(
  condition: Condition,
  stage: string,
  context: ConditionContext,
): Promise<boolean> {
  if (typeof condition === 'function') return condition(context);
  if ('exists' in condition) return existsSync(condition.exists);
  if ('missing' in condition) return !existsSync(condition.missing);
  const { file, value: keys, above, below, is } = condition;
  const value = valueAt(await readJson(file, stage), keys);
  if (value === undefined) throw conditionUnreadable(stage, `${file} has no value "${keys}"`);
  if (is !== undefined && value !== is) return false;
  if (above === undefined && below === undefined) return true;
  if (typeof value !== 'number') {
    throw conditionUnreadable(
      stage,
      `${file}, "${keys}" is no number, but ${JSON.stringify(value)}`,
    );
  }
  return (above === undefined || value > above) && (below === undefined || value < below);
}

async function readJson(file: string, stage: string): Promise<unknown> {
  try {
    return JSON.parse(await readWhole(file)) as unknown;
  } catch (cause) {
    throw conditionUnreadable(stage, `its condition cannot read ${file} as JSON`, cause);
  }
}

function valueAt(json: unknown, keys: string): unknown {
  // a key may have dots itself: the whole rest is tried first
  if (!isFields(json) && !Array.isArray(json)) return undefined;
  const fields = json as Readonly<Record<string, unknown>>;
  if (keys in fields) return fields[keys];
  for (let dot = keys.indexOf('.'); dot >= 0; dot = keys.indexOf('.', dot + 1)) {
    const found = valueAt(fields[keys.slice(0, dot)], keys.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}
