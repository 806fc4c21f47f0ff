// The official client of OpenAI talks to the server, which has a fake generator.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import OpenAI from 'openai';
import type { ServeOptions } from '@lmflow/plugin-serve';
import { withServer, type FakeServer } from './fake.ts';

function served(
  options: Partial<ServeOptions>,
  work: (client: OpenAI, fake: FakeServer) => Promise<void>,
): () => Promise<void> {
  return () =>
    withServer(options, (fake) =>
      work(
        new OpenAI({ baseURL: `${fake.url}/v1`, apiKey: options.apiKey ?? 'any', maxRetries: 0 }),
        fake,
      ),
    );
}

async function refused(
  call: PromiseLike<unknown>,
): Promise<{ status: number; code: string; param: string; message: string }> {
  try {
    await call;
  } catch (error) {
    assert.instance(error, OpenAI.APIError);
    return error as { status: number; code: string; param: string; message: string };
  }
  throw new Error('it should have been refused');
}

test(
  'models',
  served({}, async (client) => {
    const list = await client.models.list();
    assert.equal(
      list.data.map(({ id }) => id),
      ['fake', 'plain'],
    );
    assert.is((await client.models.retrieve('fake')).object, 'model');
    assert.is((await refused(client.models.retrieve('none'))).code, 'model_not_found');
  }),
);

test(
  'completions: text, usage, limits, several prompts and samples, token ids',
  served({}, async (client, { generator }) => {
    const one = await client.completions.create({ model: 'fake', prompt: 'hello' });
    assert.is(one.choices[0]!.text, 'olleh');
    assert.is(one.choices[0]!.finish_reason, 'stop');
    assert.equal(one.usage, { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10 });
    assert.is(generator.seen[0]!.options.maxNewTokens, 16);
    const many = await client.completions.create({
      model: 'fake',
      prompt: ['abc', 'xyz'],
      n: 2,
      max_tokens: 2,
    });
    assert.equal(
      many.choices.map(({ index, text, finish_reason: reason }) => [index, text, reason]),
      [
        [0, 'cb', 'length'],
        [1, 'cb', 'length'],
        [2, 'zy', 'length'],
        [3, 'zy', 'length'],
      ],
    );
    assert.equal(many.usage, { prompt_tokens: 6, completion_tokens: 8, total_tokens: 14 });
    const ids = await client.completions.create({ model: 'fake', prompt: [104, 105] });
    assert.is(ids.choices[0]!.text, 'ih');
  }),
);

test(
  'parameters arrive at the generator',
  served({}, async (client, { generator }) => {
    await client.completions.create({
      model: 'fake',
      prompt: 'x',
      temperature: 0.5,
      top_p: 0.9,
      presence_penalty: 1,
      frequency_penalty: -1,
      seed: 7,
      stop: ['a', 'b'],
      logit_bias: { 5: -100 },
      user: 'me',
      ...{ top_k: 3, min_p: 0.1, repetition_penalty: 1.1, min_tokens: 2 },
    });
    assert.equal(generator.seen[0]!.options, {
      maxNewTokens: 16,
      doSample: true,
      temperature: 0.5,
      topP: 0.9,
      topK: 3,
      minP: 0.1,
      repetitionPenalty: 1.1,
      presencePenalty: 1,
      frequencyPenalty: -1,
      minNewTokens: 2,
      numReturnSequences: 1,
      numBeams: 1,
      seed: 7,
      stop: ['a', 'b'],
      logitBias: { 5: -100 },
    });
    await client.completions.create({ model: 'fake', prompt: 'x', temperature: 0 });
    assert.is(generator.seen[1]!.options.doSample, false);
    assert.is(generator.seen[1]!.options.topK, 0);
    await client.completions.create({ model: 'fake', prompt: 'x' });
    assert.is(generator.seen[2]!.options.doSample, true);
    assert.is.not(generator.seen[1]!.options.seed, generator.seen[2]!.options.seed);
  }),
);

