// From a task's records to what is asked of the model: texts alone, tokens come later.
import { recordUnfit } from './errors.ts';
import {
  exampleTurns,
  promptOf,
  questionTurn,
  systemTurns,
  type ChatPrompts,
  type Turn,
} from './prompt.ts';
import { shotDrawer, type TaskData } from './shots.ts';
import type { ChoiceTask, GenerateTask, RollingTask, TaskFile } from './task-file.ts';
import { filtered, isTemplate, render, valueAt, type Doc } from './template.ts';

export type { TaskData } from './shots.ts';

/** One record of a task. */
export interface Question {
  /** Its place in the split. */
  readonly id: number;
  readonly doc: Doc;
  /**
   * What is scored: a text that goes on, or a whole text (without a context). Of a generated answer
   * the prompt, with an empty text.
   */
  readonly requests: readonly AskedText[];
  /** Of choices: the texts whose lengths count, and the right one. */
  readonly choices?: readonly string[];
  readonly gold?: number;
  /** Of choices of which several are right: whether each one is. */
  readonly truths?: readonly boolean[] | undefined;
  /** Of a generated answer: the right ones. */
  readonly targets?: readonly string[];
  /** Wrong ones, where the task has them. */
  readonly wrong?: readonly string[];
  /** Of a whole text: the words and bytes that are counted are this text's. */
  readonly counted?: string;
}

export interface AskedText {
  readonly context?: string;
  readonly text: string;
}

/** How questions are asked. */
export interface AskSettings {
  readonly shots: number;
  readonly limit: number;
  readonly seed: number;
  /** Before the task's description. */
  readonly systemInstruction?: string | undefined;
  /** Prompts are chats; left out, plain text. */
  readonly chat?: ChatPrompts | undefined;
}

