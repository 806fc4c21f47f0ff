// The whole way with a real model: the official client, the server, the generator, stories260k.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import OpenAI from 'openai';
import { hasStories, makeAdapter, withStories } from './stories.ts';

const story = `Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. She wanted to play with it, but it was too high.
Lily's mom said, "Lily, let's go to the park." Lily was sad and didn't know what to do. She said, "I want to play with your ball, but I can't find it."
Lily was sad and didn't know what to do. She said, "I'm sorry, Lily. I didn't know what to do."
Lily didn't want to help her mom, so`;

const template = '{% for message in messages %}{{ message.content }} {% endfor %}';

const served = (
  config: Record<string, unknown>,
  work: (client: OpenAI, url: string) => Promise<void>,
): Promise<void> =>
  withStories({ chatTemplate: template, ...config }, (url) =>
    work(new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 }), url),
  );

if (hasStories()) {
  test('stories260k through the official client', () =>
    served({}, async (client, url) => {
      const model = 'stories260k';
      const greedy = { model, temperature: 0 } as const;
      const streamed = async (prompt: string, tokens: number): Promise<string> => {
        let text = '';
        for await (const {
          choices: [choice],
        } of await client.completions.create({
          ...greedy,
          prompt,
          max_tokens: tokens,
          stream: true,
        })) {
          text += choice!.text;
        }
        return text;
      };
      const whole = async (prompt: string, tokens: number): Promise<string> =>
        (await client.completions.create({ ...greedy, prompt, max_tokens: tokens })).choices[0]!
          .text;
      assert.is(await whole('', 199), story);
      // streamed and whole, long and short prompts, decoded together
      const prompts = ['', 'Once upon a time', 'Lily', 'The big red ball was in the park and'];
      const alone = [];
      for (const prompt of prompts) alone.push(await whole(prompt, 40));
      const together = await Promise.all(
        prompts.flatMap((prompt) => [streamed(prompt, 40), whole(prompt, 40)]),
      );
      assert.equal(
        together,
        alone.flatMap((text) => [text, text]),
      );

      const {
        choices: [first],
        usage,
      } = await client.completions.create({
        ...greedy,
        prompt: 'Once upon a time',
        max_tokens: 5,
        logprobs: 3,
      });
      assert.is(first!.logprobs!.tokens!.join(''), first!.text);
      // what was written scores the same when it is read
      const prompt = 'Once upon a time, there was a café';
      const create = (body: object): Promise<OpenAI.Completion> =>
        client.completions.create({ ...greedy, prompt, logprobs: 1, echo: true, ...body });
      const [written] = (await create({ max_tokens: 8 })).choices;
      const { choices } = await create({ prompt: written!.text, max_tokens: 0 });
      const [read, expected] = [choices[0]!.logprobs!, written!.logprobs!];
      assert.equal([read.tokens, read.text_offset], [expected.tokens, expected.text_offset]);
      assert.is(read.tokens!.join(''), written!.text);
      assert.equal([read.tokens![0], read.token_logprobs![0]], ['', null], 'BOS is no text');
      read.token_logprobs!.slice(1).forEach((logprob, index) => {
        const before = expected.token_logprobs![index + 1]!;
        assert.ok(Math.abs(logprob - before) < 1e-4, `token ${index + 1}: ${logprob}, ${before}`);
      });
      assert.equal(usage, { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10 });
      first!.logprobs!.token_logprobs!.forEach((logprob, index) => {
        assert.is(logprob, Math.max(...Object.values(first!.logprobs!.top_logprobs![index]!)));
      });

      const sample = (seed: number): Promise<string[]> =>
        client.completions
          .create({ model, prompt: 'Once', max_tokens: 20, n: 3, seed })
          .then(({ choices }) => choices.map(({ text }) => text));
      const [one, same, other] = [await sample(5), await sample(5), await sample(6)];
      assert.equal(one, same);
      assert.not.equal(one, other);
      assert.is(new Set(one).size, 3);

      const stopped = await client.completions.create({
        ...greedy,
        prompt: '',
        max_tokens: 100,
        stop: ['park', 'never'],
      });
      assert.is(stopped.choices[0]!.text, story.slice(0, story.indexOf('park')));
      assert.is(stopped.choices[0]!.finish_reason, 'stop');

      const chat = await client.chat.completions.create({
        ...greedy,
        messages: [{ role: 'user', content: 'Once upon a time' }],
        max_tokens: 10,
      });
      assert.ok(chat.choices[0]!.message.content!.length > 10);
      const long = await client.completions
        .create({ ...greedy, prompt: 'Once upon a time '.repeat(200) })
        .catch((error: unknown) => error);
      assert.is((long as { code?: string }).code, 'context_length_exceeded');

      for await (const _ of await client.completions.create({
        ...greedy,
        prompt: '',
        max_tokens: 400,
        stream: true,
      })) {
        break;
      }
      const health = async (): Promise<{ running: number }> =>
        (await (await fetch(`${url}/health`)).json()) as { running: number };
      for (let tries = 0; tries < 100 && (await health()).running > 0; tries++) {
        await new Promise((wake) => {
          setTimeout(wake, 20);
        });
      }
      assert.is((await health()).running, 0);
    }));

  test('adapters are models, and answer at the same time as the base', async () => {
    const adapters = { poet: await makeAdapter('poet', 1), chef: await makeAdapter('chef', 2) };
    await served({ lora: { adapters } }, async (client) => {
      const names = ['stories260k', 'poet', 'chef'];
      const { data } = await client.models.list();
      assert.equal(
        data.map((one) => [one.id, (one as { parent?: string }).parent]),
        [
          ['stories260k', undefined],
          ['poet', 'stories260k'],
          ['chef', 'stories260k'],
        ],
      );
      const prompts = ['', 'Once upon a time', 'Lily and Tom'];
      const ask = async (model: string, prompt: string): Promise<string> => {
        const {
          choices: [choice],
          model: by,
        } = await client.completions.create({ model, prompt, temperature: 0, max_tokens: 30 });
        assert.is(by, model);
        return choice!.text;
      };
      const pairs = names.flatMap((name) => prompts.map((prompt) => [name, prompt] as const));
      const alone: string[] = [];
      for (const [name, prompt] of pairs) alone.push(await ask(name, prompt));
      assert.ok(story.startsWith(alone[0]!));
      assert.ok(new Set(alone).size >= 8, 'the adapters answer differently');
      assert.equal(
        await Promise.all([...pairs, ...pairs].map(([name, prompt]) => ask(name, prompt))),
        [...alone, ...alone],
      );
      const unknown = await client.completions
        .create({ model: 'cook', prompt: 'x' })
        .catch((error: unknown) => error as { status: number; code: string; param: string });
      assert.equal(
        [
          (unknown as { status: number }).status,
          (unknown as { code: string }).code,
          (unknown as { param: string }).param,
        ],
        [404, 'model_not_found', 'model'],
      );
    });
    const error = await served(
      { lora: { adapters: { stories260k: adapters.poet } } },
      async () => undefined,
    ).catch((failure: unknown) => failure as { code: string });
    assert.is((error as { code: string }).code, 'LMFLOW_SERVE_NAME_TAKEN');
  });
}

test.run();
