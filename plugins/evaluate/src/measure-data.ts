// `--metric`: the samples of the configuration's `dataset`, those for evaluation where there are any,
// else all.
import { SAMPLES, type PluginContext } from '@lmflow/sdk';
import { answerTypeUnknown } from './errors.ts';
import type { Evaluation } from './evaluation.ts';
import type { Flags } from './flags.ts';
import { answerData, answeredMetrics, type AnsweredMetric } from './own-answers.ts';
import { evaluateData, type DataMetric } from './own-data.ts';
import type { EvaluatedTask } from './results.ts';

/** Measures what `--metric` names. */
export async function measureData(
  { resolve, log, config }: PluginContext,
  metric: DataMetric | AnsweredMetric,
  { limit, answerType, maxNewTokens, fewshotSeed: seed }: Flags,
  common: Omit<Evaluation, 'ask'>,
): Promise<EvaluatedTask & { readonly end?: () => void }> {
  const { model, signal, checks } = common;
  const check = checks.get(answerType);
  if (check === undefined) throw answerTypeUnknown(answerType, checks.names());
  const { train, evaluation } = await resolve(SAMPLES).load({
    tokenizer: model.tokenizer,
    maxPositions: model.architecture.maxPositions,
    signal,
  });
  const named = (evaluation && config['evalDataset']) ?? config.dataset;
  const request = {
    ...common,
    name: typeof named === 'string' ? named : 'dataset',
    samples: evaluation ?? train,
    limit,
    progress: (done: number, all: number) => {
      log.progress(`${metric}  ${done}/${all}`);
    },
  };
  if (!isAnswered(metric)) return evaluateData({ ...request, metric });
  const found = await answerData({ ...request, metric, check, maxNewTokens, seed });
  const { cutPrompts } = found.result;
  if (cutPrompts > 0) {
    log.warn(`${cutPrompts} prompts or samples are cut: the context is too short`);
  }
  return found;
}

function isAnswered(metric: DataMetric | AnsweredMetric): metric is AnsweredMetric {
  return answeredMetrics.some((one) => one === metric);
}
