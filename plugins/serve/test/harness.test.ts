// Requests that lm-evaluation-harness sent (local-completions: batches of token ids, one token, echo
// and logprobs), answered as it reads them: sums and decisions are those that
// it finds with transformers.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasStories, withStories } from './stories.ts';

interface Recorded {
  readonly body: { readonly prompt: readonly (readonly number[])[]; readonly max_tokens: number };
  /** Of the last tokens of each prompt. */
  readonly expected: readonly {
    readonly tokens: number;
    readonly sum: number;
    readonly greedy: boolean;
  }[];
}

interface Choice {
  readonly index: number;
  readonly logprobs: {
    readonly token_logprobs: readonly (number | null)[];
    readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[];
  };
}

const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures/harness-requests.json'), 'utf8'),
) as readonly Recorded[];

if (hasStories()) {
  test('recorded requests of the harness', () =>
    withStories({}, async (url) => {
      for (const { body, expected } of recorded) {
        const response = await fetch(`${url}/v1/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
        assert.is(response.status, 200);
        const { choices } = (await response.json()) as { readonly choices: readonly Choice[] };
        assert.equal(
          choices.map(({ index }) => index),
          body.prompt.map((_, index) => index),
        );
        choices.forEach(({ logprobs }, index) => {
          const { tokens, sum, greedy } = expected[index]!;
          assert.is(logprobs.token_logprobs[0], null);
          // behind the prompt's tokens stands the one that is written, which the harness drops
          const end = body.prompt[index]!.length;
          assert.is(logprobs.token_logprobs.length, end + body.max_tokens);
          const own = logprobs.token_logprobs.slice(end - tokens, end) as readonly number[];
          const found = own.reduce((total, one) => total + one, 0);
          assert.ok(Math.abs(found - sum) < 1e-4 * Math.abs(sum), `${index}: ${found}, ${sum}`);
          const best = logprobs.top_logprobs
            .slice(end - tokens, end)
            .map((top) => Math.max(...Object.values(top!)));
          assert.is(
            own.every((one, at) => one === best[at]),
            greedy,
          );
        });
      }
    }));
}

test.run();
