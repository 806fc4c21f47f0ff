// What scores the answers of a file: the model of the configuration, or its rewards.
import {
  MODELS,
  REWARDER,
  SCORER,
  type AnswerPrompt,
  type Config,
  type PluginContext,
} from '@lmflow/sdk';
import { answerRows } from '@lmflow/plugin-datasets';
import { noRewardHead, settingMissing } from './errors.ts';
import type { RewardedAnswer, ScoredList } from './scored-lists.ts';

/** An answer of a record; `ended` where the record says it. */
export interface AnswerText {
  readonly text: string;
  readonly ended?: boolean;
}

/** A record of the file. */
export interface ToScore {
  /** For messages. */
  readonly name: string;
  readonly input: unknown;
  readonly prompt: AnswerPrompt;
  readonly answers: readonly AnswerText[];
  /** Its other keys. */
  readonly columns: Readonly<Record<string, unknown>>;
}

/** Scores records, several together. */
export interface AnswerScorer {
  score(records: readonly ToScore[], signal: AbortSignal): Promise<readonly ScoredList[]>;
  dispose(): Promise<void>;
}

const DEFAULT_SEED = 42;

/** The rewards where the configuration names some, else the model. */
export async function openScorer(
  context: Pick<PluginContext, 'resolve' | 'log'>,
  config: Config,
  signal: AbortSignal,
): Promise<AnswerScorer> {
  const { rewards } = config;
  return Array.isArray(rewards) && rewards.length > 0
    ? byRewards(context, signal)
    : byModel(context, config, signal);
}

async function byModel(
  { resolve }: Pick<PluginContext, 'resolve'>,
  { model: source, seed = DEFAULT_SEED }: Config,
  signal: AbortSignal,
): Promise<AnswerScorer> {
  if (source === undefined) {
    throw settingMissing('reward-score', 'a model or rewards', 'Add --model rm.');
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
  return {
    async score(records, stop) {
      const rows = await answerRows(
        model.tokenizer,
        records.flatMap(({ prompt, answers }) =>
          answers.map(({ text }) => ({ prompt, answer: text })),
        ),
      );
      const scores = await session.values(rows, { signal: stop });
      let at = 0;
      return records.map(({ input, answers }) => ({
        input,
        output: answers.map(({ text }) => ({ score: scores[at++]!, text })),
      }));
    },
    dispose: () => session.dispose(),
  };
}

async function byRewards(
  { resolve, log }: Pick<PluginContext, 'resolve' | 'log'>,
  signal: AbortSignal,
): Promise<AnswerScorer> {
  const session = await resolve(REWARDER).open({ signal });
  log.info(`scored by the rewards ${session.rewards.map(({ name }) => name).join(', ')}`);
  let without = 0;
  return {
    async score(records, stop) {
      const answers = records.flatMap(({ name, prompt, columns, answers: texts }) =>
        texts.map(({ text, ended }, index) => ({
          prompt,
          answer: text,
          columns,
          name: `${name}, answer ${index + 1}`,
          ...(ended === undefined ? {} : { ended }),
        })),
      );
      const { totals, rewards } = await session.score({ answers, signal: stop });
      let at = 0;
      return records.flatMap(({ input, answers: texts }) => {
        const output = texts.flatMap(({ text }): RewardedAnswer[] => {
          const place = at++;
          const score = totals[place]!;
          if (score === null) return [];
          const each = rewards.map(({ name, raw }) => [name, raw[place]!] as const);
          return [{ score, text, rewards: Object.fromEntries(each) }];
        });
        without += texts.length - output.length;
        return output.length > 0 ? [{ input, output }] : [];
      });
    },
    async dispose() {
      if (without > 0) log.warn(`${without} answers are left out: no reward applies to them`);
      await session.dispose();
    },
  };
}