/** The questions of a task's first `limit` records. Throws LMFLOW_EVALUATE_RECORD and _SHOTS. */
export function questionsOf(task: TaskFile, data: TaskData, settings: AskSettings): Question[] {
  const docs = data.docs.slice(0, settings.limit);
  if (task.type === 'rolling') return docs.map((doc, id) => wholeText(task, doc, id));
  const draw = shotDrawer(task, data, settings);
  return docs.map((doc, id) =>
    task.type === 'choice'
      ? choiceQuestion(task, { id, doc, shots: draw(doc) }, settings)
      : openQuestion(task, { id, doc, shots: draw(doc) }, settings),
  );
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

/** A record with its examples. */
interface AskedRecord {
  readonly id: number;
  readonly doc: Doc;
  readonly shots: readonly Doc[];
}

function choiceQuestion(
  task: ChoiceTask,
  { id, doc, shots }: AskedRecord,
  { chat, systemInstruction }: AskSettings,
): Question {
  const place = `record ${id}`;
  const own = partsOf(task, doc, place);
  const before: readonly Turn[] = [
    ...systemOf(task, doc, place, systemInstruction),
    ...shots.flatMap((shot) => {
      const { contexts, answers, gold } = partsOf(task, shot, `an example of ${place}`);
      const answer = answers[gold] ?? answers[0]!;
      return exampleTurns(contexts[gold] ?? contexts[0]!, answer, task);
    }),
  ];
  const contexts = own.contexts.map((one) => promptOf([...before, questionTurn(one)], chat));
  // a template ends where the answer begins
  const delimiter = chat ? '' : task.targetDelimiter;
  const count = Math.max(contexts.length, own.answers.length);
  const requests = Array.from({ length: count }, (_, at) => ({
    context: contexts[at] ?? contexts[0]!,
    text: delimiter + (own.answers[at] ?? own.answers[0]!),
  }));
  const { choices, gold, truths } = own;
  return { id, doc, requests, choices, gold, truths };
}

function openQuestion(
  task: GenerateTask,
  { id, doc, shots }: AskedRecord,
  { chat, systemInstruction }: AskSettings,
): Question {
  const place = `record ${id}`;
  const asked = (one: Doc, where: string): string =>
    filtered(textOf(task, one, where)(task.prompt), task.filters);
  const examples = shots.flatMap((shot) => {
    const where = `an example of ${place}`;
    return exampleTurns(asked(shot, where), targetsOf(task, shot, where)[0]!, task);
  });
  const system = systemOf(task, doc, place, systemInstruction);
  const context = promptOf([...system, ...examples, questionTurn(asked(doc, place))], chat);
  const wrong =
    task.wrong === undefined
      ? {}
      : { wrong: answersOf(task, listAt(task, doc, place, task.wrong)) };
  return {
    id,
    doc,
    requests: [{ context, text: '' }],
    targets: targetsOf(task, doc, place),
    ...wrong,
  };
}

function systemOf(
  task: ChoiceTask | GenerateTask,
  doc: Doc,
  place: string,
  instruction = '',
): readonly Turn[] {
  const description = textOf(task, doc, place)(task.description);
  return systemTurns(instruction, description, task.fewshotDelimiter);
}

function targetsOf(task: GenerateTask, doc: Doc, place: string): readonly string[] {
  const { target } = task;
  const text = textOf(task, doc, place);
  const isList = !isTemplate(target) && Array.isArray(valueAt(doc, target));
  const given = isList
    ? listAt(task, doc, place, target)
    : [text(isTemplate(target) ? target : `{{${target}}}`)];
  return [...new Set([...answersOf(task, given), ...task.alsoRight])];
}

/** Right or wrong answers behind the task's filters, as they are where it has none. */
function answersOf({ answerFilters }: GenerateTask, given: readonly string[]): readonly string[] {
  if (answerFilters.length === 0) return given;
  return given.map((one) => filtered(one, answerFilters)).filter((one) => one !== '');
}

interface ChoiceParts {
  /** One for all choices, or one for each. */
  readonly contexts: readonly string[];
  /** Likewise. */
  readonly answers: readonly string[];
  readonly choices: readonly string[];
  readonly gold: number;
  readonly truths?: readonly boolean[];
}

function partsOf(task: ChoiceTask, doc: Doc, place: string): ChoiceParts {
  const text = textOf(task, doc, place);
  const clean = (one: string): string => filtered(one, task.filters);
  if (task.contexts) {
    const contexts = task.contexts.map((one) => clean(text(one)));
    const answers = [clean(text(task.continuation!))];
    return { contexts, answers, choices: contexts, ...rightOf(task, doc, place, contexts) };
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
    ...rightOf(task, doc, place, choices),
  };
}

/** The right choice, or all that are right. */
function rightOf(
  task: ChoiceTask,
  doc: Doc,
  place: string,
  choices: readonly string[],
): Pick<ChoiceParts, 'gold' | 'truths'> {
  if (typeof task.gold !== 'object' || !('truths' in task.gold)) {
    return { gold: goldOf(task, doc, place, choices) };
  }
  const { truths: path } = task.gold;
  const truths = listAt(task, doc, place, path).map((one) => one === '1');
  if (truths.length === choices.length && truths.includes(true)) return { gold: 0, truths };
  throw recordUnfit(task.task, place, `"${path}" does not have a 1 or 0 for each choice`);
}

function goldOf(task: ChoiceTask, doc: Doc, place: string, choices: readonly string[]): number {
  const unfit = (problem: string): never => {
    throw recordUnfit(task.task, place, problem);
  };
  const { gold } = task;
  if (typeof gold !== 'object') {
    const value = typeof gold === 'number' ? gold : valueAt(doc, gold);
    const index = value === '' || value === null ? NaN : Number(value);
    if (Number.isInteger(index) && index >= 0 && index < choices.length) return index;
    const named = typeof value === 'string' ? choices.indexOf(value) : -1;
    if (named >= 0) return named;
    return unfit(
      `"${gold}" is ${JSON.stringify(value)}, neither the index of a choice nor a choice`,
    );
  }
  if ('truths' in gold) return 0;
  const { label, labels } = gold;
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
