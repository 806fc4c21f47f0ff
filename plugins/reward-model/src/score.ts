// `lmflow reward-score`: prompts and answers of a file, scored lists out (LMFlow's
// text_to_textlist -> text_to_scored_textlist).
import { isDeepStrictEqual } from 'node:util';
import {
  isFields,
  type AnswerPrompt,
  type ChatMessage,
  type CommandSpec,
  type PluginContext,
  type RecordFields,
} from '@lmflow/sdk';
import { writeFileAtomic } from '@lmflow/sdk/files';
import { DATASETS, type DatasetLoader } from '@lmflow/plugin-datasets';
import { z } from 'zod';
import { openScorer, type AnswerText, type ToScore } from './answer-scorers.ts';
import { recordInvalid, settingMissing } from './errors.ts';
import type { RewardModelOptions } from './options.ts';
import type { RewardScores, ScoredList } from './scored-lists.ts';

declare module '@lmflow/sdk' {
  interface CommandResults {
    'reward-score': RewardScores;
  }
}

const flags = z.object({
  output: z.string().optional().describe('File for the scored lists; by default they are printed.'),
});

/** Answers that are encoded and scored together. */
const ANSWERS = 1024;

export function rewardScoreCommand(
  context: PluginContext<RewardModelOptions>,
): CommandSpec<typeof flags> {
  const { resolve, log } = context;
  return {
    name: 'reward-score',
    summary: 'Scores the answers of a file with a reward model.',
    usage: '<file>',
    options: flags,
    sections: ['model', 'lora.adapter', 'rewards', 'rewardClip'],
    examples: [
      'lmflow reward-score answers.json --preset reward-model --model rm --output scored.json',
      'lmflow reward-score answers.json --preset reward-model --rewards number --plugin evaluate',
    ],
    pipes: true,
    run: async ({ config, options, positionals, signal, output }) => {
      const [file] = positionals;
      if (file === undefined) {
        throw settingMissing('reward-score', 'a file of answers', 'Add answers.json.');
      }
      const scorer = await openScorer(context, config, signal);
      const instances: ScoredList[] = [];
      try {
        for await (const records of batches(resolve(DATASETS), file, signal)) {
          instances.push(...(await scorer.score(records, signal)));
          log.progress(`scoring ${file}: ${instances.length} records`);
        }
      } catch (cause) {
        await keep(context, options.output, instances);
        throw cause;
      } finally {
        await scorer.dispose();
      }
      const result: RewardScores = { type: 'text_to_scored_textlist', instances };
      const text = textOfResult(result);
      if (options.output === undefined) output.write(text);
      else await writeFileAtomic(options.output, text);
      report(context, result);
      return { result };
    },
  };
}

const textOfResult = (result: RewardScores): string => `${JSON.stringify(result, undefined, 2)}\n`;

/** Lists of records with about as many answers as are scored together. */
async function* batches(
  datasets: DatasetLoader,
  file: string,
  signal: AbortSignal,
): AsyncGenerator<readonly ToScore[]> {
  let waiting: ToScore[] = [];
  let answers = 0;
  let record = 0;
  for await (const { value } of datasets.rawRecords({ path: file, split: 'train' }, signal)) {
    const next = toScore(asList(value), file, record++);
    const last = waiting.at(-1);
    // lmflow generate writes a line for each of several answers to a prompt
    const goesOn = last && isGenerated(value) && isDeepStrictEqual(last.input, next.input);
    if (goesOn) waiting[waiting.length - 1] = joined(last, next);
    else if (answers >= ANSWERS) {
      yield waiting;
      [waiting, answers] = [[next], 0];
    } else waiting.push(next);
    answers += next.answers.length;
  }
  if (waiting.length > 0) yield waiting;
}

/** A line of `lmflow generate --format jsonl`. */
const isGenerated = ({ output, text }: RecordFields): boolean =>
  output === undefined && typeof text === 'string';

/** A line of that kind as a list of one answer; other records stay. */
function asList(value: RecordFields): RecordFields {
  if (!isGenerated(value)) return value;
  const { prompt, messages, text, finishReason } = value;
  const ended = typeof finishReason === 'string' ? finishReason === 'stop' : undefined;
  return { input: messages ?? prompt, output: [{ text, ended }] };
}

const joined = (one: ToScore, other: ToScore): ToScore => ({
  ...one,
  answers: [...one.answers, ...other.answers],
});

/** What was scored before a failure, beside where the result would be. */
async function keep(
  { log }: Pick<PluginContext, 'log'>,
  output: string | undefined,
  instances: readonly ScoredList[],
): Promise<void> {
  if (output === undefined || instances.length === 0) return;
  const path = `${output}.partial`;
  await writeFileAtomic(path, textOfResult({ type: 'text_to_scored_textlist', instances }));
  log.warn(`the first ${instances.length} records are scored: ${path}`);
}

/** The prompt and the answers of a record. Throws LMFLOW_REWARD_RECORD. */
function toScore(value: RecordFields, file: string, record: number): ToScore {
  const { input, output, ...columns } = value;
  const prompt = promptOf(input);
  if (!prompt) {
    throw recordInvalid(file, record, '"input": a text, or a list of messages { role, content }');
  }
  const answers = Array.isArray(output) ? output.map(answerOf) : [];
  if (answers.length === 0 || answers.some((answer) => answer === undefined)) {
    throw recordInvalid(file, record, '"output": a list of answers, texts or { text }');
  }
  const name = `${file}, record ${record}`;
  return { name, input, prompt, columns, answers: answers as AnswerText[] };
}

function promptOf(input: unknown): AnswerPrompt | undefined {
  if (typeof input === 'string') return { prompt: input };
  const isMessage = (turn: unknown): turn is ChatMessage =>
    isFields(turn) && typeof turn['role'] === 'string' && typeof turn['content'] === 'string';
  if (!Array.isArray(input) || input.length === 0 || !input.every(isMessage)) return undefined;
  return { messages: input };
}

function answerOf(answer: unknown): AnswerText | undefined {
  const { text, ended } = isFields(answer) ? answer : { text: answer };
  if (typeof text !== 'string') return undefined;
  return { text, ...(typeof ended === 'boolean' ? { ended } : {}) };
}

function report({ log }: Pick<PluginContext, 'log'>, { instances }: RewardScores): void {
  const scores = instances.flatMap(({ output }) => output.map(({ score }) => score));
  const mean = scores.reduce((sum, score) => sum + score, 0) / Math.max(1, scores.length);
  const facts = { records: instances.length, answers: scores.length, meanScore: mean };
  log.event(
    'scored',
    facts,
    `${facts.answers} answers to ${facts.records} prompts scored, on average ${mean.toPrecision(4)}`,
  );
}
