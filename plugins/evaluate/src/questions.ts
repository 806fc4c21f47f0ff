// From a task's records to what is asked of the model: texts alone, tokens come later.
import { isDeepStrictEqual } from 'node:util';
import { recordUnfit, tooFewShots } from './errors.ts';
import { PythonRandom } from './python-random.ts';
import type { ChoiceTask, RollingTask, TaskFile } from './task-file.ts';
import { filtered, render, valueAt, type Doc } from './template.ts';

/** One record of a task. */
export interface Question {
  /** Its place in the split. */
  readonly id: number;
  readonly doc: Doc;
  /** What is scored: a text that goes on, or a whole text (without a context). */
  readonly requests: readonly AskedText[];
  /** Of choices: the texts whose lengths count, and the right one. */
  readonly choices?: readonly string[];
  readonly gold?: number;
  /** Of a whole text: the words and bytes that are counted are this text's. */
  readonly counted?: string;
}

export interface AskedText {
  readonly context?: string;
  readonly text: string;
}

/** The splits of a task that were read. */
export interface TaskData {
  readonly docs: readonly Doc[];
  /** Where examples come from. */
  readonly pool: readonly Doc[];
  /** One more example is drawn, and the record itself is left out. */
  readonly leaveOut: boolean;
}

/** How questions are asked. */
export interface AskSettings {
  readonly shots: number;
  readonly limit: number;
  readonly seed: number;
}

/** The questions of a task's first `limit` records. Throws LMFLOW_EVALUATE_RECORD and _SHOTS. */
export function questionsOf(task: TaskFile, data: TaskData, settings: AskSettings): Question[] {
  const docs = data.docs.slice(0, settings.limit);
  if (task.type === 'rolling') return docs.map((doc, id) => wholeText(task, doc, id));
  const draw = shotDrawer(task, data, settings);
  return docs.map((doc, id) => choiceQuestion(task, doc, id, draw(doc)));
}

function wholeText(task: RollingTask, doc: Doc, id: number): Question {
  const text = textOf(task, doc, `record ${id}`);
  return {
    id,
    doc,
    requests: [{ text: text(task.text) }],
    counted: text(task.counted ?? task.text),
  };
}

function choiceQuestion(task: ChoiceTask, doc: Doc, id: number, shots: readonly Doc[]): Question {
  const place = `record ${id}`;
  const own = partsOf(task, doc, place);
  const examples = shots.map((shot) => exampleOf(partsOf(task, shot, `an example of ${place}`)));
  const before = textOf(task, doc, place)(task.description) + examples.join('');
  const count = Math.max(own.contexts.length, own.answers.length);
  const requests = Array.from({ length: count }, (_, at) => ({
    context: before + (own.contexts[at] ?? own.contexts[0]!),
    text: ` ${own.answers[at] ?? own.answers[0]!}`,
  }));
  return { id, doc, requests, choices: own.choices, gold: own.gold };
}

/** A record with its right answer. */
function exampleOf({ contexts, answers, gold }: ChoiceParts): string {
  return `${contexts[gold] ?? contexts[0]!} ${answers[gold] ?? answers[0]!}\n\n`;
}

interface ChoiceParts {
  /** One for all choices, or one for each. */
  readonly contexts: readonly string[];
  /** Likewise. */
  readonly answers: readonly string[];
  readonly choices: readonly string[];
  readonly gold: number;
}

function partsOf(task: ChoiceTask, doc: Doc, place: string): ChoiceParts {
  const text = textOf(task, doc, place);
  const clean = (one: string): string => filtered(one, task.filters);
  if (task.contexts) {
    const contexts = task.contexts.map((one) => clean(text(one)));
    const answers = [clean(text(task.continuation!))];
    return {
      contexts,
      answers,
      choices: contexts,
      gold: goldOf(task, doc, place, contexts.length),
    };
  }
  const listed =
    typeof task.choices === 'string'
      ? listAt(task, doc, place, task.choices)
      : task.choices!.map((one) => text(one));
  const choices = listed.map(clean);
  return {
    contexts: [clean(text(task.prompt!))],
    answers: choices,
    choices,
    gold: goldOf(task, doc, place, choices.length),
  };
}

function goldOf(task: ChoiceTask, doc: Doc, place: string, choices: number): number {
  const unfit = (problem: string): never => {
    throw recordUnfit(task.task, place, problem);
  };
  if (typeof task.gold === 'string') {
    const value = valueAt(doc, task.gold);
    const index = value === '' || value === null ? NaN : Number(value);
    const fits = Number.isInteger(index) && index >= 0 && index < choices;
    return fits
      ? index
      : unfit(`"${task.gold}" is ${JSON.stringify(value)}, not the index of a choice`);
  }
  const { label, labels } = task.gold;
  const wanted = textOf(task, doc, place)(label);
  const index = (typeof labels === 'string' ? listAt(task, doc, place, labels) : labels).indexOf(
    wanted,
  );
  return index >= 0 ? index : unfit(`its answer ${JSON.stringify(wanted)} is none of the labels`);
}

function listAt(task: TaskFile, doc: Doc, place: string, path: string): string[] {
  const value = valueAt(doc, path);
  if (Array.isArray(value) && value.length > 0) return value.map(String);
  throw recordUnfit(task.task, place, `"${path}" is no list`);
}

function textOf(task: TaskFile, doc: Doc, place: string): (template: string) => string {
  return (template) =>
    render(template, doc, (column) => {
      throw recordUnfit(task.task, place, `it has no "${column}"`);
    });
}

/**
 * The examples of each record in turn: drawn by one generator for all, in the order of the records,
 * so that they are the harness'. A record is never its own example.
 */
function shotDrawer(
  { task, sampler }: ChoiceTask,
  { pool, leaveOut }: TaskData,
  { shots, seed }: AskSettings,
): (doc: Doc) => readonly Doc[] {
  if (shots === 0) return () => [];
  const drawn = leaveOut ? shots + 1 : shots;
  if (pool.length < drawn) throw tooFewShots(task, drawn, pool.length);
  const others = (docs: readonly Doc[], doc: Doc): readonly Doc[] =>
    leaveOut ? docs.filter((one) => !isDeepStrictEqual(one, doc)) : docs;
  if (sampler === 'first_n') return (doc) => others(pool, doc).slice(0, shots);
  const random = new PythonRandom(seed);
  const draw = (from: readonly Doc[], count: number): readonly Doc[] =>
    random.sample(from.length, count).map((at) => from[at]!);
  return (doc) => {
    const found = others(draw(pool, drawn), doc).slice(0, shots);
    if (found.length === shots) return found;
    // the record is there more than once
    const rest = others(pool, doc);
    if (rest.length < shots) throw tooFewShots(task, shots, rest.length);
    return draw(rest, shots);
  };
}
