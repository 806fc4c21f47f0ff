// Statistics of a corpus: tokens as NLTK's, numbers as GEM-metrics defines them
// (reference/text_statistics.py).
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { taskFigure } from '../src/metrics.ts';
import { textStatistic, textStatisticNames } from '../src/text/statistics.ts';
import { wordTokens } from '../src/text/word-tokens.ts';
import { fixture } from './runs.ts';

const reference = fixture<{
  readonly tokens: readonly { readonly text: string; readonly tokens: readonly string[] }[];
  readonly corpora: readonly {
    readonly texts: readonly string[];
    readonly statistics: Readonly<Record<string, number>>;
  }[];
}>('text-statistics.json');

test("tokens are NLTK's, in lower case", () => {
  for (const { text, tokens } of reference.tokens) assert.equal(wordTokens(text), tokens, text);
});

test('statistics of corpora', () => {
  for (const { texts, statistics } of reference.corpora) {
    for (const name of textStatisticNames) {
      const found = textStatistic(name, texts);
      const expected = statistics[name] ?? NaN;
      const isEqual = Number.isNaN(expected) ? Number.isNaN(found) : found - expected < 1e-12;
      assert.ok(isEqual && !(expected - found > 1e-12), `${name}: ${found}, expected ${expected}`);
    }
  }
});

test('as metrics of tasks and data: of the answers alone, without a standard error', () => {
  const figures = ['The cat sat. The cat ran.', 'A dog sat.'].map(
    (answer) => ['right', answer] as const,
  );
  assert.equal(taskFigure('distinct_2', figures), { value: 8 / 10 });
  assert.equal(taskFigure('unique_1,none', figures), { value: 3 });
});

test.run();
