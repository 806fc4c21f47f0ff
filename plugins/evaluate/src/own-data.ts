// Data without a task file: the samples of the configuration's `dataset`, read as training reads them.
// Labelled tokens are the output, the others the input.
import { basename } from 'node:path';
import { IGNORED, type Samples, type ScoreRow, type ScoringSession } from '@lmflow/sdk';
import { taskFigure, type RecordFigure } from './metrics.ts';
import type { EvaluatedTask } from './results.ts';

/** What may be measured of them. */
export const scoredMetrics = ['perplexity', 'nll'] as const;
export type DataMetric = (typeof scoredMetrics)[number];

/** What is measured, of what, and who hears of it. */
export interface DataRequest {
  readonly name: string;
  readonly metric: DataMetric;
  readonly samples: Samples;
  readonly limit: number | undefined;
  readonly session: ScoringSession;
  readonly signal: AbortSignal;
  readonly progress: (done: number, all: number) => void;
}

/** Sums of one sequence: of its output's tokens, and of those before and between them. */
interface SequenceSums {
  readonly output: number;
  readonly input: number;
  /** Tokens of the output that are predicted. */
  readonly tokens: number;
}

/**
 * `perplexity`: exp of the mean over all tokens of the output. `nll`: of the output, the input and
 * both, the sum of a sequence, averaged over sequences. The first token of a sequence, which nothing
 * comes before, is never counted.
 */
export async function evaluateData(request: DataRequest): Promise<EvaluatedTask> {
  const { name, metric, session, signal, progress } = request;
  const sequences = sequencesOf(request.samples).slice(0, request.limit);
  const found = await session.score(
    sequences.map(({ ids }) => ({ ids })),
    {
      signal,
      progress: (done) => {
        progress(done, sequences.length);
      },
    },
  );
  const sums = sequences.map((sequence, at) => sumsOf(sequence, found[at]!.logprobs));
  const figures = sums.map(metric === 'perplexity' ? perplexityFigure : nllFigures);
  const metrics = Object.fromEntries(
    Object.keys(figures[0] ?? {}).map((name) => [
      name,
      taskFigure(
        name,
        figures.map((own) => own[name]!),
      ),
    ]),
  );
  const version = 1;
  return {
    task: { task: basename(name), version, metrics: Object.keys(metrics) },
    result: {
      task: basename(name),
      version,
      shots: 0,
      metrics,
      records: { original: sequencesOf(request.samples).length, effective: sequences.length },
      cutPrompts: request.samples.statistics.truncated,
    },
    samples: sums.map((own, id) => ({
      doc_id: id,
      ...own,
      metrics: Object.keys(metrics),
      ...figures[id],
    })),
  };
}

/** The sequences of samples; packed ones come apart. */
export function sequencesOf(samples: Samples): (ScoreRow & { readonly labels: Int32Array })[] {
  const sequences = [];
  for (let index = 0; index < samples.length; index++) {
    const { inputIds, labels, segments } = samples.get(index);
    for (let start = 0; start < inputIds.length;) {
      let end = start + 1;
      while (end < inputIds.length && segments?.[end] === segments?.[start]) {
        end++;
      }
      sequences.push({ ids: inputIds.slice(start, end), labels: labels.slice(start, end) });
      start = end;
    }
  }
  return sequences;
}

function sumsOf({ labels }: { readonly labels: Int32Array }, logprobs: Float64Array): SequenceSums {
  let [output, input, tokens] = [0, 0, 0];
  logprobs.forEach((logprob, at) => {
    if (labels[at + 1] === IGNORED) {
      input -= logprob;
    } else {
      output -= logprob;
      tokens++;
    }
  });
  return { output, input, tokens };
}

function perplexityFigure({ output, tokens }: SequenceSums): Record<string, RecordFigure> {
  return { perplexity: [-output, tokens] };
}

function nllFigures({ output, input }: SequenceSums): Record<string, RecordFigure> {
  return { nll_output: output, nll_input: input, nll_full: output + input };
}