test(
  "OpenAI's defaults give way to what configuration and checkpoint set",
  served({}, async (client, { generator }) => {
    generator.configured = { topK: 5, doSample: false, temperature: 0.7 };
    await client.completions.create({ model: 'fake', prompt: 'x' });
    const { seed: _seed, ...options } = generator.seen[0]!.options;
    assert.equal(options, { maxNewTokens: 16, numReturnSequences: 1, numBeams: 1 });
    await client.completions.create({ model: 'fake', prompt: 'x', temperature: 1 });
    assert.is(generator.seen[1]!.options.doSample, true);
    assert.is(generator.seen[1]!.options.topK, undefined);
  }),
);

test(
  'completions stream, with usage and log-probabilities',
  served({}, async (client) => {
    const stream = await client.completions.create({
      model: 'fake',
      prompt: 'hello',
      n: 2,
      stream: true,
      logprobs: 2,
      stream_options: { include_usage: true },
    });
    const texts = ['', ''];
    const offsets: number[] = [];
    let usage;
    for await (const chunk of stream) {
      for (const { index, text, logprobs } of chunk.choices) {
        texts[index] += text;
        if (index === 1) offsets.push(...logprobs!.text_offset!);
      }
      usage = chunk.usage ?? usage;
    }
    assert.equal(texts, ['olleh', 'olleh']);
    assert.equal(offsets, [0, 1, 2, 3, 4]);
    assert.equal(usage, { prompt_tokens: 5, completion_tokens: 10, total_tokens: 15 });
    const whole = await client.completions.create({ model: 'fake', prompt: 'hi', logprobs: 2 });
    assert.equal(whole.choices[0]!.logprobs, {
      tokens: ['i', 'h'],
      token_logprobs: [-0.5, -0.5],
      top_logprobs: [
        { i: -0.5, j: -1.5 },
        { h: -0.5, i: -1.5 },
      ],
      text_offset: [0, 1],
    });
  }),
);

test(
  'echo: the prompt before the answer, with its scores; alone where max_tokens is 0',
  served({}, async (client) => {
    const prompt = 'abc';
    const scores = {
      tokens: ['a', 'b', 'c'],
      token_logprobs: [null, -98, -99],
      top_logprobs: [null, { b: -98, c: -99 }, { c: -99, d: -100 }],
      text_offset: [0, 1, 2],
    };
    const alone = { model: 'fake', echo: true, max_tokens: 0, logprobs: 2 } as const;
    for (const form of [prompt, [97, 98, 99]]) {
      const { choices, usage } = await client.completions.create({ ...alone, prompt: form, n: 2 });
      assert.equal(
        choices,
        [0, 1].map((index) => ({ index, text: prompt, logprobs: scores, finish_reason: 'length' })),
      );
      assert.equal(usage, { prompt_tokens: 3, completion_tokens: 0, total_tokens: 3 });
    }
    const both = { model: 'fake', echo: true, prompt, logprobs: 2 } as const;
    const { choices } = await client.completions.create(both);
    assert.is(choices[0]!.text, 'abccba');
    assert.equal(choices[0]!.logprobs!.token_logprobs, [
      ...scores.token_logprobs,
      ...[-0.5, -0.5, -0.5],
    ]);
    assert.equal(choices[0]!.logprobs!.text_offset, [0, 1, 2, 3, 4, 5]);
    let [text, offsets] = ['', [] as number[]];
    for await (const { choices: some } of await client.completions.create({
      ...both,
      stream: true,
    })) {
      text += some[0]!.text;
      offsets = [...offsets, ...(some[0]!.logprobs?.text_offset ?? [])];
    }
    assert.equal([text, offsets], ['abccba', [0, 1, 2, 3, 4, 5]]);
    const plain = await client.completions.create({ ...both, logprobs: null });
    assert.equal([plain.choices[0]!.text, plain.choices[0]!.logprobs], ['abccba', null]);
  }),
);

