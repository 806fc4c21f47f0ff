// A real model's greedy text, known token for token: with and without cache, alone and in company,
// at once and streamed.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { expectedStory, hasStories, STORIES, withModel } from './support.ts';

const bos = Int32Array.of(1);

if (hasStories()) {
  const story = expectedStory();

  for (const useCache of [true, false]) {
    test(`greedy from BOS, ${useCache ? 'cached' : 'uncached'}: the known text`, () =>
      withModel(STORIES, { generate: { useCache } }, async ({ generator, model }) => {
        const [result] = await generator.inference({
          model,
          prompt: bos,
          options: { maxNewTokens: 199 },
        });
        assert.is(result!.text, story);
        assert.is(result!.ids.length, 199);
        assert.is(result!.finishReason, 'length');
      }));
  }

  test('in a batch of mixed lengths every text is what it is alone', () =>
    withModel(STORIES, {}, async ({ generator, model }) => {
      const prompts = [
        bos,
        'Once upon a time',
        'Lily',
        'The dog ran to the park. The cat was sad because',
        'One day,',
      ];
      const options = { maxNewTokens: 120 };
      const alone: string[] = [];
      for (const prompt of prompts) {
        alone.push((await generator.inference({ model, prompt, options }))[0]!.text);
      }
      const together = await Promise.all(
        prompts.map((prompt, index) =>
          generator.inference({ model, prompt, options: { maxNewTokens: 120 - 10 * index } }),
        ),
      );
      together.forEach(([result], index) => {
        assert.ok(
          alone[index]!.startsWith(result!.text) && result!.ids.length > 20,
          `${index}: ${result!.text} / ${alone[index]}`,
        );
      });
      assert.is(together[0]![0]!.text, alone[0]);
      assert.ok(story.startsWith(alone[0]!));
    }));

  test('streamed pieces join to the same text', () =>
    withModel(STORIES, {}, async ({ generator, model }) => {
      const pieces: string[] = [];
      for await (const piece of generator.streamInference({
        model,
        prompt: bos,
        options: { maxNewTokens: 199 },
      })) {
        pieces.push(piece.text);
      }
      assert.is(pieces.join(''), story);
      assert.ok(pieces.length > 150);
    }));
}

test.run();
