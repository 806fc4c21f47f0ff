// The stages of the configuration, checked before anything runs.
import { stageInvalid, stagesMissing } from './errors.ts';
import { loopSchema, stageSchema, type LoopSetting, type StageSetting } from './options.ts';
import { checkReferences, PREVIOUS } from './references.ts';

export type Entry = StageSetting | LoopSetting;

export const isLoop = (entry: Entry): entry is LoopSetting => 'stages' in entry;

/** Throws LMFLOW_PIPELINE_STAGES, _STAGE and _REFERENCE. */
export function checkedStages(given: readonly { readonly name: string }[]): readonly Entry[] {
  if (given.length === 0) {
    throw stagesMissing(
      'the configuration has no stages',
      'Add pipeline: { stages: [{ name, command, config }] }.',
    );
  }
  const stages = given.map(parsed);
  const names = new Set<string>();
  for (const { name } of flat(stages)) {
    if (names.has(name)) throw stageInvalid(name, 'two stages have this name');
    names.add(name);
  }
  checkNames(stages, [], undefined);
  return stages;
}

/** Stages and loops, with those inside them. */
export function flat(entries: readonly Entry[]): Entry[] {
  return entries.flatMap((entry) => (isLoop(entry) ? [entry, ...flat(entry.stages)] : [entry]));
}

function parsed(given: unknown): Entry {
  const { name, ...rest } = (given ?? {}) as { name?: unknown };
  const loop = 'stages' in rest || 'repeat' in rest;
  const result = (loop ? loopSchema : stageSchema).safeParse(given);
  if (!result.success) {
    const issues = result.error.issues.map(
      ({ path, message }) => `${path.length > 0 ? `${path.join('.')}: ` : ''}${message}`,
    );
    throw stageInvalid(typeof name === 'string' ? name : '?', issues.join('; '));
  }
  // not the parsed copy: presets, functions and nested objects stay what they are
  const entry = given as Entry;
  return isLoop(entry) ? { ...entry, stages: entry.stages.map(parsed) } : entry;
}

/** Goes through the stages as they run, with what is known at each. */
function checkNames(
  entries: readonly Entry[],
  before: readonly string[],
  loop: readonly string[] | undefined,
): readonly string[] {
  let known = before;
  for (const entry of entries) {
    const previous = loop?.map((name) => `${PREVIOUS}${name}`) ?? [];
    const round = loop ? ['round'] : [];
    const here = [...known, ...previous, ...round];
    if (!isLoop(entry)) {
      checkReferences({ ...entry, name: '' }, entry.name, [...here, 'folder']);
      known = [...known, entry.name];
      continue;
    }
    checkReferences(entry.while, entry.name, [...here, ...namesOf(entry, PREVIOUS), 'round']);
    known = checkNames(entry.stages, known, namesOf(entry, ''));
    checkReferences(entry.until, entry.name, [...known, 'round']);
  }
  return known;
}

const namesOf = ({ stages }: LoopSetting, prefix: string): string[] =>
  flat(stages)
    .filter((entry) => !isLoop(entry))
    .map(({ name }) => `${prefix}${name}`);