test(
  'chat, whole and streamed',
  served({}, async (client, { generator }) => {
    const messages: OpenAI.ChatCompletionMessageParam[] = [
      { role: 'developer', content: 'be' },
      { role: 'user', content: [{ type: 'text', text: 'good' }] },
    ];
    const whole = await client.chat.completions.create({
      model: 'fake',
      messages,
      logprobs: true,
      top_logprobs: 1,
    });
    assert.is(generator.seen[0]!.prompt, 'system:be|user:good');
    assert.is(generator.seen[0]!.options.maxNewTokens, 1024 - 19);
    const [choice] = whole.choices;
    assert.is(choice!.message.content, 'doog:resu|eb:metsys');
    assert.equal(choice!.logprobs!.content![0], {
      token: 'd',
      logprob: -0.5,
      bytes: [100],
      top_logprobs: [{ token: 'd', logprob: -0.5, bytes: [100] }],
    });
    const stream = client.chat.completions.stream({
      model: 'fake',
      messages,
      max_completion_tokens: 4,
    });
    const final = await stream.finalChatCompletion();
    assert.is(final.choices[0]!.message.content, 'doog');
    assert.is(final.choices[0]!.finish_reason, 'length');
  }),
);

test(
  'tool calls, whole and streamed',
  served({}, async (client, { generator }) => {
    generator.answer = () =>
      'Let me see.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Ulm"}}\n</tool_call>\n<tool_call>{"name": "weather", "arguments": {}}</tool_call>';
    const tools: OpenAI.ChatCompletionTool[] = [
      { type: 'function', function: { name: 'weather', parameters: { type: 'object' } } },
    ];
    const request = {
      model: 'fake',
      tools,
      messages: [{ role: 'user' as const, content: 'rain?' }],
    };
    const {
      choices: [choice],
    } = await client.chat.completions.create(request);
    assert.is(choice!.finish_reason, 'tool_calls');
    assert.is(choice!.message.content, 'Let me see.');
    assert.equal(
      choice!.message.tool_calls!.map((call) => call.type === 'function' && call.function),
      [
        { name: 'weather', arguments: '{"city":"Ulm"}' },
        { name: 'weather', arguments: '{}' },
      ],
    );
    assert.equal(generator.seen[0]!.tools, tools);
    const streamed = await client.chat.completions.stream(request).finalChatCompletion();
    assert.is(streamed.choices[0]!.message.content, 'Let me see.');
    assert.is(streamed.choices[0]!.message.tool_calls!.length, 2);
    assert.is(streamed.choices[0]!.finish_reason, 'tool_calls');
    // the answer goes back as the template takes it: arguments as an object
    generator.answer = () => 'dry';
    await client.chat.completions.create({
      ...request,
      messages: [
        ...request.messages,
        choice!.message,
        { role: 'tool', tool_call_id: choice!.message.tool_calls![0]!.id, content: 'no' },
      ],
    });
    assert.match(generator.seen.at(-1)!.prompt, /"arguments":\{"city":"Ulm"\}/);
    // what is no call stays text
    generator.answer = () => 'a <tool_call>{"name": "other", "arguments": {}}</tool_call> <tool b';
    const plain = await client.chat.completions.create(request);
    assert.is(plain.choices[0]!.message.content, generator.answer(''));
    assert.is(plain.choices[0]!.finish_reason, 'stop');
  }),
);

