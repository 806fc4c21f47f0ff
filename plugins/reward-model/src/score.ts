// `lmflow reward-score`: prompts and answers of a file, scored lists out (LMFlow's
// text_to_textlist -> text_to_scored_textlist).
import {
  isFields,
  MODELS,
  SCORER,
  type AnswerPrompt,
  type ChatMessage,
  type CommandSpec,
  type PluginContext,
  type RecordFields,
  type ScoredAnswer,
  type ScoringSession,
  type Tokenizer,
} from '@lmflow/sdk';
import { writeFileAtomic } from '@lmflow/sdk/files';
import { answerRows, DATASETS } from '@lmflow/plugin-datasets';
import { z } from 'zod';
import { noRewardHead, recordInvalid, settingMissing } from './errors.ts';
import type { RewardModelOptions } from './options.ts';

/** What the command gives: also the content of its file. */
export interface RewardScores {
  readonly type: 'text_to_scored_textlist';
  readonly instances: readonly {
    readonly input: unknown;
    readonly output: readonly ScoredAnswer[];
  }[];
}

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
const DEFAULT_SEED = 42;

interface ToScore {
  readonly input: unknown;
  readonly prompt: AnswerPrompt;
  readonly answers: readonly string[];
}

export function rewardScoreCommand(
  context: PluginContext<RewardModelOptions>,
): CommandSpec<typeof flags> {
  const { resolve, log } = context;
  return {
    name: 'reward-score',
    summary: 'Scores the answers of a file with a reward model.',
    usage: '<file>',
    options: flags,
    sections: ['model', 'lora.adapter'],
    examples: [
      'lmflow reward-score answers.json --preset reward-model --model rm --output scored.json',
    ],
    pipes: true,
    run: async ({ config, options, positionals, signal, output }) => {
      const [file] = positionals;
      const { model: source, seed = DEFAULT_SEED } = config;
      if (source === undefined) throw settingMissing('reward-score', 'a model', 'Add --model rm.');
      if (file === undefined) {
        throw settingMissing('reward-score', 'a file of answers', 'Add answers.json.');
      }
      const model = await resolve(MODELS).load({
        role: 'policy',
        purpose: 'inference',
        source,
        classifier: { labels: 1, seed },
        signal,
      });
      if (model.freshHead && !model.parameters.has('score.weight')) throw noRewardHead(source);
      const session = resolve(SCORER).open(model);
      const instances: RewardScores['instances'][number][] = [];
      try {
        let waiting: ToScore[] = [];
        const flush = async (): Promise<void> => {
          instances.push(...(await scored(waiting, session, model.tokenizer, signal)));
          waiting = [];
          log.progress(`scoring ${file}: ${instances.length} records`);
        };
        let record = 0;
        const records = resolve(DATASETS).rawRecords({ path: file, split: 'train' }, signal);
        for await (const { value } of records) {
          waiting.push(toScore(value, file, record++));
          if (waiting.reduce((sum, { answers }) => sum + answers.length, 0) >= ANSWERS) {
            await flush();
          }
        }
        await flush();
      } finally {
        await session.dispose();
      }
      const result: RewardScores = { type: 'text_to_scored_textlist', instances };
      const text = `${JSON.stringify(result, undefined, 2)}\n`;
      if (options.output === undefined) output.write(text);
      else await writeFileAtomic(options.output, text);
      report(context, result);
      return { result };
    },
  };
}

/** The prompt and the answers of a record. Throws LMFLOW_REWARD_RECORD. */
function toScore(value: RecordFields, file: string, record: number): ToScore {
  const { input, output } = value;
  const prompt = promptOf(input);
  if (!prompt) {
    throw recordInvalid(file, record, '"input": a text, or a list of messages { role, content }');
  }
  const answers = Array.isArray(output) ? output.map(textOf) : [];
  if (answers.length === 0 || answers.some((answer) => answer === undefined)) {
    throw recordInvalid(file, record, '"output": a list of answers, texts or { text }');
  }
  return { input, prompt, answers: answers as string[] };
}

function promptOf(input: unknown): AnswerPrompt | undefined {
  if (typeof input === 'string') return { prompt: input };
  const isMessage = (turn: unknown): turn is ChatMessage =>
    isFields(turn) && typeof turn['role'] === 'string' && typeof turn['content'] === 'string';
  if (!Array.isArray(input) || input.length === 0 || !input.every(isMessage)) return undefined;
  return { messages: input };
}

function textOf(answer: unknown): string | undefined {
  const text = isFields(answer) ? answer['text'] : answer;
  return typeof text === 'string' ? text : undefined;
}

async function scored(
  records: readonly ToScore[],
  session: ScoringSession,
  tokenizer: Tokenizer,
  signal: AbortSignal,
): Promise<RewardScores['instances']> {
  const rows = await answerRows(
    tokenizer,
    records.flatMap(({ prompt, answers }) => answers.map((answer) => ({ prompt, answer }))),
  );
  const scores = await session.values(rows, { signal });
  let at = 0;
  return records.map(({ input, answers }) => ({
    input,
    output: answers.map((text) => ({ score: scores[at++]!, text })),
  }));
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
