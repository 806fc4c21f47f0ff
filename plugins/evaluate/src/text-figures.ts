// A generated answer's figures: how it compares with the right answer, or with several.
import { isRightAnswer, type AnswerCheck } from '@lmflow/sdk';
import type { TextMetric } from './generate-task.ts';
import type { RecordFigure } from './metrics.ts';
import { contrast, isContrast } from './text/contrast.ts';
import { exactMatch } from './text/exact-match.ts';
import { rouge } from './text/rouge.ts';

/** The checks that tasks may name. */
export interface AnswerCheckTable {
  get(name: string): AnswerCheck | undefined;
  names(): string[];
}

/** What an answer is compared with. */
interface ComparedWith {
  readonly targets: readonly string[];
  readonly wrong?: readonly string[];
  readonly checks: AnswerCheckTable;
}

/**
 * The figure of what a reading made of the answers. Of several right answers one is enough; ROUGE
 * counts the closest one. Where a reading leaves several answers, one that is right is enough, and
 * the first one is compared as a text.
 */
export function textFigure(
  metric: TextMetric,
  response: unknown,
  { targets, wrong = [], checks }: ComparedWith,
): RecordFigure {
  const given = Array.isArray(response) ? response.map(String) : [String(response)];
  const [text = ''] = given;
  switch (metric.metric) {
    case 'exact_match':
      return Number(given.some((one) => targets.some((right) => exactMatch(one, right, metric))));
    case 'acc': {
      const check = checks.get(metric.check);
      return Number(check !== undefined && given.some((one) => isRightAnswer(check, one, targets)));
    }
    case 'bleu':
    case 'chrf':
    case 'chrf++':
      return [targets.length === 1 ? targets[0]! : targets, text];
    case 'rouge1':
    case 'rouge2':
    case 'rougeL':
    case 'rougeLsum':
      return Math.max(...targets.map((right) => rouge(metric.metric, right, text, metric)));
    default:
      if (isContrast(metric.metric)) {
        return contrast(metric.metric, text, { right: targets, wrong });
      }
      return [targets, text];
  }
}
