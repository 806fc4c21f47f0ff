// Every family of models against transformers: the same greedy tokens, their log-probabilities,
// penalties and rules.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GenerationOptions, TextResult } from '@lmflow/sdk';
import { familyFolder, reference, withModel } from './support.ts';

// The fixtures' positions end before their 64 tokens do; rotary models go on, as transformers does.
const contextOf = (family: string): { contextLength?: number } =>
  family === 'gpt2' ? {} : { contextLength: 160 };
const greedy: GenerationOptions = { doSample: false, eosTokenId: [], logprobs: 0 };

for (const [family, cases] of Object.entries(reference.greedy)) {
  for (const useCache of family === 'llama-dynamic' ? [true] : [true, false]) {
    test(`${family}, ${useCache ? 'cached' : 'uncached'}: transformers' greedy tokens`, () =>
      withModel(
        familyFolder(family),
        { generate: { ...contextOf(family), useCache } },
        async ({ generator, model }) => {
          const requests = cases.map(({ prompt, ids }) => ({
            model,
            prompt: Int32Array.from(prompt),
            options: { ...greedy, maxNewTokens: ids.length },
          }));
          const alone: TextResult[] = [];
          for (const request of requests) alone.push(...(await generator.inference(request)));
          const together = (
            await Promise.all(requests.map((request) => generator.inference(request)))
          ).flat();
          cases.forEach(({ ids, logprobs }, index) => {
            for (const results of [alone, together]) {
              assert.equal([...results[index]!.ids], ids);
              results[index]!.tokens.forEach(({ logprob }, place) => {
                assert.ok(
                  Math.abs(logprob! - logprobs[place]!) < 1e-3,
                  `token ${place}: ${logprob}, ${logprobs[place]}`,
                );
              });
            }
          });
        },
      ));
  }
}

test('penalties and rules give the tokens of transformers', () =>
  withModel(
    familyFolder('llama'),
    { generate: { contextLength: 160 } },
    async ({ generator, model }) => {
      for (const { prompt, options, ids } of reference.processed) {
        const { repetition_penalty, no_repeat_ngram_size, min_new_tokens, eos_token_id } =
          options as Record<string, number & number[]>;
        const [result] = await generator.inference({
          model,
          prompt: Int32Array.from(prompt),
          options: {
            doSample: false,
            maxNewTokens: 40,
            eosTokenId: eos_token_id ?? [],
            ...(repetition_penalty ? { repetitionPenalty: repetition_penalty } : {}),
            ...(no_repeat_ngram_size ? { noRepeatNgramSize: no_repeat_ngram_size } : {}),
            ...(min_new_tokens ? { minNewTokens: min_new_tokens } : {}),
          },
        });
        assert.equal([...result!.ids], ids, JSON.stringify(options));
      }
    },
  ));

test.run();
