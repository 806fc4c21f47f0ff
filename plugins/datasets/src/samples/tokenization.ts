// Records -> samples in a store: planned, encoded in batches (the native library uses all cores),
// masked, shaped, written.
import {
  textOf,
  type AnswerPrompt,
  type Dataset,
  type DatasetRecord,
  type Logger,
  type PreferenceSamples,
  type Tokenizer,
} from '@lmflow/sdk';
import { partOf, parts } from './text-parts.ts';
import { Encoder, type Plan, type TrainedOptions } from './encoder.ts';
import { groupsOf, side } from './answer-groups.ts';
import { GroupShaper } from './group-shaper.ts';
import { DROPPED, Shaper, type ShapeOptions } from './shaper.ts';
import type { StoreIndex, StoreWriter } from './sample-store.ts';

/** What decides the tokens of a data set and their mask. */
export interface TokenizeOptions extends ShapeOptions, TrainedOptions {
  /** Answers that are compared; absent for answers to learn. */
  readonly preferences?: PreferenceSamples;
}

/** What tokenization needs beside the records. */
export interface TokenizeContext {
  readonly tokenizer: Tokenizer;
  readonly options: TokenizeOptions;
  readonly log: Logger;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A batch ends at this many records or characters, whichever comes first: enough for all cores,
 * little in memory.
 */
const BATCH_RECORDS = 256;
const BATCH_CHARACTERS = 1 << 18;
/** Texts longer than this are encoded in parts. */
const LONGEST_TEXT = 1 << 17;

/** What the index of a store says of its samples. */
type Made = Pick<StoreIndex, 'statistics' | 'dropped' | 'facts'>;

/** Tokenizes a dataset into a store; gives what its index is to say. */
export async function tokenize(
  dataset: Dataset,
  writer: StoreWriter,
  context: TokenizeContext,
): Promise<Made> {
  const { preferences } = context.options;
  return preferences
    ? tokenizeGroups(dataset, writer, preferences, context)
    : tokenizeSamples(dataset, writer, context);
}

async function tokenizeSamples(
  dataset: Dataset,
  writer: StoreWriter,
  context: TokenizeContext,
): Promise<Made> {
  const { tokenizer, options, log } = context;
  const encoder = new Encoder(tokenizer, options);
  const shaper = new Shaper(options, (tokens) => writer.add(tokens));
  let records = 0;
  let previous: DatasetRecord | undefined;
  for await (const batch of batches(dataset.records(), context.signal)) {
    const plans = batch.map((record) => encoder.plan(record));
    const encodings = await encode(plans, tokenizer);
    for (const [index, plan] of plans.entries()) {
      const { record } = plan;
      const tokens = encoder.tokens(plan, encodings[index]!);
      if (record.kind !== 'text') shaper.sample(tokens);
      else {
        if (!continues(previous, record)) shaper.endOfText();
        if (record.part === undefined && plan.text.trim() === '') shaper.drop(DROPPED.empty);
        else shaper.text(tokens.ids);
        if (record.part === undefined || record.part === 'last') shaper.endOfText();
      }
      if (previous?.origin !== record.origin) records++;
      previous = record;
    }
    log.progress(
      `tokenizing ${dataset.name}: ${records.toLocaleString('en')} records, ` +
        `${shaper.tokens.toLocaleString('en')} tokens`,
    );
  }
  shaper.flush();
  return {
    statistics: shaper.statistics(),
    dropped: shaper.dropped,
    facts: { records, ...factsOf(encoder) },
  };
}

/** Groups of answers: all of one are shaped together and written one after another. */
async function tokenizeGroups(
  dataset: Dataset,
  writer: StoreWriter,
  preferences: PreferenceSamples,
  { tokenizer, options, log, signal }: TokenizeContext,
): Promise<Made> {
  const encoder = new Encoder(tokenizer, options);
  let numbers: readonly (readonly number[])[] = [];
  const shaper = new GroupShaper(options, (tokens, member) => writer.add(tokens, numbers[member]));
  let [records, margins] = [0, 0];
  for await (const batch of batches(dataset.records(), signal)) {
    const groups = batch.flatMap((record) => groupsOf(record, preferences));
    const plans = groups.flatMap(({ sides }) => sides.map((side) => encoder.plan(side)));
    const encodings = await encode(plans, tokenizer);
    let at = 0;
    for (const group of groups) {
      const sides = group.sides.map(() => encoder.tokens(plans[at]!, encodings[at++]!));
      numbers = group.columns;
      if (shaper.group(sides, group) && group.hasMargin) margins++;
    }
    records += batch.length;
    log.progress(`tokenizing ${dataset.name}: ${records.toLocaleString('en')} records`);
  }
  return {
    statistics: shaper.statistics(),
    dropped: shaper.dropped,
    facts: { records, margins, ...factsOf(encoder) },
  };
}

function factsOf(encoder: Encoder): Readonly<Record<string, unknown>> {
  return {
    turnEnds: [...encoder.turnEnds],
    addedEos: encoder.addedEos,
    openEnded: encoder.openEnded,
    printed: encoder.printed.facts(),
  };
}

/**
 * Whether a text goes on with the document of the one before: the next part, or a part cut off the
 * same record.
 */
function continues(previous: DatasetRecord | undefined, record: DatasetRecord): boolean {
  if (
    record.kind !== 'text' ||
    record.part === undefined ||
    record.part === 'first' ||
    previous?.kind !== 'text'
  ) {
    return false;
  }
  const { origin } = previous;
  return (
    origin === record.origin ||
    (origin.file === record.origin.file &&
      origin.index !== undefined &&
      origin.index + 1 === record.origin.index)
  );
}

/** An answer to a prompt, to be encoded as those of samples are. */
export interface PromptedAnswer {
  readonly prompt: AnswerPrompt;
  readonly answer: string;
}

/**
 * Token ids of prompts with answers, the same as of samples of compared answers: template, BOS, EOS.
 * Throws LMFLOW_DATASET_TEMPLATE and _SPANS, which name the answer by its index.
 */
export async function answerRows(
  tokenizer: Tokenizer,
  answers: readonly PromptedAnswer[],
): Promise<Int32Array[]> {
  const encoder = new Encoder(tokenizer, { trainOnPrompt: false, answers: 'last' });
  const plans = answers.map(({ prompt, answer }, index) =>
    encoder.plan(side({ file: 'answers', index }, prompt, answer)),
  );
  const encodings = await encode(plans, tokenizer);
  return plans.map((plan, index) => encoder.tokens(plan, encodings[index]!).ids);
}

async function encode(
  plans: readonly Plan[],
  tokenizer: Tokenizer,
): Promise<Awaited<ReturnType<Tokenizer['encodeBatch']>>> {
  const result = new Array<Awaited<ReturnType<Tokenizer['encodeBatch']>>[number]>(plans.length);
  for (const addSpecialTokens of [true, false]) {
    const chosen = plans
      .map((_, index) => index)
      .filter((index) => plans[index]!.addSpecialTokens === addSpecialTokens);
    if (chosen.length === 0) continue;
    const encodings = await tokenizer.encodeBatch(
      chosen.map((index) => plans[index]!.text),
      { addSpecialTokens, plain: chosen.map((index) => plans[index]!.plain ?? []) },
    );
    for (const [at, index] of chosen.entries()) result[index] = encodings[at]!;
  }
  return result;
}

async function* batches(
  records: AsyncIterable<DatasetRecord>,
  signal: AbortSignal | undefined,
): AsyncGenerator<DatasetRecord[]> {
  let batch: DatasetRecord[] = [];
  let characters = 0;
  for await (const whole of records) {
    for (const record of inParts(whole)) {
      batch.push(record);
      characters += lengthOf(record);
      if (batch.length < BATCH_RECORDS && characters < BATCH_CHARACTERS) continue;
      signal?.throwIfAborted();
      yield batch;
      batch = [];
      characters = 0;
    }
  }
  if (batch.length > 0) yield batch;
}

/** A very long text in parts, which share its origin. */
function inParts(record: DatasetRecord): DatasetRecord[] {
  if (record.kind !== 'text' || record.part !== undefined || record.text.length <= LONGEST_TEXT) {
    return [record];
  }
  const texts = parts(record.text, LONGEST_TEXT >>> 1);
  return texts.map((text, index) => {
    const part = partOf(index === 0, index === texts.length - 1);
    return { ...record, text, ...(part ? { part } : {}) };
  });
}

function lengthOf(record: DatasetRecord): number {
  switch (record.kind) {
    case 'text':
      return record.text.length;
    case 'completion':
      return record.prompt.length + record.completion.length;
    case 'conversation':
      return record.messages.reduce((sum, message) => sum + textOf(message.content).length, 0);
    case 'preference':
      return 2 * promptLength(record) + record.chosen.length + record.rejected.length;
    case 'unpaired':
      return promptLength(record) + record.completion.length;
    case 'prompt':
      return promptLength(record);
  }
}

function promptLength({ prompt, messages }: AnswerPrompt): number {
  return (
    prompt?.length ?? messages!.reduce((sum, message) => sum + textOf(message.content).length, 0)
  );
}