test(
  'errors have the shape of OpenAI and name the parameter',
  served({ maxTokens: 100, maxPromptTokens: 50 }, async (client) => {
    const create = (body: object): PromiseLike<unknown> =>
      client.completions.create({ model: 'fake', prompt: 'x', ...body } as never);
    const chat = (body: object): PromiseLike<unknown> =>
      client.chat.completions.create({
        model: 'fake',
        messages: [{ role: 'user', content: 'x' }],
        ...body,
      } as never);
    const cases: [() => PromiseLike<unknown>, number, string, string | null][] = [
      [() => create({ model: 'none' }), 404, 'model_not_found', 'model'],
      [() => create({ max_tokens: 0 }), 400, 'invalid_value', 'max_tokens'],
      [() => create({ best_of: 3 }), 400, 'unsupported_parameter', 'best_of'],
      [() => create({ frobnicate: 1 }), 400, 'unknown_parameter', 'frobnicate'],
      [() => create({ temperature: 3 }), 400, 'invalid_value', 'temperature'],
      [() => create({ prompt: undefined }), 400, 'missing_required_parameter', 'prompt'],
      [() => create({ prompt: '' }), 400, 'invalid_value', 'prompt'],
      [() => create({ prompt: [70_000] }), 400, 'invalid_value', 'prompt'],
      [() => create({ logit_bias: { 65536: 1 } }), 400, 'invalid_value', 'logit_bias'],
      [() => create({ n: 9 }), 400, 'invalid_value', 'n'],
      [() => create({ max_tokens: 101 }), 400, 'context_length_exceeded', 'max_tokens'],
      [() => create({ prompt: 'x'.repeat(51) }), 400, 'context_length_exceeded', 'prompt'],
      [
        () => create({ prompt: 'x'.repeat(51), stream: true }),
        400,
        'context_length_exceeded',
        'prompt',
      ],
      [
        () => chat({ response_format: { type: 'json_object' } }),
        400,
        'unsupported_parameter',
        'response_format',
      ],
      [
        () =>
          chat({
            messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }],
          }),
        400,
        'unsupported_parameter',
        'messages[0].content[0].type',
      ],
      [
        () => chat({ messages: [{ role: 'wizard', content: 'x' }] }),
        400,
        'invalid_value',
        'messages[0].role',
      ],
      [
        () => chat({ messages: [{ role: 'user', content: 'x', magic: 1 }] }),
        400,
        'unsupported_parameter',
        'messages[0].magic',
      ],
      [() => chat({ model: 'plain' }), 400, 'LMFLOW_TEMPLATE_MISSING', null],
      [
        () => chat({ model: 'plain', tools: [{ type: 'function', function: { name: 'f' } }] }),
        400,
        'unsupported_parameter',
        'tools',
      ],
      [
        () =>
          chat({ tools: [{ type: 'function', function: { name: 'f' } }], tool_choice: 'required' }),
        400,
        'unsupported_parameter',
        'tool_choice',
      ],
      [() => create({ prompt: 'EXPLODE' }), 500, 'generation_failed', null],
    ];
    for (const [call, status, code, parameter] of cases) {
      const error = await refused(call());
      assert.equal(
        [error.status, error.code, error.param],
        [status, code, parameter],
        error.message,
      );
      assert.not.match(error.message, /secret/);
    }
  }),
);

test(
  'an error in the middle of a stream is thrown by the client',
  served({ requestTimeout: 0.3 }, async (client, { generator }) => {
    generator.step = 20;
    const stream = await client.completions.create({
      model: 'fake',
      prompt: 'x'.repeat(100),
      max_tokens: 100,
      stream: true,
    });
    let text = '';
    const error = await refused(
      (async () => {
        for await (const {
          choices: [choice],
        } of stream) {
          text += choice!.text;
        }
      })(),
    );
    assert.match(error.message, /longer than 0.3 s/);
    assert.ok(text.length > 0 && text.length < 100);
  }),
);

test(
  'a client that goes away stops its generation',
  served({ maxConcurrent: 1 }, async (client, { generator }) => {
    generator.step = 10;
    const request = { model: 'fake', prompt: 'x'.repeat(100), max_tokens: 100 } as const;
    const stream = await client.completions.create({ ...request, stream: true });
    for await (const _ of stream) break;
    await until(() => generator.running === 0);
    assert.is(generator.aborted, 1);
    const controller = new AbortController();
    const whole = client.completions
      .create(request, { signal: controller.signal })
      .catch((error: unknown) => error);
    await until(() => generator.running === 1);
    controller.abort();
    assert.instance(await whole, OpenAI.APIUserAbortError);
    await until(() => generator.running === 0);
    assert.is(generator.aborted, 2);
    assert.is(
      (await client.completions.create({ model: 'fake', prompt: 'ok' })).choices[0]!.text,
      'ko',
    );
  }),
);

async function until(done: () => boolean): Promise<void> {
  for (let tries = 0; !done(); tries++) {
    if (tries > 300) throw new Error('it never came');
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}

test.run();
