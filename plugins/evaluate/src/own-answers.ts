// Data without a task file, answered by the model: each trained answer of a sample is a right one,
// what stands before it the prompt.
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { IGNORED, type AnswerCheck, type Samples } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { generateAnswers, type AskedPrompt } from './answered-records.ts';
import { noQuestions } from './errors.ts';
import type { Evaluation } from './evaluation.ts';
import { generationSchema } from './generate-task.ts';
import { taskFigure, type RecordFigure } from './metrics.ts';
import { sequencesOf } from './own-data.ts';
import { strip } from './python-text.ts';
import type { EvaluatedTask } from './results.ts';
import { rouge } from './text/rouge.ts';
import { textStatisticNames } from './text/statistics.ts';
import { UnfinishedTask } from './unfinished.ts';

/** What may be measured of answers. */
export const answeredMetrics = ['accuracy', 'rouge', 'bleu', 'chrf', 'statistics'] as const;
export type AnsweredMetric = (typeof answeredMetrics)[number];

/** What is measured, and how answers come. */
export interface AnswerRequest extends Omit<Evaluation, 'ask' | 'session' | 'checks' | 'log'> {
  readonly name: string;
  readonly metric: AnsweredMetric;
  /** How answers are read for `accuracy`. */
  readonly check: AnswerCheck;
  readonly samples: Samples;
  readonly limit: number | undefined;
  readonly maxNewTokens: number | undefined;
  readonly seed: number;
  readonly progress: (done: number, all: number) => void;
}

/** A prompt with its right answer. */
interface OwnQuestion {
  readonly id: number;
  readonly prompt: Int32Array;
  readonly right: string;
}

/**
 * Greedy answers. `accuracy`: the share that the check calls right. `rouge`: F1 of rouge1, rouge2 and
 * rougeL, averaged. `bleu`, `chrf`: of the corpus; `statistics`: of the answers. Throws LMFLOW_EVALUATE_NO_QUESTIONS.
 */
export async function answerData(
  request: AnswerRequest,
): Promise<EvaluatedTask & { readonly end: () => void }> {
  const { model, metric, check, folder, computed, limit, signal, batchSize, progress } = request;
  const task = basename(request.name);
  const { questions, ends } = questionsIn(request.samples, model);
  if (questions.length === 0) throw noQuestions(request.name);
  const asked = questions.slice(0, limit);
  const generator = request.generator();
  const { contextLength, options } = generator.defaults(model);
  const maxNewTokens = request.maxNewTokens ?? Math.min(256, Math.ceil(contextLength / 2));
  const unfinished = new UnfinishedTask(
    folder && join(folder, `unfinished_${task}.jsonl`),
    JSON.stringify({ task, computed, maxNewTokens, asked: hashOf(asked) }),
  );
  const room = Math.max(1, contextLength - maxNewTokens);
  const waiting = asked
    .filter(({ id }) => !unfinished.scored.has(id))
    .map(({ id, prompt }): AskedPrompt => {
      return { id, ids: prompt.slice(-room), cut: prompt.length > room };
    });
  const eosTokenId = [...new Set([...endsOf(model, options.eosTokenId), ...ends])];
  const generation = { ...generationSchema.parse({ maxNewTokens }), until: [], eosTokenId };
  await generateAnswers(
    waiting,
    { model, generator, generation, repeats: 1, signal, batchSize, seed: request.seed },
    (record) => {
      unfinished.add([record]);
      progress(unfinished.scored.size, asked.length);
    },
  );
  const records = asked.map(({ id }) => unfinished.scored.get(id)!);
  const figures = asked.map(({ right }, at) =>
    figuresOf(metric, check, strip(records[at]!.texts![0]!), right),
  );
  const cutPrompts = records.reduce(
    (sum, { cut }) => sum + cut,
    request.samples.statistics.truncated,
  );
  return {
    ...describe(task, figures, { original: questions.length, effective: asked.length }, cutPrompts),
    samples: asked.map(({ id, prompt, right }, at) => {
      const text = records[at]!.texts![0]!;
      const read = metric === 'accuracy' ? (check.extract(strip(text)) ?? '[invalid]') : text;
      return {
        doc_id: id,
        doc: { prompt: model.tokenizer.decode(prompt), right },
        target: right,
        resps: [[text]],
        filtered_resps: [read],
        filter: 'none',
        metrics: Object.keys(figures[at]!),
        ...figures[at]!,
      };
    }),
    end: () => {
      unfinished.end();
    },
  };
}

/** The answers of all samples, and the special tokens that end them. */
function questionsIn(
  samples: Samples,
  { tokenizer }: Model,
): { readonly questions: readonly OwnQuestion[]; readonly ends: ReadonlySet<number> } {
  const questions: OwnQuestion[] = [];
  const ends = new Set<number>();
  const sequences = sequencesOf(samples);
  // texts are trained from their first or second token on, and answer nothing
  const firstTrained = sequences.map(({ labels }) => labels.findIndex((one) => one !== IGNORED));
  if (firstTrained.every((at) => at <= 1)) return { questions, ends };
  for (const { ids, labels } of sequences) {
    for (let start = 0; start < ids.length;) {
      let end = start;
      while (end < ids.length && (labels[end] !== IGNORED) === (labels[start] !== IGNORED)) end++;
      const prompt = ids.slice(0, start);
      const isAsked = prompt.some((id) => id !== tokenizer.bosId);
      if (labels[start] !== IGNORED && isAsked) {
        const answer = ids.slice(start, end);
        const right = strip(tokenizer.decode(answer, { skipSpecialTokens: true }));
        questions.push({ id: questions.length, prompt, right });
        const last = answer.at(-1)!;
        if (tokenizer.decode([last], { skipSpecialTokens: true }) === '') ends.add(last);
      }
      start = end;
    }
  }
  return { questions, ends };
}

function endsOf(
  { tokenizer }: Model,
  configured: readonly number[] | undefined,
): readonly number[] {
  return configured ?? (tokenizer.eosId === undefined ? [] : [tokenizer.eosId]);
}

function figuresOf(
  metric: AnsweredMetric,
  check: AnswerCheck,
  text: string,
  right: string,
): Readonly<Record<string, RecordFigure>> {
  switch (metric) {
    case 'accuracy': {
      const answer = check.extract(text);
      return { accuracy: Number(answer !== undefined && check.matches(answer, right)) };
    }
    case 'rouge': {
      const types = ['rouge1', 'rouge2', 'rougeL'] as const;
      return Object.fromEntries(types.map((type) => [type, rouge(type, right, text)]));
    }
    case 'bleu':
    case 'chrf':
      return { [metric]: [right, text] };
    case 'statistics':
      return Object.fromEntries(textStatisticNames.map((name) => [name, [right, text]]));
  }
}

function describe(
  task: string,
  figures: readonly Readonly<Record<string, RecordFigure>>[],
  records: { readonly original: number; readonly effective: number },
  cutPrompts: number,
): Pick<EvaluatedTask, 'task' | 'result'> {
  const names = Object.keys(figures[0]!);
  const version = 1;
  const metrics = Object.fromEntries(
    names.map((name) => [
      name,
      taskFigure(
        name,
        figures.map((own) => own[name]!),
      ),
    ]),
  );
  return {
    task: { task, version, metrics: names },
    result: { task, version, shots: 0, metrics, records, cutPrompts },
  };
}

function hashOf(questions: readonly OwnQuestion[]): string {
  const hash = createHash('sha256');
  for (const { prompt, right } of questions) hash.update(prompt).update(right);
  return hash.digest('hex');
}
